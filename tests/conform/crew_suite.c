#include "conform/crew_suite.h"

static tr_addr kid, other;
static int64_t rounds;

static int end_play(tr_actor *self, const char *word)
{
    note("%s", word);
    return tr_exit(self, TR_NORMAL);
}

// ---- Addresses that travel ----

// Greets whomever it hears of.
static int greeter_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr to = TR_NOBODY;
    int rc = tr_as_addr(tr_msg_body(msg), &to);
    return rc < 0 ? rc : tr_send(self, to, "greeting", TR_NULL);
}

static const tr_behavior greeter = {.name = "greeter", .receive = greeter_receive};

// Passes on what it gets to its parent, once.
static int once_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_send(self, tr_parent(self), tr_msg_name(msg), TR_NULL);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static const tr_behavior once = {.name = "once", .receive = once_receive};

#define GREETINGS 200

// By turns on the other shared loop and on a thread of its own.
static int greet_next(tr_actor *self)
{
    tr_isolation isolation = rounds % 2 == 0 ? TR_SHARED : TR_THREAD;
    int rc =
        tr_spawn(self, &once, TR_SPAWN(.isolation = isolation, .placement = TR_SPREAD), &other);
    return rc < 0 ? rc : tr_send(self, kid, "greet", TR_V(other));
}

static int start_greetings(tr_actor *self)
{
    rounds = 0;
    int rc = tr_spawn(self, &greeter, TR_SPAWN(.isolation = TR_THREAD), &kid);
    return rc < 0 ? rc : greet_next(self);
}

static int receive_greetings(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    if (++rounds < (int64_t)play_many(GREETINGS))
        return greet_next(self);
    uint64_t lost = tr_node_dead_letters(tr_node_of(self));
    return end_play(self, lost == 0 ? "all" : "lost");
}

static void who_is_told_an_address_can_send_there_at_once(void **state)
{
    (void)state;
    perform(&(struct play){start_greetings, receive_greetings, false}, "all");
}

// ---- Threads that come and go ----

#define THREADS   200
#define REMEMBERS 8

static tr_addr before[REMEMBERS];
static uint64_t to_the_dead;

static int thread_next(tr_actor *self)
{
    int rc = tr_spawn(self, &once, TR_SPAWN(.isolation = TR_THREAD), &other);
    if (rc == 0)
        rc = tr_monitor(self, other, NULL);
    for (int i = 0; rc == 0 && i < REMEMBERS; i++) {
        if (tr_addr_eq(before[i], other))
            return end_play(self, "alias");
        if (before[i].node != 0)
            rc = tr_send(self, before[i], "alias", TR_NULL);
        to_the_dead += before[i].node != 0;
    }
    return rc < 0 ? rc : tr_send(self, other, "hello", TR_NULL);
}

static int start_threads(tr_actor *self)
{
    rounds = 0;
    to_the_dead = 0;
    memset(before, 0, sizeof before);
    return thread_next(self);
}

static bool all_counted(tr_actor *self)
{
    return tr_node_dead_letters(tr_node_of(self)) == to_the_dead;
}

static void threads_counted(tr_actor *self, void *arg)
{
    (void)arg;
    end_play(self, "all");
}

static int receive_threads(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "alias"))
        return end_play(self, "alias");
    if (tr_msg_down(msg) == NULL)
        return 0;
    before[rounds % REMEMBERS] = other;
    if (++rounds < (int64_t)play_many(THREADS))
        return thread_next(self);
    play_until(self, all_counted, threads_counted);
    return 0;
}

static void threads_come_and_go_and_no_address_comes_back(void **state)
{
    (void)state;
    perform(&(struct play){start_threads, receive_threads, false}, "all");
}

// ---- A child process of another loop ----

// In the process.
static int host_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t *numbers = tr_state(self);
    *numbers += tr_msg_is(msg, "number");
    if (tr_msg_is(msg, "count"))
        return tr_reply(self, msg, TR_V(*numbers));
    if (tr_msg_is(msg, "echo") || tr_msg_is(msg, "number"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "exit"))
        return tr_exit(self, (int)number_of(msg));
    if (tr_msg_is(msg, "crash"))
        return theatre->crash(self), 0;
    return tr_msg_is(msg, "nothing") ? 0 : TR_EUNKNOWN;
}

