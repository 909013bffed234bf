#include "stage.h"

// A reaction notes "WORD=VALUE" or "WORD!ERROR" and hands the status on.
static int on_settled(tr_actor *self, int status, tr_val value, void *word)
{
    char text[128], *json = NULL;
    (void)self;
    tr_json_print(value, &json);
    snprintf(text, sizeof text, "%s%s%s", (char *)word, status < 0 ? "!" : "=",
             status < 0 ? tr_errname(status) : json);
    tr_free(json);
    note(text);
    return status;
}
#define SETTLED(word) on_settled, (void *)(word)

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

static tr_promise *promise_new(tr_actor *self)
{
    tr_promise *promise = NULL;
    assert_int_equal(0, tr_promise_new(self, &promise));
    return promise;
}

static void then(tr_promise *promise, const char *word)
{
    assert_int_equal(0, tr_promise_then(promise, SETTLED(word), NULL));
}

static void resolve(tr_promise *promise, tr_val value)
{
    assert_int_equal(0, tr_promise_resolve(promise, value));
}

// ---- Settling ----

static void reactions_run_after_the_turn_in_the_order_of_asking(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *promise = promise_new(a);
        then(promise, "1");
        then(promise, "2");
        resolve(promise, TR_V("yes"));
        then(promise, "3"); // settled already
        tr_promise_unref(&promise);
        assert_null(promise);
        assert_heard("");
    }
    assert_heard("1=\"yes\" 2=\"yes\" 3=\"yes\"");
}

static void a_promise_is_settled_once(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *resolved = promise_new(a), *rejected = promise_new(a);
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
    assert_heard("resolved=1 rejected!TR_EIO");
}

static void the_value_is_copied(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    char text[] = "kept";
    IN_TURN(a)
    {
        tr_promise *promise = promise_new(a);
        then(promise, "p");
        resolve(promise, TR_MAP("text", text));
        memset(text, 'X', 4);
        tr_promise_unref(&promise);
    }
    assert_heard("p={\"text\":\"kept\"}");
}

static void a_value_that_cannot_be_packed_leaves_it_pending(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_val deep[TR_DEPTH_MAX + 2] = {TR_V(1)};
    for (size_t i = 0; i <= TR_DEPTH_MAX; i++)
        deep[i + 1] = tr_val_list(&deep[i], 1);
    IN_TURN(a)
    {
        tr_promise *promise = promise_new(a);
        then(promise, "p");
        assert_int_equal(TR_ETOODEEP, tr_promise_resolve(promise, deep[TR_DEPTH_MAX + 1]));
        resolve(promise, TR_V(1));
        tr_promise_unref(&promise);
    }
    assert_heard("p=1");
}

// ---- Chains ----

static void a_reaction_settles_the_next_promise(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *first = promise_new(a), *second = NULL, *third = NULL, *fourth = NULL;
        assert_int_equal(0, tr_promise_then(first, SETTLED("first"), &second));
        assert_int_equal(0, tr_promise_then(second, on_settled_fail, (void *)"second", &third));
        assert_int_equal(0, tr_promise_then(third, on_settled_recover, (void *)"third", &fourth));
        then(fourth, "fourth");
        resolve(first, TR_V(7));
        assert_int_equal(0, tr_promise_then(first, SETTLED("beside"), NULL));
        tr_promise_unref(&first);
        tr_promise_unref(&second);
        tr_promise_unref(&third);
        tr_promise_unref(&fourth);
    }
    assert_heard("first=7 beside=7 second=7 third!TR_EIO fourth=null");
}

static tr_promise *held;

static int on_settled_then(tr_actor *self, int status, tr_val value, void *word)
{
    then(held, "nested");
    tr_promise_unref(&held);
    return on_settled(self, status, value, word);
}

static void a_reaction_may_ask_for_another_and_drop_the_promise(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        held = promise_new(a);
        assert_int_equal(0, tr_promise_then(held, on_settled_then, (void *)"first", NULL));
        then(held, "second");
        resolve(held, TR_V(1));
    }
    assert_heard("first=1 second=1 nested=1");
}

