// What a peer can do wrong. Each is done after the socket is there and nothing has been said.
#ifndef TROUPE_TESTS_IPC_ATTACKS_H
#define TROUPE_TESTS_IPC_ATTACKS_H

#include "ipc/raw.h"

struct attack {
    const char *name;
    void (*make)(struct raw *r);
    enum { CLOSES, REFUSES, GOES_ON } then; // what the node does
    int error;                              // REFUSES: what it says
};

#define ATTACKS_MAX 32
extern const struct attack attacks[];
extern const size_t attack_count;

// Read on, and say whether the node has done what it should.
bool attack_answered(const struct attack *attack, struct raw *r);

#endif
