// Endpoints: stream sockets, non-blocking. (What else there is: borrowed.c.)
//
// Reads and writes are the system's own, made within the call. libuv is asked to watch only for
// what is wanted; it reports an error on a socket as a status and stops watching, so an error is
// told as both readable and writable, and whoever reads or writes then meets it.
//
// After close an endpoint's memory lives on until its owner has heard `closed`: libuv's loop hands
// it to world->ended when it has let go, and the next poll tells.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

// Room for a burst; the system caps it at net.core.wmem_max. A local socket has no other buffer.
#define SOCKET_BYTES (1 << 20)

_Static_assert(sizeof(tr_iov) == sizeof(struct iovec) &&
                   offsetof(tr_iov, base) == offsetof(struct iovec, iov_base) &&
                   offsetof(tr_iov, len) == offsetof(struct iovec, iov_len),
               "tr_iov is the system's iovec");
_Static_assert((int)TR__READ == UV_READABLE && (int)TR__WRITE == UV_WRITABLE, "as in libuv");

static struct real_endpoint *endpoint_of(tr_endpoint *base)
{
    return (struct real_endpoint *)base;
}

static struct real_endpoint *endpoint_of_source(struct real_source *source)
{
    return tr__container(source, struct real_endpoint, source);
}

static struct real_world *endpoint_world(const struct real_endpoint *endpoint)
{
    return real_world_of(endpoint->base.world);
}

static void endpoint_close_source(struct real_source *source)
{
    tr__uv_endpoint_close(&endpoint_of_source(source)->base);
}

static bool socket_is_local(int fd)
{
    int domain = 0;
    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &(socklen_t){sizeof domain});
    return domain == AF_UNIX;
}

int tr__uv_endpoint_open_as(struct real_world *world, int kind, int fd, int watched,
                            tr_endpoint **ret_endpoint)
{
    struct real_endpoint *endpoint = tr__zalloc(sizeof *endpoint);
    if (endpoint == NULL)
        return TR_ENOMEM;
    int rc = tr__uv_source_open(world, watched, endpoint_close_source, &endpoint->source);
    if (rc < 0) {
        tr__free(endpoint);
        return rc;
    }
    endpoint->base.world = &world->base;
    endpoint->kind = kind;
    endpoint->fd = fd;
    *ret_endpoint = &endpoint->base;
    return 0;
}

int tr__uv_endpoint_open(struct real_world *world, int fd, tr_endpoint **ret_endpoint)
{
    int bytes = SOCKET_BYTES;
    int rc = tr__uv_endpoint_open_as(world, REAL_SOCKET, fd, fd, ret_endpoint);
    if (rc == 0 && socket_is_local(fd)) // TCP finds the right size by itself, until it is given one
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return rc;
}

int tr__uv_adopt(tr_world *world, int fd, tr_endpoint **ret_endpoint)
{
    int type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) < 0)
        return -errno;
    if (type != SOCK_STREAM)
        return TR_EINVAL;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return tr__uv_endpoint_open(real_world_of(world), fd, ret_endpoint);
}

void tr__uv_endpoint_bind(tr_endpoint *base, const tr_endpoint_up *up, void *owner)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    tr_assert(endpoint->want == 0);
    endpoint->up = up;
    endpoint->owner = owner;
}

static void endpoint_cool(struct real_endpoint *endpoint)
{
    struct real_spin *spin = &endpoint_world(endpoint)->spin;
    if (spin->hot == endpoint)
        spin->hot = NULL;
}

static void endpoint_ready(uv_poll_t *poll, int status, int events);

static void endpoint_watch(struct real_endpoint *endpoint)
{
    unsigned events = endpoint->want;
    if (tr__uv_source_rests(&endpoint->source))
        events &= ~(unsigned)TR__WRITE;
    tr__uv_source_watch(&endpoint->source, (int)events, endpoint_ready);
}

static void endpoint_rested(struct real_source *source)
{
    endpoint_watch(endpoint_of_source(source));
}

void tr__uv_endpoint_rest(struct real_endpoint *endpoint)
{
    tr__uv_source_rest(&endpoint->source, endpoint_rested);
    endpoint_watch(endpoint);
}

static void endpoint_ready(uv_poll_t *poll, int status, int events)
{
    struct real_endpoint *endpoint = endpoint_of_source(poll->data);
    struct real_world *world = endpoint_world(endpoint);
    real_world_stir(world);
    if (status < 0) {
        events = TR__READ | TR__WRITE;
        endpoint_watch(endpoint);
    }
    if ((unsigned)events & endpoint->want & TR__READ) {
        bool moved = endpoint->up->readable(endpoint->owner);
        if (moved && (endpoint->want & TR__READ))
            world->spin.hot = endpoint;
    }
    if ((unsigned)events & endpoint->want & TR__WRITE) // readable may have closed it
        endpoint->up->writable(endpoint->owner);
}

