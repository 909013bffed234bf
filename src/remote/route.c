// The route: what the core calls for everything that is not on this node, and the end of a node.
//
// A node ends in steps: its children are stopped, all at once, and reaped; then every peer is told
// bye, and what has been sent leaves, up to a deadline. Nothing that was accepted is lost at an
// orderly end, unless the receiver stops reading.
#include "core/route.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/doc.h"
#include "remote/remote.h"

#define FLUSH_MS 5000u

const tr_behavior *tr__remote_behavior(const tr__remote *remote, tr_str name)
{
    for (size_t i = 0; remote->app != NULL && i < remote->app->count; i++) {
        if (tr_str_eq(name, remote->app->behaviors[i]->name))
            return remote->app->behaviors[i];
    }
    return NULL;
}

static tr__peer *route_peer(tr_node *node, tr_addr to)
{
    tr__peer *peer = tr__peer_find(node->remote, to.node);
    return peer == NULL || peer->link == NULL ? NULL : peer;
}

static int letter_weight(const tr__letter *letter, size_t *ret_body, size_t *ret_weight)
{
    int rc = tr__doc_size(&letter->body, ret_body);
    if (rc < 0)
        return rc;
    size_t bytes = *ret_body;
    for (size_t i = 0; i < letter->buf_count; i++)
        bytes += tr_buf_size(letter->bufs[i]);
    *ret_weight = bytes + letter->name_len;
    return bytes > TR_DOC_MAX ? TR_ETOOBIG : 0;
}

static int route_send(tr_node *node, const tr__letter *letter)
{
    tr__peer *peer = route_peer(node, letter->to);
    if (peer == NULL)
        return TR_EDOWN;
    size_t body, weight;
    tr__outflow *flow;
    int rc = letter_weight(letter, &body, &weight);
    if (rc == 0)
        rc = tr__outflow_take(peer, letter->to.actor, weight, &flow);
    if (rc < 0)
        return rc;
    tr__frame *frame = tr__peer_frame(peer);
    rc = frame == NULL ? TR_ENOMEM : tr__envelope_put_message(frame, letter, body);
    if (rc < 0) {
        peer->broken = frame != NULL; // half a message is in it
        tr__outflow_undo(peer, flow, weight);
        return rc;
    }
    if (tr__frame_size(frame) >= TR__FRAME_FLUSH)
        peer->link->ops->send(peer->link, &peer->frame);
    return 0;
}

static int route_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                       const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    return tr__child_spawn(self, behavior, path, opts, ret_addr);
}

// The end of a child's own actor is the end of its process: that needs no asking.
static int route_monitor(tr_node *node, tr__monitor *monitor)
{
    tr__peer *peer = tr__peer_find(node->remote, monitor->target.node);
    bool process = peer != NULL && peer->child != NULL && monitor->target.actor == TR__ROOT_ID;
    if (peer == NULL || (peer->link == NULL && !process))
        return TR_EDOWN;
    int rc =
        process
            ? 0
            : tr__peer_post(peer, TR_LIST((int)TR__MONITOR, monitor->target.actor, monitor->ref));
    if (rc == 0)
        tr__list_append(&peer->watched, &monitor->watcher.link);
    return rc;
}

static void route_demonitor(tr_node *node, tr__monitor *monitor)
{
    tr__peer *peer = route_peer(node, monitor->target);
    if (peer != NULL && (peer->child == NULL || monitor->target.actor != TR__ROOT_ID))
        tr__peer_post(peer, TR_LIST((int)TR__DEMONITOR, monitor->ref));
}

static int route_stop(tr_node *node, tr_addr addr)
{
    tr__peer *peer = tr__peer_find(node->remote, addr.node);
    bool process = peer != NULL && peer->child != NULL && addr.actor == TR__ROOT_ID;
    if (peer == NULL || (peer->link == NULL && !process))
        return TR_EDOWN;
    if (!process)
        return tr__peer_post(peer, TR_LIST((int)TR__STOP, addr.actor));
    tr__child_stop(peer->child);
    return 0;
}

static tr__list *route_waiters(tr_node *node, tr_addr to)
{
    tr__peer *peer = route_peer(node, to);
    return peer == NULL ? NULL : tr__outflow_waiters(peer, to.actor);
}

static void route_consumed(tr_msg *msg)
{
    tr__inflow_consumed(msg->inflow, msg->weight);
}

static void route_flush(tr_node *node)
{
    tr__remote *remote = node->remote;
    for (tr__list *dirty; (dirty = tr__list_pop(&remote->dirty)) != NULL;)
        tr__peer_flush(tr__container(dirty, tr__peer, dirty));
}

// ---- The end ----

