// An intrusive doubly linked ring: the head is a node as well, and an unlinked node links itself.
// Costs no memory, and removal needs no list.
#ifndef TROUPE_BASE_LIST_H
#define TROUPE_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tr__list {
    struct tr__list *next, *prev;
} tr__list;

#define tr__container(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void tr__list_init(tr__list *node)
{
    node->next = node->prev = node;
}

static inline bool tr__list_empty(const tr__list *head)
{
    return head->next == head;
}

static inline void tr__list_append(tr__list *head, tr__list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

// Safe on a node that is not in a list, if it was initialised.
static inline void tr__list_remove(tr__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    tr__list_init(node);
}

static inline tr__list *tr__list_pop(tr__list *head)
{
    if (tr__list_empty(head))
        return NULL;
    tr__list *node = head->next;
    tr__list_remove(node);
    return node;
}

// Move all of `from` behind `to`, which may have nodes already; `from` is empty afterwards.
static inline void tr__list_splice(tr__list *to, tr__list *from)
{
    if (tr__list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tr__list_init(from);
}

#endif
