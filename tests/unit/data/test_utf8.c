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

static size_t valid_by_one(const uint8_t *text, size_t size)
{
    size_t at = 0, length = 1;
    while (at < size && (length = tr__utf8_length(text + at, size - at)) > 0)
        at += length;
    return at;
}

// Goal:   many bytes at once are judged as one character at a time is.
// Method: all that may begin a character, and what follows it, among ASCII: inside of a step of 32,
//         at its end, and in front of another character.
static void long_text_is_judged_as_its_characters_are(void **state)
{
    (void)state;
    static const uint8_t third[] = {'a', 0x80, 0x9f, 0xa0, 0xbf, 0xc3};
    static const size_t places[] = {5, 29, 30, 31};
    uint8_t text[70];
    for (unsigned n = 0; n < 0x80 * 0x100 * 6 * 4; n++) {
        size_t at = places[n / 6 % 4];
        memset(text, 'a', sizeof text);
        text[at] = (uint8_t)(0x80 + n / 24 / 0x100);
        text[at + 1] = (uint8_t)(n / 24);
        text[at + 2] = third[n % 6];
        text[at + 3] = 0x80;
        size_t valid = valid_by_one(text, sizeof text);
        if (tr__utf8_valid(text, sizeof text) != valid) // an assertion for each is slow
            assert_int_equal(tr__utf8_valid(text, sizeof text), valid);
    }
    memset(text, 'a', sizeof text);
    assert_int_equal(tr__utf8_ascii(text, sizeof text), sizeof text);
    text[66] = 0x80;
    assert_int_equal(tr__utf8_ascii(text, sizeof text), 66);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_written_and_read),
        cmocka_unit_test(what_is_no_character_has_no_length),
        cmocka_unit_test(long_text_is_judged_as_its_characters_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
