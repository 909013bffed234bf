// Servers at the limits of their process: descriptors, and memory. The clients are plain sockets of
// the test's, made by the server's own actor: the system connects them while nobody accepts.
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <troupe.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

static int run(const tr_behavior *behavior)
{
    tr_node *node = NULL;
    int rc = tr_node_open(TR_NODE(.loops = 1), &node);
    if (rc == 0)
        rc = tr_node_spawn(node, behavior, NULL, NULL);
    if (rc == 0)
        rc = tr_node_run(node);
    tr_node_close(&node);
    return rc;
}

static struct sockaddr_in at; // the server

static int listen_here(tr_actor *self, const tr_listen_opts *opts, tr_accepted cb)
{
    char address[TR_ADDRESS_MAX];
    tr_server server;
    int rc = tr_listen(self, "tcp://127.0.0.1:0", opts, cb, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    at.sin_port = htons(rc == 0 ? (uint16_t)atoi(strrchr(address, ':') + 1) : 0);
    return rc;
}

// A client, connected; or -1.
static int visit(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&at, sizeof at) < 0 ? -1 : fd;
}

// ---- Descriptors ----

#define VISITORS 3

static int visitors[VISITORS + 1];
static unsigned dropped_count, accepted_count;
static struct rlimit limit;

static void on_late_client(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    accepted_count++;
    tr_exit(self, TR_NORMAL);
}

static void on_dropped(tr_actor *self, tr_server server, int error, void *arg)
{
    (void)self, (void)server, (void)arg;
    if (error != -EMFILE || ++dropped_count < VISITORS)
        return;
    setrlimit(RLIMIT_NOFILE, &limit);
    visitors[VISITORS] = visit();
}

// From here on no descriptor is to be had.
static void exhaust(void)
{
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &limit);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, limit.rlim_max});
}

static int exhausted_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = listen_here(self, TR_LISTEN(.dropped = on_dropped), on_late_client);
    for (int i = 0; i < VISITORS; i++)
        visitors[i] = visit();
    exhaust();
    return rc;
}

// Goal:   without descriptors each client is told, so is the server, and it goes on afterwards.
// Method: the limit is lowered under clients that wait, and put back when all have been dropped.
static void test_out_of_descriptors(void **state)
{
    (void)state;
    static const tr_behavior exhausted = {.name = "exhausted", .start = exhausted_start};
    char byte;
    assert_int_equal(0, run(&exhausted));
    assert_int_equal(VISITORS, dropped_count);
    assert_int_equal(1, accepted_count);
    for (int i = 0; i < VISITORS; i++)
        assert_int_equal(0, recv(visitors[i], &byte, 1, MSG_DONTWAIT));
    for (int i = 0; i <= VISITORS; i++)
        close(visitors[i]);
}

static void give_up(tr_actor *self, tr_server server, int error, void *arg)
{
    (void)arg;
    setrlimit(RLIMIT_NOFILE, &limit);
    dropped_count++;
    tr_server_close(self, server);
    tr_exit(self, error == -EMFILE ? TR_NORMAL : error);
}

static int quitting_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = listen_here(self, TR_LISTEN(.dropped = give_up), on_late_client);
    for (int i = 0; i < 2; i++)
        visitors[i] = visit();
    exhaust();
    return rc;
}

static void test_a_server_may_be_closed_when_it_hears_of_that(void **state)
{
    (void)state;
    static const tr_behavior quitting = {.name = "quitting", .start = quitting_start};
    dropped_count = accepted_count = 0;
    assert_int_equal(0, run(&quitting));
    assert_int_equal(1, dropped_count);
    assert_int_equal(0, accepted_count);
    for (int i = 0; i < 2; i++)
        close(visitors[i]);
}

// ---- Where two have one listener ----

#define GUESTS 5

static int guests[GUESTS];
static unsigned served;
static tr_handle *inherited;

