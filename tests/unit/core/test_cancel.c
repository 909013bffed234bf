// What a token promises: each call that carries it ends once, so, and in a turn of its own.
#include "stage.h"
#include "support/counted_memory.h"

static tr_actor *a, *silent;

// The callbacks note who has ended how: "ask=TR_ECANCELED".
static void note_end(const char *what, int status)
{
    char word[64];
    snprintf(word, sizeof word, "%s=%s", what, status == 0 ? "0" : tr_errname(status));
    note(word);
}

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    note_end("ask", answer->status);
}

static int on_settled(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value, (void)arg;
    note_end("wait", status);
    return 0;
}

static int run_nothing(void *data)
{
    (void)data;
    return 0;
}

static void on_worked(tr_actor *self, int status, void *data, void *arg)
{
    (void)self, (void)data, (void)arg;
    note_end("work", status);
}

static int ask(tr_cancel *cancel)
{
    return tr_ask(a, tr_self(silent), "ask", TR_NULL, TR_ASK(.cancel = cancel), NULL, on_answer,
                  NULL);
}

static int work(tr_cancel *cancel)
{
    return tr_work(a, run_nothing, NULL, TR_WORK(.cancel = cancel), on_worked, NULL);
}

static int wait_for(uint64_t ns, tr_cancel *cancel)
{
    tr_promise *promise = NULL;
    int rc = tr_promise_after(a, ns, cancel, &promise);
    if (rc == 0)
        rc = tr_promise_then(promise, on_settled, NULL, NULL);
    tr_promise_unref(&promise);
    return rc;
}

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = stage_actor("a");
    silent = stage_actor("silent");
    IN_TURN(silent)
    assert_int_equal(0, tr_mail_hold(silent, true));
    return rc;
}

static uint64_t now(void)
{
    return stage.loop->world->ops->now(stage.loop->world);
}

static tr_cancel *token(void)
{
    tr_cancel *cancel = NULL;
    assert_int_equal(0, tr_cancel_new(a, &cancel));
    assert_false(tr_cancelled(cancel));
    return cancel;
}

static void start_all(tr_cancel *cancel)
{
    assert_int_equal(0, ask(cancel));
    assert_int_equal(0, work(cancel));
    assert_int_equal(0, wait_for(TR_S(1), cancel));
    assert_int_equal(0, tr_cancel_then(cancel, NOTE("then")));
}

// Let threads and timers do what they have left to do.
static void let_all_pass(void)
{
    for (int i = 0; i < 3; i++) {
        tr__sim_run_for(stage.sim, TR_S(10));
        stage_run();
    }
}

#define ALL "ask=TR_ECANCELED work=TR_ECANCELED wait=TR_ECANCELED then"

static void what_carries_a_token_ends_with_it_once(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    IN_TURN(a)
    {
        cancel = token();
        start_all(cancel);
        assert_int_equal(0, ask(NULL));
        assert_int_equal(0, tr_cancel_now(cancel));
        assert_int_equal(0, tr_cancel_now(cancel));
        assert_true(tr_cancelled(cancel));
        note("end of turn");
    }
    stage_step();
    assert_heard("end of turn " ALL);
    let_all_pass();
    assert_heard("ask=TR_ETIMEDOUT");
}

static void a_token_that_is_cancelled_is_refused(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_cancel *cancel = token();
        assert_int_equal(0, tr_cancel_now(cancel));
        assert_int_equal(TR_ECANCELED, ask(cancel));
        assert_int_equal(TR_ECANCELED, work(cancel));
        assert_int_equal(TR_ECANCELED, wait_for(0, cancel));
        assert_int_equal(TR_ECANCELED, tr_cancel_then(cancel, NOTE("then")));
    }
    let_all_pass();
    assert_heard("");
}

static int reply(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_reply(self, msg, TR_NULL);
    stage_hold(a); // so that the answer waits
    stage.heard[0] = '\0';
    return rc;
}

