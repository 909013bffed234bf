// Listeners: sites in the machine, and the connections that wait to be accepted.
//
// The accepting end of a connection exists from the moment of the connect, so that the other side
// may write as soon as it is connected; nobody is told of it before the listener's owner has it. A
// listener that closes takes the waiting ones with it.
//
// As in a real machine a path is connected at once or not at all, and TCP after a while. All
// processes share the one machine, so any IPv4 or IPv6 address is theirs, but for 192.0.2.x, which
// documents use for examples: nobody ever answers there. Nor does a listener of TCP whose backlog
// is full, to one who has come then.
#include "base/memory.h"
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

#define FIRST_PORT 40000u // of those that the machine chooses
#define BACKLOG    511

struct sim_listener {
    tr_listener base;
    struct sim_source source;
    tr__list node;    // in sim->listeners
    tr__list waiting; // connections
    const tr_listener_up *up;
    void *owner;
    tr_site site;
    bool reuse_port;
    bool deaf; // does not want to accept
    int room;  // in the backlog
};

struct connection {
    tr__list node;
    uint64_t due; // when the listener can know of it
    tr_endpoint *endpoint;
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
    const struct sim_listener *l = listener_of(source);
    if (event != SIM_ACCEPT || l->deaf || tr__list_empty(&l->waiting))
        return TR__NEVER;
    return tr__container(l->waiting.next, struct connection, node)->due;
}

static void listener_tell(struct sim_source *source, unsigned event)
{
    struct sim_listener *l = listener_of(source);
    struct connection *connection = listener_next(l);
    tr_endpoint *endpoint = connection->endpoint;
    (void)event;
    l->room++;
    tr__free(connection);
    l->up->accepted(l->owner, endpoint);
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

// ---- Sites ----

static bool site_is_any(const tr_site *site)
{
    return site->tcp && (strcmp(site->name, "0.0.0.0") == 0 || strcmp(site->name, "::") == 0);
}

static bool site_meets(const tr_site *a, const tr_site *b)
{
    return a->tcp == b->tcp && a->port == b->port &&
           (strcmp(a->name, b->name) == 0 || site_is_any(a) || site_is_any(b));
}

static bool site_is_silent(const tr_site *site)
{
    return site->tcp && strncmp(site->name, "192.0.2.", 8) == 0;
}

// An IPv4 address has three dots, an IPv6 address colons. More is not looked at. No simulated
// process is given a socket.
static bool site_is_good(const tr_site *site)
{
    unsigned dots = 0;
    if (site->given)
        return false;
    for (const char *at = site->name; *at != '\0'; at++)
        dots += *at == '.';
    bool v4 = dots == 3 && site->name[strspn(site->name, "0123456789.")] == '\0';
    return site->tcp ? v4 || strchr(site->name, ':') != NULL : site->name[0] != '\0';
}

static uint16_t port_next(tr_sim *sim)
{
    return (uint16_t)(FIRST_PORT + sim->last_port++ % (UINT16_MAX - FIRST_PORT));
}

// Whoever listens there; one of them, where they share the port.
static struct sim_listener *listener_find(tr_sim *sim, const tr_site *site)
{
    struct sim_listener *found = NULL;
    uint64_t count = 0;
    for (tr__list *n = sim->listeners.next; n != &sim->listeners; n = n->next) {
        struct sim_listener *l = tr__container(n, struct sim_listener, node);
        if (site_meets(&l->site, site) && tr__sim_below(sim, ++count) == 0)
            found = l;
    }
    return found;
}

// ---- As the world's owner sees it ----

int tr__sim_listen(tr_world *world, const tr_site *site, const tr_listen_how *how,
                   const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    struct sim_process *process = sim_process_of(world);
    if (!site_is_good(site))
        return site->given ? TR_ENOENT : TR_EINVAL;
    if (process->dead)
        return TR_EDOWN;
    const struct sim_listener *other = listener_find(process->sim, site);
    if (other != NULL && !(other->reuse_port && how->reuse_port))
        return TR_EADDRINUSE;
    struct sim_listener *l = tr__zalloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    l->base.world = world;
    l->up = up;
    l->owner = owner;
    l->site = *site;
    l->reuse_port = site->tcp && how->reuse_port;
    l->room = (how->backlog > 0 ? how->backlog : BACKLOG) + 1; // as Linux counts
    if (site->tcp && site->port == 0)
        l->site.port = port_next(process->sim);
    tr__list_init(&l->waiting);
    tr__list_append(&process->sim->listeners, &l->node);
    tr__sim_source_init(&l->source, world, &listener_source_ops);
    *ret_listener = &l->base;
    return 0;
}

void tr__sim_listener_site(const tr_listener *listener, tr_site *ret_site)
{
    *ret_site = ((const struct sim_listener *)listener)->site;
}

void tr__sim_listener_want(tr_listener *listener, bool accept)
{
    ((struct sim_listener *)listener)->deaf = !accept;
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

// "*.test" stands for an address where nobody answers, and then for this machine. There are no
// other names.
int tr__sim_resolve(tr_world *world, const tr_site *site, tr_site *ret_sites, int max)
{
    static const tr_site found[] = {{.tcp = true, .name = "192.0.2.1"},
                                    {.tcp = true, .name = "127.0.0.1"}};
    size_t size = strlen(site->name);
    (void)world;
    if (size <= 5 || strcmp(site->name + size - 5, ".test") != 0)
        return TR_ENOENT;
    tr_assert(max >= 2);
    for (int i = 0; i < 2; i++) {
        ret_sites[i] = found[i];
        ret_sites[i].port = site->port;
    }
    return 2;
}

static int listener_queue(struct sim_listener *l, uint64_t due, tr_world *client,
                          tr_endpoint **ret_endpoint, tr_endpoint **ret_accepted)
{
    struct connection *connection = tr__alloc(sizeof *connection);
    if (connection == NULL)
        return TR_ENOMEM;
    int rc = tr__sim_pipe(client, l->base.world, ret_endpoint, &connection->endpoint);
    if (rc < 0) {
        tr__free(connection);
        return rc;
    }
    connection->due = due;
    l->room--;
    *ret_accepted = connection->endpoint;
    tr__list_append(&l->waiting, &connection->node);
    return 0;
}

int tr__sim_connect(tr_world *world, const tr_site *site, tr_endpoint **ret_endpoint)
{
    struct sim_process *client = sim_process_of(world);
    if (!site_is_good(site))
        return TR_EINVAL;
    if (client->dead)
        return TR_EDOWN;
    tr_site mine = {.tcp = site->tcp};
    tr_endpoint *accepted = NULL;
    struct sim_listener *l = listener_find(client->sim, site);
    bool silent = site_is_silent(site) || (l != NULL && l->room == 0);
    if (!site->tcp && (l == NULL || silent))
        return l == NULL ? TR_ENOENT : TR_EAGAIN;
    uint64_t due = silent ? TR__NEVER : site->tcp ? tr__sim_arrival(client->sim) : 0;
    int rc = l == NULL || silent ? tr__sim_endpoint_lone(world, ret_endpoint)
                                 : listener_queue(l, due, world, ret_endpoint, &accepted);
    if (rc < 0)
        return rc;
    if (site->tcp) {
        memcpy(mine.name, site->name, sizeof mine.name);
        mine.port = port_next(client->sim);
    }
    tr__sim_endpoint_place(*ret_endpoint, &mine, site, due);
    if (accepted != NULL)
        tr__sim_endpoint_place(accepted, site, &mine, 0);
    return 0;
}
