// Pace: when a loop looks at the clock, which costs as much as handling a message.
//
// In each phase it looks after the first turn, and then after 2, 4, 8, ... more, so that one that
// is busy with fast turns looks after every 32. As soon as a look shows that turns take long it
// looks after each of them, until they are fast again. An actor whose turn was found to be slow is
// marked, and the next time it is looked at from its first message on: so fast ones around it do
// not hide it, and it is cut off when its time is up and not 32 turns later.
//
// Only the time between two looks of one run of turns counts: a phase looks before its first turn,
// and the loop looks before it waits.
#include "core/node.h"

#define LOOK_TURNS 32       // between two looks, when all is fast
#define LONG_NS    TR_US(5) // for one turn; then the looks cost 1/200 of it

bool tr__look(tr_loop *loop)
{
    tr__pace *pace = &loop->pace;
    uint64_t now = loop->world->ops->now(loop->world);
    bool slow = now - loop->now > pace->turns * LONG_NS;
    pace->look_after = slow ? 1 : pace->look_after < LOOK_TURNS ? pace->look_after * 2 : LOOK_TURNS;
    pace->turns = 0;
    loop->now = now;
    return slow;
}

void tr__look_anew(tr_loop *loop)
{
    tr__look(loop);
    loop->pace.look_after = 1;
}

void tr__look_last(tr_loop *loop)
{
    if (loop->pace.turns > 0)
        tr__look(loop);
}
