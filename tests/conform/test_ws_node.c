// Our links over WebSocket against an independent client: Node's own (ws_node.js). Whatever it sends
// comes back. It tells by its exit status whether all was as it should be.
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

#include "filter/transport.h"
#include "remote/link.h"
#include "support/cmocka.h"
#include "uv/uv.h"

#define SKIPPED     77
#define BAD_OPTION  9
#define DEADLINE_NS (UINT64_C(60) * 1000000000)

// ---- Links that echo ----

struct echo {
    tr__link *link;
};

static struct echo echoes[8];
static unsigned echo_count;
static unsigned broken, refused, others; // downs of all of them, but for the ordinary ones

static int echo_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct echo *e = owner;
    tr__frame *frame = NULL;
    (void)storage;
    assert_int_equal(0, tr__frame_new(&frame));
    uint8_t *room = tr__frame_reserve(frame, size);
    assert_non_null(room);
    memcpy(room, bytes, size);
    tr__frame_commit(frame, size);
    e->link->ops->send(e->link, &frame);
    return 0;
}

static void echo_drained(void *owner)
{
    (void)owner;
}

static void echo_down(void *owner, int error)
{
    struct echo *e = owner;
    broken += error == TR_EFRAME;
    refused += error == TR_ENOENT || error == TR_EVERSION;
    others += error != TR_EDOWN && error != TR_EFRAME && error != TR_ENOENT && error != TR_EVERSION;
    e->link->ops->free(&e->link);
}

static const tr__link_up ECHO_UP = {echo_frame, echo_drained, echo_down};

static void echo_accepted(void *owner, tr_endpoint *endpoint)
{
    (void)owner;
    assert_true(echo_count < sizeof echoes / sizeof echoes[0]);
    struct echo *e = &echoes[echo_count++];
    assert_int_equal(0, tr__link_sp_open(endpoint, &ECHO_UP, e, &e->link));
}

static const tr_listener_up LISTENER_UP = {.accepted = echo_accepted};

// ---- Node ----

static bool exited;
static tr_exit_status status;

static void node_exited(void *owner, const tr_exit_status *how)
{
    (void)owner;
    status = *how;
    exited = true;
}

static const tr_process_up NODE_UP = {node_exited};

// Returns its exit status; SKIPPED: there is no such Node.
static int run_node(tr_world *world, const char *url)
{
    const tr_process_opts how = {.size = sizeof how};
    const char *const argv[] = {
        "node", "--experimental-websocket", "--no-warnings", WS_NODE_JS, url, NULL};
    const tr_program program = {.path = "node", .argv = argv, .alone = true, .how = &how};
    tr_endpoint *ends[TR__ENDS];
    tr__process *node;
    uint64_t deadline = world->ops->now(world) + DEADLINE_NS;
    int rc = world->ops->spawn(world, &program, &NODE_UP, NULL, &node, ends);
    if (rc == TR_ENOENT)
        return SKIPPED;
    assert_int_equal(0, rc);
    while (!exited && world->ops->now(world) < deadline)
        world->ops->poll(world, deadline);
    world->ops->process_close(&node);
    assert_true(exited && status.signal == 0);
    return status.code == BAD_OPTION ? SKIPPED : status.code;
}

static void node_talks_to_us_as_to_any_server(void **state)
{
    tr_world *world;
    tr__carriage *carriage;
    tr_listener *listener;
    tr_site site;
    char url[64];
    (void)state;
    assert_int_equal(0, tr__uv_open(&world));
    assert_int_equal(0, tr__filter_transport.open(world, &carriage));
    assert_int_equal(0, tr__filter_transport.listen(carriage, "ws://127.0.0.1:0/link", NULL,
                                                    &LISTENER_UP, NULL, &listener));
    listener->world->ops->listener_site(listener, &site);
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/link", (unsigned)site.port);
    int rc = run_node(world, url);
    if (rc != SKIPPED) {
        assert_int_equal(0, rc);
        assert_int_equal(1, broken);
        assert_int_equal(2, refused);
        assert_int_equal(0, others);
    }
    for (unsigned i = 0; i < echo_count; i++)
        if (echoes[i].link != NULL)
            echoes[i].link->ops->free(&echoes[i].link);
    listener->world->ops->listener_close(&listener);
    tr__filter_transport.close(&carriage);
    world->ops->close(&world);
    if (rc == SKIPPED)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(node_talks_to_us_as_to_any_server)};
    return cmocka_run_group_tests_name("conform/ws_node", tests, NULL, NULL);
}
