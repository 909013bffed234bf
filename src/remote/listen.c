// Listening: letting other nodes in, and any program that speaks the protocol. Greeting tells who
// they are.
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/site.h"
#include "remote/remote.h"

typedef struct listener {
    tr__list link;
    tr__remote *remote;
    tr_listener *listener;
    bool warned;
} listener;

static void listener_accepted(void *owner, tr_endpoint *endpoint)
{
    tr__peer_meet(((listener *)owner)->remote, endpoint, NULL);
}

static void listener_dropped(void *owner, int error)
{
    listener *l = owner;
    if (!l->warned)
        tr__warn("peer.dropped", "error=%s (%s): connections cannot be accepted", tr_errname(error),
                 tr_strerror(error));
    l->warned = true;
}

static const tr_listener_up LISTENER_UP = {.accepted = listener_accepted,
                                           .dropped = listener_dropped};

// What follows the scheme; NULL: it is another one.
static const char *url_rest(const char *url, const char *scheme)
{
    size_t size = strlen(scheme);
    return strncmp(url, scheme, size) == 0 ? url + size : NULL;
}

int tr__remote_sites(const tr__remote *remote, const char *url, tr_site ret_sites[TR__SITES_KNOWN])
{
    const char *path = url_rest(url, "ipc://");
    int rc = path == NULL ? TR_EINVAL : tr__site_path(path, ret_sites);
    if (path == NULL && url_rest(url, "tcp://") != NULL && remote->outside->secret != NULL)
        return tr__sites_parse(url, ret_sites);
    return rc < 0 ? rc : 1;
}

int tr__remote_listen(tr_node *node, const char *url)
{
    tr_loop *loop = tr__node_loop(node, 0);
    tr__remote *remote = loop->remote;
    tr_site sites[TR__SITES_KNOWN];
    int rc = tr__remote_sites(remote, url, sites);
    if (rc <= 0) {
        tr__node_errmsg(node, "%s is not an address that a node can listen on%s", url,
                        url_rest(url, "tcp://") == NULL ? "" : "; TCP needs a secret");
        return rc < 0 ? rc : TR_EINVAL;
    }
    const tr_listen_how how = {.tuning.no_delay = true};
    tr_world *world = loop->world;
    listener *l = tr__alloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    *l = (listener){.remote = remote};
    rc = world->ops->listen(world, &sites[0], &how, &LISTENER_UP, l, &l->listener);
    if (rc < 0) {
        tr__node_errmsg(node, "cannot listen on %s: %s", url, tr_strerror(rc));
        tr__free(l);
        return rc;
    }
    tr__list_append(&remote->listeners, &l->link);
    return 0;
}

void tr__listeners_close(tr__remote *remote)
{
    const tr_world_ops *ops = remote->loop->world->ops;
    for (tr__list *node; (node = tr__list_pop(&remote->listeners)) != NULL;) {
        listener *l = tr__container(node, listener, link);
        ops->listener_close(&l->listener);
        tr__free(l);
    }
}

int tr__remote_url(const tr_node *node, size_t n, char url[TR_URL_MAX])
{
    const tr_loop *loop = tr__node_loop(node, 0);
    tr__remote *remote = loop->remote;
    tr__list *all = &remote->listeners, *at = all->next;
    char text[TR_ADDRESS_MAX];
    tr_site site;
    for (; n > 0 && at != all; n--)
        at = at->next;
    if (at == all)
        return TR_ENOENT;
    loop->world->ops->listener_site(tr__container(at, listener, link)->listener, &site);
    tr__site_print(&site, text);
    if (site.tcp)
        snprintf(url, TR_URL_MAX, "%s", text);
    else
        snprintf(url, TR_URL_MAX, "ipc://%s", site.name);
    return 0;
}
