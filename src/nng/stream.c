// Endpoints over libnng's streams.
//
//     dialling -> connected -> (shut down, or closed: what was written leaves)
//     -> cut -> gone
//
// Reading. libnng fills `in`, and the loop reads from it; when it is empty
// libnng has it again. So an owner that does not read stops the peer.
//
// Writing. What is written is copied to one half of `out` while libnng sends
// the other one: a small part at a time, of which only the last is told to the
// loop. An owner finds no room when one half is on its way and the other one is
// full.
//
// Ending. libnng's streams have no half to close. So who is done, and still listens, is not cut off
// before the peer has ended, or LINGER_MS have passed since the last byte was taken. Peers that speak
// the protocol end when they hear bye.
//
// After the cut, which has libnng end all operations, the endpoint is gone when
// they have ended.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <troupe/error.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/memory.h"
#include "nng/inside.h"

#define IN_BYTES  0x10000u
#define OUT_BYTES 0x20000u // of one half
#define LINGER_MS 500

struct end {
    tr_endpoint base;
    tr__list node;             // in home->ends
    tr__list ready;            // in home->ready
    nng_stream_dialer *dialer; // NULL: it was accepted
    nng_stream *stream;        // NULL: not connected yet
    int connect_error;
    const tr_endpoint_up *up; // NULL: nobody is to hear
    void *owner;
    unsigned want;
    bool shut, closed; // by the owner
    bool cut;

    struct nng_op in_op;
    uint8_t *in;
    size_t in_at, in_size;
    bool in_ended;
    int in_error; // 0: it is the end

    struct nng_op out_op;
    uint8_t *out;
    unsigned filled;           // the half that is being filled: 0 or 1,
    size_t filled_size;        // up to here
    size_t sent_at, sent_size; // of the other one: libnng's while out_op is busy
    int out_error;             // 0: more can be written

    struct nng_op side_op; // dialling, then lingering
    bool lingers;
};

static struct end *end_of(const tr_endpoint *base)
{
    return (struct end *)(uintptr_t)base;
}

static tr__carriage *end_home(const struct end *e)
{
    return (tr__carriage *)e->base.world;
}

// ---- Being told ----

static bool end_is_gone(const struct end *e)
{
    return e->closed && e->cut && !e->in_op.busy && !e->out_op.busy && !e->side_op.busy;
}

static bool end_has_input(const struct end *e)
{
    return e->in_at < e->in_size || e->in_ended;
}

static bool end_has_room(const struct end *e)
{
    if (e->stream == NULL)
        return e->connect_error != 0;
    return e->filled_size < OUT_BYTES || e->out_error != 0;
}

static bool end_has_news(const struct end *e)
{
    return end_is_gone(e) || ((e->want & TR__READ) && end_has_input(e)) ||
           ((e->want & TR__WRITE) && end_has_room(e));
}

static void end_stir(struct end *e)
{
    tr__carriage *home = end_home(e);
    if (!end_has_news(e) || !tr__list_empty(&e->ready))
        return;
    tr__list_append(&home->ready, &e->ready);
    tr__nng_ring(home);
}

// A dialler waits for what it has begun. Its stream knows it, and goes after
// it.
static void end_dispose(void *arg)
{
    struct end *e = arg;
    tr__nng.stream_dialer_free(e->dialer);
    tr__nng.stream_free(e->stream);
    tr__free(e);
}

static void end_free(struct end *e)
{
    tr__list_remove(&e->node);
    tr__nng_op_free(&e->in_op);
    tr__nng_op_free(&e->out_op);
    tr__nng_op_free(&e->side_op);
    tr__free(e->in);
    tr__free(e->out);
    if (e->dialer != NULL) {
        tr__nng_dispose(end_home(e), end_dispose, e);
        return;
    }
    if (e->stream != NULL)
        tr__nng.stream_free(e->stream);
    tr__free(e);
}

