#include "stage.h"

static void link_to(tr_actor *self, tr_addr addr)
{
    IN_TURN(self)
    assert_int_equal(0, tr_link(self, addr));
}

static void unlink_from(tr_actor *self, tr_addr addr)
{
    IN_TURN(self)
    assert_int_equal(0, tr_unlink(self, addr));
}

static void trap(tr_actor *self)
{
    IN_TURN(self)
    assert_int_equal(0, tr_trap_exit(self, true));
}

static void end(tr_actor *actor, int reason)
{
    stage_exit(actor, reason);
    stage_run();
}

static int kill_from(tr_actor *self, tr_addr addr)
{
    int rc = 1;
    IN_TURN(self)
    rc = tr_kill(self, addr);
    return rc;
}

// Nothing is left of any link.
static void assert_no_ties(void)
{
    assert_int_equal(0, stage.loop->ties.count);
}

// ---- One end takes the other along ----

static void who_ends_takes_the_linked_one_along(void **state)
{
    (void)state;
    static const struct {
        int reason;
        const char *heard[2];
    } ends[] = {
        {TR_EIO,
         {"a:stop=error: input or output error b:stop=error: input or output error",
          "b:stop=error: input or output error a:stop=error: input or output error"}},
        {TR_SHUTDOWN, {"a:stop=shutdown b:stop=shutdown", "b:stop=shutdown a:stop=shutdown"}},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        for (int who = 0; who < 2; who++) {
            tr_actor *a = stage_actor("a"), *b = stage_actor("b");
            link_to(a, tr_self(b));
            end(who == 0 ? a : b, ends[i].reason);
            assert_heard(ends[i].heard[who]);
            assert_no_ties();
        }
    }
}

static void a_normal_end_takes_nobody_along(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    link_to(a, tr_self(b));
    end(b, TR_NORMAL);
    assert_heard("b:stop=normal");
    assert_no_ties();
    end(a, TR_EIO);
    assert_heard("a:stop=error: input or output error");
}

static void a_linked_one_ends_before_its_next_message(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    link_to(a, tr_self(b));
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send(a, tr_self(b), "late", TR_NULL));
        stage_hold(b);
        tr_exit(a, TR_EIO);
    }
    stage_run();
    assert_heard("a:stop=error: input or output error b:stop=error: input or output error");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

// Goal:   the reason travels unchanged along any chain, and round a ring once.
// Method: 100 actors in a ring; one is killed.
static void a_ring_of_links_ends_with_one_reason(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    tr_actor *ring[COUNT];
    size_t stops = 0;
    for (int i = 0; i < COUNT; i++)
        ring[i] = stage_actor("x");
    for (int i = 0; i < COUNT; i++)
        link_to(ring[i], tr_self(ring[(i + 1) % COUNT]));
    assert_int_equal(2 * COUNT, stage.loop->ties.count);
    assert_int_equal(0, kill_from(ring[7], tr_self(ring[42])));
    stage_run();
    for (const char *at = stage.heard; (at = strstr(at, "stop=killed by signal 9")) != NULL; at++)
        stops++;
    assert_int_equal(COUNT, stops);
    assert_int_equal(0, stage.loop->actor_count.value);
    assert_no_ties();
    stage.heard[0] = '\0';
}

// ---- Trapping ----

static tr_down got;

static int receive_exit(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    assert_null(tr_msg_down(msg));
    if (tr_msg_exit(msg) != NULL)
        got = *tr_msg_exit(msg);
    return 0;
}

static void one_that_traps_exits_hears_of_every_end(void **state)
{
    (void)state;
    static const struct {
        int reason;
        const char *heard;
    } ends[] = {
        {TR_NORMAL, "b:stop=normal a:exit={\"reason\":\"normal\",\"code\":0}"},
        {TR_SHUTDOWN, "b:stop=shutdown a:exit={\"reason\":\"shutdown\",\"code\":0}"},
        {TR_EIO, "b:stop=error: input or output error a:exit={\"reason\":\"error\",\"code\":-5}"},
    };
    tr_actor *a = stage_actor("a");
    trap(a);
    player_of(a)->receive = receive_exit;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        tr_actor *b = stage_actor("b");
        tr_addr addr = tr_self(b);
        link_to(b, tr_self(a));
        end(b, ends[i].reason);
        assert_heard(ends[i].heard);
        assert_true(tr_addr_eq(addr, got.addr) && got.linked && got.monitor == 0);
    }
    assert_no_ties();
}

