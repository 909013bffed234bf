// Posts: between loops that do nothing else, and in a turn of an actor that goes on for long.
#include <semaphore.h>
#include <troupe/test.h>

#include "core/node.h"
#include "support/cmocka.h"

// ---- Loops that take at once what is published ----

// Whoever finds an inbox empty wakes its loop: here that takes all that is in it, in the call. So
// what arrives is what has been published, in that order.
enum { FROM, NEAR, FAR, LOOPS };

#define POSTS 10000u

static struct {
    tr_node node;
    tr__loop_chunk chunk;
    tr_loop loops[LOOPS];
    tr_world worlds[LOOPS];
    struct numbered {
        tr__post post;
        uint32_t number;
    } posts[POSTS];
    uint32_t posted, arrived;
} crew;

static void eager_wake(tr_world *world)
{
    tr__loop_here = &crew.loops[world - crew.worlds];
    tr__inbox_run(tr__loop_here);
    tr__loop_here = &crew.loops[FROM];
}

static int crew_setup(void **state)
{
    static const tr_world_ops eager = {.wake = eager_wake};
    (void)state;
    memset(&crew, 0, sizeof crew);
    atomic_store(&crew.node.loops[0], &crew.chunk);
    for (uint32_t i = 0; i < LOOPS; i++) {
        crew.worlds[i].ops = &eager;
        crew.loops[i].node = &crew.node;
        crew.loops[i].index = i;
        crew.loops[i].world = &crew.worlds[i];
        atomic_store(&crew.chunk.loops[i], &crew.loops[i]);
    }
    tr__loop_here = &crew.loops[FROM];
    return 0;
}

static int crew_teardown(void **state)
{
    (void)state;
    tr__free(crew.loops[FROM].outboxes);
    tr__loop_here = NULL;
    return 0;
}
#define CREW_TEST(name) cmocka_unit_test_setup_teardown(name, crew_setup, crew_teardown)

static void in_order(tr_loop *loop, tr__post *post)
{
    (void)loop;
    assert_int_equal(crew.arrived++, tr__container(post, struct numbered, post)->number);
}

static void in_any_order(tr_loop *loop, tr__post *post)
{
    (void)loop, (void)post;
    crew.arrived++;
}

// The next post, by one of the two ways.
static void post_next(void (*way)(tr_loop *, tr_loop *, tr__post *), unsigned to,
                      void (*arrive)(tr_loop *, tr__post *))
{
    struct numbered *next = &crew.posts[crew.posted];
    *next = (struct numbered){.post.arrive = arrive, .number = crew.posted++};
    way(&crew.loops[FROM], &crew.loops[to], &next->post);
}

static void a_long_turn_publishes_before_it_ends(void **state)
{
    (void)state;
    while (crew.posted < POSTS)
        post_next(tr__post_to, NEAR, in_order);
    assert_in_range(crew.arrived, POSTS / 2, POSTS);
    tr__outboxes_publish(&crew.loops[FROM]);
    assert_int_equal(POSTS, crew.arrived);
}

static uint32_t arrived_at_birth;

static void birth(tr_loop *loop, tr__post *post)
{
    arrived_at_birth = crew.arrived;
    in_any_order(loop, post);
}

// However full the outbox of those who may hear of it is, and whichever of the posts publishes.
static void a_birth_arrives_before_what_is_posted_after_it(void **state)
{
    for (uint32_t before = 0; before < 200; before++) {
        for (uint32_t i = 0; i < before; i++)
            post_next(tr__post_to, NEAR, in_any_order);
        post_next(tr__post_first, FAR, birth);
        for (uint32_t i = 0; i < 200; i++)
            post_next(tr__post_to, NEAR, in_any_order);
        assert_int_equal(before, arrived_at_birth);
        tr__outboxes_publish(&crew.loops[FROM]);
        assert_int_equal(crew.posted, crew.arrived);
        crew_teardown(state);
        crew_setup(state);
    }
}

static void births_on_several_loops_arrive_in_their_order(void **state)
{
    (void)state;
    while (crew.posted < 200)
        post_next(tr__post_first, crew.posted % 2 == 0 ? NEAR : FAR, in_order);
    tr__outboxes_publish(&crew.loops[FROM]);
    assert_int_equal(200, crew.arrived);
}

// ---- A turn that goes on until what it has sent has been handled ----

static sem_t greeted;

static int newcomer_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    sem_post(&greeted);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior newcomer = {.name = "newcomer", .receive = newcomer_receive};

