// The watchdog: a thread that names a callback which does not return. Its loop cannot, for it does
// nothing else meanwhile.
//
// A loop shows the turn that runs, but not since when: that would be a look at the clock for each.
// The watchdog looks four times within the limit, and a turn that is still the same has run at
// least for as many periods as there were looks: of a process that was stopped and goes on only one
// has passed. Then it is told once the limit has passed, and again at each doubling.
//
// In a process whose spawner wants to know whether it hangs the watchdog is its pulse: at each look
// it writes one document there, null, or what does not return (docs/protocol.md). It does not
// judge.
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"
#include "data/doc.h"

#define LOOKS       4   // within the limit
#define REPORT_SIZE 512 // a write of no more is whole, or not at all

struct tr__watchdog {
    tr_node *node;
    tr_world *world;
    uint64_t period; // ns
    uint64_t due;    // the next look
    uint64_t limit;  // of a turn, before it is warned of; TR__NEVER: none is
    tr_stuck_cb stuck;
    void *stuck_arg;
    tr_endpoint *pulse;   // NULL: none
    uint64_t pulse_limit; // of a turn, before it is told there
    atomic_bool leaves;
};

// ---- On its thread ----

static tr_stuck stuck_of(const tr__watchdog *dog, const tr_loop *loop, const tr__seen *turn)
{
    return (tr_stuck){.addr = {dog->node->id, turn->actor},
                      .behavior = turn->behavior->name,
                      .message = turn->what,
                      .loop = loop->index,
                      .ms = loop->watched.ns / TR_MS(1)};
}

static void watchdog_warn(const tr__watchdog *dog, const tr_stuck *stuck)
{
    tr__warn("actor.stuck", "actor=%s id=%016llx message=%s loop=%u ms=%llu", stuck->behavior,
             (unsigned long long)stuck->addr.actor, stuck->message, stuck->loop,
             (unsigned long long)stuck->ms);
    if (dog->stuck != NULL)
        dog->stuck(stuck, dog->stuck_arg);
}

// Nobody to hear it, or no room because nobody listens: then it is not said.
static void pulse_write(const tr__watchdog *dog, tr_val report)
{
    uint8_t bytes[REPORT_SIZE];
    size_t size;
    if (tr__doc_size(&report, &size) < 0 || size > sizeof bytes)
        return;
    tr__doc_pack(&report, bytes);
    for (size_t done = 0; done < size;) {
        const tr_iov iov = {bytes + done, size - done};
        ssize_t n = dog->world->ops->endpoint_write(dog->pulse, &iov, 1);
        if (n <= 0)
            return;
        done += (size_t)n;
    }
}

static void pulse_tell(const tr__watchdog *dog, const tr_stuck *stuck)
{
    pulse_write(dog, TR_LIST(stuck->ms, stuck->addr.actor, stuck->behavior, stuck->message));
}

// Returns whether it has told of it on the pulse.
static bool watchdog_look(const tr__watchdog *dog, tr_loop *loop)
{
    tr__watched *watched = &loop->watched;
    tr__seen turn = tr__shown_see(&loop->shown);
    bool runs = turn.count % 2 == 1;
    if (turn.count != watched->count)
        *watched = (tr__watched){.count = turn.count, .after = dog->limit};
    else
        watched->ns += dog->period;
    if (!runs || tr__shown_count(&loop->shown) != turn.count)
        return false;
    bool hangs = dog->pulse != NULL && watched->ns >= dog->pulse_limit;
    tr_stuck stuck = stuck_of(dog, loop, &turn);
    if (watched->ns >= watched->after) {
        while (watched->after <= watched->ns)
            watched->after *= 2;
        watchdog_warn(dog, &stuck);
    }
    if (hangs)
        pulse_tell(dog, &stuck);
    return hangs;
}

static bool watchdog_run(void *owner)
{
    tr__watchdog *dog = owner;
    tr_world *world = dog->world;
    bool told = false;
    world->ops->poll(world, dog->due);
    if (atomic_load(&dog->leaves))
        return false;
    uint64_t now = world->ops->now(world);
    if (now < dog->due)
        return true;
    dog->due = now + dog->period;
    for (uint32_t i = 0; i < atomic_load(&dog->node->loop_count); i++) {
        tr_loop *loop = tr__node_loop(dog->node, i);
        if (loop != NULL)
            told |= watchdog_look(dog, loop);
    }
    if (dog->pulse != NULL && !told)
        pulse_write(dog, TR_NULL);
    return true;
}

static uint64_t watchdog_due(void *owner)
{
    return ((const tr__watchdog *)owner)->due;
}

// ---- On the first loop's ----

static int watchdog_begin(tr__watchdog *dog)
{
    static const tr_thread_up up = {.run = watchdog_run, .due = watchdog_due};
    tr_world *first = tr__node_loop(dog->node, 0)->world;
    int rc = first->ops->another(first, &dog->world);
    if (rc < 0)
        return rc;
    if (dog->pulse_limit > 0)
        rc = dog->world->ops->borrow(dog->world, TR__PULSE_FD, &dog->pulse);
    if (dog->pulse != NULL)
        pulse_write(dog, TR_NULL); // from now on it is judged
    if (rc == 0)
        rc = dog->world->ops->thread_start(dog->world, &up, dog);
    if (rc < 0)
        dog->world->ops->close(&dog->world);
    return rc;
}

static uint64_t shorter(uint32_t a_ms, uint32_t b_ms)
{
    bool a = b_ms == 0 || (a_ms != 0 && a_ms < b_ms);
    return TR_MS(a ? a_ms : b_ms);
}

int tr__watchdog_start(tr_node *node, const tr_node_opts *opts, uint32_t pulse_ms)
{
    tr_assert(node->watchdog == NULL);
    if (opts->watchdog_ms == 0 && pulse_ms == 0)
        return 0;
    tr__watchdog *dog = tr__zalloc(sizeof *dog);
    if (dog == NULL)
        return TR_ENOMEM;
    dog->node = node;
    dog->period = shorter(opts->watchdog_ms, pulse_ms) / LOOKS;
    dog->limit = opts->watchdog_ms == 0 ? TR__NEVER : TR_MS(opts->watchdog_ms);
    dog->pulse_limit = TR_MS(pulse_ms);
    dog->stuck = opts->stuck;
    dog->stuck_arg = opts->stuck_arg;
    int rc = watchdog_begin(dog);
    if (rc < 0)
        tr__free(dog);
    else
        node->watchdog = dog;
    if (rc == 0)
        tr__node_loop(node, 0)->eyes |= TR__EYE_DOG; // the others are still to come
    return rc;
}

void tr__watchdog_stop(tr_node *node)
{
    tr__watchdog *dog = node->watchdog;
    if (dog == NULL)
        return;
    node->watchdog = NULL;
    atomic_store(&dog->leaves, true);
    dog->world->ops->wake(dog->world);
    dog->world->ops->thread_join(dog->world);
    dog->world->ops->close(&dog->world);
    tr__free(dog);
}
