// Goal:   standard input and output are streams, whatever they are, and nobody else notices.
// Method: an actor copies its input to its output, which are descriptors of each kind in turn; a
//         thread at the far end of each feeds one and collects from the other.
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

#include "support/cmocka.h"

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
static struct ends of_file(bool input)
{
    char path[] = "/tmp/troupe-console-XXXXXX";
    int fd = mkstemp(path);
    struct ends ends = {open(path, O_RDWR), fd};
    unlink(path);
    if (input)
        assert_int_equal(BYTES, write(fd, fed, BYTES));
    return ends;
}

static struct ends of_terminal(bool input)
{
    struct ends ends;
    struct termios mode;
    (void)input;
    assert_int_equal(0, openpty(&ends.far, &ends.near, NULL, NULL, NULL));
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
             {"terminal", of_terminal, false, true}};
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

static void test_nobody_reads_any_more(void **state)
{
    (void)state;
    struct ends in = of_file(true), out = of_pipe(false);
    close(out.far);
    take(in, out);
    int rc = run(&copy); // SIGPIPE would end the test here
    give_back(in, out);
    close(in.far);
    assert_int_equal(0, rc);
    assert_int_equal(TR_EPIPE, status);
}

static int closed_start(tr_actor *self, const tr_val *args)
{
    close(0);
    return copy_start(self, args);
}

static void test_what_is_closed_is_an_error(void **state)
{
    (void)state;
    static const tr_behavior closed = {.name = "closed", .start = closed_start};
    struct ends in = of_file(true), out = of_file(false);
    take(in, out);
    int rc = run(&closed);
    give_back(in, out);
    close(in.far);
    close(out.far);
    assert_int_equal(-EBADF, rc);
}

// Goal:   a program that was started without standard input runs, and finds it empty.
static void test_what_was_never_open_is_empty(void **state)
{
    (void)state;
    struct ends in = of_file(true), out = of_file(false);
    take(in, out);
    close(0);
    int rc = run(&copy);
    give_back(in, out);
    close(in.far);
    collected_size = 0;
    collect(&out.far);
    assert_int_equal(0, rc);
    assert_int_equal(0, status);
    assert_int_equal(0, collected_size);
}

static void test_a_directory_is_an_error(void **state)
{
    (void)state;
    struct ends in = {open("/", O_RDONLY), -1}, out = of_file(false);
    take(in, out);
    int rc = run(&copy);
    give_back(in, out);
    close(out.far);
    assert_int_equal(0, rc);
    assert_int_equal(-EISDIR, status);
}

// ---- Terminals ----

static struct termios mode_before, mode_raw, mode_after;
static tr_terminal size;
static int no_terminal;

static void look_closed(tr_actor *self, tr_stream stream, int rc, void *arg)
{
    (void)stream, (void)rc, (void)arg;
    tcgetattr(0, &mode_after);
    tr_exit(self, TR_NORMAL);
}

static int look_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.closed = look_closed};
    tr_stream in = {0}, out = {0};
    (void)args;
    tcgetattr(0, &mode_before);
    int rc = tr_stdin(self, &in);
    if (rc == 0)
        rc = tr_stdout(self, &out);
    if (rc == 0)
        rc = tr_terminal_get(self, in, &size);
    if (rc == 0)
        rc = tr_terminal_raw(self, in, true);
    if (rc == 0)
        rc = tr_terminal_raw(self, in, true);
    tcgetattr(0, &mode_raw);
    no_terminal =
        tr_terminal_get(self, out, &size) == -ENOTTY && tr_terminal_raw(self, out, true) == -ENOTTY;
    if (rc == 0)
        rc = tr_stream_on(self, in, &events, NULL);
    return rc < 0 ? rc : tr_stream_destroy(self, in, 0);
}

static void test_a_terminal_is_raw_as_long_as_its_stream(void **state)
{
    (void)state;
    static const tr_behavior look = {.name = "look", .start = look_start};
    struct ends in, out = of_file(false);
    struct winsize window = {.ws_col = 132, .ws_row = 43};
    assert_int_equal(0, openpty(&in.far, &in.near, NULL, NULL, &window));
    take(in, out);
    int rc = run(&look);
    give_back(in, out);
    close(in.far);
    close(out.far);
    assert_int_equal(0, rc);
    assert_int_equal(132, size.columns);
    assert_int_equal(43, size.rows);
    assert_true(no_terminal);
    assert_true(mode_before.c_lflag & ICANON && mode_before.c_lflag & ECHO);
    assert_false(mode_raw.c_lflag & ICANON || mode_raw.c_lflag & ECHO);
    assert_memory_equal(&mode_before, &mode_after, sizeof mode_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_is_copied),
        cmocka_unit_test(test_a_pipe_of_another_user),
        cmocka_unit_test(test_nobody_reads_any_more),
        cmocka_unit_test(test_what_is_closed_is_an_error),
        cmocka_unit_test(test_what_was_never_open_is_empty),
        cmocka_unit_test(test_a_directory_is_an_error),
        cmocka_unit_test(test_a_terminal_is_raw_as_long_as_its_stream),
    };
    for (size_t i = 0; i < BYTES; i++)
        fed[i] = (unsigned char)(i * 7 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
