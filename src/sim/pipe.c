// Pipes: two endpoints, and the bytes on their way between them.
//
// An endpoint owns the bytes that travel towards it, one segment a write, each with the time of
// its arrival; arrivals never overtake each other, and the end of the stream is the last of them.
// So a writer works on its peer's half, and `peer` is NULL on both sides as soon as one has gone:
// the one that is left reads what had been sent to it, then the end, and may not write any more.
//
// As in a socket pair of Linux, an endpoint that goes with bytes unread leaves its peer
// -ECONNRESET in place of the end. A read or write moves a part that the seed decides, so whoever
// takes one for a message is soon found out.
#include "base/memory.h"
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

struct segment {
    tr__list node;
    uint64_t due;
    size_t size, taken;
    unsigned char bytes[];
};

struct sim_endpoint {
    tr_endpoint base;
    struct sim_source source;
    struct sim_endpoint *peer;
    tr__list segments;
    size_t used;        // bytes in the segments
    uint64_t last_due;  // of the last arrival
    bool ended;         // the end arrives, too, at last_due
    int end;            // what is read then: 0 or an error
    uint64_t connected; // when that is known
    tr_site site, peer_site;
    int64_t peer_pid;
    const tr_endpoint_up *up;
    void *owner;
    unsigned want;
    bool closing;
};

static struct sim_endpoint *endpoint_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_endpoint, source);
}

static tr_sim *endpoint_sim(const struct sim_endpoint *e)
{
    return sim_process_of(e->base.world)->sim;
}

// ---- What travels towards an endpoint ----

// When something that the peer sends now arrives.
static uint64_t inbound_arrival(struct sim_endpoint *e)
{
    struct sim_process *sender = sim_process_of(e->peer->base.world);
    uint64_t due = tr__sim_arrival(sender->sim);
    if (due > e->last_due)
        e->last_due = due;
    if (e->last_due > sender->last_sent)
        sender->last_sent = e->last_due;
    return e->last_due;
}

// When there is something to read, be it the end.
static uint64_t inbound_due(const struct sim_endpoint *e)
{
    if (!tr__list_empty(&e->segments))
        return tr__container(e->segments.next, struct segment, node)->due;
    return e->ended ? e->last_due : TR__NEVER;
}

static size_t inbound_arrived(const struct sim_endpoint *e)
{
    size_t size = 0;
    for (const tr__list *n = e->segments.next; n != &e->segments; n = n->next) {
        const struct segment *segment = tr__container(n, struct segment, node);
        if (segment->due > endpoint_sim(e)->now)
            break;
        size += segment->size - segment->taken;
    }
    return size;
}

static size_t inbound_room(const struct sim_endpoint *e)
{
    size_t capacity = endpoint_sim(e)->capacity;
    return capacity > e->used ? capacity - e->used : 0;
}

static void inbound_take(struct sim_endpoint *e, unsigned char *into, size_t size)
{
    tr_assert(size <= e->used);
    e->used -= size;
    while (size > 0) {
        struct segment *segment = tr__container(e->segments.next, struct segment, node);
        size_t left = segment->size - segment->taken;
        size_t part = size < left ? size : left;
        memcpy(into, segment->bytes + segment->taken, part);
        segment->taken += part;
        into += part;
        size -= part;
        if (part == left) {
            tr__list_remove(&segment->node);
            tr__free(segment);
        }
    }
}

static void inbound_drop(struct sim_endpoint *e)
{
    for (tr__list *n; (n = tr__list_pop(&e->segments)) != NULL;)
        tr__free(tr__container(n, struct segment, node));
    e->used = 0;
}

static void inbound_end(struct sim_endpoint *e)
{
    if (!e->ended)
        inbound_arrival(e);
    e->ended = true;
}

// ---- An endpoint as a source of upcalls ----

static uint64_t endpoint_due(const struct sim_source *source, unsigned event)
{
    const struct sim_endpoint *e = endpoint_of(source);
    if (e->closing)
        return event == SIM_CLOSED ? 0 : TR__NEVER;
    if (!(e->want & event))
        return TR__NEVER;
    if (event == SIM_READ)
        return inbound_due(e);
    return e->peer == NULL || inbound_room(e->peer) > 0 ? e->connected : TR__NEVER;
}

static void endpoint_sever(struct sim_source *source)
{
    struct sim_endpoint *e = endpoint_of(source), *peer = e->peer;
    if (peer != NULL) {
        peer->end = e->used > 0 ? -ECONNRESET : 0;
        inbound_end(peer);
        e->peer = peer->peer = NULL;
    }
    inbound_drop(e);
}

static void endpoint_free(struct sim_source *source, bool tell)
{
    struct sim_endpoint *e = endpoint_of(source);
    const tr_endpoint_up *up = e->up;
    void *owner = e->owner;
    endpoint_sever(source);
    tr__list_remove(&source->node);
    tr__free(e);
    if (tell && up != NULL)
        up->closed(owner);
}

static void endpoint_tell(struct sim_source *source, unsigned event)
{
    struct sim_endpoint *e = endpoint_of(source);
    if (event == SIM_READ)
        e->up->readable(e->owner);
    else if (event == SIM_WRITE)
        e->up->writable(e->owner);
    else
        endpoint_free(source, true);
}

static const struct sim_source_ops endpoint_source_ops = {
    .due = endpoint_due,
    .tell = endpoint_tell,
    .sever = endpoint_sever,
    .free = endpoint_free,
};

