// Clusters of real processes under load (support/cluster_play.h): shared in each way, killed,
// rolled, resized.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support/cluster_play.h"
#include "support/ipc.h"

#define APP TR_APP(&play_worker)

static void kill_pid(int64_t pid)
{
    kill((pid_t)pid, SIGKILL);
}

static const tr_cluster_share shares[] = {TR_CLUSTER_SHARED, TR_CLUSTER_REUSE_PORT,
                                          TR_CLUSTER_ROUND_ROBIN, TR_CLUSTER_LEAST_LOADED,
                                          TR_CLUSTER_HASH};
#define SHARES (sizeof shares / sizeof *shares)

static void perform(const tr_cluster_spec *spec, struct cluster_play of)
{
    play = of;
    play.spec = spec;
    play.kill = kill_pid;
    assert_int_equal(0, TR_RUN(APP, &play_boss, TR_NULL));
    assert_true(play.answered > 0);
    assert_int_equal(TR_REASON_SHUTDOWN, play.end.kind);
    assert_int_equal(0, play.roll_errors);
}

static void all_workers_answer_and_none_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHARES; i++) {
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = shares[i]),
                (struct cluster_play){.users = 20, .lines = 5, .run_ms = 300});
        assert_int_equal(0, play.failed);
        if (shares[i] >= TR_CLUSTER_ROUND_ROBIN)
            assert_int_equal(shares[i] == TR_CLUSTER_HASH ? 1 : 3, play.pid_count);
    }
}

static void a_roll_costs_no_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHARES; i++) {
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2, .share = shares[i]),
                (struct cluster_play){.users = 10, .lines = 3, .run_ms = 600, .roll_ms = 50});
        assert_int_equal(0, play.failed);
        assert_int_equal(0, play.restarts);
        assert_true(play.rolls >= 1);
    }
}

static void a_kill_costs_no_more_than_what_was_in_its_hands(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHARES; i++) {
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2, .share = shares[i]),
                (struct cluster_play){.users = 10, .lines = 3, .run_ms = 600, .kill_ms = 100});
        assert_true(play.kills > 0);
        assert_true(play.failed <= (uint64_t)play.kills * 10);
        assert_true(play.restarts > 0);
    }
}

// Goal:   no connection is lost, whatever dies while it is handed over.
// Method: one line over each, so that most of the time goes into handing over; kill after kill. One
//         that was lost would have its user wait for ever, one that was kept would be a descriptor.
static void thousands_are_handed_out_while_workers_die(void **state)
{
    (void)state;
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = TR_CLUSTER_LEAST_LOADED,
                       .restart_max = 1000),
            (struct cluster_play){.users = 30,
                                  .lines = 1,
                                  .enough = 1000 + ipc_scaled(9000) / 3,
                                  .kill_ms = 50,
                                  .kills_max = 12});
    assert_true(play.kills > 0);
    assert_true(play.failed <= (uint64_t)play.kills * 30);
}

// ---- Who gets them ----

static size_t last_one(const tr_cluster_worker *workers, size_t count, const char *peer, void *arg)
{
    (void)arg;
    TR_CHECK(strncmp(peer, "tcp://127.0.0.1:", 16) == 0);
    for (size_t i = 1; i < count; i++)
        TR_CHECK(workers[i - 1].slot < workers[i].slot);
    return count - 1;
}

static void connections_go_where_the_strategy_says(void **state)
{
    (void)state;
    const struct cluster_play light = {.users = 1, .lines = 1, .enough = 60};
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = TR_CLUSTER_ROUND_ROBIN),
            light);
    for (int i = 0; i < 3; i++)
        assert_in_range(play.by_slot[i], play.connections / 3, play.connections / 3 + 1);
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = TR_CLUSTER_HASH), light);
    uint64_t most = 0;
    for (int i = 0; i < 3; i++)
        most = play.by_slot[i] > most ? play.by_slot[i] : most;
    assert_int_equal(play.connections, most); // all from one client
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = TR_CLUSTER_CHOICE,
                       .choose = last_one),
            light);
    assert_int_equal(play.connections, play.by_slot[2]);
    assert_int_equal(0, play.failed);
}

