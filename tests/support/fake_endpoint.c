// The endpoints stay in memory until the world is freed, so that a test can look at one that its
// owner has closed.
#include "support/fake_endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "base/assert.h"

#define FAKE_MAX 16

struct fake_world {
    tr_world base;
    fake_endpoint *endpoints[FAKE_MAX];
    int count;
    bool polling;
};

static fake_endpoint *fake_open(tr_endpoint *base)
{
    fake_endpoint *e = (fake_endpoint *)base;
    tr_assert(!e->closed);
    return e;
}

void fake_put(fake_endpoint *to, const void *bytes, size_t size)
{
    size_t offset = to->size > 0 ? (size_t)(to->bytes - to->memory) : 0;
    if (offset + to->size + size > to->memory_size) {
        to->memory_size = 2 * (offset + to->size + size);
        to->memory = realloc(to->memory, to->memory_size);
        tr_assert(to->memory != NULL);
    }
    to->bytes = to->memory + offset;
    if (size > 0)
        memcpy(to->memory + offset + to->size, bytes, size);
    to->size += size;
}

void fake_take(fake_endpoint *from, size_t size)
{
    tr_assert(size <= from->size);
    from->bytes += size;
    from->size -= size;
}

void fake_end(fake_endpoint *to)
{
    to->ended = true;
}

static size_t fake_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void fake_bind(tr_endpoint *base, const tr_endpoint_up *up, void *owner)
{
    fake_endpoint *e = fake_open(base);
    tr_assert(e->wanted == 0);
    e->up = up;
    e->owner = owner;
}

static void fake_want(tr_endpoint *base, unsigned events)
{
    fake_endpoint *e = fake_open(base);
    tr_assert(e->up != NULL);
    e->wanted = events;
}

static ssize_t fake_read(tr_endpoint *base, const tr_iov *iov, int count)
{
    fake_endpoint *e = fake_open(base);
    tr_assert(count >= 1 && count <= TR__IOV_MAX);
    e->reads++;
    if (e->size == 0)
        return e->read_error != 0 ? e->read_error : e->ended ? 0 : TR_EAGAIN;
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        tr_assert(iov[i].len > 0);
        size_t n = fake_least(fake_least(iov[i].len, e->size), e->read_max - total);
        memcpy(iov[i].base, e->bytes, n);
        fake_take(e, n);
        total += n;
    }
    return (ssize_t)total;
}

static size_t fake_room(const fake_endpoint *e)
{
    return e->capacity > e->size ? e->capacity - e->size : 0;
}

static ssize_t fake_write(tr_endpoint *base, const tr_iov *iov, int count)
{
    fake_endpoint *e = fake_open(base);
    tr_assert(count >= 1 && count <= TR__IOV_MAX && !e->shut);
    e->writes++;
    if (e->write_error != 0 || e->peer->closed)
        return e->write_error != 0 ? e->write_error : TR_EPIPE;
    size_t total = 0;
    size_t n = 1;
    for (int i = 0; i < count && n > 0; i++) {
        tr_assert(iov[i].len > 0);
        n = fake_least(fake_least(iov[i].len, fake_room(e->peer)), e->write_max - total);
        fake_put(e->peer, iov[i].base, n);
        total += n;
    }
    return total > 0 ? (ssize_t)total : TR_EAGAIN;
}

static void fake_shutdown(tr_endpoint *base)
{
    fake_endpoint *e = fake_open(base);
    tr_assert(!e->shut);
    e->shut = true;
    fake_end(e->peer);
}

static void fake_close(tr_endpoint *base)
{
    fake_endpoint *e = (fake_endpoint *)base;
    e->closed = true;
    e->wanted = 0;
    fake_end(e->peer);
}

static int fake_site(tr_endpoint *base, bool peer, tr_site *ret_site)
{
    (void)peer;
    *ret_site = (tr_site){.tcp = fake_open(base)->tcp};
    return 0;
}

static void fake_limit(tr_endpoint *base, size_t size)
{
    fake_open(base)->limit = size;
}

static const tr_world_ops fake_ops = {
    .name = "fake",
    .endpoint_bind = fake_bind,
    .endpoint_want = fake_want,
    .endpoint_read = fake_read,
    .endpoint_write = fake_write,
    .endpoint_shutdown = fake_shutdown,
    .endpoint_close = fake_close,
    .endpoint_site = fake_site,
    .endpoint_limit = fake_limit,
};

fake_world *fake_world_new(void)
{
    fake_world *world = calloc(1, sizeof *world);
    tr_assert(world != NULL);
    world->base.ops = &fake_ops;
    return world;
}

void fake_world_free(fake_world **world)
{
    for (int i = 0; i < (*world)->count; i++) {
        free((*world)->endpoints[i]->memory);
        free((*world)->endpoints[i]);
    }
    free(*world);
    *world = NULL;
}

static fake_endpoint *fake_new(fake_world *world)
{
    fake_endpoint *e = calloc(1, sizeof *e);
    tr_assert(e != NULL && world->count < FAKE_MAX);
    e->base.world = &world->base;
    e->capacity = e->read_max = e->write_max = SIZE_MAX;
    world->endpoints[world->count++] = e;
    return e;
}

void fake_pair(fake_world *world, fake_endpoint **ret_a, fake_endpoint **ret_b)
{
    *ret_a = fake_new(world);
    *ret_b = fake_new(world);
    (*ret_a)->peer = *ret_b;
    (*ret_b)->peer = *ret_a;
}

static bool fake_tell_readable(fake_endpoint *e)
{
    if ((e->wanted & TR__READ) == 0 || (e->size == 0 && !e->ended && e->read_error == 0))
        return false;
    e->up->readable(e->owner);
    return true;
}

static bool fake_tell_writable(fake_endpoint *e)
{
    bool fails = e->write_error != 0 || e->peer->closed;
    if ((e->wanted & TR__WRITE) == 0 || (!fails && fake_room(e->peer) == 0))
        return false;
    e->up->writable(e->owner);
    return true;
}

static bool fake_tell_closed(fake_endpoint *e)
{
    if (!e->closed || e->gone)
        return false;
    e->gone = true;
    if (e->up != NULL)
        e->up->closed(e->owner);
    return true;
}

bool fake_poll(fake_world *world)
{
    tr_assert(!world->polling);
    world->polling = true;
    bool told = false;
    for (int i = 0; i < world->count; i++) // first: no close of this poll is told in it
        told |= fake_tell_closed(world->endpoints[i]);
    for (int i = 0; i < world->count; i++) {
        told |= fake_tell_readable(world->endpoints[i]);
        told |= fake_tell_writable(world->endpoints[i]);
    }
    world->polling = false;
    return told;
}

void fake_run(fake_world *world)
{
    while (fake_poll(world))
        continue;
}
