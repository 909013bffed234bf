// What an actor sends to a node whose link belongs to another loop: the message goes to that loop,
// which sends it as if it were its own, and is counted in a window until then. Where the link has
// no room the message waits there, and those to the same actor behind it; then its sender's window
// fills up, too, and says TR_EFULL. Being asked to stop goes the same way, so that it overtakes no
// message; and the end of an actor is told behind what it has sent and still waits.
//
// Windows and waiting lines go by a key that is drawn from the whole address: two actors that have
// the same share them, which costs a little room and nothing else.
#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"
#include "remote/remote.h"

typedef struct relay {
    tr__post post;
    tr__list link; // in its line, where it waits
    tr_loop *home;
    tr_addr to;
    tr_msg *msg; // NULL: it is asked to stop, or it has been handed on
    bool stop;
    uint32_t weight;    // of the message
    tr__window *window; // which counts it, at home
    tr__list behind;    // tr__behind
} relay;

// Those that wait for room at one address.
typedef struct relay_line {
    tr__waiter waiter; // in a list of the link's
    tr__remote *remote;
    uint64_t key;
    tr__list relays;
} relay_line;

static uint64_t relay_key(tr_addr to)
{
    return to.node ^ (to.actor << 32 | to.actor >> 32);
}

// ---- At home ----

static void relay_home(tr_loop *loop, tr__post *post)
{
    relay *r = tr__container(post, relay, post);
    if (!r->stop)
        tr__window_give(&loop->relayed, r->window, 1, r->weight, &loop->writable);
    tr_msg_free(&r->msg);
    tr__free(r);
}

// ---- Where the link is ----

static void relay_return(tr_loop *loop, relay *r)
{
    r->post.arrive = relay_home;
    tr__post_to(loop, r->home, &r->post);
}

// returns: as tr_send
static int relay_pass(tr_loop *loop, relay *r)
{
    if (r->stop)
        return tr__addr_stop(loop, r->to, TR_NOBODY);
    tr__letter letter = tr__letter_of(r->msg, r->to);
    tr__letter_carry(&letter, &r->msg);
    return loop->node->route->send(loop, &letter);
}

static void relay_done(tr_loop *loop, relay *r, int rc)
{
    if (rc < 0 && r->msg != NULL) {
        tr__dead_msg(loop, r->msg, r->to, rc);
        tr__ask_close(loop, r->msg, rc, tr__watch_failed(rc));
        if (tr__msg_cargo(r->msg) != NULL)
            tr__cargo_return(loop, &r->msg, r->to, rc);
    }
    for (tr__list *node; (node = tr__list_pop(&r->behind)) != NULL;) {
        tr__behind *behind = tr__container(node, tr__behind, link);
        behind->go(behind);
    }
    relay_return(loop, r);
}

static void line_free(relay_line *line)
{
    tr__list_remove(&line->waiter.link);
    tr__map_remove(&line->remote->relays, line->key);
    tr__free(line);
}

static void line_wait(relay_line *line, tr_addr to)
{
    tr_loop *loop = line->remote->loop;
    tr__waiter_add(loop, loop->node->route->waiters(loop, to), &line->waiter);
}

static void line_ready(tr__waiter *waiter)
{
    relay_line *line = tr__container(waiter, relay_line, waiter);
    tr_loop *loop = line->remote->loop;
    while (!tr__list_empty(&line->relays)) {
        relay *r = tr__container(line->relays.next, relay, link);
        int rc = relay_pass(loop, r);
        if (rc == TR_EFULL) {
            line_wait(line, r->to);
            return;
        }
        tr__list_remove(&r->link);
        relay_done(loop, r, rc);
    }
    line_free(line);
}

static relay_line *line_new(tr__remote *remote, uint64_t key)
{
    relay_line *line = tr__alloc(sizeof *line);
    if (line == NULL)
        return NULL;
    *line = (relay_line){.waiter.ready = line_ready, .remote = remote, .key = key};
    tr__list_init(&line->waiter.link);
    tr__list_init(&line->relays);
    if (tr__map_put(&remote->relays, key, line) == 0)
        return line;
    tr__free(line);
    return NULL;
}

