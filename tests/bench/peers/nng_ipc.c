// libnng as it comes: a pair1 socket each side over ipc://, one nng message for each message, whose
// bytes are copied in and whose length and ends are checked on arrival. Every figure uses what
// measured best for it: blocking calls for one message at a time and for sending, callbacks for
// receiving many, and a send queue for small messages but not for large ones.
//
// What nng 1.5 needs: RECVMAXSZ set before listening; a queue that holds a whole window when a
// callback sends, since both sides waiting in a send is a deadlock; and no nng_close, which can
// hang while the other side sends: old sockets are forgotten, and peer.c leaves by _exit.
#include "peer.h"

#include <semaphore.h>
#include <stdbool.h>

#include <nng/nng.h>
#include <nng/protocol/pair1/pair.h>
#include <nng/supplemental/tls/tls.h>

#define RECV_MAX     0x200000u
#define LARGE_MIN    0x10000u
#define POUR_QUEUE   256
#define WINDOW_QUEUE 2048

_Static_assert(WINDOW_QUEUE >= BENCH_WINDOW, "a callback would wait for the other side");

const struct peer_counts peer_counts = {
    .rtt = 5000, .oneway = 80000, .pipeline = 40000, .large64k = 4000, .large1m = 400};

static nng_socket sock;

const char *peer_version(void)
{
    return nng_version();
}

static void sock_open(void)
{
    bench_must(nng_pair1_open(&sock) == 0);
    bench_must(nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, RECV_MAX) == 0);
}

static void sock_queue(int messages)
{
    bench_must(nng_socket_set_int(sock, NNG_OPT_SENDBUF, messages) == 0);
}

// Certificates for a url with TLS: the paths of two files.
static void papers_paths(char ca[512], char own[512])
{
    const char *papers = getenv("BENCH_PAPERS");
    snprintf(ca, 512, "%s/ca.pem", papers != NULL ? papers : ".");
    snprintf(own, 512, "%s/node.both", papers != NULL ? papers : ".");
}

static bool has_tls(const char *url)
{
    return strncmp(url, "tls", 3) == 0 || strncmp(url, "wss", 3) == 0;
}

// Where BENCH_LISTEN says, in an address with the true port.
static void open_at(const char *url, char address[PEER_ADDRESS_MAX])
{
    nng_listener listener;
    char ca[512], own[512];
    int port;
    sock_open();
    papers_paths(ca, own);
    bench_must(nng_listener_create(&listener, sock, url) == 0);
    if (has_tls(url)) {
        bench_must(nng_listener_set_string(listener, NNG_OPT_TLS_CA_FILE, ca) == 0);
        bench_must(nng_listener_set_string(listener, NNG_OPT_TLS_CERT_KEY_FILE, own) == 0);
        bench_must(
            nng_listener_set_int(listener, NNG_OPT_TLS_AUTH_MODE, NNG_TLS_AUTH_MODE_REQUIRED) == 0);
    }
    bench_must(nng_listener_start(listener, 0) == 0);
    snprintf(address, PEER_ADDRESS_MAX, "%s", url);
    if (nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0) {
        const char *zero = strstr(url, ":0");
        snprintf(address, PEER_ADDRESS_MAX, "%.*s:%d%s", (int)(zero - url), url, port, zero + 2);
    }
}

// In a new directory below TMPDIR, which belongs to the runner and goes with it.
int peer_open(char address[PEER_ADDRESS_MAX])
{
    const char *url = getenv("BENCH_LISTEN");
    if (url != NULL) {
        open_at(url, address);
        return -1;
    }
    const char *base = getenv("TMPDIR");
    char dir[PEER_ADDRESS_MAX - sizeof "ipc:///s"];
    snprintf(dir, sizeof dir, "%s/nng.XXXXXX", base != NULL ? base : "/tmp");
    bench_must(mkdtemp(dir) != NULL);
    snprintf(address, PEER_ADDRESS_MAX, "ipc://%s/s", dir);
    sock_open();
    bench_must(nng_listen(sock, address, NULL, 0) == 0);
    return -1;
}

void peer_join(const char *address)
{
    nng_dialer dialer;
    char ca[512], own[512];
    sock_open();
    papers_paths(ca, own);
    bench_must(nng_dialer_create(&dialer, sock, address) == 0);
    if (has_tls(address)) {
        bench_must(nng_dialer_set_string(dialer, NNG_OPT_TLS_CA_FILE, ca) == 0);
        bench_must(nng_dialer_set_string(dialer, NNG_OPT_TLS_CERT_KEY_FILE, own) == 0);
        bench_must(nng_dialer_set_string(dialer, NNG_OPT_TLS_SERVER_NAME, "node.test") == 0);
    }
    bench_must(nng_dialer_start(dialer, 0) == 0);
}

void peer_send(peer_msg msg)
{
    nng_msg *out;
    bench_must(nng_msg_alloc(&out, 0) == 0);
    bench_must(nng_msg_append(out, msg.bytes, msg.size) == 0);
    bench_must(nng_sendmsg(sock, out, 0) == 0);
}

static void msg_take(peer_msg want, nng_msg *in)
{
    peer_check(want, nng_msg_body(in), nng_msg_len(in));
    nng_msg_free(in);
}

void peer_expect(peer_msg msg)
{
    nng_msg *in;
    bench_must(nng_recvmsg(sock, &in, 0) == 0);
    msg_take(msg, in);
}

// Messages received by callbacks, one at a time; the first `sends` of them send one in turn. Only
// the callback touches this between start and finish.
static struct {
    nng_aio *aio;
    peer_msg want, next;
    uint64_t left, sends;
    sem_t done;
} stream;

static void stream_received(void *arg)
{
    (void)arg;
    bench_must(nng_aio_result(stream.aio) == 0);
    msg_take(stream.want, nng_aio_get_msg(stream.aio));
    if (stream.sends > 0) {
        stream.sends--;
        peer_send(stream.next);
    }
    if (--stream.left > 0)
        nng_recv_aio(sock, stream.aio);
    else
        sem_post(&stream.done);
}

static void stream_start(peer_msg want, uint64_t count, peer_msg next, uint64_t sends)
{
    stream.want = want;
    stream.next = next;
    stream.left = count;
    stream.sends = sends;
    bench_must(sem_init(&stream.done, 0, 0) == 0);
    bench_must(nng_aio_alloc(&stream.aio, stream_received, NULL) == 0);
    nng_recv_aio(sock, stream.aio);
}

static void stream_finish(void)
{
    while (sem_wait(&stream.done) != 0)
        continue;
    nng_aio_free(stream.aio);
}

void peer_pour(peer_msg msg, uint64_t count)
{
    sock_queue(msg.size < LARGE_MIN ? POUR_QUEUE : 0);
    for (uint64_t i = 0; i < count; i++)
        peer_send(msg);
}

void peer_take(peer_msg msg, uint64_t count)
{
    stream_start(msg, count, msg, 0);
    stream_finish();
}

void peer_ask(uint64_t count)
{
    uint64_t first = count < BENCH_WINDOW ? count : BENCH_WINDOW;
    sock_queue(WINDOW_QUEUE);
    stream_start(peer_reply, count, peer_request, count - first);
    for (uint64_t i = 0; i < first; i++)
        peer_send(peer_request);
    stream_finish();
}

void peer_answer(void)
{
    sock_queue(WINDOW_QUEUE);
    stream_start(peer_request, UINT64_MAX, peer_reply, UINT64_MAX);
    stream_finish();
}
