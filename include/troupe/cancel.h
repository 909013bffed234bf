/* Cancelling: one token for all that takes its time.
 *
 * An actor makes a token and hands it to any of its calls that take one (.cancel in their options).
 * When it is cancelled each call that carries it ends with TR_ECANCELED, once and in a turn of its
 * own, and none of them ends in any other way from then on. A token that has been cancelled stays
 * so: a call that is given it returns TR_ECANCELED.
 *
 * A token belongs to the actor that made it, and ends with it. All functions here are for that
 * actor's turns. */
#ifndef TROUPE_CANCEL_H
#define TROUPE_CANCEL_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_cancel tr_cancel;

/* gives:  *ret_cancel
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_cancel_new(tr_actor *self, tr_cancel **ret_cancel);

/* A token that is cancelled by itself in so many nanoseconds.
 * errors: as tr_cancel_new; TR_EINVAL also when that is above 2^62 */
TR_API int tr_cancel_after(tr_actor *self, uint64_t ns, tr_cancel **ret_cancel);

/* A token that is cancelled when any of these is; at once, if one has been.
 * borrows: cancels, until the call ends; the tokens may be freed before this one
 * errors:  as tr_cancel_new */
TR_API int tr_cancel_any(tr_actor *self, tr_cancel *const *cancels, size_t count,
                         tr_cancel **ret_cancel);

/* Free it and set *cancel to NULL. Calls that carry it go on, unless it has been cancelled. No-op
 * on NULL. */
TR_API void tr_cancel_free(tr_cancel **cancel);

/* Cancel. Once is enough: after that it is a no-op.
 * errors: TR_EINVAL */
TR_API int tr_cancel_now(tr_cancel *cancel);

TR_API bool tr_cancelled(const tr_cancel *cancel); /* NULL: false */

/* Call cb once when it is cancelled, for what takes its time without being a call of troupe's.
 * borrows: arg, until cb has returned, the token is freed or the actor has ended
 * errors:  TR_EINVAL, TR_ECANCELED, TR_ENOMEM */
TR_API int tr_cancel_then(tr_cancel *cancel, tr_callback cb, void *arg);

#ifdef __cplusplus
}
#endif
#endif
