// Files of the real world: one system call for each call, on whatever thread asks.
//
// Opening never waits for the other end of a FIFO: descriptors are non-blocking, which means
// nothing on a disk. What is none of a disk may then have nothing to read or no room: that is told,
// and no thread waits. To look before reading is what makes a FIFO that nobody has written to yet
// one that is waited for, and not one that is at its end.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/file_call.h"
#include "uv/inside.h"

_Static_assert(TR__PATH_MAX == PATH_MAX, "the seam's longest path is the system's");
_Static_assert(sizeof(tr_iov) == sizeof(struct iovec) &&
                   offsetof(tr_iov, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(tr_iov, len) == offsetof(struct iovec, iov_len),
               "tr_iov is passed on as it is");

static int64_t checked(int64_t result)
{
    return result < 0 ? -errno : result;
}

// ---- What is known of a file ----

static tr_file_type type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return TR_FILE_REGULAR;
    case S_IFDIR:
        return TR_FILE_DIRECTORY;
    case S_IFLNK:
        return TR_FILE_SYMLINK;
    case S_IFIFO:
        return TR_FILE_FIFO;
    case S_IFSOCK:
        return TR_FILE_SOCKET;
    default:
        return TR_FILE_DEVICE;
    }
}

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t info_fill(int rc, const struct stat *st, tr_file_info *info)
{
    if (rc < 0)
        return -errno;
    *info = (tr_file_info){.type = type_of(st->st_mode),
                           .mode = st->st_mode & 07777,
                           .uid = st->st_uid,
                           .gid = st->st_gid,
                           .bytes = (uint64_t)st->st_size,
                           .bytes_on_disk = (uint64_t)st->st_blocks * 512,
                           .device = st->st_dev,
                           .inode = st->st_ino,
                           .links = st->st_nlink,
                           .read_ns = ns_of(st->st_atim),
                           .written_ns = ns_of(st->st_mtim),
                           .changed_ns = ns_of(st->st_ctim)};
    return 0;
}

static int64_t file_fstat(const tr__file_call *call)
{
    struct stat st;
    return info_fill(fstat(call->fd, &st), &st, call->info);
}

static int64_t file_stat(const tr__file_call *call)
{
    struct stat st;
    return info_fill(stat(call->path, &st), &st, call->info);
}

static int64_t file_lstat(const tr__file_call *call)
{
    struct stat st;
    return info_fill(lstat(call->path, &st), &st, call->info);
}

// ---- Open files ----

static int open_flags(unsigned flags)
{
    static const struct {
        unsigned ours;
        int theirs;
    } all[] = {{TR_OPEN_CREATE, O_CREAT},
               {TR_OPEN_EXCLUSIVE, O_CREAT | O_EXCL},
               {TR_OPEN_TRUNCATE, O_TRUNC},
               {TR_OPEN_APPEND, O_APPEND},
               {TR_OPEN_NO_FOLLOW, O_NOFOLLOW}};
    bool writes = (flags & (TR_OPEN_WRITE | TR_OPEN_APPEND)) != 0;
    int theirs = !writes ? O_RDONLY : (flags & TR_OPEN_READ) != 0 ? O_RDWR : O_WRONLY;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        theirs |= (flags & all[i].ours) != 0 ? all[i].theirs : 0;
    return theirs | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
}

static int64_t file_open(const tr__file_call *call)
{
    struct stat st;
    int fd;
    do
        fd = open(call->path, open_flags(call->flags), call->mode != 0 ? call->mode : 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    int64_t rc = info_fill(fstat(fd, &st), &st, call->info);
    if (rc == 0 && call->info->type == TR_FILE_DIRECTORY)
        rc = -EISDIR;
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

// Linux has closed it, whatever it says; but an error of a write that it held back is news.
static int64_t file_close(const tr__file_call *call)
{
    int64_t rc = checked(close(call->fd));
    return rc == -EINTR ? 0 : rc;
}

static bool has_come(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 0) != 0;
}

static off_t offset_of(uint64_t offset)
{
    return offset == TR__FILE_HERE ? -1 : (off_t)offset;
}

static int64_t file_read(const tr__file_call *call)
{
    const struct iovec *iov = (const struct iovec *)(const void *)call->iov;
    int64_t rc;
    if (call->offset == TR__FILE_HERE && !has_come(call->fd))
        return TR_EAGAIN;
    do
        rc = checked(preadv2(call->fd, iov, call->count, offset_of(call->offset), 0));
    while (rc == -EINTR);
    return rc;
}

static int64_t file_write(const tr__file_call *call)
{
    const struct iovec *iov = (const struct iovec *)(const void *)call->iov;
    int64_t rc;
    do
        rc = checked(pwritev2(call->fd, iov, call->count, offset_of(call->offset), 0));
    while (rc == -EINTR);
    return rc;
}

static int64_t file_move(const tr__file_call *call)
{
    off_t from = (off_t)call->offset, to = (off_t)call->to_offset;
    return checked(copy_file_range(call->fd, &from, call->to_fd, &to, call->size, 0));
}

static int64_t file_send(const tr__file_call *call)
{
    off_t from = (off_t)call->offset;
    return checked(sendfile(call->to_fd, call->fd, &from, call->size));
}

static int64_t file_sync(const tr__file_call *call)
{
    return checked(fsync(call->fd));
}

static int64_t file_truncate(const tr__file_call *call)
{
    return checked(ftruncate(call->fd, (off_t)call->size));
}

// ---- Names ----

static tr_file_type type_of_entry(const struct dirent *entry)
{
    return entry->d_type == DT_UNKNOWN ? TR_FILE_OTHER : type_of(DTTOIF(entry->d_type));
}

static bool entry_is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int64_t file_list(const tr__file_call *call)
{
    DIR *dir = opendir(call->path);
    if (dir == NULL)
        return -errno;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL; errno = 0)
        if (!entry_is_dots(entry->d_name))
            call->entry(call->owner, entry->d_name, type_of_entry(entry));
    int64_t rc = -errno;
    closedir(dir);
    return rc;
}

