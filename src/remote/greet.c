// Greeting: what is said before a peer may say anything else.
//
//     at a path       who listens says hello at once, who has dialled answers it with its own
//     over TCP        both send a challenge at once; who has dialled answers the other's with a
//                     proof, who listens answers that with its proof and its hello
//     parent, child   the parent says hello, the child answers it
//     siblings        both say hello as soon as they meet
//
// Who has dialled never says hello first, so it can leave when it hears that it has a link to that
// node already. When two nodes dial each other at the same moment, each finds out by the other's
// hello, and both keep the link that the one with the smaller id has dialled. A node that dials
// again while its last link is still here has lost that: it says so by a higher epoch.
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "data/doc.h"
#include "remote/remote.h"

#define GUARDED_MAX 4096u // bytes in a frame of somebody who has proven nothing
#define UNMET_MAX   256u  // of them, and of those at a path that have not said hello, at a time

struct tr__auth {
    bool challenged; // theirs has come
    bool proven;     // and their proof
    uint64_t node, version;
    uint8_t mine[TR__NONCE_BYTES], theirs[TR__NONCE_BYTES];
};

static uint64_t own_id(const tr__peer *peer)
{
    return peer->remote->loop->node->id;
}

static bool is_stranger(const tr__peer *peer)
{
    return peer->child == NULL && peer != peer->remote->parent && !peer->sibling;
}

// The peer is gone, or on its way out as a child.
static int greet_refuse(tr__peer *peer, int error, const char *text)
{
    tr__peer_refuse(peer, error, text);
    return error;
}

// The newest version that both speak. A node that does not say its oldest speaks one.
static int greet_version(tr_val map, uint64_t *ret_version)
{
    uint64_t newest = 0, least;
    if (tr_get_uint(map, "troupe", &newest) < 0)
        return TR_EVERSION;
    if (tr_get_uint(map, "least", &least) < 0)
        least = newest;
    *ret_version = newest < TR__PROTOCOL ? newest : TR__PROTOCOL;
    return *ret_version >= least && *ret_version >= TR__PROTOCOL_LEAST ? 0 : TR_EVERSION;
}

static int refuse_version(tr__peer *peer)
{
    return greet_refuse(peer, TR_EVERSION, "this node speaks version 1");
}

// ---- Hello ----

static int say_hello(tr__peer *peer)
{
    const tr__outside *outside = peer->remote->outside;
    return tr__peer_post(
        peer, TR_LIST((int)TR__HELLO,
                      TR_MAP("troupe", TR__PROTOCOL, "least", TR__PROTOCOL_LEAST, "node",
                             own_id(peer), "name", peer->remote->loop->node->name, "silence",
                             outside->silence_ns / 1000000u, "epoch",
                             peer->dialer == NULL ? 0 : peer->far.epoch, "pieces", (bool)true)));
}

// Whether a link takes the place of the one that there is to that node.
static bool greet_takes_over(const tr__peer *peer, const tr__peer *old, uint64_t node)
{
    if (old->sibling && old->number == 0)
        return true; // that was only looked for
    if (!is_stranger(old) || peer->dialer != NULL)
        return false;
    return old->dialer == NULL ? peer->their_epoch > old->their_epoch : node < own_id(peer);
}

// It is to be found by its node from now on.
static int greet_know(tr__peer *peer, uint64_t node)
{
    tr__remote *remote = peer->remote;
    tr__peer *old = tr__map_get(&remote->nodes, node);
    if (old != NULL && greet_takes_over(peer, old, node))
        tr__peer_lost(old);
    int rc = node == own_id(peer) ? TR_EEXIST : tr__remote_know(remote, node, peer);
    if (rc == 0) {
        peer->node = node;
        peer->far.epoch = ++remote->epochs;
    } else if (rc == TR_EEXIST && peer->dialer != NULL) {
        peer->why = rc;
        tr__peer_lost(peer); // there is a link already, and nothing to be said
    } else {
        tr__peer_refuse(peer, rc, rc == TR_EEXIST ? "this node is here already" : "no memory");
    }
    return rc;
}

static void greet_note(tr__peer *peer, uint64_t node, tr_val hello)
{
    tr_str name = {"", 0};
    tr_get_str(hello, "name", &name);
    size_t size = name.len < sizeof peer->far.name ? name.len : sizeof peer->far.name - 1;
    memcpy(peer->far.name, name.ptr, size);
    peer->far.name[size] = '\0';
    peer->far.id = node;
    tr_get_uint(hello, "epoch", &peer->their_epoch);
}

static int greet_stranger(tr__peer *peer, uint64_t node, tr_val hello)
{
    if (peer->auth != NULL && node != peer->auth->node)
        return greet_refuse(peer, TR_EBADMSG, "not the node of the challenge");
    greet_note(peer, node, hello);
    int rc = greet_know(peer, node);
    if (rc == 0 && peer->dialer != NULL)
        rc = say_hello(peer);
    if (rc < 0)
        return rc;
    tr__peer_beat_start(peer, hello);
    tr__far_node_up(peer->remote->loop, &peer->far);
    tr__dialer_up(peer->dialer);
    return 0;
}

