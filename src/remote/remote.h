// The structures of a node's outside: its peers, what flows between them, its children. Each loop
// has its own: a child belongs to the loop that has spawned it, strangers and the parent to the
// first one.
//
// peer.c      another node at the other end of a link: handshake, dispatch, monitors
// flow.c      windows and credits: how much may be on the way to an actor
// pieces.c    large messages are cut, so that others pass them
// greet.c     what is said first: hello, and the proof of a shared secret (secret.c)
// beat.c      a peer that is silent, or does not read, is lost
// asked.c     what another node asks of this one itself
// child.c     processes that this node has started, until they are reaped
// pulse.c     whether one of them hangs
// parent.c    being such a process
// listen.c    letting strangers in
// dial.c      being the stranger, again and again
// groups.c    groups that have members on both sides of a link
// handed.c    handles that go over a link, and come back
// introduce.c children that are to have a link to each other
// sibling.c   being one of those
// relay.c     what goes to a peer of another loop
// route.c     the table that the core calls, and the end of a node
#ifndef TROUPE_REMOTE_REMOTE_H
#define TROUPE_REMOTE_REMOTE_H

#include "core/node.h"
#include "core/site.h"
#include "core/transport.h"
#include "remote/envelope.h"
#include "remote/link.h"
#include "remote/secret.h"

typedef struct tr__remote tr__remote;
typedef struct tr__peer tr__peer;
typedef struct tr__child tr__child;
typedef struct tr__dialer tr__dialer;
typedef struct tr__auth tr__auth;

// ---- Flows (flow.c) ----

// What one actor here has got from a peer, and how much of it is consumed and not yet credited. It
// outlives the peer and the actor while there are messages in the mailbox.
typedef struct tr__inflow {
    tr__peer *peer; // NULL: gone
    uint64_t actor;
    uint32_t held; // messages in the mailbox
    uint64_t held_bytes;
    uint32_t owed; // messages consumed and not credited
    uint64_t owed_bytes;
    uint32_t credit_messages, credit_bytes; // credit when so much is owed
    bool wanted;                            // credit at the first chance
    bool gone;                              // the actor has ended
    tr__watcher watcher;                    // in the actor's watchers
    tr__list crediting;                     // in the peer's crediting
} tr__inflow;

int tr__outflow_take(tr__peer *peer, uint64_t actor, size_t weight, tr__window **ret_window);
int tr__outflow_credit(tr__peer *peer, const tr__envelope *e);
void tr__outflows_drop(tr__peer *peer);

// Count a message that has arrived; actor NULL: there is none. errors: TR_ENOMEM; TR_EFULL: the
// peer sends without credit
int tr__inflow_take(tr__peer *peer, uint64_t id, tr_actor *actor, tr_msg *msg);
void tr__inflow_consumed(tr__inflow *flow, uint32_t weight);
void tr__inflows_want(tr__peer *peer);
int tr__inflows_credit(tr__peer *peer); // append the credits that are due to the peer's frame
void tr__inflows_drop(tr__peer *peer);

// ---- Peers (peer.c) ----

typedef struct tr__beat {
    tr__timer timer;
    uint64_t due, period;
    bool both;            // the peer says something in time, and wants to hear something
    uint64_t heard, told; // of the link, when they were looked at and had changed:
    uint64_t heard_at, told_at;
    uint64_t given; // to the link by the last time
} tr__beat;

