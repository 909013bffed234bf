#include "base/dict.h"

#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"

#define RECORDS 200

static struct record {
    tr__dict_entry entry;
    char text[16];
    bool there;
} records[RECORDS];

static void make_records(void)
{
    for (size_t i = 0; i < RECORDS; i++) {
        records[i] = (struct record){0};
        snprintf(records[i].text, sizeof records[i].text, "name %zu", i);
        records[i].entry.text = records[i].text;
    }
}

static void dict_matches(const tr__dict *dict)
{
    size_t count = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        char text[sizeof records[i].text]; // the text counts, not where it is
        memcpy(text, records[i].text, sizeof text);
        assert_ptr_equal(records[i].there ? &records[i].entry : NULL, tr__dict_find(dict, text));
        count += records[i].there;
    }
    assert_int_equal(count, dict->count);
}

// Goal:   the dict holds what has been added and not removed.
// Method: random ones beside an array, half of the texts there on average.
static void a_dict_is_a_table_of_texts(void **state)
{
    (void)state;
    tr__dict dict = {0};
    uint64_t random = 1;
    make_records();
    for (int i = 0; i < 3000; i++) {
        struct record *r = &records[random_below(&random, RECORDS)];
        if (r->there)
            tr__dict_remove(&dict, &r->entry);
        else
            assert_int_equal(0, tr__dict_add(&dict, &r->entry));
        r->there = !r->there;
        if (i % 100 == 0)
            dict_matches(&dict);
    }
    dict_matches(&dict);
    tr__dict_clear(&dict);
    assert_int_equal(0, dict.count);
}

// Goal:   only the first entry needs memory.
// Method: none after it; what is there is found all the same.
static void without_memory_the_chains_get_longer(void **state)
{
    (void)state;
    tr__dict dict = {0};
    make_records();
    counted_memory_start(1);
    assert_int_equal(TR_ENOMEM, tr__dict_add(&dict, &records[0].entry));
    counted_memory_stop();
    assert_int_equal(0, tr__dict_add(&dict, &records[0].entry));
    records[0].there = true;
    for (size_t i = 1; i < RECORDS; i++) {
        counted_memory_start(1);
        assert_int_equal(0, tr__dict_add(&dict, &records[i].entry));
        counted_memory_stop();
        records[i].there = true;
    }
    dict_matches(&dict);
    tr__dict_clear(&dict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dict_is_a_table_of_texts),
        cmocka_unit_test(without_memory_the_chains_get_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
