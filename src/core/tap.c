// The tap, where it costs something: stamps, and turns that somebody looks at.
//
// A turn's time is told by one look at the ticks, when it is over: that is where the next one of the
// same phase begins, and when what it has sent to its own loop leaves. A look costs as much as all
// the rest.
#include "core/tap.h"

#include "base/ticks.h"
#include "core/node.h"

#define SPANS 4096u // taken at a time

void tr__tap_open(tr_loop *loop)
{
    tr__tracer *tracer = loop->node->tracer;
    loop->tap = tracer->ops->tap(tracer, loop);
    if (loop->tap == NULL)
        return;
    loop->tap->turn = &loop->tap->own;
    loop->last.actor = &loop->tap->running->last;
}

void tr__node_trace(tr_node *node, tr__tracer **tracer)
{
    node->tracer = *tracer;
    node->tracer->node = node;
    *tracer = NULL;
    tr__tap_open(tr__node_loop(node, 0));
}

uint64_t tr__tap_ticks(const tr_loop *loop)
{
    return loop->tap->tsc ? tr__ticks() : loop->world->ops->now(loop->world);
}

void tr__tap_look(tr_loop *loop)
{
    tr__tap *tap = loop->tap;
    tap->tick = 0;
    loop->eyes = (uint8_t)((loop->eyes & TR__EYE_DOG) | tap->tracer->ops->look(tap, loop));
}

// What it does next does not begin before it has waited.
void tr__tap_sleep(const tr_loop *loop)
{
    loop->tap->tick = 0;
    loop->tap->tracer->ops->sleep(loop->tap, true);
}

void tr__tap_tell(const tr_loop *loop, const tr__fact *fact)
{
    loop->tap->tracer->ops->fact(loop->tap, fact);
}

// ---- Stamps ----

static uint32_t span_next(tr__tap *tap)
{
    if (tap->span == tap->span_end) {
        tap->span =
            (uint32_t)atomic_fetch_add_explicit(&tap->tracer->spans, SPANS, memory_order_relaxed);
        tap->span_end = tap->span + SPANS;
    }
    return ++tap->span;
}

// A trace begins with the first message of a turn that no message has caused. Its id: the node, and
// its first span, which no other loop has, made to look as random as others expect.
static void turn_take_root(tr__tap *tap)
{
    uint64_t node = tap->tracer->node->id, mixed = node ^ (uint64_t)tap->span << 32;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    tap->own = (tr__trace_at){.high = node, .low = (mixed ^ mixed >> 31) | 1};
}

static inline void stamp_place(tr__tap *tap, tr__stamp *ret_stamp)
{
    uint32_t span = span_next(tap);
    if (tap->turn->low == 0)
        turn_take_root(tap);
    ret_stamp->at = (tr__trace_at){tap->turn->high, tap->turn->low, span, tap->turn->span};
}

void tr__tap_stamp(tr_loop *loop, tr__stamp *ret_stamp)
{
    tr__tap *tap = loop->tap;
    stamp_place(tap, ret_stamp);
    ret_stamp->sent = tr__tap_ticks(loop);
    if (loop->current == NULL)
        tap->own.low = 0; // the runtime's own
}

void tr__tap_stamp_later(const tr_loop *loop, tr__stamp *ret_stamp)
{
    tr__tap *tap = loop->tap;
    tr_assert(loop->current != NULL);
    stamp_place(tap, ret_stamp);
    ret_stamp->next = tap->unsent;
    tap->unsent = ret_stamp;
}

static inline void unsent_settle(tr__tap *tap, uint64_t ticks)
{
    tr__stamp *stamp = tap->unsent;
    tap->unsent = NULL;
    while (stamp != NULL) {
        tr__stamp *next = stamp->next;
        stamp->sent = ticks;
        stamp = next;
    }
}

void tr__tap_settle(const tr_loop *loop)
{
    unsent_settle(loop->tap, tr__tap_ticks(loop));
}

// ---- Turns ----

// From the end of the one before, if there was one in this phase.
static inline void turn_start(tr__tap *tap, uint64_t ticks)
{
    tap->start = ticks;
    atomic_store_explicit(&tap->running->since, ticks, memory_order_relaxed);
}

static inline void tap_begin(tr__tap *tap, const tr_actor *actor, const tr_msg *msg, uint64_t ticks)
{
    turn_start(tap, ticks);
    tap->msg = msg;
    if (msg->stamped != TR__UNSTAMPED)
        tap->turn = &tr__msg_stamp(msg)->at;
    tr__record_begin(tap, actor, msg);
}

static inline void tap_end(tr__tap *tap, const tr_actor *actor, uint64_t ticks, bool bodies)
{
    const tr_msg *msg = tap->msg;
    tap->tick = ticks;
    tap->msg = NULL;
    tap->turn = &tap->own;
    tap->own.low = 0;
    unsent_settle(tap, ticks);
    atomic_store_explicit(&tap->running->since, 0, memory_order_relaxed);
    if (msg != NULL)
        tr__record_end(tap, actor, msg, bodies);
}

// Returns whether the tracer looks, and then when the turn begins.
static bool eyes_begin(const tr_actor *actor, const tr__what *what, uint64_t *ret_ticks)
{
    tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) != 0)
        tr__shown_begin(&loop->shown, actor->behavior, actor->id, what);
    if ((loop->eyes & TR__EYE_MESSAGES) == 0)
        return false;
    *ret_ticks = loop->tap->tick != 0 ? loop->tap->tick : tr__tap_ticks(loop);
    return true;
}

void tr__eyes_begin(const tr_actor *actor, const tr__what *what)
{
    tr__tap *tap = actor->loop->tap;
    uint64_t ticks;
    if (!eyes_begin(actor, what, &ticks))
        return;
    tr__record_begin_other(tap, what);
    turn_start(tap, ticks);
}

__attribute__((noinline)) static void eyes_begin_msg(const tr_actor *actor, const tr_msg *msg)
{
    uint64_t ticks;
    if (eyes_begin(actor, tr__msg_what(msg), &ticks))
        tap_begin(actor->loop->tap, actor, msg, ticks);
}

// Mostly it is the next turn of its phase, and only the tracer looks.
void tr__eyes_begin_msg(const tr_actor *actor, const tr_msg *msg)
{
    const tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) == 0 && loop->tap->tick != 0)
        tap_begin(loop->tap, actor, msg, loop->tap->tick);
    else
        eyes_begin_msg(actor, msg);
}

__attribute__((noinline)) static void eyes_end(const tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) != 0)
        tr__shown_end(&loop->shown);
    if ((loop->eyes & TR__EYE_MESSAGES) != 0)
        tap_end(loop->tap, actor, tr__tap_ticks(loop), (loop->eyes & TR__EYE_BODIES) != 0);
}

void tr__eyes_end(const tr_actor *actor)
{
    const tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) == 0 && loop->tap->tsc)
        tap_end(loop->tap, actor, tr__ticks(), (loop->eyes & TR__EYE_BODIES) != 0);
    else
        eyes_end(actor);
}
