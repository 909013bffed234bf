#include <float.h>
#include <math.h>
#include <string.h>
#include <troupe/buf.h>
#include <troupe/bytes.h>

#include "support/cmocka.h"
#include "support/random.h"

static tr_bytes text(const char *s)
{
    return tr_bytes_of(s, strlen(s));
}

// ---- Comparing and searching ----

static void bytes_are_ordered_as_unsigned_and_the_shorter_first(void **state)
{
    (void)state;
    assert_int_equal(tr_bytes_compare(text("abc"), text("abc")), 0);
    assert_int_equal(tr_bytes_compare(text("abc"), text("abd")), -1);
    assert_int_equal(tr_bytes_compare(text("\xff"), text("\x01")), 1);
    assert_int_equal(tr_bytes_compare(text("ab"), text("abc")), -1);
    assert_int_equal(tr_bytes_compare(text("b"), text("abc")), 1);
    assert_int_equal(tr_bytes_compare(tr_bytes_of(NULL, 0), text("a")), -1);
    assert_int_equal(tr_bytes_compare(tr_bytes_of(NULL, 0), tr_bytes_of(NULL, 0)), 0);
    assert_true(tr_bytes_eq(text("abc"), tr_bytes_of("abcd", 3)));
    assert_true(tr_bytes_eq(tr_bytes_of(NULL, 0), text("")));
    assert_false(tr_bytes_eq(text("abc"), text("abd")));
    assert_false(tr_bytes_eq(text("abc"), text("abcd")));
}

static void what_is_empty_is_found_everywhere(void **state)
{
    (void)state;
    assert_int_equal(tr_bytes_find(text("abc"), text(""), 0), 0);
    assert_int_equal(tr_bytes_find(text("abc"), text(""), 2), 2);
    assert_int_equal(tr_bytes_find(text("abc"), text(""), 10), 3);
    assert_int_equal(tr_bytes_find_last(text("abc"), text(""), 1), 1);
    assert_int_equal(tr_bytes_find_last(text("abc"), text(""), SIZE_MAX), 3);
    assert_int_equal(tr_bytes_find(tr_bytes_of(NULL, 0), tr_bytes_of(NULL, 0), 0), 0);
    assert_int_equal(tr_bytes_find(tr_bytes_of(NULL, 0), text("a"), 0), TR_NOWHERE);
    assert_int_equal(tr_bytes_find_last(tr_bytes_of(NULL, 0), text("a"), 0), TR_NOWHERE);
    assert_int_equal(tr_bytes_find_last(tr_bytes_of(NULL, 0), text(""), 0), 0);
}

static bool is_at(tr_bytes bytes, tr_bytes what, size_t at)
{
    return what.len <= bytes.len - at &&
           memcmp((const char *)bytes.ptr + at, what.ptr, what.len) == 0;
}

static size_t slow_find(tr_bytes bytes, tr_bytes what, size_t from)
{
    for (size_t at = from; at <= bytes.len; at++)
        if (is_at(bytes, what, at))
            return at;
    return TR_NOWHERE;
}

static size_t slow_find_last(tr_bytes bytes, tr_bytes what, size_t from)
{
    for (size_t at = from < bytes.len ? from : bytes.len; at != SIZE_MAX; at--)
        if (is_at(bytes, what, at))
            return at;
    return TR_NOWHERE;
}

// Goal:   both searches find what looking at every place finds, also where nearly everything
//         matches, which is what makes the forward one change its method.
// Method: random bytes of a small alphabet, and needles that are cut out of them.
static void searching_finds_what_is_there(void **state)
{
    (void)state;
    uint64_t seed = 1;
    char in[2000], what[40];
    for (int i = 0; i < 5000; i++) {
        size_t size = random_below(&seed, sizeof in), letters = 1 + random_below(&seed, 3);
        for (size_t at = 0; at < size; at++)
            in[at] = random_below(&seed, 50) > 0 ? 'a' : (char)('a' + random_below(&seed, letters));
        size_t length = 1 + random_below(&seed, sizeof what - 1);
        memset(what, 'a', length);
        what[random_below(&seed, length)] = (char)('a' + random_below(&seed, letters));
        size_t from = random_below(&seed, size + 2);
        tr_bytes bytes = {in, size}, needle = {what, length};
        assert_int_equal(tr_bytes_find(bytes, needle, from), slow_find(bytes, needle, from));
        assert_int_equal(tr_bytes_find_last(bytes, needle, from),
                         slow_find_last(bytes, needle, from));
    }
}

