// Every ready-made transform in the suite that all of them pass.
#include <string.h>
#include <zlib.h>

#include "conform/transform_suite.h"
#include "support/cmocka.h"

#define MAKE(word, call)                                                                           \
    static int make_##word(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)      \
    {                                                                                              \
        return call;                                                                               \
    }

MAKE(lines, tr_lines(self, TR_LINES(.line_max = 8, .stream = opts), ret_stream))
MAKE(lines_join, tr_lines_join(self, opts, ret_stream))
MAKE(frames, tr_frames(self, TR_FRAMES(.frame_max = 8, .stream = opts), ret_stream))
MAKE(frames_le16, tr_frames(self, TR_FRAMES(.word = TR_LE16, .stream = opts), ret_stream))
MAKE(frames_byte, tr_frames(self, TR_FRAMES(.word = TR_BYTE, .stream = opts), ret_stream))
MAKE(frames_join, tr_frames_join(self, TR_FRAMES(.frame_max = 8, .stream = opts), ret_stream))
MAKE(frames_join_le16, tr_frames_join(self, TR_FRAMES(.word = TR_LE16, .stream = opts), ret_stream))
MAKE(docs, tr_docs(self, TR_DOCS(.doc_max = 64, .stream = opts), ret_stream))
MAKE(docs_join, tr_docs_join(self, TR_DOCS(.doc_max = 64, .stream = opts), ret_stream))
#define MAKE_TEXT(to, word, as, rigid)                                                             \
    MAKE(to##_##word,                                                                              \
         tr_##to##_text(self, TR_CODING(.encoding = as, .strict = rigid, .stream = opts),          \
                        ret_stream))
MAKE_TEXT(to, utf8, TR_UTF8, false)
MAKE_TEXT(to, utf8_strict, TR_UTF8, true)
MAKE_TEXT(to, hex, TR_HEX, false)
MAKE_TEXT(to, base64, TR_BASE64, true)
MAKE_TEXT(to, latin1, TR_LATIN1, false)
MAKE_TEXT(to, utf16le, TR_UTF16LE, false)
MAKE_TEXT(to, utf16le_strict, TR_UTF16LE, true)
MAKE_TEXT(from, utf8_strict, TR_UTF8, true)
MAKE_TEXT(from, hex, TR_HEX, false)
MAKE_TEXT(from, hex_strict, TR_HEX, true)
MAKE_TEXT(from, base64, TR_BASE64, false)
MAKE_TEXT(from, base64_strict, TR_BASE64, true)
MAKE_TEXT(from, base64url_strict, TR_BASE64URL, true)
MAKE_TEXT(from, latin1, TR_LATIN1, false)
MAKE_TEXT(from, latin1_strict, TR_LATIN1, true)
MAKE_TEXT(from, utf16le, TR_UTF16LE, false)
MAKE(gzip, tr_gzip(self, TR_ZIP(.stream = opts), ret_stream))
MAKE(deflate, tr_deflate(self, TR_ZIP(.level = 9, .stream = opts), ret_stream))
MAKE(deflate_raw, tr_deflate(self, TR_ZIP(.raw = true, .stream = opts), ret_stream))
MAKE(gunzip, tr_gunzip(self, TR_ZIP(.stream = opts), ret_stream))
MAKE(gunzip_little, tr_gunzip(self, TR_ZIP(.output_max = 40, .stream = opts), ret_stream))
MAKE(inflate, tr_inflate(self, TR_ZIP(.stream = opts), ret_stream))
MAKE(inflate_raw, tr_inflate(self, TR_ZIP(.raw = true, .stream = opts), ret_stream))
MAKE(take, tr_take(self, 2, opts, ret_stream))

// ---- By functions ----

static int push_copy(tr_actor *self, tr_stream stream, const char *bytes, size_t size)
{
    tr_buf *copy = NULL;
    int rc = tr_buf_copy(bytes, size, &copy);
    if (rc == 0)
        rc = tr_stream_push(self, stream, &copy);
    tr_buf_unref(&copy);
    return rc < 0 ? rc : 0;
}

// Each byte twice, in upper case, one chunk at a time.
static int twice(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t *at = arg;
    char pair[2];
    if (*at == tr_buf_size(chunk)) {
        *at = 0;
        return 0;
    }
    pair[0] = pair[1] = ((const char *)tr_buf_data(chunk))[(*at)++];
    int rc = push_copy(self, stream, pair, 2);
    return rc < 0 ? rc : TR_MORE;
}

static int make_map(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    static size_t at;
    at = 0;
    return tr_map(self, opts, ret_stream, twice, &at);
}

