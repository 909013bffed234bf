// Pipelines: what tr_pipeline promises in troupe/stream.h.
#include "script.h"

static tr_actor *a;

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define PIPELINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

static tr_stream source(const char *chunks)
{
    return script_new(a, &script_source, NULL, &(script){.name = "r", .chunks = chunks}, NULL);
}

static tr_stream sink(void)
{
    return script_new(a, &script_sink, NULL, &(script){.name = "w"}, NULL);
}

static tr_stream between(const script *s)
{
    return script_new(a, &script_transform, NULL, s, NULL);
}

static int join(const tr_stream *streams, size_t count, const tr_pipeline_opts *opts)
{
    return tr_pipeline(a, streams, count, opts, SCRIPT_DONE("done"));
}
#define JOIN(...)                                                                                  \
    assert_int_equal(0, join((tr_stream[]){__VA_ARGS__},                                           \
                             sizeof((tr_stream[]){__VA_ARGS__}) / sizeof(tr_stream), NULL))

static void all_goes_through_and_the_end_after_it(void **state)
{
    (void)state;
    IN_TURN(a)
    JOIN(source("ab|cd"), between(&(script){.name = "t", .last = "e"}), sink());
    assert_heard("w<ab w<cd r:destroy=0 w<e w:final t:destroy=0 w:destroy=0 done=0");
}

static void a_slow_sink_holds_the_source_back(void **state)
{
    (void)state;
    tr_stream r = {0}, w = {0};
    IN_TURN(a)
    {
        r = script_new(a, &script_source, TR_STREAM(.read_high = 4),
                       &(script){.name = "r", .chunks = "ab|cd|ef|gh|ij|kl"}, NULL);
        w = script_new(a, &script_sink, TR_STREAM(.write_high = 4),
                       &(script){.name = "w", .later = true}, NULL);
        JOIN(r, w);
    }
    stage_run();
    tr_stream_info info;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, w, &info));
        assert_int_equal(4, info.write_bytes);
        assert_int_equal(0, tr_stream_info_get(a, r, &info));
        assert_int_equal(4, info.read_bytes);
        assert_heard("w<ab");
        script_of(a, w)->later = false;
        tr_stream_done(a, w, 0);
    }
    assert_heard("w<cd+ef w<gh w<ij w<kl w:final r:destroy=0 w:destroy=0 done=0");
}

// Where in a pipeline of three something fails: whatever is where, all are destroyed with that
// error, and one callback says so, last.
static void fails_with(const script *r, const script *t, const script *w)
{
    IN_TURN(a)
    JOIN(script_new(a, &script_source, NULL, r, NULL), between(t),
         script_new(a, &script_opened, NULL, w, NULL));
    stage_run();
    char *end = strstr(stage.heard, " done=-5");
    assert_non_null(end);
    assert_string_equal(" done=-5", end); // the last word, and there is no other
    assert_ptr_equal(end, strstr(stage.heard, " done="));
    assert_non_null(strstr(stage.heard, "r:destroy="));
    assert_non_null(strstr(stage.heard, "t:destroy="));
    assert_non_null(strstr(stage.heard, "w:destroy=-5"));
    assert_null(strstr(stage.heard, "w:final:"));
    assert_true(tr__list_empty(&a->owned));
    stage.heard[0] = '\0';
}

static void whoever_fails_takes_all_along_and_is_told_once(void **state)
{
    (void)state;
    const script r = {.name = "r", .chunks = "ab|cd|ef"}, t = {.name = "t"}, w = {.name = "w"};
    fails_with(&(script){.name = "r", .read_error = TR_EIO}, &t, &w);
    fails_with(&(script){.name = "r", .chunks = "ab|cd", .read_error = TR_EIO}, &t, &w);
    for (int n = 1; n <= 3; n++) {
        fails_with(&r, &(script){.name = "t", .write_error = TR_EIO, .write_error_in = n}, &w);
        fails_with(&r, &t, &(script){.name = "w", .write_error = TR_EIO, .write_error_in = n});
    }
    fails_with(&r, &(script){.name = "t", .final_error = TR_EIO}, &w);
    fails_with(&r, &t, &(script){.name = "w", .final_error = TR_EIO});
    fails_with(&r, &t, &(script){.name = "w", .open_error = TR_EIO});
}

