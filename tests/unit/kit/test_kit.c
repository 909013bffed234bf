// What a test sees of an actor in the kit. That wrong expectations fail is test_failing.c's.
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"

// ---- The actor under test does what its messages say ----

static const tr_behavior helper = {.name = "helper"};

static void on_time(tr_actor *self, void *name)
{
    tr_send(self, tr_parent(self), name, TR_V(tr_now(self)));
}

static void on_tick(tr_actor *self, void *arg)
{
    (void)arg;
    tr_send(self, tr_parent(self), "tick", TR_NULL);
    tr_immediate(self, on_time, (void *)"immediate");
}

static int doer_start(tr_actor *self, const tr_val *args)
{
    return args->type == TR_TYPE_NULL ? 0 : tr_send(self, tr_parent(self), "started", *args);
}

static int send_back(tr_actor *self, const tr_msg *msg)
{
    tr_msg *copy = NULL;
    int rc = tr_msg_copy(msg, &copy);
    if (rc == 0)
        rc = tr_send_msg(self, tr_msg_from(msg), &copy);
    tr_msg_free(&copy);
    return rc;
}

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    tr_send(self, tr_parent(self), "answered",
            TR_MAP("status", answer->status, "body", answer->body));
}

static int do_with_address(tr_actor *self, const tr_msg *msg, tr_addr addr)
{
    if (tr_msg_is(msg, "monitor"))
        return tr_monitor(self, addr, NULL);
    if (tr_msg_is(msg, "stop"))
        return tr_stop(self, addr);
    if (tr_msg_is(msg, "kill"))
        return tr_kill(self, addr);
    if (tr_msg_is(msg, "ask"))
        return tr_ask(self, addr, "how", TR_V(1), TR_ASK(.timeout_ms = 100), NULL, on_answer, NULL);
    if (tr_msg_is(msg, "wait"))
        return tr_on_writable(self, addr, on_time, (void *)"room");
    return tr_send(self, tr_parent(self), "sent", TR_V(tr_send(self, addr, "hit", TR_NULL)));
}

static int do_with_number(tr_actor *self, const tr_msg *msg, int64_t number)
{
    if (tr_msg_is(msg, "timer"))
        return tr_timer_start(self, (uint64_t)number, on_time, (void *)"timer", NULL);
    if (tr_msg_is(msg, "interval"))
        return tr_interval_start(self, (uint64_t)number, on_time, (void *)"interval", NULL);
    if (tr_msg_is(msg, "spawn")) {
        tr_addr addr = TR_NOBODY;
        tr_isolation isolation = (tr_isolation)number;
        int rc = tr_spawn(self, &helper, TR_SPAWN(.isolation = isolation, .args = tr_msg_body(msg)),
                          &addr);
        return tr_send(self, tr_parent(self), "spawned", TR_MAP("rc", rc, "addr", addr));
    }
    return tr_msg_is(msg, "exit") ? tr_exit(self, (int)number) : (int)number;
}

static int doer_receive(tr_actor *self, const tr_msg *msg)
{
    static const char *const argv[] = {"-a", "b c", NULL};
    tr_addr addr;
    int64_t number;
    if (tr_msg_down(msg) != NULL)
        return tr_send(self, tr_parent(self), "told", tr_msg_body(msg));
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "back"))
        return send_back(self, msg);
    if (tr_msg_is(msg, "tick"))
        return tr_next_tick(self, on_tick, NULL);
    if (tr_msg_is(msg, "fork"))
        return tr_fork(self, "./other", TR_SPAWN(.argv = argv, .stop_ms = 7), NULL);
    if (tr_as_addr(tr_msg_body(msg), &addr) == 0)
        return do_with_address(self, msg, addr);
    if (tr_as_int(tr_msg_body(msg), &number) == 0)
        return do_with_number(self, msg, number);
    return TR_EUNKNOWN;
}

static void doer_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    tr_send(self, tr_parent(self), "stopped", TR_NULL);
}

static const tr_behavior doer = {
    .name = "doer", .start = doer_start, .receive = doer_receive, .stop = doer_stop};

