// Hosting: a node whose iterations are made from within somebody else's uv_run.
//
// The node keeps a libuv loop of its own, whose descriptor the host's loop watches: that is ready
// when anything in it is, a wake included. So nothing of ours depends on what else the host does,
// and its loop has three handles of ours: that poll, a timer for what is due, and an idle handle
// for when there is something to do at once. (A timer of 0 that starts itself again never leaves
// libuv 1.44's timers.)
//
// libuv tells the system what it is to watch for when it polls the next time. So an iteration that
// has changed anything behind its poll is followed by another one (world->glanced is 0).
//
// The handles outlive the node until the host's loop has closed them.
#include <troupe/uv.h>

#include "base/memory.h"
#include "core/node.h"
#include "uv/inside.h"

#define NS_PER_MS 1000000u

struct real_host {
    tr_node *node;
    struct real_world *world;
    tr_node_ended ended;
    void *arg;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_idle_t idle;
    unsigned open; // handles
};

static void host_closed(uv_handle_t *handle)
{
    struct real_host *host = handle->data;
    if (--host->open == 0)
        tr__free(host);
}

void tr__uv_host_close(struct real_world *world)
{
    struct real_host *host = world->host;
    if (host == NULL)
        return;
    world->host = NULL;
    uv_close((uv_handle_t *)&host->poll, host_closed);
    uv_close((uv_handle_t *)&host->timer, host_closed);
    uv_close((uv_handle_t *)&host->idle, host_closed);
}

static void host_rest(struct real_host *host)
{
    uv_poll_stop(&host->poll);
    uv_timer_stop(&host->timer);
    uv_idle_stop(&host->idle);
}

static void host_timer_fired(uv_timer_t *timer);
static void host_idle_runs(uv_idle_t *idle);

static void host_wait(struct real_host *host, uint64_t due)
{
    uint64_t now = tr__uv_now(&host->world->base);
    uv_idle_stop(&host->idle);
    uv_timer_stop(&host->timer);
    if (due <= now) {
        uv_idle_start(&host->idle, host_idle_runs);
    } else if (due != TR__NEVER) {
        uv_update_time(host->timer.loop);
        uv_timer_start(&host->timer, host_timer_fired, (due - now - 1) / NS_PER_MS + 1, 0);
    }
}

// When the next iteration is to be: when the last one would have come back from its poll.
static uint64_t host_due(struct real_world *world)
{
    atomic_store(&world->asleep, true);
    bool at_once = world->stirred || world->glanced == 0 || atomic_load(&world->woken) ||
                   !tr__list_empty(&world->ended) || uv_backend_timeout(&world->loop) == 0;
    return at_once ? 0 : world->due;
}

static void host_step(struct real_host *host)
{
    tr_node *node = host->node;
    atomic_store_explicit(&host->world->asleep, false, memory_order_relaxed);
    if (tr__node_step(node)) {
        host_wait(host, host_due(host->world));
        return;
    }
    host_rest(host);
    if (host->ended != NULL)
        host->ended(node, node->error, host->arg);
}

static void host_ready(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    host_step(poll->data);
}

static void host_timer_fired(uv_timer_t *timer)
{
    host_step(timer->data);
}

static void host_idle_runs(uv_idle_t *idle)
{
    host_step(idle->data);
}

static void host_begin(struct real_host *host, uv_loop_t *loop)
{
    uv_timer_init(loop, &host->timer);
    uv_idle_init(loop, &host->idle);
    host->open = 3;
    host->poll.data = host->timer.data = host->idle.data = host;
    host->world->host = host;
    uv_poll_start(&host->poll, UV_READABLE, host_ready);
    uv_idle_start(&host->idle, host_idle_runs);
}

int tr_node_attach(tr_node *node, uv_loop_t *loop, tr_node_ended ended, void *arg)
{
    if (node == NULL || loop == NULL)
        return TR_EINVAL;
    struct real_world *world = real_world_of(tr__node_loop(node, 0)->world);
    if (world->host != NULL)
        return TR_EINVAL;
    struct real_host *host = tr__alloc(sizeof *host);
    if (host == NULL)
        return TR_ENOMEM;
    *host = (struct real_host){.node = node, .world = world, .ended = ended, .arg = arg};
    int rc = uv_poll_init(loop, &host->poll, uv_backend_fd(&world->loop));
    if (rc < 0)
        tr__free(host);
    else
        host_begin(host, loop);
    return rc;
}
