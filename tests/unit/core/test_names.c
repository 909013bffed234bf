#include "stage.h"
#include "support/counted_memory.h"

static void name_it(tr_actor *actor, const char *name)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_register(actor, name));
}

static bool is_at(tr_actor *self, const char *name, tr_addr expected)
{
    tr_addr addr = TR_NOBODY;
    IN_TURN(self)
    if (tr_whereis(self, name, &addr) == TR_ENOENT)
        assert_true(tr_addr_eq(TR_NOBODY, addr));
    return tr_addr_eq(expected, addr);
}

static uint64_t follow(tr_actor *self, const char *name)
{
    uint64_t ref = 0;
    IN_TURN(self)
    assert_int_equal(0, tr_monitor_name(self, name, true, &ref));
    return ref;
}

static void no_name_is_left(void)
{
    assert_int_equal(0, stage.node->names.dict.count);
}

// ---- Having a name ----

static void a_name_finds_its_actor(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    assert_true(is_at(a, "bee", TR_NOBODY));
    name_it(b, "bee");
    assert_true(is_at(a, "bee", tr_self(b)));
    assert_true(is_at(b, "bee", tr_self(b)));
    assert_true(is_at(a, "be", TR_NOBODY));
}

static void a_name_has_one_actor_and_an_actor_many_names(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    name_it(a, "1");
    name_it(a, "2");
    IN_TURN(b)
    assert_int_equal(TR_EEXIST, tr_register(b, "1"));
    IN_TURN(a)
    assert_int_equal(TR_EEXIST, tr_register(a, "1"));
    assert_true(is_at(b, "1", tr_self(a)) && is_at(b, "2", tr_self(a)));
}

static void a_name_that_is_given_up_can_be_taken(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    name_it(a, "it");
    IN_TURN(b)
    assert_int_equal(TR_ENOENT, tr_unregister(b, "it"));
    IN_TURN(a)
    {
        assert_int_equal(0, tr_unregister(a, "it"));
        assert_int_equal(TR_ENOENT, tr_unregister(a, "it"));
    }
    no_name_is_left();
    name_it(b, "it");
    stage_exit(a, TR_NORMAL);
    assert_true(is_at(b, "it", tr_self(b)));
}

static void names_go_with_their_actor(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    name_it(a, "1");
    name_it(a, "2");
    stage_exit(a, TR_NORMAL);
    assert_true(is_at(b, "1", TR_NOBODY) && is_at(b, "2", TR_NOBODY));
    no_name_is_left();
}

static int receive_take_over(tr_actor *self, const tr_msg *msg)
{
    assert_non_null(tr_msg_down(msg));
    return tr_register(self, "it");
}

static void who_hears_of_an_end_may_give_the_name_again(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(a)->receive = receive_take_over;
    IN_TURN(a)
    assert_int_equal(0, tr_monitor(a, tr_self(b), NULL)); // sooner than the name
    name_it(b, "it");
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_true(is_at(a, "it", tr_self(a)));
}

static void arguments_are_checked(void **state)
{
    (void)state;
    char long_name[TR_NAME_MAX + 2];
    tr_addr addr;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_register(a, NULL));
        assert_int_equal(TR_EINVAL, tr_register(a, ""));
        assert_int_equal(TR_EINVAL, tr_register(a, long_name));
        assert_int_equal(TR_EINVAL, tr_unregister(a, NULL));
        assert_int_equal(TR_EINVAL, tr_whereis(a, NULL, &addr));
        assert_int_equal(TR_EINVAL, tr_whereis(a, "a", NULL));
        assert_int_equal(TR_EINVAL, tr_monitor_name(a, "", true, NULL));
        assert_int_equal(TR_EINVAL, tr_spawn(a, &player, TR_SPAWN(.name = ""), NULL));
        assert_int_equal(0, tr_register(a, long_name + 1));
        tr_exit(a, TR_NORMAL);
        assert_int_equal(TR_EINVAL, tr_register(a, "late"));
    }
    assert_int_equal(TR_EINVAL, tr_register(a, "not its turn"));
    assert_int_equal(TR_EINVAL, tr_whereis(NULL, "a", &addr));
    stage_run();
    no_name_is_left();
}

// ---- Spawning with one ----

