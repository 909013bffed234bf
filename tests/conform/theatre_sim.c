#include "conform/theatre_sim.h"

#include <signal.h>

#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

static const struct tr_spawn_opts PLACES[] = {
    {.isolation = TR_SHARED, .placement = TR_HERE},
    {.isolation = TR_SHARED, .placement = TR_SPREAD},
    {.isolation = TR_THREAD},
    {.isolation = TR_PROCESS},
};
#define PLACES_COUNT (unsigned)(sizeof PLACES / sizeof *PLACES)

static struct sim_nodes nodes;

static unsigned sim_runs(void)
{
    return PLACES_COUNT * seeds_of(SEEDS_USUAL);
}

static tr_spawn_opts sim_place(unsigned n)
{
    return PLACES[n % PLACES_COUNT];
}

static int sim_run(unsigned n, const tr_app *app)
{
    counted_memory_start(0);
    sim_nodes_open(&nodes, n + 1, app);
    nodes.loops = 2;
    bool ended = sim_nodes_run(&nodes, 60);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    assert_true(ended);
    return nodes.code;
}

static void sim_cut(unsigned n, const tr_app *app)
{
    counted_memory_start(0);
    sim_nodes_open(&nodes, n, app);
    nodes.loops = 2;
    sim_nodes_start(&nodes);
    tr__sim_run_for(nodes.sim, TR_US(10) * (n + 1) % TR_MS(20));
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
}

static void sim_crash(const tr_actor *self)
{
    sim_nodes_kill(&nodes, self, SIGKILL);
}

int sim_main(int argc, char **argv, const char *name,
             int (*suite_main)(int argc, char **argv, const struct theatre *theatre))
{
    static struct theatre sim = {
        .run = sim_run,
        .cut = sim_cut,
        .runs = sim_runs,
        .place = sim_place,
        .scale = 50,
        .crash = sim_crash,
    };
    sim.name = name;
    return suite_main(argc, argv, &sim);
}
