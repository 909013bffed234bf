// Connections: bytes come in, requests are made of them, responses leave in order.
//
// What the socket brings is parsed at once, from the chunk that it lies in, request after request.
// Reading stops (blocked) while nobody takes a body, too many requests are under way, the socket is
// full of responses, or one request may leave HTTP: then the rest of the chunk is put back into the
// socket, and comes again when it is resumed.
//
// While a chunk is parsed what is said in response is kept in the server's scratch, so that many
// small responses leave in one piece.
//
// A connection is over when its socket is closed, and in no other way: whoever has enough of it
// destroys the socket. One that ends in peace says so to the client, and reads for a while what
// that still sends, for a socket closed over unread bytes takes back what it has sent.
#include "http_inside.h"

enum { HEAD_FIRST = 1024 };

static const tr_stream_events conn_events;
static const tr__http_parse_ops conn_parse;

// ---- Life ----

static int conn_alloc(tr__http_server *s, tr__http_conn **ret_conn)
{
    tr_buf *memory;
    int rc = tr__http_memory(sizeof **ret_conn, &memory);
    if (rc < 0)
        return rc;
    *ret_conn = tr_buf_data(memory);
    (*ret_conn)->memory = memory;
    (*ret_conn)->server = s;
    return 0;
}

static void conn_link(tr__http_conn *c)
{
    tr__http_server *s = c->server;
    c->next = s->conns;
    c->before = NULL;
    if (s->conns != NULL)
        s->conns->before = c;
    s->conns = c;
    s->stats.connections++;
}

static void conn_unlink(tr__http_conn *c)
{
    tr__http_server *s = c->server;
    if (c->next != NULL)
        c->next->before = c->before;
    if (c->before != NULL)
        c->before->next = c->next;
    else
        s->conns = c->next;
    s->stats.connections--;
}

static void conn_init_parser(tr__http_conn *c)
{
    tr__http_parser_init(&c->parser, false, &conn_parse);
    c->parser.target_max = c->server->opts.target_max;
    c->parser.extra_max = c->server->opts.head_max;
}

int tr__http_conn_open(tr__http_server *s, tr_stream socket)
{
    tr__http_conn *c = s->free_conns;
    int rc = c == NULL ? conn_alloc(s, &c) : 0;
    if (rc < 0)
        return rc;
    if (c == s->free_conns)
        s->free_conns = c->next;
    *c = (tr__http_conn){.memory = c->memory, .server = s, .socket = socket};
    conn_init_parser(c);
    c->since = c->sent_at = tr_now(s->self);
    rc = tr_stream_on(s->self, socket, &conn_events, c);
    if (rc < 0) {
        c->next = s->free_conns;
        s->free_conns = c;
        return rc;
    }
    conn_link(c);
    s->stats.accepted++;
    return 0;
}

void tr__http_conn_free(tr__http_conn *c)
{
    tr_buf *memory = c->memory;
    tr_buf_unref(&c->head);
    tr_buf_unref(&memory);
}

void tr__http_conn_fail(tr__http_conn *c, int why)
{
    if (c->why == 0)
        c->why = why;
    c->last_read = true;
    tr_stream_destroy(c->server->self, c->socket, 0);
}

// The client has said that it sends no more, and all has left: nothing is lost by closing at once.
static bool conn_is_through(const tr__http_conn *c)
{
    tr_stream_info info;
    return c->says_last && c->heard_all &&
           tr_stream_info_get(c->server->self, c->socket, &info) == 0 && info.write_bytes == 0;
}

// No more is said, and nothing is heeded.
static void conn_end(tr__http_conn *c)
{
    if (c->ending)
        return;
    c->ending = c->last_read = true;
    c->dropped = 0;
    c->since = tr_now(c->server->self);
    tr__http_conn_flush(c);
    if (conn_is_through(c))
        tr_stream_destroy(c->server->self, c->socket, 0);
    else
        tr_stream_end(c->server->self, c->socket);
    tr__http_conn_resume(c);
}

// ---- Exchanges ----

static int conn_add(tr__http_conn *c, tr__http_exchange **ret_x)
{
    tr__http_exchange *x;
    int rc = tr__http_exchange_new(c->server, &x);
    if (rc < 0)
        return rc;
    x->conn = c;
    x->since = tr_now(c->server->self);
    if (c->last != NULL)
        c->last->next = x;
    else
        c->first = x;
    c->last = x;
    c->count++;
    c->served = true;
    c->server->stats.requests++;
    *ret_x = x;
    return 0;
}

