// The writable side: chunks in the order in which they were written.
//
//     [ left: to be told | flying: with ops->write | waiting ]
//
// The first to be written goes to ops->write in the call that writes it, so that what is idle adds
// no turn; the rest goes when that is done, as many at once as the ops take. What the policy drops
// joins those that are to be told. A transform is written to one chunk at a time, and not while its
// readable side is full.
#include "base/assert.h"
#include "core/stream.h"

#define CHUNK_BYTES 64 // what a chunk counts for against the cap, beside its bytes

// What waits to be told is no longer buffered.
static uint32_t write_count(const tr__side *side)
{
    return side->count - side->left;
}

bool tr__write_is_full(const tr__stream *s)
{
    const tr__side *side = &s->write;
    if (side->items)
        return write_count(side) >= side->high || side->bytes >= TR__ITEMS_BYTES;
    return side->bytes >= side->high;
}

bool tr__write_is_idle(const tr__stream *s)
{
    return write_count(&s->write) == 0 && s->op == TR__OP_NONE;
}

static bool write_is_low(const tr__side *side)
{
    return (side->items ? write_count(side) : side->bytes) <= side->low;
}

// ---- Leaving ----

// The first that has not left is done with.
static void write_leave(tr__side *side, int status)
{
    tr__entry *entry = tr__side_at(side, side->left++);
    side->bytes -= tr_buf_size(entry->chunk);
    tr_buf_unref(&entry->chunk);
    entry->status = status;
}

static void write_landed(tr__stream *s, int status)
{
    tr__side *side = &s->write;
    size_t before = side->bytes;
    for (; side->flying > 0; side->flying--)
        write_leave(side, status);
    if (status == 0)
        side->total += before - side->bytes;
    if (s->from != NULL)
        tr__stream_kick(s->from); // there may be room for it
}

void tr__write_done(tr__stream *s, int status)
{
    tr_assert(s->op == TR__OP_WRITE || s->op == TR__OP_FINAL);
    bool final = s->op == TR__OP_FINAL;
    s->op = TR__OP_NONE;
    if (!final)
        write_landed(s, status);
    else if (status == 0)
        s->final = true;
    if (final && status == 0 && s->ops->transform != NULL)
        tr__read_push(s, NULL);
    if (status < 0)
        tr__stream_close(s, status);
    tr__stream_kick(s);
}

// What an operation returned; it may have been done meanwhile.
static void write_returned(tr__stream *s, tr__stream_op op, int rc)
{
    if (s->op != op || s->closing)
        return;
    if (rc == TR_MORE) {
        s->op = TR__OP_NONE; // as if it had not been called yet
        s->write.flying = 0;
    } else if (rc <= 0) {
        tr__write_done(s, rc);
    }
}

static int write_call(tr__stream *s, size_t count)
{
    const tr_stream_ops *ops = s->ops;
    return ops->transform != NULL
               ? ops->transform(s->actor, tr__stream_handle(s), s->state, s->batch[0])
               : ops->write(s->actor, tr__stream_handle(s), s->state, s->batch, count);
}

// As many as the ops take at once.
static uint32_t write_gather(tr__stream *s)
{
    const tr__side *side = &s->write;
    uint32_t most = s->ops->write_count > 0 ? (uint32_t)s->ops->write_count : 1, count = 0;
    for (; count < most && count < write_count(side); count++)
        s->batch[count] = tr__side_at(side, side->left + count)->chunk;
    return count;
}

// A transform has somewhere to push to.
static bool write_has_room(const tr__stream *s)
{
    return s->ops->transform == NULL || !tr__read_is_full(s);
}

static bool write_may_start(const tr__stream *s)
{
    return s->open && !s->closing && s->op == TR__OP_NONE && write_count(&s->write) > 0 &&
           s->corks == 0 && write_has_room(s);
}

static bool write_start(tr__stream *s)
{
    if (!write_may_start(s))
        return false;
    s->write.flying = write_gather(s);
    s->op = TR__OP_WRITE;
    write_returned(s, TR__OP_WRITE, write_call(s, s->write.flying));
    return true;
}

static bool write_final(tr__stream *s)
{
    const tr_stream_ops *ops = s->ops;
    if (!s->write.over || s->final || !tr__write_is_idle(s) || s->write.left > 0 ||
        !write_has_room(s))
        return false;
    int (*final)(tr_actor *, tr_stream, void *) = ops->transform != NULL ? ops->flush : ops->final;
    s->op = TR__OP_FINAL;
    int rc = final == NULL ? 0 : final(s->actor, tr__stream_handle(s), s->state);
    write_returned(s, TR__OP_FINAL, rc);
    return true;
}

// ---- Telling ----

bool tr__write_tell(tr__stream *s)
{
    tr__side *side = &s->write;
    while (side->left > 0) {
        tr__entry entry = tr__side_pop(side);
        side->left--;
        if (entry.cb != NULL) {
            entry.cb(s->actor, entry.status, entry.arg);
            return true;
        }
    }
    return false;
}

static bool write_tell_drain(tr__stream *s)
{
    tr__side *side = &s->write;
    if (!side->asked || side->over || !write_is_low(side))
        return false;
    side->asked = false;
    if (s->events == NULL || s->events->drain == NULL)
        return false;
    s->events->drain(s->actor, tr__stream_handle(s), s->arg);
    return true;
}

