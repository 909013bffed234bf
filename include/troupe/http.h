/* HTTP/1.1: a server whose requests are calls of a handler, and a client.
 *
 *     static int on_request(tr_actor *self, tr_http http, const tr_http_request *request,
 *                           void *arg)
 *     {
 *         return tr_http_reply(self, http, TR_HTTP_RESPONSE(.type = "text/plain",
 *                                                           .body = TR_HTTP_TEXT("hello\n")));
 *     }
 *
 *     tr_http_listen(self, "tcp://127.0.0.1:8080", on_request, NULL, NULL, &server);
 *
 * A server belongs to the actor that made it and ends with it; every handler is a turn of that
 * actor. A request is known by a tr_http, by value: it goes stale when its response has left or its
 * connection is gone, and then every call on it says TR_ENOENT and does no harm. It may be answered
 * at once or later. Of one connection the handler is called for several requests before the first
 * is answered (pipelining); answers leave in the order in which the requests came.
 *
 * What a client sends wrongly is answered here and never reaches the handler, and its connection is
 * closed: 400 (no HTTP, no Host or two, a folded header line, lengths that contradict each other),
 * 408 (too slow), 413 (too large a body), 414 (too long a target), 417 (another Expect than
 * 100-continue), 431 (too large headers, or too many), 503 (too many connections), 505.
 *
 * All functions that take self are for that actor's turns: elsewhere they return TR_EINVAL. */
#ifndef TROUPE_HTTP_H
#define TROUPE_HTTP_H

#include <troupe/bytes.h>
#include <troupe/cancel.h>
#include <troupe/net.h>
#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Requests ---- */

/* By value; {0} is no server. */
typedef struct tr_http_server {
    uint64_t id;
} tr_http_server;

/* One request and its response, by value. Its members are not API. */
typedef struct tr_http {
    uint64_t server;
    uint32_t slot, serial;
} tr_http;

typedef struct tr_http_header {
    tr_str name, value;
} tr_http_header;

/* A request's head. All that it points to lives until the request is stale. */
typedef struct tr_http_request {
    tr_str method;      /* "GET" */
    tr_str target;      /* as it came: "/search?q=x" */
    tr_str headers;     /* all lines, for tr_http_header_get and tr_http_header_next */
    int minor;          /* the version is 1.minor: 0 or 1 */
    bool chunked;       /* it has a body whose length is not known */
    uint64_t length;    /* of its body, where it is not chunked; 0: it has none */
    tr_buf *body;       /* all of it, where the server collects bodies (tr_http_opts.collect) */
    tr_str upgrade;     /* the protocol that the client wants to go on with; empty: none */
    tr_str traceparent; /* W3C's, well-formed, to be passed on in requests that follow from this
                         * one (tr_http_call.traceparent); empty: there is none */
} tr_http_request;

/* The path and the query of a target, which lie on either side of its first '?', as they came. A
 * path is never empty, and without the scheme and the host that a target may begin with. */
TR_API tr_str tr_http_path(tr_str target);
TR_API tr_str tr_http_query(tr_str target);

/* The first header of that name, in whatever case; and its value without the spaces around it.
 * returns: whether there is one */
TR_API bool tr_http_header_get(tr_str headers, const char *name, tr_str *ret_value);

/* Walk over headers: the first one, and *headers is the rest.
 * returns: false: there are no more */
TR_API bool tr_http_header_next(tr_str *headers, tr_http_header *ret_header);

/* Whether a header is about the connection, as Connection or Transfer-Encoding, and not to be
 * passed on by a proxy (RFC 9110, 7.6.1), or about the length of the body, which this side says. */
TR_API bool tr_http_header_is_hop(tr_str name);

/* A request has come. It is to be answered, in this call or later.
 * borrows: request, until it is stale
 * returns: 0; an error: answered with 500, if it is not answered yet */
typedef int (*tr_http_handler)(tr_actor *self, tr_http http, const tr_http_request *request,
                               void *arg);

/* The head of a request that has not been answered to its end; NULL: it is stale. */
TR_API const tr_http_request *tr_http_request_of(tr_actor *self, tr_http http);

/* The body of a request, as a stream of bytes; where it has none it ends at once. Not read, it
 * waits, and the client with it, unless the request is answered: then the rest is dropped. A client
 * that waits to be told so (Expect: 100-continue) is told to go on, so ask before you answer.
 * A client that has gone destroys the stream, as cancelled.
 * gives:  *ret_stream
 * errors: TR_ENOENT (stale), TR_EEXIST (it was given before, or the server collects it), TR_EINVAL,
 *         TR_ENOMEM */