static int greet_hello(tr__peer *peer, tr_val hello)
{
    uint64_t node;
    if (greet_version(hello, &peer->version) < 0)
        return refuse_version(peer);
    if (tr_get_uint(hello, "node", &node) < 0 || node == 0 || peer->greeted)
        return greet_refuse(peer, TR_EBADMSG,
                            peer->greeted ? "hello again" : "a hello without node");
    if (peer->child != NULL && node != peer->node)
        return greet_refuse(peer, TR_EREFUSED, "not the node that was started");
    if (peer->sibling && node != peer->node)
        return greet_refuse(peer, TR_EREFUSED, "not the sibling that was introduced");
    int rc = 0;
    if (is_stranger(peer))
        rc = greet_stranger(peer, node, hello);
    else if (peer == peer->remote->parent)
        rc = greet_know(peer, node);
    if (rc < 0)
        return rc;
    bool handles = false;
    tr_get_bool(hello, "handles", &handles);
    tr_get_bool(hello, "meets", &peer->meets);
    peer->greeted = true;
    tr__peer_met(peer);
    if (peer->sibling)
        tr__sibling_greeted(peer);
    TR__TELL(peer->remote->loop, .kind = TR_TRACE_UP, .other = {peer->node, 0});
    tr_get_bool(hello, "pieces", &peer->takes_pieces);
    peer->outflows.apart = peer->takes_pieces;
    peer->takes_none = !handles;
    if (peer->takes_none)
        tr__peer_handed_return(peer, TR_ENOSYS);
    tr__timer_disarm(peer->remote->loop, &peer->handshake);
    tr__peer_introductions(peer);
    return peer == peer->remote->parent ? tr__parent_greeted(peer->remote, hello) : 0;
}

// ---- The shared secret ----

static int say_challenge(tr__peer *peer)
{
    tr_world *world = peer->remote->loop->world;
    peer->auth = tr__zalloc(sizeof *peer->auth);
    if (peer->auth == NULL)
        return TR_ENOMEM;
    world->ops->random(world, peer->auth->mine, TR__NONCE_BYTES);
    tr__link_sp_limit(peer->link, GUARDED_MAX);
    return tr__peer_post(
        peer, TR_LIST((int)TR__CHALLENGE, TR_MAP("troupe", TR__PROTOCOL, "least",
                                                 TR__PROTOCOL_LEAST, "node", own_id(peer), "nonce",
                                                 ((tr_bytes){peer->auth->mine, TR__NONCE_BYTES}))));
}

static int prove(const tr__peer *peer, bool ours, uint8_t proof[TR__PROOF_BYTES])
{
    const tr__auth *auth = peer->auth;
    const tr__outside *outside = peer->remote->outside;
    uint64_t own = own_id(peer);
    tr__claim claim = {.dialled = ours == (peer->dialer != NULL),
                       .version = auth->version,
                       .prover = ours ? own : auth->node,
                       .verifier = ours ? auth->node : own};
    memcpy(claim.prover_nonce, ours ? auth->mine : auth->theirs, TR__NONCE_BYTES);
    memcpy(claim.verifier_nonce, ours ? auth->theirs : auth->mine, TR__NONCE_BYTES);
    if (outside->secret == NULL)
        return TR_EACCES; // not any more; and no secret is one that everybody has
    return tr__secret_prove(outside->secret, outside->secret_size, &claim, proof);
}

static int say_proof(tr__peer *peer)
{
    uint8_t proof[TR__PROOF_BYTES];
    int rc = prove(peer, true, proof);
    return rc < 0 ? rc
                  : tr__peer_post(peer, TR_LIST((int)TR__PROOF, ((tr_bytes){proof, sizeof proof})));
}

static int greet_challenge(tr__peer *peer, tr_val challenge)
{
    tr__auth *auth = peer->auth;
    tr_bytes nonce;
    if (greet_version(challenge, &auth->version) < 0)
        return refuse_version(peer);
    if (auth->challenged || tr_get_uint(challenge, "node", &auth->node) < 0 || auth->node == 0 ||
        tr_get_bin(challenge, "nonce", &nonce) < 0 || nonce.len != TR__NONCE_BYTES)
        return greet_refuse(peer, TR_EBADMSG, "not a challenge");
    if (auth->node == own_id(peer))
        return greet_refuse(peer, TR_EEXIST, "this node is here already");
    auth->challenged = true;
    memcpy(auth->theirs, nonce.ptr, TR__NONCE_BYTES);
    return peer->dialer == NULL ? 0 : say_proof(peer);
}

