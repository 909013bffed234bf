// What an actor with a spec does with it: the struct reaches it as its arguments, packed as bytes
// with all that it points to beside it. So nothing has to be freed by hand if the actor never
// starts. Such arguments come only from a spawn on the same node: no message carries a pointer.
#ifndef TROUPE_ACTORS_SPEC_H
#define TROUPE_ACTORS_SPEC_H

#include <troupe.h>

// Zeros where the caller's struct is shorter than ours. Returns whether its size can be.
static inline bool tr__spec_copy(void *to, size_t size, const void *from)
{
    size_t given = size;
    if (from != NULL)
        memcpy(&given, from, sizeof given);
    memset(to, 0, size);
    if (from != NULL)
        memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof size);
    return given >= sizeof given;
}

static inline void tr__spec_default(uint32_t *value, uint32_t standard)
{
    if (*value == 0)
        *value = standard;
}

static inline tr_val tr__spec_bytes(const void *ptr, size_t size)
{
    return tr_val_bin((tr_bytes){ptr, size});
}

// With its NUL, so that it can be used where it lies.
static inline tr_val tr__spec_text(const char *text)
{
    return tr__spec_bytes(text, text == NULL ? 0 : strlen(text) + 1);
}

// What one of those has become; NULL where there was nothing.
static inline const void *tr__spec_at(tr_val list, size_t i)
{
    tr_val item = TR_NULL;
    tr_bytes bytes = {NULL, 0};
    tr_at(list, i, &item);
    tr_as_bin(item, &bytes);
    return bytes.ptr;
}

// Keep the arguments, and view them.
static inline int tr__spec_keep(const tr_val *args, tr_buf **ret_doc, tr_val *ret_view)
{
    int rc = tr_val_pack(*args, ret_doc);
    return rc < 0 ? rc : tr_val_unpack(tr_buf_data(*ret_doc), tr_buf_size(*ret_doc), ret_view);
}

#endif
