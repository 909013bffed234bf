#include "stage.h"

static int rc_of_stash;

// "later" is put off, "now" brings it back.
static int receive_by_name(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "later"))
        rc_of_stash = tr_stash(self, msg);
    return tr_msg_is(msg, "now") ? tr_unstash_all(self) : 0;
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    note(tr_msg_name(msg));
    return 0;
}

static void send(tr_actor *from, tr_actor *to, const char *name, int number)
{
    assert_int_equal(0, tr_send(from, tr_self(to), name, TR_V(number)));
}

// ---- The stash ----

// Calm: what comes back is handled, not put off again.
static int receive_then_calm(tr_actor *self, const tr_msg *msg)
{
    int rc = receive_by_name(self, msg);
    return rc == 0 && tr_msg_is(msg, "now") ? tr_become(self, receive_nothing) : rc;
}

static void what_was_put_off_comes_before_the_mail_in_its_order(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_then_calm;
    IN_TURN(a)
    {
        send(a, b, "later", 1);
        send(a, b, "other", 2);
        send(a, b, "later", 3);
        send(a, b, "now", 4);
        send(a, b, "last", 5);
    }
    stage_run();
    assert_heard("b:later=1 b:other=2 b:later=3 b:now=4 later later last");
}

static void who_puts_everything_off_again_does_not_keep_others_waiting(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_by_name;
    IN_TURN(a)
    {
        send(a, b, "later", 1);
        send(a, b, "now", 2);
    }
    stage_run();
    IN_TURN(b)
    assert_int_equal(0, tr_unstash_all(b)); // from another turn than a message's
    stage_run();
    assert_heard("b:later=1 b:now=2 b:later=1 b:later=1");
}

static void a_message_keeps_its_sender_and_buffers(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_msg *msg;
    tr_buf *buf;
    player_of(b)->receive = receive_by_name;
    assert_int_equal(0, tr_msg_new("later", TR_NULL, &msg));
    assert_int_equal(0, tr_buf_copy("bytes", 5, &buf));
    assert_int_equal(0, tr_msg_attach(msg, &buf));
    IN_TURN(a)
    assert_int_equal(0, tr_send_msg(a, tr_self(b), &msg));
    stage_run();
    const tr_msg *put_off = b->extra->stash.head;
    assert_true(tr_addr_eq(tr_self(a), tr_msg_from(put_off)));
    assert_int_equal(1, tr_msg_buf_count(put_off));
    assert_memory_equal("bytes", tr_buf_data(tr_msg_buf(put_off, 0)), 5);
}

static void a_stash_is_as_large_as_the_mailbox(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 2));
    tr_actor *c = stage_actor_with("c", TR_SPAWN(.mail_bytes_max = 10));
    player_of(b)->receive = player_of(c)->receive = receive_by_name;
    for (int i = 1; i <= 3; i++) {
        IN_TURN(a)
        send(a, b, "later", i);
        stage_run();
        assert_int_equal(i <= 2 ? 0 : TR_EFULL, rc_of_stash);
    }
    for (int i = 1; i <= 2; i++) {
        IN_TURN(a)
        send(a, c, "later", i); // 6 bytes
        stage_run();
        assert_int_equal(i == 1 ? 0 : TR_EFULL, rc_of_stash);
    }
}

// Goal: a full stash leaves room for the message that empties it, and what comes back counts.
static void a_stash_counts_by_itself_until_it_is_mail_again(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 2));
    player_of(b)->receive = receive_then_calm;
    for (int i = 0; i < 2; i++) {
        IN_TURN(a)
        send(a, b, "later", i);
        stage_run();
    }
    assert_int_equal(0, b->mail_count);
    IN_TURN(b)
    assert_int_equal(0, tr_unstash_all(b));
    assert_int_equal(2, b->mail_count);
    IN_TURN(a)
    assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "now", TR_NULL));
    stage_run();
    assert_int_equal(0, b->mail_count);
    assert_int_equal(0, b->mail_bytes);
    IN_TURN(a)
    send(a, b, "now", 0);
    stage_run();
}

static void only_messages_that_are_open_can_be_put_off(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_msg *msg;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &msg));
    assert_int_equal(TR_EINVAL, tr_stash(a, msg)); // not its turn
    assert_int_equal(TR_EINVAL, tr_unstash_all(a));
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_stash(a, NULL));
        msg->is_notice = true;
        assert_int_equal(TR_EINVAL, tr_stash(a, msg));
        msg->is_notice = false;
        msg->is_ask = msg->answered = true;
        assert_int_equal(TR_EINVAL, tr_stash(a, msg));
        msg->is_ask = false;
    }
    tr_msg_free(&msg);
}

// ---- Asks ----

static int status;

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self;
    status = answer->status;
    note(arg);
}

static void ask(tr_actor *from, tr_actor *to)
{
    assert_int_equal(
        0, tr_ask(from, tr_self(to), "later", TR_NULL, NULL, NULL, on_answer, (void *)"answer"));
}

