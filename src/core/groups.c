// Groups: one table for the node, and what each loop has of it.
//
// Joining, leaving and looking up are under the lock, as is telling other loops of a publication;
// delivering is not: the members of a loop are that loop's own. A publication is posted to each
// loop that has members, behind what its publisher has posted there before, and counted in a window
// on the way, as a message is; there it is handed to each member. What is large is shared by all.
//
// Nothing that a member does can fail a publication. One that has no room loses it, and it is a
// dead letter.
//
// Links listen for changes. They are not told what has changed: the groups stand in the order of
// their last change, and a link that wakes up looks at those behind the one that it has seen last.
// So telling costs no memory and cannot fail, and ten changes in a row are told as one.
#include "core/groups.h"

#include <string.h>
#include <troupe/registry.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

typedef struct actor_member {
    tr__member member;
    tr__owned owned;
    tr_actor *actor;
} actor_member;

static tr__groups *groups_of(const tr_node *node)
{
    return &((tr_node *)node)->groups;
}

void tr__groups_init(tr__groups *groups)
{
    tr__list_init(&groups->by_change);
    tr__list_init(&groups->ears);
}

void tr__groups_clear(tr__groups *groups)
{
    tr_assert(groups->dict.count == 0);
    tr__dict_clear(&groups->dict);
}

// ---- The table: under the lock ----

static tr__group *group_find(const tr__groups *groups, const char *text)
{
    tr__dict_entry *entry = tr__dict_find(&groups->dict, text);
    return entry == NULL ? NULL : tr__container(entry, tr__group, entry);
}

static int group_new(tr__groups *groups, const char *text, tr__group **ret_group)
{
    size_t size = strlen(text) + 1;
    tr__group *group = tr__zalloc(sizeof *group + size);
    if (group == NULL)
        return TR_ENOMEM;
    group->entry.text = memcpy(group->text, text, size);
    if (tr__dict_add(&groups->dict, &group->entry) < 0) {
        tr__free(group);
        return TR_ENOMEM;
    }
    group->id = ++groups->changes;
    tr__list_append(&groups->by_change, &group->by_change);
    tr__list_init(&group->parts);
    tr__list_init(&group->members);
    *ret_group = group;
    return 0;
}

static int group_get(tr__groups *groups, const char *text, tr__group **ret_group)
{
    tr__group *found = group_find(groups, text);
    if (found == NULL)
        return group_new(groups, text, ret_group);
    *ret_group = found;
    return 0;
}

static void group_settle(tr__groups *groups, tr__group *group)
{
    if (group->count > 0 || group->told > 0)
        return;
    tr_assert(tr__list_empty(&group->parts));
    tr__dict_remove(&groups->dict, &group->entry);
    tr__list_remove(&group->by_change);
    tr__free(group);
}

static int part_get(tr_loop *loop, tr__group *group, tr__group_part **ret_part)
{
    tr__group_part *part = tr__map_get(&loop->groups, group->id);
    if (part == NULL) {
        part = tr__zalloc(sizeof *part);
        if (part == NULL || tr__map_put(&loop->groups, group->id, part) < 0) {
            tr__free(part);
            return TR_ENOMEM;
        }
        part->group = group;
        part->loop = loop;
        tr__list_init(&part->members);
        tr__list_append(&group->parts, &part->link);
    }
    *ret_part = part;
    return 0;
}

static void part_settle(tr__group_part *part)
{
    if (!tr__list_empty(&part->members))
        return;
    tr__list_remove(&part->link);
    tr__map_remove(&part->loop->groups, part->group->id);
    tr__map_clear(&part->actors);
    tr__free(part);
}

// ---- Telling links of changes ----

static void ear_arrive(tr_loop *loop, tr__post *post)
{
    tr__groups *groups = groups_of(loop->node);
    tr__group_ear *ear = tr__container(post, tr__group_ear, post);
    tr__lock_take(&groups->lock);
    ear->poked = false;
    tr__lock_give(&groups->lock);
    ear->stale = true;
}

static void ear_poke(tr__group_ear *ear, tr_loop *here)
{
    tr_loop *loop = tr__container(ear, tr_loop, ear);
    if (loop == here) {
        ear->stale = true;
    } else if (!ear->poked) {
        ear->poked = true;
        ear->post.arrive = ear_arrive;
        tr__post_to(here, loop, &ear->post);
    }
}

static void group_changed(tr__groups *groups, tr__group *group)
{
    tr_loop *here = tr__loop_here;
    group->changed = ++groups->changes;
    tr__list_remove(&group->by_change);
    tr__list_append(&groups->by_change, &group->by_change);
    for (tr__list *at = groups->ears.next; here != NULL && at != &groups->ears; at = at->next)
        ear_poke(tr__container(at, tr__group_ear, link), here);
}

