// Endpoints over endpoints.
//
//     connecting -> shaking hands -> open -> (shut down) -> closed -> cut -> gone
//
// A filter asks its wire for what its owner wants, and for what hands and unsent bytes need. What
// came in and is not read yet is the filter's to tell of, since the wire knows nothing of it: so is
// an error. For that there is a bell, a connected pair in the same world, whose one end is written
// to for the other to be told. In the ordinary course of things it is silent: all is read, or there
// is more on the wire.
//
// Bounds. A filter reads from its wire when its coder has taken all, and encodes when its wire has:
// it holds TR__WIRE_BYTES each way at most. That memory is borrowed from the home while there is
// something in it.
//
// Ending. A wire that ends ends the stream of the user as well, where the coder does not say better:
// what lies on top has lengths and a bye of its own, so a peer that was cut off is not taken for one
// that has finished. Closed, a filter stays until its bytes have left. And one whose peer broke the
// rules stays until that has ended, too: bytes of it that nobody reads would have the system throw
// away what it is told (RST). Of those that stay there are LINGER_MAX, then the oldest is cut off.
#include "filter/filter.h"

#include <stdio.h>
#include <troupe/error.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/memory.h"

#define GATHER_BYTES 0x4000u // small pieces are encoded as one: what TLS has in a record
#define SPARES       4u
#define LINGER_MAX   64u

struct tr__filters {
    tr_world base; // of its endpoints
    tr_world *world;
    tr_endpoint *bell[2]; // is written to; is told. NULL: closed and gone
    bool rung, closed;
    tr__list all;       // filters
    tr__list ready;     // those with something to tell that the wire does not
    tr__list lingering; // closed by their owners, and not cut
    unsigned lingering_count;
    uint8_t *spares[SPARES]; // wires' memory
    unsigned spare_count;
};

enum stage { CONNECTING, SHAKING, OPEN };

struct filter {
    tr_endpoint base;
    tr__list node, ready, linger;
    tr_endpoint *wire;
    tr__coder *coder;
    const tr_endpoint_up *up; // NULL: nobody is to hear
    void *owner;
    unsigned want;
    enum stage stage;
    bool dry;          // nothing can be decoded before more comes in
    bool ended;        // the peer has
    int error;         // of connecting, reading or the coder; 0: none
    int write_error;   // of the wire
    bool telling;      // its owner is being told
    bool shut, closed; // by the owner
    bool finished;     // the coder has said so
    bool wire_shut, cut;
};

static struct filter *filter_of(const tr_endpoint *base)
{
    return (struct filter *)(uintptr_t)base;
}

static tr__filters *filter_home(const struct filter *f)
{
    return (tr__filters *)f->base.world;
}

static const tr_world_ops *wire_ops(const struct filter *f)
{
    return f->wire->world->ops;
}

// ---- Memory for the wires ----

static bool wire_lend(tr__filters *home, tr__wire *wire)
{
    if (wire->bytes == NULL)
        wire->bytes =
            home->spare_count > 0 ? home->spares[--home->spare_count] : tr__alloc(TR__WIRE_BYTES);
    else if (wire->at > 0)
        memmove(wire->bytes, wire->bytes + wire->at, tr__wire_used(wire));
    wire->end -= wire->at;
    wire->at = 0;
    return wire->bytes != NULL;
}

static void wire_return(tr__filters *home, tr__wire *wire)
{
    if (wire->bytes == NULL || tr__wire_used(wire) > 0)
        return;
    if (home->spare_count < SPARES)
        home->spares[home->spare_count++] = wire->bytes;
    else
        tr__free(wire->bytes);
    wire->bytes = NULL;
    wire->at = wire->end = 0;
}

// errors: TR_ENOMEM
static int filter_lend(struct filter *f)
{
    bool lent = wire_lend(filter_home(f), &f->coder->in);
    return wire_lend(filter_home(f), &f->coder->out) && lent ? 0 : TR_ENOMEM;
}

static void filter_return(struct filter *f)
{
    wire_return(filter_home(f), &f->coder->in);
    wire_return(filter_home(f), &f->coder->out);
}