static void to_be_asked_is_not_to_be_linked(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    trap(a);
    player_of(a)->receive = receive_exit;
    link_to(b, tr_self(a));
    IN_TURN(b)
    assert_int_equal(0, tr_stop(b, tr_self(a)));
    stage_run();
    assert_heard("a:exit={\"reason\":\"shutdown\",\"code\":0}");
    assert_true(!got.linked && tr_addr_eq(tr_self(b), got.addr));
}

static void an_exit_comes_after_the_last_message_of_the_dead(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    trap(a);
    link_to(a, tr_self(b));
    stage_hold(a);
    IN_TURN(b)
    {
        assert_int_equal(0, tr_send(b, tr_self(a), "last", TR_NULL));
        tr_exit(b, TR_NORMAL);
    }
    stage_hold(a);
    IN_TURN(c)
    assert_int_equal(0, tr_send(c, tr_self(a), "other", TR_NULL));
    stage_run();
    assert_heard("a:last a:other b:stop=normal a:exit={\"reason\":\"normal\",\"code\":0}");
}

// ---- What is not there ----

static void a_link_to_what_is_not_there_is_an_exit(void **state)
{
    (void)state;
    tr_actor *gone = stage_actor("gone");
    const tr_addr nobody[] = {tr_self(gone), TR_NOBODY, {stage.node->id, (uint64_t)4095 << 52 | 7}};
    end(gone, TR_NORMAL);
    assert_heard("gone:stop=normal");
    for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++) {
        tr_actor *a = stage_actor("a"), *b = stage_actor("b");
        trap(b);
        link_to(a, nobody[i]);
        link_to(b, nobody[i]);
        stage_run();
        assert_heard("b:exit={\"reason\":\"no actor\",\"code\":0} a:stop=no actor");
        end(b, TR_NORMAL);
        assert_heard("b:stop=normal");
    }
    link_to(stage_actor("c"), (tr_addr){stage.node->id + 1, 1});
    stage_run();
    assert_heard("c:stop=no connection: the other side went away");
    assert_no_ties();
}

static void a_link_to_oneself_is_none(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    trap(a);
    link_to(a, tr_self(a));
    assert_no_ties();
    end(a, TR_EIO);
    assert_heard("a:stop=error: input or output error");
}

// ---- At most one, and none ----

static void there_is_one_link_however_often_it_is_made(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    trap(a);
    link_to(a, tr_self(b));
    link_to(a, tr_self(b));
    link_to(b, tr_self(a));
    assert_int_equal(2, stage.loop->ties.count);
    end(b, TR_NORMAL);
    assert_heard("b:stop=normal a:exit={\"reason\":\"normal\",\"code\":0}");
    assert_no_ties();
}

static void either_side_can_unlink(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        tr_actor *a = stage_actor("a"), *b = stage_actor("b");
        link_to(a, tr_self(b));
        link_to(b, tr_self(a));
        unlink_from(way == 0 ? a : b, tr_self(way == 0 ? b : a));
        unlink_from(a, tr_self(b));
        assert_no_ties();
        end(b, TR_EIO);
        end(a, TR_NORMAL);
        assert_heard("b:stop=error: input or output error a:stop=normal");
    }
}

static void after_unlink_one_can_link_again(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    link_to(a, tr_self(b));
    unlink_from(b, tr_self(a));
    link_to(a, tr_self(b));
    end(b, TR_SHUTDOWN);
    assert_heard("b:stop=shutdown a:stop=shutdown");
}

// ---- Signals that cross: as they come from another loop or node ----

// Somebody whose signals the test writes itself: there is no such actor here.
static const uint64_t FAR = (uint64_t)4095 << 52 | 5;

