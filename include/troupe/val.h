/* Documents: what messages are made of.
 *
 * A document is null, a boolean, a number, text, bytes, an actor's address, a list, or a map. A
 * tr_val is one such thing, by value. It owns nothing: it is either built from C values,
 *
 *     TR_MAP("user", name, "tags", TR_LIST("a", "b"), "age", 42)
 *
 * and lives as long as the block that it was built in, or it is a view: of a packed (msgpack)
 * document, which lives as long as the bytes do, or of a C struct (troupe/struct.h). All kinds are
 * read by the same functions. Nothing here is copied before a document is packed, and sending
 * packs. */
#ifndef TROUPE_VAL_H
#define TROUPE_VAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <troupe/buf.h>
#include <troupe/bytes.h>
#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An actor's address: the node that it lives on, and its place there. By value; {0, 0} is nobody.
 * The address of an actor that has ended misses, it never means another actor. */
typedef struct tr_addr {
    uint64_t node;
    uint64_t actor;
} tr_addr;

#define TR_NOBODY (TR__LITERAL(tr_addr){0, 0})

static inline bool tr_addr_eq(tr_addr a, tr_addr b)
{
    return a.node == b.node && a.actor == b.actor;
}

typedef enum tr_type {
    TR_TYPE_NULL,
    TR_TYPE_BOOL,
    TR_TYPE_INT,  /* fits int64_t: every integer but those above INT64_MAX */
    TR_TYPE_UINT, /* above INT64_MAX */
    TR_TYPE_FLOAT,
    TR_TYPE_STR,
    TR_TYPE_BIN,
    TR_TYPE_ADDR,
    TR_TYPE_LIST,
    TR_TYPE_MAP,
    TR_TYPE_EXT /* a msgpack extension that is not one of ours: bytes with a number */
} tr_type;

/* Limits on any document that is packed or unpacked. */
#define TR_DEPTH_MAX 31         /* lists and maps inside each other; msgpack-c's own limit */
#define TR_DOC_MAX   0x4000000u /* 64 MiB packed */

/* Read it with the functions below; the members are not API. */
typedef struct tr_val {
    uint8_t type; /* tr_type */
    uint8_t form; /* list, map: what the items lie in; 0: an array of tr_val */
    int8_t ext;   /* the extension's number */
    uint32_t len; /* str, bin, ext: bytes; list: items; map: pairs */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
        const void *ptr;
        tr_addr addr;
        struct {
            const void *ptr;   /* the same as above */
            const void *table; /* of a struct, or the member that a list in it is */
        } c;
    } as;
} tr_val;

/* ---- Building. In C11 TR_V picks the right one by the type of its argument. ---- */

/* Member by member: compilers take that apart and keep values in registers; after a memset each
 * copy of the value waits for it (a map of one pair: 3 ns so, 22 ns otherwise). */
static inline tr_val tr_val_null(void)
{
    tr_val v;
    v.type = TR_TYPE_NULL;
    v.form = 0;
    v.ext = 0;
    v.len = 0;
    v.as.addr.node = 0;
    v.as.addr.actor = 0;
    return v;
}

static inline tr_val tr_val_bool(bool b)
{
    tr_val v = tr_val_null();
    v.type = TR_TYPE_BOOL;
    v.as.b = b;
    return v;
}

static inline tr_val tr_val_int(int64_t i)
{
    tr_val v = tr_val_null();
    v.type = TR_TYPE_INT;
    v.as.i = i;
    return v;
}

static inline tr_val tr_val_uint(uint64_t u)
{
    tr_val v = tr_val_null();
    v.type = u > (uint64_t)INT64_MAX ? TR_TYPE_UINT : TR_TYPE_INT;
    v.as.u = u;
    return v;
}

static inline tr_val tr_val_float(double f)
{
    tr_val v = tr_val_null();
    v.type = TR_TYPE_FLOAT;
    v.as.f = f;
    return v;
}

/* NULL text is null; a length above UINT32_MAX makes packing fail with TR_ETOOBIG. */
static inline tr_val tr_val_strn(const char *text, size_t len)
{
    tr_val v = tr_val_null();
    if (text != NULL) {
        v.type = TR_TYPE_STR;
        v.len = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
        v.as.ptr = text;
    }
    return v;
}