static void wire_drop(tr__filters *home, tr__wire *wire)
{
    wire->at = wire->end;
    wire_return(home, wire);
}

// ---- The wire ----

static size_t filter_unsent(const struct filter *f)
{
    return tr__wire_used(&f->coder->out);
}

// What was to leave never will. If that is by the peer, what it has said before is still read.
static void filter_lose(struct filter *f, int error)
{
    f->write_error = error;
    if (f->error == 0 && error != TR_EPIPE && error != -ECONNRESET)
        f->error = error;
}

// returns: 0: all has left, or never will; TR_EAGAIN
static int filter_flush(struct filter *f)
{
    tr__wire *out = &f->coder->out;
    while (tr__wire_used(out) > 0) {
        tr_iov iov = {out->bytes + out->at, tr__wire_used(out)};
        ssize_t n = wire_ops(f)->endpoint_write(f->wire, &iov, 1);
        if (n == TR_EAGAIN)
            return TR_EAGAIN;
        if (n < 0)
            filter_lose(f, (int)n);
        out->at = n < 0 ? out->end : out->at + (size_t)n;
    }
    out->at = out->end = 0;
    return 0;
}

static bool filter_may_fill(const struct filter *f)
{
    return !f->coder->in.ended && tr__wire_used(&f->coder->in) == 0;
}

// Read once, when the coder has taken all. returns: whether there may be more where that came from
static bool filter_fill(struct filter *f)
{
    tr__wire *in = &f->coder->in;
    if (!filter_may_fill(f))
        return false;
    in->at = in->end = 0;
    tr_iov iov = {in->bytes, TR__WIRE_BYTES};
    ssize_t n = wire_ops(f)->endpoint_read(f->wire, &iov, 1);
    if (n == TR_EAGAIN)
        return false;
    f->dry = false;
    if (n < 0)
        f->error = (int)n;
    in->ended = n == 0;
    in->end = n > 0 ? (size_t)n : 0;
    return in->end == TR__WIRE_BYTES;
}

static void filter_watch(struct filter *f)
{
    unsigned events = 0;
    bool connects = f->stage == CONNECTING && f->error == 0;
    bool reads = f->stage == SHAKING || (f->want & TR__READ);
    if (f->cut)
        return;
    if (connects || (filter_unsent(f) > 0 && f->write_error == 0))
        events |= TR__WRITE;
    if (!connects && (f->closed || (reads && f->error == 0)) && filter_may_fill(f))
        events |= TR__READ;
    wire_ops(f)->endpoint_want(f->wire, events);
}

// ---- Being told ----

static bool filter_has_input(const struct filter *f)
{
    return f->error != 0 || (f->stage == OPEN && (f->ended || !f->dry));
}

static bool filter_has_room(const struct filter *f)
{
    return f->error != 0 || f->write_error != 0 || (f->stage == OPEN && filter_unsent(f) == 0);
}

static bool filter_has_news(const struct filter *f)
{
    return ((f->want & TR__READ) && filter_has_input(f)) ||
           ((f->want & TR__WRITE) && filter_has_room(f));
}

// returns: whether the bell will be heard: without memory it may be mute
static bool home_ring(tr__filters *home)
{
    tr_iov one = {(uint8_t[1]){0}, 1};
    if (!home->rung && !home->closed)
        home->rung = home->bell[0]->world->ops->endpoint_write(home->bell[0], &one, 1) == 1;
    return home->rung;
}

static void filter_stir(struct filter *f)
{
    if (f->telling)
        return; // looks again when it has told
    filter_watch(f);
    if (f->cut || !filter_has_news(f))
        return;
    if (tr__list_empty(&f->ready))
        tr__list_append(&filter_home(f)->ready, &f->ready);
    if (!home_ring(filter_home(f)))
        wire_ops(f)->endpoint_want(f->wire, TR__WRITE);
}

// read: there may be something on the wire. returns: whether its owner has moved bytes
static bool filter_tell(struct filter *f, bool read)
{
    bool moved = false;
    f->telling = true;
    if ((f->want & TR__READ) && (read || filter_has_input(f)))
        moved = f->up->readable(f->owner);
    if ((f->want & TR__WRITE) && filter_has_room(f))
        f->up->writable(f->owner);
    f->telling = false;
    filter_stir(f);
    return moved;
}

