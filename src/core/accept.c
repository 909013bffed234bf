// The taker's end of a stream that another actor has offered (offer.c): a stream whose ops ask the
// owner, one ask at a time.
//
// An ask that the owner's mailbox has no room for is sent again when there is some. When the stream
// is closed before its end the owner is told, so that its end closes, too.
#include "base/assert.h"
#include "base/opts.h"
#include "core/offer.h"
#include "core/stream.h"

#define FOR_EVER UINT32_MAX // milliseconds: silence ends with the owner, or with the link to it

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "a stream's id is handed on as a pointer");

typedef struct taken {
    tr_addr owner;
    uint64_t id;
    tr__offer_verb verb; // of the ask that is under way, or to be sent when there is room
    tr_buf *const *chunks;
    size_t count;
    uint64_t ask;
    bool over; // the owner knows of the end
    int why;   // it is to be told
} taken;

static const tr_stream_ops reader_ops, writer_ops;

static taken *taken_of(tr_actor *self, tr_stream stream)
{
    taken *t = tr_stream_state(self, stream, &reader_ops);
    return t != NULL ? t : tr_stream_state(self, stream, &writer_ops);
}

static void *as_arg(tr_stream stream)
{
    return (void *)(uintptr_t)stream.id; // not the state: that may be gone when it is called
}

static tr_stream of_arg(void *arg)
{
    return (tr_stream){(uintptr_t)arg};
}

static int taken_ask(tr_actor *self, tr_stream stream, taken *t, tr__offer_verb verb);

// ---- Answers ----

static void reader_answered(tr_actor *self, tr_stream stream, taken *t, const tr_answer *answer)
{
    bool end = false;
    for (size_t i = 0; i < tr_msg_buf_count(answer->msg); i++) {
        tr_buf *chunk = tr_buf_ref(tr_msg_buf(answer->msg, i));
        if (tr_stream_push(self, stream, &chunk) < 0)
            tr_buf_unref(&chunk);
    }
    if (tr_as_bool(answer->body, &end) == 0 && end) {
        t->over = true;
        tr_stream_push(self, stream, NULL);
    } else if (tr_msg_buf_count(answer->msg) == 0) {
        tr_stream_destroy(self, stream, TR_EBADMSG);
    }
}

static void taken_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_stream stream = of_arg(arg);
    taken *t = taken_of(self, stream);
    if (t == NULL)
        return;
    t->ask = 0;
    if (t->verb == TR__OFFER_DROP) { // closing
        tr_stream_done(self, stream, 0);
    } else if (answer->status < 0) {
        t->over = true;
        tr_stream_destroy(self, stream, answer->status);
    } else if (t->verb == TR__OFFER_PULL) {
        reader_answered(self, stream, t, answer);
    } else {
        t->over = t->verb == TR__OFFER_END;
        tr_stream_done(self, stream, 0);
    }
}

// ---- Asks ----

static void taken_again(tr_actor *self, void *arg)
{
    tr_stream stream = of_arg(arg);
    taken *t = taken_of(self, stream);
    if (t == NULL || t->ask != 0)
        return;
    int rc = taken_ask(self, stream, t, t->verb);
    if (rc < 0 && t->verb == TR__OFFER_DROP)
        tr_stream_done(self, stream, 0);
    else if (rc < 0)
        tr_stream_destroy(self, stream, rc);
}

static int taken_message(const taken *t, tr__offer_verb verb, tr_msg **ret_msg)
{
    tr_val body = verb == TR__OFFER_DROP ? TR_LIST(t->id, t->why) : TR_V(t->id);
    int rc = tr_msg_new(tr__offer_names[verb], body, ret_msg);
    for (size_t i = 0; rc == 0 && verb == TR__OFFER_PUSH && i < t->count; i++) {
        tr_buf *chunk = tr_buf_ref(t->chunks[i]);
        rc = tr_msg_attach(*ret_msg, &chunk);
        tr_buf_unref(&chunk);
    }
    return rc;
}

