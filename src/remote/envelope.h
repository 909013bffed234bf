// Envelopes: what a frame consists of, one msgpack list after another (docs/protocol.md).
#ifndef TROUPE_REMOTE_ENVELOPE_H
#define TROUPE_REMOTE_ENVELOPE_H

#include <troupe/handle.h>

#include "core/route.h"
#include "remote/frame.h"

#define TR__PROTOCOL       1 // the newest version that this node speaks
#define TR__PROTOCOL_LEAST 1 // the oldest one

// The dots at the end: perhaps [bytes, ...] of attached buffers, and then perhaps its place in a
// trace, an extension of 25 bytes. docs/protocol.md says more.
typedef enum tr__kind {
    TR__HELLO,     // [0, {...}]: the first one, both ways
    TR__MESSAGE,   // [1, to, from, name, body, ...]
    TR__CREDIT,    // [2, actor, messages, bytes]: so much sent to it has been consumed
    TR__WANT,      // [3]: a send was refused: credit, please
    TR__MONITOR,   // [4, actor, ref]
    TR__DEMONITOR, // [5, ref]
    TR__DOWN,      // [6, ref, reason, code, core]: answers a monitor, once
    TR__STOP,      // [7, actor]: ask it to shut down
    TR__BYE,       // [8, reason, code, core]: the node is done; why its first actor was
    TR__REFUSE,    // [9, error, text]: the handshake failed
    TR__ASK,       // [10, to, from, name, body, ask, left, ...]
    TR__ANSWER,    // [11, to, from, ask, status, reason, code, core, body, ...]
    TR__LINK,      // [12, actor, from, mine]: link two actors
    TR__UNLINK,    // [13, actor, from, mine, yours]: this link is not wanted any more
    TR__EXIT,      // [14, actor, from, mine, yours, reason, code, core]: a linked one has ended
    TR__KILL,      // [15, actor]: end it at once
    TR__JOIN,      // [16, group]: there are members at this side
    TR__LEAVE,     // [17, group]: there are none any more
    TR__PUBLISH,   // [18, group, from, name, body, ...]
    TR__HANDLES,   // [19, ref, [whether, ...]]: the next message has so many; whether with bytes
    TR__TAKEN,     // [20, ref]: a handler has taken what came so
    TR__RETURNED,  // [21, ref, error]: no handler will: it has gone back
    TR__CHALLENGE, // [22, {...}]: before a hello over TCP, both ways
    TR__PROOF,     // [23, bytes]: answers a challenge
    TR__BEGIN,     // [24, number, size, bytes]: the first piece of an envelope of that size
    TR__MORE,      // [25, number, bytes]: the next piece of it
    TR__INTRODUCE, // [26, node, last]: to the parent: a link to this other child, please
    TR__MEET,      // [27, node, number, last]: from it, with one end of that link
    TR__UNKNOWN,   // [28, node, error]: from it: there will be none
    TR__KINDS
} tr__kind;

typedef struct tr__envelope {
    uint64_t kind;
    uint64_t actor;        // whom it is for or about
    uint64_t node;         // introduce, meet, unknown: of the other child
    tr_addr from;          // message, ask, answer; node 0: of the peer's
    uint64_t ref;          // monitor, demonitor, down, handles, taken, returned; ask, answer: the
                           // ask; link, unlink, exit: of the wish of who sends it; begin, more;
                           // meet: its number
    uint64_t last;         // introduce, meet: the number of the last meet that who asks has got
    uint64_t yours;        // unlink, exit: of who gets it
    uint64_t left_us;      // ask: the time that is left to answer it
    uint64_t messages;     // credit
    uint64_t bytes;        // credit; begin: the size
    tr_reason reason;      // down, bye, answer, exit
    int64_t error;         // refuse, returned, unknown; answer: its status
    tr_str text;           // message, ask, publish: its name; refuse
    tr_str group;          // join, leave, publish
    tr_val body;           // hello, challenge, proof
    const uint8_t *packed; // message, ask, answer: the body's bytes
    size_t packed_size;
    tr_bytes bufs[TR_BUFS_MAX]; // message, ask, answer, publish; begin, more: one
    size_t buf_count;
    bool with_bytes[TR_HANDLES_MAX]; // handles
    size_t handle_count;
    tr__trace_at trace; // message, ask, answer, publish: span is its parent; low 0: none
} tr__envelope;

// Read the envelope at the front of bytes, checking all of it. Views into bytes. Of a kind that is
// not known only the kind is set; items after those that are known are passed over.
// returns: 0; TR_EBADMSG, TR_ETOODEEP; *ret_used: the bytes it took
int tr__envelope_read(const uint8_t *bytes, size_t size, tr__envelope *ret_envelope,
                      size_t *ret_used);

// Append a message, or an ask with so many microseconds left. node: this one. body_size: from
// tr__doc_size.
// errors: TR_ENOMEM (the frame is then of no use)
int tr__envelope_put_message(tr__frame *frame, const tr__letter *letter, uint64_t node,
                             uint64_t left_us, size_t body_size);

// Append an answer.
// errors: TR_ENOMEM (the frame is then of no use)
int tr__envelope_put_answer(tr__frame *frame, const tr_msg *answer, uint64_t node);

// Append a piece of an envelope that is all of another frame: size bytes, from an offset on.
// errors: TR_ENOMEM (the frame is then of no use)
int tr__envelope_put_piece(tr__frame *frame, uint64_t number, tr__frame *whole, size_t from,
                           size_t size);

// Append any other envelope, given as a list.
int tr__envelope_put(tr__frame *frame, tr_val envelope);

#endif
