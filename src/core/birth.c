// Spawning on another loop of the node.
//
// The spawner must know the address at once, so it is the spawner's loop that gives out the seats:
// it leases a few indices of the other loop's table of lodgers at a time, and numbers their
// generations itself. The record of a birth takes the actor there, whole; it sits among the actor's
// watchers until that has ended, and comes back: then its seat is free for the next one. In between
// it is what the spawner owns of its child, and by its second post it asks the child to stop.
//
// `out` counts the posts that are on the other loop. A record whose posts are both home is in the
// lodging's list of free seats.
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"

#define LEASE 64u

struct tr__birth {
    tr__post post; // there with the actor, and back when it has ended
    tr__post stop; // likewise, with the wish that it ends
    tr__owned owned;
    tr__watcher there;
    tr__birth *next_free;
    tr_actor *actor;  // on the way there
    tr__signal *wish; // likewise: to be linked to its parent; or NULL
    tr_loop *home, *loop;
    uint64_t id;
    tr_addr parent;
    uint8_t out;
};

// ---- Where the actor lives ----

static void birth_return(tr__birth *birth)
{
    tr__post_to(birth->loop, birth->home, &birth->post);
}

static void birth_ended(tr__watcher *watcher, tr_reason reason)
{
    (void)reason;
    birth_return(tr__container(watcher, tr__birth, there));
}

static void birth_over(tr_loop *loop, tr__post *post);

static void birth_arrive(tr_loop *loop, tr__post *post)
{
    tr__birth *birth = tr__container(post, tr__birth, post);
    tr_actor *actor = birth->actor;
    birth->actor = NULL;
    birth->post.arrive = birth_over;
    atomic_fetch_sub_explicit(&loop->arrivals, 1, memory_order_relaxed);
    int rc = tr__actor_settle(loop, actor);
    if (birth->wish != NULL)
        tr__signal_send(loop, &birth->wish);
    if (rc == 0) {
        tr__list_append(&actor->watchers, &birth->there.link);
        return;
    }
    tr__warn("actor.failed", "actor=%s error=%s before its start", actor->behavior->name,
             tr_errname(rc));
    tr__actor_free(actor);
    birth_return(birth);
}

static void birth_stopped(tr_loop *loop, tr__post *post);