void tr__nng_tell(tr__list *node)
{
    struct end *e = tr__container(node, struct end, ready);
    tr__list_remove(&e->ready);
    if (end_is_gone(e)) {
        if (e->up != NULL)
            e->up->closed(e->owner);
        end_free(e);
        return;
    }
    if ((e->want & TR__READ) && end_has_input(e))
        e->up->readable(e->owner);
    if ((e->want & TR__WRITE) && end_has_room(e))
        e->up->writable(e->owner);
    end_stir(e);
}

// ---- Ending ----

static void end_cut(struct end *e)
{
    if (e->cut)
        return;
    e->cut = true;
    e->in_ended = true;
    e->out_error = e->out_error == 0 ? TR_EPIPE : e->out_error;
    tr__nng_op_cancel(&e->side_op);
    if (e->stream != NULL)
        tr__nng.stream_close(e->stream);
    end_stir(e);
}

static void end_receive(struct end *e);

// It has nothing to say any more: cut it off as soon as the peer has heard
// that.
static void end_finish(struct end *e)
{
    bool waits = e->out_op.busy || e->filled_size > 0;
    if ((!e->shut && !e->closed) || e->cut || (waits && e->out_error == 0))
        return;
    if (e->closed || e->in_ended || e->out_error != 0 || e->stream == NULL) {
        end_cut(e);
    } else if (!e->lingers) {
        e->lingers = true;
        tr__nng.sleep_aio(LINGER_MS, tr__nng_op_begin(&e->side_op));
        end_receive(e);
    }
}

void tr__nng_shutdown(tr_endpoint *base)
{
    struct end *e = end_of(base);
    e->shut = true;
    end_finish(e);
}

void tr__nng_close(tr_endpoint *base)
{
    struct end *e = end_of(base);
    if (e->closed)
        return;
    e->closed = true;
    e->want = 0;
    e->in_at = e->in_size = 0;
    if (e->stream == NULL)
        end_cut(e);
    end_finish(e);
    if (!e->cut)
        end_receive(e); // to its end
    end_stir(e);
}

void tr__nng_end_close(tr__list *node)
{
    tr__nng_close(&tr__container(node, struct end, node)->base);
}

void tr__nng_end_cut(tr__list *node)
{
    end_cut(tr__container(node, struct end, node));
}

// ---- Reading ----

static void end_receive(struct end *e)
{
    if (e->in_op.busy || end_has_input(e) || e->stream == NULL)
        return;
    nng_aio *aio = tr__nng_op_begin(&e->in_op);
    tr__nng.aio_set_iov(aio, 1, &(nng_iov){e->in, IN_BYTES});
    tr__nng.stream_recv(e->stream, aio);
}

static void end_received(struct nng_op *op)
{
    struct end *e = tr__container(op, struct end, in_op);
    int rv = tr__nng.aio_result(op->aio);
    size_t size = rv == 0 ? tr__nng.aio_count(op->aio) : 0;
    e->in_at = 0;
    e->in_size = e->closed ? 0 : size;
    if (size == 0 && !e->in_ended) {
        e->in_ended = true;
        e->in_error = tr__nng_stream_error(rv);
    }
    if (e->closed)
        end_receive(e);
    end_finish(e);
    end_stir(e);
}

ssize_t tr__nng_read(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct end *e = end_of(base);
    size_t n = 0;
    for (int i = 0; i < count && e->in_at < e->in_size; i++) {
        size_t left = e->in_size - e->in_at, part = iov[i].len < left ? iov[i].len : left;
        memcpy(iov[i].base, e->in + e->in_at, part);
        e->in_at += part;
        n += part;
    }
    end_receive(e);
    if (n > 0)
        return (ssize_t)n;
    return e->in_ended ? e->in_error : TR_EAGAIN;
}

// ---- Writing ----

static uint8_t *end_half(const struct end *e, unsigned half)
{
    return e->out + (size_t)half * OUT_BYTES;
}

