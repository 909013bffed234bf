// A connection that goes from a parent to its child, and from there on to a child of that. The
// parent is the test, and reads what is said to it when it likes.
#include <string.h>
#include <troupe.h>

#include "remote/remote.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"

#define CHILD 77 // its node
#define STEPS 200
#define NOISE 40 // messages, more than the pipe to the parent takes

static tr_sim *sim;
static tr_world *outside; // the parent's
static tr_node *node;     // the child
static tr__link *link;
static tr_endpoint *client;
static bool taken; // the parent knows

// ---- The parent ----

static int parent_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    (void)owner, (void)storage;
    while (size > 0) {
        tr__envelope e;
        size_t used;
        assert_int_equal(0, tr__envelope_read(bytes, size, &e, &used));
        taken |= e.kind == TR__TAKEN;
        bytes += used;
        size -= used;
    }
    return 0;
}

static void parent_drained(void *owner)
{
    (void)owner;
}

static void parent_down(void *owner, int error)
{
    (void)owner, (void)error;
}

static const tr__link_up PARENT_UP = {
    .frame = parent_frame, .drained = parent_drained, .down = parent_down};

static void run(bool parent_reads)
{
    for (int i = 0; i < STEPS; i++) {
        tr__node_step(node);
        if (parent_reads)
            outside->ops->poll(outside, 0);
    }
}

static tr__frame *frame_of(tr_val envelope)
{
    tr__frame *frame;
    assert_int_equal(0, tr__frame_new(&frame));
    assert_int_equal(0, tr__envelope_put(frame, envelope));
    return frame;
}

static void hand(tr_endpoint *connection)
{
    tr_parcel *parcel;
    tr__frame *frame = frame_of(TR_LIST((int)TR__HANDLES, 1, TR_LIST(TR_FALSE)));
    assert_int_equal(
        0, tr__envelope_put(frame, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "pass", TR_NULL)));
    assert_int_equal(0, outside->ops->endpoint_leave(&connection, &parcel));
    assert_int_equal(0, tr__frame_carry_room(frame, 1));
    tr__frame_carry(frame, parcel);
    tr__parcel_unref(&parcel);
    link->ops->send(link, &frame);
}

// ---- The grandchild: a link as well ----

static tr_world *its_world;
static tr__link *its_link;
static bool handed, its_end;

static int last_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    (void)owner, (void)storage;
    while (size > 0) {
        tr__envelope e;
        size_t used;
        tr_parcel *parcel = NULL;
        assert_int_equal(0, tr__envelope_read(bytes, size, &e, &used));
        if (e.kind == TR__HANDLES) {
            handed = true;
            assert_int_equal(0, its_link->ops->claim(its_link, &parcel));
            tr__parcel_unref(&parcel);
        }
        bytes += used;
        size -= used;
    }
    return 0;
}

static void last_down(void *owner, int error)
{
    (void)owner, (void)error;
    its_end = true;
}

static int last_open(tr_world *world, tr_endpoint *endpoint, const char *const *argv,
                     const char *const *env, void *arg, void **ret_state)
{
    static const tr__link_up up = {
        .frame = last_frame, .drained = parent_drained, .down = last_down};
    (void)argv, (void)env, (void)arg;
    its_world = world;
    int rc = tr__link_sp_open(endpoint, &up, NULL, &its_link);
    if (rc == 0)
        tr__link_sp_carry(its_link);
    *ret_state = &its_link;
    return rc;
}

static void last_step(void *state)
{
    (void)state;
    its_world->ops->poll(its_world, TR__NEVER);
}

static uint64_t last_due(void *state)
{
    (void)state;
    return TR__NEVER;
}

static bool last_done(void *state, int *ret_code)
{
    (void)state;
    *ret_code = 0;
    return its_end;
}

static void last_close(void *state)
{
    (void)state;
    its_link->ops->free(&its_link);
    its_world->ops->close(&its_world);
}

static const tr_sim_program program = {.path = "last",
                                       .open = last_open,
                                       .step = last_step,
                                       .due = last_due,
                                       .done = last_done,
                                       .close = last_close};

// ---- The child ----

static tr_addr last;

static int middle_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_fork(self, "last", NULL, &last);
    for (int i = 0; rc == 0 && i < NOISE; i++)
        rc =
            tr_send(self, tr_parent(self), "noise", TR_V("so that the pipe is full, and stays so"));
    return rc;
}

// Its own child's link is flushed before its parent's.
static int middle_receive(tr_actor *self, const tr_msg *msg)
{
    int rc = tr_send(self, last, "hello", TR_NULL);
    return rc < 0 ? rc : tr_forward(self, msg, last);
}
static const tr_behavior middle = {
    .name = "middle", .start = middle_start, .receive = middle_receive};

// ---- Around a test ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static int setup(void **state)
{
    (void)state;
    tr_world *world;
    tr_endpoint *mine, *its;
    taken = handed = its_end = false;
    tr_log_set(warn_nobody, NULL);
    counted_memory_start(0);
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_program_add(sim, &program));
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(0, tr__sim_world(sim, &outside));
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    tr__sim_set_capacity(sim, 512);
    assert_int_equal(0, tr__sim_pipe(outside, world, &mine, &its));
    assert_int_equal(0, tr__link_sp_open(mine, &PARENT_UP, NULL, &link));
    const tr__remote_opts opts = {.name = "child", .program = "child", .app = TR_APP(&middle)};
    assert_int_equal(0, tr__remote_open_child(&opts, &world, its, &node));
    tr__frame *hello =
        frame_of(TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", 1, "you", CHILD,
                                                "parent", 5, "behavior", "middle")));
    link->ops->send(link, &hello);
    run(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr__node_free(&node);
    if (link != NULL)
        link->ops->free(&link);
    outside->ops->endpoint_close(client);
    outside->ops->close(&outside);
    tr__sim_close(&sim);
    return counted_memory_stop() != 0;
}

static void give_connection(void)
{
    tr_endpoint *connection;
    assert_int_equal(0, tr__sim_pipe(outside, outside, &client, &connection));
    hand(connection);
    run(false);
}

// ---- Passing on ----

// Goal:   what a parent may still take back is in nobody else's hands.
// Method: the child takes a connection and passes it on, but cannot say that it has: the parent
//         reads nothing. Then it does.
static void what_is_passed_on_waits_until_the_parent_is_told(void **state)
{
    (void)state;
    give_connection();
    assert_false(taken);
    assert_false(handed);
    run(true);
    assert_true(taken);
    assert_true(handed);
}

// Goal:   what has gone back to a parent that is lost comes to nobody else.
static void what_the_parent_was_not_told_of_ends_with_the_link_to_it(void **state)
{
    (void)state;
    give_connection();
    link->ops->free(&link);
    run(true);
    assert_false(handed);
    assert_true(its_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_passed_on_waits_until_the_parent_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_parent_was_not_told_of_ends_with_the_link_to_it,
                                        setup, teardown),
    };
    return cmocka_run_group_tests_name("handed", tests, NULL, NULL);
}
