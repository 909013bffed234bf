// Peers: another node at the other end of a link.
//
// Nothing is looked at before the greeting (greet.c). After it, envelopes are handled in the order
// in which they come. What turns send is collected in one frame and leaves when the loop is about
// to poll, or at 64 KiB.
//
// A peer that breaks the rules loses its link and nothing else. When the link is lost, senders that
// wait are woken (their next send says TR_EDOWN), and monitors on the peer's actors are told: of a
// stranger at once, of a child when its process has been reaped, for only then the reason is known.
#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/handle.h"
#include "data/doc.h"
#include "remote/remote.h"

#define LEFT_MAX_US                                                                                \
    ((uint64_t)1 << 50)  // a peer's idea of the time for an ask, which may be anything
#define SHARE_MIN 16384u // a smaller body is copied out of the frame, which may be much larger

// A monitor of the peer's on one of our actors.
typedef struct peer_watcher {
    tr__watcher watcher;
    tr__peer *peer;
    uint64_t ref;
    tr_addr addr;
    tr_reason reason;  // of its end,
    tr__behind behind; // which goes behind its last words
} peer_watcher;

static void peer_handshake_late(tr__timer *timer)
{
    tr__peer *peer = tr__container(timer, tr__peer, handshake);
    tr__peer_refuse(peer, TR_ETIMEDOUT, "no hello");
}

int tr__peer_new(tr__remote *remote, uint64_t node, tr__peer **ret_peer)
{
    tr__peer *peer = tr__zalloc(sizeof *peer);
    if (peer == NULL)
        return TR_ENOMEM;
    peer->remote = remote;
    peer->node = node;
    peer->why = TR_EDOWN;
    peer->handed_first = 1;
    peer->handshake.fire = peer_handshake_late;
    tr__list_init(&peer->dirty);
    tr__list_init(&peer->unmet);
    tr__list_init(&peer->crediting);
    tr__list_init(&peer->watched);
    tr__list_init(&peer->gates);
    tr__list_init(&peer->line);
    tr__list_init(&peer->going);
    tr__list_init(&peer->comings);
    tr__list_init(&peer->holds);
    tr__list_init(&peer->wanted);
    tr__list_init(&peer->far.link);
    tr__windows_init(&peer->outflows, TR__WINDOW_PEER_BYTES);
    int rc = node == 0 ? 0 : tr__remote_know(remote, node, peer);
    if (rc < 0) {
        tr__free(peer);
        return rc;
    }
    tr__list_append(&remote->peers, &peer->link_in_remote);
    *ret_peer = peer;
    return 0;
}

tr__peer *tr__peer_find(tr__remote *remote, uint64_t node)
{
    if (remote == NULL)
        return NULL;
    tr__peer *peer = remote->last_peer;
    if (peer == NULL || peer->node != node)
        remote->last_peer = peer = tr__map_get(&remote->nodes, node);
    return peer;
}

static void peer_watcher_free(tr__peer *peer, peer_watcher *w)
{
    tr__map_remove(&peer->watchers, w->ref);
    tr__unwatch(&w->watcher);
    tr__list_remove(&w->behind.link);
    tr__free(w);
}

static void peer_watchers_drop(tr__peer *peer)
{
    size_t at = 0;
    for (peer_watcher *w; (w = tr__map_next(&peer->watchers, &at)) != NULL;) {
        tr__unwatch(&w->watcher);
        tr__list_remove(&w->behind.link);
        tr__free(w);
    }
    tr__map_clear(&peer->watchers);
}

// ---- Watching its actors ----

// The end of a child's own actor is the end of its process: that needs no asking.
static bool peer_is_process(const tr__peer *peer, uint64_t actor)
{
    return peer->child != NULL && actor == TR__ROOT_ID;
}

// What the peer has been asked for.
typedef struct peer_watch {
    tr__peer *peer;
    tr__watcher *watcher;
    uint64_t ref;
} peer_watch;

