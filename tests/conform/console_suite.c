// An actor that copies its standard input to its standard output, both of each kind in turn, and a
// test that is at their other ends.
#include "conform/console_suite.h"

#include <string.h>

#include "conform/turns.h"

#define MANY 300000u // more than is on the way at one time

static const struct console_harness *harness;
static tr_stream in, out;
static int ended, status; // how often, and how the last time
static char collected[MANY + 1];
static size_t collected_size;

// ---- The two ends ----

static void begin(console_kind input, console_kind output, const char *text)
{
    turns_begin(harness->open((console_given[]){{input, text}, {output, ""}}));
    collected_size = 0;
    collected[0] = '\0';
    ended = 0;
}

static void finish(void)
{
    turns_end();
    harness->closed();
}

static int tidy(void **state)
{
    (void)state;
    if (node != NULL) // the test has failed
        finish();
    return 0;
}

static void on_ended(tr_actor *self, int rc, void *arg)
{
    (void)self, (void)arg;
    ended++;
    status = rc;
}

static void copy(void)
{
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stdin(a, &in));
        tr_terminal_raw(a, in, true); // if it is a terminal
        assert_int_equal(0, tr_stdout(a, &out));
        assert_int_equal(0, tr_pipeline(a, (tr_stream[]){in, out}, 2, NULL, on_ended, NULL));
    }
}

static void feed(const char *bytes, size_t size)
{
    for (size_t done = 0; done < size; step()) {
        ssize_t n = harness->feed(bytes + done, size - done);
        assert_true(n >= 0 || n == TR_EAGAIN);
        done += n > 0 ? (size_t)n : 0;
    }
}

// Whether so much has come out. No more is taken.
static bool has(size_t size)
{
    if (collected_size >= size)
        return true;
    ssize_t n = harness->collect(collected + collected_size, size - collected_size);
    assert_true(n >= 0 || n == TR_EAGAIN);
    collected_size += n > 0 ? (size_t)n : 0;
    collected[collected_size] = '\0';
    return collected_size >= size;
}

static void on_collected(tr_actor *self, int rc, tr_buf *all, void *arg)
{
    (void)all;
    on_ended(self, rc, arg);
}

#define TEXT "0123456789"
#define SIZE (sizeof TEXT - 1)

// ---- Copying ----

static void copies(console_kind input, console_kind output, size_t cut)
{
    begin(input, output, TEXT);
    copy();
    if (input != CONSOLE_FILE) {
        feed(TEXT, cut);
        UNTIL(has(cut));
        feed(&TEXT[cut], SIZE - cut);
    }
    UNTIL(has(SIZE));
    if (input == CONSOLE_TERMINAL) { // what closes it may take what it still holds
        IN_TURN(a)
        tr_stream_destroy(a, in, 0);
    } else if (input != CONSOLE_FILE) {
        harness->leave(0);
    }
    UNTIL(ended > 0);
    assert_int_equal(1, ended);
    assert_int_equal(input == CONSOLE_TERMINAL ? TR_ECANCELED : 0, status);
    assert_string_equal(TEXT, collected);
    assert_false(has(SIZE + 1)); // nor has it ended
    finish();
}

static void every_kind_is_copied_wherever_it_is_cut(void **state)
{
    (void)state;
    for (console_kind input = 0; input < CONSOLE_KINDS; input++)
        for (console_kind output = 0; output < CONSOLE_KINDS; output++)
            for (size_t cut = 0; cut <= SIZE; cut++)
                copies(input, output, cut);
}

static char byte_at(size_t i)
{
    return (char)('a' + (i * 7 + i / 251) % 26);
}

// Goal:   an output that nobody empties holds up the input, and nothing is lost.
// Method: feed until nothing is taken any more, for as long as a copy of all that fits takes; then
//         empty it.
static void a_full_output_holds_up_the_input(void **state)
{
    (void)state;
    static char bytes[MANY];
    for (size_t i = 0; i < MANY; i++)
        bytes[i] = byte_at(i);
    for (console_kind kind = CONSOLE_PIPE; kind <= CONSOLE_SOCKET; kind++) {
        begin(kind, kind, NULL);
        copy();
        size_t fed = 0;
        for (int idle = 0; idle < 200 && fed < MANY; step()) {
            ssize_t n = harness->feed(bytes + fed, MANY - fed);
            fed += n > 0 ? (size_t)n : 0;
            idle = n > 0 ? 0 : idle + 1;
        }
        for (; fed < MANY; has(MANY), step()) {
            ssize_t n = harness->feed(bytes + fed, MANY - fed);
            fed += n > 0 ? (size_t)n : 0;
        }
        harness->leave(0);
        UNTIL(has(MANY) && ended == 1);
        assert_int_equal(0, status);
        assert_memory_equal(bytes, collected, MANY);
        finish();
    }
}

// ---- Errors ----

// Goal:   an output that nobody reads any more is an error of the stream, and no signal.
// Method: its other end goes after so many bytes.
static void nobody_reads_any_more(void **state)
{
    (void)state;
    for (console_kind kind = CONSOLE_PIPE; kind <= CONSOLE_SOCKET; kind++) {
        for (size_t before = 0; before < SIZE; before++) {
            begin(CONSOLE_PIPE, kind, NULL);
            copy();
            feed(TEXT, before);
            UNTIL(has(before));
            harness->leave(1);
            feed(TEXT, 1);
            UNTIL(ended > 0);
            assert_int_equal(TR_EPIPE, status);
            finish();
        }
    }
}

