#include <stdlib.h>

#include "data/doc.h"
#include "support/cmocka.h"
#include "support/document.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static tr_val ext(int8_t number, const char *bytes, uint32_t len)
{
    return (tr_val){.type = TR_TYPE_EXT, .ext = number, .len = len, .as.ptr = bytes};
}

// One scalar of each head: its bytes, and what they mean.
static void assert_views(const uint8_t *bytes, size_t size, tr_val expected)
{
    tr_val v;
    assert_int_equal(tr_val_unpack(bytes, size, &v), 0);
    assert_true(document_same(v, expected));
    assert_ptr_equal(tr__doc_view(bytes, &v), bytes + size);
    assert_true(document_same(v, expected));
}

static void integers_of_every_width(void **state)
{
    (void)state;
    assert_views(BYTES(0x00), TR_V(0));
    assert_views(BYTES(0x7f), TR_V(127));
    assert_views(BYTES(0xff), TR_V(-1));
    assert_views(BYTES(0xe0), TR_V(-32));
    assert_views(BYTES(0xcc, 0xff), TR_V(255));
    assert_views(BYTES(0xcd, 0xff, 0xfe), TR_V(0xfffe));
    assert_views(BYTES(0xce, 0xff, 0xff, 0xff, 0xfe), TR_V(0xfffffffe));
    assert_views(BYTES(0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), TR_V(INT64_MAX));
    assert_views(BYTES(0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0), TR_V((uint64_t)INT64_MAX + 1));
    assert_views(BYTES(0xd0, 0x80), TR_V(-128));
    assert_views(BYTES(0xd0, 0x7f), TR_V(127));
    assert_views(BYTES(0xd1, 0x80, 0x01), TR_V(-32767));
    assert_views(BYTES(0xd2, 0x80, 0, 0, 1), TR_V(-2147483647));
    assert_views(BYTES(0xd2, 0x7f, 0xff, 0xff, 0xff), TR_V(2147483647));
    assert_views(BYTES(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0), TR_V(INT64_MIN));
    assert_views(BYTES(0xd3, 0, 0, 0, 0, 0, 0, 0, 5), TR_V(5));
}

static void other_scalars(void **state)
{
    (void)state;
    assert_views(BYTES(0xc0), TR_NULL);
    assert_views(BYTES(0xc2), TR_FALSE);
    assert_views(BYTES(0xc3), TR_TRUE);
    assert_views(BYTES(0xca, 0x3f, 0xc0, 0, 0), TR_V(1.5f));
    assert_views(BYTES(0xcb, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0), TR_V(-1.5));
    assert_views(BYTES(0xca, 0x7f, 0x80, 0, 0), TR_V((double)INFINITY));
    assert_views(BYTES(0xd8, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4),
                 TR_V(((tr_addr){0x102, 0x304})));
}

static void text_bytes_and_extensions(void **state)
{
    (void)state;
    assert_views(BYTES(0xa0), TR_V(""));
    assert_views(BYTES(0xa2, 'h', 'i'), TR_V("hi"));
    assert_views(BYTES(0xd9, 2, 'h', 'i'), TR_V("hi"));
    assert_views(BYTES(0xda, 0, 2, 'h', 'i'), TR_V("hi"));
    assert_views(BYTES(0xdb, 0, 0, 0, 2, 'h', 'i'), TR_V("hi"));
    assert_views(BYTES(0xc4, 2, 0, 1), TR_V(((tr_bytes){"\0\1", 2})));
    assert_views(BYTES(0xc5, 0, 2, 0, 1), TR_V(((tr_bytes){"\0\1", 2})));
    assert_views(BYTES(0xc6, 0, 0, 0, 2, 0, 1), TR_V(((tr_bytes){"\0\1", 2})));
    assert_views(BYTES(0xd4, 5, 7), ext(5, "\7", 1));
    assert_views(BYTES(0xd6, 0xff, 1, 2, 3, 4), ext(-1, "\1\2\3\4", 4)); // a timestamp
    assert_views(BYTES(0xc7, 3, 0x80, 1, 2, 3), ext(-128, "\1\2\3", 3));
    assert_views(BYTES(0xc8, 0, 3, 5, 1, 2, 3), ext(5, "\1\2\3", 3));
    assert_views(BYTES(0xc9, 0, 0, 0, 3, 5, 1, 2, 3), ext(5, "\1\2\3", 3));
}

static void lists_and_maps_of_every_width(void **state)
{
    (void)state;
    assert_views(BYTES(0x90), TR_EMPTY_LIST);
    assert_views(BYTES(0x92, 1, 2), TR_LIST(1, 2));
    assert_views(BYTES(0xdc, 0, 2, 1, 2), TR_LIST(1, 2));
    assert_views(BYTES(0xdd, 0, 0, 0, 2, 1, 2), TR_LIST(1, 2));
    assert_views(BYTES(0x80), TR_EMPTY_MAP);
    assert_views(BYTES(0x81, 0xa1, 'k', 2), TR_MAP("k", 2));
    assert_views(BYTES(0xde, 0, 1, 0xa1, 'k', 2), TR_MAP("k", 2));
    assert_views(BYTES(0xdf, 0, 0, 0, 1, 0xa1, 'k', 2), TR_MAP("k", 2));
}

