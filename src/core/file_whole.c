// What tasks do on the pool's threads: one call, or several that make a whole.
//
// Nothing here knows actors or loops; a task and what it holds belong to the thread until it has
// run. The calls are the world's, so all of this runs in the simulated world, too. What has begun
// and fails gives back what it has: descriptors are closed, temporary files removed.
#include <string.h>

#include "base/memory.h"
#include "core/file.h"
#include "data/out.h"

#define COPY_BYTES (256u * 1024) // at a time, where the kernel does not copy; as cp
#define MOVE_BYTES (1u << 30)    // at a time, where it does
#define READ_BYTES 65536u        // at least, of a file whose size is not known

static int64_t make(const tr__file_task *t, const tr__file_call *call)
{
    return t->world->ops->file(t->world, call);
}

static int status_of(int64_t result)
{
    return result < 0 ? (int)result : 0;
}

// ---- One call ----

int tr__file_run_call(tr__file_task *t)
{
    int64_t result = make(t, &t->call);
    if (result >= 0 && t->call.text != NULL) {
        t->call.text[result] = '\0';
        t->result.path = t->call.text;
    }
    return status_of(result);
}

int tr__file_run_open(tr__file_task *t)
{
    tr__file *f = t->file;
    t->call.op = TR__FILE_OPEN;
    t->call.info = &f->info;
    int64_t fd = make(t, &t->call);
    if (fd < 0)
        return (int)fd;
    f->fd = (int)fd;
    f->seeks = f->info.type == TR_FILE_REGULAR && (t->call.flags & TR_OPEN_APPEND) == 0;
    return 0;
}

int tr__file_run_close(tr__file_task *t)
{
    int64_t result = make(t, &(tr__file_call){.op = TR__FILE_CLOSE, .fd = t->file->fd});
    t->file->fd = -1;
    return status_of(result);
}

int tr__file_run_read(tr__file_task *t)
{
    int64_t n = make(t, &t->call);
    if (n < 0)
        return (int)n;
    t->result.bytes = (uint64_t)n;
    return tr_buf_slice(t->chunk, 0, (size_t)n, &t->result.data);
}

// ---- Writing ----

// Take what has been written off what is to be.
static void iov_advance(tr__file_call *call, tr_iov *iov, size_t bytes)
{
    for (; bytes > 0 || (call->count > 0 && iov->len == 0); iov++, call->iov++, call->count--) {
        if (bytes < iov->len) {
            iov->base = (char *)iov->base + bytes;
            iov->len -= bytes;
            return;
        }
        bytes -= iov->len;
    }
}

static int write_step(tr__file_task *t)
{
    int64_t n = make(t, &t->call);
    if (n < 0)
        return (int)n;
    t->result.bytes += (uint64_t)n;
    if (t->call.offset != TR__FILE_HERE)
        t->call.offset += (uint64_t)n;
    iov_advance(&t->call, (tr_iov *)(uintptr_t)t->call.iov, (size_t)n);
    return 0;
}

int tr__file_run_write(tr__file_task *t)
{
    int rc = 0;
    t->call.op = TR__FILE_WRITE;
    iov_advance(&t->call, (tr_iov *)(uintptr_t)t->call.iov, 0);
    while (rc == 0 && t->call.count > 0)
        rc = write_step(t);
    return rc;
}

// ---- Several calls on a file that they open ----

static int64_t open_at(const tr__file_task *t, const char *path, unsigned flags, uint32_t mode,
                       tr_file_info *info)
{
    return make(t,
                &(tr__file_call){
                    .op = TR__FILE_OPEN, .path = path, .flags = flags, .mode = mode, .info = info});
}

// The last word on a file that was written: rc, or what went wrong with the end of it.
static int finish(const tr__file_task *t, int fd, bool sync, int rc)
{
    if (rc == 0 && sync)
        rc = status_of(make(t, &(tr__file_call){.op = TR__FILE_SYNC, .fd = fd}));
    int closed = status_of(make(t, &(tr__file_call){.op = TR__FILE_CLOSE, .fd = fd}));
    return rc < 0 ? rc : closed;
}

static int write_chunk(tr__file_task *t, int fd, bool append)
{
    tr_iov iov = {tr_buf_data(t->chunk), tr_buf_size(t->chunk)};
    t->call.fd = fd;
    t->call.iov = &iov;
    t->call.count = 1;
    t->call.offset = append ? TR__FILE_HERE : 0;
    return tr__file_run_write(t);
}

int tr__file_run_write_all(tr__file_task *t)
{
    tr_file_info info;
    bool append = (t->call.flags & TR_OPEN_APPEND) != 0;
    unsigned flags = t->call.flags | TR_OPEN_WRITE | TR_OPEN_CREATE;
    int64_t fd =
        open_at(t, t->call.path, append ? flags : flags | TR_OPEN_TRUNCATE, t->call.mode, &info);
    if (fd < 0)
        return (int)fd;
    append |= info.type != TR_FILE_REGULAR;
    return finish(t, (int)fd, (t->call.flags & TR_FILE_SYNC) != 0, write_chunk(t, (int)fd, append));
}

