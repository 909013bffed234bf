// Messages: their order, what they carry, and what becomes of them where there is no room.
#include <stdlib.h>

#include "conform/isolation_suite.h"

// ---- Order ----

// Expects so many numbers as its start says, from up to four senders, each beginning with 0. Tells
// its parent "all" when they are there, and "disorder" at the first one that is not the next.
struct counter {
    tr_addr senders[4];
    int64_t next[4];
    int64_t missing;
};

static int counter_start(tr_actor *self, const tr_val *args)
{
    struct counter *c = tr_state(self);
    return tr_as_int(*args, &c->missing);
}

static int64_t *counter_next(struct counter *c, tr_addr from)
{
    size_t i = 0;
    while (i < 3 && c->senders[i].node != 0 && !tr_addr_eq(c->senders[i], from))
        i++;
    c->senders[i] = from;
    return &c->next[i];
}

static int counter_receive(tr_actor *self, const tr_msg *msg)
{
    struct counter *c = tr_state(self);
    if (!tr_msg_is(msg, "number"))
        return TR_EUNKNOWN;
    if (number_of(msg) != (*counter_next(c, tr_msg_from(msg)))++)
        return tr_send(self, tr_parent(self), "disorder", TR_V(number_of(msg)));
    return --c->missing > 0 ? 0 : tr_send(self, tr_parent(self), "all", TR_NULL);
}

const tr_behavior counter = {.name = "counter",
                             .state_size = sizeof(struct counter),
                             .start = counter_start,
                             .receive = counter_receive};

