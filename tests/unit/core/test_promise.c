// Promises as their users see them, in the kit: actors take their turns by themselves, and
// reactions tell the parent what they were called with.
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"

// ---- An actor whose turns are the test's ----

typedef void (*turn)(tr_actor *self);
static turn at_message, at_stop;

static int receive_turn(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    at_message(self);
    return 0;
}

static void stop_turn(tr_actor *self, tr_reason reason)
{
    (void)reason;
    if (at_stop != NULL)
        at_stop(self);
    at_stop = NULL;
}

static const tr_behavior plain = {.name = "plain", .receive = receive_turn, .stop = stop_turn};

// Returns when its jobs have run.
static void take_turn(tr_addr actor, turn what)
{
    at_message = what;
    TR_GIVE(actor, TR_NOBODY, "turn", TR_NULL);
}

static tr_addr actor_with_turn(turn what)
{
    tr_addr actor = TR_START(&plain, NULL);
    take_turn(actor, what);
    return actor;
}

static void say(tr_actor *self, const char *word, tr_val value)
{
    assert_int_equal(0, tr_send(self, tr_parent(self), word, value));
}
#define EXPECT_SAID(word, value)  TR_EXPECT(tr_kit_parent(), word, value)
#define EXPECT_ERROR(word, error) EXPECT_SAID(word, TR_MAP("error", error))
#define EXPECT_SILENCE()          TR_EXPECT_NOTHING(tr_kit_parent())

// ---- Reactions ----

static int on_settled(tr_actor *self, int status, tr_val value, void *word)
{
    say(self, word, status < 0 ? TR_MAP("error", status) : value);
    return status;
}

static int on_settled_fail(tr_actor *self, int status, tr_val value, void *word)
{
    on_settled(self, status, value, word);
    return TR_EIO;
}

static int on_settled_recover(tr_actor *self, int status, tr_val value, void *word)
{
    on_settled(self, status, value, word);
    return 1; // not negative: resolved
}

static int on_settled_exit(tr_actor *self, int status, tr_val value, void *word)
{
    on_settled(self, status, value, word);
    return tr_exit(self, TR_NORMAL);
}

// What outlives a turn.
static tr_promise *held, *others[3];

static tr_promise *promise_new(tr_actor *self)
{
    tr_promise *promise = NULL;
    assert_int_equal(0, tr_promise_new(self, &promise));
    return promise;
}

static void then(tr_promise *promise, const char *word)
{
    assert_int_equal(0, tr_promise_then(promise, on_settled, (void *)word, NULL));
}

static void resolve(tr_promise *promise, tr_val value)
{
    assert_int_equal(0, tr_promise_resolve(promise, value));
}

static void unref_all(void)
{
    tr_promise_unref(&held);
    for (int i = 0; i < 3; i++)
        tr_promise_unref(&others[i]);
}

// ---- Settling ----

static void settle_among_reactions(tr_actor *self)
{
    tr_promise *promise = promise_new(self);
    then(promise, "1");
    then(promise, "2");
    resolve(promise, TR_V("yes"));
    then(promise, "3"); // settled already
    tr_promise_unref(&promise);
    assert_null(promise);
    say(self, "the turn's end", TR_NULL);
}

static void reactions_run_after_the_turn_in_the_order_of_asking(void **state)
{
    (void)state;
    actor_with_turn(settle_among_reactions);
    EXPECT_SAID("the turn's end", TR_NULL);
    EXPECT_SAID("1", TR_V("yes"));
    EXPECT_SAID("2", TR_V("yes"));
    EXPECT_SAID("3", TR_V("yes"));
    EXPECT_SILENCE();
}

static void settle_twice(tr_actor *self)
{
    tr_promise *resolved = promise_new(self), *rejected = promise_new(self);
    resolve(resolved, TR_V(1));
    assert_int_equal(TR_EEXIST, tr_promise_resolve(resolved, TR_V(2)));
    assert_int_equal(TR_EEXIST, tr_promise_reject(resolved, TR_EIO));
    assert_int_equal(TR_EINVAL, tr_promise_reject(rejected, 0));
    assert_int_equal(TR_EINVAL, tr_promise_reject(rejected, 1));
    assert_int_equal(0, tr_promise_reject(rejected, TR_EIO));
    assert_int_equal(TR_EEXIST, tr_promise_reject(rejected, TR_EIO));
    assert_int_equal(TR_EEXIST, tr_promise_resolve(rejected, TR_V(2)));
    then(resolved, "resolved");
    then(rejected, "rejected");
    tr_promise_unref(&resolved);
    tr_promise_unref(&rejected);
}

