// Streams: their life, from tr_stream_new to `closed`.
//
//     new -> construct -> open: both sides at work -> closing: destroy, writes are told -> closed
//
// The sides have files of their own (stream_read.c, stream_write.c). Here is what both share: the
// handle, which goes stale; the kick, which lists a stream among the jobs of its actor's turn; the
// step, in which it does the next thing; the end. A stream is freed only in its own step, or with
// its actor, so nobody on the stack holds one that is gone.
#include "core/stream.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"

#define WRITE_COUNT_MAX TR__IOV_MAX

typedef struct finished {
    tr__list link;
    tr_done cb;
    void *arg;
} finished;

int tr__stream_of(tr_actor *self, tr_stream stream, tr__stream **ret_stream)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    tr__stream *s = tr__slots_find(&self->loop->streams, stream.id);
    if (s == NULL || s->actor != self)
        return TR_ENOENT;
    *ret_stream = s;
    return 0;
}

// ---- Making ----

static bool ops_are_good(const tr_stream_ops *ops)
{
    bool own = ops->read != NULL || ops->write != NULL;
    return ops->name != NULL && own != (ops->transform != NULL) &&
           ops->write_count <= WRITE_COUNT_MAX && ops->state_size <= SIZE_MAX / 2;
}

static bool opts_are_good(const tr_stream_opts *opts)
{
    return (unsigned)opts->mode <= TR_ITEMS && (unsigned)opts->write_policy <= TR_MAIL_DROP_OLDEST;
}

static void side_init(tr__side *side, bool there, bool items, size_t high)
{
    side->there = there;
    side->items = items;
    side->high = high != 0 ? high : items ? TR_STREAM_HIGH_ITEMS : TR_STREAM_HIGH;
}

static void stream_init(tr__stream *s, const tr_stream_ops *ops, const tr_stream_opts *opts)
{
    bool transforms = ops->transform != NULL;
    s->ops = ops;
    side_init(&s->read, transforms || ops->read != NULL, (opts->mode & TR_READ_ITEMS) != 0,
              opts->read_high);
    side_init(&s->write, transforms || ops->write != NULL, (opts->mode & TR_WRITE_ITEMS) != 0,
              opts->write_high);
    s->write.low = opts->write_low < s->write.high ? opts->write_low : s->write.high - 1;
    s->write.max = opts->write_max != 0 ? opts->write_max : TR_STREAM_WRITE_MAX;
    s->policy = (uint8_t)opts->write_policy;
    s->end_with_read = opts->end_with_read;
    s->awaits = true;
    tr__list_init(&s->finished);
}

// In one piece: the stream, its state, its batch.
static tr__stream *stream_alloc(const tr_stream_ops *ops)
{
    size_t align = _Alignof(max_align_t), count = ops->write_count > 0 ? ops->write_count : 1;
    size_t state = (ops->state_size + align - 1) / align * align;
    tr__stream *s = tr__zalloc(sizeof *s + state + count * sizeof(tr_buf *));
    if (s != NULL)
        s->batch = (tr_buf **)(void *)(s->state + state);
    return s;
}

static void side_clear(tr__side *side)
{
    for (; side->count > 0;) {
        tr__entry entry = tr__side_pop(side);
        tr_buf_unref(&entry.chunk);
    }
    tr__free(side->entries);
}

static void stream_free(tr__stream *s)
{
    side_clear(&s->read);
    side_clear(&s->write);
    for (tr__list *node; (node = tr__list_pop(&s->finished)) != NULL;)
        tr__free(tr__container(node, finished, link));
    tr__cancel_leave(&s->carrier);
    tr__free(s);
}

// With its actor: nobody is told.
static void stream_close_owned(tr__owned *owned)
{
    tr__stream *s = tr__container(owned, tr__stream, owned);
    tr__slots_remove(&s->actor->loop->streams, s->id);
    if (!s->destroyed && s->ops->destroy != NULL)
        s->ops->destroy(s->actor, tr__stream_handle(s), s->state, TR_ECANCELED);
    stream_free(s);
}

static void stream_destroy_cancelled(tr_actor *self, void *arg)
{
    (void)self;
    tr__stream_close(arg, TR_ECANCELED);
}

static void stream_cancelled(tr__carrier *carrier)
{
    static const tr__what what = {"(cancelled)"};
    tr__stream *s = tr__container(carrier, tr__stream, carrier);
    if (s->actor->state == TR__RUNNING)
        tr__turn(s->actor, &what, stream_destroy_cancelled, s);
}

