#include "support/lone_node.h"

#include "core/node.h"
#include "sim/sim.h"
#include "support/cmocka.h"

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static int node_run(tr_node *node, const tr_behavior *first, int steps_max)
{
    int rc = tr_node_spawn(node, first, NULL, NULL);
    if (rc < 0)
        return rc;
    while (tr__node_step(node))
        assert_true(steps_max-- > 0);
    return node->error;
}

int lone_node_run(const tr_behavior *first, int steps_max)
{
    tr_sim *sim = NULL;
    tr_world *world = NULL;
    tr_node *node = NULL;
    tr_log_set(warn_nobody, NULL);
    int rc = tr__sim_open(1, &sim);
    if (rc == 0)
        rc = tr__sim_world(sim, &world);
    if (rc == 0)
        rc = tr__node_new(0, "test", 1, &world, &node);
    if (rc == 0)
        rc = node_run(node, first, steps_max);
    tr__node_free(&node);
    if (world != NULL)
        world->ops->close(&world);
    tr__sim_close(&sim);
    tr_log_set(NULL, NULL);
    return rc;
}
