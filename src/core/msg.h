// Messages, and how small ones are made and freed without a call (msg.c).
#ifndef TROUPE_CORE_MSG_H
#define TROUPE_CORE_MSG_H

#include <troupe/msg.h>
#include <troupe/trace.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/lane.h"
#include "core/shown.h"

// Where in a trace a message, and so its turn, is (tap.h).
typedef struct tr__trace_at {
    uint64_t high, low; // the trace's id; low 0: in none
    uint32_t span;
    uint32_t parent; // the span of the turn that has sent it; 0: of none
} tr__trace_at;

// What a message has that was made while its loop's messages are traced. Small, so that a small
// message with it is still one of the blocks.
typedef struct tr__stamp {
    tr__trace_at at;
    union {
        uint64_t sent;          // ticks
        struct tr__stamp *next; // while it has none: see tr__tap_stamp_later
    };
} tr__stamp;

// As the flags of its record have it.
enum tr__stamped {
    TR__UNSTAMPED = 0,
    TR__STAMPED = TR_TRACE_STAMPED,
    TR__STAMPED_ELSEWHERE = TR_TRACE_STAMPED | TR_TRACE_REMOTE, // its parent is a span of the node
                                                                // that it has come from
};

// What few messages have.
typedef struct tr__msg_more {
    tr_buf *storage;         // holds the body of a large message that came over a link
    char *json;              // made on demand
    struct tr__cargo *cargo; // handles that go along (cargo.c); NULL: none
    tr_buf *bufs[TR_BUFS_MAX];
} tr__msg_more;

// One allocation: this, then the name with its NUL, its stamp if it has one, then what its kind
// needs besides, then the body unless it lies in more->storage. What every message needs comes
// first, so that a small one is two or three cache lines.
struct tr_msg {
    union {
        tr_msg *next;  // in a mailbox
        tr__post post; // between loops
    };
    tr_addr from;
    const uint8_t *body;
    uint32_t body_size;
    uint32_t weight; // bytes that count against limits: body, name and buffers
    uint16_t home;   // the loop that flow belongs to
    uint8_t name_len;
    bool block : 1;       // its memory is one of the small blocks
    bool linked : 1;      // flow is a link's inflow (remote/flow.c); else it is a window
    bool is_notice : 1;   // of an end: with a tr_down
    bool is_exit : 1;     // of those: it is this actor that is to end
    bool is_up : 1;       // of those: of a beginning (names.c)
    bool is_returned : 1; // a notice, too: it was not handled, and has come back (cargo.c)
    bool is_ask : 1;      // with a tr__ask_head
    bool is_answer : 1;   // with a tr__answer_head
    bool answered : 1;    // an ask that somebody else answers now, or has
    uint8_t buf_count;
    uint8_t stamped;    // tr__stamped
    void *flow;         // who counts it until it is consumed; NULL: nobody
    uint64_t to;        // there: an actor's id; on the way home: its limits
    tr__msg_more *more; // what few messages have; or NULL
    char name[];
};

static inline tr_buf *const *tr__msg_bufs(const tr_msg *msg)
{
    return msg->more == NULL ? NULL : msg->more->bufs;
}

typedef struct tr__cargo tr__cargo;

static inline tr__cargo *tr__msg_cargo(const tr_msg *msg)
{
    return msg->more == NULL ? NULL : msg->more->cargo;
}

// What its turn is for. A message's memory is never so small that this reached past it (msg.c).
static inline const tr__what *tr__msg_what(const tr_msg *msg)
{
    return (const tr__what *)(const void *)msg->name;
}

// Of one that is stamped: behind its name.
static inline size_t tr__stamp_offset(size_t name_len)
{
    size_t align = _Alignof(tr__stamp), at = offsetof(tr_msg, name) + name_len + 1;
    return (at + align - 1) & ~(align - 1);
}

static inline tr__stamp *tr__stamp_in(const tr_msg *msg, size_t name_len)
{
    return (tr__stamp *)(void *)((char *)msg + tr__stamp_offset(name_len));
}

static inline tr__stamp *tr__msg_stamp(const tr_msg *msg)
{
    return tr__stamp_in(msg, msg->name_len);
}

// Where what its kind needs besides lies.
void *tr__msg_extra(const tr_msg *msg);

// A name's length if it is a good one: 1 to TR_NAME_MAX bytes; otherwise 0.
size_t tr__name_check(const char *name);

// A message with room for a body of body_size bytes at ret_msg->body, to be filled in, and for so
// much extra, zeroed.
int tr__msg_new(const char *name, size_t name_len, size_t extra, size_t body_size,
                tr_msg **ret_msg);
int tr__msg_pack(const char *name, size_t extra, tr_val body, tr_msg **ret_msg); // as tr_msg_new
int tr__msg_copy(const tr_msg *msg, size_t extra, tr_msg **ret_msg); // a plain message, so far

// Give one that has none a body that stays where it is, in storage, which is kept. errors:
// TR_ENOMEM
int tr__msg_store(tr_msg *msg, tr_buf *storage, const uint8_t *body, size_t body_size);
tr__msg_more *tr__msg_more_of(tr_msg *msg); // made, if need be; NULL: no memory
// Have copies share a large body. Without memory each gets its own.
void tr__msg_share(tr_msg *msg);

// A monitor's notice, whose reason is set when it is known. Setting cannot fail.
int tr__notice_new(const char *name, uint64_t monitor, tr_addr addr, tr_msg **ret_msg);
void tr__notice_set(tr_msg *notice, tr_reason reason);
void tr__notice_up(tr_msg *notice); // it tells that the actor is there
tr_down *tr__notice_down(tr_msg *notice);

