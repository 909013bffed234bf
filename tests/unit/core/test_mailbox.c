#include "stage.h"
#include "support/random.h"

static tr_buf *buf_of(size_t size)
{
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_new(size, &buf));
    memset(tr_buf_data(buf), 'b', size);
    return buf;
}

static tr_msg *msg_with(const char *name, size_t attached)
{
    tr_msg *msg = NULL;
    tr_buf *buf = buf_of(attached);
    assert_int_equal(0, tr_msg_new(name, TR_NULL, &msg));
    assert_int_equal(0, tr_msg_attach(msg, &buf));
    return msg;
}

static void send(tr_actor *from, tr_actor *to, const char *name)
{
    assert_int_equal(0, tr_send(from, tr_self(to), name, TR_NULL));
}

// ---- Order ----

#define ACTORS 5

// The number of the last message from one to another that was accepted, and that was handled.
static uint64_t accepted[ACTORS][ACTORS], handled[ACTORS][ACTORS];
static int out_of_order;

static int receive_numbered(tr_actor *self, const tr_msg *msg)
{
    int from;
    uint64_t number;
    int to = player_of(self)->name[0] - '0';
    stage.heard[0] = '\0';
    out_of_order += TR_READ(tr_msg_body(msg), "from", &from, "number", &number) < 0 ||
                    number != ++handled[from][to];
    return 0;
}

static void send_numbered(tr_actor *from, tr_actor *to, int i, int j, bool by_hand)
{
    uint64_t number = accepted[i][j] + 1;
    tr_val body = TR_MAP("from", i, "number", number);
    tr_msg *msg = NULL;
    int rc = by_hand ? tr_msg_new("m", body, &msg) : 0;
    if (rc == 0)
        rc = by_hand ? tr_send_msg(from, tr_self(to), &msg) : tr_send(from, tr_self(to), "m", body);
    assert_true(rc == 0 || rc == TR_EFULL);
    assert_true(rc == 0 || (msg != NULL) == by_hand);
    tr_msg_free(&msg);
    accepted[i][j] += rc == 0;
}

// Goal:   what one actor sends to another arrives in that order, all of it, whatever the others do.
// Method: random sends and steps among five actors with small mailboxes; 1,000 schedules.
static void messages_of_a_pair_arrive_in_order(void **state)
{
    (void)state;
    tr_actor *actors[ACTORS];
    for (int i = 0; i < ACTORS; i++) {
        actors[i] = stage_actor_with((char[]){(char)('0' + i), 0}, TR_SPAWN(.mail_max = 8));
        player_of(actors[i])->receive = receive_numbered;
    }
    out_of_order = 0;
    memset(accepted, 0, sizeof accepted);
    memset(handled, 0, sizeof handled);
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        uint64_t random = seed;
        for (int n = 0; n < 50; n++) {
            int i = (int)random_below(&random, ACTORS), j = (int)random_below(&random, ACTORS);
            IN_TURN(actors[i])
            send_numbered(actors[i], actors[j], i, j, random_below(&random, 2) == 0);
            if (random_below(&random, 10) == 0)
                stage_step();
        }
        stage_run();
        assert_memory_equal(accepted, handled, sizeof handled);
    }
    assert_int_equal(0, out_of_order);
}

// ---- Bounds ----

static void a_mailbox_is_bounded_in_messages(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    for (uint32_t max = 1; max <= 3; max++) {
        tr_actor *b = stage_actor_with("b", TR_SPAWN(.mail_max = max));
        IN_TURN(a)
        {
            for (uint32_t i = 0; i < max; i++)
                send(a, b, "m");
            assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
        }
        stage_run();
        IN_TURN(a)
        send(a, b, "again");
        stage_run();
    }
    assert_heard("b:m b:again b:m b:m b:again b:m b:m b:m b:again");
}

static void a_mailbox_is_bounded_in_bytes(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_bytes_max = 100));
    IN_TURN(a)
    {
        send(a, b, "1234567890123456789012345678901234567890123456789"); // and a byte of body
        send(a, b, "1234567890123456789012345678901234567890123456789");
        assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
    }
    stage_run();
    assert_int_equal(0, b->mail_bytes);
}

