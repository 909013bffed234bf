// A head is two bytes, a length where those have no room for it, and a key:
//
//     final, reserved (3), opcode (4) | masked, length (7) | length (0, 16 or 64) | key (0 or 32)
#include "filter/ws_frame.h"

#include <endian.h>
#include <string.h>

enum { RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, LENGTH_2 = 126, LENGTH_8 };

static size_t wide_of(unsigned form)
{
    return form == LENGTH_2 ? 2 : form == LENGTH_8 ? 8 : 0;
}

size_t tr__ws_head_print(const tr__ws_head *head, uint8_t bytes[TR__WS_HEAD_SIZE])
{
    uint64_t length = htobe64(head->size);
    unsigned form = head->size <= UINT16_MAX ? LENGTH_2 : LENGTH_8;
    form = head->size < LENGTH_2 ? (unsigned)head->size : form;
    size_t wide = wide_of(form);
    bytes[0] = head->kind;
    bytes[1] = (uint8_t)((head->masked ? MASKED : 0) | form);
    memcpy(bytes + 2, (uint8_t *)&length + sizeof length - wide, wide);
    if (!head->masked)
        return 2 + wide;
    memcpy(bytes + 2 + wide, head->key, TR__WS_KEY_SIZE);
    return 2 + wide + TR__WS_KEY_SIZE;
}

size_t tr__ws_head_need(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 2;
    return 2 + wide_of(bytes[1] & LENGTH) + (bytes[1] & MASKED ? TR__WS_KEY_SIZE : 0);
}

static uint64_t length_parse(const uint8_t *bytes)
{
    uint64_t length = 0;
    size_t wide = wide_of(bytes[1] & LENGTH);
    memcpy((uint8_t *)&length + sizeof length - wide, bytes + 2, wide);
    return wide == 0 ? bytes[1] & LENGTH : be64toh(length);
}

static bool kind_is_known(uint8_t kind)
{
    unsigned opcode = kind & OPCODE;
    return tr__ws_controls(kind) ? opcode <= (TR__WS_PONG & OPCODE) : opcode <= TR__WS_BINARY;
}

const char *tr__ws_head_parse(const uint8_t *bytes, tr__ws_head *ret_head)
{
    tr__ws_head head = {.kind = bytes[0], .masked = bytes[1] & MASKED, .size = length_parse(bytes)};
    size_t wide = wide_of(bytes[1] & LENGTH);
    uint64_t least = wide == 8 ? UINT64_C(0x10000) : wide == 2 ? LENGTH_2 : 0;
    if (head.kind & RESERVED)
        return "a frame has reserved bits";
    if (head.size < least || head.size > INT64_MAX)
        return "the length of a frame is not written as it must be";
    if (!kind_is_known(head.kind))
        return "a frame is of an unknown kind";
    if (tr__ws_controls(head.kind) &&
        (!(head.kind & TR__WS_FINAL) || head.size > TR__WS_CONTROL_MAX))
        return "a frame that controls is cut, or too large";
    if (head.kind == TR__WS_CLOSE && head.size == 1)
        return "a close has half a reason";
    if (head.masked)
        memcpy(head.key, bytes + 2 + wide, TR__WS_KEY_SIZE);
    *ret_head = head;
    return NULL;
}

// Eight bytes at a time, with the key turned to where they begin.
void tr__ws_mask(uint8_t *bytes, size_t size, const uint8_t key[TR__WS_KEY_SIZE], uint64_t at)
{
    uint8_t turned[8];
    uint64_t wide, eight;
    size_t i = 0;
    for (size_t k = 0; k < sizeof turned; k++)
        turned[k] = key[(at + k) % TR__WS_KEY_SIZE];
    memcpy(&wide, turned, sizeof wide);
    for (; i + sizeof eight <= size; i += sizeof eight) {
        memcpy(&eight, bytes + i, sizeof eight);
        eight ^= wide;
        memcpy(bytes + i, &eight, sizeof eight);
    }
    for (; i < size; i++)
        bytes[i] ^= turned[i % sizeof turned];
}
