// The structures of the core: nodes, loops, actors, messages. Every file of the core works on
// these; the layers above use the functions at the end of each part and the route (route.h).
//
// Everything of a loop belongs to that loop's thread. An actor never leaves its loop.
#ifndef TROUPE_CORE_CORE_H
#define TROUPE_CORE_CORE_H

#include <troupe/actor.h>
#include <troupe/timer.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "core/world.h"

typedef struct tr_loop tr_loop;
typedef struct tr_node tr_node;

// ---- Messages (msg.c) ----

// One allocation: this, then the name with its NUL, then the body unless it lies in `storage`.
struct tr_msg {
    tr_msg *next; // in a mailbox
    tr_addr from;
    const uint8_t *body;
    tr_buf *storage; // holds the body of a large message that came over a link; or NULL
    tr_buf **bufs;
    char *json;    // made on demand
    void *inflow;  // of a message that came over a link: whom to tell that it is consumed
    tr_down *down; // of a monitor's notice: in this same allocation
    uint32_t body_size;
    uint32_t weight; // bytes that count against limits: body, name and buffers
    uint8_t buf_count;
    uint8_t name_len;
    bool block; // its memory is one of the small blocks (msg.c)
    char name[];
};

typedef struct tr__queue {
    tr_msg *head, *tail;
} tr__queue;

void tr__queue_push(tr__queue *queue, tr_msg *msg);
tr_msg *tr__queue_pop(tr__queue *queue);

// A name's length if it is a good one: 1 to TR_NAME_MAX bytes; otherwise 0.
size_t tr__name_check(const char *name);

// A message with room for a body of body_size bytes at ret_msg->body, to be filled in.
int tr__msg_new(const char *name, size_t name_len, size_t body_size, tr_msg **ret_msg);

// Give back the small blocks that the loop keeps.
void tr__msg_blocks_clear(tr_loop *loop);

// A monitor's notice, whose reason is set when it is known. Setting cannot fail.
int tr__notice_new(uint64_t monitor, tr_addr addr, tr_msg **ret_msg);
void tr__notice_set(tr_msg *notice, tr_reason reason);

// ---- Jobs: ticks and microtasks (jobs.c) ----

typedef struct tr__job {
    tr_callback cb;
    void *arg;
} tr__job;

typedef struct tr__ring {
    tr__job *jobs;
    uint32_t head, count, capacity; // capacity: 0 or a power of two
} tr__ring;

typedef struct tr__jobs {
    tr__ring ticks, microtasks;
    bool in_microtasks; // the last one that ran was one: ticks wait for the rest
} tr__jobs;

// What an actor had left when its budget ran out, or what another turn gave it to do.
typedef struct tr__backlog {
    tr__list pending; // in loop->pending
    tr_actor *actor;
    tr__jobs jobs;
} tr__backlog;

void tr__jobs_clear(tr__jobs *jobs);
void tr__backlog_drop(tr_actor *actor);
int tr__microtask(tr_actor *actor, tr_callback cb, void *arg); // also from another actor's turn

// ---- Timers (timer.c) ----

// A timer of the runtime's own: fire runs once in the timers phase, outside of any turn.
typedef struct tr__timer {
    tr__heap_node node;
    void (*fire)(struct tr__timer *timer);
} tr__timer;

int tr__timer_arm(tr_loop *loop, tr__timer *timer, uint64_t due); // armed already: moved
void tr__timer_disarm(tr_loop *loop, tr__timer *timer);
void tr__timers_run(tr_loop *loop);

// ---- Actors (actor.c, mailbox.c, monitor.c) ----

typedef enum tr__actor_state {
    TR__STARTING,
    TR__RUNNING,
    TR__EXITING, // waits for the close phase: no callback any more but stop
    TR__CLOSED   // stop has run
} tr__actor_state;

// Something that ends with an actor. close unlinks nothing: that has been done.
typedef struct tr__owned {
    tr__list link;
    void (*close)(struct tr__owned *owned);
} tr__owned;

// Somebody who wants to hear of an actor's end. Unlinked before the call.
typedef struct tr__watcher {
    tr__list link;
    void (*ended)(struct tr__watcher *watcher, tr_reason reason);
} tr__watcher;

