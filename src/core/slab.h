// Where sockets read into.
#ifndef TROUPE_CORE_SLAB_H
#define TROUPE_CORE_SLAB_H

#include "core/core.h"

// Read what there is, up to what the slab has room for; *ret_more: there may be more.
// gives:   *ret_chunk, when something was read
// returns: as a world's endpoint_read; TR_ENOMEM, also when what was read is lost
ssize_t tr__slab_read(tr__slab *slab, tr_endpoint *endpoint, tr_buf **ret_chunk, bool *ret_more);

#endif
