// A trace's file: its layout, which is the same in memory. One process writes it; others read it
// with pread, and write into the control page only.
//
//     head | control | strings | loop 0: head, events, actors, messages | loop 1: ...
//
// Every place has its offset from the numbers below. The file is as long as the loops that it has,
// and sparse: what is written to has been reserved before, so that a full disk costs records and
// never the process.
//
// A record is 64 bytes (core/record.h).
#ifndef TROUPE_TRACE_FILE_H
#define TROUPE_TRACE_FILE_H

#include <stdatomic.h>
#include <stdint.h>
#include <troupe/trace.h>

#include "core/tap.h"

#define TR__TRACE_MAGIC   "troupe\x1aT"
#define TR__TRACE_VERSION 2u
#define TR__TRACE_SUFFIX  ".trace"
#define TR__TRACE_PAGE    4096u

#define TR__TRACE_STRINGS 1024u
#define TR__TRACE_EVENTS  256u // records of a loop that are no messages
// In a table, by their index: one for those spawned there, and one for a lodger, in turn.
#define TR__TRACE_ACTORS 4096u
#define TR__TRACE_WANTS  4u

#define TR__TRACE_CONTROL_AT  TR__TRACE_PAGE // in the file
#define TR__TRACE_STRINGS_AT  (2 * TR__TRACE_PAGE)
#define TR__TRACE_LOOPS_AT    (TR__TRACE_STRINGS_AT + TR__TRACE_STRINGS * TR__TRACE_CELL)
#define TR__TRACE_EVENTS_AT   TR__TRACE_PAGE // in a loop's part
#define TR__TRACE_ACTORS_AT   (TR__TRACE_EVENTS_AT + TR__TRACE_EVENTS * TR__TRACE_CELL)
#define TR__TRACE_MESSAGES_AT (TR__TRACE_ACTORS_AT + TR__TRACE_ACTORS * TR__TRACE_CELL)
#define TR__TRACE_LOOP_SIZE   (TR__TRACE_MESSAGES_AT + TR__TRACE_MESSAGES * TR__TRACE_CELL)

// Ticks and nanoseconds at one moment.
typedef struct tr__trace_clock {
    uint64_t ticks, mono, real;
} tr__trace_clock;

// Written before the file has its name, but for the words.
typedef struct tr__trace_head {
    char magic[8];
    uint32_t version;
    uint32_t tsc; // ticks are the processor's; else they are nanoseconds
    int64_t pid, parent;
    tr__trace_clock first;
    char name[64];
    char exe[256];
    tr__word node;
    tr__word loops;                 // places of loops that are in use, at least the last one
    tr__word last_ticks, last_mono; // some time later
} tr__trace_head;

// One that wants messages. It holds a lock on the word `until`, and writes that last.
typedef struct tr__trace_want {
    tr__word until;  // ns on the system's monotonic clock
    tr__word bodies; // 0 or 1
    tr__word pid;
    tr__word spare;
} tr__trace_want;

typedef struct tr__trace_control {
    tr__word wanted; // 0: none of them is to be looked at
    tr__trace_want wants[TR__TRACE_WANTS];
} tr__trace_control;

typedef struct tr__trace_string {
    _Atomic(uint32_t) size; // 0: not there. Written last
    char text[TR__TRACE_CELL - sizeof(uint32_t)];
} tr__trace_string;

typedef struct tr__trace_loop_head {
    tr__word events, messages; // written so far: the next one's number
    tr__word actors_room;      // of the table, that is reserved
    tr__word iterations, turns, idle_ns, actors, dead_letters;
    tr__word began;  // when the last iteration did: ns, monotonic
    tr__word asleep; // whether it waits since
    tr__running running;
} tr__trace_loop_head;

_Static_assert(sizeof(tr__trace_string) == TR__TRACE_CELL, "a cell");
_Static_assert(sizeof(tr__trace_head) <= TR__TRACE_PAGE &&
                   sizeof(tr__trace_loop_head) <= TR__TRACE_PAGE,
               "pages");

// ---- Clocks (clock.c) ----

bool tr__trace_tsc(void); // the processor's ticks may be used
uint64_t tr__trace_ticks(bool tsc);
void tr__trace_clock_now(bool tsc, tr__trace_clock *ret_clock);

// ---- The directory (dir.c) ----

#define TR__TRACE_PATH 512
// errors: TR_ENAMETOOLONG
int tr__trace_path(int64_t pid, unsigned n, char *ret_path, size_t size);
// A new file under its own name, locked for as long as it is open, once fill has written its head.
// errors: system errors
int tr__trace_create(const tr__trace_head *head, char *ret_path, size_t size);
bool tr__trace_alive(int fd); // its writer has it open
// Keep one whose process has ended badly, as one of the last few. After that it has another name.
void tr__trace_keep(const char *path, int64_t pid);
void tr__trace_sweep(void); // those whose processes have ended and had nobody to look after them

// ---- Writing (write.c) ----

typedef struct tr__trace_opts {
    const char *name;
    bool messages, bodies; // from the beginning
    bool child;            // somebody looks after its file
    bool keep;             // the file stays, however it ends
} tr__trace_opts;

// Write a node down. Where that cannot be, it is not: no error.
void tr__trace_start(tr_node *node, const tr__trace_opts *opts);

// ---- What is told of a child (report.c) ----

// Warn with its last records, if it has ended badly; its file is kept then, or whenever keep says
// so.
void tr__trace_report(int64_t pid, uint64_t node, tr_reason reason, bool keep);

// ---- Reading (read.c) ----

// Where a trace is read from: pread.
typedef struct tr__trace_source {
    int64_t (*read)(void *arg, void *bytes, size_t size,
                    uint64_t at); // what there is, at most size
    void *arg;
} tr__trace_source;

// A trace in memory or elsewhere, for which nothing can be wanted. errors: as tr_trace_open
int tr__trace_open_source(const tr__trace_source *source, tr_trace **ret_trace);

#endif
