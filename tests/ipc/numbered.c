#include "ipc/numbered.h"

#include <stdlib.h>

static uint64_t word_of(uint64_t number, size_t i)
{
    return (number + 1) * 0x9e3779b97f4a7c15u + i;
}

static void fill(uint64_t *words, size_t bytes, uint64_t number)
{
    for (size_t i = 0; i < bytes / sizeof *words; i++)
        words[i] = word_of(number, i);
}

static bool is_filled(const void *at, size_t bytes, uint64_t number)
{
    for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
        uint64_t word;
        memcpy(&word, (const char *)at + i * sizeof word, sizeof word);
        if (word != word_of(number, i))
            return false;
    }
    return true;
}

static int send_buffer(tr_actor *self, tr_addr to, size_t bytes, uint64_t number)
{
    tr_buf *buf = NULL;
    tr_msg *msg = NULL;
    int rc = tr_buf_new(bytes, &buf);
    if (rc == 0) {
        fill(tr_buf_data(buf), bytes, number);
        rc = tr_msg_new("numbered", TR_MAP("n", number), &msg);
    }
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_msg_free(&msg);
    tr_buf_unref(&buf);
    return rc;
}

static int send_document(tr_actor *self, tr_addr to, size_t bytes, uint64_t number)
{
    uint64_t *words = malloc(bytes);
    if (words == NULL)
        return TR_ENOMEM;
    fill(words, bytes, number);
    int rc =
        tr_send(self, to, "numbered", TR_MAP("n", number, "bytes", ((tr_bytes){words, bytes})));
    free(words);
    return rc;
}

int numbered_send(tr_actor *self, tr_addr to, enum shape shape, size_t bytes, uint64_t number)
{
    switch (shape) {
    case BUFFER:
        return send_buffer(self, to, bytes, number);
    case DOCUMENT:
        return send_document(self, to, bytes, number);
    default:
        return tr_send(self, to, "numbered", TR_MAP("n", number));
    }
}

bool numbered_is(const tr_msg *msg, size_t bytes, uint64_t number)
{
    uint64_t n;
    tr_bytes inside = {NULL, 0};
    if (!tr_msg_is(msg, "numbered") || tr_get_uint(tr_msg_body(msg), "n", &n) < 0 || n != number)
        return false;
    const tr_buf *buf = tr_msg_buf(msg, 0);
    if (buf != NULL)
        inside = (tr_bytes){tr_buf_data(buf), tr_buf_size(buf)};
    else
        tr_get_bin(tr_msg_body(msg), "bytes", &inside);
    return inside.len == bytes && is_filled(inside.ptr, bytes, number);
}
