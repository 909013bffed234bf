// Links between the children of one parent, whatever the schedule: who meets whom first, and who
// dies when. Every test runs over many seeds, each twice: the same seed is the same run.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/node.h"
#include "remote/remote.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS seeds_of(200)

static struct sim_nodes nodes;
static uint64_t seed;
static char heard[256];

static void note(const char *word)
{
    size_t size = strlen(heard);
    snprintf(heard + size, sizeof heard - size, "%s%s", size == 0 ? "" : " ", word);
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static uint64_t run(const tr_app *app, uint32_t loops)
{
    heard[0] = '\0';
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, app);
    nodes.loops = loops;
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void perform(const tr_app *app, const char *words)
{
    tr_log_set(warn_nobody, NULL);
    for (seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = run(app, 1);
        assert_string_equal(words, heard);
        assert_int_equal(hash, run(app, 1));
    }
}

// ---- All at once ----

// A house has kids, whose links are on different loops of it. Each has two clerks for each of its
// siblings, spread over its own loops: a clerk monitors that one, sends it numbers, and asks it how
// many it has got. In half of the runs one of the kids dies in the midst of it.
enum { KIDS = 3, CLERKS = 2 * (KIDS - 1), NUMBERS = 25, NOBODY = KIDS };

// What kids have seen. They are all of this process.
static struct {
    unsigned got, disorder;
    unsigned asked[KIDS], answered[KIDS], failed[KIDS], downs[KIDS];
    uint64_t introductions;
    unsigned victim;
} seen;

struct clerk {
    unsigned me;
    tr_addr to;
    int next;
};

static void clerk_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct clerk *c = tr_state(self);
    uint64_t got = 0;
    (void)arg;
    if (answer->status != 0)
        seen.failed[c->me]++;
    else if (tr_as_uint(answer->body, &got) == 0 && got >= NUMBERS)
        seen.answered[c->me]++;
}

static void clerk_go(tr_actor *self, void *arg)
{
    struct clerk *c = tr_state(self);
    int rc = 0;
    (void)arg;
    while (rc == 0 && c->next < NUMBERS) {
        rc = tr_send(self, c->to, "number", TR_MAP("from", tr_self(self), "n", c->next));
        c->next += rc == 0;
    }
    if (rc == TR_EFULL) {
        tr_on_writable(self, c->to, clerk_go, NULL);
        return;
    }
    seen.asked[c->me]++;
    rc = tr_ask(self, c->to, "sum", TR_NULL, NULL, NULL, clerk_answered, NULL);
    seen.failed[c->me] += rc < 0;
}

static int clerk_start(tr_actor *self, const tr_val *args)
{
    struct clerk *c = tr_state(self);
    int rc = TR_READ(*args, "me", &c->me, "to", &c->to);
    if (rc == 0)
        rc = tr_monitor(self, c->to, NULL);
    if (rc == 0)
        clerk_go(self, NULL);
    return rc;
}

static int clerk_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    struct clerk *c = tr_state(self);
    seen.downs[c->me] += down != NULL && down->reason.kind == TR_REASON_NOCONNECTION;
    return 0;
}
static const tr_behavior clerk = {.name = "clerk",
                                  .state_size = sizeof(struct clerk),
                                  .start = clerk_start,
                                  .receive = clerk_receive};

struct kid {
    unsigned me, got;
    struct {
        tr_addr from;
        int next;
    } heard[CLERKS];
};

static void kid_crash(tr_actor *self, void *arg)
{
    (void)arg;
    sim_nodes_kill(&nodes, self, SIGKILL);
}

static int kid_start(tr_actor *self, const tr_val *args)
{
    struct kid *k = tr_state(self);
    uint64_t us;
    int rc = TR_READ(*args, "me", &k->me, "us", &us);
    if (rc == 0 && k->me == seen.victim)
        rc = tr_timer_start(self, TR_US(us), kid_crash, NULL, NULL);
    return rc;
}

