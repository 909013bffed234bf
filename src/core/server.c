// Servers: a listener of the world for an actor, whose clients become its streams.
//
// A server is known by a handle. Its sockets know it by that, too, so either may go first. What
// accepts is off while the owner has paused it or exits, or while as many sockets are open as it
// wants.
#include "base/log.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/handle.h"
#include "core/socket.h"

#define BACKLOG_MAX 65535u

typedef struct server {
    tr__owned owned;
    tr_actor *actor;
    uint64_t id;
    tr_listener *listener;
    tr_accepted cb;
    void *arg;
    tr_listen_opts opts;
    tr_stream_opts stream_opts;
    uint32_t open; // sockets
    bool paused;
    bool warned; // that clients are dropped
} server;

static tr_loop *server_loop(const server *s)
{
    return s->actor->loop;
}

static void server_set(server *s)
{
    bool full = s->opts.connections_max > 0 && s->open >= s->opts.connections_max;
    server_loop(s)->world->ops->listener_want(s->listener, !s->paused && !full);
}

void tr__server_left(tr_loop *loop, uint64_t id)
{
    server *s = tr__slots_find(&loop->servers, id);
    if (s == NULL)
        return;
    tr_assert(s->open > 0);
    s->open--;
    server_set(s);
}

void tr__server_shut(tr__owned *owned)
{
    server *s = tr__container(owned, server, owned);
    s->paused = true;
    server_set(s);
}

// ---- What the listener tells ----

typedef struct guest {
    server *server;
    tr_endpoint *endpoint;
    int error;
} guest;

static void server_dropped(tr_actor *self, void *arg)
{
    const guest *g = arg;
    server *s = g->server;
    bool warned = s->warned;
    s->warned = true;
    if (s->opts.dropped != NULL)
        s->opts.dropped(self, (tr_server){s->id}, g->error, s->arg); // may close it
    else if (!warned)
        tr__warn("server.dropped", "error=%s (%s): clients cannot be accepted",
                 tr_errname(g->error), tr_strerror(g->error));
}

static void server_accepted(tr_actor *self, void *arg)
{
    guest *g = arg;
    server *s = g->server;
    tr__socket *socket;
    g->error = tr__socket_new(self, &tr__socket_ops, &s->stream_opts, s->opts.half_open, &socket);
    if (g->error < 0) {
        tr__endpoint_drop(&g->endpoint);
        server_dropped(self, g);
        return;
    }
    tr__socket_attach(socket, g->endpoint);
    socket->server = s->id;
    s->open++;
    server_set(s);
    s->cb(self, socket->stream, s->arg);
}

static void listener_accepted(void *owner, tr_endpoint *endpoint)
{
    guest g = {.server = owner, .endpoint = endpoint};
    if (!tr__socket_turn(g.server->actor, server_accepted, &g))
        tr__endpoint_drop(&endpoint);
}

static void listener_dropped(void *owner, int error)
{
    guest g = {.server = owner, .error = error};
    tr__socket_turn(g.server->actor, server_dropped, &g);
}

// ---- Life ----

static void server_close(server *s)
{
    tr_loop *loop = server_loop(s);
    tr__slots_remove(&loop->servers, s->id);
    loop->world->ops->listener_close(&s->listener);
    tr__free(s);
}

static void server_close_owned(tr__owned *owned)
{
    server_close(tr__container(owned, server, owned));
}

static tr_listen_how server_how(const tr_listen_opts *opts)
{
    return (tr_listen_how){.backlog = (int)opts->backlog,
                           .reuse_port = opts->reuse_port,
                           .v6_only = opts->v6_only,
                           .tuning = {!opts->delay, opts->keep_alive_s}};
}

// moves: *parcel, on success
static int server_listen(server *s, const tr_site *site, tr_parcel **parcel)
{
    static const tr_listener_up up = {.accepted = listener_accepted, .dropped = listener_dropped};
    tr_world *world = server_loop(s)->world;
    const tr_listen_how how = server_how(&s->opts);
    return parcel != NULL ? world->ops->listener_enter(world, parcel, &how, &up, s, &s->listener)
                          : world->ops->listen(world, site, &how, &up, s, &s->listener);
}

// It has its actor, options and callback. parcel: NULL: it listens at the site
static int server_open(server *s, const tr_site *site, tr_parcel **parcel)
{
    tr_loop *loop = server_loop(s);
    int rc = tr__slots_add(&loop->servers, s, &s->id);
    if (rc < 0)
        return rc;
    rc = server_listen(s, site, parcel);
    if (rc < 0) {
        tr__slots_remove(&loop->servers, s->id);
        return rc;
    }
    s->owned.close = server_close_owned;
    s->owned.serves = true;
    tr__list_append(&s->actor->owned, &s->owned.link);
    return 0;
}

static int server_new(tr_actor *self, const tr_listen_opts *opts, server **ret_server)
{
    server *s = tr__zalloc(sizeof *s);
    if (s == NULL)
        return TR_ENOMEM;
    s->actor = self;
    if (tr__opts_copy(opts, &s->opts, sizeof s->opts) < 0 || s->opts.backlog > BACKLOG_MAX ||
        tr__opts_copy(s->opts.stream, &s->stream_opts, sizeof s->stream_opts) < 0) {
        tr__free(s);
        return TR_EINVAL;
    }
    s->stream_opts.size = sizeof s->stream_opts;
    *ret_server = s;
    return 0;
}

