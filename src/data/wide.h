// The beginnings of conversions in steps of 32 bytes, where the processor has AVX2. Each does what
// it can from the front and returns how much that was, in bytes of what its comment says; 0 where
// there is no AVX2. The caller goes on from there, so nobody depends on them.
#ifndef TROUPE_DATA_WIDE_H
#define TROUPE_DATA_WIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Returns: bytes that are ASCII.
size_t tr__wide_ascii(const uint8_t *bytes, size_t size);

// Returns: bytes of whole characters.
size_t tr__wide_utf8(const uint8_t *bytes, size_t size);

// Returns: bytes printed.
size_t tr__wide_hex_print(const uint8_t *bytes, size_t size, char *to);
size_t tr__wide_base64_print(const uint8_t *bytes, size_t size, bool url, char *to);

// `size` is what is to be written, of twice as many digits. Returns: bytes written.
size_t tr__wide_hex_parse(const uint8_t *digits, size_t size, uint8_t *to);

// Of either alphabet. Returns: digits parsed, a multiple of 4.
size_t tr__wide_base64_parse(const uint8_t *digits, size_t size, uint8_t *to, size_t room);

#endif