static void peer_watch_free(peer_watch *watch)
{
    watch->watcher->forget = NULL;
    tr__map_remove(&watch->peer->watches, watch->ref);
    tr__free(watch);
}

static void peer_watch_forget(tr__watcher *watcher)
{
    peer_watch *watch = watcher->place;
    tr__peer_post(watch->peer, TR_LIST((int)TR__DEMONITOR, watch->ref));
    peer_watch_free(watch);
}

static int peer_watch_ask(tr__peer *peer, uint64_t actor, tr__watcher *watcher)
{
    peer_watch *watch = tr__alloc(sizeof *watch);
    if (watch == NULL)
        return TR_ENOMEM;
    *watch = (peer_watch){peer, watcher, ++peer->next_ref};
    int rc = tr__map_put(&peer->watches, watch->ref, watch);
    if (rc == 0)
        rc = tr__peer_post(peer, TR_LIST((int)TR__MONITOR, actor, watch->ref));
    if (rc < 0) {
        peer_watch_free(watch);
        return rc;
    }
    watcher->place = watch;
    watcher->forget = peer_watch_forget;
    return 0;
}

int tr__peer_watch(tr__peer *peer, uint64_t actor, tr__watcher *watcher)
{
    bool process = peer_is_process(peer, actor);
    if (peer->link == NULL && !process)
        return TR_EDOWN;
    int rc = process || actor == 0 ? 0 : peer_watch_ask(peer, actor, watcher);
    if (rc == 0) // whose link it is hears of the end before whose monitor: as on one loop
        tr__list_append(actor == 0 ? peer->watched.next : &peer->watched, &watcher->link);
    return rc;
}

void tr__peer_fire(tr__peer *peer, tr_reason reason, const tr__remains *remains)
{
    size_t at = 0;
    for (peer_watch *watch; (watch = tr__map_next(&peer->watches, &at)) != NULL;) {
        watch->watcher->forget = NULL;
        tr__free(watch);
    }
    tr__map_clear(&peer->watches);
    tr__watchers_tell(&peer->watched, reason, remains);
}

// A watch that was cancelled meanwhile is not there any more: fine.
static void peer_down(tr__peer *peer, const tr__envelope *e)
{
    peer_watch *watch = tr__map_get(&peer->watches, e->ref);
    if (watch == NULL)
        return;
    tr__watcher *watcher = watch->watcher;
    peer_watch_free(watch);
    tr__list_remove(&watcher->link);
    watcher->ended(watcher, e->reason);
}

// What goes with the link.
static void peer_unlink(tr__peer *peer)
{
    tr__remote *remote = peer->remote;
    if (peer->link != NULL)
        peer->read_out = peer->link->read_out;
    tr__sibling_hands(peer);
    tr__timer_disarm(remote->loop, &peer->handshake);
    tr__timer_disarm(remote->loop, &peer->beat.timer);
    tr__peer_met(peer);
    if (peer->link != NULL && tr__sibling_waits(peer))
        tr__sibling_bury(peer);
    if (peer->coming != NULL)
        peer->coming->ops->free(&peer->coming);
    if (peer->link != NULL)
        peer->link->ops->free(&peer->link);
    tr__frame_free(&peer->frame);
    tr__peer_pieces_drop(peer);
    tr__peer_holds_drop(peer);
    tr__peer_gates_shut(peer);
    tr__list_remove(&peer->dirty);
    tr__outflows_drop(peer);
    tr__inflows_drop(peer);
    tr__peer_groups_drop(peer);
    peer_watchers_drop(peer);
    tr__peer_introductions(peer);
}

