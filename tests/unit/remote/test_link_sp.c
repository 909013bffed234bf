// Mostly one link and a test that plays its peer, byte by byte; where both ends matter, two links.
#include <stdlib.h>
#include <string.h>

#include "remote/link.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/fake_endpoint.h"

// ---- Bytes ----

struct bytes {
    uint8_t *at;
    size_t size;
};

static void bytes_add(struct bytes *bytes, const void *more, size_t size)
{
    bytes->at = realloc(bytes->at, bytes->size + size + 1);
    assert_non_null(bytes->at);
    if (size > 0)
        memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

static void bytes_clear(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

static const uint8_t good_hello[8] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

// The head of a frame, of any length and hop count.
static void bytes_add_head(struct bytes *wire, uint8_t type, uint64_t length, uint32_t hops)
{
    uint8_t head[13] = {type};
    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)(length >> (56 - 8 * i));
    for (int i = 0; i < 4; i++)
        head[9 + i] = (uint8_t)(hops >> (24 - 8 * i));
    bytes_add(wire, head, sizeof head);
}

static void bytes_add_frame(struct bytes *wire, const void *payload, size_t size)
{
    bytes_add_head(wire, 1, size + 4, 1);
    bytes_add(wire, payload, size);
}

// A payload that differs from place to place.
static const uint8_t *noise(size_t size)
{
    static uint8_t bytes[0x200000];
    static bool made;
    assert_true(size <= sizeof bytes);
    for (size_t i = 0; !made && i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
    made = true;
    return bytes;
}

// ---- One end with a link ----

enum upcall { NONE, FRAME, DRAINED, DOWN };

struct side {
    fake_endpoint *endpoint;
    tr__link *link;
    struct bytes got; // the frames as they would be on the wire
    int frames, drained, downs, error;
    const uint8_t *last; // where the last frame lay
    int refuse;          // what frame returns
    bool keep;           // every frame, as a slice
    tr_buf *kept[256];
    enum upcall free_in; // the link is freed in this upcall
};

static void side_free_in(struct side *side, enum upcall upcall)
{
    if (side->free_in == upcall)
        side->link->ops->free(&side->link);
}

static int side_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct side *side = owner;
    if (side->keep) {
        size_t offset = (size_t)(bytes - (const uint8_t *)tr_buf_data(storage));
        tr_buf_slice(storage, offset, size, &side->kept[side->frames]);
    }
    side->frames++;
    side->last = bytes;
    side_free_in(side, FRAME);
    bytes_add_frame(&side->got, bytes, size); // after: they stay valid until this returns
    return side->refuse;
}

static void side_drained(void *owner)
{
    struct side *side = owner;
    side->drained++;
    side_free_in(side, DRAINED);
}

static void side_down(void *owner, int error)
{
    struct side *side = owner;
    side->downs++;
    side->error = error;
    side_free_in(side, DOWN);
}

static const tr__link_up side_up = {
    .frame = side_frame, .drained = side_drained, .down = side_down};

static void side_open(struct side *side, fake_endpoint *endpoint)
{
    *side = (struct side){.endpoint = endpoint};
    assert_int_equal(0, tr__link_sp_open(&endpoint->base, &side_up, side, &side->link));
}

static void side_close(struct side *side)
{
    if (side->link != NULL)
        side->link->ops->free(&side->link);
    for (size_t i = 0; i < sizeof side->kept / sizeof side->kept[0]; i++)
        tr_buf_unref(&side->kept[i]);
    bytes_clear(&side->got);
}

// Send a frame of some bytes: copied up to the middle, referred to from there on.
static void side_send(struct side *side, const uint8_t *bytes, size_t size)
{
    tr__frame *frame = NULL;
    assert_int_equal(0, tr__frame_new(&frame));
    size_t copied = size / 2;
    uint8_t *room = tr__frame_reserve(frame, copied);
    assert_non_null(room);
    memcpy(room, bytes, copied);
    tr__frame_commit(frame, copied);
    tr_buf *rest = NULL;
    assert_int_equal(0, tr_buf_copy(bytes + copied, size - copied, &rest));
    assert_int_equal(0, tr__frame_refer(frame, rest));
    tr_buf_unref(&rest);
    side->link->ops->send(side->link, &frame);
    assert_null(frame);
}

// ---- A link and a scripted peer ----

struct fixture {
    fake_world *world;
    struct side side;
    fake_endpoint *peer;
};

static void fixture_open(struct fixture *f)
{
    fake_endpoint *end;
    f->world = fake_world_new();
    fake_pair(f->world, &end, &f->peer);
    side_open(&f->side, end);
}

static void fixture_close(struct fixture *f)
{
    side_close(&f->side);
    fake_run(f->world);
    assert_true(f->side.endpoint->gone);
    fake_world_free(&f->world);
}

static void fixture_put(struct fixture *f, const void *bytes, size_t size)
{
    fake_put(f->side.endpoint, bytes, size);
    fake_run(f->world);
}

// A link that has read the good hello.
static void fixture_open_greeted(struct fixture *f)
{
    fixture_open(f);
    fixture_put(f, good_hello, sizeof good_hello);
}

static void assert_got(const struct side *side, const uint8_t *wire, size_t size)
{
    assert_int_equal(size, side->got.size);
    assert_memory_equal(wire, side->got.at, size);
}

static void assert_down(const struct side *side, int error)
{
    assert_int_equal(1, side->downs);
    assert_int_equal(error, side->error);
}

static const size_t small_sizes[] = {0, 1, 30, 0, 7, 200};
enum { SMALL_COUNT = sizeof small_sizes / sizeof small_sizes[0] };

static struct bytes small_frames(void)
{
    struct bytes wire = {0};
    for (int i = 0; i < SMALL_COUNT; i++)
        bytes_add_frame(&wire, noise(300) + i, small_sizes[i]);
    return wire;
}

static void send_small_frames(struct side *side)
{
    for (int i = 0; i < SMALL_COUNT; i++)
        side_send(side, noise(300) + i, small_sizes[i]);
}

// ---- Reading ----

// Goal:   it does not matter how what the peer sends is cut.
// Method: several frames, cut in two at every place; then read byte by byte.
static void test_frames_arrive_whole_however_they_are_cut(void **state)
{
    (void)state;
    struct bytes frames = small_frames(), wire = {0};
    bytes_add(&wire, good_hello, sizeof good_hello);
    bytes_add(&wire, frames.at, frames.size);
    for (size_t cut = 0; cut <= wire.size; cut++) {
        struct fixture f;
        fixture_open(&f);
        f.side.endpoint->read_max = cut == 0 ? 1 : SIZE_MAX;
        fixture_put(&f, wire.at, cut);
        fixture_put(&f, wire.at + cut, wire.size - cut);
        assert_got(&f.side, frames.at, frames.size);
        assert_int_equal(0, f.side.downs);
        fixture_close(&f);
    }
    bytes_clear(&frames);
    bytes_clear(&wire);
}

// Goal:   a peer that ends at a frame's end went away; one that ends in a frame broke it; one that
//         never introduced itself is no peer.
// Method: end the stream after every byte.
static void test_the_end_of_the_stream_after_every_byte(void **state)
{
    (void)state;
    struct bytes wire = {0};
    bytes_add(&wire, good_hello, sizeof good_hello);
    for (int i = 0; i < 3; i++)
        bytes_add_frame(&wire, "abc", (size_t)i);
    for (size_t cut = 0; cut <= wire.size; cut++) {
        struct fixture f;
        fixture_open(&f);
        fixture_put(&f, wire.at, cut);
        fake_end(f.side.endpoint);
        fake_run(f.world);
        bool whole = cut <= 8 || cut == 8 + 13 || cut == 8 + 13 + 14 || cut == wire.size;
        assert_down(&f.side, whole ? TR_EDOWN : TR_EFRAME);
        assert_int_equal((cut >= 21) + (cut >= 35) + (cut >= 50), f.side.frames);
        fixture_close(&f);
    }
    bytes_clear(&wire);
}

static void test_a_peer_that_is_no_pair1_is_refused(void **state)
{
    (void)state;
    for (int at = 0; at < 8; at++) {
        uint8_t hello[8];
        memcpy(hello, good_hello, sizeof hello);
        hello[at] ^= 0x01; // at 5: pair0
        struct fixture f;
        fixture_open(&f);
        fixture_put(&f, hello, sizeof hello);
        assert_down(&f.side, at == 4 || at == 5 ? TR_EVERSION : TR_EFRAME);
        fixture_close(&f);
    }
}

static void test_every_field_of_a_head_is_checked(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        uint32_t hops;
        uint8_t type;
        int error;
    } heads[] = {
        {4, 1, 0, TR_EFRAME},
        {4, 1, 2, TR_EFRAME},
        {0, 1, 1, TR_EFRAME},
        {3, 1, 1, TR_EFRAME},
        {4, 0, 1, TR_EFRAME},
        {4, 256, 1, TR_EFRAME},
        {4, 257, 1, TR_EFRAME},
        {4, 0x01000001, 1, TR_EFRAME},
        {4, 0x00010001, 1, TR_EFRAME},
        {(uint64_t)TR__FRAME_MAX + 5, 1, 1, TR_ETOOBIG},
        {UINT64_MAX, 1, 1, TR_ETOOBIG},
        {4, 255, 1, 0},
        {(uint64_t)TR__FRAME_MAX + 4, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct fixture f;
        fixture_open_greeted(&f);
        struct bytes wire = {0};
        bytes_add_frame(&wire, "before", 6);
        size_t before = wire.size;
        bytes_add_head(&wire, heads[i].type, heads[i].length, heads[i].hops);
        fixture_put(&f, wire.at, wire.size);
        assert_int_equal(heads[i].error != 0, f.side.downs);
        assert_int_equal(heads[i].error, f.side.error);
        assert_memory_equal(wire.at, f.side.got.at, before);
        fixture_close(&f);
        bytes_clear(&wire);
    }
}

// Goal:   a head alone gets no memory to speak of; what has arrived gets about twice as much, and
//         not anew with every read.
// Method: announce the largest frame, send a part in small parts, look at the allocator.
static void test_memory_follows_what_has_arrived_not_what_was_announced(void **state)
{
    (void)state;
    static const size_t parts[] = {0, 1, 1000, 0x100000, 0x200000, 0x800000};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t sent = parts[i];
        counted_memory_start(0);
        struct fixture f;
        fixture_open_greeted(&f);
        f.side.endpoint->read_max = 10000;
        struct bytes wire = {0};
        bytes_add_head(&wire, 1, (uint64_t)TR__FRAME_MAX + 4, 1);
        for (size_t n; (n = 13 + sent - wire.size) > 0;)
            bytes_add(&wire, noise(0x200000), n < 0x200000 ? n : 0x200000);
        fixture_put(&f, wire.at, 13);
        fixture_put(&f, wire.at + 13, sent);
        assert_in_range(counted.peak, sent, 3 * sent + 0x280000);
        assert_in_range(counted.calls, 1, 8);
        assert_int_equal(0, f.side.downs);
        fixture_close(&f);
        bytes_clear(&wire);
        assert_int_equal(0, counted_memory_stop());
    }
}

