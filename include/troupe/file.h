/* Files: calls that may wait for a disk, made on threads, and files as streams.
 *
 * Every call returns at once: 0, or an error, and then nothing has happened and nothing follows.
 * What becomes of it comes later, once, in a turn of its own: cb(self, status, result, arg), where
 * status is 0 or an error, mostly the system's (-ENOENT, -ENOSPC). All calls are for turns of the
 * actor, and give
 *   TR_EINVAL, TR_ENOMEM; TR_ENAMETOOLONG (a path of 4096 bytes or more); TR_ENOENT (a tr_file that
 *   is closed); TR_ECANCELED (opts->cancel has been); TR_EFULL (65536 calls wait already);
 * what they give besides is said with them. They borrow paths and opts until they return (NULL: all
 * defaults), and arg until cb has returned or the actor has ended.
 *
 * Calls of an actor that do not depend on each other may run at the same time, and end in any
 * order. They run on the pool "file" (troupe/work.h) of 4 threads, unless the program says
 * otherwise before its first call. One that has been cancelled may have been made all the same. */
#ifndef TROUPE_FILE_H
#define TROUPE_FILE_H

#include <troupe/cancel.h>
#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open file, by value; {0} is none. It belongs to the actor that opened it, and is closed when
 * that ends. Its id goes stale when it is closed. */
typedef struct tr_file {
    uint64_t id;
} tr_file;

typedef enum tr_file_type {
    TR_FILE_OTHER, /* also in a list, where the file system does not say */
    TR_FILE_REGULAR,
    TR_FILE_DIRECTORY,
    TR_FILE_SYMLINK,
    TR_FILE_FIFO,
    TR_FILE_SOCKET,
    TR_FILE_DEVICE
} tr_file_type;

typedef struct tr_file_info {
    tr_file_type type;
    uint32_t mode; /* permissions: 07777 at most */
    uint32_t uid, gid;
    uint64_t bytes, bytes_on_disk;
    uint64_t device, inode, links;
    int64_t read_ns, written_ns, changed_ns; /* since 1970; changed: by chmod and the like, too */
} tr_file_info;

typedef struct tr_file_entry {
    const char *name;
    tr_file_type type;
} tr_file_entry;

/* What a call has brought: the members that it names, the others are 0. Never NULL; after an error
 * all are 0 but bytes, where something was written.
 * borrows: all of it, until cb returns (tr_buf_ref keeps data) */
typedef struct tr_file_result {
    tr_file file;
    uint64_t bytes;
    tr_buf *data;
    tr_file_info info;
    const char *path;
    const tr_file_entry *entries;
    size_t count;
} tr_file_result;

typedef void (*tr_file_done)(tr_actor *self, int status, const tr_file_result *result, void *arg);

typedef enum tr_file_flags {
    TR_OPEN_READ = 1,
    TR_OPEN_WRITE = 2,
    TR_OPEN_CREATE = 4,
    TR_OPEN_EXCLUSIVE = 8, /* create it; one that is there is -EEXIST */
    TR_OPEN_TRUNCATE = 16,
    TR_OPEN_APPEND = 32,    /* what is written goes to the end, wherever that is then */
    TR_OPEN_NO_FOLLOW = 64, /* a symbolic link is -ELOOP */
    TR_FILE_PARENTS = 128,  /* with the directories above it; one that is there is fine */
    TR_FILE_SYNC = 256      /* it is on the disk when it is done */
} tr_file_flags;

typedef struct tr_file_opts {
    size_t size;       /* set by TR_FILE */
    unsigned flags;    /* of tr_file_flags */
    uint32_t mode;     /* permissions of what is made, less the umask. 0: 0666, directories 0777 */
    uint64_t offset;   /* where in the file; no matter where there is no such place, as in a FIFO */
    size_t max;        /* so many bytes at most */
    tr_cancel *cancel; /* ends the call with TR_ECANCELED. NULL: none */
} tr_file_opts;
#define TR_FILE(...) (&(const tr_file_opts){.size = sizeof(tr_file_opts), __VA_ARGS__})

/* ---- Open files ---- */

/* Open a file: to be read, unless opts->flags say otherwise. A FIFO is not waited for: to write
 * into one that nobody reads is -ENXIO. A directory is -EISDIR.
 * opts: flags (TR_OPEN_...), mode, cancel
 * result: file, info (of what has been opened) */
TR_API int tr_file_open(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                        void *arg);

/* Close it. The handle is stale from now on. cb may be NULL.
 * errors: -EBUSY (a call of this file has not ended yet) */
TR_API int tr_file_close(tr_actor *self, tr_file file, tr_file_done cb, void *arg);

