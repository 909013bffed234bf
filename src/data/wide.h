// The beginnings of conversions, many bytes at a time, where the processor has the instructions for
// it. Each does what it can from the front and returns how much of its input that was; 0 where it
// has not. The caller goes on from there, so nobody depends on them.
#ifndef TROUPE_DATA_WIDE_H
#define TROUPE_DATA_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- With AVX2 ----

// Returns: bytes that are ASCII.
size_t tr__wide_ascii(const uint8_t *bytes, size_t size);

// Adds to *count those that are not. Returns: bytes looked at.
size_t tr__wide_high_bits(const uint8_t *bytes, size_t size, size_t *count);

// Returns: bytes of whole characters.
size_t tr__wide_utf8(const uint8_t *bytes, size_t size);

// Returns: bytes printed.
size_t tr__wide_hex_print(const uint8_t *bytes, size_t size, char *to);
size_t tr__wide_base64_print(const uint8_t *bytes, size_t size, bool url, char *to);

// `size` is what is to be written, of twice as many digits. Returns: bytes written.
size_t tr__wide_hex_parse(const uint8_t *digits, size_t size, uint8_t *to);

// Of either alphabet. Returns: digits parsed, a multiple of 4.
size_t tr__wide_base64_parse(const uint8_t *digits, size_t size, uint8_t *to, size_t room);

// ---- With AVX-512 only. *to moves behind what was written. ----

// All of them, if any.
size_t tr__wide_latin1_print(const uint8_t *bytes, size_t size, uint8_t **to);

// Up to a surrogate, and not quite as far.
size_t tr__wide_utf16_print(const uint8_t *units, size_t size, uint8_t **to);

// All of them, if any. Writes *ret_size then.
size_t tr__wide_utf16_text_size(const uint8_t *units, size_t size, size_t *ret_size);

// Up to a character above U+00FF, or what is none, or to where room may end.
size_t tr__wide_latin1_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room);

// `text` is valid UTF-8. Up to a character above U+FFFF, or to where room may end.
size_t tr__wide_utf16_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room);

#endif
