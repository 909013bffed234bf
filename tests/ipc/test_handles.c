// Handles and real processes: workers that die at random with connections in their hands, and
// processes that have no descriptor left.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/ipc.h"

#define WORKERS  4
#define AT_ONCE  64 // clients
#define REQUEST  "request\n"
#define ANSWER   "ok"
#define KILL_GAP TR_MS(3)

// ---- Workers ----

static void worker_pause(tr_actor *self)
{
    // Some requests are under way at any time.
    for (int i = 0; i < 2000; i++)
        tr_now(self);
}

// A request is whole, or somebody else has read some of it.
static void worker_readable(tr_actor *self, tr_stream stream, void *arg)
{
    tr_buf *chunk;
    (void)arg;
    int rc = tr_stream_read(self, stream, strlen(REQUEST), &chunk);
    if (rc == TR_EAGAIN)
        return;
    worker_pause(self);
    bool whole = rc == 0 && tr_buf_size(chunk) == strlen(REQUEST) &&
                 memcmp(tr_buf_data(chunk), REQUEST, strlen(REQUEST)) == 0;
    tr_buf_unref(rc == 0 ? &chunk : &(tr_buf *){NULL});
    tr_stream_write_bytes(self, stream, whole ? ANSWER : "bad", whole ? 2 : 3);
    tr_stream_end(self, stream);
}

// Room for so many more descriptors than it has.
static int worker_limit(int64_t room)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = tr_test_descriptors(getpid()) + (rlim_t)room;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static int worker_start(tr_actor *self, const tr_val *args)
{
    int64_t room;
    int rc = tr_as_int(*args, &room);
    if (rc == 0 && room > 0)
        rc = worker_limit(room);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "pid", TR_V((int64_t)getpid()));
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events events = {.readable = worker_readable};
    tr_handle *handle = NULL;
    tr_stream stream;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_stream_attach(self, &handle, NULL, &stream);
    tr_handle_close(&handle);
    return rc < 0 ? rc : tr_stream_on(self, stream, &events, NULL);
}

static const tr_behavior worker = {
    .name = "worker", .start = worker_start, .receive = worker_receive};

// ---- Couriers: each on a loop of its own, beside that of the links ----

// What cannot be handed on goes back.
static int courier_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr to;
    int rc = tr_as_addr(tr_msg_body(msg), &to);
    if (rc == 0)
        rc = tr_forward(self, msg, to);
    return rc < 0 ? TR_EUNKNOWN : 0;
}

static const tr_behavior courier = {.name = "courier", .receive = courier_receive};

// ---- The parent: clients, a server that hands connections on, and a murderer ----

static struct {
    uint64_t clients, connected, closed;
    uint64_t answered, unanswered, wrong;
    uint64_t returned, killed;
    size_t next;
    tr_addr workers[WORKERS];
    pid_t pids[WORKERS]; // 0: it has not said, or is dead
    bool limited;        // workers have few descriptors
    bool couriers;       // messages go by another loop
    tr_addr courier;
    tr_handle *waiting[AT_ONCE]; // while all workers are dead
    size_t waiting_count;
    char address[TR_ADDRESS_MAX];
    unsigned random;
} scene;

static struct client {
    char got[8];
    size_t size;
} clients[AT_ONCE];

static int must(tr_actor *self, int rc)
{
    if (rc < 0)
        tr_exit(self, rc);
    return rc;
}

static void client_connect(tr_actor *self, struct client *c);

static void client_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct client *c = arg;
    size_t room = sizeof c->got - c->size, size = tr_buf_size(chunk);
    (void)self, (void)stream;
    memcpy(c->got + c->size, tr_buf_data(chunk), size < room ? size : room);
    c->size += size < room ? size : room;
}

static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct client *c = arg;
    (void)stream, (void)status;
    scene.answered += c->size == 2 && memcmp(c->got, ANSWER, 2) == 0;
    scene.unanswered += c->size == 0;
    scene.wrong += c->size != 0 && (c->size != 2 || memcmp(c->got, ANSWER, 2) != 0);
    scene.closed++;
    if (scene.connected < scene.clients)
        client_connect(self, c);
    else if (scene.closed == scene.clients)
        tr_exit(self, TR_NORMAL);
}

static void client_connect(tr_actor *self, struct client *c)
{
    static const tr_stream_events events = {.data = client_data, .closed = client_closed};
    tr_stream stream;
    scene.connected++;
    c->size = 0;
    int rc = tr_connect(self, scene.address, TR_CONNECT(.half_open = true), &stream);
    if (rc == 0)
        rc = tr_stream_on(self, stream, &events, c);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, stream, REQUEST, strlen(REQUEST));
    if (rc >= 0)
        rc = tr_stream_end(self, stream);
    must(self, rc);
}

