// The cluster in the kit: its workers are probes, which the test has say that they are ready, and
// ends. What they listen at is in ipc/cluster and sim/cluster.
#include <signal.h>
#include <stdio.h>
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"
#include "support/lone_node.h"

static const tr_behavior job = {.name = "job"};

enum { WORKERS_MAX = 16 };
static tr_addr workers[WORKERS_MAX]; // the last one that was started for each of the first slots
static tr_addr client, observer;
static bool observed; // events are read

// ---- Starting one ----

static const tr_cluster_spec *spec;
static int start_rc;

static int owner_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_cluster_spec own = {0};
    if (spec != NULL) {
        own = *spec;
        own.observer = observed ? observer : TR_NOBODY;
    }
    start_rc = tr_cluster_start(self, spec == NULL ? NULL : &own, NULL, NULL);
    return 0;
}
static const tr_behavior owner = {.name = "owner", .start = owner_start};

static int start_owner(const tr_cluster_spec *given)
{
    spec = given;
    start_rc = 1;
    client = tr_kit_probe("client");
    observer = tr_kit_probe("observer");
    TR_START(&owner, NULL);
    return start_rc;
}

// Take the next spawn: it is that of a worker for this slot.
static tr_addr expect_start(uint32_t slot, uint64_t incarnation)
{
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    tr_val about;
    uint64_t number = 99, count = 0;
    assert_ptr_equal(&job, spawn->behavior);
    assert_int_equal(TR_PROCESS, spawn->opts.isolation);
    assert_int_equal(0, tr_get(spawn->opts.context, "cluster", &about));
    assert_int_equal(0, tr_get_uint(about, "slot", &number));
    assert_int_equal(0, tr_get_uint(about, "incarnation", &count));
    assert_int_equal(slot, number);
    assert_int_equal(incarnation, count);
    return workers[slot] = spawn->addr;
}

static void drop_events(uint32_t count)
{
    while (observed && count-- > 0)
        TR_TAKE(observer);
}

static void say_ready(tr_addr cluster, tr_addr worker)
{
    TR_GIVE(cluster, worker, "troupe.ready", TR_NULL);
}

// A cluster whose count workers are ready.
static tr_addr cluster_with(const tr_cluster_spec *given, uint32_t count)
{
    assert_int_equal(0, start_owner(given));
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    tr_addr cluster = TR_START(spawn->behavior, &spawn->opts);
    for (uint32_t i = 0; i < count; i++)
        say_ready(cluster, expect_start(i, 1));
    drop_events(2 + count); // online, ready
    return cluster;
}

static void crash(tr_addr worker)
{
    tr_kit_end(worker, (tr_reason){.kind = TR_REASON_KILLED, .code = SIGSEGV});
}

static void leave(tr_addr worker)
{
    assert_true(tr_kit_stop_asked(worker));
    tr_kit_end(worker, (tr_reason){.kind = TR_REASON_SHUTDOWN});
}

static void expect_event(const char *event, uint32_t slot)
{
    TR_EXPECT_LIKE(observer, "cluster", TR_MAP("event", event, "slot", slot));
}

#define SPEC(...) TR_CLUSTER(.behavior = &job, .workers = 2, __VA_ARGS__)

// ---- Starting and ending ----

