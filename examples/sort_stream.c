// A program as a part of a pipeline: what comes in goes through sort, and out. Neither is ever in
// memory here as a whole, and whoever is slow holds back those before it.
//
//     sort_stream [OPTION...] < FILE     with options of sort
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#define OPTIONS_MAX 8

// Sort has ended, and what it has written is out: whichever comes last. The first error counts.
struct parts {
    int done, status;
};

static void part_done(tr_actor *self, int status)
{
    struct parts *parts = tr_state(self);
    if (parts->status == 0)
        parts->status = status;
    if (++parts->done == 2)
        tr_exit(self, parts->status);
}

static void on_end(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    char why[64];
    (void)process, (void)arg;
    if (end->status < 0)
        fprintf(stderr, "sort: %s\n", tr_reason_text(end->reason, why, sizeof why));
    part_done(self, end->status);
}

static void on_written(tr_actor *self, int status, void *arg)
{
    (void)arg;
    part_done(self, status);
}

// An input that sort does not read to its end is TR_EPIPE: why, its end tells.
static void on_piped(tr_actor *self, int status, void *arg)
{
    (void)arg;
    if (status < 0 && status != TR_EPIPE)
        tr_exit(self, status);
}

// Options are a list of text, and arguments strings that end with NUL.
static void options_of(const tr_val *args, const char *options[OPTIONS_MAX + 1])
{
    static char texts[OPTIONS_MAX][64];
    tr_val value;
    tr_str text;
    size_t n = 0;
    while (n < OPTIONS_MAX && tr_at(*args, n, &value) == 0 && tr_as_str(value, &text) == 0) {
        snprintf(texts[n], sizeof texts[n], "%.*s", (int)text.len, text.ptr);
        options[n] = texts[n];
        n++;
    }
    options[n] = NULL;
}

static int program_start(tr_actor *self, const tr_val *args)
{
    const char *options[OPTIONS_MAX + 1];
    tr_process sort;
    tr_stream in[2], out[2];
    options_of(args, options);
    int rc =
        tr_process_open(self, "sort", options, TR_PROGRAM(.stdio = {TR_STDIO_PIPE, TR_STDIO_PIPE}),
                        on_end, NULL, &sort);
    if (rc == 0)
        rc = tr_process_stream(self, sort, 0, &in[1]);
    if (rc == 0)
        rc = tr_process_stream(self, sort, 1, &out[0]);
    if (rc == 0)
        rc = tr_stdin(self, &in[0]);
    if (rc == 0)
        rc = tr_stdout(self, &out[1]);
    if (rc == 0)
        rc = tr_pipeline(self, in, 2, NULL, on_piped, NULL);
    return rc < 0 ? rc : tr_pipeline(self, out, 2, NULL, on_written, NULL);
}
static const tr_behavior program = {
    .name = "program", .state_size = sizeof(struct parts), .start = program_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program));
}
