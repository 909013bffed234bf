// The node's pools of threads for work (work.c).
#ifndef TROUPE_CORE_WORK_H
#define TROUPE_CORE_WORK_H

#include <troupe/work.h>

#include "base/list.h"
#include "base/lock.h"

struct tr_loop;

typedef struct tr__works {
    tr__lock lock;
    tr__list pools;
} tr__works;

void tr__works_init(tr__works *works);
// Drop what waits, let what runs come to its end, and join the threads: all work is home, or in an
// inbox, afterwards. No loop but the caller's may run.
void tr__works_close(tr__works *works);
void tr__works_clear(tr__works *works); // when all that is home has ended

// Work that is nobody's: run and then release, or release alone, as of one whose actor has ended.
// errors: TR_EDOWN (the node is closing), else as tr_work
int tr__work_alone(struct tr_loop *loop, const char *name, tr_work_run run, void *data,
                   void (*release)(void *data));

#endif
