// Encodings on any input, as bytes and as text. The first byte chooses the encoding, the second one
// where pieces end and how much room there is.
#include <stdlib.h>
#include <string.h>
#include <troupe/encoding.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Not an assert: this must hold in every build.
#define MUST(condition) ((condition) ? (void)0 : abort())

static tr_buf *print(tr_bytes bytes, tr_encoding encoding)
{
    tr_buf *text = NULL;
    MUST(tr_bytes_print(bytes, encoding, &text) == 0);
    return text;
}

static tr_buf *parse(tr_bytes text, tr_encoding encoding)
{
    tr_buf *bytes = NULL;
    MUST(tr_text_parse((tr_str){text.ptr, text.len}, encoding, &bytes) == 0);
    return bytes;
}

static void must_be(tr_buf *buf, tr_bytes expected)
{
    MUST(tr_bytes_eq(tr_buf_bytes(buf), expected));
    tr_buf_unref(&buf);
}

// In pieces it is the same text.
static void fuzz_decoder(tr_bytes bytes, tr_encoding encoding, size_t piece, tr_bytes whole)
{
    tr_decoder decoder;
    MUST(tr_decoder_init(&decoder, encoding) == 0);
    for (size_t at = 0, taken = 0;; at += piece) {
        tr_buf *text = NULL;
        size_t left = bytes.len - at;
        if (left == 0) {
            MUST(tr_decoder_end(&decoder, &text) == 0);
            must_be(text, tr_bytes_of((const char *)whole.ptr + taken, whole.len - taken));
            return;
        }
        piece = piece < left ? piece : left;
        tr_bytes next = {(const char *)bytes.ptr + at, piece};
        MUST(tr_decoder_push(&decoder, next, &text) == 0);
        size_t printed = tr_buf_size(text);
        MUST(printed <= whole.len - taken);
        must_be(text, tr_bytes_of((const char *)whole.ptr + taken, printed));
        taken += printed;
    }
}

// What is printed is UTF-8, and what is printed without loss is parsed as what it was.
static void fuzz_bytes(tr_bytes bytes, tr_encoding encoding, size_t piece)
{
    tr_buf *text = print(bytes, encoding);
    MUST(tr_bytes_is_utf8(tr_buf_bytes(text)));
    fuzz_decoder(bytes, encoding, piece, tr_buf_bytes(text));
    if (tr_bytes_check(bytes, encoding) == bytes.len)
        must_be(parse(tr_buf_bytes(text), encoding), bytes);
    tr_buf_unref(&text);
}

// Less room takes the beginning of what is parsed, and text that is right has no other form.
static void fuzz_text(tr_bytes text, tr_encoding encoding, size_t room)
{
    uint8_t some[256];
    tr_buf *bytes = parse(text, encoding);
    size_t written = tr_room_parse(tr_room_of(some, room), (tr_str){text.ptr, text.len}, encoding);
    MUST(written <= room && written <= tr_buf_size(bytes));
    MUST(tr_bytes_eq(tr_bytes_of(some, written), tr_bytes_of(tr_buf_data(bytes), written)));
    // Upper case is right in hexadecimal, too, and prints as lower case.
    if (encoding != TR_HEX && tr_text_check((tr_str){text.ptr, text.len}, encoding) == text.len)
        must_be(print(tr_buf_bytes(bytes), encoding), text);
    tr_buf_unref(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    tr_encoding encoding = (tr_encoding)(bytes[0] % (TR_UTF16LE + 1));
    tr_bytes input = {bytes + 2, size - 2};
    fuzz_bytes(input, encoding, 1 + bytes[1]);
    fuzz_text(input, encoding, bytes[1]);
    return 0;
}
