// JSON text (RFC 8259, strictly) straight into packed bytes, in one pass and without a tree.
//
// A packed list, map or text begins with its length, which JSON tells last. So each begins with
// the one byte that a short one needs (parse_open), and when it is complete its head is written,
// moving what follows it by up to four bytes if it needs more room (parse_close). Only what has
// more than 15 items or 31 bytes is moved, once for each level that it lies in.
//
// Recursion ends at TR_DEPTH_MAX. Memory taken is bounded by the text's size: a value of one or two
// characters packs to no more than nine bytes.
#include <math.h>

#include "base/assert.h"
#include "data/json.h"
#include "data/number.h"
#include "data/out.h"
#include "data/wire.h"

struct parser {
    const uint8_t *at, *end;
    tr__out out;
};

static int parse_value(struct parser *p, unsigned depth);

// ---- Text ----

static void parse_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r'))
        p->at++;
}

// Step over this character, if it is the next one.
static bool parse_take(struct parser *p, char c)
{
    if (p->at == p->end || *p->at != (uint8_t)c)
        return false;
    p->at++;
    return true;
}

static bool parse_take_after_space(struct parser *p, char c)
{
    parse_space(p);
    return parse_take(p, c);
}

static bool parse_take_digits(struct parser *p)
{
    const uint8_t *start = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
    return p->at > start;
}

// ---- Packed bytes ----

static int parse_state(const struct parser *p)
{
    return p->out.failed ? TR_ENOMEM : p->out.size > TR_DOC_MAX ? TR_ETOOBIG : 0;
}

static int parse_put(struct parser *p, tr_val number)
{
    uint8_t *to = tr__out_grow(&p->out, tr__head_size(&number));
    if (to != NULL)
        tr__head_pack(&number, to);
    return parse_state(p);
}

static size_t parse_open(struct parser *p)
{
    size_t start = p->out.size;
    tr__out_grow(&p->out, 1);
    return start;
}

// Complete what parse_open began at start: text of len bytes, a list or a map of len items.
static int parse_close(struct parser *p, size_t start, uint8_t type, size_t len)
{
    tr_val v = {.type = type, .len = (uint32_t)len}; // a len that this cuts is TR_ETOOBIG below
    size_t head = tr__head_size(&v), body = p->out.size - start - 1;
    tr__out_grow(&p->out, head - 1);
    int rc = parse_state(p);
    if (rc < 0)
        return rc;
    uint8_t *at = p->out.bytes + start;
    if (head > 1)
        memmove(at + head, at + 1, body);
    tr__head_pack(&v, at);
    return 0;
}

// ---- Strings ----

static bool parse_take_hex4(struct parser *p, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    if (p->end - p->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        uint8_t c = *p->at++, letter = c | 0x20;
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (uint32_t)(c - '0');
        else if (letter >= 'a' && letter <= 'f')
            unit = unit << 4 | (uint32_t)(letter - 'a' + 10);
        else
            return false;
    }
    *ret_unit = unit;
    return true;
}

// What follows \u: a character, or a surrogate whose other half must come as well.
static int parse_unicode(struct parser *p)
{
    uint32_t character, low;
    if (!parse_take_hex4(p, &character))
        return TR_EBADMSG;
    if ((character & 0xf800) == 0xd800) {
        bool pair = character < 0xdc00 && parse_take(p, '\\') && parse_take(p, 'u') &&
                    parse_take_hex4(p, &low) && (low & 0xfc00) == 0xdc00;
        if (!pair)
            return TR_EBADMSG;
        character = 0x10000 + ((character & 0x3ff) << 10 | (low & 0x3ff));
    }
    uint8_t text[TR__UTF8_MAX];
    tr__out_put(&p->out, text, tr__utf8_write(character, text));
    return 0;
}

// What follows a backslash.
static int parse_escape(struct parser *p)
{
    static const char letters[] = TR__JSON_LETTERS "/", meant[] = TR__JSON_ESCAPED "/";
    if (parse_take(p, 'u'))
        return parse_unicode(p);
    for (size_t i = 0; i < sizeof letters - 1; i++) {
        if (parse_take(p, letters[i])) {
            tr__out_put(&p->out, &meant[i], 1);
            return 0;
        }
    }
    return TR_EBADMSG;
}

static void parse_plain(struct parser *p)
{
    size_t size = tr__json_plain(p->at, (size_t)(p->end - p->at));
    tr__out_put(&p->out, p->at, size);
    p->at += size;
}

// What follows the opening quote.
static int parse_str(struct parser *p)
{
    size_t start = parse_open(p);
    int rc = 0;
    parse_plain(p);
    while (rc == 0 && !parse_take(p, '"')) {
        rc = parse_take(p, '\\') ? parse_escape(p) : TR_EBADMSG;
        parse_plain(p);
    }
    return rc < 0 ? rc : parse_close(p, start, TR_TYPE_STR, p->out.size - start - 1);
}

