// Dialling: a link to the node that listens somewhere, and again whenever it is lost.
//
//     look a name up -> connect -> meet (greet.c) -> up
//          \ failed       \ failed     \ failed       \ lost
//           `--------------`------------`--------------`--> wait, and from the beginning
//
// One timer serves all of it: it ends an attempt to connect that takes too long, and then the
// waiting. What has been connected is the peer's; the peer tells when it is lost.
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/site.h"
#include "core/socket.h"
#include "remote/remote.h"

#define CONNECT_NS TR_S(10)
#define LIVED_NS   TR_S(1) // a link that has is no failure
#define MIN_MS     100u
#define MAX_MS     30000u
#define SITES_MAX  8

typedef struct lookup lookup;

struct tr__dialer {
    tr__list link; // in remote->dialers
    tr__remote *remote;
    tr_endpoint *endpoint; // that is being connected
    tr__peer *peer;        // that is being met, or is there
    lookup *lookup;        // that is under way
    tr__timer timer;
    bool carried; // by a transport
    tr_site name; // to be looked up each time; name "": there is none
    tr_site sites[SITES_MAX];
    int count, at; // the next one to be tried
    uint64_t min_ns, max_ns;
    uint64_t up_since; // 0: it was not
    unsigned failures; // in a row
    bool warned;       // of these
    char url[TR_URL_MAX];
};

static tr_loop *dialer_loop(const tr__dialer *d)
{
    return d->remote->loop;
}

static uint64_t dialer_now(const tr__dialer *d)
{
    tr_world *world = dialer_loop(d)->world;
    return world->ops->now(world);
}

// The timer has its place among all from the dialler's beginning to its end, so this cannot fail.
static void dialer_arm(tr__dialer *d, uint64_t delay)
{
    int rc = tr__timer_arm(dialer_loop(d), &d->timer,
                           delay == TR__NEVER ? delay : dialer_now(d) + delay);
    tr_assert(rc == 0);
}

// ---- Failing ----

static uint64_t dialer_delay(const tr__dialer *d)
{
    tr_world *world = dialer_loop(d)->world;
    uint64_t delay = d->min_ns, random;
    for (unsigned i = 1; i < d->failures && delay < d->max_ns; i++)
        delay *= 2;
    delay = delay < d->max_ns ? delay : d->max_ns;
    world->ops->random(world, &random, sizeof random);
    return delay - random % (delay / 2 + 1);
}

static void dialer_failed(tr__dialer *d, int error)
{
    const char *why = d->endpoint == NULL ? NULL : tr__endpoint_why(d->endpoint);
    d->failures++;
    if (!d->warned)
        tr__warn("node.unreachable", "url=%s error=%s (%s)", d->url, tr_errname(error),
                 why != NULL ? why : tr_strerror(error));
    d->warned = true;
    tr__endpoint_drop(&d->endpoint);
    dialer_arm(d, dialer_delay(d));
}

void tr__dialer_lost(tr__dialer *d, int why)
{
    if (d == NULL)
        return;
    bool lived = d->up_since > 0 && dialer_now(d) - d->up_since >= LIVED_NS;
    d->peer = NULL;
    if (lived) {
        d->failures = 0;
        d->warned = false;
    }
    d->warned |= d->up_since > 0 || why != TR_EDOWN; // the peer's code has told
    d->up_since = 0;
    dialer_failed(d, why);
}

// ---- Connecting ----

static void dialer_connected(tr__dialer *d)
{
    tr_endpoint *endpoint = d->endpoint;
    const tr_world_ops *ops = endpoint->world->ops;
    d->endpoint = NULL;
    dialer_arm(d, TR__NEVER);
    ops->endpoint_want(endpoint, 0);
    ops->endpoint_tune(endpoint, &(tr_tuning){.no_delay = true});
    int rc = tr__peer_meet(d->remote, endpoint, d);
    if (rc < 0)
        dialer_failed(d, rc);
}

static void dialer_told(void *owner)
{
    tr__dialer *d = owner;
    int rc = d->endpoint->world->ops->endpoint_connected(d->endpoint);
    if (rc == 0)
        dialer_connected(d);
    else if (rc != TR_EAGAIN)
        dialer_failed(d, rc);
}

// The next of its sites, after the last one the first one again.
static void dialer_connect(tr__dialer *d)
{
    static const tr_endpoint_up up = {.writable = dialer_told};
    tr_world *world = dialer_loop(d)->world;
    const tr_site *site = &d->sites[d->at++ % d->count];
    int rc = d->carried ? tr__carry_connect(d->remote, d->url, site, &d->endpoint)
                        : world->ops->connect(world, site, &d->endpoint);
    if (rc < 0) {
        dialer_failed(d, rc);
        return;
    }
    const tr_world_ops *ops = d->endpoint->world->ops;
    ops->endpoint_bind(d->endpoint, &up, d);
    ops->endpoint_want(d->endpoint, TR__WRITE);
    dialer_arm(d, CONNECT_NS);
}

// ---- Names ----

// On its way to a thread of the pool, and back.
struct lookup {
    tr__dialer *dialer; // NULL: nobody waits
    tr_world *world;
    tr_site name, sites[SITES_MAX];
    int count;
};

