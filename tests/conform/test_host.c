// Nodes on a libuv loop of the host's, which has handles of its own.
#include <pthread.h>
#include <signal.h>
#include <troupe.h>
#include <unistd.h>
#include <uv.h>

#include "support/cmocka.h"

static struct {
    uv_loop_t loop;
    uv_timer_t ticker;
    unsigned ticks;
    void (*on_tick)(void);
    tr_node *node;
    unsigned ended;
    int status;
    unsigned answers;
} host;

// ---- Actors ----

static int echo_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, tr_msg_body(msg));
}

static const tr_behavior echo = {.name = "echo", .receive = echo_receive};

// Asks an echo of each isolation, again and again, with a timer between.
#define ANSWERS 30u

static tr_addr echoes[TR_PROCESS + 1];

static void on_ask(tr_actor *self, void *arg);

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (answer->status < 0)
        tr_exit(self, answer->status);
    else if (++host.answers == ANSWERS)
        tr_exit(self, TR_NORMAL);
    else
        tr_timer_start(self, TR_US(100), on_ask, NULL, NULL);
}

static void on_ask(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = tr_ask(self, echoes[host.answers % 3], "echo", TR_V(1), NULL, NULL, on_answer, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static int asker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = 0;
    for (int i = TR_SHARED; rc == 0 && i <= TR_PROCESS; i++)
        rc = tr_spawn(self, &echo, TR_SPAWN(.isolation = (tr_isolation)i, .placement = TR_SPREAD),
                      &echoes[i]);
    on_ask(self, NULL);
    return rc;
}

static const tr_behavior asker = {.name = "asker", .start = asker_start};

static void on_immediate(tr_actor *self, void *arg)
{
    tr_immediate(self, on_immediate, arg);
}

static int busy_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_immediate(self, on_immediate, NULL);
}

static const tr_behavior busy = {.name = "busy", .start = busy_start};
static const tr_behavior lazy = {.name = "lazy"};

static int failing_start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    return TR_EIO;
}

static const tr_behavior failing = {.name = "failing", .start = failing_start};

static const tr_behavior *const behaviors[] = {&asker, &echo};
static const tr_app app = {behaviors, 2};

// ---- The host ----

static void on_ended(tr_node *node, int status, void *arg)
{
    assert_ptr_equal(&host, arg);
    assert_ptr_equal(host.node, node);
    host.ended++;
    host.status = status;
    uv_timer_stop(&host.ticker);
}

static void on_ticker(uv_timer_t *timer)
{
    (void)timer;
    host.ticks++;
    if (host.on_tick != NULL)
        host.on_tick();
}

static int setup(void **state)
{
    (void)state;
    memset(&host, 0, sizeof host);
    assert_int_equal(0, uv_loop_init(&host.loop));
    assert_int_equal(0, uv_timer_init(&host.loop, &host.ticker));
    assert_int_equal(0, uv_timer_start(&host.ticker, on_ticker, 1, 1));
    assert_int_equal(0, tr_node_open(TR_NODE(.app = &app, .loops = 2), &host.node));
    assert_int_equal(0, tr_node_attach(host.node, &host.loop, on_ended, &host));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr_node_close(&host.node);
    uv_close((uv_handle_t *)&host.ticker, NULL);
    uv_run(&host.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&host.loop); // nothing is left
}

static void spawn(const tr_behavior *behavior)
{
    assert_int_equal(0, tr_node_spawn(host.node, behavior, NULL, NULL));
}

static void run(void)
{
    assert_int_equal(0, uv_run(&host.loop, UV_RUN_DEFAULT));
}

// ---- Tests ----

static void a_node_runs_beside_the_host_s_handles(void **state)
{
    (void)state;
    spawn(&asker);
    run();
    assert_int_equal(ANSWERS, host.answers);
    assert_int_equal(1, host.ended);
    assert_int_equal(0, host.status);
    assert_true(host.ticks > 0);
}

