// A peer that breaks the rules loses at most its own link; it hears why where the protocol says so;
// and the node goes on serving the others.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/attacks.h"
#include "ipc/numbered.h"
#include "ipc/server.h"
#include "support/ipc.h"

#define GROWTH_MAX (32u << 20) // a peer may have as much as its window, and malloc keeps some
#define STATUS     7           // prog_hostile's, when all is well

// ---- Strangers ----

// A server, and a peer of it that behaves.
static struct {
    const char *path;
    pid_t pid;
    struct raw good;
    size_t descriptors, rss;
} served;

static int serve(void **state)
{
    tr_test_setup(state);
    served.path = tr_test_path("socket");
    served.pid = server_start(served.path, 0);
    raw_open(&served.good, -1, served.path);
    assert_true(raw_greet(&served.good));
    assert_true(raw_ask(&served.good));
    served.descriptors = tr_test_descriptors(served.pid);
    served.rss = ipc_rss(served.pid);
    return 0;
}

// The good peer is still served, and nothing is left of the others. An answer comes after what the
// node has done before, so there is nothing to wait for but links that close.
static void assert_served(void)
{
    assert_true(raw_ask(&served.good));
    for (int i = 0; i < 100 && tr_test_descriptors(served.pid) > served.descriptors; i++)
        assert_true(raw_ask(&served.good));
    assert_int_equal(served.descriptors, tr_test_descriptors(served.pid));
    if (!tr_test_sanitized())
        assert_in_range(ipc_rss(served.pid), 0, served.rss + GROWTH_MAX);
}

static int serve_no_more(void **state)
{
    raw_close(&served.good);
    assert_int_equal(0, server_stop(served.pid, served.path));
    assert_int_equal(0, ipc_files());
    return tr_test_teardown(state);
}

static void a_stranger_attacks(void **state)
{
    const struct attack *attack = *state;
    struct raw bad;
    raw_open(&bad, -1, served.path);
    attack->make(&bad);
    assert_true(raw_ask(&served.good));
    assert_true(attack_answered(attack, &bad));
    raw_close(&bad);
    assert_served();
}

static void a_second_peer_of_the_same_node_is_refused(void **state)
{
    (void)state;
    const struct attack twin = {.then = REFUSES, .error = TR_EEXIST};
    struct raw bad;
    raw_open(&bad, -1, served.path);
    bad.node = served.good.node;
    raw_greet(&bad);
    assert_true(attack_answered(&twin, &bad));
    raw_close(&bad);
    assert_served();
}

// Ask for so many messages and return how many are sent.
static uint64_t burst_without_credit(int count)
{
    struct raw bad;
    uint64_t messages = 0;
    const msgpack_object_array *e;
    raw_open(&bad, -1, served.path);
    raw_greet(&bad);
    raw_send(&bad,
             TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "burst",
                     TR_MAP("count", count, "witness", ((tr_addr){served.good.node, RAW_ACTOR}))));
    assert_non_null(raw_next_of(&served.good, MESSAGE));
    raw_send(&bad, TR_LIST((int)MONITOR, 12345, 1)); // of nobody: the answer comes behind them all
    while ((e = raw_next(&bad)) != NULL && e->ptr[0].via.u64 != DOWN)
        messages += e->ptr[0].via.u64 == MESSAGE;
    assert_non_null(e);
    raw_close(&bad);
    assert_served();
    return messages;
}

static void one_that_gives_no_credit_is_sent_no_more_than_the_window(void **state)
{
    (void)state;
    assert_int_equal(4096, burst_without_credit(-10000));
    assert_int_equal((16u << 20) / 65536 - 1, burst_without_credit(1000)); // their names weigh, too
}

static void what_was_accepted_leaves_while_a_slow_peer_reads(void **state)
{
    (void)state;
    const msgpack_object_array *e;
    uint64_t messages = 0;
    raw_send(&served.good, TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "quit",
                                   TR_MAP("count", 160, "witness", TR_NOBODY)));
    while ((e = raw_next(&served.good)) != NULL && e->ptr[0].via.u64 != BYE) {
        poll(NULL, 0, 5); // slow
        messages += e->ptr[0].via.u64 == MESSAGE;
    }
    assert_int_equal(160, messages);
    assert_non_null(e);
    assert_true(raw_ended(&served.good));
}

