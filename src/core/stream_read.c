// The readable side: chunks that ops->read or a transform has pushed, until somebody takes them.
//
// They are taken in one of three ways: told by `data` while the side flows, moved into the next
// stream of a pipeline, or read. The ops are asked for more while there is less than the high-water
// mark, or less than a tr_stream_read waits for, and once somebody reads at all; and not again
// before they have pushed something.
#include <string.h>

#include "base/assert.h"
#include "core/stream.h"

static size_t read_mark(const tr__stream *s)
{
    return s->need > s->read.high ? s->need : s->read.high;
}

bool tr__read_is_full(const tr__stream *s)
{
    const tr__side *side = &s->read;
    if (side->items)
        return side->count >= side->high || side->bytes >= TR__ITEMS_BYTES;
    return side->bytes >= read_mark(s);
}

// ---- What comes in ----

int tr__read_push(tr__stream *s, tr_buf **chunk)
{
    if (s->closing || s->read.over)
        return TR_EPIPE;
    if (chunk == NULL) {
        s->read.over = true;
    } else if (s->read.items || tr_buf_size(*chunk) > 0) {
        int rc = tr__side_push(&s->read, &(tr__entry){.chunk = *chunk});
        if (rc < 0)
            return rc;
        s->read.total += tr_buf_size(*chunk);
        *chunk = NULL;
    } else {
        tr_buf_unref(chunk);
    }
    s->read.asked = false;
    tr__stream_kick(s);
    return tr__read_is_full(s) ? TR_WAIT : 0;
}

int tr_stream_push(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || !s->read.there || (chunk != NULL && *chunk == NULL))
        return rc < 0 ? rc : TR_EINVAL;
    return tr__read_push(s, chunk);
}

static bool read_fill(tr__stream *s)
{
    tr__side *side = &s->read;
    if (s->ops->read == NULL || side->asked || side->over || !s->heeded || tr__read_is_full(s))
        return false;
    side->asked = true;
    int rc = s->ops->read(s->actor, tr__stream_handle(s), s->state,
                          side->items ? 1 : read_mark(s) - side->bytes);
    if (rc < 0)
        tr__stream_close(s, rc);
    return rc < 0 || !side->asked;
}

// ---- What goes out ----

static void read_pop(tr__side *side)
{
    tr__entry entry = tr__side_pop(side);
    tr_buf_unref(&entry.chunk);
}

static void read_took(tr__stream *s)
{
    if (s->ops->transform != NULL)
        tr__stream_kick(s); // its writable side may have waited for room here
}

static bool read_tell(tr__stream *s)
{
    tr_buf *chunk = tr__side_pop(&s->read).chunk;
    read_took(s);
    if (s->events != NULL && s->events->data != NULL)
        s->events->data(s->actor, tr__stream_handle(s), chunk, s->arg);
    tr_buf_unref(&chunk);
    return true;
}

static bool read_move(tr__stream *s)
{
    tr__stream *to = s->to;
    if (to->closing || tr__write_is_full(to))
        return false; // it kicks when it has room
    tr__entry entry = tr__side_pop(&s->read);
    int rc = tr__write_put(to, &entry.chunk, NULL, NULL);
    tr_buf_unref(&entry.chunk); // it was not taken
    read_took(s);
    if (rc < 0)
        tr__stream_close(to, rc);
    return true;
}

static bool read_tell_readable(tr__stream *s)
{
    tr__side *side = &s->read;
    if (!s->awaits || (!side->over && (side->count == 0 || side->bytes < s->need)))
        return false;
    s->awaits = false;
    if (s->events == NULL || s->events->readable == NULL)
        return false;
    s->events->readable(s->actor, tr__stream_handle(s), s->arg);
    return true;
}

static bool read_tell_end(tr__stream *s)
{
    if (!s->read.over || s->read.told || s->read.count > 0 || !s->heeded)
        return false;
    s->read.told = true;
    if (s->end_with_read && s->write.there)
        tr__write_end(s);
    if (s->events != NULL && s->events->end != NULL)
        s->events->end(s->actor, tr__stream_handle(s), s->arg);
    tr__pipeline_check(s);
    return true;
}

// ---- What goes past here: moved by the system, and seen by nobody ----

// Nothing is on its way there that would come behind what is moved.
static bool stream_takes_moved(const tr__stream *to)
{
    return to->open && !to->closing && to->corks == 0 && tr__write_is_idle(to);
}

// Returns whether moving is how what comes next goes, be it that it has to wait.
static bool read_moves(tr__stream *s)
{
    if (s->move == NULL || s->to == NULL || s->read.count > 0 || s->read.over)
        return false;
    if (s->read.asked || !stream_takes_moved(s->to))
        return true;
    s->read.asked = true;
    s->to->op = TR__OP_WRITE; // with nothing flying
    if (s->move(s, s->to))
        return true;
    tr__stream_moved(s->actor, tr__stream_handle(s), tr__stream_handle(s->to), 0);
    return false;
}

static void stream_count_moved(tr_actor *self, tr_stream from, tr_stream to, uint64_t bytes)
{
    tr__stream *s;
    if (tr__stream_of(self, from, &s) == 0 && !s->closing) {
        s->read.asked = false;
        s->read.total += bytes;
        tr__stream_kick(s);
    }
    if (tr__stream_of(self, to, &s) == 0)
        s->write.total += bytes;
}

