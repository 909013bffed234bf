// Goal:   whatever allocation fails, an actor or a link may be lost, but nothing crashes or leaks.
// Method: every play of the suite in the simulated world, over each isolation; see sweep.h. What
// the
//         plays note is not compared, once memory has failed: they ignore results on purpose.
#include <signal.h>

#include "conform/isolation_suite.h"
#include "support/sim_node.h"
#include "support/sweep.h"

static const struct tr_spawn_opts PLACES[] = {
    {.isolation = TR_SHARED, .placement = TR_HERE},
    {.isolation = TR_SHARED, .placement = TR_SPREAD},
    {.isolation = TR_THREAD},
    {.isolation = TR_PROCESS},
};
#define PLACES_COUNT (unsigned)(sizeof PLACES / sizeof *PLACES)

#define STEPS_MAX 5000

static struct sim_nodes nodes;
static struct sweep sweep;
static unsigned at; // the place

// One at a time: a run that only counts, those in which memory fails, then the next place.
static unsigned sim_runs(void)
{
    while (!sweep_next(&sweep)) {
        at = (at + 1) % PLACES_COUNT;
        if (at == 0)
            return 0;
    }
    return UINT32_MAX;
}

static tr_spawn_opts sim_place(unsigned n)
{
    (void)n;
    return PLACES[at];
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

int main(int argc, char **argv)
{
    static const struct theatre sim = {
        .name = "conform/isolation_no_memory",
        .run = sim_run,
        .runs = sim_runs,
        .place = sim_place,
        .scale = 500,
        .crash = sim_crash,
        .accepts = sim_accepts,
    };
    return isolation_main(argc, argv, &sim);
}
