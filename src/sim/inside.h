// What the files of the simulator share, and nobody else.
//
// Processes, worlds, sources and programs hang in lists in the order of their creation, and every
// choice is a draw over such a list: an address of memory never decides anything.
#ifndef TROUPE_SIM_INSIDE_H
#define TROUPE_SIM_INSIDE_H

#include "base/assert.h"
#include "base/list.h"
#include "sim/disk.h"
#include "sim/sim.h"

// What descriptors and endpoints lead to: one half of a pipe, a file, or nothing.
struct sim_half {
    tr_sim *sim;
    unsigned refs;
    struct sim_half *peer;  // NULL: it has gone
    tr__list segments;      // on their way here
    size_t used;            // bytes in them
    uint64_t last_due;      // of the last arrival
    bool ended;             // the end arrives, too, at last_due
    int end;                // what is read then: 0 or an error
    struct sim_file *file;  // NULL: it is none
    size_t at;              // where the next byte of the file is read or written
    unsigned columns, rows; // of a terminal; 0: it is none
    bool raw;
};

struct tr_sim {
    uint64_t now;
    uint64_t random; // the generator's state
    uint64_t hash;
    int64_t last_pid;
    uint64_t last_world;
    uint64_t last_source;
    uint32_t last_port;
    tr__list programs;
    tr__list processes;
    tr__list listeners;
    struct sim_disk disk;
    struct sim_half null; // the one that is empty and takes all
    bool stepping;
    size_t capacity;
    uint64_t delay_max;
    uint64_t healed_at; // nothing that was sent arrives before
    bool whole;
    char *notified; // NULL: nothing yet
    uint64_t watchdog_ns;
    int spawn_error;
    unsigned spawn_error_in; // 0: none will fail
};

struct sim_listed {
    tr__list node; // in sim->programs
    const tr_sim_program *program;
};

// One loop of a process: its main one, or that of a thread.
struct sim_world {
    tr_world base;
    struct sim_process *process;
    tr__list node; // in process->worlds
    uint64_t id;   // for the hash
    tr__list sources;
    const tr_thread_up *up; // what runs it; NULL: nothing does, or the test itself
    void *owner;
    bool started; // thread_start has not been joined yet
    bool woken;
    bool polling;
    uint64_t idle, slept_at;
    bool asleep; // in a real world its last poll would not have come back yet
};

struct sim_process {
    tr_sim *sim;
    tr__list node; // in sim->processes
    int64_t pid;
    struct sim_world main;
    tr__list worlds; // main, and those of its threads
    tr__list ears;
    uint64_t last_sent;            // when the last of all that it sent arrives
    const tr_sim_program *program; // NULL: the test itself, behind tr__sim_world
    void *state;
    struct sim_child *child;          // how its parent knows it
    struct sim_half *stdio[TR__ENDS]; // by descriptor; NULL: closed
    bool opened;                      // state is there
    bool busy;                        // its code is on the stack: may be dead, must not be freed
    bool dead;
    bool stopped; // by SIGSTOP
};

// What a source can tell, one upcall each.
enum {
    SIM_READ = TR__READ,
    SIM_WRITE = TR__WRITE,
    SIM_CLOSED = 4,
    SIM_ACCEPT = 8,
    SIM_EXIT = 16,
    SIM_HEARD = 32 // by a lookout or an ear
};
#define SIM_LAST SIM_HEARD

// Something of a world's that makes upcalls: an endpoint, a listener, a child, a lookout or an ear.
struct sim_source {
    tr__list node; // in its world's sources
    uint64_t id;   // for the hash
    unsigned told; // in this poll
    const struct sim_source_ops *ops;
};

struct sim_source_ops {
    // Since when or from when on the event can be told; TR__NEVER when it is not in sight.
    uint64_t (*due)(const struct sim_source *source, unsigned event);
    // Make the upcall.
    void (*tell)(struct sim_source *source, unsigned event);
    // Its process is dead: the others must find out. The owner still holds it.
    void (*sever)(struct sim_source *source);
    // An endpoint's owner hears closed, if it is to be told.
    void (*free)(struct sim_source *source, bool tell);
};

static inline struct sim_half *tr__sim_half_ref(struct sim_half *half)
{
    half->refs++;
    return half;
}

static inline struct sim_world *sim_world_of(tr_world *world)
{
    return (struct sim_world *)world;
}

static inline struct sim_process *sim_process_of(tr_world *world)
{
    return sim_world_of(world)->process;
}

