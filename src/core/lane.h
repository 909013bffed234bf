// Posts: what one loop says to another (lane.c).
#ifndef TROUPE_CORE_LANE_H
#define TROUPE_CORE_LANE_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct tr_loop tr_loop;

// In the memory of what is said. arrive runs on the loop that it was posted to, outside of any turn
// and in the order of posting; the post is its own from then on.
typedef struct tr__post {
    _Atomic(struct tr__post *) next;
    void (*arrive)(tr_loop *loop, struct tr__post *post);
} tr__post;

typedef struct tr__outbox {
    tr__post *first, *last;
    uint32_t count;
    uint32_t next_filled; // index + 1, in the loop's list of those that have something
} tr__outbox;

// from: the loop of this thread. It leaves with what else is posted before the next publishing.
void tr__post_to(tr_loop *from, tr_loop *to, tr__post *post);
// The same of what must be there before anything that others do because of it: an actor that is to
// live there, say. All that is posted at the same time leaves behind it.
void tr__post_first(tr_loop *from, tr_loop *to, tr__post *post);
void tr__outboxes_publish(tr_loop *from);
void tr__inbox_run(tr_loop *loop);
void tr__post_outside(tr_loop *to, tr__post *post); // from a thread that is no loop's. At once

#endif
