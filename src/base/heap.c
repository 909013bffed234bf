#include "base/heap.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/memory.h"

static bool entry_before(const tr__heap_entry *a, const tr__heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void heap_set(tr__heap *heap, size_t i, tr__heap_entry entry)
{
    heap->entries[i] = entry;
    entry.node->index = i + 1;
}

static void heap_up(tr__heap *heap, size_t i, tr__heap_entry entry)
{
    while (i > 0 && entry_before(&entry, &heap->entries[(i - 1) / 4])) {
        heap_set(heap, i, heap->entries[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    heap_set(heap, i, entry);
}

static size_t heap_least_child(const tr__heap *heap, size_t i)
{
    size_t first = 4 * i + 1, least = first;
    for (size_t c = first + 1; c < first + 4 && c < heap->count; c++) {
        if (entry_before(&heap->entries[c], &heap->entries[least]))
            least = c;
    }
    return least;
}

// Put the entry at i or below: i is a gap.
static void heap_down(tr__heap *heap, size_t i, tr__heap_entry entry)
{
    while (4 * i + 1 < heap->count) {
        size_t child = heap_least_child(heap, i);
        if (!entry_before(&heap->entries[child], &entry))
            break;
        heap_set(heap, i, heap->entries[child]);
        i = child;
    }
    heap_set(heap, i, entry);
}

// Put the entry into the gap at i, wherever it belongs from there.
static void heap_settle(tr__heap *heap, size_t i, tr__heap_entry entry)
{
    if (i > 0 && entry_before(&entry, &heap->entries[(i - 1) / 4]))
        heap_up(heap, i, entry);
    else
        heap_down(heap, i, entry);
}

void tr__heap_clear(tr__heap *heap)
{
    tr__free(heap->entries);
    *heap = (tr__heap){0};
}

int tr__heap_add(tr__heap *heap, uint64_t key, tr__heap_node *node)
{
    tr_assert(node->index == 0);
    if (heap->count == heap->capacity) {
        size_t capacity = heap->capacity == 0 ? 16 : heap->capacity * 2;
        tr__heap_entry *entries = tr__resize(heap->entries, capacity * sizeof *entries);
        if (entries == NULL)
            return TR_ENOMEM;
        heap->entries = entries;
        heap->capacity = capacity;
    }
    heap_up(heap, heap->count++, (tr__heap_entry){key, heap->order++, node});
    return 0;
}

void tr__heap_remove(tr__heap *heap, tr__heap_node *node)
{
    if (node->index == 0)
        return;
    size_t i = node->index - 1;
    tr_assert(i < heap->count && heap->entries[i].node == node);
    tr__heap_entry last = heap->entries[--heap->count];
    node->index = 0;
    if (last.node != node)
        heap_settle(heap, i, last);
}

void tr__heap_move_to(tr__heap *heap, uint64_t key, uint64_t order, tr__heap_node *node)
{
    tr_assert(node->index != 0 && order < heap->order);
    heap_settle(heap, node->index - 1, (tr__heap_entry){key, order, node});
}

void tr__heap_move(tr__heap *heap, uint64_t key, tr__heap_node *node)
{
    tr__heap_move_to(heap, key, heap->order++, node);
}
