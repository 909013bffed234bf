// Handles that go over a link: what has been handed over and may come back.
//
// Whoever sends handles keeps the message until the other side says that a handler has taken it, or
// that none will: then it comes back to its sender. So does all that is still kept when a child has
// been reaped and all that it had said is known; but nothing of a child whose link was given up
// before, for it may have taken that, and nothing when the parent is lost, for that may have it,
// and this node ends. What becomes of a sibling's is in sibling.c. A descriptor that is sent is sent
// on and kept, not copied; the frame that it is in holds it as well.
//
// Whoever gets them says that they are taken when the first of a message is. What the parent or a
// sibling has lent is not touched before that has left: those who wait for that stand at gates. Nor
// does it go on to somebody else: the frame that it is in is held at that link, and what is said
// behind it waits, too.
#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"
#include "remote/remote.h"

// ---- Sending ----

bool tr__peer_carries(const tr__peer *peer)
{
    return peer->local && !peer->takes_none;
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

static tr__gate *hold_at(tr__list *node)
{
    return tr__container(node, tr__gate, hold);
}

// Those who have lent may be several; what they let pass leaves in the order in which it went.
static void hand_pass(tr_loop *loop, tr__gate *gate)
{
    tr__peer *peer = tr__peer_find(loop->remote, gate->goes);
    if (tr__list_empty(&gate->hold)) { // that link is lost
        tr__free(gate);
        return;
    }
    gate->passed = true;
    if (gate->status < 0)
        tr__peer_break(peer); // it was not ours to give, and nothing may overtake it
    while (!tr__list_empty(&peer->holds) && hold_at(peer->holds.next)->passed) {
        tr__gate *first = hold_at(peer->holds.next);
        if (first->status < 0)
            return;
        tr__list_remove(&first->hold);
        tr__free(first);
        if (peer->link->ops->let_go(peer->link))
            tr__peer_drained(peer);
        else if (peer->frame != NULL && tr__frame_is_held(peer->frame))
            tr__frame_let_go(peer->frame);
        else
            tr__peer_line_let_go(peer);
    }
}

void tr__peer_holds_drop(tr__peer *peer)
{
    for (tr__list *node; (node = tr__list_pop(&peer->holds)) != NULL;)
        if (hold_at(node)->passed)
            tr__free(hold_at(node));
}

typedef struct hand_gates {
    tr__gate *all[TR_HANDLES_MAX];
    size_t count;
} hand_gates;

static void hand_gates_free(hand_gates *gates)
{
    while (gates->count > 0)
        tr__free(gates->all[--gates->count]);
}

static bool same_lender(const tr__receipt *a, uint64_t node, uint64_t number)
{
    return a->node == node && a->number == number;
}

bool tr__peer_hand_waits(const tr__peer *peer, const tr_msg *msg)
{
    const tr__cargo *cargo = tr__msg_cargo(msg);
    uint32_t i = 0;
    while (i < cargo->count && (!cargo->handles[i]->receipt.lent ||
                                same_lender(&cargo->handles[i]->receipt, peer->node, peer->number)))
        i++;
    return i < cargo->count;
}

// One for each who has lent some of the handles, but for the peer itself.
static int hand_gates_new(const tr__peer *peer, const tr__cargo *cargo, hand_gates *ret_gates)
{
    hand_gates gates = {.count = 0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < cargo->count; i++) {
        const tr__receipt *receipt = &cargo->handles[i]->receipt;
        bool known = same_lender(receipt, peer->node, peer->number);
        for (size_t j = 0; j < gates.count; j++)
            known |= same_lender(&gates.all[j]->receipt, receipt->node, receipt->number);
        tr__gate *gate = NULL;
        if (!known)
            rc = tr__gate_new(peer->remote->loop, receipt, &gate);
        if (gate != NULL)
            gates.all[gates.count++] = gate;
    }
    if (rc < 0)
        hand_gates_free(&gates);
    *ret_gates = gates;
    return rc;
}

static void hand_hold(tr__peer *peer, tr__frame *frame, tr__gate *gate)
{
    gate->goes = peer->node;
    gate->done = hand_pass;
    tr__list_init(&gate->hold);
    int rc = tr__gate_wait(peer->remote->loop, gate);
    if (rc == TR_LATER) {
        tr__list_append(&peer->holds, &gate->hold);
        tr__frame_hold(frame);
    } else if (rc < 0) {
        tr__peer_break(peer);
    }
}

int tr__peer_hand(tr__peer *peer, tr__frame *frame, const tr__letter *letter)
{
    tr_msg *msg = *letter->carrier;
    tr__cargo *cargo = tr__msg_cargo(msg);
    uint64_t ref = peer->handed_last + 1;
    hand_gates gates;
    int rc = hand_gates_new(peer, cargo, &gates);
    if (rc < 0)
        return rc;
    rc = tr__map_put(&peer->handed, ref, msg);
    if (rc < 0) {
        hand_gates_free(&gates);
        return rc;
    }
    rc = tr__frame_carry_room(frame, cargo->count);
    if (rc == 0)
        rc = hand_announce(frame, cargo, ref);
    if (rc < 0) {
        tr__map_remove(&peer->handed, ref);
        hand_gates_free(&gates);
        return rc;
    }
    hand_parcels(frame, cargo);
    for (size_t i = 0; i < gates.count; i++)
        hand_hold(peer, frame, gates.all[i]);
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
    if (!peer->local)
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
                                   .number = peer->number,
                                   .loop = peer->remote->loop->index,
                                   .lent = peer == peer->remote->parent || peer->sibling};
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

// NULL: the link that it came over is lost. There may be another one to that sibling since.
static tr__peer *receipt_peer(const tr_loop *loop, const tr__receipt *receipt)
{
    tr__peer *peer = tr__peer_find(loop->remote, receipt->node);
    bool same = peer != NULL && peer->link != NULL && peer->number == receipt->number;
    return same ? peer : NULL;
}

// Whether it has gone back with its link. Of a sibling: see tr__sibling_hands.
static int receipt_lost(const tr_loop *loop, const tr__receipt *receipt)
{
    const tr__remote *remote = loop->remote;
    bool left = receipt->number != 0 && remote != NULL && receipt->number > remote->given_up;
    return receipt->lent && !left ? TR_EDOWN : 0;
}

int tr__remote_taken(tr_loop *loop, const tr__receipt *receipt)
{
    tr__peer *peer = receipt_peer(loop, receipt);
    int rc = TR_EDOWN;
    if (peer != NULL)
        rc = tr__peer_post(peer, TR_LIST((int)TR__TAKEN, receipt->ref));
    return rc < 0 ? receipt_lost(loop, receipt) : 0;
}

// ---- Gates ----

int tr__remote_await(tr_loop *loop, tr__gate *gate)
{
    tr__peer *peer = receipt_peer(loop, &gate->receipt);
    if (peer == NULL)
        return receipt_lost(loop, &gate->receipt);
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
    tr_loop *loop = peer->remote->loop;
    for (tr__list *node; (node = tr__list_pop(&peer->gates)) != NULL;) {
        tr__gate *gate = gate_at(node);
        tr__gate_open(loop, gate, receipt_lost(loop, &gate->receipt));
    }
}
