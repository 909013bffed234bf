// The machine: whose turn it is, what time it is, and that a seed is a run.
#include "puppet.h"
#include <stdlib.h>

#define SECOND 1000000000u

static void count_step(struct puppet *p)
{
    p->stage->result++;
}

static void spin_step(struct puppet *p)
{
    p->stage->result++;
    p->due = 0;
}

// Wakes itself twice.
static void wake_step(struct puppet *p)
{
    if (++p->stage->result <= 2)
        p->world->ops->wake(p->world);
}

static void nap_step(struct puppet *p)
{
    if (p->sent++ == 0)
        p->due = p->world->ops->now(p->world) + 5 * (uint64_t)SECOND;
    else
        p->stage->flag = true;
}

static void first_step(struct puppet *p)
{
    if (p->stage->pid == 0)
        p->stage->pid = tr__sim_pid(p->world);
}

// ---- A client that sends to an echo, and checks what comes back ----

#define ECHO_BYTES 2000

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 + at / 251);
}

static void echo_readable(struct puppet *p)
{
    unsigned char bytes[64];
    ssize_t n = endpoint_read(p->link, bytes, sizeof bytes);
    assert_true(n >= 0);
    if (n == 0)
        p->left = true;
    for (ssize_t at = 0; at < n;)
        at += endpoint_write(p->link, bytes + at, (size_t)(n - at));
}

static bool client_readable(void *owner)
{
    struct puppet *p = owner;
    unsigned char bytes[100];
    ssize_t n = endpoint_read(p->child_link, bytes, sizeof bytes);
    assert_true(n >= 0);
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal(pattern(p->got++), bytes[i]);
    if (n == 0)
        p->world->ops->endpoint_close(p->child_link);
    return true;
}

static void client_writable(void *owner)
{
    struct puppet *p = owner;
    unsigned char bytes[32];
    size_t size = ECHO_BYTES - p->sent < sizeof bytes ? ECHO_BYTES - p->sent : sizeof bytes;
    for (size_t i = 0; i < size; i++)
        bytes[i] = pattern(p->sent + i);
    ssize_t n = endpoint_write(p->child_link, bytes, size);
    assert_true(n > 0);
    p->sent += (size_t)n;
    if (p->sent < ECHO_BYTES)
        return;
    p->world->ops->endpoint_shutdown(p->child_link);
    p->world->ops->endpoint_want(p->child_link, TR__READ);
}

static void client_closed(void *owner)
{
    ((struct puppet *)owner)->child_link = NULL;
}

static int client_open(struct puppet *p)
{
    static const tr_endpoint_up up = {client_readable, client_writable, client_closed};
    int rc = puppet_spawn(p, "echo");
    if (rc == 0) {
        p->world->ops->endpoint_bind(p->child_link, &up, p);
        p->world->ops->endpoint_want(p->child_link, TR__READ | TR__WRITE);
    }
    return rc;
}

static void client_step(struct puppet *p)
{
    if (!p->child_exited || p->child_link != NULL)
        return;
    assert_int_equal(ECHO_BYTES, p->got);
    assert_int_equal(0, p->child_status.signal);
    p->stage->result++;
    p->left = true;
}

static const struct role roles[] = {
    {.name = "count", .step = count_step},
    {.name = "spin", .step = spin_step},
    {.name = "wake", .step = wake_step},
    {.name = "nap", .step = nap_step},
    {.name = "first", .step = first_step},
    {.name = "echo", .readable = echo_readable},
    {.name = "client", .open = client_open, .step = client_step},
    {0},
};

// ---- Tests ----

static void test_a_machine_where_nothing_can_happen_is_quiet(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    assert_int_equal(SECOND, tr__sim_now(stage.sim));
    assert_false(tr__sim_step(stage.sim));
    stage_start(&stage, "count");
    stage_start(&stage, "echo");
    assert_true(tr__sim_step(stage.sim));
    assert_true(tr__sim_step(stage.sim));
    assert_false(tr__sim_step(stage.sim)); // each waits for ever
    assert_int_equal(1, stage.result);
    stage_close(&stage);
}

static void test_the_clock_jumps_to_the_next_due_time(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "nap");
    unsigned steps = 0;
    while (tr__sim_step(stage.sim))
        steps++;
    assert_true(stage.flag);
    assert_int_equal(3, steps); // one of the process, one of the clock, one of the process
    assert_in_range(tr__sim_now(stage.sim), 6u * (uint64_t)SECOND, 6u * (uint64_t)SECOND + 10000);
    stage_close(&stage);
}

static void test_a_process_that_spins_does_not_stop_the_clock(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "spin");
    tr__sim_run_for(stage.sim, 1000000);
    assert_in_range(stage.result, 10, 10000);
    assert_int_equal(SECOND + 1000000, tr__sim_now(stage.sim));
    stage_close(&stage);
}

static void test_a_process_that_was_woken_runs_again(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "wake");
    tr__sim_run_for(stage.sim, SECOND);
    assert_int_equal(4, stage.result); // one, two woken ones, and one whose poll finds nothing
    assert_int_equal(2u * SECOND, tr__sim_now(stage.sim)); // time passes in a quiet machine, too
    stage_close(&stage);
}

static bool stage_flag(void *arg)
{
    return ((struct stage *)arg)->flag;
}

