/* Clusters: workers in processes of their own that serve the same addresses.
 *
 *     static int worker_start(tr_actor *self, const tr_val *args)
 *     {
 *         return tr_cluster_listen(self, "tcp://0.0.0.0:8000", NULL, on_client, NULL, NULL);
 *     }
 *     static int worker_receive(tr_actor *self, const tr_msg *msg)
 *     {
 *         return tr_cluster_take(self, msg) ? 0 : TR_EUNKNOWN;
 *     }
 *
 *     tr_cluster_start(self, TR_CLUSTER(.behavior = &worker), NULL, &cluster);
 *
 * A cluster is an ordinary actor of the one who has started it. It owns its workers: as many
 * processes of one behaviour as there are processors, or as it is told. A worker has a **slot**,
 * whose number stays when one worker takes the place of another, and an **incarnation**, which is
 * its own. One that ends, or hangs (tr_spawn_opts.hung_ms), is replaced, after a while that grows
 * with each failure.
 *
 * A worker is **ready** when it says so (tr_cluster_ready) or listens for the first time. One that
 * is not within ready_ms is killed, and has failed.
 *
 * A worker that is to go is **drained**: it is asked to end, as by tr_stop, and nothing new is
 * given to it. One that traps exits (tr_trap_exit) finishes what it has under way, and then ends;
 * one that does not, ends at once. Past the deadline, which is stop_ms in its options, it is sent
 * SIGTERM, and then SIGKILL. So a cluster ends, too: when its workers have.
 *
 * A **roll** replaces all workers, one after the other, or some at a time: a new one is started,
 * when it is ready the old one is drained, when that is down it is the next one's turn. So there
 * are never fewer workers ready than before, and since what they listen with is the cluster's no
 * client is refused. The new ones run what lies at the program's path now (tr_node_program): so a
 * new version comes into use. If a new one does not get ready, roll_tries times over, the roll is
 * given up, and the old ones stay.
 *
 * What a cluster is asked, with tr_ask or tr_send:
 *
 *     "cluster.workers"   null     a list of {"slot", "incarnation", "addr", "pid", "state",
 *                                  "load", "restarts"}: of each slot, and of those being replaced.
 *                                  state is "starting", "ready", "draining", or "waiting" (to be
 *                                  started again: no addr)
 *     "cluster.resize"    a number answers with it. Those with the highest slots are drained
 *     "cluster.roll"      null, or {"parallel": number}
 *                                  answers when all are replaced, with how many; TR_EEXIST: one is
 *                                  under way; TR_ECANCELED: given up
 *     "cluster.restart"   a slot   the same for one worker
 *     "cluster.tell"      {"name", "body"}, perhaps with "slot"
 *                                  sends this message to one worker, or to all that are there;
 *                                  answers with how many had room
 *
 * Workers find each other by "cluster.workers", and then send to, ask, monitor and link each other
 * with nobody in between, as all children of one parent (link.h). */
#ifndef TROUPE_CLUSTER_H
#define TROUPE_CLUSTER_H

#include <troupe/handle.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_CLUSTER_MAX 1024 /* workers */

/* How the workers share what they listen at. In each case the cluster holds it: one port for all
 * workers, also where the address said 0, and who waits to be accepted waits on when a worker dies.
 */
typedef enum tr_cluster_share {
    TR_CLUSTER_SHARED,     /* all accept from one listener: whoever has time */
    TR_CLUSTER_REUSE_PORT, /* TCP: a listener for each slot; the system spreads the clients */

    /* The cluster accepts, and hands each connection to a worker. One whose worker dies before it
     * has taken it is given to another. */
    TR_CLUSTER_ROUND_ROBIN,  /* one after the other */
    TR_CLUSTER_LEAST_LOADED, /* the one with the fewest connections open */
    TR_CLUSTER_HASH,         /* the same one for the same client, by its address without the port */
    TR_CLUSTER_CHOICE        /* by a function of yours */
} tr_cluster_share;

/* A worker to choose from, and what it has: in the order of slots. */
typedef struct tr_cluster_worker {
    uint32_t slot;
    uint64_t incarnation;
    tr_addr addr;
    uint32_t load; /* connections that it was handed and that are open */
} tr_cluster_worker;

/* Who gets this connection: its index among the workers.
 * borrows: workers, peer (the client's address), until it returns
 * thread:  a turn of the cluster */
typedef size_t (*tr_cluster_choose)(const tr_cluster_worker *workers, size_t count,
                                    const char *peer, void *arg);

