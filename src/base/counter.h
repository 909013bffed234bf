// A counter that one thread writes and any may read.
#ifndef TROUPE_BASE_COUNTER_H
#define TROUPE_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct tr__counter {
    atomic_uint_fast64_t value;
} tr__counter;

static inline uint64_t tr__counter_get(const tr__counter *counter)
{
    return atomic_load_explicit(&((tr__counter *)counter)->value, memory_order_relaxed);
}

static inline void tr__counter_add(tr__counter *counter, int64_t change)
{
    uint64_t value = tr__counter_get(counter) + (uint64_t)change;
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

#endif
