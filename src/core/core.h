// The structures of the core: nodes, loops, actors, messages. Every file of the core works on
// these; the layers above use the functions at the end of each part and the route (route.h).
//
// Everything of a loop belongs to that loop's thread. An actor never leaves its loop. What one loop
// has to say to another it posts there (lane.c); nothing else is shared but what is atomic or under
// the node's lock.
#ifndef TROUPE_CORE_CORE_H
#define TROUPE_CORE_CORE_H

#include <stdatomic.h>
#include <troupe/actor.h>
#include <troupe/cancel.h>
#include <troupe/timer.h>

#include "base/assert.h"
#include "base/counter.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/slots.h"
#include "core/lane.h"
#include "core/msg.h"
#include "core/shown.h"
#include "core/stats.h"
#include "core/window.h"
#include "core/world.h"

typedef struct tr_node tr_node;

// Something that the runtime does in the next pending phase, outside of any turn.
typedef struct tr__later {
    tr__list link;                        // in loop->later
    void (*run)(struct tr__later *later); // unlinked before the call
} tr__later;

void tr__later_run(tr_loop *loop, tr__later *later); // it is not waiting already

// ---- Asks and answers (ask.c) ----

typedef struct tr__ask_head {
    uint64_t ask;
    uint64_t deadline; // on this node's clock
} tr__ask_head;

typedef struct tr__answer_head {
    tr_addr to;
    uint64_t ask;
    tr_reason reason;
    int status;
} tr__answer_head;

// A copy of what is not a notice, to be handled and answered in its place.
int tr__ask_copy(const tr_msg *msg, tr_msg **ret_copy);
bool tr__ask_is_ping(const tr_msg *msg);
// The message is done with; if it is an ask that nobody has answered, or will, do so.
void tr__ask_close(tr_loop *loop, tr_msg *msg, int status, tr_reason reason);
// An answer on its way, or there. moves: *answer, always
void tr__answer_pass(tr_loop *loop, tr_msg **answer);
void tr__answer_post(tr_loop *loop, tr_loop *to, tr_msg **answer); // on by another loop; likewise
// An answer to the actor whose turn comes. moves: *answer, always
void tr__answer_run(tr_actor *actor, tr_msg **answer);
void tr__asks_init(tr_loop *loop);

// ---- Jobs: ticks, microtasks, steps of streams (jobs.c) ----

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
    struct tr__stream *streams, *streams_last; // that have something to do (stream.c)
    bool in_microtasks; // the last one that ran was one: ticks wait for the rest
} tr__jobs;

void tr__jobs_clear(tr__jobs *jobs);
void tr__stream_run(tr_actor *self, void *stream); // the first of those streams
void tr__jobs_resume(tr_loop *loop, tr_actor *actor);
void tr__jobs_run(tr_loop *loop, tr_actor *actor);
void tr__backlog_drop(tr_actor *actor); // all jobs that are left, while it is not its turn
int tr__microtask(tr_actor *actor, tr_callback cb, void *arg); // also from another actor's turn

// ---- What few actors need (stash.c) ----

// Made when it is needed first, so that the others do not pay for it.
typedef struct tr__extra {
    // The backlog: jobs that were left when the budget ran out, or that another turn gave it to do.
    tr__list pending; // in loop->pending
    tr_actor *actor;
    tr__jobs jobs;

    tr__queue stash;
    uint32_t stash_count, stash_bytes;
    tr_receive receive; // instead of the behaviour's; NULL: that
    bool held;          // its mail waits

    tr__queue kept; // consumed mail whose senders are to hear of it when there is room

    tr__map last;      // message in the mail of each sender, as far as it has been looked at
    tr_msg *last_seen; // that far; NULL: not at all

    tr__list idler; // in loop->idlers, if it is to end when it is idle
} tr__extra;

int tr__extra_of(tr_actor *actor, tr__extra **ret_extra);
void tr__idle_run(tr_loop *loop);       // end those that are to end so (idle.c)
void tr__stash_return(tr_actor *actor); // to where it came from: in front of the mail

// ---- Timers (timer.c) ----

// A timer of the runtime's own: fire runs once in the timers phase, outside of any turn.
typedef struct tr__timer_store tr__timer_store;
typedef struct tr__timer {
    tr__heap_node node;
    void (*fire)(struct tr__timer *timer);
} tr__timer;

