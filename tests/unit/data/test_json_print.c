#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/memory.h>
#include <troupe/val.h>

#include "support/cmocka.h"

static void assert_prints(tr_val v, const char *expected)
{
    char *text = NULL;
    assert_int_equal(tr_json_print(v, &text), 0);
    assert_string_equal(text, expected);
    tr_free(text);
}

static void hello_world(void **state)
{
    (void)state;
    assert_prints(TR_MAP("hello", "world"), "{\"hello\":\"world\"}");
}

static void every_type_has_its_text(void **state)
{
    (void)state;
    assert_prints(TR_NULL, "null");
    assert_prints(TR_TRUE, "true");
    assert_prints(TR_FALSE, "false");
    assert_prints(TR_V(INT64_MIN), "-9223372036854775808");
    assert_prints(TR_V(UINT64_MAX), "18446744073709551615");
    assert_prints(TR_V(1.0), "1.0");
    assert_prints(TR_V(0.1), "0.1");
    assert_prints(TR_V(1e300), "1e+300");
    assert_prints(TR_V((double)NAN), "null");
    assert_prints(TR_V(-(double)INFINITY), "null");
    assert_prints(TR_V(((tr_addr){0xabc, UINT64_MAX})), "\"abc/ffffffffffffffff\"");
    assert_prints(TR_EMPTY_LIST, "[]");
    assert_prints(TR_EMPTY_MAP, "{}");
    assert_prints(TR_LIST(1, TR_LIST(2, 3), TR_MAP("a", 4, "b", TR_NULL)),
                  "[1,[2,3],{\"a\":4,\"b\":null}]");
}

static void a_view_prints_like_what_was_packed(void **state)
{
    (void)state;
    tr_buf *packed = NULL;
    tr_val view;
    assert_int_equal(
        tr_val_pack(TR_MAP("list", TR_LIST(1, "two", 3.0), "map", TR_EMPTY_MAP), &packed), 0);
    assert_int_equal(tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &view), 0);
    assert_prints(view, "{\"list\":[1,\"two\",3.0],\"map\":{}}");
    tr_buf_unref(&packed);
}

static void text_is_escaped_only_where_it_must_be(void **state)
{
    (void)state;
    assert_prints(TR_V("\"\\/\b\f\n\r\t"), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    assert_prints(tr_val_strn("\0\x01\x1f\x20\x7f", 5), "\"\\u0000\\u0001\\u001f \x7f\"");
    assert_prints(TR_V("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
                  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

#define FFFD "\xef\xbf\xbd"

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    assert_prints(TR_V("a\xff"
                       "b\xc3"),
                  "\"a" FFFD "b" FFFD "\"");
    assert_prints(TR_V("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"");
}

static void bytes_are_base64(void **state)
{
    (void)state;
    static const char *const known[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                        "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; // RFC 4648
    char expected[16];
    for (size_t i = 0; i < 7; i++) {
        snprintf(expected, sizeof expected, "\"%s\"", known[i]);
        assert_prints(tr_val_bin((tr_bytes){"foobar", i}), expected);
    }
    assert_prints(tr_val_bin((tr_bytes){"\xfb\xff\xbf", 3}), "\"+/+/\"");
    tr_val ext = tr_val_bin((tr_bytes){"foo", 3});
    ext.type = TR_TYPE_EXT;
    ext.ext = 5;
    assert_prints(ext, "\"Zm9v\"");
}

static void keys_that_are_no_text_print_as_text(void **state)
{
    (void)state;
    const tr_val items[] = {TR_V(1), TR_V("one"),        TR_NULL,      TR_V("none"), TR_V(1.5),
                            TR_V(2), TR_LIST("a", "\n"), TR_V("list"), TR_V("text"), TR_V("\"")};
    assert_prints(tr_val_map(items, 5),
                  "{\"1\":\"one\",\"null\":\"none\",\"1.5\":2,\"[\\\"a\\\",\\\"\\\\n\\\"]\":"
                  "\"list\",\"text\":\"\\\"\"}");
}

// maps[i] is a map whose key is maps[i + 1].
static tr_val keys_in_keys(tr_val *items, size_t depth)
{
    tr_val v = TR_V("x");
    for (size_t i = 0; i < depth; i++) {
        items[2 * i] = v;
        items[2 * i + 1] = TR_V(1);
        v = tr_val_map(&items[2 * i], 1);
    }
    return v;
}

static void keys_in_keys_are_quoted_again_and_limited(void **state)
{
    (void)state;
    tr_val items[2 * TR_DEPTH_MAX];
    char *text = NULL;
    assert_prints(keys_in_keys(items, 2), "{\"{\\\"x\\\":1}\":1}");
    assert_prints(keys_in_keys(items, 3), "{\"{\\\"{\\\\\\\"x\\\\\\\":1}\\\":1}\":1}");
    assert_int_equal(tr_json_print(keys_in_keys(items, 4), &text), 0);
    tr_free(text);
    text = NULL;
    assert_int_equal(tr_json_print(keys_in_keys(items, 5), &text), TR_ETOODEEP);
    assert_int_equal(tr_json_print(keys_in_keys(items, TR_DEPTH_MAX), &text), TR_ETOODEEP);
    assert_null(text);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    tr_val lists[TR_DEPTH_MAX + 1];
    char *text = NULL;
    lists[TR_DEPTH_MAX] = TR_EMPTY_LIST;
    for (size_t i = TR_DEPTH_MAX; i-- > 0;)
        lists[i] = tr_val_list(&lists[i + 1], 1);
    assert_int_equal(tr_json_print(lists[0], &text), TR_ETOODEEP);
    assert_null(text);
    assert_prints(lists[1], "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    char *text = NULL;
    tr_val wrong = TR_NULL;
    wrong.type = TR_TYPE_EXT + 1;
    assert_int_equal(tr_json_print(TR_NULL, NULL), TR_EINVAL);
    assert_int_equal(tr_json_print(wrong, &text), TR_EINVAL);
    assert_int_equal(tr_json_print(TR_LIST(1, wrong), &text), TR_EINVAL);
    assert_int_equal(tr_json_print(tr_val_list(NULL, 1), &text), TR_EINVAL);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_world),
        cmocka_unit_test(every_type_has_its_text),
        cmocka_unit_test(a_view_prints_like_what_was_packed),
        cmocka_unit_test(text_is_escaped_only_where_it_must_be),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(bytes_are_base64),
        cmocka_unit_test(keys_that_are_no_text_print_as_text),
        cmocka_unit_test(keys_in_keys_are_quoted_again_and_limited),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