static void workers_are_told_who_they_are(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(.opts = TR_SPAWN(.args = TR_V(7), .stop_ms = 9)), 0);
    for (uint32_t slot = 0; slot < 2; slot++) {
        const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
        int64_t args = 0;
        assert_int_equal(0, tr_as_int(spawn->opts.args, &args));
        assert_int_equal(7, args);
        assert_int_equal(9, spawn->opts.stop_ms);
        tr_val about;
        tr_addr addr;
        assert_int_equal(0, tr_get(spawn->opts.context, "cluster", &about));
        assert_int_equal(0, tr_get_addr(about, "addr", &addr));
        assert_true(tr_addr_eq(cluster, addr));
    }
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void there_are_as_many_as_processors(void **state)
{
    (void)state;
    cluster_with(TR_CLUSTER(.behavior = &job), tr_processors());
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void a_program_is_forked(void **state)
{
    (void)state;
    cluster_with(TR_CLUSTER(.path = "/bin/worker", .workers = 1), 0);
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    assert_null(spawn->behavior);
    assert_string_equal("/bin/worker", spawn->path);
}

static void specs_are_checked(void **state)
{
    (void)state;
    const tr_cluster_spec bad[] = {
        {.behavior = &job, .path = "both"},
        {.workers = 1},
        {.behavior = &job, .workers = TR_CLUSTER_MAX + 1},
        {.behavior = &job, .share = (tr_cluster_share)(TR_CLUSTER_CHOICE + 1)},
        {.behavior = &job, .share = TR_CLUSTER_CHOICE},
        {.behavior = &job, .backoff_factor = 0.5},
        {.behavior = &job, .backoff_jitter = 2},
        {.behavior = &job, .opts = TR_SPAWN(.name = "n")},
        {.behavior = &job, .opts = TR_SPAWN(.link = true)},
        {.behavior = &job, .opts = TR_SPAWN(.context = TR_TRUE)},
        {.behavior = &job, .opts = TR_SPAWN(.program = "p")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tr_cluster_spec sized = bad[i];
        sized.size = sizeof sized;
        assert_int_equal(TR_EINVAL, start_owner(&sized));
    }
    assert_int_equal(TR_EINVAL, start_owner(NULL));
}

static void it_ends_when_all_have_been_drained(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    TR_STOP(cluster);
    assert_true(tr_kit_alive(cluster));
    leave(workers[0]);
    assert_true(tr_kit_alive(cluster));
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(3));
    TR_EXPECT(client, "error", TR_V(TR_SHUTDOWN));
    leave(workers[1]);
    TR_EXPECT_EXIT(cluster, TR_SHUTDOWN);
}

// ---- Failing ----

static void one_that_ends_is_replaced_later_each_time(void **state)
{
    (void)state;
    observed = true;
    tr_addr cluster = cluster_with(SPEC(.backoff_min_ms = 10, .backoff_max_ms = 35), 2);
    static const uint64_t delays[] = {10, 20, 35, 35};
    for (uint64_t i = 0; i < 4; i++) {
        crash(workers[1]);
        TR_EXPECT_LIKE(observer, "cluster",
                       TR_MAP("event", "exit", "slot", 1, "reason", "killed by signal 11"));
        TR_EXPECT_LIKE(observer, "cluster",
                       TR_MAP("event", "restart", "slot", 1, "delay_ms", delays[i]));
        TR_ADVANCE(TR_MS(delays[i]) - 1);
        TR_EXPECT_NOTHING(TR_NOBODY);
        TR_ADVANCE(1);
        expect_event("online", 1);
        say_ready(cluster, expect_start(1, 2 + i));
        expect_event("ready", 1);
    }
    TR_ADVANCE(TR_MS(35)); // one that has lived for long enough
    crash(workers[1]);
    expect_event("exit", 1);
    TR_EXPECT_LIKE(observer, "cluster", TR_MAP("event", "restart", "delay_ms", 10));
}

static void one_that_leaves_by_itself_is_replaced(void **state)
{
    (void)state;
    cluster_with(SPEC(), 2);
    tr_kit_end(workers[0], (tr_reason){.kind = TR_REASON_NORMAL});
    TR_ADVANCE(TR_MS(10));
    expect_start(0, 2);
}

static void too_many_failures_end_it(void **state)
{
    (void)state;
    observed = true;
    tr_addr cluster = cluster_with(SPEC(.restart_max = 2, .restart_window_ms = 1000), 2);
    for (uint64_t i = 0; i < 2; i++) {
        crash(workers[0]);
        TR_ADVANCE(TR_MS(100));
        say_ready(cluster, expect_start(0, 2 + i));
    }
    drop_events(8); // exit, restart, online, ready
    crash(workers[0]);
    expect_event("exit", 0);
    expect_event("give up", 0);
    leave(workers[1]);
    TR_EXPECT_EXIT(cluster, TR_ERESTARTS);
}

static void one_that_cannot_be_started_has_failed(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    tr_kit_fail_spawn(1, TR_EAGAIN);
    crash(workers[0]);
    TR_ADVANCE(TR_MS(10));
    TR_EXPECT_NOTHING(client);
    TR_ADVANCE(TR_MS(20));
    say_ready(cluster, expect_start(0, 3));
}

static void one_that_is_not_ready_in_time_is_killed(void **state)
{
    (void)state;
    observed = true;
    tr_addr cluster = cluster_with(SPEC(.ready_ms = 500), 1);
    expect_start(1, 1);
    TR_ADVANCE(TR_MS(499));
    TR_EXPECT_NOTHING(observer);
    TR_ADVANCE(TR_MS(1));
    expect_event("late", 1);
    expect_event("exit", 1);
    TR_ADVANCE(TR_MS(10));
    say_ready(cluster, expect_start(1, 2));
    TR_ADVANCE(TR_S(1));
    assert_true(tr_kit_alive(cluster));
    TR_EXPECT_NO_TIMER();
}

static void one_may_be_ready_as_soon_as_it_is_online(void **state)
{
    (void)state;
    observed = true;
    tr_addr cluster = cluster_with(SPEC(.ready_online = true), 0);
    tr_addr worker = expect_start(0, 1);
    expect_start(1, 1);
    TR_TAKE(worker); // the ping
    TR_ANSWER(worker, TR_NULL);
    expect_event("ready", 0);
    assert_true(tr_kit_alive(cluster));
}

static void a_hang_is_told(void **state)
{
    (void)state;
    cluster_with(SPEC(.opts = TR_SPAWN(.hung_ms = 100)), 0);
    assert_int_equal(100, TR_TAKE_SPAWN()->opts.hung_ms);
}

// ---- Rolls ----

static tr_addr rolled_cluster(const tr_cluster_spec *given, uint32_t count, tr_val how)
{
    tr_addr cluster = cluster_with(given, count);
    TR_GIVE_ASK(cluster, client, "cluster.roll", how);
    return cluster;
}

static void a_roll_replaces_one_after_the_other(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    for (uint32_t slot = 0; slot < 2; slot++) {
        tr_addr old = workers[slot], fresh = expect_start(slot, 2);
        assert_false(tr_kit_stop_asked(old)); // not before the new one is ready
        say_ready(cluster, fresh);
        assert_true(tr_kit_stop_asked(old));
        TR_EXPECT_NOTHING(client);
        leave(old); // and not the next one before this one is gone
    }
    TR_EXPECT(client, "answer", TR_V(2));
    assert_false(tr_kit_stop_asked(workers[0]));
    assert_false(tr_kit_stop_asked(workers[1]));
}

static void a_roll_may_replace_some_at_a_time(void **state)
{
    (void)state;
    tr_addr old[3];
    tr_addr cluster =
        rolled_cluster(TR_CLUSTER(.behavior = &job, .workers = 3), 3, TR_MAP("parallel", 2));
    memcpy(old, workers, sizeof old);
    expect_start(0, 2);
    expect_start(1, 2);
    say_ready(cluster, workers[1]);
    leave(old[1]);
    expect_start(2, 2);
    say_ready(cluster, workers[0]);
    say_ready(cluster, workers[2]);
    leave(old[0]);
    leave(old[2]);
    TR_EXPECT(client, "answer", TR_V(3));
}

static void only_one_roll_is_under_way(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    TR_GIVE_ASK(cluster, client, "cluster.roll", TR_NULL);
    TR_EXPECT(client, "error", TR_V(TR_EEXIST));
    TR_GIVE_ASK(cluster, client, "cluster.restart", TR_V(1));
    TR_EXPECT(client, "error", TR_V(TR_EEXIST));
    TR_GIVE_ASK(cluster, client, "cluster.roll", TR_MAP("parallel", 0));
    TR_EXPECT(client, "error", TR_V(TR_EBADMSG));
}

static void one_worker_can_be_replaced(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2), old = workers[1];
    TR_GIVE_ASK(cluster, client, "cluster.restart", TR_V(1));
    say_ready(cluster, expect_start(1, 2));
    leave(old);
    TR_EXPECT(client, "answer", TR_V(1));
    TR_GIVE_ASK(cluster, client, "cluster.restart", TR_V(5));
    TR_EXPECT(client, "error", TR_V(TR_ENOENT));
    assert_false(tr_kit_stop_asked(workers[0]));
}

