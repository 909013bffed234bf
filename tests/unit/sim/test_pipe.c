// Pipes, in one plain world without programs.
#include "puppet.h"
#include <string.h>

struct pipe_fixture {
    tr_sim *sim;
    tr_world *world;
    tr_endpoint *a, *b;
    struct ear ear_a, ear_b;
};

static void pipe_open(struct pipe_fixture *f, uint64_t seed)
{
    *f = (struct pipe_fixture){0};
    assert_int_equal(0, tr__sim_open(seed, &f->sim));
    assert_int_equal(0, tr__sim_world(f->sim, &f->world));
    assert_int_equal(0, tr__sim_pipe(f->world, f->world, &f->a, &f->b));
    f->world->ops->endpoint_bind(f->a, &ear_up, &f->ear_a);
    f->world->ops->endpoint_bind(f->b, &ear_up, &f->ear_b);
}

static void pipe_close(struct pipe_fixture *f)
{
    f->world->ops->close(&f->world);
    tr__sim_close(&f->sim);
}

// Wait until b has something to read. Another poll may be over first, for the closing of a.
static void pipe_await(struct pipe_fixture *f)
{
    unsigned before = f->ear_b.readable;
    f->world->ops->endpoint_want(f->b, TR__READ);
    f->world->ops->poll(f->world, TR__NEVER);
    if (f->ear_b.readable == before)
        f->world->ops->poll(f->world, TR__NEVER);
    assert_int_equal(before + 1, f->ear_b.readable);
}

static void pipe_write(struct pipe_fixture *f, const char *text)
{
    for (size_t at = 0, size = strlen(text); at < size;) {
        ssize_t n = endpoint_write(f->a, text + at, size - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
}

// Goal:   bytes arrive once, in order, and in parts that depend on the seed.
// Method: move 1000 bytes through a pipe that holds 16; 100 seeds; count the short reads.
static void test_bytes_keep_their_order_in_any_parts(void **state)
{
    (void)state;
    unsigned short_writes = 0, short_reads = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct pipe_fixture f;
        pipe_open(&f, seed);
        tr__sim_set_capacity(f.sim, 16);
        unsigned char sent = 0, expected = 0;
        for (unsigned total = 0; total < 1000;) {
            unsigned char bytes[16];
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (unsigned char)(sent + i);
            ssize_t n = endpoint_write(f.a, bytes, sizeof bytes);
            assert_true(n > 0 || n == TR_EAGAIN);
            sent += (unsigned char)(n > 0 ? n : 0);
            short_writes += n > 0 && n < 16;
            pipe_await(&f);
            n = endpoint_read(f.b, bytes, sizeof bytes);
            assert_in_range(n, 1, 16);
            short_reads += n < 16;
            for (ssize_t i = 0; i < n; i++)
                assert_int_equal(expected++, bytes[i]);
            total += (unsigned)n;
        }
        pipe_close(&f);
    }
    assert_true(short_writes > 100 && short_reads > 100);
}

static void test_whole_moves_all_that_fits_over_all_parts_of_an_iov(void **state)
{
    (void)state;
    struct pipe_fixture f;
    pipe_open(&f, 1);
    tr__sim_set_whole(f.sim, true);
    tr__sim_set_capacity(f.sim, 7);
    char abc[] = "abc", defghi[] = "defghi";
    tr_iov out[] = {{abc, 3}, {NULL, 0}, {defghi, 6}};
    assert_int_equal(7, f.world->ops->endpoint_write(f.a, out, 3));
    pipe_await(&f);
    char one[2], other[9];
    tr_iov in[] = {{one, sizeof one}, {other, sizeof other}};
    assert_int_equal(7, f.world->ops->endpoint_read(f.b, in, 2));
    assert_memory_equal("ab", one, 2);
    assert_memory_equal("cdefg", other, 5);
    pipe_close(&f);
}

// Goal:   bytes are on their way for a while, never longer than was set.
// Method: 50 seeds with up to 1 ms; some arrive late, all in time.
static void test_bytes_take_their_time(void **state)
{
    (void)state;
    unsigned late = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct pipe_fixture f;
        char byte;
        pipe_open(&f, seed);
        tr__sim_set_delay(f.sim, 1000000);
        uint64_t start = tr__sim_now(f.sim);
        pipe_write(&f, "x");
        bool now = endpoint_read(f.b, &byte, 1) == 1;
        if (!now) {
            pipe_await(&f);
            assert_int_equal(1, endpoint_read(f.b, &byte, 1));
            late++;
        }
        assert_true(tr__sim_now(f.sim) - start <= 1000000);
        assert_int_equal(TR_EAGAIN, endpoint_read(f.b, &byte, 1));
        pipe_close(&f);
    }
    assert_true(late > 40);
}

