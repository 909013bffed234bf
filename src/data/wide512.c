// Conversions between UTF-8 and the encodings of single units, in steps of 64 bytes: AVX-512 with
// VBMI2, chosen when it runs. Elsewhere the caller's code for single characters does it all.
//
// What one character takes differs from form to form, so the work is to leave gaps out. Each step
// spreads its input, computes at every place the byte or unit that would stand there, and has one
// instruction move together those that count (VPCOMPRESS). Masked loads and stores do ends and
// beginnings alike, and touch nothing outside of what they were given.
#include "data/wide.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2,bmi2,popcnt")))

static bool wide512_here(void)
{
    return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
}

// The lowest `count` bits, of 64.
WIDE static inline uint64_t lowest(size_t count)
{
    return _bzhi_u64(~(uint64_t)0, (unsigned)count);
}

static inline size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Write those of the bytes. Returns the place behind them: kept in a register, for in memory each
// step would wait for the one before.
WIDE static inline uint8_t *put_bytes(__m512i bytes, uint64_t those, uint8_t *to)
{
    size_t count = (size_t)_mm_popcnt_u64(those);
    _mm512_mask_storeu_epi8(to, lowest(count), _mm512_maskz_compress_epi8(those, bytes));
    return to + count;
}

WIDE static inline __m512i or3(__m512i a, __m512i b, __m512i c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0xfe);
}

// ---- To UTF-8: every unit gets 2 or 4 bytes, of which some are there for nothing ----

// Of this many units, all of them below U+0800.
WIDE static inline uint8_t *print_twos(__m512i c, size_t count, uint8_t *to)
{
    __m512i last = _mm512_and_si512(_mm512_slli_epi16(c, 8), _mm512_set1_epi16(0x3f00));
    __m512i two = or3(_mm512_srli_epi16(c, 6), last, _mm512_set1_epi16((short)0x80c0));
    __mmask32 is_two = _mm512_cmpge_epu16_mask(c, _mm512_set1_epi16(0x80));
    uint64_t those = _pdep_u64(is_two, 0xaaaaaaaaaaaaaaaa) | 0x5555555555555555;
    return put_bytes(_mm512_mask_mov_epi16(c, is_two, two), those & lowest(2 * count), to);
}

// Of this many units, none of them a surrogate.
WIDE static inline uint8_t *print_threes(__m512i c, size_t count, uint8_t *to)
{
    const __m512i six = _mm512_set1_epi32(0x3f);
    __m512i last = _mm512_and_si512(c, six),
            middle = _mm512_and_si512(_mm512_srli_epi32(c, 6), six);
    __m512i two =
        or3(_mm512_srli_epi32(c, 6), _mm512_slli_epi32(last, 8), _mm512_set1_epi32(0x80c0));
    __m512i three =
        or3(_mm512_srli_epi32(c, 12), _mm512_slli_epi32(middle, 8), _mm512_slli_epi32(last, 16));
    three = _mm512_or_si512(three, _mm512_set1_epi32(0x8080e0));
    __mmask16 is_two = _mm512_cmplt_epu32_mask(c, _mm512_set1_epi32(0x800));
    __mmask16 is_one = _mm512_cmplt_epu32_mask(c, _mm512_set1_epi32(0x80));
    c = _mm512_mask_mov_epi32(_mm512_mask_mov_epi32(three, is_two, two), is_one, c);
    uint64_t those = _mm512_test_epi8_mask(c, c) | 0x1111111111111111; // tails are not 0
    return put_bytes(c, those & lowest(4 * count), to);
}

// This many bytes, all but the first few, as units; 0 is in place of the others.
WIDE static inline __m512i widened(const uint8_t *bytes, size_t count, size_t but)
{
    __mmask32 those = (__mmask32)(lowest(count) & ~lowest(but));
    return _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(those, bytes));
}

WIDE static size_t wide512_latin1_print(const uint8_t *bytes, size_t size, uint8_t **to)
{
    uint8_t *next = *to;
    size_t done = 0;
    for (; size - done >= 32; done += 32) // of a number that is known here
        next = print_twos(widened(bytes + done, 32, 0), 32, next);
    *to = print_twos(widened(bytes + done, size - done, 0), size - done, next);
    return size;
}

// Those of the units that are at or above `least`.
WIDE static inline uint32_t units_from(__m512i c, short least)
{
    return _mm512_cmpge_epu16_mask(c, _mm512_set1_epi16(least));
}

WIDE static inline __m512i load_units(const uint8_t *units, size_t count)
{
    return _mm512_maskz_loadu_epi16((__mmask32)lowest(count), units);
}

WIDE static size_t wide512_utf16_print(const uint8_t *units, size_t size, uint8_t **to)
{
    uint8_t *next = *to;
    size_t done = 0, count;
    for (; done + 2 <= size; done += 2 * count) {
        count = lesser((size - done) / 2, 32);
        __m512i c = load_units(units + done, count);
        if (units_from(c, 0x800) == 0) {
            next = print_twos(c, count, next);
            continue;
        }
        if ((units_from(c, (short)0xd800) & ~units_from(c, (short)0xe000)) != 0)
            break;
        count = lesser(count, 16);
        next = print_threes(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(c)), count, next);
    }
    *to = next;
    return done;
}

