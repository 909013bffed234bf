// WebSocket: both roles against each other, cut at every byte; what the RFC shows; and whatever a
// peer may do wrong. A side's wires are memory here, and the test carries; its user, who speaks SP, is
// the test as well.
#include "filter/ws.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "filter/ws_frame.h"
#include "filter/ws_hands.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"

#define HOST "node.test:80"
#define PATH "/link"

// ---- The world: nothing but random bytes ----

static uint64_t seed = 1;

static void draw(tr_world *world, void *bytes, size_t size)
{
    (void)world;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = (uint8_t)random_below(&seed, 256);
}

static tr_world world = {.ops = &(const tr_world_ops){.name = "random", .random = draw}};

// ---- A side ----

struct side {
    tr__coder *coder;
    uint8_t in[TR__WIRE_BYTES], out[TR__WIRE_BYTES];
};

static void side_open(struct side *s, bool dials)
{
    int rc = dials ? tr__ws_dialled(&world, HOST, PATH, &s->coder)
                   : tr__ws_accepted(&world, PATH, &s->coder);
    assert_int_equal(0, rc);
    s->coder->in.bytes = s->in;
    s->coder->out.bytes = s->out;
}

static void side_close(struct side *s)
{
    s->coder->ops->free(s->coder);
}

// As the filter does it.
static void to_front(tr__wire *wire)
{
    memmove(wire->bytes, wire->bytes + wire->at, tr__wire_used(wire));
    wire->end -= wire->at;
    wire->at = 0;
}

static void side_hear(struct side *s, const void *bytes, size_t size)
{
    to_front(&s->coder->in);
    assert_int_equal(size, tr__wire_add(&s->coder->in, bytes, size));
}

static void side_end(struct side *s)
{
    s->coder->in.ended = true;
}

static ssize_t side_decode(struct side *s, void *room, size_t size)
{
    return s->coder->ops->decode(s->coder, room, size);
}

static ssize_t side_encode(struct side *s, const void *bytes, size_t size)
{
    return s->coder->ops->encode(s->coder, bytes, size);
}

static int side_shake(struct side *s)
{
    return s->coder->ops->shake(s->coder);
}

static int side_finish(struct side *s)
{
    return s->coder->ops->finish(s->coder);
}

// What it has said and nobody has carried away.
struct said {
    const uint8_t *ptr;
    size_t len;
};

static struct said side_said(const struct side *s)
{
    const tr__wire *out = &s->coder->out;
    return (struct said){out->bytes + out->at, tr__wire_used(out)};
}

static void side_forget(struct side *s)
{
    s->coder->out.at = s->coder->out.end = 0;
}

static size_t carry(struct side *from, struct side *to, size_t size)
{
    uint8_t bytes[TR__WIRE_BYTES];
    to_front(&to->coder->in);
    size_t room = tr__wire_room(&to->coder->in);
    size_t n = tr__wire_take(&from->coder->out, bytes, size < room ? size : room);
    to_front(&from->coder->out);
    side_hear(to, bytes, n);
    return n;
}

// ---- Its user ----

static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

static void side_write(struct side *s, const void *bytes, size_t size)
{
    assert_int_equal(size, side_encode(s, bytes, size));
}

static void side_say(struct side *s, const void *bytes, size_t size)
{
    uint64_t length = htobe64(size);
    side_write(s, &length, sizeof length);
    side_write(s, bytes, size);
}

