// The HTTP server over simulated sockets: what clients send, byte for byte, and what comes back.
#include "support/cmocka.h"
#include "support/http_talk.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD(status)    "HTTP/1.1 " status "\r\n"
#define LENGTH(n)       "Content-Length: " n "\r\n"
#define CLOSE           "Connection: close\r\n"
#define REFUSED(status) HEAD(status) LENGTH("0") CLOSE "\r\n"

static void expect(struct talk *talk, const char *says, const char *heard)
{
    talk_with(talk, says);
    assert_string_equal(heard, talk_brief(talk));
}

static void expect_plain(const char *says, const char *heard)
{
    struct talk talk = {0};
    expect(&talk, says, heard);
}

// ---- Answers ----

static void a_request_is_answered(void **state)
{
    (void)state;
    expect_plain("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n",
                 HEAD("200 OK") LENGTH("9") "\r\nGET /a?b\n");
}

static void a_head_says_how_it_goes_on(void **state)
{
    struct talk talk = {.keeps = true};
    (void)state;
    talk_with(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(talk.heard, "\r\nDate: "));
    assert_non_null(strstr(talk.heard, " GMT\r\n"));
    assert_non_null(strstr(talk.heard, "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"));
}

static void requests_in_a_row_are_answered_in_order(void **state)
{
    (void)state;
    expect_plain("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                 HEAD("200 OK") LENGTH("7") "\r\nGET /1\n" HEAD("200 OK")
                     LENGTH("7") "\r\nGET /2\n" HEAD("200 OK") LENGTH("7") CLOSE "\r\nGET /3\n");
}

static void nothing_behind_a_last_request_is_heeded(void **state)
{
    (void)state;
    expect_plain("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
                 HEAD("200 OK") LENGTH("7") CLOSE "\r\nGET /1\n");
}

static void head_has_no_body(void **state)
{
    (void)state;
    expect_plain("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD("200 OK") LENGTH("7") "\r\n");
}

static int no_content(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    return tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = 204, .body = TR_HTTP_TEXT("x")));
}

static void no_content_has_no_body(void **state)
{
    struct talk talk = {.handler = no_content};
    (void)state;
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD("204 No Content") "\r\n");
}

static void an_old_client_is_closed_unless_it_asks(void **state)
{
    struct talk talk = {.keeps = true};
    (void)state;
    expect(&talk, "GET / HTTP/1.0\r\n\r\n", HEAD("200 OK") LENGTH("6") CLOSE "\r\nGET /\n");
    talk_with(&talk, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(talk.heard, "Connection: keep-alive"));
}

static int fails(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)self, (void)http, (void)request, (void)arg;
    return TR_EIO;
}

static void a_handler_that_fails_is_a_500(void **state)
{
    struct talk talk = {.handler = fails};
    (void)state;
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSED("500 Internal Server Error"));
}

// ---- What is refused ----

static void what_is_no_http_is_refused(void **state)
{
    static const struct {
        const char *says, *heard;
    } cases[] = {
        {"garbage\r\n\r\n", REFUSED("400 Bad Request")},
        {"\x16\x03\x01\x02\x00\x01", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\nHost: a\n\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", REFUSED("505 HTTP Version Not Supported")},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", REFUSED("400 Bad Request")},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED("400 Bad Request")},
        {"GET /\r\n\r\n", REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nExpect: a pony\r\nContent-Length: 1\r\n\r\n",
         REFUSED("417 Expectation Failed")},
        // Lengths that contradict each other.
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
         "0\r\n\r\n",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 5\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\nhello",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
         REFUSED("400 Bad Request")},
        {"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         REFUSED("400 Bad Request")},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk talk = {0};
        talk_with(&talk, cases[i].says);
        if (strcmp(cases[i].heard, talk_brief(&talk)) != 0 || talk.calls != 0)
            fail_msg("%s\ngives\n%s", cases[i].says, talk.heard);
    }
}

// The handler has not answered when the body turns out to be none.
static int waits_for_body(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_stream body;
    (void)request, (void)arg;
    assert_int_equal(0, tr_http_body(self, http, &body));
    return tr_stream_resume(self, body);
}

static void a_chunk_that_is_none_is_refused(void **state)
{
    static const char *const chunks[] = {
        "x\r\n",       "5\r\nhelloX",           "-1\r\n", "5 ;\rx\r\n",
        "5\nhello",    "fffffffffffffffff\r\n", "\r\n",   "5\r\nhello\r\n0\r\nX : y\r\n",
        "0x5\r\nhello"};
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        char says[256];
        struct talk talk = {.handler = waits_for_body};
        snprintf(says, sizeof says,
                 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunks[i]);
        talk_with(&talk, says);
        if (strcmp(REFUSED("400 Bad Request"), talk_brief(&talk)) != 0)
            fail_msg("%s\ngives\n%s", says, talk.heard);
    }
}