static void birth_stop(tr_loop *loop, tr__post *post)
{
    tr__birth *birth = tr__container(post, tr__birth, stop);
    tr_actor *actor = tr__actor_find(loop, birth->id);
    if (actor != NULL)
        tr__actor_ask_stop(actor, birth->parent);
    birth->stop.arrive = birth_stopped;
    tr__post_to(loop, birth->home, &birth->stop);
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

static void birth_home(tr_loop *loop, tr__birth *birth)
{
    if (--birth->out > 0)
        return;
    if ((birth->id & TR__SLOT_GENERATION_MAX) == TR__SLOT_GENERATION_MAX) {
        tr__free(birth); // the seat is used up
        return;
    }
    birth->id++;
    tr__lodging *lodging = &loop->lodgings[birth->loop->index];
    birth->next_free = lodging->free;
    lodging->free = birth;
}

static void birth_over(tr_loop *loop, tr__post *post)
{
    tr__birth *birth = tr__container(post, tr__birth, post);
    tr__list_remove(&birth->owned.link);
    tr__window_unpin(&loop->windows, birth->id, &loop->writable);
    loop->away--;
    loop->restless = true;
    birth_home(loop, birth);
}

static void birth_stopped(tr_loop *loop, tr__post *post)
{
    birth_home(loop, tr__container(post, tr__birth, stop));
}

// The parent ends.
static void birth_disown(tr__owned *owned)
{
    tr__birth *birth = tr__container(owned, tr__birth, owned);
    tr__list_init(&owned->link);
    birth->out++;
    birth->stop.arrive = birth_stop;
    tr__post_to(birth->home, birth->loop, &birth->stop);
}

static int birth_new(tr_loop *loop, tr_loop *to, tr__birth **ret_birth)
{
    tr__lodging *lodging = lodging_of(loop, to->index);
    if (lodging == NULL)
        return TR_ENOMEM;
    tr__birth *birth = lodging->free;
    if (birth != NULL) {
        lodging->free = birth->next_free;
        *ret_birth = birth;
        return 0;
    }
    if (lodging->next == lodging->next_end) {
        lodging->next =
            (uint32_t)atomic_fetch_add_explicit(&to->seats, LEASE, memory_order_relaxed);
        lodging->next_end = lodging->next + LEASE;
    }
    birth = lodging->next > TR__SLOT_INDEX_MAX ? NULL : tr__zalloc(sizeof *birth);
    if (birth == NULL)
        return TR_ENOMEM;
    birth->home = loop;
    birth->loop = to;
    birth->owned.close = birth_disown;
    birth->there.ended = birth_ended;
    tr__list_init(&birth->there.link);
    birth->id = (uint64_t)to->index << TR__ID_LOOP_SHIFT | TR__ID_LODGER |
                (uint64_t)lodging->next++ << 28 | 1;
    *ret_birth = birth;
    return 0;
}

static tr_addr birth_addr(const tr__birth *birth)
{
    return (tr_addr){birth->home->node->id, birth->id};
}

static int birth_limit(tr_loop *loop, uint64_t id, const tr_spawn_opts *opts)
{
    if (opts->mail_max == 0 && opts->mail_bytes_max == 0)
        return 0;
    return tr__window_pin(&loop->windows, id, opts->mail_max, opts->mail_bytes_max);
}

static void birth_undo(tr_actor *self, tr__birth *birth)
{
    tr_loop *loop = self->loop;
    tr__lodging *lodging = &loop->lodgings[birth->loop->index];
    tr__window_unpin(&loop->windows, birth->id, &loop->writable);
    tr__link_undo(self, &birth->wish);
    if (birth->actor != NULL)
        tr__actor_free(birth->actor);
    birth->actor = NULL;
    birth->next_free = lodging->free;
    lodging->free = birth;
}

static int birth_prepare(tr_actor *self, tr_loop *to, const tr_behavior *behavior,
                         const tr_spawn_opts *opts, tr__birth **ret_birth)
{
    tr__birth *birth;
    int rc = birth_new(self->loop, to, &birth);
    if (rc < 0)
        return rc;
    rc = birth_limit(self->loop, birth->id, opts);
    if (rc == 0)
        rc = tr__actor_new(behavior, opts, &birth->actor);
    if (rc == 0 && opts->link)
        rc = tr__link_half(self, (tr_addr){self->loop->node->id, birth->id}, &birth->wish);
    if (rc == 0)
        rc =
            tr__name_take(self->loop->node, opts->name, birth_addr(birth), &birth->actor->watchers);
    if (rc == 0)
        rc = tr__crew_start(to);
    if (rc < 0) {
        birth_undo(self, birth);
        return rc;
    }
    birth->parent = birth->actor->parent = tr__actor_addr(self);
    birth->actor->id = birth->id;
    birth->actor->lodger = true;
    *ret_birth = birth;
    return 0;
}

int tr__birth_spawn(tr_actor *self, tr_loop *to, const tr_behavior *behavior,
                    const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr_loop *loop = self->loop;
    tr__birth *birth;
    int rc = birth_prepare(self, to, behavior, opts, &birth);
    if (rc < 0) {
        tr__crew_unplace(to);
        return rc;
    }
    birth->out = 1;
    birth->post.arrive = birth_arrive;
    loop->away++;
    atomic_fetch_add_explicit(&to->arrivals, 1, memory_order_relaxed);
    tr__list_append(&self->owned, &birth->owned.link);
    tr__post_to(loop, to, &birth->post);
    tr_addr addr = birth_addr(birth);
    tr__outboxes_publish(loop); // before anybody hears of the address
    tr__name_show(loop->node, opts->name, addr);
    if (ret_addr != NULL)
        *ret_addr = addr;
    return 0;
}

void tr__lodgings_clear(tr_loop *loop)
{
    for (uint32_t i = 0; i < loop->lodging_count; i++) {
        while (loop->lodgings[i].free != NULL) {
            tr__birth *birth = loop->lodgings[i].free;
            loop->lodgings[i].free = birth->next_free;
            tr__free(birth);
        }
    }
    tr__free(loop->lodgings);
    loop->lodgings = NULL;
    loop->lodging_count = 0;
}