void tr__peer_free(tr__peer **peer)
{
    tr__peer *gone = *peer;
    *peer = NULL;
    if (gone == NULL)
        return;
    tr__remote *remote = gone->remote;
    tr__dialer *dialer = gone->dialer;
    int why = gone->why;
    peer_unlink(gone);
    tr__peer_handed_drop(gone);
    tr__peer_fire(gone, (tr_reason){.kind = TR_REASON_NOCONNECTION, .code = TR_EDOWN}, NULL);
    if (gone->node != 0 && tr__map_get(&remote->nodes, gone->node) == gone)
        tr__remote_forget(remote, gone->node);
    if (gone->node != 0 && (!gone->sibling || gone->said_bye))
        tr__outside_remember(remote->outside, gone->node);
    if (remote->last_peer == gone)
        remote->last_peer = NULL;
    if (remote->parent == gone)
        remote->parent = NULL;
    tr__far_node_down(remote->loop, &gone->far, why);
    tr__list_remove(&gone->link_in_remote);
    tr__free(gone->auth);
    tr__free(gone);
    tr__dialer_lost(dialer, why);
}

bool tr__peer_drain(tr__peer *peer)
{
    if (peer->link != NULL)
        peer->link->ops->drain(peer->link);
    return peer->link != NULL ? peer->link->read_out : peer->read_out; // it may be gone now
}

void tr__peer_lost(tr__peer *peer)
{
    tr__remote *remote = peer->remote;
    if (peer->greeted)
        TR__TELL(remote->loop, .kind = TR_TRACE_DOWN, .other = {peer->node, 0});
    peer_unlink(peer);
    if (peer->child != NULL) {
        tr__child_lost(peer->child);
        return;
    }
    bool parent = peer == remote->parent;
    tr__peer_free(&peer);
    if (parent)
        tr__parent_lost(remote);
}

// ---- Sending ----

void tr__peer_dirty(tr__peer *peer)
{
    if (tr__list_empty(&peer->dirty))
        tr__list_append(&peer->remote->dirty, &peer->dirty);
}

tr__frame *tr__peer_frame(tr__peer *peer)
{
    if (peer->link == NULL || peer->broken)
        return NULL;
    if (peer->frame == NULL && tr__frame_new(&peer->frame) < 0)
        return NULL;
    tr__peer_dirty(peer);
    return peer->frame;
}

void tr__peer_break(tr__peer *peer)
{
    if (peer->link == NULL || peer->broken)
        return;
    peer->broken = true;
    tr__peer_dirty(peer);
}

bool tr__peer_frame_full(const tr__frame *frame)
{
    return tr__frame_size(frame) >= TR__FRAME_FLUSH ||
           tr__frame_carried(frame) + TR_HANDLES_MAX > TR__PARCELS_MAX;
}

void tr__peer_frame_filled(tr__peer *peer, const tr__frame *frame)
{
    if (frame == peer->frame && tr__peer_frame_full(frame))
        peer->link->ops->send(peer->link, &peer->frame);
}

int tr__peer_post_in(tr__peer *peer, tr__frame *frame, tr_val envelope)
{
    int rc = frame == NULL ? TR_ENOMEM : tr__envelope_put(frame, envelope);
    if (rc == 0)
        tr__peer_frame_filled(peer, frame);
    if (rc == TR_ENOMEM)
        tr__peer_break(peer);
    return rc;
}

int tr__peer_post(tr__peer *peer, tr_val envelope)
{
    return tr__peer_post_in(peer, tr__peer_frame(peer), envelope);
}

void tr__peer_flush(tr__peer *peer)
{
    tr__list_remove(&peer->dirty);
    if (peer->link == NULL)
        return;
    if (tr__inflows_credit(peer) < 0 || peer->broken) {
        tr__warn("peer.lost", "node=%016llx error=TR_ENOMEM", (unsigned long long)peer->node);
        tr__peer_lost(peer);
        return;
    }
    tr__list_remove(&peer->dirty); // crediting put it back
    if (peer->frame != NULL)
        peer->link->ops->send(peer->link, &peer->frame);
    if (!tr__list_empty(&peer->gates)) {
        tr__peer_gates_mark(peer);
        tr__peer_gates_open(peer);
    }
    if (peer->link != NULL)
        tr__peer_pump(peer);
}

