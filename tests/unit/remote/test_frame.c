#include <stdlib.h>
#include <string.h>

#include "remote/frame.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"

static tr__frame *frame_new(void)
{
    tr__frame *frame = NULL;
    assert_int_equal(0, tr__frame_new(&frame));
    return frame;
}

static void frame_append(tr__frame *frame, const void *bytes, size_t size)
{
    uint8_t *room = tr__frame_reserve(frame, size);
    assert_non_null(room);
    memcpy(room, bytes, size);
    tr__frame_commit(frame, size);
}

static void frame_refer(tr__frame *frame, const void *bytes, size_t size)
{
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_copy(bytes, size, &buf));
    assert_int_equal(0, tr__frame_refer(frame, buf));
    tr_buf_unref(&buf);
}

// The bytes from an offset on, by pieces of which none is empty. Returns how many bytes.
static size_t frame_flatten(const tr__frame *frame, size_t from, uint8_t *bytes, int max)
{
    size_t size = 0;
    for (;;) {
        tr_iov iov[64];
        int count = tr__frame_pieces(frame, from, iov, max);
        assert_true(count <= max);
        if (count == 0)
            return size;
        for (int i = 0; i < count; i++) {
            assert_true(iov[i].len > 0);
            memcpy(bytes + size, iov[i].base, iov[i].len);
            size += iov[i].len;
            from += iov[i].len;
        }
    }
}

static void test_an_empty_frame_has_no_pieces(void **state)
{
    (void)state;
    tr__frame *frame = frame_new();
    tr_iov iov;
    assert_int_equal(0, tr__frame_size(frame));
    assert_int_equal(0, tr__frame_pieces(frame, 0, &iov, 1));
    frame_refer(frame, "", 0);
    assert_non_null(tr__frame_reserve(frame, 10));
    tr__frame_commit(frame, 0);
    assert_int_equal(0, tr__frame_pieces(frame, 0, &iov, 1));
    tr__frame_free(&frame);
    assert_null(frame);
    tr__frame_free(&frame);
}

static void test_the_header_and_the_first_bytes_are_one_piece(void **state)
{
    (void)state;
    tr__frame *frame = frame_new();
    frame_append(frame, "body", 4);
    tr__frame_set_header(frame, (const uint8_t *)"0123456789abcdef", TR__FRAME_HEADER);
    assert_int_equal(4, tr__frame_size(frame));
    assert_int_equal(20, tr__frame_total(frame));
    tr_iov iov[2];
    assert_int_equal(1, tr__frame_pieces(frame, 0, iov, 2));
    assert_int_equal(20, iov[0].len);
    assert_memory_equal("0123456789abcdefbody", iov[0].base, 20);
    tr__frame_free(&frame);
}

// Goal:   whatever a frame is made of, what goes out is what was appended, from every offset.
// Method: random pieces of all kinds and sizes, compared with a flat copy; 200 seeds.
static void test_bytes_come_out_in_order_from_every_offset(void **state)
{
    (void)state;
    enum { MAX = 200000 };
    uint8_t *flat = malloc(MAX), *out = malloc(MAX), *noise = malloc(MAX);
    for (size_t i = 0; i < MAX; i++)
        noise[i] = (uint8_t)(i * 31 + (i >> 8));
    for (unsigned seed = 1; seed <= 200; seed++) {
        unsigned random = seed;
        tr__frame *frame = frame_new();
        tr__frame_set_header(frame, (const uint8_t *)"head", 4);
        memcpy(flat, "head", 4);
        size_t size = 4;
        for (int step = rand_r(&random) % 20; step > 0; step--) {
            static const size_t sizes[] = {0, 1, 30, 3000, 5000, 70000};
            size_t n = sizes[rand_r(&random) % 6];
            if (size + n > MAX)
                break;
            const uint8_t *bytes = noise + rand_r(&random) % (MAX - n);
            if (rand_r(&random) % 3 == 0)
                frame_refer(frame, bytes, n);
            else
                frame_append(frame, bytes, n);
            memcpy(flat + size, bytes, n);
            size += n;
        }
        assert_int_equal(size, tr__frame_total(frame));
        for (size_t from = 0; from <= size; from += 1 + size / 50) {
            int max = 1 + rand_r(&random) % 4;
            assert_int_equal(size - from, frame_flatten(frame, from, out, max));
            assert_memory_equal(flat + from, out, size - from);
        }
        tr__frame_free(&frame);
    }
    free(flat);
    free(out);
    free(noise);
}

