// A hash map from 64-bit keys to pointers. Open addressing, linear probing, no tombstones.
#ifndef TROUPE_BASE_MAP_H
#define TROUPE_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <troupe/error.h>

typedef struct tr__map_entry {
    uint64_t key;
    void *value; // NULL: empty
} tr__map_entry;

typedef struct tr__map {
    tr__map_entry *entries;
    size_t capacity; // 0 or a power of two
    size_t count;
} tr__map;

void tr__map_clear(tr__map *map); // drops the entries, not what they point to

void *tr__map_get(const tr__map *map, uint64_t key);      // NULL: not there
int tr__map_put(tr__map *map, uint64_t key, void *value); // replaces; errors: TR_ENOMEM
void *tr__map_remove(tr__map *map, uint64_t key);         // returns what was there

// Walk in no particular order; *at starts at 0. The map must not change meanwhile. NULL: the end.
void *tr__map_next(const tr__map *map, size_t *at);

#endif
