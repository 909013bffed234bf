// Links over libnng's streams: local sockets that libnng owns. See carriage.c.
#ifndef TROUPE_NNG_TRANSPORT_H
#define TROUPE_NNG_TRANSPORT_H

#include "core/transport.h"

extern const tr__transport tr__nng_transport;

#endif
