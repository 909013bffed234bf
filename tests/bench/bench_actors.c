// troupe's side of `./dev bench actors`: `bench_actors FIGURE LOOPS COUNT`, as actors.sh describes
// it. Plain use of the public API. Each figure has a driver, the node's first actor, which says
// when it begins and what has become of it; who is refused for lack of room waits until there is
// some.
#include <troupe.h>

#include "bench.h"

#define CHUNK    1000u // actors that are made before the loop has its turn
#define SENDERS  100u
#define BIG      120u
#define BRANCHES 10u
#define ON_WAY   4096u // messages that wait at most, in all mailboxes of the sinks together

// How to spawn on whichever loop's turn it is to get an actor.
#define SPREAD(...) TR_SPAWN(.placement = TR_SPREAD, __VA_ARGS__)

struct figure {
    const char *name;
    const tr_behavior *driver;
    uint32_t actors; // that the driver makes, where it depends on the figure
};

// Written before the node runs, and by the driver.
static struct {
    const struct figure *figure;
    uint32_t loops;
    uint64_t count;
    uint64_t start;
    double value;
} run;

static void begin(void)
{
    run.start = bench_now_ns();
}

static double elapsed_us(void)
{
    return (double)(bench_now_ns() - run.start) / 1e3;
}

// The figure of a rate, in millions a second, and the end of its driver.
static int finish(tr_actor *self)
{
    run.value = (double)run.count / elapsed_us();
    return tr_exit(self, TR_NORMAL);
}

static int spawn_here(tr_actor *self, const tr_behavior *behavior, tr_val args, tr_addr *ret_addr)
{
    return tr_spawn(self, behavior, TR_SPAWN(.args = args), ret_addr);
}

static int spawn_spread(tr_actor *self, const tr_behavior *behavior, tr_val args, tr_addr *ret_addr)
{
    return tr_spawn(self, behavior, SPREAD(.args = args), ret_addr);
}

static uint64_t uint_at(tr_val list, size_t i)
{
    tr_val item;
    uint64_t value;
    bench_must(tr_at(list, i, &item) == 0 && tr_as_uint(item, &value) == 0);
    return value;
}

static uint64_t uint_of(tr_val v)
{
    uint64_t value;
    bench_must(tr_as_uint(v, &value) == 0);
    return value;
}

// ---- pingpong: two actors send each other an empty message ----

struct ping {
    tr_addr pong;
    uint64_t left;
};

static int pong_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_NULL);
}
static const tr_behavior pong = {.name = "pong", .receive = pong_receive};

static int ping_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct ping *p = tr_state(self);
    p->left = run.count;
    bench_must(spawn_here(self, &pong, TR_NULL, &p->pong) == 0);
    begin();
    return tr_send(self, p->pong, "ping", TR_NULL);
}

static int ping_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    struct ping *p = tr_state(self);
    return --p->left > 0 ? tr_send(self, p->pong, "ping", TR_NULL) : finish(self);
}
static const tr_behavior ping = {.name = "ping",
                                 .state_size = sizeof(struct ping),
                                 .start = ping_start,
                                 .receive = ping_receive};

// ---- ask: a request with a number, a reply with the next one ----

struct asker {
    tr_addr server;
    uint64_t calls;
};

static int server_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_V(uint_of(tr_msg_body(msg)) + 1));
}
static const tr_behavior server = {.name = "server", .receive = server_receive};

static void asker_answered(tr_actor *self, const tr_answer *answer, void *arg);

static void asker_call(tr_actor *self, struct asker *a)
{
    bench_must(tr_ask(self, a->server, "next", TR_V(a->calls), NULL, NULL, asker_answered, a) == 0);
}

static void asker_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct asker *a = arg;
    bench_must(answer->status == 0 && uint_of(answer->body) == ++a->calls);
    if (a->calls < run.count)
        asker_call(self, a);
    else
        finish(self);
}

