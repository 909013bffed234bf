// Pipelines: streams that flow into each other, and one callback for all of them.
//
// Moving chunks is the streams' own work (`to` and `from`); a pipeline joins them, passes the end
// on, and waits until each of its places is through: until the stream there is closed or, where the
// pipeline has no use for one of its sides, until it is done with the other. The first one that
// fails takes the rest along. A stream may have two places, the first and the last.
#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/stream.h"

#define COUNT_MAX 1024u // streams in one

struct tr__pipeline {
    tr__owned owned;
    tr__carrier carrier;
    tr_actor *actor;
    tr_done cb;
    void *arg;
    int status;
    bool failing;
    bool keep_last;
    size_t count, open;   // places; of those, with a stream
    tr__stream *places[]; // NULL: it is through
};

static void pipeline_free(tr__pipeline *p)
{
    tr__cancel_leave(&p->carrier);
    tr__list_remove(&p->owned.link);
    tr__free(p);
}

static void pipeline_close(tr__owned *owned)
{
    pipeline_free(tr__container(owned, tr__pipeline, owned)); // the streams end with the actor, too
}

// So many places are done with. Nothing is left: the last word.
static void pipeline_drop(tr__pipeline *p, size_t places)
{
    tr_actor *actor = p->actor;
    tr_done cb = p->cb;
    void *arg = p->arg;
    int status = tr__cancel_comes(&p->carrier) ? TR_ECANCELED : p->status;
    p->open -= places;
    if (p->open > 0)
        return;
    pipeline_free(p);
    cb(actor, status, arg);
}

static void stream_part(tr__stream *s)
{
    if (s->to != NULL)
        s->to->from = NULL;
    if (s->from != NULL)
        s->from->to = NULL;
    s->to = s->from = NULL;
    s->pipeline = NULL;
}

// A stream leaves all its places.
static void pipeline_leave(tr__pipeline *p, tr__stream *s)
{
    size_t places = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (p->places[i] == s) {
            p->places[i] = NULL;
            places++;
        }
    }
    stream_part(s);
    pipeline_drop(p, places);
}

static bool pipeline_keeps(const tr__pipeline *p, const tr__stream *s)
{
    return p->keep_last && p->places[p->count - 1] == s;
}

static void pipeline_fail(tr__pipeline *p, int status)
{
    if (!p->failing || p->status == TR_ECANCELED)
        p->status = status;
    p->failing = true;
    p->open++; // it stays until all have been told
    for (size_t i = 0; i < p->count; i++) {
        tr__stream *s = p->places[i];
        if (s != NULL && !s->closing && pipeline_keeps(p, s))
            pipeline_leave(p, s);
        else if (s != NULL)
            tr__stream_close(s, status);
    }
    pipeline_drop(p, 1);
}

void tr__pipeline_lost(tr__stream *s)
{
    tr__pipeline *p = s->pipeline;
    if (s->status < 0 && !s->cut)
        pipeline_fail(p, s->status);
    pipeline_leave(p, s);
}

static void pipeline_fail_cancelled(tr_actor *self, void *arg)
{
    (void)self;
    pipeline_fail(arg, TR_ECANCELED);
}

static void pipeline_cancelled(tr__carrier *carrier)
{
    static const tr__what what = {"(cancelled)"};
    tr__pipeline *p = tr__container(carrier, tr__pipeline, carrier);
    if (p->actor->state == TR__RUNNING)
        tr__turn(p->actor, &what, pipeline_fail_cancelled, p);
}

// ---- Coming to an end ----

static bool pipeline_has(tr__stream *const *places, size_t count, const tr__stream *s)
{
    for (size_t i = 0; i < count; i++)
        if (places[i] == s)
            return true;
    return false;
}

// All that comes to it has come: where the one before it is gone, it went with its end told.
static bool stream_has_all(const tr__stream *s)
{
    return s->from == NULL || s->from->read.told;
}

static void pipeline_pass_end(const tr__pipeline *p, tr__stream *to)
{
    if (pipeline_keeps(p, to))
        tr__stream_kick(to); // it looks whether that was all
    else if (!to->write.over)
        tr__write_end(to);
}

