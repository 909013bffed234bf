#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/val.h>

#include "support/cmocka.h"

// Run a test on a document as it was built, and on a view of its packed bytes.
static void both_ways(tr_val built, void (*test)(tr_val doc))
{
    tr_buf *packed = NULL;
    tr_val view;
    test(built);
    assert_int_equal(tr_val_pack(built, &packed), 0);
    assert_int_equal(tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &view), 0);
    test(view);
    tr_buf_unref(&packed);
}

static void order_is_read(tr_val doc)
{
    tr_str user, tag;
    int age;
    double price;
    bool paid;
    tr_val tags, second;
    assert_int_equal(
        TR_READ(doc, "user", &user, "age", &age, "price", &price, "paid", &paid, "tags", &tags), 0);
    assert_true(tr_str_eq(user, "ann"));
    assert_int_equal(age, 42);
    assert_true(price == 9.5);
    assert_true(paid);
    assert_int_equal(tr_val_count(doc), 5);
    assert_int_equal(tr_val_count(tags), 2);
    assert_int_equal(tr_at(tags, 1, &second), 0);
    assert_int_equal(tr_as_str(second, &tag), 0);
    assert_true(tr_str_eq(tag, "b"));
}

static void a_document_is_read_as_it_was_built(void **state)
{
    (void)state;
    both_ways(
        TR_MAP("user", "ann", "age", 42, "price", 9.5, "paid", TR_TRUE, "tags", TR_LIST("a", "b")),
        order_is_read);
}

static void everything_is_read(tr_val doc)
{
    bool b = true;
    int i;
    unsigned u;
    long l;
    unsigned long ul;
    long long ll;
    unsigned long long ull;
    double f;
    tr_str s;
    tr_bytes bytes;
    tr_addr addr;
    tr_val any;
    assert_int_equal(TR_READ(doc, "b", &b, "i", &i, "u", &u, "l", &l, "ul", &ul, "ll", &ll, "ull",
                             &ull, "f", &f, "s", &s, "bytes", &bytes, "addr", &addr, "null", &any),
                     0);
    assert_false(b);
    assert_int_equal(i, INT_MIN);
    assert_int_equal(u, UINT_MAX);
    assert_true(l == LONG_MIN);
    assert_true(ul == ULONG_MAX);
    assert_true(ll == LLONG_MAX);
    assert_true(ull == ULLONG_MAX);
    assert_true(f == -0.25);
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.ptr, "t\0t", 3);
    assert_int_equal(bytes.len, 2);
    assert_memory_equal(bytes.ptr, "\0\1", 2);
    assert_true(tr_addr_eq(addr, (tr_addr){3, 4}));
    assert_int_equal(any.type, TR_TYPE_NULL);
}

static void every_type_goes_in_and_out(void **state)
{
    (void)state;
    both_ways(TR_MAP("b", (bool)false, "i", INT_MIN, "u", UINT_MAX, "l", LONG_MIN, "ul", ULONG_MAX,
                     "ll", LLONG_MAX, "ull", ULLONG_MAX, "f", -0.25f, "s", ((tr_str){"t\0t", 3}),
                     "bytes", ((tr_bytes){"\0\1", 2}), "addr", ((tr_addr){3, 4}), "null", TR_NULL),
              everything_is_read);
}

