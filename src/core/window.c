// See window.h. The same windows count what goes to another loop (far.c) and to another node
// (remote/flow.c); only how a receiver says that something is consumed is theirs.
#include "core/window.h"

#include "base/assert.h"
#include "base/memory.h"

#define IDLE_MAX 64u // windows that are kept for the next time when nothing is on its way

void tr__windows_init(tr__windows *windows, uint64_t bytes_max)
{
    *windows = (tr__windows){.bytes_max = bytes_max};
    tr__list_init(&windows->waiters);
}

static int window_get(tr__windows *windows, uint64_t key, tr__window **ret_window)
{
    tr__window *window = tr__window_find(windows, key);
    if (window == NULL) {
        window = tr__alloc(sizeof *window);
        if (window == NULL)
            return TR_ENOMEM;
        *window = (tr__window){
            .key = key, .messages_max = TR__WINDOW_MESSAGES, .bytes_max = TR__WINDOW_BYTES};
        tr__list_init(&window->waiters);
        if (tr__map_put(&windows->map, key, window) < 0) {
            tr__free(window);
            return TR_ENOMEM;
        }
    }
    *ret_window = windows->last = window;
    return 0;
}

static void window_free(tr__windows *windows, tr__window *window)
{
    tr_assert(window->messages == 0 && window->bytes == 0 && tr__list_empty(&window->waiters));
    if (windows->last == window)
        windows->last = NULL;
    tr__map_remove(&windows->map, window->key);
    tr__free(window);
}

tr__window *tr__window_find(const tr__windows *windows, uint64_t key)
{
    tr__window *last = windows->last;
    return last != NULL && last->key == key ? last : tr__map_get(&windows->map, key);
}

// What counts against bytes_max.
static uint64_t windows_load(const tr__windows *windows)
{
    return windows->bytes - (windows->apart ? windows->over : 0);
}

static bool windows_full(const tr__windows *windows, uint64_t key, size_t weight)
{
    uint64_t load = windows->bytes + weight;
    if (windows->bytes_max == 0 || windows->bytes == 0 || load <= windows->bytes_max)
        return false;
    if (!windows->apart)
        return true;
    const tr__window *window = tr__window_find(windows, key);
    uint64_t had = window == NULL ? 0 : window->bytes;
    uint64_t over = windows->over - tr__window_over(had) + tr__window_over(had + weight);
    return load - over > windows->bytes_max;
}

// So much more or, negative, less.
static void windows_count(tr__windows *windows, tr__window *window, int64_t weight)
{
    uint64_t over = tr__window_over(window->bytes);
    window->bytes += (uint64_t)weight;
    windows->bytes += (uint64_t)weight;
    windows->over += tr__window_over(window->bytes) - over;
}

static bool window_full(const tr__window *window, size_t weight)
{
    return window->messages >= window->messages_max ||
           (window->messages > 0 && window->bytes + weight > window->bytes_max);
}

int tr__window_take(tr__windows *windows, uint64_t key, size_t weight, tr__window **ret_window)
{
    if (windows_full(windows, key, weight)) {
        windows->crowded = true;
        return TR_EFULL;
    }
    tr__window *window;
    int rc = window_get(windows, key, &window);
    if (rc < 0)
        return rc;
    if (window_full(window, weight)) {
        window->refused = true;
        return TR_EFULL;
    }
    window->messages++;
    windows_count(windows, window, (int64_t)weight);
    *ret_window = window;
    return 0;
}

void tr__window_undo(tr__windows *windows, tr__window *window, size_t weight)
{
    window->messages--;
    windows_count(windows, window, -(int64_t)weight);
}

// There is room: whoever waits may try.
static void waiters_wake(bool *refused, tr__list *waiters, tr__list *writable)
{
    *refused = false;
    tr__list_splice(writable, waiters);
}

void tr__window_give(tr__windows *windows, tr__window *window, uint32_t messages, uint64_t bytes,
                     tr__list *writable)
{
    tr_assert(messages <= window->messages && bytes <= window->bytes);
    window->messages -= messages;
    windows_count(windows, window, -(int64_t)bytes);
    if (window->messages <= window->messages_max / 2 && window->bytes <= window->bytes_max / 2)
        waiters_wake(&window->refused, &window->waiters, writable);
    if (windows_load(windows) <= windows->bytes_max / 4 * 3) // a large one counts two thirds of it
        waiters_wake(&windows->crowded, &windows->waiters, writable);
    if (window->messages == 0 && !window->pinned && windows->map.count > IDLE_MAX)
        window_free(windows, window);
}

int tr__window_pin(tr__windows *windows, uint64_t key, uint32_t messages, uint32_t bytes)
{
    tr__window *window;
    int rc = window_get(windows, key, &window);
    if (rc < 0)
        return rc;
    window->pinned = true;
    if (messages != 0)
        window->messages_max = messages;
    if (bytes != 0)
        window->bytes_max = bytes;
    return 0;
}

void tr__window_unpin(tr__windows *windows, uint64_t key, tr__list *writable)
{
    tr__window *window = tr__window_find(windows, key);
    if (window == NULL)
        return;
    window->pinned = false;
    if (window->messages > 0)
        return;
    waiters_wake(&window->refused, &window->waiters, writable);
    window_free(windows, window);
}

tr__list *tr__window_waiters(tr__windows *windows, uint64_t key)
{
    if (windows->crowded)
        return &windows->waiters;
    tr__window *window = tr__window_find(windows, key);
    if (window != NULL && window_full(window, 0))
        window->refused = true; // the next one would be
    return window != NULL && window->refused ? &window->waiters : NULL;
}

void tr__windows_clear(tr__windows *windows, tr__list *writable)
{
    size_t at = 0;
    for (tr__window *window; (window = tr__map_next(&windows->map, &at)) != NULL;) {
        waiters_wake(&window->refused, &window->waiters, writable);
        tr__free(window);
    }
    waiters_wake(&windows->crowded, &windows->waiters, writable);
    tr__map_clear(&windows->map);
    windows->last = NULL;
    windows->bytes = windows->over = 0;
}