static bool is_long(tr_actor *self, tr_buf *chunk, void *arg)
{
    (void)self, (void)arg;
    return tr_buf_size(chunk) > 1;
}
MAKE(filter, tr_filter(self, opts, ret_stream, is_long, NULL))

static void count(tr_actor *self, tr_buf *chunk, uint64_t total, void *arg)
{
    uint64_t *last = arg;
    (void)self;
    *last += tr_buf_size(chunk);
    assert_int_equal(*last, total);
}

static int make_tap(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    static uint64_t total;
    total = 0;
    return tr_tap(self, opts, ret_stream, count, &total);
}

// The first of every two is answered after the second; "none" gives nothing.
static struct waiting {
    bool there;
    tr_map_job job;
    char text[8];
    size_t size;
} waiting;

static int answer(tr_actor *self, tr_map_job job, const char *text, size_t size)
{
    tr_buf *result = NULL;
    int rc = size == 4 ? 0 : tr_buf_copy(text, size, &result);
    if (rc == 0)
        tr_map_answer(self, job, 0, &result);
    tr_buf_unref(&result);
    return rc;
}

static void answer_waiting(tr_actor *self, void *arg)
{
    (void)arg;
    if (waiting.there && answer(self, waiting.job, waiting.text, waiting.size) < 0)
        tr_map_answer(self, waiting.job, TR_ENOMEM, NULL);
    waiting.there = false;
}

static int later(tr_actor *self, tr_map_job job, tr_buf *chunk, void *arg)
{
    size_t size = tr_buf_size(chunk);
    (void)arg;
    if (waiting.there)
        return answer(self, job, tr_buf_data(chunk), size);
    int rc = tr_immediate(self, answer_waiting, NULL);
    if (rc < 0)
        return rc;
    assert_true(size <= sizeof waiting.text);
    waiting = (struct waiting){.there = true, .job = job, .size = size};
    memcpy(waiting.text, tr_buf_data(chunk), size);
    return 0;
}

static int make_map_later(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream)
{
    waiting.there = false;
    return tr_map_later(self, TR_MAP_LATER(.concurrency = 2, .stream = opts), ret_stream, later,
                        NULL);
}

// ---- What zlib itself makes ----

#define QUESTION "to be, or not to be: that is the question"
#define GZIP_A                                                                                     \
    "\037\213\010\000\000\000\000\000\002\003\053\311\127\110\112\325\121\310\057\122\310\313\057" \
    "\121\050\001\361\254\000\050\375\061\155\024\000\000\000"
#define GZIP_B                                                                                     \
    "\037\213\010\000\000\000\000\000\002\003\123\050\311\110\054\121\310\054\126\050\311\110\125" \
    "\050\054\115\055\056\311\314\317\003\000\132\242\131\207\025\000\000\000"
#define RAW                                                                                        \
    "\053\311\127\110\112\325\121\310\057\122\310\313\057\121\050\001\361\254\024\112\062\022\113" \
    "\024\062\213\201\164\252\102\141\151\152\161\111\146\176\036\000"
#define ZLIB "\170\234" RAW "\037\252\016\123"

static char zipped[3][200];

static size_t zip_by_zlib(char *to, int level, int format)
{
    z_stream z = {0};
    assert_int_equal(Z_OK, deflateInit2(&z, level, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY));
    z.next_in = (Bytef *)(uintptr_t)QUESTION;
    z.avail_in = sizeof QUESTION - 1;
    z.next_out = (Bytef *)to;
    z.avail_out = sizeof zipped[0];
    assert_int_equal(Z_STREAM_END, deflate(&z, Z_FINISH));
    deflateEnd(&z);
    return z.total_out;
}

// ---- The cases ----

#define BYTES(in, out)                                                                             \
    .input = in, .input_size = sizeof(in) - 1, .output = out, .output_size = sizeof(out) - 1
#define EURO  "\xe2\x82\xac"
#define SMILE "\xf0\x9f\x98\x80"
#define FFFD  "\xef\xbf\xbd"

