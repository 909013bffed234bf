// Endpoints with TLS on them, in the simulated world: what a wire, a peer and an owner may do to them.
#include "filter/filter.h"

#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "base/memory.h"
#include "filter/tls.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/papers.h"
#include "support/seeds.h"
#include "support/sweep.h"

static struct papers_text ours;
static tr__tls *tls;

static struct {
    tr_sim *sim;
    tr_world *world;
    tr__filters *filters;
} stage;

static int stage_open(uint64_t seed)
{
    int rc = tr__sim_open(seed, &stage.sim);
    if (rc == 0)
        rc = tr__sim_world(stage.sim, &stage.world);
    if (rc == 0)
        rc = tr__filters_open(stage.world, &stage.filters);
    return rc;
}

static void stage_close(void)
{
    tr__filters_close(&stage.filters);
    if (stage.world != NULL)
        stage.world->ops->close(&stage.world);
    tr__sim_close(&stage.sim);
}

static void step(void)
{
    stage.world->ops->poll(stage.world, stage.world->ops->now(stage.world) + 1000);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        for (unsigned steps_ = 0; !(condition); step())                                            \
            assert_in_range(steps_++, 0, 1000000);                                                 \
    } while (0)

// ---- One who has an endpoint ----

struct end {
    tr_endpoint *endpoint;
    uint8_t *bytes; // what has come
    size_t size, room;
    size_t part; // how much it reads at a time; 0: nothing
    int rc;      // of reading: 0: the end; TR_EAGAIN: it is open
    unsigned told, writables, closed;
};

static bool end_readable(void *owner)
{
    struct end *e = owner;
    tr_iov iov = {e->bytes + e->size, e->part};
    e->told++;
    if (e->part == 0)
        return false;
    assert_true(e->size + e->part <= e->room);
    ssize_t n = e->endpoint->world->ops->endpoint_read(e->endpoint, &iov, 1);
    if (n > 0)
        e->size += (size_t)n;
    else if (n != TR_EAGAIN)
        e->rc = (int)n;
    if (e->rc != TR_EAGAIN)
        e->endpoint->world->ops->endpoint_want(e->endpoint, 0);
    return n > 0;
}

static void end_writable(void *owner)
{
    ((struct end *)owner)->writables++;
}

static void end_closed(void *owner)
{
    struct end *e = owner;
    e->closed++;
    e->endpoint = NULL;
}

static const tr_endpoint_up END_UP = {end_readable, end_writable, end_closed};

static void end_want(struct end *e, unsigned events)
{
    e->endpoint->world->ops->endpoint_want(e->endpoint, events);
}

static void end_open(struct end *e, tr_endpoint *endpoint, size_t room)
{
    *e = (struct end){.endpoint = endpoint, .room = room, .part = 4096, .rc = TR_EAGAIN};
    e->bytes = malloc(room);
    endpoint->world->ops->endpoint_bind(endpoint, &END_UP, e);
    end_want(e, TR__READ);
}

static void end_close(struct end *e)
{
    if (e->endpoint != NULL)
        e->endpoint->world->ops->endpoint_close(e->endpoint);
}

static void end_free(struct end *e)
{
    free(e->bytes);
    assert_int_equal(1, e->closed);
}

static ssize_t end_write(struct end *e, const void *bytes, size_t size)
{
    tr_iov iov = {(void *)(uintptr_t)bytes, size};
    return e->endpoint->world->ops->endpoint_write(e->endpoint, &iov, 1);
}

static void end_write_all(struct end *e, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = end_write(e, bytes, size);
        assert_true(n > 0 || n == TR_EAGAIN);
        if (n == TR_EAGAIN)
            step();
        else
            bytes += n, size -= (size_t)n;
    }
}

static int end_connected(struct end *e)
{
    return e->endpoint->world->ops->endpoint_connected(e->endpoint);
}

