// Jobs: what runs at the end of a turn. All ticks, then all microtasks, again until both are empty,
// then one step of a stream that has something to do, and so on; at most TR_JOBS_MAX of them, and
// no more steps of streams after a millisecond, as one may compress a large chunk.
//
// The loop has one pair of rings, for the turn that is running: nearly always they are empty again
// when it ends, so an actor needs no memory for them. Only what is left when the budget runs out
// moves into a backlog of the actor's own, which the next turn of that actor takes up again, be it
// its own turn in the pending phase or any other.
#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"

#define STEPS_NS    TR_MS(1)
#define STEPS_BLIND 8u // between looks at the clock

static int ring_grow(tr__ring *ring)
{
    uint32_t capacity = ring->capacity == 0 ? 16 : ring->capacity * 2;
    tr__job *jobs = capacity == 0 ? NULL : tr__alloc(capacity * sizeof *jobs);
    if (jobs == NULL)
        return TR_ENOMEM;
    for (uint32_t i = 0; i < ring->count; i++)
        jobs[i] = ring->jobs[(ring->head + i) & (ring->capacity - 1)];
    tr__free(ring->jobs);
    *ring = (tr__ring){.jobs = jobs, .count = ring->count, .capacity = capacity};
    return 0;
}

static int ring_push(tr__ring *ring, tr_callback cb, void *arg)
{
    if (ring->count == ring->capacity) {
        int rc = ring_grow(ring);
        if (rc < 0)
            return rc;
    }
    ring->jobs[(ring->head + ring->count++) & (ring->capacity - 1)] = (tr__job){cb, arg};
    return 0;
}

static bool ring_pop(tr__ring *ring, tr__job *ret_job)
{
    if (ring->count == 0)
        return false;
    *ret_job = ring->jobs[ring->head];
    ring->head = (ring->head + 1) & (ring->capacity - 1);
    ring->count--;
    return true;
}

void tr__jobs_clear(tr__jobs *jobs)
{
    tr__free(jobs->ticks.jobs);
    tr__free(jobs->microtasks.jobs);
    *jobs = (tr__jobs){0};
}

void tr__backlog_drop(tr_actor *actor)
{
    if (actor->extra == NULL)
        return;
    tr__list_remove(&actor->extra->pending);
    tr__jobs_clear(&actor->extra->jobs);
}

// Swap the loop's rings with the backlog's: at a turn's start the backlog's jobs go before what the
// turn adds; at its end what is left goes back.
static void backlog_swap(tr_loop *loop, tr__extra *extra)
{
    tr__jobs jobs = loop->jobs;
    loop->jobs = extra->jobs;
    extra->jobs = jobs;
}

// The next step of a stream, when all that the last one has led to has run.
static bool jobs_next_stream(tr__jobs *jobs, tr__job *ret_job)
{
    if (jobs->streams == NULL)
        return false;
    *ret_job = (tr__job){tr__stream_run, jobs->streams};
    return true;
}

static bool jobs_next(tr__jobs *jobs, tr__job *ret_job)
{
    if (!jobs->in_microtasks && ring_pop(&jobs->ticks, ret_job))
        return true;
    jobs->in_microtasks = ring_pop(&jobs->microtasks, ret_job);
    return jobs->in_microtasks || ring_pop(&jobs->ticks, ret_job) ||
           jobs_next_stream(jobs, ret_job);
}

// Over budget: the rest waits for the pending phase. Without memory for that the jobs go on.
static bool jobs_postpone(tr_loop *loop, tr_actor *actor)
{
    tr__extra *extra;
    if (tr__extra_of(actor, &extra) < 0)
        return false;
    backlog_swap(loop, extra);
    if (tr__list_empty(&extra->pending))
        tr__list_append(&loop->pending, &extra->pending);
    return true;
}

static void jobs_drop(tr__jobs *jobs)
{
    jobs->ticks.count = jobs->microtasks.count = 0;
    jobs->in_microtasks = false;
    jobs->streams = NULL;
}

// After so many steps of streams: whether they have had their time. until: 0 before the first look
static bool steps_overstay(const tr_loop *loop, uint32_t steps, uint64_t *until)
{
    if (steps % STEPS_BLIND != 0)
        return false;
    uint64_t now = loop->world->ops->now(loop->world);
    if (*until == 0)
        *until = now + STEPS_NS;
    return now >= *until;
}

void tr__jobs_run(tr_loop *loop, tr_actor *actor)
{
    tr_assert(loop->current == actor);
    tr__job job;
    uint32_t steps = 0;
    uint64_t until = 0;
    for (int budget = TR_JOBS_MAX; actor->state == TR__RUNNING; budget--) {
        if (budget <= 0 && !tr__jobs_empty(&loop->jobs) && jobs_postpone(loop, actor))
            return;
        if (!jobs_next(&loop->jobs, &job))
            return;
        job.cb(actor, job.arg);
        if (job.cb == tr__stream_run && steps_overstay(loop, ++steps, &until))
            budget = 0;
    }
    jobs_drop(&loop->jobs); // the actor is ending
}

// What the actor had left comes before what this turn adds.
void tr__jobs_resume(tr_loop *loop, tr_actor *actor)
{
    tr_assert(tr__jobs_empty(&loop->jobs));
    tr__list_remove(&actor->extra->pending);
    backlog_swap(loop, actor->extra);
}

void tr__turn(tr_actor *actor, const tr__what *what, tr_callback cb, void *arg)
{
    tr__turn_begin(actor, what);
    cb(actor, arg);
    tr__turn_end(actor);
}

int tr_next_tick(tr_actor *self, tr_callback cb, void *arg)
{
    if (!tr__actor_here(self) || cb == NULL || self->state > TR__RUNNING)
        return TR_EINVAL;
    return ring_push(&self->loop->jobs.ticks, cb, arg);
}

int tr_microtask(tr_actor *self, tr_callback cb, void *arg)
{
    if (!tr__actor_here(self) || cb == NULL || self->state > TR__RUNNING)
        return TR_EINVAL;
    return ring_push(&self->loop->jobs.microtasks, cb, arg);
}

int tr__microtask(tr_actor *actor, tr_callback cb, void *arg)
{
    if (actor->loop->current == actor)
        return ring_push(&actor->loop->jobs.microtasks, cb, arg);
    tr__extra *extra;
    int rc = tr__extra_of(actor, &extra);
    if (rc == 0)
        rc = ring_push(&extra->jobs.microtasks, cb, arg);
    if (rc == 0 && tr__list_empty(&extra->pending))
        tr__list_append(&actor->loop->pending, &extra->pending);
    return rc;
}
