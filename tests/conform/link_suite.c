// Goal:   over every scheme a link keeps what remote/link.h promises.
// Method: links at both ends of a connection; or at one end, and the test is
// the other: it writes the
//         protocol byte by byte, cuts it off anywhere, and reads or does not.
#include "conform/link_suite.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "remote/remote.h"
#include "support/cmocka.h"

#define WAIT_NS (UINT64_C(60) * 1000000000)
#define MIB     0x100000u

static const struct link_theatre *theatre;
static tr_world *world;
static tr_node *node; // that has it; NULL: nobody

static bool is_full_scale(void)
{
    const char *scale = getenv("TROUPE_TEST_SCALE");
    return scale != NULL && strcmp(scale, "1") == 0;
}

// ---- The world ----

static int suite_open(void **state)
{
    (void)state;
    world = theatre->open();
    return 0;
}

static int suite_close(void **state)
{
    (void)state;
    for (int i = 0; i < 3 && node == NULL; i++) // closed endpoints are told of in later polls
        world->ops->poll(world, 0);
    if (theatre->leave != NULL)
        theatre->leave();
    if (node != NULL)
        tr__node_free(&node); // with the world
    else
        world->ops->close(&world);
    if (theatre->end != NULL)
        theatre->end();
    return 0;
}

static void run_until(bool (*is_so)(void *arg), void *arg)
{
    uint64_t deadline = world->ops->now(world) + WAIT_NS;
    while (!is_so(arg)) {
        assert_true(world->ops->now(world) < deadline);
        if (node != NULL)
            assert_true(tr__node_step(node));
        else
            world->ops->poll(world, deadline);
    }
}

// ---- Frames: the nth is a part of the noise ----

static uint8_t *noise; // NOISE bytes, different everywhere
#define NOISE (TR__FRAME_MAX + 4096)

static void make_noise(void)
{
    uint64_t x = 88172645463325252u;
    noise = malloc(NOISE);
    assert_non_null(noise);
    for (size_t i = 0; i + 8 <= NOISE; i += 8) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(noise + i, &x, 8);
    }
}

static const uint8_t *frame_bytes(unsigned nth)
{
    return noise + nth % 4096;
}

// ---- One end with a link ----

struct side {
    tr__link *link;
    size_t (*size_of)(unsigned nth); // of the frames that come
    unsigned got;
    unsigned wanted; // frames that the test waits for
    int drained, downs, error;
};

static int side_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct side *s = owner;
    (void)storage;
    assert_int_equal(s->size_of(s->got), size);
    assert_memory_equal(frame_bytes(s->got), bytes, size);
    s->got++;
    return 0;
}

static void side_drained(void *owner)
{
    ((struct side *)owner)->drained++;
}

static void side_down(void *owner, int error)
{
    struct side *s = owner;
    s->downs++;
    s->error = error;
}

static const tr__link_up SIDE_UP = {
    .frame = side_frame, .drained = side_drained, .down = side_down};

static void side_open(struct side *s, tr_endpoint *endpoint, size_t (*size_of)(unsigned nth))
{
    *s = (struct side){.size_of = size_of};
    assert_int_equal(0, tr__link_sp_open(endpoint, &SIDE_UP, s, &s->link));
}

static void side_send(struct side *s, unsigned nth, size_t size)
{
    tr__frame *frame;
    tr_buf *bytes;
    assert_int_equal(0, tr__frame_new(&frame));
    if (size < MIB) {
        uint8_t *room = tr__frame_reserve(frame, size);
        assert_non_null(room);
        memcpy(room, frame_bytes(nth), size);
        tr__frame_commit(frame, size);
    } else {
        assert_int_equal(0, tr_buf_copy(frame_bytes(nth), size, &bytes));
        assert_int_equal(0, tr__frame_refer(frame, bytes));
        tr_buf_unref(&bytes);
    }
    s->link->ops->send(s->link, &frame);
}

static bool side_has_got(void *arg)
{
    struct side *s = arg;
    assert_int_equal(0, s->downs);
    return s->got >= s->wanted;
}

static bool side_is_down(void *arg)
{
    return ((struct side *)arg)->downs > 0;
}

static void both_open(struct side sides[2], size_t (*size_of)(unsigned nth))
{
    tr_endpoint *ends[2];
    theatre->pair(world, ends);
    side_open(&sides[0], ends[0], size_of);
    side_open(&sides[1], ends[1], size_of);
}

static void both_close(struct side sides[2])
{
    sides[0].link->ops->free(&sides[0].link);
    sides[1].link->ops->free(&sides[1].link);
}

