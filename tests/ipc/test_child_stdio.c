// Goal:   the standard streams of a child are streams of its spawner; they and the child end apart,
//         and nothing is left of either.
// Method: real processes, which copy, die, are deaf, or leave their pipes to others. The spawner
//         only takes notes; the test looks at them when its node has ended, and counts descriptors.
#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/ipc.h"

#define BIG        (1u << 20)
#define LAST_WORDS 40000u // fit into a pipe
#define CHUNK      65536u

#define PIPES TR_STDIO_PIPE, TR_STDIO_PIPE, TR_STDIO_PIPE

// ---- The children ----

static void cat_copied(tr_actor *self, int status, void *arg)
{
    (void)arg;
    tr_exit(self, status);
}

static int cat_start(tr_actor *self, const tr_val *args)
{
    tr_stream both[2], errors;
    (void)args;
    int rc = tr_stdin(self, &both[0]);
    if (rc == 0)
        rc = tr_stdout(self, &both[1]);
    if (rc == 0)
        rc = tr_stderr(self, &errors);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, errors, "apart", 5);
    return rc < 0 ? rc : tr_pipeline(self, both, 2, NULL, cat_copied, NULL);
}
static const tr_behavior cat = {.name = "cat", .start = cat_start};

static int dying_start(tr_actor *self, const tr_val *args)
{
    static char words[LAST_WORDS];
    (void)self, (void)args;
    memset(words, 'w', sizeof words);
    if (write(STDOUT_FILENO, words, sizeof words) == (ssize_t)sizeof words)
        raise(SIGKILL);
    return TR_EIO;
}
static const tr_behavior dying = {.name = "dying", .start = dying_start};

// Writes until nobody reads any more, and hears of nothing meanwhile.
static int flood_start(tr_actor *self, const tr_val *args)
{
    static const char words[4096];
    (void)self, (void)args;
    while (write(STDOUT_FILENO, words, sizeof words) > 0)
        ;
    return TR_EPIPE;
}
static const tr_behavior flood = {.name = "flood", .start = flood_start};

static const tr_behavior deaf = {.name = "deaf"};

// How many of its standard descriptors are /dev/null, and what it reads there.
static int nothing_start(tr_actor *self, const tr_val *args)
{
    struct stat null, file;
    int count = 0;
    char byte;
    (void)args;
    stat("/dev/null", &null);
    for (int fd = 0; fd < 3; fd++)
        count += fstat(fd, &file) == 0 && file.st_rdev == null.st_rdev;
    int rc = tr_send(self, tr_parent(self), "told",
                     TR_MAP("nulls", count, "read", (int)read(STDIN_FILENO, &byte, 1), "wrote",
                            (int)write(STDOUT_FILENO, "x", 1)));
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}
static const tr_behavior nothing = {.name = "nothing", .start = nothing_start};

// Leaves its streams to a child of its own, which outlives it.
static int heir_start(tr_actor *self, const tr_val *args)
{
    char name[] = "cat", *argv[] = {name, NULL};
    (void)args;
    int rc = posix_spawn(&(pid_t){0}, "/bin/cat", NULL, NULL, argv, NULL);
    return rc != 0 ? -rc : tr_exit(self, TR_NORMAL);
}
static const tr_behavior heir = {.name = "heir", .start = heir_start};

// ---- The spawner ----

// What has come of a stream.
struct fate {
    int status;
    tr_buf *all; // that was read; NULL: nothing was collected
};

static struct {
    tr_addr kid;
    tr_stream in, out;
    struct fate fates[3];
    tr_reason reason;
    unsigned left; // that have not ended yet: the child, and streams that are watched
    bool waited, full;
    uint64_t taken, buffered;
    int rcs[12];
    int64_t nulls, read, wrote;
} seen;

static void one_less(tr_actor *self)
{
    if (--seen.left == 0)
        tr_exit(self, TR_NORMAL);
}