// Goal:   an endpoint that collects messages collects no larger ones than the link takes.
static void test_what_limits_frames_limits_the_endpoint(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    tr__link_sp_limit(f.side.link, 100);
    assert_int_equal(4 + 100, f.side.endpoint->limit);
    fixture_close(&f);
}

static void test_an_error_of_the_owner_closes_with_it(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    f.side.refuse = TR_EBADMSG;
    struct bytes wire = small_frames();
    fixture_put(&f, wire.at, wire.size);
    assert_down(&f.side, TR_EBADMSG);
    assert_int_equal(1, f.side.frames);
    fixture_close(&f);
    bytes_clear(&wire);
}

static void test_what_arrived_before_an_error_is_delivered(void **state)
{
    (void)state;
    static const int errors[][2] = {
        {-ECONNRESET, TR_EDOWN}, {TR_EPIPE, TR_EDOWN}, {TR_EIO, TR_EIO}};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct fixture f;
        fixture_open_greeted(&f);
        struct bytes wire = small_frames();
        f.side.endpoint->read_error = errors[i][0];
        fixture_put(&f, wire.at, wire.size - 1); // it may well be in a frame
        assert_int_equal(SMALL_COUNT - 1, f.side.frames);
        assert_down(&f.side, errors[i][1]);
        fixture_close(&f);
        bytes_clear(&wire);
    }
}

