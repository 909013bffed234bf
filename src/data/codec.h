// What an encoding is, for encoding.c: each has a file of its own that fills in this table.
#ifndef TROUPE_DATA_CODEC_H
#define TROUPE_DATA_CODEC_H

#include <troupe/bytes.h>

typedef struct tr__codec {
    size_t (*text_size)(tr_bytes bytes);        // exactly what print writes
    void (*print)(tr_bytes bytes, char *to);    //
    size_t (*bytes_check)(tr_bytes bytes);      // NULL: bytes are never wrong
    size_t (*incomplete)(tr_bytes bytes);       // at the end, at most 3 bytes; NULL: none ever are
    size_t (*bytes_max)(tr_str text);           // at least what parse can write
    size_t (*parse)(tr_str text, tr_room room); // as much as there is room for; returns the bytes
    size_t (*text_check)(tr_str text);
} tr__codec;

extern const tr__codec tr__codec_utf8, tr__codec_hex, tr__codec_base64, tr__codec_base64url,
    tr__codec_latin1, tr__codec_ascii, tr__codec_utf16le;

#endif
