/* Messages: a name, a document, and perhaps attached buffers. Immutable once sent. */
#ifndef TROUPE_MSG_H
#define TROUPE_MSG_H

#include <troupe/val.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_msg tr_msg;

#define TR_NAME_MAX 255 /* bytes in the name of a message, a behaviour, an actor */
#define TR_BUFS_MAX 15  /* buffers attached to one message */

/* ---- Reading a message that was received: all borrow, and live as long as the message ---- */

TR_API const char *tr_msg_name(const tr_msg *msg); /* NUL-terminated */
TR_API bool tr_msg_is(const tr_msg *msg, const char *name);
TR_API tr_val tr_msg_body(const tr_msg *msg);
TR_API tr_addr tr_msg_from(const tr_msg *msg); /* TR_NOBODY: sent by no actor */

/* The body as JSON text. NULL when there is no memory for it. */
TR_API const char *tr_msg_json(const tr_msg *msg);

/* Attached buffers; tr_buf_ref the ones that you keep. NULL past the last one. */
TR_API size_t tr_msg_buf_count(const tr_msg *msg);
TR_API tr_buf *tr_msg_buf(const tr_msg *msg, size_t i);

/* Why an actor ended. */
typedef enum tr_reason_kind {
    TR_REASON_NORMAL,       /* it said so */
    TR_REASON_SHUTDOWN,     /* it was asked to */
    TR_REASON_ERROR,        /* a handler failed: code is the error */
    TR_REASON_KILLED,       /* its process was ended by a signal: code is the signal's number */
    TR_REASON_EXITED,       /* its process left by itself: code is the exit status */
    TR_REASON_NOCONNECTION, /* the link to its node was lost; it may live on: code is why */
    TR_REASON_NOACTOR       /* there was no such actor when the monitor was set */
} tr_reason_kind;

typedef struct tr_reason {
    tr_reason_kind kind;
    int code;
    bool core; /* killed: a core was dumped */
} tr_reason;

/* Write one reason for people, as in "killed by signal 9", NUL-terminated and cut to size.
 * returns: text */
TR_API const char *tr_reason_text(tr_reason reason, char *text, size_t size);

/* What a process has used until it ended, with those of its own children that it has reaped. */
typedef struct tr_usage {
    uint64_t user_ns;   /* on a processor, in the program */
    uint64_t system_ns; /* and in the system for it */
    uint64_t rss_max;   /* bytes: the most that it had in memory */
} tr_usage;

#define TR_HUNG_MAX 80 /* bytes of text with its NUL */

/* What a monitor says, once: this actor has ended. It comes as a message named "down", after the
 * last message of that actor. */
typedef struct tr_down {
    uint64_t monitor; /* tr_monitor gave it; 0 in an "exit" */
    tr_addr addr;
    tr_reason reason;
    tr_usage usage; /* "down" of a child process: what it has used; otherwise zeros */
    bool linked;    /* "exit": addr was linked, and has ended; false: addr asks */

    /* "down" of a child process that was killed because it hung (tr_spawn_opts.hung_ms): for how
     * long, and in what, as in "ms=2000 behavior=worker message=spin"; otherwise "" */
    char hung[TR_HUNG_MAX];
} tr_down;

/* The notice of a monitor, or NULL for any other message: nobody can send a false one. */
TR_API const tr_down *tr_msg_down(const tr_msg *msg);

/* The notice to an actor that traps exits (tr_trap_exit): addr asks it to end, or was linked to it
 * and has ended; with the reason that it would have ended with. A message named "exit". NULL for
 * any other message: nobody can send a false one. */
TR_API const tr_down *tr_msg_exit(const tr_msg *msg);

/* ---- Making a message by hand: for attachments, and to send one body to many ---- */

/* gives:  *ret_msg, holding a packed copy of the body
 * errors: TR_EINVAL (the name is empty or too long), TR_ETOODEEP, TR_ETOOBIG, TR_ENOMEM */
TR_API int tr_msg_new(const char *name, tr_val body, tr_msg **ret_msg);

/* Attach a buffer; its bytes are sent without being copied into the document.
 * moves:  *buf
 * errors: TR_EINVAL, TR_EFULL (TR_BUFS_MAX are attached), TR_ENOMEM */
TR_API int tr_msg_attach(tr_msg *msg, tr_buf **buf);

/* A message with the same name, body and buffers, to be kept or sent; a notice can only be kept,
 * but for one that has come back: of that the copy is what was sent. Handles are not copied.
 * gives:   *ret_msg
 * errors:  TR_EINVAL, TR_ENOMEM */
TR_API int tr_msg_copy(const tr_msg *msg, tr_msg **ret_msg);

/* Set *msg to NULL. No-op on NULL. */
TR_API void tr_msg_free(tr_msg **msg);

#ifdef __cplusplus
}
#endif
#endif