void tr__groups_listen(tr_loop *loop)
{
    tr__groups *groups = groups_of(loop->node);
    tr__group_ear *ear = &loop->ear;
    ear->stale = true;
    tr__lock_take(&groups->lock);
    if (!ear->listens)
        tr__list_append(&groups->ears, &ear->link);
    ear->listens = true;
    tr__lock_give(&groups->lock);
}

void tr__groups_ignore(tr_loop *loop)
{
    tr__groups *groups = groups_of(loop->node);
    tr__group_ear *ear = &loop->ear;
    tr__lock_take(&groups->lock);
    if (ear->listens)
        tr__list_remove(&ear->link);
    ear->listens = false;
    tr__lock_give(&groups->lock);
}

void tr__groups_news(const tr_node *node, uint64_t *seen, void (*tell)(void *arg, tr__group *group),
                     void *arg)
{
    tr__groups *groups = groups_of(node);
    tr__lock_take(&groups->lock);
    tr__list *end = &groups->by_change, *first = end;
    while (first->prev != end && tr__container(first->prev, tr__group, by_change)->changed > *seen)
        first = first->prev;
    for (tr__list *at = first, *next; at != end; at = next) {
        tr__group *group = tr__container(at, tr__group, by_change);
        next = at->next;
        tell(arg, group);
        group_settle(groups, group);
    }
    *seen = groups->changes;
    tr__lock_give(&groups->lock);
}

void tr__group_untold(const tr_node *node, tr__group *group)
{
    tr__groups *groups = groups_of(node);
    tr__lock_take(&groups->lock);
    group->told--;
    group_settle(groups, group);
    tr__lock_give(&groups->lock);
}

// ---- Members ----

static int group_enter(tr_loop *loop, const char *text, tr__member *member)
{
    tr__groups *groups = groups_of(loop->node);
    tr__group *group;
    int rc = group_get(groups, text, &group);
    if (rc < 0)
        return rc;
    rc = part_get(loop, group, &member->part);
    if (rc < 0) {
        group_settle(groups, group);
        return rc;
    }
    tr__list_append(&group->members, &member->in_group);
    tr__list_append(&member->part->members, &member->in_part);
    if (++group->count <= 2)
        group_changed(groups, group);
    return 0;
}

int tr__group_join(tr_loop *loop, const char *text, tr__member *member)
{
    tr__groups *groups = groups_of(loop->node);
    tr__lock_take(&groups->lock);
    int rc = group_enter(loop, text, member);
    tr__lock_give(&groups->lock);
    return rc;
}

void tr__group_leave(tr__member *member)
{
    tr__group *group = member->part->group;
    tr__groups *groups = groups_of(member->part->loop->node);
    tr__lock_take(&groups->lock);
    tr__list_remove(&member->in_group);
    tr__list_remove(&member->in_part);
    part_settle(member->part);
    if (--group->count <= 1)
        group_changed(groups, group);
    group_settle(groups, group);
    tr__lock_give(&groups->lock);
}

uint64_t tr__group_id(const tr_node *node, const char *text)
{
    tr__groups *groups = groups_of(node);
    tr__lock_take(&groups->lock);
    const tr__group *group = group_find(groups, text);
    uint64_t id = group == NULL ? 0 : group->id;
    tr__lock_give(&groups->lock);
    return id;
}

// ---- Publishing ----

static void part_deliver(const tr__group_part *part, const tr_msg *msg)
{
    for (tr__list *at = part->members.next; at != &part->members; at = at->next) {
        tr__member *member = tr__container(at, tr__member, in_part);
        member->take(member, msg);
    }
}

static void publish_arrive(tr_loop *loop, tr__post *post)
{
    tr_msg *msg = tr__container(post, tr_msg, post);
    const tr__group_part *part = tr__map_get(&loop->groups, msg->to);
    if (part != NULL)
        part_deliver(part, msg);
    msg->to = 0;
    tr__msg_consumed(loop, &msg);
}

// What is on its way to another loop's members is counted there under an id that no actor has.
static int publish_far(tr_loop *loop, tr_loop *to, uint64_t group, const tr_msg *msg)
{
    tr_msg *copy;
    tr__window *window;
    uint64_t key = (uint64_t)to->index << TR__ID_LOOP_SHIFT;
    int rc = tr__window_take(&loop->windows, key, msg->weight, &window);
    if (rc < 0)
        return rc;
    rc = tr__msg_copy(msg, 0, &copy);
    if (rc < 0) {
        tr__window_undo(&loop->windows, window, msg->weight);
        return rc;
    }
    copy->flow = window;
    copy->home = (uint16_t)loop->index;
    copy->to = group;
    copy->post.arrive = publish_arrive;
    tr__post_to(loop, to, &copy->post);
    return 0;
}

