#include <stdlib.h>

#include "data/doc.h"
#include "support/cmocka.h"
#include "support/document.h"

// Pack v, check that the measured size is kept and that the bytes read as v again.
static tr_buf *pack(tr_val v)
{
    tr_buf *packed = NULL;
    tr_val read;
    size_t size = 0;
    assert_int_equal(tr_val_pack(v, &packed), 0);
    assert_int_equal(tr__doc_size(&v, &size), 0);
    assert_int_equal(tr_buf_size(packed), size);
    assert_int_equal(tr_val_unpack(tr_buf_data(packed), size, &read), 0);
    assert_true(document_same(v, read));
    return packed;
}

// v packs to `size` bytes that begin with the head of `head_size`.
static void assert_packs(tr_val v, size_t size, const char *head, size_t head_size)
{
    tr_buf *packed = pack(v);
    assert_int_equal(tr_buf_size(packed), size);
    assert_memory_equal(tr_buf_data(packed), head, head_size);
    tr_buf_unref(&packed);
}

#define HEAD(text) (text), sizeof(text) - 1

static void hello_world(void **state)
{
    (void)state;
    assert_packs(TR_MAP("hello", "world"), 13, HEAD("\x81\xa5hello\xa5world"));
}

static void integers_take_the_shortest_width(void **state)
{
    (void)state;
    assert_packs(TR_V(0), 1, HEAD("\x00"));
    assert_packs(TR_V(127), 1, HEAD("\x7f"));
    assert_packs(TR_V(128), 2, HEAD("\xcc\x80"));
    assert_packs(TR_V(255), 2, HEAD("\xcc\xff"));
    assert_packs(TR_V(256), 3, HEAD("\xcd\x01\x00"));
    assert_packs(TR_V(65535), 3, HEAD("\xcd\xff\xff"));
    assert_packs(TR_V(65536), 5, HEAD("\xce\x00\x01\x00\x00"));
    assert_packs(TR_V(4294967295), 5, HEAD("\xce\xff\xff\xff\xff"));
    assert_packs(TR_V(4294967296), 9, HEAD("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"));
    assert_packs(TR_V(INT64_MAX), 9, HEAD("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"));
    assert_packs(TR_V((uint64_t)INT64_MAX + 1), 9, HEAD("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_packs(TR_V(UINT64_MAX), 9, HEAD("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"));
    assert_packs(TR_V(-1), 1, HEAD("\xff"));
    assert_packs(TR_V(-32), 1, HEAD("\xe0"));
    assert_packs(TR_V(-33), 2, HEAD("\xd0\xdf"));
    assert_packs(TR_V(-128), 2, HEAD("\xd0\x80"));
    assert_packs(TR_V(-129), 3, HEAD("\xd1\xff\x7f"));
    assert_packs(TR_V(-32768), 3, HEAD("\xd1\x80\x00"));
    assert_packs(TR_V(-32769), 5, HEAD("\xd2\xff\xff\x7f\xff"));
    assert_packs(TR_V(-2147483647 - 1), 5, HEAD("\xd2\x80\x00\x00\x00"));
    assert_packs(TR_V(-2147483649), 9, HEAD("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"));
    assert_packs(TR_V(INT64_MIN), 9, HEAD("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"));
}

static void other_scalars(void **state)
{
    (void)state;
    assert_packs(TR_NULL, 1, HEAD("\xc0"));
    assert_packs(TR_V((const char *)NULL), 1, HEAD("\xc0"));
    assert_packs(TR_FALSE, 1, HEAD("\xc2"));
    assert_packs(TR_TRUE, 1, HEAD("\xc3"));
    assert_packs(TR_V(1.5f), 9, HEAD("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"));
    assert_packs(TR_V(-0.0), 9, HEAD("\xcb\x80\x00\x00\x00\x00\x00\x00\x00"));
    assert_packs(TR_V((double)NAN), 9, HEAD("\xcb"));
    assert_packs(TR_V(((tr_addr){0x102, 0x304})), 18,
                 HEAD("\xd8\x01\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\x03\x04"));
}

static void lengths_take_the_shortest_width(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t str[3], bin[3], ext[3];       // the head's first bytes,
        uint8_t str_size, bin_size, ext_size; // and all of its bytes
    } widths[] = {
        {0, {0xa0}, {0xc4, 0}, {0xc7, 0, 9}, 1, 2, 3},
        {1, {0xa1}, {0xc4, 1}, {0xd4, 9}, 1, 2, 2},
        {2, {0xa2}, {0xc4, 2}, {0xd5, 9}, 1, 2, 2},
        {3, {0xa3}, {0xc4, 3}, {0xc7, 3, 9}, 1, 2, 3},
        {4, {0xa4}, {0xc4, 4}, {0xd6, 9}, 1, 2, 2},
        {8, {0xa8}, {0xc4, 8}, {0xd7, 9}, 1, 2, 2},
        {16, {0xb0}, {0xc4, 16}, {0xd8, 9}, 1, 2, 2},
        {31, {0xbf}, {0xc4, 31}, {0xc7, 31, 9}, 1, 2, 3},
        {32, {0xd9, 32}, {0xc4, 32}, {0xc7, 32, 9}, 2, 2, 3},
        {255, {0xd9, 255}, {0xc4, 255}, {0xc7, 255, 9}, 2, 2, 3},
        {256, {0xda, 1, 0}, {0xc5, 1, 0}, {0xc8, 1, 0}, 3, 3, 4},
        {65535, {0xda, 255, 255}, {0xc5, 255, 255}, {0xc8, 255, 255}, 3, 3, 4},
        {65536, {0xdb, 0, 1}, {0xc6, 0, 1}, {0xc9, 0, 1}, 5, 5, 6},
    };
    static char bytes[65536];
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        size_t len = widths[i].len, str = widths[i].str_size, bin = widths[i].bin_size,
               ext = widths[i].ext_size;
        tr_val v = tr_val_strn(bytes, len);
        assert_packs(v, str + len, (const char *)widths[i].str, str < 3 ? str : 3);
        v = tr_val_bin((tr_bytes){bytes, len});
        assert_packs(v, bin + len, (const char *)widths[i].bin, bin < 3 ? bin : 3);
        v.type = TR_TYPE_EXT;
        v.ext = 9;
        assert_packs(v, ext + len, (const char *)widths[i].ext, ext < 3 ? ext : 3);
    }
}

