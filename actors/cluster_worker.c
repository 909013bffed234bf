// A cluster as one of its workers sees it.
//
// That it is a worker, and whose, is what its node was given to know (tr_node_context). What is
// listened at is a place: the state of a stream that nobody reads, for the sake of what a stream
// has: an id that goes stale, memory, and an end with its actor. The cluster knows the place by
// that id, and the actor; its notices go there, to be taken by tr_cluster_take.
#include "cluster.h"

#include <stdio.h>

struct place {
    tr_stream stream; // itself
    tr_listen_opts opts;
    tr_accepted cb;
    void (*listening)(tr_actor *self, tr_cluster_server server, int status, void *arg);
    void *arg;
    uint32_t most;    // connections, its part of the cluster's; 0: no limit
    bool shared;      // it is the cluster's
    bool listens;     // it has been told that it does
    bool closed;      // and waits at most for the cluster to be told
    tr_server server; // none where the cluster accepts
    char address[TR_ADDRESS_MAX];
};

// ---- Which one it is ----

int tr_cluster_self(const tr_actor *self, tr_cluster_worker *ret_worker)
{
    tr_val about;
    uint64_t slot;
    if (self == NULL || ret_worker == NULL)
        return TR_EINVAL;
    tr_cluster_worker w = {0};
    if (tr_get(tr_node_context(tr_node_of(self)), "cluster", &about) < 0 ||
        tr_get_addr(about, "addr", &w.addr) < 0 || tr_get_uint(about, "slot", &slot) < 0 ||
        tr_get_uint(about, "incarnation", &w.incarnation) < 0)
        return TR_ENOENT;
    w.slot = (uint32_t)slot;
    *ret_worker = w;
    return 0;
}

int tr_cluster_ready(tr_actor *self)
{
    tr_cluster_worker w;
    int rc = tr_cluster_self(self, &w);
    if (rc < 0)
        return rc == TR_ENOENT ? 0 : rc;
    return tr_send(self, w.addr, "troupe.ready", TR_NULL);
}

// ---- Places ----

static int place_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)self, (void)stream, (void)state, (void)want;
    return 0;
}

static void place_left(tr_actor *self, void *id);

// returns: TR_LATER when there is no room to say so yet
static int place_leave(tr_actor *self, uint64_t id)
{
    tr_cluster_worker w;
    if (tr_cluster_self(self, &w) < 0 ||
        tr_send(self, w.addr, "troupe.unlisten", TR_V(id)) != TR_EFULL)
        return 0;
    return tr_on_writable(self, w.addr, place_left, (void *)(uintptr_t)id) == 0 ? TR_LATER : 0;
}

static void place_left(tr_actor *self, void *id)
{
    if (place_leave(self, (uintptr_t)id) == 0)
        tr_stream_done(self, (tr_stream){(uintptr_t)id}, 0);
}

// Of one that ends with its actor the cluster hears by a monitor.
static int place_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    struct place *place = state;
    (void)error;
    place->closed = true;
    tr_server_close(self, place->server);
    return place->shared ? place_leave(self, stream.id) : 0;
}

static const tr_stream_ops place_ops = {.name = "cluster_server",
                                        .state_size = sizeof(struct place),
                                        .read = place_read,
                                        .destroy = place_destroy};

static struct place *place_of(tr_actor *self, uint64_t id)
{
    struct place *place = tr_stream_state(self, (tr_stream){id}, &place_ops);
    return place == NULL || place->closed ? NULL : place;
}

static tr_cluster_server server_of(const struct place *place)
{
    return (tr_cluster_server){place->stream.id};
}

static void place_accepted(tr_actor *self, tr_stream stream, void *id)
{
    const struct place *place = place_of(self, (uintptr_t)id);
    if (place != NULL)
        place->cb(self, stream, place->arg);
}

// It may be gone afterwards. An error that nobody hears of is the actor's.
static void place_tell(tr_actor *self, struct place *place, int status)
{
    tr_stream stream = place->stream;
    bool heard = place->listening != NULL;
    place->listens = status == 0;
    if (heard)
        place->listening(self, server_of(place), status, place->arg);
    else if (status < 0)
        tr_log("cluster.listen", "address=%s error=%s", place->address, tr_errname(status));
    if (status < 0)
        tr_stream_destroy(self, stream, heard ? 0 : status);
}

static void place_alone(tr_actor *self, void *id)
{
    struct place *place = place_of(self, (uintptr_t)id);
    if (place != NULL)
        place_tell(self, place, 0);
}

