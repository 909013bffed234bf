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
#include "core/socket.h"

#define MAIL_MAX       4096u
#define MAIL_BYTES_MAX (16u << 20)

tr_actor *tr__actor_look_up(const tr_loop *loop, uint64_t id)
{
    if (id >> TR__ID_LOOP_SHIFT != loop->index)
        return NULL;
    const tr__slots *slots = (id & TR__ID_LODGER) != 0 ? &loop->lodgers : &loop->actors;
    tr_actor *actor = tr__slots_find(slots, id & TR__ID_HANDLE);
    if (actor != NULL)
        ((tr_loop *)loop)->recent[(id >> 28) % TR__RECENT] = (struct tr__recent){id, actor};
    return actor;
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

static tr_actor_info actor_info(const tr_actor *actor)
{
    static const tr__extra none;
    const tr__extra *extra = actor->extra == NULL ? &none : actor->extra;
    return (tr_actor_info){
        .behavior = actor->behavior->name,
        .parent = actor->parent,
        .started = actor->started,
        .mail_held = extra->held,
        .mail_count = actor->mail_count,
        .mail_bytes = actor->mail_bytes,
        .mail_max = actor->mail_max,
        .mail_bytes_max = actor->mail_bytes_max,
        .stash_count = extra->stash_count,
        .stash_bytes = extra->stash_bytes,
    };
}

int tr_actor_look(const tr_actor *self, tr_addr addr, tr_actor_info *ret_info)
{
    if (!tr__actor_here(self) || ret_info == NULL)
        return TR_EINVAL;
    bool near = addr.node == self->loop->node->id;
    const tr_actor *actor = near ? tr__actor_find(self->loop, addr.actor) : NULL;
    if (actor == NULL)
        return TR_ENOACTOR;
    *ret_info = actor_info(actor);
    return 0;
}

static void actor_close_child(tr__owned *owned)
{
    tr__list_init(&owned->link);
    tr_actor *child = tr__container(owned, tr_actor, child);
    tr__actor_ask_stop(child, child->parent);
}

static void actor_init(tr_actor *actor, const tr_behavior *behavior, const tr_spawn_opts *opts)
{
    actor->behavior = behavior;
    actor->mail_max = opts->mail_max == 0 ? MAIL_MAX : opts->mail_max;
    actor->mail_bytes_max = opts->mail_bytes_max == 0 ? MAIL_BYTES_MAX : opts->mail_bytes_max;
    actor->mail_policy = (uint8_t)opts->mail_policy;
    actor->child.close = actor_close_child;
    tr__list_init(&actor->run);
    tr__list_init(&actor->child.link);
    tr__list_init(&actor->owned);
    tr__list_init(&actor->watchers);
    tr__list_init(&actor->waiters);
}

int tr__actor_new(const tr_behavior *behavior, const tr_spawn_opts *opts, tr_actor **ret_actor)
{
    tr_actor *actor = tr__zalloc(sizeof *actor + behavior->state_size);
    tr_msg *args = NULL;
    int rc = 0;
    if (actor == NULL)
        return TR_ENOMEM;
    actor_init(actor, behavior, opts);
    if (opts->args.type != TR_TYPE_NULL)
        rc = tr_msg_new("start", opts->args, &args);
    if (rc == 0 && opts->until_idle)
        rc = tr__extra_of(actor, &(tr__extra *){NULL});
    if (rc < 0) {
        tr_msg_free(&args);
        tr__free(actor);
        return rc;
    }
    actor->args = args != NULL;
    if (args != NULL)
        tr__queue_push(&actor->notices, args);
    *ret_actor = actor;
    return 0;
}

// NULL: null
static tr_msg *actor_take_args(tr_actor *actor)
{
    tr_msg *args = actor->args ? tr__queue_pop(&actor->notices) : NULL;
    actor->args = false;
    return args;
}

// It will have no start.
static void actor_drop_args(tr_actor *actor)
{
    tr_msg *args = actor_take_args(actor);
    tr_msg_free(&args);
}

void tr__actor_unmake(tr_actor *actor)
{
    actor_drop_args(actor);
    tr__free(actor->extra);
    tr__watchers_tell(&actor->watchers, tr__watch_failed(TR_ENOACTOR), NULL);
}

static int actor_take_slot(tr_loop *loop, tr_actor *actor)
{
    if (actor->lodger)
        return tr__slots_put(&loop->lodgers, actor->id & TR__ID_HANDLE, actor);
    int rc = tr__slots_add(&loop->actors, actor, &actor->id);
    actor->id |= (uint64_t)loop->index << TR__ID_LOOP_SHIFT;
    return rc;
}

static void actor_leave_slot(tr_loop *loop, tr_actor *actor)
{
    uint64_t handle = actor->id & TR__ID_HANDLE;
    struct tr__recent *recent = &loop->recent[(actor->id >> 28) % TR__RECENT];
    if (recent->id == actor->id)
        *recent = (struct tr__recent){0};
    if (actor->lodger)
        tr__slots_drop(&loop->lodgers, handle);
    else
        tr__slots_remove(&loop->actors, handle);
}

int tr__actor_settle(tr_loop *loop, tr_actor *actor)
{
    int rc = actor_take_slot(loop, actor);
    if (rc < 0)
        return rc;
    actor->loop = loop;
    loop->begun = true;
    tr__list_append(&loop->births, &actor->run);
    if (actor->extra != NULL) // it has no other need for it yet
        tr__list_append(&loop->idlers, &actor->extra->idler);
    tr__counter_add(&loop->actor_count, 1);
    return 0;
}

// As if it had never been there.
static void actor_unsettle(tr_actor *actor)
{
    tr__list_remove(&actor->run);
    if (actor->extra != NULL)
        tr__list_remove(&actor->extra->idler);
    tr__counter_add(&actor->loop->actor_count, -1);
    actor_leave_slot(actor->loop, actor);
}

static int actor_settle_named(tr_loop *loop, tr_actor *actor, const char *name)
{
    int rc = tr__actor_settle(loop, actor);
    if (rc < 0)
        return rc;
    rc = tr__name_take(loop->node, name, tr__actor_addr(actor), &actor->watchers);
    if (rc < 0)
        actor_unsettle(actor);
    else
        tr__name_show(loop->node, name, tr__actor_addr(actor));
    return rc;
}

// parent: NULL: none on this node
static int actor_spawn(tr_loop *loop, tr_actor *parent, const tr_behavior *behavior,
                       const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr_actor *actor;
    int rc = tr__actor_new(behavior, opts, &actor);
    if (rc < 0)
        return rc;
    rc = actor_settle_named(loop, actor, opts->name);
    if (rc < 0) {
        tr__actor_unmake(actor);
        tr__free(actor);
        return rc;
    }
    actor->root = parent == NULL;
    actor->parent = parent == NULL ? TR_NOBODY : tr__actor_addr(parent);
    if (parent != NULL)
        tr__list_append(&parent->owned, &actor->child.link);
    if (ret_addr != NULL)
        *ret_addr = tr__actor_addr(actor);
    return 0;
}

// One that cannot be linked to its spawner ends before its start.
static int actor_spawn_here(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
                            tr_addr *ret_addr)
{
    tr_addr addr;
    int rc = actor_spawn(self->loop, self, behavior, opts, &addr);
    if (rc < 0)
        return rc;
    rc = opts->link ? tr__link_to(self, addr) : 0;
    if (rc < 0)
        tr__actor_exit(tr__actor_find(self->loop, addr.actor), tr__reason_of(TR_SHUTDOWN));
    else if (ret_addr != NULL)
        *ret_addr = addr;
    return rc;
}

static bool stdio_is_sound(const tr_spawn_opts *opts, bool process)
{
    for (int fd = 0; fd < TR__STDIO; fd++)
        if ((unsigned)opts->stdio[fd] > (process ? TR_STDIO_PIPE : TR_STDIO_INHERIT))
            return false;
    return true;
}

static int spawn_check(const tr_loop *loop, const tr_behavior *behavior, const tr_spawn_opts *opts)
{
    if (behavior == NULL || tr__name_check(behavior->name) == 0)
        return TR_EINVAL;
    if ((unsigned)opts->isolation > TR_PROCESS || (unsigned)opts->placement > TR_BY_KEY ||
        (unsigned)opts->mail_policy > TR_MAIL_DROP_OLDEST)
        return TR_EINVAL;
    bool process = opts->isolation == TR_PROCESS;
    if ((opts->until_idle && process) || !stdio_is_sound(opts, process))
        return TR_EINVAL;
    if (opts->placement == TR_BY_KEY && opts->placement_key == NULL)
        return TR_EINVAL;
    if (opts->name != NULL && tr__name_check(opts->name) == 0)
        return TR_EINVAL;
    return loop->asked ? TR_SHUTDOWN : 0;
}

int tr_spawn(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
             tr_addr *ret_addr)
{
    tr_spawn_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || tr__opts_copy(opts, &o, sizeof o) < 0)
        return TR_EINVAL;
    tr_loop *loop = self->loop, *to;
    const tr__route *route = loop->node->route;
    int rc = spawn_check(loop, behavior, &o);
    if (rc < 0)
        return rc;
    if (o.isolation == TR_PROCESS || (route != NULL && route->spawns_all))
        return route == NULL
                   ? TR_ENOSYS
                   : route->spawn(self, behavior, o.isolation == TR_PROCESS ? o.program : NULL, &o,
                                  ret_addr);
    rc = tr__crew_place(loop, &o, &to);
    if (rc < 0)
        return rc;
    return to == loop ? actor_spawn_here(self, behavior, &o, ret_addr)
                      : tr__lodger_spawn(self, to, behavior, &o, ret_addr);
}

