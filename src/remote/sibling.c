// Siblings: links between the children of one parent, so that they need not go through it.
//
// Whoever says something to a node that nobody here knows, in a child, asks the parent for an
// introduction (introduce.c), and what is said waits as frames:
//
//     sought --meet--> meeting --hello--> an ordinary peer
//        \ unknown       \ the socket ends, or no hello that will do
//         `---------------`--> lost: the frames are dead letters, as if nobody had been there
//
// Nothing leaves before the other side's hello has come: so what waits is known not to have
// arrived, until it is on its way. The frames stand in one line, and messages are counted in the
// windows of the peer, as ever.
//
// When both ask at once there are two introductions, and both hear of both, in the same order. Each
// keeps the first: the second one was asked for by somebody who had not heard of that (`last`). One
// that was asked for after it has been heard of is by somebody who has lost it, and takes its
// place.
//
// These links are the first loop's, like that to the parent. Groups know nothing of them
// (groups.c): theirs have to be a tree. Nor are there heartbeats: both are on one machine, where an
// end is told.
#include "base/log.h"
#include "base/memory.h"
#include "data/doc.h"
#include "remote/remote.h"

// ---- Those that the parent does not know ----

// A node's id is never used again, so it need not be asked for twice. Under the outside's lock.
static bool outside_is_strange(const tr__outside *outside, uint64_t node)
{
    size_t i = 0;
    while (i < TR__STRANGE && outside->strange[i] != node)
        i++;
    return i < TR__STRANGE;
}

bool tr__outside_seeks(tr__outside *outside, uint64_t node)
{
    tr__lock_take(&outside->lock);
    bool seeks = outside->meets && node != 0 && !outside_is_strange(outside, node);
    tr__lock_give(&outside->lock);
    return seeks;
}

void tr__outside_remember(tr__outside *outside, uint64_t node)
{
    tr__lock_take(&outside->lock);
    outside->strange[outside->strange_at++ % TR__STRANGE] = node;
    tr__lock_give(&outside->lock);
}

void tr__outside_meets(tr__outside *outside, bool meets)
{
    tr__lock_take(&outside->lock);
    outside->meets = meets;
    tr__lock_give(&outside->lock);
}

// ---- Seeking ----

static int sibling_new(tr__remote *remote, uint64_t node, tr__peer **ret_peer)
{
    tr__peer *peer = NULL;
    int rc = tr__peer_new(remote, node, &peer);
    if (rc < 0)
        return rc;
    peer->sibling = peer->local = true;
    rc = tr__link_wait_open(&peer->link);
    if (rc < 0)
        tr__peer_free(&peer);
    else
        *ret_peer = peer;
    return rc;
}

int tr__sibling_seek(tr__remote *remote, uint64_t node, tr__peer **ret_peer)
{
    tr__peer *peer;
    if (remote == NULL || remote->parent == NULL || remote->stage >= TR__LEAVING ||
        !tr__outside_seeks(remote->outside, node))
        return TR_EDOWN;
    int rc = sibling_new(remote, node, &peer);
    if (rc < 0)
        return rc;
    rc = tr__peer_post(remote->parent, TR_LIST((int)TR__INTRODUCE, node, remote->introduced));
    if (rc < 0)
        tr__peer_free(&peer);
    else
        *ret_peer = peer;
    return rc;
}

// ---- Meeting ----

static int sibling_hello(tr__peer *peer)
{
    const tr_node *node = peer->remote->loop->node;
    tr__frame *frame;
    int rc = tr__frame_new(&frame);
    if (rc < 0)
        return rc;
    rc = tr__envelope_put(
        frame, TR_LIST((int)TR__HELLO,
                       TR_MAP("troupe", TR__PROTOCOL, "least", TR__PROTOCOL_LEAST, "node", node->id,
                              "name", node->name, "handles", (bool)true, "pieces", (bool)true)));
    if (rc == 0)
        peer->coming->ops->send(peer->coming, &frame);
    tr__frame_free(&frame);
    return rc;
}

static int sibling_meet(tr__peer *peer, tr_parcel **end)
{
    tr_world *world = peer->remote->loop->world;
    tr_endpoint *endpoint;
    int rc = world->ops->endpoint_enter(world, end, &endpoint);
    if (rc == 0)
        rc = tr__peer_connect(peer, endpoint);
    return rc < 0 ? rc : sibling_hello(peer);
}

// The peer that an introduction is for; NULL: for none.
static tr__peer *sibling_of(tr__remote *remote, const tr__envelope *e)
{
    tr__peer *peer = tr__map_get(&remote->nodes, e->node);
    if (peer != NULL && peer->sibling && peer->number != 0 && peer->number <= e->last) {
        tr__peer_lost(peer);
        peer = NULL;
    }
    if (peer == NULL && remote->stage < TR__LEAVING)
        sibling_new(remote, e->node, &peer); // without memory the other one finds an end
    return peer != NULL && peer->sibling && peer->number == 0 ? peer : NULL;
}

