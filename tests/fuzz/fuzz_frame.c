// Links: whatever a peer sends, cut in whatever way, does no harm and costs no more memory than it
// has sent; and what one link sends, another one receives.
//
// The first bytes of the input choose what is tried and how it is cut, the rest is what travels.
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "remote/link.h"
#include "support/counted_memory.h"
#include "support/fake_endpoint.h"

enum { ROUND_TRIP = 1, GREET = 2, KEEP = 4, END = 8, CHOICES = 4, KEPT_MAX = 8, FRAMES_MAX = 64 };
enum { WRITES_MAX = 4096 }; // each gathers anew what may leave: that is what an input's time is

struct receiver {
    tr__link *link;
    const uint8_t *expected; // NULL: anything
    size_t received;
    int downs;
    bool keep;
    int kept_count;
    tr_buf *kept[KEPT_MAX];
    uint32_t sums[KEPT_MAX];
};

static uint32_t receiver_sum(const uint8_t *bytes, size_t size)
{
    uint32_t sum = 1;
    while (size-- > 0)
        sum = sum * 31 + *bytes++;
    return sum;
}

static int receiver_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct receiver *r = owner;
    tr_assert(r->downs == 0);
    if (r->expected != NULL)
        tr_assert(memcmp(r->expected + r->received, bytes, size) == 0);
    r->received += size;
    if (r->keep && r->kept_count < KEPT_MAX) {
        size_t offset = (size_t)(bytes - (uint8_t *)tr_buf_data(storage));
        tr_assert(tr_buf_slice(storage, offset, size, &r->kept[r->kept_count]) == 0);
        r->sums[r->kept_count++] = receiver_sum(bytes, size);
    }
    return 0;
}

static void receiver_drained(void *owner)
{
    tr_assert(((struct receiver *)owner)->downs == 0);
}

static void receiver_down(void *owner, int error)
{
    struct receiver *r = owner;
    tr_assert(error < 0 && r->downs++ == 0);
    r->link->ops->free(&r->link);
}

static const tr__link_up receiver_up = {
    .frame = receiver_frame, .drained = receiver_drained, .down = receiver_down};

static void receiver_open(struct receiver *r, fake_endpoint *endpoint)
{
    tr_assert(tr__link_sp_open(&endpoint->base, &receiver_up, r, &r->link) == 0);
}

static void receiver_close(struct receiver *r)
{
    if (r->link != NULL)
        r->link->ops->free(&r->link);
    for (int i = 0; i < r->kept_count; i++) {
        tr_assert(receiver_sum(tr_buf_data(r->kept[i]), tr_buf_size(r->kept[i])) == r->sums[i]);
        tr_buf_unref(&r->kept[i]);
    }
}

static void try_reading(const uint8_t *choices, const uint8_t *bytes, size_t size)
{
    fake_world *world = fake_world_new();
    fake_endpoint *end, *peer;
    fake_pair(world, &end, &peer);
    end->read_max = 1 + (size_t)choices[1] * choices[1] * 4;
    size_t part = 1 + (size_t)choices[2] * choices[2];
    struct receiver r = {.keep = choices[0] & KEEP};
    receiver_open(&r, end);
    if (choices[0] & GREET)
        fake_put(end, "\0SP\0\0\21\0\0", 8);
    for (size_t at = 0; at < size; at += part) {
        if (!end->closed)
            fake_put(end, bytes + at, part < size - at ? part : size - at);
        fake_run(world);
    }
    if (choices[0] & END)
        fake_end(end);
    fake_run(world);
    tr_assert(!(choices[0] & END) || r.downs == 1);
    tr_assert(counted.peak < 6 * size + 0x300000);
    receiver_close(&r);
    fake_run(world);
    fake_world_free(&world);
}

// The next frame: a byte says its size, another how much of it is copied and not referred to.
static size_t try_sending(tr__link *link, const uint8_t *bytes, size_t size, const uint8_t *choices)
{
    size_t n = (size_t)choices[0] * choices[0];
    n = n < size ? n : size;
    size_t copied = n * choices[1] / 255;
    tr__frame *frame;
    tr_buf *rest;
    tr_assert(tr__frame_new(&frame) == 0 && tr_buf_copy(bytes + copied, n - copied, &rest) == 0);
    memcpy(tr__frame_reserve(frame, n), bytes, copied);
    tr__frame_commit(frame, copied);
    tr_assert(tr__frame_refer(frame, rest) == 0);
    tr_buf_unref(&rest);
    link->ops->send(link, &frame);
    return n;
}

static void try_round_trip(const uint8_t *choices, const uint8_t *bytes, size_t size)
{
    fake_world *world = fake_world_new();
    fake_endpoint *a, *b;
    fake_pair(world, &a, &b);
    b->capacity = 1 + (size_t)choices[1] * 8;
    a->write_max = b->read_max = 1 + (size_t)choices[2] * 4;
    struct receiver from = {0}, to = {.expected = bytes, .keep = choices[0] & KEEP};
    receiver_open(&from, a);
    receiver_open(&to, b);
    size_t sent = 0;
    size = size < WRITES_MAX * a->write_max ? size : WRITES_MAX * a->write_max;
    for (size_t i = 0; i + 1 < size && i < 2 * FRAMES_MAX; i += 2) {
        sent += try_sending(from.link, bytes + sent, size - sent, bytes + i);
        if (bytes[i] & 1)
            fake_poll(world);
    }
    from.link->ops->finish(from.link);
    fake_run(world);
    tr_assert(to.received == sent && to.downs == 1 && from.downs == 1);
    receiver_close(&from);
    receiver_close(&to);
    fake_run(world);
    fake_world_free(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CHOICES)
        return 0;
    counted_memory_start(0);
    if (bytes[0] & ROUND_TRIP)
        try_round_trip(bytes, bytes + CHOICES, size - CHOICES);
    else
        try_reading(bytes, bytes + CHOICES, size - CHOICES);
    tr_assert(counted_memory_stop() == 0);
    return 0;
}
