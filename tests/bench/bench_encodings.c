// troupe's side of the encodings in `./dev bench io`: `bench_encodings FIGURE`, as io.sh describes
// it. A result is a buffer each time, as it is in Node.
#include <troupe.h>

#include "bench.h"

#define RUN_NS 60000000u // of one size
#define LARGE  0x100000u

static const struct {
    const char *name;
    tr_encoding encoding;
} encodings[] = {
    {"utf8", TR_UTF8},           {"hex", TR_HEX},       {"base64", TR_BASE64},
    {"base64url", TR_BASE64URL}, {"latin1", TR_LATIN1}, {"ascii", TR_ASCII},
    {"utf16le", TR_UTF16LE},
};

static const struct {
    const char *key;
    size_t size;
} sizes[] = {{"64", 64}, {"4k", 4096}, {"1m", LARGE}};

// ---- The bytes: the same as encodings_node.js makes ----

#define MIXED   "The quick brown fox, съешь же ещё этих булок, 素早い茶色の狐, naïve café, 10 €, 😀. "
#define WESTERN "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. "
#define PLAIN   "The quick brown fox jumps over the lazy dog, and then once more. "

static tr_buf *parsed(const char *text, tr_encoding encoding)
{
    tr_buf *bytes;
    bench_must(tr_text_parse(tr_str_of(text), encoding, &bytes) == 0);
    return bytes;
}

// As many bytes as are asked for, of text over and over; it may be cut within a character.
static tr_buf *text_bytes(tr_encoding encoding, size_t size)
{
    const char *text = encoding == TR_UTF8 ? MIXED : encoding == TR_ASCII ? PLAIN : WESTERN;
    tr_buf *pattern = parsed(text, encoding), *bytes;
    bench_must(tr_buf_new(size, &bytes) == 0);
    bench_must(tr_room_fill(tr_buf_room(bytes), tr_buf_bytes(pattern)) == 0);
    tr_buf_unref(&pattern);
    return bytes;
}

static tr_buf *random_bytes(size_t size)
{
    tr_buf *bytes;
    uint32_t state = 1;
    bench_must(tr_buf_new(size, &bytes) == 0);
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        ((uint8_t *)tr_buf_data(bytes))[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

// ---- Measuring ----

static void encode(tr_bytes bytes, tr_encoding encoding)
{
    tr_buf *text;
    bench_must(tr_bytes_print(bytes, encoding, &text) == 0);
    tr_buf_unref(&text);
}

static void decode(tr_bytes text, tr_encoding encoding)
{
    tr_buf *bytes;
    bench_must(tr_text_parse((tr_str){text.ptr, text.len}, encoding, &bytes) == 0);
    tr_buf_unref(&bytes);
}

// How often a second, measured in rounds of about a millisecond after one that warms up.
static double rate(void (*convert)(tr_bytes, tr_encoding), tr_bytes input, tr_encoding encoding)
{
    uint64_t round = 1 + 2 * LARGE / (input.len + 64) / 8, done = 0, begin, now;
    for (uint64_t i = 0; i < round; i++)
        convert(input, encoding);
    begin = now = bench_now_ns();
    for (uint64_t limit = bench_count(RUN_NS); now - begin < limit; now = bench_now_ns()) {
        for (uint64_t i = 0; i < round; i++)
            convert(input, encoding);
        done += round;
    }
    return (double)done * 1e9 / (double)(now - begin);
}

static void run(bool encodes, tr_encoding encoding, bool is_text)
{
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i].size;
        tr_buf *bytes = is_text ? text_bytes(encoding, size) : random_bytes(size), *text;
        bench_must(tr_bytes_print(tr_buf_bytes(bytes), encoding, &text) == 0);
        double per_s = encodes ? rate(encode, tr_buf_bytes(bytes), encoding)
                               : rate(decode, tr_buf_bytes(text), encoding);
        bench_emit(sizes[i].key, per_s * (double)size / 1e6);
        tr_buf_unref(&bytes);
        tr_buf_unref(&text);
    }
}

int main(int argc, char **argv)
{
    char figure[40];
    for (size_t i = 0; argc == 2 && i < sizeof encodings / sizeof encodings[0]; i++) {
        tr_encoding encoding = encodings[i].encoding;
        bool is_text = encoding != TR_HEX && encoding != TR_BASE64 && encoding != TR_BASE64URL;
        for (int encodes = 0; encodes < 2; encodes++) {
            snprintf(figure, sizeof figure, "enc_%s_%s", encodings[i].name,
                     encodes ? "encode" : "decode");
            if (strcmp(figure, argv[1]) == 0)
                return run(encodes, encoding, is_text), 0;
        }
    }
    return BENCH_ABSENT;
}
