// Goal:   what a struct packs, its own reader takes and gives back the same; anything else that
//         comes is either read with every field as the document says, or refused with nothing
//         written.
// Method: one schema with every kind of field; each way to be wrong by hand; then seeded random
//         documents, and good ones that are broken in one place.
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/memory.h>
#include <troupe/struct.h>

#include "support/cmocka.h"
#include "support/document.h"

enum colour { RED, GREEN };

#define POINT(FIELD) FIELD(int32_t, x) FIELD(int32_t, y)
TR_STRUCT(point, POINT);

#define NUMBERS(FIELD)                                                                             \
    FIELD(bool, b)                                                                                 \
    FIELD(char, c)                                                                                 \
    FIELD(int8_t, i8)                                                                              \
    FIELD(uint8_t, u8)                                                                             \
    FIELD(int16_t, i16)                                                                            \
    FIELD(uint16_t, u16)                                                                           \
    FIELD(int32_t, i32)                                                                            \
    FIELD(uint32_t, u32)                                                                           \
    FIELD(int64_t, i64)                                                                            \
    FIELD(uint64_t, u64)                                                                           \
    FIELD(long long, ll)                                                                           \
    FIELD(unsigned long long, ull)                                                                 \
    FIELD(enum colour, colour)                                                                     \
    FIELD(float, f)                                                                                \
    FIELD(double, d)
TR_STRUCT(numbers, NUMBERS);

#define ORDER(FIELD)                                                                               \
    FIELD(uint64_t, id)                                                                            \
    FIELD(tr_str, customer)                                                                        \
    FIELD(tr_bytes, key)                                                                           \
    FIELD(tr_addr, seller)                                                                         \
    FIELD(tr_val, extra)                                                                           \
    FIELD(char, currency, TR_TEXT(4))                                                              \
    FIELD(struct point, where)                                                                     \
    FIELD(int16_t, counts, TR_ITEMS(3))                                                            \
    FIELD(struct point, path, TR_ITEMS(2))                                                         \
    FIELD(int, rank, TR_OPTIONAL)                                                                  \
    FIELD(tr_str, note, TR_OPTIONAL)                                                               \
    FIELD(tr_val, more, TR_OPTIONAL)                                                               \
    FIELD(struct point, from, TR_OPTIONAL)                                                         \
    FIELD(char, code, TR_OPTIONAL_TEXT(8))                                                         \
    FIELD(tr_str, tags, TR_OPTIONAL_ITEMS(2))
TR_STRUCT(order, ORDER);

// One field each, to be wrong in one way at a time.
#define SMALL(FIELD) FIELD(int8_t, v)
TR_STRUCT(small, SMALL);
#define UNSIGNED(FIELD) FIELD(uint16_t, v)
TR_STRUCT(natural, UNSIGNED);
#define SINGLE(FIELD) FIELD(float, v)
TR_STRUCT(single, SINGLE);
#define TEXT(FIELD) FIELD(char, v, TR_TEXT(4))
TR_STRUCT(text, TEXT);
#define LIST(FIELD) FIELD(int, v, TR_ITEMS(2))
TR_STRUCT(list, LIST);
#define INNER(FIELD) FIELD(struct point, v)
TR_STRUCT(inner, INNER);
#define ANY(FIELD) FIELD(tr_val, v)
TR_STRUCT(any, ANY);

static struct order full(void)
{
    return (struct order){
        .id = UINT64_MAX,
        .customer = {"ann", 3},
        .key = {"\0\1", 2},
        .seller = {3, 4},
        .extra = TR_V(7),
        .currency = "EUR",
        .where = {INT32_MIN, INT32_MAX},
        .counts = {-1, 0, 32767},
        .counts_count = 3,
        .path = {{1, 2}, {3, 4}},
        .path_count = 2,
        .rank = -5,
        .note = {"soon", 4},
        .more = TR_V("any"),
        .from = {5, 6},
        .code = "A-1",
        .tags = {{"a", 1}},
        .tags_count = 1,
    };
}