// The size of its text: a byte for each unit, one more from U+0080 on and from U+0800 on, but two
// less for a pair of surrogates, which is counted at its second.
WIDE static size_t wide512_utf16_text_size(const uint8_t *units, size_t size, size_t *ret_size)
{
    size_t text = size / 2;
    uint32_t first_before = 0;
    for (size_t done = 0; done + 2 <= size; done += 64) {
        __m512i c = load_units(units + done, lesser((size - done) / 2, 32));
        uint32_t high = units_from(c, 0x800), second_on = units_from(c, (short)0xdc00);
        text += (size_t)_mm_popcnt_u32(units_from(c, 0x80)) + (size_t)_mm_popcnt_u32(high);
        uint32_t first = units_from(c, (short)0xd800) & ~second_on;
        uint32_t second = second_on & ~units_from(c, (short)0xe000);
        text -= 2 * (size_t)_mm_popcnt_u32(second & (first << 1 | first_before));
        first_before = first >> 31;
    }
    *ret_size = text;
    return size;
}

// ---- From UTF-8: the last byte of every character becomes the unit, and the others go ----

// A lead that is the last of its step has its tail in the next one.
WIDE static size_t wide512_latin1_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room)
{
    uint64_t c2_before = 0, c3_before = 0;
    uint8_t *next = *to;
    size_t done = 0;
    for (; done < size; done += 64) {
        uint64_t all = lowest(lesser(size - done, 64));
        __m512i c = _mm512_maskz_loadu_epi8(all, text + done);
        uint64_t c2 = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8((char)0xc2));
        uint64_t c3 = _mm512_cmpeq_epi8_mask(c, _mm512_set1_epi8((char)0xc3));
        uint64_t tails = _mm512_cmplt_epi8_mask(c, _mm512_set1_epi8((char)0xc0));
        uint64_t behind_c3 = c3 << 1 | c3_before, expected = c2 << 1 | c2_before | behind_c3;
        uint64_t wrong = (_mm512_movepi8_mask(c) ^ (tails | c2 | c3)) | (tails ^ expected);
        uint64_t units = all & ~(c2 | c3);
        size_t count = (size_t)_mm_popcnt_u64(units);
        if ((wrong & all) != 0 || count > room)
            break;
        c = _mm512_mask_add_epi8(c, behind_c3, c, _mm512_set1_epi8(0x40));
        next = put_bytes(c, units, next);
        room -= count;
        c2_before = c2 >> 63;
        c3_before = c3 >> 63;
    }
    *to = next;
    done = lesser(done, size);
    return done > 0 && text[done - 1] >= 0xc2 ? done - 1 : done;
}

WIDE static inline __mmask32 are_tails(__m512i words)
{
    words = _mm512_and_si512(words, _mm512_set1_epi16(0xc0));
    return _mm512_cmpeq_epi16_mask(words, _mm512_set1_epi16(0x80));
}

// The units of the characters that end with these bytes, by what is one and two places before. What
// is in front of a tail has its own 6 bits, be it a tail or a lead.
WIDE static inline __m512i joined(__m512i here, __m512i one, __m512i two)
{
    const __m512i six = _mm512_set1_epi16(0x3f);
    __mmask32 second = are_tails(here), third = second & are_tails(one);
    one = _mm512_slli_epi16(_mm512_and_si512(one, six), 6);
    two = _mm512_maskz_slli_epi16(third, two, 12);
    return _mm512_mask_mov_epi16(here, second, or3(_mm512_and_si512(here, six), one, two));
}

// A character belongs to the step that its last byte is in.
WIDE static size_t wide512_utf16_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room)
{
    uint8_t *next = *to;
    size_t done = 0;
    for (; done < size; done += 32) {
        size_t places = lesser(size - done, 32), first = done == 0; // nothing is before the text
        __m512i here = widened(text + done, places, 0);
        __m512i behind = widened(text + done + 1, lesser(size - done - 1, 32), 0);
        __m512i one = widened(text + done - 1, places, first);
        __m512i two = widened(text + done - 2, places, 2 * first);
        __mmask32 ends = (__mmask32)lowest(places) & ~are_tails(behind);
        size_t count = (size_t)_mm_popcnt_u32(ends);
        if (units_from(here, 0xf0) != 0 || 2 * count > room)
            break;
        here = _mm512_maskz_compress_epi16(ends, joined(here, one, two));
        _mm512_mask_storeu_epi16(next, (__mmask32)lowest(count), here);
        next += 2 * count;
        room -= 2 * count;
    }
    *to = next;
    done = lesser(done, size);
    while (done > 0 && done < size && (text[done] & 0xc0) == 0x80) // a character that is not ended
        done--;
    return done;
}

#else

static bool wide512_here(void)
{
    return false;
}

static size_t nothing(const void *from, size_t size, ...)
{
    (void)from, (void)size;
    return 0;
}

#define wide512_latin1_print    nothing
#define wide512_latin1_parse    nothing
#define wide512_utf16_print     nothing
#define wide512_utf16_text_size nothing
#define wide512_utf16_parse     nothing

#endif

size_t tr__wide_latin1_print(const uint8_t *bytes, size_t size, uint8_t **to)
{
    return wide512_here() ? wide512_latin1_print(bytes, size, to) : 0;
}

size_t tr__wide_utf16_print(const uint8_t *units, size_t size, uint8_t **to)
{
    return wide512_here() ? wide512_utf16_print(units, size, to) : 0;
}

size_t tr__wide_utf16_text_size(const uint8_t *units, size_t size, size_t *ret_size)
{
    return wide512_here() ? wide512_utf16_text_size(units, size, ret_size) : 0;
}

size_t tr__wide_latin1_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room)
{
    return wide512_here() ? wide512_latin1_parse(text, size, to, room) : 0;
}

size_t tr__wide_utf16_parse(const uint8_t *text, size_t size, uint8_t **to, size_t room)
{
    return wide512_here() ? wide512_utf16_parse(text, size, to, room) : 0;
}