static void collected(tr_actor *self, int status, tr_buf *all, void *arg)
{
    struct fate *fate = arg;
    fate->status = status;
    fate->all = all == NULL ? NULL : tr_buf_ref(all);
    one_less(self);
}

static int collect(tr_actor *self, int fd)
{
    tr_stream stream;
    int rc = tr_child_stream(self, seen.kid, fd, &stream);
    seen.left++;
    return rc < 0 ? rc : tr_collect(self, stream, NULL, collected, &seen.fates[fd]);
}

static void in_closed(tr_actor *self, int status, void *arg)
{
    (void)arg;
    seen.fates[0].status = status;
    one_less(self);
}

static int take_in(tr_actor *self)
{
    int rc = tr_child_stream(self, seen.kid, 0, &seen.in);
    seen.left++;
    return rc < 0 ? rc : tr_finished(self, seen.in, in_closed, NULL);
}

static int watch_kid(tr_actor *self)
{
    seen.left++;
    return tr_monitor(self, seen.kid, NULL);
}

static int spawn_watched(tr_actor *self, const tr_behavior *behavior)
{
    int rc =
        tr_spawn(self, behavior, TR_SPAWN(.isolation = TR_PROCESS, .stdio = {PIPES}), &seen.kid);
    return rc < 0 ? rc : watch_kid(self);
}

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

// As much as the test compares with later, and the end.
static int say_big(tr_actor *self)
{
    tr_buf *all;
    int rc = tr_buf_new(BIG, &all);
    if (rc < 0)
        return rc;
    unsigned char *bytes = tr_buf_data(all);
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = byte_at(i);
    rc = tr_stream_write(self, seen.in, &all);
    tr_buf_unref(&all);
    return rc < 0 ? rc : tr_stream_end(self, seen.in);
}

// What the child sends, and its end.
static int hear(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "told"))
        return TR_READ(tr_msg_body(msg), "nulls", &seen.nulls, "read", &seen.read, "wrote",
                       &seen.wrote);
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    seen.reason = tr_msg_down(msg)->reason;
    one_less(self);
    return 0;
}

// ---- Running ----

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

#define APP TR_APP(&cat, &dying, &flood, &deaf, &nothing, &heir)

static void run(const tr_behavior *first)
{
    unsigned before = descriptors();
    memset(&seen, 0, sizeof seen);
    assert_int_equal(0, TR_RUN(APP, first, TR_NULL));
    assert_int_equal(before, descriptors());
    assert_int_equal(0, seen.left);
}

static void check_got(int fd, size_t size, unsigned char (*expected)(size_t i))
{
    struct fate *fate = &seen.fates[fd];
    assert_int_equal(0, fate->status);
    assert_non_null(fate->all);
    assert_int_equal(size, tr_buf_size(fate->all));
    const unsigned char *bytes = tr_buf_data(fate->all);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != expected(i))
            fail_msg("byte %zu is %u", i, bytes[i]);
    tr_buf_unref(&fate->all);
}

// ---- The tests ----

static int copy_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_watched(self, &cat);
    if (rc == 0)
        rc = take_in(self);
    if (rc == 0)
        rc = collect(self, 1);
    if (rc == 0)
        rc = collect(self, 2);
    return rc < 0 ? rc : say_big(self);
}

static unsigned char apart_at(size_t i)
{
    return (unsigned char)"apart"[i];
}

static void a_mebibyte_goes_there_and_comes_back(void **state)
{
    static const tr_behavior copying = {.name = "copying", .start = copy_start, .receive = hear};
    (void)state;
    run(&copying);
    assert_int_equal(0, seen.fates[0].status);
    check_got(1, BIG, byte_at);
    check_got(2, 5, apart_at);
    assert_int_equal(TR_REASON_NORMAL, seen.reason.kind);
}

