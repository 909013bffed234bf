/* Names and groups: finding each other without passing addresses around, and dead letters.
 *
 * A name is one actor's, a group is any number of them. Names are of one node, that is, of one
 * process: each has its own. Groups reach over the links between parents and children, and so over
 * the whole tree of processes.
 *
 * Names and groups are text of 1 to TR_NAME_MAX bytes. As in actor.h, `self` is the actor whose
 * turn it is. */
#ifndef TROUPE_REGISTRY_H
#define TROUPE_REGISTRY_H

#include <troupe/actor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Names ----
 *
 * One table for all loops of a node: a call takes effect at one moment, for all of them. A name
 * goes when its actor ends, and before anybody handles the down of it: who hears that an actor has
 * ended may give its name to another one. tr_spawn_opts.name gives one to an actor from its
 * beginning, whatever its isolation; while tr_spawn is at it the name is taken, but nobody has it.
 */

/* Give this actor a name. It may have any number.
 * errors: TR_EINVAL, TR_EEXIST (somebody has it, perhaps this actor), TR_ENOMEM */
TR_API int tr_register(tr_actor *self, const char *name);

/* Give the name up.
 * errors: TR_EINVAL, TR_ENOENT (it is not this actor's) */
TR_API int tr_unregister(tr_actor *self, const char *name);

/* gives:  *ret_addr
 * errors: TR_EINVAL, TR_ENOENT (nobody has it) */
TR_API int tr_whereis(const tr_actor *self, const char *name, tr_addr *ret_addr);

/* Send to whoever has the name now.
 * returns: as tr_send; TR_ENOENT: nobody has it */
TR_API int tr_send_name(tr_actor *self, const char *name, const char *msg_name, tr_val body);

/* Monitor whoever has the name: as tr_monitor of that actor, with TR_REASON_NOACTOR at once when
 * nobody has it.
 *
 * With follow the monitor stays: an "up" message (see tr_msg_up) tells who has the name, at once if
 * somebody has it and again whenever somebody gets it; a "down" message tells of the end of that
 * actor. They alternate and carry the same monitor. A holder that gives the name up is watched
 * until it ends, and one that comes and goes before its predecessor's end is told is passed over.
 *
 * tr_demonitor ends both kinds.
 * gives:  *ret_monitor; may be NULL
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_monitor_name(tr_actor *self, const char *name, bool follow, uint64_t *ret_monitor);

/* The notice that addr has the name that monitor follows (its reason says nothing), or NULL for any
 * other message: nobody can send a false one. */
TR_API const tr_down *tr_msg_up(const tr_msg *msg);

/* ---- Groups ----
 *
 * A group is there as long as it has members. An actor leaves its groups when it ends.
 *
 * A publication goes to every member: to those of this node at once, whatever their loop; and over
 * each link to a parent or child behind which there are members, once, however many they are: so
 * all processes of a tree hear each other. (Between processes that are neither parent and child nor
 * children of one parent there is no link: who hears a publication of another one's may not be able
 * to answer it.)
 *
 * Nodes tell each other whether they have members; until that has arrived, what is published
 * elsewhere does not come to a new one. It arrives before what the member sends there afterwards.
 *
 * Each member gets what one actor publishes in that order, and in order with what that actor sends
 * to it, unless that has to wait for room on a link of another loop, or goes to another child of
 * its parent: to that it has a link, and publications go by the parent. */

/* Become a member. An actor that publishes to its own group hears itself.
 * errors: TR_EINVAL, TR_EEXIST (it is one), TR_ENOMEM */
TR_API int tr_join(tr_actor *self, const char *group);

/* errors: TR_EINVAL, TR_ENOENT (it is no member) */
TR_API int tr_leave(tr_actor *self, const char *group);

/* The members on this node, in the order in which they have joined: at most max of them into addrs,
 * which may be NULL when max is 0.
 * returns: how many there are, which may be more than max */
TR_API size_t tr_members(const tr_actor *self, const char *group, tr_addr *addrs, size_t max);

/* Send a message to every member. The body is packed once, and from 1 KiB on shared by all.
 *
 * No member can make it fail, nor hold it up. One whose mailbox is full loses it, or by its policy
 * older ones; where there is no room on the way to another loop or node, all members there do. Each
 * of these is one dead letter, in the latter cases addressed to the node (actor 0).
 * returns: 0, also when there is no member; TR_EINVAL, TR_ETOODEEP, TR_ETOOBIG, TR_ENOMEM: then
 *          nobody gets it */
TR_API int tr_publish(tr_actor *self, const char *group, const char *name, tr_val body);

/* The same with a message made by hand.
 * moves:   *msg
 * returns: 0; TR_EINVAL */
TR_API int tr_publish_msg(tr_actor *self, const char *group, tr_msg **msg);

/* ---- Dead letters ---- */

/* Whether this actor hears of the dead letters of all loops of its node: a message named "dead
 * letter", from TR_NOBODY, with
 *
 *     {"to": address, "from": address, "name": text, "why": error, "body": any}
 *
 * for each that an actor has sent. why is TR_ENOACTOR, TR_EDOWN, TR_EFULL, TR_EUNKNOWN, TR_ENOMEM,
 * or what tr_refuse said. A body above 64 KiB, or nested as deep as one may be, is left out (null).
 * None comes when the mailbox is full, nor for what was sent to this actor itself:
 * tr_node_dead_letters counts them all.
 *
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_dead_letters(tr_actor *self, bool wanted);

#ifdef __cplusplus
}
#endif
#endif
