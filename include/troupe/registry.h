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

/* ---- Dead letters ---- */

/* Whether this actor hears of the dead letters of all loops of its node: a message named "dead
 * letter" from TR_NOBODY, which no actor can send, with
 *
 *     {"to": address, "from": address, "name": text, "why": error, "body": any}
 *
 * for each that an actor has sent. why is TR_ENOACTOR, TR_EDOWN, TR_EFULL, TR_EUNKNOWN or
 * TR_ENOMEM. A body above 64 KiB, or nested as deep as one may be, is left out (null). For what has
 * no room in the mailbox no message comes, nor for what was sent to this actor itself:
 * tr_node_dead_letters counts them all. errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_dead_letters(tr_actor *self, bool wanted);

#ifdef __cplusplus
}
#endif
#endif
