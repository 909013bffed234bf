// Compression beyond what fits the suite of all transforms (conform/test_transforms.c).
#include <zlib.h>

#include "support/counted_memory.h"
#include "unit/core/script.h"

static tr_actor *a;
static tr_buf *got; // what was collected last

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define ZIP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

static void on_collected(tr_actor *self, int status, tr_buf *all, void *arg)
{
    (void)self, (void)arg;
    assert_int_equal(0, status);
    tr_buf_unref(&got);
    got = tr_buf_ref(all);
}

static tr_stream collector(void)
{
    tr_stream stream = {0};
    assert_int_equal(0, tr_collector(a, TR_COLLECT(.limit = 8 << 20), &stream, on_collected, NULL));
    return stream;
}

// In slices of many sizes.
static tr_stream source(tr_buf *bytes, size_t step)
{
    enum { SLICES = 64 };
    tr_buf *slices[SLICES];
    tr_stream stream = {0};
    size_t count = 0, size = tr_buf_size(bytes);
    for (size_t at = 0; at < size; count++) {
        size_t part =
            count == SLICES - 1 || size - at < count * step + 1 ? size - at : count * step + 1;
        assert_int_equal(0, tr_buf_slice(bytes, at, part, &slices[count]));
        at += part;
    }
    assert_int_equal(0, tr_source(a, slices, count, NULL, &stream));
    while (count > 0)
        tr_buf_unref(&slices[--count]);
    return stream;
}

static int make_gzip(const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return tr_gzip(a, opts, ret_stream);
}

static int make_deflate(const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return tr_deflate(a, opts, ret_stream);
}

// Half of it random, which grows when it is compressed, half of it the same again and again.
static tr_buf *large(size_t size)
{
    tr_buf *bytes = NULL;
    assert_int_equal(0, tr_buf_zeroed(size, &bytes));
    uint32_t state = 7;
    for (size_t i = 0; i < size / 2; i++)
        ((uint8_t *)tr_buf_data(bytes))[i] =
            (uint8_t)((state = state * 1664525u + 1013904223u) >> 24);
    return bytes;
}

static void there_and_back(int (*zip)(const tr_zip_opts *, tr_stream *),
                           int (*unzip)(tr_actor *, const tr_zip_opts *, tr_stream *),
                           const tr_zip_opts *opts)
{
    tr_buf *bytes = large(1 << 20);
    IN_TURN(a)
    {
        tr_stream all[4] = {source(bytes, 997), {0}, {0}, collector()};
        assert_int_equal(0, zip(opts, &all[1]));
        assert_int_equal(0, unzip(a, TR_ZIP(.raw = opts->raw), &all[2]));
        assert_int_equal(0, tr_pipeline(a, all, 4, NULL, SCRIPT_DONE("done")));
    }
    stage_run();
    assert_heard("done=0");
    assert_true(tr_bytes_eq(tr_buf_bytes(bytes), tr_buf_bytes(got)));
    tr_buf_unref(&got);
    tr_buf_unref(&bytes);
}

static void what_is_compressed_comes_back(void **state)
{
    (void)state;
    for (int level = -1; level <= 9; level += 5)
        there_and_back(make_gzip, tr_gunzip, TR_ZIP(.level = level));
    there_and_back(make_gzip, tr_gunzip, TR_ZIP(.flush = true));
    there_and_back(make_deflate, tr_inflate, TR_ZIP(.level = 1));
    there_and_back(make_deflate, tr_inflate, TR_ZIP(.raw = true));
}

static void zlib_reads_what_we_write(void **state)
{
    (void)state;
    tr_buf *bytes = large(1 << 20), *back = NULL;
    IN_TURN(a)
    {
        tr_stream all[3] = {source(bytes, 1009), {0}, collector()};
        assert_int_equal(0, tr_gzip(a, NULL, &all[1]));
        assert_int_equal(0, tr_pipeline(a, all, 3, NULL, SCRIPT_DONE("done")));
    }
    stage_run();
    assert_heard("done=0");
    assert_int_equal(0, tr_buf_new(tr_buf_size(bytes) + 1, &back));
    z_stream z = {.next_in = tr_buf_data(got), .avail_in = (uInt)tr_buf_size(got)};
    z.next_out = tr_buf_data(back);
    z.avail_out = (uInt)tr_buf_size(back);
    assert_int_equal(Z_OK, inflateInit2(&z, MAX_WBITS + 16));
    assert_int_equal(Z_STREAM_END, inflate(&z, Z_FINISH));
    assert_int_equal(0, z.avail_in);
    inflateEnd(&z);
    assert_true(tr_bytes_eq(tr_buf_bytes(bytes), tr_bytes_of(tr_buf_data(back), z.total_out)));
    tr_buf_unref(&got);
    tr_buf_unref(&back);
    tr_buf_unref(&bytes);
}

