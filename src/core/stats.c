// Statistics of loops, out of the looks at the clock that there are anyway (pace.c).
//
// Each look adds the time since the last one to the phase in which that was: phases look when they
// begin, so what is added to the wrong one is what lies between a phase's last turn and the next
// one's first. A longest turn is written down when a look had one turn to tell of.
#include <stdio.h>

#include "core/node.h"

// The name of a message is not its own any more when the turn is over: pace.c says so by NULL.
static void stats_longest(tr_loop *loop, uint64_t ns)
{
    tr__stats *stats = &loop->stats;
    const tr__last *last = &loop->last;
    tr__lock_take(&stats->lock);
    stats->longest_ns = ns;
    stats->longest_actor = tr__last_actor(loop);
    snprintf(stats->longest_behavior, sizeof stats->longest_behavior, "%s", last->behavior->name);
    snprintf(stats->longest_message, sizeof stats->longest_message, "%.*s", (int)sizeof(tr__what),
             last->what == NULL ? "?" : last->what->text);
    tr__lock_give(&stats->lock);
}

void tr__stats_add(tr_loop *loop, uint64_t ns, uint32_t turns)
{
    tr__stats *stats = &loop->stats;
    tr__counter_add(&stats->ns[stats->since], (int64_t)ns);
    tr__counter_add(&stats->turns[stats->since], turns);
    stats->since = stats->phase;
    if (turns == 1 && ns > stats->longest_ns)
        stats_longest(loop, ns);
}

static void stats_read(const tr_loop *loop, tr_loop_stats *ret_stats)
{
    tr__stats *stats = &((tr_loop *)loop)->stats;
    ret_stats->iterations = tr__counter_get(&stats->iterations);
    ret_stats->idle_ns = loop->world->ops->idle(loop->world);
    for (int i = 0; i < TR_PHASES; i++) {
        ret_stats->phase_ns[i] = tr__counter_get(&stats->ns[i]);
        ret_stats->turns[i] = tr__counter_get(&stats->turns[i]);
    }
    tr__lock_take(&stats->lock);
    ret_stats->longest_ns = stats->longest_ns;
    ret_stats->longest_actor = stats->longest_actor;
    memcpy(ret_stats->longest_behavior, stats->longest_behavior, sizeof stats->longest_behavior);
    memcpy(ret_stats->longest_message, stats->longest_message, sizeof stats->longest_message);
    tr__lock_give(&stats->lock);
}

int tr_loop_stats_get(const tr_node *node, uint32_t loop, tr_loop_stats *ret_stats)
{
    tr_loop_stats stats;
    if (node == NULL || ret_stats == NULL || ret_stats->size < sizeof(size_t))
        return TR_EINVAL;
    const tr_loop *of = loop < TR__LOOPS_MAX ? tr__node_loop(node, loop) : NULL;
    if (of == NULL)
        return TR_ENOENT;
    stats.size = ret_stats->size < sizeof stats ? ret_stats->size : sizeof stats;
    stats_read(of, &stats);
    memcpy(ret_stats, &stats, stats.size);
    return 0;
}