// ---- Messages ----

static void a_start_sends_before_it_returns(void **state)
{
    (void)state;
    TR_START(&doer, TR_SPAWN(.args = TR_V(5)));
    TR_EXPECT(tr_kit_parent(), "started", TR_V(5));
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void a_reply_comes_back_to_the_probe_that_asked(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), b = tr_kit_probe("b"), actor = TR_START(&doer, NULL);
    TR_GIVE(actor, b, "echo", TR_LIST(1, "two"));
    TR_EXPECT_NOTHING(a);
    const tr_msg *msg = TR_TAKE(b);
    assert_true(tr_msg_is(msg, "echo"));
    assert_true(tr_addr_eq(actor, tr_msg_from(msg)));
    assert_string_equal("[1,\"two\"]", tr_msg_json(msg));
    TR_EXPECT_NOTHING(b);
}

static void messages_are_read_in_their_order(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    for (int i = 0; i < 3; i++)
        TR_GIVE(actor, a, "echo", TR_V(i));
    for (int i = 0; i < 3; i++)
        TR_EXPECT(a, "echo", TR_V(i));
}

static void buffers_go_with_their_message_both_ways(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    tr_buf *buf = NULL;
    tr_msg *msg = NULL;
    assert_int_equal(0, tr_buf_copy("xyz", 3, &buf));
    assert_int_equal(0, tr_msg_new("back", TR_NULL, &msg));
    assert_int_equal(0, tr_msg_attach(msg, &buf));
    TR_GIVE_MSG(actor, a, &msg);
    assert_null(msg);
    const tr_msg *back = TR_TAKE(a);
    assert_int_equal(1, tr_msg_buf_count(back));
    assert_memory_equal("xyz", tr_buf_data(tr_msg_buf(back, 0)), 3);
}

static void a_part_of_a_map_is_enough_where_that_is_asked_for(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    tr_val body = TR_MAP("n", 1, "in", TR_MAP("x", 1.5, "y", "z"), "l", TR_LIST(TR_MAP("p", 1)));
    TR_GIVE(actor, a, "echo", body);
    TR_EXPECT_LIKE(a, "echo", TR_MAP("in", TR_MAP("y", "z"), "l", TR_LIST(TR_EMPTY_MAP)));
    TR_GIVE(actor, a, "echo", body);
    TR_EXPECT(a, "echo",
              TR_MAP("l", TR_LIST(TR_MAP("p", 1)), "in", TR_MAP("y", "z", "x", 1.5), "n", 1));
}

static void what_nobody_takes_is_a_dead_letter(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    TR_GIVE(actor, TR_NOBODY, "what", TR_NULL);
    assert_int_equal(1, tr_kit_dead_letters());
    TR_GIVE(actor, TR_NOBODY, "echo", TR_NULL);
    assert_int_equal(2, tr_kit_dead_letters());
}

// ---- Asks ----

static void an_ask_is_answered_by_the_actor(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    TR_GIVE_ASK(actor, a, "echo", TR_V("x"));
    TR_EXPECT(a, "answer", TR_V("x"));
    TR_GIVE_ASK(actor, a, "what", TR_NULL);
    TR_EXPECT(a, "error", TR_V((int)TR_EUNKNOWN));
}

// Goal:   each way in which an ask of the actor's can end can be tested.
// Method: a probe is asked, and answers, refuses, says nothing until the deadline, or ends.
static void an_ask_of_the_actor_ends_as_the_probe_will(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), parent = tr_kit_parent(), actor = TR_START(&doer, NULL);
    for (int way = 0; way < 4; way++) {
        TR_GIVE(actor, TR_NOBODY, "ask", TR_V(a));
        TR_EXPECT(a, "how", TR_V(1));
        TR_EXPECT_TIMER(TR_MS(100));
        if (way == 0)
            TR_ANSWER(a, TR_V(2));
        else if (way == 1)
            TR_ANSWER_ERROR(a, TR_EACCES);
        else if (way == 2)
            TR_ADVANCE(TR_MS(100));
        else
            tr_kit_end(a, (tr_reason){.kind = TR_REASON_NORMAL});
        static const int ends[] = {0, TR_EACCES, TR_ETIMEDOUT, TR_EDOWN};
        TR_EXPECT(parent, "answered",
                  TR_MAP("status", ends[way], "body", way == 0 ? TR_V(2) : TR_NULL));
        TR_EXPECT_NO_TIMER();
    }
}

