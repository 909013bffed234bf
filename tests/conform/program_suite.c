// The first actor starts programs, notes how each has ended, and ends with the last one.
#include "conform/program_suite.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

const char *program_file;

#define ROLE(...) TR_ARGS(PROGRAM_ROLE, __VA_ARGS__)
#define PIPES     TR_STDIO_PIPE, TR_STDIO_PIPE, TR_STDIO_PIPE
#define POURED    300000u
#define LIMIT     10000u

static struct {
    unsigned running; // programs
    tr_process process;
    tr_stream in, out;
    tr_cancel *cancel;
    size_t put, got;
    bool wrong, closed;
} m;

static void note_end(const tr_process_end *end)
{
    note_rc(end->status);
    note_reason("as", end->reason);
    if (end->held)
        note("held");
}

static void leave(tr_actor *self)
{
    if (--m.running == 0)
        tr_exit(self, TR_NORMAL);
}

static void on_end(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    tr_process_info info;
    (void)arg;
    note_end(end);
    if (tr_process_look(self, process, &info) != TR_ENOENT)
        note("still there");
    leave(self);
}

static int open_program(tr_actor *self, const char *const *args, const tr_process_opts *opts)
{
    int rc = tr_process_open(self, program_file, args, opts, on_end, NULL, &m.process);
    m.running += rc == 0;
    return rc;
}

static void begin(void)
{
    memset(&m, 0, sizeof m);
}

static void never(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)self, (void)process, (void)end, (void)arg;
    note("told");
}

static void never_result(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)self, (void)error, (void)result, (void)arg;
    note("told");
}

static int no_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EUNKNOWN;
}

// ---- How they end ----

static int start_exits(tr_actor *self)
{
    begin();
    return open_program(self, ROLE("exit", "0"), NULL);
}

static int start_fails(tr_actor *self)
{
    begin();
    return open_program(self, ROLE("exit", "3"), NULL);
}

static int start_dies(tr_actor *self)
{
    begin();
    return open_program(self, ROLE("kill", "9"), NULL);
}

static void test_how_a_program_ends(void **state)
{
    (void)state;
    perform(&(struct play){start_exits, no_receive, 0}, "0 as=exited with status 0");
    perform(&(struct play){start_fails, no_receive, 0}, "TR_EFAILED as=exited with status 3");
    perform(&(struct play){start_dies, no_receive, 0}, "TR_EFAILED as=killed by signal 9");
}

static int start_nothing(tr_actor *self)
{
    begin();
    m.process.id = 77;
    note_rc(tr_process_open(self, "/nowhere/to/be/found", NULL, NULL, on_end, NULL, &m.process));
    note_rc(tr_exec_file(self, "/nowhere/to/be/found", NULL, NULL, never_result, NULL, &m.process));
    note("%d", (int)m.process.id);
    return tr_exit(self, TR_NORMAL);
}

static void test_what_cannot_be_started_is_an_error_of_the_call(void **state)
{
    (void)state;
    perform(&(struct play){start_nothing, no_receive, 0}, "TR_ENOENT TR_ENOENT 77");
}

