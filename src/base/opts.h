// Option structs: `size` first, zero is the default, so that a caller that was compiled with an
// older and shorter struct meets a newer library, and the other way round.
#ifndef TROUPE_BASE_OPTS_H
#define TROUPE_BASE_OPTS_H

#include <stddef.h>
#include <string.h>
#include <troupe/error.h>

#define TR__OPTS_MAX 4096u // no struct of ours is larger: a size above it is garbage

// Copy as much of the caller's options (NULL: all defaults) as both know, and zero the rest.
// errors: TR_EINVAL (a size that cannot be)
static inline int tr__opts_copy(const void *opts, void *ret_opts, size_t size)
{
    size_t given = 0;
    memset(ret_opts, 0, size);
    if (opts == NULL)
        return 0;
    memcpy(&given, opts, sizeof given);
    if (given < sizeof given || given > TR__OPTS_MAX)
        return TR_EINVAL;
    memcpy(ret_opts, opts, given < size ? given : size);
    return 0;
}

#endif
