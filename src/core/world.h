// The world: every effect that the core may have. This is the seam between troupe and everything
// outside it; src/uv implements it for real on libuv, src/sim in virtual time with a seeded order.
//
// There is one world per loop. Everything is called on the loop's own thread, except what says
// otherwise. An upcall comes only from inside poll, never from inside another call, and runs to its
// end before the next one. Objects (endpoints, processes, listeners) belong to the loop whose world
// made them.
//
// A world is told here what bytes to move and when to sleep. What the bytes mean, what a turn is,
// and which timer is due are the core's business: a timer is only the due time handed to poll.
#ifndef TROUPE_CORE_WORLD_H
#define TROUPE_CORE_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <troupe/net.h>
#include <troupe/process.h>

typedef struct tr_world tr_world;
typedef struct tr_endpoint tr_endpoint; // one end of a stream of bytes
typedef struct tr__process tr__process; // a child process
typedef struct tr_listener tr_listener; // accepts endpoints
typedef struct tr_lookout tr_lookout;   // watches a file or a directory
typedef struct tr_ear tr_ear;           // hears of a signal of this process
typedef struct tr_parcel tr_parcel;     // an endpoint or a listener on its way to another world
typedef struct tr__file_call tr__file_call;
typedef struct tr_world_ops tr_world_ops;

#define TR__NEVER UINT64_MAX

typedef struct tr_iov {
    void *base;
    size_t len;
} tr_iov;

// What an endpoint tells its owner. All come from inside poll.
typedef struct tr_endpoint_up {
    // There may be something to read, or the end of the stream, or an error: read to find out.
    // Level-triggered while TR__READ is wanted. Returns whether bytes were moved: a world that
    // polls briefly before it sleeps calls this without knowing whether there is anything.
    bool (*readable)(void *owner);
    // There may be room to write again. Level-triggered while TR__WRITE is wanted.
    void (*writable)(void *owner);
    // The end: comes once after endpoint_close, from a later poll or from the world's own close.
    // The endpoint is gone.
    void (*closed)(void *owner);
} tr_endpoint_up;

enum { TR__READ = 1, TR__WRITE = 2 };

// Where a socket listens or connects to.
#define TR__SITE_MAX 108
typedef struct tr_site {
    bool tcp;                // otherwise it is a path
    bool given;              // a listening socket that the process was started with
    bool papers;             // of a link by a transport: both sides have shown certificates
    uint16_t port;           // 0, to listen: any that is free
    char name[TR__SITE_MAX]; // the path; an IPv4 or IPv6 address in figures; or what was given
                             // is called, or its descriptor
} tr_site;

// How TCP behaves; no other socket has any of it.
typedef struct tr_tuning {
    bool no_delay;         // what is written leaves at once
    uint32_t keep_alive_s; // a peer that is silent for so long is asked whether it lives; 0: never
} tr_tuning;

typedef struct tr_listen_how {
    int backlog;      // connections that may wait to be accepted; 0: 511
    bool reuse_port;  // others that say so, too, may listen at the same port
    bool v6_only;     // "::" does not take IPv4
    tr_tuning tuning; // of what is accepted
} tr_listen_how;

typedef struct tr_listener_up {
    // A new endpoint, now the owner's: to be bound or closed in this call.
    void (*accepted)(void *owner, tr_endpoint *endpoint);
    // A connection was dropped for want of descriptors or memory: its peer finds out. Or it waits
    // for what is wanted, and is tried again; or, for -EINVAL, nobody will ever be accepted: what
    // it listens with has been shut down by somebody else who has it.
    void (*dropped)(void *owner, int error);
} tr_listener_up;

// How a process ended: signal is 0 for one that left by itself. And what it has used, in bytes and
// nanoseconds; zeros where that is not known.
typedef struct tr_exit_status {
    int code;
    int signal;
    bool core;
    uint64_t user_ns, system_ns;
    uint64_t rss_max;
} tr_exit_status;

typedef struct tr_process_up {
    // The process has been reaped. Once; the object lives on until process_close.
    void (*exited)(void *owner, const tr_exit_status *status);
} tr_process_up;

