// Asks: each ends once, with its answer, an error or its deadline, over every distance.
#include <stdio.h>

#include "conform/isolation_suite.h"

// ---- One that is asked ----

#define TAKEN_MAX 1000

// Its start says how many there are to be behind it, to whom it hands on what it is asked.
struct asked {
    int64_t depth;
    tr_asker taken[TAKEN_MAX]; // to be answered later,
    int64_t bodies[TAKEN_MAX]; // with what they have brought
    int count;
    tr_addr next;
    tr_asker nested;
};

static int asked_start(tr_actor *self, const tr_val *args)
{
    struct asked *a = tr_state(self);
    tr_as_int(*args, &a->depth);
    return 0;
}

static int asked_take(tr_actor *self, const tr_msg *msg)
{
    struct asked *a = tr_state(self);
    a->bodies[a->count] = number_of(msg);
    return tr_reply_later(self, msg, &a->taken[a->count++]);
}

// The last one first. Whoever has been answered cannot be again.
static int asked_release(tr_actor *self)
{
    struct asked *a = tr_state(self);
    while (a->count > 0) {
        tr_asker one = a->taken[--a->count];
        int rc = tr_reply_to(self, one, TR_V(a->bodies[a->count]));
        if (rc < 0 || tr_reply_to(self, one, TR_NULL) != TR_ENOENT)
            return TR_EBADMSG;
    }
    return 0;
}

static void on_release(tr_actor *self, void *arg)
{
    (void)arg;
    asked_release(self);
}

static int asked_reply_twice(tr_actor *self, const tr_msg *msg)
{
    bool open = tr_msg_is_ask(msg);
    int rc = tr_reply(self, msg, tr_msg_body(msg));
    return rc == 0 && open && tr_reply(self, msg, TR_NULL) == TR_EINVAL && !tr_msg_is_ask(msg)
               ? 0
               : TR_EBADMSG;
}

static int asked_next(tr_actor *self)
{
    struct asked *a = tr_state(self);
    return a->next.node != 0
               ? 0
               : play_spawn(self, &asked, TR_SPAWN(.args = TR_V(a->depth - 1)), &a->next);
}

static int asked_pass(tr_actor *self, const tr_msg *msg)
{
    const struct asked *a = tr_state(self);
    if (a->depth == 0)
        return tr_reply(self, msg, tr_msg_body(msg));
    int rc = asked_next(self);
    return rc < 0 ? rc : tr_forward(self, msg, a->next);
}

static void on_nested(tr_actor *self, const tr_answer *answer, void *arg)
{
    const struct asked *a = tr_state(self);
    (void)arg;
    if (answer->status < 0)
        tr_reply_error_to(self, a->nested, answer->status);
    else
        tr_reply_to(self, a->nested, answer->body);
}

// What time the next one has, who asks it to whom no time of its own.
static int asked_remaining(tr_actor *self, const tr_msg *msg)
{
    struct asked *a = tr_state(self);
    if (a->depth == 0)
        return tr_reply(self, msg, TR_V(tr_msg_remaining(self, msg)));
    int rc = asked_next(self);
    if (rc == 0)
        rc = tr_ask(self, a->next, tr_msg_name(msg), TR_NULL, NULL, NULL, on_nested, NULL);
    return rc < 0 ? rc : tr_reply_later(self, msg, &a->nested);
}

static int asked_with_buffer(tr_actor *self, const tr_msg *msg)
{
    tr_msg *reply = NULL;
    tr_buf *buf = tr_buf_ref(tr_msg_buf(msg, 0));
    int rc = tr_msg_new("reply", tr_msg_body(msg), &reply);
    if (rc == 0)
        rc = tr_msg_attach(reply, &buf);
    if (rc == 0)
        rc = tr_reply_msg(self, msg, &reply);
    tr_buf_unref(&buf);
    tr_msg_free(&reply);
    return rc;
}

static int asked_end(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "exit"))
        return tr_exit(self, (int)number_of(msg));
    if (tr_msg_is(msg, "fail"))
        return (int)number_of(msg);
    if (tr_msg_is(msg, "crash"))
        return theatre->crash(self), 0;
    int rc = asked_take(self, msg); // "take and exit"
    return rc < 0 ? rc : tr_exit(self, (int)number_of(msg));
}

