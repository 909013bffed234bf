// The limit for actors.sh: the least that actors in one thread can be in C, and the same workloads
// on it. An actor is a function, a queue of messages and some numbers; messages come from a free
// list and carry a number and their sender; those with mail stand in a queue. A mailbox is bounded,
// as troupe's is: who is refused is told when half of it is free. There are no addresses that could
// miss, no documents, no names, no ends to be heard of: it bounds, it does not compete.
#include <stdbool.h>

#include "../bench.h"

#define MAIL_MAX 4096u
#define TURN     16 // messages of one actor before the next one has its turn
#define CHUNK    1000u
#define RING     503u
#define SENDERS  100u
#define SINKS    60u
#define BIG      120u
#define BRANCHES 10u

typedef struct actor actor;

typedef struct msg {
    struct msg *next;
    actor *from;
    uint64_t value;
    int kind;
} msg;

typedef void (*handler)(actor *self, const msg *m);

struct actor {
    handler receive;
    msg *head, *tail;
    uint32_t waiting, mail_max;
    bool queued, ended;
    actor *next;        // in the run queue
    actor *waiters;     // to be told that there is room
    actor *next_waiter; // of another's
    actor *peer;
    uint64_t left, sum;
};

enum { GO_ON, PING, PONG };

static struct {
    actor *first, *last; // with mail
    msg *free;
    uint64_t count, start;
    double value;
} run;

// ---- The core ----

static msg *msg_new(void)
{
    msg *m = run.free;
    if (m == NULL)
        return malloc(sizeof *m);
    run.free = m->next;
    return m;
}

static void actor_queue(actor *a)
{
    a->queued = true;
    a->next = NULL;
    if (run.first == NULL)
        run.first = a;
    else
        run.last->next = a;
    run.last = a;
}

static bool send(actor *from, actor *to, int kind, uint64_t value)
{
    if (to->waiting == to->mail_max)
        return false;
    msg *m = msg_new();
    *m = (msg){.from = from, .value = value, .kind = kind};
    if (to->head == NULL)
        to->head = m;
    else
        to->tail->next = m;
    to->tail = m;
    to->waiting++;
    if (!to->queued)
        actor_queue(to);
    return true;
}

static actor *spawn(handler receive)
{
    actor *a = calloc(1, sizeof *a);
    bench_must(a != NULL);
    a->receive = receive;
    a->mail_max = MAIL_MAX;
    return a;
}

static void wait_for_room(actor *self, actor *to)
{
    self->next_waiter = to->waiters;
    to->waiters = self;
}

static void tell_waiters(actor *a)
{
    actor *waiter = a->waiters;
    a->waiters = NULL;
    for (; waiter != NULL; waiter = waiter->next_waiter)
        send(a, waiter, GO_ON, 0);
}

static bool actor_next(actor *a)
{
    msg *m = a->head;
    if (m == NULL)
        return false;
    a->head = m->next;
    a->waiting--;
    if (a->waiters != NULL && a->waiting <= a->mail_max / 2)
        tell_waiters(a);
    a->receive(a, m);
    m->next = run.free;
    run.free = m;
    return !a->ended;
}

static void actor_turn(actor *a)
{
    for (int n = 0; n < TURN; n++) {
        if (!actor_next(a))
            break;
    }
    a->queued = false;
    if (a->ended)
        free(a);
    else if (a->head != NULL)
        actor_queue(a);
}

static void run_all(void)
{
    while (run.first != NULL) {
        actor *a = run.first;
        run.first = a->next;
        actor_turn(a);
    }
}

static void begin(void)
{
    run.start = bench_now_ns();
}

static double elapsed_us(void)
{
    return (double)(bench_now_ns() - run.start) / 1e3;
}

static void finish(void)
{
    run.value = (double)run.count / elapsed_us();
}

// The driver's: it has heard of the end of as many as it waits for.
static void driver_done(actor *self, const msg *m)
{
    (void)m;
    if (--self->left == 0)
        finish();
}

// ---- The workloads, as in bench_actors.c ----

static void pong(actor *self, const msg *m)
{
    send(self, m->from, PONG, m->value + 1);
}

static void ping(actor *self, const msg *m)
{
    if (m->value < run.count)
        send(self, self->peer, PING, m->value);
    else
        finish();
}

static void pingpong(void)
{
    actor *a = spawn(ping);
    a->peer = spawn(pong);
    begin();
    send(a, a->peer, PING, 0);
}

static void ring_hop(actor *self, const msg *m)
{
    if (m->value > 0)
        send(self, self->peer, PING, m->value - 1);
    else
        finish();
}

static void ring(void)
{
    actor *first = spawn(ring_hop), *next = first;
    for (uint32_t i = 1; i < RING; i++) {
        actor *a = spawn(ring_hop);
        a->peer = next;
        next = a;
    }
    first->peer = next;
    begin();
    send(first, next, PING, run.count - 1);
}

static void sink(actor *self, const msg *m)
{
    (void)m;
    if (--self->left == 0)
        send(self, self->peer, PONG, 0);
}

static void source(actor *self, const msg *m)
{
    (void)m;
    while (self->left > 0 && send(self, self->peer, PING, 0))
        self->left--;
    if (self->left > 0)
        wait_for_room(self, self->peer);
}

