// The tap: what a loop tells of itself to whoever writes it down (src/trace), and what every
// message pays for that when nobody does: a bit that is looked at where it is sent, and at its turn
// one that is looked at for the watchdog anyway.
//
// Facts (an actor's start, a dead letter, ...) are told whenever there is a tracer. Messages are
// told while the loop has the eye for them: then one that is made gets a stamp, and its turn is
// written down by the core itself (record.c), where the tracer has said. Eyes change between turns
// only.
#ifndef TROUPE_CORE_TAP_H
#define TROUPE_CORE_TAP_H

#include <troupe/trace.h>

#include "core/core.h"
#include "core/record.h"

#define TR__KNOWN 128u

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
    atomic_uint_fast64_t since; // ticks; 0: none runs
} tr__running;

// Where messages are written down (record.c). The tracer says where that is.
typedef struct tr__records {
    tr__word *cells;      // the ring
    tr__word *shown;      // for readers: as the next one
    uint64_t next;        // number
    uint64_t first, wait; // of the message whose turn runs: its first word, so far; in ticks
    tr__trace_seat *seats;
    uint64_t seat_count;
    uint64_t node;     // this one's id
    struct tr__known { // strings that were asked for last
        uint64_t key;  // their beginning
        uint32_t size;
        uint16_t string;
    } known[TR__KNOWN];
} tr__records;

// A loop's part. The tracer's own begins with it.
struct tr__tap {
    tr__tracer *tracer;
    tr__running *running;
    bool tsc;                 // ticks are the processor's; else the world's nanoseconds
    uint64_t tick;            // the end of the last turn of this phase; 0: unknown
    uint64_t start;           // of the turn that runs
    const tr_msg *msg;        // whose turn it is; NULL: no message's
    int code;                 // its handler's error; or 0
    const tr__trace_at *turn; // what it is a part of: its message's place, or own
    tr__trace_at own;         // low 0: nothing yet
    tr__stamp *unsent;        // of what it has sent, without a time
    uint32_t span, span_end;
    tr__records records;
};

typedef struct tr__tracer_ops {
    // A loop begins. Any thread. NULL: it is not traced.
    tr__tap *(*tap)(tr__tracer *tracer, const tr_loop *loop);
    // A loop's iteration begins: which eyes it is to have, but for the watchdog's.
    unsigned (*look)(tr__tap *tap, const tr_loop *loop);
    // It is about to wait; it goes on.
    void (*sleep)(tr__tap *tap, bool asleep);
    void (*fact)(tr__tap *tap, const tr__fact *fact);
    // A text's number, for records. 0: none, or there is no room for it
    uint16_t (*string)(tr__tap *tap, const char *text, size_t len);
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
void tr__tap_sleep(const tr_loop *loop); // it is about to wait
void tr__tap_tell(const tr_loop *loop, const tr__fact *fact);
uint64_t tr__tap_ticks(const tr_loop *loop);
// The stamp of a message that is sent now, by the turn that runs.
void tr__tap_stamp(tr_loop *loop, tr__stamp *ret_stamp);
// The same for one of this loop that is to be put into a mailbox here. It cannot be handled before
// this turn is over, and has left then: the time of that is its own, too, so that a message costs
// one look at the clock. Before one goes from its mailbox within the turn, settle: they are sent now.
void tr__tap_stamp_later(const tr_loop *loop, tr__stamp *ret_stamp);
void tr__tap_settle(const tr_loop *loop);

// ---- Messages are written down (record.c) ----

// A turn begins, at tap->start: of a message, or for something else.
void tr__record_begin(tr__tap *tap, const tr_actor *actor, const tr_msg *msg);
void tr__record_begin_other(tr__tap *tap, const tr__what *what);
// That of a message is over, at tap->tick. bodies: with what is in it
void tr__record_end(tr__tap *tap, const tr_actor *actor, const tr_msg *msg, bool bodies);
void tr__record_put(tr__tap *tap, const tr__record *record); // something else about messages
void tr__record_write(tr__word *cell, uint64_t number, const void *record);

static inline struct tr__known *tr__known_at(tr__records *records, uint64_t key, size_t size)
{
    return &records->known[(key * 0x9e3779b97f4a7c15u + size) >> 57 & (TR__KNOWN - 1)];
}

#define TR__TELL(loop, ...)                                                                        \
    do {                                                                                           \
        if ((loop)->tap != NULL)                                                                   \
            tr__tap_tell((loop), &(tr__fact){__VA_ARGS__});                                        \
    } while (0)

#endif