static void side_reads(struct side *s, const void *bytes, size_t size)
{
    uint8_t heard[1024];
    size_t got = 0;
    while (got < size) {
        ssize_t n = side_decode(s, heard + got, size - got);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_memory_equal(bytes, heard, size);
}

static void side_hears(struct side *s, const void *bytes, size_t size)
{
    uint64_t length = htobe64(size);
    side_reads(s, &length, sizeof length);
    side_reads(s, bytes, size);
}

static ssize_t side_next(struct side *s)
{
    uint8_t byte;
    return side_decode(s, &byte, 1);
}

// ---- Two of them ----

// Two that have shaken hands, with so many bytes carried at a time.
static void pair_open_cut(struct side sides[2], size_t cut)
{
    int rc[2] = {TR_EAGAIN, TR_EAGAIN};
    for (int i = 0; i < 2; i++)
        side_open(&sides[i], i == 0);
    while (rc[0] == TR_EAGAIN || rc[1] == TR_EAGAIN) {
        for (int i = 0; i < 2; i++) {
            rc[i] = rc[i] == TR_EAGAIN ? side_shake(&sides[i]) : rc[i];
            carry(&sides[i], &sides[1 - i], cut);
        }
    }
    assert_int_equal(0, rc[0]);
    assert_int_equal(0, rc[1]);
}

// Their users have said hello as well.
static void pair_open(struct side sides[2])
{
    pair_open_cut(sides, SIZE_MAX);
    for (int i = 0; i < 2; i++) {
        side_write(&sides[i], hello, sizeof hello);
        side_reads(&sides[i], hello, sizeof hello);
    }
}

static void pair_close(struct side sides[2])
{
    side_close(&sides[0]);
    side_close(&sides[1]);
}

// One that has shaken hands, and whose other side is the test.
static void alone_open(struct side *s, bool dials)
{
    static struct side sides[2];
    pair_open(sides);
    side_close(&sides[dials ? 1 : 0]);
    *s = sides[dials ? 0 : 1];
    s->coder->in = (tr__wire){.bytes = s->in};
    s->coder->out = (tr__wire){.bytes = s->out};
}

// ---- Keys and masks ----

static void the_key_of_the_rfc_is_answered_as_there(void **state)
{
    char accept[TR__WS_TOKEN_MAX];
    (void)state;
    assert_int_equal(0, tr__ws_accept((tr_str){"dGhlIHNhbXBsZSBub25jZQ==", 24}, accept));
    assert_string_equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", accept);
}

static void a_mask_is_the_same_wherever_it_begins(void **state)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t text[5] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; // as in the RFC
    uint8_t bytes[100];
    (void)state;
    tr__ws_mask(text, sizeof text, key, 0);
    assert_memory_equal("Hello", text, sizeof text);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        memset(bytes, 0, sizeof bytes);
        tr__ws_mask(bytes, cut, key, 0);
        tr__ws_mask(bytes + cut, sizeof bytes - cut, key, cut);
        for (size_t i = 0; i < sizeof bytes; i++)
            assert_int_equal(key[i % 4], bytes[i]);
    }
}

// ---- Both roles ----

// A hello and messages of all forms of a head's length. Returns its size.
static size_t make_stream(uint8_t *stream)
{
    static const size_t sizes[] = {4, 0, 1, 125, 126, 127, 300, 65535, 65536};
    size_t at = sizeof hello;
    memcpy(stream, hello, sizeof hello);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        uint64_t length = htobe64(sizes[k]);
        memcpy(stream + at, &length, sizeof length);
        draw(NULL, stream + at + sizeof length, sizes[k]);
        at += sizeof length + sizes[k];
    }
    return at;
}

// Goal:   what one side says the other one hears, whatever pieces it comes in.
// Method: handshake and messages, written, carried and read so many bytes at a time, both ways.
static void talk(size_t cut)
{
    static struct side sides[2];
    static uint8_t said[0x24000], heard[0x24000];
    size_t size = make_stream(said);
    pair_open_cut(sides, cut);
    for (int i = 0; i < 2; i++) {
        size_t told = 0, got = 0;
        while (got < size) {
            size_t left = size - told, room = size - got;
            ssize_t n =
                left == 0 ? 0 : side_encode(&sides[i], said + told, left < cut ? left : cut);
            assert_true(n >= 0 || n == TR_EAGAIN);
            told += n > 0 ? (size_t)n : 0;
            carry(&sides[i], &sides[1 - i], cut);
            n = side_decode(&sides[1 - i], heard + got, cut < room ? cut : room);
            assert_true(n > 0 || n == TR_EAGAIN);
            got += n > 0 ? (size_t)n : 0;
        }
        assert_memory_equal(said, heard, size);
        assert_int_equal(TR_EAGAIN, side_next(&sides[1 - i]));
    }
    pair_close(sides);
}

static void what_is_said_is_heard_whatever_the_pieces(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < 40; cut++)
        talk(cut);
    talk(5000);
    talk(SIZE_MAX);
}

static void only_who_dials_masks_and_each_frame_with_a_key_of_its_own(void **state)
{
    static struct side sides[2];
    static const uint8_t zeros[16];
    (void)state;
    pair_open(sides);
    side_say(&sides[1], zeros, 16);
    assert_int_equal(18, side_said(&sides[1]).len);
    assert_memory_equal("\x82\x10", side_said(&sides[1]).ptr, 2);
    side_say(&sides[0], zeros, 16);
    side_say(&sides[0], zeros, 16);
    const uint8_t *first = side_said(&sides[0]).ptr, *second = first + 22;
    assert_int_equal(44, side_said(&sides[0]).len);
    assert_memory_equal("\x82\x90", first, 2);
    assert_memory_equal(first + 2, first + 6, 4); // the key, over zeros
    assert_memory_not_equal(first + 2, second + 2, 4);
    pair_close(sides);
}