// ---- Writing ----

static void copies_may_overlap_and_end_with_the_room(void **state)
{
    (void)state;
    char bytes[] = "0123456789";
    assert_int_equal(tr_room_copy(tr_room_of(bytes + 2, 5), tr_bytes_of(bytes, 10)), 5);
    assert_string_equal(bytes, "0101234789");
    assert_int_equal(tr_room_copy(tr_room_of(bytes, 10), tr_bytes_of(bytes + 2, 8)), 8);
    assert_string_equal(bytes, "0123478989");
    assert_int_equal(tr_room_copy(tr_room_of(NULL, 0), text("abc")), 0);
    assert_int_equal(tr_room_copy(tr_room_of(bytes, 10), tr_bytes_of(NULL, 0)), 0);
}

static void filling_repeats_the_pattern_and_cuts_it(void **state)
{
    (void)state;
    char bytes[12] = "";
    assert_int_equal(tr_room_fill(tr_room_of(bytes, 11), text("abc")), 0);
    assert_string_equal(bytes, "abcabcabcab");
    assert_int_equal(tr_room_fill(tr_room_of(bytes, 2), text("xyz")), 0);
    assert_string_equal(bytes, "xycabcabcab");
    assert_int_equal(tr_room_fill(tr_room_of(bytes, 11), text("z")), 0);
    assert_string_equal(bytes, "zzzzzzzzzzz");
    assert_int_equal(tr_room_fill(tr_room_of(bytes, 11), text("")), 0);
    assert_int_equal(bytes[10], 0);
    assert_int_equal(tr_room_fill(tr_room_of(NULL, 0), text("abc")), 0);
    assert_int_equal(tr_room_fill(tr_room_of(NULL, 1), text("abc")), TR_EINVAL);
    assert_int_equal(tr_room_fill(tr_room_of(bytes, 1), tr_bytes_of(NULL, 1)), TR_EINVAL);
}

static void swapping_reverses_every_number(void **state)
{
    (void)state;
    char bytes[] = "0123456789abcdef";
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 16), 2), 0);
    assert_string_equal(bytes, "1032547698badcfe");
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 16), 4), 0);
    assert_string_equal(bytes, "23016745ab89efcd");
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 16), 8), 0);
    assert_string_equal(bytes, "54761032dcfe98ba");
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 15), 2), TR_EINVAL);
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 12), 8), TR_EINVAL);
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 15), 3), TR_EINVAL);
    assert_int_equal(tr_room_swap(tr_room_of(bytes, 16), 0), TR_EINVAL);
    assert_int_equal(tr_room_swap(tr_room_of(NULL, 2), 2), TR_EINVAL);
    assert_int_equal(tr_room_swap(tr_room_of(NULL, 0), 2), 0);
    assert_string_equal(bytes, "54761032dcfe98ba");
}

// ---- Numbers ----

static void numbers_lie_as_their_word_says(void **state)
{
    (void)state;
    uint8_t bytes[] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
    tr_bytes in = {bytes, sizeof bytes};
    uint64_t u = 0;
    int64_t i = 0;
    assert_int_equal(tr_bytes_uint(in, 1, TR_BYTE, &u), 0);
    assert_int_equal(u, 0x34);
    assert_int_equal(tr_bytes_uint(in, 0, TR_BE16, &u), 0);
    assert_int_equal(u, 0x1234);
    assert_int_equal(tr_bytes_uint(in, 1, TR_LE24, &u), 0);
    assert_int_equal(u, 0x785634);
    assert_int_equal(tr_bytes_uint(in, 2, TR_BE48, &u), 0);
    assert_int_equal(u, 0x56789abcdef0);
    assert_int_equal(tr_bytes_uint(in, 0, TR_LE64, &u), 0);
    assert_true(u == UINT64_C(0xf0debc9a78563412));
    assert_int_equal(tr_bytes_int(in, 5, TR_BE24, &i), 0);
    assert_int_equal(i, (int64_t)0xbcdef0 - 0x1000000);
    assert_int_equal(tr_bytes_int(in, 4, TR_BYTE, &i), 0);
    assert_int_equal(i, -102);
    assert_int_equal(tr_bytes_int(in, 0, TR_BE64, &i), 0);
    assert_true(i == INT64_C(0x123456789abcdef0));
}

