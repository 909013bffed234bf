/* Actors: state, a behaviour, a mailbox.
 *
 * An actor lives on one loop. All its callbacks run on that loop's thread, one at a time, each a
 * turn: the callback to its end, then its ticks, then its microtasks. It owns its timers, its
 * immediates, its promises, its asks, its names, the monitors it has set and the actors it has
 * spawned; when it ends they are all closed, the spawned ones by being asked to shut down.
 *
 * A handler returns 0, or an error that ends the actor with that reason. Let it crash: whoever
 * monitors it hears of it and decides.
 *
 * `self` is the actor whose turn it is. All functions here that take it are for that actor's own
 * turns, on its own thread; elsewhere they return TR_EINVAL. */
#ifndef TROUPE_ACTOR_H
#define TROUPE_ACTOR_H

#include <troupe/msg.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_actor tr_actor;
typedef void (*tr_callback)(tr_actor *self, void *arg);
typedef int (*tr_receive)(tr_actor *self, const tr_msg *msg); /* as in a behaviour */

/* A behaviour is a constant table. Every member but the name may be left out. */
typedef struct tr_behavior {
    const char *name;
    size_t state_size; /* tr_state(self): zeroed, aligned for any type, freed after stop */

    /* The first turn. It runs before any timer of the actor and before its first message.
     * borrows: args, what the spawner gave, or null */
    int (*start)(tr_actor *self, const tr_val *args);

    /* One message.
     * borrows: msg, until it returns (tr_msg_copy keeps one)
     * returns: 0; TR_EUNKNOWN for a message it does not know, which is counted as a dead letter
     *          and does not end the actor; any other error ends it */
    int (*receive)(tr_actor *self, const tr_msg *msg);

    /* The last turn, in the phase of close callbacks. Nothing can be armed any more; what is sent
     * here still goes out. */
    void (*stop)(tr_actor *self, tr_reason reason);
} tr_behavior;

/* Where a new actor's loop lives. */
typedef enum tr_isolation {
    TR_SHARED, /* with others: on one of the loops that the node's actors share */
    TR_THREAD, /* a loop and a thread of its own, which it shares with what it spawns TR_HERE */
    TR_PROCESS /* in a process of its own */
} tr_isolation;

/* On which of the shared loops (tr_node_opts.loops). An actor stays there for life. */
typedef enum tr_placement {
    TR_HERE,         /* the spawner's own: what they say to each other is cheapest */
    TR_SPREAD,       /* one after the other */
    TR_LEAST_LOADED, /* the one with the fewest actors */
    TR_BY_KEY        /* the same one for the same placement_key */
} tr_placement;

/* What becomes of a message that comes to a full mailbox. What is dropped is a dead letter, and its
 * sender is told 0 (TR_EFULL if the way there from another loop or node is full as well). */
typedef enum tr_mail_policy {
    TR_MAIL_FAIL,        /* the sender is told TR_EFULL, and nothing was sent */
    TR_MAIL_DROP_NEWEST, /* it is dropped */
    TR_MAIL_DROP_OLDEST  /* those that wait longest are dropped until there is room for it */
} tr_mail_policy;

/* What a standard descriptor of a process is: its input (0), its output (1), or for errors (2). */
typedef enum tr_stdio {
    TR_STDIO_INHERIT, /* this process's own */
    TR_STDIO_NULL,    /* /dev/null */
    TR_STDIO_PIPE,    /* a pipe; its other end is a stream: tr_child_stream (troupe/console.h) */

    /* Of a program only (troupe/process.h). */
    TR_STDIO_FD,    /* a descriptor of this process */
    TR_STDIO_OUTPUT /* for errors: where its output goes */
} tr_stdio;

