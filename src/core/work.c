// Work: calls that block, on pools of threads.
//
// A worker is a thread as a loop's is: the world starts and joins it, and it polls its world when
// there is nothing to do. So it needs no lock to sleep by, and in the simulated world it is stepped
// like any other thread. Taking a job and running it are two steps, so that whatever may come
// between them comes between them there, too.
//
// A job belongs to the actor that wants it, and is lent to the pool: `queued`, then on a thread,
// then posted home to the loop. Under the pool's lock it changes from queued to taken, and until
// then it can be taken back. When its actor ends, or it is cancelled, what has not begun is taken
// back; of what has, the job stays behind without an actor, and goes when it comes home.
#include "core/work.h"

#include "base/memory.h"
#include "base/opts.h"
#include "core/node.h"

#define THREADS     4u
#define THREADS_MAX 1024u
#define QUEUE       1024u

typedef struct pool {
    tr__list link; // in the node's
    uint32_t threads_max, queue_max;
    tr__lock lock; // of all that follows
    tr__list queue, workers;
    tr__list idle; // workers that poll, or are about to
    uint32_t queued, threads;
    bool closing;
    char name[];
} pool;

typedef struct job {
    tr__list link;   // in the pool's queue
    tr__later later; // at home
    tr__post post;   // on its way there
    tr__owned owned;
    tr__carrier carrier;
    pool *pool;
    tr_loop *loop;
    tr_actor *actor; // NULL: it does not wait any more
    bool queued;     // under the pool's lock
    bool home;
    int status;
    tr_work_run run;
    void *data;
    void (*release)(void *data);
    tr_work_done done;
    void *arg;
} job;

typedef struct worker {
    tr__list link; // in the pool's
    tr__list idle; // likewise
    pool *pool;
    tr_world *world;
    job *job; // that it is to run
} worker;

// ---- On a worker's thread ----

// Take the next job, or be idle. Returns whether the worker stays.
static bool worker_take(worker *w)
{
    pool *p = w->pool;
    tr__lock_take(&p->lock);
    bool stays = !p->closing;
    tr__list *first = tr__list_pop(&p->queue);
    tr__list_remove(&w->idle);
    if (first != NULL) {
        w->job = tr__container(first, job, link);
        w->job->queued = false;
        p->queued--;
    } else if (stays) {
        tr__list_append(p->idle.next, &w->idle); // to the front: it is the warmest
    }
    tr__lock_give(&p->lock);
    return stays;
}

static void worker_do(worker *w)
{
    job *j = w->job;
    tr_loop *before = tr__loop_here; // a simulated thread is joined from a loop's
    tr__loop_here = NULL;
    j->status = j->run(j->data);
    tr__loop_here = before;
    w->job = NULL;
    tr__post_outside(j->loop, &j->post);
}

static bool worker_run(void *owner)
{
    worker *w = owner;
    if (w->job != NULL) {
        worker_do(w);
        return true;
    }
    bool stays = worker_take(w);
    if (stays && w->job == NULL)
        w->world->ops->poll(w->world, TR__NEVER);
    return stays;
}

static uint64_t worker_due(void *owner)
{
    worker *w = owner;
    tr__lock_take(&w->pool->lock);
    bool busy = w->job != NULL || w->pool->queued > 0 || w->pool->closing;
    tr__lock_give(&w->pool->lock);
    return busy ? 0 : TR__NEVER;
}

// ---- Pools ----

// Under the lock.
static int worker_start(pool *p, tr_world *like)
{
    static const tr_thread_up up = {.run = worker_run, .due = worker_due};
    worker *w = tr__zalloc(sizeof *w);
    if (w == NULL)
        return TR_ENOMEM;
    w->pool = p;
    tr__list_init(&w->idle);
    int rc = like->ops->another(like, &w->world);
    if (rc == 0) {
        rc = w->world->ops->thread_start(w->world, &up, w);
        if (rc < 0)
            w->world->ops->close(&w->world);
    }
    if (rc < 0) {
        tr__free(w);
        return rc;
    }
    tr__list_append(&p->workers, &w->link);
    p->threads++;
    return 0;
}

