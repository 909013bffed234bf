#include <stdlib.h>

#include "support/cmocka.h"
#include "support/document.h"

// The text at the end of a block of its own, so that a sanitizer sees one byte too many.
static int parse(const char *text, size_t size, tr_buf **ret_packed)
{
    char *exact = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(exact, text, size);
    int rc = tr_json_parse(exact, size, ret_packed);
    free(exact);
    return rc;
}

// The text means v, and packs to the same bytes as v.
static void assert_parses(const char *text, tr_val v)
{
    tr_buf *packed = NULL, *expected = NULL;
    assert_int_equal(parse(text, strlen(text), &packed), 0);
    assert_int_equal(tr_val_pack(v, &expected), 0);
    assert_int_equal(tr_buf_size(packed), tr_buf_size(expected));
    assert_memory_equal(tr_buf_data(packed), tr_buf_data(expected), tr_buf_size(packed));
    tr_buf_unref(&packed);
    tr_buf_unref(&expected);
}

static void assert_refused(const char *text, int error)
{
    tr_buf *packed = NULL;
    int rc = parse(text, strlen(text), &packed);
    if (rc != error)
        fail_msg("%s: %d", text, rc);
    assert_null(packed);
}

static void every_kind_of_value(void **state)
{
    (void)state;
    assert_parses("{\"hello\":\"world\"}", TR_MAP("hello", "world"));
    assert_parses("null", TR_NULL);
    assert_parses(" \t\r\n true \n", TR_TRUE);
    assert_parses("false", TR_FALSE);
    assert_parses("[]", TR_EMPTY_LIST);
    assert_parses("{ }", TR_EMPTY_MAP);
    assert_parses(" [ 1 , [ ] , { \"a\" : [ 2 ] , \"b\" : null } ] ",
                  TR_LIST(1, TR_EMPTY_LIST, TR_MAP("a", TR_LIST(2), "b", TR_NULL)));
    assert_parses("{\"k\":1,\"k\":2}", TR_MAP("k", 1, "k", 2));
}

static void integers_stay_integers_while_they_fit(void **state)
{
    (void)state;
    assert_parses("0", TR_V(0));
    assert_parses("-0", TR_V(0));
    assert_parses("9223372036854775807", TR_V(INT64_MAX));
    assert_parses("9223372036854775808", TR_V((uint64_t)INT64_MAX + 1));
    assert_parses("18446744073709551615", TR_V(UINT64_MAX));
    assert_parses("18446744073709551616", TR_V(18446744073709551616.0));
    assert_parses("-9223372036854775808", TR_V(INT64_MIN));
    assert_parses("-9223372036854775809", TR_V(-9223372036854775809.0));
    assert_parses("99999999999999999999999", TR_V(99999999999999999999999.0));
}

static void other_numbers_are_floats(void **state)
{
    (void)state;
    assert_parses("1.0", TR_V(1.0));
    assert_parses("-0.0", TR_V(-0.0));
    assert_parses("1e2", TR_V(100.0));
    assert_parses("1E+2", TR_V(100.0));
    assert_parses("25e-2", TR_V(0.25));
    assert_parses("[0.1,1]", TR_LIST(0.1, 1));
    assert_parses("1e-999", TR_V(0.0));
    assert_refused("1e999", TR_EBADMSG);
    assert_refused("-1e999", TR_EBADMSG);
}