typedef struct tr_lookout_up {
    // Something has happened there: as tr_file_heard. After an error nothing more follows.
    void (*heard)(void *owner, int status, unsigned events, const char *name);
} tr_lookout_up;

typedef struct tr_ear_up {
    // The signal has come since this was called last, once or more often.
    void (*heard)(void *owner);
} tr_ear_up;

// What a process does with itself.
typedef enum tr__own {
    TR__OWN_PID,   // returns: its id
    TR__OWN_SERVE, // Take over what a service manager has left in the environment, and have
                   // children of nodes leave the signals that end a service to this one.
                   // returns: how often the manager wants a sign of life, in nanoseconds; 0: never
    TR__OWN_FILES, // As many open descriptors as it may ever have. returns: so many
    TR__OWN_REAP,  // Reap the children that none of its worlds has started. returns: how many
    TR__OWN_QUIT   // End at once with status arg. Does not return in the real world
} tr__own;

// What a thread runs. Both are called on that thread.
typedef struct tr_thread_up {
    // One iteration of its loop; calls poll once, or not if there was something to do. false: that
    // was the last one.
    bool (*run)(void *owner);
    // When to run again if nothing happens before: 0: at once; TR__NEVER: when the world is woken
    // or has something to tell. Only a world that steps its threads itself asks.
    uint64_t (*due)(void *owner);
} tr_thread_up;

// The descriptors of a new process that this one may have the other end of: its standard ones, the
// link, by which nodes talk, and its pulse, a pipe on which it shows that it does not hang.
enum { TR__STDIO = 3, TR__LINK_FD = TR__STDIO, TR__PULSE_FD, TR__ENDS };

// A program to start. All borrowed until spawn returns.
typedef struct tr_program {
    const char *path;          // NULL: this very program
    const char *const *argv;   // NULL-terminated, argv[0] first
    const char *const *env;    // "NAME=value", NULL-terminated: added to this process's environment
    tr_stdio stdio[TR__STDIO]; // what its standard descriptors are
    bool alone;                // it is no node, and has no link
    bool pulse;                // it has one
    // How else it is started, as troupe/process.h says: path is looked for, and it leads a group.
    // Only of one that is alone. NULL: none of that
    const tr_process_opts *how;
} tr_program;

// Whether the other end of that descriptor is this process's.
static inline bool tr__program_has_end(const tr_program *program, int fd)
{
    if (fd == TR__PULSE_FD)
        return program->pulse;
    return fd == TR__LINK_FD ? !program->alone : program->stdio[fd] == TR_STDIO_PIPE;
}