static void one_message_is_taken_however_large(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_bytes_max = 100));
    tr_msg *large = msg_with("large", 1000), *larger = msg_with("larger", 1000);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send_msg(a, tr_self(b), &large));
        assert_null(large);
        assert_int_equal(TR_EFULL, tr_send_msg(a, tr_self(b), &larger));
        assert_non_null(larger); // not moved
        assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
    }
    stage_run();
    IN_TURN(a)
    {
        send(a, b, "m");
        assert_int_equal(TR_EFULL, tr_send_msg(a, tr_self(b), &larger));
    }
    stage_run();
    IN_TURN(a)
    assert_int_equal(0, tr_send_msg(a, tr_self(b), &larger));
    stage_run();
    assert_heard("b:large b:m b:larger");
}

static void downs_come_through_a_full_mailbox(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 1));
    tr_actor *c = stage_actor("c");
    IN_TURN(b)
    for (int i = 0; i < 3; i++)
        assert_int_equal(0, tr_monitor(b, tr_self(c), NULL));
    IN_TURN(a)
    send(a, b, "m");
    stage_hold(b);
    stage_exit(c, TR_NORMAL);
    IN_TURN(a)
    assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
    stage_run();
    assert_heard("c:stop=normal b:down=normal b:down=normal b:down=normal b:m");
}

// ---- Replies ----

static int receive_and_reply(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_MAP("re", tr_msg_body(msg)));
}

static void a_reply_goes_to_the_sender_under_the_same_name(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = receive_and_reply;
    IN_TURN(a)
    assert_int_equal(0, tr_send(a, tr_self(b), "ask", TR_V(1)));
    stage_run();
    assert_heard("b:ask=1 a:ask={\"re\":1}");
}

static void a_reply_that_nobody_takes_is_a_dead_letter(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *full = stage_actor_with("full", TR_SPAWN(.mail_max = 1));
    tr_msg *from_nobody = NULL, *from_full = NULL;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &from_nobody));
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &from_full));
    from_full->from = tr_self(full);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_reply(a, from_nobody, TR_NULL));
        assert_int_equal(1, tr_node_dead_letters(stage.node));
        assert_int_equal(0, tr_reply(a, from_full, TR_NULL));
        assert_int_equal(1, tr_node_dead_letters(stage.node));
        assert_int_equal(0, tr_reply(a, from_full, TR_NULL));
        assert_int_equal(2, tr_node_dead_letters(stage.node));
        assert_int_equal(TR_EINVAL, tr_reply(a, NULL, TR_NULL));
        assert_int_equal(TR_EINVAL, tr_reply(NULL, from_nobody, TR_NULL));
    }
    tr_msg_free(&from_nobody);
    tr_msg_free(&from_full);
}

// ---- Messages made by hand ----

static int receive_attached(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_buf_count(msg) != 1 || tr_buf_size(tr_msg_buf(msg, 0)) != 10)
        return TR_EBADMSG;
    return tr_reply(self, msg, TR_V("thanks"));
}

static void one_message_can_be_sent_to_many(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    tr_msg *msg = msg_with("m", 10), *copy = NULL;
    player_of(b)->receive = player_of(c)->receive = receive_attached;
    assert_int_equal(0, tr_msg_copy(msg, &copy));
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send_msg(a, tr_self(b), &msg));
        assert_int_equal(0, tr_send_msg(a, tr_self(c), &copy));
    }
    stage_run();
    assert_heard("b:m c:m a:m=\"thanks\" a:m=\"thanks\"");
}

static void a_message_that_nobody_takes_stays_the_senders(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_msg *msg = msg_with("m", 10), *before = msg;
    IN_TURN(a)
    {
        assert_int_equal(TR_ENOACTOR, tr_send_msg(a, TR_NOBODY, &msg));
        assert_int_equal(TR_ENOACTOR, tr_send_msg(a, (tr_addr){stage.node->id, 77}, &msg));
        assert_int_equal(TR_EDOWN, tr_send_msg(a, (tr_addr){77, 1}, &msg));
    }
    assert_ptr_equal(before, msg);
    tr_msg_free(&msg);
}

static tr_msg *kept; // a copy of the last one

