// The cargo of messages: handles that go along, and come back where nobody takes them.
//
// A message that is not handled becomes its own notice: that needs no memory, so it cannot fail.
// Whoever drops one notes why (tr__cargo_refuse); when it has come to where it was made, it turns
// round there (tr__cargo_settle). One that came over a link is told back to the node that has sent
// it, and kept it for that (remote/handed.c); what is here of it is closed.
#include "core/handle.h"

#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

void tr__cargo_free(tr__cargo **cargo)
{
    tr__cargo *gone = *cargo;
    *cargo = NULL;
    for (uint32_t i = 0; gone != NULL && i < gone->count; i++)
        tr_handle_close(&gone->handles[i]);
    tr__free(gone);
}

int tr__cargo_of(tr_msg *msg, tr__cargo **ret_cargo)
{
    tr__msg_more *more = tr__msg_more_of(msg);
    if (more == NULL)
        return TR_ENOMEM;
    if (more->cargo == NULL)
        more->cargo = tr__zalloc(sizeof *more->cargo);
    if (more->cargo == NULL)
        return TR_ENOMEM;
    *ret_cargo = more->cargo;
    return 0;
}

// ---- Attaching and taking ----

int tr_msg_attach_handle(tr_msg *msg, tr_handle **handle)
{
    tr__cargo *cargo;
    if (msg == NULL || msg->is_notice || handle == NULL || *handle == NULL)
        return TR_EINVAL;
    bool has_bytes = (*handle)->bytes != NULL; // of a hostile process: maybe none
    size_t bytes = has_bytes ? tr_buf_size((*handle)->bytes) : 0;
    int rc = tr__cargo_of(msg, &cargo);
    if (rc < 0)
        return rc;
    if (cargo->count == TR_HANDLES_MAX ||
        (has_bytes && msg->buf_count + cargo->with_bytes == TR_BUFS_MAX))
        return TR_EFULL;
    if (bytes > TR_DOC_MAX - (msg->weight - msg->name_len))
        return TR_ETOOBIG;
    msg->weight += (uint32_t)bytes;
    cargo->with_bytes += has_bytes;
    cargo->handles[cargo->count++] = *handle;
    *handle = NULL;
    return 0;
}

static size_t cargo_bytes(const tr__cargo *cargo)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < cargo->count; i++) {
        const tr_handle *handle = cargo->handles[i];
        bytes += handle == NULL || handle->bytes == NULL ? 0 : tr_buf_size(handle->bytes);
    }
    return bytes;
}

void tr__cargo_set_off(tr__cargo *cargo)
{
    uint32_t count = 0;
    cargo->with_bytes = 0;
    for (uint32_t i = 0; i < cargo->count; i++) {
        tr_handle *handle = cargo->handles[i];
        if (handle == NULL)
            continue;
        cargo->handles[i] = NULL;
        cargo->handles[count++] = handle;
        cargo->with_bytes += handle->bytes != NULL;
    }
    cargo->count = count;
    cargo->accepted = false;
}

void tr__letter_carry(tr__letter *letter, tr_msg **msg)
{
    if (tr_msg_handle_count(*msg) == 0)
        return;
    letter->carrier = msg;
    letter->carried = cargo_bytes(tr__msg_cargo(*msg));
}

size_t tr_msg_handle_count(const tr_msg *msg)
{
    const tr__cargo *cargo = msg == NULL ? NULL : tr__msg_cargo(msg);
    return cargo == NULL ? 0 : cargo->count;
}

static void cargo_accept_arrive(tr_loop *loop, tr__post *post)
{
    const tr__cargo *cargo = tr__container(post, tr__cargo, post);
    loop->node->route->taken(loop, &cargo->receipt); // if it fails the gate will tell
}

// Once; the post is at its goal before the message goes home behind it.
static int cargo_accept(tr_loop *loop, tr__cargo *cargo)
{
    int rc = 0;
    if (cargo->accepted)
        return 0;
    if (cargo->receipt.ref == 0) {
        rc = 0; // it came over no link
    } else if (cargo->receipt.loop == loop->index) {
        rc = loop->node->route->taken(loop, &cargo->receipt);
    } else {
        cargo->post.arrive = cargo_accept_arrive;
        tr__post_first(loop, tr__node_loop(loop->node, cargo->receipt.loop), &cargo->post);
    }
    cargo->accepted = rc == 0;
    return rc;
}

