// What is the real world's own about endpoints; tests/conform has what every world owes.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

// ---- Descriptors on their way ----

// What lets a process exceed the limit of those.
static void set_unlimited(bool unlimited)
{
    const uint32_t both = 1u << CAP_SYS_RESOURCE | 1u << CAP_SYS_ADMIN;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    assert_int_equal(0, syscall(SYS_capget, &head, data));
    data[0].effective &= ~both;
    data[0].effective |= unlimited ? data[0].permitted & both : 0;
    assert_int_equal(0, syscall(SYS_capset, &head, data));
}

// The system's idea of the limit: valgrind keeps one of its own.
static rlim_t limit_known(void)
{
    char line[256];
    unsigned long long limit = 0;
    FILE *limits = fopen("/proc/self/limits", "r");
    while (limits != NULL && fgets(line, sizeof line, limits) != NULL)
        sscanf(line, "Max open files %llu", &limit);
    if (limits != NULL)
        fclose(limits);
    return limit;
}

struct sender {
    tr_endpoint *endpoint;
    tr_parcel *parcel;
    unsigned sent, tries;
};

static ssize_t send_one(struct sender *s)
{
    const tr_world_ops *ops = s->endpoint->world->ops;
    char byte = 'x';
    s->tries++;
    ssize_t n = ops->endpoint_send(s->endpoint, &(tr_iov){&byte, 1}, 1, &s->parcel, 1);
    s->sent += n == 1;
    return n;
}

static void send_more(void *owner)
{
    struct sender *s = owner;
    ssize_t n = send_one(s);
    assert_true(n == 1 || n == TR_EAGAIN);
    if (n == 1)
        s->endpoint->world->ops->endpoint_want(s->endpoint, 0);
}

static const tr_endpoint_up sender_up = {
    .readable = count, .writable = send_more, .closed = ignore};

static void receive_all(int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    int got;
    for (;;) {
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
        if (recvmsg(fd, &msg, MSG_DONTWAIT) <= 0)
            return;
        const struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        if (head != NULL) {
            memcpy(&got, CMSG_DATA(head), sizeof got);
            close(got);
        }
    }
}

// Goal:   with as many descriptors on their way as the system allows, sending goes on when there are
//         fewer, and the loop does not spin meanwhile, though the socket has room.
// Method: a limit of a few, a peer that does not read, and a count of the tries.
static void test_too_many_descriptors_on_their_way_are_waited_for(void **state)
{
    tr_world *world = *state;
    struct sender s = {0};
    struct rlimit was;
    int ends[2], pipes[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(0, pipe(pipes));
    assert_int_equal(0, tr__uv_adopt(world, ends[0], &s.endpoint));
    assert_int_equal(0, world->ops->parcel_of(world, pipes[0], &s.parcel));
    world->ops->endpoint_bind(s.endpoint, &sender_up, &s);
    getrlimit(RLIMIT_NOFILE, &was);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)pipes[1] + 8, was.rlim_max});
    bool limited = limit_known() == (rlim_t)pipes[1] + 8;
    set_unlimited(false);
    while (limited && s.tries < 10000 && send_one(&s) == 1)
        continue;
    unsigned room = s.sent;
    if (!limited)
        send_one(&s);
    world->ops->endpoint_want(s.endpoint, TR__WRITE);
    uint64_t until = world->ops->now(world) + 100000000;
    while (world->ops->now(world) < until)
        world->ops->poll(world, until);
    unsigned tries = s.tries - room;
    receive_all(ends[1]);
    while (s.sent == room)
        world->ops->poll(world, TR__NEVER);
    set_unlimited(true);
    setrlimit(RLIMIT_NOFILE, &was);
    tr__parcel_unref(&s.parcel);
    close(ends[1]);
    close(pipes[1]);
    if (!limited)
        skip();
    assert_in_range(room, 1, 1000); // it was no lack of room in the socket
    assert_in_range(tries, 1, 3 * 100 / 20);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_stream_socket_is_adopted),
        TEST(test_what_was_adopted_is_not_inherited_and_does_not_block),
        TEST(test_a_descriptors_number_may_come_again),
        TEST(test_a_world_leaves_no_descriptor),
        TEST(test_too_many_descriptors_on_their_way_are_waited_for),
        TEST(test_a_world_without_descriptors_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
