// The phases on the simulated world.
#include "conform/phase_suite.h"
#include "sim/sim.h"
#include "support/cmocka.h"

static tr_sim *sim;

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    return world;
}

static void close_sim(void)
{
    tr__sim_close(&sim);
}

static void skip_time(tr_world *world, uint64_t ns)
{
    (void)world;
    tr__sim_run_for(sim, ns);
}

int main(void)
{
    static const struct phase_harness harness = {
        .name = "conform/phases_sim", .open = open_world, .closed = close_sim, .pass = skip_time};
    return phase_suite(&harness);
}
