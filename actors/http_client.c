// The HTTP client's connections: made for a call, kept for the next one to the same origin.
//
// A connection has one call at a time. It is kept when its answer has been read to the end, its
// request has been written to the end, and the server does not close it; what the server says while
// it waits closes it. One that was kept may have been closed by the server just when it is used
// again: a call that may be made twice is made again then.
#include "http_client_inside.h"

static const tr_stream_ops client_ops;
static const tr_stream_events line_events;
static const tr__http_parse_ops line_parse;

enum { SWEEP_MS = 500, HEAD_FIRST = 1024 };

tr__http_caller *tr__http_caller_of(tr_actor *self, uint64_t id)
{
    tr__http_caller *client = tr_stream_state(self, (tr_stream){id}, &client_ops);
    return client != NULL && !client->closing ? client : NULL;
}

// ---- Making connections ----

static int line_alloc(tr__http_caller *client, tr__http_line **ret_line)
{
    tr_buf *memory;
    int rc = tr_buf_zeroed(sizeof **ret_line, &memory);
    if (rc < 0)
        return rc;
    *ret_line = tr_buf_data(memory);
    (*ret_line)->memory = memory;
    (*ret_line)->client = client;
    return 0;
}

static int line_get(tr__http_caller *client, tr__http_line **ret_line)
{
    tr__http_line *l = client->free_lines;
    if (l == NULL)
        return line_alloc(client, ret_line);
    client->free_lines = l->next;
    *l = (tr__http_line){.memory = l->memory, .client = client, .serial = l->serial};
    *ret_line = l;
    return 0;
}

static void line_give(tr__http_line *l)
{
    tr_buf_unref(&l->head);
    tr_buf_unref(&l->collected);
    l->serial++;
    l->next = l->client->free_lines;
    l->client->free_lines = l;
}

static void line_link(tr__http_line *l)
{
    tr__http_caller *client = l->client;
    l->prev = NULL;
    l->next = client->lines;
    if (l->next != NULL)
        l->next->prev = l;
    client->lines = l;
}

static void line_unlink(tr__http_line *l)
{
    *(l->prev != NULL ? &l->prev->next : &l->client->lines) = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
}

static int line_open(tr__http_asking *a, tr__http_origin *origin, tr__http_line **ret_line)
{
    tr__http_line *l;
    tr__http_caller *client = a->client;
    int rc = line_get(client, &l);
    if (rc < 0)
        return rc;
    rc = tr_connect(client->self, origin->name.ptr, TR_CONNECT(.half_open = true), &l->socket);
    if (rc == 0 && (rc = tr_stream_on(client->self, l->socket, &line_events, l)) < 0)
        tr_stream_destroy(client->self, l->socket, 0);
    if (rc < 0) {
        line_give(l);
        return rc;
    }
    l->origin = origin;
    origin->lines++;
    origin->holders++;
    line_link(l);
    *ret_line = l;
    return 0;
}

// ---- Idle ones ----

static void idle_put(tr__http_line *l)
{
    tr__http_origin *origin = l->origin;
    l->idle = true;
    l->client->idle++;
    l->idle_prev = NULL;
    l->idle_next = origin->idle;
    if (origin->idle != NULL)
        origin->idle->idle_prev = l;
    origin->idle = l;
}

static void idle_take(tr__http_line *l)
{
    if (!l->idle)
        return;
    l->idle = false;
    l->client->idle--;
    *(l->idle_prev != NULL ? &l->idle_prev->idle_next : &l->origin->idle) = l->idle_next;
    if (l->idle_next != NULL)
        l->idle_next->idle_prev = l->idle_prev;
}

// No call gets it any more.
static void line_shut(tr__http_line *l)
{
    idle_take(l);
    l->origin->lines -= !l->closing;
    l->closing = true;
}

// ---- Origins ----

static tr__http_origin **origin_at(tr__http_caller *client, tr_str name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 0x100000001b3u;
    tr__http_origin **at = &client->origins[hash % TR__HTTP_ORIGINS];
    while (*at != NULL &&
           ((*at)->name.len != name.len || memcmp((*at)->name.ptr, name.ptr, name.len) != 0))
        at = &(*at)->next;
    return at;
}

