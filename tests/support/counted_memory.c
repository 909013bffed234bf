#include "support/counted_memory.h"

#include <stdlib.h>
#include <troupe/memory.h>

struct counted_memory counted;

// In front of each block.
union block {
    size_t size;
    max_align_t align;
};

static void *counted_resize(void *memory, size_t size, void *arg)
{
    (void)arg;
    counted.calls++;
    if (counted_memory_failed() && (counted.lasting || counted.calls == counted.fail_at))
        return NULL;
    union block *old = memory == NULL ? NULL : (union block *)memory - 1;
    size_t old_size = old == NULL ? 0 : old->size;
    union block *block = realloc(old, sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    counted.live += size - old_size;
    if (counted.live > counted.peak)
        counted.peak = counted.live;
    return block + 1;
}

static void *counted_alloc(size_t size, void *arg)
{
    return counted_resize(NULL, size, arg);
}

static void counted_release(void *memory, void *arg)
{
    (void)arg;
    if (memory == NULL)
        return;
    union block *block = (union block *)memory - 1;
    counted.live -= block->size;
    free(block);
}

void counted_memory_start(size_t fail_at)
{
    static const tr_allocator allocator = {
        .alloc = counted_alloc, .resize = counted_resize, .release = counted_release};
    counted = (struct counted_memory){.fail_at = fail_at};
    tr_memory_set(&allocator);
}

void counted_memory_fail(size_t nth, bool lasting)
{
    counted.fail_at = counted.calls + nth;
    counted.lasting = lasting;
}

size_t counted_memory_stop(void)
{
    tr_memory_set(NULL);
    return counted.live;
}

bool counted_memory_failed(void)
{
    return counted.fail_at > 0 && counted.calls >= counted.fail_at;
}
