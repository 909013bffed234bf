// The limit: what bare system calls reach, with one process and one thread a side. A socketpair,
// epoll, frames of a 32-bit length and the bytes. The bytes are fixed: the 17 or 26 of a small
// message are copied in, length and ends are checked on arrival, nothing is packed or unpacked.
// Everything that one turn produces goes out in one write, one read takes whatever is there, and a
// large message is written from where it lies.
//
// SPIN_NS makes the second variant: before it sleeps, it tries to read for so long, giving up the
// core at each try. Built twice, since `prog FIGURE` is how every peer is called.
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef SPIN_NS
#define SPIN_NS 0
#endif

#define BATCH   0x10000u  // bytes put before they are written, when a turn has no other end
#define OUT_MAX 0x40000u  // a whole window of messages fits in
#define IN_MIN  0x40000u  // asked for in one read, at least
#define IN_MAX  0x180000u // the largest frame and IN_MIN

const struct peer_counts peer_counts = {
    .rtt = 10000, .oneway = 10000000, .pipeline = 3000000, .large64k = 20000, .large1m = 1500};

static int sock = -1, poller = -1;
static uint32_t watched;
static char in[IN_MAX], out[OUT_MAX];
static size_t in_at, in_end, out_at, out_end;

const char *peer_version(void)
{
    return "";
}

static void sock_use(int fd)
{
    sock = fd;
    bench_must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    poller = epoll_create1(EPOLL_CLOEXEC);
    watched = EPOLLIN;
    bench_must(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = watched}) == 0);
}

int peer_open(char address[PEER_ADDRESS_MAX])
{
    int pair[2];
    close(sock);
    close(poller);
    bench_must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    bench_must(fcntl(pair[0], F_SETFD, FD_CLOEXEC) == 0);
    sock_use(pair[0]);
    snprintf(address, PEER_ADDRESS_MAX, "%d", pair[1]);
    return pair[1];
}

void peer_join(const char *address)
{
    sock_use(atoi(address));
}

static void sock_sleep(uint32_t events)
{
    struct epoll_event event = {.events = events};
    if (events != watched)
        bench_must(epoll_ctl(poller, EPOLL_CTL_MOD, sock, &event) == 0);
    watched = events;
    bench_must(epoll_wait(poller, &event, 1, -1) == 1);
}

// Returns the bytes written; 0: there is no room now.
static size_t sock_write(const struct iovec *iov, int count)
{
    ssize_t n = writev(sock, iov, count);
    bench_must(n > 0 || errno == EAGAIN);
    return n > 0 ? (size_t)n : 0;
}

static void out_put(peer_msg msg)
{
    uint32_t size = (uint32_t)msg.size;
    bench_must(sizeof out - out_end >= sizeof size + size);
    memcpy(out + out_end, &size, sizeof size);
    memcpy(out + out_end + sizeof size, msg.bytes, size);
    out_end += sizeof size + size;
}

static void out_flush(void)
{
    if (out_at < out_end)
        out_at += sock_write(&(struct iovec){out + out_at, out_end - out_at}, 1);
    if (out_at == out_end)
        out_at = out_end = 0;
}

static void out_flush_all(void)
{
    for (out_flush(); out_end > 0; out_flush())
        sock_sleep(EPOLLOUT);
}

static void out_write_large(peer_msg msg)
{
    uint32_t size = (uint32_t)msg.size;
    struct iovec iov[2] = {{&size, sizeof size}, {(char *)msg.bytes, msg.size}};
    for (size_t left = sizeof size + size; left > 0;) {
        size_t n = sock_write(iov, 2), head = n < iov[0].iov_len ? n : iov[0].iov_len;
        iov[0] = (struct iovec){(char *)iov[0].iov_base + head, iov[0].iov_len - head};
        iov[1] = (struct iovec){(char *)iov[1].iov_base + (n - head), iov[1].iov_len - (n - head)};
        left -= n;
        if (n == 0)
            sock_sleep(EPOLLOUT);
    }
}

// The size of the frame that begins at in_at; 0: not even known yet.
static size_t in_frame_size(void)
{
    uint32_t size;
    if (in_end - in_at < sizeof size)
        return 0;
    memcpy(&size, in + in_at, sizeof size);
    return sizeof size + size;
}

// Take the next frame, if it has arrived whole.
static bool in_next(peer_msg want)
{
    size_t size = in_frame_size();
    if (size == 0 || in_end - in_at < size)
        return false;
    peer_check(want, in + in_at + sizeof(uint32_t), size - sizeof(uint32_t));
    in_at += size;
    return true;
}

// Room for the rest of the frame and no more than that if it is large, so that frames start at the
// front again and again, where the cache is warm.
static size_t in_make_room(void)
{
    size_t have = in_end - in_at, size = in_frame_size();
    if (have < IN_MIN)
        memmove(in, in + in_at, have), in_at = 0, in_end = have;
    size_t rest = size > have ? size - have : 0;
    return rest > IN_MIN ? rest : IN_MIN;
}

// Wait for something to read and read it, writing meanwhile what has not gone out.
static void in_fill(void)
{
    size_t room = in_make_room();
    uint64_t spin_end = SPIN_NS > 0 ? bench_now_ns() + SPIN_NS : 0;
    for (;;) {
        if (SPIN_NS == 0 || bench_now_ns() > spin_end)
            sock_sleep(out_end > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
        out_flush();
        ssize_t n = read(sock, in + in_end, room);
        if (n > 0) {
            in_end += (size_t)n;
            return;
        }
        bench_must(n < 0 && errno == EAGAIN);
        if (SPIN_NS > 0)
            sched_yield();
    }
}

void peer_send(peer_msg msg)
{
    out_put(msg);
    out_flush_all();
}

void peer_expect(peer_msg msg)
{
    while (!in_next(msg))
        in_fill();
}

void peer_pour(peer_msg msg, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (msg.size >= BATCH) {
            out_write_large(msg);
            continue;
        }
        out_put(msg);
        if (out_end >= BATCH)
            out_flush_all();
    }
    out_flush_all();
}

void peer_take(peer_msg msg, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        peer_expect(msg);
}

void peer_ask(uint64_t count)
{
    uint64_t asked = 0;
    for (uint64_t answered = 0; answered < count;) {
        for (; asked < count && asked - answered < BENCH_WINDOW; asked++)
            out_put(peer_request);
        out_flush();
        in_fill();
        while (in_next(peer_reply))
            answered++;
    }
}

void peer_answer(void)
{
    for (;;) {
        in_fill();
        while (in_next(peer_request))
            out_put(peer_reply);
        out_flush();
    }
}