// Goal:   a peer that floods does not keep the loop from its other work.
// Method: 8 MiB lie ready; look at how much one poll takes.
static void test_one_upcall_reads_a_bounded_amount(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = {0};
    while (wire.size < 0x800000)
        bytes_add_frame(&wire, noise(0x10000), 0x10000);
    fake_put(f.side.endpoint, wire.at, wire.size);
    assert_true(fake_poll(f.world));
    assert_in_range(wire.size - f.side.endpoint->size, 0x100000, 0x180000);
    fake_run(f.world);
    assert_got(&f.side, wire.at, wire.size);
    fixture_close(&f);
    bytes_clear(&wire);
}

// Goal:   bytes that the owner has kept stay as they were.
// Method: keep slices of some frames, read on for several chunks, compare.
static void test_what_the_owner_keeps_is_not_overwritten(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = {0};
    for (int i = 0; i < 200; i++) {
        size_t size = i % 10 == 9 ? 100000 : 1000 * (size_t)(i % 10);
        wire.size = 0;
        bytes_add_frame(&wire, noise(200000) + i, size);
        f.side.keep = i % 3 == 0;
        fixture_put(&f, wire.at, wire.size);
    }
    assert_int_equal(200, f.side.frames);
    for (int i = 0; i < 200; i += 3) {
        size_t size = i % 10 == 9 ? 100000 : 1000 * (size_t)(i % 10);
        assert_int_equal(size, tr_buf_size(f.side.kept[i]));
        assert_memory_equal(noise(200000) + i, tr_buf_data(f.side.kept[i]), size);
    }
    fixture_close(&f);
    bytes_clear(&wire);
}

