// Names: one table for the node, under a lock that is held for a look-up only.
//
// A name lives as long as somebody has it or follows it. Its holder is heard of by a watcher among
// those of the actor itself, on the actor's loop, or for a process among those of its peer: an end
// takes the name away in the same round that makes the downs of its monitors, and so before any of
// them is handled, wherever that is.
//
// tr_spawn takes a name before there is an actor, since it must not be told that the name was taken
// when there is one, and shows it when messages can be sent to it.
//
// A follower (tr_monitor_name with follow) hears of each holder in turn. It belongs to its actor's
// loop. Who shows a name pokes it: on the same loop by the list of those that may go on, elsewhere
// by a post, and then it looks who has the name. Its memory outlives it while that is on its way.
#include "core/names.h"

#include <string.h>
#include <troupe/registry.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"

typedef struct name {
    tr__dict_entry entry;
    tr_node *node;
    tr_addr addr; // the holder's; TR_NOBODY: there is none
    bool shown;
    tr__watcher watcher; // in the holder's
    tr__list followers;
    char text[];
} name;

typedef struct follower {
    tr__monitor monitor; // of the holder that it has told its actor of
    name *name;
    tr__list link;     // in the name's followers
    tr__waiter waiter; // the poke from its own loop
    tr__post post;     // from another one
    bool poked;        // the post is on its way
    bool gone;         // its own loop's: nobody listens any more
} follower;

static tr__names *names_of(const tr_node *node)
{
    return &((tr_node *)node)->names;
}

// ---- The table: under the lock ----

static name *name_find(const tr__names *names, const char *text)
{
    tr__dict_entry *entry = tr__dict_find(&names->dict, text);
    return entry == NULL ? NULL : tr__container(entry, name, entry);
}

static void name_ended(tr__watcher *watcher, tr_reason reason);

static int name_new(tr_node *node, const char *text, name **ret_name)
{
    size_t size = strlen(text) + 1;
    name *n = tr__zalloc(sizeof *n + size);
    if (n == NULL)
        return TR_ENOMEM;
    n->node = node;
    n->watcher.ended = name_ended;
    tr__list_init(&n->watcher.link);
    tr__list_init(&n->followers);
    n->entry.text = memcpy(n->text, text, size);
    int rc = tr__dict_add(&names_of(node)->dict, &n->entry);
    if (rc < 0) {
        tr__free(n);
        return rc;
    }
    *ret_name = n;
    return 0;
}

static int name_get(tr_node *node, const char *text, name **ret_name)
{
    name *found = name_find(names_of(node), text);
    if (found == NULL)
        return name_new(node, text, ret_name);
    *ret_name = found;
    return 0;
}

static void name_settle(name *n)
{
    if (n->addr.node != 0 || !tr__list_empty(&n->followers))
        return;
    tr__dict_remove(&names_of(n->node)->dict, &n->entry);
    tr__free(n);
}

static void name_leave(name *n)
{
    n->addr = TR_NOBODY;
    n->shown = false;
    name_settle(n);
}

static void name_ended(tr__watcher *watcher, tr_reason reason)
{
    (void)reason;
    name *n = tr__container(watcher, name, watcher);
    tr__names *names = names_of(n->node);
    tr__lock_take(&names->lock);
    name_leave(n);
    tr__lock_give(&names->lock);
}

tr_addr tr__name_addr(const tr_node *node, const char *text)
{
    tr__names *names = names_of(node);
    tr__lock_take(&names->lock);
    const name *n = name_find(names, text);
    tr_addr addr = n != NULL && n->shown ? n->addr : TR_NOBODY;
    tr__lock_give(&names->lock);
    return addr;
}

static void follower_poke(follower *f)
{
    tr_loop *home = f->monitor.actor->loop, *here = tr__loop_here;
    if (here == NULL || here == home) { // NULL: a root is spawned from outside of the loops
        tr__list_remove(&f->waiter.link);
        tr__list_append(&home->writable, &f->waiter.link);
    } else if (!f->poked) {
        f->poked = true;
        tr__post_to(here, home, &f->post);
    }
}

