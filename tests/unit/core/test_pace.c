// How long an actor may go on, and who comes next. Handlers spend virtual time.
#include "stage.h"

// Who has handled a message, in that order: the first letters of their names.
static char order[8192];
static uint64_t cost_ns[256]; // of a message, by that letter

static void spend(uint64_t ns)
{
    tr__sim_run_for(stage.sim, ns);
}

static int receive_slowly(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    char *end = strchr(order, '\0');
    *end = player_of(self)->name[0];
    stage.heard[0] = '\0';
    spend(cost_ns[(unsigned char)*end]);
    return 0;
}

static int setup(void **state)
{
    memset(order, 0, sizeof order);
    memset(cost_ns, 0, sizeof cost_ns);
    return stage_setup(state);
}

// Actors with so many messages each: "a16 b16".
static void actors_with_mail(const char *mail)
{
    tr_actor *actors[4];
    int counts[4], used, n = 0;
    for (char name[2] = ""; *mail != '\0'; mail += used, n++) {
        assert_int_equal(2, sscanf(mail, " %1[a-z]%d %n", name, &counts[n], &used));
        actors[n] = stage_actor(name);
        player_of(actors[n])->receive = receive_slowly;
    }
    for (int i = 0; i < n; i++) {
        IN_TURN(actors[i])
        for (int sent = 0; sent < counts[i]; sent++)
            assert_int_equal(0, tr_send(actors[i], tr_self(actors[i]), "m", TR_NULL));
    }
}

// That these have handled so many each, one after the other, and nobody anything since.
static void assert_order(const char *runs)
{
    const char *at = order;
    for (int used; *runs != '\0'; runs += used) {
        char who;
        int count;
        assert_int_equal(2, sscanf(runs, " %c%d %n", &who, &count, &used));
        for (int i = 0; i < count; i++)
            assert_int_equal(who, *at++);
    }
    assert_int_equal('\0', *at);
}

// ---- The budget in messages ----

static void actors_take_turns_of_16_messages(void **state)
{
    (void)state;
    actors_with_mail("a40 b20");
    stage_run();
    assert_order("a16 b16 a16 b4 a8");
}

static void the_number_of_messages_is_the_nodes_choice(void **state)
{
    (void)state;
    tr__node_budget(stage.node, TR_NODE(.turn_messages = 3));
    actors_with_mail("a7 b4");
    stage_run();
    assert_order("a3 b3 a3 b1 a1");
}

// ---- The budget in time ----

static void a_slow_actor_is_cut_off_when_its_time_is_up(void **state)
{
    (void)state;
    cost_ns['a'] = TR_US(100);
    actors_with_mail("a6 b40");
    stage_run();
    assert_order("a2 b16 a2 b16 a2 b8");
}

static void the_time_is_the_nodes_choice(void **state)
{
    (void)state;
    tr__node_budget(stage.node, TR_NODE(.turn_us = 300));
    cost_ns['a'] = TR_US(100);
    actors_with_mail("a6 b20");
    stage_run();
    assert_order("a3 b16 a3 b4");
}

// Fast ones let the loop look seldom, so at first it finds out late. From then on it knows.
static void a_slow_actor_does_not_hide_among_fast_ones(void **state)
{
    (void)state;
    cost_ns['s'] = TR_US(150);
    actors_with_mail("a400 s40 b400");
    stage_run();
    char *late = strstr(order, "sss");
    assert_non_null(late);
    char *since = late + strspn(late, "s");
    assert_in_range(since - late, 3, 16);
    assert_null(strstr(since, "sss"));
    assert_non_null(strstr(since, "ss"));
}

// ---- What else the loop has to do ----

static void on_reached(tr_actor *self, void *arg)
{
    (void)self;
    *(size_t *)arg = strlen(order);
}

static void a_timer_waits_for_a_millisecond_of_messages_at_most(void **state)
{
    (void)state;
    size_t before = 0;
    cost_ns['a'] = TR_US(150);
    tr_actor *timing = stage_actor("t");
    actors_with_mail("a100");
    IN_TURN(timing)
    assert_int_equal(0, tr_timer_start(timing, TR_US(50), on_reached, &before, NULL));
    stage_run();
    assert_order("a100");
    assert_in_range(before, 7, 8); // the turn in which it has passed is not cut short
}

static void io_waits_for_4096_messages_at_most(void **state)
{
    (void)state;
    size_t before = 0;
    tr_actor *after_io = stage_actor("t");
    actors_with_mail("a4096 b2000");
    IN_TURN(after_io)
    assert_int_equal(0, tr_immediate(after_io, on_reached, &before));
    stage_run();
    assert_int_equal(6096, strlen(order));
    assert_int_equal(4096, before);
}

#define PACE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACE_TEST(actors_take_turns_of_16_messages),
        PACE_TEST(the_number_of_messages_is_the_nodes_choice),
        PACE_TEST(a_slow_actor_is_cut_off_when_its_time_is_up),
        PACE_TEST(the_time_is_the_nodes_choice),
        PACE_TEST(a_slow_actor_does_not_hide_among_fast_ones),
        PACE_TEST(a_timer_waits_for_a_millisecond_of_messages_at_most),
        PACE_TEST(io_waits_for_4096_messages_at_most),
    };
    return cmocka_run_group_tests_name("core/pace", tests, NULL, NULL);
}
