// What printing JSON and parsing it share: which characters of a string stand for themselves, and
// the letters for some of those that do not.
#ifndef TROUPE_DATA_JSON_H
#define TROUPE_DATA_JSON_H

#include "data/utf8.h"

#define TR__JSON_ESCAPED "\"\\\b\f\n\r\t"
#define TR__JSON_LETTERS "\"\\bfnrt" // one for each of them, behind a backslash

// The bytes at the front of text that are the same in a JSON string.
static inline size_t tr__json_plain(const uint8_t *text, size_t size)
{
    size_t at = 0, length;
    while (at < size && text[at] >= ' ' && text[at] != '"' && text[at] != '\\' &&
           (length = tr__utf8_length(text + at, size - at)) > 0)
        at += length;
    return at;
}

#endif
