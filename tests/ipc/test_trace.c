// Goal:   a trace survives the death of its process at any moment, its parent tells of it, and a
//         process that is stuck can be looked at.
// Method: real children that are killed in the midst of writing records, or loop for ever.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <troupe.h>
#include <troupe/test.h>
#include <unistd.h>

#include <cmocka.h>

#define KILLS 20u

// ---- Children ----

// Sends itself messages for ever, as fast as it can.
static int busy_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_self(self), "step", TR_V(0));
}

static int busy_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t step;
    int rc = tr_as_int(tr_msg_body(msg), &step);
    if (rc == 0 && step == 1000)
        rc = tr_send(self, tr_parent(self), "running", TR_NULL);
    return rc < 0 ? rc : tr_send(self, tr_self(self), "step", TR_V(step + 1));
}
static const tr_behavior busy = {.name = "busy", .start = busy_start, .receive = busy_receive};

static volatile int never;

// Does what it is told to: crash, fail, or never return.
static int victim_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "crash")) {
        signal(SIGSEGV, SIG_DFL); // a sanitizer would print
        raise(SIGSEGV);
    }
    if (tr_msg_is(msg, "fail"))
        return TR_EIO;
    if (tr_msg_is(msg, "ready"))
        return tr_reply(self, msg, TR_NULL);
    while (never == 0)
        continue;
    return 0;
}
static const tr_behavior victim = {.name = "victim", .receive = victim_receive};

// ---- Their parent ----

static struct {
    uint32_t kills;
    uint64_t steps; // that were read, in all
    const char *order;
    tr_addr child;
    int64_t pid;
    char *last;
    char warned[16384];
} seen;

static void keep_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    size_t len = strlen(seen.warned);
    if (strcmp(id, "child.trace") == 0)
        snprintf(seen.warned + len, sizeof seen.warned - len, "%s\n", text);
}

static int64_t child_pid(void)
{
    int64_t pid = 0;
    TR_CHECK(tr_test_children(&pid, 1) == 1);
    return pid;
}

static int spawn_child(tr_actor *self, const tr_behavior *behavior)
{
    uint64_t monitor;
    int rc = tr_spawn(self, behavior, TR_SPAWN(.isolation = TR_PROCESS), &seen.child);
    return rc < 0 ? rc : tr_monitor(self, seen.child, &monitor);
}

// Each record is whole: the messages that one has sent itself follow one another.
static void read_steps(int64_t pid)
{
    tr_trace *trace;
    tr_trace_event e;
    uint64_t count = 0, lost = 0;
    uint32_t span = 0;
    TR_CHECK(tr_trace_open_pid(pid, &trace) == 0);
    while (tr_trace_next(trace, &e) > 0) {
        lost += e.kind == TR_TRACE_GAP;
        if (e.kind != TR_TRACE_MESSAGE)
            continue;
        TR_CHECK(strcmp(e.name, "step") == 0 && strcmp(e.actor_name, "busy/0") == 0);
        TR_CHECK(count == 0 || e.parent == span);
        span = e.span;
        count++;
    }
    TR_CHECK(count >= 1000 && lost <= 2);
    seen.steps += count;
    tr_trace_close(&trace);
}

static int killer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return spawn_child(self, &busy);
}

static void killer_kill(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    kill((pid_t)seen.pid, SIGKILL);
}

static int killer_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "running")) {
        seen.pid = child_pid();
        return tr_timer_start(self, TR_US(seen.kills * 137), killer_kill, NULL, NULL);
    }
    read_steps(seen.pid);
    return ++seen.kills < KILLS ? spawn_child(self, &busy) : tr_exit(self, TR_NORMAL);
}
static const tr_behavior killer = {
    .name = "killer", .start = killer_start, .receive = killer_receive};

static int crasher_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_child(self, &victim);
    if (rc == 0)
        rc = tr_send(self, seen.child, "ready", TR_NULL);
    return rc < 0 ? rc : tr_send(self, seen.child, seen.order, TR_NULL);
}

static int crasher_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return 0;
    TR_CHECK(tr_trace_last(seen.child, 3, &seen.last) == 0);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior crasher = {
    .name = "crasher", .start = crasher_start, .receive = crasher_receive};

static int watcher_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_child(self, &victim);
    return rc < 0 ? rc : tr_send(self, seen.child, "ready", TR_NULL);
}

// Looks at a child that does not return, and reads what it did before.
static void watcher_look(tr_actor *self, void *arg)
{
    (void)arg;
    tr_trace *trace;
    tr_trace_loop loop;
    TR_CHECK(tr_trace_open_pid(seen.pid, &trace) == 0);
    TR_CHECK(tr_trace_look_loop(trace, 0, &loop) == 0);
    if (loop.running_ns > TR_MS(20)) {
        tr_trace_event e;
        bool ready = false;
        TR_CHECK(strcmp(loop.running_actor, "victim/0") == 0);
        TR_CHECK(strcmp(loop.running_message, "hang") == 0);
        while (tr_trace_next(trace, &e) > 0)
            ready |= e.kind == TR_TRACE_MESSAGE && strcmp(e.name, "ready") == 0;
        TR_CHECK(ready);
        kill((pid_t)seen.pid, SIGKILL);
    } else {
        tr_timer_start(self, TR_MS(5), watcher_look, NULL, NULL);
    }
    tr_trace_close(&trace);
}

