// What another node asks of this one itself, as its actor 0: who has a name here, and to start an
// actor of one of the behaviours that it has listed.
#include <string.h>

#include "remote/remote.h"

static int asked_whereis(const tr__peer *peer, tr_val body, tr_addr *ret_addr)
{
    char name[TR_NAME_MAX + 1];
    tr_str text;
    if (tr_as_str(body, &text) < 0 || text.len == 0 || text.len > TR_NAME_MAX)
        return TR_EBADMSG;
    memcpy(name, text.ptr, text.len);
    name[text.len] = '\0';
    *ret_addr = tr__name_addr(peer->remote->loop->node, name);
    return ret_addr->node == 0 ? TR_ENOENT : 0;
}

static const tr_behavior *asked_behavior(const tr__outside *outside, tr_str name)
{
    for (size_t i = 0; i < outside->spawn_count; i++) {
        if (tr_str_eq(name, outside->spawns[i]->name))
            return outside->spawns[i];
    }
    return NULL;
}

static int asked_spawn(const tr__peer *peer, uint64_t asker, tr_val body, tr_addr *ret_addr)
{
    tr_spawn_opts opts = {.size = sizeof opts};
    tr_str name;
    if (tr_get_str(body, "behavior", &name) < 0)
        return TR_EBADMSG;
    const tr_behavior *behavior = asked_behavior(peer->remote->outside, name);
    if (behavior == NULL)
        return TR_EREFUSED;
    tr_get(body, "args", &opts.args);
    return tr__node_spawn(peer->remote->loop->node, behavior, &opts, (tr_addr){peer->node, asker},
                          ret_addr);
}

void tr__peer_asked(tr__peer *peer, const tr__envelope *e, tr_val body)
{
    tr_addr addr = TR_NOBODY;
    int status = TR_EUNKNOWN;
    if (tr_str_eq(e->text, TR__ASK_WHEREIS))
        status = asked_whereis(peer, body, &addr);
    else if (tr_str_eq(e->text, TR__ASK_SPAWN))
        status = asked_spawn(peer, e->from.actor, body, &addr);
    tr__peer_post(peer, TR_LIST((int)TR__ANSWER, e->from.actor, 0, e->ref, status, 0, 0, TR_FALSE,
                                status == 0 ? TR_V(addr) : TR_NULL));
}
