// What the files of the real world share, and nobody else: libuv is included only here.
#ifndef TROUPE_UV_INSIDE_H
#define TROUPE_UV_INSIDE_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <uv.h>

#include "base/assert.h"
#include "base/list.h"
#include "uv/uv.h"

// A descriptor that libuv watches: what endpoints, processes and listeners have in common.
struct real_source {
    struct real_world *world;
    tr__list node; // in world->sources; a closed endpoint's: in world->ended
    uv_poll_t poll;
    int fd;
    void (*close)(struct real_source *source); // for a world that closes before the owner did
    tr__list rest;                             // in world->resting; itself: it does not
    uint64_t rests_until;
    void (*rested)(struct real_source *source);
};

struct real_endpoint {
    tr_endpoint base;
    struct real_source source;
    int fd; // what is read and written: the source's own, but for a file, which cannot be watched
    enum {
        REAL_SOCKET,
        REAL_BORROWED, // a socket that others have, too
        REAL_OPENED,   // a pipe or terminal, opened by us
        REAL_SHARED,   // one that could not be: it may block, and is asked before
        REAL_FILE      // never has one wait, or always
    } kind;
    bool raw; // it has set its terminal so
    unsigned want;
    const tr_endpoint_up *up; // NULL: not bound, nobody is to hear of it
    void *owner;
};

// Whether to poll for a little while before sleeping: spin.c.
struct real_spin {
    struct real_endpoint *hot; // moved bytes last, and wants to read; NULL: none
    unsigned shorts;           // short waits in a row
    unsigned patience;         // so many short waits before the next spin
    bool wrote;                // since the last spin: an answer is to be expected
    unsigned wins;             // spins that paid since libuv's loop last ran
};

struct real_world {
    tr_world base;
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    uint64_t timer_due; // what the timer is set to; TR__NEVER: it is stopped
    atomic_bool woken;  // by wake, and poll has not taken it yet
    atomic_bool asleep; // in libuv's loop, so wake must send
    uint64_t due;       // that the last poll was to wait for
    uint64_t glanced;   // when libuv had nothing to tell; 0: ask it
    bool polling;
    bool stirred;           // there was something to tell in this poll
    struct real_host *host; // polls for it, so it does not wait itself (host.c); NULL: nobody
    struct real_spin spin;
    bool guarded;     // has a part in the guard
    tr__list sources; // open
    tr__list resting; // sources, in the order in which they go on
    tr__list lookouts;
    tr__list ears;
    unsigned ear_count, hears_at; // while it has any: its place among those that signals wake, + 1
    tr__list ended; // endpoints that libuv has let go of; their owners hear in the next poll
    const tr_thread_up *thread_up; // NULL: no thread, or joined
    void *thread_owner;
    pthread_t thread;
};

static inline struct real_world *real_world_of(tr_world *world)
{
    return (struct real_world *)world;
}

// There is something to tell, so the world does not sleep any more.
static inline void real_world_stir(struct real_world *world)
{
    world->stirred = true;
    atomic_store_explicit(&world->asleep, false, memory_order_relaxed);
}

// world.c
extern const tr_world_ops tr__uv_world_ops;
uint64_t tr__uv_now(tr_world *world);
// Take a wake, which stirs. Returns whether there was one.
bool tr__uv_woken(struct real_world *world);
void tr__uv_run(struct real_world *world, uv_run_mode mode);

// host.c
void tr__uv_host_close(struct real_world *world);

// thread.c
int tr__uv_thread_start(tr_world *world, const tr_thread_up *up, void *owner);
void tr__uv_thread_join(tr_world *world);

// source.c
// moves: fd, only on success
int tr__uv_source_open(struct real_world *world, int fd, void (*close)(struct real_source *source),
                       struct real_source *source);
void tr__uv_source_watch(struct real_source *source, int events, uv_poll_cb cb);
// The descriptor is closed now; the memory may go when cb comes.
void tr__uv_source_close(struct real_source *source, uv_close_cb cb);
int tr__uv_source_leave(struct real_source *source, uv_close_cb cb); // it is not: returns it
// It is ready and cannot be served: its owner does not watch it for a while. Then `rested` comes, in
// a poll, unless it is closed.
void tr__uv_source_rest(struct real_source *source, void (*rested)(struct real_source *source));
bool tr__uv_source_rests(const struct real_source *source);
// Let those go on whose time has come. returns: when the next one's does; TR__NEVER: none rests
uint64_t tr__uv_rests_end(struct real_world *world, uint64_t now);

