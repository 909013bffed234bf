// WebSocket: whatever a peer sends, cut in whatever way, does no harm and costs no more memory than it
// has sent; nobody hears more than that; and what one side says, the other one hears.
//
// The first bytes of the input choose what is tried and how it is cut, the rest is what travels.
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "base/assert.h"
#include "filter/ws.h"
#include "support/counted_memory.h"

enum { DIALS = 1, SHAKEN = 2, ROUND_TRIP = 4, CHOICES = 3, SP_SIZE = 8, COSTS = 0x8000 };

// ---- Sides ----

static void draw(tr_world *world, void *bytes, size_t size)
{
    (void)world;
    memset(bytes, 0x5a, size);
}

static tr_world world = {.ops = &(const tr_world_ops){.name = "fuzz", .random = draw}};

struct side {
    tr__coder *coder;
    uint8_t in[TR__WIRE_BYTES], out[TR__WIRE_BYTES];
};

static struct side sides[2]; // who dials, who was dialled

static void sides_open(void)
{
    tr_assert(tr__ws_dialled(&world, "fuzz", "/", &sides[0].coder) == 0);
    tr_assert(tr__ws_accepted(&world, "/", &sides[1].coder) == 0);
    for (int i = 0; i < 2; i++) {
        sides[i].coder->in.bytes = sides[i].in;
        sides[i].coder->out.bytes = sides[i].out;
    }
}

static void sides_close(void)
{
    for (int i = 0; i < 2; i++)
        sides[i].coder->ops->free(sides[i].coder);
}

// As the filter does it.
static void to_front(tr__wire *wire)
{
    memmove(wire->bytes, wire->bytes + wire->at, tr__wire_used(wire));
    wire->end -= wire->at;
    wire->at = 0;
}

static void carry(struct side *from, struct side *to, size_t size)
{
    uint8_t bytes[TR__WIRE_BYTES];
    to_front(&to->coder->in);
    size_t room = tr__wire_room(&to->coder->in);
    size_t n = tr__wire_take(&from->coder->out, bytes, size < room ? size : room);
    to_front(&from->coder->out);
    tr_assert(tr__wire_add(&to->coder->in, bytes, n) == n);
}

static void shake_hands(void)
{
    tr_assert(sides[0].coder->ops->shake(sides[0].coder) == TR_EAGAIN);
    carry(&sides[0], &sides[1], SIZE_MAX);
    tr_assert(sides[1].coder->ops->shake(sides[1].coder) == 0);
    carry(&sides[1], &sides[0], SIZE_MAX);
    tr_assert(sides[0].coder->ops->shake(sides[0].coder) == 0);
}

// ---- What is tried ----

// Returns what decode said last.
static ssize_t hear(struct side *s, size_t room_size, size_t *heard)
{
    uint8_t room[256];
    ssize_t n;
    while ((n = s->coder->ops->decode(s->coder, room, room_size)) > 0) {
        tr_assert((size_t)n <= room_size);
        *heard += (size_t)n;
    }
    s->coder->out.at = s->coder->out.end = 0; // its answers leave
    return n;
}

static void try_hearing(const uint8_t *choices, const uint8_t *bytes, size_t size)
{
    struct side *s = &sides[choices[0] & DIALS ? 0 : 1];
    size_t part = 1 + choices[1], room = 1 + choices[2] % 256u, heard = 0;
    ssize_t rc = TR_EAGAIN;
    bool shaken = (choices[0] & SHAKEN) != 0;
    if (shaken)
        shake_hands();
    for (size_t at = 0; at < size && rc == TR_EAGAIN; at += part) {
        part = part < size - at ? part : size - at;
        to_front(&s->coder->in);
        tr_assert(tr__wire_add(&s->coder->in, bytes + at, part) == part);
        if (!shaken) {
            rc = s->coder->ops->shake(s->coder);
            shaken = rc == 0;
        }
        if (shaken)
            rc = hear(s, room, &heard);
        tr_assert(rc <= 0 && heard <= SP_SIZE + 5 * size); // an empty message is two bytes
        tr_assert(rc != TR_EAGAIN || tr__wire_used(&s->coder->in) == 0);
    }
    s->coder->in.ended = true;
    rc = rc == TR_EAGAIN && shaken ? hear(s, room, &heard) : rc;
    tr_assert(rc != TR_EAGAIN || !shaken);
    tr_assert(!shaken || hear(s, room, &heard) == rc);
    tr_assert(s->coder->ops->finish(s->coder) == 0 && s->coder->ops->finish(s->coder) == 0);
}

// A hello, and the bytes as messages of at most so many.
static uint8_t *stream_make(const uint8_t *bytes, size_t size, size_t part, size_t *ret_size)
{
    uint8_t *stream = malloc(SP_SIZE + size + (size / part + 1) * SP_SIZE);
    size_t at = SP_SIZE;
    tr_assert(stream != NULL);
    memcpy(stream, "\0SP\0\0\21\0\0", SP_SIZE);
    while (size > 0) {
        size_t n = part < size ? part : size;
        uint64_t length = htobe64(n);
        memcpy(stream + at, &length, SP_SIZE);
        memcpy(stream + at + SP_SIZE, bytes, n);
        at += SP_SIZE + n;
        bytes += n;
        size -= n;
    }
    *ret_size = at;
    return stream;
}

// One side says it all; as it comes, the other one compares.
static void try_round_trip(const uint8_t *choices, const uint8_t *input, size_t input_size)
{
    struct side *from = &sides[choices[0] & DIALS ? 0 : 1],
                *to = &sides[choices[0] & DIALS ? 1 : 0];
    size_t part = 1 + (size_t)choices[1] * choices[1], cut = 1 + (size_t)choices[2] * 4;
    size_t size, told = 0, heard = 0;
    uint8_t room[256], *bytes = stream_make(input, input_size, part, &size);
    shake_hands();
    while (heard < size) {
        ssize_t n = 0;
        if (told < size)
            n = from->coder->ops->encode(from->coder, bytes + told, size - told);
        tr_assert(n >= 0 || n == TR_EAGAIN);
        told += n > 0 ? (size_t)n : 0;
        carry(from, to, cut);
        while ((n = to->coder->ops->decode(to->coder, room, sizeof room)) > 0) {
            tr_assert(memcmp(bytes + heard, room, (size_t)n) == 0);
            heard += (size_t)n;
        }
        tr_assert(n == TR_EAGAIN);
    }
    tr_assert(from->coder->ops->finish(from->coder) == 0);
    carry(from, to, SIZE_MAX);
    tr_assert(to->coder->ops->decode(to->coder, room, sizeof room) == 0);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CHOICES)
        return 0;
    counted_memory_start(0);
    sides_open();
    if (bytes[0] & ROUND_TRIP)
        try_round_trip(bytes, bytes + CHOICES, size - CHOICES);
    else
        try_hearing(bytes, bytes + CHOICES, size - CHOICES);
    tr_assert(counted.peak < 4 * size + COSTS);
    sides_close();
    tr_assert(counted_memory_stop() == 0);
    return 0;
}
