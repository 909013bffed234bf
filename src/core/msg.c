// Messages: one allocation that holds the envelope, the name and, unless it is large and came over
// a link, the packed body. A message belongs to whoever has the pointer; mailboxes link it through
// `next`. Nothing in it changes once it is sent, but for the JSON text that is made on demand.
#include <stdio.h>
#include <troupe/memory.h>
#include <troupe/registry.h>

#include "base/assert.h"
#include "base/memory.h"
#include "core/handle.h"
#include "core/route.h"
#include "core/tap.h"
#include "data/doc.h"

#define RETURNED "returned"

_Static_assert(TR_NAME_MAX <= UINT8_MAX, "name_len is 8 bits");
_Static_assert(TR_BUFS_MAX <= UINT8_MAX, "buf_count is 8 bits");

size_t tr__name_check(const char *name)
{
    size_t len = name == NULL ? 0 : strnlen(name, TR_NAME_MAX + 1);
    return len > TR_NAME_MAX ? 0 : len;
}

// ---- Memory of small messages ----

#define BLOCKS_MAX 4096u // a full mailbox

_Static_assert(offsetof(tr_msg, name) + sizeof(tr__what) <= TR__BLOCK_SIZE, "see tr__msg_what");

// AddressSanitizer is to see every use of a message that is gone: with it nothing is kept.
#ifndef __has_feature // clang's word for it
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#undef BLOCKS_MAX
#define BLOCKS_MAX 0u
#endif

bool tr__blocks_grow(tr__blocks *blocks)
{
    uint32_t max = blocks->max == 0 ? 64 : blocks->max * 2;
    tr_msg **more = max > BLOCKS_MAX ? NULL : tr__resize(blocks->free, max * sizeof(tr_msg *));
    if (more == NULL)
        return false;
    blocks->free = more;
    blocks->max = max;
    return true;
}

void tr__blocks_clear(tr__blocks *blocks)
{
    while (blocks->count > 0)
        tr__free(blocks->free[--blocks->count]);
    tr__free(blocks->free);
    for (tr_msg *msg; (msg = blocks->wide) != NULL;) {
        blocks->wide = msg->next;
        tr__free(msg);
    }
    *blocks = (tr__blocks){0};
}

// ---- Those with a stamp ----

#define WIDE_SIZE 192u
#define WIDE_MAX  (BLOCKS_MAX / 2)

tr_msg *tr__msg_alloc_wide(tr__blocks *blocks, size_t size)
{
    tr_msg *msg = blocks == NULL || size > WIDE_SIZE ? NULL : blocks->wide;
    if (msg == NULL)
        return tr__alloc(size > WIDE_SIZE ? size : WIDE_SIZE);
    blocks->wide = msg->next;
    blocks->wide_count--;
    return msg;
}

void tr__msg_drop(tr__blocks *blocks, tr_msg *msg)
{
    bool wide = blocks != NULL && msg->stamped && !msg->block &&
                blocks->wide_count + 1 <= WIDE_MAX; // which may be 0
    if (!wide || (size_t)(msg->body - (uint8_t *)msg) + msg->body_size > WIDE_SIZE) {
        tr__free(msg);
        return;
    }
    msg->next = blocks->wide;
    blocks->wide = msg;
    blocks->wide_count++;
}

// Those of the loop that runs here; NULL: none does.
static tr__blocks *blocks_here(void)
{
    return tr__loop_here == NULL ? NULL : &tr__loop_here->blocks;
}

// ---- Making one ----

// Where the extra begins: behind the name and its NUL.
static size_t extra_offset(size_t name_len)
{
    size_t align = _Alignof(max_align_t);
    return (offsetof(tr_msg, name) + name_len + 1 + align - 1) & ~(align - 1);
}

// Behind the stamp, which needs less than all that may stand there.
static size_t stamped_offset(size_t name_len)
{
    size_t align = _Alignof(max_align_t);
    return (tr__stamp_offset(name_len) + sizeof(tr__stamp) + align - 1) & ~(align - 1);
}

void *tr__msg_extra(const tr_msg *msg)
{
    return (char *)msg +
           (msg->stamped ? stamped_offset(msg->name_len) : extra_offset(msg->name_len));
}

