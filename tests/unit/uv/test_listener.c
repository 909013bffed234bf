// What is the real world's own about listeners; tests/conform has what every world owes.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <troupe/error.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/site.h"
#include "uv/uv.h"

static char directory[] = "/tmp/troupe-listen-XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static const char *const path = address.sun_path;

static int setup(void **state)
{
    return tr__uv_open((tr_world **)state);
}

static int teardown(void **state)
{
    tr_world *world = *state;
    world->ops->close(&world);
    return 0;
}

static unsigned accepted_count;
static int64_t accepted_pid;

static void accepted(void *owner, tr_endpoint *endpoint)
{
    tr_peer_cred cred;
    (void)owner;
    assert_int_equal(0, endpoint->world->ops->endpoint_cred(endpoint, &cred));
    accepted_count++;
    accepted_pid = cred.pid;
    endpoint->world->ops->endpoint_close(endpoint);
}

static unsigned dropped_count, dead_count;

static void dropped(void *owner, int error)
{
    (void)owner;
    dropped_count += error == -EMFILE || error == TR_ENOMEM;
    dead_count += error == -EINVAL;
}

static const tr_listener_up up = {.accepted = accepted, .dropped = dropped};

static int listen_at(tr_world *world, const char *at, tr_listener **ret_listener)
{
    return world->ops->listen(world, AT_PATH(at), PLAINLY, &up, NULL, ret_listener);
}

static tr_listener *listen_here(tr_world *world)
{
    tr_listener *listener;
    accepted_count = dropped_count = dead_count = 0;
    assert_int_equal(0, listen_at(world, path, &listener));
    return listener;
}

static int visit(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(0, connect(fd, (struct sockaddr *)&address, sizeof address));
    return fd;
}

static void test_a_path_is_taken_whole(void **state)
{
    tr_world *world = *state;
    tr_listener *listener = NULL;
    char lengthy[109] = {0};
    assert_int_equal(TR_ENOENT, listen_at(world, "/nowhere/x", &listener));
    snprintf(lengthy, sizeof lengthy, "%s/", directory);
    memset(lengthy + strlen(lengthy), 'x', 107 - strlen(lengthy));
    assert_int_equal(0, listen_at(world, lengthy, &listener));
    assert_int_equal(0, access(lengthy, F_OK)); // under its whole name
    world->ops->listener_close(&listener);
}

static void test_the_file_is_the_owners_alone_and_goes_with_the_listener(void **state)
{
    tr_world *world = *state;
    struct stat file;
    mode_t mask = umask(0);
    tr_listener *listener = listen_here(world);
    umask(mask);
    assert_int_equal(0, stat(path, &file));
    assert_int_equal(0600, file.st_mode & 0777);
    world->ops->listener_close(&listener);
    assert_int_equal(-1, access(path, F_OK));
}

static void test_a_file_that_is_not_ours_stays(void **state)
{
    tr_world *world = *state;
    tr_listener *listener = listen_here(world);
    assert_int_equal(0, unlink(path));
    close(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600));
    world->ops->listener_close(&listener);
    assert_int_equal(0, unlink(path));
}

static void test_the_peers_process_is_known(void **state)
{
    tr_world *world = *state;
    tr_listener *listener = listen_here(world);
    int fd = visit();
    world->ops->poll(world, TR__NEVER);
    assert_int_equal(1, accepted_count);
    assert_int_equal(getpid(), accepted_pid);
    close(fd);
    world->ops->listener_close(&listener);
}

// The limit that leaves no descriptor free.
static rlim_t limit_now(void)
{
    int next = dup(0);
    close(next);
    return (rlim_t)next;
}