// The packed form of a document, and the view of it.
static tr_val packed_view(tr_val doc, tr_buf **ret_packed)
{
    tr_val view;
    assert_int_equal(tr_val_pack(doc, ret_packed), 0);
    assert_int_equal(tr_val_unpack(tr_buf_data(*ret_packed), tr_buf_size(*ret_packed), &view), 0);
    return view;
}

static void a_struct_is_a_document(void **state)
{
    (void)state;
    struct order order = full();
    tr_val by_hand =
        TR_MAP("id", UINT64_MAX, "customer", "ann", "key", ((tr_bytes){"\0\1", 2}), "seller",
               ((tr_addr){3, 4}), "extra", 7, "currency", "EUR", "where",
               TR_MAP("x", INT32_MIN, "y", INT32_MAX), "counts", TR_LIST(-1, 0, 32767), "path",
               TR_LIST(TR_MAP("x", 1, "y", 2), TR_MAP("x", 3, "y", 4)), "rank", -5, "note", "soon",
               "more", "any", "from", TR_MAP("x", 5, "y", 6), "code", "A-1", "tags", TR_LIST("a"));
    assert_true(document_same(order_val(&order), by_hand));
    tr_buf *packed = NULL, *same = NULL;
    assert_true(document_same(packed_view(TR_LIST(order_val(&order)), &packed), TR_LIST(by_hand)));
    packed_view(TR_LIST(by_hand), &same);
    assert_int_equal(tr_buf_size(packed), tr_buf_size(same));
    assert_memory_equal(tr_buf_data(packed), tr_buf_data(same), tr_buf_size(same));
    tr_buf_unref(&packed);
    tr_buf_unref(&same);
}

static void a_struct_is_searched_like_a_map(void **state)
{
    (void)state;
    struct order order = full();
    tr_val doc = order_val(&order), counts, second;
    tr_str currency;
    int x;
    assert_int_equal(tr_val_count(doc), 15);
    assert_int_equal(TR_READ(doc, "currency", &currency, "where", &second, "counts", &counts), 0);
    assert_true(tr_str_eq(currency, "EUR"));
    assert_int_equal(TR_READ(second, "x", &x), 0);
    assert_int_equal(x, INT32_MIN);
    assert_int_equal(tr_at(counts, 2, &second), 0);
    assert_int_equal(second.as.i, 32767);
    assert_int_equal(tr_at(counts, 3, &second), TR_ENOENT);
    assert_int_equal(tr_get(doc, "none", &second), TR_ENOENT);
}

static void what_is_packed_is_read(void **state)
{
    (void)state;
    struct order order = full(), got;
    tr_buf *packed = NULL;
    assert_int_equal(order_read(packed_view(order_val(&order), &packed), &got), 0);
    assert_true(document_same(order_val(&got), order_val(&order)));
    assert_int_equal(order_read(order_val(&order), &got), 0);
    assert_true(document_same(order_val(&got), order_val(&order)));
    tr_buf_unref(&packed);
}

// All that was left out is zero, and goes through; text that is NULL is empty.
static void a_zero_struct_goes_through(void **state)
{
    (void)state;
    struct order zero = {.id = 0}, got;
    tr_buf *packed = NULL;
    memset(&got, 1, sizeof got);
    assert_int_equal(order_read(packed_view(order_val(&zero), &packed), &got), 0);
    assert_true(document_same(order_val(&got), order_val(&zero)));
    assert_int_equal(got.customer.len, 0);
    assert_int_equal(got.extra.type, TR_TYPE_NULL);
    tr_buf_unref(&packed);
}

static void the_limits_of_every_number_fit(void **state)
{
    (void)state;
    const struct numbers limits[] = {{true, CHAR_MAX, INT8_MAX, UINT8_MAX, INT16_MAX, UINT16_MAX,
                                      INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX, LLONG_MAX,
                                      ULLONG_MAX, GREEN, FLT_MAX, DBL_MAX},
                                     {false, CHAR_MIN, INT8_MIN, 0, INT16_MIN, 0, INT32_MIN, 0,
                                      INT64_MIN, 0, LLONG_MIN, 0, RED, -INFINITY, -DBL_MIN}};
    for (size_t i = 0; i < 2; i++) {
        const struct numbers *in = &limits[i];
        struct numbers got;
        tr_buf *packed = NULL;
        assert_int_equal(numbers_read(packed_view(numbers_val(in), &packed), &got), 0);
        assert_true(got.b == in->b && got.c == in->c && got.i8 == in->i8 && got.u8 == in->u8);
        assert_true(got.i16 == in->i16 && got.u16 == in->u16 && got.i32 == in->i32);
        assert_true(got.u32 == in->u32 && got.i64 == in->i64 && got.u64 == in->u64);
        assert_true(got.ll == in->ll && got.ull == in->ull && got.colour == in->colour);
        assert_true(got.f == in->f && got.d == in->d);
        tr_buf_unref(&packed);
    }
}

