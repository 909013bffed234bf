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
// Ending. libnng's streams have no half to close, and with TLS what it has
// taken may still lie in its own buffer if the socket was full, which close
// throws away. So who is done is not cut off before the peer has ended, which
// shows that it has read all, or LINGER_MS have passed since the last byte was
// taken. Peers that speak the protocol end when they hear bye. Of LITTLE all
// has found room in the socket.
//
// A peer's end that comes between two reads may be lost: libnng 1.5 then never ends the second one,
// over TLS and WebSocket. So a read that waits is looked after now and then: a connection that is
// gone has no peer's address any more, and a WebSocket that the peer has closed takes no empty
// write, which one that is open does not show to the peer.
//
// After the cut, which has libnng end all operations, the endpoint is gone when
// they have ended.
#include <arpa/inet.h>
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
#define LITTLE    2048u
#define LOOK_MS   50 // at first, and twice as long each time
#define LOOK_MAX  2000

struct end {
    tr_endpoint base;
    tr__list node;  // in home->ends
    tr__list ready; // in home->ready
    const struct nng_scheme *scheme;
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
    bool heard;   // since it was looked after

    struct nng_op out_op;
    uint8_t *out;
    unsigned filled;           // the half that is being filled: 0 or 1,
    size_t filled_size;        // up to here
    size_t sent_at, sent_size; // of the other one: libnng's while out_op is busy
    uint64_t written;          // in all
    int out_error;             // 0: more can be written

