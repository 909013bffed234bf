/* A service's manners: what systemd, containers and terminals expect of a program that stays.
 *
 *     static int app_start(tr_actor *self, const tr_val *args)
 *     {
 *         ...
 *         int rc = tr_service_start(self, TR_SERVICE(.target = server), &service);
 *         return rc < 0 ? rc : tr_send(self, service, "ready", TR_V("at port 8080"));
 *     }
 *
 * One call in the first actor's start, before it starts children. Then:
 *
 *     SIGTERM, SIGINT  Stop in order: the target is asked to drain, then to shut down (tr_stop),
 *                      and when it is down so is the actor that has started the service: the node
 *                      ends, and tr_main returns 0. If that actor is still there after stop_ms this
 *                      is an error, and the process exits with 1. The second such signal ends the
 *                      process at once, with 128 + its number.
 *     SIGHUP           The reload actor is asked to "reload", and what it says is awaited.
 *     SIGQUIT          Left alone: the system ends the process, with a core.
 *     SIGPIPE          Is of no concern: the library writes so that it does not come. A program
 *                      that writes to pipes by itself ignores it.
 *
 * A service manager that has left NOTIFY_SOCKET in the environment is told, in the words of
 * sd_notify(3): READY=1 when the service is, RELOADING=1 and READY=1 around a reload, STOPPING=1,
 * STATUS= with the text of the last "ready" or "status", and, where it has left WATCHDOG_USEC,
 * WATCHDOG=1 twice in that time, from this loop: one that is blocked says nothing, so the manager
 * finds it. These variables are taken out of the environment, which no other thread may read at
 * that moment: children do not see them.
 *
 * Ctrl-C goes to all processes of a terminal's foreground group, and systemd may send SIGTERM to
 * all of a service. Children that are nodes (TR_PROCESS, tr_fork), and theirs, leave these to the
 * service, which asks them in its order: they ignore SIGHUP, and the first SIGINT or SIGTERM that
 * is not their parent's; the second one ends them.
 *
 * The service is an actor. It is told, with tr_send or tr_ask, from wherever:
 *
 *     "ready"    text or null   It is ready, or ready again.
 *     "status"   text           What it does, for people.
 *     "reload"   null           As SIGHUP. The answer to an ask comes at once.
 *     "stop"     null           As the first SIGTERM.
 *     "state"    null           Asked: "starting", "ready", "reloading" or "stopping". What a
 *                               readiness probe of Kubernetes should hear "ready" from.
 *
 * A program with a service exits with 0 when it was stopped in order, 1 when it failed, or with
 * what it says itself (tr_status_set): 2 for wrong arguments, 75 for what may work later, 78 for
 * what is wrong with its configuration, as sysexits.h has it and RestartPreventExitStatus= takes.
 */
#ifndef TROUPE_SERVICE_H
#define TROUPE_SERVICE_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_service_opts {
    size_t size; /* set by TR_SERVICE */

    tr_addr target;         /* who is asked to shut down first; {0}: the starting actor itself */
    const char *drain_name; /* before that it is asked this, with {"ms": how long it may take}, and
                             * its answer awaited; NULL: it is not. Copied */
    uint32_t stop_ms;       /* for all of it; 0: 25000 */

    tr_addr reload;          /* who is asked at SIGHUP; {0}: the target */
    const char *reload_name; /* what; NULL: "reload". Copied */
    uint32_t reload_ms;      /* how long that may take; 0: 60000 */
    bool no_reload;          /* SIGHUP is left alone, so that it ends the process */

    bool files; /* as many open descriptors as it may have: tr_files_raise */
    bool reap;  /* reap orphans: tr_orphans_reap. A process with the id 1 does anyway */
} tr_service_opts;
#define TR_SERVICE(...) (&(const tr_service_opts){.size = sizeof(tr_service_opts), __VA_ARGS__})

/* Start the service of this process, which has one at most. It lives on the caller's loop and ends
 * with it. When it cannot start the caller is asked to end, and the process exits with 1.
 * borrows: opts (NULL: all defaults), until the call ends
 * gives:   *ret_addr; may be NULL
 * errors:  as tr_spawn */
TR_API int tr_service_start(tr_actor *self, const tr_service_opts *opts, tr_addr *ret_addr);

/* ---- What it is made of, for services of another kind ---- */

/* Take over what a service manager has left in the environment, and have the children of nodes that
 * are started from now on leave signals to this process, as said above.
 * gives:  *ret_watchdog_ns: within what time the manager wants WATCHDOG=1; 0: it does not
 * errors: TR_EINVAL, TR_ENOSYS (in the kit), a system error */
TR_API int tr_manager_take(tr_actor *self, uint64_t *ret_watchdog_ns);

/* Tell the service manager, in lines of NAME=value. In a simulation it is written down.
 * errors: TR_ENOSYS (there is none), TR_EAGAIN (it is behind: try again later), TR_EINVAL,
 *         TR_ETOOBIG, a system error */
TR_API int tr_notify(tr_actor *self, const char *state);

/* Have as many open descriptors as this process may ever have: its soft limit becomes the hard one,
 * for programs that it starts from then on as well. (Those that use select with descriptors above
 * 1023 are rare, but broken then.)
 * returns: how many; TR_EINVAL, TR_ENOSYS, a system error */
TR_API int64_t tr_files_raise(tr_actor *self);

/* Reap the children of this process that have ended and that no node in it has started: those that
 * it was given when their parents ended, as the first process of a container is, or one that has
 * asked for them (PR_SET_CHILD_SUBREAPER); but also those that the program has started by itself.
 * To be called on SIGCHLD (troupe/signal.h).
 * returns: how many; TR_EINVAL, TR_ENOSYS */
TR_API int tr_orphans_reap(tr_actor *self);

/* The id of this process. returns: TR_EINVAL, TR_ENOSYS where there is none */
TR_API int64_t tr_pid(tr_actor *self);

/* What the process is to exit with when its node has ended, instead of what tr_main would say: 0 to
 * 255. Any actor, any time; the last word counts.
 * errors: TR_EINVAL */
TR_API int tr_status_set(tr_actor *self, int status);

/* End the process now, with this status: nothing is flushed, nobody is asked, children are killed.
 * Does not return; in a simulation it does, and the process takes no step any more.
 * errors: TR_EINVAL, TR_ENOSYS */
TR_API int tr_quit(tr_actor *self, int status);

#ifdef __cplusplus
}
#endif
#endif
