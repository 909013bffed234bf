// Our links against libnng itself, in both roles, over local sockets, TCP and WebSocket. nng's calls block, so
// they are made on a thread of their own, which reports by its return value; this thread runs the
// world.
//
// An nng socket is never closed while we may still be sending: libnng 1.5.2 can hang in that.
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pair1/pair.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/transport.h"
#include "remote/link.h"
#include "support/cmocka.h"
#include "support/site.h"
#include "uv/uv.h"

enum { MESSAGES = 1000, SIZE_MAX_SENT = 100 * 1024, WINDOW = 8, STORM = 100, WAIT_S = 30 };

// ---- What is sent: message i is a part of the noise ----

static uint8_t noise[SIZE_MAX_SENT + MESSAGES];

static size_t message_size(int i)
{
    return i % 10 == 0 ? (size_t)i / 10 % 3 : (size_t)i * 7919 % (SIZE_MAX_SENT + 1);
}

static bool message_is(int i, const void *bytes, size_t size)
{
    return size == message_size(i) && memcmp(noise + i, bytes, size) == 0;
}

// ---- Our side ----

struct ours {
    char directory[32], path[64], url[80];
    bool tcp, ws; // what it is over
    tr_world *world;
    tr__carriage *carriage; // of ws
    tr_listener *listener;
    tr__link *link;
    bool echo;        // send back what comes; otherwise compare
    int sent, good;   // messages
    int links, downs; // so far
    int error;        // of the last down
    int refused;      // 1: one of them was TR_EVERSION
};

static void ours_send(struct ours *ours, const void *bytes, size_t size)
{
    tr__frame *frame = NULL;
    uint8_t *room = NULL;
    if (tr__frame_new(&frame) == 0)
        room = tr__frame_reserve(frame, size);
    if (room == NULL)
        abort();
    memcpy(room, bytes, size);
    tr__frame_commit(frame, size);
    ours->link->ops->send(ours->link, &frame);
}

static void ours_send_next(struct ours *ours)
{
    if (ours->sent < MESSAGES)
        ours_send(ours, noise + ours->sent, message_size(ours->sent));
    ours->sent++;
}

static int ours_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    (void)storage;
    struct ours *ours = owner;
    if (ours->echo) {
        ours_send(ours, bytes, size);
    } else {
        ours->good += message_is(ours->good, bytes, size);
        ours_send_next(ours);
    }
    return 0;
}

static void ours_drained(void *owner)
{
    (void)owner;
}

static void ours_down(void *owner, int error)
{
    struct ours *ours = owner;
    ours->downs++;
    ours->error = error;
    ours->refused |= error == TR_EVERSION;
    ours->link->ops->free(&ours->link);
}

static const tr__link_up ours_up = {
    .frame = ours_frame, .drained = ours_drained, .down = ours_down};

static void ours_open_link(struct ours *ours, tr_endpoint *endpoint)
{
    if (ours->link != NULL)
        ours->link->ops->free(&ours->link);
    if (tr__link_sp_open(endpoint, &ours_up, ours, &ours->link) < 0)
        abort();
    ours->links++;
}

static void ours_accepted(void *owner, tr_endpoint *endpoint)
{
    ours_open_link(owner, endpoint);
}

static const tr_listener_up ours_listener_up = {.accepted = ours_accepted};

static void ours_listen(struct ours *ours)
{
    const tr_world_ops *ops = ours->world->ops;
    tr_site site = {.tcp = true, .name = "127.0.0.1"};
    if (ours->ws) {
        assert_int_equal(0, tr__filter_transport.listen(ours->carriage, ours->url, NULL,
                                                        &ours_listener_up, ours, &ours->listener));
    } else {
        if (!ours->tcp)
            site = site_of_path(ours->path);
        assert_int_equal(
            0, ops->listen(ours->world, &site, PLAINLY, &ours_listener_up, ours, &ours->listener));
    }
    ours->listener->world->ops->listener_site(ours->listener, &site);
    if (ours->ws)
        snprintf(ours->url, sizeof ours->url, "ws://127.0.0.1:%u/pair", (unsigned)site.port);
    else if (ours->tcp)
        snprintf(ours->url, sizeof ours->url, "tcp://127.0.0.1:%u", (unsigned)site.port);
}

static void told_connected(void *owner)
{
    *(bool *)owner = true;
}

static int ours_dial(struct ours *ours, tr_endpoint **ret_endpoint)
{
    tr_site sites[2] = {{.tcp = true, .name = "127.0.0.1"}};
    if (ours->ws) {
        assert_int_equal(1, tr__filter_transport.sites(ours->url, sites));
        return tr__filter_transport.connect(ours->carriage, ours->url, &sites[0], NULL,
                                            ret_endpoint);
    }
    if (ours->tcp)
        assert_int_equal(1, sscanf(ours->url, "tcp://127.0.0.1:%hu", &sites[0].port));
    else
        sites[0] = site_of_path(ours->path);
    return ours->world->ops->connect(ours->world, &sites[0], ret_endpoint);
}

