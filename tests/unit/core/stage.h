// A node in a simulated world, for tests of the core: actors that note what they hear, and turns
// that a test takes itself, so that it may call the API and assert in one place:
//
//     tr_actor *a = stage_actor("a"), *b = stage_actor("b");
//     IN_TURN(a)
//         assert_int_equal(0, tr_send(a, tr_self(b), "hit", TR_V(1)));
//     stage_run();
//     assert_heard("b:hit=1");
#ifndef TROUPE_TESTS_STAGE_H
#define TROUPE_TESTS_STAGE_H

#include <stdio.h>
#include <string.h>
#include <troupe.h>

#include "core/node.h"
#include "sim/sim.h"
#include "support/cmocka.h"

extern struct stage {
    tr_sim *sim;
    tr_node *node;
    tr_loop *loop;
    char heard[4096];
} stage;

// For cmocka. Teardown fails if anything has leaked.
int stage_setup(void **state);
int stage_teardown(void **state);
#define STAGE_TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)

// An actor's state. What it is to do beside taking notes is set by the test.
struct player {
    char name[16];
    int (*receive)(tr_actor *self, const tr_msg *msg); // its result is the handler's
    void (*stop)(tr_actor *self);
};
extern const tr_behavior player;

// Actors that have had their start: a root, one with options, a child.
tr_actor *stage_actor(const char *name);
tr_actor *stage_actor_with(const char *name, const tr_spawn_opts *opts);
tr_actor *stage_child(tr_actor *parent, const char *name);
struct player *player_of(tr_actor *actor);

// All iterations that can be run without waiting; one.
void stage_run(void);
void stage_step(void);

// Keep an actor from its mail until more comes or it is woken.
void stage_hold(tr_actor *actor);

// Let an actor end.
void stage_exit(tr_actor *actor, int reason);

// Whether there is an actor at this address.
bool stage_has(tr_addr addr);

// Notes are separated by spaces: "name:message" with "=BODY" if that is not null, "name:down=WHY",
// "name:stop=WHY", and whatever a test notes itself. Asserting empties them.
void note(const char *word);
void on_note(tr_actor *self, void *word);
#define NOTE(word) on_note, (void *)(word) // a callback and its argument
#define assert_heard(words)                                                                        \
    do {                                                                                           \
        assert_string_equal(words, stage.heard);                                                   \
        stage.heard[0] = '\0';                                                                     \
    } while (0)

// A turn of the actor's, whose jobs run at its end. Not to be left by break or return.
bool turn_enter(tr_actor *actor);
bool turn_leave(tr_actor *actor);
#define IN_TURN(actor) for (bool turn = turn_enter(actor); turn; turn = turn_leave(actor))

#endif
