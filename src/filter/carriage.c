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
#include "filter/ws.h"

struct tr__carriage {
    tr_world base; // of its listeners
    tr_world *world;
    tr__filters *filters;
    tr__list doors;
};

// What lies on a wire, from below.
struct coders {
    tr__coder *all[2];
    int count;
};

// A listener: the world's, and what it takes to put filters on what that accepts.
struct door {
    tr_listener base;
    tr__list node;
    tr_listener *listener;
    tr__tls *tls; // NULL: without
    char *path;   // of WebSocket; NULL: without
    const tr_listener_up *up;
    void *owner;
};

// ---- Urls ----

static const struct scheme {
    const char *prefix;
    tr__proof proof;
    uint16_t port; // of WebSocket, where the url has none; 0: it is TLS alone
} SCHEMES[] = {
    {"tls+tcp://", TR__PROOF_PAPERS, 0},
    {"wss://", TR__PROOF_PAPERS, 443},
    {"ws://", TR__PROOF_NONE, 80},
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

// A url that is carried, in parts.
struct place {
    const struct scheme *scheme;
    char host[TR_URL_MAX]; // with its port, if it has one
    const char *path;      // of WebSocket
};

static int place_of(const char *url, struct place *ret_place)
{
    const struct scheme *scheme = scheme_of(url);
    const char *rest = url + strlen(scheme->prefix);
    size_t size = scheme->port == 0 ? strlen(rest) : strcspn(rest, "/");
    if (size >= sizeof ret_place->host)
        return TR_ENAMETOOLONG;
    for (const char *at = rest; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f)
            return TR_EINVAL;
    *ret_place = (struct place){.scheme = scheme, .path = rest[size] == '/' ? rest + size : "/"};
    memcpy(ret_place->host, rest, size);
    return 0;
}

static int place_sites(const struct place *place, tr_site ret_sites[TR__SITES_KNOWN])
{
    char tcp[TR_URL_MAX + sizeof "tcp://:65535"];
    const char *bracket = strchr(place->host, ']');
    if (place->scheme->port != 0 && strchr(bracket != NULL ? bracket : place->host, ':') == NULL)
        snprintf(tcp, sizeof tcp, "tcp://%s:%u", place->host, (unsigned)place->scheme->port);
    else
        snprintf(tcp, sizeof tcp, "tcp://%s", place->host);
    return tr__sites_parse(tcp, ret_sites);
}

static int carriage_sites(const char *url, tr_site ret_sites[TR__SITES_KNOWN])
{
    struct place place;
    int rc = place_of(url, &place);
    return rc < 0 ? rc : place_sites(&place, ret_sites);
}

// Its host without brackets: what has to be in its certificate.
static void place_name(const struct place *place, char name[TR_URL_MAX])
{
    bool bracket = place->host[0] == '[';
    const char *begin = place->host + bracket;
    snprintf(name, TR_URL_MAX, "%.*s", (int)strcspn(begin, bracket ? "]" : ":"), begin);
}

// ---- Filters on a wire ----

static void coders_free(struct coders *coders)
{
    while (coders->count > 0) {
        tr__coder *coder = coders->all[--coders->count];
        coder->ops->free(coder);
    }
}

// moves: *wire and coders, always
static int coders_lay(tr__carriage *carriage, struct coders *coders, tr_endpoint **wire,
                      bool connected, tr_endpoint **ret_endpoint)
{
    int rc = 0, at = 0;
    tr_endpoint *top = *wire;
    *wire = NULL;
    while (rc == 0 && at < coders->count) {
        tr_endpoint *below = top;
        rc = tr__filter_new(carriage->filters, &below, coders->all[at++], connected, &top);
    }
    for (; at < coders->count; at++)
        coders->all[at]->ops->free(coders->all[at]);
    if (rc == 0)
        *ret_endpoint = top;
    return rc;
}

// ---- Connecting ----

static int client_tls(const struct place *place, const tr__papers *papers, struct coders *coders)
{
    char name[TR_URL_MAX];
    tr__tls *tls = NULL;
    place_name(place, name);
    int rc = papers == NULL ? TR_EINVAL : tr__tls_open(papers, &tls);
    if (rc == 0)
        rc = tr__tls_client(tls, papers->name != NULL ? papers->name : name,
                            &coders->all[coders->count]);
    tr__tls_free(&tls);
    coders->count += rc == 0;
    return rc;
}

static int client_coders(tr__carriage *carriage, const char *url, const tr__papers *papers,
                         struct coders *ret_coders)
{
    struct place place;
    *ret_coders = (struct coders){0};
    int rc = place_of(url, &place);
    if (rc == 0 && place.scheme->proof == TR__PROOF_PAPERS)
        rc = client_tls(&place, papers, ret_coders);
    if (rc == 0 && place.scheme->port != 0) {
        rc = tr__ws_dialled(carriage->world, place.host, place.path,
                            &ret_coders->all[ret_coders->count]);
        ret_coders->count += rc == 0;
    }
    if (rc < 0)
        coders_free(ret_coders);
    return rc;
}

static int carriage_connect(tr__carriage *carriage, const char *url, const tr_site *site,
                            const tr__papers *papers, tr_endpoint **ret_endpoint)
{
    struct coders coders;
    tr_endpoint *wire;
    int rc = client_coders(carriage, url, papers, &coders);
    if (rc < 0)
        return rc;
    rc = carriage->world->ops->connect(carriage->world, site, &wire);
    if (rc < 0) {
        coders_free(&coders);
        return rc;
    }
    wire->world->ops->endpoint_tune(wire, &(tr_tuning){.no_delay = true});
    return coders_lay(carriage, &coders, &wire, false, ret_endpoint);
}

// ---- Listening ----

static int server_coders(const struct door *d, struct coders *ret_coders)
{
    tr_world *world = ((tr__carriage *)d->base.world)->world;
    int rc = 0;
    *ret_coders = (struct coders){0};
    if (d->tls != NULL) {
        rc = tr__tls_server(d->tls, &ret_coders->all[0]);
        ret_coders->count += rc == 0;
    }
    if (rc == 0 && d->path != NULL) {
        rc = tr__ws_accepted(world, d->path, &ret_coders->all[ret_coders->count]);
        ret_coders->count += rc == 0;
    }
    if (rc < 0)
        coders_free(ret_coders);
    return rc;
}

static void door_accepted(void *owner, tr_endpoint *wire)
{
    struct door *d = owner;
    struct coders coders;
    tr_endpoint *endpoint;
    int rc = server_coders(d, &coders);
    if (rc < 0)
        wire->world->ops->endpoint_close(wire);
    else
        rc = coders_lay((tr__carriage *)d->base.world, &coders, &wire, true, &endpoint);
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
    ret_site->papers = d->tls != NULL;
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
    tr__free(d->path);
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
    struct place place;
    int rc = place_of(url, &place), count = rc < 0 ? rc : place_sites(&place, sites);
    if (count <= 0)
        return count < 0 ? count : TR_EINVAL;
    if (place.scheme->proof == TR__PROOF_PAPERS)
        rc = papers == NULL ? TR_EINVAL : tr__tls_open(papers, &d->tls);
    if (rc == 0 && place.scheme->port != 0 && (d->path = tr__strdup(place.path)) == NULL)
        rc = TR_ENOMEM;
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
