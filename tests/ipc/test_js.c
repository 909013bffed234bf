// A node in Node.js (examples/js/troupe.js) is a child like any other: what holds between our own
// processes holds with it. And the peer itself keeps to the protocol, which a parent by hand shows.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/numbered.h"
#include "ipc/raw.h"
#include "ipc/server.h"
#include "support/ipc.h"

#define PATIENT TR_ASK(.timeout_ms = 60000) // Node takes its time to start

static const char *const ARGV[] = {JS_DIR, NULL};

// ---- Who has spawned it: each test says what it does ----

struct play {
    int (*start)(tr_actor *self, tr_addr kid);
    int (*receive)(tr_actor *self, const tr_msg *msg); // NULL: nothing is to come
};

static struct {
    const struct play *play;
    tr_addr kid;
    uint64_t sent, got;
    tr_reason reason; // of the kid's end
} all;

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_fork(self, JS_PEER, TR_SPAWN(.argv = ARGV), &all.kid);
    if (rc == 0)
        rc = tr_monitor(self, all.kid, NULL);
    return rc < 0 ? rc : all.play->start(self, all.kid);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL)
        return all.play->receive == NULL ? TR_EUNKNOWN : all.play->receive(self, msg);
    all.reason = down->reason;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

// The test ends when the kid has.
static void perform(const struct play *play)
{
    memset(&all, 0, sizeof all);
    all.play = play;
    assert_int_equal(0, TR_RUN(NULL, &boss, TR_NULL));
}

static void assert_ended(tr_reason_kind kind, int code)
{
    assert_int_equal(kind, all.reason.kind);
    assert_int_equal(code, all.reason.code);
}

// ---- Messages ----

#define MANY 20000u

static void send_numbered(tr_actor *self, void *arg)
{
    int rc = 0;
    while (all.sent < MANY && (rc = tr_send(self, all.kid, "echo", TR_V(all.sent))) == 0)
        all.sent++;
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, all.kid, send_numbered, arg);
    TR_CHECK(rc == 0);
}

static int order_start(tr_actor *self, tr_addr kid)
{
    (void)kid;
    send_numbered(self, NULL);
    return 0;
}

static int order_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t n;
    int rc = tr_as_uint(tr_msg_body(msg), &n);
    if (!TR_CHECK(rc == 0 && n == all.got))
        return TR_EBADMSG;
    return ++all.got == MANY ? tr_stop(self, all.kid) : 0;
}

static void messages_come_back_in_order_and_all_of_them(void **state)
{
    (void)state;
    perform(&(struct play){order_start, order_receive});
    assert_int_equal(MANY, all.got);
    assert_ended(TR_REASON_SHUTDOWN, 0);
}

static const size_t SIZES[] = {0, 8, 1024, 65536, 1 << 20, 17 << 20, 63 << 20};
#define SIZE_COUNT (sizeof SIZES / sizeof *SIZES)

static void size_send(tr_actor *self, void *arg)
{
    enum shape shape = all.sent % 2 == 0 ? BUFFER : DOCUMENT;
    int rc = numbered_send(self, all.kid, shape, SIZES[all.sent / 2], all.sent);
    if (rc == TR_EFULL) // the one before is not credited yet
        rc = tr_on_writable(self, all.kid, size_send, arg);
    TR_CHECK(rc == 0);
}

static int sizes_start(tr_actor *self, tr_addr kid)
{
    (void)kid;
    size_send(self, NULL);
    return 0;
}

static int sizes_receive(tr_actor *self, const tr_msg *msg)
{
    if (!TR_CHECK(numbered_is(msg, SIZES[all.sent / 2], all.sent)))
        return TR_EBADMSG;
    if (++all.sent == 2 * SIZE_COUNT)
        return tr_stop(self, all.kid);
    size_send(self, NULL);
    return 0;
}

static void bodies_and_buffers_up_to_the_limit_come_back_unchanged(void **state)
{
    (void)state;
    perform(&(struct play){sizes_start, sizes_receive});
    assert_ended(TR_REASON_SHUTDOWN, 0);
}

static tr_val nested; // as deep as a document may be

static int document_start(tr_actor *self, tr_addr kid)
{
    return tr_send(self, kid, "echo", nested);
}