static const uint8_t *noise(size_t size)
{
    static uint8_t bytes[0x100000];
    uint32_t x = 1;
    assert_true(size <= sizeof bytes);
    for (size_t i = 0; i < size && bytes[size - 1] == 0; i++)
        bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24) | 1;
    return bytes;
}

// ---- The cheapest coder: a byte for hands, and then what it is given ----

struct plain {
    tr__coder base;
    bool greeted;
};

static int plain_shake(tr__coder *base)
{
    struct plain *p = (struct plain *)base;
    uint8_t byte = 'h';
    if (!p->greeted)
        p->greeted = tr__wire_add(&base->out, &byte, 1) == 1;
    if (tr__wire_take(&base->in, &byte, 1) == 1)
        return 0;
    return base->in.ended ? TR_EDOWN : TR_EAGAIN;
}

static ssize_t plain_decode(tr__coder *base, void *room, size_t size)
{
    size_t n = tr__wire_take(&base->in, room, size);
    return n > 0 ? (ssize_t)n : base->in.ended ? 0 : TR_EAGAIN;
}

static ssize_t plain_encode(tr__coder *base, const void *bytes, size_t size)
{
    size_t n = tr__wire_add(&base->out, bytes, size);
    return n > 0 ? (ssize_t)n : TR_EAGAIN;
}

static int plain_finish(tr__coder *base)
{
    (void)base;
    return 0;
}

static void plain_free(tr__coder *base)
{
    tr__free(base);
}

static const tr__coder_ops PLAIN_OPS = {
    .name = "plain",
    .shake = plain_shake,
    .decode = plain_decode,
    .encode = plain_encode,
    .finish = plain_finish,
    .free = plain_free,
};

static int plain_new(tr__coder **ret_coder)
{
    struct plain *p = tr__zalloc(sizeof *p);
    if (p == NULL)
        return TR_ENOMEM;
    p->base.ops = &PLAIN_OPS;
    *ret_coder = &p->base;
    return 0;
}

// ---- Filters ----

static bool plainly; // and not with TLS, whose hands cost a millisecond of work

// moves: wire, always
static int filter_on(tr_endpoint *wire, bool dials, tr_endpoint **ret_endpoint)
{
    tr__coder *coder;
    int rc = plainly ? plain_new(&coder)
             : dials ? tr__tls_client(tls, PAPERS_NAME, &coder)
                     : tr__tls_server(tls, &coder);
    if (rc < 0)
        wire->world->ops->endpoint_close(wire);
    else
        rc = tr__filter_new(stage.filters, &wire, coder, true, ret_endpoint);
    return rc;
}

static void both_open(struct end ends[2], unsigned layers, size_t room)
{
    tr_endpoint *wires[2];
    assert_int_equal(0, tr__sim_pipe(stage.world, stage.world, &wires[0], &wires[1]));
    for (unsigned i = 0; i < 2 * layers; i++)
        assert_int_equal(0, filter_on(wires[i % 2], i % 2 == 0, &wires[i % 2]));
    for (int i = 0; i < 2; i++)
        end_open(&ends[i], wires[i], room);
    UNTIL(end_connected(&ends[0]) == 0 && end_connected(&ends[1]) == 0);
}

static void both_close(struct end ends[2])
{
    for (int i = 0; i < 2; i++)
        end_close(&ends[i]);
    UNTIL(ends[0].closed && ends[1].closed);
    end_free(&ends[0]);
    end_free(&ends[1]);
}

// ---- Tests ----

// Goal:   filters lie on filters: all that is written arrives both ways, and then the end.
static void filters_lie_on_filters(void **state)
{
    (void)state;
    const size_t size = 150000;
    for (uint64_t seed = 0; seed < seeds_of(3); seed++) {
        struct end ends[2];
        assert_int_equal(0, stage_open(seed));
        both_open(ends, 1 + seed % 3, size + 4096);
        for (size_t at = 0; at < size; at += 10000)
            for (int i = 0; i < 2; i++)
                end_write_all(&ends[i], noise(size) + at, 10000);
        for (int i = 0; i < 2; i++)
            ends[i].endpoint->world->ops->endpoint_shutdown(ends[i].endpoint);
        UNTIL(ends[0].rc != TR_EAGAIN && ends[1].rc != TR_EAGAIN);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(0, ends[i].rc);
            assert_int_equal(size, ends[i].size);
            assert_memory_equal(noise(size), ends[i].bytes, size);
        }
        both_close(ends);
        stage_close();
    }
}