static int place_listen(tr_actor *self, struct place *place, const char *address)
{
    tr_cluster_worker w;
    void *id = (void *)(uintptr_t)place->stream.id;
    if (tr_cluster_self(self, &w) < 0) {
        int rc = tr_listen(self, address, &place->opts, place_accepted, id, &place->server);
        if (rc == 0)
            rc = tr_server_address(self, place->server, place->address);
        return rc < 0 ? rc : tr_next_tick(self, place_alone, id);
    }
    int rc = tr_send(self, w.addr, "troupe.listen",
                     TR_MAP("id", place->stream.id, "address", address, "backlog",
                            place->opts.backlog, "v6_only", place->opts.v6_only));
    place->shared = rc == 0;
    snprintf(place->address, sizeof place->address, "%s", address);
    return rc;
}

static int place_new(tr_actor *self, struct place **ret_place)
{
    tr_stream stream;
    int rc = tr_stream_new(self, &place_ops, TR_STREAM(.mode = TR_READ_ITEMS), &stream);
    if (rc < 0)
        return rc;
    *ret_place = place_of(self, stream.id);
    (*ret_place)->stream = stream;
    return 0;
}

int tr_cluster_listen(tr_actor *self, const char *address, const tr_cluster_listen_opts *given,
                      tr_accepted cb, void *arg, tr_cluster_server *ret_server)
{
    tr_cluster_listen_opts opts;
    struct place *place;
    if (address == NULL || cb == NULL || !tr__spec_copy(&opts, sizeof opts, given))
        return TR_EINVAL;
    if (strlen(address) >= TR_ADDRESS_MAX)
        return TR_ENAMETOOLONG;
    int rc = place_new(self, &place);
    if (rc < 0)
        return rc;
    place->cb = cb;
    place->listening = opts.listening;
    place->arg = arg;
    rc = tr__spec_copy(&place->opts, sizeof place->opts, opts.listen) ? 0 : TR_EINVAL;
    place->opts.reuse_port = false;
    if (rc == 0)
        rc = place_listen(self, place, address);
    if (rc < 0)
        tr_stream_destroy(self, place->stream, 0);
    else if (ret_server != NULL)
        *ret_server = server_of(place);
    return rc;
}

void tr_cluster_close(tr_actor *self, tr_cluster_server server)
{
    struct place *place = place_of(self, server.id);
    if (place == NULL)
        return;
    place->closed = true;
    tr_server_close(self, place->server); // in this call: an actor that ends next accepts nobody
    tr_stream_destroy(self, place->stream, 0);
}

int tr_cluster_address(tr_actor *self, tr_cluster_server server, char text[TR_ADDRESS_MAX])
{
    const struct place *place = self == NULL || text == NULL ? NULL : place_of(self, server.id);
    if (place == NULL)
        return self == NULL || text == NULL ? TR_EINVAL : TR_ENOENT;
    if (place->shared && !place->listens)
        return TR_EAGAIN;
    memcpy(text, place->address, sizeof place->address);
    return 0;
}

// ---- What the cluster says ----

static uint32_t place_limit(const struct place *place)
{
    uint32_t own = place->opts.connections_max;
    return place->most != 0 && (own == 0 || place->most < own) ? place->most : own;
}

static void place_set_limit(tr_actor *self, struct place *place, const tr_msg *msg)
{
    uint64_t most;
    if (tr_get_uint(tr_msg_body(msg), "most", &most) < 0)
        return;
    place->most = (uint32_t)most;
    tr_server_limit(self, place->server, place_limit(place));
}

// It listens, or it cannot.
static int place_begin(tr_actor *self, struct place *place, const tr_msg *msg)
{
    uint64_t most = 0;
    int64_t status = 0;
    tr_str address;
    tr_handle *handle = NULL;
    int rc = TR_READ(tr_msg_body(msg), "status", &status, "address", &address, "most", &most);
    if (rc < 0 || status < 0)
        return rc < 0 ? rc : (int)status;
    snprintf(place->address, sizeof place->address, "%.*s", (int)address.len, address.ptr);
    if (tr_msg_handle_count(msg) == 0) // the cluster accepts
        return 0;
    place->most = (uint32_t)most;
    tr_listen_opts opts = place->opts;
    opts.connections_max = place_limit(place);
    rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_listen_on(self, &handle, &opts, place_accepted, (void *)(uintptr_t)place->stream.id,
                          &place->server);
    tr_handle_close(&handle);
    return rc;
}

// The cluster counts it until it hears of this: so it is said again when there was no room.
static void closed_tell(tr_actor *self, void *arg)
{
    tr_cluster_worker w;
    if (tr_cluster_self(self, &w) == 0 &&
        tr_send(self, w.addr, "troupe.closed", TR_V(1)) == TR_EFULL)
        tr_on_writable(self, w.addr, closed_tell, arg);
}

