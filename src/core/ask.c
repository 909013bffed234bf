// Asks: a message that carries an id, and an answer that carries it back.
//
// An open ask is owned by the actor that asks and found by its id, a handle that goes stale: an
// answer that comes too late finds nothing, and never another ask. Its end is always told in a turn
// of its own: by the answer, which waits among the actor's notices; by its timer; or, when the link
// to the asked is lost, by the timer as well, set to now. Asks with the default deadline stand in
// one line with one timer, since they end in the order in which they began.
//
// On the other side whoever is done with a message closes it (tr__ask_close): an ask that nobody
// has answered, taken or handed on is answered there, with the reason. So no ask waits for its
// deadline because somebody ended. What has been taken to be answered later is owned by the one who
// took it.
#include <troupe/ask.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/handle.h"
#include "core/node.h"

#define DEFAULT_MS 5000u

static const tr_reason NO_REASON;
static const tr_answer CANCELLED = {.status = TR_ECANCELED};

typedef struct ask {
    tr__owned owned;
    tr__watcher link_lost; // to the node of the asked
    tr__list in_line;
    tr__timer timer; // if it is not in line
    tr__carrier carrier;
    tr_actor *actor;
    uint64_t id;
    uint64_t deadline;
    int status; // when its timer fires
    tr_reason reason;
    tr_answered cb;
    void *arg;
    void (*drop)(void *arg); // cb will not be called. May be NULL
} ask;

// ---- Asking ----

static void ask_free(ask *a)
{
    tr_loop *loop = a->actor->loop;
    tr__slots_remove(&loop->asks, a->id);
    tr__timer_disarm(loop, &a->timer);
    tr__list_remove(&a->in_line);
    tr__list_remove(&a->owned.link);
    tr__unwatch(&a->link_lost);
    tr__cancel_leave(&a->carrier);
    tr__free(a);
}

static void ask_forget(ask *a)
{
    void (*drop)(void *arg) = a->drop;
    void *arg = a->arg;
    ask_free(a);
    if (drop != NULL)
        drop(arg);
}

static void ask_close(tr__owned *owned)
{
    ask_forget(tr__container(owned, ask, owned));
}

// msg: what has brought the answer; NULL: nothing has
static void ask_tell(ask *a, const tr_answer *answer, const tr_msg *msg)
{
    static const tr__what what = {"(answer)"};
    tr_actor *actor = a->actor;
    tr_answered cb = a->cb;
    void *arg = a->arg;
    if (actor->state != TR__RUNNING)
        return; // it goes with its actor
    if (tr__cancel_comes(&a->carrier))
        answer = &CANCELLED;
    ask_free(a);
    if (msg != NULL)
        tr__turn_begin_msg(actor, msg);
    else
        tr__turn_begin(actor, &what);
    cb(actor, answer, arg);
    tr__turn_end(actor);
}

// An answer that waits for its turn has come in time, and before the link was lost.
static bool ask_answered(const ask *a)
{
    for (const tr_msg *m = a->actor->notices.head; m != NULL; m = m->next) {
        if (m->is_answer && ((const tr__answer_head *)tr__msg_extra(m))->ask == a->id)
            return true;
    }
    return false;
}

static void ask_over(ask *a)
{
    if (ask_answered(a)) {
        tr__list_remove(&a->in_line);
        tr__unwatch(&a->link_lost);
        return;
    }
    ask_tell(a, &(tr_answer){.status = a->status, .body = TR_NULL, .reason = a->reason}, NULL);
}

static void ask_cancelled(tr__carrier *carrier)
{
    ask_tell(tr__container(carrier, ask, carrier), &CANCELLED, NULL);
}

static void ask_fire(tr__timer *timer)
{
    ask_over(tr__container(timer, ask, timer));
}

static ask *line_first(const tr_loop *loop)
{
    return tr__list_empty(&loop->asks_in_line)
               ? NULL
               : tr__container(loop->asks_in_line.next, ask, in_line);
}

// There is room for the timer: it is armed, or has just been.
static void line_arm(tr_loop *loop, uint64_t due)
{
    int rc = tr__timer_arm(loop, &loop->asks_timer, due);
    tr_assert(rc == 0);
}

// The timer stays armed all the while: a turn that fills the room it had could leave it none.
static void line_fire(tr__timer *timer)
{
    tr_loop *loop = tr__container(timer, tr_loop, asks_timer);
    uint64_t now = loop->world->ops->now(loop->world);
    ask *a;
    line_arm(loop, TR__NEVER);
    while ((a = line_first(loop)) != NULL && a->deadline <= now && a->actor->state == TR__RUNNING)
        ask_over(a);
    if (a == NULL)
        tr__timer_disarm(loop, timer);
    else
        line_arm(loop, a->deadline > now ? a->deadline : now + 1);
}

