// Workers of a cluster that talk to each other: a token goes round from one to the next.
//
// Each asks the cluster once who the others are. What they say to each other then goes over links of
// their own, and not through the process that has started them.
#include <stdio.h>
#include <troupe.h>

enum { WORKERS = 3, ROUNDS = 3 };

// ---- A worker: hands the token on to the next slot ----

struct worker {
    tr_addr next, home;
    uint64_t hops;
};

static int worker_pass(tr_actor *self)
{
    struct worker *w = tr_state(self);
    if (w->hops == (uint64_t)WORKERS * ROUNDS)
        return tr_send(self, w->home, "back", TR_V(w->hops));
    return tr_send(self, w->next, "token", TR_MAP("hops", w->hops + 1, "home", w->home));
}

static void on_workers(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct worker *w = tr_state(self);
    tr_cluster_worker own;
    tr_val one;
    uint64_t slot;
    (void)arg;
    tr_cluster_self(self, &own);
    for (tr_iter it = tr_iter_of(answer->body); tr_iter_next(&it, NULL, &one);)
        if (tr_get_uint(one, "slot", &slot) == 0 && slot == (own.slot + 1) % WORKERS)
            tr_get_addr(one, "addr", &w->next);
    if (worker_pass(self) < 0)
        tr_exit(self, TR_EDOWN);
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    struct worker *w = tr_state(self);
    tr_cluster_worker own;
    int rc = TR_READ(tr_msg_body(msg), "hops", &w->hops, "home", &w->home);
    if (rc < 0 || w->next.node != 0)
        return rc < 0 ? rc : worker_pass(self);
    rc = tr_cluster_self(self, &own);
    return rc < 0
               ? rc
               : tr_ask(self, own.addr, "cluster.workers", TR_NULL, NULL, NULL, on_workers, NULL);
}

static const tr_behavior worker = {
    .name = "worker", .state_size = sizeof(struct worker), .receive = worker_receive};

// ---- Who starts them ----

struct boss {
    tr_addr cluster;
    unsigned ready;
};

static int boss_start(tr_actor *self, const tr_val *args)
{
    struct boss *b = tr_state(self);
    (void)args;
    return tr_cluster_start(self,
                            TR_CLUSTER(.behavior = &worker, .workers = WORKERS,
                                       .ready_online = true, .observer = tr_self(self)),
                            NULL, &b->cluster);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    struct boss *b = tr_state(self);
    tr_val body = tr_msg_body(msg);
    tr_str event;
    uint64_t hops;
    if (tr_msg_is(msg, "back") && tr_as_uint(body, &hops) == 0) {
        printf("It is back, after %u rounds.\n", (unsigned)(hops / WORKERS));
        return tr_exit(self, TR_NORMAL);
    }
    if (tr_get_str(body, "event", &event) < 0 || !tr_str_eq(event, "ready") || ++b->ready < WORKERS)
        return 0;
    tr_val token = TR_MAP("hops", 0, "home", tr_self(self));
    return tr_send(self, b->cluster, "cluster.tell",
                   TR_MAP("slot", 0, "name", "token", "body", token));
}

static const tr_behavior boss = {.name = "boss",
                                 .state_size = sizeof(struct boss),
                                 .start = boss_start,
                                 .receive = boss_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&boss, &worker));
}
