/* Bytes in memory: views that own nothing, and what can be done through them.
 *
 * A tr_bytes is read, a tr_room is written, a tr_str is text; all three are a pointer and a length,
 * by value, and live as long as the memory that they point to. A buffer is seen through them, too
 * (tr_buf_bytes, tr_buf_room). A pointer may be NULL where the length is 0, and nowhere else. */
#ifndef TROUPE_BYTES_H
#define TROUPE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_bytes {
    const void *ptr;
    size_t len;
} tr_bytes;

typedef struct tr_room {
    void *ptr;
    size_t len;
} tr_room;

/* Length counted, not NUL-terminated. */
typedef struct tr_str {
    const char *ptr;
    size_t len;
} tr_str;

/* For printf: printf("%.*s", TR_STR_ARG(s)) */
#define TR_STR_ARG(s) (int)(s).len, (s).ptr

static inline tr_bytes tr_bytes_of(const void *ptr, size_t len)
{
    tr_bytes bytes;
    bytes.ptr = ptr;
    bytes.len = len;
    return bytes;
}

static inline tr_room tr_room_of(void *ptr, size_t len)
{
    tr_room room;
    room.ptr = ptr;
    room.len = len;
    return room;
}

/* The text up to its NUL; NULL is the empty text. */
static inline tr_str tr_str_of(const char *text)
{
    tr_str s;
    s.ptr = text;
    s.len = text != NULL ? strlen(text) : 0;
    return s;
}

static inline bool tr_str_eq(tr_str a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.ptr, text, a.len) == 0;
}

/* ---- Comparing and searching ---- */

