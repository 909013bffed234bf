// Links: actors that end together. And kills, which travel in the same way.
//
// Each side of a link keeps a tie, owned by its actor and found by the pair of addresses. What one
// side has to say to the other is a signal: link, unlink, exit. Signals go where messages go: by a
// call on one loop, a post between loops, an envelope between nodes. So an exit comes after the
// last message of the dead, and after the link that it belongs to, however short that life was;
// watching each other would find only that nobody is there any more. What a node cannot say itself,
// since its link is lost or its process has died, is heard by watching the node.
//
// Each wish for a link has a reference of its own. A tie knows at most two: of its own wish and of
// the other side's; unlink and exit name those that they are about. So an unlink that crosses a new
// wish leaves that alone, and both sides agree in the end whether there is a link.
//
// The memory of a tie is its last signal, unlink or exit, and that of a wish becomes the tie of who
// gets it: once there is a link nothing that it has to say can fail here.
#include <signal.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

typedef struct tie {
    tr__signal signal; // from its actor to the other one
    tr__owned owned;
    tr__watcher watcher; // of the other's node
    tr_actor *actor;
    struct tie *next; // with the same key
} tie;

static tie *tie_of(tr__signal *signal)
{
    return tr__container(signal, tie, signal);
}

int tr__signal_new(tr__signal_kind kind, tr_addr from, tr_addr to, tr__signal **ret_signal)
{
    tie *t = tr__zalloc(sizeof *t);
    if (t == NULL)
        return TR_ENOMEM;
    t->signal.kind = kind;
    t->signal.from = from;
    t->signal.to = to;
    *ret_signal = &t->signal;
    return 0;
}

static void signal_free(tr__signal *signal)
{
    tr__free(tie_of(signal));
}

// ---- Ties by their actors ----

static uint64_t tie_key(uint64_t actor, tr_addr other)
{
    return ((actor ^ other.node) * 0x9e3779b97f4a7c15u) ^ other.actor;
}

static tie *tie_find(const tr_loop *loop, uint64_t actor, tr_addr other)
{
    tie *t = tr__map_get(&loop->ties, tie_key(actor, other));
    while (t != NULL && (t->actor->id != actor || !tr_addr_eq(t->signal.to, other)))
        t = t->next;
    return t;
}

static int tie_list(tie *t)
{
    tr__map *ties = &t->actor->loop->ties;
    uint64_t key = tie_key(t->actor->id, t->signal.to);
    tie *first = tr__map_get(ties, key);
    t->next = NULL;
    if (first == NULL)
        return tr__map_put(ties, key, t);
    t->next = first->next;
    first->next = t;
    return 0;
}

static void tie_unlist(tie *t)
{
    tr__map *ties = &t->actor->loop->ties;
    uint64_t key = tie_key(t->actor->id, t->signal.to);
    tie *at = tr__map_remove(ties, key);
    if (at == t)
        at = t->next;
    else
        for (tie *before = at; before != NULL; before = before->next)
            if (before->next == t)
                before->next = t->next;
    int rc = at == NULL ? 0 : tr__map_put(ties, key, at);
    tr_assert(rc == 0); // there is room where it has just been
}

// Its actor hears nothing of the other one any more. What is left is the signal.
static void tie_loosen(tie *t)
{
    tie_unlist(t);
    tr__list_remove(&t->owned.link);
    tr__unwatch(&t->watcher);
}

static void tie_say(tie *t, tr__signal_kind kind)
{
    tr_loop *loop = t->actor->loop;
    tr__signal *signal = &t->signal;
    tie_loosen(t);
    signal->kind = kind;
    tr__signal_send(loop, &signal);
}

// Its actor ends.
static void tie_close(tr__owned *owned)
{
    tie *t = tr__container(owned, tie, owned);
    t->signal.reason = t->actor->reason;
    tie_say(t, TR__SIGNAL_EXIT);
}

