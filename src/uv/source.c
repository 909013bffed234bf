// Sources: descriptors in libuv's loop.
//
// libuv only says when a descriptor is ready; reading and writing are ours, so that bytes go
// straight to the caller's memory and leave within the call. A source's descriptor is closed right
// after libuv was told to let go of it and never before: libuv 1.44 takes the number out of epoll
// once more when it lets go, and by then the number may be another source's.
//
// A source may be ready when nothing can be done about it: a listener without a descriptor for
// whom it could accept, say. It then rests, for otherwise the loop would spin.
#include <unistd.h>

#include "uv/inside.h"

#define REST_NS 20000000u

int tr__uv_source_open(struct real_world *world, int fd, void (*close)(struct real_source *source),
                       struct real_source *source)
{
    int rc = uv_poll_init(&world->loop, &source->poll, fd);
    if (rc < 0)
        return rc;
    source->poll.data = source;
    source->world = world;
    source->fd = fd;
    source->close = close;
    tr__list_init(&source->rest);
    tr__list_append(&world->sources, &source->node);
    return 0;
}

void tr__uv_source_watch(struct real_source *source, int events, uv_poll_cb cb)
{
    int rc = uv_poll_start(&source->poll, events, cb); // no events: stops
    tr_assert(rc == 0);
    source->world->glanced = 0;
}

int tr__uv_source_leave(struct real_source *source, uv_close_cb cb)
{
    int fd = source->fd;
    tr_assert(!uv_is_closing((uv_handle_t *)&source->poll));
    tr__list_remove(&source->node);
    tr__list_remove(&source->rest);
    source->world->glanced = 0;
    uv_close((uv_handle_t *)&source->poll, cb);
    source->fd = -1;
    return fd;
}

void tr__uv_source_rest(struct real_source *source, void (*rested)(struct real_source *source))
{
    struct real_world *world = source->world;
    source->rests_until = tr__uv_now(&world->base) + REST_NS;
    source->rested = rested;
    tr__list_remove(&source->rest);
    tr__list_append(&world->resting, &source->rest);
}

bool tr__uv_source_rests(const struct real_source *source)
{
    return !tr__list_empty(&source->rest);
}

uint64_t tr__uv_rests_end(struct real_world *world, uint64_t now)
{
    while (!tr__list_empty(&world->resting)) {
        struct real_source *source = tr__container(world->resting.next, struct real_source, rest);
        if (source->rests_until > now)
            return source->rests_until;
        tr__list_remove(&source->rest);
        source->rested(source);
    }
    return TR__NEVER;
}

void tr__uv_source_close(struct real_source *source, uv_close_cb cb)
{
    close(tr__uv_source_leave(source, cb));
}