static int document_receive(tr_actor *self, const tr_msg *msg)
{
    char *sent = NULL;
    TR_CHECK(tr_json_print(nested, &sent) == 0 && strcmp(sent, tr_msg_json(msg)) == 0);
    free(sent);
    return tr_stop(self, tr_msg_from(msg));
}

static void nested_documents_and_numbers_of_64_bits_come_back_unchanged(void **state)
{
    (void)state;
    tr_addr addr = {UINT64_MAX - 1, (uint64_t)1 << 63};
    tr_val leaf =
        TR_MAP("max", UINT64_MAX, "min", INT64_MIN, "odd", ((uint64_t)1 << 53) + 1, "small", -7,
               "half", 0.5, "yes", true, "none", TR_NULL, "who", addr, "text", "gr\xc3\xbc\xc3\x9f",
               "bytes", ((tr_bytes){"\0\1\2", 3}), "list", TR_LIST(1, "two", TR_EMPTY_LIST));
    tr_val items[28];
    nested = leaf;
    for (int i = 27; i >= 0; i--) {
        items[i] = nested;
        nested = tr_val_list(&items[i], 1);
    }
    perform(&(struct play){document_start, document_receive});
    assert_ended(TR_REASON_SHUTDOWN, 0);
}

// ---- Asks ----

static void on_ask(tr_actor *self, const tr_answer *answer, void *arg)
{
    const int *status = arg;
    (void)self;
    TR_CHECK(answer->status == *status);
    all.got++;
}

static void on_late(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    TR_CHECK(answer->status == TR_ETIMEDOUT);
    all.got++;
    tr_kill(self, all.kid);
}

static void on_end(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == TR_EDOWN && answer->reason.kind == TR_REASON_KILLED);
    all.got++;
}

// Then it does not answer any more: one ask has a deadline, and one hears of the end.
static void on_pair(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_val item;
    int64_t mine = 0, twice = 0;
    (void)arg;
    TR_CHECK(tr_at(answer->body, 0, &item) == 0 && tr_as_int(item, &mine) == 0);
    TR_CHECK(tr_at(answer->body, 1, &item) == 0 && tr_as_int(item, &twice) == 0);
    TR_CHECK(mine == 21 && twice == 42);
    all.got++;
    int rc = tr_ask(self, all.kid, "never", TR_NULL, PATIENT, NULL, on_end, NULL);
    if (rc == 0)
        rc = tr_ask(self, all.kid, "echo", TR_NULL, TR_ASK(.timeout_ms = 1), NULL, on_late, NULL);
    TR_CHECK(rc == 0);
}

static int asks_start(tr_actor *self, tr_addr kid)
{
    static int good = 0, unknown = TR_EUNKNOWN, silent = TR_ENOREPLY, nobody = TR_ENOACTOR;
    tr_addr other = {kid.node, 77};
    int rc = tr_ask(self, kid, "echo", TR_V("hello"), PATIENT, NULL, on_ask, &good);
    if (rc == 0)
        rc = tr_ask(self, kid, "constructor", TR_NULL, PATIENT, NULL, on_ask, &unknown);
    if (rc == 0)
        rc = tr_ask(self, kid, "silent", TR_NULL, PATIENT, NULL, on_ask, &silent);
    if (rc == 0)
        rc = tr_ask(self, other, "echo", TR_NULL, PATIENT, NULL, on_ask, &nobody);
    if (rc == 0)
        rc = tr_ask(self, kid, "ask", TR_V(21), PATIENT, NULL, on_pair, NULL);
    return rc;
}

static int asks_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t n;
    int rc = tr_msg_is(msg, "question") ? tr_as_int(tr_msg_body(msg), &n) : TR_EUNKNOWN;
    return rc < 0 ? rc : tr_reply(self, msg, TR_V(2 * n));
}

static void asks_are_answered_both_ways_and_end_with_their_deadline_or_the_peer(void **state)
{
    (void)state;
    perform(&(struct play){asks_start, asks_receive});
    assert_int_equal(7, all.got);
    assert_ended(TR_REASON_KILLED, SIGKILL);
}

// ---- Flow control ----

static const char *fifo;

