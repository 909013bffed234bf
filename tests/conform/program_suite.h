// The promises of troupe/process.h that hold in every world, as tests over the real and the
// simulated one. What only the real one has is in ipc/test_programs.c.
#ifndef TROUPE_TESTS_PROGRAM_SUITE_H
#define TROUPE_TESTS_PROGRAM_SUITE_H

#include "conform/play.h"
#include "sim/sim.h"

// A program that plays a role, told by its arguments: "--program", then one of
//   exit N      leaves with code N
//   kill N      dies by signal N
//   cat         copies its input to its output, up to its end
//   say         writes "hello\n", and "oops\n" as an error
//   pour N      writes so many bytes
//   stubborn    writes "ready\n", and lives on until it is killed
// In the real world it is the test's own.
#define PROGRAM_ROLE "--program"

extern const char *program_file; // where it is

// All of them, as a test program's main.
int program_main(int argc, char **argv, const struct theatre *theatre);

int program_play(int argc, char **argv); // the real one's main
void program_sim_add(tr_sim *sim);       // the simulated one

#endif