// Goal:   every number that a word can hold is read as it was written, in the bytes that the word
//         says and no others; the next one on either side is refused.
// Method: for every word the ends of its range, and random numbers in it.
static void every_word_holds_its_range_and_no_more(void **state)
{
    (void)state;
    uint64_t seed = 1, u = 0;
    int64_t i = 0;
    for (int word = -8; word <= 8; word++) {
        unsigned bits = 8u * (unsigned)(word < 0 ? -word : word);
        if (bits == 0)
            continue;
        uint8_t bytes[10];
        tr_room room = {bytes, sizeof bytes};
        uint64_t umax = UINT64_MAX >> (64 - bits);
        int64_t max = (int64_t)(umax >> 1), min = -max - 1;
        for (int n = 0; n < 100; n++) {
            uint64_t value = n == 0 ? umax : n == 1 ? 0 : random_below(&seed, UINT64_MAX) & umax;
            memset(bytes, 0xaa, sizeof bytes);
            assert_int_equal(tr_room_uint(room, 1, (tr_word)word, value), 0);
            assert_true(bytes[0] == 0xaa && bytes[1 + bits / 8] == 0xaa);
            assert_true(bytes[word < 0 ? bits / 8 : 1] == (uint8_t)value);
            assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 10), 1, (tr_word)word, &u), 0);
            assert_true(u == value);
            int64_t with_sign = n == 0 ? min : n == 1 ? max : (int64_t)(value & (umax >> 1)) - n;
            if (with_sign < min)
                continue;
            assert_int_equal(tr_room_int(room, 1, (tr_word)word, with_sign), 0);
            assert_int_equal(tr_bytes_int(tr_bytes_of(bytes, 10), 1, (tr_word)word, &i), 0);
            assert_true(i == with_sign);
        }
        memset(bytes, 0xaa, sizeof bytes);
        if (bits < 64) {
            assert_int_equal(tr_room_uint(room, 0, (tr_word)word, umax + 1), TR_ETOOBIG);
            assert_int_equal(tr_room_int(room, 0, (tr_word)word, max + 1), TR_ETOOBIG);
            assert_int_equal(tr_room_int(room, 0, (tr_word)word, min - 1), TR_ETOOBIG);
        }
        assert_int_equal(bytes[0], 0xaa);
        size_t last = sizeof bytes - bits / 8;
        assert_int_equal(tr_room_uint(room, last, (tr_word)word, 1), 0);
        assert_int_equal(tr_room_uint(room, last + 1, (tr_word)word, 1), TR_EINVAL);
        assert_int_equal(tr_room_int(room, SIZE_MAX, (tr_word)word, 1), TR_EINVAL);
        assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 10), last, (tr_word)word, &u), 0);
        assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 10), last + 1, (tr_word)word, &u),
                         TR_EINVAL);
        assert_int_equal(tr_bytes_int(tr_bytes_of(bytes, 10), SIZE_MAX, (tr_word)word, &i),
                         TR_EINVAL);
    }
}

static void what_is_no_word_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    uint64_t u = 7;
    int64_t i = 7;
    double f = 7;
    static const int wrong[] = {0, 9, -9, 16, -16};
    for (size_t n = 0; n < sizeof wrong / sizeof wrong[0]; n++) {
        tr_word word = (tr_word)wrong[n];
        assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 32), 0, word, &u), TR_EINVAL);
        assert_int_equal(tr_bytes_int(tr_bytes_of(bytes, 32), 0, word, &i), TR_EINVAL);
        assert_int_equal(tr_bytes_float(tr_bytes_of(bytes, 32), 0, word, &f), TR_EINVAL);
        assert_int_equal(tr_room_uint(tr_room_of(bytes, 32), 0, word, 0), TR_EINVAL);
        assert_int_equal(tr_room_int(tr_room_of(bytes, 32), 0, word, 0), TR_EINVAL);
        assert_int_equal(tr_room_float(tr_room_of(bytes, 32), 0, word, 0), TR_EINVAL);
    }
    assert_int_equal(tr_bytes_float(tr_bytes_of(bytes, 32), 0, TR_LE16, &f), TR_EINVAL);
    assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 32), 0, TR_LE16, NULL), TR_EINVAL);
    assert_int_equal(tr_bytes_int(tr_bytes_of(bytes, 32), 0, TR_LE16, NULL), TR_EINVAL);
    assert_int_equal(tr_bytes_float(tr_bytes_of(bytes, 32), 0, TR_LE32, NULL), TR_EINVAL);
    assert_true(u == 7 && i == 7 && f == 7);
}

