// Documents as JSON text on one line.
//
// What JSON lacks is decided in troupe/val.h. The hard case is a key that is not text: it is
// printed as JSON and that is put in quotes, so its own quotes and backslashes need backslashes,
// and those of a key in a key need more. No text of its own has to be made for that: `quoted` keys
// down, each quote and each backslash of the JSON gets 2^quoted backslashes less one in front. The
// doubling is also why the levels are limited: 64 bytes of maps as keys of maps would otherwise
// print as gigabytes.
//
// Recursion ends at TR_DEPTH_MAX. Lack of memory sticks in `out` and is looked at once.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/base64.h"
#include "data/json.h"
#include "data/number.h"
#include "data/out.h"
#include "data/wire.h"

#define PRINT_QUOTED_MAX 3

struct printer {
    tr__out out;
    unsigned quoted; // this many keys that are not text are open
};

static int print_value(struct printer *p, const tr_val *v, unsigned depth);

static void print_text(struct printer *p, const char *text, size_t size)
{
    if (p->quoted == 0) {
        tr__out_put(&p->out, text, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            for (unsigned n = 1; n < 1u << p->quoted; n++)
                tr__out_put(&p->out, "\\", 1);
        tr__out_put(&p->out, &text[i], 1);
    }
}

#define print_literal(p, text) print_text((p), (text), sizeof(text) - 1)

// One byte that a JSON string does not take as it is.
static void print_escape(struct printer *p, uint8_t byte)
{
    static const char escaped[] = TR__JSON_ESCAPED, letters[] = TR__JSON_LETTERS;
    const char *known = byte != '\0' ? strchr(escaped, byte) : NULL;
    char text[sizeof "\\u0000"];
    if (known != NULL)
        print_text(p, (const char[]){'\\', letters[known - escaped]}, 2);
    else if (byte < ' ')
        print_text(p, text, (size_t)snprintf(text, sizeof text, "\\u%04x", byte));
    else
        print_literal(p, "\xef\xbf\xbd"); // U+FFFD for a byte that is not UTF-8
}

static void print_str(struct printer *p, const uint8_t *text, size_t size)
{
    print_literal(p, "\"");
    for (size_t at = 0; at < size;) {
        size_t plain = tr__json_plain(text + at, size - at);
        print_text(p, (const char *)text + at, plain);
        at += plain;
        if (at < size)
            print_escape(p, text[at++]);
    }
    print_literal(p, "\"");
}

static void print_base64(struct printer *p, tr_bytes bytes)
{
    print_literal(p, "\"");
    char *to = (char *)tr__out_grow(&p->out, tr__base64_size(bytes)); // nothing in it is escaped
    if (to != NULL)
        tr__base64_print(bytes, to);
    print_literal(p, "\"");
}

static void print_float(struct printer *p, double f)
{
    char text[TR__NUMBER_MAX];
    if (!isfinite(f)) {
        print_literal(p, "null");
        return;
    }
    tr__number_print(f, text);
    print_text(p, text, strlen(text));
}

static void print_addr(struct printer *p, tr_addr addr)
{
    char text[sizeof "\"/\"" + 2 * 16];
    int size = snprintf(text, sizeof text, "\"%" PRIx64 "/%" PRIx64 "\"", addr.node, addr.actor);
    print_text(p, text, (size_t)size);
}

static void print_int(struct printer *p, const tr_val *v)
{
    char text[24];
    int size = v->type == TR_TYPE_UINT ? snprintf(text, sizeof text, "%" PRIu64, v->as.u)
                                       : snprintf(text, sizeof text, "%" PRId64, v->as.i);
    print_text(p, text, (size_t)size);
}

static int print_key(struct printer *p, const tr_val *key, unsigned depth)
{
    if (key->type == TR_TYPE_STR)
        return print_value(p, key, depth);
    if (p->quoted == PRINT_QUOTED_MAX)
        return TR_ETOODEEP;
    print_literal(p, "\"");
    p->quoted++;
    int rc = print_value(p, key, depth);
    p->quoted--;
    print_literal(p, "\"");
    return rc;
}

static int print_items(struct printer *p, const tr_val *v, unsigned depth)
{
    if (depth > TR_DEPTH_MAX)
        return TR_ETOODEEP;
    bool map = v->type == TR_TYPE_MAP;
    tr_iter it = tr_iter_of(*v);
    tr_val key, value;
    int rc = 0;
    print_text(p, map ? "{" : "[", 1);
    while (rc == 0 && tr_iter_next(&it, &key, &value)) {
        if (it.index > 1)
            print_literal(p, ",");
        if (map) {
            rc = print_key(p, &key, depth);
            print_literal(p, ":");
        }
        if (rc == 0)
            rc = print_value(p, &value, depth);
    }
    print_text(p, map ? "}" : "]", 1);
    return rc;
}

static int print_value(struct printer *p, const tr_val *v, unsigned depth)
{
    if (!tr__val_sane(v))
        return TR_EINVAL;
    switch (v->type) {
    case TR_TYPE_NULL:
        print_literal(p, "null");
        break;
    case TR_TYPE_BOOL:
        print_text(p, v->as.b ? "true" : "false", v->as.b ? 4 : 5);
        break;
    case TR_TYPE_INT:
    case TR_TYPE_UINT:
        print_int(p, v);
        break;
    case TR_TYPE_FLOAT:
        print_float(p, v->as.f);
        break;
    case TR_TYPE_STR:
        print_str(p, v->as.ptr, v->len);
        break;
    case TR_TYPE_ADDR:
        print_addr(p, v->as.addr);
        break;
    case TR_TYPE_LIST:
    case TR_TYPE_MAP:
        return print_items(p, v, depth + 1);
    default:
        print_base64(p, tr_bytes_of(v->as.ptr, v->len));
    }
    return 0;
}

int tr_json_print(tr_val v, char **ret_text)
{
    if (ret_text == NULL)
        return TR_EINVAL;
    struct printer p = {.quoted = 0};
    int rc = print_value(&p, &v, 0);
    tr__out_put(&p.out, "", 1);
    if (rc == 0 && p.out.failed)
        rc = TR_ENOMEM;
    if (rc == 0)
        *ret_text = (char *)p.out.bytes;
    else
        tr__out_clear(&p.out);
    return rc;
}
