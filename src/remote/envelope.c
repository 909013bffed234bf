// Envelopes on the wire. Messages are written and read by hand, head by head, since they are the
// hot path; everything else is a small document. Reading checks each item with the scan before it
// is looked at, and takes no memory.
#include "remote/envelope.h"

#include "base/assert.h"
#include "data/doc.h"

// ---- Writing ----

static uint8_t *put_be(uint8_t *to, uint64_t value, int bytes)
{
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        *to++ = (uint8_t)(value >> shift);
    return to;
}

static uint8_t *put_uint(uint8_t *to, uint64_t value)
{
    if (value < 0x80) {
        *to++ = (uint8_t)value;
        return to;
    }
    *to++ = 0xcf;
    return put_be(to, value, 8);
}

static uint8_t *put_name(uint8_t *to, const char *name, size_t len)
{
    tr_assert(len <= TR_NAME_MAX);
    if (len < 32) {
        *to++ = (uint8_t)(0xa0 | len);
    } else {
        *to++ = 0xd9;
        *to++ = (uint8_t)len;
    }
    memcpy(to, name, len);
    return to + len;
}

// An address, which is msgpack's extension 1 with 16 bytes; of this node the actor will do.
static uint8_t *put_from(uint8_t *to, tr_addr from, uint64_t node)
{
    if (from.node == node || from.node == 0)
        return put_uint(to, from.actor);
    *to++ = 0xd8; // fixext 16
    *to++ = 1;
    to = put_be(to, from.node, 8);
    return put_be(to, from.actor, 8);
}

// All of a message, an ask or a publication but its body and buffers.
#define HEAD_MAX (2 + 2 + TR_NAME_MAX + 18 + 2 + TR_NAME_MAX + 9 + 9 + 1)
#define BIN_HEAD 5
#define COPY_MAX 4096 // a smaller buffer is copied: cheaper than a piece of its own

static uint8_t *put_bin_head(uint8_t *to, size_t size)
{
    *to++ = 0xc6; // bin 32
    return put_be(to, size, 4);
}

static int put_buf(tr__frame *frame, tr_buf *buf)
{
    size_t size = tr_buf_size(buf), copied = size <= COPY_MAX ? size : 0;
    uint8_t *start = tr__frame_reserve(frame, BIN_HEAD + copied), *to = start;
    if (to == NULL)
        return TR_ENOMEM;
    to = put_bin_head(to, size);
    if (copied > 0)
        memcpy(to, tr_buf_data(buf), copied);
    tr__frame_commit(frame, BIN_HEAD + copied);
    return copied == size ? 0 : tr__frame_refer(frame, buf);
}

static int put_bufs(tr__frame *frame, tr_buf *const *bufs, size_t count)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_buf(frame, bufs[i]);
    return rc;
}

// Where a message is in a trace, as W3C's traceparent has it: extension 2 with the trace's id, the
// span that is its parent for the other side, and a flag.
#define TRACE_TYPE  2
#define TRACE_BYTES 25
#define TRACE_SIZE  (3 + TRACE_BYTES)

// A span is one of a process: with a part of the node's id it is one among all.
static uint8_t *put_trace(uint8_t *to, const tr__trace_at *at, uint64_t node)
{
    *to++ = 0xc7; // ext 8
    *to++ = TRACE_BYTES;
    *to++ = TRACE_TYPE;
    to = put_be(to, at->high, 8);
    to = put_be(to, at->low, 8);
    to = put_be(to, node >> 32, 4);
    to = put_be(to, at->span, 4);
    *to++ = 1; // sampled
    return to;
}

// Behind the buffers.
static int put_stamp(tr__frame *frame, const tr__stamp *stamp, uint64_t node)
{
    if (stamp == NULL)
        return 0;
    uint8_t *to = tr__frame_reserve(frame, TRACE_SIZE);
    if (to == NULL)
        return TR_ENOMEM;
    put_trace(to, &stamp->at, node);
    tr__frame_commit(frame, TRACE_SIZE);
    return 0;
}

int tr__envelope_put_message(tr__frame *frame, const tr__letter *letter, uint64_t node,
                             uint64_t left_us, size_t body_size)
{
    uint8_t *start = tr__frame_reserve(frame, HEAD_MAX + body_size), *to = start;
    if (to == NULL)
        return TR_ENOMEM;
    bool ask = letter->ask != NULL, traced = letter->stamp != NULL;
    bool bufs = letter->buf_count > 0 || traced;
    *to++ = (uint8_t)(0x90 | ((ask ? 7 : 5) + bufs + traced)); // a list of so many
    *to++ = letter->group != NULL ? TR__PUBLISH : ask ? TR__ASK : TR__MESSAGE;
    if (letter->group != NULL)
        to = put_name(to, letter->group, strlen(letter->group));
    else
        to = put_uint(to, letter->to.actor);
    to = put_from(to, letter->from, node);
    to = put_name(to, letter->name, letter->name_len);
    to = tr__doc_pack(&letter->body, to);
    if (ask) {
        to = put_uint(to, letter->ask->ask);
        to = put_uint(to, left_us);
    }
    if (bufs) {
        _Static_assert(TR_BUFS_MAX <= 15, "a short list head");
        *to++ = (uint8_t)(0x90 | letter->buf_count);
    }
    tr__frame_commit(frame, (size_t)(to - start));
    int rc = put_bufs(frame, letter->bufs, letter->buf_count);
    return rc < 0 ? rc : put_stamp(frame, letter->stamp, node);
}