static bool home_heard(void *owner)
{
    tr__filters *home = owner;
    tr__list ready;
    uint8_t bytes[8];
    tr_iov room = {bytes, sizeof bytes};
    ssize_t n = home->bell[1]->world->ops->endpoint_read(home->bell[1], &room, 1);
    home->rung = home->rung && n <= 0;
    tr__list_init(&ready);
    tr__list_splice(&ready, &home->ready);
    for (tr__list *node; (node = tr__list_pop(&ready)) != NULL;)
        filter_tell(tr__container(node, struct filter, ready), false);
    return n > 0;
}

// ---- Ending ----

static void filter_cut(struct filter *f)
{
    tr__filters *home = filter_home(f);
    if (f->cut)
        return;
    f->cut = true;
    home->lingering_count -= !tr__list_empty(&f->linger);
    tr__list_remove(&f->linger);
    tr__list_remove(&f->ready);
    wire_drop(home, &f->coder->in);
    wire_drop(home, &f->coder->out);
    wire_ops(f)->endpoint_close(f->wire);
}

static void filter_linger(struct filter *f)
{
    tr__filters *home = filter_home(f);
    if (!tr__list_empty(&f->linger))
        return;
    tr__list_append(&home->lingering, &f->linger);
    if (++home->lingering_count > LINGER_MAX)
        filter_cut(tr__container(home->lingering.next, struct filter, linger));
}

// Have the coder say that this was all. returns: whether that is done
static bool filter_finish(struct filter *f)
{
    if (f->finished || f->stage != OPEN || f->error != 0 || f->write_error != 0)
        return true;
    int rc = filter_lend(f);
    if (rc == 0)
        rc = f->coder->ops->finish(f->coder);
    f->finished = rc != TR_EAGAIN;
    filter_flush(f);
    filter_return(f);
    return f->finished;
}

// Go on with the end that the owner wants, as far as it goes.
static void filter_part(struct filter *f)
{
    if (f->cut || !(f->shut || f->closed))
        return;
    bool unsaid = f->stage == OPEN ? !filter_finish(f) : !f->closed;
    if (unsaid || (filter_unsent(f) > 0 && f->write_error == 0)) {
        if (f->closed)
            filter_linger(f);
        return;
    }
    bool broke = f->error != 0 && f->coder->why[0] != '\0';
    if ((f->stage == OPEN || broke) && !f->wire_shut) {
        f->wire_shut = true;
        wire_ops(f)->endpoint_shutdown(f->wire);
    }
    if (f->closed && broke && !f->coder->in.ended)
        filter_linger(f);
    else if (f->closed)
        filter_cut(f);
}

// What comes from a peer that nobody listens to any more.
static void filter_drain(struct filter *f)
{
    uint8_t bytes[4096];
    tr_iov room = {bytes, sizeof bytes};
    ssize_t n = wire_ops(f)->endpoint_read(f->wire, &room, 1);
    if (n > 0 || n == TR_EAGAIN)
        return;
    f->coder->in.ended = true;
    if (n < 0)
        f->write_error = (int)n;
    filter_part(f);
    filter_watch(f);
}

// ---- From the wire ----

// As far as hands can be shaken.
static void filter_shake(struct filter *f)
{
    int rc = filter_lend(f);
    if (rc == 0) {
        do {
            f->dry = true;
            rc = f->coder->ops->shake(f->coder);
            filter_flush(f);
            if (rc == TR_EAGAIN)
                filter_fill(f);
        } while (rc == TR_EAGAIN && !f->dry && f->error == 0);
    }
    if (rc == 0)
        f->stage = OPEN;
    else if (rc != TR_EAGAIN)
        f->error = rc;
    f->dry = rc != 0; // something may have come along with the hands
    filter_return(f);
}

static void filter_connect(struct filter *f)
{
    int rc = wire_ops(f)->endpoint_connected(f->wire);
    if (rc == 0)
        f->stage = SHAKING;
    else if (rc != TR_EAGAIN)
        f->error = rc;
}

