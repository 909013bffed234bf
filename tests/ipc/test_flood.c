// More clients than there are descriptors: those that find none are dropped and do not wait, a peer
// that was there before is served all the time, and when the flood is over everything is as it was.
#include <poll.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "ipc/raw.h"
#include "ipc/server.h"
#include "support/ipc.h"

#define DESCRIPTORS 64
#define CLIENTS     200
#define IDLE_MS     2000
#define BUSY_MAX    (IDLE_MS * 1000000ull / 100) // 1 %
#define RECOVER_MS  1000

// The CPU time that a process takes while nobody wants anything of it.
static uint64_t cpu_when_idle(pid_t pid, int pidfd)
{
    uint64_t before = ipc_cpu(pid);
    assert_false(ipc_ended(pidfd, IDLE_MS));
    return ipc_cpu(pid) - before;
}

static bool is_dropped(const struct raw *r)
{
    struct pollfd in = {.fd = r->fd, .events = POLLIN | POLLRDHUP};
    return poll(&in, 1, 0) == 1 && (in.revents & (POLLHUP | POLLRDHUP));
}

static void wait_for_descriptors(pid_t pid, size_t descriptors, struct raw *good)
{
    uint64_t until = ipc_now() + TR_MS(RECOVER_MS);
    while (tr_test_descriptors(pid) > descriptors && ipc_now() < until)
        assert_true(raw_ask(good));
    assert_int_equal(descriptors, tr_test_descriptors(pid));
}

static void a_flood_of_clients_passes(void **state)
{
    (void)state;
    static struct raw clients[CLIENTS];
    struct raw good, next;
    const char *path = tr_test_path("socket");
    pid_t pid = server_start(path, DESCRIPTORS);
    int pidfd = pidfd_open(pid, 0), dropped = 0;
    raw_open(&good, -1, path);
    assert_true(raw_greet(&good) && raw_ask(&good));
    size_t descriptors = tr_test_descriptors(pid);

    for (int i = 0; i < CLIENTS; i++) {
        raw_open(&clients[i], -1, path);
        raw_sp_hello(&clients[i]); // and never a word
    }
    assert_true(raw_ask(&good));
    uint64_t cpu = cpu_when_idle(pid, pidfd);
    if (!tr_test_sanitized())
        assert_in_range(cpu, 0, BUSY_MAX);
    for (int i = 0; i < CLIENTS; i++)
        dropped += is_dropped(&clients[i]);
    assert_in_range(dropped, CLIENTS - DESCRIPTORS, CLIENTS - DESCRIPTORS / 2);
    assert_true(raw_ask(&good));

    for (int i = 0; i < CLIENTS; i++)
        raw_close(&clients[i]);
    wait_for_descriptors(pid, descriptors, &good);
    raw_open(&next, -1, path);
    assert_true(raw_greet(&next) && raw_ask(&next));
    raw_close(&next);
    cpu = cpu_when_idle(pid, pidfd);
    if (!tr_test_sanitized())
        assert_in_range(cpu, 0, BUSY_MAX);

    raw_close(&good);
    close(pidfd);
    assert_int_equal(0, server_stop(pid, path));
}

int main(int argc, char **argv)
{
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_flood_of_clients_passes),
    };
    return cmocka_run_group_tests_name("ipc/flood", tests, NULL, NULL);
}
