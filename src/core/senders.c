// Where the last message of each sender waits in a mailbox: a down goes behind it.
//
// In a short mailbox that is found by looking. In a long one a table is made by the first down that
// comes, and brought up to date by the next ones: so each message is looked at once, however many
// downs come. It goes when the mailbox is empty. Two senders may share an entry, for its key is
// made of their address: then the later message of both is found, which is late enough for either.
#include "base/assert.h"
#include "core/core.h"

#define SHORT_MAX 64u // messages

static uint64_t sender_key(tr_addr from)
{
    return from.actor ^ from.node * 0x9e3779b97f4a7c15u;
}

void tr__senders_clear(tr_actor *actor)
{
    if (!actor->counts_senders)
        return;
    actor->counts_senders = false;
    tr__map_clear(&actor->extra->last);
    actor->extra->last_seen = NULL;
}

void tr__senders_left(tr_actor *actor, const tr_msg *msg)
{
    tr__extra *extra = actor->extra;
    tr_assert(actor->counts_senders);
    if (extra->last_seen == msg)
        extra->last_seen = NULL;
    if (tr__map_get(&extra->last, sender_key(msg->from)) == msg)
        tr__map_remove(&extra->last, sender_key(msg->from));
    if (actor->mail.head == NULL)
        tr__senders_clear(actor);
}

void tr__senders_put(tr_actor *actor, tr_msg *behind, tr_msg *notice)
{
    if (!actor->counts_senders)
        return;
    if (actor->extra->last_seen == behind)
        actor->extra->last_seen = notice;
    if (tr__map_put(&actor->extra->last, sender_key(notice->from), notice) < 0)
        tr__senders_clear(actor);
}

// Look at what has come since the last time. Returns whether there was memory for it.
static bool senders_look(tr_actor *actor)
{
    tr__extra *extra;
    if (tr__extra_of(actor, &extra) < 0)
        return false;
    actor->counts_senders = true;
    tr_msg *m = extra->last_seen == NULL ? actor->mail.head : extra->last_seen->next;
    for (; m != NULL; m = m->next) {
        actor->loop->mail_looks++;
        if (tr__map_put(&extra->last, sender_key(m->from), m) < 0) {
            tr__senders_clear(actor);
            return false;
        }
        extra->last_seen = m;
    }
    return true;
}

static bool mail_is_long(const tr_actor *actor)
{
    const tr_msg *m = actor->mail.head;
    for (uint32_t i = 0; m != NULL && i < SHORT_MAX; i++)
        m = m->next;
    return m != NULL;
}

static tr_msg *senders_walk(const tr_actor *actor, tr_addr from)
{
    tr_msg *last = NULL;
    for (tr_msg *m = actor->mail.head; m != NULL; m = m->next) {
        actor->loop->mail_looks++;
        if (m->from.node == from.node && (m->from.actor == from.actor || from.actor == 0))
            last = m;
    }
    return last;
}

tr_msg *tr__senders_last(tr_actor *actor, tr_addr from)
{
    bool table = from.actor != 0 && (actor->counts_senders || mail_is_long(actor));
    return table && senders_look(actor) ? tr__map_get(&actor->extra->last, sender_key(from))
                                        : senders_walk(actor, from);
}