static void filter_go_on(struct filter *f)
{
    if (f->stage == CONNECTING && f->error == 0)
        filter_connect(f);
    if (f->stage == SHAKING && f->error == 0)
        filter_shake(f);
    filter_part(f);
}

static bool wire_readable(void *owner)
{
    struct filter *f = owner;
    if (f->closed) {
        filter_drain(f);
        return true;
    }
    bool open = f->stage == OPEN;
    if (!open)
        filter_go_on(f);
    return filter_tell(f, open);
}

static void wire_writable(void *owner)
{
    struct filter *f = owner;
    filter_flush(f);
    filter_return(f);
    if (f->stage == OPEN && tr__wire_used(&f->coder->in) > 0)
        f->dry = false; // an answer had no room
    filter_go_on(f);
    filter_tell(f, false);
}

static void home_free(tr__filters *home)
{
    if (!home->closed || !tr__list_empty(&home->all) || home->bell[0] != NULL ||
        home->bell[1] != NULL)
        return;
    while (home->spare_count > 0)
        tr__free(home->spares[--home->spare_count]);
    tr__free(home);
}

static void filter_free(struct filter *f)
{
    tr__filters *home = filter_home(f);
    home->lingering_count -= !tr__list_empty(&f->linger);
    tr__list_remove(&f->linger);
    tr__list_remove(&f->ready);
    tr__list_remove(&f->node);
    wire_drop(home, &f->coder->in);
    wire_drop(home, &f->coder->out);
    f->coder->ops->free(f->coder);
    tr__free(f);
    home_free(home);
}

static void wire_closed(void *owner)
{
    struct filter *f = owner;
    if (f->up != NULL)
        f->up->closed(f->owner);
    filter_free(f);
}

static const tr_endpoint_up WIRE_UP = {wire_readable, wire_writable, wire_closed};

// ---- What an owner asks ----

static void filter_bind(tr_endpoint *base, const tr_endpoint_up *up, void *owner)
{
    struct filter *f = filter_of(base);
    tr_assert(f->want == 0);
    f->up = up;
    f->owner = owner;
}

static void filter_want(tr_endpoint *base, unsigned events)
{
    struct filter *f = filter_of(base);
    tr_assert(events == 0 || f->up != NULL);
    if (f->closed || f->want == events)
        return;
    f->want = events;
    filter_stir(f);
}

static int filter_connected(tr_endpoint *base)
{
    const struct filter *f = filter_of(base);
    return f->error != 0 ? f->error : f->stage == OPEN ? 0 : TR_EAGAIN;
}

// Decode once, with what has come in, or comes now. more: there may be more on the wire
static ssize_t filter_decode(struct filter *f, uint8_t *room, size_t size, bool *more)
{
    while (f->error == 0 && !f->ended) {
        if (!f->dry) {
            ssize_t n = f->coder->ops->decode(f->coder, room, size);
            filter_flush(f);
            if (n > 0)
                return n;
            f->dry = n == TR_EAGAIN;
            f->ended = n == 0;
            if (n < 0 && n != TR_EAGAIN)
                f->error = (int)n;
        } else if (*more) {
            *more = filter_fill(f);
            if (f->dry)
                return TR_EAGAIN;
        } else {
            return TR_EAGAIN;
        }
    }
    return f->error;
}

static ssize_t filter_read_some(struct filter *f, const tr_iov *iov, int count)
{
    size_t total = 0;
    bool more = true;
    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < iov[i].len;) {
            ssize_t n = filter_decode(f, (uint8_t *)iov[i].base + at, iov[i].len - at, &more);
            if (n <= 0)
                return total > 0 ? (ssize_t)total : n;
            at += (size_t)n;
            total += (size_t)n;
        }
    }
    return (ssize_t)total;
}

static ssize_t filter_read(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct filter *f = filter_of(base);
    if (f->stage != OPEN || f->error != 0 || f->ended)
        return f->error != 0 || f->ended ? f->error : TR_EAGAIN;
    int rc = filter_lend(f);
    ssize_t n = rc < 0 ? rc : filter_read_some(f, iov, count);
    filter_return(f);
    filter_stir(f);
    return n;
}

// Where a writer is in its pieces.
struct pieces {
    const tr_iov *iov;
    int count;
    size_t at; // in the first one
};

