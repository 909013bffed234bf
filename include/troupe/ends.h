/* Ends of streams, ready made: where chunks come from, where they go, several from one, one from
 * several.
 *
 *     tr_collect(self, socket, TR_COLLECT(.limit = 65536), on_request, NULL);
 *
 * `stream` among the options is what tr_stream_new takes (NULL: all defaults), but for the mode,
 * unless something else is said. All of these borrow their options until the call ends, and have
 * these errors: TR_EINVAL, TR_ENOMEM, TR_ECANCELED (a token among the options has been). */
#ifndef TROUPE_ENDS_H
#define TROUPE_ENDS_H

#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A readable stream of these chunks, or items if the mode says so, and then the end.
 * borrows: chunks, until the call ends; the stream has references of its own
 * gives:   *ret_stream */
TR_API int tr_source(tr_actor *self, tr_buf *const *chunks, size_t count,
                     const tr_stream_opts *opts, tr_stream *ret_stream);

/* A writable stream that drops what is written. The mode counts.
 * gives:   *ret_stream */
TR_API int tr_sink(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream);

/* ---- Collecting ---- */

typedef enum tr_collect_as {
    TR_COLLECT_BYTES, /* all bytes, one after the other */
    TR_COLLECT_DOCS,  /* items that are documents: a packed list of them. One that is none is
                       * TR_EBADMSG */
    TR_COLLECT_TEXTS  /* items of text, as tr_lines gives them: a packed list of strings */
} tr_collect_as;

#define TR_COLLECT_MAX TR_DOC_MAX

typedef struct tr_collect_opts {
    size_t size;       /* set by TR_COLLECT */
    tr_collect_as as;  /* what becomes of what is read */
    size_t limit;      /* bytes of the result, at most TR_COLLECT_MAX; 0: 16 MiB */
    tr_cancel *cancel; /* ends it with TR_ECANCELED. NULL: none */
} tr_collect_opts;
#define TR_COLLECT(...) (&(const tr_collect_opts){.size = sizeof(tr_collect_opts), __VA_ARGS__})

/* What has been collected (status 0), or why it has not (all is NULL): the first error, which may
 * be TR_ETOOBIG. Called once.
 * borrows: all, until it returns (tr_buf_ref keeps it) */
typedef void (*tr_collected)(tr_actor *self, int status, tr_buf *all, void *arg);

/* A writable stream that collects: to be the last of a pipeline.
 * borrows: arg, until cb has returned or the actor has ended
 * gives:   *ret_stream */
TR_API int tr_collector(tr_actor *self, const tr_collect_opts *opts, tr_stream *ret_stream,
                        tr_collected cb, void *arg);

/* All that is read of a stream, in a pipeline of these two: what is above the limit destroys it.
 * borrows: as above
 * errors:  also those of tr_pipeline; then nothing has happened to the stream */
TR_API int tr_collect(tr_actor *self, tr_stream stream, const tr_collect_opts *opts,
                      tr_collected cb, void *arg);

/* ---- One to several, several to one ---- */

#define TR_BRANCHES_MAX 64

/* What a tee does about a branch that is full. */
typedef enum tr_tee_policy {
    TR_TEE_BLOCK, /* it waits: the slowest of these branches holds back all */
    TR_TEE_DROP,  /* the branch misses chunks until it has room */
    TR_TEE_DETACH /* the branch is cut off: destroyed with TR_EFULL */
} tr_tee_policy;

typedef struct tr_branch {
    tr_tee_policy policy; /* for a tee */
    tr_stream stream;     /* given: of a tee, readable; of a merge, writable */
} tr_branch;

typedef struct tr_fan_opts {
    size_t size;                  /* set by TR_FAN */
    bool keep_going;              /* of a merge: the others go on where one fails */
    const tr_stream_opts *stream; /* for the whole and each branch. The mode counts, for all */
} tr_fan_opts;
#define TR_FAN(...) (&(const tr_fan_opts){.size = sizeof(tr_fan_opts), __VA_ARGS__})

/* A writable stream of which all branches read the same, by reference. A branch is a readable
 * stream, to be the first of a pipeline of its own; what is written before that waits up to its
 * high-water mark. A branch that fails or is destroyed is left out from then on, and holds nobody
 * back; the tee fails with TR_EPIPE when the last one is gone. When the tee ends all branches end;
 * when it fails, they fail.
 * gives:  *ret_stream, the stream of each branch
 * errors: TR_EINVAL (also: no branch, or more than TR_BRANCHES_MAX) */
TR_API int tr_tee(tr_actor *self, const tr_fan_opts *opts, tr_branch *branches, size_t count,
                  tr_stream *ret_stream);

/* How many chunks a branch of a tee has missed.
 * errors: TR_ENOENT (it is none, or gone) */
TR_API int tr_tee_missed(tr_actor *self, tr_stream branch, uint64_t *ret_count);

/* A readable stream of all that is written to the branches, a chunk of each in turn. A branch is a
 * writable stream, to be the last of a pipeline of its own. The merge ends when all of them have.
 * When one fails or is destroyed, the merge fails, unless it is to keep going; when the merge does,
 * they do.
 * gives:  *ret_stream, the stream of each branch
 * errors: as tr_tee */
TR_API int tr_merge(tr_actor *self, const tr_fan_opts *opts, tr_branch *branches, size_t count,
                    tr_stream *ret_stream);

#ifdef __cplusplus
}
#endif
#endif