int tr__envelope_put_answer(tr__frame *frame, const tr_msg *answer, uint64_t node)
{
    const tr__stamp *stamp = answer->stamped ? tr__msg_stamp(answer) : NULL;
    const tr__answer_head *head = tr__msg_extra(answer);
    const tr_reason *reason = &head->reason;
    tr_val items[] = {TR_V((int)TR__ANSWER), TR_V(head->to.actor), TR_V(answer->from.actor),
                      TR_V(head->ask),       TR_V(head->status),   TR_V((int)reason->kind),
                      TR_V(reason->code),    TR_V(reason->core),   tr_msg_body(answer)};
    size_t count = sizeof items / sizeof items[0], size;
    tr_val list = tr_val_list(items, count);
    int rc = tr__doc_size(&list, &size);
    uint8_t *start = rc < 0 ? NULL : tr__frame_reserve(frame, size + 1), *to = start;
    if (to == NULL)
        return rc < 0 ? rc : TR_ENOMEM;
    to = tr__doc_pack(&list, to);
    tr_assert(count < 14 && start[0] == (0x90 | count));
    if (answer->buf_count > 0 || stamp != NULL) {
        *start = (uint8_t)(0x90 | (count + 1 + (stamp != NULL)));
        *to++ = (uint8_t)(0x90 | answer->buf_count);
    }
    tr__frame_commit(frame, (size_t)(to - start));
    rc = put_bufs(frame, tr__msg_bufs(answer), answer->buf_count);
    return rc < 0 ? rc : put_stamp(frame, stamp, node);
}

int tr__envelope_put_piece(tr__frame *frame, uint64_t number, tr__frame *whole, size_t from,
                           size_t size)
{
    uint8_t *start = tr__frame_reserve(frame, 2 + 9 + 9 + BIN_HEAD), *to = start;
    if (to == NULL)
        return TR_ENOMEM;
    *to++ = from == 0 ? 0x94 : 0x93; // a list of so many
    *to++ = from == 0 ? TR__BEGIN : TR__MORE;
    to = put_uint(to, number);
    if (from == 0)
        to = put_uint(to, tr__frame_size(whole));
    to = put_bin_head(to, size);
    tr__frame_commit(frame, (size_t)(to - start));
    return tr__frame_refer_part(frame, whole, from, size);
}

int tr__envelope_put(tr__frame *frame, tr_val envelope)
{
    size_t size;
    int rc = tr__doc_size(&envelope, &size);
    if (rc < 0)
        return rc;
    uint8_t *to = tr__frame_reserve(frame, size);
    if (to == NULL)
        return TR_ENOMEM;
    tr__doc_pack(&envelope, to);
    tr__frame_commit(frame, size);
    return 0;
}

// ---- Reading ----

// The items of one envelope, one after the other.
typedef struct reader {
    const uint8_t *at, *end;
    uint64_t left; // items
    int error;
} reader;

// The bytes of the next item, checked; NULL after an error.
static const uint8_t *reader_item(reader *r)
{
    const uint8_t *item = r->at;
    size_t used = 0;
    if (r->error == 0)
        r->error = r->left == 0 ? TR_EBADMSG : tr__doc_scan(r->at, (size_t)(r->end - r->at), &used);
    if (r->error < 0)
        return NULL;
    r->at += used;
    r->left--;
    return item;
}

static tr_val reader_next(reader *r)
{
    tr_val value = TR_NULL;
    const uint8_t *item = reader_item(r);
    if (item != NULL)
        tr__doc_view(item, &value);
    return value;
}

static void reader_check(reader *r, bool ok)
{
    if (!ok && r->error == 0)
        r->error = TR_EBADMSG;
}

// The forms that put_uint and put_name write are read without the detour.
static uint64_t reader_uint(reader *r)
{
    uint64_t number = 0;
    size_t size = (size_t)(r->end - r->at);
    if (r->left > 0 && size >= 1 && r->at[0] < 0x80) {
        number = r->at[0];
        r->at += 1;
        r->left--;
    } else if (r->left > 0 && size >= 9 && r->at[0] == 0xcf) {
        for (int i = 1; i <= 8; i++)
            number = number << 8 | r->at[i];
        r->at += 9;
        r->left--;
    } else {
        reader_check(r, tr_as_uint(reader_next(r), &number) == 0);
    }
    return number;
}

