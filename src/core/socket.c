// Sockets: a stream of bytes over an endpoint of the world.
//
//     accepted, or dialled -> attached -> read and written -> shut down -> dropped
//
// Reading. While the stream asks for bytes the endpoint is wanted for reading. What it tells is
// read at once, and pushed in a turn of the actor, in whose jobs the stream asks again: as long as
// reads come back full they are made there, READS_MAX in a row, and then the next poll goes on. An
// endpoint that nobody asks is not unwanted before it tells something all the same: for most the
// next question comes first, and each change costs calls to the system.
//
// Writing. Chunks are written at once, as many as there are in one call. What does not go leaves
// when there is room; the stream keeps it until then.
//
// An endpoint is dropped with nobody bound to it, so nothing of a socket outlives its stream.
#include "core/socket.h"

#include "base/opts.h"
#include "core/slab.h"
#include "core/stream.h"

#define READS_MAX 16u
#define CUT_BYTES (1u << 20) // a pipe holds no more

static const tr_world_ops *socket_world(const tr__socket *socket)
{
    return socket->actor->loop->world->ops;
}

bool tr__socket_turn(tr_actor *actor, tr_callback cb, void *arg)
{
    static const tr__what what = {"(socket)"};
    if (actor->state != TR__RUNNING)
        return false;
    tr__look_anew(actor->loop);
    tr__turn(actor, &what, cb, arg);
    return true;
}

void tr__endpoint_drop(tr_endpoint **endpoint)
{
    tr_endpoint *dropped = *endpoint;
    if (dropped == NULL)
        return;
    const tr_world_ops *ops = dropped->world->ops;
    ops->endpoint_want(dropped, 0);
    ops->endpoint_bind(dropped, NULL, NULL);
    ops->endpoint_close(dropped);
    *endpoint = NULL;
}

static void socket_want(tr__socket *socket, unsigned add, unsigned remove)
{
    socket->want = (socket->want | add) & ~remove;
    socket_world(socket)->endpoint_want(socket->endpoint, socket->want);
}

// ---- Reading ----

// What one read has brought.
typedef struct arrival {
    tr__socket *socket;
    ssize_t size; // 0: the end; or an error
    tr_buf *chunk;
} arrival;

static arrival socket_take(tr__socket *socket)
{
    arrival a = {.socket = socket};
    a.size = tr__slab_read(&socket->actor->loop->slab, socket->endpoint, &a.chunk, &socket->more);
    return a;
}

static int arrival_push(arrival *a)
{
    tr__socket *socket = a->socket;
    socket->asked = false;
    if (a->size < 0)
        return (int)a->size;
    if (a->size == 0)
        socket_want(socket, 0, TR__READ);
    int rc = tr_stream_push(socket->actor, socket->stream, a->size == 0 ? NULL : &a->chunk);
    tr_buf_unref(&a->chunk);
    return rc;
}

static void socket_arrived(tr_actor *self, void *arg)
{
    arrival *a = arg;
    a->socket->reads = READS_MAX;
    int rc = arrival_push(a);
    if (rc < 0)
        tr_stream_destroy(self, a->socket->stream, rc);
}

static bool socket_readable(void *owner)
{
    tr__socket *socket = owner;
    if (!socket->asked || socket->actor->state != TR__RUNNING) {
        socket_want(socket, 0, TR__READ);
        return false;
    }
    arrival a = socket_take(socket);
    if (a.size == TR_EAGAIN)
        return false;
    tr__socket_turn(socket->actor, socket_arrived, &a);
    return a.size > 0;
}

static int socket_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    tr__socket *socket = state;
    (void)self, (void)stream, (void)want;
    if (socket->more && socket->reads > 0) {
        socket->reads--;
        arrival a = socket_take(socket);
        if (a.size != TR_EAGAIN) {
            int rc = arrival_push(&a);
            return rc < 0 ? rc : 0;
        }
        socket->more = false;
    }
    socket->asked = true;
    socket_want(socket, TR__READ, 0);
    return 0;
}

