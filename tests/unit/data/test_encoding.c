#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <troupe/encoding.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/random.h"

#define ENCODINGS 7

static tr_bytes hex(const char *digits)
{
    static uint8_t bytes[100];
    size_t size = tr_room_parse(tr_room_of(bytes, sizeof bytes), tr_str_of(digits), TR_HEX);
    return tr_bytes_of(bytes, size);
}

static void assert_prints(const char *bytes, tr_encoding encoding, const char *expected)
{
    tr_buf *text = NULL;
    assert_int_equal(tr_bytes_print(hex(bytes), encoding, &text), 0);
    assert_int_equal(tr_buf_size(text), strlen(expected));
    assert_string_equal(tr_buf_data(text), expected); // with its NUL
    tr_buf_unref(&text);
}

static void assert_parses(const char *text, tr_encoding encoding, const char *expected)
{
    tr_buf *bytes = NULL;
    assert_int_equal(tr_text_parse(tr_str_of(text), encoding, &bytes), 0);
    tr_bytes wanted = hex(expected);
    assert_int_equal(tr_buf_size(bytes), wanted.len);
    assert_memory_equal(tr_buf_data(bytes), wanted.ptr, wanted.len);
    tr_buf_unref(&bytes);
}

static void each_encoding_goes_both_ways(void **state)
{
    (void)state;
    assert_prints("48656c6c6fc3a9", TR_UTF8, "Hello\xc3\xa9");
    assert_prints("00ff10", TR_HEX, "00ff10");
    assert_prints("666f6f6261", TR_BASE64, "Zm9vYmE=");
    assert_prints("666f6f62", TR_BASE64, "Zm9vYg==");
    assert_prints("fbff", TR_BASE64URL, "-_8");
    assert_prints("e941", TR_LATIN1, "éA");
    assert_prints("c1e9", TR_ASCII, "Ai");
    assert_prints("4100ac203dd800de", TR_UTF16LE, "A\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_prints("", TR_BASE64, "");
    assert_parses("Hello\xc3\xa9", TR_UTF8, "48656c6c6fc3a9");
    assert_parses("00fF10", TR_HEX, "00ff10");
    assert_parses("Zm9vYmE=", TR_BASE64, "666f6f6261");
    assert_parses("-_8", TR_BASE64URL, "fbff");
    assert_parses("éA", TR_LATIN1, "e941");
    assert_parses("éA", TR_ASCII, "e941");
    assert_parses("A\xe2\x82\xac\xf0\x9f\x98\x80", TR_UTF16LE, "4100ac203dd800de");
    assert_parses("", TR_UTF8, "");
}

// What Node 20 made of the same, by hand; test_encodings_node asks it about many more.
static void bad_input_is_taken_as_node_takes_it(void **state)
{
    (void)state;
    assert_prints("e28241f09f98", TR_UTF8, "�A�");
    assert_prints("eda080", TR_UTF8, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_prints("3dd8410000de41", TR_UTF16LE, "�A�");
    assert_parses("abxxcd", TR_HEX, "ab");
    assert_parses("abc", TR_HEX, "ab");
    assert_parses("YW Jj\nZ!A", TR_BASE64, "61626364");
    assert_parses("YW=JjZA==", TR_BASE64, "61");
    assert_parses("YW-Jj_", TR_BASE64, "616f898f");
    assert_parses("Y", TR_BASE64, "");
    assert_parses("ša😀", TR_LATIN1, "61613d00");
    assert_parses("\xff", TR_UTF16LE, "fdff");
}

static void writing_ends_with_the_room_and_a_whole_character(void **state)
{
    (void)state;
    char room[8];
    const tr_str smile = tr_str_of("a😀b");
    assert_int_equal(tr_room_parse(tr_room_of(room, 4), smile, TR_UTF8), 1);
    assert_int_equal(tr_room_parse(tr_room_of(room, 5), smile, TR_UTF8), 5);
    assert_int_equal(tr_room_parse(tr_room_of(room, 5), smile, TR_UTF16LE), 2);
    assert_int_equal(tr_room_parse(tr_room_of(room, 6), smile, TR_UTF16LE), 6);
    assert_int_equal(tr_room_parse(tr_room_of(room, 2), smile, TR_LATIN1), 1);
    assert_int_equal(tr_room_parse(tr_room_of(room, 2), tr_str_of("a\xff"), TR_UTF8), 1);
    assert_int_equal(tr_room_parse(tr_room_of(room, 2), tr_str_of("YWJj"), TR_BASE64), 2);
    assert_int_equal(tr_room_parse(tr_room_of(room, 2), tr_str_of("abcdef"), TR_HEX), 2);
    assert_int_equal(tr_room_parse(tr_room_of(NULL, 0), smile, TR_UTF8), 0);
}

static void printing_into_room_is_all_or_nothing(void **state)
{
    (void)state;
    char room[6] = "....";
    assert_int_equal(tr_room_print(tr_room_of(room, 3), hex("abcd"), TR_HEX), 4);
    assert_string_equal(room, "....");
    assert_int_equal(tr_room_print(tr_room_of(room, 4), hex("abcd"), TR_HEX), 4);
    assert_string_equal(room, "abcd");
    assert_int_equal(tr_room_print(tr_room_of(NULL, 0), hex("e9"), TR_LATIN1), 2);
}

static void assert_wrong_at(const char *text, tr_encoding encoding, size_t at)
{
    assert_int_equal(tr_text_check(tr_str_of(text), encoding), at);
}

static void strictness_knows_the_place_of_the_error(void **state)
{
    (void)state;
    assert_wrong_at("0aF3", TR_HEX, 4);
    assert_wrong_at("0ag3", TR_HEX, 2);
    assert_wrong_at("0a3", TR_HEX, 2);
    assert_wrong_at("YWJj", TR_BASE64, 4);
    assert_wrong_at("YWI=", TR_BASE64, 4);
    assert_wrong_at("YQ==", TR_BASE64, 4);
    assert_wrong_at("YQ=", TR_BASE64, 0);
    assert_wrong_at("YWJjYQ=", TR_BASE64, 4);
    assert_wrong_at("YWJjY", TR_BASE64, 4);
    assert_wrong_at("YQ=a", TR_BASE64, 3);
    assert_wrong_at("YQ==YQ==", TR_BASE64, 4);
    assert_wrong_at("YR==", TR_BASE64, 1);
    assert_wrong_at("YW Jj", TR_BASE64, 2);
    assert_wrong_at("YW-_", TR_BASE64, 2);
    assert_wrong_at("=", TR_BASE64, 0);
    assert_wrong_at("YW-_YQ", TR_BASE64URL, 6);
    assert_wrong_at("YW+_", TR_BASE64URL, 2);
    assert_wrong_at("YQ==", TR_BASE64URL, 2);
    assert_wrong_at("a\xc3\xbf\xc4\x80", TR_LATIN1, 3);
    assert_wrong_at("a\xc3\xbf", TR_ASCII, 1);
    assert_wrong_at("a\xc3\xbf\xc3", TR_UTF8, 3);
    assert_wrong_at("a\xc3\xbf\xc3", TR_UTF16LE, 3);
    assert_wrong_at("a\xc3\xbf\xc3", TR_LATIN1, 3);
    assert_int_equal(tr_bytes_check(hex("41e28241"), TR_UTF8), 1);
    assert_int_equal(tr_bytes_check(hex("41e9"), TR_ASCII), 1);
    assert_int_equal(tr_bytes_check(hex("41003dd84100"), TR_UTF16LE), 2);
    assert_int_equal(tr_bytes_check(hex("41003dd800de41"), TR_UTF16LE), 6);
    assert_int_equal(tr_bytes_check(hex("ff"), TR_LATIN1), 1);
    assert_true(tr_bytes_is_utf8(hex("c3a9")) && !tr_bytes_is_utf8(hex("e9")));
    assert_true(tr_bytes_is_ascii(hex("7f")) && !tr_bytes_is_ascii(hex("80")));
}

// Goal:   what is strictly in an encoding is what printing makes, and nothing else.
// Method: short texts over a few characters: each is right if and only if it prints as itself when
//         it has been parsed.
static void what_is_right_is_what_is_printed(void **state)
{
    (void)state;
    static const tr_encoding tried[] = {TR_HEX, TR_BASE64, TR_BASE64URL};
    static const char letters[] = "ab09Q=+/-_ ";
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char text[9];
        tr_encoding encoding = tried[i % 3];
        size_t size = random_below(&seed, sizeof text);
        for (size_t at = 0; at < size; at++)
            text[at] = letters[random_below(&seed, strlen(letters))];
        char again[16];
        uint8_t bytes[16];
        size_t parsed = tr_room_parse(tr_room_of(bytes, 16), (tr_str){text, size}, encoding);
        size_t printed = tr_room_print(tr_room_of(again, 16), tr_bytes_of(bytes, parsed), encoding);
        bool same = tr_bytes_eq(tr_bytes_of(text, size), tr_bytes_of(again, printed));
        assert_true(same == (tr_text_check((tr_str){text, size}, encoding) == size));
    }
}

// ---- Memory ----

// A page between two that may not be touched.
static uint8_t *guarded_page(size_t *ret_size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_READ | PROT_WRITE), 0);
    *ret_size = page;
    return pages + page;
}

