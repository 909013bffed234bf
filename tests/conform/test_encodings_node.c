// Goal:   our encodings do what Node's do with any input, good or bad: printed, parsed, parsed into
//         less room than they need, decoded in pieces, and checked.
// Method: random inputs, most of them nearly right, for each encoding; Node answers the same cases
//         (encodings_node.js), all at once, from file to file. 10,000 cases of each kind;
//         TROUPE_TEST_SCALE=1 makes it 100,000.
//
// Where we differ on purpose no case is made: Node 20 sees only the low 8 bits of a UTF-16 unit
// when it looks for digits, and writes half a pair of surrogates where there is no room for both.
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <troupe/encoding.h>

#include "support/cmocka.h"
#include "support/random.h"

#define CASES     100000u
#define SKIPPED   77
#define INPUT_MAX 300u
#define KINDS     "pbwdc" // print, parse to bytes, write into room, decode in pieces, check

extern char **environ;

static const char *const names[] = {"utf8",   "hex",   "base64", "base64url",
                                    "latin1", "ascii", "utf16le"};
static uint64_t seed;

// ---- Inputs ----

struct input {
    uint8_t bytes[INPUT_MAX + 16];
    size_t size;
};

static void add(struct input *in, const void *bytes, size_t size)
{
    memcpy(in->bytes + in->size, bytes, size);
    in->size += size;
}

// A piece of UTF-8: ASCII, a character, one that is cut, what looks like one, or any byte. `narrow`
// leaves out what is above U+FFFF.
static void add_text(struct input *in, bool narrow)
{
    static const char *const characters[] = {
        "\xc3\xa9",     "\xc2\x80",     "\xe2\x82\xac",     "\xed\x9f\xbf",    "\xef\xbf\xbd",
        "\xe0\xa0\x80", "\xee\x80\x80", "\xf0\x90\x90\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {
        "\xc0\x80",     "\xc1\xbf",         "\xe0\x9f\xbf",     "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
    };
    uint64_t kind = random_below(&seed, 20);
    const char *character = characters[random_below(&seed, narrow ? 7 : 9)];
    uint8_t byte = (uint8_t)random_below(&seed, kind < 8 ? 0x80 : narrow ? 0xf0 : 0x100);
    if (kind == 19)
        character = wrong[random_below(&seed, 8)];
    if (kind < 8 || kind == 18)
        add(in, &byte, 1);
    else
        add(in, character,
            kind > 8 ? strlen(character) : 1 + random_below(&seed, strlen(character)));
}

static void add_unit(struct input *in)
{
    static const uint16_t units[] = {0x41,   0x7f,   0x80,   0x7ff,  0x800, 0xd800,
                                     0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff};
    uint16_t unit = units[random_below(&seed, sizeof units / sizeof units[0])];
    add(in, &(uint8_t[]){(uint8_t)unit, (uint8_t)(unit >> 8)}, random_below(&seed, 30) > 0 ? 2 : 1);
}

// Digits, and once in `purity` something else.
static void add_digit(struct input *in, const char *digits, uint64_t purity)
{
    static const char *const others[] = {
        "=",    "\n", " ", "-", "_", "g", "!", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x90\x90\x80",
        "\xff", ""};
    const char *other = others[random_below(&seed, sizeof others / sizeof others[0])];
    if (random_below(&seed, purity) == 0)
        add(in, other, strlen(other));
    else
        add(in, &digits[random_below(&seed, strlen(digits))], 1);
}