static int reader_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t *next = tr_state(self), number;
    tr_addr addr = TR_NOBODY;
    if (tr_as_addr(tr_msg_body(msg), &addr) == 0)
        return tr_send(self, addr, "greeting", TR_NULL);
    TR_CHECK(tr_as_uint(tr_msg_body(msg), &number) == 0 && number == *next);
    return ++*next == POSTS ? tr_exit(self, TR_NORMAL) : 0;
}
static const tr_behavior reader = {
    .name = "reader", .state_size = sizeof(uint64_t), .receive = reader_receive};

static int writer_tell_of_newcomer(tr_actor *self, tr_addr to)
{
    tr_addr addr;
    int rc = tr_spawn(self, &newcomer, TR_SPAWN(.isolation = TR_THREAD), &addr);
    return rc < 0 ? rc : tr_send(self, to, "newcomer", TR_V(addr));
}

static int writer_start(tr_actor *self, const tr_val *args)
{
    tr_addr to;
    (void)args;
    int rc = tr_spawn(self, &reader, TR_SPAWN(.isolation = TR_THREAD, .mail_max = POSTS + 1), &to);
    if (rc == 0)
        rc = tr_monitor(self, to, NULL);
    for (uint64_t i = 0; rc == 0 && i < POSTS; i++) {
        if (i == POSTS / 2)
            rc = writer_tell_of_newcomer(self, to);
        if (rc == 0)
            rc = tr_send(self, to, "number", TR_V(i));
    }
    while (rc == 0 && sem_wait(&greeted) < 0)
        continue;
    return rc;
}

static int writer_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_exit(self, TR_CHECK(tr_msg_down(msg)->reason.kind == TR_REASON_NORMAL) ? TR_NORMAL
                                                                                     : TR_EIO);
}
static const tr_behavior writer = {
    .name = "writer", .start = writer_start, .receive = writer_receive};

// Goal:   what a turn sends is handled before it has ended, and who it spawns can be reached.
// Method: a turn sends 10,000 messages, in their midst the address of one that it has just spawned,
//         to which the receiver speaks. The turn ends when that one has heard it, or never.
static void what_a_long_turn_sends_is_handled_meanwhile(void **state)
{
    tr_node *node = NULL;
    (void)state;
    sem_init(&greeted, 0, 0);
    assert_int_equal(0, tr_node_open(TR_NODE(.loops = 2), &node));
    assert_int_equal(0, tr_node_spawn(node, &writer, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    assert_int_equal(0, tr_node_dead_letters(node));
    tr_node_close(&node);
    sem_destroy(&greeted);
}

static uint32_t gap_arrived[3], gap_count;

static void gap_arrive(tr_loop *loop, tr__post *post)
{
    (void)loop;
    gap_arrived[gap_count++] = tr__container(post, struct numbered, post)->number;
}

// Goal:   what is posted while a chain has a gap arrives without another wake: the one for it may
//         have been taken by the poll that went by at the gap.
// Method: a chain of two whose link is missing, and a post behind it; then the link comes.
static void what_comes_at_a_gap_is_not_forgotten(void **state)
{
    (void)state;
    tr_loop *loop = &crew.loops[NEAR];
    tr__post *posts[3];
    gap_count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        crew.posts[i] = (struct numbered){.post.arrive = gap_arrive, .number = i};
        posts[i] = &crew.posts[i].post;
    }
    atomic_store(&loop->posted_first, posts[0]);
    atomic_store(&loop->posted_last, posts[1]);
    tr__inbox_run(loop);
    assert_int_equal(0, gap_count);
    atomic_store(&loop->posted_first, posts[2]);
    atomic_store(&loop->posted_last, posts[2]);
    atomic_store(&posts[0]->next, posts[1]);
    tr__inbox_run(loop);
    assert_int_equal(3, gap_count);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(i, gap_arrived[i]);
}

static const struct CMUnitTest tests[] = {
    CREW_TEST(what_comes_at_a_gap_is_not_forgotten),
    CREW_TEST(a_long_turn_publishes_before_it_ends),
    CREW_TEST(a_birth_arrives_before_what_is_posted_after_it),
    CREW_TEST(births_on_several_loops_arrive_in_their_order),
    TR_PROCESS_TEST(what_a_long_turn_sends_is_handled_meanwhile),
};
TR_TEST_MAIN("core/lane", TR_APP(&writer), tests)
