// What the workers of a cluster listen at: ports, each held by the cluster, so that a worker's end
// costs none of those who wait to be accepted.
//
// Where workers accept themselves they are given a copy of a listener: all of the same one, or
// those of a slot of one of its own, which the next worker of the slot gets as well. Where the
// cluster accepts it chooses a worker, puts the connection into the batch for it, and sends the
// batches when all that could be accepted has been (an immediate). What comes back, because the
// worker has died before it took it, or could not, is accepted once more.
//
// A worker that has no room is `shut` until it has. When all are, or too many connections are open,
// nobody is accepted.
#include "cluster.h"

#include <stdio.h>

enum { PAUSE_MS = 100 };

// A listener for one slot; with TR_CLUSTER_SHARED one for all. A slot's own is the cluster's
// server, too: while the slot has no worker that accepts, others are handed what comes there.
struct holder {
    tr_buf *memory;
    struct holder *behind;
    uint32_t slot;
    tr_handle *handle; // NULL: the server has it
    tr_server server;
    bool paused;
};

// A place in a worker (cluster_worker.c).
struct member {
    tr_buf *memory;
    struct member *behind; // by slot
    struct port *port;
    struct worker *worker;
    tr_addr addr;
    uint64_t id;
    uint64_t monitor; // on its actor, which may end while its worker lives
    uint32_t load;    // connections that it was handed and that are open
    uint32_t most;    // that it has been told; 0: no limit
    bool told;        // that it listens
    bool shut;
    bool left;     // it does not listen any more, and still has connections
    bool waits;    // for room, to be told its limit
    tr_msg *batch; // NULL: nothing is to be sent
};

// A connection that nobody has room for.
struct waiting {
    tr_buf *memory;
    struct waiting *behind;
    tr_stream stream;
};

struct port {
    tr_buf *memory;
    struct port *behind;
    char wanted[TR_ADDRESS_MAX], address[TR_ADDRESS_MAX];
    uint32_t backlog;
    bool v6_only;
    struct holder *holders;
    tr_server server; // where the cluster accepts
    bool paused;
    struct member *members;
    uint64_t turn;
    struct waiting *first, *last;
    bool flushes; // an immediate is armed
};

static bool cluster_accepts(const struct cluster *c)
{
    return c->spec.share >= TR_CLUSTER_ROUND_ROBIN;
}

// ---- Memory ----

static void member_free(tr_actor *self, struct member *m)
{
    struct member **at = &m->port->members;
    tr_buf *memory = m->memory;
    while (*at != m)
        at = &(*at)->behind;
    *at = m->behind;
    tr_demonitor(self, m->monitor);
    tr_msg_free(&m->batch);
    tr_buf_unref(&memory);
}

static int member_new(tr_actor *self, struct port *port, struct worker *w, tr_addr addr,
                      uint64_t id, struct member **ret_member)
{
    struct member **at = &port->members;
    tr_buf *memory;
    int rc = tr_buf_zeroed(sizeof(struct member), &memory);
    if (rc < 0)
        return rc;
    struct member *m = tr_buf_data(memory);
    *m = (struct member){.memory = memory, .port = port, .worker = w, .addr = addr, .id = id};
    while (*at != NULL && (*at)->worker->slot->number <= w->slot->number)
        at = &(*at)->behind;
    m->behind = *at;
    *at = m;
    rc = tr_monitor(self, addr, &m->monitor);
    if (rc < 0)
        member_free(self, m);
    else
        *ret_member = m;
    return rc;
}

static tr_stream waiting_take(struct port *port)
{
    struct waiting *w = port->first;
    tr_stream stream = w->stream;
    tr_buf *memory = w->memory;
    port->first = w->behind;
    port->last = port->first == NULL ? NULL : port->last;
    tr_buf_unref(&memory);
    return stream;
}

static int waiting_add(struct port *port, tr_stream stream)
{
    tr_buf *memory;
    int rc = tr_buf_zeroed(sizeof(struct waiting), &memory);
    if (rc < 0)
        return rc;
    struct waiting *w = tr_buf_data(memory);
    *w = (struct waiting){.memory = memory, .stream = stream};
    *(port->last == NULL ? &port->first : &port->last->behind) = w;
    port->last = w;
    return 0;
}

