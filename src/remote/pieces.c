// Large messages on a link: they are cut into pieces, so that others pass them.
//
// What a peer is sent goes into its frame, which leaves as a whole. A message above WHOLE_MAX goes
// into a frame of its own and waits in the peer's line; so does what must not overtake it: whatever
// is from and to the same actors, the end of its sender, a wish that its receiver stops. The line
// is in the order of sending. What is in it may go when nothing before it is of the same pair: a
// small one at once, a large one in pieces, in turn with the others that are on the way so. All
// else goes past the line.
//
// The link is given a piece when it has nothing left to write, so that whatever passes has to wait
// for no more than that; and only some in one iteration, so that there are turns between them.
//
// Who gets pieces puts them together in one buffer of the size that the first one tells. A peer
// that is let in can have no more than PIECES_BYTES of memory for what it only promises; as a
// rule that is not memory before it is written to.
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "remote/remote.h"

#define PIECE_BYTES  0x10000u
#define WHOLE_MAX    (2 * PIECE_BYTES) // a larger message is cut
#define AT_ONCE      4                 // pieces in one iteration
#define LOOK_MAX     64u               // how far behind the head of the line somebody may go first
#define PIECES_MAX   16u               // messages at a time, and
#define PIECES_BYTES (96u << 20)       // in all, on the way in pieces: part of the protocol

// ---- Sending: the line ----

typedef struct queued {
    tr__list link;  // in peer->line
    tr__list going; // in peer->going, when it has begun
    tr__pair pair;
    tr__frame *frame;
    bool large;      // one message, which is cut
    size_t at;       // bytes that the link was given
    uint64_t number; // of its pieces
} queued;

static queued *queued_at(tr__list *node)
{
    return tr__container(node, queued, link);
}

static void queued_free(queued *q)
{
    tr__frame_free(&q->frame);
    tr__list_remove(&q->link);
    tr__list_remove(&q->going);
    tr__free(q);
}

static bool sides_meet(uint64_t a, uint64_t b)
{
    return a == b || a == TR__ANY || b == TR__ANY;
}

static bool pairs_meet(tr__pair a, tr__pair b)
{
    return sides_meet(a.from, b.from) && sides_meet(a.to, b.to);
}

// The last one that an envelope of that pair must not overtake; NULL: there is none.
static queued *line_last(const tr__peer *peer, tr__pair pair)
{
    for (tr__list *n = peer->line.prev; n != &peer->line; n = n->prev)
        if (pairs_meet(queued_at(n)->pair, pair))
            return queued_at(n);
    return NULL;
}

static tr__frame *line_add(tr__peer *peer, tr__pair pair, bool large)
{
    queued *q = tr__alloc(sizeof *q);
    if (q == NULL)
        return NULL;
    *q = (queued){.pair = pair, .large = large};
    if (tr__frame_new(&q->frame) < 0) {
        tr__free(q);
        return NULL;
    }
    tr__list_init(&q->going);
    tr__list_append(&peer->line, &q->link);
    peer->line_moved = true;
    tr__peer_dirty(peer);
    return q->frame;
}

tr__frame *tr__peer_frame_for(tr__peer *peer, tr__pair pair, size_t size)
{
    bool large = size > WHOLE_MAX && peer->takes_pieces;
    if (peer->link == NULL || peer->broken)
        return NULL;
    queued *last = line_last(peer, pair);
    if (last == NULL && !large)
        return tr__peer_frame(peer);
    bool joins = !large && !last->large && last->pair.from == pair.from &&
                 last->pair.to == pair.to && !tr__peer_frame_full(last->frame);
    return joins ? last->frame : line_add(peer, pair, large);
}

int tr__peer_post_for(tr__peer *peer, tr__pair pair, tr_val envelope)
{
    tr__frame *frame = tr__peer_frame_for(peer, pair, 0);
    return tr__peer_post_in(peer, frame, envelope);
}

void tr__peer_line_let_go(tr__peer *peer)
{
    for (tr__list *n = peer->line.next; n != &peer->line; n = n->next) {
        if (tr__frame_is_held(queued_at(n)->frame)) {
            tr__frame_let_go(queued_at(n)->frame);
            return;
        }
    }
}

size_t tr__peer_queued(const tr__peer *peer)
{
    size_t bytes = peer->link == NULL ? 0 : peer->link->ops->queued(peer->link);
    for (tr__list *n = peer->line.next; n != &peer->line; n = n->next)
        bytes += tr__frame_size(queued_at(n)->frame) - queued_at(n)->at;
    return bytes;
}

// ---- Sending: what goes ----

static bool going_has_room(const tr__peer *peer, size_t size)
{
    return peer->going_count == 0 ||
           (peer->going_count < PIECES_MAX && peer->going_bytes + size <= PIECES_BYTES);
}

// Returns whether there was room.
static bool queued_go(tr__peer *peer, queued *q)
{
    if (!q->large) {
        peer->link->ops->send(peer->link, &q->frame);
        queued_free(q);
        return true;
    }
    if (!going_has_room(peer, tr__frame_size(q->frame)))
        return false;
    q->number = ++peer->last_piece;
    peer->going_count++;
    peer->going_bytes += tr__frame_size(q->frame);
    tr__list_append(&peer->going, &q->going);
    return true;
}

static bool queued_is_first(const tr__peer *peer, queued *q)
{
    for (tr__list *n = q->link.prev; n != &peer->line; n = n->prev)
        if (pairs_meet(queued_at(n)->pair, q->pair))
            return false;
    return true;
}

