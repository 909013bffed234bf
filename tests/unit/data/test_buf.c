#include "data/buf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

static int count_memory(void **state)
{
    (void)state;
    counted_memory_start(0);
    return 0;
}

static int all_is_back(void **state)
{
    (void)state;
    return counted_memory_stop() == 0 ? 0 : -1;
}

static void a_new_buffer_is_one_allocation(void **state)
{
    (void)state;
    tr_buf *buf = NULL;
    assert_int_equal(tr_buf_new(1000, &buf), 0);
    assert_int_equal(counted.calls, 1);
    assert_int_equal(tr_buf_size(buf), 1000);
    memset(tr_buf_data(buf), 'x', 1000);
    assert_int_equal((uintptr_t)tr_buf_data(buf) % _Alignof(max_align_t), 0);
    tr_buf_unref(&buf);
    assert_null(buf);
}

static void a_buffer_may_be_empty(void **state)
{
    (void)state;
    tr_buf *buf = NULL, *copy = NULL, *wrapped = NULL, *slice = NULL;
    assert_int_equal(tr_buf_new(0, &buf), 0);
    assert_int_equal(tr_buf_copy(NULL, 0, &copy), 0);
    assert_int_equal(tr_buf_wrap(NULL, 0, NULL, NULL, &wrapped), 0);
    assert_int_equal(tr_buf_slice(wrapped, 0, 0, &slice), 0);
    assert_int_equal(tr_buf_size(buf) + tr_buf_size(copy) + tr_buf_size(slice), 0);
    tr_buf_unref(&buf);
    tr_buf_unref(&copy);
    tr_buf_unref(&wrapped);
    tr_buf_unref(&slice);
}

static void a_copy_is_independent(void **state)
{
    (void)state;
    char bytes[] = "hello";
    tr_buf *buf = NULL;
    assert_int_equal(tr_buf_copy(bytes, sizeof bytes, &buf), 0);
    bytes[0] = 'j';
    assert_string_equal(tr_buf_data(buf), "hello");
    tr_buf_unref(&buf);
}

static void a_zeroed_buffer_is_zero(void **state)
{
    (void)state;
    tr_buf *buf = NULL;
    static const char zeros[5000];
    assert_int_equal(tr_buf_zeroed(sizeof zeros, &buf), 0);
    assert_true(tr_bytes_eq(tr_buf_bytes(buf), tr_bytes_of(zeros, sizeof zeros)));
    assert_int_equal(tr_buf_zeroed(1, NULL), TR_EINVAL);
    tr_buf_unref(&buf);
}

static void buffers_are_joined_in_their_order(void **state)
{
    (void)state;
    tr_buf *bufs[4] = {NULL}, *all = NULL, *none = NULL;
    assert_int_equal(tr_buf_copy("Hello", 5, &bufs[0]), 0);
    assert_int_equal(tr_buf_new(0, &bufs[1]), 0);
    assert_int_equal(tr_buf_copy(" you", 4, &bufs[3]), 0);
    assert_int_equal(tr_buf_concat(bufs, 4, &all), 0);
    assert_true(tr_bytes_eq(tr_buf_bytes(all), tr_bytes_of("Hello you", 9)));
    assert_int_equal(tr_buf_concat(NULL, 0, &none), 0);
    assert_int_equal(tr_buf_size(none), 0);
    assert_int_equal(tr_buf_concat(NULL, 1, &none), TR_EINVAL);
    assert_int_equal(tr_buf_concat(bufs, 4, NULL), TR_EINVAL);
    for (int i = 0; i < 4; i++)
        tr_buf_unref(&bufs[i]);
    tr_buf_unref(&all);
    tr_buf_unref(&none);
}

// A buffer may claim more than there is memory for: two of them may be more than can be counted.
static void what_cannot_be_joined_is_no_memory(void **state)
{
    (void)state;
    char byte = 'x';
    tr_buf *huge = NULL, *all = NULL;
    assert_int_equal(tr_buf_wrap(&byte, SIZE_MAX / 2 + 1, NULL, NULL, &huge), 0);
    assert_int_equal(tr_buf_concat((tr_buf *[]){huge, huge}, 2, &all), TR_ENOMEM);
    assert_null(all);
    tr_buf_unref(&huge);
}

static void a_trimmed_buffer_keeps_its_beginning(void **state)
{
    (void)state;
    tr_buf *buf = NULL;
    assert_int_equal(tr_buf_new(10000, &buf), 0);
    memcpy(tr_buf_data(buf), "Hello", 5);
    size_t before = counted.live;
    tr__buf_trim(&buf, 6000);
    assert_int_equal(tr_buf_size(buf), 6000);
    assert_int_equal(counted.live, before);
    tr__buf_trim(&buf, 5);
    assert_true(counted.live < before - 9000);
    assert_true(tr_bytes_eq(tr_buf_bytes(buf), tr_bytes_of("Hello", 5)));
    tr_buf_unref(&buf);
    assert_int_equal(tr_buf_new(10000, &buf), 0);
    counted_memory_fail(1, false);
    tr__buf_trim(&buf, 0); // what is not given back is kept
    assert_int_equal(tr_buf_size(buf), 0);
    tr_buf_unref(&buf);
}

static void count_release(void *bytes, void *arg)
{
    assert_string_equal(bytes, "mine");
    ++*(int *)arg;
}

static void wrapped_memory_is_released_once_after_the_last_reference(void **state)
{
    (void)state;
    char mine[] = "mine";
    int released = 0;
    tr_buf *buf = NULL, *slice = NULL;
    assert_int_equal(tr_buf_wrap(mine, sizeof mine, count_release, &released, &buf), 0);
    assert_ptr_equal(tr_buf_data(buf), mine);
    tr_buf *other = tr_buf_ref(buf);
    assert_ptr_equal(other, buf);
    assert_int_equal(tr_buf_slice(buf, 1, 2, &slice), 0);
    tr_buf_unref(&buf);
    tr_buf_unref(&other);
    assert_int_equal(released, 0);
    tr_buf_unref(&slice);
    assert_int_equal(released, 1);
}