// Under the lock: see to it that somebody comes for one more job, and whom to wake for it.
static int pool_call(pool *p, tr_world *like, worker **ret_idle)
{
    tr__list *idle = tr__list_pop(&p->idle);
    *ret_idle = idle == NULL ? NULL : tr__container(idle, worker, idle);
    if (idle != NULL || p->threads == p->threads_max)
        return 0;
    int rc = worker_start(p, like);
    return p->threads > 0 ? 0 : rc;
}

static int pool_put(pool *p, job *j)
{
    worker *idle = NULL;
    tr__lock_take(&p->lock);
    int rc = p->closing                 ? TR_EDOWN
             : p->queued < p->queue_max ? pool_call(p, j->loop->world, &idle)
                                        : TR_EFULL;
    if (rc == 0) {
        tr__list_append(&p->queue, &j->link);
        j->queued = true;
        p->queued++;
    }
    tr__lock_give(&p->lock);
    if (idle != NULL)
        idle->world->ops->wake(idle->world);
    return rc;
}

// Whether the job had not begun, and will not.
static bool pool_take_back(pool *p, job *j)
{
    tr__lock_take(&p->lock);
    bool queued = j->queued;
    if (queued) {
        tr__list_remove(&j->link);
        j->queued = false;
        p->queued--;
    }
    tr__lock_give(&p->lock);
    return queued;
}

