// The machine: clock, seed, hash, and whose turn it is.
//
// Between two steps the machine is in one state: which loops can run, a process's main one or one
// of its threads', and when the next thing happens. If some can run the seed picks one; if none
// can, the clock jumps. Every draw comes from one generator (splitmix64) and every decision goes
// into one hash, so two runs that differ anywhere differ in their hash from there on.
#include "base/memory.h"
#include "sim/inside.h"
#include <signal.h>
#include <troupe/error.h>

#define SIM_START_NS 1000000000u
#define SIM_STEP_NS  1000u // what a step costs: one that spins gets to its deadline, too

int tr__sim_open(uint64_t seed, tr_sim **ret_sim)
{
    tr_sim *sim = tr__zalloc(sizeof *sim);
    if (sim == NULL)
        return TR_ENOMEM;
    sim->now = SIM_START_NS;
    sim->random = seed;
    sim->capacity = 64 * 1024;
    sim->delay_max = 100 * 1000;
    tr__sim_half_init(&sim->null, sim);
    tr__list_init(&sim->programs);
    tr__list_init(&sim->processes);
    tr__list_init(&sim->listeners);
    tr__list_init(&sim->disk.names);
    tr__list_init(&sim->disk.lookouts);
    *ret_sim = sim;
    return 0;
}

static struct sim_process *process_at(tr__list *node)
{
    return tr__container(node, struct sim_process, node);
}

void tr__sim_close(tr_sim **sim)
{
    tr_sim *s = *sim;
    if (s == NULL)
        return;
    tr_assert(!s->stepping);
    while (!tr__list_empty(&s->processes))
        tr__sim_process_end(process_at(s->processes.next), 0, SIGKILL);
    for (tr__list *n; (n = tr__list_pop(&s->programs)) != NULL;)
        tr__free(tr__container(n, struct sim_listed, node));
    tr_assert(tr__list_empty(&s->listeners));
    tr_assert(s->null.refs == 1);
    tr__sim_disk_clear(s);
    tr__free(s->notified);
    tr__free(s);
    *sim = NULL;
}

int tr__sim_program_add(tr_sim *sim, const tr_sim_program *program)
{
    struct sim_listed *listed = tr__alloc(sizeof *listed);
    if (listed == NULL)
        return TR_ENOMEM;
    listed->program = program;
    tr__list_append(&sim->programs, &listed->node);
    return 0;
}

int tr__sim_world(tr_sim *sim, tr_world **ret_world)
{
    struct sim_process *process = NULL;
    int rc = tr__sim_process_new(sim, NULL, &process);
    if (rc == 0)
        *ret_world = &process->main.base;
    return rc;
}

// ---- Chance and what came of it ----

uint64_t tr__sim_below(tr_sim *sim, uint64_t limit)
{
    uint64_t z = sim->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return limit == 0 ? z : z % limit;
}

void tr__sim_note(tr_sim *sim, uint64_t fact)
{
    sim->hash = (sim->hash ^ fact) * 0x9e3779b97f4a7c15u;
    sim->hash ^= sim->hash >> 32;
}

// The seed's position is part of it: so every draw counts, whatever came of it.
uint64_t tr__sim_hash(const tr_sim *sim)
{
    tr_sim copy = *sim;
    tr__sim_note(&copy, sim->random);
    tr__sim_note(&copy, sim->now);
    return copy.hash;
}

uint64_t tr__sim_arrival(tr_sim *sim)
{
    uint64_t due = sim->now + tr__sim_below(sim, sim->delay_max + 1);
    return due > sim->healed_at ? due : sim->healed_at;
}

// ---- Whose turn it is ----

static uint64_t later(const tr_sim *sim, uint64_t ns)
{
    return ns < TR__NEVER - sim->now ? sim->now + ns : TR__NEVER;
}

static uint64_t world_due(const struct sim_world *world)
{
    if (world->process->stopped)
        return TR__NEVER;
    if (world->woken || (world->up != NULL && !world->asleep))
        return 0;
    uint64_t first = tr__sim_sources_due(world);
    if (world->up == NULL)
        return first;
    uint64_t due = world->up->due(world->owner);
    return due < first ? due : first;
}

