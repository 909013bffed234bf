// Goal:   where there is no memory, every function that takes some says TR_ENOMEM, leaves its
//         result alone and leaks nothing.
// Method: fail the first allocation of each, then the second, and so on until it passes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/encoding.h>
#include <troupe/memory.h>
#include <troupe/val.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"

// Run a call with its n-th allocation failing, for every n.
// returns: how many allocations it makes when all goes well
static size_t sweep(int (*call)(void *arg), void *arg)
{
    for (size_t n = 1;; n++) {
        counted_memory_start(n);
        int rc = call(arg);
        bool failed = counted.calls >= n;
        assert_int_equal(counted_memory_stop(), 0);
        assert_int_equal(rc, failed ? TR_ENOMEM : 0);
        if (!failed)
            return n - 1;
    }
}

// The result of a call is a buffer, to be dropped on success and untouched on failure.
static int dropped(int rc, tr_buf *buf)
{
    assert_true((rc == 0) == (buf != NULL));
    tr_buf_unref(&buf);
    return rc;
}

static int new_buf(void *arg)
{
    (void)arg;
    tr_buf *buf = NULL;
    int rc = tr_buf_new(100, &buf);
    return dropped(rc, buf);
}

static int copy(void *arg)
{
    tr_buf *buf = NULL;
    int rc = tr_buf_copy(arg, 5, &buf);
    return dropped(rc, buf);
}

static int wrap(void *arg)
{
    tr_buf *buf = NULL;
    int rc = tr_buf_wrap(arg, 5, NULL, NULL, &buf);
    return dropped(rc, buf);
}

static int slice(void *arg)
{
    tr_buf *slice = NULL;
    int rc = tr_buf_slice(arg, 1, 2, &slice);
    return dropped(rc, slice);
}

static int zeroed(void *arg)
{
    (void)arg;
    tr_buf *buf = NULL;
    int rc = tr_buf_zeroed(100, &buf);
    return dropped(rc, buf);
}

static int concat(void *arg)
{
    tr_buf *all = NULL;
    int rc = tr_buf_concat((tr_buf *[]){arg, arg}, 2, &all);
    return dropped(rc, all);
}

static int print_bytes(void *arg)
{
    tr_buf *text = NULL;
    int rc = tr_bytes_print(tr_bytes_of(arg, 5), TR_HEX, &text);
    return dropped(rc, text);
}

static int parse_text(void *arg)
{
    tr_buf *bytes = NULL;
    int rc = tr_text_parse(tr_str_of(arg), TR_UTF8, &bytes);
    return dropped(rc, bytes);
}

// A piece that is refused has not been taken: the decoder goes on when there is memory again.
static int push(void *arg)
{
    tr_buf *text = NULL;
    tr_decoder *decoder = arg, before = *decoder;
    int rc = tr_decoder_push(decoder, tr_bytes_of("\x82\xac\xe2", 3), &text);
    if (rc < 0)
        assert_memory_equal(decoder, &before, sizeof before);
    else
        assert_string_equal(tr_buf_data(text), "\xe2\x82\xac");
    return dropped(rc, text);
}

static int end(void *arg)
{
    tr_buf *text = NULL;
    tr_decoder *decoder = arg;
    int rc = tr_decoder_end(decoder, &text);
    assert_int_equal(decoder->held, rc < 0 ? 1 : 0);
    return dropped(rc, text);
}

static int pack(void *arg)
{
    tr_buf *packed = NULL;
    int rc = tr_val_pack(*(tr_val *)arg, &packed);
    return dropped(rc, packed);
}

static int print(void *arg)
{
    char *text = NULL;
    int rc = tr_json_print(*(tr_val *)arg, &text);
    assert_true((rc == 0) == (text != NULL));
    tr_free(text);
    return rc;
}

static int parse(void *arg)
{
    tr_buf *packed = NULL;
    int rc = tr_json_parse(arg, strlen(arg), &packed);
    return dropped(rc, packed);
}

static void buffers(void **state)
{
    (void)state;
    char bytes[] = "bytes";
    tr_buf *buf = NULL;
    assert_int_equal(sweep(new_buf, NULL), 1);
    assert_int_equal(sweep(copy, bytes), 1);
    assert_int_equal(sweep(wrap, bytes), 1);
    // The buffer is from outside the sweep: a slice that failed has kept no reference to it.
    assert_int_equal(tr_buf_wrap(bytes, sizeof bytes, NULL, NULL, &buf), 0);
    assert_int_equal(sweep(slice, buf), 1);
    assert_int_equal(sweep(zeroed, NULL), 1);
    assert_int_equal(sweep(concat, buf), 1);
    tr_buf_unref(&buf);
}

static void encodings(void **state)
{
    (void)state;
    char bytes[] = "bytes";
    tr_decoder decoder = {.encoding = TR_UTF8, .held = 1, .bytes = {0xe2}};
    assert_int_equal(sweep(print_bytes, bytes), 1);
    assert_int_equal(sweep(parse_text, bytes), 1);
    assert_int_equal(sweep(push, &decoder), 2);
    assert_int_equal(sweep(end, &decoder), 1);
}

static void documents(void **state)
{
    (void)state;
    static char text[5000];
    memset(text, 't', sizeof text - 1);
    tr_val v = TR_MAP("list", TR_LIST(1, 2.5, "three"), "text", text, "more", text, "bytes",
                      ((tr_bytes){text, 1000}));
    assert_int_equal(sweep(pack, &v), 1);
    assert_true(sweep(print, &v) > 1);
}

static void json(void **state)
{
    (void)state;
    // Grows in all the places that write: text, escapes, numbers, floats, and the heads of long
    // text, lists and maps, which take room late.
    char text[40000], *at = text;
    *at++ = '[';
    for (int i = 0; i < 300; i++)
        at += snprintf(at, 128, "{\"k\\n%03d\":[%d,1.25,true,\"%s\"]},", i, i * 1000,
                       "a text that is longer than thirty-one bytes");
    memcpy(at - 1, "]", 2);
    assert_true(sweep(parse, text) > 3);
    for (int size = 225; size < 275; size++) { // each byte as the one for which the room ends
        snprintf(text, sizeof text, "[\"%0*d\",1.5,{\"k\":\"\\u20ac\"},12345]", size, 0);
        assert_true(sweep(parse, text) >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers),
        cmocka_unit_test(encodings),
        cmocka_unit_test(documents),
        cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
