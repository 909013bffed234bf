// Handles: what is between a stream or a server here and one elsewhere.
//
// A stream's socket leaves with nothing under way, and its stream then ends as one that has been
// closed. A stream made of a handle that the parent has lent waits in its construction, at a gate:
// nothing is read or written before the receipt has left, so that the parent can give the
// connection to somebody else as long as it does not know of it. A child cannot: what it has sent
// is gone with its parent.
#include "core/handle.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/node.h"
#include "core/socket.h"
#include "core/stream.h"

int tr__handle_new(tr_parcel **parcel, tr_handle **ret_handle)
{
    tr_handle *handle = tr__zalloc(sizeof *handle);
    if (handle == NULL)
        return TR_ENOMEM;
    handle->parcel = *parcel;
    *parcel = NULL;
    *ret_handle = handle;
    return 0;
}

void tr_handle_close(tr_handle **handle)
{
    tr_handle *gone = handle == NULL ? NULL : *handle;
    if (gone == NULL)
        return;
    *handle = NULL;
    tr__parcel_unref(&gone->parcel);
    tr_buf_unref(&gone->bytes);
    tr__free(gone);
}

int tr_handle_copy(const tr_handle *handle, tr_handle **ret_handle)
{
    tr_parcel *parcel = NULL;
    if (handle == NULL || ret_handle == NULL || handle->parcel->kind != TR__PARCEL_LISTENER)
        return TR_EINVAL;
    int rc = handle->parcel->ops->parcel_copy(handle->parcel, &parcel);
    if (rc == 0)
        rc = tr__handle_new(&parcel, ret_handle);
    tr__parcel_unref(&parcel);
    return rc;
}

int tr_handle_address(const tr_handle *handle, char text[TR_ADDRESS_MAX])
{
    tr_site site;
    if (handle == NULL || text == NULL)
        return TR_EINVAL;
    handle->parcel->ops->parcel_site(handle->parcel, &site);
    tr__site_print(&site, text);
    return 0;
}

// ---- Out of a stream ----

static const tr_stream_ops *const OPS[] = {[TR__PARCEL_SOCKET] = &tr__socket_ops,
                                           [TR__PARCEL_INPUT] = &tr__input_ops,
                                           [TR__PARCEL_OUTPUT] = &tr__output_ops};

// NULL: it is none.
static tr__socket *stream_socket(tr__stream *s, tr__parcel_kind *ret_kind)
{
    for (unsigned kind = 0; kind < TR__PARCEL_LISTENER; kind++) {
        *ret_kind = (tr__parcel_kind)kind;
        if (s->ops == OPS[kind])
            return (tr__socket *)(void *)s->state;
    }
    return NULL;
}

static bool stream_is_at_rest(const tr__stream *s)
{
    bool ending = s->write.over && !s->final;
    return s->corks == 0 && (!s->write.there || (tr__write_is_idle(s) && !ending));
}

static int detach_check(tr__stream *s, tr__socket **ret_socket, tr__parcel_kind *ret_kind)
{
    if (s->closing)
        return TR_ENOENT;
    *ret_socket = stream_socket(s, ret_kind);
    if (*ret_socket == NULL || s->from != NULL || s->to != NULL || s->pipeline != NULL)
        return TR_EINVAL;
    bool here = (*ret_socket)->endpoint != NULL && (*ret_socket)->held == 0;
    return here && stream_is_at_rest(s) ? 0 : TR_EAGAIN;
}

int tr_stream_detach(tr_actor *self, tr_stream stream, tr_handle **ret_handle)
{
    tr__stream *s;
    tr__socket *socket = NULL;
    tr__parcel_kind kind = TR__PARCEL_SOCKET;
    int rc = ret_handle == NULL ? TR_EINVAL : tr__stream_of(self, stream, &s);
    if (rc == 0)
        rc = detach_check(s, &socket, &kind);
    if (rc < 0)
        return rc;
    tr_handle *handle = tr__zalloc(sizeof *handle);
    rc = handle == NULL ? TR_ENOMEM : tr__read_take_all(s, &handle->bytes);
    if (rc == 0)
        rc = tr__socket_leave(socket, &handle->parcel);
    if (rc < 0) {
        if (handle != NULL)
            tr__read_put_back(s, &handle->bytes);
        tr__free(handle);
        return rc;
    }
    handle->parcel->kind = kind;
    tr__stream_close(s, 0);
    *ret_handle = handle;
    return 0;
}

// ---- Into one ----

