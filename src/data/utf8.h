// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF (Unicode table 3-7).
#ifndef TROUPE_DATA_UTF8_H
#define TROUPE_DATA_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <troupe/bytes.h>

#define TR__UTF8_MAX         4
#define TR__UTF8_REPLACEMENT 0xfffdu

// The bytes of the character at the front of text, of which `left` bytes are there, at least one.
// returns: 0 when it is none
size_t tr__utf8_length(const uint8_t *text, size_t left);

// The same where it is none: the bytes that one could begin with, at least one.
size_t tr__utf8_piece(const uint8_t *text, size_t left);

// The bytes at the front that are ASCII, and those that are whole characters.
size_t tr__utf8_ascii(const uint8_t *text, size_t size);
size_t tr__utf8_valid(const uint8_t *text, size_t size);
size_t tr__utf8_text_check(tr_str text);

// The character at *at, which moves behind it; TR__UTF8_REPLACEMENT and a piece where it is none.
uint32_t tr__utf8_read(const uint8_t **at, const uint8_t *end);

// Write a character that is no surrogate and not above U+10FFFF. Returns its bytes.
size_t tr__utf8_write(uint32_t character, uint8_t *to);

#endif
