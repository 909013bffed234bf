// Real children of one parent that reach each other without it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/ipc.h"

#define PROCESS(document) TR_SPAWN(.isolation = TR_PROCESS, .args = (document))

// What a child says to whoever has spawned it when it is done, and whether all was right.
static int done(tr_actor *self, bool right)
{
    return tr_send(self, tr_parent(self), "done", TR_V(right));
}

static bool is_right(const tr_msg *msg)
{
    bool right = false;
    return tr_as_bool(tr_msg_body(msg), &right) == 0 && right;
}

// ---- Numbers ----

#define NUMBERS 10000u

// Counts what it gets, in order.
struct counter {
    uint64_t next;
    bool disorder;
};

static int counter_receive(tr_actor *self, const tr_msg *msg)
{
    struct counter *c = tr_state(self);
    uint64_t number = UINT64_MAX;
    if (tr_msg_is(msg, "count"))
        return tr_reply(self, msg, TR_V(c->disorder ? UINT64_MAX : c->next));
    c->disorder |= tr_as_uint(tr_msg_body(msg), &number) < 0 || number != c->next;
    c->next++;
    return 0;
}
static const tr_behavior counter = {
    .name = "counter", .state_size = sizeof(struct counter), .receive = counter_receive};

// Sends them, has them counted, and then talks on while its parent is stopped.
static struct {
    tr_addr to;
    uint64_t count, next, talks;
    bool stopped;
} tale;

