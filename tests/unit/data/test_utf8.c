#include "data/utf8.h"

#include <string.h>

#include "support/cmocka.h"

static size_t length_of(const char *text)
{
    return tr__utf8_length((const uint8_t *)text, strlen(text));
}

// Goal:   exactly the characters that Unicode has are written, and what is written is read.
// Method: all of them.
static void every_character_is_written_and_read(void **state)
{
    (void)state;
    uint8_t text[TR__UTF8_MAX];
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c == 0xd800)
            c = 0xe000;
        size_t length = tr__utf8_write(c, text);
        assert_int_equal(length, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(tr__utf8_length(text, length), length);
        if (length > 1)
            assert_int_equal(tr__utf8_length(text, length - 1), 0);
    }
    assert_int_equal(tr__utf8_write(0x20ac, text), 3);
    assert_memory_equal(text, "\xe2\x82\xac", 3);
    assert_int_equal(tr__utf8_write(0x1f600, text), 4);
    assert_memory_equal(text, "\xf0\x9f\x98\x80", 4);
}

static void what_is_no_character_has_no_length(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\x80",
        "\xbf", // continuation without a lead
        "\xc0\x80",
        "\xc1\xbf", // overlong, two bytes
        "\xe0\x80\x80",
        "\xe0\x9f\xbf", // overlong, three
        "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", // overlong, four
        "\xed\xa0\x80",
        "\xed\xbf\xbf", // surrogates
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xfe", // above U+10FFFF
        "\xc3\x28",
        "\xe2\x28\xa1",
        "\xe2\x82\x28",
        "\xf0\x28\x8c\xbc",
        "\xf0\x90\x28\xbc",
        "\xf0\x90\x8c\x28", // a lead without its continuation
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(length_of(wrong[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_written_and_read),
        cmocka_unit_test(what_is_no_character_has_no_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
