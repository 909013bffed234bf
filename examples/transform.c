// A transform: what comes in leaves in upper case. Prints HELLO WORLD and how much went through.
#include <ctype.h>
#include <stdio.h>
#include <troupe.h>

static int upper_case(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    const char *from = tr_buf_data(chunk);
    size_t size = tr_buf_size(chunk);
    tr_buf *upper = NULL;
    (void)arg;
    int rc = tr_buf_new(size, &upper); // the chunk may have other readers: it is not written to
    if (rc < 0)
        return rc;
    char *to = tr_buf_data(upper);
    for (size_t i = 0; i < size; i++)
        to[i] = (char)toupper((unsigned char)from[i]);
    rc = tr_stream_push(self, stream, &upper);
    tr_buf_unref(&upper); // no-op when it was taken
    return rc < 0 ? rc : 0;
}

static void on_chunk(tr_actor *self, tr_buf *chunk, uint64_t total, void *arg)
{
    (void)self, (void)chunk;
    *(uint64_t *)arg = total;
}

static void on_done(tr_actor *self, int status, void *arg)
{
    uint64_t total = *(const uint64_t *)arg;
    printf("Pipeline %s: %llu bytes.\n", status == 0 ? "succeeded" : tr_strerror(status),
           (unsigned long long)total);
    tr_exit(self, status);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    static uint64_t total;
    tr_buf *hello = NULL, *world = NULL;
    tr_stream streams[4];
    (void)args;
    int rc = tr_buf_copy("hello ", 6, &hello);
    if (rc == 0)
        rc = tr_buf_copy("world\n", 6, &world);
    if (rc == 0)
        rc = tr_source(self, (tr_buf *[]){hello, world}, 2, NULL, &streams[0]);
    if (rc == 0)
        rc = tr_map(self, NULL, &streams[1], upper_case, NULL);
    if (rc == 0)
        rc = tr_tap(self, NULL, &streams[2], on_chunk, &total);
    if (rc == 0)
        rc = tr_stdout(self, &streams[3]);
    if (rc == 0)
        rc = tr_pipeline(self, streams, 4, NULL, on_done, &total);
    tr_buf_unref(&hello);
    tr_buf_unref(&world);
    return rc;
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program));
}
