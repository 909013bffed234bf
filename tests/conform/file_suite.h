// The promises of troupe/file.h as tests, run on every world.
#ifndef TROUPE_TESTS_FILE_SUITE_H
#define TROUPE_TESTS_FILE_SUITE_H

#include "core/world.h"

// What a kind of world brings along. Each test opens one and closes it.
struct file_harness {
    const char *name;
    // Open a world, or fail the test. A node closes it.
    tr_world *(*open)(void);
    // Drop what open made around a world that has been closed.
    void (*closed)(void);
    // A directory that may be written to, before it is open, and how many descriptors are open.
    const char *directory;
    unsigned (*descriptors)(void);
    // Have the nth call about files from now on fail; whether it has. NULL: cannot.
    void (*fail_nth)(int error, unsigned nth);
    bool (*has_failed)(void);
};

// Returns the number of tests that failed.
int file_suite(const struct file_harness *harness);

#endif
