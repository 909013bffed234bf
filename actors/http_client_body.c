// Bodies of the HTTP client: of an answer, as a stream that its connection pushes into; of a
// request, as a stream whose writes are framed and go on into the connection.
#include <stdio.h>

#include "http_client_inside.h"

// A connection that may be gone, or serve somebody else, as its serial shows.
typedef struct link {
    uint64_t client;
    tr__http_line *line;
    uint32_t serial;
} link;

static const tr_stream_ops body_ops, writer_ops;

static link link_to(tr__http_line *l)
{
    return (link){l->client->handle.id, l, l->serial};
}

static tr__http_line *line_of(tr_actor *self, const link *k)
{
    if (k->line == NULL || tr__http_caller_of(self, k->client) == NULL)
        return NULL;
    return k->line->serial == k->serial ? k->line : NULL;
}

// ---- Answers ----

static int body_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    tr__http_line *l = line_of(self, state);
    (void)want;
    if (l != NULL && l->body.id == stream.id)
        tr__http_line_resume(l);
    return 0;
}

// Nobody wants the rest: the connection is of no more use.
static int body_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__http_line *l = line_of(self, state);
    (void)error;
    if (l == NULL || l->body.id != stream.id)
        return 0;
    l->body = (tr_stream){0};
    if (l->streaming)
        tr__http_line_drop(l);
    return 0;
}

static const tr_stream_ops body_ops = {
    .name = "http answer", .state_size = sizeof(link), .read = body_read, .destroy = body_destroy};

static void body_finished(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg;
}

// It may fail before the caller has it: that is no end of the actor.
int tr__http_line_body_new(tr__http_line *l)
{
    tr_actor *self = l->client->self;
    int rc = tr_stream_new(self, &body_ops, NULL, &l->body);
    if (rc < 0)
        return rc;
    *(link *)tr_stream_state(self, l->body, &body_ops) = link_to(l);
    return tr_finished(self, l->body, body_finished, NULL);
}

int tr__http_line_push(tr__http_line *l, const char *at, size_t size)
{
    tr_buf *part;
    const char *bytes = tr_buf_data(l->chunk);
    bool inside = at >= bytes && at < bytes + tr_buf_size(l->chunk);
    if (l->body.id == 0)
        return 0;
    int rc = inside ? tr_buf_slice(l->chunk, (size_t)(at - bytes), size, &part)
                    : tr_buf_copy(at, size, &part);
    if (rc < 0)
        return -500;
    tr_stream_push(l->client->self, l->body, &part);
    tr_buf_unref(&part);
    return 0;
}

bool tr__http_line_is_full(const tr__http_line *l)
{
    tr_stream_info info;
    return l->body.id != 0 && tr_stream_info_get(l->client->self, l->body, &info) == 0 &&
           info.read_bytes >= info.read_high;
}

void tr__http_line_body_end(tr__http_line *l)
{
    tr_stream body = l->body;
    l->body = (tr_stream){0};
    if (body.id != 0)
        tr_stream_push(l->client->self, body, NULL);
}

void tr__http_line_body_lose(tr__http_line *l, int error)
{
    tr_stream body = l->body;
    l->body = (tr_stream){0};
    l->streaming = false;
    if (body.id != 0)
        tr_stream_destroy(l->client->self, body, error);
}

// ---- Requests ----

typedef struct writer {
    link link; // {0}: its call waits for a connection
    bool chunked, over;
    uint64_t left;
    tr_buf *const *chunks; // that wait for the connection
    size_t count;
} writer;

static int line_write(tr__http_line *l, tr_buf **chunk)
{
    int rc = tr_stream_write(l->client->self, l->socket, chunk);
    tr_buf_unref(chunk);
    l->drains |= rc == TR_WAIT;
    return rc;
}

static int line_write_text(tr__http_line *l, const char *text, size_t size)
{
    tr_buf *chunk;
    int rc = tr_buf_copy(text, size, &chunk);
    return rc < 0 ? rc : line_write(l, &chunk);
}

