#include "base/memory.h"
#include "stage.h"

// ---- Spawning ----

struct aligned {
    _Alignas(max_align_t) char bytes[64];
    tr_addr parent;
};

static struct {
    char args[64];
    tr_addr parent;
    bool zeroed, aligned;
    int result; // of start
} born;

static int born_start(tr_actor *self, const tr_val *args)
{
    struct aligned *state = tr_state(self);
    char *text = NULL;
    tr_json_print(*args, &text);
    snprintf(born.args, sizeof born.args, "%s", text);
    tr_free(text);
    born.parent = tr_parent(self);
    born.zeroed = memcmp(state, &(struct aligned){0}, sizeof *state) == 0;
    born.aligned = (uintptr_t)state % _Alignof(max_align_t) == 0;
    return born.result;
}

static void born_stop(tr_actor *self, tr_reason reason)
{
    char text[64];
    (void)self;
    note(tr_reason_text(reason, text, sizeof text));
}

static const tr_behavior born_one = {
    .name = "born", .state_size = sizeof(struct aligned), .start = born_start, .stop = born_stop};
static const tr_behavior plain = {.name = "plain"};

static int stage_born(void **state)
{
    memset(&born, 0, sizeof born);
    return stage_setup(state);
}

static void an_actor_starts_with_its_arguments_and_empty_state(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr addr;
    char text[] = "one";
    IN_TURN(a)
    {
        assert_int_equal(0, tr_spawn(a, &born_one, TR_SPAWN(.args = TR_LIST(text, 2)), &addr));
        text[0] = 'X'; // the arguments have been copied
        assert_string_equal("", born.args);
    }
    stage_step();
    assert_string_equal("[\"one\",2]", born.args);
    assert_true(tr_addr_eq(born.parent, tr_self(a)));
    assert_int_equal(stage.node->id, addr.node);
    assert_true(born.zeroed && born.aligned);
    assert_true(stage_has(addr));
}

static void without_options_there_is_null_and_nobody(void **state)
{
    (void)state;
    tr_addr addr;
    assert_int_equal(0, tr_node_spawn(stage.node, &born_one, NULL, &addr));
    stage_step();
    assert_string_equal("null", born.args);
    assert_true(tr_addr_eq(born.parent, TR_NOBODY));
    assert_int_equal(TR__ROOT_ID, addr.actor);
}

static void a_behaviour_needs_no_more_than_a_name(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr addr;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_spawn(a, &plain, NULL, &addr));
        assert_int_equal(0, tr_spawn(a, &plain, NULL, NULL));
        assert_int_equal(0, tr_send(a, addr, "what", TR_NULL)); // a dead letter
        assert_int_equal(0, tr_stop(a, addr));
    }
    assert_null(tr_state(tr__actor_find(stage.loop, addr.actor)));
    stage_run();
    assert_false(stage_has(addr));
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

static void options_of_another_version_are_taken(void **state)
{
    (void)state;
    union {
        tr_spawn_opts known;
        char bytes[sizeof(tr_spawn_opts) + 100];
    } newer = {.known = {.mail_max = 1}};
    tr_spawn_opts older = {.size = offsetof(tr_spawn_opts, mail_max), .mail_max = 1};
    newer.known.size = sizeof newer;
    assert_int_equal(1, stage_actor_with("newer", &newer.known)->mail_max);
    assert_int_equal(4096, stage_actor_with("older", &older)->mail_max);
}

static void a_start_that_fails_ends_the_actor_with_its_error(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr addr;
    born.result = TR_EIO;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_spawn(a, &born_one, NULL, &addr));
        assert_int_equal(0, tr_monitor(a, addr, NULL));
        assert_int_equal(0, tr_send(a, addr, "late", TR_NULL));
    }
    stage_run();
    assert_heard("error: input or output error a:down=error: input or output error");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

// ---- Ending ----

static int handler_result;

static int receive_result(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return handler_result;
}

