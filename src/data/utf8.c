// One character at a time, by Unicode's table 3-7: the lead byte says how many bytes follow, and
// only four leads limit the first of these further. What the table does not list is no character.
// Texts in messages are short and mostly ASCII, so there is nothing to gain from more than that.
#include "data/utf8.h"

#include <stdbool.h>

#include "base/assert.h"

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

size_t tr__utf8_length(const uint8_t *text, size_t left)
{
    uint8_t lead = text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (left < length || !utf8_second(lead, text[1]))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return length;
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
