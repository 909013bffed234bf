// TLS between nodes: who has no certificate of the same authority is refused and told of once, what is
// no certificate is found out before it is used, and a stranger harms nobody else.
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/server.h"
#include "support/ipc.h"
#include "support/papers.h"

#define STRANGERS 256 // at a time
#define SILENT    300

// ---- Who dials ----

static struct {
    struct server_papers papers;
    const char *name; // that it looks for in the server's certificate
    char url[TR_URL_MAX];
    unsigned ups, echoes, looks;
    unsigned unreachables, losts; // warnings
    char why[256];                // the last one
} dial;

static void note_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    bool unreachable = strcmp(id, "node.unreachable") == 0, lost = strcmp(id, "peer.lost") == 0;
    dial.unreachables += unreachable;
    dial.losts += lost;
    if (unreachable || lost)
        snprintf(dial.why, sizeof dial.why, "%s", text);
}

static int dialler_start(tr_actor *self, const tr_val *args)
{
    tr_node *node = tr_node_of(self);
    (void)args;
    int rc = tr_node_links(node, TR_LINKS(.tls_ca = dial.papers.ca, .tls_cert = dial.papers.cert,
                                          .tls_key = dial.papers.key, .tls_name = dial.name));
    if (rc == 0)
        rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_node_dial(node, dial.url, TR_DIAL(.backoff_min_ms = 5, .backoff_max_ms = 20));
    return rc;
}

static void on_echo(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    TR_CHECK(answer->status == 0);
    dial.echoes++;
    tr_exit(self, TR_NORMAL);
}

static int dialler_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr server;
    if (!tr_msg_is(msg, "node up"))
        return 0;
    dial.ups++;
    TR_CHECK(TR_READ(tr_msg_body(msg), "addr", &server) == 0);
    return tr_ask(self, server, "echo", TR_NULL, NULL, NULL, on_echo, NULL);
}
static const tr_behavior dialler = {
    .name = "dialler", .start = dialler_start, .receive = dialler_receive};

// It goes on dialling for a while after it has been refused.
static void leave_refused(tr_actor *self, void *arg)
{
    (void)arg;
    dial.looks += dial.unreachables + dial.losts > 0;
    if (dial.looks == 10)
        tr_exit(self, TR_NORMAL);
}

static int refused_start(tr_actor *self, const tr_val *args)
{
    int rc = dialler_start(self, args);
    return rc < 0 ? rc : tr_interval_start(self, TR_MS(20), leave_refused, NULL, NULL);
}
static const tr_behavior refused = {
    .name = "refused", .start = refused_start, .receive = dialler_receive};

// ---- The server, and what it says ----

static pid_t server;

static void begin(const char *url)
{
    memset(&dial, 0, sizeof dial);
    dial.papers = *server_papers();
    dial.name = PAPERS_NAME;
    server_log(tr_test_path("log"));
    server = server_start(url, 0);
    server_log(NULL);
    snprintf(dial.url, sizeof dial.url, "%s", server_url());
    tr_log_set(note_warning, NULL);
}