// ---- Time ----

static void ticks_and_immediates_run_within_the_call(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    uint64_t now = tr_kit_now();
    TR_GIVE(actor, TR_NOBODY, "tick", TR_NULL);
    TR_EXPECT(tr_kit_parent(), "tick", TR_NULL);
    TR_EXPECT(tr_kit_parent(), "immediate", TR_V(now));
}

static void a_timer_fires_when_time_has_passed_and_not_before(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    uint64_t now = tr_kit_now();
    TR_EXPECT_NO_TIMER();
    TR_GIVE(actor, TR_NOBODY, "timer", TR_V(TR_S(3600)));
    TR_EXPECT_TIMER(TR_S(3600));
    TR_ADVANCE(TR_S(3600) - 1);
    TR_EXPECT_NOTHING(TR_NOBODY);
    TR_EXPECT_TIMER(1);
    TR_ADVANCE(1);
    TR_EXPECT(tr_kit_parent(), "timer", TR_V(now + TR_S(3600)));
    TR_EXPECT_NO_TIMER();
}

static void timers_that_are_passed_fire_each_at_its_time(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    uint64_t now = tr_kit_now();
    TR_GIVE(actor, TR_NOBODY, "interval", TR_V(TR_MS(10)));
    TR_GIVE(actor, TR_NOBODY, "timer", TR_V(TR_MS(15)));
    TR_ADVANCE(TR_MS(25));
    TR_EXPECT(tr_kit_parent(), "interval", TR_V(now + TR_MS(10)));
    TR_EXPECT(tr_kit_parent(), "timer", TR_V(now + TR_MS(15)));
    TR_EXPECT(tr_kit_parent(), "interval", TR_V(now + TR_MS(20)));
    TR_EXPECT_NOTHING(TR_NOBODY);
    assert_int_equal(now + TR_MS(25), tr_kit_now());
}

// ---- Work ----

static int run_work(void *data)
{
    (void)data;
    return TR_EIO;
}

static void on_worked(tr_actor *self, int status, void *data, void *arg)
{
    (void)data, (void)arg;
    tr_send(self, tr_parent(self), "worked", TR_V(status));
}

static int laborer_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_work(self, run_work, NULL, NULL, on_worked, NULL);
}

static const tr_behavior laborer = {.name = "laborer", .receive = laborer_receive};

static void work_is_done_when_the_test_has_the_word_again(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&laborer, NULL);
    for (int i = 0; i < 3; i++) {
        TR_GIVE(actor, TR_NOBODY, "work", TR_NULL);
        TR_EXPECT(tr_kit_parent(), "worked", TR_V(TR_EIO));
    }
}

// ---- Spawns ----

