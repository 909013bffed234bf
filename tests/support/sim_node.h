// Nodes as programs of the simulator: a machine on which one starts, with the children that it
// spawns, each a process with a node of its own.
//
//     sim_nodes_open(&nodes, seed, TR_APP(&parent, &child));
//     assert_true(sim_nodes_run(&nodes, 60)); // until the first one has ended
//     sim_nodes_close(&nodes);
//
// A seed also decides how the pipes behave. Actors see the machine through their world, as with
// sim_nodes_kill; their stop runs in a process that was killed, too, when its memory is freed.
#ifndef TROUPE_TESTS_SUPPORT_SIM_NODE_H
#define TROUPE_TESTS_SUPPORT_SIM_NODE_H

#include <troupe.h>

#include "sim/sim.h"

struct sim_nodes {
    tr_sim *sim;
    tr_sim_program program; // "node"
    const tr_app *app;
    uint32_t loops;        // of each node; 0: one
    int64_t first;         // its pid
    int code;              // what the first one left with, or why it could not start
    unsigned open;         // nodes that are there
    uint64_t dead_letters; // of those that were
};

// Called with each machine, which is to have other programs, too. NULL: none.
extern void (*sim_nodes_prepare)(tr_sim *sim);

void sim_nodes_open(struct sim_nodes *nodes, uint64_t seed, const tr_app *app);
void sim_nodes_close(struct sim_nodes *nodes);

// Start a node that runs the app's first behaviour, and let the machine run until that has ended.
// Returns whether it has, with all its children, within so many virtual seconds.
bool sim_nodes_run(struct sim_nodes *nodes, uint64_t seconds);

// Only start it. Returns what stands in its way.
int sim_nodes_start(struct sim_nodes *nodes);

// End the process of an actor, as from outside. An actor may do so to itself, as a crash would.
void sim_nodes_kill(struct sim_nodes *nodes, const tr_actor *actor, int signal);

#endif
