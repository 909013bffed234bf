// Pools without memory: see support/sweep.h. Whatever fails, each worker that has started has its
// stop, each ask ends, and no memory is lost.
#include <troupe.h>

#include "support/cmocka.h"
#include "support/lone_node.h"
#include "support/sweep.h"

static int started, stopped, asked, answered;

// ---- Workers, of which some fail ----

static int worker_start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    started++;
    return 0;
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "fail") ? TR_EIO : tr_reply(self, msg, tr_msg_body(msg));
}

static void worker_stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    stopped++;
}
static const tr_behavior worker = {
    .name = "worker", .start = worker_start, .receive = worker_receive, .stop = worker_stop};

// ---- The boss: a pool of each kind ----

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
    answered++;
}

static int boss_ask(tr_actor *self, tr_addr pool, const char *name, tr_val body)
{
    int rc = tr_ask(self, pool, name, body, NULL, NULL, on_answer, NULL);
    asked += rc == 0;
    return rc;
}

static int boss_use(tr_actor *self, tr_addr pool)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < 6; i++) {
        rc = tr_send(self, pool, "job", TR_V(i));
        if (rc == 0)
            rc = boss_ask(self, pool, "job", TR_V(i));
    }
    if (rc == 0)
        rc = tr_send(self, pool, "fail", TR_NULL);
    if (rc == 0)
        rc = boss_ask(self, pool, "pool.resize", TR_V(6));
    if (rc == 0)
        rc = boss_ask(self, pool, "pool.stats", TR_NULL);
    return rc == 0 ? boss_ask(self, pool, "pool.resize", TR_V(1)) : rc;
}

// The end of all is waited for by the node: they are the boss's.
static void boss_stop(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = 0;
    for (int strategy = 0; rc == 0 && strategy <= TR_POOL_BROADCAST; strategy++) {
        tr_addr pool;
        rc = tr_pool_start(self,
                           TR_POOL(.behavior = &worker, .workers = 2, .hold = true, .key = "key",
                                   .strategy = (tr_pool_strategy)strategy,
                                   .opts = TR_SPAWN(.mail_max = 2)),
                           NULL, &pool);
        if (rc == 0)
            rc = boss_use(self, pool);
    }
    return rc < 0 ? rc : tr_timer_start(self, TR_S(10), boss_stop, NULL, NULL);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

// ---- The sweep ----

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct sweep sweep = {.whole = true};
    while (sweep_next(&sweep)) {
        started = stopped = asked = answered = 0;
        sweep_begin(&sweep);
        int rc = lone_node_run(&boss, 10000);
        sweep_end(&sweep);
        assert_true(rc == 0 || (rc == TR_ENOMEM && sweep.nth > 0));
        assert_int_equal(started, stopped);
        assert_true(rc < 0 || answered == asked); // if only at its deadline
        if (sweep.nth == 0)
            assert_true(answered == 36 && started > 24 && sweep.count > 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
