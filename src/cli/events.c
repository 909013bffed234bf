// Events, kept: with a body of their own, and the names of actors in other processes looked up
// there.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static void name_elsewhere(const fleet *f, tr_trace_event *e)
{
    member *m = e->from.node == e->actor.node ? NULL : fleet_find_node(f, e->from.node);
    const char *name =
        m == NULL || e->from.actor == 0 ? "" : tr_trace_name(m->trace, e->from.actor);
    if (name[0] != '\0')
        snprintf(e->from_name, sizeof e->from_name, "%.40s@%lld", name, (long long)m->process.pid);
}

static void name_here(const fleet *f, char *name, size_t size, int64_t pid)
{
    char plain[64];
    if (f->count < 2 || name[0] == '\0')
        return;
    snprintf(plain, sizeof plain, "%s", name);
    snprintf(name, size, "%.40s@%lld", plain, (long long)pid);
}

// Who is in which process is said as soon as there are two.
static void names_set(const fleet *f, tr_trace_event *e)
{
    if (e->from.node == e->actor.node)
        name_here(f, e->from_name, sizeof e->from_name, e->pid);
    else
        name_elsewhere(f, e);
    name_here(f, e->actor_name, sizeof e->actor_name, e->pid);
}

bool events_add(events *to, const fleet *f, const tr_trace_event *event)
{
    if (to->count == to->capacity) {
        size_t capacity = to->capacity == 0 ? 256 : 2 * to->capacity;
        tr_trace_event *all = realloc(to->all, capacity * sizeof *all);
        if (all == NULL)
            return false;
        to->all = all;
        to->capacity = capacity;
    }
    tr_trace_event *e = &to->all[to->count];
    *e = *event;
    if (event->body != NULL) {
        uint8_t *body = malloc(event->body_size);
        if (body == NULL)
            return false;
        e->body = memcpy(body, event->body, event->body_size);
    }
    if (f != NULL)
        names_set(f, e);
    to->count++;
    return true;
}

// ---- Of several recordings ----

static int by_actor(const void *a, const void *b)
{
    const tr_addr *x = &(*(const tr_trace_event *const *)a)->actor,
                  *y = &(*(const tr_trace_event *const *)b)->actor;
    if (x->node != y->node)
        return x->node < y->node ? -1 : 1;
    return (x->actor > y->actor) - (x->actor < y->actor);
}

// One event of each actor, as that knows its name; by address.
static tr_trace_event **known_sorted(events *all, size_t *ret_count)
{
    tr_trace_event **known = calloc(all->count + 1, sizeof(tr_trace_event *));
    size_t n = 0;
    for (size_t i = 0; i < all->count && known != NULL; i++)
        if (all->all[i].actor_name[0] != '\0')
            known[n++] = &all->all[i];
    if (n > 0)
        qsort((void *)known, n, sizeof(tr_trace_event *), by_actor);
    *ret_count = n;
    return known;
}

static void name_pid(char *name, size_t size, int64_t pid)
{
    char plain[64];
    if (name[0] == '\0' || strchr(name, '@') != NULL)
        return;
    snprintf(plain, sizeof plain, "%s", name);
    snprintf(name, size, "%.40s@%lld", plain, (long long)pid);
}

void events_name(events *all)
{
    size_t count;
    for (size_t i = 0; i < all->count; i++) {
        tr_trace_event *e = &all->all[i];
        name_pid(e->actor_name, sizeof e->actor_name, e->pid);
        if (e->from.node == e->actor.node)
            name_pid(e->from_name, sizeof e->from_name, e->pid);
    }
    tr_trace_event **known = known_sorted(all, &count);
    for (size_t i = 0; i < all->count && known != NULL; i++) {
        tr_trace_event *e = &all->all[i];
        const tr_trace_event key = {.actor = e->from}, *at = &key;
        tr_trace_event **of = e->from.node == e->actor.node || e->from.actor == 0
                                  ? NULL
                                  : bsearch((const void *)&at, (const void *)known, count,
                                            sizeof(tr_trace_event *), by_actor);
        if (of != NULL)
            memcpy(e->from_name, (*of)->actor_name, sizeof e->from_name);
    }
    free((void *)known);
}

// ---- In order ----

static int by_time(const void *a, const void *b)
{
    const tr_trace_event *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->span > y->span) - (x->span < y->span);
}

void events_sort(events *all)
{
    if (all->count > 0)
        qsort(all->all, all->count, sizeof *all->all, by_time);
}

void events_clear(events *all)
{
    for (size_t i = 0; i < all->count; i++)
        free((void *)(uintptr_t)all->all[i].body);
    free(all->all);
    *all = (events){0};
}
