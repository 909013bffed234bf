// Calls of the HTTP client: made of an URL and headers, told once of what has come of them.
//
// A call is a stream that nobody reads. It ends by being destroyed, whatever the reason, also by
// its token; then it lets go of its connection, and `closed` tells the caller.
#include <stdio.h>

#include "http_client_inside.h"

enum { TEXT_MAX = 65536, TIMEOUT_MS = 30000 };

// ---- URLs ----

typedef struct url {
    tr_str host, target; // host with its port, as it is written
    bool has_port;
} url;

static int url_parse(const char *text, url *u)
{
    if (text == NULL)
        return TR_EINVAL;
    if (strlen(text) > TEXT_MAX)
        return TR_ETOOBIG;
    if (strncmp(text, "http://", 7) != 0)
        return strstr(text, "://") != NULL ? TR_ENOSYS : TR_EINVAL;
    const char *host = text + 7, *end = host + strcspn(host, "/?#");
    const char *stop = end + strcspn(end, "#"), *bracket = memchr(host, ']', (size_t)(end - host));
    *u = (url){.host = {host, (size_t)(end - host)}, .target = {end, (size_t)(stop - end)}};
    const char *from = bracket != NULL ? bracket : host;
    u->has_port = memchr(from, ':', (size_t)(end - from)) != NULL;
    for (const char *c = host; c < stop; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '<' || *c == '>')
            return TR_EINVAL;
    }
    bool user = memchr(host, '@', u->host.len) != NULL;
    return u->host.len == 0 || u->host.len > 250 || user ? TR_EINVAL : 0;
}

// ---- Heads ----

typedef struct out {
    char *at, *end;
} out;

static void put(out *o, const char *bytes, size_t size)
{
    size_t room = (size_t)(o->end - o->at);
    size = size < room ? size : room; // it was measured
    if (size > 0)
        memcpy(o->at, bytes, size);
    o->at += size;
}

static void put_text(out *o, const char *text)
{
    put(o, text, strlen(text));
}

static void put_header(out *o, const char *name, tr_str value)
{
    put_text(o, name);
    put_text(o, ": ");
    put(o, value.ptr, value.len);
    put_text(o, "\r\n");
}

static const char *method_of(const tr_http_call *call, bool streams)
{
    return call->method != NULL ? call->method : streams || call->body.len > 0 ? "POST" : "GET";
}

static int call_measure(const tr_http_call *call, const url *u, bool streams, size_t *ret_bytes)
{
    tr_str method = tr_str_of(method_of(call, streams));
    size_t bytes = 512 + method.len + u->host.len + u->target.len + call->traceparent.len;
    if (!tr__http_name_is_good(method) || (call->header_count > 0 && call->headers == NULL) ||
        !tr__http_value_is_good(call->traceparent) ||
        (call->body.ptr == NULL && call->body.len > 0))
        return TR_EINVAL;
    for (size_t i = 0; i < call->header_count && bytes <= 2 * TEXT_MAX; i++) {
        const tr_http_header *h = &call->headers[i];
        if (!tr__http_name_is_good(h->name) || !tr__http_value_is_good(h->value))
            return TR_EINVAL;
        bytes += h->name.len + h->value.len + 4;
    }
    *ret_bytes = bytes;
    return bytes > 2 * TEXT_MAX ? TR_ETOOBIG : 0;
}

static void put_headers(out *o, const tr_http_call *call)
{
    for (size_t i = 0; i < call->header_count; i++) {
        const tr_http_header *h = &call->headers[i];
        bool ours = tr_http_header_is_hop(h->name) || tr__http_name_is(h->name, "host") ||
                    (call->traceparent.len > 0 && tr__http_name_is(h->name, "traceparent"));
        if (ours)
            continue;
        put(o, h->name.ptr, h->name.len);
        put_text(o, ": ");
        put(o, h->value.ptr, h->value.len);
        put_text(o, "\r\n");
    }
    if (call->traceparent.len > 0)
        put_header(o, "traceparent", call->traceparent);
}