// NAME_read refuses {"v": value}, as built and as packed, and leaves the struct as it was.
#define assert_refused(name, value)                                                                \
    do {                                                                                           \
        struct name kept, before;                                                                  \
        tr_buf *packed = NULL;                                                                     \
        memset(&kept, 0x5a, sizeof kept);                                                          \
        before = kept;                                                                             \
        tr_val built = TR_MAP("v", value), view = packed_view(built, &packed);                     \
        assert_int_equal(name##_read(built, &kept), TR_EBADMSG);                                   \
        assert_int_equal(name##_read(view, &kept), TR_EBADMSG);                                    \
        assert_memory_equal(&kept, &before, sizeof kept);                                          \
        tr_buf_unref(&packed);                                                                     \
    } while (0)

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    assert_refused(small, 128);
    assert_refused(small, -129);
    assert_refused(small, UINT64_MAX);
    assert_refused(small, 1.0);
    assert_refused(small, "1");
    assert_refused(small, TR_NULL);
    assert_refused(natural, -1);
    assert_refused(natural, 65536);
    assert_refused(single, 2.0 * FLT_MAX);
    assert_refused(single, TR_TRUE);
    assert_refused(text, "four");
    assert_refused(text, ((tr_str){"a\0b", 3}));
    assert_refused(text, ((tr_bytes){"abc", 3}));
    assert_refused(list, TR_LIST(1, 2, 3));
    assert_refused(list, TR_LIST(1, "2"));
    assert_refused(list, TR_MAP("a", 1));
    assert_refused(list, 1);
    assert_refused(inner, TR_MAP("x", 1));
    assert_refused(inner, TR_LIST(1, 2));
    assert_refused(inner, TR_NULL);
}

static void only_a_map_with_every_required_key_is_read(void **state)
{
    (void)state;
    struct point kept = {7, 8};
    assert_int_equal(point_read(TR_MAP("x", 1), &kept), TR_EBADMSG);
    assert_int_equal(point_read(TR_MAP("y", 1), &kept), TR_EBADMSG);
    assert_int_equal(point_read(TR_EMPTY_MAP, &kept), TR_EBADMSG);
    assert_int_equal(point_read(TR_LIST("x", 1, "y", 2), &kept), TR_EBADMSG);
    assert_int_equal(point_read(TR_NULL, &kept), TR_EBADMSG);
    assert_true(kept.x == 7 && kept.y == 8);
}

static void keys_come_in_any_order_with_others_between(void **state)
{
    (void)state;
    const tr_val docs[] = {
        TR_MAP("y", 2, "x", 1), TR_MAP("new", TR_LIST(1), "x", 1, "newer", TR_NULL, "y", 2),
        TR_MAP("x", 1, "x", "again", "y", 2, "y", "again"), TR_MAP("y", 2, "x", 1, "y", 3, "x", 4)};
    for (size_t i = 0; i < sizeof docs / sizeof *docs; i++) {
        struct point got = {0, 0};
        tr_buf *packed = NULL;
        assert_int_equal(point_read(packed_view(docs[i], &packed), &got), 0);
        assert_true(got.x == 1 && got.y == 2);
        tr_buf_unref(&packed);
    }
}

static void optional_fields_may_be_absent_or_null(void **state)
{
    (void)state;
    tr_val where = TR_MAP("x", 1, "y", 2);
#define REQUIRED                                                                                   \
    "id", 1, "customer", "c", "key", ((tr_bytes){"k", 1}), "seller", TR_NOBODY, "extra", 1,        \
        "currency", "EUR", "where", where, "counts", TR_EMPTY_LIST, "path", TR_EMPTY_LIST
    const tr_val docs[] = {TR_MAP(REQUIRED),
                           TR_MAP(REQUIRED, "rank", TR_NULL, "note", TR_NULL, "more", TR_NULL,
                                  "from", TR_NULL, "code", TR_NULL, "tags", TR_NULL)};
    for (size_t i = 0; i < 2; i++) {
        struct order got;
        memset(&got, 0x5a, sizeof got);
        assert_int_equal(order_read(docs[i], &got), 0);
        assert_true(got.rank == 0 && got.note.len == 0 && got.more.type == TR_TYPE_NULL);
        assert_true(got.from.x == 0 && got.from.y == 0 && got.code[0] == '\0');
        assert_int_equal(got.tags_count, 0);
    }
    struct order kept = {.id = 9};
    assert_int_equal(order_read(TR_MAP(REQUIRED, "rank", "high"), &kept), TR_EBADMSG);
    assert_int_equal(kept.id, 9);
}

// A struct that no reader would take does not get out.
static void a_broken_struct_is_not_packed(void **state)
{
    (void)state;
    struct list list = {.v_count = 3};
    struct text text = {.v = {'f', 'o', 'u', 'r'}};
    struct order order = full();
    tr_buf *packed = NULL;
    char *json = NULL;
    tr_str s;
    assert_int_equal(tr_val_pack(list_val(&list), &packed), TR_EINVAL);
    assert_int_equal(tr_val_pack(text_val(&text), &packed), TR_EINVAL);
    assert_int_equal(tr_json_print(text_val(&text), &json), TR_EINVAL);
    assert_int_equal(tr_get_str(text_val(&text), "v", &s), TR_EBADMSG);
    assert_int_equal(tr_val_pack(order_val(NULL), &packed), TR_EINVAL);
    order.note = (tr_str){NULL, 1};
    assert_int_equal(tr_val_pack(order_val(&order), &packed), TR_EINVAL);
    order.note = (tr_str){"", (size_t)UINT32_MAX + 1};
    assert_int_equal(tr_val_pack(order_val(&order), &packed), TR_ETOOBIG);
    assert_null(packed);
}

static void a_struct_counts_in_the_depth(void **state)
{
    (void)state;
    struct inner inner = {.v = {1, 2}};
    tr_val levels[TR_DEPTH_MAX];
    tr_buf *packed = NULL;
    levels[0] = inner_val(&inner); // two deep
    for (size_t i = 1; i < TR_DEPTH_MAX; i++)
        levels[i] = tr_val_list(&levels[i - 1], 1);
    assert_int_equal(tr_val_pack(levels[TR_DEPTH_MAX - 1], &packed), TR_ETOODEEP);
    assert_int_equal(tr_val_pack(levels[TR_DEPTH_MAX - 2], &packed), 0);
    tr_buf_unref(&packed);

    struct any loop;
    loop.v = any_val(&loop);
    assert_int_equal(tr_val_pack(any_val(&loop), &packed), TR_ETOODEEP);
}

static void a_struct_goes_to_json_and_back(void **state)
{
    (void)state;
    struct inner inner = {.v = {1, -2}}, got;
    char *text = NULL;
    tr_buf *packed = NULL;
    tr_val doc;
    assert_int_equal(tr_json_print(inner_val(&inner), &text), 0);
    assert_string_equal(text, "{\"v\":{\"x\":1,\"y\":-2}}");
    assert_int_equal(tr_json_parse(text, strlen(text), &packed), 0);
    assert_int_equal(tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &doc), 0);
    assert_int_equal(inner_read(doc, &got), 0);
    assert_true(got.v.x == 1 && got.v.y == -2);
    tr_buf_unref(&packed);
    tr_free(text);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct point point = {1, 2};
    assert_int_equal(point_read(point_val(&point), NULL), TR_EINVAL);
    assert_int_equal(tr_struct_fill(NULL, point_val(&point), &point), TR_EINVAL);
    assert_int_equal(tr_struct_fill(point_type(), point_val(&point), NULL), TR_EINVAL);
    tr_buf *packed = NULL;
    assert_int_equal(tr_val_pack(tr_struct_val(NULL, &point), &packed), TR_EINVAL);
}

