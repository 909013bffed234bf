// A hash map from text to records. A record holds an entry and its text; the dict only links it.
// Growing is a favour: where there is no memory for it the chains get longer.
#ifndef TROUPE_BASE_DICT_H
#define TROUPE_BASE_DICT_H

#include <stddef.h>
#include <troupe/error.h>

typedef struct tr__dict_entry {
    struct tr__dict_entry *next;
    const char *text;
} tr__dict_entry;

typedef struct tr__dict {
    tr__dict_entry **chains;
    size_t capacity; // 0 or a power of two
    size_t count;
} tr__dict;

void tr__dict_clear(tr__dict *dict); // unlinks the entries

tr__dict_entry *tr__dict_find(const tr__dict *dict, const char *text); // NULL: not there
// The text must not be there, and must live as long as the entry. errors: TR_ENOMEM
int tr__dict_add(tr__dict *dict, tr__dict_entry *entry);
void tr__dict_remove(tr__dict *dict, tr__dict_entry *entry); // must be there

#endif