// Goal:   a peer that goes with bytes unread is no end of the input.
// Method: one socket is both; its other end reads all but the last byte.
static void a_reset_of_the_input_is_an_error(void **state)
{
    (void)state;
    for (size_t size = 1; size < SIZE; size++) {
        begin(CONSOLE_SOCKET, CONSOLE_SAME, NULL);
        IN_TURN(a)
        {
            assert_int_equal(0, tr_stdin(a, &in));
            assert_int_equal(0, tr_stdout(a, &out));
            assert_int_equal(0, tr_stream_write_bytes(a, out, TEXT, size));
            assert_int_equal(0, tr_collect(a, in, NULL, on_collected, NULL));
        }
        UNTIL(has(size - 1));
        harness->leave(0);
        UNTIL(ended > 0);
        assert_int_equal(-ECONNRESET, status);
        finish();
    }
}

static void what_cannot_be_read_or_written_is_an_error(void **state)
{
    (void)state;
    static const struct {
        console_kind input, output;
        int status;
    } cases[] = {{CONSOLE_DIRECTORY, CONSOLE_FILE, -EISDIR},
                 {CONSOLE_FILE, CONSOLE_FULL, -ENOSPC},
                 {CONSOLE_PIPE, CONSOLE_FULL, -ENOSPC}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].input, cases[i].output, TEXT);
        copy();
        if (cases[i].input == CONSOLE_PIPE)
            feed(TEXT, SIZE);
        UNTIL(ended > 0);
        assert_int_equal(cases[i].status, status);
        finish();
    }
}

static void what_is_closed_is_an_error(void **state)
{
    (void)state;
    begin(CONSOLE_FILE, CONSOLE_FILE, TEXT);
    for (int fd = 0; fd < 2; fd++)
        harness->lose(loop->world, fd);
    IN_TURN(a)
    {
        assert_int_equal(-EBADF, tr_stdin(a, &in));
        assert_int_equal(-EBADF, tr_stdout(a, &out));
    }
    finish();
}

static void what_was_never_open_is_empty(void **state)
{
    (void)state;
    begin(CONSOLE_NONE, CONSOLE_FILE, NULL);
    copy();
    UNTIL(ended > 0);
    assert_int_equal(0, status);
    assert_false(has(1));
    finish();
    begin(CONSOLE_FILE, CONSOLE_NONE, TEXT);
    copy();
    UNTIL(ended > 0);
    assert_int_equal(0, status);
    finish();
}

// ---- Descriptors that stay ----

static void write_out(const char *text)
{
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stdout(a, &out));
        assert_int_equal(0, tr_finished(a, out, on_ended, NULL));
        assert_int_equal(0, tr_stream_write_bytes(a, out, text, strlen(text)));
        assert_int_equal(0, tr_stream_end(a, out));
    }
}

// Goal:   the end of a stream is not that of its descriptor, which can be opened again.
static void a_stream_leaves_its_descriptor_open(void **state)
{
    (void)state;
    for (console_kind kind = 0; kind < CONSOLE_KINDS; kind++) {
        begin(CONSOLE_NONE, kind, NULL);
        write_out("01234");
        UNTIL(ended == 1 && has(5));
        write_out("56789");
        UNTIL(ended == 2 && has(SIZE));
        assert_int_equal(0, status);
        assert_string_equal(TEXT, collected);
        finish();
    }
}

// ---- Terminals ----

static void a_terminal_is_raw_as_long_as_its_stream(void **state)
{
    (void)state;
    tr_terminal size;
    begin(CONSOLE_TERMINAL, CONSOLE_FILE, NULL);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stdin(a, &in));
        assert_int_equal(0, tr_stdout(a, &out));
        assert_int_equal(0, tr_terminal_get(a, in, &size));
        assert_int_equal(CONSOLE_COLUMNS, size.columns);
        assert_int_equal(CONSOLE_ROWS, size.rows);
        assert_false(harness->is_raw());
        assert_int_equal(0, tr_terminal_raw(a, in, true));
        assert_int_equal(0, tr_terminal_raw(a, in, true));
        assert_true(harness->is_raw());
        assert_int_equal(0, tr_terminal_raw(a, in, false));
        assert_false(harness->is_raw());
        assert_int_equal(0, tr_terminal_raw(a, in, true));
        assert_int_equal(-ENOTTY, tr_terminal_get(a, out, &size));
        assert_int_equal(-ENOTTY, tr_terminal_raw(a, out, true));
        assert_int_equal(0, tr_finished(a, in, on_ended, NULL));
        assert_int_equal(0, tr_stream_destroy(a, in, 0));
    }
    UNTIL(ended == 1);
    assert_false(harness->is_raw());
    finish();
}

#define CONSOLE_TEST(name) cmocka_unit_test_teardown(name, tidy)

int console_suite(const struct console_harness *with)
{
    const struct CMUnitTest tests[] = {
        CONSOLE_TEST(every_kind_is_copied_wherever_it_is_cut),
        CONSOLE_TEST(a_full_output_holds_up_the_input),
        CONSOLE_TEST(nobody_reads_any_more),
        CONSOLE_TEST(a_reset_of_the_input_is_an_error),
        CONSOLE_TEST(what_cannot_be_read_or_written_is_an_error),
        CONSOLE_TEST(what_is_closed_is_an_error),
        CONSOLE_TEST(what_was_never_open_is_empty),
        CONSOLE_TEST(a_stream_leaves_its_descriptor_open),
        CONSOLE_TEST(a_terminal_is_raw_as_long_as_its_stream),
    };
    harness = with;
    return cmocka_run_group_tests_name(with->name, tests, NULL, NULL);
}