// It knows nothing of descriptor 3.
static int fork_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc =
        tr_fork(self, "/bin/cat", TR_SPAWN(.stdio = {TR_STDIO_PIPE, TR_STDIO_PIPE}), &seen.kid);
    if (rc == 0)
        rc = watch_kid(self);
    if (rc == 0)
        rc = take_in(self);
    if (rc == 0)
        rc = collect(self, 1);
    return rc < 0 ? rc : say_big(self);
}

static void any_program_has_them(void **state)
{
    static const tr_behavior forking = {.name = "forking", .start = fork_start, .receive = hear};
    (void)state;
    run(&forking);
    check_got(1, BIG, byte_at);
    assert_int_equal(TR_REASON_EXITED, seen.reason.kind);
    assert_int_equal(0, seen.reason.code);
}

static int killed_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_watched(self, &dying);
    if (rc == 0)
        rc = take_in(self);
    seen.left++;
    return rc < 0 ? rc : tr_child_stream(self, seen.kid, 1, &seen.out);
}

// Only now is it read, and written to.
static int killed_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_collect(self, seen.out, NULL, collected, &seen.fates[1]);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, seen.in, "x", 1);
    return rc < 0 ? rc : hear(self, msg);
}

static unsigned char word_at(size_t i)
{
    (void)i;
    return 'w';
}

static void what_a_killed_child_wrote_is_read_after_its_down(void **state)
{
    static const tr_behavior killed = {
        .name = "killed", .start = killed_start, .receive = killed_receive};
    (void)state;
    run(&killed);
    check_got(1, LAST_WORDS, word_at);
    assert_int_equal(TR_EPIPE, seen.fates[0].status);
    assert_int_equal(TR_REASON_KILLED, seen.reason.kind);
    assert_int_equal(SIGKILL, seen.reason.code);
}

static int fill(tr_actor *self)
{
    tr_buf *chunk;
    int rc = tr_buf_new(CHUNK, &chunk);
    if (rc < 0)
        return rc;
    memset(tr_buf_data(chunk), 0, CHUNK);
    rc = tr_stream_write(self, seen.in, &chunk);
    tr_buf_unref(&chunk);
    return rc;
}

static int deaf_start(tr_actor *self, const tr_val *args)
{
    tr_stream_info info;
    int rc;
    (void)args;
    if ((rc = spawn_watched(self, &deaf)) < 0 || (rc = take_in(self)) < 0)
        return rc;
    for (; (rc = fill(self)) >= 0; seen.taken += CHUNK)
        seen.waited |= rc == TR_WAIT;
    seen.full = rc == TR_EFULL;
    rc = tr_stream_info_get(self, seen.in, &info);
    seen.buffered = info.write_bytes;
    return rc < 0 ? rc : tr_stop(self, seen.kid);
}

static void a_child_that_does_not_read_holds_its_writer_back(void **state)
{
    static const tr_behavior talker = {.name = "talker", .start = deaf_start, .receive = hear};
    (void)state;
    run(&talker);
    assert_true(seen.waited);
    assert_true(seen.full);
    assert_in_range(seen.buffered, CHUNK, TR_STREAM_WRITE_MAX);
    assert_in_range(seen.taken, seen.buffered, seen.buffered + BIG); // or in the pipe
    assert_int_equal(TR_EPIPE, seen.fates[0].status);
    assert_int_equal(TR_REASON_SHUTDOWN, seen.reason.kind);
}

static int null_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &nothing,
                      TR_SPAWN(.isolation = TR_PROCESS, .stdio = {TR_STDIO_NULL, TR_STDIO_NULL}),
                      &seen.kid);
    return rc < 0 ? rc : watch_kid(self);
}

static void null_is_nothing_to_read_and_room_for_all(void **state)
{
    static const tr_behavior nulls = {.name = "nulls", .start = null_start, .receive = hear};
    (void)state;
    run(&nulls);
    assert_in_range(seen.nulls, 2, 3); // the third one is the test's own
    assert_int_equal(0, seen.read);
    assert_int_equal(1, seen.wrote);
}

