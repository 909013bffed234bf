// Offers: the owner's end of a stream that was handed to another actor (accept.c is the other one).
//
// The offered side is joined by a pipeline to a hidden stream, whose other side is the taker:
// chunks go out as answers to `pull` and come in by `push`, so the taker's pace is the pipeline's,
// and what ends or fails on one side comes through to the other as in any pipeline. Asks do the
// rest: they are answered with the reason when the owner or the link to it is gone. That the taker
// is gone is heard by watching it.
//
//     offered -> taken, by the first ask -> over: the pipeline is done -> told, and freed
//
// An ask that cannot be answered yet is kept (`asker`); there is one at most, for the taker waits
// for each answer. How it went is kept until the taker has heard it.
#include "core/offer.h"

#include <limits.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/stream.h"

#define TIMEOUT_MS 30000u

typedef struct offer {
    tr__owned owned;
    tr__watcher taker_ended;
    tr__timer timer; // always armed: nobody has taken it; the taker has ended
    tr_actor *actor;
    uint64_t id;
    tr_addr taker; // TR_NOBODY: not taken yet
    tr_stream hidden;
    tr_asker asker;        // waits for an answer; {0}: nobody does
    tr_buf *const *chunks; // to be pulled; NULL: none
    size_t count;
    bool out;  // what is read from the stream is offered
    bool ends; // there are no more chunks: out: that is to be told; in: the asker waits for the end
    bool over; // the pipeline is done
    bool told; // the taker knows all that it has to, or is not there
    int status; // over
} offer;

const char *const tr__offer_names[] = {"troupe.pull", "troupe.push", "troupe.end", "troupe.drop"};

// ---- Life ----

static void offer_free(offer *o)
{
    tr_loop *loop = o->actor->loop;
    tr__slots_remove(&loop->offers, o->id);
    tr__timer_disarm(loop, &o->timer);
    tr__unwatch(&o->taker_ended);
    tr__list_remove(&o->owned.link);
    tr__free(o);
}

static void offer_close(tr__owned *owned)
{
    offer_free(tr__container(owned, offer, owned)); // an asker is told that its actor has ended
}

static offer *offer_find(const tr_actor *self, uint64_t id)
{
    offer *o = tr__slots_find(&self->loop->offers, id);
    return o != NULL && o->actor == self ? o : NULL;
}

// The hidden stream's state is an id: with their actor the two end in any order.
static offer *offer_of(const tr_actor *self, const void *state)
{
    return offer_find(self, *(const uint64_t *)state);
}

// When nothing is to be told any more.
static void offer_settle(offer *o)
{
    if (o->over && o->told)
        offer_free(o);
}

// ---- Answers ----

static void offer_answered(offer *o, int rc)
{
    if (rc == 0)
        o->asker = (tr_asker){0};
}

static int offer_answer(offer *o, int status)
{
    int rc = status < 0 ? tr_reply_error_to(o->actor, o->asker, status)
                        : tr_reply_to(o->actor, o->asker, TR_NULL);
    offer_answered(o, rc);
    return rc;
}

static int offer_answer_chunks(offer *o, tr_buf *const *chunks, size_t count, bool end)
{
    tr_msg *reply = NULL;
    int rc = tr_msg_new("chunks", end ? TR_TRUE : TR_NULL, &reply);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        tr_buf *chunk = tr_buf_ref(chunks[i]);
        rc = tr_msg_attach(reply, &chunk);
        tr_buf_unref(&chunk);
    }
    if (rc == 0)
        rc = tr_reply_msg_to(o->actor, o->asker, &reply);
    tr_msg_free(&reply);
    offer_answered(o, rc);
    return rc;
}

// ---- Coming to an end ----

// The pipeline between the offered and the hidden stream is done. Who pulls has heard of a good end
// already.
static void offer_over(tr_actor *self, int status, void *arg)
{
    offer *o = arg;
    (void)self;
    o->over = true;
    o->status = status;
    if (o->asker.id != 0) {
        offer_answer(o, status);
        o->told = true;
    }
    offer_settle(o);
}

static void offer_give_up(tr_actor *self, void *arg)
{
    offer *o = arg;
    bool taken = !tr_addr_eq(o->taker, TR_NOBODY);
    o->told = true;
    tr_stream_destroy(self, o->hidden, taken ? TR_EDOWN : TR_ETIMEDOUT);
    offer_settle(o);
}

static void offer_fire(tr__timer *timer)
{
    static const tr__what what = {"(offer)"};
    offer *o = tr__container(timer, offer, timer);
    if (o->actor->state == TR__RUNNING)
        tr__turn(o->actor, &what, offer_give_up, o);
}