void tr__stream_moved(tr_actor *self, tr_stream from, tr_stream to, uint64_t bytes)
{
    tr__stream *s;
    stream_count_moved(self, from, to, bytes);
    if (bytes == 0 && tr__stream_of(self, from, &s) == 0)
        s->move = NULL;
    if (tr__stream_of(self, to, &s) == 0 && s->op == TR__OP_WRITE)
        tr__write_done(s, 0);
}

void tr__stream_moved_full(tr_actor *self, tr_stream from, tr_stream to, uint64_t bytes)
{
    stream_count_moved(self, from, to, bytes); // its write is still under way
}

bool tr__read_step(tr__stream *s)
{
    if (read_moves(s))
        return false;
    if (read_fill(s))
        return true;
    if (s->read.count > 0 && s->to != NULL)
        return read_move(s);
    if (s->read.count > 0 && s->read.flowing)
        return read_tell(s);
    return read_tell_readable(s) || read_tell_end(s);
}

void tr__read_drop(tr__stream *s)
{
    while (s->read.count > 0)
        read_pop(&s->read);
}

// ---- Taking by hand ----

// Leave a chunk without its front. errors: TR_ENOMEM
static int read_cut(tr__side *side, uint32_t i, size_t front)
{
    tr_buf **chunk = &tr__side_at(side, i)->chunk, *rest;
    int rc = tr_buf_slice(*chunk, front, tr_buf_size(*chunk) - front, &rest);
    if (rc < 0)
        return rc;
    tr_buf_unref(chunk);
    *chunk = rest;
    side->bytes -= front;
    return 0;
}

// So many bytes, which are there. Nothing is taken out before all that can fail has been done.
static int read_join(tr__side *side, size_t size, tr_buf **ret_chunk)
{
    uint32_t whole = 0;
    size_t at = 0, cut = 0;
    tr_buf *joined;
    int rc = tr_buf_new(size, &joined);
    if (rc < 0)
        return rc;
    while (at < size) {
        const tr_buf *chunk = tr__side_at(side, whole)->chunk;
        size_t has = tr_buf_size(chunk), part = has < size - at ? has : size - at;
        memcpy((char *)tr_buf_data(joined) + at, tr_buf_data(chunk), part);
        at += part;
        if (part < has)
            cut = part;
        else
            whole++;
    }
    if (cut > 0 && (rc = read_cut(side, whole, cut)) < 0) {
        tr_buf_unref(&joined);
        return rc;
    }
    while (whole-- > 0)
        read_pop(side);
    *ret_chunk = joined;
    return 0;
}

// size: 0: the first chunk, whatever it is.
static int read_take(tr__side *side, size_t size, tr_buf **ret_chunk)
{
    if (size != 0 && size != tr_buf_size(tr__side_at(side, 0)->chunk))
        return read_join(side, size, ret_chunk);
    *ret_chunk = tr__side_pop(side).chunk;
    return 0;
}

int tr__read_take_all(tr__stream *s, tr_buf **ret_bytes)
{
    *ret_bytes = NULL;
    return s->read.bytes == 0 ? 0 : read_take(&s->read, s->read.bytes, ret_bytes);
}

void tr__read_put_back(tr__stream *s, tr_buf **bytes)
{
    if (*bytes == NULL)
        return;
    int rc = tr__side_unshift(&s->read, &(tr__entry){.chunk = *bytes});
    tr_assert(rc == 0); // there is the room that it left
    *bytes = NULL;
}

// Not there yet, or never.
static int read_missed(tr__stream *s, size_t size)
{
    if (s->read.over)
        return TR_EOF;
    s->need = size;
    s->awaits = true;
    return TR_EAGAIN;
}

int tr_stream_read(tr_actor *self, tr_stream stream, size_t size, tr_buf **ret_chunk)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0)
        return rc;
    tr__side *side = &s->read;
    if (!side->there || side->flowing || s->to != NULL || ret_chunk == NULL ||
        (size != 0 && side->items))
        return TR_EINVAL;
    if (size > TR_STREAM_MAX)
        return TR_ETOOBIG;
    s->heeded = true;
    tr__stream_kick(s); // there is room for more now, or the end can be told
    if (s->closing || side->count == 0 || (side->bytes < size && !side->over))
        return s->closing ? TR_EPIPE : read_missed(s, size);
    rc = read_take(side, side->bytes < size ? side->bytes : size, ret_chunk);
    if (rc == 0)
        s->need = 0;
    return rc;
}

int tr_stream_unshift(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || !s->read.there || chunk == NULL || *chunk == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    if (s->read.told || s->closing)
        return TR_EOF;
    rc = tr__side_unshift(&s->read, &(tr__entry){.chunk = *chunk});
    if (rc < 0)
        return rc;
    *chunk = NULL;
    tr__stream_kick(s);
    return 0;
}

// ---- Holding back ----

static int read_flow(tr_actor *self, tr_stream stream, bool flow)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || !s->read.there || s->to != NULL)
        return rc < 0 ? rc : TR_EINVAL;
    s->read.paused = !flow;
    s->read.flowing = flow;
    s->heeded |= flow;
    tr__stream_kick(s);
    return 0;
}

int tr_stream_pause(tr_actor *self, tr_stream stream)
{
    return read_flow(self, stream, false);
}

int tr_stream_resume(tr_actor *self, tr_stream stream)
{
    return read_flow(self, stream, true);
}
