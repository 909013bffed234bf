// Files through pipelines: `bench_copy file FROM TO` copies a file, `bench_copy seen FROM TO` with
// a stream between that passes its bytes on, and `bench_copy socket FROM ADDRESS` sends one. The
// first two tell how fast, in 10^6 bytes a second; of the last that is told by who receives it
// (peers/file_sink.c).
#include <troupe.h>

#include "bench.h"

static const char *figure, *from, *to;
static uint64_t begun;

static int pass(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    tr_buf *same = tr_buf_ref(chunk);
    (void)state;
    int rc = tr_stream_push(self, stream, &same);
    tr_buf_unref(&same);
    return rc < 0 ? rc : 0;
}
static const tr_stream_ops passer = {.name = "passer", .transform = pass};

static void on_copied(tr_actor *self, int status, void *arg)
{
    double ns = (double)(bench_now_ns() - begun);
    (void)arg;
    bench_must(status == 0);
    if (strcmp(figure, "socket") != 0) {
        FILE *copy = fopen(to, "rb");
        bench_must(copy != NULL && fseek(copy, 0, SEEK_END) == 0);
        bench_emit(figure, (double)ftell(copy) * 1000 / ns);
        fclose(copy);
    }
    tr_exit(self, TR_NORMAL);
}

static int copier_start(tr_actor *self, const tr_val *args)
{
    tr_stream streams[3];
    size_t count = 0;
    (void)args;
    begun = bench_now_ns();
    int rc = tr_file_reader(self, from, NULL, &streams[count++]);
    if (rc == 0 && strcmp(figure, "seen") == 0)
        rc = tr_stream_new(self, &passer, NULL, &streams[count++]);
    if (rc == 0)
        rc = strcmp(figure, "socket") == 0 ? tr_connect(self, to, NULL, &streams[count++])
                                           : tr_file_writer(self, to, NULL, &streams[count++]);
    return rc < 0 ? rc : tr_pipeline(self, streams, count, NULL, on_copied, NULL);
}

static const tr_behavior copier = {.name = "copier", .start = copier_start};

int main(int argc, char **argv)
{
    bench_must(argc == 4);
    figure = argv[1];
    from = argv[2];
    to = argv[3];
    return tr_main(1, argv, TR_APP(&copier));
}
