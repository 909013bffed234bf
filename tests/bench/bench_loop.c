// troupe's side of the loop's figures: `bench_loop FIGURE COUNT`, as io_loop.bash describes them.
// Plain use of the public API: one actor, whose start begins and whose last callback ends it.
#include <troupe.h>

#include "bench.h"

#define BURST 1000u

struct figure {
    const char *name;
    void (*begin)(tr_actor *self);
};

static const struct figure *figure;
static uint64_t count, done, start;
static uint64_t (*now)(void) = bench_now_ns;
static unsigned rounds;

static void begin(tr_actor *self, void *arg)
{
    (void)arg;
    done = 0;
    start = now();
    figure->begin(self);
}

// The first round warms up.
static void finish(tr_actor *self)
{
    uint64_t took = now() - start;
    if (++rounds < 2) {
        bench_must(tr_timer_start(self, TR_MS(1), begin, NULL, NULL) == 0);
        return;
    }
    bench_emit(figure->name, (double)count * 1e3 / (double)took);
    tr_exit(self, TR_NORMAL);
}

static void on_done(tr_actor *self, void *arg)
{
    (void)arg;
    if (++done == count)
        finish(self);
}

// ---- Timers ----

static void fire(tr_actor *self)
{
    for (uint64_t i = 0; i < count; i++)
        bench_must(tr_timer_start(self, TR_MS(1), on_done, NULL, NULL) == 0);
}

static void spread(tr_actor *self)
{
    for (uint64_t i = 0; i < count; i++)
        bench_must(tr_timer_start(self, TR_MS(1 + i % 100), on_done, NULL, NULL) == 0);
}

static void cancel(tr_actor *self)
{
    static tr_timer *timers;
    if (timers == NULL)
        timers = calloc(count, sizeof *timers);
    bench_must(timers != NULL);
    for (uint64_t i = 0; i < count; i++)
        bench_must(tr_timer_start(self, TR_S(1 + i % 100), on_done, NULL, &timers[i]) == 0);
    for (uint64_t i = 0; i < count; i++)
        tr_timer_clear(self, timers[i]);
    finish(self);
}

// ---- What runs soon: each calls for the next one, or BURST at a time ----

static void on_chain(tr_actor *self, void *arg);

static int call(tr_actor *self, tr_callback cb)
{
    switch (figure->name[0]) {
    case 'i':
        return tr_immediate(self, cb, NULL);
    case 't':
        return tr_next_tick(self, cb, NULL);
    default:
        return tr_microtask(self, cb, NULL);
    }
}

static void on_chain(tr_actor *self, void *arg)
{
    (void)arg;
    if (++done < count)
        bench_must(call(self, on_chain) == 0);
    else
        finish(self);
}

static void chain(tr_actor *self)
{
    bench_must(call(self, on_chain) == 0);
}

static void on_burst(tr_actor *self, void *arg)
{
    (void)arg;
    if (++done == count)
        finish(self);
    else if (done % BURST == 0)
        for (unsigned i = 0; i < BURST; i++)
            bench_must(call(self, on_burst) == 0);
}

static void burst(tr_actor *self)
{
    for (unsigned i = 0; i < BURST; i++)
        bench_must(call(self, on_burst) == 0);
}

// ---- Promises: a reaction to each, whose promise the next one hangs on ----

static int on_settled(tr_actor *self, int status, tr_val body, void *arg)
{
    tr_promise *promise = NULL;
    (void)status, (void)body, (void)arg;
    if (++done == count)
        return finish(self), 0;
    bench_must(tr_promise_new(self, &promise) == 0 &&
               tr_promise_then(promise, on_settled, NULL, NULL) == 0 &&
               tr_promise_resolve(promise, TR_NULL) == 0);
    tr_promise_unref(&promise);
    return 0;
}

static void promises(tr_actor *self)
{
    on_settled(self, 0, TR_NULL, NULL);
}

// ---- The program ----

static const struct figure figures[] = {
    {"fire", fire},         {"spread", spread},          {"cancel", cancel},
    {"immediates", chain},  {"immediates_burst", burst}, {"ticks", chain},
    {"ticks_burst", burst}, {"microtasks", chain},       {"microtasks_burst", burst},
    {"promises", promises},
};

static int program_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    begin(self, NULL);
    return 0;
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    tr_node *node = NULL;
    bench_must(argc == 3);
    count = strtoull(argv[2], NULL, 10);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (strcmp(figures[i].name, argv[1]) == 0)
            figure = &figures[i];
    if (figure == NULL)
        return BENCH_ABSENT;
    bench_must(count >= BURST);
    count -= count % BURST;
    if (figure->begin == spread)
        now = bench_cpu_ns;
    bench_must(tr_node_open(TR_NODE(.loops = 1, .turn_us = 1000000), &node) == 0);
    bench_must(tr_node_spawn(node, &program, NULL, NULL) == 0 && tr_node_run(node) == 0);
    tr_node_close(&node);
    return 0;
}
