// Listeners: names in the machine, and the connections that wait to be accepted.
//
// The accepting end of a connection exists from the moment of the connect, so that the other side
// may write at once; nobody is told of it before the listener's owner has it. A listener that
// closes takes the waiting ones with it.
#include "base/memory.h"
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

#define LISTENER_PATH_MAX 107 // as for a Unix domain socket

struct sim_listener {
    tr_listener base;
    struct sim_source source;
    tr__list node;    // in sim->listeners
    tr__list waiting; // connections
    const tr_listener_up *up;
    void *owner;
    char path[];
};

struct connection {
    tr__list node;
    tr_endpoint *endpoint;
    tr_peer_cred cred;
};

static struct sim_listener *listener_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_listener, source);
}

static struct connection *listener_next(struct sim_listener *l)
{
    tr__list *node = tr__list_pop(&l->waiting);
    return node == NULL ? NULL : tr__container(node, struct connection, node);
}

static uint64_t listener_due(const struct sim_source *source, unsigned event)
{
    bool waiting = !tr__list_empty(&listener_of(source)->waiting);
    return event == SIM_ACCEPT && waiting ? 0 : TR__NEVER;
}

static void listener_tell(struct sim_source *source, unsigned event)
{
    struct sim_listener *l = listener_of(source);
    struct connection *connection = listener_next(l);
    tr_endpoint *endpoint = connection->endpoint;
    tr_peer_cred cred = connection->cred;
    (void)event;
    tr__free(connection);
    l->up->accepted(l->owner, endpoint, &cred);
}

// Nobody finds it any more. What waits is severed by itself.
static void listener_sever(struct sim_source *source)
{
    tr__list_remove(&listener_of(source)->node);
}

static void listener_free(struct sim_source *source, bool tell)
{
    struct sim_listener *l = listener_of(source);
    (void)tell;
    for (struct connection *c; (c = listener_next(l)) != NULL;)
        tr__free(c);
    listener_sever(source);
    tr__list_remove(&source->node);
    tr__free(l);
}

static const struct sim_source_ops listener_source_ops = {
    .due = listener_due,
    .tell = listener_tell,
    .sever = listener_sever,
    .free = listener_free,
};

static struct sim_listener *listener_find(const tr_sim *sim, const char *path)
{
    for (tr__list *n = sim->listeners.next; n != &sim->listeners; n = n->next) {
        struct sim_listener *l = tr__container(n, struct sim_listener, node);
        if (strcmp(l->path, path) == 0)
            return l;
    }
    return NULL;
}

int tr__sim_listen(tr_world *world, const char *path, const tr_listener_up *up, void *owner,
                   tr_listener **ret_listener)
{
    struct sim_process *process = sim_process_of(world);
    size_t size = strlen(path) + 1;
    if (size > LISTENER_PATH_MAX + 1)
        return TR_ENAMETOOLONG;
    if (process->dead)
        return TR_EDOWN;
    if (listener_find(process->sim, path) != NULL)
        return TR_EADDRINUSE;
    struct sim_listener *l = tr__zalloc(sizeof *l + size);
    if (l == NULL)
        return TR_ENOMEM;
    l->base.world = world;
    l->up = up;
    l->owner = owner;
    memcpy(l->path, path, size);
    tr__list_init(&l->waiting);
    tr__list_append(&process->sim->listeners, &l->node);
    tr__sim_source_init(&l->source, world, &listener_source_ops);
    *ret_listener = &l->base;
    return 0;
}

void tr__sim_listener_close(tr_listener **listener)
{
    struct sim_listener *l = (struct sim_listener *)*listener;
    if (l == NULL)
        return;
    for (tr__list *n = l->waiting.next; n != &l->waiting; n = n->next)
        tr__sim_endpoint_close(tr__container(n, struct connection, node)->endpoint);
    listener_free(&l->source, false);
    *listener = NULL;
}

int tr__sim_connect(tr_sim *sim, tr_world *world, const char *path, tr_endpoint **ret_endpoint)
{
    struct sim_process *client = sim_process_of(world);
    if (client->dead)
        return TR_EDOWN;
    struct sim_listener *l = listener_find(sim, path);
    if (l == NULL)
        return TR_ENOENT;
    struct connection *connection = tr__alloc(sizeof *connection);
    if (connection == NULL)
        return TR_ENOMEM;
    int rc = tr__sim_pipe(world, l->base.world, ret_endpoint, &connection->endpoint);
    if (rc < 0) {
        tr__free(connection);
        return rc;
    }
    connection->cred = (tr_peer_cred){.same_user = true, .pid = client->pid};
    tr__list_append(&l->waiting, &connection->node);
    return 0;
}
