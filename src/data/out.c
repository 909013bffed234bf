// Doubling from a size that holds most messages whole, so that one allocation is the rule and the
// copying stays proportional to what is written.
//
// Invariant: size <= capacity; after a failure both stay as they were, and what was written before
// is still there to be freed.
#include "data/out.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

#define OUT_CAPACITY_MIN 256

uint8_t *tr__out_grow(tr__out *out, size_t size)
{
    tr_assert(out->size <= out->capacity);
    if (out->failed)
        return NULL;
    if (size > out->capacity - out->size) {
        size_t capacity = out->capacity > 0 ? out->capacity : OUT_CAPACITY_MIN;
        while (capacity - out->size < size && capacity <= SIZE_MAX / 2)
            capacity *= 2;
        uint8_t *bytes = capacity - out->size < size ? NULL : tr__resize(out->bytes, capacity);
        if (bytes == NULL) {
            out->failed = true;
            return NULL;
        }
        out->bytes = bytes;
        out->capacity = capacity;
    }
    out->size += size;
    return out->bytes + out->size - size;
}

void tr__out_put(tr__out *out, const void *bytes, size_t size)
{
    uint8_t *to = tr__out_grow(out, size);
    if (to != NULL && size > 0)
        memcpy(to, bytes, size);
}

void tr__out_clear(tr__out *out)
{
    tr__free(out->bytes);
    *out = (tr__out){0};
}
