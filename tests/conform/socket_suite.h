// The promises of troupe/net.h as tests, run over every kind of address, in the real world and in
// the simulated one.
#ifndef TROUPE_TESTS_SOCKET_SUITE_H
#define TROUPE_TESTS_SOCKET_SUITE_H

#include "conform/play.h"

// A name that stands for this machine; "": there is none.
extern char socket_host[256];

// All of them, as a test program's main.
int socket_main(int argc, char **argv, const struct theatre *theatre);

#endif
