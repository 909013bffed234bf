/* Sockets: streams of bytes to other programs, over TCP and over local ("unix") sockets.
 *
 * An address is text: "tcp://127.0.0.1:80", "tcp://[::1]:80", "tcp://localhost:80", "unix:/path".
 * A server may also be at "fd:NAME", or "fd:3": a listening socket that the process was started
 * with by systemd, or whoever else sets LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES
 * (sd_listen_fds(3)).
 *
 * A socket is a stream (troupe/stream.h) with both sides. By default what is written leaves at once
 * (TCP's no-delay is on), and when the peer has ended its side, this one is ended as well, after
 * what was written: half_open keeps it. A peer that has gone without a word is -ECONNRESET; writing
 * to one that has gone is TR_EPIPE, and never a signal. */
#ifndef TROUPE_NET_H
#define TROUPE_NET_H

#include <troupe/cancel.h>
#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_ADDRESS_MAX 128 /* bytes of any address as text, with its NUL */

/* ---- Connecting ---- */

typedef struct tr_connect_opts {
    size_t size;           /* set by TR_CONNECT */
    uint32_t timeout_ms;   /* TR_ETIMEDOUT when it has not been connected by then; 0: 30000 */
    uint32_t keep_alive_s; /* TCP: ask a peer that is silent for so long whether it lives; 0: no */
    bool delay;            /* TCP: hold small writes back to send them together (Nagle) */
    bool half_open;        /* the peer's end does not end this side */
    const tr_stream_opts *stream; /* marks and caps; mode and end_with_read are not heeded. NULL:
                                   * defaults. borrows, until the call ends */
    tr_cancel *cancel;            /* ends the attempt, not what is connected. NULL: none */
} tr_connect_opts;
#define TR_CONNECT(...) (&(const tr_connect_opts){.size = sizeof(tr_connect_opts), __VA_ARGS__})

/* Connect to an address. The stream is there at once, and what is written waits until it is
 * connected; when it cannot be, the stream is closed with the reason: -ECONNREFUSED, TR_ENOENT (no
 * such path, no such name), TR_ETIMEDOUT, ... Names are looked up
 * in the pool "names" (troupe/work.h); each of the addresses is tried in turn, and given up for the
 * next one when it has not answered in 250 ms.
 * borrows: address, opts (NULL: all defaults)
 * gives:   *ret_stream
 * errors:  TR_EINVAL (not an address, or an option), TR_ENAMETOOLONG, TR_ECANCELED (opts->cancel
 *          has been), TR_ENOMEM */
TR_API int tr_connect(tr_actor *self, const char *address, const tr_connect_opts *opts,
                      tr_stream *ret_stream);

/* ---- Listening ---- */

/* By value; {0} is no server. It belongs to its actor and ends with it; what it has accepted is the
 * actor's, too, but does not end with the server. */
typedef struct tr_server {
    uint64_t id;
} tr_server;

/* A client has connected: stream is its socket, to be heard of from now on. */
typedef void (*tr_accepted)(tr_actor *self, tr_stream stream, void *arg);

typedef struct tr_listen_opts {
    size_t size;              /* set by TR_LISTEN */
    uint32_t connections_max; /* with so many open, others wait in the backlog; 0: no limit */
    uint32_t backlog;         /* so many may wait to be accepted, or as many as the system allows;
                               * others wait until they may. 0: 511 */
    uint32_t keep_alive_s;    /* as in tr_connect_opts, for each that is accepted */
    bool delay;
    bool half_open;
    bool reuse_port; /* TCP: others who say so, too, may listen at the same port, and the system
                      * spreads the clients over them */
    bool v6_only;    /* "tcp://[::]:80" does not take IPv4 */
    const tr_stream_opts *stream; /* as in tr_connect_opts */

    /* A client had to be dropped, for want of descriptors (-EMFILE) or memory: it has been told by
     * the end of its connection. Where even that cannot be, as when the whole system has none left
     * (-ENFILE, -ENOBUFS), clients wait, and it is tried and told again. -EINVAL, once: another
     * process that has the listener, too, has shut it down, and nobody is accepted any more. NULL:
     * "server.dropped" is warned of once. */
    void (*dropped)(tr_actor *self, tr_server server, int error, void *arg);
} tr_listen_opts;
#define TR_LISTEN(...) (&(const tr_listen_opts){.size = sizeof(tr_listen_opts), __VA_ARGS__})

/* Listen at an address. Port 0 is any that is free: tr_server_address tells which. A path must not
 * exist, may be used by this user only (mode 0600), and is removed when the server is closed. What
 * the process was given is neither shut down nor removed: clients wait there, for the next server.
 * borrows: address, opts (NULL: all defaults); arg, until the server is closed
 * gives:   *ret_server; may be NULL
 * errors:  TR_EINVAL (not an address, or a name that is not "localhost"; what was given is no
 *          listening socket), TR_ENOENT (nothing was given by that name), TR_ENAMETOOLONG,
 *          TR_EADDRINUSE, TR_EACCES, TR_ENOMEM, a system error */
TR_API int tr_listen(tr_actor *self, const char *address, const tr_listen_opts *opts,
                     tr_accepted cb, void *arg, tr_server *ret_server);

/* Stop listening. Those who wait to be accepted find that there is nobody; what was accepted lives
 * on. Safe at any time: one that is closed, or empty, is a no-op. */
TR_API void tr_server_close(tr_actor *self, tr_server server);

/* Accept nobody for now, so that clients wait in the backlog; and go on.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_server_pause(tr_actor *self, tr_server server);
TR_API int tr_server_resume(tr_actor *self, tr_server server);

/* Set connections_max anew; 0: no limit. Those above it that are open stay open.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_server_limit(tr_actor *self, tr_server server, uint32_t connections_max);

/* Where it listens, with its true port; and how many that it accepted are open.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_server_address(tr_actor *self, tr_server server, char text[TR_ADDRESS_MAX]);
TR_API int tr_server_connections(tr_actor *self, tr_server server, uint32_t *ret_count);

/* ---- A socket that is connected ----
 *
 * All: errors: TR_ENOENT (it is gone), TR_EINVAL (not a socket), TR_EAGAIN (not connected yet) */

/* The address of this side, and the peer's: "unix:" for a client's, which has none. */
TR_API int tr_socket_address(tr_actor *self, tr_stream stream, char text[TR_ADDRESS_MAX]);
TR_API int tr_socket_peer(tr_actor *self, tr_stream stream, char text[TR_ADDRESS_MAX]);

/* Who was at the other end of a local socket when it was connected. */
typedef struct tr_peer_cred {
    int64_t pid;
    uint32_t uid, gid;
    bool same_user; /* as this process */
} tr_peer_cred;

/* errors: besides those, TR_ENOSYS (it is one of TCP) */
TR_API int tr_socket_peer_cred(tr_actor *self, tr_stream stream, tr_peer_cred *ret_cred);

/* Set anew what tr_connect_opts says of these. Local sockets have neither. */
TR_API int tr_socket_tune(tr_actor *self, tr_stream stream, bool delay, uint32_t keep_alive_s);

#ifdef __cplusplus
}
#endif
#endif