static const tr_behavior host = {
    .name = "host", .state_size = sizeof(int64_t), .receive = host_receive};

// On another loop. It sends many numbers to the process, which has room for one, asks it a few
// things, has it stop or crash, and tells its parent what it has seen.
#define NUMBERS 40

struct visitor {
    struct pump pump;
    char how[8];
    int64_t next;
    int answers;
};

static const char *const QUESTIONS[] = {"echo", "what?", "nothing"};
static const int ANSWERS[] = {0, TR_EUNKNOWN, TR_ENOREPLY};

static int visitor_tell(tr_actor *self, const char *what)
{
    return tr_send(self, tr_parent(self), what, TR_NULL);
}

static int visitor_end(tr_actor *self)
{
    const struct visitor *v = tr_state(self);
    if (strcmp(v->how, "stop") == 0)
        return tr_stop(self, v->pump.to);
    return tr_send(self, v->pump.to, v->how, TR_V(TR_EIO));
}

static void visitor_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct visitor *v = tr_state(self);
    (void)arg;
    if (answer->status != ANSWERS[v->answers])
        visitor_tell(self, tr_errname(answer->status));
    if (++v->answers == 3)
        visitor_tell(self, "answered");
}

static void visitor_ask(tr_actor *self, void *arg);

static int visitor_try(tr_actor *self)
{
    struct visitor *v = tr_state(self);
    int rc = 0;
    for (; rc == 0 && v->pump.count < 3; v->pump.count += rc == 0)
        rc = tr_ask(self, v->pump.to, QUESTIONS[v->pump.count], TR_NULL, NULL, NULL,
                    visitor_answered, NULL);
    return rc == TR_EFULL ? tr_on_writable(self, v->pump.to, visitor_ask, NULL) : rc;
}

static void visitor_ask(tr_actor *self, void *arg)
{
    (void)arg;
    if (visitor_try(self) < 0)
        tr_exit(self, TR_EBADMSG);
}

// Everything at once: what waits for room on the way must not be overtaken by the end.
static void visitor_pumped(tr_actor *self, void *arg)
{
    struct visitor *v = tr_state(self);
    (void)arg;
    v->pump.count = 0;
    int rc = visitor_try(self);
    if (rc == 0)
        rc = visitor_end(self);
    if (rc < 0)
        tr_exit(self, rc);
}

static int visitor_start(tr_actor *self, const tr_val *args)
{
    struct visitor *v = tr_state(self);
    tr_str how = {0};
    int rc = tr_get_addr(*args, "to", &v->pump.to);
    if (rc == 0)
        rc = tr_get_str(*args, "how", &how);
    if (rc == 0 && how.len < sizeof v->how)
        memcpy(v->how, how.ptr, how.len);
    if (rc == 0)
        rc = tr_monitor(self, v->pump.to, NULL);
    v->pump.count = NUMBERS;
    v->pump.done = visitor_pumped;
    if (rc == 0)
        pump_run(self, &v->pump);
    return rc;
}

static const char *kind_name(tr_reason_kind kind)
{
    static const char *const NAMES[] = {"normal", "shutdown",     "error",  "killed",
                                        "exited", "noconnection", "noactor"};
    return NAMES[kind];
}

static int visitor_receive(tr_actor *self, const tr_msg *msg)
{
    struct visitor *v = tr_state(self);
    const tr_down *down = tr_msg_down(msg);
    if (tr_msg_is(msg, "number"))
        return v->next += number_of(msg) == v->next, 0;
    if (down == NULL)
        return TR_EUNKNOWN;
    if (v->next != NUMBERS)
        visitor_tell(self, "lost");
    return tr_send(self, tr_parent(self), kind_name(down->reason.kind), TR_V(down->reason.code));
}

static const tr_behavior visitor = {.name = "visitor",
                                    .state_size = sizeof(struct visitor),
                                    .start = visitor_start,
                                    .receive = visitor_receive};

static const char *how;

static int start_visit(tr_actor *self)
{
    rounds = 0;
    int rc = tr_spawn(self, &host, TR_SPAWN(.isolation = TR_PROCESS, .mail_max = 1), &kid);
    return rc < 0
               ? rc
               : tr_spawn(self, &visitor,
                          TR_SPAWN(.isolation = TR_THREAD, .args = TR_MAP("to", kid, "how", how)),
                          NULL);
}

