// However a child ends, its parent hears of it exactly once, with the true reason, and after the
// last message that the child had written.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ipc/numbered.h"
#include "support/ipc.h"

#define LAST_WORDS 1000
#define STATUS     41
#define FAILURE    TR_EBADMSG

enum way {
    SIGNAL_KILL,
    SIGNAL_SEGV,
    ABORT,
    LIBRARY_EXIT,
    SYSTEM_EXIT,
    SILENT_EXIT, // with status 0, as one that has said bye would have
    HANDLER_ERROR,
    ACTOR_EXIT,
    STAY, // until it is asked to stop
};

// ---- The child ----

static void raise_for_real(int number)
{
    signal(number, SIG_DFL); // a sanitizer has put its own handler there
    raise(number);
}

static int die(tr_actor *self, enum way way)
{
    switch (way) {
    case SIGNAL_KILL:
        raise(SIGKILL);
        break;
    case SIGNAL_SEGV:
        raise_for_real(SIGSEGV);
        break;
    case ABORT:
        abort();
    case LIBRARY_EXIT:
        exit(STATUS);
    case SYSTEM_EXIT:
        _exit(STATUS);
    case SILENT_EXIT:
        _exit(0);
    case HANDLER_ERROR:
        return FAILURE;
    case ACTOR_EXIT:
        return tr_exit(self, TR_NORMAL);
    case STAY:
        break;
    }
    return 0;
}

// The last words leave when the loop polls: the end is for an iteration of its own.
static void die_next(tr_actor *self, void *arg)
{
    tr_send(self, tr_self(self), "die", TR_V(*(int *)arg));
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t way;
    if (tr_as_int(tr_msg_body(msg), &way) < 0)
        return TR_EBADMSG;
    if (tr_msg_is(msg, "die"))
        return die(self, (enum way)way);
    for (uint64_t n = 0; n < LAST_WORDS; n++) {
        int rc = numbered_send(self, tr_msg_from(msg), SMALL, 0, n);
        if (rc < 0)
            return rc;
    }
    int *next = tr_state(self);
    *next = (int)way;
    return tr_immediate(self, die_next, next);
}
static const tr_behavior child = {
    .name = "child", .state_size = sizeof(int), .receive = child_receive};

// ---- The parent ----

static struct {
    enum way way;
    tr_addr child;
    uint64_t heard;  // of its last words
    uint64_t before; // heard when the down came
    unsigned downs;
    tr_reason reason;
    tr_usage usage;
    int send_error; // of a message to the dead
} seen;

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &seen.child);
    if (rc == 0)
        rc = tr_monitor(self, seen.child, NULL);
    return rc < 0 ? rc : tr_send(self, seen.child, "last words", TR_V((int)seen.way));
}

