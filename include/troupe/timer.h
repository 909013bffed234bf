/* Timers, immediates, ticks and microtasks: call back later, in a turn of your own.
 *
 * One iteration of a loop runs its phases in this order, which is Node's:
 *
 *     starts of actors -> timers -> pending -> poll (mailboxes, then I/O) -> immediates -> close
 *
 * After every callback, in whichever phase, come its ticks and then its microtasks, until both are
 * empty or TR_JOBS_MAX of them have run. What is left goes on in the next pending phase, or at the
 * end of that actor's next callback if that comes first, ahead of what the callback adds.
 *
 * Everything armed here belongs to the actor that armed it and ends with it. A callback never runs
 * inside the call that arms it. */
#ifndef TROUPE_TIMER_H
#define TROUPE_TIMER_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ticks, microtasks and steps of streams after one callback. Of steps that take long there are
 * fewer: about a millisecond's. */
#define TR_JOBS_MAX 1000

#define TR_US(n) ((uint64_t)(n)*1000u)
#define TR_MS(n) ((uint64_t)(n)*1000000u)
#define TR_S(n)  ((uint64_t)(n)*1000000000u)

/* By value; {0} is no timer. */
typedef struct tr_timer {
    uint64_t id;
} tr_timer;

/* Call cb once, no sooner than delay_ns from now; 0 is due in the next timers phase. Timers fire
 * in the order of their due times, those due together in the order in which they were started, and
 * one that a timer's callback starts never fires in the same phase.
 * borrows: arg, until cb has returned, the timer is cleared or the actor has ended
 * gives:   *ret_timer; may be NULL
 * errors:  TR_EINVAL (cb is NULL, the delay is above 2^62), TR_ENOMEM */
TR_API int tr_timer_start(tr_actor *self, uint64_t delay_ns, tr_callback cb, void *arg,
                          tr_timer *ret_timer);

/* Call cb every period_ns, the first time after one period. The schedule is fixed: a late callback
 * does not move the ones after it, and periods that were missed altogether are skipped.
 * errors: as tr_timer_start; TR_EINVAL when the period is 0 */
TR_API int tr_interval_start(tr_actor *self, uint64_t period_ns, tr_callback cb, void *arg,
                             tr_timer *ret_timer);

/* In an interval's callback: how many periods it is late by, whose calls are skipped. Elsewhere 0.
 */
TR_API uint64_t tr_interval_missed(const tr_actor *self);

/* Have it fire after its delay from now, or go on with its periods from now, behind all that were
 * started before. A timer may do so in its own callback, for it to come once more.
 * errors: TR_EINVAL; TR_ENOENT (it has fired, or was cleared); TR_ENOMEM, which only a timer in its
 *         own callback can meet */
TR_API int tr_timer_refresh(tr_actor *self, tr_timer timer);

/* Whether the timer keeps an actor that is to end when it is idle (.until_idle); each does, until
 * it is told not to. No-op on a fired, cleared or empty timer. */
TR_API void tr_timer_keep(tr_actor *self, tr_timer timer, bool keep);

/* Safe at any time: a fired, cleared or empty timer is a no-op. */
TR_API void tr_timer_clear(tr_actor *self, tr_timer timer);

/* Call cb in the check phase of this iteration, after I/O; from within an immediate, in that of the
 * next one. A timeout of 0 armed in start always beats an immediate armed with it; in any callback
 * of the poll phase the immediate always comes first.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_immediate(tr_actor *self, tr_callback cb, void *arg);

/* Call cb right after the running callback (tick), or right after its ticks (microtask).
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_next_tick(tr_actor *self, tr_callback cb, void *arg);
TR_API int tr_microtask(tr_actor *self, tr_callback cb, void *arg);

/* Nanoseconds on the loop's monotonic clock (virtual in simulation). */
TR_API uint64_t tr_now(const tr_actor *self);

#ifdef __cplusplus
}
#endif
#endif
