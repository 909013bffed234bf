#include "support/sweep.h"

#include <stdlib.h>
#include <time.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

#define TRIES 40u // of one mode of failing

static size_t before; // allocations before memory may fail

static size_t sweep_step(size_t count)
{
    const char *scale = getenv("TROUPE_TEST_SCALE");
    size_t step = scale == NULL ? 1 + count / TRIES : (size_t)strtoul(scale, NULL, 10);
    return step > 0 ? step : 1;
}

// So that no allocation is passed over for good.
static size_t sweep_first(const struct sweep *sweep)
{
    static size_t turn;
    if (turn == 0)
        turn = (size_t)time(NULL);
    return 1 + turn++ % sweep->step;
}

static bool sweep_advance(struct sweep *sweep)
{
    sweep->nth = sweep->nth == 0 ? sweep_first(sweep) : sweep->nth + sweep->step;
    if (sweep->nth > sweep->count && !sweep->lasting) {
        sweep->lasting = true;
        sweep->nth = sweep_first(sweep);
    }
    return sweep->nth <= sweep->count;
}

bool sweep_next(struct sweep *sweep)
{
    if (sweep->begun && !sweep_advance(sweep)) {
        *sweep = (struct sweep){.whole = sweep->whole};
        return false;
    }
    if (!sweep->begun)
        *sweep = (struct sweep){.begun = true, .step = 1, .whole = sweep->whole};
    counted_memory_start(0);
    return true;
}

void sweep_begin(const struct sweep *sweep)
{
    before = counted.calls;
    if (sweep->nth > 0)
        counted_memory_fail(sweep->nth, sweep->lasting);
}

void sweep_end(struct sweep *sweep)
{
    size_t left = counted_memory_stop();
    if (left > 0)
        print_error("allocation %zu%s of %zu\n", sweep->nth,
                    sweep->lasting ? " and all behind" : "", sweep->count);
    assert_int_equal(0, left);
    if (sweep->nth > 0)
        return;
    sweep->count = counted.calls - before;
    sweep->step = sweep->whole ? 1 : sweep_step(sweep->count);
}