static int receive_and_keep(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    tr_msg_free(&kept);
    return tr_msg_copy(msg, &kept);
}

static void nobody_can_send_a_false_down(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    player_of(a)->receive = receive_and_keep;
    IN_TURN(a)
    assert_int_equal(0, tr_monitor(a, TR_NOBODY, NULL));
    stage_run();
    assert_heard("a:down=no actor");
    assert_non_null(tr_msg_down(kept));
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_send_msg(a, tr_self(a), &kept));
        send(a, a, "down");
    }
    stage_run();
    assert_null(tr_msg_down(kept));
    assert_heard("a:down");
    tr_msg_free(&kept);
}

// ---- Waiting for room ----

// a has filled b, whose mailbox takes four messages.
static void fill(tr_actor **ret_a, tr_actor **ret_b)
{
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 4));
    IN_TURN(a)
    {
        for (int i = 0; i < 4; i++)
            send(a, b, "m");
        assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
    }
    *ret_a = a;
    *ret_b = b;
}

static void wait_for(tr_actor *self, tr_actor *to, const char *word)
{
    IN_TURN(self)
    assert_int_equal(0, tr_on_writable(self, tr_self(to), NOTE(word)));
}

static int left; // messages that b handles before it ends

static int receive_some(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return --left == 0 ? tr_exit(self, TR_NORMAL) : 0;
}

static void who_was_refused_hears_of_room_once(void **state)
{
    (void)state;
    tr_actor *a, *b;
    fill(&a, &b);
    wait_for(a, b, "first");
    wait_for(a, b, "second");
    assert_heard("");
    stage_run();
    assert_heard("b:m b:m b:m b:m first second");
    IN_TURN(a)
    send(a, b, "m");
    stage_run();
    assert_heard("b:m");
}

static void who_was_refused_comes_before_who_was_not(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = 1));
    wait_for(a, b, "not refused");
    IN_TURN(a)
    send(a, b, "m");
    wait_for(a, b, "refused");
    stage_step();
    assert_heard("b:m refused not refused");
}

static void half_of_the_mailbox_is_room(void **state)
{
    (void)state;
    static const char *const heard[] = {"b:m b:stop=normal room", "b:m b:m room b:stop=normal"};
    for (int i = 0; i < 2; i++) {
        tr_actor *a, *b;
        fill(&a, &b);
        left = i + 1;
        player_of(b)->receive = receive_some;
        wait_for(a, b, "room");
        stage_run();
        assert_heard(heard[i]);
    }
}

static void who_was_refused_for_bytes_waits_until_they_are_gone(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_bytes_max = 100));
    tr_msg *msg = msg_with("large", 99);
    IN_TURN(a)
    {
        send(a, b, "m"); // there is room for others, but not for the large one
        assert_int_equal(TR_EFULL, tr_send_msg(a, tr_self(b), &msg));
    }
    wait_for(a, b, "room");
    stage_hold(b);
    stage_step();
    assert_heard("");
    tr__actor_wake(b);
    stage_run();
    assert_heard("b:m room");
    tr_msg_free(&msg);
}

static void who_was_not_refused_hears_in_the_next_iteration(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    wait_for(a, b, "room");
    wait_for(a, a, "own room");
    IN_TURN(a)
    assert_int_equal(0, tr_on_writable(a, TR_NOBODY, NOTE("nobody")));
    assert_int_equal(0, tr__loop_due(stage.loop));
    assert_heard("");
    stage_step();
    assert_heard("room own room nobody");
    stage_run();
    assert_heard("");
}

static void who_waits_for_one_that_ends_hears_of_it_once(void **state)
{
    (void)state;
    tr_actor *a, *b;
    fill(&a, &b);
    wait_for(a, b, "gone");
    IN_TURN(b)
    tr_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("b:stop=normal gone");
    assert_int_equal(4, tr_node_dead_letters(stage.node));
}

static void who_ends_waits_no_more(void **state)
{
    (void)state;
    tr_actor *a, *b;
    fill(&a, &b);
    wait_for(a, b, "room");
    wait_for(b, b, "own room"); // its own mailbox, and it ends, too
    stage_hold(b);
    stage_exit(a, TR_NORMAL);
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_heard("a:stop=normal b:stop=normal");
}

