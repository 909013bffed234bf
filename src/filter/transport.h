// Links through filters: TLS and WebSocket. See carriage.c.
#ifndef TROUPE_FILTER_TRANSPORT_H
#define TROUPE_FILTER_TRANSPORT_H

#include "core/transport.h"

extern const tr__transport tr__filter_transport;

#endif
