// What a child is started with may be as large as any document, and more may be sent right behind
// it; what cannot be sent costs no process.
#include <troupe.h>

#include "support/ipc.h"

#define ARGS_SIZE    (60u << 20)
#define MESSAGE_SIZE (10u << 20)

static struct {
    int deep, deepest;
    uint64_t args, message;
    size_t children; // after the refused spawn
} seen;

// ---- The child: tells how much it has got ----

static int sizer_start(tr_actor *self, const tr_val *args)
{
    return tr_send(self, tr_parent(self), "args", tr_val_uint(tr_val_count(*args)));
}

static int sizer_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, tr_val_uint(tr_buf_size(tr_msg_buf(msg, 0))));
}
static const tr_behavior sizer = {.name = "sizer", .start = sizer_start, .receive = sizer_receive};

#define APP TR_APP(&sizer)

// ---- The parent ----

static int spawn_sizer(tr_actor *self, tr_val args, tr_addr *ret_child)
{
    return tr_spawn(self, &sizer, TR_SPAWN(.isolation = TR_PROCESS, .args = args), ret_child);
}

static int send_large(tr_actor *self, tr_addr to)
{
    tr_buf *buf = NULL;
    tr_msg *msg = NULL;
    int rc = tr_buf_new(MESSAGE_SIZE, &buf);
    if (rc == 0)
        rc = tr_msg_new("message", TR_NULL, &msg);
    if (rc == 0) {
        memset(tr_buf_data(buf), 'm', MESSAGE_SIZE);
        rc = tr_msg_attach(msg, &buf);
    }
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
    return rc;
}

static int large_start(tr_actor *self, const tr_val *args)
{
    tr_addr child;
    int rc = spawn_sizer(self, *args, &child);
    return rc < 0 ? rc : send_large(self, child); // in the same turn, behind the arguments
}

static int large_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t *seen_size = tr_msg_is(msg, "args") ? &seen.args : &seen.message;
    int rc = tr_as_uint(tr_msg_body(msg), seen_size);
    return rc < 0 || seen_size == &seen.args ? rc : tr_exit(self, TR_NORMAL);
}
static const tr_behavior large_parent = {
    .name = "parent", .start = large_start, .receive = large_receive};

static void large_arguments_and_a_large_message_in_one_turn_arrive(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    tr_buf *args = NULL;
    assert_int_equal(0, tr_buf_new(ARGS_SIZE, &args));
    memset(tr_buf_data(args), 'a', ARGS_SIZE);
    tr_bytes bytes = {tr_buf_data(args), ARGS_SIZE};
    assert_int_equal(0, TR_RUN(APP, &large_parent, tr_val_bin(bytes)));
    tr_buf_unref(&args);
    assert_int_equal(ARGS_SIZE, seen.args);
    assert_int_equal(MESSAGE_SIZE, seen.message);
}

static tr_val nested(tr_val *levels, size_t depth)
{
    levels[0] = TR_NULL;
    for (size_t i = 1; i <= depth; i++)
        levels[i] = tr_val_list(&levels[i - 1], 1);
    return levels[depth];
}

// The hello adds two levels around the arguments.
static int deep_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_val levels[TR_DEPTH_MAX + 1];
    seen.deep = spawn_sizer(self, nested(levels, TR_DEPTH_MAX), NULL);
    seen.children = tr_test_children(NULL, 0);
    seen.deepest = spawn_sizer(self, nested(levels, TR_DEPTH_MAX - 2), NULL);
    return 0;
}

static int deep_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior deep_parent = {
    .name = "parent", .start = deep_start, .receive = deep_receive};

static void arguments_that_are_too_deep_cost_no_process(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);
    seen.children = 1;
    assert_int_equal(0, TR_RUN(APP, &deep_parent, TR_NULL));
    assert_int_equal(TR_ETOODEEP, seen.deep);
    assert_int_equal(0, seen.children);
    assert_int_equal(0, seen.deepest);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(large_arguments_and_a_large_message_in_one_turn_arrive),
    TR_PROCESS_TEST(arguments_that_are_too_deep_cost_no_process),
};
TR_TEST_MAIN("ipc/large_start", APP, tests)