static void a_stream_destroyed_in_the_middle_takes_all_along(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        IN_TURN(a)
        {
            tr_stream s[] = {source(NULL), between(&(script){.name = "t"}), sink()};
            assert_int_equal(0, join(s, 3, NULL));
            tr_stream_destroy(a, s[i], 0);
        }
        char done[32];
        snprintf(done, sizeof done, " done=%d", TR_ECANCELED);
        assert_non_null(strstr(stage.heard, done));
        assert_true(tr__list_empty(&a->owned));
        stage.heard[0] = '\0';
    }
}

static void an_error_is_worth_more_than_being_destroyed(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream r = source(NULL), w = sink();
        JOIN(r, w);
        tr_stream_destroy(a, r, 0);
        tr_stream_destroy(a, w, TR_EIO);
    }
    char heard[128];
    snprintf(heard, sizeof heard, "r:destroy=%d w:destroy=-5 done=-5", TR_ECANCELED);
    assert_heard(heard);
}

static void a_pipeline_can_be_cancelled(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_cancel_new(a, &cancel));
        assert_int_equal(
            0, join((tr_stream[]){source(NULL), sink()}, 2, TR_PIPELINE(.cancel = cancel)));
        assert_int_equal(0, join((tr_stream[]){source(NULL), sink()}, 2,
                                 TR_PIPELINE(.cancel = cancel, .keep_last = true)));
        assert_int_equal(0, tr_cancel_now(cancel));
        note("turn");
    }
    assert_heard("turn");
    stage_run();
    char heard[256];
    snprintf(heard, sizeof heard, "r:destroy=%d w:destroy=%d done=%d r:destroy=%d done=%d",
             TR_ECANCELED, TR_ECANCELED, TR_ECANCELED, TR_ECANCELED, TR_ECANCELED);
    assert_heard(heard);
    IN_TURN(a)
    {
        assert_int_equal(TR_ECANCELED, join((tr_stream[]){source(NULL), sink()}, 2,
                                            TR_PIPELINE(.cancel = cancel)));
        tr_cancel_free(&cancel);
    }
}

static void a_last_one_that_is_to_be_kept_is_neither_ended_nor_closed(void **state)
{
    (void)state;
    tr_stream w = {0};
    IN_TURN(a)
    {
        w = script_new(a, &script_sink, NULL, &(script){.name = "w", .later = true}, NULL);
        assert_int_equal(0,
                         join((tr_stream[]){source("ab"), w}, 2, TR_PIPELINE(.keep_last = true)));
    }
    assert_heard("w<ab r:destroy=0");
    IN_TURN(a)
    {
        script_of(a, w)->later = false;
        tr_stream_done(a, w, 0);
    }
    assert_heard("done=0");
    IN_TURN(a)
    {
        assert_int_equal(0,
                         join((tr_stream[]){source("cd"), w}, 2, TR_PIPELINE(.keep_last = true)));
    }
    assert_heard("w<cd r:destroy=0 done=0");
    IN_TURN(a)
    {
        tr_stream r =
            script_new(a, &script_source, NULL, &(script){.name = "r", .read_error = TR_EIO}, NULL);
        assert_int_equal(0, join((tr_stream[]){r, w}, 2, TR_PIPELINE(.keep_last = true)));
    }
    assert_heard("r:destroy=-5 done=-5");
    IN_TURN(a)
    {
        script_write(a, w, "ef");
        tr_stream_end(a, w);
    }
    assert_heard("w<ef w:final w:destroy=0");
}