static int heir_begin(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spawn_watched(self, &heir);
    if (rc == 0)
        rc = take_in(self);
    return rc < 0 ? rc : collect(self, 1);
}

static int heir_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = say_big(self); // its child is down, and hears nothing of this
    return rc < 0 ? rc : hear(self, msg);
}

static void whoever_inherits_a_pipe_keeps_it_open(void **state)
{
    static const tr_behavior testator = {
        .name = "testator", .start = heir_begin, .receive = heir_receive};
    (void)state;
    run(&testator);
    assert_int_equal(TR_REASON_NORMAL, seen.reason.kind);
    assert_int_equal(0, seen.fates[0].status);
    check_got(1, BIG, byte_at);
}

// Its spawner's end is the end of its pipes. Nobody would send it SIGTERM for an hour.
static int leave_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &flood,
                      TR_SPAWN(.isolation = TR_PROCESS, .stop_ms = 3600000, .stdio = {PIPES}),
                      &seen.kid);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static void streams_that_nobody_takes_hold_nobody_back(void **state)
{
    static const tr_behavior leaving = {.name = "leaving", .start = leave_start};
    (void)state;
    run(&leaving);
}

static int misuse_start(tr_actor *self, const tr_val *args)
{
    tr_stream stream;
    int *rc = seen.rcs;
    (void)args;
    *rc++ = tr_spawn(self, &deaf, TR_SPAWN(.stdio = {TR_STDIO_NULL}), NULL);
    *rc++ = tr_spawn(self, &deaf, TR_SPAWN(.isolation = TR_THREAD, .stdio = {PIPES}), NULL);
    *rc++ = tr_spawn(self, &deaf, TR_SPAWN(.isolation = TR_PROCESS, .stdio = {(tr_stdio)3}), NULL);
    *rc++ = tr_fork(self, "/bin/cat", TR_SPAWN(.stdio = {(tr_stdio)-1}), NULL);
    *rc++ = tr_spawn(self, &cat,
                     TR_SPAWN(.isolation = TR_PROCESS,
                              .stdio = {TR_STDIO_PIPE, TR_STDIO_INHERIT, TR_STDIO_NULL}),
                     &seen.kid);
    *rc++ = tr_child_stream(self, seen.kid, -1, &stream);
    *rc++ = tr_child_stream(self, seen.kid, 3, &stream);
    *rc++ = tr_child_stream(self, seen.kid, 0, NULL);
    *rc++ = tr_child_stream(self, seen.kid, 1, &stream);
    *rc++ = tr_child_stream(self, seen.kid, 0, &stream);
    *rc++ = tr_child_stream(self, seen.kid, 0, &stream);
    *rc++ = tr_child_stream(self, tr_self(self), 0, &stream);
    return tr_exit(self, TR_NORMAL);
}

static void misuse_is_an_error(void **state)
{
    static const tr_behavior misusing = {.name = "misusing", .start = misuse_start};
    static const int expected[] = {TR_EINVAL, TR_EINVAL, TR_EINVAL, TR_EINVAL,
                                   0,         TR_EINVAL, TR_EINVAL, TR_EINVAL,
                                   TR_ENOENT, 0,         TR_ENOENT, TR_ENOACTOR};
    (void)state;
    run(&misusing);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(expected[i], seen.rcs[i]);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_mebibyte_goes_there_and_comes_back),
    TR_PROCESS_TEST(any_program_has_them),
    TR_PROCESS_TEST(what_a_killed_child_wrote_is_read_after_its_down),
    TR_PROCESS_TEST(a_child_that_does_not_read_holds_its_writer_back),
    TR_PROCESS_TEST(null_is_nothing_to_read_and_room_for_all),
    TR_PROCESS_TEST(whoever_inherits_a_pipe_keeps_it_open),
    TR_PROCESS_TEST(streams_that_nobody_takes_hold_nobody_back),
    TR_PROCESS_TEST(misuse_is_an_error),
};
TR_TEST_MAIN("ipc/child_stdio", APP, tests)
