#include "conform/theatre_no_memory.h"

#include <signal.h>

#include "support/sim_node.h"
#include "support/sweep.h"

#define STEPS_MAX 5000

static struct sim_nodes nodes;
static struct sweep sweep;
static const tr_spawn_opts *places;
static unsigned place_count, at;

// One at a time: a run that only counts, those in which memory fails, then the next place.
static unsigned sim_runs(void)
{
    while (!sweep_next(&sweep)) {
        at = (at + 1) % place_count;
        if (at == 0)
            return 0;
    }
    return UINT32_MAX;
}

static tr_spawn_opts sim_place(unsigned n)
{
    (void)n;
    return places[at];
}

// A play that waits for what was lost does not end by itself, and may be busy all the while.
static void run_without_memory(void)
{
    nodes.code = sim_nodes_start(&nodes);
    for (int steps = 0; steps < STEPS_MAX && nodes.open > 0 && tr__sim_step(nodes.sim); steps++)
        ;
}

static int sim_run(unsigned n, const tr_app *app)
{
    (void)n;
    sim_nodes_open(&nodes, 1, app);
    nodes.loops = 2;
    sweep_begin(&sweep);
    if (sweep.nth > 0)
        run_without_memory();
    else
        assert_true(sim_nodes_run(&nodes, 60));
    sim_nodes_close(&nodes);
    sweep_end(&sweep);
    return nodes.code;
}

static void sim_crash(const tr_actor *self)
{
    sim_nodes_kill(&nodes, self, SIGKILL);
}

static bool sim_accepts(const char *words, const char *notes, int rc)
{
    (void)words, (void)notes, (void)rc;
    return sweep.nth > 0;
}

int no_memory_main(int argc, char **argv, const char *name, const tr_spawn_opts *of,
                   unsigned of_count,
                   int (*suite_main)(int argc, char **argv, const struct theatre *theatre))
{
    static struct theatre sim = {
        .run = sim_run,
        .runs = sim_runs,
        .place = sim_place,
        .scale = 500,
        .crash = sim_crash,
        .accepts = sim_accepts,
    };
    places = of;
    place_count = of_count;
    sim.name = name;
    return suite_main(argc, argv, &sim);
}
