// Readers: who wants to hear of something of its node. They stand in a list under a lock, since it
// may happen on any loop; telling one on another loop is a message on its way there.
#include "core/readers.h"

#include "base/memory.h"
#include "core/node.h"

typedef struct reader {
    tr__owned owned;
    tr__list link;
    tr_addr addr;
    tr__readers *readers;
} reader;

void tr__readers_init(tr__readers *readers)
{
    tr__list_init(&readers->list);
}

// ---- Telling ----

void tr__reader_tell(tr_loop *loop, tr_addr to, tr_msg **msg)
{
    tr_loop *home = tr__id_loop(loop->node, to.actor);
    if (home == loop)
        tr__mail_offer(tr__actor_find(loop, to.actor), msg);
    else
        tr__far_send(loop, home, to.actor, msg);
    tr_msg_free(msg);
}

void tr__readers_tell(tr_loop *loop, tr__readers *readers, tr_addr but,
                      int (*make)(const void *what, tr_msg **ret_msg), const void *what)
{
    tr__lock_take(&readers->lock);
    for (tr__list *at = readers->list.next; at != &readers->list; at = at->next) {
        const reader *r = tr__container(at, reader, link);
        tr_msg *msg = NULL;
        if (!tr_addr_eq(r->addr, but) && make(what, &msg) == 0)
            tr__reader_tell(loop, r->addr, &msg);
    }
    tr__lock_give(&readers->lock);
}

// ---- Subscribing ----

static void reader_close(tr__owned *owned)
{
    reader *r = tr__container(owned, reader, owned);
    tr__lock_take(&r->readers->lock);
    tr__list_remove(&r->link);
    tr__counter_add(&r->readers->count, -1);
    tr__lock_give(&r->readers->lock);
    tr__list_remove(&r->owned.link);
    tr__free(r);
}

static int reader_open(tr_actor *self, tr__readers *readers)
{
    reader *r = tr__alloc(sizeof *r);
    if (r == NULL)
        return TR_ENOMEM;
    *r = (reader){.owned.close = reader_close, .addr = tr__actor_addr(self), .readers = readers};
    tr__list_append(&self->owned, &r->owned.link);
    tr__lock_take(&readers->lock);
    tr__list_append(&readers->list, &r->link);
    tr__counter_add(&readers->count, 1);
    tr__lock_give(&readers->lock);
    return 1;
}

// NULL: it is none.
static reader *reader_find(const tr_actor *self, tr__readers *readers)
{
    reader *found = NULL;
    tr__lock_take(&readers->lock);
    for (tr__list *at = readers->list.next; at != &readers->list; at = at->next) {
        reader *r = tr__container(at, reader, link);
        if (tr_addr_eq(r->addr, tr__actor_addr(self)))
            found = r;
    }
    tr__lock_give(&readers->lock);
    return found;
}

int tr__readers_want(tr_actor *self, tr__readers *readers, bool wanted)
{
    reader *r = reader_find(self, readers);
    if (wanted == (r != NULL))
        return 0;
    if (wanted)
        return reader_open(self, readers);
    reader_close(&r->owned);
    return 0;
}