// Answers may overtake the mail, and do or do not.
static int receive_visit(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "answered"))
        return rounds++, 0;
    note("%s", tr_msg_name(msg));
    return end_play(self, rounds == 1 ? "answered" : "not answered");
}

static void perform_visit(const char *which, const char *words)
{
    how = which;
    perform(&(struct play){start_visit, receive_visit, false}, words);
}

static void a_child_of_another_loop_is_as_near_as_one_s_own(void **state)
{
    (void)state;
    perform_visit("stop", "shutdown answered");
    perform_visit("exit", "error answered");
    perform_visit("crash", "killed answered");
}

// In a process, on its first loop: fills the way to its parent while another actor there, whose
// words pass this loop, speaks and ends.
#define WORDS 300

static int talker_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr to = TR_NOBODY;
    int rc = tr_as_addr(tr_msg_body(msg), &to);
    for (int i = 0; rc == 0 && i < WORDS; i++)
        rc = tr_send(self, to, "word", TR_V(i));
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static const tr_behavior talker = {.name = "talker", .receive = talker_receive};

struct crowd {
    tr_addr talker;
    struct pump pump;
};

static int crowd_start(tr_actor *self, const tr_val *args)
{
    struct crowd *c = tr_state(self);
    (void)args;
    int rc = tr_spawn(self, &talker, TR_SPAWN(.isolation = TR_THREAD), &c->talker);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "talker", TR_V(c->talker));
}

static int crowd_receive(tr_actor *self, const tr_msg *msg)
{
    struct crowd *c = tr_state(self);
    c->pump = (struct pump){.to = tr_parent(self), .count = 10000};
    int rc = tr_send(self, c->talker, tr_msg_name(msg), TR_V(tr_parent(self)));
    if (rc == 0)
        pump_run(self, &c->pump);
    return rc;
}

static const tr_behavior crowd = {.name = "crowd",
                                  .state_size = sizeof(struct crowd),
                                  .start = crowd_start,
                                  .receive = crowd_receive};

static int start_crowd(tr_actor *self)
{
    rounds = 0;
    return tr_spawn(self, &crowd, TR_SPAWN(.isolation = TR_PROCESS), &kid);
}

static int receive_crowd(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "talker")) {
        int rc = tr_as_addr(tr_msg_body(msg), &other);
        if (rc == 0)
            rc = tr_monitor(self, other, NULL);
        return rc < 0 ? rc : tr_send(self, kid, "go", TR_NULL);
    }
    if (tr_msg_is(msg, "word"))
        return rounds += number_of(msg) == rounds, 0;
    if (tr_msg_down(msg) == NULL)
        return 0;
    return end_play(self, rounds == WORDS ? "all" : "lost");
}

static void an_end_waits_behind_the_last_words_on_every_way(void **state)
{
    (void)state;
    perform(&(struct play){start_crowd, receive_crowd, false}, "all");
}

// Threads that send to the process and end at once. Each takes the place of the one before, while
// what that has sent is still on its way.
#define LEAVERS 50
#define EACH    20

static int leaver_start(tr_actor *self, const tr_val *args)
{
    tr_addr to = TR_NOBODY;
    int rc = tr_as_addr(*args, &to);
    for (int i = 0; rc == 0 && i < EACH; i++)
        rc = tr_send(self, to, "number", TR_V(i));
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static const tr_behavior leaver = {.name = "leaver", .start = leaver_start};

static int leaver_next(tr_actor *self)
{
    int rc = tr_spawn(self, &leaver, TR_SPAWN(.isolation = TR_THREAD, .args = TR_V(kid)), &other);
    return rc < 0 ? rc : tr_monitor(self, other, NULL);
}

static int start_leavers(tr_actor *self)
{
    rounds = 0;
    int rc = tr_spawn(self, &host, TR_SPAWN(.isolation = TR_PROCESS, .mail_max = 1), &kid);
    return rc < 0 ? rc : leaver_next(self);
}

static void leavers_count(tr_actor *self, void *arg);

static void leavers_counted(tr_actor *self, const tr_answer *answer, void *arg)
{
    int64_t count = -1;
    (void)arg;
    tr_as_int(answer->body, &count);
    if (answer->status < 0 || count >= rounds * EACH)
        end_play(self, count == rounds * EACH ? "all" : "not all");
    else
        leavers_count(self, NULL);
}

static void leavers_count(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = tr_ask(self, kid, "count", TR_NULL, NULL, NULL, leavers_counted, NULL);
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, kid, leavers_count, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static int receive_leavers(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg)->reason.kind != TR_REASON_NORMAL)
        return TR_EBADMSG;
    if (++rounds < LEAVERS)
        return leaver_next(self);
    leavers_count(self, NULL);
    return 0;
}

