// Files: the calls of troupe/file.h, and the life of an open file.
//
// A call becomes a task, which is work (work.c) of the pool "file": it has copies of the paths and
// holds the files and buffers that it works on, so that it needs nobody when its actor has ended.
// The world makes the calls (core/file_call.h); what they are made of is in file_whole.c.
//
// A file is closed when its handle is closed or gone and no task holds it any more: never is its
// descriptor closed under a thread that uses it, which might find another file there. Closing may
// wait for a disk as well, so that is work, too; where no work can be had it is done on the loop.
#include "core/file.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/opts.h"
#include "core/node.h"

#define POOL      "file"
#define QUEUE_MAX 65536u // a stream has one call at a time: so many of them may be at work
#define READ_MAX  65536u

#define OPEN_FLAGS                                                                                 \
    (TR_OPEN_READ | TR_OPEN_WRITE | TR_OPEN_CREATE | TR_OPEN_EXCLUSIVE | TR_OPEN_TRUNCATE |        \
     TR_OPEN_APPEND | TR_OPEN_NO_FOLLOW)

// ---- Open files ----

int tr__file_new(tr_actor *self, tr__file **ret_file)
{
    tr__file *f = tr__zalloc(sizeof *f);
    if (f == NULL)
        return TR_ENOMEM;
    f->loop = self->loop;
    f->actor = self->id;
    f->refs = 1;
    f->fd = -1;
    *ret_file = f;
    return 0;
}

static void file_close_now(tr__file *f)
{
    tr_world *world = f->loop->world;
    world->ops->file(world, &(tr__file_call){.op = TR__FILE_CLOSE, .fd = f->fd});
    f->fd = -1;
}

static int file_run_close(void *file)
{
    file_close_now(file);
    return 0;
}

static void file_tell(tr_actor *self, void *file)
{
    tr_stream_done(self, ((const tr__file *)file)->stream, 0);
}

// It is closed. A stream that has been told to wait for that hears of it.
static void file_free(tr__file *f)
{
    static const tr__what what = {"(file)"};
    tr_actor *actor = f->stream.id == 0 ? NULL : tr__actor_find(f->loop, f->actor);
    if (actor != NULL && f->loop->current == actor)
        file_tell(actor, f);
    else if (actor != NULL && actor->state == TR__RUNNING)
        tr__turn(actor, &what, file_tell, f);
    tr__free(f);
}

static void file_release(void *file)
{
    tr__file *f = file;
    if (f->fd >= 0) // no thread has come to it
        file_close_now(f);
    file_free(f);
}

void tr__file_unref(tr__file **file)
{
    tr__file *f = *file;
    *file = NULL;
    if (f == NULL || --f->refs > 0)
        return;
    if (f->fd < 0 || tr__work_alone(f->loop, POOL, file_run_close, f, file_release) < 0)
        file_release(f);
}

int tr__file_leave(tr_actor *self, tr_stream stream, tr__file **file)
{
    tr__file *f = *file;
    if (f == NULL || (f->refs == 1 && f->fd < 0)) {
        tr__file_unref(file);
        return 0;
    }
    tr_assert(f->actor == self->id);
    f->stream = stream;
    tr__file_unref(file);
    return TR_LATER;
}

// ---- Handles ----

void tr__file_take(tr__file *f)
{
    tr__slots_remove(&f->loop->files, f->id);
    tr__list_remove(&f->owned.link);
    f->id = 0;
}

static void handle_drop(tr__file *f)
{
    tr__file_take(f);
    tr__file_unref(&f);
}

static void handle_close(tr__owned *owned)
{
    handle_drop(tr__container(owned, tr__file, owned));
}

// A file with a handle, which is not told before it is open.
static int handle_new(tr_actor *self, tr__file **ret_file)
{
    tr__file *f = NULL;
    int rc = tr__file_new(self, &f);
    if (rc < 0)
        return rc;
    rc = tr__slots_add(&self->loop->files, f, &f->id);
    if (rc < 0) {
        tr__file_unref(&f);
        return rc;
    }
    f->owned.close = handle_close;
    tr__list_append(&self->owned, &f->owned.link);
    *ret_file = f;
    return 0;
}

static int handle_find(tr_actor *self, tr_file file, tr__file **ret_file)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    tr__file *f = tr__slots_find(&self->loop->files, file.id);
    if (f == NULL || f->actor != self->id)
        return TR_ENOENT;
    *ret_file = f;
    return 0;
}