struct tr__peer {
    tr__remote *remote;
    tr__list link_in_remote; // remote->peers
    tr__list dirty;          // in remote->dirty: there is something to flush
    tr__list unmet;          // in remote->unmet
    tr__link *link;          // NULL: down
    tr__frame *frame;        // being filled; NULL: nothing to send
    uint64_t node;           // 0: not known yet
    tr__child *child;        // the peer is its process; NULL: a stranger, the parent or a sibling
    bool greeted;            // its hello has come and was good
    bool said_bye;           // it has
    bool wants;              // a WANT is on its way
    bool broken;             // something that must be told could not be: close at the next flush
    bool read_out;           // the link is lost, after all that was written to it had been read
    tr_reason bye;
    int why;                   // the link is lost, or will be
    tr__timer handshake;       // a stranger that says nothing is dropped
    tr__dialer *dialer;        // that has dialled it; NULL: none
    tr__auth *auth;            // what has come of the challenge; NULL: there is none
    uint64_t version;          // of the protocol
    uint64_t their_epoch;      // the number of the link among those that it has dialled
    tr__far_node far;          // a stranger as actors know it
    char from[TR_ADDRESS_MAX]; // where it is, for people
    tr__beat beat;
    tr__windows outflows; // what has been sent to its actors
    tr__map inflows;      // by actor
    tr__inflow *last_in;
    uint64_t held;      // bytes from it in mailboxes here,
    uint64_t held_over; // what each actor has above one window
    tr__list crediting;
    tr__list watched; // tr__watcher: who of ours wants to hear of its actors
    uint64_t next_ref;
    tr__map watches;      // by ref: those of them that it has been asked for
    tr__map watchers;     // by ref: its monitors on our actors
    tr__map joined;       // groups with members at its side, by id
    tr__map told;         // groups that it knows to have members on this side, likewise
    uint64_t groups_seen; // what it has not been told of has changed later
    bool publishes;       // what is being published has come from it

    bool takes_pieces;  // its hello has said so
    tr__list line;      // what does not go into `frame`, in the order of sending
    tr__list going;     // those of them that are on the way in pieces: in turn
    size_t going_bytes; // their sizes
    unsigned going_count;
    bool line_moved;     // there may be more that can go
    bool leaves;         // the end of the link is the end of the line
    uint64_t last_piece; // the number of the last one that was cut
    tr__timer pump;      // the link takes more than it is given in one iteration
    tr__list comings;    // those that come in pieces
    size_t coming_bytes; // their sizes
    unsigned coming_count;

    bool sibling;     // another child of the parent
    tr__link *coming; // of one whose hello has not come yet: then it is `link`
    uint64_t number;  // of the introduction that its link has come from; 0: none, or no sibling
    bool meets;       // a child or the parent: its hello knows of introductions
    tr__list wanted;  // a child: introductions to it that wait for its hello
    bool parted;      // bye has been said to it

    bool local;             // a child, the parent or a sibling: handles may go over the link
    bool takes_none;        // its hello has said so
    uint64_t handed_last;   // the number of the last message with handles that it was sent
    uint64_t handed_first;  // none before this one is kept
    tr__map handed;         // by that: tr_msg, as long as nobody has taken them
    tr__envelope announced; // of the message that comes next. handle_count 0: nothing
    tr__list gates;         // tr__gate, of what it has lent
    tr__list holds;         // tr__gate, of what others have lent and goes on to it
};

int tr__peer_new(tr__remote *remote, uint64_t node, tr__peer **ret_peer);
int tr__peer_watch(tr__peer *peer, uint64_t actor, tr__watcher *watcher); // as tr__watch
// moves: endpoint, always
int tr__peer_connect(tr__peer *peer, tr_endpoint *endpoint);
void tr__peer_free(tr__peer **peer); // closes the link; monitors left are told no connection
// Its process is gone: handle what it has left to be read. returns: whether all it ever said is known
bool tr__peer_drain(tr__peer *peer);
tr__peer *tr__peer_find(tr__remote *remote, uint64_t node); // one that messages can be sent to
// The frame to append to; NULL: no memory, or the link is down.
tr__frame *tr__peer_frame(tr__peer *peer);
bool tr__peer_frame_full(const tr__frame *frame); // nothing more is to be appended
// Something has been appended to a frame: if it is the peer's, and full, it is sent.
void tr__peer_frame_filled(tr__peer *peer, const tr__frame *frame);
int tr__peer_post_in(tr__peer *peer, tr__frame *frame, tr_val envelope); // NULL: no memory
// Append an envelope. Without memory the link is given up: no notice is lost in silence.
int tr__peer_post(tr__peer *peer, tr_val envelope);
void tr__peer_dirty(tr__peer *peer); // it is to be flushed
void tr__peer_flush(tr__peer *peer);
// Say bye and close a stranger's link. The peer is freed.
void tr__peer_leave(tr__peer *peer);
// Into its frame. returns: as tr_send
int tr__peer_send(tr__peer *peer, const tr__letter *letter);
// Something that must be told could not be: give it up at the next flush.
void tr__peer_break(tr__peer *peer);
// Tell the reason (text for people) and close. A stranger is freed.
void tr__peer_refuse(tr__peer *peer, int error, const char *text);
// The link is lost: nothing can be sent or received any more.
void tr__peer_lost(tr__peer *peer);
// All monitors on its actors. remains: its process's; NULL: not known
void tr__peer_fire(tr__peer *peer, tr_reason reason, const tr__remains *remains);
// As tr__signal_send; the signal stays the caller's.
int tr__peer_signal(tr__peer *peer, const tr__signal *signal);

