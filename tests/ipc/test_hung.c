// Real processes that hang: in a handler that does not return, on any of their threads, or stopped.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support/ipc.h"

#define HUNG_MS    200u
#define WORKING_MS 800u // for one that must not be taken for one that hangs

// ---- The child ----

static void spin(void)
{
    for (volatile uint64_t n = 0;; n++)
        continue;
}

static int spinner_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    if (tr_msg_is(msg, "spin"))
        spin();
    return TR_EUNKNOWN;
}
static const tr_behavior spinner = {.name = "spinner", .receive = spinner_receive};

// It works for long, but in many turns.
static int worker_again(tr_actor *self, const tr_msg *msg)
{
    int64_t left = 0;
    uint64_t until = ipc_now() + TR_MS(WORKING_MS / 8);
    while (ipc_now() < until)
        continue;
    tr_as_int(tr_msg_body(msg), &left);
    return left == 0 ? tr_exit(self, TR_NORMAL)
                     : tr_send(self, tr_self(self), "work", TR_V(left - 1));
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr addr;
    if (tr_msg_is(msg, "spin"))
        spin();
    if (tr_msg_is(msg, "stop"))
        return kill(getpid(), SIGSTOP);
    if (tr_msg_is(msg, "work"))
        return worker_again(self, msg);
    int rc = tr_spawn(self, &spinner, TR_SPAWN(.isolation = TR_THREAD), &addr);
    return rc < 0 ? rc : tr_send(self, addr, "spin", TR_NULL);
}
static const tr_behavior child = {.name = "child", .receive = child_receive};

// ---- The parent: tells a child what to do, and hears of its end ----

static const char *wish;
static uint32_t hung_ms = HUNG_MS;
static uint64_t told_at, took_ms;
static tr_down end;

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    (void)args;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS, .hung_ms = hung_ms), &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    told_at = ipc_now();
    return rc < 0 ? rc : tr_send(self, kid, wish, TR_V(24));
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    end = *tr_msg_down(msg);
    took_ms = (ipc_now() - told_at) / TR_MS(1);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

static void see(const char *of, tr_reason_kind kind, const char *hung)
{
    wish = of;
    assert_int_equal(0, TR_RUN(TR_APP(&child), &parent, TR_NULL));
    assert_int_equal(kind, end.reason.kind);
    if (kind == TR_REASON_KILLED)
        assert_int_equal(SIGKILL, end.reason.code);
    if (*hung == '\0')
        assert_string_equal("", end.hung);
    else
        assert_non_null(strstr(end.hung, hung));
}

static void a_handler_that_does_not_return_is_named_and_its_process_killed(void **state)
{
    (void)state;
    see("spin", TR_REASON_KILLED, "behavior=child message=spin");
    assert_in_range(took_ms, HUNG_MS, 10000);
}

static void one_on_another_thread_is_named(void **state)
{
    (void)state;
    see("thread", TR_REASON_KILLED, "behavior=spinner message=spin");
}

static void a_stopped_process_is_killed(void **state)
{
    (void)state;
    see("stop", TR_REASON_KILLED, "ms=200 no sign of life");
}

static void one_that_works_for_long_in_many_turns_is_left_alone(void **state)
{
    (void)state;
    hung_ms = WORKING_MS;
    see("work", TR_REASON_NORMAL, "");
    hung_ms = HUNG_MS;
    assert_in_range(took_ms, 3 * WORKING_MS, UINT32_MAX);
}

// ---- Under a supervisor ----

static int keeper_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_supervise(
        self,
        TR_SUPERVISOR(.observer = tr_self(self),
                      TR_CHILDREN({.id = "kid",
                                   .behavior = &child,
                                   .opts = TR_SPAWN(.isolation = TR_PROCESS, .hung_ms = HUNG_MS)})),
        NULL, NULL);
}

static unsigned starts;
static char hung[TR_HUNG_MAX];

// The first one is told to spin; the second one shows that there is one again.
static int keeper_receive(tr_actor *self, const tr_msg *msg)
{
    tr_str event, text;
    tr_addr addr;
    int rc = TR_READ(tr_msg_body(msg), "event", &event);
    if (rc < 0)
        return rc;
    if (tr_str_eq(event, "end") && tr_get_str(tr_msg_body(msg), "hung", &text) == 0)
        snprintf(hung, sizeof hung, "%.*s", (int)text.len, text.ptr);
    if (!tr_str_eq(event, "start"))
        return 0;
    rc = tr_get_addr(tr_msg_body(msg), "addr", &addr);
    if (rc < 0)
        return rc;
    return ++starts == 2 ? tr_exit(self, TR_NORMAL) : tr_send(self, addr, "spin", TR_NULL);
}
static const tr_behavior keeper = {
    .name = "keeper", .start = keeper_start, .receive = keeper_receive};

static void a_supervisor_names_and_replaces_it(void **state)
{
    (void)state;
    starts = 0;
    assert_int_equal(0, TR_RUN(TR_APP(&child), &keeper, TR_NULL));
    assert_int_equal(2, starts);
    assert_non_null(strstr(hung, "behavior=child message=spin"));
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_handler_that_does_not_return_is_named_and_its_process_killed),
    TR_PROCESS_TEST(one_on_another_thread_is_named),
    TR_PROCESS_TEST(a_stopped_process_is_killed),
    TR_PROCESS_TEST(one_that_works_for_long_in_many_turns_is_left_alone),
    TR_PROCESS_TEST(a_supervisor_names_and_replaces_it),
};
TR_TEST_MAIN("ipc/hung", TR_APP(&child), tests)
