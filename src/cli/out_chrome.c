// Chrome's trace events, for chrome://tracing and ui.perfetto.dev: a process is one, an actor a
// thread of it. Turns of an actor never overlap, so they are its slices; the time that a message
// waits does, so that is asynchronous; arrows go from where a message was sent to its turn.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

// Actors, as threads: numbered by their first appearance.
typedef struct tracks {
    struct track {
        int64_t pid;
        char name[64];
    } * all;
    size_t count;
} tracks;

typedef struct chrome {
    FILE *out;
    tracks tracks;
    bool begun;
} chrome;

static void item_begin(chrome *c, const char *phase, int64_t pid, size_t track)
{
    fprintf(c->out, "%s\n{\"ph\":\"%s\",\"pid\":%" PRId64 ",\"tid\":%zu", c->begun ? "," : "",
            phase, pid, track);
    c->begun = true;
}

static void item_time(chrome *c, uint64_t ns)
{
    fprintf(c->out, ",\"ts\":%" PRIu64 ".%03u", ns / 1000, (unsigned)(ns % 1000));
}

static void item_name(chrome *c, const char *name)
{
    fputs(",\"name\":", c->out);
    cli_json_text(c->out, name);
}

static void track_name(chrome *c, const struct track *track, size_t number)
{
    item_begin(c, "M", track->pid, number);
    item_name(c, "thread_name");
    fputs(",\"args\":{\"name\":", c->out);
    cli_json_text(c->out, track->name);
    fputs("}}", c->out);
}

static size_t track_of(chrome *c, int64_t pid, const char *name)
{
    tracks *t = &c->tracks;
    for (size_t i = 0; i < t->count; i++)
        if (t->all[i].pid == pid && strcmp(t->all[i].name, name) == 0)
            return i + 1;
    struct track *all = realloc(t->all, (t->count + 1) * sizeof *all);
    if (all == NULL)
        return 0;
    t->all = all;
    struct track *track = &all[t->count++];
    track->pid = pid;
    snprintf(track->name, sizeof track->name, "%s", name[0] == '\0' ? "(runtime)" : name);
    track_name(c, track, t->count);
    return t->count;
}

// The process that has said this span's message; a message from elsewhere begins there.
static int64_t pid_of(const events *all, uint64_t node)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->all[i].actor.node == node)
            return all->all[i].pid;
    return 0;
}

static void item_flow(chrome *c, const char *phase, int64_t pid, size_t track, uint64_t ns,
                      int64_t of, uint32_t span)
{
    item_begin(c, phase, pid, track);
    item_time(c, ns);
    fprintf(c->out, ",\"cat\":\"message\",\"id\":\"%" PRId64 ".%" PRIu32 "\"%s", of, span,
            phase[0] == 'f' ? ",\"bp\":\"e\"" : "");
    item_name(c, "sent");
    fputc('}', c->out);
}

static void body_args(chrome *c, const tr_trace_event *e)
{
    tr_val body;
    char *json = NULL;
    if (e->body != NULL && tr_val_unpack(e->body, e->body_size, &body) == 0 &&
        tr_json_print(body, &json) == 0) {
        fputs(",\"body\":", c->out);
        cli_json_text(c->out, json);
    }
    tr_free(json);
}

static void turn(chrome *c, const tr_trace_event *e, size_t track)
{
    item_begin(c, "X", e->pid, track);
    item_time(c, e->time - e->run);
    fprintf(c->out, ",\"dur\":%" PRIu64 ".%03u,\"cat\":\"turn\"", e->run / 1000,
            (unsigned)(e->run % 1000));
    item_name(c, e->name);
    fputs(",\"args\":{\"from\":", c->out);
    cli_json_text(c->out, e->from_name);
    fprintf(c->out, ",\"wait_us\":%" PRIu64 ",\"behind\":%" PRIu32 ",\"trace\":\"%016" PRIx64 "\"",
            e->wait / 1000, e->depth, e->trace);
    body_args(c, e);
    if (e->code < 0) {
        fputs(",\"error\":", c->out);
        cli_json_text(c->out, tr_errname(e->code));
    }
    fputs("}}", c->out);
}

static void waiting(chrome *c, const tr_trace_event *e, size_t track)
{
    for (int end = 0; end < 2; end++) {
        item_begin(c, end ? "e" : "b", e->pid, track);
        item_time(c, end ? e->sent + e->wait : e->sent);
        fprintf(c->out, ",\"cat\":\"wait\",\"id\":\"w%" PRId64 ".%" PRIu32 "\"", e->pid, e->span);
        item_name(c, e->name);
        fputc('}', c->out);
    }
}

static void message(chrome *c, const events *all, const tr_trace_event *e)
{
    size_t track = track_of(c, e->pid, e->actor_name);
    turn(c, e, track);
    if ((e->flags & TR_TRACE_STAMPED) == 0)
        return;
    waiting(c, e, track);
    if ((e->flags & TR_TRACE_REMOTE) != 0) {
        item_flow(c, "f", e->pid, track, e->time - e->run, pid_of(all, e->from.node), e->parent);
    } else if (e->from_name[0] != '\0') {
        item_flow(c, "s", e->pid, track_of(c, e->pid, e->from_name), e->sent, e->pid, e->span);
        item_flow(c, "f", e->pid, track, e->time - e->run, e->pid, e->span);
    }
}

static void fact(chrome *c, const tr_trace_event *e)
{
    char line[512];
    int size = tr_trace_line(e, line, sizeof line);
    size_t skip = sizeof "00:00:00.000000  12345 " - 1; // the time stands beside it
    item_begin(c, "i", e->pid, track_of(c, e->pid, e->actor_name));
    item_time(c, e->time);
    fputs(",\"s\":\"t\",\"cat\":\"fact\"", c->out);
    item_name(c, size > (int)skip ? line + skip : line);
    fputc('}', c->out);
}

static void one(chrome *c, const events *all, const tr_trace_event *e)
{
    if (e->kind == TR_TRACE_MESSAGE)
        message(c, all, e);
    else if (e->kind == TR_TRACE_SENT)
        item_flow(c, "s", e->pid, track_of(c, e->pid, e->actor_name), e->sent, e->pid, e->span);
    else if (e->kind != TR_TRACE_GAP)
        fact(c, e);
}

static void clock_notes(FILE *out, clocks *of)
{
    char note[256];
    fputs("\"otherData\":{\"clocks\":[", out);
    for (const char *comma = ""; clocks_next(of, note, sizeof note) != NULL; comma = ",") {
        fputs(comma, out);
        cli_json_text(out, note);
    }
    fputs("]},", out);
}

void out_chrome(FILE *out, const events *all, clocks *of)
{
    chrome c = {.out = out};
    fputs("{\"displayTimeUnit\":\"ns\",", out);
    clock_notes(out, of);
    fputs("\"traceEvents\":[", out);
    for (size_t i = 0; i < all->count; i++)
        one(&c, all, &all->all[i]);
    fputs("\n]}\n", out);
    free(c.tracks.all);
}