static void new_ones_that_do_not_get_ready_end_the_roll(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(.roll_tries = 3), 2, TR_NULL);
    tr_addr old = workers[0];
    for (uint64_t i = 0; i < 3; i++) {
        crash(expect_start(0, 2 + i));
        TR_ADVANCE(TR_S(1));
    }
    TR_EXPECT(client, "error", TR_V(TR_ECANCELED));
    assert_false(tr_kit_stop_asked(old));
    assert_false(tr_kit_stop_asked(workers[1]));
    assert_true(tr_kit_alive(cluster));
    TR_EXPECT_NO_TIMER();
    crash(old); // and is replaced as ever
    TR_ADVANCE(TR_S(1));
    say_ready(cluster, expect_start(0, 5));
}

static void a_roll_that_is_given_up_starts_no_other_ones_any_more(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(.roll_tries = 2), 2, TR_MAP("parallel", 2));
    tr_addr old[2] = {workers[0], workers[1]}, fresh[2] = {expect_start(0, 2), expect_start(1, 2)};
    crash(fresh[0]);
    TR_ADVANCE(TR_MS(10));
    crash(fresh[1]); // and waits for its second try
    crash(expect_start(0, 3));
    TR_EXPECT(client, "error", TR_V(TR_ECANCELED));
    TR_ADVANCE(TR_S(1));
    TR_EXPECT_NOTHING(TR_NOBODY);
    TR_EXPECT_NO_TIMER();
    crash(old[1]);
    TR_ADVANCE(TR_S(1));
    say_ready(cluster, expect_start(1, 3));
    assert_false(tr_kit_stop_asked(old[0]));
}

