// The processes that are looked at: those that live, or have ended, of this user; one of them with
// those that it has started; or a file.
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static bool has(const fleet *f, const char *path)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->members[i].path, path) == 0)
            return true;
    return false;
}

// A process may have more than one node, and a file another name when its process has died.
static bool has_node(const fleet *f, const tr_trace_process *process)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->members[i].process.pid == process->pid &&
            f->members[i].process.started == process->started)
            return true;
    return false;
}

static bool is_target(const fleet *f, const tr_trace_process *process)
{
    char pid[24];
    if (f->target == NULL)
        return true;
    snprintf(pid, sizeof pid, "%lld", (long long)process->pid);
    if (strcmp(f->target, pid) == 0 || strcmp(f->target, process->name) == 0)
        return true;
    for (size_t i = 0; i < f->count && !f->only; i++)
        if (f->members[i].process.pid == process->parent)
            return true;
    return false;
}

static int add(fleet *f, tr_trace *trace, const char *path)
{
    member *members = realloc(f->members, (f->count + 1) * sizeof *members);
    if (members == NULL)
        return TR_ENOMEM;
    f->members = members;
    member *m = &members[f->count];
    *m = (member){.trace = trace, .path = strdup(path)};
    if (m->path == NULL)
        return TR_ENOMEM;
    tr_trace_look(trace, &m->process);
    f->count++;
    return 0;
}

static int scan_one(const char *path, void *arg)
{
    fleet *f = arg;
    tr_trace *trace;
    tr_trace_process process;
    if (has(f, path) || tr_trace_open(path, &trace) < 0)
        return 0;
    tr_trace_look(trace, &process);
    if ((!process.alive && !f->dead) || has_node(f, &process) || !is_target(f, &process) ||
        add(f, trace, path) < 0)
        tr_trace_close(&trace);
    return 0;
}

static size_t scan_file(fleet *f)
{
    tr_trace *trace;
    if (has(f, f->target) || tr_trace_open(f->target, &trace) < 0)
        return 0;
    if (add(f, trace, f->target) == 0)
        return 1;
    tr_trace_close(&trace);
    return 0;
}

// Children are found when their parents have been: in as many rounds as there are generations.
size_t fleet_scan(fleet *f)
{
    size_t before = f->count, last;
    if (f->target != NULL && strchr(f->target, '/') != NULL)
        return scan_file(f);
    do {
        last = f->count;
        tr_trace_each(scan_one, f);
    } while (f->count > last);
    return f->count - before;
}

member *fleet_find_node(const fleet *f, uint64_t node)
{
    for (size_t i = 0; i < f->count; i++) {
        member *m = &f->members[i];
        if (m->process.node == 0)
            tr_trace_look(m->trace, &m->process);
        if (m->process.node == node && node != 0)
            return m;
    }
    return NULL;
}

void fleet_want(fleet *f, bool bodies, uint32_t lease_ms)
{
    for (size_t i = 0; i < f->count; i++) {
        member *m = &f->members[i];
        m->wants = tr_trace_want(m->trace, bodies, lease_ms) == 0;
    }
}

void fleet_close(fleet *f)
{
    for (size_t i = 0; i < f->count; i++) {
        tr_trace_close(&f->members[i].trace);
        free(f->members[i].path);
    }
    free(f->members);
    f->members = NULL;
    f->count = 0;
}
