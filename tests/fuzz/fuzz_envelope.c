// Envelopes: whatever a peer says, before or after a proper hello, in frames of any size, the node
// stands, at most that peer is closed, and another one is served as before.
//
// The first byte of the input says whether the hostile peer greets first, and whether it is the
// node's parent, which always greets; each further byte is the size of a frame, followed by its
// bytes.
#include <string.h>
#include <troupe/registry.h>

#include "base/assert.h"
#include "remote/remote.h"
#include "sim/sim.h"
#include "support/far_side.h"

enum { GREETS = 1, PARENT = 2 }; // of the first byte
enum { STEPS = 6, ECHO_STEPS = 400 };

struct client {
    struct far_side far;
    bool echoed; // what it sent to actor 1 has come back
};

static tr_node *node;
static tr_world *clients; // where the clients live
static bool stopped;      // a peer has asked the actor to, has killed it or was linked: as it may

static int echo_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "watch")) // for monitors in both directions
        return tr_monitor(self, tr_msg_from(msg), NULL);
    if (tr_msg_is(msg, "join") || tr_msg_is(msg, "leave")) { // there may be nothing to do
        tr_msg_is(msg, "join") ? tr_join(self, "g") : tr_leave(self, "g");
        return 0;
    }
    if (tr_msg_is(msg, "publish"))
        return tr_publish(self, "g", "echo", tr_msg_body(msg));
    return tr_reply(self, msg, tr_msg_body(msg));
}
static void echo_stop(tr_actor *self, tr_reason reason)
{
    (void)self, (void)reason;
    stopped = true;
}
static const tr_behavior echo = {.name = "echo", .receive = echo_receive, .stop = echo_stop};

static const tr__remote_opts opts = {.name = "fuzzed", .program = "fuzzed", .app = TR_APP(&echo)};

static void client_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    (void)size;
    ((struct client *)far)->echoed |= e->kind == TR__MESSAGE && tr_str_eq(e->text, "echo");
}

static void client_open(struct client *client)
{
    tr_endpoint *endpoint;
    int rc = clients->ops->connect(clients, &(tr_site){.name = "/node"}, &endpoint);
    tr_assert(rc == 0);
    far_side_open(&client->far, endpoint);
}

// Start the node as the child of this one.
static void client_open_parent(struct client *client, tr_world **world)
{
    tr_endpoint *mine, *its;
    int rc = tr__sim_pipe(clients, *world, &mine, &its);
    tr_assert(rc == 0);
    far_side_open(&client->far, mine);
    rc = tr__remote_open_child(&opts, world, its, &node);
    tr_assert(rc == 0);
}

static void client_greet(struct client *client, uint64_t id)
{
    far_side_say(&client->far, TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", id)));
}

static void client_greet_child(struct client *client)
{
    far_side_say(&client->far, TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", 77,
                                                              "you", 78, "parent", 5)));
}

static void step(void)
{
    bool alive = tr__node_step(node);
    stopped |= node->root_ended; // it may have been killed before its start
    tr_assert(alive || stopped);
    clients->ops->poll(clients, 0);
}

static void attack(struct client *hostile, const uint8_t *bytes, size_t size)
{
    if (size > 0 && bytes[0] & PARENT)
        client_greet_child(hostile);
    else if (size > 0 && bytes[0] & GREETS)
        client_greet(hostile, 77);
    for (size_t at = 1; at < size;) {
        size_t left = size - at - 1, n = bytes[at] < left ? bytes[at] : left;
        far_side_send(&hostile->far, bytes + at + 1, n);
        at += 1 + n;
        step();
    }
    for (int i = 0; i < STEPS; i++)
        step();
}

static void be_served(void)
{
    struct client *good = &(struct client){.far.heard = client_heard};
    client_open(good);
    client_greet(good, 4711);
    far_side_say(&good->far, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 9, "echo", "still there?"));
    for (int i = 0; i < ECHO_STEPS && !good->echoed; i++)
        step();
    tr_assert(good->echoed);
    far_side_close(&good->far);
}

static void silence(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tr_sim *sim;
    tr_world *world;
    struct client hostile = {.far.heard = client_heard};
    tr_log_set(silence, NULL);
    stopped = false;
    int rc = tr__sim_open(1, &sim);
    if (rc == 0)
        rc = tr__sim_world(sim, &world);
    if (rc == 0)
        rc = tr__sim_world(sim, &clients);
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    tr_assert(rc == 0);
    if (size > 0 && bytes[0] & PARENT)
        client_open_parent(&hostile, &world);
    else
        rc = tr__remote_open(&opts, &world, &node);
    if (rc == 0 && hostile.far.link == NULL)
        rc = tr_node_spawn(node, &echo, NULL, NULL);
    if (rc == 0)
        rc = tr__remote_links(node, &(tr_link_opts){.spawns = TR_APP(&echo)});
    if (rc == 0)
        rc = tr__remote_listen(node, "ipc:///node");
    tr_assert(rc == 0);

    if (hostile.far.link == NULL)
        client_open(&hostile);
    attack(&hostile, bytes, size);
    if (!stopped)
        be_served();
    far_side_close(&hostile.far);
    tr__node_free(&node);
    clients->ops->close(&clients);
    tr__sim_close(&sim);
    return 0;
}