static void test_full_is_eagain_until_there_is_room(void **state)
{
    (void)state;
    struct pipe_fixture f;
    char bytes[4];
    pipe_open(&f, 1);
    tr__sim_set_whole(f.sim, true);
    tr__sim_set_capacity(f.sim, 4);
    pipe_write(&f, "full");
    assert_int_equal(TR_EAGAIN, endpoint_write(f.a, "x", 1));
    f.world->ops->endpoint_want(f.a, TR__WRITE);
    pipe_await(&f);
    assert_int_equal(0, f.ear_a.writable);
    assert_int_equal(4, endpoint_read(f.b, bytes, 4));
    f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(1, f.ear_a.writable);
    assert_int_equal(1, endpoint_write(f.a, "x", 1));
    pipe_close(&f);
}

// The end is behind the bytes, however it came about, and it stays.
static void check_end(void (*end)(tr_endpoint *endpoint))
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct pipe_fixture f;
        char text[8] = "";
        pipe_open(&f, seed);
        pipe_write(&f, "last");
        end(f.a);
        for (size_t size = 0; size < 4;) {
            pipe_await(&f);
            ssize_t n = endpoint_read(f.b, text + size, sizeof text - size);
            assert_true(n > 0);
            size += (size_t)n;
        }
        assert_string_equal("last", text);
        pipe_await(&f);
        assert_int_equal(0, endpoint_read(f.b, text, 1));
        assert_int_equal(0, endpoint_read(f.b, text, 1));
        pipe_close(&f);
    }
}

static void end_by_close(tr_endpoint *endpoint)
{
    endpoint->world->ops->endpoint_close(endpoint);
}

static void end_by_shutdown(tr_endpoint *endpoint)
{
    endpoint->world->ops->endpoint_shutdown(endpoint);
    assert_int_equal(TR_EPIPE, endpoint_write(endpoint, "x", 1));
}

static void end_by_both(tr_endpoint *endpoint)
{
    end_by_shutdown(endpoint);
    end_by_close(endpoint);
}

static void test_the_end_is_behind_the_bytes(void **state)
{
    (void)state;
    check_end(end_by_close);
    check_end(end_by_shutdown);
    check_end(end_by_both);
}

static void test_after_shutdown_the_other_direction_still_works(void **state)
{
    (void)state;
    struct pipe_fixture f;
    char byte = 0;
    pipe_open(&f, 1);
    f.world->ops->endpoint_shutdown(f.b);
    pipe_write(&f, "y");
    pipe_await(&f);
    assert_int_equal(1, endpoint_read(f.b, &byte, 1));
    assert_int_equal('y', byte);
    pipe_close(&f);
}

static void test_a_peer_that_has_gone_is_epipe_and_writable(void **state)
{
    (void)state;
    struct pipe_fixture f;
    pipe_open(&f, 1);
    f.world->ops->endpoint_close(f.b);
    assert_int_equal(TR_EPIPE, endpoint_write(f.a, "x", 1));
    f.world->ops->endpoint_want(f.a, TR__WRITE);
    f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(1, f.ear_a.writable);
    pipe_close(&f);
}