static void port_free(tr_actor *self, struct port *port)
{
    tr_buf *memory = port->memory;
    tr_server_close(self, port->server);
    while (port->members != NULL)
        member_free(self, port->members);
    while (port->first != NULL)
        tr_stream_destroy(self, waiting_take(port), 0);
    for (struct holder *h = port->holders; h != NULL;) {
        struct holder *behind = h->behind;
        tr_buf *own = h->memory;
        tr_server_close(self, h->server);
        tr_handle_close(&h->handle);
        tr_buf_unref(&own);
        h = behind;
    }
    tr_buf_unref(&memory);
}

void tr__ports_clear(tr_actor *self)
{
    struct cluster *c = tr__cluster_of(self);
    for (struct port *port; (port = c->ports) != NULL;) {
        c->ports = port->behind;
        port_free(self, port);
    }
}

static bool port_is_there(const struct cluster *c, const struct port *wanted)
{
    const struct port *port = c->ports;
    while (port != NULL && port != wanted)
        port = port->behind;
    return port != NULL;
}

// ---- Who gets it ----

static bool member_is_open(const struct member *m)
{
    return m->told && !m->shut && !m->worker->draining;
}

static size_t members_open(const struct port *port, struct member *ret_open[TR_CLUSTER_MAX])
{
    size_t n = 0;
    for (struct member *m = port->members; m != NULL && n < TR_CLUSTER_MAX; m = m->behind) {
        if (member_is_open(m))
            ret_open[n++] = m;
    }
    return n;
}

// Of the client's address without the port, and a slot: the highest one gets it, so that a slot
// more or less moves only its share of the clients.
static uint64_t client_hash(const char *peer, uint32_t slot)
{
    const char *end = strrchr(peer, ':');
    uint64_t hash = 0xcbf29ce484222325u ^ slot;
    for (; *peer != '\0' && peer != end; peer++)
        hash = (hash ^ (unsigned char)*peer) * 0x100000001b3u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}

static size_t choose_least(struct member *const *open, size_t count, uint64_t turn)
{
    size_t best = turn % count; // of those alike not always the same
    for (size_t i = 0; i < count; i++) {
        if (open[i]->worker->load < open[best]->worker->load)
            best = i;
    }
    return best;
}

static size_t choose_hash(struct member *const *open, size_t count, const char *peer)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        if (client_hash(peer, open[i]->worker->slot->number) >
            client_hash(peer, open[best]->worker->slot->number))
            best = i;
    }
    return best;
}

static size_t choose_theirs(const struct cluster *c, struct member *const *open, size_t count,
                            const char *peer)
{
    tr_cluster_worker workers[TR_CLUSTER_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct worker *w = open[i]->worker;
        workers[i] = (tr_cluster_worker){w->slot->number, w->incarnation, w->addr, w->load};
    }
    return c->spec.choose(workers, count, peer, c->spec.choose_arg) % count;
}

// NULL: nobody is open
static struct member *choose(const struct cluster *c, struct port *port, const char *peer)
{
    struct member *open[TR_CLUSTER_MAX];
    size_t count = members_open(port, open);
    uint64_t turn = port->turn++;
    if (count == 0)
        return NULL;
    switch (c->spec.share) {
    case TR_CLUSTER_LEAST_LOADED:
        return open[choose_least(open, count, turn)];
    case TR_CLUSTER_HASH:
        return open[choose_hash(open, count, peer)];
    case TR_CLUSTER_CHOICE:
        return open[choose_theirs(c, open, count, peer)];
    default:
        return open[turn % count];
    }
}

// ---- Accepting, or not ----

static bool port_wants(const struct cluster *c, const struct port *port)
{
    if (c->spec.connections_max != 0 && c->open >= c->spec.connections_max)
        return false;
    for (const struct member *m = port->members; m != NULL; m = m->behind) {
        if (member_is_open(m))
            return true;
    }
    return false;
}

static void port_flush(tr_actor *self, void *arg);

static void port_arm(tr_actor *self, struct port *port)
{
    if (!port->flushes)
        port->flushes = tr_immediate(self, port_flush, port) == 0;
}