int tr_fork(tr_actor *self, const char *path, const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr_spawn_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || path == NULL ||
        tr__opts_copy(opts, &o, sizeof o) < 0 || !stdio_is_sound(&o, true))
        return TR_EINVAL;
    const tr__route *route = self->loop->node->route;
    if (self->loop->asked)
        return TR_SHUTDOWN;
    if (route == NULL)
        return TR_ENOSYS;
    return route->spawn(self, NULL, path, &o, ret_addr);
}

int tr_child_pid(tr_actor *self, tr_addr child, int64_t *ret_pid)
{
    if (!tr__actor_here(self) || ret_pid == NULL)
        return TR_EINVAL;
    const tr__route *route = self->loop->node->route;
    return route == NULL || route->child_pid == NULL ? TR_ENOSYS
                                                     : route->child_pid(self, child, ret_pid);
}

int tr__node_spawn(tr_node *node, const tr_behavior *behavior, const tr_spawn_opts *opts,
                   tr_addr parent, tr_addr *ret_addr)
{
    tr_loop *loop = tr__node_loop(node, 0);
    tr_spawn_opts o;
    tr_addr addr;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc == 0)
        rc = spawn_check(loop, behavior, &o);
    if (rc == 0 && (o.isolation != TR_SHARED || o.placement != TR_HERE || o.link))
        rc = TR_EINVAL;
    if (rc == 0)
        rc = actor_spawn(loop, NULL, behavior, &o, &addr);
    if (rc < 0)
        return rc;
    tr__actor_find(loop, addr.actor)->parent = parent;
    node->roots++;
    if (ret_addr != NULL)
        *ret_addr = addr;
    return 0;
}