static void a_promise_is_settled_once(void **state)
{
    (void)state;
    actor_with_turn(settle_twice);
    EXPECT_SAID("resolved", TR_V(1));
    EXPECT_ERROR("rejected", TR_EIO);
    EXPECT_SILENCE();
}

static void overwrite_what_was_given(tr_actor *self)
{
    char text[] = "kept";
    tr_promise *promise = promise_new(self);
    then(promise, "p");
    resolve(promise, TR_MAP("text", text));
    memset(text, 'X', 4);
    tr_promise_unref(&promise);
}

static void the_value_is_copied(void **state)
{
    (void)state;
    actor_with_turn(overwrite_what_was_given);
    EXPECT_SAID("p", TR_MAP("text", "kept"));
}

static void resolve_with_too_deep_a_value_first(tr_actor *self)
{
    tr_val deep[TR_DEPTH_MAX + 2] = {TR_V(1)};
    for (size_t i = 0; i <= TR_DEPTH_MAX; i++)
        deep[i + 1] = tr_val_list(&deep[i], 1);
    tr_promise *promise = promise_new(self);
    then(promise, "p");
    assert_int_equal(TR_ETOODEEP, tr_promise_resolve(promise, deep[TR_DEPTH_MAX + 1]));
    resolve(promise, TR_V(1));
    tr_promise_unref(&promise);
}

static void a_value_that_cannot_be_packed_leaves_it_pending(void **state)
{
    (void)state;
    actor_with_turn(resolve_with_too_deep_a_value_first);
    EXPECT_SAID("p", TR_V(1));
    EXPECT_SILENCE();
}

// ---- Chains ----

static void settle_a_chain(tr_actor *self)
{
    tr_promise *first = promise_new(self), *second = NULL, *third = NULL, *fourth = NULL;
    assert_int_equal(0, tr_promise_then(first, on_settled, (void *)"first", &second));
    assert_int_equal(0, tr_promise_then(second, on_settled_fail, (void *)"second", &third));
    assert_int_equal(0, tr_promise_then(third, on_settled_recover, (void *)"third", &fourth));
    then(fourth, "fourth");
    resolve(first, TR_V(7));
    then(first, "beside");
    tr_promise_unref(&first);
    tr_promise_unref(&second);
    tr_promise_unref(&third);
    tr_promise_unref(&fourth);
}

static void a_reaction_settles_the_next_promise(void **state)
{
    (void)state;
    actor_with_turn(settle_a_chain);
    EXPECT_SAID("first", TR_V(7));
    EXPECT_SAID("beside", TR_V(7));
    EXPECT_SAID("second", TR_V(7));
    EXPECT_ERROR("third", TR_EIO);
    EXPECT_SAID("fourth", TR_NULL);
    EXPECT_SILENCE();
}

static int on_settled_then(tr_actor *self, int status, tr_val value, void *word)
{
    then(held, "nested");
    tr_promise_unref(&held);
    return on_settled(self, status, value, word);
}

static void settle_one_that_is_dropped(tr_actor *self)
{
    held = promise_new(self);
    assert_int_equal(0, tr_promise_then(held, on_settled_then, (void *)"first", NULL));
    then(held, "second");
    resolve(held, TR_V(1));
}

static void a_reaction_may_ask_for_another_and_drop_the_promise(void **state)
{
    (void)state;
    actor_with_turn(settle_one_that_is_dropped);
    EXPECT_SAID("first", TR_V(1));
    EXPECT_SAID("second", TR_V(1));
    EXPECT_SAID("nested", TR_V(1));
    EXPECT_SILENCE();
}

static int on_link(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value, (void)arg;
    return status;
}

static void make_a_long_chain(tr_actor *self)
{
    held = promise_new(self);
    tr_promise *last = tr_promise_ref(held);
    for (int n = 0; n < 200000; n++) {
        tr_promise *next = NULL;
        assert_int_equal(0, tr_promise_then(last, on_link, NULL, &next));
        tr_promise_unref(&last);
        last = next;
    }
    then(last, "last");
    tr_promise_unref(&last);
}

static void resolve_held(tr_actor *self)
{
    (void)self;
    resolve(held, TR_V(1));
}

// Goal:   a chain can be as long as memory allows: nothing recurses along it.
// Method: one of 200,000 that is settled, and one that is dropped by the actor's end.
static void a_chain_may_be_long(void **state)
{
    (void)state;
    tr_addr actor = actor_with_turn(make_a_long_chain);
    take_turn(actor, resolve_held);
    EXPECT_SAID("last", TR_V(1));
    tr_promise_unref(&held);
    take_turn(actor, make_a_long_chain);
    TR_STOP(actor);
    tr_promise_unref(&held);
    EXPECT_SILENCE();
}