// Goal:   a call that is over, but has not been told so, ends as cancelled all the same.
// Method: the answer is there, the work is home and the time is up, when the token is cancelled.
static void what_is_over_but_not_told_is_cancelled(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    player_of(silent)->receive = reply;
    IN_TURN(a)
    {
        cancel = token();
        start_all(cancel);
    }
    IN_TURN(silent)
    assert_int_equal(0, tr_mail_hold(silent, false));
    tr__loop_here = stage.loop;
    tr__mail_run(stage.loop);
    tr__loop_here = NULL;
    tr__sim_run_for(stage.sim, TR_S(1));
    tr__loop_here = stage.loop;
    tr__inbox_run(stage.loop);
    tr__loop_here = NULL;
    IN_TURN(a)
    assert_int_equal(0, tr_cancel_now(cancel));
    let_all_pass();
    assert_heard("wait=TR_ECANCELED work=TR_ECANCELED ask=TR_ECANCELED then");
}

static void what_has_ended_before_is_left_alone(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    IN_TURN(a)
    {
        cancel = token();
        start_all(cancel);
    }
    let_all_pass();
    assert_non_null(strstr(stage.heard, "work=0"));
    assert_non_null(strstr(stage.heard, "wait=0"));
    assert_non_null(strstr(stage.heard, "ask=TR_ETIMEDOUT"));
    stage.heard[0] = '\0';
    IN_TURN(a)
    assert_int_equal(0, tr_cancel_now(cancel));
    stage_run();
    assert_heard("then");
}

static void a_freed_token_lets_calls_go_on_unless_it_was_cancelled(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_cancel *cancel = token(), *other = token();
        assert_int_equal(0, wait_for(TR_MS(1), cancel));
        assert_int_equal(0, tr_cancel_then(cancel, NOTE("never")));
        tr_cancel_free(&cancel);
        tr_cancel_free(&cancel);
        assert_null(cancel);
        start_all(other);
        assert_int_equal(0, tr_cancel_now(other));
        tr_cancel_free(&other);
    }
    stage_step();
    assert_heard(ALL);
    let_all_pass();
    assert_heard("wait=0");
}

static void on_then_free(tr_actor *self, void *cancel)
{
    (void)self;
    tr_cancel_free(cancel);
    note("free");
}

static void a_token_may_be_freed_by_whom_it_tells(void **state)
{
    (void)state;
    static tr_cancel *cancel;
    IN_TURN(a)
    {
        cancel = token();
        assert_int_equal(0, tr_cancel_then(cancel, on_then_free, &cancel));
        start_all(cancel);
        assert_int_equal(0, tr_cancel_now(cancel));
    }
    stage_step();
    assert_heard("free " ALL);
    assert_null(cancel);
}

static void a_token_may_have_its_time(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    uint64_t start = now();
    IN_TURN(a)
    {
        assert_int_equal(0, tr_cancel_after(a, TR_MS(5), &cancel));
        start_all(cancel);
    }
    tr__sim_run_for(stage.sim, start + TR_MS(5) - 1 - now());
    stage_run();
    assert_heard("work=0");
    stage_step(); // waits
    stage_step();
    assert_heard("ask=TR_ECANCELED wait=TR_ECANCELED then");
}

// Goal:   a token that depends on others is cancelled in the same call, through any number of
//         others in between.
static void a_token_may_depend_on_others(void **state)
{
    (void)state;
    tr_cancel *one = NULL, *two = NULL, *both = NULL;
    IN_TURN(a)
    {
        one = token();
        two = token();
        assert_int_equal(0, tr_cancel_any(a, (tr_cancel *[]){one, two}, 2, &both));
        tr_cancel *last = both;
        for (int i = 0; i < 10000; i++)
            assert_int_equal(0, tr_cancel_any(a, (tr_cancel *[]){last, one}, 2, &last));
        start_all(last);
        tr_cancel_free(&one);
        assert_false(tr_cancelled(last));
        assert_int_equal(0, tr_cancel_now(two));
        assert_true(tr_cancelled(last));
        assert_int_equal(0, tr_cancel_any(a, &two, 1, &one));
        assert_true(tr_cancelled(one));
        tr_cancel_free(&both); // has been told nothing yet
    }
    stage_step();
    assert_heard(ALL);
}

