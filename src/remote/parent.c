// Being a child: the node at the other end of the inherited link is the parent. Its hello says
// which id this node has and which behaviour it runs. When the link is lost the parent is gone, and
// this node ends.
#include "base/log.h"
#include "remote/remote.h"

static void parent_options(tr_val hello, tr_spawn_opts *ret_opts)
{
    uint64_t mail_max = 0, mail_bytes_max = 0, policy = TR_MAIL_FAIL;
    tr_get_uint(hello, "mail_max", &mail_max);
    tr_get_uint(hello, "mail_bytes_max", &mail_bytes_max);
    tr_get_uint(hello, "mail_policy", &policy);
    *ret_opts = (tr_spawn_opts){
        .size = sizeof *ret_opts,
        .mail_max = mail_max > UINT32_MAX ? 0 : (uint32_t)mail_max,
        .mail_bytes_max = mail_bytes_max > UINT32_MAX ? 0 : (uint32_t)mail_bytes_max,
        .mail_policy = policy > TR_MAIL_DROP_OLDEST ? TR_MAIL_FAIL : (tr_mail_policy)policy,
    };
    tr_get(hello, "args", &ret_opts->args);
}

// The behaviour that the hello names; the app's first one where it names none.
static const tr_behavior *parent_behavior(const tr__remote *remote, tr_val hello)
{
    tr_str name;
    if (tr_get_str(hello, "behavior", &name) == 0)
        return tr__remote_behavior(remote, name);
    const tr_app *app = remote->outside->app;
    return app == NULL || app->count == 0 ? NULL : app->behaviors[0];
}

int tr__parent_greeted(tr__remote *remote, tr_val hello)
{
    tr_node *node = remote->loop->node;
    uint64_t parent = 0, you = 0;
    const tr_behavior *behavior = parent_behavior(remote, hello);
    if (tr_get_uint(hello, "you", &you) < 0 || you == 0 ||
        tr_get_uint(hello, "parent", &parent) < 0 || behavior == NULL) {
        tr__peer_refuse(remote->parent, TR_EREFUSED,
                        behavior == NULL ? "no such behavior here" : "a hello without you, parent");
        return TR_EREFUSED;
    }
    node->id = you;
    tr_val context = TR_NULL;
    if (tr_get(hello, "context", &context) == 0 && context.type != TR_TYPE_NULL) {
        int rc = tr_val_pack(context, &node->context);
        if (rc < 0)
            return rc;
    }
    int rc = tr__peer_post(
        remote->parent, TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", you, "name",
                                                       node->name, "handles", (bool)true, "pieces",
                                                       (bool)true, "meets", (bool)true)));
    tr_spawn_opts opts;
    parent_options(hello, &opts);
    if (rc == 0)
        rc = tr__node_spawn(node, behavior, &opts, (tr_addr){remote->parent->node, parent}, NULL);
    if (rc == 0)
        node->expecting = false;
    tr__outside_meets(remote->outside, remote->parent->meets);
    tr__groups_listen(remote->loop);
    return rc;
}

void tr__parent_lost(tr__remote *remote)
{
    tr_node *node = remote->loop->node;
    tr__outside_meets(remote->outside, false);
    tr__siblings_give_up(remote);
    if (node->expecting) {
        node->expecting = false; // it never became anything
        node->error = TR_EREFUSED;
    }
    tr_node_stop(node);
}