// Sends to somebody whom its start names; then it ends.
static void sender_done(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int sender_start(tr_actor *self, const tr_val *args)
{
    struct pump *p = tr_state(self);
    p->done = sender_done;
    int rc = tr_get_addr(*args, "to", &p->to);
    if (rc == 0)
        rc = tr_get_int(*args, "count", &p->count);
    if (rc == 0)
        pump_run(self, p);
    return rc;
}

const tr_behavior sender = {
    .name = "sender", .state_size = sizeof(struct pump), .start = sender_start};

static struct pump pump;

// The end of a play is whatever its counter says.
static int note_and_end(tr_actor *self, const tr_msg *msg)
{
    note("%s", tr_msg_name(msg));
    return tr_exit(self, TR_NORMAL);
}

static int start_order(tr_actor *self)
{
    int64_t count = (int64_t)play_many(10000);
    pump = (struct pump){.count = count};
    int rc = play_spawn(self, &counter, TR_SPAWN(.args = TR_V(count)), &pump.to);
    if (rc == 0)
        pump_run(self, &pump);
    return rc;
}

static void messages_arrive_in_the_order_in_which_they_were_sent(void **state)
{
    (void)state;
    perform(&(struct play){start_order, note_and_end, false}, "all");
}

// The senders are on both loops of this node: those of the other one pass it to reach a process.
static int start_senders(tr_actor *self)
{
    int64_t count = (int64_t)play_many(2000);
    tr_addr to = TR_NOBODY;
    int rc = play_spawn(self, &counter, TR_SPAWN(.args = TR_V(3 * count)), &to);
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = tr_spawn(self, &sender,
                      TR_SPAWN(.placement = TR_SPREAD, .args = TR_MAP("to", to, "count", count)),
                      NULL);
    return rc;
}

static void messages_of_several_senders_arrive_in_the_order_of_each(void **state)
{
    (void)state;
    perform(&(struct play){start_senders, note_and_end, false}, "all");
}

// The first actor counts.
static struct counter counted;

static int start_fan_in(tr_actor *self)
{
    int64_t count = (int64_t)play_many(2000);
    counted = (struct counter){.missing = 3 * count};
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = play_spawn(self, &sender,
                        TR_SPAWN(.args = TR_MAP("to", tr_self(self), "count", count)), NULL);
    return rc;
}

static int receive_fan_in(tr_actor *self, const tr_msg *msg)
{
    if (number_of(msg) != (*counter_next(&counted, tr_msg_from(msg)))++)
        note("disorder");
    if (--counted.missing > 0)
        return 0;
    note("all");
    return tr_exit(self, TR_NORMAL);
}

static void messages_of_several_children_arrive_in_the_order_of_each(void **state)
{
    (void)state;
    perform(&(struct play){start_fan_in, receive_fan_in, false}, "all");
}

// ---- What they carry ----

// Sends back what it gets, as it got it.
static int mirror_receive(tr_actor *self, const tr_msg *msg)
{
    tr_msg *copy = NULL;
    int rc = tr_msg_copy(msg, &copy);
    if (rc == 0)
        rc = tr_send_msg(self, tr_msg_from(msg), &copy);
    tr_msg_free(&copy);
    return rc;
}

const tr_behavior mirror = {.name = "mirror", .receive = mirror_receive};

#define BACK 100

static int start_back(tr_actor *self)
{
    tr_addr kid = TR_NOBODY;
    counted = (struct counter){.missing = BACK};
    int rc = play_spawn(self, &mirror, NULL, &kid);
    for (int i = 0; rc == 0 && i < BACK; i++)
        rc = tr_send(self, kid, "number", TR_V(i));
    return rc;
}

static void what_is_sent_right_after_the_spawn_comes_back_in_order(void **state)
{
    (void)state;
    perform(&(struct play){start_back, receive_fan_in, false}, "all");
}

// A body and three buffers, all of bytes that can be told apart; the last one is large.
static const size_t SIZES[] = {200 * 1000, 0, 100, 300 * 1000};
static unsigned char bytes[300 * 1000];

static int attach(tr_msg *msg, size_t size)
{
    tr_buf *buf = NULL;
    int rc = tr_buf_copy(bytes, size, &buf);
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    tr_buf_unref(&buf);
    return rc;
}

static int start_large(tr_actor *self)
{
    tr_addr kid = TR_NOBODY;
    tr_msg *msg = NULL;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 16);
    int rc = play_spawn(self, &mirror, NULL, &kid);
    if (rc == 0)
        rc = tr_msg_new("large", tr_val_bin((tr_bytes){bytes, SIZES[0]}), &msg);
    for (int i = 1; rc == 0 && i < 4; i++)
        rc = attach(msg, SIZES[i]);
    if (rc == 0)
        rc = tr_send_msg(self, kid, &msg);
    tr_msg_free(&msg);
    return rc;
}

static int receive_large(tr_actor *self, const tr_msg *msg)
{
    tr_bytes body = {0};
    bool same = tr_as_bin(tr_msg_body(msg), &body) == 0 && body.len == SIZES[0] &&
                memcmp(body.ptr, bytes, body.len) == 0 && tr_msg_buf_count(msg) == 3;
    for (size_t i = 0; same && i < 3; i++) {
        const tr_buf *buf = tr_msg_buf(msg, i);
        same =
            tr_buf_size(buf) == SIZES[i + 1] && memcmp(tr_buf_data(buf), bytes, SIZES[i + 1]) == 0;
    }
    note(same ? "same" : "different");
    return tr_exit(self, TR_NORMAL);
}

static void large_documents_and_buffers_arrive_whole(void **state)
{
    (void)state;
    perform(&(struct play){start_large, receive_large, false}, "same");
}

// Sends its parent what it was given, and who it is.
static int schooled_start(tr_actor *self, const tr_val *args)
{
    return tr_send(self, tr_parent(self), "school", TR_LIST(*args, tr_self(self)));
}

const tr_behavior schooled = {.name = "schooled", .start = schooled_start};

static tr_addr pupil;

static int start_school(tr_actor *self)
{
    return play_spawn(self, &schooled,
                      TR_SPAWN(.args = TR_MAP("list", TR_LIST(1, "two", 3.5), "by", tr_self(self))),
                      &pupil);
}

