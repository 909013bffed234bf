// The allocator in use: the C library's, or a copy of the one that the user has set.
//
// Everything that the library allocates comes from here, so that one table decides where it lives
// and a test can make any single allocation fail. The table is written before the library is used
// and only read afterwards, hence needs no lock.
//
// Nobody is ever asked for zero bytes: what malloc(0) returns differs, and NULL means "no memory"
// everywhere above.
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static void *memory_malloc(size_t size, void *arg)
{
    (void)arg;
    return malloc(size);
}

static void *memory_realloc(void *memory, size_t size, void *arg)
{
    (void)arg;
    return realloc(memory, size);
}

static void memory_free(void *memory, void *arg)
{
    (void)arg;
    free(memory);
}

static const tr_allocator memory_libc = {
    .alloc = memory_malloc, .resize = memory_realloc, .release = memory_free};
static tr_allocator memory_users;
static const tr_allocator *memory_used = &memory_libc;

int tr_memory_set(const tr_allocator *allocator)
{
    if (allocator == NULL) {
        memory_used = &memory_libc;
        return 0;
    }
    if (allocator->alloc == NULL || allocator->resize == NULL || allocator->release == NULL)
        return TR_EINVAL;
    memory_users = *allocator;
    memory_used = &memory_users;
    return 0;
}

void tr_free(void *memory)
{
    tr__free(memory);
}

static size_t memory_never_none(size_t size)
{
    return size > 0 ? size : 1;
}

void *tr__alloc(size_t size)
{
    return memory_used->alloc(memory_never_none(size), memory_used->arg);
}

void *tr__zalloc(size_t size)
{
    void *memory = tr__alloc(size);
    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

void *tr__resize(void *memory, size_t size)
{
    return memory_used->resize(memory, memory_never_none(size), memory_used->arg);
}

void tr__free(void *memory)
{
    memory_used->release(memory, memory_used->arg);
}

char *tr__strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tr__alloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}