static struct transform_case cases[] = {
    // clang-format off
    {"lines", make_lines, .items_out = true, BYTES("a\nbc\r\n\n\r\nd\re\n12345678\r\nend", "a|bc|||d\re|12345678|end|")},
    {"lines: nothing", make_lines, .items_out = true, BYTES("", "")},
    {"lines: a last one with its newline", make_lines, .items_out = true, BYTES("\nb\n", "|b|")},
    {"lines: a last one with half of it", make_lines, .items_out = true, BYTES("a\nb\r", "a|b\r|")},
    {"lines: too long", make_lines, .items_out = true, .error = TR_ETOOBIG, BYTES("a\n123456789\nb\n", "a|")},
    {"lines: too long without an end", make_lines, .items_out = true, .error = TR_ETOOBIG, BYTES("a\n123456789", "a|")},
    {"lines_join", make_lines_join, .items_in = true, BYTES("a||bc|", "a\n\nbc\n")},
    {"frames", make_frames, .items_out = true, BYTES("\0\0\0\2ab\0\0\0\0\0\0\0\1c\0\0\0\01012345678", "ab||c|12345678|")},
    {"frames: of 16 bits", make_frames_le16, .items_out = true, BYTES("\2\0ab\0\0\1\0c", "ab||c|")},
    {"frames: of 8 bits", make_frames_byte, .items_out = true, BYTES("\2ab\0\1c", "ab||c|")},
    {"frames: too large", make_frames, .items_out = true, .error = TR_ETOOBIG, BYTES("\0\0\0\1a\0\0\0\011", "a|")},
    {"frames: cut", make_frames, .items_out = true, .error = TR_EBADMSG, BYTES("\0\0\0\1a\0\0\0\2b", "a|")},
    {"frames: cut in a length", make_frames, .items_out = true, .error = TR_EBADMSG, BYTES("\0\0\0\1a\0", "a|")},
    {"frames_join", make_frames_join, .items_in = true, BYTES("ab||12345678|", "\0\0\0\2ab\0\0\0\0\0\0\0\01012345678")},
    {"frames_join: of 16 bits", make_frames_join_le16, .items_in = true, BYTES("ab||", "\2\0ab\0\0")},
    {"frames_join: too large", make_frames_join, .items_in = true, .error = TR_ETOOBIG, BYTES("a|123456789|", "\0\0\0\1a")},
    {"docs", make_docs, .items_out = true, BYTES("\1\xc0\xa2hi\x92\1\x81\xa1k\xc3\xcd\1\2\xd9\3abc\xc4\1x", "\1|\xc0|\xa2hi|\x92\1\x81\xa1k\xc3|\xcd\1\2|\xd9\3abc|\xc4\1x|")},
    {"docs: cut", make_docs, .items_out = true, .error = TR_EBADMSG, BYTES("\1\x92\1", "\1|")},
    {"docs: none", make_docs, .items_out = true, .error = TR_EBADMSG, BYTES("\1\xc1\1", "\1|")},
    {"docs: promises too much", make_docs, .items_out = true, .error = TR_ETOOBIG, BYTES("\1\xdd\xff\xff\xff\xff", "\1|")},
    {"docs: too deep", make_docs, .items_out = true, .error = TR_ETOODEEP, BYTES("\1\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\1", "\1|")},
    {"docs_join", make_docs_join, .items_in = true, BYTES("\1|\xa2hi|", "\1\xa2hi")},
    {"docs_join: none", make_docs_join, .items_in = true, .error = TR_EBADMSG, BYTES("\1|\1\1|", "\1")},
    {"to utf8", make_to_utf8, BYTES("a" EURO "\xff" SMILE "\xe2\x82", "a" EURO FFFD SMILE FFFD)},
    {"to utf8, strict", make_to_utf8_strict, BYTES("a" EURO SMILE FFFD, "a" EURO SMILE FFFD)},
    {"to utf8, strict: wrong", make_to_utf8_strict, .error = TR_EBADMSG, BYTES("a" EURO "\xf0\x9f\x98z", "a" EURO)},
    {"to utf8, strict: cut", make_to_utf8_strict, .error = TR_EBADMSG, BYTES("a\xe2\x82", "a")},
    {"to hex", make_to_hex, BYTES("\0Az\xff", "00417aff")},
    {"to base64", make_to_base64, BYTES("any carnal pleas", "YW55IGNhcm5hbCBwbGVhcw==")},
    {"to latin1", make_to_latin1, BYTES("a\xe9\xff", "aéÿ")},
    {"to utf16le", make_to_utf16le, BYTES("a\0\xac\x20\x3d\xd8\x00\xde\x3d\xd8" "b\0c", "a" EURO SMILE FFFD "b")},
    {"to utf16le, strict", make_to_utf16le_strict, BYTES("a\0\xac\x20\x3d\xd8\x00\xde", "a" EURO SMILE)},
    {"to utf16le, strict: odd", make_to_utf16le_strict, .error = TR_EBADMSG, BYTES("a\0c", "a")},
    {"from utf8, strict", make_from_utf8_strict, BYTES("a" EURO SMILE, "a" EURO SMILE)},
    {"from utf8, strict: cut", make_from_utf8_strict, .error = TR_EBADMSG, BYTES("a" EURO "\xe2", "a" EURO)},
    {"from hex", make_from_hex, BYTES("00417AfFzz4142", "\0Az\xff")},
    {"from hex: odd", make_from_hex, BYTES("41424", "AB")},
    {"from hex, strict", make_from_hex_strict, BYTES("00417AfF", "\0Az\xff")},
    {"from hex, strict: odd", make_from_hex_strict, .error = TR_EBADMSG, BYTES("41424", "AB")},
    {"from hex, strict: wrong", make_from_hex_strict, .error = TR_EBADMSG, BYTES("41zz", "A")},
    {"from base64", make_from_base64, BYTES("YW55\nIGNh cm5hbCBw\r\nbGVhcw==YW55", "any carnal pleas")},
    {"from base64: both alphabets, no padding", make_from_base64, BYTES("-_+/YW5", "\xfb\xff\xbf" "an")},
    {"from base64, strict", make_from_base64_strict, BYTES("YW55IGNhcm5hbCBwbGVhcw==", "any carnal pleas")},
    {"from base64, strict: a space", make_from_base64_strict, .error = TR_EBADMSG, BYTES("YW55 IGN", "any")},
    {"from base64, strict: cut", make_from_base64_strict, .error = TR_EBADMSG, BYTES("YW55IG", "any")},
    {"from base64, strict: more", make_from_base64_strict, .error = TR_EBADMSG, BYTES("YW55IA==YW55", "any ")},
    {"from base64url, strict", make_from_base64url_strict, BYTES("-_-_YW4", "\xfb\xff\xbf" "an")},
    {"from latin1", make_from_latin1, BYTES("aéÿ" EURO, "a\xe9\xff\xac")},
    {"from latin1, strict", make_from_latin1_strict, BYTES("aéÿ", "a\xe9\xff")},
    {"from latin1, strict: above", make_from_latin1_strict, .error = TR_EBADMSG, BYTES("aé" EURO, "a\xe9")},
    {"from utf16le", make_from_utf16le, BYTES("a" EURO SMILE, "a\0\xac\x20\x3d\xd8\x00\xde")},
    {"gzip", make_gzip, BYTES(QUESTION, "")},
    {"deflate", make_deflate, BYTES(QUESTION, "")},
    {"deflate, raw", make_deflate_raw, BYTES(QUESTION, "")},
    {"gunzip", make_gunzip, BYTES(GZIP_A, "to be, or not to be:")},
    {"gunzip: members and zeros", make_gunzip, BYTES(GZIP_A "\0\0" GZIP_B "\0", QUESTION)},
    {"gunzip: cut", make_gunzip, .error = TR_EBADMSG, .input = GZIP_A, .input_size = sizeof GZIP_A - 3, .output = TEXT("to be, or not to be:")},
    {"gunzip: nothing", make_gunzip, .error = TR_EBADMSG, BYTES("", "")},
    {"gunzip: followed by something else", make_gunzip, .error = TR_EBADMSG, BYTES(GZIP_A "x", "to be, or not to be:")},
    {"gunzip: too much", make_gunzip_little, .error = TR_ETOOBIG, BYTES(GZIP_A GZIP_B, QUESTION)},
    {"inflate", make_inflate, BYTES(ZLIB, QUESTION)},
    {"inflate: followed by something else", make_inflate, .error = TR_EBADMSG, BYTES(ZLIB "\0", QUESTION)},
    {"inflate, raw", make_inflate_raw, BYTES(RAW, QUESTION)},
    {"map", make_map, BYTES("abcde", "aabbccddee")},
    {"filter", make_filter, .items_in = true, .items_out = true, BYTES("a|bc|d|efg||", "bc|efg|")},
    {"tap", make_tap, BYTES("abcdefgh", "abcdefgh")},
    {"take", make_take, .items_in = true, .items_out = true, .sheds = true, BYTES("a|b|c|d|", "a|b|")},
    {"take: there is no more", make_take, .items_in = true, .items_out = true, BYTES("a|", "a|")},
    {"map_later", make_map_later, .items_in = true, .items_out = true, .burst = 3, BYTES("1|2|none|3|4|5|6|none|7|", "1|2|3|4|5|6|7|")},
    // clang-format on
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void fill_in(const char *name, char *to, int level, int format)
{
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            cases[i].output = to;
            cases[i].output_size = zip_by_zlib(to, level, format);
        }
    }
}

int main(void)
{
    fill_in("gzip", zipped[0], 6, MAX_WBITS + 16);
    fill_in("deflate", zipped[1], 9, MAX_WBITS);
    fill_in("deflate, raw", zipped[2], 6, -MAX_WBITS);
    return transform_suite(cases, CASES);
}