static int asker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct asker *a = tr_state(self);
    bench_must(spawn_here(self, &server, TR_NULL, &a->server) == 0);
    begin();
    asker_call(self, a);
    return 0;
}
static const tr_behavior asker = {
    .name = "asker", .state_size = sizeof(struct asker), .start = asker_start};

// ---- ring: the number of hops that are left goes round ----

static int ring_pass(tr_actor *self, const tr_msg *msg)
{
    tr_addr *next = tr_state(self);
    uint64_t left = uint_of(tr_msg_body(msg));
    return left > 0 ? tr_send(self, *next, "hop", TR_V(left - 1)) : 0;
}

static int ring_start(tr_actor *self, const tr_val *args)
{
    return tr_as_addr(*args, tr_state(self));
}
static const tr_behavior ring = {
    .name = "ring", .state_size = sizeof(tr_addr), .start = ring_start, .receive = ring_pass};

// The driver is one of them: the last actor that it makes is its next one, the first one leads back
// to it, and it takes the last hop.
static int ring_first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr *next = tr_state(self);
    *next = tr_self(self);
    for (uint32_t i = 1; i < run.figure->actors; i++)
        bench_must(spawn_here(self, &ring, TR_V(*next), next) == 0);
    run.count -= run.count % run.figure->actors;
    begin();
    return tr_send(self, *next, "hop", TR_V(run.count - 1));
}

static int ring_first_receive(tr_actor *self, const tr_msg *msg)
{
    return uint_of(tr_msg_body(msg)) > 0 ? ring_pass(self, msg) : finish(self);
}
static const tr_behavior ring_first = {.name = "ring_first",
                                       .state_size = sizeof(tr_addr),
                                       .start = ring_first_start,
                                       .receive = ring_first_receive};

// ---- Who counts what is sent, and tells the driver when it has all ----

static int sink_start(tr_actor *self, const tr_val *args)
{
    return tr_as_uint(*args, tr_state(self));
}

static int sink_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    uint64_t *left = tr_state(self);
    return --*left > 0 ? 0 : tr_send(self, tr_parent(self), "done", TR_NULL);
}
static const tr_behavior sink = {
    .name = "sink", .state_size = sizeof(uint64_t), .start = sink_start, .receive = sink_receive};

// ---- counting, forkjoin: the driver sends to one sink, or to many in turn ----

// Mailboxes of many sinks are small, so that what waits in them stays in the cache.
static int fork_spawn(tr_actor *self, tr_addr *ret_addr)
{
    uint32_t sinks = run.figure->actors;
    return tr_spawn(self, &sink,
                    SPREAD(.args = TR_V(run.count / sinks), .mail_max = ON_WAY / sinks), ret_addr);
}

struct fork {
    tr_addr *sinks;
    uint64_t left;
    uint32_t next, done;
};

static void fork_pour(tr_actor *self, void *arg)
{
    struct fork *f = arg;
    int rc = 0;
    while (f->left > 0 && (rc = tr_send(self, f->sinks[f->next], "item", TR_NULL)) == 0) {
        f->left--;
        f->next = f->next + 1 < run.figure->actors ? f->next + 1 : 0;
    }
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, f->sinks[f->next], fork_pour, f);
    bench_must(rc == 0);
}

static int fork_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct fork *f = tr_state(self);
    uint32_t sinks = run.figure->actors;
    f->sinks = calloc(sinks, sizeof *f->sinks);
    bench_must(f->sinks != NULL);
    run.count -= run.count % sinks;
    for (uint32_t i = 0; i < sinks; i++)
        bench_must(fork_spawn(self, &f->sinks[i]) == 0);
    f->left = run.count;
    begin();
    fork_pour(self, f);
    return 0;
}

static int fork_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    struct fork *f = tr_state(self);
    return ++f->done < run.figure->actors ? 0 : finish(self);
}

static void fork_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    free(((struct fork *)tr_state(self))->sinks);
}
static const tr_behavior forker = {.name = "forker",
                                   .state_size = sizeof(struct fork),
                                   .start = fork_start,
                                   .receive = fork_receive,
                                   .stop = fork_stop};

// ---- fanin: many senders to one sink ----