// Goal:   a chain can be as long as memory allows: nothing recurses along it.
// Method: one of 200,000 that is settled, and one that is dropped by the actor's end.
static void a_chain_may_be_long(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_actor *const actors[] = {a, b};
    tr_promise *firsts[2];
    for (int i = 0; i < 2; i++) {
        IN_TURN(actors[i])
        {
            tr_promise *last = tr_promise_ref(firsts[i] = promise_new(actors[i]));
            for (int n = 0; n < 200000; n++) {
                tr_promise *next = NULL;
                assert_int_equal(0, tr_promise_then(last, on_settled_recover, (void *)"", &next));
                tr_promise_unref(&last);
                last = next;
            }
            then(last, "last");
            tr_promise_unref(&last);
        }
    }
    IN_TURN(b)
    resolve(firsts[1], TR_NULL);
    tr_promise_unref(&firsts[1]);
    for (int i = 0; i < 200000 / TR_JOBS_MAX; i++) {
        stage.heard[0] = '\0';
        stage_step();
    }
    assert_heard("last=null");
    stage_exit(a, TR_NORMAL);
    tr_promise_unref(&firsts[0]);
}

// ---- All and race ----

static void three(tr_actor *self, tr_promise **promises)
{
    for (int i = 0; i < 3; i++)
        promises[i] = promise_new(self);
}

static void unref_three(tr_promise **promises)
{
    for (int i = 0; i < 3; i++)
        tr_promise_unref(&promises[i]);
}

static void all_is_the_list_of_their_values_in_order(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_promise *p[3], *all = NULL;
    IN_TURN(a)
    {
        three(a, p);
        resolve(p[1], TR_V("before"));
        tr_promise *const twice[] = {p[0], p[1], p[2], p[0]};
        assert_int_equal(0, tr_promise_all(a, twice, 4, &all));
        then(all, "all");
        resolve(p[2], TR_LIST(2, TR_MAP("k", 3)));
    }
    stage_run();
    assert_heard("");
    IN_TURN(a)
    resolve(p[0], TR_NULL);
    assert_heard("all=[null,\"before\",[2,{\"k\":3}],null]");
    unref_three(p);
    tr_promise_unref(&all);
}

static void all_fails_with_the_first_error(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_promise *p[3], *all = NULL;
    IN_TURN(a)
    {
        three(a, p);
        assert_int_equal(0, tr_promise_all(a, p, 3, &all));
        then(all, "all");
        resolve(p[0], TR_V(0));
        tr_promise_reject(p[2], TR_EPIPE);
        tr_promise_reject(p[1], TR_EIO);
    }
    assert_heard("all!TR_EPIPE");
    unref_three(p);
    tr_promise_unref(&all);
}

static void race_is_the_first_that_is_settled(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    for (int way = 0; way < 2; way++) {
        tr_promise *p[3], *race = NULL;
        IN_TURN(a)
        {
            three(a, p);
            assert_int_equal(0, tr_promise_race(a, p, 3, &race));
            then(race, "race");
            if (way == 0)
                resolve(p[1], TR_V(1));
            else
                tr_promise_reject(p[1], TR_EIO);
            resolve(p[0], TR_V(0));
            tr_promise_reject(p[2], TR_EPIPE);
        }
        unref_three(p);
        tr_promise_unref(&race);
    }
    assert_heard("race=1 race!TR_EIO");
}

static void all_of_none_is_an_empty_list_and_race_is_pending(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *all = NULL, *race = NULL;
        assert_int_equal(0, tr_promise_all(a, NULL, 0, &all));
        assert_int_equal(0, tr_promise_race(a, NULL, 0, &race));
        then(all, "all");
        then(race, "race");
        tr_promise_unref(&all);
        tr_promise_unref(&race);
    }
    assert_heard("all=[]");
}

static void all_and_race_take_only_promises_of_ones_own(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_promise *theirs = NULL, *result = NULL;
    IN_TURN(b)
    theirs = promise_new(b);
    IN_TURN(a)
    {
        tr_promise *mine = promise_new(a);
        tr_promise *const foreign[] = {mine, theirs}, *const missing[] = {mine, NULL};
        assert_int_equal(TR_EINVAL, tr_promise_all(a, foreign, 2, &result));
        assert_int_equal(TR_EINVAL, tr_promise_race(a, missing, 2, &result));
        assert_int_equal(TR_EINVAL, tr_promise_all(a, NULL, 1, &result));
        tr_promise_unref(&mine);
    }
    assert_null(result);
    tr_promise_unref(&theirs);
}

