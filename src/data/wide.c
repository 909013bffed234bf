// Conversions in steps of 32 bytes: AVX2, chosen when it runs, for x86-64 is older than that.
//
// The distribution has no library for this (docs/design/0010). The methods are the published ones:
// W. Muła and D. Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018), and
// J. Keiser and D. Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte" (2020). All of
// them rest on one instruction: VPSHUFB takes 32 numbers below 16 and looks each of them up in a
// table of 16 bytes.
//
// A step that meets what it cannot convert writes nothing and ends the loop: the caller's code for
// single bytes is the one that knows the rules for bad input. Steps read and write nothing outside
// of what they were given.
#include "data/wide.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,popcnt")))

// A table of 16 bytes, for both halves of a register.
#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

static bool wide_here(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

WIDE static inline __m256i load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

WIDE static inline void store(void *to, __m256i bytes)
{
    _mm256_storeu_si256((__m256i *)to, bytes);
}

WIDE static inline __m128i load16(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)(const void *)from);
}

// The low four bits of each byte, and the high ones.
WIDE static inline __m256i low(__m256i bytes)
{
    return _mm256_and_si256(bytes, _mm256_set1_epi8(15));
}

WIDE static inline __m256i high(__m256i bytes)
{
    return low(_mm256_srli_epi16(bytes, 4));
}

WIDE static inline bool any_bit(__m256i bytes)
{
    return !_mm256_testz_si256(bytes, bytes);
}

// ---- ASCII and UTF-8 ----

WIDE static size_t wide_ascii(const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (size - done >= 32 && _mm256_movemask_epi8(load(bytes + done)) == 0)
        done += 32;
    return done;
}

WIDE static size_t wide_high_bits(const uint8_t *bytes, size_t size, size_t *count)
{
    size_t done = 0;
    for (; size - done >= 32; done += 32)
        *count += (size_t)__builtin_popcount((unsigned)_mm256_movemask_epi8(load(bytes + done)));
    return done;
}

// The bytes as they were one, two or three places before.
#define BEFORE(bytes, last, places)                                                                \
    _mm256_alignr_epi8(bytes, _mm256_permute2x128_si256(last, bytes, 0x21), 16 - (places))

// What is wrong with two bytes in a row is what the high half of the first, its low half, and the
// high half of the second have in common.
enum {
    TOO_SHORT = 0x01, // a lead, then no continuation
    TOO_LONG = 0x02,  // ASCII, then a continuation
    OVERLONG_3 = 0x04,
    TOO_LARGE = 0x08,
    SURROGATE = 0x10,
    OVERLONG_2 = 0x20,
    OVERLONG_4 = 0x40, // or too large, from f5 on
    TWO_CONTS = 0x80,  // two continuations: right if a lead stands two or three places before
    ANY_LOW = TOO_SHORT | TOO_LONG | TWO_CONTS,
    ANY_LARGE = ANY_LOW | TOO_LARGE | OVERLONG_4,
    ANY_CONT = TOO_LONG | OVERLONG_2 | TWO_CONTS,
};

// clang-format off
static const uint8_t first_high[16] = {
    TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, // ASCII
    TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS,                                     // 80 to bf
    TOO_SHORT | OVERLONG_2, TOO_SHORT,                                              // c0, d0
    TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | OVERLONG_4,         // e0, f0
};
static const uint8_t first_low[16] = {
    ANY_LOW | OVERLONG_2 | OVERLONG_3 | OVERLONG_4, ANY_LOW | OVERLONG_2,           // c0 e0 f0, c1
    ANY_LOW, ANY_LOW, ANY_LOW | TOO_LARGE,                                          // f4
    ANY_LARGE, ANY_LARGE, ANY_LARGE, ANY_LARGE, ANY_LARGE, ANY_LARGE, ANY_LARGE,
    ANY_LARGE, ANY_LARGE | SURROGATE, ANY_LARGE, ANY_LARGE,                         // ed
};
static const uint8_t second_high[16] = {
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
    ANY_CONT | OVERLONG_3 | OVERLONG_4, ANY_CONT | OVERLONG_3 | TOO_LARGE,          // 80, 90
    ANY_CONT | SURROGATE | TOO_LARGE, ANY_CONT | SURROGATE | TOO_LARGE,             // a0, b0
    TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
};
// clang-format on

// For each of the numbers below 16 its place in a table.
WIDE static inline __m256i look_up(const uint8_t table[16], __m256i numbers)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load16(table)), numbers);
}