int tr__timer_arm(tr_loop *loop, tr__timer *timer, uint64_t due); // armed already: moved
void tr__timer_disarm(tr_loop *loop, tr__timer *timer);
void tr__timers_run(tr_loop *loop);
void tr__timers_each(const tr_loop *loop, void (*visit)(uint64_t due, void *arg), void *arg);
void tr__timers_clear(tr_loop *loop);

#define TR__DELAY_MAX ((uint64_t)1 << 62) // from now

// ---- Cancelling (cancel.c) ----

// What a call has of the token that may end it. cancelled comes outside of any turn, at most once;
// it has left the token by then.
typedef struct tr__carrier {
    tr__list link;     // in the token's
    tr_cancel *cancel; // NULL: none
    void (*cancelled)(struct tr__carrier *carrier);
} tr__carrier;

// cancel: NULL: there is none, and cancelled never comes
// errors: TR_EINVAL (another actor's), TR_ECANCELED
int tr__cancel_join(tr_cancel *cancel, const tr_actor *actor, tr__carrier *carrier,
                    void (*cancelled)(tr__carrier *carrier));
// Before the call's memory goes.
void tr__cancel_leave(tr__carrier *carrier);
// Whether the call has been cancelled and is to hear of it: when it ends now it ends so.
bool tr__cancel_comes(const tr__carrier *carrier);

// ---- Pace: looking at the clock, now and then (pace.c) ----

#define TR__TOLD 8u

typedef struct tr__pace {
    uint32_t turns;      // since the last look
    uint32_t look_after; // so many
    uint32_t careful;    // looks that are to come after one turn
    struct tr__told {
        uint64_t actor, until;
    } told[TR__TOLD]; // who has been warned of
} tr__pace;

// Set loop->now. Returns whether the turns since the last look took long.
bool tr__look(tr_loop *loop);
void tr__look_anew(tr_loop *loop); // turns begin: look, and again after the first one
void tr__look_last(tr_loop *loop); // turns are over, for now

// The last turn, for who looks behind it.
typedef struct tr__last {
    atomic_uint_fast64_t *actor; // where its id stands: in the loop, or where others see it (tap.h)
    const tr_behavior *behavior;
    const tr__what *what; // a message's goes with that: NULL then
} tr__last;

// ---- Watching for an end (watch.c) ----

// What is left of a process.
typedef struct tr__remains {
    tr_usage usage;
    char hung[TR_HUNG_MAX]; // as in tr_down
} tr__remains;

// Somebody who wants to hear of an actor's end, wherever that lives. Unlinked before the call.
typedef struct tr__watcher {
    tr__list link; // where the end is heard of
    void (*ended)(struct tr__watcher *watcher, tr_reason reason);
    // Tell another loop or node that nobody listens any more. NULL: nobody is to be told.
    void (*forget)(struct tr__watcher *watcher);
    void *place;                // forget's
    const tr__remains *remains; // in ended: of the process that has ended; NULL: it was none
} tr__watcher;

// Watch from this loop. Afterwards ended comes once, from outside this call, or tr__unwatch.
// errors: TR_ENOACTOR, TR_EDOWN (no link to its node), TR_ENOMEM
int tr__watch(tr_loop *loop, tr_addr addr, tr__watcher *watcher);
void tr__unwatch(tr__watcher *watcher); // no-op on one that watches nothing
// The same, by way of a loop that can: on an error there the watcher is told so.
int tr__watch_from(tr_loop *loop, tr_loop *to, tr_addr addr, tr__watcher *watcher);
tr_reason tr__watch_failed(int error); // why there is nothing to watch
// remains: of the process that has ended; NULL: it was none
void tr__watchers_tell(tr__list *watchers, tr_reason reason, const tr__remains *remains);

// ---- Links and kills (links.c) ----

typedef enum tr__signal_kind {
    TR__SIGNAL_LINK,
    TR__SIGNAL_UNLINK,
    TR__SIGNAL_EXIT,
    TR__SIGNAL_KILL
} tr__signal_kind;

typedef struct tr__signal {
    tr__post post;
    tr__signal_kind kind;
    tr_addr from, to;
    uint64_t mine, yours; // references: of the wish for the link of who sends it, of who gets it
    tr_reason reason;     // exit
} tr__signal;

int tr__signal_new(tr__signal_kind kind, tr_addr from, tr_addr to, tr__signal **ret_signal);
// To wherever its actor lives. moves: *signal, always
// errors: TR_ENOACTOR, TR_EDOWN, as far as this loop knows
int tr__signal_send(tr_loop *loop, tr__signal **signal);
void tr__signal_post(tr_loop *loop, tr_loop *to, tr__signal **signal); // the same, by way of a loop

