// When the world polls before it sleeps: tests look at what it has learned. The clock is theirs,
// and so is what giving the core away costs, for what others do on this machine is not to be
// learned.
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "uv/inside.h"

static uint64_t clock_ns = 1000000000;
static bool crowded; // others take the core when it is given away

// These two stand in for the system's. Each look at the clock takes 100 ns.
int clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    (void)clock;
    clock_ns += 100;
    *ret_time = (struct timespec){(time_t)(clock_ns / 1000000000), (long)(clock_ns % 1000000000)};
    return 0;
}

int sched_yield(void)
{
    clock_ns += crowded ? 50000 : 300;
    return 0;
}

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

static void learn(struct real_world *world, bool stirred, uint64_t waited)
{
    world->stirred = stirred;
    tr__uv_spin_learn(world, waited);
    world->stirred = false;
}

static bool spin(struct real_world *world)
{
    return tr__uv_spin(world, tr__uv_now(&world->base), TR__NEVER);
}

static void test_only_short_waits_lead_to_a_spin(void **state)
{
    struct real_world *world = *state;
    assert_false(spin(world));
    assert_int_equal(1, world->spin.patience); // there was none
    learn(world, true, 1000000);
    learn(world, false, 1000);
    assert_false(spin(world));
    assert_int_equal(1, world->spin.patience);
    learn(world, true, 1000);
    assert_false(spin(world));
    assert_int_equal(2, world->spin.patience); // there was one, for nothing
}

static void test_spins_for_nothing_become_rare(void **state)
{
    struct real_world *world = *state;
    int spins = 0;
    for (int i = 0; i < 127 + 3 * 64; i++) {
        unsigned shorts;
        learn(world, true, 1000);
        shorts = world->spin.shorts;
        assert_false(spin(world));
        spins += world->spin.shorts < shorts;
    }
    assert_int_equal(7 + 3, spins); // after 1, 2, 4 ... 64, and then every 64 waits
}

static void test_a_spin_that_paid_makes_the_next_one_likely(void **state)
{
    struct real_world *world = *state;
    world->spin.patience = world->spin.shorts = 64;
    world->base.ops->wake(&world->base);
    assert_true(spin(world));
    assert_int_equal(1, world->spin.patience);
    assert_int_equal(1, world->spin.wins); // without libuv
}

// Goal:   where the core does not come back soon it is hardly ever given away.
static void test_a_spin_that_loses_the_core_is_the_last_for_long(void **state)
{
    struct real_world *world = *state;
    crowded = true;
    for (unsigned patience = 1; patience < 65536; patience *= 16) {
        assert_int_equal(patience, world->spin.patience);
        world->spin.shorts = patience;
        assert_false(spin(world));
        assert_int_equal(0, world->spin.shorts);
    }
    crowded = false;
    assert_int_equal(65536, world->spin.patience);
    world->spin.shorts = 65536;
    world->base.ops->wake(&world->base);
    assert_true(spin(world));
    assert_int_equal(1, world->spin.patience);
}

static void test_a_spin_ends_when_due_has_come(void **state)
{
    struct real_world *world = *state;
    learn(world, true, 1000);
    uint64_t start = tr__uv_now(&world->base);
    assert_true(tr__uv_spin(world, start, start + 1000));
    assert_true(tr__uv_now(&world->base) >= start + 1000);
}

static bool hot_readable(void *owner)
{
    (void)owner;
    return true; // it says
}

static bool cold_readable(void *owner)
{
    *(bool *)owner = true;
    return false;
}

static void nothing(void *owner)
{
    (void)owner;
}

static const tr_endpoint_up hot_up = {.readable = hot_readable, .closed = nothing};
static const tr_endpoint_up cold_up = {.readable = cold_readable, .closed = nothing};

static int readable_endpoint(tr_world *world, const tr_endpoint_up *up, void *owner)
{
    int ends[2];
    tr_endpoint *endpoint;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(0, tr__uv_adopt(world, ends[0], &endpoint));
    assert_int_equal(1, write(ends[1], "x", 1));
    world->ops->endpoint_bind(endpoint, up, owner);
    world->ops->endpoint_want(endpoint, TR__READ);
    return ends[1];
}