static inline bool tr_bytes_eq(tr_bytes a, tr_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The order of the first bytes that differ, as unsigned numbers; where one is the beginning of the
 * other, the shorter one comes first.
 * returns: -1, 0 or 1 */
TR_API int tr_bytes_compare(tr_bytes a, tr_bytes b);

#define TR_NOWHERE SIZE_MAX

/* Where `what` begins in bytes for the first time, at `from` or behind it. Nothing is found
 * everywhere: at from, or at the end if that comes first.
 * returns: an index, or TR_NOWHERE */
TR_API size_t tr_bytes_find(tr_bytes bytes, tr_bytes what, size_t from);

/* Where `what` begins in bytes for the last time, at `from` or before it (SIZE_MAX: anywhere). What
 * repeats itself may take time proportional to both lengths.
 * returns: an index, or TR_NOWHERE */
TR_API size_t tr_bytes_find_last(tr_bytes bytes, tr_bytes what, size_t from);

/* ---- Writing ---- */

/* Copy as many bytes as there is room for. The two may overlap.
 * returns: how many */
TR_API size_t tr_room_copy(tr_room to, tr_bytes from);

/* Repeat the pattern until all is written; its last repetition may be cut. An empty pattern stands
 * for zeros. The two may not overlap.
 * errors: TR_EINVAL */
TR_API int tr_room_fill(tr_room to, tr_bytes pattern);

/* Reverse the bytes of every number of 2, 4 or 8 bytes.
 * errors: TR_EINVAL (another width, or the length is not a multiple of it) */
TR_API int tr_room_swap(tr_room numbers, size_t width);

/* ---- Numbers ----
 *
 * A word says how a number lies in the bytes: which end comes first, and its width. Its value is
 * the width in bytes, negative when the big end comes first, so it can be computed, too. */
typedef enum tr_word {
    TR_BYTE = 1,
    TR_LE16 = 2,
    TR_LE24 = 3,
    TR_LE32 = 4,
    TR_LE40 = 5,
    TR_LE48 = 6,
    TR_LE56 = 7,
    TR_LE64 = 8,
    TR_BE16 = -2,
    TR_BE24 = -3,
    TR_BE32 = -4,
    TR_BE40 = -5,
    TR_BE48 = -6,
    TR_BE56 = -7,
    TR_BE64 = -8
} tr_word;

/* The number at an offset. The compiler makes one load of it where the word is a constant.
 * errors: TR_EINVAL (the number is not inside the bytes; no such word; for floats: not of 32 or 64
 *         bits) */
static inline int tr_bytes_uint(tr_bytes bytes, size_t at, tr_word word, uint64_t *ret_value);
static inline int tr_bytes_int(tr_bytes bytes, size_t at, tr_word word, int64_t *ret_value);
static inline int tr_bytes_float(tr_bytes bytes, size_t at, tr_word word, double *ret_value);

/* Write a number at an offset. A double that is too large for 32 bits becomes infinite, and every
 * NaN the same one.
 * errors: TR_EINVAL (as above), TR_ETOOBIG (an integer does not fit the word; nothing is written)
 */
static inline int tr_room_uint(tr_room to, size_t at, tr_word word, uint64_t value);
static inline int tr_room_int(tr_room to, size_t at, tr_word word, int64_t value);
static inline int tr_room_float(tr_room to, size_t at, tr_word word, double value);

/* ---- For people ---- */

/* Enough for any tr_bytes_inspect. */
#define TR_INSPECT_MAX 200

/* What Node prints of a buffer: <Buffer 48 65 6c 6c 6f>, of 50 bytes at most. It is cut to size,
 * its NUL included.
 * returns: text */
TR_API const char *tr_bytes_inspect(tr_bytes bytes, char *text, size_t size);

/* ---- The rest is how numbers are read and written ---- */

#define TR__BIG_END_FIRST (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline size_t tr__word_width(tr_word word)
{
    return (size_t)(word < 0 ? -word : word);
}

static inline bool tr__word_inside(size_t len, size_t at, tr_word word)
{
    size_t width = tr__word_width(word);
    return width >= 1 && width <= 8 && at <= len && width <= len - at;
}

/* From the order in memory to ours, or back: both ways are the same. The bytes of a number of less
 * than 64 bits are the first ones in memory. */
static inline uint64_t tr__word_turn(uint64_t bits, tr_word word)
{
    return (word < 0) == TR__BIG_END_FIRST ? bits : __builtin_bswap64(bits);
}

static inline int tr_bytes_uint(tr_bytes bytes, size_t at, tr_word word, uint64_t *ret_value)
{
    uint64_t bits = 0;
    if (ret_value == NULL || !tr__word_inside(bytes.len, at, word))
        return TR_EINVAL;
    memcpy(&bits, (const char *)bytes.ptr + at, tr__word_width(word));
    bits = tr__word_turn(bits, word);
    *ret_value = word < 0 ? bits >> (64 - 8 * tr__word_width(word)) : bits;
    return 0;
}

static inline int tr_bytes_int(tr_bytes bytes, size_t at, tr_word word, int64_t *ret_value)
{
    uint64_t bits;
    int rc = ret_value != NULL ? tr_bytes_uint(bytes, at, word, &bits) : TR_EINVAL;
    if (rc == 0) {
        size_t unused = 64 - 8 * tr__word_width(word);
        *ret_value = (int64_t)(bits << unused) >> unused;
    }
    return rc;
}

static inline int tr_bytes_float(tr_bytes bytes, size_t at, tr_word word, double *ret_value)
{
    uint64_t bits;
    size_t width = tr__word_width(word);
    if (ret_value == NULL || (width != 4 && width != 8) ||
        tr_bytes_uint(bytes, at, word, &bits) < 0)
        return TR_EINVAL;
    if (width == 8) {
        memcpy(ret_value, &bits, sizeof bits);
    } else {
        uint32_t bits32 = (uint32_t)bits;
        float narrow;
        memcpy(&narrow, &bits32, sizeof narrow);
        *ret_value = narrow;
    }
    return 0;
}

static inline int tr_room_uint(tr_room to, size_t at, tr_word word, uint64_t value)
{
    size_t unused = 64 - 8 * tr__word_width(word);
    if (!tr__word_inside(to.len, at, word))
        return TR_EINVAL;
    if (value << unused >> unused != value)
        return TR_ETOOBIG;
    uint64_t bits = tr__word_turn(word < 0 ? value << unused : value, word);
    memcpy((char *)to.ptr + at, &bits, tr__word_width(word));
    return 0;
}

static inline int tr_room_int(tr_room to, size_t at, tr_word word, int64_t value)
{
    size_t unused = 64 - 8 * tr__word_width(word);
    if (!tr__word_inside(to.len, at, word))
        return TR_EINVAL;
    if ((int64_t)((uint64_t)value << unused) >> unused != value)
        return TR_ETOOBIG;
    return tr_room_uint(to, at, word, (uint64_t)value << unused >> unused);
}

static inline int tr_room_float(tr_room to, size_t at, tr_word word, double value)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    uint32_t bits32 = UINT32_C(0x7fc00000);
    float narrow = (float)value;
    if (value == value) {
        memcpy(&bits, &value, sizeof bits);
        memcpy(&bits32, &narrow, sizeof bits32);
    }
    switch (tr__word_width(word)) {
    case 4:
        return tr_room_uint(to, at, word, bits32);
    case 8:
        return tr_room_uint(to, at, word, bits);
    default:
        return TR_EINVAL;
    }
}

#ifdef __cplusplus
}
#endif
#endif