static int lookup_run(void *data)
{
    lookup *l = data;
    l->count = l->world->ops->resolve(l->world, &l->name, l->sites, SITES_MAX);
    return 0;
}

static void lookup_done(void *data)
{
    lookup *l = data;
    tr__dialer *d = l->dialer;
    if (d != NULL) {
        d->lookup = NULL;
        d->count = l->count > 0 ? l->count : 0;
        memcpy(d->sites, l->sites, sizeof d->sites);
        if (l->count > 0)
            dialer_connect(d);
        else
            dialer_failed(d, l->count);
    }
    tr__free(l);
}

static void dialer_look_up(tr__dialer *d)
{
    lookup *l = tr__zalloc(sizeof *l);
    if (l != NULL) {
        l->dialer = d;
        l->world = dialer_loop(d)->world;
        l->name = d->name;
        l->count = TR_ECANCELED; // it has not run
    }
    int rc =
        l == NULL ? TR_ENOMEM : tr__work_alone(dialer_loop(d), "names", lookup_run, l, lookup_done);
    if (rc == 0) {
        d->lookup = l;
    } else {
        tr__free(l);
        dialer_failed(d, rc);
    }
}

// ---- Life ----

static void dialer_go(tr__timer *timer)
{
    tr__dialer *d = tr__container(timer, tr__dialer, timer);
    dialer_arm(d, TR__NEVER);
    if (d->endpoint != NULL)
        dialer_failed(d, TR_ETIMEDOUT);
    else if (d->name.name[0] != '\0')
        dialer_look_up(d);
    else
        dialer_connect(d);
}

void tr__dialer_meets(tr__dialer *d, tr__peer *peer)
{
    if (d != NULL)
        d->peer = peer;
}

void tr__dialer_up(tr__dialer *d)
{
    if (d != NULL)
        d->up_since = dialer_now(d);
}

bool tr__dialer_quiet(const tr__dialer *d)
{
    return d != NULL && d->warned;
}

static void dialer_free(tr__dialer *d)
{
    if (d->peer != NULL)
        d->peer->dialer = NULL;
    if (d->lookup != NULL)
        d->lookup->dialer = NULL;
    tr__timer_disarm(dialer_loop(d), &d->timer);
    tr__endpoint_drop(&d->endpoint);
    tr__list_remove(&d->link);
    tr__free(d);
}

void tr__dialers_close(tr__remote *remote)
{
    while (!tr__list_empty(&remote->dialers))
        dialer_free(tr__container(remote->dialers.next, tr__dialer, link));
}

static tr__dialer *dialer_find(const tr__remote *remote, const char *url)
{
    for (tr__list *at = remote->dialers.next; at != &remote->dialers; at = at->next) {
        tr__dialer *d = tr__container(at, tr__dialer, link);
        if (strcmp(d->url, url) == 0)
            return d;
    }
    return NULL;
}

static int dialer_new(tr__remote *remote, const char *url, const tr_dial_opts *opts,
                      tr__dialer **ret_dialer)
{
    uint32_t min_ms = opts->backoff_min_ms == 0 ? MIN_MS : opts->backoff_min_ms;
    uint32_t max_ms = opts->backoff_max_ms == 0 ? MAX_MS : opts->backoff_max_ms;
    tr__dialer *d = tr__zalloc(sizeof *d);
    if (d == NULL)
        return TR_ENOMEM;
    int carried = tr__carried(remote, url);
    int count = carried < 0    ? carried
                : carried == 0 ? tr__remote_sites(remote, url, d->sites)
                               : tr__carry_sites(remote, url, d->sites);
    if (count < 0 || strlen(url) >= sizeof d->url) {
        tr__free(d);
        return count < 0 ? count : TR_ENAMETOOLONG;
    }
    if (count == 0)
        d->name = d->sites[0];
    d->count = count;
    d->carried = carried > 0;
    d->remote = remote;
    d->timer.fire = dialer_go;
    d->min_ns = TR_MS(min_ms);
    d->max_ns = TR_MS(max_ms < min_ms ? min_ms : max_ms);
    memcpy(d->url, url, strlen(url) + 1);
    *ret_dialer = d;
    return 0;
}

int tr__remote_dial(tr_node *node, const char *url, const tr_dial_opts *opts)
{
    tr_loop *loop = tr__node_loop(node, 0);
    tr__remote *remote = loop->remote;
    tr__dialer *d;
    int rc = dialer_find(remote, url) != NULL ? TR_EEXIST : dialer_new(remote, url, opts, &d);
    if (rc < 0) {
        tr__node_errmsg(node, "cannot dial %s: %s", url, tr_strerror(rc));
        return rc;
    }
    rc = tr__timer_arm(loop, &d->timer, 0);
    if (rc < 0) {
        tr__free(d);
        return rc;
    }
    tr__list_append(&remote->dialers, &d->link);
    return 0;
}

int tr__remote_undial(tr_node *node, const char *url)
{
    tr__dialer *d = dialer_find(tr__node_loop(node, 0)->remote, url);
    if (d == NULL)
        return TR_ENOENT;
    tr__peer *peer = d->peer;
    dialer_free(d);
    if (peer != NULL)
        tr__peer_leave(peer);
    return 0;
}
