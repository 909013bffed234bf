// JSON lines: all of an event, to be kept, read again, or given to other programs.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char *const KINDS[TR_TRACE_KINDS] = {
    [TR_TRACE_GAP] = "gap",       [TR_TRACE_MESSAGE] = "message", [TR_TRACE_SENT] = "sent",
    [TR_TRACE_DROP] = "drop",     [TR_TRACE_START] = "start",     [TR_TRACE_END] = "end",
    [TR_TRACE_CHILD] = "child",   [TR_TRACE_REAPED] = "reaped",   [TR_TRACE_UP] = "up",
    [TR_TRACE_DOWN] = "down",     [TR_TRACE_SLOW] = "slow",       [TR_TRACE_NAME] = "name",
    [TR_TRACE_ATTACH] = "attach", [TR_TRACE_DETACH] = "detach",   [TR_TRACE_BODY] = "body",
};

static const char *const FLAGS[] = {"ask", "answer", "stamped", "remote", "failed"};
#define FLAG_COUNT (sizeof FLAGS / sizeof FLAGS[0])

// ---- Writing ----

static tr_val flags_of(const tr_trace_event *e, tr_val *items)
{
    size_t n = 0;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        if ((e->flags & 1u << i) != 0)
            items[n++] = tr_val_str(FLAGS[i]);
    return tr_val_list(items, n);
}

static tr_val at_of(const tr_trace_event *e, tr_val *items)
{
    const uint64_t at[] = {e->actor.node, e->actor.actor, e->from.node, e->from.actor};
    for (size_t i = 0; i < 4; i++)
        items[i] = tr_val_uint(at[i]);
    return tr_val_list(items, 4);
}

static tr_val body_of(const tr_trace_event *e)
{
    tr_val body = TR_NULL;
    if (e->body != NULL)
        tr_val_unpack(e->body, e->body_size, &body);
    return body;
}

tr_val out_jsonl_doc(const tr_trace_event *e, out_doc *room)
{
    const tr_val items[] = {
        TR_V("kind"),   TR_V(KINDS[e->kind]), TR_V("time"),   TR_V(e->time),
        TR_V("pid"),    TR_V(e->pid),         TR_V("loop"),   TR_V(e->loop),
        TR_V("actor"),  TR_V(e->actor_name),  TR_V("from"),   TR_V(e->from_name),
        TR_V("name"),   TR_V(e->name),        TR_V("flags"),  flags_of(e, room->flags),
        TR_V("sent"),   TR_V(e->sent),        TR_V("wait"),   TR_V(e->wait),
        TR_V("run"),    TR_V(e->run),         TR_V("depth"),  TR_V(e->depth),
        TR_V("bytes"),  TR_V(e->bytes),       TR_V("trace"),  TR_V(e->trace),
        TR_V("span"),   TR_V(e->span),        TR_V("parent"), TR_V(e->parent),
        TR_V("code"),   TR_V(e->code),        TR_V("reason"), TR_V((int)e->reason.kind),
        TR_V("number"), TR_V(e->number),      TR_V("at"),     at_of(e, room->at),
        TR_V("body"),   body_of(e),
    };
    _Static_assert(sizeof items <= sizeof room->items && FLAG_COUNT <= 8, "room");
    size_t count = sizeof items / sizeof items[0] / 2;
    memcpy(room->items, items, sizeof items);
    if (e->body == NULL)
        count--; // not there, which is something else than null
    return tr_val_map(room->items, count);
}

void out_jsonl(FILE *out, const tr_trace_event *e)
{
    out_doc room;
    char *json = NULL;
    if (tr_json_print(out_jsonl_doc(e, &room), &json) == 0)
        fprintf(out, "%s\n", json);
    tr_free(json);
}

// ---- Reading ----

static void text_at(tr_val doc, const char *key, char *ret_text, size_t size)
{
    tr_str text;
    if (tr_get_str(doc, key, &text) == 0)
        snprintf(ret_text, size, "%.*s", (int)(text.len < size ? text.len : size), text.ptr);
}

