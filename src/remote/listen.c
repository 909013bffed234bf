// Listening: letting other nodes in, and any program that speaks the protocol. Only peers of the
// same user are; the handshake then tells who they are.
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
    tr__remote *remote = ((listener *)owner)->remote;
    const tr_node *node = remote->loop->node;
    tr__peer *peer = NULL;
    tr_peer_cred cred = {0};
    endpoint->world->ops->endpoint_cred(endpoint, &cred);
    if (!cred.same_user) {
        tr__warn("peer.refused", "pid=%lld error=TR_EACCES: another user", (long long)cred.pid);
        endpoint->world->ops->endpoint_close(endpoint);
        return;
    }
    int rc = tr__peer_new(remote, 0, &peer);
    if (rc < 0) {
        endpoint->world->ops->endpoint_close(endpoint);
        return;
    }
    rc = tr__peer_connect(peer, endpoint);
    if (rc == 0)
        rc = tr__peer_post(peer, TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node",
                                                                node->id, "name", node->name)));
    if (rc < 0)
        tr__peer_free(&peer);
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

static int ipc_site(const char *url, tr_site *ret_site)
{
    static const char scheme[] = "ipc://";
    size_t len = sizeof scheme - 1;
    return strncmp(url, scheme, len) == 0 ? tr__site_path(url + len, ret_site) : TR_EINVAL;
}

int tr__remote_listen(tr_node *node, const char *url)
{
    tr_site site;
    int rc = ipc_site(url, &site);
    if (rc < 0) {
        tr__node_errmsg(node, "%s is not an address that a node can listen on", url);
        return rc;
    }
    tr_loop *loop = tr__node_loop(node, 0);
    tr__remote *remote = loop->remote;
    tr_world *world = loop->world;
    listener *l = tr__alloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    *l = (listener){.remote = remote};
    rc = world->ops->listen(world, &site, &(tr_listen_how){0}, &LISTENER_UP, l, &l->listener);
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