void tr__asks_init(tr_loop *loop)
{
    tr__list_init(&loop->asks_in_line);
    loop->asks_timer.fire = line_fire;
}

// In the next timers phase, not here, in the middle of somebody else's end.
static void ask_link_lost(tr__watcher *watcher, tr_reason reason)
{
    ask *a = tr__container(watcher, ask, link_lost);
    tr_loop *loop = a->actor->loop;
    bool in_line = !tr__list_empty(&a->in_line);
    if (a->actor->state != TR__RUNNING)
        return; // it goes with its actor
    a->status = TR_EDOWN;
    a->reason = reason;
    a->deadline = 0;
    if (in_line) { // to its front
        tr__list_remove(&a->in_line);
        tr__list_append(loop->asks_in_line.next, &a->in_line);
    }
    int rc = tr__timer_arm(loop, in_line ? &loop->asks_timer : &a->timer, 0);
    tr_assert(rc == 0); // it is armed already
}

static int ask_arm(ask *a, bool standard)
{
    tr_loop *loop = a->actor->loop;
    if (!standard)
        return tr__timer_arm(loop, &a->timer, a->deadline);
    if (loop->asks_timer.node.index == 0) {
        int rc = tr__timer_arm(loop, &loop->asks_timer, a->deadline);
        if (rc < 0)
            return rc;
    }
    tr__list_append(&loop->asks_in_line, &a->in_line);
    return 0;
}

// The time that the asker gives, or has itself.
static uint64_t ask_deadline(const tr_loop *loop, uint32_t timeout_ms, bool *ret_standard)
{
    uint64_t now = loop->world->ops->now(loop->world);
    uint64_t deadline = now + TR_MS(timeout_ms == 0 ? DEFAULT_MS : timeout_ms);
    *ret_standard = timeout_ms == 0 && loop->handling == NULL;
    if (timeout_ms == 0 && loop->handling != NULL) {
        uint64_t own = ((const tr__ask_head *)tr__msg_extra(loop->handling))->deadline;
        deadline = own < deadline ? own : deadline;
    }
    return deadline;
}

static int ask_new(tr_actor *self, const tr_ask_opts *opts, ask **ret_ask)
{
    tr_loop *loop = self->loop;
    bool standard;
    ask *a = tr__zalloc(sizeof *a);
    if (a == NULL)
        return TR_ENOMEM;
    a->actor = self;
    a->owned.close = ask_close;
    a->link_lost.ended = ask_link_lost;
    a->timer.fire = ask_fire;
    a->status = TR_ETIMEDOUT;
    a->deadline = ask_deadline(loop, opts->timeout_ms, &standard);
    tr__list_init(&a->in_line);
    tr__list_init(&a->link_lost.link);
    int rc = tr__slots_add(&loop->asks, a, &a->id);
    if (rc < 0) {
        tr__free(a);
        return rc;
    }
    tr__list_append(&self->owned, &a->owned.link);
    rc = tr__cancel_join(opts->cancel, self, &a->carrier, ask_cancelled);
    if (rc == 0)
        rc = ask_arm(a, standard);
    if (rc < 0)
        ask_free(a);
    else
        *ret_ask = a;
    return rc;
}

// The message has room for its head.
static int ask_send(ask *a, tr_addr to, tr_msg **msg)
{
    tr_loop *loop = a->actor->loop;
    bool away = to.node != 0 && to.node != loop->node->id;
    *(tr__ask_head *)tr__msg_extra(*msg) = (tr__ask_head){a->id, a->deadline};
    (*msg)->is_ask = true;
    int rc = away ? tr__watch(loop, (tr_addr){.node = to.node}, &a->link_lost) : 0;
    return rc < 0 ? rc : tr__msg_send(a->actor, tr__actor_addr(a->actor), to, msg);
}

// moves: *msg, on success
static int ask_open(tr_actor *self, tr_addr to, tr_msg **msg, const ask *like,
                    const tr_ask_opts *opts, uint64_t *ret_id)
{
    ask *a;
    int rc = ask_new(self, opts, &a);
    if (rc < 0)
        return rc;
    rc = ask_send(a, to, msg);
    if (rc < 0) {
        ask_free(a);
        return rc;
    }
    a->cb = like->cb;
    a->arg = like->arg;
    a->drop = like->drop;
    if (ret_id != NULL)
        *ret_id = a->id;
    return 0;
}