typedef struct tr_world_ops {
    const char *name;

    // Nanoseconds, monotonic.
    uint64_t (*now)(tr_world *world);
    // How much of that has been slept in poll. Any thread.
    uint64_t (*idle)(tr_world *world);
    // Fill bytes with random ones, unguessable in the real world, from the seed in the simulated.
    void (*random)(tr_world *world, void *bytes, size_t size);

    // Wait until the clock reaches due, an endpoint, process or listener has something to tell, or
    // somebody calls wake; make the upcalls; return. due 0: do not wait. May return early.
    void (*poll)(tr_world *world, uint64_t due);
    // Make the running or the next poll return soon. Any thread; cheap when already woken, and when
    // nobody sleeps in poll.
    void (*wake)(tr_world *world);

    // A world for one more loop of this process, to be polled by a thread of its own. Any thread.
    // gives: *ret_world. errors: TR_ENOMEM, system errors (-EMFILE, ...)
    int (*another)(tr_world *world, tr_world **ret_world);
    // Start a thread that calls up->run until that returns false. Any thread, while none runs for
    // this world. errors: TR_ENOMEM, system errors
    int (*thread_start)(tr_world *world, const tr_thread_up *up, void *owner);
    // Wait for the thread's end. Its last run has returned false or is about to, with nobody's
    // help. Any thread, once for each start.
    void (*thread_join)(tr_world *world);

    // Set who hears of the endpoint, while nothing is wanted of it. up NULL: nobody any more.
    void (*endpoint_bind)(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner);
    // Which upcalls are wanted: TR__READ | TR__WRITE. A change costs; no change costs nothing.
    void (*endpoint_want)(tr_endpoint *endpoint, unsigned events);
    // Both return the bytes moved, at least one; TR_EAGAIN when there is nothing or no room now;
    // another error. read returns 0 at the end of the stream. count is 1 to TR__IOV_MAX.
    ssize_t (*endpoint_read)(tr_endpoint *endpoint, const tr_iov *iov, int count);
    ssize_t (*endpoint_write)(tr_endpoint *endpoint, const tr_iov *iov, int count);
    // No more will be written: the peer reads to the end and then finds it.
    void (*endpoint_shutdown)(tr_endpoint *endpoint);
    // Idempotent. No upcall but closed follows. What was written still arrives, but to a peer that
    // has sent what is not read here.
    void (*endpoint_close)(tr_endpoint *endpoint);

    // Connect. Nothing is read or written before it is connected: then writable comes, and
    // endpoint_connected says 0, or why not. A path is connected at once.
    // errors: TR_EINVAL (not an address), TR_EAGAIN (a path with a full backlog: try again later),
    //         TR_ENOMEM, system errors (-ENOENT, -ECONNREFUSED, ...)
    int (*connect)(tr_world *world, const tr_site *site, tr_endpoint **ret_endpoint);
    // TR_EAGAIN: not yet. An error is told once.
    int (*endpoint_connected)(tr_endpoint *endpoint);
    void (*endpoint_tune)(tr_endpoint *endpoint, const tr_tuning *tuning);
    // The address of this side, or the peer's, which is "" where a path has none. A system error
    // where there is none any more.
    int (*endpoint_site)(tr_endpoint *endpoint, bool peer, tr_site *ret_site);
    int (*endpoint_cred)(tr_endpoint *endpoint, tr_peer_cred *ret_cred); // TR_ENOSYS: it is TCP
    // More about its error, for people; NULL: there is nothing more to say. Of transports alone, and
    // not of all of them.
    const char *(*endpoint_why)(const tr_endpoint *endpoint);
    // What a message may have that is collected before it can be read, in bytes, from now on. Of
    // transports alone; NULL: nothing is.
    void (*endpoint_limit)(tr_endpoint *endpoint, size_t size);

    // Take an endpoint out of its world: nothing is wanted of it, and nobody hears of it again.
    // moves:  *endpoint
    // errors: TR_ENOSYS (others have it, too), TR_ENOMEM
    int (*endpoint_leave)(tr_endpoint **endpoint, tr_parcel **ret_parcel);
    // moves:  *parcel, one of a connected socket or a pipe
    // errors: TR_ENOMEM, system errors
    int (*endpoint_enter)(tr_world *world, tr_parcel **parcel, tr_endpoint **ret_endpoint);
    // As write, and the parcels go along with the first of the bytes that are moved. They stay the
    // caller's as well. count: 1 to TR__PARCELS_MAX
    ssize_t (*endpoint_send)(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                             tr_parcel *const *parcels, int count);
    // As read, and gives the parcels that have come along with one of the bytes, those of one send
    // at most. ret_parcels: room for TR__PARCELS_MAX; *ret_count: how many; *ret_lost: there were
    // more, behind those, for which this process had no descriptors or memory.
    ssize_t (*endpoint_receive)(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                                tr_parcel **ret_parcels, int *ret_count, bool *ret_lost);

    // A descriptor of the caller's own for the same socket, for TR__FILE_SEND, to be closed by
    // TR__FILE_CLOSE. errors: TR_ENOSYS (nothing can be sent so), system errors
    int (*endpoint_twin)(tr_endpoint *endpoint);

    // Accept connections. A path must not exist, and is removed by close.
    // errors: TR_EINVAL (not an address), TR_EADDRINUSE, TR_ENOMEM, system errors
    int (*listen)(tr_world *world, const tr_site *site, const tr_listen_how *how,
                  const tr_listener_up *up, void *owner, tr_listener **ret_listener);
    void (*listener_site)(const tr_listener *listener, tr_site *ret_site); // with its true port
    void (*listener_want)(tr_listener *listener, bool accept); // false: they wait; at first true
    void (*listener_close)(tr_listener **listener);
    // Listen, and leave it to others to accept: those who connect wait. errors: as of listen
    int (*listener_open)(tr_world *world, const tr_site *site, const tr_listen_how *how,
                         tr_parcel **ret_parcel);
    // The same listening socket for somebody else, too. Either may be closed first; the path goes
    // with this one. errors: TR_ENOMEM, system errors (-EMFILE, ...)
    int (*listener_share)(const tr_listener *listener, tr_parcel **ret_parcel);
    // Accept from a parcel's. how: only its tuning counts.
    // moves:  *parcel, one of a listener
    // errors: TR_ENOMEM, system errors
    int (*listener_enter)(tr_world *world, tr_parcel **parcel, const tr_listen_how *how,
                          const tr_listener_up *up, void *owner, tr_listener **ret_listener);

    // Two local sockets that are connected. gives: both. errors: TR_ENOMEM, system errors (-EMFILE)
    int (*parcel_pair)(tr_world *world, tr_parcel *ret_parcels[2]);
    // Any thread. A parcel of a descriptor that this process has been given.
    // moves:  fd, made close-on-exec; on an error it stays the caller's
    // errors: TR_EINVAL (neither a stream socket nor a pipe), TR_ENOSYS (this world has none),
    //         TR_ENOMEM, system errors (-EBADF, ...)
    int (*parcel_of)(tr_world *world, int fd, tr_parcel **ret_parcel);
    // Any thread. The same socket once more. errors: TR_ENOMEM, system errors (-EMFILE, ...)
    int (*parcel_copy)(const tr_parcel *parcel, tr_parcel **ret_parcel);
    void (*parcel_site)(const tr_parcel *parcel, tr_site *ret_site); // any thread
    void (*parcel_free)(tr_parcel *parcel); // any thread; by tr__parcel_unref only

    // Look a name up, which may take long. Any thread. site: with the name in place of the address.
    // returns: how many sites it stands for, at least one; TR_ENOENT: none; TR_EAGAIN (the network
    //          cannot say now), TR_ENOMEM, system errors
    int (*resolve)(tr_world *world, const tr_site *site, tr_site *ret_sites, int max);

    // An endpoint over a descriptor that this process has been started with: a pipe, a terminal, a
    // socket, a file. Others may have it, too: so nothing of it is changed, it is not shut down,
    // and close leaves it open.
    // errors: TR_ENOSYS (this world has none), TR_ENOMEM, system errors (-EBADF, ...)
    int (*borrow)(tr_world *world, int fd, tr_endpoint **ret_endpoint);
    // Of one that is a terminal; others: -ENOTTY. raw: each key is read as it is typed; undone by
    // close, and when the process exits.
    int (*terminal_size)(tr_endpoint *endpoint, unsigned *ret_columns, unsigned *ret_rows);
    int (*terminal_raw)(tr_endpoint *endpoint, bool raw);

    // Start a program. ret_ends: by its descriptors: what is at the other end of each; NULL:
    // nothing of ours. The link goes both ways, to descriptor 0 is written, from the others is
    // read. Costs the same whatever the size of this process. Errors of starting are returned here:
    // on an error nothing is left.
    int (*spawn)(tr_world *world, const tr_program *program, const tr_process_up *up, void *owner,
                 tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS]);
    // Send a signal; 0 only asks. errors: TR_ENOENT (it has been reaped), TR_EINVAL, -EPERM
    int (*process_signal)(tr__process *process, int signal);
    // The same to all of the group that it leads, also after its own end; or to it alone, if it
    // leads none. errors: TR_ENOENT: nobody is left
    int (*process_signal_group)(tr__process *process, int signal);
    int64_t (*process_pid)(const tr__process *process);
    // Forget it. One that still lives is killed with its group and reaped here, unless it is
    // detached. Sets *process to NULL.
    void (*process_close)(tr__process **process);

    // A call about files, which may take long. Any thread; several at a time.
    // returns: as core/file_call.h says
    int64_t (*file)(tr_world *world, const tr__file_call *call);
    // An endpoint over a descriptor of TR__FILE_OPEN that has said TR_EAGAIN, which stays the
    // caller's: to be told when it is ready, and for nothing else.
    // errors: TR_ENOSYS (it never says so here), TR_ENOMEM, system errors
    int (*file_door)(tr_world *world, int fd, tr_endpoint **ret_endpoint);
    // Watch what is at a path, as tr_file_watch_start. errors: system errors, TR_ENOMEM
    int (*watch)(tr_world *world, const char *path, const tr_lookout_up *up, void *owner,
                 tr_lookout **ret_lookout);
    void (*lookout_close)(tr_lookout **lookout);

    // Hear of a signal, from now on, in each poll after it has come. While anybody in the process
    // does it has no other effect; afterwards it has what it had before.
    // errors: TR_EINVAL (the system does not allow it), TR_EAGAIN (too many worlds hear), TR_ENOMEM
    int (*hear)(tr_world *world, int signum, const tr_ear_up *up, void *owner, tr_ear **ret_ear);
    void (*ear_close)(tr_ear **ear);

    // errors: system errors
    int64_t (*own)(tr_world *world, tr__own what, int arg);
    // Tell the service manager, in the words of sd_notify(3).
    // errors: TR_ENOSYS (there is none), TR_EAGAIN (it is behind), TR_ETOOBIG, system errors
    int (*notify)(tr_world *world, const char *state);

    // Free the world with what is left in it. Not from inside poll, nor before its thread is
    // joined, nor while anybody may still wake it. The owners of endpoints, closed before or not,
    // hear closed from here: the one upcall outside of poll. Sets *world to NULL.
    void (*close)(tr_world **world);
} tr_world_ops;

