// An actor and its tests: a limiter, which lets so many messages a second pass to its target and
// refuses the others. The tests take no time: they move the clock themselves.
#include <troupe.h>
#include <troupe/test.h>

#include <cmocka.h>

// ---- The actor ----

struct limiter {
    tr_addr target;
    unsigned rate; // messages a second
    unsigned left; // of this second
};

static void limiter_refill(tr_actor *self, void *arg)
{
    struct limiter *l = arg;
    (void)self;
    l->left = l->rate;
}

static int limiter_start(tr_actor *self, const tr_val *args)
{
    struct limiter *l = tr_state(self);
    int rc = TR_READ(*args, "target", &l->target, "rate", &l->rate);
    if (rc < 0)
        return rc;
    l->left = l->rate;
    rc = tr_monitor(self, l->target, NULL);
    return rc < 0 ? rc : tr_interval_start(self, TR_S(1), limiter_refill, l, NULL);
}

static int limiter_receive(tr_actor *self, const tr_msg *msg)
{
    struct limiter *l = tr_state(self);
    if (tr_msg_down(msg) != NULL)
        return tr_exit(self, TR_EDOWN); // nothing can pass any more
    if (l->left == 0)
        return tr_send(self, tr_msg_from(msg), "refused", TR_MAP("rate", l->rate));
    int rc = tr_send(self, l->target, tr_msg_name(msg), tr_msg_body(msg));
    if (rc == TR_EFULL)
        return tr_send(self, tr_msg_from(msg), "refused", TR_MAP("full", TR_TRUE));
    l->left -= rc == 0;
    return rc;
}

static const tr_behavior limiter = {
    .name = "limiter",
    .state_size = sizeof(struct limiter),
    .start = limiter_start,
    .receive = limiter_receive,
};

// ---- Its tests ----

static void what_is_within_the_rate_passes(void **state)
{
    (void)state;
    tr_addr client = tr_kit_probe("client"), target = tr_kit_probe("target");
    tr_addr actor = TR_START(&limiter, TR_SPAWN(.args = TR_MAP("target", target, "rate", 2)));
    TR_GIVE(actor, client, "job", TR_MAP("id", 1));
    TR_GIVE(actor, client, "job", TR_MAP("id", 2));
    TR_EXPECT(target, "job", TR_MAP("id", 1));
    TR_EXPECT(target, "job", TR_MAP("id", 2));
    TR_EXPECT_NOTHING(client);
}

static void what_is_above_it_waits_for_the_next_second(void **state)
{
    (void)state;
    tr_addr client = tr_kit_probe("client"), target = tr_kit_probe("target");
    tr_addr actor = TR_START(&limiter, TR_SPAWN(.args = TR_MAP("target", target, "rate", 1)));
    TR_GIVE(actor, client, "job", TR_MAP("id", 1));
    TR_GIVE(actor, client, "job", TR_MAP("id", 2));
    TR_EXPECT(client, "refused", TR_MAP("rate", 1));
    TR_EXPECT_TIMER(TR_S(1));
    TR_ADVANCE(TR_S(1));
    TR_GIVE(actor, client, "job", TR_MAP("id", 3));
    TR_EXPECT(target, "job", TR_MAP("id", 1));
    TR_EXPECT(target, "job", TR_MAP("id", 3));
}

static void a_target_that_is_full_costs_nothing_of_the_rate(void **state)
{
    (void)state;
    tr_addr client = tr_kit_probe("client"), target = tr_kit_probe("target");
    tr_addr actor = TR_START(&limiter, TR_SPAWN(.args = TR_MAP("target", target, "rate", 1)));
    tr_kit_room(target, 0);
    TR_GIVE(actor, client, "job", TR_NULL);
    TR_EXPECT_LIKE(client, "refused", TR_MAP("full", TR_TRUE));
    tr_kit_room(target, 1);
    TR_GIVE(actor, client, "job", TR_NULL);
    TR_EXPECT(target, "job", TR_NULL);
}

static void it_ends_with_its_target(void **state)
{
    (void)state;
    tr_addr target = tr_kit_probe("target");
    tr_addr actor = TR_START(&limiter, TR_SPAWN(.args = TR_MAP("target", target, "rate", 1)));
    tr_kit_end(target, (tr_reason){.kind = TR_REASON_KILLED, .code = 9});
    TR_EXPECT_EXIT(actor, TR_EDOWN);
}

// ---- The same actor on a real node, with its target in another process ----

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_send(self, tr_parent(self), "done", tr_msg_body(msg));
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr target, limited;
    int rc = tr_spawn(self, &worker, TR_SPAWN(.isolation = TR_PROCESS), &target);
    if (rc == 0)
        rc = tr_spawn(self, &limiter, TR_SPAWN(.args = TR_MAP("target", target, "rate", 1)),
                      &limited);
    return rc < 0 ? rc : tr_send(self, limited, "job", TR_V(7));
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t job = 0;
    TR_CHECK(tr_msg_is(msg, "done")); // not cmocka's assertions: this node is a real one
    TR_CHECK(tr_as_int(tr_msg_body(msg), &job) == 0 && job == 7);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

static void it_passes_messages_to_another_process(void **state)
{
    (void)state;
    assert_int_equal(0, TR_RUN(TR_APP(&worker), &boss, TR_NULL));
}

static const struct CMUnitTest tests[] = {
    TR_TEST(what_is_within_the_rate_passes),
    TR_TEST(what_is_above_it_waits_for_the_next_second),
    TR_TEST(a_target_that_is_full_costs_nothing_of_the_rate),
    TR_TEST(it_ends_with_its_target),
    TR_PROCESS_TEST(it_passes_messages_to_another_process),
};
TR_TEST_MAIN("limiter", TR_APP(&worker), tests)
