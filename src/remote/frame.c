// Outgoing frames: a list of pieces, each a run of bytes in order.
//
// A piece's bytes lie in memory that the frame owns or in a buffer that it refers to. Memory comes
// as a part of the frame itself at first, which is enough for a few messages and costs one
// allocation, and then in blocks of TR__FRAME_FLUSH, so that a frame that is flushed when it is
// full has taken two. A block is not left when a buffer is referred to: the next piece begins where
// the last one in the block has ended.
//
// Invariants: `room` to `room + room_size` is the unused rest of the newest memory. The first piece
// begins behind TR__FRAME_HEADER bytes of the frame's own memory, so that the header and the first
// bytes are one piece on their way out.
#include "remote/frame.h"

#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

// With its memory, if it has some, right behind it.
struct piece {
    struct piece *next;
    tr_buf *buf;      // keeps the bytes;
    tr__frame *whole; // does. Both NULL: they lie in this or an earlier piece's memory
    uint8_t *bytes;
    size_t size;
};

struct tr__frame {
    tr__frame *next;
    uint32_t parts; // of other frames, that refer to it
    size_t size;
    size_t header_size;
    uint8_t *room;
    size_t room_size;
    tr_parcel **parcels;
    uint32_t parcel_count, parcel_max;
    uint32_t holds;
    struct piece *last;
    struct piece first;
};

#define FRAME_MEMORY 0x1000u // a new frame takes, all in all
#define FRAME_ROOM   (FRAME_MEMORY - sizeof(struct tr__frame) - TR__FRAME_HEADER)

int tr__frame_new(tr__frame **ret_frame)
{
    tr__frame *frame = tr__alloc(FRAME_MEMORY);
    if (frame == NULL)
        return TR_ENOMEM;
    uint8_t *room = (uint8_t *)(frame + 1) + TR__FRAME_HEADER;
    *frame = (tr__frame){.room = room, .room_size = FRAME_ROOM, .first = {.bytes = room}};
    frame->last = &frame->first;
    *ret_frame = frame;
    return 0;
}

void tr__frame_free(tr__frame **frame)
{
    tr__frame *gone = *frame;
    *frame = NULL;
    if (gone == NULL || gone->parts-- > 0)
        return;
    struct piece *piece = gone->first.next;
    while (piece != NULL) {
        struct piece *next = piece->next;
        tr_buf_unref(&piece->buf);
        tr__frame_free(&piece->whole);
        tr__free(piece);
        piece = next;
    }
    for (uint32_t i = 0; i < gone->parcel_count; i++)
        tr__parcel_unref(&gone->parcels[i]);
    tr__free(gone->parcels);
    tr__free(gone);
}

int tr__frame_carry_room(tr__frame *frame, size_t count)
{
    size_t max = frame->parcel_count + count;
    tr_assert(max <= TR__PARCELS_MAX);
    if (max <= frame->parcel_max)
        return 0;
    max = max < 2 * frame->parcel_max ? 2 * frame->parcel_max : max;
    tr_parcel **parcels = tr__resize(frame->parcels, max * sizeof(tr_parcel *));
    if (parcels == NULL)
        return TR_ENOMEM;
    frame->parcels = parcels;
    frame->parcel_max = (uint32_t)max;
    return 0;
}

void tr__frame_carry(tr__frame *frame, tr_parcel *parcel)
{
    tr_assert(frame->parcel_count < frame->parcel_max);
    frame->parcels[frame->parcel_count++] = tr__parcel_ref(parcel);
}

size_t tr__frame_carried(const tr__frame *frame)
{
    return frame->parcel_count;
}

tr_parcel *const *tr__frame_parcels(const tr__frame *frame)
{
    return frame->parcels;
}

void tr__frame_hold(tr__frame *frame)
{
    frame->holds++;
}

void tr__frame_let_go(tr__frame *frame)
{
    tr_assert(frame->holds > 0);
    frame->holds--;
}

bool tr__frame_is_held(const tr__frame *frame)
{
    return frame->holds > 0;
}

// Append a piece without bytes, and with memory for memory_size of them.
static struct piece *frame_add_piece(tr__frame *frame, size_t memory_size)
{
    struct piece *piece = tr__alloc(sizeof *piece + memory_size);
    if (piece == NULL)
        return NULL;
    *piece = (struct piece){0};
    frame->last->next = piece;
    frame->last = piece;
    return piece;
}

static bool piece_is_own(const struct piece *piece)
{
    return piece->buf == NULL && piece->whole == NULL;
}

uint8_t *tr__frame_reserve(tr__frame *frame, size_t n)
{
    bool fits = n <= frame->room_size;
    if (fits && piece_is_own(frame->last))
        return frame->room;

    size_t memory_size = fits ? 0 : n > TR__FRAME_FLUSH ? n : TR__FRAME_FLUSH;
    struct piece *piece = frame_add_piece(frame, memory_size);
    if (piece == NULL)
        return NULL;
    if (!fits) {
        frame->room = (uint8_t *)(piece + 1);
        frame->room_size = memory_size;
    }
    piece->bytes = frame->room;
    return frame->room;
}

void tr__frame_commit(tr__frame *frame, size_t n)
{
    struct piece *last = frame->last;
    tr_assert(n <= frame->room_size && piece_is_own(last));
    tr_assert(last->bytes + last->size == frame->room);
    last->size += n;
    frame->room += n;
    frame->room_size -= n;
    frame->size += n;
}

int tr__frame_refer(tr__frame *frame, tr_buf *buf)
{
    struct piece *piece = frame_add_piece(frame, 0);
    if (piece == NULL)
        return TR_ENOMEM;
    piece->buf = tr_buf_ref(buf);
    piece->bytes = tr_buf_data(buf);
    piece->size = tr_buf_size(buf);
    frame->size += piece->size;
    return 0;
}

int tr__frame_refer_part(tr__frame *frame, tr__frame *whole, size_t from, size_t size)
{
    tr_assert(from + size <= whole->size && whole->header_size == 0);
    while (size > 0) {
        tr_iov iov;
        struct piece *piece = frame_add_piece(frame, 0);
        if (piece == NULL)
            return TR_ENOMEM;
        whole->parts++;
        piece->whole = whole;
        tr__frame_pieces(whole, from, &iov, 1);
        piece->bytes = iov.base;
        piece->size = iov.len < size ? iov.len : size;
        frame->size += piece->size;
        from += piece->size;
        size -= piece->size;
    }
    return 0;
}

size_t tr__frame_size(const tr__frame *frame)
{
    return frame->size;
}

void tr__frame_set_header(tr__frame *frame, const uint8_t *header, size_t size)
{
    tr_assert(size <= TR__FRAME_HEADER);
    frame->header_size = size;
    memcpy(frame->first.bytes - size, header, size);
}

size_t tr__frame_total(const tr__frame *frame)
{
    return frame->header_size + frame->size;
}

int tr__frame_pieces(const tr__frame *frame, size_t from, tr_iov *iov, int max)
{
    int count = 0;
    size_t header_size = frame->header_size; // of this piece: only the first one has it in front
    for (const struct piece *piece = &frame->first; piece != NULL && count < max;
         piece = piece->next, header_size = 0) {
        size_t size = header_size + piece->size;
        if (from >= size) {
            from -= size;
            continue;
        }
        iov[count++] = (tr_iov){piece->bytes - header_size + from, size - from};
        from = 0;
    }
    return count;
}

tr__frame *tr__frame_next(const tr__frame *frame)
{
    return frame->next;
}

void tr__frame_set_next(tr__frame *frame, tr__frame *next)
{
    frame->next = next;
}
