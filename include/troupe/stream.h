/* Streams: bytes or items that come and go bit by bit, with back-pressure from end to end.
 *
 * A stream has a readable side, a writable side, or both: a duplex, whose sides have nothing to do
 * with each other, as a socket's, or a transform, which makes what is read of what is written. What
 * goes through is a chunk, a tr_buf, passed on by reference. A side of bytes may cut them anywhere
 * else at any time; on a side of items (TR_ITEMS) each chunk is one item, a packed document or
 * whatever its two ends agree on, and stays whole.
 *
 * A stream belongs to the actor that made it: its callbacks are turns of that actor, and it ends
 * with it. It is known by an id that goes stale: once `closed` has been told, every call on it says
 * TR_ENOENT and does no harm.
 *
 * The life of a side that is written to: tr_stream_write... -> tr_stream_end -> what was written
 * leaves -> `finish`. Of one that is read: chunks -> `end`, when all has been read. When all its
 * sides are through, or at its first error, or by tr_stream_destroy, a stream is closed: `closed`
 * comes once, last, and says how it went. An error that nobody hears of, neither by `closed` nor by
 * a pipeline nor by tr_finished, ends the actor with that error.
 *
 * Each side has a high-water mark. A writer is told (TR_WAIT) when it is reached, and then waits
 * for `drain`; a reader's side stops asking its source for more. What is written all the same is
 * taken up to a cap, and refused beyond it. */
#ifndef TROUPE_STREAM_H
#define TROUPE_STREAM_H

#include <stdbool.h>
#include <troupe/actor.h>
#include <troupe/buf.h>
#include <troupe/cancel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By value; {0} is no stream. */
typedef struct tr_stream {
    uint64_t id;
} tr_stream;

/* How something has ended: 0 or an error. */
typedef void (*tr_done)(tr_actor *self, int status, void *arg);

#define TR_WAIT  1 /* taken, but that is enough for now: wait for drain */
#define TR_LATER 1 /* of an operation of a stream: it is not done yet, tr_stream_done will say */
#define TR_MORE  2 /* of `transform` and `flush`: it has more to push, and is to be called again */

/* ---- Hearing ---- */

/* What a stream tells. Every member may be left out. */
typedef struct tr_stream_events {
    /* The next chunk. A table with `data` lets the stream flow; without it the stream waits to be
     * read.
     * borrows: chunk, until it returns (tr_buf_ref keeps it) */
    void (*data)(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg);

    /* There is something to read, or the end has come, after tr_stream_read had said TR_EAGAIN or
     * nothing had been read yet. */
    void (*readable)(tr_actor *self, tr_stream stream, void *arg);

    /* All has been read. */
    void (*end)(tr_actor *self, tr_stream stream, void *arg);

    /* After TR_WAIT or TR_EFULL: what is buffered has fallen to the low-water mark. Not after
     * tr_stream_end. */
    void (*drain)(tr_actor *self, tr_stream stream, void *arg);

    /* After tr_stream_end: all that was written has left. */
    void (*finish)(tr_actor *self, tr_stream stream, void *arg);

    /* The last word. status: 0: every side came to its end; TR_ECANCELED: it was destroyed before;
     * otherwise the first error. */
    void (*closed)(tr_actor *self, tr_stream stream, int status, void *arg);
} tr_stream_events;

/* Who hears of the stream from now on, in place of whoever did. NULL: nobody.
 * borrows: events, for the stream's life (make it static const); arg, likewise
 * errors:  TR_ENOENT, TR_EINVAL (`data` or `readable` of what has no readable side or flows into
 *          another stream) */
TR_API int tr_stream_on(tr_actor *self, tr_stream stream, const tr_stream_events *events,
                        void *arg);

/* Call cb once when the stream is closed, with its status; besides whoever else hears of it.
 * borrows: arg, until cb has returned or the actor has ended
 * errors:  TR_ENOENT, TR_EINVAL, TR_ENOMEM */
TR_API int tr_finished(tr_actor *self, tr_stream stream, tr_done cb, void *arg);

/* ---- Reading ---- */

/* Take the next chunk (size 0), or exactly size bytes, fewer only where they are the last. The
 * stream must not flow.
 * gives:  *ret_chunk
 * errors: TR_EAGAIN: not there yet, `readable` will tell; TR_EOF: all has been read; TR_ENOENT,
 *         TR_EINVAL (no readable side, it flows, or a size on a side of items), TR_ETOOBIG (a size
 *         above TR_STREAM_MAX), TR_ENOMEM */
