// A connection that goes from a parent to its child, and from there on to a child of that; or from a
// sibling. The parent and the sibling are the test, and read what is said to them when they like.
#include <string.h>
#include <troupe.h>

#include "remote/remote.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/far_side.h"

#define CHILD   77 // its node
#define SIBLING 78
#define STEPS   200
#define NOISE   40 // messages, more than the pipe of a link takes

static tr_sim *sim;
static tr_world *outside; // the parent's
static tr_world *beside;  // the sibling's
static tr_node *node;     // the child
static tr_endpoint *client;
static bool taken; // whoever has handed it over knows

// ---- The parent, and the sibling ----

static void lender_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    (void)far, (void)size;
    taken |= e->kind == TR__TAKEN;
}

static struct far_side parent = {.heard = lender_heard}, sibling = {.heard = lender_heard};

// NULL: nobody reads what the child says to it.
static void run(tr_world *reads)
{
    for (int i = 0; i < STEPS; i++) {
        tr__node_step(node);
        if (reads != NULL)
            reads->ops->poll(reads, 0);
    }
}

static void carry(tr__frame *frame, tr_parcel *parcel)
{
    assert_int_equal(0, tr__frame_carry_room(frame, 1));
    tr__frame_carry(frame, parcel);
    tr__parcel_unref(&parcel);
}

static void hand(struct far_side *lender, tr_endpoint *connection, const char *what)
{
    tr_parcel *parcel;
    tr__frame *frame = far_side_frame(TR_LIST((int)TR__HANDLES, 1, TR_LIST(TR_FALSE)));
    assert_int_equal(
        0, tr__envelope_put(frame, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, what, TR_NULL)));
    assert_int_equal(0, outside->ops->endpoint_leave(&connection, &parcel));
    carry(frame, parcel);
    far_side_give(lender, frame);
}

// ---- The grandchild: a link as well ----

static tr_world *its_world;
static struct far_side its;
static bool handed;

static void last_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    tr_parcel *parcel = NULL;
    (void)size;
    if (e->kind != TR__HANDLES)
        return;
    handed = true;
    assert_int_equal(0, far->link->ops->claim(far->link, &parcel));
    tr__parcel_unref(&parcel);
}

static int last_open(tr_world *world, tr_endpoint *endpoint, const char *const *argv,
                     const char *const *env, void *arg, void **ret_state)
{
    (void)argv, (void)env, (void)arg;
    its_world = world;
    its.heard = last_heard;
    far_side_open(&its, endpoint);
    tr__link_sp_carry(its.link);
    *ret_state = &its;
    return 0;
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
    return its.link == NULL;
}

static void last_close(void *state)
{
    (void)state;
    far_side_close(&its);
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

static int make_noise(tr_actor *self, tr_addr to)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < NOISE; i++)
        rc = tr_send(self, to, "noise", TR_V("so that the pipe is full, and stays so"));
    return rc;
}

static int middle_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_fork(self, "last", NULL, &last);
    return rc < 0 ? rc : make_noise(self, tr_parent(self));
}

static int serve(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    tr_stream stream;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_stream_attach(self, &handle, NULL, &stream);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, stream, "ok", 2);
    tr_handle_close(&handle);
    return rc < 0 ? rc : 0;
}

// Its own child's link is flushed before its parent's.
static int middle_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "be loud"))
        return make_noise(self, tr_msg_from(msg));
    if (tr_msg_is(msg, "serve"))
        return serve(self, msg);
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
    tr_endpoint *mine, *childs;
    taken = handed = false;
    client = NULL;
    tr_log_set(warn_nobody, NULL);
    counted_memory_start(0);
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_program_add(sim, &program));
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(0, tr__sim_world(sim, &outside));
    assert_int_equal(0, tr__sim_world(sim, &beside));
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    tr__sim_set_capacity(sim, 512);
    assert_int_equal(0, tr__sim_pipe(outside, world, &mine, &childs));
    far_side_open(&parent, mine);
    const tr__remote_opts opts = {.name = "child", .program = "child", .app = TR_APP(&middle)};
    assert_int_equal(0, tr__remote_open_child(&opts, &world, childs, &node));
    far_side_say(&parent,
                 TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", 1, "you", CHILD,
                                                "parent", 5, "behavior", "middle")));
    run(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr__node_free(&node);
    far_side_close(&parent);
    far_side_close(&sibling);
    outside->ops->endpoint_close(client);
    outside->ops->close(&outside);
    beside->ops->close(&beside);
    tr__sim_close(&sim);
    return counted_memory_stop() != 0;
}

