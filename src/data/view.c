// Values seen in packed bytes, which the scan has passed: nothing is checked again, nothing is
// copied. A list or a map keeps a pointer to its first item; text and bytes point to themselves.
//
// Where an item ends is only known by walking over it. Hence two ways: tr__doc_head steps into a
// list, for readers that take its items one by one anyway; tr__doc_view steps over it.
#include "base/assert.h"
#include "data/wire.h"

// The integer at `lead`, with `width` bytes after its head; 0: it is in the head.
static tr_val view_int(const uint8_t *lead, unsigned width)
{
    if (width == 0)
        return tr_val_int((int8_t)*lead);
    uint64_t bits = tr__load(lead + 1, width);
    if (*lead < 0xd0)
        return tr_val_uint(bits);
    unsigned unused = 64 - 8 * width;
    return tr_val_int((int64_t)(bits << unused) >> unused);
}

static double view_float(const uint8_t *bytes, unsigned width)
{
    uint64_t bits = tr__load(bytes, width);
    uint32_t bits32 = (uint32_t)bits;
    double f;
    float f32;
    if (width == sizeof f32) {
        memcpy(&f32, &bits32, sizeof f32);
        return (double)f32;
    }
    memcpy(&f, &bits, sizeof f);
    return f;
}

const uint8_t *tr__doc_head(const uint8_t *bytes, tr_val *ret_value)
{
    tr__head head;
    bool whole = tr__head_read(bytes, TR__TRUSTED, &head);
    tr_assert(whole);
    const uint8_t *body = bytes + head.size;
    bool container = tr__type_is_container(head.type);

    tr_val v = tr_val_null();
    switch (head.type) {
    case TR_TYPE_NULL:
        break;
    case TR_TYPE_BOOL:
        v = tr_val_bool(*bytes == 0xc3);
        break;
    case TR_TYPE_INT:
        v = view_int(bytes, head.len);
        break;
    case TR_TYPE_FLOAT:
        v = tr_val_float(view_float(body, head.len));
        break;
    case TR_TYPE_ADDR:
        v = tr_val_addr((tr_addr){tr__load(body, 8), tr__load(body + 8, 8)});
        break;
    default:
        v.type = head.type;
        v.form = container ? TR__FORM_PACKED : TR__FORM_VALUES;
        v.ext = head.ext;
        v.len = head.len;
        v.as.ptr = body;
    }
    *ret_value = v;
    return container ? body : body + head.len;
}

const uint8_t *tr__doc_view(const uint8_t *bytes, tr_val *ret_value)
{
    const uint8_t *next = tr__doc_head(bytes, ret_value);
    if (ret_value->form != TR__FORM_PACKED)
        return next;
    size_t used = 0;
    int rc =
        tr__items_scan(next, TR__TRUSTED, tr__items(ret_value->type, ret_value->len), 0, &used);
    tr_assert(rc == 0);
    return next + used;
}