// Send b one message that is handled with this result; whether b is still there.
static bool survives(tr_actor *a, int result)
{
    tr_actor *b = stage_actor("b");
    tr_addr addr = tr_self(b);
    player_of(b)->receive = receive_result;
    handler_result = result;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_monitor(a, addr, NULL));
        assert_int_equal(0, tr_send(a, addr, "m", TR_NULL));
    }
    stage_run();
    return stage_has(addr);
}

static void a_handlers_error_is_the_reason_of_the_end(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    assert_false(survives(a, TR_EBADMSG));
    assert_heard("b:m b:stop=error: not the document that was expected "
                 "a:down=error: not the document that was expected");
    assert_false(survives(a, TR_SHUTDOWN));
    assert_heard("b:m b:stop=shutdown a:down=shutdown");
    assert_true(survives(a, 0));
    assert_true(survives(a, 1));
    assert_int_equal(0, tr_node_dead_letters(stage.node));
}

static void an_unknown_message_is_a_dead_letter_and_no_end(void **state)
{
    (void)state;
    assert_true(survives(stage_actor("a"), TR_EUNKNOWN));
    assert_int_equal(1, tr_node_dead_letters(stage.node));
}

static void the_first_reason_to_exit_stays(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_exit(a, 1));
        assert_int_equal(0, tr_exit(a, TR_EIO));
        assert_int_equal(0, tr_exit(a, TR_NORMAL));
    }
    IN_TURN(b)
    assert_int_equal(0, tr_exit(b, TR_SHUTDOWN));
    stage_run();
    assert_heard("a:stop=error: input or output error b:stop=shutdown");
    assert_int_equal(TR_EIO, stage.node->error);
    assert_int_equal(TR_REASON_ERROR, stage.node->first_reason.kind);
}

static void an_actor_that_is_asked_ends_before_its_next_message(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr addr = tr_self(b);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stop(a, addr));
        assert_int_equal(0, tr_stop(a, addr));
        assert_int_equal(0, tr_send(a, addr, "late", TR_NULL));
    }
    stage_run();
    assert_heard("b:stop=shutdown");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
    IN_TURN(a)
    assert_int_equal(TR_ENOACTOR, tr_stop(a, addr));
}

static void what_the_asker_sent_before_is_handled_first(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send(a, tr_self(c), "first", TR_NULL));
        assert_int_equal(0, tr_send(a, tr_self(c), "second", TR_NULL));
        assert_int_equal(0, tr_stop(a, tr_self(c)));
        assert_int_equal(0, tr_send(a, tr_self(c), "late", TR_NULL));
    }
    IN_TURN(b)
    assert_int_equal(0, tr_send(b, tr_self(c), "late", TR_NULL));
    stage_run();
    assert_heard("c:first c:second c:stop=shutdown");
    assert_int_equal(2, tr_node_dead_letters(stage.node));
}

static void asking_again_takes_nothing_back(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    IN_TURN(b)
    assert_int_equal(0, tr_stop(b, tr_self(c)));
    IN_TURN(a)
    {
        assert_int_equal(0, tr_send(a, tr_self(c), "late", TR_NULL));
        assert_int_equal(0, tr_stop(a, tr_self(c)));
    }
    stage_run();
    assert_heard("c:stop=shutdown");
}

static void one_that_is_asked_before_its_start_starts_and_stops(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr addr;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_spawn(a, &born_one, NULL, &addr));
        assert_int_equal(0, tr_stop(a, addr));
    }
    assert_string_equal("", born.args);
    stage_run();
    assert_string_equal("null", born.args);
    assert_heard("shutdown");
}

// ---- Owners ----

#define MANY 1000

static void the_end_of_an_owner_goes_down_a_deep_chain(void **state)
{
    (void)state;
    static tr_actor *chain[MANY];
    for (size_t i = 0; i < MANY; i++)
        chain[i] = i == 0 ? stage_actor("0") : stage_child(chain[i - 1], i == MANY - 1 ? "z" : "n");
    player_of(chain[1])->name[0] = 'b';
    stage_exit(chain[0], TR_NORMAL);
    assert_heard("0:stop=normal");
    assert_int_equal(MANY - 1, tr__counter_get(&stage.loop->actor_count));
    stage_step();
    assert_heard("b:stop=shutdown");
    stage_run();
    assert_int_equal(0, tr__counter_get(&stage.loop->actor_count));
    assert_memory_equal("n:stop=shutdown", stage.heard, 15);
}

