// The rules of phases and turns (troupe/timer.h) as tests, run on every world.
#ifndef TROUPE_TESTS_PHASE_SUITE_H
#define TROUPE_TESTS_PHASE_SUITE_H

#include "core/world.h"

// What a kind of world brings along. Each test opens one or several, one after the other.
struct phase_harness {
    const char *name;
    // Open a world, or fail the test. A node closes it.
    tr_world *(*open)(void);
    // Drop what open made around a world that has been closed; may be NULL.
    void (*closed)(void);
    // Let so much time go by, from inside a turn.
    void (*pass)(tr_world *world, uint64_t ns);
    // The node may be stopped from another thread.
    bool threads;
};

// Returns the number of tests that failed.
int phase_suite(const struct phase_harness *harness);

#endif
