// Transforms beyond what fits the suite of all of them (conform/test_transforms.c).
#include "support/counted_memory.h"
#include "unit/core/script.h"

static tr_actor *a;

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define TRANSFORM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

static size_t readable(tr_stream stream)
{
    tr_stream_info info = {0};
    IN_TURN(a)
    assert_int_equal(0, tr_stream_info_get(a, stream, &info));
    return info.read_count;
}

// ---- Room ----

static void one_chunk_of_many_lines_is_told_as_there_is_room(void **state)
{
    (void)state;
    enum { LINES = 10000 };
    tr_stream lines = {0};
    tr_buf *chunk = NULL, *line = NULL;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_lines(a, NULL, &lines));
        assert_int_equal(0, tr_buf_new(LINES, &chunk));
        assert_int_equal(0, tr_room_fill(tr_buf_room(chunk), tr_bytes_of("\n", 1)));
        tr_stream_write(a, lines, &chunk);
    }
    for (int i = 0; i < LINES; i++) {
        assert_true(readable(lines) >= 1 && readable(lines) <= TR_STREAM_HIGH_ITEMS);
        IN_TURN(a)
        assert_int_equal(0, tr_stream_read(a, lines, 0, &line));
        assert_int_equal(0, tr_buf_size(line));
        tr_buf_unref(&line);
    }
    assert_int_equal(0, readable(lines));
}

// A length is no reason to take memory.
static void nothing_is_taken_for_a_promise(void **state)
{
    (void)state;
    size_t before = counted.live;
    counted.peak = before;
    IN_TURN(a)
    {
        tr_stream frames, docs;
        assert_int_equal(0, tr_frames(a, NULL, &frames));
        assert_int_equal(0, tr_docs(a, NULL, &docs));
        tr_stream_write_bytes(a, frames,
                              "\0\xff\xff\xff"
                              "abc",
                              7);
        tr_stream_write_bytes(a, docs,
                              "\xc6\0\xff\xff\x0f"
                              "abc",
                              8);
    }
    stage_run();
    assert_true(counted.peak - before < 65536); // of 16 MiB each
}

static void the_largest_limit_is_none(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream lines;
        assert_int_equal(0, tr_lines(a, TR_LINES(.line_max = SIZE_MAX), &lines));
        tr_stream_on(a, lines, &script_flow, (void *)(uintptr_t) "t");
        script_write(a, lines, "ab");
        script_write(a, lines, "cd\n");
    }
    stage_run();
    assert_heard("t:data=abcd");
}

// ---- Taking ----

static void what_is_written_after_the_last_one_is_dropped(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream t;
        assert_int_equal(0, tr_take(a, 1, NULL, &t));
        tr_stream_on(a, t, &script_flow, (void *)(uintptr_t) "t");
        script_write_then(a, t, "ab", "first");
        script_write_then(a, t, "cd", "second");
        tr_stream_end(a, t);
    }
    stage_run();
    assert_heard("first=0 second=0 t:finish t:data=ab t:end t:closed=0");
}

static void a_source_is_closed_when_enough_is_taken(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream all[3];
        all[0] = script_new(a, &script_source, NULL,
                            &(script){.name = "r", .chunks = "ab|cd|ef|gh|ij|kl"}, NULL);
        assert_int_equal(0, tr_take(a, 2, NULL, &all[1]));
        all[2] = script_new(a, &script_sink, NULL, &(script){.name = "w"}, NULL);
        assert_int_equal(0, tr_pipeline(a, all, 3, NULL, SCRIPT_DONE("done")));
    }
    stage_run();
    assert_non_null(strstr(stage.heard, "r:destroy=-125"));
    assert_non_null(strstr(stage.heard, "w<ab w<cd"));
    assert_null(strstr(stage.heard, "w<ef"));
    assert_string_equal(" done=0", strrchr(stage.heard, ' '));
}

// ---- Answers that come later ----

static struct {
    tr_map_job jobs[8];
    size_t count;
    int error; // of the next ones
} begun;

static int begin(tr_actor *self, tr_map_job job, tr_buf *chunk, void *arg)
{
    (void)self, (void)chunk, (void)arg;
    begun.jobs[begun.count++] = job;
    return begun.error;
}

static int answer(size_t i, const char *text)
{
    tr_buf *result = NULL;
    int rc = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_buf_copy(text, strlen(text), &result));
        rc = tr_map_answer(a, begun.jobs[i], 0, &result);
        tr_buf_unref(&result);
    }
    stage_run();
    return rc;
}

