// Pace: when a loop looks at the clock, which costs as much as handling a message.
//
// In each phase it looks after the first turn, and then after 2, 4, 8, ... more, so that one that
// is busy with fast turns looks after every 32. As soon as a look shows that turns take long it
// looks after each of them, until they are fast again. An actor whose turn was found to be slow is
// marked, and the next time it is looked at from its first message on: so fast ones around it do
// not hide it, and it is cut off when its time is up and not 32 turns later.
//
// Only the time between two looks of one run of turns counts: a phase looks before its first turn,
// and the loop looks before it waits. A very long time is warned of: with the actor, when it is the
// time of one turn. Of several nobody can say whose it was; so the loop looks after each one for a
// while, and when it happens again it knows whose, and by which message.
#include "base/log.h"
#include "core/node.h"

#define LOOK_TURNS    32       // between two looks, when all is fast
#define LONG_NS       TR_US(5) // for one turn; then the looks cost 1/200 of it
#define CAREFUL_LOOKS 1000u

// Once for each actor (0: nobody knows which) in a second, and no more than there is room for.
static bool slow_untold(tr_loop *loop, uint64_t actor)
{
    struct tr__told *place = NULL;
    for (size_t i = 0; i < TR__TOLD; i++) {
        struct tr__told *told = &loop->pace.told[i];
        if (told->until <= loop->now)
            place = told;
        else if (told->actor == actor)
            return false;
    }
    if (place != NULL)
        *place = (struct tr__told){actor, loop->now + TR_S(1)};
    return place != NULL;
}

static void slow_tell_actor(tr_loop *loop, uint64_t ms)
{
    const tr__last *last = &loop->last;
    const char *what = last->what == NULL ? "?" : last->what->text;
    TR__TELL(loop, .kind = TR_TRACE_SLOW, .actor = tr__last_actor(loop), .name = what,
             .name_len = strnlen(what, sizeof(tr__what)), .number = TR_MS(ms));
    if (slow_untold(loop, tr__last_actor(loop)))
        tr__warn("actor.slow", "actor=%s id=%016llx message=%.*s ms=%llu", last->behavior->name,
                 (unsigned long long)tr__last_actor(loop), (int)sizeof(tr__what), what,
                 (unsigned long long)ms);
}

static void slow_tell_loop(tr_loop *loop, uint32_t turns, uint64_t ms)
{
    if (slow_untold(loop, 0))
        tr__warn("loop.slow", "loop=%u turns=%u ms=%llu", loop->index, turns,
                 (unsigned long long)ms);
}

static void slow_tell(tr_loop *loop, uint32_t turns, uint64_t ms)
{
    loop->pace.careful = CAREFUL_LOOKS;
    if (turns == 1)
        slow_tell_actor(loop, ms);
    else
        slow_tell_loop(loop, turns, ms);
}

static uint32_t look_next(tr__pace *pace, bool slow)
{
    if (pace->careful > 0)
        return pace->careful--, 1;
    if (slow)
        return 1;
    return pace->look_after < LOOK_TURNS ? pace->look_after * 2 : LOOK_TURNS;
}

bool tr__look(tr_loop *loop)
{
    tr__pace *pace = &loop->pace;
    uint64_t now = loop->world->ops->now(loop->world), took = now - loop->now;
    uint32_t turns = pace->turns;
    bool slow = took > turns * LONG_NS;
    loop->now = now;
    tr__stats_add(loop, took, turns);
    if (turns > 0 && took >= loop->node->budget.slow_ns)
        slow_tell(loop, turns, took / TR_MS(1));
    pace->turns = 0;
    pace->look_after = look_next(pace, slow);
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