static int served_to_the_end(void **state)
{
    int status;
    assert_int_equal(served.pid, waitpid(served.pid, &status, 0));
    assert_int_equal(0, status);
    raw_close(&served.good);
    return tr_test_teardown(state);
}

// ---- A peer that never reads ----

static int burster_receive(tr_actor *self, const tr_msg *msg)
{
    for (uint64_t n = 0; n < 160; n++) {
        int rc = numbered_send(self, tr_msg_from(msg), BUFFER, 65536, n);
        if (rc < 0)
            return rc;
    }
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior burster = {.name = "burster", .receive = burster_receive};

static void a_peer_that_does_not_read_delays_the_end_no_longer_than_flush_ms(void **state)
{
    (void)state;
    tr_node *node;
    struct raw bad;
    char url[128];
    const char *path = tr_test_path("socket");
    snprintf(url, sizeof url, "ipc://%s", path);
    assert_int_equal(0, tr_node_open(TR_NODE(.flush_ms = 200), &node));
    assert_int_equal(0, tr_node_spawn(node, &burster, NULL, NULL));
    assert_int_equal(0, tr_node_listen(node, url));
    raw_open(&bad, -1, path);
    raw_sp_hello(&bad);
    raw_send(&bad, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", bad.node)));
    raw_send(&bad, TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "burst", TR_NULL));
    uint64_t start = ipc_now();
    assert_int_equal(0, tr_node_run(node));
    assert_in_range((ipc_now() - start) / 1000000, 200, 5000);
    tr_node_close(&node);
    raw_close(&bad);
}

// ---- Children ----

static struct {
    const char *attack;
    uint32_t stop_ms;
    tr_reason reason;
    bool next_one_works;
} seen;

static int child_start(tr_actor *self, const tr_val *args)
{
    return tr_send(self, tr_parent(self), "works", *args);
}
static const tr_behavior child = {.name = "child", .start = child_start};

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr kid;
    const char *argv[] = {seen.attack, NULL};
    int rc = tr_fork(self, ipc_program("prog_hostile"),
                     TR_SPAWN(.argv = argv, .stop_ms = seen.stop_ms), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "works")) {
        seen.next_one_works = true;
        return tr_exit(self, TR_NORMAL);
    }
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    seen.reason = tr_msg_down(msg)->reason;
    return tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), NULL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

#define APP TR_APP(&child)

static void see_child_end(const char *attack, tr_reason_kind kind, int code)
{
    memset(&seen, 0, sizeof seen);
    seen.attack = attack;
    seen.stop_ms = kind == TR_REASON_KILLED ? 100 : 60000; // one that leaves by itself has the time
    assert_int_equal(0, TR_RUN(APP, &parent, TR_NULL));
    assert_int_equal(kind, seen.reason.kind);
    assert_int_equal(code, seen.reason.code);
    assert_true(seen.next_one_works);
}

static void a_child_attacks(void **state)
{
    const struct attack *attack = *state;
    see_child_end(attack->name, TR_REASON_EXITED, STATUS);
}

static void a_child_that_is_another_node_than_it_was_given_is_refused(void **state)
{
    (void)state;
    see_child_end("another node than it was given is refused", TR_REASON_EXITED, STATUS);
}

static void a_child_that_closes_its_link_and_lives_is_ended(void **state)
{
    (void)state;
    see_child_end("closes the link and lives", TR_REASON_KILLED, SIGTERM);
}

// What tr_test_teardown finds open is told as a leak.
static void a_child_that_cheats_with_descriptors_loses_its_link(void **state)
{
    (void)state;
    static const char *const cheats[] = {
        "descriptors with an ordinary message",
        "descriptors bit by bit",
        "fewer descriptors than announced",
        "more descriptors than announced",
        "descriptors announced, and no message",
        "bytes announced, and none sent",
        "no descriptors announced",
        "taken, and never sent",
    };
    for (size_t i = 0; i < sizeof cheats / sizeof *cheats; i++)
        see_child_end(cheats[i], TR_REASON_EXITED, STATUS);
}

// ---- A child that has a connection ----

static struct {
    tr_addr kid;
    bool down, closed, returned;
    int lost; // dead letters
} given;

static void given_leave(tr_actor *self)
{
    if (given.down && given.closed)
        tr_exit(self, TR_NORMAL);
}

