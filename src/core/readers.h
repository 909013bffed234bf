// Actors of a node that want to hear of something, wherever on the node it happens (readers.c).
#ifndef TROUPE_CORE_READERS_H
#define TROUPE_CORE_READERS_H

#include <troupe/actor.h>

#include "base/counter.h"
#include "base/list.h"
#include "base/lock.h"

struct tr_loop;

typedef struct tr__readers {
    tr__lock lock;
    tr__list list;
    tr__counter count; // of them, to be looked at without the lock
} tr__readers;

void tr__readers_init(tr__readers *readers);

// Whether the actor is one of them.
// returns: 1: it is, and was not; 0: as before, or not any more. TR_ENOMEM
int tr__readers_want(tr_actor *self, tr__readers *readers, bool wanted);

// A message from the node for an actor of it. One that has no room is not told.
// moves: *msg, always
void tr__reader_tell(struct tr_loop *loop, tr_addr to, tr_msg **msg);

// A message for each of them but one, made by make(what, &msg). What cannot be made is not told.
void tr__readers_tell(struct tr_loop *loop, tr__readers *readers, tr_addr but,
                      int (*make)(const void *what, tr_msg **ret_msg), const void *what);

#endif
