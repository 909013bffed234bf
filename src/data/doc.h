// What the layers above need of documents and the public header does not offer: checking, walking
// and packing msgpack in place, without allocation.
#ifndef TROUPE_DATA_DOC_H
#define TROUPE_DATA_DOC_H

#include <troupe/val.h>

// msgpack extension numbers of ours (docs/protocol.md).
#define TR__EXT_ADDR 1 // 16 bytes: node, actor, both big-endian

// Walk one document at the front of bytes, checking everything that a reader relies on: every byte
// is there, no count claims more items than there are bytes left, depth within TR_DEPTH_MAX, no
// reserved byte 0xc1. Iterative, O(n), takes no memory. Everything read from outside passes here
// before anything else looks at it. An address extension must have its 16 bytes.
// returns: 0, TR_EBADMSG, TR_ETOODEEP; *ret_used: the bytes it took
int tr__doc_scan(const uint8_t *bytes, size_t size, size_t *ret_used);

// View the document at bytes, which has passed the scan. Returns the first byte after it.
const uint8_t *tr__doc_view(const uint8_t *bytes, tr_val *ret_value);

// View only the head of it: for a list or a map returns its first item's bytes, so that a reader
// that takes the items one after the other need not skip over them first.
const uint8_t *tr__doc_head(const uint8_t *bytes, tr_val *ret_value);

// The exact number of bytes that packing v takes.
// returns: 0, TR_ETOODEEP, TR_ETOOBIG (above TR_DOC_MAX, or a length that was cut), TR_EINVAL
static inline int tr__doc_size(const tr_val *v, size_t *ret_size);

// Pack v into room for tr__doc_size bytes. Returns the first byte after it.
static inline uint8_t *tr__doc_pack(const tr_val *v, uint8_t *to);

// ---- What most messages hold, without a call ----

int tr__doc_size_any(const tr_val *v, size_t *ret_size);
uint8_t *tr__doc_pack_any(const tr_val *v, uint8_t *to);

// All of null, a boolean or a small number; -1: v takes more than one byte.
static inline int tr__doc_byte(const tr_val *v)
{
    if (v->type == TR_TYPE_NULL)
        return 0xc0;
    if (v->type == TR_TYPE_BOOL)
        return v->as.b ? 0xc3 : 0xc2;
    return v->type == TR_TYPE_INT && v->as.i >= -32 && v->as.i <= 127 ? (uint8_t)v->as.i : -1;
}

static inline int tr__doc_size(const tr_val *v, size_t *ret_size)
{
    if (tr__doc_byte(v) < 0)
        return tr__doc_size_any(v, ret_size);
    *ret_size = 1;
    return 0;
}

static inline uint8_t *tr__doc_pack(const tr_val *v, uint8_t *to)
{
    int byte = tr__doc_byte(v);
    if (byte < 0)
        return tr__doc_pack_any(v, to);
    *to = (uint8_t)byte;
    return to + 1;
}

#endif
