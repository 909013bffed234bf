// Removal moves later entries of the same run back into the gap, so that lookups never need
// tombstones and a map that stays small stays fast. Full at three quarters.
#include "base/map.h"

#include "base/assert.h"
#include "base/memory.h"

static size_t map_home(const tr__map *map, uint64_t key)
{
    // A multiplicative hash (Knuth): the high bits of the product mix all of the key's.
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> 32) & (map->capacity - 1);
}

static tr__map_entry *map_seek(const tr__map *map, uint64_t key)
{
    size_t i = map_home(map, key);
    while (map->entries[i].value != NULL && map->entries[i].key != key)
        i = (i + 1) & (map->capacity - 1);
    return &map->entries[i];
}

void tr__map_clear(tr__map *map)
{
    tr__free(map->entries);
    *map = (tr__map){0};
}

void *tr__map_get(const tr__map *map, uint64_t key)
{
    return map->count == 0 ? NULL : map_seek(map, key)->value;
}

static int map_grow(tr__map *map)
{
    tr__map bigger = {.capacity = map->capacity == 0 ? 8 : map->capacity * 2, .count = map->count};
    bigger.entries = tr__zalloc(bigger.capacity * sizeof *bigger.entries);
    if (bigger.entries == NULL)
        return TR_ENOMEM;
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->entries[i].value != NULL)
            *map_seek(&bigger, map->entries[i].key) = map->entries[i];
    }
    tr__free(map->entries);
    *map = bigger;
    return 0;
}

int tr__map_put(tr__map *map, uint64_t key, void *value)
{
    tr_assert(value != NULL);
    if ((map->count + 1) * 4 > map->capacity * 3) {
        int rc = map_grow(map);
        if (rc < 0)
            return rc;
    }
    tr__map_entry *entry = map_seek(map, key);
    if (entry->value == NULL)
        map->count++;
    *entry = (tr__map_entry){key, value};
    return 0;
}

void *tr__map_remove(tr__map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    size_t mask = map->capacity - 1;
    tr__map_entry *entry = map_seek(map, key);
    void *value = entry->value;
    if (value == NULL)
        return NULL;
    size_t gap = (size_t)(entry - map->entries);
    for (size_t i = (gap + 1) & mask; map->entries[i].value != NULL; i = (i + 1) & mask) {
        // An entry may fill the gap unless its home lies after the gap, on the way to it.
        size_t home = map_home(map, map->entries[i].key);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            map->entries[gap] = map->entries[i];
            gap = i;
        }
    }
    map->entries[gap].value = NULL;
    map->count--;
    return value;
}

void *tr__map_next(const tr__map *map, size_t *at)
{
    while (*at < map->capacity) {
        void *value = map->entries[(*at)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}
