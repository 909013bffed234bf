// The frame of a peer written in C. peer.c measures: it starts this program once more as the child,
// runs one figure and prints it. A peer only carries messages: it implements what is declared here,
// in the way that is best for it, over its own kind of channel.
//
// The length, first and last byte of a message are checked when it arrives. Anything that fails
// ends the process.
#ifndef TR_BENCH_PEER_H
#define TR_BENCH_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "../bench.h"

typedef struct peer_msg {
    const char *bytes;
    size_t size;
} peer_msg;

extern const peer_msg peer_request, peer_reply;

static inline void peer_check(peer_msg want, const char *bytes, size_t size)
{
    bench_must(size == want.size && bytes[0] == want.bytes[0] &&
               bytes[size - 1] == want.bytes[size - 1]);
}

// How many messages make each figure last about half a second.
extern const struct peer_counts {
    uint64_t rtt, oneway, pipeline, large64k, large1m;
} peer_counts;

// The library's version, "" if there is none.
const char *peer_version(void);

// The parent makes a new channel, forgetting an older one, and its address for the child.
// returns: a descriptor to be closed once the child has inherited it, or -1
#define PEER_ADDRESS_MAX 100
int peer_open(char address[PEER_ADDRESS_MAX]);
// The child takes its end.
void peer_join(const char *address);

// One message, now; and the next one, which must be this one.
void peer_send(peer_msg msg);
void peer_expect(peer_msg msg);

// One way: send a message count times; receive it count times.
void peer_pour(peer_msg msg, uint64_t count);
void peer_take(peer_msg msg, uint64_t count);

// Pipelined: keep BENCH_WINDOW requests in flight until count are answered; answer for ever.
void peer_ask(uint64_t count);
void peer_answer(void);

#endif
