// Pools of real workers, in all isolations: pressure that reaches the sender, work that is done
// before the end, and worker processes that are killed.
#include <signal.h>

#include "support/ipc.h"

// ---- The worker ----

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t number;
    if (tr_as_int(tr_msg_body(msg), &number) < 0)
        return TR_EBADMSG;
    if (tr_msg_is(msg, "deaf"))
        return tr_trap_exit(self, true);
    if (!tr_msg_is(msg, "die"))
        return tr_reply(self, msg, TR_V(number));
    signal((int)number, SIG_DFL); // a sanitizer has put its own handler there
    return raise((int)number);
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

// ---- A producer that heeds pressure ----

static struct {
    tr_isolation isolation;
    tr_pool_strategy strategy;
    tr_addr pool;
    int64_t sent, done, refused;
    uint64_t dead;
    tr_reason reason;
} run;

static int64_t jobs(void)
{
    return (int64_t)ipc_scaled(3000);
}

static int pool_open(tr_actor *self, uint32_t restart_max)
{
    tr_spawn_opts opts = {.size = sizeof opts, .isolation = run.isolation, .mail_max = 4};
    return tr_pool_start(self,
                         TR_POOL(.behavior = &worker, .workers = 3, .strategy = run.strategy,
                                 .opts = &opts, .hold = true, .backoff_ms = 1,
                                 .restart_max = restart_max),
                         TR_SPAWN(.mail_max = 8), &run.pool);
}

static void produce(tr_actor *self, void *arg)
{
    int rc = 0;
    (void)arg;
    while (run.sent < jobs() && (rc = tr_send(self, run.pool, "job", TR_V(run.sent))) == 0)
        run.sent++;
    if (rc == TR_EFULL) {
        run.refused++;
        rc = tr_on_writable(self, run.pool, produce, NULL);
    } else if (rc == 0) {
        rc = tr_stop(self, run.pool); // which is heard behind the jobs
    }
    TR_CHECK(rc == 0);
}

static int producer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = pool_open(self, 0);
    if (rc == 0)
        rc = tr_monitor(self, run.pool, NULL);
    if (rc == 0)
        produce(self, NULL);
    return rc;
}

static int producer_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    run.done += down == NULL;
    if (down == NULL)
        return 0;
    run.reason = down->reason;
    run.dead = tr_node_dead_letters(tr_node_of(self));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior producer = {
    .name = "producer", .start = producer_start, .receive = producer_receive};

#define APP TR_APP(&worker)

// Goal:   with bounded mailboxes everywhere a fast producer is told TR_EFULL, nothing is lost, and
//         a pool that is asked to end has its workers do first what was sent before.
// Method: thousands of messages through a pool with room for 8 to workers with room for 4 each.
static void pressure_reaches_the_sender_and_nothing_is_lost(void **state)
{
    (void)state;
    for (int isolation = TR_SHARED; isolation <= TR_PROCESS; isolation++) {
        for (int strategy = TR_POOL_ROUND_ROBIN; strategy <= TR_POOL_HASH; strategy++) {
            memset(&run, 0, sizeof run);
            run.isolation = (tr_isolation)isolation;
            run.strategy = (tr_pool_strategy)strategy;
            assert_int_equal(0, TR_RUN(APP, &producer, TR_NULL));
            assert_int_equal(jobs(), run.sent);
            assert_int_equal(jobs(), run.done);
            assert_true(run.refused > 0);
            assert_int_equal(0, run.dead);
            assert_int_equal(TR_REASON_SHUTDOWN, run.reason.kind);
        }
    }
}

// ---- A client of workers that are killed ----

#define ROUNDS 6
#define ASKS   7 // beside the one that kills: as many as the pool has room for

static struct {
    int round, open, answered, killed, other;
    uint64_t restarts;
} asked;

static int client_round(tr_actor *self);

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    bool killed = answer->status == TR_EDOWN && answer->reason.kind <= TR_REASON_NOCONNECTION;
    asked.answered += answer->status == 0;
    asked.killed += killed;
    asked.other += answer->status != 0 && !killed;
    if (--asked.open == 0)
        TR_CHECK(client_round(self) == 0);
}

