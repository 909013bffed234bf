// The end of a process whose invariants do not hold.
//
// The line goes out by one write, not through stdio: the heap or stdio's lock may be what is
// broken, and lines of several processes on one terminal stay whole. abort leaves a core, and the
// parent reads the signal from the reaped process.
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

noreturn void tr__assert_failed(const char *what, const char *file, int line)
{
    char text[512];
    int size =
        snprintf(text, sizeof text, "troupe: assertion failed: %s, %s:%d\n", what, file, line);
    if (size >= (int)sizeof text)
        size = (int)sizeof text - 1;
    if (size > 0 && write(STDERR_FILENO, text, (size_t)size) < 0)
        abort(); // nobody can be told; the core can
    abort();
}