// It is armed until it fires, so it is only moved.
static void offer_set_timer(offer *o, uint64_t due)
{
    int rc = tr__timer_arm(o->actor->loop, &o->timer, due);
    tr_assert(rc == 0);
}

// In a turn of its own, not here, in the middle of somebody else's end.
static void offer_taker_ended(tr__watcher *watcher, tr_reason reason)
{
    (void)reason;
    offer_set_timer(tr__container(watcher, offer, taker_ended), 0);
}

// ---- Out: the hidden stream is what the offered one flows into ----

static int out_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                     size_t count)
{
    offer *o = offer_of(self, state);
    (void)stream;
    if (o->asker.id != 0)
        return offer_answer_chunks(o, chunks, count, false);
    o->chunks = chunks;
    o->count = count;
    return TR_LATER;
}

static int out_end(offer *o)
{
    int rc = offer_answer_chunks(o, NULL, 0, true);
    o->told = rc == 0;
    return rc;
}

static int out_final(tr_actor *self, tr_stream stream, void *state)
{
    offer *o = offer_of(self, state);
    (void)stream;
    if (o->asker.id != 0)
        return out_end(o);
    o->ends = true;
    return TR_LATER;
}

static int out_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    offer *o = offer_of(self, state);
    (void)stream, (void)error;
    if (o != NULL) {
        o->chunks = NULL;
        o->ends = false;
    }
    return 0;
}

static const tr_stream_ops out_ops = {.name = "offered",
                                      .state_size = sizeof(uint64_t),
                                      .write_count = TR_BUFS_MAX,
                                      .write = out_write,
                                      .final = out_final,
                                      .destroy = out_destroy};

static void offer_pull(offer *o)
{
    tr_buf *const *chunks = o->chunks;
    if (chunks == NULL && !o->ends)
        return; // later
    o->chunks = NULL;
    int rc = chunks == NULL ? out_end(o) : offer_answer_chunks(o, chunks, o->count, false);
    tr_stream_done(o->actor, o->hidden, rc);
}

// ---- In: the hidden stream flows into the offered one ----

// There is room again.
static int in_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    offer *o = offer_of(self, state);
    (void)stream, (void)want;
    return o->asker.id == 0 || o->ends ? 0 : offer_answer(o, 0);
}

static const tr_stream_ops in_ops = {
    .name = "offered", .state_size = sizeof(uint64_t), .read = in_read};

static void offer_push(offer *o, const tr_msg *msg)
{
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < tr_msg_buf_count(msg); i++) {
        tr_buf *chunk = tr_buf_ref(tr_msg_buf(msg, i));
        rc = tr_stream_push(o->actor, o->hidden, &chunk);
        tr_buf_unref(&chunk);
    }
    if (rc == 0)
        rc = offer_answer(o, 0);
    if (rc < 0)
        tr_stream_destroy(o->actor, o->hidden, rc);
}

static void offer_end(offer *o)
{
    o->ends = true;
    tr_stream_push(o->actor, o->hidden, NULL); // refused when it is ending anyway
}

// ---- Asked ----

static tr__offer_verb asked_verb(const tr_msg *msg)
{
    unsigned verb = 0;
    while (verb < TR__OFFER_VERBS && !tr_msg_is(msg, tr__offer_names[verb]))
        verb++;
    return (tr__offer_verb)verb;
}

bool tr__offer_asks(const tr_msg *msg)
{
    return asked_verb(msg) < TR__OFFER_VERBS;
}

static int asked_drop(tr_val body, uint64_t *ret_id, int *ret_why)
{
    tr_val id, why;
    int64_t error;
    if (tr_at(body, 0, &id) < 0 || tr_as_uint(id, ret_id) < 0 || tr_at(body, 1, &why) < 0 ||
        tr_as_int(why, &error) < 0 || error >= 0 || error < INT_MIN)
        return TR_EBADMSG;
    *ret_why = (int)error;
    return 0;
}

// The first one who asks is the taker. errors: TR_EEXIST, and why it cannot be watched
static int offer_taken(offer *o, tr_addr by)
{
    if (!tr_addr_eq(o->taker, TR_NOBODY))
        return tr_addr_eq(o->taker, by) ? 0 : TR_EEXIST;
    if (o->told)
        return TR_ETIMEDOUT;
    int rc = tr__watch(o->actor->loop, by, &o->taker_ended);
    if (rc < 0)
        return rc;
    o->taker = by;
    offer_set_timer(o, TR__NEVER);
    return 0;
}

static int offer_check(offer *o, const tr_msg *msg, tr__offer_verb verb)
{
    int rc = o == NULL ? TR_ENOENT : offer_taken(o, tr_msg_from(msg));
    if (rc == 0 && o->told)
        rc = TR_ENOENT;
    else if (rc == 0 && verb != TR__OFFER_DROP &&
             (o->out != (verb == TR__OFFER_PULL) || o->asker.id != 0))
        rc = TR_EINVAL;
    return rc;
}

