// Timers: a heap ordered by (due time, order of arming) over the world's clock in nanoseconds.
//
// The world only learns the next due time. A phase fires what was due and armed before it began:
// the heap's order number tells, so a callback that arms a timer of 0 cannot keep the phase going,
// which libuv 1.44's timers do. Timers of actors are found by a handle that goes stale, so that
// clearing one that has fired is harmless.
#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"

typedef struct actor_timer {
    tr__timer timer;
    tr__owned owned;
    tr_actor *actor;
    tr_callback cb;
    void *arg;
    uint64_t id;
    uint64_t due;
    uint64_t period; // 0: once
} actor_timer;

int tr__timer_arm(tr_loop *loop, tr__timer *timer, uint64_t due)
{
    if (timer->node.index == 0)
        return tr__heap_add(&loop->timers, due, &timer->node);
    tr__heap_move(&loop->timers, due, &timer->node);
    return 0;
}

void tr__timer_disarm(tr_loop *loop, tr__timer *timer)
{
    tr__heap_remove(&loop->timers, &timer->node);
}

void tr__timers_run(tr_loop *loop)
{
    const tr__heap_entry *first = tr__heap_first(&loop->timers);
    if (first == NULL)
        return;
    tr__look_anew(loop);
    uint64_t now = loop->now, order = loop->timers.order;
    while (first != NULL && first->key <= now && first->order < order) {
        tr__timer *timer = tr__container(first->node, tr__timer, node);
        tr__timer_disarm(loop, timer);
        timer->fire(timer);
        first = tr__heap_first(&loop->timers);
    }
}

static void timer_free(actor_timer *t)
{
    tr_loop *loop = t->actor->loop;
    tr__timer_disarm(loop, &t->timer);
    tr__slots_remove(&loop->timer_ids, t->id);
    tr__list_remove(&t->owned.link);
    tr__free(t);
}

static void timer_close(tr__owned *owned)
{
    timer_free(tr__container(owned, actor_timer, owned));
}

// The next point of the fixed schedule that lies ahead.
static uint64_t timer_next_due(const actor_timer *t, uint64_t now)
{
    uint64_t due = t->due + t->period;
    return due > now ? due : now + t->period - (now - due) % t->period;
}

static void timer_fire(tr__timer *timer)
{
    static const tr__what what = {"(timer)"};
    actor_timer *t = tr__container(timer, actor_timer, timer);
    tr_actor *actor = t->actor;
    tr_callback cb = t->cb;
    void *arg = t->arg;
    if (t->period != 0 && actor->state == TR__RUNNING) {
        tr_world *world = actor->loop->world;
        t->due = timer_next_due(t, world->ops->now(world));
        int rc = tr__timer_arm(actor->loop, timer, t->due);
        tr_assert(rc == 0); // there is room where it has just been
    } else {
        timer_free(t);
    }
    if (actor->state == TR__RUNNING)
        tr__turn(actor, &what, cb, arg);
}

static int timer_start(tr_actor *self, uint64_t delay, uint64_t period, tr_callback cb, void *arg,
                       tr_timer *ret_timer)
{
    if (!tr__actor_here(self) || cb == NULL || delay > TR__DELAY_MAX || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr_loop *loop = self->loop;
    actor_timer *t = tr__alloc(sizeof *t);
    if (t == NULL)
        return TR_ENOMEM;
    *t = (actor_timer){.timer.fire = timer_fire,
                       .owned.close = timer_close,
                       .actor = self,
                       .cb = cb,
                       .arg = arg,
                       .due = loop->world->ops->now(loop->world) + delay,
                       .period = period};
    int rc = tr__slots_add(&loop->timer_ids, t, &t->id);
    if (rc == 0) {
        rc = tr__timer_arm(loop, &t->timer, t->due);
        if (rc < 0)
            tr__slots_remove(&loop->timer_ids, t->id);
    }
    if (rc < 0) {
        tr__free(t);
        return rc;
    }
    tr__list_append(&self->owned, &t->owned.link);
    if (ret_timer != NULL)
        ret_timer->id = t->id;
    return 0;
}

int tr_timer_start(tr_actor *self, uint64_t delay_ns, tr_callback cb, void *arg,
                   tr_timer *ret_timer)
{
    return timer_start(self, delay_ns, 0, cb, arg, ret_timer);
}

int tr_interval_start(tr_actor *self, uint64_t period_ns, tr_callback cb, void *arg,
                      tr_timer *ret_timer)
{
    if (period_ns == 0)
        return TR_EINVAL;
    return timer_start(self, period_ns, period_ns, cb, arg, ret_timer);
}

void tr_timer_clear(tr_actor *self, tr_timer timer)
{
    if (!tr__actor_here(self))
        return;
    actor_timer *t = tr__slots_find(&self->loop->timer_ids, timer.id);
    if (t != NULL && t->actor == self)
        timer_free(t);
}

uint64_t tr_now(const tr_actor *self)
{
    return self == NULL ? 0 : self->loop->world->ops->now(self->loop->world);
}