static void getters_get(tr_val doc)
{
    bool b;
    int64_t i;
    uint64_t u;
    double f;
    tr_str s;
    tr_bytes bytes;
    tr_addr addr;
    assert_int_equal(tr_get_bool(doc, "b", &b), 0);
    assert_true(b);
    assert_int_equal(tr_get_int(doc, "i", &i), 0);
    assert_int_equal(i, -7);
    assert_int_equal(tr_get_uint(doc, "u", &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(tr_get_float(doc, "f", &f), 0);
    assert_true(f == 0.5);
    assert_int_equal(tr_get_float(doc, "i", &f), 0);
    assert_true(f == -7);
    assert_int_equal(tr_get_float(doc, "u", &f), 0);
    assert_true(f == 18446744073709551616.0);
    assert_int_equal(tr_get_str(doc, "s", &s), 0);
    assert_true(tr_str_eq(s, ""));
    assert_int_equal(tr_get_bin(doc, "bytes", &bytes), 0);
    assert_int_equal(bytes.len, 1);
    assert_int_equal(tr_get_addr(doc, "addr", &addr), 0);
    assert_true(tr_addr_eq(addr, (tr_addr){1, 2}));
}

static void getters_refuse(tr_val doc)
{
    bool b = true;
    int64_t i = 1;
    uint64_t u = 1;
    double f = 1;
    tr_str s = {"kept", 4};
    tr_bytes bytes = {"kept", 4};
    tr_addr addr = {1, 1};
    assert_int_equal(tr_get_bool(doc, "i", &b), TR_EBADMSG);
    assert_int_equal(tr_get_int(doc, "u", &i), TR_EBADMSG);
    assert_int_equal(tr_get_int(doc, "f", &i), TR_EBADMSG);
    assert_int_equal(tr_get_uint(doc, "i", &u), TR_EBADMSG);
    assert_int_equal(tr_get_float(doc, "s", &f), TR_EBADMSG);
    assert_int_equal(tr_get_str(doc, "bytes", &s), TR_EBADMSG);
    assert_int_equal(tr_get_bin(doc, "s", &bytes), TR_EBADMSG);
    assert_int_equal(tr_get_addr(doc, "bytes", &addr), TR_EBADMSG);
    assert_int_equal(tr_get_int(doc, "none", &i), TR_ENOENT);
    assert_int_equal(tr_get_str(doc, "none", &s), TR_ENOENT);
    assert_true(b && i == 1 && u == 1 && f == 1 && s.len == 4 && bytes.len == 4 && addr.node == 1);
}

static void getters_convert_or_refuse(void **state)
{
    (void)state;
    tr_val doc = TR_MAP("b", TR_TRUE, "i", -7, "u", UINT64_MAX, "f", 0.5, "s", "", "bytes",
                        ((tr_bytes){"x", 1}), "addr", ((tr_addr){1, 2}));
    both_ways(doc, getters_get);
    both_ways(doc, getters_refuse);
}

static void only_maps_have_keys_and_only_lists_have_places(void **state)
{
    (void)state;
    tr_val v = TR_V(1);
    int64_t i = 1;
    assert_int_equal(tr_get(TR_LIST(1), "k", &v), TR_EBADMSG);
    assert_int_equal(tr_get(TR_V("k"), "k", &v), TR_EBADMSG);
    assert_int_equal(tr_get_int(TR_NULL, "k", &i), TR_EBADMSG);
    assert_int_equal(tr_at(TR_MAP("k", 1), 0, &v), TR_EBADMSG);
    assert_int_equal(tr_at(TR_V("k"), 0, &v), TR_EBADMSG);
    assert_int_equal(TR_READ(TR_LIST(1), "k", &i), TR_EBADMSG);
    assert_int_equal(v.as.i + i, 2);
}

static void places_of_a_list(tr_val doc)
{
    tr_val v = TR_V(-1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tr_at(doc, (size_t)i, &v), 0);
        assert_int_equal(v.as.i, 10 * (i + 1));
    }
    assert_int_equal(tr_at(doc, 3, &v), TR_ENOENT);
    assert_int_equal(tr_at(doc, SIZE_MAX, &v), TR_ENOENT);
    assert_int_equal(v.as.i, 30);
}

static void a_list_ends(void **state)
{
    (void)state;
    both_ways(TR_LIST(10, 20, 30), places_of_a_list);
}

static void first_of_two(tr_val doc)
{
    int64_t i = 0;
    assert_int_equal(tr_get_int(doc, "k", &i), 0);
    assert_int_equal(i, 1);
}

static void of_equal_keys_the_first_counts(void **state)
{
    (void)state;
    both_ways(TR_MAP("k", 1, "k", 2), first_of_two);
}

static void the_text_key_is_found(tr_val doc)
{
    int64_t i = 0;
    assert_int_equal(tr_get_int(doc, "k", &i), 0);
    assert_int_equal(i, 4);
    assert_int_equal(tr_get_int(doc, "", &i), 0);
    assert_int_equal(i, 5);
}

static void keys_that_are_no_text_are_passed_over(void **state)
{
    (void)state;
    const tr_val items[] = {TR_V(1), TR_V(1),   TR_LIST("k"), TR_V(2),  TR_V(((tr_bytes){"k", 1})),
                            TR_V(3), TR_V("k"), TR_V(4),      TR_V(""), TR_V(5)};
    both_ways(tr_val_map(items, 5), the_text_key_is_found);
}

static void walk_a_map(tr_val doc)
{
    tr_iter it = tr_iter_of(doc);
    tr_val key, value;
    tr_str text;
    for (int i = 0; i < 3; i++) {
        assert_true(tr_iter_next(&it, &key, &value));
        assert_int_equal(tr_as_str(key, &text), 0);
        assert_int_equal(text.ptr[0], 'a' + i);
    }
    assert_int_equal(value.type, TR_TYPE_LIST);
    assert_false(tr_iter_next(&it, &key, &value));
    assert_false(tr_iter_next(&it, &key, &value));
}

static void walk_a_list(tr_val doc)
{
    tr_iter it = tr_iter_of(doc);
    tr_val key, value;
    assert_true(tr_iter_next(&it, &key, &value));
    assert_int_equal(key.as.i, 0);
    assert_true(tr_iter_next(&it, &key, &value));
    assert_int_equal(key.as.i, 1);
    assert_int_equal(value.as.i, 8);
    assert_true(tr_iter_next(&it, NULL, &value));
    assert_int_equal(value.as.i, 9);
    assert_false(tr_iter_next(&it, &key, &value));
}

static void no_items(tr_val doc)
{
    tr_iter it = tr_iter_of(doc);
    tr_val key, value;
    assert_false(tr_iter_next(&it, &key, &value));
}

static void lists_and_maps_are_walked_in_order(void **state)
{
    (void)state;
    both_ways(TR_MAP("a", 1, "b", TR_MAP("x", 1), "c", TR_LIST(1)), walk_a_map);
    both_ways(TR_LIST(TR_LIST(1, 2), 8, 9), walk_a_list);
    both_ways(TR_EMPTY_LIST, no_items);
    both_ways(TR_EMPTY_MAP, no_items);
    both_ways(TR_V("text"), no_items);
    both_ways(TR_V(7), no_items);
    no_items(tr_val_list(NULL, 7));
}

static void counts(void **state)
{
    (void)state;
    assert_int_equal(tr_val_count(TR_V("four")), 4);
    assert_int_equal(tr_val_count(TR_V(((tr_bytes){"xy", 2}))), 2);
    assert_int_equal(tr_val_count(TR_LIST(1, 2, 3)), 3);
    assert_int_equal(tr_val_count(TR_MAP("a", 1, "b", 2)), 2);
    assert_int_equal(tr_val_count(TR_V(12)), 0);
    assert_int_equal(tr_val_count(TR_NULL), 0);
    assert_int_equal(
        tr_val_count(TR_LIST(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                             21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32)),
        32);
}

static void reading_refuses_and_writes_nothing(tr_val doc)
{
    int first = -1, number = -1;
    unsigned u = 1;
    bool b = true;
    tr_str s = {"kept", 4};
    assert_int_equal(TR_READ(doc, "first", &first, "none", &number), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "text", &number), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "large", &number), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "small", &number), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "minus", &u), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "larger", &u), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "first", &b), TR_EBADMSG);
    assert_int_equal(TR_READ(doc, "first", &first, "first", &s), TR_EBADMSG);
    assert_int_equal(first, -1);
    assert_int_equal(number, -1);
    assert_true(u == 1 && b && s.len == 4);
    assert_int_equal(TR_READ(doc, "first", &first, "minus", &number), 0);
    assert_int_equal(first, 7);
    assert_int_equal(number, -1);
}

