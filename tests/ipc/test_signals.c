// Signals in a storm: many listeners on several loops, and each hears of the last one.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "support/ipc.h"

#define SIGNALS   1000
#define LISTENERS 60
#define THREADS   4 // of those have a loop of their own

static atomic_int sent;

// ---- A listener: tells when it has heard the last one, and the one that is no storm ----

struct listener {
    bool told, heard_other;
};

static void look(tr_actor *self)
{
    struct listener *l = tr_state(self);
    if (l->told || !l->heard_other || atomic_load(&sent) < SIGNALS)
        return;
    l->told = true;
    tr_send(self, tr_parent(self), "heard", TR_NULL);
}

static void on_storm(tr_actor *self, int signum, void *arg)
{
    (void)arg;
    TR_CHECK(signum == SIGUSR1);
    look(self);
}

// It comes when the storm is over; then one more of the storm's does.
static void on_other(tr_actor *self, int signum, void *arg)
{
    struct listener *l = tr_state(self);
    (void)arg;
    TR_CHECK(signum == SIGUSR2 && !l->heard_other);
    l->heard_other = true;
    look(self);
}

static int listener_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_signal_start(self, SIGUSR1, on_storm, NULL, NULL);
    if (rc == 0)
        rc = tr_signal_start(self, SIGUSR2, on_other, NULL, NULL);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "listens", TR_NULL);
}
static const tr_behavior listener = {
    .name = "listener", .state_size = sizeof(struct listener), .start = listener_start};

// ---- Who sends ----

static unsigned listening, heard;

static int root_start(tr_actor *self, const tr_val *args)
{
    int rc = 0;
    (void)args;
    for (int i = 0; i < LISTENERS && rc == 0; i++)
        rc = tr_spawn(self, &listener,
                      i < THREADS ? TR_SPAWN(.isolation = TR_THREAD)
                                  : TR_SPAWN(.placement = TR_SPREAD),
                      NULL);
    return rc;
}

// The last one of the storm is the last of all: each hears of it when it has heard of the other.
static void storm(void)
{
    for (int i = 1; i < SIGNALS; i++) {
        atomic_store(&sent, i);
        kill(getpid(), SIGUSR1);
    }
    kill(getpid(), SIGUSR2);
    atomic_store(&sent, SIGNALS);
    kill(getpid(), SIGUSR1);
}

static int root_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "listens") && ++listening == LISTENERS)
        storm();
    if (tr_msg_is(msg, "heard") && ++heard == LISTENERS)
        return tr_exit(self, TR_NORMAL);
    return 0;
}
static const tr_behavior root = {.name = "root", .start = root_start, .receive = root_receive};

static void none_is_lost_after_the_last_one(void **state)
{
    struct sigaction before, after;
    (void)state;
    sigaction(SIGUSR1, NULL, &before);
    assert_int_equal(0, TR_RUN(TR_APP(&listener), &root, TR_NULL));
    sigaction(SIGUSR1, NULL, &after);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
}

static const struct CMUnitTest tests[] = {TR_PROCESS_TEST(none_is_lost_after_the_last_one)};
TR_TEST_MAIN("ipc/signals", TR_APP(&listener), tests)