static void end_send_rest(struct end *e, nng_aio *aio)
{
    uint8_t *rest = end_half(e, 1 - e->filled) + e->sent_at;
    tr__nng.aio_set_iov(aio, 1, &(nng_iov){rest, e->sent_size - e->sent_at});
    tr__nng.stream_send(e->stream, aio);
}

// On one of libnng's threads.
static void end_sent_part(void *arg)
{
    struct end *e = arg;
    nng_aio *aio = e->out_op.aio;
    size_t count = tr__nng.aio_result(aio) == 0 ? tr__nng.aio_count(aio) : 0;
    e->sent_at += count;
    if (count > 0 && e->sent_at < e->sent_size)
        end_send_rest(e, aio);
    else
        tr__nng_op_done(&e->out_op);
}

static void end_send(struct end *e)
{
    if (e->out_op.busy || e->filled_size == 0 || e->cut)
        return;
    tr_assert(e->stream != NULL);
    e->sent_at = 0;
    e->sent_size = e->filled_size;
    e->filled_size = 0;
    e->filled = 1 - e->filled;
    end_send_rest(e, tr__nng_op_begin(&e->out_op));
}

static void end_sent(struct nng_op *op)
{
    struct end *e = tr__container(op, struct end, out_op);
    int rv = tr__nng.aio_result(op->aio);
    if (rv != 0 && e->out_error == 0) {
        int error = tr__nng_stream_error(rv);
        e->out_error = error == 0 ? TR_EPIPE : error;
    }
    if (e->out_error == 0)
        end_send(e);
    else
        e->filled_size = 0;
    end_finish(e);
    end_stir(e);
}

ssize_t tr__nng_write(tr_endpoint *base, const tr_iov *iov, int count)
{
    struct end *e = end_of(base);
    size_t n = 0;
    if (e->out_error != 0 || e->shut || e->closed)
        return e->out_error != 0 ? e->out_error : TR_EPIPE;
    for (int i = 0; i < count && e->filled_size < OUT_BYTES; i++) {
        size_t room = OUT_BYTES - e->filled_size, part = iov[i].len < room ? iov[i].len : room;
        memcpy(end_half(e, e->filled) + e->filled_size, iov[i].base, part);
        e->filled_size += part;
        n += part;
    }
    end_send(e);
    return n > 0 ? (ssize_t)n : TR_EAGAIN;
}

// ---- What an owner asks ----

void tr__nng_bind(tr_endpoint *base, const tr_endpoint_up *up, void *owner)
{
    struct end *e = end_of(base);
    tr_assert(e->want == 0);
    e->up = up;
    e->owner = owner;
}

void tr__nng_want(tr_endpoint *base, unsigned events)
{
    struct end *e = end_of(base);
    tr_assert(events == 0 || e->up != NULL);
    if (e->closed)
        return;
    e->want = events;
    if (events & TR__READ)
        end_receive(e);
    end_stir(e);
}

int tr__nng_connected(tr_endpoint *base)
{
    const struct end *e = end_of(base);
    return e->stream != NULL ? 0 : e->connect_error != 0 ? e->connect_error : TR_EAGAIN;
}

void tr__nng_tune(tr_endpoint *base, const tr_tuning *tuning)
{
    (void)base, (void)tuning; // it is no TCP
}

int tr__nng_site(tr_endpoint *base, bool peer, tr_site *ret_site)
{
    const struct end *e = end_of(base);
    nng_sockaddr address;
    if (e->stream == NULL)
        return -ENOTCONN;
    int rv = tr__nng.stream_get_addr(e->stream, peer ? NNG_OPT_REMADDR : NNG_OPT_LOCADDR, &address);
    if (rv != 0 || address.s_family != NNG_AF_IPC)
        return rv != 0 ? tr__nng_error(rv) : TR_ENOSYS;
    *ret_site = (tr_site){0};
    snprintf(ret_site->name, sizeof ret_site->name, "%.*s", TR__SITE_MAX - 1,
             address.s_ipc.sa_path);
    return 0;
}

