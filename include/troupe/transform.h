/* Transforms, ready made: what is read of each is made of what is written to it.
 *
 *     tr_lines(self, NULL, &lines);
 *     tr_map(self, TR_STREAM(.mode = TR_ITEMS), &upper, upper_case, NULL);
 *     tr_pipeline(self, (tr_stream[]){source, lines, upper, sink}, 4, NULL, done, NULL);
 *
 * They are streams as any other (troupe/stream.h), to be put between a source and a sink. None
 * looks at where its input is cut: the same bytes give the same output, however they come. None
 * holds more than its limit says, and none goes on while nobody takes what it has made. What it
 * cannot take fails it, with TR_EBADMSG for input that is not what it should be, and TR_ETOOBIG for
 * what is above a limit.
 *
 * `stream` among the options is what tr_stream_new takes (NULL: all defaults); the mode in it
 * counts only where the transform says so. All of them borrow their options until the call ends,
 * give *ret_stream, and have the errors of tr_stream_new. */
#ifndef TROUPE_TRANSFORM_H
#define TROUPE_TRANSFORM_H

#include <troupe/encoding.h>
#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Lines ---- */

typedef struct tr_lines_opts {
    size_t size;     /* set by TR_LINES */
    size_t line_max; /* bytes; 0: 1 MiB */
    const tr_stream_opts *stream;
} tr_lines_opts;
#define TR_LINES(...) (&(const tr_lines_opts){.size = sizeof(tr_lines_opts), __VA_ARGS__})

/* Bytes to items, one for each line, without its \n or \r\n. A last line may lack its newline; an
 * empty one that does is none. A line is a slice of the chunk that it came in: copy what you keep
 * for long. */
TR_API int tr_lines(tr_actor *self, const tr_lines_opts *opts, tr_stream *ret_stream);

/* Items to bytes: each with a \n behind it. */
TR_API int tr_lines_join(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream);

/* ---- Frames: items with their length in front ---- */

typedef struct tr_frames_opts {
    size_t size;      /* set by TR_FRAMES */
    tr_word word;     /* how the length lies in the bytes (troupe/bytes.h); 0: TR_BE32 */
    size_t frame_max; /* bytes, without the length; 0: 16 MiB */
    const tr_stream_opts *stream;
} tr_frames_opts;
#define TR_FRAMES(...) (&(const tr_frames_opts){.size = sizeof(tr_frames_opts), __VA_ARGS__})

/* Bytes to items, without the length. An end within a frame is TR_EBADMSG. */
TR_API int tr_frames(tr_actor *self, const tr_frames_opts *opts, tr_stream *ret_stream);

/* Items to bytes. TR_ETOOBIG also for one whose length does not fit the word. */
TR_API int tr_frames_join(tr_actor *self, const tr_frames_opts *opts, tr_stream *ret_stream);

/* ---- Documents: msgpack, one after the other ---- */

typedef struct tr_docs_opts {
    size_t size;    /* set by TR_DOCS */
    size_t doc_max; /* bytes, at most TR_DOC_MAX; 0: 16 MiB */
    const tr_stream_opts *stream;
} tr_docs_opts;
#define TR_DOCS(...) (&(const tr_docs_opts){.size = sizeof(tr_docs_opts), __VA_ARGS__})

/* Bytes to items of one document each, for tr_val_unpack, which they have passed already. Also
 * TR_ETOODEEP; an end within a document is TR_EBADMSG. */
TR_API int tr_docs(tr_actor *self, const tr_docs_opts *opts, tr_stream *ret_stream);

/* Items of one document each, as tr_stream_write_val makes them, to bytes. They are checked. */
TR_API int tr_docs_join(tr_actor *self, const tr_docs_opts *opts, tr_stream *ret_stream);

/* ---- By a function of yours ----
 *
 * arg is borrowed until the stream is closed or the actor has ended. The mode of opts counts. */

/* What to make of one chunk: tr_stream_push none, one or many. It is `transform` of tr_stream_ops:
 * returns 0, TR_LATER, TR_MORE or an error, and may push NULL.
 * borrows: chunk, until it is done */
typedef int (*tr_map_cb)(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg);
TR_API int tr_map(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream, tr_map_cb cb,
                  void *arg);

/* Only the chunks for which it is true. */
typedef bool (*tr_filter_cb)(tr_actor *self, tr_buf *chunk, void *arg);
TR_API int tr_filter(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream,
                     tr_filter_cb cb, void *arg);

