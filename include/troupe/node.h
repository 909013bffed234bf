/* Nodes: one process that takes part.
 *
 * A program whose main is troupe's:
 *
 *     int main(int argc, char **argv)
 *     {
 *         return tr_main(argc, argv, TR_APP(&parent, &child));
 *     }
 *
 * or one with a main of its own, which embeds a node: tr_node_open, tr_node_spawn, tr_node_run,
 * tr_node_close. */
#ifndef TROUPE_NODE_H
#define TROUPE_NODE_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The behaviours of a program: the first one is its first actor; all of them may be spawned as
 * processes. */
typedef struct tr_app {
    const tr_behavior *const *behaviors;
    size_t count;
} tr_app;
#define TR_APP(...)                                                                                \
    (&(const tr_app){(const tr_behavior *const[]){__VA_ARGS__},                                    \
                     sizeof((const tr_behavior *const[]){__VA_ARGS__}) /                           \
                         sizeof(const tr_behavior *)})

/* Run a program. Started by a person, it runs the first behaviour, with the arguments as a list of
 * text; started by tr_spawn or tr_fork, it runs the behaviour that the parent wants, linked to it.
 * Returns when that actor has ended and everything sent has left.
 * returns: the process's exit status: as tr_node_status */
TR_API int tr_main(int argc, char **argv, const tr_app *app);

/* What a shared object has in place of main, for `troupe run ./tally.so` to run: its behaviours, as
 * in TR_APP. The first one is the program's.
 *
 *     TR_APP_EXPORT(&tally); */
#define TR_APP_EXPORT(...)                                                                         \
    static const tr_behavior *const tr__app_behaviors[] = {__VA_ARGS__};                           \
    TR__EXTERN TR_API const tr_app tr_app_exported;                                                \
    const tr_app tr_app_exported = {tr__app_behaviors,                                             \
                                    sizeof tr__app_behaviors / sizeof(const tr_behavior *)}
#ifdef __cplusplus
#define TR__EXTERN extern "C"
#else
#define TR__EXTERN extern
#endif

typedef struct tr_node tr_node;

/* A callback of an actor that has not returned so far. */
typedef struct tr_stuck {
    tr_addr addr;
    const char *behavior; /* its name */
    const char *message;  /* the first 32 bytes of its name; "(timer)" and the like if it is none */
    uint32_t loop;
    uint64_t ms; /* at least, and to a quarter of watchdog_ms */
} tr_stuck;

/* borrows: stuck, until it returns */
typedef void (*tr_stuck_cb)(const tr_stuck *stuck, void *arg);

typedef struct tr_node_opts {
    size_t size;       /* set by TR_NODE */
    const char *name;  /* for peers and logs; NULL: the program's name */
    const tr_app *app; /* which behaviours tr_spawn may run as processes; NULL: none. The program's
                        * main must hand over to tr_main when tr_is_child() says so. */
    uint32_t flush_ms; /* how long sent messages may take to leave when the node ends; 0: 5000 */
    uint32_t loops; /* how many loops share the node's actors, each on a thread of its own that is
                     * started when the first actor is placed on it; at most 1024; 0:
                     * tr_processors(), which is also what tr_main does */

    /* How many messages an actor may handle in a row, and for about how long, before others on its
     * loop have their turn. A handler that runs is never interrupted. 0: 16 messages, 200 us. */
    uint32_t turn_messages;
    uint32_t turn_us;

    /* A callback of an actor that has taken so long is warned of when it has returned, once a
     * second for each actor at most: "actor.slow", with the actor, the message or what else it was
     * called for, and the time. Where callbacks are so fast that the clock is read only after some,
     * "loop.slow" says how many the time was for, until it happens again. 0: 100. */
    uint32_t slow_ms;

    /* Have a thread look after the loops, and warn of a callback that has not returned for so long:
     * "actor.stuck", and again at each doubling of the time. stuck, if there is one, is then called
     * as well, on that thread. 0: as many as TROUPE_WATCHDOG_MS in the environment says, which
     * holds for tr_main, too; without that there is no such thread. */
    uint32_t watchdog_ms;
    tr_stuck_cb stuck;
    void *stuck_arg;
} tr_node_opts;
#define TR_NODE(...) (&(const tr_node_opts){.size = sizeof(tr_node_opts), __VA_ARGS__})

/* Whether this process was started by tr_spawn or tr_fork: then main is to call tr_main. */
TR_API bool tr_is_child(void);

/* gives:  *ret_node
 * errors: TR_EINVAL, TR_ENOMEM, a system error */