static double through(tr_word word, double value)
{
    uint8_t bytes[8];
    double f = 0;
    assert_int_equal(tr_room_float(tr_room_of(bytes, 8), 0, word, value), 0);
    assert_int_equal(tr_bytes_float(tr_bytes_of(bytes, 8), 0, word, &f), 0);
    return f;
}

static void floats_keep_their_value_and_one_nan(void **state)
{
    (void)state;
    static const tr_word words[] = {TR_LE32, TR_BE32, TR_LE64, TR_BE64};
    uint8_t bytes[8];
    for (size_t n = 0; n < 4; n++) {
        assert_true(through(words[n], 0.5) == 0.5);
        assert_true(signbit(through(words[n], -0.0)));
        assert_true(isinf(through(words[n], -INFINITY)));
        assert_true(isnan(through(words[n], NAN)));
    }
    assert_true(through(TR_BE64, DBL_MAX) == DBL_MAX);
    assert_true(isinf(through(TR_BE32, DBL_MAX)));
    assert_true(through(TR_LE32, 0.1) == 0.1f);
    assert_int_equal(tr_room_float(tr_room_of(bytes, 4), 0, TR_BE32, -NAN), 0);
    assert_memory_equal(bytes, "\x7f\xc0\x00\x00", 4);
    assert_int_equal(tr_room_float(tr_room_of(bytes, 8), 0, TR_BE64, -NAN), 0);
    assert_memory_equal(bytes, "\x7f\xf8\x00\x00\x00\x00\x00\x00", 8);
    assert_int_equal(tr_room_float(tr_room_of(bytes, 7), 0, TR_BE64, 1), TR_EINVAL);
}

// ---- For people ----

static void assert_inspected(size_t zeros, const char *end)
{
    static const uint8_t bytes[100];
    char shown[TR_INSPECT_MAX], expected[TR_INSPECT_MAX] = "<Buffer";
    size_t fifty = strlen(expected) + 3 * (size_t)50;
    for (size_t at = strlen(expected); at < fifty; at += 3)
        memcpy(expected + at, " 00", 3);
    memcpy(expected + fifty, end, strlen(end) + 1);
    tr_bytes_inspect(tr_bytes_of(bytes, zeros), shown, sizeof shown);
    assert_string_equal(shown, expected);
}

static void a_buffer_is_shown_as_node_shows_it(void **state)
{
    (void)state;
    char shown[TR_INSPECT_MAX];
    assert_string_equal(tr_bytes_inspect(text("Hello"), shown, sizeof shown),
                        "<Buffer 48 65 6c 6c 6f>");
    assert_string_equal(tr_bytes_inspect(text(""), shown, sizeof shown), "<Buffer >");
    assert_inspected(50, ">");
    assert_inspected(51, " ... 1 more byte>");
    assert_inspected(100, " ... 50 more bytes>");
    assert_string_equal(tr_bytes_inspect(text("Hello"), shown, 10), "<Buffer 4");
    assert_null(tr_bytes_inspect(text("Hello"), NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_ordered_as_unsigned_and_the_shorter_first),
        cmocka_unit_test(what_is_empty_is_found_everywhere),
        cmocka_unit_test(searching_finds_what_is_there),
        cmocka_unit_test(copies_may_overlap_and_end_with_the_room),
        cmocka_unit_test(filling_repeats_the_pattern_and_cuts_it),
        cmocka_unit_test(swapping_reverses_every_number),
        cmocka_unit_test(numbers_lie_as_their_word_says),
        cmocka_unit_test(every_word_holds_its_range_and_no_more),
        cmocka_unit_test(what_is_no_word_is_refused),
        cmocka_unit_test(floats_keep_their_value_and_one_nan),
        cmocka_unit_test(a_buffer_is_shown_as_node_shows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
