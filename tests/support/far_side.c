#include "support/far_side.h"

#include <string.h>

#include "base/assert.h"

static int far_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct far_side *far = owner;
    (void)storage;
    while (size > 0) {
        tr__envelope e;
        size_t used;
        int rc = tr__envelope_read(bytes, size, &e, &used);
        tr_assert(rc == 0 && used > 0 &&
                  used <= size); // a node says nothing that it would not take
        far->bytes = bytes;
        if (far->heard != NULL)
            far->heard(far, &e, used);
        bytes += used;
        size -= used;
    }
    return 0;
}

static void far_drained(void *owner)
{
    (void)owner;
}

static void far_down(void *owner, int error)
{
    (void)error;
    far_side_close(owner);
}

void far_side_open(struct far_side *far, tr_endpoint *endpoint)
{
    static const tr__link_up up = {.frame = far_frame, .drained = far_drained, .down = far_down};
    int rc = tr__link_sp_open(endpoint, &up, far, &far->link);
    tr_assert(rc == 0);
}

void far_side_close(struct far_side *far)
{
    if (far->link != NULL)
        far->link->ops->free(&far->link);
}

void far_side_give(struct far_side *far, tr__frame *frame)
{
    if (far->link != NULL)
        far->link->ops->send(far->link, &frame);
    tr__frame_free(&frame);
}

void far_side_send(struct far_side *far, const void *bytes, size_t size)
{
    tr__frame *frame;
    int rc = tr__frame_new(&frame);
    tr_assert(rc == 0);
    uint8_t *to = tr__frame_reserve(frame, size);
    tr_assert(to != NULL);
    if (size > 0)
        memcpy(to, bytes, size);
    tr__frame_commit(frame, size);
    far_side_give(far, frame);
}

tr__frame *far_side_frame(tr_val envelope)
{
    tr__frame *frame;
    int rc = tr__frame_new(&frame);
    if (rc == 0)
        rc = tr__envelope_put(frame, envelope);
    tr_assert(rc == 0);
    return frame;
}

void far_side_say(struct far_side *far, tr_val envelope)
{
    far_side_give(far, far_side_frame(envelope));
}
