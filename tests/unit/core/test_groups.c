#include <troupe/registry.h>

#include "stage.h"
#include "support/counted_memory.h"

static void join(tr_actor *actor, const char *group)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_join(actor, group));
}

static void leave(tr_actor *actor, const char *group)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_leave(actor, group));
}

static void publish(tr_actor *actor, const char *group, const char *name)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_publish(actor, group, name, TR_NULL));
}

static size_t members(tr_actor *actor, const char *group)
{
    size_t count = 0;
    IN_TURN(actor)
    count = tr_members(actor, group, NULL, 0);
    return count;
}

static void no_group_is_left(void)
{
    assert_int_equal(0, stage.node->groups.dict.count);
    assert_int_equal(0, stage.loop->groups.count);
}

// ---- Membership ----

static void members_are_those_that_have_joined_and_not_left(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    tr_addr addrs[2];
    assert_int_equal(0, members(a, "g"));
    join(b, "g");
    join(a, "g");
    join(c, "g");
    join(c, "h");
    IN_TURN(a)
    assert_int_equal(3, tr_members(a, "g", addrs, 2));
    assert_true(tr_addr_eq(addrs[0], tr_self(b)) && tr_addr_eq(addrs[1], tr_self(a)));
    leave(a, "g");
    assert_int_equal(2, members(a, "g"));
    stage_exit(c, TR_NORMAL);
    assert_int_equal(1, members(a, "g"));
    assert_int_equal(0, members(a, "h"));
    leave(b, "g");
    no_group_is_left();
}

static void one_is_a_member_once(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    join(b, "g");
    IN_TURN(a)
    {
        assert_int_equal(TR_ENOENT, tr_leave(a, "g"));
        assert_int_equal(0, tr_join(a, "g"));
        assert_int_equal(TR_EEXIST, tr_join(a, "g"));
        assert_int_equal(0, tr_leave(a, "g"));
        assert_int_equal(TR_ENOENT, tr_leave(a, "g"));
        assert_int_equal(TR_ENOENT, tr_leave(a, "none"));
        assert_int_equal(0, tr_join(a, "g"));
    }
}

static void arguments_are_checked(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_msg *none = NULL;
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_join(a, NULL));
        assert_int_equal(TR_EINVAL, tr_join(a, ""));
        assert_int_equal(TR_EINVAL, tr_leave(a, ""));
        assert_int_equal(TR_EINVAL, tr_publish(a, "", "x", TR_NULL));
        assert_int_equal(TR_EINVAL, tr_publish(a, "g", "", TR_NULL));
        assert_int_equal(TR_EINVAL, tr_publish_msg(a, "g", NULL));
        assert_int_equal(TR_EINVAL, tr_publish_msg(a, "g", &none));
        assert_int_equal(0, tr_members(a, NULL, NULL, 0));
        tr_exit(a, TR_NORMAL);
        assert_int_equal(TR_EINVAL, tr_join(a, "g"));
    }
    assert_int_equal(TR_EINVAL, tr_join(a, "not its turn"));
    assert_int_equal(TR_EINVAL, tr_publish(NULL, "g", "x", TR_NULL));
}

// Goal:   joining without memory is an error that leaves nothing behind.
static void joining_without_memory_leaves_nothing(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    int rc = TR_ENOMEM;
    for (size_t fail_at = 1; rc == TR_ENOMEM; fail_at++) {
        counted.fail_at = counted.calls + fail_at;
        IN_TURN(a)
        rc = tr_join(a, "g");
        counted.fail_at = 0;
        if (rc < 0)
            no_group_is_left();
    }
    assert_int_equal(0, rc);
    assert_int_equal(1, members(a, "g"));
}

// ---- Publishing ----

static void every_member_hears_and_nobody_else(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    join(a, "g");
    join(b, "g");
    join(c, "h");
    publish(a, "g", "1");
    publish(c, "g", "2");
    publish(c, "none", "3");
    stage_run();
    assert_heard("a:1 a:2 b:1 b:2");
    assert_int_equal(0, tr_node_dead_letters(stage.node));
}

static void publications_and_messages_keep_their_order(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    join(b, "g");
    IN_TURN(a)
    {
        tr_send(a, tr_self(b), "1", TR_NULL);
        tr_publish(a, "g", "2", TR_NULL);
        tr_send(a, tr_self(b), "3", TR_NULL);
        tr_publish(a, "g", "4", TR_NULL);
    }
    stage_run();
    assert_heard("b:1 b:2 b:3 b:4");
}

static const void *bodies[4];
static tr_addr senders[4];
static unsigned body_count;

static int receive_bytes(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    tr_bytes bytes = {0};
    assert_int_equal(0, tr_as_bin(tr_msg_body(msg), &bytes));
    assert_true(bytes.len > 0 && ((const char *)bytes.ptr)[bytes.len - 1] == 'x');
    senders[body_count] = tr_msg_from(msg);
    bodies[body_count++] = bytes.ptr;
    stage.heard[0] = '\0';
    return 0;
}

