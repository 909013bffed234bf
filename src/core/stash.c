// Messages that are put off, and other ways to handle them: the stash, become, holding the mail.
//
// A stash holds copies: what was sent is done with when its turn ends, so its sender's window opens
// and its memory goes home, as always; an ask lives on in its copy. Returned, the copies lie in
// front of the mail, and from then on are mail like any other: counted, dropped by the mailbox's
// policy, dead letters at the end. So nothing else in the core knows of a stash.
//
// All of it hangs on the actor's extra, which few actors have.
#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"

int tr__extra_of(tr_actor *actor, tr__extra **ret_extra)
{
    if (actor->extra == NULL) {
        tr__extra *extra = tr__zalloc(sizeof *extra);
        if (extra == NULL)
            return TR_ENOMEM;
        extra->actor = actor;
        tr__list_init(&extra->pending);
        tr__list_init(&extra->idler);
        actor->extra = extra;
    }
    *ret_extra = actor->extra;
    return 0;
}

static bool may_change(const tr_actor *self)
{
    return tr__actor_here(self) && self->state <= TR__RUNNING;
}

// ---- The stash ----

static bool stash_full(const tr_actor *actor, const tr__extra *extra, size_t weight)
{
    return extra->stash_count >= actor->mail_max ||
           (extra->stash_count > 0 && extra->stash_bytes + weight > actor->mail_bytes_max);
}

int tr_stash(tr_actor *self, const tr_msg *msg)
{
    tr__extra *extra;
    tr_msg *copy;
    if (!may_change(self) || msg == NULL || msg->is_notice || (msg->is_ask && msg->answered))
        return TR_EINVAL;
    int rc = tr__extra_of(self, &extra);
    if (rc == 0 && stash_full(self, extra, msg->weight))
        rc = TR_EFULL;
    if (rc == 0)
        rc = tr__ask_copy(msg, &copy);
    if (rc < 0)
        return rc;
    rc = tr__cargo_pass(self->loop, msg, copy);
    if (rc < 0) {
        tr_msg_free(&copy);
        return rc;
    }
    ((tr_msg *)msg)->answered = true;
    tr__queue_push(&extra->stash, copy);
    extra->stash_count++;
    extra->stash_bytes += copy->weight;
    return 0;
}

void tr__stash_return(tr_actor *actor)
{
    tr__extra *extra = actor->extra;
    if (extra == NULL || extra->stash.head == NULL)
        return;
    tr_assert(extra->stash_count > 0);
    tr__senders_clear(actor); // it knows nothing of them
    extra->stash.tail->next = actor->mail.head;
    if (actor->mail.head == NULL)
        actor->mail.tail = extra->stash.tail;
    actor->mail.head = extra->stash.head;
    actor->mail_count += extra->stash_count;
    actor->mail_bytes += extra->stash_bytes;
    extra->stash.head = NULL;
    extra->stash_count = extra->stash_bytes = 0;
}

int tr_unstash_all(tr_actor *self)
{
    if (!may_change(self))
        return TR_EINVAL;
    tr__stash_return(self);
    tr__actor_wake(self);
    return 0;
}

// ---- Handling otherwise, or not at all ----

static void extra_note(tr_actor *actor)
{
    actor->unusual = actor->extra->receive != NULL || actor->extra->held;
}

int tr_become(tr_actor *self, tr_receive receive)
{
    tr__extra *extra;
    if (!may_change(self))
        return TR_EINVAL;
    int rc = tr__extra_of(self, &extra);
    if (rc < 0)
        return rc;
    extra->receive = receive;
    extra_note(self);
    return 0;
}

int tr_mail_hold(tr_actor *self, bool hold)
{
    tr__extra *extra;
    if (!may_change(self))
        return TR_EINVAL;
    int rc = tr__extra_of(self, &extra);
    if (rc < 0)
        return rc;
    extra->held = hold;
    extra_note(self);
    tr__actor_wake(self);
    return 0;
}