// Goal:   in the steady state reading takes no memory, touches the same memory, and asks the
//         endpoint no more often than something has come.
// Method: the same frames many times; look at the allocator, the place and the calls.
static void test_reading_is_cheap_in_the_steady_state(void **state)
{
    (void)state;
    counted_memory_start(0);
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = {0};
    for (int i = 0; i < 50; i++)
        bytes_add_frame(&wire, noise(70000), i == 30 ? 70000 : 30);
    fixture_put(&f, wire.at, wire.size);
    fixture_put(&f, wire.at, wire.size);
    size_t calls = counted.calls;
    unsigned reads = f.side.endpoint->reads;
    const uint8_t *last = f.side.last;
    for (int i = 0; i < 10; i++) {
        fixture_put(&f, wire.at, wire.size);
        assert_ptr_equal(last, f.side.last);
    }
    assert_int_equal(calls, counted.calls);
    assert_int_equal(reads + 10, f.side.endpoint->reads);
    assert_int_equal(12 * 50, f.side.frames);
    fixture_close(&f);
    bytes_clear(&wire);
    assert_int_equal(0, counted_memory_stop());
}

static void test_a_large_frame_is_not_held_after_it_was_delivered(void **state)
{
    (void)state;
    counted_memory_start(0);
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = {0};
    bytes_add_frame(&wire, noise(0x200000), 0x200000);
    fixture_put(&f, wire.at, wire.size);
    assert_got(&f.side, wire.at, wire.size);
    assert_in_range(counted.live, 0, 0x11000);
    fixture_close(&f);
    bytes_clear(&wire);
    assert_int_equal(0, counted_memory_stop());
}

static void test_large_frames_use_the_same_memory_again(void **state)
{
    (void)state;
    counted_memory_start(0);
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = {0};
    bytes_add_frame(&wire, noise(0x100000), 0x100000);
    fixture_put(&f, wire.at, wire.size);
    size_t calls = counted.calls, live = counted.live;
    for (int i = 0; i < 10; i++)
        fixture_put(&f, wire.at, wire.size);
    assert_int_equal(calls + 10, counted.calls); // the small chunk after each
    assert_int_equal(live, counted.live);
    assert_int_equal(11, f.side.frames);
    fixture_close(&f);
    bytes_clear(&wire);
    assert_int_equal(0, counted_memory_stop());
}

static void test_drain_delivers_at_once_and_tells_the_end_later(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = small_frames();
    f.side.endpoint->read_max = 3;
    fake_put(f.side.endpoint, wire.at, wire.size);
    fake_end(f.side.endpoint);
    f.side.link->ops->drain(f.side.link);
    assert_got(&f.side, wire.at, wire.size);
    assert_true(f.side.link->read_out);
    assert_int_equal(0, f.side.downs);
    fake_run(f.world);
    assert_down(&f.side, TR_EDOWN);
    f.side.link->ops->drain(f.side.link);
    fixture_close(&f);
    bytes_clear(&wire);
}