static int kid_go(tr_actor *self, const struct kid *k, const tr_msg *msg)
{
    tr_val addr;
    int rc = 0;
    for (tr_iter it = tr_iter_of(tr_msg_body(msg)); rc == 0 && tr_iter_next(&it, NULL, &addr);) {
        tr_addr to;
        rc = tr_as_addr(addr, &to);
        for (int i = 0; rc == 0 && i < 2 && !tr_addr_eq(to, tr_self(self)); i++)
            rc = tr_spawn(self, &clerk,
                          TR_SPAWN(.placement = TR_SPREAD, .args = TR_MAP("me", k->me, "to", to)),
                          NULL);
    }
    return rc;
}

static int kid_number(struct kid *k, const tr_msg *msg)
{
    tr_addr from;
    int number, i = 0;
    int rc = TR_READ(tr_msg_body(msg), "from", &from, "n", &number);
    if (rc < 0)
        return rc;
    while (i < CLERKS - 1 && k->heard[i].from.node != 0 && !tr_addr_eq(k->heard[i].from, from))
        i++;
    seen.disorder += k->heard[i].next > 0 && !tr_addr_eq(k->heard[i].from, from);
    seen.disorder += number != k->heard[i].next++;
    k->heard[i].from = from;
    k->got++;
    seen.got++;
    return 0;
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    struct kid *k = tr_state(self);
    if (tr_msg_is(msg, "number"))
        return kid_number(k, msg);
    return tr_msg_is(msg, "sum") ? tr_reply(self, msg, TR_V(k->got)) : kid_go(self, k, msg);
}
static const tr_behavior kid = {
    .name = "kid", .state_size = sizeof(struct kid), .start = kid_start, .receive = kid_receive};

// Has a kid, on whatever loop it is placed.
static int nurse_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), &addr);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "kid", TR_V(addr));
}
static const tr_behavior nurse = {.name = "nurse", .start = nurse_start};

struct house {
    tr_val kids[KIDS];
    tr_addr addrs[KIDS];
    unsigned count;
};

static void house_over(tr_actor *self, void *arg)
{
    const tr__remote *remote = self->loop->remote;
    (void)arg;
    seen.introductions = remote->introductions;
    for (unsigned i = 0; i < KIDS; i++) {
        unsigned ended = seen.answered[i] + seen.failed[i];
        if (i != seen.victim && (ended != seen.asked[i] || ended != CLERKS))
            note("an ask has not ended");
        if (i != seen.victim && seen.downs[i] != (seen.victim == NOBODY ? 0 : 2))
            note("not one down each");
        if (seen.victim == NOBODY && seen.failed[i] > 0)
            note("an ask has failed");
    }
    tr_exit(self, TR_NORMAL);
}

static int house_start(tr_actor *self, const tr_val *args)
{
    int rc = tr_timer_start(self, TR_S(20), house_over, NULL, NULL);
    (void)args;
    for (unsigned i = 0; rc == 0 && i < KIDS; i++)
        rc = tr_spawn(
            self, &nurse,
            TR_SPAWN(.placement = TR_SPREAD, .args = TR_MAP("me", i, "us", seed * 37 % 4000)),
            NULL);
    return rc;
}

// All are told of all as soon as they have an address: some have no process that has begun yet.
static int house_receive(tr_actor *self, const tr_msg *msg)
{
    struct house *h = tr_state(self);
    int rc = tr_as_addr(tr_msg_body(msg), &h->addrs[h->count++]);
    if (rc < 0 || h->count < KIDS)
        return rc;
    for (unsigned i = 0; i < KIDS; i++)
        h->kids[i] = TR_V(h->addrs[i]);
    for (unsigned i = 0; rc == 0 && i < KIDS; i++) {
        rc = tr_send(self, h->addrs[i], "go", tr_val_list(h->kids, KIDS));
        rc = rc == TR_EDOWN ? 0 : rc;
    }
    return rc;
}
static const tr_behavior house = {.name = "house",
                                  .state_size = sizeof(struct house),
                                  .start = house_start,
                                  .receive = house_receive};

static uint64_t run_house(unsigned victim, uint32_t loops)
{
    memset(&seen, 0, sizeof seen);
    seen.victim = victim;
    uint64_t hash = run(TR_APP(&house, &kid), loops);
    assert_string_equal("", heard);
    assert_int_equal(0, seen.disorder);
    return hash;
}

