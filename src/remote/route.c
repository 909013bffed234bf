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
    const tr_app *app = remote->outside->app;
    for (size_t i = 0; app != NULL && i < app->count; i++) {
        if (tr_str_eq(name, app->behaviors[i]->name))
            return app->behaviors[i];
    }
    return NULL;
}

// ---- Who is where ----

int tr__remote_know(tr__remote *remote, uint64_t node, tr__peer *peer)
{
    tr__outside *outside = remote->outside;
    int rc = tr__map_get(&remote->nodes, node) != NULL ? TR_EEXIST
                                                       : tr__map_put(&remote->nodes, node, peer);
    if (rc < 0)
        return rc;
    tr__lock_take(&outside->lock);
    rc = tr__map_get(&outside->where, node) != NULL
             ? TR_EEXIST
             : tr__map_put(&outside->where, node, remote->loop);
    tr__lock_give(&outside->lock);
    if (rc < 0)
        tr__map_remove(&remote->nodes, node);
    return rc;
}

void tr__remote_forget(tr__remote *remote, uint64_t node)
{
    tr__map_remove(&remote->nodes, node);
    tr__lock_take(&remote->outside->lock);
    tr__map_remove(&remote->outside->where, node);
    tr__lock_give(&remote->outside->lock);
}

tr_loop *tr__outside_find(tr__outside *outside, uint64_t node)
{
    tr__lock_take(&outside->lock);
    tr_loop *loop = tr__map_get(&outside->where, node);
    tr__lock_give(&outside->lock);
    return loop;
}

// The loop to go through; NULL: the peer is this one's, or nobody's. Siblings are the first loop's.
static tr_loop *route_through(const tr_loop *loop, const tr__peer *peer, uint64_t node)
{
    const tr__remote *first = tr__node_loop(loop->node, 0)->remote; // this one may be parked
    if (peer != NULL || first == NULL)
        return NULL;
    tr_loop *through = tr__outside_find(first->outside, node);
    if (through == NULL && tr__outside_seeks(first->outside, node))
        through = first->loop;
    return through == loop ? NULL : through;
}

// Its peer, which may be made for this, or the loop to go through.
static int route_find(tr_loop *loop, uint64_t node, tr__peer **ret_peer, tr_loop **ret_through)
{
    *ret_through = NULL;
    *ret_peer = tr__peer_find(loop->remote, node);
    if (*ret_peer != NULL)
        return 0;
    *ret_through = route_through(loop, NULL, node);
    if (*ret_through != NULL)
        return 0;
    return loop->index == 0 ? tr__sibling_seek(loop->remote, node, ret_peer) : TR_EDOWN;
}

static int letter_weight(const tr__letter *letter, size_t *ret_body, size_t *ret_weight)
{
    int rc = tr__doc_size(&letter->body, ret_body);
    if (rc < 0)
        return rc;
    size_t bytes = *ret_body;
    for (size_t i = 0; i < letter->buf_count; i++)
        bytes += tr_buf_size(letter->bufs[i]);
    bytes += letter->carried;
    *ret_weight = bytes + letter->name_len;
    return bytes > TR_DOC_MAX ? TR_ETOOBIG : 0;
}

static uint64_t letter_left_us(const tr_loop *loop, const tr__ask_head *ask)
{
    uint64_t now = loop->world->ops->now(loop->world);
    return ask->deadline > now ? (ask->deadline - now) / 1000 : 0;
}

// With a stamp if its loop's messages are traced.
static int letter_put(tr_loop *loop, tr__frame *frame, const tr__letter *letter, uint64_t left_us,
                      size_t body_size)
{
    if ((loop->eyes & TR__EYE_MESSAGES) == 0)
        return tr__envelope_put_message(frame, letter, loop->node->id, left_us, body_size);
    tr__letter seen = *letter;
    tr__stamp stamp;
    if (seen.stamp == NULL) {
        tr__tap_stamp(loop, &stamp);
        seen.stamp = &stamp;
    }
    loop->tap->tracer->ops->sent(loop->tap, &seen, body_size);
    return tr__envelope_put_message(frame, &seen, loop->node->id, left_us, body_size);
}

