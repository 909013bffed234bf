// Handles inside, and the cargo of messages: the handles that go with one.
//
// What a parent or a sibling has lent belongs to this process only when that knows that it has been
// taken: until then it keeps its own, to take back what a killed process had not. So a handle that
// came over a link has a receipt, and a stream made of one that was lent does nothing before the
// receipt has left.
#ifndef TROUPE_CORE_HANDLE_H
#define TROUPE_CORE_HANDLE_H

#include <troupe/handle.h>

#include "core/core.h"

// Which message of which link it came with.
typedef struct tr__receipt {
    uint64_t node;   // at the other end
    uint64_t ref;    // 0: it came over none
    uint64_t number; // which of the links to that sibling; 0: it is none
    uint32_t loop;   // of the link
    bool lent;       // by the parent, or a sibling: when the link is lost it may go back. What came
                     // from a child is nobody else's then
} tr__receipt;

struct tr_handle {
    tr_parcel *parcel;
    tr_buf *bytes; // that were read and not consumed; NULL: none
    tr__receipt receipt;
};

// moves: *parcel, on success
int tr__handle_new(tr_parcel **parcel, tr_handle **ret_handle);

// What waits for a receipt to have left.
typedef struct tr__gate {
    tr__post post;
    tr__list link; // at the link
    uint64_t mark; // so many bytes of the link must have left
    tr__receipt receipt;
    tr_loop *home;
    uint64_t goes; // through it: a stream here, or a message to that node
    tr__list hold; // of that message, among those of its peer
    bool passed;
    int status;
    // At home: the receipt has left (status 0), or the link is lost. moves: gate
    void (*done)(tr_loop *loop, struct tr__gate *gate);
} tr__gate;

// *ret_gate: NULL: it was not lent, there is nothing to wait for. errors: TR_ENOMEM
int tr__gate_new(tr_loop *loop, const tr__receipt *receipt, tr__gate **ret_gate);
// returns: TR_LATER: `done` will be called; otherwise the status. moves: gate
int tr__gate_wait(tr_loop *loop, tr__gate *gate);
// Where the link is: it has left (0), or the link is lost. moves: gate
void tr__gate_open(tr_loop *loop, tr__gate *gate, int status);

// ---- Cargo (cargo.c) ----

struct tr__cargo {
    tr__post post;                      // tells the loop of its link that it has been taken
    tr_handle *handles[TR_HANDLES_MAX]; // NULL: taken
    uint32_t count;
    uint32_t with_bytes; // so many of them
    bool accepted;       // by a handler; its link knows
    tr__receipt receipt;
    tr_addr to;         // once it is sent over a link, or comes back
    tr_returned letter; // it has not been handled, for letter.why < 0
};

void tr__cargo_free(tr__cargo **cargo);
int tr__cargo_of(tr_msg *msg, tr__cargo **ret_cargo); // made, if need be. errors: TR_ENOMEM
// The handles of one become those of another, which has none, as a copy. errors: TR_ENOMEM
int tr__cargo_move(tr_msg *from, tr_msg *to);
// For a message that a handler puts off or hands on: accepted, and moved. errors: besides, TR_EDOWN
int tr__cargo_pass(tr_loop *loop, const tr_msg *from, tr_msg *to);
// What goes on its way has no gaps where some has been taken out again, and no handler has had it.
void tr__cargo_set_off(tr__cargo *cargo);
void tr__cargo_take_back(tr_msg *msg, tr_msg *copy); // undoes that. No-op without a cargo
// It is not handled, for this reason: so it comes back. No-op without a cargo, or when some of that
// has been taken.
void tr__cargo_refuse(tr_msg *msg, tr_addr to, int why);
// The same of one that is counted by nobody. moves: *msg
void tr__cargo_return(tr_loop *loop, tr_msg **msg, tr_addr to, int why);
// Done with, where it was made: give it back if it was not handled. moves: msg
void tr__cargo_settle(tr_loop *loop, tr_msg *msg);

// A message is done with, where it was made. moves: msg
static inline void tr__msg_settle(tr_loop *loop, tr_msg *msg)
{
    if (tr__msg_cargo(msg) != NULL)
        tr__cargo_settle(loop, msg);
    else
        tr__msg_release(&loop->blocks, msg);
}

#endif
