// Lanes: how one loop gets something to another, in order and without a lock.
//
// Each loop has an outbox for each loop that it posts to, filled without atomics. Publishing hands
// over a whole outbox as one chain: one exchange puts it behind what is in the other's inbox
// already, and only who finds that empty wakes the other. The inbox is a list that many append to
// and one takes away whole: `posted_last` is exchanged by both sides; `posted_first` is set by
// whoever found the list empty. Between a publisher's exchange and its linking to the chain before
// there is a gap: the reader stops there and goes on when the link has come, since the publisher
// wakes nobody for it the loop looks again by itself.
//
// A chain is published at the latest before its loop polls, and after every few messages that
// actors have handled or that are in it, so that a lane costs one exchange for many posts and adds
// no time that anybody would notice.
//
// Births are in one outbox at a time, which is published before the others: so nobody hears of an
// actor's address before its loop does, and what is posted right behind a birth, as a monitor, is
// there before the actor's start.
#include "base/assert.h"
#include "base/memory.h"
#include "core/node.h"

#define OUTBOX_POSTS 64u // then it is published, so that a long turn keeps nobody waiting

static void lane_publish(tr_loop *to, tr__post *first, tr__post *last)
{
    tr__post *before = atomic_exchange(&to->posted_last, last);
    if (before != NULL) {
        atomic_store_explicit(&before->next, first, memory_order_release);
        return;
    }
    atomic_store_explicit(&to->posted_first, first, memory_order_release);
    to->world->ops->wake(to->world);
    if (atomic_load(&to->parked))
        tr__node_wake(to->node);
}

static void outbox_publish(tr_loop *from, uint32_t index)
{
    tr__outbox *box = &from->outboxes[index];
    tr__post *first = box->first, *last = box->last;
    box->first = box->last = NULL;
    box->count = 0;
    if (first != NULL)
        lane_publish(tr__node_loop(from->node, index), first, last);
}

void tr__post_outside(tr_loop *to, tr__post *post)
{
    atomic_store_explicit(&post->next, NULL, memory_order_relaxed);
    lane_publish(to, post, post);
}

void tr__outboxes_publish(tr_loop *from)
{
    if (from->firsts_in != 0)
        outbox_publish(from, from->firsts_in - 1);
    from->firsts_in = 0;
    while (from->filled != 0) {
        uint32_t index = from->filled - 1;
        from->filled = from->outboxes[index].next_filled;
        outbox_publish(from, index);
    }
}

// The outbox for a loop; NULL: no memory for it.
static tr__outbox *outbox_of(tr_loop *from, uint32_t index)
{
    if (index >= from->outbox_count) {
        uint32_t count = index + 1;
        tr__outbox *boxes = tr__resize(from->outboxes, count * sizeof *boxes);
        if (boxes == NULL)
            return NULL;
        for (uint32_t i = from->outbox_count; i < count; i++)
            boxes[i] = (tr__outbox){0};
        from->outboxes = boxes;
        from->outbox_count = count;
    }
    return &from->outboxes[index];
}

void tr__post_to(tr_loop *from, tr_loop *to, tr__post *post)
{
    tr_assert(from != to && tr__loop_here == from);
    atomic_store_explicit(&post->next, NULL, memory_order_relaxed);
    tr__outbox *box = outbox_of(from, to->index);
    if (box == NULL) { // a chain of one; nothing waits there before it
        tr__outboxes_publish(from);
        lane_publish(to, post, post);
    } else if (box->last == NULL) {
        *box = (tr__outbox){.first = post, .last = post, .next_filled = from->filled};
        from->filled = to->index + 1;
    } else {
        atomic_store_explicit(&box->last->next, post, memory_order_relaxed);
        box->last = post;
        if (++box->count == OUTBOX_POSTS)
            tr__outboxes_publish(from);
    }
}

void tr__post_first(tr_loop *from, tr_loop *to, tr__post *post)
{
    if (from->firsts_in != to->index + 1)
        tr__outboxes_publish(from);
    tr__post_to(from, to, post);
    if (from->filled != 0)
        from->firsts_in = to->index + 1;
}

// All that has been posted so far.
static void inbox_take(tr_loop *loop)
{
    tr__post *first = atomic_load_explicit(&loop->posted_first, memory_order_acquire);
    if (first == NULL)
        return;
    atomic_store_explicit(&loop->posted_first, NULL, memory_order_relaxed);
    loop->inbox_at = first;
    loop->inbox_last = atomic_exchange(&loop->posted_last, NULL);
}

// Returns whether all that was taken out has arrived: not at the gap.
static bool inbox_drain(tr_loop *loop)
{
    while (loop->inbox_at != NULL) {
        tr__post *post = loop->inbox_at;
        tr__post *next = atomic_load_explicit(&post->next, memory_order_acquire);
        if (next == NULL && post != loop->inbox_last)
            return false;
        loop->inbox_at = next;
        atomic_store_explicit(&post->next, NULL, memory_order_relaxed); // messages link by it, too
        post->arrive(loop, post);
    }
    return true;
}

// What a gap has left first, and then what came since: who posted that has woken this loop already,
// and the poll that went by at the gap has taken the wake.
void tr__inbox_run(tr_loop *loop)
{
    if (!inbox_drain(loop))
        return;
    inbox_take(loop);
    inbox_drain(loop);
}
