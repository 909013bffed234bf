// Sites as text: "unix:/path", "tcp://127.0.0.1:80", "tcp://[::1]:80", "fd:name".
#ifndef TROUPE_CORE_SITE_H
#define TROUPE_CORE_SITE_H

#include "core/world.h"

#define TR__SITES_KNOWN 2

// errors: TR_EINVAL (empty), TR_ENAMETOOLONG
int tr__site_path(const char *path, tr_site *ret_site);
// Where an address is: itself, or what "localhost" stands for.
// returns: how many; 0: its host is a name, which is in the first one. TR_EINVAL, TR_ENAMETOOLONG
int tr__sites_parse(const char *text, tr_site ret_sites[TR__SITES_KNOWN]);
void tr__site_print(const tr_site *site, char text[TR_ADDRESS_MAX]);

#endif