// Link an actor to another one, which it is not linked to yet.
// errors: TR_ENOMEM, TR_EDOWN (no link to its node)
int tr__link_to(tr_actor *self, tr_addr other);
// The same in two steps. The link is complete when *ret_wish has been sent.
int tr__link_half(tr_actor *self, tr_addr other, tr__signal **ret_wish);
void tr__link_undo(tr_actor *self, tr__signal **wish); // no-op on NULL

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
    bool idle;   // does not keep one that is to end when it is idle (idle.c)
    bool serves; // is a server, to be shut when its actor exits (server.c)
} tr__owned;

// What every message touches stands in front.
struct tr_actor {
    tr_loop *loop;
    const tr_behavior *behavior;
    uint64_t id; // the actor half of its address
    union {
        tr__list run;  // in exactly one of the loop's births, runnable, closing; or in none
        tr__post trip; // a lodger's, there and home (birth.c)
    };
    uint8_t state;           // tr__actor_state
    uint8_t mail_policy : 7; // tr_mail_policy
    bool unusual : 1;        // extra says how mail is handled, or that it waits
    uint8_t out;             // a lodger's posts that are not at home. That loop's
    bool stop_asked : 1;     // it ends before its next message
    bool trap : 1;           // to be asked is a message to it
    bool args : 1;           // the first notice is what its start is to get
    bool started : 1;        // so it will have its stop
    bool refused : 1;        // a sender was, for lack of room, and none was told that there is some
    bool root : 1;           // no actor owns it
    bool lodger : 1;         // its seat belongs to the loop of its spawner (birth.c)
    bool slow : 1;           // its turn was, at the last look after one (pace.c)
    bool counts_senders : 1; // extra knows where the last message of each waits (senders.c)
    uint32_t mail_count;
    tr__queue mail; // what actors send
    uint32_t mail_max;
    uint32_t mail_bytes, mail_bytes_max;
    tr_reason reason;
    tr__queue notices; // what the runtime says: before the mail, and beyond its limits
    tr__extra *extra;
    const tr_msg *stop_after; // in the mail: the last one before it is asked to stop
    union {
        tr__owned child; // in the parent's owned: of a lodger that loop's
        tr__post stop;   // of a lodger whose parent has ended
    };
    tr_addr parent;
    tr__list owned;
    tr__list watchers;                            // tr__watcher
    tr__list waiters;                             // tr__waiter: until there is room in the mailbox
    _Alignas(max_align_t) unsigned char memory[]; // the behaviour's state
};

_Static_assert(sizeof(struct tr_actor) <= 224, "an idle actor with its slot and malloc's own costs "
                                               "256 bytes (DESIGN.md section 5)");

static inline bool tr__mail_is_held(const tr_actor *actor)
{
    return actor->unusual && actor->extra->held;
}

// What a caller of the API must be: the actor whose turn it is, on its own thread.
static inline bool tr__actor_here(const tr_actor *self);

static inline tr_actor *tr__actor_find(const tr_loop *loop,
                                       uint64_t id); // NULL: not there, or past its exit

// The options have been checked. args: packed or built; copied.
// gives:  *ret_actor, of no loop yet
int tr__actor_new(const tr_behavior *behavior, const tr_spawn_opts *opts, tr_actor **ret_actor);
// Make it one of the loop's, to be started in the next iteration. It has its id if it is a lodger.
// errors: TR_ENOMEM
int tr__actor_settle(tr_loop *loop, tr_actor *actor);
void tr__actor_unmake(tr_actor *actor); // one that never settled: all but its memory
void tr__actor_exit(tr_actor *actor, tr_reason reason); // the first reason stays
// Tell one that traps exits, instead of ending it: that `from` asks it to end, or, linked, has
// ended. Returns whether it traps; without memory to tell it is as if it did not.
bool tr__actor_trap(tr_actor *actor, tr_addr from, tr_reason reason, bool linked);
// What the asker (or with actor 0: its whole node; nobody: no one) has sent before is handled
// first.
void tr__actor_ask_stop(tr_actor *actor, tr_addr asker);
void tr__actor_wake(tr_actor *actor);                          // there is mail
int tr__addr_stop(tr_loop *loop, tr_addr addr, tr_addr asker); // wherever it lives; as tr_stop