static tr__http_exchange *conn_take_first(tr__http_conn *c)
{
    tr__http_exchange *x = c->first;
    c->first = x->next;
    if (c->first == NULL)
        c->last = NULL;
    c->count--;
    c->server->stats.requests--;
    if (c->reading == x)
        c->reading = NULL;
    x->next = NULL;
    return x;
}

static void exchange_tell(tr__http_exchange *x, int status)
{
    tr__http_server *s = x->conn->server;
    tr_done then = x->then;
    void *arg = x->then_arg;
    tr__http_exchange_free(s, x);
    then(s->self, status, arg);
}

static void exchange_left(tr_actor *self, int status, void *arg)
{
    tr__http_exchange *x = arg;
    (void)self;
    exchange_tell(x, status == TR_ECANCELED && x->conn->why < 0 ? x->conn->why : status);
}

// It is over. Who waits for that is told when all before it has left: an empty chunk says when.
static void exchange_over(tr__http_exchange *x)
{
    tr__http_conn *c = x->conn;
    tr_buf *mark = NULL;
    tr__http_body_lose(x);
    if (x->then == NULL) {
        tr__http_exchange_free(c->server, x);
        return;
    }
    x->serial++; // stale
    tr__http_conn_flush(c);
    int rc = tr_buf_new(0, &mark);
    if (rc == 0)
        rc = tr_stream_write_then(c->server->self, c->socket, &mark, exchange_left, x);
    tr_buf_unref(&mark);
    if (rc >= 0)
        return;
    x->next = c->untold;
    c->untold = x;
    tr__http_conn_fail(c, rc);
}

// The first one is over. Returns whether the connection goes on.
static bool conn_pass(tr__http_conn *c)
{
    tr__http_exchange *x = conn_take_first(c);
    bool keep = x->keep;
    c->heard_all = x->body_done;
    c->server->stats.answered++;
    exchange_over(x);
    if (!keep || (c->ended && c->first == NULL)) {
        conn_end(c);
        return false;
    }
    return true;
}

// A request that might have left HTTP, and has not: the parser still waits behind its head.
static void conn_stay(tr__http_conn *c)
{
    size_t used;
    if (c->in_body && c->reading == NULL && c->stays &&
        tr__http_parse(&c->parser, "", 0, &used) == TR__HTTP_DONE)
        c->in_body = false;
    c->stays = false;
}

void tr__http_conn_sent(tr__http_conn *c)
{
    bool goes_on = conn_pass(c);
    while (goes_on && c->first != NULL && c->first->answer == TR__HTTP_HELD) {
        tr__http_reply_held(c->first);
        goes_on = conn_pass(c);
    }
    if (!goes_on)
        return;
    conn_stay(c);
    if (c->first == NULL)
        c->since = tr_now(c->server->self);
    else if (c->first->answer == TR__HTTP_STREAMS)
        tr__http_writer_turn(c->first);
    else if (c->first->answer == TR__HTTP_FILES)
        tr__http_files_turn(c->first);
    else if (c->first->body_taken || c->server->opts.collect)
        tr_http_continue(c->server->self, tr__http_handle(c->first));
    tr__http_conn_resume(c);
}

void tr__http_refuse(tr__http_exchange *x, int status)
{
    tr__http_conn *c = x->conn;
    c->server->stats.refused++;
    c->last_read = true;
    if (x->answer != TR__HTTP_WAITS ||
        tr_http_reply(c->server->self, tr__http_handle(x),
                      TR_HTTP_RESPONSE(.status = status, .close = true)) < 0)
        tr__http_conn_fail(c, TR_ECANCELED);
}

void tr__http_conn_refuse(tr__http_conn *c, int status)
{
    tr__http_exchange *x = c->reading;
    bool answered = x == NULL && c->in_body;
    c->last_read = true;
    c->in_body = false; // nothing of it is parsed any more
    if (answered)
        conn_end(c);
    else if (x == NULL && conn_add(c, &x) < 0)
        tr__http_conn_fail(c, TR_ENOMEM);
    else if (x->answer == TR__HTTP_HELD)
        x->keep = false; // those before it are still to be answered
    else
        tr__http_refuse(x, status);
}

// ---- Requests ----

// What the parser lets pass and this server does not. returns: 0, or a negative status
static int head_check(const tr__http_conn *c, const tr__http_head *head, tr__http_framing framing)
{
    const tr_http_opts *o = &c->server->opts;
    tr_str version = head->words[2];
    if (head->bytes > o->head_max || head->lines > o->headers_max)
        return -431;
    bool old = tr_str_eq(version, "HTTP/1.0");
    if (!old && !tr_str_eq(version, "HTTP/1.1"))
        return version.len < 5 || memcmp(version.ptr, "HTTP/", 5) != 0 ? -400 : -505;
    if (head->hosts > 1 || (head->hosts == 0 && !old))
        return -400;
    if (framing.coded && (old || !framing.chunked))
        return -400;
    return framing.length > o->body_max ? -413 : 0;
}

