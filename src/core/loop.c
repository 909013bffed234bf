// Loops: one iteration, phase by phase, in Node's order (troupe/timer.h promises it).
//
//     starts -> timers -> pending -> poll (mailboxes, then the world's I/O) -> immediates -> close
//
// The core runs the iteration itself and hands only the waiting to the world, because libuv 1.44
// cannot give these promises: its zero timers never leave their phase, and whether a timeout of 0
// beats an immediate is chance there. Starts come first so that what an actor arms in its start
// meets the timers phase before the check phase.
//
// Each phase but the mailboxes' takes a snapshot of its work, so what a callback adds waits for the
// next iteration.
#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

_Thread_local tr_loop *tr__loop_here __attribute__((tls_model("initial-exec")));

int tr_immediate(tr_actor *self, tr_callback cb, void *arg)
{
    if (!tr__actor_here(self) || cb == NULL || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr__immediates *list = &self->loop->immediates;
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct tr__immediate *items = tr__resize(list->items, capacity * sizeof *items);
        if (items == NULL)
            return TR_ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct tr__immediate){self->id, cb, arg};
    return 0;
}

static void loop_run_immediates(tr_loop *loop)
{
    static const tr__what what = {"(immediate)"};
    tr__immediates batch = loop->immediates;
    loop->immediates = loop->checking; // empty, with the memory of the iteration before
    loop->checking = batch;
    if (batch.count > 0)
        tr__look_anew(loop);
    for (uint32_t i = 0; i < batch.count; i++) {
        struct tr__immediate item = batch.items[i];
        tr_actor *actor = tr__actor_find(loop, item.actor);
        if (actor != NULL)
            tr__turn(actor, &what, item.cb, item.arg);
    }
    loop->checking.count = 0;
}

// Actors whose jobs went over their budget, or were given some by another's turn.
static void loop_run_pending(tr_loop *loop)
{
    static const tr__what what = {"(jobs)"};
    tr__list batch;
    if (tr__list_empty(&loop->pending))
        return;
    tr__look_anew(loop);
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->pending);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr_actor *actor = tr__container(node, tr__extra, pending)->actor;
        if (actor->state == TR__RUNNING) {
            tr__turn_begin(actor, &what);
            tr__turn_end(actor);
        }
    }
}

void tr__later_run(tr_loop *loop, tr__later *later)
{
    tr_assert(tr__list_empty(&later->link));
    tr__list_append(&loop->later, &later->link);
}

// What has come to its end, as work that is home, in a turn of its actor.
static void loop_run_later(tr_loop *loop)
{
    tr__list batch;
    if (tr__list_empty(&loop->later))
        return;
    tr__look_anew(loop);
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->later);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr__later *later = tr__container(node, tr__later, link);
        later->run(later);
    }
}

uint64_t tr__loop_due(const tr_loop *loop)
{
    if (!tr__list_empty(&loop->births) || !tr__list_empty(&loop->runnable) ||
        !tr__list_empty(&loop->closing) || !tr__list_empty(&loop->pending) ||
        !tr__list_empty(&loop->later) || !tr__list_empty(&loop->writable) ||
        !tr__list_empty(&loop->not_refused) || loop->immediates.count > 0 ||
        loop->inbox_at != NULL || loop->restless)
        return 0;
    const tr__heap_entry *first = tr__heap_first(&loop->timers);
    return first == NULL ? TR__NEVER : first->key;
}

void tr__loop_step(tr_loop *loop)
{
    tr_assert(loop->current == NULL);
    tr_loop *before = tr__loop_here;
    tr__loop_here = loop;
    const tr__route *route = loop->node->route;
    tr__stats *stats = &loop->stats;

    tr__counter_add(&stats->iterations, 1);
    stats->phase = TR_PHASE_STARTS;
    if (loop->tap != NULL)
        tr__tap_look(loop);
    tr__inbox_run(loop);
    tr__births_run(loop);
    stats->phase = TR_PHASE_TIMERS;
    tr__timers_run(loop);
    stats->phase = TR_PHASE_PENDING;
    loop_run_pending(loop);
    loop_run_later(loop);
    stats->phase = TR_PHASE_MAIL;
    tr__mail_run(loop);
    tr__idle_run(loop);
    tr__look_last(loop);
    stats->phase = stats->since = TR_PHASE_POLL;
    if (route != NULL)
        route->flush(loop);
    tr__outboxes_publish(loop);
    if (loop->tap != NULL)
        tr__tap_sleep(loop);
    loop->world->ops->poll(loop->world, tr__loop_due(loop));
    if (loop->tap != NULL)
        loop->tap->tracer->ops->sleep(loop->tap, false);
    loop->restless = false;
    tr__waiters_run(loop);
    stats->phase = TR_PHASE_IMMEDIATES;
    loop_run_immediates(loop);
    stats->phase = TR_PHASE_CLOSE;
    tr__closing_run(loop);
    tr__look_last(loop);
    tr__outboxes_publish(loop);

    tr__loop_here = before;
}
