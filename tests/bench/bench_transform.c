// troupe's side of the transforms in `./dev bench io`: `bench_transform FIGURE`, as
// io_transform.bash describes it.
#include <troupe.h>

#include "bench.h"

#define CHUNK 65536u

// The same words as transform_node.js makes.
#define LINE "The quick brown fox jumps over the lazy dog, and then once more.\n"

static struct bench {
    const char *figure;
    tr_buf *chunk;
    uint64_t left; // chunks
    uint64_t total, begin;
    uint64_t items;
} bench;

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)state, (void)want;
    if (bench.left == 0)
        return tr_stream_push(self, stream, NULL) < 0 ? TR_EIO : 0;
    bench.left--;
    tr_buf *chunk = tr_buf_ref(bench.chunk);
    return tr_stream_push(self, stream, &chunk) < 0 ? TR_EIO : 0;
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    (void)self, (void)stream, (void)state, (void)chunks;
    bench.items += count;
    return 0;
}

static const tr_stream_ops source_ops = {.name = "source", .read = source_read};
static const tr_stream_ops sink_ops = {.name = "sink", .write_count = 16, .write = sink_write};

static int pass(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    tr_buf *ref = tr_buf_ref(chunk);
    (void)arg;
    return tr_stream_push(self, stream, &ref) < 0 ? TR_EIO : 0;
}

static int transform_new(tr_actor *self, tr_stream *ret_stream)
{
    if (strcmp(bench.figure, "transform_lines") == 0)
        return tr_lines(self, NULL, ret_stream);
    if (strcmp(bench.figure, "transform_gzip") == 0)
        return tr_gzip(self, NULL, ret_stream);
    return tr_map(self, NULL, ret_stream, pass, NULL);
}

static void on_done(tr_actor *self, int status, void *arg)
{
    double s = (double)(bench_now_ns() - bench.begin) / 1e9;
    (void)arg;
    bench_must(status == 0);
    bench_emit("mb", (double)(bench.total * CHUNK) / 1e6 / s);
    bench_emit("k", (double)bench.items / 1e3 / s);
    tr_exit(self, TR_NORMAL);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    tr_stream all[3];
    bool items = strcmp(bench.figure, "transform_lines") == 0;
    (void)args;
    bench.begin = bench_now_ns();
    int rc = tr_stream_new(self, &source_ops, NULL, &all[0]);
    if (rc == 0)
        rc = transform_new(self, &all[1]);
    if (rc == 0)
        rc = tr_stream_new(self, &sink_ops, TR_STREAM(.mode = items ? TR_WRITE_ITEMS : TR_BYTES),
                           &all[2]);
    return rc < 0 ? rc : tr_pipeline(self, all, 3, NULL, on_done, NULL);
}

static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    static const struct {
        const char *figure;
        uint64_t chunks;
    } figures[] = {
        {"transform_identity", 1000000}, {"transform_lines", 8000}, {"transform_gzip", 400}};
    for (size_t i = 0; argc == 2 && i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(argv[1], figures[i].figure) != 0)
            continue;
        bench.figure = figures[i].figure;
        bench.left = bench.total = bench_count(figures[i].chunks);
        bench_must(tr_buf_new(CHUNK, &bench.chunk) == 0);
        bench_must(tr_room_fill(tr_buf_room(bench.chunk), tr_bytes_of(LINE, strlen(LINE))) == 0);
        argv[1] = NULL;
        int rc = tr_main(1, argv, TR_APP(&program));
        tr_buf_unref(&bench.chunk);
        return rc;
    }
    return BENCH_ABSENT;
}