// So many zeros, compressed: a thousandth.
static tr_buf *bomb(size_t zeros)
{
    static uint8_t room[65536], none[65536];
    z_stream z = {.next_out = room, .avail_out = sizeof room};
    tr_buf *bytes = NULL;
    assert_int_equal(Z_OK, deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY));
    for (size_t at = 0; at < zeros; at += sizeof none) {
        z.next_in = none;
        z.avail_in = sizeof none;
        assert_int_equal(Z_OK, deflate(&z, Z_NO_FLUSH));
    }
    assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
    assert_int_equal(0, tr_buf_copy(room, z.total_out, &bytes));
    deflateEnd(&z);
    return bytes;
}

static void a_bomb_unpacks_no_faster_than_it_is_taken(void **state)
{
    (void)state;
    tr_buf *bytes = bomb(32 << 20);
    tr_stream w = {0}, unzip = {0};
    size_t before = counted.live;
    counted.peak = before;
    IN_TURN(a)
    {
        tr_stream all[3] = {source(bytes, 1 << 20)};
        assert_int_equal(0, tr_gunzip(a, NULL, &unzip));
        all[1] = unzip;
        all[2] = w = script_new(a, &script_sink, NULL, &(script){.name = "", .later = true}, NULL);
        assert_int_equal(0, tr_pipeline(a, all, 3, NULL, SCRIPT_DONE("done")));
    }
    for (int i = 0; i < 20; i++) {
        stage_run();
        IN_TURN(a)
        tr_stream_done(a, w, 0);
    }
    assert_true(counted.peak - before < 1 << 20);
    IN_TURN(a)
    tr_stream_destroy(a, unzip, 0);
    stage_run();
    tr_buf_unref(&bytes);
    assert_non_null(strstr(stage.heard, "done=-125"));
}

static void a_bomb_may_have_a_limit(void **state)
{
    (void)state;
    tr_buf *bytes = bomb(4 << 20);
    for (int i = 0; i < 2; i++) {
        IN_TURN(a)
        {
            tr_stream all[3] = {source(bytes, 100)};
            assert_int_equal(0, tr_gunzip(a, TR_ZIP(.output_max = (4 << 20) - i), &all[1]));
            assert_int_equal(0, tr_sink(a, NULL, &all[2]));
            assert_int_equal(0, tr_pipeline(a, all, 3, NULL, SCRIPT_DONE("done")));
        }
        stage_run();
        assert_heard(i == 0 ? "done=0" : "done=-6006");
    }
    tr_buf_unref(&bytes);
}

// Take all that can be read now, and uncompress it. returns: how many bytes there are then
static size_t read_on(tr_stream zip, z_stream *z)
{
    tr_buf *chunk = NULL;
    while (tr_stream_read(a, zip, 0, &chunk) == 0) {
        z->next_in = tr_buf_data(chunk);
        z->avail_in = (uInt)tr_buf_size(chunk);
        assert_int_equal(Z_OK, inflate(z, Z_SYNC_FLUSH));
        tr_buf_unref(&chunk);
    }
    return z->total_out;
}

static void with_flush_a_peer_can_read_all_that_was_written(void **state)
{
    (void)state;
    uint8_t room[64];
    tr_stream zip = {0};
    z_stream z = {.next_out = room, .avail_out = sizeof room};
    assert_int_equal(Z_OK, inflateInit2(&z, MAX_WBITS));
    IN_TURN(a)
    assert_int_equal(0, tr_deflate(a, TR_ZIP(.flush = true), &zip));
    for (size_t i = 1; i <= 5; i++) {
        IN_TURN(a)
        assert_int_equal(0, script_write(a, zip, "hello"));
        stage_run();
        IN_TURN(a)
        assert_int_equal(5 * i, read_on(zip, &z));
    }
    inflateEnd(&z);
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream stream;
        assert_int_equal(TR_EINVAL, tr_gzip(a, TR_ZIP(.level = 10), &stream));
        assert_int_equal(TR_EINVAL, tr_deflate(a, TR_ZIP(.level = -2), &stream));
        assert_int_equal(TR_EINVAL, tr_gzip(a, TR_ZIP(.raw = true), &stream));
        assert_int_equal(TR_EINVAL, tr_gunzip(a, TR_ZIP(.raw = true), &stream));
        assert_int_equal(TR_EINVAL, tr_gzip(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_inflate(a, NULL, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ZIP_TEST(what_is_compressed_comes_back),
        ZIP_TEST(zlib_reads_what_we_write),
        ZIP_TEST(a_bomb_unpacks_no_faster_than_it_is_taken),
        ZIP_TEST(a_bomb_may_have_a_limit),
        ZIP_TEST(with_flush_a_peer_can_read_all_that_was_written),
        ZIP_TEST(what_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
