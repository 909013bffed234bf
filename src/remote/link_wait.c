// What stands for a link that is not there yet: a queue of frames. Whoever has it takes them out
// again, for the link when that has come, or since it never will.
#include "base/assert.h"
#include "base/memory.h"
#include "remote/link.h"

struct link_wait {
    tr__link base;
    tr__frame *first, *last;
    size_t queued;
    uint64_t given;
};

static struct link_wait *wait_of(const tr__link *base)
{
    return (struct link_wait *)(uintptr_t)base;
}

static void wait_send(tr__link *base, tr__frame **frame)
{
    struct link_wait *link = wait_of(base);
    tr_assert(tr__frame_next(*frame) == NULL);
    link->queued += tr__frame_total(*frame);
    link->given += tr__frame_total(*frame);
    if (link->first == NULL)
        link->first = *frame;
    else
        tr__frame_set_next(link->last, *frame);
    link->last = *frame;
    *frame = NULL;
}

static size_t wait_queued(const tr__link *base)
{
    return wait_of(base)->queued;
}

static uint64_t wait_given(const tr__link *base)
{
    return wait_of(base)->given;
}

static bool wait_let_go(tr__link *base)
{
    tr__frame *frame = wait_of(base)->first;
    while (frame != NULL && !tr__frame_is_held(frame))
        frame = tr__frame_next(frame);
    if (frame != NULL)
        tr__frame_let_go(frame);
    return frame != NULL;
}

tr__frame *tr__link_wait_pop(tr__link *base)
{
    struct link_wait *link = wait_of(base);
    tr__frame *frame = link->first;
    if (frame == NULL)
        return NULL;
    link->first = tr__frame_next(frame);
    link->queued -= tr__frame_total(frame);
    tr__frame_set_next(frame, NULL);
    return frame;
}

static void wait_free(tr__link **base)
{
    struct link_wait *link = wait_of(*base);
    *base = NULL;
    for (tr__frame *frame; (frame = tr__link_wait_pop(&link->base)) != NULL;)
        tr__frame_free(&frame);
    tr__free(link);
}

int tr__link_wait_open(tr__link **ret_link)
{
    static const tr__link_ops ops = {.scheme = "wait",
                                     .send = wait_send,
                                     .queued = wait_queued,
                                     .given = wait_given,
                                     .let_go = wait_let_go,
                                     .free = wait_free};
    struct link_wait *link = tr__zalloc(sizeof *link);
    if (link == NULL)
        return TR_ENOMEM;
    link->base.ops = &ops;
    *ret_link = &link->base;
    return 0;
}
