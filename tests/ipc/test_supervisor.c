// One tree with a child on the supervisor's loop, one on a thread and one in a process, each of
// which ends at random many times, the process by signals, too. Every end is told with its true
// reason; afterwards the tree is whole, and nothing has been left behind.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/ipc.h"
#include "support/random.h"

#define ENDS         1000 // of each
#define CHILDREN     3
#define DELAY_MAX_NS TR_US(500)
#define LEFT_MAX     16          // descriptors: loops of threads are kept, to be used again
#define GROWTH_MAX   (16u << 20) // bytes

enum way { WAY_ERROR, WAY_NORMAL, WAY_THREADS, WAY_SEGV = WAY_THREADS, WAY_KILL, WAY_EXIT, WAYS };

static const char *const REASONS[WAYS] = {"error: not the document", "normal",
                                          "killed by signal 11", "killed by signal 9",
                                          "exited with status 3"};

// ---- A child ----

static int worker_end(tr_actor *self, enum way way)
{
    switch (way) {
    case WAY_ERROR:
        return TR_EBADMSG;
    case WAY_SEGV:
        signal(SIGSEGV, SIG_DFL); // a sanitizer has put its own handler there
        raise(SIGSEGV);
        return 0;
    case WAY_KILL:
        raise(SIGKILL);
        return 0;
    case WAY_EXIT:
        _exit(3);
    default:
        return tr_exit(self, TR_NORMAL);
    }
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t way;
    if (tr_msg_is(msg, "ping"))
        return tr_reply(self, msg, TR_V("pong"));
    return tr_as_int(tr_msg_body(msg), &way) < 0 ? TR_EUNKNOWN : worker_end(self, (enum way)way);
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

// ---- Who observes the tree and makes its children end ----

struct target {
    char id[2];
    tr_addr addr;
    enum way way;
    uint64_t ends, left;
};

static struct {
    uint64_t random;
    tr_addr top;
    struct target targets[CHILDREN];
    unsigned done, pongs, wrong_reasons, ends;
    uint64_t running, restarts;
    size_t descriptors, descriptors_after, rss, rss_after;
    tr_reason over;
} all;

static unsigned warnings; // of restarts

static void count_warning(const char *id, const char *text, void *arg)
{
    (void)text, (void)arg;
    if (strcmp(id, "supervisor.restart") == 0) // other warnings come from other threads
        warnings++;
}

static struct target *target_of(tr_str id)
{
    return &all.targets[id.ptr[0] - '0'];
}

static void end_it(tr_actor *self, void *arg)
{
    const struct target *t = arg;
    tr_send(self, t->addr, "end", TR_V((int)t->way));
}

static void on_count(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    TR_READ(answer->body, "running", &all.running, "restarts", &all.restarts);
    all.descriptors_after = tr_test_descriptors(getpid());
    all.rss_after = ipc_rss(getpid());
    tr_stop(self, all.top);
}

static void on_pong(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    all.pongs += answer->status == 0;
    if (all.pongs == CHILDREN)
        tr_ask(self, all.top, "count", TR_NULL, NULL, NULL, on_count, NULL);
}

static int ping_all(tr_actor *self)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < CHILDREN; i++)
        rc = tr_ask(self, all.targets[i].addr, "ping", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL,
                    on_pong, NULL);
    return rc;
}

static int take_start(tr_actor *self, struct target *t)
{
    if (t->left-- == 0)
        return ++all.done == CHILDREN ? ping_all(self) : 0;
    t->way = (enum way)random_below(&all.random, t == &all.targets[2] ? WAYS : WAY_THREADS);
    return tr_timer_start(self, random_below(&all.random, DELAY_MAX_NS), end_it, t, NULL);
}

// After some of them all that is kept is there.
static void take_end(struct target *t, tr_str reason)
{
    const char *right = REASONS[t->way];
    all.wrong_reasons +=
        reason.len < strlen(right) || memcmp(reason.ptr, right, strlen(right)) != 0;
    if (++all.ends == ipc_scaled(ENDS) * CHILDREN / 4) {
        all.descriptors = tr_test_descriptors(getpid());
        all.rss = ipc_rss(getpid());
    }
}

