// Files of the simulated machine: in memory, one tree for all its processes.
//
// The tree is a list of full paths, which is all that a test's handful of files needs. Permissions
// are kept and told, and hold nobody off. Paths are taken as they are written, but for symbolic
// links at their end. What a test can ask for: a full disk, an error of the n-th call, and reads
// and writes that move a part, which is drawn from the seed unless the machine is set to whole.
#include <string.h>

#include "base/memory.h"
#include "sim/inside.h"

#define LINKS_MAX 8u // that lead to each other

// ---- Files and names ----

void tr__sim_file_unref(tr_sim *sim, struct sim_file *f)
{
    if (f == NULL || --f->refs > 0)
        return;
    sim->disk.used -= f->size;
    tr__free(f->bytes);
    tr__free(f);
}

static struct sim_name *name_at(tr__list *node)
{
    return tr__container(node, struct sim_name, node);
}

static void name_remove(tr_sim *sim, struct sim_name *name)
{
    tr__list_remove(&name->node);
    name->file->info.links--;
    tr__sim_file_unref(sim, name->file);
    tr__free(name);
}

static void open_close(tr_sim *sim, struct sim_open *o)
{
    tr__sim_file_unref(sim, o->file);
    tr__sim_half_unref(&o->half, o->process);
    *o = (struct sim_open){.file = NULL};
}

void tr__sim_files_close(struct sim_process *process)
{
    struct sim_disk *disk = &process->sim->disk;
    for (size_t fd = 0; fd < SIM_FDS; fd++) {
        if (disk->open[fd].process != process)
            continue;
        open_close(process->sim, &disk->open[fd]);
        disk->forgotten += process->program == NULL;
    }
}

void tr__sim_disk_clear(tr_sim *sim)
{
    while (!tr__list_empty(&sim->disk.names))
        name_remove(sim, name_at(sim->disk.names.next));
}

static struct sim_name *name_find(const struct sim_disk *disk, const char *path)
{
    for (tr__list *n = disk->names.next; n != &disk->names; n = n->next)
        if (strcmp(name_at(n)->path, path) == 0)
            return name_at(n);
    return NULL;
}

// A name in that directory, or NULL for one of the path itself or elsewhere.
static const char *name_in(const struct sim_name *name, const char *directory)
{
    size_t size = strcmp(directory, "/") == 0 ? 0 : strlen(directory);
    const char *rest = name->path + size;
    return strncmp(name->path, directory, size) == 0 && rest[0] == '/' && rest[1] != '\0' ? rest + 1
                                                                                          : NULL;
}

static bool directory_is_empty(const struct sim_disk *disk, const char *path)
{
    for (tr__list *n = disk->names.next; n != &disk->names; n = n->next)
        if (name_in(name_at(n), path) != NULL)
            return false;
    return true;
}