// All conversions of the input, each into exactly the room that it needs, which ends at `end`.
static void convert_to_the_edge(tr_bytes in, tr_encoding encoding, uint8_t *end)
{
    tr_str text = {in.ptr, in.len};
    size_t size = tr_room_print(tr_room_of(NULL, 0), in, encoding);
    assert_int_equal(tr_room_print(tr_room_of(end - size, size), in, encoding), size);
    size = tr_room_parse(tr_room_of(end - 2 * in.len, 2 * in.len), text, encoding);
    assert_int_equal(tr_room_parse(tr_room_of(end - size, size), text, encoding), size);
    assert_true(tr_room_parse(tr_room_of(end - size / 2, size / 2), text, encoding) <= size / 2);
    assert_true(tr_text_check(text, encoding) <= in.len);
    assert_true(tr_bytes_check(in, encoding) <= in.len);
}

// Goal:   no conversion reads before its input or behind it, or writes behind its room, whatever
//         their sizes.
// Method: input and room at the edges of pages that may not be touched; text of all kinds.
static void nothing_outside_is_touched(void **state)
{
    (void)state;
    size_t page;
    uint8_t *in = guarded_page(&page), *out = guarded_page(&page);
    static const char *const patterns[] = {
        "plain text ", "4aF0", "Grüße ", "€é", "a😀", "\xff\xc3", "a\0",
    };
    for (size_t n = 0; n < sizeof patterns / sizeof patterns[0]; n++)
        for (size_t size = 0; size < 300; size++)
            for (unsigned e = 0; e < 2 * ENCODINGS; e++) {
                tr_room from = {e < ENCODINGS ? in : in + page - size, size};
                tr_bytes pattern = {patterns[n], n == 6 ? 2 : strlen(patterns[n])};
                assert_int_equal(tr_room_fill(from, pattern), 0);
                convert_to_the_edge(tr_bytes_of(from.ptr, size), (tr_encoding)(e % ENCODINGS),
                                    out + page);
            }
    munmap(in - page, 3 * page);
    munmap(out - page, 3 * page);
}