static void server_pause(tr_actor *self, tr_server server, bool pause, bool *paused)
{
    if (server.id == 0 || pause == *paused)
        return;
    tr__cluster_check(self, pause ? tr_server_pause(self, server) : tr_server_resume(self, server));
    *paused = pause;
}

static bool slot_accepts(const struct port *port, uint32_t slot)
{
    const struct member *m = port->members;
    while (m != NULL && !(m->worker->slot->number == slot && m->told && !m->worker->draining))
        m = m->behind;
    return m != NULL;
}

static void ports_adjust(tr_actor *self)
{
    const struct cluster *c = tr__cluster_of(self);
    for (struct port *port = c->ports; port != NULL; port = port->behind) {
        bool none = !port_wants(c, port);
        if (!none && port->first != NULL)
            port_arm(self, port);
        server_pause(self, port->server, none, &port->paused);
        for (struct holder *h = port->holders; h != NULL; h = h->behind)
            server_pause(self, h->server, none || slot_accepts(port, h->slot), &h->paused);
    }
}

static void load_change(tr_actor *self, struct worker *w, uint32_t more, uint32_t less)
{
    struct cluster *c = tr__cluster_of(self);
    less = less < w->load + more ? less : w->load + more;
    w->load += more - less;
    c->open += more - less;
    ports_adjust(self);
}

static void member_less(tr_actor *self, struct member *m, uint32_t count)
{
    m->load -= count < m->load ? count : m->load;
    load_change(self, m->worker, 0, count);
}

// ---- Handing out ----

static void port_accepted(tr_actor *self, tr_stream stream, void *arg);
static void batches_send(tr_actor *self, struct port *port);

// Connections that nobody has had in hand.
static void connections_again(tr_actor *self, struct port *port, const tr_msg *msg)
{
    for (size_t i = 0; i < tr_msg_handle_count(msg); i++) {
        tr_handle *handle = NULL;
        tr_stream stream;
        if (tr_msg_take_handle(self, msg, i, &handle) == 0 &&
            tr_stream_attach(self, &handle, NULL, &stream) == 0)
            port_accepted(self, stream, port);
        tr_handle_close(&handle);
    }
}

static void member_writable(tr_actor *self, void *arg)
{
    const struct cluster *c = tr__cluster_of(self);
    for (struct port *port = c->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind) {
            if (m->id == (uintptr_t)arg)
                m->shut = false;
        }
        batches_send(self, port);
    }
    ports_adjust(self);
}

// Nothing more goes there, and what was to be sent to it is another one's.
static void member_leave(tr_actor *self, struct member *m)
{
    struct port *port = m->port;
    tr_msg *batch = m->batch;
    m->batch = NULL;
    m->told = false;
    m->left = true;
    if (batch != NULL)
        member_less(self, m, (uint32_t)tr_msg_handle_count(batch));
    if (m->load == 0)
        member_free(self, m);
    if (batch != NULL)
        connections_again(self, port, batch);
    tr_msg_free(&batch);
    ports_adjust(self);
}

// One that has ended stays shut: its down is on the way.
static void batch_send(tr_actor *self, struct member *m)
{
    int rc = tr_send_msg(self, m->addr, &m->batch);
    m->shut = rc < 0;
    if (rc == TR_EFULL || rc == TR_ENOMEM)
        tr__cluster_check(self,
                          tr_on_writable(self, m->addr, member_writable, (void *)(uintptr_t)m->id));
    if (rc < 0)
        ports_adjust(self);
}

static void batches_send(tr_actor *self, struct port *port)
{
    for (struct member *m = port->members; m != NULL; m = m->behind) {
        if (m->batch != NULL && !m->shut)
            batch_send(self, m);
    }
}

static void port_flush(tr_actor *self, void *arg)
{
    const struct cluster *c = tr__cluster_of(self);
    struct port *port = arg;
    if (!port_is_there(c, port))
        return;
    port->flushes = false;
    while (port->first != NULL && port_wants(c, port))
        port_accepted(self, waiting_take(port), port);
    batches_send(self, port);
}

static int batch_begin(struct member *m)
{
    if (m->batch != NULL)
        return 0;
    return tr_msg_new(TR__CLUSTER_NOTICE,
                      TR_MAP("do", "serve", "id", m->id, "address", m->port->address), &m->batch);
}