static int start_knows_its_name(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr addr = TR_NOBODY;
    int rc = tr_whereis(self, "kid", &addr);
    note(rc == 0 && tr_addr_eq(addr, tr_self(self)) ? "knows" : "does not know");
    return rc;
}
static const tr_behavior named = {.name = "named", .start = start_knows_its_name};

static void a_spawned_actor_has_its_name_from_the_beginning(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr kid;
    IN_TURN(a)
    assert_int_equal(0, tr_spawn(a, &named, TR_SPAWN(.name = "kid"), &kid));
    assert_true(is_at(a, "kid", kid));
    stage_run();
    assert_heard("knows");
}

static void nothing_is_spawned_when_the_name_is_taken(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr kid = {7, 7};
    name_it(a, "kid");
    IN_TURN(a)
    assert_int_equal(TR_EEXIST, tr_spawn(a, &named, TR_SPAWN(.name = "kid"), &kid));
    assert_int_equal(TR_EEXIST, tr_node_spawn(stage.node, &named, TR_SPAWN(.name = "kid"), &kid));
    assert_true(kid.node == 7 && kid.actor == 7);
    stage_run();
    assert_heard("");
    assert_int_equal(1, tr__counter_get(&stage.loop->actor_count));
    assert_int_equal(1, stage.node->roots);
    assert_true(is_at(a, "kid", tr_self(a)));
}

static int start_fails(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    return TR_EIO;
}

static void spawning_and_crashing_leaves_no_name(void **state)
{
    (void)state;
    static const tr_behavior crasher = {.name = "crasher", .start = start_fails};
    tr_actor *a = stage_actor("a");
    for (int i = 0; i < 10000; i++) {
        IN_TURN(a)
        assert_int_equal(0, tr_spawn(a, &crasher, TR_SPAWN(.name = "kid"), NULL));
        stage_step();
    }
    no_name_is_left();
}

// Goal:   a spawn with a name that finds no memory leaves neither actor nor name.
static void without_memory_there_is_neither_actor_nor_name(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    int rc = TR_ENOMEM;
    for (size_t fail_at = 1; rc == TR_ENOMEM; fail_at++) {
        counted.fail_at = counted.calls + fail_at;
        IN_TURN(a)
        rc = tr_spawn(a, &named, TR_SPAWN(.name = "kid"), NULL);
        counted.fail_at = 0;
        assert_int_equal(rc == 0, stage.node->names.dict.count);
        assert_int_equal(rc == 0 ? 2 : 1, tr__counter_get(&stage.loop->actor_count));
    }
    assert_int_equal(0, rc);
}

// ---- Sending and monitoring by name ----

static void a_message_goes_to_who_has_the_name_now(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    name_it(b, "it");
    IN_TURN(a)
    assert_int_equal(0, tr_send_name(a, "it", "1", TR_V(1)));
    stage_run();
    stage_exit(b, TR_NORMAL);
    IN_TURN(a)
    assert_int_equal(TR_ENOENT, tr_send_name(a, "it", "2", TR_NULL));
    name_it(c, "it");
    IN_TURN(a)
    assert_int_equal(0, tr_send_name(a, "it", "3", TR_NULL));
    stage_run();
    assert_heard("b:1=1 b:stop=normal c:3");
}

static void a_name_is_monitored_by_who_has_it(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    name_it(b, "it");
    IN_TURN(a)
    {
        assert_int_equal(0, tr_monitor_name(a, "it", false, NULL));
        assert_int_equal(0, tr_monitor_name(a, "nobody's", false, NULL));
    }
    stage_run();
    assert_heard("a:down=no actor");
    stage_exit(b, TR_EIO);
    stage_run();
    assert_heard("b:stop=error: input or output error a:down=error: input or output error");
}

// ---- Following a name ----

static tr_down last;
static unsigned ups;

static int receive_notices(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    const tr_down *up = tr_msg_up(msg), *down = tr_msg_down(msg);
    assert_true((up == NULL) != (down == NULL));
    assert_null(tr_msg_exit(msg));
    last = up != NULL ? *up : *down;
    ups += up != NULL;
    return 0;
}

