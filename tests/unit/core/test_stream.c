// Streams: what they promise in troupe/stream.h, in order.
#include "script.h"

static tr_actor *a;

static int setup(void **state)
{
    int rc = stage_setup(state);
    a = rc == 0 ? stage_actor("a") : NULL;
    return rc;
}
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

// ---- Writing ----

static void what_is_written_leaves_in_order_and_the_end_after_it(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_sink, NULL, &(script){.name = "s"}, &script_end);
        assert_int_equal(0, script_write_then(a, s, "ab", "one"));
        assert_int_equal(0, script_write_then(a, s, "cd", "two"));
        assert_int_equal(0, tr_stream_end(a, s));
        assert_int_equal(TR_EPIPE, tr_stream_end(a, s));
        assert_int_equal(TR_EPIPE, script_write(a, s, "late"));
        note("turn");
    }
    stage_run();
    assert_heard("turn s<ab+cd one=0 two=0 s:final s:finish s:destroy=0 s:closed=0");
}

static void an_idle_stream_is_written_to_at_once_and_the_rest_together(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_sink, NULL, &(script){.name = "s", .later = true}, NULL);
    IN_TURN(a)
    {
        script_write(a, s, "a");
        assert_heard("s<a");
        script_write(a, s, "b");
        script_write(a, s, "c");
        script_write(a, s, "d");
    }
    stage_run();
    assert_heard("");
    IN_TURN(a)
    assert_int_equal(0, tr_stream_done(a, s, 0));
    assert_heard("s<b+c+d");
}

static void a_writer_is_told_to_wait_and_then_to_go_on(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_sink, TR_STREAM(.write_high = 4),
                   &(script){.name = "s", .later = true}, &script_end);
    IN_TURN(a)
    {
        assert_int_equal(0, script_write(a, s, "abc"));
        assert_int_equal(TR_WAIT, script_write_then(a, s, "d", "d"));
    }
    assert_heard("s<abc");
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard("s<d"); // not before nothing is left
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard("s:drain d=0"); // as in Node: before the callback of the write that emptied it
}

static void drain_comes_at_the_low_water_mark(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_sink, TR_STREAM(.write_high = 4, .write_low = 2),
                   &(script){.name = "s", .later = true}, &script_end);
    IN_TURN(a)
    {
        script_write(a, s, "abc");
        assert_int_equal(TR_WAIT, script_write(a, s, "de"));
    }
    assert_heard("s<abc");
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard("s<de s:drain");
}

static void a_sink_that_is_done_at_once_never_makes_a_writer_wait(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_sink, TR_STREAM(.write_high = 1),
                                 &(script){.name = "s"}, &script_end);
        assert_int_equal(TR_WAIT, script_write(a, s, "early")); // it is not open yet
    }
    assert_heard("s<early s:drain");
}

static void corked_writes_leave_together(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_sink, NULL, &(script){.name = "s"}, NULL);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_cork(a, s));
        assert_int_equal(0, tr_stream_cork(a, s));
        script_write(a, s, "a");
        script_write(a, s, "b");
        assert_int_equal(0, tr_stream_uncork(a, s));
    }
    assert_heard("");
    IN_TURN(a)
    {
        script_write(a, s, "c");
        assert_int_equal(0, tr_stream_uncork(a, s));
        assert_heard("s<a+b+c");
        assert_int_equal(TR_EINVAL, tr_stream_uncork(a, s));
        tr_stream_cork(a, s);
        script_write(a, s, "d");
        tr_stream_end(a, s);
    }
    assert_heard("s<d s:final s:destroy=0");
}

static void beyond_the_cap_a_write_is_refused_and_nothing_is_taken(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_sink, TR_STREAM(.write_high = 2, .write_max = 200),
                   &(script){.name = "s", .later = true}, &script_end);
    IN_TURN(a)
    {
        assert_int_equal(TR_WAIT, script_write(a, s, "abc"));
        assert_int_equal(TR_WAIT, script_write(a, s, "def"));
        assert_int_equal(TR_EFULL, script_write_then(a, s, "ghi", "refused"));
    }
    tr_stream_info info;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(6, info.write_bytes);
        tr_stream_done(a, s, 0);
    }
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard("s<abc s<def s:drain");
}