static int worker_spawn(tr_actor *self, size_t i)
{
    scene.pids[i] = 0;
    int rc = tr_spawn(self, &worker,
                      TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(scene.limited ? 3 : 0)),
                      &scene.workers[i]);
    return rc < 0 ? rc : tr_monitor(self, scene.workers[i], NULL);
}

// To the next one that takes it: one that is dead is passed over. moves: *handle
static void hand_on(tr_actor *self, tr_handle **handle)
{
    tr_msg *msg = NULL;
    tr_addr to = scene.workers[scene.next++ % WORKERS];
    int rc = tr_msg_new("connection", TR_V(to), &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, handle);
    if (rc == 0 && scene.couriers)
        rc = tr_send_msg(self, scene.courier, &msg);
    for (size_t i = 0; rc == 0 && msg != NULL && i < WORKERS; i++, scene.next++)
        tr_send_msg(self, scene.workers[scene.next % WORKERS], &msg);
    if (rc == 0 && msg != NULL)
        rc = tr_msg_take_handle(self, msg, 0, &scene.waiting[scene.waiting_count++]);
    must(self, rc);
    tr_msg_free(&msg);
}

static void hand_on_waiting(tr_actor *self)
{
    size_t count = scene.waiting_count;
    tr_handle *waiting[AT_ONCE];
    memcpy(waiting, scene.waiting, sizeof waiting);
    scene.waiting_count = 0;
    for (size_t i = 0; i < count; i++)
        hand_on(self, &waiting[i]);
}

static void server_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr_handle *handle = NULL;
    (void)arg;
    if (must(self, tr_stream_detach(self, stream, &handle)) == 0)
        hand_on(self, &handle);
    tr_handle_close(&handle);
}

static size_t worker_of(tr_addr addr)
{
    size_t i = 0;
    while (i < WORKERS && !tr_addr_eq(scene.workers[i], addr))
        i++;
    return i;
}

static void kill_one(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    scene.random = scene.random * 1664525 + 1013904223;
    pid_t *pid = &scene.pids[(scene.random >> 24) % WORKERS];
    if (*pid == 0)
        return;
    kill(*pid, SIGKILL);
    *pid = 0;
    scene.killed++;
}

static int take_back(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    scene.returned++;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        hand_on(self, &handle);
    tr_handle_close(&handle);
    return rc;
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t pid;
    size_t i = worker_of(tr_msg_from(msg));
    if (tr_msg_returned(msg) != NULL)
        return take_back(self, msg);
    if (tr_msg_down(msg) != NULL)
        return worker_spawn(self, worker_of(tr_msg_down(msg)->addr));
    int rc = tr_as_int(tr_msg_body(msg), &pid);
    if (rc == 0 && i < WORKERS)
        scene.pids[i] = (pid_t)pid;
    hand_on_waiting(self);
    return rc;
}

static int parent_begin(tr_actor *self)
{
    tr_server server;
    int rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, server_accepted, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, scene.address);
    if (rc == 0 && scene.couriers)
        rc = tr_spawn(self, &courier, TR_SPAWN(.isolation = TR_THREAD), &scene.courier);
    for (size_t i = 0; rc == 0 && i < WORKERS; i++)
        rc = worker_spawn(self, i);
    for (size_t i = 0; rc == 0 && i < AT_ONCE && scene.connected < scene.clients; i++)
        client_connect(self, &clients[i]);
    return rc;
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = parent_begin(self);
    return rc < 0 || scene.limited ? rc : tr_interval_start(self, KILL_GAP, kill_one, NULL, NULL);
}

static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

// ---- A link that is full, for one on another loop ----

static int sink_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return 0;
}
static const tr_behavior sink = {.name = "sink", .receive = sink_receive};

static struct {
    int sent, forwarded, left; // what those calls said
} full;

// Its handle must still be in it when it cannot be sent.
static void filler_try(tr_actor *self, const tr_msg *msg, tr_addr to)
{
    tr_handle *handle = NULL;
    tr_msg *mine = NULL;
    full.forwarded = tr_forward(self, msg, to);
    full.left = tr_msg_take_handle(self, msg, 0, &handle);
    if (full.left == 0 && tr_msg_new("handle", TR_NULL, &mine) == 0 &&
        tr_msg_attach_handle(mine, &handle) == 0) {
        full.sent = tr_send_msg(self, to, &mine);
        full.left = tr_msg_take_handle(self, mine, 0, &handle);
    }
    tr_msg_free(&mine);
    tr_handle_close(&handle);
}

// There is no more room within a turn once there is none.
static int filler_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr to;
    int rc = tr_as_addr(tr_msg_body(msg), &to);
    while (rc == 0)
        rc = tr_send(self, to, "noise", TR_NULL);
    if (rc == TR_EFULL)
        filler_try(self, msg, to);
    return tr_send(self, tr_parent(self), "tried", TR_V(rc));
}
static const tr_behavior filler = {.name = "filler", .receive = filler_receive};

