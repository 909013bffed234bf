// What the conformance suite of the phases (tests/conform) cannot see: exact times, in the kit;
// those of callbacks that take time, and timers of the runtime's own, on the stage.
#include "stage.h"
#include "support/counted_memory.h"
#include "support/random.h"

#include <troupe/test.h>

// ---- Actors' timers ----

static void on_due(tr_actor *self, void *arg)
{
    (void)arg;
    tr_send(self, tr_parent(self), "due", TR_V(tr_now(self)));
}

// Arms what a message names.
static int arm_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t ns = 0;
    tr_as_uint(tr_msg_body(msg), &ns);
    return tr_msg_is(msg, "timer") ? tr_timer_start(self, ns, on_due, NULL, NULL)
                                   : tr_interval_start(self, ns, on_due, NULL, NULL);
}
static const tr_behavior armed = {.name = "armed", .receive = arm_receive};

static tr_addr armed_with(const char *what, uint64_t ns)
{
    tr_addr actor = TR_START(&armed, NULL);
    TR_GIVE(actor, TR_NOBODY, what, TR_V(ns));
    return actor;
}

static void a_timer_fires_exactly_when_it_is_due(void **state)
{
    (void)state;
    uint64_t start = tr_kit_now();
    armed_with("timer", 1234567);
    TR_ADVANCE(1234566);
    TR_EXPECT_NOTHING(tr_kit_parent());
    TR_ADVANCE(1);
    TR_EXPECT(tr_kit_parent(), "due", TR_V(start + 1234567));
    TR_EXPECT_NO_TIMER();
}

static void timers_end_with_their_actor(void **state)
{
    (void)state;
    uint64_t start = tr_kit_now();
    tr_addr a = armed_with("timer", TR_MS(1));
    TR_GIVE(a, TR_NOBODY, "interval", TR_V(TR_MS(1)));
    armed_with("timer", TR_MS(2));
    TR_STOP(a);
    TR_ADVANCE(TR_MS(2));
    TR_EXPECT(tr_kit_parent(), "due", TR_V(start + TR_MS(2)));
    TR_EXPECT_NOTHING(tr_kit_parent());
    TR_EXPECT_NO_TIMER();
}

