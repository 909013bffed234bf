// Bare libuv, for what of the loop's figures it has: `uv_loop FIGURE COUNT`, as io_loop.bash
// describes them. Its timers lie in one array; an immediate is a turn of an idle handle.
#include <uv.h>

#include <stdbool.h>

#include "../bench.h"

static const char *name;
static uint64_t count, done, start;
static uint64_t (*now)(void);

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    done++;
}

static void on_idle(uv_idle_t *idle)
{
    if (++done == count)
        uv_idle_stop(idle);
}

static uint64_t delay_ms(uint64_t i)
{
    switch (name[0]) {
    case 'f':
        return 1;
    case 's':
        return 1 + i % 100;
    default:
        return 1000 * (1 + i % 100);
    }
}

static void timers(uv_timer_t *all)
{
    for (uint64_t i = 0; i < count; i++) {
        uv_timer_init(uv_default_loop(), &all[i]);
        uv_timer_start(&all[i], on_timer, delay_ms(i), 0);
    }
    for (uint64_t i = 0; i < count && name[0] == 'c'; i++)
        uv_timer_stop(&all[i]);
}

static void idles(uv_idle_t *idle)
{
    uv_idle_init(uv_default_loop(), idle);
    uv_idle_start(idle, on_idle);
}

int main(int argc, char **argv)
{
    static const char *const figures[] = {"fire", "spread", "cancel", "immediates"};
    uint64_t took = 0;
    uv_idle_t idle;
    bool has = false;
    bench_must(argc == 3);
    name = argv[1];
    count = strtoull(argv[2], NULL, 10);
    now = strcmp(name, "spread") == 0 ? bench_cpu_ns : bench_now_ns;
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        has |= strcmp(figures[i], name) == 0;
    uv_timer_t *all = calloc(count, sizeof *all);
    bench_must(all != NULL);
    for (int round = 0; round < 2 && has; round++) { // the first one warms up
        done = 0;
        start = now();
        if (name[0] == 'i')
            idles(&idle);
        else
            timers(all);
        uv_run(uv_default_loop(), UV_RUN_DEFAULT);
        took = now() - start;
    }
    if (!has)
        return BENCH_ABSENT;
    bench_emit(name, (double)count * 1e3 / (double)took);
    return 0;
}
