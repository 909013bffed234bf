// The processor's ticks, where they can be a clock (trace/clock.c says whether they may).
#ifndef TROUPE_BASE_TICKS_H
#define TROUPE_BASE_TICKS_H

#include <stdint.h>

static inline uint64_t tr__ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

#endif
