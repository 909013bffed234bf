// Ends: how an actor comes to its end, who hears of it, and what goes with it.
#include <stdio.h>

#include "conform/isolation_suite.h"

// ---- One that does what it is told ----

// Its start may say where it is to end, and with which reason: {"in": "timer", "with": -5}.
struct mortal {
    int64_t with;
    bool trap;
    tr_addr kid;
};

static void on_end(tr_actor *self, void *arg)
{
    const struct mortal *m = tr_state(self);
    (void)arg;
    tr_exit(self, (int)m->with);
}

static void on_answer_end(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)answer;
    on_end(self, arg);
}

static int mortal_end_in(tr_actor *self, tr_str where)
{
    const struct mortal *m = tr_state(self);
    if (tr_str_eq(where, "start"))
        return tr_exit(self, (int)m->with);
    if (tr_str_eq(where, "result"))
        return (int)m->with;
    if (tr_str_eq(where, "timer"))
        return tr_timer_start(self, TR_US(100), on_end, NULL, NULL);
    if (tr_str_eq(where, "immediate"))
        return tr_immediate(self, on_end, NULL);
    if (tr_str_eq(where, "tick"))
        return tr_next_tick(self, on_end, NULL);
    if (tr_str_eq(where, "microtask"))
        return tr_microtask(self, on_end, NULL);
    if (tr_str_eq(where, "room"))
        return tr_on_writable(self, tr_parent(self), on_end, NULL);
    if (tr_str_eq(where, "answer"))
        return tr_ask(self, tr_self(self), "?", TR_NULL, NULL, NULL, on_answer_end, NULL);
    return 0;
}

static int mortal_start(tr_actor *self, const tr_val *args)
{
    struct mortal *m = tr_state(self);
    tr_str where = {0};
    tr_get_int(*args, "with", &m->with);
    tr_get_bool(*args, "trap", &m->trap);
    tr_trap_exit(self, m->trap);
    return tr_get_str(*args, "in", &where) == 0 ? mortal_end_in(self, where) : 0;
}

static int mortal_spawn(tr_actor *self, const tr_msg *msg)
{
    struct mortal *m = tr_state(self);
    int rc = play_spawn(self, &mortal, NULL, &m->kid);
    return rc < 0 ? rc : tr_reply(self, msg, TR_V(m->kid));
}

// Tells its parent about its own children: they may be out of reach for that.
static int mortal_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_exit(msg) != NULL) {
        bool shutdown = tr_msg_exit(msg)->reason.kind == TR_REASON_SHUTDOWN;
        return tr_send(self, tr_parent(self), shutdown ? "asked" : "why?", TR_NULL);
    }
    if (tr_msg_is(msg, "exit"))
        return tr_exit(self, (int)number_of(msg));
    if (tr_msg_is(msg, "fail"))
        return (int)number_of(msg);
    if (tr_msg_is(msg, "number"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "spawn"))
        return mortal_spawn(self, msg);
    return TR_EUNKNOWN;
}

// What is sent here still goes out, and another reason comes too late.
static void mortal_stop(tr_actor *self, tr_reason reason)
{
    tr_exit(self, TR_EBADMSG);
    tr_send(self, tr_parent(self), "last", TR_V((int)reason.kind));
}

const tr_behavior mortal = {.name = "mortal",
                            .state_size = sizeof(struct mortal),
                            .start = mortal_start,
                            .receive = mortal_receive,
                            .stop = mortal_stop};

// ---- The first actor ----

static tr_addr kid;
static uint64_t monitors[2];
static int64_t next;
static int downs;

static int spawn_watched(tr_actor *self, tr_val args)
{
    int rc = play_spawn(self, &mortal, TR_SPAWN(.args = args), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, &monitors[0]);
}

