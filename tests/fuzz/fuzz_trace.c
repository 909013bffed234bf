// The reader of traces on a file that somebody has made up: it tells records or errors, reads no
// byte that is not there, and comes to an end.
//
// The input is a file's beginning and pieces of it: an offset (4 bytes) and a size (2), then bytes.
// What lies between them is zero. So a few bytes reach into rings that are megabytes apart.
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

#include "trace/file.h"

#define EVENTS_MAX 100000 // all that two loops can hold, and gaps

typedef struct image {
    const uint8_t *data;
    size_t size;
} image;

// What the pieces say about these bytes, the later ones before the earlier.
static int64_t image_read(void *arg, void *bytes, size_t size, uint64_t at)
{
    const image *im = arg;
    uint8_t *to = bytes;
    memset(to, 0, size);
    for (size_t p = 0; p + 6 <= im->size;) {
        uint32_t offset;
        uint16_t len;
        memcpy(&offset, im->data + p, 4);
        memcpy(&len, im->data + p + 4, 2);
        p += 6;
        size_t here = len < im->size - p ? len : im->size - p;
        for (size_t i = 0; i < here; i++)
            if (offset + i >= at && offset + i - at < size)
                to[offset + i - at] = im->data[p + i];
        p += here;
    }
    return (int64_t)size;
}

static void look(tr_trace *trace)
{
    static tr_trace_actor actors[64];
    tr_trace_process process;
    tr_trace_loop loop;
    uint64_t more;
    tr_trace_look(trace, &process);
    for (uint32_t i = 0; i < 4; i++)
        tr_trace_look_loop(trace, i, &loop);
    tr_trace_actors(trace, actors, 64, &more);
}

static void tell(const tr_trace_event *event)
{
    char line[256], *text = NULL;
    tr_val body;
    if (event->kind >= TR_TRACE_KINDS || tr_trace_line(event, line, sizeof line) < 0)
        abort();
    if (event->body != NULL && tr_val_unpack(event->body, event->body_size, &body) < 0)
        abort(); // it has been checked
    if (tr_trace_diagram(event, 1, &text) == 0)
        tr_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    image im = {data, size < 4096 ? size : 4096};
    tr__trace_source source = {image_read, &im};
    tr_trace *trace;
    tr_trace_event event;
    if (tr__trace_open_source(&source, &trace) < 0)
        return 0;
    look(trace);
    for (int i = 0; i < EVENTS_MAX && tr_trace_next(trace, &event) > 0; i++)
        if (i < 64)
            tell(&event);
    tr_trace_close(&trace);
    return 0;
}
