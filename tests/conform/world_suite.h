// The contract of core/world.h as tests, run for every world: the real and the simulated one.
#ifndef TROUPE_TESTS_WORLD_SUITE_H
#define TROUPE_TESTS_WORLD_SUITE_H

#include "core/world.h"

// What a kind of world brings along to be tested. Each test opens a world and closes it.
struct world_harness {
    const char *name;
    // Open a world, or fail the test.
    tr_world *(*open)(void);
    // Close it through its own close, and whatever open made around it.
    void (*close)(tr_world **world);
    // Two endpoints of this world that are connected with each other.
    void (*pair)(tr_world *world, tr_endpoint **ret_a, tr_endpoint **ret_b);
    // A program that plays a role. Valid until the next call, and so is what it points at. NULL:
    // this world cannot start any.
    //   exit:N     leaves with code N
    //   signal:N   dies by signal N
    //   echo       writes back what it reads from descriptor 3; leaves with 0 at the end of it
    //   cat        the same from 0 to 1, and first says "e" to 2
    //   last-words writes LAST_WORDS bytes of 'w' to descriptor 3 and dies by SIGKILL
    //   missing    cannot be executed: TR_ENOENT
    const tr_program *(*program)(tr_world *world, const char *role);
    // Send the world's process a signal that it hears.
    void (*signal)(tr_world *world, int signum);
    // Where nobody listens yet: a path first, then what there is of TCP, with port 0.
    const tr_site *sites;
    size_t site_count;
    // wake may be called from a thread that is not the world's own.
    bool threads;
};

#define LAST_WORDS 16384

// Returns the number of tests that failed.
int world_suite(const struct world_harness *harness);

#endif
