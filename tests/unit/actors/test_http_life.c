// HTTP connections: how they end, by either side; draining; leaving HTTP; without memory.
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/http_talk.h"
#include "support/sweep.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

// ---- Hearing of the end ----

static int told_status;
static unsigned told;

static void then_told(tr_actor *self, int status, void *arg)
{
    (void)self, (void)arg;
    told++;
    told_status = status;
}

static int answers_and_waits(tr_actor *self, tr_http http, const tr_http_request *request,
                             void *arg)
{
    (void)request, (void)arg;
    assert_int_equal(0, tr_http_then(self, http, then_told, NULL));
    assert_int_equal(TR_EEXIST, tr_http_then(self, http, then_told, NULL));
    assert_int_equal(0, tr_http_reply(self, http, NULL));
    assert_int_equal(0, told); // never in the call
    assert_int_equal(TR_ENOENT, tr_http_reply(self, http, NULL));
    assert_null(tr_http_request_of(self, http));
    return 0;
}

static void who_waits_is_told_when_the_answer_has_left(void **state)
{
    struct talk talk = {.handler = answers_and_waits};
    (void)state;
    told = 0, told_status = 1;
    talk_with(&talk, GET);
    assert_int_equal(1, told);
    assert_int_equal(0, told_status);
}

static int only_waits(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    return tr_http_then(self, http, then_told, NULL);
}

static void who_waits_is_told_when_the_client_has_gone(void **state)
{
    struct talk talk = {
        .handler = only_waits, .keeps = true, .hangs_up_ns = TR_MS(100), .opts.end_aborts = true};
    (void)state;
    told = 0, told_status = 0;
    talk_with(&talk, GET);
    assert_int_equal(1, told);
    assert_true(told_status < 0);
}

// ---- Clients that leave, wherever ----

static int streams_back(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_stream streams[2];
    (void)request, (void)arg;
    int rc = tr_http_body(self, http, &streams[0]);
    if (rc == 0)
        rc = tr_http_then(self, http, then_told, NULL);
    if (rc == 0)
        rc = tr_http_reply_stream(self, http, NULL, &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, then_told, NULL);
}

