// Encodings on the way: bytes to text, and text to bytes.
//
// Where characters may be cut a decoder (troupe/encoding.h) holds their beginnings. Hexadecimal
// digits and base64 come in groups, of which the last one is held until it is full; what lenient
// base64 passes over is taken out first, for it may stand within a group.
#include <troupe/transform.h>

#include "base/assert.h"
#include "base/opts.h"
#include "streams/streams.h"

typedef struct text {
    tr_encoding encoding;
    bool strict;
    bool over;          // groups: what comes now does not count
    tr_decoder decoder; // to_text: of the encoding; from_text: of UTF-8
    char held[4];       // groups: of the last one
    size_t held_len;
} text;

static int text_push(tr_actor *self, tr_stream stream, tr_buf **chunk)
{
    int rc = tr__streams_push(self, stream, chunk);
    return rc < 0 ? rc : 0;
}

static int bytes_join(tr_bytes a, tr_bytes b, tr_buf **ret_joined)
{
    int rc = tr_buf_new(a.len + b.len, ret_joined);
    if (rc < 0)
        return rc;
    char *to = tr_buf_data(*ret_joined);
    tr_room_copy(tr_room_of(to, a.len), a);
    tr_room_copy(tr_room_of(to + a.len, b.len), b);
    return 0;
}

// ---- Characters ----

// Without the last `held` bytes, which may go on.
static int bytes_are_right(tr_bytes bytes, size_t held, tr_encoding encoding)
{
    bytes.len -= held;
    return tr_bytes_check(bytes, encoding) == bytes.len ? 0 : TR_EBADMSG;
}

// What a decoder has printed of these bytes was what they are.
static int text_check(const tr_decoder *before, const tr_decoder *after, tr_bytes bytes)
{
    tr_encoding encoding = (tr_encoding)after->encoding;
    tr_buf *joined;
    if (before->held == 0)
        return bytes_are_right(bytes, after->held, encoding);
    int rc = bytes_join(tr_bytes_of(before->bytes, before->held), bytes, &joined);
    if (rc < 0)
        return rc;
    rc = bytes_are_right(tr_buf_bytes(joined), after->held, encoding);
    tr_buf_unref(&joined);
    return rc;
}

static int text_print(text *t, tr_buf *chunk, tr_buf **ret_text)
{
    tr_decoder before = t->decoder;
    int rc = tr_decoder_push(&t->decoder, tr_buf_bytes(chunk), ret_text);
    if (rc == 0 && t->strict && (rc = text_check(&before, &t->decoder, tr_buf_bytes(chunk))) < 0)
        tr_buf_unref(ret_text);
    return rc;
}

static int text_print_rest(text *t, tr_buf **ret_text)
{
    int rc = t->strict ? bytes_are_right(tr_bytes_of(t->decoder.bytes, t->decoder.held), 0,
                                         (tr_encoding)t->decoder.encoding)
                       : 0;
    return rc < 0 ? rc : tr_decoder_end(&t->decoder, ret_text);
}

static int to_text_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    tr_buf *printed;
    int rc = text_print(state, chunk, &printed);
    return rc < 0 ? rc : text_push(self, stream, &printed);
}

static int to_text_flush(tr_actor *self, tr_stream stream, void *state)
{
    tr_buf *printed;
    int rc = text_print_rest(state, &printed);
    return rc < 0 ? rc : text_push(self, stream, &printed);
}

// ---- From text ----

static int text_parse(tr_actor *self, tr_stream stream, const text *t, tr_bytes bytes)
{
    tr_str piece = {bytes.ptr, bytes.len};
    tr_buf *parsed;
    if (t->strict && tr_text_check(piece, t->encoding) < piece.len)
        return TR_EBADMSG;
    int rc = tr_text_parse(piece, t->encoding, &parsed);
    return rc < 0 ? rc : text_push(self, stream, &parsed);
}

// moves: *characters, always
static int text_parse_whole(tr_actor *self, tr_stream stream, const text *t, tr_buf **characters)
{
    int rc = text_parse(self, stream, t, tr_buf_bytes(*characters));
    tr_buf_unref(characters);
    return rc;
}