// Whether what is wrong with it is to be told. Of somebody who comes again and again with the same
// it is told once a minute.
static bool peer_is_news(const tr__peer *peer, int error)
{
    tr__remote *remote = peer->remote;
    tr_world *world = remote->loop->world;
    uint64_t now = world->ops->now(world);
    const char *port = strrchr(peer->from, ':');
    if (peer->dialer != NULL)
        return !tr__dialer_quiet(peer->dialer);
    if (peer->greeted || port == NULL)
        return true;
    tr__blamed *blamed = &remote->blamed;
    size_t size = (size_t)(port - peer->from);
    if (blamed->error == error && now - blamed->at < TR_S(60) && strlen(blamed->host) == size &&
        memcmp(blamed->host, peer->from, size) == 0)
        return false;
    *blamed = (tr__blamed){.error = error, .at = now};
    memcpy(blamed->host, peer->from, size);
    return true;
}

void tr__peer_refuse(tr__peer *peer, int error, const char *text)
{
    if (peer_is_news(peer, error))
        tr__warn("peer.refused", "node=%016llx from=%s error=%s: %s",
                 (unsigned long long)peer->node, peer->from, tr_errname(error), text);
    peer->why = error;
    if (tr__peer_post(peer, TR_LIST((int)TR__REFUSE, error, text)) == 0 && peer->frame != NULL)
        peer->link->ops->send(peer->link, &peer->frame);
    tr__peer_lost(peer);
}

void tr__peer_leave(tr__peer *peer)
{
    if (peer->greeted) // others take it for a breach
        tr__peer_post(peer, TR_LIST((int)TR__BYE, (int)TR_REASON_NORMAL, 0, TR_FALSE));
    if (peer->frame != NULL)
        peer->link->ops->send(peer->link, &peer->frame);
    peer->link->ops->finish(peer->link);
    tr__peer_lost(peer);
}

int tr__peer_signal(tr__peer *peer, const tr__signal *s)
{
    if (s->kind == TR__SIGNAL_KILL && peer_is_process(peer, s->to.actor)) {
        tr__child_kill(peer->child);
        return 0;
    }
    if (peer->link == NULL)
        return TR_EDOWN;
    uint64_t to = s->to.actor, from = s->from.actor;
    tr__pair pair = {from, to};
    switch (s->kind) {
    case TR__SIGNAL_LINK:
        return tr__peer_post_for(peer, pair, TR_LIST((int)TR__LINK, to, from, s->mine));
    case TR__SIGNAL_UNLINK:
        return tr__peer_post_for(peer, pair, TR_LIST((int)TR__UNLINK, to, from, s->mine, s->yours));
    case TR__SIGNAL_EXIT:
        return tr__peer_post_for(peer, pair,
                                 TR_LIST((int)TR__EXIT, to, from, s->mine, s->yours,
                                         (int)s->reason.kind, s->reason.code, s->reason.core));
    default:
        return tr__peer_post(peer, TR_LIST((int)TR__KILL, to));
    }
}

// ---- Handling ----

static int message_body(tr_msg *msg, tr_buf *storage, const tr__envelope *e)
{
    if (e->packed_size >= SHARE_MIN)
        return tr__msg_store(msg, storage, e->packed, e->packed_size);
    memcpy((uint8_t *)msg->body, e->packed, e->packed_size);
    return 0;
}

static int bytes_keep(tr_buf *storage, tr_bytes bytes, tr_buf **ret_buf)
{
    size_t offset = (size_t)((const char *)bytes.ptr - (const char *)tr_buf_data(storage));
    return bytes.len < SHARE_MIN ? tr_buf_copy(bytes.ptr, bytes.len, ret_buf)
                                 : tr_buf_slice(storage, offset, bytes.len, ret_buf);
}

static int message_buf(tr_msg *msg, tr_buf *storage, tr_bytes bytes)
{
    tr_buf *buf = NULL;
    int rc = bytes_keep(storage, bytes, &buf);
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    tr_buf_unref(&buf);
    return rc;
}