static actor *driver_of(uint64_t count)
{
    actor *a = spawn(driver_done);
    a->left = count;
    return a;
}

static actor *sink_of(actor *driver, uint64_t count)
{
    actor *a = spawn(sink);
    a->peer = driver;
    a->left = count;
    return a;
}

static void fanin_from(uint32_t senders)
{
    run.count -= run.count % senders;
    actor *to = sink_of(driver_of(1), run.count);
    begin();
    for (uint32_t i = 0; i < senders; i++) {
        actor *from = spawn(source);
        from->peer = to;
        from->left = run.count / senders;
        send(from, from, GO_ON, 0);
    }
}

static void counting(void)
{
    fanin_from(1);
}

static void fanin(void)
{
    fanin_from(SENDERS);
}

static actor *sinks[SINKS];

static void fork_pour(actor *self, const msg *m)
{
    (void)m;
    while (self->left > 0 && send(self, sinks[self->left % SINKS], PING, 0))
        self->left--;
    if (self->left > 0)
        wait_for_room(self, sinks[self->left % SINKS]);
}

static void forkjoin(void)
{
    run.count -= run.count % SINKS;
    actor *driver = driver_of(SINKS), *from = spawn(fork_pour);
    for (uint32_t i = 0; i < SINKS; i++) {
        sinks[i] = sink_of(driver, run.count / SINKS);
        sinks[i]->mail_max = MAIL_MAX / SINKS;
    }
    from->left = run.count;
    begin();
    send(from, from, GO_ON, 0);
}

static void mayfly(actor *self, const msg *m)
{
    (void)m;
    self->ended = true;
}

static void creator(actor *self, const msg *m)
{
    (void)m;
    for (uint32_t i = 0; i < CHUNK && self->left > 0; i++, self->left--)
        send(self, spawn(mayfly), PING, 0);
    if (self->left > 0)
        send(self, self, GO_ON, 0);
}

static void create(void)
{
    actor *a = spawn(creator);
    a->left = run.count;
    begin();
    send(a, a, GO_ON, 0);
}

static actor *chatters[BIG];

static void chatter(actor *self, const msg *m)
{
    if (m->kind == PING) {
        send(self, m->from, PONG, 0);
    } else if (m->kind == PONG && --self->left == 0) {
        send(self, self->peer, PONG, 0);
    } else {
        self->sum = (uint32_t)(self->sum * 1103515245u + 12345u);
        send(self, chatters[(self->sum >> 16) % BIG], PING, 0);
    }
}

static void big(void)
{
    actor *driver = driver_of(BIG);
    run.count -= run.count % (2 * BIG);
    for (uint32_t i = 0; i < BIG; i++) {
        chatters[i] = spawn(chatter);
        chatters[i]->peer = driver;
        chatters[i]->left = run.count / 2 / BIG;
        chatters[i]->sum = i;
    }
    begin();
    for (uint32_t i = 0; i < BIG; i++)
        send(driver, chatters[i], GO_ON, 0);
}

static void tree(actor *self, const msg *m);

static void tree_end(actor *self)
{
    send(self, self->peer, PONG, self->sum);
    self->ended = true;
}

// left: the leaves below, until the branches are made; then the branches to wait for.
static void tree_start(actor *self, uint64_t first)
{
    uint64_t part = self->left / BRANCHES;
    if (part == 0) {
        self->sum = first;
        tree_end(self);
        return;
    }
    self->left = BRANCHES;
    for (uint32_t i = 0; i < BRANCHES; i++) {
        actor *branch = spawn(tree);
        branch->peer = self;
        branch->left = part;
        send(self, branch, GO_ON, first + i * part);
    }
}

static void tree(actor *self, const msg *m)
{
    if (m->kind == GO_ON) {
        tree_start(self, m->value);
        return;
    }
    self->sum += m->value;
    if (--self->left == 0)
        tree_end(self);
}

static void skynet_sum(actor *self, const msg *m)
{
    (void)self;
    bench_must(m->value == run.count * (run.count - 1) / 2);
    run.value = elapsed_us() / 1e3;
}

static void skynet(void)
{
    actor *root = spawn(tree);
    root->peer = spawn(skynet_sum);
    root->left = run.count;
    begin();
    send(root->peer, root, GO_ON, 0);
}

static void idle(void)
{
    size_t before = bench_rss();
    for (uint64_t i = 0; i < run.count; i++)
        spawn(mayfly);
    run.value = (double)(bench_rss() - before) / (double)run.count;
}

static const struct {
    const char *name;
    void (*start)(void);
} figures[] = {
    {"pingpong", pingpong}, {"counting", counting}, {"ring", ring}, {"fanin", fanin},
    {"create", create},     {"forkjoin", forkjoin}, {"big", big},   {"skynet", skynet},
    {"ask", pingpong},      {"idle", idle},
};

static void figure_run(size_t i, uint64_t count)
{
    run.count = count;
    figures[i].start();
    run_all();
    bench_emit(figures[i].name, run.value > 0 ? run.value : (double)run.count / elapsed_us());
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fputs("usage: prog FIGURE LOOPS COUNT\n", stderr), 2;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(figures[i].name, argv[1]) == 0 && atoi(argv[2]) == 1)
            return figure_run(i, strtoull(argv[3], NULL, 10)), 0;
    }
    return BENCH_ABSENT;
}
