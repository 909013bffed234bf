// A trace's records and the table of its actors, as they lie in its file (trace/file.h) and in
// memory.
//
// A record is 64 bytes. Its first word is written last, with the low half of its number + 1, and
// before anything else it is 0: so one that was not finished shows. In the place of the next record
// of the messages lies, unfinished, what the turn that runs is for.
#ifndef TROUPE_CORE_RECORD_H
#define TROUPE_CORE_RECORD_H

#include <stdatomic.h>
#include <stdint.h>

#define TR__TRACE_CELL     64u    // what all of these have
#define TR__TRACE_MESSAGES 16384u // records of a loop's messages

typedef atomic_uint_fast64_t tr__word;
_Static_assert(sizeof(tr__word) == 8, "a word of the file");

typedef struct tr__trace_seat {
    tr__word id; // 0: nobody. Written first and last
    tr__word parent_node, parent;
    tr__word started; // ticks
    tr__word names;   // strings: the behaviour's, and << 16 the name that it can be found by
    tr__word handled, wait, run; // ticks; depth << 32 is with handled
} tr__trace_seat;

// Times as tr__trace_pack makes them. The numbers are little-endian: record.c makes words of them.
typedef struct tr__record {
    uint32_t seq;
    uint8_t kind, flags;
    uint16_t depth; // at most
    uint64_t ticks; // when it happened; of a message: when its turn began
    uint64_t actor;
    uint64_t from;
    uint64_t number; // of a message: its trace
    uint32_t span, parent;
    uint32_t wait;
    uint32_t run;  // of an end: the kind of its reason
    uint32_t size; // of the body; the code, if it is no message or has failed
    uint16_t name; // a string; 0: none
    uint16_t node; // of from: a string of 8 bytes; 0: this one
} tr__record;

// What follows a message whose body is there, so many times as that needs.
#define TR__BODY_PART 56u
#define TR__BODY_MAX  2048u
typedef struct tr__record_body {
    uint32_t seq;
    uint8_t kind, spare;
    uint16_t size; // of all of it
    uint8_t bytes[TR__BODY_PART];
} tr__record_body;

_Static_assert(sizeof(tr__record) == TR__TRACE_CELL && sizeof(tr__record_body) == TR__TRACE_CELL &&
                   sizeof(tr__trace_seat) == TR__TRACE_CELL,
               "cells");

// A time in 32 bits, to 16 ticks, and to 65,536 where it is long.
static inline uint32_t tr__trace_pack(uint64_t ticks)
{
    if (ticks >> 4 <= INT32_MAX)
        return (uint32_t)(ticks >> 4);
    return UINT32_C(1) << 31 | (uint32_t)(ticks >> 16 <= INT32_MAX ? ticks >> 16 : INT32_MAX);
}

static inline uint64_t tr__trace_unpack(uint32_t time)
{
    return time >> 31 == 0 ? (uint64_t)time << 4 : (uint64_t)(time & INT32_MAX) << 16;
}

static inline uint64_t tr__word_get(const tr__word *word)
{
    return atomic_load_explicit((tr__word *)word, memory_order_acquire);
}

static inline void tr__word_set(tr__word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

#endif