static tr_stream later(uint32_t concurrency)
{
    tr_stream stream = {0};
    memset(&begun, 0, sizeof begun);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_map_later(a,
                                         TR_MAP_LATER(.concurrency = concurrency,
                                                      .stream = TR_STREAM(.mode = TR_ITEMS)),
                                         &stream, begin, NULL));
        tr_stream_on(a, stream, &script_flow, (void *)(uintptr_t) "m");
        for (int i = 0; i < 4; i++)
            script_write(a, stream, "x");
        tr_stream_end(a, stream);
    }
    stage_run();
    return stream;
}

static void answers_are_told_in_order_and_few_are_open(void **state)
{
    (void)state;
    later(2);
    assert_int_equal(2, begun.count);
    assert_int_equal(0, answer(1, "1"));
    assert_heard("");
    assert_int_equal(2, begun.count);
    assert_int_equal(0, answer(0, "0"));
    assert_heard("m:data=0 m:data=1");
    assert_int_equal(4, begun.count);
    assert_int_equal(TR_ENOENT, answer(1, "again"));
    assert_int_equal(0, answer(3, "3"));
    assert_int_equal(TR_ENOENT, answer(3, "again"));
    assert_int_equal(0, answer(2, "2"));
    assert_heard("m:finish m:data=2 m:data=3 m:end m:closed=0");
    assert_int_equal(TR_ENOENT, answer(3, "late"));
}

static void an_answer_may_be_an_error(void **state)
{
    (void)state;
    later(3);
    assert_int_equal(0, answer(2, "2"));
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_map_answer(a, begun.jobs[1], 1, NULL));
        assert_int_equal(0, tr_map_answer(a, begun.jobs[1], TR_EIO, NULL));
    }
    stage_run();
    assert_heard("m:closed=-5");
    assert_int_equal(TR_ENOENT, answer(0, "late"));
}

static void a_job_that_cannot_begin_fails_the_stream(void **state)
{
    (void)state;
    later(8);
    assert_int_equal(4, begun.count);
    IN_TURN(a)
    {
        tr_stream stream;
        begun.error = TR_EIO;
        assert_int_equal(0, tr_map_later(a, NULL, &stream, begin, NULL));
        tr_stream_on(a, stream, &script_flow, (void *)(uintptr_t) "n");
        script_write(a, stream, "x");
    }
    stage_run();
    assert_heard("n:closed=-5");
}

// ---- Arguments ----

static int map(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream, (void)chunk, (void)arg;
    return 0;
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s;
        assert_int_equal(TR_EINVAL, tr_lines(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_lines_join(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_frames(a, TR_FRAMES(.word = (tr_word)9), &s));
        assert_int_equal(TR_EINVAL, tr_frames_join(a, TR_FRAMES(.word = (tr_word)-1), &s));
        assert_int_equal(TR_EINVAL, tr_docs(a, TR_DOCS(.doc_max = TR_DOC_MAX + 1), &s));
        assert_int_equal(TR_EINVAL, tr_docs_join(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_map(a, NULL, &s, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_map(a, NULL, NULL, map, NULL));
        assert_int_equal(TR_EINVAL, tr_map(a, TR_STREAM(.mode = (tr_stream_mode)4), &s, map, NULL));
        assert_int_equal(TR_EINVAL, tr_filter(a, NULL, &s, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_tap(a, NULL, &s, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_take(a, 0, NULL, &s));
        assert_int_equal(TR_EINVAL, tr_take(a, 1, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_map_later(a, NULL, &s, NULL, NULL));
        assert_int_equal(TR_EINVAL,
                         tr_map_later(a, TR_MAP_LATER(.concurrency = 65537), &s, begin, NULL));
        assert_int_equal(TR_EINVAL, tr_to_text(a, TR_CODING(.encoding = (tr_encoding)7), &s));
        assert_int_equal(TR_EINVAL, tr_from_text(a, NULL, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRANSFORM_TEST(one_chunk_of_many_lines_is_told_as_there_is_room),
        TRANSFORM_TEST(nothing_is_taken_for_a_promise),
        TRANSFORM_TEST(the_largest_limit_is_none),
        TRANSFORM_TEST(what_is_written_after_the_last_one_is_dropped),
        TRANSFORM_TEST(a_source_is_closed_when_enough_is_taken),
        TRANSFORM_TEST(answers_are_told_in_order_and_few_are_open),
        TRANSFORM_TEST(an_answer_may_be_an_error),
        TRANSFORM_TEST(a_job_that_cannot_begin_fails_the_stream),
        TRANSFORM_TEST(what_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