// Nobody reads the first one any more. It stays if it has another side.
static void pipeline_spare_first(tr__pipeline *p, tr__stream *first)
{
    if (p->places[p->count - 1] != first) {
        pipeline_leave(p, first);
        return;
    }
    p->places[0] = NULL; // as the last one it goes on
    p->open--;
    if (first->to != NULL)
        first->to->from = NULL;
    first->to = NULL;
}

// A transform has ended before what comes to it: nobody wants the rest of that.
static void pipeline_cut(tr__pipeline *p, tr__stream *s)
{
    tr__stream_close(s, 0);
    for (size_t i = 0; p->places[i] != s; i++) {
        tr__stream *before = p->places[i];
        if (before == NULL || before->closing)
            continue;
        if (i == 0 && before->write.there) {
            pipeline_spare_first(p, before);
        } else {
            before->cut = true;
            tr__stream_close(before, TR_ECANCELED);
        }
    }
}

void tr__pipeline_check(tr__stream *s)
{
    tr__pipeline *p = s->pipeline;
    if (p == NULL || p->failing)
        return;
    bool reads = pipeline_has(p->places, p->count - 1, s);
    bool writes = pipeline_has(p->places + 1, p->count - 1, s), keeps = pipeline_keeps(p, s);
    if (reads && s->read.told && s->to != NULL)
        pipeline_pass_end(p, s->to);
    if (writes && s->write.told && !stream_has_all(s)) {
        pipeline_fail(p, TR_EPIPE); // its peer has left in peace, but there is more for it
        return;
    }
    if (reads && writes && s->read.told && s->ops->transform != NULL && !s->final && !s->closing)
        pipeline_cut(p, s);
    bool wrote = keeps ? stream_has_all(s) && tr__write_is_idle(s) : s->write.told;
    bool stays = keeps || reads != s->read.there || writes != s->write.there;
    if (stays && (!reads || s->read.told) && (!writes || wrote))
        pipeline_leave(p, s);
}

// ---- Making ----

static int place_check(const tr__stream *s, size_t place, size_t count)
{
    bool reads = place<count - 1, writes = place> 0;
    if ((reads && !s->read.there) || (writes && !s->write.there))
        return TR_EINVAL;
    if (s->pipeline != NULL || (reads && s->read.flowing))
        return TR_EEXIST;
    return s->closing || (reads && s->read.told) || (writes && s->write.over) ? TR_EPIPE : 0;
}

// Only the first and the last may be the same, if there is one between them or not.
static bool place_is_taken(tr__stream *const *places, size_t place, size_t count)
{
    size_t from = place == count - 1 ? 1 : 0;
    return place > from && pipeline_has(places + from, place - from, places[place]);
}

static int pipeline_fill(tr__pipeline *p, const tr_stream *streams)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->count; i++) {
        rc = tr__stream_of(p->actor, streams[i], &p->places[i]);
        if (rc == 0)
            rc = place_check(p->places[i], i, p->count);
        if (rc == 0 && place_is_taken(p->places, i, p->count))
            rc = TR_EINVAL;
    }
    return rc;
}

static void pipeline_join(tr__pipeline *p)
{
    for (size_t i = 0; i < p->count; i++) {
        tr__stream *s = p->places[i];
        s->pipeline = p;
        s->heeded = true;
        if (i + 1 < p->count)
            s->to = p->places[i + 1];
        if (i > 0)
            s->from = p->places[i - 1];
        tr__stream_kick(s);
    }
}

int tr_pipeline(tr_actor *self, const tr_stream *streams, size_t count,
                const tr_pipeline_opts *opts, tr_done cb, void *arg)
{
    tr_pipeline_opts o;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || !tr__actor_here(self) || self->state > TR__RUNNING || streams == NULL ||
        count < 2 || count > COUNT_MAX || cb == NULL)
        return TR_EINVAL;
    tr__pipeline *p = tr__zalloc(sizeof *p + count * sizeof *p->places);
    if (p == NULL)
        return TR_ENOMEM;
    p->owned.close = pipeline_close;
    p->actor = self;
    p->cb = cb;
    p->arg = arg;
    p->keep_last = o.keep_last;
    p->count = p->open = count;
    tr__list_append(&self->owned, &p->owned.link);
    rc = tr__cancel_join(o.cancel, self, &p->carrier, pipeline_cancelled);
    if (rc == 0)
        rc = pipeline_fill(p, streams);
    if (rc < 0) {
        pipeline_free(p);
        return rc;
    }
    pipeline_join(p);
    return 0;
}