TR_API int tr_stream_read(tr_actor *self, tr_stream stream, size_t size, tr_buf **ret_chunk);

/* Put a chunk back in front of what is read next.
 * moves:  *chunk
 * errors: TR_ENOENT, TR_EINVAL, TR_EOF (the end has been told), TR_ENOMEM */
TR_API int tr_stream_unshift(tr_actor *self, tr_stream stream, tr_buf **chunk);

/* Hold back `data`, and let it come again. Neither counts how often it was called.
 * errors: TR_ENOENT, TR_EINVAL (no readable side) */
TR_API int tr_stream_pause(tr_actor *self, tr_stream stream);
TR_API int tr_stream_resume(tr_actor *self, tr_stream stream);

/* ---- Writing ---- */

/* Write a chunk. What is written arrives in that order.
 * moves:   *chunk
 * returns: 0; TR_WAIT: taken, and now the buffer is at its high-water mark or above. TR_EFULL: the
 *          cap (tr_stream_opts.write_max) is reached, nothing was taken; a stream that drops takes
 *          it and returns TR_WAIT. TR_EPIPE: after tr_stream_end, or it has failed. TR_ENOENT,
 *          TR_EINVAL, TR_ENOMEM */
TR_API int tr_stream_write(tr_actor *self, tr_stream stream, tr_buf **chunk);

/* The same, and cb is called when the chunk has left, with 0, or with why it never will. An error
 * of this call calls nothing.
 * borrows: arg, until cb has returned or the actor has ended */
TR_API int tr_stream_write_then(tr_actor *self, tr_stream stream, tr_buf **chunk, tr_done cb,
                                void *arg);

/* Write a copy of the bytes; a document, packed, as one chunk.
 * returns: as tr_stream_write; TR_ETOODEEP, TR_ETOOBIG as tr_send */
TR_API int tr_stream_write_bytes(tr_actor *self, tr_stream stream, const void *bytes, size_t size);
TR_API int tr_stream_write_val(tr_actor *self, tr_stream stream, tr_val value);

/* No more will be written; what has been still leaves. Uncorks.
 * returns: 0; TR_EPIPE: it has been said before, or the stream has failed; TR_ENOENT, TR_EINVAL */
TR_API int tr_stream_end(tr_actor *self, tr_stream stream);

/* Keep what is written until as many uncorks have come as corks, to let it leave together.
 * errors: TR_ENOENT, TR_EINVAL (no writable side; uncork: it is not corked) */
TR_API int tr_stream_cork(tr_actor *self, tr_stream stream);
TR_API int tr_stream_uncork(tr_actor *self, tr_stream stream);

/* ---- Ending ---- */

/* Close it now: what is buffered is dropped, and writes that wait are told. `closed` comes later,
 * in a turn of its own. The first error stays; one that is being closed already is a no-op. error:
 * 0, for TR_ECANCELED where it was not through; or negative errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_stream_destroy(tr_actor *self, tr_stream stream, int error);

/* ---- Pipelines ---- */

typedef struct tr_pipeline_opts {
    size_t size;       /* set by TR_PIPELINE */
    bool keep_last;    /* the last stream is neither ended nor closed, unless it fails: as for a
                        * standard output. The pipeline is through when all has left by it */
    tr_cancel *cancel; /* ends it with TR_ECANCELED, all streams destroyed. NULL: none */
} tr_pipeline_opts;
#define TR_PIPELINE(...) (&(const tr_pipeline_opts){.size = sizeof(tr_pipeline_opts), __VA_ARGS__})

/* Let each stream flow into the next one: the first one needs a readable side, the last one a
 * writable side, those between both. cb is called once, with 0, when all that the first one had has
 * left by the last one, and all are closed but for a first or last one that has another side: that
 * stays. When one fails, or is closed before its end, all are destroyed, and cb is called after
 * that with the first real error. The first and the last may be the same stream: an echo. What lies
 * between two streams of a pipeline is read and written by nobody else.
 * borrows: streams, opts (NULL: all defaults), until the call ends; arg, until cb has returned or
 *          the actor has ended
 * errors:  TR_ENOENT (one is gone), TR_EINVAL (fewer than two, one twice, a side is missing),
 *          TR_EEXIST (one is in a pipeline already, or flows), TR_EPIPE (one is being closed, or is
 *          through with the side that is needed), TR_ECANCELED (opts->cancel has been), TR_ENOMEM:
 *          then nothing has happened to them */
