// Clusters in a simulated machine, under load (support/cluster_play.h), over seeds: what holds for
// real ones holds whatever the schedule.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/cluster_play.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS seeds_of(12)

static struct sim_nodes nodes;

static void kill_pid(int64_t pid)
{
    tr__sim_kill(nodes.sim, pid, SIGKILL);
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static void run(uint64_t seed, const tr_cluster_spec *spec, const struct cluster_play *of)
{
    play = *of;
    play.spec = spec;
    play.kill = kill_pid;
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&play_boss, &play_worker));
    assert_true(sim_nodes_run(&nodes, 600));
    assert_int_equal(0, nodes.code);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    assert_true(play.answered > 0);
    assert_int_equal(TR_REASON_SHUTDOWN, play.end.kind);
}

// Each way of sharing, over all seeds.
static void perform(const tr_cluster_spec *spec, struct cluster_play of, void (*check)(void))
{
    tr_log_set(warn_nobody, NULL);
    for (int share = TR_CLUSTER_SHARED; share <= TR_CLUSTER_HASH; share++) {
        tr_cluster_spec shared = *spec;
        shared.share = (tr_cluster_share)share;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            run(seed, &shared, &of);
            check();
        }
    }
}

static void check_calm(void)
{
    assert_int_equal(0, play.failed);
    assert_int_equal(0, play.restarts);
}

static void without_trouble_nothing_fails(void **state)
{
    (void)state;
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3),
            (struct cluster_play){.users = 5, .lines = 2, .pause_ms = 3, .run_ms = 100},
            check_calm);
}

static void check_rolled(void)
{
    check_calm();
    assert_true(play.rolls > 0);
    assert_int_equal(0, play.roll_errors);
}

static void a_roll_costs_no_answer(void **state)
{
    (void)state;
    perform(
        TR_CLUSTER(.behavior = &play_worker, .workers = 2),
        (struct cluster_play){.users = 5, .lines = 2, .pause_ms = 3, .run_ms = 150, .roll_ms = 20},
        check_rolled);
}

static void check_killed(void)
{
    assert_true(play.kills > 0);
    assert_true(play.failed <= 5u * play.kills);
    assert_true(play.roll_errors == 0);
}

static void kills_and_rolls_at_a_time_cost_what_was_in_a_killed_ones_hands(void **state)
{
    (void)state;
    perform(
        TR_CLUSTER(.behavior = &play_worker, .workers = 3, .restart_max = 1000, .roll_tries = 1000),
        (struct cluster_play){
            .users = 5, .lines = 2, .pause_ms = 3, .run_ms = 150, .roll_ms = 20, .kill_ms = 37},
        check_killed);
}

static void check_resized(void)
{
    check_calm();
}

static void growing_and_shrinking_costs_no_answer(void **state)
{
    (void)state;
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2),
            (struct cluster_play){.users = 5,
                                  .lines = 2,
                                  .pause_ms = 3,
                                  .run_ms = 100,
                                  .resize_to = 4,
                                  .resize_after_ms = 50},
            check_resized);
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 4),
            (struct cluster_play){.users = 5,
                                  .lines = 2,
                                  .pause_ms = 3,
                                  .run_ms = 100,
                                  .resize_to = 1,
                                  .resize_after_ms = 50},
            check_resized);
}

static void check_limited(void)
{
    check_calm();
    assert_in_range(play.served_most, 1, 4);
}

static void check_limit_is_used(void)
{
    check_calm();
    assert_int_equal(4, play.served_most);
}

// Goal:   what all workers together may have open stays the same when there are more, or fewer.
// Method: more users than that, and a count of those served at a time after the change.
static void a_limit_over_all_holds_for_any_number_of_workers(void **state)
{
    (void)state;
    const struct cluster_play crowd = {.users = 10,
                                       .lines = 10,
                                       .pause_ms = 1,
                                       .run_ms = 200,
                                       .resize_after_ms = 50,
                                       .settled_ms = 120};
    struct cluster_play grows = crowd, shrinks = crowd;
    grows.resize_to = 4;
    shrinks.resize_to = 1;
    tr_log_set(warn_nobody, NULL);
    for (uint64_t seed = 7; seed < 12; seed += 2) { // with links slow enough that there is a crowd
        run(seed, TR_CLUSTER(.behavior = &play_worker, .workers = 1, .connections_max = 4), &grows);
        check_limited();
        run(seed, TR_CLUSTER(.behavior = &play_worker, .workers = 4, .connections_max = 4),
            &shrinks);
        check_limit_is_used();
    }
}