static struct sim_endpoint *endpoint_new(tr_world *world)
{
    struct sim_endpoint *e = tr__zalloc(sizeof *e);
    if (e == NULL)
        return NULL;
    e->base.world = world;
    tr__list_init(&e->segments);
    tr__sim_source_init(&e->source, world, &endpoint_source_ops);
    return e;
}

int tr__sim_endpoint_lone(tr_world *world, tr_endpoint **ret_endpoint)
{
    struct sim_endpoint *e = endpoint_new(world);
    if (e == NULL)
        return TR_ENOMEM;
    *ret_endpoint = &e->base;
    return 0;
}

void tr__sim_endpoint_place(tr_endpoint *endpoint, const tr_site *site, const tr_site *peer,
                            uint64_t connected)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    e->site = *site;
    e->peer_site = *peer;
    e->connected = connected;
}

int tr__sim_pipe(tr_world *a, tr_world *b, tr_endpoint **ret_a, tr_endpoint **ret_b)
{
    struct sim_endpoint *one = endpoint_new(a);
    if (one == NULL)
        return TR_ENOMEM;
    struct sim_endpoint *other = endpoint_new(b);
    if (other == NULL) {
        endpoint_free(&one->source, false);
        return TR_ENOMEM;
    }
    one->peer = other;
    one->peer_pid = sim_process_of(b)->pid;
    other->peer = one;
    other->peer_pid = sim_process_of(a)->pid;
    *ret_a = &one->base;
    *ret_b = &other->base;
    return 0;
}

// ---- An endpoint as the world's owner sees it ----

void tr__sim_endpoint_bind(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    tr_assert(!e->closing && e->want == 0);
    e->up = up;
    e->owner = owner;
}

void tr__sim_endpoint_want(tr_endpoint *endpoint, unsigned events)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    tr_assert(!e->closing && (events == 0 || e->up != NULL));
    e->want = events;
}

int tr__sim_endpoint_connected(tr_endpoint *endpoint)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    tr_assert(!e->closing);
    if (e->connected > endpoint_sim(e)->now)
        return TR_EAGAIN;
    return e->peer_pid != 0 ? 0 : -ECONNREFUSED;
}

void tr__sim_endpoint_tune(tr_endpoint *endpoint, const tr_tuning *tuning)
{
    (void)endpoint, (void)tuning; // every write leaves at once, and no peer is silent for ever
}

int tr__sim_endpoint_site(tr_endpoint *endpoint, bool peer, tr_site *ret_site)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    *ret_site = peer ? e->peer_site : e->site;
    return 0;
}

int tr__sim_endpoint_cred(tr_endpoint *endpoint, tr_peer_cred *ret_cred)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->site.tcp)
        return TR_ENOSYS;
    *ret_cred = (tr_peer_cred){.pid = e->peer_pid, .same_user = true};
    return 0;
}

static size_t iov_size(const tr_iov *iov, int count)
{
    tr_assert(count > 0 && count <= TR__IOV_MAX);
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += iov[i].len;
    tr_assert(size > 0);
    return size;
}

// How much of what could be moved is moved.
static size_t sim_part(tr_sim *sim, size_t wish, size_t possible)
{
    size_t size = wish < possible ? wish : possible;
    return sim->whole || size < 2 ? size : 1 + (size_t)tr__sim_below(sim, size);
}

ssize_t tr__sim_endpoint_read(tr_endpoint *endpoint, const tr_iov *iov, int count)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    tr_sim *sim = endpoint_sim(e);
    tr_assert(!e->closing);
    size_t size = sim_part(sim, iov_size(iov, count), inbound_arrived(e));
    if (size == 0)
        return inbound_due(e) <= sim->now ? e->end : TR_EAGAIN;
    for (size_t left = size; left > 0; iov++) {
        size_t part = left < iov->len ? left : iov->len;
        inbound_take(e, iov->base, part);
        left -= part;
        for (size_t i = 0; i < part; i++)
            tr__sim_note(sim, ((unsigned char *)iov->base)[i]);
    }
    return (ssize_t)size;
}

ssize_t tr__sim_endpoint_write(tr_endpoint *endpoint, const tr_iov *iov, int count)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint, *peer = e->peer;
    tr_assert(!e->closing);
    if (peer == NULL || peer->ended)
        return TR_EPIPE;
    size_t size = sim_part(endpoint_sim(e), iov_size(iov, count), inbound_room(peer));
    if (size == 0)
        return TR_EAGAIN;
    struct segment *segment = tr__alloc(sizeof *segment + size);
    if (segment == NULL)
        return TR_ENOMEM;
    segment->due = inbound_arrival(peer);
    segment->size = size;
    segment->taken = 0;
    for (size_t at = 0; at < size; iov++) {
        size_t part = size - at < iov->len ? size - at : iov->len;
        if (part > 0)
            memcpy(segment->bytes + at, iov->base, part);
        at += part;
    }
    tr__list_append(&peer->segments, &segment->node);
    peer->used += size;
    return (ssize_t)size;
}

void tr__sim_endpoint_shutdown(tr_endpoint *endpoint)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->peer != NULL)
        inbound_end(e->peer);
}

void tr__sim_endpoint_close(tr_endpoint *endpoint)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->closing)
        return;
    endpoint_sever(&e->source);
    e->closing = true;
    e->source.told |= SIM_CLOSED; // not in the poll that this may be inside of
}
