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
#include "core/handle.h"
#include "core/node.h"
#include "core/offer.h"
#include "data/doc.h"

#define PHASE_MESSAGES   4096 // before timers and I/O have their turn
#define PUBLISH_MESSAGES 64u  // what they have posted to other loops leaves, at the latest
#define PHASE_NS         TR_MS(1)

// Somebody counts it.
static void mail_counted(tr_loop *loop, tr_msg *msg)
{
    if (msg->home != loop->index) {
        tr__far_home(loop, msg);
    } else {
        loop->node->route->consumed(msg);
        tr__msg_settle(loop, msg);
    }
}

static void mail_consumed(tr_loop *loop, tr_msg *msg)
{
    if (msg->flow != NULL)
        mail_counted(loop, msg);
    else
        tr__msg_settle(loop, msg);
}

void tr__msg_consumed(tr_loop *loop, tr_msg **msg)
{
    tr_msg *gone = *msg;
    *msg = NULL;
    mail_consumed(loop, gone);
}

static bool mail_full(const tr_actor *actor, size_t weight)
{
    return actor->mail_count >= actor->mail_max ||
           (actor->mail_bytes + weight > actor->mail_bytes_max && actor->mail_count > 0);
}

static void mail_give_back(tr_actor *actor)
{
    for (tr_msg *msg; actor->extra != NULL && (msg = tr__queue_pop(&actor->extra->kept)) != NULL;)
        mail_consumed(actor->loop, msg);
}

// Whoever was refused may send again when half of the room is free.
static void mail_make_room(tr_actor *actor)
{
    if (actor->mail_count > actor->mail_max / 2 || actor->mail_bytes > actor->mail_bytes_max / 2)
        return;
    actor->refused = false;
    tr__list_splice(&actor->loop->writable, &actor->waiters);
    mail_give_back(actor);
}

// Other loops and nodes have windows of their own, which let them send on as soon as what they have
// sent is consumed: several of them could keep a mailbox full for ever. So while somebody here
// waits for room, theirs comes together with his. Returns whether the message is kept until then.
static bool mail_keep(tr_actor *actor, tr_msg *msg)
{
    tr__extra *extra;
    if (!actor->refused || tr__list_empty(&actor->waiters) || tr__extra_of(actor, &extra) < 0)
        return false;
    tr__queue_push(&extra->kept, msg);
    return true;
}

static inline __attribute__((always_inline)) void mail_put(tr_actor *actor, tr_msg *msg)
{
    tr__queue_push(&actor->mail, msg);
    actor->mail_count++;
    actor->mail_bytes += msg->weight;
    if (tr__list_empty(&actor->run) && actor->state == TR__RUNNING)
        tr__list_append(&actor->loop->runnable, &actor->run);
}

void tr__notice_put(tr_actor *actor, tr_msg **notice)
{
    tr_msg *last = tr__senders_last(actor, (*notice)->from);
    if (last == NULL) {
        tr__queue_push(&actor->notices, *notice);
    } else {
        (*notice)->next = last->next;
        last->next = *notice;
        if (actor->mail.tail == last)
            actor->mail.tail = *notice;
        tr__senders_put(actor, last, *notice);
    }
    *notice = NULL;
    tr__actor_wake(actor);
}

// The oldest of the mail.
static inline tr_msg *mail_pop(tr_actor *actor)
{
    tr_msg *msg = tr__queue_pop(&actor->mail);
    if (msg == NULL)
        return NULL;
    if (actor->mail.head != NULL)
        __builtin_prefetch(actor->mail.head);
    if (msg == actor->stop_after)
        actor->stop_asked = true;
    if (actor->counts_senders)
        tr__senders_left(actor, msg);
    if (msg->is_notice)
        return msg;
    tr_assert(actor->mail_count > 0 && actor->mail_bytes >= msg->weight);
    actor->mail_count--;
    actor->mail_bytes -= msg->weight;
    if (actor->refused)
        mail_make_room(actor);
    return msg;
}

static tr_msg *mail_take(tr_actor *actor)
{
    tr_msg *msg = tr__queue_pop(&actor->notices);
    return msg != NULL || tr__mail_is_held(actor) ? msg : mail_pop(actor);
}