// ---- Random schemas and documents ----

// A struct type made at run time, its fields named a, b, c, ...
struct schema {
    tr_member members[6];
    tr_struct_type type;
};

static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

static void schema_random(document_random *r, struct schema *s)
{
    static const size_t sizes[] = {
        [TR_FIELD_BOOL] = sizeof(bool),      [TR_FIELD_STR] = sizeof(tr_str),
        [TR_FIELD_BYTES] = sizeof(tr_bytes), [TR_FIELD_ADDR] = sizeof(tr_addr),
        [TR_FIELD_VAL] = sizeof(tr_val),     [TR_FIELD_STRUCT] = sizeof(struct point)};
    size_t count = 1 + document_next(r) % 6, offset = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bits = document_next(r);
        tr_field_type type = (tr_field_type)(bits % (TR_FIELD_STRUCT + 1));
        size_t size = sizes[type];
        if (type == TR_FIELD_INT || type == TR_FIELD_UINT)
            size = (size_t)1 << (bits >> 8 & 3);
        else if (type == TR_FIELD_FLOAT)
            size = bits >> 8 & 1 ? sizeof(float) : sizeof(double);
        else if (type == TR_FIELD_TEXT)
            size = 1 + (bits >> 8 & 7);
        size_t max = type != TR_FIELD_TEXT && bits >> 16 & 1 ? 1 + (bits >> 17 & 3) : 0;
        size_t bytes = (size * (max > 0 ? max : 1) + 7) / 8 * 8;
        s->members[i] = (tr_member){.name = names[i],
                                    .name_len = 1,
                                    .type = type,
                                    .of = point_type,
                                    .size = size,
                                    .offset = offset,
                                    .count_offset = offset + bytes,
                                    .max = max,
                                    .optional = bits >> 20 & 1};
        offset += bytes + sizeof(size_t);
    }
    s->type = (tr_struct_type){offset, count, s->members};
}