// ---- Large messages (pieces.c) ----

// From whom to whom something is, of what has to stay in order: actors' ids; TR__ANY: of all.
typedef struct tr__pair {
    uint64_t from, to;
} tr__pair;
#define TR__ANY UINT64_MAX

// As tr__peer_frame, for an envelope that must not overtake what there is of that pair, and has
// about so many bytes.
tr__frame *tr__peer_frame_for(tr__peer *peer, tr__pair pair, size_t size);
int tr__peer_post_for(tr__peer *peer, tr__pair pair, tr_val envelope); // as tr__peer_post
void tr__peer_pump(tr__peer *peer);           // give the link some of what waits, if it takes it
void tr__peer_drained(tr__peer *peer);        // the link may have nothing left to write
void tr__peer_line_let_go(tr__peer *peer);    // the first frame there that is held
size_t tr__peer_queued(const tr__peer *peer); // bytes that have not left
void tr__peer_finish(tr__peer *peer);         // no more will be sent
// A piece has come. gives: *ret_whole, NULL: it is not whole
// errors: TR_EBADMSG, TR_ETOOBIG, TR_EFULL (too many at a time), TR_ENOMEM
int tr__peer_piece(tr__peer *peer, const tr__envelope *e, tr_buf **ret_whole);
void tr__peer_pieces_drop(tr__peer *peer);

// ---- Siblings: the parent's part (introduce.c), and theirs (sibling.c) ----

int tr__peer_introduce(tr__peer *peer, const tr__envelope *e); // a child asks for another one
void tr__peer_introductions(tr__peer *peer); // those that wait for its hello, or for its end

// What waits in its frames has not left: nobody is known to be there.
static inline bool tr__sibling_waits(const tr__peer *peer)
{
    return peer->sibling && !peer->greeted;
}

// A peer to say something to, until the parent says that there is none.
// errors: TR_EDOWN (there is none, or no parent that would know), TR_ENOMEM
int tr__sibling_seek(tr__remote *remote, uint64_t node, tr__peer **ret_peer);
int tr__sibling_met(tr__peer *parent, const tr__envelope *e);
void tr__sibling_unknown(tr__peer *parent, const tr__envelope *e);
void tr__sibling_greeted(tr__peer *peer);      // what waits may leave
void tr__sibling_bury(tr__peer *peer);         // it never will
void tr__sibling_hands(tr__peer *peer);        // its link is lost: whose handles are, see there
void tr__siblings_give_up(tr__remote *remote); // those that the parent has not answered for

// ---- Handles (handed.c) ----

