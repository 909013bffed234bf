// Flows: how much may be on the way to one actor, so that a slow one makes its senders see TR_EFULL
// instead of making anybody's memory grow.
//
// The sender counts what it has sent to an actor (outflow) against a window; the receiver counts
// what that actor has consumed (inflow) and credits it, a quarter of the window at a time. A sender
// that had to refuse says so (WANT): then the receiver credits what it owes at once and as soon as
// the mailbox is empty, so that the last quarter of a window cannot be stuck. A message larger than
// the window is let through when nothing else is on its way.
//
// An inflow is made on first use, and goes when its actor has ended and its mail is consumed and
// credited.
#include "base/assert.h"
#include "base/memory.h"
#include "remote/remote.h"

// ---- What we send ----

int tr__outflow_take(tr__peer *peer, uint64_t actor, size_t weight, tr__window **ret_window)
{
    int rc = tr__window_take(&peer->outflows, actor, weight, ret_window);
    if (rc == TR_EFULL && !peer->wants)
        peer->wants = tr__peer_post(peer, TR_LIST((int)TR__WANT)) == 0;
    return rc;
}

int tr__outflow_credit(tr__peer *peer, const tr__envelope *e)
{
    tr__window *window = tr__window_find(&peer->outflows, e->actor);
    if (window == NULL || e->messages > window->messages || e->bytes > window->bytes)
        return TR_EBADMSG; // credit for what was never sent
    if ((e->messages == window->messages) != (e->bytes == window->bytes))
        return TR_EBADMSG; // every message weighs something, so both come to an end at once
    peer->wants = false;
    tr__window_give(&peer->outflows, window, (uint32_t)e->messages, e->bytes,
                    &peer->remote->loop->writable);
    return 0;
}

void tr__outflows_drop(tr__peer *peer)
{
    tr__windows_clear(&peer->outflows, &peer->remote->loop->writable);
}

// ---- What we receive ----

static void inflow_free(tr__inflow *flow)
{
    tr__list_remove(&flow->watcher.link);
    tr__list_remove(&flow->crediting);
    if (flow->peer != NULL) {
        if (flow->peer->last_in == flow)
            flow->peer->last_in = NULL;
        tr__map_remove(&flow->peer->inflows, flow->actor);
    }
    tr__free(flow);
}

// Have the next flush credit it.
static void inflow_credit_soon(tr__inflow *flow)
{
    if (!tr__list_empty(&flow->crediting))
        return;
    tr__list_append(&flow->peer->crediting, &flow->crediting);
    tr__peer_dirty(flow->peer);
}

static void inflow_settle(tr__inflow *flow)
{
    if (flow->peer == NULL) {
        if (flow->held == 0)
            inflow_free(flow);
        return;
    }
    bool last = flow->held == 0 && (flow->gone || flow->wanted);
    if (last || flow->owed >= flow->credit_messages || flow->owed_bytes >= flow->credit_bytes)
        inflow_credit_soon(flow);
}

static void inflow_ended(tr__watcher *watcher, tr_reason reason)
{
    (void)reason;
    tr__inflow *flow = tr__container(watcher, tr__inflow, watcher);
    flow->gone = true;
    inflow_settle(flow);
}

// An actor with a smaller mailbox credits sooner: its parent sends by that window.
static tr__inflow *inflow_new(tr__peer *peer, uint64_t id, tr_actor *actor)
{
    tr__inflow *flow = tr__zalloc(sizeof *flow);
    if (flow == NULL)
        return NULL;
    uint32_t messages = TR__WINDOW_MESSAGES, bytes = TR__WINDOW_BYTES;
    if (actor != NULL) {
        messages = actor->mail_max < messages ? actor->mail_max : messages;
        bytes = actor->mail_bytes_max < bytes ? actor->mail_bytes_max : bytes;
    }
    flow->peer = peer;
    flow->actor = id;
    flow->credit_messages = (messages + 3) / 4;
    flow->credit_bytes = (bytes + 3) / 4;
    flow->gone = actor == NULL;
    flow->watcher.ended = inflow_ended;
    tr__list_init(&flow->watcher.link);
    tr__list_init(&flow->crediting);
    return flow;
}