// moves: *parcel, on success
static int server_start(tr_actor *self, const tr_site *site, tr_parcel **parcel,
                        const tr_listen_opts *opts, tr_accepted cb, void *arg,
                        tr_server *ret_server)
{
    server *s;
    int rc = server_new(self, opts, &s);
    if (rc < 0)
        return rc;
    s->cb = cb;
    s->arg = arg;
    rc = server_open(s, site, parcel);
    if (rc < 0) {
        tr__free(s);
        return rc;
    }
    if (ret_server != NULL)
        ret_server->id = s->id;
    return 0;
}

static bool server_may_start(const tr_actor *self)
{
    return tr__actor_here(self) && self->state <= TR__RUNNING;
}

// errors: besides, TR_EINVAL (it is a name)
static int server_site(const char *address, tr_site sites[TR__SITES_KNOWN])
{
    int count = address == NULL ? TR_EINVAL : tr__sites_parse(address, sites);
    return count > 0 ? 0 : count < 0 ? count : TR_EINVAL;
}

int tr_listen(tr_actor *self, const char *address, const tr_listen_opts *opts, tr_accepted cb,
              void *arg, tr_server *ret_server)
{
    tr_site sites[TR__SITES_KNOWN];
    if (!server_may_start(self) || cb == NULL)
        return TR_EINVAL;
    int rc = server_site(address, sites);
    return rc < 0 ? rc : server_start(self, &sites[0], NULL, opts, cb, arg, ret_server);
}

// ---- Listeners that come and go ----

int tr_listen_on(tr_actor *self, tr_handle **handle, const tr_listen_opts *opts, tr_accepted cb,
                 void *arg, tr_server *ret_server)
{
    if (!server_may_start(self) || cb == NULL || handle == NULL || *handle == NULL ||
        (*handle)->parcel->kind != TR__PARCEL_LISTENER)
        return TR_EINVAL;
    int rc = server_start(self, NULL, &(*handle)->parcel, opts, cb, arg, ret_server);
    if (rc == 0)
        tr_handle_close(handle);
    return rc;
}

int tr_listener_open(tr_actor *self, const char *address, const tr_listen_opts *opts,
                     tr_handle **ret_handle)
{
    tr_site sites[TR__SITES_KNOWN];
    tr_listen_opts o;
    tr_parcel *parcel = NULL;
    if (!server_may_start(self) || ret_handle == NULL || tr__opts_copy(opts, &o, sizeof o) < 0 ||
        o.backlog > BACKLOG_MAX)
        return TR_EINVAL;
    tr_world *world = self->loop->world;
    const tr_listen_how how = server_how(&o);
    int rc = server_site(address, sites);
    if (rc == 0)
        rc = world->ops->listener_open(world, &sites[0], &how, &parcel);
    if (rc == 0)
        rc = tr__handle_new(&parcel, ret_handle);
    tr__parcel_unref(&parcel);
    return rc;
}

// ---- Asked by its actor ----

static int server_of(tr_actor *self, tr_server handle, server **ret_server)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    server *s = tr__slots_find(&self->loop->servers, handle.id);
    if (s == NULL || s->actor != self)
        return TR_ENOENT;
    *ret_server = s;
    return 0;
}

void tr_server_close(tr_actor *self, tr_server handle)
{
    server *s;
    if (server_of(self, handle, &s) < 0)
        return;
    tr__list_remove(&s->owned.link);
    server_close(s);
}

static int server_pause(tr_actor *self, tr_server handle, bool pause)
{
    server *s;
    int rc = server_of(self, handle, &s);
    if (rc < 0)
        return rc;
    s->paused = pause;
    server_set(s);
    return 0;
}

int tr_server_pause(tr_actor *self, tr_server handle)
{
    return server_pause(self, handle, true);
}

int tr_server_resume(tr_actor *self, tr_server handle)
{
    return server_pause(self, handle, false);
}

int tr_server_limit(tr_actor *self, tr_server handle, uint32_t connections_max)
{
    server *s;
    int rc = server_of(self, handle, &s);
    if (rc < 0)
        return rc;
    s->opts.connections_max = connections_max;
    server_set(s);
    return 0;
}

int tr_server_address(tr_actor *self, tr_server handle, char text[TR_ADDRESS_MAX])
{
    tr_site site;
    server *s;
    int rc = text == NULL ? TR_EINVAL : server_of(self, handle, &s);
    if (rc < 0)
        return rc;
    server_loop(s)->world->ops->listener_site(s->listener, &site);
    tr__site_print(&site, text);
    return 0;
}

int tr_server_connections(tr_actor *self, tr_server handle, uint32_t *ret_count)
{
    server *s;
    int rc = ret_count == NULL ? TR_EINVAL : server_of(self, handle, &s);
    if (rc == 0)
        *ret_count = s->open;
    return rc;
}

int tr_server_share(tr_actor *self, tr_server handle, tr_handle **ret_handle)
{
    server *s;
    tr_parcel *parcel = NULL;
    int rc = ret_handle == NULL ? TR_EINVAL : server_of(self, handle, &s);
    if (rc == 0)
        rc = server_loop(s)->world->ops->listener_share(s->listener, &parcel);
    if (rc == 0)
        rc = tr__handle_new(&parcel, ret_handle);
    tr__parcel_unref(&parcel);
    return rc;
}
