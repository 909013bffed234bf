#include <limits.h>
#include <string.h>
#include <troupe/error.h>

#include "support/cmocka.h"

static void every_error_has_its_name_and_its_sentence(void **state)
{
    (void)state;
#define CHECK(name, number, text)                                                                  \
    assert_true(name < 0);                                                                         \
    assert_string_equal(tr_errname(name), #name);                                                  \
    assert_string_equal(tr_strerror(name), text);
    TR_ERROR_MAP(CHECK)
#undef CHECK
}

static void a_system_error_has_the_systems_sentence(void **state)
{
    (void)state;
    assert_string_equal(tr_strerror(-EISDIR), strerror(EISDIR));
    assert_string_equal(tr_errname(-EISDIR), "TR_E?");
}

static void no_code_is_without_a_sentence(void **state)
{
    (void)state;
    const int codes[] = {0, 1, -4094, -4096, -6000, -6999, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_true(strlen(tr_strerror(codes[i])) > 0);
        assert_string_equal(tr_errname(codes[i]), "TR_E?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_name_and_its_sentence),
        cmocka_unit_test(a_system_error_has_the_systems_sentence),
        cmocka_unit_test(no_code_is_without_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