static const char posts[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n" GET;

// Each request that has come is over once, for the one who answers and for the pipeline.
static void clients_may_leave_at_any_byte(void **state)
{
    struct talk *talk = test_calloc(1, sizeof *talk);
    (void)state;
    for (size_t size = 0; size < sizeof posts; size++) {
        for (int ways = 0; ways < 4; ways++) {
            *talk = (struct talk){.handler = streams_back,
                                  .says = posts,
                                  .size = size,
                                  .keeps = (ways & 1) != 0,
                                  .hangs_up_ns = ways & 1 ? TR_US(10) * (size + 1) : 0,
                                  .piece = ways & 2 ? 1 : 0};
            told = 0;
            counted_memory_start(0);
            talk_run(talk);
            assert_int_equal(0, counted_memory_stop());
            assert_int_equal(0, talk->rc);
            assert_int_equal(2 * talk->calls, told);
        }
    }
    test_free(talk);
}

static void close_server(tr_actor *self, void *arg)
{
    struct talk *talk = arg;
    tr_http_close(self, talk->server);
    tr_http_close(self, talk->server);
}

static uint64_t close_after_ns;

static void closes_later(tr_actor *self, struct talk *talk)
{
    assert_int_equal(0, tr_timer_start(self, close_after_ns, close_server, talk, NULL));
}

static void a_server_may_be_closed_at_any_time(void **state)
{
    struct talk *talk = test_calloc(1, sizeof *talk);
    (void)state;
    for (unsigned n = 0; n < 200; n++) {
        *talk = (struct talk){.handler = streams_back,
                              .says = posts,
                              .size = sizeof posts - 1,
                              .piece = n % 7,
                              .begun = closes_later};
        close_after_ns = TR_US(5) * n;
        told = 0;
        counted_memory_start(0);
        talk_run(talk);
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(0, talk->rc);
        assert_int_equal(2 * talk->calls, told);
    }
    test_free(talk);
}

// ---- Draining ----

static uint64_t drained_at;

static void drain_done(tr_actor *self, int status, void *arg)
{
    struct talk *talk = arg;
    tr_http_stats stats;
    drained_at = tr_now(self);
    told_status = status;
    assert_int_equal(TR_ENOENT, tr_http_stats_get(self, talk->server, &stats));
}

static uint32_t grace_ms;

static int drains_and_answers(tr_actor *self, tr_http http, const tr_http_request *request,
                              void *arg)
{
    struct talk *talk = arg;
    (void)request;
    if (talk->calls == 1) {
        assert_int_equal(0, tr_http_drain(self, talk->server, grace_ms, drain_done, talk));
        assert_int_equal(TR_EEXIST, tr_http_drain(self, talk->server, 1, drain_done, talk));
    }
    return tr_http_reply(self, http, NULL);
}

static void what_is_answered_while_draining_is_the_last(void **state)
{
    struct talk talk = {.handler = drains_and_answers, .keeps = true};
    (void)state;
    grace_ms = 60000;
    told_status = 1;
    talk_with(&talk, GET);
    assert_string_equal("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                        talk_brief(&talk));
    assert_int_equal(0, told_status);
}

static void drain_now(tr_actor *self, void *arg)
{
    struct talk *talk = arg;
    assert_int_equal(0, tr_http_drain(self, talk->server, grace_ms, drain_done, talk));
}

static void speak_again(tr_actor *self, void *arg)
{
    struct talk *talk = arg;
    assert_int_equal(0, tr_stream_write_bytes(self, talk->client, GET, sizeof GET - 1));
}

static void drains_between(tr_actor *self, struct talk *talk)
{
    assert_int_equal(0, tr_timer_start(self, TR_MS(1000), drain_now, talk, NULL));
    assert_int_equal(0, tr_timer_start(self, TR_MS(4000), speak_again, talk, NULL));
}

static void a_connection_that_waits_has_its_next_request_answered(void **state)
{
    struct talk talk = {.keeps = true, .begun = drains_between};
    (void)state;
    grace_ms = 60000;
    told_status = 1;
    talk_with(&talk, GET);
    assert_int_equal(2, talk.calls);
    assert_non_null(strstr(talk.heard, "Connection: close"));
    assert_int_equal(0, told_status);
}

static void drains_soon(tr_actor *self, struct talk *talk)
{
    assert_int_equal(0, tr_timer_start(self, TR_MS(1000), drain_now, talk, NULL));
}

static void who_is_not_through_in_time_is_closed(void **state)
{
    struct talk talk = {.handler = only_waits, .keeps = true, .begun = drains_soon};
    (void)state;
    grace_ms = 3000;
    told = 0, told_status = 0;
    talk_with(&talk, GET);
    assert_int_equal(1, told);
    assert_int_equal(TR_S(4), talk.took_ns / TR_MS(100) * TR_MS(100));
}

// ---- Who does not take ----

static int says_much(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_buf *much = NULL;
    (void)request, (void)arg;
    assert_int_equal(0, tr_http_then(self, http, then_told, NULL));
    assert_int_equal(0, tr_buf_zeroed(1 << 20, &much));
    return tr_http_reply_buf(self, http, NULL, &much);
}

static void who_does_not_take_an_answer_is_closed(void **state)
{
    struct talk talk = {.handler = says_much, .keeps = true, .deaf = true};
    (void)state;
    told = 0, told_status = 0;
    talk.hangs_up_ns = TR_S(100);
    talk_with(&talk, GET);
    assert_int_equal(1, told);
    assert_int_equal(TR_ETIMEDOUT, told_status);
}

// ---- Leaving HTTP ----

static char raw[64];

static void raw_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t size = tr_buf_size(chunk), at = strlen(raw);
    (void)arg;
    assert_true(at + size < sizeof raw);
    memcpy(raw + at, tr_buf_data(chunk), size);
    if (strlen(raw) == 6)
        assert_int_equal(0, tr_stream_write_bytes(self, stream, raw, 6));
}

static void raw_end(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_end(self, stream);
}

static const tr_stream_events raw_events = {.data = raw_data, .end = raw_end};
static tr_http to_leave;

static void leave(tr_actor *self, void *arg)
{
    tr_stream stream;
    (void)arg;
    assert_int_equal(0, tr_http_upgrade(self, to_leave, NULL, &stream));
    assert_int_equal(0, tr_stream_on(self, stream, &raw_events, NULL));
}

static int leaves_at_once(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)arg;
    assert_true(tr_str_eq(request->upgrade, "echo") || tr_str_eq(request->method, "CONNECT"));
    assert_int_equal(0, tr_http_then(self, http, then_told, NULL));
    to_leave = http;
    leave(self, NULL);
    return 0;
}

static int leaves_later(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    to_leave = http;
    return tr_timer_start(self, TR_MS(50), leave, NULL, NULL);
}

#define ECHO "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

static void a_connection_may_leave_http(void **state)
{
    static const char answer[] =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nabcdef";
    struct talk *talk = test_calloc(1, sizeof *talk);
    (void)state;
    for (size_t piece = 0; piece < 80; piece++) {
        *talk = (struct talk){.handler = piece & 1 ? leaves_later : leaves_at_once, .piece = piece};
        memset(raw, 0, sizeof raw);
        counted_memory_start(0);
        talk_with(talk, ECHO "abcdef");
        assert_int_equal(0, counted_memory_stop());
        assert_string_equal(answer, talk_brief(talk));
    }
    *talk = (struct talk){.handler = leaves_at_once};
    memset(raw, 0, sizeof raw);
    talk_with(talk, "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\nabcdef");
    assert_string_equal("HTTP/1.1 200 OK\r\n\r\nabcdef", talk_brief(talk));
    test_free(talk);
}

