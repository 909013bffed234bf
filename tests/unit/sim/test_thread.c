// Threads: who steps them, and what becomes of them when their process ends.
#include "puppet.h"
#include "support/counted_memory.h"
#include <stdlib.h>

#define MS 1000000u

// ---- What the threads of a puppet do; each belongs to the puppet ----

static uint64_t thread_due(void *owner)
{
    return ((struct puppet *)owner)->thread_due;
}

static void thread_poll(struct puppet *p)
{
    p->thread->ops->poll(p->thread, p->thread_due);
}

static int thread_begin(struct puppet *p, const tr_thread_up *up, uint64_t due)
{
    p->thread_due = due;
    int rc = p->world->ops->another(p->world, &p->thread);
    return rc < 0 ? rc : p->thread->ops->thread_start(p->thread, up, p);
}

static bool count_run(void *owner)
{
    struct puppet *p = owner;
    thread_poll(p);
    p->stage->result++;
    return true;
}

static int count_open(struct puppet *p)
{
    static const tr_thread_up up = {.run = count_run, .due = thread_due};
    p->stage->pid = tr__sim_pid(p->world);
    int rc = thread_begin(p, &up, TR__NEVER);
    assert_int_equal(p->stage->pid, tr__sim_pid(p->thread));
    p->stage->thread = p->thread;
    return rc;
}

static int spin_open(struct puppet *p)
{
    static const tr_thread_up up = {.run = count_run, .due = thread_due};
    return thread_begin(p, &up, 0);
}

// Its first run comes at once, the second when it is due.
static bool nap_run(void *owner)
{
    struct puppet *p = owner;
    thread_poll(p);
    p->thread_due = tr__sim_now(p->stage->sim) + 5 * MS;
    return ++p->stage->result < 2;
}

static int nap_open(struct puppet *p)
{
    static const tr_thread_up up = {.run = nap_run, .due = thread_due};
    return thread_begin(p, &up, TR__NEVER);
}

// What it does after its end no longer leaves it.
static bool suicide_run(void *owner)
{
    struct puppet *p = owner;
    tr_world *more = NULL;
    tr_endpoint *a = NULL, *b = NULL;
    thread_poll(p);
    p->stage->result++;
    assert_int_equal(0, tr__sim_pipe(p->thread, p->thread, &a, &b));
    assert_int_equal(1, endpoint_write(a, "x", 1));
    assert_int_equal(0, tr__sim_kill(p->stage->sim, tr__sim_pid(p->world), 11));
    assert_int_equal(TR_EPIPE, endpoint_write(a, "y", 1));
    assert_int_equal(TR_EDOWN, p->world->ops->another(p->world, &more));
    return true;
}

static int suicide_open(struct puppet *p)
{
    static const tr_thread_up up = {.run = suicide_run, .due = thread_due};
    return thread_begin(p, &up, TR__NEVER);
}

static void leave_step(struct puppet *p)
{
    p->left = p->stage->result >= 3;
    p->due = 0;
}

// Which of the two loops of this process is first.
static bool first_run(void *owner)
{
    struct puppet *p = owner;
    thread_poll(p);
    if (p->stage->result == 0)
        p->stage->result = 't';
    return false;
}

static int first_open(struct puppet *p)
{
    static const tr_thread_up up = {.run = first_run, .due = thread_due};
    return thread_begin(p, &up, TR__NEVER);
}

static void first_step(struct puppet *p)
{
    if (p->stage->result == 0)
        p->stage->result = 'm';
}

// The main loop joins its thread in a step, and the thread kills them both.
static void join_step(struct puppet *p)
{
    p->thread->ops->thread_join(p->thread);
    p->stage->flag = true;
}

static const struct role roles[] = {
    {.name = "count", .open = count_open},
    {.name = "closes", .open = count_open, .closes_world = true},
    {.name = "nap", .open = nap_open},
    {.name = "suicide", .open = suicide_open},
    {.name = "join", .open = suicide_open, .step = join_step},
    {.name = "join-nap", .open = nap_open, .step = join_step},
    {.name = "leave", .open = spin_open, .step = leave_step},
    {.name = "first", .open = first_open, .step = first_step},
    {0},
};

// ---- Tests ----

static void settle(struct stage *stage)
{
    while (tr__sim_step(stage->sim))
        continue;
}

// Goal:   a thread runs on until its poll has nothing to tell, as if that had not come back.
static void test_a_woken_thread_runs_on_until_it_sleeps(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "count");
    settle(&stage);
    assert_int_equal(1, stage.result);
    stage.thread->ops->wake(stage.thread);
    stage.thread->ops->wake(stage.thread);
    settle(&stage);
    assert_int_equal(3, stage.result);
    stage_close(&stage);
}

static void test_a_thread_runs_when_it_is_due(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "nap");
    uint64_t start = tr__sim_now(stage.sim);
    settle(&stage);
    assert_int_equal(2, stage.result);
    assert_in_range(tr__sim_now(stage.sim), start + 5 * MS, start + 6 * MS);
    stage_close(&stage);
}