static int end_play(tr_actor *self, int rc)
{
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static void on_end_play(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

// Time for what must not come.
static int end_play_later(tr_actor *self)
{
    return tr_timer_start(self, TR_MS(2), on_end_play, NULL, NULL);
}

// ---- Reasons ----

static const struct end {
    const char *in, *message; // one of both
    int with;
} ENDS[] = {
    {"start", NULL, TR_NORMAL},       {"start", NULL, TR_SHUTDOWN},  {"start", NULL, TR_EIO},
    {"result", NULL, TR_EIO},         {"result", NULL, TR_SHUTDOWN}, {"timer", NULL, TR_NORMAL},
    {"timer", NULL, TR_EIO},          {"immediate", NULL, TR_EIO},   {"tick", NULL, TR_EIO},
    {"microtask", NULL, TR_SHUTDOWN}, {"room", NULL, TR_EIO},        {"answer", NULL, TR_EIO},
    {NULL, "exit", TR_NORMAL},        {NULL, "exit", TR_SHUTDOWN},   {NULL, "exit", TR_EPIPE},
    {NULL, "fail", TR_EPIPE},         {NULL, "fail", TR_SHUTDOWN},
};
#define ENDS_COUNT (int)(sizeof ENDS / sizeof *ENDS)

static int begin_end(tr_actor *self)
{
    const struct end *e = &ENDS[next];
    if (e->in != NULL)
        return spawn_watched(self, TR_MAP("in", e->in, "with", e->with));
    int rc = spawn_watched(self, TR_NULL);
    return rc < 0 ? rc : tr_send(self, kid, e->message, TR_V(e->with));
}

static int start_reasons(tr_actor *self)
{
    next = 0;
    return begin_end(self);
}

static bool reason_is(tr_reason reason, int code)
{
    if (code == TR_NORMAL || code == TR_SHUTDOWN)
        return reason.kind == (code == TR_NORMAL ? TR_REASON_NORMAL : TR_REASON_SHUTDOWN);
    return reason.kind == TR_REASON_ERROR && reason.code == code;
}

static int receive_reasons(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL) // "last", sent in its stop
        return downs++, 0;
    const struct end *e = &ENDS[next];
    if (!reason_is(down->reason, e->with)) {
        note("%s %d", e->in != NULL ? e->in : e->message, e->with);
        note_reason("ended", down->reason);
    }
    if (++next < ENDS_COUNT)
        return begin_end(self);
    note("%d", downs);
    return tr_exit(self, TR_NORMAL);
}

static int start_reasons_anew(tr_actor *self)
{
    downs = 0;
    return start_reasons(self);
}

static void an_actor_ends_with_the_reason_that_it_gave_wherever_it_gave_it(void **state)
{
    (void)state;
    char words[16];
    snprintf(words, sizeof words, "%d", ENDS_COUNT);
    perform(&(struct play){start_reasons_anew, receive_reasons, false}, words);
}

// ---- Monitors ----

#define NUMBERS 20

static int start_last_words(tr_actor *self)
{
    next = 0;
    downs = 0;
    int rc = spawn_watched(self, TR_NULL);
    if (rc == 0)
        rc = tr_monitor(self, kid, &monitors[1]);
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_send(self, kid, "number", TR_V(i));
    return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(TR_EIO));
}

static int receive_last_words(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (tr_msg_is(msg, "number"))
        next += number_of(msg) == next;
    else if (down == NULL)
        note("%lld %s", (long long)next, tr_msg_name(msg));
    else if (down->monitor == monitors[0] || down->monitor == monitors[1])
        note_reason(tr_addr_eq(down->addr, kid) && tr_msg_is(msg, "down") ? "down" : "?",
                    down->reason);
    return down != NULL && ++downs == 2 ? end_play_later(self) : 0;
}

static void each_monitor_tells_once_behind_the_last_message(void **state)
{
    (void)state;
    perform(&(struct play){start_last_words, receive_last_words, false},
            "20 last down=error(TR_EIO) down=error(TR_EIO)");
}

static int start_gone(tr_actor *self)
{
    downs = 0;
    return spawn_watched(self, TR_MAP("in", "start"));
}