static int start_bad(tr_actor *self)
{
    static const tr_process_user user = {.group_count = 1};
    const tr_process_opts *const bad[] = {
        &(tr_process_opts){.size = 1},
        TR_PROGRAM(.stdio = {(tr_stdio)9}),
        TR_PROGRAM(.stdio = {TR_STDIO_OUTPUT}),
        TR_PROGRAM(.stdio = {TR_STDIO_FD}, .fds = {-1}),
        TR_PROGRAM(.env = TR_ARGS("nothing")),
        TR_PROGRAM(.env = TR_ARGS("=value")),
        TR_PROGRAM(.detached = true, .same_group = true),
        TR_PROGRAM(.stop_signal = 65),
        TR_PROGRAM(.stop_signal = -1),
        TR_PROGRAM(.limit_count = 1),
        TR_PROGRAM(.cpu_count = 1),
        TR_PROGRAM(.cpus = (const uint32_t[]){1024}, .cpu_count = 1),
        TR_PROGRAM(.user = &user),
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (open_program(self, ROLE("exit", "0"), bad[i]) != TR_EINVAL)
            note("%zu", i);
    note_rc(tr_process_open(self, NULL, NULL, NULL, on_end, NULL, NULL));
    note_rc(tr_process_open(self, "player", NULL, NULL, NULL, NULL, NULL));
    note_rc(tr_process_open(NULL, "player", NULL, NULL, on_end, NULL, NULL));
    note_rc(tr_exec(self, NULL, NULL, never_result, NULL, NULL));
    note_rc(tr_exec(self, "true", TR_EXEC(.at_limit = (tr_exec_limit)7), never_result, NULL, NULL));
    note_rc(tr_exec(self, "true", TR_EXEC(.input.len = 1), never_result, NULL, NULL));
    return tr_exit(self, TR_NORMAL);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    perform(&(struct play){start_bad, no_receive, 0},
            "TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL");
}

// ---- Their streams ----

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void put_more(tr_actor *self, tr_stream stream, void *arg)
{
    char bytes[1000];
    (void)arg;
    int rc = 0;
    while (rc == 0 && m.put < POURED) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)byte_at(m.put + i);
        rc = tr_stream_write_bytes(self, stream, bytes, sizeof bytes);
        m.put += rc >= 0 ? sizeof bytes : 0;
    }
    if (m.put == POURED)
        tr_stream_end(self, stream);
}

static void got_some(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    const unsigned char *bytes = tr_buf_data(chunk);
    (void)self, (void)stream, (void)arg;
    for (size_t i = 0; i < tr_buf_size(chunk); i++)
        m.wrong |= bytes[i] != byte_at(m.got + i);
    m.got += tr_buf_size(chunk);
}

static void out_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)arg;
    note("closed=%d got=%zu%s", status, m.got, m.wrong ? " wrong" : "");
}

static int start_talk(tr_actor *self)
{
    static const tr_stream_events in = {.drain = put_more};
    static const tr_stream_events out = {.data = got_some, .closed = out_closed};
    begin();
    int rc = open_program(self, ROLE("cat"), TR_PROGRAM(.stdio = {PIPES}));
    if (rc == 0)
        rc = tr_process_stream(self, m.process, 0, &m.in);
    if (rc == 0)
        rc = tr_process_stream(self, m.process, 1, &m.out);
    if (rc < 0)
        return rc;
    note_rc(tr_process_stream(self, m.process, 1, &m.out));
    note_rc(tr_process_stream(self, m.process, 3, &m.out));
    note_rc(tr_process_stream(self, (tr_process){0}, 1, &m.out));
    tr_stream_on(self, m.in, &in, NULL);
    put_more(self, m.in, NULL);
    return tr_stream_on(self, m.out, &out, NULL);
}

// Goal: what a program reads and writes are streams, and its end comes behind theirs.
static void test_a_program_is_talked_to(void **state)
{
    (void)state;
    perform(&(struct play){start_talk, no_receive, 0},
            "TR_ENOENT TR_EINVAL TR_ENOENT closed=0 got=300000 0 as=exited with status 0");
}

static int start_deaf(tr_actor *self)
{
    begin();
    int rc = open_program(self, ROLE("exit", "0"), TR_PROGRAM(.stdio = {PIPES}));
    if (rc == 0)
        rc = tr_process_stream(self, m.process, 0, &m.in);
    if (rc == 0)
        put_more(self, m.in, NULL);
    return rc;
}

// Goal: a program that does not read its input is no error of its actor's.
static void test_input_that_nobody_reads(void **state)
{
    (void)state;
    perform(&(struct play){start_deaf, no_receive, 0}, "0 as=exited with status 0");
}

// ---- Collecting their output ----

