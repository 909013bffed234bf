// One character at a time, by Unicode's table 3-7: the lead byte says how many bytes follow, and
// only four leads limit the first of these further. What the table does not list is no character.
// Long texts are checked in wide steps first.
//
// As an encoding UTF-8 is text and bytes at once, so printing and parsing are the same: what is no
// character becomes U+FFFD, one for each longest piece that a character could begin with.
#include "data/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "data/codec.h"
#include "data/wide.h"

static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; // U+FFFD

// Whether the second byte may follow this lead.
static bool utf8_second(uint8_t lead, uint8_t second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0; // below: overlong
    case 0xed:
        return second < 0xa0; // from there: surrogates
    case 0xf0:
        return second >= 0x90; // below: overlong
    case 0xf4:
        return second < 0x90; // from there: above U+10FFFF
    default:
        return true;
    }
}

// The length that a lead byte stands for; 0 for what is none.
static size_t utf8_announced(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static bool utf8_continues(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t tr__utf8_length(const uint8_t *text, size_t left)
{
    size_t length = utf8_announced(text[0]);
    if (length <= 1)
        return length;
    if (left < length || !utf8_second(text[0], text[1]))
        return 0;
    for (size_t i = 1; i < length; i++)
        if (!utf8_continues(text[i]))
            return 0;
    return length;
}

size_t tr__utf8_piece(const uint8_t *text, size_t left)
{
    size_t length = utf8_announced(text[0]), piece = 1;
    if (length < 2 || left < 2 || !utf8_second(text[0], text[1]))
        return 1;
    while (piece < length && piece < left && utf8_continues(text[piece]))
        piece++;
    return piece;
}

size_t tr__utf8_write(uint32_t character, uint8_t *to)
{
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    tr_assert(character <= 0x10ffff && (character & 0x1ff800) != 0xd800);
    if (character < 0x80) {
        to[0] = (uint8_t)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        to[i] = (uint8_t)(0x80 | (character & 0x3f));
    to[0] = (uint8_t)(leads[length] | character);
    return length;
}

size_t tr__utf8_ascii(const uint8_t *text, size_t size)
{
    size_t at = tr__wide_ascii(text, size);
    for (uint64_t eight; size - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, text + at, sizeof eight);
        if ((eight & 0x8080808080808080u) != 0)
            break;
    }
    while (at < size && text[at] < 0x80)
        at++;
    return at;
}

size_t tr__utf8_valid(const uint8_t *text, size_t size)
{
    size_t at = tr__wide_utf8(text, size), length = 1;
    while (at < size && (length = tr__utf8_length(text + at, size - at)) > 0)
        at += length;
    return at;
}

uint32_t tr__utf8_read(const uint8_t **at, const uint8_t *end)
{
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const uint8_t *text = *at;
    size_t length = tr__utf8_length(text, (size_t)(end - text));
    if (length == 0) {
        *at += tr__utf8_piece(text, (size_t)(end - text));
        return TR__UTF8_REPLACEMENT;
    }
    uint32_t character = text[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (text[i] & 0x3f);
    *at += length;
    return character;
}

// ---- The encoding ----

static size_t utf8_size(tr_bytes bytes)
{
    const uint8_t *at = bytes.ptr, *end = at + bytes.len;
    for (size_t size = 0;; size += sizeof replacement) {
        size_t valid = tr__utf8_valid(at, (size_t)(end - at));
        size += valid;
        at += valid;
        if (at == end)
            return size;
        at += tr__utf8_piece(at, (size_t)(end - at));
    }
}

// The most of a text, which is valid, that is whole characters and no longer than room.
static size_t utf8_cut(const uint8_t *text, size_t size, size_t room)
{
    if (size <= room)
        return size;
    while (room > 0 && utf8_continues(text[room]))
        room--;
    return room;
}

static size_t utf8_clean(const uint8_t *at, size_t size, uint8_t *to, size_t room)
{
    const uint8_t *end = at + size;
    size_t done = 0;
    for (;;) {
        // A character more than has room is enough to see that there is none.
        size_t left = (size_t)(end - at), fits = room - done;
        bool all = left < TR__UTF8_MAX || left - TR__UTF8_MAX < fits;
        size_t valid = tr__utf8_valid(at, all ? left : fits + TR__UTF8_MAX);
        size_t whole = utf8_cut(at, valid, fits);
        memcpy(to + done, at, whole);
        done += whole;
        at += valid;
        if (at == end || whole < valid || room - done < sizeof replacement)
            return done;
        memcpy(to + done, replacement, sizeof replacement);
        done += sizeof replacement;
        at += tr__utf8_piece(at, (size_t)(end - at));
    }
}

static void utf8_print(tr_bytes bytes, char *to)
{
    utf8_clean(bytes.ptr, bytes.len, (uint8_t *)to, SIZE_MAX);
}

static size_t utf8_bytes_check(tr_bytes bytes)
{
    return tr__utf8_valid(bytes.ptr, bytes.len);
}

static size_t utf8_incomplete(tr_bytes bytes)
{
    const uint8_t *end = (const uint8_t *)bytes.ptr + bytes.len;
    for (size_t back = 1; back <= 3 && back <= bytes.len; back++)
        if (!utf8_continues(end[-(ptrdiff_t)back])) {
            const uint8_t *lead = end - back;
            bool begins = back < utf8_announced(*lead) && tr__utf8_piece(lead, back) == back;
            return begins ? back : 0;
        }
    return 0;
}

static size_t utf8_bytes_max(tr_str text)
{
    return utf8_size((tr_bytes){text.ptr, text.len});
}

static size_t utf8_parse(tr_str text, tr_room room)
{
    return utf8_clean((const uint8_t *)text.ptr, text.len, room.ptr, room.len);
}

size_t tr__utf8_text_check(tr_str text)
{
    return tr__utf8_valid((const uint8_t *)text.ptr, text.len);
}

const tr__codec tr__codec_utf8 = {
    .text_size = utf8_size,
    .print = utf8_print,
    .bytes_check = utf8_bytes_check,
    .incomplete = utf8_incomplete,
    .bytes_max = utf8_bytes_max,
    .parse = utf8_parse,
    .text_check = tr__utf8_text_check,
};
