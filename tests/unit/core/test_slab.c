// The slab: what is read is whole, and memory is taken for what is large only.
#include "core/slab.h"

#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"

#define LARGE 20000

static tr_sim *sim;
static tr_world *world;
static tr_endpoint *near, *far;
static tr__slab slab;

static int setup(void **state)
{
    (void)state;
    slab = (tr__slab){0};
    counted_memory_start(0);
    int rc = tr__sim_open(1, &sim);
    if (rc == 0)
        rc = tr__sim_world(sim, &world);
    if (rc == 0)
        rc = tr__sim_pipe(world, world, &near, &far);
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    tr__sim_set_capacity(sim, 1 << 20);
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    tr_buf_unref(&slab.buf);
    world->ops->close(&world);
    tr__sim_close(&sim);
    return counted_memory_stop() != 0;
}

// One read of so many bytes, each of them `fill`.
static tr_buf *read_bytes(size_t size, char fill)
{
    static char bytes[1 << 20];
    tr_buf *chunk = NULL;
    bool more;
    memset(bytes, fill, size);
    tr_iov iov = {bytes, size};
    assert_int_equal(size, world->ops->endpoint_write(far, &iov, 1));
    assert_int_equal(size, tr__slab_read(&slab, near, &chunk, &more));
    assert_int_equal(size, tr_buf_size(chunk));
    return chunk;
}

static bool is_whole(const tr_buf *chunk, char fill)
{
    const char *bytes = tr_buf_data(chunk);
    for (size_t i = 0; i < tr_buf_size(chunk); i++)
        if (bytes[i] != fill)
            return false;
    return true;
}

static void test_what_is_small_is_copied(void **state)
{
    (void)state;
    tr_buf *chunks[100];
    chunks[0] = read_bytes(64, 'a');
    size_t before = counted.live;
    for (char i = 1; i < 100; i++)
        chunks[(int)i] = read_bytes(64, i);
    assert_true(counted.live - before < 100 * 256);
    assert_int_equal(0, slab.used);
    for (char i = 1; i < 100; i++)
        assert_true(is_whole(chunks[(int)i], i));
    for (int i = 0; i < 100; i++)
        tr_buf_unref(&chunks[i]);
}

// Goal:   what is large is not copied, and not written over as long as somebody has it.
// Method: many are kept, over several pieces of the slab.
static void test_what_is_large_stays_where_it_is(void **state)
{
    (void)state;
    tr_buf *chunks[10];
    for (char i = 0; i < 10; i++) {
        chunks[(int)i] = read_bytes(LARGE, i);
        const char *bytes = tr_buf_data(chunks[(int)i]), *base = tr_buf_data(slab.buf);
        assert_true(bytes >= base && bytes + LARGE <= base + slab.used);
    }
    for (char i = 0; i < 10; i++)
        assert_true(is_whole(chunks[(int)i], i));
    for (int i = 0; i < 10; i++)
        tr_buf_unref(&chunks[i]);
}

static void test_a_slab_that_nobody_has_is_used_again(void **state)
{
    (void)state;
    tr_buf *chunk = read_bytes(LARGE, 'a');
    const void *place = tr_buf_data(chunk);
    tr_buf_unref(&chunk);
    for (int i = 0; i < 20; i++) {
        chunk = read_bytes(LARGE, 'b');
        assert_ptr_equal(place, tr_buf_data(chunk));
        tr_buf_unref(&chunk);
    }
}

static void test_more_is_told(void **state)
{
    (void)state;
    static char bytes[100000];
    tr_buf *chunk = NULL;
    bool more = false;
    tr_iov iov = {bytes, sizeof bytes};
    assert_int_equal(sizeof bytes, world->ops->endpoint_write(far, &iov, 1));
    assert_int_equal(65536, tr__slab_read(&slab, near, &chunk, &more));
    assert_true(more);
    tr_buf_unref(&chunk);
    assert_int_equal(sizeof bytes - 65536, tr__slab_read(&slab, near, &chunk, &more));
    assert_false(more);
    tr_buf_unref(&chunk);
    assert_int_equal(TR_EAGAIN, tr__slab_read(&slab, near, &chunk, &more));
    assert_null(chunk);
    world->ops->endpoint_shutdown(far);
    assert_int_equal(0, tr__slab_read(&slab, near, &chunk, &more));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_small_is_copied),
        TEST(test_what_is_large_stays_where_it_is),
        TEST(test_a_slab_that_nobody_has_is_used_again),
        TEST(test_more_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
