// The coder of WebSocket. Its messages are SP's, as nng has it, and the subprotocol is named after
// SP's: so what lies on top, which writes and reads SP as a stream of bytes (remote/link_sp.c), says
// hello to this coder alone, and the length in front of each message becomes, or was, a frame's.
//
// A message leaves in one frame, of whatever size, as it is written; in between nothing else may
// leave. One that comes in one frame goes through as it comes. Only what comes in several frames is
// collected, as its length is not known before, and so may be as large only as nng takes it.
//
// The peer's close is the end of what it sends, and answered when this side has finished, too. So
// each side may end by itself, as over TCP. Whoever breaks the rules is told so by a close.
#include "filter/ws.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

#include "base/assert.h"
#include "base/memory.h"
#include "filter/ws_frame.h"
#include "filter/ws_hands.h"

enum { CLOSE_NORMAL = 1000, CLOSE_BROKEN = 1002, CLOSE_TEXT = 1003, CLOSE_LARGE = 1009 };
enum { SP_SIZE = 8 }; // of the hello, and of a length

#define PARTS_MAX         0x100000u // of a message that comes in several frames
#define PARTS_MIN         0x1000u
#define CONTROL_FRAME_MAX (TR__WS_HEAD_SIZE + TR__WS_CONTROL_MAX)

static const uint8_t sp_hello[SP_SIZE] = {0, 'S', 'P', 0, 0x00, 0x11, 0, 0};

// What is there until hands are shaken.
struct hands {
    bool asked;
    tr__ws_ask ask; // of who dials
    size_t size;
    char head[TR__WS_HEAD_MAX]; // of the other side
    char texts[];               // path and host
};

// A frame that is under way.
struct frame {
    tr__ws_head head;
    uint64_t at; // in its payload
};

struct control {
    uint8_t bytes[TR__WS_CONTROL_MAX];
    size_t size;
};

struct ws {
    tr__coder base;
    tr_world *world;
    bool dialled;
    struct hands *hands; // NULL: they have been shaken

    uint8_t head[TR__WS_HEAD_SIZE]; // of the next frame that comes
    size_t head_size;               // of what has come of that
    struct frame in;
    struct control control;
    uint8_t length[SP_SIZE];
    uint8_t *parts; // of a message in several frames, with its length in front; NULL: there is none
    size_t parts_size, parts_room, parts_max;
    const uint8_t *give; // to the user, before anything else comes
    size_t give_size;
    int error;  // what the peer has broken; 0: nothing
    bool ended; // it has closed, and control has its words

    bool greeted;                // by the user
    uint8_t out_length[SP_SIZE]; // the user's next one, or its hello
    size_t out_length_size;      // of what has come of that
    struct frame out;
    struct control pong;
    bool pong_due; // as soon as there is room
    bool finished;
};

static struct ws *ws_of(const tr__coder *base)
{
    return (struct ws *)(uintptr_t)base;
}

static uint64_t frame_left(const struct frame *frame)
{
    return frame->head.size - frame->at;
}

// ---- Frames that leave ----

// There is room.
static void head_add(struct ws *ws, uint8_t kind, uint64_t size)
{
    uint8_t bytes[TR__WS_HEAD_SIZE];
    tr__ws_head head = {.kind = kind, .masked = ws->dialled, .size = size};
    tr_assert(frame_left(&ws->out) == 0 && tr__wire_room(&ws->base.out) >= sizeof bytes);
    if (head.masked)
        ws->world->ops->random(ws->world, head.key, sizeof head.key);
    tr__wire_add(&ws->base.out, bytes, tr__ws_head_print(&head, bytes));
    ws->out = (struct frame){.head = head};
}

// As much as there is room for. returns: how many bytes
static size_t payload_add(struct ws *ws, const void *bytes, size_t size)
{
    tr__wire *out = &ws->base.out;
    uint64_t left = frame_left(&ws->out);
    size_t n = tr__wire_add(out, bytes, size < left ? size : (size_t)left);
    if (ws->dialled)
        tr__ws_mask(out->bytes + out->end - n, n, ws->out.head.key, ws->out.at);
    ws->out.at += n;
    return n;
}

static void control_add(struct ws *ws, uint8_t kind, const void *bytes, size_t size)
{
    head_add(ws, kind, size);
    payload_add(ws, bytes, size);
}

// Between two frames, and with room.
static bool control_fits(const struct ws *ws)
{
    return frame_left(&ws->out) == 0 && tr__wire_room(&ws->base.out) >= CONTROL_FRAME_MAX;
}

static void close_add(struct ws *ws, unsigned code)
{
    const uint8_t bytes[] = {(uint8_t)(code >> 8), (uint8_t)code};
    control_add(ws, TR__WS_CLOSE, bytes, sizeof bytes);
    ws->finished = true;
}

