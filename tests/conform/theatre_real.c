#include "conform/theatre_real.h"

#include <signal.h>
#include <troupe/test.h>

#include "core/node.h"

static tr_spawn_opts place;

static tr_spawn_opts real_place(unsigned n)
{
    (void)n;
    return place;
}

static int real_run(unsigned n, const tr_app *app)
{
    tr_node *node = NULL;
    (void)n;
    int rc = tr_node_open(TR_NODE(.app = app, .loops = 2), &node);
    if (rc == 0)
        rc = tr_node_spawn(node, app->behaviors[0], NULL, NULL);
    if (rc == 0)
        rc = tr_node_run(node);
    tr_node_close(&node);
    return rc;
}

static void real_cut(unsigned n, const tr_app *app)
{
    (void)n;
    unsigned slowness = tr_test_sanitized() ? 1 : 4;
    for (unsigned steps = 1; steps < 300; steps += steps / slowness + 1) {
        tr_node *node = NULL;
        assert_int_equal(0, tr_node_open(TR_NODE(.app = app, .loops = 2), &node));
        assert_int_equal(0, tr_node_spawn(node, app->behaviors[0], NULL, NULL));
        for (unsigned i = 0; i < steps && tr__node_step(node); i++)
            continue;
        tr_node_close(&node);
    }
}

static unsigned real_runs(void)
{
    return 1;
}

static void real_crash(const tr_actor *self)
{
    (void)self;
    raise(SIGKILL);
}

int real_main(int argc, char **argv, const char *name, tr_isolation isolation,
              tr_placement placement,
              int (*suite_main)(int argc, char **argv, const struct theatre *theatre))
{
    static struct theatre real = {
        .begin = tr_test_setup,
        .end = tr_test_teardown,
        .run = real_run,
        .cut = real_cut,
        .runs = real_runs,
        .place = real_place,
        .scale = 1,
        .crash = real_crash,
    };
    place = *TR_SPAWN(.isolation = isolation, .placement = placement);
    real.name = name;
    return suite_main(argc, argv, &real);
}