TR_API int tr_node_open(const tr_node_opts *opts, tr_node **ret_node);

/* Start an actor that no other actor owns. The node runs until the last such actor has ended.
 * thread: the one that runs the node, before tr_node_run or in a turn there
 * errors: as tr_spawn; TR_EINVAL for another isolation than TR_SHARED, or placement than TR_HERE,
 *         which is the node's first loop, and in a turn on another loop */
TR_API int tr_node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                         tr_addr *ret_addr);

/* Accept other nodes, and any program that speaks docs/protocol.md over nng's pair1, at
 * "ipc:///path", which is at most 107 bytes, must not exist and is removed when the node closes; at
 * "tcp://address:port", where port 0 is any that is free (tr_node_url); or at another url of
 * troupe/link.h, which says who is let in. What such a peer sends to actor 1 goes to the node's
 * first actor.
 * thread: as tr_node_spawn
 * errors: TR_EINVAL (not a url, or one that needs a secret or certificates; a turn on another
 *         loop), TR_ENAMETOOLONG,
 *         TR_EADDRINUSE, TR_ENOSYS (it needs libssl or libnng, which is not there), TR_ETLS, a system
 *         error */
TR_API int tr_node_listen(tr_node *node, const char *url);

/* Run the node on this thread until its last actor has ended, its children have been stopped and
 * reaped, and what was sent has left or flush_ms has passed.
 * returns: 0, or the first error that one of the actors of tr_node_spawn ended with; TR_EINVAL in a
 *          turn */
TR_API int tr_node_run(tr_node *node);

/* What a program exits with whose node has ended: what an actor has said (tr_status_set,
 * troupe/service.h); otherwise 0 when the first actor ended normally or was asked to; 128 + the
 * signal's number when it ended because of a linked process that a signal has killed; 1 for any
 * other error. An error has been logged, once. */
TR_API int tr_node_status(const tr_node *node);

/* Ask all actors to shut down, so that tr_node_run returns. Any thread, any time before
 * tr_node_close. */
TR_API void tr_node_stop(tr_node *node);

/* Close and set *node to NULL. Not from within a turn; children that are still alive are killed. */
TR_API void tr_node_close(tr_node **node);

/* The id of this incarnation, which is the node half of its actors' addresses. */
TR_API uint64_t tr_node_id(const tr_node *node);

/* The node that the actor lives on. */
TR_API tr_node *tr_node_of(const tr_actor *self);

/* What this process was given to know (tr_spawn_opts.context); null where nobody has. Any thread;
 * it lives as long as the node. */
TR_API tr_val tr_node_context(const tr_node *node);

/* The path of the program that runs, as it was when it started: what is there now may be another
 * one. NULL: not known. Any thread; it lives as long as the node. */
TR_API const char *tr_node_program(const tr_node *node);

/* How many processors this process may use: by its affinity, and by the quota of its control group,
 * rounded up. At least 1. Any thread. */
TR_API uint32_t tr_processors(void);

/* Answers that came when their ask had ended, or was cancelled. Any thread. */
TR_API uint64_t tr_node_late_answers(const tr_node *node);

/* Messages that could not be delivered so far. Any thread. */
TR_API uint64_t tr_node_dead_letters(const tr_node *node);

/* One sentence on what went wrong last in opening, listening or spawning; "" if nothing did. */
TR_API const char *tr_node_errmsg(const tr_node *node);

/* How grave a line is, in syslog's numbers. The library has warnings, and errors for what has
 * failed for good: an actor, a node that cannot be opened. */
typedef enum tr_log_level {
    TR_LOG_ERROR = 3,
    TR_LOG_WARNING = 4,
    TR_LOG_NOTICE = 5,
    TR_LOG_INFO = 6,
    TR_LOG_DEBUG = 7
} tr_log_level;

/* Where warnings go: one line of text without its end. NULL: to stderr, with "<4>" or the like in
 * front if that is what JOURNAL_STREAM in the environment names. Set before the first other call.
 * id is stable, for programs; text is for people. A sink is called on the thread that warns: of a
 * node with several loops on any of theirs, on two at a time perhaps. */
typedef void (*tr_log_sink)(const char *id, const char *text, void *arg);
TR_API void tr_log_set(tr_log_sink sink, void *arg);

/* In a sink: how grave the line is that it is told. */
TR_API tr_log_level tr_log_level_get(void);

/* Warn as the library does: id and one line of text, made as printf makes it, go to the sink. Any
 * thread. */
TR_API void tr_log(const char *id, const char *format, ...) __attribute__((format(printf, 2, 3)));
TR_API void tr_log_at(tr_log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
