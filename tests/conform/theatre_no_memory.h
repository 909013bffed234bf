// Where plays run in the simulated world while memory fails, each time another allocation.
#ifndef TROUPE_TESTS_THEATRE_NO_MEMORY_H
#define TROUPE_TESTS_THEATRE_NO_MEMORY_H

#include "conform/play.h"

// Goal:   whatever allocation fails, what is played may come to nothing, but nothing crashes or
//         leaks.
// Method: every play over each of the places; see sweep.h. What the plays note is not compared,
//         once memory has failed: they ignore results on purpose.
int no_memory_main(int argc, char **argv, const char *name, const tr_spawn_opts *places,
                   unsigned place_count,
                   int (*suite_main)(int argc, char **argv, const struct theatre *theatre));

#endif
