// Windows: how much may be on its way to one receiver, and to all of one kind, before senders see
// TR_EFULL. Who sends takes from the window; when the receiver has consumed it, it is given back,
// and those who were refused are woken once half of it is free; of that to all, a quarter.
//
// A message larger than the window is let through when nothing else is on its way. Windows are made
// on first use and go when all has been given back, but for a few that are kept for the next time.
//
// To all of one kind a receiver counts one window at most (`apart`), so that one message that is
// larger than that leaves room for those to others.
#ifndef TROUPE_CORE_WINDOW_H
#define TROUPE_CORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <troupe/error.h>

#include "base/list.h"
#include "base/map.h"

#define TR__WINDOW_MESSAGES 4096u
#define TR__WINDOW_BYTES    (16u << 20)
// To all of one other node, or to all of those whose links are another loop's. Part of the
// protocol, as the two above: both sides count alike.
#define TR__WINDOW_PEER_BYTES (24u << 20)

typedef struct tr__window {
    uint64_t key;
    uint32_t messages, messages_max;
    uint64_t bytes, bytes_max;
    bool refused;     // somebody was, and none has been told since that there is room
    bool pinned;      // stays when all is given back
    tr__list waiters; // tr__waiter
} tr__window;

typedef struct tr__windows {
    tr__map map;               // by key
    tr__window *last;          // that somebody took from
    uint64_t bytes, bytes_max; // of all of them; bytes_max 0: no limit
    uint64_t over;             // of these, what each has above TR__WINDOW_BYTES
    bool apart;                // that does not count
    bool crowded;              // refused because of that
    tr__list waiters;
} tr__windows;

void tr__windows_init(tr__windows *windows, uint64_t bytes_max);
// Those who wait go to `writable`.
void tr__windows_clear(tr__windows *windows, tr__list *writable);

// errors: TR_EFULL, TR_ENOMEM
int tr__window_take(tr__windows *windows, uint64_t key, size_t weight, tr__window **ret_window);
// What was taken has not left.
void tr__window_undo(tr__windows *windows, tr__window *window, size_t weight);
// Give back. The window may be gone afterwards. Those who may try again go to `writable`.
void tr__window_give(tr__windows *windows, tr__window *window, uint32_t messages, uint64_t bytes,
                     tr__list *writable);

// Set a window's size, 0 for the standard one, and keep it until it is unpinned.
int tr__window_pin(tr__windows *windows, uint64_t key, uint32_t messages, uint32_t bytes);
void tr__window_unpin(tr__windows *windows, uint64_t key, tr__list *writable);

// What is above one window, of so many bytes to one receiver.
static inline uint64_t tr__window_over(uint64_t bytes)
{
    return bytes > TR__WINDOW_BYTES ? bytes - TR__WINDOW_BYTES : 0;
}

tr__window *tr__window_find(const tr__windows *windows, uint64_t key); // NULL: nothing on its way
// Where to wait for room; NULL: there is room.
tr__list *tr__window_waiters(tr__windows *windows, uint64_t key);

#endif
