// TLS: whatever bytes come, in whatever parts, do no harm, cost no more memory than the wires have, and
// give nothing to the user; and of what two sides say to each other, if a byte is changed on its way,
// nothing arrives that was not said.
//
// The first bytes of the input choose what is tried, how it is cut and what is changed.
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "base/assert.h"
#include "filter/filter.h"
#include "filter/tls.h"
#include "sim/sim.h"
#include "support/counted_memory.h"

enum { MANGLE = 1, DIALS = 2, END = 4, CHOICES = 6, SAID_MAX = 4096, POLLS = 400, NS = 1000 };

// ---- Certificates that are good for nothing else ----

static const char CA[] = "-----BEGIN CERTIFICATE-----\n"
                         "MIIBgDCCASWgAwIBAgIUSbGdGfKmFpWlDTeCwA/iXdq9DJkwCgYIKoZIzj0EAwIw\n"
                         "FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyODEzMjMwOFoYDzIxMjYxMTA0\n"
                         "MTMyMzA4WjAUMRIwEAYDVQQDDAlhdXRob3JpdHkwWTATBgcqhkjOPQIBBggqhkjO\n"
                         "PQMBBwNCAARrieGoQwNkNgpdzDp12bR0zHmTSCz9Fq015B03htgttSBDesJvDHNP\n"
                         "kC4ULPwEQna2v7hOdILZIpXW4oRw0EIJo1MwUTAdBgNVHQ4EFgQUbT0ewNyXC7AD\n"
                         "TUCjSCMn5XgvvwwwHwYDVR0jBBgwFoAUbT0ewNyXC7ADTUCjSCMn5XgvvwwwDwYD\n"
                         "VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEA6NoYwp45a+YyAd4HBSIB\n"
                         "WCrRNBdZn5mSraO2TSPnFBkCIQDplHGlHUwkYmdSRHeloTFCcHzxsVNvo6s+nu/o\n"
                         "s+tGrg==\n"
                         "-----END CERTIFICATE-----\n";

static const char CERT[] = "-----BEGIN CERTIFICATE-----\n"
                           "MIIBezCCASKgAwIBAgIUDUnuF/7V303/ETUR1jlrI8x+UbUwCgYIKoZIzj0EAwIw\n"
                           "FDESMBAGA1UEAwwJYXV0aG9yaXR5MCAXDTI2MTEyODEzMjMwOVoYDzIxMjYxMTA0\n"
                           "MTMyMzA5WjAUMRIwEAYDVQQDDAlub2RlLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
                           "PQMBBwNCAAQlPCwB+I/CpXSHYTvfQ/y+S7IM4uEQ+wWVitF8DBz0YcJxQdfP53hf\n"
                           "9eh2rDV9f11sQIjLH6px0pGDs/SX0dGWo1AwTjAdBgNVHQ4EFgQUmuZniIsXogv2\n"
                           "p4Are8GxjSIZ9MowHwYDVR0jBBgwFoAUbT0ewNyXC7ADTUCjSCMn5XgvvwwwDAYD\n"
                           "VR0TAQH/BAIwADAKBggqhkjOPQQDAgNHADBEAiAeQx1wafD9lP2JPs0dQoB2j9FV\n"
                           "HJjphpZU2TtNWaySeQIgDu7OdnQGXmCAwnGkt5ApVOXE3xQW/W9qu2FDgFyWJWo=\n"
                           "-----END CERTIFICATE-----\n";

static const char KEY[] = "-----BEGIN PRIVATE KEY-----\n"
                          "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEJzpjF/al75eHVKZ\n"
                          "NsdV0HFdDNiXsV9bzpG+C/KwZcOhRANCAAQlPCwB+I/CpXSHYTvfQ/y+S7IM4uEQ\n"
                          "+wWVitF8DBz0YcJxQdfP53hf9eh2rDV9f11sQIjLH6px0pGDs/SX0dGW\n"
                          "-----END PRIVATE KEY-----\n";

static tr__tls *tls_get(void)
{
    static const tr__papers papers = {CA, CERT, KEY, NULL};
    static tr__tls *tls;
    if (tls == NULL)
        tr_assert(tr__tls_open(&papers, &tls) == 0);
    return tls;
}

static tr__coder *coder_new(bool dials)
{
    tr__coder *coder = NULL;
    int rc =
        dials ? tr__tls_client(tls_get(), "node.test", &coder) : tr__tls_server(tls_get(), &coder);
    tr_assert(rc == 0);
    return coder;
}

// ---- Any bytes, to a filter ----

struct user {
    tr_endpoint *endpoint;
    int rc;
    unsigned closed;
};

static bool user_readable(void *owner)
{
    struct user *u = owner;
    uint8_t bytes[64];
    tr_iov room = {bytes, sizeof bytes};
    ssize_t n = u->endpoint->world->ops->endpoint_read(u->endpoint, &room, 1);
    tr_assert(n <= 0); // nobody has shown a certificate
    u->rc = (int)n;
    if (n != TR_EAGAIN)
        u->endpoint->world->ops->endpoint_want(u->endpoint, 0);
    return false;
}

static void user_closed(void *owner)
{
    ((struct user *)owner)->closed++;
}

static const tr_endpoint_up USER_UP = {.readable = user_readable, .closed = user_closed};

static void settle(tr_world *world)
{
    for (int i = 0; i < 4; i++)
        world->ops->poll(world, world->ops->now(world) + NS);
}