static int full_start(tr_actor *self, const tr_val *args)
{
    tr_addr child, by;
    tr_handle *handle = NULL;
    tr_msg *msg = NULL;
    (void)args;
    int rc = tr_spawn(self, &sink, TR_SPAWN(.isolation = TR_PROCESS), &child);
    if (rc == 0)
        rc = tr_spawn(self, &filler, TR_SPAWN(.isolation = TR_THREAD), &by);
    if (rc == 0)
        rc = tr_listener_open(self, "tcp://127.0.0.1:0", NULL, &handle);
    if (rc == 0)
        rc = tr_msg_new("fill", TR_V(child), &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, &handle);
    if (rc == 0)
        rc = tr_send_msg(self, by, &msg);
    tr_msg_free(&msg);
    tr_handle_close(&handle);
    return rc;
}

static int full_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior full_parent = {
    .name = "full", .start = full_start, .receive = full_receive};

static const tr_app *app(void)
{
    static const tr_behavior *const all[] = {&parent, &worker, &sink};
    static const tr_app three = {all, 3};
    return &three;
}

static void run(uint64_t count, bool limited, bool couriers)
{
    tr_node *node = NULL;
    memset(&scene, 0, sizeof scene);
    scene.clients = count;
    scene.limited = limited;
    scene.couriers = couriers;
    size_t descriptors = tr_test_descriptors(getpid());
    assert_int_equal(0, tr_node_open(TR_NODE(.app = app()), &node));
    assert_int_equal(0, tr_node_spawn(node, &parent, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    tr_node_close(&node);
    assert_int_equal(descriptors, tr_test_descriptors(getpid()));
    assert_int_equal(count, scene.closed);
    assert_int_equal(count, scene.answered + scene.unanswered);
    assert_int_equal(0, scene.wrong);
    if (getenv("TROUPE_TEST_SCALE") != NULL)
        print_message("%llu connections: %llu answered, %llu closed; %llu came back; %llu killed\n",
                      (unsigned long long)count, (unsigned long long)scene.answered,
                      (unsigned long long)scene.unanswered, (unsigned long long)scene.returned,
                      (unsigned long long)scene.killed);
}

// Goal:   every connection is served once or closed, none is lost, and no descriptor is left.
// Method: connections are handed to workers of which one is killed every few milliseconds; what
//         comes back is handed to another one, which finds the whole request or says so.
static void workers_may_die_at_any_time(void **state)
{
    (void)state;
    const char *scale = getenv("TROUPE_TEST_SCALE");
    run(scale == NULL ? ipc_scaled(1000) : ipc_scaled(10000), false, false);
    assert_in_range(scene.killed, 1, UINT64_MAX);
    assert_in_range(scene.answered, 1, scene.clients); // how many is a matter of speed
}

// Goal:   the same when the sender is not on the loop of the links.
static void connections_may_go_by_another_loop(void **state)
{
    (void)state;
    run(ipc_scaled(1000), false, true);
    assert_in_range(scene.answered, 1, scene.clients); // how many is a matter of speed
}

// Goal:   what a process has no descriptor for goes back, and somebody has it in the end.
// Method: 64 clients at a time, and workers with room for a handful each.
static void who_has_no_descriptor_left_gives_back(void **state)
{
    (void)state;
    run(ipc_scaled(1000), true, false);
    assert_int_equal(scene.clients, scene.answered);
    assert_in_range(scene.returned, 1, UINT64_MAX);
}

// Goal:   what a full link has no room for stays with its sender, handles and all.
// Method: an actor on another loop than the link's fills its window, then forwards and sends.
static void what_a_full_link_does_not_take_keeps_its_handles(void **state)
{
    tr_node *node = NULL;
    (void)state;
    memset(&full, 0, sizeof full);
    assert_int_equal(0, tr_node_open(TR_NODE(.app = app()), &node));
    assert_int_equal(0, tr_node_spawn(node, &full_parent, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    tr_node_close(&node);
    assert_int_equal(TR_EFULL, full.forwarded);
    assert_int_equal(TR_EFULL, full.sent);
    assert_int_equal(0, full.left);
}

int main(int argc, char **argv)
{
    if (tr_is_child())
        return tr_main(argc, argv, app());
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(workers_may_die_at_any_time),
        TR_PROCESS_TEST(connections_may_go_by_another_loop),
        TR_PROCESS_TEST(who_has_no_descriptor_left_gives_back),
        TR_PROCESS_TEST(what_a_full_link_does_not_take_keeps_its_handles),
    };
    return cmocka_run_group_tests_name("ipc/handles", tests, NULL, NULL);
}