// ---- Frames that a peer may send ----

#define KEY "\1\2\3\4" // and what is under it
#define A   "\x60"     // 'a' as the first byte of a payload

// Goal:   a message in several frames is one, with others in between that control.
static void a_message_in_parts_is_one(void **state)
{
    static struct side s;
    static const char bytes[] = "\2\1a"           // binary, goes on
                                "\x89\2hi"        // ping
                                "\0\1b"           // more of it
                                "\x8a\3who"       // pong
                                "\x80\0"          // the end of it, empty
                                "\x82\0"          // an empty one
                                "\x82\x7e\0\x7e"; // of 126 bytes
    uint8_t tail[126];
    (void)state;
    alone_open(&s, true);
    memset(tail, 'c', sizeof tail);
    side_hear(&s, bytes, sizeof bytes - 1);
    side_hear(&s, tail, sizeof tail);
    side_hears(&s, "ab", 2);
    side_hears(&s, "", 0);
    side_hears(&s, tail, sizeof tail);
    struct said pong = side_said(&s);
    assert_int_equal(2 + 4 + 2, pong.len);
    uint8_t text[2] = {pong.ptr[6], pong.ptr[7]};
    tr__ws_mask(text, 2, pong.ptr + 2, 0);
    assert_memory_equal("\x8a\x82", pong.ptr, 2);
    assert_memory_equal("hi", text, 2);
    side_close(&s);
}

// Goal:   parts of any number and size, up to the limit, are one message; above it none.
static void a_message_in_parts_may_be_as_large_as_nng_takes_it(void **state)
{
    enum { MIB = 0x100000, PART = 0x8000, SP = 8 };
    static uint8_t heard[MIB + SP], part[4 + PART];
    (void)state;
    for (int over = 0; over < 2; over++) {
        static struct side s;
        size_t got = 0;
        ssize_t n = 0;
        alone_open(&s, true);
        for (size_t at = 0; at < MIB && n >= 0; at += PART) {
            bool last = at + PART == MIB && !over;
            const uint8_t head[4] = {(last ? 0x80 : 0) | (at == 0 ? 2 : 0), 126, PART >> 8, 0};
            memcpy(part, head, sizeof head);
            memset(part + 4, (int)(at / PART), PART);
            side_hear(&s, part, sizeof part);
            while ((n = side_decode(&s, heard + got, sizeof heard - got)) > 0)
                got += (size_t)n;
            n = n == TR_EAGAIN ? 0 : n;
        }
        assert_int_equal(0, n);
        assert_int_equal(over ? 0 : MIB + SP, got);
        for (size_t i = 0; i < MIB && !over; i++)
            assert_int_equal(i / PART, heard[SP + i]);
        if (over) {
            side_hear(&s, "\x80\1a", 3);
            assert_int_equal(TR_ETOOBIG, side_next(&s));
        }
        side_close(&s);
    }
}

// Goal:   who has proven nothing yet gets no more memory than what lies on top allows.
static void a_message_in_parts_may_be_as_large_as_it_is_let(void **state)
{
    static struct side s;
    (void)state;
    alone_open(&s, true);
    s.coder->ops->limit(s.coder, 2);
    side_hear(&s, "\2\1a\x80\1b", 6);
    side_hears(&s, "ab", 2);
    s.coder->ops->limit(s.coder, 3);
    side_hear(&s, "\2\1a\0\1b\0\1c", 9);
    assert_int_equal(TR_EAGAIN, side_next(&s));
    side_hear(&s, "\x80\1d", 3);
    assert_int_equal(TR_ETOOBIG, side_next(&s));
    side_close(&s);
}

// Goal:   a ping is answered behind the message that is under way; of several the last one.
static void a_ping_is_answered_between_two_messages(void **state)
{
    static struct side s;
    uint64_t length = htobe64(2);
    (void)state;
    alone_open(&s, false);
    side_write(&s, &length, sizeof length);
    side_write(&s, "a", 1);
    side_hear(&s,
              "\x89\x81" KEY "b"
              "\x89\x81" KEY A,
              14);
    assert_int_equal(TR_EAGAIN, side_next(&s));
    side_write(&s, "b", 1);
    assert_int_equal(7, side_said(&s).len);
    assert_memory_equal("\x82\2ab\x8a\1a", side_said(&s).ptr, 7);
    side_close(&s);
}

