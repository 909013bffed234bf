// What stands for a link that is not there yet.
#include "remote/link.h"

#include "support/cmocka.h"
#include "support/counted_memory.h"

static void give(tr__link *link, size_t size, bool held)
{
    tr__frame *frame;
    assert_int_equal(0, tr__frame_new(&frame));
    if (size > 0) {
        assert_non_null(tr__frame_reserve(frame, size));
        tr__frame_commit(frame, size);
    }
    if (held)
        tr__frame_hold(frame);
    link->ops->send(link, &frame);
    assert_null(frame);
}

static void take(tr__link *link, size_t size, bool held)
{
    tr__frame *frame = tr__link_wait_pop(link);
    assert_non_null(frame);
    assert_int_equal(size, tr__frame_size(frame));
    assert_int_equal(held, tr__frame_is_held(frame));
    assert_null(tr__frame_next(frame));
    tr__frame_free(&frame);
}

static void what_it_is_given_comes_out_in_order(void **state)
{
    tr__link *link;
    (void)state;
    assert_int_equal(0, tr__link_wait_open(&link));
    assert_null(tr__link_wait_pop(link));
    give(link, 10, false);
    give(link, 20, false);
    assert_int_equal(30, link->ops->queued(link));
    take(link, 10, false);
    give(link, 0, false);
    give(link, 5, false);
    take(link, 20, false);
    take(link, 0, false);
    assert_int_equal(5, link->ops->queued(link));
    assert_int_equal(35, link->ops->given(link));
    take(link, 5, false);
    assert_null(tr__link_wait_pop(link));
    give(link, 7, false);
    take(link, 7, false);
    link->ops->free(&link);
    assert_null(link);
}

static void the_first_one_that_is_held_is_let_go(void **state)
{
    tr__link *link;
    (void)state;
    assert_int_equal(0, tr__link_wait_open(&link));
    assert_false(link->ops->let_go(link));
    give(link, 1, false);
    give(link, 2, true);
    give(link, 3, true);
    assert_true(link->ops->let_go(link));
    take(link, 1, false);
    take(link, 2, false);
    take(link, 3, true);
    link->ops->free(&link);
}

static void what_is_left_goes_with_it(void **state)
{
    tr__link *link;
    (void)state;
    counted_memory_start(0);
    assert_int_equal(0, tr__link_wait_open(&link));
    give(link, 10, false);
    give(link, 100000, true);
    link->ops->free(&link);
    assert_int_equal(0, counted_memory_stop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_is_given_comes_out_in_order),
        cmocka_unit_test(the_first_one_that_is_held_is_let_go),
        cmocka_unit_test(what_is_left_goes_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
