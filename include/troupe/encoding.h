/* Encodings: bytes as text, and back.
 *
 * Text is UTF-8 in char, whatever it stands for. To *print* bytes in an encoding makes text of
 * them, as Node's buf.toString(encoding) does; to *parse* text makes bytes, as
 * Buffer.from(text, encoding) does.
 *
 *                 printed                                 parsed
 *   TR_UTF8       the text that the bytes are             its bytes
 *   TR_HEX        two digits a byte                       up to the first pair that is none
 *   TR_BASE64     with padding                            both alphabets, up to the first =;
 *                                                         what is in neither is passed over
 *   TR_BASE64URL  with - and _, without padding           likewise
 *   TR_LATIN1     byte for character, U+0000 to U+00FF    the low 8 bits of each UTF-16 unit
 *   TR_ASCII      the low 7 bits of each byte             as latin1
 *   TR_UTF16LE    the text that the units are; an odd     two bytes a unit
 *                 byte at the end is dropped
 *
 * Both ways are lenient, as Node is: bytes and text that are not what they should be are converted
 * by the rules above, and whatever is no character, a lone surrogate too, becomes U+FFFD: one for
 * each longest piece that a character could begin with. Whoever wants an error instead asks first:
 * tr_bytes_check and tr_text_check know the place of the first one. */
#ifndef TROUPE_ENCODING_H
#define TROUPE_ENCODING_H

#include <troupe/buf.h>
#include <troupe/bytes.h>
#include <troupe/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tr_encoding {
    TR_UTF8,
    TR_HEX,
    TR_BASE64,
    TR_BASE64URL,
    TR_LATIN1,
    TR_ASCII,
    TR_UTF16LE
} tr_encoding;

/* The encoding of a name that Node knows: "utf8", "utf-8", "hex", "base64", "base64url", "latin1",
 * "binary", "ascii", "utf16le", "utf-16le", "ucs2", "ucs-2", in letters of any case.
 * errors: TR_EINVAL, TR_ENOENT */
TR_API int tr_encoding_named(const char *name, tr_encoding *ret_encoding);

/* Print bytes. The text is followed by a NUL that is not counted in its size.
 * gives:  *ret_text
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_bytes_print(tr_bytes bytes, tr_encoding encoding, tr_buf **ret_text);

/* Parse text.
 * gives:  *ret_bytes
 * errors: TR_EINVAL, TR_ENOMEM */
TR_API int tr_text_parse(tr_str text, tr_encoding encoding, tr_buf **ret_bytes);

/* Print bytes into room for text, without a NUL. Nothing is written unless all of it fits.
 * returns: the text's size, also when it does not fit; 0 for wrong arguments */
TR_API size_t tr_room_print(tr_room to, tr_bytes bytes, tr_encoding encoding);

/* Parse as much text as there is room for its bytes, and never a part of a character: Node's
 * buf.write(text, encoding).
 * returns: how many bytes were written */
TR_API size_t tr_room_parse(tr_room to, tr_str text, tr_encoding encoding);

/* How much from the front can be printed without loss, up to the first error: bytes.len if there is
 * none. Errors are what is not UTF-8, bytes above 7f in ASCII, lone surrogates and odd bytes in
 * UTF-16; bytes are never wrong for the other encodings. */
TR_API size_t tr_bytes_check(tr_bytes bytes, tr_encoding encoding);

/* How much from the front is in the encoding, strictly, up to the first error: text.len if there is
 * none. Text must be UTF-8; hexadecimal digits even in number; base64 must be of its own alphabet
 * with nothing in between and no bits left over, with padding (TR_BASE64) or without
 * (TR_BASE64URL); characters must be below U+0100 (TR_LATIN1) or U+0080 (TR_ASCII). An end that
 * comes too early is an error at what it leaves incomplete. */
TR_API size_t tr_text_check(tr_str text, tr_encoding encoding);

static inline bool tr_bytes_is_utf8(tr_bytes bytes)
{
    return tr_bytes_check(bytes, TR_UTF8) == bytes.len;
}

static inline bool tr_bytes_is_ascii(tr_bytes bytes)
{
    return tr_bytes_check(bytes, TR_ASCII) == bytes.len;
}

/* ---- In pieces ----
 *
 * A decoder prints bytes that come in pieces: what it prints of all of them together is what
 * tr_bytes_print prints of the whole, wherever it is cut. It keeps the beginning of a character, or
 * of a group of base64, until the rest of it comes. A value without memory of its own: it may be
 * copied and forgotten. */
typedef struct tr_decoder {
    uint8_t encoding; /* tr_encoding; the members are not API */
    uint8_t held;
    uint8_t bytes[3];
} tr_decoder;

/* errors: TR_EINVAL */
TR_API int tr_decoder_init(tr_decoder *decoder, tr_encoding encoding);

/* Print what is complete with the next bytes; that may be nothing, which is an empty text.
 * gives:  *ret_text, as tr_bytes_print
 * errors: TR_EINVAL, TR_ENOMEM (the bytes are not taken) */
TR_API int tr_decoder_push(tr_decoder *decoder, tr_bytes bytes, tr_buf **ret_text);

/* Print what was kept, as the end of the text. The decoder is as new afterwards.
 * gives:  *ret_text, as tr_bytes_print
 * errors: TR_EINVAL, TR_ENOMEM (nothing has happened) */
TR_API int tr_decoder_end(tr_decoder *decoder, tr_buf **ret_text);

#ifdef __cplusplus
}
#endif
#endif