static void counts_take_the_shortest_width(void **state)
{
    (void)state;
    static tr_val items[2 * 65536]; // all null
    assert_packs(TR_EMPTY_LIST, 1, HEAD("\x90"));
    assert_packs(TR_EMPTY_MAP, 1, HEAD("\x80"));
    assert_packs(tr_val_list(items, 15), 1 + 15, HEAD("\x9f\xc0"));
    assert_packs(tr_val_list(items, 16), 3 + 16, HEAD("\xdc\x00\x10\xc0"));
    assert_packs(tr_val_list(items, 65535), 3 + 65535, HEAD("\xdc\xff\xff\xc0"));
    assert_packs(tr_val_list(items, 65536), 5 + 65536, HEAD("\xdd\x00\x01\x00\x00\xc0"));
    assert_packs(tr_val_map(items, 15), 1 + 30, HEAD("\x8f\xc0"));
    assert_packs(tr_val_map(items, 16), 3 + 32, HEAD("\xde\x00\x10\xc0"));
    assert_packs(tr_val_map(items, 65535), 3 + 2 * 65535, HEAD("\xde\xff\xff\xc0"));
    assert_packs(tr_val_map(items, 65536), 5 + 2 * 65536, HEAD("\xdf\x00\x01\x00\x00\xc0"));
}

static void a_view_packs_as_its_bytes(void **state)
{
    (void)state;
    tr_buf *first = pack(TR_MAP("a", TR_LIST(1, TR_MAP("b", "c")), "d", 2));
    tr_val body, list;
    assert_int_equal(tr_val_unpack(tr_buf_data(first), tr_buf_size(first), &body), 0);
    assert_int_equal(tr_get(body, "a", &list), 0);

    tr_buf *again = pack(body), *in_another = pack(TR_LIST(list, body, list));
    assert_int_equal(tr_buf_size(again), tr_buf_size(first));
    assert_memory_equal(tr_buf_data(again), tr_buf_data(first), tr_buf_size(first));
    tr_buf_unref(&first);
    tr_buf_unref(&again);
    tr_buf_unref(&in_another);
}

