// What the ready-made streams share: making one, pushing, gathering bytes.
//
// Bytes are gathered by copying: a chunk of a few bytes may be a slice that holds a large buffer,
// so a list of chunks would have no bound in memory that the number of bytes could give it.
#include "streams/streams.h"

#include "base/assert.h"
#include "base/opts.h"

int tr__streams_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                    tr_stream_mode mode, tr_stream *ret_stream, void **ret_state)
{
    tr_stream_opts o;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0)
        return rc;
    o.size = sizeof o;
    o.mode = mode;
    rc = tr_stream_new(self, ops, &o, ret_stream);
    if (rc == 0)
        *ret_state = tr_stream_state(self, *ret_stream, ops);
    return rc;
}

int tr__streams_push(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    int rc = tr_stream_push(self, stream, chunk);
    tr_buf_unref(chunk);
    return rc;
}

static int gather_grow(tr__gather *gather, size_t size)
{
    size_t needed = gather->len + size, capacity = 2 * gather->len;
    tr_buf *room;
    int rc = tr_buf_new(capacity > needed ? capacity : needed, &room);
    if (rc < 0)
        return rc;
    if (gather->len > 0)
        memcpy(tr_buf_data(room), tr_buf_data(gather->room), gather->len);
    tr_buf_unref(&gather->room);
    gather->room = room;
    return 0;
}

int tr__gather_add(tr__gather *gather, tr_bytes bytes)
{
    size_t capacity = gather->room == NULL ? 0 : tr_buf_size(gather->room);
    tr_assert(gather->len <= capacity);
    if (gather->room == NULL || bytes.len > capacity - gather->len) {
        int rc = gather_grow(gather, bytes.len);
        if (rc < 0)
            return rc;
    }
    if (bytes.len > 0)
        memcpy((char *)tr_buf_data(gather->room) + gather->len, bytes.ptr, bytes.len);
    gather->len += bytes.len;
    return 0;
}

int tr__gather_take(tr__gather *gather, size_t from, size_t size, tr_buf **ret_buf)
{
    tr_assert(from <= gather->len && size <= gather->len - from);
    int rc = gather->room == NULL ? tr_buf_new(0, ret_buf)
                                  : tr_buf_slice(gather->room, from, size, ret_buf);
    if (rc == 0)
        tr__gather_clear(gather);
    return rc;
}

void tr__gather_clear(tr__gather *gather)
{
    tr_buf_unref(&gather->room);
    gather->len = 0;
}
