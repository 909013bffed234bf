// Nodes that dial each other, over a local socket and over TCP: they find each other's actors, hear
// of each other's ends, and meet again; and what was between is gone, and not doubled.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/server.h"
#include "support/ipc.h"
#include "support/papers.h"

#define SILENCE_MS 2000 // a slow machine may be silent for a while
#define BACKOFF    TR_DIAL(.backoff_min_ms = 5, .backoff_max_ms = 50)

// ---- Who dials: each test says what it does ----

struct play {
    const char *secret; // NULL: the server's
    // The node is there, or not any more; somebody has ended; a message has come.
    void (*up)(tr_actor *self, tr_addr server);
    void (*down)(tr_actor *self, int why);
    void (*ended)(tr_actor *self, tr_reason reason);
    void (*message)(tr_actor *self, const tr_msg *msg);
};

static struct {
    const struct play *play;
    const struct server_papers *papers;
    char url[TR_URL_MAX];
    pid_t server;
    tr_addr found; // the actor "server" of the server
    unsigned ups, downs, ends, answers;
    uint64_t node, epoch;
    uint64_t went_ns;
    unsigned refuses, unreachables, losts; // warnings
    unsigned looks;                        // since the first of them
} all;

// ---- Somebody on another loop, who hears and finds the same ----

static struct {
    atomic_uint ups, downs, echoes;
} far;

static void on_far_echo(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == 0 || answer->status == TR_EDOWN);
    far.echoes += answer->status == 0;
}

static void on_far_found(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_addr addr;
    (void)arg;
    if (answer->status == 0 && TR_CHECK(tr_as_addr(answer->body, &addr) == 0))
        tr_ask(self, addr, "echo", TR_V("far"), NULL, NULL, on_far_echo, NULL);
}

static const tr_behavior watcher;

// Links are the first loop's.
static bool node_is_not_here(tr_node *node)
{
    char url[TR_URL_MAX];
    return tr_node_links(node, TR_LINKS(.secret = NULL)) == TR_EINVAL &&
           tr_node_listen(node, "ipc:///nowhere") == TR_EINVAL &&
           tr_node_dial(node, all.url, BACKOFF) == TR_EINVAL &&
           tr_node_undial(node, all.url) == TR_EINVAL && tr_node_url(node, 0, url) == TR_EINVAL &&
           tr_node_spawn(node, &watcher, NULL, NULL) == TR_EINVAL && tr_node_run(node) == TR_EINVAL;
}

static int watcher_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    TR_CHECK(node_is_not_here(tr_node_of(self)));
    return tr_node_watch(self, true);
}

static int watcher_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t node;
    TR_CHECK(TR_READ(tr_msg_body(msg), "node", &node) == 0);
    bool down = tr_msg_is(msg, "node down");
    atomic_fetch_add(down ? &far.downs : &far.ups, 1);
    if (down)
        return 0;
    int rc = tr_whereis_at(self, node, "server", NULL, NULL, on_far_found, NULL);
    return rc == TR_EDOWN ? 0 : rc;
}
static const tr_behavior watcher = {
    .name = "watcher", .start = watcher_start, .receive = watcher_receive};

static int boss_start(tr_actor *self, const tr_val *args)
{
    const char *secret = all.play->secret == NULL ? SERVER_SECRET : all.play->secret;
    tr_node *node = tr_node_of(self);
    (void)args;
    int rc =
        server_has_tls(all.url)
            ? tr_node_links(node, TR_LINKS(.tls_ca = all.papers->ca, .tls_cert = all.papers->cert,
                                           .tls_key = all.papers->key, .tls_name = PAPERS_NAME,
                                           .silence_ms = SILENCE_MS))
            : tr_node_links(node, TR_LINKS(.secret = secret, .secret_size = strlen(secret),
                                           .silence_ms = SILENCE_MS));
    if (rc == 0)
        rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_spawn(self, &watcher, TR_SPAWN(.isolation = TR_THREAD), NULL);
    return rc < 0 ? rc : tr_node_dial(node, all.url, BACKOFF);
}

