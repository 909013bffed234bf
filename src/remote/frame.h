// An outgoing frame: bytes to be written in order, some in the frame's own memory, some in buffers
// that it refers to. Room for the link's header is kept in front.
#ifndef TROUPE_REMOTE_FRAME_H
#define TROUPE_REMOTE_FRAME_H

#include <troupe/buf.h>

#include "core/world.h"

typedef struct tr__frame tr__frame;

#define TR__FRAME_FLUSH 0x10000u // a frame of this size is sent without waiting for more

// gives: *ret_frame, empty
int tr__frame_new(tr__frame **ret_frame);
void tr__frame_free(tr__frame **frame);

// Room for n contiguous bytes at the end, to be committed: at most n of them. NULL: no memory.
uint8_t *tr__frame_reserve(tr__frame *frame, size_t n);
void tr__frame_commit(tr__frame *frame, size_t n);

// Refer to all of a buffer's bytes. borrows: buf (the frame takes its own reference)
int tr__frame_refer(tr__frame *frame, tr_buf *buf);

// Refer to so many bytes of another frame, from an offset on. That is not appended to any more, and
// lives until all that refer to it have been freed.
int tr__frame_refer_part(tr__frame *frame, tr__frame *whole, size_t from, size_t size);

// Parcels that go along with the frame, at most TR__PARCELS_MAX; it holds them, too. Room is made
// before: errors: TR_ENOMEM
int tr__frame_carry_room(tr__frame *frame, size_t count);
void tr__frame_carry(tr__frame *frame, tr_parcel *parcel);
size_t tr__frame_carried(const tr__frame *frame);
tr_parcel *const *tr__frame_parcels(const tr__frame *frame);

// It must not leave before it has been let go as often as it was held.
void tr__frame_hold(tr__frame *frame);
void tr__frame_let_go(tr__frame *frame);
bool tr__frame_is_held(const tr__frame *frame);

// Bytes appended so far, without the link's header.
size_t tr__frame_size(const tr__frame *frame);

// For the link: set the header (at most TR__FRAME_HEADER bytes) that goes out in front.
#define TR__FRAME_HEADER 16
void tr__frame_set_header(tr__frame *frame, const uint8_t *header, size_t size);

// For the link: all bytes that go out, the header counted.
size_t tr__frame_total(const tr__frame *frame);

// For the link: the pieces from the offset `from` (counting the header) on; returns how many.
int tr__frame_pieces(const tr__frame *frame, size_t from, tr_iov *iov, int max);

// For the link: a queue of frames is linked through here.
tr__frame *tr__frame_next(const tr__frame *frame);
void tr__frame_set_next(tr__frame *frame, tr__frame *next);

#endif
