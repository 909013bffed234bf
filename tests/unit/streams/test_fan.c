// One stream to several and several to one: what troupe/ends.h promises of tr_tee and tr_merge.
#include "unit/core/script.h"

static tr_actor *a;

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define FAN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

static tr_stream source(const char *name, const char *chunks)
{
    return script_new(a, &script_source, NULL, &(script){.name = name, .chunks = chunks}, NULL);
}

static tr_stream sink(const char *name, bool later)
{
    return script_new(a, &script_sink, TR_STREAM(.write_high = 1),
                      &(script){.name = name, .later = later}, NULL);
}

static void join(tr_stream from, tr_stream to, const char *word)
{
    tr_stream both[] = {from, to};
    assert_int_equal(0, tr_pipeline(a, both, 2, NULL, SCRIPT_DONE(word)));
}

static bool heard(const char *word)
{
    return strstr(stage.heard, word) != NULL;
}

static tr_stream tee(tr_branch *branches, size_t count)
{
    tr_stream stream = {0};
    assert_int_equal(0, tr_tee(a, TR_FAN(.stream = TR_STREAM(.read_high = 1, .write_high = 1)),
                               branches, count, &stream));
    return stream;
}

static tr_stream merge(bool keep_going, tr_branch *branches, size_t count)
{
    tr_stream stream = {0};
    assert_int_equal(0, tr_merge(a, TR_FAN(.keep_going = keep_going), branches, count, &stream));
    return stream;
}

// ---- tr_tee ----

static void every_branch_of_a_tee_has_all(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        join(source("r", "ab|cd"), tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream, sink("y", false), "two");
    }
    stage_run();
    assert_true(heard("x<ab") && heard("x<cd") && heard("y<ab") && heard("y<cd"));
    assert_true(heard("tee=0") && heard("one=0") && heard("two=0"));
}

// Let a sink that waits take what it has, so many times.
static void take(tr_stream stream, int times)
{
    while (times-- > 0) {
        IN_TURN(a)
        tr_stream_done(a, stream, 0);
        stage_run();
    }
}

static void the_slowest_branch_that_blocks_holds_back_all(void **state)
{
    (void)state;
    tr_stream slow = {0};
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        join(source("r", "1|2|3|4|5|6|7|8"), tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream, slow = sink("y", true), "two");
    }
    stage_run();
    assert_true(heard("x<2") && !heard("x<4") && heard("y<1") && !heard("y<2"));
    take(slow, 8);
    assert_true(heard("x<8") && heard("y<8"));
    assert_true(heard("tee=0") && heard("one=0") && heard("two=0"));
}

static void a_branch_that_drops_misses_what_it_has_no_room_for(void **state)
{
    (void)state;
    tr_stream slow = {0};
    tr_branch branches[2] = {{0}, {.policy = TR_TEE_DROP}};
    uint64_t missed = 0;
    IN_TURN(a)
    {
        join(source("r", "1|2|3|4|5|6|7|8"), tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream, slow = sink("y", true), "two");
    }
    stage_run();
    assert_true(heard("x<8") && heard("tee=0") && heard("one=0"));
    IN_TURN(a)
    assert_int_equal(0, tr_tee_missed(a, branches[1].stream, &missed));
    assert_true(missed > 0 && missed < 8);
    take(slow, (int)(8 - missed));
    assert_true(heard("two=0") && !heard("y<8"));
    IN_TURN(a)
    assert_int_equal(TR_ENOENT, tr_tee_missed(a, branches[1].stream, &missed));
}

static void a_branch_that_is_to_be_detached_is_cut_off(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}, {.policy = TR_TEE_DETACH}};
        join(source("r", "1|2|3|4|5|6|7|8"), tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream, sink("y", true), "two");
    }
    stage_run();
    char cut_off[16];
    snprintf(cut_off, sizeof cut_off, "two=%d", TR_EFULL);
    assert_true(heard("x<8") && heard("tee=0") && heard("one=0") && heard(cut_off));
}

static void a_branch_that_fails_holds_nobody_back(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        join(source("r", "1|2|3|4"), tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream,
             script_new(a, &script_sink, NULL,
                        &(script){.name = "y", .write_error = TR_EIO, .write_error_in = 2}, NULL),
             "two");
    }
    stage_run();
    assert_true(heard("x<4") && heard("tee=0") && heard("one=0") && heard("two=-5"));
}

static void a_tee_fails_when_its_last_branch_has(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[1] = {{0}};
        join(source("r", "1|2|3|4"), tee(branches, 1), "tee");
        join(branches[0].stream,
             script_new(a, &script_sink, NULL, &(script){.name = "y", .write_error = TR_EIO}, NULL),
             "one");
    }
    stage_run();
    assert_true(heard("tee=-32") && heard("one=-5"));
}

static void branches_fail_with_their_tee(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        join(script_new(a, &script_source, NULL,
                        &(script){.name = "r", .chunks = "1", .read_error = TR_EIO}, NULL),
             tee(branches, 2), "tee");
        join(branches[0].stream, sink("x", false), "one");
        join(branches[1].stream, sink("y", false), "two");
    }
    stage_run();
    assert_true(heard("tee=-5") && heard("one=-5") && heard("two=-5"));
}

// ---- tr_merge ----

