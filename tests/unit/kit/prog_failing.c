// Tests that fail, each in a way of its own, for test_failing.c to look at: FAILS says before it
// happens that the next line does, and in which words, with "|" between them. The sound test after
// each shows that nothing is left of it.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <troupe.h>
#include <troupe/test.h>
#include <unistd.h>

#include "support/cmocka.h"

#define FAILS(words)        print_error("FAILS prog_failing.c:%d:|%s\n", __LINE__ + 1, words)
#define FAILS_AT_END(words) print_error("FAILS %s|prog_failing.c:\n", words)

// ---- An actor that does what a test wants ----

static int (*does)(tr_actor *self, const tr_msg *msg);

static int actor_receive(tr_actor *self, const tr_msg *msg)
{
    return does == NULL ? tr_reply(self, msg, tr_msg_body(msg)) : does(self, msg);
}
static const tr_behavior actor = {.name = "actor", .receive = actor_receive};

// A probe, and the actor, which has answered it 1 and is then to do something else.
static tr_addr probe, subject;

static void start_actor(int (*then)(tr_actor *self, const tr_msg *msg))
{
    does = NULL;
    probe = tr_kit_probe("client");
    subject = TR_START(&actor, NULL);
    TR_GIVE(subject, probe, "hit", TR_MAP("n", 1));
    does = then;
}

static void a_sound_test(void **state)
{
    (void)state;
    start_actor(NULL);
    TR_EXPECT(probe, "hit", TR_MAP("n", 1));
    TR_EXPECT_NOTHING(TR_NOBODY);
}

// ---- Wrong expectations ----

static void another_body(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("client should get hit {\"n\":2}|did get hit {\"n\":1}");
    TR_EXPECT(probe, "hit", TR_MAP("n", 2));
}

static void more_of_a_body(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("at least|did get hit");
    TR_EXPECT_LIKE(probe, "hit", TR_MAP("n", 1, "m", 2));
}

static void another_name(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("client should get miss|did get hit");
    TR_EXPECT(probe, "miss", TR_MAP("n", 1));
}

static void a_message_too_many(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("client should get nothing, and did get hit");
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void an_answer_to_what_is_no_ask(void **state)
{
    (void)state;
    start_actor(NULL);
    TR_TAKE(probe);
    FAILS("client has taken no ask");
    TR_ANSWER(probe, TR_NULL);
}

static void a_message_that_is_not_there(void **state)
{
    (void)state;
    start_actor(NULL);
    TR_TAKE(probe);
    FAILS("client should get a message");
    TR_TAKE(probe);
}

static int spawn_other(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_spawn(self, &actor, TR_SPAWN(.args = TR_V(7)), NULL);
}

static void another_spawn(void **state)
{
    (void)state;
    start_actor(spawn_other);
    TR_GIVE(subject, probe, "go", TR_NULL);
    FAILS("actor, a process, with 7, should|actor, shared, with 7, was");
    TR_EXPECT_SPAWN(&actor, TR_PROCESS, TR_V(7));
}

static void a_spawn_that_is_not_there(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("nothing was");
    TR_TAKE_SPAWN();
}

static void on_timer(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

static int arm(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_timer_start(self, 5, on_timer, NULL, NULL);
}

static void another_timer(void **state)
{
    (void)state;
    start_actor(arm);
    TR_GIVE(subject, probe, "go", TR_NULL);
    FAILS("due in 5 ns|due in 6 ns");
    TR_EXPECT_TIMER(6);
}

static void a_timer_too_many(void **state)
{
    (void)state;
    start_actor(arm);
    TR_GIVE(subject, probe, "go", TR_NULL);
    FAILS("due in 5 ns|no timer should");
    TR_EXPECT_NO_TIMER();
}

static void no_end(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("should end: normal|lives on");
    TR_EXPECT_EXIT(subject, TR_NORMAL);
}

static void a_message_for_the_dead(void **state)
{
    (void)state;
    start_actor(NULL);
    TR_STOP(subject);
    FAILS("has ended: shutdown");
    TR_GIVE(subject, probe, "hit", TR_NULL);
}

static void a_probe_where_an_actor_should_be(void **state)
{
    (void)state;
    start_actor(NULL);
    FAILS("not that of an actor under test");
    TR_GIVE(probe, probe, "hit", TR_NULL);
}

static void no_kit(void **state)
{
    (void)state;
    FAILS("list this test as TR_TEST");
    TR_START(&actor, NULL);
}

// ---- What goes wrong in handlers ----

static int expect_wrongly(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    FAILS("0 != 0x1");
    assert_int_equal(0, 1);
    return 0;
}

static void an_assertion_in_a_handler(void **state)
{
    (void)state;
    start_actor(expect_wrongly);
    TR_GIVE(subject, probe, "go", TR_NULL);
}

static int check_wrongly(tr_actor *self, const tr_msg *msg)
{
    FAILS("check failed: msg == NULL");
    TR_CHECK(msg == NULL);
    return tr_exit(self, TR_NORMAL);
}

static void a_check_in_a_handler(void **state)
{
    (void)state;
    start_actor(check_wrongly);
    TR_GIVE(subject, probe, "go", TR_NULL);
}

static void *check_in_thread(void *arg)
{
    FAILS("check failed: arg != NULL");
    TR_CHECK(arg != NULL);
    return NULL;
}

static void a_check_in_a_thread(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, check_in_thread, NULL));
    pthread_join(thread, NULL);
}

static int abort_now(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    abort();
}