int tr__file_at_rest(tr_actor *self, tr_file handle, tr__file **ret_file)
{
    int rc = handle_find(self, handle, ret_file);
    return rc == 0 && (*ret_file)->refs > 1 ? -EBUSY : rc;
}

// ---- Tasks ----

static size_t path_size(const char *path)
{
    return path == NULL ? 0 : strlen(path) + 1;
}

int tr__file_task_new(tr_actor *self, const char *path, const char *to, size_t room,
                      tr__file_task **ret_task)
{
    size_t path_bytes = path_size(path), to_bytes = path_size(to);
    if (path_bytes > TR__PATH_MAX || to_bytes > TR__PATH_MAX)
        return TR_ENAMETOOLONG;
    tr__file_task *t = tr__zalloc(sizeof *t + room + path_bytes + to_bytes);
    if (t == NULL)
        return TR_ENOMEM;
    t->world = self->loop->world;
    t->run = tr__file_run_call;
    if (path != NULL)
        t->call.path = memcpy(t->room + room, path, path_bytes);
    if (to != NULL)
        t->call.to = memcpy(t->room + room + path_bytes, to, to_bytes);
    *ret_task = t;
    return 0;
}

int tr__file_task_write(tr_actor *self, tr_buf *const *bufs, size_t count, tr__file_task **ret_task)
{
    tr__file_task *t = NULL;
    tr_assert(count <= TR__IOV_MAX);
    int rc = tr__file_task_new(self, NULL, NULL, count * (sizeof *t->iov + sizeof *t->bufs), &t);
    if (rc < 0)
        return rc;
    t->iov = (tr_iov *)(void *)t->room;
    t->bufs = (tr_buf **)(void *)(t->iov + count);
    for (; t->buf_count < count; t->buf_count++) {
        tr_buf *buf = t->bufs[t->buf_count] = tr_buf_ref(bufs[t->buf_count]);
        t->iov[t->buf_count] = (tr_iov){tr_buf_data(buf), tr_buf_size(buf)};
    }
    t->call.iov = t->iov;
    t->call.count = (int)count;
    t->run = tr__file_run_write;
    *ret_task = t;
    return 0;
}

int tr__file_task_read(tr_actor *self, size_t size, tr__file_task **ret_task)
{
    tr__file_task *t = NULL;
    int rc = tr__file_task_new(self, NULL, NULL, sizeof *t->iov, &t);
    if (rc < 0)
        return rc;
    rc = tr_buf_new(size, &t->chunk);
    if (rc < 0) {
        tr__file_task_free(&t);
        return rc;
    }
    t->iov = (tr_iov *)(void *)t->room;
    *t->iov = (tr_iov){tr_buf_data(t->chunk), size};
    t->call.op = TR__FILE_READ;
    t->call.iov = t->iov;
    t->call.count = 1;
    t->run = tr__file_run_read;
    *ret_task = t;
    return 0;
}

void tr__file_task_on(tr__file_task *t, tr__file *file)
{
    t->file = file;
    t->call.fd = file->fd;
    file->refs++;
}

void tr__file_task_free(tr__file_task **task)
{
    tr__file_task *t = *task;
    *task = NULL;
    if (t == NULL)
        return;
    tr__file_unref(&t->file);
    tr__file_unref(&t->to);
    tr_buf_unref(&t->result.data);
    tr_buf_unref(&t->chunk);
    for (size_t i = 0; i < t->buf_count; i++)
        tr_buf_unref(&t->bufs[i]);
    tr__free(t->entries);
    tr__free(t);
}

static void task_release(void *task)
{
    tr__file_task *t = task;
    tr__file_task_free(&t);
}

static int task_run(void *task)
{
    tr__file_task *t = task;
    return t->run(t);
}

// data: NULL: it was cancelled, and the pool releases it later.
static void task_done(tr_actor *self, int status, void *data, void *task)
{
    tr__file_task *t = task;
    if (!t->done(self, t, status) && data != NULL)
        tr__file_task_free(&t);
}

int tr__file_task_start(tr_actor *self, tr__file_task **task, tr_cancel *cancel)
{
    tr_work_pool(self->loop->node, POOL,
                 TR_WORK_POOL(.queue_max = QUEUE_MAX)); // if it is the first
    int rc =
        tr_work(self, task_run, *task,
                TR_WORK(.pool = POOL, .release = task_release, .cancel = cancel), task_done, *task);
    if (rc == 0)
        *task = NULL;
    return rc;
}

