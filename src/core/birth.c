// Spawning on another loop of the node.
//
// The spawner must know the address at once, so it is the spawner's loop that gives out the seats:
// it leases a few indices of the other loop's table of lodgers at a time, and numbers their
// generations itself. The actor is made here and travels there whole; when it has ended its memory
// comes home, which tells that the seat is free for the next one, and is freed by who has made it.
//
// So a lodger's memory has fields of two loops: all of it belongs to the loop that it lives on, but
// `child`, by which its parent owns it, `stop`, which takes the place of that when the parent has
// ended and asks it to stop, and `out`, the posts in it that are on the other loop.
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"

#define LEASE 64u

static tr_loop *lodger_home(const tr_actor *lodger, const tr_loop *any)
{
    return tr__id_loop(any->node, lodger->parent.actor);
}

// ---- Where the actor lives ----

static void lodger_over(tr_loop *loop, tr__post *post);

void tr__lodger_ended(tr_loop *loop, tr_actor *lodger)
{
    lodger->trip.arrive = lodger_over;
    tr__post_to(loop, lodger_home(lodger, loop), &lodger->trip);
}

static void lodger_arrive(tr_loop *loop, tr__post *post)
{
    tr_actor *lodger = tr__container(post, tr_actor, trip);
    atomic_fetch_sub_explicit(&loop->arrivals, 1, memory_order_relaxed);
    loop->begun = true; // a thread of its own ends with it, also if it cannot settle
    int rc = tr__actor_settle(loop, lodger);
    if (rc == 0)
        return;
    tr__error("actor.failed", "actor=%s error=%s before its start", lodger->behavior->name,
              tr_errname(rc));
    tr__actor_unmake(lodger);
    tr__lodger_ended(loop, lodger);
}

static void lodger_stopped(tr_loop *loop, tr__post *post);

static void lodger_stop(tr_loop *loop, tr__post *post)
{
    tr_actor *lodger = tr__container(post, tr_actor, stop);
    if (tr__actor_find(loop, lodger->id) != NULL)
        tr__actor_ask_stop(lodger, lodger->parent);
    lodger->stop.arrive = lodger_stopped;
    tr__post_to(loop, lodger_home(lodger, loop), &lodger->stop);
}

// ---- Where it was spawned ----

static tr__lodging *lodging_of(tr_loop *loop, uint32_t index)
{
    if (index >= loop->lodging_count) {
        uint32_t count = index + 1;
        tr__lodging *lodgings = tr__resize(loop->lodgings, count * sizeof *lodgings);
        if (lodgings == NULL)
            return NULL;
        for (uint32_t i = loop->lodging_count; i < count; i++)
            lodgings[i] = (tr__lodging){0};
        loop->lodgings = lodgings;
        loop->lodging_count = count;
    }
    return &loop->lodgings[index];
}

// Keep the seat, for its next generation. Without memory for that it stays empty for good.
static void seat_free(tr_loop *loop, uint64_t id)
{
    tr__lodging *lodging = &loop->lodgings[id >> TR__ID_LOOP_SHIFT];
    if ((id & TR__SLOT_GENERATION_MAX) == TR__SLOT_GENERATION_MAX)
        return;
    if (lodging->free_count == lodging->free_max) {
        uint32_t max = lodging->free_max == 0 ? 64 : lodging->free_max * 2;
        uint64_t *free = tr__resize(lodging->free, max * sizeof *free);
        if (free == NULL)
            return;
        lodging->free = free;
        lodging->free_max = max;
    }
    lodging->free[lodging->free_count++] = id + 1;
}

static int seat_take(tr_loop *loop, tr_loop *to, uint64_t *ret_id)
{
    tr__lodging *lodging = lodging_of(loop, to->index);
    if (lodging == NULL)
        return TR_ENOMEM;
    if (lodging->free_count > 0) {
        *ret_id = lodging->free[--lodging->free_count];
        return 0;
    }
    if (lodging->next == lodging->next_end) {
        lodging->next =
            (uint32_t)atomic_fetch_add_explicit(&to->seats, LEASE, memory_order_relaxed);
        lodging->next_end = lodging->next + LEASE;
    }
    if (lodging->next > TR__SLOT_INDEX_MAX)
        return TR_ENOMEM;
    *ret_id = (uint64_t)to->index << TR__ID_LOOP_SHIFT | TR__ID_LODGER |
              (uint64_t)lodging->next++ << 28 | 1;
    return 0;
}

static void lodger_home_again(tr_loop *loop, tr_actor *lodger)
{
    if (--lodger->out > 0)
        return;
    seat_free(loop, lodger->id);
    tr__free(lodger);
}

