// Chained, and about one entry a chain. See dict.h.
#include "base/dict.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

// The chain that a text belongs to, by FNV-1a.
static tr__dict_entry **dict_chain(const tr__dict *dict, const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
    return &dict->chains[(hash ^ hash >> 32) & (dict->capacity - 1)];
}

static void dict_link(tr__dict *dict, tr__dict_entry *entry)
{
    tr__dict_entry **chain = dict_chain(dict, entry->text);
    entry->next = *chain;
    *chain = entry;
}

static void dict_grow(tr__dict *dict)
{
    tr__dict bigger = {.capacity = dict->capacity == 0 ? 8 : dict->capacity * 2,
                       .count = dict->count};
    bigger.chains = tr__zalloc(bigger.capacity * sizeof *bigger.chains);
    if (bigger.chains == NULL)
        return;
    for (size_t i = 0; i < dict->capacity; i++) {
        for (tr__dict_entry *entry = dict->chains[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            dict_link(&bigger, entry);
        }
    }
    tr__free(dict->chains);
    *dict = bigger;
}

void tr__dict_clear(tr__dict *dict)
{
    tr__free(dict->chains);
    *dict = (tr__dict){0};
}

tr__dict_entry *tr__dict_find(const tr__dict *dict, const char *text)
{
    if (dict->count == 0)
        return NULL;
    tr__dict_entry *entry = *dict_chain(dict, text);
    while (entry != NULL && strcmp(entry->text, text) != 0)
        entry = entry->next;
    return entry;
}

int tr__dict_add(tr__dict *dict, tr__dict_entry *entry)
{
    tr_assert(tr__dict_find(dict, entry->text) == NULL);
    if (dict->count >= dict->capacity)
        dict_grow(dict);
    if (dict->capacity == 0)
        return TR_ENOMEM;
    dict_link(dict, entry);
    dict->count++;
    return 0;
}

void tr__dict_remove(tr__dict *dict, tr__dict_entry *entry)
{
    tr__dict_entry **at = dict_chain(dict, entry->text);
    while (*at != entry) {
        tr_assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = entry->next;
    dict->count--;
}
