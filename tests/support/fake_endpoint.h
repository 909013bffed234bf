// A world of in-memory endpoints, for tests of what lies on top of endpoints. Nothing happens by
// itself: bytes move when the code under test reads and writes, upcalls come from fake_poll. Every
// split and every error can be chosen. It is strict: a caller that breaks the contract of
// core/world.h aborts.
#ifndef TROUPE_TESTS_FAKE_ENDPOINT_H
#define TROUPE_TESTS_FAKE_ENDPOINT_H

#include "core/world.h"

typedef struct fake_world fake_world;

typedef struct fake_endpoint {
    tr_endpoint base;
    struct fake_endpoint *peer;

    // To be set by the test. Sizes are SIZE_MAX at first.
    size_t capacity;            // bytes that may lie here unread before the peer finds no room
    size_t read_max, write_max; // bytes that one call moves
    int read_error;             // comes once all that has arrived is read
    int write_error;            // comes at once
    bool tcp;                   // what its site says

    // To be looked at.
    const uint8_t *bytes; // arrived and not yet read: size of them
    size_t size;
    bool ended; // the peer writes no more
    bool shut;  // this side writes no more
    bool closed;
    unsigned wanted;
    unsigned reads, writes; // calls so far
    size_t limit;           // of a message, as it was told last

    const tr_endpoint_up *up;
    void *owner;
    uint8_t *memory;
    size_t memory_size;
    bool gone; // and closed has been told
} fake_endpoint;

fake_world *fake_world_new(void);
void fake_world_free(fake_world **world); // all of its endpoints as well

// Two endpoints that are each other's peer.
void fake_pair(fake_world *world, fake_endpoint **ret_a, fake_endpoint **ret_b);

// Tell every endpoint's owner once what there is to tell. Returns whether there was anything.
bool fake_poll(fake_world *world);
// Until there is nothing to tell any more.
void fake_run(fake_world *world);

// For a test that plays the peer itself: bytes arrive at `to`, whatever its capacity; bytes that
// arrived at `from` are taken away.
void fake_put(fake_endpoint *to, const void *bytes, size_t size);
void fake_take(fake_endpoint *from, size_t size);
void fake_end(fake_endpoint *to); // the end of the stream arrives

#endif