static tr__signal *signal_between(tr__signal_kind kind, tr_addr from, tr_addr to)
{
    tr__signal *signal;
    assert_int_equal(0, tr__signal_new(kind, from, to, &signal));
    return signal;
}

static void arrive(tr_actor *to, uint64_t from, tr__signal_kind kind, uint64_t mine, uint64_t yours)
{
    tr_addr addr = {stage.node->id, from};
    tr__signal *signal = signal_between(kind, addr, tr_self(to));
    signal->mine = mine;
    signal->yours = yours;
    signal->reason = (tr_reason){.kind = TR_REASON_EXITED, .code = 3};
    tr__loop_here = stage.loop;
    tr__signal_send(stage.loop, &signal);
    tr__loop_here = NULL;
    stage_run();
}

static void an_unlink_takes_away_only_the_link_that_it_names(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    arrive(a, FAR, TR__SIGNAL_LINK, 1, 0);
    arrive(a, FAR, TR__SIGNAL_UNLINK, 2, 0); // of a link that has gone since
    arrive(a, FAR, TR__SIGNAL_UNLINK, 0, 1);
    arrive(a, FAR, TR__SIGNAL_UNLINK, 0, 0);
    assert_int_equal(1, stage.loop->ties.count);
    arrive(a, FAR, TR__SIGNAL_UNLINK, 1, 0);
    assert_no_ties();
}

static void an_exit_ends_only_by_the_link_that_it_names(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    arrive(a, FAR, TR__SIGNAL_EXIT, 1, 0); // there is no link
    arrive(a, FAR, TR__SIGNAL_LINK, 2, 0);
    arrive(a, FAR, TR__SIGNAL_EXIT, 1, 0);
    arrive(a, FAR, TR__SIGNAL_EXIT, 0, 2);
    arrive(a, FAR + 1, TR__SIGNAL_EXIT, 2, 0);
    assert_heard("");
    arrive(a, FAR, TR__SIGNAL_EXIT, 2, 0);
    assert_heard("a:stop=exited with status 3");
    assert_no_ties();
}

// Goal:   two that want a link at the same time have one, which stays when one of the wishes is
//         taken back by somebody who did not know of the other.
static void wishes_that_cross_make_one_link(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    link_to(a, tr_self(b));
    uint64_t ref = stage.loop->next_ref; // a's
    arrive(a, tr_self(b).actor, TR__SIGNAL_LINK, 77, 0);
    assert_int_equal(2, stage.loop->ties.count);
    arrive(a, tr_self(b).actor, TR__SIGNAL_UNLINK, 77, 0);
    assert_int_equal(2, stage.loop->ties.count); // a's own wish
    arrive(a, tr_self(b).actor, TR__SIGNAL_UNLINK, 0, ref);
    assert_int_equal(1, stage.loop->ties.count);
}

// Goal:   ties that have the same key are told apart, in whatever order they go.
static void ties_with_one_key_are_told_apart(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    tr_actor *actors[COUNT];
    uint64_t far[COUNT];
    for (int order = 0; order < COUNT; order++) {
        for (int i = 0; i < COUNT; i++) {
            actors[i] = stage_actor("x");
            far[i] = FAR ^ (actors[i]->id ^ stage.node->id) * 0x9e3779b97f4a7c15u;
            arrive(actors[i], far[i], TR__SIGNAL_LINK, 1, 0);
        }
        assert_int_equal(1, stage.loop->ties.count);
        for (int i = 0; i < COUNT; i++) {
            arrive(actors[(order + i) % COUNT], far[(order + i) % COUNT], TR__SIGNAL_EXIT, 1, 0);
            assert_heard("x:stop=exited with status 3");
        }
        assert_no_ties();
    }
}

// ---- Spawning with a link ----

static tr_addr spawn_linked(tr_actor *self)
{
    tr_addr addr = TR_NOBODY;
    IN_TURN(self)
    assert_int_equal(0, tr_spawn(self, &player, TR_SPAWN(.link = true), &addr));
    return addr;
}

