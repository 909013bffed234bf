// Nodes: identity, the making and freeing of loops, and when all has ended.
//
// A node is done when no root actor is left, everything that they owned has closed on every loop,
// and the route has stopped the children and flushed the links of each.
#include "core/node.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/process.h"
#include "data/doc.h"

// Where the pointer to a loop is kept; NULL: no memory.
static _Atomic(tr_loop *) *node_place(tr_node *node, uint32_t index)
{
    _Atomic(tr__loop_chunk *) *at = &node->loops[index / TR__LOOP_CHUNK];
    tr__loop_chunk *chunk = atomic_load(at);
    if (chunk == NULL) {
        chunk = tr__zalloc(sizeof *chunk);
        atomic_store_explicit(at, chunk, memory_order_release);
    }
    return chunk == NULL ? NULL : &chunk->loops[index % TR__LOOP_CHUNK];
}

int tr__loop_new(tr_node *node, uint32_t index, tr_world **world, tr_loop **ret_loop)
{
    _Atomic(tr_loop *) *place = node_place(node, index);
    tr_loop *loop = place == NULL ? NULL : tr__zalloc(sizeof *loop);
    if (loop == NULL)
        return TR_ENOMEM;
    loop->node = node;
    loop->index = index;
    loop->world = *world;
    *world = NULL;
    tr__list_init(&loop->births);
    tr__list_init(&loop->runnable);
    tr__list_init(&loop->closing);
    tr__list_init(&loop->pending);
    tr__list_init(&loop->later);
    tr__list_init(&loop->idlers);
    tr__list_init(&loop->orphans);
    tr__list_init(&loop->strays);
    tr__list_init(&loop->writable);
    tr__list_init(&loop->not_refused);
    tr__windows_init(&loop->windows, 0);
    tr__windows_init(&loop->relayed, TR__WINDOW_PEER_BYTES);
    loop->relayed.apart = true;
    tr__asks_init(loop);
    loop->now = loop->world->ops->now(loop->world);
    loop->eyes = node->watchdog != NULL ? TR__EYE_DOG : 0;
    loop->last.actor = &loop->last_actor;
    if (node->tracer != NULL)
        tr__tap_open(loop);
    atomic_init(&loop->parked, index != 0);
    atomic_store_explicit(place, loop, memory_order_release);
    *ret_loop = loop;
    return 0;
}

static void slots_end_actors(const tr__slots *slots)
{
    for (uint32_t i = 0; i < slots->used; i++) {
        tr__slot *slot = &slots->chunks[i / TR__SLOT_CHUNK][i % TR__SLOT_CHUNK];
        if (slot->item != NULL)
            tr__actor_exit(slot->item, tr__reason_of(TR_SHUTDOWN));
    }
}

// They get their stop, and what they own is closed.
void tr__loop_end_actors(tr_loop *loop)
{
    tr_loop *before = tr__loop_here;
    tr__loop_here = loop;
    do {
        slots_end_actors(&loop->actors);
        slots_end_actors(&loop->lodgers);
        tr__closing_run(loop);
    } while (!tr__list_empty(&loop->closing));
    tr__loop_here = before;
}

static void loop_free(tr_loop *loop)
{
    tr__processes_clear(loop);
    tr__slots_clear(&loop->processes);
    tr__free(loop->immediates.items);
    tr__free(loop->checking.items);
    tr__jobs_clear(&loop->jobs);
    tr__timers_clear(loop);
    tr__slots_clear(&loop->streams);
    tr__slots_clear(&loop->offers);
    tr__slots_clear(&loop->servers);
    tr_buf_unref(&loop->slab.buf);
    tr__slots_clear(&loop->files);
    tr__slots_clear(&loop->lookouts);
    tr__slots_clear(&loop->listeners);
    tr__slots_clear(&loop->asks);
    tr__slots_clear(&loop->askers);
    tr__slots_clear(&loop->actors);
    tr__slots_clear(&loop->lodgers);
    tr__windows_clear(&loop->windows, &loop->writable);
    tr__windows_clear(&loop->relayed, &loop->writable);
    tr__lodgings_clear(loop);
    tr__free(loop->outboxes);
    tr__map_clear(&loop->monitors);
    tr__map_clear(&loop->ties);
    tr__map_clear(&loop->groups);
    tr__blocks_clear(&loop->blocks);
    if (loop->world != NULL)
        loop->world->ops->close(&loop->world);
    tr__free(loop);
}

static uint64_t random_id(tr_world *world)
{
    uint64_t id = 0;
    while (id == 0)
        world->ops->random(world, &id, sizeof id);
    return id;
}

static void node_clear(tr_node *node)
{
    for (uint32_t i = 0; i < TR__LOOPS_MAX / TR__LOOP_CHUNK; i++)
        tr__free(atomic_load(&node->loops[i]));
    tr__names_clear(&node->names);
    tr__groups_clear(&node->groups);
    tr__works_clear(&node->works);
    tr__free(node->name);
    tr_buf_unref(&node->context);
    tr__free(node);
}

static uint64_t or_default(uint64_t given, uint64_t otherwise)
{
    return given != 0 ? given : otherwise;
}

void tr__node_budget(tr_node *node, const tr_node_opts *opts)
{
    node->budget.turn_messages = (uint32_t)or_default(opts->turn_messages, 16);
    node->budget.turn_ns = TR_US(or_default(opts->turn_us, 200));
    node->budget.slow_ns = TR_MS(or_default(opts->slow_ms, 100));
}