static int receive_school(tr_actor *self, const tr_msg *msg)
{
    tr_val args = TR_NULL, self_said = TR_NULL;
    tr_addr by = TR_NOBODY, who = TR_NOBODY;
    tr_val list = TR_NULL, two = TR_NULL;
    tr_str text = {0};
    tr_at(tr_msg_body(msg), 0, &args);
    tr_at(tr_msg_body(msg), 1, &self_said);
    tr_as_addr(self_said, &who);
    tr_get_addr(args, "by", &by);
    tr_get(args, "list", &list);
    tr_at(list, 1, &two);
    tr_as_str(two, &text);
    note("%.*s", TR_STR_ARG(text));
    note(tr_addr_eq(by, tr_self(self)) ? "parent" : "stranger");
    note(tr_addr_eq(who, pupil) && tr_addr_eq(tr_msg_from(msg), pupil) ? "pupil" : "impostor");
    return tr_exit(self, TR_NORMAL);
}

static void a_start_gets_its_arguments_and_knows_its_parent(void **state)
{
    (void)state;
    perform(&(struct play){start_school, receive_school, false}, "two parent pupil");
}

// ---- Room ----

// Fill a mailbox in one turn, then go on when there is room again.
static uint32_t fill_max;

static int start_full(tr_actor *self)
{
    int64_t accepted = 0;
    pump = (struct pump){.count = fill_max == 0 ? 5000 : 3 * fill_max + 1};
    int rc = play_spawn(self, &counter, TR_SPAWN(.mail_max = fill_max, .args = TR_V(pump.count)),
                        &pump.to);
    while (rc == 0 && accepted <= pump.count) {
        rc = tr_send(self, pump.to, "number", TR_V(accepted));
        accepted += rc == 0;
    }
    note("%lld %s", (long long)accepted, tr_errname(rc));
    pump.next = accepted;
    return tr_on_writable(self, pump.to, pump_run, &pump);
}

static void perform_full(uint32_t mail_max, const char *words)
{
    fill_max = mail_max;
    perform(&(struct play){start_full, note_and_end, false}, words);
}

static void a_full_mailbox_refuses_and_tells_when_there_is_room(void **state)
{
    (void)state;
    perform_full(1, "1 TR_EFULL all");
    perform_full(16, "16 TR_EFULL all");
    perform_full(0, "4096 TR_EFULL all");
}

// Nobody has been refused, but there is no room all the same.
static void on_room(tr_actor *self, void *arg)
{
    (void)arg;
    note("%s", tr_send(self, pump.to, "number", TR_V(2)) == 0 ? "room" : "none");
}

static int start_just_full(tr_actor *self)
{
    int rc = play_spawn(self, &counter, TR_SPAWN(.mail_max = 2, .args = TR_V(3)), &pump.to);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = tr_send(self, pump.to, "number", TR_V(i));
    return rc < 0 ? rc : tr_on_writable(self, pump.to, on_room, NULL);
}

static void who_waits_at_a_full_mailbox_is_called_when_there_is_room(void **state)
{
    (void)state;
    perform(&(struct play){start_just_full, note_and_end, false}, "room all");
}