TR_API int tr_http_body(tr_actor *self, tr_http http, tr_stream *ret_stream);

/* Call cb once when the response has been handed to the system (0), or never will be, and why:
 * TR_EPIPE or -ECONNRESET, the client has gone; TR_ETIMEDOUT, it did not take it in time;
 * TR_ECANCELED. One for each request.
 * borrows: arg, until cb has returned or the actor has ended
 * errors:  TR_ENOENT (stale), TR_EEXIST, TR_EINVAL */
TR_API int tr_http_then(tr_actor *self, tr_http http, tr_done cb, void *arg);

/* The socket that it came by, to ask for the peer's address (tr_socket_peer). It is not to be read,
 * written or closed.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_http_socket(tr_actor *self, tr_http http, tr_stream *ret_stream);

/* ---- Responses ---- */

typedef struct tr_http_response {
    size_t size;      /* set by TR_HTTP_RESPONSE */
    int status;       /* 0: 200 */
    const char *type; /* the Content-Type; NULL: none is said */

    /* Others. Content-Length, Connection, Keep-Alive and Transfer-Encoding are said by the server,
     * and dropped here; Date is unless it is among these. */
    const tr_http_header *headers;
    size_t header_count;

    tr_bytes body;   /* of tr_http_reply; copied */
    uint64_t length; /* of tr_http_reply_stream: so many bytes will be written; 0: it is not known,
                      * and the body goes in chunks */
    bool close;      /* the connection is closed after it */
} tr_http_response;
#define TR_HTTP_RESPONSE(...)                                                                      \
    (&(const tr_http_response){.size = sizeof(tr_http_response), __VA_ARGS__})
#define TR_HTTP_TEXT(literal)                                                                      \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* Answer a request. A response to HEAD, and one with status 204 or 304, has no body: what is given
 * only says how long it would be.
 * borrows: response (NULL: 200 without a body) and all in it, until the call ends
 * errors:  TR_ENOENT (stale), TR_EPIPE (answered already), TR_EINVAL (a status that is not
 *          200..599, a header that could not be read again), TR_ETOOBIG (headers beyond 64 KiB),
 *          TR_ENOMEM */
TR_API int tr_http_reply(tr_actor *self, tr_http http, const tr_http_response *response);

/* The same with a body by reference.
 * moves:  *body */
TR_API int tr_http_reply_buf(tr_actor *self, tr_http http, const tr_http_response *response,
                             tr_buf **body);

/* The same with a body bit by bit: a stream to be written and ended, or to be the last one of a
 * pipeline. It takes as much as the client does. Destroyed before its end, or when it was said to
 * be longer, it closes the connection, so that the client knows; more than was said is TR_ETOOBIG.
 * A client that has gone destroys it, as cancelled.
 * gives:  *ret_stream */
TR_API int tr_http_reply_stream(tr_actor *self, tr_http http, const tr_http_response *response,
                                tr_stream *ret_stream);

/* Answer GET or HEAD with a file, which the kernel copies into the socket: all of it, or the part
 * that is asked for (206, 416), or that the client has it already (304), by date or by ETag. The
 * type follows from the name, if the response says none. What is not there is 404, not to be read
 * 403, another method 405. The answer comes later: these calls only begin.
 * _below: the file below a directory that the request's path names. A directory's is its
 * index.html; one that is named without a slash at its end is 301. A path that would lead out is
 * 403; symbolic links are followed.
 * borrows: response (NULL: 200; its body and length are not heeded, of its headers there may be
 *          16), path, root, until the call ends
 * errors:  as tr_http_reply; as tr_file_stat */
TR_API int tr_http_reply_file(tr_actor *self, tr_http http, const tr_http_response *response,
                              const char *path);
TR_API int tr_http_reply_below(tr_actor *self, tr_http http, const tr_http_response *response,
                               const char *root);

/* Tell a client that waits to send its body to go on (100), before the body is asked for. Where
 * nobody waits, or others are to be answered first, it is a no-op.
 * errors: TR_ENOENT, TR_EINVAL, TR_ENOMEM */
TR_API int tr_http_continue(tr_actor *self, tr_http http);

