// HTTP servers: their life, the memory of what they serve, and the sweep.
//
//     open or listening -> draining -> closed
//
// A server is a stream that nobody reads, for the sake of what a stream has: a handle that goes
// stale, memory, and an end with its actor. It is freed only when all its connections are gone.
//
// No timer is armed for a request. A sweep looks at all connections, once a second or as often as
// the shortest limit wants, while there are any.
#include "http_inside.h"

static const tr_stream_ops server_ops;

enum {
    SWEEP_MS = 1000,
    HEAD_MAX = 1 << 20,
    PIPELINE_MAX = 1024,
    KEPT_MS = 1000, // a connection is kept so much longer than the client is told
    LINGER_MS = 2000
};

// ---- Memory ----

// At the front of each piece is what it lies in.
int tr__http_memory(size_t size, tr_buf **ret_memory)
{
    return tr_buf_zeroed(size, ret_memory);
}

static int table_reserve(tr__http_server *s)
{
    tr_buf *bigger;
    uint32_t capacity = s->table_capacity == 0 ? 16 : 2 * s->table_capacity;
    if (s->table_count < s->table_capacity)
        return 0;
    int rc = tr_buf_new(capacity * sizeof *s->table, &bigger);
    if (rc < 0)
        return rc;
    if (s->table_count > 0)
        memcpy(tr_buf_data(bigger), s->table, s->table_count * sizeof *s->table);
    tr_buf_unref(&s->table_memory);
    s->table_memory = bigger;
    s->table = tr_buf_data(bigger);
    s->table_capacity = capacity;
    return 0;
}

static int exchange_alloc(tr__http_server *s, tr__http_exchange **ret_x)
{
    tr_buf *memory;
    int rc = table_reserve(s);
    if (rc == 0)
        rc = tr__http_memory(sizeof **ret_x, &memory);
    if (rc < 0)
        return rc;
    *ret_x = tr_buf_data(memory);
    (*ret_x)->memory = memory;
    (*ret_x)->slot = s->table_count;
    (*ret_x)->serial = 1;
    s->table[s->table_count++] = *ret_x;
    return 0;
}

int tr__http_exchange_new(tr__http_server *s, tr__http_exchange **ret_x)
{
    tr__http_exchange *x = s->free_exchanges;
    if (x == NULL) {
        int rc = exchange_alloc(s, &x);
        if (rc < 0)
            return rc;
    } else {
        s->free_exchanges = x->next;
        *x = (tr__http_exchange){.memory = x->memory, .slot = x->slot, .serial = x->serial};
    }
    *ret_x = x;
    return 0;
}

void tr__http_exchange_free(tr__http_server *s, tr__http_exchange *x)
{
    x->serial++;
    x->conn = NULL;
    tr_buf_unref(&x->bytes);
    tr_buf_unref(&x->request.body);
    tr_buf_unref(&x->held[0]);
    tr_buf_unref(&x->held[1]);
    x->next = s->free_exchanges;
    s->free_exchanges = x;
}

tr_http tr__http_handle(const tr__http_exchange *x)
{
    return (tr_http){x->conn->server->handle.id, x->slot, x->serial};
}

static tr__http_server *server_of(tr_actor *self, uint64_t id)
{
    return tr_stream_state(self, (tr_stream){id}, &server_ops);
}

// One that serves.
static tr__http_server *server_find(tr_actor *self, tr_http_server server)
{
    tr__http_server *s = server_of(self, server.id);
    return s != NULL && !s->closing ? s : NULL;
}

tr__http_exchange *tr__http_exchange_of(tr_actor *self, tr_http http)
{
    tr__http_server *s = server_of(self, http.server);
    if (s == NULL || http.slot >= s->table_count)
        return NULL;
    tr__http_exchange *x = s->table[http.slot];
    return x->serial == http.serial && x->conn != NULL ? x : NULL;
}

// ---- The sweep ----