static tr_str reader_str(reader *r)
{
    tr_str text = {"", 0};
    size_t size = (size_t)(r->end - r->at);
    if (r->left > 0 && size > 0 && (r->at[0] & 0xe0) == 0xa0 && size > (r->at[0] & 0x1fu)) {
        text = (tr_str){(const char *)r->at + 1, r->at[0] & 0x1fu};
        r->at += 1 + text.len;
        r->left--;
        return text;
    }
    reader_check(r, tr_as_str(reader_next(r), &text) == 0);
    return text;
}

static tr_reason reader_reason(reader *r)
{
    tr_reason reason = {0};
    uint64_t kind = reader_uint(r);
    int64_t code = 0;
    bool ok = kind <= TR_REASON_NOACTOR;
    ok = tr_as_int(reader_next(r), &code) == 0 && code >= INT32_MIN && code <= INT32_MAX && ok;
    ok = tr_as_bool(reader_next(r), &reason.core) == 0 && ok;
    if (!ok && r->error == 0)
        r->error = TR_EBADMSG;
    reason.kind = (tr_reason_kind)kind;
    reason.code = (int)code;
    return reason;
}

static void reader_bufs(reader *r, tr__envelope *e)
{
    tr_val list = reader_next(r), item;
    reader_check(r, list.type == TR_TYPE_LIST && list.len <= TR_BUFS_MAX);
    if (r->error < 0)
        return;
    for (tr_iter it = tr_iter_of(list); tr_iter_next(&it, NULL, &item);)
        reader_check(r, tr_as_bin(item, &e->bufs[e->buf_count++]) == 0);
}

static uint64_t get_be(const uint8_t *from, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | from[i];
    return number;
}

// What is something else is passed over, as what comes behind it.
static void reader_trace(reader *r, tr__envelope *e)
{
    const uint8_t *item = reader_item(r);
    if (item == NULL || item[0] != 0xc7 || item[1] != TRACE_BYTES || item[2] != TRACE_TYPE)
        return;
    e->trace = (tr__trace_at){get_be(item + 3, 8), get_be(item + 11, 8),
                              (uint32_t)get_be(item + 23, 4), 0};
}

// What may stand at a message's end.
static void reader_more(reader *r, tr__envelope *e)
{
    e->trace.low = 0;
    if (r->left > 0)
        reader_bufs(r, e);
    if (r->left > 0)
        reader_trace(r, e);
}

static tr_addr reader_from(reader *r)
{
    tr_addr from = TR_NOBODY;
    if (r->left > 0 && r->at < r->end && *r->at == 0xd8)
        reader_check(r, tr_as_addr(reader_next(r), &from) == 0 && from.node != 0);
    else
        from.actor = reader_uint(r);
    return from;
}

static void reader_packed(reader *r, tr__envelope *e)
{
    e->packed = reader_item(r);
    e->packed_size = e->packed == NULL ? 0 : (size_t)(r->at - e->packed);
    reader_check(r, e->packed_size <= TR_DOC_MAX);
}

// Of a message or a group.
static tr_str reader_name(reader *r)
{
    tr_str name = reader_str(r);
    reader_check(r, name.len > 0 && name.len <= TR_NAME_MAX &&
                        memchr(name.ptr, '\0', name.len) == NULL);
    return name;
}

static void read_message(reader *r, tr__envelope *e)
{
    if (e->kind == TR__PUBLISH)
        e->group = reader_name(r);
    else
        e->actor = reader_uint(r);
    e->from = reader_from(r);
    e->text = reader_name(r);
    reader_packed(r, e);
    if (e->kind == TR__ASK) {
        e->ref = reader_uint(r);
        e->left_us = reader_uint(r);
    }
    reader_more(r, e);
}

static int64_t reader_error(reader *r)
{
    int64_t error = 0;
    reader_check(r, tr_as_int(reader_next(r), &error) == 0 && error >= INT32_MIN && error <= 0);
    return error;
}

static void read_answer(reader *r, tr__envelope *e)
{
    e->actor = reader_uint(r);
    e->from = (tr_addr){.actor = reader_uint(r)};
    e->ref = reader_uint(r);
    e->error = reader_error(r);
    e->reason = reader_reason(r);
    reader_packed(r, e);
    reader_more(r, e);
}

