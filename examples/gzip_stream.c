// gzip, as a pipeline:
//
//     gzip_stream [FILE] > FILE.gz       compress a file, or standard input
//     gzip_stream -d [FILE.gz] > FILE    uncompress
#include <stdio.h>
#include <string.h>
#include <troupe.h>

static void on_done(tr_actor *self, int status, void *arg)
{
    (void)arg;
    if (status < 0)
        fprintf(stderr, "gzip_stream: %s\n", tr_strerror(status));
    tr_exit(self, status);
}

// One of the arguments, which are a list of text. NULL: there are not so many.
static const char *argument(const tr_val *args, size_t i)
{
    static char texts[2][4096];
    tr_val value;
    tr_str text;
    if (tr_at(*args, i, &value) < 0 || tr_as_str(value, &text) < 0 || text.len >= sizeof texts[0])
        return NULL;
    char *to = texts[i % 2];
    memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return to;
}

static int program_start(tr_actor *self, const tr_val *args)
{
    tr_stream streams[3];
    const char *first = argument(args, 0);
    bool back = first != NULL && strcmp(first, "-d") == 0;
    const char *path = back ? argument(args, 1) : first;

    int rc =
        path == NULL ? tr_stdin(self, &streams[0]) : tr_file_reader(self, path, NULL, &streams[0]);
    if (rc == 0)
        rc = back ? tr_gunzip(self, NULL, &streams[1]) : tr_gzip(self, NULL, &streams[1]);
    if (rc == 0)
        rc = tr_stdout(self, &streams[2]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 3, NULL, on_done, NULL);
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program));
}