struct tr_actor {
    tr_loop *loop;
    const tr_behavior *behavior;
    uint64_t id; // the actor half of its address
    tr_addr parent;
    tr__list run;      // in exactly one of the loop's births, runnable, closing; or in none
    tr__queue mail;    // what actors send
    tr__queue notices; // downs: before the mail, and beyond its limits
    uint32_t mail_count, mail_max;
    uint32_t mail_bytes, mail_bytes_max;
    tr__owned child; // in the parent's owned
    tr__list owned;
    tr__list watchers; // tr__watcher
    tr__list waiters;  // tr__waiter: until there is room in the mailbox
    tr__backlog *backlog;
    const tr_msg *stop_after; // in the mail: the last one before it is asked to stop
    tr_reason reason;
    uint8_t state;   // tr__actor_state
    bool stop_asked; // it ends before its next message
    bool started;    // so it will have its stop
    bool refused;    // a sender was, for lack of room, and none was told that there is some
    bool root;       // no actor owns it
    _Alignas(max_align_t) unsigned char memory[]; // the behaviour's state
};

_Static_assert(sizeof(struct tr_actor) <= 256, "the budget of an idle actor (DESIGN.md section 5)");

// What a caller of the API must be: the actor whose turn it is, on its own thread.
bool tr__actor_here(const tr_actor *self);

tr_actor *tr__actor_find(const tr_node *node, uint64_t id); // NULL: not there, or past its exit
tr_addr tr__actor_addr(const tr_actor *actor);

// args: packed or built; copied
int tr__actor_new(tr_loop *loop, tr_actor *parent, const tr_behavior *behavior,
                  const tr_spawn_opts *opts, tr_addr parent_addr, tr_actor **ret_actor);
void tr__actor_exit(tr_actor *actor, tr_reason reason); // the first reason stays
// What the asker (or with actor 0: its whole node; nobody: no one) has sent before is handled
// first.
void tr__actor_ask_stop(tr_actor *actor, tr_addr asker);
void tr__actor_wake(tr_actor *actor); // there is mail

// A turn: what stands between begin and end, then its jobs. The actor must be running.
void tr__turn_begin(tr_actor *actor);
void tr__turn_end(tr_actor *actor);
void tr__turn(tr_actor *actor, tr_callback cb, void *arg);

void tr__births_run(tr_loop *loop);
void tr__closing_run(tr_loop *loop);

// Deliver, beyond any limit: the window of the link that a message came over was its limit.
// moves: *msg, always
void tr__mail_put(tr_actor *actor, tr_msg **msg);
void tr__notice_put(tr_actor *actor, tr_msg **notice);
void tr__mail_run(tr_loop *loop);
void tr__mail_drop(tr_actor *actor);                // all of it, as dead letters
void tr__msg_consumed(tr_loop *loop, tr_msg **msg); // handled or dropped: free it, give credit back
void tr__dead_letter(tr_loop *loop);

// Somebody who was told TR_EFULL. Owned by the one who waits, listed where there is no room.
typedef struct tr__waiter {
    tr__owned owned;
    tr__list link;
    tr_actor *actor;
    tr_callback cb;
    void *arg;
} tr__waiter;

void tr__waiters_run(tr_loop *loop); // those in loop->writable, each in a turn of its own

// A monitor: owned by the one who watches. Its notice is made when it is set, so that the end of
// the other can always be told.
typedef struct tr__monitor {
    tr__owned owned;
    tr__watcher watcher; // in the watched actor's list, or in a remote one's (route.h)
    tr_actor *actor;
    tr_addr target;
    uint64_t ref;
    tr_msg *notice;
} tr__monitor;

// ---- Loops (loop.c) ----

typedef struct tr__immediates {
    struct tr__immediate {
        uint64_t actor; // an id: one that has ended misses
        tr_callback cb;
        void *arg;
    } * items;
    uint32_t count, capacity;
} tr__immediates;

struct tr_loop {
    tr_node *node;
    tr_world *world;
    tr_actor *current; // whose turn it is
    uint32_t index;    // in the node
    tr__slots actors;
    tr__list births, runnable, closing, pending;
    tr__list writable;                   // tr__waiter: there is room now
    tr__immediates immediates, checking; // armed; being run
    tr__jobs jobs;                       // of the current turn
    tr__heap timers;
    tr__slots timer_ids;
    tr__map monitors; // by ref
    uint64_t next_ref;
    uint64_t dead_letters;
    tr_msg *blocks; // that were small messages (msg.c)
    uint32_t block_count;
};

// One iteration: every phase once. Waits in poll if there is nothing to do.
void tr__loop_step(tr_loop *loop);
// When there is something to do next: 0 now, TR__NEVER only when poked from outside.
uint64_t tr__loop_due(const tr_loop *loop);

extern _Thread_local tr_loop *tr__loop_here; // the loop that runs on this thread

#endif