static inline tr_val tr_val_str(const char *text)
{
    return tr_val_strn(text, text != NULL ? strlen(text) : 0);
}

static inline tr_val tr_val_text(tr_str s)
{
    return tr_val_strn(s.ptr, s.len);
}

static inline tr_val tr_val_bin(tr_bytes bytes)
{
    tr_val v = tr_val_strn((const char *)bytes.ptr, bytes.len);
    if (v.type == TR_TYPE_STR)
        v.type = TR_TYPE_BIN;
    return v;
}

static inline tr_val tr_val_addr(tr_addr addr)
{
    tr_val v = tr_val_null();
    v.type = TR_TYPE_ADDR;
    v.as.addr = addr;
    return v;
}

static inline tr_val tr_val_self(tr_val v)
{
    return v;
}

/* borrows: items, for as long as the value is used. A map's items are key, value, key, value. A
 * count above UINT32_MAX makes packing fail with TR_ETOOBIG. */
static inline tr_val tr_val_list(const tr_val *items, size_t count)
{
    tr_val v = tr_val_null();
    v.type = TR_TYPE_LIST;
    v.len = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    v.as.ptr = items;
    return v;
}

static inline tr_val tr_val_map(const tr_val *items, size_t pairs)
{
    tr_val v = tr_val_list(items, pairs);
    v.type = TR_TYPE_MAP;
    return v;
}

/* C11's own true and false are ints: TR_V(true) would be the number 1. */
#define TR_NULL  tr_val_null()
#define TR_TRUE  tr_val_bool(true)
#define TR_FALSE tr_val_bool(false)

/* ---- Reading ---- */

/* The number of items of a list, pairs of a map, bytes of text or bytes; 0 for the rest. */
TR_API size_t tr_val_count(tr_val v);

/* The value of one key of a map. The first one, where a key is there twice.
 * returns: 0; TR_ENOENT when the key is not there; TR_EBADMSG when doc is not a map */
TR_API int tr_get(tr_val doc, const char *key, tr_val *ret_value);

/* The i-th item of a list.
 * returns: 0; TR_ENOENT when there are not so many; TR_EBADMSG when doc is not a list */
TR_API int tr_at(tr_val doc, size_t i, tr_val *ret_value);

/* One key of a map as one type.
 * returns: 0; TR_ENOENT when the key is not there; TR_EBADMSG when doc is not a map, the value has
 *          another type, or the number does not fit */
TR_API int tr_get_bool(tr_val doc, const char *key, bool *ret_value);
TR_API int tr_get_int(tr_val doc, const char *key, int64_t *ret_value);
TR_API int tr_get_uint(tr_val doc, const char *key, uint64_t *ret_value);
TR_API int tr_get_float(tr_val doc, const char *key, double *ret_value); /* takes integers, too */
TR_API int tr_get_str(tr_val doc, const char *key, tr_str *ret_value);
TR_API int tr_get_bin(tr_val doc, const char *key, tr_bytes *ret_value);
TR_API int tr_get_addr(tr_val doc, const char *key, tr_addr *ret_value);

/* A value as one type. returns: 0, or TR_EBADMSG as above */
TR_API int tr_as_bool(tr_val v, bool *ret_value);
TR_API int tr_as_int(tr_val v, int64_t *ret_value);
TR_API int tr_as_uint(tr_val v, uint64_t *ret_value);
TR_API int tr_as_float(tr_val v, double *ret_value);
TR_API int tr_as_str(tr_val v, tr_str *ret_value);
TR_API int tr_as_bin(tr_val v, tr_bytes *ret_value);
TR_API int tr_as_addr(tr_val v, tr_addr *ret_value);

/* Walk a list or a map in its order:
 *
 *     tr_iter it = tr_iter_of(doc);
 *     while (tr_iter_next(&it, &key, &value)) ...
 *
 * For a list key is the item's index. Anything else has no items. key may be NULL. */
typedef struct tr_iter {
    tr_val of;
    uint32_t index;
    const void *at;
} tr_iter;

TR_API tr_iter tr_iter_of(tr_val doc);
TR_API bool tr_iter_next(tr_iter *it, tr_val *ret_key, tr_val *ret_value);

