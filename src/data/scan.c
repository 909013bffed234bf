// The check that everything from outside passes before anything else looks at it.
//
// One pass, no recursion, no memory. Two facts are enough to bound it: `owed`, the items that the
// heads read so far have promised and that have not come yet, and for each open list or map the
// value of owed at which it is complete. Every item takes at least one byte, so a document that
// owes more items than there are bytes left is cut or lies, and is refused at the very head that
// promised too much. Whoever builds an object tree afterwards cannot be made to reserve more than
// some multiple of the bytes that are really there.
#include "base/assert.h"
#include "data/wire.h"

int tr__items_scan(const uint8_t *bytes, size_t size, uint64_t items, unsigned depth,
                   size_t *ret_used)
{
    tr_assert(depth <= TR_DEPTH_MAX);
    uint64_t complete[TR_DEPTH_MAX + 1];
    uint64_t owed = items;
    unsigned level = depth;
    size_t at = 0;

    while (owed > 0) {
        tr__head head;
        if (owed > size - at || !tr__head_read(bytes + at, size - at, &head))
            return TR_EBADMSG;
        at += head.size;
        while (level > depth && owed == complete[level])
            level--;
        owed--;
        if (tr__type_is_container(head.type)) {
            if (level == TR_DEPTH_MAX)
                return TR_ETOODEEP;
            complete[++level] = owed;
            owed += tr__items(head.type, head.len);
        } else {
            if (head.len > size - at || (head.type == TR_TYPE_ADDR && head.len != TR__ADDR_BYTES))
                return TR_EBADMSG;
            at += head.len;
        }
    }
    *ret_used = at;
    return 0;
}

int tr__doc_scan(const uint8_t *bytes, size_t size, size_t *ret_used)
{
    return tr__items_scan(bytes, size, 1, 0, ret_used);
}

int tr_val_unpack(const void *bytes, size_t size, tr_val *ret_value)
{
    if (bytes == NULL || ret_value == NULL)
        return TR_EINVAL;
    if (size > TR_DOC_MAX)
        return TR_ETOOBIG;
    size_t used;
    int rc = tr__doc_scan(bytes, size, &used);
    if (rc < 0)
        return rc;
    if (used < size)
        return TR_EBADMSG;
    tr__doc_head(bytes, ret_value);
    return 0;
}
