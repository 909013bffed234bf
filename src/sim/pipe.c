// Pipes: two halves, and the bytes on their way between them.
//
// A half owns the bytes that travel towards it, one segment a write, each with the time of its
// arrival; arrivals never overtake each other, and the end of the stream is the last of them. So a
// writer works on its peer's half, and `peer` is NULL on both sides as soon as one has gone: the
// one that is left reads what had been sent to it, then the end, and may not write any more.
//
// A half is what a real descriptor leads to, and may have several of them: endpoints, the standard
// descriptors of several processes, those of calls about files. It goes with the last one. Instead
// of a peer it may have a file, which never has anybody wait, or nothing, as /dev/null.
//
// As in a socket pair of Linux, a half that goes with bytes unread leaves its peer -ECONNRESET in
// place of the end. A read or write moves a part that the seed decides, so whoever takes one for a
// message is soon found out.
#include "base/memory.h"
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

struct segment {
    tr__list node;
    uint64_t due;
    size_t size, taken;
    tr_parcel **parcels; // that come along with the first byte
    int parcel_count;
    unsigned char bytes[];
};

// ---- What travels towards a half ----

// When something that this process sends now arrives. by: NULL: nobody does any more
static uint64_t inbound_arrival(struct sim_half *h, struct sim_process *by)
{
    uint64_t due = tr__sim_arrival(h->sim);
    if (due > h->last_due)
        h->last_due = due;
    if (by != NULL && h->last_due > by->last_sent)
        by->last_sent = h->last_due;
    return h->last_due;
}

static uint64_t inbound_due(const struct sim_half *h)
{
    if (!tr__list_empty(&h->segments))
        return tr__container(h->segments.next, struct segment, node)->due;
    return h->ended ? h->last_due : TR__NEVER;
}

static size_t inbound_arrived(const struct sim_half *h)
{
    size_t size = 0;
    for (const tr__list *n = h->segments.next; n != &h->segments; n = n->next) {
        const struct segment *segment = tr__container(n, struct segment, node);
        if (segment->due > h->sim->now)
            break;
        size += segment->size - segment->taken;
        if (segment->parcel_count > 0)
            break; // no read goes beyond what comes with parcels
    }
    return size;
}

static size_t inbound_room(const struct sim_half *h)
{
    size_t capacity = h->sim->capacity;
    return capacity > h->used ? capacity - h->used : 0;
}

static void segment_free(struct segment *segment)
{
    for (int i = 0; i < segment->parcel_count; i++)
        tr__parcel_unref(&segment->parcels[i]);
    tr__free(segment->parcels);
    tr__free(segment);
}

// With the first of its bytes. ret_parcels: NULL: nobody has asked for them, so they are closed
static void segment_unload(struct segment *segment, tr_parcel **ret_parcels, int *ret_count)
{
    for (int i = 0; i < segment->parcel_count; i++) {
        if (ret_parcels == NULL)
            tr__parcel_unref(&segment->parcels[i]);
        else
            ret_parcels[(*ret_count)++] = segment->parcels[i];
    }
    segment->parcel_count = 0;
}

static void inbound_take(struct sim_half *h, unsigned char *into, size_t size,
                         tr_parcel **ret_parcels, int *ret_count)
{
    tr_assert(size <= h->used);
    h->used -= size;
    while (size > 0) {
        struct segment *segment = tr__container(h->segments.next, struct segment, node);
        size_t left = segment->size - segment->taken;
        size_t part = size < left ? size : left;
        segment_unload(segment, ret_parcels, ret_count);
        memcpy(into, segment->bytes + segment->taken, part);
        segment->taken += part;
        into += part;
        size -= part;
        if (part == left) {
            tr__list_remove(&segment->node);
            segment_free(segment);
        }
    }
}

static int segment_load(struct segment *segment, tr_parcel *const *parcels, int count)
{
    if (count == 0)
        return 0;
    segment->parcels = tr__alloc((size_t)count * sizeof *segment->parcels);
    if (segment->parcels == NULL)
        return TR_ENOMEM;
    for (int i = 0; i < count; i++)
        segment->parcels[i] = tr__parcel_ref(parcels[i]);
    segment->parcel_count = count;
    return 0;
}

static int inbound_put(struct sim_half *h, struct sim_process *by, const tr_iov *iov, size_t size,
                       tr_parcel *const *parcels, int count)
{
    struct segment *segment = tr__zalloc(sizeof *segment + size);
    if (segment == NULL || segment_load(segment, parcels, count) < 0) {
        tr__free(segment);
        return TR_ENOMEM;
    }
    segment->due = inbound_arrival(h, by);
    segment->size = size;
    for (size_t at = 0; at < size; iov++) {
        size_t part = size - at < iov->len ? size - at : iov->len;
        if (part > 0)
            memcpy(segment->bytes + at, iov->base, part);
        at += part;
    }
    tr__list_append(&h->segments, &segment->node);
    h->used += size;
    return 0;
}