static int leaves_and_closes(tr_actor *self, tr_http http, const tr_http_request *request,
                             void *arg)
{
    const struct talk *talk = arg;
    leaves_at_once(self, http, request, arg);
    tr_http_close(self, talk->server);
    return 0;
}

static void who_has_left_http_outlives_the_server(void **state)
{
    struct talk talk = {.handler = leaves_and_closes};
    (void)state;
    memset(raw, 0, sizeof raw);
    talk_with(&talk, ECHO "abcdef");
    assert_non_null(strstr(talk.heard, "\r\n\r\nabcdef"));
}

static void a_wish_to_leave_may_be_ignored(void **state)
{
    struct talk talk = {0};
    (void)state;
    talk_with(&talk, ECHO GET);
    assert_int_equal(2, talk.calls);
    assert_string_equal("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGET /\n"
                        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGET /\n",
                        talk_brief(&talk));
}

static void answer_left(tr_actor *self, void *arg)
{
    (void)arg;
    assert_int_equal(0, tr_http_reply(self, to_leave, NULL));
}

static int stays_later(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    to_leave = http;
    return tr_timer_start(self, TR_MS(50), answer_left, NULL, NULL);
}

// Answered at once or later, the connection is one that waits for its next request.
static void who_has_not_left_is_idle_like_others(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct talk talk = {.keeps = true, .handler = later ? stays_later : NULL};
        talk_with(&talk, ECHO);
        assert_in_range(talk.took_ns / TR_S(1), 6, 9);
    }
}

// ---- Without memory ----

static tr_http_server given_to;
static size_t fail_at;
static int accepted_rc;

static int refuses(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    return tr_http_reply(self, http, NULL);
}

// The socket is the caller's as long as it has not been taken.
static void give(tr_actor *self, tr_stream stream, void *arg)
{
    tr_stream_info info;
    (void)arg;
    counted_memory_fail(fail_at, false);
    accepted_rc = tr_http_accept(self, given_to, stream);
    counted_memory_fail(0, false);
    assert_true(accepted_rc == 0 || accepted_rc == TR_ENOMEM);
    assert_int_equal(0, tr_stream_info_get(self, stream, &info));
    assert_false(info.closing);
    tr_stream_destroy(self, stream, 0);
}

static void give_one(tr_actor *self, struct talk *talk)
{
    static const tr_stream_events nothing = {.closed = NULL};
    char at[TR_ADDRESS_MAX];
    tr_server server;
    tr_stream client;
    (void)talk;
    assert_int_equal(0, tr_http_open(self, refuses, NULL, NULL, &given_to));
    assert_int_equal(
        0, tr_listen(self, "tcp://127.0.0.1:0", TR_LISTEN(.half_open = true), give, NULL, &server));
    assert_int_equal(0, tr_server_address(self, server, at));
    assert_int_equal(0, tr_connect(self, at, NULL, &client));
    assert_int_equal(0, tr_stream_on(self, client, &nothing, NULL));
}

static void what_is_not_accepted_for_want_of_memory_is_still_the_callers(void **state)
{
    (void)state;
    fail_at = 0;
    do {
        struct talk talk = {.begun = give_one};
        fail_at++;
        counted_memory_start(0);
        talk_with(&talk, GET);
        assert_int_equal(0, counted_memory_stop());
    } while (accepted_rc == TR_ENOMEM);
    assert_true(fail_at > 2);
}

static void every_allocation_may_fail(void **state)
{
    struct talk *talk = test_calloc(1, sizeof *talk);
    struct sweep sweep = {0};
    (void)state;
    while (sweep_next(&sweep)) {
        *talk = (struct talk){.handler = streams_back,
                              .piece = 50,
                              .says = posts,
                              .size = sizeof posts - 1,
                              .hangs_up_ns = TR_S(400)};
        told = 0;
        sweep_begin(&sweep);
        talk_run(talk);
        sweep_end(&sweep);
        assert_true(talk->rc == 0 || talk->rc == TR_ENOMEM);
    }
    test_free(talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_told_when_the_answer_has_left),
        cmocka_unit_test(who_waits_is_told_when_the_client_has_gone),
        cmocka_unit_test(clients_may_leave_at_any_byte),
        cmocka_unit_test(a_server_may_be_closed_at_any_time),
        cmocka_unit_test(what_is_answered_while_draining_is_the_last),
        cmocka_unit_test(a_connection_that_waits_has_its_next_request_answered),
        cmocka_unit_test(who_is_not_through_in_time_is_closed),
        cmocka_unit_test(who_does_not_take_an_answer_is_closed),
        cmocka_unit_test(a_connection_may_leave_http),
        cmocka_unit_test(who_has_left_http_outlives_the_server),
        cmocka_unit_test(a_wish_to_leave_may_be_ignored),
        cmocka_unit_test(who_has_not_left_is_idle_like_others),
        cmocka_unit_test(what_is_not_accepted_for_want_of_memory_is_still_the_callers),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
