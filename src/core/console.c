// The console: sockets' streams with one side each, over the descriptors that the process was
// started with, and over the other ends of those that its children were. What makes those different
// from others' is the world's business.
#include <troupe/console.h>

#include "core/node.h"
#include "core/route.h"
#include "core/socket.h"

// moves: *endpoint
static int stream_over(tr_actor *self, const tr_stream_ops *ops, tr_endpoint **endpoint,
                       tr_stream *ret_stream)
{
    tr__socket *socket;
    int rc = tr__socket_new(self, ops, NULL, true, &socket);
    if (rc < 0)
        return rc;
    tr__socket_attach(socket, *endpoint);
    *endpoint = NULL;
    *ret_stream = socket->stream;
    return 0;
}

static int console_open(tr_actor *self, int fd, const tr_stream_ops *ops, tr_stream *ret_stream)
{
    tr_endpoint *endpoint;
    if (!tr__actor_here(self) || ret_stream == NULL)
        return TR_EINVAL;
    tr_world *world = self->loop->world;
    int rc = world->ops->borrow(world, fd, &endpoint);
    if (rc < 0)
        return rc;
    rc = stream_over(self, ops, &endpoint, ret_stream);
    tr__endpoint_drop(&endpoint);
    return rc;
}

int tr_stdin(tr_actor *self, tr_stream *ret_stream)
{
    return console_open(self, 0, &tr__input_ops, ret_stream);
}

int tr_stdout(tr_actor *self, tr_stream *ret_stream)
{
    return console_open(self, 1, &tr__output_ops, ret_stream);
}

int tr_stderr(tr_actor *self, tr_stream *ret_stream)
{
    return console_open(self, 2, &tr__output_ops, ret_stream);
}

int tr_child_stream(tr_actor *self, tr_addr child, int fd, tr_stream *ret_stream)
{
    if (!tr__actor_here(self) || (unsigned)fd >= TR__STDIO || ret_stream == NULL)
        return TR_EINVAL;
    const tr__route *route = self->loop->node->route;
    if (route == NULL || route->child_end == NULL)
        return TR_ENOSYS;
    tr_endpoint **end = route->child_end(self, child, fd);
    if (end == NULL || *end == NULL)
        return end == NULL ? TR_ENOACTOR : TR_ENOENT;
    return stream_over(self, fd == 0 ? &tr__output_ops : &tr__input_ops, end, ret_stream);
}

static int endpoint_of(tr_actor *self, tr_stream stream, tr_endpoint **ret_endpoint)
{
    tr_stream_info info;
    int rc = tr_stream_info_get(self, stream, &info);
    if (rc < 0)
        return rc;
    const tr__socket *socket = tr_stream_state(self, stream, &tr__input_ops);
    if (socket == NULL)
        socket = tr_stream_state(self, stream, &tr__output_ops);
    if (socket == NULL || socket->endpoint == NULL)
        return socket == NULL ? TR_EINVAL : TR_ENOENT;
    *ret_endpoint = socket->endpoint;
    return 0;
}

int tr_terminal_get(tr_actor *self, tr_stream stream, tr_terminal *ret_terminal)
{
    tr_terminal found;
    tr_endpoint *endpoint;
    int rc = ret_terminal == NULL ? TR_EINVAL : endpoint_of(self, stream, &endpoint);
    if (rc == 0)
        rc = endpoint->world->ops->terminal_size(endpoint, &found.columns, &found.rows);
    if (rc == 0)
        *ret_terminal = found;
    return rc;
}

int tr_terminal_raw(tr_actor *self, tr_stream stream, bool raw)
{
    tr_endpoint *endpoint;
    int rc = endpoint_of(self, stream, &endpoint);
    return rc < 0 ? rc : endpoint->world->ops->terminal_raw(endpoint, raw);
}