// What the url says.
static void ours_connect(struct ours *ours)
{
    static const tr_endpoint_up up = {.writable = told_connected};
    tr_endpoint *endpoint = NULL;
    bool told = false;
    assert_int_equal(0, ours_dial(ours, &endpoint));
    const tr_world_ops *ops = endpoint->world->ops;
    ops->endpoint_bind(endpoint, &up, &told);
    ops->endpoint_want(endpoint, TR__WRITE);
    while (!told)
        ours->world->ops->poll(ours->world, TR__NEVER);
    ops->endpoint_want(endpoint, 0);
    assert_int_equal(0, ops->endpoint_connected(endpoint));
    ours_open_link(ours, endpoint);
}

static int ours_open(void **state)
{
    struct ours *ours = calloc(1, sizeof *ours);
    assert_non_null(ours);
    ours->ws = strcmp(*state, "ws") == 0;
    ours->tcp = ours->ws || strcmp(*state, "tcp") == 0;
    snprintf(ours->directory, sizeof ours->directory, "/tmp/troupe-nng-XXXXXX");
    assert_non_null(mkdtemp(ours->directory));
    snprintf(ours->path, sizeof ours->path, "%s/socket", ours->directory);
    snprintf(ours->url, sizeof ours->url,
             ours->ws    ? "ws://127.0.0.1:0/pair"
             : ours->tcp ? "tcp://127.0.0.1:0"
                         : "ipc://%s",
             ours->path);
    assert_int_equal(0, tr__uv_open(&ours->world));
    assert_int_equal(0, tr__filter_transport.open(ours->world, &ours->carriage));
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
    *state = ours;
    return 0;
}

static int ours_close(void **state)
{
    struct ours *ours = *state;
    if (ours->link != NULL)
        ours->link->ops->free(&ours->link);
    if (ours->listener != NULL)
        ours->listener->world->ops->listener_close(&ours->listener);
    tr__filter_transport.close(&ours->carriage);
    for (int i = 0; i < 3; i++) // until the last link has heard that its endpoint is closed
        ours->world->ops->poll(ours->world, 0);
    ours->world->ops->close(&ours->world);
    unlink(ours->path);
    rmdir(ours->directory);
    free(ours);
    return 0;
}

// Run the world until *value is what is expected.
static void ours_run_until(struct ours *ours, const int *value, int expected)
{
    const tr_world_ops *ops = ours->world->ops;
    uint64_t deadline = ops->now(ours->world) + WAIT_S * UINT64_C(1000000000);
    while (*value != expected && ops->now(ours->world) < deadline)
        ops->poll(ours->world, deadline);
    assert_int_equal(expected, *value);
}

// ---- nng's side ----

// Something to do with nng while the world runs. Returns 0 or nng's error.
struct theirs {
    nng_socket socket;
    const char *url;
    char told[80]; // where it listens
    tr_world *world;
    int (*run)(struct theirs *theirs);
    int rv;
    atomic_bool done;
};

static void *theirs_thread(void *arg)
{
    struct theirs *theirs = arg;
    theirs->rv = theirs->run(theirs);
    atomic_store(&theirs->done, true);
    theirs->world->ops->wake(theirs->world);
    return NULL;
}

static void theirs_do(struct theirs *theirs, struct ours *ours, int (*run)(struct theirs *theirs))
{
    theirs->url = ours->url;
    theirs->world = ours->world;
    theirs->run = run;
    atomic_store(&theirs->done, false);
    pthread_t thread;
    assert_int_equal(0, pthread_create(&thread, NULL, theirs_thread, theirs));
    while (!atomic_load(&theirs->done)) // its calls have deadlines
        ours->world->ops->poll(ours->world, TR__NEVER);
    pthread_join(thread, NULL);
    assert_int_equal(0, theirs->rv);
}

static int theirs_open(struct theirs *theirs)
{
    int rv = nng_pair1_open(&theirs->socket);
    if (rv == 0)
        rv = nng_socket_set_ms(theirs->socket, NNG_OPT_RECVTIMEO, WAIT_S * 1000);
    if (rv == 0)
        rv = nng_socket_set_ms(theirs->socket, NNG_OPT_SENDTIMEO, WAIT_S * 1000);
    return rv;
}

static int theirs_dial(struct theirs *theirs)
{
    int rv = theirs_open(theirs);
    return rv != 0 ? rv : nng_dial(theirs->socket, theirs->url, NULL, 0);
}

static int theirs_listen(struct theirs *theirs)
{
    nng_listener listener;
    int port, rv = theirs_open(theirs);
    if (rv == 0)
        rv = nng_listen(theirs->socket, theirs->url, &listener, 0);
    if (rv == 0 && strncmp(theirs->url, "ipc", 3) != 0 &&
        (rv = nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port)) == 0)
        snprintf(theirs->told, sizeof theirs->told, "%.*s:%d%s",
                 (int)(strrchr(theirs->url, ':') - theirs->url), theirs->url, port,
                 strchr(strrchr(theirs->url, ':'), '/') == NULL ? "" : "/pair");
    return rv;
}