static void parent_exit(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

// Stay for some time: nothing more may come.
static int parent_take_down(tr_actor *self, const tr_down *down)
{
    seen.downs++;
    seen.reason = down->reason;
    seen.usage = down->usage;
    seen.before = seen.heard;
    seen.send_error = tr_send(self, seen.child, "hello", TR_NULL);
    return tr_timer_start(self, TR_MS(50), parent_exit, NULL, NULL);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return parent_take_down(self, tr_msg_down(msg));
    if (!numbered_is(msg, 0, seen.heard++))
        return TR_EBADMSG;
    return seen.way == STAY && seen.heard == LAST_WORDS ? tr_stop(self, seen.child) : 0;
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

#define APP TR_APP(&child)

// ---- The tests ----

static void see_one_end(enum way way, tr_reason_kind kind, int code)
{
    memset(&seen, 0, sizeof seen);
    seen.way = way;
    assert_int_equal(0, TR_RUN(APP, &parent, TR_NULL));
    assert_int_equal(1, seen.downs);
    assert_int_equal(kind, seen.reason.kind);
    assert_int_equal(code, seen.reason.code);
    assert_true(seen.usage.rss_max > 256 * 1024 && seen.usage.rss_max < (uint64_t)1 << 40);
    assert_true(seen.usage.user_ns + seen.usage.system_ns > 0);
    assert_int_equal(LAST_WORDS, seen.before);
    assert_int_equal(LAST_WORDS, seen.heard);
    assert_int_equal(TR_EDOWN, seen.send_error);
}

static void sigkill_is_told_as_the_signal(void **state)
{
    (void)state;
    see_one_end(SIGNAL_KILL, TR_REASON_KILLED, SIGKILL);
}

static void a_crash_is_told_as_its_signal(void **state)
{
    (void)state;
    see_one_end(SIGNAL_SEGV, TR_REASON_KILLED, SIGSEGV);
}

static void abort_is_told_as_its_signal(void **state)
{
    (void)state;
    see_one_end(ABORT, TR_REASON_KILLED, SIGABRT);
}

static void exit_is_told_with_its_status(void **state)
{
    (void)state;
    see_one_end(LIBRARY_EXIT, TR_REASON_EXITED, STATUS);
}

static void _exit_is_told_with_its_status(void **state)
{
    (void)state;
    see_one_end(SYSTEM_EXIT, TR_REASON_EXITED, STATUS);
}

static void leaving_with_0_without_a_word_is_not_taken_for_a_normal_end(void **state)
{
    (void)state;
    see_one_end(SILENT_EXIT, TR_REASON_EXITED, 0);
}

static void an_error_of_a_handler_is_told_with_its_code(void **state)
{
    (void)state;
    see_one_end(HANDLER_ERROR, TR_REASON_ERROR, FAILURE);
}

static void a_normal_end_is_told_as_one(void **state)
{
    (void)state;
    see_one_end(ACTOR_EXIT, TR_REASON_NORMAL, 0);
}

static void one_that_was_asked_to_stop_ends_with_shutdown(void **state)
{
    (void)state;
    see_one_end(STAY, TR_REASON_SHUTDOWN, 0);
}

// ---- Programs that cannot be executed ----

static int fork_error;
static char fork_message[256];

static int forker_start(tr_actor *self, const tr_val *args)
{
    char path[256];
    tr_str text;
    int rc = tr_as_str(*args, &text);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%.*s", TR_STR_ARG(text));
    fork_error = tr_fork(self, path, NULL, NULL);
    snprintf(fork_message, sizeof fork_message, "%s", tr_node_errmsg(tr_node_of(self)));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior forker = {.name = "forker", .start = forker_start};

static void see_no_start(const char *path, int error)
{
    fork_error = 0;
    assert_int_equal(0, TR_RUN(APP, &forker, tr_val_str(path)));
    assert_int_equal(error, fork_error);
    assert_non_null(strstr(fork_message, path));
}

static const char *make_file(const char *text, mode_t mode)
{
    const char *path = tr_test_path("file");
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    close(fd);
    return path;
}

static void a_program_that_is_not_there_is_an_error_of_the_call(void **state)
{
    (void)state;
    see_no_start(tr_test_path("nowhere"), -ENOENT);
}

static void a_program_without_permission_is_an_error_of_the_call(void **state)
{
    (void)state;
    see_no_start(make_file("#!/bin/true\n", 0600), -EACCES);
}

static void a_file_that_is_no_program_is_an_error_of_the_call(void **state)
{
    (void)state;
    see_no_start(make_file("no program at all", 0700), -ENOEXEC);
}

int main(int argc, char **argv)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (tr_is_child())
        return tr_main(argc, argv, APP);
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(sigkill_is_told_as_the_signal),
        TR_PROCESS_TEST(a_crash_is_told_as_its_signal),
        TR_PROCESS_TEST(abort_is_told_as_its_signal),
        TR_PROCESS_TEST(exit_is_told_with_its_status),
        TR_PROCESS_TEST(_exit_is_told_with_its_status),
        TR_PROCESS_TEST(leaving_with_0_without_a_word_is_not_taken_for_a_normal_end),
        TR_PROCESS_TEST(an_error_of_a_handler_is_told_with_its_code),
        TR_PROCESS_TEST(a_normal_end_is_told_as_one),
        TR_PROCESS_TEST(one_that_was_asked_to_stop_ends_with_shutdown),
        TR_PROCESS_TEST(a_program_that_is_not_there_is_an_error_of_the_call),
        TR_PROCESS_TEST(a_program_without_permission_is_an_error_of_the_call),
        TR_PROCESS_TEST(a_file_that_is_no_program_is_an_error_of_the_call),
    };
    return cmocka_run_group_tests_name("ipc/death", tests, NULL, NULL);
}
