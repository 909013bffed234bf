// The simulated world as a theatre: all isolations, over many seeds, each of which is another
// schedule. There are few of them in an ordinary run; TROUPE_TEST_SEEDS says how many.
#ifndef TROUPE_TESTS_THEATRE_SIM_H
#define TROUPE_TESTS_THEATRE_SIM_H

#include "conform/play.h"

// As a test program's main.
int sim_main(int argc, char **argv, const char *name,
             int (*suite_main)(int argc, char **argv, const struct theatre *theatre));

#endif
