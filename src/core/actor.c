// Actors: from their birth to their end.
//
// spawn -> births (start runs at the next iteration's beginning) -> running -> exit asked for, by
// itself or from outside -> closing (the close phase: stop, then everything that it owns is closed,
// its mail is dead letters, its watchers are told) -> freed, and its address misses from then on.
//
// `run` links an actor into one of births, runnable and closing, or into none. An actor is freed
// only in the close phase, when nothing on the stack can hold it.
#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/node.h"

#define MAIL_MAX       4096u
#define MAIL_BYTES_MAX (16u << 20)

bool tr__actor_here(const tr_actor *self)
{
    return self != NULL && tr__loop_here == self->loop && self->loop->current == self;
}

static uint64_t loop_bits(const tr_loop *loop)
{
    return (uint64_t)loop->index << 52;
}

tr_actor *tr__actor_find(const tr_node *node, uint64_t id)
{
    uint64_t index = id >> 52;
    if (index >= node->loop_count)
        return NULL;
    uint64_t handle = id & (((uint64_t)1 << 52) - 1);
    tr_actor *actor = tr__slots_find(&node->loops[index]->actors, handle);
    return actor != NULL && actor->state < TR__EXITING ? actor : NULL;
}

tr_addr tr__actor_addr(const tr_actor *actor)
{
    return (tr_addr){actor->loop->node->id, actor->id};
}

tr_addr tr_self(const tr_actor *self)
{
    return self == NULL ? TR_NOBODY : tr__actor_addr(self);
}

tr_addr tr_parent(const tr_actor *self)
{
    return self == NULL ? TR_NOBODY : self->parent;
}

void *tr_state(tr_actor *self)
{
    return self == NULL || self->behavior->state_size == 0 ? NULL : self->memory;
}

tr_node *tr_node_of(const tr_actor *self)
{
    return self == NULL ? NULL : self->loop->node;
}

static void actor_close_child(tr__owned *owned)
{
    tr__list_init(&owned->link);
    tr_actor *child = tr__container(owned, tr_actor, child);
    tr__actor_ask_stop(child, child->parent);
}

static void actor_init(tr_actor *actor, tr_loop *loop, const tr_behavior *behavior,
                       const tr_spawn_opts *opts)
{
    actor->loop = loop;
    actor->behavior = behavior;
    actor->mail_max = opts->mail_max == 0 ? MAIL_MAX : opts->mail_max;
    actor->mail_bytes_max = opts->mail_bytes_max == 0 ? MAIL_BYTES_MAX : opts->mail_bytes_max;
    actor->child.close = actor_close_child;
    tr__list_init(&actor->run);
    tr__list_init(&actor->child.link);
    tr__list_init(&actor->owned);
    tr__list_init(&actor->watchers);
    tr__list_init(&actor->waiters);
}

int tr__actor_new(tr_loop *loop, tr_actor *parent, const tr_behavior *behavior,
                  const tr_spawn_opts *opts, tr_addr parent_addr, tr_actor **ret_actor)
{
    tr_actor *actor = tr__zalloc(sizeof *actor + behavior->state_size);
    tr_msg *args = NULL;
    if (actor == NULL)
        return TR_ENOMEM;
    actor_init(actor, loop, behavior, opts);
    int rc = tr_msg_new("start", opts->args, &args);
    if (rc == 0)
        rc = tr__slots_add(&loop->actors, actor, &actor->id);
    if (rc < 0) {
        tr_msg_free(&args);
        tr__free(actor);
        return rc;
    }
    actor->id |= loop_bits(loop);
    actor->parent = parent_addr;
    actor->root = parent == NULL;
    tr__queue_push(&actor->notices, args);
    if (parent != NULL)
        tr__list_append(&parent->owned, &actor->child.link);
    tr__list_append(&loop->births, &actor->run);
    loop->node->actors++;
    *ret_actor = actor;
    return 0;
}

static int spawn_check(const tr_node *node, const tr_behavior *behavior)
{
    if (behavior == NULL || tr__name_check(behavior->name) == 0)
        return TR_EINVAL;
    return node->ending ? TR_SHUTDOWN : 0;
}

int tr_spawn(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
             tr_addr *ret_addr)
{
    tr_spawn_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || tr__opts_copy(opts, &o, sizeof o) < 0)
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    int rc = spawn_check(node, behavior);
    if (rc < 0)
        return rc;
    if (o.isolation == TR_PROCESS && node->route != NULL)
        return node->route->spawn(self, behavior, NULL, &o, ret_addr);
    if (o.isolation != TR_SHARED)
        return o.isolation == TR_PROCESS ? TR_ENOSYS : TR_EINVAL;
    tr_actor *actor;
    rc = tr__actor_new(self->loop, self, behavior, &o, tr__actor_addr(self), &actor);
    if (rc == 0 && ret_addr != NULL)
        *ret_addr = tr__actor_addr(actor);
    return rc;
}

int tr_fork(tr_actor *self, const char *path, const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr_spawn_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || path == NULL ||
        tr__opts_copy(opts, &o, sizeof o) < 0)
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    if (node->ending)
        return TR_SHUTDOWN;
    if (node->route == NULL)
        return TR_ENOSYS;
    return node->route->spawn(self, NULL, path, &o, ret_addr);
}

int tr__node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                   tr_addr parent, tr_addr *ret_addr)
{
    tr_spawn_opts o;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc == 0)
        rc = spawn_check(node, behavior);
    if (rc == 0 && o.isolation != TR_SHARED)
        rc = TR_EINVAL;
    tr_actor *actor;
    if (rc == 0)
        rc = tr__actor_new(node->loops[0], NULL, behavior, &o, parent, &actor);
    if (rc < 0)
        return rc;
    node->roots++;
    if (ret_addr != NULL)
        *ret_addr = tr__actor_addr(actor);
    return 0;
}

