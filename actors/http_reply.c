// Responses: their heads, and bodies that are given whole.
//
// A head is printed in one go, into the server's scratch, from where it leaves with all else that
// is said while a chunk is read; one that is too large for that has memory of its own. Its end is
// printed once a second.
#include <time.h>

#include "http_inside.h"

enum { FRAME_BYTES = 512, HEADERS_MAX = 65536, COPY_MAX = 4096 };

static char *put(char *to, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(to, bytes, size);
    return to + size;
}

static char *put_text(char *to, const char *text)
{
    return put(to, text, strlen(text));
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t n = sizeof digits;
    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(to, digits + n, sizeof digits - n);
}

// ---- What is the same for all for a second ----

static void tail_print(tr__http_server *s)
{
    char *at = put_text(s->tail, "Date: ");
    at = put(at, s->date, sizeof s->date);
    at = put_text(at, "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=");
    at = put_number(at, s->opts.idle_ms / 1000);
    at = put_text(at, "\r\n\r\n");
    s->tail_bytes = (size_t)(at - s->tail);
}

static void date_refresh(tr__http_server *s)
{
    uint64_t now = tr_now(s->self);
    if (s->tail_bytes > 0 && now - s->date_at < TR_S(1))
        return;
    s->date_at = now;
    tr__http_date_print((int64_t)time(NULL), s->date);
    tail_print(s);
}

// ---- Heads ----

int tr__http_response_copy(const tr_http_response *given, tr_http_response *r)
{
    size_t size = given != NULL ? given->size : sizeof *r;
    memset(r, 0, sizeof *r);
    if (size < sizeof size)
        return TR_EINVAL;
    if (given != NULL)
        memcpy(r, given, size < sizeof *r ? size : sizeof *r);
    if (r->status == 0)
        r->status = 200;
    return r->header_count > 0 && r->headers == NULL ? TR_EINVAL : 0;
}

// What its headers take. errors: as tr_http_reply
static int response_measure(const tr_http_response *r, size_t *ret_bytes)
{
    size_t bytes = FRAME_BYTES;
    if (r->type != NULL && !tr__http_value_is_good(tr_str_of(r->type)))
        return TR_EINVAL;
    bytes += r->type != NULL ? strlen(r->type) : 0;
    for (size_t i = 0; i < r->header_count; i++) {
        const tr_http_header *h = &r->headers[i];
        if (!tr__http_name_is_good(h->name) || !tr__http_value_is_good(h->value))
            return TR_EINVAL;
        if (h->name.len + h->value.len > HEADERS_MAX)
            return TR_ETOOBIG;
        bytes += h->name.len + h->value.len + 4;
        if (bytes > HEADERS_MAX)
            return TR_ETOOBIG;
    }
    *ret_bytes = bytes;
    return 0;
}

static char *put_status(char *to, int status)
{
    if (status == 200)
        return put_text(to, "HTTP/1.1 200 OK\r\n");
    to = put_text(to, "HTTP/1.1 ");
    to = put_number(to, (uint64_t)status);
    *to++ = ' ';
    to = put_text(to, tr__http_reason(status));
    return put_text(to, "\r\n");
}

static char *put_header(char *to, tr_str name, tr_str value)
{
    to = put(to, name.ptr, name.len);
    to = put_text(to, ": ");
    to = put(to, value.ptr, value.len);
    return put_text(to, "\r\n");
}

static char *put_headers(char *to, const tr_http_response *r, bool *ret_dated)
{
    for (size_t i = 0; i < r->header_count; i++) {
        const tr_http_header *h = &r->headers[i];
        if (tr_http_header_is_hop(h->name))
            continue;
        *ret_dated |= tr__http_name_is(h->name, "date");
        to = put_header(to, h->name, h->value);
    }
    return to;
}

// What is gone on with: what the response says, or what was asked for.
static char *put_upgrade(char *to, const tr__http_exchange *x, const tr_http_response *r)
{
    tr_str protocol = x->request.upgrade;
    for (size_t i = 0; i < r->header_count; i++) {
        if (tr__http_name_is(r->headers[i].name, "upgrade"))
            protocol = r->headers[i].value;
    }
    if (r->status == 101) {
        to = put_text(to, "Connection: Upgrade\r\n");
        to = put_header(to, (tr_str){"Upgrade", 7}, protocol);
    }
    return put_text(to, "\r\n");
}

static char *put_length(char *to, tr__http_length kind, uint64_t length)
{
    if (kind == TR__HTTP_SIZED) {
        to = put_text(to, "Content-Length: ");
        to = put_number(to, length);
        return put_text(to, "\r\n");
    }
    return kind == TR__HTTP_CHUNKED ? put_text(to, "Transfer-Encoding: chunked\r\n") : to;
}