static void an_abort_in_a_handler(void **state)
{
    (void)state;
    start_actor(abort_now);
    FAILS("aborted");
    TR_GIVE(subject, probe, "go", TR_NULL);
}

static void again(tr_actor *self, void *arg)
{
    tr_immediate(self, again, arg);
}

static int never_rest(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_immediate(self, again, NULL);
}

static void no_rest(void **state)
{
    (void)state;
    start_actor(never_rest);
    FAILS("do not come to rest");
    TR_GIVE(subject, probe, "go", TR_NULL);
}

// ---- Real nodes ----

static int check_in_node(tr_actor *self, const tr_val *args)
{
    FAILS("check failed: args == NULL");
    TR_CHECK(args == NULL);
    return tr_exit(self, TR_NORMAL);
}

static void a_check_in_a_running_node(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = check_in_node};
    TR_RUN(TR_APP(&first), &first, TR_NULL);
}

static int jump_out_of_node(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    FAILS("0x2 != 0x3|left behind");
    assert_int_equal(2, 3);
    return 0;
}

static void an_assertion_in_a_running_node(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = jump_out_of_node};
    TR_RUN(TR_APP(&first), &first, TR_NULL);
}

static int leave(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_exit(self, TR_NORMAL);
}

static void a_sound_node(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = leave};
    assert_int_equal(0, TR_RUN(TR_APP(&first), &first, TR_NULL));
}

static int talk(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_self(self), "hello", TR_MAP("n", 1));
}

static int leave_then(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}

static void a_message_that_was_not_said(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = talk, .receive = leave_then};
    TR_RUN(TR_APP(&first), &first, TR_NULL);
    FAILS("was said 1 times, not 2|sequenceDiagram|first_0->>first_0: hello {\"n\":1}");
    TR_EXPECT_SAID(2, TR_SAID(.name = "hello"));
}

static void a_cause_that_is_none(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = talk, .receive = leave_then};
    TR_RUN(TR_APP(&first), &first, TR_NULL);
    FAILS("1 of 1 hello have no order among their causes|sequenceDiagram");
    TR_EXPECT_CAUSES(TR_SAID(.name = "order"), TR_SAID(.name = "hello"));
}

static void an_order_that_was_not_kept(void **state)
{
    (void)state;
    static const tr_behavior first = {.name = "first", .start = talk, .receive = leave_then};
    TR_RUN(TR_APP(&first), &first, TR_NULL);
    FAILS("bye was not said");
    TR_EXPECT_ORDER(TR_SAID(.name = "bye"), TR_SAID(.name = "hello"));
}

// ---- What is left behind ----

static void a_leak(void **state)
{
    (void)state;
    tr_buf *buf;
    TR_START(&actor, NULL);
    FAILS_AT_END("bytes of the library's memory behind");
    assert_int_equal(0, tr_buf_new(1000, &buf));
}

static void descriptors(void **state)
{
    (void)state;
    int ends[2];
    a_sound_node(state);
    FAILS_AT_END("descriptors: |before the test");
    assert_int_equal(0, pipe(ends));
}

// As a program under test may do it; this tree has no fork of its own.
static void a_child_of_fork_that_comes_back(void **state)
{
    (void)state;
    siginfo_t info;
    a_sound_node(state);
    FAILS_AT_END("children: |forked off in a test");
    if (syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) != 0)
        waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
}

static void no_end_in_time(void **state)
{
    (void)state;
    pause();
}

// ---- Running them ----

#define KIT_FAILS(name)  TR_TEST(name), TR_TEST(a_sound_test)
#define NODE_FAILS(name) TR_PROCESS_TEST(name), TR_PROCESS_TEST(a_sound_node)

int main(int argc, char **argv)
{
    (void)argv;
    const struct CMUnitTest late[] = {TR_PROCESS_TEST(no_end_in_time)};
    const struct CMUnitTest tests[] = {
        KIT_FAILS(another_body),
        KIT_FAILS(more_of_a_body),
        KIT_FAILS(another_name),
        KIT_FAILS(a_message_too_many),
        KIT_FAILS(an_answer_to_what_is_no_ask),
        KIT_FAILS(a_message_that_is_not_there),
        KIT_FAILS(another_spawn),
        KIT_FAILS(a_spawn_that_is_not_there),
        KIT_FAILS(another_timer),
        KIT_FAILS(a_timer_too_many),
        KIT_FAILS(no_end),
        KIT_FAILS(a_message_for_the_dead),
        KIT_FAILS(a_probe_where_an_actor_should_be),
        cmocka_unit_test(no_kit),
        KIT_FAILS(an_assertion_in_a_handler),
        KIT_FAILS(a_check_in_a_handler),
        KIT_FAILS(a_check_in_a_thread),
        KIT_FAILS(an_abort_in_a_handler),
        KIT_FAILS(no_rest),
        KIT_FAILS(a_leak),
        NODE_FAILS(a_check_in_a_running_node),
        NODE_FAILS(an_assertion_in_a_running_node),
        TR_TRACED_TEST(a_message_that_was_not_said),
        TR_TRACED_TEST(a_cause_that_is_none),
        TR_TRACED_TEST(an_order_that_was_not_kept),
        NODE_FAILS(descriptors),
        NODE_FAILS(a_child_of_fork_that_comes_back),
    };
    if (argc > 1)
        return cmocka_run_group_tests_name("late", late, NULL, NULL);
    return cmocka_run_group_tests_name("failing", tests, NULL, NULL);
}
