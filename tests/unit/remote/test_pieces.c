// Messages in pieces, one side of which is the test: a stranger that says what no node would.
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#include "remote/remote.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/far_side.h"
#include "support/sweep.h"

#define ID    77 // the stranger's node
#define STEPS 40
#define MIB   (1u << 20)

static tr_sim *sim;
static tr_world *outside; // the stranger's
static tr_node *node;
static char logged[512];

// What the node has said.
static struct {
    unsigned messages, begins, mores, answers;
    size_t piece_max, message_max;
    uint64_t going; // the number of what is being told
} heard;

// ---- The stranger ----

static void stranger_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    (void)far;
    heard.messages += e->kind == TR__MESSAGE;
    heard.answers += e->kind == TR__ANSWER;
    heard.begins += e->kind == TR__BEGIN;
    heard.mores += e->kind == TR__MORE;
    if (e->kind == TR__MESSAGE && size > heard.message_max)
        heard.message_max = size;
    if ((e->kind == TR__BEGIN || e->kind == TR__MORE) && e->bufs[0].len > heard.piece_max)
        heard.piece_max = e->bufs[0].len;
}

static struct far_side far = {.heard = stranger_heard};

static void run(void)
{
    for (int i = 0; i < STEPS; i++) {
        tr__node_step(node);
        outside->ops->poll(outside, 0);
    }
}

static void say(tr_val envelope)
{
    far_side_say(&far, envelope);
    run();
}

static void begin(uint64_t number, uint64_t size, const void *bytes, size_t len)
{
    say(TR_LIST((int)TR__BEGIN, number, size, ((tr_bytes){bytes, len})));
}

static void more(uint64_t number, const void *bytes, size_t len)
{
    say(TR_LIST((int)TR__MORE, number, ((tr_bytes){bytes, len})));
}

// ---- The node's actor ----

static char got[256]; // names of messages

static tr_addr stranger = {ID, 9};
static int sent;

static int actor_receive(tr_actor *self, const tr_msg *msg)
{
    size_t size = strlen(got);
    snprintf(got + size, sizeof got - size, "%s%s", size == 0 ? "" : " ", tr_msg_name(msg));
    uint64_t bytes;
    if (!tr_msg_is(msg, "send") || tr_as_uint(tr_msg_body(msg), &bytes) < 0)
        return tr_msg_is_ask(msg) ? tr_reply(self, msg, tr_msg_body(msg)) : 0;
    tr_buf *buf = NULL;
    tr_msg *out = NULL;
    sent = tr_buf_new(bytes, &buf);
    if (sent == 0)
        memset(tr_buf_data(buf), 'x', bytes);
    if (sent == 0)
        sent = tr_msg_new("large", TR_NULL, &out);
    if (sent == 0)
        sent = tr_msg_attach(out, &buf);
    if (sent == 0)
        sent = tr_send_msg(self, stranger, &out);
    tr_msg_free(&out);
    tr_buf_unref(&buf);
    return 0;
}
static const tr_behavior actor = {.name = "actor", .receive = actor_receive};

#define assert_words(words)                                                                        \
    do {                                                                                           \
        assert_string_equal(words, got);                                                           \
        got[0] = '\0';                                                                             \
    } while (0)

static void order_send(uint64_t bytes, uint64_t to)
{
    stranger.actor = to;
    say(TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "send", bytes));
}

// ---- Around a test ----

static void note_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    snprintf(logged, sizeof logged, "%s %s", id, text);
}

// Returns why there is no node.
static int open_node(void)
{
    static const tr__remote_opts opts = {.name = "node", .program = "node"};
    tr_world *world;
    logged[0] = got[0] = '\0';
    memset(&heard, 0, sizeof heard);
    int rc = tr__sim_open(1, &sim);
    assert_int_equal(0, rc);
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(0, tr__sim_world(sim, &outside));
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    tr__sim_set_capacity(sim, 4 * MIB);
    rc = tr__remote_open(&opts, &world, &node);
    if (rc == 0)
        rc = tr_node_spawn(node, &actor, NULL, NULL);
    return rc == 0 ? tr__remote_listen(node, "ipc:///node") : rc;
}

static void connect_and_greet(bool takes_pieces)
{
    tr_endpoint *endpoint;
    assert_int_equal(0, outside->ops->connect(outside, &(tr_site){.name = "/node"}, &endpoint));
    far_side_open(&far, endpoint);
    tr_val plain = TR_MAP("troupe", TR__PROTOCOL, "node", ID);
    tr_val able = TR_MAP("troupe", TR__PROTOCOL, "node", ID, "pieces", (bool)true);
    say(TR_LIST((int)TR__HELLO, takes_pieces ? able : plain));
}

