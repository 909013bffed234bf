// The node's pools of threads for work (work.c).
#ifndef TROUPE_CORE_WORK_H
#define TROUPE_CORE_WORK_H

#include <troupe/work.h>

#include "base/list.h"
#include "base/lock.h"

typedef struct tr__works {
    tr__lock lock;
    tr__list pools;
} tr__works;

void tr__works_init(tr__works *works);
// Drop what waits, let what runs come to its end, and join the threads: all work is home, or in an
// inbox, afterwards. No loop but the caller's may run.
void tr__works_close(tr__works *works);
void tr__works_clear(tr__works *works); // when all that is home has ended

#endif
