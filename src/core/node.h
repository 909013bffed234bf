// The core's part of a node: its identity, its loops, and what they share.
#ifndef TROUPE_CORE_NODE_H
#define TROUPE_CORE_NODE_H

#include <troupe/node.h>

#include "base/assert.h"
#include "base/lock.h"
#include "core/groups.h"
#include "core/names.h"
#include "core/nodes.h"
#include "core/route.h"
#include "core/tap.h"
#include "core/work.h"

#define TR__ROOT_ID   1u    // the id of a node's first actor: loop 0, index 0, generation 1
#define TR__LOOPS_MAX 4096u // an id has 12 bits for the loop

#define TR__LOOP_CHUNK 64u
typedef struct tr__loop_chunk {
    _Atomic(tr_loop *) loops[TR__LOOP_CHUNK];
} tr__loop_chunk;

typedef struct tr__watchdog tr__watchdog;

// How long actors may go on before it is another's turn (tr_node_opts).
typedef struct tr__budget {
    uint32_t turn_messages; // of one actor in a row
    uint64_t turn_ns;
    uint64_t slow_ns; // a turn that takes so long is warned of
} tr__budget;

struct tr_node {
    uint64_t id;
    char *name;
    const char *program; // its path; NULL: not known
    tr_buf *context;     // packed; NULL: none. Set before the first actor
    tr__budget budget;
    tr__watchdog *watchdog; // NULL: none
    const tr__route *route; // NULL: a node without an outside
    tr__tracer *tracer;     // NULL: nothing is written down

    // The first loop's alone.
    uint32_t roots;  // its actors that no actor owns
    bool expecting;  // the first actor is still to come: a child before its parent's hello
    bool root_ended; // the first actor has, with first_reason
    tr_reason first_reason;
    int error;           // the first one that a root ended with
    uint32_t unanswered; // loops that have been told of the node's end and still have actors
    bool dismissed;      // they have been told to leave

    // Shared.
    uint32_t shared; // spread actors live on the first so many loops
    atomic_uint_fast32_t loop_count;
    tr__lock lock;           // of the next three, and of making and starting a loop
    tr_loop *parked;         // loops without a thread, to be used again
    uint32_t threads;        // that run
    bool closing;            // without asking
    atomic_bool parked_mail; // something has been posted to one that is parked
    atomic_bool stop_asked;
    atomic_int status; // that the process is to exit with, + 1; 0: nobody has said
    tr__names names;
    tr__groups groups;
    tr__works works;
    tr__readers dead; // of dead letters (dead.c)
    tr__nodes nodes;
    _Atomic(tr__loop_chunk *) loops[TR__LOOPS_MAX / TR__LOOP_CHUNK];
};

static inline tr_addr tr__actor_addr(const tr_actor *actor)
{
    return (tr_addr){actor->loop->node->id, actor->id};
}

// NULL: there is none, or not yet.
static inline tr_loop *tr__node_loop(const tr_node *node, uint32_t index)
{
    tr_assert(index < TR__LOOPS_MAX);
    tr__loop_chunk *chunk = atomic_load_explicit(&((tr_node *)node)->loops[index / TR__LOOP_CHUNK],
                                                 memory_order_acquire);
    return chunk == NULL
               ? NULL
               : atomic_load_explicit(&chunk->loops[index % TR__LOOP_CHUNK], memory_order_acquire);
}

// An actor's id: the loop, whether it is a lodger, the index there, the generation.
#define TR__ID_LOOP_SHIFT 52
#define TR__ID_LODGER     ((uint64_t)1 << 51)
#define TR__ID_HANDLE     (TR__ID_LODGER - 1)

// Its place in a table of all actors of its loop: those spawned there and lodgers, in turn.
static inline uint64_t tr__id_place(uint64_t id)
{
    return ((id & TR__ID_HANDLE) >> 28) * 2 + ((id & TR__ID_LODGER) != 0);
}

// The loop that an id names; NULL: there is none.
static inline tr_loop *tr__id_loop(const tr_node *node, uint64_t id)
{
    return tr__node_loop(node, (uint32_t)(id >> TR__ID_LOOP_SHIFT));
}

// A node whose first loop lives in this world.
// moves:  *world, on success
// id:     0: a random one
// shared: how many loops share its actors; they are started when they are needed
// errors: TR_ENOMEM
int tr__node_new(uint64_t id, const char *name, uint32_t shared, tr_world **world,
                 tr_node **ret_node);
void tr__node_free(tr_node **node);
void tr__node_budget(tr_node *node, const tr_node_opts *opts); // before it runs

// Whether this thread runs the node's first loop, or none: then nobody runs the node yet.
bool tr__node_is_here(const tr_node *node);

// parent: whose child the actor is, in another node; TR_NOBODY: none
int tr__node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                   tr_addr parent, tr_addr *ret_addr);

// One iteration of the node's first loop; false when all has ended.
bool tr__node_step(tr_node *node);
void tr__node_wake(tr_node *node); // the first loop, to host. Any thread

// ---- The watchdog (watchdog.c) ----

// As the options say: when none is wanted there is none. Before the node runs.
// pulse_ms: what this process was started with as its pulse is to show that no loop has been in one
//           turn for so long; 0: it has none
// errors: TR_ENOMEM, system errors
int tr__watchdog_start(tr_node *node, const tr_node_opts *opts, uint32_t pulse_ms);
void tr__watchdog_stop(tr_node *node); // no-op when there is none

// The reason for TR_SHUTDOWN, TR_NORMAL or an error.
tr_reason tr__reason_of(int code);

void tr__node_errmsg(tr_node *node, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- The crew: loops beside the first one (crew.c) ----

// moves: *world, on success
int tr__loop_new(tr_node *node, uint32_t index, tr_world **world, tr_loop **ret_loop);
void tr__loop_end_actors(tr_loop *loop); // without asking them

// The loop for a new actor. One of a thread's own is then to be started, or not to be used.
// errors: TR_ENOMEM, TR_EAGAIN (too many threads), system errors
int tr__crew_place(tr_loop *from, const tr_spawn_opts *opts, tr_loop **ret_loop);
int tr__crew_start(tr_loop *loop);
void tr__crew_unplace(tr_loop *loop);
void tr__crew_host(tr_node *node); // look after those that are parked
// The node is ending: no loop spawns any more. Whether all others' actors have ended.
bool tr__crew_ended(tr_node *node);
// Then: whether all others have left their threads.
bool tr__crew_left(tr_node *node);
void tr__crew_close(tr_node *node); // without asking; all posts are home afterwards

#endif
