// How many seeds a simulation runs with: so many as it asks for, or more or less of them, as
// TROUPE_TEST_SEEDS says, which counts the seeds of what has eight by itself.
#ifndef TROUPE_TESTS_SUPPORT_SEEDS_H
#define TROUPE_TESTS_SUPPORT_SEEDS_H

#include <stdlib.h>

#define SEEDS_USUAL 8u

static inline unsigned seeds_of(unsigned count)
{
    const char *text = getenv("TROUPE_TEST_SEEDS");
    unsigned usual = text != NULL ? (unsigned)strtoul(text, NULL, 10) : SEEDS_USUAL;
    unsigned scaled = (unsigned)((unsigned long)count * usual / SEEDS_USUAL);
    return scaled > 0 ? scaled : 1;
}

#endif
