// Base64 and base64url (RFC 4648). Printing them differs, and checking; parsing takes the digits of
// both alphabets, passes over all else and ends at the first '=', as Node does.
//
// Parsing goes at three speeds: wide steps, then groups of four digits, and digit by digit only
// where something is between them; after each such group it tries the faster ways again, since text
// is often broken into lines.
#include "data/base64.h"

#include "data/codec.h"
#include "data/wide.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The values of the digits of both alphabets, with a mark.
#define DIGIT 64
static const uint8_t base64_values[256] = {
    ['A'] = 64,  ['B'] = 65,  ['C'] = 66,  ['D'] = 67,  ['E'] = 68,  ['F'] = 69,  ['G'] = 70,
    ['H'] = 71,  ['I'] = 72,  ['J'] = 73,  ['K'] = 74,  ['L'] = 75,  ['M'] = 76,  ['N'] = 77,
    ['O'] = 78,  ['P'] = 79,  ['Q'] = 80,  ['R'] = 81,  ['S'] = 82,  ['T'] = 83,  ['U'] = 84,
    ['V'] = 85,  ['W'] = 86,  ['X'] = 87,  ['Y'] = 88,  ['Z'] = 89,  ['a'] = 90,  ['b'] = 91,
    ['c'] = 92,  ['d'] = 93,  ['e'] = 94,  ['f'] = 95,  ['g'] = 96,  ['h'] = 97,  ['i'] = 98,
    ['j'] = 99,  ['k'] = 100, ['l'] = 101, ['m'] = 102, ['n'] = 103, ['o'] = 104, ['p'] = 105,
    ['q'] = 106, ['r'] = 107, ['s'] = 108, ['t'] = 109, ['u'] = 110, ['v'] = 111, ['w'] = 112,
    ['x'] = 113, ['y'] = 114, ['z'] = 115, ['0'] = 116, ['1'] = 117, ['2'] = 118, ['3'] = 119,
    ['4'] = 120, ['5'] = 121, ['6'] = 122, ['7'] = 123, ['8'] = 124, ['9'] = 125, ['+'] = 126,
    ['-'] = 126, ['/'] = 127, ['_'] = 127,
};

// ---- Printing ----

static char *print_group(uint32_t bits, const char *digits, char *to)
{
    to[0] = digits[bits >> 18];
    to[1] = digits[bits >> 12 & 63];
    to[2] = digits[bits >> 6 & 63];
    to[3] = digits[bits & 63];
    return to + 4;
}

// Returns the end of the text, without padding.
static char *print_digits(tr_bytes bytes, bool url, char *to)
{
    const char *digits = url ? base64url_digits : base64_digits;
    const uint8_t *at = bytes.ptr;
    size_t done = tr__wide_base64_print(at, bytes.len, url, to), left = bytes.len - done;
    to += done / 3 * 4;
    for (at += done; left >= 3; at += 3, left -= 3)
        to = print_group((uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2], digits, to);
    if (left == 0)
        return to;
    uint32_t bits = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
    char last[4];
    print_group(bits, digits, last);
    for (size_t i = 0; i <= left; i++)
        *to++ = last[i];
    return to;
}

size_t tr__base64_size(tr_bytes bytes)
{
    return (bytes.len + 2) / 3 * 4;
}

void tr__base64_print(tr_bytes bytes, char *to)
{
    char *end = to + tr__base64_size(bytes);
    for (to = print_digits(bytes, false, to); to < end; to++)
        *to = '=';
}

static size_t base64url_text_size(tr_bytes bytes)
{
    return bytes.len / 3 * 4 + (bytes.len % 3 > 0 ? bytes.len % 3 + 1 : 0);
}

static void base64url_print(tr_bytes bytes, char *to)
{
    print_digits(bytes, true, to);
}

static size_t base64_incomplete(tr_bytes bytes)
{
    return bytes.len % 3;
}

// ---- Parsing ----

static size_t base64_bytes_max(tr_str text)
{
    return text.len / 4 * 3 + 3;
}

// Groups of four digits with nothing in between. Returns the digits taken.
static size_t parse_groups(const uint8_t *from, size_t size, uint8_t *to, size_t room)
{
    size_t done = 0;
    for (; size - done >= 4 && room >= 3; done += 4, room -= 3) {
        uint32_t a = base64_values[from[done]], b = base64_values[from[done + 1]];
        uint32_t c = base64_values[from[done + 2]], d = base64_values[from[done + 3]];
        if ((a & b & c & d & DIGIT) == 0)
            break;
        uint32_t bits = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
        *to++ = (uint8_t)(bits >> 16);
        *to++ = (uint8_t)(bits >> 8);
        *to++ = (uint8_t)bits;
    }
    return done;
}

static size_t base64_parse(tr_str text, tr_room room)
{
    const uint8_t *at = (const uint8_t *)text.ptr, *end = at + text.len;
    uint8_t *to = room.ptr, *to_end = to + room.len;
    size_t digits;
    do {
        size_t done = tr__wide_base64_parse(at, (size_t)(end - at), to, (size_t)(to_end - to));
        done += parse_groups(at + done, (size_t)(end - at) - done, to + done / 4 * 3,
                             (size_t)(to_end - to) - done / 4 * 3);
        at += done;
        to += done / 4 * 3;
        uint32_t bits = 0;
        for (digits = 0; digits < 4 && at < end && *at != '='; at++) {
            uint8_t value = base64_values[*at];
            if (value & DIGIT)
                bits |= (uint32_t)(value & 63) << (18 - 6 * digits++);
        }
        for (size_t i = 0; i < digits * 6 / 8 && to < to_end; i++)
            *to++ = (uint8_t)(bits >> (16 - 8 * i));
    } while (digits == 4 && to < to_end);
    return (size_t)(to - (uint8_t *)room.ptr);
}

// ---- Checking ----

static size_t base64_check(tr_str text, const char *alphabet, bool padded)
{
    size_t digits = 0;
    uint8_t value = 0;
    for (; digits < text.len; digits++) {
        uint8_t next = base64_values[(uint8_t)text.ptr[digits]];
        if (next == 0 || alphabet[next & 63] != text.ptr[digits])
            break;
        value = next;
    }
    size_t over = digits % 4, whole = digits - over;
    if (over == 0)
        return digits;
    if (over == 1)
        return digits == text.len ? whole : digits;
    size_t end = digits, wanted = padded ? whole + 4 : text.len;
    while (padded && end < wanted && end < text.len && text.ptr[end] == '=')
        end++;
    if (end < wanted)
        return end == text.len ? whole : end;
    bool spare_bits = (value & (over == 2 ? 15 : 3)) != 0; // that belong to no byte
    return spare_bits ? digits - 1 : end;
}

static size_t base64_text_check(tr_str text)
{
    return base64_check(text, base64_digits, true);
}

static size_t base64url_text_check(tr_str text)
{
    return base64_check(text, base64url_digits, false);
}

const tr__codec tr__codec_base64 = {
    .text_size = tr__base64_size,
    .print = tr__base64_print,
    .incomplete = base64_incomplete,
    .bytes_max = base64_bytes_max,
    .parse = base64_parse,
    .text_check = base64_text_check,
};

const tr__codec tr__codec_base64url = {
    .text_size = base64url_text_size,
    .print = base64url_print,
    .incomplete = base64_incomplete,
    .bytes_max = base64_bytes_max,
    .parse = base64_parse,
    .text_check = base64url_text_check,
};