static void one_that_is_spawned_with_a_link_has_it_from_the_start(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr addr = spawn_linked(a);
    assert_int_equal(2, stage.loop->ties.count);
    stage_step();
    end(tr__actor_find(stage.loop, addr.actor), TR_EIO);
    assert_heard(":stop=error: input or output error a:stop=error: input or output error");
}

static void one_whose_linked_spawner_ends_may_have_no_start(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    spawn_linked(a);
    tr__loop_here = stage.loop;
    tr__actor_exit(a, (tr_reason){.kind = TR_REASON_ERROR, .code = TR_EIO});
    tr__closing_run(stage.loop);
    tr__loop_here = NULL;
    stage_run();
    assert_heard("a:stop=error: input or output error"); // what has not started has no stop
    assert_int_equal(0, stage.loop->actor_count.value);
    assert_int_equal(0, tr_node_dead_letters(stage.node)); // its arguments are none
}

static void a_nodes_actor_has_no_spawner_to_be_linked_to(void **state)
{
    (void)state;
    assert_int_equal(TR_EINVAL, tr_node_spawn(stage.node, &player, TR_SPAWN(.link = true), NULL));
}

// ---- Kills ----

static void a_kill_is_not_trapped_and_comes_before_any_mail(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    trap(b);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_monitor(a, tr_self(b), NULL));
        assert_int_equal(0, tr_send(a, tr_self(b), "late", TR_NULL));
        stage_hold(b);
        assert_int_equal(0, tr_kill(a, tr_self(b)));
        assert_int_equal(TR_ENOACTOR, tr_kill(a, tr_self(b)));
        assert_int_equal(TR_ENOACTOR, tr_kill(a, TR_NOBODY));
        assert_int_equal(TR_EDOWN, tr_kill(a, (tr_addr){stage.node->id + 1, 1}));
    }
    stage_run();
    assert_heard("b:stop=killed by signal 9 a:down=killed by signal 9");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

static void one_may_kill_itself_and_what_has_not_started(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr child = TR_NOBODY;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_spawn(a, &player, NULL, &child));
        assert_int_equal(0, tr_kill(a, child));
        assert_int_equal(0, tr_kill(a, tr_self(a)));
    }
    stage_run();
    assert_heard("a:stop=killed by signal 9");
    assert_int_equal(0, stage.loop->actor_count.value);
    assert_int_equal(TR_EDOWN, stage.node->error); // its first actor was killed
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(who_ends_takes_the_linked_one_along),
        STAGE_TEST(a_normal_end_takes_nobody_along),
        STAGE_TEST(a_linked_one_ends_before_its_next_message),
        STAGE_TEST(a_ring_of_links_ends_with_one_reason),
        STAGE_TEST(one_that_traps_exits_hears_of_every_end),
        STAGE_TEST(to_be_asked_is_not_to_be_linked),
        STAGE_TEST(an_exit_comes_after_the_last_message_of_the_dead),
        STAGE_TEST(a_link_to_what_is_not_there_is_an_exit),
        STAGE_TEST(a_link_to_oneself_is_none),
        STAGE_TEST(there_is_one_link_however_often_it_is_made),
        STAGE_TEST(either_side_can_unlink),
        STAGE_TEST(after_unlink_one_can_link_again),
        STAGE_TEST(an_unlink_takes_away_only_the_link_that_it_names),
        STAGE_TEST(an_exit_ends_only_by_the_link_that_it_names),
        STAGE_TEST(wishes_that_cross_make_one_link),
        STAGE_TEST(ties_with_one_key_are_told_apart),
        STAGE_TEST(one_that_is_spawned_with_a_link_has_it_from_the_start),
        STAGE_TEST(one_whose_linked_spawner_ends_may_have_no_start),
        STAGE_TEST(a_nodes_actor_has_no_spawner_to_be_linked_to),
        STAGE_TEST(a_kill_is_not_trapped_and_comes_before_any_mail),
        STAGE_TEST(one_may_kill_itself_and_what_has_not_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
