// Which events are wanted.
#include <fnmatch.h>

#include "cli/cli.h"

static bool matches(const char *glob, const char *text)
{
    return glob == NULL || fnmatch(glob, text, 0) == 0;
}

// "worker*" means worker/3@4711, too.
static bool matches_actor(const char *glob, const char *name)
{
    char plain[64];
    if (matches(glob, name))
        return true;
    for (const char *cut = "@/"; *cut != '\0'; cut++) {
        snprintf(plain, sizeof plain, "%s", name);
        char *at = plain;
        while (*at != '\0' && *at != *cut)
            at++;
        *at = '\0';
        if (matches(glob, plain))
            return true;
    }
    return false;
}

static bool went_wrong(const tr_trace_event *e)
{
    return e->kind == TR_TRACE_DROP || e->kind == TR_TRACE_SLOW ||
           (e->flags & TR_TRACE_FAILED) != 0 ||
           ((e->kind == TR_TRACE_END || e->kind == TR_TRACE_REAPED) &&
            e->reason.kind > TR_REASON_SHUTDOWN);
}

bool filter_takes(const filter *f, const tr_trace_event *e)
{
    bool message = e->kind == TR_TRACE_MESSAGE || e->kind == TR_TRACE_SENT;
    if (f->messages && !message && e->kind != TR_TRACE_GAP)
        return false;
    if (f->actor != NULL && !matches_actor(f->actor, e->actor_name) &&
        !matches_actor(f->actor, e->from_name))
        return false;
    if (!matches(f->name, e->name) || (f->bad && !went_wrong(e)))
        return false;
    bool slow = e->kind == TR_TRACE_MESSAGE && (e->wait >= f->slow_ns || e->run >= f->slow_ns);
    if (f->slow_ns != 0 && !slow)
        return false;
    return e->kind == TR_TRACE_GAP || where_takes(f->where, e); // what is lost may have been it
}
