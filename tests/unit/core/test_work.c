// What work promises, in the simulated world: its threads step only when the test lets them.
#include "stage.h"
#include "support/counted_memory.h"

static int ran, released;

static int run_note(void *word)
{
    assert_null(tr__loop_here); // nobody's turn
    note(word);
    ran++;
    return 0;
}

static int run_fail(void *word)
{
    note(word);
    return TR_EIO;
}

static void release(void *word)
{
    assert_null(stage.loop->current);
    (void)word;
    released++;
}

static void on_done(tr_actor *self, int status, void *data, void *arg)
{
    char word[64];
    assert_ptr_equal(self, stage.loop->current);
    snprintf(word, sizeof word, "%s:%s=%d", (const char *)arg, (const char *)data, status);
    note(word);
}

// To a pool of one thread.
static int work(tr_actor *self, tr_work_run run, const char *word)
{
    return tr_work(self, run, (void *)word, TR_WORK(.pool = "one", .release = release), on_done,
                   player_of(self)->name);
}

static void one_thread(uint32_t queue_max)
{
    ran = released = 0;
    assert_int_equal(
        0, tr_work_pool(stage.node, "one", TR_WORK_POOL(.threads = 1, .queue_max = queue_max)));
}

// Let the threads run for a while.
static void wait(void)
{
    tr__sim_run_for(stage.sim, TR_MS(1));
    stage_run();
}

static void work_is_done_in_its_order_and_told_in_turns(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    one_thread(0);
    IN_TURN(a)
    {
        assert_int_equal(0, work(a, run_note, "x"));
        assert_int_equal(0, work(a, run_fail, "y"));
    }
    IN_TURN(b)
    assert_int_equal(0, work(b, run_note, "z"));
    assert_heard("");
    wait();
    assert_heard("x y z a:x=0 a:y=-5 b:z=0");
    assert_int_equal(0, released);
}

static void a_pool_takes_so_many_calls_and_no_more(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    one_thread(2);
    for (int round = 0; round < 3; round++) {
        IN_TURN(a)
        {
            assert_int_equal(0, work(a, run_note, "x"));
            assert_int_equal(0, work(a, run_note, "y"));
            assert_int_equal(TR_EFULL, work(a, run_note, "z"));
            assert_int_equal(
                0, tr_work(a, run_note, (void *)"other", NULL, on_done, player_of(a)->name));
        }
        wait();
        assert_int_equal(3 * (round + 1), ran);
    }
    assert_int_equal(0, released);
}

static bool has_run(void *arg)
{
    (void)arg;
    return ran > 0;
}

// Goal:   the end of an actor takes back what has not begun, and what has is released when it is
//         home.
// Method: the actor ends when nothing, the first one, or all of its work has been done, without a
//         look at the loop's inbox.
static void work_is_released_when_its_actor_has_ended(void **state)
{
    (void)state;
    static const int done_before[] = {0, 1, 3};
    one_thread(0);
    for (size_t i = 0; i < sizeof done_before / sizeof *done_before; i++) {
        tr_actor *a = stage_actor("a");
        ran = released = 0;
        IN_TURN(a)
        for (int n = 0; n < 3; n++)
            assert_int_equal(0, work(a, run_note, "x"));
        if (done_before[i] == 1)
            assert_true(tr__sim_run_until(stage.sim, has_run, NULL, TR_MS(1)));
        if (done_before[i] == 3)
            tr__sim_run_for(stage.sim, TR_MS(1));
        IN_TURN(a)
        assert_int_equal(0, tr_exit(a, TR_NORMAL));
        tr__closing_run(stage.loop); // before the threads' next step
        wait();
        assert_int_equal(done_before[i], ran);
        assert_int_equal(3, released);
        assert_null(strstr(stage.heard, "a:x"));
    }
}

static void work_is_released_when_the_node_is_closed(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    one_thread(0);
    IN_TURN(a)
    for (int n = 0; n < 3; n++)
        assert_int_equal(0, work(a, run_note, "x"));
    tr__node_free(&stage.node);
    assert_int_equal(0, ran);
    assert_int_equal(3, released);
}

static void a_pool_is_there_once(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    one_thread(0);
    assert_int_equal(TR_EEXIST, tr_work_pool(stage.node, "one", NULL));
    IN_TURN(a)
    assert_int_equal(0, tr_work(a, run_note, NULL, NULL, on_done, NULL));
    assert_int_equal(TR_EEXIST, tr_work_pool(stage.node, NULL, NULL));
    assert_int_equal(TR_EEXIST, tr_work_pool(stage.node, "default", NULL));
    stage_exit(a, TR_NORMAL);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    assert_int_equal(TR_EINVAL, tr_work_pool(NULL, "x", NULL));
    assert_int_equal(TR_EINVAL, tr_work_pool(stage.node, "", NULL));
    assert_int_equal(TR_EINVAL, tr_work_pool(stage.node, "x", TR_WORK_POOL(.threads = 1025)));
    assert_int_equal(TR_EINVAL, tr_work(a, run_note, NULL, NULL, on_done, NULL)); // not its turn
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_work(a, NULL, NULL, NULL, on_done, NULL));
        assert_int_equal(TR_EINVAL, tr_work(a, run_note, NULL, NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_work(a, run_note, NULL, TR_WORK(.pool = ""), on_done, NULL));
    }
}

// Goal:   without memory there is no work, or all of it.
// Method: three calls, with another allocation failing each time.
static void work_without_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        tr_actor *a = stage_actor("a");
        int accepted = 0;
        ran = 0;
        IN_TURN(a)
        {
            counted_memory_fail(nth, false);
            for (int n = 0; n < 3; n++) {
                int rc = work(a, run_note, "x");
                assert_true(rc == 0 || rc == TR_ENOMEM);
                accepted += rc == 0;
            }
        }
        failed = counted_memory_failed();
        counted_memory_fail(0, false);
        wait();
        assert_int_equal(accepted, ran);
        assert_int_equal(0, stage_teardown(NULL));
        stage_setup(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(work_is_done_in_its_order_and_told_in_turns),
        STAGE_TEST(a_pool_takes_so_many_calls_and_no_more),
        STAGE_TEST(work_is_released_when_its_actor_has_ended),
        STAGE_TEST(work_is_released_when_the_node_is_closed),
        STAGE_TEST(a_pool_is_there_once),
        STAGE_TEST(bad_arguments_are_refused),
        STAGE_TEST(work_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
