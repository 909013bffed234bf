// For tests with real processes: what a process holds, a directory of the test's own, a deadline.
//
// A test that is listed as IPC_TEST(name) has a minute or several, then the whole program is
// aborted with a message; it has an empty directory, which goes when it ends; and it fails when
// this process holds more descriptors, threads or children after it than before.
#ifndef TROUPE_TESTS_IPC_H
#define TROUPE_TESTS_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <troupe.h>

#include "support/cmocka.h"

#define IPC_TEST(f) cmocka_unit_test_setup_teardown(f, ipc_begin, ipc_end)

int ipc_begin(void **state);
int ipc_end(void **state);

// Run a node around one actor, to its end. Returns what tr_node_run does.
int ipc_run(const tr_app *app, const tr_behavior *first, tr_val args);

// A path in the test's directory; good until the test's end or 8 calls later.
const char *ipc_path(const char *name);
// How many files are in it.
size_t ipc_files(void);
// Write or read a number as a file there: for processes that have no other way.
void ipc_note(const char *path, uint64_t number);
uint64_t ipc_noted(const char *path); // UINT64_MAX: there is none

// The path of a program that was built beside this one; good until the next call.
const char *ipc_program(const char *name);

// Sanitizers are slow and take memory of their own: there, or when TROUPE_TEST_SCALE is set to a
// divisor, do less.
bool ipc_sanitized(void);
uint64_t ipc_scaled(uint64_t count);

uint64_t ipc_now(void); // monotonic nanoseconds

// Of any process, by its id. 0 when it is gone.
size_t ipc_descriptors(pid_t pid);
size_t ipc_threads(pid_t pid);
size_t ipc_rss(pid_t pid);   // bytes resident
uint64_t ipc_cpu(pid_t pid); // nanoseconds that it has run, to 10 ms

// Of this process. Returns how many there are; writes at most max.
size_t ipc_children(pid_t *ret_pids, size_t max);

// Whether the process behind the pidfd has ended before so many milliseconds have passed.
bool ipc_ended(int pidfd, int timeout_ms);

#endif
