// Every call of the API that takes an actor, with what it must refuse.
#include "stage.h"

static const tr_behavior plain = {.name = "plain"};

// Each call with this actor and otherwise good arguments. How many did not say TR_EINVAL?
static int taken_of(tr_actor *self, tr_addr to)
{
    int taken = 0;
    uint64_t ref = 0;
    tr_addr addr = TR_NOBODY;
    tr_timer timer = {0};
    tr_promise *promise = NULL;
    tr_msg *msg = NULL, *sent = NULL;
    tr_actor_info info;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &msg));
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &sent));
    const int results[] = {
        tr_spawn(self, &plain, NULL, &addr),
        tr_fork(self, "/bin/true", NULL, &addr),
        tr_send(self, to, "m", TR_NULL),
        tr_send_msg(self, to, &sent),
        tr_reply(self, msg, TR_NULL),
        tr_on_writable(self, to, NOTE("late")),
        tr_exit(self, TR_NORMAL),
        tr_stop(self, to),
        tr_kill(self, to),
        tr_link(self, to),
        tr_unlink(self, to),
        tr_trap_exit(self, true),
        tr_monitor(self, to, &ref),
        tr_timer_start(self, 0, NOTE("late"), &timer),
        tr_interval_start(self, 1, NOTE("late"), &timer),
        tr_immediate(self, NOTE("late")),
        tr_next_tick(self, NOTE("late")),
        tr_microtask(self, NOTE("late")),
        tr_promise_new(self, &promise),
        tr_promise_all(self, NULL, 0, &promise),
        tr_promise_race(self, NULL, 0, &promise),
        tr_actor_look(self, to, &info),
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        taken += results[i] != TR_EINVAL;
    tr_timer_clear(self, (tr_timer){1});
    tr_demonitor(self, 1);
    assert_non_null(sent);
    assert_null(promise); // outputs are written on success only
    assert_int_equal(0, ref + timer.id + addr.node + addr.actor);
    tr_msg_free(&msg);
    tr_msg_free(&sent);
    return taken;
}

static void an_actor_acts_in_its_own_turns_only(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr to = tr_self(b);
    assert_int_equal(0, taken_of(NULL, to)); // no actor
    assert_int_equal(0, taken_of(a, to));    // nobody's turn
    IN_TURN(b)
    {
        assert_int_equal(0, taken_of(a, to)); // another's turn
        assert_int_equal(0, taken_of(NULL, to));
    }
    tr__loop_here = stage.loop;
    assert_int_equal(0, taken_of(a, to)); // between turns
    tr__loop_here = NULL;
    stage_run();
    assert_heard("");
    assert_int_equal(2, tr__counter_get(&stage.loop->actor_count));
}

// Another thread runs another loop, or none, while it is the actor's turn on this one.
static void an_actor_acts_on_its_own_thread_only(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_loop other = {0};
    IN_TURN(a)
    {
        tr__loop_here = &other;
        assert_int_equal(0, taken_of(a, tr_self(a)));
        tr__blocks_clear(&other.blocks);
        tr__loop_here = NULL;
        assert_int_equal(0, taken_of(a, tr_self(a)));
        tr__loop_here = stage.loop;
    }
    stage_run();
    assert_heard("");
}

// Links and first actors are the first loop's, and a node is not run from inside of a loop.
static void a_node_is_changed_on_its_first_loop_only(void **state)
{
    (void)state;
    char url[TR_URL_MAX] = "";
    tr_loop other = {0};
    tr_node *node = stage.node;
    tr__loop_here = &other;
    assert_int_equal(TR_EINVAL, tr_node_spawn(node, &plain, NULL, NULL));
    assert_int_equal(TR_EINVAL, tr_node_links(node, TR_LINKS(.secret = NULL)));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "ipc:///nowhere"));
    assert_int_equal(TR_EINVAL, tr_node_dial(node, "ipc:///nowhere", NULL));
    assert_int_equal(TR_EINVAL, tr_node_undial(node, "ipc:///nowhere"));
    assert_int_equal(TR_EINVAL, tr_node_url(node, 0, url));
    assert_int_equal(TR_EINVAL, tr_node_run(node));
    tr__loop_here = stage.loop;
    assert_int_equal(TR_EINVAL, tr_node_run(node));
    assert_int_equal(0, tr_node_spawn(node, &plain, NULL, NULL));
    tr__loop_here = NULL;
    stage_run();
}

static void who_asks_without_an_actor_gets_nothing(void **state)
{
    (void)state;
    assert_true(tr_addr_eq(TR_NOBODY, tr_self(NULL)));
    assert_true(tr_addr_eq(TR_NOBODY, tr_parent(NULL)));
    assert_null(tr_state(NULL));
    assert_null(tr_node_of(NULL));
    assert_int_equal(0, tr_now(NULL));
}

