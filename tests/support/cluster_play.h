// A cluster under load, real or simulated: workers that answer lines, users that send them over one
// connection after the other and know what may fail, and a boss who does to the workers what the
// play says.
//
// A worker answers each line with "PID SLOT PROGRAM\n", its program being an inode's number; the
// last one before it closes the connection, because it is being drained, has a '!' before its end.
#ifndef TROUPE_TESTS_CLUSTER_PLAY_H
#define TROUPE_TESTS_CLUSTER_PLAY_H

#include <troupe.h>

enum { PLAY_SLOTS = 16, PLAY_PIDS = 64 };

struct cluster_play {
    const tr_cluster_spec *spec;
    uint32_t users;           // at a time
    uint32_t lines;           // over each connection
    uint64_t pause_ms;        // of a user, between two of them
    uint64_t run_ms;          // how long; 0: no limit
    uint64_t enough;          // or until so many connections have been tried; 0: no limit
    uint32_t restarts_enough; // or until so many workers are to be started again; 0: no limit
    uint32_t kill_ms;         // a worker is killed each; 0: none
    uint32_t kills_max;       // so many; 0: no limit
    uint32_t roll_ms;         // a roll begins so long after the one before; 0: none
    uint32_t resize_to;       // half way
    uint64_t resize_after_ms; // 0: not
    uint64_t settled_ms;      // served_most is counted from then on
    uint64_t hang_after_ms;   // then slot 0's worker hangs; 0: not. Once a user's connection is
                              // there all of it is served by one worker
    bool together;            // no user goes on before all are connected
    void (*kill)(int64_t pid);
    void (*began)(tr_actor *boss, tr_addr cluster); // when all workers are ready. NULL: nothing

    // What has come of it.
    uint64_t answered, failed, connections;
    uint64_t failed_elsewhere; // by workers of other slots than 0
    uint32_t served_most;      // connections at a time
    uint32_t kills, rolls, roll_errors, restarts, give_ups;
    uint64_t by_slot[PLAY_SLOTS]; // answers
    uint32_t pid_count;           // different ones that have answered
    int64_t pids[PLAY_PIDS];
    char hung[TR_HUNG_MAX];     // what the last one that hung was doing
    unsigned long long program; // that the last answer came from
    tr_reason end;              // the cluster's
};

unsigned long long play_program(const char *path); // its inode; 0: it is not there

// How long answers of other slots than 0 took, in microseconds: before slot 0 hung, and since then.
// returns: how many there were
size_t play_times(bool hung, uint64_t *ret_median, uint64_t *ret_p99, uint64_t *ret_most);

extern struct cluster_play play;      // of the boss's process
extern const tr_behavior play_boss;   // the first actor: runs the play
extern const tr_behavior play_worker; // what the spec is to run

#endif
