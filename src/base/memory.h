// Memory inside the library: through the user's allocator, and through fault injection in tests.
#ifndef TROUPE_BASE_MEMORY_H
#define TROUPE_BASE_MEMORY_H

#include <stddef.h>
#include <troupe/memory.h>

void *tr__alloc(size_t size);                // not zeroed; NULL when there is none
void *tr__zalloc(size_t size);               // zeroed
void *tr__resize(void *memory, size_t size); // as realloc: on NULL the old memory is kept
void tr__free(void *memory);
char *tr__strdup(const char *text);

#endif