// A value that a field of this kind probably takes.
static tr_val value_for(document_random *r, const tr_member *m)
{
    static const tr_val point[] = {{.type = TR_TYPE_STR, .len = 1, .as.ptr = "y"},
                                   {.type = TR_TYPE_INT, .as.i = 2},
                                   {.type = TR_TYPE_STR, .len = 1, .as.ptr = "x"},
                                   {.type = TR_TYPE_INT, .as.i = -1}};
    uint64_t bits = document_next(r);
    switch (m->type) {
    case TR_FIELD_BOOL:
        return tr_val_bool(bits & 1);
    case TR_FIELD_INT:
        return tr_val_int((int8_t)bits);
    case TR_FIELD_UINT:
    case TR_FIELD_VAL:
        return tr_val_int(bits & 127);
    case TR_FIELD_FLOAT:
        return bits & 1 ? tr_val_float((double)(bits >> 40) / 7) : tr_val_int(bits & 127);
    case TR_FIELD_STR:
    case TR_FIELD_TEXT:
        return tr_val_strn("text", bits % 5);
    case TR_FIELD_BYTES:
        return tr_val_bin((tr_bytes){"bytes", bits % 6});
    case TR_FIELD_ADDR:
        return tr_val_addr((tr_addr){bits, 1});
    default:
        return tr_val_map(point, 2);
    }
}

// A map with most of the keys, mostly in order, and values of which most fit. It lives until the
// next one.
static tr_val document_for(document_random *r, const struct schema *s)
{
    static tr_val items[24], lists[6][8];
    size_t pairs = 0;
    r->used = 0;
    for (size_t i = 0; i < s->type.count; i++) {
        uint64_t bits = document_next(r);
        const tr_member *m = &s->members[bits % 8 != 0 ? i : (bits >> 8) % s->type.count];
        tr_val value = value_for(r, m);
        if (m->max > 0) {
            tr_val *list = lists[i];
            size_t count = (bits >> 16) % (m->max + 1 + (bits >> 24) % 8 / 7);
            for (size_t k = 0; k < count; k++)
                list[k] = value_for(r, m);
            value = tr_val_list(list, count);
        }
        if (bits >> 32 & 15) {
            items[pairs * 2] = tr_val_str(m->name);
            items[pairs++ * 2 + 1] =
                bits >> 36 & 15 ? value : document_random_val(r, TR_DEPTH_MAX - 3);
        }
        if ((bits >> 40 & 7) == 0) { // one that the schema does not know
            items[pairs * 2] = document_random_val(r, TR_DEPTH_MAX - 3);
            items[pairs++ * 2 + 1] = document_random_val(r, TR_DEPTH_MAX - 3);
        }
    }
    return tr_val_map(items, pairs);
}

