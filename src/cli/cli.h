// The command `troupe`: what its files share. It is a program on the public headers, as anybody's.
//
// main.c      which command; help
// fleet.c     the processes that are looked at
// events.c    what they have done, kept
// filter.c    which of it is wanted
// where.c     by what is in it
// clocks.c    whose times are set forward
// trace.c     troupe trace
// out_*.c     its forms
// ps.c        troupe ps, troupe tree
// top.c       troupe top
// call.c      troupe send, troupe ask
// run.c       troupe run
#ifndef TROUPE_CLI_CLI_H
#define TROUPE_CLI_CLI_H

#include <stdio.h>
#include <troupe.h>

// ---- Common (main.c) ----

extern bool cli_colour; // standard output is a terminal that takes it

// Exit statuses. The last three are those of send and ask: no link to the node, nobody there has
// that name, no answer in time.
enum { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_UNREACHABLE, CLI_NOBODY, CLI_LATE };
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));  // CLI_USAGE
int cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2))); // CLI_FAILED

// Wait so long, or less if somebody wants this to end. returns: false: somebody does
bool cli_wait_open(void);
bool cli_wait(unsigned ms);
uint64_t cli_now_ms(void);

// A number of an option, times scale. returns: false: it is none, or negative
bool cli_number(const char *text, double scale, uint64_t *ret_number);
// Give the node the secret of its links over TCP: what is in this file, but for the end of its line;
// NULL: what is in TROUPE_SECRET, or none. No other copy of it is left in this process, nor in the
// environment that its children have from it. returns: an exit status
int cli_secret(tr_node *node, const char *file, bool *ret_has);

// A time for people, as "3.2ms".
const char *cli_span(uint64_t ns, char *text, size_t size);
#define CLI_SHOWN 192 // bytes that any name of a process or an actor takes when it is shown

// A name for people's terminals: what would do something there is written as \x1b.
const char *cli_shown(const char *name, char shown[CLI_SHOWN]);
// Text as JSON has it, with its quotes; "<" as a page may have it.
void cli_json_text(FILE *out, const char *text);

// ---- The fleet (fleet.c) ----

typedef struct member {
    tr_trace *trace;
    tr_trace_process process;
    char *path;
    bool wants; // it is asked for messages
} member;

typedef struct fleet {
    member *members;
    size_t count;
    const char *target; // a pid, a name, a file; NULL: all
    bool only;          // not those that it has started
    bool dead;          // also what has ended
} fleet;

// Find who is not in it yet. returns: how many have been added
size_t fleet_scan(fleet *f);
void fleet_close(fleet *f);
member *fleet_find_node(const fleet *f, uint64_t node); // NULL: not there
// Ask all that live for messages, for a while.
void fleet_want(fleet *f, bool bodies, uint32_t lease_ms);

// ---- Events (events.c) ----

// Kept events have a body of their own, and names that say which process where that matters.
typedef struct events {
    tr_trace_event *all;
    size_t count, capacity;
} events;

bool events_add(events *to, const fleet *f, const tr_trace_event *event); // false: no memory
void events_sort(events *all);                                            // by time
// Of several recordings: say which process names are of, and who it is that has sent from another.
void events_name(events *all);
void events_clear(events *all);

// ---- Filters (filter.c, where.c) ----

typedef struct where where; // what is said by --where; NULL: nothing

int where_add(where **to, const char *text); // returns: an exit status; what is wrong has been said
void where_free(where **w);
bool where_needs_bodies(const where *w);
bool where_takes(const where *w, const tr_trace_event *event);

typedef struct filter {
    const char *actor, *name; // globs; NULL: any
    uint64_t slow_ns;         // a message that has waited or run for so long
    bool bad;                 // only what went wrong
    bool messages;            // and nothing else
    where *where;
} filter;

bool filter_takes(const filter *f, const tr_trace_event *event);

// ---- Clocks (clocks.c) ----

// How far the times of a process are set forward, so that no message comes before it was sent.
typedef struct clock_shift {
    uint64_t node;
    int64_t pid;
    int64_t ns;
    bool told;
} clock_shift;

typedef struct clocks {
    clock_shift *all;
    size_t count;
    size_t early; // messages that come too early all the same: the clocks go at two speeds
} clocks;

// Find how far they must be set forward for these events, and do so. What was found before stays
// the least.
void clocks_set(clocks *c, events *all);
void clocks_clear(clocks *c);
// What to say of the next one that has not been told; NULL: there is none.
const char *clocks_next(clocks *c, char *text, size_t size);

// ---- Forms (out_*.c) ----

typedef struct out_doc { // room for the document
    tr_val flags[8], at[4], items[48];
} out_doc;

tr_val out_jsonl_doc(const tr_trace_event *event, out_doc *room); // good as long as both are

void out_text(FILE *out, const tr_trace_event *event);
void out_jsonl(FILE *out, const tr_trace_event *event);
int out_jsonl_read(const char *path,
                   events *ret_events); // errors: as tr_json_parse, or of the system
void out_chrome(FILE *out, const events *all, clocks *c);
void out_mermaid(FILE *out, const events *all, clocks *c);
void out_html(FILE *out, const events *all, clocks *c);

// ---- Commands ----

int cmd_run(int argc, char **argv);
int cmd_run_child(int argc, char **argv); // a process that a program of run has spawned
int cmd_send(int argc, char **argv);
int cmd_ask(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_top(int argc, char **argv);

#endif