int tr_stream_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                  tr_stream *ret_stream)
{
    tr_stream_opts o;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || !tr__actor_here(self) || self->state > TR__RUNNING || ops == NULL ||
        ret_stream == NULL || !ops_are_good(ops) || !opts_are_good(&o))
        return TR_EINVAL;
    tr__stream *s = stream_alloc(ops);
    if (s == NULL)
        return TR_ENOMEM;
    stream_init(s, ops, &o);
    s->actor = self;
    rc = tr__cancel_join(o.cancel, self, &s->carrier, stream_cancelled);
    if (rc == 0)
        rc = tr__extra_of(self, &(tr__extra *){NULL}); // so that its steps can always be put off
    if (rc == 0)
        rc = tr__slots_add(&self->loop->streams, s, &s->id);
    if (rc < 0) {
        tr__cancel_leave(&s->carrier);
        tr__free(s);
        return rc;
    }
    s->owned.close = stream_close_owned;
    tr__list_append(&self->owned, &s->owned.link);
    tr__stream_kick(s);
    *ret_stream = tr__stream_handle(s);
    return 0;
}

void *tr_stream_state(tr_actor *self, tr_stream stream, const tr_stream_ops *ops)
{
    tr__stream *s;
    return tr__stream_of(self, stream, &s) == 0 && s->ops == ops ? s->state : NULL;
}

// ---- At work ----

void tr__stream_kick(tr__stream *s)
{
    tr__jobs *jobs = &s->actor->loop->jobs;
    tr_assert(s->actor->loop->current == s->actor);
    if (s->due)
        return;
    s->due = true;
    s->due_next = NULL;
    if (jobs->streams == NULL)
        jobs->streams = s;
    else
        jobs->streams_last->due_next = s;
    jobs->streams_last = s;
}

// It is the first in the list.
void tr__stream_run(tr_actor *self, void *stream)
{
    tr__stream *s = stream;
    tr__jobs *jobs = &self->loop->jobs;
    tr_assert(jobs->streams == s);
    jobs->streams = s->due_next;
    s->due = false;
    if (tr__stream_step(s))
        tr__stream_kick(s);
}

static void stream_opened(tr__stream *s, int status)
{
    s->op = TR__OP_NONE;
    s->open = status == 0;
    if (status < 0)
        tr__stream_close(s, status);
    else if (s->from != NULL)
        tr__stream_kick(s->from); // it may have waited to move
}

static bool stream_construct(tr__stream *s)
{
    if (s->op == TR__OP_CONSTRUCT)
        return false;
    s->op = TR__OP_CONSTRUCT;
    int rc =
        s->ops->construct == NULL ? 0 : s->ops->construct(s->actor, tr__stream_handle(s), s->state);
    if (rc <= 0 && s->op == TR__OP_CONSTRUCT)
        stream_opened(s, rc);
    return s->op != TR__OP_CONSTRUCT;
}

int tr_stream_done(tr_actor *self, tr_stream stream, int status)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || status > 0)
        return rc < 0 ? rc : TR_EINVAL;
    if (s->op == TR__OP_DESTROY)
        s->op = TR__OP_NONE;
    else if (s->closing)
        return 0; // forgotten
    else if (s->op == TR__OP_CONSTRUCT)
        stream_opened(s, status);
    else if (s->op != TR__OP_NONE)
        tr__write_done(s, status);
    tr__stream_kick(s);
    return 0;
}

// ---- Ending ----

void tr__stream_close(tr__stream *s, int status)
{
    if (s->closing)
        return;
    s->closing = true;
    s->status = tr__cancel_comes(&s->carrier) ? TR_ECANCELED : status;
    tr__cancel_leave(&s->carrier);
    tr__stream_kick(s);
}

int tr_stream_destroy(tr_actor *self, tr_stream stream, int error)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || error > 0)
        return rc < 0 ? rc : TR_EINVAL;
    tr__stream_close(s, error == 0 ? TR_ECANCELED : error);
    return 0;
}

static void stream_destroy(tr__stream *s)
{
    s->destroyed = true;
    s->op = TR__OP_DESTROY;
    int rc = s->ops->destroy == NULL
                 ? 0
                 : s->ops->destroy(s->actor, tr__stream_handle(s), s->state, s->status);
    if (rc <= 0)
        s->op = TR__OP_NONE;
}

static bool stream_tell_finished(tr__stream *s)
{
    tr__list *node = tr__list_pop(&s->finished);
    if (node == NULL)
        return false;
    finished f = *tr__container(node, finished, link);
    tr__free(tr__container(node, finished, link));
    s->heard = true;
    f.cb(s->actor, s->status, f.arg);
    return true;
}