static void the_other_side_of_a_duplex_at_an_end_stays(void **state)
{
    (void)state;
    tr_stream d = {0};
    IN_TURN(a)
    {
        d = script_new(a, &script_duplex, NULL, &(script){.name = "d", .later = true}, NULL);
        JOIN(source("ab"), d);
    }
    assert_heard("d<ab r:destroy=0");
    IN_TURN(a)
    {
        script_of(a, d)->later = false;
        tr_stream_done(a, d, 0);
    }
    assert_heard("d:final done=0");
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_on(a, d, &script_flow, (void *)(uintptr_t) "d"));
        script_push(a, d, "x");
        script_push(a, d, NULL);
    }
    assert_heard("d:data=x d:end d:destroy=0 d:closed=0");
}

static void an_echo_is_a_pipeline_of_one_stream_and_itself(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream d =
            script_new(a, &script_duplex, NULL, &(script){.name = "d", .chunks = "ab|cd"}, NULL);
        JOIN(d, d);
    }
    assert_heard("d<ab d<cd d:final d:destroy=0 done=0");
    IN_TURN(a)
    {
        tr_stream d =
            script_new(a, &script_duplex, NULL, &(script){.name = "d", .chunks = "ab|cd"}, NULL);
        JOIN(d, between(&(script){.name = "t", .copies = 2}), d);
    }
    assert_heard("d<ab d<ab d<cd d<cd d:final t:destroy=0 d:destroy=0 done=0");
}

static void a_pipeline_may_end_in_one_that_is_read(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream t = between(&(script){.name = "t", .copies = 2});
        assert_int_equal(0, tr_stream_on(a, t, &script_flow, (void *)(uintptr_t) "t"));
        JOIN(source("ab"), t);
    }
    assert_heard("t:data=ab t:finish r:destroy=0 t:data=ab done=0 t:end t:destroy=0 t:closed=0");
}

static void a_transform_that_ends_early_closes_what_comes_before(void **state)
{
    (void)state;
    IN_TURN(a)
    JOIN(script_new(a, &script_source, NULL, &(script){.name = "r", .chunks = "ab|cd|ef|gh|ij"},
                    &script_end),
         between(&(script){.name = "s"}), between(&(script){.name = "t", .ends_in = 2}), sink());
    stage_run();
    assert_non_null(strstr(stage.heard, "w<ab"));
    assert_non_null(strstr(stage.heard, "w<cd"));
    assert_null(strstr(stage.heard, "w<ef"));
    assert_non_null(strstr(stage.heard, "w:final"));
    assert_non_null(strstr(stage.heard, "r:closed=-125"));
    assert_non_null(strstr(stage.heard, "s:destroy=-125"));
    assert_non_null(strstr(stage.heard, "t:destroy=0"));
    assert_string_equal(" done=0", strrchr(stage.heard, ' '));
}

// One that can still be written to, beside the pipeline or as its last.
static void a_duplex_before_a_transform_that_ends_early_stays(void **state)
{
    (void)state;
    for (int echo = 0; echo < 2; echo++) {
        tr_stream d = {0};
        IN_TURN(a)
        {
            d = script_new(a, &script_duplex, NULL, &(script){.name = "d"}, &script_end);
            tr_stream t = between(&(script){.name = "t", .ends_in = 1});
            JOIN(d, t, echo ? d : sink());
            script_push(a, d, "ab");
        }
        stage_run();
        assert_non_null(strstr(stage.heard, echo ? "d<ab" : "w<ab"));
        assert_non_null(strstr(stage.heard, "done=0"));
        assert_null(strstr(stage.heard, "closed"));
        IN_TURN(a)
        {
            tr_buf *rest = NULL;
            script_push(a, d, "cd");
            assert_int_equal(0, tr_stream_read(a, d, 0, &rest));
            assert_memory_equal("cd", tr_buf_data(rest), 2);
            tr_buf_unref(&rest);
            tr_stream_destroy(a, d, 0);
        }
        stage_run();
        stage.heard[0] = '\0';
    }
}

