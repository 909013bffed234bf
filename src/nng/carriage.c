// Carriages: what libnng does for one loop, handed over to that loop.
//
// libnng's streams carry the bytes; the SP protocol on top is ours, as everywhere, for nng's own
// sockets can hang in close and lose their listener (docs/design/0001). Its threads run an
// operation's callback, which puts it on a list and rings a bell: an eventfd that the loop's world
// watches like any endpoint. So all that is told comes from inside that world's poll, and nothing
// here blocks the loop:
//
// - libnng is only asked to begin; an operation that is not wanted any more is cancelled, and ends
//   like any other. What it was for is freed when the loop has seen that end, never before;
// - what may block (a listener's and a dialler's end) is freed by a thread of its own;
// - streams and operations are freed by libnng's own reaper.
//
// The world's close waits for all of it, for CLOSE_NS at most. What libnng keeps for longer is left
// to it, with the carriage, and told of.
#include "nng/inside.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <troupe/error.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"

#define CLOSE_NS UINT64_C(3000000000)

// ---- The bell ----

// The lock is held.
static void bell_ring(tr__carriage *home)
{
    if (home->rung)
        return;
    home->rung = true;
    ssize_t n = write(home->bell, &(uint64_t){1}, sizeof(uint64_t));
    tr_assert(n > 0);
}

void tr__nng_ring(tr__carriage *home)
{
    tr__lock_take(&home->lock);
    bell_ring(home);
    tr__lock_give(&home->lock);
}

// All that has ended since; the bell is silent again.
static void bell_take(tr__carriage *home, tr__list *ret_done)
{
    uint64_t count;
    tr__list_init(ret_done);
    tr__lock_take(&home->lock);
    tr__list_splice(ret_done, &home->done);
    ssize_t n = home->rung ? read(home->bell, &count, sizeof count) : 1;
    tr_assert(n > 0);
    home->rung = false;
    tr__lock_give(&home->lock);
}

// Whatever was told is as good as bytes that were moved: who asks sleeps if there was nothing.
static bool carriage_heard(void *owner)
{
    tr__carriage *home = owner;
    tr__list done, ready;
    bell_take(home, &done);
    bool heard = !tr__list_empty(&done) || !tr__list_empty(&home->ready);
    for (tr__list *node; (node = tr__list_pop(&done)) != NULL;) {
        struct nng_op *op = tr__container(node, struct nng_op, node);
        op->busy = false;
        op->ended(op);
    }
    tr__list_init(&ready);
    tr__list_splice(&ready, &home->ready);
    while (!tr__list_empty(&ready))
        tr__nng_tell(ready.next);
    if (!tr__list_empty(&home->ready))
        tr__nng_ring(home);
    return heard;
}

// ---- Operations ----

int tr__nng_op_init(struct nng_op *op, tr__carriage *home, void (*done)(void *arg), void *arg,
                    void (*ended)(struct nng_op *op))
{
    *op = (struct nng_op){.home = home, .ended = ended};
    tr__list_init(&op->node);
    return tr__nng_error(tr__nng.aio_alloc(&op->aio, done, arg));
}

// On one of libnng's threads. A dialler of its that is freed may say once more that a dial has ended.
void tr__nng_op_done(void *arg)
{
    struct nng_op *op = arg;
    tr__carriage *home = op->home;
    tr__lock_take(&home->lock);
    if (op->begun) {
        op->begun = false;
        tr__list_append(&home->done, &op->node);
        bell_ring(home);
    }
    tr__lock_give(&home->lock);
}

void tr__nng_op_cancel(struct nng_op *op)
{
    if (op->busy)
        tr__nng.aio_abort(op->aio, NNG_ECANCELED);
}

void tr__nng_op_free(struct nng_op *op)
{
    tr_assert(!op->busy);
    if (op->aio != NULL)
        tr__nng.aio_reap(op->aio);
    op->aio = NULL;
}

// ---- What may block ----

struct disposal {
    tr__carriage *home;
    void (*dispose)(void *what);
    void *what;
};

static void *disposal_run(void *arg)
{
    struct disposal d = *(struct disposal *)arg;
    tr__free(arg);
    d.dispose(d.what);
    tr__lock_take(&d.home->lock);
    d.home->disposals--;
    bell_ring(d.home);
    tr__lock_give(&d.home->lock);
    return NULL;
}

void tr__nng_dispose(tr__carriage *home, void (*dispose)(void *what), void *what)
{
    pthread_t thread;
    struct disposal *d = tr__alloc(sizeof *d);
    if (d != NULL) {
        *d = (struct disposal){home, dispose, what};
        tr__lock_take(&home->lock);
        home->disposals++;
        tr__lock_give(&home->lock);
        if (pthread_create(&thread, NULL, disposal_run, d) == 0) {
            pthread_detach(thread);
            return;
        }
        tr__lock_take(&home->lock);
        home->disposals--;
        tr__lock_give(&home->lock);
    }
    tr__free(d);
    tr__warn("nng.leaked", "there is no thread to free something of libnng's");
}

