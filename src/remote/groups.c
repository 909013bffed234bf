// Groups over links: between a parent and its children each side tells the other in which groups
// there are members on its side, be it itself or behind it, and gets one envelope for each
// publication to one of those.
//
// The link is a member of the group then, like an actor. What comes over it goes to all members but
// itself, and it is told only of members other than itself: so in the tree that parents and
// children are, everything goes everywhere once, and never back. Strangers take no part, since with
// them it need not be a tree.
#include "core/groups.h"

#include "base/assert.h"
#include "base/memory.h"
#include "remote/remote.h"

// A peer that has members of a group.
typedef struct peer_member {
    tr__member member;
    tr__peer *peer;
} peer_member;

static bool peer_takes_part(const tr__peer *peer)
{
    return peer->child != NULL || (peer == peer->remote->parent && peer->greeted);
}

// ---- Telling it what is on this side ----

static void peer_say(tr__peer *peer, tr__kind kind, const tr__group *group)
{
    tr__frame *frame = tr__peer_frame(peer);
    if (frame == NULL || tr__envelope_put(frame, TR_LIST((int)kind, group->text)) < 0)
        tr__peer_break(peer);
}

static void peer_tell_join(tr__peer *peer, tr__group *group)
{
    if (tr__map_put(&peer->told, group->id, group) < 0) {
        tr__peer_break(peer);
        return;
    }
    group->told++;
    peer_say(peer, TR__JOIN, group);
}

static void peer_tell_leave(tr__peer *peer, tr__group *group)
{
    tr__map_remove(&peer->told, group->id);
    group->told--;
    peer_say(peer, TR__LEAVE, group);
}

// Beyond the limit it is not told, and hears nothing of those groups. Without memory it is given
// up.
static void peer_tell(void *arg, tr__group *group)
{
    tr__peer *peer = arg;
    bool told = tr__map_get(&peer->told, group->id) != NULL;
    uint32_t others = group->count - (tr__map_get(&peer->joined, group->id) != NULL);
    if (told && others == 0)
        peer_tell_leave(peer, group);
    else if (!told && others > 0 && peer->told.count < TR__PEER_GROUPS_MAX)
        peer_tell_join(peer, group);
}

void tr__peers_tell_groups(tr__remote *remote)
{
    remote->loop->ear.stale = false;
    if (remote->stage >= TR__LEAVING)
        return;
    for (tr__list *at = remote->peers.next; at != &remote->peers; at = at->next) {
        tr__peer *peer = tr__container(at, tr__peer, link_in_remote);
        if (peer->link != NULL && peer_takes_part(peer))
            tr__groups_news(remote->loop->node, &peer->groups_seen, peer_tell, peer);
    }
}

// ---- Its side ----

static void peer_take(tr__member *member, const tr_msg *msg)
{
    tr__peer *peer = tr__container(member, peer_member, member)->peer;
    if (peer->publishes)
        return;
    tr__letter letter = tr__letter_of(msg, (tr_addr){.node = peer->node});
    letter.group = member->part->group->text;
    int rc = tr__peer_send(peer, &letter);
    if (rc < 0)
        tr__dead_letter(peer->remote->loop, &letter, rc);
}

static void peer_member_free(peer_member *m)
{
    tr__map_remove(&m->peer->joined, m->member.part->group->id);
    tr__group_leave(&m->member);
    tr__free(m);
}

static void group_text(tr_str group, char text[TR_NAME_MAX + 1])
{
    tr_assert(group.len <= TR_NAME_MAX);
    memcpy(text, group.ptr, group.len);
    text[group.len] = '\0';
}

static peer_member *peer_member_find(tr__peer *peer, const char *text)
{
    uint64_t id = tr__group_id(peer->remote->loop->node, text);
    return id == 0 ? NULL : tr__map_get(&peer->joined, id);
}

static int peer_join(tr__peer *peer, const char *text)
{
    if (peer_member_find(peer, text) != NULL)
        return TR_EBADMSG;
    if (peer->joined.count == TR__PEER_GROUPS_MAX)
        return TR_EFULL;
    peer_member *m = tr__alloc(sizeof *m);
    if (m == NULL)
        return TR_ENOMEM;
    *m = (peer_member){.member.take = peer_take, .peer = peer};
    int rc = tr__group_join(peer->remote->loop, text, &m->member);
    if (rc < 0) {
        tr__free(m);
        return rc;
    }
    rc = tr__map_put(&peer->joined, m->member.part->group->id, m);
    if (rc < 0)
        peer_member_free(m);
    return rc;
}

static int peer_leave(tr__peer *peer, const char *text)
{
    peer_member *m = peer_member_find(peer, text);
    if (m == NULL)
        return TR_EBADMSG;
    peer_member_free(m);
    return 0;
}

int tr__peer_group(tr__peer *peer, const tr__envelope *e)
{
    char text[TR_NAME_MAX + 1];
    if (!peer_takes_part(peer))
        return 0;
    group_text(e->group, text);
    return e->kind == TR__JOIN ? peer_join(peer, text) : peer_leave(peer, text);
}

int tr__peer_publish(tr__peer *peer, const tr__envelope *e, tr_msg **msg)
{
    char text[TR_NAME_MAX + 1];
    int rc = peer_takes_part(peer) ? tr__inflow_take(peer, 0, NULL, *msg) : 0;
    if (rc < 0)
        return rc;
    if (!peer_takes_part(peer)) {
        tr_msg_free(msg);
        return 0;
    }
    group_text(e->group, text);
    peer->publishes = true;
    tr__group_publish(peer->remote->loop, text, *msg);
    peer->publishes = false;
    tr__msg_consumed(peer->remote->loop, msg);
    return 0;
}

void tr__peer_groups_drop(tr__peer *peer)
{
    const tr_node *node = peer->remote->loop->node;
    size_t at = 0;
    for (peer_member *m; (m = tr__map_next(&peer->joined, &at)) != NULL;) {
        tr__group_leave(&m->member);
        tr__free(m);
    }
    at = 0;
    for (tr__group *group; (group = tr__map_next(&peer->told, &at)) != NULL;)
        tr__group_untold(node, group);
    tr__map_clear(&peer->joined);
    tr__map_clear(&peer->told);
}
