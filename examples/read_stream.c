// Read a file as a stream of text, chunk by chunk, and then pipe it into another one:
//     read_stream [FROM [TO]]
#include <stdio.h>
#include <troupe.h>

static const char *from = "file.txt", *to = "copy.txt";

static void on_piped(tr_actor *self, int status, void *arg)
{
    (void)arg;
    if (status == 0)
        puts("All has been written");
    tr_exit(self, status);
}

static void on_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream, (void)arg;
    puts("New chunk received");
    fwrite(tr_buf_data(chunk), 1, tr_buf_size(chunk), stdout);
}

static void on_end(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    puts("All has been read");
    tr_stream ends[2];
    int rc = tr_file_reader(self, from, NULL, &ends[0]);
    if (rc == 0)
        rc = tr_file_writer(self, to, NULL, &ends[1]);
    if (rc == 0)
        rc = tr_pipeline(self, ends, 2, NULL, on_piped, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}
static const tr_stream_events events = {.data = on_data, .end = on_end};

static int program_start(tr_actor *self, const tr_val *args)
{
    tr_stream stream;
    (void)args;
    int rc = tr_file_reader(self, from, TR_FILE_READ(.encoding = "utf8"), &stream);
    return rc < 0 ? rc : tr_stream_on(self, stream, &events, NULL);
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    from = argc > 1 ? argv[1] : from;
    to = argc > 2 ? argv[2] : to;
    return tr_main(argc, argv, TR_APP(&program));
}
