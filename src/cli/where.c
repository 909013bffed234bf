// What is said by --where: events by what is in them.
//
//     expression = clause { "&&" clause }
//     clause     = path [ operator value ]          without: it is there
//     path       = key { "." key }                  a key: a word, or anything in quotes; of a list
//                                                   the number of an item, from 0
//     operator   = "==" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
//     value      = a number, text in quotes, true, false or null, as JSON has them
//
// A path leads into the event as JSON lines have it, so what is in a message is below "body".
// Numbers are compared with numbers, text with text; "~" is a glob. What is not there, or of
// another type, is as little equal as unequal: no clause takes it.
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define KEYS_MAX  16
#define TEXT_SIZE 256u // of a path

typedef enum how { THERE, EQUAL, UNEQUAL, LESS, AT_MOST, MORE, AT_LEAST, GLOB } how;

static const struct {
    const char *text;
    how is;
} OPERATORS[] = {{"==", EQUAL}, {"=", EQUAL},     {"!=", UNEQUAL}, {"<=", AT_MOST},
                 {"<", LESS},   {">=", AT_LEAST}, {">", MORE},     {"~", GLOB}};

typedef struct clause {
    char text[TEXT_SIZE]; // the keys
    const char *keys[KEYS_MAX];
    size_t key_count;
    how is;
    tr_buf *memory; // of the value
    tr_val value;
} clause;

struct where {
    struct where *next;
    clause clause;
};

// ---- Reading an expression ----

typedef struct reader {
    const char *at;
    const char *wanted; // what was not found there
} reader;

static void skip_space(reader *r)
{
    r->at += strspn(r->at, " \t\n");
}

static bool is_word(char c)
{
    return c != '\0' && strchr(" \t\n.=!<>~&\"", c) == NULL;
}

static bool take(reader *r, const char *text)
{
    skip_space(r);
    size_t size = strlen(text);
    if (strncmp(r->at, text, size) != 0)
        return false;
    r->at += size;
    return true;
}

// The key stands in the clause's text from *used on.
static bool read_key(reader *r, clause *c, size_t *used)
{
    bool quoted = *r->at == '"';
    const char *from = r->at + quoted, *to = from;
    while (quoted ? *to != '\0' && *to != '"' : is_word(*to))
        to++;
    size_t size = (size_t)(to - from);
    r->wanted = "a key";
    if ((size == 0 && !quoted) || (quoted && *to == '\0') || c->key_count == KEYS_MAX ||
        *used + size + 1 > sizeof c->text)
        return false;
    c->keys[c->key_count++] = memcpy(c->text + *used, from, size);
    c->text[*used + size] = '\0';
    *used += size + 1;
    r->at = to + quoted;
    return true;
}

static bool read_path(reader *r, clause *c)
{
    size_t used = 0;
    do {
        skip_space(r);
        if (!read_key(r, c, &used))
            return false;
    } while (take(r, "."));
    return true;
}

static how read_operator(reader *r)
{
    for (size_t i = 0; i < sizeof OPERATORS / sizeof OPERATORS[0]; i++)
        if (take(r, OPERATORS[i].text))
            return OPERATORS[i].is;
    return THERE;
}

static size_t value_size(const char *from)
{
    const char *to = from;
    if (*to != '"')
        return strcspn(to, " \t\n&");
    for (to++; *to != '\0' && *to != '"'; to++)
        to += *to == '\\' && to[1] != '\0';
    return (size_t)(to - from) + (*to == '"');
}

static bool read_value(reader *r, clause *c)
{
    skip_space(r);
    size_t size = value_size(r->at);
    r->wanted =
        c->is == GLOB ? "a text in quotes" : "a value: a number, text in quotes, true, false, null";
    if (size == 0 || tr_json_parse(r->at, size, &c->memory) < 0 ||
        tr_val_unpack(tr_buf_data(c->memory), tr_buf_size(c->memory), &c->value) < 0)
        return false;
    r->at += size;
    return c->value.type < TR_TYPE_BIN && (c->is != GLOB || c->value.type == TR_TYPE_STR);
}

