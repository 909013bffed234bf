#include "stage.h"

static uint64_t monitor(tr_actor *self, tr_addr addr)
{
    uint64_t ref = 0;
    IN_TURN(self)
    assert_int_equal(0, tr_monitor(self, addr, &ref));
    assert_int_not_equal(0, ref);
    return ref;
}

static void demonitor(tr_actor *self, uint64_t ref)
{
    IN_TURN(self)
    tr_demonitor(self, ref);
}

static void send(tr_actor *from, tr_actor *to, const char *name)
{
    IN_TURN(from)
    assert_int_equal(0, tr_send(from, tr_self(to), name, TR_NULL));
}

// ---- The notice ----

static tr_down got;
static char got_body[64];
static tr_addr got_from;

static int receive_down(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    got = *tr_msg_down(msg);
    got_from = tr_msg_from(msg);
    snprintf(got_body, sizeof got_body, "%s", tr_msg_json(msg));
    return 0;
}

static void a_down_says_who_and_why(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr addr = tr_self(b);
    player_of(a)->receive = receive_down;
    uint64_t ref = monitor(a, addr);
    stage_exit(b, TR_EIO);
    stage_run();
    assert_heard("b:stop=error: input or output error a:down=error: input or output error");
    assert_int_equal(ref, got.monitor);
    assert_true(tr_addr_eq(addr, got.addr) && tr_addr_eq(addr, got_from));
    assert_int_equal(TR_REASON_ERROR, got.reason.kind);
    assert_int_equal(TR_EIO, got.reason.code);
    assert_string_equal("{\"reason\":\"error\",\"code\":-5}", got_body);
}

static void each_reason_is_told(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    const int reasons[] = {TR_NORMAL, TR_SHUTDOWN, TR_EBADMSG};
    for (size_t i = 0; i < 3; i++) {
        tr_actor *b = stage_actor("b");
        monitor(a, tr_self(b));
        stage_exit(b, reasons[i]);
        stage_run();
    }
    assert_heard("b:stop=normal a:down=normal b:stop=shutdown a:down=shutdown "
                 "b:stop=error: not the document that was expected "
                 "a:down=error: not the document that was expected");
}

static void each_monitor_is_told_once(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    assert_int_not_equal(monitor(a, tr_self(c)), monitor(a, tr_self(c)));
    monitor(b, tr_self(c));
    stage_exit(c, TR_NORMAL);
    stage_run();
    stage_run();
    assert_heard("c:stop=normal a:down=normal a:down=normal b:down=normal");
    assert_int_equal(0, stage.loop->monitors.count);
}

static void what_is_not_there_is_down_at_once(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr gone = tr_self(b);
    stage_exit(b, TR_NORMAL);
    assert_heard("b:stop=normal");
    monitor(a, gone);
    monitor(a, (tr_addr){stage.node->id, 12345});
    monitor(a, (tr_addr){stage.node->id + 1, TR__ROOT_ID});
    assert_heard("");
    stage_run();
    assert_heard("a:down=no actor a:down=no actor "
                 "a:down=no connection: the other side went away");
}

static void one_that_is_ending_is_not_there_any_more(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(b)
    tr_exit(b, TR_NORMAL);
    monitor(a, tr_self(b));
    stage_run();
    assert_heard("a:down=no actor b:stop=normal");
}

// ---- Order ----

static void a_down_comes_after_the_last_message_of_the_dead(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    monitor(a, tr_self(b));
    send(c, a, "1");
    send(b, a, "2");
    send(c, a, "3");
    send(b, a, "4");
    send(c, a, "5");
    stage_hold(a);
    stage_exit(b, TR_NORMAL);
    send(c, a, "6");
    assert_int_equal(6, a->mail_count); // a notice takes no room
    stage_run();
    assert_heard("b:stop=normal a:1 a:2 a:3 a:4 a:down=normal a:5 a:6");
    assert_int_equal(0, a->mail_count);
}