static void relay_arrive(tr_loop *loop, tr__post *post)
{
    relay *r = tr__container(post, relay, post);
    tr__remote *remote = loop->remote;
    relay_line *line = remote == NULL ? NULL : tr__map_get(&remote->relays, relay_key(r->to));
    int rc = TR_EDOWN;
    if (line == NULL && remote != NULL)
        rc = relay_pass(loop, r);
    if (line == NULL && rc == TR_EFULL) {
        line = line_new(remote, relay_key(r->to));
        if (line != NULL)
            line_wait(line, r->to);
    }
    if (line != NULL)
        tr__list_append(&line->relays, &r->link);
    else
        relay_done(loop, r, rc);
}

static relay *line_last(relay_line *line, uint64_t node, tr_addr from)
{
    relay *last = NULL;
    for (tr__list *at = line->relays.next; at != &line->relays; at = at->next) {
        relay *r = tr__container(at, relay, link);
        if (r->msg != NULL && r->to.node == node && tr_addr_eq(r->msg->from, from))
            last = r;
    }
    return last;
}

bool tr__relays_behind(tr__remote *remote, uint64_t node, tr_addr from, tr__behind *behind)
{
    size_t at = 0;
    for (relay_line *line; (line = tr__map_next(&remote->relays, &at)) != NULL;) {
        relay *last = line_last(line, node, from);
        if (last == NULL)
            continue;
        tr__list_append(&last->behind, &behind->link);
        return true;
    }
    return false;
}

void tr__relays_drop(tr__remote *remote)
{
    size_t at = 0;
    for (relay_line *line; (line = tr__map_next(&remote->relays, &at)) != NULL;) {
        for (tr__list *node; (node = tr__list_pop(&line->relays)) != NULL;)
            relay_done(remote->loop, tr__container(node, relay, link), TR_EDOWN);
        tr__list_remove(&line->waiter.link);
        tr__free(line);
    }
    tr__map_clear(&remote->relays);
}

// ---- From home ----

// moves: *msg, on success
static int relay_new(tr_loop *loop, tr_addr to, tr_msg **msg, relay **ret_relay)
{
    relay *r = tr__alloc(sizeof *r);
    if (r == NULL)
        return TR_ENOMEM;
    *r = (relay){.post.arrive = relay_arrive, .home = loop, .to = to, .msg = *msg};
    r->stop = *msg == NULL;
    r->weight = *msg == NULL ? 0 : (*msg)->weight;
    tr__list_init(&r->link);
    tr__list_init(&r->behind);
    *msg = NULL;
    *ret_relay = r;
    return 0;
}

int tr__relay_send(tr_loop *loop, tr_loop *through, const tr__letter *letter)
{
    relay *r = NULL;
    tr_msg *msg;
    tr__window *window;
    int rc = tr__letter_open(letter, &msg);
    if (rc < 0)
        return rc;
    size_t weight = msg->weight;
    rc = tr__window_take(&loop->relayed, relay_key(letter->to), weight, &window);
    if (rc == 0) {
        rc = relay_new(loop, letter->to, &msg, &r);
        if (rc < 0)
            tr__window_undo(&loop->relayed, window, weight);
    }
    if (rc < 0) {
        if (letter->carrier != NULL)
            *letter->carrier = msg; // it stays its sender's
        else
            tr_msg_free(&msg);
        return rc;
    }
    r->window = window;
    tr__post_to(loop, through, &r->post);
    return 0;
}

int tr__relay_stop(tr_loop *loop, tr_loop *through, tr_addr addr)
{
    relay *r;
    int rc = relay_new(loop, addr, &(tr_msg *){NULL}, &r);
    if (rc == 0)
        tr__post_to(loop, through, &r->post);
    return rc;
}

tr__list *tr__relay_waiters(tr_loop *loop, tr_addr to)
{
    return tr__window_waiters(&loop->relayed, relay_key(to));
}