// It answers the last ping, if there were several.
static void pong_add(struct ws *ws)
{
    if (!ws->pong_due || ws->finished || !control_fits(ws))
        return;
    ws->pong_due = false;
    control_add(ws, TR__WS_PONG, ws->pong.bytes, ws->pong.size);
}

// Take some of the user's hello or of a length, which begins a frame. returns: how many bytes
static size_t length_take(struct ws *ws, const uint8_t *bytes, size_t size)
{
    uint64_t length;
    size_t left = SP_SIZE - ws->out_length_size, n = size < left ? size : left;
    if (tr__wire_room(&ws->base.out) < TR__WS_HEAD_SIZE)
        return 0;
    memcpy(ws->out_length + ws->out_length_size, bytes, n);
    ws->out_length_size += n;
    if (ws->out_length_size < SP_SIZE)
        return n;
    ws->out_length_size = 0;
    memcpy(&length, ws->out_length, sizeof length);
    if (ws->greeted)
        head_add(ws, TR__WS_FINAL | TR__WS_BINARY, be64toh(length));
    ws->greeted = true;
    return n;
}

static ssize_t ws_encode(tr__coder *base, const void *bytes, size_t size)
{
    struct ws *ws = ws_of(base);
    const uint8_t *at = bytes;
    size_t n = 1, total = 0;
    if (ws->finished)
        return TR_EPIPE;
    for (; n > 0 && total < size; total += n) {
        pong_add(ws);
        n = frame_left(&ws->out) == 0 ? length_take(ws, at + total, size - total)
                                      : payload_add(ws, at + total, size - total);
    }
    pong_add(ws);
    return total > 0 ? (ssize_t)total : TR_EAGAIN;
}

// Its own words answer the peer's close. In the midst of a message that will never be whole there is
// nothing to say.
static int ws_finish(tr__coder *base)
{
    struct ws *ws = ws_of(base);
    if (ws->finished || ws->hands != NULL || frame_left(&ws->out) > 0)
        return 0;
    pong_add(ws);
    if (!control_fits(ws))
        return TR_EAGAIN;
    if (ws->ended)
        control_add(ws, TR__WS_CLOSE, ws->control.bytes,
                    ws->control.size < 2 ? ws->control.size : 2);
    else
        close_add(ws, CLOSE_NORMAL);
    ws->finished = true;
    return 0;
}

// ---- Frames that come ----

static int ws_broken(struct ws *ws, int error, unsigned code, const char *why)
{
    snprintf(ws->base.why, sizeof ws->base.why, "%s", why);
    if (!ws->finished && control_fits(ws))
        close_add(ws, code);
    return ws->error = error;
}

// returns: whether the head is whole
static bool head_take(struct ws *ws)
{
    size_t need, n = 1;
    while (n > 0 && ws->head_size < (need = tr__ws_head_need(ws->head, ws->head_size))) {
        n = tr__wire_take(&ws->base.in, ws->head + ws->head_size, need - ws->head_size);
        ws->head_size += n;
    }
    return n > 0;
}

// NULL: it may come.
static const char *head_check(const struct ws *ws, const tr__ws_head *head)
{
    bool more = head->kind == TR__WS_MORE || head->kind == (TR__WS_FINAL | TR__WS_MORE);
    if (head->masked == ws->dialled)
        return head->masked ? "the server masks its frames" : "the client does not mask its frames";
    if (!tr__ws_controls(head->kind) && (ws->parts != NULL) != more)
        return "a message begins within another one, or goes on without one";
    return NULL;
}

static void give(struct ws *ws, const uint8_t *bytes, size_t size)
{
    ws->give = bytes;
    ws->give_size = size;
}

// A message is whole, or all of it will come.
static void give_length(struct ws *ws, uint8_t at[SP_SIZE], uint64_t length)
{
    length = htobe64(length);
    memcpy(at, &length, SP_SIZE);
    give(ws, at, at == ws->parts ? ws->parts_size : SP_SIZE);
}

static size_t give_take(struct ws *ws, void *room, size_t size)
{
    size_t n = size < ws->give_size ? size : ws->give_size;
    if (n == 0)
        return 0;
    memcpy(room, ws->give, n);
    give(ws, ws->give + n, ws->give_size - n);
    if (ws->give_size == 0) {
        tr__free(ws->parts);
        ws->parts = NULL;
    }
    return n;
}

static size_t payload_take(struct ws *ws, void *room, size_t size)
{
    uint64_t left = frame_left(&ws->in);
    size_t n = tr__wire_take(&ws->base.in, room, size < left ? size : (size_t)left);
    if (ws->in.head.masked)
        tr__ws_mask(room, n, ws->in.head.key, ws->in.at);
    ws->in.at += n;
    return n;
}

