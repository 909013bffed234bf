#include "base/memory.h"

#include <stdlib.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

static void memory_comes_from_the_users_allocator(void **state)
{
    (void)state;
    counted_memory_start(0);
    void *a = tr__alloc(10), *b = tr__zalloc(20);
    char *c = tr__strdup("hello");
    assert_int_equal(counted.calls, 3);
    assert_int_equal(counted.live, 10 + 20 + sizeof "hello");
    a = tr__resize(a, 1000);
    assert_int_equal(counted.live, 1000 + 20 + sizeof "hello");
    assert_memory_equal(b, (char[20]){0}, 20);
    assert_string_equal(c, "hello");
    tr_free(a);
    tr__free(b);
    tr_free(c);
    tr_free(NULL);
    assert_int_equal(counted_memory_stop(), 0);
}

static size_t asked;

static void *alloc_nothing(size_t size, void *arg)
{
    assert_ptr_equal(arg, &asked);
    asked = size;
    return NULL;
}

static void *resize_nothing(void *memory, size_t size, void *arg)
{
    assert_null(memory);
    return alloc_nothing(size, arg);
}

static void release_nothing(void *memory, void *arg)
{
    assert_null(memory);
    assert_ptr_equal(arg, &asked);
}

static const tr_allocator nothing = {alloc_nothing, resize_nothing, release_nothing, &asked};

static void an_allocator_without_a_function_is_refused(void **state)
{
    (void)state;
    tr_allocator part = nothing;
    part.alloc = NULL;
    assert_int_equal(tr_memory_set(&part), TR_EINVAL);
    part = nothing;
    part.resize = NULL;
    assert_int_equal(tr_memory_set(&part), TR_EINVAL);
    part = nothing;
    part.release = NULL;
    assert_int_equal(tr_memory_set(&part), TR_EINVAL);
}

static void nobody_is_asked_for_zero_bytes(void **state)
{
    (void)state;
    assert_int_equal(tr_memory_set(&nothing), 0);
    assert_null(tr__alloc(0));
    assert_int_equal(asked, 1);
    asked = 0;
    assert_null(tr__resize(NULL, 0));
    assert_int_equal(asked, 1);
    assert_int_equal(tr_memory_set(NULL), 0);
}

static void no_memory_is_null(void **state)
{
    (void)state;
    assert_int_equal(tr_memory_set(&nothing), 0);
    assert_null(tr__alloc(1));
    assert_null(tr__zalloc(1));
    assert_null(tr__strdup("x"));
    tr__free(NULL);
    assert_int_equal(tr_memory_set(NULL), 0);
}

static void a_failed_resize_keeps_the_old_memory(void **state)
{
    (void)state;
    counted_memory_start(2);
    char *kept = tr__strdup("kept");
    assert_null(tr__resize(kept, 100));
    assert_string_equal(kept, "kept");
    tr__free(kept);
    assert_int_equal(counted_memory_stop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_from_the_users_allocator),
        cmocka_unit_test(an_allocator_without_a_function_is_refused),
        cmocka_unit_test(nobody_is_asked_for_zero_bytes),
        cmocka_unit_test(no_memory_is_null),
        cmocka_unit_test(a_failed_resize_keeps_the_old_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
