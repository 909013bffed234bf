// What the ready-made streams share. They are written on troupe/stream.h as anybody's would be; of
// the library's inside they use its memory and, to cut documents, the heads of msgpack.
#ifndef TROUPE_STREAMS_STREAMS_H
#define TROUPE_STREAMS_STREAMS_H

#include <troupe/stream.h>

// A stream by ops with the caller's options, but for the mode. gives: its zeroed state.
// errors: as tr_stream_new
int tr__streams_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                    tr_stream_mode mode, tr_stream *ret_stream, void **ret_state);

// moves: *chunk, always. returns: as tr_stream_push
int tr__streams_push(tr_actor *self, tr_stream stream, tr_buf **chunk);

// ---- Bytes that gather until there is a whole of them ----

typedef struct tr__gather {
    tr_buf *room;
    size_t len;
} tr__gather;

// Room grows with what is there, never ahead of it by more than as much again. errors: TR_ENOMEM
int tr__gather_add(tr__gather *gather, tr_bytes bytes);
// What has gathered, from that offset on; then it is empty. gives: *ret_buf. errors: TR_ENOMEM
int tr__gather_take(tr__gather *gather, size_t from, size_t size, tr_buf **ret_buf);
void tr__gather_clear(tr__gather *gather);

// ---- Cutting bytes into items (split.c) ----

typedef struct tr__split tr__split;

// How one kind of item is found.
typedef struct tr__split_way {
    // The next bytes (at least one) of an item of which others may have come before: how many of
    // them are its own. returns: 1: with these it is whole; 0: more will come; or an error
    int (*next)(tr__split *split, tr_bytes bytes, size_t *ret_used);
    // Of a whole item: what is to be told. errors: those of an item that is not to be told
    int (*trim)(const tr__split *split, tr_bytes *item);
    // No more will come, and it is not whole: tell it all the same
    bool tells_rest;
} tr__split_way;

// Begins the state of each; the functions behind it are its ops.
struct tr__split {
    const tr__split_way *way;
    size_t max;      // bytes of an item that is told
    size_t extra;    // and of what is trimmed off it
    size_t at;       // in the chunk that is being taken
    tr__gather held; // of an item that began in another chunk
};
int tr__split_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk);
int tr__split_flush(tr_actor *self, tr_stream stream, void *state);
int tr__split_destroy(tr_actor *self, tr_stream stream, void *state, int error);

// The other way: an item with a few bytes in front and behind, as bytes. returns: 0, or an error
int tr__join(tr_actor *self, tr_stream stream, tr_bytes head, tr_buf *item, tr_bytes tail);

#endif