static void one_chunk_is_always_taken(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_sink, TR_STREAM(.write_high = 1, .write_max = 1),
                                 &(script){.name = "s", .later = true}, NULL);
        assert_int_equal(TR_WAIT, script_write(a, s, "more than that"));
        assert_int_equal(TR_EFULL, script_write(a, s, "x"));
    }
    assert_heard("s<more than that");
}

static void drop_three(tr_mail_policy policy, const char *heard)
{
    tr_stream s = {0};
    tr_stream_info info;
    IN_TURN(a)
    s = script_new(a, &script_sink, TR_STREAM(.write_max = 3 * 65, .write_policy = policy),
                   &(script){.name = "s", .later = true}, NULL);
    IN_TURN(a)
    {
        assert_int_equal(0, script_write_then(a, s, "a", "a"));
        for (const char *text = "b\0c\0d\0e\0f\0"; *text != '\0'; text += 2)
            assert_int_equal(*text > 'c' ? TR_WAIT : 0, script_write_then(a, s, text, text));
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(3, info.write_count);
        assert_int_equal(3, info.dropped);
    }
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard(heard);
    IN_TURN(a)
    tr_stream_destroy(a, s, 0);
    stage.heard[0] = '\0';
}

static void a_stream_may_drop_what_is_too_much(void **state)
{
    (void)state;
    char full[16];
    snprintf(full, sizeof full, "%d", TR_EFULL);
    char newest[128], oldest[128];
    snprintf(newest, sizeof newest, "s<a d=%s e=%s f=%s s<b+c a=0", full, full, full);
    snprintf(oldest, sizeof oldest, "s<a b=%s c=%s d=%s s<e+f a=0", full, full, full);
    drop_three(TR_MAIL_DROP_NEWEST, newest);
    drop_three(TR_MAIL_DROP_OLDEST, oldest);
}

// ---- Failing and ending early ----

static void a_failed_write_takes_all_behind_it_along(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    {
        s = script_new(a, &script_sink, NULL, &(script){.name = "s", .later = true}, &script_end);
        assert_int_equal(0, tr_finished(a, s, SCRIPT_DONE("finished")));
    }
    IN_TURN(a)
    {
        script_write_then(a, s, "a", "a");
        script_write_then(a, s, "b", "b");
        tr_stream_end(a, s);
    }
    IN_TURN(a)
    {
        tr_stream_done(a, s, TR_EIO);
        assert_int_equal(TR_EPIPE, script_write(a, s, "c"));
    }
    assert_heard("s<a s:destroy=-5 a=-5 b=-5 finished=-5 s:closed=-5");
}

static void the_first_error_wins_and_the_end_comes_once(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    {
        s = script_new(a, &script_source, NULL, &(script){.name = "s"}, &script_flow);
        assert_int_equal(0, tr_stream_destroy(a, s, TR_EIO));
        assert_int_equal(0, tr_stream_destroy(a, s, TR_EPIPE));
        assert_int_equal(0, tr_stream_destroy(a, s, 0));
        note("turn");
    }
    assert_heard("turn s:destroy=-5 s:closed=-5");
    IN_TURN(a)
    assert_int_equal(TR_ENOENT, tr_stream_destroy(a, s, 0));
}

static void a_stream_destroyed_before_its_end_says_so(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_duplex, NULL, &(script){.name = "s", .later = true}, &script_flow);
    IN_TURN(a)
    {
        script_write_then(a, s, "a", "a");
        tr_stream_destroy(a, s, 0);
    }
    char heard[128];
    snprintf(heard, sizeof heard, "s<a s:destroy=%d a=%d s:closed=%d", TR_ECANCELED, TR_ECANCELED,
             TR_ECANCELED);
    assert_heard(heard);
}

