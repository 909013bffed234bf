/* Signals of the process: an actor hears of them in a turn of its own.
 *
 *     #include <signal.h>
 *     ...
 *     tr_signal_start(self, SIGUSR1, on_usr1, NULL, NULL);
 *
 * Any number of actors may hear of one signal, on any of the process's loops, and each is told.
 * While there is one the signal has no other effect; when the last has stopped, or ended, it does
 * again what it did before the first one started. So a program that sets a handler of its own for
 * the same signal meanwhile, through libuv for instance, takes it away from all of them.
 *
 * Signals that come quickly may be told as one: after the last of them there is always one more
 * call. A listener does not keep an actor that is to end when it is idle (.until_idle).
 *
 * The library's threads leave signals to the program's own, and a child begins with none of these.
 * To act as a service does on SIGTERM, SIGINT and SIGHUP see troupe/service.h. */
#ifndef TROUPE_SIGNAL_H
#define TROUPE_SIGNAL_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By value; {0} is no listener. */
typedef struct tr_signal {
    uint64_t id;
} tr_signal;

typedef void (*tr_signalled)(tr_actor *self, int signum, void *arg);

/* Call cb(self, signum, arg) whenever the signal has come, until it is stopped or the actor ends.
 * borrows: arg, until then
 * gives:   *ret_signal; may be NULL
 * errors:  TR_EINVAL (no signal; SIGKILL and SIGSTOP, which nobody hears; SIGSEGV, SIGBUS, SIGFPE,
 *          SIGILL, SIGTRAP, SIGSYS and SIGABRT, after which the program cannot go on), TR_ENOMEM,
 *          TR_EAGAIN (4096 loops of the process listen), TR_ENOSYS (in the kit) */
TR_API int tr_signal_start(tr_actor *self, int signum, tr_signalled cb, void *arg,
                           tr_signal *ret_signal);

/* Safe at any time: one that is stopped, empty or another's is a no-op. */
TR_API void tr_signal_stop(tr_actor *self, tr_signal signal);

#ifdef __cplusplus
}
#endif
#endif
