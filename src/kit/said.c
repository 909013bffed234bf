// What was said in a test: the traces of all processes that have run in it, as one list by time.
//
// The files stay in the test's directory (TROUPE_TRACE=body,keep) and are read again at each
// question: so each sees all that has run until then.
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "kit/kit.h"

#define DRAWN 200u // events

typedef struct said {
    tr_trace_event *events;
    size_t count, capacity;
} said;

static bool passed;

// ---- All that there is ----

static int said_add(said *s, const tr_trace_event *event)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity == 0 ? 256 : 2 * s->capacity;
        tr_trace_event *events = tr__resize(s->events, capacity * sizeof *events);
        if (events == NULL)
            return TR_ENOMEM;
        s->events = events;
        s->capacity = capacity;
    }
    tr_trace_event *e = &s->events[s->count];
    *e = *event;
    e->body = NULL;
    if (event->body != NULL) {
        uint8_t *body = tr__alloc(event->body_size);
        if (body != NULL)
            e->body = memcpy(body, event->body, event->body_size);
    }
    s->count++;
    return 0;
}

static int said_read(const char *path, void *arg)
{
    tr_trace *trace;
    tr_trace_event event;
    int rc = tr_trace_open(path, &trace);
    if (rc < 0)
        return 0;
    while (rc == 0 && tr_trace_next(trace, &event) > 0)
        rc = said_add(arg, &event);
    tr_trace_close(&trace);
    return rc;
}

static int by_time(const void *a, const void *b)
{
    const tr_trace_event *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

// Who has sent what has come from another node has a name there.
static void said_name(said *s)
{
    for (size_t i = 0; i < s->count; i++) {
        tr_trace_event *e = &s->events[i];
        for (size_t j = 0; j < s->count && e->from.node != e->actor.node; j++)
            if (tr_addr_eq(s->events[j].actor, e->from) && s->events[j].actor_name[0] != '\0') {
                memcpy(e->from_name, s->events[j].actor_name, sizeof e->from_name);
                break;
            }
    }
}

static said said_all(void)
{
    said s = {0};
    tr_trace_each(said_read, &s);
    if (s.count > 0)
        qsort(s.events, s.count, sizeof *s.events, by_time);
    said_name(&s);
    return s;
}

static void said_clear(said *s)
{
    for (size_t i = 0; i < s->count; i++)
        tr__free((void *)(uintptr_t)s->events[i].body);
    tr__free(s->events);
    *s = (said){0};
}

// ---- Questions ----

static bool matches(const char *glob, const char *text)
{
    return glob == NULL || fnmatch(glob, text, 0) == 0;
}

static bool is_said(const tr_trace_event *e, const tr_said *what)
{
    return e->kind == TR_TRACE_MESSAGE && matches(what->name, e->name) &&
           matches(what->from, e->from_name) && matches(what->to, e->actor_name);
}

static size_t said_first(const said *s, const tr_said *what)
{
    size_t i = 0;
    while (i < s->count && !is_said(&s->events[i], what))
        i++;
    return i;
}

static const tr_trace_event *span_find(const said *s, uint64_t node, uint32_t span,
                                       tr_trace_kind kind)
{
    for (size_t i = 0; i < s->count; i++) {
        const tr_trace_event *e = &s->events[i];
        if (e->kind == kind && e->actor.node == node && e->span == span)
            return e;
    }
    return NULL;
}

// The message whose turn has sent this one; NULL: none has.
static const tr_trace_event *cause_of(const said *s, const tr_trace_event *e)
{
    if ((e->flags & TR_TRACE_REMOTE) != 0)
        e = span_find(s, e->from.node, e->parent, TR_TRACE_SENT);
    return e == NULL || e->parent == 0 ? NULL
                                       : span_find(s, e->actor.node, e->parent, TR_TRACE_MESSAGE);
}

static bool has_cause(const said *s, const tr_trace_event *e, const tr_said *cause)
{
    size_t steps = 0;
    while ((e = cause_of(s, e)) != NULL && steps++ < s->count)
        if (is_said(e, cause))
            return true;
    return false;
}

static const char *any(const char *glob)
{
    return glob == NULL ? "*" : glob;
}

void tr_test_expect_said(size_t count, const tr_said *what, const char *file, int line)
{
    size_t n = 0;
    tr__kit_at(file, line);
    said s = said_all();
    for (size_t i = 0; i < s.count; i++)
        n += is_said(&s.events[i], what);
    said_clear(&s);
    if (n != count)
        tr__kit_fail("%s from %s to %s was said %zu times, not %zu", any(what->name),
                     any(what->from), any(what->to), n, count);
}

void tr_test_expect_order(const tr_said *first, const tr_said *then, const char *file, int line)
{
    tr__kit_at(file, line);
    said s = said_all();
    size_t a = said_first(&s, first), b = said_first(&s, then), count = s.count;
    said_clear(&s);
    if (a == count || b == count)
        tr__kit_fail("%s was not said", any(a == count ? first->name : then->name));
    if (b < a)
        tr__kit_fail("%s was said before %s", any(then->name), any(first->name));
}

void tr_test_expect_causes(const tr_said *cause, const tr_said *then, const char *file, int line)
{
    size_t n = 0, without = 0;
    tr__kit_at(file, line);
    said s = said_all();
    for (size_t i = 0; i < s.count; i++)
        if (is_said(&s.events[i], then)) {
            n++;
            without += !has_cause(&s, &s.events[i], cause);
        }
    said_clear(&s);
    if (n == 0)
        tr__kit_fail("%s was not said", any(then->name));
    if (without > 0)
        tr__kit_fail("%zu of %zu %s have no %s among their causes", without, n, any(then->name),
                     any(cause->name));
}

// ---- Around a test ----

static void said_draw(void)
{
    said s = said_all();
    char *text = NULL;
    size_t skip = s.count > DRAWN ? s.count - DRAWN : 0;
    if (s.count > 0 && tr_trace_diagram(s.events + skip, s.count - skip, &text) == 0) {
        char *rest = text;
        for (char *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
            tr__kit_print("%s", line);
        tr_free(text);
    }
    said_clear(&s);
}

int tr_test_traced_setup(void **state)
{
    int rc = tr_test_setup(state);
    passed = false;
    if (rc == 0)
        rc = setenv("TROUPE_TRACE_DIR", tr_test_path("trace"), 1);
    return rc == 0 ? setenv("TROUPE_TRACE", "body,keep", 1) : rc;
}

void tr_test_traced(void **state)
{
    void *own = NULL;
    ((const tr_test_case *)*state)->function(&own);
    passed = true;
}

int tr_test_traced_teardown(void **state)
{
    if (!passed)
        said_draw();
    setenv("TROUPE_TRACE", "off", 1);
    unsetenv("TROUPE_TRACE_DIR");
    return tr_test_teardown(state);
}
