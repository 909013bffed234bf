/* The console: standard input, output and error as streams of bytes, whatever they are: pipes,
 * terminals, sockets or files.
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
 * errors: TR_EINVAL, TR_ENOMEM, TR_ENOSYS (in a simulation), a system error (-EBADF: it is closed)
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

#ifdef __cplusplus
}
#endif
#endif
