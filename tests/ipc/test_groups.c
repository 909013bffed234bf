// Names, groups and dead letters of a node with several loops, and groups of real processes.
#include <string.h>

#include "support/ipc.h"

#define LOOPS   4
#define MEMBERS 8 // two on each loop

// What a test has seen. Written by its first actor, and looked at when the node has ended.
static struct {
    unsigned here, done, won, ups, downs;
    uint64_t got, dead;
    bool false_one;
} seen;

static const tr_behavior listener, racer, crasher, leaf, house;
#define APP TR_APP(&house, &crasher)

static void run(const tr_behavior *first)
{
    tr_node *node;
    memset(&seen, 0, sizeof seen);
    assert_int_equal(0, tr_node_open(TR_NODE(.app = APP, .loops = LOOPS), &node));
    assert_int_equal(0, tr_node_spawn(node, first, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    seen.dead = tr_node_dead_letters(node);
    tr_node_close(&node);
    assert_false(seen.false_one);
}

static int spawn_members(tr_actor *self, const tr_behavior *behavior, tr_addr *addrs)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < MEMBERS; i++)
        rc = tr_spawn(self, behavior, TR_SPAWN(.placement = TR_SPREAD), &addrs[i]);
    return rc;
}

static int64_t number_of(const tr_msg *msg)
{
    int64_t number = -1;
    tr_as_int(tr_msg_body(msg), &number);
    return number;
}

// ---- Members on all loops ----

// Each publishes so many numbers, and hears those of all in order.
#define NUMBERS 200

struct listener {
    unsigned got;
    struct {
        tr_addr from;
        int64_t next;
    } heard[MEMBERS];
    bool disorder;
};

static int listener_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "all");
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int listener_number(tr_actor *self, const tr_msg *msg)
{
    struct listener *l = tr_state(self);
    int i = 0;
    while (i < MEMBERS && l->heard[i].next > 0 && !tr_addr_eq(l->heard[i].from, tr_msg_from(msg)))
        i++;
    l->disorder |= i == MEMBERS || l->heard[i].next++ != number_of(msg);
    l->heard[i % MEMBERS].from = tr_msg_from(msg);
    if (++l->got < MEMBERS * NUMBERS)
        return 0;
    return tr_send(self, tr_parent(self), "done", tr_val_bool(l->disorder));
}

static int listener_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = 0;
    if (tr_msg_is(msg, "number"))
        return listener_number(self, msg);
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_publish(self, "all", "number", TR_V(i));
    return rc;
}
static const tr_behavior listener = {.name = "listener",
                                     .state_size = sizeof(struct listener),
                                     .start = listener_start,
                                     .receive = listener_receive};

static int spread_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr addrs[MEMBERS];
    return spawn_members(self, &listener, addrs);
}

static int spread_receive(tr_actor *self, const tr_msg *msg)
{
    bool disorder = true;
    if (tr_msg_is(msg, "here"))
        return ++seen.here < MEMBERS ? 0 : tr_publish(self, "all", "go", TR_NULL);
    tr_as_bool(tr_msg_body(msg), &disorder);
    seen.false_one |= disorder || tr_members(self, "all", NULL, 0) != MEMBERS;
    return ++seen.done < MEMBERS ? 0 : tr_exit(self, TR_NORMAL);
}
static const tr_behavior spread = {
    .name = "spread", .start = spread_start, .receive = spread_receive};

static void members_on_all_loops_hear_everybody_in_order(void **state)
{
    (void)state;
    run(&spread);
    assert_int_equal(MEMBERS, seen.done);
    assert_int_equal(0, seen.dead);
}

// ---- A member that cannot keep up ----

// Publications are refused neither to who publishes nor to another member; what has no room on the
// way, or in the mailbox, is a dead letter, and the count is right to the last one.
#define FLOOD 50000

static int slow_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "flood");
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int slow_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t *got = tr_state(self);
    if (tr_msg_is(msg, "drop"))
        return (*got)++, 0;
    return tr_reply(self, msg, TR_V(*got));
}
static const tr_behavior slow = {
    .name = "slow", .state_size = sizeof(uint64_t), .start = slow_start, .receive = slow_receive};

static int flooder_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_spawn(self, &slow, TR_SPAWN(.isolation = TR_THREAD, .mail_max = 100), NULL);
}