static int head_expects(tr_str headers, bool *ret_expects)
{
    tr_str value;
    *ret_expects =
        tr_http_header_get(headers, "expect", &value) && tr__http_name_is(value, "100-continue");
    return *ret_expects ? 0 : -417;
}

static void exchange_fill(tr__http_exchange *x, const tr__http_head *head, tr__http_framing framing)
{
    tr_http_request *r = &x->request;
    r->method = head->words[0];
    r->target = head->words[1];
    r->headers = head->headers;
    r->minor = head->words[2].ptr[7] - '0';
    r->chunked = framing.chunked;
    r->length = framing.length;
    if (head->traced && (!tr_http_header_get(r->headers, "traceparent", &r->traceparent) ||
                         !tr__http_traceparent_is_good(r->traceparent)))
        r->traceparent = (tr_str){NULL, 0};
    if (framing.upgrade && tr_str_eq(r->method, "CONNECT"))
        r->upgrade = r->method;
    else if (framing.upgrade)
        tr_http_header_get(r->headers, "upgrade", &r->upgrade);
    x->has_body = framing.chunked || framing.length > 0;
    x->body_done = !x->has_body;
    x->head_only = tr_str_eq(r->method, "HEAD");
    x->keep = framing.keep_alive;
}

// The head lies in what has come in part, or in the chunk that is being read: that is held only for
// a request that the handler has not answered at once.
static void exchange_call(tr__http_exchange *x)
{
    tr__http_conn *c = x->conn;
    tr__http_server *s = c->server;
    tr_http handle = tr__http_handle(x);
    tr_buf *held = x->bytes != NULL ? tr_buf_ref(x->bytes) : NULL;
    tr_buf *body = x->request.body != NULL ? tr_buf_ref(x->request.body) : NULL;
    int rc = s->handler(s->self, handle, &x->request, s->arg);
    bool open = x->serial == handle.serial && x->conn != NULL;
    if (open && rc < 0 && x->answer == TR__HTTP_WAITS)
        tr__http_refuse(x, 500);
    else if (open && x->bytes == NULL)
        x->bytes = tr_buf_ref(c->chunk);
    tr_buf_unref(&held);
    tr_buf_unref(&body);
}

static tr__http_conn *conn_of(tr__http_parser *p)
{
    return (tr__http_conn *)(void *)p; // its first member
}

static int conn_head(tr__http_parser *p)
{
    tr__http_conn *c = conn_of(p);
    tr__http_head head;
    tr__http_exchange *x;
    bool expects = false;
    tr__http_framing framing = tr__http_parser_framing(p);
    if (!tr__http_head_scan(c->base, c->base_bytes, &head))
        return -400;
    int rc = head_check(c, &head, framing);
    if (rc == 0 && head.expects)
        rc = head_expects(head.headers, &expects);
    if (rc < 0)
        return rc;
    if (conn_add(c, &x) < 0)
        return -503;
    exchange_fill(x, &head, framing);
    x->expects = expects && x->has_body && x->request.minor > 0;
    x->bytes = c->head;
    c->head = NULL;
    c->head_bytes = 0;
    c->reading = x;
    c->in_body = true;
    c->body_bytes = c->dropped = 0;
    c->says_last = !x->keep;
    c->last_read |= !x->keep;
    bool has_body = x->has_body, may_leave = x->request.upgrade.len > 0 && !has_body;
    tr__http_parser_no_upgrade(p);
    if (has_body && c->server->opts.collect && x->bytes == NULL)
        x->bytes = tr_buf_ref(c->chunk);
    if (!has_body || !c->server->opts.collect)
        exchange_call(x);
    else
        tr_http_continue(c->server->self, tr__http_handle(x)); // nobody else asks for it
    c->stays = may_leave && c->reading != NULL;                // it has not been answered
    return has_body || c->stays;
}

static int conn_body(tr__http_parser *p, const char *at, size_t size)
{
    tr__http_conn *c = conn_of(p);
    c->body_bytes += size;
    if (c->body_bytes > c->server->opts.body_max)
        return -413;
    return c->reading != NULL ? tr__http_body_push(c->reading, at, size)
                              : tr__http_conn_drop(c, size);
}

static const tr__http_parse_ops conn_parse = {.head = conn_head, .body = conn_body};