static bool may_ask(const tr_actor *self, const tr_ask_opts *given, tr_ask_opts *ret_opts)
{
    return tr__actor_here(self) && self->state <= TR__RUNNING &&
           tr__opts_copy(given, ret_opts, sizeof *ret_opts) == 0;
}

static int ask_doc(tr_actor *self, tr_addr to, const char *name, tr_val body, const ask *like,
                   const tr_ask_opts *opts, uint64_t *ret_ask)
{
    tr_msg *msg = NULL;
    int rc = tr__msg_pack(name, sizeof(tr__ask_head), body, &msg);
    if (rc == 0)
        rc = ask_open(self, to, &msg, like, opts, ret_ask);
    tr_msg_free(&msg);
    return rc;
}

int tr_ask(tr_actor *self, tr_addr to, const char *name, tr_val body, const tr_ask_opts *opts,
           uint64_t *ret_ask, tr_answered cb, void *arg)
{
    tr_ask_opts o;
    if (!may_ask(self, opts, &o) || cb == NULL)
        return TR_EINVAL;
    return ask_doc(self, to, name, body, &(ask){.cb = cb, .arg = arg}, &o, ret_ask);
}

int tr_ask_msg(tr_actor *self, tr_addr to, tr_msg **msg, const tr_ask_opts *opts, uint64_t *ret_ask,
               tr_answered cb, void *arg)
{
    tr_ask_opts o;
    if (!may_ask(self, opts, &o) || cb == NULL || msg == NULL || *msg == NULL || (*msg)->is_notice)
        return TR_EINVAL;
    if (tr__msg_cargo(*msg) != NULL)
        return TR_ENOSYS;
    tr_msg *copy = NULL;
    int rc = tr__msg_copy(*msg, sizeof(tr__ask_head), &copy);
    if (rc == 0)
        rc = ask_open(self, to, &copy, &(ask){.cb = cb, .arg = arg}, &o, ret_ask);
    tr_msg_free(&copy);
    if (rc == 0)
        tr_msg_free(msg);
    return rc;
}

static void promise_drop(void *arg)
{
    tr_promise *promise = arg;
    tr_promise_unref(&promise);
}

static void promise_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self;
    int rc = answer->status < 0 ? tr_promise_reject(arg, answer->status)
                                : tr_promise_resolve(arg, answer->body);
    if (rc < 0 && rc != TR_EEXIST)
        tr_promise_reject(arg, rc);
    promise_drop(arg);
}

int tr_ask_promise(tr_actor *self, tr_addr to, const char *name, tr_val body,
                   const tr_ask_opts *opts, tr_promise **ret_promise)
{
    tr_ask_opts o;
    tr_promise *promise = NULL;
    if (!may_ask(self, opts, &o) || ret_promise == NULL)
        return TR_EINVAL;
    int rc = tr_promise_new(self, &promise);
    if (rc < 0)
        return rc;
    ask like = {.cb = promise_answered, .arg = tr_promise_ref(promise), .drop = promise_drop};
    rc = ask_doc(self, to, name, body, &like, &o, NULL);
    if (rc < 0) {
        promise_drop(promise);
        tr_promise_unref(&promise);
        return rc;
    }
    *ret_promise = promise;
    return 0;
}

// ---- Pings ----

// Answered by the runtime (mailbox.c). In another language nobody has to know of them: that a
// message is unknown is an answer, too.
#define PING "troupe.ping"

bool tr__ask_is_ping(const tr_msg *msg)
{
    return tr_msg_is(msg, PING);
}

int tr_ping(tr_actor *self, tr_addr to, const tr_ask_opts *opts, uint64_t *ret_ask, tr_answered cb,
            void *arg)
{
    return tr_ask(self, to, PING, TR_NULL, opts, ret_ask, cb, arg);
}

void tr_ask_cancel(tr_actor *self, uint64_t id)
{
    ask *a = tr__actor_here(self) ? tr__slots_find(&self->loop->asks, id) : NULL;
    if (a != NULL && a->actor == self)
        ask_forget(a);
}

// ---- Answers on their way ----

static void answer_late(tr_loop *loop, tr_msg **answer)
{
    tr__counter_add(&loop->late_answers, 1);
    tr_msg_free(answer);
}

