// Writing messages down (record.h), which is on the way of each of them: so it is done here, and
// not by the tracer, whom a call by a pointer would reach.
//
// The record of a message is in its place from the beginning of its turn on, all but how long that
// takes: so who looks meanwhile finds there what runs, and the end has little to do. It is written
// right into its place, word by word: to write a record's members one by one and then read them as
// words would wait for the writes.
#include "core/node.h"
#include "core/tap.h"

#define WORDS (TR__TRACE_CELL / sizeof(uint64_t))

static inline tr__word *cell_at(const tr__records *records, uint64_t number)
{
    return records->cells + number % TR__TRACE_MESSAGES * WORDS;
}

static inline tr__word *cell_next(const tr__records *records)
{
    return cell_at(records, records->next);
}

static inline void cell_open(tr__word *cell)
{
    atomic_store_explicit(cell, 0, memory_order_relaxed);
}

void tr__record_write(tr__word *cell, uint64_t number, const void *record)
{
    uint64_t words[WORDS];
    memcpy(words, record, sizeof words);
    cell_open(cell);
    for (size_t i = 1; i < WORDS; i++)
        tr__word_set(&cell[i], words[i]);
    tr__word_set(&cell[0], (words[0] & ~(uint64_t)UINT32_MAX) | (uint32_t)(number + 1));
}

static void records_add(tr__records *records, const void *record)
{
    tr__record_write(cell_next(records), records->next, record);
    tr__word_set(records->shown, ++records->next);
}

// What the turn that runs has there already goes one place on.
void tr__record_put(tr__tap *tap, const tr__record *record)
{
    tr__records *records = &tap->records;
    const tr__word *from = cell_next(records);
    tr__word *to = cell_at(records, records->next + 1);
    if (atomic_load_explicit(&tap->running->since, memory_order_relaxed) != 0) {
        cell_open(to);
        for (size_t i = 1; i < WORDS; i++)
            tr__word_set(&to[i], tr__word_get(&from[i]));
    }
    records_add(records, record);
}

// ---- A turn begins ----

// Its place in a trace, in both its words. Returns how long it has waited.
static inline uint64_t put_stamp(tr__word *cell, const tr_msg *msg, uint64_t start)
{
    const tr__stamp *stamp = tr__msg_stamp(msg);
    tr__word_set(&cell[4], stamp->at.low);
    tr__word_set(&cell[5], stamp->at.span | (uint64_t)stamp->at.parent << 32);
    return start > stamp->sent ? start - stamp->sent : 0;
}

static inline uint64_t put_no_stamp(tr__word *cell)
{
    tr__word_set(&cell[4], 0);
    tr__word_set(&cell[5], 0);
    return 0;
}

static inline void message_begin(tr__tap *tap, const tr_actor *actor, const tr_msg *msg,
                                 uint64_t name, uint64_t node)
{
    tr__records *records = &tap->records;
    uint64_t depth = actor->mail_count;
    tr__word *cell = cell_next(records);
    __builtin_prefetch(cell + 2 * WORDS, 1);
    cell_open(cell);
    tr__word_set(&cell[1], tap->start);
    tr__word_set(&cell[2], actor->id);
    tr__word_set(&cell[3], msg->from.actor);
    records->wait =
        msg->stamped != TR__UNSTAMPED ? put_stamp(cell, msg, tap->start) : put_no_stamp(cell);
    tr__word_set(&cell[7], msg->body_size | name << 32 | node << 48);
    uint64_t flags =
        msg->stamped | (msg->is_ask ? TR_TRACE_ASK : 0) | (msg->is_answer ? TR_TRACE_ANSWER : 0);
    records->first = (uint64_t)TR_TRACE_MESSAGE << 32 | flags << 40 |
                     (depth < UINT16_MAX ? depth : UINT16_MAX) << 48;
}

static inline bool node_is_here(const tr__records *records, uint64_t node)
{
    return node == records->node || node == 0;
}

// One whose name, or the node that it is from, the tracer has to look for.
__attribute__((noinline)) static void message_begin_named(tr__tap *tap, const tr_actor *actor,
                                                          const tr_msg *msg)
{
    const tr__tracer_ops *ops = tap->tracer->ops;
    uint64_t node = msg->from.node;
    uint16_t name = ops->string(tap, msg->name, msg->name_len);
    message_begin(
        tap, actor, msg, name,
        node_is_here(&tap->records, node) ? 0 : ops->string(tap, (const char *)&node, sizeof node));
}

