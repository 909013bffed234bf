// Introducing children to each other: what a parent does when one of them asks for a link to
// another one (sibling.c). It makes a pair of connected sockets, sends an end to each, and has
// nothing to do with what goes over it.
//
//     where the link of the one is that asks     it has asked
//       -> where that of the other one is        is there such a child? its hello has to have come
//       -> the first loop                        the pair is made, with a number
//       -> where each of them is                 it gets its end
//
// All pairs are made on the first loop, and posts keep their order: so both children hear of two
// introductions of theirs in the same order, wherever in this node their links are, and by the
// numbers decide alike which one counts.
#include "base/memory.h"
#include "remote/remote.h"

typedef struct introduction {
    tr__post post;
    tr__list link; // in `wanted` of the other one
    uint64_t to;   // the child that asks, or is told
    uint64_t node; // of the other one
    uint64_t number, last;
    tr_parcel *end; // NULL: there is none
    int error;      // that is why
} introduction;

static void intro_free(introduction *i)
{
    tr__list_remove(&i->link);
    tr__parcel_unref(&i->end);
    tr__free(i);
}

static void intro_post(tr_loop *loop, tr_loop *to, introduction *i,
                       void (*arrive)(tr_loop *loop, tr__post *post))
{
    i->post.arrive = arrive;
    if (to == loop)
        arrive(loop, &i->post);
    else
        tr__post_to(loop, to, &i->post);
}

static tr_loop *intro_loop(const tr_loop *loop, uint64_t node)
{
    const tr__remote *first = tr__node_loop(loop->node, 0)->remote;
    return first == NULL ? NULL : tr__outside_find(first->outside, node);
}

// ---- Telling ----

static int intro_put(tr__peer *peer, const introduction *i)
{
    tr__frame *frame = tr__peer_frame(peer);
    int rc = frame == NULL ? TR_ENOMEM : tr__frame_carry_room(frame, 1);
    if (rc == 0)
        rc = tr__envelope_put(frame, TR_LIST((int)TR__MEET, i->node, i->number, i->last));
    if (rc < 0)
        return rc;
    tr__frame_carry(frame, i->end);
    tr__peer_frame_filled(peer, frame);
    return 0;
}

// One that has gone meanwhile needs no answer, and the other one finds the end of its socket.
static void intro_tell(tr_loop *loop, tr__post *post)
{
    introduction *i = tr__container(post, introduction, post);
    tr__peer *peer = tr__peer_find(loop->remote, i->to);
    if (peer != NULL && peer->link != NULL && i->end == NULL)
        tr__peer_post(peer, TR_LIST((int)TR__UNKNOWN, i->node, i->error));
    else if (peer != NULL && peer->link != NULL && intro_put(peer, i) < 0)
        tr__peer_break(peer);
    intro_free(i);
}

static void intro_send(tr_loop *loop, introduction *i)
{
    tr_loop *to = intro_loop(loop, i->to);
    if (to == NULL)
        intro_free(i);
    else
        intro_post(loop, to, i, intro_tell);
}

static void intro_refuse(tr_loop *loop, introduction *i, int error)
{
    i->error = error;
    intro_send(loop, i);
}

// ---- On the first loop ----

static void intro_make(tr_loop *loop, tr__post *post)
{
    introduction *i = tr__container(post, introduction, post), *other = NULL;
    tr__remote *remote = loop->remote;
    tr_parcel *ends[2];
    if (remote == NULL || intro_loop(loop, i->to) == NULL) {
        intro_free(i);
        return;
    }
    other = tr__zalloc(sizeof *other);
    int rc = other == NULL ? TR_ENOMEM : loop->world->ops->parcel_pair(loop->world, ends);
    if (rc < 0) {
        tr__free(other);
        intro_refuse(loop, i, rc);
        return;
    }
    i->number = ++remote->introductions;
    *other = (introduction){
        .to = i->node, .node = i->to, .number = i->number, .last = i->last, .end = ends[1]};
    tr__list_init(&other->link);
    i->end = ends[0];
    intro_send(loop, other);
    intro_send(loop, i);
}

// ---- Where the other one is ----

// One child asks for the same once at a time: what it has asked before it has given up.
static void intro_wait(tr__peer *peer, introduction *i)
{
    for (tr__list *at = peer->wanted.next; at != &peer->wanted; at = at->next) {
        introduction *before = tr__container(at, introduction, link);
        if (before->to == i->to) {
            intro_free(before);
            break;
        }
    }
    tr__list_append(&peer->wanted, &i->link);
}

static void intro_look(tr_loop *loop, tr__post *post)
{
    introduction *i = tr__container(post, introduction, post);
    tr__peer *peer = tr__peer_find(loop->remote, i->node);
    bool child = peer != NULL && peer->child != NULL && peer->link != NULL && i->to != i->node;
    if (child && !peer->greeted)
        intro_wait(peer, i);
    else if (child && peer->meets)
        intro_post(loop, tr__node_loop(loop->node, 0), i, intro_make);
    else
        intro_refuse(loop, i, TR_EDOWN);
}

void tr__peer_introductions(tr__peer *peer)
{
    for (tr__list *node; (node = tr__list_pop(&peer->wanted)) != NULL;)
        intro_look(peer->remote->loop, &tr__container(node, introduction, link)->post);
}

int tr__peer_introduce(tr__peer *peer, const tr__envelope *e)
{
    tr_loop *loop = peer->remote->loop, *there = intro_loop(loop, e->node);
    if (peer->child == NULL)
        return 0;
    introduction *i = tr__zalloc(sizeof *i);
    if (i == NULL)
        return TR_ENOMEM;
    i->to = peer->node;
    i->node = e->node;
    i->last = e->last;
    tr__list_init(&i->link);
    intro_post(loop, there == NULL ? loop : there, i, intro_look);
    return 0;
}