static void what_comes_after_the_end_is_forgotten(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_duplex, NULL, &(script){.name = "s", .later = true}, &script_flow);
    IN_TURN(a)
    {
        script_write(a, s, "a");
        tr_stream_destroy(a, s, TR_EIO);
        assert_int_equal(0, tr_stream_done(a, s, 0)); // the write, too late
        script_push(a, s, "late");
    }
    assert_heard("s<a s:destroy=-5 s:closed=-5");
}

static void an_error_that_nobody_hears_ends_the_actor(void **state)
{
    (void)state;
    tr_addr addr = tr_self(a);
    IN_TURN(a)
    {
        tr_stream s =
            script_new(a, &script_source, NULL, &(script){.name = "s", .read_error = TR_EIO}, NULL);
        assert_int_equal(0, tr_stream_resume(a, s));
    }
    stage_run();
    assert_false(stage_has(addr));
    assert_heard("s:destroy=-5 a:stop=error: input or output error");
}

static void streams_end_with_their_actor(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s =
            script_new(a, &script_sink, NULL, &(script){.name = "s", .later = true}, &script_end);
        assert_int_equal(0, script_write_then(a, s, "a", "told"));
        assert_int_equal(0, tr_finished(a, s, SCRIPT_DONE("told")));
        tr_stream r = script_new(a, &script_source, NULL, &(script){.name = "r"}, &script_flow);
        script_push(a, r, "unread");
    }
    stage.heard[0] = '\0';
    stage_exit(a, TR_NORMAL);
    char heard[128];
    snprintf(heard, sizeof heard, "a:stop=normal s:destroy=%d r:destroy=%d", TR_ECANCELED,
             TR_ECANCELED);
    assert_heard(heard);
}

static void a_stream_can_be_cancelled(void **state)
{
    (void)state;
    tr_cancel *cancel = NULL;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_cancel_new(a, &cancel));
        tr_stream s = script_new(a, &script_sink, TR_STREAM(.cancel = cancel),
                                 &(script){.name = "s", .later = true}, &script_end),
                  none;
        script_write_then(a, s, "a", "a");
        assert_int_equal(0, tr_cancel_now(cancel));
        assert_int_equal(TR_ECANCELED,
                         tr_stream_new(a, &script_sink, TR_STREAM(.cancel = cancel), &none));
    }
    stage_run();
    char heard[128];
    snprintf(heard, sizeof heard, "s<a s:destroy=%d a=%d s:closed=%d", TR_ECANCELED, TR_ECANCELED,
             TR_ECANCELED);
    assert_heard(heard);
    IN_TURN(a)
    tr_cancel_free(&cancel);
}

// ---- Opening ----

static void writes_wait_until_it_is_open(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    {
        s = script_new(a, &script_opened, NULL, &(script){.name = "s", .later_opened = true},
                       &script_end);
        script_write_then(a, s, "a", "a");
        tr_stream_end(a, s);
    }
    assert_heard("s:construct");
    IN_TURN(a)
    tr_stream_done(a, s, 0);
    assert_heard("s<a a=0 s:final s:finish s:destroy=0 s:closed=0");
}

static void one_that_cannot_open_fails_what_was_written(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_opened, NULL,
                                 &(script){.name = "s", .open_error = TR_ENOENT}, &script_end);
        script_write_then(a, s, "a", "a");
    }
    assert_heard("s:construct s:destroy=-2 a=-2 s:closed=-2");
}

// ---- Reading ----

static void a_stream_with_data_flows_to_its_end(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        script_new(a, &script_source, NULL, &(script){.name = "s", .chunks = "ab|cd|e"},
                   &script_flow);
        note("turn");
    }
    assert_heard("turn s:data=ab s:data=cd s:data=e s:end s:destroy=0 s:closed=0");
}

static void on_data_jobs(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)stream, (void)chunk, (void)arg;
    note("data");
    tr_microtask(self, NOTE("microtask"));
    tr_next_tick(self, NOTE("tick"));
}

static void each_callback_has_its_ticks_and_microtasks_behind_it(void **state)
{
    (void)state;
    static const tr_stream_events events = {.data = on_data_jobs};
    IN_TURN(a)
    script_new(a, &script_source, NULL, &(script){.name = "s", .chunks = "a|b"}, &events);
    assert_heard("data tick microtask data tick microtask s:destroy=0");
}

