// Slots live in chunks that never move, so that growing costs no copying, and the freed ones are
// reused last in, first out, while they are still in the cache.
#include "base/slots.h"

#include "base/assert.h"
#include "base/memory.h"

static tr__slot *slots_at(const tr__slots *slots, uint32_t index)
{
    return &slots->chunks[index / TR__SLOT_CHUNK][index % TR__SLOT_CHUNK];
}

void tr__slots_clear(tr__slots *slots)
{
    for (uint32_t i = 0; i < slots->chunk_count; i++)
        tr__free(slots->chunks[i]);
    tr__free(slots->chunks);
    *slots = (tr__slots){0};
}

static int slots_grow(tr__slots *slots)
{
    size_t bytes = (slots->chunk_count + 1) * sizeof *slots->chunks;
    tr__slot **chunks = tr__resize(slots->chunks, bytes);
    if (chunks == NULL)
        return TR_ENOMEM;
    slots->chunks = chunks;
    chunks[slots->chunk_count] = tr__zalloc(TR__SLOT_CHUNK * sizeof(tr__slot));
    if (chunks[slots->chunk_count] == NULL)
        return TR_ENOMEM;
    slots->chunk_count++;
    return 0;
}

static int slots_take(tr__slots *slots, uint32_t *ret_index)
{
    if (slots->first_free != 0) {
        *ret_index = slots->first_free - 1;
        slots->first_free = slots_at(slots, *ret_index)->next_free;
        return 0;
    }
    if (slots->used > TR__SLOT_INDEX_MAX)
        return TR_ENOMEM;
    if (slots->used == slots->chunk_count * TR__SLOT_CHUNK) {
        int rc = slots_grow(slots);
        if (rc < 0)
            return rc;
    }
    *ret_index = slots->used++;
    slots_at(slots, *ret_index)->generation = 1;
    return 0;
}

int tr__slots_add(tr__slots *slots, void *item, uint64_t *ret_handle)
{
    tr_assert(item != NULL);
    uint32_t index;
    int rc = slots_take(slots, &index);
    if (rc < 0)
        return rc;
    tr__slot *slot = slots_at(slots, index);
    tr_assert(slot->item == NULL);
    slot->item = item;
    *ret_handle = (uint64_t)index << 28 | slot->generation;
    return 0;
}

int tr__slots_put(tr__slots *slots, uint64_t handle, void *item)
{
    tr_assert(item != NULL && handle >> 28 <= TR__SLOT_INDEX_MAX);
    uint32_t index = (uint32_t)(handle >> 28);
    while (index >= slots->chunk_count * TR__SLOT_CHUNK) {
        int rc = slots_grow(slots);
        if (rc < 0)
            return rc;
    }
    if (slots->used <= index)
        slots->used = index + 1;
    tr__slot *slot = slots_at(slots, index);
    tr_assert(slot->item == NULL);
    slot->item = item;
    slot->generation = handle & TR__SLOT_GENERATION_MAX;
    return 0;
}

void tr__slots_drop(tr__slots *slots, uint64_t handle)
{
    tr_assert(tr__slots_find(slots, handle) != NULL);
    slots_at(slots, (uint32_t)(handle >> 28))->item = NULL;
}

void tr__slots_remove(tr__slots *slots, uint64_t handle)
{
    tr_assert(tr__slots_find(slots, handle) != NULL);
    uint32_t index = (uint32_t)(handle >> 28);
    tr__slot *slot = slots_at(slots, index);
    slot->item = NULL;
    if (slot->generation == TR__SLOT_GENERATION_MAX)
        return; // retired
    slot->generation++;
    slot->next_free = slots->first_free;
    slots->first_free = index + 1;
}
