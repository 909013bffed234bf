// The kit inside: what its files share. There is one kit and one test at a time, as in cmocka.
#ifndef TROUPE_KIT_KIT_H
#define TROUPE_KIT_KIT_H

#include <stdnoreturn.h>
#include <troupe/test.h>

#include "core/node.h"

// ---- Failing (fail.c) ----

// Between begin and end a test runs: aborts fail it, and checks are kept for it.
void tr__kit_test_begin(void);
void tr__kit_test_end(void);
// Ends a process that was forked off in the test.
void tr__kit_test_unfork(void);

// Where the test is from now on: its last call.
void tr__kit_at(const char *file, int line);

// Print the words, a line without its end; and fail the test where it is.
void tr__kit_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
noreturn void tr__kit_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Fail where a TR_CHECK has, if one has since the last call.
void tr__kit_fail_checked(void);

// ---- Memory (memory.c) ----

void tr__kit_memory_open(void);   // from here on all of the library's is counted
size_t tr__kit_memory_live(void); // bytes
void tr__kit_memory_close(void);  // frees what is left

// ---- Documents (match.c) ----

// like: a map that is wanted is found in one that may have more.
bool tr__kit_match(tr_val want, tr_val got, bool like);

// ---- Probes (probe.c) ----

typedef struct tr__probe {
    char *name;
    tr_addr addr;
    tr__queue mail;
    tr_msg *taken;
    uint32_t room; // UINT32_MAX: no limit
    bool stop_asked;
    bool ended;
    tr__list watchers; // tr__watcher
    tr__list waiters;  // tr__waiter
    tr__list spawned;  // in the kit's spawns until it is looked at
    tr_kit_spawn spawn;
    tr_buf *args; // where those of the spawn lie
    tr_buf *context;
} tr__probe;

int tr__probe_new(const char *name, tr__probe **ret_probe);
// It stands for an actor that was to be spawned. All is copied.
void tr__probe_end(tr__probe *probe, tr_reason reason); // without what follows from it
int tr__probe_spawned(tr__probe *probe, tr_addr by, const tr_behavior *behavior, const char *path,
                      const tr_spawn_opts *opts);
tr__probe *tr__probe_find(tr_addr addr); // NULL: there is none
void tr__probes_clear(void);

// ---- The outside (outside.c) ----

#define TR__KIT_OUTSIDE 2u // the node half of the probes' addresses

extern const tr_world_ops tr__kit_world;
extern const tr__route tr__kit_route;

// ---- Threads (thread.c) ----

int tr__kit_another(tr_world *world, tr_world **ret_world);
int tr__kit_thread_start(tr_world *world, const tr_thread_up *up, void *owner);
void tr__kit_thread_join(tr_world *world);
void tr__kit_thread_free(tr_world *world);
void tr__kit_threads_run(void); // all that there is for them to do

// ---- The node (node.c) ----

extern struct tr__kit {
    tr_node *node; // NULL: closed
    tr_loop *loop;
    uint64_t now;
    uint64_t random;
    bool stepping; // handlers run; left so by a test that has jumped out of one
    bool woken;    // something has been posted
    bool failed;
    tr__list subjects;
    tr__list threads;
    tr__probe **probes; // by the actor half of their addresses, from 1
    size_t probe_count, probe_capacity;
    tr__list spawns;
    tr__list links;          // tr__watcher: of the link to the probes, which does not end
    uint32_t spawn_fails_in; // 0: none will
    int spawn_error;
    tr__list warnings, warnings_taken;
} tr__kit;

void tr__kit_need(void); // fails the test when the kit is not open
void tr__kit_run(void);  // all that is to be done now

#endif