static void take_up(tr_actor *self, tr_val body)
{
    tr_addr addr;
    uint64_t epoch;
    TR_CHECK(TR_READ(body, "addr", &addr, "epoch", &epoch, "node", &all.node) == 0);
    TR_CHECK(addr.node == all.node && epoch > all.epoch && all.ups == all.downs);
    all.epoch = epoch;
    all.ups++;
    all.play->up(self, addr);
}

static void take_down(tr_actor *self, tr_val body)
{
    int why;
    uint64_t node, epoch;
    TR_CHECK(TR_READ(body, "why", &why, "node", &node, "epoch", &epoch) == 0);
    TR_CHECK(node == all.node && epoch == all.epoch && all.ups == all.downs + 1);
    all.downs++;
    if (all.play->down != NULL)
        all.play->down(self, why);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    all.ends += down != NULL;
    if (tr_msg_is(msg, "node up"))
        take_up(self, tr_msg_body(msg));
    else if (tr_msg_is(msg, "node down"))
        take_down(self, tr_msg_body(msg));
    else if (down == NULL)
        all.play->message(self, msg);
    else if (all.play->ended != NULL)
        all.play->ended(self, down->reason);
    return 0;
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

static void count_warning(const char *id, const char *text, void *arg)
{
    (void)text, (void)arg;
    all.refuses += strcmp(id, "peer.refuses") == 0;
    all.unreachables += strcmp(id, "node.unreachable") == 0;
    all.losts += strcmp(id, "peer.lost") == 0;
}

// At the scheme's url, on a server of its own, which is killed if it still lives.
static void perform(const char *url, const struct play *play)
{
    memset(&all, 0, sizeof all);
    far.ups = far.downs = far.echoes = 0;
    all.play = play;
    all.papers = server_has_tls(url) ? server_papers() : NULL;
    all.server = server_start(url, 0);
    snprintf(all.url, sizeof all.url, "%s", server_url());
    tr_log_set(count_warning, NULL);
    assert_int_equal(0, TR_RUN(NULL, &boss, TR_NULL));
    tr_log_set(NULL, NULL);
    kill(all.server, SIGKILL);
    waitpid(all.server, NULL, 0);
    unlink(tr_test_path("socket"));
}

// Over the node's own sockets.
static void perform_both(const struct play *play)
{
    char url[TR_URL_MAX];
    snprintf(url, sizeof url, "ipc://%s", tr_test_path("socket"));
    perform(url, play);
    perform("tcp://127.0.0.1:0", play);
}

// Each way to be dialled.
static void perform_all(const struct play *play)
{
    perform_both(play);
    perform("tls+tcp://127.0.0.1:0", play);
    perform("wss://127.0.0.1:0/node", play);
    perform("ws://127.0.0.1:0/node", play);
#ifdef TROUPE_NNG
    char url[TR_URL_MAX];
    snprintf(url, sizeof url, "nng+ipc://%s", tr_test_path("socket"));
    perform(url, play);
#endif
}

// Somebody else takes the place of the server.
static void replace_server(void)
{
    kill(all.server, SIGKILL);
    waitpid(all.server, NULL, 0);
    unlink(tr_test_path("socket"));
    all.server = server_start(all.url, 0);
}

// ---- Found by name, lost, and met again ----

static void on_lost(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == TR_EDOWN && answer->reason.kind == TR_REASON_NOCONNECTION);
    all.answers++;
}

static void on_echo(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_str text;
    (void)arg;
    TR_CHECK(answer->status == 0 && tr_as_str(answer->body, &text) == 0 && text.len == 5);
    if (all.ups == 2) {
        tr_exit(self, TR_NORMAL);
        return;
    }
    kill(all.server, SIGSTOP); // so that it does not answer any more
    TR_CHECK(tr_ask(self, all.found, "echo", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL, on_lost,
                    NULL) == 0);
    replace_server();
}

