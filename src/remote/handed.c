// Handles that go over a link: what has been handed over and may come back.
//
// Whoever sends handles keeps the message until the other side says that a handler has taken it, or
// that none will: then it comes back to its sender. So does all that is still kept when a child has
// been reaped and all that it had said is known; but nothing of a child whose link was given up
// before, for it may have taken that, and nothing when the parent is lost, for that may have it,
// and this node ends. A descriptor that is sent is sent on and kept, not copied; the frame that it
// is in holds it as well.
//
// Whoever gets them says that they are taken when the first of a message is. What the parent has
// lent is not touched before that has left: those who wait for that stand at gates. Nor does it go
// on to a child: the frame that it is in is held at the child's link, and what is said behind it
// waits, too.
#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"
#include "remote/remote.h"

// ---- Sending ----

bool tr__peer_carries(const tr__peer *peer)
{
    return peer->inherited && !peer->takes_none;
}

static void hand_parcels(tr__frame *frame, const tr__cargo *cargo)
{
    for (uint32_t i = 0; i < cargo->count; i++)
        tr__frame_carry(frame, cargo->handles[i]->parcel);
}

// [19, ref, [whether it has bytes, ...]], right in front of its message.
static int hand_announce(tr__frame *frame, const tr__cargo *cargo, uint64_t ref)
{
    tr_val with_bytes[TR_HANDLES_MAX];
    for (uint32_t i = 0; i < cargo->count; i++)
        with_bytes[i] = TR_V((bool)(cargo->handles[i]->bytes != NULL));
    return tr__envelope_put(frame,
                            TR_LIST((int)TR__HANDLES, ref, tr_val_list(with_bytes, cargo->count)));
}

size_t tr__handed_bufs(const tr_msg *msg, tr_buf *bufs[TR_BUFS_MAX])
{
    const tr__cargo *cargo = tr__msg_cargo(msg);
    size_t count = msg->buf_count;
    for (size_t i = 0; i < count; i++)
        bufs[i] = tr_msg_buf(msg, i);
    for (uint32_t i = 0; i < cargo->count; i++)
        if (cargo->handles[i]->bytes != NULL)
            bufs[count++] = cargo->handles[i]->bytes;
    return count;
}

// A message that was held may leave. Those of a peer are let go in the order in which they went.
static void hand_pass(tr_loop *loop, tr__gate *gate)
{
    tr__peer *peer = tr__peer_find(loop->remote, gate->goes);
    if (peer == NULL || peer->link == NULL) {
        tr__free(gate);
        return;
    }
    if (gate->status < 0)
        tr__peer_break(peer); // it was not ours to give, and nothing may overtake it
    else if (peer->link->ops->let_go(peer->link))
        tr__peer_drained(peer);
    else if (peer->frame != NULL && tr__frame_is_held(peer->frame))
        tr__frame_let_go(peer->frame);
    else
        tr__peer_line_let_go(peer);
    tr__free(gate);
}

// The receipt of what another one than this peer has lent; NULL: nothing of it is.
static const tr__receipt *hand_lent(const tr__peer *peer, const tr__cargo *cargo)
{
    for (uint32_t i = 0; i < cargo->count; i++) {
        const tr__receipt *receipt = &cargo->handles[i]->receipt;
        if (receipt->lent && receipt->node != peer->node) // by the same one, of which there is one
            return receipt;
    }
    return NULL;
}

bool tr__peer_hand_waits(const tr__peer *peer, const tr_msg *msg)
{
    return hand_lent(peer, tr__msg_cargo(msg)) != NULL;
}

// *ret_gate: NULL: there is nothing to wait for
static int hand_gate(const tr__peer *peer, const tr__cargo *cargo, tr__gate **ret_gate)
{
    const tr__receipt *receipt = hand_lent(peer, cargo);
    *ret_gate = NULL;
    return receipt == NULL ? 0 : tr__gate_new(peer->remote->loop, receipt, ret_gate);
}

static void hand_hold(tr__peer *peer, tr__frame *frame, tr__gate *gate)
{
    tr_loop *loop = peer->remote->loop;
    gate->goes = peer->node;
    gate->done = hand_pass;
    tr__frame_hold(frame);
    int rc = tr__gate_wait(loop, gate);
    if (rc != TR_LATER)
        tr__peer_break(peer);
}

