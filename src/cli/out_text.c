// One line for each event, coloured by how it went.
#include <stdlib.h>

#include "cli/cli.h"

static const char *colour(const tr_trace_event *e)
{
    if (e->kind == TR_TRACE_DROP || e->kind == TR_TRACE_GAP || (e->flags & TR_TRACE_FAILED) != 0)
        return "\033[31m";
    if (e->kind == TR_TRACE_END || e->kind == TR_TRACE_REAPED)
        return e->reason.kind > TR_REASON_SHUTDOWN ? "\033[31m" : "\033[2m";
    if (e->kind == TR_TRACE_SLOW)
        return "\033[33m";
    if (e->kind != TR_TRACE_MESSAGE)
        return "\033[2m";
    return (e->flags & (TR_TRACE_ASK | TR_TRACE_ANSWER)) != 0 ? "\033[36m" : "";
}

void out_text(FILE *out, const tr_trace_event *event)
{
    char text[512], *line = text;
    int size = tr_trace_line(event, text, sizeof text);
    if (size >= (int)sizeof text) {
        char *whole = malloc((size_t)size + 1);
        if (whole != NULL) {
            tr_trace_line(event, whole, (size_t)size + 1);
            line = whole;
        }
    }
    if (cli_colour)
        fprintf(out, "%s%s\033[0m\n", colour(event), line);
    else
        fprintf(out, "%s\n", line);
    if (line != text)
        free(line);
}
