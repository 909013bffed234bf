// The real world as a theatre: a node of two loops, once for each play.
#ifndef TROUPE_TESTS_THEATRE_REAL_H
#define TROUPE_TESTS_THEATRE_REAL_H

#include "conform/play.h"

// As a test program's main: the suite with the others placed so.
int real_main(int argc, char **argv, const char *name, tr_isolation isolation,
              tr_placement placement,
              int (*suite_main)(int argc, char **argv, const struct theatre *theatre));

#endif