static ask *answer_ask(const tr_actor *actor, const tr__answer_head *head)
{
    ask *a = tr__slots_find(&actor->loop->asks, head->ask);
    return a != NULL && a->actor == actor ? a : NULL;
}

static void answer_deliver(tr_loop *loop, tr_msg **answer)
{
    const tr__answer_head *head = tr__msg_extra(*answer);
    tr_actor *actor = tr__actor_find(loop, head->to.actor);
    if (actor == NULL || answer_ask(actor, head) == NULL) {
        answer_late(loop, answer);
        return;
    }
    tr__queue_push(&actor->notices, *answer);
    *answer = NULL;
    tr__actor_wake(actor);
}

void tr__answer_run(tr_actor *actor, tr_msg **answer)
{
    const tr__answer_head *head = tr__msg_extra(*answer);
    ask *a = answer_ask(actor, head);
    if (a == NULL) {
        answer_late(actor->loop, answer);
        return;
    }
    bool good = head->status == 0;
    ask_tell(a,
             &(tr_answer){.status = head->status,
                          .body = good ? tr_msg_body(*answer) : TR_NULL,
                          .msg = good ? *answer : NULL,
                          .reason = head->reason},
             *answer);
    tr_msg_free(answer);
}

static void answer_arrive(tr_loop *loop, tr__post *post)
{
    tr_msg *answer = tr__container(post, tr_msg, post);
    tr__answer_pass(loop, &answer);
}

void tr__answer_post(tr_loop *loop, tr_loop *to, tr_msg **answer)
{
    (*answer)->post.arrive = answer_arrive;
    tr__post_to(loop, to, &(*answer)->post);
    *answer = NULL;
}

void tr__answer_pass(tr_loop *loop, tr_msg **answer)
{
    const tr_node *node = loop->node;
    tr_addr to = ((const tr__answer_head *)tr__msg_extra(*answer))->to;
    tr_loop *there = to.node == node->id ? tr__id_loop(node, to.actor) : NULL;
    if (there == loop)
        answer_deliver(loop, answer);
    else if (there != NULL)
        tr__answer_post(loop, there, answer);
    else if (to.node != node->id && node->route != NULL)
        node->route->answer(loop, answer);
    else
        answer_late(loop, answer);
}

// ---- Answering ----

// Whom to answer.
typedef struct asker {
    tr__owned owned;
    tr_actor *actor; // who is to answer
    uint64_t id;
    tr_addr addr;
    uint64_t ask;
} asker;

static int answer_send(tr_loop *loop, tr_addr from, const asker *to, tr_val body,
                       const tr__answer_head *how)
{
    tr_msg *answer;
    int rc = tr__msg_pack("answer", sizeof(tr__answer_head), body, &answer);
    if (rc < 0)
        return rc;
    tr__answer_head *head = tr__msg_extra(answer);
    *head = *how;
    head->to = to->addr;
    head->ask = to->ask;
    answer->from = from;
    answer->is_answer = true;
    tr__answer_pass(loop, &answer);
    return 0;
}

static asker msg_asker(const tr_msg *msg)
{
    return (asker){.addr = msg->from, .ask = ((const tr__ask_head *)tr__msg_extra(msg))->ask};
}

static bool may_answer(const tr_actor *self, const tr_msg *msg)
{
    return tr__actor_here(self) && msg != NULL && msg->is_ask && !msg->answered;
}

void tr__ask_close(tr_loop *loop, tr_msg *msg, int status, tr_reason reason)
{
    if (!msg->is_ask || msg->answered)
        return;
    msg->answered = true;
    asker to = msg_asker(msg);
    answer_send(loop, TR_NOBODY, &to, TR_NULL,
                &(tr__answer_head){.reason = reason, .status = status});
}

// Nothing can be done where there is no memory for an answer: the deadline says so then.
__attribute__((noinline)) static int ask_answer(tr_actor *self, const tr_msg *msg, tr_val body,
                                                int status)
{
    if (!may_answer(self, msg))
        return TR_EINVAL;
    asker to = msg_asker(msg);
    tr__answer_head how = {.status = status, .reason = NO_REASON};
    int rc = answer_send(self->loop, tr__actor_addr(self), &to, body, &how);
    if (rc == 0)
        ((tr_msg *)msg)->answered = true;
    return rc;
}

