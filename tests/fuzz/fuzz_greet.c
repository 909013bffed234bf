// The handshake over TCP: whatever a peer says, in whatever order, true steps and false ones mixed,
// the node stands, hears nothing of who has not proven the secret, and lets in who does.
//
// The first byte of the input says whether the node dials the peer or is dialled. Each further byte
// is a step: true ones by their number, or a frame of so many bytes, which follow.
#include <string.h>

#include "base/assert.h"
#include "remote/remote.h"
#include "support/far_side.h"
#include "support/sim_node.h"

#define URL    "tcp://10.0.0.1:7000"
#define SECRET "the two know this one"
enum { DIALS = 1 }; // of the first byte
#define STEP_NS TR_US(50)

enum step { CHALLENGE, PROOF, HELLO, MESSAGE, FALSE_PROOF, ECHO, OWN_ID, FRAME };

struct client {
    struct far_side far;
    uint64_t id;
    bool challenged, proven, answered; // theirs has come; ours was right; what it sent came back
    uint64_t server;                   // its id
    uint8_t mine[TR__NONCE_BYTES], theirs[TR__NONCE_BYTES];
    uint8_t last[512]; // that they have said
    size_t last_size;
};

static struct sim_nodes nodes;
static tr_world *clients;
static tr_listener *listener;
static struct client *dialled; // by the node
static bool node_dials, knocked;

static int actor_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_node *node = tr_node_of(self);
    int rc = tr_node_links(node, TR_LINKS(.secret = SECRET, .secret_size = sizeof SECRET - 1));
    if (rc == 0)
        rc = node_dials ? tr_node_dial(node, URL, NULL) : tr_node_listen(node, URL);
    return rc;
}

static int actor_receive(tr_actor *self, const tr_msg *msg)
{
    knocked |= tr_msg_is(msg, "knock");
    return tr_reply(self, msg, TR_NULL);
}
static const tr_behavior actor = {.name = "actor", .start = actor_start, .receive = actor_receive};
static const tr_app *const app = TR_APP(&actor);

static void client_hear(struct client *c, const tr__envelope *e)
{
    tr_bytes nonce;
    c->answered |= e->kind == TR__MESSAGE;
    if (e->kind != TR__CHALLENGE || c->challenged)
        return;
    c->challenged = true;
    tr_assert(tr_get_uint(e->body, "node", &c->server) == 0 &&
              tr_get_bin(e->body, "nonce", &nonce) == 0 && nonce.len == TR__NONCE_BYTES);
    memcpy(c->theirs, nonce.ptr, nonce.len);
}

static void client_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    struct client *c = (struct client *)far;
    client_hear(c, e);
    c->last_size = size <= sizeof c->last ? size : 0;
    memcpy(c->last, far->bytes, c->last_size);
}

static void client_open(struct client *c, uint64_t id, tr_endpoint *endpoint)
{
    *c = (struct client){.far.heard = client_heard, .id = id, .mine = {7}};
    far_side_open(&c->far, endpoint);
}

static void step(void)
{
    uint64_t end = clients->ops->now(clients) + STEP_NS;
    while (clients->ops->now(clients) < end)
        clients->ops->poll(clients, end);
}

// ---- What a client says ----

static void client_prove(struct client *c, bool right)
{
    uint8_t proof[TR__PROOF_BYTES] = {0};
    tr__claim claim = {
        .dialled = !node_dials, .version = TR__PROTOCOL, .prover = c->id, .verifier = c->server};
    memcpy(claim.prover_nonce, c->mine, TR__NONCE_BYTES);
    memcpy(claim.verifier_nonce, c->theirs, TR__NONCE_BYTES);
    int rc = tr__secret_prove(SECRET, sizeof SECRET - 1, &claim, proof);
    tr_assert(rc == 0);
    proof[3] ^= !right;
    c->proven |= right && c->challenged;
    far_side_say(&c->far, TR_LIST((int)TR__PROOF, ((tr_bytes){proof, sizeof proof})));
}

