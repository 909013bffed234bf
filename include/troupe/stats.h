/* What loops spend their time on. */
#ifndef TROUPE_STATS_H
#define TROUPE_STATS_H

#include <troupe/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The phases of an iteration (troupe/timer.h), in their order. */
typedef enum tr_phase {
    TR_PHASE_STARTS, /* with what has come from other loops */
    TR_PHASE_TIMERS,
    TR_PHASE_PENDING, /* jobs left over, work that is done */
    TR_PHASE_MAIL,
    TR_PHASE_POLL, /* waiting, and input and output */
    TR_PHASE_IMMEDIATES,
    TR_PHASE_CLOSE,
    TR_PHASES
} tr_phase;

/* Times are told by the looks at the clock that a loop takes anyway, so they are right over many
 * iterations, not for one. */
typedef struct tr_loop_stats {
    size_t size; /* set before the call: sizeof(tr_loop_stats) */
    uint64_t iterations;
    uint64_t idle_ns;             /* that it has slept, of the poll phase */
    uint64_t phase_ns[TR_PHASES]; /* in all */
    uint64_t turns[TR_PHASES];    /* callbacks; those of the mail phase are the messages handled */

    /* The longest turn so far, of those that were looked at one by one: from 5 us on most are. */
    uint64_t longest_ns;
    uint64_t longest_actor;    /* the actor half of its address */
    char longest_behavior[32]; /* the beginning of its name */
    char longest_message[33];  /* likewise; "(timer)" and the like if it was none */
} tr_loop_stats;

/* The loops of a node are numbered from 0, which is the one that runs the node. The utilisation of
 * one between two calls is 1 - idle_ns / the sum of phase_ns, of what they differ by.
 * thread: any
 * errors: TR_EINVAL, TR_ENOENT (there is no such loop, or not yet) */
TR_API int tr_loop_stats_get(const tr_node *node, uint32_t loop, tr_loop_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