static void a_paused_stream_fills_up_to_its_mark_and_waits(void **state)
{
    (void)state;
    tr_stream s = {0};
    tr_stream_info info;
    IN_TURN(a)
    {
        s = script_new(a, &script_source, TR_STREAM(.read_high = 4),
                       &(script){.name = "s", .chunks = "ab|cd|ef|gh"}, &script_flow);
        assert_int_equal(0, tr_stream_pause(a, s));
    }
    stage_run();
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(4, info.read_bytes);
        assert_heard("");
        assert_int_equal(0, tr_stream_resume(a, s));
    }
    assert_heard("s:data=ab s:data=cd s:data=ef s:data=gh s:end s:destroy=0 s:closed=0");
}

static void nothing_is_asked_of_a_source_that_nobody_reads(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_source, NULL, &(script){.name = "s", .chunks = "ab"}, NULL);
    stage_run();
    IN_TURN(a)
    assert_int_equal(0, script_of(a, s)->at);
}

#define TEXT_MAX 128

static int read_text(tr_stream s, size_t size, char text[TEXT_MAX])
{
    tr_buf *chunk = NULL;
    int rc = tr_stream_read(a, s, size, &chunk);
    if (rc == 0)
        snprintf(text, TEXT_MAX, "%.*s", (int)tr_buf_size(chunk), (const char *)tr_buf_data(chunk));
    tr_buf_unref(&chunk);
    return rc;
}
#define assert_reads(expected, s, size)                                                            \
    do {                                                                                           \
        char taken[TEXT_MAX] = "";                                                                 \
        assert_int_equal(0, read_text(s, size, taken));                                            \
        assert_string_equal(expected, taken);                                                      \
    } while (0)

static void a_stream_can_be_read_chunk_by_chunk(void **state)
{
    (void)state;
    tr_stream s = {0};
    char text[TEXT_MAX];
    IN_TURN(a)
    {
        s = script_new(a, &script_source, NULL, &(script){.name = "s", .chunks = "ab|cd"},
                       &script_pull);
        assert_int_equal(TR_EAGAIN, read_text(s, 0, text));
    }
    assert_heard("s:readable");
    IN_TURN(a)
    {
        assert_reads("ab", s, 0);
        assert_reads("cd", s, 0);
        assert_int_equal(TR_EOF, read_text(s, 0, text));
    }
    assert_heard("s:end s:destroy=0 s:closed=0");
}

static void a_stream_can_be_read_in_pieces_of_any_size(void **state)
{
    (void)state;
    tr_stream s = {0};
    char text[TEXT_MAX];
    IN_TURN(a)
    s = script_new(a, &script_source, TR_STREAM(.read_high = 1),
                   &(script){.name = "s", .chunks = "abc|de|fghi|j"}, &script_pull);
    assert_heard("s:readable");
    IN_TURN(a)
    {
        assert_reads("a", s, 1);
        assert_int_equal(TR_EAGAIN, read_text(s, 8, text));
    }
    assert_heard("s:readable"); // the mark was raised
    IN_TURN(a)
    {
        assert_reads("bcdefghi", s, 8);
        assert_int_equal(TR_EAGAIN, read_text(s, 8, text));
    }
    assert_heard("s:readable");
    IN_TURN(a)
    {
        assert_reads("j", s, 8); // the rest, for it is the end
        assert_int_equal(TR_EOF, read_text(s, 8, text));
    }
    assert_heard("s:end s:destroy=0 s:closed=0");
}

static void a_chunk_can_be_put_back(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_source, NULL, &(script){.name = "s", .chunks = "ab|cd"},
                   &script_pull);
    IN_TURN(a)
    {
        tr_buf *chunk = NULL;
        assert_int_equal(0, tr_stream_read(a, s, 0, &chunk));
        assert_int_equal(0, tr_stream_unshift(a, s, &chunk));
        assert_null(chunk);
        assert_reads("abc", s, 3);
        assert_reads("d", s, 0);
    }
    assert_heard("s:readable s:end s:destroy=0 s:closed=0");
}

