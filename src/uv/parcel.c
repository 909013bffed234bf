// Parcels: descriptors on their way from one loop or process to another.
//
// A descriptor leaves libuv's loop without being closed or copied, so moving one costs no other. It
// goes to another process as SCM_RIGHTS along with the first byte of what is written there; the
// system puts all of one sendmsg together and never two of them into one recvmsg. What this process
// has no room for is closed by the system, which says that it has done so.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

_Static_assert(sizeof(tr_iov) == sizeof(struct iovec), "tr_iov is the system's iovec");

int tr__uv_parcel_new(tr__parcel_kind kind, int fd, struct real_parcel **ret_parcel)
{
    struct real_parcel *parcel = tr__zalloc(sizeof *parcel);
    if (parcel == NULL)
        return TR_ENOMEM;
    parcel->base.ops = &tr__uv_world_ops;
    parcel->base.kind = kind;
    atomic_init(&parcel->base.holders, 1);
    parcel->fd = fd;
    *ret_parcel = parcel;
    return 0;
}

void tr__uv_path_unlink(const char *path, const struct stat *file)
{
    struct stat now;
    if (lstat(path, &now) == 0 && now.st_dev == file->st_dev && now.st_ino == file->st_ino)
        unlink(path);
}

void tr__uv_parcel_free(tr_parcel *base)
{
    struct real_parcel *parcel = (struct real_parcel *)base;
    tr_site site;
    if (parcel->has_path && !base->given) {
        tr__uv_parcel_site(base, &site);
        tr__uv_path_unlink(site.name, &parcel->file);
    }
    if (parcel->fd >= 0)
        close(parcel->fd);
    tr__free(parcel);
}

static int fd_copy(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

int tr__uv_parcel_fd(const struct real_parcel *parcel)
{
    return tr__parcel_is_last(&parcel->base) ? parcel->fd : fd_copy(parcel->fd);
}

void tr__uv_parcel_spent(tr_parcel **base, int fd)
{
    struct real_parcel *parcel = (struct real_parcel *)*base;
    parcel->has_path = false; // it has gone with the descriptor
    if (parcel->fd == fd)
        parcel->fd = -1;
    tr__parcel_unref(base);
}

void tr__uv_parcel_site(const tr_parcel *base, tr_site *ret_site)
{
    if (tr__uv_socket_site(((const struct real_parcel *)base)->fd, false, ret_site) < 0)
        *ret_site = (tr_site){0};
}

int tr__uv_parcel_copy(const tr_parcel *base, tr_parcel **ret_parcel)
{
    struct real_parcel *copy;
    int fd = fd_copy(((const struct real_parcel *)base)->fd);
    if (fd < 0)
        return fd;
    int rc = tr__uv_parcel_new(base->kind, fd, &copy);
    if (rc < 0)
        close(fd);
    else
        *ret_parcel = &copy->base;
    return rc;
}

static int pair_new(const int fds[2], tr_parcel *ret_parcels[2])
{
    struct real_parcel *one, *other;
    int rc = tr__uv_parcel_new(TR__PARCEL_SOCKET, fds[0], &one);
    if (rc < 0)
        return rc;
    rc = tr__uv_parcel_new(TR__PARCEL_SOCKET, fds[1], &other);
    if (rc < 0) {
        tr__free(one);
        return rc;
    }
    ret_parcels[0] = &one->base;
    ret_parcels[1] = &other->base;
    return 0;
}

int tr__uv_parcel_pair(tr_world *world, tr_parcel *ret_parcels[2])
{
    int fds[2];
    (void)world;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    int rc = pair_new(fds, ret_parcels);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
    }
    return rc;
}

// ---- What a descriptor is ----

static int socket_kind(int fd, tr__parcel_kind *ret_kind)
{
    int type = 0, listens = 0;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof listens}) < 0)
        return -errno;
    *ret_kind = listens ? TR__PARCEL_LISTENER : TR__PARCEL_SOCKET;
    return type == SOCK_STREAM ? 0 : TR_EINVAL;
}

static int fd_kind(int fd, tr__parcel_kind *ret_kind)
{
    struct stat file;
    if (fstat(fd, &file) < 0)
        return -errno;
    if (S_ISSOCK(file.st_mode))
        return socket_kind(fd, ret_kind);
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    *ret_kind = mode == O_RDONLY ? TR__PARCEL_INPUT : TR__PARCEL_OUTPUT;
    return S_ISFIFO(file.st_mode) && mode != O_RDWR ? 0 : TR_EINVAL;
}

