// Hexadecimal: two digits a byte, lower case when printed, either when parsed. Parsing ends at the
// first pair that is not two digits.
#include "data/codec.h"
#include "data/wide.h"

static const uint8_t hex_values[256] = {
    ['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
    ['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['a'] = 0x1a, ['b'] = 0x1b,
    ['c'] = 0x1c, ['d'] = 0x1d, ['e'] = 0x1e, ['f'] = 0x1f, ['A'] = 0x1a, ['B'] = 0x1b,
    ['C'] = 0x1c, ['D'] = 0x1d, ['E'] = 0x1e, ['F'] = 0x1f,
}; // 0x10 marks a digit

static size_t hex_text_size(tr_bytes bytes)
{
    return bytes.len * 2;
}

static void hex_print(tr_bytes bytes, char *to)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes.ptr;
    for (size_t i = tr__wide_hex_print(from, bytes.len, to); i < bytes.len; i++) {
        to[2 * i] = digits[from[i] >> 4];
        to[2 * i + 1] = digits[from[i] & 15];
    }
}

static size_t hex_bytes_max(tr_str text)
{
    return text.len / 2;
}

static size_t hex_parse(tr_str text, tr_room room)
{
    const uint8_t *from = (const uint8_t *)text.ptr;
    uint8_t *to = room.ptr;
    size_t count = text.len / 2 < room.len ? text.len / 2 : room.len;
    size_t i = tr__wide_hex_parse(from, count, to);
    for (; i < count; i++) {
        uint8_t high = hex_values[from[2 * i]], low = hex_values[from[2 * i + 1]];
        if ((high & low & 0x10) == 0)
            break;
        to[i] = (uint8_t)(high << 4 | (low & 15));
    }
    return i;
}

static size_t hex_text_check(tr_str text)
{
    size_t digits = 0;
    while (digits < text.len && hex_values[(uint8_t)text.ptr[digits]] != 0)
        digits++;
    return digits == text.len ? digits & ~(size_t)1 : digits;
}

const tr__codec tr__codec_hex = {
    .text_size = hex_text_size,
    .print = hex_print,
    .bytes_max = hex_bytes_max,
    .parse = hex_parse,
    .text_check = hex_text_check,
};