/* Read some: fewer bytes than asked for are there where the file ends, or where it is none of a
 * disk, and then TR_EAGAIN says that none has come yet; none, when there are no more.
 * opts: offset, max (0: 65536), cancel
 * result: data, bytes (its size) */
TR_API int tr_file_read(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                        void *arg);

/* Write all of a chunk; after an error, as TR_EAGAIN of a FIFO that is full, bytes says how much of
 * it was. opts: offset, cancel
 * moves:  *chunk
 * result: bytes */
TR_API int tr_file_write(tr_actor *self, tr_file file, tr_buf **chunk, const tr_file_opts *opts,
                         tr_file_done cb, void *arg);

/* What was written is on the disk when it is done. opts: cancel */
TR_API int tr_file_sync(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                        void *arg);

/* Make it so many bytes long: opts->max. opts: max, cancel */
TR_API int tr_file_truncate(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                            void *arg);

/* opts: cancel
 * result: info */
TR_API int tr_file_fstat(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                         void *arg);

/* ---- Whole files ---- */

/* Read all of a file. One of more than opts->max bytes (0: TR_FILE_MAX) is TR_ETOOBIG.
 * opts: max, cancel
 * result: data, bytes */
#define TR_FILE_MAX (64u << 20)
TR_API int tr_file_read_all(tr_actor *self, const char *path, const tr_file_opts *opts,
                            tr_file_done cb, void *arg);

/* Make a file of a chunk, in place of what it had (flags 0), or as opts->flags say: TR_OPEN_APPEND,
 * TR_OPEN_EXCLUSIVE, TR_FILE_SYNC. When it fails, part of it may have been written.
 * opts: flags, mode, cancel
 * moves:  *chunk
 * result: bytes */
TR_API int tr_file_write_all(tr_actor *self, const char *path, tr_buf **chunk,
                             const tr_file_opts *opts, tr_file_done cb, void *arg);

/* The same, whole or not at all, whatever happens to this process or the machine: into a temporary
 * file beside it, which takes its name when it is on the disk. A file that was there keeps its
 * permissions; mode is for a new one. opts: mode, cancel */
TR_API int tr_file_replace(tr_actor *self, const char *path, tr_buf **chunk,
                           const tr_file_opts *opts, tr_file_done cb, void *arg);

/* Copy a file, with its permissions, in the kernel if that can. When it fails, part of it may have
 * been copied. opts: flags (TR_OPEN_EXCLUSIVE, TR_FILE_SYNC), cancel
 * result: bytes */
TR_API int tr_file_copy(tr_actor *self, const char *path, const char *to, const tr_file_opts *opts,
                        tr_file_done cb, void *arg);

/* ---- Names ---- */

/* What is known of a file; lstat: of a symbolic link itself. opts: cancel
 * result: info */
TR_API int tr_file_stat(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                        void *arg);
TR_API int tr_file_lstat(tr_actor *self, const char *path, const tr_file_opts *opts,
                         tr_file_done cb, void *arg);

/* Whether it is there, and may be read (4), written (2), executed (1): opts->mode, their sum.
 * opts: mode, cancel */
TR_API int tr_file_access(tr_actor *self, const char *path, const tr_file_opts *opts,
                          tr_file_done cb, void *arg);

/* Its permissions: opts->mode. opts: mode, cancel */
TR_API int tr_file_chmod(tr_actor *self, const char *path, const tr_file_opts *opts,
                         tr_file_done cb, void *arg);

/* What is in a directory, in no order, without "." and "..". opts: cancel
 * result: entries, count */
TR_API int tr_file_list(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                        void *arg);

/* Make a directory. opts: flags (TR_FILE_PARENTS), mode, cancel */
TR_API int tr_file_mkdir(tr_actor *self, const char *path, const tr_file_opts *opts,
                         tr_file_done cb, void *arg);

/* Make a directory of a new name, which begins with prefix, for this user alone. opts: cancel
 * result: path */
TR_API int tr_file_mkdtemp(tr_actor *self, const char *prefix, const tr_file_opts *opts,
                           tr_file_done cb, void *arg);

/* Remove an empty directory; any other file. opts: cancel */
TR_API int tr_file_rmdir(tr_actor *self, const char *path, const tr_file_opts *opts,
                         tr_file_done cb, void *arg);
TR_API int tr_file_unlink(tr_actor *self, const char *path, const tr_file_opts *opts,
                          tr_file_done cb, void *arg);

/* Give it another name, in place of what has that. opts: cancel */
TR_API int tr_file_rename(tr_actor *self, const char *path, const char *to,
                          const tr_file_opts *opts, tr_file_done cb, void *arg);

