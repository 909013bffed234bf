// Signals of the process as actors hear of them, on the simulated machine.
#include <signal.h>
#include <troupe/signal.h>

#include "stage.h"
#include "support/counted_memory.h"

static void on_signal(tr_actor *self, int signum, void *arg)
{
    char word[64];
    (void)arg;
    snprintf(word, sizeof word, "%s!%d", player_of(self)->name, signum == SIGUSR1 ? 1 : 2);
    note(word);
}

static void on_signal_stop(tr_actor *self, int signum, void *arg)
{
    on_signal(self, signum, NULL);
    tr_signal_stop(self, *(tr_signal *)arg);
}

static void send_signal(int signum)
{
    assert_int_equal(0, tr__sim_signal(stage.sim, tr__sim_pid(stage.loop->world), signum));
    for (int i = 0; i < 8; i++) // to each listener at its own time
        stage_step();
    stage_run();
}

static tr_signal listen_to(tr_actor *actor, int signum)
{
    tr_signal handle = {0};
    IN_TURN(actor)
    assert_int_equal(0, tr_signal_start(actor, signum, on_signal, NULL, &handle));
    assert_true(handle.id != 0);
    return handle;
}

static void an_actor_hears_of_its_signal_until_it_stops(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_signal one = listen_to(a, SIGUSR1), two = listen_to(a, SIGUSR2);
    send_signal(SIGUSR1);
    assert_heard("a!1");
    send_signal(SIGUSR2);
    assert_heard("a!2");
    send_signal(SIGUSR1);
    assert_heard("a!1");
    IN_TURN(a)
    {
        tr_signal_stop(a, two);
        tr_signal_stop(a, two);
        tr_signal_stop(a, (tr_signal){0});
    }
    send_signal(SIGUSR1);
    assert_heard("a!1");
    IN_TURN(a)
    tr_signal_stop(a, one);
}

static void a_callback_may_stop_its_listener(void **state)
{
    (void)state;
    tr_signal handle = {0};
    tr_actor *a = stage_actor("a");
    listen_to(a, SIGUSR1);
    IN_TURN(a)
    assert_int_equal(0, tr_signal_start(a, SIGUSR1, on_signal_stop, &handle, &handle));
    send_signal(SIGUSR1);
    assert_heard("a!1 a!1");
    send_signal(SIGUSR1);
    assert_heard("a!1");
}

static void a_listener_ends_with_its_actor_and_is_nobody_elses(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_signal of_a = listen_to(a, SIGUSR1);
    listen_to(b, SIGUSR1);
    IN_TURN(b)
    tr_signal_stop(b, of_a);
    stage_exit(a, TR_NORMAL);
    assert_heard("a:stop=normal");
    send_signal(SIGUSR1);
    assert_heard("b!1");
    stage_exit(b, TR_NORMAL);
    assert_heard("b:stop=normal");
}

// An actor that ends in the poll in which the signal comes to it does not hear of it any more.
static void on_signal_exit(tr_actor *self, int signum, void *arg)
{
    on_signal(self, signum, arg);
    tr_exit(self, TR_NORMAL);
}

static void one_that_ends_hears_nothing_more(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        assert_int_equal(0, tr_signal_start(a, SIGUSR1, on_signal_exit, NULL, NULL));
        assert_int_equal(0, tr_signal_start(a, SIGUSR1, on_signal_exit, NULL, NULL));
    }
    tr__sim_set_delay(stage.sim, 0);
    send_signal(SIGUSR1);
    assert_heard("a!1 a:stop=normal");
}

static int start_and_listen(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_signal_start(self, SIGUSR1, on_signal, NULL, NULL);
}

static void stop_and_note(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    note("ended");
}

static void a_listener_does_not_keep_one_that_ends_when_idle(void **state)
{
    (void)state;
    static const tr_behavior listener = {
        .name = "listener", .start = start_and_listen, .stop = stop_and_note};
    assert_int_equal(0, tr_node_spawn(stage.node, &listener, TR_SPAWN(.until_idle = true), NULL));
    stage_run();
    assert_heard("ended");
}

static void what_cannot_be_heard_is_refused(void **state)
{
    (void)state;
    static const int none[] = {0,      -1,     SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,
                               SIGFPE, SIGILL, SIGTRAP, SIGSYS,  SIGABRT};
    tr_actor *a = stage_actor("a");
    tr_signal handle = {0};
    IN_TURN(a)
    {
        for (size_t i = 0; i < sizeof none / sizeof *none; i++)
            assert_int_equal(TR_EINVAL, tr_signal_start(a, none[i], on_signal, NULL, &handle));
        assert_int_equal(TR_EINVAL, tr_signal_start(a, SIGUSR1, NULL, NULL, &handle));
    }
    assert_int_equal(TR_EINVAL, tr_signal_start(a, SIGUSR1, on_signal, NULL, &handle));
    assert_int_equal(TR_EINVAL, tr_signal_start(NULL, SIGUSR1, on_signal, NULL, &handle));
    tr_signal_stop(a, handle);
    tr_signal_stop(NULL, handle);
    assert_int_equal(0, handle.id);
}

static void without_memory_there_is_no_listener(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    for (size_t nth = 1; nth <= 3; nth++) {
        tr_signal handle = {0};
        int rc = 0;
        counted_memory_fail(nth, false);
        IN_TURN(a)
        rc = tr_signal_start(a, SIGUSR1, on_signal, NULL, &handle);
        counted_memory_fail(0, false);
        assert_true(rc == TR_ENOMEM || (rc == 0 && handle.id != 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(an_actor_hears_of_its_signal_until_it_stops),
        STAGE_TEST(a_callback_may_stop_its_listener),
        STAGE_TEST(a_listener_ends_with_its_actor_and_is_nobody_elses),
        STAGE_TEST(one_that_ends_hears_nothing_more),
        STAGE_TEST(a_listener_does_not_keep_one_that_ends_when_idle),
        STAGE_TEST(what_cannot_be_heard_is_refused),
        STAGE_TEST(without_memory_there_is_no_listener),
    };
    return cmocka_run_group_tests_name("core/signal", tests, NULL, NULL);
}
