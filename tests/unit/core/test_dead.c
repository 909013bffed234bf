#include <troupe/registry.h>

#include "stage.h"

static void subscribe(tr_actor *actor, bool wanted)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_dead_letters(actor, wanted));
}

static struct {
    tr_addr to, from, sender;
    tr_str name;
    char name_text[16];
    int64_t why;
    char body[64];
    unsigned count;
} told;

static int receive_told(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    tr_val body = tr_msg_body(msg), inner;
    assert_true(tr_msg_is(msg, "dead letter"));
    told.sender = tr_msg_from(msg);
    assert_int_equal(0, tr_get_addr(body, "to", &told.to));
    assert_int_equal(0, tr_get_addr(body, "from", &told.from));
    assert_int_equal(0, tr_get_str(body, "name", &told.name));
    assert_int_equal(0, tr_get_int(body, "why", &told.why));
    assert_int_equal(0, tr_get(body, "body", &inner));
    snprintf(told.name_text, sizeof told.name_text, "%.*s", TR_STR_ARG(told.name));
    snprintf(told.body, sizeof told.body, "%s", inner.type == TR_TYPE_NULL ? "null" : "given");
    told.count++;
    stage.heard[0] = '\0'; // addresses
    return 0;
}

static tr_actor *reader(const tr_spawn_opts *opts)
{
    tr_actor *actor = stage_actor_with("r", opts);
    player_of(actor)->receive = receive_told;
    told.count = 0;
    subscribe(actor, true);
    return actor;
}

static int send(tr_actor *from, tr_addr to, tr_val body)
{
    int rc = 0;
    IN_TURN(from)
    rc = tr_send(from, to, "hit", body);
    return rc;
}

static void see_told(tr_actor *from, tr_addr to, int why)
{
    stage_run();
    assert_int_equal(1, told.count);
    assert_true(tr_addr_eq(to, told.to) && tr_addr_eq(tr_self(from), told.from));
    assert_true(tr_addr_eq(TR_NOBODY, told.sender));
    assert_string_equal("hit", told.name_text);
    assert_int_equal(why, told.why);
    told.count = 0;
}

static int unknown(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EUNKNOWN;
}

static void each_kind_of_dead_letter_is_told(void **state)
{
    (void)state;
    reader(NULL);
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_actor *full = stage_actor_with("f", TR_SPAWN(.mail_max = 1, .mail_policy = 1));
    player_of(b)->receive = unknown;
    assert_int_equal(0, send(a, tr_self(b), TR_V(1)));
    see_told(a, tr_self(b), TR_EUNKNOWN);
    assert_string_equal("given", told.body);

    assert_int_equal(0, send(a, tr_self(full), TR_NULL));
    assert_int_equal(0, send(a, tr_self(full), TR_NULL));
    see_told(a, tr_self(full), TR_EFULL);
    assert_string_equal("null", told.body);

    tr_addr addr = tr_self(b);
    stage_hold(b);
    assert_int_equal(0, send(a, addr, TR_NULL));
    stage_exit(b, TR_NORMAL);
    see_told(a, addr, TR_EDOWN);
    assert_int_equal(3, tr_node_dead_letters(stage.node));
}

static void the_oldest_that_is_dropped_is_told(void **state)
{
    (void)state;
    reader(NULL);
    tr_actor *a = stage_actor("a");
    tr_actor *b =
        stage_actor_with("b", TR_SPAWN(.mail_max = 1, .mail_policy = TR_MAIL_DROP_OLDEST));
    send(a, tr_self(b), TR_V(1));
    IN_TURN(a)
    assert_int_equal(0, tr_send(a, tr_self(b), "newer", TR_NULL));
    see_told(a, tr_self(b), TR_EFULL);
}