// Any bit is an error. `last` is the step before.
WIDE static inline __m256i wide_utf8_errors(__m256i bytes, __m256i last)
{
    __m256i first = BEFORE(bytes, last, 1);
    __m256i pairs =
        _mm256_and_si256(look_up(first_high, high(first)), look_up(first_low, low(first)));
    pairs = _mm256_and_si256(pairs, look_up(second_high, high(bytes)));
    // Only leads of three and of four keep their highest bit here.
    __m256i third = _mm256_subs_epu8(BEFORE(bytes, last, 2), _mm256_set1_epi8(0xe0 - 0x80));
    __m256i fourth = _mm256_subs_epu8(BEFORE(bytes, last, 3), _mm256_set1_epi8(0xf0 - 0x80));
    __m256i must = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));
    return _mm256_xor_si256(must, pairs);
}

// A character that `done` cuts belongs behind it: what came before is right so far.
static size_t whole_characters(const uint8_t *bytes, size_t done)
{
    for (size_t back = 1; back <= 3 && back <= done; back++) {
        uint8_t byte = bytes[done - back];
        if (byte >= 0xc0)
            return byte >= (back == 1 ? 0xc0 : back == 2 ? 0xe0 : 0xf0) ? done - back : done;
        if (byte < 0x80)
            break;
    }
    return done;
}

WIDE static size_t wide_utf8(const uint8_t *bytes, size_t size)
{
    __m256i last = _mm256_setzero_si256();
    size_t done = 0;
    for (; size - done >= 32; done += 32) {
        __m256i next = load(bytes + done);
        bool ascii = _mm256_movemask_epi8(_mm256_or_si256(next, last)) == 0;
        if (!ascii && any_bit(wide_utf8_errors(next, last)))
            break;
        last = next;
    }
    return whole_characters(bytes, done);
}

// ---- Hexadecimal ----

WIDE static size_t wide_hex_print(const uint8_t *bytes, size_t size, char *to)
{
    const __m256i digits =
        TABLE('0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f');
    size_t done = 0;
    for (; size - done >= 16; done += 16) {
        __m256i pairs = _mm256_cvtepu8_epi16(load16(bytes + done));
        pairs = _mm256_or_si256(_mm256_srli_epi16(pairs, 4), _mm256_slli_epi16(pairs, 8));
        store(to + 2 * done, _mm256_shuffle_epi8(digits, low(pairs)));
    }
    return done;
}

// 0 to 15, or more for what is no digit. Adding saturates, so that only digits come out below 10,
// and only letters from 10 to 15.
WIDE static inline __m256i wide_hex_values(__m256i c)
{
    __m256i digit = _mm256_add_epi8(c, _mm256_set1_epi8((char)(0xff - '9')));
    digit = _mm256_subs_epu8(digit, _mm256_set1_epi8(6));
    digit = _mm256_sub_epi8(digit, _mm256_set1_epi8((char)0xf0));
    __m256i letter = _mm256_and_si256(c, _mm256_set1_epi8((char)~0x20));
    letter = _mm256_sub_epi8(letter, _mm256_set1_epi8('A'));
    letter = _mm256_adds_epu8(letter, _mm256_set1_epi8(10));
    return _mm256_min_epu8(digit, letter);
}

WIDE static size_t wide_hex_parse(const uint8_t *digits, size_t size, uint8_t *to)
{
    size_t done = 0;
    for (; size - done >= 16; done += 16) {
        __m256i values = wide_hex_values(load(digits + 2 * done));
        if (any_bit(_mm256_and_si256(values, _mm256_set1_epi8((char)0xf0))))
            break;
        __m256i bytes = _mm256_maddubs_epi16(values, _mm256_set1_epi16(0x0110));
        bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(bytes, bytes), 0x08);
        _mm_storeu_si128((__m128i *)(void *)(to + done), _mm256_castsi256_si128(bytes));
    }
    return done;
}

// ---- Base64 ----

// Four numbers of 6 bits out of each three bytes, which stand as 1 0 2 1.
WIDE static inline __m256i wide_base64_split(__m256i bytes)
{
    __m256i a = _mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00));
    __m256i b = _mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0));
    return _mm256_or_si256(_mm256_mulhi_epu16(a, _mm256_set1_epi32(0x04000040)),
                           _mm256_mullo_epi16(b, _mm256_set1_epi32(0x01000010)));
}

// Each kind of digit is some distance from its value: 0 for a to z, 1 to 10 for 0 to 9, 11 and 12
// for the last two, 13 for A to Z.
WIDE static inline __m256i wide_base64_digits(__m256i values, __m256i distances)
{
    __m256i kind = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
    __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
    kind = _mm256_or_si256(kind, _mm256_and_si256(capital, _mm256_set1_epi8(13)));
    return _mm256_add_epi8(values, _mm256_shuffle_epi8(distances, kind));
}