static int greet_proof(tr__peer *peer, tr_val given)
{
    uint8_t proof[TR__PROOF_BYTES];
    tr_bytes theirs;
    if (!peer->auth->challenged || tr_as_bin(given, &theirs) < 0 || theirs.len != TR__PROOF_BYTES)
        return greet_refuse(peer, TR_EBADMSG, "not a proof");
    int rc = prove(peer, false, proof);
    if (rc < 0)
        return rc;
    if (!tr__proof_same(proof, theirs.ptr))
        return greet_refuse(peer, TR_EACCES, "another secret");
    peer->auth->proven = true;
    tr__peer_met(peer);
    tr__link_sp_limit(peer->link, TR__FRAME_MAX);
    if (peer->dialer != NULL)
        return 0; // its hello is behind it
    rc = say_proof(peer);
    return rc < 0 ? rc : say_hello(peer);
}

// ---- Those that are not in ----

// Who connects costs memory and a descriptor until it has said who it is, or the time for that is
// over. The oldest ones go when there are too many: who means well is through soon.
static void unmet_add(tr__peer *peer)
{
    tr__remote *remote = peer->remote;
    if (remote->unmet_count >= UNMET_MAX)
        tr__unmet_drop(remote);
    tr__list_append(&remote->unmet, &peer->unmet);
    remote->unmet_count++;
}

void tr__peer_met(tr__peer *peer)
{
    if (tr__list_empty(&peer->unmet))
        return;
    tr__list_remove(&peer->unmet);
    peer->remote->unmet_count--;
}

void tr__unmet_drop(tr__remote *remote)
{
    if (tr__list_empty(&remote->unmet))
        return;
    tr__peer *oldest = tr__container(remote->unmet.next, tr__peer, unmet);
    if (!remote->crowded)
        tr__warn("peer.crowded",
                 "strangers=%u: too many that have not said who they are; the oldest go",
                 remote->unmet_count);
    remote->crowded = true;
    tr__peer_lost(oldest);
}

// ---- From outside ----

int tr__peer_greet(tr__peer *peer, const tr__envelope *e)
{
    bool guarded = peer->auth != NULL && !peer->auth->proven;
    if (guarded && e->kind == TR__CHALLENGE)
        return greet_challenge(peer, e->body);
    if (guarded && e->kind == TR__PROOF)
        return greet_proof(peer, e->body);
    if (guarded)
        return greet_refuse(peer, TR_EACCES, "no proof of the secret");
    if (e->kind != TR__HELLO)
        return greet_refuse(peer, TR_EBADMSG, "the first envelope is not a hello");
    return greet_hello(peer, e->body);
}

// At a path the system says who it is.
static int meet_cred(tr_endpoint *endpoint, bool *ret_tcp)
{
    tr_peer_cred cred = {0};
    int rc = endpoint->world->ops->endpoint_cred(endpoint, &cred);
    *ret_tcp = rc == TR_ENOSYS;
    if (*ret_tcp || (rc == 0 && cred.same_user))
        return 0;
    tr__warn("peer.refused", "pid=%lld error=TR_EACCES: another user", (long long)cred.pid);
    return TR_EACCES;
}

// Certificates will do where there is no secret.
static bool meet_is_proven(const tr__remote *remote, tr_endpoint *endpoint)
{
    tr_site site;
    return remote->outside->secret == NULL &&
           endpoint->world->ops->endpoint_site(endpoint, false, &site) == 0 && site.papers;
}

static void meet_from(tr__peer *peer, tr_endpoint *endpoint)
{
    tr_site site;
    tr_peer_cred cred;
    const tr_world_ops *ops = endpoint->world->ops;
    if (ops->endpoint_cred(endpoint, &cred) == 0)
        snprintf(peer->from, sizeof peer->from, "pid:%lld", (long long)cred.pid);
    else if (ops->endpoint_site(endpoint, true, &site) == 0)
        tr__site_print(&site, peer->from);
}

int tr__peer_meet(tr__remote *remote, tr_endpoint *endpoint, tr__dialer *dialer)
{
    bool tcp = false;
    tr__peer *peer = NULL;
    int rc = meet_cred(endpoint, &tcp);
    if (rc == 0)
        rc = tr__peer_new(remote, 0, &peer);
    if (rc < 0) {
        endpoint->world->ops->endpoint_close(endpoint);
        return rc;
    }
    meet_from(peer, endpoint);
    peer->dialer = dialer;
    bool proven = meet_is_proven(remote, endpoint);
    if (dialer == NULL)
        unmet_add(peer);
    rc = tr__peer_connect(peer, endpoint);
    if (rc == 0 && tcp && !proven)
        rc = say_challenge(peer);
    else if (rc == 0 && dialer == NULL)
        rc = say_hello(peer);
    if (rc < 0) {
        peer->dialer = NULL;
        tr__peer_free(&peer);
    } else {
        tr__dialer_meets(dialer, peer);
    }
    return rc;
}
