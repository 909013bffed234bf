// Strangers in great numbers, slow ones, deaf ones and wrong ones, at a path and over TCP: the node
// loses them, says so once, and serves the others all the while; afterwards nothing is left of them
// and it is idle.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/server.h"
#include "support/ipc.h"
#include "support/random.h"

#define KNOCKS       1000
#define KILLS        200
#define CLIENTS      200
#define DESCRIPTORS  64
#define IDLE_MS      2000
#define IDLE_CPU_MAX (TR_MS(IDLE_MS) / 100)
#define TRIES        20 // of one that means well, while others take all there is
#define PATIENCE_NS  TR_S(40)

static struct {
    const char *url;
    char log[512];
    pid_t pid;
    struct raw good; // a peer that behaves
    size_t descriptors;
} served;

static void serve(const char *scheme, unsigned descriptors)
{
    char url[TR_URL_MAX];
    snprintf(url, sizeof url, "%s", "tcp://127.0.0.1:0");
    if (strcmp(scheme, "ipc") == 0)
        snprintf(url, sizeof url, "ipc://%s", tr_test_path("socket"));
    snprintf(served.log, sizeof served.log, "%s", tr_test_path("log"));
    unlink(served.log);
    server_log(served.log);
    served.pid = server_start(url, descriptors);
    server_log(NULL);
    served.url = server_url();
    raw_open(&served.good, -1, served.url);
    assert_true(raw_greet(&served.good));
    assert_true(raw_ask(&served.good));
    served.descriptors = tr_test_descriptors(served.pid);
}

// The good one is served until the node holds so many more than at first.
static void see_more(size_t more)
{
    uint64_t start = ipc_now();
    size_t wanted = served.descriptors + more;
    do
        assert_true(raw_ask(&served.good));
    while (tr_test_descriptors(served.pid) != wanted && ipc_now() - start < PATIENCE_NS);
    assert_int_equal(wanted, tr_test_descriptors(served.pid));
}

static void see_them_gone(void)
{
    see_more(0);
}

static void serve_no_more(void)
{
    raw_close(&served.good);
    assert_int_equal(0, server_stop(served.pid, served.url));
}

static unsigned logged(const char *words)
{
    char line[512];
    unsigned n = 0;
    FILE *in = fopen(served.log, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL)
        n += strstr(line, words) != NULL;
    fclose(in);
    return n;
}

// ---- Those that go in the middle of it ----

// What a stranger says until it is in, as far as it may be known before: cut at some byte.
static void knock(uint64_t *random)
{
    struct raw r;
    uint8_t nonce[RAW_PROOF] = {0};
    tr_buf *first;
    bool abort_it = random_below(random, 2) == 0;
    raw_open(&r, -1, served.url);
    tr_val hello = TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", r.node));
    tr_val challenge = TR_LIST((int)CHALLENGE, TR_MAP("troupe", 1, "node", r.node, "nonce",
                                                      ((tr_bytes){nonce, sizeof nonce})));
    assert_int_equal(0, tr_val_pack(r.tcp ? challenge : hello, &first));
    uint8_t all[256] = {0, 'S', 'P', 0, 0, 0x11, 0, 0, 1};
    size_t size = 8 + !r.tcp, packed = tr_buf_size(first);
    all[size + 7] = (uint8_t)(packed + 4);
    all[size + 11] = 1;
    memcpy(all + size + 12, tr_buf_data(first), packed);
    raw_write(&r, all, random_below(random, size + 12 + packed + 1));
    if (abort_it)
        setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    raw_close(&r);
    tr_buf_unref(&first);
}

static char note[512]; // the file

// A whole node, that dials, and notes in a file when it is in.
static pid_t start_one(void)
{
    char url[TR_URL_MAX], name[] = "dialler", option[] = "--dial";
    char *argv[] = {name, option, url, note, NULL};
    pid_t pid;
    snprintf(url, sizeof url, "%s", served.url);
    snprintf(note, sizeof note, "%s", tr_test_path("in"));
    unlink(note);
    assert_int_equal(0, posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ));
    return pid;
}

static void see_it_in(void)
{
    uint64_t start = ipc_now();
    do
        assert_true(raw_ask(&served.good));
    while (ipc_noted(note) == UINT64_MAX && ipc_now() - start < PATIENCE_NS);
    assert_int_equal(1, ipc_noted(note));
}

