// Pings, declining, and answering later with a message. What asks are to their users is tested over
// all isolations, in tests/conform.
#include "stage.h"
#include "support/counted_memory.h"

static int status;

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self;
    status = answer->status;
    note(arg);
    if (answer->msg != NULL && tr_msg_buf_count(answer->msg) == 1)
        note("with its buffer");
}

static void ask(tr_actor *from, tr_actor *to)
{
    IN_TURN(from)
    assert_int_equal(
        0, tr_ask(from, tr_self(to), "m", TR_NULL, NULL, NULL, on_answer, (void *)"answer"));
}

static void a_ping_comes_back_when_all_before_it_is_handled(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_V(1)));
        assert_int_equal(0, tr_ping(a, tr_self(b), NULL, NULL, on_answer, (void *)"pong"));
        assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_V(2)));
    }
    stage_run();
    assert_heard("b:m=1 b:m=2 pong"); // and b has not seen it
    assert_int_equal(0, status);
}

static void a_ping_of_one_that_ends_fails(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(a)
    assert_int_equal(0, tr_ping(a, tr_self(b), NULL, NULL, on_answer, (void *)"pong"));
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("b:stop=normal pong");
    assert_int_equal(TR_EDOWN, status);
}

static int receive_and_refuse(tr_actor *self, const tr_msg *msg)
{
    return tr_refuse(self, msg, TR_EFULL);
}

static void who_declines_an_ask_answers_it(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_and_refuse;
    ask(a, b);
    stage_run();
    assert_heard("b:m answer");
    assert_int_equal(TR_EFULL, status);
    assert_int_equal(0, tr_node_dead_letters(stage.node));
}

static int64_t why;

static int receive_letter(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    stage.heard[0] = '\0';
    return tr_get_int(tr_msg_body(msg), "why", &why);
}

static void a_message_that_is_declined_is_a_dead_letter(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *reader = stage_actor("reader");
    player_of(b)->receive = receive_and_refuse;
    player_of(reader)->receive = receive_letter;
    IN_TURN(reader)
    assert_int_equal(0, tr_dead_letters(reader, true));
    IN_TURN(a)
    assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_NULL));
    stage_run();
    assert_int_equal(1, tr_node_dead_letters(stage.node));
    assert_int_equal(TR_EFULL, why);
}

static void what_is_no_open_message_cannot_be_declined(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_msg *msg;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &msg));
    assert_int_equal(TR_EINVAL, tr_refuse(a, msg, TR_EFULL)); // not its turn
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_refuse(a, NULL, TR_EFULL));
        assert_int_equal(TR_EINVAL, tr_refuse(a, msg, 0));
        msg->is_notice = true;
        assert_int_equal(TR_EINVAL, tr_refuse(a, msg, TR_EFULL));
        msg->is_notice = false;
        msg->is_ask = msg->answered = true;
        assert_int_equal(TR_EINVAL, tr_refuse(a, msg, TR_EFULL));
        msg->is_ask = false;
    }
    tr_msg_free(&msg);
}

static tr_asker taken;

static void answer_with_buffer(tr_actor *self, void *arg)
{
    tr_msg *reply;
    tr_buf *buf;
    (void)arg;
    assert_int_equal(0, tr_msg_new("reply", TR_NULL, &reply));
    assert_int_equal(0, tr_buf_new(1, &buf));
    assert_int_equal(0, tr_msg_attach(reply, &buf));
    assert_int_equal(TR_EINVAL, tr_reply_msg_to(self, taken, NULL));
    assert_int_equal(TR_ENOENT, tr_reply_msg_to(self, (tr_asker){0}, &reply));
    assert_non_null(reply);
    assert_int_equal(0, tr_reply_msg_to(self, taken, &reply));
    assert_null(reply);
}

static int receive_and_take(tr_actor *self, const tr_msg *msg)
{
    assert_int_equal(0, tr_reply_later(self, msg, &taken));
    return tr_immediate(self, answer_with_buffer, NULL);
}

static void an_answer_that_comes_later_may_have_buffers(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_and_take;
    ask(a, b);
    stage_run();
    assert_heard("b:m answer with its buffer");
    assert_int_equal(0, status);
}

static tr__timer fillers[64];

static void on_filler(tr__timer *timer)
{
    (void)timer;
}

// Takes all the room that there is for timers, and leaves no memory for more.
static void on_answer_fill(tr_actor *self, const tr_answer *answer, void *arg)
{
    size_t i = 0;
    on_answer(self, answer, arg);
    counted_memory_fail(1, true);
    do {
        assert_true(i < sizeof fillers / sizeof *fillers);
        fillers[i].fire = on_filler;
    } while (tr__timer_arm(self->loop, &fillers[i++], TR__NEVER) == 0);
}

static void deadlines_are_told_whatever_a_turn_between_them_takes(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    stage_hold(b);
    IN_TURN(a)
    assert_int_equal(
        0, tr_ask(a, tr_self(b), "m", TR_NULL, NULL, NULL, on_answer_fill, (void *)"first"));
    tr__sim_run_for(stage.sim, TR_MS(1));
    ask(a, b);
    tr__sim_run_for(stage.sim, TR_S(5) - TR_US(500)); // for the first one
    stage_run();
    tr__sim_run_for(stage.sim, TR_MS(2));
    stage_run();
    counted_memory_fail(0, false);
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        tr__timer_disarm(stage.loop, &fillers[i]);
    assert_heard("first b:m b:m answer");
    assert_int_equal(TR_ETIMEDOUT, status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_ping_comes_back_when_all_before_it_is_handled),
        STAGE_TEST(a_ping_of_one_that_ends_fails),
        STAGE_TEST(who_declines_an_ask_answers_it),
        STAGE_TEST(a_message_that_is_declined_is_a_dead_letter),
        STAGE_TEST(what_is_no_open_message_cannot_be_declined),
        STAGE_TEST(an_answer_that_comes_later_may_have_buffers),
        STAGE_TEST(deadlines_are_told_whatever_a_turn_between_them_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