static void actor_linked_end(tr_actor *actor, tr_addr other, tr_reason reason)
{
    if (!tr__actor_trap(actor, other, reason, true) && reason.kind != TR_REASON_NORMAL)
        tr__actor_exit(actor, reason);
}

// The other one has ended.
static void tie_over(tie *t, tr_reason reason)
{
    tr_actor *actor = t->actor;
    tr_addr other = t->signal.to;
    tie_loosen(t);
    signal_free(&t->signal);
    actor_linked_end(actor, other, reason);
}

static void tie_node_lost(tr__watcher *watcher, tr_reason reason)
{
    tie_over(tr__container(watcher, tie, watcher), reason);
}

// errors: TR_ENOMEM, TR_EDOWN: it is still only memory
static int tie_fasten(tie *t, tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    uint64_t node = t->signal.to.node;
    t->actor = actor;
    t->owned.close = tie_close;
    t->owned.idle = true;
    t->watcher = (tr__watcher){.ended = tie_node_lost};
    tr__list_init(&t->owned.link);
    tr__list_init(&t->watcher.link);
    int rc = tie_list(t);
    if (rc < 0)
        return rc;
    tr__list_append(&actor->owned, &t->owned.link);
    if (node != 0 && node != loop->node->id)
        rc = tr__watch(loop, (tr_addr){.node = node}, &t->watcher);
    if (rc < 0)
        tie_loosen(t);
    return rc;
}

// ---- Signals that have arrived ----

// Turn it round: what comes back says that there is no link.
static int signal_refuse(tr_loop *loop, tr__signal *signal, tr_reason reason)
{
    tr__signal back = {.kind = TR__SIGNAL_EXIT,
                       .from = signal->to,
                       .to = signal->from,
                       .yours = signal->mine,
                       .reason = reason};
    *signal = back;
    tr__signal_send(loop, &signal);
    return TR_ENOACTOR;
}

static int signal_link(tr_loop *loop, tr__signal *signal)
{
    tr_actor *actor = tr__actor_find(loop, signal->to.actor);
    if (actor == NULL)
        return signal_refuse(loop, signal, (tr_reason){.kind = TR_REASON_NOACTOR});
    tie *there = tie_find(loop, actor->id, signal->from);
    if (there != NULL) {
        there->signal.yours = signal->mine;
        signal_free(signal);
        return 0;
    }
    tr__signal asked = *signal;
    signal->from = asked.to;
    signal->to = asked.from;
    signal->yours = asked.mine;
    signal->mine = 0;
    int rc = tie_fasten(tie_of(signal), actor);
    if (rc == 0)
        return 0;
    *signal = asked;
    return signal_refuse(loop, signal, tr__watch_failed(rc));
}

// Which of the tie's two references the other side means.
static bool names_yours(const tie *t, const tr__signal *signal)
{
    return signal->mine != 0 && signal->mine == t->signal.yours;
}

static bool names_mine(const tie *t, const tr__signal *signal)
{
    return signal->yours != 0 && signal->yours == t->signal.mine;
}

static void tie_unlink(tie *t, const tr__signal *signal)
{
    if (names_yours(t, signal))
        t->signal.yours = 0;
    if (names_mine(t, signal))
        t->signal.mine = 0;
    if (t->signal.mine != 0 || t->signal.yours != 0)
        return;
    tie_loosen(t);
    signal_free(&t->signal);
}

static int signal_kill(const tr_loop *loop, const tr__signal *signal)
{
    tr_actor *actor = tr__actor_find(loop, signal->to.actor);
    if (actor == NULL)
        return TR_ENOACTOR;
    tr__actor_exit(actor, (tr_reason){.kind = TR_REASON_KILLED, .code = SIGKILL});
    return 0;
}

