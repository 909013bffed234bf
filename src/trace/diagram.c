// Records as a sequence diagram in the language of mermaid, which many tools draw, and which can be
// read as it is.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "data/doc.h"
#include "trace/file.h"

#define BODY_SHOWN 60 // bytes of JSON beside a message

// Text that grows. failed: there was no memory
typedef struct diagram {
    char *text;
    size_t len, capacity;
    bool failed;
} diagram;

__attribute__((format(printf, 2, 3))) static void add(diagram *d, const char *format, ...)
{
    va_list args;
    for (int tries = 0; tries < 2 && !d->failed; tries++) {
        size_t left = d->capacity - d->len;
        va_start(args, format);
        int n = vsnprintf(d->text == NULL ? NULL : d->text + d->len, left, format, args);
        va_end(args);
        if (n < 0 || (size_t)n < left) {
            d->len += n > 0 ? (size_t)n : 0;
            return;
        }
        size_t capacity = 2 * d->capacity + (size_t)n + 1024;
        char *text = tr__resize(d->text, capacity);
        d->failed = text == NULL;
        d->text = text != NULL ? text : d->text;
        d->capacity = text != NULL ? capacity : d->capacity;
    }
}

// What mermaid takes for itself is left out of texts.
static void add_text(diagram *d, const char *text, size_t max)
{
    for (size_t i = 0; text[i] != '\0' && i < max; i++)
        add(d, "%c",
            (unsigned char)text[i] < ' ' || strchr(";#<>\x7f", text[i]) != NULL ? ' ' : text[i]);
}

// A name of mermaid's own: letters, figures and _.
static void add_id(diagram *d, const char *name)
{
    if (name[0] == '\0')
        add(d, "runtime");
    for (; *name != '\0'; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= '0' && *name <= '9');
        add(d, "%c", plain ? *name : '_');
    }
}

static bool is_arrow(const tr_trace_event *e)
{
    return e->kind == TR_TRACE_MESSAGE || e->kind == TR_TRACE_DROP;
}

// Whether nobody before has this name.
static bool is_first(const tr_trace_event *events, size_t at, const char *name, bool of_from)
{
    for (size_t i = 0; i <= at; i++) {
        const tr_trace_event *e = &events[i];
        if (!is_arrow(e))
            continue;
        if ((i < at || !of_from) && strcmp(e->from_name, name) == 0)
            return false;
        if (i < at && strcmp(e->actor_name, name) == 0)
            return false;
    }
    return true;
}

static void add_actor(diagram *d, const char *name)
{
    add(d, "    participant ");
    add_id(d, name);
    add(d, " as ");
    add_text(d, name[0] == '\0' ? "(runtime)" : name, SIZE_MAX);
    add(d, "\n");
}

static void add_actors(diagram *d, const tr_trace_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const tr_trace_event *e = &events[i];
        if (is_arrow(e) && is_first(events, i, e->from_name, true))
            add_actor(d, e->from_name);
        if (is_arrow(e) && is_first(events, i, e->actor_name, false))
            add_actor(d, e->actor_name);
    }
}

static void add_body(diagram *d, const tr_trace_event *e)
{
    tr_val body;
    char *json = NULL;
    if (e->body == NULL)
        return;
    tr__doc_view(e->body, &body);
    if (body.type != TR_TYPE_NULL && tr_json_print(body, &json) == 0) {
        add(d, " ");
        add_text(d, json, BODY_SHOWN);
        add(d, "%s", strlen(json) > BODY_SHOWN ? "..." : "");
    }
    tr_free(json);
}

static void add_arrow(diagram *d, const tr_trace_event *e)
{
    bool answer = (e->flags & TR_TRACE_ANSWER) != 0, drop = e->kind == TR_TRACE_DROP;
    add(d, "    ");
    add_id(d, e->from_name);
    add(d, "%s", drop ? "-x" : answer ? "-->>" : "->>");
    add_id(d, e->actor_name);
    add(d, ": ");
    add_text(d, e->name, SIZE_MAX);
    add_body(d, e);
    if (e->code < 0)
        add(d, " (%s)", tr_errname(e->code));
    add(d, "\n");
}

static void add_end(diagram *d, const tr_trace_event *e, const tr_trace_event *events, size_t at)
{
    char reason[96];
    if (is_first(events, at, e->actor_name, true))
        return; // who took no part
    add(d, "    Note over ");
    add_id(d, e->actor_name);
    add(d, ": ends, ");
    add_text(d, tr_reason_text(e->reason, reason, sizeof reason), SIZE_MAX);
    add(d, "\n");
}

int tr_trace_diagram(const tr_trace_event *events, size_t count, char **ret_text)
{
    diagram d = {0};
    if ((events == NULL && count > 0) || ret_text == NULL)
        return TR_EINVAL;
    add(&d, "sequenceDiagram\n");
    add_actors(&d, events, count);
    for (size_t i = 0; i < count; i++) {
        if (is_arrow(&events[i]))
            add_arrow(&d, &events[i]);
        else if (events[i].kind == TR_TRACE_END)
            add_end(&d, &events[i], events, i);
    }
    if (d.failed) {
        tr__free(d.text);
        return TR_ENOMEM;
    }
    *ret_text = d.text;
    return 0;
}