static void all_reach_each_other_in_order_and_once(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    for (seed = 0; seed < SEEDS; seed++) {
        uint32_t loops = 1 + (uint32_t)(seed % 3);
        uint64_t hash = run_house(NOBODY, loops);
        assert_int_equal(KIDS * CLERKS * NUMBERS, seen.got);
        assert_in_range(seen.introductions, KIDS,
                        2 * KIDS); // three pairs, asked for by one or both
        assert_int_equal(0, nodes.dead_letters);
        assert_int_equal(hash, run_house(NOBODY, loops));
    }
}

static void whoever_dies_is_told_of_once_and_whatever_it_was_asked_ends(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    for (seed = 0; seed < SEEDS; seed++) {
        uint32_t loops = 1 + (uint32_t)(seed % 3);
        uint64_t hash = run_house((unsigned)(seed % KIDS), loops);
        assert_int_equal(hash, run_house((unsigned)(seed % KIDS), loops));
    }
}

// ---- Nobody there ----

// Asks, monitors and sends to a node that there never was, and to a sibling that has left.
struct seeker {
    tr_addr whom[2];
    unsigned at, ends;
};

static void seeker_go(tr_actor *self);

static void seeker_ended(tr_actor *self, bool right)
{
    struct seeker *s = tr_state(self);
    if (!right)
        note("wrong");
    if (++s->ends < 2)
        return;
    if (tr_send(self, s->whom[s->at], "again", TR_NULL) != TR_EDOWN)
        note("it is asked for again");
    s->ends = 0;
    s->at++;
    seeker_go(self);
}

static void seeker_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    seeker_ended(self, answer->status == TR_EDOWN);
}

static void seeker_go(tr_actor *self)
{
    struct seeker *s = tr_state(self);
    if (s->at == 2) {
        note(tr_node_dead_letters(tr_node_of(self)) == 4 ? "four" : "not four");
        tr_send(self, tr_parent(self), "done", TR_NULL);
        return;
    }
    tr_addr to = s->whom[s->at];
    if (tr_send(self, to, "hello", TR_NULL) != 0 || tr_monitor(self, to, NULL) != 0 ||
        tr_ask(self, to, "who", TR_NULL, NULL, NULL, seeker_answered, NULL) != 0)
        note("not accepted");
}

static int seeker_start(tr_actor *self, const tr_val *args)
{
    struct seeker *s = tr_state(self);
    s->whom[0] = (tr_addr){12345, 1};
    int rc = tr_as_addr(*args, &s->whom[1]);
    seeker_go(self);
    return rc;
}

static int seeker_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down != NULL)
        seeker_ended(self, down->reason.kind == TR_REASON_NOCONNECTION);
    return 0;
}
static const tr_behavior seeker = {.name = "seeker",
                                   .state_size = sizeof(struct seeker),
                                   .start = seeker_start,
                                   .receive = seeker_receive};

static int gone_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior gone = {.name = "gone", .start = gone_start};

static int lost_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &gone, TR_SPAWN(.isolation = TR_PROCESS), &addr);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int lost_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    return down == NULL
               ? tr_exit(self, TR_NORMAL)
               : tr_spawn(self, &seeker,
                          TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(down->addr)), NULL);
}
static const tr_behavior lost = {.name = "lost", .start = lost_start, .receive = lost_receive};

static void where_nobody_is_what_was_accepted_is_a_dead_letter_and_no_more_is(void **state)
{
    (void)state;
    perform(TR_APP(&lost, &gone, &seeker), "four");
}

// ---- Further off ----

// A clan has two branches, and each of those a leaf. One leaf has no link to the other one, and what is
// for that is handed on from one to the next: by its branch, by the clan, by the other branch. Then
// that branch dies while the other leaf owes an answer.
struct relative {
    tr_addr kids[2], cousin;
    unsigned leaves;
    tr_asker owed;
};

static void leaf_told(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    note(answer->status == 0 ? "answered" : tr_errname(answer->status));
    if (answer->status == 0)
        tr_ask(self, tr_parent(self), "wait", TR_NULL, NULL, NULL, leaf_told, NULL);
    else
        tr_send(self, tr_parent(self), "done", TR_NULL);
}