// A handler's or start's verdict on its actor.
static void actor_judge(tr_actor *actor, int rc)
{
    if (rc < 0)
        tr__actor_exit(actor, tr__reason_of(rc));
}

static void actor_told(const tr_actor *actor, tr_trace_kind kind)
{
    TR__TELL(actor->loop, .kind = kind, .actor = actor->id, .other = actor->parent,
             .name = actor->behavior->name, .name_len = strlen(actor->behavior->name),
             .reason = actor->reason.kind, .code = actor->reason.code);
}

void tr__births_run(tr_loop *loop)
{
    static const tr__what what = {"(start)"};
    tr__list batch;
    if (tr__list_empty(&loop->births))
        return;
    tr__look_anew(loop);
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->births);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr_actor *actor = tr__container(node, tr_actor, run);
        tr_assert(actor->state == TR__STARTING);
        actor->state = TR__RUNNING;
        actor->started = true;
        tr_msg *args = actor_take_args(actor);
        actor_told(actor, TR_TRACE_START);
        tr__turn_begin(actor, &what);
        if (actor->behavior->start != NULL) {
            tr_val value = args == NULL ? TR_NULL : tr_msg_body(args);
            actor_judge(actor, actor->behavior->start(actor, &value));
        }
        tr_msg_free(&args);
        tr__turn_end(actor);
        tr__actor_wake(actor);
    }
}

void tr__actor_wake(tr_actor *actor)
{
    bool mail = actor->mail.head != NULL && !tr__mail_is_held(actor);
    bool something = mail || actor->notices.head != NULL || actor->stop_asked;
    if (something && actor->state == TR__RUNNING && tr__list_empty(&actor->run))
        tr__list_append(&actor->loop->runnable, &actor->run);
}

// Whether the asker has sent this: its whole node, if it names no actor.
static bool sent_by(const tr_msg *msg, tr_addr asker)
{
    return tr_addr_eq(msg->from, asker) || (asker.actor == 0 && msg->from.node == asker.node);
}