static void pieces_skip(struct pieces *p)
{
    while (p->count > 0 && p->at == p->iov->len) {
        p->iov++;
        p->count--;
        p->at = 0;
    }
}

static void pieces_pass(struct pieces *p, size_t n)
{
    while (n > 0) {
        size_t left = p->iov->len - p->at, part = n < left ? n : left;
        p->at += part;
        n -= part;
        pieces_skip(p);
    }
}

// What is to be encoded next: the first piece, or small ones in one. Returns its size.
static size_t pieces_next(const struct pieces *p, uint8_t room[GATHER_BYTES], const uint8_t **bytes)
{
    size_t size = p->iov->len - p->at, at = p->at;
    *bytes = (const uint8_t *)p->iov->base + p->at;
    if (p->count == 1 || size >= GATHER_BYTES)
        return size;
    size = 0;
    for (int i = 0; i < p->count && size < GATHER_BYTES; i++, at = 0) {
        size_t left = p->iov[i].len - at, free = GATHER_BYTES - size;
        size_t part = left < free ? left : free;
        memcpy(room + size, (const uint8_t *)p->iov[i].base + at, part);
        size += part;
    }
    *bytes = room;
    return size;
}

static ssize_t filter_write_some(struct filter *f, const tr_iov *iov, int count)
{
    uint8_t room[GATHER_BYTES];
    struct pieces p = {iov, count, 0};
    size_t total = 0;
    ssize_t n = 0;
    pieces_skip(&p);
    while (p.count > 0 && f->write_error == 0) {
        const uint8_t *bytes;
        size_t size = pieces_next(&p, room, &bytes);
        n = f->coder->ops->encode(f->coder, bytes, size);
        if (n > 0) {
            pieces_pass(&p, (size_t)n);
            total += (size_t)n;
        } else if (n != TR_EAGAIN || filter_unsent(f) == 0 || filter_flush(f) < 0) {
            break;
        }
    }
    filter_flush(f);
    if (n < 0 && n != TR_EAGAIN)
        f->error = (int)n;
    if (total > 0)
        return (ssize_t)total;
    return f->write_error != 0 ? f->write_error : n;
}

static ssize_t filter_write(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct filter *f = filter_of(base);
    if (f->error != 0 || f->write_error != 0)
        return f->error != 0 ? f->error : f->write_error;
    if (f->shut)
        return TR_EPIPE;
    if (f->stage != OPEN || filter_unsent(f) > 0)
        return TR_EAGAIN;
    int rc = filter_lend(f);
    ssize_t n = rc < 0 ? rc : filter_write_some(f, iov, count);
    filter_return(f);
    filter_stir(f);
    return n;
}

static void filter_shutdown(tr_endpoint *base)
{
    struct filter *f = filter_of(base);
    f->shut = true;
    filter_part(f);
    filter_stir(f);
}

static void filter_close(tr_endpoint *base)
{
    struct filter *f = filter_of(base);
    if (f->closed)
        return;
    f->closed = true;
    f->want = 0;
    tr__list_remove(&f->ready);
    wire_drop(filter_home(f), &f->coder->in);
    filter_part(f);
    filter_watch(f);
}

static void filter_tune(tr_endpoint *base, const tr_tuning *tuning)
{
    struct filter *f = filter_of(base);
    wire_ops(f)->endpoint_tune(f->wire, tuning);
}

static int filter_site(tr_endpoint *base, bool peer, tr_site *ret_site)
{
    const struct filter *f = filter_of(base);
    int rc = wire_ops(f)->endpoint_site(f->wire, peer, ret_site);
    if (rc == 0)
        ret_site->papers |= f->coder->ops->papers;
    return rc;
}

static int filter_cred(tr_endpoint *base, tr_peer_cred *ret_cred)
{
    (void)base, (void)ret_cred;
    return TR_ENOSYS;
}

// What the wire's filter says, if it is one: its error came first.
static const char *filter_why(const tr_endpoint *base)
{
    const struct filter *f = filter_of(base);
    return f->coder->why[0] != '\0' ? f->coder->why : tr__endpoint_why(f->wire);
}