/* Several keys of a map at once, all or nothing:
 *
 *     tr_str user;
 *     int age;
 *     int rc = TR_READ(body, "user", &user, "age", &age);
 *
 * Each key must be there with a value that fits the type of its variable; no variable is written
 * unless all do. Types: bool, the integer types from short up, float, double, tr_str, tr_bytes,
 * tr_addr, tr_val (any value).
 * returns: 0, or TR_EBADMSG */
typedef enum tr_field_type {
    TR_FIELD_BOOL,
    TR_FIELD_INT,
    TR_FIELD_UINT,
    TR_FIELD_FLOAT,
    TR_FIELD_STR,
    TR_FIELD_BYTES,
    TR_FIELD_ADDR,
    TR_FIELD_VAL,
    TR_FIELD_TEXT,  /* in a TR_STRUCT only: an array of char, and */
    TR_FIELD_STRUCT /* another struct */
} tr_field_type;

typedef struct tr_field {
    const char *key;
    tr_field_type type;
    size_t size; /* of the variable */
    void *ret_value;
} tr_field;

TR_API int tr_read(tr_val doc, const tr_field *fields, size_t count);

/* ---- Packed form and text ---- */

/* Pack a document into msgpack bytes.
 * gives:  *ret_packed
 * errors: TR_EINVAL, TR_ETOODEEP (deeper than TR_DEPTH_MAX), TR_ETOOBIG, TR_ENOMEM */
TR_API int tr_val_pack(tr_val v, tr_buf **ret_packed);

/* Check that the bytes are exactly one document within the limits, and view it. Takes no memory.
 * borrows: bytes, for as long as the value is used
 * errors:  TR_EINVAL, TR_EBADMSG (not msgpack, cut short, or followed by more), TR_ETOODEEP,
 *          TR_ETOOBIG */
TR_API int tr_val_unpack(const void *bytes, size_t size, tr_val *ret_value);

/* A document as JSON text (RFC 8259) on one line, NUL-terminated. What JSON lacks becomes a string
 * or null: bytes are base64, an address is "node/actor" in hexadecimal, a key that is no string is
 * its JSON as a string, NaN and infinities are null, bytes of text that are not UTF-8 become
 * U+FFFD.
 * gives:  *ret_text, for tr_free
 * errors: TR_EINVAL, TR_ETOODEEP (also when more than 3 keys that are no strings lie in each
 *         other), TR_ENOMEM */
TR_API int tr_json_print(tr_val v, char **ret_text);

/* Parse JSON text into a packed document. Integers that fit 64 bits stay integers.
 * gives:  *ret_packed
 * errors: TR_EINVAL, TR_EBADMSG (not JSON), TR_ETOODEEP, TR_ETOOBIG, TR_ENOMEM */
TR_API int tr_json_parse(const char *text, size_t size, tr_buf **ret_packed);

#ifdef __cplusplus
}
#define TR__LITERAL(type) type
#else
#define TR__LITERAL(type) (type)
#endif

/* ---- C11 only: values by type, maps and lists in place ---- */

/* A value from a C value: bool, any integer, float, double, const char *, tr_str, tr_bytes,
 * tr_addr, tr_val. Another type does not compile. */
#define TR_V(x)                                                                                    \
    _Generic((x),                                                                                  \
        bool: tr_val_bool,                                                                         \
        char: tr_val_int,                                                                          \
        signed char: tr_val_int,                                                                   \
        short: tr_val_int,                                                                         \
        int: tr_val_int,                                                                           \
        long: tr_val_int,                                                                          \
        long long: tr_val_int,                                                                     \
        unsigned char: tr_val_uint,                                                                \
        unsigned short: tr_val_uint,                                                               \
        unsigned: tr_val_uint,                                                                     \
        unsigned long: tr_val_uint,                                                                \
        unsigned long long: tr_val_uint,                                                           \
        float: tr_val_float,                                                                       \
        double: tr_val_float,                                                                      \
        char *: tr_val_str,                                                                        \
        const char *: tr_val_str,                                                                  \
        tr_str: tr_val_text,                                                                       \
        tr_bytes: tr_val_bin,                                                                      \
        tr_addr: tr_val_addr,                                                                      \
        tr_val: tr_val_self)(x)

/* Up to 32 arguments each, that is 16 pairs of a map; longer ones are built with tr_val_list and
 * tr_val_map. A map with a key and no value does not compile. */