// id: whom it was for. status, reason: what an asker is told
static void mail_drop(tr_loop *loop, uint64_t id, tr_msg *msg, int status, tr_reason reason)
{
    if (!msg->is_notice && !msg->is_answer)
        tr__dead_msg(loop, msg, (tr_addr){loop->node->id, id}, status);
    tr__ask_close(loop, msg, status, reason);
    tr__cargo_refuse(msg, (tr_addr){loop->node->id, id}, status);
    tr__msg_consumed(loop, &msg);
}

void tr__mail_drop(tr_actor *actor)
{
    for (tr_msg *msg; (msg = mail_take(actor)) != NULL;)
        mail_drop(actor->loop, actor->id, msg, TR_EDOWN, actor->reason);
    mail_give_back(actor);
}

// A notice in front of the mail is next anyway.
static void mail_drop_oldest(tr_actor *actor)
{
    if ((actor->loop->eyes & TR__EYE_MESSAGES) != 0)
        tr__tap_settle(actor->loop); // it may have been sent by the turn that runs
    tr_msg *msg = mail_pop(actor);
    if (msg->is_notice)
        tr__queue_push(&actor->notices, msg);
    else
        mail_drop(actor->loop, actor->id, msg, TR_EFULL, (tr_reason){0});
}

#define DROP 1 // it is to be dropped

// Whether a message of this weight may come in although the mailbox is full, room being made for it
// by its policy. returns: 0, DROP, TR_EFULL
static int mail_overflow(tr_actor *actor, size_t weight)
{
    if (actor->mail_policy == TR_MAIL_DROP_NEWEST)
        return DROP;
    if (actor->mail_policy == TR_MAIL_FAIL) {
        actor->refused = true;
        return TR_EFULL;
    }
    while (mail_full(actor, weight))
        mail_drop_oldest(actor);
    return 0;
}

static int mail_admit(tr_actor *actor, size_t weight)
{
    return mail_full(actor, weight) ? mail_overflow(actor, weight) : 0;
}

void tr__mail_arrive(tr_loop *loop, uint64_t id, tr_actor *actor, tr_msg **msg)
{
    tr_msg *m = *msg;
    *msg = NULL;
    if (actor == NULL)
        mail_drop(loop, id, m, TR_ENOACTOR, (tr_reason){.kind = TR_REASON_NOACTOR});
    else if (mail_admit(actor, m->weight) == DROP)
        mail_drop(loop, id, m, TR_EFULL, (tr_reason){0});
    else
        mail_put(actor, m);
}

void tr__mail_publish(tr_actor *actor, tr_msg **msg)
{
    tr_msg *m = *msg;
    *msg = NULL;
    if (mail_admit(actor, m->weight) == 0)
        mail_put(actor, m);
    else
        mail_drop(actor->loop, actor->id, m, TR_EFULL, (tr_reason){0});
}

void tr__mail_offer(tr_actor *actor, tr_msg **msg)
{
    if (actor == NULL || mail_full(actor, (*msg)->weight))
        return;
    mail_put(actor, *msg);
    *msg = NULL;
}

// What an asker is told when the handler has returned and nobody has answered.
static void mail_close_ask(tr_actor *actor, tr_msg *msg, int rc)
{
    actor->loop->handling = NULL;
    if (rc == TR_EUNKNOWN)
        tr__ask_close(actor->loop, msg, TR_EUNKNOWN, (tr_reason){0});
    else if (rc < 0)
        tr__ask_close(actor->loop, msg, TR_EDOWN, tr__reason_of(rc));
    else
        tr__ask_close(actor->loop, msg, TR_ENOREPLY, (tr_reason){0});
}

static int mail_handle(tr_actor *actor, const tr_msg *msg)
{
    bool became = actor->unusual && actor->extra->receive != NULL;
    tr_receive receive = became ? actor->extra->receive : actor->behavior->receive;
    return receive == NULL ? TR_EUNKNOWN : receive(actor, msg);
}

static int mail_handle_ask(tr_actor *actor, tr_msg *ask)
{
    actor->loop->handling = ask;
    int rc;
    if (tr__ask_is_ping(ask))
        rc = tr_reply(actor, ask, TR_NULL);
    else if (tr__offer_asks(ask))
        rc = tr__offer_asked(actor, ask);
    else
        rc = mail_handle(actor, ask);
    mail_close_ask(actor, ask, rc);
    return rc;
}