static void stop_at_the_tenth(void)
{
    if (host.ticks == 10)
        tr_node_stop(host.node);
}

static void a_node_and_its_host_starve_neither(void **state)
{
    (void)state;
    static const tr_behavior *const kinds[] = {&busy, &lazy};
    for (size_t i = 0; i < 2; i++) {
        setup(NULL);
        spawn(kinds[i]);
        host.on_tick = stop_at_the_tenth;
        run();
        assert_int_equal(1, host.ended);
        assert_int_equal(0, host.status);
        assert_true(host.ticks >= 10);
        assert_int_equal(0, teardown(NULL));
    }
}

static void spawn_one_more(void)
{
    if (host.ticks == 5)
        spawn(&failing);
    if (host.ticks == 10)
        tr_node_stop(host.node);
}

static void the_host_may_spawn_while_the_node_waits(void **state)
{
    (void)state;
    spawn(&lazy);
    host.on_tick = spawn_one_more;
    run();
    assert_int_equal(1, host.ended);
    assert_int_equal(TR_EIO, host.status);
}

static void close_in_the_midst(void)
{
    if (host.ticks < 3)
        return;
    tr_node_close(&host.node);
    uv_timer_stop(&host.ticker);
}

static void a_node_may_be_closed_in_the_midst(void **state)
{
    (void)state;
    spawn(&asker);
    spawn(&busy);
    host.on_tick = close_in_the_midst;
    run();
    assert_int_equal(0, host.ended);
    assert_null(host.node);
}

static void *stopper(void *arg)
{
    (void)arg;
    tr_node_stop(host.node);
    return NULL;
}

static void another_thread_stops_a_node_that_waits(void **state)
{
    (void)state;
    pthread_t thread;
    spawn(&lazy);
    uv_timer_stop(&host.ticker);
    for (int i = 0; i < 10; i++)
        uv_run(&host.loop, UV_RUN_NOWAIT);
    assert_int_equal(0, pthread_create(&thread, NULL, stopper, NULL));
    run();
    pthread_join(thread, NULL);
    assert_int_equal(1, host.ended);
}

static void on_signal(tr_actor *self, int signum, void *arg)
{
    (void)signum, (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int listening_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_signal_start(self, SIGUSR1, on_signal, NULL, NULL);
}

static const tr_behavior listening = {.name = "listening", .start = listening_start};

static void *signaller(void *arg)
{
    (void)arg;
    kill(getpid(), SIGUSR1);
    return NULL;
}

static void a_signal_reaches_a_node_that_waits(void **state)
{
    (void)state;
    pthread_t thread;
    spawn(&listening);
    uv_timer_stop(&host.ticker);
    for (int i = 0; i < 10; i++)
        uv_run(&host.loop, UV_RUN_NOWAIT);
    assert_int_equal(0, pthread_create(&thread, NULL, signaller, NULL));
    run();
    pthread_join(thread, NULL);
    assert_int_equal(1, host.ended);
    assert_int_equal(0, host.status);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    assert_int_equal(TR_EINVAL, tr_node_attach(NULL, &host.loop, NULL, NULL));
    assert_int_equal(TR_EINVAL, tr_node_attach(host.node, NULL, NULL, NULL));
    assert_int_equal(TR_EINVAL, tr_node_attach(host.node, &host.loop, NULL, NULL));
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_node_runs_beside_the_host_s_handles),
        cmocka_unit_test(a_node_and_its_host_starve_neither),
        TEST(the_host_may_spawn_while_the_node_waits),
        TEST(a_node_may_be_closed_in_the_midst),
        TEST(another_thread_stops_a_node_that_waits),
        TEST(a_signal_reaches_a_node_that_waits),
        TEST(bad_arguments_are_refused),
    };
    if (tr_is_child())
        return tr_main(argc, argv, &app);
    tr_log_set(warn_nobody, NULL);
    return cmocka_run_group_tests_name("conform/host", tests, NULL, NULL);
}
