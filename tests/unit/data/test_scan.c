#include <stdlib.h>
#include <string.h>

#include "data/doc.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

// One document of each head, with all that it needs.
static const struct {
    const uint8_t *bytes;
    size_t size;
} whole[] = {
    {BYTES(0x00)},
    {BYTES(0x7f)},
    {BYTES(0xe0)},
    {BYTES(0xff)},
    {BYTES(0x80)},
    {BYTES(0x81, 0xa1, 'k', 0x01)},
    {BYTES(0x90)},
    {BYTES(0x92, 0x01, 0x02)},
    {BYTES(0xa0)},
    {BYTES(0xa2, 'h', 'i')},
    {BYTES(0xc0)},
    {BYTES(0xc2)},
    {BYTES(0xc3)},
    {BYTES(0xc4, 0)},
    {BYTES(0xc4, 2, 1, 2)},
    {BYTES(0xc5, 0, 2, 1, 2)},
    {BYTES(0xc6, 0, 0, 0, 2, 1, 2)},
    {BYTES(0xc7, 0, 9)},
    {BYTES(0xc7, 3, 9, 1, 2, 3)},
    {BYTES(0xc8, 0, 3, 9, 1, 2, 3)},
    {BYTES(0xc9, 0, 0, 0, 3, 9, 1, 2, 3)},
    {BYTES(0xca, 0, 0, 0, 0)},
    {BYTES(0xcb, 0, 0, 0, 0, 0, 0, 0, 0)},
    {BYTES(0xcc, 1)},
    {BYTES(0xcd, 1, 2)},
    {BYTES(0xce, 1, 2, 3, 4)},
    {BYTES(0xcf, 1, 2, 3, 4, 5, 6, 7, 8)},
    {BYTES(0xd0, 1)},
    {BYTES(0xd1, 1, 2)},
    {BYTES(0xd2, 1, 2, 3, 4)},
    {BYTES(0xd3, 1, 2, 3, 4, 5, 6, 7, 8)},
    {BYTES(0xd4, 9, 1)},
    {BYTES(0xd5, 9, 1, 2)},
    {BYTES(0xd6, 0xff, 1, 2, 3, 4)},
    {BYTES(0xd7, 9, 1, 2, 3, 4, 5, 6, 7, 8)},
    {BYTES(0xd8, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)},
    {BYTES(0xd9, 2, 'h', 'i')},
    {BYTES(0xda, 0, 2, 'h', 'i')},
    {BYTES(0xdb, 0, 0, 0, 2, 'h', 'i')},
    {BYTES(0xdc, 0, 2, 1, 2)},
    {BYTES(0xdd, 0, 0, 0, 2, 1, 2)},
    {BYTES(0xde, 0, 1, 1, 2)},
    {BYTES(0xdf, 0, 0, 0, 1, 1, 2)},
    {BYTES(0x82, 0xa1, 'a', 0x92, 0x90, 0x91, 0xc0, 0x81, 0x01, 0x80, 0xcb, 1, 2, 3, 4, 5, 6, 7,
           8)},
};

static int scan(const uint8_t *bytes, size_t size)
{
    // At the end of a block of its own, so that a sanitizer sees one byte too many.
    uint8_t *exact = malloc(size > 0 ? size : 1);
    size_t used = 0;
    if (size > 0)
        memcpy(exact, bytes, size);
    int rc = tr__doc_scan(exact, size, &used);
    if (rc == 0)
        assert_int_equal(used, size);
    free(exact);
    return rc;
}

static void each_head_is_taken_whole_and_refused_when_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        assert_int_equal(scan(whole[i].bytes, whole[i].size), 0);
        for (size_t cut = 0; cut < whole[i].size; cut++)
            assert_int_equal(scan(whole[i].bytes, cut), TR_EBADMSG);
    }
}

static void a_mixed_document_is_refused_when_cut_anywhere(void **state)
{
    (void)state;
    tr_val v =
        TR_MAP("null", TR_NULL, "list", TR_LIST(1, -1, 300, 70000, -5000000000, 1.5, "text"),
               "bytes", ((tr_bytes){"\0\1\2", 3}), "addr", ((tr_addr){1, 2}), "map",
               TR_MAP("in", TR_LIST(TR_EMPTY_MAP, TR_EMPTY_LIST, TR_TRUE)), "max", UINT64_MAX);
    tr_buf *packed = NULL;
    assert_int_equal(tr_val_pack(v, &packed), 0);
    assert_int_equal(scan(tr_buf_data(packed), tr_buf_size(packed)), 0);
    for (size_t cut = 0; cut < tr_buf_size(packed); cut++)
        assert_int_equal(scan(tr_buf_data(packed), cut), TR_EBADMSG);
    tr_buf_unref(&packed);
}

static void the_reserved_byte_is_refused(void **state)
{
    (void)state;
    assert_int_equal(scan(BYTES(0xc1)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0x91, 0xc1)), TR_EBADMSG);
}