static void end_one(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// It is killed a moment after it has been started.
static void kill_one(uint64_t *random)
{
    pid_t pid = start_one();
    int end = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(end >= 0 && !ipc_ended(end, (int)random_below(random, 20)));
    close(end);
    end_one(pid);
}

static void see_idle(void)
{
    uint64_t before = ipc_cpu(served.pid);
    poll(NULL, 0, IDLE_MS); // it is what is not done in this time that counts
    assert_in_range(ipc_cpu(served.pid) - before, 0, IDLE_CPU_MAX);
}

static void peers_that_die_in_the_handshake(const char *scheme)
{
    uint64_t random = 1;
    serve(scheme, 0);
    for (uint64_t i = 0; i < ipc_scaled(KNOCKS); i++) {
        knock(&random);
        if (i % 50 == 0)
            assert_true(raw_ask(&served.good));
    }
    for (uint64_t i = 0; i < ipc_scaled(KILLS); i++)
        kill_one(&random);
    see_them_gone();
    if (!tr_test_sanitized())
        see_idle();
    serve_no_more();
}

static void a_thousand_peers_that_die_in_the_handshake_do_no_harm(void **state)
{
    (void)state;
    peers_that_die_in_the_handshake("ipc");
    peers_that_die_in_the_handshake("tcp");
}

// ---- More of them than there are descriptors ----

// Somebody who means well tries as often as a node that dials would.
static void one_gets_in(void)
{
    struct raw late;
    bool in = false;
    for (int i = 0; i < TRIES && !in; i++) {
        raw_open(&late, -1, served.url);
        in = raw_greet(&late) && raw_ask(&late);
        raw_close(&late);
    }
    assert_true(in);
}

static void too_many(const char *scheme)
{
    static struct raw clients[CLIENTS];
    serve(scheme, DESCRIPTORS);
    for (int i = 0; i < CLIENTS; i++) {
        raw_open(&clients[i], -1, served.url);
        raw_sp_hello(&clients[i]);
        if (i % 20 == 0)
            assert_true(raw_ask(&served.good));
    }
    assert_true(raw_ask(&served.good));
    one_gets_in();
    for (int i = 0; i < CLIENTS; i++)
        raw_close(&clients[i]);
    see_them_gone();
    assert_true(logged("peer.dropped") <= 1);
    assert_true(logged("peer.crowded") <= 1);
    one_gets_in();
    serve_no_more();
}

static void two_hundred_clients_against_64_descriptors_do_no_harm(void **state)
{
    (void)state;
    too_many("ipc");
    too_many("tcp");
}

// ---- Deaf and slow ones ----

static void open_greeted(struct raw *r, int silence)
{
    raw_open(r, -1, served.url);
    raw_sp_hello(r);
    if (r->tcp) {
        assert_true(raw_challenge(r));
        raw_prove(r, RAW_SECRET);
    }
    assert_non_null(raw_next_of(r, HELLO));
    tr_val known = TR_MAP("troupe", 1, "node", r->node, "silence", silence);
    raw_send(r, TR_LIST((int)HELLO, silence == 0 ? TR_MAP("troupe", 1, "node", r->node) : known));
}

// It asks for more than a socket holds, credits nothing, and never reads.
static void be_deaf(struct raw *r)
{
    open_greeted(r, 0);
    raw_send(r, TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "burst",
                        TR_MAP("count", 1000, "witness", TR_NOBODY)));
}

// Its host is gone without a word, if this process may make it so: what the node sends meets nobody.
static void vanish(struct raw *r)
{
    if (r->tcp)
        setsockopt(r->fd, SOL_TCP, TCP_REPAIR, &(int){1}, sizeof(int));
    raw_close(r);
}

// One says hello a byte at a time and then nothing, the other one is in and sends a frame so; a
// node is stopped for longer than it may be silent, and goes on; a host vanishes.
static void deaf_and_slow(const char *scheme)
{
    struct raw deaf, hello, frame, gone;
    static const uint8_t zero = 0, said[] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};
    size_t at = 0;
    serve(scheme, 0);
    pid_t node = start_one();
    see_it_in();
    kill(node, SIGSTOP);
    open_greeted(&gone, 60000);
    vanish(&gone);
    be_deaf(&deaf);
    raw_open(&hello, -1, served.url);
    open_greeted(&frame, 60000);
    raw_frame_head(&frame, 1 << 20);
    uint64_t start = ipc_now(), took;
    do {
        raw_write(&hello, said + at, at < sizeof said);
        at += at < sizeof said;
        raw_write(&frame, &zero, 1);
        assert_true(raw_ask(&served.good));
        poll(NULL, 0, 50); // slow
        took = ipc_now() - start;
    } while (tr_test_descriptors(served.pid) > served.descriptors && took < PATIENCE_NS);
    assert_int_equal(served.descriptors, tr_test_descriptors(served.pid));
    assert_true(took > TR_MS(SERVER_SILENCE_MS));
    assert_int_equal(1, logged("does not read"));
    assert_int_equal(2, logged("is silent"));
    assert_int_equal(1, logged("no hello"));
    kill(node, SIGCONT);
    see_more(1);
    end_one(node);
    see_them_gone();
    raw_close(&deaf);
    raw_close(&hello);
    raw_close(&frame);
    serve_no_more();
}

static void those_that_are_deaf_slow_or_stopped_are_lost(void **state)
{
    (void)state;
    deaf_and_slow("ipc");
    deaf_and_slow("tcp");
}

// ---- Wrong ones ----

