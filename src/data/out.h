// Bytes that grow at their end, for writers that do not know the size beforehand. A failure sticks:
// nothing is written after it, and the writer looks once, at the end.
#ifndef TROUPE_DATA_OUT_H
#define TROUPE_DATA_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tr__out {
    uint8_t *bytes; // NULL until something is written
    size_t size;
    size_t capacity;
    bool failed; // no memory
} tr__out;

// `size` more bytes at the end, to be filled; NULL when there is no memory.
uint8_t *tr__out_grow(tr__out *out, size_t size);
void tr__out_put(tr__out *out, const void *bytes, size_t size);
void tr__out_clear(tr__out *out);

#endif