static void delays_have_a_limit(void **state)
{
    (void)state;
    const uint64_t most = (uint64_t)1 << 62;
    const struct {
        const char *what;
        uint64_t ns;
    } wrong[] = {
        {"timer", most + 1}, {"timer", UINT64_MAX}, {"interval", most + 1}, {"interval", 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        TR_EXPECT_EXIT(armed_with(wrong[i].what, wrong[i].ns), TR_EINVAL);
    static const char *const whats[] = {"timer", "interval"};
    for (size_t i = 0; i < 2; i++) {
        TR_EXPECT_NO_TIMER();
        tr_addr actor = armed_with(whats[i], most);
        TR_EXPECT_TIMER(most);
        TR_STOP(actor);
    }
}

// ---- Callbacks that take time ----

static uint64_t now(void)
{
    return stage.loop->world->ops->now(stage.loop->world);
}

// So many phases of timers in which something is due. A step ends with the wait for the next one.
static void run_timers(int count)
{
    for (int i = 0; i <= count; i++)
        stage_step();
}

static uint64_t fired_at[8];
static int fired;

static void on_fire(tr_actor *self, void *arg)
{
    if (fired < 8)
        fired_at[fired++] = tr_now(self);
    tr__sim_run_for(stage.sim, arg == NULL ? 0 : *(uint64_t *)arg);
}

static void an_interval_keeps_its_schedule_to_the_nanosecond(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    uint64_t start = now(), takes = TR_US(300);
    tr_timer timer = {0};
    fired = 0;
    IN_TURN(a)
    assert_int_equal(0, tr_interval_start(a, TR_MS(1), on_fire, &takes, &timer));
    run_timers(5);
    assert_int_equal(5, fired);
    for (int i = 0; i < 5; i++)
        assert_int_equal(start + TR_MS(1) * (uint64_t)(i + 1), fired_at[i]);
    IN_TURN(a)
    tr_timer_clear(a, timer);
    assert_int_equal(TR__NEVER, tr__loop_due(stage.loop));
}

static void on_fire_and_be_late(tr_actor *self, void *arg)
{
    on_fire(self, arg);
    *(uint64_t *)arg = 0; // only the first time
}

// Goal:   a callback that is late does not move the ones after it, and those that have been missed
//         do not come any more.
// Method: the first callback takes from nothing to several periods; the second is late by the rest
//         of that, and the third is on time again.
static void an_interval_skips_what_it_has_missed(void **state)
{
    (void)state;
    static const struct {
        uint64_t takes, second, third; // tenths of a period after the first firing
    } cases[] = {{0, 10, 20},  {9, 10, 20},  {10, 10, 20}, {11, 11, 20},
                 {19, 19, 20}, {20, 20, 30}, {35, 35, 40}, {99, 99, 100}};
    tr_actor *a = stage_actor("a");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t takes = cases[i].takes * TR_US(100);
        tr_timer timer = {0};
        fired = 0;
        IN_TURN(a)
        assert_int_equal(0, tr_interval_start(a, TR_MS(1), on_fire_and_be_late, &takes, &timer));
        run_timers(3);
        assert_int_equal(3, fired);
        uint64_t second = fired_at[0] + cases[i].second * TR_US(100);
        assert_in_range(fired_at[1], second, second + TR_US(1)); // a poll takes up to so much
        assert_int_equal(cases[i].third * TR_US(100), fired_at[2] - fired_at[0]);
        IN_TURN(a)
        tr_timer_clear(a, timer);
    }
}

// Goal:   a timer's handle never means another timer.
// Method: clear the first handle over and over while others come and go in its place.
static void an_old_handle_clears_nothing(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_timer first = {0}, timer = {0};
    IN_TURN(a)
    {
        assert_int_equal(0, tr_timer_start(a, 1, NOTE("timer"), &first));
        tr_timer_clear(a, first);
        for (int i = 0; i < 1000; i++) {
            assert_int_equal(0, tr_timer_start(a, 1, NOTE("timer"), &timer));
            assert_int_not_equal(first.id, timer.id);
            tr_timer_clear(a, first);
            assert_int_equal(1, stage.loop->timers.count);
            tr_timer_clear(a, timer);
        }
        assert_int_equal(first.id >> 32, timer.id >> 32); // the same place
    }
    assert_int_equal(0, stage.loop->timers.count);
}

#define MANY 3000

static struct {
    tr_timer timer;
    uint64_t due, order;
    bool armed;
} many[MANY];
static uint64_t many_armed, many_fired, last_due, last_order;

static void on_many(tr_actor *self, void *arg)
{
    size_t i = (size_t)(uintptr_t)arg;
    assert_true(many[i].armed && many[i].due <= tr_now(self));
    assert_true(last_due < many[i].due || (last_due == many[i].due && last_order < many[i].order));
    last_due = many[i].due;
    last_order = many[i].order;
    many[i].armed = false;
    many_fired++;
}

static void many_due(size_t i, uint64_t delay)
{
    many[i].due = now() + delay;
    many[i].order = many_armed++;
    many[i].armed = true;
}

// Goal:   whatever their delays are, timers fire in the order of their due times, and of arming.
// Method: delays of which few, many or all are different; a fifth is cleared and a fifth refreshed,
//         in no order, while some have fired already. A model says when each is due.
static void any_timers_fire_in_one_order(void **state)
{
    (void)state;
    static const uint64_t kinds[] = {1, 3, 100, 1000, MANY * 16};
    tr_actor *a = stage_actor("a");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint64_t delays[MANY], random = 1 + k, expected = MANY;
        many_fired = last_due = last_order = 0;
        for (size_t i = 0; i < MANY; i++) {
            delays[i] = TR_US(1) * random_below(&random, kinds[k]);
            IN_TURN(a)
            assert_int_equal(
                0, tr_timer_start(a, delays[i], on_many, (void *)(uintptr_t)i, &many[i].timer));
            many_due(i, delays[i]);
            if (i % 16 == 0)
                stage_step();
            size_t j = random_below(&random, i + 1);
            IN_TURN(a)
            if (i % 5 == 0) {
                tr_timer_clear(a, many[j].timer);
                expected -= many[j].armed;
                many[j].armed = false;
            } else if (i % 5 == 1) {
                assert_int_equal(many[j].armed ? 0 : TR_ENOENT, tr_timer_refresh(a, many[j].timer));
                if (many[j].armed)
                    many_due(j, delays[j]);
            }
        }
        while (tr__loop_due(stage.loop) != TR__NEVER)
            stage_step();
        assert_int_equal(expected, many_fired);
    }
}

static void on_refresh(tr_actor *self, void *timer)
{
    on_fire(self, NULL);
    if (fired < 4)
        assert_int_equal(0, tr_timer_refresh(self, *(tr_timer *)timer));
}

