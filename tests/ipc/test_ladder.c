// Stopping a child: it is asked, then sent SIGTERM, then SIGKILL, each step when the time of the
// one before has passed, and not earlier.
#include <signal.h>
#include <unistd.h>

#include "support/ipc.h"

#define STOP_MS 150
#define TERM_MS 100
#define LATE_MS 5000 // what a busy machine may add

// ---- The child ----

enum manner { OBEYS, IGNORES, RESISTS };

static void work_for_ever(tr_actor *self, void *arg)
{
    (void)self;
    for (volatile int64_t *n = arg;;)
        ++*n;
}

static int child_start(tr_actor *self, const tr_val *args)
{
    int64_t *manner = tr_state(self);
    int rc = tr_as_int(*args, manner);
    if (rc == 0)
        rc = tr_send(self, tr_parent(self), "ready", TR_NULL);
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (*manner == RESISTS)
        sigprocmask(SIG_BLOCK, &term, NULL);
    if (rc == 0 && *manner != OBEYS)
        rc = tr_immediate(self, work_for_ever, manner); // the message has left by then
    return rc;
}
static const tr_behavior child = {
    .name = "child", .state_size = sizeof(int64_t), .start = child_start};

// ---- The parent ----

static uint32_t stop_ms;
static uint64_t asked_at, heard_at;
static tr_reason reason;

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    int rc = tr_spawn(
        self, &child,
        TR_SPAWN(.isolation = TR_PROCESS, .args = *args, .stop_ms = stop_ms, .term_ms = TERM_MS),
        &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL) {
        heard_at = ipc_now();
        reason = tr_msg_down(msg)->reason;
        return tr_exit(self, TR_NORMAL);
    }
    asked_at = ipc_now();
    return tr_stop(self, tr_msg_from(msg));
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

#define APP TR_APP(&child)

static void see_stop(enum manner manner, tr_reason_kind kind, int code, uint64_t after_ms)
{
    stop_ms = manner == OBEYS ? LATE_MS : STOP_MS;
    assert_int_equal(0, TR_RUN(APP, &parent, TR_V((int)manner)));
    uint64_t took_ms = (heard_at - asked_at) / 1000000;
    assert_int_equal(kind, reason.kind);
    assert_int_equal(code, reason.code);
    assert_in_range(took_ms, after_ms, after_ms + LATE_MS);
}

static void one_that_obeys_needs_no_signal(void **state)
{
    (void)state;
    see_stop(OBEYS, TR_REASON_SHUTDOWN, 0, 0);
}

static void one_that_does_not_listen_is_sent_sigterm(void **state)
{
    (void)state;
    see_stop(IGNORES, TR_REASON_KILLED, SIGTERM, STOP_MS);
}

static void one_that_blocks_sigterm_is_sent_sigkill(void **state)
{
    (void)state;
    see_stop(RESISTS, TR_REASON_KILLED, SIGKILL, STOP_MS + TERM_MS);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(one_that_obeys_needs_no_signal),
    TR_PROCESS_TEST(one_that_does_not_listen_is_sent_sigterm),
    TR_PROCESS_TEST(one_that_blocks_sigterm_is_sent_sigkill),
};
TR_TEST_MAIN("ipc/ladder", APP, tests)
