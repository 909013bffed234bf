// Bodies of requests: a stream that the connection pushes into, or a buffer that it collects in.
//
// What is pushed lies in the chunk that was read. A body that nobody has asked for holds back its
// connection until its request is answered, and is dropped then.
#include "http_inside.h"

typedef struct body {
    tr_http http;
} body;

static const tr_stream_ops body_ops;

bool tr__http_body_waits(const tr__http_exchange *x)
{
    tr_stream_info info;
    const tr__http_conn *c = x->conn;
    if (c->server->opts.collect && x->answer == TR__HTTP_WAITS)
        return x->body_done; // it might leave HTTP
    if (x->body_done)
        return x->answer == TR__HTTP_WAITS;
    if (x->body.id == 0)
        return (x->answer == TR__HTTP_WAITS && !x->body_taken) || c->dropped > TR__HTTP_DROPPED_MAX;
    return tr_stream_info_get(c->server->self, x->body, &info) == 0 && !info.closing &&
           info.read_bytes >= info.read_high;
}

// ---- Collecting ----

static int collect_push(tr__http_exchange *x, const char *at, size_t size)
{
    int rc = tr__http_append(&x->request.body, &x->collected, at, size, 4096);
    return rc < 0 ? -503 : 0;
}

// Without the room that it did not need.
static void collect_end(tr__http_exchange *x)
{
    tr_buf *all = x->request.body, *exact;
    if (all == NULL || tr_buf_slice(all, 0, x->collected, &exact) < 0)
        return;
    tr_buf_unref(&all);
    x->request.body = exact;
}

// ---- Streaming ----

static int stream_push(tr__http_exchange *x, const char *at, size_t size)
{
    tr_buf *part, *chunk = x->conn->chunk;
    tr_actor *self = x->conn->server->self;
    const char *bytes = tr_buf_data(chunk);
    bool inside = at >= bytes && at < bytes + tr_buf_size(chunk);
    int rc = inside ? tr_buf_slice(chunk, (size_t)(at - bytes), size, &part)
                    : tr_buf_copy(at, size, &part);
    if (rc < 0)
        return -503;
    if (tr_stream_push(self, x->body, &part) < 0)
        x->body = (tr_stream){0}; // nobody wants the rest
    tr_buf_unref(&part);
    return 0;
}

int tr__http_body_push(tr__http_exchange *x, const char *at, size_t size)
{
    if (x->conn->server->opts.collect && x->answer == TR__HTTP_WAITS)
        return collect_push(x, at, size);
    if (x->body.id != 0)
        return stream_push(x, at, size);
    return tr__http_conn_drop(x->conn, size);
}

void tr__http_body_end(tr__http_exchange *x)
{
    if (x->body.id != 0)
        tr_stream_push(x->conn->server->self, x->body, NULL);
    else
        collect_end(x);
}

void tr__http_body_lose(tr__http_exchange *x)
{
    if (x->body.id != 0 && !x->body_done)
        tr_stream_destroy(x->conn->server->self, x->body, 0);
    x->body = (tr_stream){0};
}

int tr_http_continue(tr_actor *self, tr_http http)
{
    tr_buf *words;
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL)
        return TR_ENOENT;
    if (!x->expects || x->conn->first != x || x->answer != TR__HTTP_WAITS)
        return 0;
    int rc = tr_buf_wrap((char *)(uintptr_t)text, sizeof text - 1, NULL, NULL, &words);
    if (rc < 0)
        return rc;
    x->expects = false;
    tr__http_conn_flush(x->conn);
    rc = tr__http_conn_write(x->conn, &words);
    return rc < 0 ? rc : 0;
}

static int body_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    body *b = state;
    (void)stream, (void)want;
    tr__http_exchange *x = tr__http_exchange_of(self, b->http);
    if (x != NULL)
        tr__http_conn_resume(x->conn);
    return 0;
}

static int body_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    const body *b = state;
    (void)error;
    tr__http_exchange *x = tr__http_exchange_of(self, b->http);
    if (x == NULL || x->body.id != stream.id)
        return 0;
    x->body = (tr_stream){0};
    tr__http_conn_resume(x->conn);
    return 0;
}

static const tr_stream_ops body_ops = {
    .name = "http body", .state_size = sizeof(body), .read = body_read, .destroy = body_destroy};

int tr_http_body(tr_actor *self, tr_http http, tr_stream *ret_stream)
{
    tr_stream stream;
    tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL || ret_stream == NULL)
        return x == NULL ? TR_ENOENT : TR_EINVAL;
    if (x->body_taken || x->conn->server->opts.collect)
        return TR_EEXIST;
    int rc = tr_stream_new(self, &body_ops, NULL, &stream);
    if (rc < 0)
        return rc;
    body *b = tr_stream_state(self, stream, &body_ops);
    b->http = http;
    x->body = stream;
    x->body_taken = true;
    if (x->body_done)
        tr_stream_push(self, stream, NULL);
    tr__http_conn_resume(x->conn);
    *ret_stream = stream;
    tr_http_continue(self, http);
    return 0;
}