static void test_run_until_stops_at_the_condition_or_the_limit(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    assert_false(tr__sim_run_until(stage.sim, stage_flag, &stage, TR__NEVER)); // quiet
    stage_start(&stage, "nap");
    assert_false(tr__sim_run_until(stage.sim, stage_flag, &stage, SECOND));
    assert_int_equal(2u * SECOND, tr__sim_now(stage.sim));
    assert_true(tr__sim_run_until(stage.sim, stage_flag, &stage, 10 * (uint64_t)SECOND));
    assert_true(tr__sim_now(stage.sim) < 7 * (uint64_t)SECOND);
    stage_close(&stage);
}

// Goal:   who runs first is the seed's choice, with no favourite.
// Method: three processes; 150 seeds; each is first about as often.
static void test_everybody_who_can_run_may_be_next(void **state)
{
    (void)state;
    unsigned first[4] = {0};
    for (uint64_t seed = 0; seed < 150; seed++) {
        struct stage stage;
        stage_open(&stage, seed, roles);
        for (int i = 0; i < 3; i++)
            stage_start(&stage, "first");
        assert_true(tr__sim_step(stage.sim));
        assert_in_range(stage.pid, 1, 3);
        first[stage.pid]++;
        stage_close(&stage);
    }
    for (int i = 1; i <= 3; i++)
        assert_in_range(first[i], 30, 70);
}

static void test_a_plain_poll_waits_no_longer_than_it_was_told(void **state)
{
    (void)state;
    struct stage stage;
    tr_world *world = NULL;
    stage_open(&stage, 1, roles);
    assert_int_equal(0, tr__sim_world(stage.sim, &world));
    world->ops->poll(world, 3u * (uint64_t)SECOND);
    assert_int_equal(3u * (uint64_t)SECOND, world->ops->now(world));
    world->ops->wake(world);
    world->ops->poll(world, 4u * (uint64_t)SECOND);
    assert_true(world->ops->now(world) < 3u * (uint64_t)SECOND + 10000);
    stage_start(&stage, "count");
    for (int i = 0; i < 2 && stage.result == 0; i++)
        world->ops->poll(world, 0); // lets the others run, nevertheless
    assert_int_equal(1, stage.result);
    world->ops->close(&world);
    stage_close(&stage);
}

// Two clients with an echo each. Returns the run's hash.
static uint64_t echo_run(uint64_t seed)
{
    struct stage stage;
    stage_open(&stage, seed, roles);
    void *shift = malloc(1 + 40 * seed % 1000); // so that addresses differ between two runs
    tr__sim_set_delay(stage.sim, seed % 4 == 0 ? 0 : 1000 << seed % 16);
    tr__sim_set_whole(stage.sim, seed % 5 == 0);
    stage_start(&stage, "client");
    stage_start(&stage, "client");
    while (tr__sim_step(stage.sim))
        ;
    assert_int_equal(2, stage.result);
    assert_int_equal(4, stage.closed);
    uint64_t hash = tr__sim_hash(stage.sim);
    free(shift);
    stage_close(&stage);
    return hash;
}

// Goal:   a seed is a run, and another seed is another one.
// Method: each of 300 seeds twice, with the heap laid out differently.
static void test_the_same_seed_gives_the_same_run(void **state)
{
    (void)state;
    uint64_t last = 0;
    void *kept[300];
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint64_t hash = echo_run(seed);
        kept[seed] = malloc(48 + seed % 100);
        assert_true(hash == echo_run(seed));
        assert_true(hash != last);
        last = hash;
    }
    for (int i = 0; i < 300; i++)
        free(kept[i]);
}

// The hash knows what was delivered, not only that something was.
static uint64_t byte_run(const char *byte)
{
    tr_sim *sim = NULL;
    tr_world *world = NULL;
    tr_endpoint *a = NULL, *b = NULL;
    char got;
    assert_int_equal(0, tr__sim_open(1, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    assert_int_equal(0, tr__sim_pipe(world, world, &a, &b));
    tr__sim_set_delay(sim, 0);
    assert_int_equal(1, endpoint_write(a, byte, 1));
    assert_int_equal(1, endpoint_read(b, &got, 1));
    uint64_t hash = tr__sim_hash(sim);
    tr__sim_close(&sim); // frees the world, too
    return hash;
}

static void test_another_byte_is_another_hash(void **state)
{
    (void)state;
    assert_true(byte_run("a") == byte_run("a"));
    assert_true(byte_run("a") != byte_run("b"));
}

static void test_random_bytes_come_from_the_seed(void **state)
{
    (void)state;
    unsigned char bytes[3][32];
    const uint64_t seeds[3] = {7, 7, 8};
    for (int i = 0; i < 3; i++) {
        tr_sim *sim = NULL;
        tr_world *world = NULL;
        assert_int_equal(0, tr__sim_open(seeds[i], &sim));
        assert_int_equal(0, tr__sim_world(sim, &world));
        world->ops->random(world, bytes[i], sizeof bytes[i]);
        tr__sim_close(&sim);
    }
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    assert_memory_not_equal(bytes[0], bytes[2], sizeof bytes[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_machine_where_nothing_can_happen_is_quiet),
        cmocka_unit_test(test_the_clock_jumps_to_the_next_due_time),
        cmocka_unit_test(test_a_process_that_spins_does_not_stop_the_clock),
        cmocka_unit_test(test_a_process_that_was_woken_runs_again),
        cmocka_unit_test(test_run_until_stops_at_the_condition_or_the_limit),
        cmocka_unit_test(test_everybody_who_can_run_may_be_next),
        cmocka_unit_test(test_a_plain_poll_waits_no_longer_than_it_was_told),
        cmocka_unit_test(test_the_same_seed_gives_the_same_run),
        cmocka_unit_test(test_another_byte_is_another_hash),
        cmocka_unit_test(test_random_bytes_come_from_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
