// A tree without memory: see support/sweep.h. Whatever fails, each actor that has started has its
// stop, the supervisor ends, and no memory is lost.
#include <troupe.h>

#include "support/cmocka.h"
#include "support/lone_node.h"
#include "support/sweep.h"

static int started, stopped, answered;
static tr_addr top, pool;

// ---- Kids, which fail after 10 ms ----

static void kid_fail(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_EIO);
}

static int kid_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    started++;
    return tr_timer_start(self, TR_MS(10), kid_fail, NULL, NULL);
}

static void count_stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    stopped++;
}
static const tr_behavior kid = {.name = "kid", .start = kid_start, .stop = count_stop};

// ---- The boss: lets them run for a while ----

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
    answered++;
}

// The end of both is waited for by the node: they are the boss's.
static void boss_stop(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int boss_supervise(tr_actor *self)
{
    int rc = tr_supervise(
        self,
        TR_SUPERVISOR(.strategy = TR_ONE_FOR_ALL, .backoff_min_ms = 1, .restart_max = 1000,
                      .observer = tr_self(self),
                      TR_CHILDREN({.id = "a", .behavior = &kid},
                                  {.id = "below",
                                   .supervisor = TR_SUPERVISOR(TR_CHILDREN(
                                       {.id = "b", .behavior = &kid, .restart_max = 20}))})),
        NULL, &top);
    if (rc == 0)
        rc = tr_supervise(self,
                          TR_SUPERVISOR(.strategy = TR_DYNAMIC, TR_CHILDREN({.behavior = &kid})),
                          NULL, &pool);
    return rc;
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = boss_supervise(self);
    for (int i = 0; rc == 0 && i < 12; i++)
        rc = tr_ask(self, pool, "add", TR_MAP("args", TR_LIST(1, 2)), NULL, NULL, on_answer, NULL);
    if (rc == 0)
        rc = tr_ask(self, pool, "children", TR_NULL, NULL, NULL, on_answer, NULL);
    if (rc == 0)
        rc = tr_ask(self, pool, "remove", TR_V("3"), NULL, NULL, on_answer, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(35), boss_stop, NULL, NULL);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    return tr_msg_is(msg, "supervisor") ? 0 : TR_EUNKNOWN;
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

// ---- The sweep ----

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct sweep sweep = {.whole = true};
    while (sweep_next(&sweep)) {
        started = stopped = answered = 0;
        sweep_begin(&sweep);
        int rc = lone_node_run(&boss, 10000);
        sweep_end(&sweep);
        assert_true(rc == 0 || (rc == TR_ENOMEM && sweep.nth > 0));
        assert_int_equal(started, stopped);
        if (sweep.nth == 0)
            assert_true(answered == 14 && started > 15 && sweep.count > 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
