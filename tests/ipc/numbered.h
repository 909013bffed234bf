// Messages that carry a number, and content that follows from it: nothing can be lost, doubled,
// moved or changed without showing.
#ifndef TROUPE_TESTS_IPC_NUMBERED_H
#define TROUPE_TESTS_IPC_NUMBERED_H

#include <troupe.h>

enum shape {
    SMALL,    // the number alone
    BUFFER,   // bytes in an attached buffer
    DOCUMENT, // bytes in the document
};

// bytes: a multiple of 8. returns: as tr_send_msg
int numbered_send(tr_actor *self, tr_addr to, enum shape shape, size_t bytes, uint64_t number);

// Whether the message is the one with this number and this size, of any shape.
bool numbered_is(const tr_msg *msg, size_t bytes, uint64_t number);

#endif
