// Frames: items of bytes with their length in front.
//
// The length that a peer claims is checked against the limit as soon as it is there; memory is
// taken only for bytes that have come.
#include <troupe/transform.h>

#include "base/opts.h"
#include "streams/streams.h"

#define FRAME_MAX_DEFAULT ((size_t)16 << 20)

typedef struct frames {
    tr__split split;
    tr_word word;
    uint8_t head[8];
    size_t have;   // of the head
    uint64_t left; // of the body, once the head is there
} frames;

static size_t word_width(tr_word word)
{
    return (size_t)(word < 0 ? -word : word);
}

static size_t smaller(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static int frames_next(tr__split *split, tr_bytes bytes, size_t *ret_used)
{
    frames *f = (frames *)split;
    size_t width = word_width(f->word), used = 0;
    if (f->have < width) {
        used = smaller(width - f->have, bytes.len);
        memcpy(f->head + f->have, bytes.ptr, used);
        f->have += used;
        *ret_used = used;
        if (f->have < width)
            return 0;
        tr_bytes_uint(tr_bytes_of(f->head, width), 0, f->word, &f->left);
        if (f->left > split->max)
            return TR_ETOOBIG;
    }
    size_t body = smaller(f->left, bytes.len - used);
    f->left -= body;
    *ret_used = used + body;
    if (f->left > 0)
        return 0;
    f->have = 0;
    return 1;
}

static int frames_trim(const tr__split *split, tr_bytes *frame)
{
    size_t width = word_width(((const frames *)split)->word);
    *frame = tr_bytes_of((const char *)frame->ptr + width, frame->len - width);
    return 0;
}

static int frames_join(tr_actor *self, tr_stream stream, void *state, tr_buf *item)
{
    const frames *f = state;
    uint8_t head[8];
    size_t width = word_width(f->word), size = tr_buf_size(item);
    if (size > f->split.max || tr_room_uint(tr_room_of(head, width), 0, f->word, size) < 0)
        return TR_ETOOBIG;
    return tr__join(self, stream, tr_bytes_of(head, width), item, tr_bytes_of(NULL, 0));
}

static const tr__split_way frames_way = {.next = frames_next, .trim = frames_trim};
static const tr_stream_ops frames_ops = {.name = "frames",
                                         .state_size = sizeof(frames),
                                         .transform = tr__split_transform,
                                         .flush = tr__split_flush,
                                         .destroy = tr__split_destroy};
static const tr_stream_ops frames_join_ops = {
    .name = "frames_join", .state_size = sizeof(frames), .transform = frames_join};

static int frames_new(tr_actor *self, const tr_stream_ops *ops, tr_stream_mode mode,
                      const tr_frames_opts *opts, tr_stream *ret_stream)
{
    tr_frames_opts o;
    void *state;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || o.word < TR_BE64 || o.word > TR_LE64 || o.word == -TR_BYTE)
        return TR_EINVAL;
    rc = tr__streams_new(self, ops, o.stream, mode, ret_stream, &state);
    if (rc < 0)
        return rc;
    frames *f = state;
    f->word = o.word != 0 ? o.word : TR_BE32;
    f->split.way = &frames_way;
    f->split.max = o.frame_max != 0 ? o.frame_max : FRAME_MAX_DEFAULT;
    f->split.extra = word_width(f->word);
    return 0;
}

int tr_frames(tr_actor *self, const tr_frames_opts *opts, tr_stream *ret_stream)
{
    return frames_new(self, &frames_ops, TR_READ_ITEMS, opts, ret_stream);
}

int tr_frames_join(tr_actor *self, const tr_frames_opts *opts, tr_stream *ret_stream)
{
    return frames_new(self, &frames_join_ops, TR_WRITE_ITEMS, opts, ret_stream);
}
