// The turn that runs on a loop, for other threads to see: the watchdog asks when it does not end.
//
// The loop writes it each turn, so it is a handful of plain stores: release and acquire cost
// nothing on x86, and nobody is waited for. Who reads it may meet the next turn half written, and
// finds out by the count, which has gone on before that was begun.
#ifndef TROUPE_CORE_SHOWN_H
#define TROUPE_CORE_SHOWN_H

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <troupe/actor.h>

// What a turn is for: the name of a message, cut short, or "(timer)" and the like.
typedef struct tr__what {
    char text[32];
} tr__what;

#define TR__WHAT_WORDS (sizeof(tr__what) / sizeof(uint64_t))

typedef struct tr__shown {
    atomic_uint_fast64_t count; // of beginnings and ends: odd while a turn runs
    atomic_uint_fast64_t actor; // its id
    _Atomic(const tr_behavior *) behavior;
    atomic_uint_fast64_t what[TR__WHAT_WORDS];
} tr__shown;

typedef struct tr__seen {
    uint64_t count, actor;
    const tr_behavior *behavior;
    char what[sizeof(tr__what) + 1]; // NUL-terminated
} tr__seen;

static inline uint64_t tr__shown_count(const tr__shown *shown)
{
    return atomic_load_explicit(&((tr__shown *)shown)->count, memory_order_acquire);
}

// The loop's own thread, as the next one.
static inline void tr__shown_begin(tr__shown *shown, const tr_behavior *behavior, uint64_t actor,
                                   const tr__what *what)
{
    for (size_t i = 0; i < TR__WHAT_WORDS; i++) {
        uint64_t word;
        memcpy(&word, what->text + i * sizeof word, sizeof word);
        atomic_store_explicit(&shown->what[i], word, memory_order_release);
    }
    atomic_store_explicit(&shown->actor, actor, memory_order_release);
    atomic_store_explicit(&shown->behavior, behavior, memory_order_release);
    atomic_store_explicit(&shown->count, tr__shown_count(shown) + 1, memory_order_release);
}

static inline void tr__shown_end(tr__shown *shown)
{
    atomic_store_explicit(&shown->count, tr__shown_count(shown) + 1, memory_order_release);
}

// Any thread. It is true if the count is the same afterwards.
static inline tr__seen tr__shown_see(const tr__shown *from)
{
    tr__shown *shown = (tr__shown *)from;
    tr__seen seen = {.count = tr__shown_count(shown)};
    uint64_t words[TR__WHAT_WORDS];
    for (size_t i = 0; i < TR__WHAT_WORDS; i++)
        words[i] = atomic_load_explicit(&shown->what[i], memory_order_acquire);
    memcpy(seen.what, words, sizeof words);
    seen.actor = atomic_load_explicit(&shown->actor, memory_order_acquire);
    seen.behavior = atomic_load_explicit(&shown->behavior, memory_order_acquire);
    return seen;
}

#endif
