// What the HTTP server and client know of a parser: who it is built on shows in http_parse.c alone.
#ifndef TROUPE_ACTORS_HTTP_PARSE_H
#define TROUPE_ACTORS_HTTP_PARSE_H

#include <troupe.h>

#define TR__HTTP_PARSER_BYTES 128

typedef struct tr__http_parser tr__http_parser;

// What it calls while it parses. Each returns 0, or, to stop, the negative status that the request
// is answered with; head may return 1, for the parser to stop behind it.
typedef struct tr__http_parse_ops {
    int (*head)(tr__http_parser *p); // the head is all there; tr__http_parser_... tell of it
    int (*body)(tr__http_parser *p, const char *at, size_t size);
} tr__http_parse_ops;

struct tr__http_parser {
    _Alignas(max_align_t) unsigned char room[TR__HTTP_PARSER_BYTES];
    const tr__http_parse_ops *ops;
    size_t target_max, extra_max; // bytes: of the target; of extensions and trailers
    size_t target, extra;         // so far
    int verdict;                  // what has stopped it
    bool has_head, waits;
};

typedef struct tr__http_framing {
    bool keep_alive, upgrade, chunked, coded; // coded: it has a Transfer-Encoding
    uint64_t length;
    int status; // of a response
} tr__http_framing;

// It wants more; a head has ended, and ops->head had it wait; a message has ended
enum { TR__HTTP_MORE, TR__HTTP_HEAD, TR__HTTP_DONE };

void tr__http_parser_init(tr__http_parser *p, bool response, const tr__http_parse_ops *ops);

// Take bytes, up to the end of the message. *ret_used is not set when it fails.
// returns: TR__HTTP_MORE: all of them; TR__HTTP_HEAD, TR__HTTP_DONE: up to there; or a negative
//          status: then it takes no more
int tr__http_parse(tr__http_parser *p, const char *bytes, size_t size, size_t *ret_used);

// There are no more bytes. returns: TR__HTTP_DONE: that was the end of the message; or -400
int tr__http_parse_end(tr__http_parser *p);

// For head: how the body is framed.
tr__http_framing tr__http_parser_framing(const tr__http_parser *p);
// For head: there is no body, whatever the head says. And: go on with HTTP, whatever it says.
void tr__http_parser_skip_body(tr__http_parser *p);
void tr__http_parser_no_upgrade(tr__http_parser *p);

// ---- Bytes that come one after the other (http_head.c) ----

// Append to a buffer, of which so many bytes are used; it grows by doubling.
// *buf: NULL: there is none yet, and it begins with room for `first`. errors: TR_ENOMEM
int tr__http_append(tr_buf **buf, size_t *used, const char *at, size_t size, size_t first);

// ---- Heads (http_head.c) ----

typedef struct tr__http_head {
    size_t bytes;    // with the empty line
    tr_str words[3]; // of its first line: method, target, version; or version, status, reason
    tr_str headers;  // all lines
    uint32_t lines;  // of headers
    uint32_t hosts;  // so many Host
    bool expects;    // it has an Expect
    bool traced;     // it has a traceparent
} tr__http_head;

// Look at a head that the parser has found good, with what comes behind it, for what that lets
// pass. returns: whether it is good: every line ends with CR LF, none is folded, and each header
// has a name
bool tr__http_head_scan(const char *bytes, size_t size, tr__http_head *ret_head);

bool tr__http_name_is(tr_str name, const char *lower); // in whatever case
bool tr__http_name_is_good(tr_str name);               // a token
bool tr__http_value_is_good(tr_str value);             // no control characters
bool tr__http_traceparent_is_good(tr_str value);

// Whether a list, as of Connection, has this word.
bool tr__http_list_has(tr_str list, const char *lower);

// ---- Dates (http_date.c) ----

#define TR__HTTP_DATE_BYTES 29 // Sun, 06 Nov 1994 08:49:37 GMT

void tr__http_date_print(int64_t seconds, char text[TR__HTTP_DATE_BYTES]);
bool tr__http_date_parse(tr_str text, int64_t *ret_seconds); // only this form

// ---- Words (http_status.c) ----

const char *tr__http_reason(int status);

#endif
