/* troupe: actors, event loops, processes and messages for C.
 *
 *   troupe/node.h        a program's main, or a node inside yours          tr_main, tr_node_open
 *   troupe/actor.h       actors: spawn, send, reply, monitor, exit         tr_spawn, tr_send
 *   troupe/ask.h         requests with an answer and a deadline            tr_ask, tr_reply_later
 *   troupe/registry.h    names, groups, and dead letters                   tr_register, tr_publish
 *   troupe/supervisor.h  actors that keep others alive                     tr_supervise
 *   troupe/pool.h        workers behind one address                        tr_pool_start
 *   troupe/cluster.h     workers in processes that serve one address       tr_cluster_start
 *   troupe/service.h     a service's manners: drain, reload, notify        tr_service_start
 *   troupe/link.h        links to other nodes, over local sockets and TCP  tr_node_dial
 *
 *   troupe/msg.h         messages as received, and made by hand            tr_msg_is, tr_msg_body
 *   troupe/val.h         documents, msgpack, JSON                          TR_MAP, TR_READ
 *   troupe/struct.h      a C struct that is a document, checked            TR_STRUCT
 *   troupe/buf.h         reference-counted slices of bytes                 tr_buf_slice
 *   troupe/bytes.h       bytes: search, compare, numbers in them           tr_bytes_find
 *   troupe/encoding.h    utf8, hex, base64 and more, whole or in pieces    tr_bytes_print
 *
 *   troupe/timer.h       timers, immediates, ticks, microtasks             tr_timer_start
 *   troupe/promise.h     results that come later                           tr_promise_then
 *   troupe/cancel.h      one token that ends whatever carries it           tr_cancel_now
 *   troupe/work.h        calls that block, on threads of their own         tr_work
 *   troupe/stats.h       what loops spend their time on                    tr_loop_stats_get
 *   troupe/uv.h          a node on a libuv loop of yours                   tr_node_attach
 *
 *   troupe/stream.h      bytes and items bit by bit, with back-pressure    tr_pipeline
 *   troupe/transform.h   lines, frames, documents, text, gzip; map         tr_lines, tr_gzip
 *   troupe/ends.h        sources, sinks, collectors, tee, merge            tr_collect, tr_tee
 *   troupe/file.h        files: calls, watching, streams                   tr_file_reader
 *   troupe/net.h         sockets and servers, TCP and local                tr_connect, tr_listen
 *   troupe/handle.h      sockets and listeners in messages                 tr_stream_detach
 *   troupe/http.h        HTTP/1.1: a server, and a client                  tr_http_listen
 *   troupe/console.h     standard input, output and error as streams       tr_stdin, tr_stdout
 *   troupe/process.h     programs: started, spoken with, stopped           tr_exec
 *   troupe/signal.h      signals of the process                            tr_signal_start
 *
 *   troupe/trace.h       what has happened, also in one that is dead       tr_trace_next
 *   troupe/memory.h      where memory comes from                           tr_memory_set
 *   troupe/error.h       the errors                                        tr_strerror
 *
 *   troupe/test.h        tests of actors; not included here                TR_START, TR_EXPECT
 *
 * Words for ownership in these headers: a function *borrows* what you keep, *moves* what is no
 * longer yours (a T **, set to NULL on success only), and *gives* what is now yours (a T **ret_x,
 * written on success only). */
#ifndef TROUPE_H
#define TROUPE_H

#define TR_VERSION_MAJOR 0
#define TR_VERSION_MINOR 1
#define TR_VERSION_PATCH 0
#define TR_VERSION       "0.1.0"

#include <troupe/actor.h>
#include <troupe/ask.h>
#include <troupe/buf.h>
#include <troupe/bytes.h>
#include <troupe/cancel.h>
#include <troupe/cluster.h>
#include <troupe/console.h>
#include <troupe/encoding.h>
#include <troupe/ends.h>
#include <troupe/error.h>
#include <troupe/file.h>
#include <troupe/handle.h>
#include <troupe/http.h>
#include <troupe/link.h>
#include <troupe/memory.h>
#include <troupe/msg.h>
#include <troupe/net.h>
#include <troupe/node.h>
#include <troupe/pool.h>
#include <troupe/process.h>
#include <troupe/promise.h>
#include <troupe/registry.h>
#include <troupe/service.h>
#include <troupe/signal.h>
#include <troupe/stats.h>
#include <troupe/stream.h>
#include <troupe/struct.h>
#include <troupe/supervisor.h>
#include <troupe/timer.h>
#include <troupe/trace.h>
#include <troupe/transform.h>
#include <troupe/uv.h>
#include <troupe/val.h>
#include <troupe/work.h>

#endif