static void filter_limit(tr_endpoint *base, size_t size)
{
    struct filter *f = filter_of(base);
    if (f->coder->ops->limit != NULL)
        f->coder->ops->limit(f->coder, size);
}

static const tr_world_ops FILTER_OPS = {
    .name = "filter",
    .endpoint_bind = filter_bind,
    .endpoint_want = filter_want,
    .endpoint_read = filter_read,
    .endpoint_write = filter_write,
    .endpoint_shutdown = filter_shutdown,
    .endpoint_close = filter_close,
    .endpoint_connected = filter_connected,
    .endpoint_tune = filter_tune,
    .endpoint_site = filter_site,
    .endpoint_cred = filter_cred,
    .endpoint_why = filter_why,
    .endpoint_limit = filter_limit,
};

// ---- Life ----

int tr__filter_new(tr__filters *home, tr_endpoint **wire, tr__coder *coder, bool connected,
                   tr_endpoint **ret_endpoint)
{
    struct filter *f = tr__zalloc(sizeof *f);
    if (f == NULL) {
        (*wire)->world->ops->endpoint_close(*wire);
        coder->ops->free(coder);
        *wire = NULL;
        return TR_ENOMEM;
    }
    f->base.world = &home->base;
    f->wire = *wire;
    *wire = NULL;
    f->coder = coder;
    f->stage = connected ? SHAKING : CONNECTING;
    f->dry = true;
    tr__list_init(&f->ready);
    tr__list_init(&f->linger);
    tr__list_append(&home->all, &f->node);
    wire_ops(f)->endpoint_bind(f->wire, &WIRE_UP, f);
    filter_go_on(f);
    filter_watch(f);
    *ret_endpoint = &f->base;
    return 0;
}

static void bell_closed(void *owner)
{
    tr__filters *home = owner;
    home->bell[home->bell[0] == NULL] = NULL;
    home_free(home);
}

static const tr_endpoint_up BELL_UP = {.readable = home_heard, .closed = bell_closed};

static int home_hang_bell(tr__filters *home)
{
    const tr_world_ops *ops = home->world->ops;
    tr_parcel *ends[2] = {NULL, NULL};
    int rc = ops->parcel_pair(home->world, ends);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = ops->endpoint_enter(home->world, &ends[i], &home->bell[i]);
    for (int i = 0; i < 2; i++) {
        tr__parcel_unref(&ends[i]);
        if (home->bell[i] != NULL && rc == 0)
            ops->endpoint_bind(home->bell[i], &BELL_UP, home);
        else if (home->bell[i] != NULL)
            ops->endpoint_close(home->bell[i]);
    }
    if (rc == 0)
        ops->endpoint_want(home->bell[1], TR__READ);
    return rc;
}

int tr__filters_open(tr_world *world, tr__filters **ret_filters)
{
    tr__filters *home = tr__zalloc(sizeof *home);
    if (home == NULL)
        return TR_ENOMEM;
    home->base.ops = &FILTER_OPS;
    home->world = world;
    tr__list_init(&home->all);
    tr__list_init(&home->ready);
    tr__list_init(&home->lingering);
    int rc = home_hang_bell(home);
    if (rc < 0)
        tr__free(home);
    else
        *ret_filters = home;
    return rc;
}

void tr__filters_close(tr__filters **filters)
{
    tr__filters *home = *filters;
    *filters = NULL;
    if (home == NULL)
        return;
    home->closed = true;
    for (tr__list *at = home->all.prev; at != &home->all; at = at->prev) { // those on top first
        struct filter *f = tr__container(at, struct filter, node);
        filter_close(&f->base);
        filter_cut(f);
    }
    for (int i = 0; i < 2; i++) {
        home->bell[i]->world->ops->endpoint_want(home->bell[i], 0);
        home->bell[i]->world->ops->endpoint_close(home->bell[i]);
    }
}

size_t tr__filters_queued(const tr__filters *home)
{
    size_t bytes = 0;
    for (const tr__list *at = home->all.next; at != &home->all; at = at->next)
        bytes += filter_unsent(tr__container((tr__list *)(uintptr_t)at, struct filter, node));
    return bytes;
}