int tr__name_take(tr_node *node, const char *text, tr_addr addr, tr__list *watchers)
{
    tr__names *names = names_of(node);
    name *n = NULL;
    if (text == NULL)
        return 0;
    if (tr__name_check(text) == 0)
        return TR_EINVAL;
    tr__lock_take(&names->lock);
    int rc = name_get(node, text, &n);
    if (rc == 0 && n->addr.node != 0)
        rc = TR_EEXIST;
    if (rc == 0) {
        n->addr = addr;
        tr__list_append(watchers, &n->watcher.link);
    }
    tr__lock_give(&names->lock);
    return rc;
}

void tr__name_show(tr_node *node, const char *text, tr_addr addr)
{
    tr__names *names = names_of(node);
    if (text == NULL)
        return;
    if (tr__loop_here != NULL && addr.node == node->id)
        TR__TELL(tr__loop_here, .kind = TR_TRACE_NAME, .actor = addr.actor, .name = text,
                 .name_len = strlen(text));
    tr__lock_take(&names->lock);
    name *n = name_find(names, text);
    if (n != NULL && tr_addr_eq(n->addr, addr)) {
        n->shown = true;
        for (tr__list *at = n->followers.next; at != &n->followers; at = at->next)
            follower_poke(tr__container(at, follower, link));
    }
    tr__lock_give(&names->lock);
}

void tr__names_clear(tr__names *names)
{
    tr_assert(names->dict.count == 0);
    tr__dict_clear(&names->dict);
}

// ---- For actors ----

int tr_register(tr_actor *self, const char *text)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || text == NULL)
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    int rc = tr__name_take(node, text, tr__actor_addr(self), &self->watchers);
    if (rc == 0)
        tr__name_show(node, text, tr__actor_addr(self));
    return rc;
}

int tr_unregister(tr_actor *self, const char *text)
{
    if (!tr__actor_here(self) || text == NULL)
        return TR_EINVAL;
    tr__names *names = names_of(self->loop->node);
    tr__lock_take(&names->lock);
    name *n = name_find(names, text);
    bool has = n != NULL && tr_addr_eq(n->addr, tr__actor_addr(self));
    if (has) {
        tr__list_remove(&n->watcher.link);
        name_leave(n);
    }
    tr__lock_give(&names->lock);
    return has ? 0 : TR_ENOENT;
}

int tr_whereis(const tr_actor *self, const char *text, tr_addr *ret_addr)
{
    if (!tr__actor_here(self) || text == NULL || ret_addr == NULL)
        return TR_EINVAL;
    tr_addr addr = tr__name_addr(self->loop->node, text);
    if (addr.node == 0)
        return TR_ENOENT;
    *ret_addr = addr;
    return 0;
}

int tr_send_name(tr_actor *self, const char *text, const char *msg_name, tr_val body)
{
    tr_addr to;
    int rc = tr_whereis(self, text, &to);
    return rc < 0 ? rc : tr_send(self, to, msg_name, body);
}

// ---- Following a name ----

static int follower_notices(follower *f, tr_addr addr, tr_msg **ret_up)
{
    int rc = tr__notice_new("up", f->monitor.ref, addr, ret_up);
    if (rc == 0)
        rc = tr__notice_new("down", f->monitor.ref, addr, &f->monitor.notice);
    if (rc < 0)
        tr_msg_free(ret_up);
    return rc;
}

static void follower_tell(follower *f, tr_addr addr)
{
    tr_msg *up = NULL;
    int rc = follower_notices(f, addr, &up);
    if (rc == 0)
        rc = tr__watch(f->monitor.actor->loop, addr, &f->monitor.watcher);
    if (rc == 0) {
        tr__notice_up(up);
        tr__notice_put(f->monitor.actor, &up);
        return;
    }
    tr_msg_free(&up);
    tr_msg_free(&f->monitor.notice);
    if (rc == TR_ENOMEM)
        tr__warn("name.unheard", "name=%s error=TR_ENOMEM: not told who has it", f->name->text);
}