static char *head_of(const char *before, size_t size, const char *behind)
{
    char *text = malloc(strlen(before) + size + strlen(behind) + 1);
    assert_non_null(text);
    size_t at = strlen(before);
    memcpy(text, before, at);
    memset(text + at, 'x', size);
    memcpy(text + at + size, behind, strlen(behind) + 1);
    return text;
}

static void expect_large(const char *before, size_t size, const char *behind, const char *heard)
{
    char *says = head_of(before, size, behind);
    for (size_t piece = 0; piece <= 4096; piece += 4096) {
        struct talk talk = {.piece = piece};
        expect(&talk, says, heard);
    }
    free(says);
}

static void large_heads_are_refused(void **state)
{
    (void)state;
    expect_large("GET / HTTP/1.1\r\nHost: a\r\nX: ", 16384, "\r\n\r\n",
                 REFUSED("431 Request Header Fields Too Large"));
    expect_large("GET / HTTP/1.1\r\nHost: a\r\nX: ", 40000, "",
                 REFUSED("431 Request Header Fields Too Large"));
    expect_large("GET /", 9000, " HTTP/1.1\r\nHost: a\r\n\r\n", REFUSED("414 URI Too Long"));
    expect_large("GET /", 9000, "", REFUSED("414 URI Too Long"));
}

static void too_many_headers_are_refused(void **state)
{
    struct talk talk = {.opts.headers_max = 3};
    (void)state;
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\na: b\r\na: b\r\na: b\r\n\r\n",
           REFUSED("431 Request Header Fields Too Large"));
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\na: b\r\na: b\r\n\r\n",
           HEAD("200 OK") LENGTH("6") "\r\nGET /\n");
}

static void a_large_body_is_refused(void **state)
{
    struct talk talk = {.handler = waits_for_body, .opts.body_max = 4};
    (void)state;
    expect(&talk, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
           REFUSED("413 Content Too Large"));
    assert_int_equal(0, talk.calls);
    expect(&talk,
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
           "3\r\nabc\r\n0\r\n\r\n",
           REFUSED("413 Content Too Large"));
    assert_int_equal(1, talk.calls);
}

// ---- Too slow ----

static uint64_t whole_seconds(uint64_t ns)
{
    return (ns + TR_MS(500)) / TR_S(1);
}

static void who_is_too_slow_is_told(void **state)
{
    struct talk talk = {.keeps = true};
    (void)state;
    expect(&talk, "GET / HTTP/1.1\r\nHo", REFUSED("408 Request Timeout"));
    assert_in_range(whole_seconds(talk.took_ns), 60, 62);
    talk = (struct talk){.keeps = true, .handler = waits_for_body};
    expect(&talk, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
           REFUSED("408 Request Timeout"));
    assert_in_range(whole_seconds(talk.took_ns), 300, 302);
}

static void who_says_nothing_is_closed(void **state)
{
    struct talk talk = {.keeps = true};
    (void)state;
    expect(&talk, "", "");
    assert_in_range(whole_seconds(talk.took_ns), 60, 63);
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD("200 OK") LENGTH("6") "\r\nGET /\n");
    assert_in_range(whole_seconds(talk.took_ns), 6, 9);
}

static void who_says_nothing_is_kept_as_long_as_one_likes(void **state)
{
    struct talk talk = {.keeps = true, .opts.idle_ms = UINT32_MAX, .hangs_up_ns = TR_S(1000)};
    (void)state;
    talk_with(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(TR_S(1000), talk.took_ns);
}

static int never_answers(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)self, (void)http, (void)request, (void)arg;
    return 0;
}

static void a_handler_that_is_too_slow_is_answered_for(void **state)
{
    struct talk talk = {.keeps = true, .handler = never_answers, .opts.reply_ms = 3000};
    (void)state;
    expect(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", REFUSED("503 Service Unavailable"));
    assert_in_range(whole_seconds(talk.took_ns), 3, 5);
}

// ---- Bodies ----

static void echo_done(tr_actor *self, int status, void *arg)
{
    (void)self;
    ((struct talk *)arg)->status = status;
}

// What is sent is sent back, in chunks, or with its length.
static int echoes(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_stream streams[2];
    int rc = tr_http_body(self, http, &streams[0]);
    if (rc == 0)
        rc = tr_http_reply_stream(self, http, TR_HTTP_RESPONSE(.length = request->length),
                                  &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, echo_done, arg);
}

static void a_body_is_a_stream_and_so_is_the_answer(void **state)
{
    struct talk talk = {.handler = echoes};
    (void)state;
    expect(&talk,
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
           HEAD("200 OK") LENGTH("5") "\r\nhello" HEAD("200 OK") LENGTH("3") "\r\nabc");
}

static int says_two(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_stream stream;
    (void)request, (void)arg;
    int rc = tr_http_reply_stream(self, http, NULL, &stream);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, stream, "abc", 3);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, stream, "d", 1);
    return rc < 0 ? rc : tr_stream_end(self, stream);
}