static void close_node(void)
{
    far_side_close(&far);
    tr__node_free(&node);
    outside->ops->close(&outside);
    tr__sim_close(&sim);
}

static int setup(void **state)
{
    (void)state;
    tr_log_set(note_warning, NULL);
    counted_memory_start(0);
    assert_int_equal(0, open_node());
    connect_and_greet(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_node();
    tr_log_set(NULL, NULL);
    return counted_memory_stop() != 0;
}

// ---- Put together ----

// An envelope as bytes, of one message with this name and so many bytes.
static size_t packed(uint8_t *to, size_t size, const char *name, size_t bytes)
{
    tr_buf *buf = NULL;
    tr_val list = TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, name,
                          ((tr_bytes){(const char *)"0123456789abcdef", bytes}));
    assert_int_equal(0, tr_val_pack(list, &buf));
    size_t len = tr_buf_size(buf);
    assert_true(len <= size);
    memcpy(to, tr_buf_data(buf), len);
    tr_buf_unref(&buf);
    return len;
}

static void pieces_of_several_messages_are_told_apart(void **state)
{
    (void)state;
    uint8_t one[64], two[64];
    size_t a = packed(one, sizeof one, "one", 16), b = packed(two, sizeof two, "two", 5);
    begin(7, a, one, 1);
    begin(8, b, two, b - 1);
    more(7, one + 1, a - 2);
    say(TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "three", TR_NULL));
    assert_words("three");
    more(8, two + b - 1, 1);
    assert_words("two");
    begin(8, b, two, b); // the number is free again
    assert_words("two");
    more(7, one + a - 1, 1);
    assert_words("one");
    assert_non_null(far.link);
}

// ---- What does not fit together ----

static void assert_closed(const char *error)
{
    char words[64];
    snprintf(words, sizeof words, "error=%s ", error);
    assert_null(far.link);
    assert_non_null(strstr(logged, words));
    logged[0] = '\0';
    connect_and_greet(true);
    assert_non_null(far.link);
}

static void pieces_that_do_not_fit_close_the_link(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t size = packed(bytes, sizeof bytes, "m", 16);
    begin(1, size, bytes, 5);
    begin(1, size, bytes, 5);
    assert_closed("TR_EBADMSG"); // in use
    more(1, bytes, 5);
    assert_closed("TR_EBADMSG"); // not begun: that was another link
    begin(1, 10, bytes, 11);
    assert_closed("TR_EBADMSG");
    begin(1, size, bytes, 5);
    more(1, bytes + 5, size - 4);
    assert_closed("TR_EBADMSG"); // more than there was to be
    begin(1, 0, bytes, 1);
    assert_closed("TR_EBADMSG");
    begin(1, size, bytes, 0);
    assert_closed("TR_EBADMSG");
    begin(1, TR__FRAME_MAX + 1, bytes, 5);
    assert_closed("TR_ETOOBIG");
    begin(1, UINT64_MAX, bytes, 5);
    assert_closed("TR_ETOOBIG");
    assert_words("");
}

static void a_whole_that_is_no_message_closes_the_link(void **state)
{
    (void)state;
    uint8_t bytes[128];
    size_t size = packed(bytes, sizeof bytes, "m", 16);
    begin(1, size - 1, bytes, size - 1);
    assert_closed("TR_EBADMSG"); // half of one
    size_t both = size + packed(bytes + size, sizeof bytes - size, "m", 16);
    begin(1, both, bytes, both);
    assert_closed("TR_EBADMSG"); // two
    static const uint8_t want[] = {0x91, TR__WANT}, nested[] = {0x93, TR__MORE, 1, 0xc4, 1, 0};
    begin(1, sizeof want, want, sizeof want);
    assert_closed("TR_EBADMSG");
    begin(1, sizeof nested, nested, sizeof nested);
    assert_closed("TR_EBADMSG");
    assert_words("");
}

static void only_so_many_are_begun(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t size = packed(bytes, sizeof bytes, "m", 16);
    for (unsigned i = 0; i < 16; i++)
        begin(i, size, bytes, 5);
    assert_non_null(far.link);
    begin(16, size, bytes, 5);
    assert_closed("TR_EFULL");
    begin(1, 60 * MIB, bytes, 5);
    begin(2, 36 * MIB, bytes, 5);
    assert_non_null(far.link);
    begin(3, 1, bytes, 1);
    assert_closed("TR_EFULL");
}