static char *put_tail(char *to, const tr__http_server *s, bool dated, bool keep)
{
    const size_t date_line = 6 + sizeof s->date + 2;
    const char *tail = s->tail + (dated ? date_line : 0);
    if (keep)
        return put(to, tail, s->tail_bytes - (size_t)(tail - s->tail));
    if (!dated)
        to = put(to, s->tail, date_line);
    return put_text(to, "Connection: close\r\n\r\n");
}

static size_t head_print(char *to, const tr__http_exchange *x, const tr_http_response *r,
                         tr__http_length kind, uint64_t length)
{
    bool dated = false;
    char *at = put_status(to, r->status);
    if (r->type != NULL) {
        at = put_text(at, "Content-Type: ");
        at = put_text(at, r->type);
        at = put_text(at, "\r\n");
    }
    at = put_headers(at, r, &dated);
    at = put_length(at, kind, length);
    if (kind == TR__HTTP_UPGRADED)
        return (size_t)(put_upgrade(at, x, r) - to);
    at = put_tail(at, x->conn->server, dated, x->keep);
    return (size_t)(at - to);
}

// ---- Where a head goes ----

// Printed into the scratch, behind what is there of the connection that is being read.
static int reply_scratched(tr__http_exchange *x, size_t bytes, bool hold)
{
    tr__http_server *s = x->conn->server;
    if (hold || s->corked != x->conn)
        return tr_buf_copy(s->scratch + s->scratch_bytes, bytes, &x->held[0]);
    s->scratch_bytes += bytes;
    return 0;
}

static size_t print_all(char *to, const tr__http_exchange *x, const tr_http_response *r,
                        tr__http_length kind, uint64_t length, tr_bytes body)
{
    size_t bytes = head_print(to, x, r, kind, length);
    put(to + bytes, body.ptr, body.len);
    return bytes + body.len;
}

// The client hears that this is the last response on its connection, if it is.
static void exchange_decide(tr__http_exchange *x, const tr_http_response *r, tr__http_length kind)
{
    tr__http_conn *c = x->conn;
    bool waits = x->expects && !x->body_done; // who knows whether its body comes
    bool last = c->last == x && (c->server->draining || c->ended);
    x->keep = x->keep && !r->close && !last && !waits && kind != TR__HTTP_TO_THE_END;
    c->last_read |= !x->keep;
}

int tr__http_reply_head(tr__http_exchange *x, const tr_http_response *r, tr__http_length kind,
                        uint64_t length, tr_bytes body, bool hold)
{
    tr__http_server *s = x->conn->server;
    size_t bound, bytes;
    tr_buf *memory;
    int rc = response_measure(r, &bound);
    if (rc < 0)
        return rc;
    date_refresh(s);
    bool keep = x->keep, last_read = x->conn->last_read;
    exchange_decide(x, r, kind);
    bound += body.len;
    if (bound > sizeof s->scratch - s->scratch_bytes && s->corked != NULL)
        tr__http_conn_flush(s->corked);
    if (bound <= sizeof s->scratch - s->scratch_bytes) {
        bytes = print_all(s->scratch + s->scratch_bytes, x, r, kind, length, body);
        rc = reply_scratched(x, bytes, hold || x->conn->first != x);
    } else if ((rc = tr_buf_new(bound, &memory)) == 0) {
        bytes = print_all(tr_buf_data(memory), x, r, kind, length, body);
        rc = tr_buf_slice(memory, 0, bytes, &x->held[0]);
        tr_buf_unref(&memory);
    }
    if (rc < 0) {
        x->keep = keep;
        x->conn->last_read = last_read;
    }
    return rc;
}

// ---- Whole responses ----

static int reply_check(tr_actor *self, tr_http http, const tr_http_response *given,
                       tr_http_response *r, tr__http_exchange **ret_x)
{
    tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL)
        return TR_ENOENT;
    if (x->answer != TR__HTTP_WAITS)
        return TR_EPIPE;
    *ret_x = x;
    int rc = tr__http_response_copy(given, r);
    return rc == 0 && (r->status < 200 || r->status > 599) ? TR_EINVAL : rc;
}

static bool status_has_no_body(int status)
{
    return status == 204 || status == 304;
}

// All of it is in the scratch, or held.
static void reply_said(tr__http_exchange *x)
{
    x->answer = TR__HTTP_HELD;
    if (x->conn->first != x) {
        tr__http_conn_resume(x->conn); // its body is dropped
        return;
    }
    tr__http_reply_held(x);
    tr__http_conn_sent(x->conn);
}