static int origin_get(tr__http_asking *a, tr__http_origin **ret_origin)
{
    tr__http_origin **at = origin_at(a->client, a->origin);
    tr_buf *memory;
    *ret_origin = *at;
    if (*at != NULL)
        return 0;
    int rc = tr_buf_zeroed(sizeof **at, &memory);
    if (rc < 0)
        return rc;
    *ret_origin = *at = tr_buf_data(memory);
    **at = (tr__http_origin){
        .memory = memory, .client = a->client, .name = a->origin, .text = tr_buf_ref(a->text)};
    return 0;
}

static void origin_free(tr__http_origin *origin)
{
    tr_buf *memory = origin->memory;
    tr_buf_unref(&origin->text);
    tr_buf_unref(&memory);
}

static void origin_look(tr__http_origin *origin)
{
    if (origin->holders > 0)
        return;
    *origin_at(origin->client, origin->name) = origin->next;
    origin_free(origin);
}

static void waiting_add(tr__http_origin *origin, tr__http_asking *a)
{
    a->waits_for = origin;
    a->prev = origin->waiting_last;
    a->next = NULL;
    *(a->prev != NULL ? &a->prev->next : &origin->waiting) = a;
    origin->waiting_last = a;
    origin->holders++;
}

static void waiting_take(tr__http_asking *a)
{
    tr__http_origin *origin = a->waits_for;
    *(a->prev != NULL ? &a->prev->next : &origin->waiting) = a->next;
    *(a->next != NULL ? &a->next->prev : &origin->waiting_last) = a->prev;
    a->waits_for = NULL;
    origin->holders--;
}

void tr__http_waiting_leave(tr__http_asking *a)
{
    tr__http_origin *origin = a->waits_for;
    if (origin == NULL)
        return;
    waiting_take(a);
    origin_look(origin);
}

// ---- Beginning a call ----

static int line_write(tr__http_line *l, tr_buf *chunk)
{
    if (chunk == NULL)
        return 0;
    tr_buf *ref = tr_buf_ref(chunk);
    int rc = tr_stream_write(l->client->self, l->socket, &ref);
    tr_buf_unref(&ref);
    return rc;
}

static int line_begin(tr__http_line *l, tr__http_asking *a)
{
    tr_actor *self = l->client->self;
    l->asking = a;
    a->line = l;
    l->used |= l->idle;
    idle_take(l);
    l->heard = l->interim = l->streaming = l->keep = false;
    l->sent = !a->streams;
    l->writer = a->writer;
    l->collected_bytes = 0;
    tr__http_parser_init(&l->parser, true, &line_parse);
    l->parser.target_max = l->parser.extra_max = l->client->opts.head_max;
    tr_stream_cork(self, l->socket);
    int rc = line_write(l, a->head);
    if (rc >= 0)
        rc = line_write(l, a->body);
    tr_stream_uncork(self, l->socket);
    if (rc < 0)
        tr__http_line_drop(l);
    else if (a->streams)
        tr__http_writer_begin(l);
    return 0;
}

int tr__http_line_for(tr__http_asking *a)
{
    tr__http_line *l;
    tr__http_origin *origin;
    int rc = origin_get(a, &origin);
    if (rc < 0)
        return rc;
    if (origin->idle != NULL)
        return line_begin(origin->idle, a);
    if (origin->lines >= a->client->opts.connections_max) {
        waiting_add(origin, a);
        return 0;
    }
    rc = line_open(a, origin, &l);
    if (rc == 0)
        return line_begin(l, a);
    origin_look(origin);
    return rc;
}

// A connection is free, or has gone: for who waits for it. Taken out of the list before it is tried.
static void waiting_look(tr__http_origin *origin)
{
    uint32_t most = origin->client->opts.connections_max;
    tr__http_asking *a;
    origin->holders++; // it stays meanwhile
    while ((a = origin->waiting) != NULL && (origin->idle != NULL || origin->lines < most)) {
        waiting_take(a);
        int rc = tr__http_line_for(a);
        if (rc < 0)
            tr__http_asking_over(a, rc);
    }
    origin->holders--;
    origin_look(origin);
}

// ---- Ending ----

void tr__http_line_drop(tr__http_line *l)
{
    line_shut(l);
    tr_stream_destroy(l->client->self, l->socket, 0);
}