static void no_more_are_open_than_are_admitted(void **state)
{
    (void)state;
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2, .share = TR_CLUSTER_LEAST_LOADED,
                       .connections_max = 3),
            (struct cluster_play){.users = 10, .lines = 3, .enough = 200});
    assert_int_equal(0, play.failed);
    assert_in_range(play.served_most, 1, 3);
    perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2, .connections_max = 3),
            (struct cluster_play){.users = 10, .lines = 3, .enough = 200});
    assert_int_equal(0, play.failed);
    assert_in_range(play.served_most, 1, 3);
}

// ---- One that hangs ----

static void tell_to_spin(tr_actor *boss, tr_addr cluster)
{
    tr_send(boss, cluster, "cluster.tell", TR_MAP("slot", 0, "name", "spin"));
}

// hung_ms is long for one that only has to wait for a processor.
static void one_that_hangs_is_named_and_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHARES; i++) {
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2, .share = shares[i],
                           .opts = TR_SPAWN(.hung_ms = 1000)),
                (struct cluster_play){
                    .users = 10, .lines = 3, .restarts_enough = 1, .began = tell_to_spin});
        assert_non_null(strstr(play.hung, "behavior=play_worker message=spin"));
        assert_true(play.failed <= 10u * play.restarts);
    }
}

// Goal:   while one hangs, and until it is replaced, nobody whom another one serves notices.
// Method: users whose connections stay; how long the other workers' answers take is told for both
//         times, and none of them may fail. How much more it is says something on a quiet machine
//         with a processor for each worker: one that hangs takes one.
static void while_one_hangs_the_others_serve_on(void **state)
{
    (void)state;
    uint64_t times[2][3] = {{0}};
    size_t counts[2];
    bool full = getenv("TROUPE_TEST_SCALE") != NULL && ipc_scaled(2) == 2;
    for (size_t i = 0; i < SHARES; i++) {
        if (shares[i] == TR_CLUSTER_HASH || (!full && shares[i] != TR_CLUSTER_ROUND_ROBIN))
            continue; // all users are one client's
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 3, .share = shares[i],
                           .opts = TR_SPAWN(.hung_ms = full ? 3000 : 1000)),
                (struct cluster_play){.users = 12,
                                      .lines = UINT32_MAX,
                                      .hang_after_ms = full ? 3000 : 100,
                                      .restarts_enough = 1});
        assert_non_null(strstr(play.hung, "message=spin"));
        assert_int_equal(0, play.failed_elsewhere);
        for (int hung = 0; hung < 2; hung++)
            counts[hung] = play_times(hung, &times[hung][0], &times[hung][1], &times[hung][2]);
        assert_true(counts[1] > 0 || play.by_slot[1] + play.by_slot[2] == 0);
        for (int hung = 0; full && hung < 2; hung++)
            print_message("share %d, %s: %zu answers, median %llu us, p99 %llu us, most %llu us\n",
                          (int)shares[i], hung ? "while one hangs" : "before", counts[hung],
                          (unsigned long long)times[hung][0], (unsigned long long)times[hung][1],
                          (unsigned long long)times[hung][2]);
    }
}

// ---- Very many ----

// Goal:   ten thousand are served at a time, and each to its end.
// Method: nobody goes on before all have been answered; all ends are in these few processes.
static void ten_thousand_are_served_at_a_time(void **state)
{
    (void)state;
    struct rlimit was;
    bool full = getenv("TROUPE_TEST_SCALE") != NULL;
    uint32_t users = (uint32_t)ipc_scaled(full ? 10000 : 500);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &was));
    struct rlimit more = {was.rlim_max, was.rlim_max};
    if (was.rlim_max < users + users / 4 + 500)
        skip();
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &more)); // of the workers as well
    for (int handed = 0; handed <= full; handed++) {
        perform(TR_CLUSTER(.behavior = &play_worker, .workers = 2,
                           .share = handed ? TR_CLUSTER_LEAST_LOADED : TR_CLUSTER_SHARED),
                (struct cluster_play){
                    .users = users, .lines = 2, .together = true, .enough = users + 1});
        assert_int_equal(0, play.failed);
        assert_int_equal(users, play.served_most);
        assert_true(play.answered >= 2u * users);
    }
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &was));
}