static int receive_gone(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL)
        return 0;
    if (downs++ == 0) {
        note_reason("down", down->reason);
        return tr_monitor(self, kid, &monitors[1]);
    }
    bool gone =
        down->reason.kind == (play_in_process() ? TR_REASON_NOCONNECTION : TR_REASON_NOACTOR);
    note(gone && down->monitor == monitors[1] ? "gone" : "there?");
    return end_play_later(self);
}

static void a_monitor_of_one_that_has_ended_says_so(void **state)
{
    (void)state;
    perform(&(struct play){start_gone, receive_gone, false}, "down=normal gone");
}

// The first of three monitors is taken back at once, the last one when it has told already.
static int start_demonitor(tr_actor *self)
{
    uint64_t unwanted = 0;
    downs = 0;
    int rc = play_spawn(self, &mortal, NULL, &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, &unwanted);
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = tr_monitor(self, kid, &monitors[i]);
    tr_demonitor(self, unwanted);
    return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(0));
}

static int receive_demonitor(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL)
        return 0;
    note_reason("down", down->reason);
    tr_demonitor(self, monitors[0]);
    tr_demonitor(self, monitors[1]);
    return end_play_later(self);
}

static void a_monitor_that_was_taken_back_is_silent(void **state)
{
    (void)state;
    perform(&(struct play){start_demonitor, receive_demonitor, false}, "down=normal");
}

static int start_false_notice(tr_actor *self)
{
    int rc = tr_send(self, tr_self(self), "down", TR_MAP("reason", "normal", "code", 0));
    return rc < 0 ? rc : tr_send(self, tr_self(self), "exit", TR_NULL);
}

static int receive_false_notice(tr_actor *self, const tr_msg *msg)
{
    note("%s", tr_msg_down(msg) == NULL && tr_msg_exit(msg) == NULL ? "false" : "true");
    return tr_msg_is(msg, "exit") ? tr_exit(self, TR_NORMAL) : 0;
}

static void nobody_can_send_a_false_notice(void **state)
{
    (void)state;
    perform(&(struct play){start_false_notice, receive_false_notice, false}, "false false");
}

// ---- Asked to stop ----

static int start_stop(tr_actor *self)
{
    next = 0;
    int rc = spawn_watched(self, TR_NULL);
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_send(self, kid, "number", TR_V(i));
    if (rc == 0)
        rc = tr_stop(self, kid);
    return rc < 0 ? rc : tr_send(self, kid, "number", TR_V(NUMBERS));
}

static int receive_stop(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "number"))
        return next += number_of(msg) == next, 0;
    if (tr_msg_down(msg) == NULL)
        return note("%lld %s", (long long)next, tr_msg_name(msg)), 0;
    note_reason("down", tr_msg_down(msg)->reason);
    return end_play_later(self);
}

static void one_that_is_asked_to_stop_first_handles_what_the_asker_has_sent(void **state)
{
    (void)state;
    perform(&(struct play){start_stop, receive_stop, false}, "20 last down=shutdown");
}

static int start_trap(tr_actor *self)
{
    next = 0;
    int rc = spawn_watched(self, TR_MAP("trap", tr_val_bool(true)));
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_send(self, kid, "number", TR_V(i));
    return rc; // it is not asked before it has started: it would not trap yet
}

static int receive_trap(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "number") && number_of(msg) == 0) {
        int rc = tr_send(self, kid, "number", TR_V(NUMBERS));
        next++;
        return rc < 0 ? rc : tr_stop(self, kid);
    }
    if (tr_msg_is(msg, "asked")) {
        note("%lld asked", (long long)next);
        return tr_send(self, kid, "exit", TR_V(TR_EPIPE));
    }
    return receive_stop(self, msg);
}

static void one_that_traps_exits_hears_of_it_behind_the_asker_s_mail(void **state)
{
    (void)state;
    perform(&(struct play){start_trap, receive_trap, false},
            "21 asked 21 last down=error(TR_EPIPE)");
}