int tr__peer_hand(tr__peer *peer, tr__frame *frame, const tr__letter *letter)
{
    tr_msg *msg = *letter->carrier;
    tr__cargo *cargo = tr__msg_cargo(msg);
    uint64_t ref = peer->handed_last + 1;
    tr__gate *gate;
    int rc = hand_gate(peer, cargo, &gate);
    if (rc < 0)
        return rc;
    rc = tr__map_put(&peer->handed, ref, msg);
    if (rc < 0) {
        tr__free(gate);
        return rc;
    }
    rc = tr__frame_carry_room(frame, cargo->count);
    if (rc == 0)
        rc = hand_announce(frame, cargo, ref);
    if (rc < 0) {
        tr__map_remove(&peer->handed, ref);
        tr__free(gate);
        return rc;
    }
    hand_parcels(frame, cargo);
    if (gate != NULL)
        hand_hold(peer, frame, gate);
    return 0;
}

void tr__peer_hand_undo(tr__peer *peer)
{
    tr__map_remove(&peer->handed, peer->handed_last + 1);
}

void tr__peer_handed(tr__peer *peer, const tr__letter *letter)
{
    peer->handed_last++;
    tr__msg_cargo(*letter->carrier)->to = letter->to;
    *letter->carrier = NULL;
}

// ---- What becomes of it ----

// NULL: it has come back meanwhile. errors: TR_EBADMSG: it was never sent
static int handed_take(tr__peer *peer, uint64_t ref, tr_msg **ret_msg)
{
    if (ref == 0 || ref > peer->handed_last)
        return TR_EBADMSG;
    *ret_msg = tr__map_remove(&peer->handed, ref);
    while (peer->handed_first <= peer->handed_last &&
           tr__map_get(&peer->handed, peer->handed_first) == NULL)
        peer->handed_first++;
    return 0;
}

static void handed_forget(tr_msg *msg)
{
    const tr__cargo *cargo = tr__msg_cargo(msg);
    for (uint32_t i = 0; i < cargo->count; i++)
        cargo->handles[i]->parcel->given = true;
    tr_msg_free(&msg);
}

int tr__peer_taken(tr__peer *peer, const tr__envelope *e)
{
    tr_msg *msg;
    int rc = handed_take(peer, e->ref, &msg);
    if (rc == 0 && msg != NULL)
        handed_forget(msg);
    return rc;
}

int tr__peer_returned(tr__peer *peer, const tr__envelope *e)
{
    tr_msg *msg;
    int rc = handed_take(peer, e->ref, &msg);
    if (rc == 0 && msg != NULL)
        tr__cargo_return(peer->remote->loop, &msg, tr__msg_cargo(msg)->to, (int)e->error);
    return rc;
}

void tr__peer_handed_return(tr__peer *peer, int why)
{
    for (uint64_t ref = peer->handed_first; peer->handed.count > 0; ref++) {
        tr_msg *msg = tr__map_remove(&peer->handed, ref);
        if (msg != NULL)
            tr__cargo_return(peer->remote->loop, &msg, tr__msg_cargo(msg)->to, why);
    }
    tr__map_clear(&peer->handed);
}

void tr__peer_handed_end(tr__peer *peer, bool known)
{
    size_t at = 0;
    for (tr_msg *msg; !known && (msg = tr__map_next(&peer->handed, &at)) != NULL;)
        tr__dead_msg(peer->remote->loop, msg, tr__msg_cargo(msg)->to, TR_EDOWN);
    if (known)
        tr__peer_handed_return(peer, TR_EDOWN);
    else
        tr__peer_handed_drop(peer);
}

void tr__peer_handed_drop(tr__peer *peer)
{
    size_t at = 0;
    for (tr_msg *msg; (msg = tr__map_next(&peer->handed, &at)) != NULL;)
        tr_msg_free(&msg);
    tr__map_clear(&peer->handed);
}

// ---- Receiving ----

int tr__peer_announced(tr__peer *peer, const tr__envelope *e)
{
    if (!peer->inherited)
        return TR_EBADMSG;
    peer->announced = *e;
    return 0;
}