static void test_a_broken_frame_met_by_drain_is_told_without_more_input(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    fake_put(f.side.endpoint, "\2garbage.", 9);
    f.side.link->ops->drain(f.side.link);
    assert_false(f.side.link->read_out);
    assert_int_equal(0, f.side.downs);
    fake_run(f.world);
    assert_down(&f.side, TR_EFRAME);
    assert_int_equal(0, f.side.drained);
    fixture_close(&f);
}

static void test_drain_reads_all_of_one_that_somebody_else_still_holds(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = small_frames();
    fake_put(f.side.endpoint, wire.at, wire.size);
    assert_false(f.side.link->read_out);
    f.side.link->ops->drain(f.side.link);
    assert_got(&f.side, wire.at, wire.size);
    assert_true(f.side.link->read_out);
    fixture_close(&f);
    bytes_clear(&wire);
}

// ---- Writing ----

static void test_the_hello_goes_first_and_frames_do_not_wait_for_the_peers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    assert_int_equal(8, f.peer->size);
    assert_memory_equal(good_hello, f.peer->bytes, 8);
    fake_take(f.peer, 8);
    send_small_frames(&f.side);
    struct bytes wire = small_frames();
    assert_int_equal(wire.size, f.peer->size);
    assert_memory_equal(wire.at, f.peer->bytes, wire.size);
    assert_int_equal(0, f.side.link->ops->queued(f.side.link));
    assert_int_equal(0, f.side.drained); // it had never been full
    fixture_close(&f);
    bytes_clear(&wire);
}

// Take what has arrived at the peer as long as more comes.
static void peer_collect(struct fixture *f, struct bytes *out)
{
    do {
        bytes_add(out, f->peer->bytes, f->peer->size);
        fake_take(f->peer, f->peer->size);
        fake_run(f->world);
    } while (f->peer->size > 0);
}

// Goal:   it does not matter how much the endpoint takes at a time.
// Method: capacities from 1 up, and write calls cut as short; finish behind it.
static void test_frames_leave_whole_however_they_are_cut(void **state)
{
    (void)state;
    struct bytes frames = small_frames();
    for (size_t capacity = 1; capacity <= 8 + frames.size; capacity++) {
        struct fixture f;
        f.world = fake_world_new();
        fake_endpoint *end;
        fake_pair(f.world, &end, &f.peer);
        f.peer->capacity = capacity;
        end->write_max = 1 + capacity / 3;
        side_open(&f.side, end);
        send_small_frames(&f.side);
        assert_int_equal(8 + frames.size - capacity, f.side.link->ops->queued(f.side.link));
        f.side.link->ops->finish(f.side.link);
        assert_int_equal(capacity == 8 + frames.size, end->shut);
        struct bytes out = {0};
        peer_collect(&f, &out);
        assert_int_equal(8 + frames.size, out.size);
        assert_memory_equal(good_hello, out.at, 8);
        assert_memory_equal(frames.at, out.at + 8, frames.size);
        assert_true(end->shut && f.peer->ended);
        assert_int_equal(capacity < 8 + frames.size, f.side.drained);
        assert_int_equal(0, f.side.link->ops->queued(f.side.link));
        assert_int_equal(TR__READ, end->wanted);
        fixture_close(&f);
        bytes_clear(&out);
    }
    bytes_clear(&frames);
}

static void test_a_blocked_queue_leaves_in_few_writes(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    f.peer->capacity = 0;
    for (int i = 0; i < 1000; i++)
        side_send(&f.side, (const uint8_t *)"xyz", 3);
    assert_int_equal(2, f.side.endpoint->writes); // the hello; the first frame, in vain
    f.peer->capacity = SIZE_MAX;
    fake_run(f.world);
    assert_int_equal(8 + 1000 * 16, f.peer->size);
    assert_in_range(f.side.endpoint->writes, 2 + 1000 * 2 / TR__IOV_MAX,
                    3 + 1000 * 2 / TR__IOV_MAX);
    fixture_close(&f);
}

static void side_send_held(struct side *side, const char *text, int holds)
{
    tr__frame *frame = NULL;
    assert_int_equal(0, tr__frame_new(&frame));
    memcpy(tr__frame_reserve(frame, strlen(text)), text, strlen(text));
    tr__frame_commit(frame, strlen(text));
    while (holds-- > 0)
        tr__frame_hold(frame);
    side->link->ops->send(side->link, &frame);
}

