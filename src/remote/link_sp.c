// Links over nng's SP protocol, pair1, on an endpoint of the world (docs/protocol.md). Each side
// sends a hello of 8 bytes and then frames, without waiting for the hello of the other:
//
//     hello  00 'S' 'P' 00, protocol: u16, 00 00
//     frame  01, length of what follows: u64, hop count: u32, the bytes       (big-endian)
//
// Over TCP a frame has no 01. So has nng.
//
// Reading. What arrives lies in a chunk: [begin, end) is what has not been delivered, `need` the
// size of the item (hello or frame) that begins there, as far as it is known. All whole frames in
// the chunk are delivered from one read, without a copy. Their bytes may be kept by the owner: only
// a chunk that nobody else refers to is written from its beginning again, which costs no memory in
// the steady state; otherwise reading goes on behind `end`, or in a fresh chunk. The start of an
// item that does not fit is moved along. A frame larger than CHUNK_MAX gets a chunk of its own size
// and is read straight into it. Nobody gets memory for a promise: such a chunk grows by what has
// really arrived, or by TRUST where that is more. The last few large ones are kept and used again
// when their messages are gone: fresh memory costs more in page faults than reading into it.
//
// Writing. A queue of frames, the hello first: a frame with nothing but a header. A send writes at
// once unless the endpoint was full; then the rest leaves when it is writable. After an error of
// writing nothing is written any more, but what the peer has sent before is still read: the end is
// told when reading comes to it.
//
// A frame that is held stays in the queue, and with it those behind it.
//
// Parcels go along with the first byte of their frame, all of a frame's in one call, and no call
// has those of two frames. So they are there before the frame is whole, in a group, and belong to
// the frame that begins last in what was read with them. A group that its frame has not claimed to
// the last one, or that comes with none, breaks the rules.
//
// The link's memory lives until the endpoint's `closed`, so every upcall of the owner may free the
// link, and what it was given stays valid until it returns.
#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/memory.h"
#include "data/buf.h"
#include "remote/link.h"

#define CHUNK_MIN 0x10000u  // many frames of small messages
#define CHUNK_MAX 0x40000u  // several of TR__FRAME_FLUSH, and what a socket holds
#define SPAN_MIN  0x1000u   // less room than this is not worth a read
#define TRUST     0x200000u // what the head of a frame alone can make us take
#define READ_MAX  0x100000u // one upcall reads about so much, then others have their turn
#define SPARES    4
#define SPARE_MAX 0x200000u  // a larger chunk is not kept
#define DRAIN_MAX 0x4000000u // more than any socket holds

// Where the fields lie in a hello, and the sizes of those in the head of a frame.
enum { HELLO_PROTOCOL = 4, HELLO_ZERO = 6, HELLO_SIZE = 8 };
enum { TYPE_SIZE = 1, LENGTH_SIZE = 8, HOPS_SIZE = 4, HEAD_MAX = 13 };
enum { TYPE_MESSAGE = 1 };

_Static_assert(HEAD_MAX <= TR__FRAME_HEADER && HELLO_SIZE <= TR__FRAME_HEADER, "room in a frame");
_Static_assert(TR__FRAME_FLUSH < CHUNK_MAX && CHUNK_MAX < TRUST, "sp_chunk_prepare relies on it");

static const uint8_t sp_hello[HELLO_SIZE] = {0, 'S', 'P', 0, 0x00, 0x11, 0, 0};

enum writing { WRITE_OPEN, WRITE_FINISHING, WRITE_SHUT };

struct link_sp {
    tr__link base;
    tr_endpoint *endpoint;
    const tr__link_up *up;
    void *owner;
    bool deaf; // no upcall any more: the owner has been told the end, or has freed the link
    int error; // why nothing is read any more; 0: it is
    size_t type_size;
    size_t frame_max; // that is taken

    bool greeted; // the peer's hello has come
    tr_buf *chunk;
    size_t begin, end, need;
    tr_buf *spares[SPARES]; // large chunks, which messages may still refer to
    unsigned next_spare;    // to be replaced

