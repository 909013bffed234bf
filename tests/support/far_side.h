// The far side of a link: what stands there for another node, and is made of nothing but the link.
// It says what no node would, and looks at what it is told.
#ifndef TROUPE_TESTS_SUPPORT_FAR_SIDE_H
#define TROUPE_TESTS_SUPPORT_FAR_SIDE_H

#include "remote/envelope.h"
#include "remote/link.h"

struct far_side {
    tr__link *link; // NULL: not opened, or the node has closed it
    // Each envelope, with its size as packed. NULL: nobody looks.
    void (*heard)(struct far_side *far, const tr__envelope *e, size_t size);
    const uint8_t *bytes; // of the one that is being looked at
};

void far_side_open(struct far_side *far, tr_endpoint *endpoint); // moves: endpoint
void far_side_close(struct far_side *far);                       // no-op when it is closed
void far_side_send(struct far_side *far, const void *bytes,
                   size_t size);                          // a frame; no-op, likewise
void far_side_say(struct far_side *far, tr_val envelope); // as a frame of its own
tr__frame *far_side_frame(tr_val envelope);               // gives; for what is to go along with it
void far_side_give(struct far_side *far, tr__frame *frame); // moves: frame, always

#endif
