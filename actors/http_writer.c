// Responses bit by bit: a stream whose writes are framed and go on into the socket.
//
// A write is done when the socket has room for more, and not before its response's turn has come,
// so a client that does not take what is written holds back who writes, through all that lies
// between.
#include <stdio.h>

#include "http_inside.h"

typedef struct writer {
    tr_http http;
    tr__http_length kind;
    bool silent;           // nothing of the body is sent
    bool drains;           // a write waits for the socket
    bool ends;             // all has been written to it
    uint64_t left;         // sized: bytes that are to come
    tr_buf *const *chunks; // that wait for the response's turn
    size_t count;
} writer;

static const tr_stream_ops writer_ops;

static tr__http_exchange *exchange_of(tr_actor *self, const writer *w)
{
    return tr__http_exchange_of(self, w->http);
}

static size_t chunks_size(tr_buf *const *chunks, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += tr_buf_size(chunks[i]);
    return size;
}

static int write_text(tr__http_conn *c, const char *text, size_t size)
{
    tr_buf *chunk;
    int rc = tr_buf_copy(text, size, &chunk);
    return rc < 0 ? rc : tr__http_conn_write(c, &chunk);
}

// The head, if it has been held for want of its turn.
static void write_head(tr__http_conn *c, tr__http_exchange *x)
{
    tr__http_conn_flush(c);
    if (x->held[0] != NULL)
        tr__http_conn_write(c, &x->held[0]);
}

static int write_chunks(tr__http_conn *c, const writer *w, size_t size)
{
    char prefix[24];
    int rc = 0;
    if (w->kind == TR__HTTP_CHUNKED)
        rc = write_text(c, prefix, (size_t)snprintf(prefix, sizeof prefix, "%zx\r\n", size));
    for (size_t i = 0; rc >= 0 && i < w->count; i++) {
        tr_buf *chunk = tr_buf_ref(w->chunks[i]);
        rc = tr__http_conn_write(c, &chunk);
    }
    if (rc >= 0 && w->kind == TR__HTTP_CHUNKED)
        rc = write_text(c, "\r\n", 2);
    return rc;
}

// returns: 0, TR_LATER, or an error
static int writer_send(writer *w, tr__http_exchange *x)
{
    tr__http_conn *c = x->conn;
    tr_actor *self = c->server->self;
    size_t size = chunks_size(w->chunks, w->count);
    if (w->kind == TR__HTTP_SIZED && size > w->left)
        return TR_ETOOBIG;
    w->left -= w->kind == TR__HTTP_SIZED ? size : 0;
    tr_stream_cork(self, c->socket);
    write_head(c, x);
    int rc = w->silent || size == 0 ? 0 : write_chunks(c, w, size);
    tr_stream_uncork(self, c->socket);
    if (rc < 0)
        return TR_ECANCELED; // the client has gone
    w->drains = c->full;
    return w->drains ? TR_LATER : 0;
}

static int writer_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    writer *w = state;
    tr__http_exchange *x = exchange_of(self, w);
    (void)stream;
    w->chunks = chunks;
    w->count = count;
    if (x == NULL)
        return TR_ECANCELED;
    return x->conn->first == x ? writer_send(w, x) : TR_LATER;
}

// returns: 0, or an error
static int writer_finish(writer *w, tr__http_exchange *x)
{
    tr__http_conn *c = x->conn;
    if (w->kind == TR__HTTP_SIZED && w->left > 0)
        return TR_EBADMSG;
    write_head(c, x);
    if (w->kind == TR__HTTP_CHUNKED && !w->silent && write_text(c, "0\r\n\r\n", 5) < 0)
        return TR_ECANCELED;
    w->http = (tr_http){0};
    x->writer = (tr_stream){0};
    x->answer = TR__HTTP_SENT;
    tr__http_conn_sent(c);
    return 0;
}

static int writer_final(tr_actor *self, tr_stream stream, void *state)
{
    writer *w = state;
    tr__http_exchange *x = exchange_of(self, w);
    (void)stream;
    w->ends = true;
    if (x == NULL)
        return TR_ECANCELED;
    return x->conn->first == x ? writer_finish(w, x) : TR_LATER;
}