// The parcel that is next, of those that came with this frame. lost: there is none
static int announced_claim(tr__peer *peer, tr_handle *handle, bool *lost)
{
    int rc = peer->link->ops->claim(peer->link, &handle->parcel);
    *lost |= rc == -EMFILE;
    return rc == -EMFILE ? 0 : rc;
}

static int announced_handle(tr__peer *peer, tr__cargo *cargo, tr_buf *bytes, bool *lost)
{
    tr_handle *handle = tr__zalloc(sizeof *handle);
    if (handle == NULL)
        return TR_ENOMEM;
    handle->receipt = cargo->receipt;
    handle->bytes = bytes == NULL ? NULL : tr_buf_ref(bytes);
    cargo->with_bytes += bytes != NULL;
    cargo->handles[cargo->count++] = handle;
    return announced_claim(peer, handle, lost);
}

int tr__peer_claim(tr__peer *peer, const tr__envelope *announced, tr_buf *const *bytes, tr_msg *msg,
                   bool *ret_lost)
{
    tr__cargo *cargo;
    int rc = tr__cargo_of(msg, &cargo);
    *ret_lost = false;
    if (rc < 0)
        return rc;
    cargo->receipt = (tr__receipt){.node = peer->node,
                                   .ref = announced->ref,
                                   .loop = peer->remote->loop->index,
                                   .lent = peer == peer->remote->parent};
    for (size_t i = 0; rc == 0 && i < announced->handle_count; i++)
        rc = announced_handle(peer, cargo, announced->with_bytes[i] ? *bytes++ : NULL, ret_lost);
    return rc;
}

void tr__peer_cargo_done(tr__peer *peer, const tr_msg *msg)
{
    const tr__cargo *cargo = tr__msg_cargo(msg);
    if (peer == NULL || peer->link == NULL || cargo->accepted)
        return;
    if (cargo->letter.why < 0)
        tr__peer_post(peer, TR_LIST((int)TR__RETURNED, cargo->receipt.ref, cargo->letter.why));
    else
        tr__peer_post(peer, TR_LIST((int)TR__TAKEN, cargo->receipt.ref));
}

int tr__remote_taken(tr_loop *loop, const tr__receipt *receipt)
{
    tr__peer *peer = tr__peer_find(loop->remote, receipt->node);
    int rc = TR_EDOWN;
    if (peer != NULL && peer->link != NULL)
        rc = tr__peer_post(peer, TR_LIST((int)TR__TAKEN, receipt->ref));
    return rc < 0 && receipt->lent ? TR_EDOWN : 0;
}

// ---- Gates ----

int tr__remote_await(tr_loop *loop, tr__gate *gate)
{
    tr__peer *peer = tr__peer_find(loop->remote, gate->receipt.node);
    if (peer == NULL || peer->link == NULL)
        return TR_EDOWN;
    gate->mark = TR__NEVER; // set by the next flush
    tr__list_append(&peer->gates, &gate->link);
    tr__peer_dirty(peer);
    return TR_LATER;
}

static tr__gate *gate_at(tr__list *node)
{
    return tr__container(node, tr__gate, link);
}

void tr__peer_gates_mark(tr__peer *peer)
{
    uint64_t given = peer->link->ops->given(peer->link);
    for (tr__list *n = peer->gates.prev; n != &peer->gates && gate_at(n)->mark == TR__NEVER;
         n = n->prev)
        gate_at(n)->mark = given;
}

void tr__peer_gates_open(tr__peer *peer)
{
    tr_loop *loop = peer->remote->loop;
    while (!tr__list_empty(&peer->gates) && peer->link != NULL) {
        tr__gate *gate = gate_at(peer->gates.next);
        if (gate->mark > peer->link->told)
            return;
        tr__list_remove(&gate->link);
        tr__gate_open(loop, gate, 0);
    }
}

void tr__peer_gates_shut(tr__peer *peer)
{
    for (tr__list *node; (node = tr__list_pop(&peer->gates)) != NULL;) {
        tr__gate *gate = gate_at(node);
        tr__gate_open(peer->remote->loop, gate, TR_EDOWN);
    }
}
