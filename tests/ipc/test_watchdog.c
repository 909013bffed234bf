// Real handlers that do not return, and slow ones with a timer beside them.
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/ipc.h"

#define LIMIT_MS 20u

// ---- A handler that spins until it has been named twice ----

static struct {
    char what[2][64];
    uint64_t ms[2];
    int count; // the watchdog's thread
    atomic_bool enough;
} stuck;

static void on_stuck(const tr_stuck *now, void *arg)
{
    if (TR_CHECK(arg == &stuck) && stuck.count < 2) {
        snprintf(stuck.what[stuck.count], sizeof stuck.what[0], "%s/%s", now->behavior,
                 now->message);
        stuck.ms[stuck.count++] = now->ms;
    }
    atomic_store(&stuck.enough, stuck.count == 2);
}

static int spinner_receive(tr_actor *self, const tr_msg *msg)
{
    if (!tr_msg_is(msg, "spin"))
        return TR_EUNKNOWN;
    while (!atomic_load(&stuck.enough))
        sched_yield();
    return tr_send(self, tr_parent(self), "over", TR_NULL);
}
static const tr_behavior spinner = {.name = "spinner", .receive = spinner_receive};

static int spawner_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &spinner, TR_SPAWN(.isolation = TR_THREAD), &addr);
    return rc < 0 ? rc : tr_send(self, addr, "spin", TR_NULL);
}

static int spawner_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "over") ? tr_exit(self, TR_NORMAL) : TR_EUNKNOWN;
}
static const tr_behavior spawner = {
    .name = "spawner", .start = spawner_start, .receive = spawner_receive};

static void run(const tr_node_opts *opts, const tr_behavior *first)
{
    tr_node *node = NULL;
    assert_int_equal(0, tr_node_open(opts, &node));
    assert_int_equal(0, tr_node_spawn(node, first, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    tr_node_close(&node);
}

// Whichever way the watchdog was asked for.
static void run_spinner(uint32_t watchdog_ms)
{
    memset(&stuck, 0, sizeof stuck);
    run(TR_NODE(.loops = 1, .watchdog_ms = watchdog_ms, .stuck = on_stuck, .stuck_arg = &stuck),
        &spawner);
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal("spinner/spin", stuck.what[i]);
        assert_true(stuck.ms[i] >= LIMIT_MS << i);
    }
}

static void a_handler_that_spins_is_named(void **state)
{
    (void)state;
    run_spinner(LIMIT_MS);
}

static void the_environment_can_ask_for_it(void **state)
{
    (void)state;
    assert_int_equal(0, setenv("TROUPE_WATCHDOG_MS", "20", 1));
    run_spinner(0);
    unsetenv("TROUPE_WATCHDOG_MS");
}

static char warned[256];

static void keep_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    snprintf(warned, sizeof warned, "%s: %s", id, text);
}

static void a_bad_environment_is_told_and_passed_over(void **state)
{
    (void)state;
    tr_node *node = NULL;
    size_t threads = tr_test_threads(getpid());
    assert_int_equal(0, setenv("TROUPE_WATCHDOG_MS", "20s", 1));
    tr_log_set(keep_warning, NULL);
    assert_int_equal(0, tr_node_open(NULL, &node));
    assert_int_equal(threads, tr_test_threads(getpid()));
    tr_node_close(&node);
    tr_log_set(NULL, NULL);
    unsetenv("TROUPE_WATCHDOG_MS");
    assert_string_equal("node.environment: TROUPE_WATCHDOG_MS=20s is no number of milliseconds",
                        warned);
}

// ---- A timer beside slow actors that always have mail ----

#define SLOW_ACTORS 10
#define SLOW_NS     TR_US(200)
#define TICK_NS     TR_MS(1)
#define TICKS       100

// A tick's period has 5 messages. When it is due the phase may have just begun: 5 more, and the
// turn in which its time is up, of 2 at most; and at each end of both one that is cut.
#define PER_TICK_MAX 14

static int slow_messages, most, ticks; // since the last tick, and between two ticks

static int slow_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t until = tr_now(self) + SLOW_NS;
    (void)msg;
    while (tr_now(self) < until)
        continue;
    slow_messages++;
    return tr_send(self, tr_self(self), "again", TR_NULL);
}

static int slow_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    for (int i = 0; i < 32; i++)
        TR_CHECK(tr_send(self, tr_self(self), "again", TR_NULL) == 0);
    return 0;
}
static const tr_behavior slow = {.name = "slow", .start = slow_start, .receive = slow_receive};

static void on_tick(tr_actor *self, void *arg)
{
    (void)arg;
    if (ticks++ > 0 && slow_messages > most) // the first one comes while they start
        most = slow_messages;
    slow_messages = 0;
    if (ticks == TICKS)
        tr_exit(self, TR_NORMAL);
}

static int ticker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    for (int i = 0; i < SLOW_ACTORS; i++)
        TR_CHECK(tr_spawn(self, &slow, NULL, NULL) == 0);
    return tr_interval_start(self, TICK_NS, on_tick, NULL, NULL);
}
static const tr_behavior ticker = {.name = "ticker", .start = ticker_start};

static void a_timer_is_not_late_beside_slow_actors(void **state)
{
    (void)state;
    slow_messages = most = ticks = 0;
    run(TR_NODE(.loops = 1), &ticker);
    assert_int_equal(TICKS, ticks);
    assert_in_range(most, 1, PER_TICK_MAX);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_handler_that_spins_is_named),
    TR_PROCESS_TEST(the_environment_can_ask_for_it),
    TR_PROCESS_TEST(a_bad_environment_is_told_and_passed_over),
    TR_PROCESS_TEST(a_timer_is_not_late_beside_slow_actors),
};
TR_TEST_MAIN("ipc/watchdog", TR_APP(&spawner), tests)