// Goal: memory for what is begun is given back with the link, and pieces before the hello are none.
static void a_stranger_that_is_not_let_in_begins_nothing(void **state)
{
    (void)state;
    far_side_close(&far);
    run();
    size_t before = counted.live;
    tr_endpoint *endpoint;
    assert_int_equal(0, outside->ops->connect(outside, &(tr_site){.name = "/node"}, &endpoint));
    far_side_open(&far, endpoint);
    counted.peak = counted.live;
    begin(1, 60 * MIB, "x", 1);
    assert_null(far.link);
    assert_in_range(counted.peak, 0, before + 2 * MIB);
}

// ---- What the node sends ----

static void who_does_not_take_pieces_gets_a_whole_message(void **state)
{
    (void)state;
    far_side_close(&far);
    run();
    connect_and_greet(false);
    order_send(MIB, 1);
    assert_int_equal(0, sent);
    assert_int_equal(1, heard.messages);
    assert_in_range(heard.message_max, MIB, MIB + 100);
    assert_int_equal(0, heard.begins);
}

static void who_takes_pieces_gets_no_large_one(void **state)
{
    (void)state;
    order_send(MIB, 1);
    assert_int_equal(0, sent);
    assert_int_equal(0, heard.messages);
    assert_int_equal(1, heard.begins);
    assert_int_equal(16, heard.mores); // a MiB and its head
    assert_int_equal(0x10000, heard.piece_max);
}

// Goal: a message that is larger than all windows leaves room for others to other actors, where
//       both sides count so, and for no second one of its kind.
static void a_message_larger_than_all_windows_leaves_room_for_others(void **state)
{
    (void)state;
    order_send(40 * MIB, 1);
    assert_int_equal(0, sent);
    order_send(100, 1);
    assert_int_equal(TR_EFULL, sent);
    order_send(100, 2);
    assert_int_equal(0, sent);
    order_send(7 * MIB, 3);
    assert_int_equal(0, sent);
    order_send(40 * MIB, 4);
    assert_int_equal(TR_EFULL, sent);
    order_send(2 * MIB, 4);
    assert_int_equal(TR_EFULL, sent);

    far_side_close(&far);
    run();
    connect_and_greet(false);
    order_send(40 * MIB, 1);
    assert_int_equal(0, sent);
    order_send(100, 2);
    assert_int_equal(TR_EFULL, sent);
}

// ---- Without memory ----

static void what_comes_and_goes_in_pieces_without_memory(void **state)
{
    (void)state;
    static uint8_t bytes[64];
    struct sweep sweep = {0};
    tr_log_set(note_warning, NULL);
    while (sweep_next(&sweep)) {
        assert_int_equal(0, open_node());
        connect_and_greet(true);
        size_t size = packed(bytes, sizeof bytes, "one", 16);
        sweep_begin(&sweep);
        tr__frame *frame = NULL;
        if (tr__frame_new(&frame) == 0 &&
            tr__envelope_put(frame, TR_LIST((int)TR__BEGIN, 1, size, ((tr_bytes){bytes, 9}))) ==
                0 &&
            tr__envelope_put(frame, TR_LIST((int)TR__MORE, 1, ((tr_bytes){bytes + 9, size - 9}))) ==
                0 &&
            tr__envelope_put(frame, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "send", 200000)) == 0)
            far_side_give(&far, frame);
        else
            tr__frame_free(&frame);
        run();
        bool whole = heard.begins == 1 && heard.mores == 3;
        assert_true(whole || sweep.nth > 0);
        counted_memory_fail(0, false);
        close_node();
        sweep_end(&sweep);
    }
    tr_log_set(NULL, NULL);
}

#define NODE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(pieces_of_several_messages_are_told_apart),
        NODE_TEST(pieces_that_do_not_fit_close_the_link),
        NODE_TEST(a_whole_that_is_no_message_closes_the_link),
        NODE_TEST(only_so_many_are_begun),
        NODE_TEST(a_stranger_that_is_not_let_in_begins_nothing),
        NODE_TEST(who_does_not_take_pieces_gets_a_whole_message),
        NODE_TEST(who_takes_pieces_gets_no_large_one),
        NODE_TEST(a_message_larger_than_all_windows_leaves_room_for_others),
        cmocka_unit_test(what_comes_and_goes_in_pieces_without_memory),
    };
    return cmocka_run_group_tests_name("unit/remote/pieces", tests, NULL, NULL);
}
