// The structures of a cluster, for its files:
//
// cluster.c          slots and workers: starting, failing, draining; what the cluster is asked
// cluster_roll.c     replacing them
// cluster_ports.c    what they listen at, and who gets a connection
// cluster_worker.c   the other side: in a worker's process
#ifndef TROUPE_ACTORS_CLUSTER_H
#define TROUPE_ACTORS_CLUSTER_H

#include <troupe.h>

#include "restarts.h"
#include "spec.h"

#define TR__CLUSTER_NOTICE "troupe.cluster" // from the cluster to an actor of a worker

struct slot;

// One process.
struct worker {
    tr_buf *memory; // its own
    struct worker *before, *behind;
    struct slot *slot;
    uint64_t id, incarnation;
    tr_addr addr;
    int64_t pid;
    uint64_t monitor;
    tr_timer timer; // until it is to be ready
    uint64_t born;
    bool ready, draining;
    bool rolled;   // the roll has started it, and waits for it
    bool fresh;    // runs what lay at the program's path when it was started
    uint32_t load; // connections that it was handed and that are open
};

enum roll_stage {
    ROLL_NONE, // there is no roll, or it is through here
    ROLL_TODO,
    ROLL_STARTING, // a fresh one: slot->coming, or slot->now if there is no old one
    ROLL_DRAINING  // the old one
};

struct slot {
    tr_buf *memory; // its own
    struct slot *behind;
    uint32_t number;
    uint32_t workers;      // of all ages
    struct worker *now;    // NULL: it waits to be started again
    struct worker *coming; // in a roll: takes its place when it is ready
    bool waits;            // for its next start
    tr_timer timer;        // then
    uint32_t failures;     // since one has lived long enough
    uint64_t restarts, incarnations;
    bool fresh;   // its last ready worker was
    bool leaving; // it goes with its last worker
    enum roll_stage roll;
    uint32_t tries; // that have failed
};

struct port;

struct cluster {
    tr_cluster_spec spec; // with its defaults
    tr_spawn_opts opts;
    tr_buf *doc;                 // that they point into
    struct slot *slots;          // by number
    struct worker *first, *last; // in the order of their starts
    uint64_t last_id;
    uint32_t size; // slots that do not leave
    tr__limit limit;
    uint64_t random;
    bool fresh; // new slots begin so: the last roll went through
    bool ends;
    int reason; // then

    struct {
        bool on, all;
        tr_asker asker; // who may not exist
        uint32_t parallel, done;
    } roll;

    struct port *ports;
    uint32_t open; // connections, handed out
};

static inline struct cluster *tr__cluster_of(tr_actor *self)
{
    return tr_state(self);
}

// ---- cluster.c ----

// Start a worker. errors: as tr_spawn
int tr__cluster_start_worker(tr_actor *self, struct slot *slot, bool fresh,
                             struct worker **ret_worker);
void tr__cluster_drain(tr_actor *self, struct worker *w); // no-op on NULL, or again
void tr__cluster_wait(tr_actor *self, struct slot *slot); // for the next start of one that failed

// What an event has besides; what is not set is null.
struct fact {
    const char *reason, *hung, *address;
    tr_val delay_ms;
};
// Tell the observer. slot, w, fact: NULL: there is none
void tr__cluster_tell(tr_actor *self, const char *event, const struct slot *slot,
                      const struct worker *w, const struct fact *fact);
void tr__cluster_became_ready(tr_actor *self, struct worker *w);
struct worker *tr__cluster_worker_at(const struct cluster *c, tr_addr addr); // of any of its actors
void tr__cluster_check(tr_actor *self, int rc); // without memory it ends

// ---- cluster_roll.c ----

int tr__roll_begin(tr_actor *self, const tr_msg *msg); // what the cluster is asked
int tr__roll_one(tr_actor *self, const tr_msg *msg);
void tr__roll_go(tr_actor *self);
bool tr__roll_ready(tr_actor *self, struct worker *w);
void tr__roll_start(tr_actor *self, struct slot *slot);  // its fresh worker, perhaps again
void tr__roll_failed(tr_actor *self, struct slot *slot); // that one has
void tr__roll_gone(tr_actor *self, struct slot *slot);   // one that was drained
void tr__roll_end(tr_actor *self, int error);

// ---- cluster_ports.c ----

int tr__ports_listen(tr_actor *self, const tr_msg *msg); // a worker wants to
int tr__ports_unlisten(tr_actor *self, const tr_msg *msg);
int tr__ports_closed(tr_actor *self, const tr_msg *msg); // connections
int tr__ports_returned(tr_actor *self, const tr_msg *msg);
void tr__ports_forget(tr_actor *self, const struct worker *w); // no more connections for it
void tr__ports_gone(tr_actor *self, struct worker *w);         // it is down
bool tr__ports_down(tr_actor *self, const tr_down *down);      // whether it is of one that listens
void tr__ports_limit(tr_actor *self); // there are more slots, or fewer: each has another part
void tr__ports_clear(tr_actor *self);

#endif
