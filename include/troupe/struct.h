/* Typed messages: a C struct that is a document, too. C11.
 *
 * One declaration, in a header that sender and receiver share,
 *
 *     #define ORDER(FIELD)                        \
 *         FIELD(uint64_t, id)                     \
 *         FIELD(tr_str, customer)                 \
 *         FIELD(struct point, where)              \
 *         FIELD(char, currency, TR_TEXT(4))       \
 *         FIELD(double, prices, TR_ITEMS(8))      \
 *         FIELD(tr_str, note, TR_OPTIONAL)
 *     TR_STRUCT(order, ORDER);
 *
 * gives struct order and two functions:
 *
 *     tr_val order_val(const struct order *order);
 *
 * The struct as a document, to be sent, packed, printed as JSON, read. It is a view: nothing is
 * copied until it is packed, which sending does; the struct must stay as it is until then.
 *
 *     int order_read(tr_val doc, struct order *ret_order);
 *
 * A document into a struct. returns: 0; TR_EBADMSG when a key is missing, or a value has another
 * type, is out of range or does not fit; nothing is written then. Text, bytes and documents in the
 * struct are views of doc: they live as long as the message. Keys that the struct does not know are
 * passed over, and of equal keys the first counts, so that a newer sender may say more.
 *
 * In the document a struct is a map, its keys are the fields' names. Types of fields:
 *
 *     bool, every integer type, float, double    a number must fit; floating point takes integers
 *     enum x                                     as its integer; whether it is one of x is
 *                                                yours to check
 *     tr_str, tr_bytes, tr_addr                  {NULL, 0} is empty text or bytes
 *     tr_val                                     any document
 *     struct x                                   one that TR_STRUCT has declared before
 *
 * Any other type does not compile. And the ways in which a field may be there: */
#ifndef TROUPE_STRUCT_H
#define TROUPE_STRUCT_H

#include <troupe/val.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Absent or null reads as zero. All fields are sent, zero or not. Where it matters whether one was
 * there, make it a tr_val: absent is null. */
#define TR_OPTIONAL TR__ONE, 0, 1

/* An array of char: NUL-terminated text of at most size - 1 bytes. Copied, so it outlives the
 * message. Text with a NUL inside does not fit. */
#define TR_TEXT(size)          TR__TEXT, size, 0
#define TR_OPTIONAL_TEXT(size) TR__TEXT, size, 1

/* A list of up to max items: an array, and their number in size_t NAME_count. */
#define TR_ITEMS(max)          TR__LIST, max, 0
#define TR_OPTIONAL_ITEMS(max) TR__LIST, max, 1

/* The tables that TR_STRUCT makes; the members are not API. */
typedef struct tr_struct_type tr_struct_type;

typedef struct tr_member {
    const char *name;
    size_t name_len;
    tr_field_type type;                /* of one item, if it is a list, */
    const tr_struct_type *(*of)(void); /* where that is TR_FIELD_STRUCT: which */
    size_t size;                       /* of one item */
    size_t offset;
    size_t count_offset; /* of a list's count */
    size_t max;          /* 0: no list */
    bool optional;
} tr_member;

struct tr_struct_type {
    size_t size;
    size_t count;
    const tr_member *members;
};

/* What NAME_val does, by the struct's table, which NAME_type() returns. A list with more items than
 * its array, or an array of char without a NUL, makes packing fail with TR_EINVAL; so does NULL for
 * data.
 * borrows: type, data, for as long as the value is used */
TR_API tr_val tr_struct_val(const tr_struct_type *type, const void *data);

/* What NAME_read does with a struct of its own, to copy it when all has gone well: fill the struct
 * at data, member by member.
 * returns: 0; TR_EBADMSG as NAME_read, and the struct is half filled; TR_EINVAL */
TR_API int tr_struct_fill(const tr_struct_type *type, tr_val doc, void *data);