// moves: *handle, on success
static int batch_add(tr_actor *self, struct member *m, tr_handle **handle)
{
    struct port *port = m->port;
    int rc = batch_begin(m);
    if (rc == 0)
        rc = tr_msg_attach_handle(m->batch, handle);
    if (rc < 0)
        return rc;
    m->load++;
    load_change(self, m->worker, 1, 0);
    if (tr_msg_handle_count(m->batch) == TR_HANDLES_MAX)
        batch_send(self, m);
    else
        port_arm(self, port);
    return 0;
}

static int connection_hand(tr_actor *self, struct port *port, tr_stream stream)
{
    char peer[TR_ADDRESS_MAX] = "";
    tr_handle *handle;
    tr_socket_peer(self, stream, peer);
    struct member *m = choose(tr__cluster_of(self), port, peer);
    if (m == NULL)
        return waiting_add(port, stream);
    int rc = tr_stream_detach(self, stream, &handle);
    if (rc < 0)
        return rc;
    rc = batch_add(self, m, &handle);
    tr_handle_close(&handle);
    return rc;
}

// One that cannot be handed on is closed: its client finds out.
static void port_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    int rc = connection_hand(self, arg, stream);
    if (rc < 0) {
        tr_log("cluster.dropped", "error=%s", tr_errname(rc));
        tr_stream_destroy(self, stream, 0);
    }
}

// ---- What comes back ----

static struct port *port_by_address(const struct cluster *c, tr_str address)
{
    struct port *port = c->ports;
    while (port != NULL && !tr_str_eq(address, port->address))
        port = port->behind;
    return port;
}

// An actor of a worker has so many connections less.
static void load_less(tr_actor *self, struct worker *w, tr_addr from, uint32_t count)
{
    load_change(self, w, 0, count);
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members, *behind; m != NULL; m = behind) {
            behind = m->behind;
            if (!tr_addr_eq(m->addr, from))
                continue;
            uint32_t part = count < m->load ? count : m->load;
            m->load -= part;
            count -= part;
            if (m->left && m->load == 0)
                member_free(self, m);
        }
    }
}

// One that is there and takes none, as for want of descriptors, is left alone for a while.
static void worker_pause(tr_actor *self, const struct worker *w)
{
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind) {
            if (m->worker != w || m->shut)
                continue;
            m->shut = true;
            tr__cluster_check(self, tr_timer_start(self, TR_MS(PAUSE_MS), member_writable,
                                                   (void *)(uintptr_t)m->id, NULL));
        }
    }
}

int tr__ports_returned(tr_actor *self, const tr_msg *msg)
{
    struct cluster *c = tr__cluster_of(self);
    struct worker *w = tr__cluster_worker_at(c, tr_msg_from(msg));
    const tr_returned *returned = tr_msg_returned(msg);
    bool is_closed = returned != NULL && returned->why == TR_ENOENT; // there, and for good
    tr_str address = {"", 0};
    tr_get_str(tr_msg_body(msg), "address", &address);
    struct port *port = port_by_address(c, address);
    if (w != NULL && !is_closed)
        worker_pause(self, w);
    if (w != NULL)
        load_less(self, w, tr_msg_from(msg), (uint32_t)tr_msg_handle_count(msg));
    if (port != NULL)
        connections_again(self, port, msg);
    return 0;
}

int tr__ports_closed(tr_actor *self, const tr_msg *msg)
{
    struct worker *w = tr__cluster_worker_at(tr__cluster_of(self), tr_msg_from(msg));
    uint64_t count = 0;
    tr_as_uint(tr_msg_body(msg), &count);
    if (w != NULL)
        load_less(self, w, tr_msg_from(msg), count < UINT32_MAX ? (uint32_t)count : UINT32_MAX);
    return 0;
}

// ---- Listening ----

