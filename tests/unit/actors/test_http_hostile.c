// The HTTP server under attack, over simulated sockets: each attacker gets what is documented, or
// nothing, and a client that behaves sees nothing of it.
//
// TROUPE_TEST_SCALE=1 makes it 10,000 mutations, and 1,000 that are slow.
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/lone_node.h"
#include "support/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>

#define MIB (1u << 20)

struct attacker {
    tr_stream stream;
    const char *bytes;
    size_t size, said;
    uint64_t pause_ns;
    char status[16];
    size_t heard;
};

static struct {
    struct attacker *attackers;
    size_t count, begun, open, at_once;
    uint64_t seed;
    void (*arm)(struct attacker *a);
    char at[TR_ADDRESS_MAX];
    tr_http_server server;
    tr_http_client client;
    bool over;
    unsigned good, late;         // answers to who behaves
    uint64_t pace_ns;            // how often it asks
    uint64_t asked_at, worst_ns; // how long one took
    unsigned statuses[600];
    unsigned silent;
    int rc;
} h;

static size_t scaled(size_t full)
{
    const char *scale = getenv("TROUPE_TEST_SCALE");
    size_t by = scale != NULL ? strtoul(scale, NULL, 10) : 20;
    return full / (by > 0 ? by : 1);
}

// ---- The server ----

static void ignored(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg;
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *r, void *arg)
{
    tr_stream streams[2];
    (void)arg;
    if (tr_str_eq(r->target, "/good"))
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.body = TR_HTTP_TEXT("good")));
    int rc = tr_http_body(self, http, &streams[0]);
    if (rc == 0)
        rc = tr_http_reply_stream(self, http, NULL, &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, ignored, NULL);
}

// ---- Who behaves ----

static void ask_good(tr_actor *self, void *arg);

static void good_answered(tr_actor *self, int error, const tr_http_answer *answer, void *arg)
{
    (void)arg;
    uint64_t took = tr_now(self) - h.asked_at;
    bool good = error == 0 && answer->status == 200 && answer->body != NULL &&
                tr_bytes_eq(tr_buf_bytes(answer->body), tr_bytes_of("good", 4));
    h.good += good;
    h.late += !good;
    h.worst_ns = took > h.worst_ns ? took : h.worst_ns;
    if (!h.over)
        assert_int_equal(0, tr_timer_start(self, h.pace_ns, ask_good, NULL, NULL));
}

static void ask_good(tr_actor *self, void *arg)
{
    char url[200];
    (void)arg;
    snprintf(url, sizeof url, "http://%s/good", h.at + 6);
    h.asked_at = tr_now(self);
    assert_int_equal(0, tr_http_send(self, h.client, TR_HTTP_CALL(.url = url, .collect_max = 100),
                                     NULL, good_answered, NULL));
}

// ---- Attackers ----

static void attacker_says(tr_actor *self, void *arg)
{
    struct attacker *a = arg;
    size_t piece = a->pause_ns > 0 ? 1 : a->size - a->said;
    if (a->said >= a->size) {
        tr_stream_end(self, a->stream);
        return;
    }
    if (tr_stream_write_bytes(self, a->stream, a->bytes + a->said, piece) < 0)
        return;
    a->said += piece;
    assert_int_equal(0, tr_timer_start(self, a->pause_ns, attacker_says, a, NULL));
}

static void attacker_hears(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct attacker *a = arg;
    (void)self, (void)stream;
    for (size_t i = 0; i < tr_buf_size(chunk) && a->heard < sizeof a->status - 1; i++)
        a->status[a->heard++] = ((const char *)tr_buf_data(chunk))[i];
}

static void attacker_ended(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_end(self, stream);
}

static void attack(tr_actor *self);

static void end_all(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void count_status(const struct attacker *a)
{
    int status = 0;
    if (a->heard == 0) {
        h.silent++;
        return;
    }
    assert_memory_equal("HTTP/1.1 ", a->status, a->heard < 9 ? a->heard : 9);
    if (a->heard >= 12)
        status = atoi(a->status + 9);
    assert_in_range(status, 100, 599);
    h.statuses[status]++;
}

static void attacker_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct attacker *a = arg;
    (void)stream, (void)status;
    count_status(a);
    free((char *)a->bytes);
    a->bytes = NULL;
    a->said = a->size = 0;
    h.open--;
    if (h.begun < h.count) {
        attack(self);
    } else if (h.open == 0) {
        h.over = true;
        assert_int_equal(0, tr_timer_start(self, TR_S(30), end_all, NULL, NULL));
    }
}

static void attack(tr_actor *self)
{
    static const tr_stream_events events = {
        .data = attacker_hears, .end = attacker_ended, .closed = attacker_closed};
    struct attacker *a = &h.attackers[h.begun++];
    h.arm(a);
    h.open++;
    assert_int_equal(0, tr_connect(self, h.at, TR_CONNECT(.half_open = true), &a->stream));
    assert_int_equal(0, tr_stream_on(self, a->stream, &events, a));
    attacker_says(self, a);
}

