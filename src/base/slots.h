// A table of pointers with handles that go stale: a handle is an index and a generation, and the
// generation of an index changes when what it held is removed. A stale handle misses; it never
// finds the next tenant. An index whose generations are used up is retired.
#ifndef TROUPE_BASE_SLOTS_H
#define TROUPE_BASE_SLOTS_H

#include <stddef.h>
#include <stdint.h>
#include <troupe/error.h>

#define TR__SLOT_GENERATION_MAX 0xfffffffu // 28 bits
#define TR__SLOT_INDEX_MAX      0x7fffffu  // 23 bits
#define TR__SLOT_CHUNK          1024u      // slots are taken from the system so many at a time

typedef struct tr__slot {
    void *item;          // NULL: free
    uint32_t generation; // of the item; of the next one when free
    uint32_t next_free;  // index + 1
} tr__slot;

typedef struct tr__slots {
    tr__slot **chunks;
    uint32_t chunk_count;
    uint32_t used;       // indices ever handed out
    uint32_t first_free; // index + 1
} tr__slots;

void tr__slots_clear(tr__slots *slots);

// handle: index in the bits from 28 up, generation (never 0) in the 28 below. Never 0.
// errors: TR_ENOMEM (also when all indices are in use)
int tr__slots_add(tr__slots *slots, void *item, uint64_t *ret_handle);
void tr__slots_remove(tr__slots *slots, uint64_t handle); // must be there

// For a table whose handles somebody else gives out: add never, and no index in use twice.
int tr__slots_put(tr__slots *slots, uint64_t handle, void *item); // errors: TR_ENOMEM
void tr__slots_drop(tr__slots *slots, uint64_t handle);           // must be there

static inline void *tr__slots_find(const tr__slots *slots, uint64_t handle)
{
    uint64_t index = handle >> 28;
    if (index >= slots->used)
        return NULL;
    const tr__slot *slot = &slots->chunks[index / TR__SLOT_CHUNK][index % TR__SLOT_CHUNK];
    return slot->generation == (handle & TR__SLOT_GENERATION_MAX) ? slot->item : NULL;
}

#endif
