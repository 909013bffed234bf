// Watchers: who wants to hear of an actor's end, wherever the actor lives.
//
// On its own loop an actor has a list of them; those of actors of other nodes are the route's. From
// another loop a record goes to where the end is heard of, watches there, and comes back when the
// actor has ended: `here` is touched on the watcher's loop only, `there` on the other. Nobody
// listening any more is told by the record's second post; the record is freed when both are home.
#include "base/memory.h"
#include "core/node.h"

typedef struct far_watch {
    tr__post post;   // there, and back with the reason
    tr__post cancel; // likewise, behind it
    tr__watcher there;
    tr__list here; // the watcher, as long as it listens
    tr_loop *home, *away;
    tr_addr target;
    tr_reason reason;
    tr__remains remains;
} far_watch;

tr_reason tr__watch_failed(int error)
{
    if (error == TR_ENOACTOR)
        return (tr_reason){.kind = TR_REASON_NOACTOR};
    return (tr_reason){.kind = TR_REASON_NOCONNECTION, .code = error};
}

void tr__watchers_tell(tr__list *watchers, tr_reason reason, const tr__remains *remains)
{
    for (tr__list *node; (node = tr__list_pop(watchers)) != NULL;) {
        tr__watcher *watcher = tr__container(node, tr__watcher, link);
        watcher->forget = NULL;
        watcher->remains = remains;
        watcher->ended(watcher, reason);
    }
}

// ---- On the watcher's loop ----

static void far_watch_over(tr_loop *loop, tr__post *post)
{
    far_watch *far = tr__container(post, far_watch, post);
    bool cancelled = tr__list_empty(&far->here);
    (void)loop;
    tr__watchers_tell(&far->here, far->reason, &far->remains);
    if (!cancelled)
        tr__free(far);
}

static void far_watch_cancelled(tr_loop *loop, tr__post *post)
{
    (void)loop;
    tr__free(tr__container(post, far_watch, cancel));
}

// ---- On the other loop ----

static void far_watch_back(far_watch *far, tr_reason reason)
{
    far->reason = reason;
    far->post.arrive = far_watch_over;
    tr__post_to(far->away, far->home, &far->post);
}

static void far_watch_ended(tr__watcher *watcher, tr_reason reason)
{
    far_watch *far = tr__container(watcher, far_watch, there);
    if (watcher->remains != NULL)
        far->remains = *watcher->remains;
    far_watch_back(far, reason);
}

static void far_watch_begin(tr_loop *loop, tr__post *post)
{
    far_watch *far = tr__container(post, far_watch, post);
    int rc = tr__watch(loop, far->target, &far->there);
    if (rc < 0)
        far_watch_back(far, tr__watch_failed(rc));
}

static void far_watch_cancel(tr_loop *loop, tr__post *post)
{
    far_watch *far = tr__container(post, far_watch, cancel);
    tr__unwatch(&far->there);
    far->cancel.arrive = far_watch_cancelled;
    tr__post_to(loop, far->home, &far->cancel);
}

// ---- From the watcher's loop ----

static void far_watch_forget(tr__watcher *watcher)
{
    far_watch *far = watcher->place;
    far->cancel.arrive = far_watch_cancel;
    tr__post_to(far->home, far->away, &far->cancel);
}

int tr__watch_from(tr_loop *loop, tr_loop *to, tr_addr addr, tr__watcher *watcher)
{
    far_watch *far = tr__alloc(sizeof *far);
    if (far == NULL)
        return TR_ENOMEM;
    *far = (far_watch){.post.arrive = far_watch_begin,
                       .there.ended = far_watch_ended,
                       .home = loop,
                       .away = to,
                       .target = addr};
    tr__list_init(&far->there.link);
    tr__list_init(&far->here);
    tr__list_append(&far->here, &watcher->link);
    watcher->place = far;
    watcher->forget = far_watch_forget;
    tr__post_to(loop, to, &far->post);
    return 0;
}

int tr__watch(tr_loop *loop, tr_addr addr, tr__watcher *watcher)
{
    const tr_node *node = loop->node;
    watcher->forget = NULL;
    if (addr.node != node->id && addr.node != 0)
        return node->route == NULL ? TR_EDOWN : node->route->watch(loop, addr, watcher);
    tr_loop *to = addr.node == 0 ? NULL : tr__id_loop(node, addr.actor);
    if (to != NULL && to != loop)
        return tr__watch_from(loop, to, addr, watcher);
    tr_actor *target = to == NULL ? NULL : tr__actor_find(loop, addr.actor);
    if (target == NULL)
        return TR_ENOACTOR;
    tr__list_append(&target->watchers, &watcher->link);
    return 0;
}

void tr__unwatch(tr__watcher *watcher)
{
    tr__list_remove(&watcher->link);
    if (watcher->forget != NULL)
        watcher->forget(watcher);
    watcher->forget = NULL;
}
