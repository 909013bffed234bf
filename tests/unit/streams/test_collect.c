// Sources, sinks and collectors: what troupe/ends.h promises of them.
#include "unit/core/script.h"

static tr_actor *a;
static char json[256]; // of the last list

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define COLLECT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

static void on_bytes(tr_actor *self, int status, tr_buf *all, void *arg)
{
    char word[128];
    (void)self;
    if (status < 0)
        snprintf(word, sizeof word, "%s=%d", (const char *)arg, status);
    else
        snprintf(word, sizeof word, "%s:%.*s", (const char *)arg, (int)tr_buf_size(all),
                 (const char *)tr_buf_data(all));
    assert_true((status < 0) == (all == NULL));
    note(word);
}

#define ON_BYTES(word) on_bytes, (void *)(uintptr_t)(word)

static void on_list(tr_actor *self, int status, tr_buf *all, void *arg)
{
    tr_val list;
    char *text = NULL;
    (void)self, (void)arg;
    assert_int_equal(0, status);
    assert_int_equal(0, tr_val_unpack(tr_buf_data(all), tr_buf_size(all), &list));
    assert_int_equal(0, tr_json_print(list, &text));
    snprintf(json, sizeof json, "%s", text);
    tr_free(text);
}

static tr_stream source_of(const char *const *texts, size_t count, tr_stream_mode mode)
{
    tr_buf *chunks[8] = {NULL};
    tr_stream stream = {0};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(0, tr_buf_copy(texts[i], strlen(texts[i]), &chunks[i]));
    assert_int_equal(0, tr_source(a, chunks, count, TR_STREAM(.mode = mode), &stream));
    for (size_t i = 0; i < count; i++)
        tr_buf_unref(&chunks[i]);
    return stream;
}
#define SOURCE(mode, ...)                                                                          \
    source_of((const char *const[]){__VA_ARGS__},                                                  \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), mode)

static void all_bytes_are_collected(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_collect(a, SOURCE(TR_BYTES, "ab", "cde", "f"), NULL, ON_BYTES("x")));
        assert_int_equal(0, tr_collect(a, source_of(NULL, 0, TR_BYTES), NULL, ON_BYTES("none")));
    }
    stage_run();
    assert_true(strstr(stage.heard, "x:abcdef") != NULL && strstr(stage.heard, "none:") != NULL);
}

static void at_the_limit_the_stream_is_destroyed(void **state)
{
    (void)state;
    for (size_t limit = 5; limit < 7; limit++) {
        IN_TURN(a)
        {
            tr_stream r = script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL);
            assert_int_equal(0, tr_collect(a, r, TR_COLLECT(.limit = limit), ON_BYTES("x")));
            script_push(a, r, "abc");
            script_push(a, r, "def");
            if (limit == 6)
                script_push(a, r, NULL);
        }
        stage_run();
        assert_heard(limit < 6 ? "x=-6006 r:destroy=-6006" : "r:destroy=0 x:abcdef");
    }
}

static void a_collector_is_told_why_there_is_nothing(void **state)
{
    (void)state;
    tr_stream r = {0};
    IN_TURN(a)
    {
        r = script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL);
        assert_int_equal(0, tr_collect(a, r, NULL, ON_BYTES("x")));
    }
    stage_run();
    assert_heard("");
    IN_TURN(a)
    tr_stream_destroy(a, r, TR_EIO);
    stage_run();
    assert_heard("r:destroy=-5 x=-5");
}

static void collecting_can_be_cancelled(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    IN_TURN(a)
    {
        tr_stream r = script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL);
        assert_int_equal(0, tr_cancel_new(a, &cancel));
        assert_int_equal(0, tr_collect(a, r, TR_COLLECT(.cancel = cancel), ON_BYTES("x")));
    }
    stage_run();
    IN_TURN(a)
    tr_cancel_now(cancel);
    stage_run();
    tr_cancel_free(&cancel);
    assert_heard("x=-125 r:destroy=-125");
}

