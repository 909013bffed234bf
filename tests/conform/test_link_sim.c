// Links in the simulated world keep what links promise, over some seeds.
#include <stdlib.h>

#include "conform/link_suite.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/seeds.h"

#define SEEDS seeds_of(3)

static tr_sim *sim;
static uint64_t seed;

static tr_world *stage_open(void)
{
    tr_world *world;
    assert_int_equal(0, tr__sim_open(seed, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    return world;
}

static void stage_end(void)
{
    tr__sim_close(&sim);
}

static void stage_pair(tr_world *world, tr_endpoint *ret_ends[2])
{
    assert_int_equal(0, tr__sim_pipe(world, world, &ret_ends[0], &ret_ends[1]));
}

int main(void)
{
    const struct link_theatre theatre = {.name = "conform/link_sim",
                                         .slow = true,
                                         .open = stage_open,
                                         .end = stage_end,
                                         .pair = stage_pair};
    int failed = 0;
    for (seed = 1; seed <= SEEDS; seed++)
        failed += link_suite(&theatre);
    return failed;
}