static void try_bytes(const uint8_t *choices, const uint8_t *bytes, size_t size)
{
    tr_sim *sim;
    tr_world *world;
    tr__filters *filters;
    tr_endpoint *wires[2];
    struct user user = {.rc = TR_EAGAIN};
    size_t part = 1 + (size_t)choices[1] * 16;
    tr_assert(tr__sim_open(choices[2], &sim) == 0 && tr__sim_world(sim, &world) == 0);
    tr__sim_set_delay(sim, 0);
    tr_assert(tr__filters_open(world, &filters) == 0);
    tr_assert(tr__sim_pipe(world, world, &wires[0], &wires[1]) == 0);
    tr_assert(tr__filter_new(filters, &wires[1], coder_new(choices[0] & DIALS), true,
                             &user.endpoint) == 0);
    user.endpoint->world->ops->endpoint_bind(user.endpoint, &USER_UP, &user);
    user.endpoint->world->ops->endpoint_want(user.endpoint, TR__READ);
    for (size_t at = 0, polls = 0; at < size && polls < POLLS; polls++) {
        tr_iov iov = {(uint8_t *)(uintptr_t)bytes + at, part < size - at ? part : size - at};
        ssize_t n = world->ops->endpoint_write(wires[0], &iov, 1);
        at += n > 0 ? (size_t)n : 0;
        settle(world);
    }
    if (choices[0] & END) {
        world->ops->endpoint_close(wires[0]);
        for (int i = 0; i < POLLS && user.rc == TR_EAGAIN; i++)
            settle(world);
        tr_assert(user.rc != TR_EAGAIN);
    }
    user.endpoint->world->ops->endpoint_close(user.endpoint);
    tr__filters_close(&filters);
    world->ops->close(&world);
    tr_assert(user.closed == 1);
    tr__sim_close(&sim);
}

// ---- Two coders, and a byte that is changed ----

struct side {
    tr__coder *coder;
    uint8_t in[TR__WIRE_BYTES], out[TR__WIRE_BYTES];
    int shaken;      // TR_EAGAIN: not yet
    size_t said, at; // bytes of the input, and of what has come
    ssize_t rc;      // of decoding
};

static void side_open(struct side *s, bool dials)
{
    memset(s, 0, sizeof *s);
    s->coder = coder_new(dials);
    s->coder->in.bytes = s->in;
    s->coder->out.bytes = s->out;
    s->shaken = TR_EAGAIN;
    s->rc = TR_EAGAIN;
}

static void to_front(tr__wire *wire)
{
    memmove(wire->bytes, wire->bytes + wire->at, tr__wire_used(wire));
    wire->end -= wire->at;
    wire->at = 0;
}

static void side_go_on(struct side *s, const uint8_t *bytes, size_t size)
{
    uint8_t room[256];
    if (s->shaken == TR_EAGAIN)
        s->shaken = s->coder->ops->shake(s->coder);
    while (s->shaken == 0 && (s->rc == TR_EAGAIN || s->rc > 0)) {
        s->rc = s->coder->ops->decode(s->coder, room, sizeof room);
        if (s->rc <= 0)
            break;
        tr_assert(s->at + (size_t)s->rc <= size && memcmp(room, bytes + s->at, (size_t)s->rc) == 0);
        s->at += (size_t)s->rc;
    }
    if (s->shaken == 0 && (s->rc == TR_EAGAIN || s->rc == 0) && s->said < size) {
        ssize_t n = s->coder->ops->encode(s->coder, bytes + s->said, size - s->said);
        s->said += n > 0 ? (size_t)n : 0;
    }
}

// count: of bytes that have gone this way; the one at `changed` does not stay as it is.
static size_t carry(tr__wire *from, tr__wire *to, size_t *count, size_t changed, uint8_t by)
{
    to_front(from);
    to_front(to);
    size_t n = tr__wire_add(to, from->bytes, tr__wire_used(from));
    if (changed >= *count && changed - *count < n)
        to->bytes[to->end - n + (changed - *count)] ^= by;
    *count += n;
    from->at += n;
    return n;
}

static void try_mangling(const uint8_t *choices, const uint8_t *bytes, size_t size)
{
    static struct side sides[2];
    size_t counts[2] = {0}, moved, changed = choices[3] * 256u + choices[4];
    int way = choices[0] & DIALS ? 1 : 0;
    size = size < SAID_MAX ? size : SAID_MAX;
    side_open(&sides[0], true);
    side_open(&sides[1], false);
    do {
        moved = 0;
        for (int i = 0; i < 2; i++) {
            side_go_on(&sides[i], bytes, size);
            moved += carry(&sides[i].coder->out, &sides[1 - i].coder->in, &counts[i],
                           i == way ? changed : SIZE_MAX, choices[5]);
        }
    } while (moved > 0);
    bool whole = sides[0].at == size && sides[1].at == size;
    tr_assert(whole || (changed < counts[way] && choices[5] != 0));
    sides[0].coder->ops->free(sides[0].coder);
    sides[1].coder->ops->free(sides[1].coder);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CHOICES)
        return 0;
    tls_get();
    counted_memory_start(0);
    if (bytes[0] & MANGLE)
        try_mangling(bytes, bytes + CHOICES, size - CHOICES);
    else
        try_bytes(bytes, bytes + CHOICES, size - CHOICES);
    tr_assert(counted_memory_stop() == 0);
    return 0;
}
