// Documents: msgpack, one after the other, cut into items of one each.
//
// To find where a document ends it is enough to count: the heads that are owed, and the bytes that
// belong to the last one. A document that promises more items than the limit has bytes is refused
// at the head that does. Everything else that a reader relies on is checked by tr_val_unpack once
// the document is whole, before it is told.
#include <troupe/transform.h>

#include "base/assert.h"
#include "base/opts.h"
#include "data/wire.h"
#include "streams/streams.h"

#define HEAD_MAX        6
#define DOC_MAX_DEFAULT ((size_t)16 << 20)

typedef struct docs {
    tr__split split;
    uint8_t head[HEAD_MAX];
    size_t have;    // of the head
    uint64_t owed;  // heads that are still to come; 0, and nothing to skip: between documents
    uint64_t skip;  // bytes behind the last head
    uint64_t total; // of the document, so far as its heads say
} docs;

static int docs_count(docs *d, const tr__head *head)
{
    bool holds = tr__type_is_container(head->type);
    d->have = 0;
    d->skip = holds ? 0 : head->len;
    d->owed += (holds ? tr__items(head->type, head->len) : 0) - 1;
    d->total += head->size + d->skip;
    return d->total + d->owed > d->split.max ? TR_ETOOBIG : 0;
}

static int docs_head(docs *d, uint8_t byte)
{
    tr__head head;
    tr_assert(d->have < HEAD_MAX);
    d->head[d->have++] = byte;
    if (tr__head_read(d->head, d->have, &head))
        return docs_count(d, &head);
    return d->head[0] == 0xc1 ? TR_EBADMSG : 0;
}

static int docs_next(tr__split *split, tr_bytes bytes, size_t *ret_used)
{
    docs *d = (docs *)split;
    size_t used = 0;
    if (d->owed == 0 && d->skip == 0) {
        d->owed = 1;
        d->total = 0;
    }
    while (used < bytes.len && (d->owed > 0 || d->skip > 0)) {
        if (d->skip > 0) {
            size_t part = d->skip < bytes.len - used ? (size_t)d->skip : bytes.len - used;
            d->skip -= part;
            used += part;
        } else {
            int rc = docs_head(d, ((const uint8_t *)bytes.ptr)[used++]);
            if (rc < 0)
                return rc;
        }
    }
    *ret_used = used;
    return d->owed == 0 && d->skip == 0;
}

static int docs_trim(const tr__split *split, tr_bytes *doc)
{
    tr_val value;
    (void)split;
    return tr_val_unpack(doc->ptr, doc->len, &value);
}

static int docs_join(tr_actor *self, tr_stream stream, void *state, tr_buf *item)
{
    const docs *d = state;
    tr_bytes doc = tr_buf_bytes(item);
    int rc = doc.len > d->split.max ? TR_ETOOBIG : docs_trim(&d->split, &doc);
    if (rc < 0)
        return rc;
    tr_buf *ref = tr_buf_ref(item);
    rc = tr__streams_push(self, stream, &ref);
    return rc < 0 ? rc : 0;
}

static const tr__split_way docs_way = {.next = docs_next, .trim = docs_trim};
static const tr_stream_ops docs_ops = {.name = "docs",
                                       .state_size = sizeof(docs),
                                       .transform = tr__split_transform,
                                       .flush = tr__split_flush,
                                       .destroy = tr__split_destroy};
static const tr_stream_ops docs_join_ops = {
    .name = "docs_join", .state_size = sizeof(docs), .transform = docs_join};

static int docs_new(tr_actor *self, const tr_stream_ops *ops, tr_stream_mode mode,
                    const tr_docs_opts *opts, tr_stream *ret_stream)
{
    tr_docs_opts o;
    void *state;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || o.doc_max > TR_DOC_MAX)
        return TR_EINVAL;
    rc = tr__streams_new(self, ops, o.stream, mode, ret_stream, &state);
    if (rc < 0)
        return rc;
    docs *d = state;
    d->split.way = &docs_way;
    d->split.max = o.doc_max != 0 ? o.doc_max : DOC_MAX_DEFAULT;
    return 0;
}

int tr_docs(tr_actor *self, const tr_docs_opts *opts, tr_stream *ret_stream)
{
    return docs_new(self, &docs_ops, TR_READ_ITEMS, opts, ret_stream);
}

int tr_docs_join(tr_actor *self, const tr_docs_opts *opts, tr_stream *ret_stream)
{
    return docs_new(self, &docs_join_ops, TR_WRITE_ITEMS, opts, ret_stream);
}