static void a_body_that_is_large_or_deep_is_left_out(void **state)
{
    (void)state;
    static char large[70000];
    reader(NULL);
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = unknown;
    assert_int_equal(0, send(a, tr_self(b), tr_val_bin((tr_bytes){large, sizeof large})));
    stage.heard[0] = '\0';
    stage_hold(b);
    stage_exit(b, TR_NORMAL);
    assert_int_equal(1, tr_node_dead_letters(stage.node));
    stage_run();
    assert_string_equal("null", told.body);

    tr_actor *c = stage_actor("c");
    tr_val deep = TR_NULL, levels[31];
    for (int i = 0; i < 31; i++) {
        levels[i] = deep;
        deep = tr_val_list(&levels[i], 1);
    }
    stage_hold(c);
    snprintf(told.body, sizeof told.body, "not told");
    assert_int_equal(0, send(a, tr_self(c), deep));
    stage_exit(c, TR_NORMAL);
    stage_run();
    assert_string_equal("null", told.body);
}

static void who_has_no_room_is_not_told(void **state)
{
    (void)state;
    tr_actor *r = reader(TR_SPAWN(.mail_max = 2, .mail_policy = TR_MAIL_DROP_OLDEST));
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    stage_hold(b);
    for (int i = 0; i < 5; i++)
        assert_int_equal(0, send(a, tr_self(b), TR_NULL));
    stage_hold(r);
    stage_exit(b, TR_NORMAL);
    stage_run();
    assert_int_equal(2, told.count);
    assert_int_equal(5, tr_node_dead_letters(stage.node));
}

// Goal:   telling makes no dead letters of its own, whoever reads them.
// Method: readers that drop what they hold, that know no message, and that end.
static void telling_does_not_go_on_for_ever(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a");
    tr_actor *r[2];
    for (int i = 0; i < 2; i++) {
        r[i] = stage_actor_with("r", TR_SPAWN(.mail_max = 1, .mail_policy = TR_MAIL_DROP_OLDEST));
        player_of(r[i])->receive = unknown;
        subscribe(r[i], true);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(0, send(a, tr_self(r[i % 2]), TR_NULL));
    stage_run();
    stage.heard[0] = '\0';
    assert_int_equal(0, send(a, tr_self(r[0]), TR_NULL)); // not known; the other is told
    stage_run();
    stage.heard[0] = '\0';
    assert_int_equal(0, send(a, tr_self(r[0]), TR_NULL));
    stage_exit(r[0], TR_NORMAL);
    stage_exit(r[1], TR_NORMAL);
    stage_run();
    assert_int_equal(0, tr__counter_get(&stage.node->dead.count));
}

static void it_may_begin_and_end_and_ends_with_the_actor(void **state)
{
    (void)state;
    tr_actor *r = reader(NULL), *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = unknown;
    subscribe(r, true); // it does already
    send(a, tr_self(b), TR_NULL);
    stage_run();
    assert_int_equal(1, told.count);
    subscribe(r, false);
    subscribe(r, false);
    send(a, tr_self(b), TR_NULL);
    stage_run();
    assert_int_equal(1, told.count);
    subscribe(r, true);
    stage_exit(r, TR_NORMAL);
    assert_int_equal(0, tr__counter_get(&stage.node->dead.count));
    assert_int_equal(TR_EINVAL, tr_dead_letters(a, true)); // not its turn
}

static void what_an_actor_could_not_reply_is_told(void **state)
{
    (void)state;
    reader(NULL);
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    tr_addr gone = tr_self(b);
    tr_msg *msg;
    assert_int_equal(0, tr_msg_new("hit", TR_NULL, &msg));
    msg->from = gone;
    stage_exit(b, TR_NORMAL);
    IN_TURN(a)
    assert_int_equal(0, tr_reply(a, msg, TR_V(1)));
    tr_msg_free(&msg);
    see_told(a, gone, TR_ENOACTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(each_kind_of_dead_letter_is_told),
        STAGE_TEST(the_oldest_that_is_dropped_is_told),
        STAGE_TEST(a_body_that_is_large_or_deep_is_left_out),
        STAGE_TEST(who_has_no_room_is_not_told),
        STAGE_TEST(telling_does_not_go_on_for_ever),
        STAGE_TEST(it_may_begin_and_end_and_ends_with_the_actor),
        STAGE_TEST(what_an_actor_could_not_reply_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
