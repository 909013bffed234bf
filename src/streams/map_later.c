// A map by a function that answers later: several jobs are open at a time, and what they give is
// told in the order in which they began.
//
// Jobs lie in a ring of as many places as may be open; a job's id counts from 0 on, so that its
// place is known, and one that is over is known to be. While the ring is full the last chunk's
// transform is under way, so that no other comes.
#include <troupe/transform.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "streams/streams.h"

#define CONCURRENCY     16u
#define CONCURRENCY_MAX 65536u

typedef struct place {
    bool over;
    tr_buf *result; // NULL: none
} place;

typedef struct later {
    tr_map_later_cb cb;
    void *arg;
    place *places;
    uint32_t count;
    uint64_t first, next; // of the jobs that have not been told
    bool waits;           // the last chunk, until a place is free
    bool ends;            // the flush, until all are told
} later;

static place *later_place(const later *l, uint64_t id)
{
    tr_assert(id - l->first < l->count);
    return &l->places[id % l->count];
}

static int later_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    later *l = state;
    uint64_t id = l->next++;
    *later_place(l, id) = (place){.over = false};
    int rc = l->cb(self, (tr_map_job){stream, id}, chunk, l->arg);
    l->waits = rc == 0 && l->next - l->first == l->count;
    return l->waits ? TR_LATER : rc;
}

static int later_flush(tr_actor *self, tr_stream stream, void *state)
{
    later *l = state;
    (void)self, (void)stream;
    l->ends = l->first < l->next;
    return l->ends ? TR_LATER : 0;
}

// Tell the jobs in front that are over. returns: 0, or an error
static int later_tell(tr_actor *self, tr_stream stream, later *l)
{
    int rc = 0;
    while (rc >= 0 && l->first < l->next && later_place(l, l->first)->over) {
        place *p = later_place(l, l->first);
        l->first++;
        if (p->result != NULL)
            rc = tr__streams_push(self, stream, &p->result);
    }
    return rc < 0 ? rc : 0;
}

static int later_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    later *l = state;
    (void)self, (void)stream, (void)error;
    for (uint64_t id = l->first; id < l->next; id++)
        tr_buf_unref(&later_place(l, id)->result);
    tr__free(l->places);
    l->places = NULL;
    l->first = l->next;
    return 0;
}

static const tr_stream_ops later_ops = {.name = "map_later",
                                        .state_size = sizeof(later),
                                        .transform = later_transform,
                                        .flush = later_flush,
                                        .destroy = later_destroy};

int tr_map_answer(tr_actor *self, tr_map_job job, int status, tr_buf **result)
{
    later *l = tr_stream_state(self, job.stream, &later_ops);
    if (status > 0)
        return TR_EINVAL;
    if (l == NULL || job.id < l->first || job.id >= l->next || later_place(l, job.id)->over)
        return TR_ENOENT;
    place *p = later_place(l, job.id);
    p->over = true;
    if (result != NULL) {
        p->result = *result;
        *result = NULL;
    }
    if (status == 0)
        status = later_tell(self, job.stream, l);
    if (status < 0)
        return tr_stream_destroy(self, job.stream, status);
    bool done = l->ends ? l->first == l->next : l->waits && l->next - l->first < l->count;
    if (!done)
        return 0;
    l->waits = false;
    return tr_stream_done(self, job.stream, 0);
}

int tr_map_later(tr_actor *self, const tr_map_later_opts *opts, tr_stream *ret_stream,
                 tr_map_later_cb cb, void *arg)
{
    tr_map_later_opts o;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || cb == NULL || ret_stream == NULL || o.concurrency > CONCURRENCY_MAX)
        return TR_EINVAL;
    tr_stream stream;
    uint32_t count = o.concurrency != 0 ? o.concurrency : CONCURRENCY;
    place *places = tr__zalloc(count * sizeof *places);
    rc = places == NULL ? TR_ENOMEM : tr_stream_new(self, &later_ops, o.stream, &stream);
    if (rc < 0) {
        tr__free(places);
        return rc;
    }
    *(later *)tr_stream_state(self, stream, &later_ops) =
        (later){.cb = cb, .arg = arg, .places = places, .count = count};
    *ret_stream = stream;
    return 0;
}
