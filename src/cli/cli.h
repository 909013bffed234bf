// The command `troupe`: what its files share. It is a program on the public headers, as anybody's.
//
// main.c      which command; help
// fleet.c     the processes that are looked at
// events.c    what they have done, kept
// filter.c    which of it is wanted
// trace.c     troupe trace
// out_*.c     its forms
// ps.c        troupe ps, troupe tree
// top.c       troupe top
#ifndef TROUPE_CLI_CLI_H
#define TROUPE_CLI_CLI_H

#include <stdio.h>
#include <troupe.h>

// ---- Common (main.c) ----

extern bool cli_colour; // standard output is a terminal that takes it

enum { CLI_OK, CLI_FAILED, CLI_USAGE };                                        // exit statuses
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));  // CLI_USAGE
int cli_failed(const char *format, ...) __attribute__((format(printf, 1, 2))); // CLI_FAILED

// Wait so long, or less if somebody wants this to end. returns: false: somebody does
bool cli_wait_open(void);
bool cli_wait(unsigned ms);
uint64_t cli_now_ms(void);

// A time for people, as "3.2ms".
const char *cli_span(uint64_t ns, char *text, size_t size);
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
void events_clear(events *all);

// ---- Filters (filter.c) ----

typedef struct filter {
    const char *actor, *name; // globs; NULL: any
    uint64_t slow_ns;         // a message that has waited or run for so long
    bool bad;                 // only what went wrong
    bool messages;            // and nothing else
} filter;

bool filter_takes(const filter *f, const tr_trace_event *event);

// ---- Forms (out_*.c) ----

void out_text(FILE *out, const tr_trace_event *event);
void out_jsonl(FILE *out, const tr_trace_event *event);
int out_jsonl_read(const char *path,
                   events *ret_events); // errors: as tr_json_parse, or of the system
void out_chrome(FILE *out, const events *all);
void out_mermaid(FILE *out, const events *all);
void out_html(FILE *out, const events *all);

// ---- Commands ----

int cmd_trace(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_top(int argc, char **argv);

#endif