static bool passed(uint64_t now, uint64_t since, uint64_t ms)
{
    return ms > 0 && now - since >= TR_MS(ms);
}

static bool conn_does_not_take(tr__http_conn *c, uint64_t now)
{
    tr_stream_info info = {0};
    bool files = c->first != NULL && c->first->answer == TR__HTTP_FILES;
    if (tr_stream_info_get(c->server->self, c->socket, &info) < 0 ||
        (info.write_bytes == 0 && !files) || info.write_total != c->sent) {
        c->sent = info.write_total;
        c->sent_at = now;
    }
    return passed(now, c->sent_at, c->server->opts.send_ms);
}

// It has nothing to do: closed in the second sweep that finds it so, for a request that has come
// already may wait to be read.
static void conn_sweep_idle(tr__http_conn *c, uint64_t now)
{
    const tr_http_opts *o = &c->server->opts;
    bool draws = c->served || c->server->draining;
    if (!passed(now, c->since, draws ? (uint64_t)o->idle_ms + KEPT_MS : o->head_ms))
        return;
    if (c->stale)
        tr__http_conn_fail(c, TR_ETIMEDOUT);
    c->stale = true;
}

// A client that has ended its side may have gone altogether: that shows only when it is answered.
static void conn_sweep_request(tr__http_conn *c, uint64_t now)
{
    const tr_http_opts *o = &c->server->opts;
    const tr__http_exchange *x = c->first;
    uint64_t since = c->reading != NULL ? c->reading->since : c->since;
    if (x != NULL && x->answer == TR__HTTP_WAITS && passed(now, x->since, o->reply_ms))
        tr__http_refuse(c->first, 503);
    else if (c->in_body && !c->stays && passed(now, since, o->request_ms))
        tr__http_conn_refuse(c, 408);
    else if (c->ended && passed(now, c->since, o->request_ms))
        tr__http_conn_fail(c, TR_EPIPE);
}

static void conn_sweep(tr__http_conn *c, uint64_t now)
{
    const tr_http_opts *o = &c->server->opts;
    if (conn_does_not_take(c, now) || (c->ending && passed(now, c->since, LINGER_MS)))
        tr__http_conn_fail(c, TR_ETIMEDOUT);
    else if (c->ending)
        return;
    else if (c->count > 0 || c->in_body)
        conn_sweep_request(c, now);
    else if (c->head_bytes > 0 && passed(now, c->since, o->head_ms))
        tr__http_conn_refuse(c, 408);
    else if (c->head_bytes == 0)
        conn_sweep_idle(c, now);
}

static void server_sweep(tr_actor *self, void *arg)
{
    tr__http_server *s = arg;
    uint64_t now = tr_now(self);
    for (tr__http_conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        conn_sweep(c, now);
    }
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return b > 0 && b < a ? b : a;
}

static int server_watch(tr__http_server *s)
{
    const tr_http_opts *o = &s->opts;
    uint32_t ms = least(least(o->head_ms, o->request_ms), least(o->idle_ms, o->send_ms));
    ms = least(ms, o->reply_ms) / 4;
    if (s->sweep.id != 0)
        return 0;
    return tr_interval_start(s->self,
                             TR_MS(ms < 1          ? 1
                                   : ms < SWEEP_MS ? ms
                                                   : SWEEP_MS),
                             server_sweep, s, &s->sweep);
}

// ---- Opening ----

static void set_default(uint32_t *value, uint32_t standard)
{
    if (*value == 0)
        *value = standard;
}