TR_API int tr_pipeline(tr_actor *self, const tr_stream *streams, size_t count,
                       const tr_pipeline_opts *opts, tr_done cb, void *arg);

/* ---- Streams of your own ---- */

/* How a stream does its work: a constant table. Which members are there says which sides it has:
 * `read` a readable one, `write` a writable one, `transform` both. All are called in turns of the
 * actor, with state: state_size bytes, zeroed when it was made. Each but `read` returns
 *   0         it is done;
 *   TR_LATER  it will be, and tr_stream_done says when; nothing else is asked of the side before;
 *   an error  which the stream fails with. */
typedef struct tr_stream_ops {
    const char *name;
    size_t state_size;
    size_t write_count; /* so many chunks at most in one write; 0: 1 */

    /* Open what there is to open. Before anything else, in the jobs of the turn that made it. */
    int (*construct)(tr_actor *self, tr_stream stream, void *state);

    /* Produce some: tr_stream_push, in this call or later, as often as it likes; or tr_stream_push
     * NULL for the end. Not called again before a push, nor while the buffer is at its high-water
     * mark. want: bytes up to that mark, or 1 for items; a hint.
     * returns: 0, or an error */
    int (*read)(tr_actor *self, tr_stream stream, void *state, size_t want);

    /* Take these chunks.
     * borrows: chunks, until it is done. May be called from within tr_stream_write. */
    int (*write)(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                 size_t count);

    /* All has been written and is done: finish. */
    int (*final)(tr_actor *self, tr_stream stream, void *state);

    /* Make of one chunk what it makes: push none, one or many, in this call or before it is done.
     * TR_MORE: it is called again with the same chunk, once the readable side has room. Pushing
     * NULL here ends the readable side early: in a pipeline all that comes before is closed then,
     * as cancelled, which is no failure of the pipeline.
     * borrows: chunk, until it is done */
    int (*transform)(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk);

    /* There is no more to transform: push what is left. TR_MORE: as above. The end follows by
     * itself. */
    int (*flush)(tr_actor *self, tr_stream stream, void *state);

    /* Give back what it has, whatever it was doing: what has not been done is forgotten. TR_LATER:
     * closed only when tr_stream_done is called. The last call, and the only one for an actor that
     * has ended: then self takes no more calls, and TR_LATER means no more than 0. */
    int (*destroy)(tr_actor *self, tr_stream stream, void *state, int error);
} tr_stream_ops;

typedef enum tr_stream_mode {
    TR_BYTES,
    TR_READ_ITEMS = 1,  /* the readable side is one of items */
    TR_WRITE_ITEMS = 2, /* the writable side is */
    TR_ITEMS = 3        /* both are */
} tr_stream_mode;

#define TR_STREAM_HIGH       65536       /* bytes, as Node's since 22 */
#define TR_STREAM_HIGH_ITEMS 16          /* items, as Node's */
#define TR_STREAM_MAX        (1u << 30)  /* bytes in one tr_stream_read */
#define TR_STREAM_WRITE_MAX  (16u << 20) /* bytes */

typedef struct tr_stream_opts {
    size_t size; /* set by TR_STREAM */
    tr_stream_mode mode;

    /* High-water marks, in bytes, or in items where the side is one of those; 0: TR_STREAM_HIGH,
     * TR_STREAM_HIGH_ITEMS. A side of items is full at TR_STREAM_HIGH * 16 bytes as well. */
    size_t read_high, write_high;
    size_t write_low; /* so much is left when `drain` comes: below write_high; 0: nothing */

    /* The cap: how much may be buffered before the policy applies, in bytes, of which each chunk
     * counts 64 more; one chunk is always taken. 0: TR_STREAM_WRITE_MAX */
    size_t write_max;
    tr_mail_policy write_policy;

    /* Of a duplex: when all has been read, tr_stream_end comes by itself. */
    bool end_with_read;

    tr_cancel *cancel; /* destroys it, with TR_ECANCELED. NULL: none */
} tr_stream_opts;
#define TR_STREAM(...) (&(const tr_stream_opts){.size = sizeof(tr_stream_opts), __VA_ARGS__})

/* A stream that works by ops. Fill in its state (tr_stream_state) before this turn's callback
 * returns: what it does begins after that, or at the first write.
 * borrows: ops, for the stream's life; opts (NULL: all defaults)
 * gives:   *ret_stream
 * errors:  TR_EINVAL (an option, or ops without a side, or with `transform` besides `read` or
 *          `write`), TR_ECANCELED (opts->cancel has been), TR_ENOMEM */