static int peer_put(tr__peer *peer, tr__frame *frame, const tr__letter *letter, size_t body)
{
    tr_loop *loop = peer->remote->loop;
    uint64_t left = letter->ask == NULL ? 0 : letter_left_us(loop, letter->ask);
    return letter_put(loop, frame, letter, left, body);
}

// The bytes of its handles are its last buffers.
static int peer_put_carrier(tr__peer *peer, tr__frame *frame, const tr__letter *letter, size_t body)
{
    tr_buf *bufs[TR_BUFS_MAX];
    tr__letter whole = *letter;
    whole.buf_count = tr__handed_bufs(*letter->carrier, bufs);
    whole.bufs = bufs;
    int rc = tr__peer_hand(peer, frame, letter);
    if (rc < 0)
        return rc;
    rc = peer_put(peer, frame, &whole, body);
    if (rc == 0) {
        tr__peer_handed(peer, letter);
        return 0;
    }
    tr__peer_break(peer); // the handles are in it, without a message
    tr__peer_hand_undo(peer);
    return rc;
}

// By the sender's own number when it is one of this node, by both where it is handed on.
static tr__pair pair_of(const tr__peer *peer, tr_addr from, uint64_t to)
{
    bool here = from.node == peer->remote->loop->node->id;
    return (tr__pair){here ? from.actor : from.actor ^ from.node, to};
}

int tr__peer_send(tr__peer *peer, const tr__letter *letter)
{
    size_t body, weight;
    tr__window *window;
    tr__pair pair = pair_of(peer, letter->from, letter->group == NULL ? letter->to.actor : TR__ANY);
    if (letter->carrier != NULL && !tr__peer_carries(peer))
        return TR_ENOSYS;
    if (peer->remote->loop->ear.stale) // what was joined before is told before
        tr__peers_tell_groups(peer->remote);
    int rc = letter_weight(letter, &body, &weight);
    if (rc == 0)
        rc = tr__outflow_take(peer, letter->to.actor, weight, &window);
    if (rc < 0)
        return rc;
    bool carries = letter->carrier != NULL; // then it goes whole: its handles are of that frame
    if (carries && tr__peer_hand_waits(peer, *letter->carrier))
        pair = (tr__pair){TR__ANY, TR__ANY}; // those that are held stay in their order
    tr__frame *frame = tr__peer_frame_for(peer, pair, carries ? 0 : weight);
    rc = frame == NULL ? TR_ENOMEM
         : carries     ? peer_put_carrier(peer, frame, letter, body)
                       : peer_put(peer, frame, letter, body);
    if (rc < 0) {
        if (!carries && frame != NULL)
            tr__peer_break(peer); // half a message is in it
        tr__window_undo(&peer->outflows, window, weight);
        return rc;
    }
    tr__peer_frame_filled(peer, frame);
    return 0;
}

static int route_send(tr_loop *loop, const tr__letter *letter)
{
    tr__peer *peer;
    tr_loop *through;
    int rc = route_find(loop, letter->to.node, &peer, &through);
    if (rc == 0 && peer != NULL)
        rc = peer->link == NULL ? TR_EDOWN : tr__peer_send(peer, letter);
    return rc < 0 || peer != NULL ? rc : tr__relay_send(loop, through, letter);
}

static int letter_answer(tr_loop *loop, tr__frame *frame, const tr_msg *answer)
{
    tr__letter letter = tr__letter_of(answer, ((const tr__answer_head *)tr__msg_extra(answer))->to);
    if ((loop->eyes & TR__EYE_MESSAGES) != 0 && answer->stamped)
        loop->tap->tracer->ops->sent(loop->tap, &letter, answer->body_size);
    return tr__envelope_put_answer(frame, answer, loop->node->id);
}

