// The collector: a sink that keeps all it is given, in one buffer.
//
// It tells when it is destroyed, which is its end in every case: with 0 only after its `final`, and
// with the pipeline's error otherwise. An actor that has ended is told nothing: its streams are
// gone by then. Lists have a head of fixed size in front, which is filled in at the end.
#include <troupe/ends.h>
#include <troupe/val.h>

#include "base/opts.h"
#include "streams/streams.h"

#define LIMIT_DEFAULT ((size_t)16 << 20)
#define HEAD          5 // of a list or a text: what it is, and its length in 32 bits

typedef struct collector {
    tr_collected cb;
    void *arg;
    tr_collect_as as;
    size_t limit;
    uint32_t count; // items
    tr__gather all;
} collector;

// 0xdd: a list; 0xdb: a text
static void head_make(uint8_t *head, uint8_t kind, size_t len)
{
    head[0] = kind;
    tr_room_uint(tr_room_of(head + 1, HEAD - 1), 0, TR_BE32, len);
}

static int collect_add(collector *c, tr_bytes bytes)
{
    return bytes.len > c->limit - c->all.len ? TR_ETOOBIG : tr__gather_add(&c->all, bytes);
}

static int collect_text(collector *c, tr_bytes text)
{
    uint8_t head[HEAD];
    if (text.len > c->limit)
        return TR_ETOOBIG;
    head_make(head, 0xdb, text.len);
    int rc = collect_add(c, tr_bytes_of(head, HEAD));
    return rc < 0 ? rc : collect_add(c, text);
}

static int collect_item(collector *c, const tr_buf *item)
{
    tr_bytes bytes = tr_buf_bytes(item);
    tr_val value;
    c->count++;
    if (c->as == TR_COLLECT_TEXTS)
        return collect_text(c, bytes);
    int rc = c->as == TR_COLLECT_DOCS ? tr_val_unpack(bytes.ptr, bytes.len, &value) : 0;
    return rc < 0 ? rc : collect_add(c, bytes);
}

static int collector_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                           size_t count)
{
    int rc = 0;
    (void)self, (void)stream;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = collect_item(state, chunks[i]);
    return rc;
}

static int collector_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    collector *c = state;
    tr_stream_info info;
    tr_buf *all = NULL;
    if (tr_stream_info_get(self, stream, &info) == 0) {
        if (error == 0 && c->as != TR_COLLECT_BYTES)
            head_make(tr_buf_data(c->all.room), 0xdd, c->count);
        if (error == 0)
            error = tr__gather_take(&c->all, 0, c->all.len, &all);
        c->cb(self, error, all, c->arg);
    }
    tr_buf_unref(&all);
    tr__gather_clear(&c->all);
    return 0;
}

static const tr_stream_ops collector_ops = {.name = "collector",
                                            .state_size = sizeof(collector),
                                            .write_count = 16,
                                            .write = collector_write,
                                            .destroy = collector_destroy};

// It is told by cb how it ends, so that nobody else need hear of it.
static void collector_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static const tr_stream_events collector_events = {.closed = collector_closed};

static bool opts_are_good(const tr_collect_opts *opts)
{
    return (unsigned)opts->as <= TR_COLLECT_TEXTS && opts->limit <= TR_COLLECT_MAX;
}

int tr_collector(tr_actor *self, const tr_collect_opts *opts, tr_stream *ret_stream,
                 tr_collected cb, void *arg)
{
    tr_collect_opts o;
    uint8_t head[HEAD] = {0};
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || cb == NULL || ret_stream == NULL || !opts_are_good(&o))
        return TR_EINVAL;
    collector like = {.cb = cb, .arg = arg, .as = o.as};
    like.limit = o.limit != 0 ? o.limit : LIMIT_DEFAULT;
    void *state;
    tr_stream_mode mode = o.as == TR_COLLECT_BYTES ? TR_BYTES : TR_WRITE_ITEMS;
    if (mode != TR_BYTES)
        rc = tr__gather_add(&like.all, tr_bytes_of(head, HEAD));
    if (rc == 0)
        rc = tr__streams_new(self, &collector_ops, TR_STREAM(.cancel = o.cancel), mode, ret_stream,
                             &state);
    if (rc < 0) {
        tr__gather_clear(&like.all);
        return rc;
    }
    *(collector *)state = like;
    tr_stream_on(self, *ret_stream, &collector_events, NULL);
    return 0;
}

static void collect_done(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg; // the collector has told
}

// For one that is not to tell.
static void collect_nothing(tr_actor *self, int status, tr_buf *all, void *arg)
{
    (void)self, (void)status, (void)all, (void)arg;
}

int tr_collect(tr_actor *self, tr_stream stream, const tr_collect_opts *opts, tr_collected cb,
               void *arg)
{
    tr_stream pair[2] = {stream, {0}};
    int rc = tr_collector(self, opts, &pair[1], cb, arg);
    if (rc < 0)
        return rc;
    rc = tr_pipeline(self, pair, 2, NULL, collect_done, NULL);
    if (rc < 0) {
        collector *c = tr_stream_state(self, pair[1], &collector_ops);
        c->cb = collect_nothing;
        tr_stream_destroy(self, pair[1], 0);
    }
    return rc;
}
