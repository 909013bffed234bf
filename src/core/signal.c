// Signals: a handle on one of the world's ears, for an actor.
//
// The world tells in its poll, where it is nobody's turn; the actor hears in one. The callback may
// stop the listener.
#include <signal.h>
#include <troupe/signal.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"

typedef struct listener {
    tr__owned owned;
    tr_actor *actor;
    uint64_t id;
    int signum;
    tr_ear *ear;
    tr_signalled cb;
    void *arg;
} listener;

static void listener_free(listener *l)
{
    tr_loop *loop = l->actor->loop;
    loop->world->ops->ear_close(&l->ear);
    tr__slots_remove(&loop->listeners, l->id);
    tr__list_remove(&l->owned.link);
    tr__free(l);
}

static void listener_close(tr__owned *owned)
{
    listener_free(tr__container(owned, listener, owned));
}

static void listener_heard(void *owner)
{
    static const tr__what what = {"(signal)"};
    const listener *l = owner;
    tr_actor *actor = l->actor;
    if (actor->state != TR__RUNNING)
        return;
    tr__turn_begin(actor, &what);
    l->cb(actor, l->signum, l->arg);
    tr__turn_end(actor);
}

static bool may_be_heard(int signum)
{
    static const int none[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                               SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (none[i] == signum)
            return false;
    return signum > 0;
}

static int listener_open(tr_loop *loop, listener *l)
{
    static const tr_ear_up up = {.heard = listener_heard};
    int rc = tr__slots_add(&loop->listeners, l, &l->id);
    if (rc < 0)
        return rc;
    rc = loop->world->ops->hear(loop->world, l->signum, &up, l, &l->ear);
    if (rc < 0)
        tr__slots_remove(&loop->listeners, l->id);
    return rc;
}

int tr_signal_start(tr_actor *self, int signum, tr_signalled cb, void *arg, tr_signal *ret_signal)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || cb == NULL || !may_be_heard(signum))
        return TR_EINVAL;
    if (self->loop->world->ops->hear == NULL)
        return TR_ENOSYS;
    listener *l = tr__alloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    *l = (listener){.owned = {.close = listener_close, .idle = true},
                    .actor = self,
                    .signum = signum,
                    .cb = cb,
                    .arg = arg};
    int rc = listener_open(self->loop, l);
    if (rc < 0) {
        tr__free(l);
        return rc;
    }
    tr__list_append(&self->owned, &l->owned.link);
    if (ret_signal != NULL)
        ret_signal->id = l->id;
    return 0;
}

void tr_signal_stop(tr_actor *self, tr_signal signal)
{
    if (!tr__actor_here(self))
        return;
    listener *l = tr__slots_find(&self->loop->listeners, signal.id);
    if (l != NULL && l->actor == self)
        listener_free(l);
}
