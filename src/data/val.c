// Reading documents: the same for those built from C values and for views, of packed bytes and of
// structs.
//
// tr__item_next and tr__pair_next are the one place that knows all forms; everything else walks
// with them. The typed readers are a search and a conversion, and every conversion checks that
// nothing is lost, so that a number from a stranger never arrives truncated.
#include <float.h>
#include <math.h>
#include <troupe/struct.h>

#include "base/assert.h"
#include "data/wire.h"

size_t tr_val_count(tr_val v)
{
    return v.len;
}

// ---- Walking ----

const void *tr__item_first(const tr_val *doc)
{
    if (doc->form != TR__FORM_STRUCT)
        return doc->as.ptr;
    const tr_struct_type *type = doc->as.c.table;
    return type->members;
}

const void *tr__item_next(const tr_val *list, const void *at, tr_val *ret_value)
{
    if (list->form == TR__FORM_PACKED)
        return tr__doc_view(at, ret_value);
    if (list->form == TR__FORM_ARRAY)
        return tr__array_next(list, at, ret_value);
    const tr_val *item = at;
    *ret_value = *item;
    return item + 1;
}

const void *tr__pair_next(const tr_val *map, const void *at, tr_val *ret_key, tr_val *ret_value)
{
    if (map->form == TR__FORM_STRUCT)
        return tr__member_next(map, at, ret_key, ret_value);
    return tr__item_next(map, tr__item_next(map, at, ret_key), ret_value);
}

tr_iter tr_iter_of(tr_val doc)
{
    tr_iter it = {.of = tr_val_null()};
    if (tr__type_is_container(doc.type) && tr__val_sane(&doc)) {
        it.of = doc;
        it.at = tr__item_first(&doc);
    }
    return it;
}

bool tr_iter_next(tr_iter *it, tr_val *ret_key, tr_val *ret_value)
{
    if (it->index >= it->of.len)
        return false;
    tr_val key = tr_val_int(it->index);
    it->at = it->of.type == TR_TYPE_MAP ? tr__pair_next(&it->of, it->at, &key, ret_value)
                                        : tr__item_next(&it->of, it->at, ret_value);
    it->index++;
    if (ret_key != NULL)
        *ret_key = key;
    return true;
}

// ---- Searching ----

static bool val_is_text(const tr_val *v, const char *text, size_t len)
{
    return v->type == TR_TYPE_STR && v->len == len &&
           (len == 0 || memcmp(v->as.ptr, text, len) == 0);
}

// tr_get without copies of values: reading messages goes through here.
static int val_find(const tr_val *doc, const char *key, tr_val *ret_value)
{
    if (key == NULL)
        return TR_EINVAL;
    if (doc->type != TR_TYPE_MAP || !tr__val_sane(doc))
        return TR_EBADMSG;
    size_t len = strlen(key);
    const void *at = tr__item_first(doc);
    tr_val found, value;
    for (uint32_t i = 0; i < doc->len; i++) {
        at = tr__pair_next(doc, at, &found, &value);
        if (val_is_text(&found, key, len)) {
            *ret_value = value;
            return 0;
        }
    }
    return TR_ENOENT;
}

int tr_get(tr_val doc, const char *key, tr_val *ret_value)
{
    return ret_value != NULL ? val_find(&doc, key, ret_value) : TR_EINVAL;
}

int tr_at(tr_val doc, size_t i, tr_val *ret_value)
{
    if (ret_value == NULL)
        return TR_EINVAL;
    if (doc.type != TR_TYPE_LIST)
        return TR_EBADMSG;
    tr_iter it = tr_iter_of(doc);
    tr_val value;
    while (tr_iter_next(&it, NULL, &value)) {
        if (i-- == 0) {
            *ret_value = value;
            return 0;
        }
    }
    return TR_ENOENT;
}

// ---- Converting ----

// tr_as_NAME, for values of which `fits` is true, and tr_get_NAME with it.
#define VAL_READERS(name, type, fits, converted)                                                   \
    int tr_as_##name(tr_val v, type *ret_value)                                                    \
    {                                                                                              \
        if (ret_value == NULL)                                                                     \
            return TR_EINVAL;                                                                      \
        if (!(fits))                                                                               \
            return TR_EBADMSG;                                                                     \
        *ret_value = (converted);                                                                  \
        return 0;                                                                                  \
    }                                                                                              \
                                                                                                   \
    int tr_get_##name(tr_val doc, const char *key, type *ret_value)                                \
    {                                                                                              \
        tr_val v;                                                                                  \
        int rc = val_find(&doc, key, &v);                                                          \
        return rc < 0 ? rc : tr_as_##name(v, ret_value);                                           \
    }