// A handler's error is the end of its actor.
static void mail_failed(tr_actor *actor, const tr_msg *msg, int error)
{
    if ((actor->loop->eyes & TR__EYE_MESSAGES) != 0)
        actor->loop->tap->code = error;
    tr__cargo_refuse((tr_msg *)msg, tr__actor_addr(actor), error == TR_EUNKNOWN ? error : TR_EDOWN);
    if (error == TR_EUNKNOWN)
        tr__dead_msg(actor->loop, msg, tr__actor_addr(actor), error);
    else
        tr__actor_exit(actor, tr__reason_of(error));
}

// One turn: one message, then its jobs.
static void mail_deliver(tr_actor *actor, tr_msg *msg)
{
    tr_loop *loop = actor->loop;
    tr__turn_begin_msg(actor, msg);
    int rc = msg->is_ask ? mail_handle_ask(actor, msg) : mail_handle(actor, msg);
    if (rc < 0)
        mail_failed(actor, msg, rc);
    tr__turn_end(actor);
    if (msg->flow == NULL || !mail_keep(actor, msg))
        mail_consumed(loop, msg); // the look at the turn's end names it
}

// One message. Returns whether there was one.
static bool mail_run_one(tr_actor *actor)
{
    if (actor->stop_asked) {
        tr__actor_exit(actor, tr__reason_of(TR_SHUTDOWN));
        return false;
    }
    tr_msg *msg = mail_take(actor);
    if (msg == NULL)
        return false;
    if (msg->is_answer)
        tr__answer_run(actor, &msg);
    else
        mail_deliver(actor, msg);
    return true;
}

// Within the actor's budget. Returns the number of messages that it handled.
static uint32_t mail_run_actor(tr_actor *actor)
{
    tr_loop *loop = actor->loop;
    const tr__budget *budget = &loop->node->budget;
    if (actor->slow)
        tr__look_anew(loop);
    uint64_t until = loop->now + budget->turn_ns;
    uint32_t n = 0;
    while (n < budget->turn_messages && loop->now < until && actor->state == TR__RUNNING &&
           mail_run_one(actor))
        n++;
    return n;
}

// Not a snapshot: a message sent in this phase is handled in it, within the phase's budget.
void tr__mail_run(tr_loop *loop)
{
    if (tr__list_empty(&loop->runnable))
        return;
    tr__look_anew(loop);
    uint64_t until = loop->now + PHASE_NS;
    uint32_t handled = 0, published = 0;
    for (tr__list *node; handled < PHASE_MESSAGES && loop->now < until &&
                         (node = tr__list_pop(&loop->runnable)) != NULL;) {
        tr_actor *actor = tr__container(node, tr_actor, run);
        handled += mail_run_actor(actor);
        tr__actor_wake(actor);
        if (handled - published >= PUBLISH_MESSAGES) {
            published = handled;
            tr__outboxes_publish(loop);
        }
    }
}

// ---- Sending ----

// A mailbox that is full drops it.
__attribute__((noinline)) static int send_dead(tr_actor *self, uint64_t to, const char *name,
                                               size_t name_len, tr_val body)
{
    tr__letter letter = {.from = tr__actor_addr(self),
                         .to = {self->loop->node->id, to},
                         .name = name,
                         .name_len = name_len,
                         .body = body};
    tr__dead_letter(self->loop, &letter, TR_EFULL);
    return 0;
}

// While messages are traced: with a stamp, which gets its time now if it goes to another loop.
__attribute__((noinline)) static tr_msg *seen_pack(tr_actor *self, const char *name,
                                                   size_t name_len, const tr_val *body, size_t size,
                                                   bool here)
{
    tr_loop *loop = self->loop;
    size_t body_at = tr__stamp_offset(name_len) + sizeof(tr__stamp);
    tr_msg *msg =
        tr__msg_make_stamped(&loop->blocks, tr__actor_addr(self), name, name_len, body_at, size);
    if (msg == NULL)
        return NULL;
    if (here)
        tr__tap_stamp_later(loop, tr__stamp_in(msg, name_len));
    else
        tr__tap_stamp(loop, tr__stamp_in(msg, name_len));
    tr__doc_pack(body, (uint8_t *)msg + body_at);
    return msg;
}

