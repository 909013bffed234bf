// The real world's ears: what they leave behind, and signals to threads and to worlds that come and
// go.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <troupe/error.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "uv/uv.h"

static atomic_uint by_hand;

static void handle_by_hand(int signum)
{
    (void)signum;
    atomic_fetch_add(&by_hand, 1);
}

static void heard(void *owner)
{
    ++*(unsigned *)owner;
}

static const tr_ear_up up = {.heard = heard};

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static tr_ear *listen_to(tr_world *world, int signum, unsigned *count)
{
    tr_ear *ear = NULL;
    assert_int_equal(0, world->ops->hear(world, signum, &up, count, &ear));
    return ear;
}

// Goal:   what a signal did before is what it does after the last ear, whichever closes last.
static void what_was_there_before_is_put_back(void **state)
{
    (void)state;
    tr_world *a = open_world(), *b = open_world();
    unsigned count = 0;
    by_hand = 0;
    signal(SIGUSR1, handle_by_hand);
    tr_ear *one = listen_to(a, SIGUSR1, &count), *two = listen_to(b, SIGUSR1, &count);
    raise(SIGUSR1);
    a->ops->poll(a, 0);
    b->ops->poll(b, 0);
    assert_int_equal(2, count);
    a->ops->ear_close(&one);
    raise(SIGUSR1);
    assert_int_equal(0, by_hand);
    b->ops->close(&b); // with the last one
    (void)two;
    raise(SIGUSR1);
    assert_int_equal(1, by_hand);
    signal(SIGUSR1, SIG_DFL);
    a->ops->close(&a);
}

static void a_handler_that_came_later_is_left_alone(void **state)
{
    (void)state;
    tr_world *world = open_world();
    unsigned count = 0;
    by_hand = 0;
    tr_ear *ear = listen_to(world, SIGUSR1, &count);
    signal(SIGUSR1, handle_by_hand);
    world->ops->ear_close(&ear);
    raise(SIGUSR1);
    assert_int_equal(1, by_hand);
    signal(SIGUSR1, SIG_DFL);
    world->ops->close(&world);
}

static void what_the_system_keeps_is_an_error(void **state)
{
    (void)state;
    tr_world *world = open_world();
    tr_ear *ear = NULL;
    static const int none[] = {SIGKILL, SIGSTOP, 32, 65, 1000};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(TR_EINVAL, world->ops->hear(world, none[i], &up, NULL, &ear));
    assert_null(ear);
    world->ops->close(&world);
}

#define ROUNDS 200

static atomic_bool storm_over;

static void *storm(void *arg)
{
    (void)arg;
    while (!atomic_load(&storm_over))
        kill(getpid(), SIGUSR1);
    return NULL;
}

// Goal:   a world can go while signals come, on whichever thread.
// Method: worlds that open an ear and close, one after the other, in a storm from another thread.
static void worlds_come_and_go_in_a_storm(void **state)
{
    (void)state;
    pthread_t thread;
    unsigned count = 0;
    tr_world *stays = open_world();
    listen_to(stays, SIGUSR1, &count);
    atomic_store(&storm_over, false);
    assert_int_equal(0, pthread_create(&thread, NULL, storm, NULL));
    for (int i = 0; i < ROUNDS; i++) {
        unsigned got = 0;
        tr_world *world = open_world();
        tr_ear *ear = listen_to(world, SIGUSR1, &got);
        while (got == 0)
            world->ops->poll(world, world->ops->now(world) + 1000000);
        if (i % 2 == 0)
            world->ops->ear_close(&ear);
        world->ops->close(&world);
    }
    atomic_store(&storm_over, true);
    pthread_join(thread, NULL);
    stays->ops->poll(stays, 0);
    assert_true(count > 0);
    stays->ops->close(&stays);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_before_is_put_back),
        cmocka_unit_test(a_handler_that_came_later_is_left_alone),
        cmocka_unit_test(what_the_system_keeps_is_an_error),
        cmocka_unit_test(worlds_come_and_go_in_a_storm),
    };
    return cmocka_run_group_tests_name("uv/signal", tests, NULL, NULL);
}