static int asked_receive(tr_actor *self, const tr_msg *msg)
{
    static const struct {
        const char *name;
        int (*receive)(tr_actor *self, const tr_msg *msg);
    } KNOWN[] = {
        {"take", asked_take}, {"twice", asked_reply_twice},   {"pass", asked_pass},
        {"exit", asked_end},  {"remaining", asked_remaining}, {"buffer", asked_with_buffer},
        {"fail", asked_end},  {"crash", asked_end},           {"take and exit", asked_end},
    };
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        if (tr_msg_is(msg, KNOWN[i].name))
            return KNOWN[i].receive(self, msg);
    }
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "error"))
        return tr_reply_error(self, msg, (int)number_of(msg));
    if (tr_msg_is(msg, "nothing"))
        return 0;
    if (tr_msg_is(msg, "release"))
        return asked_release(self);
    if (tr_msg_is(msg, "release soon"))
        return tr_timer_start(self, TR_US(200), on_release, NULL, NULL);
    return TR_EUNKNOWN;
}

const tr_behavior asked = {.name = "asked",
                           .state_size = sizeof(struct asked),
                           .start = asked_start,
                           .receive = asked_receive};

// ---- One question after the other ----

static tr_addr kid;

struct question {
    const char *name;
    int64_t body;
    uint32_t timeout_ms;
    bool ends; // the one who is asked: the next question is for another one
};

static const struct question *question;

static void note_answer(const tr_answer *answer)
{
    int64_t body = -1;
    tr_as_int(answer->body, &body);
    if (answer->status == 0)
        note("%lld", (long long)body);
    else if (answer->status == TR_EDOWN)
        note_reason("TR_EDOWN", answer->reason);
    else
        note("%s", tr_errname(answer->status));
}

static int ask_question(tr_actor *self);

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    note_answer(answer);
    bool ends = question->ends;
    question++;
    int rc = !ends || question->name == NULL ? 0 : play_spawn(self, &asked, NULL, &kid);
    if (rc == 0)
        rc = ask_question(self);
    if (rc < 0)
        tr_exit(self, rc);
}

static int ask_question(tr_actor *self)
{
    if (question->name == NULL)
        return tr_exit(self, TR_NORMAL);
    return tr_ask(self, kid, question->name, TR_V(question->body),
                  TR_ASK(.timeout_ms = question->timeout_ms), NULL, on_answer, NULL);
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}

static const struct question *questions;

static int start_questions(tr_actor *self)
{
    question = questions;
    int rc = play_spawn(self, &asked, TR_SPAWN(.args = TR_V(3)), &kid);
    return rc < 0 ? rc : ask_question(self);
}

#define perform_questions(words, ...)                                                              \
    do {                                                                                           \
        questions = (const struct question[]){__VA_ARGS__, {NULL, 0, 0, false}};                   \
        perform(&(struct play){start_questions, receive_nothing, false}, words);                   \
    } while (0)

static void an_ask_ends_with_its_answer_or_with_an_error(void **state)
{
    (void)state;
    perform_questions("7 TR_EPIPE TR_EUNKNOWN TR_ENOREPLY 8", {"echo", 7, 0, false},
                      {"error", TR_EPIPE, 0, false}, {"what?", 0, 0, false},
                      {"nothing", 0, 0, false}, {"echo", 8, 0, false});
}

static void an_ask_that_nobody_answers_ends_at_its_deadline(void **state)
{
    (void)state;
    perform_questions("TR_ETIMEDOUT 8", {"take", 7, 5, false}, {"echo", 8, 0, false});
}

static void an_ask_ends_with_the_reason_of_the_one_who_was_asked(void **state)
{
    (void)state;
    perform_questions("TR_EDOWN=error(TR_EPIPE) TR_EDOWN=error(TR_EIO) TR_EDOWN=normal 8",
                      {"fail", TR_EPIPE, 0, true}, {"take and exit", TR_EIO, 0, true},
                      {"take and exit", 0, 0, true}, {"echo", 8, 0, false});
}

static void one_that_is_handed_on_is_answered_by_the_last(void **state)
{
    (void)state;
    perform_questions("7 8", {"pass", 7, 0, false}, {"pass", 8, 0, false});
}

static void an_ask_is_answered_once(void **state)
{
    (void)state;
    perform_questions("7", {"twice", 7, 0, false});
}

static void the_crash_of_a_process_ends_an_ask(void **state)
{
    (void)state;
    static const struct question crash[] = {
        {"crash", 0, 0, true}, {"echo", 8, 0, false}, {NULL, 0, 0, false}};
    questions = crash;
    perform(&(struct play){start_questions, receive_nothing, .processes = true},
            "TR_EDOWN=killed by signal 9 8");
}