static bool reads_as(const tr_member *m, tr_val got, tr_val said)
{
    double f;
    tr_val a, b;
    if (m->type == TR_FIELD_FLOAT)
        return tr_as_float(said, &f) == 0 &&
               (document_same_float(got.as.f, f) || (m->size == 4 && got.as.f == (double)(float)f));
    if (m->type != TR_FIELD_STRUCT)
        return document_same(got, said);
    return tr_get(got, "x", &a) == 0 && tr_get(said, "x", &b) == 0 && document_same(a, b) &&
           tr_get(got, "y", &a) == 0 && tr_get(said, "y", &b) == 0 && document_same(a, b);
}

static bool field_reads_as(const tr_member *m, tr_val got, tr_val said)
{
    if (m->max == 0)
        return reads_as(m, got, said);
    tr_iter it = tr_iter_of(got);
    tr_val item, other;
    while (tr_iter_next(&it, NULL, &item))
        if (tr_at(said, it.index - 1, &other) < 0 || !reads_as(m, item, other))
            return false;
    return said.type == TR_TYPE_LIST && tr_val_count(said) == it.index;
}

// A document that was accepted has every required key, and the struct holds what it says.
static void assert_agree(const tr_struct_type *type, const void *data, tr_val doc)
{
    for (size_t i = 0; i < type->count; i++) {
        const tr_member *m = &type->members[i];
        tr_val got, said;
        assert_int_equal(tr_get(tr_struct_val(type, data), m->name, &got), 0);
        bool there =
            tr_get(doc, m->name, &said) == 0 && (said.type != TR_TYPE_NULL || !m->optional);
        assert_true(there ? field_reads_as(m, got, said) : m->optional);
    }
}

static void random_documents_are_read_right_or_refused(void **state)
{
    (void)state;
    static document_random r;
    unsigned accepted = 0, refused = 0;
    document_random_init(&r, 20);
    for (int round = 0; round < 20000; round++) {
        struct schema s;
        tr_buf *packed = NULL, *again = NULL;
        schema_random(&r, &s);
        void *data = malloc(s.type.size); // of its own, for the sanitizer to watch
        assert_non_null(data);
        tr_val doc = packed_view(document_for(&r, &s), &packed);
        int rc = tr_struct_fill(&s.type, doc, data);
        if (rc == 0) {
            accepted++;
            assert_agree(&s.type, data, doc);
            tr_val echo = packed_view(tr_struct_val(&s.type, data), &again);
            assert_int_equal(tr_struct_fill(&s.type, echo, data), 0); // what packs is read
        } else {
            refused++;
            assert_int_equal(rc, TR_EBADMSG);
        }
        free(data);
        tr_buf_unref(&packed);
        tr_buf_unref(&again);
    }
    assert_true(accepted > 5000);
    assert_true(refused > 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_struct_is_a_document),
        cmocka_unit_test(a_struct_is_searched_like_a_map),
        cmocka_unit_test(what_is_packed_is_read),
        cmocka_unit_test(a_zero_struct_goes_through),
        cmocka_unit_test(the_limits_of_every_number_fit),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(only_a_map_with_every_required_key_is_read),
        cmocka_unit_test(keys_come_in_any_order_with_others_between),
        cmocka_unit_test(optional_fields_may_be_absent_or_null),
        cmocka_unit_test(a_broken_struct_is_not_packed),
        cmocka_unit_test(a_struct_counts_in_the_depth),
        cmocka_unit_test(a_struct_goes_to_json_and_back),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(random_documents_are_read_right_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