static void assert_left(struct fixture *f, const char *const *texts, size_t count)
{
    struct bytes wire = {0};
    for (size_t i = 0; i < count; i++)
        bytes_add_frame(&wire, texts[i], strlen(texts[i]));
    fake_run(f->world);
    assert_int_equal(wire.size, f->peer->size);
    assert_memory_equal(wire.at, f->peer->bytes, wire.size);
    bytes_clear(&wire);
}

// Goal:   a frame that is held stays until it is let go, with those behind it, and costs no polls.
// Method: frames held twice and once among others, let go one at a time.
static void test_a_held_frame_keeps_itself_and_those_behind_it(void **state)
{
    (void)state;
    static const char *const texts[] = {"one", "twice", "two", "once", "three"};
    struct fixture f;
    fixture_open(&f);
    fake_take(f.peer, f.peer->size);
    for (int i = 0; i < 5; i++)
        side_send_held(&f.side, texts[i], i == 1 ? 2 : i == 3);
    assert_left(&f, texts, 1);
    assert_int_equal(TR__READ, f.side.endpoint->wanted);
    assert_true(f.side.link->ops->let_go(f.side.link));
    assert_left(&f, texts, 1);
    f.peer->capacity = 0; // it is not written in the call, but when there is room
    assert_true(f.side.link->ops->let_go(f.side.link));
    f.peer->capacity = SIZE_MAX;
    assert_left(&f, texts, 3);
    assert_int_equal(0, f.side.drained);
    f.side.link->ops->finish(f.side.link);
    assert_false(f.peer->ended);
    assert_true(f.side.link->ops->let_go(f.side.link));
    assert_false(f.side.link->ops->let_go(f.side.link));
    assert_left(&f, texts, 5);
    assert_true(f.peer->ended);
    fixture_close(&f);
}

static void write_error_leaves_the_rest_to_be_read(int error, int told)
{
    struct fixture f;
    fixture_open_greeted(&f);
    struct bytes wire = small_frames();
    f.peer->capacity = 0;
    send_small_frames(&f.side); // waits
    fake_put(f.side.endpoint, wire.at, wire.size);
    f.side.endpoint->write_error = error;
    fake_run(f.world);
    assert_got(&f.side, wire.at, wire.size);
    assert_int_equal(0, f.side.downs);
    assert_int_equal(0, f.side.drained); // nothing has left
    assert_int_equal(0, f.side.link->ops->queued(f.side.link));
    unsigned writes = f.side.endpoint->writes;
    side_send(&f.side, (const uint8_t *)"dropped", 7);
    assert_int_equal(writes, f.side.endpoint->writes);
    fixture_put(&f, wire.at, wire.size);
    assert_int_equal(2 * SMALL_COUNT, f.side.frames);
    fake_end(f.side.endpoint);
    fake_run(f.world);
    assert_down(&f.side, told);
    fixture_close(&f);
    bytes_clear(&wire);
}

static void test_after_an_error_of_writing_the_rest_is_still_read(void **state)
{
    (void)state;
    write_error_leaves_the_rest_to_be_read(TR_EPIPE, TR_EDOWN);
    write_error_leaves_the_rest_to_be_read(TR_EIO, TR_EIO); // told as the reason of the end
}

static void test_nothing_is_sent_after_finish_or_down(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    f.side.link->ops->finish(f.side.link);
    f.side.link->ops->finish(f.side.link);
    assert_true(f.peer->ended);
    side_send(&f.side, (const uint8_t *)"late", 4);
    assert_int_equal(8, f.peer->size);
    fixture_put(&f, "\1\0\0\0\0\0\0\0\4\0\0\0\1", 13); // and is still heard
    assert_int_equal(1, f.side.frames);
    fixture_close(&f);

    fixture_open_greeted(&f);
    f.peer->capacity = 0;
    send_small_frames(&f.side);
    fake_end(f.side.endpoint);
    fake_run(f.world);
    assert_down(&f.side, TR_EDOWN);
    assert_int_equal(0, f.side.link->ops->queued(f.side.link));
    side_send(&f.side, (const uint8_t *)"late", 4);
    assert_int_equal(0, f.side.link->ops->queued(f.side.link));
    f.side.link->ops->finish(f.side.link);
    assert_int_equal(0, f.side.endpoint->wanted); // and nothing more is heard of it
    fixture_close(&f);
}

// ---- Life ----