int tr_http_reply(tr_actor *self, tr_http http, const tr_http_response *response)
{
    tr_http_response r;
    tr__http_exchange *x;
    int rc = reply_check(self, http, response, &r, &x);
    if (rc < 0 || (r.body.ptr == NULL && r.body.len > 0))
        return rc < 0 ? rc : TR_EINVAL;
    bool none = status_has_no_body(r.status), silent = none || x->head_only;
    rc = tr__http_reply_head(x, &r, none ? TR__HTTP_NO_BODY : TR__HTTP_SIZED, r.body.len,
                             silent ? (tr_bytes){NULL, 0} : r.body, false);
    if (rc == 0)
        reply_said(x);
    return rc;
}

int tr_http_reply_buf(tr_actor *self, tr_http http, const tr_http_response *response, tr_buf **body)
{
    tr_http_response r;
    tr__http_exchange *x;
    int rc = body == NULL || *body == NULL ? TR_EINVAL : reply_check(self, http, response, &r, &x);
    if (rc < 0)
        return rc;
    bool none = status_has_no_body(r.status), silent = none || x->head_only;
    size_t size = tr_buf_size(*body);
    bool copied = size <= COPY_MAX && !silent;
    rc = tr__http_reply_head(x, &r, none ? TR__HTTP_NO_BODY : TR__HTTP_SIZED, size,
                             copied ? tr_buf_bytes(*body) : (tr_bytes){NULL, 0}, !copied);
    if (rc < 0)
        return rc;
    if (silent || copied)
        tr_buf_unref(body);
    x->held[1] = *body;
    *body = NULL;
    reply_said(x);
    return 0;
}

void tr__http_reply_held(tr__http_exchange *x)
{
    tr__http_conn *c = x->conn;
    tr_actor *self = c->server->self;
    if (x->held[0] == NULL && x->held[1] == NULL)
        return;
    tr_stream_cork(self, c->socket);
    tr__http_conn_flush(c);
    for (int i = 0; i < 2; i++) {
        if (x->held[i] != NULL)
            tr__http_conn_write(c, &x->held[i]);
    }
    tr_stream_uncork(self, c->socket);
}

// ---- Leaving HTTP ----

static int upgrade_check(tr_actor *self, tr_http http, const tr_http_response *given,
                         tr_http_response *r, tr__http_exchange **ret_x)
{
    tr_http_response asked = {.size = sizeof asked};
    int rc = tr__http_response_copy(given, &asked);
    if (rc == 0)
        rc = reply_check(self, http, NULL, r, ret_x);
    if (rc < 0)
        return rc;
    const tr__http_exchange *x = *ret_x;
    bool connects = tr_str_eq(x->request.method, "CONNECT");
    *r = asked;
    if (given == NULL || given->status == 0)
        r->status = connects ? 200 : 101;
    if (x->request.upgrade.len == 0 || x->has_body || (r->status != 101 && !connects))
        return TR_EINVAL;
    return x->conn->first == x ? 0 : TR_EAGAIN;
}

int tr_http_upgrade(tr_actor *self, tr_http http, const tr_http_response *response,
                    tr_stream *ret_stream)
{
    tr_http_response r;
    tr__http_exchange *x = NULL;
    int rc = ret_stream == NULL ? TR_EINVAL : upgrade_check(self, http, response, &r, &x);
    if (rc == 0)
        rc = tr__http_reply_head(x, &r, TR__HTTP_UPGRADED, 0, (tr_bytes){NULL, 0}, true);
    if (rc < 0)
        return rc;
    tr_stream socket = x->conn->socket;
    tr__http_reply_held(x);
    rc = tr__http_conn_part(x->conn);
    if (rc == 0)
        *ret_stream = socket;
    else
        tr__http_conn_fail(x->conn, rc);
    return rc;
}

// ---- What is asked of an exchange ----

const tr_http_request *tr_http_request_of(tr_actor *self, tr_http http)
{
    const tr__http_exchange *x = tr__http_exchange_of(self, http);
    return x != NULL ? &x->request : NULL;
}

int tr_http_then(tr_actor *self, tr_http http, tr_done cb, void *arg)
{
    tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL || cb == NULL)
        return x == NULL ? TR_ENOENT : TR_EINVAL;
    if (x->then != NULL)
        return TR_EEXIST;
    x->then = cb;
    x->then_arg = arg;
    return 0;
}

int tr_http_socket(tr_actor *self, tr_http http, tr_stream *ret_stream)
{
    const tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL || ret_stream == NULL)
        return x == NULL ? TR_ENOENT : TR_EINVAL;
    *ret_stream = x->conn->socket;
    return 0;
}
