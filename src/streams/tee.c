// The tee: one writable stream, and for each branch a readable one.
//
// A branch is full when a push has said so, and has room again when it is asked for more. While a
// branch that blocks is full, the chunk that filled it is under way: tr_stream_done when the last
// such branch has room, or is gone. The streams know each other by their handles alone, which go
// stale as they should.
#include <troupe/ends.h>

#include "base/opts.h"
#include "streams/streams.h"

typedef struct tee {
    struct {
        tr_stream stream;
        tr_tee_policy policy;
        bool there, full;
    } branches[TR_BRANCHES_MAX];
    size_t count, left; // branches; of those, there
    bool waits;         // for branches that block
    bool over;          // all have been told the end
} tee;

typedef struct tee_branch {
    tr_stream tee;
    size_t place;
    uint64_t missed;
} tee_branch;

static const tr_stream_ops tee_ops, tee_branch_ops;

// ---- The tee ----

static bool tee_blocks(const tee *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->branches[i].there && t->branches[i].full && t->branches[i].policy == TR_TEE_BLOCK)
            return true;
    return false;
}

static void tee_go_on(tr_actor *self, tr_stream stream, tee *t)
{
    if (!t->waits || tee_blocks(t))
        return;
    t->waits = false;
    tr_stream_done(self, stream, 0);
}

static int tee_push(tr_actor *self, tee *t, size_t i, tr_buf *chunk)
{
    tr_buf *ref = tr_buf_ref(chunk);
    int rc = tr__streams_push(self, t->branches[i].stream, &ref);
    t->branches[i].full = rc == TR_WAIT;
    return rc == TR_EPIPE || rc > 0 ? 0 : rc; // it is being closed: destroy will tell
}

static int tee_give(tr_actor *self, tee *t, size_t i, tr_buf *chunk)
{
    tee_branch *b = tr_stream_state(self, t->branches[i].stream, &tee_branch_ops);
    if (!t->branches[i].there || b == NULL)
        return 0;
    if (!t->branches[i].full)
        return tee_push(self, t, i, chunk);
    b->missed++;
    if (t->branches[i].policy == TR_TEE_DETACH)
        tr_stream_destroy(self, t->branches[i].stream, TR_EFULL);
    return 0;
}

static int tee_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                     size_t count)
{
    tee *t = state;
    int rc = 0;
    (void)stream, (void)count; // one
    for (size_t i = 0; rc == 0 && i < t->count; i++)
        rc = tee_give(self, t, i, chunks[0]);
    t->waits = rc == 0 && tee_blocks(t);
    return t->waits ? TR_LATER : rc;
}

static int tee_final(tr_actor *self, tr_stream stream, void *state)
{
    tee *t = state;
    (void)stream;
    t->over = true;
    for (size_t i = 0; i < t->count; i++)
        if (t->branches[i].there)
            tr_stream_push(self, t->branches[i].stream, NULL);
    return 0;
}

static int tee_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tee *t = state;
    (void)stream;
    for (size_t i = 0; !t->over && i < t->count; i++)
        if (t->branches[i].there)
            tr_stream_destroy(self, t->branches[i].stream, error);
    t->over = true;
    return 0;
}

static const tr_stream_ops tee_ops = {.name = "tee",
                                      .state_size = sizeof(tee),
                                      .write = tee_write,
                                      .final = tee_final,
                                      .destroy = tee_destroy};

// ---- A branch ----

static int tee_branch_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    const tee_branch *b = state;
    tee *t = tr_stream_state(self, b->tee, &tee_ops);
    (void)stream, (void)want;
    if (t == NULL)
        return 0;
    t->branches[b->place].full = false;
    tee_go_on(self, b->tee, t);
    return 0;
}

static int tee_branch_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    const tee_branch *b = state;
    tee *t = tr_stream_state(self, b->tee, &tee_ops);
    (void)stream, (void)error;
    if (t == NULL || !t->branches[b->place].there)
        return 0;
    t->branches[b->place].there = false;
    if (--t->left == 0 && !t->over)
        tr_stream_destroy(self, b->tee, TR_EPIPE);
    tee_go_on(self, b->tee, t);
    return 0;
}

static const tr_stream_ops tee_branch_ops = {.name = "tee_branch",
                                             .state_size = sizeof(tee_branch),
                                             .read = tee_branch_read,
                                             .destroy = tee_branch_destroy};

int tr_tee_missed(tr_actor *self, tr_stream stream, uint64_t *ret_count)
{
    const tee_branch *b = tr_stream_state(self, stream, &tee_branch_ops);
    if (ret_count == NULL)
        return TR_EINVAL;
    if (b == NULL)
        return TR_ENOENT;
    *ret_count = b->missed;
    return 0;
}

// ---- Making ----

static int tee_branch_new(tr_actor *self, const tr_stream_opts *opts, tr_stream stream,
                          size_t place, tr_branch *ret_branch)
{
    tee *t = tr_stream_state(self, stream, &tee_ops);
    int rc = tr_stream_new(self, &tee_branch_ops, opts, &ret_branch->stream);
    if (rc < 0)
        return rc;
    *(tee_branch *)tr_stream_state(self, ret_branch->stream, &tee_branch_ops) =
        (tee_branch){.tee = stream, .place = place};
    t->branches[place].stream = ret_branch->stream;
    t->branches[place].policy = ret_branch->policy;
    t->branches[place].there = true;
    t->count++;
    t->left++;
    return 0;
}

int tr_tee(tr_actor *self, const tr_fan_opts *opts, tr_branch *branches, size_t count,
           tr_stream *ret_stream)
{
    tr_fan_opts o;
    tr_stream stream;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || branches == NULL || count == 0 || count > TR_BRANCHES_MAX || ret_stream == NULL)
        return TR_EINVAL;
    for (size_t i = 0; i < count; i++)
        if ((unsigned)branches[i].policy > TR_TEE_DETACH)
            return TR_EINVAL;
    rc = tr_stream_new(self, &tee_ops, o.stream, &stream);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = tee_branch_new(self, o.stream, stream, i, &branches[i]);
    if (rc < 0)
        tr_stream_destroy(self, stream, 0); // and with it those that there are
    else
        *ret_stream = stream;
    return rc;
}
