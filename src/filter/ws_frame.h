// The heads of WebSocket's frames, and their masks (RFC 6455, 5).
#ifndef TROUPE_FILTER_WS_FRAME_H
#define TROUPE_FILTER_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TR__WS_KEY_SIZE    4
#define TR__WS_HEAD_SIZE   (2 + 8 + TR__WS_KEY_SIZE) // at most
#define TR__WS_CONTROL_MAX 125                       // the payload of a frame that controls

// What a frame is: its first byte. One that controls is never cut.
enum {
    TR__WS_MORE = 0x00,
    TR__WS_TEXT = 0x01,
    TR__WS_BINARY = 0x02,
    TR__WS_FINAL = 0x80, // of a message: with one of the former
    TR__WS_CLOSE = 0x88,
    TR__WS_PING = 0x89,
    TR__WS_PONG = 0x8a
};

static inline bool tr__ws_controls(uint8_t kind)
{
    return (kind & 0x08) != 0;
}

typedef struct tr__ws_head {
    uint8_t kind;
    bool masked;
    uint8_t key[TR__WS_KEY_SIZE];
    uint64_t size; // of the payload
} tr__ws_head;

// returns: its size
size_t tr__ws_head_print(const tr__ws_head *head, uint8_t bytes[TR__WS_HEAD_SIZE]);

// The size of a head of which so many bytes are there, as far as they tell.
size_t tr__ws_head_need(const uint8_t *bytes, size_t size);

// Of one that is whole. returns: NULL, or what is wrong with it
const char *tr__ws_head_parse(const uint8_t *bytes, tr__ws_head *ret_head);

// Put a key over bytes, the first of which is that many behind the beginning.
void tr__ws_mask(uint8_t *bytes, size_t size, const uint8_t key[TR__WS_KEY_SIZE], uint64_t at);

#endif