// spin.c
void tr__uv_spin_init(struct real_spin *spin);
// Poll briefly, if that has paid of late. Returns whether there is no need to sleep any more.
bool tr__uv_spin(struct real_world *world, uint64_t start, uint64_t due);
// Learn from a poll that slept.
void tr__uv_spin_learn(struct real_world *world, uint64_t waited);

// site.c
union real_address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};
// A socket for the site, non-blocking, and the site as the system has it.
int tr__uv_socket(const tr_site *site, union real_address *ret_address, socklen_t *ret_size);
int tr__uv_socket_site(int fd, bool peer, tr_site *ret_site);
void tr__uv_socket_tune(int fd, const tr_tuning *tuning); // one of TCP
int tr__uv_resolve(tr_world *world, const tr_site *site, tr_site *ret_sites, int max);

// endpoint.c
void tr__uv_endpoint_rest(struct real_endpoint *endpoint); // do not write for a while
// moves: fd, only on success
int tr__uv_endpoint_open(struct real_world *world, int fd, tr_endpoint **ret_endpoint);
// The same, of another kind. watched: the descriptor to poll, if that is another one; moves, too.
int tr__uv_endpoint_open_as(struct real_world *world, int kind, int fd, int watched,
                            tr_endpoint **ret_endpoint);
void tr__uv_endpoint_bind(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner);
void tr__uv_endpoint_want(tr_endpoint *endpoint, unsigned events);
ssize_t tr__uv_endpoint_read(tr_endpoint *endpoint, const tr_iov *iov, int count);
ssize_t tr__uv_endpoint_write(tr_endpoint *endpoint, const tr_iov *iov, int count);
void tr__uv_endpoint_shutdown(tr_endpoint *endpoint);
void tr__uv_endpoint_close(tr_endpoint *endpoint);
int tr__uv_connect(tr_world *world, const tr_site *site, tr_endpoint **ret_endpoint);
int tr__uv_endpoint_connected(tr_endpoint *endpoint);
void tr__uv_endpoint_tune(tr_endpoint *endpoint, const tr_tuning *tuning);
int tr__uv_endpoint_site(tr_endpoint *endpoint, bool peer, tr_site *ret_site);
int tr__uv_endpoint_cred(tr_endpoint *endpoint, tr_peer_cred *ret_cred);
// Nothing of it is left in the world but its memory. returns: its descriptor
int tr__uv_endpoint_strip(struct real_endpoint *endpoint);
// Free what libuv has let go of; its owners hear of it.
void tr__uv_endpoints_end(struct real_world *world);

// borrowed.c: endpoints that are no sockets
int tr__uv_borrow(tr_world *world, int fd, tr_endpoint **ret_endpoint);
ssize_t tr__uv_file_read(struct real_endpoint *endpoint, const tr_iov *iov, int count);
ssize_t tr__uv_file_write(struct real_endpoint *endpoint, const tr_iov *iov, int count);
// As writev, without a SIGPIPE. returns: bytes or an error
ssize_t tr__uv_write_quietly(int fd, const struct iovec *iov, int count);

// terminal.c
int tr__uv_terminal_size(tr_endpoint *endpoint, unsigned *ret_columns, unsigned *ret_rows);
int tr__uv_terminal_raw(tr_endpoint *endpoint, bool raw);

// process.c
int tr__uv_spawn(tr_world *world, const tr_program *program, const tr_process_up *up, void *owner,
                 tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS]);
int tr__uv_process_signal(tr__process *process, int signal);
int tr__uv_process_signal_group(tr__process *process, int signal);
int64_t tr__uv_process_pid(const tr__process *process);
void tr__uv_process_close(tr__process **process);

// start.c
// Start a program with these as its descriptors, where they are not 0; and `more` of them, as many
// as program->how says, from 3 on, where they are not -1.
// gives: *ret_pidfd
int tr__uv_start(const tr_program *program, const int theirs[TR__ENDS], const int *more,
                 pid_t *ret_pid, int *ret_pidfd);