// While the kid holds, no more is accepted than its window has room for.
static void fill(tr_actor *self, void *arg)
{
    int rc;
    (void)arg;
    while ((rc = tr_send(self, all.kid, "tick", TR_NULL)) == 0)
        all.sent++;
    TR_CHECK(rc == TR_EFULL);
}

static void on_count(tr_actor *self, const tr_answer *answer, void *arg)
{
    uint64_t count = 0;
    (void)arg;
    TR_CHECK(tr_as_uint(answer->body, &count) == 0 && count == all.sent);
    tr_stop(self, all.kid);
}

static void count_them(tr_actor *self, void *arg)
{
    (void)arg;
    TR_CHECK(tr_ask(self, all.kid, "count", TR_NULL, PATIENT, NULL, on_count, NULL) == 0);
}

static void let_go(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    FILE *out = fopen(fifo, "w"); // waits until the kid reads
    TR_CHECK(out != NULL && fclose(out) == 0);
}

static int hold_start(tr_actor *self, tr_addr kid)
{
    int rc = tr_send(self, kid, "hold", TR_V(fifo));
    if (rc < 0)
        return rc;
    fill(self, NULL);
    TR_CHECK(all.sent == 4095);
    rc = tr_on_writable(self, kid, count_them, NULL);
    return rc < 0 ? rc : tr_immediate(self, let_go, NULL); // all of it has left then
}

static void a_peer_that_is_slow_makes_the_sender_wait(void **state)
{
    (void)state;
    fifo = tr_test_path("fifo");
    assert_int_equal(0, mkfifo(fifo, 0600));
    perform(&(struct play){hold_start, NULL});
    assert_ended(TR_REASON_SHUTDOWN, 0);
}

// ---- Ends ----

static int die_start(tr_actor *self, tr_addr kid)
{
    return tr_send(self, kid, "wrong", TR_NULL);
}

static void one_whose_handler_throws_ends_with_that_error(void **state)
{
    (void)state;
    perform(&(struct play){die_start, NULL});
    assert_ended(TR_REASON_ERROR, TR_EBADMSG);
}

static int quit_start(tr_actor *self, tr_addr kid)
{
    return tr_send(self, kid, "quit", TR_NULL);
}

static void one_that_leaves_ends_normally(void **state)
{
    (void)state;
    perform(&(struct play){quit_start, NULL});
    assert_ended(TR_REASON_NORMAL, 0);
}

// An actor of ours that the kid monitors.
static int mortal_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_EIO);
}
static const tr_behavior mortal = {.name = "mortal", .receive = mortal_receive};

static void on_watched(tr_actor *self, const tr_answer *answer, void *arg)
{
    int64_t kind = 0, code = 0;
    tr_val item;
    (void)arg;
    TR_CHECK(tr_at(answer->body, 0, &item) == 0 && tr_as_int(item, &kind) == 0);
    TR_CHECK(tr_at(answer->body, 1, &item) == 0 && tr_as_int(item, &code) == 0);
    TR_CHECK(kind == TR_REASON_ERROR && code == TR_EIO);
    tr_stop(self, all.kid);
}

static int watch_start(tr_actor *self, tr_addr kid)
{
    tr_addr one;
    int rc = tr_spawn(self, &mortal, NULL, &one);
    return rc < 0 ? rc : tr_ask(self, kid, "watch", TR_V(one), PATIENT, NULL, on_watched, NULL);
}

static void its_monitor_hears_of_the_end_of_an_actor_here(void **state)
{
    (void)state;
    perform(&(struct play){watch_start, NULL});
    assert_ended(TR_REASON_SHUTDOWN, 0);
}

// ---- What it does on the wire, seen by a parent by hand ----

static struct raw by_hand;
static pid_t by_hand_pid;

static void start_by_hand(void)
{
    int ends[2];
    char link[32], peer[] = JS_PEER, dir[] = JS_DIR;
    char *argv[] = {peer, dir, NULL}, *path = getenv("PATH"), search[4096];
    snprintf(link, sizeof link, "TROUPE_LINK=3:%d", (int)getpid());
    snprintf(search, sizeof search, "PATH=%s", path == NULL ? "/usr/bin:/bin" : path);
    char *env[] = {link, search, NULL};
    posix_spawn_file_actions_t actions;
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    assert_int_equal(0, posix_spawn(&by_hand_pid, peer, &actions, NULL, argv, env));
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    raw_open(&by_hand, ends[0], NULL);
    raw_sp_hello(&by_hand);
}