// ---- Later ----

static int start_deferred(tr_actor *self)
{
    static const struct question once[] = {{"take", 7, 0, false}, {NULL, 0, 0, false}};
    questions = once;
    int rc = start_questions(self);
    return rc < 0 ? rc : tr_send(self, kid, "release soon", TR_NULL);
}

static void one_that_was_taken_is_answered_later(void **state)
{
    (void)state;
    perform(&(struct play){start_deferred, receive_nothing, false}, "7");
}

// Many at a time: each gets its own answer, though they come in the opposite order.
static int64_t open_asks, expected;

static void on_one_of_many(tr_actor *self, const tr_answer *answer, void *arg)
{
    int64_t body = -1;
    tr_as_int(answer->body, &body);
    if (answer->status != 0 || body != (int64_t)(intptr_t)arg || body != --expected)
        note("%s %lld", tr_errname(answer->status), (long long)body);
    if (--open_asks > 0)
        return;
    note("all");
    tr_exit(self, TR_NORMAL);
}

static int start_many(tr_actor *self)
{
    open_asks = expected = TAKEN_MAX;
    int rc = play_spawn(self, &asked, NULL, &kid);
    for (intptr_t i = 0; rc == 0 && i < TAKEN_MAX; i++)
        rc = tr_ask(self, kid, "take", TR_V((int64_t)i), NULL, NULL, on_one_of_many, (void *)i);
    return rc < 0 ? rc : tr_send(self, kid, "release", TR_NULL);
}

static void a_thousand_asks_each_get_their_own_answer(void **state)
{
    (void)state;
    perform(&(struct play){start_many, receive_nothing, false}, "all");
}

// ---- Late ----

static uint64_t late;

static bool one_was_late(tr_actor *self)
{
    return tr_node_late_answers(tr_node_of(self)) > late;
}

static void note_late(tr_actor *self, void *arg)
{
    (void)arg;
    note("%llu late", (unsigned long long)(tr_node_late_answers(tr_node_of(self)) - late));
    tr_exit(self, TR_NORMAL);
}

static void on_second(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    note_answer(answer);
    play_until(self, one_was_late, note_late);
}

