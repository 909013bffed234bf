// Whether one document is another, or is found in it. The order of a map's pairs says nothing; an
// integer and a float are never the same. Recursive: documents are at most TR_DEPTH_MAX deep.
#include "kit/kit.h"

static bool match_bytes(tr_val a, tr_val b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.as.ptr, b.as.ptr, a.len) == 0);
}

static bool match_list(tr_val want, tr_val got, bool like)
{
    tr_iter w = tr_iter_of(want), g = tr_iter_of(got);
    tr_val one, other;
    while (tr_iter_next(&w, NULL, &one) && tr_iter_next(&g, NULL, &other))
        if (!tr__kit_match(one, other, like))
            return false;
    return want.len == got.len;
}

static bool match_pair(tr_val key, tr_val value, tr_val got, bool like)
{
    tr_iter it = tr_iter_of(got);
    for (tr_val k, v; tr_iter_next(&it, &k, &v);)
        if (tr__kit_match(key, k, false))
            return tr__kit_match(value, v, like);
    return false;
}

static bool match_map(tr_val want, tr_val got, bool like)
{
    tr_iter it = tr_iter_of(want);
    for (tr_val key, value; tr_iter_next(&it, &key, &value);)
        if (!match_pair(key, value, got, like))
            return false;
    return like || want.len == got.len;
}

bool tr__kit_match(tr_val want, tr_val got, bool like)
{
    if (want.type != got.type)
        return false;
    switch ((tr_type)want.type) {
    case TR_TYPE_NULL:
        return true;
    case TR_TYPE_BOOL:
        return want.as.b == got.as.b;
    case TR_TYPE_INT:
    case TR_TYPE_UINT:
        return want.as.u == got.as.u;
    case TR_TYPE_FLOAT:
        return want.as.f == got.as.f;
    case TR_TYPE_ADDR:
        return tr_addr_eq(want.as.addr, got.as.addr);
    case TR_TYPE_LIST:
        return match_list(want, got, like);
    case TR_TYPE_MAP:
        return match_map(want, got, like);
    default: // text, bytes, extensions
        return want.ext == got.ext && match_bytes(want, got);
    }
}
