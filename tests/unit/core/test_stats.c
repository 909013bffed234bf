// What a loop says of its time. Callbacks spend virtual time.
#include "stage.h"

static void spend(uint64_t ms)
{
    tr__sim_run_for(stage.sim, TR_MS(ms));
}

static void on_spend(tr_actor *self, void *ms)
{
    (void)self;
    spend((uint64_t)(uintptr_t)ms);
}

static int start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    spend(1);
    return 0;
}

static int receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    spend(7);
    return 0;
}

static void stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    spend(5);
}

static const tr_behavior spender = {
    .name = "spender", .start = start, .receive = receive, .stop = stop};

static tr_loop_stats stats(void)
{
    tr_loop_stats s = {.size = sizeof s};
    assert_int_equal(0, tr_loop_stats_get(stage.node, 0, &s));
    return s;
}

// Polls of the simulated world take a microsecond each.
#define assert_about(ms, ns) assert_int_equal(TR_MS(ms), (ns) / TR_MS(1) * TR_MS(1))

static void each_phase_has_its_time_and_its_turns(void **state)
{
    (void)state;
    tr_addr addr;
    tr_loop_stats before = stats();
    assert_int_equal(0, tr_node_spawn(stage.node, &spender, NULL, &addr));
    stage_run();
    tr_actor *a = tr__actor_find(stage.loop, addr.actor);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_immediate(a, on_spend, (void *)4));
        assert_int_equal(0, tr_timer_start(a, TR_MS(100), on_spend, (void *)2, NULL));
        assert_int_equal(0, tr_send(a, addr, "a message", TR_NULL));
        assert_int_equal(0, tr_send(a, addr, "a message", TR_NULL));
    }
    for (int i = 0; i < 3; i++)
        stage_step();
    IN_TURN(a)
    tr_exit(a, TR_NORMAL);
    stage_run();
    stage_actor("one more"); // ends what has not been looked at
    tr_loop_stats s = stats();
    // The test's own turns count with the phase before them.
    static const uint64_t ms[TR_PHASES] = {1, 2, 0, 14, 82, 4, 5};
    static const uint64_t turns[TR_PHASES] = {2, 1, 0, 2, 0, 1, 3};
    for (int i = 0; i < TR_PHASES; i++) {
        assert_about(ms[i], s.phase_ns[i] - before.phase_ns[i]);
        assert_int_equal(turns[i], s.turns[i] - before.turns[i]);
    }
    assert_about(82, s.idle_ns - before.idle_ns);
    assert_in_range(s.iterations - before.iterations, 5, 20);
    assert_int_equal(TR_MS(7), s.longest_ns);
    assert_int_equal(addr.actor, s.longest_actor);
    assert_string_equal("spender", s.longest_behavior);
    assert_string_equal("a message", s.longest_message);
}

static void an_older_program_gets_what_it_knows(void **state)
{
    (void)state;
    tr_loop_stats s = {.size = offsetof(tr_loop_stats, idle_ns)};
    stage_run();
    s.idle_ns = 77;
    assert_int_equal(0, tr_loop_stats_get(stage.node, 0, &s));
    assert_true(s.iterations > 0);
    assert_int_equal(77, s.idle_ns);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    tr_loop_stats s = {.size = sizeof s};
    assert_int_equal(TR_EINVAL, tr_loop_stats_get(NULL, 0, &s));
    assert_int_equal(TR_EINVAL, tr_loop_stats_get(stage.node, 0, NULL));
    assert_int_equal(TR_ENOENT, tr_loop_stats_get(stage.node, 1, &s));
    assert_int_equal(TR_ENOENT, tr_loop_stats_get(stage.node, UINT32_MAX, &s));
    s.size = 0;
    assert_int_equal(TR_EINVAL, tr_loop_stats_get(stage.node, 0, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(each_phase_has_its_time_and_its_turns),
        STAGE_TEST(an_older_program_gets_what_it_knows),
        STAGE_TEST(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