static int receive_and_answer(tr_actor *self, const tr_msg *msg)
{
    note("answering");
    return tr_reply(self, msg, TR_V(7));
}

static int receive_then_answer(tr_actor *self, const tr_msg *msg)
{
    int rc = receive_by_name(self, msg);
    return rc == 0 && tr_msg_is(msg, "now") ? tr_become(self, receive_and_answer) : rc;
}

static void an_ask_stays_open_until_it_comes_back(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_then_answer;
    IN_TURN(a)
    {
        ask(a, b);
        send(a, b, "now", 1);
    }
    stage_run();
    assert_heard("b:later b:now=1 answering answer");
    assert_int_equal(0, status);
}

static void who_ends_answers_what_it_has_put_off(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_by_name;
    IN_TURN(a)
    {
        ask(a, b);
        send(a, b, "later", 1);
        assert_int_equal(0, tr_stop(a, tr_self(b)));
    }
    stage_run();
    assert_heard("b:later b:later=1 b:stop=shutdown answer");
    assert_int_equal(TR_EDOWN, status);
    assert_int_equal(2, tr_node_dead_letters(stage.node));
}

// ---- Become ----

static int receive_and_become(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_become(self, receive_nothing);
}

static void it_is_another_function_from_the_next_message_on(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_and_become;
    IN_TURN(a)
    {
        send(a, b, "one", 1);
        send(a, b, "two", 2);
    }
    stage_run();
    assert_heard("b:one=1 two");
    IN_TURN(b)
    assert_int_equal(0, tr_become(b, NULL));
    IN_TURN(a)
    send(a, b, "three", 3);
    stage_run();
    assert_heard("b:three=3");
    assert_int_equal(TR_EINVAL, tr_become(b, NULL));
}

static int ended_after; // messages

static int receive_error(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    ended_after++;
    return TR_EBADMSG;
}

static void its_errors_are_the_actors_end(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(b)
    assert_int_equal(0, tr_become(b, receive_error));
    IN_TURN(a)
    {
        send(a, b, "m", 1);
        send(a, b, "m", 2);
    }
    stage_run();
    assert_int_equal(1, ended_after);
    assert_heard("b:stop=error: not the document that was expected");
}

// ---- Holding the mail ----

static void mail_that_is_held_fills_the_mailbox(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 2));
    IN_TURN(b)
    assert_int_equal(0, tr_mail_hold(b, true));
    IN_TURN(a)
    {
        send(a, b, "m", 1);
        send(a, b, "m", 2);
    }
    stage_run();
    IN_TURN(a)
    {
        assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
        assert_int_equal(0, tr_on_writable(a, tr_self(b), NOTE("room")));
    }
    stage_run();
    assert_heard("");
    assert_int_not_equal(0, tr__loop_due(stage.loop)); // and the loop may sleep
    IN_TURN(b)
    assert_int_equal(0, tr_mail_hold(b, false));
    stage_run();
    assert_heard("b:m=1 b:m=2 room");
    assert_int_equal(TR_EINVAL, tr_mail_hold(b, false));
}

static void notices_and_answers_pass_what_is_held(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    player_of(c)->receive = receive_and_answer;
    IN_TURN(b)
    {
        assert_int_equal(0, tr_mail_hold(b, true));
        assert_int_equal(0, tr_monitor(b, tr_self(a), NULL));
        ask(b, c);
    }
    stage_exit(a, TR_NORMAL);
    stage_run();
    assert_heard("c:later answering answer a:stop=normal b:down=normal");
}

static void who_holds_its_mail_can_be_stopped(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    IN_TURN(b)
    assert_int_equal(0, tr_mail_hold(b, true));
    IN_TURN(a)
    send(a, b, "m", 1);
    IN_TURN(c)
    assert_int_equal(0, tr_stop(c, tr_self(b)));
    stage_run();
    assert_heard("b:stop=shutdown");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(what_was_put_off_comes_before_the_mail_in_its_order),
        STAGE_TEST(who_puts_everything_off_again_does_not_keep_others_waiting),
        STAGE_TEST(a_message_keeps_its_sender_and_buffers),
        STAGE_TEST(a_stash_is_as_large_as_the_mailbox),
        STAGE_TEST(a_stash_counts_by_itself_until_it_is_mail_again),
        STAGE_TEST(only_messages_that_are_open_can_be_put_off),
        STAGE_TEST(an_ask_stays_open_until_it_comes_back),
        STAGE_TEST(who_ends_answers_what_it_has_put_off),
        STAGE_TEST(it_is_another_function_from_the_next_message_on),
        STAGE_TEST(its_errors_are_the_actors_end),
        STAGE_TEST(mail_that_is_held_fills_the_mailbox),
        STAGE_TEST(notices_and_answers_pass_what_is_held),
        STAGE_TEST(who_holds_its_mail_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