static void the_end_of_an_owner_ends_its_children_in_the_order_of_their_birth(void **state)
{
    (void)state;
    tr_actor *owner = stage_actor("o"), *bystander = stage_actor("by");
    stage_child(owner, "1");
    tr_actor *second = stage_child(owner, "2");
    stage_child(owner, "3");
    stage_child(second, "4");
    IN_TURN(owner)
    for (int i = 0; i < MANY; i++)
        assert_int_equal(0, tr_spawn(owner, &plain, NULL, NULL));
    stage_step();
    stage_exit(owner, TR_EIO);
    stage_run();
    assert_heard("o:stop=error: input or output error 1:stop=shutdown 2:stop=shutdown "
                 "3:stop=shutdown 4:stop=shutdown");
    assert_int_equal(1, tr__counter_get(&stage.loop->actor_count));
    assert_true(stage_has(tr_self(bystander)));
}

static void the_end_of_a_child_is_nothing_to_its_owner(void **state)
{
    (void)state;
    tr_actor *owner = stage_actor("o");
    stage_exit(stage_child(owner, "c"), TR_EIO);
    stage_run();
    assert_true(stage_has(tr_self(owner)));
    assert_int_equal(0, stage.node->error); // it was no root
}

static int armed_in_stop;

static void stop_arms_all(tr_actor *self)
{
    uint64_t ref;
    tr_addr addr;
    tr_promise *promise;
    const int results[] = {
        tr_spawn(self, &plain, NULL, &addr),
        tr_fork(self, "/bin/true", NULL, &addr),
        tr_timer_start(self, 0, NOTE("late"), NULL),
        tr_interval_start(self, 1, NOTE("late"), NULL),
        tr_immediate(self, NOTE("late")),
        tr_next_tick(self, NOTE("late")),
        tr_microtask(self, NOTE("late")),
        tr_on_writable(self, tr_self(self), NOTE("late")),
        tr_monitor(self, tr_self(self), &ref),
        tr_promise_new(self, &promise),
        tr_promise_all(self, NULL, 0, &promise),
        tr_promise_race(self, NULL, 0, &promise),
    };
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        armed_in_stop += results[i] != TR_EINVAL;
    tr_exit(self, TR_EIO); // it is ending already
    tr_send(self, tr_parent(self), "bye", TR_NULL);
}

static void a_stop_can_arm_nothing_but_may_send(void **state)
{
    (void)state;
    tr_actor *owner = stage_actor("o"), *child = stage_child(owner, "c");
    player_of(child)->stop = stop_arms_all;
    armed_in_stop = 0;
    IN_TURN(owner)
    assert_int_equal(0, tr_monitor(owner, tr_self(child), NULL));
    stage_exit(child, TR_NORMAL);
    stage_run();
    assert_heard("c:stop=normal o:bye o:down=normal");
    assert_int_equal(0, armed_in_stop);
}

static void a_node_that_is_closed_ends_its_actors(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    stage_child(a, "b");
    IN_TURN(a)
    assert_int_equal(0, tr_spawn(a, &born_one, NULL, NULL)); // has not started yet
    tr__node_free(&stage.node);
    assert_heard("a:stop=shutdown b:stop=shutdown"); // one without a start gets no stop
    assert_string_equal("", born.args);
}

// ---- Addresses ----