static void on_result(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)arg;
    note("%.*s|%.*s|", (int)result->out.len, result->out.ptr, (int)result->err.len,
         result->err.ptr);
    if (error != result->end.status || result->out.ptr[result->out.len] != '\0')
        note("wrong");
    note_end(&result->end);
    leave(self);
}

// In which order, nobody says.
static void on_joined(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)arg;
    note_rc(error);
    note("%zu %zu", result->out.len, result->err.len);
    leave(self);
}

static int exec_role(tr_actor *self, const char *const *args, const tr_exec_opts *opts,
                     tr_executed cb)
{
    int rc = tr_exec_file(self, program_file, args, opts, cb, NULL, &m.process);
    m.running += rc == 0;
    return rc;
}

static int start_said(tr_actor *self)
{
    begin();
    return exec_role(self, ROLE("say"), NULL, on_result);
}

static int start_input(tr_actor *self)
{
    begin();
    return exec_role(self, ROLE("cat"), TR_EXEC(.input = {"to and fro", 10}), on_result);
}

static int start_joined(tr_actor *self)
{
    begin();
    return exec_role(self, ROLE("say"),
                     TR_EXEC(.program = TR_PROGRAM(.stdio = {[2] = TR_STDIO_OUTPUT})), on_joined);
}

static int start_silent(tr_actor *self)
{
    begin();
    return exec_role(self, ROLE("exit", "7"), NULL, on_result);
}

static void test_output_is_collected(void **state)
{
    (void)state;
    perform(&(struct play){start_said, no_receive, 0}, "hello\n|oops\n| 0 as=exited with status 0");
    perform(&(struct play){start_input, no_receive, 0}, "to and fro|| 0 as=exited with status 0");
    perform(&(struct play){start_joined, no_receive, 0}, "0 11 0");
    perform(&(struct play){start_silent, no_receive, 0}, "|| TR_EFAILED as=exited with status 7");
}

static void on_limited(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    bool whole = true;
    (void)arg;
    for (size_t i = 0; i < result->out.len; i++)
        whole &= result->out.ptr[i] == 'y';
    note("out=%zu%s%s", result->out.len, result->out_cut ? " cut" : "", whole ? "" : " wrong");
    if (result->out_total == POURED)
        note("all read");
    note_rc(error);
    leave(self);
}

static int pour(tr_actor *self, const tr_exec_opts *opts)
{
    char bytes[16];
    begin();
    snprintf(bytes, sizeof bytes, "%u", POURED);
    return exec_role(self, ROLE("pour", bytes), opts, on_limited);
}

static int start_dropping(tr_actor *self)
{
    return pour(self, TR_EXEC(.bytes_max = LIMIT, .at_limit = TR_EXEC_DROP));
}

static int start_exact(tr_actor *self)
{
    return pour(self, TR_EXEC(.bytes_max = POURED));
}

static int start_stopping(tr_actor *self)
{
    return pour(self, TR_EXEC(.bytes_max = LIMIT, .at_limit = TR_EXEC_STOP));
}

static tr_cancel *patience;

static void lose_patience(tr_actor *self, tr_process process, int fd, void *arg)
{
    (void)self, (void)process, (void)fd, (void)arg;
    tr_cancel_now(patience);
}

// It waits until somebody has enough of that, which is told apart from a stop.
static int start_holding(tr_actor *self)
{
    int rc = tr_cancel_new(self, &patience);
    return rc < 0 ? rc
                  : pour(self, TR_EXEC(.bytes_max = LIMIT, .full = lose_patience,
                                       .program = TR_PROGRAM(.cancel = patience)));
}

static void stop_when_full(tr_actor *self, tr_process process, int fd, void *arg)
{
    (void)arg;
    note("full=%d", fd);
    tr_process_stop(self, process);
}

static int start_full(tr_actor *self)
{
    return pour(self, TR_EXEC(.bytes_max = LIMIT, .full = stop_when_full));
}