static int opts_complete(tr_http_opts *o, const tr_http_opts *given)
{
    size_t size = given != NULL ? given->size : sizeof *o;
    memset(o, 0, sizeof *o);
    if (size < sizeof size)
        return TR_EINVAL;
    if (given != NULL)
        memcpy(o, given, size < sizeof *o ? size : sizeof *o);
    set_default(&o->head_max, 16384);
    set_default(&o->target_max, 8192);
    set_default(&o->headers_max, 2000);
    set_default(&o->pipeline_max, 16);
    set_default(&o->head_ms, 60000);
    set_default(&o->request_ms, 300000);
    set_default(&o->idle_ms, 5000);
    set_default(&o->send_ms, 60000);
    if (o->body_max == 0)
        o->body_max = o->collect ? TR_HTTP_BODY_MAX : UINT64_MAX;
    return o->head_max <= HEAD_MAX && o->pipeline_max <= PIPELINE_MAX &&
                   (!o->collect || o->body_max <= UINT32_MAX)
               ? 0
               : TR_EINVAL;
}

int tr_http_open(tr_actor *self, tr_http_handler handler, void *arg, const tr_http_opts *opts,
                 tr_http_server *ret_server)
{
    tr_http_opts o;
    tr_stream handle;
    int rc = handler != NULL && ret_server != NULL ? opts_complete(&o, opts) : TR_EINVAL;
    if (rc == 0)
        rc = tr_stream_new(self, &server_ops, NULL, &handle);
    if (rc < 0)
        return rc;
    tr__http_server *s = tr_stream_state(self, handle, &server_ops);
    s->self = self;
    s->handle = handle;
    s->opts = o;
    s->opts.listen = NULL;
    s->handler = handler;
    s->arg = arg;
    ret_server->id = handle.id;
    return 0;
}

// ---- Serving ----

static void server_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr__http_server *s = arg;
    if (server_watch(s) < 0 || tr__http_conn_open(s, stream) < 0)
        tr_stream_destroy(self, stream, 0);
}

int tr_http_accept(tr_actor *self, tr_http_server server, tr_stream stream)
{
    tr__http_server *s = server_find(self, server);
    tr_stream_info info;
    int rc = s == NULL ? TR_ENOENT : tr_stream_info_get(self, stream, &info);
    if (rc == 0 && (!info.readable || !info.writable))
        rc = TR_EINVAL;
    bool full =
        rc == 0 && s->opts.connections_max > 0 && s->stats.connections >= s->opts.connections_max;
    if (rc == 0)
        rc = server_watch(s);
    if (rc == 0)
        rc = tr__http_conn_open(s, stream);
    if (rc < 0 || (!full && !s->draining))
        return rc;
    tr__http_conn_refuse(s->conns, 503);
    return TR_EPIPE;
}

static int listen_complete(tr_listen_opts *l, const tr_http_opts *o)
{
    size_t size = o != NULL && o->listen != NULL ? o->listen->size : sizeof *l;
    memset(l, 0, sizeof *l);
    if (size < sizeof size)
        return TR_EINVAL;
    if (o != NULL && o->listen != NULL)
        memcpy(l, o->listen, size < sizeof *l ? size : sizeof *l);
    l->size = sizeof *l;
    l->half_open = true;
    l->connections_max = o != NULL ? o->connections_max : 0;
    return 0;
}

int tr_http_listen(tr_actor *self, const char *address, tr_http_handler handler, void *arg,
                   const tr_http_opts *opts, tr_http_server *ret_server)
{
    tr_listen_opts listen;
    tr_http_server server;
    int rc = tr_http_open(self, handler, arg, opts, &server);
    if (rc < 0)
        return rc;
    tr__http_server *s = server_find(self, server);
    rc = listen_complete(&listen, opts);
    if (rc == 0)
        rc = tr_listen(self, address, &listen, server_accepted, s, &s->listener);
    if (rc < 0)
        tr_http_close(self, server);
    else if (ret_server != NULL)
        *ret_server = server;
    return rc;
}

int tr_http_address(tr_actor *self, tr_http_server server, char text[TR_ADDRESS_MAX])
{
    const tr__http_server *s = server_find(self, server);
    return s == NULL ? TR_ENOENT : tr_server_address(self, s->listener, text);
}