// ---- Calls ----

// A call that has been cancelled may be running: nothing of it is looked at. Any other has ended,
// so its callback may close the file.
static bool call_done(tr_actor *self, tr__file_task *t, int status)
{
    if (status != TR_ECANCELED)
        tr__file_unref(&t->file);
    tr_file_result failed = {.bytes = status == TR_ECANCELED ? 0 : t->result.bytes};
    if (t->cb != NULL)
        t->cb(self, status, status < 0 ? &failed : &t->result, t->arg);
    return false;
}

static bool open_done(tr_actor *self, tr__file_task *t, int status)
{
    if (status < 0)
        handle_drop(t->file);
    else
        t->result.info = t->file->info;
    return call_done(self, t, status);
}

// What all calls check first. flags: those that it may have.
static int call_check(tr_actor *self, const tr_file_opts *opts, unsigned flags, tr_file_done cb,
                      tr_file_opts *ret_opts)
{
    int rc = tr__opts_copy(opts, ret_opts, sizeof *ret_opts);
    if (rc < 0 || !tr__actor_here(self) || self->state > TR__RUNNING || cb == NULL ||
        (ret_opts->flags & ~flags) != 0 || ret_opts->offset > INT64_MAX)
        return TR_EINVAL;
    return 0;
}

// moves: *task, always
static int call_start(tr_actor *self, tr__file_task **task, tr_cancel *cancel, tr_file_done cb,
                      void *arg)
{
    tr__file_task *t = *task;
    t->cb = cb;
    t->arg = arg;
    if (t->done == NULL)
        t->done = call_done;
    int rc = tr__file_task_start(self, task, cancel);
    tr__file_task_free(task);
    return rc;
}

// A call by path that is made as it is. room: for what it says.
static int call_path(tr_actor *self, tr__file_op op, const char *path, const char *to, size_t room,
                     const tr_file_opts *opts, tr_file_done cb, void *arg)
{
    tr_file_opts o;
    tr__file_task *t = NULL;
    int rc = path == NULL ? TR_EINVAL : call_check(self, opts, 0, cb, &o);
    if (rc == 0)
        rc = tr__file_task_new(self, path, to, room, &t);
    if (rc < 0)
        return rc;
    t->call.op = op;
    t->call.mode = o.mode;
    t->call.info = &t->result.info;
    t->call.text = room > 0 ? t->room : NULL;
    t->call.size = room;
    return call_start(self, &t, o.cancel, cb, arg);
}

// The same for an open file.
static int call_file(tr_actor *self, tr__file_op op, tr_file file, const tr_file_opts *opts,
                     tr_file_done cb, void *arg)
{
    tr_file_opts o;
    tr__file *f = NULL;
    tr__file_task *t = NULL;
    int rc = call_check(self, opts, 0, cb, &o);
    if (rc == 0)
        rc = handle_find(self, file, &f);
    if (rc == 0)
        rc = tr__file_task_new(self, NULL, NULL, 0, &t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, f);
    t->call.op = op;
    t->call.size = o.max;
    t->call.info = &t->result.info;
    return call_start(self, &t, o.cancel, cb, arg);
}

// ---- Open files ----

int tr_file_open(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                 void *arg)
{
    tr_file_opts o;
    tr__file *f = NULL;
    tr__file_task *t = NULL;
    int rc = path == NULL ? TR_EINVAL : call_check(self, opts, OPEN_FLAGS, cb, &o);
    if (rc == 0)
        rc = tr__file_task_new(self, path, NULL, 0, &t);
    if (rc < 0)
        return rc;
    rc = handle_new(self, &f);
    if (rc < 0) {
        tr__file_task_free(&t);
        return rc;
    }
    tr__file_task_on(t, f);
    t->call.flags = o.flags == 0 ? TR_OPEN_READ : o.flags;
    t->call.mode = o.mode;
    t->result.file.id = f->id;
    t->run = tr__file_run_open;
    t->done = open_done;
    rc = call_start(self, &t, o.cancel, cb, arg);
    if (rc < 0)
        handle_drop(f);
    return rc;
}