struct source {
    tr_addr to;
    uint64_t left;
};

static void source_pour(tr_actor *self, void *arg)
{
    struct source *s = arg;
    int rc = 0;
    while (s->left > 0 && (rc = tr_send(self, s->to, "item", TR_NULL)) == 0)
        s->left--;
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, s->to, source_pour, s);
    bench_must(rc == 0);
}

static int source_start(tr_actor *self, const tr_val *args)
{
    struct source *s = tr_state(self);
    s->left = run.count / SENDERS;
    bench_must(tr_as_addr(*args, &s->to) == 0);
    source_pour(self, s);
    return 0;
}
static const tr_behavior source = {
    .name = "source", .state_size = sizeof(struct source), .start = source_start};

static int fanin_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr to;
    run.count -= run.count % SENDERS;
    begin();
    bench_must(spawn_here(self, &sink, TR_V(run.count), &to) == 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        bench_must(spawn_spread(self, &source, TR_V(to), NULL) == 0);
    return 0;
}

static int fanin_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return finish(self);
}
static const tr_behavior fanin = {.name = "fanin", .start = fanin_start, .receive = fanin_receive};

// ---- create: actors that end with their first message; one creator a loop ----

static int mayfly_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior mayfly = {.name = "mayfly", .receive = mayfly_receive};

static void creator_go_on(tr_actor *self, void *arg)
{
    uint64_t *left = arg;
    for (uint32_t i = 0; i<CHUNK && * left> 0; i++, --*left) {
        tr_addr fly;
        bench_must(spawn_here(self, &mayfly, TR_NULL, &fly) == 0);
        bench_must(tr_send(self, fly, "end", TR_NULL) == 0);
    }
    bench_must((*left > 0 ? tr_immediate(self, creator_go_on, left)
                          : tr_send(self, tr_parent(self), "done", TR_NULL)) == 0);
}

static int creator_start(tr_actor *self, const tr_val *args)
{
    uint64_t *left = tr_state(self);
    *left = uint_of(*args);
    creator_go_on(self, left);
    return 0;
}
static const tr_behavior creator = {
    .name = "creator", .state_size = sizeof(uint64_t), .start = creator_start};

static int create_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    run.count -= run.count % run.loops;
    begin();
    for (uint32_t i = 0; i < run.loops; i++)
        bench_must(spawn_spread(self, &creator, TR_V(run.count / run.loops), NULL) == 0);
    return 0;
}

// No value: it is taken when the node has ended, and all actors with it.
static int create_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    uint32_t *done = tr_state(self);
    return ++*done < run.loops ? 0 : tr_exit(self, TR_NORMAL);
}
static const tr_behavior create = {.name = "create",
                                   .state_size = sizeof(uint32_t),
                                   .start = create_start,
                                   .receive = create_receive};

// ---- big: each sends a ping to another by chance, and the next one after the pong ----

struct chatter {
    uint64_t left;
    uint32_t random;
    tr_addr all[BIG];
};

static int chatter_ping(tr_actor *self)
{
    struct chatter *c = tr_state(self);
    c->random = c->random * 1103515245u + 12345u;
    return tr_send(self, c->all[(c->random >> 16) % BIG], "ping", TR_NULL);
}

static int chatter_meet(tr_actor *self, tr_val all)
{
    struct chatter *c = tr_state(self);
    tr_iter it = tr_iter_of(all);
    tr_val addr;
    for (uint32_t i = 0; tr_iter_next(&it, NULL, &addr); i++)
        bench_must(i < BIG && tr_as_addr(addr, &c->all[i]) == 0);
    return chatter_ping(self);
}

static int chatter_start(tr_actor *self, const tr_val *args)
{
    struct chatter *c = tr_state(self);
    c->random = (uint32_t)uint_of(*args);
    c->left = run.count / 2 / BIG;
    return 0;
}