static void client_challenge(struct client *c, uint64_t id)
{
    far_side_say(&c->far,
                 TR_LIST((int)TR__CHALLENGE, TR_MAP("troupe", TR__PROTOCOL, "node", id, "nonce",
                                                    ((tr_bytes){c->mine, TR__NONCE_BYTES}))));
}

static void client_step(struct client *c, enum step what)
{
    switch (what) {
    case CHALLENGE:
        client_challenge(c, c->id);
        break;
    case PROOF:
    case FALSE_PROOF:
        client_prove(c, what == PROOF);
        break;
    case HELLO:
        far_side_say(&c->far,
                     TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", c->id)));
        break;
    case MESSAGE:
        far_side_say(&c->far, TR_LIST((int)TR__MESSAGE, 1, 9, "knock", TR_NULL));
        break;
    case ECHO:
        far_side_send(&c->far, c->last, c->last_size);
        break;
    default:
        client_challenge(c, c->server);
        break;
    }
}

static void attack(struct client *c, const uint8_t *bytes, size_t size)
{
    for (size_t at = 1; at < size && nodes.open == 1; at++) {
        size_t left = size - at - 1, n = bytes[at] - FRAME;
        if (bytes[at] < FRAME) {
            client_step(c, (enum step)bytes[at]);
        } else {
            n = n < left ? n : left;
            far_side_send(&c->far, bytes + at + 1, n);
            at += n;
        }
        step();
        tr_assert(c->proven || (!knocked && nodes.open == 1)); // who is let in may end an actor
    }
}

// ---- Around it ----

static struct client hostile;

static void accept_it(void *owner, tr_endpoint *endpoint)
{
    (void)owner;
    if (dialled == NULL) {
        dialled = &hostile;
        client_open(&hostile, 77, endpoint);
    } else {
        clients->ops->endpoint_close(endpoint);
    }
}

static void drop_it(void *owner, int error)
{
    (void)owner, (void)error;
}

static void listen_at(const tr_site *site)
{
    static const tr_listener_up up = {.accepted = accept_it, .dropped = drop_it};
    int rc = clients->ops->listen(clients, site, &(tr_listen_how){0}, &up, NULL, &listener);
    tr_assert(rc == 0);
}

static void dial(struct client *c, uint64_t id, const tr_site *site)
{
    tr_endpoint *endpoint;
    int rc = clients->ops->connect(clients, site, &endpoint);
    tr_assert(rc == 0);
    client_open(c, id, endpoint);
    step();
}

static void be_let_in(const tr_site *site)
{
    static const enum step steps[] = {CHALLENGE, PROOF, HELLO, MESSAGE};
    struct client good;
    dial(&good, 4711, site);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        client_step(&good, steps[i]);
        step();
    }
    tr_assert(good.answered && knocked);
    far_side_close(&good.far);
}

static void silence(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tr_site site[TR__SITES_KNOWN];
    tr_log_set(silence, NULL);
    knocked = false;
    node_dials = size > 0 && (bytes[0] & DIALS) != 0;
    dialled = NULL;
    listener = NULL;
    sim_nodes_open(&nodes, 0, app);
    tr__sim_set_capacity(nodes.sim, 0x10000);
    int rc = tr__sim_world(nodes.sim, &clients);
    tr_assert(rc == 0 && tr__sites_parse(URL, site) == 1);
    if (node_dials)
        listen_at(site);
    rc = sim_nodes_start(&nodes);
    tr_assert(rc == 0);
    step();
    if (!node_dials)
        dial(&hostile, 77, site);
    tr_assert(hostile.far.link != NULL && nodes.open == 1);

    attack(&hostile, bytes, size);
    if (!node_dials && nodes.open == 1)
        be_let_in(site);
    far_side_close(&hostile.far);
    if (listener != NULL)
        clients->ops->listener_close(&listener);
    clients->ops->close(&clients);
    sim_nodes_close(&nodes);
    return 0;
}