// Goal:   a killed process takes its threads along, with what they have open.
// Method: one that would run on, and a pipe to its world; what stays shows as a leak.
static void test_threads_are_killed_with_their_process(void **state)
{
    (void)state;
    static const char *const names[] = {"count", "closes"};
    for (int i = 0; i < 2; i++) {
        struct stage stage;
        struct ear ear = {0};
        tr_world *world = NULL;
        tr_endpoint *theirs = NULL;
        char byte;
        stage_open(&stage, 1, roles);
        stage_start(&stage, names[i]);
        assert_int_equal(0, tr__sim_world(stage.sim, &world));
        assert_int_equal(0, tr__sim_pipe(world, stage.thread, &ear.endpoint, &theirs));
        endpoint_listen_to(ear.endpoint, &ear_up, &ear);
        settle(&stage);
        stage.thread->ops->wake(stage.thread); // it is due
        assert_int_equal(0, tr__sim_kill(stage.sim, stage.pid, 9));
        assert_int_equal(1, stage.closed);
        while (ear.readable == 0)
            world->ops->poll(world, TR__NEVER);
        assert_int_equal(0, endpoint_read(ear.endpoint, &byte, 1));
        assert_int_equal(1, stage.result);
        stage_close(&stage);
    }
}

static void test_a_thread_may_kill_its_process(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    int64_t pid = stage_start(&stage, "suicide");
    settle(&stage);
    assert_false(tr__sim_alive(stage.sim, pid));
    assert_int_equal(1, stage.result);
    assert_int_equal(1, stage.closed);
    stage_close(&stage);
}

static void test_a_thread_may_kill_who_joins_it(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) { // the thread or the main loop is first
        struct stage stage;
        stage_open(&stage, seed, roles);
        stage_start(&stage, "join");
        settle(&stage);
        assert_int_equal(1, stage.result);
        assert_int_equal(1, stage.closed);
        stage_close(&stage);
    }
}

static void test_join_lets_time_pass(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "join-nap");
    uint64_t start = tr__sim_now(stage.sim);
    while (!stage.flag)
        assert_true(tr__sim_step(stage.sim));
    assert_int_equal(2, stage.result);
    assert_in_range(tr__sim_now(stage.sim), start + 5 * MS, start + 6 * MS);
    stage_close(&stage);
}

static void test_a_process_leaves_with_its_threads_running(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    int64_t pid = stage_start(&stage, "leave");
    settle(&stage);
    assert_false(tr__sim_alive(stage.sim, pid));
    assert_true(stage.result >= 3);
    stage_close(&stage);
}

// Goal:   which loop of a process runs first is the seed's choice.
static void test_no_loop_of_a_process_is_preferred(void **state)
{
    (void)state;
    int threads = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct stage stage;
        stage_open(&stage, seed, roles);
        stage_start(&stage, "first");
        settle(&stage);
        threads += stage.result == 't';
        stage_close(&stage);
    }
    assert_in_range(threads, 30, 70);
}

// Two processes with a thread each. Returns the run's hash.
static uint64_t threads_run(uint64_t seed)
{
    struct stage stage;
    stage_open(&stage, seed, roles);
    void *shift = malloc(1 + 40 * seed % 1000); // so that addresses differ between two runs
    stage_start(&stage, "leave");
    stage_start(&stage, "leave");
    settle(&stage);
    uint64_t hash = tr__sim_hash(stage.sim);
    free(shift);
    stage_close(&stage);
    return hash;
}

static void test_the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        uint64_t hash = threads_run(seed);
        void *kept = malloc(48 + seed);
        assert_true(hash == threads_run(seed));
        assert_true(hash != threads_run(seed + 1));
        free(kept);
    }
}

// Goal:   a test's worlds may be closed in any order; the last one ends it.
static void test_the_worlds_of_a_test_close_in_any_order(void **state)
{
    (void)state;
    for (int first = 0; first < 3; first++) {
        tr_sim *sim = NULL;
        tr_world *worlds[3] = {NULL};
        assert_int_equal(0, tr__sim_open(1, &sim));
        assert_int_equal(0, tr__sim_world(sim, &worlds[0]));
        for (int i = 1; i < 3; i++)
            assert_int_equal(0, worlds[0]->ops->another(worlds[0], &worlds[i]));
        for (int i = 0; i < 3; i++) {
            tr_world **world = &worlds[(first + i) % 3];
            (*world)->ops->poll(*world, 0);
            (*world)->ops->close(world);
            assert_null(*world);
        }
        tr__sim_close(&sim);
    }
}

static void test_a_world_without_memory_is_an_error(void **state)
{
    (void)state;
    tr_sim *sim = NULL;
    tr_world *world = NULL, *other = NULL;
    counted_memory_start(3); // the simulator, the world, the other one
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(TR_ENOMEM, world->ops->another(world, &other));
    assert_null(other);
    world->ops->close(&world);
    tr__sim_close(&sim);
    assert_int_equal(0, counted_memory_stop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_woken_thread_runs_on_until_it_sleeps),
        cmocka_unit_test(test_a_thread_runs_when_it_is_due),
        cmocka_unit_test(test_threads_are_killed_with_their_process),
        cmocka_unit_test(test_a_thread_may_kill_its_process),
        cmocka_unit_test(test_a_thread_may_kill_who_joins_it),
        cmocka_unit_test(test_join_lets_time_pass),
        cmocka_unit_test(test_a_process_leaves_with_its_threads_running),
        cmocka_unit_test(test_no_loop_of_a_process_is_preferred),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run),
        cmocka_unit_test(test_the_worlds_of_a_test_close_in_any_order),
        cmocka_unit_test(test_a_world_without_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
