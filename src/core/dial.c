// Dialling: a socket's way to its endpoint.
//
//     start -> (look a name up) -> attempt -> connected: the socket has the endpoint
//                 \ failed, or silent for too long -> the next address; none: the error
//
// The stream is being constructed all the while, so what is written waits. A local socket whose
// backlog is full says so at once instead of waiting, as TCP does; so it is tried again until the
// deadline.
#include <string.h>
#include <troupe/work.h>

#include "base/memory.h"
#include "base/opts.h"
#include "core/socket.h"

#define SITES_MAX  8u
#define TIMEOUT_NS TR_S(30)
#define SILENCE_NS TR_MS(250) // as Node's
#define FULL_NS    TR_MS(2)   // until a full backlog is tried again

struct tr__dial {
    tr_actor *actor;
    tr__socket *socket;
    tr__carrier carrier;
    tr_endpoint *endpoint; // NULL: no attempt is under way
    tr__timer deadline;
    tr__timer next; // try again, or the next one
    uint64_t timeout_ns;
    tr_tuning tuning;
    tr_site sites[SITES_MAX];
    size_t at, count;
    int error; // of the last attempt
};

static tr_loop *dial_loop(const tr__dial *dial)
{
    return dial->actor->loop;
}

void tr__dial_free(tr__dial **dial)
{
    tr__dial *d = *dial;
    if (d == NULL)
        return;
    tr__timer_disarm(dial_loop(d), &d->deadline);
    tr__timer_disarm(dial_loop(d), &d->next);
    tr__cancel_leave(&d->carrier);
    tr__endpoint_drop(&d->endpoint);
    tr__free(d);
    *dial = NULL;
}

static int timer_in(tr__dial *dial, tr__timer *timer, uint64_t ns)
{
    tr_world *world = dial_loop(dial)->world;
    return tr__timer_arm(dial_loop(dial), timer, world->ops->now(world) + ns);
}

// ---- Attempts ----

static int dial_connected(tr__dial *dial)
{
    tr__socket *socket = dial->socket;
    tr_endpoint *endpoint = dial->endpoint;
    const tr_world_ops *ops = endpoint->world->ops;
    dial->endpoint = NULL;
    ops->endpoint_want(endpoint, 0);
    ops->endpoint_tune(endpoint, &dial->tuning);
    tr__socket_attach(socket, endpoint);
    tr__dial_free(&socket->dial);
    return 0;
}

static void dial_told(void *owner);

// It is under way.
static int dial_wait(tr__dial *dial)
{
    static const tr_endpoint_up up = {.writable = dial_told};
    const tr_world_ops *ops = dial->endpoint->world->ops;
    ops->endpoint_bind(dial->endpoint, &up, dial);
    ops->endpoint_want(dial->endpoint, TR__WRITE);
    int rc = dial->at + 1 < dial->count ? timer_in(dial, &dial->next, SILENCE_NS) : 0;
    return rc < 0 ? rc : TR_LATER;
}

static int dial_attempt(tr__dial *dial)
{
    tr_world *world = dial_loop(dial)->world;
    int rc = world->ops->connect(world, &dial->sites[dial->at], &dial->endpoint);
    if (rc == TR_EAGAIN)
        return (rc = timer_in(dial, &dial->next, FULL_NS)) < 0 ? rc : TR_LATER;
    if (rc == 0)
        rc = world->ops->endpoint_connected(dial->endpoint);
    if (rc == 0)
        return dial_connected(dial);
    return rc == TR_EAGAIN ? dial_wait(dial) : rc;
}

// From the address that is to be tried. returns: 0, TR_LATER or the last one's error
static int dial_go(tr__dial *dial)
{
    for (; dial->at < dial->count; dial->at++) {
        int rc = dial_attempt(dial);
        if (rc >= 0)
            return rc;
        dial->error = rc;
        tr__endpoint_drop(&dial->endpoint);
    }
    return dial->error;
}

// The attempt under way has come to nothing.
static int dial_go_on(tr__dial *dial, int error)
{
    dial->error = error;
    dial->at++;
    tr__endpoint_drop(&dial->endpoint);
    return dial_go(dial);
}

// ---- What comes of them, in a turn of its own ----

typedef struct dial_end {
    tr_stream stream;
    int status;
} dial_end;

static void dial_ended(tr_actor *self, void *arg)
{
    const dial_end *end = arg;
    tr_stream_done(self, end->stream, end->status);
}

static void dial_tell(tr__socket *socket, int rc)
{
    if (rc != TR_LATER)
        tr__socket_turn(socket->actor, dial_ended, &(dial_end){socket->stream, rc});
}

// It has been cancelled and is to hear of it: nothing else counts any more.
static bool dial_is_over(const tr__dial *dial)
{
    return tr__cancel_comes(&dial->carrier);
}

