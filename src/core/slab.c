// The slab: one piece of memory that all sockets of a loop read into.
//
// How much a read brings is known only afterwards, and a buffer of the largest size for each would
// be 64 KiB for a message of 64 bytes. So all read into one: what is small is copied out of it,
// into memory of its own size; what is large stays where it is, as a slice, and the next one goes
// behind it. When there is little room left the slab goes on with a new piece, and the old one
// lives as long as its slices; when these are gone before, the same one is used again.
#include "core/slab.h"

#include "data/buf.h"

#define SLAB_BYTES 65536u
#define ROOM_MIN   16384u // less is no room
#define COPY_MAX   4096u  // so much is cheaper to copy than to hold the slab for
#define ALIGN      64u

static int slab_room(tr__slab *slab)
{
    if (slab->buf != NULL && slab->used > 0 && !tr__buf_is_shared(slab->buf))
        slab->used = 0;
    if (slab->used + ROOM_MIN > SLAB_BYTES)
        tr_buf_unref(&slab->buf);
    if (slab->buf != NULL)
        return 0;
    slab->used = 0;
    return tr_buf_new(SLAB_BYTES, &slab->buf);
}

ssize_t tr__slab_read(tr__slab *slab, tr_endpoint *endpoint, tr_buf **ret_chunk, bool *ret_more)
{
    int rc = slab_room(slab);
    if (rc < 0)
        return rc;
    tr_iov room = {(char *)tr_buf_data(slab->buf) + slab->used, SLAB_BYTES - slab->used};
    ssize_t n = endpoint->world->ops->endpoint_read(endpoint, &room, 1);
    if (n <= 0)
        return n;
    if (n <= COPY_MAX) {
        rc = tr_buf_copy(room.base, (size_t)n, ret_chunk);
    } else {
        rc = tr_buf_slice(slab->buf, slab->used, (size_t)n, ret_chunk);
        slab->used += ((size_t)n + ALIGN - 1) / ALIGN * ALIGN;
    }
    *ret_more = (size_t)n == room.len;
    return rc < 0 ? rc : n;
}