// It goes on with the trace that it comes from, in a span of its own.
static void message_trace(tr_msg *msg, const tr__envelope *e)
{
    if (msg->stamped == TR__UNSTAMPED || e->trace.low == 0)
        return;
    tr__stamp *stamp = tr__msg_stamp(msg);
    stamp->at.high = e->trace.high;
    stamp->at.low = e->trace.low;
    stamp->at.parent = e->trace.span;
    msg->stamped = TR__STAMPED_ELSEWHERE;
}

static int message_make(tr__peer *peer, const tr__envelope *e, tr_str name, size_t extra,
                        size_t buf_count, tr_buf *storage, tr_msg **ret_msg)
{
    tr_msg *msg = NULL;
    size_t inside = e->packed_size < SHARE_MIN ? e->packed_size : 0;
    int rc = tr__msg_new(name.ptr, name.len, extra, inside, &msg);
    if (rc == 0)
        rc = message_body(msg, storage, e);
    for (size_t i = 0; rc == 0 && i < buf_count; i++)
        rc = message_buf(msg, storage, e->bufs[i]);
    if (rc < 0) {
        tr_msg_free(&msg);
        return rc;
    }
    msg->from = e->from.node == 0 ? (tr_addr){peer->node, e->from.actor} : e->from;
    message_trace(msg, e);
    *ret_msg = msg;
    return 0;
}

static void message_ask(tr_loop *loop, const tr__envelope *e, tr_msg *msg)
{
    uint64_t now = loop->world->ops->now(loop->world);
    uint64_t left = e->left_us < LEFT_MAX_US ? TR_US(e->left_us) : TR_US(LEFT_MAX_US);
    *(tr__ask_head *)tr__msg_extra(msg) = (tr__ask_head){e->ref, now + left};
    msg->is_ask = true;
}

// Of the envelope's buffers the last ones are bytes of the handles that were announced.
static int message_handles(tr__peer *peer, const tr__envelope *e, tr_buf *storage, tr_msg *msg,
                           bool *ret_lost)
{
    const tr__envelope *announced = &peer->announced;
    tr_buf *bytes[TR_HANDLES_MAX] = {NULL};
    size_t own = e->buf_count, count = 0;
    int rc = 0;
    for (size_t i = 0; i < announced->handle_count; i++)
        own -= announced->with_bytes[i];
    for (size_t i = own; rc == 0 && i < e->buf_count; i++) {
        rc = bytes_keep(storage, e->bufs[i], &bytes[count]);
        count += rc == 0;
        msg->weight += (uint32_t)e->bufs[i].len;
    }
    if (rc == 0)
        rc = tr__peer_claim(peer, announced, bytes, msg, ret_lost);
    while (count > 0)
        tr_buf_unref(&bytes[--count]);
    return rc;
}

// What was announced with a message, and only with that.
static int message_announced(tr__peer *peer, const tr__envelope *e, size_t *ret_bufs)
{
    size_t with_bytes = 0;
    for (size_t i = 0; i < peer->announced.handle_count; i++)
        with_bytes += peer->announced.with_bytes[i];
    *ret_bufs = with_bytes;
    bool fits = peer->announced.handle_count == 0 || e->kind == TR__MESSAGE;
    return fits && with_bytes <= e->buf_count ? 0 : TR_EBADMSG;
}

// It has come without all of its handles.
static void message_refuse(tr__peer *peer, tr_msg *msg, uint64_t id)
{
    tr_loop *loop = peer->remote->loop;
    tr_addr to = {loop->node->id, id};
    tr__dead_msg(loop, msg, to, -EMFILE);
    tr__cargo_refuse(msg, to, -EMFILE);
    tr__msg_consumed(loop, &msg);
}