static void given_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr_handle *handle = NULL;
    tr_msg *msg = NULL;
    (void)arg;
    int rc = tr_stream_detach(self, stream, &handle);
    if (rc == 0)
        rc = tr_msg_new("connection", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, &handle);
    if (rc == 0)
        rc = tr_send_msg(self, given.kid, &msg);
    tr_handle_close(&handle);
    tr_msg_free(&msg);
    if (rc < 0)
        tr_exit(self, rc);
}

static void given_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)status, (void)arg;
    given.closed = true;
    given_leave(self);
}

static int giver_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.closed = given_closed};
    const char *argv[] = {"taken, behind garbage", NULL};
    char address[TR_ADDRESS_MAX];
    tr_server server;
    tr_stream client;
    (void)args;
    int rc = tr_dead_letters(self, true);
    if (rc == 0)
        rc = tr_fork(self, ipc_program("prog_hostile"), TR_SPAWN(.argv = argv, .stop_ms = 60000),
                     &given.kid);
    if (rc == 0)
        rc = tr_monitor(self, given.kid, NULL);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, given_accepted, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    if (rc == 0)
        rc = tr_connect(self, address, NULL, &client);
    return rc < 0 ? rc : tr_stream_on(self, client, &events, NULL);
}

static int giver_receive(tr_actor *self, const tr_msg *msg)
{
    tr_str name;
    given.returned |= tr_msg_returned(msg) != NULL;
    if (tr_msg_is(msg, "dead letter") && tr_get_str(tr_msg_body(msg), "name", &name) == 0)
        given.lost += tr_str_eq(name, "connection");
    given.down |= tr_msg_down(msg) != NULL;
    given_leave(self);
    return 0;
}
static const tr_behavior giver = {.name = "giver", .start = giver_start, .receive = giver_receive};

// Goal:   a connection that a child may have taken is given to nobody else.
// Method: the child takes it, but loses its link by a breach before it has said so.
static void what_a_child_may_have_taken_does_not_come_back(void **state)
{
    (void)state;
    memset(&given, 0, sizeof given);
    assert_int_equal(0, TR_RUN(APP, &giver, TR_NULL));
    assert_false(given.returned);
    assert_int_equal(1, given.lost);
}

// ---- All of them ----

static const struct CMUnitTest own_tests[] = {
    cmocka_unit_test_setup_teardown(a_second_peer_of_the_same_node_is_refused, serve,
                                    serve_no_more),
    cmocka_unit_test_setup_teardown(one_that_gives_no_credit_is_sent_no_more_than_the_window, serve,
                                    serve_no_more),
    cmocka_unit_test_setup_teardown(what_was_accepted_leaves_while_a_slow_peer_reads, serve,
                                    served_to_the_end),
    TR_PROCESS_TEST(a_peer_that_does_not_read_delays_the_end_no_longer_than_flush_ms),
    TR_PROCESS_TEST(a_child_that_is_another_node_than_it_was_given_is_refused),
    TR_PROCESS_TEST(a_child_that_closes_its_link_and_lives_is_ended),
    TR_PROCESS_TEST(a_child_that_cheats_with_descriptors_loses_its_link),
    TR_PROCESS_TEST(what_a_child_may_have_taken_does_not_come_back),
};

// Each attack is a test of its own, once by a stranger and once by a child.
static struct CMUnitTest attack_test(const char *who, const struct attack *attack)
{
    static char names[2 * ATTACKS_MAX][96];
    static size_t next;
    char *name = names[next++];
    bool stranger = strcmp(who, "stranger") == 0;
    snprintf(name, sizeof names[0], "%s: %s", who, attack->name);
    return (struct CMUnitTest){.name = name,
                               .test_func = stranger ? a_stranger_attacks : a_child_attacks,
                               .setup_func = stranger ? serve : tr_test_setup,
                               .teardown_func = stranger ? serve_no_more : tr_test_teardown,
                               .initial_state = (void *)(uintptr_t)attack};
}

int main(int argc, char **argv)
{
    if (tr_is_child())
        return tr_main(argc, argv, APP);
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    struct CMUnitTest tests[2 * ATTACKS_MAX + sizeof own_tests / sizeof *own_tests];
    size_t n = 0;
    for (size_t i = 0; i < attack_count; i++) {
        tests[n++] = attack_test("stranger", &attacks[i]);
        tests[n++] = attack_test("child", &attacks[i]);
    }
    memcpy(tests + n, own_tests, sizeof own_tests);
    n += sizeof own_tests / sizeof *own_tests;
    return _cmocka_run_group_tests("ipc/hostile", tests, n, NULL, NULL);
}
