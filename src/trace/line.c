// A record as a line for people.
//
//     12:04:05.123456   4711 ping/0 -> pong/1  ping {"n":1}  wait 12us run 3us
//
// -> a message, => an ask, <= an answer, -x a dead letter. What is not a message says what
// happened.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "data/doc.h"
#include "trace/file.h"

// Text that is cut where the room ends, and counted on.
typedef struct line {
    char *text;
    size_t size, len;
} line;

__attribute__((format(printf, 2, 3))) static void line_add(line *l, const char *format, ...)
{
    va_list args;
    size_t left = l->len < l->size ? l->size - l->len : 0;
    va_start(args, format);
    int n = vsnprintf(left > 0 ? l->text + l->len : NULL, left, format, args);
    va_end(args);
    l->len += n > 0 ? (size_t)n : 0;
}

static void line_time(line *l, const tr_trace_event *e)
{
    time_t seconds = (time_t)(e->time / 1000000000u);
    struct tm tm = {0};
    localtime_r(&seconds, &tm);
    line_add(l, "%02d:%02d:%02d.%06u %6" PRId64 " ", tm.tm_hour, tm.tm_min, tm.tm_sec,
             (unsigned)(e->time / 1000 % 1000000), e->pid);
}

static void line_span(line *l, const char *what, uint64_t ns)
{
    if (ns < 10000)
        line_add(l, "%s%" PRIu64 "ns", what, ns);
    else if (ns < 10000000)
        line_add(l, "%s%" PRIu64 "us", what, ns / 1000);
    else if (ns < UINT64_C(10000000000))
        line_add(l, "%s%" PRIu64 "ms", what, ns / 1000000);
    else
        line_add(l, "%s%" PRIu64 "s", what, ns / 1000000000);
}

// Names come from programs: nothing in them may look like another line.
static void line_name(line *l, const char *name)
{
    for (; *name != '\0'; name++)
        line_add(l, "%c", (unsigned char)*name < ' ' || *name == 0x7f ? '?' : *name);
}

static const char *or_nobody(const char *name)
{
    return name[0] == '\0' ? "-" : name;
}

static void line_body(line *l, const tr_trace_event *e)
{
    tr_val body;
    char *json = NULL;
    if (e->body == NULL) {
        if (e->bytes > 1)
            line_add(l, " (%" PRIu64 " bytes)", e->bytes);
        return;
    }
    tr__doc_view(e->body, &body);
    if (body.type != TR_TYPE_NULL && tr_json_print(body, &json) == 0)
        line_add(l, " %s", json);
    tr_free(json);
}

static void line_message(line *l, const tr_trace_event *e)
{
    bool sent = e->kind == TR_TRACE_SENT, answer = (e->flags & TR_TRACE_ANSWER) != 0;
    bool turned = sent || answer;
    line_name(l, or_nobody(turned ? e->actor_name : e->from_name));
    line_add(l, sent                             ? " ->> "
                : answer                         ? " <= "
                : (e->flags & TR_TRACE_ASK) != 0 ? " => "
                                                 : " -> ");
    line_name(l, or_nobody(turned ? e->from_name : e->actor_name));
    line_add(l, "  ");
    line_name(l, e->name);
    line_body(l, e);
    if (sent)
        return;
    if ((e->flags & TR_TRACE_STAMPED) != 0)
        line_span(l, "  wait ", e->wait);
    line_span(l, " run ", e->run);
    if (e->depth > 0)
        line_add(l, " behind it %" PRIu32, e->depth);
    if (e->code < 0)
        line_add(l, "  FAILED: %s", tr_errname(e->code));
}

static void line_end(line *l, const tr_trace_event *e, const char *what)
{
    char reason[96];
    line_name(l, or_nobody(e->kind == TR_TRACE_REAPED ? e->from_name : e->actor_name));
    line_add(l, " %s: %s", what, tr_reason_text(e->reason, reason, sizeof reason));
}

static void line_two(line *l, const char *first, const char *middle, const char *second)
{
    line_name(l, or_nobody(first));
    line_add(l, "%s", middle);
    line_name(l, or_nobody(second));
}

static void line_fact(line *l, const tr_trace_event *e)
{
    switch (e->kind) {
    case TR_TRACE_GAP:
        line_add(l, "... %" PRIu64 " records are lost here", e->number);
        break;
    case TR_TRACE_DROP:
        line_two(l, e->from_name, " -x ", e->actor_name);
        line_add(l, "  ");
        line_name(l, e->name);
        line_add(l, "  not delivered: %s", tr_errname(e->code));
        break;
    case TR_TRACE_START:
        line_two(l, e->actor_name, " starts, of ", e->from_name);
        break;
    case TR_TRACE_END:
        line_end(l, e, "ends");
        break;
    case TR_TRACE_CHILD:
        line_two(l, e->actor_name, " starts process ", e->name);
        line_add(l, ", pid %" PRIu64, e->number);
        break;
    case TR_TRACE_REAPED:
        line_end(l, e, "is reaped");
        break;
    case TR_TRACE_UP:
    case TR_TRACE_DOWN:
        line_add(l, "link to node %016" PRIx64 " is %s", e->from.node,
                 e->kind == TR_TRACE_UP ? "up" : "down");
        break;
    case TR_TRACE_SLOW:
        line_two(l, e->actor_name, " is slow: ", e->name);
        line_span(l, " took ", e->number);
        break;
    case TR_TRACE_NAME:
        line_two(l, e->actor_name, " is called ", e->name);
        break;
    case TR_TRACE_ATTACH:
        line_add(l, "messages are traced, for pid %" PRIu64, e->number);
        break;
    case TR_TRACE_DETACH:
        line_add(l, "messages are not traced any more");
        break;
    default:
        line_add(l, "?");
    }
}

int tr_trace_line(const tr_trace_event *event, char *ret_text, size_t size)
{
    if (event == NULL || (ret_text == NULL && size > 0))
        return TR_EINVAL;
    line l = {.text = ret_text, .size = size};
    if (size > 0)
        ret_text[0] = '\0';
    line_time(&l, event);
    if (event->kind == TR_TRACE_MESSAGE || event->kind == TR_TRACE_SENT)
        line_message(&l, event);
    else
        line_fact(&l, event);
    return (int)l.len;
}