static void lodger_over(tr_loop *loop, tr__post *post)
{
    tr_actor *lodger = tr__container(post, tr_actor, trip);
    if (lodger->out == 1) // else it is `stop` by now
        tr__list_remove(&lodger->child.link);
    tr__window_unpin(&loop->windows, lodger->id, &loop->writable);
    loop->away--;
    loop->restless = true;
    lodger_home_again(loop, lodger);
}

static void lodger_stopped(tr_loop *loop, tr__post *post)
{
    tr_actor *lodger = tr__container(post, tr_actor, stop);
    tr__list_init(&lodger->child.link);
    lodger_home_again(loop, lodger);
}

// The parent ends.
static void lodger_disown(tr__owned *owned)
{
    tr_actor *lodger = tr__container(owned, tr_actor, child);
    tr_loop *loop = tr__loop_here;
    lodger->out++;
    lodger->stop.arrive = lodger_stop;
    tr__post_to(loop, tr__id_loop(loop->node, lodger->id), &lodger->stop);
}

static int lodger_limit(tr_loop *loop, uint64_t id, const tr_spawn_opts *opts)
{
    if (opts->mail_max == 0 && opts->mail_bytes_max == 0)
        return 0;
    return tr__window_pin(&loop->windows, id, opts->mail_max, opts->mail_bytes_max);
}

static tr_addr lodger_addr(const tr_actor *lodger)
{
    return (tr_addr){lodger->parent.node, lodger->id};
}

static void lodger_undo(tr_actor *self, tr_actor *lodger, tr__signal **wish)
{
    tr_loop *loop = self->loop;
    tr__window_unpin(&loop->windows, lodger->id, &loop->writable);
    tr__link_undo(self, wish);
    seat_free(loop, lodger->id);
    tr__actor_unmake(lodger);
    tr__free(lodger);
}

// All that can fail. wish: to be linked to its parent; or NULL
static int lodger_prepare(tr_actor *self, tr_loop *to, tr_actor *lodger, const tr_spawn_opts *opts,
                          tr__signal **ret_wish)
{
    tr_loop *loop = self->loop;
    int rc = lodger_limit(loop, lodger->id, opts);
    if (rc == 0 && opts->link)
        rc = tr__link_half(self, lodger_addr(lodger), ret_wish);
    if (rc == 0)
        rc = tr__name_take(loop->node, opts->name, lodger_addr(lodger), &lodger->watchers);
    return rc == 0 ? tr__crew_start(to) : rc;
}

static int lodger_new(tr_actor *self, tr_loop *to, const tr_behavior *behavior,
                      const tr_spawn_opts *opts, tr_actor **ret_lodger)
{
    uint64_t id;
    tr_actor *lodger;
    int rc = seat_take(self->loop, to, &id);
    if (rc < 0)
        return rc;
    rc = tr__actor_new(behavior, opts, &lodger);
    if (rc < 0) {
        seat_free(self->loop, id);
        return rc;
    }
    lodger->id = id;
    lodger->lodger = true;
    lodger->parent = tr__actor_addr(self);
    lodger->child.close = lodger_disown;
    *ret_lodger = lodger;
    return 0;
}

static void lodger_leave(tr_actor *self, tr_loop *to, tr_actor *lodger, tr__signal **wish)
{
    tr_loop *loop = self->loop;
    loop->away++;
    lodger->out = 1;
    lodger->trip.arrive = lodger_arrive;
    atomic_fetch_add_explicit(&to->arrivals, 1, memory_order_relaxed);
    tr__list_append(&self->owned, &lodger->child.link);
    tr__post_first(loop, to, &lodger->trip);
    if (*wish != NULL)
        tr__signal_send(loop, wish);
}

int tr__lodger_spawn(tr_actor *self, tr_loop *to, const tr_behavior *behavior,
                     const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr_actor *lodger;
    tr__signal *wish = NULL;
    int rc = lodger_new(self, to, behavior, opts, &lodger);
    if (rc == 0) {
        rc = lodger_prepare(self, to, lodger, opts, &wish);
        if (rc < 0)
            lodger_undo(self, lodger, &wish);
    }
    if (rc < 0) {
        tr__crew_unplace(to);
        return rc;
    }
    tr_addr addr = lodger_addr(lodger);
    lodger_leave(self, to, lodger, &wish);
    if (opts->name != NULL)
        tr__outboxes_publish(self->loop); // before anybody finds it
    tr__name_show(self->loop->node, opts->name, addr);
    if (ret_addr != NULL)
        *ret_addr = addr;
    return 0;
}

void tr__lodgings_clear(tr_loop *loop)
{
    for (uint32_t i = 0; i < loop->lodging_count; i++)
        tr__free(loop->lodgings[i].free);
    tr__free(loop->lodgings);
    loop->lodgings = NULL;
    loop->lodging_count = 0;
}