/* Make a symbolic link at `path` that says `target`. opts: cancel */
TR_API int tr_file_symlink(tr_actor *self, const char *target, const char *path,
                           const tr_file_opts *opts, tr_file_done cb, void *arg);

/* What a symbolic link says; the path without any. opts: cancel
 * result: path */
TR_API int tr_file_readlink(tr_actor *self, const char *path, const tr_file_opts *opts,
                            tr_file_done cb, void *arg);
TR_API int tr_file_realpath(tr_actor *self, const char *path, const tr_file_opts *opts,
                            tr_file_done cb, void *arg);

/* ---- Watching ---- */

/* By value; {0} watches nothing. */
typedef struct tr_file_watch {
    uint64_t id;
} tr_file_watch;

enum {
    TR_FILE_CHANGED = 1, /* what is in it, or is known of it */
    TR_FILE_MOVED = 2    /* something has come, has gone or has another name */
};

/* What has happened: TR_FILE_CHANGED, TR_FILE_MOVED or both. name: to which file of the directory
 * that is watched; of a file its own; NULL: not known. status: an error, the last word. */
typedef void (*tr_file_heard)(tr_actor *self, int status, unsigned events, const char *name,
                              void *arg);

/* Hear of what happens to a file, or to a directory and the files in it, but not below. Several
 * changes may be told as one, and what they were is to be looked up: this only says when.
 * errors: also the system's: -ENOENT, -ENOSPC (more than the user may watch) */
TR_API int tr_file_watch_start(tr_actor *self, const char *path, tr_file_heard cb, void *arg,
                               tr_file_watch *ret_watch);

/* Safe at any time. */
TR_API void tr_file_watch_stop(tr_actor *self, tr_file_watch watch);

/* ---- Files as streams ---- */

typedef struct tr_file_read_opts {
    size_t size;          /* set by TR_FILE_READ */
    unsigned flags;       /* TR_OPEN_NO_FOLLOW */
    uint64_t start;       /* the first byte */
    uint64_t end;         /* the first byte that is not read any more; 0: none is */
    size_t high;          /* bytes in one chunk, and the high-water mark; 0: TR_STREAM_HIGH */
    const char *encoding; /* "utf8", or another that tr_encoding_named knows: what is read is text
                           * in it, and no chunk ends inside a character. NULL: bytes as they are */
} tr_file_read_opts;
#define TR_FILE_READ(...)                                                                          \
    (&(const tr_file_read_opts){.size = sizeof(tr_file_read_opts), __VA_ARGS__})

/* A stream that reads a file. That it cannot be opened is an error of the stream, as what comes
 * later is: -ENODATA, of a file that was cut short while it was read. Of a FIFO it waits for who
 * writes, and ends after the last of them.
 * errors: TR_EINVAL (also: end before start, no encoding), TR_ENOMEM, TR_ENAMETOOLONG */
TR_API int tr_file_reader(tr_actor *self, const char *path, const tr_file_read_opts *opts,
                          tr_stream *ret_stream);

/* The same of a file that is open, which is the stream's from now on: what is read is what was
 * looked at, whatever has the name meanwhile. opts->flags are not heeded.
 * moves:  *file, which is {0} then
 * errors: TR_EINVAL, TR_ENOENT (no such file), -EBUSY (a call of it has not ended yet), TR_ENOMEM */
TR_API int tr_file_reader_on(tr_actor *self, tr_file *file, const tr_file_read_opts *opts,
                             tr_stream *ret_stream);

typedef struct tr_file_write_opts {
    size_t size;    /* set by TR_FILE_WRITE */
    unsigned flags; /* 0: TR_OPEN_CREATE | TR_OPEN_TRUNCATE. And TR_FILE_SYNC: before `finish` */
    uint32_t mode;  /* of a new file, less the umask; 0: 0666 */
    uint64_t start; /* where the first byte goes */
    size_t high;    /* the high-water mark; 0: TR_STREAM_HIGH */
} tr_file_write_opts;
#define TR_FILE_WRITE(...)                                                                         \
    (&(const tr_file_write_opts){.size = sizeof(tr_file_write_opts), __VA_ARGS__})

/* A stream that writes a file. What waits is written together. A reader and a writer of files, side
 * by side in a pipeline, let the kernel copy.
 * errors: as tr_file_reader */
TR_API int tr_file_writer(tr_actor *self, const char *path, const tr_file_write_opts *opts,
                          tr_stream *ret_stream);

#ifdef __cplusplus
}
#endif
#endif
