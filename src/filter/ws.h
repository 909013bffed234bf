// WebSocket, as a coder (RFC 6455), for whoever speaks SP's pair1 as over TCP: each of its messages
// is one of WebSocket's, as nng has it, and its hello is the subprotocol's name.
#ifndef TROUPE_FILTER_WS_H
#define TROUPE_FILTER_WS_H

#include "core/world.h"
#include "filter/coder.h"

// Who dials, and who was dialled. world: of its keys. host: as in a url, with the port. path: from
// "/" on; who listens takes requests for no other.
// errors: TR_EINVAL (they cannot be in a request), TR_ENOMEM
int tr__ws_dialled(tr_world *world, const char *host, const char *path, tr__coder **ret_coder);
int tr__ws_accepted(tr_world *world, const char *path, tr__coder **ret_coder);

#endif
