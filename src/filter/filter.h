// Filters: endpoints over other endpoints, with a coder (coder.h) in between. What they are given
// and give are endpoints like any world's, so a filter may lie over a filter, and in any world.
#ifndef TROUPE_FILTER_FILTER_H
#define TROUPE_FILTER_FILTER_H

#include "core/world.h"
#include "filter/coder.h"

typedef struct tr__filters tr__filters; // those of one loop

// errors: TR_ENOMEM, system errors
int tr__filters_open(tr_world *world, tr__filters **ret_filters);
// All are closed; what has not left the coders yet is lost. The owners hear closed from a later
// poll of the world, or from its close. Sets *filters to NULL.
void tr__filters_close(tr__filters **filters);
// Bytes that have not left the coders yet.
size_t tr__filters_queued(const tr__filters *filters);

// An endpoint over one that has just been accepted, or that is still being connected: it is
// connected when hands have been shaken. Of the calls of a world it has those of transport.h.
// moves:  *wire and coder, always
// errors: TR_ENOMEM
int tr__filter_new(tr__filters *filters, tr_endpoint **wire, tr__coder *coder, bool connected,
                   tr_endpoint **ret_endpoint);

#endif