// ---- Dead letters ----

static void what_an_ended_actor_had_not_read_is_dead_letters(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr addr = tr_self(b);
    IN_TURN(b)
    {
        assert_int_equal(0, tr_monitor(b, TR_NOBODY, NULL)); // its notice is no letter
        tr_exit(b, TR_NORMAL);
    }
    IN_TURN(a)
    assert_int_equal(TR_ENOACTOR, tr_send(a, addr, "m", TR_NULL)); // and so is not accepted
    assert_int_equal(0, tr_node_dead_letters(stage.node));
    stage_run();
    assert_int_equal(0, tr_node_dead_letters(stage.node));

    tr_actor *c = stage_actor("c");
    IN_TURN(a)
    {
        send(a, c, "1");
        send(a, c, "2");
    }
    IN_TURN(c)
    tr_exit(c, TR_NORMAL);
    stage_run();
    assert_int_equal(2, tr_node_dead_letters(stage.node));
}

// ---- Fairness ----

static int handled_by_busy, handled_when_asked;

static int receive_busy(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    stage.heard[0] = '\0';
    handled_by_busy++;
    return 0;
}

static int receive_busy_and_slow(tr_actor *self, const tr_msg *msg)
{
    tr__sim_run_for(stage.sim, TR_MS(1));
    return receive_busy(self, msg);
}

static int receive_asked(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    handled_when_asked = handled_by_busy;
    return 0;
}

static void on_asked(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    handled_when_asked = handled_by_busy;
}

static void busy(tr_actor *a, tr_actor *b, int (*receive)(tr_actor *self, const tr_msg *msg))
{
    handled_by_busy = handled_when_asked = 0;
    player_of(b)->receive = receive;
    IN_TURN(a)
    for (int i = 0; i < 1000; i++)
        send(a, b, "m");
}

static void one_with_much_mail_leaves_others_their_turn(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    player_of(c)->receive = receive_asked;
    busy(a, b, receive_busy);
    IN_TURN(a)
    send(a, c, "m");
    stage_run();
    assert_int_equal(1000, handled_by_busy);
    assert_in_range(handled_when_asked, 1, 100);
}

// Goal:   slow handlers keep timers and I/O waiting for a few messages, not for a full mailbox.
// Method: each message takes a millisecond of virtual time; a timer is due after the first.
static void one_with_slow_mail_leaves_timers_their_turn(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    busy(a, b, receive_busy_and_slow);
    IN_TURN(a)
    assert_int_equal(0, tr_timer_start(a, TR_MS(1), on_asked, NULL, NULL));
    stage_run();
    assert_int_equal(1000, handled_by_busy);
    assert_in_range(handled_when_asked, 1, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(messages_of_a_pair_arrive_in_order),
        STAGE_TEST(a_mailbox_is_bounded_in_messages),
        STAGE_TEST(a_mailbox_is_bounded_in_bytes),
        STAGE_TEST(one_message_is_taken_however_large),
        STAGE_TEST(downs_come_through_a_full_mailbox),
        STAGE_TEST(a_reply_goes_to_the_sender_under_the_same_name),
        STAGE_TEST(a_reply_that_nobody_takes_is_a_dead_letter),
        STAGE_TEST(one_message_can_be_sent_to_many),
        STAGE_TEST(a_message_that_nobody_takes_stays_the_senders),
        STAGE_TEST(nobody_can_send_a_false_down),
        STAGE_TEST(who_was_refused_hears_of_room_once),
        STAGE_TEST(who_was_refused_comes_before_who_was_not),
        STAGE_TEST(half_of_the_mailbox_is_room),
        STAGE_TEST(who_was_refused_for_bytes_waits_until_they_are_gone),
        STAGE_TEST(who_was_not_refused_hears_in_the_next_iteration),
        STAGE_TEST(who_waits_for_one_that_ends_hears_of_it_once),
        STAGE_TEST(who_ends_waits_no_more),
        STAGE_TEST(what_an_ended_actor_had_not_read_is_dead_letters),
        STAGE_TEST(one_with_much_mail_leaves_others_their_turn),
        STAGE_TEST(one_with_slow_mail_leaves_timers_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
