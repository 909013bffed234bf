// Coders: what turns the bytes of a wire into those of a user and back, as TLS and WebSocket do. A
// coder is a state machine over two pieces of memory. It knows no sockets, and waits for nothing: it
// says TR_EAGAIN, and is called again when there is more in `in` or more room in `out`.
//
//     the wire -> in -> decode -> the user
//     the wire <- out <- encode <- the user
//
// filter.c makes an endpoint of one and the endpoint that is its wire. It alone fills `in` and
// empties `out`; the coder does the reverse.
#ifndef TROUPE_FILTER_CODER_H
#define TROUPE_FILTER_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef struct tr__coder tr__coder;

#define TR__WIRE_BYTES 0x10000u

// Bytes on their way: [at, end) of them. Who takes some moves `at`, who adds some moves `end`.
typedef struct tr__wire {
    uint8_t *bytes; // TR__WIRE_BYTES of them, in each of the coder's calls
    size_t at, end;
    bool ended; // of `in`: nothing will come after these
} tr__wire;

// Every coder begins with this. All are called on the loop's thread.
typedef struct tr__coder_ops {
    const char *name; // "tls", "ws"
    bool papers;      // both sides show certificates in it

    // Shake hands: take from `in` and add to `out`, as far as that goes. Called at first with an
    // empty `in`, and until it returns something else than TR_EAGAIN.
    // returns: 0: done, and the other calls may come; TR_EAGAIN; an error, as of decode: TR_EDOWN
    //          for a wire that has ended
    int (*shake)(tr__coder *coder);

    // Take from `in` what is needed to put bytes of the user's into the room, or add to `out` what
    // has to be answered to them.
    // returns: how many, at least one; 0: the peer's end has come; TR_EAGAIN: all of `in` was taken
    //          and it was not enough, or, with something in `in` left, there is no room in `out`;
    //          an error, for good. What is in `out` then, for the peer to know why, still leaves.
    // size: at least 1
    ssize_t (*decode)(tr__coder *coder, void *room, size_t size);

    // Add bytes of the user's to `out`. What is taken is in there as a whole, or will come out of
    // later calls with no help but room.
    // returns: how many were taken, at least one; TR_EAGAIN: there is no room; an error
    ssize_t (*encode)(tr__coder *coder, const void *bytes, size_t size);

    // Add to `out` that no more will be encoded. Called until it returns something else than
    // TR_EAGAIN, and encode not any more; decode goes on.
    // returns: 0; TR_EAGAIN: there is no room yet; an error
    int (*finish)(tr__coder *coder);

    // What a message may have that it collects, in bytes, from now on. NULL: it collects none.
    void (*limit)(tr__coder *coder, size_t size);

    void (*free)(tr__coder *coder);
} tr__coder_ops;

struct tr__coder {
    const tr__coder_ops *ops;
    tr__wire in, out; // their memory is the filter's
    char why[128];    // what is wrong, for people, once one of the calls has returned an error
};

// ---- For coders: take and add return how many bytes they moved ----

static inline size_t tr__wire_used(const tr__wire *wire)
{
    return wire->end - wire->at;
}

// Behind what is there.
static inline size_t tr__wire_room(const tr__wire *wire)
{
    return TR__WIRE_BYTES - wire->end;
}

static inline size_t tr__wire_take(tr__wire *wire, void *room, size_t size)
{
    size_t used = tr__wire_used(wire), count = size < used ? size : used;
    memcpy(room, wire->bytes + wire->at, count);
    wire->at += count;
    return count;
}

static inline size_t tr__wire_add(tr__wire *wire, const void *bytes, size_t size)
{
    size_t room = tr__wire_room(wire), count = size < room ? size : room;
    memcpy(wire->bytes + wire->end, bytes, count);
    wire->end += count;
    return count;
}

#endif