// Limits in bytes: a message larger than the limit is taken when it is alone.
static int start_bytes(tr_actor *self)
{
    static char text[700];
    tr_val body = tr_val_bin((tr_bytes){text, sizeof text});
    tr_addr kid = TR_NOBODY;
    int rc = play_spawn(self, &sink, TR_SPAWN(.mail_bytes_max = 1500), &kid);
    if (rc == 0)
        note_rc(tr_send(self, kid, "a", body));
    note_rc(tr_send(self, kid, "b", body));
    note_rc(tr_send(self, kid, "c", body));
    rc = play_spawn(self, &sink, TR_SPAWN(.mail_bytes_max = 100), &kid);
    note_rc(tr_send(self, kid, "a", body));
    note_rc(tr_send(self, kid, "b", TR_NULL));
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static void a_mailbox_is_full_in_bytes_but_takes_one_of_any_size(void **state)
{
    (void)state;
    perform(&(struct play){start_bytes, NULL, false}, "0 0 TR_EFULL 0 TR_EFULL");
}

// Two with mailboxes of one, the second of whom the first has spawned, send each other numbers as
// they begin. Each is done when it has got all; the first one then tells its parent.
#define TWINS 20

struct twin {
    struct pump pump;
    int64_t got;
    bool elder, other_done;
};

const tr_behavior twin;

static int twin_end(tr_actor *self)
{
    const struct twin *t = tr_state(self);
    if (t->got < TWINS || t->pump.next < TWINS)
        return 0;
    if (!t->elder)
        return tr_exit(self, TR_NORMAL);
    return t->other_done ? tr_send(self, tr_parent(self), "all", TR_NULL) : 0;
}

static void twin_pumped(tr_actor *self, void *arg)
{
    (void)arg;
    twin_end(self);
}

static int twin_start(tr_actor *self, const tr_val *args)
{
    struct twin *t = tr_state(self);
    int rc = 0;
    t->elder = tr_as_bool(*args, &t->elder) == 0;
    t->pump = (struct pump){.to = tr_parent(self), .count = TWINS, .done = twin_pumped};
    if (t->elder)
        rc = play_spawn(self, &twin, TR_SPAWN(.mail_max = 1), &t->pump.to);
    if (rc == 0 && t->elder)
        rc = tr_monitor(self, t->pump.to, NULL);
    if (rc == 0)
        pump_run(self, &t->pump);
    return rc;
}

static int twin_receive(tr_actor *self, const tr_msg *msg)
{
    struct twin *t = tr_state(self);
    if (tr_msg_down(msg) != NULL)
        t->other_done = true;
    else if (number_of(msg) != t->got++)
        return tr_send(self, tr_parent(self), "disorder", TR_NULL);
    return twin_end(self);
}

const tr_behavior twin = {.name = "twin",
                          .state_size = sizeof(struct twin),
                          .start = twin_start,
                          .receive = twin_receive};

static int start_twins(tr_actor *self)
{
    return play_spawn(self, &twin, TR_SPAWN(.mail_max = 1, .args = tr_val_bool(true)), NULL);
}

static void mailboxes_of_one_do_not_stop_two_who_send_to_each_other(void **state)
{
    (void)state;
    perform(&(struct play){start_twins, note_and_end, false}, "all");
}

// ---- Policies ----

// Sends itself ten numbers in its start, with room for four, and tells its parent which four it
// got, how many were refused, and how many dropped.
struct selfish {
    int64_t got[4];
    int64_t count, refused;
};

static int selfish_start(tr_actor *self, const tr_val *args)
{
    struct selfish *s = tr_state(self);
    (void)args;
    for (int i = 0; i < 10; i++)
        s->refused += tr_send(self, tr_self(self), "number", TR_V(i)) == TR_EFULL;
    return 0;
}

static int selfish_receive(tr_actor *self, const tr_msg *msg)
{
    struct selfish *s = tr_state(self);
    s->got[s->count++] = number_of(msg);
    if (s->count < 4)
        return 0;
    return tr_send(self, tr_parent(self), "got",
                   TR_LIST(s->got[0], s->got[1], s->got[2], s->got[3], s->refused,
                           tr_node_dead_letters(tr_node_of(self))));
}

const tr_behavior selfish = {.name = "selfish",
                             .state_size = sizeof(struct selfish),
                             .start = selfish_start,
                             .receive = selfish_receive};

static tr_mail_policy policy;

static int start_policy(tr_actor *self)
{
    return play_spawn(self, &selfish, TR_SPAWN(.mail_max = 4, .mail_policy = policy), NULL);
}

static int receive_policy(tr_actor *self, const tr_msg *msg)
{
    note("%s", tr_msg_json(msg));
    return tr_exit(self, TR_NORMAL);
}

static void perform_policy(tr_mail_policy which, const char *words)
{
    policy = which;
    perform(&(struct play){start_policy, receive_policy, false}, words);
}

static void a_full_mailbox_does_what_its_policy_says(void **state)
{
    (void)state;
    perform_policy(TR_MAIL_FAIL, "[0,1,2,3,6,0]");
    perform_policy(TR_MAIL_DROP_NEWEST, "[0,1,2,3,0,6]");
    perform_policy(TR_MAIL_DROP_OLDEST, "[6,7,8,9,0,6]");
}

// Several send to one that has less room than they think. In the end what was accepted has been
// handled or is a dead letter.
static int sink_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t *handled = tr_state(self);
    ++*handled;
    if (!tr_msg_is_ask(msg))
        return 0;
    return tr_reply(self, msg, TR_V(*handled + (int64_t)tr_node_dead_letters(tr_node_of(self))));
}

