// What the files of this layer share, and nobody else: libnng is included only here.
#ifndef TROUPE_NNG_INSIDE_H
#define TROUPE_NNG_INSIDE_H

#include <nng/nng.h>

#include "base/list.h"
#include "base/lock.h"
#include "nng/transport.h"

// ---- The library (library.c) ----

// What is called of it, without the prefix nng_.
#define NNG_CALLS(X)                                                                               \
    X(aio_abort)                                                                                   \
    X(aio_alloc)                                                                                   \
    X(aio_count)                                                                                   \
    X(aio_get_output)                                                                              \
    X(aio_reap)                                                                                    \
    X(aio_result)                                                                                  \
    X(aio_set_iov)                                                                                 \
    X(sleep_aio)                                                                                   \
    X(stream_close)                                                                                \
    X(stream_free)                                                                                 \
    X(stream_get_addr)                                                                             \
    X(stream_get_uint64)                                                                           \
    X(stream_recv)                                                                                 \
    X(stream_send)                                                                                 \
    X(stream_dialer_alloc)                                                                         \
    X(stream_dialer_dial)                                                                          \
    X(stream_dialer_free)                                                                          \
    X(stream_listener_accept)                                                                      \
    X(stream_listener_alloc)                                                                       \
    X(stream_listener_free)                                                                        \
    X(stream_listener_listen)                                                                      \
    X(stream_listener_set_int)

struct nng_calls {
#define NNG_MEMBER(name) __typeof__(nng_##name) *name;
    NNG_CALLS(NNG_MEMBER)
#undef NNG_MEMBER
};
extern struct nng_calls tr__nng; // good once tr__nng_load has returned 0

int tr__nng_load(void);           // errors: TR_ENOSYS (there is no such library)
int tr__nng_error(int rv);        // nng's as ours; 0 stays 0
int tr__nng_stream_error(int rv); // likewise, of a stream: 0 is its end

// ---- A carriage (carriage.c) ----

struct tr__carriage {
    tr_world base;      // of its endpoints and listeners
    tr_world *world;    // of the loop
    tr_endpoint *door;  // tells when the bell has rung
    int bell;           // an eventfd
    tr__lock lock;      // any thread:
    bool rung;          // the bell has
    tr__list done;      // operations that libnng has ended, and the loop has not seen
    unsigned disposals; // under way
    tr__list ready;     // the loop alone: endpoints that have something to tell,
    tr__list ends;      // all of them,
    tr__list listeners; // and all of these
};

// One of libnng's asynchronous operations, again and again, one at a time.
struct nng_op {
    tr__list node; // in done
    tr__carriage *home;
    nng_aio *aio;
    bool busy;                        // libnng has it
    bool begun;                       // and has not said that it ended. Under home's lock
    void (*ended)(struct nng_op *op); // on the loop
};

// done: what libnng calls on one of its threads; in the end that calls tr__nng_op_done
// errors: TR_ENOMEM
int tr__nng_op_init(struct nng_op *op, tr__carriage *home, void (*done)(void *arg), void *arg,
                    void (*ended)(struct nng_op *op));
void tr__nng_op_done(void *op);
void tr__nng_op_cancel(struct nng_op *op); // it still ends by itself
void tr__nng_op_free(struct nng_op *op); // which is not busy. No-op on one that was not initialised
// To be followed by the call that has libnng begin.
static inline nng_aio *tr__nng_op_begin(struct nng_op *op)
{
    op->busy = true;
    tr__lock_take(&op->home->lock);
    op->begun = true;
    tr__lock_give(&op->home->lock);
    return op->aio;
}

void tr__nng_ring(tr__carriage *home); // the loop's thread: look once more in the next poll
// Have something freed by a thread that may block in that.
void tr__nng_dispose(tr__carriage *home, void (*dispose)(void *what), void *what);

// What libnng has for one of our urls, in place.
// errors: TR_EINVAL, TR_ENAMETOOLONG
int tr__nng_url(const char *url, const char **ret_theirs);
#define NNG_THEIR_SCHEME "ipc://"

// ---- Endpoints (stream.c) ----

// The other end has been accepted. moves: stream, always
int tr__nng_end_new(tr__carriage *home, nng_stream *stream, tr_endpoint **ret_endpoint);
int tr__nng_connect(tr__carriage *home, const char *url, const tr_site *site,
                    const tr__papers *papers, tr_endpoint **ret_endpoint);
void tr__nng_tell(tr__list *node);      // of ready
void tr__nng_end_cut(tr__list *node);   // of ends: without what has not left
void tr__nng_end_close(tr__list *node); // likewise: as its owner does, who hears closed

void tr__nng_bind(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner);
void tr__nng_want(tr_endpoint *endpoint, unsigned events);
ssize_t tr__nng_read(tr_endpoint *endpoint, const tr_iov *iov, int count);
ssize_t tr__nng_write(tr_endpoint *endpoint, const tr_iov *iov, int count);
void tr__nng_shutdown(tr_endpoint *endpoint);
void tr__nng_close(tr_endpoint *endpoint);
int tr__nng_connected(tr_endpoint *endpoint);
void tr__nng_tune(tr_endpoint *endpoint, const tr_tuning *tuning);
int tr__nng_site(tr_endpoint *endpoint, bool peer, tr_site *ret_site);
int tr__nng_cred(tr_endpoint *endpoint, tr_peer_cred *ret_cred);

// ---- Listeners (listener.c) ----

int tr__nng_listen(tr__carriage *home, const char *url, const tr__papers *papers,
                   const tr_listener_up *up, void *owner, tr_listener **ret_listener);
void tr__nng_listener_site(const tr_listener *listener, tr_site *ret_site);
void tr__nng_listener_want(tr_listener *listener, bool accept);
void tr__nng_listener_close(tr_listener **listener);
void tr__nng_listener_shut(tr__list *node); // of listeners

#endif
