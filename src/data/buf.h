// What the layers above need of buffers and the public header does not offer.
#ifndef TROUPE_DATA_BUF_H
#define TROUPE_DATA_BUF_H

#include <stdbool.h>
#include <troupe/buf.h>

// Whether anybody but the caller refers to the buffer or to its bytes. When it says no, the bytes
// may be written again: whoever had them, on any thread, is done with them.
bool tr__buf_is_shared(const tr_buf *buf);

#endif
