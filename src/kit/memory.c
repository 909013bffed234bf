// All of the library's memory while a kit is open, in one list: what is left at its end has leaked.
//
// The list is also what makes it sound that an assertion jumps out of a handler: a node of the kit
// owns nothing but memory, so instead of being closed it can be forgotten, and its memory freed
// block by block, whatever state its structures are in.
#include <stdlib.h>
#include <string.h>
#include <troupe/memory.h>

#include "base/list.h"
#include "base/lock.h"
#include "kit/kit.h"

typedef struct kit_block {
    tr__list link;
    size_t size;
    _Alignas(max_align_t) unsigned char memory[];
} kit_block;

static tr__lock lock; // an allocator may be called on any thread
static tr__list blocks;
static size_t live;

static kit_block *block_of(void *memory)
{
    return tr__container(memory, kit_block, memory);
}

static void block_add(kit_block *block)
{
    tr__lock_take(&lock);
    tr__list_append(&blocks, &block->link);
    live += block->size;
    tr__lock_give(&lock);
}

static void block_remove(kit_block *block)
{
    tr__lock_take(&lock);
    tr__list_remove(&block->link);
    live -= block->size;
    tr__lock_give(&lock);
}

static void *kit_alloc(size_t size, void *arg)
{
    (void)arg;
    kit_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block_add(block);
    return block->memory;
}

static void kit_release(void *memory, void *arg)
{
    (void)arg;
    if (memory == NULL)
        return;
    block_remove(block_of(memory));
    free(block_of(memory));
}

static void *kit_resize(void *memory, size_t size, void *arg)
{
    void *moved = kit_alloc(size, arg);
    if (moved == NULL || memory == NULL)
        return moved;
    size_t before = block_of(memory)->size;
    memcpy(moved, memory, before < size ? before : size);
    kit_release(memory, arg);
    return moved;
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
        tr_free(tr__container(blocks.next, kit_block, link)->memory);
    tr_memory_set(NULL);
}