int tr__nng_cred(tr_endpoint *base, tr_peer_cred *ret_cred)
{
    const struct end *e = end_of(base);
    uint64_t pid = 0, uid = 0, gid = 0;
    if (e->stream == NULL)
        return -ENOTCONN;
    int rv = tr__nng.stream_get_uint64(e->stream, NNG_OPT_IPC_PEER_PID, &pid);
    if (rv == 0)
        rv = tr__nng.stream_get_uint64(e->stream, NNG_OPT_IPC_PEER_UID, &uid);
    if (rv == 0)
        rv = tr__nng.stream_get_uint64(e->stream, NNG_OPT_IPC_PEER_GID, &gid);
    if (rv == 0)
        *ret_cred = (tr_peer_cred){(int64_t)pid, (uint32_t)uid, (uint32_t)gid, uid == geteuid()};
    return tr__nng_error(rv);
}

// ---- Beginning ----

static void end_begin(struct end *e, nng_stream *stream)
{
    e->stream = stream;
    if (e->cut)
        tr__nng.stream_close(stream);
}

static void end_sided(struct nng_op *op)
{
    struct end *e = tr__container(op, struct end, side_op);
    int rv = tr__nng.aio_result(op->aio);
    if (e->lingers)
        end_cut(e); // it has waited long enough, or need not any more
    else if (rv == 0)
        end_begin(e, tr__nng.aio_get_output(op->aio, 0));
    else
        e->connect_error = tr__nng_error(rv);
    end_stir(e);
}

static int end_make(tr__carriage *home, struct end **ret_end)
{
    struct end *e = tr__zalloc(sizeof *e);
    if (e == NULL)
        return TR_ENOMEM;
    e->base.world = &home->base;
    e->in = tr__alloc(IN_BYTES);
    e->out = tr__alloc(2 * OUT_BYTES);
    tr__list_init(&e->ready);
    tr__list_init(&e->node);
    int rc = e->in == NULL || e->out == NULL ? TR_ENOMEM : 0;
    if (rc == 0)
        rc = tr__nng_op_init(&e->in_op, home, tr__nng_op_done, &e->in_op, end_received);
    if (rc == 0)
        rc = tr__nng_op_init(&e->out_op, home, end_sent_part, e, end_sent);
    if (rc == 0)
        rc = tr__nng_op_init(&e->side_op, home, tr__nng_op_done, &e->side_op, end_sided);
    if (rc < 0) {
        end_free(e);
        return rc;
    }
    tr__list_append(&home->ends, &e->node);
    *ret_end = e;
    return 0;
}

int tr__nng_end_new(tr__carriage *home, nng_stream *stream, tr_endpoint **ret_endpoint)
{
    struct end *e;
    int rc = end_make(home, &e);
    if (rc < 0) {
        tr__nng.stream_close(stream);
        tr__nng.stream_free(stream);
        return rc;
    }
    end_begin(e, stream);
    *ret_endpoint = &e->base;
    return 0;
}

int tr__nng_connect(tr__carriage *home, const char *url, const tr_site *site,
                    const tr__papers *papers, tr_endpoint **ret_endpoint)
{
    struct end *e;
    const char *theirs;
    (void)site, (void)papers; // libnng finds it
    int rc = tr__nng_url(url, &theirs);
    if (rc == 0)
        rc = end_make(home, &e);
    if (rc < 0)
        return rc;
    rc = tr__nng_error(tr__nng.stream_dialer_alloc(&e->dialer, theirs));
    if (rc < 0) {
        end_free(e);
        return rc;
    }
    tr__nng.stream_dialer_dial(e->dialer, tr__nng_op_begin(&e->side_op));
    *ret_endpoint = &e->base;
    return 0;
}