// ---- Workers that do not serve to the end ----

enum { GUESTS = 6 };

static struct {
    tr_addr cluster;
    char at[TR_ADDRESS_MAX];
    uint32_t ready, closed;
    int served;
    bool one_by_one;
    enum { BEFORE, BETWEEN, FOR_GOOD } leaves; // a batch; in the midst of it; and its actor ends
    bool left;
} scene;

// Words may come in pieces, so each has a letter of its own.
static bool has(tr_buf *chunk, char letter)
{
    return memchr(tr_buf_data(chunk), letter, tr_buf_size(chunk)) != NULL;
}

static void guest_connect(tr_actor *self, intptr_t n);

static void guest_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *n)
{
    if (!has(chunk, 's'))
        return;
    scene.served++;
    if (scene.one_by_one && (intptr_t)n + 1 < GUESTS)
        tr_stream_write_bytes(self, stream, "bye", 3);
    else
        tr_stream_end(self, stream);
}

static void guest_closed(tr_actor *self, tr_stream stream, int status, void *n)
{
    (void)stream, (void)status;
    if (++scene.closed == GUESTS)
        tr_stop(self, scene.cluster);
    else if (scene.one_by_one)
        guest_connect(self, (intptr_t)n + 1);
}

static void guest_connect(tr_actor *self, intptr_t n)
{
    static const tr_stream_events events = {.data = guest_data, .closed = guest_closed};
    tr_stream stream;
    assert_int_equal(0, tr_connect(self, scene.at, NULL, &stream));
    tr_stream_on(self, stream, &events, (void *)n);
    tr_stream_write_bytes(self, stream, "hello", 5);
}

static void host_event(tr_actor *self, tr_val body)
{
    tr_str event, text;
    assert_int_equal(0, tr_get_str(body, "event", &event));
    if (tr_str_eq(event, "listening") && tr_get_str(body, "address", &text) == 0)
        snprintf(scene.at, sizeof scene.at, "%.*s", TR_STR_ARG(text));
    if (!tr_str_eq(event, "ready") || ++scene.ready != (scene.one_by_one ? 1 : 2))
        return;
    for (intptr_t i = 0; i < (scene.one_by_one ? 1 : GUESTS); i++)
        guest_connect(self, i);
}

static int host_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "cluster"))
        host_event(self, tr_msg_body(msg));
    return tr_msg_down(msg) != NULL ? tr_exit(self, TR_NORMAL) : 0;
}

static void echo_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)arg;
    if (has(chunk, 'b'))
        tr_exit(self, TR_NORMAL); // with the connection open, and listening
    else if (has(chunk, 'h'))
        tr_stream_write_bytes(self, stream, "served", 6);
}

static void echo_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = echo_data};
    (void)arg;
    tr_stream_on(self, stream, &events, NULL);
}

static int host_start(tr_actor *self, const tr_behavior *worker, const tr_cluster_spec *given)
{
    tr_cluster_spec spec = *given;
    spec.behavior = worker;
    spec.observer = tr_self(self);
    int rc = tr_cluster_start(self, &spec, NULL, &scene.cluster);
    return rc < 0 ? rc : tr_monitor(self, scene.cluster, NULL);
}

// The first one listens no more when it is given something, or either when it is given several, and has
// filled the way to its cluster before it says so.
struct leaver {
    tr_cluster_server server;
    tr_cluster_worker me;
    bool declined; // the first time, so that the next ones come together:
    size_t batch;  // so many
};

static void leaver_leave(tr_actor *self)
{
    struct leaver *l = tr_state(self);
    scene.left = true;
    while (tr_send(self, l->me.addr, "noise", TR_NULL) == 0)
        continue;
    tr_cluster_close(self, l->server);
}

static void leaver_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    const struct leaver *l = tr_state(self);
    echo_accepted(self, stream, arg);
    if (l->batch > 1 && !scene.left && scene.leaves == BETWEEN)
        leaver_leave(self);
}