// Goal:   an owner is told of what is left, though nothing comes on the wire any more.
static void what_is_left_unread_is_told_of_again(void **state)
{
    struct end ends[2];
    (void)state;
    assert_int_equal(0, stage_open(1));
    both_open(ends, 1, 8192);
    ends[1].part = 1;
    end_write_all(&ends[0], noise(50), 50);
    UNTIL(ends[1].size > 2);
    end_want(&ends[1], 0);
    unsigned told = ends[1].told;
    for (int i = 0; i < 20; i++)
        step();
    assert_int_equal(told, ends[1].told);
    end_want(&ends[1], TR__READ);
    UNTIL(ends[1].size == 50);
    both_close(ends);
    stage_close();
}

// Goal:   what is written and then closed arrives as a whole, however slowly it is read.
static void what_was_written_leaves_after_the_close(void **state)
{
    (void)state;
    for (unsigned layers = 1; layers <= 2; layers++) {
        struct end ends[2];
        size_t size = 0;
        ssize_t n;
        assert_int_equal(0, stage_open(layers));
        both_open(ends, layers, 0x100000);
        end_want(&ends[1], 0);
        for (int idle = 0; idle < 50;) { // until nothing has room any more
            n = end_write(&ends[0], noise(0x80000) + size, 0x80000 - size);
            size += n > 0 ? (size_t)n : 0;
            idle = n > 0 ? 0 : idle + 1;
            step();
        }
        assert_true(size < 0x80000);
        assert_true(tr__filters_queued(stage.filters) > 0);
        end_close(&ends[0]);
        for (int i = 0; i < 20; i++)
            step();
        assert_int_equal(0, ends[0].closed);
        end_want(&ends[1], TR__READ);
        UNTIL(ends[1].rc != TR_EAGAIN);
        assert_int_equal(0, ends[1].rc);
        assert_int_equal(size, ends[1].size);
        assert_memory_equal(noise(0x80000), ends[1].bytes, size);
        UNTIL(ends[0].closed);
        assert_int_equal(0, tr__filters_queued(stage.filters));
        both_close(ends);
        stage_close();
    }
}

// Goal:   of those that wait for peers that do not read a bounded number is kept.
static void those_whose_peers_never_read_are_cut_off_when_there_are_many(void **state)
{
    enum { MANY = 80, KEPT = 64 };
    static struct end ends[MANY][2];
    unsigned closed = 0;
    (void)state;
    assert_int_equal(0, stage_open(1));
    tr__sim_set_capacity(stage.sim, 4096);
    for (int i = 0; i < MANY; i++) {
        both_open(ends[i], 1, 4096);
        end_want(&ends[i][1], 0);
        while (end_write(&ends[i][0], noise(0x10000), 0x10000) > 0)
            step();
        end_close(&ends[i][0]);
    }
    for (int i = 0; i < 100; i++)
        step();
    for (int i = 0; i < MANY; i++)
        closed += ends[i][0].closed;
    assert_int_equal(MANY - KEPT, closed);
    for (int i = 0; i < MANY; i++)
        end_close(&ends[i][1]);
    stage_close();
    for (int i = 0; i < MANY; i++) {
        end_free(&ends[i][0]);
        end_free(&ends[i][1]);
    }
}

// What the test carries between two filters, up to a number of bytes.
struct relay {
    tr_endpoint *ends[2];
    size_t left;
};

static bool relay_nothing(void *owner)
{
    (void)owner;
    return false;
}