typedef struct tr_spawn_opts {
    size_t size; /* set by TR_SPAWN */
    tr_isolation isolation;
    tr_val args; /* for start; copied */
    const char
        *name; /* to be found by (troupe/registry.h); NULL: none. borrows, until the call ends */

    /* TR_SHARED only. */
    tr_placement placement;
    const char *placement_key; /* TR_BY_KEY. borrows, until the call ends */

    /* The mailbox: how many messages, and bytes, may wait before it is full (one message is always
     * taken), and what then. 0: 4096 messages, 16 MiB. Senders on another loop or node count what
     * they have sent and is not handled against these limits, each such loop or node by itself; one
     * that has not spawned the actor takes the default limits, on another loop until the first of
     * its messages has been handled. */
    uint32_t mail_max;
    uint32_t mail_bytes_max;
    tr_mail_policy mail_policy;

    /* TR_PROCESS and tr_fork only: how long each step of stopping may take before the next one:
     * asked to shut down, SIGTERM, SIGKILL. 0: 5000 and 2000. */
    uint32_t stop_ms;
    uint32_t term_ms;

    /* tr_fork only: the program's arguments after its name, NULL-terminated, and what is added to
     * its environment ("NAME=value", NULL-terminated). NULL: none. borrows, until the call ends */
    const char *const *argv;
    const char *const *env;

    bool link; /* to the spawner, as tr_link does; not for tr_node_spawn */

    /* It ends by itself, normally, when nothing is left that could call it: no message, no timer
     * but those that tr_timer_keep says do not count, and nothing else that has yet to end, as an
     * ask, work, a stream, a child or a monitor. So a program of Node's ends. Not TR_PROCESS. */
    bool until_idle;

    /* TR_PROCESS and tr_fork only: its standard descriptors. */
    tr_stdio stdio[3];

    /* TR_PROCESS and tr_fork only: a process that hangs is killed. It does when one of its actors'
     * callbacks has not returned for so long, to a quarter more, which a thread beside its loops
     * finds; or when that thread has given no sign for as long, as in a process that was stopped,
     * begun to be counted at its first one. Who monitors it is told so (tr_down), and "child.hung"
     * is warned of, with what it was doing. What blocks in a pool (troupe/work.h) does not hang.
     * A program in another language may give signs, or not (docs/protocol.md). 0: never */
    uint32_t hung_ms;

    /* TR_PROCESS and tr_fork only: what all actors of the process can look at, beside args, which
     * only its first one is given: see tr_node_context. Copied */
    tr_val context;

    /* TR_PROCESS only: start this program in place of the one that runs, as tr_fork takes a path;
     * the behaviour is the one of that name there. So a file that has been replaced on the disk
     * (tr_node_program) comes into use. NULL: the very program that runs, replaced or not. borrows,
     * until the call ends */
    const char *program;
} tr_spawn_opts;
#define TR_SPAWN(...) (&(const tr_spawn_opts){.size = sizeof(tr_spawn_opts), __VA_ARGS__})

/* Start an actor. Its start runs after this turn, before the loop's next timers. The new actor
 * is the spawner's: it is asked to shut down when the spawner ends.
 *
 * Messages may be sent to it at once, wherever it lives. One that cannot live there after all, for
 * want of memory, ends before its start.
 *
 * TR_PROCESS starts this program once more and runs the behaviour there, found by its name among
 * those given to tr_main or tr_node_open. Its end is known from the reaped process, never guessed.
 *
 * borrows: behavior, for the life of the program; opts (NULL: all defaults)
 * gives:   *ret_addr; ret_addr may be NULL
 * errors:  TR_EINVAL, TR_ENOMEM, TR_EEXIST (the name), TR_ETOODEEP and TR_ETOOBIG (args), TR_ENOSYS
 * (no such isolation here), TR_SHUTDOWN (the node is ending), and for a process the system's reason
 * why it cannot start */
TR_API int tr_spawn(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
                    tr_addr *ret_addr);

/* Start another program as a child actor: any that calls tr_main, where the first behaviour given
 * runs, or any in another language that speaks docs/protocol.md on descriptor 3. The path is taken
 * as execve does: no shell, no search.
 * errors: as tr_spawn; a program that cannot be executed is an error of this call (-ENOENT, ...) */
TR_API int tr_fork(tr_actor *self, const char *path, const tr_spawn_opts *opts, tr_addr *ret_addr);