static int peer_message(tr__peer *peer, const tr__envelope *e, tr_buf *storage)
{
    size_t extra = e->kind == TR__ASK ? sizeof(tr__ask_head) : 0;
    tr_loop *loop = peer->remote->loop, *to = tr__id_loop(loop->node, e->actor);
    tr_actor *actor = tr__actor_find(loop, e->actor);
    tr_msg *msg = NULL;
    size_t handles = peer->announced.handle_count, theirs = 0;
    bool lost = false;
    int rc = handles == 0 ? 0 : message_announced(peer, e, &theirs);
    if (rc == 0)
        rc = message_make(peer, e, e->text, extra, e->buf_count - theirs, storage, &msg);
    if (rc == 0 && handles > 0)
        rc = message_handles(peer, e, storage, msg, &lost);
    peer->announced.handle_count = 0;
    if (rc == 0 && extra > 0)
        message_ask(loop, e, msg);
    if (rc == 0)
        rc = tr__inflow_take(peer, e->actor, actor, msg);
    if (rc < 0) {
        tr_msg_free(&msg);
        return rc;
    }
    if (lost)
        message_refuse(peer, msg, e->actor);
    else if (to == NULL || to == loop)
        tr__mail_arrive(loop, e->actor, actor, &msg);
    else
        tr__far_deliver(loop, to, e->actor, &msg);
    return 0;
}

// What is asked of actor 0 is asked of the node.
static int peer_asked(tr__peer *peer, const tr__envelope *e, tr_buf *storage)
{
    tr_msg *msg = NULL;
    int rc = message_make(peer, e, e->text, 0, e->buf_count, storage, &msg);
    if (rc == 0)
        rc = tr__inflow_take(peer, 0, NULL, msg);
    if (rc < 0) {
        tr_msg_free(&msg);
        return rc;
    }
    tr__peer_asked(peer, e, tr_msg_body(msg));
    tr__msg_consumed(peer->remote->loop, &msg);
    return 0;
}

static int peer_publish(tr__peer *peer, const tr__envelope *e, tr_buf *storage)
{
    tr_msg *msg = NULL;
    int rc = message_make(peer, e, e->text, 0, e->buf_count, storage, &msg);
    if (rc == 0)
        rc = tr__peer_publish(peer, e, &msg);
    if (rc < 0)
        tr_msg_free(&msg);
    return rc;
}

static int peer_answer(tr__peer *peer, const tr__envelope *e, tr_buf *storage)
{
    tr_loop *loop = peer->remote->loop;
    tr_msg *answer;
    int rc = message_make(peer, e, (tr_str){"answer", 6}, sizeof(tr__answer_head), e->buf_count,
                          storage, &answer);
    if (rc < 0)
        return rc;
    answer->is_answer = true;
    *(tr__answer_head *)tr__msg_extra(answer) = (tr__answer_head){.to = {loop->node->id, e->actor},
                                                                  .ask = e->ref,
                                                                  .status = (int)e->error,
                                                                  .reason = e->reason};
    tr__answer_pass(loop, &answer);
    return 0;
}

static void peer_watched_over(tr__behind *behind)
{
    peer_watcher *w = tr__container(behind, peer_watcher, behind);
    tr__peer *peer = w->peer;
    tr_reason why = w->reason;
    if (tr__relays_behind(peer->remote, peer->node, w->addr, behind))
        return;
    tr__peer_post_for(peer, (tr__pair){w->addr.actor, TR__ANY}, // behind its last words
                      TR_LIST((int)TR__DOWN, w->ref, (int)why.kind, why.code, why.core));
    peer_watcher_free(peer, w);
}

static void peer_watched_ended(tr__watcher *watcher, tr_reason reason)
{
    peer_watcher *w = tr__container(watcher, peer_watcher, watcher);
    w->reason = reason;
    peer_watched_over(&w->behind);
}

static int peer_monitor(tr__peer *peer, const tr__envelope *e)
{
    if (tr__map_get(&peer->watchers, e->ref) != NULL)
        return TR_EBADMSG;
    peer_watcher *w = tr__alloc(sizeof *w);
    if (w == NULL)
        return TR_ENOMEM;
    tr_loop *loop = peer->remote->loop;
    *w = (peer_watcher){.watcher.ended = peer_watched_ended,
                        .behind.go = peer_watched_over,
                        .peer = peer,
                        .ref = e->ref,
                        .addr = {loop->node->id, e->actor}};
    tr__list_init(&w->watcher.link);
    tr__list_init(&w->behind.link);
    if (tr__map_put(&peer->watchers, e->ref, w) < 0) {
        tr__free(w);
        return TR_ENOMEM;
    }
    int rc = tr__watch(loop, w->addr, &w->watcher);
    if (rc < 0)
        peer_watched_ended(&w->watcher, tr__watch_failed(rc));
    return 0;
}