static void an_answer_without_a_length_goes_in_chunks(void **state)
{
    struct talk talk = {.handler = says_two};
    (void)state;
    expect(&talk,
           "GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
           "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
           HEAD("200 OK") "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" HEAD(
               "200 OK") "Transfer-Encoding: chunked\r\n\r\n" HEAD("200 OK") CLOSE "\r\nabcd");
}

static void large_bodies_go_through_bit_by_bit(void **state)
{
    static const char behind[] = "GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct talk *talk = calloc(1, sizeof *talk);
    char before[128];
    const size_t size = 60000;
    (void)state;
    snprintf(before, sizeof before, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
             size);
    char *says = head_of(before, size, behind);
    for (size_t piece = 0; piece <= 7000; piece += 1000) {
        *talk = (struct talk){.handler = echoes, .piece = piece};
        talk_with(talk, says);
        const char *body = strstr(talk->heard, "\r\n\r\n");
        assert_non_null(body);
        assert_int_equal(size, strspn(body + 4, "x"));
        assert_non_null(strstr(talk->heard, "Transfer-Encoding: chunked"));
        assert_int_equal(2, talk->calls);
    }
    free(says);
    free(talk);
}

static int has_all(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_buf *body = request->body != NULL ? tr_buf_ref(request->body) : NULL;
    (void)arg;
    int rc =
        body != NULL ? tr_http_reply_buf(self, http, NULL, &body) : tr_http_reply(self, http, NULL);
    tr_buf_unref(&body);
    return rc;
}

static void a_body_may_be_had_whole(void **state)
{
    struct talk talk = {.handler = has_all, .opts.collect = true};
    (void)state;
    for (talk.piece = 0; talk.piece < 5; talk.piece++)
        expect(&talk,
               "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
               "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
               "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
               HEAD("200 OK") LENGTH("5") "\r\nhello" HEAD("200 OK")
                   LENGTH("0") "\r\n" HEAD("200 OK") LENGTH("4") "\r\nabcd");
}

static tr_http later;

static void answer_later(tr_actor *self, void *arg)
{
    (void)arg;
    tr_http_reply(self, later, NULL);
}

// The first request of a connection, that is; others are not answered, only listened to.
static int answers_later(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    const struct talk *talk = arg;
    tr_stream body;
    (void)request;
    if (talk->calls > 1)
        return tr_http_body(self, http, &body);
    later = http;
    return tr_timer_start(self, TR_S(1), answer_later, NULL, NULL);
}