static void free_in(enum upcall upcall, int refuse)
{
    struct fixture f;
    fixture_open_greeted(&f);
    f.side.free_in = upcall;
    f.side.refuse = refuse;
    f.peer->capacity = 100;
    send_small_frames(&f.side);
    struct bytes wire = {0};
    if (upcall == FRAME)
        bytes_add_frame(&wire, "freed in the first of two", 25);
    if (upcall == FRAME)
        bytes_add_frame(&wire, "never seen", 10);
    if (upcall == DOWN)
        bytes_add(&wire, "garbage..", 9);
    fixture_put(&f, wire.at, wire.size);
    f.peer->capacity = SIZE_MAX;
    fake_run(f.world);
    assert_null(f.side.link);
    assert_int_equal(upcall == FRAME, f.side.frames);
    assert_int_equal(upcall == DRAINED, f.side.drained);
    assert_int_equal(upcall == DOWN, f.side.downs);
    fixture_close(&f);
    bytes_clear(&wire);
}

// Goal:   the owner may free the link wherever it is called, and hears nothing more of it, not even
//         of an error that it returns.
static void test_the_link_may_be_freed_in_every_upcall(void **state)
{
    (void)state;
    free_in(FRAME, 0);
    free_in(FRAME, TR_EBADMSG);
    free_in(DRAINED, 0);
    free_in(DOWN, 0);
}

static void test_no_upcall_follows_free(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_greeted(&f);
    f.peer->capacity = 10;
    send_small_frames(&f.side);
    f.side.link->ops->free(&f.side.link);
    f.side.link = NULL;
    f.peer->capacity = SIZE_MAX;
    fixture_put(&f, "garbage..", 9);
    assert_int_equal(0, f.side.frames + f.side.drained + f.side.downs);
    fixture_close(&f);
}

// Goal:   no allocation that fails does harm: an error of the call, or a link that goes down.
// Method: fail each allocation of an exchange in turn, until none fails.
static void test_no_memory_at_any_point(void **state)
{
    (void)state;
    struct bytes wire = {0};
    bytes_add(&wire, good_hello, sizeof good_hello);
    bytes_add_frame(&wire, noise(0x100000), 0x100000);
    size_t fail_at = 0, refused = 0, downs = 0;
    do {
        counted_memory_start(++fail_at);
        struct fixture f = {.world = fake_world_new()};
        fake_pair(f.world, &f.side.endpoint, &f.peer);
        tr_endpoint *end = &f.side.endpoint->base;
        int rc = tr__link_sp_open(end, &side_up, &f.side, &f.side.link);
        assert_true(rc == 0 || (rc == TR_ENOMEM && f.side.endpoint->closed));
        if (rc == 0)
            fixture_put(&f, wire.at, wire.size);
        assert_int_equal(f.side.downs > 0 ? TR_ENOMEM : 0, f.side.error);
        refused += rc < 0;
        downs += (size_t)f.side.downs;
        fixture_close(&f);
        assert_int_equal(0, counted_memory_stop());
    } while (counted_memory_failed());
    assert_int_equal(2, refused);
    assert_int_equal(2, downs); // the first chunk and the one of the frame's size
    bytes_clear(&wire);
}

// ---- Two links ----

struct two {
    fake_world *world;
    struct side a, b;
};

static void two_open(struct two *t, size_t capacity, size_t part)
{
    fake_endpoint *a, *b;
    t->world = fake_world_new();
    fake_pair(t->world, &a, &b);
    a->capacity = b->capacity = capacity;
    a->read_max = b->read_max = a->write_max = b->write_max = part;
    side_open(&t->a, a);
    side_open(&t->b, b);
}

static void two_close(struct two *t)
{
    side_close(&t->a);
    side_close(&t->b);
    fake_run(t->world);
    fake_world_free(&t->world);
}

static void test_two_links_talk_through_any_pipe(void **state)
{
    (void)state;
    struct bytes wire = small_frames();
    for (size_t n = 1; n < 300; n++) {
        struct two t;
        two_open(&t, n % 17 + 1, n);
        send_small_frames(&t.a);
        send_small_frames(&t.b);
        t.a.link->ops->finish(t.a.link);
        t.b.free_in = DOWN; // which a hears as the end
        fake_run(t.world);
        assert_got(&t.a, wire.at, wire.size);
        assert_got(&t.b, wire.at, wire.size);
        assert_down(&t.a, TR_EDOWN);
        assert_down(&t.b, TR_EDOWN);
        two_close(&t);
    }
    bytes_clear(&wire);
}

