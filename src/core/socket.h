// Sockets inside: what the streams over endpoints, their connecting and their servers share.
//
// What an endpoint tells comes from the world's poll, outside of any turn. Each takes a turn of the
// actor for what it means to the stream; after that turn the socket may be gone.
#ifndef TROUPE_CORE_SOCKET_H
#define TROUPE_CORE_SOCKET_H

#include <troupe/net.h>

#include "core/core.h"
#include "core/site.h"

typedef struct tr__dial tr__dial;

// The state of its stream.
typedef struct tr__socket {
    tr_actor *actor;
    tr_stream stream;
    tr_endpoint *endpoint; // NULL: not connected yet, or closed
    tr__dial *dial;        // NULL: not connecting
    uint64_t server;       // that has accepted it; 0: none
    unsigned want;
    uint32_t reads; // that may still be made before others have their turn
    int held;       // TR_LATER: not its own before a gate is open; or why it never will be
    bool asked;     // the stream wants to read
    bool more;      // the last read left something, it seems

    // What is being written.
    tr_buf *const *chunks;
    size_t count;
    size_t offset; // in the first one
} tr__socket;

// A stream that is one; and one that can only be read, or written.
extern const tr_stream_ops tr__socket_ops, tr__input_ops, tr__output_ops;

// A stream without an endpoint yet. opts: NULL: defaults. errors: as tr_stream_new
int tr__socket_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                   bool half_open, tr__socket **ret_socket);
void tr__socket_attach(tr__socket *socket, tr_endpoint *endpoint); // connected; moves
// Its endpoint leaves the world. errors: as of endpoint_leave; all is as it was
int tr__socket_leave(tr__socket *socket, tr_parcel **ret_parcel);

// Its stream's write is done as soon as there is room.
void tr__socket_await(tr__socket *socket);

// An input comes to its end now, behind what is there, whoever may still write to it. Returns
// whether that was not its end anyway.
bool tr__input_cut(tr_actor *self, tr_stream stream);

// Have an actor hear of something in a turn of its own. false: it is ending, and hears no more.
bool tr__socket_turn(tr_actor *actor, tr_callback cb, void *arg);

// Close one that is bound, or not, without hearing of its end. No-op on NULL.
void tr__endpoint_drop(tr_endpoint **endpoint);

// ---- Connecting (dial.c) ----

int tr__dial_start(tr__socket *socket); // returns: 0, TR_LATER or an error, as of a stream's ops
void tr__dial_free(tr__dial **dial);    // No-op on NULL

// ---- Servers (server.c) ----

void tr__server_left(tr_loop *loop, uint64_t server); // a socket of its is closed
void tr__server_shut(tr__owned *server);              // accept nobody any more

#endif