// A handler's or start's verdict on its actor.
static void actor_judge(tr_actor *actor, int rc)
{
    if (rc < 0)
        tr__actor_exit(actor, tr__reason_of(rc));
}

void tr__births_run(tr_loop *loop)
{
    tr__list batch;
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->births);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr_actor *actor = tr__container(node, tr_actor, run);
        tr_assert(actor->state == TR__STARTING);
        actor->state = TR__RUNNING;
        actor->started = true;
        tr_msg *args = tr__queue_pop(&actor->notices);
        tr__turn_begin(actor);
        if (actor->behavior->start != NULL) {
            tr_val value = tr_msg_body(args);
            actor_judge(actor, actor->behavior->start(actor, &value));
        }
        tr_msg_free(&args);
        tr__turn_end(actor);
        tr__actor_wake(actor);
    }
}

void tr__actor_wake(tr_actor *actor)
{
    bool something = actor->notices.head != NULL || actor->mail.head != NULL || actor->stop_asked;
    if (something && actor->state == TR__RUNNING && tr__list_empty(&actor->run))
        tr__list_append(&actor->loop->runnable, &actor->run);
}

void tr__actor_ask_stop(tr_actor *actor, tr_addr asker)
{
    const tr_msg *last = NULL;
    for (const tr_msg *m = actor->mail.head; m != NULL && asker.node != 0; m = m->next) {
        bool any = asker.actor == 0 && m->from.node == asker.node;
        if (any || tr_addr_eq(m->from, asker))
            last = m;
    }
    if (last == NULL)
        actor->stop_asked = true;
    else if (actor->stop_after == NULL)
        actor->stop_after = last;
    tr__actor_wake(actor);
}

void tr__actor_exit(tr_actor *actor, tr_reason reason)
{
    if (actor->state >= TR__EXITING)
        return;
    actor->state = TR__EXITING;
    actor->reason = reason;
    tr__list_remove(&actor->run);
    tr__list_append(&actor->loop->closing, &actor->run);
}

tr_reason tr__reason_of(int code)
{
    if (code == TR_NORMAL)
        return (tr_reason){.kind = TR_REASON_NORMAL};
    if (code == TR_SHUTDOWN)
        return (tr_reason){.kind = TR_REASON_SHUTDOWN};
    return (tr_reason){.kind = TR_REASON_ERROR, .code = code};
}

int tr_exit(tr_actor *self, int reason)
{
    if (!tr__actor_here(self) || reason > 0)
        return TR_EINVAL;
    tr__actor_exit(self, tr__reason_of(reason));
    return 0;
}

int tr_stop(tr_actor *self, tr_addr addr)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    if (addr.node != node->id)
        return node->route == NULL ? TR_EDOWN : node->route->stop(node, addr);
    tr_actor *actor = tr__actor_find(node, addr.actor);
    if (actor == NULL)
        return TR_ENOACTOR;
    tr__actor_ask_stop(actor, tr_self(self));
    return 0;
}

static void actor_run_stop(tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    tr__backlog_drop(actor);
    if (actor->behavior->stop == NULL || !actor->started)
        return;
    loop->current = actor;
    actor->behavior->stop(actor, actor->reason);
    tr__turn_end(actor); // drops the reactions of a promise that it has settled
}

static void actor_close_owned(tr_actor *actor)
{
    for (tr__list *node; (node = tr__list_pop(&actor->owned)) != NULL;) {
        tr__owned *owned = tr__container(node, tr__owned, link);
        owned->close(owned);
    }
}

static void actor_tell_watchers(tr_actor *actor)
{
    for (tr__list *node; (node = tr__list_pop(&actor->watchers)) != NULL;) {
        tr__watcher *watcher = tr__container(node, tr__watcher, link);
        watcher->ended(watcher, actor->reason);
    }
}

// Whether anybody watches or not: an error must not pass in silence.
static void actor_log_end(const tr_actor *actor)
{
    if (actor->reason.kind == TR_REASON_ERROR)
        tr__warn("actor.failed", "actor=%s error=%s (%s)", actor->behavior->name,
                 tr_errname(actor->reason.code), tr_strerror(actor->reason.code));
}

static void actor_leave_node(tr_actor *actor)
{
    tr_node *node = actor->loop->node;
    node->actors--;
    if (!actor->root)
        return;
    node->roots--;
    if (actor->id == TR__ROOT_ID) {
        node->root_ended = true;
        node->first_reason = actor->reason;
    }
    if (actor->reason.kind == TR_REASON_ERROR && node->error == 0)
        node->error = actor->reason.code;
}

static void actor_close(tr_actor *actor)
{
    tr_assert(actor->state == TR__EXITING);
    actor_run_stop(actor);
    actor->state = TR__CLOSED;
    actor_close_owned(actor);
    tr__mail_drop(actor);
    tr_assert(tr__list_empty(&actor->waiters)); // there was room at last
    actor_log_end(actor);
    actor_tell_watchers(actor);
    actor_leave_node(actor);
    tr__list_remove(&actor->child.link);
    tr__slots_remove(&actor->loop->actors, actor->id & ~loop_bits(actor->loop));
    tr__free(actor);
}

void tr__closing_run(tr_loop *loop)
{
    tr__list batch;
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->closing);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;)
        actor_close(tr__container(node, tr_actor, run));
}
