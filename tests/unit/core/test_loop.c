// When a loop has something to do. The order in which it does it: tests/conform/phase_suite.c.
#include "stage.h"

static uint64_t due(void)
{
    return tr__loop_due(stage.loop);
}

static void a_loop_with_nothing_to_do_is_never_due(void **state)
{
    (void)state;
    assert_int_equal(TR__NEVER, due());
    stage_actor("a");
    assert_int_equal(TR__NEVER, due());
}

static void a_loop_is_due_with_its_first_timer(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    uint64_t now = stage.loop->world->ops->now(stage.loop->world);
    tr_timer sooner = {0};
    IN_TURN(a)
    {
        assert_int_equal(0, tr_timer_start(a, TR_MS(2), NOTE("later"), NULL));
        assert_int_equal(0, tr_timer_start(a, TR_MS(1), NOTE("sooner"), &sooner));
        assert_int_equal(now, tr_now(a));
    }
    assert_int_equal(now + TR_MS(1), due());
    IN_TURN(a)
    tr_timer_clear(a, sooner);
    assert_int_equal(now + TR_MS(2), due());
}

static void do_immediate(tr_actor *self)
{
    assert_int_equal(0, tr_immediate(self, NOTE("done")));
}

static void do_send(tr_actor *self)
{
    assert_int_equal(0, tr_send(self, tr_self(self), "done", TR_NULL));
}

static void do_monitor(tr_actor *self)
{
    assert_int_equal(0, tr_monitor(self, TR_NOBODY, NULL));
}

static void do_stop(tr_actor *self)
{
    assert_int_equal(0, tr_stop(self, tr_self(self)));
}

static void do_exit(tr_actor *self)
{
    assert_int_equal(0, tr_exit(self, TR_NORMAL));
}

static void do_spawn(tr_actor *self)
{
    assert_int_equal(0, tr_spawn(self, &player, NULL, NULL));
}

static void do_wait_for_room(tr_actor *self)
{
    assert_int_equal(0, tr_on_writable(self, TR_NOBODY, NOTE("done")));
}

static void do_more_than_the_budget(tr_actor *self)
{
    for (int i = 0; i <= TR_JOBS_MAX; i++)
        assert_int_equal(0, tr_next_tick(self, NOTE("")));
}

static void a_loop_is_due_at_once_with_anything_else(void **state)
{
    (void)state;
    void (*const things[])(tr_actor * self) = {
        do_immediate, do_send, do_monitor, do_wait_for_room, do_more_than_the_budget,
        do_spawn,     do_stop, do_exit,
    };
    for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
        tr_actor *a = stage_actor("a");
        assert_int_equal(TR__NEVER, due());
        IN_TURN(a)
        things[i](a);
        assert_int_equal(0, due());
        stage_run();
        assert_int_equal(TR__NEVER, due());
    }
}

static int numbers[1000];
static int ran, out_of_order;

// Half of them arm another one.
static void on_number(tr_actor *self, void *arg)
{
    int *number = arg;
    out_of_order += number - numbers != ran++;
    if (number < numbers + 500)
        tr_immediate(self, on_number, number + 500);
}

static void many_immediates_run_in_order(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    ran = out_of_order = 0;
    IN_TURN(a)
    for (int i = 0; i < 500; i++)
        assert_int_equal(0, tr_immediate(a, on_number, &numbers[i]));
    stage_step();
    assert_int_equal(500, ran);
    stage_step();
    assert_int_equal(1000, ran);
    assert_int_equal(0, out_of_order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_loop_with_nothing_to_do_is_never_due),
        STAGE_TEST(a_loop_is_due_with_its_first_timer),
        STAGE_TEST(a_loop_is_due_at_once_with_anything_else),
        STAGE_TEST(many_immediates_run_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
