// msgpack as it lies in memory: the head of one item, for the one that checks (scan.c) and the one
// that views (view.c), and heads on their own for a writer that learns its counts late
// (json_parse.c).
#ifndef TROUPE_DATA_WIRE_H
#define TROUPE_DATA_WIRE_H

#include <troupe/val.h>

#include "data/doc.h"

#define TR__ADDR_BYTES 16 // what follows the head of an address

// What the items of a list or a map lie in, for tr_val.form.
enum {
    TR__FORM_VALUES, // an array of tr_val; of every other type, too
    TR__FORM_PACKED, // msgpack bytes
    TR__FORM_STRUCT, // a map: a C struct, of which as.c.table is the tr_struct_type
    TR__FORM_ARRAY   // a list: an array in a struct, of which as.c.table is the tr_member
};

static inline bool tr__type_is_container(uint8_t type)
{
    return type == TR_TYPE_LIST || type == TR_TYPE_MAP;
}

// The values directly in a list, or the keys and values in a map.
static inline uint64_t tr__items(uint8_t type, uint32_t len)
{
    return type == TR_TYPE_MAP ? 2 * (uint64_t)len : len;
}

// Whether a value made by hand can be read at all.
static inline bool tr__val_sane(const tr_val *v)
{
    if (v->type < TR_TYPE_STR || v->type == TR_TYPE_ADDR)
        return true;
    return v->type <= TR_TYPE_EXT && (v->as.ptr != NULL || v->len == 0);
}

// The items one after the other: where the first one lies, then each step gives one and where the
// next one lies. A map's are taken in pairs.
const void *tr__item_first(const tr_val *doc);
const void *tr__item_next(const tr_val *list, const void *at, tr_val *ret_value);
const void *tr__pair_next(const tr_val *map, const void *at, tr_val *ret_key, tr_val *ret_value);

// Those two for a list or a map that lies in a struct (struct.c).
const void *tr__array_next(const tr_val *list, const void *at, tr_val *ret_value);
const void *tr__member_next(const tr_val *map, const void *at, tr_val *ret_key, tr_val *ret_value);

// Convert v into the variable of `size` bytes at `to`.
// returns: 0, TR_EBADMSG; TR_EINVAL for a type that is not a value's
int tr__value_read(const tr_val *v, tr_field_type type, size_t size, void *to);

typedef struct tr__head {
    uint8_t type; // tr_type; every integer is TR_TYPE_INT here
    uint8_t size; // bytes of the head itself
    int8_t ext;
    uint32_t len; // list: items; map: pairs; the rest: bytes that follow the head
} tr__head;

#define TR__TYPE_RESERVED 0xff

// The heads from 0xc0 to 0xdf: bytes in the field that holds the length, or the length itself.
static const struct {
    uint8_t type, field, len;
} tr__head_forms[] = {
    // clang-format off
    {TR_TYPE_NULL, 0, 0}, {TR__TYPE_RESERVED, 0, 0}, {TR_TYPE_BOOL, 0, 0}, {TR_TYPE_BOOL, 0, 0},
    {TR_TYPE_BIN, 1, 0}, {TR_TYPE_BIN, 2, 0}, {TR_TYPE_BIN, 4, 0},
    {TR_TYPE_EXT, 1, 0}, {TR_TYPE_EXT, 2, 0}, {TR_TYPE_EXT, 4, 0},
    {TR_TYPE_FLOAT, 0, 4}, {TR_TYPE_FLOAT, 0, 8},
    {TR_TYPE_INT, 0, 1}, {TR_TYPE_INT, 0, 2}, {TR_TYPE_INT, 0, 4}, {TR_TYPE_INT, 0, 8}, // unsigned
    {TR_TYPE_INT, 0, 1}, {TR_TYPE_INT, 0, 2}, {TR_TYPE_INT, 0, 4}, {TR_TYPE_INT, 0, 8}, // signed
    {TR_TYPE_EXT, 0, 1}, {TR_TYPE_EXT, 0, 2}, {TR_TYPE_EXT, 0, 4}, {TR_TYPE_EXT, 0, 8},
    {TR_TYPE_EXT, 0, 16},
    {TR_TYPE_STR, 1, 0}, {TR_TYPE_STR, 2, 0}, {TR_TYPE_STR, 4, 0},
    {TR_TYPE_LIST, 2, 0}, {TR_TYPE_LIST, 4, 0},
    {TR_TYPE_MAP, 2, 0}, {TR_TYPE_MAP, 4, 0},
    // clang-format on
};
_Static_assert(sizeof tr__head_forms == 32 * 3, "one form for each byte from 0xc0 to 0xdf");

// A big-endian number of 1, 2, 4 or 8 bytes.
static inline uint64_t tr__load(const uint8_t *at, unsigned width)
{
    switch (width) {
    case 1:
        return at[0];
    case 2:
        return (uint64_t)at[0] << 8 | at[1];
    case 4:
        return (uint64_t)at[0] << 24 | (uint64_t)at[1] << 16 | (uint64_t)at[2] << 8 | at[3];
    default:
        return tr__load(at, 4) << 32 | tr__load(at + 4, 4);
    }
}

// Read the head of an item of which at least one and at most `left` bytes are there.
// returns: false when it is cut, or no head
static inline bool tr__head_read(const uint8_t *at, size_t left, tr__head *ret_head)
{
    uint8_t lead = *at;
    if (lead < 0x80 || lead >= 0xe0) {
        *ret_head = (tr__head){.type = TR_TYPE_INT, .size = 1};
    } else if (lead >= 0xa0 && lead < 0xc0) {
        *ret_head = (tr__head){.type = TR_TYPE_STR, .size = 1, .len = lead & 0x1f};
    } else if (lead < 0xa0) {
        uint8_t type = lead < 0x90 ? TR_TYPE_MAP : TR_TYPE_LIST;
        *ret_head = (tr__head){.type = type, .size = 1, .len = lead & 0x0f};
    } else {
        uint8_t type = tr__head_forms[lead - 0xc0].type, field = tr__head_forms[lead - 0xc0].field;
        uint8_t size = (uint8_t)(1 + field + (type == TR_TYPE_EXT));
        if (type == TR__TYPE_RESERVED || left < size)
            return false;
        uint32_t len = tr__head_forms[lead - 0xc0].len;
        if (field > 0)
            len = (uint32_t)tr__load(at + 1, field);
        *ret_head = (tr__head){.type = type, .size = size, .len = len};
        if (type == TR_TYPE_EXT) {
            ret_head->ext = (int8_t)at[size - 1];
            if (ret_head->ext == TR__EXT_ADDR)
                ret_head->type = TR_TYPE_ADDR;
        }
    }
    return true;
}

// tr__doc_scan for any number of items that follow each other, at a depth. With size TR__TRUSTED,
// over bytes that have passed it before, it finds their end.
#define TR__TRUSTED SIZE_MAX
int tr__items_scan(const uint8_t *bytes, size_t size, uint64_t items, unsigned depth,
                   size_t *ret_used);

// The head of text, bytes, a list or a map: its size, and the head itself. Returns the first byte
// after it.
size_t tr__head_size(const tr_val *v);
uint8_t *tr__head_pack(const tr_val *v, uint8_t *to);

#endif