// What it is refused with; 0: it is closed without a word.
static int64_t refused(struct raw *r)
{
    const msgpack_object_array *e = raw_next_of(r, REFUSE);
    int64_t error = e == NULL ? 0 : e->ptr[1].via.i64;
    assert_true(raw_ended(r));
    raw_close(r);
    return error;
}

static void say(struct raw *r, const char *text)
{
    raw_open(r, -1, served.url);
    raw_write(r, text, strlen(text));
}

static void scanners_and_browsers(void)
{
    struct raw r;
    say(&r, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_int_equal(0, refused(&r));
    say(&r, "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 a hello of TLS");
    assert_int_equal(0, refused(&r));
    raw_open(&r, -1, served.url);
    raw_close(&r);
}

static void wrong_secret_and_version(void)
{
    struct raw r;
    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    assert_true(raw_challenge(&r));
    raw_prove(&r, "nobody guesses this, either");
    assert_int_equal(TR_EACCES, refused(&r));

    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    raw_send(&r, TR_LIST((int)CHALLENGE, TR_MAP("troupe", 7, "least", 2, "node", r.node)));
    assert_int_equal(TR_EVERSION, refused(&r));

    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    raw_send(&r, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", r.node)));
    assert_int_equal(TR_EACCES, refused(&r));
}

// A proof that was good once; their own words sent back to them; a frame that is too large for who
// has proven nothing.
static void replays(void)
{
    struct raw first, r;
    uint8_t proof[RAW_PROOF];
    raw_open(&first, -1, served.url);
    assert_true(raw_greet(&first));
    raw_proof(&first, RAW_SECRET, 'D', proof);
    raw_close(&first);

    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    r.node = first.node;
    assert_true(raw_challenge(&r));
    raw_send(&r, TR_LIST((int)PROOF, ((tr_bytes){proof, sizeof proof})));
    assert_int_equal(TR_EACCES, refused(&r));

    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    r.node = served.good.server;
    raw_challenge(&r);
    assert_int_equal(TR_EEXIST, refused(&r));

    raw_open(&r, -1, served.url);
    raw_sp_hello(&r);
    raw_frame_head(&r, 1 << 20);
    assert_int_equal(0, refused(&r));
}

static void wrong_strangers_are_refused_over_tcp_and_told_of_once(void **state)
{
    (void)state;
    serve("tcp", 0);
    for (int i = 0; i < 3; i++) {
        scanners_and_browsers();
        assert_true(raw_ask(&served.good));
    }
    assert_int_equal(1, logged("TR_EFRAME"));
    wrong_secret_and_version();
    replays();
    see_them_gone();
    assert_int_equal(1, logged("TR_EVERSION"));
    assert_int_equal(1, logged("TR_ETOOBIG"));
    serve_no_more();
}

// ---- A node that dials, for kill_one ----

static int argument(tr_val args, size_t i, char *text, size_t size)
{
    tr_val item;
    tr_str string;
    int rc = tr_at(args, i, &item);
    if (rc == 0)
        rc = tr_as_str(item, &string);
    if (rc == 0)
        snprintf(text, size, "%.*s", TR_STR_ARG(string));
    return rc;
}

static void on_echo(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    if (answer->status == 0)
        ipc_note(note, 1);
}

// The other side takes it for met when it has had an answer.
static int dialler_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr server;
    if (!tr_msg_is(msg, "node up"))
        return 0;
    int rc = TR_READ(tr_msg_body(msg), "addr", &server);
    return rc < 0 ? rc : tr_ask(self, server, "echo", TR_NULL, NULL, NULL, on_echo, NULL);
}

static int dialler_start(tr_actor *self, const tr_val *args)
{
    char at[TR_URL_MAX];
    tr_node *node = tr_node_of(self);
    int rc = argument(*args, 1, at, sizeof at);
    if (rc == 0)
        rc = argument(*args, 2, note, sizeof note);
    if (rc == 0)
        rc = tr_node_watch(self, true);
    if (rc < 0)
        return rc;
    rc = tr_node_links(node,
                       TR_LINKS(.secret = SERVER_SECRET, .secret_size = sizeof SERVER_SECRET - 1));
    return rc < 0 ? rc : tr_node_dial(node, at, NULL);
}
static const tr_behavior dialler = {
    .name = "dialler", .start = dialler_start, .receive = dialler_receive};

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--dial") == 0)
        return tr_main(argc, argv, TR_APP(&dialler));
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_thousand_peers_that_die_in_the_handshake_do_no_harm),
        TR_PROCESS_TEST(two_hundred_clients_against_64_descriptors_do_no_harm),
        TR_PROCESS_TEST(those_that_are_deaf_slow_or_stopped_are_lost),
        TR_PROCESS_TEST(wrong_strangers_are_refused_over_tcp_and_told_of_once),
    };
    return cmocka_run_group_tests_name("ipc/net_storm", tests, NULL, NULL);
}
