// What a link promises (remote/link.h), as tests, run for every scheme that carries one.
#ifndef TROUPE_TESTS_LINK_SUITE_H
#define TROUPE_TESTS_LINK_SUITE_H

#include "core/world.h"

// What a scheme brings along. Each test opens it and closes it.
struct link_theatre {
    const char *name;
    bool slow; // fewer bytes are enough
    bool dear; // or fewer connections
    // The wire has messages, and not SP's bytes: a hello or a length that is cut has said nothing.
    bool messages;
    tr_world *(*open)(void);
    void (*leave)(void); // before the world is closed; NULL: there is nothing else
    void (*end)(void);   // and afterwards, likewise
    // Two endpoints, connected with each other: who has dialled, and who was accepted.
    void (*pair)(tr_world *world, tr_endpoint *ret_ends[2]);
};

// Returns the number of tests that failed. With TROUPE_TEST_SCALE=1 in the environment it moves as
// much as a link can: frames up to the largest.
int link_suite(const struct link_theatre *theatre);

// For theatres: run the world until one that has been dialled is connected and the other accepted.
void link_connect(tr_world *world, tr_endpoint *dialled, tr_endpoint *const *accepted);
extern const tr_listener_up link_listener_up; // its owner: the tr_endpoint * that is accepted

// The real ones: what a child inherits, and what is listened at (link_real.c); what libnng carries
// (link_nng.c), by the scheme of its url. And what lies on filters (link_filter.c), likewise.
int link_suite_inherited(const char *name);
int link_suite_listening(const char *name, bool tcp);
int link_suite_nng(const char *name, const char *scheme);
int link_suite_filter(const char *name, const char *scheme);
int link_suite_filter_sim(const char *name, const char *scheme); // in the simulated world

#endif