TR_API int tr_stream_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                         tr_stream *ret_stream);

/* Its state; NULL for a stream that is gone, or that was not made with these ops. */
TR_API void *tr_stream_state(tr_actor *self, tr_stream stream, const tr_stream_ops *ops);

/* For `read` and `transform`: the next chunk; NULL: that was the last one. An empty chunk on a side
 * of bytes only ends the `read`.
 * moves:   *chunk
 * returns: 0; TR_WAIT: enough for now. TR_EPIPE: after the end, or it is being closed. TR_ENOENT,
 *          TR_EINVAL, TR_ENOMEM */
TR_API int tr_stream_push(tr_actor *self, tr_stream stream, tr_buf **chunk);

/* What said TR_LATER is done: 0, or an error. One that has nothing to be done is a no-op.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_stream_done(tr_actor *self, tr_stream stream, int status);

/* ---- Streams in messages ----
 *
 * One side of a stream can be handed to another actor, on any loop and in any process that has a
 * link here: the owner offers it, sends the offer in a message, and whoever accepts it gets a
 * stream of its own, which the bytes or items then come from or go to. Back-pressure holds from end
 * to end: no more than about a high-water mark and one message of chunks waits at either side. The
 * stream stays with its owner, who has to live as long as it flows, and whose mail must not be held
 * (tr_mail_hold) meanwhile; an end, an error or a death on either side ends the other. */

/* By value. Its members are not API. */
typedef struct tr_offer {
    tr_val items[3];
} tr_offer;

typedef struct tr_offer_opts {
    size_t size;         /* set by TR_OFFER */
    uint32_t timeout_ms; /* an offer that nobody has used so long is withdrawn, and its stream
                          * destroyed with TR_ETIMEDOUT; 0: 30000 */
} tr_offer_opts;
#define TR_OFFER(...) (&(const tr_offer_opts){.size = sizeof(tr_offer_opts), __VA_ARGS__})

/* Offer what is read from the stream, or what is written to it: from now on that side belongs to
 * who accepts, as it would to a pipeline. An end comes through in both directions; an error of the
 * stream becomes the taker's.
 * borrows: opts (NULL: all defaults)
 * gives:   *ret_offer
 * errors:  as tr_pipeline */
TR_API int tr_stream_offer_read(tr_actor *self, tr_stream stream, const tr_offer_opts *opts,
                                tr_offer *ret_offer);
TR_API int tr_stream_offer_write(tr_actor *self, tr_stream stream, const tr_offer_opts *opts,
                                 tr_offer *ret_offer);

/* An offer as a value for documents, and back. A value borrows its offer.
 * returns: tr_as_offer: 0, or TR_EBADMSG: it is none; tr_get_offer: also TR_ENOENT */
TR_API tr_val tr_val_offer(const tr_offer *offer);
TR_API int tr_as_offer(tr_val value, tr_offer *ret_offer);
TR_API int tr_get_offer(tr_val doc, const char *key, tr_offer *ret_offer);

/* Accept: *ret_stream is a readable stream of what was offered to be read, or a writable one. The
 * first to use an offer has it; any other finds its stream closed with TR_EEXIST. An offer that is
 * gone closes it with TR_ENOENT, an owner that is gone with TR_EDOWN or TR_ENOACTOR.
 * opts:   as for tr_stream_new, but for the mode, which is the offered one's
 * gives:  *ret_stream
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_stream_accept(tr_actor *self, const tr_offer *offer, const tr_stream_opts *opts,
                            tr_stream *ret_stream);

/* ---- Looking ---- */

typedef struct tr_stream_info {
    const char *name;                 /* its ops' */
    bool readable, writable;          /* which sides it has */
    bool ended, finished, closing;    /* `end` has been told; `finish`; it is being closed */
    size_t read_count, read_bytes;    /* buffered, to be read */
    size_t write_count, write_bytes;  /* buffered, to be written, with what is on its way */
    size_t read_high, write_high;     /* the marks, as in tr_stream_opts */
    uint64_t read_total, write_total; /* bytes that have gone through each side */
    uint64_t dropped;                 /* chunks, by its write_policy */
} tr_stream_info;

/* errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_stream_info_get(tr_actor *self, tr_stream stream, tr_stream_info *ret_info);

#ifdef __cplusplus
}
#endif
#endif
