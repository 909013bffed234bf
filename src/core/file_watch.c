// Watching files: a handle on one of the world's lookouts, for an actor.
//
// The world tells in its poll, where it is nobody's turn; the actor hears in one. The callback may
// stop the watch.
#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"
#include "core/file_call.h"

typedef struct watch {
    tr__owned owned;
    tr_actor *actor;
    uint64_t id;
    tr_lookout *lookout;
    tr_file_heard cb;
    void *arg;
} watch;

static void watch_free(watch *w)
{
    tr_loop *loop = w->actor->loop;
    loop->world->ops->lookout_close(&w->lookout);
    tr__slots_remove(&loop->lookouts, w->id);
    tr__list_remove(&w->owned.link);
    tr__free(w);
}

static void watch_close(tr__owned *owned)
{
    watch_free(tr__container(owned, watch, owned));
}

static void watch_heard(void *owner, int status, unsigned events, const char *name)
{
    static const tr__what what = {"(file watch)"};
    watch *w = owner;
    tr_actor *actor = w->actor;
    tr_file_heard cb = w->cb;
    void *arg = w->arg;
    if (status < 0)
        watch_free(w);
    if (actor->state != TR__RUNNING)
        return;
    tr__turn_begin(actor, &what);
    cb(actor, status, events, name, arg);
    tr__turn_end(actor);
}

int tr_file_watch_start(tr_actor *self, const char *path, tr_file_heard cb, void *arg,
                        tr_file_watch *ret_watch)
{
    static const tr_lookout_up up = {.heard = watch_heard};
    if (!tr__actor_here(self) || self->state > TR__RUNNING || path == NULL || cb == NULL ||
        ret_watch == NULL)
        return TR_EINVAL;
    tr_loop *loop = self->loop;
    watch *w = tr__alloc(sizeof *w);
    if (w == NULL)
        return TR_ENOMEM;
    *w = (watch){.owned.close = watch_close, .actor = self, .cb = cb, .arg = arg};
    int rc = tr__slots_add(&loop->lookouts, w, &w->id);
    if (rc == 0) {
        rc = loop->world->ops->watch(loop->world, path, &up, w, &w->lookout);
        if (rc < 0)
            tr__slots_remove(&loop->lookouts, w->id);
    }
    if (rc < 0) {
        tr__free(w);
        return rc;
    }
    tr__list_append(&self->owned, &w->owned.link);
    ret_watch->id = w->id;
    return 0;
}

void tr_file_watch_stop(tr_actor *self, tr_file_watch handle)
{
    if (!tr__actor_here(self))
        return;
    watch *w = tr__slots_find(&self->loop->lookouts, handle.id);
    if (w != NULL && w->actor == self)
        watch_free(w);
}
