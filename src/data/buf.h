// What the layers above need of buffers and the public header does not offer.
#ifndef TROUPE_DATA_BUF_H
#define TROUPE_DATA_BUF_H

#include <stdbool.h>
#include <troupe/buf.h>

// Whether anybody but the caller refers to the buffer or to its bytes. When it says no, the bytes
// may be written again: whoever had them, on any thread, is done with them.
bool tr__buf_is_shared(const tr_buf *buf);

// A new buffer for text of this size, not written yet but for a NUL behind its end.
int tr__buf_text(size_t size, tr_buf **ret_buf);

// Make a buffer of tr_buf_new, which nobody else has seen yet, end after size bytes. It may move.
void tr__buf_trim(tr_buf **buf, size_t size);

#endif