static int watcher_receive(tr_actor *self, const tr_msg *msg)
{
    if (!tr_msg_is(msg, "ready"))
        return tr_exit(self, TR_NORMAL);
    seen.pid = child_pid();
    watcher_look(self, NULL);
    return tr_send(self, seen.child, "hang", TR_NULL);
}
static const tr_behavior watcher = {
    .name = "watcher", .start = watcher_start, .receive = watcher_receive};

#define APP TR_APP(&busy, &victim, &killer, &crasher, &watcher, &customer, &clerk)

// ---- A conversation over two processes, to be asked about ----

static int clerk_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t id;
    int rc = tr_as_int(tr_msg_body(msg), &id);
    if (rc == 0 && tr_msg_is(msg, "order"))
        rc = tr_send(self, tr_self(self), "pack", TR_V(id));
    else if (rc == 0)
        rc = tr_send(self, tr_parent(self), "shipped", TR_V(id));
    return rc;
}
static const tr_behavior clerk = {.name = "clerk", .receive = clerk_receive};

static int customer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_self(self), "wish", TR_V(1));
}

static int customer_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t id;
    if (tr_as_int(tr_msg_body(msg), &id) < 0)
        return TR_EBADMSG;
    if (tr_msg_is(msg, "shipped"))
        return id == 2 ? tr_exit(self, TR_NORMAL)
                       : tr_send(self, tr_msg_from(msg), "order", TR_V(2));
    int rc = tr_spawn(self, &clerk, TR_SPAWN(.isolation = TR_PROCESS), &seen.child);
    return rc < 0 ? rc : tr_send(self, seen.child, "order", TR_V(1));
}
static const tr_behavior customer = {
    .name = "customer", .start = customer_start, .receive = customer_receive};

// ---- The tests ----

static void begin(const char *trace)
{
    memset(&seen, 0, sizeof seen);
    setenv("TROUPE_TRACE_DIR", tr_test_path("trace"), 1);
    setenv("TROUPE_TRACE", trace, 1);
}

static int count_one(const char *path, void *arg)
{
    (void)path;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned files(void)
{
    unsigned n = 0;
    tr_trace_each(count_one, &n);
    return n;
}

static void a_writer_that_is_killed_at_any_moment_leaves_whole_records(void **state)
{
    (void)state;
    begin("msg");
    assert_int_equal(TR_RUN(APP, &killer, TR_NULL), 0);
    assert_int_equal(seen.kills, KILLS);
    assert_int_equal(files(), 16); // no more are kept
}

static void the_last_messages_of_a_child_that_crashed_are_told(void **state)
{
    (void)state;
    begin("msg");
    seen.order = "crash";
    assert_int_equal(TR_RUN(APP, &crasher, TR_NULL), 0);
    assert_non_null(strstr(seen.warned, "-> victim/0  ready"));
    assert_non_null(strstr(seen.warned, "in a turn of victim/0, for crash"));
    assert_non_null(strstr(seen.last, "-> victim/0  ready"));
    tr_free(seen.last);
    assert_int_equal(files(), 1);
}

static void without_messages_it_is_told_whose_turn_it_was(void **state)
{
    (void)state;
    begin("");
    seen.order = "crash";
    assert_int_equal(TR_RUN(APP, &crasher, TR_NULL), 0);
    assert_non_null(strstr(seen.warned, "victim/0 starts"));
    assert_non_null(strstr(seen.warned, "the last turn was of victim/0"));
    tr_free(seen.last);
}

static void a_child_that_fails_in_order_is_told_of_too(void **state)
{
    (void)state;
    begin("msg");
    seen.order = "fail";
    assert_int_equal(TR_RUN(APP, &crasher, TR_NULL), 0);
    assert_non_null(strstr(seen.warned, "FAILED: TR_EIO"));
    assert_non_null(strstr(seen.warned, "victim/0 ends: error"));
    tr_free(seen.last);
}

static void a_child_in_an_endless_loop_can_be_looked_at(void **state)
{
    (void)state;
    begin("msg");
    assert_int_equal(TR_RUN(APP, &watcher, TR_NULL), 0);
}

static void what_was_said_over_processes_can_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(TR_RUN(APP, &customer, TR_NULL), 0);
    TR_EXPECT_SAID(2, TR_SAID(.name = "order", .from = "customer/*", .to = "clerk/*"));
    TR_EXPECT_SAID(2, TR_SAID(.name = "shipped"));
    TR_EXPECT_SAID(7, TR_SAID(.name = "*"));
    TR_EXPECT_NEVER(TR_SAID(.name = "order", .to = "customer/*"));
    TR_EXPECT_ORDER(TR_SAID(.name = "order"), TR_SAID(.name = "shipped"));
    TR_EXPECT_CAUSES(TR_SAID(.name = "order"), TR_SAID(.name = "pack"));
    TR_EXPECT_CAUSES(TR_SAID(.name = "wish"), TR_SAID(.name = "shipped"));
}

static const struct CMUnitTest tests[] = {
    TR_TRACED_TEST(what_was_said_over_processes_can_be_asked_for),
    TR_PROCESS_TEST(a_writer_that_is_killed_at_any_moment_leaves_whole_records),
    TR_PROCESS_TEST(the_last_messages_of_a_child_that_crashed_are_told),
    TR_PROCESS_TEST(without_messages_it_is_told_whose_turn_it_was),
    TR_PROCESS_TEST(a_child_that_fails_in_order_is_told_of_too),
    TR_PROCESS_TEST(a_child_in_an_endless_loop_can_be_looked_at),
};

int main(int argc, char **argv)
{
    if (tr_is_child())
        return tr_main(argc, argv, APP);
    tr_log_set(keep_warning, NULL);
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
