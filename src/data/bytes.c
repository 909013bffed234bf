// Bytes compared, searched, written and shown. The C library does most of the work.
//
// Searching is the exception. glibc's memmem looks at each place by itself where what is searched
// for is short; memchr for its first byte is many times faster as long as that byte is rare. So we
// begin with memchr, and leave the rest to memmem, which takes linear time always, once the places
// that were tried in vain have cost more than the bytes that were passed over.
#include <stdio.h>
#include <string.h>
#include <troupe/bytes.h>

#define INSPECT_BYTES 50u
#define FIND_PATIENCE 256u // bytes' worth of tries in vain that are always free

// ---- Comparing and searching ----

int tr_bytes_compare(tr_bytes a, tr_bytes b)
{
    size_t both = a.len < b.len ? a.len : b.len;
    int order = both > 0 ? memcmp(a.ptr, b.ptr, both) : 0;
    if (order == 0)
        return (a.len > b.len) - (a.len < b.len);
    return order < 0 ? -1 : 1;
}

// The first place of what, not longer than from here to the end, or NULL.
static const char *bytes_find(const char *at, const char *end, tr_bytes what)
{
    const char *last = end - what.len; // where it may begin
    size_t vain = 0;
    for (const char *begin = at; at <= last; at++) {
        if (vain > (size_t)(at - begin) + FIND_PATIENCE)
            return memmem(at, (size_t)(end - at), what.ptr, what.len);
        at = memchr(at, *(const char *)what.ptr, (size_t)(last - at) + 1);
        if (at == NULL || memcmp(at, what.ptr, what.len) == 0)
            return at;
        vain += 16 + what.len; // a call to memchr, and comparing
    }
    return NULL;
}

size_t tr_bytes_find(tr_bytes bytes, tr_bytes what, size_t from)
{
    if (from > bytes.len)
        from = bytes.len;
    if (what.len == 0 || what.len > bytes.len - from)
        return what.len == 0 ? from : TR_NOWHERE;
    const char *begin = bytes.ptr;
    const char *at = bytes_find(begin + from, begin + bytes.len, what);
    return at != NULL ? (size_t)(at - begin) : TR_NOWHERE;
}

size_t tr_bytes_find_last(tr_bytes bytes, tr_bytes what, size_t from)
{
    if (what.len > bytes.len)
        return TR_NOWHERE;
    size_t last = bytes.len - what.len; // where it may begin
    if (from < last)
        last = from;
    if (what.len == 0)
        return last;
    const char *begin = bytes.ptr, *at = begin + last + 1;
    while ((at = memrchr(begin, *(const char *)what.ptr, (size_t)(at - begin))) != NULL &&
           memcmp(at, what.ptr, what.len) != 0)
        continue;
    return at != NULL ? (size_t)(at - begin) : TR_NOWHERE;
}

// ---- Writing ----

size_t tr_room_copy(tr_room to, tr_bytes from)
{
    size_t size = from.len < to.len ? from.len : to.len;
    if (size > 0)
        memmove(to.ptr, from.ptr, size);
    return size;
}

int tr_room_fill(tr_room to, tr_bytes pattern)
{
    if ((to.ptr == NULL && to.len > 0) || (pattern.ptr == NULL && pattern.len > 0))
        return TR_EINVAL;
    if (to.len == 0)
        return 0;
    if (pattern.len <= 1) {
        memset(to.ptr, pattern.len == 1 ? *(const unsigned char *)pattern.ptr : 0, to.len);
        return 0;
    }
    // What is written already is the pattern for the rest, so each copy is twice the one before.
    size_t done = tr_room_copy(to, pattern);
    while (done < to.len)
        done += tr_room_copy(tr_room_of((char *)to.ptr + done, to.len - done),
                             tr_bytes_of(to.ptr, done));
    return 0;
}

static void bytes_swap16(char *at)
{
    uint16_t number;
    memcpy(&number, at, sizeof number);
    number = __builtin_bswap16(number);
    memcpy(at, &number, sizeof number);
}

static void bytes_swap32(char *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    number = __builtin_bswap32(number);
    memcpy(at, &number, sizeof number);
}

static void bytes_swap64(char *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    number = __builtin_bswap64(number);
    memcpy(at, &number, sizeof number);
}

int tr_room_swap(tr_room numbers, size_t width)
{
    if ((width != 2 && width != 4 && width != 8) || numbers.len % width != 0 ||
        (numbers.ptr == NULL && numbers.len > 0))
        return TR_EINVAL;
    char *at = numbers.ptr, *end = at + numbers.len;
    // A loop for each width, so that the compiler makes many at once.
    if (width == 2)
        for (; at < end; at += 2)
            bytes_swap16(at);
    else if (width == 4)
        for (; at < end; at += 4)
            bytes_swap32(at);
    else
        for (; at < end; at += 8)
            bytes_swap64(at);
    return 0;
}

// ---- For people ----

const char *tr_bytes_inspect(tr_bytes bytes, char *text, size_t size)
{
    char all[TR_INSPECT_MAX] = "<Buffer ";
    size_t used = strlen(all), shown = bytes.len < INSPECT_BYTES ? bytes.len : INSPECT_BYTES;
    for (size_t i = 0; i < shown; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%02x", i > 0 ? " " : "",
                                 ((const unsigned char *)bytes.ptr)[i]);
    if (shown < bytes.len)
        used += (size_t)snprintf(all + used, sizeof all - used, " ... %zu more byte%s",
                                 bytes.len - shown, bytes.len - shown > 1 ? "s" : "");
    snprintf(all + used, sizeof all - used, ">");
    if (text != NULL && size > 0)
        snprintf(text, size, "%s", all);
    return text;
}