// ---- Urls ----

#define OUR_SCHEME "nng+" NNG_THEIR_SCHEME

static bool carriage_carries(const char *url, tr__proof *ret_proof)
{
    *ret_proof = TR__PROOF_USER;
    return strncmp(url, OUR_SCHEME, strlen(OUR_SCHEME)) == 0;
}

int tr__nng_url(const char *url, const char **ret_theirs)
{
    tr__proof proof;
    if (!carriage_carries(url, &proof))
        return TR_EINVAL;
    *ret_theirs = url + strlen(OUR_SCHEME) - strlen(NNG_THEIR_SCHEME);
    return strlen(url) - strlen(OUR_SCHEME) < TR__SITE_MAX ? 0 : TR_ENAMETOOLONG;
}

// ---- Life ----

static const tr_world_ops carriage_ops = {
    .name = "nng",
    .endpoint_bind = tr__nng_bind,
    .endpoint_want = tr__nng_want,
    .endpoint_read = tr__nng_read,
    .endpoint_write = tr__nng_write,
    .endpoint_shutdown = tr__nng_shutdown,
    .endpoint_close = tr__nng_close,
    .endpoint_connected = tr__nng_connected,
    .endpoint_tune = tr__nng_tune,
    .endpoint_site = tr__nng_site,
    .endpoint_cred = tr__nng_cred,
    .listener_site = tr__nng_listener_site,
    .listener_want = tr__nng_listener_want,
    .listener_close = tr__nng_listener_close,
};

static int carriage_hang_bell(tr__carriage *home)
{
    static const tr_endpoint_up up = {.readable = carriage_heard};
    home->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (home->bell < 0)
        return -errno;
    int rc = home->world->ops->file_door(home->world, home->bell, &home->door);
    if (rc < 0) {
        close(home->bell);
        return rc;
    }
    home->world->ops->endpoint_bind(home->door, &up, home);
    home->world->ops->endpoint_want(home->door, TR__READ);
    return 0;
}

static int carriage_open(tr_world *world, tr__carriage **ret_carriage)
{
    int rc = tr__nng_load();
    if (rc < 0)
        return rc;
    tr__carriage *home = tr__zalloc(sizeof *home);
    if (home == NULL)
        return TR_ENOMEM;
    home->base.ops = &carriage_ops;
    home->world = world;
    tr__list_init(&home->done);
    tr__list_init(&home->ready);
    tr__list_init(&home->ends);
    tr__list_init(&home->listeners);
    rc = carriage_hang_bell(home);
    if (rc < 0)
        tr__free(home);
    else
        *ret_carriage = home;
    return rc;
}

static bool carriage_is_empty(tr__carriage *home)
{
    tr__lock_take(&home->lock);
    bool empty = home->disposals == 0;
    tr__lock_give(&home->lock);
    return empty && tr__list_empty(&home->ends) && tr__list_empty(&home->listeners);
}

static bool carriage_wait(tr__carriage *home, uint64_t ns)
{
    const tr_world_ops *ops = home->world->ops;
    uint64_t deadline = ops->now(home->world) + ns;
    while (!carriage_is_empty(home)) {
        struct pollfd bell = {.fd = home->bell, .events = POLLIN};
        uint64_t now = ops->now(home->world);
        if (now >= deadline)
            return false;
        poll(&bell, 1, (int)((deadline - now) / 1000000 + 1));
        carriage_heard(home);
    }
    return true;
}

static void each(tr__list *all, void (*act)(tr__list *node))
{
    for (tr__list *node = all->next, *next; node != all; node = next) {
        next = node->next;
        act(node);
    }
}

static void carriage_close(tr__carriage **carriage)
{
    tr__carriage *home = *carriage;
    *carriage = NULL;
    if (home == NULL)
        return;
    home->world->ops->endpoint_want(home->door, 0);
    home->world->ops->endpoint_bind(home->door, NULL, NULL);
    home->world->ops->endpoint_close(home->door);
    each(&home->listeners, tr__nng_listener_shut);
    each(&home->ends, tr__nng_end_close);
    bool empty = carriage_wait(home, CLOSE_NS);
    if (!empty)
        each(&home->ends, tr__nng_end_cut);
    if (!empty && !carriage_wait(home, CLOSE_NS)) {
        tr__warn("nng.leaked", "libnng does not let go of a stream or a listener");
        return; // it may still call
    }
    close(home->bell);
    tr__free(home);
}

const tr__transport tr__nng_transport = {
    .carries = carriage_carries,
    .open = carriage_open,
    .close = carriage_close,
    .connect = tr__nng_connect,
    .listen = tr__nng_listen,
};
