// What a child has done last: told by its parent when the child has been reaped, from the file that
// it has left. That is a file of a few pages in memory, or what the user has set; it is read in the
// turn of the end.
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "trace/file.h"

#define LINES     10
#define LINES_MAX 1000u
#define LINE_SIZE 400

typedef struct kept {
    tr_trace_event event;
    uint8_t body[TR__BODY_MAX];
} kept;

// The last records of a trace, in a ring. They become lines when they are told: those that are
// read and not told are many.
typedef struct tail {
    kept *all;
    size_t room, count;
} tail;

static int tail_read(tail *t, tr_trace *trace, size_t lines)
{
    *t = (tail){.all = tr__alloc(lines * sizeof *t->all), .room = lines};
    if (t->all == NULL)
        return TR_ENOMEM;
    for (kept *k = t->all; tr_trace_next(trace, &k->event) > 0; k = &t->all[t->count % lines]) {
        if (k->event.body != NULL)
            k->event.body = memcpy(k->body, k->event.body, k->event.body_size);
        t->count++;
    }
    return 0;
}

static size_t tail_first(const tail *t)
{
    return t->count > t->room ? t->count - t->room : 0;
}

static bool trace_is(tr_trace *trace, uint64_t node)
{
    tr_trace_process process;
    tr_trace_look(trace, &process);
    return process.node == node || (process.node == 0 && process.parent == getpid());
}

static bool ended_well(tr_reason reason)
{
    return reason.kind <= TR_REASON_SHUTDOWN ||
           (reason.kind == TR_REASON_EXITED && reason.code == 0);
}

static const char *tail_line(const tail *t, size_t i, char line[LINE_SIZE])
{
    tr_trace_line(&t->all[i % t->room].event, line, LINE_SIZE);
    return line;
}

// What ran when it died.
static void report_turns(int64_t pid, tr_trace *trace)
{
    tr_trace_loop loop;
    for (uint32_t i = 0; tr_trace_look_loop(trace, i, &loop) == 0; i++) {
        if (loop.running_ns > 0)
            tr__warn("child.trace", "pid=%lld loop %u was in a turn of %s, for %s", (long long)pid,
                     i, loop.running_actor, loop.running_message);
        else if (!loop.asleep && loop.last_actor[0] != '\0')
            tr__warn("child.trace", "pid=%lld loop %u: the last turn was of %s", (long long)pid, i,
                     loop.last_actor);
    }
}

static void report_lines(int64_t pid, tr_trace *trace)
{
    tail t;
    char line[LINE_SIZE];
    if (tail_read(&t, trace, LINES) < 0)
        return;
    for (size_t i = tail_first(&t); i < t.count; i++)
        tr__warn("child.trace", "pid=%lld %s", (long long)pid, tail_line(&t, i, line));
    tr__free(t.all);
    report_turns(pid, trace);
}

void tr__trace_report(int64_t pid, uint64_t node, tr_reason reason, bool keep)
{
    char path[TR__TRACE_PATH];
    tr_trace *trace = NULL;
    if (tr__trace_path(pid, 0, path, sizeof path) < 0 || tr_trace_open(path, &trace) < 0)
        return; // it has left in order, or was not traced
    if (!trace_is(trace, node)) {
        tr_trace_close(&trace);
        return;
    }
    if (ended_well(reason)) {
        if (!keep)
            unlink(path);
    } else {
        report_lines(pid, trace);
        tr__trace_keep(path, pid);
    }
    tr_trace_close(&trace);
}

// ---- For whoever asks ----

typedef struct search {
    uint64_t node;
    tr_trace *found;
} search;

static int search_one(const char *path, void *arg)
{
    search *s = arg;
    tr_trace *trace;
    tr_trace_process process;
    if (strncmp(strrchr(path, '/'), "/kept-", 6) != 0 || tr_trace_open(path, &trace) < 0)
        return 0;
    tr_trace_look(trace, &process);
    if (process.node != s->node) {
        tr_trace_close(&trace);
        return 0;
    }
    s->found = trace;
    return 1;
}

static int tail_text(const tail *t, char **ret_text)
{
    size_t size = (t->count - tail_first(t)) * (LINE_SIZE + 1) + 1, len = 0;
    char *text = tr__alloc(size), line[LINE_SIZE];
    if (text == NULL)
        return TR_ENOMEM;
    text[0] = '\0';
    for (size_t i = tail_first(t); i < t->count; i++)
        len += (size_t)snprintf(text + len, size - len, "%s\n", tail_line(t, i, line));
    *ret_text = text;
    return 0;
}

int tr_trace_last(tr_addr child, size_t lines, char **ret_text)
{
    search s = {.node = child.node};
    tail t;
    if (child.node == 0 || lines == 0 || lines > LINES_MAX || ret_text == NULL)
        return TR_EINVAL;
    int rc = tr_trace_each(search_one, &s);
    if (rc <= 0)
        return rc < 0 ? rc : TR_ENOENT;
    rc = tail_read(&t, s.found, lines);
    if (rc == 0) {
        rc = tail_text(&t, ret_text);
        tr__free(t.all);
    }
    tr_trace_close(&s.found);
    return rc;
}
