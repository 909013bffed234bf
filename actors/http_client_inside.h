// The HTTP client inside.
//
//     client ── origins ── connections, which wait for a call or have one
//                       ── calls that wait for a connection
//            ── all connections, all calls
//
// The client is the state of a stream of its own, so that it ends with its actor, and has the
// memory of all else. A call has a stream as well, which is cancelled as streams are, and whose
// `closed` is where the caller is told.
#ifndef TROUPE_ACTORS_HTTP_CLIENT_INSIDE_H
#define TROUPE_ACTORS_HTTP_CLIENT_INSIDE_H

#include "http_parse.h"

typedef struct tr__http_caller tr__http_caller; // the client
typedef struct tr__http_origin tr__http_origin; // whom it calls
typedef struct tr__http_line tr__http_line;     // a connection
typedef struct tr__http_asking tr__http_asking; // a call

// There as long as it has a connection, or a call that waits.
struct tr__http_origin {
    tr_buf *memory;
    tr__http_caller *client;
    tr__http_origin *next; // in its bucket
    tr_str name;           // "tcp://host:port", with a NUL, in text
    tr_buf *text;
    uint32_t lines;      // connections that are not closing
    uint32_t holders;    // connections that are, too, and calls that wait
    tr__http_line *idle; // those that wait for a call, the last one used in front
    tr__http_asking *waiting, *waiting_last;
};

struct tr__http_asking {
    tr_buf *memory;
    tr__http_asking *after, *before; // of all of the client's
    tr_actor *self;
    tr__http_caller *client;
    bool over;                    // it is only to be told
    tr__http_line *line;          // NULL: it waits for one, or is over
    tr__http_line *streams_from;  // until it is told
    tr__http_origin *waits_for;   // a connection to that one; NULL: it does not
    tr__http_asking *next, *prev; // that waits behind it, and before it
    tr_stream handle;
    tr_timer deadline;
    tr_str origin; // as an origin's name, in text
    tr_buf *text, *head, *body;
    bool head_only; // the method is HEAD
    bool twice;     // it may be made again
    bool streams;   // its body is written to a stream
    bool chunked;
    uint64_t left; // of that, where it is not chunked
    size_t collect_max;
    tr_stream writer; // then
    tr_http_answered cb;
    void *arg;
    int error;
    tr_http_answer answer;
    tr_buf *answer_bytes; // that its headers lie in
};

struct tr__http_line {
    tr__http_parser parser;
    tr__http_caller *client;
    tr__http_line *next, *prev; // of the client's, open or free
    tr__http_line *idle_next, *idle_prev;
    tr_buf *memory;
    tr__http_origin *origin;
    uint32_t serial;
    tr_stream socket;
    tr__http_asking *asking; // until it is answered
    tr__http_asking *untold; // answered with a stream, of which its caller is still to be told
    tr_stream body;          // of the answer, as a stream
    tr_stream writer;        // of the request's body
    tr_buf *head;            // of the answer, as it comes
    size_t head_bytes;
    tr_buf *chunk; // that is being read
    tr_buf *collected;
    size_t collected_bytes;
    bool idle, used, heard, interim, streaming, keep, sent, blocked, drains, closing;
    uint64_t since;
};

#define TR__HTTP_ORIGINS 64 // buckets

struct tr__http_caller {
    tr_actor *self;
    tr_stream handle;
    tr_http_client_opts opts;
    tr__http_origin *origins[TR__HTTP_ORIGINS];
    tr__http_line *lines, *free_lines;
    uint32_t idle;            // connections
    tr__http_asking *askings; // all
    tr_timer sweep;
    bool closing;
};

// ---- Calls (http_call.c) ----

void tr__http_asking_over(tr__http_asking *a, int error); // it is to be told
void tr__http_asking_free(tr__http_asking *a);

// ---- Connections (http_client.c) ----

int tr__http_line_for(tr__http_asking *a);       // give it one, now or later
void tr__http_waiting_leave(tr__http_asking *a); // it waits for none any more. No-op if it did not
void tr__http_line_drop(tr__http_line *l);       // destroy it
void tr__http_line_done(tr__http_line *l);       // request and answer are through, perhaps
void tr__http_line_resume(tr__http_line *l);
tr__http_caller *tr__http_caller_of(tr_actor *self, uint64_t id);
void tr__http_client_look(tr__http_caller *client); // it may be that it is through

// ---- Bodies (http_client_body.c) ----

int tr__http_line_body_new(tr__http_line *l);
int tr__http_line_push(tr__http_line *l, const char *at, size_t size);
void tr__http_line_body_end(tr__http_line *l);
void tr__http_line_body_lose(tr__http_line *l, int error);
bool tr__http_line_is_full(const tr__http_line *l);

int tr__http_writer_new(tr__http_asking *a);
void tr__http_writer_begin(tr__http_line *l); // its call has a connection
void tr__http_writer_drain(tr__http_line *l);
void tr__http_writer_end(tr__http_line *l, int error); // nobody wants the rest

#endif