// A response that stops in the middle: the client cannot know but by the end of the connection.
static int writer_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    writer *w = state;
    tr__http_exchange *x = exchange_of(self, w);
    (void)stream, (void)error;
    if (x != NULL && x->answer == TR__HTTP_STREAMS)
        tr__http_conn_fail(x->conn, TR_ECANCELED);
    return 0;
}

// The head leaves with what is written in the same turn, or alone.
static int writer_construct(tr_actor *self, tr_stream stream, void *state)
{
    writer *w = state;
    tr_stream_info info;
    tr__http_exchange *x = exchange_of(self, w);
    if (x == NULL)
        return TR_ECANCELED;
    if (x->conn->first == x && tr_stream_info_get(self, stream, &info) == 0 &&
        info.write_count == 0)
        write_head(x->conn, x);
    return 0;
}

static const tr_stream_ops writer_ops = {.name = "http response",
                                         .state_size = sizeof(writer),
                                         .write_count = 64,
                                         .construct = writer_construct,
                                         .write = writer_write,
                                         .final = writer_final,
                                         .destroy = writer_destroy};

static writer *writer_of(const tr__http_exchange *x)
{
    return tr_stream_state(x->conn->server->self, x->writer, &writer_ops);
}

// ---- What its connection tells ----

void tr__http_writer_turn(tr__http_exchange *x)
{
    tr_actor *self = x->conn->server->self;
    tr_stream stream = x->writer;
    writer *w = writer_of(x);
    int rc = TR_LATER;
    if (w == NULL)
        return;
    if (w->ends)
        rc = writer_finish(w, x);
    else if (w->count > 0)
        rc = writer_send(w, x);
    else
        write_head(x->conn, x);
    if (rc != TR_LATER)
        tr_stream_done(self, stream, rc);
}

void tr__http_writer_drained(tr__http_exchange *x)
{
    writer *w = writer_of(x);
    if (w == NULL || !w->drains)
        return;
    w->drains = false;
    w->count = 0;
    tr_stream_done(x->conn->server->self, x->writer, 0);
}

void tr__http_writer_lose(tr__http_exchange *x)
{
    if (x->writer.id != 0)
        tr_stream_destroy(x->conn->server->self, x->writer, 0);
    x->writer = (tr_stream){0};
}

// ---- Making one ----

static tr__http_length kind_of(const tr__http_exchange *x, const tr_http_response *r)
{
    if (r->status == 204 || r->status == 304)
        return TR__HTTP_NO_BODY;
    if (r->length > 0)
        return TR__HTTP_SIZED;
    return x->request.minor > 0 ? TR__HTTP_CHUNKED : TR__HTTP_TO_THE_END;
}

int tr_http_reply_stream(tr_actor *self, tr_http http, const tr_http_response *response,
                         tr_stream *ret_stream)
{
    tr_http_response r;
    tr_stream stream;
    tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL || x->answer != TR__HTTP_WAITS)
        return x == NULL ? TR_ENOENT : TR_EPIPE;
    int rc = ret_stream == NULL ? TR_EINVAL : tr__http_response_copy(response, &r);
    if (rc < 0 || r.status < 200 || r.status > 599)
        return rc < 0 ? rc : TR_EINVAL;
    rc = tr_stream_new(self, &writer_ops, NULL, &stream);
    if (rc < 0)
        return rc;
    tr__http_length kind = kind_of(x, &r);
    rc = tr__http_reply_head(x, &r, kind, r.length, (tr_bytes){NULL, 0}, true);
    if (rc < 0) {
        tr_stream_destroy(self, stream, 0);
        return rc;
    }
    writer *w = tr_stream_state(self, stream, &writer_ops);
    *w = (writer){.http = http, .kind = kind, .left = r.length};
    w->silent = x->head_only || kind == TR__HTTP_NO_BODY;
    w->left = w->silent ? 0 : w->left;
    w->kind = w->silent ? TR__HTTP_TO_THE_END : kind;
    x->writer = stream;
    x->answer = TR__HTTP_STREAMS;
    tr__http_conn_resume(x->conn);
    *ret_stream = stream;
    return 0;
}