static void on_found(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (!TR_CHECK(answer->status == 0 && tr_as_addr(answer->body, &all.found) == 0))
        return;
    TR_CHECK(tr_monitor(self, all.found, NULL) == 0);
    TR_CHECK(tr_ask(self, all.found, "echo", TR_V("hello"), NULL, NULL, on_echo, NULL) == 0);
}

static void on_nobody(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == TR_ENOENT);
}

static void find(tr_actor *self, tr_addr server)
{
    TR_CHECK(tr_whereis_at(self, server.node, "nobody", NULL, NULL, on_nobody, NULL) == 0);
    TR_CHECK(tr_whereis_at(self, server.node, "server", NULL, NULL, on_found, NULL) == 0);
}

static void is_noconnection(tr_actor *self, tr_reason reason)
{
    TR_CHECK(reason.kind == TR_REASON_NOCONNECTION);
    TR_CHECK(tr_send(self, all.found, "echo", TR_NULL) == TR_EDOWN);
}

static void a_node_that_is_killed_is_down_once_and_its_successor_is_met(void **state)
{
    (void)state;
    const struct play play = {.up = find, .ended = is_noconnection};
    perform_all(&play);
    assert_int_equal(1, all.ends);
    assert_int_equal(1, all.answers);
    assert_int_equal(2, all.ups);
    assert_int_equal(1, all.downs);
}

// ---- Silence ----

#define COUNT 100

static void stop_it(tr_actor *self, tr_addr server)
{
    all.found = server;
    if (all.ups == 1) {
        TR_CHECK(tr_monitor(self, server, NULL) == 0);
        kill(all.server, SIGSTOP);
        all.went_ns = tr_now(self);
        return;
    }
    for (int i = 0; i < COUNT; i++)
        TR_CHECK(tr_send(self, server, "echo", TR_V(i)) == 0);
}

static void go_on(tr_actor *self, int why)
{
    uint64_t took = tr_now(self) - all.went_ns;
    TR_CHECK(why == TR_ETIMEDOUT);
    TR_CHECK(took >= TR_MS(SILENCE_MS) / 4 && took < TR_S(20)); // a slow machine
    for (int i = 0; i < COUNT; i++)
        TR_CHECK(tr_send(self, all.found, "echo", TR_V(1000)) == TR_EDOWN);
    kill(all.server, SIGCONT);
}

// Who is on another loop may still be about to hear.
static void leave_when_far_has_heard(tr_actor *self, void *arg)
{
    (void)arg;
    if (atomic_load(&far.downs) > 0)
        tr_exit(self, TR_NORMAL);
}

static void count_echo(tr_actor *self, const tr_msg *msg)
{
    int64_t i;
    TR_CHECK(tr_as_int(tr_msg_body(msg), &i) == 0 && i == all.answers);
    if (++all.answers == COUNT)
        TR_CHECK(tr_interval_start(self, TR_MS(1), leave_when_far_has_heard, NULL, NULL) == 0);
}

static void a_node_that_is_stopped_is_lost_and_met_again_when_it_goes_on(void **state)
{
    (void)state;
    const struct play play = {
        .up = stop_it, .down = go_on, .ended = is_noconnection, .message = count_echo};
    perform_both(&play);
    assert_int_equal(1, all.ends);
    assert_int_equal(2, all.ups);
    assert_int_equal(1, all.losts);
    assert_int_equal(1, far.downs);
    assert_true(far.ups >= 1);
}

// ---- Spawned there ----

static void on_refused(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == TR_EREFUSED);
    all.answers++;
}

