// Transforms by a function of the user's, and the small ones that could be: filter, tap, take.
#include <troupe/transform.h>

#include "streams/streams.h"

typedef struct map {
    union {
        tr_map_cb map;
        tr_filter_cb filter;
        tr_tap_cb tap;
    } cb;
    void *arg;
    uint64_t count; // tap: bytes so far; take: chunks that are still wanted
} map;

// returns: 0, or an error
static int pass_on(tr_actor *self, tr_stream stream, tr_buf *chunk)
{
    tr_buf *ref = tr_buf_ref(chunk);
    int rc = tr__streams_push(self, stream, &ref);
    return rc < 0 ? rc : 0;
}

static int map_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    const map *m = state;
    return m->cb.map(self, stream, chunk, m->arg);
}

static int filter_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    const map *m = state;
    return m->cb.filter(self, chunk, m->arg) ? pass_on(self, stream, chunk) : 0;
}

static int tap_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    map *m = state;
    m->count += tr_buf_size(chunk);
    m->cb.tap(self, chunk, m->count, m->arg);
    return pass_on(self, stream, chunk);
}

static int take_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    map *m = state;
    if (m->count == 0)
        return 0; // nobody has closed what comes before: its chunks are dropped
    int rc = pass_on(self, stream, chunk);
    if (rc == 0 && --m->count == 0)
        rc = tr_stream_push(self, stream, NULL);
    return rc < 0 ? rc : 0;
}

#define MAP_OPS(word)                                                                              \
    static const tr_stream_ops word##_ops = {                                                      \
        .name = #word, .state_size = sizeof(map), .transform = word##_transform}
MAP_OPS(map);
MAP_OPS(filter);
MAP_OPS(tap);
MAP_OPS(take);

static int map_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                   tr_stream *ret_stream, const map *like)
{
    tr_stream stream;
    int rc = tr_stream_new(self, ops, opts, &stream);
    if (rc < 0)
        return rc;
    *(map *)tr_stream_state(self, stream, ops) = *like;
    *ret_stream = stream;
    return 0;
}

int tr_map(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream, tr_map_cb cb,
           void *arg)
{
    if (cb == NULL || ret_stream == NULL)
        return TR_EINVAL;
    return map_new(self, &map_ops, opts, ret_stream, &(map){.cb.map = cb, .arg = arg});
}

int tr_filter(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream, tr_filter_cb cb,
              void *arg)
{
    if (cb == NULL || ret_stream == NULL)
        return TR_EINVAL;
    return map_new(self, &filter_ops, opts, ret_stream, &(map){.cb.filter = cb, .arg = arg});
}

int tr_tap(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream, tr_tap_cb cb,
           void *arg)
{
    if (cb == NULL || ret_stream == NULL)
        return TR_EINVAL;
    return map_new(self, &tap_ops, opts, ret_stream, &(map){.cb.tap = cb, .arg = arg});
}

int tr_take(tr_actor *self, uint64_t count, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    if (count == 0 || ret_stream == NULL)
        return TR_EINVAL;
    return map_new(self, &take_ops, opts, ret_stream, &(map){.count = count});
}