static bool read_clause(reader *r, clause *c)
{
    if (!read_path(r, c))
        return false;
    c->is = read_operator(r);
    return c->is == THERE || read_value(r, c);
}

int where_add(where **to, const char *text)
{
    reader r = {.at = text};
    do {
        where *w = calloc(1, sizeof *w);
        if (w == NULL)
            return cli_failed("no memory");
        w->next = *to;
        *to = w;
        if (!read_clause(&r, &w->clause))
            return cli_usage("--where: at \"%s\": %s is wanted", r.at, r.wanted);
    } while (take(&r, "&&"));
    skip_space(&r);
    if (*r.at != '\0')
        return cli_usage("--where: at \"%s\": an operator or && is wanted", r.at);
    return CLI_OK;
}

void where_free(where **w)
{
    for (where *one; (one = *w) != NULL;) {
        *w = one->next;
        tr_buf_unref(&one->clause.memory);
        free(one);
    }
}

bool where_needs_bodies(const where *w)
{
    for (; w != NULL; w = w->next)
        if (strcmp(w->clause.keys[0], "body") == 0)
            return true;
    return false;
}

// ---- Holding it against an event ----

static bool find(tr_val doc, const clause *c, tr_val *ret_value)
{
    for (size_t i = 0; i < c->key_count; i++) {
        char *end;
        unsigned long place = strtoul(c->keys[i], &end, 10);
        bool is_place = doc.type == TR_TYPE_LIST && *end == '\0' && end != c->keys[i];
        if ((is_place ? tr_at(doc, place, &doc) : tr_get(doc, c->keys[i], &doc)) < 0)
            return false;
    }
    *ret_value = doc;
    return true;
}

static bool is_number(tr_val v)
{
    return v.type == TR_TYPE_INT || v.type == TR_TYPE_UINT || v.type == TR_TYPE_FLOAT;
}

static int order_numbers(tr_val a, tr_val b)
{
    int64_t i, j;
    uint64_t u, v;
    double f = 0, g = 0;
    if (tr_as_int(a, &i) == 0 && tr_as_int(b, &j) == 0)
        return (i > j) - (i < j);
    if (tr_as_uint(a, &u) == 0 && tr_as_uint(b, &v) == 0)
        return (u > v) - (u < v);
    tr_as_float(a, &f);
    tr_as_float(b, &g);
    return (f > g) - (f < g);
}

static int order_texts(tr_val a, tr_val b)
{
    int order = memcmp(a.as.ptr, b.as.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

// false: they cannot be compared.
static bool order(tr_val a, tr_val b, int *ret_order)
{
    *ret_order = 0;
    if (is_number(a) && is_number(b))
        *ret_order = order_numbers(a, b);
    else if (a.type != b.type)
        return false;
    else if (a.type == TR_TYPE_STR)
        *ret_order = order_texts(a, b);
    else if (a.type == TR_TYPE_BOOL)
        *ret_order = a.as.b - b.as.b;
    return true;
}

static bool matches(tr_val glob, tr_val value)
{
    if (value.type != TR_TYPE_STR)
        return false;
    char *pattern = strndup((const char *)glob.as.ptr, glob.len);
    char *text = strndup((const char *)value.as.ptr, value.len);
    bool takes = pattern != NULL && text != NULL && fnmatch(pattern, text, 0) == 0;
    free(pattern);
    free(text);
    return takes;
}

static bool clause_takes(const clause *c, tr_val doc)
{
    tr_val value;
    int is;
    if (!find(doc, c, &value))
        return false;
    if (c->is == THERE)
        return true;
    if (c->is == GLOB)
        return matches(c->value, value);
    if (!order(value, c->value, &is))
        return false;
    return c->is == EQUAL     ? is == 0
           : c->is == UNEQUAL ? is != 0
           : c->is == LESS    ? is < 0
           : c->is == AT_MOST ? is <= 0
           : c->is == MORE    ? is > 0
                              : is >= 0;
}

bool where_takes(const where *w, const tr_trace_event *event)
{
    if (w == NULL)
        return true;
    out_doc room;
    tr_val doc = out_jsonl_doc(event, &room);
    while (w != NULL && clause_takes(&w->clause, doc))
        w = w->next;
    return w == NULL;
}