VAL_READERS(bool, bool, v.type == TR_TYPE_BOOL, v.as.b)
VAL_READERS(int, int64_t, v.type == TR_TYPE_INT, v.as.i)
VAL_READERS(uint, uint64_t, v.type == TR_TYPE_UINT || (v.type == TR_TYPE_INT && v.as.i >= 0),
            v.as.u)
VAL_READERS(float, double,
            v.type == TR_TYPE_FLOAT || v.type == TR_TYPE_INT || v.type == TR_TYPE_UINT,
            v.type == TR_TYPE_FLOAT ? v.as.f
            : v.type == TR_TYPE_INT ? (double)v.as.i
                                    : (double)v.as.u)
VAL_READERS(str, tr_str, v.type == TR_TYPE_STR, ((tr_str){v.as.ptr, v.len}))
VAL_READERS(bin, tr_bytes, v.type == TR_TYPE_BIN, ((tr_bytes){v.as.ptr, v.len}))
VAL_READERS(addr, tr_addr, v.type == TR_TYPE_ADDR, v.as.addr)

// ---- Several at once ----

// Write a number into a variable of this type, if that can hold it.
#define READ_AS(type, number)                                                                      \
    do {                                                                                           \
        type narrow = (type)(number);                                                              \
        if (narrow != (number))                                                                    \
            return TR_EBADMSG;                                                                     \
        memcpy(to, &narrow, sizeof narrow);                                                        \
        return 0;                                                                                  \
    } while (0)

static int read_int(const tr_val *v, size_t size, void *to)
{
    int64_t i = 0;
    int rc = tr_as_int(*v, &i);
    if (rc < 0)
        return rc;
    switch (size) {
    case 1:
        READ_AS(int8_t, i);
    case 2:
        READ_AS(int16_t, i);
    case 4:
        READ_AS(int32_t, i);
    case 8:
        READ_AS(int64_t, i);
    }
    return TR_EINVAL;
}

static int read_uint(const tr_val *v, size_t size, void *to)
{
    uint64_t u = 0;
    int rc = tr_as_uint(*v, &u);
    if (rc < 0)
        return rc;
    switch (size) {
    case 1:
        READ_AS(uint8_t, u);
    case 2:
        READ_AS(uint16_t, u);
    case 4:
        READ_AS(uint32_t, u);
    case 8:
        READ_AS(uint64_t, u);
    }
    return TR_EINVAL;
}

// A float keeps what it can of the digits, but a number beyond its range is no number of it.
static int read_float(const tr_val *v, size_t size, void *to)
{
    double f = 0;
    int rc = tr_as_float(*v, &f);
    if (rc < 0)
        return rc;
    if (size != sizeof(float))
        return size == sizeof f ? (memcpy(to, &f, sizeof f), 0) : TR_EINVAL;
    if (isfinite(f) && fabs(f) > FLT_MAX)
        return TR_EBADMSG;
    float narrow = (float)f;
    memcpy(to, &narrow, sizeof narrow);
    return 0;
}

int tr__value_read(const tr_val *v, tr_field_type type, size_t size, void *to)
{
    switch (type) {
    case TR_FIELD_BOOL:
        return tr_as_bool(*v, to);
    case TR_FIELD_INT:
        return read_int(v, size, to);
    case TR_FIELD_UINT:
        return read_uint(v, size, to);
    case TR_FIELD_FLOAT:
        return read_float(v, size, to);
    case TR_FIELD_STR:
        return tr_as_str(*v, to);
    case TR_FIELD_BYTES:
        return tr_as_bin(*v, to);
    case TR_FIELD_ADDR:
        return tr_as_addr(*v, to);
    case TR_FIELD_VAL:
        *(tr_val *)to = *v;
        return 0;
    default:
        return TR_EINVAL;
    }
}

static int read_field(const tr_val *doc, const tr_field *field, void *to)
{
    tr_val value;
    int rc = val_find(doc, field->key, &value);
    if (rc == 0)
        rc = tr__value_read(&value, field->type, field->size, to);
    return rc == TR_ENOENT ? TR_EBADMSG : rc;
}

// First all into a variable of our own, which finds every error; then again into the user's.
int tr_read(tr_val doc, const tr_field *fields, size_t count)
{
    union {
        tr_val val; // the largest of them
        tr_addr addr;
        unsigned long long number;
    } checked;
    if (fields == NULL && count > 0)
        return TR_EINVAL;
    if (doc.type != TR_TYPE_MAP)
        return TR_EBADMSG;
    for (size_t i = 0; i < count; i++) {
        int rc = fields[i].ret_value != NULL ? read_field(&doc, &fields[i], &checked) : TR_EINVAL;
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = read_field(&doc, &fields[i], fields[i].ret_value);
        tr_assert(rc == 0);
    }
    return 0;
}