static void an_old_one_that_ends_in_a_roll_is_replaced_by_the_new_one(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    tr_addr old = workers[0], fresh = expect_start(0, 2);
    crash(old);
    say_ready(cluster, fresh);
    old = workers[1];
    say_ready(cluster, expect_start(1, 2));
    leave(old);
    TR_EXPECT(client, "answer", TR_V(2));
}

static void an_old_one_that_ends_between_two_tries_is_not_missed(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    tr_addr old = workers[0];
    crash(expect_start(0, 2));
    crash(old);
    TR_ADVANCE(TR_MS(10));
    say_ready(cluster, expect_start(0, 3));
    old = workers[1];
    say_ready(cluster, expect_start(1, 2));
    leave(old);
    TR_EXPECT(client, "answer", TR_V(2));
    TR_EXPECT_NO_TIMER();
}

static void a_new_one_that_ends_while_the_old_one_is_drained_is_replaced(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    tr_addr old = workers[0], fresh = expect_start(0, 2);
    say_ready(cluster, fresh);
    crash(fresh);
    leave(old);
    old = workers[1];
    say_ready(cluster, expect_start(1, 2));
    leave(old);
    TR_EXPECT(client, "answer", TR_V(2));
    TR_ADVANCE(TR_MS(10));
    say_ready(cluster, expect_start(0, 3));
}

static void one_that_waits_to_be_started_again_is_rolled_at_once(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    crash(workers[0]);
    TR_GIVE_ASK(cluster, client, "cluster.roll", TR_NULL);
    say_ready(cluster, expect_start(0, 2));
    tr_addr old = workers[1];
    say_ready(cluster, expect_start(1, 2));
    leave(old);
    TR_EXPECT(client, "answer", TR_V(2));
    TR_EXPECT_NO_TIMER();
}