static int64_t file_access(const tr__file_call *call)
{
    return call->mode > 7 ? TR_EINVAL : checked(access(call->path, (int)call->mode));
}

static int64_t file_chmod(const tr__file_call *call)
{
    return checked(call->path != NULL ? chmod(call->path, call->mode)
                                      : fchmod(call->fd, call->mode));
}

static int64_t file_mkdir(const tr__file_call *call)
{
    return checked(mkdir(call->path, call->mode));
}

static int64_t file_rmdir(const tr__file_call *call)
{
    return checked(rmdir(call->path));
}

static int64_t file_unlink(const tr__file_call *call)
{
    return checked(unlink(call->path));
}

static int64_t file_rename(const tr__file_call *call)
{
    return checked(rename(call->path, call->to));
}

static int64_t file_symlink(const tr__file_call *call)
{
    return checked(symlink(call->path, call->to));
}

static int64_t file_readlink(const tr__file_call *call)
{
    int64_t rc = checked(readlink(call->path, call->text, call->size));
    return rc == (int64_t)call->size ? TR_ENAMETOOLONG : rc; // it may have been cut
}

static int64_t file_realpath(const tr__file_call *call)
{
    tr_assert(call->size >= PATH_MAX);
    return realpath(call->path, call->text) == NULL ? -errno : (int64_t)strlen(call->text);
}

static int64_t file_sync_dir(const tr__file_call *call)
{
    int fd = open(call->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int64_t rc = checked(fsync(fd));
    close(fd);
    return rc;
}

int64_t tr__uv_file(tr_world *world, const tr__file_call *call)
{
    static int64_t (*const ops[TR__FILE_OPS])(const tr__file_call *call) = {
        [TR__FILE_OPEN] = file_open,         [TR__FILE_CLOSE] = file_close,
        [TR__FILE_READ] = file_read,         [TR__FILE_WRITE] = file_write,
        [TR__FILE_MOVE] = file_move,         [TR__FILE_SYNC] = file_sync,
        [TR__FILE_TRUNCATE] = file_truncate, [TR__FILE_FSTAT] = file_fstat,
        [TR__FILE_STAT] = file_stat,         [TR__FILE_LSTAT] = file_lstat,
        [TR__FILE_LIST] = file_list,         [TR__FILE_ACCESS] = file_access,
        [TR__FILE_CHMOD] = file_chmod,       [TR__FILE_MKDIR] = file_mkdir,
        [TR__FILE_RMDIR] = file_rmdir,       [TR__FILE_UNLINK] = file_unlink,
        [TR__FILE_RENAME] = file_rename,     [TR__FILE_SYMLINK] = file_symlink,
        [TR__FILE_READLINK] = file_readlink, [TR__FILE_REALPATH] = file_realpath,
        [TR__FILE_SYNC_DIR] = file_sync_dir, [TR__FILE_SEND] = file_send,
    };
    (void)world;
    return ops[call->op](call);
}

// The same open file, so that what it knows of who has written there is the same, too.
int tr__uv_file_door(tr_world *world, int fd, tr_endpoint **ret_endpoint)
{
    int twin = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (twin < 0)
        return -errno;
    int rc = tr__uv_endpoint_open_as(real_world_of(world), REAL_OPENED, twin, twin, ret_endpoint);
    if (rc < 0)
        close(twin);
    return rc;
}

int tr__uv_endpoint_twin(tr_endpoint *base)
{
    const struct real_endpoint *endpoint = (const struct real_endpoint *)base;
    if (endpoint->kind != REAL_SOCKET)
        return TR_ENOSYS;
    return (int)checked(fcntl(endpoint->fd, F_DUPFD_CLOEXEC, 3));
}