int tr_file_close(tr_actor *self, tr_file file, tr_file_done cb, void *arg)
{
    tr__file *f = NULL;
    tr__file_task *t = NULL;
    int rc = tr__file_at_rest(self, file, &f);
    if (rc == 0)
        rc = tr__file_task_new(self, NULL, NULL, 0, &t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, f);
    t->run = tr__file_run_close;
    rc = call_start(self, &t, NULL, cb, arg);
    if (rc == 0)
        handle_drop(f);
    return rc;
}

int tr_file_read(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb, void *arg)
{
    tr_file_opts o;
    tr__file *f = NULL;
    tr__file_task *t = NULL;
    int rc = call_check(self, opts, 0, cb, &o);
    if (rc == 0)
        rc = handle_find(self, file, &f);
    if (rc == 0)
        rc = tr__file_task_read(self, o.max == 0 ? READ_MAX : o.max, &t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, f);
    t->call.offset = f->seeks ? o.offset : TR__FILE_HERE;
    return call_start(self, &t, o.cancel, cb, arg);
}

int tr_file_write(tr_actor *self, tr_file file, tr_buf **chunk, const tr_file_opts *opts,
                  tr_file_done cb, void *arg)
{
    tr_file_opts o;
    tr__file *f = NULL;
    tr__file_task *t = NULL;
    int rc = chunk == NULL || *chunk == NULL ? TR_EINVAL : call_check(self, opts, 0, cb, &o);
    if (rc == 0)
        rc = handle_find(self, file, &f);
    if (rc == 0)
        rc = tr__file_task_write(self, chunk, 1, &t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, f);
    t->call.offset = f->seeks ? o.offset : TR__FILE_HERE;
    rc = call_start(self, &t, o.cancel, cb, arg);
    if (rc == 0)
        tr_buf_unref(chunk);
    return rc;
}

int tr_file_sync(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb, void *arg)
{
    return call_file(self, TR__FILE_SYNC, file, opts, cb, arg);
}

int tr_file_truncate(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                     void *arg)
{
    return call_file(self, TR__FILE_TRUNCATE, file, opts, cb, arg);
}

int tr_file_fstat(tr_actor *self, tr_file file, const tr_file_opts *opts, tr_file_done cb,
                  void *arg)
{
    return call_file(self, TR__FILE_FSTAT, file, opts, cb, arg);
}

// ---- Whole files ----

// A call by path that is made of several.
typedef struct whole {
    int (*run)(tr__file_task *task);
    unsigned flags; // that it may have
    const char *path, *to;
    tr_buf **chunk; // to be written; NULL: none
} whole;

static int call_whole(tr_actor *self, const whole *w, const tr_file_opts *opts, tr_file_done cb,
                      void *arg)
{
    tr_file_opts o;
    tr__file_task *t = NULL;
    int rc = w->path == NULL ? TR_EINVAL : call_check(self, opts, w->flags, cb, &o);
    if (rc == 0)
        rc = tr__file_task_new(self, w->path, w->to, 0, &t);
    if (rc < 0)
        return rc;
    t->run = w->run;
    t->call.flags = o.flags;
    t->call.mode = o.mode;
    t->call.size = o.max;
    if (w->chunk != NULL)
        t->chunk = tr_buf_ref(*w->chunk);
    rc = call_start(self, &t, o.cancel, cb, arg);
    if (rc == 0)
        tr_buf_unref(w->chunk);
    return rc;
}

int tr_file_read_all(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                     void *arg)
{
    return call_whole(self, &(whole){.run = tr__file_run_read_all, .path = path}, opts, cb, arg);
}

int tr_file_write_all(tr_actor *self, const char *path, tr_buf **chunk, const tr_file_opts *opts,
                      tr_file_done cb, void *arg)
{
    const whole w = {.run = tr__file_run_write_all,
                     .flags = TR_OPEN_APPEND | TR_OPEN_EXCLUSIVE | TR_FILE_SYNC,
                     .path = path,
                     .chunk = chunk};
    return chunk == NULL || *chunk == NULL ? TR_EINVAL : call_whole(self, &w, opts, cb, arg);
}

// A name that nobody else has: this one and twelve letters.
static void path_unique(tr_actor *self, char *path, size_t size, const char *prefix)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t random[12];
    char tail[sizeof random + 1] = "";
    tr_world *world = self->loop->world;
    world->ops->random(world, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        tail[i] = letters[random[i] % 32];
    snprintf(path, size, "%s%s", prefix, tail);
}

