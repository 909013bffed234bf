// Ears: the signals of the process, for all its worlds.
//
// One handler for all signals counts the one that has come and wakes the worlds that have ears;
// each compares, behind its poll, the counts with those that its ears have heard of. Invariants:
// - a count only grows, so however many come while a loop is busy, there is one to be told after
//   the last, and one kind of signal cannot crowd out another;
// - the handler touches nothing but atomics and wake. It is `ringing` meanwhile, and a world that
//   leaves the table waits until nobody rings any more: then none holds it;
// - what a signal did before its first ear is put back with its last one, unless somebody else has
//   set it meanwhile.
//
// Not uv_signal: it writes each signal into a pipe for each loop, and when a busy one's is full the
// next signal is lost, be it the one that was to end the process; and it puts back the system's
// default, not what was there.
#include <errno.h>
#include <sched.h>
#include <signal.h>

#include "base/lock.h"
#include "base/memory.h"
#include "uv/inside.h"

#define WORLDS_MAX 4096u

struct real_ear {
    tr_ear base;
    tr__list node; // in world->ears
    int signum;
    unsigned heard; // of the count
    const tr_ear_up *up;
    void *owner;
};

static atomic_uint signal_counts[NSIG];
static _Atomic(struct real_world *) signal_worlds[WORLDS_MAX];
static atomic_uint signal_world_count; // places that have been used
static atomic_uint signal_ringing;

// Under the lock.
static tr__lock signal_lock;
static unsigned signal_ears[NSIG];
static struct sigaction signal_before[NSIG];

// Any thread, in the midst of anything.
static void signal_came(int signum)
{
    int error = errno;
    atomic_fetch_add(&signal_counts[signum], 1);
    atomic_fetch_add(&signal_ringing, 1);
    unsigned count = atomic_load(&signal_world_count);
    for (unsigned i = 0; i < count; i++) {
        struct real_world *world = atomic_load(&signal_worlds[i]);
        if (world != NULL)
            world->base.ops->wake(&world->base);
    }
    atomic_fetch_sub(&signal_ringing, 1);
    errno = error;
}

// ---- The table, under the lock ----

static int table_enter(struct real_world *world)
{
    for (unsigned i = 0; i < WORLDS_MAX; i++) {
        if (atomic_load(&signal_worlds[i]) != NULL)
            continue;
        atomic_store(&signal_worlds[i], world);
        if (i >= atomic_load(&signal_world_count))
            atomic_store(&signal_world_count, i + 1);
        world->hears_at = i + 1;
        return 0;
    }
    return TR_EAGAIN;
}

static void table_leave(struct real_world *world)
{
    atomic_store(&signal_worlds[world->hears_at - 1], NULL);
    world->hears_at = 0;
    while (atomic_load(&signal_ringing) != 0)
        sched_yield();
}

// ---- What the signal does, under the lock ----

static int signal_take(int signum)
{
    struct sigaction ours = {.sa_handler = signal_came, .sa_flags = SA_RESTART};
    sigemptyset(&ours.sa_mask);
    if (signal_ears[signum] == 0 && sigaction(signum, &ours, &signal_before[signum]) < 0)
        return -errno;
    signal_ears[signum]++;
    return 0;
}

static void signal_give_back(int signum)
{
    struct sigaction now;
    if (--signal_ears[signum] == 0 && sigaction(signum, NULL, &now) == 0 &&
        now.sa_handler == signal_came)
        sigaction(signum, &signal_before[signum], NULL);
}

// ---- Ears ----

static int ear_enter(struct real_world *world, struct real_ear *ear)
{
    int rc = world->ear_count == 0 ? table_enter(world) : 0;
    if (rc < 0)
        return rc;
    ear->heard = atomic_load(&signal_counts[ear->signum]);
    rc = signal_take(ear->signum);
    if (rc == 0)
        world->ear_count++;
    else if (world->ear_count == 0)
        table_leave(world);
    return rc;
}

int tr__uv_hear(tr_world *base, int signum, const tr_ear_up *up, void *owner, tr_ear **ret_ear)
{
    struct real_world *world = real_world_of(base);
    if (signum < 1 || signum >= NSIG)
        return TR_EINVAL;
    struct real_ear *ear = tr__alloc(sizeof *ear);
    if (ear == NULL)
        return TR_ENOMEM;
    *ear = (struct real_ear){.base.world = base, .signum = signum, .up = up, .owner = owner};
    tr__lock_take(&signal_lock);
    int rc = ear_enter(world, ear);
    tr__lock_give(&signal_lock);
    if (rc < 0) {
        tr__free(ear);
        return rc;
    }
    tr__list_append(&world->ears, &ear->node);
    *ret_ear = &ear->base;
    return 0;
}

static void ear_close(struct real_ear *ear)
{
    struct real_world *world = real_world_of(ear->base.world);
    tr__list_remove(&ear->node);
    tr__lock_take(&signal_lock);
    signal_give_back(ear->signum);
    if (--world->ear_count == 0)
        table_leave(world);
    tr__lock_give(&signal_lock);
    tr__free(ear);
}

void tr__uv_ear_close(tr_ear **ear)
{
    if (*ear != NULL)
        ear_close((struct real_ear *)*ear);
    *ear = NULL;
}

void tr__uv_ears_close(struct real_world *world)
{
    while (!tr__list_empty(&world->ears))
        ear_close(tr__container(world->ears.next, struct real_ear, node));
}

// Each once; what an upcall opens or closes is in neither list or in the one that is not read.
void tr__uv_ears_tell(struct real_world *world)
{
    tr__list batch;
    tr__list_init(&batch);
    tr__list_splice(&batch, &world->ears);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        struct real_ear *ear = tr__container(node, struct real_ear, node);
        unsigned count = atomic_load(&signal_counts[ear->signum]);
        tr__list_append(&world->ears, node);
        if (count == ear->heard)
            continue;
        ear->heard = count;
        real_world_stir(world);
        ear->up->heard(ear->owner);
    }
}