// ---- Queues ----

typedef struct tr__queue {
    tr_msg *head, *tail;
} tr__queue;

static inline void tr__queue_push(tr__queue *queue, tr_msg *msg)
{
    tr_assert(msg->next == NULL);
    if (queue->head == NULL)
        queue->head = msg;
    else
        queue->tail->next = msg;
    queue->tail = msg;
}

static inline tr_msg *tr__queue_pop(tr__queue *queue)
{
    tr_msg *msg = queue->head;
    if (msg != NULL) {
        queue->head = msg->next;
        msg->next = NULL;
    }
    return msg;
}

// ---- Small messages ----

// Blocks of one size that were messages and will be again: a stack for each loop, beside them so
// that taking one does not wait for its memory. A message that is made and handled there costs no
// call of the allocator nor, when thousands of them are freed at once, its page faults. A loop
// keeps at most 512 KiB.
typedef struct tr__blocks {
    tr_msg **free;
    uint32_t count, max;
    tr_msg *wide; // of messages with a stamp, linked by next
    uint32_t wide_count;
} tr__blocks;

#define TR__BLOCK_SIZE 128u

bool tr__blocks_grow(tr__blocks *blocks);
void tr__blocks_clear(tr__blocks *blocks); // give them back

// Memory for a message. blocks: this loop's; NULL: there is no loop
static inline tr_msg *tr__msg_alloc(tr__blocks *blocks, size_t size)
{
    if (size > TR__BLOCK_SIZE)
        return tr__alloc(size);
    if (blocks == NULL || blocks->count == 0)
        return tr__alloc(TR__BLOCK_SIZE);
    tr_msg *msg = blocks->free[--blocks->count];
    if (blocks->count > 0)
        __builtin_prefetch(blocks->free[blocks->count - 1], 1);
    return msg;
}

// Without a call for the short names that there are: two words that overlap. The first eight bytes
// are written by one store, the last one, so that who reads them soon as a word need not wait for
// several. to: with room for eight bytes
static inline void tr__name_copy(char *to, const char *from, size_t len)
{
    if (len >= 8 && len <= 16) {
        to[len] = '\0';
        memcpy(to + len - 8, from + len - 8, 8);
        memcpy(to, from, 8);
    } else if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && len >= 4 && len < 8) {
        uint32_t low, high;
        memcpy(&low, from, sizeof low);
        memcpy(&high, from + len - 4, sizeof high);
        uint64_t word = low | (uint64_t)high << 8 * (len - 4);
        memcpy(to, &word, sizeof word); // with its NUL
    } else {
        memcpy(to, from, len);
        to[len] = '\0';
    }
}

// The rest of one whose memory this is, with a body that begins body_at bytes behind the start.
// Member by member: what gcc makes of an assignment of the whole clears it with a slow instruction.
static inline void tr__msg_init(tr_msg *msg, tr_addr from, const char *name, size_t name_len,
                                size_t body_at, size_t body_size)
{
    msg->next = NULL;
    msg->from = from;
    msg->body = (uint8_t *)msg + body_at;
    msg->body_size = (uint32_t)body_size;
    msg->weight = (uint32_t)(name_len + body_size);
    msg->name_len = (uint8_t)name_len;
    msg->block = body_at + body_size <= TR__BLOCK_SIZE;
    msg->linked = msg->is_notice = msg->is_exit = msg->is_up = msg->is_returned = false;
    msg->is_ask = msg->is_answer = msg->answered = false;
    msg->buf_count = 0;
    msg->stamped = TR__UNSTAMPED;
    msg->flow = NULL;
    msg->more = NULL;
    tr__name_copy(msg->name, name, name_len);
}

// A plain message without its body, for which there is room. NULL: no memory
static inline tr_msg *tr__msg_make(tr__blocks *blocks, tr_addr from, const char *name,
                                   size_t name_len, size_t body_size)
{
    size_t body_at = offsetof(tr_msg, name) + name_len + 1;
    tr_msg *msg = tr__msg_alloc(blocks, body_at + body_size);
    if (msg != NULL)
        tr__msg_init(msg, from, name, name_len, body_at, body_size);
    return msg;
}

// The same with a stamp that is still empty. NULL: no memory
tr_msg *tr__msg_alloc_wide(tr__blocks *blocks, size_t size);
static inline tr_msg *tr__msg_make_stamped(tr__blocks *blocks, tr_addr from, const char *name,
                                           size_t name_len, size_t body_at, size_t body_size)
{
    size_t size = body_at + body_size;
    tr_msg *msg =
        size <= TR__BLOCK_SIZE ? tr__msg_alloc(blocks, size) : tr__msg_alloc_wide(blocks, size);
    if (msg == NULL)
        return NULL;
    tr__msg_init(msg, from, name, name_len, body_at, body_size);
    msg->stamped = TR__STAMPED;
    return msg;
}
void tr__msg_drop(tr__blocks *blocks, tr_msg *msg); // one that is no block

void tr__msg_more_free(tr__msg_more *more);

static inline void tr__msg_release(tr__blocks *blocks, tr_msg *msg)
{
    if (msg->more != NULL)
        tr__msg_more_free(msg->more);
    bool keep = blocks != NULL && msg->block;
    if (keep && (blocks->count < blocks->max || tr__blocks_grow(blocks)))
        blocks->free[blocks->count++] = msg;
    else
        tr__msg_drop(blocks, msg);
}

#endif
