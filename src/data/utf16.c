// UTF-16, the little end first, at any alignment. A character above U+FFFF is a pair of surrogates;
// a surrogate without its other half is none, and prints as U+FFFD. A byte that is left over at the
// end is dropped.
#include "data/codec.h"
#include "data/utf8.h"
#include "data/wide.h"

#define WIDE_UNITS 16 // where a wide step has to give up, so many characters are taken singly

static inline uint32_t utf16_unit(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static inline bool is_surrogate(uint32_t character)
{
    return (character & 0xfffff800) == 0xd800;
}

static inline bool is_first(uint32_t unit)
{
    return (unit & 0xfc00) == 0xd800;
}

static inline bool is_second(uint32_t unit)
{
    return (unit & 0xfc00) == 0xdc00;
}

// The character at *at, which moves behind it; a surrogate where it is alone.
static inline uint32_t utf16_read(const uint8_t **at, const uint8_t *end)
{
    uint32_t unit = utf16_unit(*at);
    *at += 2;
    if (!is_first(unit) || end - *at < 2 || !is_second(utf16_unit(*at)))
        return unit;
    uint32_t second = utf16_unit(*at);
    *at += 2;
    return 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00);
}

// ---- Printing ----

static size_t utf16_text_size(tr_bytes bytes)
{
    const uint8_t *at = bytes.ptr, *end = at + bytes.len / 2 * 2;
    size_t size = 0;
    at += tr__wide_utf16_text_size(at, (size_t)(end - at), &size);
    while (at < end) {
        uint32_t character = utf16_read(&at, end); // a surrogate alone counts as U+FFFD does
        size += character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    }
    return size;
}

static void utf16_print(tr_bytes bytes, char *text)
{
    const uint8_t *at = bytes.ptr, *end = at + bytes.len / 2 * 2;
    uint8_t *to = (uint8_t *)text;
    while (at < end) {
        at += tr__wide_utf16_print(at, (size_t)(end - at), &to);
        for (int i = 0; i < WIDE_UNITS && at < end; i++) {
            uint32_t character = utf16_read(&at, end);
            to += tr__utf8_write(is_surrogate(character) ? TR__UTF8_REPLACEMENT : character, to);
        }
    }
}

static size_t utf16_bytes_check(tr_bytes bytes)
{
    const uint8_t *begin = bytes.ptr, *at = begin, *end = at + bytes.len / 2 * 2;
    while (at < end) {
        const uint8_t *next = at;
        uint32_t character = utf16_read(&next, end);
        if (is_surrogate(character))
            break;
        at = next;
    }
    return (size_t)(at - begin);
}

static size_t utf16_incomplete(tr_bytes bytes)
{
    size_t odd = bytes.len % 2;
    const uint8_t *end = (const uint8_t *)bytes.ptr + bytes.len - odd;
    return bytes.len >= 2 && is_first(utf16_unit(end - 2)) ? 2 + odd : odd;
}

// ---- Parsing ----

static size_t utf16_bytes_max(tr_str text)
{
    return text.len * 2;
}

static uint8_t *write_unit(uint32_t unit, uint8_t *to)
{
    to[0] = (uint8_t)unit;
    to[1] = (uint8_t)(unit >> 8);
    return to + 2;
}

static size_t utf16_parse(tr_str text, tr_room room)
{
    const uint8_t *at = (const uint8_t *)text.ptr, *end = at + text.len, *valid_end = at;
    uint8_t *to = room.ptr, *to_end = to + room.len / 2 * 2;
    while (at < end && to < to_end) {
        size_t left = (size_t)(end - at), fits = (size_t)(to_end - to);
        if (at >= valid_end) // of no more text than has room
            valid_end = at + tr__utf8_valid(at, left / 2 < fits ? left : 2 * fits);
        at += tr__wide_utf16_parse(at, (size_t)(valid_end - at), &to, fits);
        for (int i = 0; i < WIDE_UNITS && at < end && to < to_end; i++) {
            uint32_t character = tr__utf8_read(&at, end);
            if (character >= 0x10000) {
                if (to_end - to < 4)
                    return (size_t)(to - (uint8_t *)room.ptr);
                to = write_unit(0xd800 + ((character - 0x10000) >> 10), to);
                character = 0xdc00 + (character & 0x3ff);
            }
            to = write_unit(character, to);
        }
    }
    return (size_t)(to - (uint8_t *)room.ptr);
}

const tr__codec tr__codec_utf16le = {
    .text_size = utf16_text_size,
    .print = utf16_print,
    .bytes_check = utf16_bytes_check,
    .incomplete = utf16_incomplete,
    .bytes_max = utf16_bytes_max,
    .parse = utf16_parse,
    .text_check = tr__utf8_text_check,
};
