#include "support/http_talk.h"

#include <stdio.h>

#include "support/cmocka.h"
#include "support/lone_node.h"

static struct talk *t;
static size_t said;
static uint64_t began;

static int handler_default(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    char text[256];
    (void)arg;
    int n = snprintf(text, sizeof text, "%.*s %.*s\n", TR_STR_ARG(request->method),
                     TR_STR_ARG(request->target));
    return tr_http_reply(
        self, http, TR_HTTP_RESPONSE(.body = {text, (size_t)n < sizeof text ? (size_t)n : 255}));
}

static int handler_counted(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    struct talk *talk = arg;
    talk->calls++;
    return (talk->handler != NULL ? talk->handler : handler_default)(self, http, request, talk);
}

// ---- The client ----

static void say_more(tr_actor *self, int status, void *arg)
{
    size_t rest = t->size - said, piece = t->piece > 0 && t->piece < rest ? t->piece : rest;
    tr_buf *chunk = NULL;
    (void)arg;
    if (status < 0)
        return;
    if (rest == 0) {
        if (!t->keeps)
            tr_stream_end(self, t->client);
        return;
    }
    if (tr_buf_copy(t->says + said, piece, &chunk) < 0)
        return;
    said += piece;
    if (tr_stream_write_then(self, t->client, &chunk, say_more, NULL) < 0)
        tr_buf_unref(&chunk);
}

// A piece leaves when those before it have been read, which time shows.
static void say_later(tr_actor *self, void *arg)
{
    if (t->piece == 0 || said >= t->size) {
        say_more(self, 0, arg);
        return;
    }
    tr_buf *chunk = NULL;
    size_t piece = t->piece < t->size - said ? t->piece : t->size - said;
    if (tr_buf_copy(t->says + said, piece, &chunk) < 0)
        return;
    said += piece;
    if (tr_stream_write(self, t->client, &chunk) < 0)
        tr_buf_unref(&chunk);
    tr_timer_start(self, TR_US(500), say_later, NULL, NULL);
}

static void client_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t size = tr_buf_size(chunk), room = sizeof t->heard - 1 - t->heard_bytes;
    (void)self, (void)stream, (void)arg;
    size = size < room ? size : room;
    memcpy(t->heard + t->heard_bytes, tr_buf_data(chunk), size);
    t->heard_bytes += size;
}

static void client_ended(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_end(self, stream);
}

// The server has had time to hear of it.
static void talk_end(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)arg;
    t->status = status;
    t->took_ns = tr_now(self) - began;
    if (tr_timer_start(self, TR_S(20), talk_end, NULL, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
}

static void client_hangs_up(tr_actor *self, void *arg)
{
    (void)arg;
    tr_stream_destroy(self, t->client, 0);
}

static int talk_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {
        .data = client_data, .end = client_ended, .closed = client_closed};
    static const tr_stream_events deaf = {.closed = client_closed};
    char at[TR_ADDRESS_MAX];
    (void)args;
    t->opts.size = sizeof t->opts;
    int rc = tr_http_listen(self, "tcp://127.0.0.1:0", handler_counted, t, &t->opts, &t->server);
    if (rc == 0)
        rc = tr_http_address(self, t->server, at);
    if (rc == 0)
        rc = tr_connect(self, at, TR_CONNECT(.half_open = true), &t->client);
    if (rc == 0)
        rc = tr_stream_on(self, t->client, t->deaf ? &deaf : &events, NULL);
    if (rc == 0 && t->hangs_up_ns > 0)
        rc = tr_timer_start(self, t->hangs_up_ns, client_hangs_up, NULL, NULL);
    if (rc < 0)
        return rc;
    began = tr_now(self);
    if (t->begun != NULL)
        t->begun(self, t);
    if (!t->waits)
        say_later(self, NULL);
    return 0;
}

void talk_speak(tr_actor *self)
{
    say_later(self, NULL);
}

static const tr_behavior talker = {.name = "talker", .start = talk_start};

void talk_run(struct talk *talk)
{
    t = talk;
    said = t->heard_bytes = 0;
    t->calls = 0;
    t->rc = lone_node_run(&talker, 10000000);
    t->heard[t->heard_bytes] = '\0';
    t = NULL;
}

void talk_with(struct talk *talk, const char *says)
{
    talk->says = says;
    talk->size = strlen(says);
    talk_run(talk);
    assert_int_equal(0, talk->rc);
}

static bool line_is_brief(const char *line)
{
    return strncmp(line, "Date: ", 6) != 0 && strncmp(line, "Connection: keep", 16) != 0 &&
           strncmp(line, "Keep-Alive: ", 12) != 0;
}

const char *talk_brief(struct talk *talk)
{
    char *to = talk->heard;
    for (const char *line = talk->heard; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        size += line[size] == '\n';
        if (line_is_brief(line)) {
            memmove(to, line, size);
            to += size;
        }
        line += size;
    }
    *to = '\0';
    return talk->heard;
}