    enum writing writing;
    int write_error;        // that ended it; 0: none but the peer's end
    tr__frame *head, *tail; // the queue; not empty between calls: the endpoint is full
    size_t written;         // bytes of the head that have left
    size_t queued;
    uint64_t given;

    bool carries;    // parcels may come along
    tr__list groups; // that have come, and were not claimed
    bool claimed;    // by the frame that is delivered: of the first group
};

// What came along with one frame.
struct group {
    tr__list link;
    int count, at; // at: those before it have been claimed
    bool lost;     // there were more
    tr_parcel *parcels[];
};

static const tr_world_ops *sp_world(const struct link_sp *link)
{
    return link->endpoint->world->ops;
}

static bool sp_may_write(const struct link_sp *link)
{
    return link->head != NULL && !tr__frame_is_held(link->head);
}

static void sp_want(struct link_sp *link)
{
    unsigned events = TR__READ;
    if (sp_may_write(link) || link->error != 0) // an error: any upcall will do to tell it
        events |= TR__WRITE;
    sp_world(link)->endpoint_want(link->endpoint, link->deaf ? 0 : events);
}

// ---- Writing ----

static void sp_queue_push(struct link_sp *link, tr__frame *frame)
{
    tr_assert(tr__frame_next(frame) == NULL);
    if (link->head == NULL)
        link->head = frame;
    else
        tr__frame_set_next(link->tail, frame);
    link->tail = frame;
    link->queued += tr__frame_total(frame);
    link->given += tr__frame_total(frame);
}

static void sp_queue_pop(struct link_sp *link)
{
    tr__frame *frame = link->head;
    link->head = tr__frame_next(frame);
    link->queued -= tr__frame_total(frame) - link->written;
    link->written = 0;
    tr__frame_free(&frame);
}

static void sp_queue_clear(struct link_sp *link)
{
    while (link->head != NULL)
        sp_queue_pop(link);
    tr_assert(link->queued == 0);
}

static int sp_queue_pieces(const struct link_sp *link, tr_iov *iov)
{
    int count = 0;
    size_t from = link->written;
    for (tr__frame *frame = link->head; frame != NULL && count < TR__IOV_MAX;
         frame = tr__frame_next(frame), from = 0) {
        bool alone = tr__frame_carried(frame) > 0 || tr__frame_is_held(frame);
        if (frame != link->head && alone)
            break;
        count += tr__frame_pieces(frame, from, iov + count, TR__IOV_MAX - count);
    }
    return count;
}

// So many bytes have left.
static void sp_queue_remove(struct link_sp *link, size_t n)
{
    link->base.told += n;
    while (n > 0) {
        size_t left = tr__frame_total(link->head) - link->written;
        size_t part = n < left ? n : left;
        link->written += part;
        link->queued -= part;
        n -= part;
        if (part == left)
            sp_queue_pop(link);
    }
}

static bool sp_is_end(int rc)
{
    return rc == 0 || rc == -ECONNRESET || rc == TR_EPIPE;
}

// Write what the endpoint takes. Returns 0, TR_EAGAIN when a rest has to wait, or an error.
static int sp_queue_write(struct link_sp *link)
{
    while (sp_may_write(link)) {
        tr_iov iov[TR__IOV_MAX];
        int count = sp_queue_pieces(link, iov);
        size_t parcels = link->written > 0 ? 0 : tr__frame_carried(link->head);
        ssize_t n = parcels == 0 ? sp_world(link)->endpoint_write(link->endpoint, iov, count)
                                 : sp_world(link)->endpoint_send(link->endpoint, iov, count,
                                                                 tr__frame_parcels(link->head),
                                                                 (int)parcels);
        tr_assert(n != 0);
        if (n < 0)
            return (int)n;
        sp_queue_remove(link, (size_t)n);
    }
    return link->head == NULL ? 0 : TR_EAGAIN;
}

