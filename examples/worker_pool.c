// A pool with back-pressure: a producer is faster than two worker processes, is told so, and waits
// for room. Nothing is lost, and no queue grows.
#include <inttypes.h>
#include <stdio.h>
#include <troupe.h>

#define JOBS 1000

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t n;
    int rc = tr_as_int(tr_msg_body(msg), &n);
    return rc < 0 ? rc : tr_reply(self, msg, TR_V(n * n)); // to the producer, not to the pool
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

struct producer {
    tr_addr pool;
    int sent, done;
    bool waited;
    int64_t sum;
};

// Send until there is no room, and go on when there is.
static void produce(tr_actor *self, void *arg)
{
    struct producer *p = arg;
    int rc = 0;
    while (p->sent < JOBS && (rc = tr_send(self, p->pool, "square", TR_V(p->sent))) == 0)
        p->sent++;
    if (rc == TR_EFULL) {
        if (!p->waited)
            printf("The pool is full after %d jobs: waiting for room.\n", p->sent);
        p->waited = true;
        rc = tr_on_writable(self, p->pool, produce, p);
    }
    if (rc < 0)
        tr_exit(self, rc);
}

static int producer_start(tr_actor *self, const tr_val *args)
{
    struct producer *p = tr_state(self);
    (void)args;
    int rc = tr_pool_start(self,
                           TR_POOL(.behavior = &worker, .workers = 2, .hold = true,
                                   .opts = TR_SPAWN(.isolation = TR_PROCESS, .mail_max = 16)),
                           TR_SPAWN(.mail_max = 64), &p->pool);
    if (rc == 0)
        produce(self, p);
    return rc;
}

static int producer_receive(tr_actor *self, const tr_msg *msg)
{
    struct producer *p = tr_state(self);
    int64_t square;
    int rc = tr_as_int(tr_msg_body(msg), &square);
    if (rc < 0)
        return rc;
    p->sum += square;
    if (++p->done < JOBS)
        return 0;
    printf("All %d jobs are done; the sum of their squares is %" PRId64 ".\n", p->done, p->sum);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior producer = {
    .name = "producer",
    .state_size = sizeof(struct producer),
    .start = producer_start,
    .receive = producer_receive,
};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&producer, &worker));
}
