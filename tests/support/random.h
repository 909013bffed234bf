// Random numbers for tests, the same ones from the same seed (splitmix64).
#ifndef TROUPE_TESTS_SUPPORT_RANDOM_H
#define TROUPE_TESTS_SUPPORT_RANDOM_H

#include <stdint.h>

// One below limit, and the seed moves on.
static inline uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % limit;
}

#endif
