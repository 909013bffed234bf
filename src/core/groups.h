// Groups: who is in which, one table for a node (groups.c).
//
// A member is an actor, or a link to another node that has members: a publication goes to all of
// them, so it comes to each loop, and over each link, once.
#ifndef TROUPE_CORE_GROUPS_H
#define TROUPE_CORE_GROUPS_H

#include "base/dict.h"
#include "base/lock.h"
#include "core/core.h"

typedef struct tr__groups {
    tr__lock lock;
    tr__dict dict;      // of groups that have members, or of which somebody has been told
    tr__list by_change; // all of them, the one that has changed last at the end
    uint64_t changes;
    tr__list ears; // tr__group_ear
} tr__groups;

typedef struct tr__group {
    tr__dict_entry entry;
    tr__list by_change;
    uint64_t id, changed;
    tr__list parts;   // tr__group_part: a loop that has members
    tr__list members; // tr__member, as they have joined
    uint32_t count;   // of them
    uint32_t told;    // links over which it has been told of
    char text[];
} tr__group;

// What a loop has of a group. Its lists are the loop's own, but for `link`.
typedef struct tr__group_part {
    tr__list link; // in the group's parts
    tr__group *group;
    tr_loop *loop;
    tr__list members;
    tr__map actors; // those of them that are, by id
} tr__group_part;

typedef struct tr__member {
    tr__list in_group, in_part;
    tr__group_part *part;
    tr_addr addr;                                               // TR_NOBODY: a link
    void (*take)(struct tr__member *member, const tr_msg *msg); // borrows
} tr__member;

void tr__groups_init(tr__groups *groups);
void tr__groups_clear(tr__groups *groups); // when no member is left

// The member's addr and take are set. errors: TR_ENOMEM
int tr__group_join(tr_loop *loop, const char *text, tr__member *member);
void tr__group_leave(tr__member *member);
uint64_t tr__group_id(const tr_node *node, const char *text); // 0: there is no such group

// To all members on this node and beyond its links.
void tr__group_publish(tr_loop *loop, const char *text, tr_msg *msg); // borrows

// ---- For links: whether there is anybody at the other end ----

// News of groups: from now on `stale` is set whenever the number of a group's members comes to or
// leaves 0, 1 or 2, which is when what a link must know may change.
void tr__groups_listen(tr_loop *loop);
void tr__groups_ignore(tr_loop *loop);
// Call tell, under the lock, with each group that has changed after *seen. tell may change `told`.
void tr__groups_news(const tr_node *node, uint64_t *seen, void (*tell)(void *arg, tr__group *group),
                     void *arg);
void tr__group_untold(const tr_node *node, tr__group *group);

#endif