static void teller_count(tr_actor *self, tr_answered cb)
{
    int rc = tr_ask(self, tale.to, "count", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL, cb, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static bool is_stopped(pid_t pid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file != NULL && fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    if (file != NULL)
        fclose(file);
    const char *name_end = strrchr(line, ')');
    return name_end != NULL && name_end[1] != '\0' && name_end[2] == 'T';
}

static void teller_talked(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (answer->status == 0 && ++tale.talks < 1000) {
        teller_count(self, teller_talked);
        return;
    }
    bool silent = is_stopped(getppid());
    kill(getppid(), SIGCONT);
    done(self, answer->status == 0 && silent);
}

static void teller_stop_parent(tr_actor *self, void *arg)
{
    (void)arg;
    if (!tale.stopped)
        kill(getppid(), SIGSTOP);
    tale.stopped = true;
    if (is_stopped(getppid()))
        teller_count(self, teller_talked);
    else if (tr_immediate(self, teller_stop_parent, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
}

static void teller_counted(tr_actor *self, const tr_answer *answer, void *arg)
{
    uint64_t count = 0;
    if (answer->status == 0 && tr_as_uint(answer->body, &count) == 0 && count == tale.count)
        teller_stop_parent(self, arg);
    else
        done(self, false);
}

static void teller_tell(tr_actor *self, void *arg)
{
    int rc = 0;
    while (rc == 0 && tale.next < tale.count) {
        rc = tr_send(self, tale.to, "number", TR_V(tale.next));
        tale.next += rc == 0;
    }
    if (rc == TR_EFULL)
        tr_on_writable(self, tale.to, teller_tell, arg);
    else if (rc < 0)
        tr_exit(self, rc);
    else
        teller_count(self, teller_counted);
}

static int teller_start(tr_actor *self, const tr_val *args)
{
    int rc = TR_READ(*args, "to", &tale.to, "count", &tale.count);
    if (rc == 0)
        teller_tell(self, NULL);
    return rc;
}
static const tr_behavior teller = {.name = "teller", .start = teller_start};

// The parent of both, in a process of its own so that it can be stopped.
static int house_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    int rc = tr_spawn(self, &counter, PROCESS(TR_NULL), &addr);
    return rc < 0 ? rc : tr_spawn(self, &teller, PROCESS(TR_MAP("to", addr, "count", *args)), NULL);
}

static int house_receive(tr_actor *self, const tr_msg *msg)
{
    done(self, is_right(msg));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior house = {.name = "house", .start = house_start, .receive = house_receive};

// ---- Each test: somebody who begins it, and hears what comes of it ----

static struct {
    unsigned done, wrong;
} seen;

static int street_start(tr_actor *self, const tr_val *args)
{
    return tr_spawn(self, &house, PROCESS(*args), NULL);
}

static int street_receive(tr_actor *self, const tr_msg *msg)
{
    seen.done++;
    seen.wrong += !is_right(msg);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior street = {
    .name = "street", .start = street_start, .receive = street_receive};

// ---- Both at once ----

// A twin has a hand that sends numbers to the other one, and gets as many from it; it says so, and
// then how many descriptors it has, behind what its parent has told it. With threads all of them
// are on other loops than the links: the hands, and those who have the twins.
enum { TWO = 2, EACH = 1000 };

static tr_isolation apart(bool threads)
{
    return threads ? TR_THREAD : TR_SHARED;
}

struct hand {
    tr_addr to;
    unsigned sent;
};

static void hand_go(tr_actor *self, void *arg)
{
    struct hand *h = tr_state(self);
    int rc = 0;
    while (rc == 0 && h->sent < EACH) {
        rc = tr_send(self, h->to, "number", TR_V(h->sent));
        h->sent += rc == 0;
    }
    if (rc == TR_EFULL)
        tr_on_writable(self, h->to, hand_go, arg);
    else if (rc < 0)
        tr_exit(self, rc);
}

static int hand_start(tr_actor *self, const tr_val *args)
{
    struct hand *h = tr_state(self);
    int rc = tr_as_addr(*args, &h->to);
    hand_go(self, NULL);
    return rc;
}
static const tr_behavior hand = {
    .name = "hand", .state_size = sizeof(struct hand), .start = hand_start};

struct twin {
    tr_addr house;
    unsigned got;
    bool threads, wrong;
};

static int twin_descriptors(tr_actor *self, const struct twin *t)
{
    return tr_send(self, t->house, "descriptors", TR_V(tr_test_descriptors(getpid())));
}

static int twin_start(tr_actor *self, const tr_val *args)
{
    struct twin *t = tr_state(self);
    int rc = TR_READ(*args, "house", &t->house, "threads", &t->threads);
    return rc < 0 ? rc : twin_descriptors(self, t);
}

static int twin_receive(tr_actor *self, const tr_msg *msg)
{
    struct twin *t = tr_state(self);
    uint64_t number = UINT64_MAX;
    if (tr_msg_is(msg, "descriptors"))
        return twin_descriptors(self, t);
    if (tr_msg_is(msg, "go"))
        return tr_spawn(self, &hand,
                        TR_SPAWN(.isolation = apart(t->threads), .args = tr_msg_body(msg)), NULL);
    tr_as_uint(tr_msg_body(msg), &number);
    t->wrong |= number != t->got++;
    return t->got == EACH ? tr_send(self, t->house, "done", TR_V((bool)!t->wrong)) : 0;
}
static const tr_behavior twin = {.name = "twin",
                                 .state_size = sizeof(struct twin),
                                 .start = twin_start,
                                 .receive = twin_receive};

static int nurse_start(tr_actor *self, const tr_val *args)
{
    return tr_spawn(self, &twin, PROCESS(*args), NULL);
}
static const tr_behavior nurse = {.name = "nurse", .start = nurse_start};

static struct {
    tr_addr twins[TWO];
    uint64_t before[TWO], after[TWO];
    unsigned here, told;
} twins;

static int twins_start(tr_actor *self, const tr_val *args)
{
    bool threads;
    int rc = tr_as_bool(*args, &threads);
    for (int i = 0; rc == 0 && i < TWO; i++)
        rc = tr_spawn(self, &nurse,
                      TR_SPAWN(.isolation = apart(threads),
                               .args = TR_MAP("house", tr_self(self), "threads", threads)),
                      NULL);
    return rc;
}

static int twins_ask(tr_actor *self, const char *what)
{
    int rc = tr_send(self, twins.twins[0], what, TR_V(twins.twins[1]));
    return rc < 0 ? rc : tr_send(self, twins.twins[1], what, TR_V(twins.twins[0]));
}

static int twins_here(tr_actor *self, const tr_msg *msg)
{
    twins.twins[twins.here] = tr_msg_from(msg);
    int rc = tr_as_uint(tr_msg_body(msg), &twins.before[twins.here]);
    return ++twins.here < TWO || rc < 0 ? rc : twins_ask(self, "go");
}

static int twins_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "done")) {
        seen.wrong += !is_right(msg);
        return ++seen.done < TWO ? 0 : twins_ask(self, "descriptors");
    }
    if (seen.done == 0)
        return twins_here(self, msg);
    tr_as_uint(tr_msg_body(msg), &twins.after[!tr_addr_eq(tr_msg_from(msg), twins.twins[0])]);
    return ++twins.told < TWO ? 0 : tr_exit(self, TR_NORMAL);
}
static const tr_behavior twins_house = {
    .name = "twins", .start = twins_start, .receive = twins_receive};

// ---- Death ----

enum { LAST_WORDS = 100, WAYS = 4 };

static void mortal_die(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    raise(SIGKILL);
}

// Says its last words, which leave when the loop polls; and then dies, or ends.
static int mortal_receive(tr_actor *self, const tr_msg *msg)
{
    bool dies = tr_msg_is(msg, "die");
    int rc = 0;
    for (int i = 0; rc == 0 && i < LAST_WORDS; i++)
        rc = tr_send(self, tr_msg_from(msg), "word", TR_V(i));
    if (rc < 0)
        return rc;
    return dies ? tr_immediate(self, mortal_die, NULL) : tr_exit(self, TR_NORMAL);
}

static int mortal_start(tr_actor *self, const tr_val *args)
{
    return tr_send(self, tr_parent(self), "born", *args);
}
static const tr_behavior mortal = {
    .name = "mortal", .start = mortal_start, .receive = mortal_receive};

// Is told of one after the other, each to die in some way; monitors it, asks it something that is
// never answered, and hears its last words in order, if it has come to say any.
struct witness {
    tr_addr whom;
    int words;
    bool answered, down, right, must_speak;
    tr_reason_kind end;
};

static int witness_over(tr_actor *self)
{
    struct witness *w = tr_state(self);
    if (!w->answered || !w->down)
        return 0;
    w->right &= w->words == LAST_WORDS || (w->words == 0 && !w->must_speak);
    return done(self, w->right);
}

static void witness_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct witness *w = tr_state(self);
    (void)arg;
    w->right &= !w->answered && (answer->status == TR_EDOWN || answer->status == TR_ENOREPLY);
    w->answered = true;
    witness_over(self);
}

static int witness_begin(tr_actor *self, const tr_msg *msg)
{
    struct witness *w = tr_state(self);
    *w = (struct witness){.right = true};
    bool dies = true;
    int rc = TR_READ(tr_msg_body(msg), "whom", &w->whom, "dies", &dies, "speaks", &w->must_speak);
    w->end = dies ? TR_REASON_NOCONNECTION : TR_REASON_NORMAL;
    if (rc == 0)
        rc = tr_monitor(self, w->whom, NULL);
    if (rc == 0)
        rc = tr_ask(self, w->whom, dies ? "die" : "end", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL,
                    witness_answered, NULL);
    if (rc == TR_EDOWN) {
        w->answered = true;
        rc = 0;
    }
    return rc;
}

static int witness_receive(tr_actor *self, const tr_msg *msg)
{
    struct witness *w = tr_state(self);
    const tr_down *down = tr_msg_down(msg);
    int64_t word = -1;
    if (tr_msg_is(msg, "descriptors"))
        return tr_reply(self, msg, TR_V(tr_test_descriptors(getpid())));
    if (tr_msg_is(msg, "word")) {
        tr_as_int(tr_msg_body(msg), &word);
        w->right &= !w->down && word == w->words++;
        return 0;
    }
    if (down == NULL)
        return witness_begin(self, msg);
    w->right &= !w->down && tr_addr_eq(down->addr, w->whom) &&
                (down->reason.kind == w->end || down->reason.kind == TR_REASON_NOCONNECTION);
    w->down = true;
    return witness_over(self);
}
static const tr_behavior witness = {
    .name = "witness", .state_size = sizeof(struct witness), .receive = witness_receive};

static struct {
    tr_addr witness, mortal;
    uint64_t count, at;
    uint64_t before, after;     // descriptors of the witness
    uint64_t mine_before, mine; // and here
    bool told, gone;            // of the one that is about to die
    bool always_speaks;
} grave;

static int grave_next(tr_actor *self);

static void grave_counted(tr_actor *self, const tr_answer *answer, void *arg)
{
    uint64_t *count = arg;
    tr_as_uint(answer->body, count);
    if (count == &grave.before)
        grave_next(self);
    else
        tr_exit(self, TR_NORMAL);
}

static int grave_count(tr_actor *self, uint64_t *count)
{
    return tr_ask(self, grave.witness, "descriptors", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL,
                  grave_counted, count);
}

// The witness is told at once, or when it has said that it is there; and it is killed from here at
// once, or by itself.
static int grave_tell(tr_actor *self, bool dies, bool speaks)
{
    return tr_send(self, grave.witness, "witness",
                   TR_MAP("whom", grave.mortal, "dies", dies, "speaks", speaks));
}

static int grave_kill(tr_actor *self)
{
    int64_t pid;
    int rc = tr_child_pid(self, grave.mortal, &pid);
    if (rc == 0)
        kill((pid_t)pid, SIGKILL);
    return rc;
}

static int grave_next(tr_actor *self)
{
    unsigned way = grave.always_speaks ? 2 : grave.at % WAYS;
    grave.told = grave.gone = false;
    grave.mine = tr_test_descriptors(getpid());
    if (grave.at == 1)
        grave.mine_before = grave.mine;
    if (grave.at++ == grave.count)
        return grave_count(self, &grave.after);
    int rc = tr_spawn(self, &mortal, PROCESS(TR_V(way)), &grave.mortal);
    if (rc == 0)
        rc = tr_monitor(self, grave.mortal, NULL);
    if (rc == 0 && way < 2)
        rc = grave_tell(self, true, false);
    if (rc == 0 && way == 0)
        rc = grave_kill(self);
    return rc;
}

static int grave_born(tr_actor *self, const tr_msg *msg)
{
    uint64_t way = 0;
    tr_as_uint(tr_msg_body(msg), &way);
    if (way == 1)
        return grave_kill(self);
    return way == 0 ? 0 : grave_tell(self, way == 2, true);
}

static int grave_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "born"))
        return grave_born(self, msg);
    if (tr_msg_is(msg, "done")) {
        seen.done++;
        seen.wrong += !is_right(msg);
        grave.told = true;
    }
    grave.gone |= tr_msg_down(msg) != NULL;
    return grave.told && grave.gone ? grave_next(self) : 0;
}

