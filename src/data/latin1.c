// Latin-1, a byte for each of the characters U+0000 to U+00FF, and ASCII, which is Latin-1 but that
// only 7 bits of a byte are printed. Parsing takes the low 8 bits of each UTF-16 unit, as Node
// does.
#include <string.h>

#include "data/codec.h"
#include "data/utf8.h"
#include "data/wide.h"

// ---- Printing ----

static size_t latin1_text_size(tr_bytes bytes)
{
    const uint8_t *from = bytes.ptr;
    size_t size = bytes.len;
    for (size_t i = tr__wide_high_bits(from, bytes.len, &size); i < bytes.len; i++)
        size += from[i] >> 7;
    return size;
}

static void latin1_print(tr_bytes bytes, char *text)
{
    const uint8_t *at = bytes.ptr, *end = at + bytes.len;
    uint8_t *to = (uint8_t *)text;
    while (at < end) {
        size_t plain = tr__utf8_ascii(at, (size_t)(end - at));
        memcpy(to, at, plain);
        at += plain;
        to += plain;
        at += tr__wide_latin1_print(at, (size_t)(end - at), &to);
        for (; at < end && *at >= 0x80; at++)
            to += tr__utf8_write(*at, to);
    }
}

static size_t ascii_text_size(tr_bytes bytes)
{
    return bytes.len;
}

static void ascii_print(tr_bytes bytes, char *to)
{
    const uint8_t *from = bytes.ptr;
    for (size_t i = 0; i < bytes.len; i++)
        to[i] = (char)(from[i] & 0x7f);
}

static size_t ascii_bytes_check(tr_bytes bytes)
{
    return tr__utf8_ascii(bytes.ptr, bytes.len);
}

// ---- Parsing ----

static size_t latin1_bytes_max(tr_str text)
{
    return text.len; // a character of n bytes has at most n / 2 units
}

static size_t latin1_parse(tr_str text, tr_room room)
{
    const uint8_t *at = (const uint8_t *)text.ptr, *end = at + text.len;
    uint8_t *to = room.ptr, *to_end = to + room.len;
    while (at < end && to < to_end) {
        size_t left = (size_t)(end - at), fits = (size_t)(to_end - to);
        size_t plain = tr__utf8_ascii(at, left < fits ? left : fits);
        memcpy(to, at, plain);
        at += plain;
        to += plain;
        at += tr__wide_latin1_parse(at, (size_t)(end - at), &to, (size_t)(to_end - to));
        while (at < end && *at >= 0x80 && to < to_end) {
            uint32_t character = tr__utf8_read(&at, end);
            if (character >= 0x10000) { // two units, and only both
                if (to_end - to < 2)
                    return (size_t)(to - (uint8_t *)room.ptr);
                *to++ = (uint8_t)((character - 0x10000) >> 10);
            }
            *to++ = (uint8_t)character;
        }
    }
    return (size_t)(to - (uint8_t *)room.ptr);
}

// The bytes in front of the first character that is not below limit.
static size_t check_below(tr_str text, uint32_t limit)
{
    const uint8_t *begin = (const uint8_t *)text.ptr, *at = begin, *end = at + text.len;
    while (at < end) {
        const uint8_t *next = at;
        uint32_t character = tr__utf8_read(&next, end);
        if (character >= limit)
            break;
        at = next;
    }
    return (size_t)(at - begin);
}

static size_t latin1_text_check(tr_str text)
{
    return check_below(text, 0x100);
}

static size_t ascii_text_check(tr_str text)
{
    return tr__utf8_ascii((const uint8_t *)text.ptr, text.len);
}

const tr__codec tr__codec_latin1 = {
    .text_size = latin1_text_size,
    .print = latin1_print,
    .bytes_max = latin1_bytes_max,
    .parse = latin1_parse,
    .text_check = latin1_text_check,
};

const tr__codec tr__codec_ascii = {
    .text_size = ascii_text_size,
    .print = ascii_print,
    .bytes_check = ascii_bytes_check,
    .bytes_max = latin1_bytes_max,
    .parse = latin1_parse,
    .text_check = ascii_text_check,
};
