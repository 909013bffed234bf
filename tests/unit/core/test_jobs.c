// What the conformance suite of the phases (tests/conform) cannot see: memory, and jobs that come
// from other turns, on the stage; order among very many, and ends, in the kit.
#include "stage.h"

#include <troupe/test.h>

#include "support/counted_memory.h"

static int ran, out_of_order;
static int numbers[3000];

static void on_number(tr_actor *self, void *arg)
{
    (void)self;
    out_of_order += (int *)arg - numbers != ran++;
}

static void on_number_and_more(tr_actor *self, void *arg)
{
    int *next = (int *)arg + 12;
    on_number(self, arg);
    if (next < numbers + 3000)
        tr_next_tick(self, on_number_and_more, next);
}

// Twelve jobs are waiting all the time, so the ring's start goes round and round.
static int start_twelve(tr_actor *self, const tr_val *args)
{
    int rc = 0;
    (void)args;
    for (int i = 0; rc == 0 && i < 12; i++)
        rc = tr_next_tick(self, on_number_and_more, &numbers[i]);
    return rc;
}

static void jobs_keep_their_order_round_the_ring(void **state)
{
    (void)state;
    static const tr_behavior busy = {.name = "busy", .start = start_twelve};
    ran = out_of_order = 0;
    TR_START(&busy, NULL);
    assert_int_equal(3000, ran);
    assert_int_equal(0, out_of_order);
}

static int stage_count(void **state)
{
    ran = out_of_order = 0;
    return stage_setup(state);
}

static void jobs_over_the_budget_need_memory_only_then(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    for (int i = 0; i < TR_JOBS_MAX; i++)
        assert_int_equal(0, tr_next_tick(a, on_number, &numbers[i]));
    assert_null(a->extra);
    IN_TURN(a)
    for (int i = 0; i <= TR_JOBS_MAX; i++)
        assert_int_equal(0, tr_next_tick(a, on_number, &numbers[TR_JOBS_MAX + i]));
    assert_non_null(a->extra);
    assert_int_equal(2 * TR_JOBS_MAX, ran);
    stage_run();
    assert_int_equal(2 * TR_JOBS_MAX + 1, ran);
    assert_int_equal(0, out_of_order);
}

static void without_memory_jobs_go_on_over_the_budget(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        for (int i = 0; i < 2 * TR_JOBS_MAX; i++)
            assert_int_equal(0, tr_next_tick(a, on_number, &numbers[i]));
        counted.fail_at = counted.calls + 1;
    }
    assert_true(counted_memory_failed());
    assert_in_range(ran, TR_JOBS_MAX + 1, 2 * TR_JOBS_MAX);
    stage_run();
    assert_int_equal(2 * TR_JOBS_MAX, ran);
    assert_int_equal(0, out_of_order);
}

static void what_is_left_comes_before_what_the_next_turn_adds(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    for (int i = 0; i <= TR_JOBS_MAX; i++)
        assert_int_equal(0, tr_next_tick(a, on_number, &numbers[i]));
    IN_TURN(a)
    assert_int_equal(0, tr_next_tick(a, on_number, &numbers[TR_JOBS_MAX + 1]));
    assert_int_equal(TR_JOBS_MAX + 2, ran);
    assert_int_equal(0, out_of_order);
    assert_true(tr__list_empty(&stage.loop->pending));
}

static void a_microtask_from_another_turn_runs_in_the_pending_phase(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(a)
    {
        assert_int_equal(0, tr__microtask(b, NOTE("b's")));
        assert_int_equal(0, tr__microtask(a, NOTE("a's")));
        assert_int_equal(0, tr_next_tick(a, NOTE("tick")));
    }
    assert_heard("tick a's");
    stage_step();
    assert_heard("b's");
}

static void what_is_left_ends_with_its_actor(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(a)
    {
        tr_exit(a, TR_NORMAL);
        assert_int_equal(0, tr__microtask(b, NOTE("late")));
    }
    IN_TURN(b)
    {
        assert_int_equal(0, tr__microtask(a, NOTE("late")));
        tr_exit(b, TR_NORMAL);
    }
    stage_run();
    assert_heard("a:stop=normal b:stop=normal");
}

static void on_end(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void on_say(tr_actor *self, void *word)
{
    tr_send(self, tr_parent(self), word, TR_NULL);
}

static int start_to_end(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_microtask(self, on_end, NULL);
    return tr_microtask(self, on_say, (void *)"late");
}

static int start_to_speak(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_microtask(self, on_say, (void *)"microtask");
    return tr_next_tick(self, on_say, (void *)"tick");
}

static void an_end_in_a_microtask_is_no_start_for_others(void **state)
{
    (void)state;
    static const tr_behavior ending = {.name = "ending", .start = start_to_end};
    static const tr_behavior speaking = {.name = "speaking", .start = start_to_speak};
    TR_EXPECT_EXIT(TR_START(&ending, NULL), TR_NORMAL);
    TR_START(&speaking, NULL);
    TR_EXPECT(tr_kit_parent(), "tick", TR_NULL);
    TR_EXPECT(tr_kit_parent(), "microtask", TR_NULL);
    TR_EXPECT_NOTHING(TR_NOBODY);
}

#define COUNT_TEST(name) cmocka_unit_test_setup_teardown(name, stage_count, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_TEST(jobs_keep_their_order_round_the_ring),
        COUNT_TEST(jobs_over_the_budget_need_memory_only_then),
        COUNT_TEST(without_memory_jobs_go_on_over_the_budget),
        COUNT_TEST(what_is_left_comes_before_what_the_next_turn_adds),
        STAGE_TEST(a_microtask_from_another_turn_runs_in_the_pending_phase),
        STAGE_TEST(what_is_left_ends_with_its_actor),
        TR_TEST(an_end_in_a_microtask_is_no_start_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
