// What a node of the kit sees of the outside: a world in which nothing happens and the clock stands
// still, and a route on which all is written down.
//
// All addresses but those of actors under test are probes on another node. So what is sent there,
// asked, monitored or stopped passes the route, and so does every spawn (spawns_all): the core
// cannot tell this node from another. Nothing here runs a handler.
#include "kit/kit.h"

// ---- The world ----

static uint64_t world_now(tr_world *world)
{
    (void)world;
    return tr__kit.now;
}

// Knuth's generator for 64 bits: the same in every run.
static uint64_t world_idle(tr_world *world)
{
    (void)world;
    return tr__kit.now;
}

static void world_random(tr_world *world, void *bytes, size_t size)
{
    (void)world;
    for (size_t i = 0; i < size; i++) {
        tr__kit.random = tr__kit.random * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(tr__kit.random >> 56);
    }
}

static void world_poll(tr_world *world, uint64_t due)
{
    (void)world, (void)due;
}

static void world_wake(tr_world *world)
{
    (void)world;
    tr__kit.woken = true;
}

static void world_close(tr_world **world)
{
    if (*world != tr__kit.loop->world)
        tr__kit_thread_free(*world);
    *world = NULL;
}

const tr_world_ops tr__kit_world = {
    .name = "kit",
    .now = world_now,
    .idle = world_idle,
    .random = world_random,
    .poll = world_poll,
    .wake = world_wake,
    .another = tr__kit_another,
    .thread_start = tr__kit_thread_start,
    .thread_join = tr__kit_thread_join,
    .close = world_close,
};

// ---- The route ----

// What a caller is told of a probe that has ended, or of an address that is nobody's.
static int probe_gone(const tr__probe *probe)
{
    bool local =
        probe != NULL && probe->spawn.path == NULL && probe->spawn.opts.isolation != TR_PROCESS;
    return local ? TR_ENOACTOR : TR_EDOWN;
}

static tr__probe *probe_alive(tr_addr addr, int *ret_error)
{
    tr__probe *probe = tr__probe_find(addr);
    if (probe != NULL && !probe->ended)
        return probe;
    *ret_error = probe_gone(probe);
    return NULL;
}

static int route_send(tr_loop *loop, const tr__letter *letter)
{
    (void)loop;
    int rc = 0;
    tr__probe *probe = probe_alive(letter->to, &rc);
    if (probe == NULL)
        return rc;
    if (probe->room == 0)
        return TR_EFULL;
    tr_msg *msg;
    rc = tr__letter_open(letter, &msg);
    if (rc < 0)
        return rc;
    tr__queue_push(&probe->mail, msg);
    if (probe->room != UINT32_MAX)
        probe->room--;
    return 0;
}

// To a probe that has asked.
static void route_answer(tr_loop *loop, tr_msg **answer)
{
    (void)loop;
    const tr__answer_head *head = tr__msg_extra(*answer);
    tr__probe *probe = tr__probe_find(head->to);
    tr_msg *msg = NULL;
    int rc = head->status == 0 ? tr_msg_copy(*answer, &msg)
                               : tr_msg_new("error", TR_V(head->status), &msg);
    if (probe != NULL && rc == 0) {
        msg->from = (*answer)->from;
        tr__queue_push(&probe->mail, msg);
    }
    tr_msg_free(answer);
}

static int route_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                       const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr__probe *probe;
    if (tr__kit.spawn_fails_in > 0 && --tr__kit.spawn_fails_in == 0)
        return tr__kit.spawn_error;
    int rc = tr__probe_new(behavior != NULL ? behavior->name : path, &probe);
    if (rc == 0)
        rc = tr__probe_spawned(probe, tr_self(self), behavior, path, opts);
    if (rc == 0 && ret_addr != NULL)
        *ret_addr = probe->addr;
    return rc;
}

static int route_watch(tr_loop *loop, tr_addr addr, tr__watcher *watcher)
{
    (void)loop;
    int rc = 0;
    if (addr.node == TR__KIT_OUTSIDE && addr.actor == 0) {
        tr__list_append(&tr__kit.links, &watcher->link);
        return 0;
    }
    tr__probe *probe = probe_alive(addr, &rc);
    if (probe != NULL)
        tr__list_append(&probe->watchers, &watcher->link);
    return rc;
}

static int route_stop(tr_loop *loop, tr_addr addr)
{
    (void)loop;
    int rc = 0;
    tr__probe *probe = probe_alive(addr, &rc);
    if (probe != NULL)
        probe->stop_asked = true;
    return rc;
}

// A probe can be killed, and be linked to by nobody.
static int route_signal(tr_loop *loop, tr__signal **signal)
{
    int rc = 0;
    tr__probe *probe = probe_alive((*signal)->to, &rc);
    (void)loop;
    if (probe == NULL || (*signal)->kind != TR__SIGNAL_KILL)
        return rc < 0 ? rc : TR_EDOWN;
    tr__probe_end(probe, (tr_reason){.kind = TR_REASON_KILLED, .code = 9});
    return 0;
}

static tr__list *route_waiters(tr_loop *loop, tr_addr to)
{
    (void)loop;
    tr__probe *probe = tr__probe_find(to);
    return probe != NULL && !probe->ended && probe->room == 0 ? &probe->waiters : NULL;
}

static void route_flush(tr_loop *loop)
{
    (void)loop;
}

static bool route_end(tr_loop *loop)
{
    (void)loop;
    return true;
}

static void route_close(tr_loop *loop)
{
    loop->remote = NULL;
    tr__probes_clear();
}

const tr__route tr__kit_route = {
    .spawns_all = true,
    .send = route_send,
    .answer = route_answer,
    .spawn = route_spawn,
    .watch = route_watch,
    .stop = route_stop,
    .signal = route_signal,
    .waiters = route_waiters,
    .flush = route_flush,
    .end = route_end,
    .close = route_close,
};
