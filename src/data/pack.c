// Documents into msgpack bytes: measured first, then written into memory of exactly that size.
//
// The writing is msgpack-c's packer, whose write callback here only copies and advances: there is
// nothing to check and nothing to grow. The two halves must agree on every width, which
// tr_val_pack asserts. Limits are checked while measuring, so the writing cannot fail, and its
// recursion ends at TR_DEPTH_MAX.
//
// A list or map that is a view of packed bytes already is copied as those bytes; its head is
// written anew, because the view keeps only the count. One that lies in a struct is walked: its
// values are made one by one, in both halves.
#include <msgpack.h>

#include "base/assert.h"
#include "data/wire.h"

static size_t size_of_int(int64_t i)
{
    if (i < 0)
        return i >= -32 ? 1 : i >= INT8_MIN ? 2 : i >= INT16_MIN ? 3 : i >= INT32_MIN ? 5 : 9;
    return i <= INT8_MAX ? 1 : i <= UINT8_MAX ? 2 : i <= UINT16_MAX ? 3 : i <= UINT32_MAX ? 5 : 9;
}

static size_t size_of_ext(uint32_t len)
{
    bool fixed = len == 1 || len == 2 || len == 4 || len == 8 || len == 16;
    return fixed ? 2 : len <= UINT8_MAX ? 3 : len <= UINT16_MAX ? 4 : 6;
}

size_t tr__head_size(const tr_val *v)
{
    switch (v->type) {
    case TR_TYPE_INT:
        return size_of_int(v->as.i);
    case TR_TYPE_UINT:
    case TR_TYPE_FLOAT:
        return 9;
    case TR_TYPE_STR:
        return v->len < 32 ? 1 : v->len <= UINT8_MAX ? 2 : v->len <= UINT16_MAX ? 3 : 5;
    case TR_TYPE_BIN:
        return v->len <= UINT8_MAX ? 2 : v->len <= UINT16_MAX ? 3 : 5;
    case TR_TYPE_ADDR:
        return size_of_ext(TR__ADDR_BYTES);
    case TR_TYPE_EXT:
        return size_of_ext(v->len);
    case TR_TYPE_LIST:
    case TR_TYPE_MAP:
        return v->len < 16 ? 1 : v->len <= UINT16_MAX ? 3 : 5;
    default:
        return 1;
    }
}

static int size_of_value(const tr_val *v, unsigned depth, uint64_t *total);

// Add what the items of a list or map that lies in a struct take. Not inlined, nor its like below:
// in the recursion it would make all other documents a third slower to pack.
__attribute__((noinline)) static int size_in_struct(const tr_val *v, unsigned depth,
                                                    uint64_t *total)
{
    const void *at = tr__item_first(v);
    tr_val key, value;
    int rc = 0;
    for (uint32_t i = 0; i < v->len && rc == 0; i++) {
        if (v->type == TR_TYPE_MAP) {
            at = tr__member_next(v, at, &key, &value);
            *total += tr__head_size(&key) + key.len;
        } else {
            at = tr__array_next(v, at, &value);
        }
        rc = size_of_value(&value, depth, total);
    }
    return rc;
}

// Add what the items of a list or map take, which are `depth` deep.
static int size_of_items(const tr_val *v, unsigned depth, uint64_t *total)
{
    uint64_t items = tr__items(v->type, v->len);
    if (depth > TR_DEPTH_MAX)
        return TR_ETOODEEP;
    if (items > TR_DOC_MAX)
        return TR_ETOOBIG;
    int rc = 0;
    if (v->form == TR__FORM_PACKED) {
        size_t used = 0;
        rc = tr__items_scan(v->as.ptr, TR__TRUSTED, items, depth, &used);
        *total += used;
        return rc;
    }
    if (v->form != TR__FORM_VALUES)
        return size_in_struct(v, depth, total);
    const tr_val *item = v->as.ptr;
    for (uint64_t i = 0; i < items && rc == 0; i++)
        rc = size_of_value(&item[i], depth, total);
    return rc;
}

static int size_of_value(const tr_val *v, unsigned depth, uint64_t *total)
{
    if (!tr__val_sane(v))
        return TR_EINVAL;
    int rc = 0;
    *total += tr__head_size(v);
    if (tr__type_is_container(v->type))
        rc = size_of_items(v, depth + 1, total);
    else if (v->type == TR_TYPE_ADDR)
        *total += TR__ADDR_BYTES;
    else
        *total += v->len;
    return rc == 0 && *total > TR_DOC_MAX ? TR_ETOOBIG : rc;
}

// null, a boolean or a number: most messages that are small are one of these.
static bool is_scalar(const tr_val *v)
{
    return v->type < TR_TYPE_STR;
}