// Under the lock.
static void publish_to_others(tr_loop *loop, const tr__group *group, const tr_msg *msg)
{
    for (tr__list *at = group->parts.next; at != &group->parts; at = at->next) {
        tr_loop *to = tr__container(at, tr__group_part, link)->loop;
        int rc = to == loop ? 0 : publish_far(loop, to, group->id, msg);
        if (rc < 0)
            tr__dead_msg(loop, msg, (tr_addr){.node = loop->node->id}, rc);
    }
}

void tr__group_publish(tr_loop *loop, const char *text, tr_msg *msg)
{
    tr__groups *groups = groups_of(loop->node);
    const tr__group_part *here = NULL;
    tr__msg_share(msg);
    tr__lock_take(&groups->lock);
    const tr__group *group = group_find(groups, text);
    if (group != NULL) {
        publish_to_others(loop, group, msg);
        here = tr__map_get(&loop->groups, group->id);
    }
    tr__lock_give(&groups->lock);
    if (here != NULL)
        part_deliver(here, msg);
}

int tr_publish_msg(tr_actor *self, const char *group, tr_msg **msg)
{
    if (!tr__actor_here(self) || tr__name_check(group) == 0 || msg == NULL || *msg == NULL ||
        (*msg)->is_notice)
        return TR_EINVAL;
    if (tr__msg_cargo(*msg) != NULL)
        return TR_ENOSYS; // which of them should have it?
    (*msg)->from = tr__actor_addr(self);
    tr__group_publish(self->loop, group, *msg);
    tr_msg_free(msg);
    return 0;
}

int tr_publish(tr_actor *self, const char *group, const char *name, tr_val body)
{
    tr_msg *msg = NULL;
    int rc = tr_msg_new(name, body, &msg);
    if (rc == 0)
        rc = tr_publish_msg(self, group, &msg);
    tr_msg_free(&msg);
    return rc;
}

// ---- Actors as members ----

static void actor_take(tr__member *member, const tr_msg *msg)
{
    tr_actor *actor = tr__container(member, actor_member, member)->actor;
    tr_msg *copy;
    int rc = tr__msg_copy(msg, 0, &copy);
    if (rc == 0)
        tr__mail_publish(actor, &copy);
    else
        tr__dead_msg(actor->loop, msg, member->addr, rc);
}

static void member_close(tr__owned *owned)
{
    actor_member *m = tr__container(owned, actor_member, owned);
    tr__list_remove(&m->owned.link);
    tr__map_remove(&m->member.part->actors, m->actor->id);
    tr__group_leave(&m->member);
    tr__free(m);
}

static actor_member *member_find(const tr_actor *self, const char *group)
{
    uint64_t id = tr__group_id(self->loop->node, group);
    const tr__group_part *part = id == 0 ? NULL : tr__map_get(&self->loop->groups, id);
    return part == NULL ? NULL : tr__map_get(&part->actors, self->id);
}

int tr_join(tr_actor *self, const char *group)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || tr__name_check(group) == 0)
        return TR_EINVAL;
    if (member_find(self, group) != NULL)
        return TR_EEXIST;
    actor_member *m = tr__alloc(sizeof *m);
    if (m == NULL)
        return TR_ENOMEM;
    *m = (actor_member){.member = {.addr = tr__actor_addr(self), .take = actor_take},
                        .owned = {.close = member_close, .idle = true},
                        .actor = self};
    int rc = tr__group_join(self->loop, group, &m->member);
    if (rc < 0) {
        tr__free(m);
        return rc;
    }
    tr__list_append(&self->owned, &m->owned.link);
    rc = tr__map_put(&m->member.part->actors, self->id, m);
    if (rc < 0)
        member_close(&m->owned);
    return rc;
}

int tr_leave(tr_actor *self, const char *group)
{
    if (!tr__actor_here(self) || tr__name_check(group) == 0)
        return TR_EINVAL;
    actor_member *m = member_find(self, group);
    if (m == NULL)
        return TR_ENOENT;
    member_close(&m->owned);
    return 0;
}

size_t tr_members(const tr_actor *self, const char *group, tr_addr *addrs, size_t max)
{
    size_t count = 0;
    if (!tr__actor_here(self) || tr__name_check(group) == 0)
        return 0;
    tr__groups *groups = groups_of(self->loop->node);
    tr__lock_take(&groups->lock);
    const tr__group *found = group_find(groups, group);
    for (tr__list *at = found == NULL ? NULL : found->members.next;
         at != NULL && at != &found->members; at = at->next) {
        const tr__member *member = tr__container(at, tr__member, in_group);
        if (member->addr.node == 0)
            continue;
        if (count < max)
            addrs[count] = member->addr;
        count++;
    }
    tr__lock_give(&groups->lock);
    return count;
}
