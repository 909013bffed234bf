// The crew: the loops beside the first one, their threads, and where a new actor goes.
//
// The first so many loops share the node's actors; each is started when the first actor is placed
// on it. A loop of a thread's own is started with its actor and parks when all on it has ended: its
// thread ends, but its slots stay, so that no id of it comes back, and the next actor that wants a
// thread takes it over. What is posted to a parked loop is looked after by the first one.
//
// The end of a node takes two rounds. First every loop is told that nothing is spawned any more,
// and answers when its actors have ended and those that it has spawned elsewhere, too. When all
// have answered nobody can be left: then they are dismissed, and each leaves when its links are
// flushed. Threads are started by whoever needs them and joined by the first loop, in both cases
// under the node's lock.
#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"
#include "core/process.h"

static tr_loop *crew_first(const tr_node *node)
{
    return tr__node_loop(node, 0);
}

static bool crew_idle(const tr_loop *loop)
{
    return tr__counter_get(&loop->actor_count) == 0 && loop->away == 0 && tr__processes_ended(loop);
}

// ---- On a loop's own thread ----

static void crew_answered(tr_loop *first, tr__post *post)
{
    (void)post;
    first->node->unanswered--;
    first->restless = true;
}

static void crew_answer(tr_loop *loop)
{
    if (!loop->asked || loop->answered || !crew_idle(loop))
        return;
    loop->answered = true;
    loop->answer.arrive = crew_answered;
    tr__post_to(loop, crew_first(loop->node), &loop->answer);
}

static void crew_joined(tr_loop *first, tr__post *post);

// From the publishing on the first loop may join the thread and hand this one on.
static void crew_park(tr_loop *loop)
{
    if (loop->node->route != NULL)
        loop->node->route->close(loop);
    atomic_store(&loop->parked, true);
    tr__inbox_run(loop);
    loop->leave.arrive = crew_joined;
    tr__post_to(loop, crew_first(loop->node), &loop->leave);
    tr__outboxes_publish(loop);
}

static bool crew_stays(tr_loop *loop)
{
    crew_answer(loop);
    bool leaves = loop->dismissed || (loop->solo && loop->begun && crew_idle(loop));
    const tr__route *route = loop->node->route;
    if (!leaves || (route != NULL && !loop->killed && !route->end(loop)))
        return true;
    crew_park(loop);
    return false;
}

static bool crew_run(void *owner)
{
    tr_loop *loop = owner, *before = tr__loop_here; // one that joins a simulated thread
    tr__loop_here = loop;
    tr__loop_step(loop);
    bool stays = crew_stays(loop);
    tr__loop_here = before;
    return stays;
}

static uint64_t crew_due(void *owner)
{
    return tr__loop_due(owner);
}

static const tr_thread_up CREW_UP = {.run = crew_run, .due = crew_due};

// ---- Starting ----

// Under the lock, as the next two.
static int crew_start_thread(tr_loop *loop)
{
    const tr__route *route = loop->node->route;
    if (loop->node->closing)
        return TR_SHUTDOWN;
    int rc = route == NULL ? 0 : route->open(loop);
    if (rc < 0)
        return rc;
    atomic_store(&loop->parked, false);
    loop->begun = false;
    rc = loop->world->ops->thread_start(loop->world, &CREW_UP, loop);
    if (rc < 0) {
        atomic_store(&loop->parked, true);
        if (route != NULL)
            route->close(loop);
        return rc;
    }
    loop->runs = true;
    loop->node->threads++;
    return 0;
}

static int crew_new(tr_loop *from, uint32_t index, tr_loop **ret_loop)
{
    tr_world *world;
    int rc = from->world->ops->another(from->world, &world);
    if (rc < 0)
        return rc;
    rc = tr__loop_new(from->node, index, &world, ret_loop);
    if (rc < 0)
        world->ops->close(&world);
    return rc;
}

static int crew_take_solo(tr_loop *from, tr_loop **ret_loop)
{
    tr_node *node = from->node;
    uint32_t index = (uint32_t)atomic_load(&node->loop_count);
    if (node->parked != NULL) {
        *ret_loop = node->parked;
        node->parked = node->parked->next_parked;
        return 0;
    }
    if (index == TR__LOOPS_MAX)
        return TR_EAGAIN;
    int rc = crew_new(from, index, ret_loop);
    if (rc < 0)
        return rc;
    (*ret_loop)->solo = true;
    atomic_store(&(*ret_loop)->parked, true); // until it is started
    atomic_store(&node->loop_count, index + 1);
    return 0;
}

