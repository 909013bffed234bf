#include "conform/turns.h"

tr_node *node;
tr_loop *loop;
tr_actor *a;

static const tr_behavior nothing = {.name = "nothing"};

bool turn_enter(tr_actor *actor)
{
    static const tr__what what = {"(test)"};
    tr__loop_here = loop;
    tr__look_anew(loop);
    tr__turn_begin(actor, &what);
    return true;
}

bool turn_leave(tr_actor *actor)
{
    tr__turn_end(actor);
    tr__loop_here = NULL;
    return false;
}

void step(void)
{
    loop->world->ops->wake(loop->world);
    tr__loop_step(loop);
}

tr_actor *actor_new(void)
{
    tr_addr addr;
    assert_int_equal(0, tr_node_spawn(node, &nothing, NULL, &addr));
    step();
    return tr__actor_find(loop, addr.actor);
}

void turns_begin(tr_world *world)
{
    assert_int_equal(0, tr__node_new(0, "test", 1, &world, &node));
    loop = tr__node_loop(node, 0);
    a = actor_new();
}

void turns_end(void)
{
    tr__node_free(&node);
}
