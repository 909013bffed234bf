// A stream that is handed to a child process: the parent has the text, the child reads it there,
// line by line and as fast as it can, and tells what it has counted.
#include <stdio.h>
#include <troupe.h>

// ---- The child reads what it is offered ----

static void on_lines(tr_actor *self, int status, tr_buf *all, void *arg)
{
    tr_val lines = TR_NULL, first = TR_NULL;
    tr_str text = {NULL, 0};
    (void)arg;
    if (status == 0)
        status = tr_val_unpack(tr_buf_data(all), tr_buf_size(all), &lines);
    if (status == 0)
        status = tr_at(lines, 0, &first);
    if (status == 0)
        status = tr_as_str(first, &text);
    if (status == 0)
        status = tr_send(self, tr_parent(self), "count",
                         TR_MAP("lines", tr_val_count(lines), "first", text));
    tr_exit(self, status);
}

static void on_through(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg; // on_lines has heard
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    tr_offer offer;
    tr_stream streams[3];
    int rc = tr_get_offer(tr_msg_body(msg), "text", &offer);
    if (rc == 0)
        rc = tr_stream_accept(self, &offer, NULL, &streams[0]);
    if (rc == 0)
        rc = tr_lines(self, NULL, &streams[1]);
    if (rc == 0)
        rc = tr_collector(self, TR_COLLECT(.as = TR_COLLECT_TEXTS), &streams[2], on_lines, NULL);
    return rc < 0 ? rc : tr_pipeline(self, streams, 3, NULL, on_through, NULL);
}
static const tr_behavior child = {.name = "child", .receive = child_receive};

// ---- The parent offers ----

static int text_open(tr_actor *self, tr_stream *ret_stream)
{
    static const char text[] = "To be, or not to be, that is the question:\n"
                               "Whether 'tis nobler in the mind to suffer\n"
                               "The slings and arrows of outrageous fortune,\n";
    tr_buf *chunk = NULL;
    int rc = tr_buf_copy(text, sizeof text - 1, &chunk);
    if (rc == 0)
        rc = tr_source(self, &chunk, 1, NULL, ret_stream);
    tr_buf_unref(&chunk);
    return rc;
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    tr_stream text;
    tr_offer offer;
    (void)args;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &kid);
    if (rc == 0)
        rc = text_open(self, &text);
    if (rc == 0)
        rc = tr_stream_offer_read(self, text, NULL, &offer);
    return rc < 0 ? rc : tr_send(self, kid, "read", TR_MAP("text", tr_val_offer(&offer)));
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    printf("The child has read: %s\n", tr_msg_json(msg));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&parent, &child));
}