static int hostile_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    assert_int_equal(0, tr_http_listen(self, "tcp://127.0.0.1:0", on_request, NULL,
                                       TR_HTTP(.listen = TR_LISTEN(.backlog = 4096)), &h.server));
    assert_int_equal(0, tr_http_address(self, h.server, h.at));
    assert_int_equal(0, tr_http_client_open(self, NULL, &h.client));
    ask_good(self, NULL);
    while (h.begun < h.count && h.begun < h.at_once)
        attack(self);
    return 0;
}

static const tr_behavior hostile = {.name = "hostile", .start = hostile_start};

static void run(size_t count, size_t at_once, void (*arm)(struct attacker *a), uint64_t pace_ns)
{
    memset(&h, 0, sizeof h);
    h.count = count;
    h.at_once = at_once;
    h.arm = arm;
    h.pace_ns = pace_ns;
    h.seed = 7;
    h.attackers = calloc(count, sizeof *h.attackers);
    assert_non_null(h.attackers);
    counted_memory_start(0);
    h.rc = lone_node_run(&hostile, 200000000);
    assert_int_equal(0, counted_memory_stop());
    free(h.attackers);
    assert_int_equal(0, h.rc);
    assert_int_equal(0, h.late);
    assert_true(h.good > 0);
}

// ---- Mutations ----

static const char *const valid[] = {
    "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n",
    "POST /x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA:\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: y\r\n\r\n",
};

static size_t mutate(char *bytes, size_t size, size_t room)
{
    static const char special[] = "\r\n :\t,;\0\x7f\x80\xff"
                                  "0159afGT";
    size_t at = random_below(&h.seed, size), n = 1 + random_below(&h.seed, 8);
    char c = special[random_below(&h.seed, sizeof special - 1)];
    switch (random_below(&h.seed, 5)) {
    case 0:
        bytes[at] = c;
        return size;
    case 1:
        bytes[at] = (char)(bytes[at] ^ (1 << random_below(&h.seed, 8)));
        return size;
    case 2: // leave out
        n = n < size - at ? n : size - at - 1;
        memmove(bytes + at, bytes + at + n, size - at - n);
        return size - n;
    case 3: // put in
        if (size + n > room)
            return size;
        memmove(bytes + at + n, bytes + at, size - at);
        memset(bytes + at, c, n);
        return size + n;
    default: // once more, what is from there on
        n = size - at;
        if (size + n > room)
            return size;
        memcpy(bytes + size, bytes + at, n);
        return size + n;
    }
}

static void arm_mutated(struct attacker *a)
{
    const char *from = valid[random_below(&h.seed, sizeof valid / sizeof *valid)];
    size_t room = 2000, size = strlen(from);
    char *bytes = calloc(1, room);
    assert_non_null(bytes);
    memcpy(bytes, from, size);
    for (uint64_t n = 1 + random_below(&h.seed, 4); n > 0; n--)
        size = mutate(bytes, size, room);
    a->bytes = bytes;
    a->size = size;
    a->pause_ns = random_below(&h.seed, 8) == 0 ? TR_US(20) : 0;
}

static void mutations_are_answered_as_documented(void **state)
{
    (void)state;
    run(scaled(10000), 16, arm_mutated, TR_MS(20));
    unsigned known = h.statuses[100] + h.statuses[200] + h.statuses[400] + h.statuses[408] +
                     h.statuses[413] + h.statuses[414] + h.statuses[417] + h.statuses[431] +
                     h.statuses[505];
    assert_int_equal(h.count, known + h.silent);
    assert_true(h.statuses[400] > h.count / 4 && h.statuses[200] > h.count / 20);
    assert_true(counted.peak < 64 * MIB);
}

// ---- Slow ones ----

static void arm_slow(struct attacker *a)
{
    static const char slow[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    char *bytes = malloc(400);
    assert_non_null(bytes);
    memset(bytes, 'x', 400);
    memcpy(bytes, slow, sizeof slow - 1);
    a->bytes = bytes;
    a->size = 400;
    a->pause_ns = TR_S(5) + random_below(&h.seed, TR_S(5)); // all that it says costs a look at all
}

static void who_is_slow_holds_back_nobody(void **state)
{
    size_t count = scaled(1000);
    (void)state;
    run(count, count, arm_slow, TR_MS(200));
    assert_int_equal(count, h.statuses[408]);
    assert_true(h.worst_ns < TR_MS(100));
    assert_true(counted.peak < 2 * MIB + count * 8192); // both ends of each connection
}

// ---- Early ends ----

static size_t cut_at;

static void arm_cut(struct attacker *a)
{
    size_t size = strlen(valid[2]);
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, valid[2], size);
    a->bytes = bytes;
    a->size = cut_at++ % size;
}

static void requests_that_stop_early_are_dropped(void **state)
{
    (void)state;
    cut_at = 0;
    run(strlen(valid[2]), 8, arm_cut, TR_MS(1));
    assert_int_equal(h.count, h.silent + h.statuses[200] + h.statuses[400]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutations_are_answered_as_documented),
        cmocka_unit_test(who_is_slow_holds_back_nobody),
        cmocka_unit_test(requests_that_stop_early_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