static int grave_start(tr_actor *self, const tr_val *args)
{
    int rc = TR_READ(*args, "count", &grave.count, "speaks", &grave.always_speaks);
    if (rc == 0)
        rc = tr_spawn(self, &witness, PROCESS(TR_NULL), &grave.witness);
    return rc < 0 ? rc : grave_count(self, &grave.before);
}
static const tr_behavior grave_house = {
    .name = "grave", .start = grave_start, .receive = grave_receive};

// ---- Handles, and streams ----

// Serves what it is handed, or hands it on; or dies with it in its hands.
static tr_addr server_next;

static int server_start(tr_actor *self, const tr_val *args)
{
    (void)self;
    return args->type == TR_TYPE_NULL ? 0 : tr_as_addr(*args, &server_next);
}

static int server_receive(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    tr_stream stream;
    if (tr_msg_is(msg, "die"))
        raise(SIGKILL);
    if (server_next.node != 0)
        return tr_forward(self, msg, server_next);
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_stream_attach(self, &handle, NULL, &stream);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, stream, "ok", 2);
    if (rc >= 0)
        rc = tr_stream_end(self, stream);
    tr_handle_close(&handle);
    return rc;
}
static const tr_behavior server = {
    .name = "server", .start = server_start, .receive = server_receive};