static void items_stay_whole_and_count_as_such(void **state)
{
    (void)state;
    tr_stream s = {0};
    tr_stream_info info;
    IN_TURN(a)
    {
        s = script_new(a, &script_source, TR_STREAM(.mode = TR_READ_ITEMS, .read_high = 2),
                       &(script){.name = "s", .chunks = "ab|c|def"}, &script_pull);
        tr_buf *chunk;
        assert_int_equal(TR_EINVAL, tr_stream_read(a, s, 1, &chunk));
    }
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(2, info.read_count);
        assert_reads("ab", s, 0);
        assert_reads("c", s, 0);
    }
    IN_TURN(a)
    assert_reads("def", s, 0);
    assert_heard("s:readable s:end s:destroy=0 s:closed=0");
}

static void nothing_is_pushed_behind_the_end(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_source, NULL, &(script){.name = "s"}, &script_flow);
        tr_buf *chunk = NULL;
        assert_int_equal(0, tr_buf_copy("x", 1, &chunk));
        assert_int_equal(0, tr_stream_push(a, s, NULL));
        assert_int_equal(TR_EPIPE, tr_stream_push(a, s, &chunk));
        assert_non_null(chunk);
        assert_int_equal(TR_EPIPE, tr_stream_push(a, s, NULL));
        tr_buf_unref(&chunk);
    }
    assert_heard("s:end s:destroy=0 s:closed=0");
}

// ---- Both sides ----

static void the_sides_of_a_duplex_end_each_by_itself(void **state)
{
    (void)state;
    tr_stream s = {0};
    IN_TURN(a)
    s = script_new(a, &script_duplex, NULL, &(script){.name = "s", .chunks = "in"}, &script_flow);
    assert_heard("s:data=in s:end");
    IN_TURN(a)
    {
        script_write(a, s, "out");
        tr_stream_end(a, s);
    }
    assert_heard("s<out s:final s:finish s:destroy=0 s:closed=0");
}

static void a_duplex_may_end_when_it_has_been_read(void **state)
{
    (void)state;
    IN_TURN(a)
    script_new(a, &script_duplex, TR_STREAM(.end_with_read = true),
               &(script){.name = "s", .chunks = "in"}, &script_flow);
    assert_heard("s:data=in s:end s:final s:finish s:destroy=0 s:closed=0");
}

static void a_transform_makes_what_is_read_of_what_is_written(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_transform, NULL,
                                 &(script){.name = "t", .copies = 2, .last = "last"}, &script_flow);
        script_write_then(a, s, "a", "a");
        script_write(a, s, "b");
        tr_stream_end(a, s);
    }
    assert_heard("a=0 t:finish t:data=a t:data=a t:data=b t:data=b t:data=last t:end t:destroy=0 "
                 "t:closed=0");
}

static void a_transform_that_nobody_reads_takes_no_more(void **state)
{
    (void)state;
    tr_stream s = {0};
    tr_stream_info info;
    IN_TURN(a)
    {
        s = script_new(a, &script_transform, TR_STREAM(.read_high = 4), &(script){.name = "t"},
                       &script_pull);
        for (int i = 0; i < 10; i++)
            script_write(a, s, "ab");
    }
    stage_run();
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(4, info.read_bytes);
        assert_int_equal(16, info.write_bytes);
        assert_reads("ab", s, 0);
        assert_reads("ab", s, 0);
    }
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_info_get(a, s, &info));
        assert_int_equal(12, info.write_bytes);
    }
}

