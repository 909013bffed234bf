// Streams inside: what the files of their state machine share.
//
// A stream's machine does one thing at a time (tr__stream_step), as a job of its actor's turn: one
// callback, one call of its ops, or one chunk moved to the next stream. Jobs come after the ticks
// and microtasks of what ran before, so each callback of a stream has its own behind it. Whatever
// may give a stream something to do kicks it.
#ifndef TROUPE_CORE_STREAM_H
#define TROUPE_CORE_STREAM_H

#include <troupe/stream.h>

#include "core/core.h"

typedef struct tr__pipeline tr__pipeline;

#define TR__ITEMS_BYTES ((size_t)TR_STREAM_HIGH * 16) // a side of items is full with so many, too

// A chunk on a side. chunk is NULL once it has left.
typedef struct tr__entry {
    tr_buf *chunk;
    tr_done cb; // of a write. May be NULL
    void *arg;
    int status;
} tr__entry;

typedef struct tr__side {
    bool there;         // the stream has it
    bool items;         // of items, not bytes
    bool flowing;       // read: chunks are told
    bool paused;        // read: by tr_stream_pause
    bool asked;         // read: ops->read is under way. write: `drain` is waited for
    bool over;          // read: the end has been pushed. write: tr_stream_end has been said
    bool told;          // read: `end`. write: `finish`
    tr__entry *entries; // a ring
    uint32_t head, count, capacity; // capacity: 0 or a power of two
    uint32_t left;                  // write: in front, what has left and is to be told
    uint32_t flying;                // write: behind them, what ops->write has now
    size_t bytes;                   // of the chunks, with what is flying
    size_t high, low, max;
    uint64_t total;
} tr__side;

// What is under way, until tr_stream_done.
typedef enum tr__stream_op {
    TR__OP_NONE,
    TR__OP_CONSTRUCT,
    TR__OP_WRITE,
    TR__OP_FINAL,
    TR__OP_DESTROY
} tr__stream_op;

typedef struct tr__stream {
    tr__owned owned;
    tr_actor *actor;
    uint64_t id;
    const tr_stream_ops *ops;
    const tr_stream_events *events; // NULL: nobody hears
    void *arg;
    struct tr__stream *due_next;  // in the jobs
    struct tr__stream *to, *from; // beside it in its pipeline
    // Of a source whose bytes the system may move into the next stream: start to, and tell by
    // tr__stream_moved. false: not into that one. NULL: it cannot
    bool (*move)(struct tr__stream *s, struct tr__stream *to);
    tr__pipeline *pipeline;
    tr__list finished; // tr_finished
    tr__carrier carrier;
    tr__side read, write;
    size_t need; // a tr_stream_read waits for so many bytes
    uint64_t dropped;
    uint32_t corks;
    int status;      // once closing
    uint8_t op;      // tr__stream_op
    uint8_t policy;  // tr_mail_policy
    bool due : 1;    // in the jobs
    bool open : 1;   // has been constructed
    bool awaits : 1; // `readable` is to be told
    bool heeded : 1; // somebody reads it: it may ask its ops for more
    bool final : 1;  // ops->final is done
    bool closing : 1;
    bool destroyed : 1; // ops->destroy has been called
    bool heard : 1;     // its end was told to somebody
    bool end_with_read : 1;
    bool cut : 1;   // closed since what comes behind it in its pipeline has enough
    tr_buf **batch; // for ops->write
    _Alignas(max_align_t) unsigned char state[];
} tr__stream;

static inline tr_stream tr__stream_handle(const tr__stream *s)
{
    return (tr_stream){s->id};
}

// The stream of this actor, whose turn it is. errors: TR_EINVAL, TR_ENOENT
int tr__stream_of(tr_actor *self, tr_stream stream, tr__stream **ret_stream);

void tr__stream_kick(tr__stream *s);
bool tr__stream_step(tr__stream *s); // whether there may be more to do. false: it may be gone
void tr__stream_close(tr__stream *s, int status); // to be; the first one counts

// stream_read.c
bool tr__read_step(tr__stream *s);
bool tr__read_is_full(const tr__stream *s);
void tr__read_drop(tr__stream *s);
// All that was read and not consumed, as one chunk; NULL: nothing. errors: TR_ENOMEM
int tr__read_take_all(tr__stream *s, tr_buf **ret_bytes);
void tr__read_put_back(tr__stream *s, tr_buf **bytes); // what that took. No-op on NULL
int tr__read_push(tr__stream *s, tr_buf **chunk);
// So many bytes have gone from one stream into the other by `move`. 0: none do any more: they go
// the ordinary way. Either stream may be gone.
void tr__stream_moved(tr_actor *self, tr_stream from, tr_stream to, uint64_t bytes);
// The same, and the next ones go when `to` says by tr_stream_done that it has room.
void tr__stream_moved_full(tr_actor *self, tr_stream from, tr_stream to, uint64_t bytes);

// stream_write.c
bool tr__write_step(tr__stream *s);
bool tr__write_is_full(const tr__stream *s);
bool tr__write_is_idle(const tr__stream *s); // nothing is buffered or under way
int tr__write_put(tr__stream *s, tr_buf **chunk, tr_done cb, void *arg);
void tr__write_end(tr__stream *s);
void tr__write_done(tr__stream *s, int status);
// The next one that can be told that it has left, or is lost. false: there is none
bool tr__write_tell(tr__stream *s);
void tr__write_lose(tr__stream *s, int status); // all that has not left

// The ring of a side. errors: TR_ENOMEM
int tr__side_push(tr__side *side, const tr__entry *entry);
int tr__side_unshift(tr__side *side, const tr__entry *entry);
tr__entry tr__side_pop(tr__side *side);
static inline tr__entry *tr__side_at(const tr__side *side, uint32_t i)
{
    return &side->entries[(side->head + i) & (side->capacity - 1)];
}

// pipeline.c: what has become of a stream that is part of one.
void tr__pipeline_check(tr__stream *s);
void tr__pipeline_lost(tr__stream *s); // it is closed. s: about to be freed

#endif