static int flooder_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = 0;
    if (tr_msg_is(msg, "count")) {
        seen.got = (uint64_t)number_of(msg);
        return tr_exit(self, TR_NORMAL);
    }
    for (int i = 0; rc == 0 && i < FLOOD; i++)
        rc = tr_publish(self, "flood", "drop", TR_NULL);
    return rc < 0 ? rc : tr_send(self, tr_msg_from(msg), "count", TR_NULL);
}
static const tr_behavior flooder = {
    .name = "flooder", .start = flooder_start, .receive = flooder_receive};

static void what_a_member_has_no_room_for_is_counted(void **state)
{
    (void)state;
    run(&flooder);
    assert_true(seen.got > 0);
    assert_int_equal(FLOOD, seen.got + seen.dead);
}

// ---- Racing for a name ----

#define ROUNDS 50

static int racer_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_msg_is(msg, "take") ? tr_register(self, "it") : tr_unregister(self, "it");
    return tr_reply(self, msg, TR_V(rc));
}
static const tr_behavior racer = {.name = "racer", .receive = racer_receive};

static tr_addr racers[MEMBERS];

static int race(tr_actor *self)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < MEMBERS; i++)
        rc = tr_send(self, racers[i], "take", TR_NULL);
    return rc;
}

static int race_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_members(self, &racer, racers);
    return rc < 0 ? rc : race(self);
}

static int race_answer(tr_actor *self, const tr_msg *msg)
{
    static tr_addr winner;
    tr_addr found = TR_NOBODY;
    if (number_of(msg) == 0) {
        seen.won++;
        winner = tr_msg_from(msg);
    }
    if (++seen.here % MEMBERS != 0)
        return 0;
    int rc = tr_whereis(self, "it", &found);
    seen.false_one |= rc < 0 || !tr_addr_eq(winner, found);
    return tr_send(self, winner, "drop", TR_NULL);
}

static int race_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "take"))
        return race_answer(self, msg);
    seen.false_one |= number_of(msg) != 0;
    return ++seen.done < ROUNDS ? race(self) : tr_exit(self, TR_NORMAL);
}
static const tr_behavior race_first = {
    .name = "race", .start = race_start, .receive = race_receive};

static void one_of_many_gets_a_name(void **state)
{
    (void)state;
    run(&race_first);
    assert_int_equal(ROUNDS, seen.done);
    assert_int_equal(ROUNDS, seen.won);
}

// ---- Names of actors that end ----

// Actors of all kinds that end at once, each under the name of the one before, spawned when the end
// of that is heard of. A follower hears of beginnings and ends, alternating.
static unsigned cycles;

static int crasher_start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    return TR_EIO;
}
static const tr_behavior crasher = {.name = "crasher", .start = crasher_start};

static uint64_t monitor, following;

static int crash_next(tr_actor *self)
{
    tr_addr addr;
    if (seen.done == cycles)
        return tr_exit(self, TR_NORMAL);
    tr_isolation isolation = seen.done % 100 == 98   ? TR_THREAD
                             : seen.done % 100 == 99 ? TR_PROCESS
                                                     : TR_SHARED;
    tr_placement placement = isolation == TR_SHARED ? TR_SPREAD : TR_HERE;
    int rc =
        tr_spawn(self, &crasher,
                 TR_SPAWN(.name = "it", .isolation = isolation, .placement = placement), &addr);
    if (rc == 0 && isolation == TR_PROCESS) // it is there until it has been reaped
        seen.false_one |= tr_spawn(self, &crasher, TR_SPAWN(.name = "it", .isolation = TR_PROCESS),
                                   NULL) != TR_EEXIST;
    return rc < 0 ? rc : tr_monitor(self, addr, &monitor);
}

static int crash_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_monitor_name(self, "it", true, &following);
    return rc < 0 ? rc : crash_next(self);
}

static int crash_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *up = tr_msg_up(msg), *down = tr_msg_down(msg);
    if (up != NULL) {
        seen.false_one |= up->monitor != following || seen.ups != seen.downs;
        seen.ups++;
        return 0;
    }
    if (down->monitor == following) {
        seen.downs++;
        seen.false_one |= seen.ups != seen.downs;
        return 0;
    }
    seen.done++;
    return crash_next(self);
}
static const tr_behavior crash_first = {
    .name = "crash", .start = crash_start, .receive = crash_receive};

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static void who_hears_of_an_end_may_give_the_name_again(void **state)
{
    (void)state;
    cycles = (unsigned)ipc_scaled(2000) + 100;
    tr_log_set(warn_nobody, NULL);
    run(&crash_first);
    tr_log_set(NULL, NULL);
    assert_int_equal(cycles, seen.done);
    assert_true(seen.ups > 0);
}

