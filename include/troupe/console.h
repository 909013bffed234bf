/* The console: standard input, output and error as streams of bytes, whatever they are: pipes,
 * terminals, sockets or files. And those of a child that are pipes to its spawner.
 *
 * Each call makes another stream over the same descriptor; two that read share what comes. Ending
 * one, or closing it, leaves the descriptor open; what was written has left when the stream has
 * finished, which an actor that ends does not wait for. Other processes that have the same terminal
 * or pipe are not disturbed: nothing of it is set to non-blocking. A pipe that nobody reads any
 * more is TR_EPIPE, and never a signal. Files are written straight, without waiting for the disk.
 */
#ifndef TROUPE_CONSOLE_H
#define TROUPE_CONSOLE_H

#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A stream to read from, or to write to.
 * gives:  *ret_stream
 * errors: TR_EINVAL, TR_ENOMEM, TR_ENOSYS (in a simulation, but for a pipe to the spawner, which is
 *         there to be taken once), a system error (-EBADF: it is closed)
 */
TR_API int tr_stdin(tr_actor *self, tr_stream *ret_stream);
TR_API int tr_stdout(tr_actor *self, tr_stream *ret_stream);
TR_API int tr_stderr(tr_actor *self, tr_stream *ret_stream);

typedef struct tr_terminal {
    unsigned columns, rows;
} tr_terminal;

/* The size of the terminal; which also tells whether the stream is one.
 * errors: -ENOTTY (it is none), TR_ENOENT, TR_EINVAL */
TR_API int tr_terminal_get(tr_actor *self, tr_stream stream, tr_terminal *ret_terminal);

/* Have each key read as it is typed and not shown, or not any more. The terminal is set back when
 * the stream is closed, or the process exits.
 * errors: as tr_terminal_get, a system error */
TR_API int tr_terminal_raw(tr_actor *self, tr_stream stream, bool raw);

/* The other end of a pipe that a child was spawned with (tr_spawn_opts.stdio): fd 0: a stream to
 * write to; 1 and 2: streams to read from. Each is given once, to the actor that has spawned the
 * child (a supervisor or a pool takes none); call it in the turn of the spawn, for those that are
 * not taken close when the child has ended.
 *
 * A stream and its child end apart. All that the child has written is read, also after its "down",
 * and the end comes when nobody has the pipe any more: a grandchild that has inherited it keeps it
 * open. Ending the stream to fd 0 is the end of the child's input. Writing to it when nobody reads
 * it any more fails it with TR_EPIPE; one that is not written to does not find out.
 * gives:  *ret_stream
 * errors: TR_ENOACTOR (it is no child of self's, or its process has ended), TR_ENOENT (no pipe, or
 *         it has been given), TR_EINVAL, TR_ENOMEM, TR_ENOSYS (the kit's children have none) */
TR_API int tr_child_stream(tr_actor *self, tr_addr child, int fd, tr_stream *ret_stream);

#ifdef __cplusplus
}
#endif
#endif
