/* Asking: a request that ends exactly once, with its answer, an error, or its deadline.
 *
 * An ask is a message that the receiver can answer, now (tr_reply), later (tr_reply_later), or by
 * handing it on (tr_forward). It is answered in any case: a handler that returns without having
 * done any of these has the asker told TR_ENOREPLY, one that does not know the message TR_EUNKNOWN;
 * if the asked ends first, or was not there, or the link to its node is lost, the asker is told at
 * once, with the reason. Only silence takes until the deadline.
 *
 * Answers need no room in the asker's mailbox, come before its mail, and may overtake what the same
 * actor has sent to it as messages. One that comes too late is counted and dropped; it is never
 * taken for another's. */
#ifndef TROUPE_ASK_H
#define TROUPE_ASK_H

#include <troupe/promise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How an ask has ended. */
typedef struct tr_answer {
    int status;  /* 0: answered. TR_ETIMEDOUT; TR_EDOWN: the asked has ended or its link is lost;
                  * TR_ECANCELED;
                  * TR_ENOACTOR; TR_EUNKNOWN; TR_ENOREPLY; TR_EFULL: a mailbox that drops had no
                  * room for it; or what tr_reply_error said */
    tr_val body; /* of the answer; null for an error */
    const tr_msg *msg; /* the answer, for its buffers and its sender; NULL when none has come */
    tr_reason reason;  /* TR_EDOWN: why */
} tr_answer;

/* borrows: answer, until it returns */
typedef void (*tr_answered)(tr_actor *self, const tr_answer *answer, void *arg);

typedef struct tr_ask_opts {
    size_t size;         /* set by TR_ASK */
    uint32_t timeout_ms; /* 0: 5000, but no longer than the asker has itself, where it asks while it
                          * handles an ask: the time that is left travels along */
    tr_cancel *cancel;   /* ends the ask with TR_ECANCELED, an answer is dropped. NULL: none */
} tr_ask_opts;
#define TR_ASK(...) (&(const tr_ask_opts){.size = sizeof(tr_ask_opts), __VA_ARGS__})

/* Send an ask, and call cb once with how it ended, in a turn of its own. An ask that is open when
 * its asker ends is forgotten.
 * borrows: name, body, opts (NULL: all defaults); arg, until cb has returned, the ask is cancelled
 *          or the actor has ended
 * gives:   *ret_ask, for tr_ask_cancel; may be NULL
 * errors:  as tr_send; TR_ECANCELED (opts->cancel has been): then there is no ask, and cb is not
 *          called */
TR_API int tr_ask(tr_actor *self, tr_addr to, const char *name, tr_val body,
                  const tr_ask_opts *opts, uint64_t *ret_ask, tr_answered cb, void *arg);

/* The same with a message made by hand.
 * moves: *msg */
TR_API int tr_ask_msg(tr_actor *self, tr_addr to, tr_msg **msg, const tr_ask_opts *opts,
                      uint64_t *ret_ask, tr_answered cb, void *arg);

/* The same as a promise, settled with the answer's body, or with its status.
 * gives: *ret_promise, to be dropped with tr_promise_unref */
TR_API int tr_ask_promise(tr_actor *self, tr_addr to, const char *name, tr_val body,
                          const tr_ask_opts *opts, tr_promise **ret_promise);

/* Ask whether an actor has come so far: cb is called when it has handled all that this actor has
 * sent to it before. Its runtime answers, in its turn among the mail; the actor does not see it. A
 * program in another language may answer TR_EUNKNOWN, which says the same. */
TR_API int tr_ping(tr_actor *self, tr_addr to, const tr_ask_opts *opts, uint64_t *ret_ask,
                   tr_answered cb, void *arg);

/* Its cb is not called any more, and an answer is dropped. One that has ended is a no-op. */
TR_API void tr_ask_cancel(tr_actor *self, uint64_t ask);

/* ---- For the one who is asked (see also tr_reply) ---- */

/* Whether the message is an ask that has not been answered yet. */
TR_API bool tr_msg_is_ask(const tr_msg *msg);

/* Nanoseconds that are left to answer it, 0 when it is too late; UINT64_MAX for what is no ask. */
TR_API uint64_t tr_msg_remaining(const tr_actor *self, const tr_msg *msg);

/* Answer with a message made by hand, for its buffers; its name does not matter.
 * moves:   *reply
 * returns: as tr_reply */
TR_API int tr_reply_msg(tr_actor *self, const tr_msg *msg, tr_msg **reply);

/* Answer with an error, which is the asker's status.
 * error:   negative
 * returns: 0; TR_EINVAL, also when the message is no ask or has been answered; TR_ENOMEM */
TR_API int tr_reply_error(tr_actor *self, const tr_msg *msg, int error);

/* Decline a message: an ask is answered with the error, anything else is a dead letter with it for
 * its why (tr_dead_letters); if it has handles, and the handler takes none of them, it comes back to
 * its sender (tr_msg_returned).
 * error:   negative
 * returns: 0; TR_EINVAL, also for a notice and for an ask that has been answered; TR_ENOMEM */
TR_API int tr_refuse(tr_actor *self, const tr_msg *msg, int error);

/* Hand a message on: the receiver sees it as coming from the one who sent it, and answers that one.
 * An ask that is handed on to another node goes by way of this actor, which has to stay for it and
 * which the receiver sees it come from.
 * returns: as tr_send; TR_EINVAL for a notice and for an ask that has been answered */
TR_API int tr_forward(tr_actor *self, const tr_msg *msg, tr_addr to);

/* A place to answer to later, by value; {0} is none. */
typedef struct tr_asker {
    uint64_t id;
} tr_asker;

/* Take an ask to be answered later, from any turn of this actor. If it ends first the asker is told
 * TR_EDOWN.
 * errors: TR_EINVAL (no ask, or answered), TR_ENOMEM */
TR_API int tr_reply_later(tr_actor *self, const tr_msg *msg, tr_asker *ret_asker);

/* Answer what was taken. TR_ENOENT: it has been answered.
 * error: negative
 * moves: *reply, made by hand or copied, for its buffers */
TR_API int tr_reply_to(tr_actor *self, tr_asker asker, tr_val body);
TR_API int tr_reply_msg_to(tr_actor *self, tr_asker asker, tr_msg **reply);
TR_API int tr_reply_error_to(tr_actor *self, tr_asker asker, int error);

#ifdef __cplusplus
}
#endif
#endif