// ---- Whose turn, and whose end ----

static void another_actor_may_settle_it(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_promise *promise = NULL;
    IN_TURN(a)
    {
        promise = promise_new(a);
        then(promise, "a's");
    }
    IN_TURN(b)
    {
        resolve(promise, TR_V(1));
        assert_int_equal(TR_EINVAL, tr_promise_then(promise, SETTLED("b's"), NULL));
    }
    assert_heard("");
    assert_int_equal(0, tr__loop_due(stage.loop));
    stage_run();
    assert_heard("a's=1");
    assert_int_equal(TR_EINVAL, tr_promise_resolve(promise, TR_NULL)); // nobody's turn
    tr_promise_unref(&promise);
}

static void the_end_of_its_actor_drops_reactions(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_promise *pending = NULL, *settled = NULL, *all = NULL;
    IN_TURN(a)
    {
        pending = promise_new(a);
        settled = promise_new(a);
        tr_promise *const both[] = {settled, pending};
        assert_int_equal(0, tr_promise_all(a, both, 2, &all));
        then(pending, "pending");
        then(settled, "settled");
        then(all, "all");
    }
    IN_TURN(b)
    resolve(settled, TR_V(1));
    stage_exit(a, TR_NORMAL);
    assert_heard("a:stop=normal");
    IN_TURN(b)
    {
        assert_int_equal(TR_EEXIST, tr_promise_resolve(pending, TR_NULL));
        assert_int_equal(TR_EEXIST, tr_promise_reject(pending, TR_EIO));
        assert_int_equal(TR_EINVAL, tr_promise_then(pending, SETTLED("late"), NULL));
    }
    tr_promise_unref(&pending);
    tr_promise_unref(&settled);
    tr_promise_unref(&all);
}

static void an_exit_in_a_reaction_drops_the_next(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *promise = promise_new(a);
        assert_int_equal(0, tr_promise_then(promise, on_settled_exit, (void *)"first", NULL));
        then(promise, "second");
        resolve(promise, TR_V(1));
        tr_promise_unref(&promise);
    }
    stage_run();
    assert_heard("first=1 a:stop=normal");
}

static void stop_settles(tr_actor *self)
{
    (void)self;
    tr_promise_resolve(held, TR_V(1));
    tr_promise_then(held, SETTLED("late"), NULL);
}

static void what_is_settled_in_a_stop_has_no_reactions(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(a)->stop = stop_settles;
    IN_TURN(a)
    {
        held = promise_new(a);
        then(held, "asked for");
    }
    stage_exit(a, TR_NORMAL);
    IN_TURN(b)
    tr_next_tick(b, NOTE("tick"));
    assert_heard("a:stop=normal tick");
    tr_promise_unref(&held);
}

static void a_promise_that_nobody_holds_is_never_settled(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    IN_TURN(a)
    {
        tr_promise *promise = promise_new(a), *next = NULL;
        assert_int_equal(0, tr_promise_then(promise, SETTLED("never"), &next));
        then(next, "never");
        tr_promise_unref(&promise);
        tr_promise_unref(&next);
    }
    stage_run();
    assert_heard("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(reactions_run_after_the_turn_in_the_order_of_asking),
        STAGE_TEST(a_promise_is_settled_once),
        STAGE_TEST(the_value_is_copied),
        STAGE_TEST(a_value_that_cannot_be_packed_leaves_it_pending),
        STAGE_TEST(a_reaction_settles_the_next_promise),
        STAGE_TEST(a_reaction_may_ask_for_another_and_drop_the_promise),
        STAGE_TEST(a_chain_may_be_long),
        STAGE_TEST(all_is_the_list_of_their_values_in_order),
        STAGE_TEST(all_fails_with_the_first_error),
        STAGE_TEST(race_is_the_first_that_is_settled),
        STAGE_TEST(all_of_none_is_an_empty_list_and_race_is_pending),
        STAGE_TEST(all_and_race_take_only_promises_of_ones_own),
        STAGE_TEST(another_actor_may_settle_it),
        STAGE_TEST(the_end_of_its_actor_drops_reactions),
        STAGE_TEST(an_exit_in_a_reaction_drops_the_next),
        STAGE_TEST(what_is_settled_in_a_stop_has_no_reactions),
        STAGE_TEST(a_promise_that_nobody_holds_is_never_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