int tr__http_conn_drop(tr__http_conn *c, size_t size)
{
    c->dropped += size;
    return c->dropped > TR__HTTP_DROPPED_MAX && c->reading == NULL ? -413 : 0;
}

static void conn_message_done(tr__http_conn *c)
{
    tr__http_exchange *x = c->reading;
    c->in_body = false;
    c->reading = NULL;
    conn_init_parser(c);
    if (x == NULL || x->body_done)
        return;
    x->body_done = true;
    tr__http_body_end(x);
    if (c->server->opts.collect && x->answer == TR__HTTP_WAITS)
        exchange_call(x);
}

// ---- Reading ----

static bool conn_is_blocked(const tr__http_conn *c)
{
    if (c->ending)
        return false;
    if (c->full)
        return true;
    if (c->in_body)
        return c->reading != NULL && tr__http_body_waits(c->reading);
    return c->last_read ? c->dropped > TR__HTTP_DROPPED_MAX
                        : c->count >= c->server->opts.pipeline_max;
}

void tr__http_conn_resume(tr__http_conn *c)
{
    if (!c->blocked || conn_is_blocked(c))
        return;
    c->blocked = false;
    tr_stream_resume(c->server->self, c->socket);
}

// What a parse has come to; the parser has taken so many bytes.
static void conn_parsed(tr__http_conn *c, int rc)
{
    if (rc == TR__HTTP_DONE)
        conn_message_done(c);
    else if (rc < 0)
        tr__http_conn_refuse(c, -rc);
}

static int head_append(tr__http_conn *c, const char *bytes, size_t size)
{
    return tr__http_append(&c->head, &c->head_bytes, bytes, size, HEAD_FIRST);
}

// A head that begins here. What there is of it is kept, if it is not all.
static size_t conn_take_head(tr__http_conn *c, const char *bytes, size_t size)
{
    size_t used = size;
    c->base = bytes;
    c->base_bytes = size;
    int rc = tr__http_parse(&c->parser, bytes, size, &used);
    if (rc == TR__HTTP_MORE) {
        c->since = tr_now(c->server->self);
        rc = size > c->server->opts.head_max ? -431 : head_append(c, bytes, size) < 0 ? -503 : 0;
    }
    conn_parsed(c, rc);
    return rc < 0 ? size : used;
}

// A head that has begun before. The parser is given no more than it may have, and works where all
// of it is kept.
static size_t conn_take_more_head(tr__http_conn *c, const char *bytes, size_t size)
{
    size_t before = c->head_bytes, most = c->server->opts.head_max + 1 - before, used;
    size = size < most ? size : most;
    if (head_append(c, bytes, size) < 0) {
        tr__http_conn_refuse(c, 503);
        return size;
    }
    tr_buf *head = tr_buf_ref(c->head); // the request may have it, and be over before the parser is
    c->base = tr_buf_data(head);
    c->base_bytes = c->head_bytes;
    used = size;
    int rc = tr__http_parse(&c->parser, c->base + before, size, &used);
    tr_buf_unref(&head);
    if (rc == TR__HTTP_MORE && c->head_bytes > c->server->opts.head_max)
        rc = -431;
    conn_parsed(c, rc);
    return rc < 0 ? size : used;
}

static size_t conn_take_body(tr__http_conn *c, const char *bytes, size_t size)
{
    size_t used = size;
    int rc = tr__http_parse(&c->parser, bytes, size, &used);
    conn_parsed(c, rc);
    return rc < 0 ? size : used;
}

static size_t conn_take(tr__http_conn *c, const char *bytes, size_t size)
{
    if (c->in_body && !c->ending)
        return conn_take_body(c, bytes, size);
    if (c->last_read) {
        tr__http_conn_drop(c, size); // for a while: the sweep ends it
        return size;
    }
    return c->head_bytes == 0 ? conn_take_head(c, bytes, size)
                              : conn_take_more_head(c, bytes, size);
}

static void conn_put_back(tr__http_conn *c, tr_buf *chunk, size_t at)
{
    tr_actor *self = c->server->self;
    tr_buf *rest = NULL;
    int rc = tr_buf_slice(chunk, at, tr_buf_size(chunk) - at, &rest);
    if (rc == 0)
        rc = tr_stream_unshift(self, c->socket, &rest);
    tr_buf_unref(&rest);
    if (rc < 0)
        tr__http_conn_fail(c, rc);
}

static void conn_block(tr__http_conn *c)
{
    c->blocked = true;
    tr_stream_pause(c->server->self, c->socket);
}

static void conn_part_end(tr__http_conn *c);

