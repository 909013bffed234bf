// The tap, where it costs something: stamps, and turns that somebody looks at.
//
// A turn's time is told by two looks at the ticks for each message: when it is sent, and when its
// turn is over, which is where the next one of the same phase begins.
#include "core/tap.h"

#include "core/node.h"

#define SPANS 4096u // taken at a time

#if defined(__x86_64__)
static inline uint64_t processor_ticks(void)
{
    return __builtin_ia32_rdtsc();
}
#else
static inline uint64_t processor_ticks(void)
{
    return 0;
}
#endif

void tr__tap_open(tr_loop *loop)
{
    tr__tracer *tracer = loop->node->tracer;
    loop->tap = tracer->ops->tap(tracer, loop);
    if (loop->tap != NULL)
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
    return loop->tap->tsc ? processor_ticks() : loop->world->ops->now(loop->world);
}

void tr__tap_look(tr_loop *loop)
{
    tr__tap *tap = loop->tap;
    tap->tick = 0;
    loop->eyes = (uint8_t)((loop->eyes & TR__EYE_DOG) | tap->tracer->ops->look(tap, loop));
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
    tap->turn = (tr__trace_at){.high = node, .low = (mixed ^ mixed >> 31) | 1};
}

void tr__tap_stamp(tr_loop *loop, tr__stamp *ret_stamp)
{
    tr__tap *tap = loop->tap;
    uint32_t span = span_next(tap);
    if (tap->turn.low == 0)
        turn_take_root(tap);
    ret_stamp->at = tap->turn;
    ret_stamp->parent = tap->turn.span;
    ret_stamp->at.span = span;
    ret_stamp->sent = tr__tap_ticks(loop);
    if (loop->current == NULL)
        tap->turn.low = 0; // the runtime's own
}

// ---- Turns ----

static void running_set(tr__running *running, uint64_t actor, uint64_t since, const tr__what *what)
{
    for (size_t i = 0; i < TR__WHAT_WORDS; i++) {
        uint64_t word;
        memcpy(&word, what->text + i * sizeof word, sizeof word);
        atomic_store_explicit(&running->what[i], word, memory_order_relaxed);
    }
    atomic_store_explicit(&running->since, since, memory_order_relaxed);
    atomic_store_explicit(&running->actor, actor, memory_order_relaxed);
}

static void tap_begin(const tr_actor *actor, const tr__what *what, const tr_msg *msg)
{
    tr__tap *tap = actor->loop->tap;
    tap->start = tap->tick != 0 ? tap->tick : tr__tap_ticks(actor->loop);
    tap->msg = msg;
    tap->code = 0;
    tap->depth = actor->mail_count;
    if (msg != NULL && msg->stamped)
        tap->turn = tr__msg_stamp(msg)->at;
    running_set(tap->running, actor->id, tap->start, what);
}

static void tap_end(const tr_actor *actor)
{
    const tr_loop *loop = actor->loop;
    tr__tap *tap = loop->tap;
    tap->tick = tr__tap_ticks(loop);
    if (tap->msg != NULL)
        tap->tracer->ops->message(tap,
                                  &(tr__handled){.actor = actor,
                                                 .msg = tap->msg,
                                                 .start = tap->start,
                                                 .end = tap->tick,
                                                 .depth = tap->depth,
                                                 .code = tap->code,
                                                 .bodies = (loop->eyes & TR__EYE_BODIES) != 0});
    tap->msg = NULL;
    tap->turn = (tr__trace_at){0};
    atomic_store_explicit(&tap->running->actor, 0, memory_order_relaxed);
}

void tr__eyes_begin(const tr_actor *actor, const tr__what *what, const tr_msg *msg)
{
    tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) != 0)
        tr__shown_begin(&loop->shown, actor->behavior, actor->id, what);
    if ((loop->eyes & TR__EYE_MESSAGES) != 0)
        tap_begin(actor, what, msg);
}

void tr__eyes_end(const tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    if ((loop->eyes & TR__EYE_DOG) != 0)
        tr__shown_end(&loop->shown);
    if ((loop->eyes & TR__EYE_MESSAGES) != 0)
        tap_end(actor);
}