static int signal_arrive(tr_loop *loop, tr__signal *signal)
{
    if (signal->kind == TR__SIGNAL_LINK)
        return signal_link(loop, signal);
    tie *t = tie_find(loop, signal->to.actor, signal->from);
    int rc = 0;
    if (signal->kind == TR__SIGNAL_KILL)
        rc = signal_kill(loop, signal);
    else if (t != NULL && signal->kind == TR__SIGNAL_UNLINK)
        tie_unlink(t, signal);
    else if (t != NULL && (names_yours(t, signal) || names_mine(t, signal)))
        tie_over(t, signal->reason);
    signal_free(signal);
    return rc;
}

// ---- Signals on their way ----

static void signal_posted(tr_loop *loop, tr__post *post)
{
    tr__signal *signal = tr__container(post, tr__signal, post);
    tr__signal_send(loop, &signal);
}

void tr__signal_post(tr_loop *loop, tr_loop *to, tr__signal **signal)
{
    (*signal)->post.arrive = signal_posted;
    tr__post_to(loop, to, &(*signal)->post);
    *signal = NULL;
}

int tr__signal_send(tr_loop *loop, tr__signal **signal)
{
    tr__signal *s = *signal;
    const tr_node *node = loop->node;
    *signal = NULL;
    if (s->to.node != node->id && s->to.node != 0) {
        int rc = node->route == NULL ? TR_EDOWN : node->route->signal(loop, &s);
        if (s != NULL)
            signal_free(s);
        return rc;
    }
    tr_loop *to = s->to.node == 0 ? NULL : tr__id_loop(node, s->to.actor);
    if (to == NULL || to == loop)
        return signal_arrive(loop, s);
    tr__signal_post(loop, to, &s);
    return 0;
}

// ---- From an actor ----

int tr__link_half(tr_actor *self, tr_addr other, tr__signal **ret_wish)
{
    tr__signal *own, *wish;
    int rc = tr__signal_new(TR__SIGNAL_EXIT, tr__actor_addr(self), other, &own);
    if (rc < 0)
        return rc;
    rc = tr__signal_new(TR__SIGNAL_LINK, own->from, other, &wish);
    if (rc < 0) {
        signal_free(own);
        return rc;
    }
    rc = tie_fasten(tie_of(own), self);
    if (rc < 0) {
        signal_free(own);
        signal_free(wish);
        return rc;
    }
    own->mine = wish->mine = ++self->loop->next_ref;
    *ret_wish = wish;
    return 0;
}

void tr__link_undo(tr_actor *self, tr__signal **wish)
{
    tie *t = *wish == NULL ? NULL : tie_find(self->loop, self->id, (*wish)->to);
    if (t == NULL)
        return;
    tie_loosen(t);
    signal_free(&t->signal);
    signal_free(*wish);
    *wish = NULL;
}

int tr__link_to(tr_actor *self, tr_addr other)
{
    tr__signal *wish;
    int rc = tr__link_half(self, other, &wish);
    if (rc == 0)
        tr__signal_send(self->loop, &wish);
    return rc;
}

int tr_link(tr_actor *self, tr_addr addr)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING)
        return TR_EINVAL;
    if (tr_addr_eq(addr, tr_self(self)) || tie_find(self->loop, self->id, addr) != NULL)
        return 0;
    int rc = tr__link_to(self, addr);
    if (rc == TR_ENOMEM)
        return rc;
    if (rc < 0)
        actor_linked_end(self, addr, tr__watch_failed(rc));
    return 0;
}

int tr_unlink(tr_actor *self, tr_addr addr)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    tie *t = tie_find(self->loop, self->id, addr);
    if (t != NULL)
        tie_say(t, TR__SIGNAL_UNLINK);
    return 0;
}

int tr_kill(tr_actor *self, tr_addr addr)
{
    tr__signal *kill;
    if (!tr__actor_here(self))
        return TR_EINVAL;
    int rc = tr__signal_new(TR__SIGNAL_KILL, tr_self(self), addr, &kill);
    return rc < 0 ? rc : tr__signal_send(self->loop, &kill);
}
