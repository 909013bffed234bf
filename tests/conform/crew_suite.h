// What only several loops have, as tests for both worlds: addresses that travel, threads that come
// and go, a child process whose link belongs to another loop, ends in the midst of all that.
#ifndef TROUPE_TESTS_CREW_SUITE_H
#define TROUPE_TESTS_CREW_SUITE_H

#include "conform/play.h"

int crew_main(int argc, char **argv, const struct theatre *theatre);

#endif
