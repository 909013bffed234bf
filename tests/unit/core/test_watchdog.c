// Callbacks that take too long, warned of afterwards, and that do not return, named by the
// watchdog. They spend virtual time, in which the simulated watchdog's thread has its steps.
#include "stage.h"

static char warned[4096]; // all warnings, one a line

static void keep_warning(const char *id, const char *text, void *arg)
{
    size_t used = strlen(warned);
    (void)arg;
    snprintf(warned + used, sizeof warned - used, "%s: %s\n", id, text);
}

static int setup(void **state)
{
    int rc = stage_setup(state);
    warned[0] = '\0';
    tr_log_set(keep_warning, NULL);
    return rc;
}

static size_t warnings(void)
{
    size_t count = 0;
    for (const char *at = warned; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

// The warnings are these, with the actor's id where they have %.
static void assert_warned(const tr_actor *actor, const char *format)
{
    char line[512];
    const char *id = strchr(format, '%');
    assert_non_null(id);
    snprintf(line, sizeof line, "%.*s%016llx%s\n", (int)(id - format), format,
             (unsigned long long)actor->id, id + 1);
    assert_string_equal(line, warned);
    warned[0] = '\0';
}

static void spend_ms(tr_actor *self, void *ms)
{
    (void)self;
    tr__sim_run_for(stage.sim, TR_MS((uintptr_t)ms));
}

static int receive_spending(tr_actor *self, const tr_msg *msg)
{
    uint64_t ms;
    assert_int_equal(0, tr_as_uint(tr_msg_body(msg), &ms));
    spend_ms(self, (void *)(uintptr_t)ms);
    return 0;
}

static tr_actor *spender(const char *name)
{
    tr_actor *actor = stage_actor(name);
    player_of(actor)->receive = receive_spending;
    return actor;
}

static void send(tr_actor *to, const char *name, int ms)
{
    IN_TURN(to)
    assert_int_equal(0, tr_send(to, tr_self(to), name, TR_V(ms)));
}

// ---- After the fact ----

static void a_slow_handler_is_warned_of(void **state)
{
    (void)state;
    tr_actor *a = spender("a");
    send(a, "fast", 1);
    send(a, "work", 250);
    stage_run();
    assert_warned(a, "actor.slow: actor=player id=% message=work ms=250");
}

static void what_is_slow_is_the_nodes_choice(void **state)
{
    (void)state;
    tr__node_budget(stage.node, TR_NODE(.slow_ms = 10));
    tr_actor *a = spender("a");
    send(a, "less", 9);
    stage_run();
    assert_int_equal(0, warnings());
    send(a, "work", 10);
    stage_run();
    assert_int_equal(1, warnings());
}

static void an_actor_is_warned_of_once_a_second(void **state)
{
    (void)state;
    tr_actor *a = spender("a"), *b = spender("b");
    for (int i = 0; i < 8; i++)
        send(a, "work", 110);
    stage_run();
    assert_int_equal(1, warnings());
    send(b, "work", 110);
    stage_run();
    assert_int_equal(2, warnings());
    tr__sim_run_for(stage.sim, TR_S(1));
    send(a, "work", 110);
    stage_run();
    assert_int_equal(3, warnings());
}

static void slow_callbacks_of_all_kinds_are_warned_of(void **state)
{
    (void)state;
    void *ms = (void *)(uintptr_t)150;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    assert_int_equal(0, tr_timer_start(a, 0, spend_ms, ms, NULL));
    stage_run();
    assert_warned(a, "actor.slow: actor=player id=% message=(timer) ms=150");
    tr__sim_run_for(stage.sim, TR_S(1));
    IN_TURN(a)
    assert_int_equal(0, tr_immediate(a, spend_ms, ms));
    stage_run();
    assert_warned(a, "actor.slow: actor=player id=% message=(immediate) ms=150");
    tr__sim_run_for(stage.sim, TR_S(1));
    IN_TURN(a)
    assert_int_equal(0, tr_on_writable(a, tr_self(a), spend_ms, ms));
    stage_run();
    assert_warned(a, "actor.slow: actor=player id=% message=(writable) ms=150");
}

static void stop_slowly(tr_actor *self)
{
    spend_ms(self, (void *)(uintptr_t)150);
}

static void a_slow_stop_is_warned_of(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), gone = *a;
    player_of(a)->stop = stop_slowly;
    stage_exit(a, TR_NORMAL);
    assert_warned(&gone, "actor.slow: actor=player id=% message=(stop) ms=150");
}

// Looked at after 1, 2 and 4 more messages: the last two by the end of the phase.
static void a_slow_one_among_fast_ones_is_found_when_it_happens_again(void **state)
{
    (void)state;
    tr_actor *a = spender("a"), *b = spender("b");
    for (int times = 0; times < 2; times++) {
        for (int i = 0; i < 3; i++)
            send(a, "fast", 0);
        send(b, "fast", 0);
        send(b, "work", 150);
        stage_run();
    }
    assert_non_null(strstr(warned, "loop.slow: loop=0 turns=2 ms=150\n"));
    assert_int_equal(2, warnings());
    memmove(warned, strchr(warned, '\n') + 1, strlen(strchr(warned, '\n')));
    assert_warned(b, "actor.slow: actor=player id=% message=work ms=150");
}

static void waiting_is_not_slow(void **state)
{
    (void)state;
    tr_actor *a = spender("a");
    for (int i = 0; i < 5; i++) {
        send(a, "fast", 0);
        stage_run();
        tr__sim_run_for(stage.sim, TR_S(1));
    }
    assert_int_equal(0, warnings());
}

// ---- While it lasts ----

static struct {
    tr_addr addr;
    uint64_t ms[8];
    char what[64];
    uint32_t loop;
    size_t count;
} stuck;

static void note_stuck(const tr_stuck *now, void *arg)
{
    assert_ptr_equal(&stuck, arg);
    assert_true(stuck.count < 8);
    stuck.addr = now->addr;
    stuck.loop = now->loop;
    stuck.ms[stuck.count++] = now->ms;
    snprintf(stuck.what, sizeof stuck.what, "%s/%s", now->behavior, now->message);
}

static void on_tick(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

// The ticks end the loop's waiting, where without a watchdog nothing would happen any more.
static void watch(uint32_t ms)
{
    tr_actor *ticking = stage_actor("t");
    IN_TURN(ticking)
    assert_int_equal(0, tr_interval_start(ticking, TR_MS(10), on_tick, NULL, NULL));
    memset(&stuck, 0, sizeof stuck);
    assert_int_equal(
        0, tr__watchdog_start(stage.node,
                              TR_NODE(.watchdog_ms = ms, .stuck = note_stuck, .stuck_arg = &stuck),
                              0));
    tr__node_budget(stage.node, TR_NODE(.slow_ms = 1000000));
    tr__sim_run_for(stage.sim, TR_MS(ms)); // it has looked at a loop that does nothing
    assert_int_equal(0, stuck.count);
}

static void a_handler_that_does_not_return_is_named(void **state)
{
    (void)state;
    tr_actor *a = spender("a");
    watch(100);
    send(a, "work", 130);
    stage_run();
    assert_int_equal(1, stuck.count);
    assert_true(tr_addr_eq(tr_self(a), stuck.addr));
    assert_string_equal("player/work", stuck.what);
    assert_int_equal(0, stuck.loop);
    assert_in_range(stuck.ms[0], 100, 125);
    assert_non_null(strstr(warned, "actor.stuck: actor=player id="));
    assert_non_null(strstr(warned, "message=work loop=0 ms=100"));
    assert_int_equal(1, warnings());
}

static void it_is_named_again_at_each_doubling(void **state)
{
    (void)state;
    tr_actor *a = spender("a");
    watch(100);
    send(a, "work", 1000);
    stage_run();
    assert_int_equal(4, stuck.count);
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(stuck.ms[i], 100u << i, (100u << i) + 25);
    send(a, "work", 130); // and anew
    stage_run();
    assert_int_equal(5, stuck.count);
    assert_in_range(stuck.ms[4], 100, 125);
}

static void short_turns_are_not_taken_for_a_long_one(void **state)
{
    (void)state;
    tr_actor *a = spender("a");
    watch(100);
    for (int i = 0; i < 100; i++)
        send(a, "work", 30);
    stage_run();
    assert_int_equal(0, stuck.count);
}

static void a_long_name_is_cut(void **state)
{
    (void)state;
    char name[TR_NAME_MAX + 1], expected[64];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(expected, sizeof expected, "player/%.32s", name);
    tr_actor *a = spender("a");
    watch(100);
    send(a, name, 130);
    stage_run();
    assert_string_equal(expected, stuck.what);
}

static void without_the_option_there_is_no_watchdog(void **state)
{
    (void)state;
    assert_int_equal(0, tr__watchdog_start(stage.node, TR_NODE(.stuck = note_stuck), 0));
    assert_null(stage.node->watchdog);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(a_slow_handler_is_warned_of),
        WATCH_TEST(what_is_slow_is_the_nodes_choice),
        WATCH_TEST(an_actor_is_warned_of_once_a_second),
        WATCH_TEST(slow_callbacks_of_all_kinds_are_warned_of),
        WATCH_TEST(a_slow_stop_is_warned_of),
        WATCH_TEST(a_slow_one_among_fast_ones_is_found_when_it_happens_again),
        WATCH_TEST(waiting_is_not_slow),
        WATCH_TEST(a_handler_that_does_not_return_is_named),
        WATCH_TEST(it_is_named_again_at_each_doubling),
        WATCH_TEST(short_turns_are_not_taken_for_a_long_one),
        WATCH_TEST(a_long_name_is_cut),
        WATCH_TEST(without_the_option_there_is_no_watchdog),
    };
    return cmocka_run_group_tests_name("core/watchdog", tests, NULL, NULL);
}