// What may go, goes; what that lets go, too, for it is further behind. No large one goes before
// another that there was no room for.
static void line_move(tr__peer *peer)
{
    bool room = true;
    unsigned looked = 0;
    peer->line_moved = false;
    for (tr__list *n = peer->line.next, *next; n != &peer->line && looked < LOOK_MAX; n = next) {
        queued *q = queued_at(n);
        next = n->next;
        looked++;
        if (tr__list_empty(&q->going) && (room || !q->large) && queued_is_first(peer, q))
            room = queued_go(peer, q) && room;
    }
}

// The next piece of the one whose turn it is.
static int going_step(tr__peer *peer)
{
    queued *q = tr__container(tr__list_pop(&peer->going), queued, going);
    size_t size = tr__frame_size(q->frame), left = size - q->at;
    size_t part = left < PIECE_BYTES ? left : PIECE_BYTES;
    tr__frame *frame = NULL;
    int rc = tr__frame_new(&frame);
    if (rc == 0)
        rc = tr__envelope_put_piece(frame, q->number, q->frame, q->at, part);
    if (rc < 0) {
        tr__frame_free(&frame);
        return rc;
    }
    peer->link->ops->send(peer->link, &frame);
    q->at += part;
    if (q->at < size) {
        tr__list_append(&peer->going, &q->going);
        return 0;
    }
    peer->going_count--;
    peer->going_bytes -= size;
    peer->line_moved = true;
    queued_free(q);
    return 0;
}

static void pump_fire(tr__timer *timer)
{
    tr__peer_pump(tr__container(timer, tr__peer, pump));
}

static void pump_again(tr__peer *peer)
{
    tr_loop *loop = peer->remote->loop;
    peer->pump.fire = pump_fire;
    if (tr__timer_arm(loop, &peer->pump, loop->world->ops->now(loop->world)) < 0)
        tr__peer_break(peer);
}

void tr__peer_pump(tr__peer *peer)
{
    const tr__link_ops *ops = peer->link->ops;
    if (tr__list_empty(&peer->line))
        return;
    if (peer->frame != NULL) // sent before
        ops->send(peer->link, &peer->frame);
    int rc = 0;
    for (int i = 0; rc == 0 && i < AT_ONCE && ops->queued(peer->link) == 0; i++) {
        if (peer->line_moved)
            line_move(peer);
        if (tr__list_empty(&peer->going))
            break;
        rc = going_step(peer);
    }
    if (rc < 0)
        tr__peer_break(peer);
    else if (tr__list_empty(&peer->line) && peer->leaves)
        ops->finish(peer->link);
    else if (!tr__list_empty(&peer->line) && ops->queued(peer->link) == 0)
        pump_again(peer);
}

void tr__peer_finish(tr__peer *peer)
{
    peer->leaves = true;
    if (tr__list_empty(&peer->line))
        peer->link->ops->finish(peer->link);
}

// ---- Receiving ----

typedef struct coming {
    tr__list link; // in peer->comings
    uint64_t number;
    size_t got;
    tr_buf *whole;
} coming;

static coming *coming_find(const tr__peer *peer, uint64_t number)
{
    for (tr__list *n = peer->comings.next; n != &peer->comings; n = n->next) {
        coming *c = tr__container(n, coming, link);
        if (c->number == number)
            return c;
    }
    return NULL;
}

static void coming_free(tr__peer *peer, coming *c)
{
    peer->coming_count--;
    peer->coming_bytes -= tr_buf_size(c->whole);
    tr_buf_unref(&c->whole);
    tr__list_remove(&c->link);
    tr__free(c);
}

static int coming_new(tr__peer *peer, uint64_t number, uint64_t size, coming **ret_coming)
{
    if (coming_find(peer, number) != NULL || size == 0)
        return TR_EBADMSG;
    if (size > TR__FRAME_MAX)
        return TR_ETOOBIG;
    if (peer->coming_count > 0 &&
        (peer->coming_count == PIECES_MAX || peer->coming_bytes + size > PIECES_BYTES))
        return TR_EFULL;
    coming *c = tr__alloc(sizeof *c);
    if (c == NULL)
        return TR_ENOMEM;
    *c = (coming){.number = number};
    int rc = tr_buf_new((size_t)size, &c->whole);
    if (rc < 0) {
        tr__free(c);
        return rc;
    }
    peer->coming_count++;
    peer->coming_bytes += (size_t)size;
    tr__list_append(&peer->comings, &c->link);
    *ret_coming = c;
    return 0;
}

int tr__peer_piece(tr__peer *peer, const tr__envelope *e, tr_buf **ret_whole)
{
    coming *c = NULL;
    tr_bytes piece = e->bufs[0];
    int rc = 0;
    if (e->kind == TR__BEGIN)
        rc = coming_new(peer, e->ref, e->bytes, &c);
    else
        c = coming_find(peer, e->ref);
    if (rc < 0)
        return rc;
    if (c == NULL || piece.len > tr_buf_size(c->whole) - c->got)
        return TR_EBADMSG;
    memcpy((uint8_t *)tr_buf_data(c->whole) + c->got, piece.ptr, piece.len);
    c->got += piece.len;
    bool whole = c->got == tr_buf_size(c->whole);
    *ret_whole = whole ? tr_buf_ref(c->whole) : NULL;
    if (whole)
        coming_free(peer, c);
    return 0;
}

// ---- The end ----

void tr__peer_pieces_drop(tr__peer *peer)
{
    tr__timer_disarm(peer->remote->loop, &peer->pump);
    while (!tr__list_empty(&peer->line))
        queued_free(queued_at(peer->line.next));
    while (!tr__list_empty(&peer->comings))
        coming_free(peer, tr__container(peer->comings.next, coming, link));
}