// Goal: at the limit nothing is killed unless that was asked for, and memory is bounded.
static void test_limits_of_what_is_collected(void **state)
{
    (void)state;
    perform(&(struct play){start_exact, no_receive, 0}, "out=300000 all read 0");
    perform(&(struct play){start_dropping, no_receive, 0}, "out=10000 cut all read 0");
    perform(&(struct play){start_stopping, no_receive, 0}, "out=10000 cut TR_ETOOBIG");
    perform(&(struct play){start_holding, no_receive, 0}, "out=10000 cut TR_ECANCELED");
    perform(&(struct play){start_full, no_receive, 0}, "full=1 out=10000 cut TR_SHUTDOWN");
}

// ---- Stopping them ----

static void ready(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)stream, (void)chunk, (void)arg;
    tr_process_stop(self, m.process);
}

// A cat waits for as long as its input has no end.
static int open_waiting(tr_actor *self, const tr_process_opts *opts)
{
    begin();
    int rc = open_program(self, ROLE("cat"), opts);
    return rc < 0 ? rc : tr_process_stream(self, m.process, 0, &m.in);
}

static int start_stop(tr_actor *self)
{
    tr_process_info info;
    int rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}));
    if (rc < 0)
        return rc;
    tr_process_look(self, m.process, &info);
    note("%d", info.state == TR_PROCESS_RUNNING && info.pid > 0);
    note_rc(tr_process_signal(self, m.process, 0));
    note_rc(tr_process_signal_group(self, m.process, 0));
    note_rc(tr_process_signal(self, m.process, 65));
    note_rc(tr_process_stop(self, m.process));
    note_rc(tr_process_stop(self, m.process));
    tr_process_look(self, m.process, &info);
    note("%d", info.state == TR_PROCESS_STOPPING);
    return 0;
}

static int start_asking(tr_actor *self)
{
    int rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}, .ask_ms = 20000));
    return rc < 0 ? rc : tr_process_stop(self, m.process);
}

static int start_other_signal(tr_actor *self)
{
    int rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}, .stop_signal = SIGUSR1));
    return rc < 0 ? rc : tr_process_stop(self, m.process);
}

static int start_signal(tr_actor *self)
{
    int rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}));
    return rc < 0 ? rc : tr_process_signal(self, m.process, SIGKILL);
}

static int start_stubborn(tr_actor *self)
{
    static const tr_stream_events out = {.data = ready};
    begin();
    int rc = tr_process_open(self, program_file, ROLE("stubborn"),
                             TR_PROGRAM(.stdio = {PIPES}, .term_ms = 20), on_end, NULL, &m.process);
    m.running += rc == 0;
    if (rc == 0)
        rc = tr_process_stream(self, m.process, 1, &m.out);
    return rc < 0 ? rc : tr_stream_on(self, m.out, &out, NULL);
}

static void test_stopping(void **state)
{
    (void)state;
    perform(&(struct play){start_stop, no_receive, 0},
            "1 0 0 TR_EINVAL 0 0 1 TR_SHUTDOWN as=killed by signal 15");
    perform(&(struct play){start_asking, no_receive, 0}, "TR_SHUTDOWN as=exited with status 0");
    perform(&(struct play){start_other_signal, no_receive, 0},
            "TR_SHUTDOWN as=killed by signal 10");
    perform(&(struct play){start_stubborn, no_receive, 0}, "TR_SHUTDOWN as=killed by signal 9");
    perform(&(struct play){start_signal, no_receive, 0}, "TR_EFAILED as=killed by signal 9");
}

static int start_timeout(tr_actor *self)
{
    return open_waiting(self, TR_PROGRAM(.stdio = {PIPES}, .timeout_ms = 20));
}

static int start_in_time(tr_actor *self)
{
    begin();
    return open_program(self, ROLE("exit", "0"), TR_PROGRAM(.timeout_ms = 50000));
}

static void cancel_now(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    tr_cancel_now(m.cancel);
}

