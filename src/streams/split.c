// Bytes cut into items, and items put together to bytes.
//
// Where an item ends is the way's to know (lines.c, frames.c, docs.c): it is shown each byte once,
// in order, and remembers what it has seen, so it does not matter where chunks are cut, and nothing
// is searched twice. An item that lies in one chunk is told as a slice of it; only what is cut by a
// chunk's end is copied together, and never more than the limit.
//
// As many items are told at once as the readable side has room for: then TR_MORE, and on from `at`.
#include "streams/streams.h"

#include "base/assert.h"

#define COPY_MAX 4096 // a larger item is passed on by reference

// ---- Cutting ----

static int split_tell(tr_actor *self, tr_stream stream, tr__split *split, tr_buf **item)
{
    int rc = tr_buf_size(*item) > split->max ? TR_ETOOBIG : 0;
    if (rc == 0)
        return tr__streams_push(self, stream, item);
    tr_buf_unref(item);
    return rc;
}

// A whole item, copied together.
static int split_tell_held(tr_actor *self, tr_stream stream, tr__split *split)
{
    tr_bytes all = {tr_buf_data(split->held.room), split->held.len}, item = all;
    tr_buf *buf;
    int rc = split->way->trim(split, &item);
    if (rc == 0)
        rc = tr__gather_take(&split->held, (size_t)((const char *)item.ptr - (const char *)all.ptr),
                             item.len, &buf);
    return rc < 0 ? rc : split_tell(self, stream, split, &buf);
}

// A whole item that lies in one chunk.
static int split_tell_slice(tr_actor *self, tr_stream stream, tr__split *split, tr_buf *chunk,
                            tr_bytes item)
{
    tr_buf *buf;
    int rc = split->way->trim(split, &item);
    if (rc == 0)
        rc = tr_buf_slice(chunk, (size_t)((const char *)item.ptr - (char *)tr_buf_data(chunk)),
                          item.len, &buf);
    return rc < 0 ? rc : split_tell(self, stream, split, &buf);
}

static int split_hold(tr__split *split, tr_bytes part, bool whole)
{
    size_t have = split->held.len + part.len;
    if (!whole && have > split->extra && have - split->extra > split->max)
        return TR_ETOOBIG;
    return tr__gather_add(&split->held, part);
}

// The next item, or its beginning. returns: as tr_stream_push
static int split_step(tr_actor *self, tr_stream stream, tr__split *split, tr_buf *chunk)
{
    tr_bytes part = {(char *)tr_buf_data(chunk) + split->at, tr_buf_size(chunk) - split->at};
    int rc = split->way->next(split, part, &part.len);
    if (rc < 0)
        return rc;
    bool whole = rc > 0;
    split->at += part.len;
    if (whole && split->held.len == 0)
        return split_tell_slice(self, stream, split, chunk, part);
    rc = split_hold(split, part, whole);
    return rc < 0 || !whole ? rc : split_tell_held(self, stream, split);
}

int tr__split_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    tr__split *split = state;
    while (split->at < tr_buf_size(chunk)) {
        int rc = split_step(self, stream, split, chunk);
        if (rc < 0)
            return rc;
        if (rc == TR_WAIT && split->at < tr_buf_size(chunk))
            return TR_MORE;
    }
    split->at = 0;
    return 0;
}

int tr__split_flush(tr_actor *self, tr_stream stream, void *state)
{
    tr__split *split = state;
    tr_buf *rest;
    if (split->held.len == 0)
        return 0;
    int rc = split->way->tells_rest ? tr__gather_take(&split->held, 0, split->held.len, &rest)
                                    : TR_EBADMSG;
    if (rc == 0)
        rc = split_tell(self, stream, split, &rest);
    return rc < 0 ? rc : 0;
}

int tr__split_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__split *split = state;
    (void)self, (void)stream, (void)error;
    tr__gather_clear(&split->held);
    return 0;
}

// ---- Putting together ----

static int join_copy(tr_actor *self, tr_stream stream, tr_bytes head, tr_bytes item, tr_bytes tail)
{
    tr_buf *chunk;
    int rc = tr_buf_new(head.len + item.len + tail.len, &chunk);
    if (rc < 0)
        return rc;
    tr_room room = tr_buf_room(chunk);
    tr_bytes parts[] = {head, item, tail};
    for (size_t i = 0; i < 3; i++) {
        size_t size = tr_room_copy(room, parts[i]);
        room = tr_room_of((char *)room.ptr + size, room.len - size);
    }
    return tr__streams_push(self, stream, &chunk);
}

int tr__join(tr_actor *self, tr_stream stream, tr_bytes head, tr_buf *item, tr_bytes tail)
{
    tr_bytes none = {NULL, 0}, bytes = tr_buf_bytes(item);
    bool copies = bytes.len <= COPY_MAX;
    int rc = copies || head.len > 0
                 ? join_copy(self, stream, head, copies ? bytes : none, copies ? tail : none)
                 : 0;
    if (rc >= 0 && !copies) {
        tr_buf *ref = tr_buf_ref(item);
        rc = tr__streams_push(self, stream, &ref);
    }
    if (rc >= 0 && !copies && tail.len > 0)
        rc = join_copy(self, stream, none, none, tail);
    return rc < 0 ? rc : 0;
}
