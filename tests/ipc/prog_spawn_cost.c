// What tr_spawn of a process costs its caller, in a small process and in one with much memory: a
// fork would have to copy the page tables, 35 ms per GiB.
//
//     prog_spawn_cost [MiB of memory, 2048 if not said]
//
// Where others use the machine, a spawn now and then waits a whole time slice (3 ms) for the child
// to get a core. So the two sizes take turns, and the ratio is that of the fastest ones.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/ipc.h"

#define SPAWNS    50 // in a round
#define ROUNDS    3
#define SMALL_MIB 20

static const tr_behavior child = {.name = "child"};

// The spawns at one size.
struct costs {
    size_t mib;
    uint64_t took[ROUNDS * SPAWNS];
    int count;
};

static struct costs *costs; // being measured

// One after the other: the next one starts when the last one has gone.
static int spawn_next(tr_actor *self)
{
    tr_addr kid;
    uint64_t start = ipc_now();
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &kid);
    costs->took[costs->count++] = ipc_now() - start;
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    return rc < 0 ? rc : tr_stop(self, kid);
}

static int spawner_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return spawn_next(self);
}

static int spawner_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg; // the last one's end
    return costs->count % SPAWNS == 0 ? tr_exit(self, TR_NORMAL) : spawn_next(self);
}
static const tr_behavior spawner = {
    .name = "spawner", .start = spawner_start, .receive = spawner_receive};

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// A round of spawns with so much memory touched in all.
static void measure(struct costs *c)
{
    size_t size = c->mib << 20, have = ipc_rss(getpid());
    size = size > have ? size - have : 1;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(1);
    madvise(memory, size, MADV_NOHUGEPAGE); // as many pages as a heap of that size may have
    memset(memory, 1, size);
    costs = c;
    if (TR_RUN(TR_APP(&child), &spawner, TR_NULL) < 0)
        exit(1);
    munmap(memory, size);
}

static double microseconds(const struct costs *c, int rank)
{
    return (double)c->took[rank] / 1000;
}

int main(int argc, char **argv)
{
    if (tr_is_child())
        return tr_main(argc, argv, TR_APP(&child));
    static struct costs small = {.mib = SMALL_MIB}, large = {.mib = 2048};
    if (argc > 1)
        large.mib = strtoul(argv[1], NULL, 10);
    for (int round = 0; round < ROUNDS; round++) {
        measure(&small);
        measure(&large);
    }
    qsort(small.took, (size_t)small.count, sizeof *small.took, compare);
    qsort(large.took, (size_t)large.count, sizeof *large.took, compare);
    printf("median at %zu MiB %.0f us, at %zu MiB %.0f us, ratio of the fastest %.2f\n", small.mib,
           microseconds(&small, small.count / 2), large.mib, microseconds(&large, large.count / 2),
           microseconds(&large, 0) / microseconds(&small, 0));
    return 0;
}
