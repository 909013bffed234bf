#include "stage.h"

static const tr_behavior plain = {.name = "plain"};

static int start_fails(tr_actor *self, const tr_val *args)
{
    int64_t error = 0;
    (void)self;
    tr_as_int(*args, &error);
    return (int)error;
}
static const tr_behavior failing = {.name = "failing", .start = start_fails};

static void run_node(void)
{
    for (int i = 0; tr__node_step(stage.node); i++)
        assert_true(i < 100);
}

static void a_node_has_an_id_of_its_own(void **state)
{
    (void)state;
    uint64_t id = tr_node_id(stage.node);
    tr_world *world = NULL;
    tr_node *other = NULL;
    assert_int_not_equal(0, id);
    for (uint64_t given = 0; given <= 7; given += 7) {
        assert_int_equal(0, tr__sim_world(stage.sim, &world));
        assert_int_equal(0, tr__node_new(given, "other", 1, &world, &other));
        assert_null(world); // moved
        assert_int_not_equal(id, tr_node_id(other));
        assert_true(given == 0 || tr_node_id(other) == given);
        tr__node_free(&other);
        assert_null(other);
    }
}

static void a_node_without_actors_has_ended(void **state)
{
    (void)state;
    assert_false(tr__node_step(stage.node));
    assert_int_equal(TR_SHUTDOWN, tr_node_spawn(stage.node, &plain, NULL, NULL));
}

static void a_node_that_is_ending_spawns_nothing(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    stage.loop->asked = true;
    IN_TURN(a)
    {
        assert_int_equal(TR_SHUTDOWN, tr_spawn(a, &plain, NULL, NULL));
        assert_int_equal(TR_SHUTDOWN, tr_fork(a, "/bin/true", NULL, NULL));
    }
}

static void a_node_that_expects_its_first_actor_waits(void **state)
{
    (void)state;
    stage.node->expecting = true;
    assert_true(tr__node_step(stage.node));
    assert_int_equal(0, tr__node_spawn(stage.node, &plain, NULL, (tr_addr){5, 6}, NULL));
    stage.node->expecting = false;
    assert_true(tr__node_step(stage.node));
    assert_true(tr_addr_eq((tr_addr){5, 6}, tr_parent(tr__actor_find(stage.loop, TR__ROOT_ID))));
}

static void the_error_of_a_node_is_the_first_of_its_roots(void **state)
{
    (void)state;
    const int errors[] = {TR_SHUTDOWN, TR_NORMAL, TR_EIO, TR_EPIPE};
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            0, tr_node_spawn(stage.node, &failing, TR_SPAWN(.args = TR_V(errors[i])), NULL));
    tr_node_stop(stage.node); // for the one that is normal
    run_node();
    assert_int_equal(TR_EIO, stage.node->error);
    assert_true(stage.node->root_ended);
    assert_int_equal(TR_REASON_SHUTDOWN, stage.node->first_reason.kind);
}

static void a_node_may_be_stopped_before_it_runs(void **state)
{
    (void)state;
    assert_int_equal(0, tr_node_spawn(stage.node, &plain, NULL, NULL));
    tr_node_stop(stage.node);
    tr_node_stop(stage.node);
    run_node();
    assert_int_equal(0, tr__counter_get(&stage.loop->actor_count));
}

static void a_node_that_is_stopped_asks_its_roots(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    stage_child(a, "c");
    IN_TURN(b)
    assert_int_equal(0, tr_send(b, tr_self(a), "late", TR_NULL));
    tr_node_stop(stage.node);
    run_node();
    assert_heard("a:stop=shutdown b:stop=shutdown c:stop=shutdown");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

static void a_node_lasts_until_the_actors_of_its_roots_have_ended(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_child(a, "b");
    stage_child(b, "c");
    IN_TURN(a)
    tr_exit(a, TR_NORMAL);
    run_node();
    assert_heard("a:stop=normal b:stop=shutdown c:stop=shutdown");
}

static void only_shared_roots_are_spawned(void **state)
{
    (void)state;
    tr_addr addr = {1, 2};
    assert_int_equal(TR_EINVAL,
                     tr_node_spawn(stage.node, &plain, TR_SPAWN(.isolation = TR_PROCESS), &addr));
    assert_int_equal(TR_EINVAL, tr_node_spawn(stage.node, NULL, NULL, &addr));
    assert_int_equal(TR_EINVAL, tr_node_spawn(NULL, &plain, NULL, &addr));
    assert_true(tr_addr_eq((tr_addr){1, 2}, addr)); // written on success only
}

static void no_node_is_no_trouble(void **state)
{
    (void)state;
    tr_node *none = NULL;
    tr_node_stop(NULL);
    tr__node_free(&none);
    assert_int_equal(0, tr_node_id(NULL));
    assert_int_equal(0, tr_node_dead_letters(NULL));
    assert_string_equal("", tr_node_errmsg(NULL));
}

static void the_sentence_of_an_error_is_kept_and_cut(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_string_equal("", tr_node_errmsg(stage.node));
    tr__node_errmsg(stage.node, "%s %d", "no", 7);
    assert_string_equal("no 7", tr_node_errmsg(stage.node));
    tr__node_errmsg(stage.node, "%s", text);
    assert_int_equal(sizeof stage.loop->errmsg - 1, strlen(tr_node_errmsg(stage.node)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_node_has_an_id_of_its_own),
        STAGE_TEST(a_node_without_actors_has_ended),
        STAGE_TEST(a_node_that_is_ending_spawns_nothing),
        STAGE_TEST(a_node_that_expects_its_first_actor_waits),
        STAGE_TEST(the_error_of_a_node_is_the_first_of_its_roots),
        STAGE_TEST(a_node_may_be_stopped_before_it_runs),
        STAGE_TEST(a_node_that_is_stopped_asks_its_roots),
        STAGE_TEST(a_node_lasts_until_the_actors_of_its_roots_have_ended),
        STAGE_TEST(only_shared_roots_are_spawned),
        STAGE_TEST(no_node_is_no_trouble),
        STAGE_TEST(the_sentence_of_an_error_is_kept_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
