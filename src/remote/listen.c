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
    char url[]; // as it was given
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
    if (error == -EMFILE || error == -ENFILE)
        tr__unmet_drop(l->remote); // the next one finds a descriptor
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

// In the world, or by the transport.
static int listener_open(listener *l, const char *url)
{
    tr_site sites[TR__SITES_KNOWN];
    const tr_listen_how how = {.tuning.no_delay = true};
    tr_world *world = l->remote->loop->world;
    int rc = tr__carried(l->remote, url);
    if (rc > 0)
        return tr__carry_listen(l->remote, url, &LISTENER_UP, l, &l->listener);
    if (rc == 0)
        rc = tr__remote_sites(l->remote, url, sites);
    if (rc <= 0)
        return rc < 0 ? rc : TR_EINVAL;
    return world->ops->listen(world, &sites[0], &how, &LISTENER_UP, l, &l->listener);
}

int tr__remote_listen(tr_node *node, const char *url)
{
    size_t size = strlen(url) + 1;
    if (size > TR_URL_MAX)
        return TR_ENAMETOOLONG;
    listener *l = tr__zalloc(sizeof *l + size);
    if (l == NULL)
        return TR_ENOMEM;
    l->remote = tr__node_loop(node, 0)->remote;
    memcpy(l->url, url, size);
    int rc = listener_open(l, url);
    if (rc < 0) {
        tr__node_errmsg(node, "cannot listen on %s: %s%s", url, tr_strerror(rc),
                        rc == TR_EINVAL ? ": it is no url, or needs a secret or certificates" : "");
        tr__free(l);
        return rc;
    }
    tr__list_append(&l->remote->listeners, &l->link);
    return 0;
}

void tr__listeners_close(tr__remote *remote)
{
    for (tr__list *node; (node = tr__list_pop(&remote->listeners)) != NULL;) {
        listener *l = tr__container(node, listener, link);
        l->listener->world->ops->listener_close(&l->listener);
        tr__free(l);
    }
}

// What was given, with its true port: a transport's urls need not name one.
static void url_print(const char *given, unsigned port, char url[TR_URL_MAX])
{
    const char *host = strstr(given, "://") + 3;
    const char *end = host + (*host == '[' ? strcspn(host, "]") : 0);
    end += strcspn(end, ":/");
    const char *rest = *end == ':' ? end + 1 + strspn(end + 1, "0123456789") : end;
    snprintf(url, TR_URL_MAX, "%.*s:%u%s", (int)(end - given), given, port, rest);
}

int tr__remote_url(const tr_node *node, size_t n, char url[TR_URL_MAX])
{
    tr__remote *remote = tr__node_loop(node, 0)->remote;
    tr__list *all = &remote->listeners, *at = all->next;
    tr_site site;
    for (; n > 0 && at != all; n--)
        at = at->next;
    if (at == all)
        return TR_ENOENT;
    const listener *l = tr__container(at, listener, link);
    l->listener->world->ops->listener_site(l->listener, &site);
    if (site.tcp)
        url_print(l->url, site.port, url);
    else
        snprintf(url, TR_URL_MAX, "%s", l->url);
    return 0;
}
