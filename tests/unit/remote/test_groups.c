// Groups over a link, one side of which is the test: a parent that is made of nothing but the link,
// and says and counts envelopes.
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#include "remote/remote.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/far_side.h"

#define CHILD 77 // its node
#define STEPS 20

static tr_sim *sim;
static tr_world *outside; // the parent's
static tr_node *node;
static char heard[1024]; // by the parent
static char noted[1024]; // by actors

static void add(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used == 0 ? "" : " ", word);
}
#define assert_words(words, text)                                                                  \
    do {                                                                                           \
        assert_string_equal(words, text);                                                          \
        text[0] = '\0';                                                                            \
    } while (0)

// ---- The parent ----

static void parent_heard(struct far_side *far, const tr__envelope *e, size_t size)
{
    static const char *const words[TR__KINDS] = {[TR__JOIN] = "join",
                                                 [TR__LEAVE] = "leave",
                                                 [TR__PUBLISH] = "publish",
                                                 [TR__CREDIT] = "credit"};
    char word[64];
    (void)far, (void)size;
    if (e->kind == TR__CREDIT && e->actor == 0)
        snprintf(word, sizeof word, "credit=%d/%d", (int)e->messages, (int)e->bytes);
    else if (e->kind >= TR__JOIN)
        snprintf(word, sizeof word, "%s=%.*s", words[e->kind], TR_STR_ARG(e->group));
    if (e->kind >= TR__JOIN || (e->kind == TR__CREDIT && e->actor == 0))
        add(heard, sizeof heard, word);
}

static struct far_side parent = {.heard = parent_heard};

static void run(void)
{
    for (int i = 0; i < STEPS; i++) {
        tr__node_step(node);
        outside->ops->poll(outside, 0);
    }
}

static void say(tr_val envelope)
{
    far_side_say(&parent, envelope);
    run();
}

static void publish(const char *group, const char *name)
{
    say(TR_LIST((int)TR__PUBLISH, group, 5, name, TR_NULL));
}

// ---- The child ----

// Each order is the name of what it is to do, with the group.
static int member_receive(tr_actor *self, const tr_msg *msg)
{
    char group[64] = "";
    tr_str text;
    if (tr_as_str(tr_msg_body(msg), &text) == 0)
        snprintf(group, sizeof group, "%.*s", TR_STR_ARG(text));
    if (tr_msg_is(msg, "join"))
        return tr_join(self, group);
    if (tr_msg_is(msg, "leave"))
        return tr_leave(self, group);
    if (tr_msg_is(msg, "publish"))
        return tr_publish(self, group, "p", TR_NULL);
    add(noted, sizeof noted, tr_msg_name(msg));
    assert_int_equal(1, tr_msg_from(msg).node == node->id || tr_msg_from(msg).node == 1);
    return 0;
}
static const tr_behavior member = {.name = "member", .receive = member_receive};

static void order(uint64_t actor, const char *what, const char *group)
{
    say(TR_LIST((int)TR__MESSAGE, actor, 5, what, group));
}

static uint64_t another(void)
{
    tr_addr addr;
    assert_int_equal(0, tr_node_spawn(node, &member, NULL, &addr));
    run();
    return addr.actor;
}

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
    heard[0] = noted[0] = '\0';
    tr_log_set(warn_nobody, NULL);
    counted_memory_start(0);
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(0, tr__sim_world(sim, &outside));
    tr__sim_set_whole(sim, true);
    tr__sim_set_delay(sim, 0);
    assert_int_equal(0, tr__sim_pipe(outside, world, &mine, &its));
    far_side_open(&parent, mine);
    const tr__remote_opts opts = {.name = "child", .program = "child", .app = TR_APP(&member)};
    assert_int_equal(0, tr__remote_open_child(&opts, &world, its, &node));
    say(TR_LIST((int)TR__HELLO, TR_MAP("troupe", TR__PROTOCOL, "node", 1, "you", CHILD, "parent", 5,
                                       "behavior", "member")));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr__node_free(&node);
    far_side_close(&parent);
    outside->ops->close(&outside);
    tr__sim_close(&sim);
    return counted_memory_stop() != 0;
}

// ---- What a peer is told ----

static void a_group_is_told_once_however_many_join(void **state)
{
    (void)state;
    order(TR__ROOT_ID, "join", "g");
    assert_words("join=g", heard);
    uint64_t second = another();
    order(second, "join", "g");
    order(second, "join", "h");
    assert_words("join=h", heard);
    order(TR__ROOT_ID, "leave", "g");
    assert_words("", heard);
    order(second, "leave", "g");
    assert_words("leave=g", heard);
    order(TR__ROOT_ID, "join", "g"); // once more
    assert_words("join=g", heard);
}

static void joining_and_leaving_at_once_is_not_told(void **state)
{
    (void)state;
    tr__frame *frame;
    assert_int_equal(0, tr__frame_new(&frame));
    for (int i = 0; i < 3; i++) {
        tr__envelope_put(frame, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "join", "g"));
        tr__envelope_put(frame, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "leave", "g"));
    }
    far_side_give(&parent, frame);
    run();
    assert_words("", heard);
    assert_int_equal(0, node->groups.dict.count);
}