// Behind a name there is always more of the message: a word of it can be read.
void tr__record_begin(tr__tap *tap, const tr_actor *actor, const tr_msg *msg)
{
    uint32_t size = msg->name_len, behind = 64 - 8 * size;
    uint64_t key;
    memcpy(&key, msg->name, sizeof key);
    key = key << (behind & 63) >> (behind & 63);
    const struct tr__known *known = tr__known_at(&tap->records, key, size);
    if (size <= sizeof key && known->key == key && known->size == size &&
        node_is_here(&tap->records, msg->from.node))
        message_begin(tap, actor, msg, known->string, 0);
    else
        message_begin_named(tap, actor, msg);
}

void tr__record_begin_other(tr__tap *tap, const tr__what *what)
{
    tr__word *cell = cell_next(&tap->records);
    uint64_t name = tap->tracer->ops->string(tap, what->text, strlen(what->text));
    cell_open(cell);
    tr__word_set(&cell[7], name << 32);
}

// ---- It is over ----

static inline void seat_count(const tr__records *records, const tr_actor *actor, uint64_t run)
{
    uint64_t place = tr__id_place(actor->id), depth = actor->mail_count;
    tr__trace_seat *seat = &records->seats[place];
    if (place >= records->seat_count || tr__word_get(&seat->id) != actor->id)
        return;
    tr__word_set(&seat->handled, (uint32_t)(tr__word_get(&seat->handled) + 1) | depth << 32);
    tr__word_set(&seat->wait, tr__word_get(&seat->wait) + records->wait);
    tr__word_set(&seat->run, tr__word_get(&seat->run) + run);
}

// Both times, each as tr__trace_pack makes it: short ones at once.
static inline uint64_t times_pack(uint64_t wait, uint64_t run)
{
    if ((wait | run) >> 35 == 0)
        return wait >> 4 | run >> 4 << 32;
    return tr__trace_pack(wait) | (uint64_t)tr__trace_pack(run) << 32;
}

// first: its first word, but for its number
static inline void message_end(tr__tap *tap, const tr_actor *actor, uint64_t first)
{
    tr__records *records = &tap->records;
    tr__word *cell = cell_next(records);
    uint64_t run = tap->tick - tap->start, number = ++records->next;
    tr__word_set(&cell[6], times_pack(records->wait, run));
    tr__word_set(&cell[0], first | (uint32_t)number);
    tr__word_set(records->shown, number);
    seat_count(records, actor, run);
}

static void put_body(tr__records *records, const tr_msg *msg)
{
    tr__record_body cell = {.kind = TR_TRACE_BODY, .size = (uint16_t)msg->body_size};
    for (uint32_t at = 0; at < msg->body_size; at += TR__BODY_PART) {
        uint32_t left = msg->body_size - at;
        memcpy(cell.bytes, msg->body + at, left < TR__BODY_PART ? left : TR__BODY_PART);
        records_add(records, &cell);
    }
}

// One whose handler has failed, so that the error has the place of the body's size, or with a body.
__attribute__((noinline)) static void message_end_more(tr__tap *tap, const tr_actor *actor,
                                                       const tr_msg *msg, bool bodies)
{
    tr__word *word = &cell_next(&tap->records)[7];
    bool body = bodies && msg->body_size > 0 && msg->body_size <= TR__BODY_MAX;
    uint64_t flags = (body ? TR_TRACE_HAS_BODY : 0) | (tap->code < 0 ? TR_TRACE_FAILED : 0);
    if (tap->code < 0)
        tr__word_set(word, (tr__word_get(word) & ~(uint64_t)UINT32_MAX) | (uint32_t)tap->code);
    tap->code = 0;
    message_end(tap, actor, tap->records.first | flags << 40);
    if (body)
        put_body(&tap->records, msg);
}

void tr__record_end(tr__tap *tap, const tr_actor *actor, const tr_msg *msg, bool bodies)
{
    if (bodies || tap->code < 0)
        message_end_more(tap, actor, msg, bodies);
    else
        message_end(tap, actor, tap->records.first);
}
