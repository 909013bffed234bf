// Asks on one loop, where only a test that sees inside can go: what becomes of their numbers. All
// else is in tests/conform/isolation_asks.c, over every isolation.
#include "unit/core/stage.h"

static tr_asker taken;

static int take(tr_actor *self, const tr_msg *msg)
{
    return tr_reply_later(self, msg, &taken);
}

static void nothing(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
}

// One iteration that does not wait for the next deadline.
static void step(tr_actor *actor)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_immediate(actor, nothing, NULL));
    stage_step();
}

static void note_answer(tr_actor *self, const tr_answer *answer, void *word)
{
    (void)self;
    note(answer->status == 0 ? word : tr_errname(answer->status));
}

static void ask(tr_actor *a, tr_actor *b, uint32_t timeout_ms, const char *word)
{
    IN_TURN(a)
    assert_int_equal(0, tr_ask(a, tr_self(b), "q", TR_NULL, TR_ASK(.timeout_ms = timeout_ms), NULL,
                               note_answer, (void *)word));
    step(a);
}

static void answer_late(tr_actor *b, tr_asker asker)
{
    uint64_t before = tr_node_late_answers(stage.node);
    IN_TURN(b)
    assert_int_equal(0, tr_reply_to(b, asker, TR_V(1)));
    step(b);
    assert_int_equal(before + 1, tr_node_late_answers(stage.node));
}

static void a_late_answer_is_never_taken_for_the_next_ask_s(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = take;
    ask(a, b, 10, "first");
    tr_asker late = taken;
    tr__sim_run_for(stage.sim, TR_MS(11));
    step(a);
    ask(a, b, 1000, "second"); // in the place of the first one
    answer_late(b, late);
    IN_TURN(b)
    assert_int_equal(0, tr_reply_to(b, taken, TR_V(2)));
    step(b);
    assert_heard("b:q TR_ETIMEDOUT b:q second");
}

// The numbers of one place come to their end: they do not begin again.
static void the_numbers_of_asks_do_not_wrap(void **state)
{
    (void)state;
    tr_actor *a = stage_actor("a"), *b = stage_actor("b");
    player_of(b)->receive = take;
    ask(a, b, 10, "first");
    tr__sim_run_for(stage.sim, TR_MS(11));
    step(a);
    tr__slot *place = &stage.loop->asks.chunks[0][0];
    assert_null(place->item);
    place->generation = TR__SLOT_GENERATION_MAX;
    ask(a, b, 10, "last"); // the last one of the place
    assert_non_null(place->item);
    tr_asker late = taken;
    tr__sim_run_for(stage.sim, TR_MS(11));
    step(a);
    ask(a, b, 1000, "next");
    assert_null(place->item);
    answer_late(b, late);
    IN_TURN(b)
    assert_int_equal(0, tr_reply_to(b, taken, TR_NULL));
    step(b);
    assert_heard("b:q TR_ETIMEDOUT b:q TR_ETIMEDOUT b:q next");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_late_answer_is_never_taken_for_the_next_ask_s),
        STAGE_TEST(the_numbers_of_asks_do_not_wrap),
    };
    return cmocka_run_group_tests_name("core/ask_numbers", tests, NULL, NULL);
}
