/* Pools: workers of one behaviour behind one address.
 *
 *     tr_pool_start(self, TR_POOL(.behavior = &parser, .workers = 8,
 *                                 .opts = TR_SPAWN(.isolation = TR_PROCESS, .mail_max = 16)),
 *                   NULL, &pool);
 *     tr_ask(self, pool, "parse", text, NULL, NULL, on_parsed, NULL);
 *
 * A pool is an ordinary actor of the one who has started it, and owns its workers. What is sent to
 * it is handed on to a worker (tr_forward): that one sees who has sent it, and answers an ask
 * itself. A worker that ends, however, is replaced; what it had is dead letters, and asks that are
 * answered with its end. Asked to end, the pool lets its workers handle what they have been given,
 * declines what comes now with TR_SHUTDOWN, and then ends.
 *
 * No worker has room when its mailbox is full, or it is being replaced. A pool is no queue: what no
 * worker has room for it declines (tr_refuse) with TR_EFULL, or, with `hold`, keeps in its own
 * mailbox until one has, so that its senders are told TR_EFULL when that is full.
 *
 * Two messages are for the pool itself, to be asked or sent:
 *
 *     "pool.resize"  a number of workers; answers with it. Those that are too many end when they
 *                    have handled what they have
 *     "pool.stats"   answers {"workers": [{"addr", "handed", "failed", "load", "restarts"}, ...],
 *                    "declined": number}. addr is null while a worker is being replaced; handed
 *                    counts what it was given, failed how often it had no room; load is what it has
 *                    not done yet, for TR_POOL_LEAST_LOADED
 *
 * While a pool holds its mail these wait there, too. */
#ifndef TROUPE_POOL_H
#define TROUPE_POOL_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_POOL_MAX 1024 /* workers */

/* Who gets a message. */
typedef enum tr_pool_strategy {
    TR_POOL_ROUND_ROBIN, /* one after the other, but for those without room */

    /* Of those with room the one with the fewest messages that it has not handled and asks that it
     * has not answered. To know the latter the pool asks itself: it is who the worker sees. */
    TR_POOL_LEAST_LOADED,

    /* The same one for the same key. One worker more or less moves only its share of the keys. */
    TR_POOL_HASH,

    /* All of them, or `fanout` in turn. The answers to an ask are collected: {"answers": list,
     * "missing": number}, in the order in which workers were asked, without buffers. Missing are
     * those that had no room, have answered with an error, or not in time. A message is declined
     * once for each worker that it did not get to. */
    TR_POOL_BROADCAST
} tr_pool_strategy;

typedef struct tr_pool_spec {
    size_t size; /* set by TR_POOL */
    const tr_behavior *behavior;
    const tr_spawn_opts *opts; /* of each worker, without name and link; NULL: all defaults */
    uint32_t workers;          /* 0: 4 */
    tr_pool_strategy strategy;
    bool here;           /* TR_HERE in opts means TR_SPREAD, but for this: on the pool's own loop */
    bool hold;           /* keep what no worker has room for; not for TR_POOL_BROADCAST */
    const char *key;     /* TR_POOL_HASH: the field of the body, null where there is none; NULL: the
                          * message's name is the key */
    uint32_t fanout;     /* TR_POOL_BROADCAST: to so many; 0: all */
    uint32_t gather_ms;  /* and how long answers are collected; 0, and at most: nine tenths of the
                          * time that the asker has */
    uint32_t backoff_ms; /* before a worker is replaced, twice as long each time, up to 64 times,
                          * until one has lived for restart_window_ms; 0: 10 */
    /* More than restart_max replacements in restart_window_ms are too many: the pool ends with
     * TR_ERESTARTS. 0: 10 in 5000. */
    uint32_t restart_max;
    uint32_t restart_window_ms;
    uint32_t stop_ms; /* how long the workers may take at the pool's end, before they are killed;
                       * 0: 5000 */
} tr_pool_spec;
#define TR_POOL(...) (&(const tr_pool_spec){.size = sizeof(tr_pool_spec), __VA_ARGS__})

/* Start a pool, which belongs to this actor. If one of its first workers cannot be spawned the pool
 * ends with that error.
 * borrows: spec and all in it until the call returns, but behaviours for the life of the program;
 *          opts, of the pool itself (NULL: all defaults), without args, and with another isolation
 *          than TR_PROCESS
 * gives:   *ret_addr; may be NULL
 * errors:  TR_EINVAL, and as tr_spawn */
TR_API int tr_pool_start(tr_actor *self, const tr_pool_spec *spec, const tr_spawn_opts *opts,
                         tr_addr *ret_addr);

#ifdef __cplusplus
}
#endif
#endif
