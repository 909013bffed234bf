// The phases on the real world.
#include "conform/phase_suite.h"
#include "support/cmocka.h"
#include "uv/uv.h"

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static void spin(tr_world *world, uint64_t ns)
{
    uint64_t until = world->ops->now(world) + ns;
    while (world->ops->now(world) < until)
        continue;
}

int main(void)
{
    static const struct phase_harness harness = {
        .name = "conform/phases_uv", .open = open_world, .pass = spin, .threads = true};
    return phase_suite(&harness);
}
