// The core without memory: a scenario with everything in it; see support/sweep.h.
//
// Each step of it either does all or says TR_ENOMEM, which ends its actor. Whatever fails, the node
// comes to its end, each actor that has started has its stop, and no memory is lost.
#include <troupe.h>

#include "support/cmocka.h"
#include "support/lone_node.h"
#include "support/sweep.h"

static int started, stopped;
static int unexpected; // results other than those that there may be

// What a step says. The other actor may have failed before, and ended.
static int check(int rc)
{
    unexpected += rc != 0 && rc != TR_ENOMEM && rc != TR_ENOACTOR;
    return rc;
}

static void on_nothing(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

static int on_settled(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value, (void)arg;
    return check(status);
}

// ---- A child: gets messages until it is told to end ----

static int child_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    started++;
    return check(tr_send(self, tr_parent(self), "ready", TR_MAP("some", "thing")));
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    tr_msg *copy = NULL;
    int rc = tr_msg_copy(msg, &copy);
    if (rc == 0)
        rc = tr_send_msg(self, tr_parent(self), &copy);
    tr_msg_free(&copy);
    if (rc == 0 && tr_msg_is(msg, "end"))
        rc = tr_exit(self, TR_NORMAL);
    return check(rc);
}

static void count_stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    stopped++;
}

static const tr_behavior child = {
    .name = "child", .start = child_start, .receive = child_receive, .stop = count_stop};

// ---- The parent ----

static int parent_spawn(tr_actor *self)
{
    tr_addr addr;
    int rc = check(tr_spawn(self, &child,
                            TR_SPAWN(.args = TR_LIST(1, 2), .mail_max = 2, .link = true), &addr));
    if (rc == 0)
        rc = check(tr_monitor(self, addr, NULL));
    if (rc == 0)
        rc = check(tr_monitor(self, TR_NOBODY, NULL));
    if (rc == 0)
        rc = check(tr_send(self, addr, "work", TR_V("x")));
    if (rc == 0)
        rc = check(tr_send(self, addr, "end", TR_NULL));
    if (rc == 0)
        rc = check(tr_on_writable(self, addr, on_nothing, NULL));
    return rc;
}

static int parent_arm(tr_actor *self)
{
    int rc = check(tr_timer_start(self, TR_MS(1), on_nothing, NULL, NULL));
    if (rc == 0)
        rc = check(tr_interval_start(self, TR_MS(1), on_nothing, NULL, NULL));
    if (rc == 0)
        rc = check(tr_immediate(self, on_nothing, NULL));
    if (rc == 0)
        rc = check(tr_microtask(self, on_nothing, NULL));
    for (int i = 0; rc == 0 && i <= TR_JOBS_MAX; i++)
        rc = check(tr_next_tick(self, on_nothing, NULL));
    return rc;
}

static int parent_promise(tr_actor *self)
{
    tr_promise *first = NULL, *second = NULL, *all = NULL, *race = NULL;
    int rc = check(tr_promise_new(self, &first));
    if (rc == 0)
        rc = check(tr_promise_then(first, on_settled, NULL, &second));
    tr_promise *const both[] = {first, second};
    if (rc == 0)
        rc = check(tr_promise_all(self, both, 2, &all));
    if (rc == 0)
        rc = check(tr_promise_race(self, both, 2, &race));
    if (rc == 0)
        rc = check(tr_promise_then(all, on_settled, NULL, NULL));
    if (rc == 0)
        rc = check(tr_promise_resolve(first, TR_MAP("a", 1)));
    tr_promise_unref(&first);
    tr_promise_unref(&second);
    tr_promise_unref(&all);
    tr_promise_unref(&race);
    return rc;
}

static int promise_settled(tr_actor *self)
{
    tr_promise *promise = NULL;
    int rc = check(tr_promise_new(self, &promise));
    if (rc == 0)
        rc = check(tr_promise_resolve(promise, TR_NULL));
    if (rc == 0)
        rc = check(tr_promise_then(promise, on_settled, NULL, NULL));
    tr_promise_unref(&promise);
    return rc;
}

// So many settled at once that the ring of microtasks has to grow, and then, by the reactions of
// the first one, so many more that it has to once more.
static int parent_many_promises(tr_actor *self)
{
    tr_promise *first = NULL;
    int rc = check(tr_promise_new(self, &first));
    for (int i = 0; rc == 0 && i < 40; i++) {
        tr_promise *next = NULL;
        rc = i % 2 == 0 ? promise_settled(self) : 0;
        if (rc == 0)
            rc = check(tr_promise_then(first, on_settled, NULL, &next));
        if (rc == 0)
            rc = check(tr_promise_then(next, on_settled, NULL, NULL));
        tr_promise_unref(&next);
    }
    if (rc == 0)
        rc = check(tr_promise_resolve(first, TR_NULL));
    tr_promise_unref(&first);
    return rc;
}

static int parent_attach(tr_actor *self)
{
    tr_msg *msg = NULL, *copy = NULL;
    tr_buf *buf = NULL;
    int rc = check(tr_msg_new("attached", TR_LIST(1, 2, 3), &msg));
    if (rc == 0)
        rc = check(tr_buf_new(100, &buf));
    if (rc == 0)
        rc = check(tr_msg_attach(msg, &buf));
    if (rc == 0)
        rc = check(tr_msg_copy(msg, &copy));
    if (rc == 0)
        rc = check(tr_send_msg(self, tr_self(self), &msg));
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
    tr_msg_free(&copy);
    return rc;
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    started++;
    int rc = parent_spawn(self);
    if (rc == 0)
        rc = parent_promise(self);
    if (rc == 0)
        rc = parent_many_promises(self);
    if (rc == 0)
        rc = parent_arm(self);
    if (rc == 0)
        rc = parent_attach(self);
    return rc;
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    bool last = down != NULL && down->reason.kind != TR_REASON_NOCONNECTION;
    return last ? tr_exit(self, TR_NORMAL) : 0;
}

static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive, .stop = count_stop};

// ---- The sweep ----

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct sweep sweep = {.whole = true};
    while (sweep_next(&sweep)) {
        started = stopped = unexpected = 0;
        sweep_begin(&sweep);
        int rc = lone_node_run(&parent, 100);
        sweep_end(&sweep);
        assert_true(rc == 0 || (rc == TR_ENOMEM && sweep.nth > 0));
        assert_int_equal(0, unexpected);
        assert_int_equal(started, stopped);
        if (sweep.nth == 0)
            assert_true(started == 2 && sweep.count > 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