// Whether the directory that a path is in is there. The root always is, and so is where one is.
static int directory_check(const struct sim_disk *disk, const char *path)
{
    char directory[TR__PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (path[0] == '\0')
        return TR_ENOENT;
    if (slash == NULL || slash == path)
        return 0;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    const struct sim_name *name = name_find(disk, directory);
    if (name == NULL)
        return TR_ENOENT;
    return name->file->info.type == TR_FILE_DIRECTORY ? 0 : -ENOTDIR;
}

static int name_link(struct sim_disk *disk, const char *path, struct sim_file *f)
{
    size_t size = strlen(path) + 1;
    struct sim_name *name = tr__alloc(sizeof *name + size);
    if (name == NULL)
        return TR_ENOMEM;
    memcpy(name->path, path, size);
    name->file = f;
    f->refs++;
    f->info.links++;
    tr__list_append(&disk->names, &name->node);
    return 0;
}

static int name_new(tr_sim *sim, const char *path, tr_file_type type, uint32_t mode,
                    struct sim_file **ret_file)
{
    int rc = directory_check(&sim->disk, path);
    if (rc < 0)
        return rc;
    struct sim_file *f = tr__zalloc(sizeof *f);
    if (f == NULL)
        return TR_ENOMEM;
    f->info = (tr_file_info){.type = type, .mode = mode & ~022u};
    f->info.inode = ++sim->disk.last_inode;
    f->info.written_ns = (int64_t)sim->now;
    rc = name_link(&sim->disk, path, f);
    if (rc < 0) {
        tr__free(f);
        return rc;
    }
    tr__sim_lookouts_tell(sim, path, TR_FILE_MOVED);
    *ret_file = f;
    return 0;
}

// The name that a path leads to. returns: NULL: none, or too many links
static struct sim_name *name_follow(const struct sim_disk *disk, const char *path)
{
    struct sim_name *name = name_find(disk, path);
    for (unsigned i = 0; name != NULL && name->file->info.type == TR_FILE_SYMLINK; i++)
        name = i == LINKS_MAX ? NULL : name_find(disk, (const char *)name->file->bytes);
    return name;
}

static int name_get(const struct sim_disk *disk, const char *path, struct sim_name **ret_name)
{
    *ret_name = name_find(disk, path);
    return *ret_name == NULL ? TR_ENOENT : 0;
}

// ---- Bytes ----

static int file_resize(struct sim_disk *disk, struct sim_file *f, size_t size)
{
    if (size > f->capacity) {
        unsigned char *bytes = tr__resize(f->bytes, size * 2);
        if (bytes == NULL)
            return TR_ENOMEM;
        f->bytes = bytes;
        f->capacity = size * 2;
    }
    if (size > f->size)
        memset(f->bytes + f->size, 0, size - f->size);
    disk->used += size;
    disk->used -= f->size;
    f->size = size;
    return 0;
}

static void file_touch(tr_sim *sim, const struct sim_file *f)
{
    for (tr__list *n = sim->disk.names.next; n != &sim->disk.names; n = n->next)
        if (name_at(n)->file == f)
            tr__sim_lookouts_tell(sim, name_at(n)->path, TR_FILE_CHANGED);
}

// How many of so many bytes one call moves.
static size_t part_of(tr_sim *sim, size_t size)
{
    return sim->whole || size == 0 ? size : 1 + (size_t)tr__sim_below(sim, size);
}

static int open_get(tr_sim *sim, int fd, struct sim_open **ret_open)
{
    if (fd < 0 || fd >= SIM_FDS || sim->disk.open[fd].process == NULL)
        return -EBADF;
    *ret_open = &sim->disk.open[fd];
    return 0;
}

// One that is a file's.
static int open_file_get(tr_sim *sim, int fd, struct sim_open **ret_open)
{
    int rc = open_get(sim, fd, ret_open);
    return rc == 0 && (*ret_open)->file == NULL ? TR_EINVAL : rc;
}

static size_t iov_size(const tr_iov *iov, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += iov[i].len;
    return size;
}

// Between the bytes of a file and those of a call.
static void iov_move(const tr_iov *iov, int count, unsigned char *bytes, size_t size, bool out)
{
    for (; size > 0 && count > 0; iov++, count--) {
        size_t part = iov->len < size ? iov->len : size;
        memcpy(out ? iov->base : bytes, out ? bytes : iov->base, part);
        bytes += part;
        size -= part;
    }
}

static size_t left_at(const struct sim_file *f, uint64_t offset)
{
    return offset < f->size ? f->size - (size_t)offset : 0;
}

ssize_t tr__sim_file_read(tr_sim *sim, const struct sim_file *f, size_t at, const tr_iov *iov,
                          int count)
{
    size_t left = left_at(f, at), size = iov_size(iov, count);
    if (f->info.type == TR_FILE_DIRECTORY)
        return -EISDIR;
    size = part_of(sim, size < left ? size : left);
    if (size > 0)
        iov_move(iov, count, f->bytes + at, size, true);
    return (ssize_t)size;
}

static int64_t sim_read(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    int rc = open_file_get(sim, call->fd, &o);
    if (rc < 0)
        return rc;
    uint64_t offset = call->offset == TR__FILE_HERE ? 0 : call->offset;
    return tr__sim_file_read(sim, o->file, (size_t)offset, call->iov, call->count);
}

// How much of it the disk has room for, from 1 on.
static int64_t room_for(const struct sim_disk *disk, const struct sim_file *f, uint64_t offset,
                        size_t size)
{
    if (disk->room == 0)
        return (int64_t)size;
    uint64_t room = disk->used < disk->room ? disk->room - disk->used : 0;
    room += left_at(f, offset);
    return room == 0 ? -ENOSPC : room < size ? (int64_t)room : (int64_t)size;
}

ssize_t tr__sim_file_write(tr_sim *sim, struct sim_file *f, size_t at, const tr_iov *iov, int count)
{
    int64_t size = room_for(&sim->disk, f, at, iov_size(iov, count));
    if (size <= 0)
        return (ssize_t)size;
    size_t part = part_of(sim, (size_t)size), end = at + part;
    int rc = end > f->size ? file_resize(&sim->disk, f, end) : 0;
    if (rc < 0)
        return rc;
    iov_move(iov, count, f->bytes + at, part, false);
    f->info.written_ns = (int64_t)sim->now;
    file_touch(sim, f);
    return (ssize_t)part;
}

static int64_t sim_write(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    int rc = open_file_get(sim, call->fd, &o);
    if (rc < 0 || (o->flags & (TR_OPEN_WRITE | TR_OPEN_APPEND)) == 0)
        return rc < 0 ? rc : -EBADF;
    uint64_t offset = call->offset == TR__FILE_HERE ? o->file->size : call->offset;
    return tr__sim_file_write(sim, o->file, (size_t)offset, call->iov, call->count);
}

// What is to be copied by the system itself. TR_EINVAL: it cannot. len 0: there is nothing
static int64_t from_get(tr_sim *sim, const tr__file_call *call, tr_iov *ret_iov)
{
    struct sim_open *from;
    int rc = open_file_get(sim, call->fd, &from);
    if (rc < 0 || !sim->disk.moves)
        return rc < 0 ? rc : TR_EINVAL;
    size_t size = left_at(from->file, call->offset);
    *ret_iov = (tr_iov){NULL, size < call->size ? size : (size_t)call->size};
    if (ret_iov->len > 0)
        ret_iov->base = from->file->bytes + call->offset;
    return 0;
}

static int64_t sim_move(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *to;
    tr_iov iov;
    int64_t rc = open_file_get(sim, call->to_fd, &to);
    if (rc == 0)
        rc = from_get(sim, call, &iov);
    if (rc < 0 || iov.len == 0)
        return rc;
    return tr__sim_file_write(sim, to->file, (size_t)call->to_offset, &iov, 1);
}

static int64_t sim_send(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *to;
    tr_iov iov;
    int64_t rc = open_get(sim, call->to_fd, &to);
    if (rc == 0)
        rc = to->half == NULL ? TR_EINVAL : from_get(sim, call, &iov);
    if (rc < 0 || iov.len == 0)
        return rc;
    return tr__sim_half_write(to->half, to->process, &iov, 1);
}

// ---- Open files ----

static int fd_take(tr_sim *sim, const struct sim_open *like)
{
    for (int fd = 0; fd < SIM_FDS; fd++) {
        if (sim->disk.open[fd].process == NULL) {
            sim->disk.open[fd] = *like;
            return fd;
        }
    }
    return -EMFILE;
}

int tr__sim_file_twin(struct sim_process *process, struct sim_half *half)
{
    int fd = fd_take(process->sim, &(struct sim_open){.process = process, .half = half});
    if (fd >= 0)
        half->refs++;
    return fd;
}

static void info_get(const struct sim_file *f, tr_file_info *ret_info)
{
    *ret_info = f->info;
    ret_info->bytes = ret_info->bytes_on_disk = f->size;
}

static int file_find(tr_sim *sim, const tr__file_call *call, struct sim_file **ret_file)
{
    bool there = name_find(&sim->disk, call->path) != NULL;
    struct sim_name *name = name_follow(&sim->disk, call->path);
    if (there && (call->flags & TR_OPEN_EXCLUSIVE) != 0)
        return TR_EEXIST;
    if (name == NULL && (there || (call->flags & (TR_OPEN_CREATE | TR_OPEN_EXCLUSIVE)) == 0))
        return TR_ENOENT;
    if (name == NULL)
        return name_new(sim, call->path, TR_FILE_REGULAR, call->mode != 0 ? call->mode : 0666,
                        ret_file);
    *ret_file = name->file;
    return name->file->info.type == TR_FILE_DIRECTORY ? -EISDIR : 0;
}

int tr__sim_file_find(tr_sim *sim, const char *path, struct sim_file **ret_file)
{
    const struct sim_name *name = name_follow(&sim->disk, path);
    if (name == NULL)
        return TR_ENOENT;
    name->file->refs++;
    *ret_file = name->file;
    return 0;
}

static int64_t file_open(struct sim_process *process, const tr__file_call *call)
{
    tr_sim *sim = process->sim;
    struct sim_file *f;
    int64_t rc = file_find(sim, call, &f);
    if (rc == 0)
        rc = fd_take(sim, &(struct sim_open){process, f, NULL, call->flags});
    if (rc >= 0)
        f->refs++;
    if (rc >= 0 && (call->flags & TR_OPEN_TRUNCATE) != 0) {
        file_resize(&sim->disk, f, 0);
        file_touch(sim, f);
    }
    if (rc >= 0)
        info_get(f, call->info);
    return rc;
}

static int64_t sim_close(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    int rc = open_get(sim, call->fd, &o);
    if (rc < 0)
        return rc;
    open_close(sim, o);
    return 0;
}

static int64_t sim_sync(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    return open_file_get(sim, call->fd, &o);
}

static int64_t sim_truncate(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    int rc = open_file_get(sim, call->fd, &o);
    if (rc == 0)
        rc = file_resize(&sim->disk, o->file, (size_t)call->size);
    if (rc == 0)
        file_touch(sim, o->file);
    return rc;
}

static int64_t sim_fstat(tr_sim *sim, const tr__file_call *call)
{
    struct sim_open *o;
    int rc = open_file_get(sim, call->fd, &o);
    if (rc == 0)
        info_get(o->file, call->info);
    return rc;
}

// ---- Names ----

static int64_t sim_stat(tr_sim *sim, const tr__file_call *call)
{
    const struct sim_name *name = name_follow(&sim->disk, call->path);
    if (name != NULL)
        info_get(name->file, call->info);
    return name == NULL ? TR_ENOENT : 0;
}

static int64_t sim_lstat(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *name;
    int rc = name_get(&sim->disk, call->path, &name);
    if (rc == 0)
        info_get(name->file, call->info);
    return rc;
}

static int64_t sim_list(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *directory = name_find(&sim->disk, call->path);
    if (directory == NULL && strcmp(call->path, "/") != 0)
        return TR_ENOENT;
    if (directory != NULL && directory->file->info.type != TR_FILE_DIRECTORY)
        return -ENOTDIR;
    for (tr__list *n = sim->disk.names.next; n != &sim->disk.names; n = n->next) {
        const char *in = name_in(name_at(n), call->path);
        if (in != NULL && strchr(in, '/') == NULL)
            call->entry(call->owner, in, name_at(n)->file->info.type);
    }
    return 0;
}

static int64_t sim_access(tr_sim *sim, const tr__file_call *call)
{
    const struct sim_name *name = name_follow(&sim->disk, call->path);
    if (name == NULL || call->mode > 7)
        return name == NULL ? TR_ENOENT : TR_EINVAL;
    return (name->file->info.mode >> 6 & call->mode) == call->mode ? 0 : TR_EACCES;
}

static int64_t sim_chmod(tr_sim *sim, const tr__file_call *call)
{
    const struct sim_name *name = call->path == NULL ? NULL : name_follow(&sim->disk, call->path);
    struct sim_open *o = NULL;
    int rc = name != NULL ? 0 : call->path != NULL ? TR_ENOENT : open_file_get(sim, call->fd, &o);
    if (rc == 0)
        (name != NULL ? name->file : o->file)->info.mode = call->mode;
    return rc;
}

static int64_t sim_mkdir(tr_sim *sim, const tr__file_call *call)
{
    struct sim_file *f;
    if (name_find(&sim->disk, call->path) != NULL)
        return TR_EEXIST;
    return name_new(sim, call->path, TR_FILE_DIRECTORY, call->mode, &f);
}

static int64_t name_take_away(tr_sim *sim, struct sim_name *name)
{
    tr__sim_lookouts_tell(sim, name->path, TR_FILE_MOVED);
    name_remove(sim, name);
    return 0;
}

static int64_t sim_rmdir(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *name;
    int rc = name_get(&sim->disk, call->path, &name);
    if (rc == 0 && name->file->info.type != TR_FILE_DIRECTORY)
        rc = -ENOTDIR;
    if (rc == 0 && !directory_is_empty(&sim->disk, call->path))
        rc = -ENOTEMPTY;
    return rc < 0 ? rc : name_take_away(sim, name);
}

static int64_t sim_unlink(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *name;
    int rc = name_get(&sim->disk, call->path, &name);
    if (rc == 0 && name->file->info.type == TR_FILE_DIRECTORY)
        rc = -EISDIR;
    return rc < 0 ? rc : name_take_away(sim, name);
}

// A directory with files in it stays where it is: paths are whole here.
static int64_t sim_rename(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *name, *old = name_find(&sim->disk, call->to);
    int rc = name_get(&sim->disk, call->path, &name);
    if (rc == 0)
        rc = directory_check(&sim->disk, call->to);
    if (rc == 0 && !directory_is_empty(&sim->disk, call->path))
        rc = -EXDEV;
    if (rc == 0 && name != old)
        rc = name_link(&sim->disk, call->to, name->file);
    if (rc < 0 || name == old)
        return rc;
    if (old != NULL)
        name_remove(sim, old);
    name_take_away(sim, name);
    tr__sim_lookouts_tell(sim, call->to, TR_FILE_MOVED);
    return 0;
}

static int64_t sim_symlink(tr_sim *sim, const tr__file_call *call)
{
    struct sim_file *f;
    size_t size = strlen(call->path) + 1;
    if (name_find(&sim->disk, call->to) != NULL)
        return TR_EEXIST;
    int rc = name_new(sim, call->to, TR_FILE_SYMLINK, 0777, &f);
    if (rc == 0)
        rc = file_resize(&sim->disk, f, size);
    if (rc == 0)
        memcpy(f->bytes, call->path, size);
    return rc;
}

static int64_t text_put(const tr__file_call *call, const char *text)
{
    size_t size = strlen(text);
    tr_assert(size < call->size);
    memcpy(call->text, text, size);
    return (int64_t)size;
}

static int64_t sim_readlink(tr_sim *sim, const tr__file_call *call)
{
    struct sim_name *name;
    int rc = name_get(&sim->disk, call->path, &name);
    if (rc == 0 && name->file->info.type != TR_FILE_SYMLINK)
        rc = TR_EINVAL;
    return rc < 0 ? rc : text_put(call, (const char *)name->file->bytes);
}

static int64_t sim_realpath(tr_sim *sim, const tr__file_call *call)
{
    const struct sim_name *name = name_follow(&sim->disk, call->path);
    return name == NULL ? TR_ENOENT : text_put(call, name->path);
}

static int64_t sim_sync_dir(tr_sim *sim, const tr__file_call *call)
{
    (void)sim, (void)call;
    return 0;
}

int64_t tr__sim_file(tr_world *world, const tr__file_call *call)
{
    static int64_t (*const ops[TR__FILE_OPS])(tr_sim * sim, const tr__file_call *call) = {
        [TR__FILE_CLOSE] = sim_close,       [TR__FILE_READ] = sim_read,
        [TR__FILE_WRITE] = sim_write,       [TR__FILE_MOVE] = sim_move,
        [TR__FILE_SYNC] = sim_sync,         [TR__FILE_TRUNCATE] = sim_truncate,
        [TR__FILE_FSTAT] = sim_fstat,       [TR__FILE_STAT] = sim_stat,
        [TR__FILE_LSTAT] = sim_lstat,       [TR__FILE_LIST] = sim_list,
        [TR__FILE_ACCESS] = sim_access,     [TR__FILE_CHMOD] = sim_chmod,
        [TR__FILE_MKDIR] = sim_mkdir,       [TR__FILE_RMDIR] = sim_rmdir,
        [TR__FILE_UNLINK] = sim_unlink,     [TR__FILE_RENAME] = sim_rename,
        [TR__FILE_SYMLINK] = sim_symlink,   [TR__FILE_READLINK] = sim_readlink,
        [TR__FILE_REALPATH] = sim_realpath, [TR__FILE_SYNC_DIR] = sim_sync_dir,
        [TR__FILE_SEND] = sim_send,
    };
    struct sim_process *process = sim_process_of(world);
    tr_sim *sim = process->sim;
    tr__sim_note(sim, (uint64_t)call->op);
    if (call->op != TR__FILE_CLOSE && sim->disk.error_in > 0 && --sim->disk.error_in == 0)
        return sim->disk.error;
    return call->op == TR__FILE_OPEN ? file_open(process, call) : ops[call->op](sim, call);
}

int tr__sim_file_door(tr_world *world, int fd, tr_endpoint **ret_endpoint)
{
    (void)world, (void)fd, (void)ret_endpoint;
    return TR_ENOSYS; // these are files of a disk
}

// ---- What a test can ask for ----

void tr__sim_set_file_error(tr_sim *sim, int error, unsigned nth)
{
    tr_assert(error < 0 && nth > 0);
    sim->disk.error = error;
    sim->disk.error_in = nth;
}

bool tr__sim_clear_file_error(tr_sim *sim)
{
    bool waits = sim->disk.error_in > 0;
    sim->disk.error_in = 0;
    return waits;
}

void tr__sim_set_file_room(tr_sim *sim, uint64_t bytes)
{
    sim->disk.room = bytes;
}

void tr__sim_set_file_moves(tr_sim *sim, bool moves)
{
    sim->disk.moves = moves;
}

unsigned tr__sim_files_open(const tr_sim *sim)
{
    unsigned count = sim->disk.forgotten;
    for (size_t fd = 0; fd < SIM_FDS; fd++)
        count += sim->disk.open[fd].process != NULL;
    return count;
}
