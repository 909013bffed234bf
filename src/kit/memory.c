// All of the library's memory while a kit is open, in one list: what is left at its end has leaked.
//
// The list is also what makes it sound that an assertion jumps out of a handler: a node of the kit
// owns nothing but memory, so instead of being closed it can be forgotten, and its memory freed
// block by block, whatever state its structures are in.
#include <stdlib.h>
#include <troupe/memory.h>

#include "base/list.h"
#include "kit/kit.h"

typedef struct kit_block {
    tr__list link;
    size_t size;
    _Alignas(max_align_t) unsigned char memory[];
} kit_block;

static tr__list blocks;
static size_t live;

static kit_block *block_of(void *memory)
{
    return tr__container(memory, kit_block, memory);
}

static void block_free(kit_block *block)
{
    tr__list_remove(&block->link);
    live -= block->size;
    free(block);
}

static void *kit_resize(void *memory, size_t size, void *arg)
{
    (void)arg;
    kit_block *old = memory == NULL ? NULL : block_of(memory);
    if (old != NULL) {
        tr__list_remove(&old->link);
        live -= old->size;
    }
    kit_block *block = realloc(old, sizeof *block + size);
    kit_block *kept = block != NULL ? block : old;
    if (kept == NULL)
        return NULL;
    if (block != NULL)
        block->size = size;
    tr__list_append(&blocks, &kept->link);
    live += kept->size;
    return block == NULL ? NULL : block->memory;
}

static void *kit_alloc(size_t size, void *arg)
{
    return kit_resize(NULL, size, arg);
}

static void kit_release(void *memory, void *arg)
{
    (void)arg;
    if (memory != NULL)
        block_free(block_of(memory));
}

void tr__kit_memory_open(void)
{
    static const tr_allocator allocator = {
        .alloc = kit_alloc, .resize = kit_resize, .release = kit_release};
    tr__list_init(&blocks);
    live = 0;
    tr_memory_set(&allocator);
}

size_t tr__kit_memory_live(void)
{
    return live;
}

void tr__kit_memory_close(void)
{
    while (!tr__list_empty(&blocks))
        block_free(tr__container(blocks.next, kit_block, link));
    tr_memory_set(NULL);
}
