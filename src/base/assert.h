// tr_assert stays in every build: for what is cheap to check and fatal to miss. tr_check is for
// walks over whole structures and is only in debug builds.
#ifndef TROUPE_BASE_ASSERT_H
#define TROUPE_BASE_ASSERT_H

#include <stdnoreturn.h>

noreturn void tr__assert_failed(const char *what, const char *file, int line);

#define tr_assert(condition)                                                                       \
    ((condition) ? (void)0 : tr__assert_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define tr_check(condition) ((void)0)
#else
#define tr_check(condition) tr_assert(condition)
#endif

#endif