static pool *works_find(const tr__works *works, const char *name)
{
    for (tr__list *n = works->pools.next; n != &works->pools; n = n->next) {
        pool *p = tr__container(n, pool, link);
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

static pool *works_add(tr__works *works, const char *name, const tr_work_pool_opts *opts)
{
    size_t size = strlen(name) + 1;
    pool *p = tr__zalloc(sizeof *p + size);
    if (p == NULL)
        return NULL;
    memcpy(p->name, name, size);
    p->threads_max = opts->threads == 0 ? THREADS : opts->threads;
    p->queue_max = opts->queue_max == 0 ? QUEUE : opts->queue_max;
    tr__list_init(&p->queue);
    tr__list_init(&p->workers);
    tr__list_init(&p->idle);
    tr__list_append(&works->pools, &p->link);
    return p;
}

static const char *pool_name(const char *name)
{
    return name == NULL ? "default" : name;
}

// The pool of that name, which is made if need be; NULL: no memory for it.
static pool *works_pool(tr__works *works, const char *name)
{
    tr__lock_take(&works->lock);
    pool *p = works_find(works, name);
    if (p == NULL)
        p = works_add(works, name, &(tr_work_pool_opts){0});
    tr__lock_give(&works->lock);
    return p;
}

int tr_work_pool(tr_node *node, const char *name, const tr_work_pool_opts *opts)
{
    tr_work_pool_opts o;
    name = pool_name(name);
    if (node == NULL || tr__name_check(name) == 0 || tr__opts_copy(opts, &o, sizeof o) < 0 ||
        o.threads > THREADS_MAX)
        return TR_EINVAL;
    tr__works *works = &node->works;
    int rc = TR_EEXIST;
    tr__lock_take(&works->lock);
    if (works_find(works, name) == NULL)
        rc = works_add(works, name, &o) == NULL ? TR_ENOMEM : 0;
    tr__lock_give(&works->lock);
    return rc;
}

// ---- The end of a node ----

void tr__works_init(tr__works *works)
{
    tr__list_init(&works->pools);
}

static void worker_end(worker *w)
{
    w->world->ops->wake(w->world);
    w->world->ops->thread_join(w->world);
    w->world->ops->close(&w->world);
    if (w->job != NULL) // of a simulated process that was killed
        tr__post_outside(w->job->loop, &w->job->post);
    tr__free(w);
}

static void pool_close(pool *p)
{
    tr__list dropped;
    tr__list_init(&dropped);
    tr__lock_take(&p->lock);
    p->closing = true;
    tr__list_splice(&dropped, &p->queue);
    p->queued = 0;
    tr__lock_give(&p->lock);
    for (tr__list *n; (n = tr__list_pop(&dropped)) != NULL;) {
        job *j = tr__container(n, job, link);
        j->queued = false;
        tr__post_outside(j->loop, &j->post);
    }
    for (tr__list *n; (n = tr__list_pop(&p->workers)) != NULL;)
        worker_end(tr__container(n, worker, link));
}

void tr__works_close(tr__works *works)
{
    for (tr__list *n = works->pools.next; n != &works->pools; n = n->next)
        pool_close(tr__container(n, pool, link));
}

void tr__works_clear(tr__works *works)
{
    for (tr__list *n; (n = tr__list_pop(&works->pools)) != NULL;)
        tr__free(tr__container(n, pool, link));
}

// ---- On the actor's loop ----

static void job_free(job *j)
{
    void (*release)(void *data) = j->release;
    void *data = j->data;
    tr__free(j);
    if (release != NULL)
        release(data);
}

// Its actor does not wait for it any more. Returns whether it is at home, or never left.
static bool job_leave(job *j)
{
    tr__list_remove(&j->owned.link);
    tr__list_remove(&j->later.link);
    tr__cancel_leave(&j->carrier);
    j->actor = NULL;
    return j->home || pool_take_back(j->pool, j);
}

static void job_close(tr__owned *owned)
{
    job *j = tr__container(owned, job, owned);
    if (job_leave(j))
        job_free(j);
}

static void job_tell(job *j, bool cancelled)
{
    static const tr__what what = {"(work)"};
    tr_actor *actor = j->actor;
    tr_work_done done = j->done;
    int status = cancelled ? TR_ECANCELED : j->status; // which a worker may be writing
    void *data = cancelled ? NULL : j->data, *arg = j->arg;
    if (actor->state != TR__RUNNING)
        return; // it goes with its actor
    if (!cancelled)
        j->release = NULL;
    bool home = job_leave(j);
    tr__turn_begin(actor, &what);
    done(actor, status, data, arg);
    tr__turn_end(actor);
    if (home)
        job_free(j); // behind done, whose arg may be part of the data
}

static void job_cancelled(tr__carrier *carrier)
{
    job_tell(tr__container(carrier, job, carrier), true);
}

static void job_over(tr__later *later)
{
    job *j = tr__container(later, job, later);
    job_tell(j, tr__cancel_comes(&j->carrier));
}

static void job_arrive(tr_loop *loop, tr__post *post)
{
    job *j = tr__container(post, job, post);
    j->home = true;
    if (j->actor == NULL)
        job_free(j);
    else
        tr__later_run(loop, &j->later);
}

static job *job_new(pool *p, tr_loop *loop, const job *like)
{
    job *j = tr__alloc(sizeof *j);
    if (j == NULL)
        return NULL;
    *j = *like;
    j->pool = p;
    j->loop = loop;
    j->owned.close = job_close;
    j->post.arrive = job_arrive;
    j->later.run = job_over;
    tr__list_init(&j->later.link);
    return j;
}

int tr__work_alone(tr_loop *loop, const char *name, tr_work_run run, void *data,
                   void (*release)(void *data))
{
    pool *p = works_pool(&loop->node->works, name);
    job *j =
        p == NULL ? NULL : job_new(p, loop, &(job){.run = run, .data = data, .release = release});
    int rc = j == NULL ? TR_ENOMEM : pool_put(p, j);
    if (rc < 0)
        tr__free(j);
    return rc;
}

static int job_start(tr_actor *self, pool *p, tr_cancel *cancel, const job *like)
{
    job *j = job_new(p, self->loop, like);
    if (j == NULL)
        return TR_ENOMEM;
    j->actor = self;
    int rc = tr__cancel_join(cancel, self, &j->carrier, job_cancelled);
    if (rc == 0)
        rc = pool_put(p, j);
    if (rc < 0) {
        tr__cancel_leave(&j->carrier);
        tr__free(j);
    } else {
        tr__list_append(&self->owned, &j->owned.link);
    }
    return rc;
}

int tr_work(tr_actor *self, tr_work_run run, void *data, const tr_work_opts *opts,
            tr_work_done done, void *arg)
{
    tr_work_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || run == NULL || done == NULL ||
        tr__opts_copy(opts, &o, sizeof o) < 0 || tr__name_check(pool_name(o.pool)) == 0)
        return TR_EINVAL;
    pool *p = works_pool(&self->loop->node->works, pool_name(o.pool));
    if (p == NULL)
        return TR_ENOMEM;
    job like = {.run = run, .data = data, .release = o.release, .done = done, .arg = arg};
    return job_start(self, p, o.cancel, &like);
}
