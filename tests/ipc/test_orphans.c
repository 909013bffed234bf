// Nobody outlives a parent that is killed: not a child that idles, not one in an endless loop, not
// a child's child.
//
// The test's node starts a middle process, which starts a busy one, which has started an idle one
// before. Each sends its process id up. Then the middle one is killed; the system, and not this
// test, gives the busy one and the idle one a new parent.
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "support/ipc.h"

#define GONE_MS 1000
#define BUSY_NS 100000000u

enum { MIDDLE, BUSY, IDLE, GENERATIONS };

static int generation_start(tr_actor *self, const tr_val *args);
static int generation_receive(tr_actor *self, const tr_msg *msg);
static const tr_behavior generation = {.name = "generation",
                                       .state_size = sizeof(int64_t),
                                       .start = generation_start,
                                       .receive = generation_receive};

static void work_for_ever(tr_actor *self, void *arg)
{
    (void)self;
    for (volatile int64_t *n = arg;;)
        ++*n;
}

// Each tells who it is, starts the next one, and passes on what comes from below.
static int generation_start(tr_actor *self, const tr_val *args)
{
    int64_t *number = tr_state(self);
    int rc = tr_as_int(*args, number);
    if (rc == 0)
        rc = tr_send(self, tr_parent(self), "pid",
                     TR_MAP("generation", *number, "pid", (int)getpid()));
    if (rc == 0 && *number + 1 < GENERATIONS)
        rc = tr_spawn(self, &generation,
                      TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(*number + 1)), NULL);
    return rc;
}

static int generation_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t *number = tr_state(self);
    int rc = tr_send(self, tr_parent(self), "pid", tr_msg_body(msg));
    if (rc == 0 && *number == BUSY)
        rc = tr_immediate(self, work_for_ever, number); // the message has left by then
    return rc;
}

// ---- The test's own node ----

static pid_t pids[GENERATIONS];
static bool gone[GENERATIONS];

// Kill the middle one, and wait for all of them at their ends.
static void kill_and_wait(void)
{
    int ends[GENERATIONS];
    for (int i = 0; i < GENERATIONS; i++)
        ends[i] = pidfd_open(pids[i], 0);
    kill(pids[MIDDLE], SIGKILL);
    uint64_t until = ipc_now() + TR_MS(GONE_MS), now;
    for (int i = 0; i < GENERATIONS; i++) {
        now = ipc_now();
        gone[i] =
            ends[i] >= 0 && ipc_ended(ends[i], now < until ? (int)((until - now) / 1000000) : 0);
        if (!gone[i])
            kill(pids[i], SIGKILL); // the test has failed, and shall not leave a busy loop
        close(ends[i]);
    }
}

static int root_start(tr_actor *self, const tr_val *args)
{
    return tr_spawn(self, &generation, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), NULL);
}

// Once the busy one is seen to be busy.
static void root_act(tr_actor *self, void *arg)
{
    (void)arg;
    if (ipc_cpu(pids[BUSY]) < BUSY_NS) {
        tr_timer_start(self, TR_MS(10), root_act, NULL, NULL);
        return;
    }
    kill_and_wait();
    tr_exit(self, TR_NORMAL);
}

static int root_receive(tr_actor *self, const tr_msg *msg)
{
    int number, pid;
    int rc = TR_READ(tr_msg_body(msg), "generation", &number, "pid", &pid);
    if (rc < 0)
        return rc;
    pids[number] = pid;
    if (number == IDLE)
        root_act(self, NULL);
    return 0;
}
static const tr_behavior root = {.name = "root", .start = root_start, .receive = root_receive};

#define APP TR_APP(&generation)

static void no_descendant_outlives_a_parent_that_is_killed(void **state)
{
    (void)state;
    assert_int_equal(0, TR_RUN(APP, &root, TR_V((int)MIDDLE)));
    for (int i = 0; i < GENERATIONS; i++)
        assert_true(gone[i]);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(no_descendant_outlives_a_parent_that_is_killed),
};
TR_TEST_MAIN("ipc/orphans", APP, tests)
