// The library's memory, counted, with one chosen allocation failing:
//
//     size_t fail_at = 0;
//     do {
//         counted_memory_start(++fail_at);
//         ...                                         // must fail cleanly, or succeed
//         assert_int_equal(0, counted_memory_stop()); // and leak nothing
//     } while (counted_memory_failed());
#ifndef TROUPE_TESTS_COUNTED_MEMORY_H
#define TROUPE_TESTS_COUNTED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct counted_memory {
    size_t calls;      // that took memory
    size_t fail_at;    // the number of the call that gets none; 0: all get some
    bool lasting;      // nor do those behind it
    size_t live, peak; // bytes
};

extern struct counted_memory counted;

void counted_memory_start(size_t fail_at);
// The nth call from now on fails, or from that on all.
void counted_memory_fail(size_t nth, bool lasting);
size_t counted_memory_stop(void); // returns the bytes that were not given back
bool counted_memory_failed(void);

#endif
