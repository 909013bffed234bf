// Nodes: identity, loops, and when all has ended.
//
// A node is done when no root actor is left, everything that they owned has closed, and the route
// has stopped the children and flushed the links. One loop for now: an address has room for 4096.
#include "core/node.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"

static int loop_new(tr_node *node, uint32_t index, tr_loop **ret_loop)
{
    tr_loop *loop = tr__zalloc(sizeof *loop);
    if (loop == NULL)
        return TR_ENOMEM;
    loop->node = node;
    loop->index = index;
    tr__list_init(&loop->births);
    tr__list_init(&loop->runnable);
    tr__list_init(&loop->closing);
    tr__list_init(&loop->pending);
    tr__list_init(&loop->writable);
    *ret_loop = loop;
    return 0;
}

// Actors that are still there (the node is closed in the midst of things) are ended without being
// asked: they get their stop, and what they own is closed.
static void loop_end_actors(tr_loop *loop)
{
    tr__loop_here = loop;
    for (uint32_t i = 0; i < loop->actors.used; i++) {
        tr__slot *slot = &loop->actors.chunks[i / TR__SLOT_CHUNK][i % TR__SLOT_CHUNK];
        if (slot->item != NULL)
            tr__actor_exit(slot->item, tr__reason_of(TR_SHUTDOWN));
    }
    while (!tr__list_empty(&loop->closing))
        tr__closing_run(loop);
    tr__loop_here = NULL;
}

static void loop_free(tr_loop *loop)
{
    tr__free(loop->immediates.items);
    tr__free(loop->checking.items);
    tr__jobs_clear(&loop->jobs);
    tr__heap_clear(&loop->timers);
    tr__slots_clear(&loop->timer_ids);
    tr__slots_clear(&loop->actors);
    tr__map_clear(&loop->monitors);
    tr__msg_blocks_clear(loop);
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

int tr__node_new(uint64_t id, const char *name, tr_world **world, tr_node **ret_node)
{
    tr_node *node = tr__zalloc(sizeof *node);
    if (node == NULL)
        return TR_ENOMEM;
    node->id = id != 0 ? id : random_id(*world);
    node->name = tr__strdup(name);
    node->loops = tr__zalloc(sizeof *node->loops);
    if (node->name == NULL || node->loops == NULL || loop_new(node, 0, &node->loops[0]) < 0) {
        tr__node_free(&node);
        return TR_ENOMEM;
    }
    node->loop_count = 1;
    node->loops[0]->world = *world;
    *world = NULL;
    *ret_node = node;
    return 0;
}

void tr__node_free(tr_node **node)
{
    tr_node *gone = *node;
    if (gone == NULL)
        return;
    *node = NULL;
    for (uint32_t i = 0; i < gone->loop_count; i++)
        loop_end_actors(gone->loops[i]);
    if (gone->route != NULL)
        gone->route->close(gone);
    for (uint32_t i = 0; i < gone->loop_count; i++)
        loop_free(gone->loops[i]);
    tr__free(gone->loops);
    tr__free(gone->name);
    tr__free(gone);
}

static void node_ask_roots(tr_node *node)
{
    const tr__slots *actors = &node->loops[0]->actors;
    for (uint32_t i = 0; i < actors->used; i++) {
        tr_actor *actor = actors->chunks[i / TR__SLOT_CHUNK][i % TR__SLOT_CHUNK].item;
        if (actor != NULL && actor->root)
            tr__actor_ask_stop(actor, TR_NOBODY);
    }
}

bool tr__node_step(tr_node *node)
{
    if (atomic_load_explicit(&node->stop_asked, memory_order_acquire)) {
        atomic_store_explicit(&node->stop_asked, false, memory_order_relaxed);
        node_ask_roots(node);
    }
    node->ending = node->roots == 0 && !node->expecting;
    if (node->ending && node->actors == 0 && (node->route == NULL || node->route->end(node)))
        return false;
    tr__loop_step(node->loops[0]);
    return true;
}

void tr_node_stop(tr_node *node)
{
    if (node == NULL)
        return;
    atomic_store_explicit(&node->stop_asked, true, memory_order_release);
    tr_world *world = node->loops[0]->world;
    world->ops->wake(world);
}

int tr_node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                  tr_addr *ret_addr)
{
    return node == NULL ? TR_EINVAL : tr__node_spawn(node, behavior, opts, TR_NOBODY, ret_addr);
}

uint64_t tr_node_id(const tr_node *node)
{
    return node == NULL ? 0 : node->id;
}

uint64_t tr_node_dead_letters(const tr_node *node)
{
    return node == NULL ? 0 : node->loops[0]->dead_letters;
}

const char *tr_node_errmsg(const tr_node *node)
{
    return node == NULL ? "" : node->errmsg;
}

void tr__node_errmsg(tr_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(node->errmsg, sizeof node->errmsg, format, args);
    va_end(args);
}