// Goal:   a process without descriptors tells those who connect, and its owner, and recovers.
// Method: three visitors connect, the limit is lowered, the listener polls until all have heard.
static void test_without_descriptors_connections_are_dropped(void **state)
{
    tr_world *world = *state;
    struct rlimit was, none;
    int fds[3];
    char byte;
    tr_listener *listener = listen_here(world);
    for (int i = 0; i < 3; i++)
        fds[i] = visit();
    getrlimit(RLIMIT_NOFILE, &was);
    none = (struct rlimit){limit_now(), was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    world->ops->poll(world, TR__NEVER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(0, recv(fds[i], &byte, 1, MSG_DONTWAIT));
    setrlimit(RLIMIT_NOFILE, &was);
    assert_int_equal(0, accepted_count);
    assert_in_range(dropped_count, 1, 3); // valgrind drops some itself, and says EMFILE
    int fd = visit();
    world->ops->poll(world, TR__NEVER);
    assert_int_equal(1, accepted_count);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(fd);
    world->ops->listener_close(&listener);
}

// How often poll comes back in so many milliseconds.
static unsigned polls_within(tr_world *world, uint64_t ms)
{
    unsigned polls = 0;
    uint64_t until = world->ops->now(world) + ms * 1000000;
    for (; world->ops->now(world) < until; polls++)
        world->ops->poll(world, until);
    return polls;
}

// Goal:   a listener that another process has shut down is told of once, and costs nothing.
// Method: shut it down behind its back; count what poll comes back for.
static void test_one_that_was_shut_down_is_dead_and_does_not_spin(void **state)
{
    tr_world *world = *state;
    int fd = (int)limit_now(); // its next one
    tr_listener *listener = listen_here(world);
    assert_int_equal(0, shutdown(fd, SHUT_RDWR));
    world->ops->poll(world, TR__NEVER);
    assert_int_equal(1, dead_count);
    world->ops->listener_want(listener, false);
    world->ops->listener_want(listener, true);
    assert_in_range(polls_within(world, 20), 1, 2);
    assert_int_equal(1, dead_count);
    assert_int_equal(0, accepted_count);
    world->ops->listener_close(&listener);
}

// Goal:   those who connect wait when not even the reserve helps; the loop does not spin meanwhile.
// Method: the limit is below all that is open, then as it was.
static void test_without_a_reserve_clients_wait_and_the_listener_rests(void **state)
{
    tr_world *world = *state;
    struct rlimit was, none;
    tr_listener *listener = listen_here(world);
    int fd = visit();
    getrlimit(RLIMIT_NOFILE, &was);
    none = (struct rlimit){3, was.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    unsigned polls = polls_within(world, 100);
    setrlimit(RLIMIT_NOFILE, &was);
    assert_in_range(polls, 1, 3 * 100 / 20);
    assert_in_range(dropped_count, 0, polls); // valgrind accepts and says EMFILE
    assert_int_equal(0, accepted_count);
    int later = visit();
    while (accepted_count == 0)
        world->ops->poll(world, TR__NEVER);
    close(fd);
    close(later);
    world->ops->listener_close(&listener);
}

static void test_without_memory_nothing_is_left(void **state)
{
    (void)state;
    tr_world *world;
    tr_listener *listener;
    size_t fail_at = 0;
    char byte;
    do {
        counted_memory_start(++fail_at);
        int rc = tr__uv_open(&world);
        if (rc == 0) {
            rc = listen_at(world, path, &listener);
            if (rc == 0) {
                int fd = visit();
                world->ops->poll(world, TR__NEVER);
                assert_int_equal(0, recv(fd, &byte, 1, MSG_DONTWAIT)); // closed or dropped
                close(fd);
            }
            world->ops->close(&world);
        }
        assert_true(rc == 0 || rc == TR_ENOMEM);
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(-1, access(path, F_OK));
    } while (counted_memory_failed());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_path_is_taken_whole),
        TEST(test_the_file_is_the_owners_alone_and_goes_with_the_listener),
        TEST(test_a_file_that_is_not_ours_stays),
        TEST(test_the_peers_process_is_known),
        TEST(test_without_descriptors_connections_are_dropped),
        TEST(test_one_that_was_shut_down_is_dead_and_does_not_spin),
        TEST(test_without_a_reserve_clients_wait_and_the_listener_rests),
        TEST(test_without_memory_nothing_is_left),
    };
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", directory);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + (rmdir(directory) != 0);
}
