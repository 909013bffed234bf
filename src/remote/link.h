// A link carries frames between two nodes, in order, both ways. A frame is some bytes; what they
// mean is peer.c's business. The link's owner calls these on its loop's thread. A link answers only
// through `up`, and never from inside one of these calls, but for drain.
#ifndef TROUPE_REMOTE_LINK_H
#define TROUPE_REMOTE_LINK_H

#include <troupe/val.h>

#include "remote/frame.h"

typedef struct tr__link tr__link;

typedef struct tr__link_up {
    // A frame has arrived whole. bytes lies in storage; whoever wants to keep some of it takes a
    // reference (or a slice). Returns 0, or an error that closes the link with that reason.
    int (*frame)(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size);
    // There was a full queue and now it is empty.
    void (*drained)(void *owner);
    // The link is of no use any more, once: TR_EDOWN at the peer's orderly end; TR_EFRAME,
    // TR_ETOOBIG, TR_EVERSION for a peer that broke the rules; another error. Frames that arrived
    // before have been delivered. The owner then frees the link.
    void (*down)(void *owner, int error);
} tr__link_up;

// Every kind of link begins with its table.
typedef struct tr__link_ops {
    const char *scheme; // "sp"
    // Queue a frame, of at most TR__FRAME_MAX bytes, and write what can be written at once.
    // moves:  *frame, always: a link that is down drops it
    void (*send)(tr__link *link, tr__frame **frame);
    // Bytes that were given to send and have not left, with what the link puts around them.
    size_t (*queued)(const tr__link *link);
    // Bytes that were ever given to send, likewise; what has left of them is in `told`.
    uint64_t (*given)(const tr__link *link);
    // From inside up->frame: the next parcel that came along with that frame.
    // errors: -EMFILE (it was lost on its way in: there was no descriptor for it, or no memory);
    //         TR_EFRAME (none has come)
    int (*claim)(tr__link *link, tr_parcel **ret_parcel);
    // Let go of the first frame that it was given and that is held: those in front of it may have
    // left, it and those behind it have not. returns: whether there was one
    bool (*let_go)(tr__link *link);
    // Read whatever is there now, delivering frames from inside this call: for when the peer is
    // known to be dead, so `read_out` then says whether that was all. Not from an upcall of this
    // link; if reading comes to the end, `down` still comes from a later poll.
    void (*drain)(tr__link *link);
    // No more frames will be sent: the peer hears the end after the last one.
    void (*finish)(tr__link *link);
    // Idempotent; no upcall follows. Sets *link to NULL; what is queued is dropped.
    void (*free)(tr__link **link);
} tr__link_ops;

struct tr__link {
    const tr__link_ops *ops;
    uint64_t heard;  // bytes that have come, of which each frame has TR__LIFE_BYTES more
    uint64_t told;   // bytes that have left
    bool read_out;   // all that the peer has ever written has been read
    const char *why; // in `down`: more about its error, for people; NULL: there is nothing more
};

// A link whose `heard` has grown by so much lives: it is a whole frame, or a part of a large one.
#define TR__LIFE_BYTES 4096u

#define TR__FRAME_MAX (TR_DOC_MAX + 0x100000u) // bytes in a frame: the largest document, and room

// A link over an endpoint of the world, speaking nng's SP protocol pair1 (link_sp.c).
// moves:  endpoint, always: on an error it is closed
// errors: TR_ENOMEM
int tr__link_sp_open(tr_endpoint *endpoint, const tr__link_up *up, void *owner,
                     tr__link **ret_link);
// Parcels may come along with its frames. Otherwise, as at first, those that do are closed unseen.
void tr__link_sp_carry(tr__link *link);
// From now on frames up to this size are taken, and a larger one is TR_ETOOBIG; at first it is
// TR__FRAME_MAX.
void tr__link_sp_limit(tr__link *link, size_t frame_max);

// What stands for a link as long as it is not there: it keeps what it is given (link_wait.c). Only
// send, queued, given, let_go and free are in its table.
// errors: TR_ENOMEM
int tr__link_wait_open(tr__link **ret_link);
tr__frame *tr__link_wait_pop(tr__link *link); // gives the oldest frame; NULL: none is left

#endif