static void on_spawned(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_addr addr = TR_NOBODY;
    (void)arg;
    TR_CHECK(answer->status == 0 && tr_as_addr(answer->body, &addr) == 0);
    TR_CHECK(tr_monitor(self, addr, NULL) == 0);
    all.found = addr;
}

static void spawn_there(tr_actor *self, tr_addr server)
{
    uint64_t node = server.node;
    TR_CHECK(tr_spawn_at(self, node, "server", TR_NULL, NULL, NULL, on_refused, NULL) == 0);
    TR_CHECK(tr_spawn_at(self, node, "square", TR_V(7), NULL, NULL, on_spawned, NULL) == 0);
}

static void take_square(tr_actor *self, const tr_msg *msg)
{
    int64_t square = 0;
    TR_CHECK(tr_msg_is(msg, "square") && tr_as_int(tr_msg_body(msg), &square) == 0);
    TR_CHECK(square == 49);
    TR_CHECK(tr_stop(self, tr_msg_from(msg)) == 0);
}

static void was_stopped(tr_actor *self, tr_reason reason)
{
    TR_CHECK(reason.kind == TR_REASON_SHUTDOWN || reason.kind == TR_REASON_NOACTOR);
    tr_exit(self, TR_NORMAL);
}

static void a_listed_behaviour_is_spawned_on_the_other_node_and_no_other(void **state)
{
    (void)state;
    const struct play play = {.up = spawn_there, .message = take_square, .ended = was_stopped};
    perform_all(&play);
    assert_int_equal(1, all.answers);
    assert_int_equal(1, all.ends);
}

// ---- Idle ----

static void leave(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void wait_long(tr_actor *self, tr_addr server)
{
    (void)server;
    TR_CHECK(tr_timer_start(self, TR_MS(2 * SILENCE_MS), leave, NULL, NULL) == 0);
}

static void a_link_over_which_nothing_is_said_lives(void **state)
{
    (void)state;
    const struct play play = {.up = wait_long};
    perform("tcp://127.0.0.1:0", &play);
    assert_int_equal(1, all.ups);
    assert_int_equal(0, all.downs);
    assert_int_equal(1, far.ups);
    assert_int_equal(1, far.echoes);
}

// ---- Secrets ----

static void never(tr_actor *self, tr_addr server)
{
    (void)self, (void)server;
    TR_CHECK(false);
}

// It dials some times more after it has been refused.
static void leave_refused(tr_actor *self, void *arg)
{
    (void)arg;
    all.looks += all.refuses + all.unreachables > 0;
    if (all.looks == 5)
        tr_exit(self, TR_NORMAL);
}

static int impostor_start(tr_actor *self, const tr_val *args)
{
    int rc = boss_start(self, args);
    return rc < 0 ? rc : tr_interval_start(self, TR_MS(60), leave_refused, NULL, NULL);
}
static const tr_behavior impostor = {
    .name = "impostor", .start = impostor_start, .receive = boss_receive};

static void another_secret_is_refused_and_told_of_once(void **state)
{
    (void)state;
    const struct play play = {.secret = "nobody guesses this, either", .up = never};
    memset(&all, 0, sizeof all);
    all.play = &play;
    all.server = server_start("tcp://127.0.0.1:0", 0);
    snprintf(all.url, sizeof all.url, "%s", server_url());
    tr_log_set(count_warning, NULL);
    assert_int_equal(0, TR_RUN(NULL, &impostor, TR_NULL));
    tr_log_set(NULL, NULL);
    assert_int_equal(1, all.refuses);
    assert_int_equal(0, all.unreachables);
    kill(all.server, SIGKILL);
    waitpid(all.server, NULL, 0);
}

static void another_path_is_refused_and_told_of_once(void **state)
{
    (void)state;
    const struct play play = {.up = never};
    memset(&all, 0, sizeof all);
    all.play = &play;
    all.server = server_start("ws://127.0.0.1:0/node", 0);
    snprintf(all.url, sizeof all.url, "%s/else", server_url());
    tr_log_set(count_warning, NULL);
    assert_int_equal(0, TR_RUN(NULL, &impostor, TR_NULL));
    tr_log_set(NULL, NULL);
    assert_int_equal(0, all.refuses + all.losts);
    assert_int_equal(1, all.unreachables);
    kill(all.server, SIGKILL);
    waitpid(all.server, NULL, 0);
}

static void tcp_needs_a_secret_and_bad_urls_are_refused(void **state)
{
    (void)state;
    tr_node *node;
    char url[TR_URL_MAX], deep[200] = "ipc://";
    memset(deep + 6, 'x', sizeof deep - 7);
    assert_int_equal(0, tr_node_open(NULL, &node));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "tcp://127.0.0.1:0"));
    assert_int_equal(TR_EINVAL, tr_node_dial(node, "tcp://127.0.0.1:1", NULL));
    assert_int_equal(TR_EINVAL, tr_node_links(node, TR_LINKS(.secret = "short", .secret_size = 5)));
    assert_int_equal(TR_EINVAL, tr_node_dial(node, "http://127.0.0.1:1", NULL));
    assert_int_equal(TR_ENAMETOOLONG, tr_node_dial(node, deep, NULL));
    assert_int_equal(
        0, tr_node_links(node, TR_LINKS(.secret = "sixteen bytes...", .secret_size = 16)));
    assert_int_equal(TR_EINVAL, tr_node_dial(node, "ws://127.0.0.1:1/a b", NULL));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "ws://127.0.0.1:0/a\r\nb: c"));
    assert_int_equal(TR_ENOENT, tr_node_undial(node, "ipc:///nowhere"));
    assert_int_equal(TR_ENOENT, tr_node_url(node, 0, url));
    assert_int_equal(0, tr_node_dial(node, "ipc:///nowhere", NULL));
    assert_int_equal(TR_EEXIST, tr_node_dial(node, "ipc:///nowhere", NULL));
    assert_int_equal(0, tr_node_undial(node, "ipc:///nowhere"));