WIDE static size_t wide_base64_print(const uint8_t *bytes, size_t size, bool url, char *to)
{
    const __m256i order = TABLE(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i distances =
        TABLE('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
              '0' - 52, '0' - 52, '0' - 52, (char)((url ? '-' : '+') - 62),
              (char)((url ? '_' : '/') - 63), 'A', 0, 0);
    size_t done = 0;
    for (; size - done >= 28; done += 24) { // reads 28
        __m256i next = _mm256_set_m128i(load16(bytes + done + 12), load16(bytes + done));
        next = wide_base64_split(_mm256_shuffle_epi8(next, order));
        store(to + done / 3 * 4, wide_base64_digits(next, distances));
    }
    return done;
}

// What is no digit has a bit in common in the tables for both of its halves.
static const uint8_t wrong_low[16] = {0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
                                      0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a};
static const uint8_t wrong_high[16] = {0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
                                       0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10};

// The high half of a digit says how far it is from its value, but for '/'. False if there are
// others.
WIDE static inline bool wide_base64_values(__m256i digits, __m256i *ret_values)
{
    const __m256i distances = TABLE(0, 63 - '/', 62 - '+', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a',
                                    0, 0, 0, 0, 0, 0, 0, 0);
    __m256i minus = _mm256_cmpeq_epi8(digits, _mm256_set1_epi8('-'));
    __m256i under = _mm256_cmpeq_epi8(digits, _mm256_set1_epi8('_'));
    digits = _mm256_blendv_epi8(digits, _mm256_set1_epi8('+'), minus);
    digits = _mm256_blendv_epi8(digits, _mm256_set1_epi8('/'), under);
    __m256i highs = high(digits), lows = low(digits);
    if (!_mm256_testz_si256(look_up(wrong_low, lows), look_up(wrong_high, highs)))
        return false;
    __m256i slash = _mm256_cmpeq_epi8(digits, _mm256_set1_epi8('/')); // -1: one place before
    __m256i distance = _mm256_shuffle_epi8(distances, _mm256_add_epi8(highs, slash));
    *ret_values = _mm256_add_epi8(digits, distance);
    return true;
}

WIDE static size_t wide_base64_parse(const uint8_t *digits, size_t size, uint8_t *to, size_t room)
{
    const __m256i order = TABLE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    size_t done = 0;
    for (; size - done >= 32 && room - done / 4 * 3 >= 32; done += 32) { // writes 32 for 24
        __m256i bytes;
        if (!wide_base64_values(load(digits + done), &bytes))
            break;
        bytes = _mm256_maddubs_epi16(bytes, _mm256_set1_epi32(0x01400140));
        bytes = _mm256_madd_epi16(bytes, _mm256_set1_epi32(0x00011000));
        bytes = _mm256_shuffle_epi8(bytes, order);
        bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
        store(to + done / 4 * 3, bytes);
    }
    return done;
}

#else

static bool wide_here(void)
{
    return false;
}

static size_t nothing(const void *from, size_t size, ...)
{
    (void)from, (void)size;
    return 0;
}

#define wide_ascii        nothing
#define wide_high_bits    nothing
#define wide_utf8         nothing
#define wide_hex_print    nothing
#define wide_hex_parse    nothing
#define wide_base64_print nothing
#define wide_base64_parse nothing

#endif

size_t tr__wide_ascii(const uint8_t *bytes, size_t size)
{
    return wide_here() ? wide_ascii(bytes, size) : 0;
}

size_t tr__wide_high_bits(const uint8_t *bytes, size_t size, size_t *count)
{
    return wide_here() ? wide_high_bits(bytes, size, count) : 0;
}

size_t tr__wide_utf8(const uint8_t *bytes, size_t size)
{
    return wide_here() ? wide_utf8(bytes, size) : 0;
}

size_t tr__wide_hex_print(const uint8_t *bytes, size_t size, char *to)
{
    return wide_here() ? wide_hex_print(bytes, size, to) : 0;
}

size_t tr__wide_hex_parse(const uint8_t *digits, size_t size, uint8_t *to)
{
    return wide_here() ? wide_hex_parse(digits, size, to) : 0;
}

size_t tr__wide_base64_print(const uint8_t *bytes, size_t size, bool url, char *to)
{
    return wide_here() ? wide_base64_print(bytes, size, url, to) : 0;
}

size_t tr__wide_base64_parse(const uint8_t *digits, size_t size, uint8_t *to, size_t room)
{
    return wide_here() ? wide_base64_parse(digits, size, to, room) : 0;
}