bool tr__peer_carries(const tr__peer *peer);                          // handles may be sent to it
size_t tr__handed_bufs(const tr_msg *msg, tr_buf *bufs[TR_BUFS_MAX]); // with its handles' bytes
// Into the frame, in front of the message that carries them; when that is there, too, it is handed
// over, or it is undone. errors: TR_ENOMEM
int tr__peer_hand(tr__peer *peer, tr__frame *frame, const tr__letter *letter);
bool tr__peer_hand_waits(const tr__peer *peer, const tr_msg *msg); // the frame will be held
void tr__peer_hand_undo(tr__peer *peer);
void tr__peer_handed(tr__peer *peer, const tr__letter *letter); // moves: *letter->carrier
int tr__peer_announced(tr__peer *peer, const tr__envelope *e);
int tr__peer_taken(tr__peer *peer, const tr__envelope *e);
int tr__peer_returned(tr__peer *peer, const tr__envelope *e);
void tr__peer_handed_return(tr__peer *peer, int why); // all that is left
// The process is gone. known: all that it had said is; otherwise it may have taken what is left,
// which is closed and a dead letter.
void tr__peer_handed_end(tr__peer *peer, bool known);
void tr__peer_handed_drop(tr__peer *peer); // to nobody
// Give a message the handles that were announced. bytes: what those have that have some.
// *ret_lost: not all have come in
int tr__peer_claim(tr__peer *peer, const tr__envelope *announced, tr_buf *const *bytes, tr_msg *msg,
                   bool *ret_lost);
void tr__peer_cargo_done(tr__peer *peer, const tr_msg *msg);     // consumed. peer: NULL: gone
int tr__remote_taken(tr_loop *loop, const tr__receipt *receipt); // as of a tr__route
int tr__remote_await(tr_loop *loop, tr__gate *gate);             // likewise
void tr__peer_holds_drop(tr__peer *peer);                        // the link is lost
void tr__peer_gates_mark(tr__peer *peer);                        // its frame has just been sent
void tr__peer_gates_open(tr__peer *peer);                        // those whose time has come
void tr__peer_gates_shut(tr__peer *peer);                        // the link is lost
// ---- Greeting (greet.c), and staying in touch (beat.c) ----

// A stranger is at the other end: one that dialler has dialled, or (NULL) that has dialled us.
// moves:  endpoint, always
// errors: TR_EACCES (another user's), TR_ENOMEM: then there is no peer
int tr__peer_meet(tr__remote *remote, tr_endpoint *endpoint, tr__dialer *dialer);
// An envelope of a peer that has not been greeted, or a hello. On an error the peer is gone.
int tr__peer_greet(tr__peer *peer, const tr__envelope *e);
void tr__peer_met(tr__peer *peer);       // it is none of the unmet any more
void tr__unmet_drop(tr__remote *remote); // the oldest of them, to make room for others
void tr__peer_asked(tr__peer *peer, const tr__envelope *e, tr_val body); // of the node: asked.c
void tr__peer_beat_start(tr__peer *peer, tr_val hello);

// ---- Dialling (dial.c) ----

void tr__dialer_meets(tr__dialer *dialer, tr__peer *peer);
void tr__dialer_up(tr__dialer *dialer); // its peer is greeted. NULL: no-op, as below
void tr__dialer_lost(tr__dialer *dialer, int why);
bool tr__dialer_quiet(const tr__dialer *dialer); // what goes wrong has been told
int tr__remote_dial(tr_node *node, const char *url, const tr_dial_opts *opts);
int tr__remote_undial(tr_node *node, const char *url);
void tr__dialers_close(tr__remote *remote);

// ---- Urls of transports (carry.c) ----

// Whether it is one: 1, or 0. errors: TR_EINVAL (it needs a secret, or certificates)
int tr__carried(const tr__remote *remote, const char *url);
// Of one that is: as tr__remote_sites.
int tr__carry_sites(const tr__remote *remote, const char *url, tr_site ret_sites[TR__SITES_KNOWN]);
int tr__carry_connect(tr__remote *remote, const char *url, const tr_site *site,
                      tr_endpoint **ret_endpoint);
int tr__carry_listen(tr__remote *remote, const char *url, const tr_listener_up *up, void *owner,
                     tr_listener **ret_listener);
size_t tr__carry_queued(const tr__remote *remote); // bytes that the close would throw away
void tr__carry_close(tr__remote *remote);

// What tr_node_links is given. errors: TR_EINVAL (not all of them), TR_ETLS (they are no
// certificates, or the key is another's), system errors of their files, TR_ENOMEM
int tr__papers_read(const tr_link_opts *opts, tr__papers *ret_papers);
void tr__papers_clear(tr__papers *papers);