// ---- All and race ----

static void make_others(tr_actor *self)
{
    for (int i = 0; i < 3; i++)
        others[i] = promise_new(self);
}

static void wait_for_all(tr_actor *self)
{
    make_others(self);
    resolve(others[1], TR_V("before"));
    tr_promise *const twice[] = {others[0], others[1], others[2], others[0]};
    assert_int_equal(0, tr_promise_all(self, twice, 4, &held));
    then(held, "all");
    resolve(others[2], TR_LIST(2, TR_MAP("k", 3)));
}

static void resolve_the_last(tr_actor *self)
{
    (void)self;
    resolve(others[0], TR_NULL);
}

static void all_is_the_list_of_their_values_in_order(void **state)
{
    (void)state;
    tr_addr actor = actor_with_turn(wait_for_all);
    EXPECT_SILENCE();
    take_turn(actor, resolve_the_last);
    EXPECT_SAID("all", TR_LIST(TR_NULL, "before", TR_LIST(2, TR_MAP("k", 3)), TR_NULL));
    unref_all();
}

static void reject_two_of_all(tr_actor *self)
{
    make_others(self);
    assert_int_equal(0, tr_promise_all(self, others, 3, &held));
    then(held, "all");
    resolve(others[0], TR_V(0));
    tr_promise_reject(others[2], TR_EPIPE);
    tr_promise_reject(others[1], TR_EIO);
    unref_all();
}

static void all_fails_with_the_first_error(void **state)
{
    (void)state;
    actor_with_turn(reject_two_of_all);
    EXPECT_ERROR("all", TR_EPIPE);
    EXPECT_SILENCE();
}

static int first_status;

static void race(tr_actor *self)
{
    make_others(self);
    assert_int_equal(0, tr_promise_race(self, others, 3, &held));
    then(held, "race");
    if (first_status == 0)
        resolve(others[1], TR_V(1));
    else
        tr_promise_reject(others[1], first_status);
    resolve(others[0], TR_V(0));
    tr_promise_reject(others[2], TR_EPIPE);
    unref_all();
}

static void race_is_the_first_that_is_settled(void **state)
{
    (void)state;
    first_status = 0;
    actor_with_turn(race);
    EXPECT_SAID("race", TR_V(1));
    first_status = TR_EIO;
    actor_with_turn(race);
    EXPECT_ERROR("race", TR_EIO);
    EXPECT_SILENCE();
}

static void wait_for_none(tr_actor *self)
{
    tr_promise *all = NULL, *race = NULL;
    assert_int_equal(0, tr_promise_all(self, NULL, 0, &all));
    assert_int_equal(0, tr_promise_race(self, NULL, 0, &race));
    then(all, "all");
    then(race, "race");
    tr_promise_unref(&all);
    tr_promise_unref(&race);
}

static void all_of_none_is_an_empty_list_and_race_is_pending(void **state)
{
    (void)state;
    actor_with_turn(wait_for_none);
    EXPECT_SAID("all", tr_val_list(NULL, 0));
    EXPECT_SILENCE();
}

static void hold_one(tr_actor *self)
{
    held = promise_new(self);
    then(held, "the owner's");
}

static void take_what_is_not_ones_own(tr_actor *self)
{
    tr_promise *mine = promise_new(self), *result = NULL;
    tr_promise *const foreign[] = {mine, held}, *const missing[] = {mine, NULL};
    assert_int_equal(TR_EINVAL, tr_promise_all(self, foreign, 2, &result));
    assert_int_equal(TR_EINVAL, tr_promise_race(self, missing, 2, &result));
    assert_int_equal(TR_EINVAL, tr_promise_all(self, NULL, 1, &result));
    assert_null(result);
    tr_promise_unref(&mine);
}

static void all_and_race_take_only_promises_of_ones_own(void **state)
{
    (void)state;
    actor_with_turn(hold_one);
    actor_with_turn(take_what_is_not_ones_own);
    unref_all();
}

// ---- Whose turn, and whose end ----

static void settle_anothers(tr_actor *self)
{
    resolve(held, TR_V(1));
    assert_int_equal(TR_EINVAL, tr_promise_then(held, on_settled, (void *)"mine", NULL));
    say(self, "the turn's end", TR_NULL);
}

