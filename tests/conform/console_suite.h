// The promises of troupe/console.h as tests, run on every world.
#ifndef TROUPE_TESTS_CONSOLE_SUITE_H
#define TROUPE_TESTS_CONSOLE_SUITE_H

#include "core/world.h"

typedef enum console_kind {
    CONSOLE_PIPE,
    CONSOLE_SOCKET,
    CONSOLE_FILE, // has the text that it is given with, or takes what is written
    CONSOLE_TERMINAL,
    CONSOLE_KINDS,                // those above can be read and written
    CONSOLE_NONE = CONSOLE_KINDS, // was never open
    CONSOLE_FULL,                 // a file without room
    CONSOLE_DIRECTORY,
    CONSOLE_SAME, // of output: the input's socket
} console_kind;

#define CONSOLE_COLUMNS 132
#define CONSOLE_ROWS    43

typedef struct console_given {
    console_kind kind;
    const char *text; // of a file
} console_given;

// What a kind of world brings along. Each test opens one and closes it.
struct console_harness {
    const char *name;
    // Open a world, or fail the test, in a process that has these as standard input and output.
    tr_world *(*open)(const console_given given[2]);
    void (*closed)(void);                  // drop what there was around it
    void (*lose)(tr_world *world, int fd); // it is closed under the program
    // The other ends, which never wait.
    ssize_t (*feed)(const char *bytes, size_t size);
    ssize_t (*collect)(char *bytes, size_t size); // 0: the end; TR_EAGAIN
    void (*leave)(int fd);                        // close it
    bool (*is_raw)(void);                         // input, which is a terminal
};

// Returns the number of tests that failed.
int console_suite(const struct console_harness *harness);

#endif