int tr_reply_val(tr_actor *self, const tr_msg *msg, const tr_val *body)
{
    if (msg == NULL || body == NULL)
        return TR_EINVAL;
    if (msg->is_ask)
        return ask_answer(self, msg, *body, 0);
    int rc = tr_send_val(self, msg->from, msg->name, msg->name_len, body);
    if (rc != TR_EFULL && rc != TR_EDOWN && rc != TR_ENOACTOR)
        return rc;
    tr__letter letter = {.from = tr__actor_addr(self),
                         .to = msg->from,
                         .name = msg->name,
                         .name_len = msg->name_len,
                         .body = *body};
    tr__dead_letter(self->loop, &letter, rc); // the asker's fault: it must not end who answers
    return 0;
}

// Make an answer of a copy: only that has room for the head.
static int answer_msg(tr_actor *self, const asker *to, const tr_msg *reply)
{
    tr_msg *answer;
    if (tr__msg_cargo(reply) != NULL)
        return TR_ENOSYS;
    int rc = tr__msg_copy(reply, sizeof(tr__answer_head), &answer);
    if (rc < 0)
        return rc;
    *(tr__answer_head *)tr__msg_extra(answer) = (tr__answer_head){.to = to->addr, .ask = to->ask};
    answer->from = tr__actor_addr(self);
    answer->is_answer = true;
    tr__answer_pass(self->loop, &answer);
    return 0;
}

int tr_reply_msg(tr_actor *self, const tr_msg *msg, tr_msg **reply)
{
    if (reply == NULL || *reply == NULL || (*reply)->is_notice || !tr__actor_here(self) ||
        msg == NULL || (msg->is_ask && msg->answered))
        return TR_EINVAL;
    int rc;
    if (msg->is_ask) {
        asker to = msg_asker(msg);
        rc = answer_msg(self, &to, *reply);
        ((tr_msg *)msg)->answered = rc == 0;
    } else {
        rc = tr_send_msg(self, msg->from, reply);
        if (rc == TR_EFULL || rc == TR_EDOWN || rc == TR_ENOACTOR) {
            tr__dead_msg(self->loop, *reply, msg->from, rc);
            if (tr__msg_cargo(*reply) != NULL)
                tr__cargo_return(self->loop, reply, msg->from, rc);
            rc = 0;
        }
    }
    if (rc == 0)
        tr_msg_free(reply);
    return rc;
}

int tr_reply_error(tr_actor *self, const tr_msg *msg, int error)
{
    return error < 0 ? ask_answer(self, msg, TR_NULL, error) : TR_EINVAL;
}

int tr_refuse(tr_actor *self, const tr_msg *msg, int error)
{
    if (!tr__actor_here(self) || msg == NULL || msg->is_notice || error >= 0)
        return TR_EINVAL;
    if (msg->is_ask)
        return ask_answer(self, msg, TR_NULL, error);
    tr__cargo_refuse((tr_msg *)msg, tr__actor_addr(self), error);
    tr__dead_msg(self->loop, msg, tr__actor_addr(self), error);
    return 0;
}

bool tr_msg_is_ask(const tr_msg *msg)
{
    return msg->is_ask && !msg->answered;
}

uint64_t tr_msg_remaining(const tr_actor *self, const tr_msg *msg)
{
    if (self == NULL || msg == NULL || !msg->is_ask)
        return UINT64_MAX;
    uint64_t deadline = ((const tr__ask_head *)tr__msg_extra(msg))->deadline;
    uint64_t now = tr_now(self);
    return deadline > now ? deadline - now : 0;
}

// ---- Answering later ----

static void asker_free(asker *later)
{
    tr__slots_remove(&later->actor->loop->askers, later->id);
    tr__list_remove(&later->owned.link);
    tr__free(later);
}

static void asker_close(tr__owned *owned)
{
    asker *later = tr__container(owned, asker, owned);
    tr_actor *actor = later->actor;
    tr__answer_head how = {.status = TR_EDOWN, .reason = actor->reason};
    tr__list_init(&owned->link);
    answer_send(actor->loop, TR_NOBODY, later, TR_NULL, &how);
    asker_free(later);
}

int tr_reply_later(tr_actor *self, const tr_msg *msg, tr_asker *ret_asker)
{
    if (!may_answer(self, msg) || self->state > TR__RUNNING || ret_asker == NULL)
        return TR_EINVAL;
    asker *later = tr__alloc(sizeof *later);
    if (later == NULL)
        return TR_ENOMEM;
    *later = msg_asker(msg);
    later->actor = self;
    later->owned.close = asker_close;
    later->owned.idle = true;
    int rc = tr__slots_add(&self->loop->askers, later, &later->id);
    if (rc < 0) {
        tr__free(later);
        return rc;
    }
    tr__list_append(&self->owned, &later->owned.link);
    ((tr_msg *)msg)->answered = true;
    ret_asker->id = later->id;
    return 0;
}