static uint64_t uint_at(tr_val doc, const char *key)
{
    uint64_t number = 0;
    tr_get_uint(doc, key, &number);
    return number;
}

static tr_trace_kind kind_at(tr_val doc)
{
    char name[16] = "";
    text_at(doc, "kind", name, sizeof name);
    for (int i = 0; i < TR_TRACE_KINDS; i++)
        if (strcmp(name, KINDS[i]) == 0)
            return (tr_trace_kind)i;
    return TR_TRACE_KINDS;
}

static unsigned flags_at(tr_val doc)
{
    tr_val list, item;
    unsigned flags = 0;
    tr_str name;
    if (tr_get(doc, "flags", &list) < 0)
        return 0;
    for (tr_iter it = tr_iter_of(list); tr_iter_next(&it, NULL, &item);)
        for (size_t i = 0; i < FLAG_COUNT; i++)
            if (tr_as_str(item, &name) == 0 && tr_str_eq(name, FLAGS[i]))
                flags |= 1u << i;
    return flags;
}

static uint64_t at_at(tr_val doc, size_t i)
{
    tr_val list, item;
    uint64_t number = 0;
    if (tr_get(doc, "at", &list) == 0 && tr_at(list, i, &item) == 0)
        tr_as_uint(item, &number);
    return number;
}

static bool event_read(tr_val doc, tr_trace_event *ret_event)
{
    int64_t code = 0, pid = 0;
    uint64_t reason = uint_at(doc, "reason");
    tr_get_int(doc, "code", &code);
    tr_get_int(doc, "pid", &pid);
    *ret_event = (tr_trace_event){
        .kind = kind_at(doc),
        .flags = flags_at(doc),
        .pid = pid,
        .loop = (uint32_t)uint_at(doc, "loop"),
        .time = uint_at(doc, "time"),
        .sent = uint_at(doc, "sent"),
        .wait = uint_at(doc, "wait"),
        .run = uint_at(doc, "run"),
        .depth = (uint32_t)uint_at(doc, "depth"),
        .bytes = uint_at(doc, "bytes"),
        .trace = uint_at(doc, "trace"),
        .span = (uint32_t)uint_at(doc, "span"),
        .parent = (uint32_t)uint_at(doc, "parent"),
        .code = (int)code,
        .reason = {.kind = reason <= TR_REASON_NOACTOR ? (tr_reason_kind)reason : TR_REASON_NORMAL,
                   .code = (int)code},
        .number = uint_at(doc, "number"),
        .actor = {at_at(doc, 0), at_at(doc, 1)},
        .from = {at_at(doc, 2), at_at(doc, 3)},
    };
    text_at(doc, "actor", ret_event->actor_name, sizeof ret_event->actor_name);
    text_at(doc, "from", ret_event->from_name, sizeof ret_event->from_name);
    text_at(doc, "name", ret_event->name, sizeof ret_event->name);
    return ret_event->kind < TR_TRACE_KINDS;
}

static int line_read(const char *line, size_t size, events *to)
{
    tr_buf *packed = NULL, *body = NULL;
    tr_val doc, value;
    tr_trace_event e;
    int rc = tr_json_parse(line, size, &packed);
    if (rc == 0)
        rc = tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &doc);
    if (rc == 0 && !event_read(doc, &e))
        rc = TR_EBADMSG;
    if (rc == 0 && tr_get(doc, "body", &value) == 0 && tr_val_pack(value, &body) == 0) {
        e.body = tr_buf_data(body);
        e.body_size = tr_buf_size(body);
    }
    if (rc == 0 && !events_add(to, NULL, &e))
        rc = TR_ENOMEM;
    tr_buf_unref(&body);
    tr_buf_unref(&packed);
    return rc;
}

int out_jsonl_read(const char *path, events *ret_events)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    int rc = in == NULL ? -errno : 0;
    for (ssize_t size; rc == 0 && (size = getline(&line, &capacity, in)) > 0;)
        rc = line_read(line, (size_t)size, ret_events);
    free(line);
    if (in != NULL && in != stdin)
        fclose(in);
    return rc;
}