static void client_sweep(tr_actor *self, void *arg)
{
    tr__http_caller *client = arg;
    for (tr__http_line *l = client->lines; l != NULL; l = l->next) {
        if (l->idle && tr_now(self) - l->since >= TR_MS(client->opts.idle_ms))
            tr__http_line_drop(l);
    }
    if (client->idle == 0) {
        tr_timer_clear(self, client->sweep);
        client->sweep = (tr_timer){0};
    }
}

static int client_watch(tr__http_caller *client)
{
    if (client->sweep.id != 0)
        return 0;
    int rc = tr_interval_start(client->self, TR_MS(SWEEP_MS), client_sweep, client, &client->sweep);
    if (rc == 0)
        tr_timer_keep(client->self, client->sweep, false);
    return rc;
}

// The answer is through when the parser says so; then the request has to be, too.
void tr__http_line_done(tr__http_line *l)
{
    if (l->asking != NULL || l->streaming || l->idle || l->closing)
        return;
    if (!l->keep || !l->sent || client_watch(l->client) < 0) {
        tr__http_line_drop(l);
        return;
    }
    idle_put(l);
    l->since = tr_now(l->client->self);
    tr__http_line_resume(l);
    waiting_look(l->origin);
}

// The call is answered: with all of the body, or with a stream of it.
static void line_answer(tr__http_line *l, int error)
{
    tr__http_asking *a = l->asking;
    if (a == NULL)
        return;
    l->asking = NULL;
    a->line = NULL;
    tr__http_asking_over(a, error);
}

// ---- Answers ----

static tr__http_line *line_of(tr__http_parser *p)
{
    return (tr__http_line *)(void *)p; // its first member
}

static int answer_begin(tr__http_line *l, const tr__http_head *head, tr__http_framing framing)
{
    tr__http_asking *a = l->asking;
    a->answer.status = framing.status;
    a->answer.length = framing.length;
    a->answer.headers = head->headers;
    a->answer_bytes = l->head;
    l->head = NULL;
    l->head_bytes = 0;
    l->keep = framing.keep_alive;
    if (a->collect_max > 0)
        return 0;
    int rc = tr__http_line_body_new(l);
    if (rc < 0)
        return -500;
    a->answer.stream = l->body;
    a->streams_from = l;
    l->untold = a;
    l->streaming = true;
    line_answer(l, 0);
    return 0;
}

// Heads are kept together, wherever they are cut.
static int line_head(tr__http_parser *p)
{
    tr__http_line *l = line_of(p);
    tr__http_head head;
    tr__http_framing framing = tr__http_parser_framing(p);
    if (l->asking == NULL || !tr__http_head_scan(tr_buf_data(l->head), l->head_bytes, &head))
        return -400;
    l->interim = framing.status < 200;
    if (l->interim)
        return framing.status == 101 ? -400 : 0;
    if (l->asking->head_only)
        tr__http_parser_skip_body(p);
    tr__http_parser_no_upgrade(p);
    return answer_begin(l, &head, framing);
}

static int collect(tr__http_line *l, const char *at, size_t size)
{
    if (l->collected_bytes + size > l->asking->collect_max)
        return -413;
    int rc = tr__http_append(&l->collected, &l->collected_bytes, at, size, 4096);
    return rc < 0 ? -500 : 0;
}

static int line_body(tr__http_parser *p, const char *at, size_t size)
{
    tr__http_line *l = line_of(p);
    return l->asking != NULL ? collect(l, at, size) : tr__http_line_push(l, at, size);
}

static const tr__http_parse_ops line_parse = {.head = line_head, .body = line_body};

static int answer_collected(tr__http_line *l)
{
    if (l->collected_bytes == 0)
        return 0;
    int rc = tr_buf_slice(l->collected, 0, l->collected_bytes, &l->asking->answer.body);
    tr_buf_unref(&l->collected);
    l->collected_bytes = 0;
    return rc;
}