static void put_length(out *o, const tr_http_call *call, bool streams)
{
    char text[24];
    uint64_t length = streams ? call->length : call->body.len;
    if (streams && length == 0) {
        put_text(o, "Transfer-Encoding: chunked\r\n");
        return;
    }
    const char *method = method_of(call, streams);
    bool empty = length == 0 && strcmp(method, "POST") != 0 && strcmp(method, "PUT") != 0;
    if (empty)
        return;
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)length);
    put_header(o, "Content-Length", (tr_str){text, (size_t)n});
}

static int asking_print(tr__http_asking *a, const tr_http_call *call, const url *u, bool streams)
{
    size_t bytes;
    tr_buf *memory;
    int rc = call_measure(call, u, streams, &bytes);
    if (rc == 0)
        rc = tr_buf_new(bytes, &memory);
    if (rc < 0)
        return rc;
    out o = {tr_buf_data(memory), (char *)tr_buf_data(memory) + bytes};
    put_text(&o, method_of(call, streams));
    put_text(&o, u->target.len > 0 && u->target.ptr[0] == '/' ? " " : " /");
    put(&o, u->target.ptr, u->target.len);
    put_text(&o, " HTTP/1.1\r\n");
    put_header(&o, "Host", u->host);
    put_headers(&o, call);
    put_length(&o, call, streams);
    put_text(&o, "\r\n");
    rc = tr_buf_slice(memory, 0, (size_t)(o.at - (char *)tr_buf_data(memory)), &a->head);
    tr_buf_unref(&memory);
    return rc;
}

static int asking_origin(tr__http_asking *a, const url *u)
{
    static const char scheme[] = "tcp://", port[] = ":80";
    size_t size = sizeof scheme - 1 + u->host.len + (u->has_port ? 0 : sizeof port - 1);
    int rc = tr_buf_new(size + 1, &a->text);
    if (rc < 0)
        return rc;
    out o = {tr_buf_data(a->text), (char *)tr_buf_data(a->text) + size};
    a->origin = (tr_str){o.at, size};
    put_text(&o, scheme);
    put(&o, u->host.ptr, u->host.len);
    if (!u->has_port)
        put_text(&o, port);
    *o.end = '\0';
    return 0;
}

static bool method_is_safe_twice(const char *method)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++) {
        if (strcmp(method, safe[i]) == 0)
            return true;
    }
    return false;
}

// ---- Life ----

void tr__http_asking_over(tr__http_asking *a, int error)
{
    if (a->over)
        return;
    a->over = true;
    a->error = error;
    tr_timer_clear(a->self, a->deadline);
    tr_stream_destroy(a->self, a->handle, 0);
}

// Given up before its answer: its connection is in the middle of something.
static void asking_leave(tr__http_asking *a, int error)
{
    tr__http_line *l = a->line;
    tr__http_asking_over(a, error);
    if (l == NULL) {
        tr__http_waiting_leave(a);
        tr_stream_destroy(a->self, a->writer, 0);
    } else {
        l->asking = NULL;
        tr__http_line_drop(l);
    }
}

static void asking_late(tr_actor *self, void *arg)
{
    (void)self;
    asking_leave(arg, TR_ETIMEDOUT);
}

void tr__http_asking_free(tr__http_asking *a)
{
    tr_buf *memory = a->memory;
    if (a->after != NULL)
        a->after->before = a->before;
    if (a->before != NULL)
        a->before->after = a->after;
    else
        a->client->askings = a->after;
    tr_buf_unref(&a->text);
    tr_buf_unref(&a->head);
    tr_buf_unref(&a->body);
    tr_buf_unref(&a->answer.body);
    tr_buf_unref(&a->answer_bytes);
    tr_buf_unref(&memory);
}

static void asking_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    tr__http_asking *a = arg;
    tr__http_caller *client = a->client;
    (void)stream, (void)status;
    if (a->streams_from != NULL)
        a->streams_from->untold = NULL;
    if (a->cb != NULL)
        a->cb(self, a->error, a->error < 0 ? NULL : &a->answer, a->arg);
    tr__http_asking_free(a);
    tr__http_client_look(client);
}

static const tr_stream_events asking_events = {.closed = asking_closed};

