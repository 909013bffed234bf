// The nodes that this one has links to: told to those actors that want to hear of them. A node that
// comes and one that subscribes are told under one lock, so nobody hears of a node twice, nor of an
// end without a beginning.
#include "core/nodes.h"

#include "core/node.h"

typedef struct news {
    const tr__far_node *far;
    int why; // 0: it is up
} news;

void tr__nodes_init(tr__nodes *nodes)
{
    tr__list_init(&nodes->up);
    tr__readers_init(&nodes->readers);
}

static int news_make(const void *what, tr_msg **ret_msg)
{
    const news *n = what;
    const tr__far_node *far = n->far;
    tr_addr first = {far->id, TR__ROOT_ID};
    return n->why == 0 ? tr_msg_new("node up",
                                    TR_MAP("node", far->id, "name", far->name, "epoch", far->epoch,
                                           "addr", first),
                                    ret_msg)
                       : tr_msg_new("node down",
                                    TR_MAP("node", far->id, "name", far->name, "epoch", far->epoch,
                                           "why", n->why),
                                    ret_msg);
}

static void news_tell(tr_loop *loop, const tr__far_node *far, int why)
{
    tr__readers_tell(loop, &loop->node->nodes.readers, TR_NOBODY, news_make, &(news){far, why});
}

void tr__far_node_up(tr_loop *loop, tr__far_node *far)
{
    tr__nodes *nodes = &loop->node->nodes;
    tr__lock_take(&nodes->lock);
    tr__list_append(&nodes->up, &far->link);
    news_tell(loop, far, 0);
    tr__lock_give(&nodes->lock);
}

void tr__far_node_down(tr_loop *loop, tr__far_node *far, int why)
{
    tr__nodes *nodes = &loop->node->nodes;
    if (tr__list_empty(&far->link))
        return;
    tr__lock_take(&nodes->lock);
    tr__list_remove(&far->link);
    news_tell(loop, far, why);
    tr__lock_give(&nodes->lock);
}

static void node_tell_all(tr_actor *self)
{
    tr__nodes *nodes = &self->loop->node->nodes;
    for (tr__list *at = nodes->up.next; at != &nodes->up; at = at->next) {
        const news n = {tr__container(at, tr__far_node, link), 0};
        tr_msg *msg = NULL;
        if (news_make(&n, &msg) == 0)
            tr__reader_tell(self->loop, tr__actor_addr(self), &msg);
    }
}

int tr_node_watch(tr_actor *self, bool wanted)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr__nodes *nodes = &self->loop->node->nodes;
    tr__lock_take(&nodes->lock);
    int rc = tr__readers_want(self, &nodes->readers, wanted);
    if (rc > 0)
        node_tell_all(self);
    tr__lock_give(&nodes->lock);
    return rc < 0 ? rc : 0;
}

// Asked of the node itself, which is actor 0.
int tr_whereis_at(tr_actor *self, uint64_t node, const char *name, const tr_ask_opts *opts,
                  uint64_t *ret_ask, tr_answered cb, void *arg)
{
    if (name == NULL || node == 0)
        return TR_EINVAL;
    return tr_ask(self, (tr_addr){.node = node}, TR__ASK_WHEREIS, TR_V(name), opts, ret_ask, cb,
                  arg);
}

int tr_spawn_at(tr_actor *self, uint64_t node, const char *behavior, tr_val args,
                const tr_ask_opts *opts, uint64_t *ret_ask, tr_answered cb, void *arg)
{
    if (behavior == NULL || node == 0)
        return TR_EINVAL;
    return tr_ask(self, (tr_addr){.node = node}, TR__ASK_SPAWN,
                  TR_MAP("behavior", behavior, "args", args), opts, ret_ask, cb, arg);
}
