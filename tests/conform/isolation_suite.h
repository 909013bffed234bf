// The promises of troupe/actor.h, ask.h and msg.h as tests, run over every isolation, in the real
// world and in the simulated one.
#ifndef TROUPE_TESTS_ISOLATION_SUITE_H
#define TROUPE_TESTS_ISOLATION_SUITE_H

#include "conform/play.h"

// All of them, as a test program's main.
int isolation_main(int argc, char **argv, const struct theatre *theatre);

// Its parts, and whom they play with. Return how many tests have failed.
int isolation_messages(void);
int isolation_ends(void);
int isolation_asks(void);
int isolation_work(void);
int isolation_streams(void);
int isolation_handles(void);
extern const tr_behavior counter, sender, mirror, schooled, selfish, sink, twin; // messages
extern const tr_behavior mortal, punctual;                                       // ends
extern const tr_behavior asked, asker, full, dropping;                           // asks
extern const tr_behavior reckoner;                                               // work
extern const tr_behavior spring, guest;                                          // streams
extern const tr_behavior keeper;                                                 // handles

#endif
