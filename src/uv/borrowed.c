// Borrowed descriptors: endpoints over what this process was started with, as its standard input.
//
// O_NONBLOCK belongs to the open file, which a shell and other processes may share, and who waits
// there would fail. So it is set on none that is not ours alone: a pipe or a terminal is opened
// once more, through /proc; where that is not allowed each call is made only when poll says that it
// does not wait; a socket has a flag for each call. A regular file, like /dev/null, never has
// anybody wait, or always, and cannot be watched: an eventfd that is always ready is watched in its
// place.
//
// SIGPIPE cannot be had off for one write to a pipe, so it is held back from this thread meanwhile,
// and taken away if it has come.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uv/inside.h"

// ---- Opening ----

// One of our own, without touching the flags that others see.
static int source_open(struct real_world *world, int kind, int fd, int watched,
                       tr_endpoint **ret_endpoint)
{
    int flags = fcntl(watched, F_GETFL);
    int rc = tr__uv_endpoint_open_as(world, kind, fd, watched, ret_endpoint);
    if (!(flags & O_NONBLOCK)) // libuv has set it
        fcntl(watched, F_SETFL, flags);
    return rc;
}

static int duplicate_open(struct real_world *world, int kind, int of, tr_endpoint **ret_endpoint)
{
    int fd = fcntl(of, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    int watched = kind == REAL_FILE ? eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK) : fd;
    int rc = watched < 0 ? -errno : source_open(world, kind, fd, watched, ret_endpoint);
    if (rc < 0) {
        if (watched >= 0 && watched != fd)
            close(watched);
        close(fd);
    }
    return rc;
}

static int opened_open(struct real_world *world, int of, tr_endpoint **ret_endpoint)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", of);
    int mode = fcntl(of, F_GETFL) & O_ACCMODE;
    int fd = open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return duplicate_open(world, REAL_SHARED, of, ret_endpoint);
    int rc = tr__uv_endpoint_open_as(world, REAL_OPENED, fd, fd, ret_endpoint);
    if (rc < 0)
        close(fd);
    return rc;
}

int tr__uv_borrow(tr_world *base, int fd, tr_endpoint **ret_endpoint)
{
    struct real_world *world = real_world_of(base);
    struct stat file;
    if (fstat(fd, &file) < 0)
        return -errno;
    if (S_ISSOCK(file.st_mode))
        return duplicate_open(world, REAL_BORROWED, fd, ret_endpoint);
    if (S_ISFIFO(file.st_mode) || isatty(fd))
        return opened_open(world, fd, ret_endpoint);
    return duplicate_open(world, REAL_FILE, fd, ret_endpoint);
}

// ---- Reading and writing ----

static bool fd_is_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 0) > 0;
}

ssize_t tr__uv_file_read(struct real_endpoint *endpoint, const tr_iov *iov, int count)
{
    ssize_t n;
    if (endpoint->kind == REAL_SHARED && !fd_is_ready(endpoint->fd, POLLIN))
        return TR_EAGAIN;
    do
        n = readv(endpoint->fd, (const struct iovec *)iov, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t tr__uv_write_quietly(int fd, const struct iovec *iov, int count)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t n;
    do
        n = writev(fd, iov, count);
    while (n < 0 && errno == EINTR);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&before, SIGPIPE))
        sigtimedwait(&pipe, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n < 0 ? -error : n;
}

ssize_t tr__uv_file_write(struct real_endpoint *endpoint, const tr_iov *iov, int count)
{
    struct iovec little = {iov->base, iov->len < PIPE_BUF ? iov->len : PIPE_BUF};
    if (endpoint->kind != REAL_SHARED)
        return tr__uv_write_quietly(endpoint->fd, (const struct iovec *)iov, count);
    if (!fd_is_ready(endpoint->fd, POLLOUT))
        return TR_EAGAIN;
    return tr__uv_write_quietly(endpoint->fd, &little, 1); // there is room for so much
}