// The second ask may well have the first one's place, and is open when the first one is answered.
static void on_first(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    note_answer(answer);
    int rc = tr_ask(self, kid, "take", TR_V(2), NULL, NULL, on_second, NULL);
    if (rc == 0)
        rc = tr_send(self, kid, "release", TR_NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static int start_late(tr_actor *self)
{
    late = tr_node_late_answers(tr_node_of(self));
    int rc = play_spawn(self, &asked, NULL, &kid);
    return rc < 0
               ? rc
               : tr_ask(self, kid, "take", TR_V(1), TR_ASK(.timeout_ms = 3), NULL, on_first, NULL);
}

static void a_late_answer_is_counted_and_never_taken_for_another_s(void **state)
{
    (void)state;
    perform(&(struct play){start_late, receive_nothing, false}, "TR_ETIMEDOUT 2 1 late");
}

static void on_unwanted(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    note("unwanted");
    note_answer(answer);
}

static int start_cancel(tr_actor *self)
{
    uint64_t ask = 0;
    late = tr_node_late_answers(tr_node_of(self));
    int rc = play_spawn(self, &asked, NULL, &kid);
    if (rc == 0)
        rc = tr_ask(self, kid, "echo", TR_V(1), NULL, &ask, on_unwanted, NULL);
    tr_ask_cancel(self, ask);
    tr_ask_cancel(self, ask);
    play_until(self, one_was_late, note_late);
    return rc;
}

static void an_ask_that_was_cancelled_is_silent(void **state)
{
    (void)state;
    perform(&(struct play){start_cancel, receive_nothing, false}, "1 late");
}

// An asker that ends, on the other loop. What is left of its asks hurts nobody.
static void on_forgotten(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)answer, (void)arg;
    tr_exit(self, TR_EBADMSG);
}

static int asker_start(tr_actor *self, const tr_val *args)
{
    tr_addr to = TR_NOBODY;
    int rc = tr_as_addr(*args, &to);
    for (int i = 0; rc == 0 && i < 10; i++)
        rc = tr_ask(self, to, "take", TR_V(i), NULL, NULL, on_forgotten, NULL);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

const tr_behavior asker = {.name = "asker", .start = asker_start};

static int start_forgotten(tr_actor *self)
{
    tr_addr who = TR_NOBODY;
    late = tr_node_late_answers(tr_node_of(self)) + 9;
    int rc = play_spawn(self, &asked, NULL, &kid);
    for (int i = 0; rc == 0 && i < 2; i++) // one of both is elsewhere
        rc = tr_spawn(self, &asker, TR_SPAWN(.placement = TR_SPREAD, .args = TR_V(kid)), &who);
    return rc < 0 ? rc : tr_monitor(self, who, NULL);
}

static bool ten_were_late(tr_actor *self)
{
    return tr_node_late_answers(tr_node_of(self)) >= late + 11;
}

static int receive_forgotten(tr_actor *self, const tr_msg *msg)
{
    note_reason("down", tr_msg_down(msg)->reason);
    play_until(self, ten_were_late, note_late);
    return tr_send(self, kid, "release soon", TR_NULL);
}

static void the_asks_of_one_that_has_ended_are_forgotten(void **state)
{
    (void)state;
    perform(&(struct play){start_forgotten, receive_forgotten, false}, "down=normal 11 late");
}

// ---- To the gone ----

static void on_gone(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    note("%s", play_gone(answer->status) ? "gone" : tr_errname(answer->status));
    tr_exit(self, TR_NORMAL);
}

static int start_ask_gone(tr_actor *self)
{
    int rc = play_spawn(self, &asked, NULL, &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(0));
}

static int receive_ask_gone(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    int rc = tr_ask(self, kid, "echo", TR_NULL, NULL, NULL, on_gone, NULL);
    if (rc < 0)
        on_gone(self, &(tr_answer){.status = rc}, NULL);
    return 0;
}

static void an_ask_to_one_that_has_ended_ends_at_once(void **state)
{
    (void)state;
    perform(&(struct play){start_ask_gone, receive_ask_gone, false}, "gone");
}

// ---- Time ----

static void on_remaining(tr_actor *self, const tr_answer *answer, void *arg)
{
    uint64_t left = 0, given = TR_MS((uintptr_t)arg);
    tr_as_uint(answer->body, &left);
    note(answer->status == 0 && left > 0 && left <= given ? "within" : "beyond");
    tr_exit(self, TR_NORMAL);
}

// Three more are asked in turn, each without a time of its own.
static int start_remaining(tr_actor *self)
{
    int rc = play_spawn(self, &asked, TR_SPAWN(.args = TR_V(3)), &kid);
    return rc < 0 ? rc
                  : tr_ask(self, kid, "remaining", TR_NULL, TR_ASK(.timeout_ms = 4000), NULL,
                           on_remaining, (void *)4000);
}

static void an_ask_within_an_ask_has_the_time_that_is_left(void **state)
{
    (void)state;
    perform(&(struct play){start_remaining, receive_nothing, false}, "within");
}

// ---- Promises, buffers, room ----

static int on_settled(tr_actor *self, int status, tr_val value, void *arg)
{
    int64_t body = -1;
    if (status == 0)
        tr_as_int(value, &body);
    note("%s %lld", status == 0 ? "0" : tr_errname(status), (long long)body);
    if (arg != NULL)
        tr_exit(self, TR_NORMAL);
    return 0;
}

static int ask_promise(tr_actor *self, const char *name, int64_t body, void *last)
{
    tr_promise *promise = NULL;
    int rc = tr_ask_promise(self, kid, name, TR_V(body), NULL, &promise);
    if (rc == 0)
        rc = tr_promise_then(promise, on_settled, last, NULL);
    tr_promise_unref(&promise);
    return rc;
}

static int start_promise(tr_actor *self)
{
    int rc = play_spawn(self, &asked, NULL, &kid);
    if (rc == 0)
        rc = ask_promise(self, "echo", 7, NULL);
    return rc < 0 ? rc : ask_promise(self, "error", TR_EPIPE, self);
}

static void an_ask_can_be_a_promise(void **state)
{
    (void)state;
    perform(&(struct play){start_promise, receive_nothing, false}, "0 7 TR_EPIPE -1");
}

static void on_buffer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    const tr_buf *buf = answer->msg == NULL ? NULL : tr_msg_buf(answer->msg, 0);
    bool same = buf != NULL && tr_buf_size(buf) == 5 && memcmp(tr_buf_data(buf), "bytes", 5) == 0;
    note_answer(answer);
    note(same && tr_addr_eq(tr_msg_from(answer->msg), kid) ? "same" : "different");
    tr_exit(self, TR_NORMAL);
}

static int start_buffer(tr_actor *self)
{
    tr_msg *msg = NULL;
    tr_buf *buf = NULL;
    int rc = play_spawn(self, &asked, NULL, &kid);
    if (rc == 0)
        rc = tr_buf_copy("bytes", 5, &buf);
    if (rc == 0)
        rc = tr_msg_new("buffer", TR_V(7), &msg);
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    if (rc == 0)
        rc = tr_ask_msg(self, kid, &msg, NULL, NULL, on_buffer, NULL);
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
    return rc;
}

static void asks_and_answers_carry_buffers(void **state)
{
    (void)state;
    perform(&(struct play){start_buffer, receive_nothing, false}, "7 same");
}

// One whose mailbox of one is full, and stays so, asks its parent.
static void on_full_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    tr_send(self, tr_parent(self), answer->status == 0 ? "answered" : "failed", TR_NULL);
}