const tr_behavior sink = {.name = "sink", .state_size = sizeof(int64_t), .receive = sink_receive};

#define FLOOD 500

static struct {
    tr_addr to;
    int64_t sent, before;
    int ended;
} flood;

static void flood_ask(tr_actor *self, void *arg);

static void flood_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    int64_t seen = -1;
    tr_as_int(answer->body, &seen);
    if (seen < flood.sent) {
        tr_timer_start(self, TR_MS(1), flood_ask, NULL, NULL);
        return;
    }
    note(seen == flood.sent ? "all" : "more");
    tr_exit(self, TR_NORMAL);
}

// An ask is one more message, be it handled or dropped.
static void flood_ask(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = tr_ask(self, flood.to, "count", TR_NULL, NULL, NULL, flood_answered, NULL);
    flood.sent += rc == 0;
    if (rc < 0)
        tr_timer_start(self, TR_MS(1), flood_ask, NULL, NULL);
}

static int start_flood(tr_actor *self)
{
    int64_t count = (int64_t)play_many(5000);
    flood.sent = 3 * count;
    flood.ended = 0;
    int rc = play_spawn(self, &sink, TR_SPAWN(.mail_max = 16, .mail_policy = policy), &flood.to);
    for (int i = 0; rc == 0 && i < 3; i++) {
        tr_addr kid = TR_NOBODY;
        rc = tr_spawn(
            self, &sender,
            TR_SPAWN(.placement = TR_SPREAD, .args = TR_MAP("to", flood.to, "count", count)), &kid);
        if (rc == 0)
            rc = tr_monitor(self, kid, NULL);
    }
    return rc;
}

static int receive_flood(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    if (++flood.ended == 3)
        flood_ask(self, NULL);
    return 0;
}

static void what_was_accepted_is_handled_or_counted_as_dropped(void **state)
{
    (void)state;
    for (int i = TR_MAIL_FAIL; i <= TR_MAIL_DROP_OLDEST; i++) {
        policy = (tr_mail_policy)i;
        perform(&(struct play){start_flood, receive_flood, false}, "all");
    }
}

int isolation_messages(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(messages_arrive_in_the_order_in_which_they_were_sent),
        PLAY_TEST(messages_of_several_senders_arrive_in_the_order_of_each),
        PLAY_TEST(messages_of_several_children_arrive_in_the_order_of_each),
        PLAY_TEST(what_is_sent_right_after_the_spawn_comes_back_in_order),
        PLAY_TEST(large_documents_and_buffers_arrive_whole),
        PLAY_TEST(a_start_gets_its_arguments_and_knows_its_parent),
        PLAY_TEST(a_full_mailbox_refuses_and_tells_when_there_is_room),
        PLAY_TEST(who_waits_at_a_full_mailbox_is_called_when_there_is_room),
        PLAY_TEST(a_mailbox_is_full_in_bytes_but_takes_one_of_any_size),
        PLAY_TEST(mailboxes_of_one_do_not_stop_two_who_send_to_each_other),
        PLAY_TEST(a_full_mailbox_does_what_its_policy_says),
        PLAY_TEST(what_was_accepted_is_handled_or_counted_as_dropped),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
