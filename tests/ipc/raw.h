// A peer that is not troupe: it speaks the protocol, or breaks it, byte by byte on a socket, and
// reads answers with msgpack-c. Its own name for itself is actor 99.
#ifndef TROUPE_TESTS_IPC_RAW_H
#define TROUPE_TESTS_IPC_RAW_H

#include <msgpack.h>
#include <troupe.h>

enum { HELLO, MESSAGE, CREDIT, WANT, MONITOR, DEMONITOR, DOWN, STOP, BYE, REFUSE }; // envelopes
enum { CHALLENGE = 22, PROOF };

#define RAW_ACTOR  99
#define RAW_SECRET "nobody guesses this one"

#define RAW_PROOF 32 // bytes of a nonce, and of a proof

struct raw {
    int fd;
    bool tcp;
    uint8_t nonce[RAW_PROOF], theirs[RAW_PROOF]; // over TCP
    uint64_t server;                             // the other node, likewise
    uint64_t node;                               // its own id
    uint64_t actor; // whom it talks to: 1, or for a child its parent's actor
    bool met;       // their SP hello has been read
    char *frame;    // the one that is being read
    size_t size, at;
    msgpack_unpacked envelope;
    unsigned answers, answer_bytes; // not credited yet
};

// fd: -1: connect to the path, or url
void raw_open(struct raw *r, int fd, const char *path);
void raw_close(struct raw *r);

// These ignore that the other end is gone.
void raw_write(struct raw *r, const void *bytes, size_t size);
void raw_frame_head(struct raw *r, uint64_t length); // and hop count
void raw_frame(struct raw *r, const void *bytes, size_t size);
void raw_send(struct raw *r, tr_val envelope); // a frame of its own
void raw_finish(struct raw *r);

void raw_sp_hello(struct raw *r);
// Over TCP, behind the SP hello. false: theirs has not come.
bool raw_challenge(struct raw *r);
void raw_prove(struct raw *r, const char *secret);
// An HMAC by the protocol: ours (role D), or theirs (role L).
void raw_proof(const struct raw *r, const char *secret, char role, uint8_t proof[RAW_PROOF]);
// Both hellos, both ways; false: theirs has not come.
bool raw_greet(struct raw *r);

// The next envelope, a list whose first item is its kind; NULL: the end, or 10 s of silence, which
// `raw_ended` tells apart.
const msgpack_object_array *raw_next(struct raw *r);
// The next envelope of that kind, whatever comes before it.
const msgpack_object_array *raw_next_of(struct raw *r, uint64_t kind);
bool raw_ended(const struct raw *r);

// Whether the other side still answers.
bool raw_ask(struct raw *r);

#endif