int tr__uv_parcel_of(tr_world *world, int fd, tr_parcel **ret_parcel)
{
    struct real_parcel *parcel;
    tr__parcel_kind kind;
    (void)world;
    int rc = fd_kind(fd, &kind);
    if (rc == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        rc = -errno;
    if (rc == 0)
        rc = tr__uv_parcel_new(kind, fd, &parcel);
    if (rc == 0)
        *ret_parcel = &parcel->base;
    return rc;
}

// ---- Out of a world and into one ----

int tr__uv_endpoint_leave(tr_endpoint **base, tr_parcel **ret_parcel)
{
    struct real_endpoint *endpoint = (struct real_endpoint *)*base;
    struct real_parcel *parcel = NULL;
    tr__parcel_kind kind;
    if (endpoint->kind != REAL_SOCKET && endpoint->kind != REAL_OPENED)
        return TR_ENOSYS;
    int rc = fd_kind(endpoint->fd, &kind);
    if (rc == 0)
        rc = tr__uv_parcel_new(kind, endpoint->fd, &parcel);
    if (rc < 0)
        return rc == TR_EINVAL ? TR_ENOSYS : rc; // a terminal
    tr__uv_endpoint_strip(endpoint);
    *base = NULL;
    *ret_parcel = &parcel->base;
    return 0;
}

int tr__uv_endpoint_enter(tr_world *base, tr_parcel **parcel, tr_endpoint **ret_endpoint)
{
    struct real_world *world = real_world_of(base);
    const struct real_parcel *from = (const struct real_parcel *)*parcel;
    int fd = tr__uv_parcel_fd(from);
    if (fd < 0)
        return fd;
    int rc = from->base.kind == TR__PARCEL_SOCKET
                 ? tr__uv_endpoint_open(world, fd, ret_endpoint)
                 : tr__uv_endpoint_open_as(world, REAL_OPENED, fd, fd, ret_endpoint);
    if (rc == 0)
        tr__uv_parcel_spent(parcel, fd);
    else if (fd != from->fd)
        close(fd);
    return rc;
}

// ---- Through a local socket ----

union control {
    char bytes[CMSG_SPACE(TR__PARCELS_MAX * sizeof(int))];
    struct cmsghdr align;
};

ssize_t tr__uv_endpoint_send(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                             tr_parcel *const *parcels, int count)
{
    union control control;
    int fds[TR__PARCELS_MAX];
    tr_assert(count > 0 && count <= TR__PARCELS_MAX);
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                         .msg_iovlen = (size_t)iov_count,
                         .msg_control = control.bytes,
                         .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    memset(control.bytes, 0, msg.msg_controllen);
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN((size_t)count * sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS};
    for (int i = 0; i < count; i++)
        fds[i] = ((const struct real_parcel *)parcels[i])->fd;
    memcpy(CMSG_DATA(head), fds, (size_t)count * sizeof(int));
    ssize_t n;
    do
        n = sendmsg(((struct real_endpoint *)endpoint)->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n >= 0 || errno != ETOOMANYREFS)
        return n < 0 ? -errno : n;
    // This user has too many on their way, anywhere: the socket does not tell when that is over.
    tr__uv_endpoint_rest((struct real_endpoint *)endpoint);
    return TR_EAGAIN;
}

static void take_fd(int fd, tr_parcel **ret_parcels, int *count, bool *lost)
{
    if (!*lost && tr__uv_parcel_of(NULL, fd, &ret_parcels[*count]) == 0) {
        (*count)++;
        return;
    }
    *lost = true;
    close(fd);
}

ssize_t tr__uv_endpoint_receive(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                                tr_parcel **ret_parcels, int *ret_count, bool *ret_lost)
{
    union control control;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                         .msg_iovlen = (size_t)iov_count,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(((struct real_endpoint *)endpoint)->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    *ret_count = 0;
    *ret_lost = n >= 0 && (msg.msg_flags & MSG_CTRUNC) != 0;
    if (n < 0)
        return -errno;
    bool bad = false; // one is nothing that can be a parcel: what follows it is lost, too
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&msg); head != NULL; head = CMSG_NXTHDR(&msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            take_fd(fd, ret_parcels, ret_count, &bad);
        }
    }
    *ret_lost |= bad;
    return n;
}
