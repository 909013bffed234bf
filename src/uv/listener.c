// Listeners: local sockets at a path in the file system.
//
// The socket is made by hand and not by libuv's pipe, which cuts a long path short without a word.
// Its file is made with mode 0600; what counts is the peer's user, as the system knows it.
//
// When the process has no descriptor left, a connection can be neither accepted nor refused, and
// the listener would be readable for ever. So each keeps one in reserve: it is given up to take the
// connection, which is then dropped, so that the peer finds out.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "uv/inside.h"

#define BACKLOG     128
#define ACCEPTS_MAX 16 // in one poll, so that a storm of connections cannot starve the rest

struct real_listener {
    tr_listener base;
    struct real_source source;
    struct sockaddr_un address;
    struct stat file; // as bind made it
    int reserve;      // -1: somebody else got it; tried again after each connection that is dropped
    bool warned;
    const tr_listener_up *up;
    void *owner;
};

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

// Returns whether there was a connection to drop: without a descriptor accept cannot tell.
static bool listener_drop(struct real_listener *listener)
{
    fd_close(listener->reserve);
    int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC);
    fd_close(fd);
    listener->reserve = reserve_open();
    if (fd >= 0 && !listener->warned) {
        listener->warned = true;
        tr__warn("listen.descriptors", "path=%s out of descriptors, connections are dropped",
                 listener->address.sun_path);
    }
    return fd >= 0;
}

static void listener_hand_over(struct real_listener *listener, int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){sizeof peer});
    tr_peer_cred cred = {.same_user = peer.uid == geteuid(), .pid = peer.pid};
    tr_endpoint *endpoint;
    if (tr__uv_endpoint_open(real_world_of(listener->base.world), fd, &endpoint) < 0)
        close(fd); // no memory: the peer hears that it is dropped
    else
        listener->up->accepted(listener->owner, endpoint, &cred);
}

// Returns whether there may be more to accept.
static bool listener_accept(struct real_listener *listener)
{
    int fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        listener_hand_over(listener, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE)
        return listener_drop(listener);
    return errno == ECONNABORTED || errno == EINTR;
}

static void listener_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct real_listener *listener = listener_of_source(poll->data);
    real_world_stir(real_world_of(listener->base.world));
    for (int i = 0; i < ACCEPTS_MAX && !uv_is_closing((uv_handle_t *)poll); i++)
        if (!listener_accept(listener))
            break;
}

// Unlink the path, unless somebody has put something else there.
static void listener_unlink(const struct real_listener *listener)
{
    const char *path = listener->address.sun_path;
    struct stat file;
    if (lstat(path, &file) == 0 && file.st_dev == listener->file.st_dev &&
        file.st_ino == listener->file.st_ino)
        unlink(path);
}

static void listener_let_go(uv_handle_t *handle)
{
    tr__free(listener_of_source(handle->data));
}

static void listener_close_source(struct real_source *source)
{
    struct real_listener *listener = listener_of_source(source);
    listener_unlink(listener);
    fd_close(listener->reserve);
    tr__uv_source_close(source, listener_let_go);
}

void tr__uv_listener_close(tr_listener **base)
{
    if (*base != NULL)
        listener_close_source(&((struct real_listener *)*base)->source);
    *base = NULL;
}

static int listener_bind(struct real_listener *listener, const char *path, int fd)
{
    struct sockaddr_un *address = &listener->address;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, strlen(path) + 1);
    // The mode of a socket that is not bound yet becomes the mode of its file.
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) < 0)
        return -errno;
    return lstat(path, &listener->file) < 0 || listen(fd, BACKLOG) < 0 ? -errno : 0;
}

static int listener_open(struct real_listener *listener, const char *path, int fd)
{
    struct real_world *world = real_world_of(listener->base.world);
    if (listener->reserve < 0 || fd < 0)
        return -errno;
    int rc = listener_bind(listener, path, fd);
    if (rc == 0)
        rc = tr__uv_source_open(world, fd, listener_close_source, &listener->source);
    return rc;
}

int tr__uv_listen(tr_world *world, const char *path, const tr_listener_up *up, void *owner,
                  tr_listener **ret_listener)
{
    if (path[0] == '\0') // the system would take it for a name outside of the file system
        return TR_EINVAL;
    if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
        return TR_ENAMETOOLONG;
    struct real_listener *listener = tr__zalloc(sizeof *listener);
    if (listener == NULL)
        return TR_ENOMEM;
    listener->base.world = world;
    listener->up = up;
    listener->owner = owner;
    listener->reserve = reserve_open();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = listener_open(listener, path, fd);
    if (rc < 0) {
        listener_unlink(listener);
        fd_close(fd);
        fd_close(listener->reserve);
        tr__free(listener);
        return rc;
    }
    tr__uv_source_watch(&listener->source, UV_READABLE, listener_ready);
    *ret_listener = &listener->base;
    return 0;
}
