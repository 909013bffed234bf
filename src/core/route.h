// The way out of the node. The core knows its own actors; everything addressed to another node, and
// every actor that is to live in a process, goes through this table, which src/remote fills in.
//
// All of it is called on the loop's own thread. A link belongs to the loop that has opened it.
#ifndef TROUPE_CORE_ROUTE_H
#define TROUPE_CORE_ROUTE_H

#include "core/core.h"

typedef struct tr__receipt tr__receipt;
typedef struct tr__gate tr__gate;

// A message on its way to another node. All borrowed, but for what carries handles.
struct tr__letter {
    tr_addr from, to;
    const char *name;
    size_t name_len;
    tr_val body;
    tr_buf *const *bufs;
    size_t buf_count;
    const tr__ask_head *ask; // NULL: it is no ask
    const char *group;       // it is for all of its members there; NULL: for `to`
    tr_msg **carrier;        // NULL: it has no handles. Otherwise moves: *carrier, on success
    size_t carried;          // bytes that its handles have with them
    const tr__stamp *stamp;  // NULL: it has none
};

static inline tr__letter tr__letter_of(const tr_msg *msg, tr_addr to)
{
    return (tr__letter){.from = msg->from,
                        .to = to,
                        .name = msg->name,
                        .name_len = msg->name_len,
                        .body = tr_msg_body(msg),
                        .bufs = tr__msg_bufs(msg),
                        .buf_count = msg->buf_count,
                        .ask = msg->is_ask ? tr__msg_extra(msg) : NULL,
                        .stamp = msg->stamped ? tr__msg_stamp(msg) : NULL};
}

// It is of this message: what has handles goes itself.
void tr__letter_carry(tr__letter *letter, tr_msg **msg);

// The message that a letter is, on its way by another loop or into a test. An ask stays one.
// moves: *letter->carrier, on success
int tr__letter_open(const tr__letter *letter, tr_msg **ret_msg);

typedef struct tr__route {
    bool spawns_all; // every spawn comes here, not only those of processes
    // A loop beside the first one begins: make its loop->remote. errors: TR_ENOMEM
    int (*open)(tr_loop *loop);
    // returns: as tr_send
    int (*send)(tr_loop *loop, const tr__letter *letter);
    // An answer for another node. moves: *answer, always
    void (*answer)(tr_loop *loop, tr_msg **answer);
    // behavior NULL: the program's first one; path NULL: this program. returns: as tr_spawn
    int (*spawn)(tr_actor *self, const tr_behavior *behavior, const char *path,
                 const tr_spawn_opts *opts, tr_addr *ret_addr);
    // Where the end of a child's standard descriptor is kept, to be taken: set to NULL. NULL: it is
    // no child of this actor's. Left out: no child has any.
    tr_endpoint **(*child_end)(tr_actor *self, tr_addr child, int fd);
    int (*child_pid)(tr_actor *self, tr_addr child, int64_t *ret_pid); // as tr_child_pid; left out
    // As tr__watch, for an actor of another node; actor 0: for its link only.
    int (*watch)(tr_loop *loop, tr_addr addr, tr__watcher *watcher);
    int (*stop)(tr_loop *loop, tr_addr addr);
    // A signal for another node. moves: *signal, where it is for another loop to pass on
    // errors: TR_EDOWN
    int (*signal)(tr_loop *loop, tr__signal **signal);
    // Where to wait for room at `to`; NULL when there is room, or no link.
    tr__list *(*waiters)(tr_loop *loop, tr_addr to);
    // A message with an inflow has been consumed; here is its home.
    void (*consumed)(tr_msg *msg);
    // That a handler has taken what came over this loop's link is to be told there.
    // errors: TR_EDOWN (the link is lost: it has gone back)
    int (*taken)(tr_loop *loop, const tr__receipt *receipt);
    // Call tr__gate_open when that has left.
    // returns: TR_LATER: it will be called; 0: it has left; TR_EDOWN
    int (*await)(tr_loop *loop, tr__gate *gate);
    // Before a loop polls: send what the turns have produced.
    void (*flush)(tr_loop *loop);
    // No actor is left on the loop, or on the first loop no root; called in each iteration then.
    // Stops the children, flushes the links. Returns whether all is closed.
    bool (*end)(tr_loop *loop);
    void (*close)(tr_loop *loop); // loop->remote is gone
} tr__route;

#endif
