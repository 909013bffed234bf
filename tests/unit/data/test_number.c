#include "data/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"

static void assert_prints(double f, const char *expected)
{
    char text[TR__NUMBER_MAX];
    tr__number_print(f, text);
    assert_string_equal(text, expected);
}

static void numbers_print_short_and_as_floats(void **state)
{
    (void)state;
    assert_prints(1, "1.0");
    assert_prints(-0.0, "-0.0");
    assert_prints(0.1, "0.1");
    assert_prints(0.1 + 0.2, "0.30000000000000004");
    assert_prints(1e22, "1e+22");
    assert_prints(123456789012345.0, "123456789012345.0");
    assert_prints(5e-324, "4.94065645841247e-324");
    assert_prints(DBL_MAX, "1.7976931348623157e+308");
    assert_prints(-2.2250738585072014e-308, "-2.2250738585072014e-308");
}

static void every_number_reads_back_the_same(void **state)
{
    (void)state;
    uint64_t bits = 88172645463325252u;
    char text[TR__NUMBER_MAX];
    for (int i = 0; i < 10000; i++) {
        double f;
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        memcpy(&f, &bits, sizeof f);
        if (!isfinite(f))
            continue;
        tr__number_print(f, text);
        assert_true(strlen(text) < TR__NUMBER_MAX);
        assert_true(tr__number_parse(text) == f);
    }
}

static void too_large_is_infinite_and_too_small_is_zero(void **state)
{
    (void)state;
    assert_true(isinf(tr__number_parse("1e999")));
    assert_true(isinf(tr__number_parse("-1e999")));
    assert_true(tr__number_parse("1e-999") == 0);
}

// Skipped where no locale with a decimal comma is installed.
static void the_users_locale_does_not_matter(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8", "pt_BR.UTF-8",
                                        "ru_RU.UTF-8", "de_DE",       "fr_FR"};
    const char *set = NULL;
    for (size_t i = 0; set == NULL && i < sizeof names / sizeof *names; i++)
        set = setlocale(LC_NUMERIC, names[i]);
    if (set == NULL)
        skip();
    char text[16];
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5");
    assert_prints(1.5, "1.5");
    assert_true(tr__number_parse("1.5") == 1.5);
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); // and it is the user's again
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_print_short_and_as_floats),
        cmocka_unit_test(every_number_reads_back_the_same),
        cmocka_unit_test(too_large_is_infinite_and_too_small_is_zero),
        cmocka_unit_test(the_users_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
