// Who wants to hear of dead letters (dead.c).
#ifndef TROUPE_CORE_DEAD_H
#define TROUPE_CORE_DEAD_H

#include "base/counter.h"
#include "base/list.h"
#include "base/lock.h"

typedef struct tr__dead {
    tr__lock lock;
    tr__list readers;
    tr__counter count; // of them, to be looked at without the lock
} tr__dead;

#endif
