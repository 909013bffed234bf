// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode table 3-7).
#ifndef TROUPE_DATA_UTF8_H
#define TROUPE_DATA_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define TR__UTF8_MAX 4

// The bytes of the character at the front of text, of which `left` bytes are there, at least one.
// returns: 0 when it is none
size_t tr__utf8_length(const uint8_t *text, size_t left);

// Write a character that is no surrogate and not above U+10FFFF. Returns its bytes.
size_t tr__utf8_write(uint32_t character, uint8_t *to);

#endif
