// Reading documents: the same for those built from C values and for views of packed bytes.
//
// tr_iter is the one place that knows both kinds; everything else walks with it. The typed readers
// are a search and a conversion, and every conversion checks that nothing is lost, so that a number
// from a stranger never arrives truncated.
#include <limits.h>

#include "base/assert.h"
#include "data/wire.h"

size_t tr_val_count(tr_val v)
{
    return v.len;
}

// ---- Walking ----

// Take the value at `at`, an item of doc. Returns the next item's place.
static const void *val_step(const tr_val *doc, const void *at, tr_val *ret_value)
{
    if (doc->packed)
        return tr__doc_view(at, ret_value);
    const tr_val *item = at;
    *ret_value = *item;
    return item + 1;
}

tr_iter tr_iter_of(tr_val doc)
{
    tr_iter it = {.of = tr_val_null()};
    if (tr__type_is_container(doc.type) && tr__val_sane(&doc)) {
        it.of = doc;
        it.at = doc.as.ptr;
    }
    return it;
}

bool tr_iter_next(tr_iter *it, tr_val *ret_key, tr_val *ret_value)
{
    if (it->index >= it->of.len)
        return false;
    tr_val key = tr_val_int(it->index);
    if (it->of.type == TR_TYPE_MAP)
        it->at = val_step(&it->of, it->at, &key);
    it->at = val_step(&it->of, it->at, ret_value);
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
    const void *at = doc->as.ptr;
    tr_val found, value;
    for (uint32_t i = 0; i < doc->len; i++) {
        at = val_step(doc, at, &found);
        at = val_step(doc, at, &value);
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

static int read_signed(tr_val v, int64_t min, int64_t max, int64_t *ret_i)
{
    int rc = tr_as_int(v, ret_i);
    return rc == 0 && (*ret_i < min || *ret_i > max) ? TR_EBADMSG : rc;
}

static int read_unsigned(tr_val v, uint64_t max, uint64_t *ret_u)
{
    int rc = tr_as_uint(v, ret_u);
    return rc == 0 && *ret_u > max ? TR_EBADMSG : rc;
}

// Convert v into the variable at `to`, whose C type is `type`.
static int read_value(tr_val v, tr_field_type type, void *to)
{
    int64_t i = 0;
    uint64_t u = 0;
    int rc;
    switch (type) {
    case TR_FIELD_BOOL:
        return tr_as_bool(v, to);
    case TR_FIELD_INT:
        rc = read_signed(v, INT_MIN, INT_MAX, &i);
        return rc < 0 ? rc : (*(int *)to = (int)i, 0);
    case TR_FIELD_UINT:
        rc = read_unsigned(v, UINT_MAX, &u);
        return rc < 0 ? rc : (*(unsigned *)to = (unsigned)u, 0);
    case TR_FIELD_LONG:
        rc = read_signed(v, LONG_MIN, LONG_MAX, &i);
        return rc < 0 ? rc : (*(long *)to = (long)i, 0);
    case TR_FIELD_ULONG:
        rc = read_unsigned(v, ULONG_MAX, &u);
        return rc < 0 ? rc : (*(unsigned long *)to = (unsigned long)u, 0);
    case TR_FIELD_LLONG:
        rc = read_signed(v, LLONG_MIN, LLONG_MAX, &i);
        return rc < 0 ? rc : (*(long long *)to = i, 0);
    case TR_FIELD_ULLONG:
        rc = read_unsigned(v, ULLONG_MAX, &u);
        return rc < 0 ? rc : (*(unsigned long long *)to = u, 0);
    case TR_FIELD_DOUBLE:
        return tr_as_float(v, to);
    case TR_FIELD_STR:
        return tr_as_str(v, to);
    case TR_FIELD_BYTES:
        return tr_as_bin(v, to);
    case TR_FIELD_ADDR:
        return tr_as_addr(v, to);
    case TR_FIELD_VAL:
        *(tr_val *)to = v;
        return 0;
    }
    return TR_EINVAL;
}

static int read_field(const tr_val *doc, const tr_field *field, void *to)
{
    tr_val value;
    int rc = val_find(doc, field->key, &value);
    if (rc == 0)
        rc = read_value(value, field->type, to);
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