static void relay_nothing_told(void *owner)
{
    (void)owner;
}

static const tr_endpoint_up RELAY_UP = {relay_nothing, relay_nothing_told, relay_nothing_told};

static bool relay_carry(struct relay *r)
{
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[4096];
        tr_iov iov = {bytes, r->left < sizeof bytes ? r->left : sizeof bytes};
        ssize_t n = iov.len == 0 ? 0 : stage.world->ops->endpoint_read(r->ends[i], &iov, 1);
        if (n <= 0)
            continue;
        iov.len = (size_t)n;
        while (iov.len > 0) {
            n = stage.world->ops->endpoint_write(r->ends[1 - i], &iov, 1);
            assert_true(n > 0 || n == TR_EAGAIN);
            iov.base = (uint8_t *)iov.base + (n > 0 ? n : 0);
            iov.len -= n > 0 ? (size_t)n : 0;
            r->left -= n > 0 ? (size_t)n : 0;
            step();
        }
    }
    return r->left > 0;
}

// Returns whether hands were shaken, and both have said something, before that.
static bool cut_behind(size_t bytes)
{
    struct relay relay = {.left = bytes};
    struct end ends[2];
    tr_endpoint *wires[2];
    bool whole;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(0, tr__sim_pipe(stage.world, stage.world, &wires[i], &relay.ends[i]));
        stage.world->ops->endpoint_bind(relay.ends[i], &RELAY_UP, NULL);
        assert_int_equal(0, filter_on(wires[i], i == 0, &wires[i]));
        end_open(&ends[i], wires[i], 8192);
    }
    do {
        for (int i = 0; i < 2; i++)
            if (ends[i].writables == 0 && end_connected(&ends[i]) == 0) {
                ends[i].writables++;
                assert_int_equal(5, end_write(&ends[i], "hello", 5));
            }
        step();
        whole = ends[0].size == 5 && ends[1].size == 5;
    } while (relay_carry(&relay) && !whole);
    for (int i = 0; i < 2; i++)
        stage.world->ops->endpoint_close(relay.ends[i]);
    UNTIL(ends[0].rc != TR_EAGAIN && ends[1].rc != TR_EAGAIN);
    for (int i = 0; i < 2; i++) // nothing else may it be told
        assert_true(ends[i].rc == 0 || ends[i].rc == TR_EDOWN || ends[i].rc == -ECONNRESET);
    both_close(ends);
    return whole;
}

// Goal:   wherever a connection is cut, in the handshake and behind it, both hear of it, and nothing
//         stays.
static void a_connection_may_be_cut_behind_each_byte(void **state)
{
    size_t step_bytes = getenv("TROUPE_TEST_SCALE") == NULL ? 83 : 1;
    (void)state;
    for (size_t bytes = 0, whole = false; !whole; bytes += step_bytes) {
        assert_int_equal(0, stage_open(bytes));
        whole = cut_behind(bytes);
        stage_close();
    }
}

// Goal:   a peer that speaks something else is told so, where it speaks something like TLS, and its
//         end is waited for, so that it hears that.
static void who_speaks_something_else_is_told_and_left(void **state)
{
    static const char *const said[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                       "\x16\x03\x01\x00\x04\x01\x00\x00\x00"};
    static const size_t sizes[] = {35, 9};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct end stranger, end;
        tr_endpoint *wires[2];
        assert_int_equal(0, stage_open(1));
        assert_int_equal(0, tr__sim_pipe(stage.world, stage.world, &wires[0], &wires[1]));
        assert_int_equal(0, filter_on(wires[1], false, &wires[1]));
        end_open(&stranger, wires[0], 8192);
        end_open(&end, wires[1], 8192);
        end_write_all(&stranger, (const uint8_t *)said[i], sizes[i]);
        UNTIL(end.rc != TR_EAGAIN);
        assert_int_equal(TR_ETLS, end.rc);
        assert_non_null(tr__endpoint_why(end.endpoint));
        assert_int_equal(TR_ETLS, end_write(&end, "x", 1));
        end_close(&end);
        UNTIL(stranger.rc == 0);
        assert_int_equal(i == 0 ? 0 : 7, stranger.size);
        assert_true(i == 0 || stranger.bytes[0] == 0x15); // an alert
        assert_int_equal(0, end.closed);
        end_close(&stranger);
        UNTIL(end.closed && stranger.closed);
        end_free(&end);
        end_free(&stranger);
        stage_close();
    }
}