static void test_less_may_be_committed_than_was_reserved(void **state)
{
    (void)state;
    tr__frame *frame = frame_new();
    memcpy(tr__frame_reserve(frame, 1000), "abc", 3);
    tr__frame_commit(frame, 3);
    tr__frame_reserve(frame, 100000); // and not used
    frame_append(frame, "def", 3);
    uint8_t out[6];
    assert_int_equal(6, frame_flatten(frame, 0, out, 4));
    assert_memory_equal("abcdef", out, 6);
    tr__frame_free(&frame);
}

static void note_release(void *bytes, void *arg)
{
    (void)bytes;
    ++*(int *)arg;
}

static void test_a_buffer_is_kept_until_the_frame_is_freed(void **state)
{
    (void)state;
    int released = 0;
    char bytes[] = "kept";
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_wrap(bytes, 4, note_release, &released, &buf));
    tr__frame *frame = frame_new();
    assert_int_equal(0, tr__frame_refer(frame, buf));
    tr_buf_unref(&buf);
    assert_int_equal(0, released);
    tr_iov iov;
    assert_int_equal(1, tr__frame_pieces(frame, 0, &iov, 1));
    assert_ptr_equal(bytes, iov.base); // not a copy
    tr__frame_free(&frame);
    assert_int_equal(1, released);
}

static void test_a_full_frame_of_small_messages_takes_two_allocations(void **state)
{
    (void)state;
    counted_memory_start(0);
    tr__frame *frame = frame_new();
    while (tr__frame_size(frame) < TR__FRAME_FLUSH)
        frame_append(frame, "a message of thirty-two bytes...", 32);
    assert_int_equal(2, counted.calls);
    tr__frame_free(&frame);
    assert_int_equal(0, counted_memory_stop());
}

// Goal:   an allocation that fails leaves what was appended before.
// Method: fail each of those that building a frame takes.
static void test_no_memory_at_any_point_leaves_a_whole_frame(void **state)
{
    (void)state;
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_copy("def", 3, &buf));
    size_t built = 0, fail_at = 0;
    do {
        counted_memory_start(++fail_at);
        tr__frame *frame = NULL;
        if (tr__frame_new(&frame) == 0) {
            frame_append(frame, "abc", 3);
            built += tr__frame_refer(frame, buf) == 0 && tr__frame_reserve(frame, 1) != NULL &&
                     tr__frame_reserve(frame, 100000) != NULL;
            uint8_t out[6];
            size_t size = frame_flatten(frame, 0, out, 4);
            assert_int_equal(tr__frame_size(frame), size);
            assert_memory_equal("abcdef", out, size);
        }
        tr__frame_free(&frame);
        assert_int_equal(0, counted_memory_stop());
    } while (counted_memory_failed());
    assert_int_equal(5, fail_at); // the frame, the reference, two pieces; then none failed
    assert_int_equal(1, built);
    tr_buf_unref(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_frame_has_no_pieces),
        cmocka_unit_test(test_the_header_and_the_first_bytes_are_one_piece),
        cmocka_unit_test(test_bytes_come_out_in_order_from_every_offset),
        cmocka_unit_test(test_less_may_be_committed_than_was_reserved),
        cmocka_unit_test(test_a_buffer_is_kept_until_the_frame_is_freed),
        cmocka_unit_test(test_a_full_frame_of_small_messages_takes_two_allocations),
        cmocka_unit_test(test_no_memory_at_any_point_leaves_a_whole_frame),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
