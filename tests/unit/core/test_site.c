// Sites as text, there and back.
#include "core/site.h"

#include <string.h>

#include "support/cmocka.h"

static void expect(const char *text, bool tcp, const char *name, unsigned port)
{
    tr_site sites[TR__SITES_KNOWN];
    char printed[TR_ADDRESS_MAX];
    assert_int_equal(1, tr__sites_parse(text, sites));
    assert_int_equal(tcp, sites[0].tcp);
    assert_int_equal(strncmp(text, "fd:", 3) == 0, sites[0].given);
    assert_string_equal(name, sites[0].name);
    assert_int_equal(port, sites[0].port);
    tr__site_print(&sites[0], printed);
    assert_string_equal(text, printed);
}

static void test_there_and_back(void **state)
{
    (void)state;
    expect("tcp://127.0.0.1:80", true, "127.0.0.1", 80);
    expect("tcp://[::1]:65535", true, "::1", 65535);
    expect("tcp://[fe80::1%eth0]:0", true, "fe80::1%eth0", 0);
    expect("unix:/run/my.socket", false, "/run/my.socket", 0);
    expect("unix:localhost", false, "localhost", 0);
    expect("fd:http", false, "http", 0);
    expect("fd:3", false, "3", 0);
}

static void test_names(void **state)
{
    (void)state;
    tr_site sites[TR__SITES_KNOWN];
    assert_int_equal(0, tr__sites_parse("tcp://example.org:443", sites));
    assert_string_equal("example.org", sites[0].name);
    assert_int_equal(443, sites[0].port);
    assert_int_equal(2, tr__sites_parse("tcp://localhost:7", sites));
    assert_string_equal("127.0.0.1", sites[0].name);
    assert_string_equal("::1", sites[1].name);
    assert_int_equal(7, sites[0].port);
    assert_int_equal(7, sites[1].port);
}

static void test_lengths(void **state)
{
    (void)state;
    tr_site sites[TR__SITES_KNOWN];
    char text[TR_ADDRESS_MAX + 100] = "unix:";
    memset(text + 5, 'p', TR__SITE_MAX - 1);
    assert_int_equal(1, tr__sites_parse(text, sites));
    assert_int_equal(TR__SITE_MAX - 1, strlen(sites[0].name));
    tr__site_print(&sites[0], text);
    assert_int_equal(TR__SITE_MAX + 4, strlen(text));
    text[TR__SITE_MAX + 4] = 'p';
    text[TR__SITE_MAX + 5] = '\0';
    assert_int_equal(TR_ENAMETOOLONG, tr__sites_parse(text, sites));
    assert_int_equal(TR_EINVAL, tr__site_path("", sites));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