// Goal:   who pings and does not read is still heard, and answered when there is room.
static void a_ping_is_answered_when_there_is_room(void **state)
{
    static struct side s;
    static uint8_t much[TR__WIRE_BYTES - 20];
    (void)state;
    alone_open(&s, false);
    side_say(&s, much, sizeof much);
    side_hear(&s, "\x89\x81" KEY A "\x82\x81" KEY A, 14);
    side_hears(&s, "a", 1);
    side_forget(&s);
    assert_int_equal(TR_EAGAIN, side_next(&s));
    assert_int_equal(3, side_said(&s).len);
    assert_memory_equal("\x8a\1a", side_said(&s).ptr, 3);
    side_close(&s);
}

static const struct {
    const char *what;
    bool by_server;
    unsigned size, code;
    const char *bytes;
} wrong[] = {
    {"a server that masks", true, 7, 1002, "\x82\x81" KEY A},
    {"a client that does not", false, 3, 1002, "\x82\1a"},
    {"the first reserved bit", false, 7, 1002, "\xc2\x81" KEY A},
    {"the second one", false, 7, 1002, "\xa2\x81" KEY A},
    {"the third one", false, 7, 1002, "\x92\x81" KEY A},
    {"text", false, 7, 1003, "\x81\x81" KEY A},
    {"the first unknown kind", false, 7, 1002, "\x83\x81" KEY A},
    {"the last one", false, 7, 1002, "\x87\x81" KEY A},
    {"the first unknown one that controls", false, 7, 1002, "\x8b\x81" KEY A},
    {"the last one", false, 7, 1002, "\x8f\x81" KEY A},
    {"a ping in parts", false, 7, 1002, "\x09\x81" KEY A},
    {"a large ping", false, 8, 1002, "\x89\xfe\0\x7e" KEY},
    {"a close with half a reason", false, 7, 1002, "\x88\x81" KEY A},
    {"a close whose reason cannot be sent", false, 8, 1002, "\x88\x82" KEY "\x02\xef"},
    {"one that is none", false, 8, 1002, "\x88\x82" KEY "\x02\xe5"},
    {"one that nobody has", false, 8, 1002, "\x88\x82" KEY "\x12\x8a"},
    {"a part of nothing", false, 7, 1002, "\x80\x81" KEY A},
    {"a message within another", false, 14, 1002, "\x02\x81" KEY A "\x82\x81" KEY A},
    {"125 in two bytes", false, 8, 1002, "\x82\xfe\0\x7d" KEY},
    {"65535 in eight bytes", false, 14, 1002, "\x82\xff\0\0\0\0\0\0\xff\xff" KEY},
    {"more than there is", false, 14, 1002, "\x82\xff\x80\0\0\0\0\0\0\0" KEY},
};

static void whoever_breaks_the_rules_is_told_so_and_not_heard_any_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        static struct side s;
        ssize_t n = 1;
        alone_open(&s, wrong[i].by_server);
        for (unsigned k = 0; k < wrong[i].size && n != TR_EFRAME; k++) { // byte by byte
            side_hear(&s, wrong[i].bytes + k, 1);
            n = side_next(&s);
        }
        assert_int_equal(TR_EFRAME, n);
        assert_int_equal(TR_EFRAME, side_next(&s));
        assert_true(strlen(s.coder->why) > 0);
        struct said said = side_said(&s);
        uint8_t code[2] = {said.ptr[said.len - 2], said.ptr[said.len - 1]};
        if (wrong[i].by_server)
            tr__ws_mask(code, 2, said.ptr + 2, 0);
        assert_int_equal(0x88, said.ptr[0]);
        assert_int_equal(wrong[i].code, code[0] << 8 | code[1]);
        side_forget(&s);
        assert_int_equal(0, side_finish(&s));
        assert_int_equal(TR_EPIPE, side_encode(&s, "a", 1));
        assert_int_equal(0, side_said(&s).len);
        side_close(&s);
    }
}

// ---- Ends ----

// Goal:   each side may end by itself: what the other one still says arrives, and then its end.
static void one_side_may_finish_before_the_other(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        static struct side sides[2];
        struct side *first = &sides[i], *second = &sides[1 - i];
        pair_open(sides);
        side_say(first, "bye", 3);
        assert_int_equal(0, side_finish(first));
        assert_int_equal(TR_EPIPE, side_encode(first, "more", 4));
        carry(first, second, SIZE_MAX);
        side_hears(second, "bye", 3);
        assert_int_equal(0, side_next(second));
        assert_int_equal(0, side_next(second));
        side_say(second, "well", 4);
        assert_int_equal(0, side_finish(second));
        assert_int_equal(0, side_finish(second));
        carry(second, first, SIZE_MAX);
        side_hears(first, "well", 4);
        assert_int_equal(0, side_next(first));
        assert_int_equal(0, side_said(first).len);
        pair_close(sides);
    }
}

