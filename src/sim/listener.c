// Listeners: sites in the machine, and the connections that wait to be accepted.
//
// A spot is a listening socket: its site, and the connections that wait. Listeners accept from it,
// one or several in any processes, and parcels hold it; it is gone when nobody does, and takes the
// waiting ones with it. The accepting end of a connection exists from the moment of the connect, as
// a parcel, so that the other side may write as soon as it is connected.
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

struct sim_spot {
    tr_parcel parcel; // the reference that is not a listener's
    unsigned holders;
    tr_sim *sim;
    tr__list node;    // in sim->listeners
    tr__list waiting; // connections
    tr_site site;
    int64_t pid; // of whoever opened it
    bool reuse_port;
    int room; // in the backlog
};

struct sim_listener {
    tr_listener base;
    struct sim_source source;
    struct sim_spot *spot; // NULL: its process is dead
    const tr_listener_up *up;
    void *owner;
    bool deaf; // does not want to accept
};

struct connection {
    tr__list node;
    uint64_t due; // when the listener can know of it
    tr_parcel *parcel;
};

static struct connection *connection_next(struct sim_spot *spot)
{
    tr__list *node = tr__list_pop(&spot->waiting);
    return node == NULL ? NULL : tr__container(node, struct connection, node);
}

static void spot_drop(struct sim_spot *spot)
{
    tr_assert(spot->holders > 0);
    if (--spot->holders > 0)
        return;
    for (struct connection *c; (c = connection_next(spot)) != NULL;) {
        tr__parcel_unref(&c->parcel);
        tr__free(c);
    }
    tr__list_remove(&spot->node);
    tr__free(spot);
}

static struct sim_listener *listener_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_listener, source);
}

static uint64_t listener_due(const struct sim_source *source, unsigned event)
{
    const struct sim_listener *l = listener_of(source);
    if (event != SIM_ACCEPT || l->deaf || l->spot == NULL || tr__list_empty(&l->spot->waiting))
        return TR__NEVER;
    return tr__container(l->spot->waiting.next, struct connection, node)->due;
}

static void listener_tell(struct sim_source *source, unsigned event)
{
    struct sim_listener *l = listener_of(source);
    struct connection *connection = connection_next(l->spot);
    tr_endpoint *endpoint;
    (void)event;
    l->spot->room++;
    int rc = tr__sim_endpoint_enter(l->base.world, &connection->parcel, &endpoint);
    tr__parcel_unref(&connection->parcel);
    tr__free(connection);
    if (rc == 0)
        l->up->accepted(l->owner, endpoint);
    else
        l->up->dropped(l->owner, rc);
}

static void listener_sever(struct sim_source *source)
{
    struct sim_listener *l = listener_of(source);
    if (l->spot != NULL)
        spot_drop(l->spot);
    l->spot = NULL;
}

