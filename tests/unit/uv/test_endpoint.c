// What is the real world's own about endpoints; tests/conform has what every world owes.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <troupe/error.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "uv/uv.h"

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

static void test_only_a_stream_socket_is_adopted(void **state)
{
    tr_endpoint *endpoint = NULL;
    int ends[2], pipes[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    assert_int_equal(0, pipe(pipes));
    assert_int_equal(TR_EINVAL, tr__uv_adopt(*state, ends[0], &endpoint));
    assert_int_equal(-ENOTSOCK, tr__uv_adopt(*state, pipes[0], &endpoint));
    assert_int_equal(-EBADF, tr__uv_adopt(*state, 9999, &endpoint));
    assert_null(endpoint);
    assert_int_equal(0, close(ends[0]) + close(ends[1])); // still ours
    assert_int_equal(0, close(pipes[0]) + close(pipes[1]));
}

static void test_what_was_adopted_is_not_inherited_and_does_not_block(void **state)
{
    tr_world *world = *state;
    tr_endpoint *endpoint;
    char byte;
    int ends[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(0, tr__uv_adopt(world, ends[0], &endpoint));
    assert_int_equal(FD_CLOEXEC, fcntl(ends[0], F_GETFD));
    assert_int_equal(TR_EAGAIN, world->ops->endpoint_read(endpoint, &(tr_iov){&byte, 1}, 1));
    world->ops->endpoint_close(endpoint);
    assert_int_equal(-1, fcntl(ends[0], F_GETFD)); // at once: the peer need not wait for a poll
    assert_int_equal(0, read(ends[1], &byte, 1));
    close(ends[1]);
}

static bool count(void *owner)
{
    ++*(int *)owner;
    return false;
}

static void ignore(void *owner)
{
    (void)owner;
}

static const tr_endpoint_up count_up = {.readable = count, .writable = ignore, .closed = ignore};

// Goal:   an endpoint hears of its bytes though its descriptor was another's a moment ago.
// Method: close one that is watched and adopt a new one under its number, within one poll's pause.
static void test_a_descriptors_number_may_come_again(void **state)
{
    tr_world *world = *state;
    tr_endpoint *old, *new;
    int first[2], second[2], heard = 0;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, first));
    assert_int_equal(0, tr__uv_adopt(world, first[0], &old));
    world->ops->endpoint_bind(old, &count_up, &heard);
    world->ops->endpoint_want(old, TR__READ);
    world->ops->poll(world, 0);
    world->ops->endpoint_close(old);
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, second));
    assert_int_equal(first[0], second[0]);
    assert_int_equal(0, tr__uv_adopt(world, second[0], &new));
    world->ops->endpoint_bind(new, &count_up, &heard);
    world->ops->endpoint_want(new, TR__READ);
    assert_int_equal(1, write(second[1], "x", 1));
    for (int i = 0; i < 3; i++)
        world->ops->poll(world, 0);
    assert_true(heard > 0);
    close(first[1]);
    close(second[1]);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_a_world_leaves_no_descriptor(void **state)
{
    (void)state;
    int before = descriptors(), ends[2];
    tr_world *world;
    tr_endpoint *endpoint;
    assert_int_equal(0, tr__uv_open(&world));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(0, tr__uv_adopt(world, ends[0], &endpoint));
    assert_int_equal(0, tr__uv_adopt(world, ends[1], &endpoint));
    assert_true(descriptors() > before + 2);
    world->ops->poll(world, 0);
    world->ops->close(&world);
    assert_int_equal(before, descriptors());
}

static void test_a_world_without_descriptors_is_an_error(void **state)
{
    (void)state;
    struct rlimit was;
    tr_world *world = NULL;
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &was);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, was.rlim_max});
    int rc = tr__uv_open(&world);
    setrlimit(RLIMIT_NOFILE, &was);
    assert_int_equal(-EMFILE, rc);
    assert_null(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_stream_socket_is_adopted),
        TEST(test_what_was_adopted_is_not_inherited_and_does_not_block),
        TEST(test_a_descriptors_number_may_come_again),
        TEST(test_a_world_leaves_no_descriptor),
        TEST(test_a_world_without_descriptors_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