static int leaver_start(tr_actor *self, const tr_val *args)
{
    struct leaver *l = tr_state(self);
    (void)args;
    tr_cluster_self(self, &l->me);
    return tr_cluster_listen(self, "tcp://127.0.0.1:0", NULL, leaver_accepted, NULL, &l->server);
}

static int leaver_receive(tr_actor *self, const tr_msg *msg)
{
    struct leaver *l = tr_state(self);
    l->batch = tr_msg_handle_count(msg);
    if (l->batch > 0 && scene.leaves == BETWEEN && !l->declined) {
        l->declined = true;
        return TR_EUNKNOWN;
    }
    bool now = l->me.slot == 0 && l->batch > 0 && !scene.left;
    if (now && scene.leaves != BETWEEN)
        leaver_leave(self);
    int rc = tr_cluster_take(self, msg) ? 0 : TR_EUNKNOWN;
    return now && scene.leaves == FOR_GOOD ? tr_exit(self, TR_NORMAL) : rc;
}
static const tr_behavior leaver = {.name = "leaver",
                                   .state_size = sizeof(struct leaver),
                                   .start = leaver_start,
                                   .receive = leaver_receive};

static int leavers_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return host_start(self, &leaver, TR_CLUSTER(.workers = 2, .share = TR_CLUSTER_ROUND_ROBIN));
}
static const tr_behavior leavers = {
    .name = "leavers", .start = leavers_start, .receive = host_receive};

// Its listening actor ends while it lives, and is started again.
static int singer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_cluster_listen(self, "tcp://127.0.0.1:0", NULL, echo_accepted, NULL, NULL);
}

static int singer_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_cluster_take(self, msg) ? 0 : TR_EUNKNOWN;
}
static const tr_behavior singer = {
    .name = "singer", .start = singer_start, .receive = singer_receive};

static int stage_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &singer, NULL, &addr);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int stage_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_down(msg) != NULL ? stage_start(self, NULL) : TR_EUNKNOWN;
}
static const tr_behavior stage = {.name = "stage", .start = stage_start, .receive = stage_receive};

static int singers_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return host_start(
        self, &stage,
        TR_CLUSTER(.workers = 1, .share = TR_CLUSTER_LEAST_LOADED, .connections_max = 1));
}
static const tr_behavior singers = {
    .name = "singers", .start = singers_start, .receive = host_receive};

static void see_all_served(const tr_app *app, int leaves, bool one_by_one)
{
    unsigned left = 0;
    tr_log_set(warn_nobody, NULL);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        memset(&scene, 0, sizeof scene);
        scene.leaves = leaves;
        scene.one_by_one = one_by_one;
        counted_memory_start(0);
        sim_nodes_open(&nodes, seed, app);
        assert_true(sim_nodes_run(&nodes, 60));
        assert_int_equal(0, nodes.code);
        sim_nodes_close(&nodes);
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(GUESTS, scene.served);
        left += scene.left;
    }
    assert_true(leaves == BEFORE || left > 0);
}

static void what_a_worker_gives_back_is_served_though_the_way_was_full(void **state)
{
    (void)state;
    see_all_served(TR_APP(&leavers, &leaver), BEFORE, false);
    see_all_served(TR_APP(&leavers, &leaver), BETWEEN, false);
}

static void what_a_worker_was_given_is_served_though_its_actor_ends(void **state)
{
    (void)state;
    see_all_served(TR_APP(&leavers, &leaver), FOR_GOOD, false);
}

static void what_an_actor_had_open_when_it_ended_counts_no_more(void **state)
{
    (void)state;
    see_all_served(TR_APP(&singers, &stage, &singer), BEFORE, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_trouble_nothing_fails),
        cmocka_unit_test(a_roll_costs_no_answer),
        cmocka_unit_test(kills_and_rolls_at_a_time_cost_what_was_in_a_killed_ones_hands),
        cmocka_unit_test(growing_and_shrinking_costs_no_answer),
        cmocka_unit_test(a_limit_over_all_holds_for_any_number_of_workers),
        cmocka_unit_test(what_a_worker_gives_back_is_served_though_the_way_was_full),
        cmocka_unit_test(what_a_worker_was_given_is_served_though_its_actor_ends),
        cmocka_unit_test(what_an_actor_had_open_when_it_ended_counts_no_more),
    };
    return cmocka_run_group_tests_name("sim/cluster", tests, NULL, NULL);
}