// The directory that a path is in, in its own memory: it is the path's no more.
static const char *directory_of(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    slash[slash == path] = '\0';
    return path;
}

static int replace_write(tr__file_task *t, const char *temporary, const tr_file_info *old)
{
    tr_file_info info;
    int64_t fd = open_at(t, temporary, TR_OPEN_WRITE | TR_OPEN_CREATE | TR_OPEN_EXCLUSIVE,
                         t->call.mode, &info);
    if (fd < 0)
        return (int)fd;
    int rc = 0;
    if (old->type == TR_FILE_REGULAR)
        rc = status_of(
            make(t, &(tr__file_call){.op = TR__FILE_CHMOD, .fd = (int)fd, .mode = old->mode}));
    return finish(t, (int)fd, true, rc < 0 ? rc : write_chunk(t, (int)fd, false));
}

int tr__file_run_replace(tr__file_task *t)
{
    const char *path = t->call.path, *temporary = t->call.to;
    tr_file_info old = {.type = TR_FILE_OTHER};
    make(t, &(tr__file_call){.op = TR__FILE_LSTAT, .path = path, .info = &old});
    int rc = replace_write(t, temporary, &old);
    if (rc == 0)
        rc = status_of(
            make(t, &(tr__file_call){.op = TR__FILE_RENAME, .path = temporary, .to = path}));
    if (rc < 0) {
        make(t, &(tr__file_call){.op = TR__FILE_UNLINK, .path = temporary});
        return rc;
    }
    const char *directory = directory_of((char *)(uintptr_t)path);
    return status_of(make(t, &(tr__file_call){.op = TR__FILE_SYNC_DIR, .path = directory}));
}

// ---- Reading all ----

// One more piece. Returns how many bytes came; 0: that was all.
static int64_t read_more(const tr__file_task *t, int fd, bool seeks, size_t size, tr__out *all)
{
    size_t before = all->size;
    tr_iov iov = {tr__out_grow(all, size), size};
    if (iov.base == NULL)
        return TR_ENOMEM;
    int64_t n = make(t, &(tr__file_call){.op = TR__FILE_READ,
                                         .fd = fd,
                                         .offset = seeks ? before : TR__FILE_HERE,
                                         .iov = &iov,
                                         .count = 1});
    all->size = before + (n > 0 ? (size_t)n : 0);
    return n;
}

// One byte more than the file has tells where its end is without a second piece.
static int read_all(const tr__file_task *t, int fd, const tr_file_info *info, tr__out *all)
{
    uint64_t max = t->call.size == 0         ? TR_FILE_MAX
                   : t->call.size < SIZE_MAX ? t->call.size
                                             : SIZE_MAX - 1;
    uint64_t size = info->bytes > 0 ? info->bytes + 1 : READ_BYTES;
    int64_t n = info->bytes > max ? TR_ETOOBIG : 1;
    bool seeks = info->type == TR_FILE_REGULAR;
    while (n > 0) {
        uint64_t left = max + 1 - all->size;
        n = read_more(t, fd, seeks, size < left ? size : left, all);
        size = READ_BYTES;
        if (all->size > max)
            n = TR_ETOOBIG;
    }
    return (int)n;
}

static void out_release(void *bytes, void *arg)
{
    (void)arg;
    tr__free(bytes);
}

int tr__file_run_read_all(tr__file_task *t)
{
    tr_file_info info;
    tr__out all = {0};
    int64_t fd = open_at(t, t->call.path, TR_OPEN_READ, 0, &info);
    if (fd < 0)
        return (int)fd;
    int rc = finish(t, (int)fd, false, read_all(t, (int)fd, &info, &all));
    if (rc == 0)
        rc = tr_buf_wrap(all.bytes, all.size, out_release, NULL, &t->result.data);
    if (rc == 0)
        t->result.bytes = all.size;
    else
        tr__out_clear(&all);
    return rc;
}

// ---- Copying ----

// In the kernel, as long as it can. Returns 1 when all has been copied.
static int copy_moved(tr__file_task *t, int fd, int to)
{
    int64_t n;
    do {
        n = make(t, &(tr__file_call){.op = TR__FILE_MOVE,
                                     .fd = fd,
                                     .to_fd = to,
                                     .offset = t->result.bytes,
                                     .to_offset = t->result.bytes,
                                     .size = MOVE_BYTES});
        t->result.bytes += n > 0 ? (uint64_t)n : 0;
    } while (n > 0);
    return n == 0 && t->result.bytes > 0;
}

static int copy_chunk(tr__file_task *t, int fd, int to, void *bytes)
{
    tr_iov iov = {bytes, COPY_BYTES};
    int64_t n = make(
        t, &(tr__file_call){
               .op = TR__FILE_READ, .fd = fd, .offset = t->result.bytes, .iov = &iov, .count = 1});
    if (n <= 0)
        return n < 0 ? (int)n : 1;
    iov.len = (size_t)n;
    t->call.fd = to;
    t->call.offset = t->result.bytes;
    t->call.iov = &iov;
    t->call.count = 1;
    return tr__file_run_write(t);
}

