// The links that libnng carries.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conform/link_suite.h"
#include "nng/transport.h"
#include "support/cmocka.h"
#include "support/papers.h"
#include "uv/uv.h"

static struct {
    const char *scheme;
    char directory[32], url[128];
    struct papers_text text;
    tr__papers papers;
    tr__carriage *carriage;
    tr_listener *listener;
    tr_endpoint *accepted;
} stage;

static tr_world *stage_open(void)
{
    tr_world *world;
    char url[128];
    const char *rest = strcmp(stage.scheme, "wss") == 0 ? "127.0.0.1:0/link" : "127.0.0.1:0";
    char path[64];
    tr_site site;
    snprintf(path, sizeof path, "%s/socket", stage.directory);
    if (strcmp(stage.scheme, "nng+ipc") == 0)
        rest = path;
    snprintf(url, sizeof url, "%s://%s", stage.scheme, rest);
    assert_int_equal(0, tr__uv_open(&world));
    assert_int_equal(0, tr__nng_transport.open(world, &stage.carriage));
    assert_int_equal(0,
                     tr__nng_transport.listen(stage.carriage, url, &stage.papers, &link_listener_up,
                                              &stage.accepted, &stage.listener));
    stage.listener->world->ops->listener_site(stage.listener, &site);
    const char *slash = strcmp(stage.scheme, "wss") == 0 ? "/link" : "";
    if (site.tcp)
        snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", stage.scheme, (unsigned)site.port, slash);
    memcpy(stage.url, url, sizeof url);
    return world;
}

static void stage_leave(void)
{
    stage.listener->world->ops->listener_close(&stage.listener);
    tr__nng_transport.close(&stage.carriage);
}

static void stage_pair(tr_world *world, tr_endpoint *ret_ends[2])
{
    stage.accepted = NULL;
    assert_int_equal(
        0, tr__nng_transport.connect(stage.carriage, stage.url, NULL, &stage.papers, &ret_ends[0]));
    link_connect(world, ret_ends[0], &stage.accepted);
    ret_ends[1] = stage.accepted;
}

int link_suite_nng(const char *name, const char *scheme)
{
    const struct link_theatre theatre = {
        .name = name, .dear = true, .open = stage_open, .leave = stage_leave, .pair = stage_pair};
    stage.scheme = scheme;
    snprintf(stage.directory, sizeof stage.directory, "/tmp/troupe-link-XXXXXX");
    if (mkdtemp(stage.directory) == NULL)
        return 1;
    papers_make(&stage.text);
    stage.papers = (tr__papers){stage.text.ca, stage.text.cert, stage.text.key, PAPERS_NAME};
    int failed = link_suite(&theatre);
    return failed + (rmdir(stage.directory) != 0); // a listener has left its file
}