static void a_close_waits_for_room(void **state)
{
    static struct side s;
    static uint8_t much[TR__WIRE_BYTES - 20];
    (void)state;
    alone_open(&s, false);
    side_say(&s, much, sizeof much);
    assert_int_equal(TR_EAGAIN, side_finish(&s));
    side_forget(&s);
    assert_int_equal(0, side_finish(&s));
    assert_memory_equal("\x88\2\x03\xe8", side_said(&s).ptr, 4);
    side_close(&s);
}

static void who_ends_within_a_message_says_no_more(void **state)
{
    static struct side s;
    uint64_t length = htobe64(2);
    (void)state;
    alone_open(&s, false);
    side_write(&s, &length, sizeof length);
    side_write(&s, "a", 1);
    assert_int_equal(0, side_finish(&s));
    assert_int_equal(3, side_said(&s).len);
    side_close(&s);
}

static void a_close_is_answered_in_its_own_words(void **state)
{
    static struct side s;
    (void)state;
    alone_open(&s, true);
    side_hear(&s, "\x88\5\x0b\xb8why\x82\1a", 10); // 3000; what follows it is none of it
    assert_int_equal(0, side_next(&s));
    assert_int_equal(0, side_finish(&s));
    uint8_t code[2];
    memcpy(code, side_said(&s).ptr + 6, 2);
    tr__ws_mask(code, 2, side_said(&s).ptr + 2, 0);
    assert_int_equal(8, side_said(&s).len);
    assert_memory_equal("\x0b\xb8", code, 2);
    side_close(&s);
}

static void a_close_without_words_is_answered_without(void **state)
{
    static struct side s;
    (void)state;
    alone_open(&s, false);
    side_hear(&s, "\x88\x80" KEY, 6);
    assert_int_equal(0, side_next(&s));
    assert_int_equal(0, side_finish(&s));
    assert_int_equal(2, side_said(&s).len);
    assert_memory_equal("\x88\0", side_said(&s).ptr, 2);
    side_close(&s);
}

static void pings_after_its_own_close_are_not_answered(void **state)
{
    static struct side s;
    (void)state;
    alone_open(&s, false);
    assert_int_equal(0, side_finish(&s));
    side_forget(&s);
    side_hear(&s, "\x89\x80" KEY, 6);
    assert_int_equal(TR_EAGAIN, side_next(&s));
    assert_int_equal(0, side_said(&s).len);
    side_close(&s);
}

// Goal:   the end of the wire is an end, for what lies on top to judge, which knows the length of its
//         message; of one in parts it has not heard yet.
static void the_end_of_the_wire_is_an_end_wherever_it_comes(void **state)
{
    static const char frame[] = "\x82\x82" KEY A A, part[] = "\x02\x81" KEY A;
    (void)state;
    for (size_t size = 0; size < sizeof frame + sizeof part - 1; size++) {
        static struct side s;
        ssize_t n, got = 0;
        bool in_part = size > sizeof frame - 1, cut = size >= sizeof frame + 5;
        alone_open(&s, false);
        side_hear(&s, frame, in_part ? sizeof frame - 1 : size);
        side_hear(&s, part, in_part ? size - sizeof frame + 1 : 0);
        side_end(&s);
        while ((n = side_next(&s)) > 0)
            got += n;
        assert_int_equal(cut ? TR_EFRAME : 0, n);
        assert_int_equal(size < 6 ? 0 : size < 8 ? 2 + size : 10, got);
        side_close(&s);
    }
}

// ---- Hands ----

#define GET(path)   "GET " path " HTTP/1.1\r\n"
#define HOST_IS     "Host: node.test\r\n"
#define UPGRADE     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY_IS      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION_IS  "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL_IS "Sec-WebSocket-Protocol: pair1.sp.nanomsg.org\r\n"
#define NO_OTHER    "\r\n"
#define GOOD_BUT(x) GET(PATH) HOST_IS UPGRADE KEY_IS VERSION_IS PROTOCOL_IS x "\r\n"