static int full_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_mail_hold(self, true);
    if (rc == 0)
        rc = tr_send(self, tr_self(self), tr_msg_name(msg), TR_NULL);
    return rc < 0
               ? rc
               : tr_ask(self, tr_parent(self), "may I?", TR_NULL, NULL, NULL, on_full_answer, NULL);
}

const tr_behavior full = {.name = "full", .receive = full_receive};

static void on_refused(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
    note("called");
}

// It is full before its start, too: an ask finds no room, and there is none.
static int start_full(tr_actor *self)
{
    int rc = play_spawn(self, &full, TR_SPAWN(.mail_max = 1), &kid);
    if (rc == 0)
        rc = tr_send(self, kid, "full", TR_NULL);
    note_rc(tr_ask(self, kid, "echo", TR_NULL, NULL, NULL, on_refused, NULL));
    return rc;
}

static int receive_full(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is_ask(msg))
        return tr_reply(self, msg, TR_NULL);
    note("%s", tr_msg_name(msg));
    return tr_exit(self, TR_NORMAL);
}

static void an_answer_needs_no_room_but_an_ask_does(void **state)
{
    (void)state;
    perform(&(struct play){start_full, receive_full, false}, "TR_EFULL answered");
}

// An ask that a mailbox drops is told so.
static void on_dropped(tr_actor *self, const tr_answer *answer, void *arg)
{
    if (arg == NULL)
        tr_send(self, tr_parent(self), tr_errname(answer->status), TR_NULL);
}

static int dropping_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_ask(self, tr_self(self), "dropped", TR_NULL, NULL, NULL, on_dropped, NULL);
    return rc < 0 ? rc : tr_ask(self, tr_self(self), "kept", TR_NULL, NULL, NULL, on_dropped, self);
}

const tr_behavior dropping = {.name = "dropping", .start = dropping_start};

static int start_dropping(tr_actor *self)
{
    return play_spawn(self, &dropping, TR_SPAWN(.mail_max = 1, .mail_policy = TR_MAIL_DROP_OLDEST),
                      NULL);
}

static void an_ask_that_a_mailbox_drops_ends_at_once(void **state)
{
    (void)state;
    perform(&(struct play){start_dropping, receive_full, false}, "TR_EFULL");
}

int isolation_asks(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(an_ask_ends_with_its_answer_or_with_an_error),
        PLAY_TEST(an_ask_that_nobody_answers_ends_at_its_deadline),
        PLAY_TEST(an_ask_ends_with_the_reason_of_the_one_who_was_asked),
        PLAY_TEST(one_that_is_handed_on_is_answered_by_the_last),
        PLAY_TEST(an_ask_is_answered_once),
        PLAY_TEST(the_crash_of_a_process_ends_an_ask),
        PLAY_TEST(one_that_was_taken_is_answered_later),
        PLAY_TEST(a_thousand_asks_each_get_their_own_answer),
        PLAY_TEST(a_late_answer_is_counted_and_never_taken_for_another_s),
        PLAY_TEST(an_ask_that_was_cancelled_is_silent),
        PLAY_TEST(the_asks_of_one_that_has_ended_are_forgotten),
        PLAY_TEST(an_ask_to_one_that_has_ended_ends_at_once),
        PLAY_TEST(an_ask_within_an_ask_has_the_time_that_is_left),
        PLAY_TEST(an_ask_can_be_a_promise),
        PLAY_TEST(asks_and_answers_carry_buffers),
        PLAY_TEST(an_answer_needs_no_room_but_an_ask_does),
        PLAY_TEST(an_ask_that_a_mailbox_drops_ends_at_once),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
