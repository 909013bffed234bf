// A lock for what is rarely contended and held for a short while. Who waits gives the core away,
// for the holder may need it.
#ifndef TROUPE_BASE_LOCK_H
#define TROUPE_BASE_LOCK_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct tr__lock {
    atomic_bool held;
} tr__lock;

static inline void tr__lock_take(tr__lock *lock)
{
    while (atomic_exchange_explicit(&lock->held, true, memory_order_acquire))
        sched_yield();
}

static inline void tr__lock_give(tr__lock *lock)
{
    atomic_store_explicit(&lock->held, false, memory_order_release);
}

#endif