// Whether those that are made here get a stamp.
static bool stamps_here(void)
{
    return tr__loop_here != NULL && (tr__loop_here->eyes & TR__EYE_MESSAGES) != 0;
}

static tr_msg *msg_make(const char *name, size_t name_len, size_t extra, size_t body_size)
{
    size_t body_at = extra_offset(name_len) + extra;
    if (stamps_here())
        return tr__msg_make_stamped(blocks_here(), TR_NOBODY, name, name_len,
                                    stamped_offset(name_len) + extra, body_size);
    if (extra == 0)
        body_at = offsetof(tr_msg, name) + name_len + 1;
    tr_msg *msg = tr__msg_alloc(blocks_here(), body_at + body_size);
    if (msg != NULL)
        tr__msg_init(msg, TR_NOBODY, name, name_len, body_at, body_size);
    return msg;
}

int tr__msg_new(const char *name, size_t name_len, size_t extra, size_t body_size, tr_msg **ret_msg)
{
    tr_assert(name_len > 0 && name_len <= TR_NAME_MAX && body_size <= TR_DOC_MAX);
    tr_msg *msg = msg_make(name, name_len, extra, body_size);
    if (msg == NULL)
        return TR_ENOMEM;
    if (msg->stamped)
        tr__tap_stamp(tr__loop_here, tr__msg_stamp(msg));
    if (extra > 0)
        memset(tr__msg_extra(msg), 0, extra);
    *ret_msg = msg;
    return 0;
}

int tr__msg_pack(const char *name, size_t extra, tr_val body, tr_msg **ret_msg)
{
    size_t name_len = tr__name_check(name), size;
    if (name_len == 0 || ret_msg == NULL)
        return TR_EINVAL;
    int rc = tr__doc_size(&body, &size);
    if (rc < 0)
        return rc;
    tr_msg *msg;
    rc = tr__msg_new(name, name_len, extra, size, &msg);
    if (rc < 0)
        return rc;
    tr__doc_pack(&body, (uint8_t *)msg->body);
    *ret_msg = msg;
    return 0;
}

int tr_msg_new(const char *name, tr_val body, tr_msg **ret_msg)
{
    return tr__msg_pack(name, 0, body, ret_msg);
}

tr__msg_more *tr__msg_more_of(tr_msg *msg)
{
    if (msg->more == NULL)
        msg->more = tr__zalloc(sizeof *msg->more);
    return msg->more;
}

int tr__msg_store(tr_msg *msg, tr_buf *storage, const uint8_t *body, size_t body_size)
{
    tr__msg_more *more = tr__msg_more_of(msg);
    if (more == NULL)
        return TR_ENOMEM;
    more->storage = tr_buf_ref(storage);
    msg->body = body;
    msg->body_size = (uint32_t)body_size;
    msg->weight += (uint32_t)body_size;
    return 0;
}

#define SHARE_MIN 1024u // a smaller body is copied

void tr__msg_share(tr_msg *msg)
{
    tr__msg_more *more = msg->body_size < SHARE_MIN ? NULL : tr__msg_more_of(msg);
    if (more == NULL || more->storage != NULL)
        return;
    if (tr_buf_copy(msg->body, msg->body_size, &more->storage) == 0)
        msg->body = tr_buf_data(more->storage);
}

int tr_msg_attach(tr_msg *msg, tr_buf **buf)
{
    if (msg == NULL || buf == NULL || *buf == NULL)
        return TR_EINVAL;
    const tr__cargo *cargo = tr__msg_cargo(msg);
    if (msg->buf_count + (cargo == NULL ? 0 : cargo->with_bytes) == TR_BUFS_MAX)
        return TR_EFULL;
    if (tr_buf_size(*buf) > TR_DOC_MAX - (msg->weight - msg->name_len))
        return TR_ETOOBIG;
    tr__msg_more *more = tr__msg_more_of(msg);
    if (more == NULL)
        return TR_ENOMEM;
    msg->weight += (uint32_t)tr_buf_size(*buf);
    more->bufs[msg->buf_count++] = *buf;
    *buf = NULL;
    return 0;
}