// here: it goes into a mailbox of this loop. NULL: no memory
static inline tr_msg *send_pack(tr_actor *self, const char *name, size_t name_len,
                                const tr_val *body, size_t size, bool here)
{
    if (__builtin_expect((self->loop->eyes & TR__EYE_MESSAGES) != 0, false))
        return seen_pack(self, name, name_len, body, size, here);
    tr_msg *msg = tr__msg_make(&self->loop->blocks, tr__actor_addr(self), name, name_len, size);
    if (msg != NULL)
        tr__doc_pack(body, (uint8_t *)msg->body);
    return msg;
}

static int send_local(tr_actor *self, uint64_t to, const char *name, size_t name_len,
                      const tr_val *body)
{
    tr_actor *actor = tr__actor_find(self->loop, to);
    if (actor == NULL)
        return TR_ENOACTOR;
    size_t size;
    int rc = tr__doc_size(body, &size);
    if (rc == 0 && mail_full(actor, name_len + size))
        rc = mail_overflow(actor, name_len + size);
    if (rc == DROP)
        return send_dead(self, to, name, name_len, *body);
    if (rc < 0)
        return rc;
    tr_msg *msg = send_pack(self, name, name_len, body, size, true);
    if (msg == NULL)
        return TR_ENOMEM;
    mail_put(actor, msg);
    return 0;
}

static int send_far(tr_actor *self, tr_loop *to, uint64_t id, const char *name, size_t name_len,
                    const tr_val *body)
{
    size_t size;
    int rc = tr__doc_size(body, &size);
    if (rc < 0)
        return rc;
    tr_msg *msg = send_pack(self, name, name_len, body, size, false);
    if (msg == NULL)
        return TR_ENOMEM;
    rc = tr__far_send(self->loop, to, id, &msg);
    if (rc < 0)
        tr__msg_release(&self->loop->blocks, msg);
    return rc;
}

static int send_msg_local(tr_loop *loop, uint64_t to, tr_msg **msg)
{
    tr_actor *actor = tr__actor_find(loop, to);
    if (actor == NULL)
        return TR_ENOACTOR;
    int rc = mail_admit(actor, (*msg)->weight);
    if (rc < 0)
        return rc;
    if (rc == DROP)
        mail_drop(loop, to, *msg, TR_EFULL, (tr_reason){0});
    else
        mail_put(actor, *msg);
    *msg = NULL;
    return 0;
}

int tr_send_val(tr_actor *self, tr_addr to, const char *name, size_t name_len, const tr_val *body)
{
    if (!tr__actor_here(self) || name_len == 0 || name_len > TR_NAME_MAX || body == NULL)
        return TR_EINVAL;
    tr_loop *loop = self->loop;
    const tr_node *node = loop->node;
    if (to.node == node->id) {
        if (to.actor >> TR__ID_LOOP_SHIFT == loop->index)
            return send_local(self, to.actor, name, name_len, body);
        tr_loop *there = tr__id_loop(node, to.actor);
        return there == NULL ? TR_ENOACTOR : send_far(self, there, to.actor, name, name_len, body);
    }
    if (to.node == 0)
        return TR_ENOACTOR;
    if (node->route == NULL)
        return TR_EDOWN;
    tr__letter letter = {
        .from = tr__actor_addr(self), .to = to, .name = name, .name_len = name_len, .body = *body};
    return node->route->send(loop, &letter);
}

static int send_msg_out(tr_loop *loop, tr_addr to, tr_msg **msg)
{
    const tr__route *route = loop->node->route;
    if (route == NULL)
        return TR_EDOWN;
    tr__letter letter = tr__letter_of(*msg, to);
    tr__letter_carry(&letter, msg);
    int rc = route->send(loop, &letter);
    if (rc == 0)
        tr_msg_free(msg);
    return rc;
}

