// One actor of a node with one loop, whose turns a test takes itself.
#ifndef TROUPE_TESTS_TURNS_H
#define TROUPE_TESTS_TURNS_H

#include <troupe.h>

#include "core/node.h"
#include "support/cmocka.h"

#define PATIENCE TR_MS(20000)

extern tr_node *node;
extern tr_loop *loop;
extern tr_actor *a;

void turns_begin(tr_world *world); // moves
void turns_end(void);              // with node and world
tr_actor *actor_new(void);         // one more
void step(void); // an iteration that does not wait: what is awaited may be no callback

bool turn_enter(tr_actor *actor);
bool turn_leave(tr_actor *actor);
#define IN_TURN(actor) for (bool turn = turn_enter(actor); turn; turn = turn_leave(actor))

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until = loop->world->ops->now(loop->world) + PATIENCE;                            \
        while (!(condition)) {                                                                     \
            assert_true(loop->world->ops->now(loop->world) < until);                               \
            step();                                                                                \
        }                                                                                          \
    } while (0)

#endif
