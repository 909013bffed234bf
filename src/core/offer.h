// Streams in messages: what the two ends of an offered one say to each other.
#ifndef TROUPE_CORE_OFFER_H
#define TROUPE_CORE_OFFER_H

#include <troupe/ask.h>
#include <troupe/stream.h>

// Asks for the runtime, not for the actor (docs/protocol.md). Of names "troupe.pull" and so on.
typedef enum tr__offer_verb {
    TR__OFFER_PULL, // ID -> the next chunks, as buffers; with true for its body: that was the end
    TR__OFFER_PUSH, // ID, with chunks as buffers -> when there is room for more
    TR__OFFER_END,  // ID -> when all has left
    TR__OFFER_DROP, // [ID, why] -> at once
    TR__OFFER_VERBS
} tr__offer_verb;

extern const char *const tr__offer_names[TR__OFFER_VERBS];

#define TR__OFFER_READ 4u // in the third item of an offer, beside its tr_stream_mode

// Whether an ask is one of them; then it is handled by tr__offer_asked, in its turn.
bool tr__offer_asks(const tr_msg *msg);
int tr__offer_asked(tr_actor *self, const tr_msg *msg); // returns 0

#endif
