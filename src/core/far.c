// Messages and requests to actors on other loops of the node.
//
// A message that goes to another loop is counted in a window of the loop that sends it, and comes
// home when it has been consumed: that is what opens the window again, and gives its memory back to
// the loop that took it. So a slow receiver makes its senders see TR_EFULL as on one loop, and
// nothing is shared but the chains of posts.
//
// A sender knows the limits of a mailbox on another loop from the first message that has come home,
// or when it has spawned the actor itself; until then it takes the default ones.
#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"
#include "core/node.h"

static tr_msg *msg_of(tr__post *post)
{
    return tr__container(post, tr_msg, post);
}

// ---- Where the receiver lives ----

static uint64_t limits_of(const tr_actor *actor)
{
    return (uint64_t)actor->mail_max << 32 | actor->mail_bytes_max;
}

static void far_arrive(tr_loop *loop, tr__post *post)
{
    tr_msg *msg = msg_of(post);
    uint64_t id = msg->to;
    tr_actor *actor = tr__actor_find(loop, id);
    msg->to = actor == NULL ? 0 : limits_of(actor);
    tr__mail_arrive(loop, id, actor, &msg);
}

// ---- Where the message was made ----

static void far_count(tr_loop *loop, tr_msg *msg)
{
    tr__window *window = msg->flow;
    if (msg->to != 0) {
        window->messages_max = (uint32_t)(msg->to >> 32);
        window->bytes_max = (uint32_t)msg->to;
    }
    tr__window_give(&loop->windows, window, 1, msg->weight, &loop->writable);
}

static void far_come_home(tr_loop *loop, tr__post *post)
{
    tr_msg *msg = msg_of(post);
    if (msg->linked)
        loop->node->route->consumed(msg);
    else
        far_count(loop, msg);
    tr__msg_settle(loop, msg);
}

void tr__far_home(tr_loop *loop, tr_msg *msg)
{
    msg->post.arrive = far_come_home;
    tr__post_to(loop, tr__node_loop(loop->node, msg->home), &msg->post);
}

void tr__far_deliver(tr_loop *loop, tr_loop *to, uint64_t id, tr_msg **msg)
{
    (*msg)->home = (uint16_t)loop->index;
    (*msg)->to = id;
    (*msg)->post.arrive = far_arrive;
    tr__post_to(loop, to, &(*msg)->post);
    *msg = NULL;
}

int tr__far_send(tr_loop *loop, tr_loop *to, uint64_t id, tr_msg **msg)
{
    tr__window *window;
    int rc = tr__window_take(&loop->windows, id, (*msg)->weight, &window);
    if (rc < 0)
        return rc;
    (*msg)->flow = window;
    (*msg)->linked = false;
    tr__far_deliver(loop, to, id, msg);
    return 0;
}

// ---- Asking one to stop ----

typedef struct far_stop {
    tr__post post;
    tr_addr addr;
    tr_addr asker;
} far_stop;

static void far_stop_arrive(tr_loop *loop, tr__post *post)
{
    far_stop *stop = tr__container(post, far_stop, post);
    tr__addr_stop(loop, stop->addr, stop->asker);
    tr__free(stop);
}

int tr__far_stop(tr_loop *loop, tr_loop *to, tr_addr addr, tr_addr asker)
{
    far_stop *stop = tr__alloc(sizeof *stop);
    if (stop == NULL)
        return TR_ENOMEM;
    *stop = (far_stop){.post.arrive = far_stop_arrive, .addr = addr, .asker = asker};
    tr__post_to(loop, to, &stop->post);
    return 0;
}
