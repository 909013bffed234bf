// Actors that end by themselves when nothing is left that could call them, as Node's programs do.
//
// All that may call an actor is its mail or something that it owns, and few actors want this: so
// nothing is counted where things come and go. Once in an iteration, before the loop waits, the few
// are looked at, up to the first thing that keeps each.
#include "core/node.h"

static bool immediate_waits(const tr_loop *loop, const tr_actor *actor)
{
    for (uint32_t i = 0; i < loop->immediates.count; i++) {
        if (loop->immediates.items[i].actor == actor->id)
            return true;
    }
    return false;
}

static bool owned_keeps(const tr_actor *actor)
{
    for (const tr__list *n = actor->owned.next; n != &actor->owned; n = n->next) {
        if (!tr__container(n, tr__owned, link)->idle)
            return true;
    }
    return false;
}

static bool actor_is_idle(const tr_actor *actor)
{
    return actor->state == TR__RUNNING && actor->mail.head == NULL && actor->notices.head == NULL &&
           tr__list_empty(&actor->extra->pending) && !owned_keeps(actor) &&
           !immediate_waits(actor->loop, actor);
}

void tr__idle_run(tr_loop *loop)
{
    for (tr__list *n = loop->idlers.next; n != &loop->idlers; n = n->next) {
        tr_actor *actor = tr__container(n, tr__extra, idler)->actor;
        if (actor_is_idle(actor))
            tr__actor_exit(actor, tr__reason_of(TR_NORMAL));
    }
}
