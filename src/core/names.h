// Names: who has which, one table for a node (names.c).
#ifndef TROUPE_CORE_NAMES_H
#define TROUPE_CORE_NAMES_H

#include "base/dict.h"
#include "base/lock.h"
#include "core/core.h"

typedef struct tr__names {
    tr__lock lock;
    tr__dict dict; // of all names that somebody has or waits for
} tr__names;

// Take a name for an actor, until its watchers are told: a list that only the caller can reach so
// far. It is taken, but nobody finds the actor before it is shown. name NULL: no-op, as below.
// errors: TR_EINVAL, TR_EEXIST, TR_ENOMEM
int tr__name_take(tr_node *node, const char *name, tr_addr addr, tr__list *watchers);
void tr__name_show(tr_node *node, const char *name, tr_addr addr); // no-op if it has ended already

tr_addr tr__name_addr(const tr_node *node, const char *name); // TR_NOBODY: nobody has it

void tr__names_clear(tr__names *names); // when no actor is left

#endif