typedef struct tr_cluster_spec {
    size_t size; /* set by TR_CLUSTER */

    /* What a worker is: one of them. A behaviour, run in a process; or a program, as for tr_fork.
     */
    const tr_behavior *behavior;
    const char *path;

    /* How it is spawned, without name, link, context and program, and as a process in any case.
     * NULL: all defaults. */
    const tr_spawn_opts *opts;

    uint32_t workers; /* 0: tr_processors() */
    tr_cluster_share share;
    tr_cluster_choose choose; /* TR_CLUSTER_CHOICE */
    void *choose_arg;

    /* So many connections at most are open in all workers together; others wait. Where workers
     * accept themselves each has its part of them, which changes with "cluster.resize"; those that
     * are open then stay open, as do those of a worker that is being drained. 0: no limit. */
    uint32_t connections_max;

    bool ready_online;   /* a worker is ready as soon as it has started */
    uint32_t ready_ms;   /* 0: 30000 */
    uint32_t roll_tries; /* 0: 3 */

    /* As in a tr_supervisor_spec. 0: 5 restarts for each worker in 5000; 10 to 5000 ms, a factor
     * of 2, no jitter, a reset after the maximum. */
    uint32_t restart_max;
    uint32_t restart_window_ms;
    uint32_t backoff_min_ms;
    uint32_t backoff_max_ms;
    double backoff_factor;
    double backoff_jitter;
    uint32_t backoff_reset_ms;

    /* Gets a message named "cluster" for all that happens: {"event", "slot", "incarnation", "addr",
     * "pid", "reason", "hung", "address", "delay_ms"}, null where the event has no such thing:
     *
     *     "online"     a worker's process has been started
     *     "listening"  address, with its true port: it does for the first time
     *     "ready"
     *     "late"       it was not ready in time, and is killed
     *     "drain"
     *     "exit"       reason (text), and hung if that was why
     *     "restart"    delay_ms: the slot gets a new worker then
     *     "give up"    it has failed once too often: the cluster ends with TR_ERESTARTS
     *     "rolled", "roll failed"
     *
     * What the observer has no room for is lost. TR_NOBODY: nobody. */
    tr_addr observer;
} tr_cluster_spec;
#define TR_CLUSTER(...) (&(const tr_cluster_spec){.size = sizeof(tr_cluster_spec), __VA_ARGS__})

/* Start a cluster, which belongs to this actor. A worker that cannot be started at first has failed
 * like any other.
 * borrows: spec and all in it until the call returns, but behaviour, choose, choose_arg, argv and
 *          env for the life of the program; opts, of the cluster itself (NULL: all defaults),
 *          without args, and with another isolation than TR_PROCESS
 * gives:   *ret_addr; may be NULL
 * errors:  TR_EINVAL, and as tr_spawn */
TR_API int tr_cluster_start(tr_actor *self, const tr_cluster_spec *spec, const tr_spawn_opts *opts,
                            tr_addr *ret_addr);

/* ---- In a worker ----
 *
 * All of these are for any actor of its process, and work outside of a cluster, too, as alone. */

/* Which one it is. ret_worker's addr is the cluster's, and its load 0.
 * returns: 0; TR_ENOENT: this process is no worker of a cluster */
TR_API int tr_cluster_self(const tr_actor *self, tr_cluster_worker *ret_worker);

/* Say that this worker is ready; a no-op outside of a cluster.
 * returns: as tr_send */
TR_API int tr_cluster_ready(tr_actor *self);

/* By value; {0} is none. It belongs to its actor and ends with it. */
typedef struct tr_cluster_server {
    uint64_t id;
} tr_cluster_server;

typedef struct tr_cluster_listen_opts {
    size_t size; /* set by TR_CLUSTER_LISTEN */

    /* As for tr_listen; of those of the first worker that listens at an address backlog and v6_only
     * hold for all. The cluster decides on reuse_port. NULL: all defaults. borrows, until the call
     * ends, but for `stream` and what it points to: until it is closed */
    const tr_listen_opts *listen;

    /* It listens, status 0; or it cannot, and why, and is closed then. Once. NULL: nobody hears of
     * it, an error is warned of ("cluster.listen") and ends the actor. */
    void (*listening)(tr_actor *self, tr_cluster_server server, int status, void *arg);
} tr_cluster_listen_opts;
#define TR_CLUSTER_LISTEN(...)                                                                     \
    (&(const tr_cluster_listen_opts){.size = sizeof(tr_cluster_listen_opts), __VA_ARGS__})

/* Listen at an address as tr_listen does, together with the other workers that do. The actor has to
 * show its messages to tr_cluster_take. Whether it can is told by `listening`, in a turn of its
 * own.
 * borrows: address, opts (NULL: all defaults), until the call ends; arg, until the server is closed
 * gives:   *ret_server; may be NULL
 * errors:  TR_EINVAL, TR_ENAMETOOLONG, TR_ENOMEM, and as tr_send; outside of a cluster as tr_listen
 */
TR_API int tr_cluster_listen(tr_actor *self, const char *address,
                             const tr_cluster_listen_opts *opts, tr_accepted cb, void *arg,
                             tr_cluster_server *ret_server);

/* The first thing in the receive of an actor that listens so: whether the message is the cluster's,
 * which is dealt with then. */
TR_API bool tr_cluster_take(tr_actor *self, const tr_msg *msg);

/* Stop listening, as tr_server_close. The other workers go on. */
TR_API void tr_cluster_close(tr_actor *self, tr_cluster_server server);

/* Where it listens, with its true port.
 * errors: TR_EAGAIN (it does not yet), TR_ENOENT, TR_EINVAL */
TR_API int tr_cluster_address(tr_actor *self, tr_cluster_server server, char text[TR_ADDRESS_MAX]);

#ifdef __cplusplus
}
#endif
#endif
