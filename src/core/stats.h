// What a loop counts of itself, for whoever asks (stats.c).
#ifndef TROUPE_CORE_STATS_H
#define TROUPE_CORE_STATS_H

#include <troupe/stats.h>

#include "base/counter.h"
#include "base/lock.h"

typedef struct tr__stats {
    tr_phase phase; // that runs
    tr_phase since; // that ran at the last look: the time from there on is its own
    tr__counter iterations;
    tr__counter ns[TR_PHASES], turns[TR_PHASES];
    tr__lock lock; // of the rest, which only its own loop writes
    uint64_t longest_ns, longest_actor;
    char longest_behavior[32], longest_message[33];
} tr__stats;

typedef struct tr_loop tr_loop;

// At a look: so many turns were in this time.
void tr__stats_add(tr_loop *loop, uint64_t ns, uint32_t turns);

#endif