// Without memory the link is given up: whoever waits for the answer is told that.
static void peer_send_answer(tr__peer *peer, const tr_msg *answer)
{
    const tr__answer_head *head = tr__msg_extra(answer);
    tr__pair pair = pair_of(peer, answer->from, head->to.actor);
    tr__frame *frame = tr__peer_frame_for(peer, pair, answer->weight);
    int rc = frame == NULL ? TR_ENOMEM : letter_answer(peer->remote->loop, frame, answer);
    if (rc < 0)
        tr__peer_break(peer);
    else
        tr__peer_frame_filled(peer, frame);
}

static void route_answer(tr_loop *loop, tr_msg **answer)
{
    const tr__answer_head *head = tr__msg_extra(*answer);
    uint64_t node = head->to.node;
    tr__peer *peer = tr__peer_find(loop->remote, node);
    tr_loop *through = route_through(loop, peer, node);
    if (through != NULL) {
        tr__answer_post(loop, through, answer);
        return;
    }
    if (peer != NULL && peer->link != NULL)
        peer_send_answer(peer, *answer);
    else
        tr__dead_msg(loop, *answer, head->to, TR_EDOWN);
    tr_msg_free(answer);
}

static int route_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                       const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    return tr__child_spawn(self, behavior, path, opts, ret_addr);
}

static int route_watch(tr_loop *loop, tr_addr addr, tr__watcher *watcher)
{
    tr__peer *peer;
    tr_loop *through;
    int rc = route_find(loop, addr.node, &peer, &through);
    if (rc == 0 && peer != NULL)
        rc = tr__peer_watch(peer, addr.actor, watcher);
    return rc < 0 || peer != NULL ? rc : tr__watch_from(loop, through, addr, watcher);
}

static int route_stop(tr_loop *loop, tr_addr addr)
{
    tr__peer *peer;
    tr_loop *through;
    int rc = route_find(loop, addr.node, &peer, &through);
    if (rc < 0 || peer == NULL)
        return rc < 0 ? rc : tr__relay_stop(loop, through, addr);
    bool process = peer->child != NULL && addr.actor == TR__ROOT_ID;
    if (peer->link == NULL && !process)
        return TR_EDOWN;
    if (!process)
        return tr__peer_post_for(peer, (tr__pair){TR__ANY, addr.actor},
                                 TR_LIST((int)TR__STOP, addr.actor));
    tr__child_stop(peer->child);
    return 0;
}

static int route_signal(tr_loop *loop, tr__signal **signal)
{
    tr__peer *peer;
    tr_loop *through;
    int rc = route_find(loop, (*signal)->to.node, &peer, &through);
    if (rc < 0 || peer != NULL)
        return rc < 0 ? rc : tr__peer_signal(peer, *signal);
    tr__signal_post(loop, through, signal);
    return 0;
}

static tr__list *route_waiters(tr_loop *loop, tr_addr to)
{
    tr__peer *peer = tr__peer_find(loop->remote, to.node);
    if (peer == NULL)
        return tr__relay_waiters(loop, to);
    return peer->link == NULL ? NULL : tr__window_waiters(&peer->outflows, to.actor);
}

static void route_consumed(tr_msg *msg)
{
    tr__inflow *flow = msg->flow;
    if (tr__msg_cargo(msg) != NULL)
        tr__peer_cargo_done(flow->peer, msg);
    tr__inflow_consumed(flow, msg->weight);
}

static void route_flush(tr_loop *loop)
{
    tr__remote *remote = loop->remote;
    if (loop->ear.stale)
        tr__peers_tell_groups(remote);
    for (tr__list *dirty; (dirty = tr__list_pop(&remote->dirty)) != NULL;)
        tr__peer_flush(tr__container(dirty, tr__peer, dirty));
}

// ---- The end ----

static void remote_late(tr__timer *timer)
{
    tr__remote *remote = tr__container(timer, tr__remote, deadline);
    tr_world *world = remote->loop->world;
    remote->stage = TR__LATE;
    world->ops->wake(world); // nothing else may end the poll of this iteration
}

static void remote_stop_children(tr__remote *remote)
{
    for (tr__list *at = remote->children.next; at != &remote->children; at = at->next)
        tr__child_stop(tr__container(at, tr__child, link_in_remote));
}