// Accepts one connection, hands it on and ends; or hands it to one who dies, and serves it itself.
static struct {
    tr_addr to;
    bool dies;
} door;

static int door_hand_on(tr_actor *self, tr_handle **handle)
{
    tr_msg *msg = NULL;
    int rc = door.dies ? tr_send(self, door.to, "die", TR_NULL) : 0;
    if (rc == 0)
        rc = tr_msg_new("connection", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, handle);
    if (rc == 0)
        rc = tr_send_msg(self, door.to, &msg);
    tr_msg_free(&msg);
    return rc < 0 || door.dies ? rc : tr_exit(self, TR_NORMAL);
}

static void door_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr_handle *handle = NULL;
    (void)arg;
    int rc = tr_stream_detach(self, stream, &handle);
    if (rc == 0)
        rc = door_hand_on(self, &handle);
    if (rc < 0)
        tr_exit(self, rc);
    tr_handle_close(&handle);
}

static int door_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX];
    tr_server listener;
    int rc = TR_READ(*args, "to", &door.to, "dies", &door.dies);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, door_accepted, NULL, &listener);
    if (rc == 0)
        rc = tr_server_address(self, listener, address);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "address", TR_V(address));
}

static int door_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_returned *returned = tr_msg_returned(msg);
    return returned != NULL && returned->why == TR_EDOWN ? server_receive(self, msg) : TR_EUNKNOWN;
}
static const tr_behavior doorman = {
    .name = "doorman", .start = door_start, .receive = door_receive};