static void reading_is_all_or_nothing(void **state)
{
    (void)state;
    both_ways(TR_MAP("first", 7, "text", "x", "large", (int64_t)INT_MAX + 1, "small",
                     (int64_t)INT_MIN - 1, "minus", -1, "larger", (int64_t)UINT_MAX + 1),
              reading_refuses_and_writes_nothing);
}

// The limits of each integer type themselves fit; one more does not.
static void integers_fit_exactly(void **state)
{
    (void)state;
    int i = 0;
    unsigned u = 0;
    long long ll = 0;
    unsigned long long ull = 0;
    assert_int_equal(TR_READ(TR_MAP("v", INT_MAX), "v", &i), 0);
    assert_int_equal(i, INT_MAX);
    assert_int_equal(TR_READ(TR_MAP("v", 0), "v", &u), 0);
    assert_int_equal(TR_READ(TR_MAP("v", INT64_MIN), "v", &ll), 0);
    assert_true(ll == INT64_MIN);
    assert_int_equal(TR_READ(TR_MAP("v", (uint64_t)INT64_MAX + 1), "v", &ll), TR_EBADMSG);
    assert_int_equal(TR_READ(TR_MAP("v", (uint64_t)INT64_MAX + 1), "v", &ull), 0);
    assert_true(ull == (uint64_t)INT64_MAX + 1);
    assert_int_equal(TR_READ(TR_MAP("v", -1), "v", &ull), TR_EBADMSG);
    assert_int_equal(TR_READ(TR_MAP("v", 1.0), "v", &ll), TR_EBADMSG);
    short s = 0;
    float f = 0;
    assert_int_equal(TR_READ(TR_MAP("s", SHRT_MIN, "f", 0.5), "s", &s, "f", &f), 0);
    assert_true(s == SHRT_MIN && f == 0.5f);
    assert_int_equal(TR_READ(TR_MAP("v", SHRT_MAX + 1), "v", &s), TR_EBADMSG);
    assert_int_equal(TR_READ(TR_MAP("v", 1e39), "v", &f), TR_EBADMSG);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    tr_val doc = TR_MAP("k", 1), v;
    int64_t i;
    const tr_field no_type = {"k", (tr_field_type)99, sizeof i, &i},
                   no_width = {"k", TR_FIELD_INT, 3, &i},
                   no_variable = {"k", TR_FIELD_INT, sizeof i, NULL},
                   no_key = {NULL, TR_FIELD_INT, sizeof i, &i};
    assert_int_equal(tr_get(doc, NULL, &v), TR_EINVAL);
    assert_int_equal(tr_get(doc, "k", NULL), TR_EINVAL);
    assert_int_equal(tr_get_int(doc, "k", NULL), TR_EINVAL);
    assert_int_equal(tr_get_int(doc, NULL, &i), TR_EINVAL);
    assert_int_equal(tr_as_int(TR_V(1), NULL), TR_EINVAL);
    assert_int_equal(tr_at(TR_LIST(1), 0, NULL), TR_EINVAL);
    assert_int_equal(tr_read(doc, NULL, 1), TR_EINVAL);
    assert_int_equal(tr_read(doc, &no_type, 1), TR_EINVAL);
    assert_int_equal(tr_read(doc, &no_width, 1), TR_EINVAL);
    assert_int_equal(tr_read(doc, &no_variable, 1), TR_EINVAL);
    assert_int_equal(tr_read(doc, &no_key, 1), TR_EINVAL);
    assert_int_equal(tr_read(doc, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_read_as_it_was_built),
        cmocka_unit_test(every_type_goes_in_and_out),
        cmocka_unit_test(getters_convert_or_refuse),
        cmocka_unit_test(only_maps_have_keys_and_only_lists_have_places),
        cmocka_unit_test(a_list_ends),
        cmocka_unit_test(of_equal_keys_the_first_counts),
        cmocka_unit_test(keys_that_are_no_text_are_passed_over),
        cmocka_unit_test(lists_and_maps_are_walked_in_order),
        cmocka_unit_test(counts),
        cmocka_unit_test(reading_is_all_or_nothing),
        cmocka_unit_test(integers_fit_exactly),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