// driver.c
uint64_t tr__sim_below(tr_sim *sim, uint64_t limit); // a number under limit; any, when that is 0
void tr__sim_note(tr_sim *sim, uint64_t fact);       // into the hash
uint64_t tr__sim_arrival(tr_sim *sim);               // when something that leaves now arrives
void tr__sim_wait(struct sim_world *world, uint64_t due);
void tr__sim_finish(struct sim_world *world); // let its thread run to its end

// world.c
extern const tr_world_ops tr__sim_world_ops;
void tr__sim_source_init(struct sim_source *source, tr_world *world,
                         const struct sim_source_ops *ops);
uint64_t tr__sim_sources_due(const struct sim_world *world);
void tr__sim_sources_sever(struct sim_world *world);
void tr__sim_sources_free(struct sim_world *world, bool tell);

// thread.c
void tr__sim_world_init(struct sim_world *world, struct sim_process *process);
void tr__sim_world_free(struct sim_world *world, bool tell);
void tr__sim_world_close(tr_world **world);
int tr__sim_another(tr_world *world, tr_world **ret_world);
int tr__sim_thread_start(tr_world *world, const tr_thread_up *up, void *owner);
void tr__sim_thread_join(tr_world *world);

// process.c
int tr__sim_process_new(tr_sim *sim, const tr_sim_program *program,
                        struct sim_process **ret_process);
void tr__sim_process_step(struct sim_world *world); // of one of its loops
void tr__sim_process_end(struct sim_process *process, int code, int signal);
int tr__sim_spawn(tr_world *world, const tr_program *program, const tr_process_up *up, void *owner,
                  tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS]);
int tr__sim_process_signal(tr__process *process, int signal);
int64_t tr__sim_process_pid(const tr__process *process);
void tr__sim_process_close(tr__process **process);

// pipe.c
void tr__sim_half_init(struct sim_half *half, tr_sim *sim);
struct sim_half *tr__sim_half_new(tr_sim *sim); // NULL: no memory
int tr__sim_halves_new(tr_sim *sim, struct sim_half *ret_halves[2]);
void tr__sim_half_unref(struct sim_half **half, struct sim_process *by); // No-op on NULL
uint64_t tr__sim_half_due(const struct sim_half *half, unsigned event);  // SIM_READ, SIM_WRITE
ssize_t tr__sim_half_read(struct sim_half *half, const tr_iov *iov, int count);
ssize_t tr__sim_half_write(struct sim_half *half, struct sim_process *by, const tr_iov *iov,
                           int count);
// The same with parcels that go along, or come. ret_parcels: NULL: those that do are closed
ssize_t tr__sim_half_send(struct sim_half *half, struct sim_process *by, const tr_iov *iov,
                          int count, tr_parcel *const *parcels, int parcel_count);
ssize_t tr__sim_half_receive(struct sim_half *half, const tr_iov *iov, int count,
                             tr_parcel **ret_parcels, int *ret_count);
void tr__sim_half_shutdown(struct sim_half *half, struct sim_process *by);

// endpoint.c
struct sim_endpoint {
    tr_endpoint base;
    struct sim_source source;
    struct sim_half *half; // NULL: nobody will answer, or it is cut off
    bool borrowed;         // the half is others', too
    bool raw;              // it has set that
    uint64_t connected;    // when that is known
    tr_site site, peer_site;
    int64_t peer_pid;
    const tr_endpoint_up *up;
    void *owner;
    unsigned want;
    bool closing;
};
int tr__sim_endpoint_new(tr_world *world, struct sim_half **half, // moves: *half, on success
                         tr_endpoint **ret_endpoint);
void tr__sim_endpoint_bind(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner);
void tr__sim_endpoint_want(tr_endpoint *endpoint, unsigned events);
ssize_t tr__sim_endpoint_read(tr_endpoint *endpoint, const tr_iov *iov, int count);
ssize_t tr__sim_endpoint_write(tr_endpoint *endpoint, const tr_iov *iov, int count);
void tr__sim_endpoint_shutdown(tr_endpoint *endpoint);
void tr__sim_endpoint_close(tr_endpoint *endpoint);
int tr__sim_endpoint_connected(tr_endpoint *endpoint);
void tr__sim_endpoint_tune(tr_endpoint *endpoint, const tr_tuning *tuning);
int tr__sim_endpoint_site(tr_endpoint *endpoint, bool peer, tr_site *ret_site);
int tr__sim_endpoint_cred(tr_endpoint *endpoint, tr_peer_cred *ret_cred);
int tr__sim_endpoint_twin(tr_endpoint *endpoint);
int tr__sim_borrow(tr_world *world, int fd, tr_endpoint **ret_endpoint);
int tr__sim_terminal_size(tr_endpoint *endpoint, unsigned *ret_columns, unsigned *ret_rows);
int tr__sim_terminal_raw(tr_endpoint *endpoint, bool raw);
int tr__sim_endpoint_lone(tr_world *world, tr_endpoint **ret_endpoint); // nobody is to answer it
// Where it is, and when it is known to be connected, or refused.
void tr__sim_endpoint_place(tr_endpoint *endpoint, const tr_site *site, const tr_site *peer,
                            uint64_t connected);