static int holder_open(tr_actor *self, struct port *port, uint32_t slot, struct holder **ret_holder)
{
    const struct cluster *c = tr__cluster_of(self);
    tr_buf *memory;
    int rc = tr_buf_zeroed(sizeof(struct holder), &memory);
    if (rc < 0)
        return rc;
    struct holder *h = tr_buf_data(memory);
    *h = (struct holder){.memory = memory, .behind = port->holders, .slot = slot};
    bool first = port->address[0] == '\0';
    rc = tr_listener_open(self, first ? port->wanted : port->address,
                          TR_LISTEN(.backlog = port->backlog, .v6_only = port->v6_only,
                                    .reuse_port = c->spec.share == TR_CLUSTER_REUSE_PORT),
                          &h->handle);
    if (rc == 0 && first)
        rc = tr_handle_address(h->handle, port->address);
    if (rc == 0 && c->spec.share == TR_CLUSTER_REUSE_PORT)
        rc = tr_listen_on(self, &h->handle, NULL, port_accepted, port, &h->server);
    if (rc < 0) {
        tr_handle_close(&h->handle);
        tr_buf_unref(&memory);
        return rc;
    }
    port->holders = h;
    *ret_holder = h;
    return 0;
}

static int holder_of(tr_actor *self, struct port *port, uint32_t slot, struct holder **ret_holder)
{
    struct holder *h = port->holders;
    if (tr__cluster_of(self)->spec.share != TR_CLUSTER_REUSE_PORT)
        slot = 0;
    while (h != NULL && h->slot != slot)
        h = h->behind;
    *ret_holder = h;
    return h != NULL ? 0 : holder_open(self, port, slot, ret_holder);
}

// The cluster's own server, at first with nobody to serve.
static int port_serve(tr_actor *self, struct port *port)
{
    int rc =
        tr_listen(self, port->wanted, TR_LISTEN(.backlog = port->backlog, .v6_only = port->v6_only),
                  port_accepted, port, &port->server);
    if (rc == 0)
        rc = tr_server_address(self, port->server, port->address);
    return rc;
}

static int port_open(tr_actor *self, tr_str address, tr_val how, struct port **ret_port)
{
    struct cluster *c = tr__cluster_of(self);
    uint64_t backlog = 0;
    tr_buf *memory;
    int rc = tr_buf_zeroed(sizeof(struct port), &memory);
    if (rc < 0)
        return rc;
    struct port *port = tr_buf_data(memory);
    port->memory = memory;
    snprintf(port->wanted, sizeof port->wanted, "%.*s", (int)address.len, address.ptr);
    tr_get_uint(how, "backlog", &backlog);
    port->backlog = (uint32_t)backlog;
    tr_get_bool(how, "v6_only", &port->v6_only);
    rc = cluster_accepts(c) ? port_serve(self, port) : 0;
    if (rc < 0) {
        port_free(self, port);
        return rc;
    }
    port->behind = c->ports;
    c->ports = port;
    *ret_port = port;
    return 0;
}

static int port_of(tr_actor *self, tr_str address, tr_val how, struct port **ret_port)
{
    struct port *port = tr__cluster_of(self)->ports;
    while (port != NULL && !tr_str_eq(address, port->wanted))
        port = port->behind;
    *ret_port = port;
    return port != NULL ? 0 : port_open(self, address, how, ret_port);
}

// Its part of all connections, where it accepts itself.
static uint32_t worker_most(const struct cluster *c, const struct worker *w)
{
    uint32_t all = c->spec.connections_max;
    if (all == 0)
        return 0;
    uint32_t part = all / c->size + (w->slot->number < all % c->size);
    return part == 0 ? 1 : part;
}

static int listening_send(tr_actor *self, struct member *m)
{
    const struct cluster *c = tr__cluster_of(self);
    struct holder *holder;
    tr_handle *copy = NULL;
    tr_msg *notice = NULL;
    int rc = cluster_accepts(c) ? 0 : holder_of(self, m->port, m->worker->slot->number, &holder);
    if (rc == 0 && !cluster_accepts(c))
        rc = holder->handle != NULL ? tr_handle_copy(holder->handle, &copy)
                                    : tr_server_share(self, holder->server, &copy);
    if (rc == 0)
        rc = tr_msg_new(TR__CLUSTER_NOTICE,
                        TR_MAP("do", "listen", "id", m->id, "status", 0, "address",
                               m->port->address, "most", worker_most(c, m->worker)),
                        &notice);
    if (rc == 0 && copy != NULL)
        rc = tr_msg_attach_handle(notice, &copy);
    if (rc == 0)
        rc = tr_send_msg(self, m->addr, &notice);
    m->most = worker_most(c, m->worker);
    tr_handle_close(&copy);
    tr_msg_free(&notice);
    return rc;
}

