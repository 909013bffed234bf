/* Supervisors: actors that start others, in order, and start them again when they fail.
 *
 *     tr_supervise(self, TR_SUPERVISOR(.strategy = TR_ONE_FOR_ALL, .restart_max = 10,
 *                                      TR_CHILDREN({.id = "cache", .behavior = &cache},
 *                                                  {.id = "parser", .behavior = &parser,
 *                                                   .opts = TR_SPAWN(.isolation = TR_PROCESS)})),
 *                  NULL, &addr);
 *
 * A supervisor is an ordinary actor of the one who has started it. It starts its children in the
 * order of its list, the next one when the one before has been spawned, and hears of their ends by
 * monitors: of a child in a process with the signal or status that the system tells. Asked to end
 * (tr_stop, or because its owner ends) it stops its children in the reverse order, each one when
 * the one behind it is down, and then ends. A child may be a supervisor itself: so trees are built,
 * with children of any isolation in each of them.
 *
 * A child's mailbox goes with it: what has not been handled is a dead letter, and the new child
 * starts with its arguments and nothing else. Its address is another one: ask the supervisor, or
 * give the child a name (tr_spawn_opts.name), which each new one gets again.
 *
 * What a supervisor is asked, with tr_ask or tr_send:
 *
 *     "whereis"   an id           its address; null while it is not running
 *     "count"     null            {"children", "running", "restarts"}
 *     "children"  null            a list of {"id", "addr", "state", "restarts"}; state is
 *                                 "running", "waiting" (to be started again), "stopping", "ended"
 *     "add"       {"id", "args"}  TR_DYNAMIC: start a child. Without an id it has a number; without
 *                                 args those of the spec. Its address.
 *     "remove"    an id           TR_DYNAMIC: stop it as at the end. True, when it is down.
 *
 * The answer is an error for an id that is not there (TR_ENOENT) or is there already (TR_EEXIST),
 * for a body that is another (TR_EBADMSG), for a supervisor that ends (TR_SHUTDOWN), or has another
 * strategy (TR_ENOSYS), and where a child cannot be spawned. */
#ifndef TROUPE_SUPERVISOR_H
#define TROUPE_SUPERVISOR_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who is started again when a child has failed. */
typedef enum tr_strategy {
    TR_ONE_FOR_ONE,  /* that child */
    TR_ONE_FOR_ALL,  /* all of them: the others are stopped first, in the reverse order */
    TR_REST_FOR_ONE, /* it and those behind it, which are stopped first likewise */
    TR_DYNAMIC       /* that child. Children are added and removed while it runs; the spec has one
                      * child, which says what they all are, and none is started at first */
} tr_strategy;

/* When a child is started again, after it has ended by itself. */
typedef enum tr_restart {
    TR_PERMANENT, /* always */
    TR_TRANSIENT, /* unless its reason was normal or shutdown */
    TR_TEMPORARY  /* never, not even with the others */
} tr_restart;

typedef struct tr_supervisor_spec tr_supervisor_spec;

typedef struct tr_child_spec {
    const char *id; /* unique among its siblings */

    /* What it is: exactly one of them. A behaviour, as for tr_spawn; a program, as for tr_fork; or
     * a supervisor with children of its own. */
    const tr_behavior *behavior;
    const char *path;
    const tr_supervisor_spec *supervisor;

    /* How it is spawned, with which arguments; a supervisor has none. NULL: all defaults. */
    const tr_spawn_opts *opts;

    tr_restart restart;

    /* How long it may take to end when it is asked to; then it is killed (tr_kill). A process's own
     * steps (stop_ms and term_ms in opts) begin at the same time. 0: 5000, or if it is a supervisor
     * as long as its children take. */
    uint32_t stop_ms;

    /* A limit of its own, in place of its share in the supervisor's: so many restarts in such a
     * time. 0: none. restart_window_ms 0: the supervisor's. */
    uint32_t restart_max;
    uint32_t restart_window_ms;
} tr_child_spec;

struct tr_supervisor_spec {
    size_t size; /* set by TR_SUPERVISOR */
    tr_strategy strategy;
    const tr_child_spec *children;
    size_t child_count; /* both set by TR_CHILDREN */

    /* More restarts than restart_max within restart_window_ms are too many: then the supervisor
     * stops its children and ends with TR_ERESTARTS. 0: 5 in 5000. */
    uint32_t restart_max;
    uint32_t restart_window_ms;

    /* How long a failed child waits before it is started again: backoff_min_ms, and at each failure
     * backoff_factor times as long as at the one before, but not longer than backoff_max_ms; of
     * which a random part, up to backoff_jitter of the whole, is taken off, so that not all start
     * together. A child that has lived for backoff_reset_ms begins at the least again.
     * 0: no waiting, no jitter; a maximum of 30000, a factor of 2, a reset after the maximum. */
    uint32_t backoff_min_ms;
    uint32_t backoff_max_ms;
    double backoff_factor; /* 1 to 1000 */
    double backoff_jitter; /* 0 to 1 */
    uint32_t backoff_reset_ms;

    /* Gets a message named "supervisor" for all that happens: {"event", "id", "addr", "reason",
     * "hung", "restarts", "delay_ms"}. event is "start"; "end", whose reason is text
     * (tr_reason_text), and hung likewise if that was why (tr_down);
     * "restart", when one has failed and will be started after delay_ms; "give up", when it has
     * failed once too often. What the observer has no room for is lost. TR_NOBODY: nobody. */
    tr_addr observer;
};

#define TR_SUPERVISOR(...)                                                                         \
    (&(const tr_supervisor_spec){.size = sizeof(tr_supervisor_spec), __VA_ARGS__})
#define TR_CHILDREN(...)                                                                           \
    .children = (const tr_child_spec[]){__VA_ARGS__},                                              \
    .child_count = sizeof((const tr_child_spec[]){__VA_ARGS__}) / sizeof(tr_child_spec)

/* Start a supervisor, which belongs to this actor. If one of its children cannot be spawned at
 * first it stops those that could and ends with that error. Each restart is a warning (tr_log_set)
 * with the id supervisor.restart, that it gives up with supervisor.gave_up.
 * borrows: spec and all in it until the call returns, but behaviours, argv and env for the life of
 *          the program; opts, of the supervisor itself (NULL: all defaults), without args, and with
 *          another isolation than TR_PROCESS
 * gives:   *ret_addr; may be NULL
 * errors:  TR_EINVAL (also in the spec of a child), TR_EEXIST (two children of one id), TR_ETOODEEP
 *          (supervisors in supervisors), and as tr_spawn */
TR_API int tr_supervise(tr_actor *self, const tr_supervisor_spec *spec, const tr_spawn_opts *opts,
                        tr_addr *ret_addr);

#ifdef __cplusplus
}
#endif
#endif
