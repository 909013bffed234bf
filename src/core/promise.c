// Promises: a status and a packed document that come once, and reactions that run as microtasks of
// the actor that owns the promise.
//
// A promise lives as long as somebody has a reference: its makers, the microtask that is to run its
// reactions, and the reactions that are to settle it. When its actor ends it loses its reactions
// and can no longer be settled; the references that are left only keep its memory.
#include <troupe/promise.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"
#include "data/doc.h"

struct tr_promise {
    tr__owned owned;
    tr_actor *actor; // NULL: it has ended
    tr__list reactions;
    tr_buf *value; // packed; NULL: null
    int status;
    uint32_t refs;
    bool settled;
    bool queued; // its microtask is on its way, with a reference
};

typedef struct reaction {
    tr__list link;
    tr_reaction cb;
    void *arg;
    void (*drop)(void *arg); // it has run, or never will
    tr_promise *next;        // may be NULL
} reaction;

static void promise_free(tr_promise *promise, tr__list *ret_dropped)
{
    tr__list_remove(&promise->owned.link);
    tr__list_splice(ret_dropped, &promise->reactions);
    tr_buf_unref(&promise->value);
    tr__free(promise);
}

// Free reactions, and with them the promises that nobody else holds. Without recursion, for a chain
// may be long.
static void reactions_drop(tr__list *reactions)
{
    for (tr__list *node; (node = tr__list_pop(reactions)) != NULL;) {
        reaction *r = tr__container(node, reaction, link);
        if (r->drop != NULL)
            r->drop(r->arg);
        if (r->next != NULL && --r->next->refs == 0)
            promise_free(r->next, reactions);
        tr__free(r);
    }
}

// The actor ends: its microtasks have been dropped.
static void promise_close(tr__owned *owned)
{
    tr_promise *promise = tr__container(owned, tr_promise, owned);
    tr_promise_ref(promise);
    promise->actor = NULL;
    reactions_drop(&promise->reactions);
    tr_promise *in_queue = promise->queued ? promise : NULL;
    promise->queued = false;
    tr_promise_unref(&in_queue);
    tr_promise_unref(&promise);
}

int tr_promise_new(tr_actor *self, tr_promise **ret_promise)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || ret_promise == NULL)
        return TR_EINVAL;
    tr_promise *promise = tr__zalloc(sizeof *promise);
    if (promise == NULL)
        return TR_ENOMEM;
    promise->owned.close = promise_close;
    promise->owned.idle = true; // what settles it keeps the actor
    promise->actor = self;
    promise->refs = 1;
    tr__list_init(&promise->reactions);
    tr__list_append(&self->owned, &promise->owned.link);
    *ret_promise = promise;
    return 0;
}

tr_promise *tr_promise_ref(tr_promise *promise)
{
    tr_assert(promise->refs > 0);
    promise->refs++;
    return promise;
}

void tr_promise_unref(tr_promise **promise)
{
    if (promise == NULL || *promise == NULL)
        return;
    tr_promise *p = *promise;
    *promise = NULL;
    tr_assert(p->refs > 0);
    if (--p->refs > 0)
        return;
    tr__list dropped;
    tr__list_init(&dropped);
    promise_free(p, &dropped);
    reactions_drop(&dropped);
}

static void promise_react(tr_actor *self, void *arg);

// Have the reactions run in a microtask.
static int promise_queue(tr_promise *promise)
{
    if (promise->queued || tr__list_empty(&promise->reactions))
        return 0;
    int rc = tr__microtask(promise->actor, promise_react, promise);
    if (rc < 0)
        return rc;
    promise->queued = true;
    tr_promise_ref(promise);
    return 0;
}

static tr_val promise_value(const tr_promise *promise)
{
    tr_val value = TR_NULL;
    if (promise->value != NULL)
        tr__doc_view(tr_buf_data(promise->value), &value);
    return value;
}

// Settle from inside a reaction, where no error can be returned: without memory for one more
// microtask the reactions run in this one.
static void promise_settle_next(tr_promise *next, int status, tr_buf *value)
{
    if (next == NULL || next->settled || next->actor == NULL)
        return;
    next->settled = true;
    next->status = status < 0 ? status : 0;
    next->value = status < 0 || value == NULL ? NULL : tr_buf_ref(value);
    if (promise_queue(next) < 0) {
        tr_promise_ref(next);
        promise_react(next->actor, next);
    }
}

