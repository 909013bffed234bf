// Copy a file and tell how far it is, each tenth of a second, on the standard error:
//     copy [FROM [TO]]
#include <inttypes.h>
#include <stdio.h>
#include <troupe.h>

static const char *from = "file.txt", *to = "copy.txt";

struct copy {
    uint64_t bytes; // of all
    tr_stream reader;
};

static void on_progress(tr_actor *self, void *arg)
{
    const struct copy *copy = arg;
    tr_stream_info info;
    if (copy->bytes > 0 && tr_stream_info_get(self, copy->reader, &info) == 0)
        fprintf(stderr, "%3" PRIu64 " %%\n", info.read_total * 100 / copy->bytes);
}

static void on_copied(tr_actor *self, int status, void *arg)
{
    const struct copy *copy = arg;
    if (status == 0)
        printf("%s -> %s: %" PRIu64 " bytes\n", from, to, copy->bytes);
    else
        fprintf(stderr, "%s -> %s: %s\n", from, to, tr_strerror(status));
    tr_exit(self, status);
}

static void on_size(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    struct copy *copy = arg;
    tr_stream ends[2];
    copy->bytes = result->info.bytes;
    if (status == 0)
        status = tr_file_reader(self, from, NULL, &ends[0]);
    if (status == 0)
        status = tr_file_writer(self, to, NULL, &ends[1]);
    if (status == 0)
        status = tr_pipeline(self, ends, 2, NULL, on_copied, copy);
    if (status == 0)
        status = tr_interval_start(self, TR_MS(100), on_progress, copy, NULL);
    if (status < 0)
        on_copied(self, status, copy);
    else
        copy->reader = ends[0];
}

static int copier_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_file_stat(self, from, NULL, on_size, tr_state(self));
}
static const tr_behavior copier = {
    .name = "copier", .state_size = sizeof(struct copy), .start = copier_start};

int main(int argc, char **argv)
{
    from = argc > 1 ? argv[1] : from;
    to = argc > 2 ? argv[2] : to;
    return tr_main(argc, argv, TR_APP(&copier));
}
