// Listeners: local sockets at a path in the file system, and TCP.
//
// The socket is made by hand and not by libuv's pipe, which cuts a long path short without a word.
// A path's file is made with mode 0600. What is accepted has the listener's tuning: Linux passes it
// on.
//
// When the process has no descriptor left, a connection can be neither accepted nor refused, and
// the listener would be readable for ever. So each keeps one in reserve: it is given up to take the
// connection, which is then dropped, so that the peer finds out. Where that does not help, as when
// the system has none either, or no memory, those who connect wait, and the listener rests. One
// that somebody else who has it has shut down is readable for ever as well, and is not watched any
// more.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

#define BACKLOG     511
#define ACCEPTS_MAX 16 // in one poll, so that a storm of connections cannot starve the rest

struct real_listener {
    tr_listener base;
    struct real_source source;
    tr_site site;     // with its true port
    bool has_path;    // which it removes
    struct stat file; // of the path, as bind made it
    int reserve;      // -1: somebody else got it; tried again after each connection that is dropped
    bool wants;
    bool dead; // it will never accept anybody
    const tr_listener_up *up;
    void *owner;
};

static struct real_listener *listener_of(const tr_listener *base)
{
    return (struct real_listener *)(uintptr_t)base;
}

static struct real_listener *listener_of_source(struct real_source *source)
{
    return tr__container(source, struct real_listener, source);
}

static int reserve_open(void)
{
    return open("/", O_RDONLY | O_CLOEXEC);
}

static void fd_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void listener_ready(uv_poll_t *poll, int status, int events);

static void listener_watch(struct real_listener *listener)
{
    bool watched = listener->wants && !listener->dead && !tr__uv_source_rests(&listener->source);
    tr__uv_source_watch(&listener->source, watched ? UV_READABLE : 0, listener_ready);
}

static void listener_rested(struct real_source *source)
{
    listener_watch(listener_of_source(source));
}

static void listener_fail(struct real_listener *listener, int error)
{
    bool passes = error != -EINVAL && error != -EBADF && error != -ENOTSOCK;
    listener->dead = !passes;
    if (passes)
        tr__uv_source_rest(&listener->source, listener_rested);
    listener_watch(listener);
    listener->up->dropped(listener->owner, error);
}

// Returns whether there was a connection to drop: without a descriptor accept cannot tell.
static bool listener_drop(struct real_listener *listener, int error)
{
    fd_close(listener->reserve);
    int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC);
    int rc = fd < 0 ? -errno : 0;
    fd_close(fd);
    listener->reserve = reserve_open();
    if (fd >= 0)
        listener->up->dropped(listener->owner, error);
    else if (rc != TR_EAGAIN)
        listener_fail(listener, rc);
    return fd >= 0;
}

static void listener_hand_over(struct real_listener *listener, int fd)
{
    tr_endpoint *endpoint;
    int rc = tr__uv_endpoint_open(real_world_of(listener->base.world), fd, &endpoint);
    if (rc == 0) {
        listener->up->accepted(listener->owner, endpoint);
    } else {
        close(fd);
        listener->up->dropped(listener->owner, rc);
    }
}

// A local one that was shut down has nobody, and says so with each poll.
static bool listener_is_shut(const struct real_listener *listener)
{
    struct pollfd end = {.fd = listener->source.fd, .events = POLLRDHUP};
    return poll(&end, 1, 0) == 1;
}

// Returns whether there may be more to accept.
static bool listener_accept(struct real_listener *listener)
{
    int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        listener_hand_over(listener, fd);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        return listener_drop(listener, -errno);
    case ENOBUFS:
    case ENOMEM:
    case EINVAL:
    case EBADF:
    case ENOTSOCK:
        listener_fail(listener, -errno);
        return false;
    default:
        return true; // an error of a connection, which is gone
    }
}

static void listener_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct real_listener *listener = listener_of_source(poll->data);
    real_world_stir(real_world_of(listener->base.world));
    int i = 0;
    while (i < ACCEPTS_MAX && listener->wants && listener_accept(listener))
        i++;
    if (i == 0 && listener->wants && !listener->dead && listener_is_shut(listener))
        listener_fail(listener, -EINVAL);
}

void tr__uv_listener_want(tr_listener *base, bool accept)
{
    struct real_listener *listener = listener_of(base);
    if (accept == listener->wants)
        return;
    listener->wants = accept;
    listener_watch(listener);
}

void tr__uv_listener_site(const tr_listener *base, tr_site *ret_site)
{
    *ret_site = listener_of(base)->site;
}

static void listener_let_go(uv_handle_t *handle)
{
    tr__free(listener_of_source(handle->data));
}

static void listener_close_source(struct real_source *source)
{
    struct real_listener *listener = listener_of_source(source);
    listener->wants = false;
    if (listener->has_path)
        tr__uv_path_unlink(listener->site.name, &listener->file);
    fd_close(listener->reserve);
    tr__uv_source_close(source, listener_let_go);
}