static void promise_react(tr_actor *self, void *arg)
{
    tr_promise *promise = arg;
    promise->queued = false;
    tr__list batch, gone;
    tr__list_init(&batch);
    tr__list_init(&gone);
    tr__list_splice(&batch, &promise->reactions);
    for (tr__list *node; self->state == TR__RUNNING && (node = tr__list_pop(&batch)) != NULL;) {
        reaction *r = tr__container(node, reaction, link);
        int status = r->cb(self, promise->status, promise_value(promise), r->arg);
        promise_settle_next(r->next, status, promise->value);
        tr__list_append(&gone, node);
    }
    tr__list_splice(&gone, &batch); // the actor is ending
    reactions_drop(&gone);
    tr_promise_unref(&promise);
}

// Whether it can be settled here and now.
static int promise_check(const tr_promise *promise)
{
    if (promise == NULL || (promise->actor != NULL && tr__loop_here != promise->actor->loop))
        return TR_EINVAL;
    return promise->settled || promise->actor == NULL ? TR_EEXIST : 0;
}

int tr_promise_resolve(tr_promise *promise, tr_val value)
{
    int rc = promise_check(promise);
    if (rc < 0)
        return rc;
    tr_buf *packed = NULL;
    if (value.type != TR_TYPE_NULL)
        rc = tr_val_pack(value, &packed);
    if (rc == 0)
        rc = promise_queue(promise);
    if (rc < 0) {
        tr_buf_unref(&packed);
        return rc;
    }
    promise->settled = true;
    promise->value = packed;
    return 0;
}

int tr_promise_reject(tr_promise *promise, int error)
{
    int rc = error < 0 ? promise_check(promise) : TR_EINVAL;
    if (rc == 0)
        rc = promise_queue(promise);
    if (rc < 0)
        return rc;
    promise->settled = true;
    promise->status = error;
    return 0;
}

static int promise_add(tr_promise *promise, const reaction *like)
{
    reaction *r = tr__alloc(sizeof *r);
    if (r == NULL)
        return TR_ENOMEM;
    *r = *like;
    tr__list_append(&promise->reactions, &r->link);
    int rc = promise->settled ? promise_queue(promise) : 0;
    if (rc < 0) {
        tr__list_remove(&r->link);
        tr__free(r);
    }
    return rc;
}

int tr_promise_then(tr_promise *promise, tr_reaction cb, void *arg, tr_promise **ret_next)
{
    if (promise == NULL || cb == NULL || !tr__actor_here(promise->actor))
        return TR_EINVAL;
    reaction r = {.cb = cb, .arg = arg};
    if (ret_next != NULL) {
        int rc = tr_promise_new(promise->actor, &r.next);
        if (rc < 0)
            return rc;
    }
    int rc = promise_add(promise, &r);
    if (rc < 0)
        tr_promise_unref(&r.next);
    else if (ret_next != NULL)
        *ret_next = tr_promise_ref(r.next);
    return rc;
}

// ---- all and race ----

// What the reactions of one `all` or `race` share. Each holds a reference.
typedef struct gather {
    tr_promise *result;
    uint32_t refs;
    size_t left; // values still to come, for all
    size_t count;
    struct gather_item {
        struct gather *of;
        tr_buf *value;
    } items[];
} gather;

static void gather_unref(gather *g)
{
    if (--g->refs > 0)
        return;
    for (size_t i = 0; i < g->count; i++)
        tr_buf_unref(&g->items[i].value);
    tr_promise_unref(&g->result);
    tr__free(g);
}

static void gather_drop(void *arg)
{
    gather_unref(((struct gather_item *)arg)->of);
}

static int gather_new(tr_actor *self, size_t count, gather **ret_gather)
{
    gather *g = tr__zalloc(sizeof *g + count * sizeof g->items[0]);
    if (g == NULL)
        return TR_ENOMEM;
    g->refs = 1;
    g->count = g->left = count;
    int rc = tr_promise_new(self, &g->result);
    if (rc < 0) {
        tr__free(g);
        return rc;
    }
    *ret_gather = g;
    return 0;
}

// All values are there: one list of them.
static int gather_resolve(gather *g)
{
    tr_val *values = tr__alloc((g->count + 1) * sizeof *values);
    if (values == NULL)
        return TR_ENOMEM;
    for (size_t i = 0; i < g->count; i++)
        tr__doc_view(tr_buf_data(g->items[i].value), &values[i]);
    int rc = tr_promise_resolve(g->result, tr_val_list(values, g->count));
    tr__free(values);
    return rc;
}