static asker *asker_find(const tr_actor *self, tr_asker given)
{
    asker *later = tr__slots_find(&self->loop->askers, given.id);
    return later != NULL && later->actor == self ? later : NULL;
}

static int asker_answer(tr_actor *self, tr_asker given, tr_val body, int status)
{
    if (!tr__actor_here(self) || status > 0)
        return TR_EINVAL;
    asker *later = asker_find(self, given);
    if (later == NULL)
        return TR_ENOENT;
    tr__answer_head how = {.status = status};
    int rc = answer_send(self->loop, tr__actor_addr(self), later, body, &how);
    if (rc == 0)
        asker_free(later);
    return rc;
}

int tr_reply_to(tr_actor *self, tr_asker given, tr_val body)
{
    return asker_answer(self, given, body, 0);
}

int tr_reply_msg_to(tr_actor *self, tr_asker given, tr_msg **reply)
{
    if (!tr__actor_here(self) || reply == NULL || *reply == NULL || (*reply)->is_notice)
        return TR_EINVAL;
    asker *later = asker_find(self, given);
    int rc = later == NULL ? TR_ENOENT : answer_msg(self, later, *reply);
    if (rc < 0)
        return rc;
    asker_free(later);
    tr_msg_free(reply);
    return 0;
}

int tr_reply_error_to(tr_actor *self, tr_asker given, int error)
{
    return error < 0 ? asker_answer(self, given, TR_NULL, error) : TR_EINVAL;
}

// ---- Handing on ----

// What another node has answered, for the one who asked here.
static void forward_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    asker *later = arg;
    tr__answer_head how = {.status = answer->status, .reason = answer->reason};
    int rc = answer->msg != NULL
                 ? answer_msg(self, later, answer->msg)
                 : answer_send(self->loop, tr__actor_addr(self), later, TR_NULL, &how);
    tr__letter letter = {.from = tr__actor_addr(self),
                         .to = later->addr,
                         .name = "answer",
                         .name_len = 6,
                         .body = answer->body};
    if (rc < 0)
        tr__dead_letter(self->loop, &letter, rc);
    asker_free(later);
}

static int forward_away(tr_actor *self, const tr_msg *msg, tr_addr to)
{
    tr_asker taken;
    tr_msg *copy = NULL;
    uint64_t left = tr_msg_remaining(self, msg) / TR_MS(1);
    int rc = tr__msg_copy(msg, sizeof(tr__ask_head), &copy);
    if (rc == 0)
        rc = tr_reply_later(self, msg, &taken);
    if (rc == 0) {
        asker *later = asker_find(self, taken);
        rc = ask_open(self, to, &copy, &(ask){.cb = forward_answered, .arg = later},
                      TR_ASK(.timeout_ms = left > 0 ? (uint32_t)left : 1), NULL);
        if (rc < 0) { // it has not been handed on after all
            asker_free(later);
            ((tr_msg *)msg)->answered = false;
        }
    }
    tr_msg_free(&copy);
    return rc;
}

int tr__ask_copy(const tr_msg *msg, tr_msg **ret_copy)
{
    tr_assert(!msg->is_notice);
    int rc = tr__msg_copy(msg, msg->is_ask ? sizeof(tr__ask_head) : 0, ret_copy);
    if (rc == 0 && msg->is_ask) {
        *(tr__ask_head *)tr__msg_extra(*ret_copy) = *(const tr__ask_head *)tr__msg_extra(msg);
        (*ret_copy)->is_ask = true;
    }
    return rc;
}

int tr_forward(tr_actor *self, const tr_msg *msg, tr_addr to)
{
    if (!tr__actor_here(self) || msg == NULL || msg->is_notice || (msg->is_ask && msg->answered))
        return TR_EINVAL;
    if (msg->is_ask && to.node != 0 && to.node != self->loop->node->id)
        return forward_away(self, msg, to);
    tr_msg *copy = NULL;
    int rc = tr__ask_copy(msg, &copy);
    if (rc == 0)
        rc = tr__cargo_pass(self->loop, msg, copy);
    if (rc == 0 && (rc = tr__msg_send(self, msg->from, to, &copy)) < 0)
        tr__cargo_take_back((tr_msg *)msg, copy);
    if (rc == 0)
        ((tr_msg *)msg)->answered = true;
    tr_msg_free(&copy);
    return rc;
}