static bool write_tell_finish(tr__stream *s)
{
    if (!s->final || s->write.told)
        return false;
    s->write.told = true;
    if (s->events != NULL && s->events->finish != NULL)
        s->events->finish(s->actor, tr__stream_handle(s), s->arg);
    tr__pipeline_check(s);
    return true;
}

bool tr__write_step(tr__stream *s)
{
    bool did = write_start(s) || write_tell_drain(s) || tr__write_tell(s) || write_final(s) ||
               write_tell_finish(s);
    if (!did && s->pipeline != NULL && tr__write_is_idle(s))
        tr__pipeline_check(s);
    return did;
}

void tr__write_lose(tr__stream *s, int status)
{
    tr__side *side = &s->write;
    side->flying = 0;
    while (write_count(side) > 0)
        write_leave(side, status);
}

// ---- Coming in ----

static bool write_is_over_cap(const tr__side *side, size_t bytes, uint32_t count)
{
    return side->bytes + bytes + (uint64_t)CHUNK_BYTES * (write_count(side) + count) > side->max;
}

// Drop one that waits: it moves to the front, past what is flying.
static void write_drop(tr__stream *s, uint32_t i)
{
    tr__side *side = &s->write;
    tr__entry dropped = *tr__side_at(side, i);
    for (; i > side->left; i--)
        *tr__side_at(side, i) = *tr__side_at(side, i - 1);
    *tr__side_at(side, i) = dropped;
    write_leave(side, TR_EFULL);
    s->dropped++;
}

// All but the last one, which has just come, may go.
static void write_drop_oldest(tr__stream *s)
{
    tr__side *side = &s->write;
    while (write_is_over_cap(side, 0, 0) && side->left + side->flying + 1 < side->count)
        write_drop(s, side->left + side->flying);
}

int tr__write_put(tr__stream *s, tr_buf **chunk, tr_done cb, void *arg)
{
    tr__side *side = &s->write;
    bool over = write_count(side) > 0 && write_is_over_cap(side, tr_buf_size(*chunk), 1);
    side->asked |= over;
    if (over && s->policy == TR_MAIL_FAIL)
        return TR_EFULL;
    int rc = tr__side_push(side, &(tr__entry){.chunk = *chunk, .cb = cb, .arg = arg});
    if (rc < 0)
        return rc;
    *chunk = NULL;
    if (over && s->policy == TR_MAIL_DROP_NEWEST)
        write_drop(s, side->count - 1);
    else if (over)
        write_drop_oldest(s);
    if (write_count(side) == 1)
        write_start(s);
    tr__stream_kick(s);
    if (!over && !tr__write_is_full(s))
        return 0;
    side->asked = true;
    return TR_WAIT;
}

static int write_of(tr_actor *self, tr_stream stream, tr__stream **ret_stream)
{
    int rc = tr__stream_of(self, stream, ret_stream);
    return rc == 0 && !(*ret_stream)->write.there ? TR_EINVAL : rc;
}

int tr_stream_write_then(tr_actor *self, tr_stream stream, tr_buf **chunk, tr_done cb, void *arg)
{
    tr__stream *s;
    int rc = write_of(self, stream, &s);
    if (rc < 0 || chunk == NULL || *chunk == NULL || s->from != NULL)
        return rc < 0 ? rc : TR_EINVAL;
    return s->closing || s->write.over ? TR_EPIPE : tr__write_put(s, chunk, cb, arg);
}

int tr_stream_write(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    return tr_stream_write_then(self, stream, chunk, NULL, NULL);
}

// moves: *chunk, always
static int write_own(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    int rc = tr_stream_write(self, stream, chunk);
    tr_buf_unref(chunk);
    return rc;
}

int tr_stream_write_bytes(tr_actor *self, tr_stream stream, const void *bytes, size_t size)
{
    tr_buf *chunk;
    int rc = tr_buf_copy(bytes, size, &chunk);
    return rc < 0 ? rc : write_own(self, stream, &chunk);
}

int tr_stream_write_val(tr_actor *self, tr_stream stream, tr_val value)
{
    tr_buf *chunk;
    int rc = tr_val_pack(value, &chunk);
    return rc < 0 ? rc : write_own(self, stream, &chunk);
}

// ---- Ending and corking ----

void tr__write_end(tr__stream *s)
{
    s->write.over = true;
    s->corks = 0;
    tr__stream_kick(s);
}

int tr_stream_end(tr_actor *self, tr_stream stream)
{
    tr__stream *s;
    int rc = write_of(self, stream, &s);
    if (rc < 0 || s->from != NULL)
        return rc < 0 ? rc : TR_EINVAL;
    if (s->closing || s->write.over)
        return TR_EPIPE;
    tr__write_end(s);
    return 0;
}

int tr_stream_cork(tr_actor *self, tr_stream stream)
{
    tr__stream *s;
    int rc = write_of(self, stream, &s);
    if (rc == 0 && !s->write.over)
        s->corks++;
    return rc;
}

int tr_stream_uncork(tr_actor *self, tr_stream stream)
{
    tr__stream *s;
    int rc = write_of(self, stream, &s);
    if (rc < 0 || (s->corks == 0 && !s->write.over))
        return rc < 0 ? rc : TR_EINVAL;
    if (s->corks > 0 && --s->corks == 0)
        write_start(s);
    tr__stream_kick(s);
    if (s->from != NULL)
        tr__stream_kick(s->from);
    return 0;
}