static bool remote_seeks(const tr__remote *remote)
{
    const tr__list *at = remote->peers.next;
    while (at != &remote->peers && !tr__sibling_waits(tr__container(at, tr__peer, link_in_remote)))
        at = at->next;
    return at != &remote->peers;
}

// What was sent to a sibling that is still to be met is waited for, and so is the parent then.
static bool peer_may_leave(const tr__peer *peer)
{
    return !tr__sibling_waits(peer) &&
           (peer != peer->remote->parent || !remote_seeks(peer->remote));
}

static void remote_bid_farewell(tr__remote *remote)
{
    tr_loop *loop = remote->loop;
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        tr_reason reason = loop->node->first_reason;
        if (peer->parted || !peer_may_leave(peer))
            continue;
        peer->parted = true;
        if (peer->greeted) // others take it for a breach
            tr__peer_post_for(peer, (tr__pair){TR__ANY, TR__ANY},
                              TR_LIST((int)TR__BYE, (int)reason.kind, reason.code, reason.core));
    }
    route_flush(loop);
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        if (peer->link != NULL && peer->parted)
            tr__peer_finish(peer);
    }
}

static void remote_leave(tr__remote *remote)
{
    tr_loop *loop = remote->loop;
    tr__listeners_close(remote);
    tr__dialers_close(remote);
    route_flush(loop); // credits, before the bye
    remote_bid_farewell(remote);
    uint64_t now = loop->world->ops->now(loop->world);
    if (tr__timer_arm(loop, &remote->deadline, now + remote->outside->flush_ns) < 0)
        remote->stage = TR__LATE;
}

static size_t remote_queued(const tr__remote *remote)
{
    size_t bytes = tr__carry_queued(remote);
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        const tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        bytes += tr__peer_queued(peer);
    }
    return bytes;
}

static bool route_end(tr_loop *loop)
{
    tr__remote *remote = loop->remote;
    if (remote->stage == TR__OPEN) {
        remote->stage = TR__STOPPING;
        remote_stop_children(remote);
    }
    if (!tr__list_empty(&remote->children))
        return false;
    if (remote->stage == TR__STOPPING) {
        remote->stage = TR__LEAVING;
        remote_leave(remote);
    } else {
        remote_bid_farewell(remote);
    }
    size_t left = remote_queued(remote);
    if (left > 0 && remote->stage == TR__LATE)
        tr__warn("node.unsent", "bytes=%zu: the receiver does not read", left);
    return left == 0 || remote->stage == TR__LATE;
}

// ---- Opening and closing ----

void tr__outside_forget(tr__outside *outside)
{
    if (outside->secret != NULL)
        tr__secret_wipe(outside->secret, outside->secret_size);
    tr__papers_clear(&outside->papers);
    tr__free(outside->secret);
    tr__free(outside->spawns);
    outside->secret = NULL;
    outside->spawns = NULL;
    outside->spawn_count = 0;
}

static void route_close(tr_loop *loop)
{
    tr__remote *remote = loop->remote;
    tr__listeners_close(remote);
    tr__dialers_close(remote);
    while (!tr__list_empty(&remote->children))
        tr__child_free(tr__container(remote->children.next, tr__child, link_in_remote));
    while (!tr__list_empty(&remote->peers)) {
        tr__peer *peer = tr__container(remote->peers.next, tr__peer, link_in_remote);
        tr__peer_free(&peer);
    }
    tr__carry_close(remote);
    tr__groups_ignore(loop);
    tr__relays_drop(remote);
    tr__timer_disarm(loop, &remote->deadline);
    tr__map_clear(&remote->nodes);
    if (loop->index == 0) {
        tr__map_clear(&remote->outside->where);
        tr__outside_forget(remote->outside);
        tr__free(remote->outside);
    }
    tr__free(remote);
    loop->remote = NULL;
}

static int remote_new(tr_loop *loop, tr__outside *outside)
{
    tr__remote *remote = tr__zalloc(sizeof *remote);
    if (remote == NULL)
        return TR_ENOMEM;
    remote->loop = loop;
    remote->outside = outside;
    remote->deadline.fire = remote_late;
    tr__list_init(&remote->peers);
    tr__list_init(&remote->children);
    tr__list_init(&remote->listeners);
    tr__list_init(&remote->dialers);
    tr__list_init(&remote->dirty);
    tr__list_init(&remote->unmet);
    loop->remote = remote;
    return 0;
}