/* Leave HTTP: answer a request that wants an upgrade, or CONNECT, and have the socket as a stream,
 * with what the client has sent behind it. The response says what is gone on with: 101 and the
 * Upgrade header of the request's, unless it says otherwise.
 * gives:  *ret_stream, which is the actor's own from now on
 * errors: as tr_http_reply; TR_EINVAL also: the request wants none; TR_EAGAIN: requests before it
 *         have not been answered */
TR_API int tr_http_upgrade(tr_actor *self, tr_http http, const tr_http_response *response,
                           tr_stream *ret_stream);

/* ---- Servers ---- */

#define TR_HTTP_BODY_MAX (16u << 20)

/* 0 is the default that is said with each. */
typedef struct tr_http_opts {
    size_t size; /* set by TR_HTTP */

    /* Call the handler when all of the body is there, and have it in the request. A client that
     * waits to be told so (Expect: 100-continue) is told to go on. */
    bool collect;

    /* A client that ends its side while a request is under way is taken for gone. Otherwise it is
     * answered, and that it has gone altogether shows when it is. */
    bool end_aborts;

    uint64_t body_max;        /* bytes of a request's body. 0: TR_HTTP_BODY_MAX, of bodies that are
                               * collected; of others any, for they are taken as they are read */
    uint32_t head_max;        /* bytes of a request's line and headers, and of a chunked body's
                               * trailers and extensions; 16384, at most 1 MiB */
    uint32_t target_max;      /* bytes of its target; 8192 */
    uint32_t headers_max;     /* lines; 2000 */
    uint32_t pipeline_max;    /* requests of one connection that are under way at once; 16 */
    uint32_t connections_max; /* so many; of tr_http_listen, others wait in the backlog, of
                               * tr_http_accept they are answered with 503. 0: no limit */
    uint32_t head_ms;    /* for a request's head to come, from its first byte or the connection on;
                          * 60000 */
    uint32_t request_ms; /* for all of a request to come; 300000 */
    uint32_t idle_ms;    /* how long a connection is kept between requests; 5000 */
    uint32_t send_ms;    /* how long a client may take nothing of a response; 60000 */
    uint32_t reply_ms;   /* a request that has not been answered after so long is answered with
                          * 503. 0: it waits as long as it takes */
    const tr_listen_opts *listen; /* of tr_http_listen, but for half_open and connections_max. NULL:
                                   * defaults. borrows, until the call ends */
} tr_http_opts;
#define TR_HTTP(...) (&(const tr_http_opts){.size = sizeof(tr_http_opts), __VA_ARGS__})

/* A server that listens at an address, as tr_listen does.
 * borrows: address, opts (NULL: all defaults), until the call ends; arg, as long as the server is
 * gives:   *ret_server; may be NULL
 * errors:  as tr_listen */
TR_API int tr_http_listen(tr_actor *self, const char *address, tr_http_handler handler, void *arg,
                          const tr_http_opts *opts, tr_http_server *ret_server);

/* A server that listens nowhere: sockets are given to it.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_http_open(tr_actor *self, tr_http_handler handler, void *arg,
                        const tr_http_opts *opts, tr_http_server *ret_server);

/* Serve a socket, or any other stream of bytes with both sides, which was made so that its reader's
 * end does not end it (half_open). It is the server's from now on.
 * errors: TR_ENOENT (no such server, or stream), TR_EINVAL, TR_EPIPE (the server drains, or is
 * full: the stream is still the server's, which answers it so), TR_ENOMEM (it is still yours) */
TR_API int tr_http_accept(tr_actor *self, tr_http_server server, tr_stream stream);

/* Where it listens, with its true port.
 * errors: TR_ENOENT (no such server, or it listens nowhere), TR_EINVAL */
TR_API int tr_http_address(tr_actor *self, tr_http_server server, char text[TR_ADDRESS_MAX]);

/* Call cb once when what is under way has been answered, with 0; or when grace_ms have passed, with
 * TR_ETIMEDOUT, and what is still open is closed then. The server listens no more. Each response
 * that leaves now says that it is the last one on its connection, and is; a connection that waits
 * for its next request is kept until that has come and been answered, or for idle_ms, so that no
 * request is lost on its way. The server is closed when cb is called.
 * borrows: arg, until cb has returned or the actor has ended
 * errors:  TR_ENOENT, TR_EEXIST (it drains already), TR_EINVAL, TR_ENOMEM */
TR_API int tr_http_drain(tr_actor *self, tr_http_server server, uint32_t grace_ms, tr_done cb,
                         void *arg);

/* Close it with all its connections, whatever is under way. Safe at any time. */
TR_API void tr_http_close(tr_actor *self, tr_http_server server);