static int write_framed(tr__http_line *l, const writer *w, size_t size)
{
    char prefix[24];
    int rc = 0;
    if (w->chunked)
        rc = line_write_text(l, prefix, (size_t)snprintf(prefix, sizeof prefix, "%zx\r\n", size));
    for (size_t i = 0; rc >= 0 && i < w->count; i++) {
        tr_buf *chunk = tr_buf_ref(w->chunks[i]);
        rc = line_write(l, &chunk);
    }
    if (rc >= 0 && w->chunked)
        rc = line_write_text(l, "\r\n", 2);
    return rc;
}

static int writer_send(writer *w, tr__http_line *l)
{
    tr_actor *self = l->client->self;
    size_t size = 0;
    for (size_t i = 0; i < w->count; i++)
        size += tr_buf_size(w->chunks[i]);
    if (!w->chunked && size > w->left)
        return TR_ETOOBIG;
    w->left -= w->chunked ? 0 : size;
    tr_stream_cork(self, l->socket);
    int rc = size > 0 ? write_framed(l, w, size) : 0;
    tr_stream_uncork(self, l->socket);
    w->count = 0;
    return rc < 0 ? TR_ECANCELED : l->drains ? TR_LATER : 0;
}

static int writer_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    writer *w = state;
    tr__http_line *l = line_of(self, &w->link);
    (void)stream;
    w->chunks = chunks;
    w->count = count;
    if (l == NULL)
        return w->link.line == NULL ? TR_LATER : TR_ECANCELED;
    return writer_send(w, l);
}

static int writer_finish(writer *w, tr__http_line *l)
{
    if (!w->chunked && w->left > 0)
        return TR_EBADMSG;
    if (w->chunked && line_write_text(l, "0\r\n\r\n", 5) < 0)
        return TR_ECANCELED;
    l->sent = true;
    l->writer = (tr_stream){0};
    tr__http_line_done(l);
    return 0;
}

static int writer_final(tr_actor *self, tr_stream stream, void *state)
{
    writer *w = state;
    tr__http_line *l = line_of(self, &w->link);
    (void)stream;
    w->over = true;
    if (l == NULL)
        return w->link.line == NULL ? TR_LATER : TR_ECANCELED;
    return writer_finish(w, l);
}

// Without the rest of its body the request is none.
static int writer_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__http_line *l = line_of(self, &((writer *)state)->link);
    (void)error;
    if (l != NULL && l->writer.id == stream.id && !l->sent) {
        l->writer = (tr_stream){0};
        tr__http_line_drop(l);
    }
    return 0;
}

static const tr_stream_ops writer_ops = {.name = "http request",
                                         .state_size = sizeof(writer),
                                         .write_count = 64,
                                         .write = writer_write,
                                         .final = writer_final,
                                         .destroy = writer_destroy};

int tr__http_writer_new(tr__http_asking *a)
{
    int rc = tr_stream_new(a->self, &writer_ops, NULL, &a->writer);
    if (rc < 0)
        return rc;
    writer *w = tr_stream_state(a->self, a->writer, &writer_ops);
    w->chunked = a->chunked;
    w->left = a->left;
    return 0;
}

void tr__http_writer_begin(tr__http_line *l)
{
    tr_actor *self = l->client->self;
    tr_stream stream = l->writer;
    writer *w = tr_stream_state(self, stream, &writer_ops);
    int rc = TR_LATER;
    if (w == NULL) { // destroyed before it began
        tr__http_line_drop(l);
        return;
    }
    w->link = link_to(l);
    if (w->count > 0)
        rc = writer_send(w, l);
    else if (w->over)
        rc = writer_finish(w, l);
    if (rc != TR_LATER)
        tr_stream_done(self, stream, rc);
}

void tr__http_writer_drain(tr__http_line *l)
{
    l->drains = false;
    if (l->writer.id != 0)
        tr_stream_done(l->client->self, l->writer, 0);
}

void tr__http_writer_end(tr__http_line *l, int error)
{
    tr_stream stream = l->writer;
    (void)error;
    l->writer = (tr_stream){0};
    if (stream.id != 0)
        tr_stream_destroy(l->client->self, stream, 0);
}