static int boss_event(tr_actor *self, tr_val event)
{
    tr_str what, id, reason = {"", 0};
    tr_addr addr;
    int rc = TR_READ(event, "event", &what, "id", &id, "addr", &addr);
    if (rc < 0)
        return rc;
    tr_get_str(event, "reason", &reason);
    struct target *t = target_of(id);
    if (tr_str_eq(what, "start")) {
        t->addr = addr;
        return take_start(self, t);
    }
    if (tr_str_eq(what, "end") && t->left < UINT64_MAX)
        take_end(t, reason);
    return 0;
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_supervise(
        self,
        TR_SUPERVISOR(
                .restart_max = 1u << 20, .observer = tr_self(self),
                TR_CHILDREN(
                    {.id = "0", .behavior = &worker},
                    {.id = "1", .behavior = &worker, .opts = TR_SPAWN(.isolation = TR_THREAD)},
                    {.id = "2", .behavior = &worker, .opts = TR_SPAWN(.isolation = TR_PROCESS)})),
        NULL, &all.top);
    return rc < 0 ? rc : tr_monitor(self, all.top, NULL);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "supervisor"))
        return boss_event(self, tr_msg_body(msg));
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    all.over = tr_msg_down(msg)->reason;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

#define APP TR_APP(&worker, &stuck)
static const tr_behavior stuck;

static void a_tree_of_all_isolations_is_whole_after_thousands_of_ends(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    warnings = 0;
    for (int i = 0; i < CHILDREN; i++)
        all.targets[i].left = ipc_scaled(ENDS);
    tr_log_set(count_warning, NULL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    assert_int_equal(0, TR_RUN(APP, &boss, TR_NULL));
    assert_int_equal(TR_REASON_SHUTDOWN, all.over.kind);
    assert_int_equal(0, all.wrong_reasons);
    assert_int_equal(CHILDREN, all.pongs);
    assert_int_equal(CHILDREN, all.running);
    assert_int_equal(CHILDREN * ipc_scaled(ENDS), all.restarts);
    assert_int_equal(CHILDREN * ipc_scaled(ENDS), warnings);
    assert_true(all.descriptors_after <= all.descriptors + LEFT_MAX);
    if (!tr_test_sanitized())
        assert_true(all.rss_after < all.rss + GROWTH_MAX);
}

// ---- A process that does not listen ----

static int stuck_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    while (pause() < 0)
        continue;
    return 0;
}
static const tr_behavior stuck = {.name = "stuck", .receive = stuck_receive};

static int warden_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_supervise(self,
                        TR_SUPERVISOR(.observer = tr_self(self),
                                      TR_CHILDREN({.id = "s",
                                                   .behavior = &stuck,
                                                   .stop_ms = 50,
                                                   .opts = TR_SPAWN(.isolation = TR_PROCESS)})),
                        NULL, &all.top);
}

static int warden_receive(tr_actor *self, const tr_msg *msg)
{
    tr_str event, reason;
    tr_addr addr;
    int rc = TR_READ(tr_msg_body(msg), "event", &event, "addr", &addr);
    if (rc < 0)
        return rc;
    if (tr_str_eq(event, "start")) {
        rc = tr_send(self, addr, "sleep", TR_NULL);
        return rc < 0 ? rc : tr_stop(self, all.top);
    }
    if (tr_get_str(tr_msg_body(msg), "reason", &reason) == 0)
        all.done = tr_str_eq(reason, "killed by signal 9");
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior warden = {
    .name = "warden", .start = warden_start, .receive = warden_receive};

static void a_process_that_does_not_end_in_time_is_killed(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    assert_int_equal(0, TR_RUN(APP, &warden, TR_NULL));
    assert_int_equal(1, all.done);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_tree_of_all_isolations_is_whole_after_thousands_of_ends),
    TR_PROCESS_TEST(a_process_that_does_not_end_in_time_is_killed),
};
TR_TEST_MAIN("ipc/supervisor", APP, tests)
