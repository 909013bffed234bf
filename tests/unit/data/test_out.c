#include "data/out.h"

#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

static void it_grows_and_keeps_what_was_written(void **state)
{
    (void)state;
    tr__out out = {0};
    counted_memory_start(0);
    for (int i = 0; i < 100000; i++)
        tr__out_put(&out, &(char){(char)i}, 1);
    assert_int_equal(out.size, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(out.bytes[i], i & 0xff);
    assert_true(counted.calls < 15);
    tr__out_clear(&out);
    assert_null(out.bytes);
    assert_int_equal(counted_memory_stop(), 0);
}

static void one_large_piece_is_one_allocation(void **state)
{
    (void)state;
    tr__out out = {0};
    counted_memory_start(0);
    assert_non_null(tr__out_grow(&out, 1000000));
    assert_int_equal(counted.calls, 1);
    tr__out_clear(&out);
    assert_int_equal(counted_memory_stop(), 0);
}

static void a_failure_sticks(void **state)
{
    (void)state;
    char piece[200] = {0};
    tr__out out = {0};
    counted_memory_start(2);
    tr__out_put(&out, piece, sizeof piece);
    assert_false(out.failed);
    tr__out_put(&out, piece, sizeof piece);
    assert_true(out.failed);
    tr__out_put(&out, piece, 1);
    assert_null(tr__out_grow(&out, 0));
    assert_int_equal(out.size, sizeof piece);
    assert_int_equal(counted.calls, 2);
    tr__out_clear(&out);
    assert_int_equal(counted_memory_stop(), 0);
}

static void a_size_that_cannot_be_fails_without_asking(void **state)
{
    (void)state;
    tr__out out = {0};
    counted_memory_start(0);
    tr__out_put(&out, "x", 1);
    assert_null(tr__out_grow(&out, SIZE_MAX));
    assert_null(tr__out_grow(&out, 1));
    assert_int_equal(counted.calls, 1);
    tr__out_clear(&out);
    assert_int_equal(counted_memory_stop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_what_was_written),
        cmocka_unit_test(one_large_piece_is_one_allocation),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(a_size_that_cannot_be_fails_without_asking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