static const struct {
    const char *what, *text, *status;
    int error;
} requests[] = {
    {"all that is needed", GOOD_BUT(""), "101", 0},
    {"words in capitals, and others beside them",
     GET(PATH) HOST_IS
     "UPGRADE: h2c, WebSocket\r\nConnection: keep-alive ,\tUPGRADE\r\n" KEY_IS VERSION_IS
     "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: other,pair1.sp.nanomsg.org\r\n"
     "Sec-WebSocket-Extensions: permessage-deflate\r\nOrigin: http://here\r\n\r\n",
     "101", 0},
    {"another path", GET("/other") HOST_IS UPGRADE KEY_IS VERSION_IS PROTOCOL_IS "\r\n", "404",
     TR_ENOENT},
    {"a longer one", GET(PATH "s") HOST_IS UPGRADE KEY_IS VERSION_IS PROTOCOL_IS "\r\n", "404",
     TR_ENOENT},
    {"plain HTTP", GET(PATH) HOST_IS "\r\n", "426", TR_EFRAME},
    {"no upgrade", GET(PATH) HOST_IS "Connection: Upgrade\r\n" KEY_IS VERSION_IS PROTOCOL_IS "\r\n",
     "426", TR_EFRAME},
    {"an upgrade that is not for this hop",
     GET(PATH) HOST_IS "Upgrade: websocket\r\n" KEY_IS VERSION_IS PROTOCOL_IS "\r\n", "426",
     TR_EFRAME},
    {"another version",
     GET(PATH) HOST_IS UPGRADE KEY_IS "Sec-WebSocket-Version: 8\r\n" PROTOCOL_IS "\r\n", "426",
     TR_EVERSION},
    {"no version", GET(PATH) HOST_IS UPGRADE KEY_IS PROTOCOL_IS "\r\n", "426", TR_EVERSION},
    {"another subprotocol",
     GET(PATH) HOST_IS UPGRADE KEY_IS VERSION_IS "Sec-WebSocket-Protocol: chat\r\n\r\n", "400",
     TR_EVERSION},
    {"no subprotocol", GET(PATH) HOST_IS UPGRADE KEY_IS VERSION_IS "\r\n", "400", TR_EVERSION},
    {"no key", GET(PATH) HOST_IS UPGRADE VERSION_IS PROTOCOL_IS "\r\n", "400", TR_EFRAME},
    {"a short key",
     GET(PATH) HOST_IS UPGRADE VERSION_IS PROTOCOL_IS "Sec-WebSocket-Key: dGhl\r\n\r\n", "400",
     TR_EFRAME},
    {"a key that is no base64",
     GET(PATH) HOST_IS UPGRADE VERSION_IS PROTOCOL_IS
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==\r\n\r\n",
     "400", TR_EFRAME},
    {"a key of 18 bytes",
     GET(PATH) HOST_IS UPGRADE VERSION_IS PROTOCOL_IS
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n",
     "400", TR_EFRAME},
    {"two keys", GOOD_BUT(KEY_IS), "400", TR_EFRAME},
    {"two versions", GOOD_BUT(VERSION_IS), "400", TR_EFRAME},
    {"two hosts", GOOD_BUT(HOST_IS), "400", TR_EFRAME},
    {"no host", GET(PATH) UPGRADE KEY_IS VERSION_IS PROTOCOL_IS "\r\n", "400", TR_EFRAME},
    {"a line that goes on", GOOD_BUT("X: a\r\n b\r\n"), "400", TR_EFRAME},
    {"a header without a name", GOOD_BUT(": a\r\n"), "400", TR_EFRAME},
    {"a header without a colon", GOOD_BUT("a\r\n"), "400", TR_EFRAME},
    {"a control character", GOOD_BUT("X: \1\r\n"), "400", TR_EFRAME},
    {"POST",
     "POST"
     " " PATH " HTTP/1.1\r\n" HOST_IS UPGRADE KEY_IS VERSION_IS PROTOCOL_IS "\r\n",
     "400", TR_EFRAME},
    {"HTTP/1.0", "GET " PATH " HTTP/1.0\r\n" HOST_IS UPGRADE KEY_IS VERSION_IS PROTOCOL_IS "\r\n",
     "400", TR_EFRAME},
    {"an answer", "HTTP/1.1 101 Switching Protocols\r\n" UPGRADE "\r\n", "400", TR_EFRAME},
    {"noise", "\x16\x03\x01\xa5\1\r\n\r\n", "400", TR_EFRAME},
};