int tr_http_stats_get(tr_actor *self, tr_http_server server, tr_http_stats *ret_stats)
{
    const tr__http_server *s = server_find(self, server);
    if (s == NULL || ret_stats == NULL)
        return s == NULL ? TR_ENOENT : TR_EINVAL;
    *ret_stats = s->stats;
    return 0;
}

// ---- Draining and closing ----

// Told by a timer of its own, which belongs to no server any more.
static void server_drained(tr__http_server *s, int status)
{
    tr_actor *self = s->self;
    tr_done done = s->drain_done;
    void *arg = s->drain_arg;
    s->drain_done = NULL;
    tr_timer_clear(self, s->grace);
    tr_http_close(self, (tr_http_server){s->handle.id});
    if (done != NULL)
        done(self, status, arg);
}

static void server_is_empty(tr_actor *self, void *arg)
{
    (void)self;
    server_drained(arg, 0);
}

static void server_grace_is_over(tr_actor *self, void *arg)
{
    (void)self;
    server_drained(arg, TR_ETIMEDOUT);
}

static int server_look(tr__http_server *s)
{
    if (!s->draining || s->drained || s->closing || s->conns != NULL)
        return 0;
    tr_timer_clear(s->self, s->grace);
    int rc = tr_timer_start(s->self, 0, server_is_empty, s, &s->grace);
    s->drained = rc == 0;
    return rc;
}

int tr_http_drain(tr_actor *self, tr_http_server server, uint32_t grace_ms, tr_done cb, void *arg)
{
    tr__http_server *s = server_find(self, server);
    if (s == NULL || cb == NULL)
        return s == NULL ? TR_ENOENT : TR_EINVAL;
    if (s->draining)
        return TR_EEXIST;
    int rc = tr_timer_start(self, TR_MS(grace_ms), server_grace_is_over, s, &s->grace);
    if (rc < 0)
        return rc;
    tr_server_close(self, s->listener);
    s->draining = true;
    s->drain_done = cb;
    s->drain_arg = arg;
    server_look(s);
    return 0;
}

void tr_http_close(tr_actor *self, tr_http_server server)
{
    tr__http_server *s = server_find(self, server);
    if (s == NULL)
        return;
    s->closing = true;
    tr_server_close(self, s->listener);
    tr_timer_clear(self, s->grace);
    for (tr__http_conn *c = s->conns; c != NULL; c = c->next) {
        if (!c->parted) // then its socket is none of the server's any more
            tr__http_conn_fail(c, TR_ECANCELED);
    }
    tr__http_server_left(s);
}

// A connection has gone, or there was none.
void tr__http_server_left(tr__http_server *s)
{
    if (s->conns != NULL)
        return;
    tr_timer_clear(s->self, s->sweep);
    s->sweep = (tr_timer){0};
    if (s->closing)
        tr_stream_destroy(s->self, s->handle, 0);
    else
        server_look(s);
}

static void server_free(tr__http_server *s)
{
    for (tr__http_conn *c; (c = s->conns) != NULL;) {
        s->conns = c->next;
        tr__http_conn_free(c);
    }
    for (tr__http_conn *c; (c = s->free_conns) != NULL;) {
        s->free_conns = c->next;
        tr__http_conn_free(c);
    }
    for (uint32_t i = 0; i < s->table_count; i++) {
        tr_buf *memory = s->table[i]->memory;
        tr__http_exchange_free(s, s->table[i]);
        tr_buf_unref(&memory);
    }
    tr_buf_unref(&s->table_memory);
}

static int server_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    (void)self, (void)stream, (void)error;
    server_free(state);
    return 0;
}

static int server_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)self, (void)stream, (void)state, (void)want;
    return 0; // nobody reads it
}

static const tr_stream_ops server_ops = {.name = "http server",
                                         .state_size = sizeof(tr__http_server),
                                         .read = server_read,
                                         .destroy = server_destroy};