static void give_connection(struct far_side *lender, const char *what)
{
    tr_endpoint *connection;
    assert_int_equal(0, tr__sim_pipe(outside, outside, &client, &connection));
    hand(lender, connection, what);
    run(NULL);
}

// ---- Passing on ----

// Goal:   what a parent may still take back is in nobody else's hands.
// Method: the child takes a connection and passes it on, but cannot say that it has: the parent
//         reads nothing. Then it does.
static void what_is_passed_on_waits_until_the_parent_is_told(void **state)
{
    (void)state;
    give_connection(&parent, "pass");
    assert_false(taken);
    assert_false(handed);
    run(outside);
    assert_true(taken);
    assert_true(handed);
}

// Goal:   what has gone back to a parent that is lost comes to nobody else.
static void what_the_parent_was_not_told_of_ends_with_the_link_to_it(void **state)
{
    (void)state;
    give_connection(&parent, "pass");
    far_side_close(&parent);
    run(outside);
    assert_false(handed);
    assert_null(its.link);
}

// ---- From a sibling ----

// The parent introduces it, and the child has so much to say to it that no more leaves.
static void meet_sibling(void)
{
    tr_parcel *ends[2];
    tr_endpoint *endpoint;
    assert_int_equal(0, outside->ops->parcel_pair(outside, ends));
    tr__frame *frame = far_side_frame(TR_LIST((int)TR__MEET, SIBLING, 1, 0));
    carry(frame, ends[0]);
    far_side_give(&parent, frame);
    assert_int_equal(0, beside->ops->endpoint_enter(beside, &ends[1], &endpoint));
    tr__parcel_unref(&ends[1]);
    far_side_open(&sibling, endpoint);
    tr__link_sp_carry(sibling.link);
    far_side_say(&sibling, TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", SIBLING,
                                                          "handles", (bool)true)));
    run(beside);
    far_side_say(&sibling, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "be loud", TR_NULL));
    run(NULL);
}

// What the client has been served.
static int served(void)
{
    char bytes[8];
    tr_iov iov = {bytes, sizeof bytes};
    return (int)outside->ops->endpoint_read(client, &iov, 1);
}

// Goal:   what a sibling may still take back is not used.
// Method: the child is to serve its connection, but cannot say that it has taken it: the sibling
//         reads nothing. Then it does.
static void what_a_sibling_has_lent_is_not_used_before_it_is_told(void **state)
{
    (void)state;
    meet_sibling();
    give_connection(&sibling, "serve");
    assert_false(taken);
    assert_int_equal(TR_EAGAIN, served());
    run(beside);
    assert_true(taken);
    assert_int_equal(2, served());
}

// Goal:   what a sibling has lent that is gone, and takes nothing back, is served by whoever has it.
static void what_a_sibling_has_lent_that_is_gone_is_used(void **state)
{
    (void)state;
    meet_sibling();
    give_connection(&sibling, "serve");
    far_side_close(&sibling);
    assert_int_equal(TR_EAGAIN, served());
    run(NULL);
    assert_int_equal(2, served());
}

#define HANDED_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HANDED_TEST(what_is_passed_on_waits_until_the_parent_is_told),
        HANDED_TEST(what_the_parent_was_not_told_of_ends_with_the_link_to_it),
        HANDED_TEST(what_a_sibling_has_lent_is_not_used_before_it_is_told),
        HANDED_TEST(what_a_sibling_has_lent_that_is_gone_is_used),
    };
    return cmocka_run_group_tests_name("handed", tests, NULL, NULL);
}