static void bytes_of_little_use_are_given_back(void **state)
{
    (void)state;
    tr_buf *bytes = NULL;
    static char text[100000];
    memset(text, ' ', sizeof text);
    memcpy(text, "YWJj", 4);
    assert_int_equal(tr_text_parse((tr_str){text, sizeof text}, TR_BASE64, &bytes), 0);
    assert_int_equal(tr_buf_size(bytes), 3);
    assert_memory_equal(tr_buf_data(bytes), "abc", 3);
    tr_buf_unref(&bytes);
}

// ---- In pieces ----

static void assert_pushed(tr_decoder *decoder, const char *bytes, const char *expected)
{
    tr_buf *text = NULL;
    assert_int_equal(tr_decoder_push(decoder, hex(bytes), &text), 0);
    assert_string_equal(tr_buf_data(text), expected);
    tr_buf_unref(&text);
}

static void assert_ended(tr_decoder *decoder, const char *expected)
{
    tr_buf *text = NULL;
    assert_int_equal(tr_decoder_end(decoder, &text), 0);
    assert_string_equal(tr_buf_data(text), expected);
    tr_buf_unref(&text);
}

static void a_decoder_keeps_what_is_cut(void **state)
{
    (void)state;
    tr_decoder decoder;
    assert_int_equal(tr_decoder_init(&decoder, TR_UTF8), 0);
    assert_pushed(&decoder, "41f0", "A");
    assert_pushed(&decoder, "9f", "");
    assert_pushed(&decoder, "", "");
    assert_pushed(&decoder, "98", "");
    assert_pushed(&decoder, "80e2", "\xf0\x9f\x98\x80");
    assert_pushed(&decoder, "e282", "\xef\xbf\xbd"); // known to be wrong at once
    assert_ended(&decoder, "\xef\xbf\xbd");
    assert_ended(&decoder, "");

    assert_int_equal(tr_decoder_init(&decoder, TR_UTF16LE), 0);
    assert_pushed(&decoder, "3d", "");
    assert_pushed(&decoder, "d8", "");
    assert_pushed(&decoder, "00", "");
    assert_pushed(&decoder, "de", "\xf0\x9f\x98\x80");
    assert_pushed(&decoder, "3dd8", "");
    assert_pushed(&decoder, "3dd841", "\xef\xbf\xbd");
    assert_ended(&decoder, "\xef\xbf\xbd"); // and the odd byte is dropped

    assert_int_equal(tr_decoder_init(&decoder, TR_BASE64), 0);
    assert_pushed(&decoder, "66", "");
    assert_pushed(&decoder, "6f6f62", "Zm9v");
    assert_ended(&decoder, "Yg==");

    assert_int_equal(tr_decoder_init(&decoder, TR_HEX), 0);
    assert_pushed(&decoder, "66", "66");
    assert_ended(&decoder, "");
}