// ---- Numbers ----

// returns: false when it does not fit 64 bits
static bool parse_integer(const uint8_t *at, const uint8_t *end, tr_val *ret_value)
{
    bool negative = *at == '-';
    uint64_t u = 0;
    for (at += negative; at < end; at++) {
        uint64_t digit = *at - (uint64_t)'0';
        if (u > (UINT64_MAX - digit) / 10)
            return false;
        u = u * 10 + digit;
    }
    if (negative && u > (uint64_t)INT64_MAX + 1)
        return false;
    *ret_value = negative ? tr_val_int((int64_t)(0 - u)) : tr_val_uint(u);
    return true;
}

static int parse_float(struct parser *p, const uint8_t *start)
{
    size_t size = p->out.size;
    tr__out_put(&p->out, start, (size_t)(p->at - start)); // for a moment, to get it terminated
    tr__out_put(&p->out, "", 1);
    if (p->out.failed)
        return TR_ENOMEM;
    double f = tr__number_parse((const char *)p->out.bytes + size);
    p->out.size = size;
    return isfinite(f) ? parse_put(p, tr_val_float(f)) : TR_EBADMSG;
}

static int parse_number(struct parser *p)
{
    const uint8_t *start = p->at;
    parse_take(p, '-');
    if (!parse_take(p, '0') && !parse_take_digits(p))
        return TR_EBADMSG;
    bool whole = true;
    if (parse_take(p, '.')) {
        whole = false;
        if (!parse_take_digits(p))
            return TR_EBADMSG;
    }
    if (parse_take(p, 'e') || parse_take(p, 'E')) {
        whole = false;
        if (!parse_take(p, '+'))
            parse_take(p, '-');
        if (!parse_take_digits(p))
            return TR_EBADMSG;
    }
    tr_val integer;
    if (whole && parse_integer(start, p->at, &integer))
        return parse_put(p, integer);
    return parse_float(p, start);
}

// ---- Values ----

static int parse_word(struct parser *p, const char *word, tr_val meaning)
{
    for (; *word != '\0'; word++)
        if (!parse_take(p, *word))
            return TR_EBADMSG;
    return parse_put(p, meaning);
}

static int parse_key(struct parser *p)
{
    if (!parse_take_after_space(p, '"'))
        return TR_EBADMSG;
    int rc = parse_str(p);
    return rc == 0 && !parse_take_after_space(p, ':') ? TR_EBADMSG : rc;
}

// What follows the opening bracket of a list or a map.
static int parse_items(struct parser *p, uint8_t type, unsigned depth)
{
    if (depth > TR_DEPTH_MAX)
        return TR_ETOODEEP;
    char bracket = type == TR_TYPE_MAP ? '}' : ']';
    size_t start = parse_open(p), count = 0;
    if (!parse_take_after_space(p, bracket)) {
        do {
            int rc = type == TR_TYPE_MAP ? parse_key(p) : 0;
            if (rc == 0)
                rc = parse_value(p, depth);
            if (rc < 0)
                return rc;
            count++;
        } while (parse_take_after_space(p, ','));
        if (!parse_take(p, bracket))
            return TR_EBADMSG;
    }
    return parse_close(p, start, type, count);
}

static int parse_value(struct parser *p, unsigned depth)
{
    parse_space(p);
    if (p->at == p->end)
        return TR_EBADMSG;
    switch (*p->at) {
    case '{':
        p->at++;
        return parse_items(p, TR_TYPE_MAP, depth + 1);
    case '[':
        p->at++;
        return parse_items(p, TR_TYPE_LIST, depth + 1);
    case '"':
        p->at++;
        return parse_str(p);
    case 't':
        return parse_word(p, "true", tr_val_bool(true));
    case 'f':
        return parse_word(p, "false", tr_val_bool(false));
    case 'n':
        return parse_word(p, "null", tr_val_null());
    default:
        return parse_number(p);
    }
}

int tr_json_parse(const char *text, size_t size, tr_buf **ret_packed)
{
    if (text == NULL || ret_packed == NULL)
        return TR_EINVAL;
    struct parser p = {.at = (const uint8_t *)text, .end = (const uint8_t *)text + size};
    int rc = parse_value(&p, 0);
    parse_space(&p);
    if (rc == 0 && p.at < p.end)
        rc = TR_EBADMSG;
    if (rc == 0)
        rc = tr_buf_copy(p.out.bytes, p.out.size, ret_packed);
    tr__out_clear(&p.out);
    return rc;
}
