// Structs as documents, and documents into structs, by the tables that TR_STRUCT makes.
//
// A struct is not turned into a document to be sent: it is one, a map of the form TR__FORM_STRUCT,
// and a list in it is one of the form TR__FORM_ARRAY. What measures, packs, prints and searches
// documents walks over them as over all others, and gets each value when it comes to it. So there
// is no tree, no memory, and no second place for limits.
//
// What no document can hold, as a list that counts more items than there are, becomes a value of no
// type: nothing packs it, nothing reads it.
//
// Reading expects the keys in the order of the fields, which is how such a struct packs: then each
// is found at the first look. A key elsewhere is searched for from the start, so that of equal ones
// the first counts; the place where the next one is expected stays.
#include <troupe/struct.h>

#include "data/wire.h"

// ---- A struct as a document ----

static tr_val no_value(void)
{
    tr_val v = tr_val_null();
    v.type = TR__TYPE_RESERVED;
    return v;
}

tr_val tr_struct_val(const tr_struct_type *type, const void *data)
{
    if (type == NULL || data == NULL)
        return no_value();
    tr_val v = tr_val_map(NULL, type->count);
    v.form = TR__FORM_STRUCT;
    v.as.c.ptr = data;
    v.as.c.table = type;
    return v;
}

static tr_val array_val(const tr_member *m, const void *array, size_t count)
{
    if (count > m->max)
        return no_value();
    tr_val v = tr_val_list(NULL, count);
    v.form = TR__FORM_ARRAY;
    v.as.c.ptr = array;
    v.as.c.table = m;
    return v;
}

// The text or bytes that tr_str, tr_bytes mean; never null, which a reader would not take for them.
static tr_val span_val(tr_type type, const void *ptr, size_t len)
{
    tr_val v = tr_val_strn("", len);
    v.type = (uint8_t)type;
    v.as.ptr = ptr;
    return v;
}

static tr_val text_val(const char *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    return end != NULL ? tr_val_strn(text, (size_t)(end - text)) : no_value();
}

// The number at `at`, of a C type as wide as this one: copied, since it may be another one.
#define NUMBER_VAL(type, make)                                                                     \
    do {                                                                                           \
        type number;                                                                               \
        memcpy(&number, at, sizeof number);                                                        \
        return make(number);                                                                       \
    } while (0)

static tr_val int_val(const void *at, size_t size)
{
    switch (size) {
    case 1:
        NUMBER_VAL(int8_t, tr_val_int);
    case 2:
        NUMBER_VAL(int16_t, tr_val_int);
    case 4:
        NUMBER_VAL(int32_t, tr_val_int);
    default:
        NUMBER_VAL(int64_t, tr_val_int);
    }
}

static tr_val uint_val(const void *at, size_t size)
{
    switch (size) {
    case 1:
        NUMBER_VAL(uint8_t, tr_val_uint);
    case 2:
        NUMBER_VAL(uint16_t, tr_val_uint);
    case 4:
        NUMBER_VAL(uint32_t, tr_val_uint);
    default:
        NUMBER_VAL(uint64_t, tr_val_uint);
    }
}

// View one item of this kind.
static void item_view(const tr_member *m, const void *at, tr_val *ret_value)
{
    const tr_str *str = at;
    const tr_bytes *bytes = at;
    switch (m->type) {
    case TR_FIELD_BOOL:
        *ret_value = tr_val_bool(*(const bool *)at);
        break;
    case TR_FIELD_INT:
        *ret_value = int_val(at, m->size);
        break;
    case TR_FIELD_UINT:
        *ret_value = uint_val(at, m->size);
        break;
    case TR_FIELD_FLOAT:
        *ret_value =
            tr_val_float(m->size == sizeof(float) ? *(const float *)at : *(const double *)at);
        break;
    case TR_FIELD_STR:
        *ret_value = span_val(TR_TYPE_STR, str->ptr, str->len);
        break;
    case TR_FIELD_BYTES:
        *ret_value = span_val(TR_TYPE_BIN, bytes->ptr, bytes->len);
        break;
    case TR_FIELD_ADDR:
        *ret_value = tr_val_addr(*(const tr_addr *)at);
        break;
    case TR_FIELD_VAL:
        *ret_value = *(const tr_val *)at;
        break;
    case TR_FIELD_TEXT:
        *ret_value = text_val(at, m->size);
        break;
    case TR_FIELD_STRUCT:
        *ret_value = tr_struct_val(m->of(), at);
        break;
    }
}

