// A source of 4 GiB into a sink that takes 1 MB/s: over a pipeline, over a TCP connection to
// another process, and by a stream that is handed to another process. Memory grows nowhere: the
// source is asked for no more than what the sink has room for, all along the way.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/ipc.h"

#define SOURCE_BYTES ((uint64_t)4 << 30)
#define CHUNK_BYTES  65536u
#define SINK_BYTES_S 1000000u
#define GROWTH_MAX   (8u << 20)
#define LOOK_NS      TR_MS(5)

// ---- The source: memory that is really there ----

struct source {
    uint64_t given;
};

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    struct source *s = state;
    tr_buf *chunk = NULL;
    (void)want;
    if (s->given >= SOURCE_BYTES)
        return tr_stream_push(self, stream, NULL) < 0;
    int rc = tr_buf_new(CHUNK_BYTES, &chunk);
    if (rc < 0)
        return rc;
    memset(tr_buf_data(chunk), (int)s->given, CHUNK_BYTES);
    s->given += CHUNK_BYTES;
    rc = tr_stream_push(self, stream, &chunk);
    tr_buf_unref(&chunk);
    return rc < 0 ? rc : 0;
}

static const tr_stream_ops source_ops = {
    .name = "source", .state_size = sizeof(struct source), .read = source_read};

// ---- The sink: done with a chunk when its time has passed ----

struct sink {
    tr_stream stream;
    uint64_t taken;
};

static void sink_ready(tr_actor *self, void *arg)
{
    struct sink *s = arg;
    tr_stream_done(self, s->stream, 0);
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    struct sink *s = state;
    uint64_t size = tr_buf_size(chunks[0]);
    (void)count;
    s->stream = stream;
    s->taken += size;
    int rc = tr_timer_start(self, size * TR_S(1) / SINK_BYTES_S, sink_ready, s, NULL);
    return rc < 0 ? rc : TR_LATER;
}

static const tr_stream_ops sink_ops = {
    .name = "sink", .state_size = sizeof(struct sink), .write = sink_write};

static void flowed(tr_actor *self, int status, void *arg)
{
    (void)arg;
    tr_exit(self, status); // not before the test is over
}

// ---- The drinker: has the sink, in a process of its own or in this one ----

static int drink(tr_actor *self, tr_stream from, tr_stream *ret_sink)
{
    int rc = tr_stream_new(self, &sink_ops, NULL, ret_sink);
    tr_stream both[] = {from, *ret_sink};
    return rc < 0 ? rc : tr_pipeline(self, both, 2, NULL, flowed, NULL);
}

static void drinker_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    int rc = drink(self, stream, arg);
    if (rc < 0)
        tr_exit(self, rc);
}

static int drinker_listen(tr_actor *self, const tr_msg *msg)
{
    char address[TR_ADDRESS_MAX];
    tr_server server;
    int rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, drinker_accepted, tr_state(self), &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    return rc < 0 ? rc : tr_reply(self, msg, TR_V((const char *)address));
}

static int drinker_take(tr_actor *self, const tr_msg *msg)
{
    tr_offer offer;
    tr_stream from;
    int rc = tr_as_offer(tr_msg_body(msg), &offer);
    if (rc == 0)
        rc = tr_stream_accept(self, &offer, NULL, &from);
    return rc < 0 ? rc : drink(self, from, tr_state(self));
}

static int drinker_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "listen"))
        return drinker_listen(self, msg);
    if (tr_msg_is(msg, "offer"))
        return drinker_take(self, msg);
    const struct sink *s = tr_stream_state(self, *(tr_stream *)tr_state(self), &sink_ops);
    return tr_reply(self, msg, TR_MAP("pid", (int)getpid(), "taken", s == NULL ? 0 : s->taken));
}

static const tr_behavior drinker = {
    .name = "drinker", .state_size = sizeof(tr_stream), .receive = drinker_receive};

// ---- The first actor: has the source, and looks at the memory of both ----

static struct spring {
    tr_stream source, sink; // sink: here
    tr_addr drinker;
    int64_t pid; // the drinker's; 0: it has not said yet, or there is none
    uint64_t idle, others_idle, peak, others_peak;
    uint64_t given, taken, until;
} seen;

static uint64_t rss_more(uint64_t peak, int64_t pid)
{
    uint64_t rss = pid == 0 ? 0 : ipc_rss((pid_t)pid);
    return rss > peak ? rss : peak;
}

static void spring_finish(tr_actor *self)
{
    const struct source *s = tr_stream_state(self, seen.source, &source_ops);
    const struct sink *here = tr_stream_state(self, seen.sink, &sink_ops);
    seen.given = s == NULL ? 0 : s->given;
    if (here != NULL)
        seen.taken = here->taken;
    tr_exit(self, here != NULL || seen.pid != 0 ? TR_NORMAL : TR_EBADMSG);
}

static void spring_told(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (answer->status < 0 || TR_READ(answer->body, "pid", &seen.pid, "taken", &seen.taken) < 0)
        tr_exit(self, TR_EBADMSG);
    else
        spring_finish(self);
}