static void publish_bytes(tr_actor *actor, size_t size)
{
    static char text[5000];
    memset(text, 'x', sizeof text);
    body_count = 0;
    IN_TURN(actor)
    assert_int_equal(0, tr_publish(actor, "g", "bytes", tr_val_bin((tr_bytes){text, size})));
    stage_run();
    assert_int_equal(2, body_count);
    assert_true(tr_addr_eq(tr_self(actor), senders[0]) && tr_addr_eq(tr_self(actor), senders[1]));
}

static void a_large_body_is_shared_and_a_small_one_copied(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b[2] = {stage_actor("b"), stage_actor("b")};
    for (int i = 0; i < 2; i++) {
        player_of(b[i])->receive = receive_bytes;
        join(b[i], "g");
    }
    publish_bytes(a, 4000);
    assert_ptr_equal(bodies[0], bodies[1]);
    publish_bytes(a, 100);
    assert_ptr_not_equal(bodies[0], bodies[1]);
}

static int receive_buffer(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    assert_int_equal(1, tr_msg_buf_count(msg));
    note(tr_buf_data(tr_msg_buf(msg, 0)));
    return 0;
}

static void a_message_made_by_hand_is_moved(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    player_of(b)->receive = player_of(c)->receive = receive_buffer;
    join(b, "g");
    join(c, "g");
    tr_msg *msg;
    tr_buf *buf;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &msg));
    assert_int_equal(0, tr_buf_copy("attached", 9, &buf));
    assert_int_equal(0, tr_msg_attach(msg, &buf));
    IN_TURN(a)
    assert_int_equal(0, tr_publish_msg(a, "g", &msg));
    assert_null(msg);
    stage_run();
    assert_heard("b:m attached c:m attached");
}

// ---- Members without room ----

static void a_full_member_loses_by_its_policy_and_nobody_else(void **state)
{
    (void)state;
    static const char *const heard[] = {"m:1 n:1 n:2", "m:1 n:1 n:2", "m:2 n:1 n:2"};
    tr_actor *a = stage_actor("a"), *n = stage_actor("n");
    for (int policy = TR_MAIL_FAIL; policy <= TR_MAIL_DROP_OLDEST; policy++) {
        tr_actor *m =
            stage_actor_with("m", TR_SPAWN(.mail_max = 1, .mail_policy = (tr_mail_policy)policy));
        join(m, "g");
        join(n, "g"); // behind m
        uint64_t dead = tr_node_dead_letters(stage.node);
        publish(a, "g", "1");
        publish(a, "g", "2");
        assert_int_equal(dead + 1, tr_node_dead_letters(stage.node));
        stage_run();
        assert_heard(heard[policy]);
        leave(m, "g");
        leave(n, "g");
    }
}

static void without_memory_a_member_loses_it(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b"), *c = stage_actor("c");
    join(b, "g");
    join(c, "g");
    tr_msg *msg;
    assert_int_equal(0, tr_msg_new("m", TR_NULL, &msg));
    tr__blocks_clear(&stage.loop->blocks);
    counted.fail_at = counted.calls + 1;
    IN_TURN(a)
    assert_int_equal(0, tr_publish_msg(a, "g", &msg));
    counted.fail_at = 0;
    stage_run();
    assert_int_equal(1, tr_node_dead_letters(stage.node));
    assert_heard("c:m");
}

static void one_that_is_ending_loses_it(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    join(b, "g");
    IN_TURN(b)
    tr_exit(b, TR_NORMAL);
    publish(a, "g", "1");
    assert_int_equal(0, tr_node_dead_letters(stage.node));
    stage_run();
    assert_heard("b:stop=normal");
    assert_int_equal(1, tr_node_dead_letters(stage.node));
    no_group_is_left();
}

static void many_join_and_leave(void **state)
{
    (void)state;
    enum { MANY = 500 };
    static tr_actor *all[MANY];
    tr_actor *a = stage_actor("a");
    for (int i = 0; i < MANY; i++) {
        char group[16];
        all[i] = stage_child(a, "m");
        snprintf(group, sizeof group, "%d", i % 100);
        join(all[i], "all");
        join(all[i], group);
    }
    assert_int_equal(MANY, members(a, "all"));
    assert_int_equal(5, members(a, "42"));
    stage_exit(a, TR_NORMAL);
    stage_run();
    no_group_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(members_are_those_that_have_joined_and_not_left),
        STAGE_TEST(one_is_a_member_once),
        STAGE_TEST(arguments_are_checked),
        STAGE_TEST(joining_without_memory_leaves_nothing),
        STAGE_TEST(every_member_hears_and_nobody_else),
        STAGE_TEST(publications_and_messages_keep_their_order),
        STAGE_TEST(a_large_body_is_shared_and_a_small_one_copied),
        STAGE_TEST(a_message_made_by_hand_is_moved),
        STAGE_TEST(a_full_member_loses_by_its_policy_and_nobody_else),
        STAGE_TEST(without_memory_a_member_loses_it),
        STAGE_TEST(one_that_is_ending_loses_it),
        STAGE_TEST(many_join_and_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