static int leaf_begin(tr_actor *self, tr_val cousin)
{
    struct relative *r = tr_state(self);
    int rc = tr_as_addr(cousin, &r->cousin);
    if (rc == 0)
        rc = tr_send(self, r->cousin, "direct", TR_NULL); // nobody here knows that it is no sibling
    return rc < 0 ? rc : tr_monitor(self, r->cousin, NULL);
}

static int leaf_go_on(tr_actor *self, const tr_down *down)
{
    const struct relative *r = tr_state(self);
    bool told = down->reason.kind == TR_REASON_NOCONNECTION;
    bool refused = tr_send(self, r->cousin, "direct", TR_NULL) == TR_EDOWN;
    note(told && refused ? "no connection" : "wrong");
    int rc = tr_send(self, tr_parent(self), "word", TR_V(tr_self(self)));
    return rc < 0 ? rc : tr_ask(self, tr_parent(self), "ask", TR_NULL, NULL, NULL, leaf_told, NULL);
}

static int leaf_receive(tr_actor *self, const tr_msg *msg)
{
    struct relative *r = tr_state(self);
    tr_addr from;
    if (tr_msg_down(msg) != NULL)
        return leaf_go_on(self, tr_msg_down(msg));
    if (tr_msg_is(msg, "cousin"))
        return leaf_begin(self, tr_msg_body(msg));
    if (tr_msg_is(msg, "ask"))
        return tr_reply(self, msg, TR_NULL);
    if (tr_msg_is(msg, "wait")) {
        tr_reply_later(self, msg, &r->owed);
        return tr_send(self, tr_parent(self), "die", TR_NULL);
    }
    bool right = tr_as_addr(tr_msg_body(msg), &from) == 0 && tr_addr_eq(from, tr_msg_from(msg));
    note(right ? tr_msg_name(msg) : "wrong");
    return 0;
}

static int leaf_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_parent(self), "leaf", TR_V(tr_self(self)));
}
static const tr_behavior leaf = {.name = "leaf",
                                 .state_size = sizeof(struct relative),
                                 .start = leaf_start,
                                 .receive = leaf_receive};

static int branch_start(tr_actor *self, const tr_val *args)
{
    struct relative *r = tr_state(self);
    (void)args;
    return tr_spawn(self, &leaf, TR_SPAWN(.isolation = TR_PROCESS), &r->kids[0]);
}

static int branch_receive(tr_actor *self, const tr_msg *msg)
{
    const struct relative *r = tr_state(self);
    bool up = tr_addr_eq(tr_msg_from(msg), r->kids[0]);
    if (tr_msg_is(msg, "leaf"))
        return tr_send(self, tr_parent(self), "leaf", tr_msg_body(msg));
    if (tr_msg_is(msg, "die"))
        return sim_nodes_kill(&nodes, self, SIGKILL), 0;
    return tr_forward(self, msg, up ? tr_parent(self) : r->kids[0]);
}
static const tr_behavior branch = {.name = "branch",
                                   .state_size = sizeof(struct relative),
                                   .start = branch_start,
                                   .receive = branch_receive};

static int clan_start(tr_actor *self, const tr_val *args)
{
    struct relative *r = tr_state(self);
    (void)args;
    int rc = tr_spawn(self, &branch, TR_SPAWN(.isolation = TR_PROCESS), &r->kids[0]);
    return rc < 0 ? rc : tr_spawn(self, &branch, TR_SPAWN(.isolation = TR_PROCESS), &r->kids[1]);
}

// The leaf of the first branch hears of the other one, and all else that comes is for that.
static int clan_receive(tr_actor *self, const tr_msg *msg)
{
    struct relative *r = tr_state(self);
    if (tr_msg_is(msg, "done"))
        return tr_exit(self, TR_NORMAL);
    if (!tr_msg_is(msg, "leaf"))
        return tr_forward(self, msg, r->kids[1]);
    int rc =
        tr_addr_eq(tr_msg_from(msg), r->kids[1]) ? tr_as_addr(tr_msg_body(msg), &r->cousin) : 0;
    if (rc < 0 || ++r->leaves < 2)
        return rc;
    return tr_send(self, r->kids[0], "cousin", TR_V(r->cousin));
}
static const tr_behavior clan = {.name = "clan",
                                 .state_size = sizeof(struct relative),
                                 .start = clan_start,
                                 .receive = clan_receive};

