// A node of one loop in a simulated world of its own, without links, around one actor.
#ifndef TROUPE_TESTS_SUPPORT_LONE_NODE_H
#define TROUPE_TESTS_SUPPORT_LONE_NODE_H

#include <troupe.h>

// Run it to its end, which has to come within so many steps. Warnings go nowhere.
// Returns how it ended, or why it could not begin.
int lone_node_run(const tr_behavior *first, int steps_max);

#endif
