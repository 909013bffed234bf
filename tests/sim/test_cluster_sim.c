// Clusters in a simulated machine, under load (support/cluster_play.h), over seeds: what holds for
// real ones holds whatever the schedule.
#include <signal.h>
#include <stdio.h>

#include "support/cluster_play.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/sim_node.h"

#define SEEDS 12

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_trouble_nothing_fails),
        cmocka_unit_test(a_roll_costs_no_answer),
        cmocka_unit_test(kills_and_rolls_at_a_time_cost_what_was_in_a_killed_ones_hands),
        cmocka_unit_test(growing_and_shrinking_costs_no_answer),
    };
    return cmocka_run_group_tests_name("sim/cluster", tests, NULL, NULL);
}
