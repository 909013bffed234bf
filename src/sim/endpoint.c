// Endpoints: what a world's owner has of a pipe's half, and is told of it.
#include "base/memory.h"
#include "sim/inside.h"
#include <string.h>
#include <troupe/error.h>

static struct sim_endpoint *endpoint_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_endpoint, source);
}

static struct sim_endpoint *endpoint_live(tr_endpoint *endpoint)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    tr_assert(!e->closing);
    return e;
}

static struct sim_process *endpoint_process(const struct sim_endpoint *e)
{
    return sim_process_of(e->base.world);
}

// ---- As a source of upcalls ----

static uint64_t endpoint_due(const struct sim_source *source, unsigned event)
{
    const struct sim_endpoint *e = endpoint_of(source);
    if (e->closing)
        return event == SIM_CLOSED ? 0 : TR__NEVER;
    if (!(e->want & event))
        return TR__NEVER;
    if (e->half == NULL)
        return event == SIM_WRITE ? e->connected : TR__NEVER;
    uint64_t due = tr__sim_half_due(e->half, event);
    return due > e->connected ? due : e->connected;
}

static void endpoint_sever(struct sim_source *source)
{
    struct sim_endpoint *e = endpoint_of(source);
    if (e->raw)
        e->half->raw = e->raw = false;
    tr__sim_half_unref(&e->half, endpoint_process(e));
}

static void endpoint_free(struct sim_source *source, bool tell)
{
    struct sim_endpoint *e = endpoint_of(source);
    const tr_endpoint_up *up = e->up;
    void *owner = e->owner;
    endpoint_sever(source);
    tr__list_remove(&source->node);
    tr__free(e);
    if (tell && up != NULL)
        up->closed(owner);
}

static void endpoint_tell(struct sim_source *source, unsigned event)
{
    struct sim_endpoint *e = endpoint_of(source);
    if (event == SIM_READ)
        e->up->readable(e->owner);
    else if (event == SIM_WRITE)
        e->up->writable(e->owner);
    else
        endpoint_free(source, true);
}

static const struct sim_source_ops endpoint_source_ops = {
    .due = endpoint_due,
    .tell = endpoint_tell,
    .sever = endpoint_sever,
    .free = endpoint_free,
};

int tr__sim_endpoint_new(tr_world *world, struct sim_half **half, tr_endpoint **ret_endpoint)
{
    struct sim_endpoint *e = tr__zalloc(sizeof *e);
    if (e == NULL)
        return TR_ENOMEM;
    e->base.world = world;
    e->half = *half;
    *half = NULL;
    tr__sim_source_init(&e->source, world, &endpoint_source_ops);
    *ret_endpoint = &e->base;
    return 0;
}

int tr__sim_endpoint_lone(tr_world *world, tr_endpoint **ret_endpoint)
{
    struct sim_half *none = NULL;
    return tr__sim_endpoint_new(world, &none, ret_endpoint);
}

void tr__sim_endpoint_place(tr_endpoint *endpoint, const tr_site *site, const tr_site *peer,
                            uint64_t connected)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    e->site = *site;
    e->peer_site = *peer;
    e->connected = connected;
}

static void endpoint_meet(tr_endpoint *endpoint, const tr_world *peer)
{
    ((struct sim_endpoint *)endpoint)->peer_pid = tr__sim_pid(peer);
}

int tr__sim_pipe(tr_world *a, tr_world *b, tr_endpoint **ret_a, tr_endpoint **ret_b)
{
    struct sim_half *halves[2];
    tr_endpoint *one = NULL;
    int rc = tr__sim_halves_new(sim_process_of(a)->sim, halves);
    if (rc < 0)
        return rc;
    rc = tr__sim_endpoint_new(a, &halves[0], &one);
    if (rc == 0)
        rc = tr__sim_endpoint_new(b, &halves[1], ret_b);
    if (rc == 0) {
        endpoint_meet(one, b);
        endpoint_meet(*ret_b, a);
        *ret_a = one;
    } else if (one != NULL) {
        endpoint_free(&((struct sim_endpoint *)one)->source, false);
    }
    tr__sim_half_unref(&halves[0], sim_process_of(a));
    tr__sim_half_unref(&halves[1], sim_process_of(b));
    return rc;
}

// ---- As the world's owner sees it ----

void tr__sim_endpoint_bind(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner)
{
    struct sim_endpoint *e = endpoint_live(endpoint);
    tr_assert(e->want == 0);
    e->up = up;
    e->owner = owner;
}

void tr__sim_endpoint_want(tr_endpoint *endpoint, unsigned events)
{
    struct sim_endpoint *e = endpoint_live(endpoint);
    tr_assert(events == 0 || e->up != NULL);
    e->want = events;
}

int tr__sim_endpoint_connected(tr_endpoint *endpoint)
{
    const struct sim_endpoint *e = endpoint_live(endpoint);
    if (e->connected > endpoint_process(e)->sim->now)
        return TR_EAGAIN;
    return e->peer_pid != 0 ? 0 : -ECONNREFUSED;
}