#define TR_LIST(...)                                                                               \
    tr_val_list((const tr_val[]){TR__EACH(TR_V, __VA_ARGS__)}, TR__COUNT(__VA_ARGS__))
#define TR_MAP(...)                                                                                \
    tr_val_map((const tr_val[]){TR__EACH2(TR__PAIR, __VA_ARGS__)}, TR__PAIRS(__VA_ARGS__))
#define TR_EMPTY_LIST tr_val_list(NULL, 0)
#define TR_EMPTY_MAP  tr_val_map(NULL, 0)

#define TR_READ(doc, ...)                                                                          \
    tr_read((doc), (const tr_field[]){TR__EACH2(TR__FIELD, __VA_ARGS__)}, TR__PAIRS(__VA_ARGS__))

#define TR__PAIR(k, v) tr_val_str(k), TR_V(v)

#define TR__FIELD(k, p)                                                                            \
    {                                                                                              \
        (k), _Generic((p), TR__FIELD_TYPES), sizeof *(p), (p)                                      \
    }

/* For _Generic, by the type of a pointer. Types of one byte are missing: who passes TR_READ an
 * array of char wants text, not a number. */
/* clang-format off */
#define TR__FIELD_TYPES                                                                            \
    bool *: TR_FIELD_BOOL,                                                                         \
    short *: TR_FIELD_INT, unsigned short *: TR_FIELD_UINT,                                        \
    int *: TR_FIELD_INT, unsigned *: TR_FIELD_UINT,                                                \
    long *: TR_FIELD_INT, unsigned long *: TR_FIELD_UINT,                                          \
    long long *: TR_FIELD_INT, unsigned long long *: TR_FIELD_UINT,                                \
    float *: TR_FIELD_FLOAT, double *: TR_FIELD_FLOAT,                                             \
    tr_str *: TR_FIELD_STR, tr_bytes *: TR_FIELD_BYTES,                                            \
    tr_addr *: TR_FIELD_ADDR, tr_val *: TR_FIELD_VAL
/* clang-format on */