// A turn: what stands between begin and end (at the end of this header), then its jobs. The actor
// must be running, but for its last turn, which takes up nothing that was left.
static inline void tr__turn_begin(tr_actor *actor, const tr__what *what);
static inline void tr__turn_begin_last(tr_actor *actor, const tr__what *what);
static inline void tr__turn_end(tr_actor *actor);
void tr__turn(tr_actor *actor, const tr__what *what, tr_callback cb, void *arg);

void tr__births_run(tr_loop *loop);
void tr__closing_run(tr_loop *loop);

// Deliver what has been accepted elsewhere: a limit on its way here was its limit. A mailbox that
// is full drops by its policy, if it has one.
// actor: NULL: it is gone. moves: *msg, always
void tr__mail_arrive(tr_loop *loop, uint64_t id, tr_actor *actor, tr_msg **msg);
// Deliver what a full mailbox loses by its policy, or without one.
// moves: *msg, always
void tr__mail_publish(tr_actor *actor, tr_msg **msg);
// Deliver what nobody is told of. moves: *msg, if there is room
void tr__mail_offer(tr_actor *actor, tr_msg **msg);
void tr__notice_put(tr_actor *actor, tr_msg **notice);
// The last message in the mail from there (actor 0: from a whole node). NULL: none (senders.c)
tr_msg *tr__senders_last(tr_actor *actor, tr_addr from);
void tr__senders_put(tr_actor *actor, tr_msg *behind, tr_msg *notice); // it is in the mail now
void tr__senders_left(tr_actor *actor, const tr_msg *msg);             // the oldest of the mail
void tr__senders_clear(tr_actor *actor); // forget all that was looked at
void tr__mail_run(tr_loop *loop);
void tr__mail_drop(tr_actor *actor); // all of it, as dead letters
// As tr_send_msg, from somebody whom the actor speaks for.
int tr__msg_send(tr_actor *self, tr_addr from, tr_addr to, tr_msg **msg);
void tr__msg_consumed(tr_loop *loop, tr_msg **msg); // handled or dropped: free it, tell who counts

// ---- Dead letters (dead.c) ----

// Count what could not be delivered, and tell it to whoever wants to hear of it.
typedef struct tr__letter tr__letter;
void tr__dead_letter(tr_loop *loop, const tr__letter *letter, int why);
void tr__dead_msg(tr_loop *loop, const tr_msg *msg, tr_addr to, int why);

// Somebody who was told TR_EFULL, listed where there is no room.
typedef struct tr__waiter {
    tr__list link;
    void (*ready)(struct tr__waiter *waiter); // outside of any turn; unlinked before the call
} tr__waiter;

// Wait in the list of what has refused somebody; NULL: there is room.
void tr__waiter_add(tr_loop *loop, tr__list *list, tr__waiter *waiter);
void tr__waiters_run(tr_loop *loop); // those for whom there is room

// A monitor: owned by the one who watches. Its notice is made when it is set, so that the end of
// the other can always be told.
typedef struct tr__monitor {
    tr__owned owned;
    tr__watcher watcher;
    tr_actor *actor;
    uint64_t ref;
    tr_msg *notice;
    bool lasts; // beyond its first notice (names.c)
} tr__monitor;

// ---- Actors on another loop (birth.c, far.c) ----

// What a loop keeps for the actors that it spawns on another one.
typedef struct tr__lodging {
    uint64_t *free; // ids for seats whose last tenant has ended
    uint32_t free_count, free_max;
    uint32_t next, next_end; // seats there that have been leased and not used yet
} tr__lodging;

// Spawn on another loop of this node. returns: as tr_spawn
int tr__lodger_spawn(tr_actor *self, tr_loop *to, const tr_behavior *behavior,
                     const tr_spawn_opts *opts, tr_addr *ret_addr);
void tr__lodger_ended(tr_loop *loop, tr_actor *lodger); // closed; moves
void tr__lodgings_clear(tr_loop *loop);

// returns: as tr_send_msg
int tr__far_send(tr_loop *loop, tr_loop *to, uint64_t id, tr_msg **msg);
void tr__far_home(tr_loop *loop, tr_msg *msg); // it has been consumed here, but belongs elsewhere
void tr__far_deliver(tr_loop *loop, tr_loop *to, uint64_t id, tr_msg **msg); // accepted; moves
int tr__far_stop(tr_loop *loop, tr_loop *to, tr_addr addr, tr_addr asker);   // tr__addr_stop there

// ---- Groups (groups.c) ----