static void a_merge_takes_from_each_in_turn(void **state)
{
    (void)state;
    const char *const texts[3] = {"1234", "ab", "ABC"};
    IN_TURN(a)
    {
        tr_branch branches[3] = {{0}};
        tr_stream all = merge(false, branches, 3);
        for (int i = 0; i < 3; i++) {
            for (const char *c = texts[i]; *c != '\0'; c++)
                assert_int_equal(0, script_write(a, branches[i].stream, (char[]){*c, '\0'}));
            assert_int_equal(0, tr_stream_end(a, branches[i].stream));
        }
        join(all, script_new(a, &script_sink, NULL, &(script){.name = "w"}, NULL), "all");
    }
    stage_run();
    char order[16] = "";
    for (const char *at = stage.heard; (at = strstr(at, "w<")) != NULL; at++)
        order[strlen(order)] = at[2];
    assert_string_equal("1aA2bB3C4", order);
    assert_true(heard("all=0"));
}

static void a_merge_that_is_not_read_holds_back_all(void **state)
{
    (void)state;
    tr_branch branches[2] = {{0}};
    IN_TURN(a)
    {
        merge(false, branches, 2);
        assert_int_equal(0, script_write(a, branches[0].stream, "x"));
        assert_int_equal(0, script_write(a, branches[1].stream, "y"));
    }
    stage_run();
    IN_TURN(a)
    {
        tr_stream_info info;
        for (int i = 0; i < 2; i++) {
            assert_int_equal(0, tr_stream_info_get(a, branches[i].stream, &info));
            assert_int_equal(1, info.write_count);
        }
    }
}

static void fail_one_of_two(bool keep_going)
{
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        tr_stream all = merge(keep_going, branches, 2);
        join(script_new(a, &script_source, NULL,
                        &(script){.name = "r", .chunks = "1", .read_error = TR_EIO}, NULL),
             branches[0].stream, "one");
        join(source("s", "a|b|c"), branches[1].stream, "two");
        join(all, script_new(a, &script_sink, NULL, &(script){.name = "w"}, NULL), "all");
    }
    stage_run();
}

static void a_merge_fails_with_one_of_its_branches(void **state)
{
    (void)state;
    fail_one_of_two(false);
    assert_true(heard("one=-5") && heard("two=-5") && heard("all=-5"));
}

static void a_merge_may_keep_going(void **state)
{
    (void)state;
    fail_one_of_two(true);
    assert_true(heard("one=-5") && heard("two=0") && heard("w<c") && heard("all=0"));
}

static void branches_fail_with_their_merge(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[2] = {{0}};
        tr_stream all = merge(true, branches, 2);
        tr_stream r = source("r", NULL);
        join(r, branches[0].stream, "one");
        join(source("s", NULL), branches[1].stream, "two");
        script_push(a, r, "1");
        join(all,
             script_new(a, &script_sink, NULL, &(script){.name = "w", .write_error = TR_EIO}, NULL),
             "all");
    }
    stage_run();
    assert_true(heard("one=-5") && heard("two=-5") && heard("all=-5"));
}

// ---- Both ----

static void they_end_with_their_actor(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch in[2] = {{0}}, out[2] = {{0}};
        join(merge(false, in, 2), tee(out, 2), "both");
        script_write(a, in[0].stream, "x");
        script_write(a, in[1].stream, "y");
    }
    stage_exit(a, TR_NORMAL);
    assert_heard("a:stop=normal");
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_branch branches[1] = {{0}};
        tr_stream stream;
        uint64_t missed;
        assert_int_equal(TR_EINVAL, tr_tee(a, NULL, branches, 0, &stream));
        assert_int_equal(TR_EINVAL, tr_tee(a, NULL, NULL, 1, &stream));
        assert_int_equal(TR_EINVAL, tr_tee(a, NULL, branches, 1, NULL));
        assert_int_equal(TR_EINVAL, tr_tee(a, NULL, branches, TR_BRANCHES_MAX + 1, &stream));
        assert_int_equal(TR_EINVAL, tr_merge(a, NULL, branches, 0, &stream));
        assert_int_equal(TR_EINVAL, tr_merge(a, NULL, NULL, 1, &stream));
        assert_int_equal(TR_EINVAL, tr_merge(a, NULL, branches, 1, NULL));
        assert_int_equal(TR_EINVAL, tr_merge(a, NULL, branches, TR_BRANCHES_MAX + 1, &stream));
        assert_int_equal(TR_ENOENT, tr_tee_missed(a, (tr_stream){0}, &missed));
        branches[0].policy = (tr_tee_policy)3;
        assert_int_equal(TR_EINVAL, tr_tee(a, NULL, branches, 1, &stream));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAN_TEST(every_branch_of_a_tee_has_all),
        FAN_TEST(the_slowest_branch_that_blocks_holds_back_all),
        FAN_TEST(a_branch_that_drops_misses_what_it_has_no_room_for),
        FAN_TEST(a_branch_that_is_to_be_detached_is_cut_off),
        FAN_TEST(a_branch_that_fails_holds_nobody_back),
        FAN_TEST(a_tee_fails_when_its_last_branch_has),
        FAN_TEST(branches_fail_with_their_tee),
        FAN_TEST(a_merge_takes_from_each_in_turn),
        FAN_TEST(a_merge_that_is_not_read_holds_back_all),
        FAN_TEST(a_merge_fails_with_one_of_its_branches),
        FAN_TEST(a_merge_may_keep_going),
        FAN_TEST(branches_fail_with_their_merge),
        FAN_TEST(they_end_with_their_actor),
        FAN_TEST(what_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
