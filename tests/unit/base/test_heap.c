#include "base/heap.h"

#include <stdbool.h>

#include "base/list.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"

#define ITEMS 200

// What the heap should know of each node: whether it is there, and its place in the order.
struct item {
    tr__heap_node node;
    uint64_t key, order;
};

static struct item items[ITEMS];
static uint64_t next_order;

static bool item_before(const struct item *a, const struct item *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static struct item *first_of_all(void)
{
    struct item *first = NULL;
    for (size_t i = 0; i < ITEMS; i++) {
        if (items[i].node.index != 0 && (first == NULL || item_before(&items[i], first)))
            first = &items[i];
    }
    return first;
}

static struct item *first_in_heap(const tr__heap *heap)
{
    const tr__heap_entry *first = tr__heap_first(heap);
    return first == NULL ? NULL : tr__container(first->node, struct item, node);
}

static void change_one(tr__heap *heap, uint64_t *seed)
{
    struct item *item = &items[random_below(seed, ITEMS)];
    uint64_t key = random_below(seed, 50);
    if (item->node.index != 0 && random_below(seed, 2) == 0) {
        tr__heap_remove(heap, &item->node);
        assert_int_equal(0, item->node.index);
        return;
    }
    item->key = key;
    item->order = next_order++;
    if (item->node.index != 0)
        tr__heap_move(heap, key, &item->node);
    else
        assert_int_equal(0, tr__heap_add(heap, key, &item->node));
}

// Goal:   the first is the least by (key, order), whatever was added, moved and removed before.
// Method: random changes beside a plain array that is searched from end to end.
static void the_first_is_the_least_after_any_changes(void **state)
{
    (void)state;
    tr__heap heap = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        for (int i = 0; i < 2000; i++) {
            change_one(&heap, &random);
            assert_ptr_equal(first_of_all(), first_in_heap(&heap));
        }
        for (struct item *item; (item = first_in_heap(&heap)) != NULL;) {
            assert_ptr_equal(first_of_all(), item);
            tr__heap_remove(&heap, &item->node);
        }
        assert_null(first_of_all());
    }
    tr__heap_clear(&heap);
}

static void equal_keys_come_out_in_the_order_of_adding_and_moving(void **state)
{
    (void)state;
    tr__heap heap = {0};
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(0, tr__heap_add(&heap, 7, &items[i].node));
    tr__heap_move(&heap, 7, &items[0].node); // behind the others
    for (size_t i = 1; i <= ITEMS; i++) {
        assert_ptr_equal(&items[i % ITEMS], first_in_heap(&heap));
        tr__heap_remove(&heap, &items[i % ITEMS].node);
    }
    tr__heap_clear(&heap);
}

static void removing_what_is_not_there_changes_nothing(void **state)
{
    (void)state;
    tr__heap heap = {0};
    tr__heap_remove(&heap, &items[0].node);
    assert_int_equal(0, tr__heap_add(&heap, 1, &items[1].node));
    tr__heap_remove(&heap, &items[0].node);
    assert_ptr_equal(&items[1], first_in_heap(&heap));
    tr__heap_remove(&heap, &items[1].node);
    assert_null(tr__heap_first(&heap));
    tr__heap_clear(&heap);
}

static void adding_without_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    tr__heap heap = {0};
    size_t count = 0;
    counted_memory_start(2);
    while (tr__heap_add(&heap, 9, &items[count].node) == 0)
        count++;
    assert_true(counted_memory_failed());
    assert_int_equal(0, items[count].node.index);
    assert_int_equal(count, heap.count);
    assert_int_equal(0, tr__heap_add(&heap, 1, &items[count].node)); // now there is some
    assert_ptr_equal(&items[count], first_in_heap(&heap));
    while (heap.count > 0)
        tr__heap_remove(&heap, heap.entries[0].node);
    tr__heap_clear(&heap);
    assert_int_equal(0, counted_memory_stop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_least_after_any_changes),
        cmocka_unit_test(equal_keys_come_out_in_the_order_of_adding_and_moving),
        cmocka_unit_test(removing_what_is_not_there_changes_nothing),
        cmocka_unit_test(adding_without_memory_is_an_error_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