bool tr__input_cut(tr_actor *self, tr_stream stream)
{
    tr__stream *s;
    tr__socket *socket = tr_stream_state(self, stream, &tr__input_ops);
    if (socket == NULL || tr__stream_of(self, stream, &s) < 0 || s->read.over || s->closing)
        return false;
    arrival a = socket_take(socket);
    int rc = 0;
    for (size_t size = 0; a.size > 0 && rc >= 0 && size < CUT_BYTES; a = socket_take(socket)) {
        size += (size_t)a.size;
        rc = arrival_push(&a);
    }
    tr_buf_unref(&a.chunk);
    bool held = a.size > 0 || a.size == TR_EAGAIN;
    if (held)
        a.size = 0;
    if (rc >= 0)
        rc = arrival_push(&a);
    if (rc < 0)
        tr_stream_destroy(self, stream, rc);
    return held;
}

// ---- Writing ----

static void chunks_pass(tr__socket *socket, size_t size)
{
    while (socket->count > 0) {
        size_t left = tr_buf_size(socket->chunks[0]) - socket->offset;
        if (size < left) {
            socket->offset += size;
            return;
        }
        size -= left;
        socket->chunks++;
        socket->count--;
        socket->offset = 0;
    }
    tr_assert(size == 0);
}

static int chunks_gather(const tr__socket *socket, tr_iov iov[TR__IOV_MAX])
{
    size_t offset = socket->offset;
    tr_assert(socket->count <= TR__IOV_MAX);
    for (size_t i = 0; i < socket->count; i++) {
        const tr_buf *chunk = socket->chunks[i];
        iov[i] = (tr_iov){(char *)tr_buf_data(chunk) + offset, tr_buf_size(chunk) - offset};
        offset = 0;
    }
    return (int)socket->count;
}

// returns: 0: all has left; TR_LATER, or an error
static int socket_send(tr__socket *socket)
{
    tr_iov iov[TR__IOV_MAX];
    chunks_pass(socket, 0); // empty ones in front
    if (socket->count == 0)
        return 0;
    int count = chunks_gather(socket, iov);
    ssize_t n = socket_world(socket)->endpoint_write(socket->endpoint, iov, count);
    if (n < 0)
        return n == TR_EAGAIN ? TR_LATER : (int)n;
    chunks_pass(socket, (size_t)n);
    return socket->count == 0 ? 0 : TR_LATER;
}

static int socket_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    tr__socket *socket = state;
    (void)self, (void)stream;
    socket->chunks = chunks;
    socket->count = count;
    socket->offset = 0;
    int rc = socket_send(socket);
    if (rc == TR_LATER)
        socket_want(socket, TR__WRITE, 0);
    return rc;
}

typedef struct departure {
    tr__socket *socket;
    int status;
} departure;

static void socket_departed(tr_actor *self, void *arg)
{
    const departure *d = arg;
    tr_stream_done(self, d->socket->stream, d->status);
}

static void socket_writable(void *owner)
{
    tr__socket *socket = owner;
    departure d = {socket, socket_send(socket)};
    if (d.status == TR_LATER)
        return;
    socket_want(socket, 0, TR__WRITE);
    tr__socket_turn(socket->actor, socket_departed, &d);
}

void tr__socket_await(tr__socket *socket)
{
    tr_assert(socket->count == 0);
    socket_want(socket, TR__WRITE, 0);
}

// ---- The stream ----

static void socket_closed(void *owner)
{
    (void)owner;
    tr_assert(!"an endpoint is dropped with its socket, and not bound then");
}

void tr__socket_attach(tr__socket *socket, tr_endpoint *endpoint)
{
    static const tr_endpoint_up up = {
        .readable = socket_readable, .writable = socket_writable, .closed = socket_closed};
    tr_assert(socket->endpoint == NULL);
    socket->endpoint = endpoint;
    socket_world(socket)->endpoint_bind(endpoint, &up, socket);
}

int tr__socket_leave(tr__socket *socket, tr_parcel **ret_parcel)
{
    const tr_world_ops *ops = socket_world(socket);
    ops->endpoint_want(socket->endpoint, 0);
    int rc = ops->endpoint_leave(&socket->endpoint, ret_parcel);
    if (rc < 0)
        ops->endpoint_want(socket->endpoint, socket->want);
    return rc;
}

