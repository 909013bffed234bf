// A storm: many children, several at a time, each killed at some moment of its first milliseconds,
// be it in the exec, in the handshake or at work. Afterwards nothing is left of them, the parent is
// idle, and a new child works.
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/ipc.h"

#define CHILDREN     1000
#define AT_A_TIME    8
#define KILL_MAX_NS  TR_MS(12)
#define IDLE_NS      TR_S(2)
#define IDLE_CPU_MAX (IDLE_NS / 100)

// ---- The child ----

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, tr_msg_body(msg));
}

static int child_start(tr_actor *self, const tr_val *args)
{
    return tr_send(self, tr_parent(self), "hello", *args);
}
static const tr_behavior child = {.name = "child", .start = child_start, .receive = child_receive};

// ---- The parent ----

// One at a time of those that are alive. Its process id is not for users to know: it is the one
// that this process has and that was not there before.
struct victim {
    tr_addr addr;
    int64_t pid; // 0: nobody
};

static struct {
    uint64_t random;
    uint64_t left, killed, other_ends;
    struct victim victims[AT_A_TIME];
    uint64_t idle_cpu;
    size_t descriptors, descriptors_after; // while the node still lives
    tr_addr last;
    bool last_works;
} storm;

static uint64_t next_random(void)
{
    storm.random ^= storm.random << 13;
    storm.random ^= storm.random >> 7;
    storm.random ^= storm.random << 17;
    return storm.random;
}

static bool is_victim(int64_t pid)
{
    for (int i = 0; i < AT_A_TIME; i++)
        if (storm.victims[i].pid == pid)
            return true;
    return false;
}

static int64_t newest_child(void)
{
    int64_t pids[AT_A_TIME];
    size_t n = tr_test_children(pids, AT_A_TIME);
    for (size_t i = 0; i < n && i < AT_A_TIME; i++)
        if (!is_victim(pids[i]))
            return pids[i];
    return 0;
}

static void kill_victim(tr_actor *self, void *arg)
{
    (void)self;
    kill((pid_t)((struct victim *)arg)->pid, SIGKILL);
}

static int start_victim(tr_actor *self, struct victim *victim)
{
    storm.left--;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &victim->addr);
    if (rc < 0)
        return rc;
    victim->pid = newest_child();
    rc = victim->pid == 0 ? TR_EIO : tr_monitor(self, victim->addr, NULL);
    if (rc == 0)
        rc = tr_send(self, victim->addr, "work", TR_NULL);
    if (rc == 0)
        rc = tr_timer_start(self, next_random() % KILL_MAX_NS, kill_victim, victim, NULL);
    return rc;
}

static uint64_t own_cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return TR_S(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           TR_US(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void after_idle(tr_actor *self, void *arg)
{
    (void)arg;
    storm.idle_cpu = own_cpu() - storm.idle_cpu;
    storm.descriptors_after = tr_test_descriptors(getpid());
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &storm.last);
    if (rc == 0)
        rc = tr_send(self, storm.last, "hello again", TR_NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static int idle(tr_actor *self)
{
    storm.idle_cpu = own_cpu();
    return tr_timer_start(self, IDLE_NS, after_idle, NULL, NULL);
}

static int take_down(tr_actor *self, const tr_down *down)
{
    bool by_us = down->reason.kind == TR_REASON_KILLED && down->reason.code == SIGKILL;
    *(by_us ? &storm.killed : &storm.other_ends) += 1;
    struct victim *victim = storm.victims;
    while (!tr_addr_eq(victim->addr, down->addr))
        victim++;
    *victim = (struct victim){0};
    if (storm.left > 0)
        return start_victim(self, victim);
    for (int i = 0; i < AT_A_TIME; i++)
        if (storm.victims[i].pid != 0)
            return 0;
    return idle(self);
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = 0;
    storm.descriptors = tr_test_descriptors(getpid());
    for (int i = 0; i < AT_A_TIME && rc == 0; i++)
        rc = start_victim(self, &storm.victims[i]);
    return rc;
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return take_down(self, tr_msg_down(msg));
    if (!tr_msg_is(msg, "hello again"))
        return 0;
    storm.last_works = tr_addr_eq(tr_msg_from(msg), storm.last);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

#define APP TR_APP(&child)

// Zombies, threads, and descriptors that outlive the node, are counted by tr_test_teardown.
static void nothing_is_left_of_a_thousand_children_killed_young(void **state)
{
    (void)state;
    const char *seed = getenv("TROUPE_TEST_SEED");
    memset(&storm, 0, sizeof storm);
    storm.random = seed != NULL ? strtoull(seed, NULL, 10) : ipc_now() | 1;
    print_message("TROUPE_TEST_SEED=%llu\n", (unsigned long long)storm.random);
    uint64_t children = ipc_scaled(CHILDREN);
    children = children < AT_A_TIME ? AT_A_TIME : children;
    storm.left = children;
    assert_int_equal(0, TR_RUN(APP, &parent, TR_NULL));
    assert_int_equal(children, storm.killed);
    assert_int_equal(0, storm.other_ends);
    assert_int_equal(storm.descriptors, storm.descriptors_after);
    assert_int_equal(0, ipc_files());
    assert_true(storm.last_works);
    print_message("CPU over %d s: %llu us\n", (int)(IDLE_NS / TR_S(1)),
                  (unsigned long long)storm.idle_cpu / 1000);
    if (!tr_test_sanitized()) // they have threads of their own
        assert_in_range(storm.idle_cpu, 0, IDLE_CPU_MAX);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(nothing_is_left_of_a_thousand_children_killed_young),
};
TR_TEST_MAIN("ipc/storm", APP, tests)
