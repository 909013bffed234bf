// The worlds of a process: the main one, and one more for each thread.
//
// A thread is what the main loop is, too: something that the driver runs, one iteration a step. So
// it needs nothing of its own but a world to poll, which says what runs it.
#include "base/memory.h"
#include "sim/inside.h"
#include <troupe/error.h>

void tr__sim_world_init(struct sim_world *world, struct sim_process *process)
{
    world->base.ops = &tr__sim_world_ops;
    world->process = process;
    world->id = ++process->sim->last_world;
    tr__list_init(&world->sources);
    tr__list_append(&process->worlds, &world->node);
}

void tr__sim_world_free(struct sim_world *world, bool tell)
{
    tr__sim_sources_free(world, tell);
    tr__list_remove(&world->node);
    if (world != &world->process->main)
        tr__free(world);
}

// A test is its worlds: it ends with the last of them.
void tr__sim_world_close(tr_world **base)
{
    struct sim_world *world = sim_world_of(*base);
    struct sim_process *process = world->process;
    tr_assert(!world->polling && (!world->started || process->dead));
    tr__sim_world_free(world, true);
    if (process->program == NULL && tr__list_empty(&process->worlds))
        tr__sim_process_end(process, 0, 0);
    *base = NULL;
}

int tr__sim_another(tr_world *base, tr_world **ret_world)
{
    struct sim_process *process = sim_process_of(base);
    if (process->dead)
        return TR_EDOWN;
    struct sim_world *world = tr__zalloc(sizeof *world);
    if (world == NULL)
        return TR_ENOMEM;
    tr__sim_world_init(world, process);
    *ret_world = &world->base;
    return 0;
}

int tr__sim_thread_start(tr_world *base, const tr_thread_up *up, void *owner)
{
    struct sim_world *world = sim_world_of(base);
    tr_assert(!world->started && world->up == NULL);
    if (world->process->dead)
        return TR_EDOWN;
    world->started = true;
    world->asleep = false;
    world->up = up;
    world->owner = owner;
    return 0;
}

// The threads of a killed process have had their last run, whatever it said.
void tr__sim_thread_join(tr_world *base)
{
    struct sim_world *world = sim_world_of(base);
    tr_assert(world->started);
    tr__sim_finish(world);
    world->started = false;
    world->up = NULL;
}