void tr__uv_endpoint_want(tr_endpoint *base, unsigned events)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    tr_assert(events == 0 || endpoint->up != NULL);
    if (events == endpoint->want || uv_is_closing((uv_handle_t *)&endpoint->source.poll))
        return;
    endpoint->want = events;
    endpoint_watch(endpoint);
    if (!(events & TR__READ))
        endpoint_cool(endpoint);
}

// One piece is cheaper without a header around it: most reads and writes are that.
static ssize_t socket_receive(int fd, const tr_iov *iov, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    return count == 1 ? recv(fd, iov->base, iov->len, MSG_DONTWAIT)
                      : recvmsg(fd, &msg, MSG_DONTWAIT);
}

// Not write: a peer that is gone shall be an error, not a SIGPIPE.
static ssize_t socket_send(int fd, const tr_iov *iov, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
    return count == 1 ? send(fd, iov->base, iov->len, MSG_NOSIGNAL | MSG_DONTWAIT)
                      : sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t tr__uv_endpoint_read(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    ssize_t n;
    if (endpoint->kind > REAL_BORROWED)
        return tr__uv_file_read(endpoint, iov, count);
    do
        n = socket_receive(endpoint->fd, iov, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t tr__uv_endpoint_write(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    ssize_t n;
    if (endpoint->kind > REAL_BORROWED)
        return tr__uv_file_write(endpoint, iov, count);
    endpoint_world(endpoint)->spin.wrote = true;
    do
        n = socket_send(endpoint->fd, iov, count);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

void tr__uv_endpoint_shutdown(tr_endpoint *base)
{
    if (endpoint_of(base)->kind == REAL_SOCKET)
        shutdown(endpoint_of(base)->fd, SHUT_WR);
}

int tr__uv_connect(tr_world *world, const tr_site *site, tr_endpoint **ret_endpoint)
{
    union real_address address;
    socklen_t size;
    int fd = tr__uv_socket(site, &address, &size), rc = 0;
    if (fd < 0)
        return fd;
    if (connect(fd, &address.any, size) < 0 && errno != EINPROGRESS && errno != EINTR)
        rc = -errno;
    if (rc == 0)
        rc = tr__uv_endpoint_open(real_world_of(world), fd, ret_endpoint);
    if (rc < 0)
        close(fd);
    return rc;
}

int tr__uv_endpoint_connected(tr_endpoint *base)
{
    int fd = endpoint_of(base)->fd, error = 0;
    union real_address peer;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        return -errno;
    if (error != 0)
        return -error;
    return getpeername(fd, &peer.any, &(socklen_t){sizeof peer}) < 0 ? TR_EAGAIN : 0;
}

void tr__uv_endpoint_tune(tr_endpoint *base, const tr_tuning *tuning)
{
    int fd = endpoint_of(base)->fd;
    if (!socket_is_local(fd))
        tr__uv_socket_tune(fd, tuning);
}

int tr__uv_endpoint_site(tr_endpoint *base, bool peer, tr_site *ret_site)
{
    return tr__uv_socket_site(endpoint_of(base)->fd, peer, ret_site);
}

int tr__uv_endpoint_cred(tr_endpoint *base, tr_peer_cred *ret_cred)
{
    int fd = endpoint_of(base)->fd;
    struct ucred cred;
    if (!socket_is_local(fd))
        return TR_ENOSYS;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &(socklen_t){sizeof cred}) < 0)
        return -errno;
    *ret_cred = (tr_peer_cred){cred.pid, cred.uid, cred.gid, cred.uid == geteuid()};
    return 0;
}

static void endpoint_let_go(uv_handle_t *handle)
{
    struct real_endpoint *endpoint = endpoint_of_source(handle->data);
    struct real_world *world = endpoint_world(endpoint);
    tr__list_append(&world->ended, &endpoint->source.node);
    real_world_stir(world);
}

int tr__uv_endpoint_strip(struct real_endpoint *endpoint)
{
    tr_assert(endpoint->want == 0 && endpoint->fd == endpoint->source.fd && !endpoint->raw);
    endpoint->up = NULL;
    endpoint_cool(endpoint);
    return tr__uv_source_leave(&endpoint->source, endpoint_let_go);
}

void tr__uv_endpoint_close(tr_endpoint *base)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    if (uv_is_closing((uv_handle_t *)&endpoint->source.poll))
        return;
    endpoint->want = 0;
    endpoint_cool(endpoint);
    if (endpoint->raw)
        tr__uv_terminal_raw(base, false);
    if (endpoint->fd != endpoint->source.fd)
        close(endpoint->fd);
    tr__uv_source_close(&endpoint->source, endpoint_let_go);
}

void tr__uv_endpoints_end(struct real_world *world)
{
    for (tr__list *node; (node = tr__list_pop(&world->ended)) != NULL;) {
        struct real_endpoint *endpoint = tr__container(node, struct real_endpoint, source.node);
        real_world_stir(world);
        if (endpoint->up != NULL)
            endpoint->up->closed(endpoint->owner);
        tr__free(endpoint);
    }
}
