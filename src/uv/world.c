// The real world: clock, random bytes, waiting and waking, on one libuv loop.
//
// The core says what is due and libuv only waits for it: with one timer for the next due time, one
// async handle for wake, and a poll handle for each descriptor (source.c). Invariants:
// - upcalls come only from inside poll, but closed, which comes from the world's close as well;
//   closed never comes in the poll in which an endpoint was closed: endpoint.c collects the closed
//   ones and the next poll tells them first;
// - poll returns for a reason: due has come, or something has `stirred` the world, or a source has
//   rested;
// - wake sets `woken` and poll takes it, both by an exchange, so whoever finds it true has handed
//   over what it wrote before;
// - wake sends only to a world that is `asleep`. Each side sets its own flag before it looks at the
//   other's, in one order for all (seq_cst), so one of them sees the other. A send may arrive when
//   its wake has been taken already: then it means nothing.
//
// libuv's timers count whole milliseconds of a clock that is cut off, so one that was rounded up
// may still fire up to a millisecond early, even before uv_run waits, and then uv_run would wait
// for ever. So the timer repeats each millisecond and sleep goes on until due: at most 1 ms late.
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

#define NS_PER_MS 1000000u
#define GLANCE_NS 5000u

uint64_t tr__uv_now(tr_world *world)
{
    (void)world;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t world_idle(tr_world *world)
{
    return uv_metrics_idle_time(&real_world_of(world)->loop);
}

static void world_random(tr_world *world, void *bytes, size_t size)
{
    (void)world;
    for (size_t done = 0; done < size;) {
        ssize_t n = getrandom((char *)bytes + done, size - done, 0);
        tr_assert(n > 0 || errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
}

// Any thread.
static void world_wake(tr_world *base)
{
    struct real_world *world = real_world_of(base);
    if (!atomic_exchange(&world->woken, true) && atomic_load(&world->asleep))
        uv_async_send(&world->async);
}

bool tr__uv_woken(struct real_world *world)
{
    if (!atomic_load(&world->woken))
        return false;
    atomic_exchange(&world->woken, false);
    real_world_stir(world);
    return true;
}

static void world_sent(uv_async_t *async)
{
    tr__uv_woken(async->data);
}

void tr__uv_run(struct real_world *world, uv_run_mode mode)
{
    world->spin.wins = 0;
    uv_run(&world->loop, mode);
}

static void world_timer_fired(uv_timer_t *timer)
{
    (void)timer; // sleep looks at the clock
}

static void world_timer_set(struct real_world *world, uint64_t due)
{
    if (due == world->timer_due)
        return;
    world->timer_due = due;
    uint64_t now = tr__uv_now(&world->base);
    uint64_t wait_ms = due > now ? (due - now - 1) / NS_PER_MS + 1 : 0;
    uv_update_time(&world->loop);
    if (due == TR__NEVER)
        uv_timer_stop(&world->timer);
    else
        uv_timer_start(&world->timer, world_timer_fired, wait_ms, 1);
}

static void world_sleep(struct real_world *world, uint64_t start, uint64_t due)
{
    uint64_t now;
    world_timer_set(world, due);
    atomic_store(&world->asleep, true);
    do {
        tr__uv_run(world, tr__uv_woken(world) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
        now = tr__uv_now(&world->base);
    } while (!world->stirred && now < due);
    atomic_store_explicit(&world->asleep, false, memory_order_relaxed);
    tr__uv_spin_learn(world, now - start);
}

// libuv asks the system, which takes longer than all else in a short iteration: one that follows at
// once can do without, if there was nothing and nothing else is wanted since.
static void world_glance(struct real_world *world, uint64_t now)
{
    if (now - world->glanced < GLANCE_NS)
        return;
    tr__uv_run(world, UV_RUN_NOWAIT);
    world->glanced = world->stirred ? 0 : now;
}

static void world_poll(tr_world *base, uint64_t due)
{
    struct real_world *world = real_world_of(base);
    tr_assert(!world->polling);
    world->polling = true;
    world->stirred = false;
    tr__uv_woken(world);
    tr__uv_endpoints_end(world);
    uint64_t start = tr__uv_now(base), rested = tr__uv_rests_end(world, start);
    due = rested < due ? rested : due;
    world->due = due;
    if (world->stirred || due <= start || world->host != NULL)
        world_glance(world, start);
    else if (!tr__uv_spin(world, start, due))
        world_sleep(world, start, due);
    tr__uv_ears_tell(world);
    world->polling = false;
}

static void world_close(tr_world **base)
{
    struct real_world *world = real_world_of(*base);
    tr_assert(!world->polling && world->thread_up == NULL);
    tr__uv_host_close(world);
    while (!tr__list_empty(&world->sources)) {
        struct real_source *source = tr__container(world->sources.next, struct real_source, node);
        source->close(source);
    }
    tr__uv_lookouts_close(world);
    tr__uv_ears_close(world);
    tr__uv_guard_leave(world);
    uv_close((uv_handle_t *)&world->async, NULL);
    uv_close((uv_handle_t *)&world->timer, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    tr__uv_endpoints_end(world);
    int rc = uv_loop_close(&world->loop);
    tr_assert(rc == 0);
    tr__free(world);
    *base = NULL;
}

static int world_another(tr_world *base, tr_world **ret_world)
{
    (void)base;
    return tr__uv_open(ret_world);
}

const tr_world_ops tr__uv_world_ops = {
    .name = "uv",
    .now = tr__uv_now,
    .idle = world_idle,
    .random = world_random,
    .poll = world_poll,
    .wake = world_wake,
    .another = world_another,
    .thread_start = tr__uv_thread_start,
    .thread_join = tr__uv_thread_join,
    .endpoint_bind = tr__uv_endpoint_bind,
    .endpoint_want = tr__uv_endpoint_want,
    .endpoint_read = tr__uv_endpoint_read,
    .endpoint_write = tr__uv_endpoint_write,
    .endpoint_shutdown = tr__uv_endpoint_shutdown,
    .endpoint_close = tr__uv_endpoint_close,
    .connect = tr__uv_connect,
    .endpoint_connected = tr__uv_endpoint_connected,
    .endpoint_tune = tr__uv_endpoint_tune,
    .endpoint_site = tr__uv_endpoint_site,
    .endpoint_cred = tr__uv_endpoint_cred,
    .spawn = tr__uv_spawn,
    .process_signal = tr__uv_process_signal,
    .process_signal_group = tr__uv_process_signal_group,
    .process_pid = tr__uv_process_pid,
    .process_close = tr__uv_process_close,
    .resolve = tr__uv_resolve,
    .borrow = tr__uv_borrow,
    .terminal_size = tr__uv_terminal_size,
    .terminal_raw = tr__uv_terminal_raw,
    .listen = tr__uv_listen,
    .listener_site = tr__uv_listener_site,
    .listener_want = tr__uv_listener_want,
    .listener_close = tr__uv_listener_close,
    .listener_open = tr__uv_listener_open,
    .listener_share = tr__uv_listener_share,
    .listener_enter = tr__uv_listener_enter,
    .endpoint_leave = tr__uv_endpoint_leave,
    .endpoint_enter = tr__uv_endpoint_enter,
    .endpoint_send = tr__uv_endpoint_send,
    .endpoint_receive = tr__uv_endpoint_receive,
    .parcel_pair = tr__uv_parcel_pair,
    .parcel_of = tr__uv_parcel_of,
    .parcel_copy = tr__uv_parcel_copy,
    .parcel_site = tr__uv_parcel_site,
    .parcel_free = tr__uv_parcel_free,
    .endpoint_twin = tr__uv_endpoint_twin,
    .file = tr__uv_file,
    .file_door = tr__uv_file_door,
    .watch = tr__uv_watch,
    .lookout_close = tr__uv_lookout_close,
    .hear = tr__uv_hear,
    .ear_close = tr__uv_ear_close,
    .own = tr__uv_own,
    .notify = tr__uv_notify,
    .close = world_close,
};

// libuv aborts when it closes a descriptor that stands for a standard one, as it gets where a
// program was started without those.
static int standard_fill(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return -errno;
    return 0;
}

static int world_init(struct real_world *world)
{
    int rc = standard_fill();
    if (rc == 0)
        rc = uv_loop_init(&world->loop);
    if (rc < 0)
        return rc;
    rc = uv_async_init(&world->loop, &world->async, world_sent);
    if (rc < 0) {
        uv_loop_close(&world->loop);
        return rc;
    }
    uv_timer_init(&world->loop, &world->timer);
    rc = uv_loop_configure(&world->loop, UV_METRICS_IDLE_TIME);
    tr_assert(rc == 0);
    world->base.ops = &tr__uv_world_ops;
    world->async.data = world;
    world->timer_due = TR__NEVER;
    tr__uv_spin_init(&world->spin);
    tr__list_init(&world->sources);
    tr__list_init(&world->resting);
    tr__list_init(&world->lookouts);
    tr__list_init(&world->ears);
    tr__list_init(&world->ended);
    return 0;
}

int tr__uv_open(tr_world **ret_world)
{
    struct real_world *world = tr__zalloc(sizeof *world);
    if (world == NULL)
        return TR_ENOMEM;
    int rc = world_init(world);
    if (rc < 0) {
        tr__free(world);
        return rc;
    }
    *ret_world = &world->base;
    return 0;
}