static void spring_look(tr_actor *self, void *arg)
{
    (void)arg;
    seen.peak = rss_more(seen.peak, getpid());
    seen.others_peak = rss_more(seen.others_peak, seen.pid);
    if (tr_now(self) < seen.until)
        return;
    seen.until = UINT64_MAX;
    if (seen.pid == 0)
        spring_finish(self);
    else if (tr_ask(self, seen.drinker, "how", TR_NULL, NULL, NULL, spring_told, NULL) < 0)
        tr_exit(self, TR_EIO);
}

// From now on.
static int spring_begin(tr_actor *self)
{
    seen.idle = ipc_rss(getpid());
    seen.others_idle = seen.pid == 0 ? 0 : ipc_rss((pid_t)seen.pid);
    seen.until =
        tr_now(self) + (getenv("TROUPE_TEST_SCALE") != NULL ? ipc_scaled(TR_S(10)) : TR_S(2));
    int rc = tr_stream_new(self, &source_ops, NULL, &seen.source);
    return rc < 0 ? rc : tr_interval_start(self, LOOK_NS, spring_look, NULL, NULL);
}

static int pipeline_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = spring_begin(self);
    return rc < 0 ? rc : drink(self, seen.source, &seen.sink);
}
static const tr_behavior by_pipeline = {.name = "pipeline", .start = pipeline_start};

// ---- Over TCP ----

static int flow_to(tr_actor *self, tr_str address)
{
    char text[TR_ADDRESS_MAX];
    tr_stream socket = {0};
    snprintf(text, sizeof text, "%.*s", TR_STR_ARG(address));
    int rc = spring_begin(self);
    if (rc == 0)
        rc = tr_connect(self, text, NULL, &socket);
    tr_stream both[] = {seen.source, socket};
    return rc < 0 ? rc : tr_pipeline(self, both, 2, NULL, flowed, NULL);
}

static int flow_by_offer(tr_actor *self)
{
    tr_offer offer;
    int rc = spring_begin(self);
    if (rc == 0)
        rc = tr_stream_offer_read(self, seen.source, NULL, &offer);
    return rc < 0 ? rc : tr_send(self, seen.drinker, "offer", tr_val_offer(&offer));
}

static void tcp_listens(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_str address;
    (void)arg;
    int rc = answer->status < 0 ? answer->status : tr_as_str(answer->body, &address);
    if (rc == 0)
        rc = flow_to(self, address);
    if (rc < 0)
        tr_exit(self, rc);
}

// The drinker is there and has said who it is.
static void drinker_there(tr_actor *self, const tr_answer *answer, void *arg)
{
    bool tcp = arg != NULL;
    int rc = TR_READ(answer->body, "pid", &seen.pid);
    if (rc == 0 && tcp)
        rc = tr_ask(self, seen.drinker, "listen", TR_NULL, NULL, NULL, tcp_listens, NULL);
    else if (rc == 0)
        rc = flow_by_offer(self);
    if (rc < 0)
        tr_exit(self, rc);
}

static int process_start(tr_actor *self, bool tcp)
{
    int rc = tr_spawn(self, &drinker, TR_SPAWN(.isolation = TR_PROCESS), &seen.drinker);
    return rc < 0 ? rc
                  : tr_ask(self, seen.drinker, "how", TR_NULL, NULL, NULL, drinker_there,
                           tcp ? &seen : NULL);
}

static int tcp_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return process_start(self, true);
}
static const tr_behavior by_tcp = {.name = "tcp", .start = tcp_start};

static int offer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return process_start(self, false);
}
static const tr_behavior by_offer = {.name = "offer", .start = offer_start};

#define APP TR_APP(&drinker, &by_pipeline, &by_tcp, &by_offer)

// ---- The tests ----

static void see_bounded_memory(const tr_behavior *first)
{
    seen = (struct spring){0};
    assert_int_equal(0, TR_RUN(APP, first, TR_NULL));
    uint64_t own = seen.peak - seen.idle, others = seen.others_peak - seen.others_idle;
    print_message("given %llu KiB, taken %llu KiB, memory grew by %llu KiB and %llu KiB\n",
                  (unsigned long long)seen.given / 1024, (unsigned long long)seen.taken / 1024,
                  (unsigned long long)own / 1024, (unsigned long long)others / 1024);
    assert_true(seen.taken >= 2 * CHUNK_BYTES);
    assert_true(seen.given < SOURCE_BYTES);
    if (tr_test_sanitized())
        return; // they keep freed memory
    assert_in_range(own, 0, GROWTH_MAX);
    assert_in_range(others, 0, GROWTH_MAX);
}

static void over_a_pipeline(void **state)
{
    (void)state;
    see_bounded_memory(&by_pipeline);
}

static void over_tcp_to_another_process(void **state)
{
    (void)state;
    see_bounded_memory(&by_tcp);
}

static void by_a_stream_that_another_process_accepts(void **state)
{
    (void)state;
    see_bounded_memory(&by_offer);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(over_a_pipeline),
    TR_PROCESS_TEST(over_tcp_to_another_process),
    TR_PROCESS_TEST(by_a_stream_that_another_process_accepts),
};
TR_TEST_MAIN("ipc/slow_sink", APP, tests)