static int theirs_echo(struct theirs *theirs)
{
    int rv = 0;
    for (int i = 0; i < MESSAGES && rv == 0; i++) {
        nng_msg *msg;
        rv = nng_recvmsg(theirs->socket, &msg, 0);
        if (rv == 0 && (rv = nng_sendmsg(theirs->socket, msg, 0)) != 0)
            nng_msg_free(msg);
    }
    return rv;
}

// A window at a time, so that both directions are busy.
static int theirs_talk(struct theirs *theirs)
{
    int rv = 0;
    for (int i = 0; i < MESSAGES && rv == 0; i += WINDOW) {
        for (int k = i; k < i + WINDOW && rv == 0; k++)
            rv = nng_send(theirs->socket, noise + k, message_size(k), 0);
        for (int k = i; k < i + WINDOW && rv == 0; k++) {
            nng_msg *msg;
            if ((rv = nng_recvmsg(theirs->socket, &msg, 0)) != 0)
                break;
            if (!message_is(k, nng_msg_body(msg), nng_msg_len(msg)))
                rv = NNG_EPROTO;
            nng_msg_free(msg);
        }
    }
    return rv;
}

static int theirs_close(struct theirs *theirs)
{
    return nng_close(theirs->socket);
}

static int theirs_storm(struct theirs *theirs)
{
    int rv = 0;
    for (int i = 0; i < STORM && rv == 0; i++)
        if ((rv = theirs_dial(theirs)) == 0)
            rv = nng_close(theirs->socket);
    return rv;
}

// Once in a day: libnng uses a dialler that it has freed, if its socket is closed while it dials.
static int theirs_dial_as_pair0(struct theirs *theirs)
{
    int rv = nng_pair0_open(&theirs->socket);
    if (rv == 0)
        rv = nng_socket_set_ms(theirs->socket, NNG_OPT_RECONNMINT, 24 * 3600 * 1000);
    if (rv == 0)
        nng_dial(theirs->socket, theirs->url, NULL, 0); // may hear that it is refused, or not
    return rv;
}

_Static_assert(MESSAGES % WINDOW == 0, "theirs_talk");

// ---- Tests ----

// Goal:   every message arrives as it was sent, both ways, whoever asks and whoever answers; when
//         nng closes, the link is down.
// Method: 1000 messages from 0 to 100 KiB that nng echoes, 1000 that we echo.
static void exchange(struct ours *ours, struct theirs *theirs)
{
    for (int i = 0; i < WINDOW; i++)
        ours_send_next(ours);
    theirs_do(theirs, ours, theirs_echo);
    ours_run_until(ours, &ours->good, MESSAGES);

    ours->echo = true;
    theirs_do(theirs, ours, theirs_talk);
    assert_int_equal(0, ours->downs);
    theirs_do(theirs, ours, theirs_close);
    ours_run_until(ours, &ours->downs, 1);
    assert_int_equal(TR_EDOWN, ours->error);
}

static void test_nng_dials_and_talks(void **state)
{
    struct ours *ours = *state;
    struct theirs theirs = {0};
    ours_listen(ours);
    theirs_do(&theirs, ours, theirs_dial);
    ours_run_until(ours, &ours->links, 1);
    exchange(ours, &theirs);
}

static void test_nng_listens_and_talks(void **state)
{
    struct ours *ours = *state;
    struct theirs theirs = {0};
    theirs_do(&theirs, ours, theirs_listen);
    if (ours->tcp)
        memcpy(ours->url, theirs.told, sizeof ours->url);
    ours_connect(ours);
    exchange(ours, &theirs);
}

static void test_a_storm_of_connections_does_no_harm(void **state)
{
    struct ours *ours = *state;
    struct theirs theirs = {0};
    ours_listen(ours);
    theirs_do(&theirs, ours, theirs_storm);
    ours_run_until(ours, &ours->links, STORM);
    theirs_do(&theirs, ours, theirs_dial);
    ours_run_until(ours, &ours->links, STORM + 1);
    int downs = ours->downs;
    ours->echo = true;
    theirs_do(&theirs, ours, theirs_talk);
    theirs_do(&theirs, ours, theirs_close);
    ours_run_until(ours, &ours->downs, downs + 1);
    assert_int_equal(TR_EDOWN, ours->error);
}

static void test_an_nng_socket_of_another_protocol_is_refused(void **state)
{
    struct ours *ours = *state;
    struct theirs theirs = {0};
    ours_listen(ours);
    theirs_do(&theirs, ours, theirs_dial_as_pair0);
    ours_run_until(ours, &ours->refused, 1); // it may have come again
    theirs_do(&theirs, ours, theirs_close);
}

#define OVER(scheme, test)                                                                         \
    {                                                                                              \
#test " over " scheme, test, ours_open, ours_close, (void *)(uintptr_t)scheme              \
    }
#define OVER_ALL(test) OVER("ipc", test), OVER("tcp", test), OVER("ws", test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER_ALL(test_nng_dials_and_talks),
        OVER_ALL(test_nng_listens_and_talks),
        OVER_ALL(test_a_storm_of_connections_does_no_harm),
        OVER_ALL(test_an_nng_socket_of_another_protocol_is_refused),
    };
    return cmocka_run_group_tests_name("sp_nng", tests, NULL, NULL);
}
