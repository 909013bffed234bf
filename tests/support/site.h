// Sites for tests of worlds, in one expression.
#ifndef TROUPE_TESTS_SITE_H
#define TROUPE_TESTS_SITE_H

#include "base/assert.h"
#include "core/site.h"

static inline tr_site site_of_path(const char *path)
{
    tr_site site;
    int rc = tr__site_path(path, &site);
    tr_assert(rc == 0);
    return site;
}

#define AT_PATH(path) ((tr_site[]){site_of_path(path)})
#define PLAINLY       (&(tr_listen_how){0})

#endif
