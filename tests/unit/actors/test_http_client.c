// The HTTP client against our server, over simulated sockets, and against servers that are none.
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/lone_node.h"
#include "support/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>

static struct scenario {
    void (*run)(tr_actor *self);
    tr_http_opts server_opts;
    tr_http_client_opts client_opts;
    const char *raw; // what a server that is none says, and then closes
    tr_http_server server;
    tr_http_client client;
    char at[TR_ADDRESS_MAX];
    unsigned left; // answers that are to come
    uint64_t began;
    int rc;
} sc;

static char notes[65536];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list args;
    size_t at = strlen(notes);
    va_start(args, format);
    vsnprintf(notes + at, sizeof notes - at, format, args);
    va_end(args);
}

// ---- The server ----

static void ignore(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg;
}

static int echo(tr_actor *self, tr_http http, const tr_http_request *request)
{
    tr_stream streams[2];
    int rc = tr_http_body(self, http, &streams[0]);
    if (rc == 0)
        rc = tr_http_reply_stream(self, http, TR_HTTP_RESPONSE(.length = request->length),
                                  &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, ignore, NULL);
}

static void cut_off(tr_actor *self, int status, void *arg)
{
    (void)status;
    tr_stream_destroy(self, (tr_stream){(uintptr_t)arg}, 0);
}

static int cut(tr_actor *self, tr_http http)
{
    tr_stream stream = {0};
    tr_buf *chunk = NULL;
    int rc = tr_http_reply_stream(self, http, TR_HTTP_RESPONSE(.length = 10), &stream);
    if (rc == 0)
        rc = tr_buf_copy("abc", 3, &chunk);
    if (rc == 0)
        rc = tr_stream_write_then(self, stream, &chunk, cut_off, (void *)(uintptr_t)stream.id);
    tr_buf_unref(&chunk);
    return rc;
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *r, void *arg)
{
    tr_str path = tr_http_path(r->target);
    char text[300];
    (void)arg;
    if (tr_str_eq(path, "/echo"))
        return echo(self, http, r);
    if (tr_str_eq(path, "/cut"))
        return cut(self, http);
    if (tr_str_eq(path, "/never"))
        return 0;
    if (tr_str_eq(path, "/none"))
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = 204));
    tr_str host = {"", 0};
    tr_http_header_get(r->headers, "host", &host);
    int n = snprintf(text, sizeof text, "%.*s %.*s host=%d trace=%.*s", TR_STR_ARG(r->method),
                     TR_STR_ARG(r->target), strncmp(host.ptr, sc.at + 6, host.len) == 0,
                     TR_STR_ARG(r->traceparent));
    return tr_http_reply(
        self, http,
        TR_HTTP_RESPONSE(.body = {text, (size_t)n}, .close = tr_str_eq(path, "/close")));
}

// ---- One that is none ----

static void raw_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)chunk, (void)arg;
    tr_stream_write_bytes(self, stream, sc.raw, strlen(sc.raw));
    tr_stream_end(self, stream);
}

static void raw_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static void raw_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = raw_data, .closed = raw_closed};
    (void)arg;
    tr_stream_on(self, stream, &events, NULL);
}

// ---- Running ----

static int scenario_start(tr_actor *self, const tr_val *args)
{
    tr_server raw;
    int rc;
    (void)args;
    sc.server_opts.size = sizeof sc.server_opts;
    sc.client_opts.size = sizeof sc.client_opts;
    if (sc.raw != NULL) {
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, raw_accepted, NULL, &raw);
        if (rc == 0)
            rc = tr_server_address(self, raw, sc.at);
    } else {
        rc = tr_http_listen(self, "tcp://127.0.0.1:0", on_request, NULL, &sc.server_opts,
                            &sc.server);
        if (rc == 0)
            rc = tr_http_address(self, sc.server, sc.at);
    }
    if (rc == 0)
        rc = tr_http_client_open(self, &sc.client_opts, &sc.client);
    if (rc < 0)
        return rc;
    sc.began = tr_now(self);
    sc.run(self);
    return 0;
}

static const tr_behavior scenario = {.name = "scenario", .start = scenario_start};

static void run(void (*how)(tr_actor *self))
{
    sc.run = how;
    notes[0] = '\0';
    sc.rc = lone_node_run(&scenario, 10000000);
}

static const char *url(const char *path)
{
    static char text[200];
    snprintf(text, sizeof text, "http://%s%s", sc.at + 6, path);
    return text;
}

