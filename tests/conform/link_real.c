// The links that are the node's own, in the real world.
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conform/link_suite.h"
#include "support/cmocka.h"
#include "support/site.h"
#include "uv/uv.h"

static struct {
    bool tcp;
    char directory[32];
    tr_site site;
    tr_listener *listener;
    tr_endpoint *accepted;
} stage;

static tr_world *stage_open(void)
{
    tr_world *world;
    char path[64];
    snprintf(path, sizeof path, "%s/socket", stage.directory);
    stage.site = site_of_path(path);
    if (stage.tcp)
        stage.site = (tr_site){.tcp = true, .name = "127.0.0.1"};
    assert_int_equal(0, tr__uv_open(&world));
    assert_int_equal(0, world->ops->listen(world, &stage.site, PLAINLY, &link_listener_up,
                                           &stage.accepted, &stage.listener));
    world->ops->listener_site(stage.listener, &stage.site);
    return world;
}

static void stage_leave(void)
{
    stage.listener->world->ops->listener_close(&stage.listener);
}

static void stage_pair(tr_world *world, tr_endpoint *ret_ends[2])
{
    stage.accepted = NULL;
    assert_int_equal(0, world->ops->connect(world, &stage.site, &ret_ends[0]));
    link_connect(world, ret_ends[0], &stage.accepted);
    ret_ends[1] = stage.accepted;
}

int link_suite_listening(const char *name, bool tcp)
{
    const struct link_theatre theatre = {
        .name = name, .open = stage_open, .leave = stage_leave, .pair = stage_pair};
    stage.tcp = tcp;
    snprintf(stage.directory, sizeof stage.directory, "/tmp/troupe-link-XXXXXX");
    if (mkdtemp(stage.directory) == NULL)
        return 1;
    int failed = link_suite(&theatre);
    return failed + (rmdir(stage.directory) != 0); // a listener has left its file
}

// ---- What a child inherits ----

static tr_world *child_open(void)
{
    tr_world *world;
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static void child_pair(tr_world *world, tr_endpoint *ret_ends[2])
{
    int fds[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    for (int i = 0; i < 2; i++)
        assert_int_equal(0, tr__uv_adopt(world, fds[i], &ret_ends[i]));
}

int link_suite_inherited(const char *name)
{
    const struct link_theatre theatre = {.name = name, .open = child_open, .pair = child_pair};
    return link_suite(&theatre);
}
