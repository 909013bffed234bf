// Flows: how much may be on the way to one actor, so that a slow one makes its senders see TR_EFULL
// instead of making anybody's memory grow.
//
// The sender counts what it has sent to an actor (outflow) against a window; the receiver counts
// what that actor has consumed (inflow) and credits it, a quarter of the window at a time. A sender
// that had to refuse says so (WANT): then the receiver credits what it owes at once and as soon as
// the mailbox is empty, so that the last quarter of a window cannot be stuck. A message larger than
// the window is let through when nothing else is on its way.
//
// Flows are made on first use. An outflow goes when all is credited; an inflow when its actor has
// ended and its mail is consumed and credited.
#include "base/assert.h"
#include "base/memory.h"
#include "remote/remote.h"

// ---- What we send ----

static int outflow_get(tr__peer *peer, uint64_t actor, tr__outflow **ret_flow)
{
    tr__outflow *flow = peer->last_out;
    if (flow == NULL || flow->actor != actor)
        flow = tr__map_get(&peer->outflows, actor);
    if (flow == NULL) {
        flow = tr__alloc(sizeof *flow);
        if (flow == NULL)
            return TR_ENOMEM;
        *flow = (tr__outflow){
            .actor = actor, .messages_max = TR__WINDOW_MESSAGES, .bytes_max = TR__WINDOW_BYTES};
        tr__list_init(&flow->waiters);
        if (tr__map_put(&peer->outflows, actor, flow) < 0) {
            tr__free(flow);
            return TR_ENOMEM;
        }
    }
    *ret_flow = peer->last_out = flow;
    return 0;
}

static void outflow_free(tr__peer *peer, tr__outflow *flow)
{
    if (peer->last_out == flow)
        peer->last_out = NULL;
    tr_assert(flow->bytes == 0 && tr__list_empty(&flow->waiters));
    tr__map_remove(&peer->outflows, flow->actor);
    tr__free(flow);
}

static bool outflow_full(const tr__outflow *flow, size_t weight)
{
    return flow->messages >= flow->messages_max ||
           (flow->messages > 0 && flow->bytes + weight > flow->bytes_max);
}

static bool peer_full(const tr__peer *peer, size_t weight)
{
    return peer->bytes > 0 && peer->bytes + weight > TR__WINDOW_PEER_BYTES;
}

static int outflow_refuse(tr__peer *peer, bool *refused)
{
    *refused = true;
    if (!peer->wants)
        peer->wants = tr__peer_post(peer, TR_LIST((int)TR__WANT)) == 0;
    return TR_EFULL;
}

int tr__outflow_take(tr__peer *peer, uint64_t actor, size_t weight, tr__outflow **ret_flow)
{
    if (peer_full(peer, weight))
        return outflow_refuse(peer, &peer->crowded);
    tr__outflow *flow;
    int rc = outflow_get(peer, actor, &flow);
    if (rc < 0)
        return rc;
    if (outflow_full(flow, weight))
        return outflow_refuse(peer, &flow->refused);
    flow->messages++;
    flow->bytes += weight;
    peer->bytes += weight;
    *ret_flow = flow;
    return 0;
}

void tr__outflow_undo(tr__peer *peer, tr__outflow *flow, size_t weight)
{
    flow->messages--;
    flow->bytes -= weight;
    peer->bytes -= weight;
}

int tr__outflow_limit(tr__peer *peer, uint64_t actor, uint32_t messages, uint32_t bytes)
{
    tr__outflow *flow;
    int rc = outflow_get(peer, actor, &flow);
    if (rc < 0)
        return rc;
    if (messages != 0)
        flow->messages_max = messages;
    if (bytes != 0)
        flow->bytes_max = bytes;
    return 0;
}

// There is room: whoever waits in the list may try.
static void waiters_wake(tr__peer *peer, bool *refused, tr__list *waiters)
{
    *refused = false;
    tr__list_splice(&peer->remote->node->loops[0]->writable, waiters);
}

int tr__outflow_credit(tr__peer *peer, const tr__envelope *e)
{
    tr__outflow *flow = tr__map_get(&peer->outflows, e->actor);
    if (flow == NULL || e->messages > flow->messages || e->bytes > flow->bytes)
        return TR_EBADMSG; // credit for what was never sent
    if ((e->messages == flow->messages) != (e->bytes == flow->bytes))
        return TR_EBADMSG; // every message weighs something, so both come to an end at once
    flow->messages -= (uint32_t)e->messages;
    flow->bytes -= e->bytes;
    peer->bytes -= e->bytes;
    peer->wants = false;
    if (flow->messages <= flow->messages_max / 2 && flow->bytes <= flow->bytes_max / 2)
        waiters_wake(peer, &flow->refused, &flow->waiters);
    if (peer->bytes <= TR__WINDOW_PEER_BYTES / 2)
        waiters_wake(peer, &peer->crowded, &peer->waiters);
    bool standard =
        flow->messages_max == TR__WINDOW_MESSAGES && flow->bytes_max == TR__WINDOW_BYTES;
    if (flow->messages == 0 && standard)
        outflow_free(peer, flow);
    return 0;
}

tr__list *tr__outflow_waiters(tr__peer *peer, uint64_t actor)
{
    if (peer->crowded)
        return &peer->waiters;
    tr__outflow *flow = tr__map_get(&peer->outflows, actor);
    return flow != NULL && flow->refused ? &flow->waiters : NULL;
}

void tr__outflows_drop(tr__peer *peer)
{
    size_t at = 0;
    for (tr__outflow *flow; (flow = tr__map_next(&peer->outflows, &at)) != NULL;) {
        waiters_wake(peer, &flow->refused, &flow->waiters);
        tr__free(flow);
    }
    waiters_wake(peer, &peer->crowded, &peer->waiters);
    tr__map_clear(&peer->outflows);
    peer->last_out = NULL;
    peer->bytes = 0;
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
    if (tr__list_empty(&flow->peer->dirty))
        tr__list_append(&flow->peer->remote->dirty, &flow->peer->dirty);
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
    return flow->peer->held > 0 && flow->peer->held + weight > TR__WINDOW_PEER_BYTES;
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
    flow->held_bytes += msg->weight;
    peer->held += msg->weight;
    msg->inflow = flow;
    return 0;
}

void tr__inflow_consumed(tr__inflow *flow, uint32_t weight)
{
    tr_assert(flow->held > 0 && flow->held_bytes >= weight);
    flow->held--;
    flow->held_bytes -= weight;
    flow->owed++;
    flow->owed_bytes += weight;
    if (flow->peer != NULL)
        flow->peer->held -= weight;
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