// Where the kernel cannot, or says that there is nothing, as it does of files that are made up as
// they are read.
static int copy_all(tr__file_task *t, int fd, int to)
{
    int rc = copy_moved(t, fd, to);
    if (rc == 1)
        return 0;
    void *bytes = tr__alloc(COPY_BYTES);
    if (bytes == NULL)
        return TR_ENOMEM;
    do
        rc = copy_chunk(t, fd, to, bytes);
    while (rc == 0);
    tr__free(bytes);
    return rc < 0 ? rc : 0;
}

// Not cut before it is known to be another file.
static int copy_open(const tr__file_task *t, const tr_file_info *from, tr_file_info *ret_to)
{
    unsigned flags = TR_OPEN_WRITE | TR_OPEN_CREATE | (t->call.flags & TR_OPEN_EXCLUSIVE);
    int64_t fd = open_at(t, t->call.to, flags, from->mode, ret_to);
    if (fd < 0)
        return (int)fd;
    int rc = from->device == ret_to->device && from->inode == ret_to->inode ? TR_EINVAL : 0;
    if (rc == 0 && ret_to->type == TR_FILE_REGULAR)
        rc = status_of(make(t, &(tr__file_call){.op = TR__FILE_TRUNCATE, .fd = (int)fd}));
    if (rc == 0 && ret_to->type == TR_FILE_REGULAR)
        rc = status_of(
            make(t, &(tr__file_call){.op = TR__FILE_CHMOD, .fd = (int)fd, .mode = from->mode}));
    return rc < 0 ? finish(t, (int)fd, false, rc) : (int)fd;
}

int tr__file_run_copy(tr__file_task *t)
{
    tr_file_info from, info;
    int64_t fd = open_at(t, t->call.path, TR_OPEN_READ, 0, &from);
    if (fd < 0)
        return (int)fd;
    int to = copy_open(t, &from, &info), rc = to;
    if (to >= 0)
        rc = finish(t, to, (t->call.flags & TR_FILE_SYNC) != 0, copy_all(t, (int)fd, to));
    return finish(t, (int)fd, false, rc);
}

// ---- Directories ----

typedef struct list {
    tr__out text; // of each entry: its type and its name
    size_t count;
} list;

static void list_add(void *owner, const char *name, tr_file_type type)
{
    list *l = owner;
    uint8_t byte = (uint8_t)type;
    tr__out_put(&l->text, &byte, 1);
    tr__out_put(&l->text, name, strlen(name) + 1);
    l->count++;
}

// In one piece, the names behind the table.
static int list_table(tr__file_task *t, const list *l)
{
    size_t table = l->count * sizeof(tr_file_entry);
    tr_file_entry *entries = t->entries = tr__alloc(table + l->text.size + 1);
    if (entries == NULL)
        return TR_ENOMEM;
    char *at = (char *)entries + table;
    if (l->text.size > 0)
        memcpy(at, l->text.bytes, l->text.size);
    for (size_t i = 0; i < l->count; i++, at += strlen(at) + 1) {
        entries[i].type = (tr_file_type)*at++;
        entries[i].name = at;
    }
    t->result.entries = entries;
    t->result.count = l->count;
    return 0;
}

int tr__file_run_list(tr__file_task *t)
{
    list l = {.count = 0};
    t->call.op = TR__FILE_LIST;
    t->call.entry = list_add;
    t->call.owner = &l;
    int rc = status_of(make(t, &t->call));
    if (rc == 0)
        rc = l.text.failed ? TR_ENOMEM : list_table(t, &l);
    tr__out_clear(&l.text);
    return rc;
}

static int mkdir_at(const tr__file_task *t, const char *path)
{
    return status_of(
        make(t, &(tr__file_call){.op = TR__FILE_MKDIR, .path = path, .mode = t->call.mode}));
}

// One that is there is fine, if it is a directory.
static int mkdir_there(const tr__file_task *t, const char *path)
{
    tr_file_info info;
    int rc = mkdir_at(t, path);
    if (rc != TR_EEXIST)
        return rc;
    rc = status_of(make(t, &(tr__file_call){.op = TR__FILE_STAT, .path = path, .info = &info}));
    return rc < 0 ? rc : info.type == TR_FILE_DIRECTORY ? 0 : TR_EEXIST;
}

// From the top down, but first as if all were there: that may be all one is allowed.
static int mkdir_parents(const tr__file_task *t, char *path)
{
    int rc = mkdir_there(t, path);
    if (rc != TR_ENOENT)
        return rc;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = mkdir_there(t, path);
        *slash = '/';
        if (rc < 0)
            return rc;
    }
    return mkdir_there(t, path);
}

int tr__file_run_mkdir(tr__file_task *t)
{
    char *path = (char *)(uintptr_t)t->call.path;
    if (t->call.mode == 0)
        t->call.mode = 0777;
    t->result.path = path;
    return (t->call.flags & TR_FILE_PARENTS) != 0 ? mkdir_parents(t, path) : mkdir_at(t, path);
}
