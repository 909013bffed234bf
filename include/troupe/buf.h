/* Buffers: reference-counted slices of bytes.
 *
 * A buffer is a view of bytes in storage that any number of buffers share; the storage goes with
 * its last buffer. The bytes of a buffer that has been sent or sliced are not to be written any
 * more: others read them. Reference counts are atomic: a buffer may be passed between threads. */
#ifndef TROUPE_BUF_H
#define TROUPE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <troupe/bytes.h>
#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_buf tr_buf;

/* A new buffer of size bytes, not initialised; size may be 0.
 * gives:  *ret_buf
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_buf_new(size_t size, tr_buf **ret_buf);

/* A new buffer of size bytes, all zero.
 * gives:  *ret_buf
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_buf_zeroed(size_t size, tr_buf **ret_buf);

/* A new buffer that holds a copy of the bytes. A copy of a small slice lets go of a large buffer.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_buf_copy(const void *bytes, size_t size, tr_buf **ret_buf);

/* A new buffer over memory that is yours: release(bytes, arg) runs once, on the thread that drops
 * the last reference. release may be NULL for memory that lives for ever.
 * moves:  bytes (only on success)
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_buf_wrap(void *bytes, size_t size, void (*release)(void *bytes, void *arg), void *arg,
                       tr_buf **ret_buf);

/* A new buffer over size bytes of buf, from offset on; the bytes are shared.
 * errors: TR_EINVAL (the range is not inside buf), TR_ENOMEM */
TR_API int tr_buf_slice(tr_buf *buf, size_t offset, size_t size, tr_buf **ret_buf);

/* A new buffer with the bytes of all these, one after the other; a NULL among them is empty.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_buf_concat(tr_buf *const *bufs, size_t count, tr_buf **ret_buf);

/* One more owner of the same buffer. Returns buf. */
TR_API tr_buf *tr_buf_ref(tr_buf *buf);

/* Drop one owner and set *buf to NULL. No-op on NULL. */
TR_API void tr_buf_unref(tr_buf **buf);

/* The bytes of the view and their number. The pointer is good for as long as buf is held. */
TR_API void *tr_buf_data(const tr_buf *buf);
TR_API size_t tr_buf_size(const tr_buf *buf);

/* The same as views, for what troupe/bytes.h and troupe/encoding.h offer. */
static inline tr_bytes tr_buf_bytes(const tr_buf *buf)
{
    return tr_bytes_of(tr_buf_data(buf), tr_buf_size(buf));
}

static inline tr_room tr_buf_room(tr_buf *buf)
{
    return tr_room_of(tr_buf_data(buf), tr_buf_size(buf));
}

#ifdef __cplusplus
}
#endif
#endif
