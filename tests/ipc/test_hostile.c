// A peer that breaks the rules loses at most its own link; it hears why where the protocol says so;
// and the node goes on serving the others.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipc/attacks.h"
#include "ipc/server.h"
#include "support/ipc.h"

#define GROWTH_MAX (8u << 20)
#define STATUS     7 // prog_hostile's, when all is well

// ---- Strangers ----

// A server, and a peer of it that behaves.
static struct {
    const char *path;
    pid_t pid;
    struct raw good;
    size_t descriptors, rss;
} served;

static int serve(void **state)
{
    ipc_begin(state);
    served.path = ipc_path("socket");
    served.pid = server_start(served.path, 0);
    raw_open(&served.good, -1, served.path);
    assert_true(raw_greet(&served.good));
    assert_true(raw_ask(&served.good));
    served.descriptors = ipc_descriptors(served.pid);
    served.rss = ipc_rss(served.pid);
    return 0;
}

// The good peer is still served, and nothing is left of the others. An answer comes after what the
// node has done before, so there is nothing to wait for but links that close.
static void assert_served(void)
{
    assert_true(raw_ask(&served.good));
    for (int i = 0; i < 100 && ipc_descriptors(served.pid) > served.descriptors; i++)
        assert_true(raw_ask(&served.good));
    assert_int_equal(served.descriptors, ipc_descriptors(served.pid));
    if (!ipc_sanitized())
        assert_in_range(ipc_rss(served.pid), 0, served.rss + GROWTH_MAX);
}

static int serve_no_more(void **state)
{
    raw_close(&served.good);
    assert_int_equal(0, server_stop(served.pid, served.path));
    assert_int_equal(0, ipc_files());
    return ipc_end(state);
}

static void a_stranger_attacks(void **state)
{
    const struct attack *attack = *state;
    struct raw bad;
    raw_open(&bad, -1, served.path);
    attack->make(&bad);
    assert_true(raw_ask(&served.good));
    assert_true(attack_answered(attack, &bad));
    raw_close(&bad);
    assert_served();
}
