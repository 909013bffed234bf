/* A node on a libuv loop of yours, beside your own handles. */
#ifndef TROUPE_UV_H
#define TROUPE_UV_H

#include <troupe/node.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uv_loop_s; /* uv_loop_t */

/* The node has ended. It may be closed here.
 * status: as tr_node_run returns it */
typedef void (*tr_node_ended)(tr_node *node, int status, void *arg);

/* Instead of tr_node_run: the node runs from within your uv_run, one iteration at a time, and never
 * waits itself. It keeps that uv_run going until it has ended; then ended is called, from there.
 * Its timers are late by up to a millisecond, as libuv's are.
 *
 * tr_node_close leaves handles in the loop that are closing: run it once more before uv_loop_close.
 * borrows: loop, until the node is closed and its handles are; arg, until ended has returned
 * thread:  that of the loop
 * errors:  TR_EINVAL (it is attached already), TR_ENOMEM, a system error */
TR_API int tr_node_attach(tr_node *node, struct uv_loop_s *loop, tr_node_ended ended, void *arg);

#ifdef __cplusplus
}
#endif
#endif
