// Files of the simulated machine, over many seeds: with a disk that copies by itself and one that
// does not, and calls that move all or a part.
#include <stdio.h>
#include <stdlib.h>

#include "conform/file_suite.h"
#include "core/file_call.h"
#include "sim/sim.h"
#include "support/seeds.h"

#define SEEDS seeds_of(8)

static tr_sim *sim;
static uint64_t seed;

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    if (tr__sim_open(seed, &sim) < 0 || tr__sim_world(sim, &world) < 0)
        abort();
    tr__sim_set_whole(sim, seed % 3 == 0);
    tr__sim_set_file_moves(sim, seed % 2 == 0);
    world->ops->file(world, &(tr__file_call){.op = TR__FILE_MKDIR, .path = "/d", .mode = 0755});
    return world;
}

static void close_sim(void)
{
    tr__sim_close(&sim);
}

static unsigned descriptors(void)
{
    return tr__sim_files_open(sim);
}

static void fail_nth(int error, unsigned nth)
{
    tr__sim_set_file_error(sim, error, nth);
}

static bool has_failed(void)
{
    return !tr__sim_clear_file_error(sim);
}

int main(void)
{
    static const struct file_harness harness = {.name = "sim",
                                                .open = open_world,
                                                .closed = close_sim,
                                                .directory = "/d",
                                                .descriptors = descriptors,
                                                .fail_nth = fail_nth,
                                                .has_failed = has_failed};
    int failed = 0;
    for (seed = 0; seed < SEEDS && failed == 0; seed++)
        failed = file_suite(&harness);
    return failed;
}