static void peer_demonitor(tr__peer *peer, uint64_t ref)
{
    peer_watcher *w = tr__map_get(&peer->watchers, ref);
    if (w != NULL)
        peer_watcher_free(peer, w);
}

static void peer_stop_actor(tr__peer *peer, uint64_t id)
{
    tr_loop *loop = peer->remote->loop;
    tr__addr_stop(loop, (tr_addr){loop->node->id, id}, (tr_addr){.node = peer->node});
}

static tr__signal_kind signal_kind(uint64_t kind)
{
    switch (kind) {
    case TR__LINK:
        return TR__SIGNAL_LINK;
    case TR__UNLINK:
        return TR__SIGNAL_UNLINK;
    case TR__EXIT:
        return TR__SIGNAL_EXIT;
    default:
        return TR__SIGNAL_KILL;
    }
}

// Of the end of a child's own actor its process will tell.
static int peer_signalled(tr__peer *peer, const tr__envelope *e)
{
    tr_loop *loop = peer->remote->loop;
    tr_addr from = {peer->node, e->from.actor}, to = {loop->node->id, e->actor};
    tr__signal *signal;
    if (e->kind == TR__EXIT && peer_is_process(peer, e->from.actor))
        return 0;
    int rc = tr__signal_new(signal_kind(e->kind), from, to, &signal);
    if (rc < 0)
        return rc;
    signal->mine = e->ref;
    signal->yours = e->yours;
    signal->reason = e->reason;
    tr__signal_send(loop, &signal);
    return 0;
}

static void peer_bye(tr__peer *peer, tr_reason reason)
{
    peer->said_bye = true;
    peer->bye = reason;
}

static void peer_refused(tr__peer *peer, const tr__envelope *e)
{
    peer_bye(peer, (tr_reason){.kind = TR_REASON_ERROR, .code = TR_EREFUSED});
    peer->why = TR_EREFUSED;
    if (peer_is_news(peer, TR_EREFUSED))
        tr__warn("peer.refuses", "node=%016llx from=%s error=%lld: %.*s",
                 (unsigned long long)peer->node, peer->from, (long long)e->error,
                 (int)(e->text.len < 200 ? e->text.len : 200), e->text.ptr);
}

static int peer_piece(tr__peer *peer, const tr__envelope *e);

// Returns an error to close the link; the peer may be gone then.
static int peer_handle(tr__peer *peer, const tr__envelope *e, tr_buf *storage)
{
    if (peer->announced.handle_count > 0 && e->kind != TR__MESSAGE)
        return TR_EBADMSG; // they belong to the next envelope
    if (e->kind == TR__MESSAGE && peer->greeted)
        return peer_message(peer, e, storage);
    if (e->kind == TR__HELLO || (!peer->greeted && e->kind != TR__REFUSE))
        return tr__peer_greet(peer, e);
    switch (e->kind) {
    case TR__ASK:
        return e->actor == 0 ? peer_asked(peer, e, storage) : peer_message(peer, e, storage);
    case TR__ANSWER:
        return peer_answer(peer, e, storage);
    case TR__JOIN:
    case TR__LEAVE:
        return tr__peer_group(peer, e);
    case TR__PUBLISH:
        return peer_publish(peer, e, storage);
    case TR__CREDIT:
        return tr__outflow_credit(peer, e);
    case TR__WANT:
        tr__inflows_want(peer);
        return 0;
    case TR__MONITOR:
        return peer_monitor(peer, e);
    case TR__DEMONITOR:
        peer_demonitor(peer, e->ref);
        return 0;
    case TR__DOWN:
        peer_down(peer, e);
        return 0;
    case TR__STOP:
        peer_stop_actor(peer, e->actor);
        return 0;
    case TR__LINK:
    case TR__UNLINK:
    case TR__EXIT:
    case TR__KILL:
        return peer_signalled(peer, e);
    case TR__BYE:
        peer_bye(peer, e->reason);
        return 0;
    case TR__REFUSE:
        peer_refused(peer, e);
        return 0;
    case TR__HANDLES:
        return tr__peer_announced(peer, e);
    case TR__TAKEN:
        return tr__peer_taken(peer, e);
    case TR__RETURNED:
        return tr__peer_returned(peer, e);
    case TR__BEGIN:
    case TR__MORE:
        return peer_piece(peer, e);
    case TR__INTRODUCE:
        return tr__peer_introduce(peer, e);
    case TR__MEET:
        return tr__sibling_met(peer, e);
    case TR__UNKNOWN:
        tr__sibling_unknown(peer, e);
        return 0;
    default:
        return 0; // of a later version: not for us
    }
}