// Ends with clients in its backlog, which are its heir's, too.
static int testator_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX];
    tr_server server;
    tr_addr heir;
    tr_handle *handle = NULL;
    tr_msg *will = NULL;
    int rc = tr_as_addr(*args, &heir);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, on_late_client, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    at.sin_port = htons(rc == 0 ? (uint16_t)atoi(strrchr(address, ':') + 1) : 0);
    if (rc == 0)
        rc = tr_server_share(self, server, &handle);
    if (rc == 0)
        rc = tr_msg_new("will", TR_NULL, &will);
    if (rc == 0)
        rc = tr_msg_attach_handle(will, &handle);
    if (rc == 0)
        rc = tr_send_msg(self, heir, &will);
    tr_handle_close(&handle);
    tr_msg_free(&will);
    for (int i = 0; i < GUESTS; i++)
        guests[i] = visit();
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}
static const tr_behavior testator = {.name = "testator", .start = testator_start};

static void on_guest(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    if (++served == GUESTS)
        tr_exit(self, TR_NORMAL);
}

static void waited_too_long(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_ETIMEDOUT);
}

static int heir_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &testator, TR_SPAWN(.args = TR_V(tr_self(self))), &addr);
    if (rc == 0)
        rc = tr_monitor(self, addr, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_S(10), waited_too_long, NULL, NULL);
}

// It accepts when the other one is quite gone.
static int heir_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return tr_msg_take_handle(self, msg, 0, &inherited);
    int rc = tr_listen_on(self, &inherited, NULL, on_guest, NULL, NULL);
    tr_handle_close(&inherited);
    return rc;
}

// Goal:   an actor that ends takes no client along that others would have accepted.
// Method: clients wait at a listener that two actors have, as one of them ends.
static void test_one_that_ends_accepts_nobody(void **state)
{
    (void)state;
    static const tr_behavior heir = {.name = "heir", .start = heir_start, .receive = heir_receive};
    accepted_count = 0;
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(0, run(&heir));
    assert_int_equal(GUESTS, served);
    assert_int_equal(0, accepted_count);
    for (int i = 0; i < GUESTS; i++)
        close(guests[i]);
}

// ---- A limit that changes ----

static tr_server limited;
static int late;

// With one open the next ones wait; then there is room for two.
static void on_limited_client(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    if (++served == 1)
        tr_server_limit(self, limited, 2);
    else
        tr_exit(self, TR_NORMAL);
}

static int limited_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    char address[TR_ADDRESS_MAX];
    int rc = tr_listen(self, "tcp://127.0.0.1:0", TR_LISTEN(.connections_max = 1),
                       on_limited_client, NULL, &limited);
    if (rc == 0)
        rc = tr_server_address(self, limited, address);
    at.sin_port = htons(rc == 0 ? (uint16_t)atoi(strrchr(address, ':') + 1) : 0);
    guests[0] = visit();
    late = visit();
    return rc < 0 ? rc : tr_timer_start(self, TR_S(10), waited_too_long, NULL, NULL);
}

static void test_a_limit_may_be_raised(void **state)
{
    (void)state;
    static const tr_behavior server = {.name = "limited", .start = limited_start};
    served = 0;
    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(0, run(&server));
    assert_int_equal(2, served);
    close(guests[0]);
    close(late);
}

// ---- Memory ----

#define CROWD 300

static int crowd[CROWD];
static size_t before, after; // bytes in use, without and with the crowd
static unsigned heard;

static void on_word(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)stream, (void)chunk, (void)arg;
    if (++heard < CROWD)
        return;
    after = counted.live;
    tr_exit(self, TR_NORMAL);
}

static void on_idle_client(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = on_word};
    (void)arg;
    tr_stream_on(self, stream, &events, NULL);
}

static int crowded_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = listen_here(self, NULL, on_idle_client);
    before = counted.live;
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = visit();
        if (send(crowd[i], "word", 4, 0) != 4)
            return TR_EIO;
    }
    return rc;
}

// Goal:   a connection that has said something and is idle now holds no buffers.
// Method: what is in use after each of a crowd has been heard; 64 KiB each would be 19 MiB.
static void test_idle_connections_are_small(void **state)
{
    (void)state;
    static const tr_behavior crowded = {.name = "crowded", .start = crowded_start};
    counted_memory_start(0);
    int rc = run(&crowded);
    assert_int_equal(0, counted_memory_stop());
    assert_int_equal(0, rc);
    assert_true(after - before < (size_t)CROWD * 2048 + 65536 * 2);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_a_server_may_be_closed_when_it_hears_of_that),
        cmocka_unit_test(test_one_that_ends_accepts_nobody),
        cmocka_unit_test(test_a_limit_may_be_raised),
        cmocka_unit_test(test_idle_connections_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