/* The process of a child that this actor has spawned.
 * returns: 0; TR_ENOACTOR (it is no child of self's, or its process has ended), TR_EINVAL,
 * TR_ENOSYS (the kit's children have none) */
TR_API int tr_child_pid(tr_actor *self, tr_addr child, int64_t *ret_pid);

/* tr_send and tr_reply, below, with a body that is not passed by value: a third of what a small
 * message costs would be the copying of 24 bytes. name_len is known when a literal is compiled.
 * borrows: name, body */
TR_API int tr_send_val(tr_actor *self, tr_addr to, const char *name, size_t name_len,
                       const tr_val *body);
TR_API int tr_reply_val(tr_actor *self, const tr_msg *msg, const tr_val *body);

/* Send a message. What is sent from one actor to another arrives in that order.
 * borrows: name, body
 * returns: 0: accepted. TR_EFULL: the receiver's mailbox or the way to it is full and nothing was
 *          sent: see tr_on_writable. TR_ENOACTOR: no such actor on this loop (on another one the
 *          message becomes a dead letter). TR_EDOWN: no link to its node. TR_EINVAL, TR_ETOODEEP,
 *          TR_ETOOBIG, TR_ENOMEM. Children of one parent have links to each other (link.h). */
static inline int tr_send(tr_actor *self, tr_addr to, const char *name, tr_val body)
{
    return tr_send_val(self, to, name, name == NULL ? 0 : strlen(name), &body);
}

/* Send a message made by hand.
 * moves:   *msg
 * returns: as tr_send; *msg is still yours when it is not 0 */
TR_API int tr_send_msg(tr_actor *self, tr_addr to, tr_msg **msg);

/* Answer a message: an ask (troupe/ask.h) once, any other by sending to its sender under the same
 * name. A sender that is gone, or that has no room for the answer, is no error of the one who
 * answers: the reply is a dead letter then, so that `return tr_reply(...)` is always right.
 * (tr_send to tr_msg_from(msg) tells.)
 * returns: 0; TR_EINVAL, TR_ETOODEEP, TR_ETOOBIG, TR_ENOMEM as tr_send; TR_EINVAL also for an ask
 *          that has been answered */
static inline int tr_reply(tr_actor *self, const tr_msg *msg, tr_val body)
{
    return tr_reply_val(self, msg, &body);
}

/* Call cb once when `to`, which was full, has room again, or is gone: then the next send says so.
 * Comes at once (in a turn of its own) when it is not full. Those on one loop that wait for the
 * same room are called in the order of their waiting, before any that need not wait.
 * borrows: arg, until cb has returned or the actor has ended
 * errors:  TR_EINVAL, TR_ENOMEM */
TR_API int tr_on_writable(tr_actor *self, tr_addr to, tr_callback cb, void *arg);

#define TR_NORMAL 0 /* the exit reason of one that is done */

/* End this actor when this callback returns: its ticks and microtasks do not run any more, its
 * stop runs in the close phase of this iteration.
 * reason:  TR_NORMAL, TR_SHUTDOWN, or an error
 * returns: 0, so that a handler can return it */
TR_API int tr_exit(tr_actor *self, int reason);

/* Ask an actor to shut down: it ends with TR_REASON_SHUTDOWN when it has handled what the asker has
 * sent to it before; mail behind that is not handled any more. What an actor has spawned is asked
 * the same when it ends.
 * One in a child process that has not ended within stop_ms is sent SIGTERM, and then SIGKILL.
 * returns: 0; TR_ENOACTOR, TR_EDOWN as tr_send */
TR_API int tr_stop(tr_actor *self, tr_addr addr);

/* End an actor at once: before its next message, whatever is in its mailbox, and whether it traps
 * exits or not. Its stop still runs. Its reason is TR_REASON_KILLED with signal 9, and in a child
 * process of this node it is just that: SIGKILL for the whole process.
 * returns: 0; TR_ENOACTOR, TR_EDOWN as tr_send; TR_ENOMEM */
TR_API int tr_kill(tr_actor *self, tr_addr addr);