static int sp_write(struct link_sp *link)
{
    int rc = sp_queue_write(link);
    if (rc != 0 && rc != TR_EAGAIN) {
        sp_queue_clear(link);
        link->writing = WRITE_FINISHING;
        link->write_error = sp_is_end(rc) ? 0 : rc;
    }
    if (link->writing == WRITE_FINISHING && link->head == NULL) {
        link->writing = WRITE_SHUT;
        sp_world(link)->endpoint_shutdown(link->endpoint);
    }
    sp_want(link);
    return rc;
}

static void sp_set_head(const struct link_sp *link, tr__frame *frame)
{
    uint64_t length = htobe64(tr__frame_size(frame) + HOPS_SIZE);
    uint8_t head[HEAD_MAX] = {TYPE_MESSAGE, [HEAD_MAX - 1] = 1};
    memcpy(head + TYPE_SIZE, &length, LENGTH_SIZE);
    size_t left_out = TYPE_SIZE - link->type_size;
    tr__frame_set_header(frame, head + left_out, sizeof head - left_out);
}

static void sp_send(tr__link *base, tr__frame **frame)
{
    struct link_sp *link = (struct link_sp *)base;
    tr_assert(tr__frame_size(*frame) <= TR__FRAME_MAX);
    if (link->writing != WRITE_OPEN) {
        tr__frame_free(frame);
        return;
    }
    bool full = link->head != NULL;
    sp_set_head(link, *frame);
    sp_queue_push(link, *frame);
    *frame = NULL;
    if (!full)
        sp_write(link);
}

static size_t sp_queued(const tr__link *base)
{
    return ((const struct link_sp *)base)->queued;
}

static uint64_t sp_given(const tr__link *base)
{
    return ((const struct link_sp *)base)->given;
}

static bool sp_let_go(tr__link *base)
{
    struct link_sp *link = (struct link_sp *)base;
    tr__frame *frame = link->head;
    while (frame != NULL && !tr__frame_is_held(frame))
        frame = tr__frame_next(frame);
    if (frame == NULL)
        return false;
    tr__frame_let_go(frame);
    if (frame == link->head && sp_may_write(link))
        sp_write(link);
    return true;
}

static void sp_finish(tr__link *base)
{
    struct link_sp *link = (struct link_sp *)base;
    if (link->writing != WRITE_OPEN)
        return;
    link->writing = WRITE_FINISHING;
    sp_write(link);
}

// ---- Reading ----

// A spare one that is not much too large and that nobody refers to any more, or a new one.
static int sp_chunk_take(struct link_sp *link, size_t size, tr_buf **ret_chunk)
{
    for (unsigned i = 0; i < SPARES; i++) {
        tr_buf *spare = link->spares[i];
        bool fits = spare != NULL && tr_buf_size(spare) >= size && tr_buf_size(spare) / 2 <= size;
        if (fits && !tr__buf_is_shared(spare)) {
            link->spares[i] = NULL;
            *ret_chunk = spare;
            return 0;
        }
    }
    return tr_buf_new(size, ret_chunk);
}

static void sp_chunk_drop(struct link_sp *link)
{
    size_t size = link->chunk == NULL ? 0 : tr_buf_size(link->chunk);
    if (size >= CHUNK_MAX && size <= SPARE_MAX) {
        tr_buf **spare = &link->spares[link->next_spare++ % SPARES];
        tr_buf_unref(spare);
        *spare = link->chunk;
        link->chunk = NULL;
    } else {
        tr_buf_unref(&link->chunk);
    }
}

static int sp_chunk_renew(struct link_sp *link, size_t size)
{
    tr_buf *fresh;
    int rc = sp_chunk_take(link, size, &fresh);
    if (rc < 0)
        return rc;
    if (link->begin != link->end)
        memcpy(tr_buf_data(fresh), (uint8_t *)tr_buf_data(link->chunk) + link->begin,
               link->end - link->begin);
    sp_chunk_drop(link);
    link->chunk = fresh;
    link->end -= link->begin;
    link->begin = 0;
    return 0;
}