static int chatter_receive(tr_actor *self, const tr_msg *msg)
{
    struct chatter *c = tr_state(self);
    if (tr_msg_is(msg, "ping"))
        return tr_send(self, tr_msg_from(msg), "pong", TR_NULL);
    if (!tr_msg_is(msg, "pong"))
        return chatter_meet(self, tr_msg_body(msg));
    return --c->left > 0 ? chatter_ping(self) : tr_send(self, tr_parent(self), "done", TR_NULL);
}
static const tr_behavior chatter = {.name = "chatter",
                                    .state_size = sizeof(struct chatter),
                                    .start = chatter_start,
                                    .receive = chatter_receive};

static int big_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr all[BIG];
    tr_val list[BIG];
    for (uint32_t i = 0; i < BIG; i++) {
        bench_must(spawn_spread(self, &chatter, TR_V(i), &all[i]) == 0);
        list[i] = TR_V(all[i]);
    }
    run.count -= run.count % (2 * BIG);
    begin();
    for (uint32_t i = 0; i < BIG; i++)
        bench_must(tr_send(self, all[i], "meet", tr_val_list(list, BIG)) == 0);
    return 0;
}

static int big_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    uint32_t *done = tr_state(self);
    return ++*done < BIG ? 0 : finish(self);
}
static const tr_behavior big = {
    .name = "big", .state_size = sizeof(uint32_t), .start = big_start, .receive = big_receive};

// ---- skynet: a tree of actors whose leaves are numbered; the sum comes back ----

struct tree {
    uint64_t sum;
    uint32_t got;
};

static const tr_behavior tree;

static int tree_end(tr_actor *self, uint64_t sum)
{
    bench_must(tr_send(self, tr_parent(self), "sum", TR_V(sum)) == 0);
    return tr_exit(self, TR_NORMAL);
}

static int tree_start(tr_actor *self, const tr_val *args)
{
    uint64_t first = uint_at(*args, 0), leaves = uint_at(*args, 1);
    if (leaves == 1)
        return tree_end(self, first);
    for (uint32_t i = 0; i < BRANCHES; i++) {
        uint64_t part = leaves / BRANCHES;
        tr_val branch = TR_LIST(first + i * part, part);
        bench_must((leaves == run.count ? spawn_spread : spawn_here)(self, &tree, branch, NULL) ==
                   0);
    }
    return 0;
}

static int tree_receive(tr_actor *self, const tr_msg *msg)
{
    struct tree *t = tr_state(self);
    t->sum += uint_of(tr_msg_body(msg));
    return ++t->got < BRANCHES ? 0 : tree_end(self, t->sum);
}
static const tr_behavior tree = {.name = "tree",
                                 .state_size = sizeof(struct tree),
                                 .start = tree_start,
                                 .receive = tree_receive};

static int skynet_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    begin();
    return spawn_here(self, &tree, TR_LIST((uint64_t)0, run.count), NULL);
}

static int skynet_receive(tr_actor *self, const tr_msg *msg)
{
    bench_must(uint_of(tr_msg_body(msg)) == run.count * (run.count - 1) / 2);
    run.value = elapsed_us() / 1e3;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior skynet = {
    .name = "skynet", .start = skynet_start, .receive = skynet_receive};

// ---- idle: what an actor that does nothing costs ----

static const tr_behavior idler = {.name = "idler"};

struct idle {
    uint64_t made;
    size_t before;
};

static void idle_go_on(tr_actor *self, void *arg)
{
    struct idle *idle = arg;
    if (idle->made == run.count) { // and the last ones have been started
        run.value = (double)(bench_rss() - idle->before) / (double)run.count;
        tr_exit(self, TR_NORMAL);
        return;
    }
    for (uint32_t i = 0; i < CHUNK && idle->made < run.count; i++, idle->made++)
        bench_must(spawn_spread(self, &idler, TR_NULL, NULL) == 0);
    bench_must(tr_immediate(self, idle_go_on, idle) == 0);
}

static int idle_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct idle *idle = tr_state(self);
    idle->before = bench_rss();
    return tr_immediate(self, idle_go_on, idle);
}
static const tr_behavior idle = {
    .name = "idle", .state_size = sizeof(struct idle), .start = idle_start};

