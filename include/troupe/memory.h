/* Memory: where the library takes its memory from.
 *
 * Everything the library allocates goes through one allocator. Set your own before the first other
 * call of the library, or leave it at the C library's malloc. What libuv needs for each loop is its
 * own, for a program may use libuv beside this library: uv_replace_allocator says where from. */
#ifndef TROUPE_MEMORY_H
#define TROUPE_MEMORY_H

#include <stddef.h>
#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_allocator {
    /* All three must be thread-safe. alloc and resize return NULL when there is no memory, and
     * memory aligned for any type otherwise; release takes NULL. */
    void *(*alloc)(size_t size, void *arg);
    void *(*resize)(void *memory, size_t size, void *arg);
    void (*release)(void *memory, void *arg);
    void *arg;
} tr_allocator;

/* Use this allocator from now on; NULL: the C library's.
 * borrows: allocator (it is copied); allocator->arg must outlive the library's use
 * thread:  before any other call of the library
 * errors:  TR_EINVAL (a function is missing) */
TR_API int tr_memory_set(const tr_allocator *allocator);

/* For memory that the library gives as a plain pointer. NULL is a no-op. */
TR_API void tr_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
