// When an actor that is to end when it is idle does so.
#include "stage.h"
#include "support/counted_memory.h"

static int run_nothing(void *data)
{
    (void)data;
    return 0;
}

static void on_worked(tr_actor *self, int status, void *data, void *arg)
{
    (void)self, (void)status, (void)data, (void)arg;
}

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
}

static void on_nothing(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

static tr_actor *other;

// What keeps an actor for a while. Each returns 0.
static int has_message(tr_actor *self)
{
    return tr_send(self, tr_self(self), "message", TR_NULL);
}

static int has_timer(tr_actor *self)
{
    return tr_timer_start(self, TR_MS(1), on_nothing, NULL, NULL);
}

static int has_immediate(tr_actor *self)
{
    return tr_immediate(self, on_nothing, NULL);
}

static void on_tick(tr_actor *self, void *count)
{
    if (--*(int *)count > 0)
        tr_next_tick(self, on_tick, count);
}

static int has_jobs(tr_actor *self)
{
    static int count;
    count = 2 * TR_JOBS_MAX;
    return tr_next_tick(self, on_tick, &count);
}

static int has_ask(tr_actor *self)
{
    return tr_ask(self, tr_self(other), "ask", TR_NULL, NULL, NULL, on_answer, NULL);
}

static int has_work(tr_actor *self)
{
    return tr_work(self, run_nothing, NULL, NULL, on_worked, NULL);
}

static int has_promise_of_time(tr_actor *self)
{
    tr_promise *promise = NULL;
    int rc = tr_promise_after(self, TR_MS(1), NULL, &promise);
    tr_promise_unref(&promise);
    return rc;
}

static int one_turn(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}

static int has_child(tr_actor *self)
{
    static const tr_behavior child = {.name = "child", .receive = one_turn};
    tr_addr addr = TR_NOBODY;
    int rc = tr_spawn(self, &child, NULL, &addr);
    return rc < 0 ? rc : tr_send(self, addr, "end", TR_NULL);
}

static int has_monitor(tr_actor *self)
{
    return tr_monitor(self, tr_self(other), NULL);
}

// What does not.
static int has_what_waits_for_it(tr_actor *self)
{
    tr_promise *promise = NULL;
    tr_cancel *cancel = NULL;
    tr_timer timer = {0};
    int rc = tr_promise_new(self, &promise);
    tr_promise_unref(&promise);
    if (rc == 0)
        rc = tr_cancel_new(self, &cancel);
    if (rc == 0)
        rc = tr_join(self, "group");
    if (rc == 0)
        rc = tr_link(self, tr_self(other));
    if (rc == 0)
        rc = tr_interval_start(self, TR_MS(1), on_nothing, NULL, &timer);
    tr_timer_keep(self, timer, true);
    tr_timer_keep(self, timer, false);
    return rc;
}

static int (*begin)(tr_actor *self);

static int idler_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return begin(self);
}

static void idler_stop(tr_actor *self, tr_reason reason)
{
    (void)self;
    note(reason.kind == TR_REASON_NORMAL ? "idle" : "failed");
}

static int idler_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}

static const tr_behavior idler = {
    .name = "idler", .start = idler_start, .receive = idler_receive, .stop = idler_stop};

static tr_addr spawn_idler(int (*with)(tr_actor *self))
{
    tr_addr addr = TR_NOBODY;
    begin = with;
    assert_int_equal(0, tr_node_spawn(stage.node, &idler, TR_SPAWN(.until_idle = true), &addr));
    return addr;
}

static int has_nothing(tr_actor *self)
{
    (void)self;
    return 0;
}

static void what_is_still_to_come_keeps_an_actor_until_it_has(void **state)
{
    (void)state;
    int (*const all[])(tr_actor * self) = {has_message, has_timer,   has_immediate,
                                           has_jobs,    has_ask,     has_work,
                                           has_child,   has_monitor, has_promise_of_time};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        other = stage_actor("other");
        tr_addr addr = spawn_idler(all[i]);
        tr__loop_here = stage.loop;
        tr__births_run(stage.loop);
        tr__idle_run(stage.loop);
        tr__loop_here = NULL;
        assert_true(stage_has(addr));
        stage_exit(other, TR_NORMAL);
        for (int step = 0; step < 10 && stage_has(addr); step++)
            stage_step();
        assert_false(stage_has(addr));
        assert_non_null(strstr(stage.heard, "idle"));
        stage.heard[0] = '\0';
    }
}

static void what_others_may_do_with_an_actor_does_not_keep_it(void **state)
{
    (void)state;
    other = stage_actor("other");
    spawn_idler(has_nothing);
    stage_step();
    assert_heard("idle");
    spawn_idler(has_what_waits_for_it);
    stage_step();
    assert_heard("idle");
}

static int has_both(tr_actor *self)
{
    int rc = has_what_waits_for_it(self);
    return rc < 0 ? rc : has_timer(self);
}

// Goal:   a timer that keeps nobody fires all the same, as long as something else keeps the actor.
static void a_timer_that_keeps_nobody_fires(void **state)
{
    (void)state;
    other = stage_actor("other");
    tr_addr addr = spawn_idler(has_both);
    stage_step(); // does not wait, as the spawn has woken it
    stage_step(); // waits for both timers
    assert_true(stage_has(addr));
    stage_step();
    assert_false(stage_has(addr));
}

static void other_actors_stay(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    stage_run();
    assert_true(stage_has(tr_self(a)));
    IN_TURN(a)
    assert_int_equal(
        TR_EINVAL,
        tr_spawn(a, &idler, TR_SPAWN(.isolation = TR_PROCESS, .until_idle = true), NULL));
}

static void idlers_without_memory(void **state)
{
    (void)state;
    bool failed = true;
    begin = has_nothing;
    for (size_t nth = 1; failed; nth++) {
        tr_actor *a = stage_actor("a");
        IN_TURN(a)
        {
            counted_memory_fail(nth, false);
            int rc = tr_spawn(a, &idler,
                              TR_SPAWN(.until_idle = true, .name = "idler", .args = TR_V(1)), NULL);
            failed = counted_memory_failed();
            counted_memory_fail(0, false);
            assert_int_equal(failed ? TR_ENOMEM : 0, rc);
        }
        stage_step();
        assert_heard(failed ? "" : "idle");
        stage_teardown(NULL);
        stage_setup(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(what_is_still_to_come_keeps_an_actor_until_it_has),
        STAGE_TEST(what_others_may_do_with_an_actor_does_not_keep_it),
        STAGE_TEST(a_timer_that_keeps_nobody_fires),
        STAGE_TEST(other_actors_stay),
        STAGE_TEST(idlers_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