static void read_signal(reader *r, tr__envelope *e)
{
    bool link = e->kind == TR__LINK, kill = e->kind == TR__KILL;
    e->actor = reader_uint(r);
    e->from = (tr_addr){.actor = kill ? 0 : reader_uint(r)};
    e->ref = kill ? 0 : reader_uint(r);
    e->yours = kill || link ? 0 : reader_uint(r);
    e->reason = e->kind == TR__EXIT ? reader_reason(r) : (tr_reason){0};
}

static void read_handles(reader *r, tr__envelope *e)
{
    e->ref = reader_uint(r);
    tr_val list = reader_next(r), item;
    reader_check(r, list.type == TR_TYPE_LIST && list.len > 0 && list.len <= TR_HANDLES_MAX);
    if (r->error < 0)
        return;
    for (tr_iter it = tr_iter_of(list); tr_iter_next(&it, NULL, &item);)
        reader_check(r, tr_as_bool(item, &e->with_bytes[e->handle_count++]) == 0);
}

static void read_piece(reader *r, tr__envelope *e)
{
    e->ref = reader_uint(r);
    e->bytes = e->kind == TR__BEGIN ? reader_uint(r) : 0;
    reader_check(r, tr_as_bin(reader_next(r), &e->bufs[0]) == 0 && e->bufs[0].len > 0);
    e->buf_count = 1;
}

static void read_siblings(reader *r, tr__envelope *e)
{
    e->node = reader_uint(r);
    e->ref = e->kind == TR__MEET ? reader_uint(r) : 0;
    e->last = e->kind == TR__UNKNOWN ? 0 : reader_uint(r);
    e->error = e->kind == TR__UNKNOWN ? reader_error(r) : 0;
    reader_check(r, e->node != 0 && (e->kind != TR__MEET || e->ref != 0));
}

static void read_rest(reader *r, tr__envelope *e)
{
    switch (e->kind) {
    case TR__HELLO:
    case TR__CHALLENGE:
    case TR__PROOF:
        e->body = reader_next(r);
        break;
    case TR__ASK:
    case TR__PUBLISH:
        read_message(r, e);
        break;
    case TR__JOIN:
    case TR__LEAVE:
        e->group = reader_name(r);
        break;
    case TR__ANSWER:
        read_answer(r, e);
        break;
    case TR__CREDIT:
        e->actor = reader_uint(r);
        e->messages = reader_uint(r);
        e->bytes = reader_uint(r);
        break;
    case TR__MONITOR:
        e->actor = reader_uint(r);
        e->ref = reader_uint(r);
        break;
    case TR__DEMONITOR:
        e->ref = reader_uint(r);
        break;
    case TR__DOWN:
        e->ref = reader_uint(r);
        e->reason = reader_reason(r);
        break;
    case TR__STOP:
        e->actor = reader_uint(r);
        break;
    case TR__LINK:
    case TR__UNLINK:
    case TR__EXIT:
    case TR__KILL:
        read_signal(r, e);
        break;
    case TR__BYE:
        e->reason = reader_reason(r);
        break;
    case TR__REFUSE:
        reader_check(r, tr_as_int(reader_next(r), &e->error) == 0);
        e->text = reader_str(r);
        break;
    case TR__HANDLES:
        read_handles(r, e);
        break;
    case TR__TAKEN:
        e->ref = reader_uint(r);
        break;
    case TR__RETURNED:
        e->ref = reader_uint(r);
        e->error = reader_error(r);
        reader_check(r, e->error < 0);
        break;
    case TR__BEGIN:
    case TR__MORE:
        read_piece(r, e);
        break;
    case TR__INTRODUCE:
    case TR__MEET:
    case TR__UNKNOWN:
        read_siblings(r, e);
        break;
    default:
        break;
    }
}

// The head of the list that an envelope is.
static void reader_open(reader *r)
{
    uint8_t lead = r->at < r->end ? *r->at : 0;
    size_t size = (size_t)(r->end - r->at);
    if (lead >= 0x90 && lead <= 0x9f) {
        r->left = lead & 0x0f;
        r->at += 1;
    } else if (lead == 0xdc && size >= 3) {
        r->left = (uint64_t)r->at[1] << 8 | r->at[2];
        r->at += 3;
    } else {
        r->error = TR_EBADMSG;
    }
}

int tr__envelope_read(const uint8_t *bytes, size_t size, tr__envelope *ret_envelope,
                      size_t *ret_used)
{
    tr__envelope *e = ret_envelope;
    reader r = {.at = bytes, .end = bytes + size};
    reader_open(&r);
    e->buf_count = 0;
    e->handle_count = 0;
    e->body = TR_NULL;
    e->kind = reader_uint(&r);
    if (e->kind == TR__MESSAGE)
        read_message(&r, e);
    else if (e->kind < TR__KINDS)
        read_rest(&r, e);
    while (r.error == 0 && r.left > 0)
        reader_item(&r);
    *ret_used = (size_t)(r.at - bytes);
    return r.error;
}