// One that has just ended is not told of: its name goes at the same time.
static void follower_look(follower *f)
{
    if (f->monitor.notice != NULL)
        return; // the end of the one before is still to be told
    tr_addr addr = tr__name_addr(f->monitor.actor->loop->node, f->name->text);
    if (addr.node != 0)
        follower_tell(f, addr);
}

static void follower_ended(tr__watcher *watcher, tr_reason reason)
{
    follower *f = tr__container(watcher, follower, monitor.watcher);
    tr__notice_set(f->monitor.notice, reason);
    tr__notice_put(f->monitor.actor, &f->monitor.notice);
    follower_look(f);
}

static void follower_ready(tr__waiter *waiter)
{
    follower_look(tr__container(waiter, follower, waiter));
}

static void follower_arrive(tr_loop *loop, tr__post *post)
{
    follower *f = tr__container(post, follower, post);
    tr__names *names = names_of(loop->node);
    tr__lock_take(&names->lock);
    f->poked = false;
    tr__lock_give(&names->lock);
    if (f->gone)
        tr__free(f);
    else
        follower_look(f);
}

static void follower_close(tr__owned *owned)
{
    follower *f = tr__container(owned, follower, monitor.owned);
    tr_loop *loop = f->monitor.actor->loop;
    tr__names *names = names_of(loop->node);
    tr__unwatch(&f->monitor.watcher);
    tr_msg_free(&f->monitor.notice);
    tr__map_remove(&loop->monitors, f->monitor.ref);
    tr__list_remove(&f->monitor.owned.link);
    tr__list_remove(&f->waiter.link);
    tr__lock_take(&names->lock);
    tr__list_remove(&f->link);
    name_settle(f->name);
    f->gone = f->poked;
    tr__lock_give(&names->lock);
    if (!f->gone)
        tr__free(f);
}

static int follower_enter(follower *f, const char *text)
{
    tr_node *node = f->monitor.actor->loop->node;
    tr__names *names = names_of(node);
    tr__lock_take(&names->lock);
    int rc = name_get(node, text, &f->name);
    if (rc == 0)
        tr__list_append(&f->name->followers, &f->link);
    tr__lock_give(&names->lock);
    return rc;
}

static int follower_new(tr_actor *self, const char *text, follower **ret_follower)
{
    tr_loop *loop = self->loop;
    follower *f = tr__zalloc(sizeof *f);
    if (f == NULL)
        return TR_ENOMEM;
    f->monitor = (tr__monitor){.owned.close = follower_close,
                               .watcher.ended = follower_ended,
                               .actor = self,
                               .ref = ++loop->next_ref,
                               .lasts = true};
    f->waiter.ready = follower_ready;
    f->post.arrive = follower_arrive;
    tr__list_init(&f->monitor.watcher.link);
    tr__list_init(&f->waiter.link);
    int rc = tr__map_put(&loop->monitors, f->monitor.ref, &f->monitor);
    if (rc == 0)
        rc = follower_enter(f, text);
    if (rc < 0) {
        tr__map_remove(&loop->monitors, f->monitor.ref);
        tr__free(f);
        return rc;
    }
    tr__list_append(&self->owned, &f->monitor.owned.link);
    *ret_follower = f;
    return 0;
}

int tr_monitor_name(tr_actor *self, const char *text, bool follow, uint64_t *ret_monitor)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || tr__name_check(text) == 0)
        return TR_EINVAL;
    if (!follow)
        return tr_monitor(self, tr__name_addr(self->loop->node, text), ret_monitor);
    follower *f;
    int rc = follower_new(self, text, &f);
    if (rc < 0)
        return rc;
    if (ret_monitor != NULL)
        *ret_monitor = f->monitor.ref;
    tr__list_append(&self->loop->writable, &f->waiter.link); // look, outside of this turn
    return 0;
}
