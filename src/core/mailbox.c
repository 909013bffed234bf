// Mailboxes: how a message gets to an actor, and how it is handled.
//
// An actor has two queues. Mail is what actors send: bounded in messages and bytes. Notices are
// what the runtime says (downs): beyond the bounds, and handled before the mail, unless mail of the
// one that has ended is still waiting: then the notice goes behind the last of it.
//
// On one loop nothing here is atomic and no clock is read per message: sender and receiver are on
// the same thread, and an actor with mail is simply linked into the loop's list of runnable ones.
#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"
#include "data/doc.h"

#define TURN_MESSAGES  16   // of one actor, before the next one has its turn
#define PHASE_MESSAGES 4096 // before timers and I/O have theirs
#define PHASE_NS       TR_MS(1)
#define CLOCK_EVERY    16 // messages

void tr__dead_letter(tr_loop *loop)
{
    loop->dead_letters++;
}

void tr__msg_consumed(tr_loop *loop, tr_msg **msg)
{
    if ((*msg)->inflow != NULL)
        loop->node->route->consumed(*msg);
    tr_msg_free(msg);
}

static bool mail_refuses(tr_actor *actor, size_t weight)
{
    bool full = actor->mail_count >= actor->mail_max ||
                (actor->mail_count > 0 && actor->mail_bytes + weight > actor->mail_bytes_max);
    actor->refused |= full;
    return full;
}

// Whoever was refused may send again when half of the room is free.
static void mail_make_room(tr_actor *actor)
{
    if (actor->mail_count > actor->mail_max / 2 || actor->mail_bytes > actor->mail_bytes_max / 2)
        return;
    actor->refused = false;
    tr__list_splice(&actor->loop->writable, &actor->waiters);
}

void tr__mail_put(tr_actor *actor, tr_msg **msg)
{
    tr__queue_push(&actor->mail, *msg);
    actor->mail_count++;
    actor->mail_bytes += (*msg)->weight;
    *msg = NULL;
    tr__actor_wake(actor);
}

void tr__notice_put(tr_actor *actor, tr_msg **notice)
{
    tr_msg *last = NULL;
    for (tr_msg *m = actor->mail.head; m != NULL; m = m->next) {
        if (tr_addr_eq(m->from, (*notice)->from))
            last = m;
    }
    if (last == NULL) {
        tr__queue_push(&actor->notices, *notice);
    } else {
        (*notice)->next = last->next;
        last->next = *notice;
        if (actor->mail.tail == last)
            actor->mail.tail = *notice;
    }
    *notice = NULL;
    tr__actor_wake(actor);
}

static tr_msg *mail_take(tr_actor *actor)
{
    tr_msg *msg = tr__queue_pop(&actor->notices);
    if (msg != NULL)
        return msg;
    msg = tr__queue_pop(&actor->mail);
    if (msg == NULL)
        return NULL;
    if (msg == actor->stop_after)
        actor->stop_asked = true;
    if (msg->down != NULL)
        return msg;
    tr_assert(actor->mail_count > 0 && actor->mail_bytes >= msg->weight);
    actor->mail_count--;
    actor->mail_bytes -= msg->weight;
    if (actor->refused)
        mail_make_room(actor);
    return msg;
}

void tr__mail_drop(tr_actor *actor)
{
    for (tr_msg *msg; (msg = mail_take(actor)) != NULL;) {
        if (msg->down == NULL)
            tr__dead_letter(actor->loop);
        tr__msg_consumed(actor->loop, &msg);
    }
}

// One turn: one message, then its jobs.
static void mail_deliver(tr_actor *actor, tr_msg *msg)
{
    const tr_behavior *behavior = actor->behavior;
    tr__turn_begin(actor);
    int rc = behavior->receive == NULL ? TR_EUNKNOWN : behavior->receive(actor, msg);
    tr__msg_consumed(actor->loop, &msg);
    if (rc == TR_EUNKNOWN)
        tr__dead_letter(actor->loop);
    else if (rc < 0)
        tr__actor_exit(actor, tr__reason_of(rc));
    tr__turn_end(actor);
}

// Returns the number of messages that it handled.
static int mail_run_actor(tr_actor *actor)
{
    for (int n = 0; n < TURN_MESSAGES; n++) {
        if (actor->stop_asked) {
            tr__actor_exit(actor, tr__reason_of(TR_SHUTDOWN));
            return n;
        }
        tr_msg *msg = mail_take(actor);
        if (msg == NULL)
            return n;
        mail_deliver(actor, msg);
        if (actor->state != TR__RUNNING)
            return n + 1;
    }
    return TURN_MESSAGES;
}

// Not a snapshot: a message sent in this phase is handled in it, within the phase's budget.
void tr__mail_run(tr_loop *loop)
{
    if (tr__list_empty(&loop->runnable))
        return;
    tr_world *world = loop->world;
    uint64_t until = world->ops->now(world) + PHASE_NS;
    int handled = 0, looked = 0;
    for (tr__list *node;
         handled < PHASE_MESSAGES && (node = tr__list_pop(&loop->runnable)) != NULL;) {
        tr_actor *actor = tr__container(node, tr_actor, run);
        handled += mail_run_actor(actor);
        tr__actor_wake(actor);
        if (handled - looked < CLOCK_EVERY)
            continue;
        looked = handled;
        if (world->ops->now(world) >= until)
            break;
    }
}