// ---- Families ----

// The kid has a child, which has one, too. When the kid ends they all do. (In processes only the
// kid is within reach: that it has ended says that its children have, for it waits for them.)
static tr_addr family[3];
static bool ended[3];

static int start_family(tr_actor *self)
{
    memset(ended, 0, sizeof ended);
    int rc = spawn_watched(self, TR_NULL);
    family[0] = kid;
    next = 1;
    return rc < 0 ? rc : tr_send(self, kid, "spawn", TR_NULL);
}

static int family_grows(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_as_addr(tr_msg_body(msg), &family[next]);
    if (rc == 0 && !play_in_process())
        rc = tr_monitor(self, family[next], NULL);
    if (rc < 0 || ++next == 3)
        return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(TR_EIO));
    return play_in_process() ? tr_send(self, kid, "exit", TR_V(TR_EIO))
                             : tr_send(self, family[1], "spawn", TR_NULL);
}

static int receive_family(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL)
        return tr_msg_is(msg, "spawn") ? family_grows(self, msg) : 0;
    for (int i = 0; i < 3; i++) {
        if (tr_addr_eq(down->addr, family[i]))
            ended[i] = reason_is(down->reason, i == 0 ? TR_EIO : TR_SHUTDOWN);
    }
    if (!play_in_process() && ++downs < 3)
        return 0;
    note(ended[0] && (play_in_process() || (ended[1] && ended[2])) ? "all" : "not all");
    return end_play(self, 0);
}

static int start_family_anew(tr_actor *self)
{
    downs = 0;
    return start_family(self);
}

static void children_and_theirs_end_with_their_parent(void **state)
{
    (void)state;
    perform(&(struct play){start_family_anew, receive_family, false}, "all");
}

// ---- To those who are gone ----

static tr_msg *kept;
static uint64_t letters;
static int gone;

static int start_to_the_gone(tr_actor *self)
{
    int rc = spawn_watched(self, TR_NULL);
    if (rc == 0)
        rc = tr_send(self, kid, "number", TR_V(0));
    return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(0));
}

static bool all_are_gone(tr_actor *self)
{
    return tr_node_dead_letters(tr_node_of(self)) == letters + (uint64_t)gone;
}

static void note_gone(tr_actor *self, void *arg)
{
    (void)arg;
    note("gone");
    tr_exit(self, TR_NORMAL);
}

// What is refused at once, or becomes a dead letter there.
static void count_gone(int rc)
{
    if (rc == 0)
        gone++;
    else if (!play_gone(rc))
        note_rc(rc);
}

static int receive_to_the_gone(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "number"))
        return tr_msg_copy(msg, &kept);
    if (tr_msg_down(msg) == NULL)
        return 0;
    letters = tr_node_dead_letters(tr_node_of(self));
    gone = 1; // a reply is never refused
    note_rc(tr_reply(self, kept, TR_NULL));
    count_gone(tr_send(self, kid, "hello?", TR_NULL));
    int rc = tr_stop(self, kid);
    if (rc < 0 && !play_gone(rc))
        note_rc(rc);
    count_gone(tr_send_msg(self, kid, &kept));
    tr_msg_free(&kept);
    play_until(self, all_are_gone, note_gone);
    return 0;
}

static void what_is_sent_to_one_that_has_ended_is_refused_or_counted(void **state)
{
    (void)state;
    perform(&(struct play){start_to_the_gone, receive_to_the_gone, false}, "0 gone");
}

// Who waits for room in a mailbox whose actor ends is called.
static void on_room(tr_actor *self, void *arg)
{
    (void)arg;
    letters = tr_node_dead_letters(tr_node_of(self));
    gone = 0;
    count_gone(tr_send(self, kid, "hello?", TR_NULL));
    if (play_in_process())
        gone = 0; // what a process is sent while it ends, it counts itself
    play_until(self, all_are_gone, note_gone);
}