int tr__node_new(uint64_t id, const char *name, uint32_t shared, tr_world **world,
                 tr_node **ret_node)
{
    tr_assert(shared > 0 && shared <= TR__LOOPS_MAX);
    tr_loop *first;
    tr_node *node = tr__zalloc(sizeof *node);
    if (node == NULL)
        return TR_ENOMEM;
    node->id = id != 0 ? id : random_id(*world);
    node->name = tr__strdup(name);
    node->shared = shared;
    tr__node_budget(node, &(tr_node_opts){0});
    tr__readers_init(&node->dead);
    tr__nodes_init(&node->nodes);
    tr__groups_init(&node->groups);
    tr__works_init(&node->works);
    atomic_init(&node->loop_count, shared);
    if (node->name == NULL || tr__loop_new(node, 0, world, &first) < 0) {
        node_clear(node);
        return TR_ENOMEM;
    }
    *ret_node = node;
    return 0;
}

static bool node_failed(const tr_node *node)
{
    return node->error != 0 || node->first_reason.kind > TR_REASON_SHUTDOWN;
}

void tr__node_free(tr_node **node)
{
    tr_node *gone = *node;
    if (gone == NULL)
        return;
    *node = NULL;
    tr__crew_close(gone);
    tr__watchdog_stop(gone);
    for (uint32_t i = (uint32_t)atomic_load(&gone->loop_count); i-- > 0;) {
        tr_loop *loop = tr__node_loop(gone, i);
        if (loop != NULL)
            loop_free(loop);
    }
    if (gone->tracer != NULL)
        gone->tracer->ops->close(&gone->tracer, node_failed(gone));
    node_clear(gone);
}

static void node_ask_roots(tr_node *node)
{
    const tr__slots *actors = &tr__node_loop(node, 0)->actors;
    for (uint32_t i = 0; i < actors->used; i++) {
        tr_actor *actor = actors->chunks[i / TR__SLOT_CHUNK][i % TR__SLOT_CHUNK].item;
        if (actor != NULL && actor->root)
            tr__actor_ask_stop(actor, TR_NOBODY);
    }
}

// The steps of the end, each of which begins when the one before is done.
static bool node_ended(tr_node *node)
{
    tr_loop *first = tr__node_loop(node, 0);
    first->asked = node->roots == 0 && !node->expecting;
    return first->asked && tr__crew_ended(node) && tr__crew_left(node) &&
           (node->route == NULL || node->route->end(first));
}

bool tr__node_step(tr_node *node)
{
    tr_loop *first = tr__node_loop(node, 0);
    tr_assert(tr__loop_here == NULL);
    tr__loop_here = first;
    if (atomic_exchange_explicit(&node->stop_asked, false, memory_order_acquire))
        node_ask_roots(node);
    tr__crew_host(node);
    bool ended = node_ended(node);
    if (!ended)
        tr__loop_step(first);
    tr__loop_here = NULL;
    return !ended;
}

static void node_wake(tr_node *node)
{
    tr_world *world = tr__node_loop(node, 0)->world;
    world->ops->wake(world);
}

void tr__node_wake(tr_node *node)
{
    atomic_store(&node->parked_mail, true);
    node_wake(node);
}

void tr_node_stop(tr_node *node)
{
    if (node == NULL)
        return;
    atomic_store_explicit(&node->stop_asked, true, memory_order_release);
    node_wake(node);
}

bool tr__node_is_here(const tr_node *node)
{
    return tr__loop_here == NULL || tr__loop_here == tr__node_loop(node, 0);
}

// A node that is hosted may wait for nothing else.
int tr_node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                  tr_addr *ret_addr)
{
    int rc = TR_EINVAL;
    if (node != NULL && tr__node_is_here(node))
        rc = tr__node_spawn(node, behavior, opts, TR_NOBODY, ret_addr);
    if (rc == 0)
        node_wake(node);
    return rc;
}

uint64_t tr_node_id(const tr_node *node)
{
    return node == NULL ? 0 : node->id;
}

tr_val tr_node_context(const tr_node *node)
{
    tr_val context = TR_NULL;
    if (node != NULL && node->context != NULL)
        tr__doc_view(tr_buf_data(node->context), &context);
    return context;
}

const char *tr_node_program(const tr_node *node)
{
    return node == NULL ? NULL : node->program;
}

uint64_t tr_node_late_answers(const tr_node *node)
{
    uint64_t count = 0;
    for (uint32_t i = 0; node != NULL && i < atomic_load(&node->loop_count); i++) {
        const tr_loop *loop = tr__node_loop(node, i);
        count += loop == NULL ? 0 : tr__counter_get(&loop->late_answers);
    }
    return count;
}

uint64_t tr_node_dead_letters(const tr_node *node)
{
    uint64_t count = 0;
    for (uint32_t i = 0; node != NULL && i < atomic_load(&node->loop_count); i++) {
        const tr_loop *loop = tr__node_loop(node, i);
        count += loop == NULL ? 0 : tr__counter_get(&loop->dead_letters);
    }
    return count;
}

// What went wrong on this thread's loop, or else on the first one.
static tr_loop *errmsg_loop(const tr_node *node)
{
    tr_loop *here = tr__loop_here;
    return here != NULL && here->node == node ? here : tr__node_loop(node, 0);
}

const char *tr_node_errmsg(const tr_node *node)
{
    return node == NULL ? "" : errmsg_loop(node)->errmsg;
}

void tr__node_errmsg(tr_node *node, const char *format, ...)
{
    tr_loop *loop = errmsg_loop(node);
    va_list args;
    va_start(args, format);
    vsnprintf(loop->errmsg, sizeof loop->errmsg, format, args);
    va_end(args);
}
