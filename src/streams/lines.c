// Lines: bytes cut behind each newline, and put together with one.
#include <troupe/transform.h>

#include "base/opts.h"
#include "streams/streams.h"

#define LINE_MAX_DEFAULT ((size_t)1 << 20)

static int lines_next(tr__split *split, tr_bytes bytes, size_t *ret_used)
{
    const char *newline = memchr(bytes.ptr, '\n', bytes.len);
    (void)split;
    *ret_used = newline == NULL ? bytes.len : (size_t)(newline - (const char *)bytes.ptr) + 1;
    return newline != NULL;
}

static int lines_trim(const tr__split *split, tr_bytes *line)
{
    const char *text = line->ptr;
    (void)split;
    line->len--;
    if (line->len > 0 && text[line->len - 1] == '\r')
        line->len--;
    return 0;
}

static const tr__split_way lines_way = {.next = lines_next, .trim = lines_trim, .tells_rest = true};
static const tr_stream_ops lines_ops = {.name = "lines",
                                        .state_size = sizeof(tr__split),
                                        .transform = tr__split_transform,
                                        .flush = tr__split_flush,
                                        .destroy = tr__split_destroy};

int tr_lines(tr_actor *self, const tr_lines_opts *opts, tr_stream *ret_stream)
{
    tr_lines_opts o;
    void *state;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc == 0)
        rc = tr__streams_new(self, &lines_ops, o.stream, TR_READ_ITEMS, ret_stream, &state);
    if (rc == 0)
        *(tr__split *)state = (tr__split){.way = &lines_way,
                                          .max = o.line_max != 0 ? o.line_max : LINE_MAX_DEFAULT,
                                          .extra = 1}; // a \r whose \n is still to come
    return rc;
}

static int lines_join(tr_actor *self, tr_stream stream, void *state, tr_buf *line)
{
    (void)state;
    return tr__join(self, stream, tr_bytes_of(NULL, 0), line, tr_bytes_of("\n", 1));
}

static const tr_stream_ops lines_join_ops = {.name = "lines_join", .transform = lines_join};

int tr_lines_join(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    void *state;
    return tr__streams_new(self, &lines_join_ops, opts, TR_WRITE_ITEMS, ret_stream, &state);
}