// A chain of lists: list[i] holds list[i + 1].
static tr_val chain(tr_val *lists, size_t depth)
{
    lists[depth - 1] = TR_EMPTY_LIST;
    for (size_t i = depth - 1; i-- > 0;)
        lists[i] = tr_val_list(&lists[i + 1], 1);
    return lists[0];
}

static void nesting_is_limited(void **state)
{
    (void)state;
    tr_val lists[TR_DEPTH_MAX + 1], view;
    tr_buf *packed = pack(chain(lists, TR_DEPTH_MAX)), *none = NULL;
    assert_int_equal(tr_val_pack(chain(lists, TR_DEPTH_MAX + 1), &none), TR_ETOODEEP);

    // The limit holds over the border from built to packed, too.
    assert_int_equal(tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &view), 0);
    assert_int_equal(tr_val_pack(TR_LIST(1, view), &none), TR_ETOODEEP);
    assert_int_equal(tr_val_pack(TR_MAP("k", view), &none), TR_ETOODEEP);
    assert_null(none);
    tr_buf_unref(&packed);
}

static void what_is_too_big_is_refused(void **state)
{
    (void)state;
    tr_buf *packed = NULL;
    char *bytes = calloc(1, TR_DOC_MAX);
    tr_val many[64];
    for (size_t i = 0; i < 64; i++)
        many[i] = tr_val_strn(bytes, TR_DOC_MAX / 64);

    tr_val largest = tr_val_strn(bytes, TR_DOC_MAX - 5);
    assert_int_equal(tr_val_pack(largest, &packed), 0);
    assert_int_equal(tr_buf_size(packed), TR_DOC_MAX);
    tr_buf_unref(&packed);
    assert_int_equal(tr_val_pack(tr_val_strn(bytes, TR_DOC_MAX - 4), &packed), TR_ETOOBIG);
    assert_int_equal(tr_val_pack(tr_val_list(many, 64), &packed), TR_ETOOBIG);
    // Lengths and counts that the value cannot hold: nothing is read to find out.
    tr_val *none = malloc(1);
    assert_int_equal(tr_val_pack(tr_val_strn(bytes, (size_t)UINT32_MAX + 6), &packed), TR_ETOOBIG);
    assert_int_equal(tr_val_pack(tr_val_list(none, (size_t)UINT32_MAX + 6), &packed), TR_ETOOBIG);
    assert_int_equal(tr_val_pack(tr_val_map(none, (size_t)UINT32_MAX + 6), &packed), TR_ETOOBIG);
    assert_null(packed);
    free(none);
    free(bytes);
}

static void what_is_no_value_is_refused(void **state)
{
    (void)state;
    tr_buf *packed = NULL;
    tr_val wrong = TR_V(1);
    wrong.type = TR_TYPE_EXT + 1;
    assert_int_equal(tr_val_pack(wrong, &packed), TR_EINVAL);
    assert_int_equal(tr_val_pack(TR_LIST(1, wrong), &packed), TR_EINVAL);
    assert_int_equal(tr_val_pack(tr_val_list(NULL, 1), &packed), TR_EINVAL);
    assert_int_equal(tr_val_pack(tr_val_map(NULL, 1), &packed), TR_EINVAL);
    assert_int_equal(tr_val_pack(TR_V(1), NULL), TR_EINVAL);
    assert_null(packed);
}

// Goal:   what we pack, msgpack-c reads, and it means the same.
// Method: random documents, by msgpack-c's own unpacker.
static void msgpack_c_reads_what_is_packed(void **state)
{
    (void)state;
    document_random *r = malloc(sizeof *r);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        document_random_init(r, seed);
        tr_val v = document_random_make(r);
        tr_buf *packed = pack(v);
        if (!document_msgpack_reads(tr_buf_data(packed), tr_buf_size(packed), v))
            fail_msg("seed %u", (unsigned)seed);
        tr_buf_unref(&packed);
    }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_world),
        cmocka_unit_test(integers_take_the_shortest_width),
        cmocka_unit_test(other_scalars),
        cmocka_unit_test(lengths_take_the_shortest_width),
        cmocka_unit_test(counts_take_the_shortest_width),
        cmocka_unit_test(a_view_packs_as_its_bytes),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(what_is_too_big_is_refused),
        cmocka_unit_test(what_is_no_value_is_refused),
        cmocka_unit_test(msgpack_c_reads_what_is_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