static void a_spawn_of_any_isolation_is_answered_by_a_probe(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    for (int i = TR_SHARED; i <= TR_PROCESS; i++) {
        TR_GIVE(actor, TR_NOBODY, "spawn", TR_V(i));
        tr_addr kid = TR_EXPECT_SPAWN(&helper, (tr_isolation)i, TR_V(i));
        TR_EXPECT(tr_kit_parent(), "spawned", TR_MAP("rc", 0, "addr", kid));
        TR_GIVE(actor, TR_NOBODY, "send", TR_V(kid));
        TR_EXPECT(kid, "hit", TR_NULL);
        TR_EXPECT(tr_kit_parent(), "sent", TR_V(0));
    }
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void a_fork_is_seen_with_its_options(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    TR_GIVE(actor, TR_NOBODY, "fork", TR_NULL);
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    assert_null(spawn->behavior);
    assert_true(tr_addr_eq(actor, spawn->by));
    assert_string_equal("./other", spawn->path);
    assert_string_equal("b c", spawn->opts.argv[1]);
    assert_null(spawn->opts.argv[2]);
    assert_null(spawn->opts.env);
    assert_int_equal(7, spawn->opts.stop_ms);
}

static void the_spawn_that_is_to_fail_fails(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    tr_kit_fail_spawn(2, TR_EAGAIN);
    for (int i = 1; i <= 3; i++) {
        TR_GIVE(actor, TR_NOBODY, "spawn", TR_V((int)TR_SHARED));
        TR_EXPECT_LIKE(tr_kit_parent(), "spawned", TR_MAP("rc", i == 2 ? TR_EAGAIN : 0));
    }
}

// ---- What is pretended of probes ----

static void a_probe_without_room_refuses_until_there_is_some(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    tr_kit_room(a, 1);
    TR_GIVE(actor, TR_NOBODY, "send", TR_V(a));
    TR_EXPECT(tr_kit_parent(), "sent", TR_V(0));
    TR_GIVE(actor, TR_NOBODY, "send", TR_V(a));
    TR_EXPECT(tr_kit_parent(), "sent", TR_V((int)TR_EFULL));
    TR_GIVE(actor, TR_NOBODY, "wait", TR_V(a));
    TR_EXPECT_NOTHING(tr_kit_parent());
    tr_kit_room(a, UINT32_MAX);
    TR_EXPECT(tr_kit_parent(), "room", TR_V(tr_kit_now()));
    TR_GIVE(actor, TR_NOBODY, "send", TR_V(a));
    TR_EXPECT(tr_kit_parent(), "sent", TR_V(0));
}

static void an_end_is_told_to_monitors_and_the_address_misses(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    TR_GIVE(actor, TR_NOBODY, "monitor", TR_V(a));
    assert_int_equal(1, tr_kit_monitors(a));
    tr_kit_end(a, (tr_reason){.kind = TR_REASON_KILLED, .code = 9});
    assert_int_equal(0, tr_kit_monitors(a));
    TR_EXPECT(tr_kit_parent(), "told", TR_MAP("reason", "killed", "code", 9));
    TR_GIVE(actor, TR_NOBODY, "send", TR_V(a));
    TR_EXPECT(tr_kit_parent(), "sent", TR_V((int)TR_ENOACTOR));
    TR_GIVE(actor, TR_NOBODY, "monitor", TR_V(a));
    TR_EXPECT_LIKE(tr_kit_parent(), "told", TR_MAP("reason", "no actor"));
}

static void the_end_of_a_process_takes_its_link_with_it(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    TR_GIVE(actor, TR_NOBODY, "spawn", TR_V((int)TR_PROCESS));
    tr_addr kid = TR_EXPECT_SPAWN(&helper, TR_PROCESS, TR_V((int)TR_PROCESS));
    TR_TAKE(tr_kit_parent());
    tr_kit_end(kid, (tr_reason){.kind = TR_REASON_EXITED, .code = 1});
    TR_GIVE(actor, TR_NOBODY, "send", TR_V(kid));
    TR_EXPECT(tr_kit_parent(), "sent", TR_V((int)TR_EDOWN));
}

static int piper_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid = TR_NOBODY;
    tr_stream in;
    (void)args;
    int rc =
        tr_spawn(self, &helper, TR_SPAWN(.isolation = TR_PROCESS, .stdio = {TR_STDIO_PIPE}), &kid);
    if (rc == 0)
        rc = tr_child_stream(self, kid, 0, &in);
    return tr_send(self, tr_parent(self), "stream", TR_V(rc));
}
static const tr_behavior piper = {.name = "piper", .start = piper_start};

static void a_process_that_is_not_started_has_no_streams(void **state)
{
    (void)state;
    TR_START(&piper, NULL);
    assert_int_equal(TR_STDIO_PIPE, TR_TAKE_SPAWN()->opts.stdio[0]);
    TR_EXPECT(tr_kit_parent(), "stream", TR_V((int)TR_ENOSYS));
}