// A token that is freed before the end is told.
static void cancel_and_free(tr_actor *self, void *arg)
{
    cancel_now(self, arg);
    tr_cancel_free(&m.cancel);
}

static int cancel_by(tr_actor *self, tr_callback cb)
{
    tr_cancel *cancel;
    int rc = tr_cancel_new(self, &cancel);
    if (rc == 0)
        rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}, .cancel = cancel));
    if (rc < 0)
        return rc;
    m.cancel = cancel;
    return tr_timer_start(self, TR_MS(1), cb, NULL, NULL);
}

static int start_cancel(tr_actor *self)
{
    return cancel_by(self, cancel_now);
}

static int start_cancel_and_free(tr_actor *self)
{
    return cancel_by(self, cancel_and_free);
}

static int start_cancelled(tr_actor *self)
{
    tr_cancel *cancel;
    begin();
    int rc = tr_cancel_new(self, &cancel);
    if (rc < 0)
        return rc;
    tr_cancel_now(cancel);
    note_rc(open_program(self, ROLE("exit", "0"), TR_PROGRAM(.cancel = cancel)));
    return tr_exit(self, TR_NORMAL);
}

static void test_timeout_and_cancel(void **state)
{
    (void)state;
    perform(&(struct play){start_timeout, no_receive, 0}, "TR_ETIMEDOUT as=killed by signal 15");
    perform(&(struct play){start_in_time, no_receive, 0}, "0 as=exited with status 0");
    perform(&(struct play){start_cancel, no_receive, 0}, "TR_ECANCELED as=killed by signal 15");
    perform(&(struct play){start_cancel_and_free, no_receive, 0},
            "TR_ECANCELED as=killed by signal 15");
    perform(&(struct play){start_cancelled, no_receive, 0}, "TR_ECANCELED");
}

// ---- The actor's end ----

static int start_leaving(tr_actor *self)
{
    begin();
    int rc = open_waiting(self, TR_PROGRAM(.stdio = {PIPES}));
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = tr_process_open(self, program_file, ROLE("cat"), TR_PROGRAM(.stdio = {PIPES}), never,
                             NULL, NULL);
    if (rc == 0)
        rc = tr_process_open(self, program_file, ROLE("stubborn"),
                             TR_PROGRAM(.stdio = {PIPES}, .term_ms = 20), never, NULL, NULL);
    if (rc == 0)
        rc = exec_role(self, ROLE("pour", "1000000"), TR_EXEC(.bytes_max = 10), never_result);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

// Goal: the programs of an actor that ends are stopped, its node waits for that, and nothing is
//       told any more.
static void test_an_actor_that_ends_takes_its_programs_along(void **state)
{
    (void)state;
    perform(&(struct play){start_leaving, no_receive, 0}, "");
}

static void test_everything_is_cut_short(void **state)
{
    (void)state;
    static const struct play plays[] = {{.start = start_talk}, {.start = start_leaving},
                                        {.start = start_said}, {.start = start_stop},
                                        {.start = start_full}, {.start = start_stubborn}};
    if (theatre->cut == NULL)
        skip();
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++)
        perform_cut(&plays[i]);
}

static int suite(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(test_how_a_program_ends),
        PLAY_TEST(test_what_cannot_be_started_is_an_error_of_the_call),
        PLAY_TEST(test_bad_arguments),
        PLAY_TEST(test_a_program_is_talked_to),
        PLAY_TEST(test_input_that_nobody_reads),
        PLAY_TEST(test_output_is_collected),
        PLAY_TEST(test_limits_of_what_is_collected),
        PLAY_TEST(test_stopping),
        PLAY_TEST(test_timeout_and_cancel),
        PLAY_TEST(test_an_actor_that_ends_takes_its_programs_along),
        PLAY_TEST(test_everything_is_cut_short),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}

int program_main(int argc, char **argv, const struct theatre *at)
{
    return play_main(argc, argv, at, TR_APP(&first), suite);
}