static void a_head_steps_in_and_a_view_steps_over(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x92, 0x81, 0x01, 0x92, 2, 3, 0xa1, 'x'};
    tr_val v;
    assert_ptr_equal(tr__doc_head(bytes, &v), bytes + 1);
    assert_int_equal(v.type, TR_TYPE_LIST);
    assert_ptr_equal(tr__doc_view(bytes, &v), bytes + sizeof bytes);
    assert_ptr_equal(tr__doc_view(bytes + 1, &v), bytes + 6);
    assert_int_equal(v.type, TR_TYPE_MAP);
    assert_ptr_equal(tr__doc_head(bytes + 6, &v), bytes + 8);
    assert_true(document_same(v, TR_V("x")));
}

// An integer by msgpack-c in any width that it fits, not only in the shortest.
static void emit_int(msgpack_packer *pk, int64_t i, document_random *r)
{
    switch (document_next(r) % 6) {
    case 0:
        msgpack_pack_fix_int64(pk, i);
        break;
    case 1:
        i == (int32_t)i ? msgpack_pack_fix_int32(pk, (int32_t)i) : msgpack_pack_int64(pk, i);
        break;
    case 2:
        i == (int16_t)i ? msgpack_pack_fix_int16(pk, (int16_t)i) : msgpack_pack_int64(pk, i);
        break;
    case 3:
        i == (uint32_t)i ? msgpack_pack_fix_uint32(pk, (uint32_t)i) : msgpack_pack_int64(pk, i);
        break;
    case 4:
        i == (uint8_t)i ? msgpack_pack_fix_uint8(pk, (uint8_t)i) : msgpack_pack_int64(pk, i);
        break;
    default:
        msgpack_pack_int64(pk, i);
    }
}

static void emit_addr(msgpack_packer *pk, tr_addr addr)
{
    uint8_t bytes[16];
    document_addr_bytes(addr, bytes);
    msgpack_pack_ext_with_body(pk, bytes, sizeof bytes, TR__EXT_ADDR);
}

static void emit_float(msgpack_packer *pk, double f)
{
    if (isnan(f) || (fabs(f) < 1e30 && (double)(float)f == f))
        msgpack_pack_float(pk, (float)f);
    else
        msgpack_pack_double(pk, f);
}

static void emit(msgpack_packer *pk, tr_val v, document_random *r)
{
    const tr_val *items = v.as.ptr;
    switch (v.type) {
    case TR_TYPE_NULL:
        msgpack_pack_nil(pk);
        break;
    case TR_TYPE_BOOL:
        v.as.b ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
        break;
    case TR_TYPE_INT:
        emit_int(pk, v.as.i, r);
        break;
    case TR_TYPE_UINT:
        msgpack_pack_uint64(pk, v.as.u);
        break;
    case TR_TYPE_FLOAT:
        emit_float(pk, v.as.f);
        break;
    case TR_TYPE_STR: // v4raw: 16 bits of length where 8 would do
        document_next(r) & 1 ? msgpack_pack_str(pk, v.len) : msgpack_pack_v4raw(pk, v.len);
        msgpack_pack_str_body(pk, v.as.ptr, v.len);
        break;
    case TR_TYPE_BIN:
        msgpack_pack_bin_with_body(pk, v.as.ptr, v.len);
        break;
    case TR_TYPE_ADDR:
        emit_addr(pk, v.as.addr);
        break;
    case TR_TYPE_EXT:
        msgpack_pack_ext_with_body(pk, v.as.ptr, v.len, v.ext);
        break;
    case TR_TYPE_LIST:
        msgpack_pack_array(pk, v.len);
        for (size_t i = 0; i < v.len; i++)
            emit(pk, items[i], r);
        break;
    case TR_TYPE_MAP:
        msgpack_pack_map(pk, v.len);
        for (size_t i = 0; i < 2 * (size_t)v.len; i++)
            emit(pk, items[i], r);
        break;
    }
}

// Goal:   what msgpack-c packs reads as what it was.
// Method: random documents, packed by msgpack-c in random widths.
static void what_msgpack_c_packs_is_read(void **state)
{
    (void)state;
    document_random *r = malloc(sizeof *r);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        document_random_init(r, seed);
        tr_val made = document_random_make(r), read;
        msgpack_sbuffer bytes;
        msgpack_packer pk;
        msgpack_sbuffer_init(&bytes);
        msgpack_packer_init(&pk, &bytes, msgpack_sbuffer_write);
        emit(&pk, made, r);
        if (tr_val_unpack(bytes.data, bytes.size, &read) != 0 || !document_same(made, read))
            fail_msg("seed %u", (unsigned)seed);
        msgpack_sbuffer_destroy(&bytes);
    }
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width),
        cmocka_unit_test(other_scalars),
        cmocka_unit_test(text_bytes_and_extensions),
        cmocka_unit_test(lists_and_maps_of_every_width),
        cmocka_unit_test(a_head_steps_in_and_a_view_steps_over),
        cmocka_unit_test(what_msgpack_c_packs_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
