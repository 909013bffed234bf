// For tests with real processes, beside what troupe/test.h has for users: files as a way to speak,
// what a process uses, and how much to do.
#ifndef TROUPE_TESTS_IPC_H
#define TROUPE_TESTS_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"

// How many files are in the test's directory.
size_t ipc_files(void);
// Write or read a number as a file: for processes that have no other way.
void ipc_note(const char *path, uint64_t number);
uint64_t ipc_noted(const char *path); // UINT64_MAX: there is none

// The path of a program that was built beside this one; good until the next call.
const char *ipc_program(const char *name);

// count, or less of it under a sanitizer, or when TROUPE_TEST_SCALE is set to a divisor.
uint64_t ipc_scaled(uint64_t count);

uint64_t ipc_now(void); // monotonic nanoseconds

// Of any process, by its id. 0 when it is gone.
size_t ipc_rss(pid_t pid);   // bytes resident
uint64_t ipc_cpu(pid_t pid); // nanoseconds that it has run, to 10 ms

// Whether the process behind the pidfd has ended before so many milliseconds have passed.
bool ipc_ended(int pidfd, int timeout_ms);

#endif
