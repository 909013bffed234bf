// Simulation: many processes in one thread, in virtual time, in an order that comes from a seed.
//
// A tr_sim is a small machine. It has a clock that moves only when nobody has anything to do (and
// by a microsecond a step, so that a process that spins cannot stop it), programs, processes,
// pipes between them, and names to listen at. Each process sees the machine through core/world.h
// and cannot tell it from the real one. Everything that a real machine leaves open is drawn from
// the seed: who runs next, what is told first, how many bytes a read or a write moves, and when
// they arrive. The same seed gives the same run, to the last byte: tr__sim_hash proves it.
//
// A process has three standard descriptors: what its parent has given it, or a test; otherwise
// /dev/null.
//
// A process may have threads, which the machine steps as it steps processes. It is itself in one
// thread of the real system, and nothing may come from another, not even wake.
//
// What a program keeps outside of its state, as in globals, outlives its processes here: that is
// the one thing that a killed process does not lose.
#ifndef TROUPE_SIM_SIM_H
#define TROUPE_SIM_SIM_H

#include "core/world.h"

typedef struct tr_sim tr_sim;

// What a process runs. The simulator knows nothing of nodes: a node is one way to fill this in.
typedef struct tr_sim_program {
    const char *path;
    // Start. link is the new process's now, NULL for one without a parent. argv and env are
    // borrowed. An error ends the process before it began, and is the error of the spawn.
    int (*open)(tr_world *world, tr_endpoint *link, const char *const *argv, const char *const *env,
                void *arg, void **ret_state);
    // One iteration of the process's main loop, and when to step again, as of a tr_thread_up.
    void (*step)(void *state);
    uint64_t (*due)(void *state);
    // Whether the process has left, asked after open and each step.
    bool (*done)(void *state, int *ret_code);
    // Free the state; the process has ended, and nothing that is written here leaves it. What it
    // does not close of its world, or the world itself, goes without an upcall afterwards.
    void (*close)(void *state);
    void *arg; // for open
} tr_sim_program;

// gives:  *ret_sim
// errors: TR_ENOMEM
int tr__sim_open(uint64_t seed, tr_sim **ret_sim);
// Kills every process and frees every world that is left. Not from inside a step.
void tr__sim_close(tr_sim **sim);

// borrows: program, until the simulator is closed
// errors:  TR_ENOMEM
int tr__sim_program_add(tr_sim *sim, const tr_sim_program *program);

// Start a process that has no parent. argv is NULL-terminated.
// errors: TR_ENOENT, TR_ENOMEM, the program's own
int tr__sim_start(tr_sim *sim, const char *path, const char *const *argv, int64_t *ret_pid);

// A process ends at once, in the middle of its step, too; SIGSEGV stands for a crash. Its threads
// and children end with it. SIGSTOP: it makes no more steps, until SIGCONT or its end.
// errors: TR_ENOENT
int tr__sim_kill(tr_sim *sim, int64_t pid, int signal);
// Send a process a signal: those who hear it do, or else it ends as if killed.
// errors: TR_ENOENT
int tr__sim_signal(tr_sim *sim, int64_t pid, int signal);
bool tr__sim_alive(const tr_sim *sim, int64_t pid);

// A world for a test that is its own program. Its poll runs the machine until this world has
// something to tell or due has come; it returns early when nothing will ever happen. It takes a
// microsecond at least, in which others may step, threads of the test as well. It has no program:
// what it spawns needs a path.
// gives:  *ret_world, to be closed by its own close
// errors: TR_ENOMEM
int tr__sim_world(tr_sim *sim, tr_world **ret_world);

int64_t tr__sim_pid(const tr_world *world);

// What a world lacks: two endpoints that are connected, in two worlds or in one.
// gives:  *ret_a, *ret_b
// errors: TR_ENOMEM
int tr__sim_pipe(tr_world *a, tr_world *b, tr_endpoint **ret_a, tr_endpoint **ret_b);
// One over a file, which is read, and written over, from its beginning.
// gives:  *ret_endpoint
// errors: TR_ENOENT, TR_ENOMEM
int tr__sim_open_file(tr_world *world, const char *path, tr_endpoint **ret_endpoint);

// What a standard descriptor of this world's process leads to from now on. moves: *endpoint, which
// nobody is bound to; NULL: it is closed
void tr__sim_set_stdio(tr_world *world, int fd, tr_endpoint **endpoint);
// This side of a pipe is a terminal. It hands on each byte as it is typed, raw or not.
void tr__sim_set_terminal(tr_endpoint *endpoint, unsigned columns, unsigned rows);
bool tr__sim_is_raw(const tr_endpoint *endpoint); // the terminal on the other side

// One process or thread makes one step, or the clock moves to what happens next. Returns false when
// nothing is left to happen: all have ended, or wait for each other.
bool tr__sim_step(tr_sim *sim);
// Let so much time pass.
void tr__sim_run_for(tr_sim *sim, uint64_t ns);
// Step until the condition holds. Returns whether it does, within limit_ns.
bool tr__sim_run_until(tr_sim *sim, bool (*condition)(void *arg), void *arg, uint64_t limit_ns);

uint64_t tr__sim_now(const tr_sim *sim);
// All that was decided and delivered up to now, as one number.
uint64_t tr__sim_hash(const tr_sim *sim);

// How pipes behave from now on.
void tr__sim_set_capacity(tr_sim *sim, size_t bytes); // of one direction; at first 64 KiB
void tr__sim_set_delay(tr_sim *sim, uint64_t max_ns); // of bytes and exits; at first 100 us
void tr__sim_set_whole(tr_sim *sim, bool whole);      // reads and writes move all they can
// Cut the machine's network: what is sent in this time, on pipes, too, arrives when it is over, and
// so does a connection.
void tr__sim_cut(tr_sim *sim, uint64_t ns);
// The nth spawn from now (1: the next one) fails with this error, once.
void tr__sim_set_spawn_error(tr_sim *sim, int error, unsigned nth);

// The machine's service manager: all that it was told, a line of "PID STATE" for each time, ends of
// lines in a state being spaces; and how often it wants a sign of life (at first 0: never).
const char *tr__sim_notified(const tr_sim *sim);
void tr__sim_set_watchdog(tr_sim *sim, uint64_t ns);

// The machine's files, which are in memory, one tree for all its processes.
// The nth call about files from now (1: the next one; closing does not count) fails so, once.
void tr__sim_set_file_error(tr_sim *sim, int error, unsigned nth);
bool tr__sim_clear_file_error(tr_sim *sim);              // whether that was still to come
void tr__sim_set_file_room(tr_sim *sim, uint64_t bytes); // of all files; 0: no limit
void tr__sim_set_file_moves(tr_sim *sim, bool moves);    // the disk can copy by itself
unsigned tr__sim_files_open(const tr_sim *sim);

#endif
