// Talks with an HTTP server over simulated sockets, in virtual time: what clients send, byte for
// byte, and all that comes back.
//
//     struct talk talk = {.handler = on_request};
//     talk_with(&talk, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//     assert_string_equal(talk.heard, ...);
#ifndef TROUPE_TESTS_SUPPORT_HTTP_TALK_H
#define TROUPE_TESTS_SUPPORT_HTTP_TALK_H

#include <troupe.h>

struct talk {
    tr_http_handler handler; // arg is the talk. NULL: answers with method and target as text
    tr_http_opts opts;
    const char *says; // bytes that the client sends
    size_t size;
    size_t piece;         // so many at a time, each when the one before has come; 0: all at once
    bool keeps;           // the client does not end its side behind them
    bool deaf;            // it does not read
    uint64_t hangs_up_ns; // when it leaves, without a word; 0: never
    bool waits;           // to speak, for talk_speak
    void (*begun)(tr_actor *self, struct talk *talk); // the client is about to speak

    // What has come of it.
    tr_http_server server;
    tr_stream client;
    char heard[65536]; // with a NUL behind it
    size_t heard_bytes;
    unsigned calls;   // of the handler
    int status;       // that the client's socket was closed with
    uint64_t took_ns; // until then
    int rc;           // of the node
};

void talk_run(struct talk *talk);                    // with says and size
void talk_with(struct talk *talk, const char *says); // which is text

void talk_speak(tr_actor *self);

// As the responses are without Date and what is said of the connection each time.
const char *talk_brief(struct talk *talk);

#endif
