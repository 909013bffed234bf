// The watchdog: a thread that names a callback which does not return. Its loop cannot, for it does
// nothing else meanwhile.
//
// A loop shows the turn that runs, but not since when: that would be a look at the clock for each.
// The watchdog looks four times within the limit, and a turn that is still the same has run at
// least since it was seen first. Then it is told once the limit has passed, and again at each
// doubling.
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"

#define LOOKS 4 // within the limit

struct tr__watchdog {
    tr_node *node;
    tr_world *world;
    uint64_t limit; // ns
    uint64_t due;   // the next look
    tr_stuck_cb stuck;
    void *stuck_arg;
    atomic_bool leaves;
};

// ---- On its thread ----

static void watchdog_tell(const tr__watchdog *dog, const tr_loop *loop, const tr__seen *turn,
                          uint64_t ns)
{
    tr_stuck stuck = {.addr = {dog->node->id, turn->actor},
                      .behavior = turn->behavior->name,
                      .message = turn->what,
                      .loop = loop->index,
                      .ms = ns / TR_MS(1)};
    tr__warn("actor.stuck", "actor=%s id=%016llx message=%s loop=%u ms=%llu", stuck.behavior,
             (unsigned long long)turn->actor, stuck.message, stuck.loop,
             (unsigned long long)stuck.ms);
    if (dog->stuck != NULL)
        dog->stuck(&stuck, dog->stuck_arg);
}

static void watchdog_look(const tr__watchdog *dog, tr_loop *loop, uint64_t now)
{
    tr__watched *watched = &loop->watched;
    tr__seen turn = tr__shown_see(&loop->shown);
    bool runs = turn.count % 2 == 1;
    if (turn.count != watched->count)
        *watched = (tr__watched){.count = turn.count, .since = now, .after = dog->limit};
    uint64_t ns = now - watched->since;
    if (!runs || ns < watched->after || tr__shown_count(&loop->shown) != turn.count)
        return;
    while (watched->after <= ns)
        watched->after *= 2;
    watchdog_tell(dog, loop, &turn, ns);
}

static bool watchdog_run(void *owner)
{
    tr__watchdog *dog = owner;
    tr_world *world = dog->world;
    world->ops->poll(world, dog->due);
    if (atomic_load(&dog->leaves))
        return false;
    uint64_t now = world->ops->now(world);
    if (now < dog->due)
        return true;
    dog->due = now + dog->limit / LOOKS;
    for (uint32_t i = 0; i < atomic_load(&dog->node->loop_count); i++) {
        tr_loop *loop = tr__node_loop(dog->node, i);
        if (loop != NULL)
            watchdog_look(dog, loop, now);
    }
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
    rc = dog->world->ops->thread_start(dog->world, &up, dog);
    if (rc < 0)
        dog->world->ops->close(&dog->world);
    return rc;
}

int tr__watchdog_start(tr_node *node, const tr_node_opts *opts)
{
    tr_assert(node->watchdog == NULL);
    if (opts->watchdog_ms == 0)
        return 0;
    tr__watchdog *dog = tr__zalloc(sizeof *dog);
    if (dog == NULL)
        return TR_ENOMEM;
    dog->node = node;
    dog->limit = TR_MS(opts->watchdog_ms);
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