static void slices_share_and_outlive_what_they_are_of(void **state)
{
    (void)state;
    tr_buf *buf = NULL, *middle = NULL, *inner = NULL;
    assert_int_equal(tr_buf_copy("0123456789", 10, &buf), 0);
    assert_int_equal(tr_buf_slice(buf, 2, 6, &middle), 0);
    assert_int_equal(tr_buf_slice(middle, 1, 3, &inner), 0);
    assert_ptr_equal(tr_buf_data(inner), (char *)tr_buf_data(buf) + 3);
    tr_buf_unref(&buf);
    tr_buf_unref(&middle);
    assert_int_equal(tr_buf_size(inner), 3);
    assert_memory_equal(tr_buf_data(inner), "345", 3);
    tr_buf_unref(&inner);
}

static void bytes_are_shared_while_another_can_read_them(void **state)
{
    (void)state;
    tr_buf *buf = NULL, *slice = NULL;
    assert_int_equal(tr_buf_new(10, &buf), 0);
    assert_false(tr__buf_is_shared(buf));
    tr_buf *other = tr_buf_ref(buf);
    assert_true(tr__buf_is_shared(buf));
    tr_buf_unref(&other);
    assert_false(tr__buf_is_shared(buf));
    assert_int_equal(tr_buf_slice(buf, 0, 5, &slice), 0);
    assert_true(tr__buf_is_shared(buf));
    assert_true(tr__buf_is_shared(slice));
    tr_buf_unref(&buf);
    assert_false(tr__buf_is_shared(slice));
    tr_buf_unref(&slice);
}

// Read, and drop what was taken, as the last one or not.
static void *use(void *arg)
{
    tr_buf *buf = arg;
    for (int i = 0; i < 10000; i++) {
        tr_buf *again = tr_buf_ref(buf);
        if (strcmp(tr_buf_data(again), "mine") != 0)
            abort();
        tr_buf_unref(&again);
    }
    tr_buf_unref(&buf);
    return NULL;
}

// Whichever thread drops the last reference: the memory is released once, and only then. What
// counts the releases is not atomic, so that a thread sanitizer has a say, too.
static void a_buffer_may_be_dropped_on_any_thread(void **state)
{
    (void)state;
    char mine[] = "mine";
    int released = 0;
    tr_buf *buf = NULL;
    pthread_t threads[4];
    assert_int_equal(tr_buf_wrap(mine, sizeof mine, count_release, &released, &buf), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, tr_buf_ref(buf)), 0);
    tr_buf_unref(&buf);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(released, 1);
}

static void a_slice_must_lie_inside(void **state)
{
    (void)state;
    tr_buf *buf = NULL, *slice = NULL;
    assert_int_equal(tr_buf_new(10, &buf), 0);
    assert_int_equal(tr_buf_slice(buf, 11, 0, &slice), TR_EINVAL);
    assert_int_equal(tr_buf_slice(buf, 5, 6, &slice), TR_EINVAL);
    assert_int_equal(tr_buf_slice(buf, 1, SIZE_MAX, &slice), TR_EINVAL);
    assert_int_equal(tr_buf_slice(buf, SIZE_MAX, 1, &slice), TR_EINVAL);
    assert_null(slice);
    assert_int_equal(tr_buf_slice(buf, 10, 0, &slice), 0);
    tr_buf_unref(&slice);
    tr_buf_unref(&buf);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    char byte = 'x';
    tr_buf *buf = NULL;
    assert_int_equal(tr_buf_new(1, NULL), TR_EINVAL);
    assert_int_equal(tr_buf_copy("x", 1, NULL), TR_EINVAL);
    assert_int_equal(tr_buf_copy(NULL, 1, &buf), TR_EINVAL);
    assert_int_equal(tr_buf_wrap(NULL, 1, NULL, NULL, &buf), TR_EINVAL);
    assert_int_equal(tr_buf_wrap(&byte, 1, NULL, NULL, NULL), TR_EINVAL);
    assert_int_equal(tr_buf_slice(NULL, 0, 0, &buf), TR_EINVAL);
    assert_null(buf);
    assert_null(tr_buf_ref(NULL));
    assert_null(tr_buf_data(NULL));
    assert_int_equal(tr_buf_size(NULL), 0);
    tr_buf_unref(&buf);
    tr_buf_unref(NULL);
}

static void a_size_that_cannot_be_is_no_memory(void **state)
{
    (void)state;
    tr_buf *buf = NULL;
    assert_int_equal(tr_buf_new(SIZE_MAX, &buf), TR_ENOMEM);
    assert_int_equal(counted.calls, 0);
    assert_null(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_buffer_is_one_allocation, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(a_buffer_may_be_empty, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(a_copy_is_independent, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(a_zeroed_buffer_is_zero, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(buffers_are_joined_in_their_order, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(what_cannot_be_joined_is_no_memory, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(a_trimmed_buffer_keeps_its_beginning, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(wrapped_memory_is_released_once_after_the_last_reference,
                                        count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(slices_share_and_outlive_what_they_are_of, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(bytes_are_shared_while_another_can_read_them, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(a_buffer_may_be_dropped_on_any_thread, count_memory,
                                        all_is_back),
        cmocka_unit_test_setup_teardown(a_slice_must_lie_inside, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(wrong_arguments_are_refused, count_memory, all_is_back),
        cmocka_unit_test_setup_teardown(a_size_that_cannot_be_is_no_memory, count_memory,
                                        all_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
