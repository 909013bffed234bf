// Documents for tests: random ones from a seed, and whether two mean the same, also when one of
// them is msgpack-c's. No assertions here: the fuzz target uses this, too.
#ifndef TROUPE_TESTS_SUPPORT_DOCUMENT_H
#define TROUPE_TESTS_SUPPORT_DOCUMENT_H

#include <math.h>
#include <msgpack.h>
#include <troupe/val.h>

#include "data/doc.h"

// ---- The same meaning ----

static inline bool document_same_float(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static inline bool document_same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static inline bool document_same(tr_val a, tr_val b)
{
    if (a.type != b.type || a.len != b.len)
        return false;
    switch (a.type) {
    case TR_TYPE_NULL:
        return true;
    case TR_TYPE_BOOL:
        return a.as.b == b.as.b;
    case TR_TYPE_INT:
    case TR_TYPE_UINT:
        return a.as.u == b.as.u;
    case TR_TYPE_FLOAT:
        return document_same_float(a.as.f, b.as.f);
    case TR_TYPE_ADDR:
        return tr_addr_eq(a.as.addr, b.as.addr);
    case TR_TYPE_LIST:
    case TR_TYPE_MAP: {
        tr_iter ia = tr_iter_of(a), ib = tr_iter_of(b);
        tr_val ka, va, kb, vb;
        while (tr_iter_next(&ia, &ka, &va))
            if (!tr_iter_next(&ib, &kb, &vb) || !document_same(ka, kb) || !document_same(va, vb))
                return false;
        return !tr_iter_next(&ib, &kb, &vb);
    }
    default:
        return a.ext == b.ext && document_same_bytes(a.as.ptr, a.len, b.as.ptr, b.len);
    }
}

// An address as it is on the wire.
static inline void document_addr_bytes(tr_addr addr, uint8_t bytes[16])
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(addr.node >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(addr.actor >> (56 - 8 * i));
    }
}

static inline bool document_same_ext(tr_val a, const msgpack_object_ext *b)
{
    uint8_t bytes[16];
    if (a.type == TR_TYPE_EXT)
        return a.ext == b->type && document_same_bytes(a.as.ptr, a.len, b->ptr, b->size);
    document_addr_bytes(a.as.addr, bytes);
    return a.type == TR_TYPE_ADDR && b->type == TR__EXT_ADDR &&
           document_same_bytes(bytes, sizeof bytes, b->ptr, b->size);
}

