/* Links to other nodes: listening, dialling, and hearing of who is there.
 *
 *     tr_node_links(node, TR_LINKS(.secret = key, .secret_size = sizeof key));
 *     tr_node_listen(node, "tcp://0.0.0.0:7000");              on one host
 *     tr_node_dial(node, "tcp://one.example:7000", NULL);      on another one
 *
 * A link is a connection between two nodes. The actors of both can send to, ask, monitor and link
 * each other like those of one node, once they have each other's addresses: "node up" has that of
 * the other's first actor, and tr_whereis_at asks for one by name. What it is carried by, and who
 * is let in:
 *
 *     ipc:///path              a local socket; processes of the same user
 *     tcp://host:port          TCP; nodes that have the same secret: both prove it to each other,
 *                              without saying it, before anything else is heard. What is said
 *                              afterwards is not encrypted: write what you would on a postcard
 *     tls+tcp://host:port      TLS; nodes that show a certificate of the same authority, each to the
 *                              other. If they have a secret, they prove that as well
 *     wss://host:port/path     WebSocket in TLS, likewise: for where only HTTPS gets through
 *     ws://host:port/path      WebSocket; as TCP
 *     nng+ipc:///path          a local socket that libnng owns; as ipc
 *
 * All but the last are the node's own; OpenSSL's libssl is loaded when TLS is used first. The last
 * one is carried by libnng, which is loaded when it is used first, and then has threads of its own (13
 * on two processors): each way through them costs more than the node's own takes, as
 * docs/design/0015-schemes.md says in figures.
 *
 * A link that is lost is told at once: asks end with TR_EDOWN, monitors and links on the other's
 * actors with TR_REASON_NOCONNECTION, which says nothing of whether those live. What was sent and
 * has not arrived is gone, and never comes later: who dials again gets a new link with a higher
 * epoch, and nothing of the old one.
 *
 * Between two nodes there is one link at a time: if each dials the other one of both is closed.
 *
 * Links between a parent and its children are there without dialling, and so are those between the
 * children of one parent: the first time that one of those says something to an actor of another
 * one, whose address it has from wherever, the parent is asked for a link between them. What is said
 * meanwhile waits, as much as there is room for on a link; if there is no such child any more
 * messages become dead letters, asks end with TR_EDOWN, and monitors and links with
 * TR_REASON_NOCONNECTION. From then on the parent has nothing to do with it: not with what they say,
 * nor with when they say it. Nodes that are further off in a tree of processes are not met so.
 *
 * Links are the business of a node's first loop: what is called here for a node is called before it
 * runs, or in turns of that loop, and is TR_EINVAL in those of its other loops. */
#ifndef TROUPE_LINK_H
#define TROUPE_LINK_H

#include <troupe/ask.h>
#include <troupe/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TR_URL_MAX 320 /* bytes of a url, with its NUL */

typedef struct tr_link_opts {
    size_t size; /* set by TR_LINKS */

    /* What nodes must share that meet over TCP: 16 to 65536 bytes, that nobody can guess. NULL: no
     * TCP. */
    const void *secret;
    size_t secret_size;

    /* A node that nothing has come from for so long is taken for lost: a host that is off, a cable
     * that is cut, a process that is stopped or in an endless loop. Nodes tell each other how long
     * that is, and say something in time when they have nothing to say. 0: 5000; less than 100 counts
     * as 100 */
    uint32_t silence_ms;

    /* The behaviours that other nodes may start here (tr_spawn_at). NULL: none. The list is copied,
     * the behaviours are borrowed for the life of the node. */
    const tr_app *spawns;

    /* For urls with TLS: the certificate of the authority that signs those of all nodes, this
     * node's own certificate (with those that lead to the authority behind it), and its key, which
     * no password locks. Each is PEM text, or the path of a file with it. All or none. NULL: no
     * TLS. */
    const char *tls_ca;
    const char *tls_cert;
    const char *tls_key;

    /* The name that must be in the certificate of a node that is dialled. One for all nodes will
     * do. NULL: the host of the url, a name or an address in figures */
    const char *tls_name;
} tr_link_opts;
#define TR_LINKS(...) (&(const tr_link_opts){.size = sizeof(tr_link_opts), __VA_ARGS__})