int tr_file_replace(tr_actor *self, const char *path, tr_buf **chunk, const tr_file_opts *opts,
                    tr_file_done cb, void *arg)
{
    char prefix[TR__PATH_MAX], temporary[TR__PATH_MAX];
    if (!tr__actor_here(self) || path == NULL || chunk == NULL || *chunk == NULL)
        return TR_EINVAL;
    if (strlen(path) + 16 > sizeof temporary)
        return TR_ENAMETOOLONG;
    snprintf(prefix, sizeof prefix, "%s.", path);
    path_unique(self, temporary, sizeof temporary, prefix);
    const whole w = {.run = tr__file_run_replace, .path = path, .to = temporary, .chunk = chunk};
    return call_whole(self, &w, opts, cb, arg);
}

int tr_file_copy(tr_actor *self, const char *path, const char *to, const tr_file_opts *opts,
                 tr_file_done cb, void *arg)
{
    const whole w = {.run = tr__file_run_copy,
                     .flags = TR_OPEN_EXCLUSIVE | TR_FILE_SYNC,
                     .path = path,
                     .to = to};
    return to == NULL ? TR_EINVAL : call_whole(self, &w, opts, cb, arg);
}

int tr_file_list(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                 void *arg)
{
    return call_whole(self, &(whole){.run = tr__file_run_list, .path = path}, opts, cb, arg);
}

int tr_file_mkdir(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                  void *arg)
{
    const whole w = {.run = tr__file_run_mkdir, .flags = TR_FILE_PARENTS, .path = path};
    return call_whole(self, &w, opts, cb, arg);
}

int tr_file_mkdtemp(tr_actor *self, const char *prefix, const tr_file_opts *opts, tr_file_done cb,
                    void *arg)
{
    char path[TR__PATH_MAX];
    tr_file_opts o;
    int rc = prefix == NULL ? TR_EINVAL : call_check(self, opts, 0, cb, &o);
    if (rc < 0)
        return rc;
    if (strlen(prefix) + 16 > sizeof path)
        return TR_ENAMETOOLONG;
    path_unique(self, path, sizeof path, prefix);
    o.size = sizeof o;
    o.mode = 0700;
    return call_whole(self, &(whole){.run = tr__file_run_mkdir, .path = path}, &o, cb, arg);
}

// ---- Names ----

int tr_file_stat(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                 void *arg)
{
    return call_path(self, TR__FILE_STAT, path, NULL, 0, opts, cb, arg);
}

int tr_file_lstat(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                  void *arg)
{
    return call_path(self, TR__FILE_LSTAT, path, NULL, 0, opts, cb, arg);
}

int tr_file_access(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                   void *arg)
{
    return call_path(self, TR__FILE_ACCESS, path, NULL, 0, opts, cb, arg);
}

int tr_file_chmod(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                  void *arg)
{
    return call_path(self, TR__FILE_CHMOD, path, NULL, 0, opts, cb, arg);
}

int tr_file_rmdir(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                  void *arg)
{
    return call_path(self, TR__FILE_RMDIR, path, NULL, 0, opts, cb, arg);
}

int tr_file_unlink(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                   void *arg)
{
    return call_path(self, TR__FILE_UNLINK, path, NULL, 0, opts, cb, arg);
}

int tr_file_rename(tr_actor *self, const char *path, const char *to, const tr_file_opts *opts,
                   tr_file_done cb, void *arg)
{
    return to == NULL ? TR_EINVAL : call_path(self, TR__FILE_RENAME, path, to, 0, opts, cb, arg);
}

int tr_file_symlink(tr_actor *self, const char *target, const char *path, const tr_file_opts *opts,
                    tr_file_done cb, void *arg)
{
    return path == NULL ? TR_EINVAL
                        : call_path(self, TR__FILE_SYMLINK, target, path, 0, opts, cb, arg);
}

int tr_file_readlink(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                     void *arg)
{
    return call_path(self, TR__FILE_READLINK, path, NULL, TR__PATH_MAX, opts, cb, arg);
}

int tr_file_realpath(tr_actor *self, const char *path, const tr_file_opts *opts, tr_file_done cb,
                     void *arg)
{
    return call_path(self, TR__FILE_REALPATH, path, NULL, TR__PATH_MAX, opts, cb, arg);
}