static void its_end_ends_a_roll(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    tr_addr old = workers[0], fresh = expect_start(0, 2);
    TR_STOP(cluster);
    TR_EXPECT(client, "error", TR_V(TR_SHUTDOWN));
    leave(old);
    leave(fresh);
    leave(workers[1]);
    TR_EXPECT_EXIT(cluster, TR_SHUTDOWN);
}

// ---- More and fewer ----

static void it_grows_and_shrinks(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(4));
    TR_EXPECT(client, "answer", TR_V(4));
    say_ready(cluster, expect_start(2, 1));
    say_ready(cluster, expect_start(3, 1));
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(1));
    TR_EXPECT(client, "answer", TR_V(1));
    assert_false(tr_kit_stop_asked(workers[0]));
    for (uint32_t slot = 1; slot < 4; slot++)
        leave(workers[slot]);
    TR_ADVANCE(TR_S(10));
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(2));
    TR_EXPECT(client, "answer", TR_V(2));
    expect_start(1, 1); // a slot of its own again
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(0));
    TR_EXPECT(client, "error", TR_V(TR_EBADMSG));
}

static void a_slot_that_leaves_is_not_rolled(void **state)
{
    (void)state;
    tr_addr cluster = rolled_cluster(SPEC(), 2, TR_NULL);
    tr_addr old = workers[0], fresh = expect_start(0, 2);
    TR_GIVE_ASK(cluster, client, "cluster.resize", TR_V(1));
    TR_EXPECT(client, "answer", TR_V(1));
    leave(workers[1]);
    say_ready(cluster, fresh);
    leave(old);
    TR_EXPECT(client, "answer", TR_V(1));
}

// ---- What it is asked ----

static void it_tells_who_they_are(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 1);
    expect_start(1, 1);
    TR_GIVE_ASK(cluster, client, "cluster.workers", TR_NULL);
    TR_EXPECT_LIKE(client, "answer",
                   TR_LIST(TR_MAP("slot", 0, "incarnation", 1, "addr", workers[0], "state", "ready",
                                  "load", 0, "restarts", 0),
                           TR_MAP("slot", 1, "addr", workers[1], "state", "starting")));
    crash(workers[1]);
    TR_GIVE_ASK(cluster, client, "cluster.workers", TR_NULL);
    TR_EXPECT_LIKE(client, "answer",
                   TR_LIST(TR_MAP("slot", 0, "state", "ready"),
                           TR_MAP("slot", 1, "addr", TR_NULL, "state", "waiting", "restarts", 1)));
}

static void one_or_all_are_told_something(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    TR_GIVE_ASK(cluster, client, "cluster.tell", TR_MAP("name", "hi", "body", 5));
    TR_EXPECT(client, "answer", TR_V(2));
    TR_EXPECT(workers[0], "hi", TR_V(5));
    TR_EXPECT(workers[1], "hi", TR_V(5));
    TR_GIVE_ASK(cluster, client, "cluster.tell", TR_MAP("name", "hi", "slot", 1));
    TR_EXPECT(client, "answer", TR_V(1));
    TR_EXPECT(workers[1], "hi", TR_NULL);
    TR_EXPECT_NOTHING(workers[0]);
    TR_GIVE_ASK(cluster, client, "cluster.tell", TR_MAP("name", "hi", "slot", 2));
    TR_EXPECT(client, "error", TR_V(TR_ENOENT));
    TR_GIVE_ASK(cluster, client, "cluster.tell", TR_MAP("body", 1));
    TR_EXPECT(client, "error", TR_V(TR_EBADMSG));
}

static void what_it_does_not_know_is_told(void **state)
{
    (void)state;
    tr_addr cluster = cluster_with(SPEC(), 2);
    TR_GIVE_ASK(cluster, client, "cluster.what", TR_NULL);
    TR_EXPECT(client, "error", TR_V(TR_EUNKNOWN));
    TR_GIVE(cluster, client, "troupe.ready", TR_NULL); // of no worker
    TR_GIVE(cluster, client, "troupe.closed", TR_V(1));
    TR_GIVE(cluster, client, "troupe.unlisten", TR_V(1));
    assert_true(tr_kit_alive(cluster));
}