static void text_with_escapes(void **state)
{
    (void)state;
    assert_parses("\"\"", TR_V(""));
    assert_parses("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", TR_V("\"\\/\b\f\n\r\t"));
    assert_parses("\"\\u0041\\u00fc\\u20AC\\ud83d\\uDE00\"",
                  TR_V("A\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"));
    assert_parses("\"a\\u0000b\"", tr_val_strn("a\0b", 3));
    assert_parses("\"\xf0\x9f\x98\x80\x7f\"", TR_V("\xf0\x9f\x98\x80\x7f"));
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "1 2",
        "1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "[1",
        "[1,",
        "]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{,}",
        "[1}",
        "{\"a\":1]",
        "'a'",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u",
        "\"a\nb\"",
        "\"\x01\"",
        "\"\t\"",
        "01",
        "-",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e1",
        "1e",
        "1e+",
        "0x1",
        "--1",
        "1.5.5",
        "/* */1",
        "\xef\xbb\xbf[]",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\udc00\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\\ud800x\"",
        "\"\\ud800\\n\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800\\u\"",
        "\"\\ud83d\\",
        "\"\xff\"",
        "\"\xc3\"",
        "\"\xed\xa0\x80\"",
        "\"\xc0\x80\"",
        "\xa0[]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(wrong[i], TR_EBADMSG);
    tr_buf *packed = NULL;
    assert_int_equal(parse("1\0", 2, &packed), TR_EBADMSG);
    assert_null(packed);
}

static void json_is_refused_when_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2.5e3,true,null,\"\\u00e9\\ud83d\\ude00\xc3\xa9\"],"
                               "\"b\":{\"c\":false}}";
    tr_buf *packed = NULL;
    for (size_t cut = 0; cut < sizeof text - 1; cut++)
        assert_int_equal(parse(text, cut, &packed), TR_EBADMSG);
    assert_null(packed);
    assert_int_equal(parse(text, sizeof text - 1, &packed), 0);
    tr_buf_unref(&packed);
}

// A head is written when its length is known; around each width what follows it must be moved.
static void lengths_of_every_width(void **state)
{
    (void)state;
    static const size_t lens[] = {15, 16, 31, 32, 255, 256, 65535, 65536};
    static tr_val items[2 * 65536]; // all null
    char *text = malloc(65536 * 9 + 2);
    for (size_t i = 0; i < 65536; i++)
        items[2 * i] = TR_V("k");
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        size_t len = lens[i];
        memset(text, 'x', len + 2);
        text[0] = text[len + 1] = '"';
        text[len + 2] = '\0';
        assert_parses(text, tr_val_strn(text + 1, len));

        char *at = text;
        *at++ = '{';
        for (size_t k = 0; k < len; k++, at += 9)
            memcpy(at, "\"k\":null,", 9);
        memcpy(at - 1, "}", 2);
        assert_parses(text, tr_val_map(items, len));
    }
    free(text);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    char text[2 * (TR_DEPTH_MAX + 1) + 1];
    tr_buf *packed = NULL;
    memset(text, '[', TR_DEPTH_MAX + 1);
    memset(text + TR_DEPTH_MAX + 1, ']', TR_DEPTH_MAX + 1);
    assert_int_equal(parse(text + 1, 2 * TR_DEPTH_MAX, &packed), 0);
    tr_buf_unref(&packed);
    assert_int_equal(parse(text, 2 * (TR_DEPTH_MAX + 1), &packed), TR_ETOODEEP);

    size_t size = 1000000; // and the stack does not grow with the text
    char *deep = malloc(size);
    memset(deep, '[', size);
    assert_int_equal(parse(deep, size, &packed), TR_ETOODEEP);
    assert_null(packed);
    free(deep);
}

static void what_is_too_big_is_refused(void **state)
{
    (void)state;
    size_t size = (size_t)TR_DOC_MAX - 5 + 2; // of text, with its quotes, that just fits
    char *text = malloc(size + 1);
    tr_buf *packed = NULL;
    memset(text, 'x', size + 1);
    text[0] = text[size - 1] = '"';
    assert_int_equal(tr_json_parse(text, size, &packed), 0);
    assert_int_equal(tr_buf_size(packed), TR_DOC_MAX);
    tr_buf_unref(&packed);
    text[size - 1] = 'x';
    text[size] = '"';
    assert_int_equal(tr_json_parse(text, size + 1, &packed), TR_ETOOBIG);
    assert_null(packed);
    free(text);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    tr_buf *packed = NULL;
    assert_int_equal(tr_json_parse(NULL, 1, &packed), TR_EINVAL);
    assert_int_equal(tr_json_parse("1", 1, NULL), TR_EINVAL);
    assert_null(packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value),
        cmocka_unit_test(integers_stay_integers_while_they_fit),
        cmocka_unit_test(other_numbers_are_floats),
        cmocka_unit_test(text_with_escapes),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(json_is_refused_when_cut_anywhere),
        cmocka_unit_test(lengths_of_every_width),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(what_is_too_big_is_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