/* Link two actors, wherever they live: when one of them ends with any reason but normal, the other
 * one ends at once, with the same reason. There is at most one link between two; linking again, or
 * to oneself, is a no-op. If there is no such actor this one ends with TR_REASON_NOACTOR, or
 * TR_REASON_NOCONNECTION, as it does when the link to the other's node is lost.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_link(tr_actor *self, tr_addr addr);

/* Take the link away, on both sides. An "exit" that waits in the mailbox already stays there.
 * returns: 0, also if there was no link; TR_EINVAL */
TR_API int tr_unlink(tr_actor *self, tr_addr addr);

/* Whether this actor hears of it when it is asked to end, or when one that it is linked to has
 * ended, instead of ending: then it gets an "exit" message (see tr_msg_exit), behind what that
 * actor has sent to it. It hears of linked ones that have ended normally, too. A process's
 * deadlines (stop_ms, term_ms) hold all the same. */
TR_API int tr_trap_exit(tr_actor *self, bool trap);

/* Hear of an actor's end: a "down" message (see tr_msg_down), exactly once, at once with
 * TR_REASON_NOACTOR or TR_REASON_NOCONNECTION if there is nothing to monitor.
 * gives:  *ret_monitor, which the notice carries; may be NULL
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_monitor(tr_actor *self, tr_addr addr, uint64_t *ret_monitor);

/* No notice of this monitor comes after this call. One that fired or never was is a no-op. */
TR_API void tr_demonitor(tr_actor *self, uint64_t monitor);

/* ---- Not now, or not so ----
 *
 * All three are the actor's, not its behaviour's: one that is started again in its place, by a
 * supervisor say, begins with an empty stash, its behaviour's receive, and its mail not held. */

/* Put a message off: it stays with the actor until tr_unstash_all. An ask stays open, with its
 * deadline. What is still there when the actor ends is a dead letter, or answered, as its mail is.
 * The stash is as large as the mailbox, in messages and bytes, and counts by itself.
 * borrows: msg, which is done with for this turn: what was an ask has no answer any more
 * errors:  TR_EFULL (the stash is), TR_EINVAL (a notice, an ask that has been answered),
 *          TR_ENOMEM */
TR_API int tr_stash(tr_actor *self, const tr_msg *msg);

/* What was put off is handled next, in its order, before the mail that waits.
 * errors: TR_EINVAL */
TR_API int tr_unstash_all(tr_actor *self);

/* Have another function handle messages, from the next one on; NULL: the behaviour's own again.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_become(tr_actor *self, tr_receive receive);

/* Leave the mail where it is, so that the mailbox fills and senders are told TR_EFULL; false: go
 * on. Notices and answers still come, but for those that wait behind mail of the actor that they
 * tell of; so does the wish to end, behind what its asker has sent.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_mail_hold(tr_actor *self, bool hold);

/* ---- Who it is ---- */

TR_API tr_addr tr_self(const tr_actor *self);
TR_API void *tr_state(tr_actor *self); /* NULL when state_size is 0 */

/* Who spawned this actor, also across processes; TR_NOBODY for a node's first actor. */
TR_API tr_addr tr_parent(const tr_actor *self);

/* ---- How it is ---- */

/* An actor at one moment. What is on its way from another loop or node does not wait yet, and what
 * is being handled waits no more; notices are not counted. */
typedef struct tr_actor_info {
    const char *behavior; /* its name */
    tr_addr parent;
    bool started;                      /* it has had its start, or is in it */
    bool mail_held;                    /* tr_mail_hold */
    uint32_t mail_count, mail_bytes;   /* what waits in the mailbox */
    uint32_t mail_max, mail_bytes_max; /* its limits, and the stash's */
    uint32_t stash_count, stash_bytes; /* what was put off */
} tr_actor_info;

/* Look at an actor of this loop, perhaps itself. Nothing that waits there is touched: a look costs
 * the same at an empty mailbox and at one of millions.
 * returns: 0; TR_ENOACTOR (no such actor on this loop), TR_EINVAL */
TR_API int tr_actor_look(const tr_actor *self, tr_addr addr, tr_actor_info *ret_info);

#ifdef __cplusplus
}
#endif
#endif