static void greet_by_hand(int version)
{
    raw_send(&by_hand, TR_LIST((int)HELLO, TR_MAP("troupe", version, "node", 5, "you", UINT64_MAX,
                                                  "parent", 9)));
}

static int end_by_hand(void)
{
    int status;
    raw_close(&by_hand);
    waitpid(by_hand_pid, &status, 0);
    return status;
}

static uint64_t burst_by_hand(void)
{
    uint64_t n = 0;
    const msgpack_object_array *e;
    while ((e = raw_next(&by_hand)) != NULL && e->ptr[0].via.u64 != WANT) {
        n += e->ptr[0].via.u64 == MESSAGE;
    }
    assert_non_null(e);
    return n;
}

static void it_sends_no_more_than_its_window_and_wants_credit_then(void **state)
{
    (void)state;
    start_by_hand();
    greet_by_hand(1);
    const msgpack_object_array *e = raw_next_of(&by_hand, HELLO);
    assert_non_null(e);
    raw_send(&by_hand,
             TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "burst", TR_MAP("count", 5000, "bytes", 0)));
    assert_int_equal(4096, burst_by_hand());
    // "burst" and the number: 128 of 6 bytes, 128 of 7, the rest of 8
    raw_send(&by_hand, TR_LIST((int)CREDIT, RAW_ACTOR, 4096, 128 * 6 + 128 * 7 + 3840 * 8));
    for (int n = 4096; n < 5000; n++) {
        e = raw_next_of(&by_hand, MESSAGE);
        assert_non_null(e);
        assert_int_equal(n, e->ptr[4].via.u64);
    }
    raw_send(&by_hand,
             TR_LIST((int)MESSAGE, 1, 100, "burst", TR_MAP("count", 100, "bytes", 1 << 20)));
    assert_int_equal(15, burst_by_hand()); // the sixteenth would be above 16 MiB with its name
    raw_send(&by_hand, TR_LIST((int)STOP, 1));
    e = raw_next_of(&by_hand, BYE);
    assert_int_equal(1, e->ptr[1].via.u64);
    assert_int_equal(0, end_by_hand());
}

static void it_refuses_another_version_and_what_is_no_hello(void **state)
{
    (void)state;
    start_by_hand();
    greet_by_hand(9);
    const msgpack_object_array *e = raw_next(&by_hand);
    assert_true(e != NULL && e->ptr[0].via.u64 == REFUSE && e->ptr[1].via.i64 == TR_EVERSION);
    assert_true(raw_ended(&by_hand));
    assert_int_not_equal(0, end_by_hand());
    start_by_hand();
    raw_send(&by_hand, TR_LIST((int)STOP, 1));
    e = raw_next(&by_hand);
    assert_true(e != NULL && e->ptr[0].via.u64 == REFUSE && e->ptr[1].via.i64 == TR_EBADMSG);
    assert_int_not_equal(0, end_by_hand());
}

static void it_leaves_a_parent_that_sends_no_frames(void **state)
{
    (void)state;
    start_by_hand();
    greet_by_hand(1);
    assert_non_null(raw_next_of(&by_hand, HELLO));
    raw_write(&by_hand, "\2GET / HTTP/1.1\r\n\r\n", 19);
    assert_true(raw_ended(&by_hand));
    assert_int_not_equal(0, end_by_hand());
}

static void it_ends_with_its_parent(void **state)
{
    (void)state;
    start_by_hand();
    greet_by_hand(1);
    assert_non_null(raw_next_of(&by_hand, HELLO));
    assert_int_not_equal(0, end_by_hand());
}

// ---- As a stranger ----

static void as_a_stranger_it_asks_monitors_and_hears_of_the_end(void **state)
{
    (void)state;
    const char *path = tr_test_path("socket");
    char peer[] = JS_PEER, dir[] = JS_DIR, place[256];
    char *argv[] = {peer, dir, place, NULL};
    int status;
    pid_t js, pid = server_start(path, 0);
    snprintf(place, sizeof place, "%s", path);
    assert_int_equal(0, posix_spawn(&js, peer, NULL, NULL, argv, environ));
    waitpid(js, &status, 0);
    assert_int_equal(0, status);
    waitpid(pid, &status, 0);
    assert_int_equal(0, status);
}