bool tr__actor_trap(tr_actor *actor, tr_addr from, tr_reason reason, bool linked)
{
    tr_msg *notice;
    if (!actor->trap || tr__notice_new("exit", 0, from, &notice) < 0)
        return false;
    notice->is_exit = true;
    tr__notice_down(notice)->linked = linked;
    tr__notice_set(notice, reason);
    tr__notice_put(actor, &notice);
    return true;
}

void tr__actor_ask_stop(tr_actor *actor, tr_addr asker)
{
    if (tr__actor_trap(actor, asker, tr__reason_of(TR_SHUTDOWN), false))
        return;
    const tr_msg *last = NULL;
    for (const tr_msg *m = actor->mail.head; m != NULL && asker.node != 0; m = m->next) {
        if (sent_by(m, asker))
            last = m;
    }
    if (last == NULL)
        actor->stop_asked = true;
    else if (actor->stop_after == NULL)
        actor->stop_after = last;
    tr__actor_wake(actor);
}

int tr_trap_exit(tr_actor *self, bool trap)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    self->trap = trap;
    return 0;
}

// From now on nobody is accepted whom it could not serve: its close is behind the next poll.
static void actor_shut(tr_actor *actor)
{
    for (tr__list *at = actor->owned.next; at != &actor->owned; at = at->next) {
        tr__owned *owned = tr__container(at, tr__owned, link);
        if (owned->serves)
            tr__server_shut(owned);
    }
}

void tr__actor_exit(tr_actor *actor, tr_reason reason)
{
    if (actor->state >= TR__EXITING)
        return;
    actor_shut(actor);
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

int tr__addr_stop(tr_loop *loop, tr_addr addr, tr_addr asker)
{
    const tr_node *node = loop->node;
    if (addr.node == 0)
        return TR_ENOACTOR;
    if (addr.node != node->id)
        return node->route == NULL ? TR_EDOWN : node->route->stop(loop, addr);
    tr_loop *to = tr__id_loop(node, addr.actor);
    if (to != NULL && to != loop)
        return tr__far_stop(loop, to, addr, asker);
    tr_actor *actor = to == NULL ? NULL : tr__actor_find(loop, addr.actor);
    if (actor == NULL)
        return TR_ENOACTOR;
    tr__actor_ask_stop(actor, asker);
    return 0;
}

int tr_stop(tr_actor *self, tr_addr addr)
{
    return tr__actor_here(self) ? tr__addr_stop(self->loop, addr, tr_self(self)) : TR_EINVAL;
}

static void actor_run_stop(tr_actor *actor)
{
    static const tr__what what = {"(stop)"};
    tr_loop *loop = actor->loop;
    tr__backlog_drop(actor);
    if (actor->behavior->stop == NULL || !actor->started)
        return;
    tr__look_anew(loop); // what is closed without a stop is not its time
    tr__turn_begin_last(actor, &what);
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

// Whether anybody watches or not: an error must not pass in silence.
static void actor_log_end(const tr_actor *actor)
{
    if (actor->reason.kind == TR_REASON_ERROR)
        tr__error("actor.failed", "actor=%s error=%s (%s)", actor->behavior->name,
                  tr_errname(actor->reason.code), tr_strerror(actor->reason.code));
}

static void actor_leave_node(tr_actor *actor)
{
    tr_node *node = actor->loop->node;
    tr__counter_add(&actor->loop->actor_count, -1);
    if (!actor->root)
        return;
    node->roots--;
    if (actor->id == TR__ROOT_ID) {
        node->root_ended = true;
        node->first_reason = actor->reason;
    }
    if (actor->reason.kind > TR_REASON_SHUTDOWN && node->error == 0)
        node->error = actor->reason.kind == TR_REASON_ERROR ? actor->reason.code : TR_EDOWN;
}

static void actor_close(tr_actor *actor)
{
    tr_assert(actor->state == TR__EXITING);
    actor_run_stop(actor);
    actor->state = TR__CLOSED;
    if (!actor->started)
        actor_drop_args(actor);
    actor_close_owned(actor);
    actor->unusual = false;
    tr__stash_return(actor);
    tr__mail_drop(actor);
    tr_assert(tr__list_empty(&actor->waiters)); // there was room at last
    actor_log_end(actor);
    actor_told(actor, TR_TRACE_END);
    tr__watchers_tell(&actor->watchers, actor->reason, NULL);
    actor_leave_node(actor);
    actor_leave_slot(actor->loop, actor);
    if (actor->extra != NULL)
        tr__list_remove(&actor->extra->idler);
    tr__free(actor->extra);
    if (actor->lodger) {
        tr__lodger_ended(actor->loop, actor);
        return;
    }
    tr__list_remove(&actor->child.link);
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
