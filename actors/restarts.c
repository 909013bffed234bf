// Limits of restarts, and how long each one waits: what the supervisor and the cluster share.
#include "restarts.h"

int tr__limit_init(tr__limit *limit, uint32_t max, uint32_t window_ms)
{
    int rc = tr_buf_new(max * sizeof *limit->times, &limit->memory);
    if (rc < 0)
        return rc;
    limit->times = tr_buf_data(limit->memory);
    limit->max = max;
    limit->window_ns = TR_MS(window_ms);
    return 0;
}

void tr__limit_clear(tr__limit *limit)
{
    tr_buf_unref(&limit->memory);
}

bool tr__limit_take(tr__limit *limit, uint64_t now)
{
    if (limit->count < limit->max) {
        limit->times[limit->count++] = now;
        return true;
    }
    if (now - limit->times[limit->head] <= limit->window_ns)
        return false;
    limit->times[limit->head] = now;
    limit->head = (limit->head + 1) % limit->max;
    return true;
}

// splitmix64: for the jitter it is random enough. 0 to 1.
static double random_part(uint64_t *random)
{
    uint64_t x = *random += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0; // 2^53
}

uint64_t tr__backoff_ns(const tr__backoff *backoff, uint32_t failures, uint64_t *random)
{
    double delay = backoff->min_ms, most = backoff->max_ms;
    for (uint32_t i = 0; i < failures && backoff->factor > 1 && delay > 0 && delay < most; i++)
        delay *= backoff->factor;
    delay = delay < most ? delay : most;
    return (uint64_t)(delay * 1e6 * (1 - backoff->jitter * random_part(random)));
}
