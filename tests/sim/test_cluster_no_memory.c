// Goal:   whatever allocation fails, in the cluster's process or in a worker's, nothing crashes,
// hangs
//         or leaks.
// Method: a short life of a cluster, with connections, a roll, a resize and a kill, in the
// simulated
//         machine; see support/sweep.h. What comes of it is not compared, once memory has failed.
#include <signal.h>

#include "support/cluster_play.h"
#include "support/cmocka.h"
#include "support/sim_node.h"
#include "support/sweep.h"

static struct sim_nodes nodes;
static tr_cluster_share share;
static tr_addr cluster;
static unsigned answered, events;

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

// ---- The boss: does all that can be done, and ends ----

static void on_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)chunk, (void)arg;
    answered++;
    tr_stream_end(self, stream);
}

static void on_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static void boss_connect(tr_actor *self, tr_val body)
{
    static const tr_stream_events hears = {.data = on_data, .closed = on_closed};
    char address[TR_ADDRESS_MAX];
    tr_stream stream;
    tr_str text;
    if (tr_get_str(body, "address", &text) < 0)
        return;
    memcpy(address, text.ptr, text.len);
    address[text.len] = '\0';
    if (tr_connect(self, address, NULL, &stream) < 0)
        return;
    tr_stream_on(self, stream, &hears, NULL);
    tr_stream_write_bytes(self, stream, "hello\n", 6);
}

static void boss_do(tr_actor *self, void *arg)
{
    static const char *const names[] = {"cluster.roll", "cluster.resize", "cluster.workers"};
    uintptr_t i = (uintptr_t)arg;
    tr_send(self, cluster, names[i], i == 1 ? TR_V(3) : TR_NULL);
}

static void boss_stop(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_cluster_start(self,
                              TR_CLUSTER(.behavior = &play_worker, .workers = 2, .share = share,
                                         .connections_max = 5, .observer = tr_self(self),
                                         .opts = TR_SPAWN(.stop_ms = 50, .term_ms = 50)),
                              NULL, &cluster);
    for (uintptr_t i = 0; rc == 0 && i < 3; i++)
        rc = tr_timer_start(self, TR_MS(20 * (i + 1)), boss_do, (void *)i, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(100), boss_stop, NULL, NULL);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    tr_str event;
    int64_t pid;
    if (!tr_msg_is(msg, "cluster"))
        return TR_EUNKNOWN;
    boss_connect(self, tr_msg_body(msg));
    if (++events == 5 && tr_get_str(tr_msg_body(msg), "event", &event) == 0 &&
        tr_get_int(tr_msg_body(msg), "pid", &pid) == 0)
        tr__sim_kill(nodes.sim, pid, SIGKILL);
    return 0;
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

// ---- The sweep ----

static void run(struct sweep *sweep)
{
    answered = events = 0;
    sim_nodes_open(&nodes, 4, TR_APP(&boss, &play_worker));
    sweep_begin(sweep);
    sim_nodes_run(&nodes, 600);
    assert_int_equal(0, nodes.open);
    sim_nodes_close(&nodes);
    sweep_end(sweep);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    for (int i = TR_CLUSTER_SHARED; i <= TR_CLUSTER_LEAST_LOADED; i++) {
        struct sweep sweep = {0};
        share = (tr_cluster_share)i;
        while (sweep_next(&sweep)) {
            run(&sweep);
            if (sweep.nth == 0)
                assert_true(answered > 0 && events > 10 && sweep.count > 300);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests_name("sim/cluster_no_memory", tests, NULL, NULL);
}