static void a_down_behind_the_last_message_of_all_is_followed_by_others(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    monitor(a, tr_self(b));
    monitor(a, tr_self(b));
    send(b, a, "1");
    stage_hold(a);
    stage_exit(b, TR_NORMAL);
    send(c, a, "2");
    stage_run();
    assert_heard("b:stop=normal a:1 a:down=normal a:down=normal a:2");
}

#define CROWD 300u

static uint64_t crowd_refs[CROWD];
static unsigned crowd_mail[CROWD], crowd_told, crowd_early, crowd_until;

static int receive_crowd(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    uint64_t i;
    if (--crowd_until == 0)
        assert_int_equal(0, tr_mail_hold(self, true));
    if (down == NULL)
        return TR_READ(tr_msg_body(msg), "i", &i) == 0 ? (crowd_mail[i]++, 0) : TR_EBADMSG;
    crowd_told++;
    crowd_early += crowd_mail[down->monitor - crowd_refs[0]] != 2;
    return 0;
}

static void hold(tr_actor *actor, bool held)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_mail_hold(actor, held));
}

// Goal:   many downs into a long mailbox cost a look at each message, not one for each of them; and
//         each comes behind the last message of its own.
// Method: a crowd sends two rounds of messages to one that does not look, and ends one by one; a
//         part of the mail is handled in between. The looks are counted.
static void many_downs_look_at_the_mail_once(void **state)
{
    (void)state;
    static tr_actor *crowd[CROWD];
    tr_actor *a = stage_actor("a");
    player_of(a)->receive = receive_crowd;
    memset(crowd_mail, 0, sizeof crowd_mail);
    crowd_told = crowd_early = crowd_until = 0;
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = stage_actor("c");
        crowd_refs[i] = monitor(a, tr_self(crowd[i]));
        assert_int_equal(crowd_refs[0] + i, crowd_refs[i]);
    }
    hold(a, true);
    for (uint64_t i = 0; i < 2 * CROWD; i++)
        IN_TURN(crowd[i % CROWD])
    assert_int_equal(0, tr_send(crowd[i % CROWD], tr_self(a), "mail", TR_MAP("i", i % CROWD)));
    for (unsigned i = 0; i < CROWD; i++) {
        if (i == CROWD / 2) {
            crowd_until = CROWD;
            hold(a, false);
            stage_run();
            assert_true(a->mail_count > CROWD / 2 && a->mail_count < 2 * CROWD);
        }
        stage_exit(crowd[i], TR_NORMAL);
    }
    assert_int_equal(2 * CROWD, stage.loop->mail_looks);
    hold(a, false);
    stage_run();
    assert_int_equal(CROWD, crowd_told);
    assert_int_equal(0, crowd_early);
    stage.heard[0] = '\0';
}

static tr_addr last_words_to;

static void stop_with_last_words(tr_actor *self)
{
    tr_send(self, last_words_to, "last", TR_NULL);
}

static void a_down_comes_after_what_was_sent_at_the_stop(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    last_words_to = tr_self(a);
    player_of(b)->stop = stop_with_last_words;
    monitor(a, tr_self(b));
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("b:stop=normal a:last a:down=normal");
}

// ---- Taking it back ----

static void after_demonitor_nothing_comes(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    uint64_t first = monitor(a, tr_self(b));
    monitor(a, tr_self(b));
    demonitor(a, first);
    demonitor(a, first);
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("b:stop=normal a:down=normal"); // of the second one
}