static void those_further_off_are_down_at_once_and_reached_through_others(void **state)
{
    (void)state;
    perform(TR_APP(&clan, &branch, &leaf), "no connection word answered TR_EDOWN");
}

// ---- Last words ----

static int heir_receive(tr_actor *self, const tr_msg *msg)
{
    note(tr_msg_name(msg));
    return tr_msg_is(msg, "three") ? tr_send(self, tr_parent(self), "done", TR_NULL) : 0;
}
static const tr_behavior heir = {.name = "heir", .receive = heir_receive};

static int dying_start(tr_actor *self, const tr_val *args)
{
    tr_addr to;
    int rc = tr_as_addr(*args, &to);
    if (rc == 0)
        rc = tr_send(self, to, "one", TR_NULL);
    if (rc == 0)
        rc = tr_send(self, to, "two", TR_NULL);
    if (rc == 0)
        rc = tr_send(self, to, "three", TR_NULL);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}
static const tr_behavior dying = {.name = "dying", .start = dying_start};

static int family_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &heir, TR_SPAWN(.isolation = TR_PROCESS), &addr);
    return rc < 0 ? rc
                  : tr_spawn(self, &dying, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(addr)),
                             NULL);
}
static const tr_behavior family = {
    .name = "family", .start = family_start, .receive = lost_receive};

static void what_was_said_to_a_sibling_before_the_end_arrives(void **state)
{
    (void)state;
    perform(TR_APP(&family, &heir, &dying), "one two three");
}

// ---- Connections that go on ----

// A gate accepts clients and lends each to one of its kids, which hands it on to another, which serves
// it. In most runs one of both is killed in the midst of it; whoever gets something back serves it.
enum { CLIENTS = 12, COURIER, SERVER };

static struct {
    unsigned victim, closed, answered, wrong;
    uint64_t us;
    tr_addr courier, server;
    char address[TR_ADDRESS_MAX];
    struct {
        char got[8];
        size_t size;
    } clients[CLIENTS];
} desk;

// A request is whole, or somebody else has read some of it.
static void desk_readable(tr_actor *self, tr_stream stream, void *arg)
{
    tr_buf *chunk = NULL;
    (void)arg;
    if (tr_stream_read(self, stream, 8, &chunk) < 0)
        return;
    bool whole = tr_buf_size(chunk) == 8 && memcmp(tr_buf_data(chunk), "request\n", 8) == 0;
    tr_buf_unref(&chunk);
    tr_stream_write_bytes(self, stream, whole ? "ok" : "bad", whole ? 2 : 3);
    tr_stream_end(self, stream);
}

static void desk_over(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static int desk_serve(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events events = {.readable = desk_readable, .closed = desk_over};
    tr_handle *handle = NULL;
    tr_stream stream;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_stream_attach(self, &handle, NULL, &stream);
    if (rc == 0)
        tr_stream_on(self, stream, &events, NULL);
    tr_handle_close(&handle);
    return 0; // of one whose link is lost there is nothing to serve
}

static int clerk_of_desk_start(tr_actor *self, const tr_val *args)
{
    uint64_t who = 0;
    int rc = tr_as_uint(*args, &who);
    return rc < 0 || who != desk.victim
               ? rc
               : tr_timer_start(self, TR_US(desk.us), kid_crash, NULL, NULL);
}

// In a message of one's own, so that it comes back here; at once where it cannot be sent.
static void desk_hand_on(tr_actor *self, tr_handle **handle, tr_addr to)
{
    tr_msg *msg = NULL;
    int rc = tr_msg_new("connection", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, handle);
    if (rc == 0 && tr_send_msg(self, to, &msg) < 0)
        desk_serve(self, msg);
    tr_msg_free(&msg);
    tr_handle_close(handle);
}

static int courier_receive(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    if (tr_msg_returned(msg) != NULL)
        return desk_serve(self, msg);
    if (tr_msg_take_handle(self, msg, 0, &handle) == 0)
        desk_hand_on(self, &handle, desk.server);
    return 0;
}
static const tr_behavior courier = {
    .name = "courier", .start = clerk_of_desk_start, .receive = courier_receive};
static const tr_behavior server = {
    .name = "server", .start = clerk_of_desk_start, .receive = desk_serve};

static void gate_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr_handle *handle = NULL;
    (void)arg;
    if (tr_stream_detach(self, stream, &handle) == 0)
        desk_hand_on(self, &handle, desk.courier);
}

