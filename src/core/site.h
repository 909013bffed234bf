// Sites as text: "unix:/path", "tcp://127.0.0.1:80", "tcp://[::1]:80".
#ifndef TROUPE_CORE_SITE_H
#define TROUPE_CORE_SITE_H

#include "core/world.h"

#define TR__SITE_TEXT (TR__SITE_MAX + 16) // room for any

// errors: TR_EINVAL (empty), TR_ENAMETOOLONG
int tr__site_path(const char *path, tr_site *ret_site);
// The host may be a name, which is nothing that a world knows: tr__site_is_name.
// errors: TR_EINVAL, TR_ENAMETOOLONG
int tr__site_parse(const char *text, tr_site *ret_site);
bool tr__site_is_name(const tr_site *site);
void tr__site_print(const tr_site *site, char text[TR__SITE_TEXT]);

#endif