static int start_full_and_gone(tr_actor *self)
{
    int rc =
        play_spawn(self, &mortal, TR_SPAWN(.mail_max = 1, .args = TR_MAP("in", "start")), &kid);
    if (rc == 0)
        rc = tr_send(self, kid, "number", TR_NULL);
    if (rc == 0)
        note_rc(tr_send(self, kid, "number", TR_NULL));
    return rc < 0 ? rc : tr_on_writable(self, kid, on_room, NULL);
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}

static void who_waits_for_room_is_called_when_the_other_has_ended(void **state)
{
    (void)state;
    perform(&(struct play){start_full_and_gone, receive_nothing, false}, "TR_EFULL gone");
}

// ---- Timers ----

// Tells its parent in which order its timers fire; one that is cleared does not, and one that is
// armed when it ends does not, either.
struct punctual {
    uint64_t start;
    int order[4];
    tr_timer interval;
    int periods;
};

static void on_due(tr_actor *self, void *arg)
{
    const struct punctual *p = tr_state(self);
    const int *ms = arg;
    bool early = tr_now(self) - p->start < TR_MS(*ms);
    tr_send(self, tr_parent(self), "number", TR_V(early ? -1 : *ms));
}

static void on_period(tr_actor *self, void *arg)
{
    struct punctual *p = tr_state(self);
    (void)arg;
    if (++p->periods < 4)
        return;
    tr_timer_clear(self, p->interval);
    tr_exit(self, TR_NORMAL);
}

static int punctual_start(tr_actor *self, const tr_val *args)
{
    static const int DELAYS[] = {3, 1, 2, 0};
    struct punctual *p = tr_state(self);
    tr_timer unwanted;
    (void)args;
    p->start = tr_now(self);
    int rc = tr_timer_start(self, TR_MS(1), on_due, NULL, &unwanted);
    tr_timer_clear(self, unwanted);
    for (int i = 0; rc == 0 && i < 4; i++) {
        p->order[i] = DELAYS[i];
        rc = tr_timer_start(self, TR_MS(DELAYS[i]), on_due, &p->order[i], NULL);
    }
    if (rc == 0)
        rc = tr_timer_start(self, TR_S(3600), on_due, NULL, NULL);
    return rc < 0 ? rc : tr_interval_start(self, TR_MS(1), on_period, NULL, &p->interval);
}

const tr_behavior punctual = {
    .name = "punctual", .state_size = sizeof(struct punctual), .start = punctual_start};

static int start_timers(tr_actor *self)
{
    int rc = play_spawn(self, &punctual, NULL, &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int receive_timers(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return note("%lld", (long long)number_of(msg)), 0;
    note_reason("down", tr_msg_down(msg)->reason);
    return tr_exit(self, TR_NORMAL);
}

static void timers_fire_in_their_order_and_end_with_their_actor(void **state)
{
    (void)state;
    perform(&(struct play){start_timers, receive_timers, false}, "0 1 2 3 down=normal");
}

int isolation_ends(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(an_actor_ends_with_the_reason_that_it_gave_wherever_it_gave_it),
        PLAY_TEST(each_monitor_tells_once_behind_the_last_message),
        PLAY_TEST(a_monitor_of_one_that_has_ended_says_so),
        PLAY_TEST(a_monitor_that_was_taken_back_is_silent),
        PLAY_TEST(nobody_can_send_a_false_notice),
        PLAY_TEST(one_that_is_asked_to_stop_first_handles_what_the_asker_has_sent),
        PLAY_TEST(one_that_traps_exits_hears_of_it_behind_the_asker_s_mail),
        PLAY_TEST(children_and_theirs_end_with_their_parent),
        PLAY_TEST(what_is_sent_to_one_that_has_ended_is_refused_or_counted),
        PLAY_TEST(timers_fire_in_their_order_and_end_with_their_actor),
        PLAY_TEST(who_waits_for_room_is_called_when_the_other_has_ended),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
