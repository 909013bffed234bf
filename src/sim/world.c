// The simulated world: its table, and what one poll tells.
//
// A poll never waits where a driver steps the processes: it tells what can be told now, each event
// of each source once, in an order that the seed decides, and returns. Upcalls may close any source
// and make new ones, so after each the next is chosen from what is there then.
//
// In a real world a poll that has nothing to tell does not come back before it is due. Here it
// does, and the loop is `asleep`: it runs on only when something has happened.
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

void tr__sim_source_init(struct sim_source *source, tr_world *world,
                         const struct sim_source_ops *ops)
{
    source->id = ++sim_process_of(world)->sim->last_source;
    source->told = 0;
    source->ops = ops;
    tr__list_append(&sim_world_of(world)->sources, &source->node);
}

static struct sim_source *source_at(tr__list *node)
{
    return tr__container(node, struct sim_source, node);
}

uint64_t tr__sim_sources_due(const struct sim_world *world)
{
    uint64_t first = TR__NEVER;
    for (tr__list *n = world->sources.next; n != &world->sources; n = n->next) {
        for (unsigned event = 1; event <= SIM_LAST; event <<= 1) {
            uint64_t due = source_at(n)->ops->due(source_at(n), event);
            first = due < first ? due : first;
        }
    }
    return first;
}

void tr__sim_sources_sever(struct sim_world *world)
{
    for (tr__list *n = world->sources.next; n != &world->sources; n = n->next)
        source_at(n)->ops->sever(source_at(n));
}

void tr__sim_sources_free(struct sim_world *world, bool tell)
{
    while (!tr__list_empty(&world->sources)) {
        struct sim_source *source = source_at(world->sources.next);
        source->ops->free(source, tell);
    }
}

static uint64_t world_now(tr_world *world)
{
    return sim_process_of(world)->sim->now;
}

static uint64_t world_idle(tr_world *world)
{
    return sim_world_of(world)->idle;
}

static void world_random(tr_world *world, void *bytes, size_t size)
{
    unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        at[i] = (unsigned char)tr__sim_below(sim_process_of(world)->sim, 256);
}

// One of the events that can be told now and have not been in this poll.
static bool world_pick(struct sim_world *world, struct sim_source **ret_source, unsigned *ret_event)
{
    tr_sim *sim = world->process->sim;
    uint64_t count = 0;
    for (tr__list *n = world->sources.next; n != &world->sources; n = n->next) {
        struct sim_source *source = source_at(n);
        for (unsigned event = 1; event <= SIM_LAST; event <<= 1) {
            if ((source->told & event) || source->ops->due(source, event) > sim->now)
                continue;
            if (tr__sim_below(sim, ++count) > 0)
                continue;
            *ret_source = source;
            *ret_event = event;
        }
    }
    return count > 0;
}

static void world_poll(tr_world *base, uint64_t due)
{
    struct sim_world *world = sim_world_of(base);
    struct sim_process *process = world->process;
    struct sim_source *source = NULL;
    unsigned event = 0;
    uint64_t start = process->sim->now;
    tr_assert(!world->polling);
    if (process->program == NULL && !process->sim->stepping)
        tr__sim_wait(world, due);
    world->idle += process->sim->now - start;
    world->polling = true;
    world->asleep = !world->woken && due > process->sim->now;
    world->woken = false;
    for (tr__list *n = world->sources.next; n != &world->sources; n = n->next)
        source_at(n)->told = 0;
    while (!process->dead && world_pick(world, &source, &event)) {
        world->asleep = false;
        source->told |= event;
        tr__sim_note(process->sim, source->id * (SIM_LAST + 1) + event);
        source->ops->tell(source, event);
    }
    world->polling = false;
    world->slept_at = process->sim->now;
}

static void world_wake(tr_world *world)
{
    sim_world_of(world)->woken = true;
}

// A simulated process is given no descriptors but its standard ones.
static int world_parcel_of(tr_world *world, int fd, tr_parcel **ret_parcel)
{
    (void)world, (void)fd, (void)ret_parcel;
    return TR_ENOSYS;
}

const tr_world_ops tr__sim_world_ops = {
    .name = "sim",
    .now = world_now,
    .idle = world_idle,
    .random = world_random,
    .poll = world_poll,
    .wake = world_wake,
    .another = tr__sim_another,
    .thread_start = tr__sim_thread_start,
    .thread_join = tr__sim_thread_join,
    .endpoint_bind = tr__sim_endpoint_bind,
    .endpoint_want = tr__sim_endpoint_want,
    .endpoint_read = tr__sim_endpoint_read,
    .endpoint_write = tr__sim_endpoint_write,
    .endpoint_shutdown = tr__sim_endpoint_shutdown,
    .endpoint_close = tr__sim_endpoint_close,
    .connect = tr__sim_connect,
    .endpoint_connected = tr__sim_endpoint_connected,
    .endpoint_tune = tr__sim_endpoint_tune,
    .endpoint_site = tr__sim_endpoint_site,
    .endpoint_cred = tr__sim_endpoint_cred,
    .spawn = tr__sim_spawn,
    .process_signal = tr__sim_process_signal,
    .process_signal_group = tr__sim_process_signal,
    .process_pid = tr__sim_process_pid,
    .process_close = tr__sim_process_close,
    .resolve = tr__sim_resolve,
    .borrow = tr__sim_borrow,
    .terminal_size = tr__sim_terminal_size,
    .terminal_raw = tr__sim_terminal_raw,
    .listen = tr__sim_listen,
    .listener_site = tr__sim_listener_site,
    .listener_want = tr__sim_listener_want,
    .listener_close = tr__sim_listener_close,
    .listener_open = tr__sim_listener_open,
    .listener_share = tr__sim_listener_share,
    .listener_enter = tr__sim_listener_enter,
    .endpoint_leave = tr__sim_endpoint_leave,
    .endpoint_enter = tr__sim_endpoint_enter,
    .endpoint_send = tr__sim_endpoint_send,
    .endpoint_receive = tr__sim_endpoint_receive,
    .parcel_pair = tr__sim_parcel_pair,
    .parcel_of = world_parcel_of,
    .parcel_copy = tr__sim_parcel_copy,
    .parcel_site = tr__sim_parcel_site,
    .parcel_free = tr__sim_parcel_free,
    .endpoint_twin = tr__sim_endpoint_twin,
    .file = tr__sim_file,
    .file_door = tr__sim_file_door,
    .watch = tr__sim_watch,
    .lookout_close = tr__sim_lookout_close,
    .hear = tr__sim_hear,
    .ear_close = tr__sim_ear_close,
    .own = tr__sim_own,
    .notify = tr__sim_notify,
    .close = tr__sim_world_close,
};