static int socket_construct(tr_actor *self, tr_stream stream, void *state)
{
    tr__socket *socket = state;
    (void)self, (void)stream;
    return socket->dial != NULL ? tr__dial_start(socket) : socket->held;
}

static int socket_final(tr_actor *self, tr_stream stream, void *state)
{
    tr__socket *socket = state;
    (void)self, (void)stream;
    socket_world(socket)->endpoint_shutdown(socket->endpoint);
    return 0;
}

static int socket_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    tr__socket *socket = state;
    (void)stream, (void)error;
    tr__dial_free(&socket->dial);
    tr__endpoint_drop(&socket->endpoint);
    tr__server_left(self->loop, socket->server);
    return 0;
}

const tr_stream_ops tr__socket_ops = {
    .name = "socket",
    .state_size = sizeof(tr__socket),
    .write_count = TR__IOV_MAX,
    .construct = socket_construct,
    .read = socket_read,
    .write = socket_write,
    .final = socket_final,
    .destroy = socket_destroy,
};

const tr_stream_ops tr__input_ops = {
    .name = "input",
    .state_size = sizeof(tr__socket),
    .construct = socket_construct,
    .read = socket_read,
    .destroy = socket_destroy,
};

const tr_stream_ops tr__output_ops = {
    .name = "output",
    .state_size = sizeof(tr__socket),
    .write_count = TR__IOV_MAX,
    .construct = socket_construct,
    .write = socket_write,
    .destroy = socket_destroy,
};

int tr__socket_new(tr_actor *self, const tr_stream_ops *ops, const tr_stream_opts *opts,
                   bool half_open, tr__socket **ret_socket)
{
    tr_stream_opts o;
    tr_stream stream;
    if (tr__opts_copy(opts, &o, sizeof o) < 0)
        return TR_EINVAL;
    o.size = sizeof o;
    o.mode = TR_BYTES;
    o.end_with_read = !half_open;
    int rc = tr_stream_new(self, ops, &o, &stream);
    if (rc < 0)
        return rc;
    tr__socket *socket = tr_stream_state(self, stream, ops);
    socket->actor = self;
    socket->stream = stream;
    *ret_socket = socket;
    return 0;
}

// ---- Asked of one that is connected ----

static int socket_of(tr_actor *self, tr_stream stream, tr__socket **ret_socket)
{
    tr_stream_info info;
    int rc = tr_stream_info_get(self, stream, &info);
    if (rc < 0)
        return rc;
    *ret_socket = tr_stream_state(self, stream, &tr__socket_ops);
    if (*ret_socket == NULL)
        return TR_EINVAL;
    return (*ret_socket)->endpoint == NULL ? TR_EAGAIN : 0;
}

static int socket_site(tr_actor *self, tr_stream stream, bool peer, char text[TR_ADDRESS_MAX])
{
    tr_site site;
    tr__socket *socket;
    int rc = text == NULL ? TR_EINVAL : socket_of(self, stream, &socket);
    if (rc == 0)
        rc = socket_world(socket)->endpoint_site(socket->endpoint, peer, &site);
    if (rc == 0)
        tr__site_print(&site, text);
    return rc;
}

int tr_socket_address(tr_actor *self, tr_stream stream, char text[TR_ADDRESS_MAX])
{
    return socket_site(self, stream, false, text);
}

int tr_socket_peer(tr_actor *self, tr_stream stream, char text[TR_ADDRESS_MAX])
{
    return socket_site(self, stream, true, text);
}

int tr_socket_peer_cred(tr_actor *self, tr_stream stream, tr_peer_cred *ret_cred)
{
    tr__socket *socket;
    int rc = ret_cred == NULL ? TR_EINVAL : socket_of(self, stream, &socket);
    return rc < 0 ? rc : socket_world(socket)->endpoint_cred(socket->endpoint, ret_cred);
}

int tr_socket_tune(tr_actor *self, tr_stream stream, bool delay, uint32_t keep_alive_s)
{
    tr__socket *socket;
    int rc = socket_of(self, stream, &socket);
    if (rc == 0)
        socket_world(socket)->endpoint_tune(socket->endpoint, &(tr_tuning){!delay, keep_alive_s});
    return rc;
}