// A loop's, which hears of changes for its links.
typedef struct tr__group_ear {
    tr__list link; // in the node's
    tr__post post;
    bool poked; // the post is on its way. Under the lock of the groups, as the next one
    bool listens;
    bool stale; // the loop's own: something has changed
} tr__group_ear;

// ---- Sockets (socket.c, server.c) ----

typedef struct tr__slab {
    tr_buf *buf; // NULL: none yet
    size_t used;
} tr__slab;

// ---- Loops (loop.c, crew.c) ----

typedef struct tr__immediates {
    struct tr__immediate {
        uint64_t actor; // an id: one that has ended misses
        tr_callback cb;
        void *arg;
    } * items;
    uint32_t count, capacity;
} tr__immediates;

// What the watchdog knows about a loop: its own (watchdog.c).
typedef struct tr__watched {
    uint64_t count; // of the turn that ran when it last looked
    uint64_t ns;    // how long it has run at least
    uint64_t after; // when that has run for so long it warns
} tr__watched;

// Who looks at a loop's turns (loop->eyes): the watchdog; the tracer, at messages and what is in
// them.
enum { TR__EYE_DOG = 1, TR__EYE_MESSAGES = 2, TR__EYE_BODIES = 4 };
typedef struct tr__tap tr__tap; // tap.h

#define TR__RECENT 128u // actors that are found without looking into the tables

struct tr_loop {
    tr_node *node;
    tr_world *world;
    void *remote;      // the route's
    tr_actor *current; // whose turn it is
    uint32_t index;    // in the node
    tr__slots actors;  // that were spawned on it
    tr__slots lodgers; // that were spawned on another loop, which gives out their seats
    tr__list births, runnable, closing, pending;
    tr__list idlers;                     // tr__extra: see idle.c
    tr__list later;                      // tr__later
    tr__list writable;                   // tr__waiter: there is room now
    tr__list not_refused;                // tr__waiter: there was room; they come after those
    tr__immediates immediates, checking; // armed; being run
    tr__jobs jobs;                       // of the current turn
    tr__heap timers;
    tr__timer_store *timer_store; // actors' (timer.c); NULL: there have been none
    uint64_t missed;              // by the interval that fires
    uint64_t mail_looks;          // at messages, to find out behind which one a notice belongs
    tr__slots streams, offers;
    tr__slots servers;
    tr__slots processes;      // programs (process.c)
    tr__list orphans, strays; // those whose actor has ended: to be waited for; detached
    tr__slots files, lookouts;
    tr__slots listeners; // for signals
    tr__slab slab;       // what sockets read into
    tr__map monitors;    // by ref
    tr__map ties;        // the sides of links (links.c)
    tr__map groups;      // tr__group_part: what it has of groups that it has members of, by id
    tr__group_ear ear;
    uint64_t next_ref;
    tr__slots asks;         // open, by the id that their messages carry
    tr__slots askers;       // taken to be answered later
    tr__list asks_in_line;  // with the default deadline: in the order of those
    tr__timer asks_timer;   // of the first in line, or earlier
    const tr_msg *handling; // an ask, in its turn
    uint64_t now;           // at the last look
    tr__pace pace;
    tr__last last;
    atomic_uint_fast64_t last_actor; // of one that is not traced
    tr__stats stats;
    uint8_t eyes;    // on its turns
    tr__shown shown; // for the watchdog
    tr__tap *tap;    // NULL: it is not traced
    tr__blocks blocks;
    struct tr__recent {
        uint64_t id;
        tr_actor *actor;
    } recent[TR__RECENT]; // found last (actor.c)

    // What goes to other loops.
    tr__outbox *outboxes; // by index
    uint32_t outbox_count;
    uint32_t filled;       // the first outbox that has something, + 1
    uint32_t firsts_in;    // the one that has what leaves first, + 1
    tr__windows windows;   // by actor's id
    tr__windows relayed;   // through their links: the route's (remote/relay.c). They outlive
                           // loop->remote, as what is on its way does
    tr__lodging *lodgings; // by index
    uint32_t lodging_count;
    uint32_t away;   // actors that it has spawned on other loops
    uint32_t spread; // where the next actor goes

    // Its thread (crew.c).
    bool solo;      // a thread's own: it ends with its actors
    bool begun;     // it has had one
    bool asked;     // the node is ending: nothing is spawned any more
    bool answered;  // and the first loop knows that all here has ended
    bool dismissed; // it is to leave its thread
    bool killed;    // at once
    bool told;      // the first loop's: it has been asked
    bool restless;  // something that is looked at behind the iteration has changed: do not wait
    bool runs;      // has a thread. Under the node's lock
    tr_loop *next_parked;        // likewise
    tr__post ask, dismiss, kill; // the first loop's
    tr__post answer, leave;      // to the first loop