static void a_request_is_answered_as_it_deserves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        static struct side s;
        char status[16];
        side_open(&s, false);
        side_hear(&s, requests[i].text, strlen(requests[i].text));
        int rc = side_shake(&s);
        if (rc != requests[i].error)
            fail_msg("%s: %d", requests[i].what, rc);
        snprintf(status, sizeof status, "HTTP/1.1 %s ", requests[i].status);
        struct said said = side_said(&s);
        assert_true(said.len > 13);
        assert_memory_equal(status, said.ptr, strlen(status));
        assert_memory_equal("\r\n\r\n", said.ptr + said.len - 4, 4);
        assert_int_equal(rc<0, strlen(s.coder->why)> 0);
        side_forget(&s);
        if (rc < 0)
            assert_int_equal(0, side_finish(&s));
        assert_int_equal(0, side_said(&s).len); // no close to who has not shaken hands
        side_close(&s);
    }
}

static void what_follows_a_request_is_a_frame(void **state)
{
    static struct side s;
    static const char bytes[] = GOOD_BUT("") "\x82\x81" KEY A;
    (void)state;
    side_open(&s, false);
    side_hear(&s, bytes, sizeof bytes - 1);
    assert_int_equal(0, side_shake(&s));
    side_reads(&s, hello, sizeof hello);
    side_hears(&s, "a", 1);
    side_close(&s);
}

static void a_head_may_not_be_too_large(void **state)
{
    static struct side s;
    int rc = TR_EAGAIN;
    size_t said = 0;
    (void)state;
    side_open(&s, false);
    side_hear(&s, GET(PATH) "X: ", strlen(GET(PATH) "X: "));
    for (; rc == TR_EAGAIN && said <= TR__WS_HEAD_MAX; said++) {
        rc = side_shake(&s);
        side_hear(&s, "x", 1);
    }
    assert_int_equal(TR_ETOOBIG, rc);
    assert_memory_equal("HTTP/1.1 431 ", side_said(&s).ptr, 13);
    side_close(&s);
}

static void who_leaves_before_hands_are_shaken_has_broken_off(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        static struct side s;
        side_open(&s, i == 0);
        side_hear(&s, GOOD_BUT(""), 20);
        assert_int_equal(TR_EAGAIN, side_shake(&s));
        side_end(&s);
        assert_int_equal(-ECONNRESET, side_shake(&s));
        side_close(&s);
    }
}

#define ANSWER "HTTP/1.1 101 Switching Protocols\r\n"

static const struct {
    const char *what, *text; // in which the key's answer is a *
    int error;
} answers[] = {
    {"all that is needed", ANSWER UPGRADE "Sec-WebSocket-Accept: *\r\n" PROTOCOL_IS "\r\n", 0},
    {"a refusal", "HTTP/1.1 404 Not Found *\r\nContent-Length: 0\r\n\r\n", TR_EREFUSED},
    {"a page", "HTTP/1.1 200 OK\r\nX: *\r\n\r\n", TR_EREFUSED},
    {"HTTP/1.0", "HTTP/1.0 101 Fine\r\n" UPGRADE "Sec-WebSocket-Accept: *\r\n" PROTOCOL_IS "\r\n",
     TR_EFRAME},
    {"another key's answer",
     ANSWER UPGRADE "X: *\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" PROTOCOL_IS
                    "\r\n",
     TR_EFRAME},
    {"no answer to the key", ANSWER UPGRADE "X: *\r\n" PROTOCOL_IS "\r\n", TR_EFRAME},
    {"another upgrade",
     ANSWER "Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: *\r\n" PROTOCOL_IS "\r\n",
     TR_EFRAME},
    {"another connection",
     ANSWER "Upgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Accept: *\r\n" PROTOCOL_IS
            "\r\n",
     TR_EFRAME},
    {"an extension that nobody has asked for",
     ANSWER UPGRADE "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: "
                    "*\r\n" PROTOCOL_IS "\r\n",
     TR_EFRAME},
    {"no subprotocol", ANSWER UPGRADE "Sec-WebSocket-Accept: *\r\n\r\n", TR_EVERSION},
    {"another one",
     ANSWER UPGRADE "Sec-WebSocket-Accept: *\r\nSec-WebSocket-Protocol: chat\r\n\r\n", TR_EVERSION},
    {"another protocol altogether", "220 mail.test ESMTP *\r\n\r\n", TR_EFRAME},
};

static void an_answer_is_believed_only_if_all_of_it_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        static struct side s;
        char accept[TR__WS_TOKEN_MAX], text[1024];
        side_open(&s, true);
        assert_int_equal(TR_EAGAIN, side_shake(&s));
        struct said said = side_said(&s);
        assert_memory_equal("GET " PATH " HTTP/1.1\r\nHost: " HOST "\r\n", said.ptr,
                            strlen("GET " PATH " HTTP/1.1\r\nHost: " HOST "\r\n"));
        const char *key = memmem(said.ptr, said.len, "Key: ", 5);
        assert_non_null(key);
        assert_int_equal(0, tr__ws_accept((tr_str){key + 5, 24}, accept));
        const char *place = strchr(answers[i].text, '*');
        snprintf(text, sizeof text, "%.*s%s%s", (int)(place - answers[i].text), answers[i].text,
                 accept, place + 1);
        side_hear(&s, text, strlen(text));
        int rc = side_shake(&s);
        if (rc != answers[i].error)
            fail_msg("%s: %d", answers[i].what, rc);
        side_close(&s);
    }
}