static void who_waits_to_be_told_is_told(void **state)
{
    static const char says[] = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                               "Content-Length: 5\r\n\r\n";
    struct talk talk = {.handler = echoes, .keeps = true, .opts.request_ms = 4000};
    (void)state;
    talk_with(&talk, says);
    assert_memory_equal(talk.heard, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    talk = (struct talk){.keeps = true}; // answered without its body, it is not
    expect(&talk, says, HEAD("200 OK") LENGTH("7") CLOSE "\r\nPOST /\n");
}

static void who_waits_to_be_told_is_told_where_bodies_are_collected(void **state)
{
    static const char says[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                               "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                               "Content-Length: 5\r\n\r\n";
    struct talk talk = {.handler = has_all, .keeps = true, .opts.collect = true};
    (void)state;
    talk_with(&talk, says + sizeof "GET / HTTP/1.1\r\nHost: a\r\n\r\n" - 1);
    assert_memory_equal(talk.heard, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    talk = (struct talk){.handler = answers_later, .keeps = true, .opts.collect = true};
    talk_with(&talk, says);
    assert_non_null(strstr(talk.heard, "\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"));
}

static void a_body_that_nobody_wants_is_dropped(void **state)
{
    (void)state;
    expect_plain("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
                 HEAD("200 OK") LENGTH("8") "\r\nPOST /1\n" HEAD("200 OK")
                     LENGTH("7") "\r\nGET /2\n");
}

// ---- Later, and in order ----

static tr_http kept[8];
static size_t kept_count;

static void answer_kept(tr_actor *self, void *arg)
{
    (void)arg;
    while (kept_count > 0) { // the last one first
        char text[8];
        kept_count--;
        snprintf(text, sizeof text, "<%zu>", kept_count);
        tr_http_reply(self, kept[kept_count], TR_HTTP_RESPONSE(.body = {text, strlen(text)}));
    }
}

static int keeps(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    kept[kept_count++] = http;
    return kept_count == 3 ? tr_timer_start(self, TR_MS(1), answer_kept, NULL, NULL) : 0;
}

static void answers_leave_in_the_order_of_the_requests(void **state)
{
    struct talk talk = {.handler = keeps};
    (void)state;
    kept_count = 0;
    expect(&talk,
           "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
           "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
           HEAD("200 OK") LENGTH("3") "\r\n<0>" HEAD("200 OK") LENGTH("3") "\r\n<1>" HEAD("200 OK")
               LENGTH("3") CLOSE "\r\n<2>");
}

static void a_bad_body_costs_no_answer_to_those_before_it(void **state)
{
    static const char says[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n"
                               "Transfer-Encoding: chunked\r\n\r\nno chunk, and more of it";
    struct talk talk = {.handler = answers_later, .keeps = true};
    (void)state;
    for (talk.piece = 1; talk.piece < 4; talk.piece++)
        expect(&talk, says, HEAD("200 OK") LENGTH("0") "\r\n" REFUSED("400 Bad Request"));
}

static void a_late_body_costs_no_answer_to_those_before_it(void **state)
{
    static const char says[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n"
                               "Content-Length: 5\r\n\r\nhell";
    struct talk talk = {.handler = answers_later, .keeps = true, .opts.request_ms = 200};
    (void)state;
    expect(&talk, says, HEAD("200 OK") LENGTH("0") "\r\n" REFUSED("408 Request Timeout"));
}

static unsigned most;

static int counts_open(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_http_stats stats;
    struct talk *talk = arg;
    (void)request;
    assert_int_equal(0, tr_http_stats_get(self, talk->server, &stats));
    most = stats.requests > most ? stats.requests : most;
    kept[0] = http;
    return 0;
}

static void so_many_are_under_way_at_once(void **state)
{
    struct talk talk = {
        .handler = counts_open, .keeps = true, .opts.pipeline_max = 2, .opts.reply_ms = 1000};
    (void)state;
    talk_with(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
                     "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(2, talk.calls);
    assert_int_equal(2, most);
}

// ---- Byte by byte ----

static const char many[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
                           "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                           "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n"
                           "\r\nHEAD /4 HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /5 HTTP/1.0\r\nHost: a\r\n\r\n";

static void bytes_one_by_one_are_the_same_as_all_at_once(void **state)
{
    struct talk whole = {0}, *single = calloc(1, sizeof *single);
    (void)state;
    talk_with(&whole, many);
    assert_int_equal(5, whole.calls);
    for (size_t piece = 1; piece < 40; piece++) {
        *single = (struct talk){.piece = piece};
        talk_with(single, many);
        assert_string_equal(talk_brief(&whole), talk_brief(single));
    }
    free(single);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_answered),
        cmocka_unit_test(a_head_says_how_it_goes_on),
        cmocka_unit_test(requests_in_a_row_are_answered_in_order),
        cmocka_unit_test(nothing_behind_a_last_request_is_heeded),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(no_content_has_no_body),
        cmocka_unit_test(an_old_client_is_closed_unless_it_asks),
        cmocka_unit_test(a_handler_that_fails_is_a_500),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_chunk_that_is_none_is_refused),
        cmocka_unit_test(large_heads_are_refused),
        cmocka_unit_test(too_many_headers_are_refused),
        cmocka_unit_test(a_large_body_is_refused),
        cmocka_unit_test(who_is_too_slow_is_told),
        cmocka_unit_test(who_says_nothing_is_closed),
        cmocka_unit_test(who_says_nothing_is_kept_as_long_as_one_likes),
        cmocka_unit_test(a_handler_that_is_too_slow_is_answered_for),
        cmocka_unit_test(a_body_is_a_stream_and_so_is_the_answer),
        cmocka_unit_test(an_answer_without_a_length_goes_in_chunks),
        cmocka_unit_test(large_bodies_go_through_bit_by_bit),
        cmocka_unit_test(a_body_may_be_had_whole),
        cmocka_unit_test(who_waits_to_be_told_is_told),
        cmocka_unit_test(who_waits_to_be_told_is_told_where_bodies_are_collected),
        cmocka_unit_test(a_body_that_nobody_wants_is_dropped),
        cmocka_unit_test(answers_leave_in_the_order_of_the_requests),
        cmocka_unit_test(a_bad_body_costs_no_answer_to_those_before_it),
        cmocka_unit_test(a_late_body_costs_no_answer_to_those_before_it),
        cmocka_unit_test(so_many_are_under_way_at_once),
        cmocka_unit_test(bytes_one_by_one_are_the_same_as_all_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