int tr__msg_send(tr_actor *self, tr_addr from, tr_addr to, tr_msg **msg)
{
    tr_loop *loop = self->loop;
    if (to.node == 0)
        return TR_ENOACTOR;
    (*msg)->from = from;
    if (tr__msg_cargo(*msg) != NULL)
        tr__cargo_set_off(tr__msg_cargo(*msg));
    if ((*msg)->stamped && loop->tap != NULL)
        tr__tap_stamp(loop, tr__msg_stamp(*msg)); // it may have been made long ago
    if (to.node != loop->node->id)
        return send_msg_out(loop, to, msg);
    tr_loop *there = tr__id_loop(loop->node, to.actor);
    if (there == NULL)
        return TR_ENOACTOR;
    return there == loop ? send_msg_local(loop, to.actor, msg)
                         : tr__far_send(loop, there, to.actor, msg);
}

int tr_send_msg(tr_actor *self, tr_addr to, tr_msg **msg)
{
    if (!tr__actor_here(self) || msg == NULL || *msg == NULL || (*msg)->is_notice)
        return TR_EINVAL;
    return tr__msg_send(self, tr__actor_addr(self), to, msg);
}

// ---- Waiting for room ----

// An actor's, which owns it.
typedef struct mail_waiter {
    tr__waiter waiter;
    tr__owned owned;
    tr_actor *actor;
    tr_callback cb;
    void *arg;
} mail_waiter;

static void waiter_close(tr__owned *owned)
{
    mail_waiter *w = tr__container(owned, mail_waiter, owned);
    tr__list_remove(&w->owned.link);
    tr__list_remove(&w->waiter.link);
    tr__free(w);
}

static void waiter_ready(tr__waiter *waiter)
{
    static const tr__what what = {"(writable)"};
    mail_waiter w = *tr__container(waiter, mail_waiter, waiter);
    waiter_close(&tr__container(waiter, mail_waiter, waiter)->owned);
    if (w.actor->state == TR__RUNNING)
        tr__turn(w.actor, &what, w.cb, w.arg);
}

void tr__waiter_add(tr_loop *loop, tr__list *list, tr__waiter *waiter)
{
    tr__list_append(list == NULL ? &loop->not_refused : list, &waiter->link);
}

// Those that were refused come first: else one that sends once and asks again, each time, might
// take the room away from those that wait in the line, and go on so.
void tr__waiters_run(tr_loop *loop)
{
    tr__list batch;
    tr__list_init(&batch);
    tr__list_splice(&batch, &loop->writable);
    tr__list_splice(&batch, &loop->not_refused);
    if (tr__list_empty(&batch))
        return;
    tr__look_anew(loop);
    for (tr__list *node; (node = tr__list_pop(&batch)) != NULL;) {
        tr__waiter *waiter = tr__container(node, tr__waiter, link);
        waiter->ready(waiter);
    }
}

// Where to wait: in the list of a mailbox, window or link that has refused somebody; NULL when
// there is room, or nobody, for the next send says which.
static tr__list *room_list(tr_loop *loop, tr_addr to)
{
    const tr_node *node = loop->node;
    if (to.node != node->id)
        return node->route == NULL ? NULL : node->route->waiters(loop, to);
    if (to.actor >> TR__ID_LOOP_SHIFT != loop->index)
        return tr__window_waiters(&loop->windows, to.actor);
    tr_actor *actor = tr__actor_find(loop, to.actor);
    if (actor == NULL || actor->mail_policy != TR_MAIL_FAIL)
        return NULL;
    if (mail_full(actor, 0))
        actor->refused = true;
    return actor->refused ? &actor->waiters : NULL;
}

int tr_on_writable(tr_actor *self, tr_addr to, tr_callback cb, void *arg)
{
    if (!tr__actor_here(self) || cb == NULL || self->state > TR__RUNNING)
        return TR_EINVAL;
    mail_waiter *w = tr__alloc(sizeof *w);
    if (w == NULL)
        return TR_ENOMEM;
    *w = (mail_waiter){.waiter.ready = waiter_ready,
                       .owned.close = waiter_close,
                       .actor = self,
                       .cb = cb,
                       .arg = arg};
    tr__list_append(&self->owned, &w->owned.link);
    tr__waiter_add(self->loop, room_list(self->loop, to), &w->waiter);
    return 0;
}