static void a_follower_hears_of_each_holder(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    player_of(a)->receive = receive_notices;
    ups = 0;
    uint64_t ref = follow(a, "it");
    stage_run();
    assert_heard("");
    for (unsigned i = 1; i <= 3; i++) {
        tr_actor *b = stage_actor("b");
        tr_addr addr = tr_self(b);
        name_it(b, "it");
        stage_run();
        assert_int_equal(i, ups);
        assert_true(last.monitor == ref && tr_addr_eq(last.addr, addr));
        stage.heard[0] = '\0'; // an address
        stage_exit(b, TR_NORMAL);
        stage_run();
        assert_heard("b:stop=normal a:down=normal");
        assert_true(last.monitor == ref && tr_addr_eq(last.addr, addr));
    }
}

static void a_follower_hears_of_a_root_from_outside(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    player_of(a)->receive = receive_notices;
    ups = 0;
    follow(a, "it");
    stage_run();
    stage_actor_with("b", TR_SPAWN(.name = "it"));
    stage_run();
    assert_int_equal(1, ups);
}

static void a_follower_hears_at_once_of_who_is_there(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(a)->receive = receive_notices;
    ups = 0;
    name_it(b, "it");
    follow(a, "it");
    assert_int_equal(0, ups);
    stage_run();
    assert_int_equal(1, ups);
    assert_true(tr_addr_eq(last.addr, tr_self(b)));
}

static void an_up_can_be_kept(void **state)
{
    (void)state;
    tr_msg *up, *copy;
    tr_addr addr = {1, 2};
    assert_int_equal(0, tr__notice_new("up", 7, addr, &up));
    tr__notice_up(up);
    assert_int_equal(0, tr_msg_copy(up, &copy));
    assert_int_equal(7, tr_msg_up(copy)->monitor);
    assert_null(tr_msg_down(copy));
    assert_string_equal(tr_msg_json(up), tr_msg_json(copy));
    tr_msg_free(&up);
    tr_msg_free(&copy);
}

// Goal:   a follower hears of the next holder, which has the name before the end of the one before
//         is told.
static void ups_and_downs_alternate(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    player_of(a)->receive = receive_notices;
    ups = 0;
    name_it(b, "it");
    follow(a, "it");
    stage_run();
    IN_TURN(b)
    assert_int_equal(0, tr_unregister(b, "it"));
    name_it(c, "it");
    stage_run();
    assert_int_equal(1, ups); // b is there still
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_int_equal(2, ups);
    assert_true(tr_addr_eq(last.addr, tr_self(c)));
}

static void after_demonitor_nothing_comes(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    uint64_t ref = follow(a, "it");
    name_it(b, "it");
    stage_step(); // the up waits now
    stage_hold(a);
    stage_exit(b, TR_NORMAL);
    IN_TURN(a)
    tr_demonitor(a, ref);
    stage_run();
    assert_heard("b:stop=normal");
    no_name_is_left();
    assert_int_equal(0, stage.loop->monitors.count);
}

static void a_follower_that_ends_leaves_nothing(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    name_it(b, "it");
    follow(a, "it");
    follow(a, "nobody's");
    stage_exit(a, TR_NORMAL);
    stage_run();
    assert_int_equal(1, stage.node->names.dict.count);
    assert_int_equal(0, stage.loop->monitors.count);
    stage_exit(b, TR_NORMAL);
    no_name_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_name_finds_its_actor),
        STAGE_TEST(a_name_has_one_actor_and_an_actor_many_names),
        STAGE_TEST(a_name_that_is_given_up_can_be_taken),
        STAGE_TEST(names_go_with_their_actor),
        STAGE_TEST(who_hears_of_an_end_may_give_the_name_again),
        STAGE_TEST(arguments_are_checked),
        STAGE_TEST(a_spawned_actor_has_its_name_from_the_beginning),
        STAGE_TEST(nothing_is_spawned_when_the_name_is_taken),
        STAGE_TEST(spawning_and_crashing_leaves_no_name),
        STAGE_TEST(without_memory_there_is_neither_actor_nor_name),
        STAGE_TEST(a_message_goes_to_who_has_the_name_now),
        STAGE_TEST(a_name_is_monitored_by_who_has_it),
        STAGE_TEST(a_follower_hears_of_each_holder),
        STAGE_TEST(a_follower_hears_of_a_root_from_outside),
        STAGE_TEST(a_follower_hears_at_once_of_who_is_there),
        STAGE_TEST(an_up_can_be_kept),
        STAGE_TEST(ups_and_downs_alternate),
        STAGE_TEST(after_demonitor_nothing_comes),
        STAGE_TEST(a_follower_that_ends_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