// ---- Dead letters of another loop ----

static int reader_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_dead_letters(self, true);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int reader_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t why = 0;
    tr_get_int(tr_msg_body(msg), "why", &why);
    return tr_send(self, tr_parent(self), "told", TR_V(why));
}
static const tr_behavior reader = {
    .name = "reader", .start = reader_start, .receive = reader_receive};

static int unknown_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EUNKNOWN;
}
static const tr_behavior unknown = {.name = "unknown", .receive = unknown_receive};

static int dead_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_spawn(self, &reader, TR_SPAWN(.isolation = TR_THREAD), NULL);
}

static int dead_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr addr;
    if (tr_msg_is(msg, "here")) {
        int rc = tr_spawn(self, &unknown, TR_SPAWN(.isolation = TR_THREAD), &addr);
        return rc < 0 ? rc : tr_send(self, addr, "what?", TR_NULL);
    }
    seen.false_one |= number_of(msg) != TR_EUNKNOWN;
    seen.done++;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior dead_first = {
    .name = "dead", .start = dead_start, .receive = dead_receive};

static void dead_letters_are_told_across_loops(void **state)
{
    (void)state;
    run(&dead_first);
    assert_int_equal(1, seen.done);
    assert_int_equal(1, seen.dead);
}

// ---- A parent and three children ----

// Each child has three members. What the parent publishes is heard by all of them, and each of them
// publishes back as often: 3 * 3 * NUMBERS, of which each child hears all, too.
#define CHILDREN 3

static int leaf_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "house");
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int leaf_receive(tr_actor *self, const tr_msg *msg)
{
    unsigned *got = tr_state(self);
    if (tr_msg_is(msg, "ping"))
        return tr_publish(self, "house", "pong", tr_msg_body(msg));
    return ++*got < CHILDREN * 3 * NUMBERS ? 0 : tr_send(self, tr_parent(self), "done", TR_NULL);
}
static const tr_behavior leaf = {
    .name = "leaf", .state_size = sizeof(unsigned), .start = leaf_start, .receive = leaf_receive};

// Passes on, once for each three, what its leaves say.
static int house_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = 0;
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = tr_spawn(self, &leaf, TR_SPAWN(.placement = TR_SPREAD), NULL);
    return rc;
}

static int house_receive(tr_actor *self, const tr_msg *msg)
{
    unsigned *said = tr_state(self);
    return ++*said % 3 != 0 ? 0 : tr_send(self, tr_parent(self), tr_msg_name(msg), TR_NULL);
}
static const tr_behavior house = {.name = "house",
                                  .state_size = sizeof(unsigned),
                                  .start = house_start,
                                  .receive = house_receive};

static int street_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "house");
    for (int i = 0; rc == 0 && i < CHILDREN; i++)
        rc = tr_spawn(self, &house, TR_SPAWN(.isolation = TR_PROCESS), NULL);
    return rc;
}

static int street_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = 0;
    seen.here += tr_msg_is(msg, "here");
    seen.got += tr_msg_is(msg, "pong");
    seen.done += tr_msg_is(msg, "done");
    if (tr_msg_is(msg, "here") && seen.here == CHILDREN) {
        for (int i = 0; rc == 0 && i < NUMBERS; i++)
            rc = tr_publish(self, "house", "ping", TR_V(i));
    }
    if (seen.done == CHILDREN && seen.got == CHILDREN * 3 * NUMBERS)
        return tr_exit(self, TR_NORMAL);
    return rc;
}
static const tr_behavior street = {
    .name = "street", .start = street_start, .receive = street_receive};

static void a_parent_and_its_children_hear_each_other(void **state)
{
    (void)state;
    run(&street);
    assert_int_equal(CHILDREN, seen.done);
    assert_int_equal(CHILDREN * 3 * NUMBERS, seen.got);
}

int main(int argc, char **argv)
{
    if (tr_is_child()) {
        tr_log_set(warn_nobody, NULL);
        return tr_main(argc, argv, APP);
    }
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(members_on_all_loops_hear_everybody_in_order),
        TR_PROCESS_TEST(what_a_member_has_no_room_for_is_counted),
        TR_PROCESS_TEST(one_of_many_gets_a_name),
        TR_PROCESS_TEST(who_hears_of_an_end_may_give_the_name_again),
        TR_PROCESS_TEST(dead_letters_are_told_across_loops),
        TR_PROCESS_TEST(a_parent_and_its_children_hear_each_other),
    };
    return cmocka_run_group_tests_name("ipc/groups", tests, NULL, NULL);
}