// left: bytes that have come behind it. Who sends what it was not asked for is not asked again:
// that would be taken for the next answer.
static void line_message_done(tr__http_line *l, size_t left)
{
    tr__http_parser_init(&l->parser, true, &line_parse);
    l->keep &= left == 0;
    if (l->interim) {
        l->interim = false;
        l->head_bytes = 0;
        return;
    }
    if (l->asking != NULL)
        line_answer(l, answer_collected(l));
    l->streaming = false;
    tr__http_line_body_end(l);
    tr__http_writer_end(l, l->sent ? 0 : TR_EPIPE);
    tr__http_line_done(l);
}

static int error_of(int verdict)
{
    return verdict == -413 || verdict == -431 ? TR_ETOOBIG
           : verdict == -500                  ? TR_ENOMEM
                                              : TR_EBADMSG;
}

// What fails before the caller has heard of the answer is the answer.
static void line_lose(tr__http_line *l, int error)
{
    tr__http_asking *a = l->untold;
    line_answer(l, error);
    if (a != NULL && l->body.id != 0) {
        a->error = error;
        error = 0;
    }
    if (a != NULL)
        a->streams_from = NULL;
    l->untold = NULL;
    tr__http_line_body_lose(l, error);
}

static void line_fail(tr__http_line *l, int error)
{
    line_lose(l, error);
    tr__http_writer_end(l, error);
    tr__http_line_drop(l);
}

// ---- Reading ----

// returns: how many bytes, or a negative status
static ptrdiff_t line_take_head(tr__http_line *l, const char *bytes, size_t size)
{
    size_t before = l->head_bytes, most = l->client->opts.head_max + 1 - before, all = size, used;
    size = size < most ? size : most;
    if (tr__http_append(&l->head, &l->head_bytes, bytes, size, HEAD_FIRST) < 0)
        return -500;
    tr_buf *head = tr_buf_ref(l->head); // the call may have it, and be over before the parser is
    used = size;
    int rc = tr__http_parse(&l->parser, (const char *)tr_buf_data(head) + before, size, &used);
    tr_buf_unref(&head);
    if (rc == TR__HTTP_MORE && l->head_bytes > l->client->opts.head_max)
        return -431;
    if (rc == TR__HTTP_DONE)
        line_message_done(l, all - used);
    return rc < 0 ? rc : (ptrdiff_t)used;
}

static ptrdiff_t line_take(tr__http_line *l, const char *bytes, size_t size)
{
    size_t used = size;
    if (l->idle)
        return -400; // it says something that it was not asked for
    l->heard = true;
    if (!l->parser.has_head || l->interim)
        return line_take_head(l, bytes, size);
    int rc = tr__http_parse(&l->parser, bytes, size, &used);
    if (rc == TR__HTTP_DONE)
        line_message_done(l, size - used);
    return rc < 0 ? rc : (ptrdiff_t)used;
}

static void line_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    tr__http_line *l = arg;
    const char *bytes = tr_buf_data(chunk);
    size_t size = tr_buf_size(chunk);
    ptrdiff_t n;
    l->chunk = chunk;
    for (size_t at = 0; at < size && !l->closing; at += (size_t)n) {
        n = line_take(l, bytes + at, size - at);
        if (n < 0)
            line_fail(l, error_of((int)n));
        if (n < 0)
            break;
    }
    l->chunk = NULL;
    if (!l->closing && tr__http_line_is_full(l)) {
        l->blocked = true;
        tr_stream_pause(self, stream);
    }
}

void tr__http_line_resume(tr__http_line *l)
{
    if (!l->blocked)
        return;
    l->blocked = false;
    tr_stream_resume(l->client->self, l->socket);
}

// ---- What else the socket tells ----

static void line_ended(tr_actor *self, tr_stream stream, void *arg)
{
    tr__http_line *l = arg;
    (void)self, (void)stream;
    l->keep = false;
    if (!l->idle && l->parser.has_head && !l->interim &&
        tr__http_parse_end(&l->parser) == TR__HTTP_DONE)
        line_message_done(l, 0);
    tr__http_line_drop(l);
}

static void line_drained(tr_actor *self, tr_stream stream, void *arg)
{
    (void)self, (void)stream;
    tr__http_writer_drain(arg);
}

// Closed just as it was used again: a call that may be is made once more.
static void asking_again(tr__http_line *l)
{
    tr__http_asking *a = l->asking;
    if (a == NULL || !a->twice || !l->used || l->heard)
        return;
    a->twice = false;
    a->line = NULL;
    l->asking = NULL;
    int rc = tr__http_line_for(a);
    if (rc < 0)
        tr__http_asking_over(a, rc);
}

