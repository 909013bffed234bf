// Links through filters: a url of one of the schemes is a socket of the world's, and the filters
// that lie on it.
#include <stdio.h>
#include <troupe/error.h>
#include <troupe/link.h>

#include "base/list.h"
#include "base/memory.h"
#include "core/site.h"
#include "filter/filter.h"
#include "filter/tls.h"
#include "filter/transport.h"

struct tr__carriage {
    tr_world base; // of its listeners
    tr_world *world;
    tr__filters *filters;
    tr__list doors;
};

// A listener: the world's, and what it takes to put filters on what that accepts.
struct door {
    tr_listener base;
    tr__list node;
    tr_listener *listener;
    tr__tls *tls;
    const tr_listener_up *up;
    void *owner;
};

// ---- Urls ----

static const struct scheme {
    const char *prefix;
    tr__proof proof;
} SCHEMES[] = {
    {"tls+tcp://", TR__PROOF_PAPERS},
};

static const struct scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < sizeof SCHEMES / sizeof SCHEMES[0]; i++)
        if (strncmp(url, SCHEMES[i].prefix, strlen(SCHEMES[i].prefix)) == 0)
            return &SCHEMES[i];
    return NULL;
}

static bool carriage_carries(const char *url, tr__proof *ret_proof)
{
    const struct scheme *scheme = scheme_of(url);
    if (scheme != NULL)
        *ret_proof = scheme->proof;
    return scheme != NULL;
}

static int carriage_sites(const char *url, tr_site ret_sites[TR__SITES_KNOWN])
{
    char tcp[TR_URL_MAX];
    int size = snprintf(tcp, sizeof tcp, "tcp://%s", url + strlen(scheme_of(url)->prefix));
    return size < (int)sizeof tcp ? tr__sites_parse(tcp, ret_sites) : TR_ENAMETOOLONG;
}

// The host of a url that is good, without brackets: what has to be in its certificate.
static void url_host(const char *url, char host[TR__SITE_MAX])
{
    const char *begin = strstr(url, "://") + 3;
    bool bracket = *begin == '[';
    begin += bracket;
    snprintf(host, TR__SITE_MAX, "%.*s", (int)strcspn(begin, bracket ? "]" : ":"), begin);
}

// ---- Connecting ----

static int client_coder(const char *url, const tr__papers *papers, tr__coder **ret_coder)
{
    char host[TR__SITE_MAX];
    tr__tls *tls = NULL;
    url_host(url, host);
    int rc = papers == NULL ? TR_EINVAL : tr__tls_open(papers, &tls);
    if (rc == 0)
        rc = tr__tls_client(tls, papers->name != NULL ? papers->name : host, ret_coder);
    tr__tls_free(&tls);
    return rc;
}

static int carriage_connect(tr__carriage *carriage, const char *url, const tr_site *site,
                            const tr__papers *papers, tr_endpoint **ret_endpoint)
{
    tr__coder *coder;
    tr_endpoint *wire;
    int rc = client_coder(url, papers, &coder);
    if (rc < 0)
        return rc;
    rc = carriage->world->ops->connect(carriage->world, site, &wire);
    if (rc < 0) {
        coder->ops->free(coder);
        return rc;
    }
    wire->world->ops->endpoint_tune(wire, &(tr_tuning){.no_delay = true});
    return tr__filter_new(carriage->filters, &wire, coder, false, ret_endpoint);
}

// ---- Listening ----

static void door_accepted(void *owner, tr_endpoint *wire)
{
    struct door *d = owner;
    tr__carriage *carriage = (tr__carriage *)d->base.world;
    tr__coder *coder;
    tr_endpoint *endpoint;
    int rc = tr__tls_server(d->tls, &coder);
    if (rc < 0)
        wire->world->ops->endpoint_close(wire);
    else
        rc = tr__filter_new(carriage->filters, &wire, coder, true, &endpoint);
    if (rc < 0)
        d->up->dropped(d->owner, rc);
    else
        d->up->accepted(d->owner, endpoint);
}

static void door_dropped(void *owner, int error)
{
    struct door *d = owner;
    d->up->dropped(d->owner, error);
}

static const tr_listener_up DOOR_UP = {door_accepted, door_dropped};

static struct door *door_of(const tr_listener *base)
{
    return (struct door *)(uintptr_t)base;
}

static const tr_world_ops *door_ops(const struct door *d)
{
    return d->listener->world->ops;
}

static void door_site(const tr_listener *base, tr_site *ret_site)
{
    const struct door *d = door_of(base);
    door_ops(d)->listener_site(d->listener, ret_site);
    ret_site->papers = true;
}

static void door_want(tr_listener *base, bool accept)
{
    struct door *d = door_of(base);
    door_ops(d)->listener_want(d->listener, accept);
}

static void door_free(struct door *d)
{
    if (d->listener != NULL)
        door_ops(d)->listener_close(&d->listener);
    tr__list_remove(&d->node);
    tr__tls_free(&d->tls);
    tr__free(d);
}

static void door_close(tr_listener **base)
{
    if (*base != NULL)
        door_free(door_of(*base));
    *base = NULL;
}

static int door_open(struct door *d, const char *url, const tr__papers *papers)
{
    static const tr_listen_how how = {.tuning.no_delay = true};
    tr_world *world = ((tr__carriage *)d->base.world)->world;
    tr_site sites[TR__SITES_KNOWN];
    int rc = carriage_sites(url, sites);
    if (rc <= 0 || papers == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    rc = tr__tls_open(papers, &d->tls);
    return rc < 0 ? rc : world->ops->listen(world, &sites[0], &how, &DOOR_UP, d, &d->listener);
}

static int carriage_listen(tr__carriage *carriage, const char *url, const tr__papers *papers,
                           const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    struct door *d = tr__zalloc(sizeof *d);
    if (d == NULL)
        return TR_ENOMEM;
    d->base.world = &carriage->base;
    d->up = up;
    d->owner = owner;
    tr__list_append(&carriage->doors, &d->node);
    int rc = door_open(d, url, papers);
    if (rc < 0)
        door_free(d);
    else
        *ret_listener = &d->base;
    return rc;
}

static const tr_world_ops DOOR_OPS = {
    .name = "filter",
    .listener_site = door_site,
    .listener_want = door_want,
    .listener_close = door_close,
};

// ---- Life ----

static int carriage_open(tr_world *world, tr__carriage **ret_carriage)
{
    tr__carriage *carriage = tr__zalloc(sizeof *carriage);
    if (carriage == NULL)
        return TR_ENOMEM;
    carriage->base.ops = &DOOR_OPS;
    carriage->world = world;
    tr__list_init(&carriage->doors);
    int rc = tr__filters_open(world, &carriage->filters);
    if (rc < 0)
        tr__free(carriage);
    else
        *ret_carriage = carriage;
    return rc;
}

static size_t carriage_queued(const tr__carriage *carriage)
{
    return tr__filters_queued(carriage->filters);
}

static void carriage_close(tr__carriage **carriage)
{
    tr__carriage *gone = *carriage;
    *carriage = NULL;
    if (gone == NULL)
        return;
    while (!tr__list_empty(&gone->doors))
        door_free(tr__container(gone->doors.next, struct door, node));
    tr__filters_close(&gone->filters);
    tr__free(gone);
}

const tr__transport tr__filter_transport = {
    .carries = carriage_carries,
    .sites = carriage_sites,
    .open = carriage_open,
    .queued = carriage_queued,
    .close = carriage_close,
    .connect = carriage_connect,
    .listen = carriage_listen,
};
