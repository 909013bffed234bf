// troupe's side of `./dev bench process`: `bench_process FIGURE`, as process.sh describes them.
#include <sys/mman.h>
#include <troupe.h>

#include "bench.h"

#define WARM_UP 20u

struct figure {
    const char *name;
    unsigned at_once;
    bool exec;
    size_t mib; // in memory, touched
};

static const struct figure figures[] = {
    {"exec1", 1, true, 0},   {"exec8", 8, true, 0},     {"spawn1", 1, false, 0},
    {"spawn8", 8, false, 0}, {"large", 1, false, 2048},
};

static const struct figure *figure;
static uint64_t started, ended, start, from, took;

static void next(tr_actor *self);

static void one_ended(tr_actor *self)
{
    uint64_t now = bench_now_ns();
    if (++ended == WARM_UP) {
        start = now;
        from = ended;
    }
    if (ended <= WARM_UP || now - start < bench_count(TR_S(2))) {
        next(self);
        return;
    }
    took = took == 0 ? now - start : took;
    if (started > ended)
        return;
    bench_emit("rate", (double)(ended - from) * 1e9 / (double)(now - start));
    tr_exit(self, TR_NORMAL);
}

static void on_exec(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)result, (void)arg;
    bench_must(error == 0);
    one_ended(self);
}

static void on_end(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)process, (void)arg;
    bench_must(end->status == 0);
    one_ended(self);
}

static void next(tr_actor *self)
{
    static const tr_stdio nothing = TR_STDIO_NULL;
    const tr_process_opts *opts = TR_PROGRAM(.stdio = {nothing, nothing, nothing});
    started++;
    int rc = figure->exec ? tr_exec(self, "true", NULL, on_exec, NULL, NULL)
                          : tr_process_open(self, "/bin/true", NULL, opts, on_end, NULL, NULL);
    bench_must(rc == 0);
}

static int bench_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    for (unsigned i = 0; i < figure->at_once; i++)
        next(self);
    return 0;
}
static const tr_behavior bench = {.name = "bench", .start = bench_start};

// As many pages as a heap of that size may have.
static void memory_take(size_t mib)
{
    size_t size = mib << 20;
    if (size == 0)
        return;
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_must(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof figures / sizeof *figures; i++)
        if (strcmp(figures[i].name, argv[1]) == 0)
            figure = &figures[i];
    bench_must(figure != NULL);
    memory_take(figure->mib);
    return tr_main(1, argv, TR_APP(&bench));
}
