#include "base/list.h"

#include "support/cmocka.h"

struct item {
    int number;
    tr__list node;
};

// The numbers of a list as one decimal number, emptying it.
static int drain(tr__list *head)
{
    int numbers = 0;
    tr__list *node;
    while ((node = tr__list_pop(head)) != NULL)
        numbers = 10 * numbers + tr__container(node, struct item, node)->number;
    assert_true(tr__list_empty(head));
    return numbers;
}

static void fill(tr__list *head, struct item *items, int first, int count)
{
    tr__list_init(head);
    for (int i = 0; i < count; i++) {
        items[i].number = first + i;
        tr__list_append(head, &items[i].node);
    }
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    tr__list head;
    struct item items[4];
    fill(&head, items, 1, 4);
    assert_false(tr__list_empty(&head));
    assert_int_equal(drain(&head), 1234);
    assert_null(tr__list_pop(&head));
}

static void any_item_can_leave_and_leave_again(void **state)
{
    (void)state;
    tr__list head;
    struct item items[4];
    fill(&head, items, 1, 4);
    tr__list_remove(&items[1].node);
    tr__list_remove(&items[1].node);
    tr__list_remove(&items[3].node);
    assert_int_equal(drain(&head), 13);
}

static void a_list_can_be_moved_behind_another(void **state)
{
    (void)state;
    tr__list a, b;
    struct item items[4];
    fill(&a, items, 1, 2);
    fill(&b, items + 2, 3, 2);
    tr__list_splice(&a, &b);
    assert_true(tr__list_empty(&b));
    tr__list_splice(&a, &b);
    assert_int_equal(drain(&a), 1234);

    fill(&b, items, 5, 2);
    tr__list_splice(&a, &b);
    assert_int_equal(drain(&a), 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(any_item_can_leave_and_leave_again),
        cmocka_unit_test(a_list_can_be_moved_behind_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
