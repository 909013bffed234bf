#include "base/map.h"

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"

#define KEYS 300

static char places[KEYS]; // their addresses are the values

// Keys as the library has them: small numbers, handles with the index in the high bits, random.
static uint64_t key_of(size_t i)
{
    static const uint64_t kinds[] = {1, (uint64_t)1 << 28, 0x9e3779b97f4a7c15u};
    return (i + 1) * kinds[i % 3];
}

static void map_matches(const tr__map *map, void *const *values)
{
    size_t count = 0, at = 0, walked = 0;
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(values[i], tr__map_get(map, key_of(i)));
        count += values[i] != NULL;
    }
    while (tr__map_next(map, &at) != NULL)
        walked++;
    assert_int_equal(count, map->count);
    assert_int_equal(count, walked);
}

// Goal:   the map holds what an array would, after any puts, replacements and removals.
// Method: random ones beside an array, half of the keys there on average.
static void a_map_is_an_array_with_any_keys(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        tr__map map = {0};
        void *values[KEYS] = {0};
        uint64_t random = seed;
        for (int i = 0; i < 3000; i++) {
            size_t k = random_below(&random, KEYS);
            if (random_below(&random, 2) == 0) {
                assert_ptr_equal(values[k], tr__map_remove(&map, key_of(k)));
                values[k] = NULL;
            } else {
                values[k] = &places[random_below(&random, KEYS)];
                assert_int_equal(0, tr__map_put(&map, key_of(k), values[k]));
            }
            if (i % 50 == 0)
                map_matches(&map, values);
        }
        map_matches(&map, values);
        tr__map_clear(&map);
    }
}

// Where a key goes in a map of 8 that has nothing else.
static size_t home_of(uint64_t key)
{
    tr__map map = {0};
    size_t home = 0;
    assert_int_equal(0, tr__map_put(&map, key, places));
    assert_int_equal(8, map.capacity);
    while (map.entries[home].value == NULL)
        home++;
    tr__map_clear(&map);
    return home;
}

// Goal:   entries that were pushed away from their place are found after any removal among them.
// Method: five keys with one home, near the end of the map; remove each one in turn.
static void entries_that_collide_survive_each_others_removal(void **state)
{
    (void)state;
    uint64_t keys[5];
    size_t found = 0;
    for (uint64_t key = 1; found < 5; key++) {
        if (home_of(key) == 6)
            keys[found++] = key;
    }
    for (size_t gone = 0; gone < 5; gone++) {
        tr__map map = {0};
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(0, tr__map_put(&map, keys[i], &places[i]));
        assert_ptr_equal(&places[gone], tr__map_remove(&map, keys[gone]));
        for (size_t i = 0; i < 5; i++)
            assert_ptr_equal(i == gone ? NULL : &places[i], tr__map_get(&map, keys[i]));
        tr__map_clear(&map);
    }
}

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    tr__map map = {0};
    size_t at = 0;
    assert_null(tr__map_get(&map, 0));
    assert_null(tr__map_remove(&map, 0));
    assert_null(tr__map_next(&map, &at));
    tr__map_clear(&map);
    assert_int_equal(0, tr__map_put(&map, 0, places)); // 0 is a key like any other
    assert_ptr_equal(places, tr__map_get(&map, 0));
    tr__map_clear(&map);
    assert_null(tr__map_get(&map, 0));
}

static void putting_without_memory_is_an_error_and_changes_nothing(void **state)
{
    (void)state;
    tr__map map = {0};
    void *values[KEYS] = {0};
    size_t count = 0;
    counted_memory_start(2);
    while (tr__map_put(&map, key_of(count), &places[count]) == 0) {
        values[count] = &places[count];
        count++;
    }
    assert_true(counted_memory_failed());
    map_matches(&map, values);
    tr__map_clear(&map);
    assert_int_equal(0, counted_memory_stop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_is_an_array_with_any_keys),
        cmocka_unit_test(entries_that_collide_survive_each_others_removal),
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(putting_without_memory_is_an_error_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