static void inbound_drop(struct sim_half *h)
{
    for (tr__list *n; (n = tr__list_pop(&h->segments)) != NULL;)
        segment_free(tr__container(n, struct segment, node));
    h->used = 0;
}

static void inbound_end(struct sim_half *h, struct sim_process *by)
{
    if (!h->ended)
        inbound_arrival(h, by);
    h->ended = true;
}

// ---- Halves ----

void tr__sim_half_init(struct sim_half *h, tr_sim *sim)
{
    *h = (struct sim_half){.sim = sim, .refs = 1};
    tr__list_init(&h->segments);
}

struct sim_half *tr__sim_half_new(tr_sim *sim)
{
    struct sim_half *h = tr__alloc(sizeof *h);
    if (h != NULL)
        tr__sim_half_init(h, sim);
    return h;
}

int tr__sim_halves_new(tr_sim *sim, struct sim_half *ret_halves[2])
{
    struct sim_half *one = tr__sim_half_new(sim);
    struct sim_half *other = one == NULL ? NULL : tr__sim_half_new(sim);
    if (other == NULL) {
        tr__free(one);
        return TR_ENOMEM;
    }
    one->peer = other;
    other->peer = one;
    ret_halves[0] = one;
    ret_halves[1] = other;
    return 0;
}

void tr__sim_half_unref(struct sim_half **half, struct sim_process *by)
{
    struct sim_half *h = *half;
    *half = NULL;
    if (h == NULL || --h->refs > 0)
        return;
    if (h->peer != NULL) {
        h->peer->end = h->used > 0 ? -ECONNRESET : 0;
        inbound_end(h->peer, by);
        h->peer->peer = NULL;
    }
    inbound_drop(h);
    tr__sim_file_unref(h->sim, h->file);
    tr__free(h);
}

static bool half_is_null(const struct sim_half *h)
{
    return h == &h->sim->null;
}

static bool half_waits(const struct sim_half *h)
{
    return h->file == NULL && !half_is_null(h);
}

uint64_t tr__sim_half_due(const struct sim_half *h, unsigned event)
{
    if (!half_waits(h))
        return 0;
    if (event == SIM_READ)
        return inbound_due(h);
    return h->peer == NULL || inbound_room(h->peer) > 0 ? 0 : TR__NEVER;
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

static ssize_t pipe_read(struct sim_half *h, const tr_iov *iov, int count, tr_parcel **ret_parcels,
                         int *ret_count)
{
    size_t size = sim_part(h->sim, iov_size(iov, count), inbound_arrived(h));
    if (size == 0)
        return inbound_due(h) <= h->sim->now ? h->end : TR_EAGAIN;
    for (size_t left = size; left > 0; iov++) {
        size_t part = left < iov->len ? left : iov->len;
        inbound_take(h, iov->base, part, ret_parcels, ret_count);
        left -= part;
        for (size_t i = 0; i < part; i++)
            tr__sim_note(h->sim, ((unsigned char *)iov->base)[i]);
    }
    return (ssize_t)size;
}

static ssize_t pipe_write(struct sim_half *h, struct sim_process *by, const tr_iov *iov, int count,
                          tr_parcel *const *parcels, int parcel_count)
{
    struct sim_half *peer = h->peer;
    if (peer == NULL || peer->ended)
        return TR_EPIPE;
    size_t size = sim_part(h->sim, iov_size(iov, count), inbound_room(peer));
    if (size == 0)
        return TR_EAGAIN;
    int rc = inbound_put(peer, by, iov, size, parcels, parcel_count);
    return rc < 0 ? rc : (ssize_t)size;
}

ssize_t tr__sim_half_receive(struct sim_half *h, const tr_iov *iov, int count,
                             tr_parcel **ret_parcels, int *ret_count)
{
    if (half_waits(h))
        return pipe_read(h, iov, count, ret_parcels, ret_count);
    ssize_t n = half_is_null(h) ? 0 : tr__sim_file_read(h->sim, h->file, h->at, iov, count);
    h->at += n > 0 ? (size_t)n : 0;
    return n;
}

ssize_t tr__sim_half_read(struct sim_half *h, const tr_iov *iov, int count)
{
    return tr__sim_half_receive(h, iov, count, NULL, NULL);
}

ssize_t tr__sim_half_send(struct sim_half *h, struct sim_process *by, const tr_iov *iov, int count,
                          tr_parcel *const *parcels, int parcel_count)
{
    if (half_waits(h))
        return pipe_write(h, by, iov, count, parcels, parcel_count);
    if (half_is_null(h))
        return (ssize_t)iov_size(iov, count);
    ssize_t n = tr__sim_file_write(h->sim, h->file, h->at, iov, count);
    h->at += n > 0 ? (size_t)n : 0;
    return n;
}

ssize_t tr__sim_half_write(struct sim_half *h, struct sim_process *by, const tr_iov *iov, int count)
{
    return tr__sim_half_send(h, by, iov, count, NULL, 0);
}

void tr__sim_half_shutdown(struct sim_half *h, struct sim_process *by)
{
    if (h->peer != NULL)
        inbound_end(h->peer, by);
}
