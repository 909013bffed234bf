// A service and its worker on the simulated machine, over seeds: whatever the order of things, its
// manager is told what is so, and nobody is left.
#include <signal.h>
#include <stdio.h>

#include "support/cmocka.h"
#include "support/seeds.h"
#include "support/sim_node.h"
#include "support/sweep.h"

#define SEEDS   seeds_of(100)
#define STOP_MS 3000

static struct sim_nodes nodes;
static bool stuck;
static int reloads, worker_ends;

// ---- The program ----

static void worker_stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    worker_ends++;
}
static const tr_behavior worker = {.name = "worker", .stop = worker_stop};

static void reloaded(tr_actor *self, void *arg)
{
    reloads++;
    tr_reply_to(self, (tr_asker){(uintptr_t)arg}, TR_NULL);
}

static int app_start(tr_actor *self, const tr_val *args)
{
    tr_addr service;
    (void)args;
    int rc = tr_service_start(self, TR_SERVICE(.stop_ms = STOP_MS), &service);
    if (rc == 0)
        rc = tr_spawn(self, &worker, TR_SPAWN(.isolation = TR_PROCESS), NULL);
    if (rc == 0)
        rc = tr_send(self, service, "ready", TR_V("up"));
    return rc < 0 ? rc : tr_trap_exit(self, true);
}

// A reload takes its time, so that the next one may be asked for meanwhile.
static int app_receive(tr_actor *self, const tr_msg *msg)
{
    tr_asker asker;
    if (tr_msg_exit(msg) != NULL)
        return stuck ? 0 : tr_exit(self, TR_SHUTDOWN);
    if (!tr_msg_is(msg, "reload"))
        return TR_EUNKNOWN;
    int rc = tr_reply_later(self, msg, &asker);
    return rc < 0 ? rc
                  : tr_timer_start(self, TR_MS(5), reloaded, (void *)(uintptr_t)asker.id, NULL);
}

static const tr_behavior app = {.name = "app", .start = app_start, .receive = app_receive};

// ---- What its manager was told ----

static unsigned told(const char *what)
{
    unsigned count = 0;
    for (const char *at = tr__sim_notified(nodes.sim); (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static bool is_told(void *what)
{
    return told(what) > 0;
}

static bool has_ended(void *arg)
{
    (void)arg;
    return !tr__sim_alive(nodes.sim, nodes.first) && nodes.open == 0;
}

static bool happens(bool (*condition)(void *arg), const char *what, uint64_t seconds)
{
    return tr__sim_run_until(nodes.sim, condition, (void *)(uintptr_t)what, TR_S(seconds));
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static void begin(uint64_t seed)
{
    static const tr_behavior *const behaviors[] = {&app, &worker};
    static const tr_app all = {behaviors, 2};
    reloads = worker_ends = 0;
    tr_log_set(warn_nobody, NULL);
    sim_nodes_open(&nodes, seed, &all);
    nodes.loops = seed % 3 == 2 ? 2 : 1;
}

static void begin_ready(uint64_t seed)
{
    begin(seed);
    assert_int_equal(0, sim_nodes_start(&nodes));
    assert_true(happens(is_told, " READY=1 MAINPID=", 10));
    assert_int_equal(1, told("STATUS=up"));
}

static void send_signal(int signum)
{
    assert_int_equal(0, tr__sim_signal(nodes.sim, nodes.first, signum));
}

// ---- The tests ----

static void sigterm_stops_it_in_order(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin_ready(seed);
        send_signal(seed % 2 == 0 ? SIGTERM : SIGINT);
        assert_true(happens(has_ended, NULL, 2));
        assert_int_equal(0, nodes.code);
        assert_int_equal(1, told("STOPPING=1"));
        assert_int_equal(1, worker_ends);
        sim_nodes_close(&nodes);
    }
}

// Goal:   each reload is told when it begins and when it is over; one that is asked for while
//         another goes on follows it, and many of those are one.
static void reloads_come_one_after_the_other(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin_ready(seed);
        send_signal(SIGHUP);
        assert_true(happens(is_told, "RELOADING=1 MONOTONIC_USEC=", 2));
        for (int i = 0; i < 5; i++)
            send_signal(SIGHUP);
        tr__sim_run_for(nodes.sim, TR_S(1));
        assert_int_equal(2, reloads);
        assert_int_equal(2, told("RELOADING=1"));
        assert_int_equal(3, told(" READY=1"));
        send_signal(SIGTERM);
        assert_true(happens(has_ended, NULL, 2));
        sim_nodes_close(&nodes);
    }
}

static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    stuck = true;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin_ready(seed);
        send_signal(SIGTERM);
        assert_true(happens(is_told, "STOPPING=1", 2));
        send_signal(SIGTERM);
        assert_true(happens(has_ended, NULL, 1));
        sim_nodes_close(&nodes);
    }
    stuck = false;
}