// ---- One end that the test plays ----

struct raw {
    tr_endpoint *endpoint;
    uint8_t bytes[MIB];
    size_t read; // all that has come
    bool ended, closed, stopped;
};

static bool raw_readable(void *owner)
{
    struct raw *r = owner;
    tr_iov room = {r->bytes + r->read % (MIB / 2), MIB / 2};
    ssize_t n = r->endpoint->world->ops->endpoint_read(r->endpoint, &room, 1);
    r->read += n > 0 ? (size_t)n : 0;
    r->ended = n <= 0 && n != TR_EAGAIN;
    if (r->ended)
        r->endpoint->world->ops->endpoint_want(r->endpoint, 0);
    return n > 0;
}

static void raw_writable(void *owner)
{
    (void)owner;
}

static void raw_closed(void *owner)
{
    ((struct raw *)owner)->closed = true;
}

static const tr_endpoint_up RAW_UP = {raw_readable, raw_writable, raw_closed};

// It reads, or does not.
static void raw_open(struct raw *r, tr_endpoint *endpoint, bool reads)
{
    memset(r, 0, sizeof *r);
    r->endpoint = endpoint;
    endpoint->world->ops->endpoint_bind(endpoint, &RAW_UP, r);
    endpoint->world->ops->endpoint_want(endpoint, reads ? TR__READ : 0);
}

// What is written here always has room.
static void raw_write(struct raw *r, const void *bytes, size_t size)
{
    const tr_world_ops *ops = r->endpoint->world->ops;
    tr_iov iov = {(void *)(uintptr_t)bytes, size};
    while (iov.len > 0) {
        ssize_t n = ops->endpoint_write(r->endpoint, &iov, 1);
        if (n == TR_EAGAIN) {
            world->ops->poll(world, 0);
            continue;
        }
        assert_true(n > 0);
        iov.base = (char *)iov.base + n;
        iov.len -= (size_t)n;
    }
}

static bool raw_is_closed(void *arg)
{
    return ((struct raw *)arg)->closed;
}

static void raw_close(struct raw *r)
{
    r->endpoint->world->ops->endpoint_close(r->endpoint);
    run_until(raw_is_closed, r);
}

enum { HELLO = 8 };

static bool raw_has_read_hello(void *arg)
{
    return ((struct raw *)arg)->read >= HELLO;
}

static const uint8_t hello[HELLO] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

// The head of a frame, as this scheme has it. Returns how many bytes.
static size_t head_of(tr_endpoint *endpoint, size_t body, uint8_t *wire)
{
    tr_site site;
    size_t size = 0;
    bool typed = endpoint->world->ops->endpoint_site(endpoint, false, &site) < 0 || !site.tcp;
    if (typed)
        wire[size++] = 1;
    for (int i = 7; i >= 0; i--)
        wire[size++] = (uint8_t)((uint64_t)(body + 4) >> (8 * i));
    for (int i = 0; i < 4; i++)
        wire[size++] = i == 3;
    return size;
}

// The bytes of a hello and of one frame, of a large one only the head.
static size_t wire_of(tr_endpoint *endpoint, size_t body, uint8_t *wire)
{
    memcpy(wire, hello, sizeof hello);
    size_t size = sizeof hello + head_of(endpoint, body, wire + sizeof hello);
    size_t shown = body < 16 ? body : 0;
    memcpy(wire + size, frame_bytes(0), shown);
    return size + shown;
}

// ---- Tests ----

static size_t size_mixed(unsigned nth)
{
    return nth % 3 == 0 ? nth % 50 : (size_t)nth * 7919 % (nth % 20 == 1 ? 70000 : 3000);
}

