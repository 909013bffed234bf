// cmocka, with the headers that it needs and does not include.
#ifndef TROUPE_TESTS_SUPPORT_CMOCKA_H
#define TROUPE_TESTS_SUPPORT_CMOCKA_H

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#endif