#ifdef __cplusplus
}
#endif

/* ---- C11 only ---- */

#define TR_STRUCT(tag, fields)                                                                     \
    struct tag {                                                                                   \
        fields(TR__DECLARE)                                                                        \
    };                                                                                             \
    TR__UNUSED static inline const tr_struct_type *tag##_type(void)                                \
    {                                                                                              \
        typedef struct tag tr__self;                                                               \
        static const tr_member tr__members[] = {fields(TR__MEMBER)};                               \
        static const tr_struct_type tr__type = {                                                   \
            sizeof(tr__self), sizeof tr__members / sizeof *tr__members, tr__members};              \
        return &tr__type;                                                                          \
    }                                                                                              \
    TR__UNUSED static inline tr_val tag##_val(const struct tag *tr__data)                          \
    {                                                                                              \
        return tr_struct_val(tag##_type(), tr__data);                                              \
    }                                                                                              \
    TR__UNUSED static inline int tag##_read(tr_val tr__doc, struct tag *ret_##tag)                 \
    {                                                                                              \
        struct tag tr__read;                                                                       \
        int tr__rc =                                                                               \
            ret_##tag != NULL ? tr_struct_fill(tag##_type(), tr__doc, &tr__read) : TR_EINVAL;      \
        if (tr__rc == 0)                                                                           \
            *ret_##tag = tr__read;                                                                 \
        return tr__rc;                                                                             \
    }                                                                                              \
    struct tag

#define TR__UNUSED __attribute__((unused))

/* The machinery. FIELD(type, name[, how]) is taken apart into type, name, shape, n, optional; then
 * the shape declares the member, and describes it where tr__self is the struct. */
#define TR__DECLARE(...)                        TR__DECLARE_(__VA_ARGS__, TR__ONE, 0, 0)
#define TR__DECLARE_(type, name, shape, n, ...) shape##_DECLARE(type, name, n)
#define TR__ONE_DECLARE(type, name, n)          type name;
#define TR__TEXT_DECLARE(type, name, n)         type name[n];
#define TR__LIST_DECLARE(type, name, n)                                                            \
    type name[n];                                                                                  \
    size_t name##_count;

#define TR__MEMBER(...) TR__MEMBER_(__VA_ARGS__, TR__ONE, 0, 0, ~)
#define TR__MEMBER_(type, name, shape, n, optional, ...)                                           \
    {#name, sizeof #name - 1, shape##_MEMBER(type, name, n), optional},
#define TR__ONE_MEMBER(type, name, n) TR__ITEM(type), sizeof(type), offsetof(tr__self, name), 0, 0
#define TR__TEXT_MEMBER(type, name, n)                                                             \
    _Generic((type *)0, char * : TR_FIELD_TEXT), NULL, n, offsetof(tr__self, name), 0, 0
#define TR__LIST_MEMBER(type, name, n)                                                             \
    TR__ITEM(type), sizeof(type), offsetof(tr__self, name), offsetof(tr__self, name##_count), n

/* Type and table of an item. `struct x` is told from the rest by what TR__TAG_ and it make: two
 * arguments. */
#define TR__ITEM(type)           TR__ITEM_(TR__TAG_##type, type)
#define TR__ITEM_(...)           TR__CAT(TR__ITEM_, TR__COUNT(__VA_ARGS__))(__VA_ARGS__)
#define TR__TAG_struct           ~,
#define TR__ITEM_3(_, tag, type) TR_FIELD_STRUCT, tag##_type
#define TR__ITEM_2(_, type)                                                                        \
    _Generic((type *)0,                                                                            \
        TR__FIELD_TYPES,                                                                           \
        char *: (char)-1 < 0 ? TR_FIELD_INT : TR_FIELD_UINT,                                       \
        signed char *: TR_FIELD_INT,                                                               \
        unsigned char *: TR_FIELD_UINT),                                                           \
        NULL

#endif