static struct {
    char got[8];
    size_t size;
} client;

static void client_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t room = sizeof client.got - client.size, size = tr_buf_size(chunk);
    (void)self, (void)stream, (void)arg;
    memcpy(client.got + client.size, tr_buf_data(chunk), size < room ? size : room);
    client.size += size < room ? size : room;
}

static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)status, (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int client_start(tr_actor *self, const tr_val *args)
{
    tr_addr last, addr;
    int rc = tr_spawn(self, &server, PROCESS(TR_NULL), &last);
    if (rc == 0)
        rc = tr_spawn(self, &server, PROCESS(TR_V(last)), &addr);
    return rc < 0 ? rc : tr_spawn(self, &doorman, PROCESS(TR_MAP("to", addr, "dies", *args)), NULL);
}

static int client_receive(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events events = {.data = client_data, .closed = client_closed};
    char address[TR_ADDRESS_MAX] = "";
    tr_stream stream;
    tr_str text;
    int rc = tr_as_str(tr_msg_body(msg), &text);
    if (rc == 0 && text.len < sizeof address)
        memcpy(address, text.ptr, text.len);
    if (rc == 0)
        rc = tr_connect(self, address, NULL, &stream);
    return rc < 0 ? rc : tr_stream_on(self, stream, &events, NULL);
}
static const tr_behavior client_house = {
    .name = "client", .start = client_start, .receive = client_receive};

// ---- A large message before there is a link, and a stream ----

enum { LARGE = 1 << 20 };

struct reader {
    bool right;
};

static void reader_has_all(tr_actor *self, int status, tr_buf *all, void *arg)
{
    const struct reader *r = tr_state(self);
    (void)arg;
    done(self, r->right && status == 0 && tr_buf_size(all) == LARGE);
}

static void reader_through(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg; // reader_has_all has heard
}

static int reader_receive(tr_actor *self, const tr_msg *msg)
{
    struct reader *r = tr_state(self);
    tr_offer offer;
    tr_stream streams[2];
    if (tr_msg_is(msg, "large")) {
        r->right = tr_msg_buf_count(msg) == 1 && tr_buf_size(tr_msg_buf(msg, 0)) == LARGE;
        return 0;
    }
    int rc = tr_as_offer(tr_msg_body(msg), &offer);
    if (rc == 0)
        rc = tr_stream_accept(self, &offer, NULL, &streams[0]);
    if (rc == 0)
        rc = tr_collector(self, NULL, &streams[1], reader_has_all, NULL);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, reader_through, NULL);
}
static const tr_behavior reader = {
    .name = "reader", .state_size = sizeof(struct reader), .receive = reader_receive};

static int giver_send(tr_actor *self, tr_addr to, tr_buf **large)
{
    tr_msg *msg = NULL;
    int rc = tr_msg_new("large", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach(msg, large);
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_msg_free(&msg);
    return rc;
}

static int giver_start(tr_actor *self, const tr_val *args)
{
    tr_buf *large = NULL, *chunk = NULL;
    tr_stream source;
    tr_offer offer;
    tr_addr to;
    int rc = tr_as_addr(*args, &to);
    if (rc == 0)
        rc = tr_buf_zeroed(LARGE, &large);
    if (rc == 0) {
        chunk = tr_buf_ref(large);
        rc = giver_send(self, to, &large);
    }
    if (rc == 0)
        rc = tr_source(self, &chunk, 1, NULL, &source);
    if (rc == 0)
        rc = tr_stream_offer_read(self, source, NULL, &offer);
    if (rc == 0)
        rc = tr_send(self, to, "read", tr_val_offer(&offer));
    tr_buf_unref(&large);
    tr_buf_unref(&chunk);
    return rc;
}
static const tr_behavior giver = {.name = "giver", .start = giver_start};

static int gifts_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &reader, PROCESS(TR_NULL), &addr);
    return rc < 0 ? rc : tr_spawn(self, &giver, PROCESS(TR_V(addr)), NULL);
}
static const tr_behavior gifts = {.name = "gifts", .start = gifts_start, .receive = street_receive};