static void conn_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    tr__http_conn *c = arg;
    tr__http_server *s = c->server;
    const char *bytes = tr_buf_data(chunk);
    size_t at = 0, size = tr_buf_size(chunk);
    (void)self, (void)stream;
    s->corked = c;
    c->chunk = chunk;
    c->stale = false;
    while (at < size && !c->parted && !conn_is_blocked(c))
        at += conn_take(c, bytes + at, size - at);
    c->chunk = NULL;
    tr__http_conn_flush(c);
    s->corked = NULL;
    if (at < size)
        conn_put_back(c, chunk, at);
    if (c->parted)
        conn_part_end(c);
    else if (conn_is_blocked(c) && !c->blocked)
        conn_block(c);
}

// ---- What else the socket tells ----

static void conn_ended(tr_actor *self, tr_stream stream, void *arg)
{
    tr__http_conn *c = arg;
    (void)stream;
    bool cut = c->in_body && c->reading != NULL && !c->reading->body_done;
    c->ended = c->last_read = true;
    c->since = tr_now(self);
    if (cut || (c->count > 0 && c->server->opts.end_aborts))
        tr__http_conn_fail(c, TR_EPIPE);
    else if (c->count == 0)
        conn_end(c);
}

static void conn_drained(tr_actor *self, tr_stream stream, void *arg)
{
    tr__http_conn *c = arg;
    (void)self, (void)stream;
    c->full = false;
    if (c->first != NULL && c->first->answer == TR__HTTP_STREAMS)
        tr__http_writer_drained(c->first);
    tr__http_conn_resume(c);
}

static void conn_release(tr__http_conn *c)
{
    tr__http_server *s = c->server;
    tr_buf_unref(&c->head);
    conn_unlink(c);
    c->next = s->free_conns;
    s->free_conns = c;
}

static void conn_lose_all(tr__http_conn *c)
{
    while (c->first != NULL) {
        tr__http_exchange *x = conn_take_first(c);
        tr__http_body_lose(x);
        tr__http_writer_lose(x);
        if (x->then == NULL) {
            tr__http_exchange_free(c->server, x);
            continue;
        }
        x->serial++;
        x->next = c->untold;
        c->untold = x;
    }
}

static void conn_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    tr__http_conn *c = arg;
    tr__http_server *s = c->server;
    int why = c->why < 0 ? c->why : status < 0 ? status : TR_EPIPE;
    (void)self, (void)stream;
    conn_lose_all(c);
    for (tr__http_exchange *x; (x = c->untold) != NULL;) {
        c->untold = x->next;
        exchange_tell(x, why);
    }
    conn_release(c);
    tr__http_server_left(s);
}

static const tr_stream_events conn_events = {
    .data = conn_data, .end = conn_ended, .drain = conn_drained, .closed = conn_closed};

// ---- Parting ----

static void exchange_parted(tr_actor *self, void *arg)
{
    (void)self;
    exchange_tell(arg, 0);
}

// What is left of the connection, of which the socket knows nothing any more.
static void conn_part_end(tr__http_conn *c)
{
    tr__http_server *s = c->server;
    conn_lose_all(c);
    conn_release(c);
    tr__http_server_left(s);
}

// In the middle of a read the rest of that goes back to the socket first.
int tr__http_conn_part(tr__http_conn *c)
{
    tr_actor *self = c->server->self;
    if (c->first->then != NULL) {
        int rc = tr_next_tick(self, exchange_parted, c->first);
        if (rc < 0)
            return rc;
    }
    tr__http_exchange *x = conn_take_first(c);
    if (x->then != NULL)
        x->serial++;
    else
        tr__http_exchange_free(c->server, x);
    c->parted = true;
    tr_stream_resume(self, c->socket); // what holds it back would hold it back for the user, too
    tr_stream_on(self, c->socket, NULL, NULL);
    if (c->chunk == NULL)
        conn_part_end(c);
    return 0;
}

// ---- Writing ----

int tr__http_conn_write(tr__http_conn *c, tr_buf **chunk)
{
    int rc = tr_stream_write(c->server->self, c->socket, chunk);
    tr_buf_unref(chunk);
    c->full |= rc == TR_WAIT;
    if (rc < 0)
        tr__http_conn_fail(c, rc);
    return rc;
}

void tr__http_conn_flush(tr__http_conn *c)
{
    tr__http_server *s = c->server;
    tr_buf *chunk = NULL;
    if (s->corked != c || s->scratch_bytes == 0)
        return;
    int rc = tr_buf_copy(s->scratch, s->scratch_bytes, &chunk);
    s->scratch_bytes = 0;
    if (rc < 0)
        tr__http_conn_fail(c, rc);
    else
        tr__http_conn_write(c, &chunk);
}