#define TR__IOV_MAX 64

// Implementations put this first in theirs. Endpoints, processes, listeners, lookouts and ears
// begin with a pointer to their world, so that the calls below find the table.
struct tr_world {
    const tr_world_ops *ops;
};

struct tr_endpoint {
    tr_world *world;
};

static inline const char *tr__endpoint_why(const tr_endpoint *endpoint)
{
    const tr_world_ops *ops = endpoint->world->ops;
    return ops->endpoint_why == NULL ? NULL : ops->endpoint_why(endpoint);
}

struct tr__process {
    tr_world *world;
};

struct tr_listener {
    tr_world *world;
};

struct tr_lookout {
    tr_world *world;
};

struct tr_ear {
    tr_world *world;
};

// ---- Parcels ----

#define TR__PARCELS_MAX 253 // that go along with one send: the system's own limit

typedef enum tr__parcel_kind {
    TR__PARCEL_SOCKET,
    TR__PARCEL_INPUT, // the end of a pipe that is read
    TR__PARCEL_OUTPUT,
    TR__PARCEL_LISTENER
} tr__parcel_kind;

// It belongs to no loop, and one at a time uses it. A frame on its way holds it, too.
struct tr_parcel {
    const tr_world_ops *ops;
    tr__parcel_kind kind;
    bool given; // to another process, for good: what is closed here is closed there not
    atomic_uint holders;
};

static inline tr_parcel *tr__parcel_ref(tr_parcel *parcel)
{
    atomic_fetch_add_explicit(&parcel->holders, 1, memory_order_relaxed);
    return parcel;
}

static inline void tr__parcel_unref(tr_parcel **parcel)
{
    tr_parcel *left = *parcel;
    *parcel = NULL;
    if (left != NULL && atomic_fetch_sub(&left->holders, 1) == 1)
        left->ops->parcel_free(left);
}

// Whether nobody else can get at what is in it any more.
static inline bool tr__parcel_is_last(const tr_parcel *parcel)
{
    return atomic_load(&parcel->holders) == 1;
}

#endif