static void another_actor_may_settle_it(void **state)
{
    (void)state;
    actor_with_turn(hold_one);
    actor_with_turn(settle_anothers);
    EXPECT_SAID("the turn's end", TR_NULL);
    EXPECT_SAID("the owner's", TR_V(1));
    EXPECT_SILENCE();
    assert_int_equal(TR_EINVAL, tr_promise_resolve(held, TR_NULL)); // nobody's turn
    unref_all();
}

static tr_addr owner;

static void hold_pending_and_settled(tr_actor *self)
{
    make_others(self);
    owner = tr_self(self);
    assert_int_equal(0, tr_promise_all(self, others, 3, &held));
    then(others[0], "pending");
    then(others[1], "settled");
    then(held, "all");
}

static void settle_and_kill_its_owner(tr_actor *self)
{
    resolve(others[1], TR_V(1));
    assert_int_equal(0, tr_kill(self, owner));
}

static void settle_what_nobody_owns(tr_actor *self)
{
    (void)self;
    assert_int_equal(TR_EEXIST, tr_promise_resolve(others[0], TR_NULL));
    assert_int_equal(TR_EEXIST, tr_promise_reject(others[0], TR_EIO));
    assert_int_equal(TR_EINVAL, tr_promise_then(others[0], on_settled, (void *)"late", NULL));
}

static void the_end_of_its_actor_drops_reactions(void **state)
{
    (void)state;
    actor_with_turn(hold_pending_and_settled);
    tr_addr other = actor_with_turn(settle_and_kill_its_owner);
    assert_false(tr_kit_alive(owner));
    take_turn(other, settle_what_nobody_owns);
    EXPECT_SILENCE();
    unref_all();
}

static void exit_in_a_reaction(tr_actor *self)
{
    tr_promise *promise = promise_new(self);
    assert_int_equal(0, tr_promise_then(promise, on_settled_exit, (void *)"first", NULL));
    then(promise, "second");
    resolve(promise, TR_V(1));
    tr_promise_unref(&promise);
}

static void an_exit_in_a_reaction_drops_the_next(void **state)
{
    (void)state;
    tr_addr actor = actor_with_turn(exit_in_a_reaction);
    EXPECT_SAID("first", TR_V(1));
    TR_EXPECT_EXIT(actor, TR_NORMAL);
    EXPECT_SILENCE();
}

static void settle_in_the_stop(tr_actor *self)
{
    tr_promise_resolve(held, TR_V(1));
    tr_promise_then(held, on_settled, (void *)"late", NULL);
    say(self, "stopped", TR_NULL);
}

static void what_is_settled_in_a_stop_has_no_reactions(void **state)
{
    (void)state;
    tr_addr actor = actor_with_turn(hold_one);
    at_stop = settle_in_the_stop;
    TR_STOP(actor);
    EXPECT_SAID("stopped", TR_NULL);
    EXPECT_SILENCE();
    unref_all();
}

static void drop_a_pending_chain(tr_actor *self)
{
    tr_promise *promise = promise_new(self), *next = NULL;
    assert_int_equal(0, tr_promise_then(promise, on_settled, (void *)"never", &next));
    then(next, "never");
    tr_promise_unref(&promise);
    tr_promise_unref(&next);
}

static void a_promise_that_nobody_holds_is_never_settled(void **state)
{
    (void)state;
    actor_with_turn(drop_a_pending_chain);
    EXPECT_SILENCE();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_TEST(reactions_run_after_the_turn_in_the_order_of_asking),
        TR_TEST(a_promise_is_settled_once),
        TR_TEST(the_value_is_copied),
        TR_TEST(a_value_that_cannot_be_packed_leaves_it_pending),
        TR_TEST(a_reaction_settles_the_next_promise),
        TR_TEST(a_reaction_may_ask_for_another_and_drop_the_promise),
        TR_TEST(a_chain_may_be_long),
        TR_TEST(all_is_the_list_of_their_values_in_order),
        TR_TEST(all_fails_with_the_first_error),
        TR_TEST(race_is_the_first_that_is_settled),
        TR_TEST(all_of_none_is_an_empty_list_and_race_is_pending),
        TR_TEST(all_and_race_take_only_promises_of_ones_own),
        TR_TEST(another_actor_may_settle_it),
        TR_TEST(the_end_of_its_actor_drops_reactions),
        TR_TEST(an_exit_in_a_reaction_drops_the_next),
        TR_TEST(what_is_settled_in_a_stop_has_no_reactions),
        TR_TEST(a_promise_that_nobody_holds_is_never_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