// Of what comes in pieces each is one message, of any kind.
static int peer_whole(tr__peer *peer, tr_buf *whole)
{
    tr__envelope e;
    size_t used;
    int rc = tr__envelope_read(tr_buf_data(whole), tr_buf_size(whole), &e, &used);
    if (rc < 0)
        return rc;
    bool fits =
        e.kind == TR__MESSAGE || e.kind == TR__ASK || e.kind == TR__ANSWER || e.kind == TR__PUBLISH;
    return fits && used == tr_buf_size(whole) ? peer_handle(peer, &e, whole) : TR_EBADMSG;
}

static int peer_piece(tr__peer *peer, const tr__envelope *e)
{
    tr_buf *whole = NULL;
    int rc = tr__peer_piece(peer, e, &whole);
    if (rc == 0 && whole != NULL)
        rc = peer_whole(peer, whole);
    tr_buf_unref(&whole);
    return rc;
}

static int peer_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    tr__peer *peer = owner;
    if (peer->remote->loop->tap != NULL)
        tr__tap_look(peer->remote->loop); // it may have slept since somebody wants messages
    while (size > 0) {
        tr__envelope e;
        size_t used;
        int rc = tr__envelope_read(bytes, size, &e, &used);
        if (rc == 0)
            rc = peer_handle(peer, &e, storage);
        if (rc < 0)
            return rc;
        bytes += used;
        size -= used;
    }
    return 0;
}

void tr__peer_drained(tr__peer *peer)
{
    tr__peer_gates_open(peer); // the credits tell senders when there is room
    if (peer->link != NULL)
        tr__peer_pump(peer);
}

static void peer_drained(void *owner)
{
    tr__peer_drained(owner);
}

static void peer_link_down(void *owner, int error)
{
    tr__peer *peer = owner;
    const char *why = peer->link == NULL ? NULL : peer->link->why;
    if (error != TR_EDOWN && peer_is_news(peer, error))
        tr__warn("peer.lost", "node=%016llx from=%s error=%s (%s)", (unsigned long long)peer->node,
                 peer->from, tr_errname(error), why != NULL ? why : tr_strerror(error));
    if (peer->why == TR_EDOWN) // otherwise it has said why
        peer->why = error;
    tr__peer_lost(peer);
}

static const tr__link_up PEER_UP = {
    .frame = peer_frame, .drained = peer_drained, .down = peer_link_down};

int tr__peer_connect(tr__peer *peer, tr_endpoint *endpoint)
{
    tr_loop *loop = peer->remote->loop;
    tr__link **link = peer->sibling ? &peer->coming : &peer->link;
    int rc = tr__link_sp_open(endpoint, &PEER_UP, peer, link);
    peer->local = peer->child != NULL || peer == peer->remote->parent || peer->sibling;
    if (rc == 0 && peer->local)
        tr__link_sp_carry(*link);
    else if (rc == 0)
        rc = tr__timer_arm(loop, &peer->handshake,
                           loop->world->ops->now(loop->world) +
                               2 * peer->remote->outside->silence_ns);
    return rc;
}