// ---- Limits that change ----

static void limits_again(tr_actor *self, void *id);

static void limit_tell(tr_actor *self, struct member *m, uint32_t most)
{
    int rc = tr_send(self, m->addr, TR__CLUSTER_NOTICE,
                     TR_MAP("do", "limit", "id", m->id, "most", most));
    if (rc == 0)
        m->most = most;
    m->waits = rc == TR_EFULL &&
               tr_on_writable(self, m->addr, limits_again, (void *)(uintptr_t)m->id) == 0;
}

void tr__ports_limit(tr_actor *self)
{
    const struct cluster *c = tr__cluster_of(self);
    for (struct port *port = c->ports; port != NULL && !cluster_accepts(c); port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind) {
            bool listens = m->told && !m->waits && !m->worker->draining;
            uint32_t most = listens ? worker_most(c, m->worker) : 0;
            if (listens && most != m->most)
                limit_tell(self, m, most);
        }
    }
}

static void limits_again(tr_actor *self, void *id)
{
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind)
            m->waits &= m->id != (uintptr_t)id;
    }
    tr__ports_limit(self);
}

// ---- Those who want to listen ----

static void listening_refuse(tr_actor *self, tr_addr to, uint64_t id, int error)
{
    tr_send(self, to, TR__CLUSTER_NOTICE,
            TR_MAP("do", "listen", "id", id, "status", error, "address", "", "most", 0));
}

static int listen_at(tr_actor *self, struct worker *w, tr_addr from, tr_val body)
{
    tr_str address;
    uint64_t id;
    struct port *port;
    struct member *m;
    if (tr_get_uint(body, "id", &id) < 0 || tr_get_str(body, "address", &address) < 0 ||
        address.len >= TR_ADDRESS_MAX)
        return TR_EBADMSG;
    int rc = port_of(self, address, body, &port);
    if (rc == 0)
        rc = member_new(self, port, w, from, id, &m);
    if (rc < 0)
        return rc;
    rc = listening_send(self, m);
    if (rc < 0) {
        member_free(self, m);
        return rc;
    }
    m->told = true;
    tr__cluster_tell(self, "listening", w->slot, w,
                     &(struct fact){.address = port->address, .delay_ms = TR_NULL});
    ports_adjust(self);
    return 0;
}

int tr__ports_listen(tr_actor *self, const tr_msg *msg)
{
    struct worker *w = tr__cluster_worker_at(tr__cluster_of(self), tr_msg_from(msg));
    uint64_t id = 0;
    tr_get_uint(tr_msg_body(msg), "id", &id);
    int rc = w == NULL || w->draining ? TR_ENOENT
                                      : listen_at(self, w, tr_msg_from(msg), tr_msg_body(msg));
    if (rc < 0)
        listening_refuse(self, tr_msg_from(msg), id, rc);
    return 0;
}

int tr__ports_unlisten(tr_actor *self, const tr_msg *msg)
{
    uint64_t id = 0;
    tr_as_uint(tr_msg_body(msg), &id);
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members, *behind; m != NULL; m = behind) {
            behind = m->behind;
            if (m->id == id && tr_addr_eq(m->addr, tr_msg_from(msg)))
                member_leave(self, m);
        }
    }
    return 0;
}

void tr__ports_forget(tr_actor *self, const struct worker *w)
{
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members, *behind; m != NULL; m = behind) {
            behind = m->behind;
            if (m->worker == w)
                member_leave(self, m);
        }
    }
}

void tr__ports_gone(tr_actor *self, struct worker *w)
{
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind)
            m->load = m->worker == w ? 0 : m->load; // with its process
    }
    tr__ports_forget(self, w);
    load_change(self, w, 0, w->load);
}

bool tr__ports_down(tr_actor *self, const tr_down *down)
{
    for (struct port *port = tr__cluster_of(self)->ports; port != NULL; port = port->behind) {
        for (struct member *m = port->members; m != NULL; m = m->behind) {
            if (m->monitor != down->monitor)
                continue;
            member_less(self, m, m->load);
            member_leave(self, m);
            return true;
        }
    }
    return false;
}