static void on_stats(tr_actor *self, const tr_answer *answer, void *arg);

static void look(tr_actor *self, void *arg)
{
    (void)arg;
    TR_CHECK(tr_ask(self, run.pool, "pool.stats", TR_NULL, NULL, NULL, on_stats, NULL) == 0);
}

// Until the last one is replaced.
static void on_stats(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    tr_val list = TR_NULL, item;
    uint64_t restarts = 0, sum = 0;
    tr_get(answer->body, "workers", &list);
    for (tr_iter it = tr_iter_of(list); tr_iter_next(&it, NULL, &item); sum += restarts)
        tr_get_uint(item, "restarts", &restarts);
    asked.restarts = sum;
    if (sum < ROUNDS)
        tr_timer_start(self, TR_MS(1), look, NULL, NULL);
    else
        tr_exit(self, TR_NORMAL);
}

static int client_round(tr_actor *self)
{
    int rc = 0;
    if (asked.round++ == ROUNDS) {
        look(self, NULL);
        return 0;
    }
    asked.open = ASKS + 1;
    for (int i = 0; rc == 0 && i < ASKS; i++)
        rc = tr_ask(self, run.pool, "job", TR_V(i), TR_ASK(.timeout_ms = 60000), NULL, on_answer,
                    NULL);
    int number = asked.round % 2 == 0 ? SIGKILL : SIGSEGV;
    return rc < 0 ? rc
                  : tr_ask(self, run.pool, "die", TR_V(number), TR_ASK(.timeout_ms = 60000), NULL,
                           on_answer, NULL);
}

static int client_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = pool_open(self, 1000);
    return rc < 0 ? rc : client_round(self);
}
static const tr_behavior client = {.name = "client", .start = client_start};

// Goal:   of the asks that a killed worker had each ends once, by its end; the others are answered,
//         and each worker is replaced.
// Method: rounds of asks, each with one that kills its worker.
static void a_killed_worker_is_replaced_and_its_asks_end(void **state)
{
    (void)state;
    for (int strategy = TR_POOL_ROUND_ROBIN; strategy <= TR_POOL_LEAST_LOADED; strategy++) {
        memset(&run, 0, sizeof run);
        memset(&asked, 0, sizeof asked);
        run.isolation = TR_PROCESS;
        run.strategy = (tr_pool_strategy)strategy;
        assert_int_equal(0, TR_RUN(APP, &client, TR_NULL));
        assert_int_equal(ROUNDS * (ASKS + 1), asked.answered + asked.killed);
        assert_int_equal(0, asked.other);
        assert_true(asked.killed >= ROUNDS);
        assert_true(asked.answered > 0);
        assert_int_equal(ROUNDS, asked.restarts);
    }
}

// ---- Workers that do not end ----

static int impatient_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_pool_start(self,
                           TR_POOL(.behavior = &worker, .workers = 1, .stop_ms = 20,
                                   .opts = TR_SPAWN(.isolation = run.isolation)),
                           NULL, &run.pool);
    if (rc == 0)
        rc = tr_monitor(self, run.pool, NULL);
    if (rc == 0)
        rc = tr_send(self, run.pool, "deaf", TR_V(0));
    return rc < 0 ? rc : tr_stop(self, run.pool);
}
static const tr_behavior impatient = {
    .name = "impatient", .start = impatient_start, .receive = producer_receive};

static void workers_that_do_not_end_are_killed(void **state)
{
    (void)state;
    for (int isolation = TR_SHARED; isolation <= TR_PROCESS; isolation++) {
        memset(&run, 0, sizeof run);
        run.isolation = (tr_isolation)isolation;
        assert_int_equal(0, TR_RUN(APP, &impatient, TR_NULL));
        assert_int_equal(TR_REASON_SHUTDOWN, run.reason.kind);
    }
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(workers_that_do_not_end_are_killed),
    TR_PROCESS_TEST(pressure_reaches_the_sender_and_nothing_is_lost),
    TR_PROCESS_TEST(a_killed_worker_is_replaced_and_its_asks_end),
};
TR_TEST_MAIN("ipc/pool", APP, tests)