// returns: 0: an answer will come
static int taken_ask(tr_actor *self, tr_stream stream, taken *t, tr__offer_verb verb)
{
    tr_msg *msg = NULL;
    t->verb = verb;
    int rc = taken_message(t, verb, &msg);
    if (rc == 0)
        rc = tr_ask_msg(self, t->owner, &msg, TR_ASK(.timeout_ms = FOR_EVER), &t->ask,
                        taken_answered, as_arg(stream));
    tr_msg_free(&msg);
    return rc == TR_EFULL ? tr_on_writable(self, t->owner, taken_again, as_arg(stream)) : rc;
}

// ---- What the stream does ----

static int reader_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)want;
    return taken_ask(self, stream, state, TR__OFFER_PULL);
}

static int writer_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    taken *t = state;
    t->chunks = chunks;
    t->count = count;
    int rc = taken_ask(self, stream, t, TR__OFFER_PUSH);
    return rc < 0 ? rc : TR_LATER;
}

static int writer_final(tr_actor *self, tr_stream stream, void *state)
{
    int rc = taken_ask(self, stream, state, TR__OFFER_END);
    return rc < 0 ? rc : TR_LATER;
}

static int taken_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    taken *t = state;
    if (t->ask != 0)
        tr_ask_cancel(self, t->ask);
    t->ask = 0;
    if (t->over)
        return 0;
    t->why = error < 0 ? error : TR_ECANCELED;
    return taken_ask(self, stream, t, TR__OFFER_DROP) < 0 ? 0 : TR_LATER;
}

static const tr_stream_ops reader_ops = {
    .name = "accepted", .state_size = sizeof(taken), .read = reader_read, .destroy = taken_destroy};
static const tr_stream_ops writer_ops = {.name = "accepted",
                                         .state_size = sizeof(taken),
                                         .write_count = TR_BUFS_MAX,
                                         .write = writer_write,
                                         .final = writer_final,
                                         .destroy = taken_destroy};

int tr_stream_accept(tr_actor *self, const tr_offer *offer, const tr_stream_opts *opts,
                     tr_stream *ret_stream)
{
    tr_stream_opts given;
    taken t = {.owner = TR_NOBODY};
    uint64_t flags;
    int rc = tr__opts_copy(opts, &given, sizeof given);
    if (rc < 0 || offer == NULL || tr_as_addr(offer->items[0], &t.owner) < 0 ||
        tr_as_uint(offer->items[1], &t.id) < 0 || tr_as_uint(offer->items[2], &flags) < 0)
        return TR_EINVAL;
    const tr_stream_ops *ops = (flags & TR__OFFER_READ) != 0 ? &reader_ops : &writer_ops;
    given.mode = (tr_stream_mode)(flags & TR_ITEMS);
    given.size = sizeof given;
    rc = tr_stream_new(self, ops, &given, ret_stream);
    if (rc == 0)
        *(taken *)tr_stream_state(self, *ret_stream, ops) = t;
    return rc;
}

// ---- Offers in documents ----

tr_val tr_val_offer(const tr_offer *offer)
{
    return offer == NULL ? TR_NULL : tr_val_list(offer->items, 3);
}

int tr_as_offer(tr_val value, tr_offer *ret_offer)
{
    tr_offer offer;
    tr_addr addr;
    uint64_t id, flags;
    if (ret_offer == NULL || value.type != TR_TYPE_LIST || tr_val_count(value) != 3)
        return TR_EBADMSG;
    for (size_t i = 0; i < 3; i++) {
        if (tr_at(value, i, &offer.items[i]) < 0)
            return TR_EBADMSG;
    }
    if (tr_as_addr(offer.items[0], &addr) < 0 || tr_as_uint(offer.items[1], &id) < 0 ||
        tr_as_uint(offer.items[2], &flags) < 0)
        return TR_EBADMSG;
    *ret_offer = offer;
    return 0;
}

int tr_get_offer(tr_val doc, const char *key, tr_offer *ret_offer)
{
    tr_val value;
    int rc = tr_get(doc, key, &value);
    return rc < 0 ? rc : tr_as_offer(value, ret_offer);
}
