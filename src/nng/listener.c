// Listeners over libnng's. One operation waits for the next connection; after an error it rests for
// a while, for what has no descriptors left has none at once again.
#include <string.h>
#include <sys/stat.h>
#include <troupe/error.h>

#include "base/memory.h"
#include "nng/inside.h"

#define REST_MS 100

struct door {
    tr_listener base;
    tr__list node; // in home->listeners
    nng_stream_listener *listener;
    struct nng_op op; // accepting, or resting
    bool rests, wants, closed;
    nng_stream *held; // accepted when nothing was wanted any more; NULL: none
    tr_site site;
    const tr_listener_up *up;
    void *owner;
};

static struct door *door_of(const tr_listener *base)
{
    return (struct door *)(uintptr_t)base;
}

static tr__carriage *door_home(const struct door *d)
{
    return (tr__carriage *)d->base.world;
}

static void listener_dispose(void *listener)
{
    tr__nng.stream_listener_free(listener);
}

static void door_free(struct door *d)
{
    tr__list_remove(&d->node);
    if (d->listener != NULL)
        tr__nng_dispose(door_home(d), listener_dispose, d->listener);
    if (d->held != NULL) {
        tr__nng.stream_close(d->held);
        tr__nng.stream_free(d->held);
    }
    tr__nng_op_free(&d->op);
    tr__free(d);
}

static void door_rest(struct door *d, nng_duration ms)
{
    d->rests = true;
    tr__nng.sleep_aio(ms, tr__nng_op_begin(&d->op));
}

// What has been held is handed over in a later poll.
static void door_accept(struct door *d)
{
    if (!d->wants || d->closed || d->op.busy)
        return;
    if (d->held != NULL)
        door_rest(d, 0);
    else
        tr__nng.stream_listener_accept(d->listener, tr__nng_op_begin(&d->op));
}

// The next operation has begun: the owner may close the listener in the upcall.
static void door_hand_over(struct door *d)
{
    tr_endpoint *endpoint;
    nng_stream *stream = d->held;
    d->held = NULL;
    door_accept(d);
    int rc = tr__nng_end_new(door_home(d), stream, &endpoint);
    if (rc == 0)
        d->up->accepted(d->owner, endpoint);
    else
        d->up->dropped(d->owner, rc);
}

static void door_failed(struct door *d, int rv)
{
    door_rest(d, REST_MS);
    d->up->dropped(d->owner, tr__nng_error(rv));
}

static void door_told(struct nng_op *op)
{
    struct door *d = tr__container(op, struct door, op);
    int rv = tr__nng.aio_result(op->aio);
    bool accepted = !d->rests && rv == 0, failed = !d->rests && rv != 0;
    d->rests = false;
    if (accepted)
        d->held = tr__nng.aio_get_output(op->aio, 0);
    if (d->closed)
        door_free(d);
    else if (failed)
        door_failed(d, rv);
    else if (d->held != NULL && d->wants)
        door_hand_over(d);
    else
        door_accept(d);
}

void tr__nng_listener_want(tr_listener *base, bool accept)
{
    struct door *d = door_of(base);
    d->wants = accept;
    door_accept(d);
}

void tr__nng_listener_site(const tr_listener *base, tr_site *ret_site)
{
    *ret_site = door_of(base)->site;
}

static void door_close(struct door *d)
{
    if (d->closed)
        return;
    d->closed = true;
    if (d->op.busy)
        tr__nng_op_cancel(&d->op); // the rest when that has ended
    else
        door_free(d);
}

void tr__nng_listener_close(tr_listener **base)
{
    if (*base != NULL)
        door_close(door_of(*base));
    *base = NULL;
}

void tr__nng_listener_shut(tr__list *node)
{
    door_close(tr__container(node, struct door, node));
}

// libnng takes a path away that nobody listens at any more; the world's listeners do not.
static int path_is_free(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0 ? TR_EADDRINUSE : 0;
}

static int door_set_up(struct door *d, const char *theirs)
{
    int rv = tr__nng.stream_listener_alloc(&d->listener, theirs);
    if (rv == 0)
        rv = tr__nng.stream_listener_set_int(d->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0)
        rv = tr__nng.stream_listener_listen(d->listener);
    return tr__nng_error(rv);
}

int tr__nng_listen(tr__carriage *home, const char *url, const tr__papers *papers,
                   const tr_listener_up *up, void *owner, tr_listener **ret_listener)
{
    const char *theirs;
    (void)papers;
    int rc = tr__nng_url(url, &theirs);
    if (rc < 0)
        return rc;
    struct door *d = tr__zalloc(sizeof *d);
    if (d == NULL)
        return TR_ENOMEM;
    const char *path = theirs + strlen(NNG_THEIR_SCHEME);
    d->base.world = &home->base;
    memcpy(d->site.name, path, strlen(path));
    d->up = up;
    d->owner = owner;
    d->wants = true;
    tr__list_append(&home->listeners, &d->node);
    rc = path_is_free(path);
    if (rc == 0)
        rc = tr__nng_op_init(&d->op, home, tr__nng_op_done, &d->op, door_told);
    if (rc == 0)
        rc = door_set_up(d, theirs);
    if (rc < 0) {
        door_free(d);
        return rc;
    }
    door_accept(d);
    *ret_listener = &d->base;
    return 0;
}