static void a_transform_with_more_goes_on_when_there_is_room(void **state)
{
    (void)state;
    tr_stream t = {0};
    tr_stream_info info;
    IN_TURN(a)
    {
        t = script_new(a, &script_transform, TR_STREAM(.read_high = 2),
                       &(script){.name = "t", .by_bytes = true}, &script_end);
        script_write_then(a, t, "abcde", "written");
        tr_stream_end(a, t);
    }
    for (int left = 5; left > 0; left--) {
        IN_TURN(a)
        {
            tr_buf *chunk = NULL;
            assert_int_equal(0, tr_stream_info_get(a, t, &info));
            assert_int_equal(left < 2 ? left : 2, info.read_count);
            assert_int_equal(0, tr_stream_read(a, t, 0, &chunk));
            assert_int_equal("edcba"[left - 1], *(const char *)tr_buf_data(chunk));
            tr_buf_unref(&chunk);
        }
    }
    stage_run();
    assert_heard("written=0 t:finish t:end t:destroy=0 t:closed=0");
}

static void a_flush_that_fails_ends_it_without_an_end(void **state)
{
    (void)state;
    IN_TURN(a)
    {
        tr_stream s = script_new(a, &script_transform, NULL,
                                 &(script){.name = "t", .final_error = TR_EBADMSG}, &script_flow);
        script_write(a, s, "a");
        tr_stream_end(a, s);
    }
    char heard[64];
    snprintf(heard, sizeof heard, "t:destroy=%d t:closed=%d", TR_EBADMSG, TR_EBADMSG);
    assert_heard(heard);
}

// ---- Arguments ----

static int slow_reads, slow_got;

static int slow_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    int *left = state;
    (void)want;
    slow_reads++;
    tr__sim_run_for(stage.sim, TR_US(100));
    tr_buf *chunk = NULL;
    int rc = --*left > 0 ? tr_buf_copy("x", 1, &chunk) : 0;
    if (rc == 0)
        rc = tr_stream_push(self, stream, chunk == NULL ? NULL : &chunk);
    tr_buf_unref(&chunk);
    return rc < 0 ? rc : 0;
}

static void slow_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream, (void)chunk, (void)arg;
    slow_got++;
}

static void slow_look(tr_actor *self, void *arg)
{
    (void)self;
    *(int *)arg = slow_reads;
}

// Goal:   steps of streams that take long leave others their turn, though they are few.
// Method: a source takes 0.1 ms for each of 900 chunks; another actor's immediates look how many
// have
//         come.
static void slow_steps_leave_others_their_turn(void **state)
{
    (void)state;
    static const tr_stream_ops ops = {.name = "slow", .state_size = sizeof(int), .read = slow_read};
    static const tr_stream_events events = {.data = slow_data};
    tr_actor *b = stage_actor("b");
    int looked = 0;
    slow_reads = slow_got = 0;
    IN_TURN(b)
    assert_int_equal(0, tr_immediate(b, slow_look, &looked));
    IN_TURN(a)
    {
        tr_stream s;
        assert_int_equal(0, tr_stream_new(a, &ops, NULL, &s));
        *(int *)tr_stream_state(a, s, &ops) = 900;
        assert_int_equal(0, tr_stream_on(a, s, &events, NULL));
    }
    stage_step();
    assert_in_range(looked, 1, 60);
    stage_run();
    assert_int_equal(899, slow_got);
}

