// A tree without memory: the n-th allocation fails, for n = 1 and up until none does. Whatever
// fails, each actor that has started has its stop, the supervisor ends, and no memory is lost.
#include <troupe.h>

#include "core/node.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"

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

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

// Returns how the node ended, or why it could not begin.
static int scenario(void)
{
    tr_sim *sim = NULL;
    tr_world *world = NULL;
    tr_node *node = NULL;
    int rc = tr__sim_open(1, &sim);
    if (rc == 0)
        rc = tr__sim_world(sim, &world);
    if (rc == 0)
        rc = tr__node_new(0, "test", 1, &world, &node);
    if (rc == 0)
        rc = tr_node_spawn(node, &boss, NULL, NULL);
    if (rc == 0) {
        for (int i = 0; tr__node_step(node); i++)
            assert_true(i < 10000);
        rc = node->error;
    }
    tr__node_free(&node);
    if (world != NULL)
        world->ops->close(&world);
    tr__sim_close(&sim);
    return rc;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    size_t fail_at = 0;
    tr_log_set(warn_nobody, NULL);
    do {
        started = stopped = answered = 0;
        counted_memory_start(++fail_at);
        int rc = scenario();
        assert_true(rc == 0 || (rc == TR_ENOMEM && counted_memory_failed()));
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(started, stopped);
    } while (counted_memory_failed());
    assert_int_equal(14, answered);
    assert_true(started > 15 && fail_at > 200);
    tr_log_set(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
