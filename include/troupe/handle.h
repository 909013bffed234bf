/* Handles: sockets, listeners and pipes on their way between actors.
 *
 * A handle belongs to no loop. It is taken out of a stream or a server, or opened; goes along with
 * a message to an actor on any loop, in a child process or in the parent; and becomes a stream or a
 * server there. It moves: whoever has it is the only one who has it. With a connection goes what
 * was read of it and not consumed.
 *
 * A handle is taken out of its message by the handler, with tr_msg_take_handle; what the handler
 * leaves is closed. A message that is never handled comes back to the actor that has sent it, with
 * its handles, as a notice named "returned" (tr_msg_returned): its receiver has ended, or its
 * process has been killed before the handler has taken one, or had no descriptor for it (-EMFILE).
 * So does one whose handler returns an error, or declines it (tr_refuse), and has taken none. It
 * comes before the "down" of that receiver. A sender that is gone itself gets nothing back: the
 * handles are closed; and so is what a child had whose link was given up, for a breach of its rules,
 * say: it may have taken it. So a connection is never in two hands: neither read from nor written to
 * by one process after another has had it.
 *
 * Between processes handles go from parent to child, from child to parent, and between children of
 * one parent; to other nodes they cannot. Groups and asks carry none. */
#ifndef TROUPE_HANDLE_H
#define TROUPE_HANDLE_H

#include <troupe/msg.h>
#include <troupe/net.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_handle tr_handle;

#define TR_HANDLES_MAX 8 /* of one message */

/* ---- Connections ---- */

/* Take a connected socket, or a pipe to a child, out of its stream. The stream is closed with
 * status 0, as always, and what was read and not consumed goes along.
 * gives:  *ret_handle
 * errors: TR_ENOENT (it is closed), TR_EINVAL (not a socket or pipe, or part of a pipeline),
 *         TR_EAGAIN (not connected yet, or what was written has not left), TR_ENOSYS (a descriptor
 *         that this process shares with others, as its standard input), TR_ENOMEM */
TR_API int tr_stream_detach(tr_actor *self, tr_stream stream, tr_handle **ret_handle);

/* Make a stream of it, as if it had been accepted or connected here. Of opts what concerns
 * connecting is not heeded.
 * moves:   *handle
 * borrows: opts (NULL: all defaults)
 * gives:   *ret_stream
 * errors:  TR_EINVAL (a listener, or an option), TR_ENOMEM, a system error */
TR_API int tr_stream_attach(tr_actor *self, tr_handle **handle, const tr_connect_opts *opts,
                            tr_stream *ret_stream);

/* ---- Listeners ---- */

/* Listen at an address, and accept nobody: those who connect wait until a server does. Of opts only
 * backlog, reuse_port and v6_only count. A path is removed when the handle is closed, or the server
 * that it becomes here; not when it has gone to another process.
 * borrows: address, opts (NULL: all defaults)
 * gives:   *ret_handle
 * errors:  as tr_listen */
TR_API int tr_listener_open(tr_actor *self, const char *address, const tr_listen_opts *opts,
                            tr_handle **ret_handle);

/* Another handle of what a server listens with. Both accept; each client comes to one of them.
 * gives:  *ret_handle
 * errors: TR_ENOENT, TR_EINVAL, TR_ENOMEM, a system error (-EMFILE, ...) */
TR_API int tr_server_share(tr_actor *self, tr_server server, tr_handle **ret_handle);

/* Another handle of the same listener, as to give one to each worker. Any thread.
 * gives:  *ret_handle
 * errors: TR_EINVAL (it is a connection), TR_ENOMEM, a system error (-EMFILE, ...) */
TR_API int tr_handle_copy(const tr_handle *handle, tr_handle **ret_handle);

/* Accept from it. Of opts backlog, reuse_port and v6_only have been decided before.
 * moves:   *handle
 * borrows: opts (NULL: all defaults); arg, until the server is closed
 * gives:   *ret_server; may be NULL
 * errors:  TR_EINVAL (a connection, or an option), TR_ENOMEM, a system error */
TR_API int tr_listen_on(tr_actor *self, tr_handle **handle, const tr_listen_opts *opts,
                        tr_accepted cb, void *arg, tr_server *ret_server);

/* ---- All of them ---- */

/* Where it listens, or this side's address. Any thread.
 * errors: TR_EINVAL */
TR_API int tr_handle_address(const tr_handle *handle, char text[TR_ADDRESS_MAX]);

/* Close it. Sets *handle to NULL. No-op on NULL. Any thread. */
TR_API void tr_handle_close(tr_handle **handle);

/* ---- In messages ---- */

/* Attach a handle to a message that has not been sent.
 * moves:  *handle
 * errors: TR_EINVAL, TR_EFULL (TR_HANDLES_MAX are attached; or with the buffers TR_BUFS_MAX that
 *         have bytes which were read), TR_ETOOBIG (with those bytes), TR_ENOMEM */
TR_API int tr_msg_attach_handle(tr_msg *msg, tr_handle **handle);

/* How many were attached. When a message is sent, or handed on, after some have been taken out of
 * it, it goes with those that are left, in their order, counted anew. */
TR_API size_t tr_msg_handle_count(const tr_msg *msg);

/* Take one of them: in the turn in which the message is handled, or out of a message of one's own.
 * gives:  *ret_handle
 * errors: TR_ENOENT (there is none, or it has been taken), TR_EINVAL, TR_EDOWN (the link that it
 *         came over is lost: it has gone back) */
TR_API int tr_msg_take_handle(tr_actor *self, const tr_msg *msg, size_t i, tr_handle **ret_handle);

/* A message that has come back. Its body, buffers and handles are those of what was sent; its
 * sender, tr_msg_from, is whom it was for. */
typedef struct tr_returned {
    const char *name; /* that it was sent with */
    int why;          /* TR_ENOACTOR, TR_EDOWN, TR_EFULL (dropped), -EMFILE, TR_ENOSYS (the program
                       * there takes no handles), ... */
} tr_returned;

/* The notice of a message that has come back, or NULL for any other: nobody can send a false one.
 * borrows: the result, as long as the message */
TR_API const tr_returned *tr_msg_returned(const tr_msg *msg);

#ifdef __cplusplus
}
#endif
#endif
