// Everything that reads documents from outside, on any bytes: as msgpack and as JSON.
//
// For msgpack-c it is a differential test as well: what our scan accepts, msgpack-c must read the
// same. It is not asked about the rest: it reserves memory for whatever a head claims.
#include <stdlib.h>
#include <troupe/memory.h>

#include "support/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

// Not an assert: this must hold in every build.
#define MUST(condition) ((condition) ? (void)0 : abort())

static tr_val unpack(tr_buf *packed)
{
    tr_val v;
    MUST(tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &v) == 0);
    return v;
}

// Text that we have printed parses, and prints as the same text again.
static void fuzz_text(tr_val v)
{
    char *text = NULL, *again = NULL;
    tr_buf *parsed = NULL;
    int rc = tr_json_print(v, &text);
    if (rc == TR_ETOODEEP) // keys in keys in keys
        return;
    MUST(rc == 0);
    MUST(tr_json_parse(text, strlen(text), &parsed) == 0);
    MUST(tr_json_print(unpack(parsed), &again) == 0);
    MUST(strcmp(text, again) == 0);
    tr_free(text);
    tr_free(again);
    tr_buf_unref(&parsed);
}

static void fuzz_msgpack(const uint8_t *bytes, size_t size)
{
    tr_val v;
    tr_buf *packed = NULL;
    if (tr_val_unpack(bytes, size, &v) < 0)
        return;
    MUST(document_msgpack_reads(bytes, size, v));
    MUST(tr_val_pack(v, &packed) == 0);
    MUST(document_same(v, unpack(packed)));
    tr_buf_unref(&packed);
    fuzz_text(v);
}

static void fuzz_json(const uint8_t *bytes, size_t size)
{
    tr_buf *packed = NULL;
    if (tr_json_parse((const char *)bytes, size, &packed) < 0)
        return;
    tr_val v = unpack(packed);
    MUST(document_msgpack_reads(tr_buf_data(packed), tr_buf_size(packed), v));
    fuzz_text(v);
    tr_buf_unref(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_msgpack(bytes, size);
    fuzz_json(bytes, size);
    return 0;
}
