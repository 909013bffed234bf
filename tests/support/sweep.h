// One scenario many times, each time with another allocation failing: alone, and later once more
// with all behind it.
//
//     struct sweep sweep = {0};
//     while (sweep_next(&sweep)) {
//         ...                  // what the scenario needs, whatever happens
//         sweep_begin(&sweep); // from here on memory may fail
//         ...
//         sweep_end(&sweep);   // none may be left
//     }
//
// The first run is undisturbed and counts the allocations. Of a scenario with many of them a test
// run tries a part, with steps between, and the next one others; TROUPE_TEST_SCALE=1 has all tried,
// as has {.whole = true}.
// The scenario is to be the same each time, up to the failure.
#ifndef TROUPE_TESTS_SUPPORT_SWEEP_H
#define TROUPE_TESTS_SUPPORT_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

struct sweep {
    size_t nth;   // the allocation that fails; 0: none does
    bool lasting; // and all behind it
    size_t count; // of all that may
    size_t step;  // from one try to the next
    bool whole;   // the caller's: no step is larger than one
    bool begun;
};

bool sweep_next(struct sweep *sweep);
void sweep_begin(const struct sweep *sweep);
void sweep_end(struct sweep *sweep);

#endif
