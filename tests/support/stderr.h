// What a piece of code writes to stderr, for tests of what people get to read.
#ifndef TROUPE_TESTS_SUPPORT_STDERR_H
#define TROUPE_TESTS_SUPPORT_STDERR_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/cmocka.h"

static int stderr_reader, stderr_real;

// From here on stderr goes to a socket that keeps each write apart.
static inline void stderr_begin(void)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    stderr_reader = ends[0];
    stderr_real = dup(STDERR_FILENO);
    assert_true(stderr_real >= 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
}

// Give stderr back, and what the first write has written, NUL-terminated and cut to size; "" when
// there was none.
static inline void stderr_end(char *text, size_t size)
{
    dup2(stderr_real, STDERR_FILENO);
    close(stderr_real);
    ssize_t got = read(stderr_reader, text, size - 1);
    close(stderr_reader);
    assert_true(got >= 0);
    text[got] = '\0';
}

#endif
