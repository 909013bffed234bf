// Lookouts: what happens to files, as libuv's file events tell it, which is the system's inotify.
//
// A lookout that is closed is libuv's until libuv has let go of it.
#include "base/memory.h"
#include "core/file_call.h"
#include "uv/inside.h"

struct real_lookout {
    tr_lookout base;
    tr__list node; // in world->lookouts
    uv_fs_event_t event;
    const tr_lookout_up *up;
    void *owner;
};

static void lookout_heard(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct real_lookout *l = event->data;
    unsigned ours = ((events & UV_CHANGE) != 0 ? TR_FILE_CHANGED : 0u) |
                    ((events & UV_RENAME) != 0 ? TR_FILE_MOVED : 0u);
    real_world_stir(real_world_of(l->base.world));
    l->up->heard(l->owner, status, ours, name);
}

static void lookout_closed(uv_handle_t *handle)
{
    tr__free(handle->data);
}

static void lookout_close(struct real_lookout *l)
{
    tr__list_remove(&l->node);
    uv_close((uv_handle_t *)&l->event, lookout_closed);
}

int tr__uv_watch(tr_world *base, const char *path, const tr_lookout_up *up, void *owner,
                 tr_lookout **ret_lookout)
{
    struct real_world *world = real_world_of(base);
    struct real_lookout *l = tr__zalloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    l->base.world = base;
    l->up = up;
    l->owner = owner;
    uv_fs_event_init(&world->loop, &l->event);
    l->event.data = l;
    tr__list_append(&world->lookouts, &l->node);
    int rc = uv_fs_event_start(&l->event, lookout_heard, path, 0);
    if (rc < 0)
        lookout_close(l);
    else
        *ret_lookout = &l->base;
    return rc;
}

void tr__uv_lookout_close(tr_lookout **lookout)
{
    if (*lookout != NULL)
        lookout_close((struct real_lookout *)*lookout);
    *lookout = NULL;
}

void tr__uv_lookouts_close(struct real_world *world)
{
    for (tr__list *n; (n = tr__list_pop(&world->lookouts)) != NULL;)
        lookout_close(tr__container(n, struct real_lookout, node));
}