// Goal:   a notice that waits already is taken back, wherever in the mailbox it is.
// Method: three monitors, one of them cancelled; with no mail of the dead, in front of it, behind.
static void a_notice_that_waits_is_taken_back(void **state)
{
    (void)state;
    static const char *const heard[] = {
        "b:stop=normal a:down=normal a:down=normal a:2 a:3",
        "b:stop=normal a:1 a:down=normal a:down=normal a:2 a:3",
        "b:stop=normal a:2 a:1 a:down=normal a:down=normal a:3",
    };
    tr_actor *a = stage_actor("a"), *c = stage_actor("c");
    for (int cancelled = 0; cancelled < 3; cancelled++) {
        for (int way = 0; way < 3; way++) {
            tr_actor *b = stage_actor("b");
            uint64_t refs[3];
            for (int i = 0; i < 3; i++)
                refs[i] = monitor(a, tr_self(b));
            if (way != 1)
                send(c, a, "2");
            if (way != 0)
                send(b, a, "1");
            if (way == 1)
                send(c, a, "2");
            stage_hold(a);
            stage_exit(b, TR_NORMAL);
            demonitor(a, refs[cancelled]);
            send(c, a, "3"); // behind them
            stage_run();
            assert_heard(heard[way]);
            assert_int_equal(0, a->mail_count);
        }
    }
}

// Goal:   taking back a notice does not lose what an asker wants handled before the stop.
// Method: the notice of a dead neighbour of the asker's is the last message "of its node".
static void a_notice_taken_back_moves_no_stop_forward(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    tr_addr node = {stage.node->id, 0};
    uint64_t ref = monitor(a, tr_self(b));
    send(c, a, "1");
    send(b, a, "2");
    stage_hold(a);
    stage_exit(b, TR_NORMAL);
    tr__actor_ask_stop(a, node);
    demonitor(a, ref);
    send(c, a, "late");
    stage_run();
    assert_heard("b:stop=normal a:1 a:2 a:stop=shutdown");
}

static void only_the_owner_can_demonitor(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    uint64_t ref = monitor(a, tr_self(c));
    demonitor(b, ref);
    demonitor(b, 0);
    demonitor(a, ref + 1);
    IN_TURN(b)
    tr_demonitor(a, ref); // not a's turn
    stage_exit(c, TR_NORMAL);
    demonitor(b, ref);
    stage_run();
    assert_heard("c:stop=normal a:down=normal");
    demonitor(a, ref); // has been told
}

// ---- Ends ----

static void one_that_ends_watches_no_more(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    monitor(a, tr_self(b));
    monitor(b, tr_self(a));
    monitor(c, tr_self(c)); // itself
    stage_exit(a, TR_NORMAL);
    stage_exit(c, TR_NORMAL);
    stage_run();
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("a:stop=normal b:down=normal c:stop=normal b:stop=normal");
    assert_int_equal(0, stage.loop->monitors.count);
    assert_int_equal(0, tr_node_dead_letters(stage.node));
}

static void two_that_end_together_tell_nobody(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    monitor(a, tr_self(b));
    monitor(b, tr_self(a));
    IN_TURN(a)
    tr_exit(a, TR_NORMAL);
    IN_TURN(b)
    tr_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("a:stop=normal b:stop=normal");
    assert_int_equal(0, tr_node_dead_letters(stage.node));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_down_says_who_and_why),
        STAGE_TEST(each_reason_is_told),
        STAGE_TEST(each_monitor_is_told_once),
        STAGE_TEST(what_is_not_there_is_down_at_once),
        STAGE_TEST(one_that_is_ending_is_not_there_any_more),
        STAGE_TEST(a_down_comes_after_the_last_message_of_the_dead),
        STAGE_TEST(a_down_behind_the_last_message_of_all_is_followed_by_others),
        STAGE_TEST(many_downs_look_at_the_mail_once),
        STAGE_TEST(a_down_comes_after_what_was_sent_at_the_stop),
        STAGE_TEST(after_demonitor_nothing_comes),
        STAGE_TEST(a_notice_that_waits_is_taken_back),
        STAGE_TEST(a_notice_taken_back_moves_no_stop_forward),
        STAGE_TEST(only_the_owner_can_demonitor),
        STAGE_TEST(one_that_ends_watches_no_more),
        STAGE_TEST(two_that_end_together_tell_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