static void an_address_must_have_its_size(void **state)
{
    (void)state;
    assert_int_equal(scan(BYTES(0xd7, 1, 1, 2, 3, 4, 5, 6, 7, 8)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xc7, 0, 1)), TR_EBADMSG);
    assert_int_equal(
        scan(BYTES(0xc7, 16, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)), 0);
}

static void a_count_beyond_the_bytes_is_refused_at_once(void **state)
{
    (void)state;
    tr_val v;
    counted_memory_start(0);
    assert_int_equal(scan(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xdf, 0xff, 0xff, 0xff, 0xff)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xdf, 0x80, 0, 0, 0)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xdb, 0xff, 0xff, 0xff, 0xff)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xc6, 0xff, 0xff, 0xff, 0xff)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0xc9, 0xff, 0xff, 0xff, 0xff, 9)), TR_EBADMSG);
    assert_int_equal(tr_val_unpack(BYTES(0xdd, 0xff, 0xff, 0xff, 0xff), &v), TR_EBADMSG);
    assert_int_equal(counted.calls, 0);
    counted_memory_stop();
}

// Two lists may not both claim the bytes that are left: what msgpack-c reserves for them together
// is bounded by the input, too.
static void lists_in_each_other_cannot_claim_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(scan(BYTES(0x94, 0x94, 0, 0, 0, 0, 0, 0, 0)), 0);
    assert_int_equal(scan(BYTES(0x94, 0x94, 0xc1, 0, 0, 0, 0, 0)), TR_EBADMSG);
    assert_int_equal(scan(BYTES(0x94, 0x94, 0x94, 0, 0, 0)), TR_EBADMSG);
}

static void nesting_is_limited(void **state)
{
    (void)state;
    uint8_t bytes[2 * TR_DEPTH_MAX + 3];
    memset(bytes, 0x91, sizeof bytes); // lists of one
    bytes[TR_DEPTH_MAX - 1] = 0x90;
    assert_int_equal(scan(bytes, TR_DEPTH_MAX), 0);
    bytes[TR_DEPTH_MAX - 1] = 0x91;
    bytes[TR_DEPTH_MAX] = 0xc0;
    assert_int_equal(scan(bytes, TR_DEPTH_MAX + 1), 0);
    bytes[TR_DEPTH_MAX] = 0x90;
    assert_int_equal(scan(bytes, TR_DEPTH_MAX + 1), TR_ETOODEEP);

    for (size_t i = 0; i + 1 < sizeof bytes; i += 2) {
        bytes[i] = 0x81; // maps of one
        bytes[i + 1] = 0x00;
    }
    bytes[2 * TR_DEPTH_MAX] = 0xc0;
    assert_int_equal(scan(bytes, 2 * TR_DEPTH_MAX + 1), 0);
    bytes[2 * TR_DEPTH_MAX] = 0x80;
    assert_int_equal(scan(bytes, 2 * TR_DEPTH_MAX + 1), TR_ETOODEEP);
}

// Depth is what is open at a time, not what has been.
static void siblings_do_not_add_up(void **state)
{
    (void)state;
    uint8_t bytes[3 + 2 * 1000] = {0xdc, 1000 >> 8, 1000 & 0xff};
    for (size_t i = 3; i < sizeof bytes; i += 2) {
        bytes[i] = 0x91;
        bytes[i + 1] = 0x90;
    }
    assert_int_equal(scan(bytes, sizeof bytes), 0);
}

static void a_scan_stops_after_one_document_and_unpack_wants_no_more(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x92, 1, 2, 0xc0};
    size_t used = 0;
    tr_val v;
    assert_int_equal(tr__doc_scan(bytes, sizeof bytes, &used), 0);
    assert_int_equal(used, 3);
    assert_int_equal(tr_val_unpack(bytes, sizeof bytes, &v), TR_EBADMSG);
    assert_int_equal(tr_val_unpack(bytes, 3, &v), 0);
    assert_int_equal(tr_val_count(v), 2);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    tr_val v;
    assert_int_equal(tr_val_unpack(NULL, 1, &v), TR_EINVAL);
    assert_int_equal(tr_val_unpack("x", 1, NULL), TR_EINVAL);
    assert_int_equal(tr_val_unpack("", 0, &v), TR_EBADMSG);
    assert_int_equal(tr_val_unpack("x", (size_t)TR_DOC_MAX + 1, &v), TR_ETOOBIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_is_taken_whole_and_refused_when_cut),
        cmocka_unit_test(a_mixed_document_is_refused_when_cut_anywhere),
        cmocka_unit_test(the_reserved_byte_is_refused),
        cmocka_unit_test(an_address_must_have_its_size),
        cmocka_unit_test(a_count_beyond_the_bytes_is_refused_at_once),
        cmocka_unit_test(lists_in_each_other_cannot_claim_the_same_bytes),
        cmocka_unit_test(nesting_is_limited),
        cmocka_unit_test(siblings_do_not_add_up),
        cmocka_unit_test(a_scan_stops_after_one_document_and_unpack_wants_no_more),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
