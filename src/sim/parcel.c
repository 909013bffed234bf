// Parcels: halves of pipes, and spots, on their way from one loop or process to another.
//
// A parcel holds what is in it as a descriptor does. All processes share the one machine, so one
// that goes to another process is the same parcel there: whoever sends it keeps a reference.
#include "base/memory.h"
#include "sim/inside.h"
#include <troupe/error.h>

struct sim_parcel {
    tr_parcel base;
    struct sim_half *half;
    tr_site site, peer_site;
    int64_t peer_pid;
};

static struct sim_parcel *parcel_of(const tr_parcel *base)
{
    return (struct sim_parcel *)(uintptr_t)base;
}

// moves: *half, on success
static int parcel_new(struct sim_half **half, struct sim_parcel **ret_parcel)
{
    struct sim_parcel *parcel = tr__zalloc(sizeof *parcel);
    if (parcel == NULL)
        return TR_ENOMEM;
    parcel->base.ops = &tr__sim_world_ops;
    atomic_init(&parcel->base.holders, 1);
    parcel->half = *half;
    *half = NULL;
    *ret_parcel = parcel;
    return 0;
}

void tr__sim_parcel_free(tr_parcel *base)
{
    struct sim_parcel *parcel = parcel_of(base);
    if (base->kind == TR__PARCEL_LISTENER) {
        tr__sim_spot_free(base);
        return;
    }
    tr__sim_half_unref(&parcel->half, NULL);
    tr__free(parcel);
}

int tr__sim_parcel_copy(const tr_parcel *base, tr_parcel **ret_parcel)
{
    if (base->kind != TR__PARCEL_LISTENER)
        return TR_EINVAL;
    *ret_parcel = tr__sim_spot_parcel(base);
    return 0;
}

void tr__sim_parcel_site(const tr_parcel *base, tr_site *ret_site)
{
    if (base->kind == TR__PARCEL_LISTENER)
        tr__sim_spot_site(base, ret_site);
    else
        *ret_site = parcel_of(base)->site;
}

int tr__sim_parcel_pair(tr_world *world, tr_parcel *ret_parcels[2])
{
    struct sim_half *halves[2];
    struct sim_parcel *one = NULL, *other = NULL;
    int rc = tr__sim_halves_new(sim_process_of(world)->sim, halves);
    if (rc < 0)
        return rc;
    rc = parcel_new(&halves[0], &one);
    if (rc == 0)
        rc = parcel_new(&halves[1], &other);
    if (rc == 0) {
        ret_parcels[0] = &one->base;
        ret_parcels[1] = &other->base;
    } else if (one != NULL) {
        tr__sim_parcel_free(&one->base);
    }
    tr__sim_half_unref(&halves[0], NULL);
    tr__sim_half_unref(&halves[1], NULL);
    return rc;
}

// ---- Out of a world and into one ----

int tr__sim_endpoint_leave(tr_endpoint **endpoint, tr_parcel **ret_parcel)
{
    struct sim_endpoint *e = (struct sim_endpoint *)*endpoint;
    struct sim_parcel *parcel;
    tr_assert(!e->closing && e->want == 0);
    if (e->half == NULL || e->borrowed)
        return e->borrowed ? TR_ENOSYS : TR_EDOWN;
    int rc = parcel_new(&e->half, &parcel);
    if (rc < 0)
        return rc;
    parcel->site = e->site;
    parcel->peer_site = e->peer_site;
    parcel->peer_pid = e->peer_pid;
    e->up = NULL;
    *endpoint = NULL;
    tr__sim_endpoint_close(&e->base);
    *ret_parcel = &parcel->base;
    return 0;
}

int tr__sim_endpoint_enter(tr_world *world, tr_parcel **base, tr_endpoint **ret_endpoint)
{
    const struct sim_parcel *parcel = parcel_of(*base);
    if (sim_process_of(world)->dead)
        return TR_EDOWN;
    struct sim_half *half = tr__sim_half_ref(parcel->half);
    int rc = tr__sim_endpoint_new(world, &half, ret_endpoint);
    if (rc < 0) {
        tr__sim_half_unref(&half, NULL);
        return rc;
    }
    tr__sim_endpoint_place(*ret_endpoint, &parcel->site, &parcel->peer_site, 0);
    ((struct sim_endpoint *)*ret_endpoint)->peer_pid = parcel->peer_pid;
    tr__parcel_unref(base);
    return 0;
}

int tr__sim_pipe_half(tr_world *a, const tr_site *mine, const tr_site *theirs, int64_t pid,
                      tr_endpoint **ret_a, tr_parcel **ret_b)
{
    struct sim_process *process = sim_process_of(a);
    struct sim_half *halves[2];
    struct sim_parcel *parcel = NULL;
    int rc = tr__sim_halves_new(process->sim, halves);
    if (rc < 0)
        return rc;
    rc = parcel_new(&halves[1], &parcel);
    if (rc == 0)
        rc = tr__sim_endpoint_new(a, &halves[0], ret_a);
    if (rc == 0) {
        ((struct sim_endpoint *)*ret_a)->peer_pid = pid;
        parcel->peer_pid = process->pid;
        parcel->site = *theirs;
        parcel->peer_site = *mine;
        *ret_b = &parcel->base;
    } else if (parcel != NULL) {
        tr__sim_parcel_free(&parcel->base);
    }
    tr__sim_half_unref(&halves[0], NULL);
    tr__sim_half_unref(&halves[1], NULL);
    return rc;
}

// ---- Through a pipe ----

ssize_t tr__sim_endpoint_send(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                              tr_parcel *const *parcels, int count)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    if (e->half == NULL)
        return TR_EPIPE;
    return tr__sim_half_send(e->half, sim_process_of(e->base.world), iov, iov_count, parcels,
                             count);
}

ssize_t tr__sim_endpoint_receive(tr_endpoint *endpoint, const tr_iov *iov, int iov_count,
                                 tr_parcel **ret_parcels, int *ret_count, bool *ret_lost)
{
    const struct sim_endpoint *e = (struct sim_endpoint *)endpoint;
    *ret_count = 0;
    *ret_lost = false;
    if (e->half == NULL)
        return TR_EAGAIN;
    return tr__sim_half_receive(e->half, iov, iov_count, ret_parcels, ret_count);
}