static int gather_all(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self;
    struct gather_item *item = arg;
    gather *g = item->of;
    if (status == 0)
        status = tr_val_pack(value, &item->value);
    if (status == 0 && --g->left == 0)
        status = gather_resolve(g);
    if (status < 0)
        promise_settle_next(g->result, status, NULL);
    return 0;
}

static int gather_race(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self;
    gather *g = ((struct gather_item *)arg)->of;
    if (status == 0)
        status = tr_promise_resolve(g->result, value);
    if (status < 0 && status != TR_EEXIST)
        promise_settle_next(g->result, status, NULL);
    return 0;
}

static int gather_start(tr_actor *self, tr_promise *const *promises, size_t count, tr_reaction cb,
                        tr_promise **ret_promise)
{
    if (!tr__actor_here(self) || (promises == NULL && count > 0) || ret_promise == NULL)
        return TR_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (promises[i] == NULL || promises[i]->actor != self)
            return TR_EINVAL;
    }
    gather *g;
    int rc = gather_new(self, count, &g);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        g->items[i].of = g;
        rc = promise_add(promises[i],
                         &(reaction){.cb = cb, .arg = &g->items[i], .drop = gather_drop});
        g->refs += rc == 0;
    }
    if (rc == 0 && count == 0 && cb == gather_all)
        rc = gather_resolve(g);
    if (rc == 0)
        *ret_promise = tr_promise_ref(g->result);
    gather_unref(g);
    return rc;
}

int tr_promise_all(tr_actor *self, tr_promise *const *promises, size_t count,
                   tr_promise **ret_promise)
{
    return gather_start(self, promises, count, gather_all, ret_promise);
}

int tr_promise_race(tr_actor *self, tr_promise *const *promises, size_t count,
                    tr_promise **ret_promise)
{
    return gather_start(self, promises, count, gather_race, ret_promise);
}

// ---- After a while ----

typedef struct wait {
    tr__owned owned;
    tr__timer timer;
    tr__carrier carrier;
    tr_actor *actor;
    tr_promise *promise;
} wait;

static void wait_free(wait *w)
{
    tr__list_remove(&w->owned.link);
    tr__cancel_leave(&w->carrier);
    tr__timer_disarm(w->actor->loop, &w->timer);
    tr_promise_unref(&w->promise);
    tr__free(w);
}

static void wait_close(tr__owned *owned)
{
    wait_free(tr__container(owned, wait, owned));
}

static void wait_over(wait *w, int status)
{
    static const tr__what what = {"(timer)"};
    tr_actor *actor = w->actor;
    if (actor->state != TR__RUNNING)
        return; // it goes with its actor
    tr_promise *promise = tr_promise_ref(w->promise);
    wait_free(w);
    tr__turn_begin(actor, &what);
    promise_settle_next(promise, status, NULL);
    tr__turn_end(actor);
    tr_promise_unref(&promise);
}

static void wait_fire(tr__timer *timer)
{
    wait *w = tr__container(timer, wait, timer);
    wait_over(w, tr__cancel_comes(&w->carrier) ? TR_ECANCELED : 0);
}

static void wait_cancelled(tr__carrier *carrier)
{
    wait_over(tr__container(carrier, wait, carrier), TR_ECANCELED);
}

// moves: promise, on success
static int wait_start(tr_promise *promise, uint64_t delay_ns, tr_cancel *cancel)
{
    tr_actor *self = promise->actor;
    wait *w = tr__alloc(sizeof *w);
    if (w == NULL)
        return TR_ENOMEM;
    *w = (wait){.actor = self, .promise = promise};
    w->timer.fire = wait_fire;
    w->owned.close = wait_close;
    int rc = tr__cancel_join(cancel, self, &w->carrier, wait_cancelled);
    if (rc == 0)
        rc = tr__timer_arm(self->loop, &w->timer, tr_now(self) + delay_ns);
    if (rc < 0) {
        tr__cancel_leave(&w->carrier);
        tr__free(w);
    } else {
        tr__list_append(&self->owned, &w->owned.link);
    }
    return rc;
}

int tr_promise_after(tr_actor *self, uint64_t delay_ns, tr_cancel *cancel, tr_promise **ret_promise)
{
    tr_promise *promise = NULL;
    if (delay_ns > TR__DELAY_MAX || ret_promise == NULL)
        return TR_EINVAL;
    int rc = tr_promise_new(self, &promise);
    if (rc == 0)
        rc = wait_start(promise, delay_ns, cancel);
    if (rc == 0)
        *ret_promise = tr_promise_ref(promise);
    else
        tr_promise_unref(&promise);
    return rc;
}
