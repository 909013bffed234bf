/* Work: calls that block, made off the loop.
 *
 * A function runs on a thread of a pool; when it has returned, its actor hears of it in a turn of
 * its own. Pools have names, so that one kind of calls which takes long does not hold up another;
 * each has so many threads, and so many calls may wait for one. A pool is there as soon as it is
 * used, with its threads started as they are needed. */
#ifndef TROUPE_WORK_H
#define TROUPE_WORK_H

#include <troupe/cancel.h>
#include <troupe/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Runs on a thread of the pool, where nothing of troupe may be called that takes an actor.
 * returns: the status for done: 0, or an error */
typedef int (*tr_work_run)(void *data);

/* How it has ended: what run has returned, with data, which is the actor's again; or TR_ECANCELED
 * and NULL, when it was cancelled. */
typedef void (*tr_work_done)(tr_actor *self, int status, void *data, void *arg);

typedef struct tr_work_opts {
    size_t size;      /* set by TR_WORK */
    const char *pool; /* its name; NULL: "default". borrows, until the call ends */
    /* Data that nobody waits for any more, as its actor has ended, or the call is cancelled: called
     * after run has returned, or instead of run, on a thread of the node's loops and outside of
     * turns. NULL: nothing. */
    void (*release)(void *data);
    tr_cancel *cancel; /* ends the call with TR_ECANCELED. What has begun runs on. NULL: none */
} tr_work_opts;
#define TR_WORK(...) (&(const tr_work_opts){.size = sizeof(tr_work_opts), __VA_ARGS__})

/* Have run(data) called on a thread, and then done in a turn of this actor. Calls begin in the
 * order in which they came to the pool. Closing the node waits for those that have begun.
 * moves:   data, on success: to run first, then to done, or to release
 * borrows: opts (NULL: all defaults); arg, until done has returned or the actor has ended
 * errors:  TR_EINVAL, TR_ECANCELED (opts->cancel has been), TR_EFULL (so many wait already),
 * TR_ENOMEM, a system error (the pool has no thread and cannot start one) */
TR_API int tr_work(tr_actor *self, tr_work_run run, void *data, const tr_work_opts *opts,
                   tr_work_done done, void *arg);

typedef struct tr_work_pool_opts {
    size_t size;        /* set by TR_WORK_POOL */
    uint32_t threads;   /* at most so many calls at a time; at most 1024; 0: 4 */
    uint32_t queue_max; /* at most so many wait for a thread; 0: 1024 */
} tr_work_pool_opts;
#define TR_WORK_POOL(...)                                                                          \
    (&(const tr_work_pool_opts){.size = sizeof(tr_work_pool_opts), __VA_ARGS__})

/* Say what a pool is like, before it is used. NULL: "default".
 * thread: as tr_node_spawn; or any turn
 * errors: TR_EINVAL, TR_EEXIST (it is there already), TR_ENOMEM */
TR_API int tr_work_pool(tr_node *node, const char *name, const tr_work_pool_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