static void a_stream_of_another_actor_is_not_there(void **state)
{
    (void)state;
    tr_stream s = {0};
    tr_actor *b = stage_actor("b");
    IN_TURN(a)
    s = script_new(a, &script_sink, NULL, &(script){.name = "s"}, NULL);
    IN_TURN(b)
    assert_int_equal(TR_ENOENT, script_write(b, s, "x"));
    assert_int_equal(TR_EINVAL, tr_stream_end(a, s)); // not its turn
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    static const tr_stream_ops none = {.name = "none"};
    static const tr_stream_ops both = {
        .name = "both", .read = NULL, .write = NULL, .write_count = 1000};
    tr_stream s, r;
    tr_buf *chunk = NULL;
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_stream_new(a, &none, NULL, &s));
        assert_int_equal(TR_EINVAL, tr_stream_new(a, &both, NULL, &s));
        assert_int_equal(TR_EINVAL, tr_stream_new(a, &script_sink, NULL, NULL));
        assert_int_equal(TR_EINVAL,
                         tr_stream_new(a, &script_sink, TR_STREAM(.mode = (tr_stream_mode)9), &s));
        s = script_new(a, &script_sink, NULL, &(script){.name = "s"}, NULL);
        r = script_new(a, &script_source, NULL, &(script){.name = "r"}, NULL);
        assert_int_equal(TR_EINVAL, tr_stream_read(a, s, 0, &chunk));
        assert_int_equal(TR_EINVAL, tr_stream_write(a, s, &chunk));
        assert_int_equal(TR_EINVAL, tr_stream_write(a, s, NULL));
        assert_int_equal(TR_EINVAL, script_write(a, r, "x"));
        assert_int_equal(TR_EINVAL, tr_stream_end(a, r));
        assert_int_equal(TR_EINVAL, tr_stream_pause(a, s));
        assert_int_equal(TR_EINVAL, tr_stream_on(a, s, &script_flow, NULL));
        assert_int_equal(TR_EINVAL, tr_stream_push(a, s, NULL));
        assert_int_equal(TR_EINVAL, tr_stream_destroy(a, s, 1));
        assert_int_equal(TR_EINVAL, tr_finished(a, s, NULL, NULL));
        assert_int_equal(TR_ENOENT, tr_stream_end(a, (tr_stream){0}));
        assert_null(tr_stream_state(a, s, &script_source));
        assert_int_equal(TR_ETOOBIG, tr_stream_read(a, r, TR_STREAM_MAX + 1, &chunk));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(what_is_written_leaves_in_order_and_the_end_after_it),
        STREAM_TEST(an_idle_stream_is_written_to_at_once_and_the_rest_together),
        STREAM_TEST(a_writer_is_told_to_wait_and_then_to_go_on),
        STREAM_TEST(drain_comes_at_the_low_water_mark),
        STREAM_TEST(a_sink_that_is_done_at_once_never_makes_a_writer_wait),
        STREAM_TEST(corked_writes_leave_together),
        STREAM_TEST(beyond_the_cap_a_write_is_refused_and_nothing_is_taken),
        STREAM_TEST(one_chunk_is_always_taken),
        STREAM_TEST(a_stream_may_drop_what_is_too_much),
        STREAM_TEST(a_failed_write_takes_all_behind_it_along),
        STREAM_TEST(the_first_error_wins_and_the_end_comes_once),
        STREAM_TEST(a_stream_destroyed_before_its_end_says_so),
        STREAM_TEST(what_comes_after_the_end_is_forgotten),
        STREAM_TEST(an_error_that_nobody_hears_ends_the_actor),
        STREAM_TEST(streams_end_with_their_actor),
        STREAM_TEST(a_stream_can_be_cancelled),
        STREAM_TEST(writes_wait_until_it_is_open),
        STREAM_TEST(one_that_cannot_open_fails_what_was_written),
        STREAM_TEST(a_stream_with_data_flows_to_its_end),
        STREAM_TEST(each_callback_has_its_ticks_and_microtasks_behind_it),
        STREAM_TEST(a_paused_stream_fills_up_to_its_mark_and_waits),
        STREAM_TEST(nothing_is_asked_of_a_source_that_nobody_reads),
        STREAM_TEST(a_stream_can_be_read_chunk_by_chunk),
        STREAM_TEST(a_stream_can_be_read_in_pieces_of_any_size),
        STREAM_TEST(a_chunk_can_be_put_back),
        STREAM_TEST(items_stay_whole_and_count_as_such),
        STREAM_TEST(nothing_is_pushed_behind_the_end),
        STREAM_TEST(the_sides_of_a_duplex_end_each_by_itself),
        STREAM_TEST(a_duplex_may_end_when_it_has_been_read),
        STREAM_TEST(a_transform_makes_what_is_read_of_what_is_written),
        STREAM_TEST(a_transform_that_nobody_reads_takes_no_more),
        STREAM_TEST(a_transform_with_more_goes_on_when_there_is_room),
        STREAM_TEST(a_flush_that_fails_ends_it_without_an_end),
        STREAM_TEST(slow_steps_leave_others_their_turn),
        STREAM_TEST(a_stream_of_another_actor_is_not_there),
        STREAM_TEST(what_makes_no_sense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