// As in a socket pair: what the other side had sent is read first.
static void test_a_peer_that_goes_with_bytes_unread_resets(void **state)
{
    (void)state;
    struct pipe_fixture f;
    char byte;
    pipe_open(&f, 1);
    assert_int_equal(1, endpoint_write(f.b, "never read", 1));
    pipe_write(&f, "y");
    f.world->ops->endpoint_close(f.a);
    pipe_await(&f);
    assert_int_equal(1, endpoint_read(f.b, &byte, 1));
    pipe_await(&f);
    assert_int_equal(-ECONNRESET, endpoint_read(f.b, &byte, 1));
    pipe_close(&f);
}

static void test_closed_comes_once_and_nothing_else(void **state)
{
    (void)state;
    struct pipe_fixture f;
    pipe_open(&f, 1);
    f.world->ops->endpoint_want(f.a, TR__READ | TR__WRITE);
    assert_int_equal(1, endpoint_write(f.b, "x", 1));
    f.world->ops->endpoint_close(f.a);
    f.world->ops->endpoint_close(f.a);
    assert_int_equal(0, f.ear_a.closed);
    f.world->ops->poll(f.world, TR__NEVER);
    f.world->ops->poll(f.world, 0);
    assert_string_equal("c", f.ear_a.order);
    pipe_close(&f);
}

static void writable_closes(void *owner)
{
    struct pipe_fixture *f = owner;
    f->world->ops->endpoint_close(f->a);
}

static void closed_counts(void *owner)
{
    ((struct pipe_fixture *)owner)->ear_a.closed++;
}

static void test_closed_comes_from_a_later_poll_than_the_close(void **state)
{
    (void)state;
    static const tr_endpoint_up up = {.writable = writable_closes, .closed = closed_counts};
    struct pipe_fixture f;
    pipe_open(&f, 1);
    f.world->ops->endpoint_bind(f.a, &up, &f);
    f.world->ops->endpoint_want(f.a, TR__WRITE);
    f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(0, f.ear_a.closed);
    f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(1, f.ear_a.closed);
    pipe_close(&f);
}

static void test_wanted_and_ready_is_told_in_every_poll(void **state)
{
    (void)state;
    struct pipe_fixture f;
    pipe_open(&f, 1);
    pipe_write(&f, "x");
    pipe_await(&f);
    pipe_await(&f);
    f.world->ops->endpoint_want(f.b, 0);
    f.world->ops->poll(f.world, 0);
    assert_int_equal(2, f.ear_b.readable);
    pipe_close(&f);
}

// Goal:   what is told first is nobody's to rely on.
// Method: two endpoints ready in one poll; 50 seeds give both orders.
static void test_the_order_of_upcalls_is_the_seeds(void **state)
{
    (void)state;
    unsigned a_first = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct pipe_fixture f;
        pipe_open(&f, seed);
        f.ear_a.order_of = &f.ear_b;
        f.world->ops->endpoint_want(f.a, TR__WRITE);
        f.world->ops->endpoint_close(f.b);
        f.world->ops->poll(f.world, TR__NEVER);
        assert_int_equal(2, strlen(f.ear_b.order));
        a_first += f.ear_b.order[0] == 'w';
        pipe_close(&f);
    }
    assert_in_range(a_first, 10, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_keep_their_order_in_any_parts),
        cmocka_unit_test(test_whole_moves_all_that_fits_over_all_parts_of_an_iov),
        cmocka_unit_test(test_bytes_take_their_time),
        cmocka_unit_test(test_full_is_eagain_until_there_is_room),
        cmocka_unit_test(test_the_end_is_behind_the_bytes),
        cmocka_unit_test(test_after_shutdown_the_other_direction_still_works),
        cmocka_unit_test(test_a_peer_that_has_gone_is_epipe_and_writable),
        cmocka_unit_test(test_a_peer_that_goes_with_bytes_unread_resets),
        cmocka_unit_test(test_closed_comes_once_and_nothing_else),
        cmocka_unit_test(test_closed_comes_from_a_later_poll_than_the_close),
        cmocka_unit_test(test_wanted_and_ready_is_told_in_every_poll),
        cmocka_unit_test(test_the_order_of_upcalls_is_the_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