static int crew_solo(tr_loop *from, tr_loop **ret_loop)
{
    tr__lock_take(&from->node->lock);
    int rc = crew_take_solo(from, ret_loop);
    tr__lock_give(&from->node->lock);
    return rc;
}

static void crew_put_back(tr_loop *loop)
{
    loop->next_parked = loop->node->parked;
    loop->node->parked = loop;
}

static void crew_give_back(tr_loop *loop)
{
    tr__lock_take(&loop->node->lock);
    crew_put_back(loop);
    tr__lock_give(&loop->node->lock);
}

int tr__crew_start(tr_loop *loop)
{
    if (!loop->solo)
        return 0;
    tr__lock_take(&loop->node->lock);
    int rc = crew_start_thread(loop);
    tr__lock_give(&loop->node->lock);
    return rc;
}

// The first loop may have looked for it meanwhile.
void tr__crew_unplace(tr_loop *loop)
{
    if (!loop->solo)
        return;
    crew_give_back(loop);
    tr__node_wake(loop->node);
}

// ---- Placing ----

static int crew_start_shared(tr_loop *from, uint32_t index, tr_loop **ret_loop)
{
    tr_node *node = from->node;
    tr__lock_take(&node->lock);
    int rc = 0;
    *ret_loop = tr__node_loop(node, index);
    if (*ret_loop == NULL)
        rc = crew_new(from, index, ret_loop);
    if (rc == 0 && !(*ret_loop)->runs && index != 0)
        rc = crew_start_thread(*ret_loop);
    tr__lock_give(&node->lock);
    return rc;
}

static int crew_shared(tr_loop *from, uint32_t index, tr_loop **ret_loop)
{
    *ret_loop = tr__node_loop(from->node, index);
    if (*ret_loop != NULL && !atomic_load(&(*ret_loop)->parked))
        return 0;
    return crew_start_shared(from, index, ret_loop);
}

static uint64_t crew_load(const tr_node *node, uint32_t index)
{
    const tr_loop *loop = tr__node_loop(node, index);
    return loop == NULL ? 0
                        : tr__counter_get(&loop->actor_count) +
                              atomic_load_explicit(&loop->arrivals, memory_order_relaxed);
}

static uint32_t crew_least_loaded(const tr_node *node)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < node->shared; i++) {
        if (crew_load(node, i) < crew_load(node, best))
            best = i;
    }
    return best;
}

// FNV-1a: the same key on the same loop, in every process of as many loops.
static uint32_t crew_by_key(const tr_node *node, const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * 16777619u;
    return hash % node->shared;
}

int tr__crew_place(tr_loop *from, const tr_spawn_opts *opts, tr_loop **ret_loop)
{
    const tr_node *node = from->node;
    if (opts->isolation == TR_THREAD)
        return crew_solo(from, ret_loop);
    switch (opts->placement) {
    case TR_SPREAD:
        return crew_shared(from, from->spread++ % node->shared, ret_loop);
    case TR_LEAST_LOADED:
        return crew_shared(from, crew_least_loaded(node), ret_loop);
    case TR_BY_KEY:
        return crew_shared(from, crew_by_key(node, opts->placement_key), ret_loop);
    default:
        *ret_loop = from;
        return 0;
    }
}

// ---- On the first loop ----

static void crew_joined(tr_loop *first, tr__post *post)
{
    tr_loop *loop = tr__container(post, tr_loop, leave);
    tr_node *node = first->node;
    if (node->closing)
        return; // it has been joined already
    loop->world->ops->thread_join(loop->world);
    tr__lock_take(&node->lock);
    loop->runs = false;
    node->threads--;
    crew_put_back(loop);
    tr__lock_give(&node->lock);
    first->restless = true;
    atomic_store(&node->parked_mail, true); // what has come between its last look and now
}

static tr_loop *crew_take_parked(tr_node *node)
{
    tr__lock_take(&node->lock);
    tr_loop *parked = node->parked;
    node->parked = NULL;
    tr__lock_give(&node->lock);
    return parked;
}

static void crew_host_one(tr_loop *loop)
{
    tr__loop_here = loop;
    tr__inbox_run(loop);
    crew_answer(loop);
    tr__outboxes_publish(loop);
}