static void what_a_thread_has_sent_arrives_when_it_has_ended(void **state)
{
    (void)state;
    perform(&(struct play){start_leavers, receive_leavers, false}, "all");
}

// ---- In the midst of things ----

// A bee spawns others, sends to and asks and monitors all that it knows of, and ends; whoever has
// spawned it spawns another.
struct bee {
    int64_t depth;
    tr_addr known[8];
    unsigned count, ticks;
};

static const tr_behavior bee;

static void bee_learn(struct bee *b, tr_addr addr)
{
    b->known[b->count++ % 8] = addr;
}

static int bee_spawn(tr_actor *self, tr_isolation isolation)
{
    struct bee *b = tr_state(self);
    tr_addr addr = TR_NOBODY;
    int rc = tr_spawn(self, &bee,
                      TR_SPAWN(.isolation = isolation, .placement = TR_SPREAD, .mail_max = 2,
                               .args = TR_LIST(b->depth - 1, tr_self(self), b->known[0],
                                               b->known[1], b->known[2])),
                      &addr);
    if (rc < 0)
        return rc;
    bee_learn(b, addr);
    return tr_monitor(self, addr, NULL);
}

static void bee_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
}

static int bee_run(void *buf)
{
    return tr_buf_size(buf) == 1 ? 0 : TR_EIO;
}

static void bee_release(void *buf)
{
    tr_buf *b = buf;
    tr_buf_unref(&b);
}

static void bee_done(tr_actor *self, int status, void *buf, void *arg)
{
    (void)arg;
    bee_release(buf);
    if (status < 0)
        tr_exit(self, status);
}

static void bee_work(tr_actor *self)
{
    tr_buf *buf = NULL;
    int rc = tr_buf_new(1, &buf);
    if (rc == 0)
        rc = tr_work(self, bee_run, buf, TR_WORK(.release = bee_release), bee_done, NULL);
    if (rc < 0)
        tr_buf_unref(&buf);
}