static void what_cannot_stand_in_a_request_is_refused(void **state)
{
    char deep[2048];
    tr__coder *coder;
    (void)state;
    memset(deep, '/', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(TR_EINVAL, tr__ws_dialled(&world, HOST, "link", &coder));
    assert_int_equal(TR_EINVAL, tr__ws_dialled(&world, HOST, "/a b", &coder));
    assert_int_equal(TR_EINVAL, tr__ws_dialled(&world, HOST, "/a\r\nX: b", &coder));
    assert_int_equal(TR_EINVAL, tr__ws_dialled(&world, "a\nb", PATH, &coder));
    assert_int_equal(TR_EINVAL, tr__ws_dialled(&world, HOST, deep, &coder));
    assert_int_equal(TR_EINVAL, tr__ws_accepted(&world, "", &coder));
}

static void without_memory_there_is_none_and_nothing_is_lost(void **state)
{
    size_t fail_at = 0;
    (void)state;
    do {
        tr__coder *coder = NULL;
        counted_memory_start(++fail_at);
        int rc = tr__ws_dialled(&world, HOST, PATH, &coder);
        assert_true(rc == 0 || (rc == TR_ENOMEM && coder == NULL));
        if (rc == 0)
            coder->ops->free(coder);
        assert_int_equal(0, counted_memory_stop());
    } while (counted_memory_failed());
}

// A message in parts takes some when it begins, and more as it comes.
static void a_message_in_parts_without_memory_is_an_error(void **state)
{
    static uint8_t part[4 + 0x2000] = {2, 126, 0x20, 0};
    (void)state;
    for (size_t nth = 1; nth <= 2; nth++) {
        static struct side s;
        counted_memory_start(0);
        alone_open(&s, true);
        counted_memory_fail(nth, false);
        side_hear(&s, part, sizeof part);
        assert_int_equal(TR_ENOMEM, side_next(&s));
        assert_true(counted_memory_failed());
        assert_int_equal(TR_ENOMEM, side_next(&s));
        side_close(&s);
        assert_int_equal(0, counted_memory_stop());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_of_the_rfc_is_answered_as_there),
        cmocka_unit_test(a_mask_is_the_same_wherever_it_begins),
        cmocka_unit_test(what_is_said_is_heard_whatever_the_pieces),
        cmocka_unit_test(only_who_dials_masks_and_each_frame_with_a_key_of_its_own),
        cmocka_unit_test(a_message_in_parts_is_one),
        cmocka_unit_test(a_message_in_parts_may_be_as_large_as_nng_takes_it),
        cmocka_unit_test(a_message_in_parts_may_be_as_large_as_it_is_let),
        cmocka_unit_test(a_ping_is_answered_between_two_messages),
        cmocka_unit_test(a_ping_is_answered_when_there_is_room),
        cmocka_unit_test(whoever_breaks_the_rules_is_told_so_and_not_heard_any_more),
        cmocka_unit_test(one_side_may_finish_before_the_other),
        cmocka_unit_test(a_close_waits_for_room),
        cmocka_unit_test(who_ends_within_a_message_says_no_more),
        cmocka_unit_test(a_close_is_answered_in_its_own_words),
        cmocka_unit_test(a_close_without_words_is_answered_without),
        cmocka_unit_test(pings_after_its_own_close_are_not_answered),
        cmocka_unit_test(the_end_of_the_wire_is_an_end_wherever_it_comes),
        cmocka_unit_test(a_request_is_answered_as_it_deserves),
        cmocka_unit_test(what_follows_a_request_is_a_frame),
        cmocka_unit_test(a_head_may_not_be_too_large),
        cmocka_unit_test(who_leaves_before_hands_are_shaken_has_broken_off),
        cmocka_unit_test(an_answer_is_believed_only_if_all_of_it_fits),
        cmocka_unit_test(what_cannot_stand_in_a_request_is_refused),
        cmocka_unit_test(without_memory_there_is_none_and_nothing_is_lost),
        cmocka_unit_test(a_message_in_parts_without_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("unit/filter/ws", tests, NULL, NULL);
}
