// Encodings, by the table of each (codec.h): what all have in common is whose memory it is, and
// that wrong arguments are refused. Nothing below here sees a NULL pointer.
#include <string.h>
#include <strings.h>
#include <troupe/encoding.h>

#include "base/assert.h"
#include "base/memory.h"
#include "data/buf.h"
#include "data/codec.h"

static const tr__codec *const codecs[] = {
    [TR_UTF8] = &tr__codec_utf8,       [TR_HEX] = &tr__codec_hex,
    [TR_BASE64] = &tr__codec_base64,   [TR_BASE64URL] = &tr__codec_base64url,
    [TR_LATIN1] = &tr__codec_latin1,   [TR_ASCII] = &tr__codec_ascii,
    [TR_UTF16LE] = &tr__codec_utf16le,
};
#define CODECS (sizeof codecs / sizeof codecs[0])
_Static_assert(CODECS == TR_UTF16LE + 1, "every encoding has a codec");

// The codec for what is at ptr, or NULL when the arguments are wrong. Where nothing is, *ptr
// becomes a pointer that may be used.
static const tr__codec *codec_for(tr_encoding encoding, const void **ptr, size_t len)
{
    if ((size_t)encoding >= CODECS || (*ptr == NULL && len > 0))
        return NULL;
    if (*ptr == NULL)
        *ptr = "";
    return codecs[encoding];
}

int tr_encoding_named(const char *name, tr_encoding *ret_encoding)
{
    static const struct {
        const char *name;
        tr_encoding encoding;
    } names[] = {
        {"utf8", TR_UTF8},        {"utf-8", TR_UTF8},          {"hex", TR_HEX},
        {"base64", TR_BASE64},    {"base64url", TR_BASE64URL}, {"latin1", TR_LATIN1},
        {"binary", TR_LATIN1},    {"ascii", TR_ASCII},         {"utf16le", TR_UTF16LE},
        {"utf-16le", TR_UTF16LE}, {"ucs2", TR_UTF16LE},        {"ucs-2", TR_UTF16LE},
    };
    if (name == NULL || ret_encoding == NULL)
        return TR_EINVAL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i].name) == 0) {
            *ret_encoding = names[i].encoding;
            return 0;
        }
    return TR_ENOENT;
}

int tr_bytes_print(tr_bytes bytes, tr_encoding encoding, tr_buf **ret_text)
{
    const tr__codec *codec = codec_for(encoding, &bytes.ptr, bytes.len);
    if (codec == NULL || ret_text == NULL)
        return TR_EINVAL;
    tr_buf *text;
    int rc = tr__buf_text(codec->text_size(bytes), &text);
    if (rc < 0)
        return rc;
    codec->print(bytes, tr_buf_data(text));
    *ret_text = text;
    return 0;
}

size_t tr_room_print(tr_room to, tr_bytes bytes, tr_encoding encoding)
{
    const tr__codec *codec = codec_for(encoding, &bytes.ptr, bytes.len);
    if (codec == NULL)
        return 0;
    size_t size = codec->text_size(bytes);
    if (to.ptr != NULL && size <= to.len)
        codec->print(bytes, to.ptr);
    return size;
}

int tr_text_parse(tr_str text, tr_encoding encoding, tr_buf **ret_bytes)
{
    const void *ptr = text.ptr;
    const tr__codec *codec = codec_for(encoding, &ptr, text.len);
    if (codec == NULL || ret_bytes == NULL)
        return TR_EINVAL;
    text.ptr = ptr;
    tr_buf *bytes;
    int rc = tr_buf_new(codec->bytes_max(text), &bytes);
    if (rc < 0)
        return rc;
    tr__buf_trim(&bytes, codec->parse(text, tr_buf_room(bytes)));
    *ret_bytes = bytes;
    return 0;
}

size_t tr_room_parse(tr_room to, tr_str text, tr_encoding encoding)
{
    const void *ptr = text.ptr;
    const tr__codec *codec = codec_for(encoding, &ptr, text.len);
    if (codec == NULL || to.ptr == NULL)
        return 0;
    text.ptr = ptr;
    return codec->parse(text, to);
}

size_t tr_bytes_check(tr_bytes bytes, tr_encoding encoding)
{
    const tr__codec *codec = codec_for(encoding, &bytes.ptr, bytes.len);
    if (codec == NULL)
        return 0;
    return codec->bytes_check != NULL ? codec->bytes_check(bytes) : bytes.len;
}

size_t tr_text_check(tr_str text, tr_encoding encoding)
{
    const void *ptr = text.ptr;
    const tr__codec *codec = codec_for(encoding, &ptr, text.len);
    if (codec == NULL)
        return 0;
    text.ptr = ptr;
    return codec->text_check(text);
}

// ---- In pieces ----

int tr_decoder_init(tr_decoder *decoder, tr_encoding encoding)
{
    if (decoder == NULL || (size_t)encoding >= CODECS)
        return TR_EINVAL;
    *decoder = (tr_decoder){.encoding = (uint8_t)encoding};
    return 0;
}

// Print all that is complete, and hold the rest.
static int decoder_print(tr_decoder *decoder, tr_bytes bytes, tr_buf **ret_text)
{
    const tr__codec *codec = codecs[decoder->encoding];
    size_t held = codec->incomplete != NULL ? codec->incomplete(bytes) : 0;
    tr_assert(held <= sizeof decoder->bytes && held <= bytes.len);
    tr_bytes complete = {bytes.ptr, bytes.len - held};
    int rc = tr_bytes_print(complete, (tr_encoding)decoder->encoding, ret_text);
    if (rc < 0)
        return rc;
    memcpy(decoder->bytes, (const uint8_t *)bytes.ptr + complete.len, held);
    decoder->held = (uint8_t)held;
    return 0;
}

int tr_decoder_push(tr_decoder *decoder, tr_bytes bytes, tr_buf **ret_text)
{
    if (decoder == NULL || decoder->held > sizeof decoder->bytes ||
        codec_for((tr_encoding)decoder->encoding, &bytes.ptr, bytes.len) == NULL)
        return TR_EINVAL;
    if (decoder->held == 0)
        return decoder_print(decoder, bytes, ret_text);
    // Something was cut, which is rare: joining costs a copy, and saves a second way through.
    size_t size = decoder->held + bytes.len;
    uint8_t *joined = size > bytes.len ? tr__alloc(size) : NULL;
    if (joined == NULL)
        return TR_ENOMEM;
    memcpy(joined, decoder->bytes, decoder->held);
    memcpy(joined + decoder->held, bytes.ptr, bytes.len);
    int rc = decoder_print(decoder, (tr_bytes){joined, size}, ret_text);
    tr__free(joined);
    return rc;
}

int tr_decoder_end(tr_decoder *decoder, tr_buf **ret_text)
{
    if (decoder == NULL || decoder->held > sizeof decoder->bytes)
        return TR_EINVAL;
    int rc = tr_bytes_print((tr_bytes){decoder->bytes, decoder->held},
                            (tr_encoding)decoder->encoding, ret_text);
    if (rc == 0)
        decoder->held = 0;
    return rc;
}
