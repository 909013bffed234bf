// The way out of the node. The core knows its own actors; everything addressed to another node, and
// every actor that is to live in a process, goes through this table, which src/remote fills in.
#ifndef TROUPE_CORE_ROUTE_H
#define TROUPE_CORE_ROUTE_H

#include "core/core.h"

// A message on its way to another node. All borrowed.
typedef struct tr__letter {
    tr_addr from, to;
    const char *name;
    size_t name_len;
    tr_val body;
    tr_buf *const *bufs;
    size_t buf_count;
} tr__letter;

typedef struct tr__route {
    // returns: as tr_send
    int (*send)(tr_node *node, const tr__letter *letter);
    // path NULL: this program, running the behaviour. returns: as tr_spawn
    int (*spawn)(tr_actor *self, const tr_behavior *behavior, const char *path,
                 const tr_spawn_opts *opts, tr_addr *ret_addr);
    // Put monitor->watcher where the end of monitor->target is heard of.
    // errors: TR_EDOWN (no link to that node), TR_ENOMEM
    int (*monitor)(tr_node *node, tr__monitor *monitor);
    void (*demonitor)(tr_node *node, tr__monitor *monitor); // the watcher has been unlinked
    int (*stop)(tr_node *node, tr_addr addr);
    // Where to wait for room at `to`; NULL when there is room, or no link.
    tr__list *(*waiters)(tr_node *node, tr_addr to);
    // A message with an inflow has been consumed.
    void (*consumed)(tr_msg *msg);
    // Before a loop polls: send what the turns have produced.
    void (*flush)(tr_node *node);
    // No root actor is left; called in each iteration then. Stops the children, flushes the links.
    // Returns whether all is closed.
    bool (*end)(tr_node *node);
    void (*close)(tr_node *node);
} tr__route;

#endif