// ---- Groups (groups.c) ----

#define TR__PEER_GROUPS_MAX 65536u // that one side of a link may tell of

void tr__peers_tell_groups(tr__remote *remote);                            // what has changed
int tr__peer_group(tr__peer *peer, const tr__envelope *e);                 // joins, or leaves
int tr__peer_publish(tr__peer *peer, const tr__envelope *e, tr_msg **msg); // moves, on success
void tr__peer_groups_drop(tr__peer *peer);

// ---- Children (child.c) ----

typedef enum tr__child_stage {
    TR__CHILD_RUNS,
    TR__CHILD_ASKED, // to shut down, or it has said bye
    TR__CHILD_TERMED,
    TR__CHILD_KILLED,
} tr__child_stage;

typedef struct tr__pulse tr__pulse;

struct tr__child {
    tr__remote *remote;
    tr__list link_in_remote; // remote->children
    tr__owned owned;         // in the spawner's; itself when that has ended
    tr__peer *peer;
    tr__process *process;
    uint64_t spawner;
    tr_endpoint *ends[TR__ENDS]; // of its descriptors, that nobody has taken; NULL: none
    tr__timer timer;             // the next step of stopping
    tr__child_stage stage;
    uint64_t stop_ns, term_ns;
    tr__pulse *pulse; // NULL: nobody wants to know whether it hangs
};

int tr__child_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                    const tr_spawn_opts *opts, tr_addr *ret_addr);
tr_endpoint **tr__child_end(tr_actor *self, tr_addr addr, int fd); // as of a tr__route
int tr__child_pid(tr_actor *self, tr_addr addr, int64_t *ret_pid); // likewise
void tr__child_stop(tr__child *child);
void tr__child_kill(tr__child *child);
void tr__child_lost(tr__child *child); // its link is
void tr__child_free(tr__child *child); // one that still lives is killed

// ---- The pulses of children (pulse.c) ----

#define TR__PULSE_ENV "TROUPE_PULSE"         // in a child's environment: "4:MS"
uint32_t tr__pulse_wanted(const char *text); // that MS; NULL, or something else: 0

// Listen to a child's, and kill it when it hangs.
// moves:  endpoint, always
// errors: TR_ENOMEM
int tr__pulse_new(tr__child *child, tr_endpoint *endpoint, uint32_t hung_ms);
void tr__pulse_free(tr__pulse **pulse);             // no-op on NULL
const char *tr__pulse_hung(const tr__pulse *pulse); // how it hung, as in tr_down; "": it did not

// ---- Being a child (parent.c) ----

// What the parent's hello says.
int tr__parent_greeted(tr__remote *remote, tr_val hello);
void tr__parent_lost(tr__remote *remote);

// ---- Peers of other loops (relay.c) ----

int tr__relay_send(tr_loop *loop, tr_loop *through, const tr__letter *letter);
int tr__relay_stop(tr_loop *loop, tr_loop *through, tr_addr addr);
tr__list *tr__relay_waiters(tr_loop *loop, tr_addr to);
// Something that must not overtake what one of our actors has sent to a node: whether that waits
// for room here. Then go is called when it does no more, and asks again.
typedef struct tr__behind {
    tr__list link;
    void (*go)(struct tr__behind *behind); // unlinked before the call
} tr__behind;
bool tr__relays_behind(tr__remote *remote, uint64_t node, tr_addr from, tr__behind *behind);
void tr__relays_drop(tr__remote *remote); // those that wait here are dead letters

// ---- A node with an outside (route.c) ----

#define TR__STRANGE    64u // nodes that are known to be no siblings
#define TR__TRANSPORTS 2   // at most

