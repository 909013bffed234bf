// A 4-ary min-heap of intrusive nodes, ordered by (key, order): ties go to the one added first.
// The keys stand in the array beside the pointers, so that sifting does not touch the nodes.
#ifndef TROUPE_BASE_HEAP_H
#define TROUPE_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include <troupe/error.h>

typedef struct tr__heap_node {
    size_t index; // place in the heap + 1; 0: not in it
} tr__heap_node;

typedef struct tr__heap_entry {
    uint64_t key;
    uint64_t order;
    tr__heap_node *node;
} tr__heap_entry;

typedef struct tr__heap {
    tr__heap_entry *entries;
    size_t count, capacity;
    uint64_t order; // of the next one added
} tr__heap;

void tr__heap_clear(tr__heap *heap);
int tr__heap_add(tr__heap *heap, uint64_t key, tr__heap_node *node); // errors: TR_ENOMEM
void tr__heap_remove(tr__heap *heap, tr__heap_node *node);           // not in it: no-op

// Move a node that is in the heap to a key with an order that it was given before. Cannot fail.
void tr__heap_move_to(tr__heap *heap, uint64_t key, uint64_t order, tr__heap_node *node);

// Move a node that is in the heap to a new key, behind all that have it already. Cannot fail.
void tr__heap_move(tr__heap *heap, uint64_t key, tr__heap_node *node);

static inline const tr__heap_entry *tr__heap_first(const tr__heap *heap)
{
    return heap->count == 0 ? NULL : heap->entries;
}

#endif
