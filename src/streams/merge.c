// The merge: a writable stream for each branch, and one readable stream.
//
// A branch takes one chunk at a time, which waits where it was written until its turn has come: so
// the order is fair, nothing is copied or held twice, and a branch feels the pressure of the whole
// and of the others alike.
#include <troupe/ends.h>

#include "base/opts.h"
#include "streams/streams.h"

typedef struct merge {
    struct {
        tr_stream stream;
        bool there;
        tr_buf *chunk; // waits
    } branches[TR_BRANCHES_MAX];
    size_t count, left, next; // next: whose turn it is
    bool wanted;              // it has been asked for more
    bool keep_going;
} merge;

typedef struct merge_branch {
    tr_stream merge;
    size_t place;
} merge_branch;

static const tr_stream_ops merge_ops, merge_branch_ops;

// ---- The whole ----

// The next branch in turn that has something; count: none has.
static size_t merge_turn(const merge *m)
{
    for (size_t i = 0; i < m->count; i++) {
        size_t place = (m->next + i) % m->count;
        if (m->branches[place].chunk != NULL)
            return place;
    }
    return m->count;
}

// Take a chunk, if one is wanted and there.
static void merge_take(tr_actor *self, tr_stream stream, merge *m)
{
    size_t place = merge_turn(m);
    if (!m->wanted || place == m->count)
        return;
    m->wanted = false; // before the push, for what that brings about
    m->next = place + 1;
    int rc = tr__streams_push(self, stream, &m->branches[place].chunk);
    tr_stream_done(self, m->branches[place].stream, 0);
    if (rc < 0)
        tr_stream_destroy(self, stream, rc);
}

static int merge_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    merge *m = state;
    (void)want;
    m->wanted = true;
    merge_take(self, stream, m);
    return 0;
}

static int merge_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    merge *m = state;
    (void)stream;
    for (size_t i = 0; i < m->count; i++) {
        tr_buf_unref(&m->branches[i].chunk);
        if (m->branches[i].there)
            tr_stream_destroy(self, m->branches[i].stream, error);
        m->branches[i].there = false;
    }
    return 0;
}

static const tr_stream_ops merge_ops = {
    .name = "merge", .state_size = sizeof(merge), .read = merge_read, .destroy = merge_destroy};

// ---- A branch ----

static int merge_branch_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                              size_t count)
{
    const merge_branch *b = state;
    merge *m = tr_stream_state(self, b->merge, &merge_ops);
    (void)stream, (void)count; // one
    if (m == NULL)
        return TR_EPIPE;
    m->branches[b->place].chunk = tr_buf_ref(chunks[0]);
    merge_take(self, b->merge, m);
    return TR_LATER;
}

// It takes no more part. The last one's going is the end.
static void merge_branch_leave(tr_actor *self, const merge_branch *b, merge *m)
{
    m->branches[b->place].there = false;
    tr_buf_unref(&m->branches[b->place].chunk);
    if (--m->left == 0)
        tr_stream_push(self, b->merge, NULL);
}

static int merge_branch_final(tr_actor *self, tr_stream stream, void *state)
{
    const merge_branch *b = state;
    merge *m = tr_stream_state(self, b->merge, &merge_ops);
    (void)stream;
    if (m != NULL && m->branches[b->place].there)
        merge_branch_leave(self, b, m);
    return 0;
}

static int merge_branch_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    const merge_branch *b = state;
    merge *m = tr_stream_state(self, b->merge, &merge_ops);
    (void)stream;
    if (m == NULL || !m->branches[b->place].there)
        return 0;
    if (!m->keep_going)
        tr_stream_destroy(self, b->merge, error);
    merge_branch_leave(self, b, m);
    return 0;
}

static const tr_stream_ops merge_branch_ops = {.name = "merge_branch",
                                               .state_size = sizeof(merge_branch),
                                               .write = merge_branch_write,
                                               .final = merge_branch_final,
                                               .destroy = merge_branch_destroy};

// ---- Making ----

static int merge_branch_new(tr_actor *self, const tr_stream_opts *opts, tr_stream stream,
                            size_t place, tr_branch *ret_branch)
{
    merge *m = tr_stream_state(self, stream, &merge_ops);
    int rc = tr_stream_new(self, &merge_branch_ops, opts, &ret_branch->stream);
    if (rc < 0)
        return rc;
    *(merge_branch *)tr_stream_state(self, ret_branch->stream, &merge_branch_ops) =
        (merge_branch){.merge = stream, .place = place};
    m->branches[place].stream = ret_branch->stream;
    m->branches[place].there = true;
    m->count++;
    m->left++;
    return 0;
}

int tr_merge(tr_actor *self, const tr_fan_opts *opts, tr_branch *branches, size_t count,
             tr_stream *ret_stream)
{
    tr_fan_opts o;
    tr_stream stream;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || branches == NULL || count == 0 || count > TR_BRANCHES_MAX || ret_stream == NULL)
        return TR_EINVAL;
    rc = tr_stream_new(self, &merge_ops, o.stream, &stream);
    if (rc < 0)
        return rc;
    ((merge *)tr_stream_state(self, stream, &merge_ops))->keep_going = o.keep_going;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = merge_branch_new(self, o.stream, stream, i, &branches[i]);
    if (rc < 0)
        tr_stream_destroy(self, stream, 0); // and with it those that there are
    else
        *ret_stream = stream;
    return rc;
}
