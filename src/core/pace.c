// Pace: when a loop looks at the clock, which costs as much as handling a message.
//
// In each phase it looks after the first turn, and then after 2, 4, 8, ... more, so that one that
// is busy with fast turns looks after every 32. As soon as a look shows that turns take long it
// looks after each of them, until they are fast again. An actor whose turn was found to be slow is
// marked, and the next time it is looked at from its first message on: so fast ones around it do
// not hide it, and it is cut off when its time is up and not 32 turns later.
//
// Only the time between two looks of one run of turns counts: a phase looks before its first turn,
// and the loop looks before it waits. A time that is very long is warned of, with the last turn
// that it was for and how many there were: one, wherever the loop had a reason to be careful.
#include "base/log.h"
#include "core/node.h"

#define LOOK_TURNS 32       // between two looks, when all is fast
#define LONG_NS    TR_US(5) // for one turn; then the looks cost 1/200 of it

// Once for each actor in a second, and of so many actors as there is room for.
static bool slow_untold(tr_loop *loop, uint64_t actor)
{
    tr__pace *pace = &loop->pace;
    size_t place = sizeof pace->told / sizeof *pace->told;
    for (size_t i = 0; i < sizeof pace->told / sizeof *pace->told; i++) {
        if (pace->told[i].until <= loop->now)
            place = i;
        else if (pace->told[i].actor == actor)
            return false;
    }
    if (place == sizeof pace->told / sizeof *pace->told)
        return false;
    pace->told[place].actor = actor;
    pace->told[place].until = loop->now + TR_S(1);
    return true;
}

static void slow_tell(tr_loop *loop, uint32_t turns, uint64_t ns)
{
    const tr__last *last = &loop->last;
    if (slow_untold(loop, last->actor))
        tr__warn("actor.slow", "actor=%s id=%016llx message=%.*s turns=%u ms=%llu",
                 last->behavior->name, (unsigned long long)last->actor, (int)sizeof(tr__what),
                 last->what == NULL ? "?" : last->what->text, turns,
                 (unsigned long long)(ns / TR_MS(1)));
}

bool tr__look(tr_loop *loop)
{
    tr__pace *pace = &loop->pace;
    uint64_t now = loop->world->ops->now(loop->world);
    uint64_t took = now - loop->now;
    uint32_t turns = pace->turns;
    bool slow = took > turns * LONG_NS;
    pace->look_after = slow ? 1 : pace->look_after < LOOK_TURNS ? pace->look_after * 2 : LOOK_TURNS;
    pace->turns = 0;
    loop->now = now;
    if (turns > 0 && took >= loop->node->budget.slow_ns)
        slow_tell(loop, turns, took);
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