// The first loop's remote does not change while there are others.
static int route_open(tr_loop *loop)
{
    const tr__remote *first = tr__node_loop(loop->node, 0)->remote;
    return remote_new(loop, first->outside);
}

static const tr__route ROUTE = {
    .open = route_open,
    .send = route_send,
    .answer = route_answer,
    .spawn = route_spawn,
    .child_end = tr__child_end,
    .child_pid = tr__child_pid,
    .watch = route_watch,
    .stop = route_stop,
    .signal = route_signal,
    .waiters = route_waiters,
    .consumed = route_consumed,
    .taken = tr__remote_taken,
    .await = tr__remote_await,
    .flush = route_flush,
    .end = route_end,
    .close = route_close,
};

static tr__outside *outside_new(const tr__remote_opts *opts)
{
    static const tr__transport *const no_transports[] = {NULL};
    tr__outside *outside = tr__zalloc(sizeof *outside);
    if (outside == NULL)
        return NULL;
    outside->app = opts->app;
    outside->program = opts->program;
    outside->child_env = opts->child_env;
    outside->transports = opts->transports == NULL ? no_transports : opts->transports;
    outside->silence_ns = TR_MS(TR__SILENCE_MS);
    outside->flush_ns = TR_MS(opts->flush_ms == 0 ? FLUSH_MS : opts->flush_ms);
    return outside;
}

int tr__remote_open(const tr__remote_opts *opts, tr_world **world, tr_node **ret_node)
{
    tr_node *node = NULL;
    uint32_t loops = opts->loops == 0 ? 1 : opts->loops;
    tr__outside *outside = outside_new(opts);
    int rc = outside == NULL ? TR_ENOMEM : tr__node_new(opts->id, opts->name, loops, world, &node);
    if (rc == 0)
        rc = remote_new(tr__node_loop(node, 0), outside);
    if (rc < 0) {
        tr__node_free(&node); // with the world
        if (*world != NULL)
            (*world)->ops->close(world);
        tr__free(outside);
        return rc;
    }
    node->route = &ROUTE;
    node->program = opts->path;
    *ret_node = node;
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
    tr__remote *remote = tr__node_loop(node, 0)->remote;
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

// A copy; NULL for nothing, which is none.
static int copy_of(const void *bytes, size_t size, void **ret_copy)
{
    *ret_copy = bytes == NULL ? NULL : tr__alloc(size > 0 ? size : 1);
    if (bytes != NULL && *ret_copy == NULL)
        return TR_ENOMEM;
    if (bytes != NULL && size > 0)
        memcpy(*ret_copy, bytes, size);
    return 0;
}

int tr__remote_links(tr_node *node, const tr_link_opts *opts)
{
    const tr__remote *first = tr__node_loop(node, 0)->remote;
    tr__outside *outside = first->outside;
    const tr_app *app = opts->spawns == NULL ? &(tr_app){0} : opts->spawns;
    void *secret = NULL, *spawns;
    tr__papers papers = {0};
    int rc = tr__papers_read(opts, &papers);
    if (rc == 0)
        rc = copy_of(opts->secret, opts->secret_size, &secret);
    if (rc == 0)
        rc = copy_of(app->behaviors, app->count * sizeof *app->behaviors, &spawns);
    if (rc < 0) {
        tr__papers_clear(&papers);
        tr__free(secret);
        return rc;
    }
    tr__outside_forget(outside);
    outside->papers = papers;
    outside->secret = secret;
    outside->secret_size = opts->secret_size;
    outside->spawns = spawns;
    outside->spawn_count = app->count;
    uint32_t silence_ms = opts->silence_ms == 0 ? TR__SILENCE_MS : opts->silence_ms;
    outside->silence_ns = TR_MS(silence_ms < TR__SILENCE_MIN_MS ? TR__SILENCE_MIN_MS : silence_ms);
    return 0;
}
