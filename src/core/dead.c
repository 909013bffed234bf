// Dead letters: what could not be delivered is counted, on the loop that found out, and told to
// those actors that want to hear of it, wherever on the node they live.
//
// Telling makes no dead letter of its own: a reader that has no room is not told, what the runtime
// itself has said (from nobody) is only counted, and nobody is told of what was sent to it.
#include "core/dead.h"

#include <troupe/registry.h>

#include "base/memory.h"
#include "core/node.h"
#include "data/doc.h"

#define BODY_MAX 65536u // bytes of a body that is told

typedef struct reader {
    tr__owned owned;
    tr__list link;
    tr_addr addr;
    tr_node *node;
} reader;

// ---- Telling ----

static tr_val dead_body(const tr__letter *letter)
{
    size_t size = 0;
    bool fits = tr__doc_size(&letter->body, &size) == 0 && size <= BODY_MAX;
    return fits ? letter->body : TR_NULL;
}

static int dead_msg(const tr__letter *letter, int why, tr_val body, tr_msg **ret_msg)
{
    tr_str name = {letter->name, letter->name_len};
    return tr_msg_new(
        "dead letter",
        TR_MAP("to", letter->to, "from", letter->from, "name", name, "why", why, "body", body),
        ret_msg);
}

// Under the lock. Whom it cannot reach it does not tell.
static void reader_tell(tr_loop *loop, const reader *r, const tr__letter *letter, int why)
{
    tr_msg *msg = NULL;
    tr_loop *to = tr__id_loop(loop->node, r->addr.actor);
    int rc = dead_msg(letter, why, dead_body(letter), &msg);
    if (rc == TR_ETOODEEP) // it was as deep as one may be
        rc = dead_msg(letter, why, TR_NULL, &msg);
    if (rc == 0 && to == loop)
        tr__mail_offer(tr__actor_find(loop, r->addr.actor), &msg);
    else if (rc == 0)
        tr__far_send(loop, to, r->addr.actor, &msg);
    tr_msg_free(&msg);
}

static void dead_tell(tr_loop *loop, const tr__letter *letter, int why)
{
    tr__dead *dead = &loop->node->dead;
    tr__lock_take(&dead->lock);
    for (tr__list *at = dead->readers.next; at != &dead->readers; at = at->next) {
        const reader *r = tr__container(at, reader, link);
        if (!tr_addr_eq(r->addr, letter->to))
            reader_tell(loop, r, letter, why);
    }
    tr__lock_give(&dead->lock);
}

static bool dead_count(tr_loop *loop, tr_addr from, tr_addr to, const char *name, size_t name_len,
                       int why)
{
    tr__counter_add(&loop->dead_letters, 1);
    TR__TELL(loop, .kind = TR_TRACE_DROP, .actor = to.node == loop->node->id ? to.actor : 0,
             .other = from, .name = name, .name_len = name_len, .code = why, .number = to.node);
    return from.node != 0 && tr__counter_get(&loop->node->dead.count) > 0;
}

void tr__dead_letter(tr_loop *loop, const tr__letter *letter, int why)
{
    if (dead_count(loop, letter->from, letter->to, letter->name, letter->name_len, why))
        dead_tell(loop, letter, why);
}

void tr__dead_msg(tr_loop *loop, const tr_msg *msg, tr_addr to, int why)
{
    if (!dead_count(loop, msg->from, to, msg->name, msg->name_len, why))
        return;
    tr__letter letter = tr__letter_of(msg, to);
    dead_tell(loop, &letter, why);
}

// ---- Subscribing ----

static void reader_close(tr__owned *owned)
{
    reader *r = tr__container(owned, reader, owned);
    tr__dead *dead = &r->node->dead;
    tr__lock_take(&dead->lock);
    tr__list_remove(&r->link);
    tr__counter_add(&dead->count, -1);
    tr__lock_give(&dead->lock);
    tr__list_remove(&r->owned.link);
    tr__free(r);
}

static int reader_open(tr_actor *self)
{
    tr__dead *dead = &self->loop->node->dead;
    reader *r = tr__alloc(sizeof *r);
    if (r == NULL)
        return TR_ENOMEM;
    *r = (reader){
        .owned.close = reader_close, .addr = tr__actor_addr(self), .node = self->loop->node};
    tr__list_append(&self->owned, &r->owned.link);
    tr__lock_take(&dead->lock);
    tr__list_append(&dead->readers, &r->link);
    tr__counter_add(&dead->count, 1);
    tr__lock_give(&dead->lock);
    return 0;
}

// NULL: it is none.
static reader *reader_find(const tr_actor *self)
{
    tr__dead *dead = &self->loop->node->dead;
    reader *found = NULL;
    tr__lock_take(&dead->lock);
    for (tr__list *at = dead->readers.next; at != &dead->readers; at = at->next) {
        reader *r = tr__container(at, reader, link);
        if (tr_addr_eq(r->addr, tr__actor_addr(self)))
            found = r;
    }
    tr__lock_give(&dead->lock);
    return found;
}

int tr_dead_letters(tr_actor *self, bool wanted)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING)
        return TR_EINVAL;
    reader *r = reader_find(self);
    if (wanted == (r != NULL))
        return 0;
    if (wanted)
        return reader_open(self);
    reader_close(&r->owned);
    return 0;
}