static void a_token_goes_before_those_it_depends_on(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_cancel *one = token(), *any = NULL;
        assert_int_equal(0, tr_cancel_any(a, &one, 1, &any));
        tr_cancel_free(&any);
        assert_int_equal(0, tr_cancel_now(one));
    }
    stage_run();
}

// Goal:   whatever its tokens are at, an actor's end takes all along.
static void tokens_end_with_their_actor(void **state)
{
    (void)state;
    for (int when = 0; when < 3; when++) {
        tr_cancel *cancel = NULL, *any = NULL;
        a = stage_actor("a");
        IN_TURN(a)
        {
            cancel = token();
            assert_int_equal(0, tr_cancel_any(a, &cancel, 1, &any));
            start_all(cancel);
            start_all(any);
            if (when > 0)
                tr_cancel_now(cancel);
            if (when > 1)
                tr_cancel_free(&cancel);
            tr_exit(a, TR_NORMAL);
        }
        let_all_pass();
        assert_heard("a:stop=normal");
    }
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL, *none = NULL;
    assert_int_equal(TR_EINVAL, tr_cancel_new(a, &cancel)); // not its turn
    IN_TURN(a)
    {
        cancel = token();
        assert_int_equal(TR_EINVAL, tr_cancel_new(a, NULL));
        assert_int_equal(TR_EINVAL, tr_cancel_after(a, UINT64_MAX, &none));
        assert_int_equal(TR_EINVAL, tr_cancel_any(a, NULL, 1, &none));
        assert_int_equal(TR_EINVAL, tr_cancel_any(a, &none, 1, &none));
        assert_int_equal(TR_EINVAL, tr_cancel_then(cancel, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_cancel_now(NULL));
        tr_cancel_free(NULL);
        tr_cancel_free(&none);
    }
    assert_int_equal(TR_EINVAL, tr_cancel_now(cancel));
    IN_TURN(silent)
    {
        assert_int_equal(TR_EINVAL, tr_cancel_now(cancel));
        assert_int_equal(TR_EINVAL, tr_cancel_any(silent, &cancel, 1, &none));
        tr_promise *promise = NULL;
        assert_int_equal(TR_EINVAL, tr_promise_after(silent, 1, cancel, &promise));
        assert_int_equal(TR_EINVAL, tr_work(silent, run_nothing, NULL, TR_WORK(.cancel = cancel),
                                            on_worked, NULL));
    }
    assert_false(tr_cancelled(cancel));
    assert_false(tr_cancelled(NULL));
}

// Goal:   without memory a call says so, and those that were made end once.
static void tokens_without_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        tr_cancel *cancel = NULL, *any = NULL;
        int calls = 0;
        IN_TURN(a)
        {
            counted_memory_fail(nth, false);
            int rc = tr_cancel_after(a, TR_S(9), &cancel);
            if (rc == 0)
                rc = tr_cancel_any(a, &cancel, 1, &any);
            if (rc == 0) {
                calls += wait_for(TR_S(1), any) == 0;
                calls += work(any) == 0;
                calls += tr_cancel_then(any, NOTE("then")) == 0;
                tr_cancel_now(cancel);
            }
            failed = counted_memory_failed();
            counted_memory_fail(0, false);
        }
        let_all_pass();
        for (const char *at = stage.heard; (at = strpbrk(at, "=n")) != NULL; at += 5)
            calls -= strncmp(at, "=TR_E", 5) == 0 || strncmp(at, "n", 1) == 0;
        stage.heard[0] = '\0';
        assert_in_range(calls, 0, 1); // a promise may be there without its reaction
        stage_teardown(NULL);
        setup(NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_carries_a_token_ends_with_it_once),
        TEST(a_token_that_is_cancelled_is_refused),
        TEST(what_is_over_but_not_told_is_cancelled),
        TEST(what_has_ended_before_is_left_alone),
        TEST(a_freed_token_lets_calls_go_on_unless_it_was_cancelled),
        TEST(a_token_may_be_freed_by_whom_it_tells),
        TEST(a_token_may_have_its_time),
        TEST(a_token_may_depend_on_others),
        TEST(a_token_goes_before_those_it_depends_on),
        TEST(tokens_end_with_their_actor),
        TEST(bad_arguments_are_refused),
        TEST(tokens_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