// Whether msgpack-c has read the same.
static inline bool document_same_object(tr_val a, const msgpack_object *b)
{
    tr_iter it = tr_iter_of(a);
    tr_val key, value;
    switch (b->type) {
    case MSGPACK_OBJECT_NIL:
        return a.type == TR_TYPE_NULL;
    case MSGPACK_OBJECT_BOOLEAN:
        return a.type == TR_TYPE_BOOL && a.as.b == b->via.boolean;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return a.type == (b->via.u64 > INT64_MAX ? TR_TYPE_UINT : TR_TYPE_INT) &&
               a.as.u == b->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return a.type == TR_TYPE_INT && a.as.i == b->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return a.type == TR_TYPE_FLOAT && document_same_float(a.as.f, b->via.f64);
    case MSGPACK_OBJECT_STR:
        return a.type == TR_TYPE_STR &&
               document_same_bytes(a.as.ptr, a.len, b->via.str.ptr, b->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return a.type == TR_TYPE_BIN &&
               document_same_bytes(a.as.ptr, a.len, b->via.bin.ptr, b->via.bin.size);
    case MSGPACK_OBJECT_EXT:
        return document_same_ext(a, &b->via.ext);
    case MSGPACK_OBJECT_ARRAY:
        if (a.type != TR_TYPE_LIST || a.len != b->via.array.size)
            return false;
        for (uint32_t i = 0; tr_iter_next(&it, NULL, &value); i++)
            if (!document_same_object(value, &b->via.array.ptr[i]))
                return false;
        return it.index == b->via.array.size;
    case MSGPACK_OBJECT_MAP:
        if (a.type != TR_TYPE_MAP || a.len != b->via.map.size)
            return false;
        for (uint32_t i = 0; tr_iter_next(&it, &key, &value); i++)
            if (!document_same_object(key, &b->via.map.ptr[i].key) ||
                !document_same_object(value, &b->via.map.ptr[i].val))
                return false;
        return it.index == b->via.map.size;
    }
    return false;
}

// Whether msgpack-c takes these bytes as exactly one document, the same as v. Only for bytes that
// have passed tr__doc_scan: it reserves whatever a head claims.
static inline bool document_msgpack_reads(const void *bytes, size_t size, tr_val v)
{
    msgpack_unpacked unpacked;
    size_t used = 0;
    msgpack_unpacked_init(&unpacked);
    bool same = msgpack_unpack_next(&unpacked, bytes, size, &used) == MSGPACK_UNPACK_SUCCESS &&
                used == size && document_same_object(v, &unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    return same;
}

// ---- Random ones ----

typedef struct document_random {
    uint64_t state; // the seed, not 0
    tr_val items[4096];
    size_t used;
    char filler[70000]; // text and bytes point into it
} document_random;

static inline uint64_t document_next(document_random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

static inline void document_random_init(document_random *r, uint64_t seed)
{
    r->state = seed * 0x9e3779b97f4a7c15u + 1;
    r->used = 0;
    for (size_t i = 0; i < sizeof r->filler; i++)
        r->filler[i] = (char)document_next(r);
}

// Lengths and counts on both sides of each width; most are small.
static inline size_t document_random_len(document_random *r, size_t max)
{
    static const size_t edges[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    uint64_t bits = document_next(r);
    size_t len = bits % 8 != 0 ? bits >> 8 & 7 : edges[(bits >> 8) % 10];
    return len <= max ? len : max;
}

static inline tr_val document_random_val(document_random *r, unsigned depth)
{
    uint64_t bits = document_next(r), number = document_next(r) >> document_next(r) % 64;
    size_t len = document_random_len(r, 65536), offset = bits >> 32 & 1023;
    tr_val v;
    double f;
    switch (bits % (depth < TR_DEPTH_MAX ? 13 : 9)) {
    case 0:
        return tr_val_null();
    case 1:
        return tr_val_bool(bits >> 8 & 1);
    case 2:
        return tr_val_int((int64_t)number);
    case 3:
        return tr_val_int(-(int64_t)(number >> 1) - 1);
    case 4:
        return tr_val_uint(number);
    case 5:
        memcpy(&f, &number, sizeof f);
        return tr_val_float(f);
    case 6:
        return tr_val_strn(r->filler + offset, len);
    case 7:
        return tr_val_bin((tr_bytes){r->filler + offset, len});
    case 8:
        if (bits >> 8 & 1)
            return tr_val_addr((tr_addr){document_next(r), document_next(r)});
        v = tr_val_bin((tr_bytes){r->filler + offset, len});
        v.type = TR_TYPE_EXT;
        v.ext = (int8_t)(bits >> 16);
        v.ext = v.ext == TR__EXT_ADDR ? -1 : v.ext;
        return v;
    default: {
        size_t left = sizeof r->items / sizeof *r->items - r->used;
        size_t count = document_random_len(r, 300 < left / 2 ? 300 : left / 2);
        tr_val *items = &r->items[r->used];
        bool map = bits >> 8 & 1;
        size_t all = map ? 2 * count : count;
        r->used += all;
        for (size_t i = 0; i < all; i++)
            items[i] = document_random_val(r, depth + 1);
        return map ? tr_val_map(items, count) : tr_val_list(items, count);
    }
    }
}

// A document that lives as long as r, or until the next one.
static inline tr_val document_random_make(document_random *r)
{
    r->used = 0;
    return document_random_val(r, 0);
}

#endif