// Goal:   an endpoint that wins every spin does not keep the others from being heard.
// Method: one that always says it has moved bytes, and another one.
static void test_a_hot_endpoint_does_not_starve_the_others(void **state)
{
    struct real_world *world = *state;
    tr_world *base = &world->base;
    bool heard = false;
    int hot = readable_endpoint(base, &hot_up, NULL);
    base->ops->poll(base, 0);
    assert_non_null(world->spin.hot);
    world->spin.shorts = 1;
    int cold = readable_endpoint(base, &cold_up, &heard);
    int polls = 0;
    do {
        base->ops->poll(base, TR__NEVER);
        polls++;
    } while (!heard && polls < 100);
    assert_int_equal(16, polls);
    close(hot);
    close(cold);
}

static void test_wakes_do_not_starve_endpoints(void **state)
{
    struct real_world *world = *state;
    tr_world *base = &world->base;
    bool heard = false;
    int cold = readable_endpoint(base, &cold_up, &heard);
    world->spin.shorts = 1;
    int spins = 0;
    do {
        base->ops->wake(base);
        assert_true(spin(world));
        spins++;
    } while (!heard && spins < 100);
    assert_int_equal(16, spins);
    close(cold);
}

// Is hot; then it takes longer than a spin, and wakes its world.
static bool late_readable(void *owner)
{
    struct real_world *world = owner;
    if (world->spin.hot == NULL)
        return true;
    uint64_t until = tr__uv_now(&world->base) + 100000;
    while (tr__uv_now(&world->base) < until)
        continue;
    world->base.ops->wake(&world->base);
    return false;
}

// Goal:   a wake after the last look of a spin is seen before the world sleeps.
static void test_a_wake_as_the_spin_ends_is_heard(void **state)
{
    static const tr_endpoint_up late_up = {.readable = late_readable, .closed = nothing};
    struct real_world *world = *state;
    tr_world *base = &world->base;
    char byte;
    int other = readable_endpoint(base, &late_up, world);
    base->ops->poll(base, 0);
    tr_iov iov = {&byte, 1};
    assert_int_equal(1, base->ops->endpoint_read(&world->spin.hot->base, &iov, 1));
    world->spin.shorts = 1;
    uint64_t far = tr__uv_now(base) + 20000000000;
    base->ops->poll(base, far);
    assert_int_equal(2, world->spin.patience); // the spin was over
    assert_true(tr__uv_now(base) < far);
    close(other);
}

static void test_an_endpoint_that_is_not_wanted_is_not_hot(void **state)
{
    struct real_world *world = *state;
    tr_world *base = &world->base;
    int hot = readable_endpoint(base, &hot_up, NULL);
    base->ops->poll(base, 0);
    struct real_endpoint *endpoint = world->spin.hot;
    assert_non_null(endpoint);
    base->ops->endpoint_want(&endpoint->base, 0);
    assert_null(world->spin.hot);
    base->ops->endpoint_want(&endpoint->base, TR__READ);
    base->ops->poll(base, 0);
    assert_ptr_equal(endpoint, world->spin.hot);
    base->ops->endpoint_close(&endpoint->base);
    assert_null(world->spin.hot);
    close(hot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_short_waits_lead_to_a_spin),
        TEST(test_spins_for_nothing_become_rare),
        TEST(test_a_spin_that_paid_makes_the_next_one_likely),
        TEST(test_a_spin_that_loses_the_core_is_the_last_for_long),
        TEST(test_a_spin_ends_when_due_has_come),
        TEST(test_a_hot_endpoint_does_not_starve_the_others),
        TEST(test_wakes_do_not_starve_endpoints),
        TEST(test_a_wake_as_the_spin_ends_is_heard),
        TEST(test_an_endpoint_that_is_not_wanted_is_not_hot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