static void remote_late(tr__timer *timer)
{
    tr__remote *remote = tr__container(timer, tr__remote, deadline);
    tr_world *world = remote->node->loops[0]->world;
    remote->stage = TR__LATE;
    world->ops->wake(world); // nothing else may end the poll of this iteration
}

static void remote_stop_children(tr__remote *remote)
{
    for (tr__list *at = remote->children.next; at != &remote->children; at = at->next)
        tr__child_stop(tr__container(at, tr__child, link_in_remote));
}

static void remote_leave(tr__remote *remote)
{
    tr_loop *loop = remote->node->loops[0];
    tr_reason reason = remote->node->first_reason;
    tr__listeners_close(remote);
    route_flush(remote->node); // credits, before the bye
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        tr__peer_post(peer, TR_LIST((int)TR__BYE, (int)reason.kind, reason.code, reason.core));
    }
    route_flush(remote->node);
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        if (peer->link != NULL)
            peer->link->ops->finish(peer->link);
    }
    uint64_t now = loop->world->ops->now(loop->world);
    if (tr__timer_arm(loop, &remote->deadline, now + remote->flush_ns) < 0)
        remote->stage = TR__LATE;
}

static size_t remote_queued(const tr__remote *remote)
{
    size_t bytes = 0;
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        const tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        bytes += peer->link == NULL ? 0 : peer->link->ops->queued(peer->link);
    }
    return bytes;
}

static bool route_end(tr_node *node)
{
    tr__remote *remote = node->remote;
    if (remote->stage == TR__OPEN) {
        remote->stage = TR__STOPPING;
        remote_stop_children(remote);
    }
    if (!tr__list_empty(&remote->children))
        return false;
    if (remote->stage == TR__STOPPING) {
        remote->stage = TR__LEAVING;
        remote_leave(remote);
    }
    size_t left = remote_queued(remote);
    if (left > 0 && remote->stage == TR__LATE)
        tr__warn("node.unsent", "bytes=%zu: the receiver does not read", left);
    return left == 0 || remote->stage == TR__LATE;
}

static void route_close(tr_node *node)
{
    tr__remote *remote = node->remote;
    tr__listeners_close(remote);
    while (!tr__list_empty(&remote->children))
        tr__child_free(tr__container(remote->children.next, tr__child, link_in_remote));
    while (!tr__list_empty(&remote->peers)) {
        tr__peer *peer = tr__container(remote->peers.next, tr__peer, link_in_remote);
        tr__peer_free(&peer);
    }
    tr__timer_disarm(node->loops[0], &remote->deadline);
    tr__map_clear(&remote->nodes);
    tr__free(remote);
    node->remote = NULL;
    node->route = NULL;
}

static const tr__route ROUTE = {
    .send = route_send,
    .spawn = route_spawn,
    .monitor = route_monitor,
    .demonitor = route_demonitor,
    .stop = route_stop,
    .waiters = route_waiters,
    .consumed = route_consumed,
    .flush = route_flush,
    .end = route_end,
    .close = route_close,
};

int tr__remote_open(const tr__remote_opts *opts, tr_world **world, tr_node **ret_node)
{
    tr__remote *remote = tr__zalloc(sizeof *remote);
    int rc = remote == NULL ? TR_ENOMEM : tr__node_new(opts->id, opts->name, world, &remote->node);
    if (rc < 0) {
        (*world)->ops->close(world);
        tr__free(remote);
        return rc;
    }
    remote->app = opts->app;
    remote->program = opts->program;
    remote->child_env = opts->child_env;
    remote->flush_ns = TR_MS(opts->flush_ms == 0 ? FLUSH_MS : opts->flush_ms);
    remote->deadline.fire = remote_late;
    tr__list_init(&remote->peers);
    tr__list_init(&remote->children);
    tr__list_init(&remote->listeners);
    tr__list_init(&remote->dirty);
    remote->node->remote = remote;
    remote->node->route = &ROUTE;
    *ret_node = remote->node;
    return 0;
}

int tr__remote_open_child(const tr__remote_opts *opts, tr_world **world, tr_endpoint *endpoint,
                          tr_node **ret_node)
{
    tr_node *node;
    tr__peer *peer;
    int rc = tr__remote_open(opts, world, &node);
    if (rc < 0)
        return rc;
    tr__remote *remote = node->remote;
    rc = tr__peer_new(remote, 0, &peer);
    if (rc == 0) {
        remote->parent = peer;
        node->expecting = true;
        rc = tr__peer_connect(peer, endpoint);
    }
    if (rc < 0)
        tr__node_free(&node); // with the world
    else
        *ret_node = node;
    return rc;
}