static void a_peer_is_not_told_of_its_own_members(void **state)
{
    (void)state;
    say(TR_LIST((int)TR__JOIN, "g"));
    assert_words("", heard);
    order(TR__ROOT_ID, "join", "g");
    assert_words("join=g", heard);
    order(TR__ROOT_ID, "leave", "g");
    assert_words("leave=g", heard);
    say(TR_LIST((int)TR__LEAVE, "g"));
    assert_int_equal(0, node->groups.dict.count);
}

// ---- Publishing ----

static void a_publication_is_one_envelope_and_only_where_there_are_members(void **state)
{
    (void)state;
    uint64_t second = another();
    order(TR__ROOT_ID, "join", "g");
    order(second, "join", "g");
    order(second, "publish", "g");
    assert_words("join=g", heard);
    assert_words("p p", noted);
    say(TR_LIST((int)TR__JOIN, "g"));
    order(second, "publish", "g");
    assert_words("publish=g", heard);
    assert_words("p p", noted);
    say(TR_LIST((int)TR__LEAVE, "g"));
    order(second, "publish", "g");
    assert_words("", heard);
}

static void what_comes_goes_to_all_members_and_not_back(void **state)
{
    (void)state;
    uint64_t second = another();
    order(TR__ROOT_ID, "join", "g");
    order(second, "join", "g");
    say(TR_LIST((int)TR__JOIN, "g"));
    heard[0] = '\0';
    publish("g", "one");
    assert_words("one one", noted);
    assert_words("credit=1/4", heard);
    publish("nobody's", "two");
    assert_words("", noted);
    assert_words("credit=1/4", heard);
}

static void order_from_one_publisher_is_kept(void **state)
{
    (void)state;
    order(TR__ROOT_ID, "join", "g");
    tr__frame *frame;
    assert_int_equal(0, tr__frame_new(&frame));
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        tr_val envelope = i % 2 == 0 ? TR_LIST((int)TR__PUBLISH, "g", 5, name, TR_NULL)
                                     : TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, name, TR_NULL);
        assert_int_equal(0, tr__envelope_put(frame, envelope));
    }
    far_side_give(&parent, frame);
    run();
    assert_words("0 1 2 3", noted);
}

// Goal:   a peer that reads but credits nothing costs its window, and publishing goes on.
static void a_publication_that_has_no_room_is_a_dead_letter(void **state)
{
    (void)state;
    order(TR__ROOT_ID, "join", "h");
    say(TR_LIST((int)TR__JOIN, "g"));
    for (unsigned i = 0; i < TR__WINDOW_MESSAGES; i += 64) {
        for (int k = 0; k < 64; k++) {
            far_side_say(&parent, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 5, "publish", "g"));
        }
        run();
        heard[0] = '\0';
    }
    assert_int_equal(0, tr_node_dead_letters(node));
    order(TR__ROOT_ID, "publish", "g");
    assert_int_equal(1, tr_node_dead_letters(node));
    say(TR_LIST((int)TR__CREDIT, 0, 1, 1));
    order(TR__ROOT_ID, "publish", "g");
    assert_words("publish=g", heard);
    assert_int_equal(1, tr_node_dead_letters(node));
}

// ---- Peers that break the rules ----

static void it_is_closed_after(tr_val envelope)
{
    say(envelope);
    assert_null(parent.link);
}

static void joining_twice_closes_the_link(void **state)
{
    (void)state;
    say(TR_LIST((int)TR__JOIN, "g"));
    assert_non_null(parent.link);
    it_is_closed_after(TR_LIST((int)TR__JOIN, "g"));
}

static void leaving_what_was_not_joined_closes_the_link(void **state)
{
    (void)state;
    order(TR__ROOT_ID, "join", "g");
    it_is_closed_after(TR_LIST((int)TR__LEAVE, "g"));
}

static void a_group_without_a_name_closes_the_link(void **state)
{
    (void)state;
    it_is_closed_after(TR_LIST((int)TR__JOIN, ""));
}

static void what_was_told_goes_with_the_link(void **state)
{
    (void)state;
    order(TR__ROOT_ID, "join", "g");
    say(TR_LIST((int)TR__JOIN, "g"));
    say(TR_LIST((int)TR__JOIN, "h"));
    assert_int_equal(2, node->groups.dict.count);
    it_is_closed_after(TR_LIST((int)TR__JOIN, "h"));
    run(); // the child ends, too
    assert_int_equal(0, node->groups.dict.count);
}

#define GROUPS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GROUPS_TEST(a_group_is_told_once_however_many_join),
        GROUPS_TEST(joining_and_leaving_at_once_is_not_told),
        GROUPS_TEST(a_peer_is_not_told_of_its_own_members),
        GROUPS_TEST(a_publication_is_one_envelope_and_only_where_there_are_members),
        GROUPS_TEST(what_comes_goes_to_all_members_and_not_back),
        GROUPS_TEST(order_from_one_publisher_is_kept),
        GROUPS_TEST(a_publication_that_has_no_room_is_a_dead_letter),
        GROUPS_TEST(joining_twice_closes_the_link),
        GROUPS_TEST(leaving_what_was_not_joined_closes_the_link),
        GROUPS_TEST(a_group_without_a_name_closes_the_link),
        GROUPS_TEST(what_was_told_goes_with_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
