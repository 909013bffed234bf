// Standard streams of the real world: the suite, and with those who share the descriptors.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <troupe.h>
#include <troupe/test.h>
#include <unistd.h>

#include "conform/console_suite.h"
#include "support/cmocka.h"
#include "uv/uv.h"

#define BYTES 300000

static unsigned char fed[BYTES], collected[BYTES + 1];
static size_t collected_size;

// ---- The actor ----

static int status; // of the pipeline

static void copied(tr_actor *self, int rc, void *arg)
{
    (void)arg;
    status = rc;
    tr_exit(self, TR_NORMAL);
}

static int copy_start(tr_actor *self, const tr_val *args)
{
    tr_stream streams[2];
    (void)args;
    int rc = tr_stdin(self, &streams[0]);
    if (rc == 0)
        rc = tr_stdout(self, &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, copied, NULL);
}

static const tr_behavior copy = {.name = "copy", .start = copy_start};

static int run(const tr_behavior *behavior)
{
    tr_node *node = NULL;
    status = 1;
    int rc = tr_node_open(TR_NODE(.loops = 1), &node);
    if (rc == 0)
        rc = tr_node_spawn(node, behavior, NULL, NULL);
    if (rc == 0)
        rc = tr_node_run(node);
    tr_node_close(&node);
    return rc;
}

// ---- Descriptors of each kind: what the actor has, and the far end ----

struct ends {
    int near, far;
};

static struct ends of_pipe(bool input)
{
    int fds[2];
    assert_int_equal(0, pipe(fds));
    return input ? (struct ends){fds[0], fds[1]} : (struct ends){fds[1], fds[0]};
}

static struct ends of_socket(bool input)
{
    int fds[2];
    (void)input;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    return (struct ends){fds[0], fds[1]};
}

// The near end writes, or finds, the whole; each has a position of its own.
static struct ends of_file_with(const void *bytes, size_t size)
{
    char path[] = "/tmp/troupe-console-XXXXXX";
    int fd = mkstemp(path);
    struct ends ends = {open(path, O_RDWR), fd};
    unlink(path);
    assert_int_equal(size, write(fd, bytes, size));
    return ends;
}

static struct ends of_file(bool input)
{
    return of_file_with(fed, input ? BYTES : 0);
}

static struct ends of_terminal(void)
{
    struct ends ends;
    struct winsize window = {.ws_col = CONSOLE_COLUMNS, .ws_row = CONSOLE_ROWS};
    assert_int_equal(0, openpty(&ends.far, &ends.near, NULL, NULL, &window));
    return ends;
}

static struct ends of_raw_terminal(bool input)
{
    struct ends ends = of_terminal();
    struct termios mode;
    (void)input;
    assert_int_equal(0, tcgetattr(ends.near, &mode));
    cfmakeraw(&mode);
    assert_int_equal(0, tcsetattr(ends.near, TCSANOW, &mode));
    return ends;
}

static const struct kind {
    const char *name;
    struct ends (*make)(bool input);
    bool ends; // closing the far end ends the input
    bool feeds;
} kinds[] = {{"pipe", of_pipe, true, true},
             {"socket", of_socket, true, true},
             {"file", of_file, true, false},
             {"terminal", of_raw_terminal, false, true}};
#define KINDS (sizeof kinds / sizeof *kinds)

