#include "support/sim_node.h"

#include <stdlib.h>
#include <troupe/error.h>

#include "remote/remote.h"
#include "support/cmocka.h"

// A process's state.
struct node {
    struct sim_nodes *nodes;
    tr_node *node;
    bool first; // nobody's child
    bool left;
};

static uint32_t pulse_env(const char *const *env)
{
    const size_t len = sizeof TR__PULSE_ENV;
    for (; *env != NULL; env++)
        if (strncmp(*env, TR__PULSE_ENV "=", len) == 0)
            return tr__pulse_wanted(*env + len);
    return 0;
}

static int node_begin(struct node *n, tr_world *world, tr_endpoint *link, const char *name,
                      const char *const *env)
{
    const tr_app *app = n->nodes->app;
    tr__remote_opts opts = {.name = name,
                            .path = n->nodes->program.path,
                            .program = name,
                            .app = app,
                            .loops = n->nodes->loops};
    if (link != NULL) {
        int rc = tr__remote_open_child(&opts, &world, link, &n->node);
        return rc < 0 ? rc : tr__watchdog_start(n->node, TR_NODE(), pulse_env(env));
    }
    int rc = tr__remote_open(&opts, &world, &n->node);
    return rc < 0 ? rc : tr_node_spawn(n->node, app->behaviors[0], NULL, NULL);
}

static int node_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                     const char *const *env, void *arg, void **ret_state)
{
    struct node *n = calloc(1, sizeof *n);
    n->nodes = arg;
    n->first = link == NULL;
    int rc = node_begin(n, world, link, argv[0], env);
    if (rc < 0) {
        tr__node_free(&n->node);
        free(n);
        return rc;
    }
    n->nodes->open++;
    *ret_state = n;
    return 0;
}

static void node_step(void *state)
{
    struct node *n = state;
    n->left = !tr__node_step(n->node);
}

static uint64_t node_due(void *state)
{
    struct node *n = state;
    return tr__loop_due(tr__node_loop(n->node, 0));
}

// As tr_main.
static bool node_done(void *state, int *ret_code)
{
    struct node *n = state;
    *ret_code = tr_node_status(n->node);
    if (n->left && n->first)
        n->nodes->code = *ret_code;
    return n->left;
}

static void node_close(void *state)
{
    struct node *n = state;
    n->nodes->dead_letters += tr_node_dead_letters(n->node);
    tr__node_free(&n->node);
    n->nodes->open--;
    free(n);
}

void (*sim_nodes_prepare)(tr_sim *sim);

void sim_nodes_open(struct sim_nodes *nodes, uint64_t seed, const tr_app *app)
{
    *nodes = (struct sim_nodes){.app = app};
    nodes->program = (tr_sim_program){
        .path = "node",
        .open = node_open,
        .step = node_step,
        .due = node_due,
        .done = node_done,
        .close = node_close,
        .arg = nodes,
    };
    assert_int_equal(0, tr__sim_open(seed, &nodes->sim));
    assert_int_equal(0, tr__sim_program_add(nodes->sim, &nodes->program));
    if (sim_nodes_prepare != NULL)
        sim_nodes_prepare(nodes->sim);
    tr__sim_set_whole(nodes->sim, seed % 4 == 0);
    tr__sim_set_delay(nodes->sim, seed % 5 == 0 ? 0 : (uint64_t)1000 << seed % 12);
    if (seed % 3 == 0)
        tr__sim_set_capacity(nodes->sim, 512);
}

void sim_nodes_close(struct sim_nodes *nodes)
{
    tr__sim_close(&nodes->sim);
    assert_int_equal(0, nodes->open);
}

int sim_nodes_start(struct sim_nodes *nodes)
{
    const char *const argv[] = {"node", NULL};
    return tr__sim_start(nodes->sim, "node", argv, &nodes->first);
}

static bool nodes_ended(void *arg)
{
    return ((struct sim_nodes *)arg)->open == 0;
}

bool sim_nodes_run(struct sim_nodes *nodes, uint64_t seconds)
{
    nodes->code = sim_nodes_start(nodes);
    return tr__sim_run_until(nodes->sim, nodes_ended, nodes, TR_S(seconds));
}

void sim_nodes_kill(struct sim_nodes *nodes, const tr_actor *actor, int signal)
{
    tr__sim_kill(nodes->sim, tr__sim_pid(actor->loop->world), signal);
}