typedef struct tr_http_stats {
    uint32_t connections, requests;       /* now open, and under way */
    uint64_t accepted, answered, refused; /* so far; refused: requests answered by the server */
} tr_http_stats;

/* errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_http_stats_get(tr_actor *self, tr_http_server server, tr_http_stats *ret_stats);

/* ---- Asking ----
 *
 * A client keeps the connections that it has made, and uses them again for the same origin. It
 * belongs to the actor that made it and ends with it. Redirections are answers like others. */

/* By value; {0} is no client. */
typedef struct tr_http_client {
    uint64_t id;
} tr_http_client;

typedef struct tr_http_client_opts {
    size_t size;              /* set by TR_HTTP_CLIENT */
    uint32_t connections_max; /* to one origin; calls beyond wait for one. 0: 64 */
    uint32_t idle_ms;  /* how long a connection is kept for the next call; 0: 4000, which is less
                        * than what most servers do */
    uint32_t head_max; /* bytes of an answer's line and headers; 0: 65536 */
} tr_http_client_opts;
#define TR_HTTP_CLIENT(...)                                                                        \
    (&(const tr_http_client_opts){.size = sizeof(tr_http_client_opts), __VA_ARGS__})

/* gives:  *ret_client
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_http_client_open(tr_actor *self, const tr_http_client_opts *opts,
                               tr_http_client *ret_client);

/* Close it with its connections. Calls that are under way end with TR_ECANCELED. Safe at any time.
 */
TR_API void tr_http_client_close(tr_actor *self, tr_http_client client);

typedef struct tr_http_call {
    size_t size;                   /* set by TR_HTTP_CALL */
    const char *method;            /* NULL: "GET", or "POST" where there is a body */
    const char *url;               /* "http://127.0.0.1:8080/path?query" */
    const tr_http_header *headers; /* Host, lengths and what is about the connection are said by the
                                    * client, and dropped here */
    size_t header_count;
    tr_bytes body;       /* copied */
    uint64_t length;     /* of a body that is written to a stream; 0: it goes in chunks */
    tr_str traceparent;  /* to be passed on: that of the request which this follows from */
    uint32_t timeout_ms; /* for the answer: its head, or all of it if collected. 0: 30000 */
    size_t collect_max;  /* have the body of the answer whole; more bytes are TR_ETOOBIG. 0: have it
                          * as a stream */
    tr_cancel *cancel; /* ends the call with TR_ECANCELED, until it has been answered. NULL: none */
} tr_http_call;
#define TR_HTTP_CALL(...) (&(const tr_http_call){.size = sizeof(tr_http_call), __VA_ARGS__})

typedef struct tr_http_answer {
    int status;       /* 200 and the like */
    uint64_t length;  /* of its body, as it says, for HEAD as well; 0: not said, or none */
    tr_str headers;   /* for tr_http_header_get and tr_http_header_next */
    tr_buf *body;     /* where it is collected; NULL: there is none */
    tr_stream stream; /* otherwise: it is yours, to be read or destroyed. The connection is used
                       * again when it has been read to its end */
} tr_http_answer;

/* What has come of a call: 0, or an error: the system's (-ECONNREFUSED), TR_ETIMEDOUT,
 * TR_ECANCELED, TR_EPIPE (the server has closed instead of answering), TR_EBADMSG (that was no
 * HTTP), TR_ETOOBIG.
 * borrows: answer (NULL after an error), until it returns */
typedef void (*tr_http_answered)(tr_actor *self, int error, const tr_http_answer *answer,
                                 void *arg);

/* Ask a server. cb is called once. A connection that has been used before and turns out to be
 * closed is no error of a call that may be made twice (GET, HEAD, OPTIONS, PUT and DELETE without a
 * stream): it is made again on another one.
 * borrows: call and all in it, until the call ends; arg, until cb has returned or the actor has
 *          ended
 * gives:   *ret_stream: the body of the request, to be written and ended; NULL: it is call->body
 * errors:  TR_ENOENT (no such client), TR_EINVAL, TR_ENOSYS (another scheme than http), TR_ETOOBIG
 *          (an URL, or headers, of more than 64 KiB), TR_ECANCELED (call->cancel has been),
 *          TR_ENOMEM */
TR_API int tr_http_send(tr_actor *self, tr_http_client client, const tr_http_call *call,
                        tr_stream *ret_stream, tr_http_answered cb, void *arg);

#ifdef __cplusplus
}
#endif
#endif