static void finish(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void one_less(tr_actor *self)
{
    if (--sc.left == 0 && tr_timer_start(self, TR_S(10), finish, NULL, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
}

static void body_whole(tr_actor *self, int status, tr_buf *all, void *arg)
{
    (void)arg;
    if (status < 0)
        note("[%s]", tr_errname(status));
    else
        note("[%.*s]", (int)tr_buf_size(all), (const char *)tr_buf_data(all));
    one_less(self);
}

static void answered(tr_actor *self, int error, const tr_http_answer *answer, void *arg)
{
    (void)arg;
    if (error < 0) {
        note("%s ", tr_errname(error));
        one_less(self);
        return;
    }
    note("%d ", answer->status);
    if (answer->stream.id != 0) {
        int rc = tr_collect(self, answer->stream, NULL, body_whole, NULL);
        if (rc < 0) {
            note("%s", tr_errname(rc));
            tr_stream_destroy(self, answer->stream, 0);
            one_less(self);
        }
        return;
    }
    if (answer->body != NULL)
        note("%.*s ", (int)tr_buf_size(answer->body), (const char *)tr_buf_data(answer->body));
    one_less(self);
}

static void ask(tr_actor *self, const tr_http_call *call)
{
    sc.left++;
    int rc = tr_http_send(self, sc.client, call, NULL, answered, NULL);
    if (rc < 0) {
        note("!%s ", tr_errname(rc));
        one_less(self);
    }
}

#define WHOLE .collect_max = 65536

// ---- The tests ----

static void three_ways(tr_actor *self)
{
    ask(self, TR_HTTP_CALL(.url = url("/a?b=c#d"), WHOLE));
    ask(self, TR_HTTP_CALL(.url = url("/echo"), .body = {"hello", 5}, WHOLE));
    ask(self, TR_HTTP_CALL(.url = url(""), .method = "HEAD", WHOLE));
    ask(self, TR_HTTP_CALL(.url = url("/none"), WHOLE));
    ask(self, TR_HTTP_CALL(.url = url("/none")));
    ask(self, TR_HTTP_CALL(.url = url("?x"), .method = "DELETE"));
}

static void calls_are_answered(void **state)
{
    (void)state;
    sc = (struct scenario){.client_opts.connections_max = 1};
    run(three_ways);
    assert_int_equal(0, sc.rc);
    assert_string_equal("200 GET /a?b=c host=1 trace= 200 hello 200 204 204 []200 "
                        "[DELETE /?x host=1 trace=]",
                        notes);
}

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static void traced(tr_actor *self)
{
    ask(self, TR_HTTP_CALL(.url = url("/"), .traceparent = tr_str_of(TRACE), WHOLE));
}

static void a_trace_is_passed_on(void **state)
{
    (void)state;
    sc = (struct scenario){0};
    run(traced);
    assert_string_equal("200 GET / host=1 trace=" TRACE " ", notes);
}

static void many(tr_actor *self)
{
    for (int i = 0; i < 50; i++)
        ask(self, TR_HTTP_CALL(.url = url("/echo"), .body = {"x", 1}, WHOLE));
}

static void look_at_stats(tr_actor *self)
{
    tr_http_stats stats;
    assert_int_equal(0, tr_http_stats_get(self, sc.server, &stats));
    note("%d", (int)stats.accepted);
}

static void again(tr_actor *self, void *arg)
{
    (void)arg;
    look_at_stats(self);
    ask(self, TR_HTTP_CALL(.url = url("/close"), WHOLE));
}

static void many_and_again(tr_actor *self)
{
    many(self);
    assert_int_equal(0, tr_timer_start(self, TR_S(2), again, NULL, NULL));
}

static void connections_are_used_again(void **state)
{
    (void)state;
    sc = (struct scenario){.client_opts.connections_max = 3};
    run(many_and_again);
    const char *at = notes;
    for (int i = 0; i < 50; i++, at += 6)
        assert_memory_equal("200 x ", at, 6);
    assert_string_equal("3200 GET /close host=1 trace= ", at);
}

static void both_origins(tr_actor *self)
{
    char other[200];
    snprintf(other, sizeof other, "http://localhost%s/echo", strrchr(sc.at, ':'));
    for (int i = 0; i < 10; i++) {
        ask(self, TR_HTTP_CALL(.url = url("/echo"), .body = {"x", 1}, WHOLE));
        ask(self, TR_HTTP_CALL(.url = other, .body = {"y", 1}, WHOLE));
    }
    assert_int_equal(0, tr_timer_start(self, TR_S(2), again, NULL, NULL));
}

// One to each, and nobody waits for the other's.
static void each_origin_has_connections_of_its_own(void **state)
{
    (void)state;
    sc = (struct scenario){.client_opts.connections_max = 1};
    run(both_origins);
    unsigned to_one = 0, to_other = 0;
    for (const char *at = notes; strncmp(at, "200 ", 4) == 0; at += 6) {
        to_one += at[4] == 'x';
        to_other += at[4] == 'y';
    }
    assert_int_equal(10, to_one);
    assert_int_equal(10, to_other);
    assert_non_null(strstr(notes, " 2200 GET /close"));
}

static void ask_hello(tr_actor *self, void *arg)
{
    (void)arg;
    ask(self, TR_HTTP_CALL(.url = url("/echo"), .method = "GET", WHOLE));
}

// The server closes what waits for 1 to 2 s; the client would keep it longer.
static void ask_often(tr_actor *self)
{
    for (uint64_t i = 0; i < 300; i++)
        assert_int_equal(0, tr_timer_start(self, TR_MS(7) * i * i / 20, ask_hello, NULL, NULL));
    assert_int_equal(0, tr_timer_start(self, TR_S(60), finish, NULL, NULL));
}

static void a_connection_that_was_closed_meanwhile_is_no_error(void **state)
{
    (void)state;
    sc = (struct scenario){.client_opts.idle_ms = 60000, .server_opts.idle_ms = 1, .left = 1};
    run(ask_often);
    for (const char *at = notes; *at != '\0'; at += 4)
        assert_memory_equal("200 ", at, 4);
    assert_int_equal(300 * 4, strlen(notes));
}

static void late(tr_actor *self)
{
    tr_cancel *cancel = NULL;
    assert_int_equal(0, tr_cancel_after(self, TR_S(3), &cancel));
    ask(self, TR_HTTP_CALL(.url = url("/never"), .timeout_ms = 5000, WHOLE));
    ask(self, TR_HTTP_CALL(.url = url("/never"), .timeout_ms = 9000, .cancel = cancel));
    ask(self, TR_HTTP_CALL(.url = url("/cut")));
    ask(self, TR_HTTP_CALL(.url = url("/cut"), WHOLE));
    ask(self, TR_HTTP_CALL(.url = "http://127.0.0.1:1/"));
    ask(self, TR_HTTP_CALL(.url = url("/echo"), .body = {"hello", 5}, .collect_max = 4));
}

static void calls_that_fail_say_why(void **state)
{
    (void)state;
    sc = (struct scenario){0};
    run(late);
    assert_string_equal("TR_E? TR_EPIPE TR_EPIPE TR_ETOOBIG TR_ECANCELED TR_ETIMEDOUT ", notes);
    assert_int_equal(0, sc.rc);
}

static void wrong(tr_actor *self)
{
    static const char *const urls[] = {
        "",          "http://",     "ftp://a/",    "https://a/",
        "http:///x", "http://a b/", "http://u@a/", "http://a/\r\nX: y"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_true(
            tr_http_send(self, sc.client, TR_HTTP_CALL(.url = urls[i]), NULL, answered, NULL) < 0);
    const tr_http_header header = {tr_str_of("X"), tr_str_of("a\r\nb")};
    assert_int_equal(TR_EINVAL, tr_http_send(self, sc.client,
                                             TR_HTTP_CALL(.url = url("/"), .headers = &header,
                                                          .header_count = 1),
                                             NULL, answered, NULL));
    assert_int_equal(TR_EINVAL,
                     tr_http_send(self, sc.client, TR_HTTP_CALL(.url = url("/"), .method = "A B"),
                                  NULL, answered, NULL));
    sc.left = 1;
    one_less(self);
}

static void what_is_no_call_is_refused(void **state)
{
    (void)state;
    sc = (struct scenario){0};
    run(wrong);
    assert_int_equal(0, sc.rc);
    assert_string_equal("", notes);
}

static void ask_raw(tr_actor *self)
{
    ask(self, TR_HTTP_CALL(.url = url("/"), WHOLE));
    ask(self, TR_HTTP_CALL(.url = url("/")));
}

static void servers_that_are_none_are_found_out(void **state)
{
    static const struct {
        const char *says, *notes;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok 200 [ok]"},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", "200 to the end 200 [to the end]"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
         "200 ok 200 [ok]"},
        {"", "TR_EPIPE TR_EPIPE "},
        {"HTTP/1.1 200", "TR_EPIPE TR_EPIPE "},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", "TR_EPIPE 200 [TR_EPIPE]"},
        {"rubbish\r\n\r\n", "TR_EBADMSG TR_EBADMSG "},
        {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "TR_EBADMSG TR_EBADMSG "},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "TR_EBADMSG TR_EBADMSG "},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "TR_EBADMSG TR_EBADMSG "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sc = (struct scenario){.raw = cases[i].says, .client_opts.connections_max = 1};
        run(ask_raw);
        if (strcmp(cases[i].notes, notes) != 0)
            fail_msg("%s\ngives %s", cases[i].says, notes);
    }
}

// Whatever is missing, the call ends, once; with all of it, it is answered.
static void an_answer_that_stops_early_is_an_error(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"};
    char cut[128];
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (size_t size = 0; size <= strlen(answers[i]); size++) {
            memcpy(cut, answers[i], size);
            cut[size] = '\0';
            sc = (struct scenario){.raw = cut, .client_opts.connections_max = 1};
            counted_memory_start(0);
            run(ask_raw);
            assert_int_equal(0, counted_memory_stop());
            assert_int_equal(0, sc.rc);
            assert_int_equal(0, sc.left);
            assert_int_equal(size == strlen(answers[i]), strcmp(notes, "200 ok 200 [ok]") == 0);
        }
    }
}

// ---- Bodies that are written ----

static void stream_out(tr_actor *self)
{
    for (uint64_t length = 0; length <= 11; length += 11) {
        tr_stream body;
        sc.left++;
        assert_int_equal(0, tr_http_send(self, sc.client,
                                         TR_HTTP_CALL(.url = url("/echo"), .length = length), &body,
                                         answered, NULL));
        assert_int_equal(0, tr_stream_write_bytes(self, body, "hello ", 6));
        assert_int_equal(0, tr_stream_write_bytes(self, body, "world", 5));
        assert_int_equal(0, tr_stream_end(self, body));
    }
}

static void a_body_may_be_written_to_a_stream(void **state)
{
    (void)state;
    for (uint32_t most = 1; most <= 2; most++) {
        sc = (struct scenario){.client_opts.connections_max = most};
        run(stream_out);
        assert_string_equal("200 [hello world]200 [hello world]", notes);
    }
}

static void close_client(tr_actor *self, void *arg)
{
    (void)arg;
    tr_http_client_close(self, sc.client);
    tr_http_client_close(self, sc.client);
}

static uint64_t close_after_ns;

static void all_and_close(tr_actor *self)
{
    tr_stream body;
    three_ways(self);
    stream_out(self);
    sc.left++;
    assert_int_equal(
        0, tr_http_send(self, sc.client, TR_HTTP_CALL(.url = url("/echo")), &body, answered, NULL));
    assert_int_equal(0, tr_timer_start(self, close_after_ns, close_client, NULL, NULL));
}

static void a_client_may_be_closed_at_any_time(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 200; n++) {
        sc = (struct scenario){.client_opts.connections_max = 1 + n % 3};
        close_after_ns = TR_US(7) * n;
        counted_memory_start(0);
        run(all_and_close);
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(0, sc.rc);
        assert_int_equal(0, sc.left); // each has been told
    }
}