void tr__uv_listener_close(tr_listener **base)
{
    if (*base != NULL)
        listener_close_source(&listener_of(*base)->source);
    *base = NULL;
}

static int listener_set_up(int fd, const tr_site *site, const tr_listen_how *how)
{
    int yes = 1, v6_only = how->v6_only;
    if (!site->tcp) // the mode of a socket that is not bound yet becomes the mode of its file
        return fchmod(fd, 0600) < 0 ? -errno : 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
        return -errno;
    if (how->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) < 0)
        return -errno;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only); // IPv4 has no such thing
    tr__uv_socket_tune(fd, &how->tuning);
    return 0;
}

static int listener_bind(int fd, const tr_site *site, const union real_address *address,
                         socklen_t size, struct stat *ret_file)
{
    if (bind(fd, &address->any, size) < 0)
        return -errno;
    return !site->tcp && lstat(site->name, ret_file) < 0 ? -errno : 0;
}

// One that the process was started with. Its path is not ours to remove.
static int listener_take(const char *name, tr_parcel **ret_parcel)
{
    struct real_parcel *parcel;
    int fd = tr__uv_given(name);
    int rc = fd < 0 ? fd : tr__uv_parcel_new(TR__PARCEL_LISTENER, fd, &parcel);
    if (rc < 0 && fd >= 0)
        close(fd);
    if (rc == 0)
        *ret_parcel = &parcel->base;
    return rc;
}

int tr__uv_listener_open(tr_world *world, const tr_site *site, const tr_listen_how *how,
                         tr_parcel **ret_parcel)
{
    union real_address address;
    socklen_t size;
    struct stat file = {0};
    struct real_parcel *parcel;
    (void)world;
    if (site->given)
        return listener_take(site->name, ret_parcel);
    int fd = tr__uv_socket(site, &address, &size);
    if (fd < 0)
        return fd;
    int rc = listener_set_up(fd, site, how);
    if (rc == 0)
        rc = listener_bind(fd, site, &address, size, &file);
    if (rc == 0 && listen(fd, how->backlog > 0 ? how->backlog : BACKLOG) < 0)
        rc = -errno;
    if (rc == 0)
        rc = tr__uv_parcel_new(TR__PARCEL_LISTENER, fd, &parcel);
    if (rc < 0) {
        if (file.st_ino != 0)
            tr__uv_path_unlink(site->name, &file);
        close(fd);
        return rc;
    }
    parcel->has_path = !site->tcp;
    parcel->file = file;
    *ret_parcel = &parcel->base;
    return 0;
}

int tr__uv_listener_share(const tr_listener *base, tr_parcel **ret_parcel)
{
    struct real_parcel *parcel;
    int fd = fcntl(listener_of(base)->source.fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int rc = tr__uv_parcel_new(TR__PARCEL_LISTENER, fd, &parcel);
    if (rc < 0)
        close(fd);
    else
        *ret_parcel = &parcel->base;
    return rc;
}

static int listener_init(struct real_listener *listener, const struct real_parcel *parcel,
                         const tr_listen_how *how)
{
    tr__uv_parcel_site(&parcel->base, &listener->site);
    listener->has_path = parcel->has_path;
    listener->file = parcel->file;
    listener->reserve = reserve_open();
    int fd = listener->reserve < 0 ? -errno : tr__uv_parcel_fd(parcel);
    if (fd < 0)
        return fd;
    if (listener->site.tcp)
        tr__uv_socket_tune(fd, &how->tuning);
    int rc = tr__uv_source_open(real_world_of(listener->base.world), fd, listener_close_source,
                                &listener->source);
    if (rc < 0 && fd != parcel->fd)
        close(fd);
    return rc;
}

int tr__uv_listener_enter(tr_world *world, tr_parcel **parcel, const tr_listen_how *how,
                          const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    struct real_listener *listener = tr__zalloc(sizeof *listener);
    if (listener == NULL)
        return TR_ENOMEM;
    listener->base.world = world;
    listener->up = up;
    listener->owner = owner;
    int rc = listener_init(listener, (const struct real_parcel *)*parcel, how);
    if (rc < 0) {
        fd_close(listener->reserve);
        tr__free(listener);
        return rc;
    }
    tr__uv_parcel_spent(parcel, listener->source.fd);
    tr__uv_listener_want(&listener->base, true);
    *ret_listener = &listener->base;
    return 0;
}

int tr__uv_listen(tr_world *world, const tr_site *site, const tr_listen_how *how,
                  const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    tr_parcel *parcel = NULL;
    int rc = tr__uv_listener_open(world, site, how, &parcel);
    if (rc == 0)
        rc = tr__uv_listener_enter(world, &parcel, how, up, owner, ret_listener);
    tr__parcel_unref(&parcel);
    return rc;
}