int tr__doc_size_any(const tr_val *v, size_t *ret_size)
{
    if (is_scalar(v)) {
        *ret_size = tr__head_size(v);
        return 0;
    }
    uint64_t total = 0;
    int rc = size_of_value(v, 0, &total);
    if (rc == 0)
        *ret_size = (size_t)total;
    return rc;
}

// msgpack-c's write callback: data is the place to write to.
static int pack_bytes(void *data, const char *bytes, size_t size)
{
    uint8_t **to = data;
    memcpy(*to, bytes, size);
    *to += size;
    return 0;
}

// All of a number; of the rest what comes before the bytes or items. The packer is made here, on
// the spot, and all is inlined, so that the compiler sees through the callback: a head is then a
// store or two.
__attribute__((flatten)) uint8_t *tr__head_pack(const tr_val *v, uint8_t *to)
{
    msgpack_packer pk = {.data = &to, .callback = pack_bytes};
    switch (v->type) {
    case TR_TYPE_NULL:
        msgpack_pack_nil(&pk);
        break;
    case TR_TYPE_BOOL:
        v->as.b ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk);
        break;
    case TR_TYPE_INT:
        msgpack_pack_int64(&pk, v->as.i);
        break;
    case TR_TYPE_UINT:
        msgpack_pack_uint64(&pk, v->as.u);
        break;
    case TR_TYPE_FLOAT:
        msgpack_pack_double(&pk, v->as.f);
        break;
    case TR_TYPE_STR:
        msgpack_pack_str(&pk, v->len);
        break;
    case TR_TYPE_BIN:
        msgpack_pack_bin(&pk, v->len);
        break;
    case TR_TYPE_ADDR:
        msgpack_pack_ext(&pk, TR__ADDR_BYTES, TR__EXT_ADDR);
        break;
    case TR_TYPE_LIST:
        msgpack_pack_array(&pk, v->len);
        break;
    case TR_TYPE_MAP:
        msgpack_pack_map(&pk, v->len);
        break;
    default:
        msgpack_pack_ext(&pk, v->len, v->ext);
    }
    return to;
}

static uint8_t *pack_copy(uint8_t *to, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(to, bytes, size);
    return to + size;
}

static uint8_t *pack_addr(uint8_t *to, tr_addr addr)
{
    for (int i = 0; i < 8; i++) {
        to[i] = (uint8_t)(addr.node >> (56 - 8 * i));
        to[8 + i] = (uint8_t)(addr.actor >> (56 - 8 * i));
    }
    return to + TR__ADDR_BYTES;
}

__attribute__((noinline)) static uint8_t *pack_in_struct(const tr_val *v, uint8_t *to)
{
    const void *at = tr__item_first(v);
    tr_val key, value;
    for (uint32_t i = 0; i < v->len; i++) {
        if (v->type == TR_TYPE_MAP) {
            at = tr__member_next(v, at, &key, &value);
            to = tr__doc_pack(&key, to);
        } else {
            at = tr__array_next(v, at, &value);
        }
        to = tr__doc_pack(&value, to);
    }
    return to;
}

static uint8_t *pack_items(const tr_val *v, uint8_t *to)
{
    uint64_t items = tr__items(v->type, v->len);
    if (v->form == TR__FORM_PACKED) {
        size_t size = 0;
        int rc = tr__items_scan(v->as.ptr, TR__TRUSTED, items, 0, &size);
        tr_assert(rc == 0);
        return pack_copy(to, v->as.ptr, size);
    }
    if (v->form != TR__FORM_VALUES)
        return pack_in_struct(v, to);
    const tr_val *item = v->as.ptr;
    for (uint64_t i = 0; i < items; i++)
        to = tr__doc_pack(&item[i], to);
    return to;
}

uint8_t *tr__doc_pack_any(const tr_val *v, uint8_t *to)
{
    to = tr__head_pack(v, to);
    if (is_scalar(v))
        return to;
    if (tr__type_is_container(v->type))
        return pack_items(v, to);
    if (v->type == TR_TYPE_ADDR)
        return pack_addr(to, v->as.addr);
    return pack_copy(to, v->as.ptr, v->len);
}

int tr_val_pack(tr_val v, tr_buf **ret_packed)
{
    if (ret_packed == NULL)
        return TR_EINVAL;
    size_t size = 0;
    tr_buf *packed = NULL;
    int rc = tr__doc_size(&v, &size);
    if (rc == 0)
        rc = tr_buf_new(size, &packed);
    if (rc < 0)
        return rc;
    uint8_t *start = tr_buf_data(packed);
    uint8_t *end = tr__doc_pack(&v, start);
    tr_assert(end == start + size);
    *ret_packed = packed;
    return 0;
}