// By its token, or since it is over. Of an actor that has ended there is no such stream any more:
// the client frees what it had.
static int asking_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__http_asking *a = *(tr__http_asking **)state;
    tr_stream_info info;
    (void)error;
    if (tr_stream_info_get(self, stream, &info) == 0 && !a->over)
        asking_leave(a, TR_ECANCELED);
    return 0;
}

static int asking_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)self, (void)stream, (void)state, (void)want;
    return 0; // nobody reads it
}

static const tr_stream_ops asking_ops = {.name = "http call",
                                         .state_size = sizeof(tr__http_asking *),
                                         .read = asking_read,
                                         .destroy = asking_destroy};

static int asking_fill(tr__http_asking *a, const tr_http_call *call, bool streams)
{
    url u;
    const char *method = method_of(call, streams);
    int rc = url_parse(call->url, &u);
    if (rc == 0)
        rc = asking_print(a, call, &u, streams);
    if (rc == 0)
        rc = asking_origin(a, &u);
    if (rc == 0 && !streams && call->body.len > 0)
        rc = tr_buf_copy(call->body.ptr, call->body.len, &a->body);
    a->head_only = strcmp(method, "HEAD") == 0;
    a->twice = method_is_safe_twice(method) && !streams;
    a->streams = streams;
    a->chunked = streams && call->length == 0;
    a->left = call->length;
    a->collect_max = call->collect_max;
    return rc;
}

static int call_copy(const tr_http_call *given, tr_http_call *call)
{
    size_t size = given != NULL ? given->size : 0;
    memset(call, 0, sizeof *call);
    if (size < sizeof size)
        return TR_EINVAL;
    memcpy(call, given, size < sizeof *call ? size : sizeof *call);
    if (call->timeout_ms == 0)
        call->timeout_ms = TIMEOUT_MS;
    return 0;
}

static int asking_start(tr__http_asking *a, const tr_http_call *call, bool streams)
{
    int rc = asking_fill(a, call, streams);
    if (rc == 0)
        rc = tr_timer_start(a->self, TR_MS(call->timeout_ms), asking_late, a, &a->deadline);
    if (rc == 0 && streams)
        rc = tr__http_writer_new(a);
    return rc == 0 ? tr__http_line_for(a) : rc;
}

static int asking_new(tr__http_caller *client, tr_cancel *cancel, tr__http_asking **ret_asking)
{
    tr_buf *memory;
    tr_stream stream;
    int rc = tr_buf_zeroed(sizeof **ret_asking, &memory);
    if (rc < 0)
        return rc;
    rc = tr_stream_new(client->self, &asking_ops, TR_STREAM(.cancel = cancel), &stream);
    if (rc < 0) {
        tr_buf_unref(&memory);
        return rc;
    }
    tr__http_asking *a = tr_buf_data(memory);
    *(tr__http_asking **)tr_stream_state(client->self, stream, &asking_ops) = a;
    *a = (tr__http_asking){
        .memory = memory, .self = client->self, .client = client, .handle = stream};
    a->after = client->askings;
    if (a->after != NULL)
        a->after->before = a;
    client->askings = a;
    tr_stream_on(client->self, stream, &asking_events, a);
    *ret_asking = a;
    return 0;
}

int tr_http_send(tr_actor *self, tr_http_client handle, const tr_http_call *given,
                 tr_stream *ret_stream, tr_http_answered cb, void *arg)
{
    tr_http_call call;
    tr__http_asking *a;
    tr__http_caller *client = tr__http_caller_of(self, handle.id);
    int rc = cb == NULL ? TR_EINVAL : call_copy(given, &call);
    if (rc < 0 || client == NULL)
        return rc < 0 ? rc : TR_ENOENT;
    rc = asking_new(client, call.cancel, &a);
    if (rc < 0)
        return rc;
    rc = asking_start(a, &call, ret_stream != NULL);
    if (rc < 0) { // nothing is told
        tr_stream_destroy(self, a->writer, 0);
        tr__http_asking_over(a, rc);
        return rc;
    }
    a->cb = cb;
    a->arg = arg;
    if (ret_stream != NULL)
        *ret_stream = a->writer;
    return 0;
}
