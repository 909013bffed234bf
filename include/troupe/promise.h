/* Promises: a result that comes later, with reactions that run as microtasks.
 *
 * A promise is pending, then settled once: with a status (0, or an error) and a document. It
 * belongs to the actor that made it; reactions that have not run when the actor ends are dropped.
 */
#ifndef TROUPE_PROMISE_H
#define TROUPE_PROMISE_H

#include <troupe/cancel.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_promise tr_promise;

/* A reaction. status is 0 or the error; value is the document, null for an error.
 * borrows: value, until it returns
 * returns: the status that the promise given by tr_promise_then is settled with; its document is
 *          value when that is 0 */
typedef int (*tr_reaction)(tr_actor *self, int status, tr_val value, void *arg);

/* gives:  *ret_promise, pending; drop it with tr_promise_unref
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_promise_new(tr_actor *self, tr_promise **ret_promise);

/* Settle it with a document (copied), or with an error. Settling twice is a no-op that returns
 * TR_EEXIST.
 * errors: TR_EINVAL (error is not negative), TR_EEXIST, TR_ETOODEEP, TR_ETOOBIG, TR_ENOMEM */
TR_API int tr_promise_resolve(tr_promise *promise, tr_val value);
TR_API int tr_promise_reject(tr_promise *promise, int error);

/* Run cb in a microtask once the promise is settled; also when it is already.
 * gives:  *ret_next, settled with what cb returns; NULL: not wanted
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_promise_then(tr_promise *promise, tr_reaction cb, void *arg, tr_promise **ret_next);

/* A promise of all: settled with the list of all their documents in order, or with the first error.
 * None at all: an empty list.
 * borrows: promises, until the call returns
 * gives:   *ret_promise
 * errors:  TR_EINVAL, TR_ENOMEM */
TR_API int tr_promise_all(tr_actor *self, tr_promise *const *promises, size_t count,
                          tr_promise **ret_promise);

/* A promise of the first: settled as the first of them that is. None at all: pending for ever. */
TR_API int tr_promise_race(tr_actor *self, tr_promise *const *promises, size_t count,
                           tr_promise **ret_promise);

/* A promise that is settled with null in so many nanoseconds, as a timer fires.
 * cancel: rejects it with TR_ECANCELED; NULL: none
 * gives:  *ret_promise
 * errors: TR_EINVAL, TR_ECANCELED, TR_ENOMEM */
TR_API int tr_promise_after(tr_actor *self, uint64_t delay_ns, tr_cancel *cancel,
                            tr_promise **ret_promise);

/* One more owner of the same promise. Returns promise. */
TR_API tr_promise *tr_promise_ref(tr_promise *promise);

/* Drop one owner and set *promise to NULL. Reactions that were asked for still run. */
TR_API void tr_promise_unref(tr_promise **promise);

#ifdef __cplusplus
}
#endif
#endif
