// What is the real world's own about threads; tests/conform has what every world owes.
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "support/cmocka.h"
#include "uv/uv.h"

// What a thread finds out about itself.
struct self {
    tr_world *world;
    char name[16];
    sigset_t blocked;
};

static bool self_look(void *owner)
{
    struct self *self = owner;
    self->world->ops->poll(self->world, 0);
    pthread_getname_np(pthread_self(), self->name, sizeof self->name);
    pthread_sigmask(SIG_SETMASK, NULL, &self->blocked);
    return false;
}

static void self_run(struct self *self)
{
    static const tr_thread_up up = {.run = self_look};
    const tr_world_ops *ops = self->world->ops;
    assert_int_equal(0, ops->thread_start(self->world, &up, self));
    ops->thread_join(self->world);
}

static int setup(void **state)
{
    static struct self self;
    memset(&self, 0, sizeof self);
    *state = &self;
    return tr__uv_open(&self.world);
}

static int teardown(void **state)
{
    struct self *self = *state;
    self->world->ops->close(&self->world);
    return 0;
}

static void test_a_thread_has_our_name(void **state)
{
    struct self *self = *state;
    self_run(self);
    assert_string_equal("troupe", self->name);
}

static void test_a_thread_takes_no_signal_but_its_own_faults(void **state)
{
    static const int others[] = {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGUSR1, SIGALRM, SIGABRT};
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    struct self *self = *state;
    self_run(self);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(sigismember(&self->blocked, others[i]));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_false(sigismember(&self->blocked, own[i]));
}

static void test_who_starts_a_thread_keeps_its_own_signals(void **state)
{
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    self_run(*state);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int signal = 1; signal <= 31; signal++)
        assert_int_equal(sigismember(&before, signal), sigismember(&after, signal));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_thread_has_our_name),
        TEST(test_a_thread_takes_no_signal_but_its_own_faults),
        TEST(test_who_starts_a_thread_keeps_its_own_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