static void connection_closed(tr_actor *self, int status, void *arg)
{
    (void)status;
    closed_tell(self, arg);
}

// ---- Giving back ----

// One of several connections, of which another has been served here, that somebody else may serve, as
// long as the cluster has no room for it; a stream for the same reasons as a place. It is closed if its
// actor ends meanwhile.
struct back {
    tr_msg *msg;
    tr_addr to;
};

static int back_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    struct back *back = state;
    (void)self, (void)stream, (void)error;
    tr_msg_free(&back->msg);
    return 0;
}

static const tr_stream_ops back_ops = {.name = "cluster_back",
                                       .state_size = sizeof(struct back),
                                       .read = place_read,
                                       .destroy = back_destroy};

static void back_try(tr_actor *self, void *id)
{
    tr_stream stream = {(uintptr_t)id};
    struct back *back = tr_stream_state(self, stream, &back_ops);
    int rc = tr_send_msg(self, back->to, &back->msg);
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, back->to, back_try, id) == 0 ? TR_LATER : rc;
    if (rc < 0)
        closed_tell(self, NULL);
    if (rc != TR_LATER)
        tr_stream_destroy(self, stream, 0);
}

// moves: *handle, on success
static int back_new(tr_actor *self, const tr_msg *msg, tr_handle **handle, tr_stream *ret_stream)
{
    tr_msg *made = NULL;
    struct back *back;
    int rc = tr_msg_new("troupe.back", tr_msg_body(msg), &made);
    if (rc == 0)
        rc = tr_stream_new(self, &back_ops, TR_STREAM(.mode = TR_READ_ITEMS), ret_stream);
    if (rc == 0)
        rc = tr_msg_attach_handle(made, handle);
    if (rc < 0) {
        tr_msg_free(&made);
        return rc;
    }
    back = tr_stream_state(self, *ret_stream, &back_ops);
    *back = (struct back){made, tr_msg_from(msg)};
    return 0;
}

static void send_back(tr_actor *self, const tr_msg *msg, tr_handle **handle)
{
    tr_stream stream = {0};
    if (back_new(self, msg, handle, &stream) < 0)
        closed_tell(self, NULL);
    else
        back_try(self, (void *)(uintptr_t)stream.id);
    tr_handle_close(handle);
}

// ---- Serving ----

static int place_serve(tr_actor *self, const struct place *place, tr_handle **handle)
{
    tr_stream stream;
    if (place == NULL)
        return TR_ENOENT;
    const tr_connect_opts opts = {.size = sizeof opts,
                                  .delay = place->opts.delay,
                                  .keep_alive_s = place->opts.keep_alive_s,
                                  .half_open = place->opts.half_open,
                                  .stream = place->opts.stream};
    int rc = tr_stream_attach(self, handle, &opts, &stream);
    if (rc < 0)
        return rc;
    tr_finished(self, stream, connection_closed, NULL);
    place->cb(self, stream, place->arg);
    return 0;
}

// What a place that is closed was given goes back as one message, which waits for no room. A callback
// may close it, too.
static void serve_all(tr_actor *self, uint64_t id, const tr_msg *msg)
{
    if (place_of(self, id) == NULL) {
        tr_refuse(self, msg, TR_ENOENT);
        return;
    }
    for (size_t i = 0; i < tr_msg_handle_count(msg); i++) {
        tr_handle *handle = NULL;
        if (tr_msg_take_handle(self, msg, i, &handle) == 0 &&
            place_serve(self, place_of(self, id), &handle) < 0)
            send_back(self, msg, &handle);
    }
}

bool tr_cluster_take(tr_actor *self, const tr_msg *msg)
{
    tr_cluster_worker w;
    tr_str what;
    uint64_t id;
    if (!tr_msg_is(msg, TR__CLUSTER_NOTICE) || tr_cluster_self(self, &w) < 0 ||
        !tr_addr_eq(w.addr, tr_msg_from(msg)))
        return false;
    if (tr_get_uint(tr_msg_body(msg), "id", &id) < 0 ||
        tr_get_str(tr_msg_body(msg), "do", &what) < 0)
        return false;
    struct place *place = place_of(self, id);
    if (tr_str_eq(what, "serve")) {
        serve_all(self, id, msg);
    } else if (place != NULL && tr_str_eq(what, "limit")) {
        place_set_limit(self, place, msg);
    } else if (place != NULL) {
        int rc = place_begin(self, place, msg);
        place_tell(self, place, rc);
        if (rc == 0)
            tr_cluster_ready(self);
    }
    return true;
}