// ---- Messages in several frames ----

// Another frame of one comes.
static int parts_open(struct ws *ws)
{
    if (ws->parts == NULL) {
        ws->parts_size = SP_SIZE;
        ws->parts_room = PARTS_MIN;
        ws->parts = tr__alloc(ws->parts_room);
    }
    if (ws->parts == NULL)
        return ws->error = TR_ENOMEM;
    if (ws->in.head.size + (ws->parts_size - SP_SIZE) > ws->parts_max)
        return ws_broken(ws, TR_ETOOBIG, CLOSE_LARGE, "a message in several frames is too large");
    return 0;
}

// Nobody gets memory for a promise: it grows with what has come.
static int parts_take(struct ws *ws)
{
    uint64_t left = frame_left(&ws->in);
    size_t used = tr__wire_used(&ws->base.in), n = used < left ? used : (size_t)left;
    if (n > ws->parts_room - ws->parts_size) {
        size_t twice = 2 * ws->parts_room, just = ws->parts_size + n;
        uint8_t *larger = tr__resize(ws->parts, just > twice ? just : twice);
        if (larger == NULL)
            return ws->error = TR_ENOMEM;
        ws->parts = larger;
        ws->parts_room = just > twice ? just : twice;
    }
    ws->parts_size += payload_take(ws, ws->parts + ws->parts_size, n);
    return 0;
}

// ---- Frames, one after the other ----

// Whether a close may give that reason (7.4), or none.
static bool close_is_good(const struct control *c)
{
    unsigned code = c->size < 2 ? CLOSE_NORMAL : (unsigned)c->bytes[0] << 8 | c->bytes[1];
    bool reserved = code >= 1004 && code <= 1006;
    return (code >= 1000 && code <= 1014 && !reserved) || (code >= 3000 && code <= 4999);
}

static void frame_end(struct ws *ws)
{
    if (ws->in.head.kind == TR__WS_CLOSE && !close_is_good(&ws->control)) {
        ws_broken(ws, TR_EFRAME, CLOSE_BROKEN, "a close has a reason that there is not");
    } else if (ws->in.head.kind == TR__WS_CLOSE) {
        ws->ended = true;
    } else if (ws->in.head.kind == TR__WS_PING) {
        ws->pong = ws->control;
        ws->pong_due = true;
    } else if (ws->in.head.kind == (TR__WS_FINAL | TR__WS_MORE)) {
        tr_assert(ws->parts != NULL); // head_check has seen to it
        give_length(ws, ws->parts, ws->parts_size - SP_SIZE);
    }
}

// returns: 0, or an error
static int frame_begin(struct ws *ws)
{
    tr__ws_head head;
    int rc = 0;
    if (!head_take(ws))
        return 0;
    const char *why = tr__ws_head_parse(ws->head, &head);
    if (why == NULL)
        why = head_check(ws, &head);
    if (why != NULL)
        return ws_broken(ws, TR_EFRAME, CLOSE_BROKEN, why);
    if (head.kind == TR__WS_TEXT || head.kind == (TR__WS_FINAL | TR__WS_TEXT))
        return ws_broken(ws, TR_EFRAME, CLOSE_TEXT, "a message is text");
    ws->head_size = 0;
    ws->in = (struct frame){.head = head};
    if (tr__ws_controls(head.kind))
        ws->control.size = 0;
    else if (head.kind == (TR__WS_FINAL | TR__WS_BINARY))
        give_length(ws, ws->length, head.size);
    else
        rc = parts_open(ws);
    if (rc == 0 && head.size == 0)
        frame_end(ws);
    return rc;
}

// returns: how many bytes there are for the user, or an error
static ssize_t frame_go_on(struct ws *ws, void *room, size_t size)
{
    struct control *c = &ws->control;
    ssize_t n = 0;
    if (tr__ws_controls(ws->in.head.kind))
        c->size += payload_take(ws, c->bytes + c->size, sizeof c->bytes - c->size);
    else if (ws->parts != NULL)
        n = parts_take(ws);
    else
        n = (ssize_t)payload_take(ws, room, size);
    if (frame_left(&ws->in) == 0)
        frame_end(ws);
    return n;
}

static ssize_t ws_decode(tr__coder *base, void *room, size_t size)
{
    struct ws *ws = ws_of(base);
    ssize_t n = (ssize_t)give_take(ws, room, size);
    while (n == 0 && ws->error == 0 && !ws->ended && tr__wire_used(&base->in) > 0) {
        n = frame_left(&ws->in) == 0 ? frame_begin(ws) : frame_go_on(ws, room, size);
        if (n == 0)
            n = (ssize_t)give_take(ws, room, size);
    }
    pong_add(ws);
    if (n != 0 || ws->error != 0)
        return n != 0 ? n : ws->error;
    if (base->in.ended && !ws->ended && ws->parts != NULL)
        return ws_broken(ws, TR_EFRAME, CLOSE_BROKEN, "a message in several frames has no end");
    return ws->ended || base->in.ended ? 0 : TR_EAGAIN;
}