static void listener_free(struct sim_source *source, bool tell)
{
    (void)tell;
    listener_sever(source);
    tr__list_remove(&source->node);
    tr__free(listener_of(source));
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
static struct sim_spot *spot_find(tr_sim *sim, const tr_site *site)
{
    struct sim_spot *found = NULL;
    uint64_t count = 0;
    for (tr__list *n = sim->listeners.next; n != &sim->listeners; n = n->next) {
        struct sim_spot *spot = tr__container(n, struct sim_spot, node);
        if (site_meets(&spot->site, site) && tr__sim_below(sim, ++count) == 0)
            found = spot;
    }
    return found;
}

// ---- As the world's owner sees it ----

static tr_parcel *spot_parcel(struct sim_spot *spot)
{
    spot->holders++;
    if (atomic_load(&spot->parcel.holders) > 0)
        spot->holders--; // there is one already
    atomic_fetch_add(&spot->parcel.holders, 1);
    return &spot->parcel;
}

static struct sim_spot *spot_of(const tr_parcel *parcel)
{
    return tr__container((tr_parcel *)(uintptr_t)parcel, struct sim_spot, parcel);
}

int tr__sim_listener_open(tr_world *world, const tr_site *site, const tr_listen_how *how,
                          tr_parcel **ret_parcel)
{
    struct sim_process *process = sim_process_of(world);
    if (!site_is_good(site))
        return site->given ? TR_ENOENT : TR_EINVAL;
    if (process->dead)
        return TR_EDOWN;
    const struct sim_spot *other = spot_find(process->sim, site);
    if (other != NULL && !(other->reuse_port && how->reuse_port))
        return TR_EADDRINUSE;
    struct sim_spot *spot = tr__zalloc(sizeof *spot);
    if (spot == NULL)
        return TR_ENOMEM;
    spot->sim = process->sim;
    spot->pid = process->pid;
    spot->site = *site;
    spot->reuse_port = site->tcp && how->reuse_port;
    spot->room = (how->backlog > 0 ? how->backlog : BACKLOG) + 1; // as Linux counts
    if (site->tcp && site->port == 0)
        spot->site.port = port_next(process->sim);
    spot->parcel.ops = &tr__sim_world_ops;
    spot->parcel.kind = TR__PARCEL_LISTENER;
    tr__list_init(&spot->waiting);
    tr__list_append(&process->sim->listeners, &spot->node);
    *ret_parcel = spot_parcel(spot);
    return 0;
}

int tr__sim_listener_share(const tr_listener *listener, tr_parcel **ret_parcel)
{
    const struct sim_listener *l = (const struct sim_listener *)listener;
    if (l->spot == NULL)
        return TR_EDOWN;
    *ret_parcel = spot_parcel(l->spot);
    return 0;
}

int tr__sim_listener_enter(tr_world *world, tr_parcel **parcel, const tr_listen_how *how,
                           const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    (void)how;
    if (sim_process_of(world)->dead)
        return TR_EDOWN;
    struct sim_listener *l = tr__zalloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    l->base.world = world;
    l->up = up;
    l->owner = owner;
    l->spot = spot_of(*parcel);
    l->spot->holders++;
    tr__parcel_unref(parcel);
    tr__sim_source_init(&l->source, world, &listener_source_ops);
    *ret_listener = &l->base;
    return 0;
}

int tr__sim_listen(tr_world *world, const tr_site *site, const tr_listen_how *how,
                   const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    tr_parcel *parcel = NULL;
    int rc = tr__sim_listener_open(world, site, how, &parcel);
    if (rc == 0)
        rc = tr__sim_listener_enter(world, &parcel, how, up, owner, ret_listener);
    tr__parcel_unref(&parcel);
    return rc;
}

tr_parcel *tr__sim_spot_parcel(const tr_parcel *parcel)
{
    return tr__parcel_ref((tr_parcel *)(uintptr_t)parcel);
}

void tr__sim_spot_site(const tr_parcel *parcel, tr_site *ret_site)
{
    *ret_site = spot_of(parcel)->site;
}

void tr__sim_spot_free(tr_parcel *parcel)
{
    spot_drop(spot_of(parcel));
}

void tr__sim_listener_site(const tr_listener *listener, tr_site *ret_site)
{
    const struct sim_spot *spot = ((const struct sim_listener *)listener)->spot;
    *ret_site = spot == NULL ? (tr_site){0} : spot->site;
}

void tr__sim_listener_want(tr_listener *listener, bool accept)
{
    ((struct sim_listener *)listener)->deaf = !accept;
}

void tr__sim_listener_close(tr_listener **listener)
{
    struct sim_listener *l = (struct sim_listener *)*listener;
    if (l != NULL)
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

// A client at its own site connects to that one.
static int spot_queue(struct sim_spot *spot, uint64_t due, tr_world *client, const tr_site *mine,
                      const tr_site *site, tr_endpoint **ret_endpoint)
{
    struct connection *connection = tr__alloc(sizeof *connection);
    if (connection == NULL)
        return TR_ENOMEM;
    int rc = tr__sim_pipe_half(client, mine, site, spot->pid, ret_endpoint, &connection->parcel);
    if (rc < 0) {
        tr__free(connection);
        return rc;
    }
    connection->due = due;
    spot->room--;
    tr__list_append(&spot->waiting, &connection->node);
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
    struct sim_spot *spot = spot_find(client->sim, site);
    bool silent = site_is_silent(site) || (spot != NULL && spot->room == 0);
    if (!site->tcp && (spot == NULL || silent))
        return spot == NULL ? TR_ENOENT : TR_EAGAIN;
    if (site->tcp) {
        memcpy(mine.name, site->name, sizeof mine.name);
        mine.port = port_next(client->sim);
    }
    uint64_t due = silent ? TR__NEVER : site->tcp ? tr__sim_arrival(client->sim) : 0;
    int rc = spot == NULL || silent ? tr__sim_endpoint_lone(world, ret_endpoint)
                                    : spot_queue(spot, due, world, &mine, site, ret_endpoint);
    if (rc == 0)
        tr__sim_endpoint_place(*ret_endpoint, &mine, site, due);
    return rc;
}
