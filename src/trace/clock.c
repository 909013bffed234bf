// What time it is, for traces: the one place beside src/uv that asks the system, since a reader has
// no world, and a trace needs the time of day.
#include <time.h>

#include "base/ticks.h"
#include "trace/file.h"

#if defined(__x86_64__)
#include <cpuid.h>

// It does not stop and runs at one speed; Linux keeps those of all processors together.
bool tr__trace_tsc(void)
{
    unsigned a, b, c, d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & 1u << 8) != 0;
}
#else
bool tr__trace_tsc(void)
{
    return false;
}
#endif

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t tr__trace_ticks(bool tsc)
{
    return tsc ? tr__ticks() : clock_ns(CLOCK_MONOTONIC);
}

void tr__trace_clock_now(bool tsc, tr__trace_clock *ret_clock)
{
    ret_clock->mono = clock_ns(CLOCK_MONOTONIC);
    ret_clock->ticks = tsc ? tr__ticks() : ret_clock->mono;
    ret_clock->real = clock_ns(CLOCK_REALTIME);
}
