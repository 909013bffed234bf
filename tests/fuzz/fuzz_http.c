// A connection of the HTTP server: whatever a client sends, in whatever pieces, and whenever it
// leaves, does no harm, costs no more memory than it may, and leaves nothing behind; each request
// ends once.
//
// The first bytes of the input choose how the handler answers, how the bytes are cut and how the
// client ends; the rest is what it says.
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

#include "base/assert.h"
#include "core/node.h"
#include "sim/sim.h"
#include "support/counted_memory.h"

enum { KEEPS = 1, COLLECTS = 2, HANGS_UP = 4, CHOICES = 4, STEPS_MAX = 2000000 };

static struct {
    const uint8_t *choices, *bytes;
    size_t size, said;
    tr_http_server server;
    tr_stream client;
    unsigned calls, told;
    tr_http kept;
} f;

static void told(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg;
    f.told++;
}

static void ignored(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg;
}

static int echo(tr_actor *self, tr_http http)
{
    tr_stream streams[2];
    int rc = tr_http_body(self, http, &streams[0]);
    if (rc == 0)
        rc = tr_http_reply_stream(self, http, NULL, &streams[1]);
    return rc < 0 ? rc : tr_pipeline(self, streams, 2, NULL, ignored, NULL);
}

static void answer_kept(tr_actor *self, void *arg)
{
    (void)arg;
    tr_http_reply(self, f.kept, TR_HTTP_RESPONSE(.body = TR_HTTP_TEXT("late")));
}

static void raw_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static void raw_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream, (void)chunk, (void)arg;
}

static int leave(tr_actor *self, tr_http http)
{
    static const tr_stream_events events = {.data = raw_data, .closed = raw_closed};
    tr_stream stream;
    int rc = tr_http_upgrade(self, http, NULL, &stream);
    if (rc < 0)
        return tr_http_reply(self, http, NULL);
    tr_stream_end(self, stream);
    return tr_stream_on(self, stream, &events, NULL);
}

// What a handler may rely on.
static void request_check(const tr_http_request *r)
{
    tr_str rest = r->headers, value;
    tr_http_header header;
    tr_assert(r->method.len > 0 && r->target.len > 0);
    while (tr_http_header_next(&rest, &header)) {
        tr_assert(memchr(header.value.ptr, '\n', header.value.len) == NULL);
        tr_assert(header.name.len > 0 && memchr(header.name.ptr, ' ', header.name.len) == NULL);
    }
    tr_assert(rest.len == 0);
    tr_assert(r->minor == 0 || tr_http_header_get(r->headers, "host", &value));
    if (tr_http_header_get(r->headers, "transfer-encoding", &value))
        tr_assert(r->chunked && !tr_http_header_get(r->headers, "content-length", &value));
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    unsigned n = f.calls++ + f.choices[1];
    (void)arg;
    request_check(request);
    tr_assert(tr_http_then(self, http, told, NULL) == 0);
    switch (n % 6) {
    case 0:
        return f.choices[0] & COLLECTS ? 0 : echo(self, http);
    case 1:
        f.kept = http;
        return tr_timer_start(self, TR_MS(n % 7), answer_kept, NULL, NULL);
    case 2:
        return leave(self, http);
    case 3:
        return TR_EIO;
    default:
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.body = TR_HTTP_TEXT("now")));
    }
}

// ---- The client ----

static void say(tr_actor *self, void *arg)
{
    size_t rest = f.size - f.said, piece = 1 + (size_t)f.choices[2] * f.choices[2];
    (void)arg;
    if (rest == 0) {
        if (f.choices[0] & HANGS_UP)
            tr_stream_destroy(self, f.client, 0);
        else if (!(f.choices[0] & KEEPS))
            tr_stream_end(self, f.client);
        return;
    }
    piece = piece < rest ? piece : rest;
    tr_stream_write_bytes(self, f.client, f.bytes + f.said, piece);
    f.said += piece;
    tr_timer_start(self, TR_US(100), say, NULL, NULL);
}

static void client_end(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_end(self, stream);
}

static void end_all(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void server_gone(tr_actor *self, void *arg)
{
    (void)arg;
    tr_http_close(self, f.server);
    tr_timer_start(self, TR_S(1), end_all, NULL, NULL);
}

static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)status, (void)arg;
    tr_timer_start(self, TR_S(5), server_gone, NULL, NULL);
}

static int fuzz_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {
        .data = raw_data, .end = client_end, .closed = client_closed};
    char at[TR_ADDRESS_MAX];
    (void)args;
    const tr_http_opts *opts = TR_HTTP(.collect = (f.choices[0] & COLLECTS) != 0, .body_max = 10000,
                                       .pipeline_max = 1 + f.choices[3] % 8, .reply_ms = 2000,
                                       .request_ms = 4000, .head_ms = 3000);
    int rc = tr_http_listen(self, "tcp://127.0.0.1:0", on_request, NULL, opts, &f.server);
    if (rc == 0)
        rc = tr_http_address(self, f.server, at);
    if (rc == 0)
        rc = tr_connect(self, at, TR_CONNECT(.half_open = true), &f.client);
    if (rc == 0)
        rc = tr_stream_on(self, f.client, &events, NULL);
    return rc < 0 ? rc : tr_timer_start(self, 0, say, NULL, NULL);
}

static const tr_behavior fuzz = {.name = "fuzz", .start = fuzz_start};

static void node_run(void)
{
    tr_sim *sim = NULL;
    tr_world *world = NULL;
    tr_node *node = NULL;
    int steps = STEPS_MAX;
    tr_assert(tr__sim_open(1, &sim) == 0 && tr__sim_world(sim, &world) == 0);
    tr_assert(tr__node_new(0, "test", 1, &world, &node) == 0);
    tr_assert(tr_node_spawn(node, &fuzz, NULL, NULL) == 0);
    while (tr__node_step(node))
        tr_assert(steps-- > 0);
    tr_assert(node->error == 0);
    tr__node_free(&node);
    if (world != NULL)
        world->ops->close(&world);
    tr__sim_close(&sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CHOICES)
        return 0;
    memset(&f, 0, sizeof f);
    f.choices = bytes;
    f.bytes = bytes + CHOICES;
    f.size = size - CHOICES;
    counted_memory_start(0);
    node_run();
    tr_assert(counted_memory_stop() == 0);
    tr_assert(counted.peak < 8 * size + 0x300000);
    tr_assert(f.told == f.calls);
    return 0;
}