static void sp_chunk_rewind(struct link_sp *link)
{
    uint8_t *bytes = tr_buf_data(link->chunk);
    memmove(bytes, bytes + link->begin, link->end - link->begin);
    link->end -= link->begin;
    link->begin = 0;
}

// Make room for the rest of the item at `begin`, or for a part of it if it is large.
static int sp_chunk_prepare(struct link_sp *link)
{
    size_t have = link->end - link->begin;
    size_t span = link->need > SPAN_MIN ? link->need : SPAN_MIN;
    size_t size = tr_buf_size(link->chunk);
    bool reusable = size >= span && !tr__buf_is_shared(link->chunk);
    if (reusable && (have == 0 || size - link->begin < span))
        sp_chunk_rewind(link);

    bool filling = size > CHUNK_MAX && link->end < size;
    if (filling || size - link->begin >= span)
        return 0;
    if (span > CHUNK_MAX) {
        size_t trust = have + (have > TRUST ? have : TRUST);
        span = (span + CHUNK_MIN - 1) / CHUNK_MIN * CHUNK_MIN; // fits the next one as well
        return sp_chunk_renew(link, span < trust ? span : trust);
    }
    return sp_chunk_renew(link, span > CHUNK_MIN ? CHUNK_MAX : CHUNK_MIN);
}

static int sp_hello_check(const uint8_t *bytes)
{
    if (memcmp(bytes, sp_hello, HELLO_PROTOCOL) != 0 ||
        memcmp(bytes + HELLO_ZERO, sp_hello + HELLO_ZERO, HELLO_SIZE - HELLO_ZERO) != 0)
        return TR_EFRAME;
    bool same = memcmp(bytes, sp_hello, HELLO_SIZE) == 0;
    return same ? 0 : TR_EVERSION;
}

// Set `need` to what is known of the size of the item at `begin`.
static int sp_item_measure(struct link_sp *link, const uint8_t *item, size_t have)
{
    link->need = link->greeted ? link->type_size + LENGTH_SIZE : HELLO_SIZE;
    if (!link->greeted || have < link->need)
        return 0;
    uint64_t length;
    memcpy(&length, item + link->type_size, LENGTH_SIZE);
    length = be64toh(length);
    if ((link->type_size > 0 && item[0] != TYPE_MESSAGE) || length < HOPS_SIZE)
        return TR_EFRAME;
    if (length > link->frame_max + HOPS_SIZE)
        return TR_ETOOBIG;
    link->need += length;
    return 0;
}

static int sp_item_deliver(struct link_sp *link, const uint8_t *item, size_t size)
{
    if (!link->greeted) {
        link->greeted = true;
        return sp_hello_check(item);
    }
    size_t head = link->type_size + LENGTH_SIZE + HOPS_SIZE;
    const uint8_t *hops = item + head - HOPS_SIZE;
    if (hops[0] != 0 || hops[1] != 0 || hops[2] != 0 || hops[3] == 0)
        return TR_EFRAME;
    link->base.heard += TR__LIFE_BYTES;
    return link->up->frame(link->owner, link->chunk, item + head, size - head);
}

// ---- Parcels that come along ----

static struct group *group_first(const struct link_sp *link)
{
    return tr__list_empty(&link->groups) ? NULL
                                         : tr__container(link->groups.next, struct group, link);
}

static void group_free(struct group *group)
{
    while (group->at < group->count)
        tr__parcel_unref(&group->parcels[group->at++]);
    tr__list_remove(&group->link);
    tr__free(group);
}

static void groups_drop(struct link_sp *link)
{
    for (struct group *group; (group = group_first(link)) != NULL;)
        group_free(group);
}