// guard.c
// Have a process group killed when this process is gone. Returns a number for it; 0: it will not.
unsigned tr__uv_guard_add(struct real_world *world, pid_t group);
void tr__uv_guard_remove(unsigned number);
void tr__uv_guard_leave(struct real_world *world); // it has none any more

// listener.c
int tr__uv_listen(tr_world *world, const tr_site *site, const tr_listen_how *how,
                  const tr_listener_up *up, void *owner, tr_listener **ret_listener);
void tr__uv_listener_site(const tr_listener *listener, tr_site *ret_site);
void tr__uv_listener_want(tr_listener *listener, bool accept);
void tr__uv_listener_close(tr_listener **listener);
int tr__uv_listener_open(tr_world *world, const tr_site *site, const tr_listen_how *how,
                         tr_parcel **ret_parcel);
int tr__uv_listener_share(const tr_listener *listener, tr_parcel **ret_parcel);
int tr__uv_listener_enter(tr_world *world, tr_parcel **parcel, const tr_listen_how *how,
                          const tr_listener_up *up, void *owner, tr_listener **ret_listener);

// parcel.c
struct real_parcel {
    tr_parcel base;
    int fd;
    bool has_path;    // of a listener, which goes with it
    struct stat file; // of the path, as bind made it
};
// moves: fd, only on success
int tr__uv_parcel_new(tr__parcel_kind kind, int fd, struct real_parcel **ret_parcel);
// Take its descriptor out, or another one where somebody else still holds it. errors: system errors
int tr__uv_parcel_fd(const struct real_parcel *parcel);
void tr__uv_parcel_spent(tr_parcel **parcel, int fd); // that is the one which was taken out
void tr__uv_path_unlink(const char *path, const struct stat *file); // unless it is another's now
int tr__uv_parcel_pair(tr_world *world, tr_parcel *ret_parcels[2]);
int tr__uv_parcel_of(tr_world *world, int fd, tr_parcel **ret_parcel);
int tr__uv_parcel_copy(const tr_parcel *parcel, tr_parcel **ret_parcel);
void tr__uv_parcel_site(const tr_parcel *parcel, tr_site *ret_site);
void tr__uv_parcel_free(tr_parcel *parcel);
int tr__uv_endpoint_leave(tr_endpoint **endpoint, tr_parcel **ret_parcel);
int tr__uv_endpoint_enter(tr_world *world, tr_parcel **parcel, tr_endpoint **ret_endpoint);
ssize_t tr__uv_endpoint_send(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                             tr_parcel *const *parcels, int count);
ssize_t tr__uv_endpoint_receive(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                                tr_parcel **ret_parcels, int *ret_count, bool *ret_lost);

// file.c
int64_t tr__uv_file(tr_world *world, const tr__file_call *call);
int tr__uv_file_door(tr_world *world, int fd, tr_endpoint **ret_endpoint);
int tr__uv_endpoint_twin(tr_endpoint *endpoint);

// lookout.c
int tr__uv_watch(tr_world *world, const char *path, const tr_lookout_up *up, void *owner,
                 tr_lookout **ret_lookout);
void tr__uv_lookout_close(tr_lookout **lookout);
void tr__uv_lookouts_close(struct real_world *world); // all that are left

// signal.c
int tr__uv_hear(tr_world *world, int signum, const tr_ear_up *up, void *owner, tr_ear **ret_ear);
void tr__uv_ear_close(tr_ear **ear);
void tr__uv_ears_tell(struct real_world *world); // what has come
void tr__uv_ears_close(struct real_world *world);

// own.c
int64_t tr__uv_own(tr_world *world, tr__own what, int arg);
int tr__uv_notify(tr_world *world, const char *state);
// A listening socket that the process was started with: a descriptor of the caller's own for it.
// errors: TR_ENOENT, TR_EINVAL (it is none), system errors
int tr__uv_given(const char *name);

// orphan.c: telling children of ours from others. Between the first two no child is reaped that is
// not known.
struct real_kin {
    tr__list node;
    pid_t pid;
};
void tr__uv_kin_begin(void);
void tr__uv_kin_end(void);
void tr__uv_kin_add(struct real_kin *kin, pid_t pid);
void tr__uv_kin_remove(struct real_kin *kin); // it has been reaped
int tr__uv_orphans_reap(void);                // returns: how many

#endif
