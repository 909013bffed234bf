// A simulated program for tests: what its processes do is a table of roles, chosen by argv[1].
#ifndef TROUPE_TESTS_PUPPET_H
#define TROUPE_TESTS_PUPPET_H

#include "sim/sim.h"
#include "support/cmocka.h"
#include <troupe/error.h>

struct puppet {
    tr_world *world;
    tr_endpoint *link; // bound to `readable` if the role has it
    const struct role *role;
    struct stage *stage;
    uint64_t due; // at first: 0
    bool left;
    int code;
    tr__process *child;
    tr_endpoint *child_link;
    tr_exit_status child_status;
    bool child_exited;
    tr_world *thread; // the world of one
    uint64_t thread_due;
    size_t sent, got;
    void *memory; // freed by close, and by nothing else
};

struct role {
    const char *name;
    int (*open)(struct puppet *p);      // may be NULL
    void (*step)(struct puppet *p);     // may be NULL; after the poll
    void (*readable)(struct puppet *p); // may be NULL
    bool closes_world;                  // at its end, as a node does
};

// A simulator with one program, "puppet", and what the roles share with their test.
struct stage {
    tr_sim *sim;
    tr_sim_program program;
    const struct role *roles; // ended by one without a name
    int64_t pid;              // of whoever wants to be known
    tr_world *thread;         // likewise
    unsigned closed;          // states that were freed
    int result;
    bool flag;
};

void stage_open(struct stage *stage, uint64_t seed, const struct role *roles);
void stage_close(struct stage *stage);
int64_t stage_start(struct stage *stage, const char *role);

// Start a role as a child of p, or of a plain world.
int puppet_spawn(struct puppet *p, const char *role);
int world_spawn(tr_world *world, const char *role, const tr_process_up *up, void *owner,
                tr__process **ret_process, tr_endpoint **ret_link);

ssize_t endpoint_read(tr_endpoint *endpoint, void *bytes, size_t size);
ssize_t endpoint_write(tr_endpoint *endpoint, const void *bytes, size_t size);
void endpoint_listen_to(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner);

// What a test's own end of something has heard.
struct ear {
    tr_endpoint *endpoint;
    unsigned readable, writable, closed, exited, accepted;
    tr_exit_status status;
    tr_peer_cred cred;
    char order[8]; // one letter per upcall, shared by several through `order_of`
    struct ear *order_of;
};
extern const tr_endpoint_up ear_up;
extern const tr_process_up ear_process_up;
extern const tr_listener_up ear_listener_up;

#endif
