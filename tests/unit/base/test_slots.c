#include "base/slots.h"

#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"

#define ITEMS 3000 // more than two chunks

static char items[ITEMS];

static uint32_t index_of(uint64_t handle)
{
    return (uint32_t)(handle >> 28);
}

// The generation that the slot of this handle has next.
static void set_generation(tr__slots *slots, uint64_t handle, uint32_t generation)
{
    uint32_t i = index_of(handle);
    slots->chunks[i / TR__SLOT_CHUNK][i % TR__SLOT_CHUNK].generation = generation;
}

// Goal:   a handle finds its own item until that is removed, and nothing ever after.
// Method: random adds and removes beside an array; all handles that went stale are kept and tried.
static void a_handle_finds_its_item_and_no_other(void **state)
{
    (void)state;
    tr__slots slots = {0};
    static uint64_t handles[ITEMS], stale[20 * ITEMS];
    size_t stale_count = 0;
    uint64_t random = 1;
    memset(handles, 0, sizeof handles);
    for (int n = 0; n < 10 * ITEMS; n++) {
        size_t i = random_below(&random, ITEMS);
        if (handles[i] == 0) {
            assert_int_equal(0, tr__slots_add(&slots, &items[i], &handles[i]));
            assert_int_not_equal(0, handles[i]);
        } else {
            tr__slots_remove(&slots, handles[i]);
            stale[stale_count++] = handles[i];
            handles[i] = 0;
        }
    }
    for (size_t i = 0; i < ITEMS; i++)
        assert_ptr_equal(handles[i] == 0 ? NULL : &items[i], tr__slots_find(&slots, handles[i]));
    for (size_t i = 0; i < stale_count; i++)
        assert_null(tr__slots_find(&slots, stale[i]));
    assert_true(slots.used <= ITEMS); // freed ones were used again
    tr__slots_clear(&slots);
}

static void the_last_one_freed_is_used_next(void **state)
{
    (void)state;
    tr__slots slots = {0};
    uint64_t a, b, c;
    assert_int_equal(0, tr__slots_add(&slots, &items[0], &a));
    assert_int_equal(0, tr__slots_add(&slots, &items[1], &b));
    tr__slots_remove(&slots, a);
    tr__slots_remove(&slots, b);
    assert_int_equal(0, tr__slots_add(&slots, &items[2], &c));
    assert_int_equal(index_of(b), index_of(c));
    tr__slots_clear(&slots);
}

// Goal:   an index whose generations are used up is never handed out again.
// Method: set the generation near its end instead of going there.
static void an_index_without_generations_left_is_retired(void **state)
{
    (void)state;
    tr__slots slots = {0};
    uint64_t handle, last, next;
    assert_int_equal(0, tr__slots_add(&slots, &items[0], &handle));
    tr__slots_remove(&slots, handle);
    set_generation(&slots, handle, TR__SLOT_GENERATION_MAX);
    assert_int_equal(0, tr__slots_add(&slots, &items[0], &last));
    assert_int_equal(index_of(handle), index_of(last));
    assert_ptr_equal(&items[0], tr__slots_find(&slots, last));
    tr__slots_remove(&slots, last);
    assert_null(tr__slots_find(&slots, last));
    assert_int_equal(0, tr__slots_add(&slots, &items[1], &next));
    assert_ptr_equal(&items[1], tr__slots_find(&slots, next));
    assert_int_not_equal(index_of(last), index_of(next));
    assert_null(tr__slots_find(&slots, last));
    tr__slots_clear(&slots);
}

static void made_up_handles_miss(void **state)
{
    (void)state;
    tr__slots slots = {0};
    uint64_t handle;
    assert_null(tr__slots_find(&slots, 0));
    assert_null(tr__slots_find(&slots, UINT64_MAX));
    assert_int_equal(0, tr__slots_add(&slots, &items[0], &handle));
    const uint64_t wrong[] = {0, handle + 1, handle + ((uint64_t)1 << 28),
                              handle | (uint64_t)1 << 52, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_null(tr__slots_find(&slots, wrong[i]));
    tr__slots_clear(&slots);
}

static void adding_without_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t fail_at = 1; fail_at <= 2; fail_at++) {
        tr__slots slots = {0};
        uint64_t handle = 77;
        counted_memory_start(fail_at);
        assert_int_equal(TR_ENOMEM, tr__slots_add(&slots, items, &handle));
        assert_int_equal(77, handle);
        assert_int_equal(0, tr__slots_add(&slots, items, &handle));
        assert_ptr_equal(items, tr__slots_find(&slots, handle));
        tr__slots_clear(&slots);
        assert_int_equal(0, counted_memory_stop());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_finds_its_item_and_no_other),
        cmocka_unit_test(the_last_one_freed_is_used_next),
        cmocka_unit_test(an_index_without_generations_left_is_retired),
        cmocka_unit_test(made_up_handles_miss),
        cmocka_unit_test(adding_without_memory_is_an_error_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