// ---- Names and arguments ----

static void encodings_have_nodes_names(void **state)
{
    (void)state;
    tr_encoding encoding = TR_ASCII;
    static const struct {
        const char *name;
        tr_encoding encoding;
    } names[] = {
        {"utf8", TR_UTF8},        {"UTF-8", TR_UTF8},          {"Hex", TR_HEX},
        {"base64", TR_BASE64},    {"base64url", TR_BASE64URL}, {"latin1", TR_LATIN1},
        {"binary", TR_LATIN1},    {"ascii", TR_ASCII},         {"utf16le", TR_UTF16LE},
        {"utf-16le", TR_UTF16LE}, {"UCS2", TR_UTF16LE},        {"ucs-2", TR_UTF16LE},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(tr_encoding_named(names[i].name, &encoding), 0);
        assert_int_equal(encoding, names[i].encoding);
    }
    assert_int_equal(tr_encoding_named("utf16", &encoding), TR_ENOENT);
    assert_int_equal(tr_encoding_named("utf-7", &encoding), TR_ENOENT);
    assert_int_equal(tr_encoding_named("", &encoding), TR_ENOENT);
    assert_int_equal(tr_encoding_named(NULL, &encoding), TR_EINVAL);
    assert_int_equal(tr_encoding_named("hex", NULL), TR_EINVAL);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    const tr_encoding none = (tr_encoding)ENCODINGS;
    char room[4];
    tr_buf *buf = NULL;
    tr_decoder decoder;
    tr_bytes bytes = {"a", 1}, no_bytes = {NULL, 1};
    tr_str text = {"a", 1}, no_text = {NULL, 1};
    assert_int_equal(tr_bytes_print(bytes, none, &buf), TR_EINVAL);
    assert_int_equal(tr_bytes_print(no_bytes, TR_HEX, &buf), TR_EINVAL);
    assert_int_equal(tr_bytes_print(bytes, TR_HEX, NULL), TR_EINVAL);
    assert_int_equal(tr_text_parse(text, (tr_encoding)-1, &buf), TR_EINVAL);
    assert_int_equal(tr_text_parse(no_text, TR_HEX, &buf), TR_EINVAL);
    assert_int_equal(tr_text_parse(text, TR_HEX, NULL), TR_EINVAL);
    assert_int_equal(tr_room_print(tr_room_of(room, 4), no_bytes, TR_HEX), 0);
    assert_int_equal(tr_room_print(tr_room_of(room, 4), bytes, none), 0);
    assert_int_equal(tr_room_parse(tr_room_of(room, 4), no_text, TR_UTF8), 0);
    assert_int_equal(tr_room_parse(tr_room_of(room, 4), text, none), 0);
    assert_int_equal(tr_bytes_check(bytes, none) + tr_text_check(text, none), 0);
    assert_int_equal(tr_decoder_init(&decoder, none), TR_EINVAL);
    assert_int_equal(tr_decoder_init(NULL, TR_HEX), TR_EINVAL);
    assert_int_equal(tr_decoder_init(&decoder, TR_HEX), 0);
    assert_int_equal(tr_decoder_push(&decoder, no_bytes, &buf), TR_EINVAL);
    assert_int_equal(tr_decoder_push(&decoder, bytes, NULL), TR_EINVAL);
    assert_int_equal(tr_decoder_push(NULL, bytes, &buf), TR_EINVAL);
    assert_int_equal(tr_decoder_end(&decoder, NULL), TR_EINVAL);
    assert_int_equal(tr_decoder_end(NULL, &buf), TR_EINVAL);
    assert_null(buf);
    for (unsigned e = 0; e < ENCODINGS; e++) { // nothing at all is fine
        assert_int_equal(tr_text_parse((tr_str){NULL, 0}, (tr_encoding)e, &buf), 0);
        tr_buf_unref(&buf);
        assert_int_equal(tr_bytes_print(tr_bytes_of(NULL, 0), (tr_encoding)e, &buf), 0);
        assert_string_equal(tr_buf_data(buf), "");
        tr_buf_unref(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_encoding_goes_both_ways),
        cmocka_unit_test(bad_input_is_taken_as_node_takes_it),
        cmocka_unit_test(writing_ends_with_the_room_and_a_whole_character),
        cmocka_unit_test(printing_into_room_is_all_or_nothing),
        cmocka_unit_test(strictness_knows_the_place_of_the_error),
        cmocka_unit_test(what_is_right_is_what_is_printed),
        cmocka_unit_test(nothing_outside_is_touched),
        cmocka_unit_test(bytes_of_little_use_are_given_back),
        cmocka_unit_test(a_decoder_keeps_what_is_cut),
        cmocka_unit_test(encodings_have_nodes_names),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