void tr__crew_host(tr_node *node)
{
    if (!atomic_exchange(&node->parked_mail, false))
        return;
    tr_loop *before = tr__loop_here;
    tr_loop *next = crew_take_parked(node);
    while (next != NULL) {
        tr_loop *loop = next;
        next = loop->next_parked;
        crew_host_one(loop);
        crew_give_back(loop);
    }
    tr__loop_here = before;
}

static void crew_asked(tr_loop *loop, tr__post *post)
{
    (void)post;
    loop->asked = loop->restless = true;
}

// Not one that shares the node's actors and could not be started: nobody would answer for it.
static bool crew_takes_part(tr_loop *loop)
{
    tr__lock_take(&loop->node->lock);
    bool part = loop->solo || loop->runs;
    tr__lock_give(&loop->node->lock);
    return part;
}

bool tr__crew_ended(tr_node *node)
{
    tr_loop *first = crew_first(node);
    uint32_t count = (uint32_t)atomic_load(&node->loop_count);
    for (uint32_t i = 1; i < count; i++) {
        tr_loop *loop = tr__node_loop(node, i);
        if (loop == NULL || loop->told || !crew_takes_part(loop))
            continue;
        loop->told = true;
        loop->ask.arrive = crew_asked;
        node->unanswered++;
        tr__post_to(first, loop, &loop->ask);
    }
    return node->unanswered == 0 && crew_idle(first);
}

static void crew_dismissed(tr_loop *loop, tr__post *post)
{
    (void)post;
    loop->dismissed = loop->restless = true;
}

static uint32_t crew_threads(tr_node *node)
{
    tr__lock_take(&node->lock);
    uint32_t threads = node->threads;
    tr__lock_give(&node->lock);
    return threads;
}

bool tr__crew_left(tr_node *node)
{
    uint32_t count = (uint32_t)atomic_load(&node->loop_count);
    for (uint32_t i = 1; !node->dismissed && i < count; i++) {
        tr_loop *loop = tr__node_loop(node, i);
        if (loop == NULL || !loop->told)
            continue;
        loop->dismiss.arrive = crew_dismissed;
        tr__post_to(crew_first(node), loop, &loop->dismiss);
    }
    node->dismissed = true;
    return crew_threads(node) == 0;
}

// ---- Closing in the midst of things ----

static void crew_killed(tr_loop *loop, tr__post *post)
{
    (void)post;
    loop->killed = loop->dismissed = loop->restless = true;
    tr__loop_end_actors(loop);
}

static void crew_kill(tr_loop *first, tr_loop *loop)
{
    tr_node *node = first->node;
    tr__lock_take(&node->lock);
    bool runs = loop->runs;
    loop->runs = false;
    tr__lock_give(&node->lock);
    if (!runs)
        return;
    loop->kill.arrive = crew_killed;
    tr__post_to(first, loop, &loop->kill);
    tr__outboxes_publish(first);
    loop->world->ops->thread_join(loop->world);
}

// loop->remote: the first loop still has its own, as have threads that ended without a last word.
static bool crew_settle(tr_loop *loop)
{
    tr__loop_here = loop;
    tr__inbox_run(loop);
    tr__loop_end_actors(loop);
    if (loop->remote != NULL)
        loop->node->route->close(loop);
    bool more = loop->filled != 0;
    tr__outboxes_publish(loop);
    return more;
}

// From here on no loop starts another one, so those that have been joined stay so.
static void crew_begin_to_close(tr_node *node)
{
    tr__lock_take(&node->lock);
    node->closing = true;
    tr__lock_give(&node->lock);
}

// The first loop comes last: what the others' remotes share is its remote's.
void tr__crew_close(tr_node *node)
{
    tr_loop *first = crew_first(node), *before = tr__loop_here; // a simulated process's parent
    bool more = true;
    crew_begin_to_close(node);
    tr__loop_here = first;
    for (uint32_t i = 1; i < atomic_load(&node->loop_count); i++) {
        tr_loop *loop = tr__node_loop(node, i);
        if (loop != NULL)
            crew_kill(first, loop);
    }
    tr__works_close(&node->works);
    while (more) { // births on their way, messages on their way home
        more = false;
        for (uint32_t i = (uint32_t)atomic_load(&node->loop_count); i-- > 0;) {
            tr_loop *loop = tr__node_loop(node, i);
            more |= loop != NULL && crew_settle(loop);
        }
    }
    tr__loop_here = before;
}
