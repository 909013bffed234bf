// Heads are parsed by llhttp, as everywhere, and looked at where they lie. Of the headers only those
// of the handshake count, each of which may be there once, but for the lists.
#include "filter/ws_hands.h"

#include <llhttp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <troupe/error.h>

#include "base/assert.h"
#include "data/base64.h"

#define PROTOCOL "pair1.sp.nanomsg.org" // as nng's own sockets have it
#define KEY_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum { KEY_CHARS = 24 };

// ---- Keys ----

void tr__ws_key(const uint8_t random[TR__WS_KEY_BYTES], char ret_key[TR__WS_TOKEN_MAX])
{
    tr_bytes bytes = {random, TR__WS_KEY_BYTES};
    tr__base64_print(bytes, ret_key);
    ret_key[tr__base64_size(bytes)] = '\0';
}

int tr__ws_accept(tr_str key, char ret_accept[TR__WS_TOKEN_MAX])
{
    char text[KEY_CHARS + sizeof KEY_GUID];
    uint8_t digest[SHA_DIGEST_LENGTH];
    tr_assert(key.len == KEY_CHARS);
    memcpy(text, key.ptr, key.len);
    memcpy(text + key.len, KEY_GUID, sizeof KEY_GUID);
    if (EVP_Digest(text, sizeof text - 1, digest, NULL, EVP_sha1(), NULL) != 1)
        return TR_ENOMEM;
    tr_bytes bytes = {digest, sizeof digest};
    tr__base64_print(bytes, ret_accept);
    ret_accept[tr__base64_size(bytes)] = '\0';
    return 0;
}

// ---- Heads ----

struct head {
    tr_str target, name;
    tr_str host, version, key, accept;          // NULL: it is not there
    bool websocket, upgrade, protocol, extends; // in its lists
    bool whole;
};

