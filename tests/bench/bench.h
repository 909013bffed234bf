// What every benchmark program needs: a clock, percentiles, counts that can be scaled, and results
// in the form that the runners read: lines `key<TAB>value` on standard output. A program that finds
// anything wrong ends at once with an error: half a figure is no figure.
//
// Environment, set by the runners: BENCH_SCALE multiplies every count (0.1 for a quick look),
// BENCH_CHILD_CPU is the processor that a child process moves itself to.
#ifndef TR_BENCH_H
#define TR_BENCH_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define BENCH_WINDOW 1000u // requests in flight in the pipelined figure
#define BENCH_ABSENT 77    // the exit status of a program that does not have the figure

// _exit, since some libraries hang or abort in their clean-up.
#define bench_must(condition)                                                                      \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : (fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition), _exit(1)))

static inline uint64_t bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// The processor time of this process.
static inline uint64_t bench_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void bench_emit(const char *key, double value)
{
    printf("%s\t%.6g\n", key, value);
    fflush(stdout);
}

// A default count, scaled; at least 1.
static inline uint64_t bench_count(uint64_t count)
{
    const char *scale = getenv("BENCH_SCALE");
    double scaled = scale != NULL ? (double)count * atof(scale) : (double)count;
    return scaled < 1 ? 1 : (uint64_t)scaled;
}

static inline int bench_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// The sample below which this percentage of them lie. Sorts the samples.
static inline uint64_t bench_percentile(uint64_t *samples, size_t count, unsigned percent)
{
    qsort(samples, count, sizeof *samples, bench_compare);
    return samples[(count - 1) * percent / 100];
}

// For a child process, before it starts any thread.
static inline void bench_pin_child(void)
{
    const char *cpu = getenv("BENCH_CHILD_CPU");
    if (cpu == NULL)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(cpu), &set);
    bench_must(sched_setaffinity(0, sizeof set, &set) == 0);
}

// The memory that this process uses now, in bytes.
static inline size_t bench_rss(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    bench_must(file != NULL && fscanf(file, "%*u %lu", &pages) == 1);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

// The memory of an idle process: what it alone uses, and that plus its share of what it shares.
static inline void bench_emit_memory(pid_t pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "r");
    bench_must(file != NULL);
    unsigned long kib, private_kib = 0, pss_kib = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Private_Clean: %lu", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %lu", &kib) == 1)
            private_kib += kib;
        else if (sscanf(line, "Pss: %lu", &kib) == 1)
            pss_kib = kib;
    }
    fclose(file);
    bench_emit("private_mib", (double)private_kib / 1024);
    bench_emit("pss_mib", (double)pss_kib / 1024);
}

#endif