// From here on its handle is stale.
static void stream_tell_closed(tr__stream *s)
{
    tr_actor *actor = s->actor;
    tr_stream handle = tr__stream_handle(s);
    const tr_stream_events *events = s->events;
    void *arg = s->arg;
    int status = s->status;
    bool tells = events != NULL && events->closed != NULL;
    bool heard = tells || s->heard || s->pipeline != NULL;

    tr__slots_remove(&actor->loop->streams, s->id);
    tr__list_remove(&s->owned.link);
    if (tells)
        events->closed(actor, handle, status, arg);
    if (s->pipeline != NULL)
        tr__pipeline_lost(s);
    stream_free(s);
    if (!heard && status < 0 && status != TR_ECANCELED)
        tr_exit(actor, status);
}

static bool stream_end_step(tr__stream *s)
{
    if (!s->destroyed) {
        stream_destroy(s);
        return true;
    }
    if (s->op != TR__OP_NONE)
        return false;
    tr__read_drop(s);
    tr__write_lose(s, s->status);
    if (tr__write_tell(s) || stream_tell_finished(s))
        return true;
    stream_tell_closed(s);
    return false;
}

static bool stream_is_through(const tr__stream *s)
{
    return (!s->read.there || s->read.told) && (!s->write.there || s->write.told) &&
           s->write.left == 0;
}

bool tr__stream_step(tr__stream *s)
{
    if (s->closing)
        return stream_end_step(s);
    if (!s->open)
        return stream_construct(s);
    if ((s->write.there && tr__write_step(s)) || (s->read.there && tr__read_step(s)))
        return true;
    if (!stream_is_through(s))
        return false;
    tr__stream_close(s, 0);
    return true;
}

// ---- Who hears ----

int tr_stream_on(tr_actor *self, tr_stream stream, const tr_stream_events *events, void *arg)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0)
        return rc;
    bool reads = events != NULL && (events->data != NULL || events->readable != NULL);
    if (reads && (!s->read.there || s->to != NULL))
        return TR_EINVAL;
    s->events = events;
    s->arg = arg;
    s->heeded |= events != NULL;
    s->read.flowing = events != NULL && events->data != NULL && !s->read.paused;
    tr__stream_kick(s);
    return 0;
}

int tr_finished(tr_actor *self, tr_stream stream, tr_done cb, void *arg)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || cb == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    finished *f = tr__alloc(sizeof *f);
    if (f == NULL)
        return TR_ENOMEM;
    *f = (finished){.cb = cb, .arg = arg};
    tr__list_append(&s->finished, &f->link);
    return 0;
}

int tr_stream_info_get(tr_actor *self, tr_stream stream, tr_stream_info *ret_info)
{
    tr__stream *s;
    int rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || ret_info == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    *ret_info = (tr_stream_info){.name = s->ops->name,
                                 .readable = s->read.there,
                                 .writable = s->write.there,
                                 .ended = s->read.told,
                                 .finished = s->write.told,
                                 .closing = s->closing,
                                 .read_count = s->read.count,
                                 .read_bytes = s->read.bytes,
                                 .write_count = s->write.count - s->write.left,
                                 .write_bytes = s->write.bytes,
                                 .read_high = s->read.high,
                                 .write_high = s->write.high,
                                 .read_total = s->read.total,
                                 .write_total = s->write.total,
                                 .dropped = s->dropped};
    return 0;
}

// ---- The ring of a side ----

static int side_grow(tr__side *side)
{
    uint32_t capacity = side->capacity == 0 ? 4 : side->capacity * 2;
    tr__entry *entries = capacity == 0 ? NULL : tr__alloc(capacity * sizeof *entries);
    if (entries == NULL)
        return TR_ENOMEM;
    for (uint32_t i = 0; i < side->count; i++)
        entries[i] = *tr__side_at(side, i);
    tr__free(side->entries);
    side->entries = entries;
    side->capacity = capacity;
    side->head = 0;
    return 0;
}

static int side_room(tr__side *side)
{
    return side->count < side->capacity ? 0 : side_grow(side);
}

int tr__side_push(tr__side *side, const tr__entry *entry)
{
    int rc = side_room(side);
    if (rc < 0)
        return rc;
    *tr__side_at(side, side->count++) = *entry;
    side->bytes += tr_buf_size(entry->chunk);
    return 0;
}

int tr__side_unshift(tr__side *side, const tr__entry *entry)
{
    int rc = side_room(side);
    if (rc < 0)
        return rc;
    side->head = (side->head - 1) & (side->capacity - 1);
    side->entries[side->head] = *entry;
    side->count++;
    side->bytes += tr_buf_size(entry->chunk);
    return 0;
}

tr__entry tr__side_pop(tr__side *side)
{
    tr_assert(side->count > 0);
    tr__entry entry = *tr__side_at(side, 0);
    side->head = (side->head + 1) & (side->capacity - 1);
    side->count--;
    if (entry.chunk != NULL)
        side->bytes -= tr_buf_size(entry.chunk);
    return entry;
}