static void offer_do(offer *o, tr__offer_verb verb, const tr_msg *msg, int why)
{
    if (verb == TR__OFFER_DROP) {
        tr_reply(o->actor, msg, TR_NULL);
        o->told = true;
        tr_stream_destroy(o->actor, o->hidden, why);
        offer_settle(o);
    } else if (tr_reply_later(o->actor, msg, &o->asker) < 0) {
        tr_stream_destroy(o->actor, o->hidden, TR_ENOMEM);
    } else if (o->over) {
        offer_over(o->actor, o->status, o);
    } else if (verb == TR__OFFER_PULL) {
        offer_pull(o);
    } else if (verb == TR__OFFER_PUSH) {
        offer_push(o, msg);
    } else {
        offer_end(o);
    }
}

int tr__offer_asked(tr_actor *self, const tr_msg *msg)
{
    tr__offer_verb verb = asked_verb(msg);
    uint64_t id;
    int why = 0, rc;
    rc = verb == TR__OFFER_DROP ? asked_drop(tr_msg_body(msg), &id, &why)
                                : tr_as_uint(tr_msg_body(msg), &id);
    offer *o = rc < 0 ? NULL : offer_find(self, id);
    if (rc == 0)
        rc = offer_check(o, msg, verb);
    if (rc < 0)
        tr_reply_error(self, msg, rc);
    else
        offer_do(o, verb, msg, why);
    return 0;
}

// ---- Offering ----

static int offer_new(tr_actor *self, uint32_t timeout_ms, offer **ret_offer)
{
    tr_loop *loop = self->loop;
    offer *o = tr__zalloc(sizeof *o);
    if (o == NULL)
        return TR_ENOMEM;
    o->actor = self;
    o->owned.close = offer_close;
    o->timer.fire = offer_fire;
    o->taker_ended.ended = offer_taker_ended;
    tr__list_init(&o->taker_ended.link);
    tr__list_init(&o->owned.link);
    int rc = tr__slots_add(&loop->offers, o, &o->id);
    if (rc < 0) {
        tr__free(o);
        return rc;
    }
    uint64_t wait = TR_MS(timeout_ms == 0 ? TIMEOUT_MS : timeout_ms);
    rc = tr__timer_arm(loop, &o->timer, loop->world->ops->now(loop->world) + wait);
    if (rc < 0) {
        offer_free(o);
        return rc;
    }
    tr__list_append(&self->owned, &o->owned.link);
    *ret_offer = o;
    return 0;
}

static int offer_join(tr_actor *self, offer *o, tr_stream stream, bool out, unsigned mode)
{
    const tr_stream_ops *ops = out ? &out_ops : &in_ops;
    int rc = tr_stream_new(self, ops, TR_STREAM(.mode = (tr_stream_mode)mode), &o->hidden);
    if (rc < 0)
        return rc;
    *(uint64_t *)tr_stream_state(self, o->hidden, ops) = o->id;
    tr_stream both[] = {out ? stream : o->hidden, out ? o->hidden : stream};
    rc = tr_pipeline(self, both, 2, NULL, offer_over, o);
    if (rc < 0)
        tr_stream_destroy(self, o->hidden, 0);
    return rc;
}

static int stream_offer(tr_actor *self, tr_stream stream, const tr_offer_opts *opts, bool out,
                        tr_offer *ret_offer)
{
    tr_offer_opts given;
    tr__stream *s;
    offer *o;
    int rc = tr__opts_copy(opts, &given, sizeof given);
    if (rc == 0)
        rc = tr__stream_of(self, stream, &s);
    if (rc < 0 || ret_offer == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    unsigned mode = (out ? s->read.items : s->write.items) ? TR_ITEMS : TR_BYTES;
    rc = offer_new(self, given.timeout_ms, &o);
    if (rc == 0)
        o->out = out;
    if (rc == 0 && (rc = offer_join(self, o, stream, out, mode)) < 0)
        offer_free(o);
    if (rc == 0)
        *ret_offer = (tr_offer){
            {TR_V(tr_self(self)), TR_V(o->id), TR_V(mode | (out ? TR__OFFER_READ : 0u))}};
    return rc;
}

int tr_stream_offer_read(tr_actor *self, tr_stream stream, const tr_offer_opts *opts,
                         tr_offer *ret_offer)
{
    return stream_offer(self, stream, opts, true, ret_offer);
}

int tr_stream_offer_write(tr_actor *self, tr_stream stream, const tr_offer_opts *opts,
                          tr_offer *ret_offer)
{
    return stream_offer(self, stream, opts, false, ret_offer);
}