// Goal:   all frames arrive as they were sent, in order, both ways at the same
// time. Method: a window of frames in flight each way, of sizes on both sides
// of all that is buffered.
static void order_is_kept_both_ways(void **state)
{
    struct side sides[2];
    unsigned count = theatre->slow ? 150 : 3000, window = 50, sent = 0;
    (void)state;
    both_open(sides, size_mixed);
    while (sent < count) {
        for (unsigned end = sent + window; sent < end; sent++)
            for (int i = 0; i < 2; i++)
                side_send(&sides[i], sent, size_mixed(sent));
        for (int i = 0; i < 2; i++) {
            sides[i].wanted = sent - window / 2;
            run_until(side_has_got, &sides[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        sides[i].wanted = count;
        run_until(side_has_got, &sides[i]);
    }
    both_close(sides);
}

static const size_t SIZES[] = {0,        1,           4095,         4096, 65535,
                               65536,    0x40000 - 1, 0x40000 + 1,  MIB,  2 * MIB + 7,
                               16 * MIB, 64 * MIB,    TR__FRAME_MAX};

static size_t size_listed(unsigned nth)
{
    return SIZES[nth];
}

static void a_frame_of_any_size_arrives(void **state)
{
    struct side sides[2];
    unsigned count = sizeof SIZES / sizeof SIZES[0];
    (void)state;
    if (!is_full_scale())
        count -= theatre->slow ? 5 : 3;
    both_open(sides, size_listed);
    for (unsigned nth = 0; nth < count; nth++) {
        side_send(&sides[0], nth, SIZES[nth]);
        sides[1].wanted = nth + 1;
        run_until(side_has_got, &sides[1]);
    }
    both_close(sides);
}

static void a_frame_above_the_largest_is_an_error_before_its_first_byte(void **state)
{
    static struct raw r;
    struct side s;
    tr_endpoint *ends[2];
    uint8_t wire[64];
    (void)state;
    theatre->pair(world, ends);
    side_open(&s, ends[1], size_mixed);
    raw_open(&r, ends[0], true);
    raw_write(&r, wire, wire_of(ends[0], TR__FRAME_MAX + 1, wire));
    run_until(side_is_down, &s);
    assert_int_equal(TR_ETOOBIG, s.error);
    s.link->ops->free(&s.link);
    raw_close(&r);
}

static bool side_has_drained(void *arg)
{
    const struct side *s = arg;
    return s->link->ops->queued(s->link) == 0 && s->drained > 0;
}

// Goal:   who does not read stops the sender, who is told when there is room
// again. Method: more than all buffers on the way hold is sent; most of it must
// still be the sender's; then
//         it is read.
static void a_peer_that_does_not_read_stops_the_sender(void **state)
{
    static struct raw r;
    struct side s;
    tr_endpoint *ends[2];
    unsigned count = theatre->slow ? 64 : 320; // of 64 KiB
    (void)state;
    theatre->pair(world, ends);
    side_open(&s, ends[1], size_mixed);
    raw_open(&r, ends[0], false);
    for (unsigned i = 0; i < count; i++) {
        side_send(&s, i, 0x10000);
        world->ops->poll(world, 0);
    }
    uint64_t told = s.link->told;
    assert_true(told < s.link->ops->given(s.link) / 2);
    assert_true(s.link->ops->queued(s.link) == s.link->ops->given(s.link) - told);
    s.drained = 0; // some of the first ones may have left before the next
    r.endpoint->world->ops->endpoint_want(r.endpoint, TR__READ);
    run_until(side_has_drained, &s);
    assert_int_equal(0, s.downs);
    s.link->ops->free(&s.link);
    raw_close(&r);
}

static bool raw_is_ended(void *arg)
{
    return ((struct raw *)arg)->ended;
}

static size_t size_few(unsigned nth)
{
    (void)nth;
    return 5;
}

// A link whose peer says hello and a frame, but dies behind so many bytes.
// Returns how many there would have been.
static size_t cut_behind(size_t bytes)
{
    static struct raw r;
    struct side s;
    tr_endpoint *ends[2];
    uint8_t wire[HELLO + 32];
    theatre->pair(world, ends);
    size_t whole = wire_of(ends[0], size_few(0), wire);
    side_open(&s, ends[1], size_few);
    raw_open(&r, ends[0], true);
    raw_write(&r, wire, bytes);
    run_until(raw_has_read_hello,
              &r); // what is not read breaks the connection, with what was said
    raw_close(&r);
    run_until(side_is_down, &s);
    size_t unsaid = theatre->messages ? 7 : 0; // of a length, over TCP
    bool between = bytes <= HELLO + unsaid || bytes == whole;
    assert_int_equal(1, s.downs);
    assert_int_equal(between ? TR_EDOWN : TR_EFRAME, s.error);
    assert_int_equal(bytes == whole, s.got);
    s.link->ops->free(&s.link);
    return whole;
}

// Goal:   a peer that dies is heard of once, wherever it was: in the hello, in
// each field of a
//         frame's head, in the body, at their ends.
static void a_peer_may_die_behind_each_byte(void **state)
{
    size_t whole = 1;
    (void)state;
    size_t step = theatre->dear && !is_full_scale() ? 4 : 1;
    for (size_t bytes = 0; bytes <= whole; bytes += step)
        whole = cut_behind(bytes);
    cut_behind(whole);
}

// Goal:   what was sent before the end arrives before the end.
static void all_frames_arrive_before_the_end(void **state)
{
    struct side sides[2];
    unsigned count = 40;
    (void)state;
    both_open(sides, size_mixed);
    for (unsigned nth = 0; nth < count; nth++)
        side_send(&sides[0], nth, size_mixed(nth));
    sides[0].link->ops->finish(sides[0].link);
    run_until(side_is_down, &sides[1]);
    assert_int_equal(count, sides[1].got);
    assert_int_equal(TR_EDOWN, sides[1].error);
    sides[1].link->ops->free(&sides[1].link);
    run_until(side_is_down, &sides[0]);
    assert_int_equal(TR_EDOWN, sides[0].error);
    sides[0].link->ops->free(&sides[0].link);
}

// The same for one who leaves without waiting for anything.
static void what_was_written_arrives_when_the_writer_has_gone(void **state)
{
    static struct raw r;
    struct side s;
    tr_endpoint *ends[2];
    (void)state;
    theatre->pair(world, ends);
    side_open(&s, ends[1], size_mixed);
    raw_open(&r, ends[0], true);
    run_until(raw_has_read_hello, &r);
    for (unsigned nth = 0; nth < 30; nth++)
        side_send(&s, nth, 1000);
    uint64_t given = s.link->ops->given(s.link);
    s.link->ops->free(&s.link);
    run_until(raw_is_ended, &r);
    assert_int_equal(given, r.read);
    raw_close(&r);
}

// Goal:   connections that come and go cost nothing that stays, and harm no
// other.
static void connections_come_and_go_beside_one_that_stays(void **state)
{
    struct side stays[2], goes[2];
    unsigned nth = 0;
    (void)state;
    both_open(stays, size_mixed);
    for (int i = 0; i < (theatre->slow ? 10 : 16); i++) {
        both_open(goes, size_mixed);
        if (i % 2 == 0)
            side_send(&goes[0], 0, size_mixed(0));
        both_close(goes);
        side_send(&stays[0], nth, size_mixed(nth));
        stays[1].wanted = ++nth;
        run_until(side_has_got, &stays[1]);
    }
    both_close(stays);
}

// ---- A node that is met by somebody who dies ----

enum { SELF = 42 };
static const char secret[] = "what both of them know";

static int rest_start(tr_actor *self, const tr_val *args)
{
    (void)self, (void)args;
    return 0;
}
static const tr_behavior rest = {.name = "rest", .start = rest_start};

static void say_nothing(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static void node_open(void)
{
    const tr__remote_opts opts = {.name = "node"};
    tr_world *moved = world;
    assert_int_equal(0, tr__remote_open(&opts, &moved, &node));
    assert_int_equal(0, tr__remote_links(node, &(tr_link_opts){.size = sizeof(tr_link_opts),
                                                               .secret = secret,
                                                               .secret_size = sizeof secret}));
    assert_int_equal(0, tr_node_spawn(node, &rest, NULL, NULL));
}

static bool node_has_no_peer(void *arg)
{
    (void)arg;
    const tr__remote *remote = tr__node_loop(node, 0)->remote;
    return tr__list_empty(&remote->peers);
}

// Write so much of it as there are bytes left to be written.
static void put(struct raw *r, size_t *left, const void *bytes, size_t size)
{
    size = size < *left ? size : *left;
    raw_write(r, bytes, size);
    *left -= size;
}

static void put_envelope(struct raw *r, size_t *left, tr_val envelope)
{
    uint8_t head[16];
    tr_buf *packed;
    assert_int_equal(0, tr_val_pack(envelope, &packed));
    put(r, left, head, head_of(r->endpoint, tr_buf_size(packed), head));
    put(r, left, tr_buf_data(packed), tr_buf_size(packed));
    tr_buf_unref(&packed);
}

// What follows the key in what has come; NULL: it has not come yet.
static const uint8_t *value_of(const struct raw *r, const char *key, size_t size)
{
    const uint8_t *at = memmem(r->bytes, r->read, key, strlen(key));
    return at != NULL && at + strlen(key) + size <= r->bytes + r->read ? at + strlen(key) : NULL;
}

static bool raw_is_challenged(void *arg)
{
    return value_of(arg, "\xa5nonce\xc4\x20", TR__NONCE_BYTES) != NULL;
}

static void put_proof(struct raw *r, size_t *left, const uint8_t nonce[TR__NONCE_BYTES])
{
    uint8_t proof[TR__PROOF_BYTES];
    uint64_t theirs;
    tr__claim claim = {.dialled = true, .version = TR__PROTOCOL, .prover = SELF};
    run_until(raw_is_challenged, r);
    memcpy(&theirs, value_of(r, "\xa4node\xcf", sizeof theirs), sizeof theirs);
    claim.verifier = be64toh(theirs);
    memcpy(claim.prover_nonce, nonce, TR__NONCE_BYTES);
    memcpy(claim.verifier_nonce, value_of(r, "\xa5nonce\xc4\x20", TR__NONCE_BYTES),
           TR__NONCE_BYTES);
    assert_int_equal(0, tr__secret_prove(secret, sizeof secret, &claim, proof));
    put_envelope(r, left, TR_LIST((int)TR__PROOF, ((tr_bytes){proof, sizeof proof})));
}

static bool raw_is_greeted(void *arg)
{
    return value_of(arg, "\xa7silence", 0) != NULL;
}

// Returns whether all of the handshake was said before the death.
static bool die_behind(size_t left)
{
    static struct raw r;
    static const uint8_t nonce[TR__NONCE_BYTES] = "not used twice but in this test";
    tr_peer_cred cred;
    tr_endpoint *ends[2];
    theatre->pair(world, ends);
    raw_open(&r, ends[0], true);
    bool proves = ends[1]->world->ops->endpoint_cred(ends[1], &cred) == TR_ENOSYS;
    assert_int_equal(0, tr__peer_meet(tr__node_loop(node, 0)->remote, ends[1], NULL));
    put(&r, &left, hello, sizeof hello);
    if (proves)
        put_envelope(
            &r, &left,
            TR_LIST((int)TR__CHALLENGE, TR_MAP("troupe", TR__PROTOCOL, "node", (int)SELF, "nonce",
                                               ((tr_bytes){nonce, sizeof nonce}))));
    if (proves && left > 0)
        put_proof(&r, &left, nonce);
    put_envelope(&r, &left,
                 TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", (int)SELF)));
    run_until(left > 0 ? raw_is_greeted : raw_has_read_hello, &r);
    raw_close(&r);
    run_until(node_has_no_peer, NULL);
    return left > 0;
}

// Goal:   whoever dies in the handshake, behind whatever byte, leaves nothing in the node.
static void a_peer_may_die_at_each_step_of_the_handshake(void **state)
{
    size_t step = is_full_scale() ? 1 : theatre->dear ? 17 : 5;
    (void)state;
    node_open();
    tr_log_set(say_nothing, NULL);
    for (size_t bytes = 0; !die_behind(bytes); bytes += step)
        continue;
    tr_log_set(NULL, NULL);
}

#define LINK_TEST(test) cmocka_unit_test_setup_teardown(test, suite_open, suite_close)

int link_suite(const struct link_theatre *of)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(order_is_kept_both_ways),
        LINK_TEST(a_frame_of_any_size_arrives),
        LINK_TEST(a_frame_above_the_largest_is_an_error_before_its_first_byte),
        LINK_TEST(a_peer_that_does_not_read_stops_the_sender),
        LINK_TEST(a_peer_may_die_behind_each_byte),
        LINK_TEST(a_peer_may_die_at_each_step_of_the_handshake),
        LINK_TEST(all_frames_arrive_before_the_end),
        LINK_TEST(what_was_written_arrives_when_the_writer_has_gone),
        LINK_TEST(connections_come_and_go_beside_one_that_stays),
    };
    theatre = of;
    make_noise();
    int failed = cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
    free(noise);
    return failed;
}

// ---- Connecting ----

static void listener_accepted(void *owner, tr_endpoint *endpoint)
{
    *(tr_endpoint **)owner = endpoint;
}

static void listener_dropped(void *owner, int error)
{
    (void)owner;
    fail_msg("a connection was dropped: %s", tr_strerror(error));
}

const tr_listener_up link_listener_up = {.accepted = listener_accepted,
                                         .dropped = listener_dropped};

static void dial_told(void *owner)
{
    *(bool *)owner = true;
}

static void dial_closed(void *owner)
{
    (void)owner;
}

void link_connect(tr_world *of, tr_endpoint *dialled, tr_endpoint *const *accepted)
{
    static const tr_endpoint_up up = {.writable = dial_told, .closed = dial_closed};
    const tr_world_ops *ops = dialled->world->ops;
    bool told = false;
    ops->endpoint_bind(dialled, &up, &told);
    ops->endpoint_want(dialled, TR__WRITE);
    while (!told || *accepted == NULL) {
        of->ops->poll(of, of->ops->now(of) + WAIT_NS);
        if (told)
            ops->endpoint_want(dialled, 0);
    }
    assert_int_equal(0, ops->endpoint_connected(dialled));
    ops->endpoint_want(dialled, 0);
}