// moves: parcels, always
static int group_add(struct link_sp *link, tr_parcel **parcels, int count, bool lost)
{
    size_t size = (size_t)count * sizeof(tr_parcel *);
    struct group *group = tr__zalloc(sizeof *group + size);
    if (group == NULL) {
        for (int i = 0; i < count; i++)
            tr__parcel_unref(&parcels[i]);
        return TR_ENOMEM;
    }
    group->count = count;
    group->lost = lost;
    memcpy(group->parcels, parcels, size);
    tr__list_append(&link->groups, &group->link);
    return 0;
}

static int sp_claim(tr__link *base, tr_parcel **ret_parcel)
{
    struct link_sp *link = (struct link_sp *)base;
    struct group *group = group_first(link);
    if (group == NULL)
        return TR_EFRAME;
    link->claimed = true;
    if (group->at == group->count)
        return group->lost ? -EMFILE : TR_EFRAME;
    *ret_parcel = group->parcels[group->at++];
    return 0;
}

// A frame has been delivered: what it has claimed of is its own, to the last one.
static int sp_claimed(struct link_sp *link)
{
    struct group *group = group_first(link);
    if (!link->claimed)
        return 0;
    link->claimed = false;
    if (group->at < group->count)
        return TR_EFRAME;
    group_free(group);
    return 0;
}

// All whole frames have been delivered: only one that has begun may have some.
static int sp_unclaimed(const struct link_sp *link)
{
    const struct group *group = group_first(link);
    bool stray = group != NULL && (link->begin == link->end || group->link.next != &link->groups);
    return stray ? TR_EFRAME : 0;
}

static ssize_t sp_endpoint_read(struct link_sp *link, const tr_iov *room)
{
    tr_parcel *parcels[TR__PARCELS_MAX];
    int count = 0;
    bool lost = false;
    if (!link->carries)
        return sp_world(link)->endpoint_read(link->endpoint, room, 1);
    ssize_t n = sp_world(link)->endpoint_receive(link->endpoint, room, 1, parcels, &count, &lost);
    int rc = count > 0 || lost ? group_add(link, parcels, count, lost) : 0;
    return rc < 0 ? rc : n;
}

// Deliver all that is whole.
static int sp_chunk_deliver(struct link_sp *link)
{
    const uint8_t *bytes = tr_buf_data(link->chunk);
    int rc = 0;
    while (rc == 0 && !link->deaf) {
        const uint8_t *item = bytes + link->begin;
        size_t have = link->end - link->begin;
        rc = sp_item_measure(link, item, have);
        if (rc < 0 || have < link->need)
            break;
        link->begin += link->need;
        rc = sp_item_deliver(link, item, link->need);
        if (rc == 0)
            rc = sp_claimed(link);
    }
    if (rc == 0)
        rc = sp_unclaimed(link);
    if (link->begin == link->end && tr_buf_size(link->chunk) > CHUNK_MAX) {
        sp_chunk_drop(link);
        link->begin = link->end = 0;
    }
    return rc;
}

// What the end of reading means; rc 0 is the end of the stream.
static int sp_read_error(const struct link_sp *link, int rc)
{
    if (rc == 0 && link->greeted && link->begin != link->end)
        return TR_EFRAME;
    if (!sp_is_end(rc))
        return rc;
    return link->write_error != 0 ? link->write_error : TR_EDOWN;
}

// Read once and deliver. Returns the bytes read; 0 when there is nothing, or nothing any more.
static size_t sp_read(struct link_sp *link, bool *ret_filled)
{
    if (link->error != 0 || link->deaf)
        return 0;
    link->error = sp_chunk_prepare(link);
    if (link->error != 0)
        return 0;

    tr_iov room = {(uint8_t *)tr_buf_data(link->chunk) + link->end,
                   tr_buf_size(link->chunk) - link->end};
    ssize_t n = sp_endpoint_read(link, &room);
    if (n <= 0) {
        link->base.read_out = sp_is_end((int)n);
        if (n != TR_EAGAIN)
            link->error = sp_read_error(link, (int)n);
        return 0;
    }
    link->end += (size_t)n;
    link->base.heard += (size_t)n;
    *ret_filled = (size_t)n == room.len;
    link->error = sp_chunk_deliver(link);
    return (size_t)n;
}