static void everything(tr_actor *self)
{
    tr_stream body;
    if (tr_timer_start(self, TR_S(60), finish, NULL, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
    three_ways(self);
    ask(self, TR_HTTP_CALL(.url = url("/cut")));
    sc.left++;
    int rc =
        tr_http_send(self, sc.client, TR_HTTP_CALL(.url = url("/echo")), &body, answered, NULL);
    if (rc < 0) {
        one_less(self);
        return;
    }
    tr_stream_write_bytes(self, body, "hello", 5);
    tr_stream_end(self, body);
}

static void every_allocation_may_fail(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    while (sweep_next(&sweep)) {
        sc = (struct scenario){.client_opts.connections_max = 2, .left = 1};
        sweep_begin(&sweep);
        run(everything);
        sweep_end(&sweep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered),
        cmocka_unit_test(a_trace_is_passed_on),
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(each_origin_has_connections_of_its_own),
        cmocka_unit_test(a_connection_that_was_closed_meanwhile_is_no_error),
        cmocka_unit_test(calls_that_fail_say_why),
        cmocka_unit_test(what_is_no_call_is_refused),
        cmocka_unit_test(servers_that_are_none_are_found_out),
        cmocka_unit_test(an_answer_that_stops_early_is_an_error),
        cmocka_unit_test(a_body_may_be_written_to_a_stream),
        cmocka_unit_test(a_client_may_be_closed_at_any_time),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