static void bee_room(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

static void bee_tick(tr_actor *self, void *arg)
{
    struct bee *b = tr_state(self);
    tr_addr to = b->known[b->ticks++ % 8];
    (void)arg;
    if (to.node == 0)
        return;
    tr_ask(self, to, "echo", TR_NULL, TR_ASK(.timeout_ms = 1), NULL, bee_answered, NULL);
    while (tr_send(self, to, "number", TR_V(1)) == 0 && ++b->ticks % 7 != 0)
        continue;
    tr_on_writable(self, to, bee_room, NULL);
    bee_work(self);
    if (b->ticks % 3 == 0)
        tr_monitor(self, to, NULL);
    if (b->depth < 2 && b->ticks > 30)
        tr_exit(self, b->ticks % 2 == 0 ? TR_NORMAL : TR_SHUTDOWN);
}

static int bee_start(tr_actor *self, const tr_val *args)
{
    struct bee *b = tr_state(self);
    tr_val item = TR_NULL;
    b->depth = 2;
    if (tr_at(*args, 0, &item) == 0)
        tr_as_int(item, &b->depth);
    for (size_t i = 1; tr_at(*args, i, &item) == 0; i++) {
        tr_addr addr = TR_NOBODY;
        tr_as_addr(item, &addr);
        bee_learn(b, addr);
    }
    for (int i = TR_PROCESS; b->depth > 0 && i >= TR_SHARED; i--) {
        if (i != TR_PROCESS || b->depth == 2)
            bee_spawn(self, (tr_isolation)i);
    }
    return tr_interval_start(self, TR_US(50), bee_tick, NULL, NULL);
}

static int bee_receive(tr_actor *self, const tr_msg *msg)
{
    const struct bee *b = tr_state(self);
    if (tr_msg_down(msg) != NULL && b->depth > 0)
        bee_spawn(self, b->depth == 2 && b->ticks % 16 == 0 ? TR_PROCESS : TR_THREAD);
    return tr_msg_is_ask(msg) ? tr_reply(self, msg, TR_NULL) : 0;
}

static const tr_behavior bee = {
    .name = "bee", .state_size = sizeof(struct bee), .start = bee_start, .receive = bee_receive};

static void on_enough(tr_actor *self, void *arg)
{
    (void)arg;
    note("enough");
    tr_exit(self, TR_NORMAL);
}

static int start_swarm(tr_actor *self)
{
    int rc = tr_spawn(self, &bee, NULL, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(20), on_enough, NULL, NULL);
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}

// ---- A flood from all sides ----

#define FLOODERS  8
#define FLOOD_MAX 64   // messages in the mailbox
#define OWN       2000 // messages from its own loop

// Sends without end to whom it has been told of.
static int flooder_start(tr_actor *self, const tr_val *args)
{
    struct pump *pump = tr_state(self);
    pump->count = INT64_MAX;
    int rc = tr_as_addr(*args, &pump->to);
    if (rc == 0)
        pump_run(self, pump);
    return rc;
}

static const tr_behavior flooder = {
    .name = "flooder", .state_size = sizeof(struct pump), .start = flooder_start};

static void flooded_go_on(tr_actor *self, void *arg)
{
    (void)arg;
    tr_mail_hold(self, false);
}

// So many messages in one iteration, so that those of all sides wait.
static int flooded_receive(tr_actor *self, const tr_msg *msg)
{
    uint32_t *handled = tr_state(self);
    (void)msg;
    if (++*handled % (FLOOD_MAX / 4) != 0)
        return 0;
    int rc = tr_mail_hold(self, true);
    return rc < 0 ? rc : tr_immediate(self, flooded_go_on, NULL);
}

static const tr_behavior flooded = {
    .name = "flooded", .state_size = sizeof(uint32_t), .receive = flooded_receive};

static void own_sent(tr_actor *self, void *pump)
{
    (void)pump;
    end_play(self, "all");
}

static int start_flood(tr_actor *self)
{
    static struct pump own;
    own = (struct pump){.count = (int64_t)play_many(OWN), .done = own_sent};
    int rc =
        tr_spawn(self, &flooded, TR_SPAWN(.placement = TR_HERE, .mail_max = FLOOD_MAX), &own.to);
    for (int i = 0; rc == 0 && i < FLOODERS; i++)
        rc = tr_spawn(self, &flooder, TR_SPAWN(.isolation = TR_THREAD, .args = TR_V(own.to)), NULL);
    if (rc == 0)
        rc = tr_timer_start(self, TR_MS(1), pump_run, &own, NULL); // when they are at it
    return rc;
}

// Goal:   who sends from the loop that a mailbox lives on has its turn, too, however many others
//         fill it from theirs.
// Method: threads send without end; one beside the receiver sends so many, and is done.
static void a_flood_from_other_loops_leaves_room_for_its_own(void **state)
{
    (void)state;
    perform(&(struct play){start_flood, receive_nothing, false}, "all");
}

static void a_node_ends_in_order_whatever_its_actors_do(void **state)
{
    (void)state;
    perform(&(struct play){start_swarm, receive_nothing, false}, "enough");
}

static void a_node_can_be_closed_in_the_midst_of_things(void **state)
{
    (void)state;
    perform_cut(&(struct play){start_swarm, receive_nothing, false});
}

static int suite(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(who_is_told_an_address_can_send_there_at_once),
        PLAY_TEST(threads_come_and_go_and_no_address_comes_back),
        PLAY_TEST(a_child_of_another_loop_is_as_near_as_one_s_own),
        PLAY_TEST(an_end_waits_behind_the_last_words_on_every_way),
        PLAY_TEST(what_a_thread_has_sent_arrives_when_it_has_ended),
        PLAY_TEST(a_flood_from_other_loops_leaves_room_for_its_own),
        PLAY_TEST(a_node_ends_in_order_whatever_its_actors_do),
        PLAY_TEST(a_node_can_be_closed_in_the_midst_of_things),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}

int crew_main(int argc, char **argv, const struct theatre *at)
{
    return play_main(argc, argv, at, TR_APP(&first, &host, &crowd, &bee, &flooder), suite);
}