static void a_probe_that_is_killed_has_ended(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    TR_GIVE(actor, TR_NOBODY, "monitor", TR_V(a));
    TR_GIVE(actor, TR_NOBODY, "kill", TR_V(a));
    assert_string_equal("told", tr_msg_name(TR_TAKE(tr_kit_parent())));
    assert_int_equal(0, tr_kit_monitors(a));
}

static void a_stop_that_is_asked_for_is_seen(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    assert_false(tr_kit_stop_asked(a));
    TR_GIVE(actor, TR_NOBODY, "stop", TR_V(a));
    assert_true(tr_kit_stop_asked(a));
}

// ---- Ends ----

static void an_exit_is_seen_with_its_reason(void **state)
{
    (void)state;
    static const int reasons[] = {TR_NORMAL, TR_SHUTDOWN, TR_EIO};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        tr_addr actor = TR_START(&doer, NULL);
        assert_true(tr_kit_alive(actor));
        TR_GIVE(actor, TR_NOBODY, "exit", TR_V(reasons[i]));
        assert_false(tr_kit_alive(actor));
        TR_EXPECT_EXIT(actor, reasons[i]);
        TR_EXPECT(tr_kit_parent(), "stopped", TR_NULL);
    }
}

static void an_error_ends_the_actor_with_a_warning(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    assert_null(tr_kit_warning());
    TR_GIVE(actor, TR_NOBODY, "return", TR_V((int)TR_EIO));
    TR_EXPECT_EXIT(actor, TR_EIO);
    assert_string_equal("actor.failed: actor=doer error=TR_EIO (input or output error)",
                        tr_kit_warning());
    assert_null(tr_kit_warning());
}

static void one_that_is_asked_to_shut_down_does(void **state)
{
    (void)state;
    tr_addr actor = TR_START(&doer, NULL);
    TR_STOP(actor);
    TR_EXPECT_EXIT(actor, TR_SHUTDOWN);
}

static void many_messages_are_handled_one_by_one(void **state)
{
    (void)state;
    tr_addr a = tr_kit_probe("a"), actor = TR_START(&doer, NULL);
    for (int i = 0; i < 10000; i++) {
        TR_GIVE(actor, a, "echo", TR_V(i));
        TR_EXPECT(a, "echo", TR_V(i));
    }
}

static const struct CMUnitTest tests[] = {
    TR_TEST(a_start_sends_before_it_returns),
    TR_TEST(a_reply_comes_back_to_the_probe_that_asked),
    TR_TEST(messages_are_read_in_their_order),
    TR_TEST(buffers_go_with_their_message_both_ways),
    TR_TEST(a_part_of_a_map_is_enough_where_that_is_asked_for),
    TR_TEST(what_nobody_takes_is_a_dead_letter),
    TR_TEST(an_ask_is_answered_by_the_actor),
    TR_TEST(an_ask_of_the_actor_ends_as_the_probe_will),
    TR_TEST(ticks_and_immediates_run_within_the_call),
    TR_TEST(a_timer_fires_when_time_has_passed_and_not_before),
    TR_TEST(timers_that_are_passed_fire_each_at_its_time),
    TR_TEST(work_is_done_when_the_test_has_the_word_again),
    TR_TEST(a_spawn_of_any_isolation_is_answered_by_a_probe),
    TR_TEST(a_fork_is_seen_with_its_options),
    TR_TEST(the_spawn_that_is_to_fail_fails),
    TR_TEST(a_probe_without_room_refuses_until_there_is_some),
    TR_TEST(an_end_is_told_to_monitors_and_the_address_misses),
    TR_TEST(the_end_of_a_process_takes_its_link_with_it),
    TR_TEST(a_process_that_is_not_started_has_no_streams),
    TR_TEST(a_probe_that_is_killed_has_ended),
    TR_TEST(a_stop_that_is_asked_for_is_seen),
    TR_TEST(an_exit_is_seen_with_its_reason),
    TR_TEST(an_error_ends_the_actor_with_a_warning),
    TR_TEST(one_that_is_asked_to_shut_down_does),
    TR_TEST(many_messages_are_handled_one_by_one),
};
TR_TEST_MAIN("unit/kit", TR_APP(&doer), tests)