static int inflow_get(tr__peer *peer, uint64_t id, tr_actor *actor, tr__inflow **ret_flow)
{
    tr__inflow *flow = peer->last_in;
    if (flow == NULL || flow->actor != id)
        flow = tr__map_get(&peer->inflows, id);
    if (flow == NULL) {
        flow = inflow_new(peer, id, actor);
        if (flow == NULL || tr__map_put(&peer->inflows, id, flow) < 0) {
            tr__free(flow);
            return TR_ENOMEM;
        }
        if (actor != NULL)
            tr__list_append(&actor->watchers, &flow->watcher.link);
    }
    *ret_flow = peer->last_in = flow;
    return 0;
}

static bool inflow_over(const tr__inflow *flow, const tr_actor *actor, uint32_t weight)
{
    uint32_t messages = TR__WINDOW_MESSAGES, bytes = TR__WINDOW_BYTES;
    if (actor != NULL) {
        messages = actor->mail_max > messages ? actor->mail_max : messages;
        bytes = actor->mail_bytes_max > bytes ? actor->mail_bytes_max : bytes;
    }
    if (flow->held >= messages || (flow->held > 0 && flow->held_bytes + weight > bytes))
        return true;
    const tr__peer *peer = flow->peer;
    uint64_t over = peer->held_over - tr__window_over(flow->held_bytes) +
                    tr__window_over(flow->held_bytes + weight);
    return peer->held > 0 && peer->held + weight - over > TR__WINDOW_PEER_BYTES;
}

// A message comes, or goes (a negative weight).
static void inflow_hold(tr__inflow *flow, int64_t weight)
{
    tr__peer *peer = flow->peer;
    uint64_t over = tr__window_over(flow->held_bytes);
    flow->held_bytes += (uint64_t)weight;
    if (peer == NULL)
        return;
    peer->held += (uint64_t)weight;
    peer->held_over += tr__window_over(flow->held_bytes) - over;
}

int tr__inflow_take(tr__peer *peer, uint64_t id, tr_actor *actor, tr_msg *msg)
{
    tr__inflow *flow;
    int rc = inflow_get(peer, id, actor, &flow);
    if (rc < 0)
        return rc;
    if (inflow_over(flow, actor, msg->weight))
        return TR_EFULL;
    flow->held++;
    inflow_hold(flow, msg->weight);
    msg->flow = flow;
    msg->linked = true;
    msg->home = (uint16_t)peer->remote->loop->index;
    return 0;
}

void tr__inflow_consumed(tr__inflow *flow, uint32_t weight)
{
    tr_assert(flow->held > 0 && flow->held_bytes >= weight);
    flow->held--;
    inflow_hold(flow, -(int64_t)weight);
    flow->owed++;
    flow->owed_bytes += weight;
    inflow_settle(flow);
}

void tr__inflows_want(tr__peer *peer)
{
    size_t at = 0;
    for (tr__inflow *flow; (flow = tr__map_next(&peer->inflows, &at)) != NULL;) {
        flow->wanted = flow->held > 0;
        if (flow->owed > 0)
            inflow_credit_soon(flow);
    }
}

int tr__inflows_credit(tr__peer *peer)
{
    while (!tr__list_empty(&peer->crediting)) {
        tr__inflow *flow = tr__container(peer->crediting.next, tr__inflow, crediting);
        int rc = 0;
        if (flow->owed > 0)
            rc = tr__peer_post(peer,
                               TR_LIST((int)TR__CREDIT, flow->actor, flow->owed, flow->owed_bytes));
        if (rc < 0)
            return rc;
        tr__list_remove(&flow->crediting);
        flow->owed = 0;
        flow->owed_bytes = 0;
        flow->wanted = flow->wanted && flow->held > 0;
        if (flow->gone && flow->held == 0)
            inflow_free(flow);
    }
    return 0;
}

void tr__inflows_drop(tr__peer *peer)
{
    size_t at = 0;
    for (tr__inflow *flow; (flow = tr__map_next(&peer->inflows, &at)) != NULL;) {
        tr__list_remove(&flow->crediting);
        flow->peer = NULL;
        if (flow->held == 0) {
            tr__list_remove(&flow->watcher.link);
            tr__free(flow);
        }
    }
    tr__map_clear(&peer->inflows);
    peer->last_in = NULL;
}