static void make_input(struct input *in, tr_encoding encoding, char kind)
{
    static const char base64[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
    bool parses = kind == 'b' || kind == 'w';
    size_t size = random_below(&seed, random_below(&seed, 4) > 0 ? 40 : INPUT_MAX);
    uint64_t purity = 1 + random_below(&seed, 400);
    bool plain = random_below(&seed, 4) == 0; // much of real text is
    in->size = 0;
    while (in->size < size)
        if (plain && random_below(&seed, 60) > 0)
            add(in, "plain text", encoding == TR_HEX || encoding == TR_BASE64 ? 1 : 10);
        else if (parses && encoding == TR_HEX)
            add_digit(in, "0123456789abcdefABCDEF", purity);
        else if (parses && (encoding == TR_BASE64 || encoding == TR_BASE64URL))
            add_digit(in, base64, purity);
        else if (parses || encoding == TR_UTF8)
            add_text(in, kind == 'w' && encoding != TR_UTF8);
        else if (encoding == TR_UTF16LE)
            add_unit(in);
        else
            add(in, &(uint8_t){(uint8_t)random_below(&seed, 0x100)}, 1);
}

// ---- Our answers ----

static tr_buf *decode(tr_bytes bytes, tr_encoding encoding, uint32_t first)
{
    tr_decoder decoder;
    tr_buf *text[INPUT_MAX + 20], *all = NULL;
    size_t count = 0, size;
    assert_int_equal(tr_decoder_init(&decoder, encoding), 0);
    for (size_t at = 0; at < bytes.len; at += size, count++) {
        size = 1 + (count * count + first) % 9;
        tr_bytes piece = {(const char *)bytes.ptr + at,
                          size < bytes.len - at ? size : bytes.len - at};
        assert_int_equal(tr_decoder_push(&decoder, piece, &text[count]), 0);
    }
    assert_int_equal(tr_decoder_end(&decoder, &text[count++]), 0);
    assert_int_equal(tr_buf_concat(text, count, &all), 0);
    for (size_t i = 0; i < count; i++)
        tr_buf_unref(&text[i]);
    return all;
}

static tr_buf *write_into(uint32_t room, tr_str text, tr_encoding encoding)
{
    tr_buf *all = NULL, *written = NULL;
    assert_int_equal(tr_buf_new(room, &all), 0);
    size_t size = tr_room_parse(tr_buf_room(all), text, encoding);
    assert_int_equal(tr_buf_slice(all, 0, size, &written), 0);
    tr_buf_unref(&all);
    return written;
}

static tr_buf *answer(char kind, uint32_t number, const struct input *in, tr_encoding encoding)
{
    tr_bytes bytes = {in->bytes, in->size};
    tr_str text = {(const char *)in->bytes, in->size};
    tr_buf *buf = NULL;
    switch (kind) {
    case 'p':
        assert_int_equal(tr_bytes_print(bytes, encoding, &buf), 0);
        break;
    case 'b':
        assert_int_equal(tr_text_parse(text, encoding, &buf), 0);
        break;
    case 'w':
        return write_into(number, text, encoding);
    case 'd':
        return decode(bytes, encoding, number);
    default:
        assert_int_equal(
            tr_buf_copy((char[]){tr_bytes_is_utf8(bytes), tr_bytes_is_ascii(bytes)}, 2, &buf), 0);
    }
    return buf;
}

// ---- Side by side ----

static void put_number(FILE *file, uint32_t number)
{
    uint8_t bytes[4];
    assert_int_equal(tr_room_uint(tr_room_of(bytes, 4), 0, TR_LE32, number), 0);
    assert_int_equal(fwrite(bytes, 1, 4, file), 4);
}

static uint32_t get_number(FILE *file)
{
    uint8_t bytes[4];
    uint64_t number = 0;
    assert_int_equal(fread(bytes, 1, 4, file), 4);
    assert_int_equal(tr_bytes_uint(tr_bytes_of(bytes, 4), 0, TR_LE32, &number), 0);
    return (uint32_t)number;
}

// Run Node from file to file. returns: its exit status, or -1 when there is none
static int run_node(const char *const *argv, FILE *input, FILE *output)
{
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t files;
    fflush(input);
    rewind(input);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, fileno(input), 0);
    posix_spawn_file_actions_adddup2(&files, fileno(output), 1);
    if (posix_spawnp(&pid, "node", &files, NULL, (char *const *)argv, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&files);
    rewind(output);
    return status;
}

static void fail_with(const struct input *in, char kind, uint32_t number, const char *encoding,
                      tr_bytes ours, tr_bytes nodes)
{
    fprintf(stderr, "%s, kind %c, number %u, of:\n", encoding, kind, number);
    for (size_t i = 0; i < in->size; i++)
        fprintf(stderr, "%02x", in->bytes[i]);
    fputs("\nours:\n", stderr);
    for (size_t i = 0; i < ours.len; i++)
        fprintf(stderr, "%02x", ((const uint8_t *)ours.ptr)[i]);
    fputs("\nNode's:\n", stderr);
    for (size_t i = 0; i < nodes.len; i++)
        fprintf(stderr, "%02x", ((const uint8_t *)nodes.ptr)[i]);
    fputs("\n", stderr);
    fail();
}

static void compare(FILE *output, char kind, uint32_t number, const struct input *in,
                    tr_encoding encoding)
{
    uint8_t bytes[8 * INPUT_MAX];
    tr_bytes nodes = {bytes, get_number(output)};
    assert_true(nodes.len <= sizeof bytes);
    assert_int_equal(fread(bytes, 1, nodes.len, output), nodes.len);
    tr_buf *ours = answer(kind, number, in, encoding);
    if (!tr_bytes_eq(tr_buf_bytes(ours), nodes))
        fail_with(in, kind, number, names[encoding], tr_buf_bytes(ours), nodes);
    tr_buf_unref(&ours);
}

static size_t case_count(void)
{
    const char *scale = getenv("TROUPE_TEST_SCALE");
    size_t divisor = scale != NULL ? strtoul(scale, NULL, 10) : 10;
    return divisor < 2 ? CASES : CASES / divisor + 1;
}

// The cases are made twice, from the same seed, instead of being kept.
static void agree(tr_encoding encoding)
{
    char name[16];
    const char *argv[] = {"node", ENCODINGS_JS, name, NULL};
    size_t count = case_count() * strlen(KINDS);
    struct input in;
    FILE *input = tmpfile(), *output = tmpfile();
    assert_true(input != NULL && output != NULL);
    snprintf(name, sizeof name, "%s", names[encoding]);
    for (int pass = 0; pass < 2; pass++) {
        seed = 1;
        for (size_t i = 0; i < count; i++) {
            char kind = KINDS[i % strlen(KINDS)];
            make_input(&in, encoding, kind);
            uint32_t number = (uint32_t)random_below(&seed, in.size + 1);
            if (pass == 1) {
                compare(output, kind, number, &in, encoding);
                continue;
            }
            fputc(kind, input);
            put_number(input, number);
            put_number(input, (uint32_t)in.size);
            fwrite(in.bytes, 1, in.size, input);
        }
        if (pass == 0)
            assert_int_equal(run_node(argv, input, output), 0);
    }
    fclose(input);
    fclose(output);
}

static void utf8_agrees(void **state)
{
    (void)state;
    agree(TR_UTF8);
}

static void hex_agrees(void **state)
{
    (void)state;
    agree(TR_HEX);
}

static void base64_agrees(void **state)
{
    (void)state;
    agree(TR_BASE64);
}

static void base64url_agrees(void **state)
{
    (void)state;
    agree(TR_BASE64URL);
}

static void latin1_agrees(void **state)
{
    (void)state;
    agree(TR_LATIN1);
}

static void ascii_agrees(void **state)
{
    (void)state;
    agree(TR_ASCII);
}

static void utf16le_agrees(void **state)
{
    (void)state;
    agree(TR_UTF16LE);
}

static bool node_is_here(void)
{
    const char *argv[] = {"node", "--version", NULL};
    FILE *none = tmpfile();
    bool here = none != NULL && run_node(argv, none, none) == 0;
    if (none != NULL)
        fclose(none);
    return here;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_agrees),    cmocka_unit_test(hex_agrees),
        cmocka_unit_test(base64_agrees),  cmocka_unit_test(base64url_agrees),
        cmocka_unit_test(latin1_agrees),  cmocka_unit_test(ascii_agrees),
        cmocka_unit_test(utf16le_agrees),
    };
    if (!node_is_here()) {
        puts("skipped: there is no node");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