#define APP                                                                                        \
    TR_APP(&street, &house, &counter, &teller, &twin, &mortal, &witness, &server, &doorman,        \
           &reader, &giver)

// ---- The tests ----

static void run(const tr_behavior *first, tr_val args)
{
    memset(&seen, 0, sizeof seen);
    assert_int_equal(0, TR_RUN(APP, first, args));
    assert_int_equal(0, seen.wrong);
}

// Goal:   siblings have a link of their own, which keeps the order of messages.
// Method: numbers, more than a window; then their parent is stopped, and they go on.
static void siblings_talk_while_their_parent_is_stopped(void **state)
{
    (void)state;
    run(&street, TR_V(NUMBERS));
    assert_int_equal(1, seen.done);
}

// Goal:   there is one link, whoever has asked for it.
// Method: both have the other's address at the same time, and each has one more descriptor in the
//         end.
static void two_who_ask_at_once_have_one_link(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        memset(&twins, 0, sizeof twins);
        run(&twins_house, TR_FALSE);
        assert_int_equal(TWO, seen.done);
        assert_int_equal(twins.before[0] + 1, twins.after[0]);
        assert_int_equal(twins.before[1] + 1, twins.after[1]);
    }
}

// Goal:   the same wherever the links and the actors are.
static void siblings_may_be_on_any_loop(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        memset(&twins, 0, sizeof twins);
        run(&twins_house, TR_TRUE);
        assert_int_equal(TWO, seen.done);
    }
}

// Goal:   a sibling's death is heard after its last words.
static void a_sibling_that_is_killed_is_told_of_after_its_last_words(void **state)
{
    (void)state;
    memset(&grave, 0, sizeof grave);
    run(&grave_house, TR_MAP("count", 5, "speaks", TR_TRUE));
    assert_int_equal(5, seen.done);
}

// Goal:   whenever a sibling dies, each ask ends and each monitor is told once, and no descriptor
//         is left anywhere.
// Method: it is killed as it starts, as it is met, and by what it is asked; or ends in order.
static void siblings_may_die_while_they_are_introduced(void **state)
{
    (void)state;
    uint64_t count = ipc_scaled(100) / WAYS * WAYS + 2; // the last one is heard of by its link
    memset(&grave, 0, sizeof grave);
    run(&grave_house, TR_MAP("count", count, "speaks", TR_FALSE));
    assert_int_equal(count, seen.done);
    assert_int_equal(grave.before, grave.after);
    assert_int_equal(grave.mine_before, grave.mine);
}

static void a_connection_can_be_left_to_a_sibling_who_hands_it_on(void **state)
{
    (void)state;
    memset(&client, 0, sizeof client);
    run(&client_house, TR_FALSE);
    assert_int_equal(2, client.size);
    assert_memory_equal("ok", client.got, 2);
}

static void a_connection_comes_back_from_a_sibling_that_is_killed(void **state)
{
    (void)state;
    memset(&client, 0, sizeof client);
    run(&client_house, TR_TRUE);
    assert_int_equal(2, client.size);
    assert_memory_equal("ok", client.got, 2);
}

static void large_messages_and_streams_go_between_siblings(void **state)
{
    (void)state;
    run(&gifts, TR_NULL);
    assert_int_equal(1, seen.done);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(large_messages_and_streams_go_between_siblings),
    TR_PROCESS_TEST(siblings_talk_while_their_parent_is_stopped),
    TR_PROCESS_TEST(two_who_ask_at_once_have_one_link),
    TR_PROCESS_TEST(siblings_may_be_on_any_loop),
    TR_PROCESS_TEST(a_sibling_that_is_killed_is_told_of_after_its_last_words),
    TR_PROCESS_TEST(siblings_may_die_while_they_are_introduced),
    TR_PROCESS_TEST(a_connection_can_be_left_to_a_sibling_who_hands_it_on),
    TR_PROCESS_TEST(a_connection_comes_back_from_a_sibling_that_is_killed),
};
TR_TEST_MAIN("ipc/siblings", APP, tests)
