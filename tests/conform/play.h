// Plays: scenarios of actors, written once against <troupe.h> and run wherever the actors may live.
//
// A play is for the first actor, which runs on a node's first loop. It has the others spawned where
// the run wants them (play_spawn) and takes notes of what it sees, which are compared at the end of
// each run. Only the first actor takes notes: the others share no memory with it that a play may
// use, and send what they have to tell.
#ifndef TROUPE_TESTS_PLAY_H
#define TROUPE_TESTS_PLAY_H

#include <troupe.h>

#include "support/cmocka.h"

// Where plays are run.
struct theatre {
    const char *name;                                 // of the test
    int (*begin)(void **state), (*end)(void **state); // around a test; for cmocka
    // The nth run: a node of two loops around the app's first behaviour, to its end. Returns what
    // tr_node_run does.
    int (*run)(unsigned n, const tr_app *app);
    // The same, closed in the midst of things, each time a little later.
    void (*cut)(unsigned n, const tr_app *app);
    unsigned (*runs)(void);              // asked before each
    tr_spawn_opts (*place)(unsigned n);  // isolation and placement of the others in the nth run
    unsigned scale;                      // divides what there are thousands of
    void (*crash)(const tr_actor *self); // the process of an actor, by SIGKILL
    // Whether a run that was to take these words has ended as it may. NULL: it has taken them, and
    // returned 0.
    bool (*accepts)(const char *words, const char *notes, int rc);
};

struct play {
    int (*start)(tr_actor *self);
    int (*receive)(tr_actor *self, const tr_msg *msg);
    bool processes; // only where the others live in processes
};

// Who plays what. A real process may be a child of the test's: then it is only that.
int play_main(int argc, char **argv, const struct theatre *theatre, const tr_app *app,
              int (*suite)(void));
extern const struct theatre *theatre;

#define PLAY_TEST(f) cmocka_unit_test_setup_teardown(f, play_begin, play_finish)
int play_begin(void **state);
int play_finish(void **state);

// Run a play everywhere, and compare the notes of each run.
void perform(const struct play *play, const char *words);
// Begin a play everywhere, and close its node in the midst of it.
void perform_cut(const struct play *play);

// ---- For the first actor ----

extern const tr_behavior first; // the app's first

// To be called at its end, once.
void play_at_end(void (*end)(void));

void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void note_rc(int rc);                                 // 0 or the error's name
void note_reason(const char *what, tr_reason reason); // what=normal, what=error(TR_EIO), ...

// An actor's wait for something that no event tells, as a count of dead letters.
void play_until(tr_actor *self, bool (*condition)(tr_actor *self), tr_callback then);
bool play_gone(int rc); // what sending to one that has ended says where that is known

uint64_t play_many(uint64_t count);

// ---- For all of them ----

// Spawn where the run wants it.
int play_spawn(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
               tr_addr *ret_addr);
bool play_in_process(void); // whether that is a process

int64_t number_of(const tr_msg *msg); // its body; -1: it is none

// Sends numbers, from `next` to before `count`, waiting for room whenever there is none.
struct pump {
    tr_addr to;
    int64_t next, count;
    tr_callback done; // NULL: nobody is told
};
void pump_run(tr_actor *self, void *pump);

#endif
