// Monitors: one notice of an actor's end, exactly once.
//
// A monitor is owned by the one who watches and listens, by its watcher, wherever the other lives.
// Whichever end goes first takes it from the other. The notice is made when the monitor is set, so
// that an end can always be told.
#include <troupe/registry.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

static void monitor_free(tr__monitor *monitor)
{
    tr__map_remove(&monitor->actor->loop->monitors, monitor->ref);
    tr__list_remove(&monitor->owned.link);
    tr_msg_free(&monitor->notice);
    tr__free(monitor);
}

// No more notice: the watching actor ends, or does not want it any more.
static void monitor_cancel(tr__monitor *monitor)
{
    tr__unwatch(&monitor->watcher);
    monitor_free(monitor);
}

static void monitor_close(tr__owned *owned)
{
    monitor_cancel(tr__container(owned, tr__monitor, owned));
}

static void monitor_ended(tr__watcher *watcher, tr_reason reason)
{
    tr__monitor *monitor = tr__container(watcher, tr__monitor, watcher);
    tr__notice_set(monitor->notice, reason);
    if (watcher->remains != NULL) {
        tr_down *down = tr__notice_down(monitor->notice);
        down->usage = watcher->remains->usage;
        memcpy(down->hung, watcher->remains->hung, sizeof down->hung);
    }
    tr__notice_put(monitor->actor, &monitor->notice);
    monitor_free(monitor);
}

static int monitor_new(tr_actor *self, tr_addr addr, tr__monitor **ret_monitor)
{
    tr_loop *loop = self->loop;
    tr__monitor *monitor = tr__zalloc(sizeof *monitor);
    if (monitor == NULL)
        return TR_ENOMEM;
    *monitor = (tr__monitor){.owned.close = monitor_close,
                             .watcher.ended = monitor_ended,
                             .actor = self,
                             .ref = ++loop->next_ref};
    tr__list_init(&monitor->watcher.link);
    int rc = tr__notice_new("down", monitor->ref, addr, &monitor->notice);
    if (rc == 0)
        rc = tr__map_put(&loop->monitors, monitor->ref, monitor);
    if (rc < 0) {
        tr_msg_free(&monitor->notice);
        tr__free(monitor);
        return rc;
    }
    tr__list_append(&self->owned, &monitor->owned.link);
    *ret_monitor = monitor;
    return 0;
}

int tr_monitor(tr_actor *self, tr_addr addr, uint64_t *ret_monitor)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr__monitor *monitor;
    int rc = monitor_new(self, addr, &monitor);
    if (rc < 0)
        return rc;
    uint64_t ref = monitor->ref;
    rc = tr__watch(self->loop, addr, &monitor->watcher);
    if (rc == TR_ENOMEM) {
        monitor_free(monitor);
        return rc;
    }
    if (rc < 0)
        monitor_ended(&monitor->watcher, tr__watch_failed(rc));
    if (ret_monitor != NULL)
        *ret_monitor = ref;
    return 0;
}

static const tr_down *monitor_notice(const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    return down != NULL ? down : tr_msg_up(msg);
}

// A notice that waits in the mailbox already is taken back. Returns whether there was one.
static bool monitor_take_back(tr_actor *self, tr__queue *queue, uint64_t ref)
{
    tr_msg *before = NULL;
    for (tr_msg *m = queue->head; m != NULL; before = m, m = m->next) {
        const tr_down *down = monitor_notice(m);
        if (down == NULL || down->monitor != ref)
            continue;
        if (before == NULL)
            queue->head = m->next;
        else
            before->next = m->next;
        if (queue->tail == m)
            queue->tail = before;
        if (m == self->stop_after) {
            self->stop_after = before;
            self->stop_asked |= before == NULL;
        }
        tr__senders_clear(self); // they are told apart by what is left
        tr_msg_free(&m);
        return true;
    }
    return false;
}

void tr_demonitor(tr_actor *self, uint64_t monitor)
{
    if (!tr__actor_here(self))
        return;
    tr__monitor *m = tr__map_get(&self->loop->monitors, monitor);
    if (m != NULL && m->actor != self)
        return;
    bool told = m == NULL || m->lasts;
    if (m != NULL)
        m->owned.close(&m->owned);
    while (told)
        told = monitor_take_back(self, &self->notices, monitor) ||
               monitor_take_back(self, &self->mail, monitor);
}