/* All chunks, unchanged; the function sees each of them, and how many bytes have come with it so
 * far. tr_stream_info_get has the number, too (read_total). */
typedef void (*tr_tap_cb)(tr_actor *self, tr_buf *chunk, uint64_t total, void *arg);
TR_API int tr_tap(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream, tr_tap_cb cb,
                  void *arg);

/* The first `count` chunks or items, then the end: in a pipeline, what comes before is closed, and
 * that is no failure. count: 1 or more */
TR_API int tr_take(tr_actor *self, uint64_t count, const tr_stream_opts *opts,
                   tr_stream *ret_stream);

/* ---- By a function that answers later ---- */

/* One chunk that waits for its answer. By value. */
typedef struct tr_map_job {
    tr_stream stream;
    uint64_t id;
} tr_map_job;

typedef struct tr_map_later_opts {
    size_t size;          /* set by TR_MAP_LATER */
    uint32_t concurrency; /* jobs that are open at a time, at most 65536; 0: 16 */
    const tr_stream_opts *stream;
} tr_map_later_opts;
#define TR_MAP_LATER(...)                                                                          \
    (&(const tr_map_later_opts){.size = sizeof(tr_map_later_opts), __VA_ARGS__})

/* Begin a job: tr_map_answer ends it, within this call or later. What is made of the chunks keeps
 * their order, whatever the order of the answers.
 * borrows: chunk, until it returns.
 * returns: 0, or an error, which fails the stream. The mode of opts->stream counts. */
typedef int (*tr_map_later_cb)(tr_actor *self, tr_map_job job, tr_buf *chunk, void *arg);
TR_API int tr_map_later(tr_actor *self, const tr_map_later_opts *opts, tr_stream *ret_stream,
                        tr_map_later_cb cb, void *arg);

/* End a job. status: 0, or an error, which fails the stream.
 * moves:  *result; it may be NULL, itself or what it points to: the chunk gives nothing
 * errors: TR_ENOENT (the stream is gone, or this job is over), TR_EINVAL */
TR_API int tr_map_answer(tr_actor *self, tr_map_job job, int status, tr_buf **result);

/* ---- Text ---- */

typedef struct tr_coding_opts {
    size_t size; /* set by TR_CODING */
    tr_encoding encoding;
    bool strict; /* input that is wrong (tr_bytes_check, tr_text_check) is TR_EBADMSG; otherwise it
                  * is converted by the rules of troupe/encoding.h */
    const tr_stream_opts *stream;
} tr_coding_opts;
#define TR_CODING(...) (&(const tr_coding_opts){.size = sizeof(tr_coding_opts), __VA_ARGS__})

/* Bytes to text, and text to bytes, as tr_bytes_print and tr_text_parse do it with the whole. No
 * chunk of text ends within a character. From UTF-8 to UTF-8 it repairs or, if strict, checks. */
TR_API int tr_to_text(tr_actor *self, const tr_coding_opts *opts, tr_stream *ret_stream);
TR_API int tr_from_text(tr_actor *self, const tr_coding_opts *opts, tr_stream *ret_stream);

/* ---- Compression, by zlib ---- */

typedef struct tr_zip_opts {
    size_t size; /* set by TR_ZIP */
    int level;   /* from 1, fast, to 9, small; 0: 6; -1: not compressed. Ignored by the others */
    bool raw;    /* tr_deflate, tr_inflate: without a header and a checksum */
    bool flush;  /* all of each chunk comes out before the next one is taken: for a peer that waits
                  * for it, at the cost of size */
    uint64_t output_max; /* tr_gunzip, tr_inflate: TR_ETOOBIG above so many bytes in all, against
                          * input that unpacks to a thousand times its size; 0: no limit */
    const tr_stream_opts *stream;
} tr_zip_opts;
#define TR_ZIP(...) (&(const tr_zip_opts){.size = sizeof(tr_zip_opts), __VA_ARGS__})

/* Compress, in the format of gzip, and in zlib's (or raw). A TR_ENOMEM of zlib fails the stream. */
TR_API int tr_gzip(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream);
TR_API int tr_deflate(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream);

/* Uncompress. An end before the data's own end is TR_EBADMSG, as is nothing at all. tr_gunzip takes
 * members one after the other, with zeros between and behind them; of what follows zlib's data
 * tr_inflate says TR_EBADMSG. */
TR_API int tr_gunzip(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream);
TR_API int tr_inflate(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream);

#ifdef __cplusplus
}
#endif
#endif