#ifdef TROUPE_NNG
    assert_int_equal(TR_ENOENT, tr_node_listen(node, "nng+ipc:///nowhere/at/all"));
#endif
    tr_node_close(&node);
}

// Not everybody may have that port.
static void a_url_without_a_port_is_told_with_the_one_that_it_has(void **state)
{
    (void)state;
    tr_node *node;
    char url[TR_URL_MAX] = "ws://127.0.0.1:80/here";
    assert_int_equal(0, tr_node_open(NULL, &node));
    assert_int_equal(
        0, tr_node_links(node, TR_LINKS(.secret = "sixteen bytes...", .secret_size = 16)));
    int rc = tr_node_listen(node, "ws://127.0.0.1/here");
    if (rc == 0)
        rc = tr_node_url(node, 0, url);
    tr_node_close(&node);
    assert_string_equal("ws://127.0.0.1:80/here", url);
    if (rc < 0)
        skip();
}

int main(int argc, char **argv)
{
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    server_use_libnng();
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_node_that_is_killed_is_down_once_and_its_successor_is_met),
        TR_PROCESS_TEST(a_node_that_is_stopped_is_lost_and_met_again_when_it_goes_on),
        TR_PROCESS_TEST(a_listed_behaviour_is_spawned_on_the_other_node_and_no_other),
        TR_PROCESS_TEST(a_link_over_which_nothing_is_said_lives),
        TR_PROCESS_TEST(another_secret_is_refused_and_told_of_once),
        TR_PROCESS_TEST(another_path_is_refused_and_told_of_once),
        TR_PROCESS_TEST(tcp_needs_a_secret_and_bad_urls_are_refused),
        TR_PROCESS_TEST(a_url_without_a_port_is_told_with_the_one_that_it_has),
    };
    return cmocka_run_group_tests_name("ipc/nodes", tests, NULL, NULL);
}