static void *feed(void *arg)
{
    int fd = *(int *)arg;
    for (size_t done = 0; done < BYTES;) {
        ssize_t n = write(fd, fed + done, BYTES - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    return NULL;
}

static void *collect(void *arg)
{
    int fd = *(int *)arg;
    ssize_t n;
    while ((n = read(fd, collected + collected_size, sizeof collected - collected_size)) > 0)
        collected_size += (size_t)n;
    close(fd);
    return NULL;
}

// ---- Being the program that has them ----

static int saved[2];

static void take(struct ends in, struct ends out)
{
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
    dup2(in.near, 0);
    dup2(out.near, 1);
}

static void give_back(struct ends in, struct ends out)
{
    for (int i = 0; i < 2; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
    close(in.near);
    close(out.near);
}

// Whether any of them does not block any more, or is gone.
static bool is_changed(void)
{
    int in = fcntl(0, F_GETFL), out = fcntl(1, F_GETFL);
    return in < 0 || out < 0 || ((in | out) & O_NONBLOCK);
}

static void copy_over(const struct kind *from, const struct kind *to)
{
    struct ends in = from->make(true), out = to->make(false);
    pthread_t feeder, collector;
    collected_size = 0;
    take(in, out);
    if (from->feeds)
        pthread_create(&feeder, NULL, feed, &in.far);
    if (to->feeds)
        pthread_create(&collector, NULL, collect, &out.far);
    int rc = run(&copy);
    bool changed = is_changed();
    give_back(in, out); // the collector finds the end
    if (from->feeds)
        pthread_join(feeder, NULL);
    if (to->feeds)
        pthread_join(collector, NULL);
    else
        collect(&out.far);
    if (!from->feeds)
        close(in.far);
    assert_int_equal(0, rc);
    assert_false(changed);
    if (!from->ends) // what is left in a terminal when its other end goes may be lost, and the end
        return;
    assert_int_equal(0, status);
    assert_int_equal(BYTES, collected_size);
    assert_memory_equal(fed, collected, BYTES);
}

// Goal:   nobody else who has the descriptors notices that they are streams.
// Method: an actor copies its input to its output; a thread at the far end of each, which waits in
//         its calls, feeds one and collects from the other.
static void test_every_kind_is_copied(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < KINDS; j++)
            copy_over(&kinds[i], &kinds[j]);
}

// Goal:   a pipe that may not be opened again works as well, and is not set to non-blocking either.
// Method: as another user than the one whose pipe it is.
static void test_a_pipe_of_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(0, seteuid(65534));
    copy_over(&kinds[0], &kinds[0]);
    assert_int_equal(0, seteuid(0));
}

// ---- The suite ----

static struct ends in, out;

static struct ends of_path(const char *path, int flags)
{
    return (struct ends){open(path, flags), -1};
}

static struct ends ends_of(const console_given *given, bool input)
{
    switch (given->kind) {
    case CONSOLE_PIPE:
        return of_pipe(input);
    case CONSOLE_SOCKET:
        return of_socket(true);
    case CONSOLE_FILE:
        return of_file_with(given->text, strlen(given->text));
    case CONSOLE_TERMINAL:
        return of_terminal();
    case CONSOLE_FULL:
        return of_path("/dev/full", O_WRONLY);
    case CONSOLE_DIRECTORY:
        return of_path("/", O_RDONLY);
    default:
        return of_path("/dev/null", O_RDWR);
    }
}

static tr_world *open_world(const console_given given[2])
{
    tr_world *world = NULL;
    in = ends_of(&given[0], true);
    out = given[1].kind == CONSOLE_SAME ? in : ends_of(&given[1], false);
    take(in, out);
    for (int fd = 0; fd < 2; fd++)
        if (given[fd].kind == CONSOLE_NONE)
            close(fd);
    if (in.far >= 0)
        fcntl(in.far, F_SETFL, O_NONBLOCK);
    if (out.far >= 0)
        fcntl(out.far, F_SETFL, O_NONBLOCK);
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static void drop(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void closed(void)
{
    give_back(in, out);
    drop(&in.far);
    if (out.far != in.far)
        drop(&out.far);
}

static void lose(tr_world *world, int fd)
{
    (void)world;
    close(fd);
}

static ssize_t result_of(ssize_t n)
{
    return n >= 0 ? n : errno == EAGAIN ? TR_EAGAIN : -errno;
}

static ssize_t feed_some(const char *bytes, size_t size)
{
    return result_of(write(in.far, bytes, size));
}

static ssize_t collect_some(char *bytes, size_t size)
{
    return result_of(read(out.far, bytes, size));
}

static void leave(int fd)
{
    drop(fd == 0 ? &in.far : &out.far);
}

static bool is_raw(void)
{
    struct termios mode;
    assert_int_equal(0, tcgetattr(0, &mode));
    return !(mode.c_lflag & ICANON) && !(mode.c_lflag & ECHO);
}

int main(void)
{
    static const struct console_harness harness = {.name = "uv",
                                                   .open = open_world,
                                                   .closed = closed,
                                                   .lose = lose,
                                                   .feed = feed_some,
                                                   .collect = collect_some,
                                                   .leave = leave,
                                                   .is_raw = is_raw};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_copied),
        cmocka_unit_test(test_a_pipe_of_another_user),
    };
    for (size_t i = 0; i < BYTES; i++)
        fed[i] = (unsigned char)(i * 7 + i / 251);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + console_suite(&harness);
}