static int setup(void **state)
{
    observed = false;
    return tr_kit_setup(state);
}

// ---- Outside of a cluster ----

static int listened, accepted;

static void alone_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    accepted++;
    tr_exit(self, TR_NORMAL);
}

static void alone_listening(tr_actor *self, tr_cluster_server server, int status, void *arg)
{
    char address[TR_ADDRESS_MAX];
    tr_stream stream;
    (void)arg;
    listened += status == 0;
    assert_int_equal(0, tr_cluster_address(self, server, address));
    assert_int_equal(0, tr_connect(self, address, NULL, &stream));
}

static int alone_start(tr_actor *self, const tr_val *args)
{
    static const char address[] = "tcp://127.0.0.1:0";
    const tr_listen_opts none = {0};
    (void)args;
    assert_int_equal(TR_EINVAL,
                     tr_cluster_listen(self, "nowhere", NULL, alone_accepted, NULL, NULL));
    assert_int_equal(TR_EINVAL, tr_cluster_listen(self, address, TR_CLUSTER_LISTEN(.listen = &none),
                                                  alone_accepted, NULL, NULL));
    return tr_cluster_listen(self, address, TR_CLUSTER_LISTEN(.listening = alone_listening),
                             alone_accepted, NULL, NULL);
}
static const tr_behavior alone = {.name = "alone", .start = alone_start};

static void who_is_alone_listens_and_survives_that_it_cannot(void **state)
{
    (void)state;
    listened = accepted = 0;
    assert_int_equal(0, lone_node_run(&alone, 10000));
    assert_int_equal(1, listened);
    assert_int_equal(1, accepted);
}

#define CLUSTER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, tr_kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLUSTER_TEST(workers_are_told_who_they_are),
        CLUSTER_TEST(there_are_as_many_as_processors),
        CLUSTER_TEST(a_program_is_forked),
        CLUSTER_TEST(specs_are_checked),
        CLUSTER_TEST(it_ends_when_all_have_been_drained),
        CLUSTER_TEST(one_that_ends_is_replaced_later_each_time),
        CLUSTER_TEST(one_that_leaves_by_itself_is_replaced),
        CLUSTER_TEST(too_many_failures_end_it),
        CLUSTER_TEST(one_that_cannot_be_started_has_failed),
        CLUSTER_TEST(one_that_is_not_ready_in_time_is_killed),
        CLUSTER_TEST(one_may_be_ready_as_soon_as_it_is_online),
        CLUSTER_TEST(a_hang_is_told),
        CLUSTER_TEST(a_roll_replaces_one_after_the_other),
        CLUSTER_TEST(a_roll_may_replace_some_at_a_time),
        CLUSTER_TEST(only_one_roll_is_under_way),
        CLUSTER_TEST(one_worker_can_be_replaced),
        CLUSTER_TEST(new_ones_that_do_not_get_ready_end_the_roll),
        CLUSTER_TEST(a_roll_that_is_given_up_starts_no_other_ones_any_more),
        CLUSTER_TEST(an_old_one_that_ends_in_a_roll_is_replaced_by_the_new_one),
        CLUSTER_TEST(an_old_one_that_ends_between_two_tries_is_not_missed),
        CLUSTER_TEST(a_new_one_that_ends_while_the_old_one_is_drained_is_replaced),
        CLUSTER_TEST(one_that_waits_to_be_started_again_is_rolled_at_once),
        CLUSTER_TEST(its_end_ends_a_roll),
        CLUSTER_TEST(it_grows_and_shrinks),
        CLUSTER_TEST(a_slot_that_leaves_is_not_rolled),
        CLUSTER_TEST(it_tells_who_they_are),
        CLUSTER_TEST(one_or_all_are_told_something),
        CLUSTER_TEST(what_it_does_not_know_is_told),
        cmocka_unit_test(who_is_alone_listens_and_survives_that_it_cannot),
    };
    return cmocka_run_group_tests_name("actors/cluster", tests, NULL, NULL);
}