static void line_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    tr__http_line *l = arg;
    tr__http_caller *client = l->client;
    int error = client->closing                        ? TR_ECANCELED
                : status < 0 && status != TR_ECANCELED ? status
                                                       : TR_EPIPE;
    (void)self, (void)stream;
    tr__http_origin *origin = l->origin;
    line_shut(l);
    line_unlink(l);
    asking_again(l);
    line_lose(l, error);
    tr__http_writer_end(l, error);
    if (!client->closing)
        waiting_look(origin);
    origin->holders--;
    origin_look(origin);
    line_give(l);
    tr__http_client_look(client);
}

static const tr_stream_events line_events = {
    .data = line_data, .end = line_ended, .drain = line_drained, .closed = line_closed};

// ---- The client ----

static int client_opts(tr_http_client_opts *o, const tr_http_client_opts *given)
{
    size_t size = given != NULL ? given->size : sizeof *o;
    memset(o, 0, sizeof *o);
    if (size < sizeof size)
        return TR_EINVAL;
    if (given != NULL)
        memcpy(o, given, size < sizeof *o ? size : sizeof *o);
    o->connections_max = o->connections_max != 0 ? o->connections_max : 64;
    o->idle_ms = o->idle_ms != 0 ? o->idle_ms : 4000;
    o->head_max = o->head_max != 0 ? o->head_max : 65536;
    return o->head_max <= 16u << 20 ? 0 : TR_EINVAL;
}

int tr_http_client_open(tr_actor *self, const tr_http_client_opts *opts, tr_http_client *ret_client)
{
    tr_http_client_opts o;
    tr_stream handle;
    int rc = ret_client != NULL ? client_opts(&o, opts) : TR_EINVAL;
    if (rc == 0)
        rc = tr_stream_new(self, &client_ops, NULL, &handle);
    if (rc < 0)
        return rc;
    tr__http_caller *client = tr_stream_state(self, handle, &client_ops);
    client->self = self;
    client->handle = handle;
    client->opts = o;
    ret_client->id = handle.id;
    return 0;
}

void tr_http_client_close(tr_actor *self, tr_http_client handle)
{
    tr__http_caller *client = tr__http_caller_of(self, handle.id);
    if (client == NULL)
        return;
    client->closing = true;
    tr_timer_clear(self, client->sweep);
    for (tr__http_asking *a = client->askings; a != NULL; a = a->after) {
        if (a->waits_for == NULL)
            continue;
        tr__http_waiting_leave(a);
        tr__http_asking_over(a, TR_ECANCELED);
    }
    for (tr__http_line *l = client->lines; l != NULL; l = l->next) {
        line_answer(l, TR_ECANCELED);
        tr__http_line_drop(l);
    }
    tr__http_client_look(client);
}

void tr__http_client_look(tr__http_caller *client)
{
    if (client->closing && client->lines == NULL && client->askings == NULL)
        tr_stream_destroy(client->self, client->handle, 0);
}

static void lines_free(tr__http_line *l)
{
    for (tr__http_line *next; l != NULL; l = next) {
        next = l->next;
        tr_buf_unref(&l->head);
        tr_buf_unref(&l->collected);
        tr_buf *memory = l->memory;
        tr_buf_unref(&memory);
    }
}

static int client_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__http_caller *client = state;
    (void)self, (void)stream, (void)error;
    lines_free(client->lines);
    lines_free(client->free_lines);
    for (size_t i = 0; i < TR__HTTP_ORIGINS; i++) {
        for (tr__http_origin *o; (o = client->origins[i]) != NULL;) {
            client->origins[i] = o->next;
            origin_free(o);
        }
    }
    while (client->askings != NULL)
        tr__http_asking_free(client->askings);
    return 0;
}

static int client_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)self, (void)stream, (void)state, (void)want;
    return 0; // nobody reads it
}

static const tr_stream_ops client_ops = {.name = "http client",
                                         .state_size = sizeof(tr__http_caller),
                                         .read = client_read,
                                         .destroy = client_destroy};
