// The nodes that this one has links to, as far as its actors may know of them (nodes.c).
#ifndef TROUPE_CORE_NODES_H
#define TROUPE_CORE_NODES_H

#include <troupe/link.h>

#include "core/readers.h"

// What the node itself is asked, as its actor 0.
#define TR__ASK_WHEREIS "troupe.whereis"
#define TR__ASK_SPAWN   "troupe.spawn"

typedef struct tr__nodes {
    tr__lock lock; // of the list, and of telling of a change and of who wants to hear
    tr__list up;   // tr__far_node
    tr__readers readers;
} tr__nodes;

// One with a link. The link's owner keeps it.
typedef struct tr__far_node {
    tr__list link; // empty: it is not up
    uint64_t id, epoch;
    char name[TR_NAME_MAX + 1]; // as much of it as there is room for
} tr__far_node;

void tr__nodes_init(tr__nodes *nodes);
void tr__far_node_up(struct tr_loop *loop, tr__far_node *far);
void tr__far_node_down(struct tr_loop *loop, tr__far_node *far, int why); // no-op when it is not up

#endif