    // What comes from them: taken out of the inbox, and not looked at yet.
    tr__post *inbox_at, *inbox_last;

    char errmsg[256]; // for tr_node_errmsg

    // Shared, on cache lines of their own.
    char apart[64];
    _Atomic(tr__post *) posted_first;
    _Atomic(tr__post *) posted_last;
    atomic_bool parked;            // it has no thread: the first loop looks after its inbox
    atomic_uint_fast32_t seats;    // of its lodgers, that have been leased to other loops
    atomic_uint_fast32_t arrivals; // lodgers on their way here
    tr__counter actor_count, dead_letters, late_answers;
    tr__watched watched;
};

// One iteration: every phase once. Waits in poll if there is nothing to do.
void tr__loop_step(tr_loop *loop);
// When there is something to do next: 0 now, TR__NEVER only when poked from outside.
uint64_t tr__loop_due(const tr_loop *loop);

// ---- What is on the way of every message ----

static inline bool tr__jobs_empty(const tr__jobs *jobs)
{
    return jobs->ticks.count == 0 && jobs->microtasks.count == 0 && jobs->streams == NULL;
}

// The loop that runs on this thread.
extern _Thread_local tr_loop *tr__loop_here __attribute__((tls_model("initial-exec")));

static inline bool tr__actor_here(const tr_actor *self)
{
    return self != NULL && tr__loop_here == self->loop && self->loop->current == self;
}

tr_actor *tr__actor_look_up(const tr_loop *loop, uint64_t id); // in the tables; NULL: not there

static inline tr_actor *tr__actor_find(const tr_loop *loop, uint64_t id)
{
    const struct tr__recent *recent = &loop->recent[(id >> 28) % TR__RECENT];
    tr_actor *actor = recent->id == id ? recent->actor : tr__actor_look_up(loop, id);
    return actor != NULL && actor->state < TR__EXITING ? actor : NULL;
}

static inline uint64_t tr__last_actor(const tr_loop *loop)
{
    return atomic_load_explicit(loop->last.actor, memory_order_relaxed);
}

static inline void tr__last_set(tr_loop *loop, const tr_actor *actor, const tr__what *what)
{
    atomic_store_explicit(loop->last.actor, actor->id, memory_order_relaxed);
    loop->last.behavior = actor->behavior;
    loop->last.what = what;
}

// With eyes on the loop (tap.c).
void tr__eyes_begin(const tr_actor *actor, const tr__what *what);
void tr__eyes_begin_msg(const tr_actor *actor, const tr_msg *msg);
void tr__eyes_end(const tr_actor *actor);

static inline void tr__turn_begin_last(tr_actor *actor, const tr__what *what)
{
    tr_loop *loop = actor->loop;
    tr_assert(loop->current == NULL);
    loop->current = actor;
    tr__last_set(loop, actor, what);
    if (loop->eyes != 0)
        tr__eyes_begin(actor, what);
}

static inline void tr__turn_begin(tr_actor *actor, const tr__what *what)
{
    tr_loop *loop = actor->loop;
    tr_assert(actor->state == TR__RUNNING);
    tr__turn_begin_last(actor, what);
    if (actor->extra != NULL && !tr__jobs_empty(&actor->extra->jobs))
        tr__jobs_resume(loop, actor);
}

// The turn of a message.
static inline void tr__turn_begin_msg(tr_actor *actor, const tr_msg *msg)
{
    tr_loop *loop = actor->loop;
    tr_assert(actor->state == TR__RUNNING && loop->current == NULL);
    loop->current = actor;
    tr__last_set(loop, actor, tr__msg_what(msg));
    if (loop->eyes != 0)
        tr__eyes_begin_msg(actor, msg);
    if (actor->extra != NULL && !tr__jobs_empty(&actor->extra->jobs))
        tr__jobs_resume(loop, actor);
}

static inline void tr__turn_end(tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    if (!tr__jobs_empty(&loop->jobs))
        tr__jobs_run(loop, actor);
    loop->current = NULL;
    if (loop->eyes != 0)
        tr__eyes_end(actor);
    if (++loop->pace.turns >= loop->pace.look_after)
        actor->slow = tr__look(loop);
    loop->last.what = NULL;
}

#endif
