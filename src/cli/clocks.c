// Clocks of several processes, brought together by what is known for sure: no message has arrived
// before it was sent.
//
// Of a message that has crossed a link both ends may be there: that it was sent, in one process, and
// its turn in the other one, which knows that span of the first. Each such pair says how far apart
// the clocks of the two are at most. Where a message would arrive too early the receiver's times are
// set forward, all of them and by the least that will do; that may bring a third one behind, and so
// on, for as many rounds as there are processes. Clocks that go at different speeds cannot be helped
// so: the messages that still come too early are counted.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define SHIFT_MAX INT64_C(1000000000000000000) // ns: what made-up times say beyond is no clock
#define TOLD_NS   1000                         // lines show microseconds

typedef struct crossing {
    size_t from, to; // clocks
    int64_t early;   // ns; below 0: it took so long
} crossing;

// ---- Pairs ----

static int by_span(const void *a, const void *b)
{
    const tr_trace_event *x = *(const tr_trace_event *const *)a,
                         *y = *(const tr_trace_event *const *)b;
    if (x->actor.node != y->actor.node)
        return x->actor.node < y->actor.node ? -1 : 1;
    return (x->span > y->span) - (x->span < y->span);
}

// Those that have left over a link, by node and span.
static const tr_trace_event **sent_sorted(const events *all, size_t *ret_count)
{
    const tr_trace_event **sent = calloc(all->count + 1, sizeof(tr_trace_event *));
    size_t n = 0;
    for (size_t i = 0; i < all->count && sent != NULL; i++)
        if (all->all[i].kind == TR_TRACE_SENT)
            sent[n++] = &all->all[i];
    if (n > 0)
        qsort((void *)sent, n, sizeof(tr_trace_event *), by_span);
    *ret_count = n;
    return sent;
}

static const tr_trace_event *sent_of(const tr_trace_event **sent, size_t count,
                                     const tr_trace_event *arrived)
{
    tr_trace_event key = {.actor = {.node = arrived->from.node}, .span = arrived->parent};
    const tr_trace_event *at = &key;
    const tr_trace_event **found =
        bsearch((const void *)&at, (const void *)sent, count, sizeof(tr_trace_event *), by_span);
    return found == NULL ? NULL : *found;
}

static size_t clock_of(clocks *c, const tr_trace_event *e)
{
    size_t i = 0;
    while (i < c->count && c->all[i].node != e->actor.node)
        i++;
    if (i < c->count)
        return i;
    clock_shift *all = realloc(c->all, (c->count + 1) * sizeof *all);
    if (all == NULL)
        return SIZE_MAX;
    c->all = all;
    all[c->count++] = (clock_shift){.node = e->actor.node, .pid = e->pid};
    return i;
}

static bool crossing_of(clocks *c, const tr_trace_event *sent, const tr_trace_event *arrived,
                        crossing *ret_crossing)
{
    int64_t early = (int64_t)(sent->time - arrived->sent);
    if (early > SHIFT_MAX || early < -SHIFT_MAX)
        return false;
    *ret_crossing = (crossing){clock_of(c, sent), clock_of(c, arrived), early};
    return ret_crossing->from != SIZE_MAX && ret_crossing->to != SIZE_MAX;
}

static crossing *crossings(clocks *c, const events *all, size_t *ret_count)
{
    size_t sent_count, n = 0;
    const tr_trace_event **sent = sent_sorted(all, &sent_count);
    crossing *found = calloc(all->count + 1, sizeof *found);
    for (size_t i = 0; i < all->count && sent != NULL && found != NULL; i++) {
        const tr_trace_event *e = &all->all[i];
        const tr_trace_event *of = e->kind == TR_TRACE_MESSAGE && (e->flags & TR_TRACE_REMOTE) != 0
                                       ? sent_of(sent, sent_count, e)
                                       : NULL;
        n += of != NULL && crossing_of(c, of, e, &found[n]);
    }
    free((void *)sent);
    *ret_count = n;
    return found;
}

// ---- Setting ----

// returns: how many were too early
static size_t round_of(clocks *c, const crossing *all, size_t count, bool set)
{
    size_t early = 0;
    for (size_t i = 0; i < count; i++) {
        clock_shift *to = &c->all[all[i].to];
        int64_t wanted = c->all[all[i].from].ns + all[i].early;
        if (wanted <= to->ns || wanted > SHIFT_MAX)
            continue;
        early++;
        if (set) {
            to->ns = wanted;
            to->told = false;
        }
    }
    return early;
}

static void apply(const clocks *c, events *all)
{
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < c->count; j++)
            if (c->all[j].node == all->all[i].actor.node) {
                all->all[i].time += (uint64_t)c->all[j].ns;
                all->all[i].sent += (uint64_t)c->all[j].ns;
            }
}

void clocks_set(clocks *c, events *all)
{
    size_t count;
    crossing *found = crossings(c, all, &count);
    if (found != NULL) {
        for (size_t i = 0; i < c->count && round_of(c, found, count, true) > 0; i++)
            continue;
        c->early += round_of(c, found, count, false);
    }
    free(found);
    apply(c, all);
}

const char *clocks_next(clocks *c, char *text, size_t size)
{
    char span[32];
    for (size_t i = 0; i < c->count; i++) {
        clock_shift *shift = &c->all[i];
        if (shift->told || shift->ns < TOLD_NS)
            continue;
        shift->told = true;
        snprintf(text, size,
                 "the clock of pid %" PRId64 " (node %016" PRIx64
                 ") is set forward by %s: messages "
                 "had come there before they were sent",
                 shift->pid, shift->node, cli_span((uint64_t)shift->ns, span, sizeof span));
        return text;
    }
    if (c->early == 0)
        return NULL;
    snprintf(text, size, "%zu messages come before they were sent: clocks go at different speeds",
             c->early);
    c->early = 0;
    return text;
}

void clocks_clear(clocks *c)
{
    free(c->all);
    *c = (clocks){0};
}