// ---- observe: look at an actor that so many messages wait for ----

#define LOOKS 1000000u

static int crowded_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_mail_hold(self, true);
}
static const tr_behavior crowded = {.name = "crowded", .start = crowded_start};

static void observe_look(tr_actor *self, void *arg)
{
    const tr_addr *to = arg;
    tr_actor_info info = {0};
    begin();
    for (uint32_t i = 0; i < LOOKS; i++) {
        bench_must(tr_actor_look(self, *to, &info) == 0 && info.mail_count == run.count);
        __asm__ volatile("" : : "r"(&info) : "memory"); // each look is one, and whole
    }
    run.value = elapsed_us() * 1e3 / LOOKS;
    bench_must(tr_kill(self, *to) == 0); // what it was sent would come first
    tr_exit(self, TR_NORMAL);
}

static int observe_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr *to = tr_state(self);
    bench_must(tr_spawn(self, &crowded,
                        TR_SPAWN(.mail_max = UINT32_MAX, .mail_bytes_max = UINT32_MAX), to) == 0);
    for (uint64_t i = 0; i < run.count; i++)
        bench_must(tr_send(self, *to, "m", TR_NULL) == 0);
    return tr_immediate(self, observe_look, to); // when it has had its start
}
static const tr_behavior observe = {
    .name = "observe", .state_size = sizeof(tr_addr), .start = observe_start};

// ---- restart: a child fails, its supervisor starts it again, it says so ----

static int failing_start(tr_actor *self, const tr_val *args)
{
    tr_addr driver;
    bench_must(tr_as_addr(*args, &driver) == 0);
    return tr_send(self, driver, "up", TR_NULL);
}

static int failing_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EIO;
}
static const tr_behavior failing = {
    .name = "failing", .start = failing_start, .receive = failing_receive};

static int restart_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    *(uint64_t *)tr_state(self) = run.count;
    begin();
    tr_val me = TR_V(tr_self(self));
    return tr_supervise(
        self,
        TR_SUPERVISOR(.restart_max = (uint32_t)run.count + 1,
                      TR_CHILDREN(
                          {.id = "failing", .behavior = &failing, .opts = TR_SPAWN(.args = me)})),
        NULL, NULL);
}

static int restart_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t *left = tr_state(self);
    return (*left)-- == 0 ? finish(self) : tr_send(self, tr_msg_from(msg), "fail", TR_NULL);
}
static const tr_behavior restart = {.name = "restart",
                                    .state_size = sizeof(uint64_t),
                                    .start = restart_start,
                                    .receive = restart_receive};

static void say_nothing(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg; // each restart is a warning
}

static const struct figure figures[] = {
    {"pingpong", &ping, 2},
    {"counting", &forker, 1},
    {"ring", &ring_first, 503},
    {"fanin", &fanin, 0},
    {"create", &create, 0},
    {"forkjoin", &forker, 60},
    {"big", &big, BIG},
    {"skynet", &skynet, 0},
    {"ask", &asker, 2},
    {"idle", &idle, 0},
    {"restart", &restart, 2},
    {"observe", &observe, 2},
    {"observe_empty", &observe, 2},
};

static const struct figure *figure_named(const char *name)
{
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(figures[i].name, name) == 0)
            return &figures[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fputs("usage: bench_actors FIGURE LOOPS COUNT\n", stderr), 2;
    run.figure = figure_named(argv[1]);
    run.loops = (uint32_t)strtoul(argv[2], NULL, 10);
    run.count = strtoull(argv[3], NULL, 10);
    if (run.figure == NULL)
        return BENCH_ABSENT;
    tr_node *node;
    tr_log_set(say_nothing, NULL);
    bench_must(tr_node_open(TR_NODE(.loops = run.loops), &node) == 0);
    bench_must(tr_node_spawn(node, run.figure->driver, NULL, NULL) == 0);
    bench_must(tr_node_run(node) == 0);
    bench_emit(run.figure->name, run.value > 0 ? run.value : (double)run.count / elapsed_us());
    tr_node_close(&node);
    return 0;
}