int tr__sibling_met(tr__peer *parent, const tr__envelope *e)
{
    tr__remote *remote = parent->remote;
    tr_parcel *end = NULL;
    if (parent != remote->parent)
        return 0; // nobody else's; with a socket it breaks the rules of the link
    int rc = parent->link->ops->claim(parent->link, &end);
    if (rc < 0 && rc != -EMFILE)
        return rc;
    remote->introduced = e->ref;
    tr__peer *peer = sibling_of(remote, e);
    if (peer != NULL) {
        peer->number = e->ref;
        if (rc == 0)
            rc = sibling_meet(peer, &end);
        if (rc < 0) {
            tr__warn("peer.lost", "node=%016llx error=%s: no link to a sibling",
                     (unsigned long long)peer->node, tr_errname(rc));
            tr__peer_lost(peer);
        }
    }
    tr__parcel_unref(&end);
    return 0;
}

void tr__sibling_greeted(tr__peer *peer)
{
    for (tr__frame *frame; (frame = tr__link_wait_pop(peer->link)) != NULL;)
        peer->coming->ops->send(peer->coming, &frame);
    peer->link->ops->free(&peer->link);
    peer->link = peer->coming;
    peer->coming = NULL;
}

// ---- In vain ----

static void letter_bury(tr__peer *peer, const tr__envelope *e)
{
    tr_loop *loop = peer->remote->loop;
    tr__letter letter = {.from =
                             e->from.node == 0 ? (tr_addr){loop->node->id, e->from.actor} : e->from,
                         .to = {peer->node, e->actor},
                         .name = e->text.ptr,
                         .name_len = e->text.len};
    tr__doc_view(e->packed, &letter.body);
    tr__dead_letter(loop, &letter, TR_EDOWN);
}

static int frame_join(const tr__frame *frame, tr_buf **ret_bytes)
{
    size_t at = 0, size = tr__frame_size(frame), head = tr__frame_total(frame) - size;
    int rc = tr_buf_new(size == 0 ? 1 : size, ret_bytes);
    tr_iov iov;
    while (rc == 0 && at < size && tr__frame_pieces(frame, head + at, &iov, 1) == 1) {
        memcpy((uint8_t *)tr_buf_data(*ret_bytes) + at, iov.base, iov.len);
        at += iov.len;
    }
    return rc;
}

static void frame_bury(tr__peer *peer, const tr__frame *frame)
{
    tr_buf *bytes = NULL;
    size_t at = 0, used, size = tr__frame_size(frame);
    tr__envelope e;
    if (frame_join(frame, &bytes) < 0) {
        tr__warn("peer.lost", "node=%016llx error=TR_ENOMEM: what was sent to it is dropped",
                 (unsigned long long)peer->node);
        return;
    }
    const uint8_t *data = tr_buf_data(bytes);
    for (; at < size && tr__envelope_read(data + at, size - at, &e, &used) == 0; at += used)
        if (e.kind == TR__MESSAGE || e.kind == TR__ASK)
            letter_bury(peer, &e);
    tr_buf_unref(&bytes);
}

void tr__sibling_bury(tr__peer *peer)
{
    tr__frame *frame;
    while ((frame = tr__link_wait_pop(peer->link)) != NULL) {
        frame_bury(peer, frame);
        tr__frame_free(&frame);
    }
    if (peer->frame != NULL)
        frame_bury(peer, peer->frame);
    tr__peer_handed_return(peer, TR_EDOWN);
}

// A sibling's end is not told by its status, but by the link. Who closes that itself keeps nothing:
// neither what it has sent and the other one may have taken, nor what it has got and not said to
// have taken. Who reads to its end has heard of all that was taken: what it has sent otherwise is
// its own again, and what it has got nobody else wants any more.
void tr__sibling_hands(tr__peer *peer)
{
    tr__remote *remote = peer->remote;
    if (!peer->sibling)
        return;
    if (!peer->read_out && peer->number > remote->given_up)
        remote->given_up = peer->number;
    if (peer->greeted)
        tr__peer_handed_end(peer, peer->read_out);
}

void tr__sibling_unknown(tr__peer *parent, const tr__envelope *e)
{
    tr__remote *remote = parent->remote;
    tr__peer *peer = tr__map_get(&remote->nodes, e->node);
    if (parent != remote->parent || peer == NULL || !peer->sibling || peer->number != 0)
        return;
    if (e->error == TR_EDOWN)
        tr__outside_remember(remote->outside, e->node);
    tr__peer_lost(peer);
}

void tr__siblings_give_up(tr__remote *remote)
{
    tr__list *next;
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        next = at->next;
        if (peer->sibling && peer->number == 0)
            tr__peer_lost(peer);
    }
}