static void one_that_does_not_stop_in_time_is_ended(void **state)
{
    (void)state;
    stuck = true;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin_ready(seed);
        send_signal(SIGTERM);
        tr__sim_run_for(nodes.sim, TR_MS(STOP_MS - 1));
        assert_true(tr__sim_alive(nodes.sim, nodes.first));
        assert_true(happens(has_ended, NULL, 1));
        sim_nodes_close(&nodes);
    }
    stuck = false;
}

static void it_gives_signs_of_life_twice_in_the_time(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        begin(seed);
        tr__sim_set_watchdog(nodes.sim, TR_MS(100));
        assert_int_equal(0, sim_nodes_start(&nodes));
        tr__sim_run_for(nodes.sim, TR_MS(1049));
        assert_in_range(told("WATCHDOG=1"), 19, 20);
        send_signal(SIGTERM);
        assert_true(happens(has_ended, NULL, 2));
        sim_nodes_close(&nodes);
    }
}

// Goal:   without memory it may fail, but not stay, nor leave anything.
static void it_may_be_without_memory(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    while (sweep_next(&sweep)) {
        begin(3);
        sweep_begin(&sweep);
        if (sim_nodes_start(&nodes) == 0) {
            happens(is_told, " READY=1", 1);
            tr__sim_signal(nodes.sim, nodes.first, SIGHUP);
            tr__sim_run_for(nodes.sim, TR_MS(10));
            tr__sim_signal(nodes.sim, nodes.first, SIGTERM);
            assert_true(happens(has_ended, NULL, 60));
        }
        sim_nodes_close(&nodes);
        sweep_end(&sweep);
    }
}

// ---- Statuses ----

static int crash_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    sim_nodes_kill(&nodes, self, SIGSEGV);
    return 0;
}
static const tr_behavior crash = {.name = "crash", .start = crash_start};

static int linked_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_spawn(self, &crash, TR_SPAWN(.isolation = TR_PROCESS, .link = true), NULL);
}
static const tr_behavior linked = {.name = "linked", .start = linked_start};

static int chosen_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    assert_int_equal(TR_EINVAL, tr_status_set(self, -1));
    assert_int_equal(TR_EINVAL, tr_status_set(self, 256));
    assert_int_equal(TR_EINVAL, tr_quit(self, 256));
    assert_int_equal(0, tr_status_set(self, 2));
    assert_int_equal(0, tr_status_set(self, 78));
    return TR_EBADMSG;
}
static const tr_behavior chosen = {.name = "chosen", .start = chosen_start};

static int failing_start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    return TR_EBADMSG;
}
static const tr_behavior failing = {.name = "failing", .start = failing_start};

static void see_status(const tr_behavior *first, int code)
{
    tr_log_set(warn_nobody, NULL);
    sim_nodes_open(&nodes, 1, TR_APP(first, &crash));
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(code, nodes.code);
    sim_nodes_close(&nodes);
}

static void a_status_says_how_it_ended(void **state)
{
    (void)state;
    see_status(&failing, 1);
    see_status(&linked, 128 + SIGSEGV);
    see_status(&chosen, 78);
    assert_int_equal(1, tr_node_status(NULL));
    assert_int_equal(TR_EINVAL, tr_status_set(NULL, 0));
    assert_int_equal(TR_EINVAL, tr_quit(NULL, 0));
    assert_int_equal(TR_EINVAL, tr_notify(NULL, "READY=1"));
    assert_int_equal(TR_EINVAL, tr_pid(NULL));
    assert_int_equal(TR_EINVAL, tr_service_start(NULL, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigterm_stops_it_in_order),
        cmocka_unit_test(reloads_come_one_after_the_other),
        cmocka_unit_test(a_second_signal_ends_it_at_once),
        cmocka_unit_test(one_that_does_not_stop_in_time_is_ended),
        cmocka_unit_test(it_gives_signs_of_life_twice_in_the_time),
        cmocka_unit_test(it_may_be_without_memory),
        cmocka_unit_test(a_status_says_how_it_ended),
    };
    return cmocka_run_group_tests_name("sim/service", tests, NULL, NULL);
}