static void client_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t i = (uintptr_t)arg, size = tr_buf_size(chunk);
    (void)self, (void)stream;
    for (size_t at = 0; at < size && desk.clients[i].size < 8; at++)
        desk.clients[i].got[desk.clients[i].size++] = ((const char *)tr_buf_data(chunk))[at];
}

static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    size_t i = (uintptr_t)arg;
    bool ok = desk.clients[i].size == 2 && memcmp(desk.clients[i].got, "ok", 2) == 0;
    (void)stream, (void)status;
    desk.answered += ok;
    desk.wrong += !ok && desk.clients[i].size > 0;
    if (++desk.closed == CLIENTS)
        tr_exit(self, TR_NORMAL);
}

static void client_connect(tr_actor *self, void *arg)
{
    static const tr_stream_events events = {.data = client_data, .closed = client_closed};
    tr_stream stream;
    if (tr_connect(self, desk.address, TR_CONNECT(.half_open = true), &stream) < 0)
        return;
    tr_stream_on(self, stream, &events, arg);
    tr_stream_write_bytes(self, stream, "request\n", 8);
    tr_stream_end(self, stream);
}

static int gate_start(tr_actor *self, const tr_val *args)
{
    tr_server listener;
    (void)args;
    int rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, gate_accepted, NULL, &listener);
    if (rc == 0)
        rc = tr_server_address(self, listener, desk.address);
    if (rc == 0)
        rc = tr_spawn(self, &server, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V((int)SERVER)),
                      &desk.server);
    if (rc == 0)
        rc = tr_spawn(self, &courier, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V((int)COURIER)),
                      &desk.courier);
    for (uintptr_t i = 0; rc == 0 && i < CLIENTS; i++)
        rc = tr_timer_start(self, TR_US(200 * i), client_connect, (void *)i, NULL);
    return rc;
}

static int gate_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_returned(msg) != NULL ? desk_serve(self, msg) : 0;
}
static const tr_behavior gate = {.name = "gate", .start = gate_start, .receive = gate_receive};

static void run_gate(void)
{
    memset(&desk, 0, sizeof desk);
    desk.victim = seed % 3 == 0 ? NOBODY : seed % 3 == 1 ? COURIER : SERVER;
    desk.us = 500 + seed * 101 % 4000;
    run(TR_APP(&gate, &courier, &server), 1);
    assert_int_equal(CLIENTS, desk.closed);
    assert_int_equal(0, desk.wrong);
    if (desk.victim != COURIER) // what that one had lent is closed with it, or served
        assert_in_range(desk.answered, CLIENTS - (desk.victim == SERVER), CLIENTS);
}

static void a_connection_that_goes_on_is_in_one_hand_whoever_dies(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    for (seed = 0; seed < SEEDS; seed++)
        run_gate();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_reach_each_other_in_order_and_once),
        cmocka_unit_test(whoever_dies_is_told_of_once_and_whatever_it_was_asked_ends),
        cmocka_unit_test(where_nobody_is_what_was_accepted_is_a_dead_letter_and_no_more_is),
        cmocka_unit_test(those_further_off_are_down_at_once_and_reached_through_others),
        cmocka_unit_test(what_was_said_to_a_sibling_before_the_end_arrives),
        cmocka_unit_test(a_connection_that_goes_on_is_in_one_hand_whoever_dies),
    };
    return cmocka_run_group_tests_name("sim/siblings", tests, NULL, NULL);
}