    struct nng_op side_op; // dialling, then sleeping until the next look, then lingering
    int look_ms;           // how long; 0: the scheme needs no looks
    enum { LINGER_NOT, LINGER_NEXT, LINGER_NOW } lingers;
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

static void end_sleep(struct end *e)
{
    int ms = e->lingers == LINGER_NOT ? e->look_ms : LINGER_MS;
    if (e->side_op.busy || e->cut || ms == 0)
        return;
    if (e->lingers == LINGER_NEXT)
        e->lingers = LINGER_NOW;
    tr__nng.sleep_aio(ms, tr__nng_op_begin(&e->side_op));
}

// It has nothing to say any more: cut it off as soon as the peer has heard
// that.
static void end_finish(struct end *e)
{
    bool waits = e->out_op.busy || e->filled_size > 0;
    if ((!e->shut && !e->closed) || e->cut || (waits && e->out_error == 0))
        return;
    bool heard = e->in_ended || e->out_error != 0 || e->stream == NULL;
    bool safe = e->scheme->proof != TR__PROOF_PAPERS || e->written <= LITTLE;
    if (heard || (e->closed && safe)) {
        end_cut(e);
    } else if (e->lingers == LINGER_NOT) {
        e->lingers = LINGER_NEXT;
        tr__nng_op_cancel(&e->side_op);
        end_sleep(e);
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

static void end_write_nothing(struct end *e)
{
    if (!e->scheme->ws || e->out_op.busy || e->out_error != 0)
        return;
    e->sent_at = e->sent_size = 0;
    nng_aio *aio = tr__nng_op_begin(&e->out_op);
    tr__nng.aio_set_iov(aio, 1, &(nng_iov){e->out, 0});
    tr__nng.stream_send(e->stream, aio);
}

static void end_receive(struct end *e)
{
    if (e->in_op.busy || end_has_input(e) || e->stream == NULL)
        return;
    nng_aio *aio = tr__nng_op_begin(&e->in_op);
    tr__nng.aio_set_iov(aio, 1, &(nng_iov){e->in, IN_BYTES});
    tr__nng.stream_recv(e->stream, aio);
}

static void end_look(struct end *e)
{
    nng_sockaddr address;
    if (e->heard || !e->in_op.busy) {
        e->look_ms = LOOK_MS;
    } else if (tr__nng.stream_get_addr(e->stream, NNG_OPT_REMADDR, &address) != 0) {
        end_cut(e);
    } else {
        e->look_ms = e->look_ms < LOOK_MAX ? 2 * e->look_ms : LOOK_MAX;
        end_write_nothing(e);
    }
    e->heard = false;
}

static void end_received(struct nng_op *op)
{
    struct end *e = tr__container(op, struct end, in_op);
    int rv = tr__nng.aio_result(op->aio);
    size_t size = rv == 0 ? tr__nng.aio_count(op->aio) : 0;
    e->in_at = 0;
    e->in_size = e->closed ? 0 : size;
    e->heard = true;
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
    if (e->out_error != 0 && e->scheme->ws)
        end_cut(e);
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
    e->written += n;
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
    (void)base, (void)tuning; // as end_begin says
}

static int site_of(const nng_sockaddr *address, tr_site *site)
{
    switch (address->s_family) {
    case NNG_AF_INET:
        site->port = ntohs(address->s_in.sa_port);
        inet_ntop(AF_INET, &address->s_in.sa_addr, site->name, sizeof site->name);
        return 0;
    case NNG_AF_INET6:
        site->port = ntohs(address->s_in6.sa_port);
        inet_ntop(AF_INET6, &address->s_in6.sa_addr, site->name, sizeof site->name);
        return 0;
    case NNG_AF_IPC:
        snprintf(site->name, sizeof site->name, "%.*s", TR__SITE_MAX - 1, address->s_ipc.sa_path);
        return 0;
    default:
        return TR_ENOSYS;
    }
}

int tr__nng_site(tr_endpoint *base, bool peer, tr_site *ret_site)
{
    const struct end *e = end_of(base);
    nng_sockaddr address;
    tr_site site = {.tcp = e->scheme->tcp, .papers = e->scheme->proof == TR__PROOF_PAPERS};
    if (e->stream == NULL)
        return -ENOTCONN;
    int rv = tr__nng.stream_get_addr(e->stream, peer ? NNG_OPT_REMADDR : NNG_OPT_LOCADDR, &address);
    int rc = rv == 0 ? site_of(&address, &site) : tr__nng_error(rv);
    if (rc == 0)
        *ret_site = site;
    return rc;
}

int tr__nng_cred(tr_endpoint *base, tr_peer_cred *ret_cred)
{
    const struct end *e = end_of(base);
    uint64_t pid = 0, uid = 0, gid = 0;
    if (e->scheme->proof != TR__PROOF_USER)
        return TR_ENOSYS;
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

// Connected. What is written leaves at once: libnng writes in small parts, each
// of which would wait for the peer to have heard of the one before.
static void end_begin(struct end *e, nng_stream *stream)
{
    e->stream = stream;
    if (e->scheme->tcp)
        tr__nng.stream_set_bool(stream, NNG_OPT_TCP_NODELAY, true);
    if (e->cut)
        tr__nng.stream_close(stream);
    e->look_ms = e->scheme->tcp ? LOOK_MS : 0;
    end_sleep(e);
}

static void end_sided(struct nng_op *op)
{
    struct end *e = tr__container(op, struct end, side_op);
    int rv = tr__nng.aio_result(op->aio);
    if (e->stream != NULL) {
        if (e->lingers == LINGER_NOW)
            end_cut(e); // it has waited long enough, or need not any more
        else if (e->lingers == LINGER_NOT && !e->cut)
            end_look(e);
        end_sleep(e);
    } else if (rv == 0) {
        end_begin(e, tr__nng.aio_get_output(op->aio, 0));
    } else {
        e->connect_error = tr__nng_error(rv);
    }
    end_stir(e);
}

static int end_make(tr__carriage *home, const struct nng_scheme *scheme, struct end **ret_end)
{
    struct end *e = tr__zalloc(sizeof *e);
    if (e == NULL)
        return TR_ENOMEM;
    e->base.world = &home->base;
    e->scheme = scheme;
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

int tr__nng_end_new(tr__carriage *home, const struct nng_scheme *scheme, nng_stream *stream,
                    tr_endpoint **ret_endpoint)
{
    struct end *e;
    int rc = end_make(home, scheme, &e);
    if (rc < 0) {
        tr__nng.stream_close(stream);
        tr__nng.stream_free(stream);
        return rc;
    }
    end_begin(e, stream);
    *ret_endpoint = &e->base;
    return 0;
}

static int end_dialer(struct end *e, const char *url, const tr__papers *papers)
{
    char theirs[NNG_URL_MAX];
    nng_tls_config *tls = NULL;
    int rc = tr__nng_url(e->scheme, url, theirs, sizeof theirs);
    if (rc == 0)
        rc = tr__nng_tls(e->scheme, false, url, papers, &tls);
    if (rc < 0)
        return rc;
    int rv = tr__nng.stream_dialer_alloc(&e->dialer, theirs);
    if (rv == 0 && tls != NULL)
        rv = tr__nng.stream_dialer_set_ptr(e->dialer, NNG_OPT_TLS_CONFIG, tls);
    if (rv == 0 && strncmp(theirs, "ws", 2) == 0)
        rv = tr__nng.stream_dialer_set_string(e->dialer, NNG_OPT_WS_PROTOCOL, NNG_WS_PROTOCOL);
    if (tls != NULL)
        tr__nng.tls_config_free(tls); // the dialler holds it
    return tr__nng_error(rv);
}

int tr__nng_connect(tr__carriage *home, const char *url, const tr_site *site,
                    const tr__papers *papers, tr_endpoint **ret_endpoint)
{
    struct end *e;
    (void)site; // libnng finds it
    const struct nng_scheme *scheme = tr__nng_scheme(url);
    int rc = scheme == NULL ? TR_EINVAL : end_make(home, scheme, &e);
    if (rc < 0)
        return rc;
    rc = end_dialer(e, url, papers);
    if (rc < 0) {
        end_free(e);
        return rc;
    }
    tr__nng.stream_dialer_dial(e->dialer, tr__nng_op_begin(&e->side_op));
    *ret_endpoint = &e->base;
    return 0;
}