static void documents_are_collected_into_a_list(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream r = SOURCE(TR_ITEMS, "\1", "\xa2hi", "\x91\xc0");
        assert_int_equal(0, tr_collect(a, r, TR_COLLECT(.as = TR_COLLECT_DOCS), on_list, NULL));
        r = SOURCE(TR_ITEMS, "\1", "\1\1");
        assert_int_equal(0, tr_collect(a, r, TR_COLLECT(.as = TR_COLLECT_DOCS), ON_BYTES("bad")));
    }
    stage_run();
    assert_string_equal("[1,\"hi\",[null]]", json);
    assert_heard("bad=-6004");
}

static void lines_are_collected_into_a_list(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream all[3] = {SOURCE(TR_BYTES, "one\ntw", "o\n\nthree")};
        assert_int_equal(0, tr_lines(a, NULL, &all[1]));
        assert_int_equal(
            0, tr_collector(a, TR_COLLECT(.as = TR_COLLECT_TEXTS), &all[2], on_list, NULL));
        assert_int_equal(0, tr_pipeline(a, all, 3, NULL, SCRIPT_DONE("done")));
    }
    stage_run();
    assert_string_equal("[\"one\",\"two\",\"\",\"three\"]", json);
    assert_heard("done=0");
}

static void a_sink_takes_all(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream both[2] = {SOURCE(TR_ITEMS, "a", "b")};
        assert_int_equal(0, tr_sink(a, TR_STREAM(.mode = TR_ITEMS), &both[1]));
        assert_int_equal(0, tr_pipeline(a, both, 2, NULL, SCRIPT_DONE("done")));
    }
    stage_run();
    assert_heard("done=0");
}

static void nobody_is_told_whose_actor_has_ended(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream r = script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL);
        assert_int_equal(0, tr_collect(a, r, NULL, ON_BYTES("x")));
        SOURCE(TR_BYTES, "kept");
    }
    stage_exit(a, TR_NORMAL);
    assert_heard("a:stop=normal r:destroy=-125");
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream stream = {0}, r = SOURCE(TR_BYTES, "a");
        tr_buf *none = NULL;
        assert_int_equal(TR_EINVAL, tr_source(a, NULL, 1, NULL, &stream));
        assert_int_equal(TR_EINVAL, tr_source(a, &none, 1, NULL, &stream));
        assert_int_equal(TR_EINVAL, tr_source(a, NULL, 0, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_sink(a, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_collector(a, NULL, &stream, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_collector(a, NULL, NULL, ON_BYTES("x")));
        assert_int_equal(TR_EINVAL,
                         tr_collect(a, r, TR_COLLECT(.as = (tr_collect_as)3), ON_BYTES("x")));
        assert_int_equal(TR_EINVAL,
                         tr_collect(a, r, TR_COLLECT(.limit = TR_COLLECT_MAX + 1), ON_BYTES("x")));
        assert_int_equal(TR_ENOENT, tr_collect(a, stream, NULL, ON_BYTES("x")));
        assert_int_equal(0, tr_collect(a, r, NULL, ON_BYTES("x")));
        assert_int_equal(TR_EEXIST, tr_collect(a, r, NULL, ON_BYTES("y")));
    }
    stage_run();
    assert_heard("x:a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        COLLECT_TEST(all_bytes_are_collected),
        COLLECT_TEST(at_the_limit_the_stream_is_destroyed),
        COLLECT_TEST(a_collector_is_told_why_there_is_nothing),
        COLLECT_TEST(collecting_can_be_cancelled),
        COLLECT_TEST(documents_are_collected_into_a_list),
        COLLECT_TEST(lines_are_collected_into_a_list),
        COLLECT_TEST(a_sink_takes_all),
        COLLECT_TEST(nobody_is_told_whose_actor_has_ended),
        COLLECT_TEST(what_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