/* The machinery: TR__EACH(M, a, b) is M(a), M(b); TR__EACH2(M, a, b, c, d) is M(a, b), M(c, d). */
#define TR__COUNT(...)                                                                             \
    TR__COUNT_(__VA_ARGS__, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,    \
               15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define TR__COUNT_(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17,     \
                   _18, _19, _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, n,   \
                   ...)                                                                            \
    n
#define TR__PAIRS(...)             TR__PAIRS_(TR__COUNT(__VA_ARGS__))
#define TR__PAIRS_(n)              TR__PAIRS__(n)
#define TR__PAIRS__(n)             ((n) / 2)
#define TR__CAT(a, b)              TR__CAT_(a, b)
#define TR__CAT_(a, b)             a##b
#define TR__EACH(M, ...)           TR__CAT(TR__EACH_, TR__COUNT(__VA_ARGS__))(M, __VA_ARGS__)
#define TR__EACH_1(M, a)           M(a)
#define TR__EACH_2(M, a, ...)      M(a), TR__EACH_1(M, __VA_ARGS__)
#define TR__EACH_3(M, a, ...)      M(a), TR__EACH_2(M, __VA_ARGS__)
#define TR__EACH_4(M, a, ...)      M(a), TR__EACH_3(M, __VA_ARGS__)
#define TR__EACH_5(M, a, ...)      M(a), TR__EACH_4(M, __VA_ARGS__)
#define TR__EACH_6(M, a, ...)      M(a), TR__EACH_5(M, __VA_ARGS__)
#define TR__EACH_7(M, a, ...)      M(a), TR__EACH_6(M, __VA_ARGS__)
#define TR__EACH_8(M, a, ...)      M(a), TR__EACH_7(M, __VA_ARGS__)
#define TR__EACH_9(M, a, ...)      M(a), TR__EACH_8(M, __VA_ARGS__)
#define TR__EACH_10(M, a, ...)     M(a), TR__EACH_9(M, __VA_ARGS__)
#define TR__EACH_11(M, a, ...)     M(a), TR__EACH_10(M, __VA_ARGS__)
#define TR__EACH_12(M, a, ...)     M(a), TR__EACH_11(M, __VA_ARGS__)
#define TR__EACH_13(M, a, ...)     M(a), TR__EACH_12(M, __VA_ARGS__)
#define TR__EACH_14(M, a, ...)     M(a), TR__EACH_13(M, __VA_ARGS__)
#define TR__EACH_15(M, a, ...)     M(a), TR__EACH_14(M, __VA_ARGS__)
#define TR__EACH_16(M, a, ...)     M(a), TR__EACH_15(M, __VA_ARGS__)
#define TR__EACH_17(M, a, ...)     M(a), TR__EACH_16(M, __VA_ARGS__)
#define TR__EACH_18(M, a, ...)     M(a), TR__EACH_17(M, __VA_ARGS__)
#define TR__EACH_19(M, a, ...)     M(a), TR__EACH_18(M, __VA_ARGS__)
#define TR__EACH_20(M, a, ...)     M(a), TR__EACH_19(M, __VA_ARGS__)
#define TR__EACH_21(M, a, ...)     M(a), TR__EACH_20(M, __VA_ARGS__)
#define TR__EACH_22(M, a, ...)     M(a), TR__EACH_21(M, __VA_ARGS__)
#define TR__EACH_23(M, a, ...)     M(a), TR__EACH_22(M, __VA_ARGS__)
#define TR__EACH_24(M, a, ...)     M(a), TR__EACH_23(M, __VA_ARGS__)
#define TR__EACH_25(M, a, ...)     M(a), TR__EACH_24(M, __VA_ARGS__)
#define TR__EACH_26(M, a, ...)     M(a), TR__EACH_25(M, __VA_ARGS__)
#define TR__EACH_27(M, a, ...)     M(a), TR__EACH_26(M, __VA_ARGS__)
#define TR__EACH_28(M, a, ...)     M(a), TR__EACH_27(M, __VA_ARGS__)
#define TR__EACH_29(M, a, ...)     M(a), TR__EACH_28(M, __VA_ARGS__)
#define TR__EACH_30(M, a, ...)     M(a), TR__EACH_29(M, __VA_ARGS__)
#define TR__EACH_31(M, a, ...)     M(a), TR__EACH_30(M, __VA_ARGS__)
#define TR__EACH_32(M, a, ...)     M(a), TR__EACH_31(M, __VA_ARGS__)
#define TR__EACH2(M, ...)          TR__CAT(TR__EACH2_, TR__COUNT(__VA_ARGS__))(M, __VA_ARGS__)
#define TR__EACH2_2(M, a, b)       M(a, b)
#define TR__EACH2_4(M, a, b, ...)  M(a, b), TR__EACH2_2(M, __VA_ARGS__)
#define TR__EACH2_6(M, a, b, ...)  M(a, b), TR__EACH2_4(M, __VA_ARGS__)
#define TR__EACH2_8(M, a, b, ...)  M(a, b), TR__EACH2_6(M, __VA_ARGS__)
#define TR__EACH2_10(M, a, b, ...) M(a, b), TR__EACH2_8(M, __VA_ARGS__)
#define TR__EACH2_12(M, a, b, ...) M(a, b), TR__EACH2_10(M, __VA_ARGS__)
#define TR__EACH2_14(M, a, b, ...) M(a, b), TR__EACH2_12(M, __VA_ARGS__)
#define TR__EACH2_16(M, a, b, ...) M(a, b), TR__EACH2_14(M, __VA_ARGS__)
#define TR__EACH2_18(M, a, b, ...) M(a, b), TR__EACH2_16(M, __VA_ARGS__)
#define TR__EACH2_20(M, a, b, ...) M(a, b), TR__EACH2_18(M, __VA_ARGS__)
#define TR__EACH2_22(M, a, b, ...) M(a, b), TR__EACH2_20(M, __VA_ARGS__)
#define TR__EACH2_24(M, a, b, ...) M(a, b), TR__EACH2_22(M, __VA_ARGS__)
#define TR__EACH2_26(M, a, b, ...) M(a, b), TR__EACH2_24(M, __VA_ARGS__)
#define TR__EACH2_28(M, a, b, ...) M(a, b), TR__EACH2_26(M, __VA_ARGS__)
#define TR__EACH2_30(M, a, b, ...) M(a, b), TR__EACH2_28(M, __VA_ARGS__)
#define TR__EACH2_32(M, a, b, ...) M(a, b), TR__EACH2_30(M, __VA_ARGS__)

#endif
