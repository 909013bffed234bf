// Two nodes on a network that is cut and healed, on any schedule: each hears of the other's end in
// time and once, no ask waits for ever, what was sent over a link that is lost never comes later,
// and when the network is whole again they meet.
#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS      seeds_of(20)
#define FIRST      "tcp://10.0.0.1:7000"
#define SECOND     "tcp://10.0.0.2:7000"
#define SECRET     "the two know this one"
#define SILENCE_MS 1000
#define BACKOFF_MS 500
#define CUTS       5
#define CUT_MAX_NS TR_S(6)
#define CALM_NS    TR_S(3) // enough to meet again, and to be at it for a while

static struct sim_nodes nodes;
static bool mutual;  // the first one dials, too
static bool forgets; // both have no secret any more when they meet

static struct {
    unsigned started; // nodes
    // Of the one that sends.
    uint64_t sent;
    unsigned ups, downs, monitors, ends;
    unsigned asked, answered; // one way or the other
    uint64_t epoch, down_at, up_at;
    bool is_up;
    // Of the one that counts.
    uint64_t last, doubled, got;
} all;

static int join_in(tr_actor *self, const char *listen, const char *dial)
{
    tr_node *node = tr_node_of(self);
    int rc = tr_node_links(node, TR_LINKS(.secret = SECRET, .secret_size = sizeof SECRET - 1,
                                          .silence_ms = SILENCE_MS));
    if (rc == 0 && listen != NULL)
        rc = tr_node_listen(node, listen);
    if (rc == 0 && dial != NULL)
        rc = tr_node_dial(node, dial, TR_DIAL(.backoff_min_ms = 10, .backoff_max_ms = BACKOFF_MS));
    return rc < 0 || !forgets ? rc : tr_node_links(node, NULL);
}

// ---- The first node: an actor that counts ----

static int counter_start(tr_actor *self)
{
    int rc = tr_register(self, "counter");
    return rc < 0 ? rc : join_in(self, FIRST, mutual ? SECOND : NULL);
}

static int counter_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t n;
    if (tr_msg_is(msg, "quit"))
        return tr_exit(self, TR_NORMAL);
    if (!tr_msg_is(msg, "count") || tr_as_uint(tr_msg_body(msg), &n) < 0)
        return TR_EUNKNOWN;
    all.doubled += n <= all.last;
    all.last = n;
    all.got++;
    return tr_msg_is_ask(msg) ? tr_reply(self, msg, TR_V(n)) : 0;
}

// ---- The second one: sends and asks as long as there is a link ----

static tr_addr counter;

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    assert_true(answer->status == 0 || answer->status == TR_EDOWN ||
                answer->status == TR_ETIMEDOUT);
    all.answered++;
}

static void send_one(tr_actor *self, void *arg)
{
    (void)arg;
    if (!all.is_up)
        return;
    int rc = tr_send(self, counter, "count", TR_V(++all.sent));
    assert_true(rc == 0 || rc == TR_EFULL || rc == TR_EDOWN);
    rc = tr_ask(self, counter, "count", TR_V(++all.sent), TR_ASK(.timeout_ms = 60000), NULL,
                on_answer, NULL);
    all.asked += rc == 0;
}

static int sender_start(tr_actor *self)
{
    int rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_interval_start(self, TR_MS(20), send_one, NULL, NULL);
    return rc < 0 ? rc : join_in(self, SECOND, FIRST);
}

static void on_found(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (answer->status < 0 || all.is_up)
        return; // it was short, or was asked over the link before
    assert_int_equal(0, tr_as_addr(answer->body, &counter));
    all.is_up = true;
    all.monitors += tr_monitor(self, counter, NULL) == 0;
}

static int sender_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    uint64_t node, epoch;
    if (tr_msg_is(msg, "quit"))
        return tr_exit(self, TR_NORMAL);
    if (down != NULL) {
        assert_int_equal(TR_REASON_NOCONNECTION, down->reason.kind);
        all.ends++;
        return 0;
    }
    assert_int_equal(0, TR_READ(tr_msg_body(msg), "node", &node, "epoch", &epoch));
    if (tr_msg_is(msg, "node down")) {
        assert_int_equal(++all.downs, all.ups);
        assert_int_equal(all.epoch, epoch);
        all.is_up = false;
        all.down_at = tr_now(self);
        return 0;
    }
    assert_int_equal(all.ups++, all.downs);
    assert_true(epoch > all.epoch);
    all.epoch = epoch;
    all.up_at = tr_now(self);
    int rc =
        tr_whereis_at(self, node, "counter", TR_ASK(.timeout_ms = 60000), NULL, on_found, NULL);
    return rc == TR_EDOWN ? 0 : rc;
}