static void a_timer_may_start_itself_again(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    uint64_t start = now();
    tr_timer timer = {0};
    fired = 0;
    IN_TURN(a)
    assert_int_equal(0, tr_timer_start(a, TR_MS(1), on_refresh, &timer, &timer));
    run_timers(4);
    assert_int_equal(4, fired);
    for (int i = 0; i < 4; i++)
        assert_int_equal(start + TR_MS(1) * (uint64_t)(i + 1), fired_at[i]);
    IN_TURN(a)
    assert_int_equal(TR_ENOENT, tr_timer_refresh(a, timer));
    assert_int_equal(TR__NEVER, tr__loop_due(stage.loop));
}

static void to_refresh_takes_no_memory(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_timer timers[3] = {{0}};
    IN_TURN(a)
    {
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(0, tr_timer_start(a, TR_MS(1), NOTE(i == 0 ? "0" : "1"), &timers[i]));
        assert_int_equal(0, tr_interval_start(a, TR_MS(1), NOTE("2"), &timers[2]));
        counted_memory_fail(1, true);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(0, tr_timer_refresh(a, timers[i % 3]));
        counted_memory_fail(0, false);
    }
    run_timers(1);
    assert_heard("1 2 0");
    IN_TURN(a)
    tr_timer_clear(a, timers[2]);
}

static void on_missed(tr_actor *self, void *missed)
{
    *(uint64_t *)missed += 100 + tr_interval_missed(self);
}

static void an_interval_knows_what_it_has_missed(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    uint64_t missed = 0;
    IN_TURN(a)
    assert_int_equal(0, tr_interval_start(a, TR_MS(1), on_missed, &missed, NULL));
    run_timers(1);
    assert_int_equal(100, missed);
    tr__sim_run_for(stage.sim, TR_US(4500)); // from the second period's end on
    stage_step();
    assert_int_equal(204, missed);
    stage_step();
    assert_int_equal(304, missed);
    IN_TURN(a)
    assert_int_equal(0, tr_interval_missed(a));
}

static void timers_without_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        tr_actor *a = stage_actor("a");
        IN_TURN(a)
        {
            counted_memory_fail(nth, false);
            int rc = tr_timer_start(a, 1, NOTE("timer"), NULL);
            failed = counted_memory_failed();
            counted_memory_fail(0, false);
            assert_int_equal(failed ? TR_ENOMEM : 0, rc);
        }
        run_timers(1);
        assert_heard(failed ? "" : "timer");
        stage_teardown(NULL);
        stage_setup(NULL);
    }
}

// ---- The runtime's own timers ----

static tr__timer own;
static bool own_was_in_a_turn;

static void own_fire(tr__timer *timer)
{
    own_was_in_a_turn |= stage.loop->current != NULL;
    fired_at[fired++] = now();
    if (fired < 3)
        tr__timer_arm(stage.loop, timer, now()); // for the next phase
}

static void a_timer_of_the_runtime_fires_outside_of_turns_once_a_phase(void **state)
{
    (void)state;
    fired = own_was_in_a_turn = 0;
    own = (tr__timer){.fire = own_fire};
    assert_int_equal(0, tr__timer_arm(stage.loop, &own, now() + TR_S(9)));
    assert_int_equal(0, tr__timer_arm(stage.loop, &own, now() + TR_MS(1))); // moved
    stage_step();
    for (int i = 1; i <= 3; i++) {
        stage_step();
        assert_int_equal(i, fired);
    }
    assert_false(own_was_in_a_turn);
}

static void a_timer_of_the_runtime_can_be_disarmed_at_any_time(void **state)
{
    (void)state;
    own = (tr__timer){.fire = own_fire};
    tr__timer_disarm(stage.loop, &own);
    assert_int_equal(0, tr__timer_arm(stage.loop, &own, now()));
    tr__timer_disarm(stage.loop, &own);
    tr__timer_disarm(stage.loop, &own);
    fired = 0;
    stage_run();
    assert_int_equal(0, fired);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_TEST(a_timer_fires_exactly_when_it_is_due),
        STAGE_TEST(an_interval_keeps_its_schedule_to_the_nanosecond),
        STAGE_TEST(an_interval_skips_what_it_has_missed),
        TR_TEST(timers_end_with_their_actor),
        TR_TEST(delays_have_a_limit),
        STAGE_TEST(an_old_handle_clears_nothing),
        STAGE_TEST(any_timers_fire_in_one_order),
        STAGE_TEST(a_timer_may_start_itself_again),
        STAGE_TEST(to_refresh_takes_no_memory),
        STAGE_TEST(an_interval_knows_what_it_has_missed),
        STAGE_TEST(timers_without_memory),
        STAGE_TEST(a_timer_of_the_runtime_fires_outside_of_turns_once_a_phase),
        STAGE_TEST(a_timer_of_the_runtime_can_be_disarmed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