static tr_str str_trim(tr_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s.ptr++, s.len--;
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static bool str_is(tr_str s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static bool str_is_token(tr_str s, const char *token)
{
    return s.len == strlen(token) && strncasecmp(s.ptr, token, s.len) == 0;
}

static bool list_has(tr_str list, const char *token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t size = comma == NULL ? list.len : (size_t)(comma - list.ptr);
        if (str_is_token(str_trim((tr_str){list.ptr, size}), token))
            return true;
        size += comma != NULL;
        list = (tr_str){list.ptr + size, list.len - size};
    }
    return false;
}

static int on_target(llhttp_t *l, const char *at, size_t size)
{
    ((struct head *)l->data)->target = (tr_str){at, size};
    return 0;
}

static int on_name(llhttp_t *l, const char *at, size_t size)
{
    ((struct head *)l->data)->name = (tr_str){at, size};
    return 0;
}

static int set_once(tr_str *field, tr_str value)
{
    bool twice = field->ptr != NULL;
    *field = value;
    return twice ? HPE_USER : 0;
}

// A value without a name in front of it goes on from the line before, which nobody needs.
static int on_value(llhttp_t *l, const char *at, size_t size)
{
    struct head *h = l->data;
    tr_str name = h->name, value = str_trim((tr_str){at, size});
    h->name.len = 0;
    if (name.len == 0)
        return HPE_USER;
    h->websocket |= str_is_token(name, "upgrade") && list_has(value, "websocket");
    h->upgrade |= str_is_token(name, "connection") && list_has(value, "upgrade");
    h->protocol |= str_is_token(name, "sec-websocket-protocol") && list_has(value, PROTOCOL);
    h->extends |= str_is_token(name, "sec-websocket-extensions");
    if (str_is_token(name, "host"))
        return set_once(&h->host, value);
    if (str_is_token(name, "sec-websocket-version"))
        return set_once(&h->version, value);
    if (str_is_token(name, "sec-websocket-key"))
        return set_once(&h->key, value);
    return str_is_token(name, "sec-websocket-accept") ? set_once(&h->accept, value) : 0;
}

static int on_whole(llhttp_t *l)
{
    ((struct head *)l->data)->whole = true;
    return HPE_PAUSED;
}

// Whether it is a head of HTTP/1.1.
static bool head_parse(struct head *h, llhttp_t *l, llhttp_type_t type, tr_str text)
{
    static const llhttp_settings_t settings = {
        .on_url = on_target,
        .on_header_field = on_name,
        .on_header_value = on_value,
        .on_headers_complete = on_whole,
    };
    *h = (struct head){0};
    llhttp_init(l, type, &settings);
    l->data = h;
    llhttp_errno_t rc = llhttp_execute(l, text.ptr, text.len);
    return rc == HPE_PAUSED && h->whole && l->http_major == 1 && l->http_minor >= 1;
}

// ---- Who dials ----

size_t tr__ws_ask_print(const tr__ws_ask *ask, char text[TR__WS_ASK_MAX])
{
    int n = snprintf(text, TR__WS_ASK_MAX,
                     "GET %s HTTP/1.1\r\n"
                     "Host: %s\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Key: %s\r\n"
                     "Sec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Protocol: " PROTOCOL "\r\n"
                     "\r\n",
                     ask->path, ask->host, ask->key);
    tr_assert(n > 0 && n < TR__WS_ASK_MAX);
    return (size_t)n;
}

static int answered_badly(int error, const char *why, const char **ret_why)
{
    *ret_why = why;
    return error;
}

int tr__ws_answered(const tr__ws_ask *ask, tr_str text, const char **ret_why)
{
    llhttp_t l;
    struct head h;
    char accept[TR__WS_TOKEN_MAX];
    if (!head_parse(&h, &l, HTTP_RESPONSE, text))
        return answered_badly(TR_EFRAME, "what answered is no server of WebSocket", ret_why);
    if (l.status_code != 101)
        return answered_badly(TR_EREFUSED, "the server of HTTP does not upgrade", ret_why);
    int rc = tr__ws_accept((tr_str){ask->key, KEY_CHARS}, accept);
    if (rc < 0)
        return answered_badly(rc, "the key cannot be checked", ret_why);
    if (!h.websocket || !h.upgrade || h.extends || !str_is(h.accept, accept))
        return answered_badly(TR_EFRAME, "the server has answered something else", ret_why);
    if (!h.protocol)
        return answered_badly(TR_EVERSION, "the server speaks another subprotocol", ret_why);
    return 0;
}

// ---- Who listens ----

struct refusal {
    int error;
    const char *why, *status, *headers;
};

static const struct refusal large = {TR_ETOOBIG, "the head of the request is too large",
                                     "431 Request Header Fields Too Large", ""};
static const struct refusal bad = {TR_EFRAME, "what came is no request of WebSocket",
                                   "400 Bad Request", ""};
static const struct refusal elsewhere = {TR_ENOENT, "the request is for another path",
                                         "404 Not Found", ""};
static const struct refusal plain = {TR_EFRAME, "the request is of HTTP, but not of WebSocket",
                                     "426 Upgrade Required", "Upgrade: websocket\r\n"};
static const struct refusal version = {
    TR_EVERSION, "the request is of another version of WebSocket", "426 Upgrade Required",
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"};
static const struct refusal protocol = {TR_EVERSION, "the request is for another subprotocol",
                                        "400 Bad Request", ""};

// 16 bytes as base64. In a head something else follows.
static bool is_key(tr_str key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return key.len == KEY_CHARS && strspn(key.ptr, digits) == KEY_CHARS - 2 &&
           memcmp(key.ptr + KEY_CHARS - 2, "==", 2) == 0;
}

// NULL: it is good.
static const struct refusal *request_check(const char *path, tr_str text, tr_str *ret_key)
{
    llhttp_t l;
    struct head h;
    if (text.ptr == NULL)
        return &large;
    if (!head_parse(&h, &l, HTTP_REQUEST, text) || l.method != HTTP_GET || h.host.ptr == NULL)
        return &bad;
    if (!str_is(h.target, path))
        return &elsewhere;
    if (!h.websocket || !h.upgrade)
        return &plain;
    if (!str_is(h.version, "13"))
        return &version;
    if (!is_key(h.key))
        return &bad;
    if (!h.protocol)
        return &protocol;
    *ret_key = h.key;
    return NULL;
}

static int refuse(const struct refusal *why, char ret_answer[TR__WS_ANSWER_MAX],
                  const char **ret_why)
{
    int n = snprintf(ret_answer, TR__WS_ANSWER_MAX,
                     "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n", why->status,
                     why->headers);
    tr_assert(n > 0 && n < TR__WS_ANSWER_MAX);
    *ret_why = why->why;
    return why->error;
}

int tr__ws_answer(const char *path, tr_str head, char ret_answer[TR__WS_ANSWER_MAX],
                  const char **ret_why)
{
    tr_str key;
    char accept[TR__WS_TOKEN_MAX];
    const struct refusal *refusal = request_check(path, head, &key);
    if (refusal != NULL)
        return refuse(refusal, ret_answer, ret_why);
    int rc = tr__ws_accept(key, accept);
    ret_answer[0] = '\0';
    if (rc < 0)
        return answered_badly(rc, "the key cannot be answered", ret_why);
    int n = snprintf(ret_answer, TR__WS_ANSWER_MAX,
                     "HTTP/1.1 101 Switching Protocols\r\n"
                     "Upgrade: websocket\r\n"
                     "Connection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n"
                     "Sec-WebSocket-Protocol: " PROTOCOL "\r\n"
                     "\r\n",
                     accept);
    tr_assert(n > 0 && n < TR__WS_ANSWER_MAX);
    return 0;
}