void tr__sim_endpoint_tune(tr_endpoint *endpoint, const tr_tuning *tuning)
{
    (void)endpoint, (void)tuning; // every write leaves at once, and no peer is silent for ever
}

int tr__sim_endpoint_site(tr_endpoint *endpoint, bool peer, tr_site *ret_site)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    *ret_site = peer ? e->peer_site : e->site;
    return 0;
}

int tr__sim_endpoint_cred(tr_endpoint *endpoint, tr_peer_cred *ret_cred)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->site.tcp)
        return TR_ENOSYS;
    *ret_cred = (tr_peer_cred){.pid = e->peer_pid, .same_user = true};
    return 0;
}

ssize_t tr__sim_endpoint_read(tr_endpoint *endpoint, const tr_iov *iov, int count)
{
    const struct sim_endpoint *e = endpoint_live(endpoint);
    return e->half == NULL ? TR_EAGAIN : tr__sim_half_read(e->half, iov, count);
}

ssize_t tr__sim_endpoint_write(tr_endpoint *endpoint, const tr_iov *iov, int count)
{
    const struct sim_endpoint *e = endpoint_live(endpoint);
    return e->half == NULL ? TR_EPIPE
                           : tr__sim_half_write(e->half, endpoint_process(e), iov, count);
}

void tr__sim_endpoint_shutdown(tr_endpoint *endpoint)
{
    const struct sim_endpoint *e = endpoint_live(endpoint);
    if (e->half != NULL && !e->borrowed)
        tr__sim_half_shutdown(e->half, endpoint_process(e));
}

void tr__sim_endpoint_close(tr_endpoint *endpoint)
{
    struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->closing)
        return;
    endpoint_sever(&e->source);
    e->closing = true;
    e->source.told |= SIM_CLOSED; // not in the poll that this may be inside of
}

int tr__sim_endpoint_twin(tr_endpoint *endpoint)
{
    const struct sim_endpoint *e = endpoint_live(endpoint);
    if (e->half == NULL || e->borrowed)
        return TR_ENOSYS;
    return tr__sim_file_twin(endpoint_process(e), e->half);
}

// ---- Standard descriptors ----

int tr__sim_borrow(tr_world *world, int fd, tr_endpoint **ret_endpoint)
{
    struct sim_process *process = sim_process_of(world);
    if (fd >= TR__ENDS || process->stdio[fd] == NULL)
        return -EBADF;
    struct sim_half *half = tr__sim_half_ref(process->stdio[fd]);
    int rc = tr__sim_endpoint_new(world, &half, ret_endpoint);
    if (rc == 0)
        ((struct sim_endpoint *)*ret_endpoint)->borrowed = true;
    tr__sim_half_unref(&half, process);
    if (rc == 0 && fd == TR__PULSE_FD) // who has that wants it for himself
        tr__sim_half_unref(&process->stdio[fd], process);
    return rc;
}

int tr__sim_terminal_size(tr_endpoint *endpoint, unsigned *ret_columns, unsigned *ret_rows)
{
    const struct sim_half *h = endpoint_live(endpoint)->half;
    if (h == NULL || h->columns == 0)
        return -ENOTTY;
    *ret_columns = h->columns;
    *ret_rows = h->rows;
    return 0;
}

int tr__sim_terminal_raw(tr_endpoint *endpoint, bool raw)
{
    struct sim_endpoint *e = endpoint_live(endpoint);
    if (e->half == NULL || e->half->columns == 0)
        return -ENOTTY;
    e->half->raw = e->raw = raw;
    return 0;
}

// ---- What a test can ask for ----

void tr__sim_set_stdio(tr_world *world, int fd, tr_endpoint **endpoint)
{
    struct sim_process *process = sim_process_of(world);
    tr__sim_half_unref(&process->stdio[fd], process);
    if (*endpoint == NULL)
        return;
    struct sim_endpoint *e = endpoint_live(*endpoint);
    process->stdio[fd] = tr__sim_half_ref(e->half);
    endpoint_free(&e->source, false);
    *endpoint = NULL;
}

void tr__sim_set_terminal(tr_endpoint *endpoint, unsigned columns, unsigned rows)
{
    struct sim_half *h = endpoint_live(endpoint)->half;
    tr_assert(columns > 0);
    h->columns = columns;
    h->rows = rows;
}

bool tr__sim_is_raw(const tr_endpoint *endpoint)
{
    const struct sim_half *h = ((const struct sim_endpoint *)endpoint)->half;
    return h->peer != NULL && h->peer->raw;
}

int tr__sim_open_file(tr_world *world, const char *path, tr_endpoint **ret_endpoint)
{
    struct sim_process *process = sim_process_of(world);
    struct sim_half *half = tr__sim_half_new(process->sim);
    int rc = half == NULL ? TR_ENOMEM : tr__sim_file_find(process->sim, path, &half->file);
    if (rc == 0)
        rc = tr__sim_endpoint_new(world, &half, ret_endpoint);
    tr__sim_half_unref(&half, process);
    return rc;
}
