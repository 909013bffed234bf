// Work: each call ends once, in a turn of the actor that wants it, wherever that lives.
#include "conform/isolation_suite.h"

// Has numbers squared on one pool and doubled on another, as many at a time as they take, and sends
// its parent the sum.
struct reckoner {
    int64_t next, count, sum, over;
    bool inside; // a call
    int rc;
};

static int square(void *buf)
{
    int64_t *n = tr_buf_data(buf);
    *n *= *n;
    return 0;
}

static int twice(void *buf)
{
    *(int64_t *)tr_buf_data(buf) *= 2;
    return TR_EIO;
}

static void drop(void *buf)
{
    tr_buf *gone = buf;
    tr_buf_unref(&gone);
}

static int reckon_more(tr_actor *self);

static void on_reckoned(tr_actor *self, int status, void *buf, void *arg)
{
    struct reckoner *r = tr_state(self);
    bool good = !r->inside && status == *(const int *)arg;
    r->sum += good ? *(int64_t *)tr_buf_data(buf) : 0;
    drop(buf);
    int rc = ++r->over == r->count ? tr_send(self, tr_parent(self), "sum", TR_V(r->sum))
                                   : reckon_more(self);
    if (rc < 0)
        tr_exit(self, rc);
}

static int reckon(tr_actor *self, int64_t number)
{
    static int good = 0, bad = TR_EIO;
    bool even = number % 2 == 0;
    tr_buf *buf = NULL;
    int rc = tr_buf_copy(&number, sizeof number, &buf);
    if (rc == 0)
        rc = tr_work(self, even ? square : twice, buf,
                     TR_WORK(.pool = even ? "even" : NULL, .release = drop), on_reckoned,
                     even ? &good : &bad);
    if (rc < 0)
        tr_buf_unref(&buf);
    return rc;
}

static void on_look(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = reckon_more(self);
    if (rc < 0)
        tr_exit(self, rc);
}

// What is full now goes on when a call has come back; or when it is another's, a little later.
static int reckon_more(tr_actor *self)
{
    struct reckoner *r = tr_state(self);
    int rc = 0;
    r->inside = true;
    while (rc == 0 && r->next < r->count) {
        rc = reckon(self, r->next);
        r->next += rc == 0;
    }
    r->inside = false;
    if (rc == TR_EFULL)
        rc = r->over < r->next ? 0 : tr_timer_start(self, TR_US(100), on_look, NULL, NULL);
    return rc;
}

static int reckoner_start(tr_actor *self, const tr_val *args)
{
    struct reckoner *r = tr_state(self);
    tr_work_pool(tr_node_of(self), "even", TR_WORK_POOL(.threads = 2, .queue_max = 8));
    int rc = tr_as_int(*args, &r->count);
    return rc < 0 ? rc : reckon_more(self);
}

const tr_behavior reckoner = {
    .name = "reckoner", .state_size = sizeof(struct reckoner), .start = reckoner_start};

static int64_t reckoned(int64_t count)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += i % 2 == 0 ? i * i : i * 2;
    return sum;
}

// Two at a time, who share the pools where they share a node.
static int64_t missing;

static int start_reckoning(tr_actor *self)
{
    tr_spawn_opts opts = *TR_SPAWN(.args = TR_V((int64_t)play_many(2000)), .link = true);
    missing = 2;
    int rc = play_spawn(self, &reckoner, &opts, NULL);
    return rc < 0 ? rc : play_spawn(self, &reckoner, &opts, NULL);
}

static int receive_sum(tr_actor *self, const tr_msg *msg)
{
    note("%s", number_of(msg) == reckoned((int64_t)play_many(2000)) ? "right" : "wrong");
    return --missing > 0 ? 0 : tr_exit(self, TR_NORMAL);
}

static void every_call_comes_back_once(void **state)
{
    (void)state;
    perform(&(struct play){start_reckoning, receive_sum, false}, "right right");
}

int isolation_work(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(every_call_comes_back_once),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