// ---- Another child of its parent ----

// Nobody introduces to it those that it has not said it would meet.
struct neighbour {
    bool answered, down, right;
};

static int neighbour_over(tr_actor *self, bool right)
{
    struct neighbour *n = tr_state(self);
    n->right &= right;
    return n->answered && n->down ? tr_send(self, tr_parent(self), "done", TR_V((bool)n->right))
                                  : 0;
}

static void neighbour_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct neighbour *n = tr_state(self);
    (void)arg;
    n->answered = true;
    neighbour_over(self, answer->status == TR_EDOWN);
}

static int neighbour_start(tr_actor *self, const tr_val *args)
{
    struct neighbour *n = tr_state(self);
    tr_addr to;
    int rc = tr_as_addr(*args, &to);
    n->right = true;
    if (rc == 0)
        rc = tr_monitor(self, to, NULL);
    return rc < 0 ? rc
                  : tr_ask(self, to, "count", TR_NULL, PATIENT, NULL, neighbour_answered, NULL);
}

static int neighbour_receive(tr_actor *self, const tr_msg *msg)
{
    struct neighbour *n = tr_state(self);
    const tr_down *down = tr_msg_down(msg);
    n->down = true;
    return neighbour_over(self, down != NULL && down->reason.kind == TR_REASON_NOCONNECTION);
}
static const tr_behavior neighbour = {.name = "neighbour",
                                      .state_size = sizeof(struct neighbour),
                                      .start = neighbour_start,
                                      .receive = neighbour_receive};

static int street_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    (void)args;
    int rc = tr_fork(self, JS_PEER, TR_SPAWN(.argv = ARGV), &kid);
    return rc < 0 ? rc
                  : tr_spawn(self, &neighbour, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(kid)),
                             NULL);
}

static int street_receive(tr_actor *self, const tr_msg *msg)
{
    bool right = false;
    TR_CHECK(tr_as_bool(tr_msg_body(msg), &right) == 0 && right);
    all.got++;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior street = {
    .name = "street", .start = street_start, .receive = street_receive};

static void its_siblings_are_not_introduced_to_it(void **state)
{
    (void)state;
    memset(&all, 0, sizeof all);
    assert_int_equal(0, TR_RUN(TR_APP(&neighbour), &street, TR_NULL));
    assert_int_equal(1, all.got);
}

int main(int argc, char **argv)
{
    if (tr_is_child())
        return tr_main(argc, argv, TR_APP(&neighbour));
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    if (access(JS_DIR "/node_modules/msgpackr", R_OK) != 0) {
        puts("skipped: there is no msgpackr, see js/npm_ci");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(messages_come_back_in_order_and_all_of_them),
        TR_PROCESS_TEST(bodies_and_buffers_up_to_the_limit_come_back_unchanged),
        TR_PROCESS_TEST(nested_documents_and_numbers_of_64_bits_come_back_unchanged),
        TR_PROCESS_TEST(asks_are_answered_both_ways_and_end_with_their_deadline_or_the_peer),
        TR_PROCESS_TEST(a_peer_that_is_slow_makes_the_sender_wait),
        TR_PROCESS_TEST(one_whose_handler_throws_ends_with_that_error),
        TR_PROCESS_TEST(one_that_leaves_ends_normally),
        TR_PROCESS_TEST(its_monitor_hears_of_the_end_of_an_actor_here),
        TR_PROCESS_TEST(its_siblings_are_not_introduced_to_it),
        TR_PROCESS_TEST(it_sends_no_more_than_its_window_and_wants_credit_then),
        TR_PROCESS_TEST(it_refuses_another_version_and_what_is_no_hello),
        TR_PROCESS_TEST(it_leaves_a_parent_that_sends_no_frames),
        TR_PROCESS_TEST(it_ends_with_its_parent),
        TR_PROCESS_TEST(as_a_stranger_it_asks_monitors_and_hears_of_the_end),
    };
    return cmocka_run_group_tests_name("ipc/js", tests, NULL, NULL);
}