const void *tr__array_next(const tr_val *list, const void *at, tr_val *ret_value)
{
    const tr_member *m = list->as.c.table;
    item_view(m, at, ret_value);
    return (const char *)at + m->size;
}

const void *tr__member_next(const tr_val *map, const void *at, tr_val *ret_key, tr_val *ret_value)
{
    const tr_member *m = at;
    const char *data = map->as.c.ptr;
    *ret_key = tr_val_strn(m->name, m->name_len);
    if (m->max == 0)
        item_view(m, data + m->offset, ret_value);
    else
        *ret_value = array_val(m, data + m->offset, *(const size_t *)(data + m->count_offset));
    return m + 1;
}

// ---- A document into a struct ----

static int fill_text(const tr_val *v, char *text, size_t size)
{
    if (v->type != TR_TYPE_STR || v->len >= size)
        return TR_EBADMSG;
    if (v->len > 0)
        memcpy(text, v->as.ptr, v->len);
    text[v->len] = '\0';
    return strlen(text) == v->len ? 0 : TR_EBADMSG;
}

static int fill_item(const tr_member *m, const tr_val *v, void *at)
{
    if (m->type == TR_FIELD_STRUCT)
        return tr_struct_fill(m->of(), *v, at);
    if (m->type == TR_FIELD_TEXT)
        return fill_text(v, at, m->size);
    return tr__value_read(v, m->type, m->size, at);
}

static int fill_array(const tr_member *m, const tr_val *v, char *at, size_t *ret_count)
{
    if (v->type != TR_TYPE_LIST || v->len > m->max)
        return TR_EBADMSG;
    tr_iter it = tr_iter_of(*v);
    tr_val item;
    int rc = 0;
    for (; rc == 0 && tr_iter_next(&it, NULL, &item); at += m->size)
        rc = fill_item(m, &item, at);
    *ret_count = it.index;
    return rc;
}

static int fill_member(const tr_member *m, const tr_val *v, char *data)
{
    if (v->type == TR_TYPE_NULL && m->optional)
        return 0;
    if (m->max > 0)
        return fill_array(m, v, data + m->offset, (size_t *)(data + m->count_offset));
    return fill_item(m, v, data + m->offset);
}

static bool is_named(const tr_member *m, const tr_val *key)
{
    return key->type == TR_TYPE_STR && key->len == m->name_len &&
           memcmp(key->as.ptr, m->name, m->name_len) == 0;
}

int tr_struct_fill(const tr_struct_type *type, tr_val doc, void *data)
{
    if (type == NULL || data == NULL)
        return TR_EINVAL;
    if (doc.type != TR_TYPE_MAP)
        return TR_EBADMSG;
    memset(data, 0, type->size);
    tr_iter it = tr_iter_of(doc);
    tr_val key, next, value;
    bool more = tr_iter_next(&it, &key, &next);
    int rc = 0;
    for (const tr_member *m = type->members; rc == 0 && m < type->members + type->count; m++) {
        if (more && is_named(m, &key)) {
            rc = fill_member(m, &next, data);
            more = tr_iter_next(&it, &key, &next);
        } else if (tr_get(doc, m->name, &value) == 0) {
            rc = fill_member(m, &value, data);
        } else {
            rc = m->optional ? 0 : TR_EBADMSG;
        }
    }
    return rc;
}