static void gate_pass(tr_actor *self, void *arg)
{
    const tr__gate *gate = arg;
    tr_stream_done(self, (tr_stream){gate->goes}, gate->status);
}

// Its stream may be gone.
static void gate_done(tr_loop *loop, tr__gate *gate)
{
    tr__stream *s = tr__slots_find(&loop->streams, gate->goes);
    tr__parcel_kind kind;
    if (s != NULL) {
        stream_socket(s, &kind)->held = gate->status;
        tr__socket_turn(s->actor, gate_pass, gate);
    }
    tr__free(gate);
}

static void gate_come_home(tr_loop *loop, tr__post *post)
{
    tr__gate *gate = tr__container(post, tr__gate, post);
    gate->done(loop, gate);
}

void tr__gate_open(tr_loop *loop, tr__gate *gate, int status)
{
    gate->status = status;
    gate->post.arrive = gate_come_home;
    if (gate->home == loop)
        gate->done(loop, gate);
    else
        tr__post_to(loop, gate->home, &gate->post);
}

static void gate_arrive(tr_loop *loop, tr__post *post)
{
    tr__gate *gate = tr__container(post, tr__gate, post);
    int rc = loop->node->route->await(loop, gate);
    if (rc != TR_LATER)
        tr__gate_open(loop, gate, rc);
}

int tr__gate_wait(tr_loop *loop, tr__gate *gate)
{
    tr_loop *there = tr__node_loop(loop->node, gate->receipt.loop);
    int rc = TR_LATER;
    gate->post.arrive = gate_arrive;
    if (there == loop)
        rc = loop->node->route->await(loop, gate);
    else
        tr__post_to(loop, there, &gate->post);
    if (rc != TR_LATER)
        tr__free(gate);
    return rc;
}

int tr__gate_new(tr_loop *loop, const tr__receipt *receipt, tr__gate **ret_gate)
{
    *ret_gate = NULL;
    if (!receipt->lent)
        return 0;
    tr__gate *gate = tr__zalloc(sizeof *gate);
    if (gate == NULL)
        return TR_ENOMEM;
    gate->receipt = *receipt;
    gate->home = loop;
    tr__list_init(&gate->link);
    *ret_gate = gate;
    return 0;
}

// A stream with the bytes in front and the parcel as its endpoint. moves: *bytes and *parcel
static int attach(tr_actor *self, tr_handle *handle, const tr_connect_opts *opts,
                  tr__socket **ret_socket)
{
    tr_endpoint *endpoint;
    tr__socket *socket = NULL;
    tr_buf *bytes = handle->bytes == NULL ? NULL : tr_buf_ref(handle->bytes);
    tr_world *world = self->loop->world;
    tr__parcel_kind kind = handle->parcel->kind;
    int rc = tr__socket_new(self, OPS[kind], opts->stream, opts->half_open, &socket);
    if (rc == 0 && bytes != NULL)
        rc = tr_stream_unshift(self, socket->stream, &bytes);
    tr_buf_unref(&bytes);
    if (rc == 0)
        rc = world->ops->endpoint_enter(world, &handle->parcel, &endpoint);
    if (rc < 0) {
        if (socket != NULL)
            tr_stream_destroy(self, socket->stream, 0);
        return rc;
    }
    if (kind == TR__PARCEL_SOCKET)
        world->ops->endpoint_tune(endpoint, &(tr_tuning){!opts->delay, opts->keep_alive_s});
    tr__socket_attach(socket, endpoint);
    *ret_socket = socket;
    return 0;
}

int tr_stream_attach(tr_actor *self, tr_handle **handle, const tr_connect_opts *opts,
                     tr_stream *ret_stream)
{
    tr_connect_opts o;
    tr__socket *socket = NULL;
    tr__gate *gate;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || handle == NULL || *handle == NULL ||
        ret_stream == NULL || tr__opts_copy(opts, &o, sizeof o) < 0 ||
        (*handle)->parcel->kind == TR__PARCEL_LISTENER)
        return TR_EINVAL;
    int rc = tr__gate_new(self->loop, &(*handle)->receipt, &gate);
    if (rc == 0)
        rc = attach(self, *handle, &o, &socket);
    if (rc < 0) {
        tr__free(gate);
        return rc;
    }
    *ret_stream = socket->stream;
    if (gate != NULL) {
        gate->goes = socket->stream.id;
        gate->done = gate_done;
        socket->held = tr__gate_wait(self->loop, gate);
    }
    tr_handle_close(handle);
    return 0;
}
