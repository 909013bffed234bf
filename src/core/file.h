// Files inside: open ones, and the tasks that go to the pool's threads for them.
#ifndef TROUPE_CORE_FILE_H
#define TROUPE_CORE_FILE_H

#include "core/core.h"
#include "core/file_call.h"

// An open file, held by its handle or its stream and by every task that works on it. The loop's,
// but for fd, which belongs to the task that opens or closes it.
typedef struct tr__file {
    tr__owned owned; // of the handle
    tr_loop *loop;
    uint64_t id; // 0: no handle
    uint64_t actor;
    tr_stream stream; // is to hear when it is closed; {0}: none
    uint32_t refs;
    int fd;            // -1: not open
    bool seeks;        // has offsets
    tr_file_info info; // as it was opened
} tr__file;

// errors: TR_ENOMEM
int tr__file_new(tr_actor *self, tr__file **ret_file);
// The file of a handle on which nothing is under way. errors: TR_EINVAL, TR_ENOENT, -EBUSY
int tr__file_at_rest(tr_actor *self, tr_file handle, tr__file **ret_file);
void tr__file_take(tr__file *file); // it has no handle any more; what that held is the caller's
// Drop it and set *file to NULL: it is closed on the pool when nobody holds it any more.
void tr__file_unref(tr__file **file);
// The same for its stream's destroy. returns: TR_LATER: tr_stream_done follows when it is closed
int tr__file_leave(tr_actor *self, tr_stream stream, tr__file **file);

// One call, or several, on a thread of the pool.
typedef struct tr__file_task {
    tr__file_call call;
    tr_world *world;
    int (*run)(struct tr__file_task *task); // on the thread: 0 or an error
    // In a turn, when it has run or is cancelled. Returns whether the task has been started again.
    bool (*done)(tr_actor *self, struct tr__file_task *task, int status);
    tr__file *file, *to;   // held. NULL: none
    tr_file_result result; // run fills it in. What it points at is the task's
    void *entries;         // likewise
    tr_buf *chunk;         // to be read into, or written whole
    tr_iov *iov;           // what is to be written, of these buffers
    tr_buf **bufs;
    size_t buf_count;
    tr_stream stream;
    tr_file_done cb;
    void *arg;
    _Alignas(max_align_t) char room[];
} tr__file_task;

// gives:  *ret_task, zeroed, with copies of the paths (NULL: none) in its call, and so much room
// errors: TR_ENAMETOOLONG, TR_ENOMEM
int tr__file_task_new(tr_actor *self, const char *path, const char *to, size_t room,
                      tr__file_task **ret_task);
// A task that reads up to size bytes into a chunk.
int tr__file_task_read(tr_actor *self, size_t size, tr__file_task **ret_task);
// A task that writes these buffers, which it keeps. count: up to TR__IOV_MAX
int tr__file_task_write(tr_actor *self, tr_buf *const *bufs, size_t count,
                        tr__file_task **ret_task);
void tr__file_task_on(tr__file_task *task, tr__file *file); // and hold it
// Have it run. moves: *task. errors: as tr_work
int tr__file_task_start(tr_actor *self, tr__file_task **task, tr_cancel *cancel);
void tr__file_task_free(tr__file_task **task);

// ---- On a thread of the pool (file_whole.c): all return 0 or an error ----

int tr__file_run_call(tr__file_task *task); // the call as it is
int tr__file_run_open(tr__file_task *task); // file, by the call's path
int tr__file_run_close(tr__file_task *task);
int tr__file_run_read(tr__file_task *task);  // into iov; a view of that is result.data
int tr__file_run_write(tr__file_task *task); // all of iov; result.bytes says how far it has come
int tr__file_run_list(tr__file_task *task);
int tr__file_run_read_all(tr__file_task *task);
int tr__file_run_write_all(tr__file_task *task);
int tr__file_run_replace(tr__file_task *task); // call.to: the temporary file
int tr__file_run_copy(tr__file_task *task);
int tr__file_run_mkdir(tr__file_task *task); // with its parents

#endif