// Goal:   an address never means another actor than it did at first.
// Method: actors come and go in one place, 100,000 times; the address of the first one is tried.
static void an_old_address_misses_for_ever(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_addr first = TR_NOBODY, addr = TR_NOBODY;
    for (int i = 0; i < 100000; i++) {
        IN_TURN(a)
        {
            assert_int_equal(0, tr_spawn(a, &plain, NULL, &addr));
            assert_int_equal(0, tr_stop(a, addr));
        }
        stage_step();
        assert_false(stage_has(addr));
        assert_false(tr_addr_eq(first, addr));
        if (i == 0)
            first = addr;
    }
    assert_int_equal(first.actor >> 28, addr.actor >> 28); // the same place
    IN_TURN(a)
    {
        assert_int_equal(TR_ENOACTOR, tr_send(a, first, "m", TR_NULL));
        assert_int_equal(TR_ENOACTOR, tr_stop(a, first));
    }
}

static void a_place_that_was_used_up_is_left_alone(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr last, next;
    tr__slot *slot = &stage.loop->actors.chunks[0][1];
    stage_exit(b, TR_NORMAL);
    slot->generation = TR__SLOT_GENERATION_MAX;
    last = tr_self(stage_actor("b"));
    assert_ptr_equal(tr__actor_find(stage.loop, last.actor), slot->item);
    stage_exit(tr__actor_find(stage.loop, last.actor), TR_NORMAL);
    next = tr_self(stage_actor("b"));
    assert_null(slot->item);
    assert_int_not_equal(last.actor >> 28, next.actor >> 28);
    IN_TURN(a)
    assert_int_equal(TR_ENOACTOR, tr_send(a, last, "m", TR_NULL));
}

static void made_up_addresses_miss(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    uint64_t id = tr_self(a).actor;
    const uint64_t wrong[] = {0, id + 1, id + ((uint64_t)1 << 28), id | (uint64_t)1 << 52,
                              UINT64_MAX};
    IN_TURN(a)
    {
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
            assert_int_equal(TR_ENOACTOR,
                             tr_send(a, (tr_addr){stage.node->id, wrong[i]}, "m", TR_NULL));
        assert_int_equal(TR_EDOWN, tr_send(a, (tr_addr){stage.node->id + 1, id}, "m", TR_NULL));
        assert_int_equal(TR_EDOWN, tr_stop(a, (tr_addr){stage.node->id + 1, id}));
        assert_int_equal(TR_ENOACTOR, tr_send(a, TR_NOBODY, "m", TR_NULL));
    }
}

// ---- Looking ----

// While somebody looks at it, an actor's mail leads nowhere: who follows it falls.
static tr_actor_info look(tr_actor *self, tr_actor *actor)
{
    static char *const nowhere = (char *)4096;
    tr_actor_info info;
    tr__queue mail = actor->mail;
    IN_TURN(self)
    {
        actor->mail = (tr__queue){(tr_msg *)nowhere, (tr_msg *)nowhere};
        assert_int_equal(0, tr_actor_look(self, tr_self(actor), &info));
        actor->mail = mail;
    }
    return info;
}

static void assert_waiting(tr_actor_info info, uint32_t count)
{
    assert_int_equal(count, info.mail_count);
    assert_int_equal(2 * count, info.mail_bytes); // a name and null, a byte each
}

static uint32_t handled;

static int receive_and_count(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    handled++;
    return 0;
}

// Goal:   a look at an actor is exact and costs the same, however much waits for it.
// Method: a mailbox of a million, empty, with one message, full, and partly handled; nothing in it
//         can be reached during the look.
static void a_look_at_a_full_mailbox_does_not_walk_it(void **state)
{
    (void)state;
    const uint32_t most = 1000000;
    tr_actor *a = stage_actor("a"), *b = stage_actor_with("b", TR_SPAWN(.mail_max = most));
    handled = 0;
    player_of(b)->receive = receive_and_count;
    assert_waiting(look(a, b), 0);
    IN_TURN(a)
    assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_NULL));
    assert_waiting(look(a, b), 1);
    IN_TURN(a)
    {
        for (uint32_t i = 1; i < most; i++)
            assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_NULL));
        assert_int_equal(TR_EFULL, tr_send(a, tr_self(b), "m", TR_NULL));
    }
    assert_waiting(look(a, b), most);
    stage_step();
    assert_in_range(handled, 1, most - 1);
    assert_waiting(look(a, b), most - handled);
}