// ---- A program that is replaced on the disk ----

static void copy_program(const char *to, const char *more)
{
    char buffer[65536];
    size_t n;
    FILE *from = fopen("/proc/self/exe", "re"), *file = fopen(to, "we");
    TR_CHECK(from != NULL && file != NULL);
    while ((n = fread(buffer, 1, sizeof buffer, from)) > 0)
        TR_CHECK(fwrite(buffer, 1, n, file) == n);
    TR_CHECK(fputs(more, file) >= 0 && fclose(file) == 0);
    fclose(from);
    TR_CHECK(chmod(to, 0700) == 0);
}

static void replace_program(tr_actor *boss, tr_addr cluster)
{
    char made[512];
    const char *path = tr_node_program(tr_node_of(boss));
    (void)cluster;
    snprintf(made, sizeof made, "%s.new", path);
    copy_program(made, "new");
    TR_CHECK(rename(made, path) == 0);
}

// Plays in a process of its own, whose program is a file that may be replaced.
static int player_start(tr_actor *self, const tr_val *args)
{
    static const tr_cluster_spec spec = {
        .size = sizeof spec, .behavior = &play_worker, .workers = 2};
    tr_addr addr;
    (void)args;
    play = (struct cluster_play){
        .spec = &spec,
        .users = 10,
        .lines = 3,
        .run_ms = 1000,
        .roll_ms = 100,
        .began = replace_program,
    };
    int rc = tr_spawn(self, &play_boss, NULL, &addr);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int player_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    bool fresh = play.program == play_program(tr_node_program(tr_node_of(self)));
    tr_send(self, tr_parent(self), "played",
            TR_MAP("failed", play.failed, "rolls", play.rolls, "fresh", fresh));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior player = {
    .name = "player", .start = player_start, .receive = player_receive};

static uint64_t failed, rolls;
static bool fresh;

static int watcher_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    const char *path = tr_test_path("server");
    (void)args;
    copy_program(path, "");
    int rc = tr_spawn(self, &player, TR_SPAWN(.isolation = TR_PROCESS, .program = path), &addr);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int watcher_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return tr_exit(self, TR_NORMAL);
    return TR_READ(tr_msg_body(msg), "failed", &failed, "rolls", &rolls, "fresh", &fresh);
}
static const tr_behavior watcher = {
    .name = "watcher", .start = watcher_start, .receive = watcher_receive};

static void a_roll_brings_a_new_version_into_use(void **state)
{
    (void)state;
    failed = 1;
    assert_int_equal(0, TR_RUN(TR_APP(&player), &watcher, TR_NULL));
    assert_int_equal(0, failed);
    assert_true(rolls > 0);
    assert_true(fresh);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(all_workers_answer_and_none_fails),
    TR_PROCESS_TEST(a_roll_costs_no_answer),
    TR_PROCESS_TEST(a_kill_costs_no_more_than_what_was_in_its_hands),
    TR_PROCESS_TEST(thousands_are_handed_out_while_workers_die),
    TR_PROCESS_TEST(connections_go_where_the_strategy_says),
    TR_PROCESS_TEST(no_more_are_open_than_are_admitted),
    TR_PROCESS_TEST(one_that_hangs_is_named_and_replaced),
    TR_PROCESS_TEST(while_one_hangs_the_others_serve_on),
    TR_PROCESS_TEST(ten_thousand_are_served_at_a_time),
    TR_PROCESS_TEST(a_roll_brings_a_new_version_into_use),
};
TR_TEST_MAIN("ipc/cluster", TR_APP(&play_worker, &player), tests)
