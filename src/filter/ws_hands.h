// The handshake of WebSocket (RFC 6455, 4): an upgrade of HTTP/1.1, as heads that have come whole or
// are made whole. What carries them is ws.c's business.
#ifndef TROUPE_FILTER_WS_HANDS_H
#define TROUPE_FILTER_WS_HANDS_H

#include <stdbool.h>
#include <troupe/bytes.h>

#define TR__WS_HEAD_MAX   8192 // that is taken
#define TR__WS_ASK_MAX    1024 // that is made
#define TR__WS_ANSWER_MAX 256
#define TR__WS_KEY_BYTES  16
#define TR__WS_TOKEN_MAX  32 // a key, and what answers it, as text

// What the request of who dials says; the texts are borrowed.
typedef struct tr__ws_ask {
    const char *host;           // with a port, perhaps
    const char *path;           // from "/" on
    char key[TR__WS_TOKEN_MAX]; // drawn for this one
} tr__ws_ask;

void tr__ws_key(const uint8_t random[TR__WS_KEY_BYTES], char ret_key[TR__WS_TOKEN_MAX]);

// What the other side answers to a key. errors: TR_ENOMEM
int tr__ws_accept(tr_str key, char ret_accept[TR__WS_TOKEN_MAX]);

// returns: its size
size_t tr__ws_ask_print(const tr__ws_ask *ask, char text[TR__WS_ASK_MAX]);

// Answer a request, which is to be for this path.
// errors:  TR_EFRAME (it is none for WebSocket), TR_ENOENT (another path), TR_EVERSION (another
//          version, or subprotocol), TR_ETOOBIG (head.ptr is NULL: it was), TR_ENOMEM; the answer
//          tells the peer, and ret_why people
// returns: 0 also sets ret_answer
int tr__ws_answer(const char *path, tr_str head, char ret_answer[TR__WS_ANSWER_MAX],
                  const char **ret_why);

// Whether that answers what was asked.
// errors: TR_EFRAME (it is no answer of WebSocket), TR_EREFUSED, TR_EVERSION, TR_ENOMEM
int tr__ws_answered(const tr__ws_ask *ask, tr_str head, const char **ret_why);

#endif
