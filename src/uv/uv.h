// The real world: core/world.h on libuv. See world.c.
#ifndef TROUPE_UV_UV_H
#define TROUPE_UV_UV_H

#include "core/world.h"

// Set in the environment of children of a service's nodes: they leave SIGINT, SIGHUP and SIGTERM
// that their group is sent to the service.
#define SERVICE_ENV "TROUPE_SERVICE"

// gives:  *ret_world, for the thread that polls it
// errors: TR_ENOMEM, system errors (-EMFILE, ...)
int tr__uv_open(tr_world **ret_world);

// Make an endpoint of a descriptor that this process was given: a stream socket, connected.
// moves:  fd, which is made close-on-exec and non-blocking; on an error it stays the caller's
// gives:  *ret_endpoint
// errors: TR_EINVAL (another kind of socket), system errors (-EBADF, -ENOTSOCK, ...), TR_ENOMEM
int tr__uv_adopt(tr_world *world, int fd, tr_endpoint **ret_endpoint);

// groups: as /proc/self/cgroup; mount: where those are, as /sys/fs/cgroup
uint32_t tr__uv_processors(const char *groups, const char *mount);

#endif