static void end(void)
{
    tr_log_set(NULL, NULL);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

// Lines of its log.
static unsigned server_said(const char *word)
{
    char line[512];
    unsigned count = 0;
    FILE *log = fopen(tr_test_path("log"), "r");
    while (log != NULL && fgets(line, sizeof line, log) != NULL)
        count += strstr(line, word) != NULL;
    if (log != NULL)
        fclose(log);
    return count;
}

static void strangers(struct server_papers *ret_papers)
{
    const char *directory = tr_test_path("strangers");
    assert_int_equal(0, mkdir(directory, 0700));
    papers_authority(directory, "ca");
    papers_sign(directory, "ca", "node");
    snprintf(ret_papers->ca, sizeof ret_papers->ca, "%s", server_papers()->ca); // it trusts ours
    snprintf(ret_papers->cert, sizeof ret_papers->cert, "%s/node.pem", directory);
    snprintf(ret_papers->key, sizeof ret_papers->key, "%s/node.key", directory);
}

// ---- Tests ----

static void a_certificate_of_another_authority_is_refused_and_told_of_once(void **state)
{
    (void)state;
    begin("tls+tcp://127.0.0.1:0");
    strangers(&dial.papers);
    assert_int_equal(0, TR_RUN(NULL, &refused, TR_NULL));
    assert_int_equal(0, dial.ups);
    assert_int_equal(1, dial.unreachables + dial.losts);
    assert_int_equal(1, server_said("TR_ETLS"));
    dial.papers = *server_papers(); // and the next one is let in
    assert_int_equal(0, TR_RUN(NULL, &dialler, TR_NULL));
    assert_int_equal(1, dial.echoes);
    end();
}

static void another_name_in_the_certificate_is_not_whom_was_dialled(void **state)
{
    (void)state;
    static const char *const urls[] = {"tls+tcp://127.0.0.1:0", "wss://127.0.0.1:0/node"};
    for (int i = 0; i < 2; i++) {
        begin(urls[i]);
        dial.name = "another.test";
        assert_int_equal(0, TR_RUN(NULL, &refused, TR_NULL));
        assert_int_equal(0, dial.ups);
        assert_int_equal(1, dial.unreachables + dial.losts);
        assert_non_null(strstr(dial.why, "TR_ETLS"));
        end();
    }
}

static void who_does_not_speak_tls_is_refused_and_others_are_served(void **state)
{
    (void)state;
    struct raw r;
    char tcp[TR_URL_MAX];
    begin("tls+tcp://127.0.0.1:0");
    snprintf(tcp, sizeof tcp, "%s", dial.url + strlen("tls+"));
    raw_open(&r, -1, tcp);
    raw_write(&r, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
    while (!raw_ended(&r)) { // it may be told why, in TLS
        char bytes[256];
        if (read(r.fd, bytes, sizeof bytes) <= 0)
            break;
    }
    raw_close(&r);
    assert_int_equal(0, TR_RUN(NULL, &dialler, TR_NULL));
    assert_int_equal(1, dial.echoes);
    assert_int_equal(1, server_said("TR_ETLS"));
    end();
}

// Goal:   those who connect and never shake hands are no more than other strangers may be, and whoever
//         means well gets in.
static void who_never_shakes_hands_makes_room_for_others(void **state)
{
    (void)state;
    static struct raw silent[SILENT];
    char tcp[TR_URL_MAX];
    begin("tls+tcp://127.0.0.1:0");
    snprintf(tcp, sizeof tcp, "%s", dial.url + strlen("tls+"));
    for (int i = 0; i < SILENT; i++)
        raw_open(&silent[i], -1, tcp);
    assert_int_equal(0, TR_RUN(NULL, &dialler, TR_NULL));
    assert_int_equal(1, dial.echoes);
    for (int i = 0; i < SILENT - STRANGERS; i++) // the oldest have made room
        assert_true(raw_ended(&silent[i]));
    assert_int_equal(1, server_said("peer.crowded"));
    for (int i = 0; i < SILENT; i++)
        raw_close(&silent[i]);
    end();
}

static int links(tr_node *node, const char *ca, const char *cert, const char *key)
{
    return tr_node_links(node, TR_LINKS(.tls_ca = ca, .tls_cert = cert, .tls_key = key));
}

static void what_is_no_certificate_is_found_out_when_it_is_given(void **state)
{
    (void)state;
    tr_node *node;
    const struct server_papers *p = server_papers();
    struct server_papers other = {0};
    strangers(&other);
    assert_int_equal(0, tr_node_open(NULL, &node));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "tls+tcp://127.0.0.1:0"));
    assert_int_equal(TR_EINVAL, tr_node_dial(node, "wss://127.0.0.1:1/x", NULL));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "ws://127.0.0.1:0/x")); // without a secret
    assert_int_equal(TR_EINVAL, links(node, p->ca, p->cert, NULL));
    assert_int_equal(TR_EINVAL, links(node, NULL, NULL, p->key));
    assert_int_equal(TR_ENOENT, links(node, p->ca, "/nowhere", p->key));
    assert_int_equal(TR_ETLS, links(node, p->ca, p->cert, "/dev/null"));
    assert_int_equal(TR_ETLS, links(node, p->ca, p->cert, other.key));
    assert_int_equal(TR_ETLS, links(node, "-----BEGIN nothing", p->cert, p->key));
    assert_int_equal(TR_ETLS, links(node, p->key, p->cert, p->key));
    assert_int_equal(0, links(node, p->ca, p->cert, p->key));
    assert_int_equal(TR_EINVAL, tr_node_listen(node, "tls+tcp://nobody here"));
    assert_int_equal(0, tr_node_listen(node, "tls+tcp://127.0.0.1:0"));
    tr_node_close(&node);
}

// Goal:   none of those in a text is passed over.
static void one_bad_certificate_among_good_ones_is_found_out(void **state)
{
    static const char bad[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static struct papers_text good;
    char text[sizeof good.ca + sizeof good.cert + sizeof bad];
    tr_node *node;
    (void)state;
    papers_make(&good);
    assert_int_equal(0, tr_node_open(NULL, &node));
    snprintf(text, sizeof text, "%s%s", good.ca, bad);
    assert_int_equal(TR_ETLS, links(node, text, good.cert, good.key));
    snprintf(text, sizeof text, "%s%s", good.cert, bad);
    assert_int_equal(TR_ETLS, links(node, good.ca, text, good.key));
    snprintf(text, sizeof text, "%s%s", good.cert, good.ca);
    assert_int_equal(0, links(node, good.ca, text, good.key));
    tr_node_close(&node);
}

static void an_empty_name_is_nobody(void **state)
{
    tr_node *node;
    const struct server_papers *p = server_papers();
    (void)state;
    assert_int_equal(0, tr_node_open(NULL, &node));
    assert_int_equal(TR_EINVAL, tr_node_links(node, TR_LINKS(.tls_ca = p->ca, .tls_cert = p->cert,
                                                             .tls_key = p->key, .tls_name = "")));
    tr_node_close(&node);
}

int main(int argc, char **argv)
{
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_certificate_of_another_authority_is_refused_and_told_of_once),
        TR_PROCESS_TEST(another_name_in_the_certificate_is_not_whom_was_dialled),
        TR_PROCESS_TEST(who_does_not_speak_tls_is_refused_and_others_are_served),
        TR_PROCESS_TEST(who_never_shakes_hands_makes_room_for_others),
        TR_PROCESS_TEST(what_is_no_certificate_is_found_out_when_it_is_given),
        TR_PROCESS_TEST(one_bad_certificate_among_good_ones_is_found_out),
        TR_PROCESS_TEST(an_empty_name_is_nobody),
    };
    return cmocka_run_group_tests_name("ipc/tls", tests, NULL, NULL);
}