// How many characters make a group; 0: there are none in that encoding.
static size_t group_size(tr_encoding encoding)
{
    return encoding == TR_HEX ? 2 : encoding == TR_BASE64 || encoding == TR_BASE64URL ? 4 : 0;
}

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_';
}

// Take out what does not count; nothing does behind a =. returns: what is left
static size_t base64_filter(text *t, char *chars, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len && !t->over; i++) {
        t->over = chars[i] == '=';
        chars[kept] = chars[i];
        kept += is_base64(chars[i]);
    }
    return kept;
}

static bool hex_stops(tr_str digits)
{
    return tr_text_check(digits, TR_HEX) < digits.len;
}

// All groups that are full, and at the text's end the last one as it is.
static int groups_parse(tr_actor *self, tr_stream stream, text *t, tr_bytes piece)
{
    size_t group = group_size(t->encoding);
    size_t rest = t->over || group == 0 ? 0 : piece.len % group;
    tr_bytes full = {piece.ptr, piece.len - rest};
    if (t->encoding == TR_HEX)
        t->over = hex_stops((tr_str){full.ptr, full.len});
    else if (t->strict && full.len > 0)
        t->over = ((const char *)full.ptr)[full.len - 1] == '=';
    t->held_len = rest;
    if (rest > 0)
        memcpy(t->held, (const char *)piece.ptr + full.len, rest);
    return text_parse(self, stream, t, full);
}

static int groups_transform(tr_actor *self, tr_stream stream, text *t, tr_buf *chunk)
{
    tr_buf *piece;
    if (t->over)
        return t->strict ? TR_EBADMSG : 0;
    int rc = bytes_join(tr_bytes_of(t->held, t->held_len), tr_buf_bytes(chunk), &piece);
    if (rc < 0)
        return rc;
    tr_bytes bytes = tr_buf_bytes(piece);
    if (!t->strict && t->encoding != TR_HEX)
        bytes.len = base64_filter(t, tr_buf_data(piece), bytes.len);
    rc = groups_parse(self, stream, t, bytes);
    tr_buf_unref(&piece);
    return rc;
}

static int from_text_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    text *t = state;
    tr_buf *characters;
    if (tr_buf_size(chunk) == 0)
        return 0;
    if (group_size(t->encoding) > 0)
        return groups_transform(self, stream, t, chunk);
    int rc = text_print(t, chunk, &characters);
    return rc < 0 ? rc : text_parse_whole(self, stream, t, &characters);
}

static int from_text_flush(tr_actor *self, tr_stream stream, void *state)
{
    text *t = state;
    tr_buf *characters;
    if (group_size(t->encoding) > 0)
        return text_parse(self, stream, t, tr_bytes_of(t->held, t->held_len));
    int rc = text_print_rest(t, &characters);
    return rc < 0 ? rc : text_parse_whole(self, stream, t, &characters);
}

// ---- Making ----

static const tr_stream_ops to_text_ops = {.name = "to_text",
                                          .state_size = sizeof(text),
                                          .transform = to_text_transform,
                                          .flush = to_text_flush};
static const tr_stream_ops from_text_ops = {.name = "from_text",
                                            .state_size = sizeof(text),
                                            .transform = from_text_transform,
                                            .flush = from_text_flush};

static int text_new(tr_actor *self, const tr_stream_ops *ops, const tr_coding_opts *opts,
                    tr_stream *ret_stream)
{
    tr_coding_opts o;
    tr_decoder decoder;
    void *state;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc == 0)
        rc = tr_decoder_init(&decoder, o.encoding);
    if (rc == 0 && ops == &from_text_ops)
        rc = tr_decoder_init(&decoder, TR_UTF8);
    if (rc == 0)
        rc = tr__streams_new(self, ops, o.stream, TR_BYTES, ret_stream, &state);
    if (rc == 0)
        *(text *)state = (text){.encoding = o.encoding, .strict = o.strict, .decoder = decoder};
    return rc;
}

int tr_to_text(tr_actor *self, const tr_coding_opts *opts, tr_stream *ret_stream)
{
    return text_new(self, &to_text_ops, opts, ret_stream);
}

int tr_from_text(tr_actor *self, const tr_coding_opts *opts, tr_stream *ret_stream)
{
    return text_new(self, &from_text_ops, opts, ret_stream);
}