int tr_msg_take_handle(tr_actor *self, const tr_msg *msg, size_t i, tr_handle **ret_handle)
{
    if (!tr__actor_here(self) || msg == NULL || ret_handle == NULL)
        return TR_EINVAL;
    tr__cargo *cargo = tr__msg_cargo(msg);
    if (cargo == NULL || i >= cargo->count || cargo->handles[i] == NULL)
        return TR_ENOENT;
    int rc = cargo_accept(self->loop, cargo);
    if (rc < 0)
        return rc;
    *ret_handle = cargo->handles[i];
    cargo->handles[i] = NULL;
    return 0;
}

int tr__cargo_move(tr_msg *from, tr_msg *to)
{
    tr__cargo *cargo, *source = tr__msg_cargo(from);
    if (source == NULL)
        return 0;
    int rc = tr__cargo_of(to, &cargo);
    if (rc < 0)
        return rc;
    tr_assert(cargo->count == 0);
    memcpy(cargo->handles, source->handles, sizeof cargo->handles);
    memset(source->handles, 0, sizeof source->handles);
    cargo->count = source->count;
    cargo->with_bytes = source->with_bytes;
    to->weight = from->weight;
    return 0;
}

void tr__cargo_take_back(tr_msg *msg, tr_msg *copy)
{
    tr__cargo *cargo = tr__msg_cargo(msg), *from = tr__msg_cargo(copy);
    if (cargo == NULL || from == NULL)
        return;
    memcpy(cargo->handles, from->handles, sizeof cargo->handles);
    memset(from->handles, 0, sizeof from->handles);
    if (cargo->receipt.ref == 0)
        cargo->accepted = false;
}

int tr__cargo_pass(tr_loop *loop, const tr_msg *from, tr_msg *to)
{
    tr__cargo *cargo = tr__msg_cargo(from);
    int rc = cargo == NULL ? 0 : cargo_accept(loop, cargo);
    return rc < 0 ? rc : tr__cargo_move((tr_msg *)from, to);
}

// ---- Coming back ----

void tr__cargo_refuse(tr_msg *msg, tr_addr to, int why)
{
    tr__cargo *cargo = tr__msg_cargo(msg);
    if (cargo == NULL || msg->is_notice || cargo->accepted)
        return;
    cargo->to = to;
    cargo->letter = (tr_returned){msg->name, why};
}

static void returned_arrive(tr_loop *loop, tr__post *post)
{
    tr_msg *msg = tr__container(post, tr_msg, post);
    tr_actor *actor = tr__actor_find(loop, msg->to);
    if (actor == NULL)
        tr__msg_release(&loop->blocks, msg); // with the handles
    else
        tr__notice_put(actor, &msg);
}

static void cargo_turn_round(tr_loop *loop, tr_msg *msg)
{
    tr_addr sender = msg->from;
    tr_loop *there = sender.node == loop->node->id ? tr__id_loop(loop->node, sender.actor) : NULL;
    msg->from = tr__msg_cargo(msg)->to;
    msg->is_notice = msg->is_returned = true;
    msg->linked = false;
    msg->flow = NULL;
    msg->to = sender.actor;
    if (there == NULL) {
        tr__msg_release(&loop->blocks, msg);
    } else if (there == loop) {
        returned_arrive(loop, &msg->post);
    } else {
        msg->post.arrive = returned_arrive;
        tr__post_to(loop, there, &msg->post);
    }
}

void tr__cargo_return(tr_loop *loop, tr_msg **msg, tr_addr to, int why)
{
    tr_msg *back = *msg;
    *msg = NULL;
    tr__cargo_refuse(back, to, why);
    cargo_turn_round(loop, back);
}

void tr__cargo_settle(tr_loop *loop, tr_msg *msg)
{
    const tr__cargo *cargo = tr__msg_cargo(msg);
    bool refused = cargo->letter.why < 0 && !cargo->accepted; // one may be taken after all
    if (refused && !msg->is_notice && !msg->linked)
        cargo_turn_round(loop, msg);
    else
        tr__msg_release(&loop->blocks, msg);
}

const tr_returned *tr_msg_returned(const tr_msg *msg)
{
    return msg != NULL && msg->is_returned ? &tr__msg_cargo(msg)->letter : NULL;
}