// parcel.c
ssize_t tr__sim_endpoint_send(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                              tr_parcel *const *parcels, int count);
ssize_t tr__sim_endpoint_receive(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                                 tr_parcel **ret_parcels, int *ret_count, bool *ret_lost);
int tr__sim_endpoint_leave(tr_endpoint **endpoint, tr_parcel **ret_parcel);
int tr__sim_endpoint_enter(tr_world *world, tr_parcel **parcel, tr_endpoint **ret_endpoint);
int tr__sim_parcel_pair(tr_world *world, tr_parcel *ret_parcels[2]);
int tr__sim_parcel_copy(const tr_parcel *parcel, tr_parcel **ret_parcel);
void tr__sim_parcel_site(const tr_parcel *parcel, tr_site *ret_site);
void tr__sim_parcel_free(tr_parcel *parcel);
// A pipe whose other end is in no world yet: it is at `theirs`, and will be process pid's.
int tr__sim_pipe_half(tr_world *a, const tr_site *mine, const tr_site *theirs, int64_t pid,
                      tr_endpoint **ret_a, tr_parcel **ret_b);

// listener.c
int tr__sim_listener_open(tr_world *world, const tr_site *site, const tr_listen_how *how,
                          tr_parcel **ret_parcel);
int tr__sim_listener_share(const tr_listener *listener, tr_parcel **ret_parcel);
int tr__sim_listener_enter(tr_world *world, tr_parcel **parcel, const tr_listen_how *how,
                           const tr_listener_up *up, void *owner, tr_listener **ret_listener);
tr_parcel *tr__sim_spot_parcel(const tr_parcel *parcel); // one more
void tr__sim_spot_site(const tr_parcel *parcel, tr_site *ret_site);
void tr__sim_spot_free(tr_parcel *parcel);
int tr__sim_listen(tr_world *world, const tr_site *site, const tr_listen_how *how,
                   const tr_listener_up *up, void *owner, tr_listener **ret_listener);
void tr__sim_listener_site(const tr_listener *listener, tr_site *ret_site);
void tr__sim_listener_want(tr_listener *listener, bool accept);
int tr__sim_resolve(tr_world *world, const tr_site *site, tr_site *ret_sites, int max);
int tr__sim_connect(tr_world *world, const tr_site *site, tr_endpoint **ret_endpoint);
void tr__sim_listener_close(tr_listener **listener);

// file.c
int64_t tr__sim_file(tr_world *world, const tr__file_call *call);
int tr__sim_file_door(tr_world *world, int fd, tr_endpoint **ret_endpoint);
void tr__sim_files_close(struct sim_process *process);                     // that it has left open
int tr__sim_file_twin(struct sim_process *process, struct sim_half *half); // a descriptor for it
int tr__sim_file_find(tr_sim *sim, const char *path,
                      struct sim_file **ret_file);           // gives a reference
void tr__sim_file_unref(tr_sim *sim, struct sim_file *file); // No-op on NULL
ssize_t tr__sim_file_read(tr_sim *sim, const struct sim_file *file, size_t at, const tr_iov *iov,
                          int count);
ssize_t tr__sim_file_write(tr_sim *sim, struct sim_file *file, size_t at, const tr_iov *iov,
                           int count);
void tr__sim_disk_clear(tr_sim *sim);

// signal.c
int tr__sim_hear(tr_world *world, int signum, const tr_ear_up *up, void *owner, tr_ear **ret_ear);
void tr__sim_ear_close(tr_ear **ear);
// Tell the ears of a process. Returns whether there are any.
bool tr__sim_heard(struct sim_process *process, int signum);
int64_t tr__sim_own(tr_world *world, tr__own what, int arg);
int tr__sim_notify(tr_world *world, const char *state);

// lookout.c
int tr__sim_watch(tr_world *world, const char *path, const tr_lookout_up *up, void *owner,
                  tr_lookout **ret_lookout);
void tr__sim_lookout_close(tr_lookout **lookout);
void tr__sim_lookouts_tell(tr_sim *sim, const char *path, unsigned events);

#endif
