// The links that lie on filters, over the real world's sockets and the simulated one's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conform/link_suite.h"
#include "filter/transport.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/papers.h"
#include "uv/uv.h"

#define SEEDS 3

static const tr__transport *const transport = &tr__filter_transport;

static struct {
    const char *scheme;
    tr_sim *sim; // NULL: it is the real world
    uint64_t seed;
    char url[128];
    struct papers_text papers;
    tr__papers shown;
    tr__carriage *carriage;
    tr_listener *listener;
    tr_endpoint *accepted;
} stage;

static void stage_url(unsigned port)
{
    const char *path = strcmp(stage.scheme, "tls+tcp") == 0 ? "" : "/link";
    snprintf(stage.url, sizeof stage.url, "%s://127.0.0.1:%u%s", stage.scheme, port, path);
}

static void stage_listen(tr_world *world)
{
    tr_site site;
    stage_url(0);
    assert_int_equal(0, transport->open(world, &stage.carriage));
    assert_int_equal(0, transport->listen(stage.carriage, stage.url, &stage.shown,
                                          &link_listener_up, &stage.accepted, &stage.listener));
    stage.listener->world->ops->listener_site(stage.listener, &site);
    stage_url(site.port);
}

static tr_world *stage_open(void)
{
    tr_world *world;
    assert_int_equal(0, tr__uv_open(&world));
    stage_listen(world);
    return world;
}

static tr_world *stage_open_sim(void)
{
    tr_world *world;
    assert_int_equal(0, tr__sim_open(stage.seed, &stage.sim));
    assert_int_equal(0, tr__sim_world(stage.sim, &world));
    stage_listen(world);
    return world;
}

static void stage_leave(void)
{
    stage.listener->world->ops->listener_close(&stage.listener);
    transport->close(&stage.carriage);
}

static void stage_end(void)
{
    tr__sim_close(&stage.sim);
}

static void stage_pair(tr_world *world, tr_endpoint *ret_ends[2])
{
    tr_site sites[2];
    stage.accepted = NULL;
    assert_int_equal(1, transport->sites(stage.url, sites));
    assert_int_equal(
        0, transport->connect(stage.carriage, stage.url, &sites[0], &stage.shown, &ret_ends[0]));
    link_connect(world, ret_ends[0], &stage.accepted);
    ret_ends[1] = stage.accepted;
}

static void stage_begin(const char *scheme)
{
    stage.scheme = scheme;
    papers_make(&stage.papers);
    stage.shown = (tr__papers){stage.papers.ca, stage.papers.cert, stage.papers.key, PAPERS_NAME};
}

int link_suite_filter(const char *name, const char *scheme)
{
    const struct link_theatre theatre = {.name = name,
                                         .dear = true,
                                         .messages = scheme[0] == 'w',
                                         .open = stage_open,
                                         .leave = stage_leave,
                                         .pair = stage_pair};
    stage_begin(scheme);
    return link_suite(&theatre);
}

int link_suite_filter_sim(const char *name, const char *scheme)
{
    const struct link_theatre theatre = {.name = name,
                                         .slow = true,
                                         .dear = true,
                                         .messages = scheme[0] == 'w',
                                         .open = stage_open_sim,
                                         .leave = stage_leave,
                                         .end = stage_end,
                                         .pair = stage_pair};
    int failed = 0;
    stage_begin(scheme);
    for (stage.seed = 1; stage.seed <= SEEDS; stage.seed++)
        failed += link_suite(&theatre);
    return failed;
}