static void driver_run(tr_sim *sim, struct sim_world *world)
{
    bool stepping = sim->stepping;
    tr__sim_note(sim, world->id);
    sim->stepping = true;
    tr__sim_process_step(world);
    sim->stepping = stepping;
    sim->now += SIM_STEP_NS;
}

// Somebody waits for this thread, so it alone runs, be it in the middle of another's step.
void tr__sim_finish(struct sim_world *world)
{
    tr_sim *sim = world->process->sim;
    while (world->up != NULL && !world->process->dead) {
        uint64_t due = world_due(world);
        tr_assert(due != TR__NEVER); // or it would never end
        sim->now = due > sim->now ? due : sim->now;
        driver_run(sim, world);
    }
}

// Where the driver looks for whoever can run.
struct driver_pick {
    struct sim_world *chosen;
    uint64_t runnable;
    uint64_t next; // when the first of the others can
};

static void driver_look(tr_sim *sim, struct sim_world *world, struct driver_pick *pick)
{
    uint64_t due = world_due(world);
    if (due > sim->now)
        pick->next = due < pick->next ? due : pick->next;
    else if (world->up != NULL && tr__sim_below(sim, ++pick->runnable) == 0)
        pick->chosen = world;
}

// One step of somebody, or of the clock, which does not go past limit. Returns false when nothing
// else happens until then. A test's own world is never stepped, only waited for.
static bool driver_step(tr_sim *sim, uint64_t limit)
{
    struct driver_pick pick = {.next = limit};
    tr_assert(!sim->stepping && sim->now < limit);
    for (tr__list *p = sim->processes.next; p != &sim->processes; p = p->next) {
        tr__list *worlds = &process_at(p)->worlds;
        for (tr__list *n = worlds->next; n != worlds; n = n->next)
            driver_look(sim, tr__container(n, struct sim_world, node), &pick);
    }
    if (pick.chosen != NULL)
        driver_run(sim, pick.chosen);
    else if (pick.next != TR__NEVER)
        sim->now = pick.next;
    return pick.chosen != NULL || pick.next < limit;
}

bool tr__sim_step(tr_sim *sim)
{
    return driver_step(sim, TR__NEVER);
}

// A poll takes its time like any other step, so that a test that spins lets the others run.
void tr__sim_wait(struct sim_world *world, uint64_t due)
{
    tr_sim *sim = world->process->sim;
    uint64_t soon = later(sim, SIM_STEP_NS);
    uint64_t until = world_due(world) <= sim->now || due < soon ? soon : due;
    while (driver_step(sim, until) && sim->now < until && world_due(world) > sim->now)
        ;
}

void tr__sim_run_for(tr_sim *sim, uint64_t ns)
{
    uint64_t end = later(sim, ns);
    while (sim->now < end && driver_step(sim, end))
        ;
}

bool tr__sim_run_until(tr_sim *sim, bool (*condition)(void *arg), void *arg, uint64_t limit_ns)
{
    uint64_t end = later(sim, limit_ns);
    bool more = true;
    while (!condition(arg)) {
        if (!more || sim->now >= end)
            return false;
        more = driver_step(sim, end);
    }
    return true;
}

// ---- Settings ----

uint64_t tr__sim_now(const tr_sim *sim)
{
    return sim->now;
}

void tr__sim_set_capacity(tr_sim *sim, size_t bytes)
{
    tr_assert(bytes > 0);
    sim->capacity = bytes;
}

void tr__sim_set_delay(tr_sim *sim, uint64_t max_ns)
{
    sim->delay_max = max_ns;
}

void tr__sim_cut(tr_sim *sim, uint64_t ns)
{
    sim->healed_at = sim->now + ns;
}

void tr__sim_set_whole(tr_sim *sim, bool whole)
{
    sim->whole = whole;
}

void tr__sim_set_spawn_error(tr_sim *sim, int error, unsigned nth)
{
    tr_assert(error < 0 && nth > 0);
    sim->spawn_error = error;
    sim->spawn_error_in = nth;
}