static void sp_drain(tr__link *base)
{
    struct link_sp *link = (struct link_sp *)base;
    bool filled;
    size_t n, total = 0;
    while (total < DRAIN_MAX && (n = sp_read(link, &filled)) > 0)
        total += n;
    link->base.read_out |= link->error == 0 && total < DRAIN_MAX;
    if (!link->deaf)
        sp_want(link);
}

// ---- From the endpoint ----

static void sp_tell_end(struct link_sp *link)
{
    if (link->error == 0 || link->deaf)
        return;
    link->deaf = true;
    link->base.why = tr__endpoint_why(link->endpoint);
    link->writing = WRITE_SHUT;
    sp_queue_clear(link);
    sp_want(link);
    link->up->down(link->owner, link->error);
}

static bool sp_readable(void *arg)
{
    struct link_sp *link = arg;
    size_t n, total = 0;
    bool filled = false;
    do {
        n = sp_read(link, &filled);
        total += n;
    } while (n > 0 && filled && total < READ_MAX);
    sp_tell_end(link);
    return total > 0;
}

static void sp_writable(void *arg)
{
    struct link_sp *link = arg;
    sp_tell_end(link);
    if (sp_may_write(link) && sp_write(link) == 0)
        link->up->drained(link->owner);
}

static void sp_closed(void *arg)
{
    struct link_sp *link = arg;
    tr_buf_unref(&link->chunk);
    for (unsigned i = 0; i < SPARES; i++)
        tr_buf_unref(&link->spares[i]);
    tr__free(link);
}

static const tr_endpoint_up sp_endpoint_up = {
    .readable = sp_readable,
    .writable = sp_writable,
    .closed = sp_closed,
};

static void sp_free(tr__link **base)
{
    struct link_sp *link = (struct link_sp *)*base;
    if (link == NULL)
        return;
    *base = NULL;
    link->deaf = true;
    sp_queue_clear(link);
    groups_drop(link);
    sp_world(link)->endpoint_close(link->endpoint);
}

static const tr__link_ops sp_ops = {
    .scheme = "sp",
    .send = sp_send,
    .queued = sp_queued,
    .given = sp_given,
    .let_go = sp_let_go,
    .claim = sp_claim,
    .drain = sp_drain,
    .finish = sp_finish,
    .free = sp_free,
};

int tr__link_sp_open(tr_endpoint *endpoint, const tr__link_up *up, void *owner, tr__link **ret_link)
{
    struct link_sp *link = tr__alloc(sizeof *link);
    tr__frame *first = NULL;
    tr_site site;
    if (link == NULL || tr__frame_new(&first) < 0) {
        tr__free(link);
        endpoint->world->ops->endpoint_close(endpoint);
        return TR_ENOMEM;
    }
    bool tcp = endpoint->world->ops->endpoint_site(endpoint, false, &site) == 0 && site.tcp;
    *link = (struct link_sp){
        .base.ops = &sp_ops,
        .endpoint = endpoint,
        .type_size = tcp ? 0 : TYPE_SIZE,
        .frame_max = TR__FRAME_MAX,
        .up = up,
        .owner = owner,
        .need = HELLO_SIZE,
    };
    tr__list_init(&link->groups);
    sp_world(link)->endpoint_bind(endpoint, &sp_endpoint_up, link);
    tr__frame_set_header(first, sp_hello, sizeof sp_hello);
    sp_queue_push(link, first);
    sp_write(link);
    *ret_link = &link->base;
    return 0;
}

void tr__link_sp_carry(tr__link *base)
{
    ((struct link_sp *)base)->carries = true;
}

void tr__link_sp_limit(tr__link *base, size_t frame_max)
{
    struct link_sp *link = (struct link_sp *)base;
    link->frame_max = frame_max;
    if (sp_world(link)->endpoint_limit != NULL)
        sp_world(link)->endpoint_limit(link->endpoint, frame_max + HOPS_SIZE);
}
