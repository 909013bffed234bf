// What an actor may do with the process that it lives in: thin calls to the world.
#include <troupe/service.h>

#include "core/node.h"

static int64_t own(const tr_actor *self, tr__own what, int arg)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    tr_world *world = self->loop->world;
    return world->ops->own == NULL ? TR_ENOSYS : world->ops->own(world, what, arg);
}

int tr_manager_take(tr_actor *self, uint64_t *ret_watchdog_ns)
{
    int64_t ns = ret_watchdog_ns == NULL ? TR_EINVAL : own(self, TR__OWN_SERVE, 0);
    if (ns < 0)
        return (int)ns;
    *ret_watchdog_ns = (uint64_t)ns;
    return 0;
}

int tr_notify(tr_actor *self, const char *state)
{
    if (!tr__actor_here(self) || state == NULL || *state == '\0')
        return TR_EINVAL;
    tr_world *world = self->loop->world;
    return world->ops->notify == NULL ? TR_ENOSYS : world->ops->notify(world, state);
}

int64_t tr_files_raise(tr_actor *self)
{
    return own(self, TR__OWN_FILES, 0);
}

int tr_orphans_reap(tr_actor *self)
{
    return (int)own(self, TR__OWN_REAP, 0);
}

int64_t tr_pid(tr_actor *self)
{
    return own(self, TR__OWN_PID, 0);
}

static bool is_status(int status)
{
    return status >= 0 && status <= 255;
}

int tr_status_set(tr_actor *self, int status)
{
    if (!tr__actor_here(self) || !is_status(status))
        return TR_EINVAL;
    atomic_store_explicit(&self->loop->node->status, status + 1, memory_order_relaxed);
    return 0;
}

int tr_quit(tr_actor *self, int status)
{
    return is_status(status) ? (int)own(self, TR__OWN_QUIT, status) : TR_EINVAL;
}

// A process that a signal has ended is shown as 128 and the signal's number.
int tr_node_status(const tr_node *node)
{
    if (node == NULL)
        return 1;
    int said = atomic_load_explicit(&node->status, memory_order_relaxed);
    if (said > 0)
        return said - 1;
    if (node->error == 0)
        return 0;
    bool killed = node->root_ended && node->first_reason.kind == TR_REASON_KILLED;
    return killed && node->first_reason.code < 128 ? 128 + node->first_reason.code : 1;
}