// ---- Sending ----

static int send_local(tr_actor *self, uint64_t to, const char *name, size_t name_len, tr_val *body)
{
    tr_actor *actor = tr__actor_find(self->loop->node, to);
    if (actor == NULL)
        return TR_ENOACTOR;
    size_t size;
    int rc = tr__doc_size(body, &size);
    if (rc < 0)
        return rc;
    if (mail_refuses(actor, name_len + size))
        return TR_EFULL;
    tr_msg *msg;
    rc = tr__msg_new(name, name_len, size, &msg);
    if (rc < 0)
        return rc;
    tr__doc_pack(body, (uint8_t *)msg->body);
    msg->from = tr__actor_addr(self);
    tr__mail_put(actor, &msg);
    return 0;
}

int tr_send(tr_actor *self, tr_addr to, const char *name, tr_val body)
{
    size_t name_len = tr__name_check(name);
    if (!tr__actor_here(self) || name_len == 0)
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    if (to.node == node->id)
        return send_local(self, to.actor, name, name_len, &body);
    if (to.node == 0)
        return TR_ENOACTOR;
    if (node->route == NULL)
        return TR_EDOWN;
    tr__letter letter = {
        .from = tr__actor_addr(self), .to = to, .name = name, .name_len = name_len, .body = body};
    return node->route->send(node, &letter);
}

static int send_msg_local(tr_actor *self, uint64_t to, tr_msg **msg)
{
    tr_actor *actor = tr__actor_find(self->loop->node, to);
    if (actor == NULL)
        return TR_ENOACTOR;
    if (mail_refuses(actor, (*msg)->weight))
        return TR_EFULL;
    (*msg)->from = tr__actor_addr(self);
    tr__mail_put(actor, msg);
    return 0;
}

int tr_send_msg(tr_actor *self, tr_addr to, tr_msg **msg)
{
    if (!tr__actor_here(self) || msg == NULL || *msg == NULL || (*msg)->down != NULL)
        return TR_EINVAL;
    tr_node *node = self->loop->node;
    if (to.node == node->id)
        return send_msg_local(self, to.actor, msg);
    if (to.node == 0)
        return TR_ENOACTOR;
    if (node->route == NULL)
        return TR_EDOWN;
    tr__letter letter = {.from = tr__actor_addr(self),
                         .to = to,
                         .name = (*msg)->name,
                         .name_len = (*msg)->name_len,
                         .body = tr_msg_body(*msg),
                         .bufs = (*msg)->bufs,
                         .buf_count = (*msg)->buf_count};
    int rc = node->route->send(node, &letter);
    if (rc == 0)
        tr_msg_free(msg);
    return rc;
}

int tr_reply(tr_actor *self, const tr_msg *msg, tr_val body)
{
    int rc = msg == NULL ? TR_EINVAL : tr_send(self, msg->from, msg->name, body);
    if (rc != TR_EFULL && rc != TR_EDOWN && rc != TR_ENOACTOR)
        return rc;
    tr__dead_letter(self->loop); // the asker's fault: it must not end the one who answers
    return 0;
}

// ---- Waiting for room ----

static void waiter_close(tr__owned *owned)
{
    tr__waiter *waiter = tr__container(owned, tr__waiter, owned);
    tr__list_remove(&waiter->owned.link);
    tr__list_remove(&waiter->link);
    tr__free(waiter);
}

void tr__waiters_run(tr_loop *loop)
{
    tr__list batch;
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->writable);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr__waiter waiter = *tr__container(node, tr__waiter, link);
        waiter_close(&tr__container(node, tr__waiter, link)->owned);
        if (waiter.actor->state == TR__RUNNING)
            tr__turn(waiter.actor, waiter.cb, waiter.arg);
    }
}

// Where to wait: in the list of a mailbox or link that has refused somebody; among the writable
// when there is room, or nobody, for the next send says which.
static void wait_for_room(tr_node *node, tr_addr to, tr__waiter *waiter)
{
    tr__list *list = &waiter->actor->loop->writable;
    if (to.node != node->id) {
        tr__list *remote = node->route == NULL ? NULL : node->route->waiters(node, to);
        list = remote == NULL ? list : remote;
    } else {
        tr_actor *actor = tr__actor_find(node, to.actor);
        bool full = actor != NULL && (mail_refuses(actor, 0) || actor->refused);
        list = full ? &actor->waiters : list;
    }
    tr__list_append(list, &waiter->link);
}

int tr_on_writable(tr_actor *self, tr_addr to, tr_callback cb, void *arg)
{
    if (!tr__actor_here(self) || cb == NULL || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr__waiter *waiter = tr__alloc(sizeof *waiter);
    if (waiter == NULL)
        return TR_ENOMEM;
    *waiter = (tr__waiter){.owned.close = waiter_close, .actor = self, .cb = cb, .arg = arg};
    tr__list_append(&self->owned, &waiter->owned.link);
    wait_for_room(self->loop->node, to, waiter);
    return 0;
}
