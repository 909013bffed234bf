// Any program that speaks nng's pair1 can be a peer: one written with libnng, and nngcat.
#include <nng/nng.h>
#include <nng/protocol/pair1/pair.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/server.h"
#include "support/ipc.h"
#include "support/papers.h"

#define NNGCAT     "/usr/bin/nngcat"
#define TIMEOUT_MS 10000

// By hand, as docs/protocol.md says.
static const char hello[] = "\x92\x00"           // [0,
                            "\x82\xa6troupe\x01" //  {"troupe": 1,
                            "\xa4node\x2a";      //   "node": 42}]
static const char ask[] = "\x95\x01\x01\x05\xa4"
                          "echo"                    // [1, actor 1, from 5, "echo",
                          "\x92\xa2hi\xcd\x03\xe8"; //  ["hi", 1000]]
static const char reply[] = "\x95\x01\x05\x01\xa4"
                            "echo"                    // [1, actor 5, from 1, "echo",
                            "\x92\xa2hi\xcd\x03\xe8"; //  ["hi", 1000]]
static const char quit[] = "\x95\x01\x01\x05\xa4"
                           "quit\xc0";
static const char bye[] = "\x94\x08\x00\x00\xc2"; // [8, normal, 0, false]

#define SIZE(bytes) (sizeof(bytes) - 1)

// ---- libnng ----

static void nng_put(nng_socket socket, const char *bytes, size_t size)
{
    assert_int_equal(0, nng_send(socket, (void *)(uintptr_t)bytes, size, 0));
}

static nng_msg *nng_take(nng_socket socket)
{
    nng_msg *msg = NULL;
    assert_int_equal(0, nng_recvmsg(socket, &msg, 0));
    return msg;
}

static void assert_is_hello(const char *bytes, size_t size)
{
    assert_true(size > 10);
    assert_memory_equal("\x92\x00\x87\xa6troupe\x01", bytes, 10);
}

// nng wants a certificate and its key in one file.
static void join_files(const char *one, const char *two, const char *both)
{
    char text[8192];
    FILE *out = fopen(both, "w");
    const char *const paths[] = {one, two};
    assert_non_null(out);
    for (int i = 0; i < 2; i++) {
        FILE *in = fopen(paths[i], "r");
        assert_non_null(in);
        fwrite(text, 1, fread(text, 1, sizeof text, in), out);
        fclose(in);
    }
    assert_int_equal(0, fclose(out));
}

static void dialer_set_tls(nng_dialer dialer)
{
    const struct server_papers *papers = server_papers();
    const char *both = tr_test_path("both");
    join_files(papers->cert, papers->key, both);
    assert_int_equal(0, nng_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, papers->ca));
    assert_int_equal(0, nng_dialer_set_string(dialer, NNG_OPT_TLS_CERT_KEY_FILE, both));
    assert_int_equal(0, nng_dialer_set_string(dialer, NNG_OPT_TLS_SERVER_NAME, PAPERS_NAME));
}

// listen: the node's url. prefix: what is nng's, before the scheme that both have
static void talk(const char *listen, const char *prefix)
{
    int status;
    nng_socket socket;
    nng_dialer dialer;
    if (server_has_tls(listen))
        server_papers();
    pid_t pid = server_start(listen, 0);
    assert_int_equal(0, nng_pair1_open(&socket));
    nng_socket_set_ms(socket, NNG_OPT_SENDTIMEO, TIMEOUT_MS);
    nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, TIMEOUT_MS);
    assert_int_equal(0, nng_dialer_create(&dialer, socket, server_url() + strlen(prefix)));
    if (server_has_tls(listen))
        dialer_set_tls(dialer);
    assert_int_equal(0, nng_dialer_start(dialer, 0));

    nng_msg *msg = nng_take(socket);
    assert_is_hello(nng_msg_body(msg), nng_msg_len(msg));
    nng_msg_free(msg);
    nng_put(socket, hello, SIZE(hello));
    for (int i = 0; i < 100; i++) {
        nng_put(socket, ask, SIZE(ask));
        msg = nng_take(socket);
        assert_int_equal(SIZE(reply), nng_msg_len(msg));
        assert_memory_equal(reply, nng_msg_body(msg), SIZE(reply));
        nng_msg_free(msg);
    }

    nng_put(socket, quit, SIZE(quit));
    bool said_bye = false;
    while (!said_bye) { // there may be credit before it
        msg = nng_take(socket);
        said_bye = memmem(nng_msg_body(msg), nng_msg_len(msg), bye, SIZE(bye)) != NULL;
        nng_msg_free(msg);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(0, status);
    nng_close(socket); // its peer is gone: nng 1.5's close can hang while one sends
}

static void a_program_written_with_libnng_talks_with_a_node(void **state)
{
    (void)state;
    char url[128];
    snprintf(url, sizeof url, "ipc://%s", tr_test_path("socket"));
    talk(url, "");
    snprintf(url, sizeof url, "nng+ipc://%s", tr_test_path("socket"));
    talk(url, "nng+");
}

static void a_program_written_with_libnng_talks_with_a_node_over_tls(void **state)
{
    (void)state;
    talk("tls+tcp://127.0.0.1:0", "");
}

// ---- nngcat ----

static void write_file(const char *path)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fwrite(hello, 1, SIZE(hello), out); // one frame of two envelopes
    fwrite(ask, 1, SIZE(ask), out);
    assert_int_equal(0, fclose(out));
}

// Run it until it has heard nothing for a second.
static void run_nngcat(const char *url, const char *file, char *ret_text, size_t size)
{
    int ends[2], status;
    pid_t pid;
    char *argv[] = {(char *)"nngcat", (char *)"--pair1",
                    (char *)"--dial", (char *)url,
                    (char *)"--file", (char *)file,
                    (char *)"--hex",  (char *)"--recv-timeout",
                    (char *)"1",      NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    assert_int_equal(0, pipe2(ends, 0));
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    assert_int_equal(0, posix_spawn(&pid, NNGCAT, &actions, NULL, argv, environ));
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(ends[0], ret_text + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    ret_text[got] = '\0';
    close(ends[0]);
    waitpid(pid, &status, 0);
}

static void nngcat_talks_with_a_node(void **state)
{
    (void)state;
    if (access(NNGCAT, X_OK) != 0) {
        print_message("skipped: there is no " NNGCAT "\n");
        skip();
    }
    char url[128], text[4096];
    const char *path = tr_test_path("socket"), *file = tr_test_path("hello.msgpack");
    snprintf(url, sizeof url, "ipc://%s", path);
    write_file(file);
    pid_t pid = server_start(path, 0);
    run_nngcat(url, file, text, sizeof text);
    assert_non_null(strstr(text, "\"\\x92\\x00\\x86\\xa6\\x74\\x72\\x6f\\x75\\x70\\x65\\x01"));
    assert_non_null(strstr(text, "\"\\x95\\x01\\x05\\x01\\xa4\\x65\\x63\\x68\\x6f"
                                 "\\x92\\xa2\\x68\\x69\\xcd\\x03\\xe8\""));
    assert_int_equal(0, server_stop(pid, path));
}

int main(int argc, char **argv)
{
    int rc = server_main(argc, argv);
    if (rc >= 0)
        return rc;
    server_use_libnng();
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_program_written_with_libnng_talks_with_a_node),
        TR_PROCESS_TEST(a_program_written_with_libnng_talks_with_a_node_over_tls),
        TR_PROCESS_TEST(nngcat_talks_with_a_node),
    };
    return cmocka_run_group_tests_name("ipc/nng", tests, NULL, NULL);
}