// Goal:   every size arrives as it left.
// Method: 0, 1 and 2^k - 1, 2^k, 2^k + 1 up to 1 MiB, through a pipe like a socket's.
static void test_every_size_arrives(void **state)
{
    (void)state;
    struct two t;
    two_open(&t, 200000, SIZE_MAX);
    struct bytes wire = {0};
    for (size_t k = 1; k <= 0x100000; k *= 2) {
        for (size_t size = k - 1; size <= k + 1; size++) {
            side_send(&t.a, noise(size) + k % 100, size);
            bytes_add_frame(&wire, noise(size) + k % 100, size);
        }
    }
    fake_run(t.world);
    assert_got(&t.b, wire.at, wire.size);
    two_close(&t);
    bytes_clear(&wire);
}

static int count_large(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    (void)storage;
    size_t *good = owner;
    for (size_t i = 0; i < size; i += 0x100000)
        *good += memcmp(bytes + i, noise(0x100000) + i / 0x100000, 0x100000) == 0;
    return 0;
}

static void test_the_largest_frame_arrives(void **state)
{
    (void)state;
    size_t good = 0, parts = TR__FRAME_MAX / 0x100000;
    const tr__link_up up = {.frame = count_large, .drained = side_drained, .down = side_down};
    struct fixture f;
    fixture_open(&f);
    tr__link *peer = NULL;
    assert_int_equal(0, tr__link_sp_open(&f.peer->base, &up, &good, &peer));
    tr__frame *frame = NULL;
    assert_int_equal(0, tr__frame_new(&frame));
    for (size_t i = 0; i < parts; i++) {
        memcpy(tr__frame_reserve(frame, 0x100000), noise(0x100000) + i, 0x100000);
        tr__frame_commit(frame, 0x100000);
    }
    assert_int_equal(TR__FRAME_MAX, tr__frame_size(frame));
    f.peer->capacity = 0x300000;
    f.side.link->ops->send(f.side.link, &frame);
    fake_run(f.world);
    assert_int_equal(parts, good);
    assert_int_equal(1, f.side.drained);
    peer->ops->free(&peer);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_arrive_whole_however_they_are_cut),
        cmocka_unit_test(test_the_end_of_the_stream_after_every_byte),
        cmocka_unit_test(test_a_peer_that_is_no_pair1_is_refused),
        cmocka_unit_test(test_every_field_of_a_head_is_checked),
        cmocka_unit_test(test_memory_follows_what_has_arrived_not_what_was_announced),
        cmocka_unit_test(test_what_limits_frames_limits_the_endpoint),
        cmocka_unit_test(test_an_error_of_the_owner_closes_with_it),
        cmocka_unit_test(test_what_arrived_before_an_error_is_delivered),
        cmocka_unit_test(test_one_upcall_reads_a_bounded_amount),
        cmocka_unit_test(test_what_the_owner_keeps_is_not_overwritten),
        cmocka_unit_test(test_reading_is_cheap_in_the_steady_state),
        cmocka_unit_test(test_a_large_frame_is_not_held_after_it_was_delivered),
        cmocka_unit_test(test_large_frames_use_the_same_memory_again),
        cmocka_unit_test(test_drain_delivers_at_once_and_tells_the_end_later),
        cmocka_unit_test(test_a_broken_frame_met_by_drain_is_told_without_more_input),
        cmocka_unit_test(test_drain_reads_all_of_one_that_somebody_else_still_holds),
        cmocka_unit_test(test_the_hello_goes_first_and_frames_do_not_wait_for_the_peers),
        cmocka_unit_test(test_frames_leave_whole_however_they_are_cut),
        cmocka_unit_test(test_a_blocked_queue_leaves_in_few_writes),
        cmocka_unit_test(test_a_held_frame_keeps_itself_and_those_behind_it),
        cmocka_unit_test(test_after_an_error_of_writing_the_rest_is_still_read),
        cmocka_unit_test(test_nothing_is_sent_after_finish_or_down),
        cmocka_unit_test(test_the_link_may_be_freed_in_every_upcall),
        cmocka_unit_test(test_no_upcall_follows_free),
        cmocka_unit_test(test_no_memory_at_any_point),
        cmocka_unit_test(test_two_links_talk_through_any_pipe),
        cmocka_unit_test(test_every_size_arrives),
        cmocka_unit_test(test_the_largest_frame_arrives),
    };
    return cmocka_run_group_tests_name("link_sp", tests, NULL, NULL);
}
