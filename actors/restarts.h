// Starting again what has failed: not more often than a limit allows, and not at once.
#ifndef TROUPE_ACTORS_RESTARTS_H
#define TROUPE_ACTORS_RESTARTS_H

#include <troupe.h>

#define TR__RESTARTS_MAX (1u << 20) // in a window

// No more than so many restarts in such a time: a ring of the times of the last ones, so that one
// costs the same however many there have been.
typedef struct tr__limit {
    tr_buf *memory;
    uint64_t *times; // the oldest at head when it is full
    uint32_t max, head, count;
    uint64_t window_ns;
} tr__limit;

// errors: TR_ENOMEM
int tr__limit_init(tr__limit *limit, uint32_t max, uint32_t window_ms);
void tr__limit_clear(tr__limit *limit);
// Whether one more is within the limit; it is counted then.
bool tr__limit_take(tr__limit *limit, uint64_t now);

typedef struct tr__backoff {
    uint32_t min_ms, max_ms; // the first time, and at most
    double factor;           // from one failure to the next
    double jitter;           // such a random part of it is taken off
} tr__backoff;

// How long to wait after so many failures in a row before this one. random: the generator's state
uint64_t tr__backoff_ns(const tr__backoff *backoff, uint32_t failures, uint64_t *random);

#endif