static void dial_told(void *owner)
{
    tr__dial *dial = owner;
    tr__socket *socket = dial->socket;
    if (dial_is_over(dial))
        return;
    int rc = dial->endpoint->world->ops->endpoint_connected(dial->endpoint);
    if (rc == TR_EAGAIN)
        return;
    tr__timer_disarm(dial_loop(dial), &dial->next);
    dial_tell(socket, rc == 0 ? dial_connected(dial) : dial_go_on(dial, rc));
}

static void dial_next(tr__timer *timer)
{
    tr__dial *dial = tr__container(timer, tr__dial, next);
    tr__socket *socket = dial->socket;
    bool silent = dial->endpoint != NULL;
    if (!dial_is_over(dial))
        dial_tell(socket, silent ? dial_go_on(dial, TR_ETIMEDOUT) : dial_go(dial));
}

static void dial_late(tr__timer *timer)
{
    tr__dial *dial = tr__container(timer, tr__dial, deadline);
    if (!dial_is_over(dial))
        dial_tell(dial->socket, TR_ETIMEDOUT);
}

static void dial_cancelled(tr__carrier *carrier)
{
    dial_tell(tr__container(carrier, tr__dial, carrier)->socket, TR_ECANCELED);
}

// ---- Names ----

// On its way to a thread of the pool, and back.
typedef struct lookup {
    tr_world *world;
    tr_stream stream;
    tr_site name, sites[SITES_MAX];
    int count;
} lookup;

static int lookup_run(void *data)
{
    lookup *l = data;
    l->count = l->world->ops->resolve(l->world, &l->name, l->sites, SITES_MAX);
    return l->count < 0 ? l->count : 0;
}

static void lookup_done(tr_actor *self, int status, void *data, void *arg)
{
    lookup *l = data;
    tr__socket *socket = tr_stream_state(self, l->stream, &tr__socket_ops);
    tr__dial *dial = socket == NULL ? NULL : socket->dial;
    (void)arg;
    if (dial != NULL && !dial_is_over(dial)) {
        if (status == 0) {
            memcpy(dial->sites, l->sites, sizeof dial->sites);
            dial->count = (size_t)l->count;
            status = dial_go(dial);
        }
        if (status != TR_LATER)
            tr_stream_done(self, l->stream, status);
    }
    tr__free(l);
}

static int dial_look_up(tr__dial *dial)
{
    lookup *l = tr__zalloc(sizeof *l);
    if (l == NULL)
        return TR_ENOMEM;
    l->world = dial_loop(dial)->world;
    l->stream = dial->socket->stream;
    l->name = dial->sites[0];
    int rc = tr_work(dial->actor, lookup_run, l, TR_WORK(.pool = "names", .release = tr__free),
                     lookup_done, NULL);
    if (rc < 0)
        tr__free(l);
    return rc < 0 ? rc : TR_LATER;
}

// ---- Beginning ----

int tr__dial_start(tr__socket *socket)
{
    tr__dial *dial = socket->dial;
    int rc = timer_in(dial, &dial->deadline, dial->timeout_ns);
    if (rc < 0 || dial_is_over(dial))
        return rc < 0 ? rc : TR_LATER;
    return dial->count == 0 ? dial_look_up(dial) : dial_go(dial);
}

static int dial_new(tr_actor *self, const char *address, const tr_connect_opts *opts,
                    tr__dial **ret_dial)
{
    tr__dial *dial = tr__zalloc(sizeof *dial);
    if (dial == NULL)
        return TR_ENOMEM;
    int count = tr__sites_parse(address, dial->sites);
    int rc =
        count < 0 ? count : tr__cancel_join(opts->cancel, self, &dial->carrier, dial_cancelled);
    if (rc < 0) {
        tr__free(dial);
        return rc;
    }
    dial->actor = self;
    dial->count = (size_t)count; // 0: the first one is a name
    dial->deadline.fire = dial_late;
    dial->next.fire = dial_next;
    dial->timeout_ns = opts->timeout_ms > 0 ? TR_MS(opts->timeout_ms) : TIMEOUT_NS;
    dial->tuning = (tr_tuning){!opts->delay, opts->keep_alive_s};
    *ret_dial = dial;
    return 0;
}

int tr_connect(tr_actor *self, const char *address, const tr_connect_opts *opts,
               tr_stream *ret_stream)
{
    tr_connect_opts o;
    tr__dial *dial = NULL;
    tr__socket *socket;
    if (!tr__actor_here(self) || address == NULL || ret_stream == NULL ||
        tr__opts_copy(opts, &o, sizeof o) < 0)
        return TR_EINVAL;
    int rc = dial_new(self, address, &o, &dial);
    if (rc == 0)
        rc = tr__socket_new(self, &tr__socket_ops, o.stream, o.half_open, &socket);
    if (rc < 0) {
        tr__dial_free(&dial);
        return rc;
    }
    dial->socket = socket;
    socket->dial = dial;
    *ret_stream = socket->stream;
    return 0;
}
