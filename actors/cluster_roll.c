// Rolls: each worker of a cluster is replaced by a fresh one, so many at a time.
//
// A slot that is rolled goes through the stages of roll_stage. What moves it on are the events of
// its workers: a fresh one is ready, a fresh one has failed, an old one has gone. After each of
// them tr__roll_go looks whether another slot may begin, or whether all are through.
#include "cluster.h"

static bool slot_is_busy(const struct slot *slot)
{
    return slot->roll == ROLL_STARTING || slot->roll == ROLL_DRAINING;
}

static struct slot *slot_to_do(const struct cluster *c)
{
    struct slot *slot = c->slots;
    while (slot != NULL && slot->roll != ROLL_TODO)
        slot = slot->behind;
    return slot;
}

static uint32_t slots_busy(const struct cluster *c)
{
    uint32_t busy = 0;
    for (const struct slot *slot = c->slots; slot != NULL; slot = slot->behind)
        busy += slot_is_busy(slot);
    return busy;
}

// Those that are ready stay, whichever they are; for one that does no other is started any more.
void tr__roll_end(tr_actor *self, int error)
{
    struct cluster *c = tr__cluster_of(self);
    c->roll.on = false;
    c->fresh = c->fresh || (error == 0 && c->roll.all);
    for (struct slot *slot = c->slots; slot != NULL; slot = slot->behind) {
        struct worker *coming = slot->coming;
        if (slot->now != NULL) {
            slot->now->rolled = false; // it has taken the place of one that has ended
            slot->waits = false;
            tr_timer_clear(self, slot->timer);
        }
        slot->roll = ROLL_NONE;
        slot->coming = NULL;
        tr__cluster_drain(self, coming);
    }
    tr__cluster_tell(self, error == 0 ? "rolled" : "roll failed", NULL, NULL, NULL);
    if (error == 0)
        tr_reply_to(self, c->roll.asker, TR_V(c->roll.done)); // nobody may have asked
    else
        tr_reply_error_to(self, c->roll.asker, error);
}

void tr__roll_go(tr_actor *self)
{
    struct cluster *c = tr__cluster_of(self);
    struct slot *slot;
    while (c->roll.on && (slot = slot_to_do(c)) != NULL && slots_busy(c) < c->roll.parallel) {
        slot->roll = ROLL_STARTING;
        slot->tries = 0;
        slot->waits = false;
        tr_timer_clear(self, slot->timer); // for a worker like the one before
        tr__roll_start(self, slot);
    }
    if (c->roll.on && slot_to_do(c) == NULL && slots_busy(c) == 0)
        tr__roll_end(self, 0);
}

void tr__roll_start(tr_actor *self, struct slot *slot)
{
    struct worker **at = slot->now == NULL ? &slot->now : &slot->coming;
    int rc = tr__cluster_start_worker(self, slot, true, at);
    if (rc == 0) {
        (*at)->rolled = true;
        return;
    }
    tr_log("cluster.start", "slot=%u error=%s", slot->number, tr_errname(rc));
    tr__roll_failed(self, slot);
}

// A slot that has no worker at all goes on with those that it had.
static void roll_give_up(tr_actor *self)
{
    tr_log("cluster.roll", "new workers do not get ready: the old ones stay");
    tr__roll_end(self, TR_ECANCELED);
    for (struct slot *slot = tr__cluster_of(self)->slots; slot != NULL; slot = slot->behind) {
        if (slot->now == NULL && !slot->leaving && !slot->waits)
            tr__cluster_wait(self, slot);
    }
}

void tr__roll_failed(tr_actor *self, struct slot *slot)
{
    if (++slot->tries < tr__cluster_of(self)->spec.roll_tries)
        tr__cluster_wait(self, slot);
    else
        roll_give_up(self);
}

static void roll_through(tr_actor *self, struct slot *slot)
{
    slot->roll = ROLL_NONE;
    slot->failures = 0;
    tr__cluster_of(self)->roll.done++;
    tr__roll_go(self);
}

// Whether none that is drained is left in it.
static bool slot_is_rid(const struct slot *slot)
{
    return slot->workers == (uint32_t)(slot->now != NULL);
}

// Returns whether it was one that a roll waits for.
bool tr__roll_ready(tr_actor *self, struct worker *w)
{
    struct slot *slot = w->slot;
    if (!w->rolled)
        return false;
    struct worker *old = w == slot->coming ? slot->now : NULL;
    w->rolled = false;
    slot->now = w;
    slot->coming = NULL;
    slot->fresh = true;
    slot->roll = ROLL_DRAINING;
    tr__cluster_drain(self, old);
    if (slot_is_rid(slot))
        roll_through(self, slot);
    return true;
}

void tr__roll_gone(tr_actor *self, struct slot *slot)
{
    if (slot->roll == ROLL_DRAINING && slot_is_rid(slot))
        roll_through(self, slot);
}

// ---- What a cluster is asked ----

static int roll(tr_actor *self, const tr_msg *msg, uint32_t parallel, struct slot *only)
{
    struct cluster *c = tr__cluster_of(self);
    tr_asker asker = {0};
    if (c->roll.on)
        return tr_reply_error(self, msg, TR_EEXIST), 0;
    if (tr_reply_later(self, msg, &asker) == TR_ENOMEM) // any other error: it is no ask
        return tr_reply_error(self, msg, TR_ENOMEM), 0;
    c->roll.on = true;
    c->roll.all = only == NULL;
    c->roll.asker = asker;
    c->roll.parallel = parallel;
    c->roll.done = 0;
    for (struct slot *slot = c->slots; slot != NULL; slot = slot->behind) {
        if (!slot->leaving && (only == NULL || slot == only))
            slot->roll = ROLL_TODO;
    }
    tr__roll_go(self);
    return 0;
}

int tr__roll_begin(tr_actor *self, const tr_msg *msg)
{
    tr_val body = tr_msg_body(msg);
    uint64_t parallel = 1;
    int rc = body.type == TR_TYPE_NULL ? 0 : tr_get_uint(body, "parallel", &parallel);
    if ((rc < 0 && rc != TR_ENOENT) || parallel == 0 || parallel > TR_CLUSTER_MAX)
        return tr_reply_error(self, msg, TR_EBADMSG), 0;
    return roll(self, msg, (uint32_t)parallel, NULL);
}

int tr__roll_one(tr_actor *self, const tr_msg *msg)
{
    struct slot *slot = tr__cluster_of(self)->slots;
    uint64_t number;
    if (tr_as_uint(tr_msg_body(msg), &number) < 0)
        return tr_reply_error(self, msg, TR_EBADMSG), 0;
    while (slot != NULL && (slot->number != number || slot->leaving))
        slot = slot->behind;
    return slot == NULL ? (tr_reply_error(self, msg, TR_ENOENT), 0) : roll(self, msg, 1, slot);
}