// What the loops of a node share.
typedef struct tr__outside {
    const tr_app *app;            // NULL: none
    const char *program;          // argv[0] for children of the same program
    const char *const *child_env; // for every child; NULL: none
    uint64_t flush_ns;
    uint64_t silence_ns;
    const tr__transport *const *transports; // NULL behind the last one
    tr__papers papers;                      // its own; NULL in them: none
    uint8_t *secret;                        // NULL: none, and no TCP
    size_t secret_size;
    const tr_behavior **spawns; // that other nodes may start
    size_t spawn_count;
    tr__lock lock;
    tr__map where; // by node: the tr_loop of its peer. Under the lock, as what follows
    bool meets;    // the parent makes links to siblings
    uint64_t strange[TR__STRANGE]; // the last ones that were found to be none, or not any more
    size_t strange_at;
} tr__outside;

// The last stranger that was told of for what it did wrong.
typedef struct tr__blamed {
    int error; // 0: there was none
    uint64_t at;
    char host[TR_ADDRESS_MAX];
} tr__blamed;

struct tr__remote {
    tr_loop *loop;
    tr__outside *outside;
    tr__list peers, children, listeners, dialers, dirty;
    tr__carriage *carriages[TR__TRANSPORTS]; // of those; NULL: it was not wanted yet
    uint64_t epochs;                         // links to strangers so far
    uint64_t introductions;                  // of children so far, on the first loop
    uint64_t introduced; // the number of the last one that this node has heard of
    uint64_t given_up;   // the highest one of a link to a sibling that was closed here
    tr__blamed blamed;
    tr__list unmet; // peers that came and have proven, or said, nothing yet: the oldest first
    unsigned unmet_count;
    bool crowded;        // that there were too many of them has been told
    tr__map nodes;       // peers by node
    tr__peer *parent;    // NULL: none
    tr__peer *last_peer; // found by the last send
    tr__map relays;      // what others have sent through this one and waits for room, by relay_key
    tr__timer deadline;  // the end waits no longer for what has not left
    enum { TR__OPEN, TR__STOPPING, TR__LEAVING, TR__LATE } stage;
};

typedef struct tr__remote_opts {
    uint64_t id; // 0: a random one
    const char *name;
    const char *path; // of the program, for tr_node_program; NULL: not known
    const tr_app *app;
    const char *program;
    const char *const *child_env; // NULL-terminated; NULL: none
    uint32_t flush_ms;
    uint32_t loops; // that share the actors; 0: 1
    // Of links whose urls the world does not know. NULL-terminated; NULL: none
    const tr__transport *const *transports;
} tr__remote_opts;

// A node with an outside, in this world.
// moves: *world, always: on an error it is closed
int tr__remote_open(const tr__remote_opts *opts, tr_world **world, tr_node **ret_node);

// The same, as the child at the other end of the endpoint: its parent says which behaviour runs.
// moves: *world and endpoint, always
int tr__remote_open_child(const tr__remote_opts *opts, tr_world **world, tr_endpoint *endpoint,
                          tr_node **ret_node);

#define TR__SILENCE_MS     5000u
#define TR__SILENCE_MIN_MS 100u // less counts as this: each has a timer that fires all the time
int tr__remote_links(tr_node *node, const tr_link_opts *opts);
void tr__outside_forget(tr__outside *outside);                  // what that has set
tr_loop *tr__outside_find(tr__outside *outside, uint64_t node); // NULL: nobody has a link to it
void tr__outside_meets(tr__outside *outside, bool meets);
void tr__outside_remember(tr__outside *outside, uint64_t node); // that it is none
bool tr__outside_seeks(tr__outside *outside, uint64_t node);    // the parent may know it
// returns: how many sites a url stands for; 0: its host is a name. TR_EINVAL, TR_ENAMETOOLONG
int tr__remote_sites(const tr__remote *remote, const char *url, tr_site ret_sites[TR__SITES_KNOWN]);
int tr__remote_listen(tr_node *node, const char *url);
int tr__remote_url(const tr_node *node, size_t n, char url[TR_URL_MAX]);
void tr__listeners_close(tr__remote *remote);

const tr_behavior *tr__remote_behavior(const tr__remote *remote, tr_str name);

// Have messages to this node found. errors: TR_EEXIST, TR_ENOMEM
int tr__remote_know(tr__remote *remote, uint64_t node, tr__peer *peer);
void tr__remote_forget(tr__remote *remote, uint64_t node);

#endif
