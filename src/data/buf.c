// Buffers: a counted header that views bytes.
//
// The bytes are the header's own tail (tr_buf_new: one allocation), the user's (tr_buf_wrap), or
// another buffer's (tr_buf_slice). A slice holds a reference to the buffer that has the storage,
// never to another slice: a chain of slices would keep every link of it alive, and dropping it
// would recurse.
//
// The count is the only thing that is written after a buffer has been made. Taking a reference
// orders nothing, since the taker has one already; dropping one does both ways, so that whoever
// drops the last sees all that the others did with the bytes.
#include <stdatomic.h>
#include <string.h>
#include <troupe/buf.h>

#include "base/assert.h"
#include "base/memory.h"
#include "data/buf.h"

struct tr_buf {
    atomic_size_t refs;
    size_t size;
    void *bytes;
    tr_buf *storage; // a slice's; NULL for the buffer that has the storage itself
    void (*release)(void *bytes, void *arg);
    void *arg;
    max_align_t tail[];
};

// A buffer with room for tail bytes of its own, or NULL.
static tr_buf *buf_alloc(size_t size, size_t tail, void *(*alloc)(size_t))
{
    if (tail > SIZE_MAX - sizeof(tr_buf))
        return NULL;
    tr_buf *buf = alloc(sizeof *buf + tail);
    if (buf == NULL)
        return NULL;
    *buf = (tr_buf){.size = size, .bytes = buf->tail};
    atomic_init(&buf->refs, 1);
    return buf;
}

static int buf_make(size_t size, size_t tail, void *(*alloc)(size_t), tr_buf **ret_buf)
{
    if (ret_buf == NULL)
        return TR_EINVAL;
    tr_buf *buf = buf_alloc(size, tail, alloc);
    if (buf == NULL)
        return TR_ENOMEM;
    *ret_buf = buf;
    return 0;
}

int tr_buf_new(size_t size, tr_buf **ret_buf)
{
    return buf_make(size, size, tr__alloc, ret_buf);
}

int tr_buf_zeroed(size_t size, tr_buf **ret_buf)
{
    return buf_make(size, size, tr__zalloc, ret_buf);
}

int tr__buf_text(size_t size, tr_buf **ret_buf)
{
    if (size == SIZE_MAX)
        return TR_ENOMEM;
    int rc = buf_make(size, size + 1, tr__alloc, ret_buf);
    if (rc == 0)
        ((char *)(*ret_buf)->bytes)[size] = '\0';
    return rc;
}

void tr__buf_trim(tr_buf **buf, size_t size)
{
    tr_assert(size <= (*buf)->size && (*buf)->bytes == (*buf)->tail && !tr__buf_is_shared(*buf));
    bool wasteful = size < (*buf)->size / 2;
    (*buf)->size = size;
    tr_buf *smaller = wasteful ? tr__resize(*buf, sizeof **buf + size) : NULL;
    if (smaller == NULL)
        return;
    smaller->bytes = smaller->tail;
    *buf = smaller;
}

int tr_buf_copy(const void *bytes, size_t size, tr_buf **ret_buf)
{
    if (bytes == NULL && size > 0)
        return TR_EINVAL;
    int rc = tr_buf_new(size, ret_buf);
    if (rc == 0 && size > 0)
        memcpy((*ret_buf)->bytes, bytes, size);
    return rc;
}

int tr_buf_wrap(void *bytes, size_t size, void (*release)(void *bytes, void *arg), void *arg,
                tr_buf **ret_buf)
{
    if (ret_buf == NULL || (bytes == NULL && size > 0))
        return TR_EINVAL;
    tr_buf *buf = buf_alloc(size, 0, tr__alloc);
    if (buf == NULL)
        return TR_ENOMEM;
    buf->bytes = bytes;
    buf->release = release;
    buf->arg = arg;
    *ret_buf = buf;
    return 0;
}

int tr_buf_slice(tr_buf *buf, size_t offset, size_t size, tr_buf **ret_buf)
{
    if (buf == NULL || ret_buf == NULL || offset > buf->size || size > buf->size - offset)
        return TR_EINVAL;
    tr_buf *slice = buf_alloc(size, 0, tr__alloc);
    if (slice == NULL)
        return TR_ENOMEM;
    if (buf->bytes != NULL)
        slice->bytes = (char *)buf->bytes + offset;
    slice->storage = tr_buf_ref(buf->storage != NULL ? buf->storage : buf);
    *ret_buf = slice;
    return 0;
}

// The sum of the sizes, or SIZE_MAX where it is too large for any memory.
static size_t sum_of_sizes(tr_buf *const *bufs, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (tr_buf_size(bufs[i]) > SIZE_MAX - size)
            return SIZE_MAX;
        size += tr_buf_size(bufs[i]);
    }
    return size;
}

int tr_buf_concat(tr_buf *const *bufs, size_t count, tr_buf **ret_buf)
{
    if (bufs == NULL && count > 0)
        return TR_EINVAL;
    tr_buf *all;
    int rc = ret_buf != NULL ? tr_buf_new(sum_of_sizes(bufs, count), &all) : TR_EINVAL;
    if (rc < 0)
        return rc;
    tr_room left = tr_buf_room(all);
    for (size_t i = 0; i < count; i++) {
        size_t copied = tr_room_copy(left, tr_buf_bytes(bufs[i]));
        left = tr_room_of((char *)left.ptr + copied, left.len - copied);
    }
    tr_assert(left.len == 0);
    *ret_buf = all;
    return 0;
}

tr_buf *tr_buf_ref(tr_buf *buf)
{
    if (buf == NULL)
        return NULL;
    size_t before = atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
    tr_assert(before > 0);
    return buf;
}

void tr_buf_unref(tr_buf **buf)
{
    if (buf == NULL || *buf == NULL)
        return;
    tr_buf *dropped = *buf;
    *buf = NULL;
    size_t before = atomic_fetch_sub_explicit(&dropped->refs, 1, memory_order_acq_rel);
    tr_assert(before > 0);
    if (before > 1)
        return;
    tr_assert(dropped->storage == NULL || dropped->storage->storage == NULL);
    tr_buf_unref(&dropped->storage);
    if (dropped->release != NULL)
        dropped->release(dropped->bytes, dropped->arg);
    tr__free(dropped);
}

void *tr_buf_data(const tr_buf *buf)
{
    return buf != NULL ? buf->bytes : NULL;
}

size_t tr_buf_size(const tr_buf *buf)
{
    return buf != NULL ? buf->size : 0;
}

bool tr__buf_is_shared(const tr_buf *buf)
{
    // Acquire, to follow what another thread did with the bytes before it dropped them.
    if (atomic_load_explicit(&buf->refs, memory_order_acquire) > 1)
        return true;
    return buf->storage != NULL && tr__buf_is_shared(buf->storage);
}