// ---- Hands ----

// Take no byte behind the head. returns: whether it is whole, or too large
static bool hands_take(struct hands *hands, tr__wire *in)
{
    static const char end[] = {'\r', '\n', '\r', '\n'};
    while (hands->size < sizeof hands->head &&
           tr__wire_take(in, hands->head + hands->size, 1) > 0) {
        hands->size++;
        const char *last = hands->head + hands->size - sizeof end;
        if (hands->size >= sizeof end && memcmp(last, end, sizeof end) == 0)
            return true;
    }
    return hands->size == sizeof hands->head;
}

static int hands_answer(struct ws *ws, tr_str head, const char **ret_why)
{
    char answer[TR__WS_ANSWER_MAX];
    int rc = tr__ws_answer(ws->hands->ask.path, head, answer, ret_why);
    tr__wire_add(&ws->base.out, answer, strlen(answer));
    return rc;
}

static void hands_ask(struct ws *ws)
{
    uint8_t random[TR__WS_KEY_BYTES];
    char text[TR__WS_ASK_MAX];
    ws->world->ops->random(ws->world, random, sizeof random);
    tr__ws_key(random, ws->hands->ask.key);
    tr__wire_add(&ws->base.out, text, tr__ws_ask_print(&ws->hands->ask, text));
    ws->hands->asked = true;
}

// The server's answer, and what the client asks, have room: they are the first to leave.
static int ws_shake(tr__coder *base)
{
    struct ws *ws = ws_of(base);
    struct hands *hands = ws->hands;
    const char *why = NULL;
    if (ws->dialled && !hands->asked)
        hands_ask(ws);
    if (!hands_take(hands, &base->in))
        return base->in.ended ? -ECONNRESET : TR_EAGAIN;
    tr_str head = {hands->size < sizeof hands->head ? hands->head : NULL, hands->size};
    int rc = ws->dialled ? tr__ws_answered(&hands->ask, head, &why) : hands_answer(ws, head, &why);
    if (rc < 0) {
        snprintf(base->why, sizeof base->why, "%s", why);
        return rc;
    }
    tr__free(hands);
    ws->hands = NULL;
    give(ws, sp_hello, sizeof sp_hello);
    return 0;
}

// ---- Life ----

static void ws_limit(tr__coder *base, size_t size)
{
    ws_of(base)->parts_max = size < PARTS_MAX ? size : PARTS_MAX;
}

static void ws_free(tr__coder *base)
{
    tr__free(ws_of(base)->hands);
    tr__free(ws_of(base)->parts);
    tr__free(base);
}

static const tr__coder_ops ws_ops = {
    .name = "ws",
    .shake = ws_shake,
    .decode = ws_decode,
    .encode = ws_encode,
    .finish = ws_finish,
    .limit = ws_limit,
    .free = ws_free,
};

// Whether it can stand in a head as it is.
static bool text_is_plain(const char *text)
{
    while (*text > ' ' && *text < 0x7f)
        text++;
    return *text == '\0';
}

static int ws_new(tr_world *world, const char *host, const char *path, tr__coder **ret_coder)
{
    size_t host_size = strlen(host) + 1, path_size = strlen(path) + 1;
    if (path[0] != '/' || !text_is_plain(path) || !text_is_plain(host) ||
        host_size + path_size > TR__WS_ASK_MAX / 2)
        return TR_EINVAL;
    struct ws *ws = tr__zalloc(sizeof *ws);
    struct hands *hands = tr__alloc(sizeof *hands + host_size + path_size);
    if (ws == NULL || hands == NULL) {
        tr__free(ws);
        tr__free(hands);
        return TR_ENOMEM;
    }
    hands->asked = false;
    hands->size = 0;
    hands->ask.host = memcpy(hands->texts, host, host_size);
    hands->ask.path = memcpy(hands->texts + host_size, path, path_size);
    ws->base.ops = &ws_ops;
    ws->world = world;
    ws->hands = hands;
    ws->parts_max = PARTS_MAX;
    *ret_coder = &ws->base;
    return 0;
}

int tr__ws_dialled(tr_world *world, const char *host, const char *path, tr__coder **ret_coder)
{
    int rc = ws_new(world, host, path, ret_coder);
    if (rc == 0)
        ws_of(*ret_coder)->dialled = true;
    return rc;
}

int tr__ws_accepted(tr_world *world, const char *path, tr__coder **ret_coder)
{
    return ws_new(world, "", path, ret_coder);
}
