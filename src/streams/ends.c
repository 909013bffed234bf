// A source of chunks that are there already, and a sink for those that nobody wants.
#include <troupe/ends.h>

#include "base/memory.h"
#include "streams/streams.h"

typedef struct source {
    tr_buf **chunks;
    size_t count, next;
} source;

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    source *s = state;
    int rc = s->next < s->count ? tr__streams_push(self, stream, &s->chunks[s->next++])
                                : tr_stream_push(self, stream, NULL);
    (void)want;
    return rc < 0 ? rc : 0;
}

static void chunks_free(tr_buf **chunks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tr_buf_unref(&chunks[i]);
    tr__free(chunks);
}

static int source_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    source *s = state;
    (void)self, (void)stream, (void)error;
    chunks_free(s->chunks, s->count);
    return 0;
}

static const tr_stream_ops source_ops = {
    .name = "source", .state_size = sizeof(source), .read = source_read, .destroy = source_destroy};

static bool chunks_are_there(tr_buf *const *chunks, size_t count)
{
    if (chunks == NULL || count > SIZE_MAX / sizeof *chunks)
        return count == 0;
    for (size_t i = 0; i < count; i++)
        if (chunks[i] == NULL)
            return false;
    return true;
}

int tr_source(tr_actor *self, tr_buf *const *chunks, size_t count, const tr_stream_opts *opts,
              tr_stream *ret_stream)
{
    tr_stream stream;
    if (!chunks_are_there(chunks, count) || ret_stream == NULL)
        return TR_EINVAL;
    tr_buf **own = tr__alloc((count > 0 ? count : 1) * sizeof(tr_buf *));
    int rc = own == NULL ? TR_ENOMEM : tr_stream_new(self, &source_ops, opts, &stream);
    if (rc < 0) {
        tr__free(own);
        return rc;
    }
    for (size_t i = 0; i < count; i++)
        own[i] = tr_buf_ref(chunks[i]);
    *(source *)tr_stream_state(self, stream, &source_ops) = (source){.chunks = own, .count = count};
    *ret_stream = stream;
    return 0;
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    (void)self, (void)stream, (void)state, (void)chunks, (void)count;
    return 0;
}

static const tr_stream_ops sink_ops = {.name = "sink", .write_count = 16, .write = sink_write};

int tr_sink(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    return tr_stream_new(self, &sink_ops, opts, ret_stream);
}