static int receive_and_stash(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_stash(self, msg);
    return rc < 0 ? rc : tr_mail_hold(self, true);
}

static void a_look_tells_how_an_actor_is(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_child(a, "b");
    player_of(b)->receive = receive_and_stash;
    tr_actor_info before = look(a, b);
    assert_string_equal("player", before.behavior);
    assert_true(tr_addr_eq(tr_self(a), before.parent));
    assert_true(before.started && !before.mail_held);
    assert_int_equal(4096, before.mail_max);
    assert_int_equal(16 << 20, before.mail_bytes_max);
    for (int i = 0; i < 2; i++) {
        IN_TURN(a)
        assert_int_equal(0, tr_send(a, tr_self(b), "m", TR_NULL));
        stage_run();
    }
    tr_actor_info after = look(b, b); // itself
    assert_true(after.mail_held);
    assert_waiting(after, 1);
    assert_int_equal(1, after.stash_count);
    assert_int_equal(2, after.stash_bytes);
}

static void only_what_is_there_can_be_looked_at(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_actor_info info;
    tr_addr young = TR_NOBODY, gone = tr_self(b);
    stage_exit(b, TR_NORMAL);
    IN_TURN(a)
    {
        const tr_addr nobody[] = {
            TR_NOBODY,
            gone,
            {stage.node->id + 1, tr_self(a).actor},
            {stage.node->id, tr_self(a).actor | (uint64_t)1 << TR__ID_LOOP_SHIFT},
        };
        for (size_t i = 0; i < sizeof nobody / sizeof *nobody; i++)
            assert_int_equal(TR_ENOACTOR, tr_actor_look(a, nobody[i], &info));
        assert_int_equal(TR_EINVAL, tr_actor_look(a, tr_self(a), NULL));
        assert_int_equal(0, tr_spawn(a, &plain, NULL, &young));
        assert_int_equal(0, tr_actor_look(a, young, &info));
        assert_false(info.started);
    }
}

#define BORN_TEST(name) cmocka_unit_test_setup_teardown(name, stage_born, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BORN_TEST(an_actor_starts_with_its_arguments_and_empty_state),
        BORN_TEST(without_options_there_is_null_and_nobody),
        STAGE_TEST(a_behaviour_needs_no_more_than_a_name),
        STAGE_TEST(options_of_another_version_are_taken),
        BORN_TEST(a_start_that_fails_ends_the_actor_with_its_error),
        STAGE_TEST(a_handlers_error_is_the_reason_of_the_end),
        STAGE_TEST(an_unknown_message_is_a_dead_letter_and_no_end),
        STAGE_TEST(the_first_reason_to_exit_stays),
        STAGE_TEST(an_actor_that_is_asked_ends_before_its_next_message),
        STAGE_TEST(what_the_asker_sent_before_is_handled_first),
        STAGE_TEST(asking_again_takes_nothing_back),
        BORN_TEST(one_that_is_asked_before_its_start_starts_and_stops),
        STAGE_TEST(the_end_of_an_owner_goes_down_a_deep_chain),
        STAGE_TEST(the_end_of_an_owner_ends_its_children_in_the_order_of_their_birth),
        STAGE_TEST(the_end_of_a_child_is_nothing_to_its_owner),
        STAGE_TEST(a_stop_can_arm_nothing_but_may_send),
        BORN_TEST(a_node_that_is_closed_ends_its_actors),
        STAGE_TEST(an_old_address_misses_for_ever),
        STAGE_TEST(a_place_that_was_used_up_is_left_alone),
        STAGE_TEST(made_up_addresses_miss),
        STAGE_TEST(a_look_at_a_full_mailbox_does_not_walk_it),
        STAGE_TEST(a_look_tells_how_an_actor_is),
        STAGE_TEST(only_what_is_there_can_be_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