// The longest body of a notice: {"reason":"no connection","code":-2147483648}.
#define NOTICE_BODY_MAX 64

int tr__notice_new(const char *name, uint64_t monitor, tr_addr addr, tr_msg **ret_msg)
{
    tr_msg *msg;
    int rc = tr__msg_new(name, strlen(name), sizeof(tr_down), NOTICE_BODY_MAX, &msg);
    if (rc < 0)
        return rc;
    *(tr_down *)tr__msg_extra(msg) = (tr_down){.monitor = monitor, .addr = addr};
    msg->is_notice = true;
    msg->body_size = msg->weight = 0;
    msg->from = addr;
    *ret_msg = msg;
    return 0;
}

static const char *const REASON_NAMES[] = {
    [TR_REASON_NORMAL] = "normal",    [TR_REASON_SHUTDOWN] = "shutdown",
    [TR_REASON_ERROR] = "error",      [TR_REASON_KILLED] = "killed",
    [TR_REASON_EXITED] = "exited",    [TR_REASON_NOCONNECTION] = "no connection",
    [TR_REASON_NOACTOR] = "no actor",
};

tr_down *tr__notice_down(tr_msg *notice)
{
    return tr__msg_extra(notice);
}

void tr__notice_set(tr_msg *notice, tr_reason reason)
{
    tr__notice_down(notice)->reason = reason;
    tr_val body = TR_MAP("reason", REASON_NAMES[reason.kind], "code", reason.code);
    size_t size = 0;
    int rc = tr__doc_size(&body, &size);
    tr_assert(rc == 0 && size <= NOTICE_BODY_MAX);
    tr__doc_pack(&body, (uint8_t *)notice->body);
    notice->body_size = (uint32_t)size;
}

void tr__notice_up(tr_msg *notice)
{
    tr_val body = TR_MAP("addr", ((const tr_down *)tr__msg_extra(notice))->addr);
    notice->is_up = true;
    notice->body_size = (uint32_t)(tr__doc_pack(&body, (uint8_t *)notice->body) - notice->body);
    tr_assert(notice->body_size <= NOTICE_BODY_MAX);
}

const char *tr_reason_text(tr_reason reason, char *text, size_t size)
{
    const char *name =
        (unsigned)reason.kind <= TR_REASON_NOACTOR ? REASON_NAMES[reason.kind] : "unknown";
    switch (reason.kind) {
    case TR_REASON_ERROR:
    case TR_REASON_NOCONNECTION:
        snprintf(text, size, "%s: %s", name, tr_strerror(reason.code));
        break;
    case TR_REASON_KILLED:
        snprintf(text, size, "killed by signal %d%s", reason.code, reason.core ? ", core" : "");
        break;
    case TR_REASON_EXITED:
        snprintf(text, size, "exited with status %d", reason.code);
        break;
    default:
        snprintf(text, size, "%s", name);
    }
    return text;
}

