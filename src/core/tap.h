// The tap: what a loop tells of itself to whoever writes it down (src/trace), and what every
// message pays for that when nobody does: a bit that is looked at where it is sent, and at its turn
// one that is looked at for the watchdog anyway.
//
// Facts (an actor's start, a dead letter, ...) are told whenever there is a tracer. Messages are
// told while the loop has the eye for them: then one that is made gets a stamp, and its turn ends
// with one call. Eyes change between turns only.
#ifndef TROUPE_CORE_TAP_H
#define TROUPE_CORE_TAP_H

#include <troupe/trace.h>

#include "core/core.h"

typedef struct tr__tracer tr__tracer; // of a node; begins with its table

// Something that has happened. All borrowed.
typedef struct tr__fact {
    tr_trace_kind kind;
    uint64_t actor;
    tr_addr other;
    const char *name;
    size_t name_len;
    int code;
    tr_reason_kind reason;
    uint64_t number;
} tr__fact;

// The turn that runs, for others to see, also when the process does not live any more. While
// messages are not told only `last` is written.
typedef struct tr__running {
    atomic_uint_fast64_t last;  // whose the last turn was, or the one that runs
    atomic_uint_fast64_t actor; // who runs; 0: nobody
    atomic_uint_fast64_t since; // ticks
    atomic_uint_fast64_t what[TR__WHAT_WORDS];
} tr__running;

// A loop's part. The tracer's own begins with it.
struct tr__tap {
    tr__tracer *tracer;
    tr__running *running;
    bool tsc;          // ticks are the processor's; else the world's nanoseconds
    uint64_t tick;     // the end of the last turn of this phase; 0: unknown
    uint64_t start;    // of the turn that runs
    const tr_msg *msg; // whose turn it is; NULL: no message's
    uint32_t depth;
    int code;
    const tr__trace_at *turn; // what it is a part of: its message's place, or own
    tr__trace_at own;         // low 0: nothing yet
    tr_msg *unsent;           // what it has sent and has no time yet
    uint32_t span, span_end;
};

typedef struct tr__tracer_ops {
    // A loop begins. Any thread. NULL: it is not traced.
    tr__tap *(*tap)(tr__tracer *tracer, const tr_loop *loop);
    // A loop's iteration begins: which eyes it is to have, but for the watchdog's.
    unsigned (*look)(tr__tap *tap, const tr_loop *loop);
    // It is about to wait; it goes on.
    void (*sleep)(tr__tap *tap, bool asleep);
    void (*fact)(tr__tap *tap, const tr__fact *fact);
    // The turn of a message is over, at tap->tick. bodies: with what is in it
    void (*message)(tr__tap *tap, const tr_actor *actor, const tr_msg *msg, bool bodies);
    // A message has been put on a link: with a stamp.
    void (*sent)(tr__tap *tap, const tr__letter *letter, size_t body_size);
    // A child's process has been reaped.
    void (*child_ended)(tr__tracer *tracer, int64_t pid, uint64_t node, tr_reason reason);
    // The node is gone but for its id. failed: it has ended with an error
    void (*close)(tr__tracer **tracer, bool failed);
} tr__tracer_ops;

struct tr__tracer {
    const tr__tracer_ops *ops;
    const tr_node *node;
    atomic_uint_fast32_t spans; // given out, 4096 at a time
};

// Before the node runs. moves: *tracer, always
void tr__node_trace(tr_node *node, tr__tracer **tracer);

void tr__tap_open(tr_loop *loop); // there is a tracer
void tr__tap_look(tr_loop *loop);
void tr__tap_tell(const tr_loop *loop, const tr__fact *fact);
uint64_t tr__tap_ticks(const tr_loop *loop);
// The stamp of a message that is sent now, by the turn that runs.
void tr__tap_stamp(tr_loop *loop, tr__stamp *ret_stamp);
// The same for one of this loop that is to be put into a mailbox here. It cannot be handled before
// this turn is over, and has left then: the time of that is its own, too, so that a message costs
// one look at the clock. One that is freed before that settles all of them.
void tr__tap_stamp_later(tr_loop *loop, tr_msg *msg);
void tr__tap_settle(const tr_loop *loop);

#define TR__TELL(loop, ...)                                                                        \
    do {                                                                                           \
        if ((loop)->tap != NULL)                                                                   \
            tr__tap_tell((loop), &(tr__fact){__VA_ARGS__});                                        \
    } while (0)

#endif