// ---- Without memory ----

// Goal:   whichever allocation fails, what has begun ends, and nothing is lost.
static bool is_over(const struct end *e)
{
    return e->endpoint == NULL || e->rc != TR_EAGAIN;
}

// Two that say hello to each other. returns: whether both have heard that, or one of them its end, or
// an error of beginning
static int without_memory(struct end ends[2])
{
    tr_endpoint *wires[2];
    int rc = stage_open(1);
    if (rc == 0)
        rc = tr__sim_pipe(stage.world, stage.world, &wires[0], &wires[1]);
    for (int i = 0, wired = rc; i < 2 && wired == 0; i++) {
        int begun = filter_on(wires[i], i == 0, &wires[i]);
        if (begun == 0)
            end_open(&ends[i], wires[i], 8192);
        rc = begun < 0 ? begun : rc;
    }
    for (int i = 0; rc == 0 && i < 20000 && !is_over(&ends[0]) && !is_over(&ends[1]); i++) {
        for (int k = 0; k < 2; k++)
            if (ends[k].writables == 0 && end_write(&ends[k], "hello", 5) == 5)
                ends[k].writables++;
        step();
        if (ends[0].size == 5 && ends[1].size == 5)
            return 1;
    }
    return rc < 0 ? rc : is_over(&ends[0]) || is_over(&ends[1]);
}

// Goal:   whichever allocation fails, what has begun ends, and nothing is lost.
static void without_memory_a_connection_ends_cleanly(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    while (sweep_next(&sweep)) {
        struct end ends[2] = {{.rc = TR_EAGAIN}, {.rc = TR_EAGAIN}};
        memset(&stage, 0, sizeof stage);
        sweep_begin(&sweep);
        int rc = without_memory(ends);
        assert_true(rc == 1 || (rc == TR_ENOMEM && sweep.nth > 0));
        for (int k = 0; k < 2; k++)
            end_close(&ends[k]);
        stage_close();
        for (int k = 0; k < 2; k++)
            if (ends[k].bytes != NULL)
                end_free(&ends[k]);
        sweep_end(&sweep);
    }
}

static int begin_plainly(void **state)
{
    (void)state;
    plainly = true;
    return 0;
}

static int end_plainly(void **state)
{
    (void)state;
    plainly = false;
    return 0;
}

static int papers_open(void **state)
{
    tr__papers papers;
    (void)state;
    papers_make(&ours);
    papers = (tr__papers){ours.ca, ours.cert, ours.key, NULL};
    return tr__tls_open(&papers, &tls);
}

static int papers_close(void **state)
{
    (void)state;
    tr__tls_free(&tls);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_lie_on_filters),
        cmocka_unit_test_setup_teardown(what_is_left_unread_is_told_of_again, begin_plainly,
                                        end_plainly),
        cmocka_unit_test(what_was_written_leaves_after_the_close),
        cmocka_unit_test_setup_teardown(
            those_whose_peers_never_read_are_cut_off_when_there_are_many, begin_plainly,
            end_plainly),
        cmocka_unit_test(a_connection_may_be_cut_behind_each_byte),
        cmocka_unit_test(who_speaks_something_else_is_told_and_left),
        cmocka_unit_test_setup_teardown(without_memory_a_connection_ends_cleanly, begin_plainly,
                                        end_plainly),
    };
    return cmocka_run_group_tests_name("filter/filter", tests, papers_open, papers_close);
}