/* How links are from now on. Call it before listening and dialling.
 * borrows: opts, until it returns; the secret is copied, and files are read
 * thread:  as tr_node_spawn
 * errors:  TR_EINVAL (a secret that is too short or too long, only some of TLS's three, an
 *          empty name; a turn on another loop, as below), TR_ETLS (what is no certificate, or no key
 *          of its own), a system error of a file, TR_ENOMEM */
TR_API int tr_node_links(tr_node *node, const tr_link_opts *opts);

typedef struct tr_dial_opts {
    size_t size; /* set by TR_DIAL */

    /* How long to wait before dialling again: backoff_min_ms after the first failure, twice as long
     * after each further one, but no longer than backoff_max_ms; of which a random part, up to a
     * half, is taken off. A link that has lived for a second begins at the least again.
     * 0: 100 and 30000 */
    uint32_t backoff_min_ms;
    uint32_t backoff_max_ms;
} tr_dial_opts;
#define TR_DIAL(...) (&(const tr_dial_opts){.size = sizeof(tr_dial_opts), __VA_ARGS__})

/* Have a link to the node that listens at this url, and again whenever it is lost, until the node
 * ends or tr_node_undial. That it cannot be had is a warning (tr_log_set) with the id
 * "node.unreachable", once until it has been there.
 * borrows: url, opts (NULL: all defaults), until it returns
 * thread:  as tr_node_spawn
 * errors:  TR_EINVAL (not a url, one that needs a secret or certificates, or an option),
 *          TR_ENAMETOOLONG, TR_EEXIST (it is dialled already), TR_ENOMEM */
TR_API int tr_node_dial(tr_node *node, const char *url, const tr_dial_opts *opts);

/* Never mind; the link is closed, if it is there.
 * thread: as tr_node_spawn
 * errors: TR_EINVAL, TR_ENOENT (it is not dialled) */
TR_API int tr_node_undial(tr_node *node, const char *url);

/* Where the node listens, with its true port: of the tr_node_listen that was the nth, from 0.
 * thread: as tr_node_spawn
 * errors: TR_EINVAL, TR_ENOENT */
TR_API int tr_node_url(const tr_node *node, size_t n, char url[TR_URL_MAX]);

/* Whether this actor hears of the nodes that are dialled or have dialled this one: a message from
 * TR_NOBODY, named
 *
 *     "node up"     {"node": id, "name": text, "epoch": number, "addr": its first actor}
 *     "node down"   {"node": id, "name": text, "epoch": number, "why": error}
 *
 * first for all that are there, then whenever one comes or goes; up and down of a node alternate.
 * Between two of the same node the epoch grows. why is TR_EDOWN when the other side has closed the
 * link or died, TR_ETIMEDOUT when it was silent or did not read, or how it broke the protocol. What
 * the mailbox has no room for is lost. Parents and children are not told of here: monitor them.
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_node_watch(tr_actor *self, bool wanted);

/* Ask another node who has a name there. The answer's body is the address; its status TR_ENOENT
 * when nobody has it.
 * returns: as tr_ask; TR_EDOWN: there is no link to that node */
TR_API int tr_whereis_at(tr_actor *self, uint64_t node, const char *name, const tr_ask_opts *opts,
                         uint64_t *ret_ask, tr_answered cb, void *arg);

/* Start an actor on another node, which has listed its behaviour under this name. Its parent is
 * this actor, but it belongs to nobody: it ends when it likes, or is asked to (tr_stop), and its
 * node runs until it has. The answer's body is its address; its status TR_EREFUSED when the node
 * has not listed the behaviour, or why it could not be spawned.
 * borrows: behavior, args
 * returns: as tr_ask; TR_EDOWN: there is no link to that node */
TR_API int tr_spawn_at(tr_actor *self, uint64_t node, const char *behavior, tr_val args,
                       const tr_ask_opts *opts, uint64_t *ret_ask, tr_answered cb, void *arg);

#ifdef __cplusplus
}
#endif
#endif
