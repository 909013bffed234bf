// Polling for a little while before sleeping, and learning when that pays.
//
// Waking somebody who sleeps on another core costs about 20 us on a virtual machine, several times
// what the message itself costs. So when an answer is likely to come at once, the world asks for it
// again and again for at most SPIN_NS before it sleeps. A round trip with another process takes
// 3.5 us then instead of 38, and a third of the processor time; with another loop of this process,
// 0.8 us instead of 45. Each try looks for a wake, and asks the endpoint that was last hot, with
// its own read and no epoll; every eighth lets libuv look at everything. Before each try the core
// is given away: where both sides share one, the peer must run for the answer to come. Only the
// first try of one that has not written since is made at once: it waits for no answer, but takes
// what streams in.
//
// What it may cost. A spin follows only short waits, which a spin might have caught. One that
// caught nothing doubles the number of short waits in a row that are needed before the next one, up
// to 64; one that caught something sets it back to 1. So a process that is idle or hears something
// now and then spins once, for 50 us, after each busy time. Of steady traffic, the worst comes just
// after each spin has ended: then one wait in 65 has a spin, which is 1.5 % of a core. Traffic that
// comes faster keeps the core busy while it lasts, but yields it at each try.
//
// On a crowded machine giving the core away costs milliseconds, while one who sleeps is given it as
// soon as there is something for him. So a spin that has lost the core for long ends at once, and
// the next one comes after 16 times as many short waits.
//
// Neither wakes nor the hot endpoint may starve the others: at each 16th spin in a row that they
// win, libuv looks at everything. The endpoint cools down when its owner closes it or does not want
// to read any more.
#include <sched.h>

#include "uv/inside.h"

#define SPIN_NS      50000u  // one spin
#define SHORT_NS     100000u // a wait that a spin may have caught, with the wake's own time
#define PATIENCE_MAX 64u
#define CROWDED_NS   20000u // to be without the core: a peer that shares it answers sooner
#define CROWDED_MAX  65536u
#define WINS_MAX     16u
#define RUN_EVERY    8u

static bool spin_run(struct real_world *world)
{
    tr__uv_run(world, UV_RUN_NOWAIT);
    return world->stirred;
}

// Something has come without libuv.
static bool spin_won(struct real_world *world)
{
    if (++world->spin.wins >= WINS_MAX)
        spin_run(world);
    return true;
}

// Returns whether the core was away for so long that others must want it, too.
static bool spin_give(struct real_world *world)
{
    uint64_t before = tr__uv_now(&world->base);
    sched_yield();
    return tr__uv_now(&world->base) - before >= CROWDED_NS;
}

static bool spin_try(struct real_world *world, unsigned nth)
{
    struct real_endpoint *hot = world->spin.hot;
    if (tr__uv_woken(world))
        return spin_won(world);
    if (hot != NULL) {
        if (hot->up->readable(hot->owner))
            return spin_won(world);
        if (world->spin.hot != hot)
            return true;
    }
    return nth % RUN_EVERY == 0 && spin_run(world);
}

static void spin_lose(struct real_spin *spin, unsigned times, unsigned max)
{
    if (spin->patience < max)
        spin->patience = spin->patience * times < max ? spin->patience * times : max;
}

void tr__uv_spin_init(struct real_spin *spin)
{
    *spin = (struct real_spin){.patience = 1};
}

bool tr__uv_spin(struct real_world *world, uint64_t start, uint64_t due)
{
    struct real_spin *spin = &world->spin;
    if (spin->shorts < spin->patience)
        return false;
    uint64_t now = start;
    bool give = spin->wrote;
    spin->wrote = false;
    bool crowded = false;
    for (unsigned nth = 1; !crowded && now < due && now - start < SPIN_NS; nth++) {
        crowded = give && spin_give(world);
        give = true;
        if (!crowded && spin_try(world, nth)) {
            spin->patience = 1;
            return true;
        }
        now = tr__uv_now(&world->base);
    }
    spin->shorts = 0;
    if (crowded)
        spin_lose(spin, 16, CROWDED_MAX);
    else
        spin_lose(spin, 2, PATIENCE_MAX);
    return now >= due;
}

void tr__uv_spin_learn(struct real_world *world, uint64_t waited)
{
    bool was_short = world->stirred && waited < SHORT_NS;
    world->spin.shorts = was_short ? world->spin.shorts + 1 : 0;
}