// ---- Both are one program ----

struct member {
    bool counts;
};

static int member_start(tr_actor *self, const tr_val *args)
{
    struct member *m = tr_state(self);
    (void)args;
    m->counts = all.started++ == 0;
    return m->counts ? counter_start(self) : sender_start(self);
}

static int member_receive(tr_actor *self, const tr_msg *msg)
{
    return ((struct member *)tr_state(self))->counts ? counter_receive(self, msg)
                                                     : sender_receive(self, msg);
}
static const tr_behavior member = {.name = "member",
                                   .state_size = sizeof(struct member),
                                   .start = member_start,
                                   .receive = member_receive};

// ---- Running ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static bool is_up(void *arg)
{
    (void)arg;
    return all.is_up;
}

static void start_nodes(uint64_t seed)
{
    memset(&all, 0, sizeof all);
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&member));
    assert_int_equal(0, sim_nodes_start(&nodes));
    tr__sim_run_for(nodes.sim, TR_MS(1));
    assert_int_equal(0, sim_nodes_start(&nodes));
}

static void open_nodes(uint64_t seed)
{
    start_nodes(seed);
    assert_true(tr__sim_run_until(nodes.sim, is_up, NULL, TR_S(60)));
}

static uint64_t close_nodes(void)
{
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    assert_int_equal(0, all.doubled);
    assert_true(all.got <= all.sent);
    return hash;
}

// Cut for a while, see the end in time where it was long enough, and see them meet again.
static void cut_once(uint64_t *random)
{
    uint64_t length = random_below(random, CUT_MAX_NS), cut_at = tr__sim_now(nodes.sim);
    uint64_t budget = TR_MS(SILENCE_MS);
    unsigned downs = all.downs;
    tr__sim_cut(nodes.sim, length);
    tr__sim_run_for(nodes.sim, length);
    if (length > budget + TR_MS(100)) {
        assert_int_equal(downs + 1, all.downs);
        assert_true(all.down_at - cut_at < budget + TR_MS(100));
    } else if (length < budget / 2 - TR_MS(100)) {
        assert_int_equal(downs, all.downs);
    }
    uint64_t healed = tr__sim_now(nodes.sim);
    assert_true(tr__sim_run_until(nodes.sim, is_up, NULL, TR_S(60)));
    assert_true(tr__sim_now(nodes.sim) - healed < TR_S(15));
    tr__sim_run_for(nodes.sim, CALM_NS);
    assert_true(all.is_up);
}

static uint64_t run_cuts(uint64_t seed)
{
    uint64_t random = seed + 1;
    open_nodes(seed);
    for (int i = 0; i < CUTS; i++) {
        tr__sim_run_for(nodes.sim, random_below(&random, TR_S(1)));
        cut_once(&random);
    }
    assert_int_equal(all.monitors, all.ends + 1); // the last one's is still set
    assert_true(all.answered + 10 > all.asked);   // but for those on their way
    return close_nodes();
}

static void for_seeds(uint64_t (*run)(uint64_t seed), uint64_t count)
{
    tr_log_set(warn_nobody, NULL);
    for (uint64_t seed = 0; seed < count; seed++) {
        uint64_t hash = run(seed);
        if (seed % 5 == 0)
            assert_int_equal(hash, run(seed));
    }
    tr_log_set(NULL, NULL);
}

static void nodes_that_are_cut_off_hear_of_it_once_and_meet_again(void **state)
{
    (void)state;
    mutual = false;
    for_seeds(run_cuts, SEEDS);
}

static void nodes_that_dial_each_other_keep_one_link(void **state)
{
    (void)state;
    mutual = true;
    for_seeds(run_cuts, SEEDS);
}

static void nodes_without_a_secret_do_not_meet_over_tcp(void **state)
{
    (void)state;
    mutual = false;
    forgets = true;
    tr_log_set(warn_nobody, NULL);
    start_nodes(1);
    tr__sim_run_for(nodes.sim, CALM_NS);
    assert_int_equal(0, all.ups);
    close_nodes();
    tr_log_set(NULL, NULL);
    forgets = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_that_are_cut_off_hear_of_it_once_and_meet_again),
        cmocka_unit_test(nodes_that_dial_each_other_keep_one_link),
        cmocka_unit_test(nodes_without_a_secret_do_not_meet_over_tcp),
    };
    return cmocka_run_group_tests_name("sim/nodes", tests, NULL, NULL);
}