static void a_pipeline_ends_with_its_actor(void **state)
{
    (void)state;
    IN_TURN(a)
    JOIN(source(NULL), between(&(script){.name = "t"}), sink());
    stage_exit(a, TR_NORMAL);
    assert_null(strstr(stage.heard, "done"));
}

static void what_cannot_be_joined_is_left_alone(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream r = source("ab"), w = sink(), t = between(&(script){.name = "t"});
        assert_int_equal(TR_EINVAL, join((tr_stream[]){r}, 1, NULL));
        assert_int_equal(TR_EINVAL, join((tr_stream[]){w, r}, 2, NULL));
        assert_int_equal(TR_EINVAL, join((tr_stream[]){r, t, t, w}, 4, NULL));
        assert_int_equal(TR_EINVAL, join((tr_stream[]){r, r}, 2, NULL));
        assert_int_equal(TR_ENOENT, join((tr_stream[]){r, {0}}, 2, NULL));
        assert_int_equal(TR_EINVAL, tr_pipeline(a, NULL, 2, NULL, SCRIPT_DONE("done")));
        assert_int_equal(TR_EINVAL, tr_pipeline(a, (tr_stream[]){r, w}, 2, NULL, NULL, NULL));
        tr_stream ended = sink(), flowing = source("x");
        tr_stream_end(a, ended);
        tr_stream_resume(a, flowing);
        assert_int_equal(TR_EPIPE, join((tr_stream[]){r, ended}, 2, NULL));
        assert_int_equal(TR_EEXIST, join((tr_stream[]){flowing, w}, 2, NULL));
        JOIN(r, w);
        assert_int_equal(TR_EEXIST, join((tr_stream[]){r, t}, 2, NULL));
        assert_int_equal(TR_EINVAL, script_write(a, w, "between"));
        assert_int_equal(TR_EINVAL, tr_stream_end(a, w));
        assert_int_equal(TR_EINVAL, tr_stream_resume(a, r));
        stage.heard[0] = '\0';
    }
    stage_run();
    assert_non_null(strstr(stage.heard, "w<ab"));
    assert_non_null(strstr(stage.heard, "done=0"));
}

// As a socket's, whose peer has left and which ends its other side by itself.
static void a_sink_that_ends_by_itself_before_all_has_come_is_an_error(void **state)
{
    (void)state;
    tr_stream w = {0};
    IN_TURN(a)
    {
        w = script_new(a, &script_duplex, TR_STREAM(.end_with_read = true), &(script){.name = "w"},
                       NULL);
        JOIN(script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL), w);
    }
    stage_run();
    IN_TURN(a)
    script_push(a, w, NULL);
    stage_run();
    assert_heard("w:final r:destroy=-32 w:destroy=-32 done=-32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIPELINE_TEST(a_sink_that_ends_by_itself_before_all_has_come_is_an_error),
        PIPELINE_TEST(all_goes_through_and_the_end_after_it),
        PIPELINE_TEST(a_slow_sink_holds_the_source_back),
        PIPELINE_TEST(whoever_fails_takes_all_along_and_is_told_once),
        PIPELINE_TEST(a_stream_destroyed_in_the_middle_takes_all_along),
        PIPELINE_TEST(an_error_is_worth_more_than_being_destroyed),
        PIPELINE_TEST(a_pipeline_can_be_cancelled),
        PIPELINE_TEST(a_last_one_that_is_to_be_kept_is_neither_ended_nor_closed),
        PIPELINE_TEST(the_other_side_of_a_duplex_at_an_end_stays),
        PIPELINE_TEST(an_echo_is_a_pipeline_of_one_stream_and_itself),
        PIPELINE_TEST(a_pipeline_may_end_in_one_that_is_read),
        PIPELINE_TEST(a_transform_that_ends_early_closes_what_comes_before),
        PIPELINE_TEST(a_duplex_before_a_transform_that_ends_early_stays),
        PIPELINE_TEST(a_pipeline_ends_with_its_actor),
        PIPELINE_TEST(what_cannot_be_joined_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
