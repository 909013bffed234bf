// The HTTP server inside.
//
//     server ── connections ── exchanges, in the order in which they came
//
// The server is the state of a stream of its own, so that it ends with its actor; it has all memory
// of its connections and exchanges, which are used again. An exchange is a request and its
// response; it is known by slot and serial, and the serial goes up when it is over.
#ifndef TROUPE_ACTORS_HTTP_INSIDE_H
#define TROUPE_ACTORS_HTTP_INSIDE_H

#include "http_parse.h"

#define TR__HTTP_SCRATCH     8192         // bytes
#define TR__HTTP_DROPPED_MAX (256 * 1024) // bytes of what nobody wants

typedef struct tr__http_server tr__http_server;
typedef struct tr__http_conn tr__http_conn;
typedef struct tr__http_exchange tr__http_exchange;

// How far its response is.
typedef enum tr__http_answer {
    TR__HTTP_WAITS,   // there is none
    TR__HTTP_HELD,    // all of it is held until its turn comes
    TR__HTTP_STREAMS, // it is being written
    TR__HTTP_FILES,   // a file goes into the socket
    TR__HTTP_SENT
} tr__http_answer;

struct tr__http_exchange {
    tr_buf *memory;
    tr__http_exchange *next; // behind it on its connection, or free
    tr__http_conn *conn;     // NULL: it is over
    uint32_t slot, serial;
    tr_http_request request;
    tr_buf *bytes; // that the request lies in; NULL: in what is being read just now
    uint64_t since;

    tr__http_answer answer;
    bool has_body, head_only, keep, expects; // expects: the client waits to be told to go on
    bool body_taken, body_done;
    tr_buf *held[2];  // head and body
    tr_stream writer; // of the response, or the job whose file is one
    tr_stream body;
    size_t collected; // bytes in request.body, which may have room for more

    tr_done then;
    void *then_arg;
};

struct tr__http_conn {
    tr__http_parser parser;
    tr__http_server *server;
    tr_buf *memory;
    tr__http_conn *next, *before; // of all that are open; next: also of those that are free
    tr_stream socket;
    tr__http_exchange *first, *last; // under way
    uint32_t count;                  // of them
    tr__http_exchange *reading;      // whose body comes in; NULL: it is dropped
    bool in_body;                    // what comes next is of a body
    uint64_t body_bytes;             // of it, so far

    // A head that has come in part; and, while the parser runs, where it lies.
    tr_buf *head;
    size_t head_bytes;
    const char *base;
    size_t base_bytes;
    tr_buf *chunk; // that is being read

    uint64_t since; // the phase that the sweep looks at
    uint64_t sent, sent_at;
    uint64_t dropped;          // bytes of a body, or behind the end
    int why;                   // it fails
    tr__http_exchange *untold; // that are over, and whoever waits for that is to be told
    bool stays;                // the request that is being read might leave HTTP, and has no body
    bool served;               // it has had a request
    bool says_last;            // the client, of the request that was read
    bool heard_all;            // all of the request that was answered last has come
    bool last_read;            // no request is taken any more
    bool ended;                // by the client
    bool ending;               // by this side
    bool full;                 // the socket wants to drain first
    bool blocked;              // it is paused
    bool stale;                // the last sweep found it idle for too long
    bool parted;               // its socket is the user's
};

struct tr__http_server {
    tr_actor *self;
    tr_stream handle;
    tr_http_opts opts; // with their defaults
    tr_http_handler handler;
    void *arg;
    tr_server listener;
    tr_timer sweep;

    tr__http_conn *conns, *free_conns;
    tr__http_exchange *free_exchanges;
    tr_buf *table_memory;
    tr__http_exchange **table;
    uint32_t table_count, table_capacity;
    tr_http_stats stats;

    bool draining, drained, closing;
    tr_timer grace;
    tr_done drain_done;
    void *drain_arg;

    // What is written of responses while a connection is read, to leave at once.
    tr__http_conn *corked;
    size_t scratch_bytes;
    char scratch[TR__HTTP_SCRATCH];

    // The end of every head that keeps its connection, printed anew each second.
    uint64_t date_at;
    char date[TR__HTTP_DATE_BYTES];
    char tail[160];
    size_t tail_bytes;
};

// ---- Servers (http_server.c) ----

tr__http_exchange *tr__http_exchange_of(tr_actor *self, tr_http http);
tr_http tr__http_handle(const tr__http_exchange *x);
void tr__http_server_left(tr__http_server *s); // a connection has gone

int tr__http_memory(size_t size, tr_buf **ret_memory); // zeroed
void tr__http_exchange_free(tr__http_server *s, tr__http_exchange *x);
int tr__http_exchange_new(tr__http_server *s, tr__http_exchange **ret_x);

// ---- Connections (http_conn.c) ----

int tr__http_conn_open(tr__http_server *s, tr_stream socket);
void tr__http_conn_free(tr__http_conn *c);          // with the server
void tr__http_conn_fail(tr__http_conn *c, int why); // destroy it; all else follows from that
void tr__http_conn_resume(tr__http_conn *c);        // it may be that it can be read again

// Its first request has left HTTP, and the socket is somebody else's now. errors: TR_ENOMEM
int tr__http_conn_part(tr__http_conn *c);

// Answer what is being read, or a request (nothing has been said to it so far), and then close.
void tr__http_conn_refuse(tr__http_conn *c, int status);
void tr__http_refuse(tr__http_exchange *x, int status);

// The response of the first exchange has been written: the next one's turn.
void tr__http_conn_sent(tr__http_conn *c);

// So many bytes are not wanted. returns: 0, or -413: that is enough
int tr__http_conn_drop(tr__http_conn *c, size_t size);

// Write to the socket. moves: *chunk, always. returns: 0, TR_WAIT; an error: the connection fails
int tr__http_conn_write(tr__http_conn *c, tr_buf **chunk);
void tr__http_conn_flush(tr__http_conn *c); // what is in the scratch

// ---- Bodies of requests (http_body.c) ----

int tr__http_body_push(tr__http_exchange *x, const char *at, size_t size);
void tr__http_body_end(tr__http_exchange *x);
void tr__http_body_lose(tr__http_exchange *x);        // no more of it comes
bool tr__http_body_waits(const tr__http_exchange *x); // nobody takes it for now

// ---- Responses (http_reply.c, http_writer.c) ----

// What is known of a body when its head is printed.
typedef enum tr__http_length {
    TR__HTTP_NO_BODY,
    TR__HTTP_SIZED,
    TR__HTTP_CHUNKED,
    TR__HTTP_TO_THE_END, // an old client reads until the connection is closed
    TR__HTTP_UPGRADED    // it is no body
} tr__http_length;

// Answer with a head, and the bytes that follow it at once. It is held, or, unless it is to be, in
// the scratch. errors: as tr_http_reply
int tr__http_reply_head(tr__http_exchange *x, const tr_http_response *response,
                        tr__http_length kind, uint64_t length, tr_bytes body, bool hold);
int tr__http_response_copy(const tr_http_response *given, tr_http_response *ret_response);
void tr__http_reply_held(tr__http_exchange *x); // its turn has come
void tr__http_files_turn(tr__http_exchange *x);
void tr__http_writer_turn(tr__http_exchange *x);
void tr__http_writer_drained(tr__http_exchange *x);
void tr__http_writer_lose(tr__http_exchange *x); // the client has gone

#endif
