// When a wake sends and when it only leaves word; tests/conform has what every world owes.
#include "support/cmocka.h"
#include "uv/inside.h"

static int setup(void **state)
{
    return tr__uv_open((tr_world **)state);
}

static int teardown(void **state)
{
    tr_world *world = *state;
    world->ops->close(&world);
    return 0;
}

static bool sent(const struct real_world *world)
{
    return world->async.pending != 0;
}

static void test_a_wake_sends_to_a_world_that_sleeps(void **state)
{
    struct real_world *world = *state;
    world->base.ops->wake(&world->base);
    assert_false(sent(world));
    world->base.ops->poll(&world->base, TR__NEVER);
    atomic_store(&world->asleep, true);
    world->base.ops->wake(&world->base);
    assert_true(sent(world));
}

// Goal:   what was sent for a wake that has been taken already ends no other poll.
// Method: the wake is taken by hand.
static void test_a_late_send_means_nothing(void **state)
{
    struct real_world *world = *state;
    atomic_store(&world->asleep, true);
    world->base.ops->wake(&world->base);
    assert_true(tr__uv_woken(world));
    assert_false(tr__uv_woken(world));
    uint64_t due = tr__uv_now(&world->base) + 1000000;
    world->base.ops->poll(&world->base, due);
    assert_false(sent(world));
    assert_true(tr__uv_now(&world->base) >= due);
}

static void test_a_world_that_has_something_to_tell_does_not_sleep(void **state)
{
    struct real_world *world = *state;
    atomic_store(&world->asleep, true);
    real_world_stir(world);
    world->base.ops->wake(&world->base);
    assert_false(sent(world));
    world->base.ops->poll(&world->base, 0);
    world->base.ops->poll(&world->base, tr__uv_now(&world->base) + 1000000);
    assert_false(atomic_load(&world->asleep)); // nor after its sleep
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_wake_sends_to_a_world_that_sleeps),
        TEST(test_a_late_send_means_nothing),
        TEST(test_a_world_that_has_something_to_tell_does_not_sleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