static int msg_copy_bufs(const tr_msg *from, tr_msg *to)
{
    for (size_t i = 0; i < from->buf_count; i++) {
        tr_buf *buf = tr_buf_ref(from->more->bufs[i]);
        int rc = tr_msg_attach(to, &buf);
        tr_buf_unref(&buf);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int tr__msg_copy(const tr_msg *msg, size_t extra, tr_msg **ret_msg)
{
    tr_msg *copy = NULL;
    tr_buf *storage = msg->more == NULL ? NULL : msg->more->storage;
    size_t inside = storage == NULL ? msg->body_size : 0;
    int rc = tr__msg_new(msg->name, msg->name_len, extra, inside, &copy);
    if (rc < 0)
        return rc;
    copy->from = msg->from;
    memcpy((uint8_t *)copy->body, msg->body, inside);
    if (storage != NULL)
        rc = tr__msg_store(copy, storage, msg->body, msg->body_size);
    if (rc == 0)
        rc = msg_copy_bufs(msg, copy);
    if (rc == 0)
        *ret_msg = copy;
    else
        tr_msg_free(&copy);
    return rc;
}

static int notice_copy(const tr_msg *notice, tr_msg **ret_msg)
{
    const tr_down *down = tr__msg_extra(notice);
    tr_msg *copy;
    int rc = tr__notice_new(notice->name, down->monitor, down->addr, &copy);
    if (rc < 0)
        return rc;
    copy->is_exit = notice->is_exit;
    if (notice->is_up)
        tr__notice_up(copy);
    else
        tr__notice_set(copy, down->reason);
    *tr__notice_down(copy) = *down;
    *ret_msg = copy;
    return 0;
}

int tr_msg_copy(const tr_msg *msg, tr_msg **ret_msg)
{
    if (msg == NULL || ret_msg == NULL)
        return TR_EINVAL;
    return msg->is_notice && !msg->is_returned ? notice_copy(msg, ret_msg)
                                               : tr__msg_copy(msg, 0, ret_msg);
}

int tr__letter_open(const tr__letter *letter, tr_msg **ret_msg)
{
    tr_msg *msg = NULL;
    if (letter->carrier != NULL) {
        *ret_msg = *letter->carrier;
        *letter->carrier = NULL;
        return 0;
    }
    size_t extra = letter->ask == NULL ? 0 : sizeof *letter->ask;
    int rc = tr__msg_pack(letter->name, extra, letter->body, &msg);
    if (rc == 0 && extra > 0) {
        *(tr__ask_head *)tr__msg_extra(msg) = *letter->ask;
        msg->is_ask = true;
    }
    for (size_t i = 0; rc == 0 && i < letter->buf_count; i++) {
        tr_buf *buf = tr_buf_ref(letter->bufs[i]);
        rc = tr_msg_attach(msg, &buf);
        tr_buf_unref(&buf);
    }
    if (rc < 0) {
        tr_msg_free(&msg);
        return rc;
    }
    msg->from = letter->from;
    *ret_msg = msg;
    return 0;
}

void tr__msg_more_free(tr__msg_more *more)
{
    for (size_t i = 0; i < TR_BUFS_MAX; i++)
        tr_buf_unref(&more->bufs[i]);
    tr__free(more->json);
    tr_buf_unref(&more->storage);
    tr__cargo_free(&more->cargo);
    tr__free(more);
}

void tr_msg_free(tr_msg **msg)
{
    if (msg == NULL || *msg == NULL)
        return;
    tr_msg *gone = *msg;
    *msg = NULL;
    tr__msg_release(blocks_here(), gone);
}

const char *tr_msg_name(const tr_msg *msg)
{
    return msg->is_returned ? RETURNED : msg->name;
}

bool tr_msg_is(const tr_msg *msg, const char *name)
{
    size_t len = strlen(name);
    if (msg->is_returned)
        return strcmp(name, RETURNED) == 0;
    return len == msg->name_len && memcmp(msg->name, name, len) == 0;
}

tr_addr tr_msg_from(const tr_msg *msg)
{
    return msg->from;
}

const tr_down *tr_msg_down(const tr_msg *msg)
{
    bool down = msg->is_notice && !msg->is_exit && !msg->is_up && !msg->is_returned;
    return down ? tr__msg_extra(msg) : NULL;
}

const tr_down *tr_msg_exit(const tr_msg *msg)
{
    return msg->is_exit ? tr__msg_extra(msg) : NULL;
}

const tr_down *tr_msg_up(const tr_msg *msg)
{
    return msg->is_up ? tr__msg_extra(msg) : NULL;
}

tr_val tr_msg_body(const tr_msg *msg)
{
    tr_val body;
    tr__doc_view(msg->body, &body);
    return body;
}

const char *tr_msg_json(const tr_msg *msg)
{
    tr__msg_more *more = tr__msg_more_of((tr_msg *)msg);
    if (more != NULL && more->json == NULL)
        tr_json_print(tr_msg_body(msg), &more->json);
    return more == NULL ? NULL : more->json;
}

size_t tr_msg_buf_count(const tr_msg *msg)
{
    return msg->buf_count;
}

tr_buf *tr_msg_buf(const tr_msg *msg, size_t i)
{
    return i < msg->buf_count ? msg->more->bufs[i] : NULL;
}