static void names_have_1_to_255_bytes(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    static char longest[TR_NAME_MAX + 1], longer[TR_NAME_MAX + 2];
    static const tr_behavior named = {.name = longest};
    memset(longest, 'n', sizeof longest);
    memset(longer, 'n', sizeof longer);
    longest[TR_NAME_MAX] = longer[TR_NAME_MAX + 1] = '\0';
    const char *const bad[] = {NULL, "", longer};
    IN_TURN(a)
    {
        for (size_t i = 0; i < 3; i++) {
            const tr_behavior nameless = {.name = bad[i]};
            assert_int_equal(TR_EINVAL, tr_send(a, tr_self(a), bad[i], TR_NULL));
            assert_int_equal(TR_EINVAL, tr_spawn(a, &nameless, NULL, NULL));
            assert_int_equal(TR_EINVAL, tr_node_spawn(stage.node, &nameless, NULL, NULL));
        }
        assert_int_equal(0, tr_send(a, tr_self(a), longest, TR_NULL));
        assert_int_equal(0, tr_spawn(a, &named, NULL, NULL));
    }
    stage_hold(a); // the note would be too long
    stage_step();
    assert_int_equal(2, tr__counter_get(&stage.loop->actor_count));
}

static void options_have_a_size(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    const size_t bad[] = {0, 1, sizeof(size_t) - 1, 4097, SIZE_MAX};
    IN_TURN(a)
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const tr_spawn_opts opts = {.size = bad[i]};
        assert_int_equal(TR_EINVAL, tr_spawn(a, &plain, &opts, NULL));
        assert_int_equal(TR_EINVAL, tr_fork(a, "/bin/true", &opts, NULL));
        assert_int_equal(TR_EINVAL, tr_node_spawn(stage.node, &plain, &opts, NULL));
    }
    assert_int_equal(1, tr__counter_get(&stage.loop->actor_count));
}

static void callbacks_and_pointers_are_needed(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_msg *none = NULL;
    tr_promise *promise = NULL;
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_spawn(a, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_fork(a, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_send_msg(a, tr_self(a), NULL));
        assert_int_equal(TR_EINVAL, tr_send_msg(a, tr_self(a), &none));
        assert_int_equal(TR_EINVAL, tr_reply(a, NULL, TR_NULL));
        assert_int_equal(TR_EINVAL, tr_on_writable(a, tr_self(a), NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_timer_start(a, 0, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_interval_start(a, 1, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_immediate(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_next_tick(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_microtask(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_promise_new(a, NULL));
        assert_int_equal(TR_EINVAL, tr_promise_all(a, NULL, 0, NULL));
        assert_int_equal(TR_EINVAL, tr_promise_race(a, NULL, 0, NULL));
        assert_int_equal(TR_EINVAL, tr_promise_resolve(NULL, TR_NULL));
        assert_int_equal(TR_EINVAL, tr_promise_reject(NULL, TR_EIO));
        assert_int_equal(0, tr_promise_new(a, &promise));
        assert_int_equal(TR_EINVAL, tr_promise_then(promise, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_promise_then(NULL, NULL, NULL, NULL));
        tr_promise_unref(&promise);
        tr_promise_unref(&promise);
        tr_promise_unref(NULL);
    }
}

static void documents_have_their_limits(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_val large = tr_val_strn("", TR_DOC_MAX + 1), deep[TR_DEPTH_MAX + 2] = {TR_V(1)};
    for (size_t i = 0; i <= TR_DEPTH_MAX; i++)
        deep[i + 1] = tr_val_list(&deep[i], 1);
    tr_val deeper = deep[TR_DEPTH_MAX + 1];
    IN_TURN(a)
    {
        assert_int_equal(TR_ETOODEEP, tr_send(a, tr_self(a), "m", deeper));
        assert_int_equal(TR_ETOOBIG, tr_send(a, tr_self(a), "m", large));
        assert_int_equal(TR_ETOODEEP, tr_spawn(a, &plain, TR_SPAWN(.args = deeper), NULL));
        assert_int_equal(TR_ETOOBIG, tr_spawn(a, &plain, TR_SPAWN(.args = large), NULL));
    }
    assert_int_equal(1, tr__counter_get(&stage.loop->actor_count));
}

static void isolations_are_those_that_there_are(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        // Processes need a node with an outside: src/remote.
        assert_int_equal(TR_ENOSYS, tr_spawn(a, &plain, TR_SPAWN(.isolation = TR_PROCESS), NULL));
        assert_int_equal(TR_ENOSYS, tr_fork(a, "/bin/true", NULL, NULL));
        assert_int_equal(TR_EINVAL,
                         tr_spawn(a, &plain, TR_SPAWN(.isolation = (tr_isolation)77), NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(an_actor_acts_in_its_own_turns_only),
        STAGE_TEST(an_actor_acts_on_its_own_thread_only),
        STAGE_TEST(a_node_is_changed_on_its_first_loop_only),
        STAGE_TEST(who_asks_without_an_actor_gets_nothing),
        STAGE_TEST(names_have_1_to_255_bytes),
        STAGE_TEST(options_have_a_size),
        STAGE_TEST(callbacks_and_pointers_are_needed),
        STAGE_TEST(documents_have_their_limits),
        STAGE_TEST(isolations_are_those_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
