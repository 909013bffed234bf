// The core's part of a node: its identity, its loops, the count of its actors.
#ifndef TROUPE_CORE_NODE_H
#define TROUPE_CORE_NODE_H

#include <stdatomic.h>
#include <troupe/node.h>

#include "core/route.h"

#define TR__ROOT_ID 1u // the id of a node's first actor: loop 0, index 0, generation 1

struct tr_node {
    uint64_t id;
    char *name;
    tr_loop **loops;
    uint32_t loop_count;
    const tr__route *route; // NULL: a node without an outside
    void *remote;           // the route's
    uint32_t actors;        // alive
    uint32_t roots;         // of them, those that no actor owns
    bool expecting;         // the first actor is still to come: a child before its parent's hello
    bool ending;            // no root is left: nothing more is spawned
    bool root_ended;        // the first actor has, with first_reason
    tr_reason first_reason;
    int error; // the first one that a root ended with
    atomic_bool stop_asked;
    char errmsg[256];
};

// A node of one loop in this world.
// moves:  *world, on success
// id:     0: a random one
// errors: TR_ENOMEM
int tr__node_new(uint64_t id, const char *name, tr_world **world, tr_node **ret_node);
void tr__node_free(tr_node **node);

// parent: whose child the actor is, in another node; TR_NOBODY: none
int tr__node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                   tr_addr parent, tr_addr *ret_addr);

// One iteration of the node's loop; false when all has ended.
bool tr__node_step(tr_node *node);

// The reason for TR_SHUTDOWN, TR_NORMAL or an error.
tr_reason tr__reason_of(int code);

void tr__node_errmsg(tr_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
