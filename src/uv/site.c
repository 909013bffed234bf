// Sites: where sockets are, as the system has it.
//
// Addresses are in figures. A name is looked up before, on a thread that may wait for it.
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <troupe/error.h>
#include <unistd.h>

#include "uv/inside.h"

_Static_assert(TR__SITE_MAX == sizeof((struct sockaddr_un *)0)->sun_path, "any path fits");

static int address_of(const tr_site *site, union real_address *address, socklen_t *ret_size)
{
    memset(address, 0, sizeof *address);
    if (site->given)
        return TR_EINVAL;
    if (!site->tcp) {
        address->local.sun_family = AF_UNIX;
        memcpy(address->local.sun_path, site->name, strlen(site->name) + 1);
        *ret_size = sizeof address->local;
        // The system would take an empty path for a name outside of the file system.
        return site->name[0] == '\0' ? TR_EINVAL : 0;
    }
    *ret_size = sizeof address->v4;
    if (uv_ip4_addr(site->name, site->port, &address->v4) == 0)
        return 0;
    *ret_size = sizeof address->v6;
    return uv_ip6_addr(site->name, site->port, &address->v6) == 0 ? 0 : TR_EINVAL;
}

int tr__uv_socket(const tr_site *site, union real_address *ret_address, socklen_t *ret_size)
{
    int rc = address_of(site, ret_address, ret_size);
    if (rc < 0)
        return rc;
    int fd = socket(ret_address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd < 0 ? -errno : fd;
}

// Size is that of the address as the system gave it: a path's end may be all that ends it.
static void site_of(const union real_address *address, socklen_t size, tr_site *ret_site)
{
    *ret_site = (tr_site){.tcp = address->any.sa_family != AF_UNIX};
    if (ret_site->tcp) {
        uv_ip_name(&address->any, ret_site->name, sizeof ret_site->name);
        ret_site->port =
            ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
    } else if (size > offsetof(struct sockaddr_un, sun_path)) {
        size_t room = size - offsetof(struct sockaddr_un, sun_path);
        memcpy(ret_site->name, address->local.sun_path, strnlen(address->local.sun_path, room));
        ret_site->name[TR__SITE_MAX - 1] = '\0';
    }
}

int tr__uv_socket_site(int fd, bool peer, tr_site *ret_site)
{
    union real_address address = {0};
    socklen_t size = sizeof address;
    if ((peer ? getpeername(fd, &address.any, &size) : getsockname(fd, &address.any, &size)) < 0)
        return -errno;
    site_of(&address, size, ret_site);
    return 0;
}

static int error_of_lookup(int error)
{
    switch (error) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return TR_ENOENT;
    case EAI_AGAIN:
        return TR_EAGAIN;
    case EAI_MEMORY:
        return TR_ENOMEM;
    default:
        return error == EAI_SYSTEM ? -errno : TR_EIO;
    }
}

int tr__uv_resolve(tr_world *world, const tr_site *site, tr_site *ret_sites, int max)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found, *at;
    int count = 0, rc = getaddrinfo(site->name, NULL, &hints, &found);
    (void)world;
    if (rc != 0)
        return error_of_lookup(rc);
    for (at = found; at != NULL && count < max; at = at->ai_next, count++) {
        site_of((const union real_address *)at->ai_addr, at->ai_addrlen, &ret_sites[count]);
        ret_sites[count].port = site->port;
    }
    freeaddrinfo(found);
    return count;
}

// An option that the system does not take is none: the connection works without it.
void tr__uv_socket_tune(int fd, const tr_tuning *tuning)
{
    int no_delay = tuning->no_delay, keep = tuning->keep_alive_s > 0;
    int idle = tuning->keep_alive_s < INT16_MAX ? (int)tuning->keep_alive_s : INT16_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keep, sizeof keep);
    if (keep)
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
}
